//! The chat as it is stored.
//!
//! It never grows with what is said: sentences are items of their own, and the chat keeps their number, the newest of
//! those that replace each other, and short lists with a limit.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use model::{AccountId, ConversationId, EpochMillis, Memo, TenantId};
use serde::{Deserialize, Serialize};

use crate::desk::WaitingChat;
use crate::{
    AgentId, ChatId, Direction, FormId, LanguageId, Policy, ProjectId, ResultId, Sentence, SentenceKind, TrackingId, Workplace,
};

/// The most sentences an answer holds: the newest (5.4).
pub const TRANSCRIPT_LIMIT: u64 = 1_000;
/// The most forms kept with a chat; of more, the oldest go.
const FORMS_LIMIT: usize = 100;
/// The most agents remembered as not to be offered the chat; of more, the oldest go.
const BARRED_LIMIT: usize = 100;

/// The visitor of a chat, as the connector describes them (4.2, `ChatServiceInfo`). All of it personal data.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChatVisitor {
    /// The gateway's sub-address.
    pub port: Option<String>,
    /// What the visitor is called.
    pub party_name: Option<String>,
    /// Where the visitor is reached.
    pub remote_address: Option<String>,
    /// The visitor in an external system.
    pub user_token: Option<String>,
    /// The visitor's language.
    pub culture: Option<String>,
    /// Whom the visitor of this chat would rather talk to; unlike the rest it is not known any longer when the next chat begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefers: Option<AgentId>,
    /// Where they are, if that is another platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<Away>,
}

/// A visitor on another platform, who looks at no chat: what they are to see is delivered to an account there, at
/// [`ChatVisitor::remote_address`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Away {
    /// The account.
    pub account: AccountId,
    /// What else its platform needs to reach them.
    pub memo: Memo,
}

impl ChatVisitor {
    /// Takes over what `newer` gives, and keeps what it leaves out.
    pub(crate) fn learn(&mut self, newer: &Self) {
        let Self { port, party_name, remote_address, user_token, culture, prefers, away } = newer;
        self.prefers.clone_from(prefers);
        if away.is_some() {
            self.away.clone_from(away);
        }
        for (known, given) in [
            (&mut self.port, port),
            (&mut self.party_name, party_name),
            (&mut self.remote_address, remote_address),
            (&mut self.user_token, user_token),
            (&mut self.culture, culture),
        ] {
            if given.is_some() {
                known.clone_from(given);
            }
        }
    }
}

impl fmt::Debug for ChatVisitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatVisitor").finish_non_exhaustive()
    }
}

/// An agent of our own desk, at the workplace where their client is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Who it is.
    pub id: AgentId,
    /// Where their client is: what is sent to the agent goes there.
    pub workplace: Workplace,
    /// What visitors see. Personal data.
    pub name: String,
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("id", &self.id).field("workplace", &self.workplace).finish_non_exhaustive()
    }
}

/// Somebody of another platform's staff.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staff {
    /// The account whose staff it is.
    pub account: AccountId,
    /// What visitors see, if the platform says so. Personal data.
    pub name: Option<String>,
}

impl fmt::Debug for Staff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Staff").field("account", &self.account).finish_non_exhaustive()
    }
}

/// An automatic script (`ICR`), which converses before people do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Robot {
    /// The agent it stands for, where it has an identity of its own (2.1).
    pub id: Option<AgentId>,
    /// What visitors see.
    pub name: String,
}

/// Whoever converses with the visitor for the desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attendant {
    /// An agent of our own.
    Agent(Agent),
    /// Another platform's staff.
    Staff(Staff),
}

impl Attendant {
    /// Whether this is the same side as `other`: the same agent, or the same account's staff.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Agent(a), Self::Agent(b)) => a.id == b.id,
            (Self::Staff(a), Self::Staff(b)) => a.account == b.account,
            (Self::Agent(_), Self::Staff(_)) | (Self::Staff(_), Self::Agent(_)) => false,
        }
    }
}

/// What an agent must know to be offered a chat.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skill {
    /// The project.
    pub project: ProjectId,
    /// The language; `None` asks for none, and, as an agent's skill, has all.
    pub language: Option<LanguageId>,
}

/// Who answers a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Desk {
    /// Our own agents with this skill.
    Agents(Skill),
    /// The staff of another platform's account.
    Staff(AccountId),
}

