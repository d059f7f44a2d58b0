//! One turn of a chat in memory: from what happens to everything that is to become true with it.

use std::collections::VecDeque;
use std::sync::Arc;

use chat::desk::{AgentView, choose, occupancy};
use chat::gate::{GateAsk, GateThen, Occupancy, Signal};
use chat::{
    Agent, AgentId, AttachedForm, Attendant, Chat, ChatVisitor, Confirm, Decision, Desk, Effect, Event, Known, Party, Refusal,
    Returning, Said, Sentence, SentenceId, SentenceKind, Staff, Start, State,
};
use model::{AccountId, EpochMillis};
use ports::{AgentChange, Bind, BoundBefore, ChatRecord, PortError, ResultChange, SaidBefore, StreamKey};
use tracing::info;

use super::cause::Cause;
use super::desk::seen;
use super::rules::{self, Given};
use super::staff::{Notice, view_of};
use super::{AgentAct, ChatCtx, ChatPlan, DeskPlan, Enters, FilledForm, Listener, StaffAct, VisitorAct, forms};
use crate::AppError;

/// Somebody who has a stream.
#[derive(Debug, Clone)]
pub(super) enum Receiver {
    Gateway(AccountId),
    Agent { desk: AccountId, agent: Agent },
}

impl Receiver {
    /// Who hears of an effect in this chat, whose agents are at `desk`; `None` if the effect tells nobody anything, or
    /// somebody who has no stream.
    fn of(effect: &Effect, record: &ChatRecord, desk: Option<&AccountId>) -> Option<Self> {
        let gateway = || Some(Self::Gateway(record.chat.gateway.clone()));
        let agent = |agent: &Agent| Some(Self::Agent { desk: desk?.clone(), agent: agent.clone() });
        match effect {
            Effect::Status { to, .. }
            | Effect::Echo { to, .. }
            | Effect::Deliver { to, .. }
            | Effect::Confirmed { to, .. }
            | Effect::Typing { to, .. } => match to {
                Party::Visitor => gateway(),
                Party::Agent(to) => agent(to),
                // Staff elsewhere is told by messages, and a script reads no stream.
                Party::Staff(_) | Party::Script => None,
            },
            Effect::Alert { to, .. } | Effect::AlertEnd { to } => agent(to),
            Effect::Respond { .. }
            | Effect::Transcript { .. }
            | Effect::Store(_)
            | Effect::StoreConfirm { .. }
            | Effect::Bind(_)
            | Effect::IdReused(_)
            | Effect::DecideConditions
            | Effect::StartScript
            | Effect::RunWaitingRules { .. }
            | Effect::Distribute
            | Effect::SetTimer(_) => None,
        }
    }

    pub(super) fn stream(&self) -> StreamKey {
        match self {
            Self::Gateway(gateway) => StreamKey::Gateway(gateway.clone()),
            Self::Agent { desk, agent } => StreamKey::Workplace(desk.clone(), agent.workplace.clone()),
        }
    }

    pub(super) const fn listener(&self) -> Listener<'_> {
        match self {
            Self::Gateway(gateway) => Listener::Gateway(gateway),
            Self::Agent { desk, agent } => Listener::Agent { desk, agent },
        }
    }
}

/// Somebody is told something.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) to: Receiver,
    pub(super) effect: Effect,
    /// The chat as the effect found it.
    pub(super) record: Arc<ChatRecord>,
}

/// What becomes of the answers that are stored already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Filling {
    /// Controls that are not answered now keep their answers.
    Merges,
    /// The new ones are all there are.
    Replaces,
}

/// Something that a step begins.
enum Work {
    Decide,
    Distribute,
    /// The script goes on with what the visitor said, or begins.
    Script(Option<String>),
    WaitingRules {
        from: EpochMillis,
        seen: EpochMillis,
    },
}

