//! The store: every operation is one call to the backing service, and says in its type what can come of it.
//!
//! One trait for each use of it, and [`Store`] for all together. A trait object brings every operation of its trait into
//! the function that makes it, and with each the client code of its call: so a use case names the trait it needs, and a
//! new operation goes where its callers need the others too, or gets a trait of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use model::{
    Account, AccountId, Conversation, ConversationId, Delivery, DeliveryKey, DeliveryState, Directory, EpochMillis, EventKey,
    Lane, LaneEntry, LaneKey, Message, MessageId, ReceiptStatus, RemoteStatus, RemoteThread, StoryEntry, Tenant,
};
use serde_json::Value;

use crate::PortError;

/// Something that may happen once only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnceKey {
    /// The account it belongs to.
    pub account: AccountId,
    /// Its name within the account.
    pub name: EventKey,
    /// From when on it may happen again; compared with the time of the write, whatever the store's own clean-up does.
    pub expires_at: EpochMillis,
}

/// A condition that is checked and remembered in the same write as what it guards.
#[derive(Debug, Clone, PartialEq)]
pub enum Guard {
    /// Refuses if the name was used before and has not expired.
    Once(OnceKey),
    /// Remembers the answer to a request, so that its repetition gets the same one.
    Answered {
        /// The request's name.
        key: OnceKey,
        /// Hash of the request's body: the same name with another body is not a repetition.
        fingerprint: String,
        /// The answer.
        answer: Value,
    },
}

/// What a desk's message is judged by.
#[derive(Debug, Clone, Default)]
pub struct Opened {
    /// The conversation, if it exists.
    pub conversation: Option<Conversation>,
    /// The status of the desk's installation, if known.
    pub installation: Option<RemoteStatus>,
}

/// A delivery to create with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// The delivery.
    pub delivery: Delivery,
    /// When the sweep should look at its lane, if nothing is pending there yet.
    pub due_at: EpochMillis,
}

/// A message with everything that becomes true with it, in one transaction.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// The conversation after the message: `last_seq` is the message's place.
    ///
    /// It need not have been read before. If it exists, it must be the same visitor account's, be at an earlier place,
    /// be a chat's or not as this one is, and have this desk or none yet.
    pub conversation: Conversation,
    /// Whether it is created if it does not exist.
    pub may_create: bool,
    /// The message.
    pub message: Message,
    /// Names of the platform event and how long each is kept (`None`: as long as the message).
    pub events: Vec<(EventKey, Option<EpochMillis>)>,
    /// Deliveries to make.
    pub deliveries: Vec<NewDelivery>,
    /// Conditions.
    pub guards: Vec<Guard>,
}

/// What came of an [`Acceptance`].
#[derive(Debug, Clone, PartialEq)]
pub enum AcceptOutcome {
    /// Stored.
    Stored,
    /// One of its event names is taken: it was stored before, as this message.
    Duplicate(MessageId),
    /// The conversation is not what was expected: as it is, `None` if it does not exist.
    Stale(Option<Box<Conversation>>),
    /// A guard refused. Looked at before everything else.
    Refused(GuardRefusal),
}

/// On what an [`AckWrite`] depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckExpectation {
    /// The delivery is being sent and its deadline has not passed: needs no reading first.
    InTime,
    /// The delivery is still at this `rev`.
    Rev(u64),
}

/// An acknowledgement that came in a call of its own, in one transaction.
#[derive(Debug, Clone)]
pub struct AckWrite {
    /// The delivery it settles.
    pub delivery: DeliveryKey,
    /// What must be true of it.
    pub expect: AckExpectation,
    /// The route it must have; `None` for any.
    pub route: Option<String>,
    /// The state it gets.
    pub state: DeliveryState,
    /// The recipient's own id of it; `None` leaves what is there.
    pub reference: Option<String>,
    /// What the story says.
    pub story: StoryEntry,
    /// Another name under which the message is known from now on.
    pub alias: Option<EventKey>,
    /// Conditions.
    pub guards: Vec<Guard>,
}

/// What came of an [`AckWrite`].
#[derive(Debug, Clone, PartialEq)]
pub enum AckOutcome {
    /// Stored.
    Stored,
    /// The expectation does not hold: the delivery as it is, `None` if there is no such delivery.
    Otherwise(Option<Box<Delivery>>),
    /// A guard refused.
    Refused(GuardRefusal),
}

/// Why a guard refused. Nothing was stored.
#[derive(Debug, Clone, PartialEq)]
pub enum GuardRefusal {
    /// A once-guard was used before.
    Replayed,
    /// An answered-guard holds the answer to the same request.
    AnsweredBefore(Value),
    /// An answered-guard holds the answer to a different request of the same name.
    FingerprintDiffers,
}

/// Which delivery of a lane to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneSelector {
    /// This one, and the lane: one call.
    Entry(LaneEntry),
    /// The lane's head, whatever it is: two calls.
    Head,
}

