//! Chats by the clock: their timers, and the sweep for those that were lost.

use std::time::Duration;

use app::Accepted;
use app::chats::{Asking, Enters, HandedOver, VisitorAct, conversation_of, hand_over, log_in, visitor_event};
use chat::{Attendant, ChatVisitor, Draft, SentenceKind, State};
use model::{
    AccountId, ChatTask, Content, ConversationId, DeliverTask, DeliveryContent, DeliveryKey, DeliveryState, DeskMessage,
    EventKey, LaneKey, LaneKind, Memo, MessageId, ReceiptStatus, RemoteStatus, RemoteThread,
};
use ports::{DeliveryStore as _, InboundStore, StreamKey};
use serde_json::{Value, json};
use testkit::fixtures::NOW;
use testkit::fixtures::desk_account_id;
use testkit::{Fault, QueuedTask, events};

use crate::world::{CHAT_TIMER, DELIVER, World};

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
    assert_eq!(world.sweep("ok").await, json!({"swept": 0, "chats": 0, "pushes": 0, "registers": 0}));
    world.clock.advance(ALERT + Duration::from_secs(60));
    assert_eq!(world.sweep("ok").await, json!({"swept": 0, "chats": 1, "pushes": 0, "registers": 0}));
    assert_eq!(withdrawn(&world), 1);
    assert!(!matches!(state(&world, conversation), State::Pilot));
    assert!(world.timers.next_due().is_some());
}

/// The chat is vcita's, and its staff wrote something that waits to be said.
async fn given_staff_message(world: &World, text: &str) -> (ConversationId, MessageId) {
    let conversation = given_offer(world).await;
    let chat = world.chats.peek(conversation).unwrap().chat.id;
    let given = hand_over(&world.chat_ctx, chat, &desk_account_id()).await.unwrap();
    assert!(matches!(given, HandedOver::Yes(State::Waiting { .. })));
    let account = events::configured().accounts[&desk_account_id()].clone();
    let message = DeskMessage {
        conversation,
        event_key: EventKey::new("message", ["m-1"]),
        origin_id: "m-1".to_owned(),
        sent_at: NOW,
        content: Content { text: text.to_owned(), html: None, subject: None },
    };
    let ctx: app::Ctx<dyn InboundStore> = world.outbound.settle.base.with(world.store.clone());
    let Some(Accepted::Stored(message)) = app::accept_desk(&ctx, &account, "channel", message).await.unwrap() else { panic!() };
    (conversation, message)
}

fn said_in_chat(message: MessageId) -> DeliveryKey {
    DeliveryKey { message, recipient: "frontstage/gw-chat".parse().unwrap(), content: DeliveryContent::Chat }
}

/// How often the connector was told these words.
fn told_visitor(world: &World, words: &str) -> usize {
    let told = world.chats.told(&StreamKey::Gateway("frontstage/gw-chat".parse().unwrap()));
    told.iter().filter(|entry| String::from_utf8_lossy(&entry.body).contains(words)).count()
}

#[tokio::test]
async fn staff_message_is_said_in_the_chat_once_and_reported_as_sent() {
    let world = World::new();
    let (conversation, message) = given_staff_message(&world, "I am here").await;
    let key = said_in_chat(message);
    let task = DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 0, due: None };
    assert_eq!(world.queue.waiting().pop().map(|(_, task)| task), Some(QueuedTask::Deliver(task)));
    for _ in 0..2 {
        assert_eq!(world.run(CHAT_TIMER, "staff_message").await, none());
        assert!(matches!(state(&world, conversation), State::Answered { by: Attendant::Staff(_) }));
        assert!(matches!(world.store.delivery(&key).unwrap().state, DeliveryState::Sent { .. }));
        assert_eq!(told_visitor(&world, "I am here"), 1);
    }
    let receipt = DeliveryContent::Receipt(ReceiptStatus::Sent);
    let receipt = DeliveryKey { message, recipient: desk_account_id(), content: receipt };
    assert_eq!(world.store.delivery(&receipt).unwrap().state, DeliveryState::Queued);
}

