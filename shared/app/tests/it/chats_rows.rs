//! Contract 5.1: one test per row that needs the store, and what time does.

use std::time::Duration;

use app::chats::{AgentAct, Enters, VisitorAct, log_out, note_poll, sweep, tick};
use chat::{ChatVisitor, Policy, Refusal};
use model::ChatTask;
use ports::Clock;

use crate::chats_world::{SECOND, World, filled, says, start, writes};

const MINUTE: Duration = Duration::from_secs(60);

/// A world in which Anna has been offered the chat of thread `t`.
async fn alerting() -> World {
    let world = World::staffed(Policy::default()).await;
    world.visitor("t", start()).await;
    world.forget_told().await;
    assert_eq!(world.state("t"), "Alerting Anna");
    world
}

/// A world in which Anna has the chat of thread `t`.
async fn answered(policy: Policy) -> World {
    let world = World::staffed(policy).await;
    world.visitor("t", start()).await;
    world.agent(&world.anna, "t", AgentAct::Answers).await;
    world.forget_told().await;
    world
}

#[tokio::test]
async fn row_2_two_chats_go_to_two_agents_and_the_third_waits() {
    let world = World::staffed(Policy::default()).await;
    for thread in ["a", "b", "c"] {
        world.visitor(thread, start()).await;
        world.clock.advance(SECOND);
    }
    assert_eq!(["a", "b", "c"].map(|thread| world.state(thread)), ["Alerting Anna", "Alerting Boris", "Waiting"]);
    assert_eq!(world.told_to(&world.boris).await, ["alert"]);
}

#[tokio::test]
async fn row_3_nothing_starts_while_the_gate_is_closed() {
    let world = World::new();
    world.configure(|plan| plan.desk.as_mut().unwrap().is_open = false);
    assert_eq!(world.visitor_may("t", start()).await, (vec![], Some(Refusal::GateClosed)));
    assert!(world.told().await.is_empty());
}

#[tokio::test]
async fn row_6_start_again_finds_the_chat_with_what_was_said() {
    let world = answered(Policy::default()).await;
    world.visitor("t", says("s", "Hi")).await;
    for name in ["r-1", "r-2"] {
        let again = VisitorAct::Start {
            visitor: ChatVisitor { culture: Some("cs".into()), ..ChatVisitor::default() },
            ext_response: None,
            form: Some(filled(name, &[])),
            enters: Enters::None,
        };
        assert_eq!(world.visitor("t", again).await, ["status Answered Anna g1 [1 Hi]"]);
    }
    let chat = world.chat("t");
    let attached = chat.forms.iter().map(|form| (form.form.to_string(), form.result.as_ref().map(ToString::to_string)));
    assert_eq!(attached.collect::<Vec<_>>(), [("question".to_owned(), Some("r-1".to_owned()))]);
    assert_eq!((chat.visitor.party_name.as_deref(), chat.visitor.culture.as_deref()), (Some("Eva"), Some("cs")));
    assert!(world.told().await.is_empty());
}

#[tokio::test]
async fn row_8_a_later_start_begins_another_chat() {
    let world = answered(Policy::default()).await;
    let before = world.chat("t");
    world.visitor("t", says("s", "Hi")).await;
    world.visitor("t", VisitorAct::Stop).await;
    let rev = world.chat("t").rev;
    assert_eq!(world.visitor("t", start()).await, ["status Pilot g2 []"]);
    let chat = world.chat("t");
    assert_eq!((chat.id, chat.counter), (before.id.next().unwrap(), 0));
    assert!(chat.rev > rev, "nobody takes the one for the other");
    assert_eq!(world.visitor("t", says("s", "Hi")).await, ["echo 1 Hi"], "the id is free again");
}

#[tokio::test]
async fn row_8_agent_of_a_chat_that_is_overdue_is_told_of_that_one() {
    let world = answered(Policy { inactivity: Some(MINUTE), ..Policy::default() }).await;
    world.timers.forget_all();
    world.clock.advance(MINUTE);
    world.log_in(&world.boris).await;
    assert_eq!(world.visitor("t", start()).await, ["status Closed Inactivity g1", "status Pilot g2 []"]);
    assert_eq!(world.told().await, ["status Waiting g2", "status Alerting Boris g2"]);
    assert_eq!(world.told_to(&world.anna).await, ["status Closed Inactivity g1"]);
    assert_eq!((world.load(&world.anna).await, world.load(&world.boris).await), (0, 1));
}