/// Why a chat is over (5.1; kept for us, the wire knows `Closed` only).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// The agent, or another platform's staff, ended it.
    Agent,
    /// The visitor's side ended it.
    ExtApp,
    /// Nobody wrote anything for too long.
    Inactivity,
    /// The script ended it, or nobody is there to answer it.
    System,
}

/// Where a chat stands (5.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Recorded; the conditions have not decided yet.
    Pilot,
    /// A script converses.
    Icr {
        /// The script, as the visitor sees it.
        robot: Robot,
        /// The node of the script at which the visitor was asked something ([`crate::script`]); `None` before it has spoken.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
    },
    /// Nobody is free yet.
    Waiting {
        /// Since when.
        since: EpochMillis,
    },
    /// Offered to an agent.
    Alerting {
        /// To whom.
        agent: Agent,
        /// The first instant at which the offer is over.
        until: EpochMillis,
    },
    /// Somebody converses.
    Answered {
        /// Who.
        by: Attendant,
    },
    /// Over.
    Closed {
        /// Why.
        reason: CloseReason,
        /// Since when.
        at: EpochMillis,
        /// Who was conversing.
        attended_by: Option<Attendant>,
    },
}

/// What was last said of each kind that replaces what was there (5.2: last one wins).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Slots {
    /// The panel.
    pub panel: Option<Sentence>,
    /// The page the visitor is on.
    pub navigation: Option<Sentence>,
    /// The data of co-browsing.
    pub co_browsing: Option<Sentence>,
}

impl Slots {
    /// Keeps `sentence` if it is of a kind that has a slot; one without text empties it.
    pub(crate) fn keep(&mut self, sentence: &Sentence) {
        let slot = match sentence.kind {
            SentenceKind::Panel => &mut self.panel,
            SentenceKind::Navigation => &mut self.navigation,
            SentenceKind::CoBrowsing => &mut self.co_browsing,
            SentenceKind::Text | SentenceKind::Note | SentenceKind::Other(_) => return,
        };
        *slot = Some(sentence.clone()).filter(|s| !s.text.is_empty());
    }

    /// What is there now.
    pub(crate) fn filled(&mut self) -> impl Iterator<Item = &mut Sentence> {
        [&mut self.panel, &mut self.navigation, &mut self.co_browsing].into_iter().flatten()
    }
}

/// Whether one side is typing (5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TypingFlag {
    /// The first instant at which the side no longer counts as typing.
    pub until: Option<EpochMillis>,
    /// When the other side was last told.
    pub told_at: Option<EpochMillis>,
}

/// Who is typing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TypingFlags {
    /// The visitor.
    pub inbound: TypingFlag,
    /// The desk.
    pub outbound: TypingFlag,
}

/// An agent who is not to be offered the chat for a while (5.1 rows 17, 18).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Barred {
    /// Who.
    pub agent: AgentId,
    /// The first instant at which they may be offered it again.
    pub until: EpochMillis,
}

/// A form attached to a chat. Its answers are stored as a result of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedForm {
    /// The form.
    pub form: FormId,
    /// The stored answers; `None` while it is not filled in.
    pub result: Option<ResultId>,
    /// When it was attached.
    pub attached_at: EpochMillis,
}

