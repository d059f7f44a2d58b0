//! What holds whatever happens, in whatever order and at whatever time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{ChatId, Distribution, Step};

/// Something that happens, before the store is asked about it.
#[derive(Debug, Clone)]
enum Op {
    Plain(Event),
    Visitor(u8, u8, u32),
    Desk(Attendant, u8, u8, u32),
    Script(u8, u32),
    Rule(u8, u32),
    Confirm(Direction, u8),
}

fn any_agent() -> impl Strategy<Value = Agent> {
    prop_oneof![Just(agent("anna")), Just(agent("bela")), Just(Agent { workplace: "202".parse().unwrap(), ..agent("anna") })]
}

fn any_staff() -> impl Strategy<Value = Staff> {
    prop_oneof![Just(staff("Petr")), Just(staff("Lenka")), Just(Staff { name: None, ..staff("") })]
}

fn any_attendant() -> impl Strategy<Value = Attendant> {
    prop_oneof![any_agent().prop_map(Attendant::Agent), any_staff().prop_map(Attendant::Staff)]
}

fn any_desk() -> impl Strategy<Value = Desk> {
    prop_oneof![Just(agents()), Just(elsewhere())]
}

fn any_signal() -> impl Strategy<Value = Signal> {
    prop_oneof![Just(Signal::Free), Just(Signal::Busy), Just(Signal::Closed), Just(Signal::Hidden)]
}

fn any_kind() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(0_u32), 1 => (1_u32..6).prop_map(|half| half * 2)]
}

fn any_plain() -> impl Strategy<Value = Event> {
    prop_oneof![
        any_signal().prop_map(|signal| Event::Request { signal }),
        any_signal().prop_map(|signal| starts(Start { signal, ..start() })),
        Just(Event::VisitorStops),
        any::<bool>().prop_map(|is_typing| Event::VisitorTypes { is_typing }),
        Just(Event::VisitorAsks),
        (0_u8..3).prop_map(|form| Event::FormFilled(filled(&format!("f-{form}")))),
        any_agent().prop_map(Event::AgentOffered),
        any_agent().prop_map(Event::AgentAnswers),
        any_agent().prop_map(Event::AgentHangsUp),
        any_agent().prop_map(Event::AgentReturns),
        any_agent().prop_map(Event::AgentMarksSpam),
        any_agent().prop_map(Event::AgentAsks),
        (any_attendant(), any::<bool>()).prop_map(|(from, is_typing)| Event::DeskTypes { from, is_typing }),
        any_staff().prop_map(Event::StaffCloses),
        Just(Event::ConditionsDecided(Decision::Script(robot()))),
        any_desk().prop_map(|desk| Event::ConditionsDecided(Decision::Desk(desk))),
        Just(Event::ConditionsDecided(Decision::Nothing)),
        any_desk().prop_map(Event::ScriptHandsOver),
        "[ab]".prop_map(Event::ScriptMoves),
        Just(Event::ScriptEnds),
        any_desk().prop_map(Event::HandOver),
        Just(Event::Tick),
    ]
}

fn any_op() -> impl Strategy<Value = Op> {
    let direction = prop_oneof![Just(Direction::Inbound), Just(Direction::Outbound)];
    prop_oneof![
        6 => any_plain().prop_map(Op::Plain),
        3 => (0_u8..6, 0_u8..3, any_kind()).prop_map(|(id, text, kind)| Op::Visitor(id, text, kind)),
        3 => (any_attendant(), 0_u8..6, 0_u8..3, any_kind()).prop_map(|(from, id, text, kind)| Op::Desk(from, id, text, kind)),
        1 => (0_u8..6, any_kind()).prop_map(|(id, kind)| Op::Script(id, kind)),
        1 => (0_u8..6, any_kind()).prop_map(|(id, kind)| Op::Rule(id, kind)),
        1 => (direction, 0_u8..6).prop_map(|(direction, id)| Op::Confirm(direction, id)),
    ]
}

/// Mostly a conversation, now and then a long silence, or another machine's clock.
fn any_pause() -> impl Strategy<Value = i64> {
    prop_oneof![6 => 0_i64..3_000, 1 => -2_000_i64..0, 2 => 0_i64..30_000, 1 => 0_i64..1_000_000]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(inertia, inactivity, text_only, at_once, default_desk)| Policy {
            inertia: inertia.then(|| Duration::from_secs(300)),
            inactivity: inactivity.then(|| Duration::from_secs(600)),
            revive_on_text_only: text_only,
            distribution: if at_once { Distribution::AtOnce } else { Distribution::AfterFirstText },
            default_desk: default_desk.then(agents),
            ..policy()
        },
    )
}

