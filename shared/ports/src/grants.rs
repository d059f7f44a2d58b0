//! What a platform granted us for an account: its tokens, which somebody renews and all use.
//!
//! A grant is sealed by the platform's crate: who stores it can read neither the token nor whose it is.

use async_trait::async_trait;
use model::EpochMillis;

use crate::{PortError, Saved};

/// What is known of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The tokens, sealed; `None` if nothing usable is held.
    pub sealed: Option<String>,
    /// From when on the access token is not used any more; `None` if it does not expire or there is none.
    pub expires_at: Option<EpochMillis>,
    /// Why somebody has to authorise us again, a short text without a secret; `None` as long as nobody has to.
    pub refused: Option<String>,
}

/// A grant as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGrant {
    /// What is known.
    pub grant: Grant,
    /// Counts its changes, from 1; a change names the value it read.
    pub rev: u64,
    /// Until when somebody renews it; in the past if nobody does.
    pub renewed_until: EpochMillis,
}

/// Grants by name. A name is made by the platform's crate, at most 200 printable ASCII characters.
#[async_trait]
pub trait Grants: Send + Sync {
    /// The grant of this name; `None` if there never was one.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn grant(&self, name: &str) -> Result<Option<StoredGrant>, PortError>;

    /// Takes the right to renew a grant until `until`, for whoever saw it at `rev` (0 if it was not there).
    /// [`Saved::Conflict`] if it has changed since, or if somebody else has the right at `now`. Does not change `rev`.
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
