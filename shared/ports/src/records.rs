//! Small records that belong to no conversation: tokens, sessions of screens, what somebody has filled in so far.
//!
//! What a record says is its platform's business and opaque here. Every change names the `rev` it has seen, so whoever uses a
//! token up, or saves over somebody else's step, is told.

use async_trait::async_trait;
use model::{AccountId, EpochMillis};

use crate::{PortError, Saved};

/// Which record. Records of one account and group stand together and can be listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordKey {
    /// Whose.
    pub account: AccountId,
    /// What it belongs to: a person, or itself. Stored in the key, so never a secret and no personal datum: a hash of it.
    pub group: String,
    /// What it is, in the platform's words.
    pub kind: &'static str,
    /// Which of its kind within the group.
    pub id: String,
}

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Counts the changes, from 1.
    pub rev: u64,
    /// What it says. May hold personal data, so it is not for logs.
    pub body: String,
    /// From when on it is as if it were not there; the table removes it later. `None` is never. The reader compares.
    pub ends_at: Option<EpochMillis>,
}

/// A change of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordChange {
    /// Of which.
    pub key: RecordKey,
    /// The `rev` that was read, 0 where there was none.
    pub rev: u64,
    /// What it says from now on.
    pub body: String,
    /// From when on it is as if it were not there.
    pub ends_at: Option<EpochMillis>,
}

/// Records by their keys.
#[async_trait]
pub trait Records: Send + Sync {
    /// A record, whether its end has passed or not; `None` if there is none.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn record(&self, key: &RecordKey) -> Result<Option<Record>, PortError>;

    /// All records of a kind in a group, by their ids.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn records(&self, account: &AccountId, group: &str, kind: &'static str) -> Result<Vec<(String, Record)>, PortError>;

    /// Makes all changes, up to a hundred, or none: each if its record is still at the `rev` that was read. `rev` counts up.
    ///
    /// # Errors
    /// [`PortError`] when they are not known to be stored.
    async fn keep_records(&self, changes: &[RecordChange]) -> Result<Saved, PortError>;
}
