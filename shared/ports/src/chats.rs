//! The store of chats: the chat itself, what was said, who is there to answer, and the numbered streams in which
//! connectors and agent clients are told what happens (FrontStage contract, sections 5 and 10.3).
//!
//! A sentence costs the same in the first and in the ten-thousandth place: one call reads the chat with what the store
//! knows of the sentence, one call per stream reserves numbers, one transaction writes everything.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chat::desk::Presence;
use chat::{AgentId, Chat, ChatId, Direction, ResultId, Sentence, SentenceId, Workplace};
use model::{AccountId, ChatTask, Conversation, ConversationId, DeliverTask, EpochMillis, Message, TypingTask};

use crate::{Guard, GuardRefusal, NewDelivery, Offer, OwedReceipt, PortError, ResultChange, StoredResult};

/// One sequence of what somebody is told, numbered from 1 without gaps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamKey {
    /// What a gateway's connector is told.
    Gateway(AccountId),
    /// What the agent's client at a workplace of a desk is told.
    Workplace(AccountId, Workplace),
}

/// Something in a stream. Of what is told about one chat, what happened later has the higher number, because numbers are
/// reserved after the chat was read, and stored on the condition that it has not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEntry {
    /// Its place.
    pub seq: u64,
    /// When it happened.
    pub at: EpochMillis,
    /// Whether the receiver has it already, in the answer to a request: it is not given out again.
    pub is_delivered: bool,
    /// Whether it is worth nothing ten seconds later.
    pub is_volatile: bool,
    /// The delivery that it offers, if it is one: then the body becomes the message only when it is handed out.
    pub offer: Option<Offer>,
    /// What is told, in the words of the receiver's platform. Empty where the number stands for nothing (10.3, `Skip`).
    /// Holds personal data.
    pub body: Bytes,
}

/// Where a stream stands (10.1, `health`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamHead {
    /// The last number that was reserved; 0 if none was.
    pub last: u64,
    /// The first number that is kept; the one after `last` if there is none.
    pub oldest: u64,
}

/// A chat as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatRecord {
    /// The chat.
    pub chat: Chat,
    /// The account of the desk that answers it: our own agents', or another platform's staff.
    pub desk: Option<AccountId>,
    /// What another platform's staff has of it; `None` if none has had it.
    pub staff: Option<StaffView>,
}

/// Up to where another platform's staff has what was said in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffView {
    /// Whose staff: the last that had the chat.
    pub account: AccountId,
    /// The counter of the last sentence they have, or wrote themselves; 0 if nothing had been said.
    pub counter: u64,
}

/// What another platform's staff is told with a change of a chat, as messages of its conversation.
#[derive(Debug, Clone)]
pub struct Relay {
    /// The conversation after them: `last_seq` is the place of the last one. It is created if it does not exist; otherwise it
    /// must be the same visitor account's and at an earlier place. Its desk becomes this one's.
    pub conversation: Conversation,
    /// The messages.
    pub messages: Vec<Message>,
    /// Their deliveries.
    pub deliveries: Vec<NewDelivery>,
}

/// What is known of sentences with one id in one direction of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SaidBefore {
    /// The sentences themselves, oldest first.
    pub sentences: Vec<Sentence>,
    /// Counters of those that nobody has confirmed.
    pub unconfirmed: Vec<u64>,
}

/// An agent as the store knows them. Name, skills and capacity are the configuration's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSeen {
    /// Who it is.
    pub id: AgentId,
    /// Whether they are there.
    pub presence: Presence,
    /// When their client was last heard of.
    pub seen_at: EpochMillis,
    /// Chats they are offered or have.
    pub chats: u32,
}

/// What happens to an agent's load with a change of a chat.
///
/// The store keeps which conversations an agent has, so that the same change twice counts once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentChange {
    /// The agent is offered the chat: refused if the agent has `capacity` other chats already or is not
    /// [`Presence::Ready`].
    Take {
        /// The desk.
        desk: AccountId,
        /// The agent.
        agent: AgentId,
        /// The most chats the agent takes.
        capacity: u32,
    },
    /// The agent is rid of the chat, and, if ready, idle since then.
    Release {
        /// The desk.
        desk: AccountId,
        /// The agent.
        agent: AgentId,
        /// Since when.
        at: EpochMillis,
    },
}

/// A thread of a gateway leads to another conversation from now on: to that of a prepared chat which its visitor enters
/// (FrontStage contract, 5.1 row 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// The thread's own conversation.
    pub thread: ConversationId,
    /// What was read there.
    pub before: BoundBefore,
}

