//! What is not taken, and what that leaves behind: nothing.

use serde_json::{Value, json};
use testkit::fixtures::desk_account_id;
use testkit::{Fault, events};

use crate::world::{
    CHANNEL_UPDATED, EVENTS, FUNCTIONS, MESSAGE_CREATED, MESSAGE_UPDATED, SECRET, SESSION_UPDATED, TYPING, World,
};

/// The error envelope of the contract.
fn error(code: &str, message: &str, field: Option<&str>) -> Value {
    let mut entry = json!({"code": code, "message": message});
    if let Some(field) = field {
        entry["field"] = json!(field);
    }
    json!({"success": false, "errors": [entry]})
}

fn assert_untouched(world: &World, why: &str) {
    assert_eq!(world.store.counts().writes, 0, "{why}: something was written");
    assert_eq!(world.store.messages().len(), 1, "{why}: a message is stored");
    assert!(world.queue.waiting().is_empty(), "{why}: something is enqueued");
}

#[tokio::test]
async fn wrong_secret_and_unknown_app_are_the_same_empty_404_without_an_operation() {
    for function in FUNCTIONS {
        let mut answers = Vec::new();
        for case in ["secret_wrong", "account_unknown"] {
            let world = World::new().await;
            answers.push(world.send(function, case).await);
            assert_eq!(world.store.operations(), [""; 0], "{function} {case}");
            assert_untouched(&world, case);
        }
        // Without the secret, nothing else about the request is looked at: not the method, not the size.
        for (pointer, value) in [
            ("/requestContext/http/method", json!("DELETE")),
            ("/body", json!("x".repeat(256 * 1024 + 1))),
            ("/body", json!("{")),
            ("/rawPath", json!("/vcita/demo")),
            ("/rawPath", json!("/vcita/demo/")),
            ("/rawPath", json!("/")),
            ("/rawPath", json!("/vcita/D%45mo/x/messages")),
        ] {
            let world = World::new().await;
            let mut event: Value = events::event(function, "secret_wrong");
            *event.pointer_mut(pointer).unwrap() = value;
            answers.push(world.send_event(function, event).await);
            assert_eq!(world.store.operations(), [""; 0], "{function} {pointer}");
        }
        World::assert_empty(&answers[0], 404, function);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{function}: {answers:?}");
    }
}

#[tokio::test]
async fn both_secrets_of_a_rotation_are_taken() {
    let world = World::before_init();
    let current = "ffffffffffffffffffffffffffffffff";
    world.secrets.set(&desk_account_id(), json!({"url_secrets": [current, SECRET], "token": "invented-token"}));
    events::given_messages(&*world.store, 1).await;
    World::assert_empty(&world.send(MESSAGE_UPDATED, "ok").await, 204, "previous secret");
    let event: Value = events::event(MESSAGE_UPDATED, "ok");
    let event = serde_json::from_str(&event.to_string().replace(SECRET, current)).unwrap();
    World::assert_empty(&world.send_event(MESSAGE_UPDATED, event).await, 204, "current secret");
}

#[tokio::test]
async fn body_that_cannot_be_used_is_the_contracts_error_and_nothing_is_stored() {
    let created: Vec<(&str, &str, u64, Value)> = vec![
        (MESSAGE_CREATED, "malformed", 400, error("invalid", "is not JSON", None)),
        (MESSAGE_CREATED, "missing_field", 400, error("missing_field", "is missing", Some("message_uid"))),
        (MESSAGE_CREATED, "wrong_type", 400, error("invalid", "must be a text", Some("message"))),
        (MESSAGE_CREATED, "over_long", 400, error("too_long", "must not be longer than 255 characters", Some("message_uid"))),
        (MESSAGE_CREATED, "unknown_channel", 404, error("invalid", "is not known", Some("channel_uid"))),
        (MESSAGE_CREATED, "unknown_recipient", 404, error("invalid", "is not known", Some("external_uid"))),
        (MESSAGE_UPDATED, "unknown_message", 404, error("invalid", "is not known", Some("message_uid"))),
        (TYPING, "malformed", 400, error("invalid", "is not JSON", None)),
        (TYPING, "missing_field", 400, error("missing_field", "is missing", Some("typing"))),
        (TYPING, "wrong_type", 400, error("invalid", "must be true or false", Some("typing"))),
        (TYPING, "not_utf8", 400, error("invalid", "is not UTF-8", Some("session_uid"))),
        (TYPING, "unknown_session", 404, error("invalid", "is not known", Some("session_uid"))),
    ];
    let updated = [MESSAGE_UPDATED, CHANNEL_UPDATED, SESSION_UPDATED].into_iter().flat_map(|function| {
        [
            (function, "malformed", 400, error("invalid", "is not JSON", None)),
            (function, "missing_field", 400, error("missing_field", "is missing", Some("status"))),
        ]
    });
    for (function, case, status, body) in created.into_iter().chain(updated) {
        let world = World::new().await;
        let answer = world.send(function, case).await;
        assert_eq!((answer.status, &answer.body), (status, &body), "{function} {case}");
        assert_eq!(world.store.messages().len(), 1, "{function} {case}");
        assert!(world.queue.waiting().is_empty(), "{function} {case}");
        if status == 400 {
            assert_eq!(world.store.operations(), [""; 0], "{function} {case}");
        }
    }
}

