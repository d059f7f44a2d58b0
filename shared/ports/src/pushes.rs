//! Streams that are pushed to their gateway's connector instead of being fetched (FrontStage contract, 10.3).
//!
//! How far a stream is pushed stands with its last number. Whoever reserves numbers for something that is to be pushed makes
//! the stream due in the same write ([`crate::Chats::reserve_pushed`]), and it stays so until somebody has seen that there is
//! nothing left: a lost task is found again.

use std::time::Duration;

use async_trait::async_trait;
use model::{AccountId, EpochMillis, PushTask};

use crate::{PortError, Saved};

/// How far a stream is pushed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PushState {
    /// The last number that needs no push any more; 0 if none was pushed yet.
    pub cursor: u64,
    /// Since when, and how often, it has not been possible; `None` if the last push arrived.
    pub failing: Option<PushFailing>,
    /// The address that is pushed no longer: its stream waits to be fetched. `None` as long as it is pushed.
    pub given_up: Option<String>,
}

/// Pushes that do not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushFailing {
    /// When the first of them was made.
    pub since: EpochMillis,
    /// How many there were.
    pub count: u32,
}

/// A right to push a stream that only one has at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushLease {
    /// Who has it: a name that nobody else has.
    pub holder: String,
    /// When it ends by itself.
    pub until: EpochMillis,
    /// When the stream is due if its holder is never heard of again.
    pub due_at: EpochMillis,
}

/// A stream as the holder of a lease finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushClaim {
    /// How far it is pushed.
    pub state: PushState,
    /// The last number that was reserved.
    pub last: u64,
    /// When that was.
    pub reserved_at: EpochMillis,
}

/// What the holder of a lease does after a change of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushNext {
    /// Goes on.
    Hold,
    /// Leaves. Nobody pushes before `until`, and if nobody does then, the stream is due at `due_at`.
    Rest {
        /// From when on there may be another lease.
        until: EpochMillis,
        /// When it is due.
        due_at: EpochMillis,
    },
    /// Leaves, as there is nothing to push: the stream is due no more. With a number, only if it is still the last one that
    /// was reserved.
    Done {
        /// The last number as it was seen; `None` for any.
        last: Option<u64>,
    },
}

/// How far streams of gateways are pushed.
#[async_trait]
pub trait PushStates: Send + Sync {
    /// Takes the lease of a gateway's stream, or takes it anew for its holder. `None` if somebody else has it, if it rests,
    /// or if nothing was ever told there.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be taken.
    async fn claim(&self, gateway: &AccountId, lease: &PushLease, now: EpochMillis) -> Result<Option<PushClaim>, PortError>;

    /// Stores how far it is pushed, as the holder of a lease. [`Saved::Conflict`] if somebody else has it by now, or if the
    /// number of [`PushNext::Done`] is no longer the last one.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn keep(&self, gateway: &AccountId, holder: &str, state: &PushState, next: PushNext) -> Result<Saved, PortError>;

    /// Gateways whose stream is due at `now` or before, and since when, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn pushes_due(&self, now: EpochMillis, limit: usize) -> Result<Vec<(AccountId, EpochMillis)>, PortError>;

    /// Moves the due time of a gateway's stream, if it is still `from`.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be moved.
    async fn postpone_push(&self, gateway: &AccountId, from: EpochMillis, to: EpochMillis) -> Result<Saved, PortError>;
}

/// The queue of what is to be pushed, and of what was heard in answers to pushes.
#[async_trait]
pub trait PushQueue: Send + Sync {
    /// Sends a task, to arrive after `delay` (at most 900 s, longer ones are cut).
    ///
    /// # Errors
    /// [`PortError::Unavailable`] if it was not taken.
    async fn send(&self, task: &PushTask, delay: Duration) -> Result<(), PortError>;
}
