//! Chats by the clock: their timers, and the sweep for those that were lost.

use std::time::Duration;

use app::chats::{Asking, Enters, VisitorAct, conversation_of, log_in, visitor_event};
use chat::{ChatVisitor, Draft, SentenceKind, State};
use model::{AccountId, ChatTask, ConversationId};
use ports::StreamKey;
use serde_json::{Value, json};
use testkit::fixtures::NOW;
use testkit::{Fault, events};

use crate::world::{CHAT_TIMER, World};

/// What an alert lasts at the desk of the events.
const ALERT: Duration = Duration::from_secs(30);

fn none() -> [String; 0] {
    []
}

fn desk() -> AccountId {
    "frontstage/desk".parse().unwrap()
}

/// Eva has written, and Jana, the only one who is there, is offered her chat.
async fn given_offer(world: &World) -> ConversationId {
    log_in(&world.chat_ctx, &desk(), &"aaaaaaaa-0000-4000-8000-000000000101".parse().unwrap(), &"101".parse().unwrap())
        .await
        .unwrap();
    let directory = events::configured_with_chats();
    let account = &directory.accounts[&"frontstage/gw-chat".parse().unwrap()];
    let tracking = "t-100".to_owned().try_into().unwrap();
    let start = VisitorAct::Start { visitor: ChatVisitor::default(), ext_response: None, form: None, enters: Enters::None };
    let id = "s-1".to_owned().try_into().unwrap();
    let speaks = VisitorAct::Speaks(Draft::new(id, SentenceKind::Text, "Hi".into(), None, None).unwrap());
    for act in [start, speaks] {
        visitor_event(&world.chat_ctx, account, &tracking, act, &Asking::default()).await.unwrap();
    }
    let conversation = conversation_of(account, &tracking);
    assert!(matches!(state(world, conversation), State::Alerting { until, .. } if until == NOW.plus(ALERT)));
    conversation
}

fn state(world: &World, conversation: ConversationId) -> State {
    world.chats.peek(conversation).unwrap().chat.state
}

/// How often Jana was told that an offer is over.
fn withdrawn(world: &World) -> usize {
    let told = world.chats.told(&StreamKey::Workplace(desk(), "101".parse().unwrap()));
    let is_end = |body: &[u8]| body.windows(17).any(|part| part == b"SC_CHAT_ALERT_END");
    told.iter().filter(|entry| is_end(&entry.body)).count()
}

#[tokio::test]
async fn events_are_the_timer_of_the_offer() {
    let world = World::new();
    let conversation = given_offer(&world).await;
    let event: Value = events::event(CHAT_TIMER, "ok");
    let task: ChatTask = serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(task, ChatTask::V1 { conversation, at: NOW.plus(ALERT) });
}

#[tokio::test]
async fn offer_ends_when_its_time_is_over_and_once_only() {
    let world = World::new();
    let conversation = given_offer(&world).await;
    world.clock.advance(ALERT);
    for case in ["ok", "duplicate"] {
        assert_eq!(world.run(CHAT_TIMER, case).await, none(), "{case}");
        assert!(matches!(state(&world, conversation), State::Waiting { .. }), "{case}");
        assert_eq!(withdrawn(&world), 1, "{case}");
    }
}

#[tokio::test]
async fn timer_that_comes_early_changes_nothing() {
    let world = World::new();
    let conversation = given_offer(&world).await;
    world.clock.advance(ALERT - Duration::from_millis(1));
    assert_eq!(world.run(CHAT_TIMER, "ok").await, none());
    assert!(matches!(state(&world, conversation), State::Alerting { .. }));
    assert!(world.timers.next_due().is_some());
}

#[tokio::test]
async fn timer_of_no_chat_is_done() {
    let world = World::new();
    assert_eq!(world.run(CHAT_TIMER, "ok").await, none());
    assert_eq!(world.chats.counts().writes, 0);
}

#[tokio::test]
async fn body_that_is_no_task_is_kept_and_blocks_no_neighbour() {
    let world = World::new();
    let conversation = given_offer(&world).await;
    world.clock.advance(ALERT);
    for (case, kept) in [("malformed", 1), ("unknown_type", 2), ("one_of_two_bad", 3)] {
        assert_eq!(world.run(CHAT_TIMER, case).await, none(), "{case}");
        assert_eq!(world.dead_letters().as_array().map(Vec::len), Some(kept), "{case}");
    }
    assert!(matches!(state(&world, conversation), State::Waiting { .. }));
}

#[tokio::test]
async fn store_down_hands_the_record_back() {
    let world = World::new();
    given_offer(&world).await;
    world.clock.advance(ALERT);
    world.chats.faults().plan([Some(Fault::Refused)]);
    assert_eq!(world.run(CHAT_TIMER, "ok").await, ["b0000000-0000-4000-8000-000000000001"]);
    assert_eq!(world.run(CHAT_TIMER, "ok").await, none());
    assert_eq!(withdrawn(&world), 1);
}

#[tokio::test]
async fn chat_whose_timer_was_lost_is_found_by_the_sweep() {
    let world = World::new();
    let conversation = given_offer(&world).await;
    world.timers.forget_all();
    assert_eq!(world.sweep("ok").await, json!({"swept": 0, "chats": 0, "pushes": 0}));
    world.clock.advance(ALERT + Duration::from_secs(60));
    assert_eq!(world.sweep("ok").await, json!({"swept": 0, "chats": 1, "pushes": 0}));
    assert_eq!(withdrawn(&world), 1);
    assert!(!matches!(state(&world, conversation), State::Pilot));
    assert!(world.timers.next_due().is_some());
}
