//! The timer and the acknowledgement race at 90 s: one winner, whatever the order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use app::{Acknowledged, OutboundCtx};
use async_trait::async_trait;
use futures_util::future::join;
use model::{AccountId, DeliverTask, DeliveryState, EpochMillis, FailureReason, LaneKey, RemoteStatus, RemoteThread, StoryEvent};
use ports::{DeliveryStore, LaneSelector, PortError, Saved, Sender, Transition, WorkItem};
use serde_json::json;
use testkit::fixtures::{desk_account_id, visitor_account_id};
use testkit::{QueuedTask, ScriptedSender};
use tokio::sync::Notify;
use wire::{CallFailure, HttpAnswer, HttpCall};

use crate::world::{Answer, World, delivery};

/// A store in memory does not yield, so the tasks are interleaved by hand: `order` picks who goes next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_interleavings_of_timer_and_acknowledgement_have_one_winner() {
    let mut timer_first = 0;
    for round in 0..1000_i64 {
        let world = Arc::new(World::new());
        let answer = world.answer_under_way().await;
        // From 50 ms before the deadline to 50 ms after it.
        let deadline = match world.state(&answer) {
            DeliveryState::Sending { deadline, .. } => deadline,
            other => panic!("{other:?}"),
        };
        world.clock.set(EpochMillis::new(deadline.millis() - 50 + round / 10));
        let timer =
            world.queue.waiting().into_iter().find_map(|(_, task)| matches!(task, QueuedTask::Ack(_)).then_some(task)).unwrap();
        world.queue.forget_all();

        let (a, b) = (world.clone(), world.clone());
        let key = answer.clone();
        let tick = tokio::spawn(async move { a.run(timer).await });
        let word = tokio::spawn(async move { b.acknowledge(&key, Ok(None)).await });
        let (tick, word) = join(tick, word).await;
        tick.unwrap();
        assert_eq!(word.unwrap(), Acknowledged::Settled, "the word settles, in time or late");

        // The word always wins in the end; the story tells whether the timer was there first.
        assert!(matches!(world.state(&answer), DeliveryState::Sent { .. }));
        let story = world.story(&answer);
        let acknowledged = story.iter().filter(|e| matches!(e, StoryEvent::Acknowledged { .. })).count();
        let timed_out = story.iter().filter(|e| matches!(e, StoryEvent::NoAcknowledgement { .. })).count();
        assert_eq!(acknowledged, 1, "{story:?}");
        assert!(timed_out <= 1, "{story:?}");
        if timed_out == 1 {
            assert!(round / 10 > 50, "the timer may act only after the deadline");
            assert_eq!(story.last(), Some(&StoryEvent::Acknowledged { late: true, after_failure: false }), "{story:?}");
            timer_first += 1;
        }
        world.pass(Duration::from_secs(300)).await;
        assert_eq!(world.texts_at(&visitor_account_id()).len(), 1, "nothing is sent again");
        assert_eq!(world.receipts_at(&desk_account_id()).len(), 1);
    }
    println!("the timer was first in {timer_first} of 1000 rounds");
}

/// A recipient that takes its time, and then acknowledges in its answer.
#[derive(Default)]
struct Slow {
    called: Notify,
    go_on: Notify,
}

#[async_trait]
impl Sender for Slow {
    async fn send(&self, _call: HttpCall) -> Result<HttpAnswer, CallFailure> {
        self.called.notify_one();
        self.go_on.notified().await;
        Ok(ScriptedSender::json(200, &json!({"acknowledged": true})))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_outlasts_the_last_deadline_still_settles() {
    let world = World::new();
    let answer = world.answer_under_way().await;
    world.pass(Duration::from_secs(90 + 30 + 90 + 60)).await;
    assert!(matches!(world.state(&answer), DeliveryState::RetryWait { attempt: 2, .. }));
    world.queue.forget_all();
    world.clock.advance(Duration::from_secs(120));

    let slow = Arc::new(Slow::default());
    let ctx = OutboundCtx { sender: slow.clone(), ..world.outbound.clone() };
    let task = DeliverTask::V1 { lane: answer.lane(), entry: Some(answer.entry()), put_off: 0, due: None };
    let until = EpochMillis::new(i64::MAX);
    let worker = tokio::spawn(async move { app::deliver(&ctx, &task, until).await });
    slow.called.notified().await;
    world.pass(Duration::from_secs(200)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Failed { reason: FailureReason::NoAcknowledgement, .. }));
    assert!(world.is_at_rest(answer.message.conversation()), "it has left its lane");

    slow.go_on.notify_one();
    worker.await.unwrap().unwrap();
    assert!(matches!(world.state(&answer), DeliveryState::Sent { .. }));
    assert_eq!(world.story(&answer).last(), Some(&StoryEvent::Acknowledged { late: true, after_failure: true }));
    assert!(world.is_at_rest(answer.message.conversation()));
}

/// The store, before whose first change of a lane's head the visitor says one thing more.
struct Interrupted {
    world: Arc<World>,
    is_said: AtomicBool,
}

#[async_trait]
impl DeliveryStore for Interrupted {
    async fn work(
        &self,
        lane: &LaneKey,
        which: LaneSelector,
        installation: Option<&str>,
        now: EpochMillis,
    ) -> Result<Option<WorkItem>, PortError> {
        self.world.store.work(lane, which, installation, now).await
    }

    async fn save(&self, transition: &Transition) -> Result<Saved, PortError> {
        if transition.leaves_lane && !self.is_said.swap(true, Ordering::SeqCst) {
            self.world.visitor_says("+420700000001", "later", "later").await;
            // Its task finds another delivery at the head, and is over.
            self.world.work().await;
        }
        self.world.store.save(transition).await
    }

    async fn bind(&self, lane: &LaneKey, owner: &AccountId, thread: &RemoteThread) -> Result<RemoteStatus, PortError> {
        self.world.store.bind(lane, owner, thread).await
    }

    async fn thread(&self, lane: &LaneKey) -> Result<Option<RemoteThread>, PortError> {
        self.world.store.thread(lane).await
    }
}

#[tokio::test]
async fn a_message_that_comes_while_the_head_is_settled_goes_without_the_sweep() {
    for answer in [Answer::Taken, Answer::Status(422)] {
        let world = Arc::new(World::new());
        let first = world.visitor_says("+420700000001", "first", "first").await;
        let task = delivery(first, &desk_account_id());
        world.plan(&desk_account_id(), [answer]);
        world.queue.forget_all();

        let mut ctx = world.outbound.clone();
        ctx.settle.base = ctx.settle.base.with(Arc::new(Interrupted { world: world.clone(), is_said: AtomicBool::new(false) }));
        let task = DeliverTask::V1 { lane: task.lane(), entry: Some(task.entry()), put_off: 0, due: None };
        app::deliver(&ctx, &task, EpochMillis::new(i64::MAX)).await.unwrap();
        world.work().await;

        assert_eq!(world.texts_at(&desk_account_id()).last().map(String::as_str), Some("later"), "{answer:?}");
        assert!(world.is_at_rest(first.conversation()), "{answer:?}");
        let dead = world.queue.dead_letters().len();
        assert_eq!(dead, usize::from(answer == Answer::Status(422)), "{answer:?}");
    }
}
