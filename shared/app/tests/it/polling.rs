//! A visitor's connector that polls for its messages (FrontStage contract, sections 6 and 10.3, column "Poll").

use std::sync::atomic::Ordering;
use std::time::Duration;

use app::{Acknowledged, AppError, HandOutCtx};
use futures_util::future::join;
use model::{
    DeliverTask, DeliveryContent, DeliveryKey, DeliveryState, EpochMillis, FailureReason, Platform, ReceiptStatus, StoryEvent,
};
use ports::{Chats as _, Clock as _, PortError, StreamEntry, StreamKey, StreamPage, StreamRead};
use testkit::fixtures::{desk_account_id, visitor_account_id};
use testkit::{Fault, QueuedTask};

use crate::world::World;

const FAILED: DeliveryContent = DeliveryContent::Receipt(ReceiptStatus::Failed);
const SENT: DeliveryContent = DeliveryContent::Receipt(ReceiptStatus::Sent);
const DAY: u64 = 86_400;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// What a poll brings of a place: its number, the text (empty where it is passed over), and when the attempt began.
type Fetched = (u64, String, Option<EpochMillis>);

impl World {
    /// A world whose visitors' connector polls.
    fn polling() -> Self {
        let world = Self::new();
        world.polls.store(true, Ordering::SeqCst);
        world
    }

    fn fetching(&self) -> HandOutCtx {
        let policy = self.outbound.settle.terms.terms(Platform::Frontstage).policy(DeliveryContent::Message);
        HandOutCtx { base: self.outbound.settle.base.with(self.chats.clone()), policy }
    }

    async fn page(&self, after: u64) -> Result<Vec<StreamEntry>, PortError> {
        let stream = StreamKey::Gateway(visitor_account_id());
        match self.chats.read(&stream, after, 50, self.clock.now()).await? {
            StreamRead::Page(StreamPage { entries, .. }) => Ok(entries),
            StreamRead::Expired { next } => panic!("the cursor has expired, go on after {next}"),
        }
    }

    async fn try_poll(&self, after: u64) -> Result<Vec<Fetched>, AppError> {
        let mut entries = self.page(after).await?;
        app::hand_out(&self.fetching(), &mut entries).await?;
        let shown = entries.into_iter().map(|entry| {
            let text = String::from_utf8(entry.body.to_vec()).unwrap();
            (entry.seq, text, entry.offer.and_then(|offer| offer.handed_at))
        });
        Ok(shown.collect())
    }

    /// What the connector gets after a place.
    async fn poll(&self, after: u64) -> Vec<Fetched> {
        self.try_poll(after).await.unwrap()
    }

    /// The same without what is passed over.
    async fn texts_after(&self, after: u64) -> Vec<String> {
        self.poll(after).await.into_iter().map(|(_, text, _)| text).filter(|text| !text.is_empty()).collect()
    }

    fn time(&self) -> EpochMillis {
        self.clock.now()
    }

    fn attempts(&self, key: &DeliveryKey) -> usize {
        self.story(key).iter().filter(|event| matches!(event, StoryEvent::HandedOver { .. })).count()
    }
}

fn sending(attempt: u32, started_at: EpochMillis) -> DeliveryState {
    DeliveryState::Sending { attempt, started_at, deadline: started_at.plus(seconds(90)), pushes: 1, next_push: None }
}

#[tokio::test]
async fn clock_starts_with_the_poll_that_first_contains_it() {
    let world = World::polling();
    let answer = world.answer_under_way().await;
    let until = world.time().plus(seconds(DAY));
    world.pass(seconds(3600)).await;
    assert_eq!(world.state(&answer), DeliveryState::Offered { attempt: 1, until }, "nothing is an attempt before");
    let now = world.time();
    assert_eq!(world.poll(0).await, [(1, "Hello".to_owned(), Some(now))]);
    assert_eq!(world.state(&answer), sending(1, now));
    assert_eq!(world.story(&answer), [StoryEvent::Offered { attempt: 1 }, StoryEvent::HandedOver { attempt: 1 }]);
    assert!(world.texts_at(&visitor_account_id()).is_empty(), "nothing is pushed");
}

