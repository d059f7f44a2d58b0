//! Whatever gets lost, comes twice or fails: every delivery reaches one final state, in order.

use std::time::Duration;

use app::Accepted;
use model::{DeliveryContent, DeliveryState, MessageId};
use proptest::prelude::*;
use testkit::fixtures::{desk_account_id, visitor_account_id};
use testkit::{Fault, QueuedTask};

use crate::world::{Answer, World, delivery};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test]
async fn a_crash_between_store_and_enqueue_is_mended_by_the_sweep() {
    let world = World::new();
    world.queue.fail_next(1);
    assert!(world.try_visitor_says("+1", "1", "one").await.is_err(), "the platform is asked to repeat");
    assert!(matches!(world.try_visitor_says("+1", "1", "one").await.unwrap(), Accepted::Duplicate(_)));
    assert!(world.queue.waiting().is_empty());
    world.pass(seconds(120)).await;
    assert_eq!(world.texts_at(&desk_account_id()), ["one"]);
}

#[tokio::test]
async fn a_lost_queue_message_is_mended_by_the_sweep() {
    let world = World::new();
    world.queue.drop_next(1);
    world.visitor_says("+1", "1", "one").await;
    world.pass(seconds(120)).await;
    assert_eq!(world.texts_at(&desk_account_id()), ["one"]);
}

#[tokio::test]
async fn a_lost_timer_is_mended_by_the_sweep() {
    let world = World::new();
    let answer = world.answer_under_way().await;
    world.queue.forget_all();
    world.pass(seconds(90 + 15 + 60)).await;
    let story = world.story(&answer);
    assert!(story.len() >= 2, "the attempt has ended: {story:?}");
    world.pass(seconds(900)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Failed { .. }));
    assert_eq!(world.texts_at(&visitor_account_id()).len(), 3);
}

#[tokio::test]
async fn a_settlement_whose_follow_up_is_lost_still_reaches_the_desk() {
    let world = World::new();
    let answer = world.answer_under_way().await;
    world.acknowledge(&answer, Ok(None)).await;
    world.queue.forget_all();
    world.pass(seconds(300)).await;
    assert_eq!(world.receipts_at(&desk_account_id()).len(), 1);
    assert!(world.is_at_rest(answer.message.conversation()));
}

#[tokio::test]
async fn duplicates_of_tasks_and_timers_change_nothing() {
    let world = World::new();
    world.queue.duplicate_next(100);
    let answer = world.answer_under_way().await;
    world.acknowledge(&answer, Ok(None)).await;
    world.pass(seconds(600)).await;
    assert_eq!(world.texts_at(&desk_account_id()), ["Hi"]);
    assert_eq!(world.texts_at(&visitor_account_id()), ["Hello"]);
    assert_eq!(world.receipts_at(&desk_account_id()).len(), 1);
}

#[tokio::test]
async fn a_worker_that_dies_after_its_claim_is_made_up_for() {
    let world = World::new();
    let first = world.visitor_says("+1", "1", "one").await;
    // The claim is stored, its answer is lost, and so is everything after it.
    world.store.lose_next_answers(0);
    let task = world.queue.due(ports::Clock::now(&world.clock)).remove(0);
    world.store.faults().plan([None, Some(Fault::AnswerLost)]);
    world.run(task).await;
    world.queue.forget_all();
    assert!(matches!(world.state(&delivery(first, &desk_account_id())), DeliveryState::Sending { attempt: 1, .. }));
    assert!(world.texts_at(&desk_account_id()).is_empty());
    world.pass(seconds(300)).await;
    assert_eq!(world.texts_at(&desk_account_id()), ["one"]);
}

/// One thing that goes wrong, or does not.
#[derive(Debug, Clone)]
enum Trouble {
    Store(Vec<Option<Fault>>),
    Queue(Vec<Option<Fault>>),
    DropTasks(usize),
    DuplicateTasks(usize),
    Desk(Vec<Answer>),
    Visitor(Vec<Answer>),
    LoseQueues,
    Wait(u64),
}

