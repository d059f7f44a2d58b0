//! Calls at the pace of a business: shared, waited for, put off without an attempt, and stopped when they keep failing
//! (vcita contract, sections 3 and 10).

use std::sync::Arc;
use std::time::Duration;

use app::{Ctx, OutboundCtx, SettleCtx};
use async_trait::async_trait;
use model::{AccountId, DeliverTask, DeliveryContent, DeliveryState, EpochMillis, LaneKey, RemoteStatus, StoryEvent};
use ports::{Clock, InstallationStore as _, Paces, Pass, PortError, Standing};
use testkit::fixtures::desk_account_id;
use testkit::{FixedDice, InMemoryPaces, ManualClock, QueuedTask};

use crate::world::{Answer, World, delivery};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn other_desk() -> AccountId {
    "vcita/other".parse().unwrap()
}

/// When a desk was called, in milliseconds after `from`.
fn calls_to(world: &World, desk: &AccountId, from: EpochMillis) -> Vec<i64> {
    let calls = world.calls.lock().unwrap();
    calls.iter().filter(|(_, to)| to == desk).map(|(at, _)| at.millis() - from.millis()).collect()
}

/// Takes every instant that is near enough for an attempt to begin.
async fn saturate(world: &World, desk: &AccountId) {
    let now = world.clock.now();
    while let Pass::At { .. } = world.paces.reserve(&desk.to_string(), 8, now, millis(1500), Duration::ZERO).await.unwrap() {}
}

fn tasks_of(world: &World, lane: &LaneKey) -> Vec<(EpochMillis, DeliverTask)> {
    let is_its = |task: &DeliverTask| matches!(task, DeliverTask::V1 { lane: of, .. } if of == lane);
    let waiting = world.queue.waiting().into_iter();
    let tasks = waiting.filter_map(|(at, task)| match task {
        QueuedTask::Deliver(task) => Some((at, task)),
        QueuedTask::Ack(_) | QueuedTask::Staff(_) => None,
    });
    tasks.filter(|(_, task)| is_its(task)).collect()
}

#[tokio::test]
async fn forty_conversations_at_once_are_eight_calls_in_any_second_and_one_attempt_each() {
    let world = World::with_pace(8, 1);
    let mut said = Vec::new();
    for n in 0..40 {
        said.push(world.visitor_says(&format!("+4207000000{n:02}"), &format!("m-{n}"), "Hi").await);
    }
    let from = world.clock.now();
    world.pass(seconds(15)).await;
    let calls = calls_to(&world, &desk_account_id(), from);
    assert_eq!(calls.len(), 40);
    assert!(calls.windows(9).all(|nine| nine[8] - nine[0] > 1000), "{calls:?}");
    assert!(calls[39] < 10_000, "the pace is used: {calls:?}");
    for message in said {
        let story = world.story(&delivery(message, &desk_account_id()));
        let acknowledged = StoryEvent::Acknowledged { late: false, after_failure: false };
        assert_eq!(story, [StoryEvent::HandedOver { attempt: 1 }, acknowledged]);
    }
}

#[tokio::test]
async fn message_for_another_business_leaves_at_once_while_one_is_saturated() {
    let world = World::with_pace(8, 1);
    saturate(&world, &desk_account_id()).await;
    let from = world.clock.now();
    for n in 0..20 {
        world.visitor_says(&format!("+4207000000{n:02}"), &format!("m-{n}"), "Hi").await;
    }
    world.visitor_says_to("frontstage/gw-other", "+420700000099", "m-other", "Hello").await;
    for task in world.queue.due(from) {
        world.run(task).await;
    }
    assert_eq!(world.clock.now(), from, "nobody waited");
    assert_eq!(calls_to(&world, &other_desk(), from), [0]);
    assert!(calls_to(&world, &desk_account_id(), from).is_empty());
}

#[tokio::test]
async fn task_for_a_busy_business_costs_one_look_and_changes_nothing() {
    let world = World::with_pace(8, 1);
    saturate(&world, &desk_account_id()).await;
    let looks = world.paces.looks();
    let message = world.visitor_says("+1", "1", "Hi").await;
    let key = delivery(message, &desk_account_id());
    let task = world.queue.due(world.clock.now()).remove(0);
    let before = world.store.counts();
    world.run(task).await;
    assert_eq!(world.paces.looks(), looks + 1);
    assert_eq!(world.store.counts().writes, before.writes);
    assert_eq!((world.delivery(&key).rev, world.state(&key)), (0, DeliveryState::Queued));
    let due = world.store.lane(&key.lane()).unwrap().due_at;
    assert!(due.is_some());
    let again = DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 1, due };
    assert_eq!(tasks_of(&world, &key.lane()), [(world.clock.now().plus(millis(70)), again)]);
}