impl Play {
    fn event(&self, op: Op) -> Event {
        let said = |direction, id: u8, text: u8, kind| {
            self.said(direction, &format!("id-{id}"), SentenceKind::try_from(kind).unwrap(), &format!("text {text}"))
        };
        match op {
            Op::Plain(event) => event,
            Op::Visitor(id, text, kind) => Event::VisitorSpeaks(said(Direction::Inbound, id, text, kind)),
            Op::Desk(from, id, text, kind) => Event::DeskSpeaks { from, said: said(Direction::Outbound, id, text, kind) },
            Op::Script(id, kind) => Event::ScriptSpeaks(said(Direction::Outbound, id, 0, kind)),
            Op::Rule(id, kind) => Event::WaitingRuleSpeaks(said(Direction::Outbound, id, 0, kind)),
            Op::Confirm(direction, id) => self.confirms(direction, &format!("id-{id}")),
        }
    }

    fn look(&self, event: &Event) -> Step {
        step(self.chat.as_ref(), event, self.now, &self.policy)
    }
}

fn check_state(chat: &Chat) -> Result<(), TestCaseError> {
    match (&chat.state, &chat.desk) {
        (State::Pilot | State::Icr { .. }, desk) => prop_assert_eq!(desk, &None),
        (State::Waiting { .. }, desk) => prop_assert!(desk.is_some()),
        (State::Alerting { .. }, desk) => prop_assert_eq!(desk, &Some(agents())),
        (State::Answered { by: Attendant::Agent(_) }, desk) => prop_assert_eq!(desk, &Some(agents())),
        (State::Answered { by: Attendant::Staff(_) }, desk) => prop_assert_eq!(desk, &Some(elsewhere())),
        (State::Closed { .. }, _) => prop_assert_eq!(chat.due_at(), None),
    }
    Ok(())
}

/// New work comes after everything that is stored or sent, and the timer last.
fn phase(effect: &Effect) -> u8 {
    match effect {
        Effect::DecideConditions | Effect::StartScript | Effect::RunWaitingRules { .. } | Effect::Distribute => 1,
        Effect::SetTimer(_) => 2,
        _ => 0,
    }
}

/// What is compared when only the time at which a timer fired differs.
fn settled(chat: Chat) -> Chat {
    Chat { rev: 0, timer_at: None, ..chat }
}

