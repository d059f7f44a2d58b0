//! The parts of a chat that run without people: scripts (5.1 rows 9, 12, 13, 34), rules of waiting (row 14), and chats that
//! are prepared before their visitor comes (rows 4, 5).

use chat::desk::Presence;
use chat::script::{Move, Script, ScriptWhen, ThenWhat};
use chat::texts::Target;
use chat::{
    Agent, AgentId, Attendant, Chat, ChatId, ChatVisitor, Decision, Desk, Draft, Event, Known, Prepared, Said, SentenceId,
    SentenceKind, Skill, State,
};
use model::{Account, AccountId, ConversationId, EpochMillis, MessageId};
use ports::{AgentChange, ChatChange, ChatRecord, ChatSaved, PortError};
use tracing::warn;

use super::commit::set_timer;
use super::turn::agents_of;
use super::{ChatCtx, ChatPlan, DeskPlan, time};
use crate::AppError;

/// An event that a rule or a script brings about, and the account of the desk that it gives the chat to.
pub(super) struct Given {
    pub(super) event: Event,
    pub(super) desk: Option<AccountId>,
}

impl Given {
    const fn of(event: Event) -> Self {
        Self { event, desk: None }
    }
}

/// Whether the script converses with a new visitor, given whether somebody is known to be free.
pub(super) fn converses(script: &Script, is_somebody_free: bool) -> bool {
    match script.when {
        ScriptWhen::Always => true,
        ScriptWhen::Nobody => !is_somebody_free,
    }
}

/// What the script does: `answer` is what the visitor said, `None` lets it begin. `people` is who takes over where the script
/// does not name anybody.
pub(super) fn script(plan: &ChatPlan, chat: &Chat, answer: Option<&str>, people: &dyn Fn() -> Decision) -> Vec<Given> {
    let State::Icr { node, .. } = &chat.state else { return Vec::new() };
    let next = plan.script.as_ref().and_then(|script| match answer {
        None => script.begin(),
        Some(answer) => script.answer(node.as_deref(), answer),
    });
    // A script that is not configured any more leaves its visitors to people.
    let Some(Move { node, say, then }) = next else { return vec![to_people(plan, people)] };
    let text = say.of(chat.visitor.culture.as_deref());
    // Counted from the end, where no message of the conversation and no chat of it has its number.
    let said = said(chat, MessageId::MAX_SEQ - chat.counter, SentenceKind::Text, text).map(Event::ScriptSpeaks);
    let speaks = said.into_iter().map(Given::of);
    match then {
        ThenWhat::Wait => [Given::of(Event::ScriptMoves(node.to_owned()))].into_iter().chain(speaks).collect(),
        ThenWhat::End => speaks.chain([Given::of(Event::ScriptEnds)]).collect(),
        ThenWhat::HandOver(target) => speaks.chain([hand_over(plan, chat, target, people)]).collect(),
    }
}

fn hand_over(plan: &ChatPlan, chat: &Chat, target: &Target, people: &dyn Fn() -> Decision) -> Given {
    if *target == Target::default() {
        return to_people(plan, people);
    }
    match find(plan, target) {
        Some((account, desk)) => Given { event: Event::ScriptHandsOver(desk), desk: Some(account) },
        None => {
            warn!("the script of chat {} hands over to a desk that is not there", chat.id);
            to_people(plan, people)
        }
    }
}

/// To whom the conditions give a chat without a script; without anybody the chat is over.
fn to_people(plan: &ChatPlan, people: &dyn Fn() -> Decision) -> Given {
    let desk = match people() {
        Decision::Desk(desk) => Some(desk),
        Decision::Nothing | Decision::Script(_) => plan.policy.default_desk.clone(),
    };
    Given::of(desk.map_or(Event::ScriptEnds, Event::ScriptHandsOver))
}