/// A turn under way. When it has ended, its fields say what is to be stored and told.
pub(super) struct Turn<'a> {
    ctx: &'a ChatCtx,
    pub(super) plan: &'a ChatPlan,
    pub(super) now: EpochMillis,
    /// The chat as it was read.
    pub(super) read: Option<Arc<ChatRecord>>,
    /// The chat as it is to be stored.
    pub(super) record: Option<Arc<ChatRecord>>,
    pub(super) told: Vec<Told>,
    /// What another platform's staff is told.
    pub(super) notices: Vec<Notice>,
    /// Which staff is told that the visitor types, or has stopped.
    pub(super) typing: Option<(AccountId, bool)>,
    /// The sentence of another platform's staff that the visitor has.
    pub(super) arrived: Option<(AccountId, SentenceId)>,
    pub(super) sentences: Vec<Sentence>,
    /// Counters of sentences that are confirmed, and when.
    pub(super) confirmed: Vec<(u64, EpochMillis)>,
    /// Why the asker's event was refused.
    pub(super) refusal: Option<Refusal>,
    /// The place in `told` of the answer to the asker.
    pub(super) answer: Option<usize>,
    pub(super) needs_timer: bool,
    /// The thread that leads to the chat from now on.
    pub(super) bind: Option<Bind>,
    /// The prepared chat that a start names, as it was read.
    target: Option<ChatRecord>,
    /// The form that was filled in, if it is to be stored.
    result: Option<ResultChange>,
    work: VecDeque<Work>,
    /// What external logic said with the event. Only rules of the gate look at it.
    ext_response: Option<&'a str>,
    /// Agents who turned out to be taken.
    taken: &'a [AgentId],
    agents: Option<(AccountId, Vec<AgentView>)>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(
        ctx: &'a ChatCtx,
        plan: &'a ChatPlan,
        now: EpochMillis,
        read: Option<ChatRecord>,
        taken: &'a [AgentId],
    ) -> Self {
        let read = read.map(Arc::new);
        Self {
            ctx,
            plan,
            now,
            record: read.clone(),
            read,
            told: Vec::new(),
            notices: Vec::new(),
            typing: None,
            arrived: None,
            sentences: Vec::new(),
            confirmed: Vec::new(),
            refusal: None,
            answer: None,
            needs_timer: false,
            bind: None,
            target: None,
            result: None,
            work: VecDeque::new(),
            ext_response: None,
            taken,
            agents: None,
        }
    }

    /// Lets it happen, with everything that begins by it.
    pub(super) async fn run(&mut self, cause: &Cause<'a>, said: SaidBefore) -> Result<(), AppError> {
        if self.chat().is_some_and(|chat| !chat.is_closed() && chat.ended_at(self.now).is_some()) {
            // It ended before this. Apart from the event, because that may begin another chat, or the same one anew, and
            // what is told of the end is told of this one.
            let _ = self.apply(&Event::Tick);
        }
        match self.event(cause, said).await? {
            Some(event) => {
                let before = self.told.len();
                self.refusal = self.apply_at(&event, cause.gives_to());
                let asker = cause.asker();
                self.answer = (before..self.told.len()).rev().find(|place| {
                    let told = &self.told[*place];
                    cause.is_answered_by(&told.effect) && asker.as_ref() == Some(&told.to.stream())
                });
            }
            None => self.work.push_back(Work::Distribute),
        }
        while let Some(work) = self.work.pop_front() {
            let given = match work {
                Work::Decide => vec![Given { event: Event::ConditionsDecided(self.conditions().await?), desk: None }],
                Work::Distribute => {
                    let chosen = self.choose().await?.map(Event::AgentOffered);
                    chosen.into_iter().map(|event| Given { event, desk: None }).collect()
                }
                Work::Script(answer) => {
                    let chat = self.chat();
                    chat.map_or_else(Vec::new, |chat| rules::script(self.plan, chat, answer.as_deref(), &|| self.decide()))
                }
                Work::WaitingRules { from, seen } => {
                    let record = self.record.as_deref();
                    record.map_or_else(Vec::new, |record| rules::waiting(self.plan, record, from, seen, self.now))
                }
            };
            for Given { event, desk } in given {
                // A deadline that has passed in this turn may stand against it. Then it is not for now.
                let _ = self.apply_at(&event, desk.as_ref());
            }
        }
        Ok(())
    }

    fn chat(&self) -> Option<&Chat> {
        self.record.as_deref().map(|record| &record.chat)
    }

    /// The event of the cause; `None` only looks for an agent.
    async fn event(&mut self, cause: &Cause<'a>, said: SaidBefore) -> Result<Option<Event>, AppError> {
        let says = |draft: &chat::Draft| Said { draft: draft.clone(), known: Known::of(draft, &said.sentences) };
        let confirms = |id: &chat::SentenceId| Confirm { id: id.clone(), unconfirmed: said.unconfirmed.clone() };
        Ok(Some(match cause {
            Cause::Visitor { account, tracking, act } => match act {
                VisitorAct::Request { .. } => return Err(AppError::Internal("a request for the signal is no event of a chat")),
                VisitorAct::Start { visitor, ext_response, form, enters } => {
                    self.ext_response = ext_response.as_deref();
                    Event::Start(Box::new(Start {
                        conversation: cause.conversation(),
                        tenant: account.tenant.clone(),
                        gateway: account.id.clone(),
                        tracking: (*tracking).clone(),
                        visitor: visitor.clone(),
                        form: match form {
                            Some(filled) => Some(self.fill(&account.id, filled, Filling::Merges).await?),
                            None => None,
                        },
                        signal: self.signal_for_start(visitor).await?,
                        returning: self.returning(*enters).await?,
                    }))
                }
                VisitorAct::Stop => Event::VisitorStops,
                VisitorAct::Types { is_typing } => Event::VisitorTypes { is_typing: *is_typing },
                VisitorAct::Speaks(draft) => Event::VisitorSpeaks(says(draft)),
                VisitorAct::Confirms(id) => Event::VisitorConfirms(confirms(id)),
                VisitorAct::Asks => Event::VisitorAsks,
            },
            Cause::Away { act, .. } => match act {
                VisitorAct::Stop => Event::VisitorStops,
                VisitorAct::Speaks(draft) => Event::VisitorSpeaks(says(draft)),
                VisitorAct::Confirms(id) => Event::VisitorConfirms(confirms(id)),
                VisitorAct::Request { .. } | VisitorAct::Start { .. } | VisitorAct::Types { .. } | VisitorAct::Asks => {
                    return Err(AppError::Internal("something that no visitor on another platform does"));
                }
            },
            Cause::Agent { agent, act, .. } => {
                let from = || Attendant::Agent((*agent).clone());
                match act {
                    AgentAct::Answers => Event::AgentAnswers((*agent).clone()),
                    AgentAct::HangsUp => Event::AgentHangsUp((*agent).clone()),
                    AgentAct::Returns => Event::AgentReturns((*agent).clone()),
                    AgentAct::MarksSpam => Event::AgentMarksSpam((*agent).clone()),
                    AgentAct::Asks => Event::AgentAsks((*agent).clone()),
                    AgentAct::Types { is_typing } => Event::DeskTypes { from: from(), is_typing: *is_typing },
                    AgentAct::Speaks(draft) => Event::DeskSpeaks { from: from(), said: says(draft) },
                    AgentAct::Confirms(id) => Event::DeskConfirms(confirms(id)),
                }
            }
            Cause::Staff { account, act, .. } => {
                let name = self.plan.desk_of(account).and_then(|desk| desk.staff_name.clone());
                let staff = Staff { account: (*account).clone(), name };
                match act {
                    StaffAct::Speaks(draft) => Event::DeskSpeaks { from: Attendant::Staff(staff), said: says(draft) },
                    StaffAct::Types { is_typing } => Event::DeskTypes { from: Attendant::Staff(staff), is_typing: *is_typing },
                    StaffAct::Has(id) => Event::DeskConfirms(confirms(id)),
                    StaffAct::Ends { .. } => Event::StaffCloses(staff),
                }
            }
            Cause::HandOver { desk, .. } => Event::HandOver((*desk).clone()),
            Cause::Form { gateway, filled, .. } => Event::FormFilled(self.fill(gateway, filled, Filling::Replaces).await?),
            Cause::Time { .. } => Event::Tick,
            Cause::Offer { .. } => return Ok(None),
        }))
    }

    /// Judges a filled-in form by what is stored of it, and notes what is to be stored.
    async fn fill(&mut self, gateway: &AccountId, filled: &FilledForm, how: Filling) -> Result<AttachedForm, AppError> {
        let attached = match how {
            // A closed chat's forms are not those of the chat that a start may begin.
            Filling::Merges => self.chat().filter(|chat| !chat.is_closed()).map(|chat| chat.forms.as_slice()),
            Filling::Replaces => None,
        };
        let attached = attached.into_iter().flatten().find(|attached| attached.form == filled.form);
        let id = filled.changes.clone().or_else(|| attached?.result.clone()).unwrap_or_else(|| filled.id.clone());
        let before = self.ctx.chats.result(gateway, &id, self.now).await?;
        self.result = forms::change(gateway, id.clone(), before, filled, how == Filling::Merges, (self.now, self.ctx.kept));
        Ok(AttachedForm { form: filled.form.clone(), result: Some(id), attached_at: self.now })
    }

    /// What is stored of the form that was filled in: nothing where it was refused.
    pub(super) fn results(&self) -> Vec<ResultChange> {
        let result = self.result.clone().filter(|_| self.refusal.is_none());
        let chat = self.chat().map(|chat| chat.id);
        result
            .map(|mut change| {
                change.result.chat = chat.or(change.result.chat);
                change
            })
            .into_iter()
            .collect()
    }

    /// What the gate says, where a start may begin a new chat; where there is one already nobody asks.
    async fn signal_for_start(&mut self, visitor: &ChatVisitor) -> Result<Signal, AppError> {
        if self.chat().is_some_and(|chat| !chat.is_closed()) {
            return Ok(Signal::Closed);
        }
        let then = gate(self.plan, visitor, self.ext_response);
        if !asks_desk(self.plan, &then) {
            return Ok(signal(self.plan, &then, &[]));
        }
        let plan = self.plan;
        let agents = match &plan.desk {
            Some(desk) => self.agents(desk).await?,
            None => &[],
        };
        Ok(signal(plan, &then, agents))
    }

    /// What is known of the prepared chat that a start names.
    async fn returning(&mut self, enters: Enters) -> Result<Returning, AppError> {
        let id = match enters {
            Enters::None => return Ok(Returning::No),
            Enters::Unknown => return Ok(Returning::Unknown),
            Enters::Chat(id) => id,
        };
        // Whoever has entered it finds those after it under its id, too.
        let is_meant =
            |chat: &Chat| chat.conversation() == id.conversation() && (1..=chat.id.generation()).contains(&id.generation());
        if let Some(own) = self.chat().filter(|own| own.conversation() == id.conversation()) {
            return Ok(if is_meant(own) { Returning::Chat(Box::new(own.clone())) } else { Returning::Unknown });
        }
        if self.record != self.read {
            // What happened to the thread's own chat in this turn would be lost with that.
            return Err(AppError::Unavailable(PortError::Busy));
        }
        let found = self.ctx.chats.chat(id.conversation(), None).await?.map(|(record, _)| record);
        self.target = found.filter(|record| is_meant(&record.chat));
        Ok(self.target.as_ref().map_or(Returning::Unknown, |record| Returning::Chat(Box::new(record.chat.clone()))))
    }

    /// Lets one event happen to the chat as it is.
    fn apply(&mut self, event: &Event) -> Option<Refusal> {
        self.apply_at(event, None)
    }

    /// The same, where the event gives the chat to the desk of this account.
    fn apply_at(&mut self, event: &Event, given_to: Option<&AccountId>) -> Option<Refusal> {
        // To the chat, agents with one skill are one desk. At another account they are others: it leaves the ones first.
        let elsewhere = self.record.as_ref().filter(|now| given_to.is_some_and(|to| now.desk.as_ref() != Some(to)));
        let leaves = elsewhere.filter(|now| matches!(now.chat.desk, Some(Desk::Agents(_))) && !now.chat.is_closed());
        let left = leaves.map(|now| Chat { desk: None, ..now.chat.clone() });
        // What was said in a chat that ended longer ago is gone: nobody comes back to it.
        let inertia = self.plan.policy.inertia.map(|inertia| inertia.min(self.ctx.kept));
        let policy = chat::Policy { inertia, ..self.plan.policy.clone() };
        let step = chat::step(left.as_ref().or(self.chat()), event, self.now, &policy);
        if step.effects.iter().any(|effect| matches!(effect, Effect::Bind(_))) {
            self.enter(event);
        }
        let before = self.record.clone();
        let given_to = given_to.or_else(|| self.plan.desk.as_ref().map(|desk| &desk.account));
        self.record = step.chat.map(|chat| {
            let same = before.as_deref().filter(|before| left.is_none() && before.chat.desk == chat.desk);
            let desk = match &chat.desk {
                None => None,
                Some(Desk::Staff(account)) => Some(account.clone()),
                Some(Desk::Agents(_)) => same.and_then(|same| same.desk.as_ref()).or(given_to).cloned(),
            };
            let staff = view_of(&chat, before.as_deref());
            Arc::new(ChatRecord { chat, desk, staff })
        });
        for effect in step.effects {
            self.note(effect, before.as_deref());
        }
        step.refusal
    }

    /// The turn goes on with the prepared chat that its visitor enters.
    fn enter(&mut self, event: &Event) {
        let Event::Start(start) = event else { return };
        let thread = start.conversation;
        let before = match self.read.as_deref().map(|read| &read.chat) {
            None => BoundBefore::Nothing,
            Some(chat) if chat.conversation() == thread => BoundBefore::Chat { rev: chat.rev },
            Some(chat) => BoundBefore::To(chat.conversation()),
        };
        self.bind = Some(Bind { thread, before });
        self.read = self.target.take().map(Arc::new);
        self.record.clone_from(&self.read);
    }

    /// Notes an effect of a step on the chat `before`.
    fn note(&mut self, effect: Effect, before: Option<&ChatRecord>) {
        let Some(record) = self.record.clone() else { return };
        let before = before.filter(|before| before.chat.id == record.chat.id);
        if let Some(notice) = Notice::of(&effect, before.and_then(|before| before.staff.as_ref())) {
            self.notices.push(notice);
            return;
        }
        if let Some(notice) = Notice::of_away(&effect, &record.chat, before.map(|before| &before.chat)) {
            self.notices.push(notice);
            return;
        }
        // The agents that a step speaks to are those who had the chat before it, if any had.
        let left = before.filter(|before| matches!(before.chat.desk, Some(Desk::Agents(_)))).and_then(|left| left.desk.as_ref());
        if let Some(to) = Receiver::of(&effect, &record, left.or(record.desk.as_ref())) {
            if self.plan.words.is_told(to.listener()) {
                self.told.push(Told { to, effect, record });
            }
            return;
        }
        match effect {
            Effect::Store(sentence) => self.sentences.push(sentence),
            Effect::StoreConfirm { counter, at } => self.confirmed.push((counter, at)),
            Effect::SetTimer(_) => self.needs_timer = true,
            Effect::DecideConditions => self.work.push_back(Work::Decide),
            Effect::Distribute => self.work.push_back(Work::Distribute),
            Effect::IdReused(_) => {
                let id = record.chat.id;
                info!(conversation.id = %record.chat.conversation(), "a sender in chat {id} uses a sentence's id again");
            }
            Effect::StartScript => self.work.push_back(Work::Script(None)),
            Effect::Deliver { to: Party::Script, sentence } if sentence.kind == SentenceKind::Text => {
                self.work.push_back(Work::Script(Some(sentence.text)));
            }
            Effect::RunWaitingRules { from, seen } => self.work.push_back(Work::WaitingRules { from, seen }),
            Effect::Typing { to: Party::Staff(to), is_typing } => self.typing = Some((to, is_typing)),
            Effect::Confirmed { to: Party::Staff(to), id, .. } => self.arrived = Some((to, id)),
            // Staff elsewhere has all of it.
            Effect::Transcript { .. }
            // The turn went on with the chat already.
            | Effect::Bind(_)
            // What the gate says is answered without a chat.
            | Effect::Respond { .. }
            // To a script, or nothing that staff elsewhere is told here; everybody else has a stream.
            | Effect::Status { .. }
            | Effect::Echo { .. }
            | Effect::Deliver { .. }
            | Effect::Confirmed { .. }
            | Effect::Typing { .. }
            | Effect::Alert { .. }
            | Effect::AlertEnd { .. } => {}
        }
    }

    /// The conditions of a new chat: a script, or else people.
    async fn conditions(&mut self) -> Result<Decision, AppError> {
        let plan = self.plan;
        let Some(script) = &plan.script else { return Ok(self.decide()) };
        let is_somebody_free = match plan.desk.as_ref().filter(|desk| desk.is_open && desk.agents.is_some()) {
            Some(desk) => occupancy(self.agents(desk).await?, plan.skill.as_ref()) == Occupancy::Free,
            None => false,
        };
        let converses = rules::converses(script, is_somebody_free);
        Ok(if converses { Decision::Script(script.robot.clone()) } else { self.decide() })
    }

    /// The conditions of a chat for people: the desk of its gateway, with the skill that the gate's rules or the gateway say.
    fn decide(&self) -> Decision {
        let desk = self.chat().and_then(|chat| desk_of(self.plan, &chat.visitor, self.ext_response));
        desk.map_or(Decision::Nothing, Decision::Desk)
    }

    /// The agent who is offered the chat.
    async fn choose(&mut self) -> Result<Option<Agent>, AppError> {
        let Some(record) = self.record.clone() else { return Ok(None) };
        let Some(waiting) = record.chat.waiting() else { return Ok(None) };
        let plan = self.plan;
        // A desk that the gateway no longer has: the chat stays where it waits.
        let Some(desk) = record.desk.as_ref().and_then(|account| plan.desk_of(account)) else { return Ok(None) };
        let now = self.now;
        let taken = self.taken;
        let free: Vec<_> = self.agents(desk).await?.iter().filter(|view| !taken.contains(&view.id)).cloned().collect();
        Ok(choose(&free, &waiting, now))
    }

    /// A desk's own agents as they are, looked up once.
    async fn agents(&mut self, desk: &DeskPlan) -> Result<&[AgentView], AppError> {
        if self.agents.as_ref().is_none_or(|(of, _)| *of != desk.account) {
            self.agents = Some((desk.account.clone(), agents_of(self.ctx, desk, self.now).await?));
        }
        Ok(self.agents.as_ref().map_or(&[], |(_, agents)| agents))
    }

    /// What the turn changes of the load of agents.
    pub(super) fn loads(&self) -> Vec<AgentChange> {
        let before = self.read.as_deref().and_then(holder);
        let after = self.record.as_deref().and_then(holder);
        if before == after {
            return Vec::new();
        }
        let release = before.map(|(desk, agent)| AgentChange::Release { desk, agent, at: self.now });
        let take = after.map(|(desk, agent)| {
            let capacity = self.plan.capacity(&desk, &agent);
            AgentChange::Take { desk, agent, capacity }
        });
        release.into_iter().chain(take).collect()
    }

    /// Whether anything of the chat is to be stored, be it no more than that somebody is told of it.
    pub(super) fn has_effect(&self) -> bool {
        !self.told.is_empty()
            || !self.notices.is_empty()
            || !self.sentences.is_empty()
            || !self.confirmed.is_empty()
            || self.record != self.read
            || !self.results().is_empty()
    }
}