#[tokio::test]
async fn row_11_chat_that_nothing_matches_is_closed() {
    let world = World::new();
    world.configure(|plan| {
        plan.skill = None;
        plan.gate = serde_json::from_str(r#"{"gateway":[{"then":{"signal":"free"}}]}"#).unwrap();
    });
    world.visitor("t", start()).await;
    assert_eq!(world.told().await, ["status Closed System g1"]);
}

#[tokio::test]
async fn row_15_waiting_chat_is_offered_when_somebody_logs_in_longest_waiting_first() {
    let world = World::open(Policy::default());
    for thread in ["first", "second"] {
        world.visitor(thread, start()).await;
        world.clock.advance(SECOND);
    }
    assert_eq!(world.told().await, ["status Waiting g1", "status Waiting g1"]);
    world.log_in(&world.anna).await;
    assert_eq!((world.state("first"), world.state("second")), ("Alerting Anna".into(), "Waiting".into()));
    assert_eq!(world.told().await, ["status Alerting Anna g1"]);
    assert_eq!(world.told_to(&world.anna).await, ["alert"]);
    world.log_in(&world.boris).await;
    assert_eq!(world.state("second"), "Alerting Boris");
}

#[tokio::test]
async fn row_15_who_is_not_heard_of_for_a_minute_is_not_offered_anything() {
    let world = World::new();
    world.log_in(&world.anna).await;
    world.clock.advance(MINUTE - SECOND);
    world.visitor("a", start()).await;
    assert_eq!(world.state("a"), "Alerting Anna");
    world.visitor("a", VisitorAct::Stop).await;
    world.clock.advance(SECOND);
    assert_eq!(world.visitor_may("b", start()).await.1, Some(Refusal::GateClosed), "nobody is there");
    world.log_in(&world.boris).await;
    world.visitor("b", start()).await;
    world.visitor("c", start()).await;
    assert_eq!((world.state("b"), world.state("c")), ("Alerting Boris".into(), "Waiting".into()));
    // Polling again, Anna is back.
    assert_eq!(note_poll(&world.ctx, &world.desk, &world.anna.workplace).await.unwrap(), Some(world.anna.id.clone()));
    assert_eq!(world.state("c"), "Alerting Anna");
}

#[tokio::test]
async fn row_15_polling_keeps_an_agent_there_and_is_stored_now_and_then() {
    let world = World::new();
    world.log_in(&world.anna).await;
    world.chats.forget_operations();
    for _ in 0..120 {
        world.clock.advance(SECOND);
        note_poll(&world.ctx, &world.desk, &world.anna.workplace).await.unwrap();
    }
    let noted = world.chats.operations().iter().filter(|name| **name == "note_seen").count();
    assert_eq!(noted, 6);
    world.visitor("t", start()).await;
    assert_eq!(world.state("t"), "Alerting Anna");
    assert_eq!(note_poll(&world.ctx, &world.desk, &world.boris.workplace).await.unwrap(), None, "nobody is there");
}

#[tokio::test]
async fn row_15_logging_in_again_is_no_pause_and_leaving_is() {
    let world = World::staffed(Policy::default()).await;
    world.clock.advance(SECOND);
    world.log_in(&world.anna).await;
    world.visitor("a", start()).await;
    assert_eq!(world.state("a"), "Alerting Anna", "idle for longest still");
    log_out(&world.ctx, &world.desk, &world.boris.id).await.unwrap();
    world.visitor("b", start()).await;
    assert_eq!(world.state("b"), "Waiting");
}

#[tokio::test]
async fn row_15_workplace_has_one_agent() {
    let world = World::new();
    world.log_in(&world.anna).await;
    let boris = chat::Agent { workplace: world.anna.workplace.clone(), ..world.boris.clone() };
    world.log_in(&boris).await;
    world.visitor("t", start()).await;
    assert_eq!(world.state("t"), "Alerting Boris");
    assert_eq!(world.told_to(&boris).await, ["alert"]);
    assert_eq!(note_poll(&world.ctx, &world.desk, &boris.workplace).await.unwrap(), Some(boris.id));
}

#[tokio::test]
async fn row_15_distribution_may_wait_for_the_first_word() {
    let world = World::staffed(Policy { distribution: chat::Distribution::AfterFirstText, ..Policy::default() }).await;
    world.visitor("t", start()).await;
    assert_eq!(world.state("t"), "Waiting");
    assert_eq!(world.visitor("t", says("s", "Hi")).await, ["echo 1 Hi"]);
    assert_eq!(world.told().await, ["status Waiting g1", "status Alerting Anna g1"]);
}

#[tokio::test]
async fn row_16_answer_names_the_agent_to_the_visitor() {
    let world = alerting().await;
    world.visitor("t", says("s", "Hi")).await;
    assert_eq!(world.agent(&world.anna, "t", AgentAct::Answers).await, ["status Answered Anna g1 [1 Hi]"]);
    assert_eq!(world.told().await, ["status Answered Anna g1"]);
    // Row 30.
    assert_eq!(world.agent(&world.anna, "t", AgentAct::Answers).await, ["status Answered Anna g1 [1 Hi]"]);
    assert!(world.told().await.is_empty());
}

#[tokio::test]
async fn row_17_alert_that_is_over_goes_to_the_next_agent_by_the_timer() {
    let world = alerting().await;
    world.wait(Duration::from_millis(29_999)).await;
    assert_eq!(world.state("t"), "Alerting Anna");
    world.wait(Duration::from_millis(1)).await;
    assert_eq!(world.state("t"), "Alerting Boris");
    assert_eq!(world.told().await, ["status Waiting g1", "status Alerting Boris g1"]);
    assert_eq!(world.told_to(&world.anna).await, ["alert end"]);
    assert_eq!(world.told_to(&world.boris).await, ["alert"]);
    assert_eq!((world.load(&world.anna).await, world.load(&world.boris).await), (0, 1));
}

#[tokio::test]
async fn row_17_agent_is_offered_the_chat_again_after_a_minute_if_nobody_else_is_there() {
    let world = World::new();
    world.log_in(&world.anna).await;
    world.visitor("t", start()).await;
    world.wait(30 * SECOND).await;
    assert_eq!(world.state("t"), "Waiting");
    world.wait(MINUTE - SECOND).await;
    assert_eq!(world.state("t"), "Waiting");
    world.wait(SECOND).await;
    assert_eq!(world.state("t"), "Alerting Anna");
}

#[tokio::test]
async fn row_17_agent_whose_alert_is_over_takes_the_next_chat() {
    let world = World::new();
    world.log_in(&world.anna).await;
    for thread in ["a", "b"] {
        world.visitor(thread, start()).await;
        world.clock.advance(SECOND);
    }
    // Only the timer of the alert: whatever looks at the other chat must not be what offers it.
    world.clock.set(world.chat("a").due_at().unwrap());
    let conversation = world.chat("a").conversation();
    let _ = note_poll(&world.ctx, &world.desk, &world.anna.workplace).await.unwrap();
    tick(&world.ctx, &ChatTask::V1 { conversation, at: world.clock.now() }).await.unwrap();
    assert_eq!((world.state("a"), world.state("b")), ("Waiting".into(), "Alerting Anna".into()));
}

#[tokio::test]
async fn row_18_refusal_goes_to_the_next_agent() {
    let world = alerting().await;
    assert_eq!(world.agent(&world.anna, "t", AgentAct::HangsUp).await, ["status Waiting g1 []"]);
    assert_eq!(world.told().await, ["status Waiting g1", "status Alerting Boris g1"]);
    assert_eq!(world.told_to(&world.boris).await, ["alert"]);
    assert_eq!((world.load(&world.anna).await, world.load(&world.boris).await), (0, 1));
}

#[tokio::test]
async fn row_19_hang_up_closes_and_frees_the_agent_for_the_longest_waiting() {
    let world = World::new();
    world.log_in(&world.anna).await;
    for thread in ["t", "next", "last"] {
        world.visitor(thread, start()).await;
        world.clock.advance(SECOND);
    }
    world.agent(&world.anna, "t", AgentAct::Answers).await;
    world.forget_told().await;
    assert_eq!(world.agent(&world.anna, "t", AgentAct::HangsUp).await, ["status Closed Agent g1 []"]);
    assert_eq!((world.state("next"), world.state("last")), ("Alerting Anna".into(), "Waiting".into()));
    assert_eq!(world.told_to(&world.anna).await, ["alert"]);
    assert_eq!(world.told().await, ["status Closed Agent g1", "status Alerting Anna g1"]);
    // Row 29.
    assert_eq!(world.agent(&world.anna, "t", AgentAct::HangsUp).await, ["status Closed Agent g1 []"]);
}

#[tokio::test]
async fn row_19_only_the_agent_of_the_chat_hangs_up() {
    let world = answered(Policy::default()).await;
    let refused = world.agent_may(&world.boris, "t", AgentAct::HangsUp).await;
    assert_eq!(refused, (vec![], Some(Refusal::NotYourChat)));
    assert_eq!(world.state("t"), "Answered Anna");
    let mut stranger = world.envelope();
    stranger.kept = None;
    let elsewhere = "frontstage/other-desk".parse().unwrap();
    let chat = world.chat("t").id;
    let outcome = app::chats::agent_event(&world.ctx, &elsewhere, &world.anna, chat, AgentAct::Asks, &stranger).await.unwrap();
    let app::chats::ChatOutcome::Done(done) = outcome else { panic!() };
    assert_eq!((done.answers.len(), done.refusal), (0, Some(Refusal::UnknownChat)), "a chat of another desk is unknown");
    let next = chat.next().unwrap();
    let outcome = world.try_agent(&world.anna, next, AgentAct::Asks, &world.envelope()).await.unwrap();
    let app::chats::ChatOutcome::Done(done) = outcome else { panic!() };
    assert_eq!(done.refusal, Some(Refusal::UnknownChat));
}

#[tokio::test]
async fn row_20_returned_chat_goes_to_another_agent() {
    let world = answered(Policy::default()).await;
    assert_eq!(world.agent(&world.anna, "t", AgentAct::Returns).await, ["status Waiting g1"]);
    assert_eq!(world.told().await, ["status Waiting g1", "status Alerting Boris g1"]);
    assert_eq!((world.load(&world.anna).await, world.load(&world.boris).await), (0, 1));
}

#[tokio::test]
async fn row_21_stop_tells_the_agent_who_has_it() {
    let world = answered(Policy::default()).await;
    assert_eq!(world.visitor("t", VisitorAct::Stop).await, ["status Closed ExtApp g1"]);
    assert_eq!(world.told_to(&world.anna).await, ["status Closed ExtApp g1"]);
    assert_eq!(world.load(&world.anna).await, 0);
    // Row 28.
    assert_eq!(world.visitor("t", VisitorAct::Stop).await, ["status Closed ExtApp g1"]);
    assert!(world.told_to(&world.anna).await.is_empty());
}

#[tokio::test]
async fn row_21_stop_ends_the_alert() {
    let world = alerting().await;
    world.visitor("t", VisitorAct::Stop).await;
    assert_eq!(world.told_to(&world.anna).await, ["alert end", "status Closed ExtApp g1"]);
    assert_eq!(world.load(&world.anna).await, 0);
}

#[tokio::test]
async fn row_22_silence_closes_the_chat_by_a_timer_that_no_queue_delays_for_so_long() {
    let hour = Duration::from_secs(3600);
    let world = answered(Policy { inactivity: Some(hour), ..Policy::default() }).await;
    world.wait(MINUTE).await;
    world.visitor("t", says("s", "Hi")).await;
    world.wait(hour - SECOND).await;
    assert_eq!(world.state("t"), "Answered Anna");
    assert_eq!(world.timers.count(), 1, "one timer, whatever was said");
    world.wait(SECOND).await;
    assert_eq!(world.state("t"), "Closed Inactivity");
    assert_eq!(world.told().await, ["status Closed Inactivity g1"]);
    assert_eq!(world.told_to(&world.anna).await, ["in 1 Hi", "status Closed Inactivity g1"]);
    assert_eq!((world.load(&world.anna).await, world.timers.count()), (0, 0));
}

#[tokio::test]
async fn row_22_lost_timer_is_found_by_the_sweep() {
    let world = answered(Policy { inactivity: Some(MINUTE), ..Policy::default() }).await;
    // Until the timers of the alert are through.
    world.wait(MINUTE - SECOND).await;
    world.timers.forget_all();
    world.clock.advance(SECOND + Duration::from_millis(14_999));
    assert_eq!(sweep(&world.ctx).await.unwrap(), 0, "the timer may still come");
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(sweep(&world.ctx).await.unwrap(), 1);
    assert_eq!(world.state("t"), "Closed Inactivity");
    assert_eq!(sweep(&world.ctx).await.unwrap(), 0);
}

#[tokio::test]
async fn row_22_what_comes_too_late_finds_it_closed_though_no_timer_fired() {
    let world = answered(Policy { inactivity: Some(MINUTE), ..Policy::default() }).await;
    world.timers.forget_all();
    world.clock.advance(MINUTE);
    assert_eq!(world.agent_may(&world.anna, "t", writes("a", "Hi")).await, (vec![], Some(Refusal::ChatClosed)));
    assert_eq!(world.state("t"), "Closed Inactivity");
    assert_eq!(world.told().await, ["status Closed Inactivity g1"]);
    assert_eq!(world.told_to(&world.anna).await, ["status Closed Inactivity g1"]);
}

#[tokio::test]
async fn row_23_sentence_is_echoed_in_every_state_and_told_to_an_agent_who_has_the_chat() {
    let world = World::open(Policy::default());
    world.visitor("t", start()).await;
    assert_eq!(world.visitor("t", says("1", "a")).await, ["echo 1 a"]);
    world.log_in(&world.anna).await;
    assert_eq!(world.visitor("t", says("2", "b")).await, ["echo 2 b"]);
    world.agent(&world.anna, "t", AgentAct::Answers).await;
    assert_eq!(world.visitor("t", says("3", "c")).await, ["echo 3 c"]);
    assert_eq!(world.told_to(&world.anna).await, ["alert", "in 3 c"]);
}

#[tokio::test]
async fn row_23_panel_is_an_echo_and_a_status() {
    let world = answered(Policy::default()).await;
    let panel = |text: &str| {
        let id = "p".to_owned().try_into().unwrap();
        VisitorAct::Speaks(chat::Draft::new(id, chat::SentenceKind::Panel, text.to_owned(), None, None).unwrap())
    };
    assert_eq!(world.visitor("t", panel("[x]")).await, ["echo 0 [x]"]);
    assert_eq!(world.told().await, ["status Answered Anna g1"]);
    assert_eq!(world.told_to(&world.anna).await, ["in 0 [x]"]);
    assert_eq!(world.visitor("t", panel("[x]")).await, ["echo 0 [x]"], "a retry");
    assert!(world.told_to(&world.anna).await.is_empty());
}

#[tokio::test]
async fn row_24_and_25_only_the_agent_of_the_chat_writes() {
    let world = answered(Policy::default()).await;
    assert_eq!(world.agent(&world.anna, "t", writes("a", "Hi")).await, ["echo 1 Hi"]);
    assert_eq!(world.told().await, ["out 1 Hi"]);
    assert_eq!(world.agent_may(&world.boris, "t", writes("b", "Hi")).await, (vec![], Some(Refusal::NotYourChat)));
    assert!(world.told().await.is_empty());
}

#[tokio::test]
async fn row_24_agent_who_changes_the_workplace_is_told_there() {
    let world = answered(Policy::default()).await;
    let moved = chat::Agent { workplace: "103".parse().unwrap(), ..world.anna.clone() };
    world.log_in(&moved).await;
    assert_eq!(world.agent(&moved, "t", AgentAct::Asks).await, ["status Answered Anna g1 []"]);
    world.visitor("t", says("s", "Hi")).await;
    assert_eq!(world.told_to(&moved).await, ["in 1 Hi"]);
    assert_eq!(world.load(&moved).await, 1);
}

#[tokio::test]
async fn row_26_sentence_revives_status_first_then_echo() {
    let world = answered(Policy { inertia: Some(MINUTE), ..Policy::default() }).await;
    world.visitor("t", says("1", "a")).await;
    world.agent(&world.anna, "t", AgentAct::HangsUp).await;
    world.forget_told().await;
    world.clock.advance(MINUTE - SECOND);
    world.log_in(&world.boris).await;
    assert_eq!(world.visitor("t", says("2", "b")).await, ["status Pilot g1", "echo 2 b"]);
    assert_eq!(world.told().await, ["status Waiting g1", "status Alerting Boris g1"]);
    assert_eq!(world.agent(&world.boris, "t", AgentAct::Answers).await, ["status Answered Boris g1 [1 a, 2 b]"]);
}

#[tokio::test]
async fn row_26_sentence_revives_a_chat_that_ended_unnoticed_and_its_agent_is_told() {
    let world = answered(Policy { inactivity: Some(MINUTE), inertia: Some(MINUTE), ..Policy::default() }).await;
    world.timers.forget_all();
    world.clock.advance(MINUTE);
    world.log_in(&world.boris).await;
    let answers = world.visitor("t", says("s", "Hi")).await;
    assert_eq!(answers, ["status Closed Inactivity g1", "status Pilot g1", "echo 1 Hi"], "in the order in which it happened");
    assert_eq!(world.told_to(&world.anna).await, ["status Closed Inactivity g1"]);
    assert_eq!((world.load(&world.anna).await, world.load(&world.boris).await), (0, 1));
}

#[tokio::test]
async fn section_12_nobody_comes_back_to_a_chat_that_is_kept_no_longer() {
    let day = 1_440 * MINUTE;
    for (days, is_revived) in [(89, true), (90, false)] {
        let world = answered(Policy { inertia: Some(365 * day), ..Policy::default() }).await;
        let id = world.chat("t").id;
        world.agent(&world.anna, "t", AgentAct::HangsUp).await;
        world.clock.advance(days * day);
        world.log_in(&world.anna).await;
        world.visitor("t", start()).await;
        let expected = if is_revived { id } else { id.next().unwrap() };
        assert_eq!(world.chat("t").id, expected, "after {days} days");
    }
}

#[tokio::test]
async fn row_27_sentence_too_late_is_refused() {
    let world = answered(Policy { inertia: Some(MINUTE), ..Policy::default() }).await;
    world.agent(&world.anna, "t", AgentAct::HangsUp).await;
    world.clock.advance(MINUTE);
    assert_eq!(world.visitor_may("t", says("s", "Hi")).await, (vec![], Some(Refusal::ChatClosed)));
}

#[tokio::test]
async fn row_32_answer_just_after_the_alert_gets_status_and_error() {
    let world = alerting().await;
    log_out(&world.ctx, &world.desk, &world.boris.id).await.unwrap();
    world.clock.advance(30 * SECOND);
    let late = world.agent_may(&world.anna, "t", AgentAct::Answers).await;
    assert_eq!(late, (vec!["alert end".into(), "status Waiting g1 []".into()], Some(Refusal::AlertOver)));
    assert_eq!(world.told().await, ["status Waiting g1"]);
    assert_eq!(world.load(&world.anna).await, 0);
}

#[tokio::test]
async fn row_33_thread_without_a_chat_is_unknown() {
    let world = World::new();
    for act in [VisitorAct::Stop, VisitorAct::Asks, VisitorAct::Types { is_typing: true }, says("s", "Hi")] {
        assert_eq!(world.visitor_may("t", act).await, (vec![], Some(Refusal::UnknownChat)));
    }
    assert!(world.told().await.is_empty());
}

#[tokio::test]
async fn timer_for_nothing_does_nothing() {
    let world = answered(Policy::default()).await;
    let conversation = world.chat("t").conversation();
    let before = world.chat("t");
    world.chats.forget_operations();
    tick(&world.ctx, &ChatTask::V1 { conversation, at: world.clock.now() }).await.unwrap();
    tick(&world.ctx, &ChatTask::V1 { conversation: "00112233445566778899".parse().unwrap(), at: world.clock.now() })
        .await
        .unwrap();
    assert_eq!(world.chats.operations(), ["chat", "chat"]);
    assert_eq!(world.chat("t"), before);
}
