//! The store of chats: the chat itself, what was said, who is there to answer, and the numbered streams in which
//! connectors and agent clients are told what happens (FrontStage contract, sections 5 and 10.3).
//!
//! A sentence costs the same in the first and in the ten-thousandth place: one call reads the chat with what the store
//! knows of the sentence, one call per stream reserves numbers, one transaction writes everything.

use async_trait::async_trait;
use bytes::Bytes;
use chat::desk::{AgentView, Presence};
use chat::{AgentId, Chat, ChatId, Direction, Sentence, SentenceId, Workplace};
use model::{AccountId, ConversationId, EpochMillis};

use crate::{Guard, GuardRefusal, PortError};

/// One sequence of what somebody is told, numbered from 1 without gaps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamKey {
    /// What a gateway's connector is told.
    Gateway(AccountId),
    /// What the agent's client at a workplace of a desk is told.
    Workplace(AccountId, Workplace),
}

/// Something in a stream.
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
    /// What is told, in the words of the receiver's platform. Holds personal data.
    pub body: Bytes,
}

/// A chat as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatRecord {
    /// The chat.
    pub chat: Chat,
    /// The account of the desk that answers it: our own agents', or another platform's staff.
    pub desk: Option<AccountId>,
}

/// What is known of sentences with one id in one direction of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SaidBefore {
    /// The sentences themselves, oldest first.
    pub sentences: Vec<Sentence>,
    /// Counters of those that nobody has confirmed.
    pub unconfirmed: Vec<u64>,
}

/// What happens to an agent's load with a change of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentChange {
    /// The agent is offered the chat: refused if the agent has `capacity` chats already or is not ready any more.
    Take {
        /// The desk.
        desk: AccountId,
        /// The agent.
        agent: AgentId,
        /// The most chats the agent takes.
        capacity: u32,
    },
    /// The agent is rid of the chat, and idle since then.
    Release {
        /// The desk.
        desk: AccountId,
        /// The agent.
        agent: AgentId,
        /// Since when.
        at: EpochMillis,
    },
}

/// A change of a chat with everything that becomes true with it, in one transaction.
#[derive(Debug, Clone)]
pub struct ChatChange {
    /// The chat after the change.
    pub record: ChatRecord,
    /// The `rev` that was read; `None` if there must be no current chat in the conversation. A new chat of a conversation
    /// names the `rev` of the closed one before it.
    pub expected_rev: Option<u64>,
    /// Sentences to write down, each under its id.
    pub sentences: Vec<Sentence>,
    /// Counters that are confirmed, and when. Those of one id are no longer unconfirmed.
    pub confirmed: Vec<(Direction, SentenceId, u64, EpochMillis)>,
    /// What is told. Each `seq` was reserved.
    pub told: Vec<(StreamKey, StreamEntry)>,
    /// Loads of agents.
    pub agents: Vec<AgentChange>,
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
    /// The chat has changed since it was read: read again. Reserved numbers stay good.
    Conflict,
    /// An agent cannot be given the chat: choose again.
    AgentTaken(AgentId),
    /// A guard refused.
    Refused(GuardRefusal),
}

/// A page of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPage {
    /// What is told, in order. A number that was reserved and never used is there with an empty body once it is ten
    /// seconds older than its successor; until then the page ends before it.
    pub entries: Vec<StreamEntry>,
    /// The number of the last entry looked at: where to go on after.
    pub next: u64,
    /// Whether there is more already.
    pub has_more: bool,
}

/// What came of reading a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamRead {
    /// A page, possibly empty.
    Page(StreamPage),
    /// The place asked for is older than what is kept; `next` is where reading may go on.
    Expired {
        /// The number before the oldest entry that is kept.
        next: u64,
    },
}

/// Everything that is kept about chats.
#[async_trait]
pub trait Chats: Send + Sync {
    /// The current chat of a conversation, and what is known of sentences with this id: one call, and a second one only
    /// if there are such sentences.
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

    /// Stores a change, or nothing.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn save(&self, change: &ChatChange) -> Result<ChatSaved, PortError>;

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

    /// The chats of a gateway that are not closed, each as it is, in the order of their conversations.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn of_gateway(&self, gateway: &AccountId) -> Result<Vec<ChatRecord>, PortError>;

    /// The chats that an agent of a desk is offered or has.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn of_agent(&self, desk: &AccountId, agent: &AgentId) -> Result<Vec<ChatRecord>, PortError>;

    /// Conversations whose chat waits for an agent of a desk, the longest waiting first, at most `limit`.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn waiting(&self, desk: &AccountId, limit: usize) -> Result<Vec<ConversationId>, PortError>;

    /// Who is there: presence and number of chats of each agent of a desk who was ever logged in. Name, skills and
    /// capacity are the configuration's, and empty here.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn agents(&self, desk: &AccountId) -> Result<Vec<AgentView>, PortError>;

    /// Stores that an agent is there, or is not. The number of chats stays.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn note_presence(&self, desk: &AccountId, agent: &AgentId, presence: &Presence) -> Result<(), PortError>;

    /// Conversations whose chat has a deadline at `now` or before, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn overdue(&self, now: EpochMillis, limit: usize) -> Result<Vec<ConversationId>, PortError>;
}