proptest! {
    #[test]
    fn whatever_happens(policy in any_policy(), ops in proptest::collection::vec((any_op(), any_pause()), 1..80)) {
        let mut play = Play::with(policy);
        let mut transcripts: BTreeMap<ChatId, u64> = BTreeMap::new();
        for (op, pause) in ops {
            play.now = EpochMillis::new(play.now.millis() + pause);
            let event = play.event(op);
            let before = play.chat.clone();
            let done = play.look(&event);

            // A chat that exists stays, changes are counted, and nothing is sent before it is stored.
            prop_assert!(done.chat.is_some() || before.is_none());
            prop_assert!(done.effects.windows(2).all(|pair| phase(&pair[0]) <= phase(&pair[1])), "{:?}", done.effects);
            if let Some(chat) = &done.chat {
                check_state(chat)?;
                match before.as_ref().filter(|b| b.id == chat.id) {
                    Some(b) => prop_assert_eq!(chat.rev, b.rev + u64::from(b != chat)),
                    None => prop_assert_eq!(chat.rev, 0),
                }
                // Somebody looks at it no later than it is due.
                prop_assert_eq!(chat.timer_at.is_some(), chat.due_at().is_some());
                prop_assert!(chat.timer_at <= chat.due_at());
                // Nothing is left overdue.
                prop_assert!(chat.inactive_at.is_none_or(|at| play.now < at));
                if let State::Alerting { until, .. } = chat.state {
                    prop_assert!(play.now < until);
                }
            }

            // Counters have no gaps, and every echo is of something stored.
            let id = done.chat.as_ref().map(|c| c.id);
            for effect in &done.effects {
                match (effect, id) {
                    (Effect::Store(sentence), Some(id)) if sentence.kind.is_counted() => {
                        let last = transcripts.entry(id).or_default();
                        *last += 1;
                        prop_assert_eq!(sentence.counter, *last);
                    }
                    (Effect::Store(sentence), _) => prop_assert_eq!(sentence.counter, 0),
                    (Effect::Status { sentences: Some(sentences), .. }, _) => prop_assert!(sentences.clone().count() <= 1_000),
                    _ => {}
                }
            }

            // A closed chat changes by rows 7, 8 and 26 only; a confirmation may still mark what it shows, and a form
            // may still be attached.
            if let (Some(old), Some(new)) = (&before, &done.chat) && old.is_closed() {
                match event {
                    Event::Start(_) | Event::VisitorSpeaks(_) => {}
                    Event::VisitorConfirms(_) | Event::DeskConfirms(_) => {
                        prop_assert_eq!((&old.state, old.counter), (&new.state, new.counter));
                    }
                    Event::FormFilled(_) => {
                        let (forms, rev) = (new.forms.clone(), new.rev);
                        prop_assert_eq!(&Chat { forms, rev, ..old.clone() }, new);
                    }
                    _ => prop_assert_eq!(old, new),
                }
            }

            play.raw(&event);
            if let Some(chat) = &play.chat {
                let counted: Vec<u64> = play.stored.iter().map(|s| s.counter).filter(|c| *c > 0).collect();
                prop_assert_eq!(counted, (1..=chat.counter).collect::<Vec<_>>(), "a stored sentence is never lost");
                prop_assert!(serde_json::to_string(chat).unwrap().len() < 4_000);
            }
        }
    }

    #[test]
    fn a_repeated_sentence_changes_nothing(
        policy in any_policy(),
        ops in proptest::collection::vec((any_op(), any_pause()), 1..40),
        id in 0_u8..6, text in 0_u8..3, kind in any_kind(), desk in any::<bool>(), from in any_attendant(),
    ) {
        let mut play = Play::with(policy);
        for (op, pause) in ops {
            play.now = EpochMillis::new(play.now.millis() + pause);
            let event = play.event(op);
            play.raw(&event);
        }
        let op = || if desk { Op::Desk(from.clone(), id, text, kind) } else { Op::Visitor(id, text, kind) };
        let first = play.event(op());
        let was_said = play.raw(&first).iter().any(|effect| effect.starts_with("echo"));
        let before = play.chat.clone();
        let again = play.event(op());
        let done = play.raw(&again);
        if was_said {
            prop_assert_eq!(done.len(), 1, "{:?}", done);
            prop_assert!(done[0].starts_with("echo"));
        }
        prop_assert_eq!(&play.chat, &before);
    }

    #[test]
    fn a_late_timer_changes_nothing(
        policy in any_policy(),
        ops in proptest::collection::vec((any_op(), any_pause()), 1..40),
        last in any_op(), late in 0_i64..1_000_000,
    ) {
        let mut play = Play::with(policy);
        for (op, pause) in ops {
            play.now = EpochMillis::new(play.now.millis() + pause);
            let event = play.event(op);
            play.raw(&event);
        }
        let Some(chat) = play.chat.clone() else { return Ok(()) };
        // Rules of waiting are work, not a deadline: how often they ran is not part of this.
        let chat = Chat { cycle_at: None, ..chat };
        let Some(due) = chat.due_at() else { return Ok(()) };
        let event = play.event(last);
        let then = EpochMillis::new(due.millis() + late);
        let on_time = step(Some(&chat), &Event::Tick, due, &play.policy).chat;
        let after_timer = step(on_time.as_ref(), &event, then, &play.policy);
        let without_timer = step(Some(&chat), &event, then, &play.policy);
        let uncycled = |chat: Option<Chat>| chat.map(|chat| Chat { cycle_at: None, ..settled(chat) });
        // Only on a further deadline between the two can the first timer have a successor.
        prop_assert_eq!(uncycled(after_timer.chat), uncycled(without_timer.chat));
        prop_assert_eq!(after_timer.refusal, without_timer.refusal);
    }
}

#[test]
fn a_chat_does_not_grow_with_what_is_said() {
    let mut play = Play::answered();
    let size = |play: &Play| serde_json::to_string(play.chat()).unwrap().len();
    let mut at_thousand = 0;
    for n in 0..9_000_u64 {
        let draft = Draft::new(sentence_id(&format!("s-{n}")), SentenceKind::Text, "x".repeat(500), None, None).unwrap();
        let said = Said { draft, known: Known::New };
        let event = match n % 2 {
            0 => Event::VisitorSpeaks(said),
            _ => Event::DeskSpeaks { from: Attendant::Agent(agent("anna")), said },
        };
        let done = step(play.chat.as_ref(), &event, play.now, &play.policy);
        assert_eq!(done.effects.len(), 3, "stored, echoed, delivered");
        play.chat = done.chat;
        if n == 1_000 {
            at_thousand = size(&play);
        }
    }
    assert_eq!(play.chat().counter, 9_000);
    assert_eq!(size(&play), at_thousand);
}