/// The agent who is offered a chat or has it, and the desk.
fn holder(record: &ChatRecord) -> Option<(AccountId, AgentId)> {
    let agent = match &record.chat.state {
        State::Alerting { agent, .. } | State::Answered { by: Attendant::Agent(agent) } => agent,
        State::Pilot
        | State::Icr { .. }
        | State::Waiting { .. }
        | State::Answered { by: Attendant::Staff(_) }
        | State::Closed { .. } => return None,
    };
    Some((record.desk.clone()?, agent.id.clone()))
}

/// The agents who are configured for a desk, as they are now. None where another platform's staff answers.
pub(super) async fn agents_of(ctx: &ChatCtx, desk: &DeskPlan, now: EpochMillis) -> Result<Vec<AgentView>, AppError> {
    let Some(configured) = &desk.agents else { return Ok(Vec::new()) };
    Ok(seen(configured, &ctx.chats.agents(&desk.account).await?, now))
}

/// Who answers at the plan's desk: the staff, or our own agents with the skill that the gate's rules or the gateway say, or
/// that is its default (5.1 row 11). `None` without a desk, or a skill for its agents.
pub(super) fn desk_of(plan: &ChatPlan, visitor: &ChatVisitor, ext_response: Option<&str>) -> Option<Desk> {
    let desk = plan.desk.as_ref()?;
    match &desk.agents {
        None => Some(Desk::Staff(desk.account.clone())),
        Some(_) => {
            let skill = gate(plan, visitor, ext_response).skill.or_else(|| plan.skill.clone());
            skill.map(Desk::Agents).or_else(|| plan.policy.default_desk.clone())
        }
    }
}

