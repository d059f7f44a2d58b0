//! What the chat screen is refused (section 11, "Message limits"; section 6.3).

use std::time::Duration;

use serde_json::{Value, json};
use testkit::events;

use crate::chat_world::{ACT, READ, Screens};

#[tokio::test]
async fn whoever_has_no_session_of_the_brand_is_refused() {
    let world = Screens::with_conversation().await;
    for function in [READ, ACT] {
        for (case, refusal) in [
            ("session_missing", (401, "session_expired")),
            ("session_unknown", (401, "session_expired")),
            ("brand_unknown", (404, "not_found")),
            ("malformed", (400, "invalid")),
        ] {
            assert_eq!(world.send(function, case).await.refusal(), refusal, "{function} {case}");
        }
    }
    assert_eq!(world.chats.counts().writes, 0);
}

#[tokio::test]
async fn wrong_method_is_told_the_right_one() {
    let world = Screens::with_conversation().await;
    for (function, allow) in [(READ, "GET, HEAD"), (ACT, "POST")] {
        let answer = world.send(function, "wrong_method").await;
        assert_eq!((answer.refusal(), answer.headers["allow"].as_str()), ((405, "method_not_allowed"), Some(allow)));
    }
    let mut head: Value = events::event(READ, "ok");
    head["requestContext"]["http"]["method"] = json!("HEAD");
    assert_eq!((world.answer(READ, head).await.status, world.told_gateway()), (200, 0));
}

#[tokio::test]
async fn act_that_there_is_none_of_is_not_found() {
    let world = Screens::with_conversation().await;
    assert_eq!(world.send(ACT, "unknown_type").await.refusal(), (404, "not_found"));
}

#[tokio::test]
async fn bad_body_says_what_is_wrong_and_changes_nothing() {
    let world = Screens::with_conversation().await;
    let id = "5e000000-0000-4000-8000-000000000009";
    for (act, body, detail) in [
        ("message", json!({"id": id, "text": " "}), "text: empty"),
        ("message", json!({"id": id, "text": "a".repeat(4_001)}), "text: longer than 4000 characters"),
        ("message", json!({"id": id, "text": "a\0b"}), "text: has a NUL"),
        ("message", json!({"id": "7", "text": "a"}), "id: not a UUID"),
        ("message", json!({"text": "a"}), "body: not {id, text, attachments}"),
        ("message", json!({"id": id, "text": "a", "attachments": ["u-1"]}), "attachments: no such upload"),
        ("message", json!({"id": id, "text": "a", "attachments": ["../x"]}), "attachments: no such upload"),
        ("typing", json!({"typing": 1}), "body: not {typing}"),
        ("read", json!({"counter": -1}), "body: not {counter}"),
        ("survey", json!({"rating": 6}), "rating: not 1 to 5"),
    ] {
        let answer = world.act(act, &body).await;
        assert_eq!((answer.refusal(), &answer.body["error"]["detail"]), ((400, "invalid"), &json!(detail)));
    }
    assert_eq!(world.send(ACT, "surrogate").await.refusal(), (400, "invalid"));
    let mut long: Value = events::event(ACT, "ok");
    long["body"] = json!(" ".repeat(64 * 1024 + 1));
    assert_eq!(world.answer(ACT, long).await.refusal(), (413, "too_large"));
    assert_eq!(world.chats.counts().writes, 0);
}

#[tokio::test]
async fn file_that_is_not_clean_or_not_theirs_is_no_upload() {
    for (person, state) in [(31_550_462, "pending"), (31_550_462, "quarantined"), (7, "clean")] {
        let world = Screens::with_conversation().await;
        world.keep_upload(person, state, Duration::from_secs(60)).await;
        assert_eq!(world.send(ACT, "attachment").await.refusal(), (400, "invalid"), "{person} {state}");
    }
    let world = Screens::with_conversation().await;
    world.keep_upload(31_550_462, "clean", Duration::from_secs(60)).await;
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.send(ACT, "attachment").await.refusal(), (400, "invalid"), "it is over");
}

#[tokio::test]
async fn more_than_20_messages_in_10_seconds_are_too_many() {
    let world = Screens::with_conversation().await;
    for _ in 0..19 {
        assert_eq!(world.send(ACT, "duplicate").await.status, 200);
    }
    let refused = world.send(ACT, "duplicate").await;
    assert_eq!((refused.refusal(), refused.headers["retry-after"].as_str()), ((429, "too_many"), Some("5")));
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(world.send(ACT, "duplicate").await.status, 200);
}

#[tokio::test]
async fn where_nobody_answers_no_chat_begins() {
    let world = Screens::opened(json!({})).await;
    for case in ["start", "ok"] {
        assert_eq!(world.send(ACT, case).await.refusal(), (409, "nobody_there"), "{case}");
    }
    assert_eq!(world.send(READ, "ok").await.chat()["state"], "none");
}

#[tokio::test]
async fn transcript_of_no_chat_is_not_found() {
    let world = Screens::with_jana(json!({})).await;
    assert_eq!(world.send(READ, "transcript").await.refusal(), (404, "not_found"));
}
