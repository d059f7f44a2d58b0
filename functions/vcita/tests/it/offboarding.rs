//! Activation that does not come, and businesses that stop.

use std::time::Duration;

use model::{InstallPhase, RemoteStatus};
use serde_json::{Value, json};
use testkit::events;
use wire::CallFailure;

use crate::connect::{settings, world, world_with};
use crate::world::{CHANNEL_UPDATED, EVENTS, SECRET, World};

const BUSINESS: &str = "q7x2m9d4k1v8b3zt";
const MADE: &str = "c0ffee00-0000-4000-8000-000000000001";

impl World {
    async fn connected(&self) {
        let landing = self.land().await;
        self.grants_for(BUSINESS);
        self.makes(MADE);
        assert_eq!(self.back_from(&landing).await.status, 200);
    }

    async fn channel_says(&self, status: &str) {
        let mut event: Value = events::event(CHANNEL_UPDATED, "ok");
        event["rawPath"] = json!(format!("/vcita/demo/{SECRET}/channels/{MADE}"));
        event["body"] = json!(json!({"status": status}).to_string());
        assert_eq!(self.send_event(CHANNEL_UPDATED, event).await.status, 204);
    }

    async fn phase(&self) -> InstallPhase {
        self.installed("vcita/demo").await.unwrap().1
    }

    fn last_line(&self) -> String {
        self.sender.lines().pop().unwrap()
    }
}

#[tokio::test]
async fn channel_that_becomes_active_by_itself_is_not_asked() {
    let world = world().await;
    world.connected().await;
    world.channel_says("active").await;
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.upkeep().await, json!({"asked": 0, "given_up": 0, "removed": 0}));
    assert_eq!((world.phase().await, world.sender.lines().len()), (InstallPhase::Live, 2));
}

#[tokio::test]
async fn channel_that_does_not_is_asked_once_after_the_timeout_and_then_given_up() {
    let world = world().await;
    world.connected().await;
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(world.upkeep().await["asked"], 0);
    world.clock.advance(Duration::from_secs(1));
    world.sender.fail(CallFailure::NoAnswer);
    assert_eq!(world.upkeep().await["asked"], 0, "it is not known to have arrived");
    world.sender.answer(200, &json!({"success": true, "data": {}}));
    assert_eq!(world.upkeep().await["asked"], 1);
    assert_eq!(world.last_line(), format!("PUT /business/communication/channels/{MADE}"));
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(world.upkeep().await["given_up"], 0);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.upkeep().await, json!({"asked": 0, "given_up": 1, "removed": 0}));
    assert_eq!(world.upkeep().await, json!({"asked": 0, "given_up": 0, "removed": 0}));
    assert_eq!((world.phase().await, world.sender.lines().len()), (InstallPhase::Unanswered, 4));
}

#[tokio::test]
async fn business_that_uninstalls_is_disconnected_here_and_there() {
    let world = world().await;
    world.connected().await;
    world.channel_says("active").await;
    assert_eq!(world.send(EVENTS, "other_app").await.status, 204);
    assert_eq!(world.phase().await, InstallPhase::Pending, "another app's event changes nothing");
    assert_eq!(world.send(EVENTS, "ok").await.status, 204);
    assert_eq!((world.phase().await, world.channel_status(MADE).await), (InstallPhase::Closing, Some(RemoteStatus::Deleted)));
    world.sender.fail(CallFailure::NoAnswer);
    assert_eq!(world.upkeep().await["removed"], 0, "it is tried again");
    world.sender.answer(200, &json!({"success": true, "data": {}}));
    world.sender.answer(201, &json!({"status": "OK", "data": {}}));
    assert_eq!(world.upkeep().await["removed"], 1);
    let lines = world.sender.lines();
    let channel = format!("DELETE /business/communication/channels/{MADE}");
    assert_eq!(lines[3..], [channel, "POST /platform/v1/tokens/revoke".to_owned()]);
    let held = world.grants.peek().into_values().next().unwrap().grant;
    assert_eq!((held.sealed.as_deref(), held.refused.as_deref()), (None, Some("the business was disconnected")));
    assert_eq!(world.phase().await, InstallPhase::Closed);
}

