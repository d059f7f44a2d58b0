//! Deliver queue and ack queue.

use std::time::Duration;

use model::{AckTask, DeliverTask, DeliveryState, EpochMillis, FailureReason};
use serde_json::{Value, json};
use testkit::fixtures::{NOW, sending};
use testkit::{QueuedTask, events};
use wire::CallFailure;

use crate::world::{ACK_TIMER, DELIVER, World};

/// One millisecond after the contract's 90 s: the first instant that is late.
const LATE: Duration = Duration::from_millis(90_001);

fn none() -> [String; 0] {
    []
}

fn first_attempt() -> DeliveryState {
    sending(1, NOW, NOW.plus(Duration::from_secs(90)))
}

fn ack_task() -> AckTask {
    let key = events::delivery_key(2);
    AckTask::V1 { lane: key.lane(), entry: key.entry(), attempt: 1 }
}

fn deliver_task() -> DeliverTask {
    let key = events::delivery_key(2);
    DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 0, due: None }
}

/// What is kept of the record in the event `malformed`.
fn malformed(function: &str) -> Value {
    json!({"task": "poison.v1", "function": function, "queue_message": "b0000000-0000-4000-8000-000000000002",
           "reason": "not a task: Eof at line 1 column 8", "body": "{\"task\":"})
}

#[tokio::test]
async fn message_is_pushed_and_its_timer_started() {
    let world = World::new();
    events::given_messages(&*world.store, 2).await;
    world.store.forget_operations();
    world.sender.answer_empty(202);
    assert_eq!(world.run(DELIVER, "ok").await, none());

    assert_eq!(world.sender.lines(), ["POST /push"]);
    let call = &world.sender.calls()[0];
    assert_eq!(call.url.as_str(), "https://connector.example/push");
    let pushed: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(pushed[0]["Msg"], "SE_MESSAGE_SENDING");
    assert_eq!(pushed[0]["Body"]["MessageId"], "26be4b95-b346-8f78-9003-680000000002");
    assert_eq!(pushed[0]["Body"]["RemoteAddress"], "eva@demo.example");
    assert_eq!(pushed[0]["Body"]["GatewayId"], events::GATEWAY);
    assert_eq!(world.delivery().state, first_attempt());
    assert_eq!(world.queue.waiting(), [(NOW.plus(LATE), QueuedTask::Ack(ack_task()))]);
    // Account, item, claim.
    assert_eq!(world.store.operations(), ["directory", "work", "save"]);
}

#[tokio::test]
async fn same_task_twice_pushes_once() {
    let world = World::new();
    events::given_messages(&*world.store, 2).await;
    // A second call would find nothing scripted and be a failure.
    world.sender.answer_empty(202);
    assert_eq!(world.run(DELIVER, "duplicate").await, none());
    assert_eq!(world.run(DELIVER, "ok").await, none());
    assert_eq!(world.sender.calls().len(), 1);
    assert_eq!(world.delivery().state, first_attempt());
    assert_eq!(world.queue.waiting().len(), 1);
}

#[tokio::test]
async fn task_for_nothing_stored_is_done() {
    let world = World::new();
    for (function, case) in [(DELIVER, "ok"), (ACK_TIMER, "ok"), (ACK_TIMER, "duplicate")] {
        assert_eq!(world.run(function, case).await, none(), "{function}");
    }
    assert_eq!(world.store.counts().writes, 0);
    assert_eq!(world.queue.calls(), 0);
}

#[tokio::test]
async fn body_that_is_no_task_is_kept_with_its_reason_and_acknowledged() {
    let unknown = |function: &str| {
        let body: Value = events::event(function, "unknown_type");
        json!({"task": "poison.v1", "function": function, "queue_message": "b0000000-0000-4000-8000-000000000003",
               "reason": "not a task: Data at line 1 column 21", "body": body["Records"][0]["body"]})
    };
    for function in [DELIVER, ACK_TIMER] {
        let world = World::new();
        assert_eq!(world.run(function, "malformed").await, none(), "{function}");
        assert_eq!(world.dead_letters(), json!([malformed(function)]), "{function}");

        let world = World::new();
        assert_eq!(world.run(function, "unknown_type").await, none(), "{function}");
        assert_eq!(world.dead_letters(), json!([unknown(function)]), "{function}");
    }
}

#[tokio::test]
async fn bad_record_does_not_block_its_neighbour() {
    let world = World::new();
    events::given_messages(&*world.store, 2).await;
    world.sender.answer_empty(202);
    assert_eq!(world.run(DELIVER, "one_of_two_bad").await, none());
    assert_eq!(world.delivery().state, first_attempt());
    assert_eq!(world.dead_letters(), json!([malformed(DELIVER)]));
}

#[tokio::test]
async fn bad_record_that_cannot_be_kept_is_handed_back_alone() {
    let world = World::new();
    events::given_attempt(&*world.store).await;
    world.queue.fail_next(1);
    assert_eq!(world.run(ACK_TIMER, "one_of_two_bad").await, ["b0000000-0000-4000-8000-000000000002"]);
    assert_eq!(world.dead_letters(), json!([]));
}

