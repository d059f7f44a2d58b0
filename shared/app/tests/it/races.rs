//! The timer and the acknowledgement race at 90 s: one winner, whatever the order.

use std::time::Duration;

use app::Acknowledged;
use futures_util::future::join;
use model::{DeliveryState, StoryEvent};
use testkit::QueuedTask;
use testkit::fixtures::{desk_account_id, visitor_account_id};

use crate::world::World;

/// A store in memory does not yield, so the tasks are interleaved by hand: `order` picks who goes next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_interleavings_of_timer_and_acknowledgement_have_one_winner() {
    let mut timer_first = 0;
    for round in 0..1000_i64 {
        let world = std::sync::Arc::new(World::new());
        let answer = world.answer_under_way().await;
        // From 50 ms before the deadline to 50 ms after it.
        let deadline = match world.state(&answer) {
            DeliveryState::Sending { deadline, .. } => deadline,
            other => panic!("{other:?}"),
        };
        world.clock.set(model::EpochMillis::new(deadline.millis() - 50 + round / 10));
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
