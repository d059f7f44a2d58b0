//! What a platform granted us for an account: its tokens, which somebody renews and all use.
//!
//! A grant is sealed by the platform's crate: who stores it can read neither the token nor whose it is.

use async_trait::async_trait;
use model::EpochMillis;
pub use model::{Grant, StoredGrant};

use crate::{PortError, Saved};

/// Grants by name. A name is made by the platform's crate, at most 200 printable ASCII characters.
#[async_trait]
pub trait Grants: Send + Sync {
    /// The grant of this name; `None` if there never was one, nor anybody who wanted to renew it.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn grant(&self, name: &str) -> Result<Option<StoredGrant>, PortError>;

    /// Takes the right to renew a grant until `until`, for whoever saw it at `rev` (0 if it was not there).
    /// [`Saved::Conflict`] if it has changed since, or if somebody has the right at `now`; `until` itself is after the end of it.
    /// Does not change `rev`.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be taken.
    async fn begin_renewal(&self, name: &str, rev: u64, until: EpochMillis, now: EpochMillis) -> Result<Saved, PortError>;

    /// Replaces a grant that was seen at `rev` (0 if it was not there) and ends the right to renew it.
    /// [`Saved::Conflict`] if it has changed since.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn keep_grant(&self, name: &str, rev: u64, grant: &Grant) -> Result<Saved, PortError>;
}
