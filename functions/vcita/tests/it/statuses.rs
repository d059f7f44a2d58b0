//! `PUT /messages`, `/channels` and `/sessions`: a status changed.

use std::time::Duration;

use model::{DeliverTask, EpochMillis, Memo, ReceiptStatus, RemoteStatus, RemoteThread, StaffTask};
use ports::{DeliveryStore as _, InboundStore as _};
use testkit::fixtures::{NOW, desk_account_id};
use testkit::{QueuedTask, events};

use crate::world::{CHANNEL, CHANNEL_UPDATED, MESSAGE_UPDATED, SESSION, SESSION_UPDATED, World};

impl World {
    fn receipt(&self) -> Option<ReceiptStatus> {
        self.store.delivery(&events::delivery_key(1)).unwrap().receipt
    }

    async fn installation(&self, channel: &str, now: EpochMillis) -> Option<RemoteStatus> {
        self.store.open(events::conversation(1).id, &desk_account_id(), channel, now).await.unwrap().installation
    }
}

#[tokio::test]
async fn status_of_our_message_is_stored_in_one_write() {
    for case in ["ok", "base64_body"] {
        let world = World::new().await;
        World::assert_empty(&world.send(MESSAGE_UPDATED, case).await, 204, case);
        assert_eq!(world.receipt(), Some(ReceiptStatus::Read), "{case}");
        assert_eq!(world.store.operations(), ["note_receipt"], "{case}");
        World::assert_empty(&world.send(MESSAGE_UPDATED, "duplicate").await, 204, case);
        assert_eq!(world.receipt(), Some(ReceiptStatus::Read), "{case}");
    }
}

#[tokio::test]
async fn unknown_status_words_are_taken_and_change_nothing() {
    for function in [MESSAGE_UPDATED, CHANNEL_UPDATED, SESSION_UPDATED] {
        let world = World::new().await;
        World::assert_empty(&world.send(function, "unknown_type").await, 204, function);
        assert_eq!(world.store.counts().writes, 0, "{function}");
        assert!(world.queue.waiting().is_empty(), "{function}");
    }
}

#[tokio::test]
async fn status_of_the_channel_is_kept_and_that_of_another_one_is_parked() {
    let world = World::new().await;
    for case in ["ok", "duplicate", "base64_body"] {
        World::assert_empty(&world.send(CHANNEL_UPDATED, case).await, 204, case);
        assert_eq!(
            world.installation(CHANNEL, NOW.plus(Duration::from_secs(86_400))).await,
            Some(RemoteStatus::Blocked),
            "{case}"
        );
    }
    world.store.forget_operations();
    World::assert_empty(&world.send(CHANNEL_UPDATED, "unknown_channel").await, 204, "unknown_channel");
    assert_eq!(world.store.operations(), ["note_installation"]);
    let other = "99999999-2d1e-4f53-9a5b-6f2a6f5b1c77";
    assert_eq!(world.installation(other, NOW.plus(Duration::from_secs(899))).await, Some(RemoteStatus::Active));
    assert_eq!(world.installation(other, NOW.plus(Duration::from_secs(900))).await, None);
}

#[tokio::test]
async fn status_of_a_known_session_is_stored_and_wakes_its_lane() {
    let world = World::new().await;
    let lane = events::delivery_key(1).lane();
    let thread = RemoteThread { id: SESSION.to_owned(), status: RemoteStatus::Pending, changed_at: NOW, memo: Memo::new() };
    world.store.bind(&lane, &thread).await.unwrap();
    world.store.forget_operations();
    for case in ["ok", "duplicate", "base64_body"] {
        World::assert_empty(&world.send(SESSION_UPDATED, case).await, 204, case);
        assert_eq!(world.store.lane(&lane).unwrap().remote.unwrap().status, RemoteStatus::Active, "{case}");
    }
    assert_eq!(world.store.operations(), ["note_thread"; 3]);
    let wake = QueuedTask::Deliver(DeliverTask::V1 { lane, entry: None });
    assert_eq!(world.queue.waiting(), [(NOW, wake.clone()), (NOW, wake.clone()), (NOW, wake)]);
}

#[tokio::test]
async fn status_of_a_session_nobody_knows_yet_is_parked_for_the_binding_under_way() {
    let world = World::new().await;
    World::assert_empty(&world.send(SESSION_UPDATED, "unknown_session").await, 204, "unknown_session");
    assert!(world.queue.waiting().is_empty());
    let id = "5e551000-0a1b-4c2d-8e3f-999999999999".to_owned();
    let thread = RemoteThread { id, status: RemoteStatus::Pending, changed_at: NOW, memo: Memo::new() };
    let bound = world.store.bind(&events::delivery_key(1).lane(), &thread).await.unwrap();
    assert_eq!(bound, RemoteStatus::Active);
}

#[tokio::test]
async fn session_that_is_deleted_is_told_to_the_queue_of_chats_and_again_when_it_is_said_again() {
    let world = World::new().await;
    let mut event: serde_json::Value = events::event(SESSION_UPDATED, "ok");
    event["body"] = r#"{"status":"deleted"}"#.into();
    let ended =
        QueuedTask::Staff(StaffTask::EndedV1 { account: desk_account_id(), conversation: events::conversation(1).id, at: NOW });
    World::assert_empty(&world.send_event(SESSION_UPDATED, event.clone()).await, 204, "deleted");
    assert_eq!(world.queue.waiting()[0], (NOW, ended.clone()));
    world.clock.advance(Duration::from_secs(5));
    World::assert_empty(&world.send_event(SESSION_UPDATED, event).await, 204, "deleted again");
    let said_again = world.queue.waiting().pop().unwrap();
    assert_eq!(said_again, (NOW.plus(Duration::from_secs(5)), ended), "with the time of the first");
}