#[tokio::test]
async fn old_cursor_brings_the_same_again_and_no_new_attempt() {
    let world = World::polling();
    let answer = world.answer_under_way().await;
    let first = world.poll(0).await;
    world.pass(seconds(60)).await;
    assert_eq!(world.poll(0).await, first);
    assert_eq!(world.poll(1).await, []);
    assert_eq!(world.attempts(&answer), 1);
}

#[tokio::test]
async fn acknowledgement_in_time_settles_and_tells_the_desk() {
    let world = World::polling();
    let answer = world.answer_under_way().await;
    world.poll(0).await;
    world.pass(Duration::from_millis(89_900)).await;
    assert_eq!(world.acknowledge(&answer, Ok(Some("ext"))).await, Acknowledged::Settled);
    world.pass(seconds(600)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Sent { .. }));
    assert_eq!(world.story(&answer).last(), Some(&StoryEvent::Acknowledged { late: false, after_failure: false }));
    assert_eq!(world.receipts_at(&desk_account_id()), [SENT]);
    assert!(world.is_at_rest(answer.message.conversation()));
    assert_eq!(world.texts_after(0).await, Vec::<String>::new(), "its attempt is over");
}

#[tokio::test]
async fn acknowledgement_of_what_nobody_fetched_is_of_an_unknown_message() {
    let world = World::polling();
    let answer = world.answer_under_way().await;
    for word in [Ok(None), Err("no")] {
        assert_eq!(world.acknowledge(&answer, word).await, Acknowledged::Unknown);
    }
    assert!(matches!(world.state(&answer), DeliveryState::Offered { attempt: 1, .. }));
}

#[tokio::test]
async fn attempt_without_acknowledgement_is_followed_by_a_new_place_once_it_is_due() {
    let world = World::polling();
    let answer = world.answer_under_way().await;
    world.pass(seconds(500)).await;
    let first = world.time();
    world.poll(0).await;
    world.pass(Duration::from_millis(89_900)).await;
    assert_eq!(world.state(&answer), sending(1, first));
    world.pass(Duration::from_millis(200)).await;
    assert!(matches!(world.state(&answer), DeliveryState::RetryWait { attempt: 1, .. }));
    assert_eq!(world.story(&answer).last(), Some(&StoryEvent::NoAcknowledgement { attempt: 1, given_up: false }));
    world.pass(Duration::from_millis(29_800)).await;
    assert_eq!(world.poll(1).await, [], "the delay is not over");
    world.pass(seconds(1)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Offered { attempt: 2, .. }));
    let second = world.time();
    assert_eq!(world.poll(0).await, [(1, String::new(), Some(first)), (2, "Hello".to_owned(), Some(second))]);
    assert_eq!(world.state(&answer), sending(2, second));
    assert_eq!(world.acknowledge(&answer, Ok(None)).await, Acknowledged::Settled);
}

#[tokio::test]
async fn three_attempts_without_acknowledgement_fail() {
    let world = World::polling();
    let answer = world.answer_under_way().await;
    for attempt in 1..=3 {
        assert_eq!(world.texts_after(attempt - 1).await, ["Hello"]);
        world.pass(seconds(90 + 121)).await;
    }
    assert!(matches!(world.state(&answer), DeliveryState::Failed { reason: FailureReason::NoAcknowledgement, .. }));
    assert_eq!(world.story(&answer).last(), Some(&StoryEvent::NoAcknowledgement { attempt: 3, given_up: true }));
    assert_eq!((world.receipts_at(&desk_account_id()), world.queue.dead_letters().len()), (vec![FAILED], 1));
    assert_eq!(world.texts_after(0).await, Vec::<String>::new());
    assert_eq!(world.acknowledge(&answer, Ok(None)).await, Acknowledged::Settled);
    assert_eq!(world.story(&answer).last(), Some(&StoryEvent::Acknowledged { late: true, after_failure: true }));
}

#[tokio::test]
async fn nobody_polls_for_24_hours_and_the_connector_is_absent() {
    let world = World::polling();
    let answer = world.answer_under_way().await;
    world.pass(seconds(DAY - 1)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Offered { .. }));
    world.pass(seconds(120)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Failed { reason: FailureReason::Expired, .. }));
    assert_eq!(world.story(&answer).last(), Some(&StoryEvent::ConnectorAbsent));
    assert_eq!((world.receipts_at(&desk_account_id()), world.queue.dead_letters().len()), (vec![FAILED], 1));
    assert_eq!(world.attempts(&answer), 0);
    assert!(world.is_at_rest(answer.message.conversation()));
}