/// Where a thread leads before it is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoundBefore {
    /// Nowhere: it has no chat.
    Nothing,
    /// To a chat of its own, at this `rev`. That chat is closed, and is not found any more.
    Chat {
        /// The `rev` that was read.
        rev: u64,
    },
    /// To this conversation.
    To(ConversationId),
}

/// A change of a chat with everything that becomes true with it, in one transaction.
#[derive(Debug, Clone)]
pub struct ChatChange {
    /// The chat after the change.
    pub record: ChatRecord,
    /// The `rev` that was read; `None` if there must be no current chat in the conversation. A new chat of a conversation
    /// names the `rev` of the closed one before it, and its own is higher: within a conversation `rev` never falls. It may
    /// rise by more than one, and stays where nothing of the chat itself changes.
    pub expected_rev: Option<u64>,
    /// The thread that leads to this chat from now on.
    pub bind: Option<Bind>,
    /// Sentences to write down, each under its id.
    pub sentences: Vec<Sentence>,
    /// Counters that are confirmed, and when. Those of one id are no longer unconfirmed.
    pub confirmed: Vec<(Direction, SentenceId, u64, EpochMillis)>,
    /// What is told. Each `seq` was reserved.
    pub told: Vec<(StreamKey, StreamEntry)>,
    /// Loads of agents.
    pub agents: Vec<AgentChange>,
    /// What another platform's staff is told.
    pub relay: Option<Relay>,
    /// The receipt for a sentence that another platform's staff wrote. Nothing of it is stored where the sentence's delivery
    /// is not there, or the same or more was reported of it before.
    pub receipt: Option<OwedReceipt>,
    /// Filled-in forms, each of them once.
    pub results: Vec<ResultChange>,
    /// Conditions; looked at before everything else.
    pub guards: Vec<Guard>,
    /// The time.
    pub now: EpochMillis,
}

/// What came of a [`ChatChange`].
#[derive(Debug, Clone, PartialEq)]
pub enum ChatSaved {
    /// Stored.
    Yes,
    /// The chat, where its thread leads, or a filled-in form has changed since it was read: read again. What is told then needs
    /// numbers of its own: those of this change
    /// are lower than those of the change that was first.
    Conflict,
    /// An agent cannot be given the chat: choose again.
    AgentTaken(AgentId),
    /// The conversation of the [`Relay`] is not what was expected: as it is, `None` if it does not exist.
    Stale(Option<Box<Conversation>>),
    /// A guard refused.
    Refused(GuardRefusal),
}

/// A page of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPage {
    /// What is told, in order. A number that was reserved and never used is there with an empty body once the entry that
    /// follows it is ten seconds old; until then the page ends before it.
    pub entries: Vec<StreamEntry>,
    /// The number of the last entry looked at, delivered ones included: where to go on after. The number asked for if there
    /// is nothing.
    pub next: u64,
    /// Whether there is more already.
    pub has_more: bool,
}

/// What came of reading a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamRead {
    /// A page, possibly empty.
    Page(StreamPage),
    /// What came right after the place asked for is no longer kept: an entry is kept for 24 hours. `next` is where reading
    /// may go on.
    Expired {
        /// The number before the oldest entry that is kept; the last number if none is.
        next: u64,
    },
}

