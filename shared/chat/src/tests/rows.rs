//! One test per row of 5.1.

use super::*;
use crate::{Asker, AttachedForm, CloseReason, Prepared};

const NOTHING: [&str; 0] = [];

#[test]
fn row_1_a_request_is_answered_and_creates_nothing() {
    let mut play = Play::new();
    assert_eq!(play.go(&Event::Request { signal: Signal::Busy }), ["signal Busy"]);
    assert_eq!(play.chat, None);
    for mut play in Play::active().into_iter().chain([Play::closed()]) {
        let before = play.chat.clone();
        assert_eq!(play.go(&Event::Request { signal: Signal::Free }), ["signal Free"]);
        assert_eq!(play.chat, before);
    }
}

#[test]
fn row_2_a_start_creates_the_chat_and_the_conditions_are_evaluated() {
    for signal in [Signal::Free, Signal::Busy] {
        let mut play = Play::new();
        assert_eq!(play.go(&starts(Start { signal, ..start() })), ["status E Pilot [1..0]", "decide"]);
        let chat = play.chat();
        assert_eq!(chat.id.to_string(), "00112233-4455-8667-9e22-640000000001");
        assert_eq!((chat.counter, chat.rev, chat.created_at), (0, 0, START));
        assert_eq!(chat.dead_at(), Some(at(600_000)));
        assert_eq!(chat.visitor, visitor());
    }
}

#[test]
fn row_3_a_closed_gate_refuses() {
    for signal in [Signal::Closed, Signal::Hidden] {
        let mut play = Play::new();
        assert_eq!(play.go(&starts(Start { signal, ..start() })), ["refused GateClosed"]);
        assert_eq!(play.chat, None);
    }
    let mut play = Play::with(Policy { accepts_inbound: false, ..policy() });
    assert_eq!(play.go(&starts(start())), ["refused GateClosed"]);
}

fn prepared(by: Option<&str>) -> Chat {
    let Start { tenant, gateway, .. } = start();
    let id = "99887766-5544-8332-8110-040000000001".parse().unwrap();
    let by = by.map(|id| (agent(id), skill()));
    Chat::prepare(Prepared { id, tenant, gateway, visitor: ChatVisitor::default(), by }, START, &policy())
}

fn returns_to(chat: &Chat) -> Event {
    starts(Start { returning: Returning::Chat(Box::new(chat.clone())), signal: Signal::Closed, ..start() })
}

#[test]
fn row_4_a_start_enters_the_prepared_chat_it_names() {
    let target = prepared(Some("anna"));
    let mut play = Play { chat: Some(target.clone()), ..Play::new() };
    let invitation = play.agent_says("anna", "a-1", "Hello");
    assert_eq!(play.go(&invitation), ["store 1:Hello", "echo anna 1:Hello"]);
    let target = play.chat().clone();

    // No chat of this thread, or one that is over.
    for current in [None, Play::closed().chat] {
        let mut play = Play { chat: current, ..Play::new() };
        assert_eq!(play.go(&returns_to(&target)), ["bind t-1", "status E Answered(anna) [1..1]", "status anna Answered(anna)"]);
        assert_eq!((play.chat().id, play.chat().rev), (target.id, target.rev + 1));
        assert_eq!(play.chat().visitor, visitor());
    }
    let mut play = Play::new();
    assert_eq!(play.go(&returns_to(&prepared(None))), ["bind t-1", "status E Pilot [1..0]", "decide"]);
}

#[test]
fn row_4_a_repeated_start_finds_the_chat_it_entered() {
    let mut play = Play::new();
    play.go(&returns_to(&prepared(Some("anna"))));
    let bound = play.chat().clone();
    // By the thread, and by the id while the thread is not known to lead there.
    for current in [Some(bound.clone()), None] {
        let mut play = Play { chat: current, ..Play::new() };
        assert_eq!(play.go(&returns_to(&bound)), ["status E Answered(anna) [1..0]"]);
        assert_eq!(play.chat(), &bound);
    }
}

#[test]
fn row_4_a_thread_that_went_on_to_a_new_chat_does_not_go_back_to_the_prepared_one() {
    let mut play = Play::new();
    play.go(&returns_to(&prepared(Some("anna"))));
    let bound = play.chat().clone();
    play.go(&Event::VisitorStops);
    play.at(300_000).go(&starts(start()));
    let second = play.chat().clone();
    assert_eq!(second.id, bound.id.next().unwrap());
    assert_eq!(play.go(&returns_to(&bound)), ["status E Pilot [1..0]"]);
    play.go(&Event::VisitorStops);
    assert_eq!(play.at(400_000).go(&returns_to(&bound)), ["status E Pilot [1..0]", "decide"]);
    assert_eq!(play.chat().id, second.id);
}

