//! Repetitions, faults, and two who do something at the same time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use app::AppError;
use app::chats::{AgentAct, Asking, ChatOutcome, Handled, VisitorAct, sweep};
use chat::{ChatVisitor, Policy, Refusal};
use model::EpochMillis;
use ports::{Clock, StreamKey};
use testkit::{Fault, ManualClock};

use crate::chats_world::{SECOND, World, entry_says, says, start, texts, writes};

/// What was answered, without the chat as it is.
fn done(outcome: Result<ChatOutcome, AppError>) -> Handled {
    match outcome.unwrap() {
        ChatOutcome::Done(handled) => Handled { chat: None, ..handled },
        other => panic!("{other:?}"),
    }
}

/// The same envelope with a nonce of its own, as a sender repeats it.
fn again(world: &World, id: u128, times: u32) -> Asking {
    world.envelope_of(id, &format!("again-{id}-{times}"), "same")
}

/// Every number of the stream is there, and of one chat's sentences the later has the higher.
fn assert_in_order(world: &World, stream: &StreamKey) {
    let told = world.chats.told(stream);
    let numbers: Vec<_> = told.iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, (1..=told.len() as u64).collect::<Vec<_>>(), "no number is missing");
    let counters = told.iter().map(entry_says).filter_map(|line| {
        let mut words = line.split(' ');
        matches!(words.next(), Some("echo" | "in" | "out")).then(|| words.next().unwrap().parse::<u64>().unwrap())
    });
    assert!(counters.is_sorted(), "{:?}", texts(&told));
}

async fn answered() -> World {
    let world = World::staffed(Policy::default()).await;
    world.visitor("t", start()).await;
    world.agent(&world.anna, "t", AgentAct::Answers).await;
    world.forget_told().await;
    world
}

#[tokio::test]
async fn repeated_envelope_gets_the_answer_of_the_first_time() {
    let world = World::staffed(Policy::default()).await;
    let start_first = done(world.try_visitor("t", start(), &again(&world, 70, 1)).await);
    let said_first = done(world.try_visitor("t", says("s", "Hi"), &again(&world, 71, 1)).await);
    world.agent(&world.anna, "t", AgentAct::Answers).await;
    world.forget_told().await;
    for times in 2..4 {
        let repeated = done(world.try_visitor("t", start(), &again(&world, 70, times)).await);
        assert_eq!(repeated, Handled { is_duplicate: true, ..start_first.clone() });
        let repeated = done(world.try_visitor("t", says("s", "Hi"), &again(&world, 71, times)).await);
        assert_eq!(repeated, Handled { is_duplicate: true, ..said_first.clone() });
    }
    assert_eq!(texts(&start_first.answers), ["status Pilot g1 []"]);
    assert!(world.told_to(&world.anna).await.is_empty());
    assert!(world.told().await.iter().all(|line| line == "skip"), "nobody waits for numbers that were not used");
    assert_eq!(world.chat("t").counter, 1);
}

#[tokio::test]
async fn repeated_agent_envelope_gets_the_answer_of_the_first_time() {
    let world = World::staffed(Policy::default()).await;
    world.visitor("t", start()).await;
    let chat = world.chat("t").id;
    let first = done(world.try_agent(&world.anna, chat, AgentAct::Answers, &again(&world, 80, 1)).await);
    world.agent(&world.anna, "t", AgentAct::HangsUp).await;
    let repeated = done(world.try_agent(&world.anna, chat, AgentAct::Answers, &again(&world, 80, 2)).await);
    assert_eq!(repeated, Handled { is_duplicate: true, ..first });
    assert_eq!(texts(&repeated.answers), ["status Answered Anna g1 []"]);
}

#[tokio::test]
async fn same_envelope_id_for_something_else_and_same_nonce_are_refused() {
    let world = World::open(Policy::default());
    done(world.try_visitor("t", start(), &world.envelope_of(70, "n-1", "a")).await);
    let other = world.try_visitor("t", says("s", "Hi"), &world.envelope_of(70, "n-2", "b")).await.unwrap();
    assert_eq!(other, ChatOutcome::IdReused);
    let replayed = world.try_visitor("t", says("s", "Hi"), &world.envelope_of(71, "n-1", "c")).await.unwrap();
    assert_eq!(replayed, ChatOutcome::Replayed);
    let list = app::chats::gateway_list(&world.ctx, &world.gateway.id, &world.envelope_of(72, "n-1", "d")).await.unwrap();
    assert_eq!(list, ChatOutcome::Replayed);
    assert_eq!(world.chat("t").counter, 0);
    assert_in_order(&world, &world.gateway_stream());
}

