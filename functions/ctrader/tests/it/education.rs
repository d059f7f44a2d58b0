//! Education and certificates (section 5).

use std::sync::Arc;

use ctrader_functions::{certificate, education};
use http::Method;
use ports::{RecordChange, RecordKey, Records as _};
use serde_json::{Value, json};
use wire::RawRequest;

use crate::world::{HOST, OTHER_HOST, World, answered, call, request};

struct School {
    world: World,
    token: String,
}

impl School {
    async fn new() -> Self {
        let world = World::new().await;
        let quiz = json!({"id": "forex101", "type": "quiz", "title": {"en": "Forex basics"}, "quiz": {"passPercent": 50, "attempts": 2,
            "certificate": true, "questions": [
                {"id": "q1", "text": "?", "choices": [{"id": "a", "text": "A"}, {"id": "b", "text": "B"}], "right": ["b"]},
                {"id": "q2", "text": "?", "choices": [{"id": "a", "text": "A"}, {"id": "b", "text": "B"}], "right": ["a"]}]}});
        let video = json!({"id": "film", "type": "video", "title": "A film", "video": {"src": "https://cdn.example/a.mp4", "durationSeconds": 60}});
        let index = json!({"items": [
            {"id": "film", "type": "video", "title": "A film", "summary": {"en": "One minute", "de": "Eine Minute"}},
            {"id": "forex101", "type": "quiz", "title": {"en": "Forex basics"}, "summary": null}]});
        let account = "ctrader/broker".parse::<model::AccountId>().unwrap();
        let changes =
            [("content_index", "", index), ("content", "film", video), ("content", "forex101", quiz)].map(|(kind, id, body)| {
                let key = RecordKey { account: account.clone(), group: "education".to_owned(), kind, id: id.to_owned() };
                RecordChange { key, rev: 0, body: body.to_string(), ends_at: None }
            });
        world.records.keep_records(&changes).await.unwrap();
        let token = world.session("education").await;
        Self { world, token }
    }

    async fn does(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = call(&self.token, method, path, &body);
        answered(education::handle(Arc::new(self.world.ctx.clone()), request).await.unwrap())
    }

    async fn open(&self, host: &str, path: &str) -> wire::Reply {
        let request = RawRequest { path: path.to_owned(), ..request(host, None) };
        certificate::handle(Arc::new(self.world.ctx.clone()), request).await.unwrap()
    }

