//! The only function that moves a chat: FrontStage contract 5.1 to 5.4, row by row.
//!
//! Deadlines are half open: an offer until 20 s is good at 19.999 s and over at 20 s. What is overdue is applied before
//! anything else, as of the instant at which it was due, so that it makes no difference when a timer fires, or whether
//! it does.

use std::time::Duration;

use model::{AccountId, EpochMillis};

use crate::gate::Signal;
use crate::{
    Agent, AttachedForm, Attendant, Chat, ChatId, CloseReason, Confirm, Decision, Desk, Direction, Distribution, Effect, Event,
    Known, Party, Policy, Refusal, Returning, Robot, Said, Sentence, SentenceKind, Staff, Start, State, Step, TypingFlag,
    TypingFlags,
};

/// Typing that is not renewed for this long is over (5.3).
const TYPING_LASTS: Duration = Duration::from_secs(10);
/// The other side is told at most once in this time (5.3).
const TYPING_PAUSE: Duration = Duration::from_secs(1);
/// Another platform's staff is told at most once in this time that the visitor types. And while the visitor still sees for this
/// long that staff types, saying so again changes nothing.
const STAFF_TYPING_PAUSE: Duration = Duration::from_secs(5);

/// Does what `event` means to `chat` at `now`; `None` is the chat of a thread that has none.
///
/// What is refused says so in [`Step::refusal`]. Store, send and begin what [`Step::effects`] lists only together with
/// [`Step::chat`], on the condition that its `rev` is still the one that was read.
#[must_use]
pub fn step(chat: Option<&Chat>, event: &Event, now: EpochMillis, policy: &Policy) -> Step {
    let Some(chat) = chat else { return step_without_chat(event, now, policy) };
    let mut turn = Turn::on(chat, now, policy);
    turn.settle_overdue();
    let refusal = turn.apply(event).err();
    turn.finish(refusal)
}

fn step_without_chat(event: &Event, now: EpochMillis, policy: &Policy) -> Step {
    let ends = |effects, refusal| Step { chat: None, replaced: None, effects, refusal };
    match event {
        Event::Request { signal } => ends(vec![Effect::Respond { signal: *signal }], None),
        Event::Start(start) => start_without_chat(start, now, policy).unwrap_or_else(|refusal| ends(Vec::new(), Some(refusal))),
        // Row 33. Nobody else can mean a chat that does not exist either.
        Event::VisitorStops
        | Event::VisitorTypes { .. }
        | Event::VisitorSpeaks(_)
        | Event::VisitorConfirms(_)
        | Event::VisitorAsks
        | Event::FormFilled(_)
        | Event::AgentOffered(_)
        | Event::AgentAnswers(_)
        | Event::AgentHangsUp(_)
        | Event::AgentReturns(_)
        | Event::AgentMarksSpam(_)
        | Event::AgentAsks(_)
        | Event::DeskTypes { .. }
        | Event::DeskSpeaks { .. }
        | Event::DeskConfirms(_)
        | Event::StaffCloses(_)
        | Event::ConditionsDecided(_)
        | Event::ScriptMoves(_)
        | Event::ScriptSpeaks(_)
        | Event::ScriptHandsOver(_)
        | Event::ScriptEnds
        | Event::WaitingRuleSpeaks(_)
        | Event::HandOver(_)
        | Event::Tick => ends(Vec::new(), Some(Refusal::UnknownChat)),
    }
}

fn start_without_chat(start: &Start, now: EpochMillis, policy: &Policy) -> Result<Step, Refusal> {
    match &start.returning {
        Returning::No => {
            admit(start.signal, policy)?;
            let id = ChatId::new(start.conversation, 1).ok_or(Refusal::Conflict)?;
            let fresh = Chat::new(id, start.tenant.clone(), start.gateway.clone(), now, policy);
            let mut turn = Turn::new(fresh, None, now, policy);
            turn.open(start);
            Ok(turn.finish(None))
        }
        Returning::Unknown => Err(Refusal::UnknownChat),
        Returning::Chat(target) => {
            may_enter(start, target)?;
            let mut turn = Turn::on(target, now, policy);
            turn.settle_overdue();
            let refusal = turn.enter(start).err();
            Ok(turn.finish(refusal))
        }
    }
}

/// Rows 2 and 3: whether a new chat can be started.
const fn admit(signal: Signal, policy: &Policy) -> Result<(), Refusal> {
    if policy.accepts_inbound && signal.admits() { Ok(()) } else { Err(Refusal::GateClosed) }
}

/// Rows 4 and 5: whether a start may enter the prepared chat it names. A chat of another gateway is unknown too (10.6).
fn may_enter(start: &Start, target: &Chat) -> Result<(), Refusal> {
    if target.gateway != start.gateway || target.tenant != start.tenant {
        return Err(Refusal::UnknownChat);
    }
    match &target.tracking {
        Some(bound) if *bound != start.tracking => Err(Refusal::Conflict),
        Some(_) | None => Ok(()),
    }
}

