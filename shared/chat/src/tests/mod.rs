//! The table and the rules of FrontStage contract 5.1 to 5.5, by name.

mod bridge;
mod deadlines;
mod properties;
mod rows;
mod rules;

use std::time::Duration;

use model::EpochMillis;

use crate::gate::Signal;
use crate::{
    Agent, AttachedForm, Attendant, Chat, ChatVisitor, Confirm, Decision, Desk, Direction, Draft, Effect, Event, Known, Party,
    Policy, Returning, Robot, Said, Sentence, SentenceId, SentenceKind, Skill, Staff, Start, State, step,
};

const START: EpochMillis = EpochMillis::new(1_767_225_600_000);

/// The instant `millis` after [`START`].
fn at(millis: i64) -> EpochMillis {
    EpochMillis::new(START.millis() + millis)
}

fn policy() -> Policy {
    Policy {
        inertia: Some(Duration::from_secs(300)),
        inactivity: Some(Duration::from_secs(600)),
        alert: Duration::from_secs(20),
        ..Policy::default()
    }
}

fn agent(id: &str) -> Agent {
    Agent { id: id.parse().unwrap(), workplace: "101".parse().unwrap(), name: "Jana".into() }
}

fn staff(name: &str) -> Staff {
    Staff { account: "vcita/demo".parse().unwrap(), name: Some(name.into()) }
}

fn skill() -> Skill {
    Skill { project: "sales".parse().unwrap(), language: None }
}

fn agents() -> Desk {
    Desk::Agents(skill())
}

fn elsewhere() -> Desk {
    Desk::Staff("vcita/demo".parse().unwrap())
}

fn robot() -> Robot {
    Robot { id: None, name: "Robin".into() }
}

fn visitor() -> ChatVisitor {
    ChatVisitor { party_name: Some("Eva".into()), remote_address: Some("+420700000000".into()), ..ChatVisitor::default() }
}

fn start() -> Start {
    Start {
        conversation: "00112233445566778899".parse().unwrap(),
        tenant: "demo".parse().unwrap(),
        gateway: "frontstage/gw-demo".parse().unwrap(),
        tracking: "t-1".to_owned().try_into().unwrap(),
        visitor: visitor(),
        form: None,
        signal: Signal::Free,
        returning: Returning::No,
    }
}

fn starts(start: Start) -> Event {
    Event::Start(Box::new(start))
}

fn filled(form: &str) -> AttachedForm {
    AttachedForm { form: form.parse().unwrap(), result: "r-1".parse().ok(), attached_at: START }
}

fn sentence_id(text: &str) -> SentenceId {
    text.to_owned().try_into().unwrap()
}

/// A chat, the store behind it, and what is sent because of it.
struct Play {
    chat: Option<Chat>,
    stored: Vec<Sentence>,
    now: EpochMillis,
    policy: Policy,
}

impl Play {
    fn new() -> Self {
        Self { chat: None, stored: Vec::new(), now: START, policy: policy() }
    }

    fn with(policy: Policy) -> Self {
        Self { policy, ..Self::new() }
    }

    /// Lets time pass until `millis` after [`START`].
    fn at(&mut self, millis: i64) -> &mut Self {
        self.now = at(millis);
        self
    }

    fn chat(&self) -> &Chat {
        self.chat.as_ref().unwrap()
    }

    fn state(&self) -> String {
        show_state(&self.chat().state)
    }

    /// What the step does, timers included.
    fn raw(&mut self, event: &Event) -> Vec<String> {
        let done = step(self.chat.as_ref(), event, self.now, &self.policy);
        if done.chat.as_ref().map(|c| c.id) != self.chat.as_ref().map(|c| c.id) {
            self.stored.clear();
        }
        for effect in &done.effects {
            match effect {
                Effect::Store(sentence) => self.stored.push(sentence.clone()),
                Effect::StoreConfirm { counter, at } => {
                    let confirmed = self.stored.iter_mut().find(|s| s.counter == *counter).unwrap();
                    confirmed.confirmed_at = Some(*at);
                }
                _ => {}
            }
        }
        self.chat = done.chat;
        let refusal = done.refusal.map(|refusal| format!("refused {}", refusal.as_str()));
        done.effects.iter().map(show).chain(refusal).collect()
    }

    /// What the step does, but for its timers.
    fn go(&mut self, event: &Event) -> Vec<String> {
        let mut done = self.raw(event);
        done.retain(|effect| !effect.starts_with("timer"));
        done
    }

    /// A sentence, and what the store knows of it.
    fn said(&self, direction: Direction, id: &str, kind: SentenceKind, text: &str) -> Said {
        let draft = Draft::new(sentence_id(id), kind, text.to_owned(), None, None).unwrap();
        let named: Vec<Sentence> = self.stored.iter().filter(|s| s.direction == direction).cloned().collect();
        let known = Known::of(&draft, &named);
        Said { draft, known }
    }

    fn visitor_says(&self, id: &str, text: &str) -> Event {
        Event::VisitorSpeaks(self.said(Direction::Inbound, id, SentenceKind::Text, text))
    }

