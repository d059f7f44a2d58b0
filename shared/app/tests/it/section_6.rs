//! FrontStage contract section 6, row by row, through the use cases: queues, timers and the store take part.

use std::time::Duration;

use app::Acknowledged;
use model::{DeadTask, DeliveryContent, DeliveryState, FailureReason, PushTask, ReceiptStatus, StoryEvent};
use testkit::Fault;
use testkit::fixtures::{desk_account_id, visitor_account_id};

use crate::world::{Answer, World, authors, delivery};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

const SENT: DeliveryContent = DeliveryContent::Receipt(ReceiptStatus::Sent);
const FAILED: DeliveryContent = DeliveryContent::Receipt(ReceiptStatus::Failed);

#[tokio::test]
async fn a_message_goes_to_the_desk_and_the_answer_comes_back() {
    let world = World::new();
    let first = world.visitor_says("+420700000001", "sms-1", "Hi").await;
    world.work().await;
    assert_eq!(world.texts_at(&desk_account_id()), ["Hi"]);
    assert!(matches!(world.state(&delivery(first, &desk_account_id())), DeliveryState::Sent { .. }));

    let answer = world.staff_says(first, "m-1", "Hello").await;
    world.work().await;
    assert_eq!(world.texts_at(&visitor_account_id()), ["Hello"]);
    assert_eq!(world.acknowledge(&answer, Ok(Some("ext-1"))).await, Acknowledged::Settled);
    world.work().await;
    assert_eq!(world.delivery(&answer).reference.as_deref(), Some("ext-1"));
    assert_eq!(world.receipts_at(&desk_account_id()), [SENT]);
    assert!(world.is_at_rest(first.conversation()));
    assert_eq!(authors(&world, first.conversation()), [model::Author::Visitor, model::Author::Desk]);
}

#[tokio::test]
async fn sending_acknowledged_in_the_answer_is_sent_at_once() {
    let world = World::new();
    world.plan(&visitor_account_id(), [Answer::TakenAndAcknowledged]);
    let answer = world.answer_under_way().await;
    assert!(matches!(world.state(&answer), DeliveryState::Sent { .. }));
    assert_eq!(world.receipts_at(&desk_account_id()), [SENT]);
    world.pass(seconds(600)).await;
    assert_eq!(world.texts_at(&visitor_account_id()), ["Hello"], "the timer finds it settled");
}

#[tokio::test]
async fn what_else_is_said_in_the_answer_is_handed_on() {
    let world = World::new();
    world.plan(&visitor_account_id(), [Answer::TakenWith("[1]")]);
    let answer = world.answer_under_way().await;
    assert!(matches!(world.state(&answer), DeliveryState::Sent { .. }));
    let heard = PushTask::HeardV1 { gateway: visitor_account_id(), said: "[1]".to_owned() };
    assert_eq!(world.heard.due(), [heard]);
}

#[tokio::test]
async fn push_whose_answer_could_not_be_handed_on_is_repeated_within_the_attempt() {
    let world = World::new();
    world.plan(&visitor_account_id(), [Answer::TakenWith("[1]"), Answer::TakenWith("[1]")]);
    world.heard.faults().next(1, Fault::Refused);
    let answer = world.answer_under_way().await;
    assert!(matches!(world.state(&answer), DeliveryState::Sending { attempt: 1, next_push: Some(_), .. }));
    world.pass(seconds(2)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Sent { .. }));
    assert_eq!(world.heard.waiting().len(), 1);
}