#[tokio::test]
async fn who_is_put_off_again_and_again_spreads_over_up_to_15_seconds() {
    let world = World::with_pace(8, 1);
    let base = Ctx { dice: Arc::new(FixedDice::new(u16::MAX)), ..world.outbound.settle.base.clone() };
    let ctx = OutboundCtx { settle: SettleCtx { base, ..world.outbound.settle.clone() }, ..world.outbound.clone() };
    world.paces.slow("vcita/demo", Some(seconds(60)), world.clock.now()).await.unwrap();
    let message = world.visitor_says("+1", "1", "Hi").await;
    let key = delivery(message, &desk_account_id());
    world.queue.forget_all();
    for (put_off, spread) in [(0, 1), (1, 2), (2, 4), (3, 8), (4, 15), (5, 15), (u32::MAX, 15)] {
        let task = DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off, due: None };
        app::deliver(&ctx, &task, world.clock.now().plus(seconds(50))).await.unwrap();
        let (at, DeliverTask::V1 { put_off: counted, .. }) = tasks_of(&world, &key.lane()).remove(0);
        assert_eq!(at.since(world.clock.now()), seconds(60 + spread), "{put_off}");
        assert_eq!(counted, put_off.saturating_add(1));
        world.queue.forget_all();
    }
}

#[tokio::test]
async fn lane_that_is_put_off_is_not_swept_onto_the_queue_a_second_time() {
    let world = World::with_pace(8, 1);
    let message = world.visitor_says("+1", "1", "Hi").await;
    let lane = delivery(message, &desk_account_id()).lane();
    for _ in 0..6 {
        world.paces.slow("vcita/demo", Some(seconds(60)), world.clock.now()).await.unwrap();
        world.pass(seconds(50)).await;
        assert_eq!(tasks_of(&world, &lane).len(), 1);
    }
    assert!(world.calls.lock().unwrap().is_empty());
    world.queue.forget_all();
    world.pass(seconds(240)).await;
    assert_eq!(world.texts_at(&desk_account_id()), ["Hi"], "a task that is lost is still made up for");
}

/// The queue brings tasks so late that the sweep makes up for each of them again and again.
#[tokio::test]
async fn lane_whose_tasks_come_late_does_not_gather_more_and_more_of_them() {
    let world = World::with_pace(8, 1);
    let message = world.visitor_says("+1", "1", "Hi").await;
    let lane = delivery(message, &desk_account_id()).lane();
    for _ in 0..8 {
        world.clock.advance(seconds(180));
        world.paces.slow("vcita/demo", Some(seconds(60)), world.clock.now()).await.unwrap();
        app::sweep(&world.ctx(|store| store)).await.unwrap();
        world.work().await;
        assert!((1..=2).contains(&tasks_of(&world, &lane).len()), "{:?}", tasks_of(&world, &lane));
    }
    world.pass(seconds(600)).await;
    assert_eq!(world.texts_at(&desk_account_id()), ["Hi"]);
    assert!(tasks_of(&world, &lane).is_empty());
}

#[tokio::test]
async fn message_that_was_put_off_for_a_day_expires_as_any_other() {
    let world = World::with_pace(8, 1);
    let message = world.visitor_says("+1", "1", "Hi").await;
    world.paces.slow("vcita/demo", Some(seconds(60)), world.clock.now()).await.unwrap();
    world.work().await;
    world.clock.advance(seconds(86_400));
    world.paces.slow("vcita/demo", Some(seconds(60)), world.clock.now()).await.unwrap();
    world.work().await;
    assert_eq!(world.story(&delivery(message, &desk_account_id())), [StoryEvent::Expired]);
}

#[tokio::test]
async fn further_calls_of_an_attempt_wait_for_their_instants() {
    let world = World::with_pace(1, 3);
    let from = world.clock.now();
    world.visitor_says("+1", "1", "Hi").await;
    world.work().await;
    // The first one might have been made 300 ms later.
    assert_eq!(calls_to(&world, &desk_account_id(), from), [0, 1551, 2802]);
    assert_eq!(world.progress.lock().unwrap().delivered, 1);
}

