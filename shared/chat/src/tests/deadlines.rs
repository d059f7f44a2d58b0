//! Deadlines, one millisecond before and at them; and that it makes no difference when a timer fires.

use super::*;
use crate::CloseReason;

const NOTHING: [&str; 0] = [];

#[test]
fn an_alert_can_be_answered_until_its_last_millisecond() {
    let answer = Event::AgentAnswers(agent("anna"));
    assert_eq!(Play::alerting().at(19_999).go(&answer)[0], "status anna Answered(anna) [1..0]");
    assert_eq!(Play::alerting().at(20_000).go(&answer).last().unwrap(), "refused AlertOver");
}

#[test]
fn an_overdue_alert_is_over_for_everybody_who_looks() {
    let mut play = Play::alerting();
    let hello = play.visitor_says("s-1", "Hi");
    assert_eq!(play.at(45_000).go(&hello), ["status E Waiting", "alert end anna", "store 1:Hi", "echo E 1:Hi", "distribute"]);
    // As of the instant at which it was over.
    assert_eq!(play.chat().state, State::Waiting { since: at(20_000) });
    assert!(play.chat().is_barred(&agent("anna").id, at(79_999)));
    assert!(!play.chat().is_barred(&agent("anna").id, at(80_000)));
}

#[test]
fn texts_of_either_side_put_off_inactivity_and_nothing_else_does() {
    let mut play = Play::answered();
    let dead_after = |play: &mut Play, now: i64, event: Event| {
        play.at(now).go(&event);
        play.chat().dead_at().unwrap().millis() - START.millis()
    };
    let event = play.visitor_says("s-1", "Hi");
    assert_eq!(dead_after(&mut play, 100_000, event), 700_000);
    let event = play.agent_says("anna", "a-1", "Hello");
    assert_eq!(dead_after(&mut play, 200_000, event), 800_000);
    for (n, kind) in
        [SentenceKind::Note, SentenceKind::Panel, SentenceKind::Navigation, SentenceKind::CoBrowsing].iter().enumerate()
    {
        let event = Event::VisitorSpeaks(play.said(Direction::Inbound, &format!("n-{n}"), *kind, "x"));
        assert_eq!(dead_after(&mut play, 300_000, event), 800_000, "{kind:?}");
    }
    let event = play.visitor_says("s-1", "Hi");
    assert_eq!(dead_after(&mut play, 300_000, event), 800_000, "a retry is nothing new");
    let event = play.confirms(Direction::Outbound, "a-1");
    assert_eq!(dead_after(&mut play, 300_000, event), 800_000);
    assert_eq!(play.at(799_999).go(&Event::Tick), NOTHING);
    assert_eq!(play.at(800_000).go(&Event::Tick), ["status E Closed(Inactivity)", "status anna Closed(Inactivity)"]);
}

#[test]
fn a_script_that_talks_keeps_the_chat_alive() {
    let mut play = Play::icr();
    let hello = Event::ScriptSpeaks(play.said(Direction::Outbound, "r-1", SentenceKind::Text, "Hello"));
    play.at(100_000).go(&hello);
    assert_eq!(play.chat().dead_at(), Some(at(700_000)));
}

#[test]
fn a_chat_found_dead_was_closed_when_it_died() {
    let mut play = Play::answered();
    let hello = play.agent_says("anna", "a-1", "Still there?");
    assert_eq!(
        play.at(700_000).go(&hello),
        ["status E Closed(Inactivity)", "status anna Closed(Inactivity)", "refused ChatClosed"]
    );
    let closed =
        State::Closed { reason: CloseReason::Inactivity, at: at(600_000), attended_by: Some(Attendant::Agent(agent("anna"))) };
    assert_eq!(play.chat().state, closed);
    assert_eq!(play.chat().dead_at(), Some(at(600_000)));
    // So the visitor who comes back has the rest of the inertia only.
    let wait = play.visitor_says("s-1", "Yes");
    let mut in_time = Play { chat: play.chat.clone(), ..Play::new() };
    assert_eq!(in_time.at(899_999).go(&wait)[0], "status E Pilot");
    assert_eq!(play.at(900_000).go(&wait), ["refused ChatClosed"]);
}