#[test]
fn row_5_an_unknown_or_foreign_prepared_chat_is_refused() {
    let foreign = Chat { gateway: "frontstage/other".parse().unwrap(), ..prepared(None) };
    let of_another_tenant = Chat { tenant: "other".parse().unwrap(), ..prepared(None) };
    let taken = Chat { tracking: Some("t-2".to_owned().try_into().unwrap()), ..prepared(None) };
    for current in [None, Play::closed().chat] {
        let go = |event: &Event| {
            let mut play = Play { chat: current.clone(), ..Play::new() };
            let done = play.go(event);
            assert_eq!(play.chat, current);
            done
        };
        assert_eq!(go(&starts(Start { returning: Returning::Unknown, ..start() })), ["refused UnknownChat"]);
        assert_eq!(go(&returns_to(&foreign)), ["refused UnknownChat"]);
        assert_eq!(go(&returns_to(&of_another_tenant)), ["refused UnknownChat"]);
        assert_eq!(go(&returns_to(&taken)), ["refused Conflict"]);
    }
}

#[test]
fn row_6_a_start_of_a_running_chat_returns_it() {
    for mut play in Play::active() {
        let (id, state) = (play.chat().id, play.state());
        let counter = play.chat().counter;
        let again = starts(Start { signal: Signal::Closed, ..start() });
        assert_eq!(play.at(1_000).go(&again), [format!("status E {state} [1..{counter}]")]);
        assert_eq!((play.chat().id, play.state()), (id, state));
    }
}

#[test]
fn row_6_a_form_is_merged_into_the_one_attached() {
    let form = |form: &str, result: Option<&str>| AttachedForm {
        form: form.parse().unwrap(),
        result: result.map(|r| r.parse().unwrap()),
        attached_at: START,
    };
    let mut play = Play::new();
    for given in [form("f-1", None), form("f-1", Some("r-1")), form("f-2", Some("r-2")), form("f-1", None)] {
        play.go(&starts(Start { form: Some(given), visitor: ChatVisitor::default(), ..start() }));
    }
    assert_eq!(play.chat().forms, [form("f-1", Some("r-1")), form("f-2", Some("r-2"))]);
    for n in 0..200 {
        play.go(&starts(Start { form: Some(form(&format!("g-{n}"), None)), ..start() }));
    }
    assert_eq!(play.chat().forms.len(), 100);
    assert_eq!(play.chat().forms.last().unwrap().form, "g-199".parse().unwrap());
}

#[test]
fn row_6_what_a_start_leaves_out_stays_known() {
    let mut play = Play::pilot();
    let newer = ChatVisitor { user_token: Some("u-7".into()), ..ChatVisitor::default() };
    play.go(&starts(Start { visitor: newer, ..start() }));
    assert_eq!(play.chat().visitor, ChatVisitor { user_token: Some("u-7".into()), ..visitor() });
}

#[test]
fn row_7_a_start_soon_after_the_end_revives_the_same_chat() {
    let mut play = Play::answered();
    let hello = play.visitor_says("s-1", "Hi");
    play.go(&hello);
    play.at(10_000).go(&Event::VisitorStops);
    let id = play.chat().id;
    assert_eq!(play.at(309_999).go(&starts(start())), ["status E Pilot [1..1]", "decide"]);
    let chat = play.chat();
    assert_eq!((chat.id, chat.counter, &chat.desk), (id, 1, &None));
    assert_eq!(chat.dead_at(), Some(at(909_999)));
    assert_eq!((chat.waiting_from, chat.enqueued_at, chat.answered_at), (at(309_999), None, None));
}

#[test]
fn row_8_a_start_later_begins_a_new_chat() {
    let mut play = Play::answered();
    let hello = play.visitor_says("s-1", "Hi");
    play.go(&hello);
    play.at(10_000).go(&Event::VisitorStops);
    let closed = play.chat().clone();
    assert_eq!(play.at(310_000).go(&starts(start())), ["status E Pilot [1..0]", "decide"]);
    let chat = play.chat();
    assert_eq!(chat.id, closed.id.next().unwrap());
    assert_eq!((chat.counter, chat.rev), (0, 0));

    let without_inertia = Policy { inertia: None, ..policy() };
    let mut play = Play { chat: Some(closed.clone()), now: at(10_001), policy: without_inertia, ..Play::new() };
    play.go(&starts(start()));
    assert_eq!(play.chat().id, closed.id.next().unwrap());
}