/// Work that a step begins; told at its end, once, and only if the chat is still where it makes sense.
#[derive(Default)]
struct Work {
    decide: bool,
    script: bool,
    rules: Option<(EpochMillis, EpochMillis)>,
    distribute: bool,
    timer_fired: bool,
}

/// A step under way.
struct Turn<'a> {
    now: EpochMillis,
    policy: &'a Policy,
    /// The chat as it was read; `None` for a new one.
    before: Option<&'a Chat>,
    chat: Chat,
    replaced: Option<Chat>,
    effects: Vec<Effect>,
    work: Work,
}

impl<'a> Turn<'a> {
    fn new(chat: Chat, before: Option<&'a Chat>, now: EpochMillis, policy: &'a Policy) -> Self {
        Self { now, policy, before, chat, replaced: None, effects: Vec::new(), work: Work::default() }
    }

    fn on(chat: &'a Chat, now: EpochMillis, policy: &'a Policy) -> Self {
        Self::new(chat.clone(), Some(chat), now, policy)
    }

    /// Goes on with another chat.
    fn go_on_with(&mut self, chat: Chat, before: Option<&'a Chat>) {
        let mut left = std::mem::replace(&mut self.chat, chat);
        let left_before = std::mem::replace(&mut self.before, before);
        // Only a closed chat is left, and nobody has to look at that again.
        left.timer_at = None;
        self.replaced = Some(counted(left, left_before)).filter(|left| Some(left) != left_before);
    }