/// Everything that is kept about chats.
#[async_trait]
pub trait Chats: Send + Sync {
    /// The current chat of a conversation, and what is known of sentences with this id: one call, and a second one only
    /// if there are such sentences. From a thread that was bound ([`ChatChange::bind`]) it is the chat that this leads to, in
    /// another conversation, and one call more.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn chat(
        &self,
        conversation: ConversationId,
        said: Option<(Direction, &SentenceId)>,
    ) -> Result<Option<(ChatRecord, SaidBefore)>, PortError>;

    /// Sentences of a chat by their counters, `first..=last`, in order.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn sentences(&self, chat: ChatId, first: u64, last: u64) -> Result<Vec<Sentence>, PortError>;

    /// Reserves `count` numbers of a stream and returns the first. Numbers that are never used are skipped by readers.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be reserved.
    async fn reserve(&self, stream: &StreamKey, count: u32, now: EpochMillis) -> Result<u64, PortError>;

    /// The same in the stream of a gateway that is pushed, for something that is not delivered otherwise. In the same write
    /// the stream becomes due at `due_at`, unless it is due already ([`crate::PushStates::pushes_due`]): what is told under
    /// these numbers is pushed even if nobody is sent there.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be reserved.
    async fn reserve_pushed(
        &self,
        gateway: &AccountId,
        count: u32,
        now: EpochMillis,
        due_at: EpochMillis,
    ) -> Result<u64, PortError>;

    /// Stores a change, or nothing. Guards are looked at first, then the `rev`, then where the thread leads, then the filled-in
    /// forms, then the agents, then the conversation of the relay.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn save(&self, change: &ChatChange) -> Result<ChatSaved, PortError>;

    /// Stores entries that no change of a chat goes with, and guards, or nothing. `None` if they are stored; with neither,
    /// nothing is done. Each `seq` was reserved.
    ///
    /// # Errors
    /// [`PortError`] when they are not known to be stored.
    async fn tell(
        &self,
        told: &[(StreamKey, StreamEntry)],
        guards: &[Guard],
        now: EpochMillis,
    ) -> Result<Option<GuardRefusal>, PortError>;

    /// A filled-in form of a gateway, if it is kept.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn result(&self, gateway: &AccountId, id: &ResultId, now: EpochMillis) -> Result<Option<StoredResult>, PortError>;

    /// Stores a filled-in form that goes with no change of a chat, with guards, or nothing. Never [`ChatSaved::AgentTaken`].
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn save_result(&self, change: &ResultChange, guards: &[Guard], now: EpochMillis) -> Result<ChatSaved, PortError>;

    /// Where a stream stands.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn head(&self, stream: &StreamKey, now: EpochMillis) -> Result<StreamHead, PortError>;

    /// Up to `max` entries of a stream after number `after`, without those that are delivered.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn read(&self, stream: &StreamKey, after: u64, max: usize, now: EpochMillis) -> Result<StreamRead, PortError>;

    /// Entries of a stream by their numbers, delivered or not; those that are gone are left out.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn entries(&self, stream: &StreamKey, seqs: &[u64]) -> Result<Vec<StreamEntry>, PortError>;

    /// The chats of a gateway that are not closed, or that were closed after `closed_after`, each as it is, in the order of
    /// their conversations. Closed ones are found for ten minutes at least.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn of_gateway(&self, gateway: &AccountId, closed_after: Option<EpochMillis>) -> Result<Vec<ChatRecord>, PortError>;

    /// The chats that an agent of a desk is offered or has.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn of_agent(&self, desk: &AccountId, agent: &AgentId) -> Result<Vec<ChatRecord>, PortError>;

    /// Conversations whose chat waits for an agent of a desk ([`Chat::waiting`]), the longest waiting first by
    /// [`Chat::waiting_from`], at most `limit`.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn waiting(&self, desk: &AccountId, limit: usize) -> Result<Vec<ConversationId>, PortError>;

    /// Who is there: each agent of a desk who was ever logged in, by id.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn agents(&self, desk: &AccountId) -> Result<Vec<AgentSeen>, PortError>;

    /// Stores that an agent is there, or is not, and was heard of at `now`. The chats stay.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn note_presence(
        &self,
        desk: &AccountId,
        agent: &AgentId,
        presence: &Presence,
        now: EpochMillis,
    ) -> Result<(), PortError>;

    /// Stores that an agent was heard of at `now`, if they are at this workplace, ready or paused. Nothing else changes.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn note_seen(
        &self,
        desk: &AccountId,
        agent: &AgentId,
        workplace: &Workplace,
        now: EpochMillis,
    ) -> Result<(), PortError>;

    /// Conversations whose chat should have been looked at ([`Chat::timer_at`]) at `now` or before, oldest first, at most
    /// `limit`.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn overdue(&self, now: EpochMillis, limit: usize) -> Result<Vec<ConversationId>, PortError>;
}

/// What chats put on queues: their timers, and what the staff of other platforms is to be told.
#[async_trait]
pub trait ChatTimers: Send + Sync {
    /// Sends a timer, to arrive after `delay` (at most 900 s, longer ones are cut: whoever receives it early sets it anew).
    ///
    /// # Errors
    /// [`PortError::Unavailable`] if it was not taken.
    async fn set(&self, timer: &ChatTask, delay: Duration) -> Result<(), PortError>;

    /// Says that a lane of messages to another platform's staff needs something, at once.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] if it was not taken.
    async fn relay(&self, task: &DeliverTask) -> Result<(), PortError>;

    /// Lets another platform's staff be told that a visitor is typing, or has stopped.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] if it was not taken: then they are not told.
    async fn typing(&self, task: &TypingTask) -> Result<(), PortError>;
}