#[test]
fn row_8_a_new_chat_passes_the_gate_too() {
    let mut play = Play::closed();
    let before = play.chat.clone();
    let refused = play.at(400_000).go(&starts(Start { signal: Signal::Closed, ..start() }));
    assert_eq!(refused, ["refused GateClosed"]);
    assert_eq!(play.chat, before);
}

#[test]
fn row_8_gives_back_the_chat_that_ended_only_now() {
    let mut play = Play::answered();
    let active = play.chat().clone();
    let done = step(Some(&active), &starts(start()), at(900_000), &policy());
    let shown: Vec<String> = done.effects.iter().map(show).collect();
    assert_eq!(
        shown,
        ["status E Closed(Inactivity)", "status anna Closed(Inactivity)", "status E Pilot [1..0]", "decide", "timer 910000"]
    );
    let ended = done.replaced.unwrap();
    assert_eq!((ended.id, ended.rev, ended.timer_at), (active.id, active.rev + 1, None));
    assert!(matches!(ended.state, State::Closed { reason: CloseReason::Inactivity, at: closed, .. } if closed == at(600_000)));
    // One that had ended before is not touched again.
    play.go(&Event::VisitorStops);
    assert_eq!(step(play.chat.as_ref(), &starts(start()), at(900_000), &policy()).replaced, None);
}

#[test]
fn row_9_conditions_choose_a_script() {
    let mut play = Play::pilot();
    assert_eq!(play.go(&Event::ConditionsDecided(Decision::Script(robot()))), ["status E ICR(Robin)", "start script"]);
}

#[test]
fn row_10_conditions_choose_a_desk() {
    let mut play = Play::pilot();
    assert_eq!(play.go(&Event::ConditionsDecided(Decision::Desk(agents()))), ["status E Waiting", "distribute"]);
    assert_eq!(play.chat().enqueued_at, Some(START));
    // Conditions decide once.
    assert_eq!(play.go(&Event::ConditionsDecided(Decision::Desk(elsewhere()))), ["refused Conflict"]);
}

#[test]
fn row_11_no_condition_matches() {
    let mut play = Play::pilot();
    assert_eq!(play.go(&Event::ConditionsDecided(Decision::Nothing)), ["status E Closed(System)"]);
    let mut play = Play { policy: Policy { default_desk: Some(agents()), ..policy() }, ..Play::pilot() };
    assert_eq!(play.go(&Event::ConditionsDecided(Decision::Nothing)), ["status E Waiting", "distribute"]);
}

#[test]
fn row_12_the_script_hands_over() {
    let mut play = Play::icr();
    assert_eq!(play.go(&Event::ScriptHandsOver(agents())), ["status E Waiting", "distribute"]);
    assert_eq!(play.go(&Event::ScriptHandsOver(agents())), ["refused Conflict"]);
}

#[test]
fn row_12_time_with_the_script_is_no_waiting_time() {
    let mut play = Play::icr();
    play.at(40_000).go(&Event::ScriptHandsOver(agents()));
    assert_eq!(play.chat().waiting_time(at(45_000)), Duration::from_secs(5));
}

#[test]
fn row_13_the_script_ends_the_chat() {
    let mut play = Play::icr();
    assert_eq!(play.go(&Event::ScriptEnds), ["status E Closed(System)"]);
    assert_eq!(play.go(&Event::ScriptEnds), ["refused ChatClosed"]);
    assert_eq!(Play::waiting().go(&Event::ScriptEnds), ["refused Conflict"]);
}

#[test]
fn row_14_the_rules_of_waiting_are_looked_at_every_cycle() {
    let mut play = Play::waiting();
    assert_eq!(play.at(9_999).go(&Event::Tick), NOTHING);
    assert_eq!(play.at(10_000).go(&Event::Tick), ["rules", "distribute"]);
    assert_eq!(play.at(10_001).go(&Event::Tick), NOTHING);
    assert_eq!(play.at(20_500).go(&Event::Tick), ["rules", "distribute"]);

    let note = play.said(Direction::Outbound, "n-1", SentenceKind::Note, "You are number 2");
    let note = Event::WaitingRuleSpeaks(note);
    assert_eq!(play.go(&note), ["store 1:You are number 2", "echo script 1:You are number 2", "say E 1:You are number 2"]);
    let panel = Event::WaitingRuleSpeaks(play.said(Direction::Outbound, "n-2", SentenceKind::Panel, "<p>"));
    assert_eq!(play.go(&panel), ["store 0:<p>", "echo script 0:<p>", "say E 0:<p>", "status E Waiting"]);
    let text = Event::WaitingRuleSpeaks(play.said(Direction::Outbound, "n-3", SentenceKind::Text, "Hello"));
    assert_eq!(play.go(&text), ["refused Conflict"]);
    assert_eq!(play.state(), "Waiting");
    let mut answered = Play::answered();
    assert_eq!(answered.go(&note), ["refused Conflict"]);
}