#[tokio::test]
async fn ninety_seconds_over_three_times_then_failed_with_a_dead_letter_and_an_error_to_the_desk() {
    let world = World::new();
    let start = ports::Clock::now(&world.clock);
    let answer = world.answer_under_way().await;
    world.pass(seconds(89) + Duration::from_millis(900)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Sending { attempt: 1, .. }));
    world.pass(Duration::from_millis(200)).await;
    assert!(matches!(world.state(&answer), DeliveryState::RetryWait { attempt: 1, .. }));
    world.pass(seconds(30)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Sending { attempt: 2, .. }));
    world.pass(seconds(90 + 120 + 1)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Sending { attempt: 3, .. }));
    world.pass(seconds(91)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Failed { reason: FailureReason::NoAcknowledgement, .. }));

    assert_eq!(world.texts_at(&visitor_account_id()), ["Hello", "Hello", "Hello"]);
    let expected = [
        StoryEvent::HandedOver { attempt: 1 },
        StoryEvent::NoAcknowledgement { attempt: 1, given_up: false },
        StoryEvent::HandedOver { attempt: 2 },
        StoryEvent::NoAcknowledgement { attempt: 2, given_up: false },
        StoryEvent::HandedOver { attempt: 3 },
        StoryEvent::NoAcknowledgement { attempt: 3, given_up: true },
    ];
    assert_eq!(world.story(&answer), expected);
    assert!(matches!(&world.queue.dead_letters()[..], [DeadTask::V1 { delivery, reason, .. }]
        if *delivery == answer && reason == "no_acknowledgement"));
    assert_eq!(world.receipts_at(&desk_account_id()), [FAILED]);
    assert!(world.is_at_rest(answer.message.conversation()));
    assert!(start < ports::Clock::now(&world.clock));
    let progress = *world.progress.lock().unwrap();
    assert_eq!((progress.retried, progress.failed), (2, 1));
}

#[tokio::test]
async fn an_explicit_error_is_final_and_not_repeated() {
    let world = World::new();
    let answer = world.answer_under_way().await;
    assert_eq!(world.acknowledge(&answer, Err("550 mailbox full")).await, Acknowledged::Settled);
    world.pass(seconds(900)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Failed { reason: FailureReason::Rejected, .. }));
    assert_eq!(world.texts_at(&visitor_account_id()), ["Hello"]);
    assert_eq!(world.receipts_at(&desk_account_id()), [FAILED]);
    assert_eq!(world.queue.dead_letters().len(), 1);
    assert_eq!(world.acknowledge(&answer, Ok(None)).await, Acknowledged::Duplicate);
}

#[tokio::test]
async fn an_error_with_empty_text_is_an_error() {
    let world = World::new();
    let answer = world.answer_under_way().await;
    assert_eq!(world.acknowledge(&answer, Err("")).await, Acknowledged::Settled);
    assert!(matches!(world.state(&answer), DeliveryState::Failed { reason: FailureReason::Rejected, .. }));
}

#[tokio::test]
async fn a_push_refused_with_4xx_ends_the_attempt_at_once() {
    let world = World::new();
    world.plan(&visitor_account_id(), [Answer::Status(404)]);
    let answer = world.answer_under_way().await;
    assert!(matches!(world.state(&answer), DeliveryState::RetryWait { attempt: 1, .. }));
    world.pass(seconds(30)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Sending { attempt: 2, .. }));
    assert_eq!(world.acknowledge(&answer, Ok(None)).await, Acknowledged::Settled);
}

#[tokio::test]
async fn three_refused_pushes_fail_the_delivery() {
    let world = World::new();
    world.plan(&visitor_account_id(), [Answer::Status(403); 3]);
    let answer = world.answer_under_way().await;
    world.pass(seconds(200)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Failed { reason: FailureReason::Refused, .. }));
    assert_eq!(world.queue.dead_letters().len(), 1);
}

#[tokio::test]
async fn a_push_without_answer_is_repeated_inside_the_same_ninety_seconds() {
    let world = World::new();
    world.plan(&visitor_account_id(), [Answer::Status(503), Answer::Lost, Answer::Status(429)]);
    let answer = world.answer_under_way().await;
    world.pass(seconds(1)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Sending { attempt: 1, pushes: 2, .. }));
    world.pass(seconds(2)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Sending { attempt: 1, pushes: 3, .. }));
    world.pass(seconds(4)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Sending { attempt: 1, pushes: 4, next_push: None, .. }));
    world.pass(seconds(90 - 7 + 1)).await;
    assert!(matches!(world.state(&answer), DeliveryState::RetryWait { attempt: 1, .. }), "the clock ran from the first push");
}