#[tokio::test]
async fn attempt_that_nobody_fetches_for_24_hours_fails_too() {
    let world = World::polling();
    let answer = world.answer_under_way().await;
    world.poll(0).await;
    // Polls whose cursor is behind it do not fetch it.
    world.pass(seconds(DAY + 300)).await;
    assert_eq!(world.story(&answer).last(), Some(&StoryEvent::ConnectorAbsent));
    assert_eq!((world.attempts(&answer), world.queue.dead_letters().len()), (1, 1));
}

#[tokio::test]
async fn late_word_settles_what_waits_to_be_fetched_again() {
    for word in [Ok(None), Err("mailbox full")] {
        let world = World::polling();
        let answer = world.answer_under_way().await;
        world.poll(0).await;
        world.pass(seconds(125)).await;
        assert!(matches!(world.state(&answer), DeliveryState::Offered { attempt: 2, .. }));
        assert_eq!(world.acknowledge(&answer, word).await, Acknowledged::Settled);
        assert_eq!(world.texts_after(0).await, Vec::<String>::new(), "the repetition is cancelled");
        world.pass(seconds(600)).await;
        assert_eq!(world.attempts(&answer), 1);
        assert_eq!(world.receipts_at(&desk_account_id()), [if word.is_ok() { SENT } else { FAILED }]);
        assert!(world.is_at_rest(answer.message.conversation()));
    }
}

#[tokio::test]
async fn what_is_said_later_is_offered_when_what_is_before_it_is_settled() {
    let world = World::polling();
    let first = world.visitor_says("+420700000001", "sms-1", "Hi").await;
    world.work().await;
    let one = world.staff_says(first, "m-1", "one").await;
    let two = world.staff_says(first, "m-2", "two").await;
    world.pass(seconds(60)).await;
    assert_eq!(world.texts_after(0).await, ["one"]);
    assert_eq!(world.state(&two), DeliveryState::Queued);
    world.acknowledge(&one, Ok(None)).await;
    world.work().await;
    assert_eq!(world.texts_after(1).await, ["two"]);
}

#[tokio::test]
async fn connector_that_is_pushed_again_gets_what_was_offered() {
    let world = World::polling();
    let answer = world.answer_under_way().await;
    world.polls.store(false, Ordering::SeqCst);
    let task = DeliverTask::V1 { lane: answer.lane(), entry: Some(answer.entry()), put_off: 0, due: None };
    world.run(QueuedTask::Deliver(task)).await;
    assert_eq!(world.texts_at(&visitor_account_id()), ["Hello"]);
    assert_eq!(world.state(&answer), sending(1, world.time()));
    // It is the same attempt, whichever way it went, so a poll may hold it too.
    assert_eq!(world.texts_after(0).await, ["Hello"]);
    assert_eq!(world.attempts(&answer), 1);
}

#[tokio::test]
async fn what_cannot_be_put_into_words_fails_as_an_attempt_does() {
    let world = World::polling();
    let first = world.visitor_says("+420700000001", "sms-1", "Hi").await;
    world.work().await;
    let answer = world.staff_says(first, "m-1", "unspeakable").await;
    world.work().await;
    assert_eq!(world.attempts(&answer), 1);
    assert_eq!(world.poll(0).await, []);
}

#[tokio::test]
async fn replayed_failure_is_offered_again_and_its_old_places_stay_silent() {
    let world = World::polling();
    let answer = world.answer_under_way().await;
    world.poll(0).await;
    world.acknowledge(&answer, Err("mailbox full")).await;
    world.work().await;
    assert_eq!(app::replay(&world.ctx(|store| store), &answer).await.unwrap(), app::Replayed::Queued);
    world.pass(seconds(91)).await;
    let texts: Vec<_> = world.poll(0).await.into_iter().map(|(seq, text, _)| (seq, text)).collect();
    assert_eq!(texts, [(1, String::new()), (2, "Hello".to_owned())]);
    assert!(matches!(world.state(&answer), DeliveryState::Sending { attempt: 1, .. }));
}