#[tokio::test]
async fn staff_message_to_a_closed_chat_is_reported_as_failed() {
    let world = World::new();
    let (_, message) = given_staff_message(&world, "I am here").await;
    let directory = events::configured_with_chats();
    let account = &directory.accounts[&"frontstage/gw-chat".parse().unwrap()];
    let tracking = "t-100".to_owned().try_into().unwrap();
    visitor_event(&world.chat_ctx, account, &tracking, VisitorAct::Stop, &Asking::default()).await.unwrap();
    assert_eq!(world.run(CHAT_TIMER, "staff_message").await, none());
    assert!(matches!(world.store.delivery(&said_in_chat(message)).unwrap().state, DeliveryState::Failed { .. }));
    assert_eq!(told_visitor(&world, "I am here"), 0);
    let receipt = DeliveryContent::Receipt(ReceiptStatus::Failed);
    assert!(world.store.delivery(&DeliveryKey { message, recipient: desk_account_id(), content: receipt }).is_some());
}

#[tokio::test]
async fn staff_message_meets_a_store_that_is_down_and_is_said_the_next_time() {
    let world = World::new();
    given_staff_message(&world, "I am here").await;
    world.chats.faults().plan([Some(Fault::Refused)]);
    assert_eq!(world.run(CHAT_TIMER, "staff_message").await, ["b0000000-0000-4000-8000-000000000007"]);
    world.store.faults().plan([None, Some(Fault::AnswerLost)]);
    assert_eq!(world.run(CHAT_TIMER, "staff_message").await, ["b0000000-0000-4000-8000-000000000007"]);
    assert_eq!(world.run(CHAT_TIMER, "staff_message").await, none());
    assert_eq!(told_visitor(&world, "I am here"), 1);
}

#[tokio::test]
async fn lane_of_no_chat_is_done() {
    let world = World::new();
    assert_eq!(world.run(CHAT_TIMER, "staff_message").await, none());
    assert_eq!(world.chats.counts().writes, 0);
}

#[tokio::test]
async fn sentence_that_staff_has_is_confirmed_to_the_connector_once() {
    let world = World::new();
    given_staff_message(&world, "I am here").await;
    for case in ["staff_has", "staff_has"] {
        assert_eq!(world.run(CHAT_TIMER, case).await, none());
        assert_eq!(told_visitor(&world, "SE_CHAT_CONFIRM"), 1);
    }
}

#[tokio::test]
async fn end_by_staff_closes_the_chat_once() {
    let world = World::new();
    let (conversation, _) = given_staff_message(&world, "Bye").await;
    let before = told_visitor(&world, "Closed");
    for case in ["staff_ended", "staff_ended"] {
        assert_eq!(world.run(CHAT_TIMER, case).await, none());
        assert!(matches!(state(&world, conversation), State::Closed { .. }));
        assert_eq!(told_visitor(&world, "Closed"), before + 1);
    }
    let world = World::new();
    assert_eq!(world.run(CHAT_TIMER, "staff_ended").await, none(), "of no chat");
    assert_eq!(world.chats.counts().writes, 0);
}

#[tokio::test]
async fn typing_is_one_call_to_the_active_session_and_never_handed_back() {
    let world = World::new();
    assert_eq!(world.run(DELIVER, "typing").await, none(), "no session");
    let lane =
        LaneKey { conversation: "a9c059b9ceb251993726".parse().unwrap(), recipient: desk_account_id(), kind: LaneKind::Messages };
    let thread = RemoteThread { id: "s-1".into(), status: RemoteStatus::Active, changed_at: NOW, memo: Memo::new() };
    world.store.bind(&lane, &lane.recipient, &thread).await.unwrap();
    world.store.forget_operations();
    world.sender.answer_empty(200);
    assert_eq!(world.run(DELIVER, "typing").await, none());
    assert_eq!(world.sender.lines(), ["POST /business/communication/v1/sessions/typing"]);
    assert_eq!(world.store.operations(), ["thread"]);
    world.sender.answer_empty(503);
    assert_eq!(world.run(DELIVER, "typing").await, none());
    world.store.fail_next(1);
    assert_eq!(world.run(DELIVER, "typing").await, none());
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(world.run(DELIVER, "typing").await, none());
    assert_eq!(world.sender.lines().len(), 2);
    assert_eq!(world.dead_letters(), json!([]));
}