/// What the gate's rules decide for a visitor.
pub(super) fn gate(plan: &ChatPlan, visitor: &ChatVisitor, ext_response: Option<&str>) -> GateThen {
    plan.gate.evaluate(&GateAsk {
        port: visitor.port.as_deref(),
        culture: visitor.culture.as_deref(),
        user_token: visitor.user_token.as_deref(),
        ext_response,
    })
}

/// Whether it depends on who of the desk's agents is there what the gate says.
pub(super) fn asks_desk(plan: &ChatPlan, then: &GateThen) -> bool {
    then.signal.is_none() && plan.desk.as_ref().is_some_and(|desk| desk.is_open && desk.agents.is_some())
}

/// What the gate says: its rules, else opening hours and who is there (5.6).
pub(super) fn signal(plan: &ChatPlan, then: &GateThen, agents: &[AgentView]) -> Signal {
    let (is_open, occupancy) = match &plan.desk {
        None => (false, Occupancy::Nobody),
        // Nobody tells us who of another platform's staff is there.
        Some(desk) if desk.agents.is_none() => (desk.is_open, Occupancy::Free),
        Some(desk) => (desk.is_open, occupancy(agents, then.skill.as_ref().or(plan.skill.as_ref()))),
    };
    chat::gate::signal(then.signal, is_open, occupancy)
}