    fn finish(mut self, refusal: Option<Refusal>) -> Step {
        let Work { decide, script, rules, distribute, timer_fired } = self.work;
        if decide && self.chat.state == State::Pilot {
            self.effects.push(Effect::DecideConditions);
        }
        if script && matches!(self.chat.state, State::Icr { .. }) {
            self.effects.push(Effect::StartScript);
        }
        if let Some((from, seen)) = rules.filter(|_| matches!(self.chat.state, State::Waiting { .. })) {
            self.effects.push(Effect::RunWaitingRules { from, seen });
        }
        if distribute && self.chat.waiting().is_some() {
            self.effects.push(Effect::Distribute);
        }
        let due = self.chat.due_at();
        // A timer that fires too early looks at the chat and sets the next one; so anybody else needs a new one only where
        // the one under way would be too late. This keeps it at one timer at a time, not one per sentence.
        let is_covered = match (self.chat.timer_at, due) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(timer), Some(due)) => timer == due || (timer < due && (self.now < timer || !timer_fired)),
        };
        match due {
            None => self.chat.timer_at = None,
            Some(due) if !is_covered => {
                self.chat.timer_at = Some(due);
                self.effects.push(Effect::SetTimer(due));
            }
            Some(_) => {}
        }
        let chat = counted(self.chat, self.before);
        Step { chat: Some(chat), replaced: self.replaced, effects: self.effects, refusal }
    }

    // ------------------------------------------------------------------------------------------------- small steps

    /// Moves the chat as of `at`, which is not later than now.
    fn move_to(&mut self, state: State, at: EpochMillis) {
        self.chat.cycle_at = match state {
            State::Pilot | State::Waiting { .. } => Some(at.plus(self.policy.cycle)),
            State::Icr { .. } | State::Alerting { .. } | State::Answered { .. } | State::Closed { .. } => None,
        };
        self.chat.state = state;
    }

    /// The visitor, unless the chat is a prepared one that nobody has entered.
    fn visitor(&self) -> Option<Party> {
        self.chat.tracking.as_ref().map(|_| Party::Visitor)
    }

    fn tell(&mut self, to: Party, with_sentences: bool) {
        self.effects.push(Effect::Status {
            to,
            state: self.chat.state.clone(),
            dead_at: self.chat.dead_at(),
            sentences: with_sentences.then(|| self.chat.transcript()),
        });
    }

    fn tell_visitor(&mut self) {
        if let Some(visitor) = self.visitor() {
            self.tell(visitor, false);
        }
    }

    /// Tells the desk that had the chat in `state` that it has it no longer (rows 21, 22).
    fn tell_left(&mut self, state: &State, desk: Option<&Desk>) {
        match (state, desk) {
            (State::Alerting { agent, .. }, _) => {
                self.effects.push(Effect::AlertEnd { to: agent.clone() });
                self.tell(Party::Agent(agent.clone()), false);
            }
            (State::Answered { by }, _) => self.tell(by.into(), false),
            (State::Waiting { .. }, Some(Desk::Staff(account))) => self.tell(Party::Staff(account.clone()), false),
            (State::Waiting { .. }, Some(Desk::Agents(_)) | None)
            | (State::Pilot | State::Icr { .. } | State::Closed { .. }, _) => {}
        }
    }

    /// Who hears what the visitor says.
    fn listener(&self) -> Option<Party> {
        match (&self.chat.state, &self.chat.desk) {
            (State::Icr { .. }, _) => Some(Party::Script),
            (State::Answered { by }, _) => Some(by.into()),
            // Staff elsewhere is not offered a chat: it has to see what is said to answer at all.
            (State::Waiting { .. }, Some(Desk::Staff(account))) => Some(Party::Staff(account.clone())),
            (State::Waiting { .. }, Some(Desk::Agents(_)) | None)
            | (State::Pilot | State::Alerting { .. } | State::Closed { .. }, _) => None,
        }
    }

    fn attended_by(&self, from: &Attendant) -> bool {
        match &self.chat.state {
            State::Answered { by } => by.is_same(from),
            State::Pilot | State::Icr { .. } | State::Waiting { .. } | State::Alerting { .. } | State::Closed { .. } => false,
        }
    }

    /// Whether the chat waits for the staff of this account.
    fn waits_for(&self, account: &AccountId) -> bool {
        matches!((&self.chat.state, &self.chat.desk), (State::Waiting { .. }, Some(Desk::Staff(desk))) if desk == account)
    }

    fn close(&mut self, reason: CloseReason, at: EpochMillis) {
        self.end_typing_to_staff();
        let attended_by = match &self.chat.state {
            State::Answered { by } => Some(by.clone()),
            State::Pilot | State::Icr { .. } | State::Waiting { .. } | State::Alerting { .. } | State::Closed { .. } => None,
        };
        self.move_to(State::Closed { reason, at, attended_by }, at);
        self.chat.inactive_at = None;
        self.chat.typing = TypingFlags::default();
    }

    /// Puts the chat back among those that wait, or there for the first time.
    fn wait(&mut self, at: EpochMillis) {
        self.move_to(State::Waiting { since: at }, at);
        self.distribute();
    }

    /// Waits anew after somebody has conversed: what came before is not waiting time.
    fn wait_again(&mut self) {
        self.waits_from_now();
        self.wait(self.now);
    }

    fn waits_from_now(&mut self) {
        self.chat.waiting_from = self.now;
        self.chat.rules_at = None;
        self.chat.enqueued_at = None;
        self.chat.answered_at = None;
    }

    fn distribute(&mut self) {
        let may_begin = match self.policy.distribution {
            Distribution::AtOnce => true,
            Distribution::AfterFirstText => self.chat.spoke_at.is_some(),
        };
        if may_begin && matches!(self.chat.desk, Some(Desk::Agents(_))) {
            self.chat.enqueued_at.get_or_insert(self.now);
            self.work.distribute = true;
        }
    }

    /// Gives the chat to a desk (rows 10 to 12, and the hand-over from one desk to another).
    fn give_to(&mut self, desk: &Desk) {
        self.end_typing_to_staff();
        let before = self.chat.state.clone();
        let left = self.chat.desk.replace(desk.clone());
        match before {
            State::Icr { .. } | State::Answered { .. } => self.wait_again(),
            State::Pilot | State::Waiting { .. } | State::Alerting { .. } | State::Closed { .. } => self.wait(self.now),
        }
        self.tell_visitor();
        self.tell_left(&before, left.as_ref());
        if let Desk::Staff(account) = desk
            && self.chat.counter > 0
        {
            self.effects.push(Effect::Transcript { to: account.clone(), sentences: self.chat.transcript() });
        }
    }

    // ---------------------------------------------------------------------------------------------------- deadlines

    /// Rows 17 and 22, in the order in which they were due.
    fn settle_overdue(&mut self) {
        let is_over = |at: &EpochMillis| *at <= self.now;
        let inactive = self.chat.inactive_at.filter(is_over);
        if let State::Alerting { agent, until } = &self.chat.state
            && is_over(until)
            && inactive.is_none_or(|at| *until <= at)
        {
            let (agent, until) = (agent.clone(), *until);
            self.chat.bar(agent.id.clone(), until, self.policy.bar);
            self.wait(until);
            self.tell_visitor();
            self.effects.push(Effect::AlertEnd { to: agent });
        }
        if let Some(at) = inactive {
            let before = self.chat.state.clone();
            self.close(CloseReason::Inactivity, at);
            self.tell_visitor();
            self.tell_left(&before, self.chat.desk.clone().as_ref());
        }
    }

    fn tick(&mut self) {
        self.work.timer_fired = true;
        if self.chat.cycle_at.is_none_or(|at| self.now < at) {
            return;
        }
        self.chat.cycle_at = Some(self.now.plus(self.policy.cycle));
        match self.chat.state {
            State::Pilot => self.work.decide = true,
            State::Waiting { .. } => {
                let from = self.chat.waiting_from;
                self.work.rules = Some((from, self.chat.rules_at.unwrap_or(from)));
                self.chat.rules_at = Some(self.now);
                self.distribute();
            }
            State::Icr { .. } | State::Alerting { .. } | State::Answered { .. } | State::Closed { .. } => {}
        }
    }

    // ------------------------------------------------------------------------------------------------------- events

    fn apply(&mut self, event: &'a Event) -> Result<(), Refusal> {
        match event {
            Event::Request { signal } => {
                self.effects.push(Effect::Respond { signal: *signal });
                Ok(())
            }
            Event::Start(start) => self.start(start),
            Event::VisitorStops => {
                self.visitor_stops();
                Ok(())
            }
            Event::VisitorTypes { is_typing } => {
                let listener = self.listener().filter(|party| *party != Party::Script);
                self.types(Direction::Inbound, *is_typing, listener);
                Ok(())
            }
            Event::VisitorSpeaks(said) => self.visitor_speaks(said),
            Event::VisitorConfirms(confirm) => {
                self.confirm(confirm, Direction::Outbound);
                Ok(())
            }
            Event::VisitorAsks => {
                self.tell(Party::Visitor, true);
                Ok(())
            }
            Event::FormFilled(form) => {
                self.form_filled(form);
                Ok(())
            }
            Event::AgentOffered(agent) => self.agent_offered(agent),
            Event::AgentAnswers(agent) => self.agent_answers(agent),
            Event::AgentHangsUp(agent) => self.agent_hangs_up(agent),
            Event::AgentReturns(agent) => self.agent_returns(agent),
            Event::AgentMarksSpam(agent) => self.agent_marks_spam(agent),
            Event::AgentAsks(agent) => {
                self.recognise(agent);
                self.tell(Party::Agent(agent.clone()), true);
                Ok(())
            }
            Event::DeskTypes { from, is_typing } => {
                match from {
                    Attendant::Staff(staff) if self.attended_by(from) || self.waits_for(&staff.account) => {
                        self.staff_types(*is_typing);
                    }
                    Attendant::Agent(_) if self.attended_by(from) => {
                        self.types(Direction::Outbound, *is_typing, self.visitor());
                    }
                    Attendant::Staff(_) | Attendant::Agent(_) => {}
                }
                Ok(())
            }
            Event::DeskSpeaks { from, said } => self.desk_speaks(from, said),
            Event::DeskConfirms(confirm) => {
                self.confirm(confirm, Direction::Inbound);
                Ok(())
            }
            Event::StaffCloses(staff) => self.staff_closes(staff),
            Event::ConditionsDecided(decision) => self.conditions_decided(decision),
            Event::ScriptMoves(node) => self.script_moves(node),
            Event::ScriptSpeaks(said) => self.script_speaks(said),
            Event::ScriptHandsOver(desk) => {
                self.expect_script()?;
                self.give_to(desk);
                Ok(())
            }
            Event::ScriptEnds => {
                self.expect_script()?;
                self.close(CloseReason::System, self.now);
                self.tell_visitor();
                Ok(())
            }
            Event::WaitingRuleSpeaks(said) => self.waiting_rule_speaks(said),
            Event::HandOver(desk) => self.hand_over(desk),
            Event::Tick => {
                self.tick();
                Ok(())
            }
        }
    }

    /// Rows 2 to 8 where the thread has a chat already.
    fn start(&mut self, start: &'a Start) -> Result<(), Refusal> {
        if self.chat.is_closed() {
            match &start.returning {
                Returning::No => {}
                Returning::Unknown => return Err(Refusal::UnknownChat),
                Returning::Chat(target) => {
                    may_enter(start, target)?;
                    // One that this thread entered before is this chat, or one that came before it.
                    if target.tracking.is_none() {
                        self.go_on_with(Chat::clone(target), Some(target));
                        self.settle_overdue();
                    }
                }
            }
        }
        self.enter(start)
    }

    /// Rows 4 and 6 to 8: the visitor comes to this chat.
    fn enter(&mut self, start: &Start) -> Result<(), Refusal> {
        if self.chat.tracking.is_none() {
            self.bind(start);
            return Ok(());
        }
        match self.chat.state {
            State::Pilot | State::Icr { .. } | State::Waiting { .. } | State::Alerting { .. } | State::Answered { .. } => {
                self.know(start);
                self.tell(Party::Visitor, true);
                Ok(())
            }
            State::Closed { at, .. } if self.is_revivable(at) => {
                self.know(start);
                self.revive();
                self.tell(Party::Visitor, true);
                Ok(())
            }
            State::Closed { .. } => {
                admit(start.signal, self.policy)?;
                let id = self.chat.id.next().ok_or(Refusal::Conflict)?;
                let fresh = Chat::new(id, start.tenant.clone(), start.gateway.clone(), self.now, self.policy);
                self.go_on_with(fresh, None);
                self.open(start);
                Ok(())
            }
        }
    }

    /// Row 2, and row 8 for the chat that follows a closed one.
    fn open(&mut self, start: &Start) {
        self.chat.tracking = Some(start.tracking.clone());
        self.know(start);
        self.move_to(State::Pilot, self.now);
        self.work.decide = true;
        self.tell(Party::Visitor, true);
    }

    /// Row 4.
    fn bind(&mut self, start: &Start) {
        self.chat.tracking = Some(start.tracking.clone());
        self.know(start);
        self.effects.push(Effect::Bind(start.tracking.clone()));
        self.tell(Party::Visitor, true);
        match &self.chat.state {
            State::Pilot => {
                self.move_to(State::Pilot, self.now);
                self.work.decide = true;
            }
            State::Answered { by } => {
                let to = by.into();
                self.tell(to, false);
            }
            State::Icr { .. } | State::Waiting { .. } | State::Alerting { .. } | State::Closed { .. } => {}
        }
    }

    fn know(&mut self, start: &Start) {
        self.chat.visitor.learn(&start.visitor);
        if let Some(form) = &start.form {
            self.chat.attach(form);
        }
    }

    /// The visitor's side knows what it filled in; the agent who converses is shown the chat with its forms.
    fn form_filled(&mut self, form: &AttachedForm) {
        self.chat.attach(form);
        // Staff elsewhere is told nothing: its platform knows no forms.
        if let State::Answered { by: Attendant::Agent(agent) } = &self.chat.state {
            let to = Party::Agent(agent.clone());
            self.tell(to, false);
        }
    }

    fn is_revivable(&self, closed_at: EpochMillis) -> bool {
        self.policy.inertia.is_some_and(|inertia| self.now.since(closed_at) < inertia)
    }

    /// Rows 7 and 26: the same chat begins anew, with its transcript.
    fn revive(&mut self) {
        self.chat.desk = None;
        self.chat.barred.clear();
        self.waits_from_now();
        self.chat.spoke_at = None;
        self.note_activity();
        self.move_to(State::Pilot, self.now);
        self.work.decide = true;
    }

    fn note_activity(&mut self) {
        self.chat.inactive_at = self.policy.inactivity.map(|pause| self.now.plus(pause));
    }

    /// Rows 21 and 28.
    fn visitor_stops(&mut self) {
        if self.chat.is_closed() {
            self.tell_visitor();
            return;
        }
        let before = self.chat.state.clone();
        self.close(CloseReason::ExtApp, self.now);
        self.tell_visitor();
        self.tell_left(&before, self.chat.desk.clone().as_ref());
    }

    /// Rows 23, 26 and 27.
    fn visitor_speaks(&mut self, said: &Said) -> Result<(), Refusal> {
        if self.repeats(said, &Party::Visitor) {
            return Ok(());
        }
        if let State::Closed { at, .. } = self.chat.state {
            let is_enough = !self.policy.revive_on_text_only || said.draft.kind() == SentenceKind::Text;
            if !is_enough || !self.is_revivable(at) {
                return Err(Refusal::ChatClosed);
            }
            self.revive();
            self.tell_visitor();
        }
        let sentence = self.store(said, Direction::Inbound, Party::Visitor, None);
        self.pass_on(sentence, self.listener());
        if said.draft.kind() == SentenceKind::Text && self.chat.spoke_at.is_none() {
            self.chat.spoke_at = Some(self.now);
            if matches!(self.chat.state, State::Waiting { .. }) && self.chat.enqueued_at.is_none() {
                self.distribute();
            }
        }
        Ok(())
    }

    // ---------------------------------------------------------------------------------------------------- sentences

    /// A retry is answered with the echo it missed, whatever the state, and nobody else hears of it (5.2).
    fn repeats(&mut self, said: &Said, sender: &Party) -> bool {
        match &said.known {
            Known::Repeat(sentence) => {
                self.effects.push(Effect::Echo { to: sender.clone(), sentence: Sentence::clone(sentence) });
                true
            }
            Known::New | Known::Reused => false,
        }
    }

    /// Gives a new sentence its place, and its sender the echo. `speaker` names those who do not name themselves.
    fn store(&mut self, said: &Said, direction: Direction, sender: Party, speaker: Option<&str>) -> Sentence {
        let kind = said.draft.kind();
        let counter = if kind.is_counted() {
            self.chat.counter += 1;
            self.chat.counter
        } else {
            0
        };
        let sentence = said.draft.said(direction, counter, speaker, self.now);
        self.chat.slots.keep(&sentence);
        if direction == Direction::Inbound {
            self.end_typing_to_staff();
        }
        // The other side learns from the sentence itself that its writer has finished (5.3).
        self.typing(direction).until = None;
        if kind == SentenceKind::Text {
            self.note_activity();
        }
        self.effects.push(Effect::Store(sentence.clone()));
        match &said.known {
            Known::Reused => self.effects.push(Effect::IdReused(sentence.id.clone())),
            Known::New | Known::Repeat(_) => {}
        }
        self.effects.push(Effect::Echo { to: sender, sentence: sentence.clone() });
        sentence
    }

    /// Gives a sentence to the other side. A new panel is a change the visitor's side is told of (3.1, `SE_CHAT_STATUS`).
    fn pass_on(&mut self, sentence: Sentence, listener: Option<Party>) {
        let is_panel = sentence.kind == SentenceKind::Panel;
        let delivery = listener.map(|to| Effect::Deliver { to, sentence });
        match delivery {
            Some(to_visitor @ Effect::Deliver { to: Party::Visitor, .. }) => {
                self.effects.push(to_visitor);
                if is_panel {
                    self.tell_visitor();
                }
            }
            to_desk => {
                if is_panel {
                    self.tell_visitor();
                }
                self.effects.extend(to_desk);
            }
        }
    }

    /// Rows 37 and 38. The first confirmation stands, and what is not known is nobody's concern (5.2).
    fn confirm(&mut self, confirm: &Confirm, direction: Direction) {
        let at = self.now;
        let mut is_news = false;
        for &counter in confirm.unconfirmed.iter().filter(|counter| (1..=self.chat.counter).contains(*counter)) {
            self.effects.push(Effect::StoreConfirm { counter, at });
            is_news = true;
        }
        for shown in self.chat.slots.filled() {
            if shown.id == confirm.id && shown.direction == direction && shown.confirmed_at.is_none() {
                shown.confirmed_at = Some(at);
                is_news = true;
            }
        }
        let writer = match direction {
            Direction::Inbound => Some(Party::Visitor),
            Direction::Outbound => self.last_attendant(),
        };
        if is_news && let Some(to) = writer {
            self.effects.push(Effect::Confirmed { to, id: confirm.id.clone(), at });
        }
    }

    /// Who has the chat, or had it when it was closed.
    fn last_attendant(&self) -> Option<Party> {
        match &self.chat.state {
            State::Closed { attended_by, .. } => attended_by.as_ref().map(Party::from),
            State::Pilot | State::Icr { .. } | State::Waiting { .. } | State::Alerting { .. } | State::Answered { .. } => {
                self.listener().filter(|party| *party != Party::Script)
            }
        }
    }

    const fn typing(&mut self, direction: Direction) -> &mut TypingFlag {
        match direction {
            Direction::Inbound => &mut self.chat.typing.inbound,
            Direction::Outbound => &mut self.chat.typing.outbound,
        }
    }

    /// Row 35 where the listener is another platform's staff. They are not told of what is renewed all the time, but always of
    /// the end.
    fn types_to_staff(&mut self, to: Party, is_typing: bool) {
        let now = self.now;
        if !is_typing {
            self.end_typing_to_staff();
        } else if self.chat.typing.inbound.told_at.is_none_or(|at| now.since(at) >= STAFF_TYPING_PAUSE) {
            self.chat.typing.inbound = TypingFlag { until: Some(now.plus(TYPING_LASTS)), told_at: Some(now) };
            self.effects.push(Effect::Typing { to, is_typing });
        }
    }

    /// Tells another platform's staff, who was told that the visitor types, that this is over: once. What they see may not
    /// end by itself.
    fn end_typing_to_staff(&mut self) {
        if let Some(to @ Party::Staff(_)) = self.listener()
            && self.chat.typing.inbound.until.take().is_some()
        {
            self.effects.push(Effect::Typing { to, is_typing: false });
        }
    }

    /// Row 36 for staff elsewhere, who may type before their first word. A chat whose visitor sees it for long enough is left as
    /// it is.
    fn staff_types(&mut self, is_typing: bool) {
        let lasts = self.chat.typing.outbound.until.is_some_and(|until| self.now.plus(STAFF_TYPING_PAUSE) < until);
        if !(is_typing && lasts) {
            self.types(Direction::Outbound, is_typing, self.visitor());
        }
    }

    /// Rows 35 and 36 (5.3).
    fn types(&mut self, direction: Direction, is_typing: bool, listener: Option<Party>) {
        let Some(to) = listener else { return };
        if matches!(to, Party::Staff(_)) {
            self.types_to_staff(to, is_typing);
            return;
        }
        let now = self.now;
        let flag = self.typing(direction);
        if flag.told_at.is_some_and(|at| now.since(at) < TYPING_PAUSE) {
            // Not worth a word of its own, but whoever asks is told the truth.
            if !is_typing {
                flag.until = None;
            }
            return;
        }
        flag.until = is_typing.then(|| now.plus(TYPING_LASTS));
        flag.told_at = Some(now);
        self.effects.push(Effect::Typing { to, is_typing });
    }

    // ------------------------------------------------------------------------------------------------------- agents

    /// Whether this is the agent who has the chat. Their client may have moved to another workplace meanwhile.
    fn recognise(&mut self, agent: &Agent) -> bool {
        match &mut self.chat.state {
            State::Answered { by: Attendant::Agent(known) } if known.id == agent.id => {
                known.clone_from(agent);
                true
            }
            State::Pilot
            | State::Icr { .. }
            | State::Waiting { .. }
            | State::Alerting { .. }
            | State::Answered { .. }
            | State::Closed { .. } => false,
        }
    }

    /// Row 15.
    fn agent_offered(&mut self, agent: &Agent) -> Result<(), Refusal> {
        if self.chat.waiting().is_none() || self.chat.is_barred(&agent.id, self.now) {
            return Err(Refusal::Conflict);
        }
        let until = self.now.plus(self.policy.alert);
        self.move_to(State::Alerting { agent: agent.clone(), until }, self.now);
        self.tell_visitor();
        self.effects.push(Effect::Alert { to: agent.clone(), until });
        Ok(())
    }

    /// Rows 16 and 29 to 32.
    fn agent_answers(&mut self, agent: &Agent) -> Result<(), Refusal> {
        let to = Party::Agent(agent.clone());
        if self.recognise(agent) {
            self.tell(to, true);
            return Ok(());
        }
        match &self.chat.state {
            State::Alerting { agent: alerted, .. } if alerted.id == agent.id => {
                self.chat.answered_at = Some(self.now);
                self.move_to(State::Answered { by: Attendant::Agent(agent.clone()) }, self.now);
                self.tell(to, true);
                self.tell_visitor();
                Ok(())
            }
            State::Closed { .. } => {
                self.tell(to, true);
                Ok(())
            }
            State::Waiting { .. } if self.chat.is_barred(&agent.id, self.now) => {
                self.tell(to, true);
                Err(Refusal::AlertOver)
            }
            State::Pilot | State::Icr { .. } | State::Waiting { .. } | State::Alerting { .. } | State::Answered { .. } => {
                Err(Refusal::NotYourChat)
            }
        }
    }

    /// Rows 18, 19 and 29.
    fn agent_hangs_up(&mut self, agent: &Agent) -> Result<(), Refusal> {
        let to = Party::Agent(agent.clone());
        if self.recognise(agent) {
            self.close(CloseReason::Agent, self.now);
            self.tell(to, true);
            self.tell_visitor();
            return Ok(());
        }
        match &self.chat.state {
            State::Alerting { agent: alerted, .. } if alerted.id == agent.id => {
                self.chat.bar(agent.id.clone(), self.now, self.policy.bar);
                self.wait(self.now);
                self.tell(to, true);
                self.tell_visitor();
                Ok(())
            }
            State::Closed { .. } => {
                self.tell(to, true);
                Ok(())
            }
            // They refused already, or their time was over: the same answer again.
            State::Waiting { .. } | State::Alerting { .. } | State::Answered { .. }
                if self.chat.is_barred(&agent.id, self.now) =>
            {
                self.tell(to, true);
                Ok(())
            }
            State::Pilot | State::Icr { .. } | State::Waiting { .. } | State::Alerting { .. } | State::Answered { .. } => {
                Err(Refusal::NotYourChat)
            }
        }
    }

    /// `CS_CHAT_SPAM`, which ends the chat as row 19 does.
    fn agent_marks_spam(&mut self, agent: &Agent) -> Result<(), Refusal> {
        let to = Party::Agent(agent.clone());
        if self.recognise(agent) {
            self.chat.is_spam = true;
            self.close(CloseReason::Agent, self.now);
            self.tell(to, true);
            self.tell_visitor();
            return Ok(());
        }
        match &self.chat.state {
            // The same mark again.
            State::Closed { .. } if self.chat.is_spam => {
                self.tell(to, true);
                Ok(())
            }
            State::Closed { .. } => Err(Refusal::ChatClosed),
            State::Pilot | State::Icr { .. } | State::Waiting { .. } | State::Alerting { .. } | State::Answered { .. } => {
                Err(Refusal::NotYourChat)
            }
        }
    }

    /// Row 20.
    fn agent_returns(&mut self, agent: &Agent) -> Result<(), Refusal> {
        let to = Party::Agent(agent.clone());
        if self.recognise(agent) {
            // Otherwise the one who has just become idle might be the only one idle, and get it back at once.
            self.chat.bar(agent.id.clone(), self.now, self.policy.bar);
            self.wait_again();
            self.tell(to, false);
            self.tell_visitor();
            return Ok(());
        }
        match &self.chat.state {
            State::Closed { .. } => Err(Refusal::ChatClosed),
            State::Waiting { .. } | State::Alerting { .. } | State::Answered { .. }
                if self.chat.is_barred(&agent.id, self.now) =>
            {
                self.tell(to, false);
                Ok(())
            }
            State::Pilot | State::Icr { .. } | State::Waiting { .. } | State::Alerting { .. } | State::Answered { .. } => {
                Err(Refusal::NotYourChat)
            }
        }
    }

    /// Rows 24 and 25, and the same for staff elsewhere, whose first word answers the chat.
    fn desk_speaks(&mut self, from: &Attendant, said: &Said) -> Result<(), Refusal> {
        let sender = Party::from(from);
        if self.repeats(said, &sender) {
            return Ok(());
        }
        if self.chat.is_closed() {
            return Err(Refusal::ChatClosed);
        }
        let mut speaker = None;
        let is_new_face = match from {
            Attendant::Agent(agent) if self.recognise(agent) => false,
            Attendant::Staff(staff) if self.waits_for(&staff.account) || self.attended_by(from) => {
                speaker = staff.name.as_deref();
                self.face(staff)
            }
            Attendant::Agent(_) | Attendant::Staff(_) => return Err(Refusal::NotYourChat),
        };
        let sentence = self.store(said, Direction::Outbound, sender, speaker);
        if is_new_face {
            self.tell_visitor();
        }
        self.pass_on(sentence, self.visitor());
        Ok(())
    }

    /// Lets this member of the staff converse; whether the visitor sees somebody new by that.
    fn face(&mut self, staff: &Staff) -> bool {
        let by = Attendant::Staff(staff.clone());
        let is_new = match &self.chat.state {
            // A message that does not say who wrote it is no change of face.
            State::Answered { by: known } => *known != by && staff.name.is_some(),
            State::Pilot | State::Icr { .. } | State::Waiting { .. } | State::Alerting { .. } | State::Closed { .. } => true,
        };
        if is_new {
            self.chat.answered_at.get_or_insert(self.now);
            self.move_to(State::Answered { by }, self.now);
        }
        is_new
    }

    /// Row 19 for staff elsewhere.
    fn staff_closes(&mut self, staff: &Staff) -> Result<(), Refusal> {
        let is_theirs = matches!(&self.chat.desk, Some(Desk::Staff(account)) if *account == staff.account);
        if !is_theirs {
            return Err(Refusal::NotYourChat);
        }
        let to = Party::Staff(staff.account.clone());
        if self.chat.is_closed() {
            self.tell(to, false);
        } else {
            self.close(CloseReason::Agent, self.now);
            self.tell(to, false);
            self.tell_visitor();
        }
        Ok(())
    }

    // --------------------------------------------------------------------------------------------------- the server

    /// Rows 9 to 11.
    fn conditions_decided(&mut self, decision: &Decision) -> Result<(), Refusal> {
        if self.chat.state != State::Pilot {
            return Err(Refusal::Conflict);
        }
        let desk = match decision {
            Decision::Script(robot) => {
                self.move_to(State::Icr { robot: robot.clone(), node: None }, self.now);
                self.tell_visitor();
                self.work.script = true;
                return Ok(());
            }
            Decision::Desk(desk) => Some(desk),
            Decision::Nothing => self.policy.default_desk.as_ref(),
        };
        match desk {
            Some(desk) => self.give_to(desk),
            None => {
                self.close(CloseReason::System, self.now);
                self.tell_visitor();
            }
        }
        Ok(())
    }

    /// What a script does once it no longer has the chat comes too late.
    fn expect_script(&self) -> Result<&Robot, Refusal> {
        match &self.chat.state {
            State::Icr { robot, .. } => Ok(robot),
            State::Closed { .. } => Err(Refusal::ChatClosed),
            State::Pilot | State::Waiting { .. } | State::Alerting { .. } | State::Answered { .. } => Err(Refusal::Conflict),
        }
    }

    fn script_moves(&mut self, to: &str) -> Result<(), Refusal> {
        self.expect_script()?;
        if let State::Icr { node, .. } = &mut self.chat.state {
            *node = Some(to.to_owned());
        }
        Ok(())
    }

    /// Row 34.
    fn script_speaks(&mut self, said: &Said) -> Result<(), Refusal> {
        if self.repeats(said, &Party::Script) {
            return Ok(());
        }
        let name = self.expect_script()?.name.clone();
        let sentence = self.store(said, Direction::Outbound, Party::Script, Some(&name));
        self.pass_on(sentence, self.visitor());
        Ok(())
    }

    /// Row 14. While the chat waits, the system speaks in notes and panels only.
    fn waiting_rule_speaks(&mut self, said: &Said) -> Result<(), Refusal> {
        if self.repeats(said, &Party::Script) {
            return Ok(());
        }
        let may_speak = matches!(self.chat.state, State::Waiting { .. })
            && matches!(said.draft.kind(), SentenceKind::Note | SentenceKind::Panel);
        if !may_speak {
            return Err(Refusal::Conflict);
        }
        let sentence = self.store(said, Direction::Outbound, Party::Script, None);
        self.pass_on(sentence, self.visitor());
        Ok(())
    }

    fn hand_over(&mut self, desk: &Desk) -> Result<(), Refusal> {
        if self.chat.is_closed() {
            return Err(Refusal::ChatClosed);
        }
        // The same hand-over again.
        if self.chat.desk.as_ref() != Some(desk) {
            self.give_to(desk);
        }
        Ok(())
    }
}

/// The chat with its changes counted.
fn counted(mut chat: Chat, before: Option<&Chat>) -> Chat {
    if before.is_some_and(|before| *before != chat) {
        chat.rev += 1;
    }
    chat
}