/// Since when the visitor waits and until when the rules were looked at, as the look at `millis` is told, in seconds.
fn look(play: &Play, millis: i64) -> (Chat, Option<(i64, i64)>) {
    let done = step(play.chat.as_ref(), &Event::Tick, at(millis), &play.policy);
    let told = done.effects.iter().find_map(|effect| match effect {
        Effect::RunWaitingRules { from, seen } => Some([from, seen].map(|t| (t.millis() - START.millis()) / 1000)),
        _ => None,
    });
    (done.chat.unwrap(), told.map(|[from, seen]| (from, seen)))
}

#[test]
fn row_14_looks_follow_each_other_without_a_gap_and_without_overlap() {
    let mut play = Play::waiting();
    for (millis, told) in
        [(9_999, None), (10_000, Some((0, 0))), (10_001, None), (57_000, Some((0, 10))), (67_000, Some((0, 57)))]
    {
        let (chat, looked) = look(&play, millis);
        assert_eq!(looked, told, "{millis}");
        play.chat = Some(chat);
    }
    // An offer that comes to nothing is part of the same wait.
    play.at(68_000).go(&Event::AgentOffered(agent("anna")));
    play.at(90_000).go(&Event::Tick);
    assert_eq!(play.state(), "Waiting");
    assert_eq!(look(&play, 98_000).1, Some((0, 67)));
    // After a return the visitor waits anew.
    play.at(90_500).go(&Event::AgentOffered(agent("bela")));
    play.at(91_000).go(&Event::AgentAnswers(agent("bela")));
    play.at(100_000).go(&Event::AgentReturns(agent("bela")));
    assert_eq!(look(&play, 110_000).1, Some((100, 100)));
}

#[test]
fn row_15_an_agent_is_chosen() {
    let mut play = Play::waiting();
    assert_eq!(play.at(5_000).go(&Event::AgentOffered(agent("anna"))), ["status E Alerting(anna)", "alert anna"]);
    assert_eq!(play.chat().waiting_time(at(7_000)), Duration::from_secs(7));
    // Two of those who distribute cannot both win.
    assert_eq!(play.go(&Event::AgentOffered(agent("bela"))), ["refused Conflict"]);
    for mut play in [Play::pilot(), Play::icr(), Play::answered(), Play::closed(), Play::waiting_elsewhere()] {
        assert_eq!(play.go(&Event::AgentOffered(agent("anna"))), ["refused Conflict"]);
    }
}

#[test]
fn row_16_the_alerted_agent_answers() {
    let mut play = Play::alerting();
    let hello = play.visitor_says("s-1", "Hi");
    play.go(&hello);
    let answer = Event::AgentAnswers(agent("anna"));
    assert_eq!(play.at(4_000).go(&answer), ["status anna Answered(anna) [1..1]", "status E Answered(anna)"]);
    assert_eq!(play.chat().waiting_time(at(60_000)), Duration::from_secs(4));
}

#[test]
fn row_17_alert_over_goes_back_to_waiting() {
    let mut play = Play::alerting();
    assert_eq!(play.at(19_999).go(&Event::Tick), NOTHING);
    assert_eq!(play.at(20_000).go(&Event::Tick), ["status E Waiting", "alert end anna", "distribute"]);
    assert_eq!(play.at(79_999).go(&Event::AgentOffered(agent("anna"))), ["refused Conflict"]);
    let offered = play.at(80_000).go(&Event::AgentOffered(agent("anna")));
    assert_eq!(offered, ["status E Alerting(anna)", "alert anna"]);
}

#[test]
fn row_18_a_refusal_goes_back_to_waiting() {
    let mut play = Play::alerting();
    let refuse = Event::AgentHangsUp(agent("anna"));
    assert_eq!(play.at(5_000).go(&refuse), ["status anna Waiting [1..0]", "status E Waiting", "distribute"]);
    // Repeated, as the agent's client does when no answer came within 20 s.
    assert_eq!(play.at(25_000).go(&refuse), ["status anna Waiting [1..0]"]);
    assert_eq!(play.at(64_999).go(&Event::AgentOffered(agent("anna"))), ["refused Conflict"]);
    assert_eq!(play.go(&Event::AgentOffered(agent("bela"))), ["status E Alerting(bela)", "alert bela"]);
    assert_eq!(play.go(&refuse), ["status anna Alerting(bela) [1..0]"]);
    play.go(&Event::AgentHangsUp(agent("bela")));
    let offered = play.at(65_000).go(&Event::AgentOffered(agent("anna")));
    assert_eq!(offered, ["status E Alerting(anna)", "alert anna"]);
}