/// A delivery with everything needed to work on it.
#[derive(Debug, Clone)]
pub struct WorkItem {
    /// The lane.
    pub lane: Lane,
    /// The conversation.
    pub conversation: Conversation,
    /// The delivery asked for.
    pub delivery: Delivery,
    /// Its message.
    pub message: Message,
    /// The status of the recipient's installation, if asked for and known.
    pub installation: Option<RemoteStatus>,
}

/// A change of a delivery with everything that becomes true with it, in one transaction.
#[derive(Debug, Clone)]
pub struct Transition {
    /// The delivery after the change; `rev` is the one before, the store counts it up.
    pub delivery: Delivery,
    /// The story entry; `None` for a change that is not worth one.
    pub story: Option<StoryEntry>,
    /// The lane as it was read.
    pub lane: Lane,
    /// Whether the delivery leaves the lane. The lane must still hold exactly what was read.
    pub leaves_lane: bool,
    /// When the lane is due next.
    pub due_at: Option<EpochMillis>,
    /// The change holds only if nothing was heard of the lane's thread since it was read.
    pub needs_same_thread_status: bool,
    /// A receipt to append to the lane of receipts of its recipient.
    pub receipt: Option<NewDelivery>,
    /// Another name under which the message is known from now on.
    pub alias: Option<EventKey>,
}

/// Whether a conditional write took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It did.
    Yes,
    /// Somebody else was first: read again.
    Conflict,
}

/// What is known about a thread of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThreadNote {
    /// It stands for the conversation of this lane; the status was stored.
    Noted(LaneKey),
    /// It stands for the conversation of this lane and is gone for good; nothing was stored.
    Gone {
        /// The lane.
        lane: LaneKey,
        /// Since when.
        since: EpochMillis,
    },
    /// Nobody knows it yet; the status is kept for a while, for the binding that may be under way.
    Parked,
}

/// What came of a receipt from a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptOutcome {
    /// Stored.
    Stored,
    /// The delivery has one of the same or a higher rank.
    NoNews,
    /// There is no such delivery.
    Unknown,
}

/// What came of a receipt from a recipient, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedReceipt {
    /// What came of it.
    pub outcome: ReceiptOutcome,
    /// [`Delivery::sentence`], if the delivery exists.
    pub sentence: Option<String>,
}

/// A receipt that a chat owes to whoever wrote one of its sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedReceipt {
    /// The delivery by which the sentence came into the chat.
    pub of: DeliveryKey,
    /// What it says.
    pub status: ReceiptStatus,
    /// Its own delivery.
    pub new: NewDelivery,
}

/// Who is connected.
#[async_trait]
pub trait DirectoryStore: Send + Sync {
    /// Tenants and accounts.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn directory(&self) -> Result<Directory, PortError>;

    /// Stores a tenant and accounts of it, replacing what they were. An account's salt stays what it was first.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be stored.
    async fn configure(&self, tenant: &Tenant, accounts: &[Account]) -> Result<(), PortError>;
}

/// Messages come in: what they are judged by, and the one write that takes them.
#[async_trait]
pub trait InboundStore: Send + Sync {
    /// Reads a conversation and the status of an installation of `account`, in one call.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn open(
        &self,
        conversation: ConversationId,
        account: &AccountId,
        installation: &str,
        now: EpochMillis,
    ) -> Result<Opened, PortError>;

    /// Stores a message, its deliveries and its guards, or nothing.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn accept(&self, acceptance: &Acceptance) -> Result<AcceptOutcome, PortError>;

    /// The messages that events of the account brought, in the order asked, in one call.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn events(&self, account: &AccountId, keys: &[EventKey], now: EpochMillis)
    -> Result<Vec<Option<MessageId>>, PortError>;

    /// Checks and remembers guards that guard no other write. `None` if all of them were free.
    ///
    /// # Errors
    /// [`PortError`] when they are not known to be stored.
    async fn guard(&self, guards: &[Guard], now: EpochMillis) -> Result<Option<GuardRefusal>, PortError>;
}

/// What a platform's name of an event stands for.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// The message that an event of the account brought.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn event(&self, account: &AccountId, key: &EventKey, now: EpochMillis) -> Result<Option<MessageId>, PortError>;
}

/// Recipients acknowledge in calls of their own.
#[async_trait]
pub trait AckStore: Send + Sync {
    /// Settles a delivery by an acknowledgement, or nothing. A guard's refusal is reported before anything else.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn acknowledge(&self, ack: &AckWrite) -> Result<AckOutcome, PortError>;
}

