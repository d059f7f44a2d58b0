//! Every status of a whole request (section 7.3), and tokens that open nothing.

use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN};
use serde_json::json;
use testkit::Fault;
use testkit::fixtures::{get, post};

use crate::world::{OTHER_PAGE, PAGE, World, said, with};

#[tokio::test]
async fn wrong_requests_are_refused_as_a_whole_and_nothing_is_stored() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    let before = world.records.peek();
    let good = json!({"events": [page.event(1, 1, "newMessageAdded", &said("v", 1, "visitor", "hi"))]}).to_string();
    let posted = |body: &str| page.signed(post("/roxchat/acme/events", body));
    let many = json!({"events": vec![json!({}); 101]}).to_string();
    let long = format!("{}{}", good, " ".repeat(1024 * 1024));
    let cases = [
        (posted(""), (400, "not_json")),
        (posted("{"), (400, "not_json")),
        (posted("[]"), (400, "bad_shape")),
        (posted("{}"), (400, "bad_shape")),
        (posted(r#"{"events":"all"}"#), (400, "bad_shape")),
        (posted(r#"{"events":[]}"#), (400, "bad_shape")),
        (posted(&many), (413, "too_large")),
        (posted(&long), (413, "too_large")),
        (with(posted(&good), CONTENT_TYPE, "text/plain"), (415, "content_type")),
        (with(posted(&good), CONTENT_TYPE, "application/jsonp"), (415, "content_type")),
        (with(posted(&good), ORIGIN, "https://crm.acme.example.evil.example"), (403, "origin_mismatch")),
        (with(posted(&good), ORIGIN, "null"), (403, "origin_mismatch")),
        (with(posted(&good), AUTHORIZATION, ""), (401, "token_invalid")),
        (with(posted(&good), AUTHORIZATION, &page.token), (401, "token_invalid")),
        (with(posted(&good), AUTHORIZATION, &format!("Basic {}", page.token)), (401, "token_invalid")),
        (with(posted(&good), AUTHORIZATION, &format!("Bearer {}x", page.token)), (401, "token_invalid")),
        (with(posted(&good), AUTHORIZATION, &format!("Bearer {}", world.ticket("marta", "t-9"))), (401, "token_invalid")),
    ];
    for (request, row) in cases {
        let answer = world.events(request).await;
        assert_eq!(answer.row(), row, "{}", answer.text);
        assert_eq!(answer.headers.get("access-control-allow-origin"), None, "CORS is not opened");
    }
    let mut silent = posted(&good);
    silent.headers.remove(ORIGIN);
    assert_eq!(world.events(silent).await.row(), (403, "origin_mismatch"));
    let mut elsewhere = posted(&good);
    elsewhere.path = "/roxchat/rival/events".to_owned();
    assert_eq!(world.events(elsewhere).await.row(), (401, "token_invalid"), "an event for another account");
    let mut nowhere = posted(&good);
    nowhere.path = "/roxchat/nobody/events".to_owned();
    assert_eq!(world.events(nowhere).await.row(), (404, "unknown_account"));
    let mut read = posted(&good);
    read.method = Method::GET;
    let answer = world.events(read).await;
    assert_eq!((answer.row(), &answer.headers["allow"]), ((405, "method_not_allowed"), &"POST".parse().unwrap()));
    assert_eq!(world.records.peek(), before);
    assert_eq!(world.events(with(posted(&good), CONTENT_TYPE, "Application/JSON; charset=utf-8")).await.status, 200);
}

#[tokio::test]
async fn expired_token_is_told_apart_and_the_same_events_come_again() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    let event = page.event(1, 1, "newMessageAdded", &said("v", 1, "visitor", "hi"));
    world.clock.advance(std::time::Duration::from_secs(900));
    assert_eq!(page.post(std::slice::from_ref(&event)).await.row(), (401, "token_expired"));
    let renewed = world.page("marta", PAGE).await;
    let answer = renewed.post(&[event]).await;
    assert_eq!(answer.body["results"][0]["status"], "accepted");
    assert_eq!(renewed.texts(1).await, ["hi"]);
}

#[tokio::test]
async fn page_that_sends_without_waiting_is_slowed_down() {
    let world = World::new();
    let (page, other) = (world.page("marta", PAGE).await, world.page("marta", OTHER_PAGE).await);
    for _ in 0..50 {
        assert_eq!(page.post(&[json!({})]).await.status, 200);
    }
    let answer = page.post(&[json!({})]).await;
    assert_eq!((answer.row(), &answer.headers["retry-after"]), ((429, "too_many"), &"2".parse().unwrap()));
    assert_eq!(other.post(&[json!({})]).await.status, 200);
    world.clock.advance(std::time::Duration::from_secs(10));
    assert_eq!(page.post(&[json!({})]).await.status, 200);
}

#[tokio::test]
async fn storage_that_is_down_is_503_and_the_same_events_again_are_stored_once() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    let events = [
        page.event(1, 1, "newMessageAdded", &said("v", 1, "visitor", "one")),
        page.event(2, 2, "chatClosedByOperator", &json!({"roxchatVisitorId": "v", "chatId": 1})),
        page.event(3, 3, "newMessageAdded", &said("v", 1, "operator", "two")),
    ];
    // Each operation fails once: refused, or done without its caller knowing.
    for fault in [Fault::Refused, Fault::AnswerLost] {
        for operation in 0..12 {
            world.records.faults().plan((0..operation).map(|_| None).chain([Some(fault)]));
            let answer = page.post(&events).await;
            assert!(matches!(answer.row(), (503, "unavailable") | (200, "")), "{}", answer.text);
            world.records.faults().clear();
        }
        for operation in 0..3 {
            world.store.faults().plan((0..operation).map(|_| None).chain([Some(fault)]));
            let answer = page.post(&events).await;
            assert!(matches!(answer.row(), (503, "unavailable") | (200, "")), "{}", answer.text);
            world.store.faults().clear();
        }
        world.clock.advance(std::time::Duration::from_secs(10));
    }
    assert_eq!(page.post(&events).await.status, 200);
    assert_eq!(page.texts(1).await, ["one", "two"]);
    let chat = page.chat("1", "").await.body["chat"].clone();
    assert_eq!((&chat["state"], &chat["reopened"]), (&json!("open"), &json!(1)));
}

#[tokio::test]
async fn message_that_could_not_be_stored_is_stored_when_its_event_comes_again() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    let event = page.event(1, 1, "newMessageAdded", &said("v", 1, "visitor", "one"));
    world.store.faults().next(1, Fault::Refused);
    assert_eq!(page.post(std::slice::from_ref(&event)).await.row(), (503, "unavailable"));
    let answer = page.post(std::slice::from_ref(&event)).await;
    assert_eq!(answer.body["results"][0]["status"], "duplicate");
    assert_eq!(page.texts(1).await, ["one"]);
}

