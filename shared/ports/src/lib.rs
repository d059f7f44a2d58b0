//! What the use cases need from the outside world, as object-safe traits.
//!
//! An adapter implements one of them over a technology and is named for it (`DynamoStore`); a fake says so
//! (`InMemoryStore`) and passes the same contract suite. Nothing here may know which technology it is. Adapters return
//! errors, they do not log them.

mod askers;
mod catalogue;
mod chats;
mod erasure;
mod grants;
mod installs;
mod offers;
mod pace;
mod people;
mod pushes;
mod records;
mod results;
mod store;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use model::{AckTask, DeadTask, DeliverTask, EpochMillis, Platform, Slug, StaffTask};
use serde_json::Value;
use wire::{CallFailure, HttpAnswer, HttpCall};

pub use askers::{AskedRegister, Asker, Askers};
pub use catalogue::{Catalogue, CatalogueLoader, CatalogueState, Edition, Load, PartOutcome, PublishOutcome};
pub use chats::{
    AgentChange, AgentSeen, Bind, BoundBefore, ChatChange, ChatRecord, ChatSaved, ChatTimers, Chats, Relay, SaidBefore,
    StaffView, StreamEntry, StreamHead, StreamKey, StreamPage, StreamRead,
};
pub use erasure::{Erased, Erasing, Erasure, Identity, PersonFound};
pub use grants::{Grant, Grants, StoredGrant};
pub use installs::{Consent, ConsentEnd, Installs};
pub use offers::{HandOut, HandOuts, HandedOut, Offer, Offers};
pub use pace::{Paces, Pass, Standing};
pub use people::{ChatOutline, Line, Outline, People};
pub use pushes::{PushClaim, PushFailing, PushLease, PushNext, PushQueue, PushState, PushStates};
pub use records::{Record, RecordChange, RecordKey, Records};
pub use results::{ListedResult, ResultChange, ResultList, ResultPage, ResultPlace, ResultTask, Results, StoredResult};
pub use store::{
    AcceptOutcome, Acceptance, AckExpectation, AckOutcome, AckStore, AckWrite, ConversationStory, DeliveryStore, DirectoryStore,
    EventStore, Guard, GuardRefusal, InboundStore, InstallationStore, LaneSelector, LaneStore, LaneTimes, NewDelivery,
    NotedReceipt, OnceKey, Opened, OutboundStore, OwedReceipt, PartNotes, ReceiptOutcome, Saved, StatusStore, Store, StoryStore,
    ThreadNote, ThreadStore, Transition, WorkItem,
};

/// Why a backing service did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// It cannot be reached or refuses for now: the caller may try again. The text names the service and its error
    /// code, never data.
    #[error("{0}")]
    Unavailable(String),
    /// Too many others write to the same place at the same time.
    #[error("too many concurrent changes")]
    Busy,
    /// It is longer than can be stored. Trying again does not help.
    #[error("too large to be stored: more than {limit} bytes")]
    TooLarge {
        /// The most that can be stored, in bytes.
        limit: usize,
    },
    /// What it holds cannot be read.
    #[error("stored {what} cannot be read: {why}")]
    Corrupt {
        /// Which kind of thing.
        what: &'static str,
        /// Why, without its content.
        why: String,
    },
}

/// The time. Injected, so that deadlines can be tested.
pub trait Clock: Send + Sync {
    /// The current instant.
    fn now(&self) -> EpochMillis;
}

/// Lets time pass. Injected, so that no test waits.
#[async_trait]
pub trait Sleeper: Send + Sync {
    /// Returns after this time.
    async fn sleep(&self, time: Duration);
}

/// Randomness. Injected, so that tests can repeat themselves.
pub trait Dice: Send + Sync {
    /// Sixteen random bits, for jitter.
    fn roll(&self) -> u16;

    /// Thirty-two random lower-case hex digits, for names and salts.
    fn token(&self) -> String;
}

/// The queues.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends tasks to the deliver queue, and those of a [`LaneKind::Chat`](model::LaneKind::Chat) to the queue of chats, each
    /// after its delay (at most 900 s, longer ones are cut). One call per queue for up to ten tasks.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] if at least one was not taken.
    async fn deliver(&self, tasks: &[(DeliverTask, Duration)]) -> Result<(), PortError>;

    /// Sends the timer of an attempt, to arrive after `delay` (at most 900 s, longer ones are cut).
    ///
    /// # Errors
    /// [`PortError::Unavailable`] if it was not taken.
    async fn ack_check(&self, task: &AckTask, delay: Duration) -> Result<(), PortError>;

    /// Says on the queue of chats what another platform's staff did.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] if it was not taken.
    async fn staff(&self, task: &StaffTask) -> Result<(), PortError>;

    /// Sends an entry to the dead-letter queue.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] if it was not taken.
    async fn dead(&self, task: &DeadTask) -> Result<(), PortError>;
}

/// Calls to platforms.
#[async_trait]
pub trait Sender: Send + Sync {
    /// Makes the call once.
    ///
    /// # Errors
    /// [`CallFailure`] when there is no answer to read.
    async fn send(&self, call: HttpCall) -> Result<HttpAnswer, CallFailure>;
}

/// The secrets of accounts.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// All secrets of one platform's accounts in this deployment, by routing key. What a value holds is the platform
    /// crate's business.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn load(&self, platform: Platform) -> Result<BTreeMap<Slug, Value>, PortError>;
}