#[test]
fn row_19_the_agent_ends_the_chat() {
    let mut play = Play::answered();
    let hang_up = Event::AgentHangsUp(agent("anna"));
    assert_eq!(play.at(9_000).go(&hang_up), ["status anna Closed(Agent) [1..0]", "status E Closed(Agent)"]);
    assert_eq!(play.chat().dead_at(), Some(at(9_000)));
    let mut play = Play::answered();
    assert_eq!(play.go(&Event::AgentHangsUp(agent("bela"))), ["refused NotYourChat"]);
    for mut play in [Play::pilot(), Play::icr(), Play::waiting()] {
        assert_eq!(play.go(&hang_up), ["refused NotYourChat"]);
    }
}

#[test]
fn row_20_the_agent_returns_the_chat() {
    let mut play = Play::answered();
    let give_back = Event::AgentReturns(agent("anna"));
    assert_eq!(play.at(30_000).go(&give_back), ["status anna Waiting", "status E Waiting", "distribute"]);
    let chat = play.chat();
    assert_eq!((chat.enqueued_at, chat.answered_at), (Some(at(30_000)), None));
    assert_eq!(chat.waiting_time(at(35_000)), Duration::from_secs(5));
    assert!(chat.is_barred(&agent("anna").id, at(89_999)));
    assert_eq!(play.go(&give_back), ["status anna Waiting"]);
    assert_eq!(play.go(&Event::AgentReturns(agent("bela"))), ["refused NotYourChat"]);
    assert_eq!(Play::closed().go(&give_back), ["refused ChatClosed"]);
}

#[test]
fn row_21_the_visitor_ends_the_chat() {
    let ends: [&[&str]; 7] = [
        &["status E Closed(ExtApp)"],
        &["status E Closed(ExtApp)"],
        &["status E Closed(ExtApp)"],
        &["status E Closed(ExtApp)", "alert end anna", "status anna Closed(ExtApp)"],
        &["status E Closed(ExtApp)", "status anna Closed(ExtApp)"],
        &["status E Closed(ExtApp)", "status vcita/demo Closed(ExtApp)"],
        &["status E Closed(ExtApp)", "status vcita/demo Closed(ExtApp)"],
    ];
    for (mut play, expected) in Play::active().into_iter().zip(ends) {
        assert_eq!(play.go(&Event::VisitorStops), expected);
        assert_eq!(play.chat().due_at(), None);
    }
}

#[test]
fn row_22_a_silent_chat_closes_itself() {
    let ends: [&[&str]; 7] = [
        &["status E Closed(Inactivity)"],
        &["status E Closed(Inactivity)"],
        &["status E Closed(Inactivity)"],
        &["status E Closed(Inactivity)", "alert end anna", "status anna Closed(Inactivity)"],
        &["status E Closed(Inactivity)", "status anna Closed(Inactivity)"],
        &["status E Closed(Inactivity)", "status vcita/demo Closed(Inactivity)"],
        &["status E Closed(Inactivity)", "status vcita/demo Closed(Inactivity)"],
    ];
    // An alert that outlasts the chat, so that this row is seen alone.
    let policy = Policy { alert: Duration::from_secs(3_600), cycle: Duration::from_secs(3_600), ..policy() };
    for (mut play, expected) in Play::active().into_iter().zip(ends) {
        if let Some(Chat { state: State::Alerting { until, .. }, .. }) = &mut play.chat {
            *until = at(3_600_000);
        }
        if let Some(Chat { cycle_at: Some(cycle_at), .. }) = &mut play.chat {
            *cycle_at = at(3_600_000);
        }
        play.policy = policy.clone();
        assert_eq!(play.at(599_999).go(&Event::Tick), NOTHING);
        assert_eq!(play.at(600_000).go(&Event::Tick), expected);
    }
}

#[test]
fn row_23_the_visitor_speaks() {
    let hears = [None, Some("script"), None, None, Some("anna"), Some("vcita/demo"), Some("vcita/demo")];
    for (mut play, listener) in Play::active().into_iter().zip(hears) {
        let (state, n) = (play.state(), play.chat().counter + 1);
        let hello = play.visitor_says("s-1", "Hi");
        let mut expected = vec![format!("store {n}:Hi"), format!("echo E {n}:Hi")];
        expected.extend(listener.map(|to| format!("say {to} {n}:Hi")));
        assert_eq!(play.go(&hello), expected);
        assert_eq!(play.state(), state);
    }
}