#[tokio::test]
async fn refusal_is_repeated_too() {
    let world = World::new();
    world.configure(|plan| plan.desk.as_mut().unwrap().is_open = false);
    let refused = |is_duplicate| Handled { is_duplicate, refusal: Some(Refusal::GateClosed), ..Handled::default() };
    assert_eq!(done(world.try_visitor("t", start(), &again(&world, 70, 1)).await), refused(false));
    world.configure(|_| ());
    world.log_in(&world.anna).await;
    assert_eq!(done(world.try_visitor("t", start(), &again(&world, 70, 2)).await), refused(true));
    assert_eq!(done(world.try_visitor("t", start(), &again(&world, 71, 1)).await).refusal, None);
    let unknown = |is_duplicate| Handled { is_duplicate, refusal: Some(Refusal::UnknownChat), ..Handled::default() };
    let missing = chat::ChatId::new("00112233445566778899".parse().unwrap(), 1).unwrap();
    for times in 1..3 {
        let asked = world.try_agent(&world.anna, missing, AgentAct::Asks, &again(&world, 72, times)).await;
        assert_eq!(done(asked), unknown(times > 1));
    }
}

#[tokio::test]
async fn lists_and_signals_are_repeated_as_they_were() {
    let world = World::new();
    let list = async |times| done(app::chats::gateway_list(&world.ctx, &world.gateway.id, &again(&world, 70, times)).await);
    let request = || VisitorAct::Request { visitor: ChatVisitor::default(), ext_response: None };
    let (first_list, first_signal) = (list(1).await, done(world.try_visitor("t", request(), &again(&world, 71, 1)).await));
    assert_eq!(texts(&first_list.answers), ["list []"]);
    world.log_in(&world.anna).await;
    world.visitor("t", start()).await;
    assert_eq!(list(2).await, Handled { is_duplicate: true, ..first_list });
    let repeated = done(world.try_visitor("t", request(), &again(&world, 71, 2)).await);
    assert_eq!(repeated, Handled { is_duplicate: true, ..first_signal });
    assert_in_order(&world, &world.gateway_stream());
}

#[tokio::test]
async fn answer_too_long_to_be_kept_is_given_anew() {
    let world = answered().await;
    world.visitor("t", says("long", &"x".repeat(150_000))).await;
    let chat = world.chat("t").id;
    let first = done(world.try_visitor("t", VisitorAct::Asks, &again(&world, 70, 1)).await);
    let theirs = done(world.try_agent(&world.anna, chat, AgentAct::Asks, &again(&world, 71, 1)).await);
    world.agent(&world.anna, "t", writes("a", "short")).await;
    let repeated = done(world.try_visitor("t", VisitorAct::Asks, &again(&world, 70, 2)).await);
    assert!(repeated.is_duplicate && entry_says(&repeated.answers[0]).ends_with(", 2 short]"));
    let repeated = done(world.try_agent(&world.anna, chat, AgentAct::Asks, &again(&world, 71, 2)).await);
    assert!(repeated.is_duplicate && entry_says(&repeated.answers[0]).ends_with(", 2 short]"));
    assert!(first.answers[0].body.len() > 150_000 && theirs.answers[0].body.len() > 150_000);
    let stored = world.chats.told(&world.gateway_stream());
    let statuses = stored.iter().filter(|entry| entry.is_delivered && entry.body.is_empty()).count();
    assert_eq!(statuses, 2);
}

#[tokio::test]
async fn one_envelope_twice_at_the_same_time_is_done_once() {
    let world = answered().await;
    let (one, two) = (again(&world, 70, 1), again(&world, 70, 2));
    let (one, two) = tokio::join!(world.try_visitor("t", says("s", "Hi"), &one), world.try_visitor("t", says("s", "Hi"), &two));
    let (one, two) = (done(one), done(two));
    assert_eq!([one.is_duplicate, two.is_duplicate].iter().filter(|is| **is).count(), 1);
    assert_eq!(one.answers, two.answers);
    assert_eq!(world.chat("t").counter, 1);
    assert_in_order(&world, &world.gateway_stream());
}

