//! Files (section 11, "File upload").

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ctrader_functions::upload::{UploadCtx, handle};
use http::{HeaderValue, Method};
use objects_s3::{Bucket, BucketSettings};
use serde_json::{Value, json};
use testkit::ScriptedSender;
use wire::RawRequest;

use crate::world::{HOST, OTHER_HOST, World, answered, call, request};

struct Desk {
    world: World,
    sender: Arc<ScriptedSender>,
    ctx: Arc<UploadCtx>,
    token: String,
}

impl Desk {
    async fn with(uploads: Value) -> Self {
        let world = World::with_settings(&json!({"uploads": uploads})).await;
        let sender = Arc::new(ScriptedSender::new());
        let bucket = Bucket::new(BucketSettings {
            name: "files".to_owned(),
            region: "eu-central-1".to_owned(),
            endpoint: None,
            access_key: "key".to_owned(),
            secret_key: "secret".to_owned(),
            session_token: None,
        });
        let ctx = Arc::new(UploadCtx { base: world.ctx.clone(), bucket, sender: sender.clone() });
        let token = world.session("chat").await;
        Self { world, sender, ctx, token }
    }

    async fn does(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        answered(handle(self.ctx.clone(), call(&self.token, method, path, &body)).await.unwrap())
    }

    async fn begin(&self, size: u64) -> String {
        let announced = json!({"name": "C:\\docs\\passport.png", "type": "image/png", "size": size});
        let (status, body) = self.does(Method::POST, "upload", announced).await;
        assert_eq!(status, 200, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }

    /// The bucket has this object.
    fn holds(&self, beginning: &'static [u8], size: u64) {
        let mut answer = ScriptedSender::empty(206);
        let range = format!("bytes 0-{}/{size}", beginning.len() - 1);
        answer.headers.insert(http::header::CONTENT_RANGE, HeaderValue::from_str(&range).unwrap());
        answer.body = Bytes::from_static(beginning);
        self.sender.push(Ok(answer));
    }

    async fn done(&self, id: &str) -> (u16, Value) {
        self.does(Method::POST, &format!("upload/{id}/done"), Value::Null).await
    }
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

#[tokio::test]
async fn form_is_for_one_object_that_nobody_can_guess() {
    let desk = Desk::with(json!({})).await;
    let (_, body) = desk.does(Method::POST, "upload", json!({"name": "a.png", "type": "image/png", "size": 12})).await;
    assert_eq!((&body["url"], &body["expiresIn"]), (&json!("https://files.s3.eu-central-1.amazonaws.com/"), &json!(300)));
    let key = body["fields"]["key"].as_str().unwrap();
    assert!(key.starts_with("uploads/broker/") && key.len() == "uploads/broker/".len() + 32);
    assert!(!key.contains(body["id"].as_str().unwrap()), "who knows the id does not know the object");
    assert_eq!(body["fields"]["Content-Type"], "application/octet-stream");
}

#[tokio::test]
async fn what_may_not_be_handed_in_gets_no_form() {
    let desk = Desk::with(json!({"max_bytes": 100, "types": ["png", "txt"]})).await;
    for (kind, size, status) in [
        ("image/svg+xml", 10, 400),
        ("text/html", 10, 400),
        ("application/x-msdownload", 10, 400),
        ("application/pdf", 10, 400),
        ("image/png", 0, 400),
        ("image/png", 101, 413),
        ("text/plain; charset=utf-8", 100, 200),
    ] {
        let answer = desk.does(Method::POST, "upload", json!({"name": "a", "type": kind, "size": size})).await;
        assert_eq!(answer.0, status, "{kind} {size}");
    }
}

#[tokio::test]
async fn file_is_served_as_an_attachment_of_what_it_was_found_to_be() {
    let desk = Desk::with(json!({})).await;
    let id = desk.begin(12).await;
    assert_eq!(desk.does(Method::GET, &format!("upload/{id}"), Value::Null).await.0, 404, "it has not come");
    desk.holds(PNG, 12);
    let known = json!({"id": id, "name": "passport.png", "size": 12, "type": "image/png"});
    assert_eq!(desk.done(&id).await, (200, known.clone()));
    assert_eq!(desk.done(&id).await, (200, known), "it is looked at once");
    let [look] = &desk.sender.calls()[..] else { panic!("not one look") };
    assert_eq!(look.headers["range"], "bytes=0-65535");

    let reply = handle(desk.ctx.clone(), call(&desk.token, Method::GET, &format!("upload/{id}"), &Value::Null)).await.unwrap();
    assert_eq!(reply.status, 302);
    let address = reply.headers["location"].to_str().unwrap();
    for part in [
        "response-content-disposition=attachment%3B%20filename%2A%3DUTF-8%27%27passport%252Epng",
        "response-content-type=image%2Fpng",
        "X-Amz-Expires=60",
    ] {
        assert!(address.contains(part), "{part} in {address}");
    }
}

#[tokio::test]
async fn file_that_is_not_what_it_seems_is_never_served() {
    for (beginning, size) in [
        (&b"<html><script>alert(1)</script>"[..], 31),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 59),
        (b"MZ\x90\0", 4),
        (b"PK\x03\x04", 4),
        (PNG, 99),
    ] {
        let desk = Desk::with(json!({})).await;
        let id = desk.begin(if size == 99 { 12 } else { size }).await;
        desk.holds(beginning, size);
        assert_eq!(desk.done(&id).await.0, 400);
        assert_eq!(desk.done(&id).await.0, 400, "nor is it looked at again");
        assert_eq!(desk.does(Method::GET, &format!("upload/{id}"), Value::Null).await.0, 404);
    }
}

#[tokio::test]
async fn type_is_what_the_content_says_and_must_be_one_that_is_taken() {
    let desk = Desk::with(json!({})).await;
    let id = desk.begin(8).await;
    desk.holds(b"%PDF-1.7", 8);
    let (status, body) = desk.done(&id).await;
    assert_eq!((status, &body["type"]), (200, &json!("application/pdf")));
    let desk = Desk::with(json!({"types": ["png"]})).await;
    let id = desk.begin(8).await;
    desk.holds(b"%PDF-1.7", 8);
    assert_eq!(desk.done(&id).await.0, 400);
}

#[tokio::test]
async fn file_that_has_not_come_may_still_come_within_a_day() {
    let desk = Desk::with(json!({})).await;
    let id = desk.begin(12).await;
    desk.sender.answer_empty(404);
    assert_eq!(desk.done(&id).await.0, 400);
    desk.sender.answer_empty(500);
    assert_eq!(desk.done(&id).await.0, 503);
    desk.sender.fail(wire::CallFailure::NoAnswer);
    assert_eq!(desk.done(&id).await.0, 503);
    desk.holds(PNG, 12);
    assert_eq!(desk.done(&id).await.0, 200);

    let late = desk.begin(12).await;
    desk.world.clock.advance(Duration::from_secs(24 * 3600));
    let token = desk.world.session("chat").await;
    let path = format!("upload/{late}/done");
    let reply = handle(desk.ctx.clone(), call(&token, Method::POST, &path, &Value::Null)).await.unwrap();
    assert_eq!(reply.status, 404);
}

#[tokio::test]
async fn file_waits_for_the_scanner_where_there_is_one() {
    let desk = Desk::with(json!({"scan": "tag"})).await;
    let tagged = |value: &str| {
        let mut answer = ScriptedSender::empty(200);
        answer.body =
            format!("<Tagging><TagSet><Tag><Key>other</Key><Value>clean</Value></Tag>{value}</TagSet></Tagging>").into();
        answer
    };
    let id = desk.begin(12).await;
    desk.holds(PNG, 12);
    desk.sender.push(Ok(tagged("")));
    assert_eq!(desk.done(&id).await.0, 503, "the scanner has not spoken");
    desk.holds(PNG, 12);
    desk.sender.push(Ok(tagged("<Tag><Key>scan</Key><Value>clean</Value></Tag>")));
    assert_eq!(desk.done(&id).await.0, 200);
    assert!(
        desk.sender.calls()[1].url.query().unwrap().contains("&tagging=&")
            || desk.sender.calls()[1].url.query().unwrap().contains("tagging=")
    );

    let bad = desk.begin(12).await;
    desk.holds(PNG, 12);
    desk.sender.push(Ok(tagged("<Tag><Key>scan</Key><Value>infected</Value></Tag>")));
    assert_eq!(desk.done(&bad).await.0, 400);
    assert_eq!(desk.does(Method::GET, &format!("upload/{bad}"), Value::Null).await.0, 404);
}

#[tokio::test]
async fn file_is_handed_in_by_its_person_and_fetched_by_whoever_has_its_link() {
    let desk = Desk::with(json!({})).await;
    let id = desk.begin(12).await;
    desk.holds(PNG, 12);
    let stranger = desk.world.session_of(7, "chat", json!({})).await;
    let looked = call(&stranger, Method::POST, &format!("upload/{id}/done"), &Value::Null);
    assert_eq!(handle(desk.ctx.clone(), looked).await.unwrap().status, 404);
    desk.done(&id).await;
    // Whoever answers the person has no session, and no other brand has the file.
    for (host, status) in [(HOST, 302), (OTHER_HOST, 404)] {
        let fetched = RawRequest { path: format!("/inapp/api/upload/{id}"), ..request(host, None) };
        assert_eq!(handle(desk.ctx.clone(), fetched).await.unwrap().status, status, "{host}");
    }
    for id in ["..", "x", &"0".repeat(32)] {
        assert_eq!(desk.does(Method::GET, &format!("upload/{id}"), Value::Null).await.0, 404);
    }
}
