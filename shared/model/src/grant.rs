//! What a platform granted us for an account: its tokens, which somebody renews and all use.

use crate::EpochMillis;

/// What is known of a grant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// The tokens, sealed; `None` if nothing usable is held.
    pub sealed: Option<String>,
    /// From when on the access token is not used any more; `None` if it does not expire or there is none. Of a refused
    /// grant: from when on it may be tried again without a new authorisation; `None` if it may not.
    pub expires_at: Option<EpochMillis>,
    /// Why somebody has to authorise us again, a short text without a secret; `None` as long as nobody has to.
    pub refused: Option<String>,
}

/// A grant as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGrant {
    /// What is known.
    pub grant: Grant,
    /// Counts its changes, from 1; a change names the value it read. 0 while nothing but the right to renew it is known.
    pub rev: u64,
    /// Until when somebody renews it; in the past if nobody does.
    pub renewed_until: EpochMillis,
}
