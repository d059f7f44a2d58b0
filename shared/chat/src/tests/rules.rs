//! The rules of 5.2 to 5.4.

use super::*;
use crate::{Distribution, OtherKind, TRANSCRIPT_LIMIT};

const NOTHING: [&str; 0] = [];

fn types(is_typing: bool) -> Event {
    Event::VisitorTypes { is_typing }
}

// ----------------------------------------------------------------------------------------------------- 5.2, sentences

#[test]
fn filled_form_is_shown_to_the_agent_who_converses_and_to_nobody_else() {
    let form = Event::FormFilled(filled("f-1"));
    for mut play in Play::active().into_iter().chain([Play::closed()]) {
        let before = play.state();
        let told = if before == "Answered(anna)" { vec!["status anna Answered(anna)"] } else { Vec::new() };
        assert_eq!(play.go(&form), told, "{before}");
        assert_eq!((play.state(), &play.chat().forms), (before, &vec![filled("f-1")]));
    }
}

#[test]
fn echo_is_the_sentence_with_direction_and_counter() {
    let mut play = Play::answered();
    let draft = Draft::new(sentence_id("s-1"), SentenceKind::Text, "Hi".into(), Some("Eva".into()), Some(at(-500))).unwrap();
    let said = Said { draft, known: Known::New };
    let done = step(play.chat.as_ref(), &Event::VisitorSpeaks(said), at(3_000), &play.policy);
    let expected = Sentence {
        id: sentence_id("s-1"),
        direction: Direction::Inbound,
        counter: 1,
        kind: SentenceKind::Text,
        text: "Hi".into(),
        party_name: Some("Eva".into()),
        sent_at: at(-500),
        confirmed_at: None,
    };
    let copies: Vec<&Sentence> = done
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Store(sentence) | Effect::Echo { sentence, .. } | Effect::Deliver { sentence, .. } => Some(sentence),
            _ => None,
        })
        .collect();
    // The two copies of one sentence, and what is stored, are the same.
    assert_eq!(copies, [&expected, &expected, &expected]);
    let unsaid = play.visitor_says("s-2", "Hi");
    play.at(4_000).go(&unsaid);
    assert_eq!(play.stored[0].sent_at, at(4_000), "a missing time is when it was stored");
}

#[test]
fn a_sentence_is_stored_before_it_is_echoed() {
    for mut play in Play::active().into_iter().chain([Play::closed()]) {
        let hello = play.visitor_says("s-1", "Hi");
        let done = play.go(&hello);
        let place = |what: &str| done.iter().position(|effect| effect.starts_with(what)).unwrap();
        assert!(place("store") < place("echo"), "{done:?}");
    }
}

#[test]
fn both_directions_share_one_sequence_and_the_other_kinds_have_no_place_in_it() {
    let mut play = Play::answered();
    let kinds = [
        (SentenceKind::Text, 1),
        (SentenceKind::Navigation, 0),
        (SentenceKind::Note, 2),
        (SentenceKind::CoBrowsing, 0),
        (SentenceKind::Panel, 0),
        (SentenceKind::try_from(10).unwrap(), 0),
    ];
    for (n, (kind, _)) in kinds.iter().enumerate() {
        let said = play.said(Direction::Inbound, &format!("s-{n}"), *kind, "x");
        play.go(&Event::VisitorSpeaks(said));
    }
    let hello = play.agent_says("anna", "a-1", "Hello");
    play.go(&hello);
    let counters: Vec<u64> = play.stored.iter().map(|s| s.counter).collect();
    assert_eq!(counters, [1, 0, 2, 0, 0, 0, 3]);
    assert_eq!(kinds.map(|(_, counter)| counter)[..], counters[..6]);
    assert_eq!(play.chat().counter, 3);
}

