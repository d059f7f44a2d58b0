//! `operator-timeline`.

use model::EventKey;
use ports::{Acceptance, InboundStore as _, NewDelivery};
use serde_json::{Value, json};
use testkit::events;
use testkit::fixtures::{DUE_AFTER, NOW, sample_delivery};

use crate::world::{World, code};

impl World {
    async fn failed_answer() -> Self {
        let world = Self::configured();
        events::given_failure(&*world.store).await;
        world.store.forget_operations();
        world
    }
}

fn messages(answer: &Value) -> Vec<&str> {
    answer["entries"].as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap()).collect()
}

const MESSAGE_1: &str = "26be4b95-b346-8f78-9003-680000000001";
const MESSAGE_2: &str = "26be4b95-b346-8f78-9003-680000000002";

#[tokio::test]
async fn delivery_is_told_from_acceptance_to_failure_without_its_text() {
    let world = World::failed_answer().await;
    let delivery = format!("{MESSAGE_2}@frontstage/gw-mail");
    let told = |event: Value| {
        let mut entry = json!({"at": "2026-01-01T00:00:00.000Z", "message": MESSAGE_2, "kind": "delivery", "delivery": delivery,
                               "next_at": null, "detail": null});
        entry.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
        entry
    };
    assert_eq!(
        world.invoke("timeline", "delivery").await,
        json!({
            "conversation": "26be4b95b346f78400da",
            "entries": [
                {"at": "2026-01-01T00:00:00.000Z", "message": MESSAGE_2, "kind": "accepted", "author": "desk",
                 "origin": "vcita/demo", "origin_id": "m-2", "text_bytes": 19},
                told(json!({"event": "handed_over", "attempt": 1})),
                told(json!({"event": "no_acknowledgement", "attempt": 1, "given_up": true})),
            ],
            "deliveries": [{"delivery": delivery, "state": "failed", "reason": "no_acknowledgement", "next_at": null,
                            "waits_for": null, "reference": null, "receipt": null}]
        })
    );
    assert_eq!(world.store.operations(), ["story"]);
}

#[tokio::test]
async fn message_and_conversation_are_told_and_telling_changes_nothing() {
    let world = World::failed_answer().await;
    for case in ["ok", "duplicate"] {
        assert_eq!(messages(&world.invoke("timeline", case).await), [MESSAGE_1], "{case}");
    }
    let all = world.invoke("timeline", "conversation").await;
    assert_eq!(messages(&all), [MESSAGE_1, MESSAGE_2, MESSAGE_2, MESSAGE_2]);
    assert_eq!(all["deliveries"].as_array().unwrap().len(), 2);
    assert!(!all.to_string().contains("Dobrý den"), "a text is told");
    assert!(!all.to_string().contains("eva@"), "an address is told");
    assert_eq!(world.store.counts().writes, 0);
}

#[tokio::test]
async fn details_of_a_message_are_told_without_names_and_addresses() {
    let world = World::configured();
    let mut message = events::message(1);
    message.details.plain.insert("Culture".to_owned(), "cs-CZ".to_owned());
    message.details.personal.insert("ToField".to_owned(), "Shop <shop@demo.example>".to_owned());
    let acceptance = Acceptance {
        conversation: events::conversation(1),
        may_create: true,
        message,
        events: Vec::new(),
        deliveries: Vec::new(),
        guards: Vec::new(),
    };
    world.store.accept(&acceptance).await.unwrap();
    let told = world.try_invoke_with("timeline", json!({"id": MESSAGE_1})).await.unwrap();
    assert_eq!(told["entries"][0]["details"], json!({"Culture": "cs-CZ"}));
    assert!(!told.to_string().contains("Shop"), "{told}");
}

#[tokio::test]
async fn platforms_own_id_leads_to_the_message() {
    let world = World::configured();
    let message = events::message(1);
    let delivery = sample_delivery(&message, &events::delivery_key(1).recipient);
    let acceptance = Acceptance {
        conversation: events::conversation(1),
        may_create: true,
        message,
        events: vec![(EventKey::new("ds", [events::GATEWAY, "<m-1@demo.example>"]), None)],
        deliveries: vec![NewDelivery { delivery, due_at: NOW.plus(DUE_AFTER) }],
        guards: Vec::new(),
    };
    world.store.accept(&acceptance).await.unwrap();
    assert_eq!(messages(&world.invoke("timeline", "platform_id").await), [MESSAGE_1]);
    let anywhere = json!({"id": "<m-1@demo.example>"});
    assert_eq!(messages(&world.try_invoke_with("timeline", anywhere).await.unwrap()), [MESSAGE_1]);
    let elsewhere = json!({"id": "<m-1@demo.example>", "account": "vcita/demo"});
    assert_eq!(code(&world.try_invoke_with("timeline", elsewhere).await.unwrap()), "unknown");
}

#[tokio::test]
async fn nothing_is_told_of_what_is_not_stored() {
    for case in ["ok", "conversation", "delivery", "platform_id", "unknown"] {
        let world = World::configured();
        let answer = world.invoke("timeline", case).await;
        assert_eq!(answer, json!({"error": {"code": "unknown", "message": "nothing is stored under this id"}}), "{case}");
    }
}

#[tokio::test]
async fn malformed_input_is_refused_without_an_operation() {
    let world = World::configured();
    assert_eq!(code(&world.invoke("timeline", "malformed").await), "malformed");
    assert_eq!(world.store.operations(), [""; 0]);
}

#[tokio::test]
async fn store_down_is_a_failed_invocation() {
    let world = World::failed_answer().await;
    world.store.fail_next(1);
    assert!(matches!(world.try_invoke("timeline", "ok").await, Err(app::AppError::Unavailable(_))));
    assert_eq!(messages(&world.invoke("timeline", "ok").await), [MESSAGE_1]);
}