#[test]
fn row_24_the_agent_speaks() {
    let mut play = Play::answered();
    let hello = play.agent_says("anna", "a-1", "Hello");
    assert_eq!(play.go(&hello), ["store 1:Hello", "echo anna 1:Hello", "say E 1:Hello"]);
    assert_eq!(play.stored[0].direction, Direction::Outbound);
    assert_eq!(play.state(), "Answered(anna)");
}

#[test]
fn row_25_who_does_not_have_the_chat_cannot_speak_in_it() {
    for (mut play, who) in Play::active().into_iter().zip(["anna", "anna", "anna", "anna", "bela", "anna", "anna"]) {
        let before = play.chat.clone();
        let hello = play.agent_says(who, "a-1", "Hello");
        assert_eq!(play.go(&hello), ["refused NotYourChat"]);
        assert_eq!(play.chat, before);
    }
    let mut play = Play::closed();
    let hello = play.agent_says("anna", "a-1", "Hello");
    assert_eq!(play.go(&hello), ["refused ChatClosed"]);
}

#[test]
fn row_26_a_sentence_soon_after_the_end_revives_the_chat() {
    let mut play = Play::closed();
    let id = play.chat().id;
    let hello = play.visitor_says("s-1", "Wait");
    assert_eq!(play.at(299_999).go(&hello), ["status E Pilot", "store 1:Wait", "echo E 1:Wait", "decide"]);
    assert_eq!(play.chat().id, id);

    let mut play = Play::closed();
    let page = Event::VisitorSpeaks(play.said(Direction::Inbound, "s-1", SentenceKind::Navigation, "/prices"));
    assert_eq!(play.go(&page)[0], "status E Pilot");
    let mut play = Play { policy: Policy { revive_on_text_only: true, ..policy() }, ..Play::closed() };
    assert_eq!(play.go(&page), ["refused ChatClosed"]);
    assert_eq!(play.go(&hello)[0], "status E Pilot");
}

#[test]
fn row_27_a_sentence_later_is_refused() {
    let mut play = Play::closed();
    let before = play.chat.clone();
    let hello = play.visitor_says("s-1", "Wait");
    assert_eq!(play.at(300_000).go(&hello), ["refused ChatClosed"]);
    assert_eq!(play.chat, before);
    let mut play = Play { policy: Policy { inertia: None, ..policy() }, ..Play::closed() };
    assert_eq!(play.go(&hello), ["refused ChatClosed"]);
}

#[test]
fn row_28_a_second_stop_gives_the_same_answer() {
    let mut play = Play::closed();
    let before = play.chat.clone();
    assert_eq!(play.at(1_000).go(&Event::VisitorStops), ["status E Closed(Agent)"]);
    assert_eq!(play.chat, before);
}

#[test]
fn row_29_agents_of_a_closed_chat_are_told_so() {
    let mut play = Play::closed();
    let before = play.chat.clone();
    for event in [Event::AgentAnswers(agent("anna")), Event::AgentHangsUp(agent("anna"))] {
        assert_eq!(play.at(1_000).go(&event), ["status anna Closed(Agent) [1..0]"]);
    }
    assert_eq!(play.chat, before);
}

#[test]
fn row_30_a_second_answer_of_the_same_agent_gives_the_same_status() {
    let mut play = Play::answered();
    let before = play.chat.clone();
    assert_eq!(play.at(1_000).go(&Event::AgentAnswers(agent("anna"))), ["status anna Answered(anna) [1..0]"]);
    assert_eq!(play.chat, before);
}

#[test]
fn row_31_another_agent_cannot_answer() {
    for mut play in [Play::alerting(), Play::answered()] {
        let before = play.chat.clone();
        assert_eq!(play.go(&Event::AgentAnswers(agent("bela"))), ["refused NotYourChat"]);
        assert_eq!(play.chat, before);
    }
}