#[test]
fn last_panel_navigation_and_co_browsing_win_and_an_empty_one_clears() {
    let mut play = Play::answered();
    let mut says = |id: &str, kind, text: &str| {
        let said = play.said(Direction::Inbound, id, kind, text);
        play.go(&Event::VisitorSpeaks(said));
        let slots = &play.chat().slots;
        [&slots.panel, &slots.navigation, &slots.co_browsing].map(|slot| slot.as_ref().map(|s| s.text.clone()))
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(says("1", SentenceKind::Panel, "p1"), [text("p1"), None, None]);
    assert_eq!(says("2", SentenceKind::Navigation, "/a"), [text("p1"), text("/a"), None]);
    assert_eq!(says("3", SentenceKind::CoBrowsing, "c1"), [text("p1"), text("/a"), text("c1")]);
    assert_eq!(says("4", SentenceKind::Panel, "p2"), [text("p2"), text("/a"), text("c1")]);
    assert_eq!(says("5", SentenceKind::Navigation, ""), [text("p2"), None, text("c1")]);
    let other: OtherKind = match SentenceKind::try_from(12).unwrap() {
        SentenceKind::Other(other) => other,
        known => panic!("{known:?}"),
    };
    assert_eq!(says("6", SentenceKind::Other(other), "x"), [text("p2"), None, text("c1")]);
}

#[test]
fn a_new_panel_is_a_change_the_visitors_side_is_told_of() {
    let mut play = Play::answered();
    let panel = play.said(Direction::Outbound, "a-1", SentenceKind::Panel, "<p>");
    let panel = Event::DeskSpeaks { from: Attendant::Agent(agent("anna")), said: panel };
    assert_eq!(play.go(&panel), ["store 0:<p>", "echo anna 0:<p>", "say E 0:<p>", "status E Answered(anna)"]);
    assert_eq!(play.go(&{ panel }), ["store 0:<p>", "echo anna 0:<p>", "say E 0:<p>", "status E Answered(anna)"]);
    let theirs = Event::VisitorSpeaks(play.said(Direction::Inbound, "s-1", SentenceKind::Panel, "<q>"));
    assert_eq!(play.go(&theirs), ["store 0:<q>", "echo E 0:<q>", "status E Answered(anna)", "say anna 0:<q>"]);
    let page = Event::VisitorSpeaks(play.said(Direction::Inbound, "s-2", SentenceKind::Navigation, "/a"));
    assert_eq!(play.go(&page), ["store 0:/a", "echo E 0:/a", "say anna 0:/a"]);
}

#[test]
fn a_retry_gets_the_same_echo_and_nothing_else_happens() {
    let mut play = Play::answered();
    for first in [play.visitor_says("s-1", "Hi"), play.agent_says("anna", "s-1", "Hi")] {
        play.go(&first);
    }
    for now in [0, 500, 30_000] {
        let (theirs, ours) = (play.visitor_says("s-1", "Hi"), play.agent_says("anna", "s-1", "Hi"));
        let before = play.chat.clone();
        assert_eq!(play.at(now).go(&theirs), ["echo E 1:Hi"]);
        assert_eq!(play.go(&ours), ["echo anna 2:Hi"]);
        assert_eq!(play.chat, before);
    }
}

#[test]
fn a_retry_is_answered_in_every_state_closed_included() {
    let mut play = Play::answered();
    for first in [play.visitor_says("s-1", "Hi"), play.agent_says("anna", "a-1", "Hello")] {
        play.go(&first);
    }
    let (theirs, ours) = (play.visitor_says("s-1", "Hi"), play.agent_says("anna", "a-1", "Hello"));
    play.go(&Event::AgentReturns(agent("anna")));
    assert_eq!(play.go(&ours), ["echo anna 2:Hello"], "though the chat is no longer hers");
    play.go(&Event::VisitorStops);
    for now in [1_000, 5_000_000] {
        assert_eq!(play.at(now).go(&theirs), ["echo E 1:Hi"], "and it revives nothing");
        assert_eq!(play.go(&ours), ["echo anna 2:Hello"]);
        assert_eq!(play.state(), "Closed(ExtApp)");
    }
    let mut play = Play::icr();
    let hello = |play: &Play| Event::ScriptSpeaks(play.said(Direction::Outbound, "r-1", SentenceKind::Text, "Hello"));
    let first = hello(&play);
    play.go(&first);
    play.go(&Event::ScriptEnds);
    let again = hello(&play);
    assert_eq!(play.go(&again), ["echo script 1:Hello"]);
}

#[test]
fn an_id_used_again_for_something_else_is_a_new_sentence() {
    let mut play = Play::pilot();
    let first = play.visitor_says("s-1", "Hi");
    play.go(&first);
    let second = play.visitor_says("s-1", "Hi!");
    assert_eq!(play.go(&second), ["store 2:Hi!", "reused s-1", "echo E 2:Hi!"]);
    let note = Event::VisitorSpeaks(play.said(Direction::Inbound, "s-1", SentenceKind::Note, "Hi"));
    assert_eq!(play.go(&note), ["store 3:Hi", "reused s-1", "echo E 3:Hi"]);
    let repeated = play.visitor_says("s-1", "Hi");
    assert_eq!(play.go(&repeated), ["echo E 1:Hi"]);
}

#[test]
fn the_same_id_in_the_other_direction_is_another_sentence() {
    let mut play = Play::answered();
    let theirs = play.visitor_says("1", "Hi");
    play.go(&theirs);
    let ours = play.agent_says("anna", "1", "Hi");
    assert_eq!(play.go(&ours), ["store 2:Hi", "echo anna 2:Hi", "say E 2:Hi"]);
}

#[test]
fn a_confirmation_counts_once_and_the_first_time_stands() {
    let mut play = Play::answered();
    let hello = play.agent_says("anna", "a-1", "Hello");
    play.go(&hello);
    let confirm = play.confirms(Direction::Outbound, "a-1");
    assert_eq!(play.at(1_000).go(&confirm), ["store confirm 1", "confirmed anna a-1"]);
    let again = play.confirms(Direction::Outbound, "a-1");
    assert_eq!(play.at(2_000).go(&again), NOTHING);
    assert_eq!(play.stored[0].confirmed_at, Some(at(1_000)));
}

#[test]
fn a_confirmation_covers_every_sentence_of_that_id_in_its_direction() {
    let mut play = Play::answered();
    for (id, text) in [("1", "a"), ("1", "b"), ("2", "c")] {
        let theirs = play.visitor_says(id, text);
        play.go(&theirs);
        let ours = play.agent_says("anna", id, text);
        play.go(&ours);
    }
    let by_agent = play.confirms(Direction::Inbound, "1");
    assert_eq!(play.go(&by_agent), ["store confirm 1", "store confirm 3", "confirmed E 1"]);
    let by_visitor = play.confirms(Direction::Outbound, "2");
    assert_eq!(play.go(&by_visitor), ["store confirm 6", "confirmed anna 2"]);
}

#[test]
fn an_unknown_confirmation_is_ignored() {
    let mut play = Play::answered();
    let hello = play.visitor_says("s-1", "Hi");
    play.go(&hello);
    let before = play.chat.clone();
    for event in [
        play.confirms(Direction::Inbound, "s-9"),
        // The visitor cannot confirm what they wrote themselves.
        play.confirms(Direction::Outbound, "s-1"),
        Event::VisitorConfirms(Confirm { id: sentence_id("s-1"), unconfirmed: vec![0, 2, u64::MAX] }),
    ] {
        assert_eq!(play.go(&event), NOTHING);
        assert_eq!(play.chat, before);
    }
}

#[test]
fn a_panel_can_be_confirmed_while_it_is_shown() {
    let mut play = Play::answered();
    let panel = play.said(Direction::Outbound, "a-1", SentenceKind::Panel, "<p>");
    play.go(&Event::DeskSpeaks { from: Attendant::Agent(agent("anna")), said: panel });
    let confirm = play.confirms(Direction::Outbound, "a-1");
    assert_eq!(play.at(1_000).go(&confirm), ["confirmed anna a-1"]);
    assert_eq!(play.chat().slots.panel.as_ref().unwrap().confirmed_at, Some(at(1_000)));
    assert_eq!(play.go(&confirm), NOTHING);
}

// -------------------------------------------------------------------------------------------------------- 5.3, typing

#[test]
fn typing_goes_to_the_other_side_only_and_is_not_counted() {
    let mut play = Play::answered();
    assert_eq!(play.go(&types(true)), ["typing anna true"]);
    assert_eq!(play.at(1_000).go(&types(false)), ["typing anna false"]);
    let desk = Event::DeskTypes { from: Attendant::Agent(agent("anna")), is_typing: true };
    assert_eq!(play.go(&desk), ["typing E true"]);
    assert_eq!((play.chat().counter, play.stored.len()), (0, 0));
}

#[test]
fn typing_expires_after_ten_seconds_unless_it_is_renewed() {
    let mut play = Play::answered();
    play.go(&types(true));
    assert!(play.chat().is_typing(Direction::Inbound, at(9_999)));
    assert!(!play.chat().is_typing(Direction::Inbound, at(10_000)));
    assert!(!play.chat().is_typing(Direction::Outbound, at(1)));
    play.at(8_000).go(&types(true));
    assert!(play.chat().is_typing(Direction::Inbound, at(17_999)));
    assert!(!play.chat().is_typing(Direction::Inbound, at(18_000)));
}

#[test]
fn one_typing_is_forwarded_per_direction_and_second() {
    let mut play = Play::answered();
    let desk = |is_typing| Event::DeskTypes { from: Attendant::Agent(agent("anna")), is_typing };
    assert_eq!(play.go(&types(true)), ["typing anna true"]);
    assert_eq!(play.at(999).go(&types(true)), NOTHING);
    assert_eq!(play.go(&desk(true)), ["typing E true"]);
    assert_eq!(play.at(1_000).go(&types(true)), ["typing anna true"]);
    // Not forwarded, but whoever asks is told the truth.
    assert_eq!(play.at(1_500).go(&types(false)), NOTHING);
    assert!(!play.chat().is_typing(Direction::Inbound, at(1_500)));
    assert_eq!(play.at(2_000).go(&types(true)), ["typing anna true"]);
}

#[test]
fn a_sentence_of_the_same_side_ends_typing() {
    let mut play = Play::answered();
    play.go(&types(true));
    play.go(&Event::DeskTypes { from: Attendant::Agent(agent("anna")), is_typing: true });
    let hello = play.visitor_says("s-1", "Hi");
    play.at(500).go(&hello);
    assert!(!play.chat().is_typing(Direction::Inbound, at(500)));
    assert!(play.chat().is_typing(Direction::Outbound, at(500)));
    let ours = play.agent_says("anna", "a-1", "Hello");
    play.go(&ours);
    assert!(!play.chat().is_typing(Direction::Outbound, at(500)));
}

#[test]
fn typing_does_not_put_off_inactivity() {
    let mut play = Play::answered();
    play.at(300_000).go(&types(true));
    assert_eq!(play.chat().dead_at(), Some(at(600_000)));
    assert_eq!(play.at(600_000).go(&types(true)), ["status E Closed(Inactivity)", "status anna Closed(Inactivity)"]);
}

// ----------------------------------------------------------------------------------------------------- 5.4, sentences

#[test]
fn sentences_are_filled_in_answers_only() {
    let mut play = Play::answered();
    let filled = |done: Vec<String>| -> Vec<String> { done.into_iter().filter(|effect| effect.contains('[')).collect() };
    for event in [Event::VisitorAsks, starts(start())] {
        assert_eq!(filled(play.go(&event)), ["status E Answered(anna) [1..0]"]);
    }
    for event in [Event::AgentAsks(agent("anna")), Event::AgentAnswers(agent("anna"))] {
        assert_eq!(filled(play.go(&event)), ["status anna Answered(anna) [1..0]"]);
    }
    assert_eq!(filled(play.go(&Event::AgentHangsUp(agent("anna")))), ["status anna Closed(Agent) [1..0]"]);
    for (mut play, event) in [
        (Play::pilot(), Event::ConditionsDecided(Decision::Desk(agents()))),
        (Play::waiting(), Event::AgentOffered(agent("anna"))),
        (Play::answered(), Event::VisitorStops),
        (Play::answered(), Event::AgentReturns(agent("anna"))),
        (Play::answered(), Event::HandOver(elsewhere())),
    ] {
        assert_eq!(filled(play.go(&event)), NOTHING, "{event:?}");
    }
}

#[test]
fn an_answer_holds_the_newest_thousand() {
    let chat = |counter| Chat { counter, ..Play::pilot().chat.unwrap() };
    assert_eq!(TRANSCRIPT_LIMIT, 1_000);
    assert!(chat(0).transcript().is_empty());
    assert_eq!(chat(1).transcript(), 1..=1);
    assert_eq!(chat(1_000).transcript(), 1..=1_000);
    assert_eq!(chat(1_001).transcript(), 2..=1_001);
    assert_eq!(chat(u64::MAX).transcript().count(), 1_000);
}

// -------------------------------------------------------------------------------------------------------- distribution

#[test]
fn on_a_web_site_distribution_begins_with_the_first_text() {
    let mut play = Play::with(Policy { distribution: Distribution::AfterFirstText, ..policy() });
    play.go(&starts(start()));
    assert_eq!(play.go(&Event::ConditionsDecided(Decision::Desk(agents()))), ["status E Waiting"]);
    assert_eq!((play.chat().enqueued_at, play.chat().waiting()), (None, None));
    assert_eq!(play.go(&Event::AgentOffered(agent("anna"))), ["refused Conflict"]);
    assert_eq!(play.at(10_000).go(&Event::Tick), ["rules"]);
    let page = Event::VisitorSpeaks(play.said(Direction::Inbound, "s-1", SentenceKind::Navigation, "/a"));
    assert_eq!(play.go(&page), ["store 0:/a", "echo E 0:/a"]);
    let hello = play.visitor_says("s-2", "Hi");
    assert_eq!(play.at(15_000).go(&hello), ["store 1:Hi", "echo E 1:Hi", "distribute"]);
    assert_eq!(play.chat().enqueued_at, Some(at(15_000)));
    let more = play.visitor_says("s-3", "Anybody?");
    assert_eq!(play.go(&more), ["store 2:Anybody?", "echo E 2:Anybody?"]);
    // Said before the conditions decided, it counts as well.
    let mut play = Play::with(play.policy);
    play.go(&starts(start()));
    let hello = play.visitor_says("s-1", "Hi");
    play.go(&hello);
    assert_eq!(play.go(&Event::ConditionsDecided(Decision::Desk(agents()))), ["status E Waiting", "distribute"]);
}

#[test]
fn an_agent_who_moved_to_another_workplace_is_followed() {
    let mut play = Play::answered();
    let moved = Agent { workplace: "202".parse().unwrap(), ..agent("anna") };
    play.go(&Event::AgentAsks(moved.clone()));
    assert_eq!(play.chat().state, State::Answered { by: Attendant::Agent(moved) });
    play.go(&Event::AgentAsks(agent("bela")));
    assert_eq!(play.state(), "Answered(anna)");
}

#[test]
fn the_list_of_barred_agents_is_limited() {
    let mut play = Play::waiting();
    for n in 0..150 {
        let refuses = agent(&format!("a-{n}"));
        play.go(&Event::AgentOffered(refuses.clone()));
        play.go(&Event::AgentHangsUp(refuses));
    }
    assert_eq!(play.chat().barred.len(), 100);
    // Those whose time is over make room.
    play.at(60_000).go(&Event::AgentOffered(agent("bela")));
    play.go(&Event::AgentHangsUp(agent("bela")));
    assert_eq!(play.chat().barred.len(), 1);
}

// -------------------------------------------------------------------------------------------------------- personal data

#[test]
fn debug_shows_nothing_personal() {
    let mut play = Play::answered();
    let hello = play.visitor_says("s-1", "my card number");
    play.go(&hello);
    let panel = play.said(Direction::Outbound, "a-1", SentenceKind::Panel, "secret panel");
    let done =
        step(play.chat.as_ref(), &Event::DeskSpeaks { from: Attendant::Agent(agent("anna")), said: panel }, START, &play.policy);
    let shown = format!("{done:?} {:?} {:?} {:?}", play.chat, starts(start()), hello);
    for personal in ["Eva", "+420", "card", "secret", "Jana", "t-1"] {
        assert!(!shown.contains(personal), "{personal} in {shown}");
    }
}

#[test]
fn a_stored_chat_is_read_back_as_it_was() {
    for play in Play::active().into_iter().chain([Play::closed()]) {
        let text = serde_json::to_string(play.chat()).unwrap();
        assert_eq!(&serde_json::from_str::<Chat>(&text).unwrap(), play.chat());
    }
    let state = serde_json::to_value(&Play::alerting().chat().state).unwrap();
    let expected = serde_json::json!({
        "state": "alerting", "agent": {"id": "anna", "workplace": "101", "name": "Jana"}, "until": 1_767_225_620_000_i64
    });
    assert_eq!(state, expected);
}