#[tokio::test]
async fn what_is_asked_of_views_is_refused_as_well() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    page.tells(1, 1, "newMessageAdded", &said("v", 1, "visitor", "hi")).await;
    assert_eq!(page.visitor("nobody", "").await.row(), (404, "unknown_visitor"));
    assert_eq!(page.visitor("v", "by=phone").await.row(), (400, "bad_shape"));
    assert_eq!(page.chat("2", "").await.row(), (404, "unknown_chat"));
    assert_eq!(page.chat("one", "").await.row(), (404, "unknown_chat"));
    assert_eq!(page.chat("1", "before=x").await.row(), (400, "bad_shape"));
    assert_eq!(world.views(get("/roxchat/acme/chats/1", "")).await.row(), (401, "token_invalid"));
    assert_eq!(world.views(page.signed(post("/roxchat/acme/chats/1", "{}"))).await.row(), (405, "method_not_allowed"));
    let foreign = with(page.signed(get("/roxchat/acme/chats/1", "")), ORIGIN, "https://evil.example");
    assert_eq!(world.views(foreign).await.row(), (403, "origin_mismatch"));
    let elsewhere = page.signed(get("/roxchat/rival/chats/1", ""));
    assert_eq!(world.views(elsewhere).await.row(), (401, "token_invalid"));
}