#[test]
fn row_32_an_answer_just_after_the_alert_is_told_so() {
    let mut play = Play::alerting();
    // The answer itself is what finds the alert over: first what was overdue, then the answer to it.
    assert_eq!(
        play.at(20_000).go(&Event::AgentAnswers(agent("anna"))),
        ["status E Waiting", "alert end anna", "status anna Waiting [1..0]", "distribute", "refused AlertOver"]
    );
    assert_eq!(play.at(20_001).go(&Event::AgentAnswers(agent("anna"))), ["status anna Waiting [1..0]", "refused AlertOver"]);
    // Somebody it was never offered to has nothing to be told.
    assert_eq!(play.go(&Event::AgentAnswers(agent("bela"))), ["refused NotYourChat"]);
    for mut play in [Play::pilot(), Play::icr()] {
        assert_eq!(play.go(&Event::AgentAnswers(agent("anna"))), ["refused NotYourChat"]);
    }
}

#[test]
fn row_33_nothing_else_can_be_said_to_a_chat_that_does_not_exist() {
    let mut play = Play::new();
    let said = play.said(Direction::Inbound, "s-1", SentenceKind::Text, "Hi");
    let events = [
        Event::VisitorStops,
        Event::VisitorTypes { is_typing: true },
        Event::VisitorSpeaks(said.clone()),
        play.confirms(Direction::Outbound, "s-1"),
        Event::VisitorAsks,
        Event::FormFilled(filled("f-1")),
        Event::AgentAnswers(agent("anna")),
        Event::AgentAsks(agent("anna")),
        Event::DeskSpeaks { from: Attendant::Agent(agent("anna")), said },
        Event::Tick,
    ];
    for event in events {
        assert_eq!(play.go(&event), ["refused UnknownChat"], "{event:?}");
        assert_eq!(play.chat, None);
    }
}

#[test]
fn row_34_the_script_speaks() {
    let mut play = Play::icr();
    let hello = Event::ScriptSpeaks(play.said(Direction::Outbound, "r-1", SentenceKind::Text, "How can I help?"));
    assert_eq!(play.go(&hello), ["store 1:How can I help?", "echo script 1:How can I help?", "say E 1:How can I help?"]);
    assert_eq!(play.stored[0].party_name.as_deref(), Some("Robin"));
    assert_eq!(play.stored[0].direction, Direction::Outbound);
    assert_eq!(Play::waiting().go(&hello), ["refused Conflict"]);
    assert_eq!(Play::closed().go(&hello), ["refused ChatClosed"]);
}

#[test]
fn row_34_the_chat_keeps_where_the_script_is() {
    let mut play = Play::icr();
    let to = |node: &str| Event::ScriptMoves(node.to_owned());
    assert_eq!(play.go(&to("menu")), NOTHING);
    assert_eq!(play.chat().state, State::Icr { robot: robot(), node: Some("menu".into()) });
    let before = play.chat().rev;
    play.go(&to("menu"));
    assert_eq!(play.chat().rev, before, "it is there already");
    assert_eq!(Play::waiting().go(&to("menu")), ["refused Conflict"]);
    assert_eq!(Play::closed().go(&to("menu")), ["refused ChatClosed"]);
}