/// Deliveries are worked on: read, changed, and tied to a thread of their recipient.
#[async_trait]
pub trait DeliveryStore: Send + Sync {
    /// Reads a delivery to work on. `None` if it does not exist, or the lane is empty. `installation` is the platform's
    /// id of the recipient's installation.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn work(
        &self,
        lane: &LaneKey,
        which: LaneSelector,
        installation: Option<&str>,
        now: EpochMillis,
    ) -> Result<Option<WorkItem>, PortError>;

    /// Stores a change, or nothing.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn save(&self, transition: &Transition) -> Result<Saved, PortError>;

    /// Stores that `thread` stands for the lane's conversation on the recipient's platform, which names it to `owner`. Returns
    /// the status that had arrived before it was known, or the given one.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn bind(&self, lane: &LaneKey, owner: &AccountId, thread: &RemoteThread) -> Result<RemoteStatus, PortError>;

    /// The thread that stands for the lane's conversation on the recipient's platform, as it was last heard of; `None` if
    /// none was bound.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn thread(&self, lane: &LaneKey) -> Result<Option<RemoteThread>, PortError>;
}

/// What a platform's thread stands for.
#[async_trait]
pub trait ThreadStore: Send + Sync {
    /// The lane to which the thread that the platform names to `owner` was bound, whatever became of the thread since; `None`
    /// if nobody bound it.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn lane_of(&self, owner: &AccountId, thread: &str) -> Result<Option<LaneKey>, PortError>;
}

/// When lanes are looked at if nothing else brings somebody there.
#[async_trait]
pub trait LaneTimes: Send + Sync {
    /// Moves the due time of a lane, if it still is `from`.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn postpone(&self, lane: &LaneKey, from: EpochMillis, to: Option<EpochMillis>) -> Result<Saved, PortError>;
}

/// Lanes that are due.
#[async_trait]
pub trait LaneStore: LaneTimes {
    /// Lanes that are due at `now` or before, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn due(&self, now: EpochMillis, limit: usize) -> Result<Vec<(LaneKey, EpochMillis)>, PortError>;
}

/// How the installations of platforms are doing.
#[async_trait]
pub trait InstallationStore: Send + Sync {
    /// Stores a status of an installation, unless that is gone for good. `keep` is how long, `None` for ever.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn note_installation(
        &self,
        account: &AccountId,
        installation: &str,
        status: RemoteStatus,
        now: EpochMillis,
        keep: Option<Duration>,
    ) -> Result<Saved, PortError>;
}

/// What making deliveries changes beside the deliveries.
pub trait OutboundStore: LaneTimes + InstallationStore {}

impl<T: LaneTimes + InstallationStore> OutboundStore for T {}

/// What a recipient reported about the parts in which it was given a delivery, by the names of the parts.
pub type PartNotes = BTreeMap<String, ReceiptStatus>;

/// Platforms report how threads, installations and messages are doing. What they report about, and what waits for it, is
/// found by the traits above.
#[async_trait]
pub trait StatusStore: DeliveryStore + EventStore + LaneStore + InstallationStore {
    /// Stores a status of a platform's thread. `keep` is how long it is parked when nobody knows the thread.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn note_thread(
        &self,
        account: &AccountId,
        thread: &str,
        status: RemoteStatus,
        now: EpochMillis,
        keep: Duration,
    ) -> Result<ThreadNote, PortError>;

    /// Stores what a recipient reported about one part of a delivery, if it is news. Returns what is known of all parts
    /// then; `None` if there is no such delivery. `part` is 1 to 32 of `a-z`, `0-9` and `_`.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn note_part(&self, delivery: &DeliveryKey, part: &str, status: ReceiptStatus) -> Result<Option<PartNotes>, PortError>;

    /// Stores what a recipient reported about a delivery, if it is news.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn note_receipt(&self, delivery: &DeliveryKey, status: ReceiptStatus) -> Result<NotedReceipt, PortError>;
}

/// The operator looks, under any name that a configured account uses, and puts back what failed.
#[async_trait]
pub trait StoryStore: DirectoryStore + EventStore {
    /// Everything stored about a conversation, each item as it is kept, in key order: for the operator.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn story(&self, conversation: ConversationId) -> Result<ConversationStory, PortError>;

    /// Puts a failed delivery back at the end of its lane, queued, its age counted from `story.at` on. `Conflict` if it is
    /// not failed any more.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn requeue(&self, delivery: &DeliveryKey, story: &StoryEntry, due_at: EpochMillis) -> Result<Saved, PortError>;
}

/// Everything that is kept: what an adapter has to be.
pub trait Store: InboundStore + AckStore + StatusStore + StoryStore + ThreadStore {}

impl<T: InboundStore + AckStore + StatusStore + StoryStore + ThreadStore> Store for T {}

/// A conversation with all that happened in it.
#[derive(Debug, Clone, Default)]
pub struct ConversationStory {
    /// The conversation.
    pub conversation: Option<Conversation>,
    /// Its messages, oldest first.
    pub messages: Vec<Message>,
    /// Its deliveries.
    pub deliveries: Vec<Delivery>,
    /// What happened to them.
    pub stories: Vec<(DeliveryKey, StoryEntry)>,
    /// Its lanes.
    pub lanes: Vec<Lane>,
}