#[tokio::test]
async fn a_late_acknowledgement_during_retry_wait_cancels_the_repetition() {
    let world = World::new();
    let answer = world.answer_under_way().await;
    world.pass(seconds(95)).await;
    assert_eq!(world.acknowledge(&answer, Ok(None)).await, Acknowledged::Settled);
    world.pass(seconds(600)).await;
    assert_eq!(world.texts_at(&visitor_account_id()), ["Hello"]);
    assert_eq!(world.story(&answer).last(), Some(&StoryEvent::Acknowledged { late: true, after_failure: false }));
    assert_eq!(world.receipts_at(&desk_account_id()), [SENT]);
}

#[tokio::test]
async fn an_acknowledgement_meant_for_the_first_attempt_settles_the_second() {
    let world = World::new();
    let answer = world.answer_under_way().await;
    world.pass(seconds(125)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Sending { attempt: 2, .. }));
    assert_eq!(world.acknowledge(&answer, Ok(None)).await, Acknowledged::Settled);
    world.pass(seconds(600)).await;
    assert_eq!(world.texts_at(&visitor_account_id()), ["Hello", "Hello"]);
}

#[tokio::test]
async fn a_late_acknowledgement_after_failure_tells_the_truth_but_sends_no_lower_receipt() {
    let world = World::new();
    let answer = world.answer_under_way().await;
    world.pass(seconds(900)).await;
    assert_eq!(world.acknowledge(&answer, Ok(Some("ext"))).await, Acknowledged::Settled);
    world.pass(seconds(100)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Sent { .. }));
    assert_eq!(world.story(&answer).last(), Some(&StoryEvent::Acknowledged { late: true, after_failure: true }));
    assert_eq!(world.receipts_at(&desk_account_id()), [FAILED]);
}

#[tokio::test]
async fn a_late_error_after_a_timeout_keeps_it_failed_with_the_text() {
    let world = World::new();
    let answer = world.answer_under_way().await;
    world.pass(seconds(900)).await;
    assert_eq!(world.acknowledge(&answer, Err("bounced")).await, Acknowledged::Settled);
    assert!(matches!(world.state(&answer), DeliveryState::Failed { reason: FailureReason::Rejected, .. }));
    assert_eq!(world.story(&answer).last(), Some(&StoryEvent::Rejected { after_failure: true }));
}

#[tokio::test]
async fn a_second_acknowledgement_is_a_duplicate_and_the_reference_stays() {
    let world = World::new();
    let answer = world.answer_under_way().await;
    world.acknowledge(&answer, Ok(Some("first"))).await;
    assert_eq!(world.acknowledge(&answer, Ok(Some("second"))).await, Acknowledged::Duplicate);
    assert_eq!(world.acknowledge(&answer, Err("no")).await, Acknowledged::Duplicate);
    assert_eq!(world.delivery(&answer).reference.as_deref(), Some("first"));
}

#[tokio::test]
async fn sent_and_differing_content_later_is_noted_and_changes_nothing() {
    let world = World::new();
    let answer = world.answer_under_way().await;
    world.acknowledge(&answer, Ok(Some("first"))).await;
    world.work().await;
    let before = world.state(&answer);
    // The same again, or less, is no other word.
    for same in [Ok(Some("first")), Ok(None)] {
        assert_eq!(world.acknowledge(&answer, same).await, Acknowledged::Duplicate);
        assert_eq!(world.last_told(&answer).event, StoryEvent::Acknowledged { late: false, after_failure: false });
    }
    for (other, detail) in [(Ok(Some("second")), "second"), (Err("550 mailbox full"), "550 mailbox full")] {
        assert_eq!(world.acknowledge(&answer, other).await, Acknowledged::Duplicate);
        let told = world.last_told(&answer);
        assert_eq!((told.event, told.detail.as_deref()), (StoryEvent::Contradicted, Some(detail)));
    }
    world.pass(seconds(600)).await;
    assert_eq!(world.state(&answer), before);
    assert_eq!(world.delivery(&answer).reference.as_deref(), Some("first"));
    assert_eq!(world.receipts_at(&desk_account_id()), [SENT]);
    assert!(world.is_at_rest(answer.message.conversation()));
}