/// What the rules of waiting do with a chat that waits since `from` and was looked at until `seen`.
pub(super) fn waiting(
    plan: &ChatPlan,
    record: &ChatRecord,
    from: EpochMillis,
    seen: EpochMillis,
    now: EpochMillis,
) -> Vec<Given> {
    let chat = &record.chat;
    let mut given = Vec::new();
    for saying in plan.waiting_rules.sayings(from, seen, now) {
        let text = saying.text.of(chat.visitor.culture.as_deref());
        // Firings of one wait are whole seconds apart, or of different rules.
        let place = u64::try_from(saying.at.millis()).unwrap_or_default() + saying.rule;
        given.extend(said(chat, place, saying.kind, text).map(Event::WaitingRuleSpeaks).map(Given::of));
    }
    if let Some(target) = plan.waiting_rules.desk(from, now) {
        match find(plan, target) {
            Some((account, desk)) if record.desk.as_ref() == Some(&account) && chat.desk.as_ref() == Some(&desk) => {}
            Some((account, desk)) => given.push(Given { event: Event::HandOver(desk), desk: Some(account) }),
            None => warn!("a rule of waiting gives chat {} to a desk that is not there", chat.id),
        }
    }
    given
}

/// The desk that configuration names, if the plan knows it.
fn find(plan: &ChatPlan, target: &Target) -> Option<(AccountId, Desk)> {
    let desk = match &target.desk {
        None => plan.desk.as_ref()?,
        Some(account) => plan.desk_of(account)?,
    };
    let to = match &desk.agents {
        None => Desk::Staff(desk.account.clone()),
        Some(_) => match target.skill.clone().or_else(|| plan.skill.clone()) {
            Some(skill) => Desk::Agents(skill),
            None => plan.policy.default_desk.clone()?,
        },
    };
    Some((desk.account.clone(), to))
}

/// A sentence of the system's own. Its id follows from the chat and `place`, so that whoever does the same again gives it the
/// same one; a GUID, as all ids of ours are (11.15).
fn said(chat: &Chat, place: u64, kind: SentenceKind, text: &str) -> Option<Said> {
    let id = MessageId::new(chat.conversation(), place)?.to_string();
    let draft = Draft::new(SentenceId::try_from(id).ok()?, kind, text.to_owned(), None, None).ok()?;
    Some(Said { draft, known: Known::New })
}

/// Ends the chat of a thread that is about to enter another one, if its time is over: it is left for good then, so it has to
/// be over before.
pub(super) async fn settle(ctx: &ChatCtx, thread: ConversationId) -> Result<(), AppError> {
    let Some((ChatRecord { chat, .. }, _)) = ctx.chats.chat(thread, None).await? else { return Ok(()) };
    if !chat.is_closed() && chat.ended_at(ctx.clock.now()).is_some() {
        time::look(ctx, chat.conversation(), None).await?;
    }
    Ok(())
}

/// Why a chat is not prepared. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The gateway has no chats.
    #[error("the gateway has no chats")]
    NoChats,
    /// The gateway's desk has no agent of this id.
    #[error("the agent is none of the gateway's desk")]
    UnknownAgent,
    /// Nobody could be conversing.
    #[error("the agent is not logged in, or pauses")]
    AgentAway,
    /// The agent has as many chats as they take.
    #[error("the agent has no room for another chat")]
    AgentBusy,
    /// It is not known whether it was prepared.
    #[error(transparent)]
    App(#[from] AppError),
}