#[test]
fn several_deadlines_are_applied_in_the_order_they_were_due() {
    let mut play = Play::alerting();
    assert_eq!(
        play.at(700_000).go(&Event::VisitorAsks),
        ["status E Waiting", "alert end anna", "status E Closed(Inactivity)", "status E Closed(Inactivity) [1..0]"]
    );
    // The alert would have ended after the chat.
    let mut play = Play::waiting();
    play.at(590_000).go(&Event::AgentOffered(agent("anna")));
    assert_eq!(
        play.at(700_000).go(&Event::Tick),
        ["status E Closed(Inactivity)", "alert end anna", "status anna Closed(Inactivity)"]
    );
}

#[test]
fn inactivity_can_be_switched_off() {
    let mut play = Play::with(Policy { inactivity: None, ..policy() });
    play.go(&starts(start()));
    play.go(&Event::ConditionsDecided(Decision::Script(robot())));
    assert_eq!((play.chat().dead_at(), play.chat().due_at()), (None, None));
    assert_eq!(play.at(i64::from(u32::MAX)).go(&Event::Tick), NOTHING);
    assert_eq!(play.state(), "ICR(Robin)");
}

#[test]
fn conditions_that_do_not_decide_are_asked_again() {
    let mut play = Play::pilot();
    assert_eq!(play.at(9_999).go(&Event::Tick), NOTHING);
    assert_eq!(play.at(10_000).go(&Event::Tick), ["decide"]);
    assert_eq!(play.at(19_999).go(&Event::Tick), NOTHING);
    assert_eq!(play.at(20_000).go(&Event::Tick), ["decide"]);
}

#[test]
fn there_is_one_timer_at_a_time() {
    let mut play = Play::new();
    assert_eq!(play.raw(&starts(start())).last().unwrap(), "timer 10000");
    let timers = |play: &mut Play, event: &Event| -> Vec<String> {
        play.raw(event).into_iter().filter(|effect| effect.starts_with("timer")).collect()
    };
    assert_eq!(timers(&mut play, &Event::ConditionsDecided(Decision::Desk(agents()))), NOTHING);
    assert_eq!(timers(play.at(1_000), &Event::AgentOffered(agent("anna"))), NOTHING);
    assert_eq!(timers(&mut play, &Event::AgentAnswers(agent("anna"))), NOTHING);
    for n in 0..50 {
        let hello = play.visitor_says(&format!("s-{n}"), "Hi");
        assert_eq!(timers(&mut play, &hello), NOTHING);
    }
    // The timer of the first moment finds nothing to do but to set the next, however often it comes.
    assert_eq!(timers(play.at(10_000), &Event::Tick), ["timer 601000"]);
    assert_eq!(timers(play.at(10_001), &Event::Tick), NOTHING);
    let hello = play.agent_says("anna", "a-1", "Hello");
    assert_eq!(timers(play.at(300_000), &hello), NOTHING);
    assert_eq!(timers(play.at(601_000), &Event::Tick), ["timer 900000"]);
    assert_eq!(timers(play.at(900_000), &Event::Tick), NOTHING);
    assert_eq!((play.state().as_str(), play.chat().timer_at), ("Closed(Inactivity)", None));
}

#[test]
fn an_earlier_deadline_sets_an_earlier_timer() {
    let mut play = Play::icr();
    play.at(10_000).go(&Event::Tick);
    assert_eq!(play.chat().timer_at, Some(at(600_000)));
    assert_eq!(play.at(20_000).raw(&Event::ScriptHandsOver(agents())).last().unwrap(), "timer 30000");
    let done = play.at(20_500).raw(&Event::AgentOffered(agent("anna")));
    assert_eq!(done.last().unwrap(), "alert anna", "the timer at 30 s will set the one at 40.5 s");
    assert_eq!(play.at(30_000).raw(&Event::Tick), ["timer 40500"]);
}

#[test]
fn a_prepared_chat_gets_its_timer_with_the_first_tick() {
    let Start { tenant, gateway, .. } = start();
    let id = "99887766-5544-8332-8110-040000000001".parse().unwrap();
    let by = Some((agent("anna"), skill()));
    let prepared = crate::Prepared { id, tenant, gateway, visitor: visitor(), by };
    let mut play = Play { chat: Some(Chat::prepare(prepared, START, &policy())), ..Play::new() };
    assert_eq!(play.raw(&Event::Tick), ["timer 600000"]);
    // Nobody is there to be told but the agent.
    assert_eq!(play.at(600_000).go(&Event::Tick), ["status anna Closed(Inactivity)"]);
}
