//! Order, sessions that are not ready, and statuses that come too early.

use std::time::Duration;

use app::Accepted;
use model::{DeliveryState, RemoteStatus};
use ports::ThreadNote;
use testkit::fixtures::{desk_account_id, visitor_account_id};

use crate::world::{Answer, World, delivery};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test]
async fn messages_of_one_conversation_wait_for_each_other() {
    let world = World::new();
    world.plan(&desk_account_id(), [Answer::Status(503)]);
    for (id, text) in [("1", "one"), ("2", "two"), ("3", "three")] {
        world.visitor_says("+1", id, text).await;
    }
    world.work().await;
    assert!(world.texts_at(&desk_account_id()).is_empty(), "the first one has not arrived yet");
    world.pass(seconds(5)).await;
    assert_eq!(world.texts_at(&desk_account_id()), ["one", "two", "three"]);
}

#[tokio::test]
async fn a_stuck_conversation_delays_no_other() {
    let world = World::new();
    world.plan(&desk_account_id(), [Answer::Status(500)]);
    world.visitor_says("+1", "1", "stuck").await;
    world.visitor_says("+2", "2", "goes").await;
    world.work().await;
    assert_eq!(world.texts_at(&desk_account_id()), ["goes"]);
}

#[tokio::test]
async fn messages_for_a_pending_session_go_in_order_when_it_becomes_active() {
    let world = World::with_sessions();
    let first = world.visitor_says("+1", "1", "one").await;
    world.work().await;
    world.visitor_says("+1", "2", "two").await;
    world.work().await;
    assert!(matches!(world.state(&delivery(first, &desk_account_id())), DeliveryState::Parked { attempt: 0, .. }));
    let note = app::note_thread(&world.ctx(|store| store), &desk_account_id(), "session-1", RemoteStatus::Active).await.unwrap();
    assert_eq!(note, ThreadNote::Noted(delivery(first, &desk_account_id()).lane()));
    world.work().await;
    assert_eq!(world.texts_at(&desk_account_id()), ["one", "two"]);
    assert!(world.is_at_rest(first.conversation()));
}

#[tokio::test]
async fn a_status_that_outruns_our_own_call_is_parked_and_applied() {
    let world = World::with_sessions();
    let note = app::note_thread(&world.ctx(|store| store), &desk_account_id(), "session-1", RemoteStatus::Active).await.unwrap();
    assert_eq!(note, ThreadNote::Parked);
    world.visitor_says("+1", "1", "one").await;
    world.work().await;
    assert_eq!(world.texts_at(&desk_account_id()), ["one"]);
}

#[tokio::test]
async fn a_parked_status_is_forgotten_after_15_minutes() {
    let world = World::with_sessions();
    app::note_thread(&world.ctx(|store| store), &desk_account_id(), "session-1", RemoteStatus::Active).await.unwrap();
    world.clock.advance(seconds(15 * 60 + 1));
    world.visitor_says("+1", "1", "one").await;
    world.work().await;
    assert!(world.texts_at(&desk_account_id()).is_empty());
}

#[tokio::test]
async fn a_status_that_comes_while_the_worker_decides_to_wait_is_not_lost() {
    let world = World::with_sessions();
    let first = world.visitor_says("+1", "1", "one").await;
    world.work().await;
    app::note_thread(&world.ctx(|store| store), &desk_account_id(), "session-1", RemoteStatus::Active).await.unwrap();
    // The wake-up itself is lost; the delayed look at the end of the activation time finds the session active.
    world.queue.forget_all();
    world.pass(seconds(200)).await;
    assert_eq!(world.texts_at(&desk_account_id()), ["one"]);
    assert!(world.is_at_rest(first.conversation()));
}

#[tokio::test]
async fn a_repeated_event_is_one_message() {
    let world = World::new();
    let first = world.visitor_says("+1", "1", "one").await;
    assert_eq!(world.try_visitor_says("+1", "1", "one").await.unwrap(), Accepted::Duplicate(first));
    world.pass(seconds(100)).await;
    assert_eq!(world.texts_at(&desk_account_id()), ["one"]);
    let answer = world.staff_says(first, "m", "hello").await;
    assert_eq!(world.try_staff_says(first, "m", "hello").await.unwrap(), Some(Accepted::Duplicate(answer.message)));
}

#[tokio::test]
async fn staff_of_a_gone_installation_is_unknown_and_of_a_blocked_one_is_told() {
    let world = World::new();
    let first = world.visitor_says("+1", "1", "one").await;
    world.work().await;
    let desk = desk_account_id();
    app::note_installation(&world.ctx(|store| store), &desk, "channel-1", RemoteStatus::Blocked, true).await.unwrap();
    assert!(matches!(world.try_staff_says(first, "m", "hello").await.unwrap(), Some(Accepted::Stored(_))));
    world.work().await;
    assert!(world.texts_at(&visitor_account_id()).is_empty());
    assert_eq!(world.receipts_at(&desk).len(), 1);
    app::note_installation(&world.ctx(|store| store), &desk, "channel-1", RemoteStatus::Deleted, true).await.unwrap();
    assert_eq!(world.try_staff_says(first, "m2", "hello").await.unwrap(), None);
}

#[tokio::test]
async fn what_waits_for_an_installation_is_tried_once_until_it_is_woken() {
    let world = World::with_sessions();
    let desk = desk_account_id();
    let first = world.visitor_says("+1", "1", "one").await;
    world.work().await;
    app::note_thread(&world.ctx(|store| store), &desk, "session-1", RemoteStatus::Active).await.unwrap();
    world.work().await;
    world.park_next.store(true, std::sync::atomic::Ordering::SeqCst);
    let second = world.visitor_says("+1", "2", "two").await;
    world.work().await;
    // The session is active all the time; it is something else that is waited for.
    assert!(matches!(world.state(&delivery(second, &desk)), DeliveryState::Parked { .. }));
    let story = world.story(&delivery(second, &desk)).len();
    world.pass(seconds(30)).await;
    assert_eq!(world.story(&delivery(second, &desk)).len(), story, "nothing happens while it waits");
    world.park_next.store(false, std::sync::atomic::Ordering::SeqCst);
    app::note_installation(&world.ctx(|store| store), &desk, "channel-1", RemoteStatus::Active, true).await.unwrap();
    world.work().await;
    assert_eq!(world.texts_at(&desk), ["one", "two"]);
    assert!(world.is_at_rest(first.conversation()));
}

#[tokio::test]
async fn a_recipient_that_says_active_and_refuses_is_not_hammered() {
    let world = World::with_sessions();
    let desk = desk_account_id();
    let first = world.visitor_says("+1", "1", "one").await;
    world.work().await;
    world.park_next.store(true, std::sync::atomic::Ordering::SeqCst);
    for _ in 0..600 {
        app::note_thread(&world.ctx(|store| store), &desk, "session-1", RemoteStatus::Active).await.unwrap();
        world.pass(Duration::from_millis(100)).await;
    }
    let tries = world.story(&delivery(first, &desk)).len() / 2;
    assert!((3..=15).contains(&tries), "{tries} tries in a minute");
    world.park_next.store(false, std::sync::atomic::Ordering::SeqCst);
    world.pass(seconds(90)).await;
    assert_eq!(world.texts_at(&desk), ["one"]);
}