#[tokio::test]
async fn sentences_at_the_same_time_have_counters_without_gaps_in_the_order_of_the_streams() {
    let world = answered().await;
    for n in 0..25 {
        let ids = [format!("a-{n}"), format!("b-{n}"), format!("c-{n}")];
        let echoes = tokio::join!(
            world.visitor("t", says(&ids[0], "Hi")),
            world.agent(&world.anna, "t", writes(&ids[1], "Hi")),
            world.visitor("t", says(&ids[2], "Hi")),
        );
        let echoes = BTreeSet::from([echoes.0, echoes.1, echoes.2].map(|echo| echo.concat()));
        let expected = [1, 2, 3].map(|place| format!("echo {} Hi", 3 * n + place));
        assert_eq!(echoes, BTreeSet::from(expected));
    }
    assert_in_order(&world, &world.gateway_stream());
    assert_in_order(&world, &world.agent_stream(&world.anna));
    let told = world.told().await;
    assert_eq!(told.iter().filter(|line| line.starts_with("out ")).count(), 25);
    assert!(told.iter().any(|line| line == "skip"), "somebody lost a race");
}

/// A clock on which six seconds pass once, after it was first looked at.
struct Stall {
    clock: ManualClock,
    looks: AtomicU32,
}

impl Clock for Stall {
    fn now(&self) -> EpochMillis {
        if self.looks.fetch_add(1, Ordering::SeqCst) == 1 {
            self.clock.advance(6 * SECOND);
        }
        self.clock.now()
    }
}

#[tokio::test]
async fn turn_whose_numbers_have_grown_old_begins_again_with_new_ones() {
    let mut world = answered().await;
    world.forget_told().await;
    let before = world.ctx.chats.head(&world.gateway_stream(), world.clock.now()).await.unwrap().last;
    world.ctx.clock = Arc::new(Stall { clock: world.clock.clone(), looks: AtomicU32::new(0) });
    assert_eq!(world.visitor("t", says("s-1", "Hi")).await, ["echo 1 Hi"]);
    let head = world.ctx.chats.head(&world.gateway_stream(), world.clock.now()).await.unwrap();
    assert_eq!(head.last, before + 2, "a number for nothing, and one for the echo");
    assert_eq!(world.chat("t").counter, 1);
    assert_in_order(&world, &world.gateway_stream());
}

#[tokio::test]
async fn one_free_agent_is_offered_one_of_two_chats_that_start_at_once() {
    let world = World::open(Policy::default());
    world.log_in(&world.anna).await;
    let _ = tokio::join!(world.visitor("a", start()), world.visitor("b", start()));
    let states = BTreeSet::from([world.state("a"), world.state("b")]);
    assert_eq!(states, BTreeSet::from(["Alerting Anna".to_owned(), "Waiting".to_owned()]));
    assert_eq!(world.load(&world.anna).await, 1);
    assert_eq!(world.told_to(&world.anna).await, ["skip", "alert"], "both tried, the first was not the first to store");
    assert_in_order(&world, &world.gateway_stream());
}

#[tokio::test]
async fn two_free_agents_are_offered_one_chat_each_of_two_that_start_at_once() {
    let world = World::staffed(Policy::default()).await;
    let _ = tokio::join!(world.visitor("a", start()), world.visitor("b", start()));
    let states = BTreeSet::from([world.state("a"), world.state("b")]);
    assert_eq!(states, BTreeSet::from(["Alerting Anna".to_owned(), "Alerting Boris".to_owned()]));
    assert_eq!((world.load(&world.anna).await, world.load(&world.boris).await), (1, 1));
}