/// A chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    /// Its id, which also holds its conversation.
    pub id: ChatId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The gateway the visitor comes through.
    pub gateway: AccountId,
    /// The connector's id of the thread; `None` for a prepared chat that no visitor has entered yet (2.1, `ReturnChatId`).
    pub tracking: Option<TrackingId>,
    /// The visitor.
    pub visitor: ChatVisitor,
    /// Where it stands.
    pub state: State,
    /// Who answers it; `None` until the conditions have decided.
    pub desk: Option<Desk>,
    /// The number of sentences in its transcript.
    pub counter: u64,
    /// Panel, navigation and co-browsing. Their texts may be long: a store may want to keep them in an item of their own.
    pub slots: Slots,
    /// Who is typing.
    pub typing: TypingFlags,
    /// Forms attached to it, the oldest first.
    pub forms: Vec<AttachedForm>,
    /// Agents not to be offered it, and until when.
    pub barred: Vec<Barred>,
    /// When it was created.
    pub created_at: EpochMillis,
    /// Since when the visitor waits: the start, the revival, or the return from an attendant.
    pub waiting_from: EpochMillis,
    /// When distribution began (4.2, `EnqueueingTimeUtc`); `None` while it has not.
    pub enqueued_at: Option<EpochMillis>,
    /// When the visitor first wrote something since it was opened.
    pub spoke_at: Option<EpochMillis>,
    /// When somebody began to converse.
    pub answered_at: Option<EpochMillis>,
    /// The first instant at which it is closed for inactivity; `None` when that is off, or it is closed.
    pub inactive_at: Option<EpochMillis>,
    /// When the rules of its state are looked at next: conditions in `Pilot`, rules of waiting in `Waiting`.
    pub cycle_at: Option<EpochMillis>,
    /// Up to when the rules of waiting were looked at in this wait; `None` while they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules_at: Option<EpochMillis>,
    /// Whether an agent marked it as spam (section 12, `CS_CHAT_SPAM`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_spam: bool,
    /// The instant for which somebody has promised to look at it: the last [`crate::Effect::SetTimer`].
    pub timer_at: Option<EpochMillis>,
    /// Counts its changes; whoever writes it names the value it read.
    pub rev: u64,
}

/// A chat that the server creates before its visitor comes (2.1, `ReturnChatId`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Its id.
    pub id: ChatId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The gateway its visitor will come through.
    pub gateway: AccountId,
    /// What is known of the visitor.
    pub visitor: ChatVisitor,
    /// The agent who invites, and the skill it counts for; `None` leaves it to the conditions once the visitor is there.
    pub by: Option<(Agent, Skill)>,
}

impl Chat {
    /// A chat that has just been recorded.
    pub(crate) fn new(id: ChatId, tenant: TenantId, gateway: AccountId, now: EpochMillis, policy: &Policy) -> Self {
        Self {
            id,
            tenant,
            gateway,
            tracking: None,
            visitor: ChatVisitor::default(),
            state: State::Pilot,
            desk: None,
            counter: 0,
            slots: Slots::default(),
            typing: TypingFlags::default(),
            forms: Vec::new(),
            barred: Vec::new(),
            created_at: now,
            waiting_from: now,
            enqueued_at: None,
            spoke_at: None,
            answered_at: None,
            inactive_at: policy.inactivity.map(|pause| now.plus(pause)),
            cycle_at: None,
            rules_at: None,
            is_spam: false,
            timer_at: None,
            rev: 0,
        }
    }

    /// A chat that waits for its visitor (5.1 row 4). It has no timer yet: send it [`crate::Event::Tick`] once.
    #[must_use]
    pub fn prepare(prepared: Prepared, now: EpochMillis, policy: &Policy) -> Self {
        let Prepared { id, tenant, gateway, visitor, by } = prepared;
        let mut chat = Self { visitor, ..Self::new(id, tenant, gateway, now, policy) };
        if let Some((agent, skill)) = by {
            chat.desk = Some(Desk::Agents(skill));
            chat.answered_at = Some(now);
            chat.state = State::Answered { by: Attendant::Agent(agent) };
        }
        chat
    }

    /// The conversation it belongs to.
    #[must_use]
    pub fn conversation(&self) -> ConversationId {
        self.id.conversation()
    }

    /// Whether it is over. One whose deadline has passed is not, until somebody looks at it: see [`Self::ended_at`].
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// When it ended, or will have ended by `now` once somebody looks at it.
    #[must_use]
    pub fn ended_at(&self, now: EpochMillis) -> Option<EpochMillis> {
        match self.state {
            State::Closed { at, .. } => Some(at),
            State::Pilot | State::Icr { .. } | State::Waiting { .. } | State::Alerting { .. } | State::Answered { .. } => {
                self.inactive_at.filter(|at| *at <= now)
            }
        }
    }

    /// `DeadTimeUtc` (section 12): when it closes by itself; for a closed one, when it closed.
    #[must_use]
    pub const fn dead_at(&self) -> Option<EpochMillis> {
        match self.state {
            State::Closed { at, .. } => Some(at),
            State::Pilot | State::Icr { .. } | State::Waiting { .. } | State::Alerting { .. } | State::Answered { .. } => {
                self.inactive_at
            }
        }
    }