#[tokio::test]
async fn failed_by_connector_error_and_success_later_is_noted_and_the_first_word_stands() {
    let world = World::new();
    let answer = world.answer_under_way().await;
    world.acknowledge(&answer, Err("550 mailbox full")).await;
    world.work().await;
    assert_eq!(world.acknowledge(&answer, Err("551")).await, Acknowledged::Duplicate);
    assert_eq!(world.last_told(&answer).event, StoryEvent::Rejected { after_failure: false });
    assert_eq!(world.acknowledge(&answer, Ok(Some("ext"))).await, Acknowledged::Duplicate);
    assert_eq!(world.last_told(&answer).event, StoryEvent::Contradicted);
    assert!(matches!(world.state(&answer), DeliveryState::Failed { reason: FailureReason::Rejected, .. }));
    assert_eq!(world.delivery(&answer).reference, None);
}

#[tokio::test]
async fn clock_is_the_servers_and_the_time_stamp_is_stored_only() {
    let world = World::new();
    // In time by the server's clock, a day late by the connector's.
    let answer = world.answer_under_way().await;
    let said_at = ports::Clock::now(&world.clock).plus(seconds(86_400));
    assert_eq!(world.acknowledge_at(&answer, Ok(None), Some(said_at)).await, Acknowledged::Settled);
    let told = world.last_told(&answer);
    assert_eq!(told.event, StoryEvent::Acknowledged { late: false, after_failure: false });
    assert_eq!((told.at, told.said_at), (ports::Clock::now(&world.clock), Some(said_at)));

    // Late by the server's clock, in time by the connector's.
    let world = World::new();
    let answer = world.answer_under_way().await;
    let said_at = ports::Clock::now(&world.clock);
    world.pass(seconds(95)).await;
    assert_eq!(world.acknowledge_at(&answer, Ok(None), Some(said_at)).await, Acknowledged::Settled);
    let told = world.last_told(&answer);
    assert_eq!((told.event, told.said_at), (StoryEvent::Acknowledged { late: true, after_failure: false }, Some(said_at)));
}

#[tokio::test]
async fn an_unknown_message_and_a_message_of_another_account_are_unknown() {
    let world = World::new();
    let first = world.visitor_says("+420700000001", "sms-1", "Hi").await;
    assert_eq!(world.acknowledge(&delivery(first, &visitor_account_id()), Ok(None)).await, Acknowledged::Unknown);
    let never_handed_over = delivery(first, &desk_account_id());
    assert_eq!(world.acknowledge(&never_handed_over, Ok(None)).await, Acknowledged::Unknown);
}

#[tokio::test]
async fn a_queued_message_nobody_takes_for_24_hours_fails() {
    let world = World::new();
    let first = world.visitor_says("+420700000001", "sms-1", "Hi").await;
    world.work().await;
    let stuck = world.staff_says(first, "m-1", "one").await;
    let behind = world.staff_says(first, "m-2", "two").await;
    world.queue.forget_all();
    world.clock.advance(seconds(86_400));
    world.pass(seconds(300)).await;
    for key in [stuck, behind] {
        assert!(matches!(world.state(&key), DeliveryState::Failed { reason: FailureReason::Expired, .. }));
    }
    assert_eq!(world.queue.dead_letters().len(), 2);
}

#[tokio::test]
async fn a_replayed_failure_goes_out_again() {
    let world = World::new();
    let answer = world.answer_under_way().await;
    world.acknowledge(&answer, Err("mailbox full")).await;
    world.work().await;
    assert_eq!(app::replay(&world.ctx(|store| store), &answer).await.unwrap(), app::Replayed::Queued);
    assert_eq!(app::replay(&world.ctx(|store| store), &answer).await.unwrap(), app::Replayed::NotFailed);
    world.work().await;
    assert_eq!(world.texts_at(&visitor_account_id()), ["Hello", "Hello"]);
    world.acknowledge(&answer, Ok(None)).await;
    world.pass(seconds(100)).await;
    assert!(matches!(world.state(&answer), DeliveryState::Sent { .. }));
    assert!(world.is_at_rest(answer.message.conversation()));
}