#[tokio::test]
async fn attempt_whose_next_instant_is_too_late_ends_without_counting() {
    let world = World::with_pace(1, 2);
    let message = world.visitor_says("+1", "1", "Hi").await;
    let key = delivery(message, &desk_account_id());
    let task = DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 0, due: None };
    // A call may take 10 s, so the second one would be answered too late.
    app::deliver(&world.outbound, &task, world.clock.now().plus(seconds(11))).await.unwrap();
    let due = world.clock.now().plus(millis(1551));
    assert_eq!(world.state(&key), DeliveryState::RetryWait { attempt: 0, due });
    assert_eq!((world.last_told(&key).event, world.last_told(&key).detail), (StoryEvent::PutOff, Some("paced".to_owned())));
    world.pass(seconds(10)).await;
    assert!(world.story(&key).contains(&StoryEvent::Acknowledged { late: false, after_failure: false }));
    assert!(!world.story(&key).contains(&StoryEvent::HandedOver { attempt: 2 }));
}

#[tokio::test]
async fn row_429_nobody_calls_the_business_before_the_wish_and_no_attempt_is_counted() {
    let world = World::with_pace(8, 1);
    let from = world.clock.now();
    world.plan(&desk_account_id(), [Answer::TooFast(7)]);
    let first = world.visitor_says("+1", "1", "one").await;
    world.work().await;
    world.visitor_says("+2", "2", "two").await;
    world.visitor_says_to("frontstage/gw-other", "+3", "3", "three").await;
    world.pass(seconds(20)).await;
    let calls = calls_to(&world, &desk_account_id(), from);
    assert_eq!((calls.len(), calls[0]), (3, 0));
    assert!(calls[1] >= 7000 && calls[2] >= 7157, "{calls:?}");
    assert_eq!(calls_to(&world, &other_desk(), from), [0], "another business does not wait");
    let attempts = |story: Vec<StoryEvent>| story.iter().filter(|e| **e == StoryEvent::HandedOver { attempt: 1 }).count();
    assert_eq!(attempts(world.story(&delivery(first, &desk_account_id()))), 2, "the attempt is the first one again");
}

#[tokio::test]
async fn row_429_does_not_use_up_the_attempts_of_a_delivery() {
    let world = World::with_pace(8, 1);
    world.plan(&desk_account_id(), [Answer::TooFast(1); 1200]);
    let message = world.visitor_says("+1", "1", "one").await;
    world.pass(seconds(1900)).await;
    let key = delivery(message, &desk_account_id());
    // The recipient gives a delivery up after a thousand attempts.
    assert!(calls_to(&world, &desk_account_id(), world.clock.now()).len() > 1000);
    assert!(matches!(world.state(&key), DeliveryState::Sent { .. } | DeliveryState::RetryWait { attempt: 0, .. }));
}

#[tokio::test]
async fn breaker_stops_calls_after_five_failures_in_a_row_for_30_seconds_then_one_probes() {
    let world = World::with_pace(8, 1);
    world.plan(&desk_account_id(), [Answer::Status(503), Answer::Lost, Answer::Status(500), Answer::Status(502)]);
    world.plan(&desk_account_id(), [Answer::Lost, Answer::Status(504)]);
    for n in 0..8 {
        world.visitor_says(&format!("+{n}"), &format!("m-{n}"), "Hi").await;
    }
    let from = world.clock.now();
    world.visitor_says_to("frontstage/gw-other", "+99", "m-99", "Hello").await;
    world.pass(seconds(29)).await;
    let calls = calls_to(&world, &desk_account_id(), from);
    assert_eq!(calls.len(), 5, "{calls:?}");
    assert_eq!(world.progress.lock().unwrap().paused, 1);
    assert_eq!(calls_to(&world, &other_desk(), from).len(), 1, "another business is called");
    // The probe fails, and all wait again; the second one is answered, and all go on.
    world.pass(seconds(29)).await;
    let calls = calls_to(&world, &desk_account_id(), from);
    assert_eq!(calls.len(), 6, "one probe: {calls:?}");
    assert!(calls[5] >= calls[4] + 30_000, "{calls:?}");
    world.pass(seconds(60)).await;
    let calls = calls_to(&world, &desk_account_id(), from);
    assert!(calls[6] >= calls[5] + 30_000, "{calls:?}");
    assert_eq!(world.texts_at(&desk_account_id()).iter().filter(|text| *text == "Hi").count(), 8 + 2, "two were lost on the way");
    assert_eq!(world.progress.lock().unwrap().paused, 2);
}

