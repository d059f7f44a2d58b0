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
    // It may have been made a moment ago, or while the status was being parked.
    assert_eq!(world.store.operations(), ["directory", "note_installation", "directory"]);
    let other = "99999999-2d1e-4f53-9a5b-6f2a6f5b1c77";
    assert_eq!(world.installation(other, NOW.plus(Duration::from_secs(899))).await, Some(RemoteStatus::Active));
    assert_eq!(world.installation(other, NOW.plus(Duration::from_secs(900))).await, None);
}

#[tokio::test]
async fn status_of_a_known_session_is_stored_and_wakes_its_lane() {
    let world = World::new().await;
    let lane = events::delivery_key(1).lane();
    let thread = RemoteThread { id: SESSION.to_owned(), status: RemoteStatus::Pending, changed_at: NOW, memo: Memo::new() };
    world.store.bind(&lane, &lane.recipient, &thread).await.unwrap();
    world.store.forget_operations();
    for case in ["ok", "duplicate", "base64_body"] {
        World::assert_empty(&world.send(SESSION_UPDATED, case).await, 204, case);
        assert_eq!(world.store.lane(&lane).unwrap().remote.unwrap().status, RemoteStatus::Active, "{case}");
    }
    assert_eq!(world.store.operations(), ["note_thread"; 3]);
    let wake = QueuedTask::Deliver(DeliverTask::V1 { lane, entry: None, put_off: 0, due: None });
    assert_eq!(world.queue.waiting(), [(NOW, wake.clone()), (NOW, wake.clone()), (NOW, wake)]);
}

#[tokio::test]
async fn status_of_a_session_nobody_knows_yet_is_parked_for_the_binding_under_way() {
    let world = World::new().await;
    World::assert_empty(&world.send(SESSION_UPDATED, "unknown_session").await, 204, "unknown_session");
    assert!(world.queue.waiting().is_empty());
    let id = "5e551000-0a1b-4c2d-8e3f-999999999999".to_owned();
    let thread = RemoteThread { id, status: RemoteStatus::Pending, changed_at: NOW, memo: Memo::new() };
    let bound = world.store.bind(&events::delivery_key(1).lane(), &desk_account_id(), &thread).await.unwrap();
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

/// The first message in parts of six characters: "Hello " and so on.
fn given_parts(world: &World, text: &str) {
    let key = events::delivery_key(1);
    let mut message = world.store.messages().remove(0);
    message.content.text = text.to_owned();
    let mut delivery = world.store.delivery(&key).unwrap();
    delivery.route = Some("text_cap=6".to_owned());
    world.store.replace(message, delivery);
}

async fn part_status(world: &World, part: &str, status: &str) -> u64 {
    let uid = "26be4b95-b346-8f78-9003-680000000001";
    let mut event: serde_json::Value = events::event(MESSAGE_UPDATED, "ok");
    for pointer in ["/rawPath", "/requestContext/http/path", "/pathParameters/message_uid"] {
        let text = event.pointer(pointer).unwrap().as_str().unwrap().replace(uid, &format!("{uid}{part}"));
        *event.pointer_mut(pointer).unwrap() = text.into();
    }
    event["body"] = serde_json::json!({"status": status, "channel_uid": CHANNEL}).to_string().into();
    world.send_event(MESSAGE_UPDATED, event).await.status
}

#[tokio::test]
async fn receipt_of_a_split_message_is_the_lowest_that_all_parts_have_reached() {
    let world = World::new().await;
    given_parts(&world, "Hello there you");
    // Out of order, twice, and a late word that repairs a premature error.
    for (part, status, whole) in [
        (".p3", "read", None),
        (".p1", "received", None),
        (".p1", "received", None),
        (".p2", "error", Some(ReceiptStatus::Failed)),
        (".p2", "sent", Some(ReceiptStatus::Failed)),
        (".p2", "received", Some(ReceiptStatus::Delivered)),
        (".p2", "error", Some(ReceiptStatus::Delivered)),
        (".p2", "read", Some(ReceiptStatus::Delivered)),
        (".p1", "read", Some(ReceiptStatus::Read)),
    ] {
        assert_eq!(part_status(&world, part, status).await, 204, "{part} {status}");
        assert_eq!(world.receipt(), whole, "{part} {status}");
    }
}

#[tokio::test]
async fn parts_that_were_never_injected_are_unknown() {
    let world = World::new().await;
    given_parts(&world, "Hello there you");
    world.store.forget_operations();
    for part in [".p4", ".p1.p9", ".p1.p1.p1"] {
        assert_eq!(part_status(&world, part, "read").await, 404, "{part}");
    }
    assert_eq!(world.store.counts().writes, 0);
    assert_eq!(part_status(&world, ".p4", "pending").await, 204, "no news of a message that is ours");
}

#[tokio::test]
async fn status_of_a_part_whose_answer_was_lost_is_made_good_by_its_repetition() {
    let world = World::new().await;
    given_parts(&world, "Hello there");
    assert_eq!(part_status(&world, ".p1", "read").await, 204);
    // The part is stored; what follows for the whole is not.
    world.store.faults().plan([None, None, Some(testkit::Fault::Refused)]);
    assert_eq!(part_status(&world, ".p2", "read").await, 503);
    assert_eq!(world.receipt(), None);
    assert_eq!(part_status(&world, ".p2", "read").await, 204);
    assert_eq!(world.receipt(), Some(ReceiptStatus::Read));
}
