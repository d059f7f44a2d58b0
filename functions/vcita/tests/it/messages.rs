//! `POST /messages`: staff wrote.

use std::time::Duration;

use model::{DeliverTask, DeliveryContent, DeliveryKey, DeliveryState, ReceiptStatus};
use serde_json::json;
use testkit::fixtures::{NOW, desk_account_id};
use testkit::{QueuedTask, events};

use crate::world::{CHANNEL, CHANNEL_UPDATED, MESSAGE_CREATED, MESSAGE_UPDATED, World};

/// The place of a message that is accepted at the hour of the test world: its millisecond.
const SEQ: u64 = 1_767_225_600_000;

const TEXT: &str = "Yes, from 10 to 16. See you 🙂";

/// Texts after the visitor's own message.
fn answers(world: &World) -> Vec<String> {
    world.store.messages().into_iter().skip(1).map(|message| message.content.text).collect()
}

#[tokio::test]
async fn message_is_stored_and_its_delivery_enqueued() {
    let world = World::new().await;
    World::assert_empty(&world.send(MESSAGE_CREATED, "ok").await, 204, "ok");
    assert_eq!(answers(&world), [TEXT]);
    let stored = &world.store.messages()[1];
    assert_eq!(stored.id.to_string(), "26be4b95-b346-8f78-9003-699b76daa800");
    assert_eq!(
        (stored.origin.to_string().as_str(), stored.origin_id.as_str()),
        ("vcita/demo", "6a0f3d0a-93c8-4b51-8f10-0a4c7f1f2f90")
    );
    let key = events::delivery_key(SEQ);
    assert_eq!(key.recipient.to_string(), "frontstage/gw-mail");
    assert_eq!(world.store.delivery(&key).unwrap().state, DeliveryState::Queued);
    let task = DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 0, due: None };
    assert_eq!(world.queue.waiting(), [(NOW, QueuedTask::Deliver(task))]);
    assert_eq!(world.store.operations(), ["open", "accept"]);
    assert_eq!(world.queue.calls(), 1);
}

#[tokio::test]
async fn repeated_message_is_stored_and_enqueued_once() {
    let world = World::new().await;
    world.send(MESSAGE_CREATED, "ok").await;
    World::assert_empty(&world.send(MESSAGE_CREATED, "duplicate").await, 204, "duplicate");
    assert_eq!(answers(&world), [TEXT]);
    assert_eq!(world.queue.waiting().len(), 1);
}

#[tokio::test]
async fn base64_body_and_unknown_status_are_taken_as_the_plain_event() {
    for case in ["base64_body", "unknown_type"] {
        let world = World::new().await;
        World::assert_empty(&world.send(MESSAGE_CREATED, case).await, 204, case);
        assert_eq!(answers(&world), [TEXT], "{case}");
        assert_eq!(world.queue.waiting().len(), 1, "{case}");
    }
}

#[tokio::test]
async fn html_of_staff_is_stored_as_text() {
    let world = World::new().await;
    World::assert_empty(&world.send(MESSAGE_CREATED, "html").await, 204, "html");
    assert_eq!(answers(&world), ["Yes, from 10\nSee the map (https://demo.example/map)"]);
}

#[tokio::test]
async fn html_of_staff_is_stored_as_it_is_where_that_is_configured() {
    let world = World::new().await;
    let settings = json!({"business_uid": "q7x2m9d4k1v8b3zt", "channel_uid": CHANNEL, "html": "off"});
    world.configure(&[("vcita/demo", settings)]).await;
    world.clock.advance(Duration::from_secs(300));
    World::assert_empty(&world.send(MESSAGE_CREATED, "html").await, 204, "html");
    assert_eq!(
        answers(&world),
        ["<div>Yes, <strong>from 10</strong><br>See <a href=\"https://demo.example/map\">the map</a></div>"]
    );
}

#[tokio::test]
async fn our_own_message_come_back_is_taken_and_dropped() {
    let world = World::new().await;
    World::assert_empty(&world.send(MESSAGE_CREATED, "echo").await, 204, "echo");
    assert_eq!(world.store.operations(), [""; 0]);
    assert!(world.queue.waiting().is_empty());
}

#[tokio::test]
async fn message_for_a_blocked_channel_is_stored_and_reported_as_failed_to_staff() {
    let world = World::new().await;
    World::assert_empty(&world.send(CHANNEL_UPDATED, "ok").await, 204, "blocked");
    World::assert_empty(&world.send(MESSAGE_CREATED, "ok").await, 204, "ok");
    assert_eq!(answers(&world), [TEXT]);
    assert_eq!(world.store.delivery(&events::delivery_key(SEQ)), None);
    let receipt = DeliveryKey {
        recipient: desk_account_id(),
        content: DeliveryContent::Receipt(ReceiptStatus::Failed),
        ..events::delivery_key(SEQ)
    };
    assert_eq!(world.store.delivery(&receipt).unwrap().state, DeliveryState::Queued);
}

#[tokio::test]
async fn status_of_a_message_by_staff_is_taken_and_changes_nothing() {
    let world = World::new().await;
    world.send(MESSAGE_CREATED, "ok").await;
    world.store.forget_operations();
    let ours: serde_json::Value = events::event(MESSAGE_UPDATED, "ok");
    let text = ours.to_string().replace("26be4b95-b346-8f78-9003-680000000001", "6a0f3d0a-93c8-4b51-8f10-0a4c7f1f2f90");
    let answer = world.send_event(MESSAGE_UPDATED, serde_json::from_str(&text).unwrap()).await;
    World::assert_empty(&answer, 204, "status of a staff message");
    assert_eq!(world.store.counts().writes, 0);
}