#[test]
fn row_34_a_chat_that_was_stored_without_a_place_in_its_script_still_reads() {
    let stored: State = serde_json::from_str(r#"{"state":"icr","robot":{"id":null,"name":"Robin"}}"#).unwrap();
    assert_eq!(stored, State::Icr { robot: robot(), node: None });
    let mut chat = serde_json::to_value(Play::waiting().chat()).unwrap();
    assert!(chat.get("rules_at").is_none() && chat.get("is_spam").is_none());
    chat["rules_at"] = serde_json::json!(1);
    assert_eq!(serde_json::from_value::<Chat>(chat).unwrap().rules_at, Some(EpochMillis::new(1)));
}

#[test]
fn section_12_spam_ends_the_chat_and_stays_marked() {
    let spam = |who| Event::AgentMarksSpam(agent(who));
    let mut play = Play::answered();
    assert_eq!(play.go(&spam("bela")), ["refused NotYourChat"]);
    assert_eq!(play.go(&spam("anna")), ["status anna Closed(Agent) [1..0]", "status E Closed(Agent)"]);
    assert!(play.chat().is_spam);
    assert_eq!(play.go(&spam("anna")), ["status anna Closed(Agent) [1..0]"]);
    assert_eq!(Play::closed().go(&spam("anna")), ["refused ChatClosed"]);
    for mut play in [Play::pilot(), Play::icr(), Play::waiting(), Play::alerting()] {
        assert_eq!(play.go(&spam("anna")), ["refused NotYourChat"]);
        assert!(!play.chat().is_spam);
    }
}

#[test]
fn row_35_the_visitor_types() {
    let hears = [None, None, None, None, Some("anna"), Some("vcita/demo"), Some("vcita/demo")];
    for (mut play, listener) in Play::active().into_iter().zip(hears) {
        let expected: Vec<String> = listener.iter().map(|to| format!("typing {to} true")).collect();
        assert_eq!(play.go(&Event::VisitorTypes { is_typing: true }), expected);
    }
    assert_eq!(Play::closed().go(&Event::VisitorTypes { is_typing: true }), NOTHING);
}

#[test]
fn row_36_the_agent_types() {
    let types = |who| Event::DeskTypes { from: Attendant::Agent(agent(who)), is_typing: true };
    assert_eq!(Play::answered().go(&types("anna")), ["typing E true"]);
    assert_eq!(Play::answered().go(&types("bela")), NOTHING);
    for mut play in [Play::pilot(), Play::icr(), Play::waiting(), Play::alerting(), Play::closed()] {
        assert_eq!(play.go(&types("anna")), NOTHING);
    }
}

#[test]
fn row_37_the_agent_confirms() {
    for mut play in Play::active() {
        let hello = play.visitor_says("s-1", "Hi");
        play.go(&hello);
        let n = play.chat().counter;
        let confirm = play.confirms(Direction::Inbound, "s-1");
        assert_eq!(play.go(&confirm), [format!("store confirm {n}"), "confirmed E s-1".into()]);
    }
    let mut play = Play::answered();
    let hello = play.visitor_says("s-1", "Hi");
    play.go(&hello);
    play.go(&Event::VisitorStops);
    let confirm = play.confirms(Direction::Inbound, "s-1");
    assert_eq!(play.go(&confirm), ["store confirm 1", "confirmed E s-1"]);
}

#[test]
fn row_38_the_visitor_confirms() {
    let mut play = Play::answered();
    for (id, close) in [("a-1", false), ("a-2", true)] {
        let hello = play.agent_says("anna", id, "Hello");
        play.go(&hello);
        if close {
            play.go(&Event::AgentHangsUp(agent("anna")));
        }
        let confirm = play.confirms(Direction::Outbound, id);
        let counter = play.chat().counter;
        assert_eq!(play.go(&confirm), [format!("store confirm {counter}"), format!("confirmed anna {id}")]);
    }
    // The script is not told, but it is written down.
    let mut play = Play::icr();
    let hello = Event::ScriptSpeaks(play.said(Direction::Outbound, "r-1", SentenceKind::Text, "Hello"));
    play.go(&hello);
    let confirm = play.confirms(Direction::Outbound, "r-1");
    assert_eq!(play.go(&confirm), ["store confirm 1"]);
}

#[test]
fn row_39_both_sides_get_the_complete_status_in_every_state() {
    for mut play in Play::active().into_iter().chain([Play::closed()]) {
        let before = play.chat.clone();
        let (state, n) = (play.state(), play.chat().counter);
        assert_eq!(play.go(&Event::VisitorAsks), [format!("status E {state} [1..{n}]")]);
        assert_eq!(play.go(&Event::AgentAsks(agent("anna"))), [format!("status anna {state} [1..{n}]")]);
        assert_eq!(play.chat, before);
    }
}

#[test]
fn row_40_the_list_names_what_is_active_and_ones_own() {
    let gateway = |key: &str| Asker::Gateway(format!("frontstage/{key}").parse().unwrap());
    let of_agent = |id: &str| Asker::Agent(agent(id).id);
    for play in Play::active() {
        assert!(play.chat().is_listed(&gateway("gw-demo"), None, START));
        assert!(!play.chat().is_listed(&gateway("gw-other"), None, START));
        // Inactive for too long, though nobody has looked yet.
        assert!(!play.chat().is_listed(&gateway("gw-demo"), None, at(600_000)));
        assert!(!play.chat().is_listed(&of_agent("bela"), None, START));
    }
    assert!(Play::alerting().chat().is_listed(&of_agent("anna"), None, at(19_999)));
    assert!(!Play::alerting().chat().is_listed(&of_agent("anna"), None, at(20_000)));
    assert!(Play::answered().chat().is_listed(&of_agent("anna"), None, at(20_000)));
    assert!(!Play::waiting().chat().is_listed(&of_agent("anna"), None, START));

    let closed = Play::closed();
    let recently = Some(Duration::from_secs(600));
    for asker in [gateway("gw-demo"), of_agent("anna")] {
        assert!(!closed.chat().is_listed(&asker, None, START));
        assert!(closed.chat().is_listed(&asker, recently, at(599_999)));
        assert!(!closed.chat().is_listed(&asker, recently, at(600_000)));
    }
    // A prepared chat is nobody's before it is entered.
    assert!(!prepared(None).is_listed(&gateway("gw-demo"), None, START));
}