#[tokio::test]
async fn two_polls_at_the_same_time_begin_one_attempt() {
    let world = World::polling();
    let answer = world.answer_under_way().await;
    let (a, b) = join(world.poll(0), world.poll(0)).await;
    assert_eq!((a.len(), &a), (1, &b));
    assert_eq!(world.attempts(&answer), 1);
}

#[tokio::test]
async fn poll_and_the_end_of_the_day_have_one_winner() {
    for (late, attempts) in [(Duration::ZERO, 1), (Duration::from_millis(1), 0)] {
        let world = World::polling();
        let answer = world.answer_under_way().await;
        world.clock.advance(seconds(DAY) - Duration::from_millis(1));
        let mut page = world.page(0).await.unwrap();
        // The page was read in time, and is given out now.
        world.clock.advance(late);
        let task = DeliverTask::V1 { lane: answer.lane(), entry: Some(answer.entry()), put_off: 0, due: None };
        let (fetched, ()) = join(app::hand_out(&world.fetching(), &mut page), world.run(QueuedTask::Deliver(task))).await;
        fetched.unwrap();
        assert_eq!((world.attempts(&answer), usize::from(!page[0].body.is_empty())), (attempts, attempts));
        let is_absent = world.story(&answer).last() == Some(&StoryEvent::ConnectorAbsent);
        assert_eq!(is_absent, attempts == 0);
    }
}

#[tokio::test]
async fn task_that_comes_twice_offers_once() {
    let world = World::polling();
    let first = world.visitor_says("+420700000001", "sms-1", "Hi").await;
    world.work().await;
    world.queue.duplicate_next(1);
    world.staff_says(first, "m-1", "Hello").await;
    world.pass(seconds(60)).await;
    assert_eq!(world.texts_after(0).await, ["Hello"]);
}

#[tokio::test]
async fn lost_timer_of_a_fetched_attempt_is_made_up_for_by_the_sweep() {
    let world = World::polling();
    let answer = world.answer_under_way().await;
    world.queue.drop_next(1);
    world.poll(0).await;
    world.pass(seconds(300)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Offered { attempt: 2, .. }));
}

#[tokio::test]
async fn timer_that_the_queue_does_not_take_fails_no_poll() {
    let world = World::polling();
    let answer = world.answer_under_way().await;
    world.queue.fail_next(1);
    assert_eq!(world.texts_after(0).await, ["Hello"]);
    world.pass(seconds(300)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Offered { attempt: 2, .. }));
}

#[tokio::test]
async fn process_may_end_at_any_point_and_each_attempt_is_offered_once() {
    for fault in [Fault::Refused, Fault::AnswerLost] {
        for place in 0..10 {
            let world = World::polling();
            let first = world.visitor_says("+420700000001", "sms-1", "Hi").await;
            world.work().await;
            let answer = world.staff_says(first, "m-1", "Hello").await;
            world.chats.faults().plan((0..place).map(|_| None).chain([Some(fault)]));
            // The connector comes every twenty seconds, keeps its cursor if there is no answer, and acknowledges the second
            // attempt.
            let (mut cursor, mut fetched) = (0, Vec::new());
            for _ in 0..40 {
                world.pass(seconds(20)).await;
                app::sweep(&world.ctx(|store| store)).await.unwrap();
                let Ok(page) = world.try_poll(cursor).await else { continue };
                cursor = page.last().map_or(cursor, |(seq, ..)| *seq);
                fetched.extend(page.into_iter().filter(|(_, text, _)| !text.is_empty()));
                if fetched.len() == 2 {
                    world.acknowledge(&answer, Ok(None)).await;
                }
            }
            let case = format!("{fault:?} at operation {place}");
            assert!(matches!(world.state(&answer), DeliveryState::Sent { .. }), "{case}: {:?}", world.state(&answer));
            assert_eq!((fetched.len(), world.attempts(&answer)), (2, 2), "{case}: {fetched:?}");
            assert!(fetched[0].2 < fetched[1].2, "{case}");
            assert_eq!(world.receipts_at(&desk_account_id()), [SENT], "{case}");
            assert!(world.is_at_rest(answer.message.conversation()), "{case}");
        }
    }
}