fn fault() -> impl Strategy<Value = Option<Fault>> {
    prop_oneof![3 => Just(None), 1 => Just(Some(Fault::Refused)), 1 => Just(Some(Fault::AnswerLost))]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![Just(Answer::Taken), Just(Answer::TakenAndAcknowledged), Just(Answer::Lost), Just(Answer::Status(503))]
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        proptest::collection::vec(fault(), 1..6).prop_map(Trouble::Store),
        proptest::collection::vec(fault(), 1..4).prop_map(Trouble::Queue),
        (0usize..3).prop_map(Trouble::DropTasks),
        (0usize..3).prop_map(Trouble::DuplicateTasks),
        proptest::collection::vec(answer(), 1..4).prop_map(Trouble::Desk),
        proptest::collection::vec(answer(), 1..4).prop_map(Trouble::Visitor),
        Just(Trouble::LoseQueues),
        (0u64..120).prop_map(Trouble::Wait),
    ]
}

/// Says something until it is known to be stored, as a platform does that repeats what was not answered 2xx.
async fn insist_visitor(world: &World, id: &str) -> MessageId {
    for _ in 0..50 {
        match world.try_visitor_says("+1", id, id).await {
            Ok(Accepted::Stored(message) | Accepted::Duplicate(message)) => return message,
            Ok(Accepted::Refused(refusal)) => panic!("{refusal:?}"),
            Err(_) => {}
        }
    }
    panic!("never stored");
}

async fn insist_staff(world: &World, to: MessageId, id: &str) -> MessageId {
    for _ in 0..50 {
        match world.try_staff_says(to, id, id).await {
            Ok(Some(Accepted::Stored(message) | Accepted::Duplicate(message))) => return message,
            Ok(other) => panic!("{other:?}"),
            Err(_) => {}
        }
    }
    panic!("never stored");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_delivery_reaches_one_final_state_in_order(troubles in proptest::collection::vec(trouble(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let first = insist_visitor(&world, "v0").await;
            let mut said = vec![(first, desk_account_id())];
            for (n, trouble) in troubles.iter().enumerate() {
                match trouble {
                    Trouble::Store(faults) => world.store.faults().plan(faults.iter().copied()),
                    Trouble::Queue(faults) => world.queue.faults().plan(faults.iter().copied()),
                    Trouble::DropTasks(n) => world.queue.drop_next(*n),
                    Trouble::DuplicateTasks(n) => world.queue.duplicate_next(*n),
                    Trouble::Desk(answers) => world.plan(&desk_account_id(), answers.iter().copied()),
                    Trouble::Visitor(answers) => world.plan(&visitor_account_id(), answers.iter().copied()),
                    Trouble::LoseQueues => world.queue.forget_all(),
                    Trouble::Wait(secs) => world.pass(seconds(*secs)).await,
                }
                if n % 2 == 0 {
                    said.push((insist_visitor(&world, &format!("v{n}")).await, desk_account_id()));
                } else {
                    said.push((insist_staff(&world, first, &format!("s{n}")).await, visitor_account_id()));
                }
                world.work().await;
            }
            world.store.faults().clear();
            world.queue.faults().clear();
            world.forget_plans();
            // The visitor's side acknowledges nothing from here on, so each of its deliveries may take all its attempts.
            world.pass(seconds(900 * u64::try_from(said.len()).unwrap())).await;

            assert!(world.is_at_rest(first.conversation()), "{:?}", world.store.peek(first.conversation()));
            for (message, recipient) in &said {
                let key = delivery(*message, recipient);
                match world.state(&key) {
                    DeliveryState::Sent { .. } => {}
                    DeliveryState::Failed { .. } => {
                        let dead = world.queue.dead_letters();
                        assert!(dead.iter().any(|d| matches!(d, model::DeadTask::V1 { delivery, .. } if *delivery == key)));
                    }
                    other => panic!("{key}: {other:?}"),
                }
            }
            // In order: the first arrivals at each side are in the order in which the messages were accepted.
            for side in [desk_account_id(), visitor_account_id()] {
                let mut seen = Vec::new();
                for (key, _) in world.arrived.lock().unwrap().iter() {
                    if key.recipient == side && key.content == DeliveryContent::Message && !seen.contains(&key.message.seq()) {
                        seen.push(key.message.seq());
                    }
                }
                assert!(seen.is_sorted(), "{side}: {seen:?}");
            }
            // A settled message is never pushed again.
            let late = world.queue.waiting().into_iter().filter(|(_, task)| matches!(task, QueuedTask::Deliver(_))).count();
            assert_eq!(late, 0);
        });
    }
}