#[tokio::test]
async fn message_for_a_conversation_nobody_has_is_404() {
    let world = World::before_init();
    let answer = world.send(MESSAGE_CREATED, "ok").await;
    assert_eq!((answer.status, answer.body), (404, error("invalid", "is not known", Some("external_uid"))));
    assert!(world.store.messages().is_empty());
}

#[tokio::test]
async fn other_method_is_405_with_allow() {
    for function in FUNCTIONS {
        let world = World::new().await;
        let answer = world.send(function, "wrong_method").await;
        let allow = match function {
            MESSAGE_CREATED | EVENTS => "POST",
            TYPING => "POST, PUT",
            _ => "PUT",
        };
        World::assert_empty(&answer, 405, function);
        assert_eq!(answer.headers["allow"], allow, "{function}");
        assert_eq!(world.store.operations(), [""; 0], "{function}");
    }
}

#[tokio::test]
async fn body_above_the_limit_is_413() {
    for function in FUNCTIONS {
        let world = World::new().await;
        let mut event: Value = events::event(function, "ok");
        event["body"] = json!("x".repeat(256 * 1024 + 1));
        let answer = world.send_event(function, event).await;
        assert_eq!((answer.status, answer.body), (413, error("too_long", "body exceeds 262144 bytes", None)), "{function}");
        assert_eq!(world.store.operations(), [""; 0], "{function}");
    }
}

#[tokio::test]
async fn store_down_is_503_and_the_repetition_finds_everything_as_before() {
    for function in FUNCTIONS {
        let world = World::new().await;
        world.store.fail_next(1);
        let answer = world.send(function, "ok").await;
        World::assert_empty(&answer, 503, function);
        assert_eq!(answer.headers["retry-after"], "5", "{function}");
        assert_eq!(world.store.messages().len(), 1, "{function}");
        World::assert_empty(&world.send(function, "ok").await, 204, function);
    }
}

#[tokio::test]
async fn lost_answer_of_the_store_or_a_dead_queue_stores_the_message_once() {
    let world = World::new().await;
    world.store.faults().plan([None, Some(Fault::AnswerLost)]);
    assert_eq!(world.send(MESSAGE_CREATED, "ok").await.status, 503);
    World::assert_empty(&world.send(MESSAGE_CREATED, "duplicate").await, 204, "answer lost");
    assert_eq!(world.store.messages().len(), 2);

    let world = World::new().await;
    world.queue.fail_next(1);
    assert_eq!(world.send(MESSAGE_CREATED, "ok").await.status, 503);
    World::assert_empty(&world.send(MESSAGE_CREATED, "duplicate").await, 204, "queue down");
    assert_eq!(world.store.messages().len(), 2);
}

#[tokio::test]
async fn accounts_or_secrets_that_cannot_be_read_are_503_never_404() {
    let world = World::before_init();
    events::given_messages(&*world.store, 1).await;
    world.secrets.fail_next(1);
    assert_eq!(world.send(MESSAGE_CREATED, "ok").await.status, 503);
    world.store.fail_next(1);
    assert_eq!(world.send(MESSAGE_CREATED, "ok").await.status, 503);
    assert_eq!(world.send(MESSAGE_CREATED, "ok").await.status, 204);
}

#[tokio::test]
async fn secret_taken_out_of_use_is_refused_within_five_minutes() {
    let world = World::new().await;
    let other = json!({"url_secrets": ["ffffffffffffffffffffffffffffffff"], "token": "invented-token"});
    world.secrets.set(&desk_account_id(), other);
    assert_eq!(world.send(CHANNEL_UPDATED, "ok").await.status, 204);
    world.clock.advance(std::time::Duration::from_secs(300));
    World::assert_empty(&world.send(CHANNEL_UPDATED, "ok").await, 404, "old secret");
}

#[tokio::test]
async fn every_event_is_answered_without_a_5xx() {
    for function in FUNCTIONS {
        for case in events::cases(function) {
            let world = World::new().await;
            let answer = world.send(function, &case).await;
            assert!((200..500).contains(&answer.status), "{function} {case}: {}", answer.status);
        }
    }
}