    async fn pass(&self) -> String {
        let (status, body) = self.does(Method::POST, "education/forex101/quiz", json!({"answers": {"q1": ["b"]}})).await;
        assert_eq!(status, 200, "{body}");
        body["certificate"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn list_says_how_far_somebody_is() {
    let school = School::new().await;
    let (_, body) = school.does(Method::PUT, "education/film/progress", json!({"rev": 0, "percent": 40, "position": 24.5})).await;
    assert_eq!(body, json!({"rev": 1, "percent": 40, "position": 24.5, "done": false}));
    let (status, body) = school.does(Method::GET, "education", Value::Null).await;
    assert_eq!(status, 200);
    assert_eq!(
        body,
        json!({"items": [
            {"id": "film", "type": "video", "title": "A film", "summary": "One minute", "progress": 40, "done": false},
            {"id": "forex101", "type": "quiz", "title": "Forex basics", "progress": 0, "done": false}]})
    );
}

#[tokio::test]
async fn progress_only_grows_and_a_stale_one_is_a_conflict() {
    let school = School::new().await;
    for (rev, percent, expected) in [(0, 60, 60), (1, 30, 60), (2, 100, 100)] {
        let (status, body) = school.does(Method::PUT, "education/film/progress", json!({"rev": rev, "percent": percent})).await;
        assert_eq!((status, &body["percent"], &body["done"]), (200, &json!(expected), &json!(expected == 100)));
    }
    assert_eq!(school.does(Method::PUT, "education/film/progress", json!({"rev": 1, "percent": 100})).await.0, 409);
    for wrong in [json!({"rev": 3, "percent": 101}), json!({"rev": 3, "position": -1.0}), json!({"percent": 1})] {
        assert_eq!(school.does(Method::PUT, "education/film/progress", wrong).await.0, 400);
    }
    assert_eq!(school.does(Method::GET, "education/nothing", Value::Null).await.0, 404);
    assert_eq!(school.does(Method::PUT, "education/forex101/progress", json!({"rev": 0, "percent": 100})).await.1["done"], false);
}

#[tokio::test]
async fn screen_that_a_brand_does_not_offer_has_nothing() {
    let world = World::with_settings(&json!({"education_enabled": false})).await;
    for screen in ["education", "chat"] {
        let token = world.session(screen).await;
        let request = call(&token, Method::GET, "education", &Value::Null);
        assert_eq!(answered(education::handle(Arc::new(world.ctx.clone()), request).await.unwrap()).0, 404);
    }
}

#[tokio::test]
async fn right_answers_stay_here() {
    let school = School::new().await;
    let (_, body) = school.does(Method::GET, "education/forex101", Value::Null).await;
    assert_eq!(body["item"]["quiz"]["passPercent"], 50);
    assert!(!body.to_string().contains("right"));
}

#[tokio::test]
async fn quiz_is_scored_here_and_tried_no_more_often_than_allowed() {
    let school = School::new().await;
    let quiz = async |answers: Value| school.does(Method::POST, "education/forex101/quiz", json!({"answers": answers})).await;
    assert_eq!(quiz(json!({"q1": ["z"]})).await.0, 400);
    let failed = json!({"score": 0, "passed": false, "correct": {"q1": false, "q2": false}});
    for _ in 0..2 {
        assert_eq!(quiz(json!({"q1": ["a"], "q2": ["b"]})).await, (200, failed.clone()));
    }
    let (status, body) = quiz(json!({"q1": ["b"], "q2": ["a"]})).await;
    assert_eq!((status, &body["error"]["detail"]), (409, &json!("attempts")));
}

#[tokio::test]
async fn whoever_passed_has_one_certificate() {
    let school = School::new().await;
    let code = school.pass().await;
    assert_eq!(school.pass().await, code);
    let (_, body) = school.does(Method::GET, "education/forex101", Value::Null).await;
    assert_eq!((&body["progress"]["certificate"], &body["progress"]["done"]), (&json!(code), &json!(true)));
    let stored = format!("{:?}", school.world.records.peek().keys());
    assert!(!stored.contains(&code), "no key holds the code");
}

#[tokio::test]
async fn certificate_is_a_document_and_a_page_for_whoever_has_the_code() {
    let school = School::new().await;
    let code = school.pass().await;
    let pdf = school.open(HOST, &format!("/inapp/api/certificate/{code}")).await;
    assert_eq!((pdf.status.as_u16(), &pdf.headers["content-type"]), (200, &http::HeaderValue::from_static("application/pdf")));
    assert_eq!(pdf.headers["content-disposition"], "attachment; filename=\"certificate.pdf\"");
    assert!(pdf.body.starts_with(b"%PDF-1.4"));
    let page = school.open(HOST, &format!("/inapp/verify/{code}")).await;
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(page.status == 200 && text.contains("Inés") && text.contains("Forex basics") && !text.contains("<script"));
    for (name, value) in [("cache-control", "no-store"), ("x-robots-tag", "noindex"), ("referrer-policy", "no-referrer")] {
        assert_eq!(page.headers[name], value);
    }
}

#[tokio::test]
async fn code_that_is_none_says_nothing() {
    let school = School::new().await;
    let code = school.pass().await;
    let unknown = school.open(HOST, &format!("/inapp/verify/{}", "0".repeat(32))).await;
    assert_eq!(unknown.status, 404);
    for (host, code) in [(HOST, "x".to_owned()), (HOST, code.to_uppercase() + "0"), (OTHER_HOST, code.clone())] {
        let reply = school.open(host, &format!("/inapp/verify/{code}")).await;
        assert_eq!((reply.status, &reply.body), (unknown.status, &unknown.body), "{code}");
        assert_eq!(school.open(host, &format!("/inapp/api/certificate/{code}")).await.status, 404);
    }
}