    fn agent_says(&self, who: &str, id: &str, text: &str) -> Event {
        let said = self.said(Direction::Outbound, id, SentenceKind::Text, text);
        Event::DeskSpeaks { from: Attendant::Agent(agent(who)), said }
    }

    fn staff_says(&self, name: &str, id: &str, text: &str) -> Event {
        let said = self.said(Direction::Outbound, id, SentenceKind::Text, text);
        Event::DeskSpeaks { from: Attendant::Staff(staff(name)), said }
    }

    /// A confirmation of what was said in `direction`.
    fn confirms(&self, direction: Direction, id: &str) -> Event {
        let id = sentence_id(id);
        let open = self.stored.iter().filter(|s| s.direction == direction && s.id == id && s.confirmed_at.is_none());
        let unconfirmed = open.map(|s| s.counter).filter(|counter| *counter > 0).collect();
        match direction {
            Direction::Inbound => Event::DeskConfirms(Confirm { id, unconfirmed }),
            Direction::Outbound => Event::VisitorConfirms(Confirm { id, unconfirmed }),
        }
    }

    fn pilot() -> Self {
        let mut play = Self::new();
        play.go(&starts(start()));
        play
    }

    fn icr() -> Self {
        let mut play = Self::pilot();
        play.go(&Event::ConditionsDecided(Decision::Script(robot())));
        play
    }

    fn waiting() -> Self {
        Self::pilot().decided(agents())
    }

    fn waiting_elsewhere() -> Self {
        Self::pilot().decided(elsewhere())
    }

    fn decided(mut self, desk: Desk) -> Self {
        self.go(&Event::ConditionsDecided(Decision::Desk(desk)));
        self
    }

    fn alerting() -> Self {
        let mut play = Self::waiting();
        play.go(&Event::AgentOffered(agent("anna")));
        play
    }

    fn answered() -> Self {
        let mut play = Self::alerting();
        play.go(&Event::AgentAnswers(agent("anna")));
        play
    }

    /// Every state but `None` and `Closed`.
    fn active() -> [Self; 7] {
        let mut answered_elsewhere = Self::waiting_elsewhere();
        let first = answered_elsewhere.staff_says("Petr", "v-0", "Hello");
        answered_elsewhere.go(&first);
        [
            Self::pilot(),
            Self::icr(),
            Self::waiting(),
            Self::alerting(),
            Self::answered(),
            Self::waiting_elsewhere(),
            answered_elsewhere,
        ]
    }

    fn closed() -> Self {
        let mut play = Self::answered();
        play.go(&Event::AgentHangsUp(agent("anna")));
        play
    }
}

fn show_party(party: &Party) -> String {
    match party {
        Party::Visitor => "E".into(),
        Party::Agent(agent) => agent.id.to_string(),
        Party::Staff(account) => account.to_string(),
        Party::Script => "script".into(),
    }
}

fn show_state(state: &State) -> String {
    match state {
        State::Pilot => "Pilot".into(),
        State::Icr { robot, .. } => format!("ICR({})", robot.name),
        State::Waiting { .. } => "Waiting".into(),
        State::Alerting { agent, .. } => format!("Alerting({})", agent.id),
        State::Answered { by: Attendant::Agent(agent) } => format!("Answered({})", agent.id),
        State::Answered { by: Attendant::Staff(staff) } => format!("Answered({})", staff.name.as_deref().unwrap_or("?")),
        State::Closed { reason, .. } => format!("Closed({reason:?})"),
    }
}

fn show_sentence(sentence: &Sentence) -> String {
    format!("{}:{}", sentence.counter, sentence.text)
}

fn show(effect: &Effect) -> String {
    match effect {
        Effect::Store(sentence) => format!("store {}", show_sentence(sentence)),
        Effect::StoreConfirm { counter, .. } => format!("store confirm {counter}"),
        Effect::Bind(tracking) => format!("bind {}", tracking.as_str()),
        Effect::IdReused(id) => format!("reused {}", id.as_str()),
        Effect::Respond { signal } => format!("signal {signal:?}"),
        Effect::Status { to, state, dead_at: _, sentences } => {
            let sentences = sentences.as_ref().map(|s| format!(" [{}..{}]", s.start(), s.end())).unwrap_or_default();
            format!("status {} {}{sentences}", show_party(to), show_state(state))
        }
        Effect::Echo { to, sentence } => format!("echo {} {}", show_party(to), show_sentence(sentence)),
        Effect::Deliver { to, sentence } => format!("say {} {}", show_party(to), show_sentence(sentence)),
        Effect::Confirmed { to, id, .. } => format!("confirmed {} {}", show_party(to), id.as_str()),
        Effect::Typing { to, is_typing } => format!("typing {} {is_typing}", show_party(to)),
        Effect::Alert { to, .. } => format!("alert {}", to.id),
        Effect::AlertEnd { to } => format!("alert end {}", to.id),
        Effect::Transcript { to, sentences } => format!("transcript {to} [{}..{}]", sentences.start(), sentences.end()),
        Effect::DecideConditions => "decide".into(),
        Effect::StartScript => "start script".into(),
        Effect::RunWaitingRules { .. } => "rules".into(),
        Effect::Distribute => "distribute".into(),
        Effect::SetTimer(due) => format!("timer {}", due.millis() - START.millis()),
    }
}
