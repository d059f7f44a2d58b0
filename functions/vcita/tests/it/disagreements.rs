//! Where the sources disagree (section 12): what vcita may send us, and what of it counts. The rest of the rows is about
//! what we send, and stands in the platform's crate.

use model::{ReceiptStatus, RemoteStatus};
use ports::{DeliveryStore as _, InboundStore as _};
use serde_json::{Value, json};
use testkit::events;
use testkit::fixtures::{NOW, desk_account_id};

use crate::world::{Answer, CHANNEL, CHANNEL_UPDATED, MESSAGE_CREATED, MESSAGE_UPDATED, SECRET, SESSION_UPDATED, World};

const OURS: &str = "26be4b95-b346-8f78-9003-680000000001";

async fn told(world: &World, function: &str, tail: &str, body: &Value) -> Answer {
    let mut event: Value = events::event(function, "ok");
    event["rawPath"] = json!(format!("/vcita/demo/{SECRET}{tail}"));
    event["body"] = json!(body.to_string());
    world.send_event(function, event).await
}

fn receipt(world: &World) -> Option<ReceiptStatus> {
    world.store.delivery(&events::delivery_key(1)).unwrap().receipt
}

#[tokio::test]
async fn disagreement_02_active_is_no_status_of_a_message() {
    let world = World::new().await;
    let active = json!({"status": "active", "channel_uid": CHANNEL});
    World::assert_empty(&told(&world, MESSAGE_UPDATED, &format!("/messages/{OURS}"), &active).await, 204, "active");
    assert_eq!((receipt(&world), world.store.counts().writes), (None, 0));
}

#[tokio::test]
async fn disagreement_03_status_is_the_enum_and_channel_uid_the_string() {
    let world = World::new().await;
    let path = format!("/messages/{OURS}");
    let swapped = told(&world, MESSAGE_UPDATED, &path, &json!({"status": CHANNEL, "channel_uid": "read"})).await;
    assert_eq!((swapped.status, receipt(&world)), (404, None));
    let sane = told(&world, MESSAGE_UPDATED, &path, &json!({"status": "read", "channel_uid": CHANNEL})).await;
    World::assert_empty(&sane, 204, "as V9 has it");
    assert_eq!(receipt(&world), Some(ReceiptStatus::Read));
}

#[tokio::test]
async fn disagreement_07_words_of_the_seed_and_of_the_reference_are_taken() {
    let channel = format!("/channels/{CHANNEL}");
    for (word, status) in [
        ("pending", RemoteStatus::Pending),
        ("active", RemoteStatus::Active),
        ("inactive", RemoteStatus::Inactive),
        ("blocked", RemoteStatus::Blocked),
        ("deleted", RemoteStatus::Deleted),
        ("error", RemoteStatus::Failed),
    ] {
        let world = World::new().await;
        World::assert_empty(&told(&world, CHANNEL_UPDATED, &channel, &json!({"status": word})).await, 204, word);
        let opened = world.store.open(events::conversation(1).id, &desk_account_id(), CHANNEL, NOW).await.unwrap();
        assert_eq!(opened.installation, Some(status), "channel {word}");
    }
    for (word, status) in [
        ("pending", RemoteStatus::Pending),
        ("active", RemoteStatus::Active),
        ("inactive", RemoteStatus::Inactive),
        ("deleted", RemoteStatus::Deleted),
        ("failed", RemoteStatus::Failed),
    ] {
        let world = World::new().await;
        World::assert_empty(&told(&world, SESSION_UPDATED, "/sessions/s-1", &json!({"status": word})).await, 204, word);
        let memo = model::Memo::new();
        let thread = model::RemoteThread { id: "s-1".to_owned(), status: RemoteStatus::Pending, changed_at: NOW, memo };
        let bound =
            world.store.bind(&events::delivery_key(1).lane(), &testkit::fixtures::desk_account_id(), &thread).await.unwrap();
        assert_eq!(bound, status, "session {word}");
    }
    for (word, status) in [
        ("pending", None),
        ("channel_pending", None),
        ("sent", Some(ReceiptStatus::Sent)),
        ("error", Some(ReceiptStatus::Failed)),
        ("unavailable", Some(ReceiptStatus::Unreachable)),
        ("received", Some(ReceiptStatus::Delivered)),
        ("read", Some(ReceiptStatus::Read)),
    ] {
        let world = World::new().await;
        let body = json!({"status": word, "channel_uid": CHANNEL});
        World::assert_empty(&told(&world, MESSAGE_UPDATED, &format!("/messages/{OURS}"), &body).await, 204, word);
        assert_eq!(receipt(&world), status, "message {word}");
    }
}

#[tokio::test]
async fn disagreement_08_message_uid_is_any_string_up_to_255_characters() {
    for (uid, status) in [
        ("6a0f3d0a-93c8-4b51-8f10-0a4c7f1f2f90".to_owned(), 204),
        ("42".to_owned(), 204),
        ("not a uuid / at all".to_owned(), 204),
        ("ü".repeat(255), 204),
        ("ü".repeat(256), 400),
    ] {
        let world = World::new().await;
        let body = json!({
            "external_uid": "frontstage-26be4b95b346f78400da",
            "message": "Yes.",
            "message_uid": uid,
            "channel_uid": CHANNEL
        });
        assert_eq!(told(&world, MESSAGE_CREATED, "/messages", &body).await.status, status, "{uid}");
        let kept = world.store.messages().into_iter().nth(1).map(|message| message.origin_id);
        assert_eq!(kept, (status == 204).then_some(uid));
    }
}
