//! The state machines of section 7, as far as vcita's words move them.

use model::{Memo, ReceiptStatus, RemoteStatus, RemoteThread};
use ports::{DeliveryStore as _, InboundStore as _};
use serde_json::{Value, json};
use testkit::events;
use testkit::fixtures::{NOW, desk_account_id};

use crate::world::{CHANNEL, CHANNEL_UPDATED, MESSAGE_UPDATED, SECRET, SESSION_UPDATED, World};

const SESSION: &str = "5e551000-0a1b-4c2d-8e3f-000000000001";

async fn told(world: &World, function: &str, tail: &str, body: Value) {
    let mut event: Value = events::event(function, "ok");
    event["rawPath"] = json!(format!("/vcita/demo/{SECRET}{tail}"));
    event["body"] = json!(body.to_string());
    World::assert_empty(&world.send_event(function, event).await, 204, tail);
}

#[tokio::test]
async fn last_status_of_a_channel_wins_and_deleted_is_final() {
    for (words, end) in [
        (&["pending", "active"][..], RemoteStatus::Active),
        (&["error", "active"], RemoteStatus::Active),
        (&["active", "inactive"], RemoteStatus::Inactive),
        (&["active", "inactive", "active"], RemoteStatus::Active),
        (&["active", "pending"], RemoteStatus::Pending),
        (&["pending", "blocked"], RemoteStatus::Blocked),
        (&["active", "blocked", "active"], RemoteStatus::Active),
        (&["pending", "deleted"], RemoteStatus::Deleted),
        (&["blocked", "deleted", "active"], RemoteStatus::Deleted),
        (&["deleted", "blocked"], RemoteStatus::Deleted),
    ] {
        let world = World::new().await;
        for word in words {
            told(&world, CHANNEL_UPDATED, &format!("/channels/{CHANNEL}"), json!({"status": word})).await;
        }
        let opened = world.store.open(events::conversation(1).id, &desk_account_id(), CHANNEL, NOW).await.unwrap();
        assert_eq!(opened.installation, Some(end), "{words:?}");
    }
}

#[tokio::test]
async fn last_status_of_a_session_wins_and_deleted_is_final() {
    for (words, end) in [
        (&["active"][..], RemoteStatus::Active),
        (&["failed"], RemoteStatus::Failed),
        (&["active", "inactive"], RemoteStatus::Inactive),
        (&["active", "inactive", "active"], RemoteStatus::Active),
        (&["deleted"], RemoteStatus::Deleted),
        (&["active", "deleted", "active"], RemoteStatus::Deleted),
        (&["deleted", "inactive"], RemoteStatus::Deleted),
    ] {
        let world = World::new().await;
        let lane = events::delivery_key(1).lane();
        let thread = RemoteThread { id: SESSION.to_owned(), status: RemoteStatus::Pending, changed_at: NOW, memo: Memo::new() };
        world.store.bind(&lane, &lane.recipient, &thread).await.unwrap();
        for word in words {
            told(&world, SESSION_UPDATED, &format!("/sessions/{SESSION}"), json!({"status": word})).await;
        }
        assert_eq!(world.store.lane(&lane).unwrap().remote.unwrap().status, end, "{words:?}");
    }
}

#[tokio::test]
async fn status_of_a_message_only_rises_and_the_first_failure_stays() {
    for (words, end) in [
        (&["pending", "channel_pending"][..], None),
        (&["sent", "pending"], Some(ReceiptStatus::Sent)),
        (&["read", "received"], Some(ReceiptStatus::Read)),
        (&["received", "error"], Some(ReceiptStatus::Delivered)),
        (&["error", "received"], Some(ReceiptStatus::Delivered)),
        (&["error", "unavailable"], Some(ReceiptStatus::Failed)),
        (&["unavailable", "error"], Some(ReceiptStatus::Unreachable)),
        (&["error", "sent"], Some(ReceiptStatus::Failed)),
        (&["sent", "error", "read"], Some(ReceiptStatus::Read)),
    ] {
        let world = World::new().await;
        let path = "/messages/26be4b95-b346-8f78-9003-680000000001";
        for word in words {
            told(&world, MESSAGE_UPDATED, path, json!({"status": word, "channel_uid": CHANNEL})).await;
        }
        assert_eq!(world.store.delivery(&events::delivery_key(1)).unwrap().receipt, end, "{words:?}");
    }
}