#[tokio::test]
async fn store_down_hands_the_record_back_and_its_repetition_pushes_once() {
    // Which operation fails: accounts, item, claim.
    for before in 0..3 {
        let world = World::new();
        events::given_messages(&*world.store, 2).await;
        world.store.faults().plan(std::iter::repeat_n(None, before).chain([Some(testkit::Fault::Refused)]));
        assert_eq!(world.run(DELIVER, "ok").await, ["b0000000-0000-4000-8000-000000000001"], "{before}");
        assert_eq!(world.delivery().state, DeliveryState::Queued, "{before}");
        world.sender.answer_empty(202);
        assert_eq!(world.run(DELIVER, "ok").await, none(), "{before}");
        assert_eq!(world.delivery().state, first_attempt(), "{before}");
    }
}

#[tokio::test]
async fn push_without_an_answer_is_repeated_within_the_attempt() {
    let world = World::new();
    events::given_messages(&*world.store, 2).await;
    world.sender.fail(CallFailure::NoAnswer);
    assert_eq!(world.run(DELIVER, "ok").await, none());
    let again = NOW.plus(Duration::from_secs(1));
    let DeliveryState::Sending { attempt: 1, next_push, .. } = world.delivery().state else { panic!() };
    assert_eq!(next_push, Some(again));
    assert!(world.queue.waiting().contains(&(again, QueuedTask::Deliver(deliver_task()))));
}

#[tokio::test]
async fn timer_that_fires_early_is_set_again() {
    let world = World::new();
    events::given_attempt(&*world.store).await;
    assert_eq!(world.run(ACK_TIMER, "ok").await, none());
    assert_eq!(world.delivery().state, first_attempt());
    assert_eq!(world.queue.waiting(), [(NOW.plus(LATE), QueuedTask::Ack(ack_task()))]);
}

#[tokio::test]
async fn timer_ends_the_attempt_once_and_schedules_the_next() {
    let world = World::new();
    events::given_attempt(&*world.store).await;
    world.clock.advance(LATE);
    let due = NOW.plus(LATE + Duration::from_secs(30));
    for case in ["duplicate", "ok"] {
        assert_eq!(world.run(ACK_TIMER, case).await, none(), "{case}");
        assert_eq!(world.delivery().state, DeliveryState::RetryWait { attempt: 1, due }, "{case}");
        assert_eq!(world.queue.waiting(), [(due, QueuedTask::Deliver(deliver_task()))], "{case}");
    }
}

#[tokio::test]
async fn last_timer_gives_up_and_leaves_a_dead_letter_and_a_receipt() {
    let world = World::new();
    events::given_messages(&*world.store, 2).await;
    for attempt in 1..=3 {
        world.sender.answer_empty(202);
        assert_eq!(world.run(DELIVER, "ok").await, none());
        let [(due, QueuedTask::Ack(_))] = world.queue.waiting()[..] else { panic!("attempt {attempt}") };
        world.clock.set(due);
        // The event is the timer of attempt 1; those of the others come from the queue.
        let timers = world.queue.due(due);
        if attempt == 1 {
            assert_eq!(world.run(ACK_TIMER, "ok").await, none());
        } else {
            let [QueuedTask::Ack(task)] = &timers[..] else { panic!("attempt {attempt}") };
            app::check_ack(&world.outbound.settle, task).await.unwrap();
        }
        if let Some(next) = world.queue.next_due().filter(|_| attempt < 3) {
            world.clock.set(next);
            assert_eq!(world.queue.due(next).len(), 1);
        }
    }
    let at = EpochMillis::new(NOW.millis() + 3 * 90_001 + 30_000 + 120_000);
    assert_eq!(world.delivery().state, DeliveryState::Failed { at, reason: FailureReason::NoAcknowledgement });
    assert_eq!(
        world.dead_letters(),
        json!([{"task": "dead.v1", "tenant": "demo", "reason": "no_acknowledgement",
                "delivery": {"message": "26be4b95-b346-8f78-9003-680000000002", "recipient": "frontstage/gw-mail", "content": "message"}}])
    );
    let receipt = json!({"task": "deliver.v1", "entry": "2:failed",
                         "lane": {"conversation": "26be4b95b346f78400da", "recipient": "vcita/demo", "kind": "receipts"}});
    let [(_, QueuedTask::Deliver(task))] = &world.queue.waiting()[..] else { panic!("no receipt") };
    assert_eq!(serde_json::to_value(task).unwrap(), receipt);
    let ids: Vec<Value> = world
        .sender
        .calls()
        .iter()
        .map(|call| serde_json::from_slice::<Value>(&call.body).unwrap()[0]["Body"]["MessageId"].clone())
        .collect();
    assert_eq!(ids, ["26be4b95-b346-8f78-9003-680000000002"; 3]);
}