#[tokio::test]
async fn answer_and_end_of_the_alert_at_the_same_time_have_one_winner() {
    for is_late in [false, true] {
        let world = World::staffed(Policy::default()).await;
        world.visitor("t", start()).await;
        let by = if is_late { 30 * SECOND } else { 30 * SECOND - std::time::Duration::from_millis(1) };
        world.clock.advance(by);
        let (answer, ()) = tokio::join!(world.agent_may(&world.anna, "t", AgentAct::Answers), async {
            for task in world.timers.due() {
                app::chats::tick(&world.ctx, &task).await.unwrap();
            }
        });
        let (state, refusal) = if is_late { ("Alerting Boris", true) } else { ("Answered Anna", false) };
        assert_eq!((world.state("t").as_str(), answer.1.is_some()), (state, refusal));
        assert_eq!(world.load(&world.anna).await + world.load(&world.boris).await, 1);
    }
}

#[tokio::test]
async fn write_that_fails_leaves_nothing_and_the_same_envelope_does_it() {
    let world = answered().await;
    // Read and both reservations succeed.
    world.chats.faults().plan([None, None, None, Some(Fault::Refused)]);
    let failed = world.try_visitor("t", says("s", "Hi"), &again(&world, 70, 1)).await;
    assert!(matches!(failed, Err(AppError::Unavailable(_))));
    assert_eq!(world.chat("t").counter, 0);
    let handled = done(world.try_visitor("t", says("s", "Hi"), &again(&world, 70, 2)).await);
    assert!(!handled.is_duplicate);
    assert_eq!(texts(&handled.answers), ["echo 1 Hi"]);
    assert!(world.told_to(&world.anna).await.is_empty(), "hidden by a number that may still be used");
    world.clock.advance(10 * SECOND);
    assert_eq!(world.told_to(&world.anna).await, ["skip", "in 1 Hi"]);
}

#[tokio::test]
async fn write_whose_answer_is_lost_is_a_duplicate_the_next_time() {
    let world = answered().await;
    world.chats.faults().plan([None, None, None, Some(Fault::AnswerLost)]);
    world.try_visitor("t", says("s", "Hi"), &again(&world, 70, 1)).await.unwrap_err();
    let handled = done(world.try_visitor("t", says("s", "Hi"), &again(&world, 70, 2)).await);
    assert!(handled.is_duplicate);
    assert_eq!(texts(&handled.answers), ["echo 1 Hi"]);
    assert_eq!(world.told_to(&world.anna).await, ["in 1 Hi"]);
}

#[tokio::test]
async fn timer_that_cannot_be_set_is_no_reason_to_refuse() {
    let world = World::staffed(Policy::default()).await;
    world.timers.faults().next(1, Fault::Refused);
    assert_eq!(world.visitor("t", start()).await, ["status Pilot g1 []"]);
    assert_eq!(world.timers.count(), 0);
    world.clock.advance(45 * SECOND);
    assert_eq!(sweep(&world.ctx).await.unwrap(), 1);
    assert_ne!(world.state("t"), "Alerting Anna");
}

#[tokio::test]
async fn offer_that_fails_does_not_spoil_what_called_for_it() {
    let world = World::open(Policy::default());
    world.log_in(&world.anna).await;
    world.visitor("t", start()).await;
    world.clock.advance(SECOND);
    world.visitor("next", start()).await;
    // The chat, the agents, two reservations and the change itself; then the look at who waits fails.
    world.chats.faults().plan([None, None, None, None, None, Some(Fault::Refused)]);
    assert_eq!(world.agent(&world.anna, "t", AgentAct::HangsUp).await, ["status Waiting g1 []"]);
    assert_eq!(world.state("next"), "Waiting");
    world.wait(10 * SECOND).await;
    assert_eq!(world.state("next"), "Alerting Anna");
}

#[tokio::test]
async fn sweep_that_can_do_nothing_says_so() {
    let world = World::staffed(Policy::default()).await;
    world.visitor("a", start()).await;
    world.visitor("b", start()).await;
    world.clock.advance(100 * SECOND);
    world.chats.faults().plan([None, Some(Fault::Refused), Some(Fault::Refused)]);
    assert!(sweep(&world.ctx).await.is_err());
    world.chats.faults().plan([None, Some(Fault::Refused)]);
    assert_eq!(sweep(&world.ctx).await.unwrap(), 1);
    assert_eq!(sweep(&world.ctx).await.unwrap(), 1);
}