/// Prepares a chat for a visitor who is yet to come (2.1, `ReturnChatId`): of an agent, who has it from now on, or of whoever
/// the conditions choose once the visitor is there. `token` is random; the chat's id follows from it.
///
/// # Errors
/// [`PrepareError`].
pub async fn prepare(
    ctx: &ChatCtx,
    gateway: &Account,
    visitor: ChatVisitor,
    agent: Option<&AgentId>,
    token: &str,
) -> Result<ChatId, PrepareError> {
    let plan = ctx.plans.plan(&gateway.id).await?.ok_or(PrepareError::NoChats)?;
    let now = ctx.clock.now();
    let inviting = match agent {
        Some(id) => Some(inviting(ctx, &plan, id, now).await?),
        None => None,
    };
    // Apart from the conversations of threads, whose names begin otherwise.
    let conversation = ConversationId::derive(&gateway.salt, &gateway.id, &format!("prepared:{token}"));
    let id = ChatId::new(conversation, 1).ok_or(AppError::Internal("a first chat has a number"))?;
    let (desk, by) = inviting.map_or((None, None), |(desk, agent, skill)| (Some(desk), Some((agent, skill))));
    let prepared = Prepared { id, tenant: gateway.tenant.clone(), gateway: gateway.id.clone(), visitor, by };
    let chat = Chat::prepare(prepared, now, &plan.policy);
    let chat = chat::step(Some(&chat), &Event::Tick, now, &plan.policy).chat.unwrap_or(chat);
    let agents = taken(&plan, &chat, desk.as_ref());
    let timer = chat.timer_at;
    let change = ChatChange {
        record: ChatRecord { chat, desk, staff: None },
        expected_rev: None,
        bind: None,
        relay: None,
        receipt: None,
        results: Vec::new(),
        sentences: Vec::new(),
        confirmed: Vec::new(),
        told: Vec::new(),
        agents,
        guards: Vec::new(),
        now,
    };
    match ctx.chats.save(&change).await.map_err(AppError::from)? {
        ChatSaved::Yes => {}
        ChatSaved::AgentTaken(_) => return Err(PrepareError::AgentBusy),
        ChatSaved::Conflict => return Err(AppError::Unavailable(PortError::Busy).into()),
        ChatSaved::Refused(_) => return Err(AppError::Internal("a refusal without a guard").into()),
        ChatSaved::Stale(_) => return Err(AppError::Internal("a stale place without a relay").into()),
    }
    set_timer(ctx, conversation, timer, now).await;
    Ok(id)
}

/// The agent who invites, with the desk and the skill it counts for.
async fn inviting(
    ctx: &ChatCtx,
    plan: &ChatPlan,
    id: &AgentId,
    now: EpochMillis,
) -> Result<(AccountId, Agent, Skill), PrepareError> {
    let desk = plan.desk.as_ref().ok_or(PrepareError::UnknownAgent)?;
    let view = agents_of(ctx, desk, now).await?.into_iter().find(|view| view.id == *id).ok_or(PrepareError::UnknownAgent)?;
    let workplace = match view.presence {
        Presence::Ready { workplace, .. } => workplace,
        Presence::Paused { .. } | Presence::LoggedOut => return Err(PrepareError::AgentAway),
    };
    let skill = plan.skill.clone().or_else(|| view.skills.first().cloned()).ok_or(PrepareError::UnknownAgent)?;
    Ok((desk.account.clone(), Agent { id: view.id, workplace, name: view.name }, skill))
}

fn taken(plan: &ChatPlan, chat: &Chat, desk: Option<&AccountId>) -> Vec<AgentChange> {
    let (State::Answered { by: Attendant::Agent(agent) }, Some(desk)) = (&chat.state, desk) else { return Vec::new() };
    vec![AgentChange::Take { desk: desk.clone(), agent: agent.id.clone(), capacity: plan.capacity(desk, &agent.id) }]
}

impl ChatPlan {
    /// The desk of this account, the gateway's own or one that its rules hand over to.
    pub(super) fn desk_of(&self, account: &AccountId) -> Option<&DeskPlan> {
        self.desk.iter().chain(&self.others).find(|desk| desk.account == *account)
    }

    /// The most chats that an agent of a desk takes; one, if they are not configured.
    pub(super) fn capacity(&self, desk: &AccountId, agent: &AgentId) -> u32 {
        let configured = self.desk_of(desk).and_then(|desk| desk.agents.as_ref()).into_iter().flatten();
        configured.filter(|view| view.id == *agent).map(|view| view.capacity).next().unwrap_or(1)
    }
}