#[tokio::test]
async fn repeated_event_does_not_end_a_business_that_came_back() {
    let world = world().await;
    world.connected().await;
    for case in ["ok", "duplicate", "base64_body"] {
        assert_eq!(world.send(EVENTS, case).await.status, 204, "{case}");
        if case == "ok" {
            world.sender.answer(200, &json!({}));
            world.sender.answer(201, &json!({}));
            assert_eq!(world.upkeep().await["removed"], 1);
            let landing = world.land().await;
            world.grants_for(BUSINESS);
            world.makes("c0ffee00-0000-4000-8000-000000000002");
            assert_eq!(world.back_from(&landing).await.status, 200);
        }
        assert_eq!(world.phase().await, InstallPhase::Pending, "{case}");
    }
}

#[tokio::test]
async fn events_that_stop_nobody_are_taken_and_bad_ones_are_not() {
    let world = world().await;
    world.connected().await;
    for (case, status) in [
        ("installed", 204),
        ("unknown_type", 204),
        ("malformed", 400),
        ("missing_field", 400),
        ("secret_wrong", 404),
        ("account_unknown", 404),
        ("wrong_method", 405),
    ] {
        assert_eq!(world.send(EVENTS, case).await.status, status, "{case}");
        assert_eq!(world.phase().await, InstallPhase::Pending, "{case}");
    }
    for case in ["subscription_uninstalled", "account_closed"] {
        let world = world_with(&[("vcita/demo", settings(&json!({})))]).await;
        world.connected().await;
        assert_eq!(world.send(EVENTS, case).await.status, 204);
        assert_eq!(world.phase().await, InstallPhase::Closing, "{case}");
    }
}

#[tokio::test]
async fn channel_that_vcita_deletes_ends_the_connection() {
    let world = world().await;
    world.connected().await;
    world.channel_says("deleted").await;
    assert_eq!((world.phase().await, world.channel_status(MADE).await), (InstallPhase::Closing, Some(RemoteStatus::Deleted)));
    // vcita may know nothing of it any more, and the token may be over.
    world.sender.answer(404, &json!({}));
    world.sender.answer(401, &json!({}));
    assert_eq!(world.upkeep().await["removed"], 1);
    assert_eq!(world.grants.peek().into_values().next().unwrap().grant.sealed, None);
}

#[tokio::test]
async fn events_about_clients_and_conversations_are_taken_and_nothing_is_kept_of_them() {
    let world = World::new().await;
    let before = world.store.counts().writes;
    for (entity, event_type) in [
        ("client", "created"),
        ("client", "updated"),
        ("matter", "delete"),
        ("conversation_item", "created"),
        ("conversation", "read"),
        ("channel", "status"),
    ] {
        let data = json!({
            "uid": "i-1", "contact_uid": "h4w8n2p6r0t5y1uj", "business_uid": BUSINESS, "text": "Yes.",
            "channel_uid": "0d6a6c58-2d1e-4f53-9a5b-6f2a6f5b1c77", "external_message_id": "26be4b95-b346-8f78-9003-680000000001"
        });
        let mut event: Value = events::event(EVENTS, "ok");
        event["body"] = json!(json!({"entity_name": entity, "event_type": event_type, "data": data}).to_string());
        World::assert_empty(&world.send_event(EVENTS, event).await, 204, entity);
    }
    assert_eq!((world.store.counts().writes, world.store.messages().len()), (before, 1));
    assert!(world.queue.waiting().is_empty());
}

#[tokio::test]
async fn wrong_or_missing_signature_is_no_reason_to_refuse() {
    let world = world().await;
    world.connected().await;
    for (signature, status) in [(Some("sha256=00"), "active"), (Some("nonsense"), "inactive"), (None, "active")] {
        let mut event: Value = events::event(CHANNEL_UPDATED, "ok");
        event["rawPath"] = json!(format!("/vcita/demo/{SECRET}/channels/{MADE}"));
        event["body"] = json!(json!({"status": status}).to_string());
        if let Some(signature) = signature {
            event["headers"]["x-vcita-signature"] = json!(signature);
        }
        assert_eq!(world.send_event(CHANNEL_UPDATED, event).await.status, 204, "{signature:?}");
        let expected = if status == "active" { RemoteStatus::Active } else { RemoteStatus::Inactive };
        assert_eq!(world.channel_status(MADE).await, Some(expected), "{signature:?}");
    }
}