    /// When somebody has to look at it next; `None` when it is closed.
    #[must_use]
    pub fn due_at(&self) -> Option<EpochMillis> {
        let alert = match self.state {
            State::Alerting { until, .. } => Some(until),
            State::Pilot | State::Icr { .. } | State::Waiting { .. } | State::Answered { .. } | State::Closed { .. } => None,
        };
        [alert, self.inactive_at, self.cycle_at].into_iter().flatten().min()
    }

    /// The counters of the sentences that a complete answer holds (5.4): the newest [`TRANSCRIPT_LIMIT`].
    #[must_use]
    pub const fn transcript(&self) -> RangeInclusive<u64> {
        self.counter.saturating_sub(TRANSCRIPT_LIMIT) + 1..=self.counter
    }

    /// `WaitingTime` (4.2): how long the visitor has waited, or had waited when somebody answered.
    #[must_use]
    pub fn waiting_time(&self, now: EpochMillis) -> Duration {
        self.answered_at.or(self.ended_at(now)).unwrap_or(now).since(self.waiting_from)
    }

    /// Whether the side that sentences of this direction come from is typing (5.3).
    #[must_use]
    pub fn is_typing(&self, direction: Direction, now: EpochMillis) -> bool {
        let flag = match direction {
            Direction::Inbound => self.typing.inbound,
            Direction::Outbound => self.typing.outbound,
        };
        flag.until.is_some_and(|until| now < until)
    }

    /// The chat as distribution sees it; `None` unless it waits for an agent.
    #[must_use]
    pub fn waiting(&self) -> Option<WaitingChat<'_>> {
        let (State::Waiting { .. }, Some(Desk::Agents(skill)), Some(_)) = (&self.state, &self.desk, self.enqueued_at) else {
            return None;
        };
        Some(WaitingChat { skill, barred: &self.barred, prefers: self.visitor.prefers.as_ref() })
    }

    /// Whether `agent` is not to be offered it at `now`.
    #[must_use]
    pub fn is_barred(&self, agent: &AgentId, now: EpochMillis) -> bool {
        is_barred(&self.barred, agent, now)
    }

    /// Bars an agent from `from` on.
    pub(crate) fn bar(&mut self, agent: AgentId, from: EpochMillis, pause: Duration) {
        self.barred.retain(|b| b.agent != agent && b.until > from);
        self.barred.push(Barred { agent, until: from.plus(pause) });
        let over = self.barred.len().saturating_sub(BARRED_LIMIT);
        self.barred.drain(..over);
    }

    /// Attaches a form, or merges it into the same form that is attached already (5.1 row 6).
    pub(crate) fn attach(&mut self, form: &AttachedForm) {
        match self.forms.iter_mut().find(|f| f.form == form.form) {
            Some(attached) => attached.result = form.result.clone().or(attached.result.take()),
            None => self.forms.push(form.clone()),
        }
        let over = self.forms.len().saturating_sub(FORMS_LIMIT);
        self.forms.drain(..over);
    }

    /// Whether the list for `asker` names it (5.5; 5.1 row 40): active chats of its own only, and those that ended less
    /// than `recently` ago where that is switched on.
    #[must_use]
    pub fn is_listed(&self, asker: &Asker, recently: Option<Duration>, now: EpochMillis) -> bool {
        let is_theirs = match asker {
            Asker::Gateway(gateway) => self.gateway == *gateway && self.tracking.is_some(),
            Asker::Agent(asking) => match &self.state {
                State::Alerting { agent, until } => agent.id == *asking && now < *until,
                State::Answered { by: Attendant::Agent(agent) }
                | State::Closed { attended_by: Some(Attendant::Agent(agent)), .. } => agent.id == *asking,
                State::Pilot | State::Icr { .. } | State::Waiting { .. } | State::Answered { .. } | State::Closed { .. } => false,
            },
        };
        let is_current = self.ended_at(now).is_none_or(|at| recently.is_some_and(|within| now.since(at) < within));
        is_theirs && is_current
    }
}

pub(crate) fn is_barred(barred: &[Barred], agent: &AgentId, now: EpochMillis) -> bool {
    barred.iter().any(|b| b.agent == *agent && now < b.until)
}

/// Who asks for the list of chats after an interruption (5.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// A connector: the account stands for one address and port.
    Gateway(AccountId),
    /// An agent's client.
    Agent(AgentId),
}