#[tokio::test]
async fn answer_in_between_ends_the_row_of_failures() {
    let world = World::with_pace(8, 1);
    let four = [Answer::Status(503); 4];
    world.plan(&desk_account_id(), four.into_iter().chain([Answer::Status(400)]).chain(four));
    for n in 0..9 {
        world.visitor_says(&format!("+{n}"), &format!("m-{n}"), "Hi").await;
    }
    world.pass(seconds(30)).await;
    assert_eq!(world.progress.lock().unwrap().paused, 0);
    assert_eq!(world.texts_at(&desk_account_id()).len(), 8);
}

#[tokio::test]
async fn installation_that_is_gone_is_noted_and_the_message_is_kept_in_the_dead_letters() {
    let world = World::with_pace(8, 1);
    let now = world.clock.now();
    world.store.note_installation(&desk_account_id(), "channel-1", RemoteStatus::Active, now, None).await.unwrap();
    world.plan(&desk_account_id(), [Answer::Status(404)]);
    let message = world.visitor_says("+1", "1", "Hi").await;
    world.work().await;
    let key = delivery(message, &desk_account_id());
    assert!(matches!(world.state(&key), DeliveryState::Failed { reason: model::FailureReason::Rejected, .. }));
    assert_eq!(world.queue.dead_letters().len(), 1);
    assert_eq!(world.progress.lock().unwrap().uninstalled, 1);
    let opened = ports::InboundStore::open(&*world.store, message.conversation(), &desk_account_id(), "channel-1", now).await;
    assert_eq!(opened.unwrap().installation, Some(RemoteStatus::Deleted));
}

#[tokio::test]
async fn recipient_without_a_pace_is_never_asked_for_one() {
    let world = World::new();
    world.visitor_says("+1", "1", "Hi").await;
    world.work().await;
    assert_eq!(world.paces.looks(), 0);
    assert_eq!(world.texts_at(&desk_account_id()), ["Hi"]);
}

/// Paces whose first answer takes its time.
struct Slow {
    takes: Duration,
    paces: Arc<InMemoryPaces>,
    clock: ManualClock,
}

#[async_trait]
impl Paces for Slow {
    async fn reserve(
        &self,
        key: &str,
        per_second: u32,
        now: EpochMillis,
        horizon: Duration,
        slack: Duration,
    ) -> Result<Pass, PortError> {
        let pass = self.paces.reserve(key, per_second, now, horizon, slack).await;
        if self.paces.looks() == 1 {
            self.clock.advance(self.takes);
        }
        pass
    }

    async fn slow(&self, key: &str, wish: Option<Duration>, now: EpochMillis) -> Result<(), PortError> {
        self.paces.slow(key, wish, now).await
    }

    async fn failed(&self, key: &str, standing: Standing, now: EpochMillis) -> Result<Option<EpochMillis>, PortError> {
        self.paces.failed(key, standing, now).await
    }

    async fn recovered(&self, key: &str) -> Result<(), PortError> {
        self.paces.recovered(key).await
    }
}

#[tokio::test]
async fn worker_that_is_too_late_takes_another_instant_and_allows_for_the_delay() {
    for (takes, called_at, looks) in [(350, 350, 1), (351, 1053, 2)] {
        let world = World::with_pace(8, 1);
        let from = world.clock.now();
        let paces = Arc::new(Slow { takes: millis(takes), paces: world.paces.clone(), clock: world.clock.clone() });
        let ctx = OutboundCtx { paces, ..world.outbound.clone() };
        let message = world.visitor_says("+1", "1", "Hi").await;
        let key = delivery(message, &desk_account_id());
        let task = DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 0, due: None };
        app::deliver(&ctx, &task, from.plus(seconds(50))).await.unwrap();
        // 351 ms late, and asked for 702 ms later from then on.
        assert_eq!(calls_to(&world, &desk_account_id(), from), [called_at]);
        assert_eq!(world.paces.looks(), looks);
    }
}

#[tokio::test]
async fn receipts_keep_the_pace_of_their_business_too() {
    let world = World::with_pace(8, 1);
    let answer = world.answer_under_way().await;
    saturate(&world, &desk_account_id()).await;
    let from = world.clock.now();
    world.acknowledge(&answer, Ok(None)).await;
    world.pass(seconds(10)).await;
    let receipts = world.receipts_at(&desk_account_id());
    assert_eq!(receipts, [DeliveryContent::Receipt(model::ReceiptStatus::Sent)]);
    assert!(calls_to(&world, &desk_account_id(), from).last().is_some_and(|at| *at >= 1500));
}
