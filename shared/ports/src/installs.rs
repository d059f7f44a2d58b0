//! How accounts are connected to a platform by the people of the business: consents under way, and what was made of them.

use async_trait::async_trait;
use model::{AccountId, EpochMillis, EventKey, Installed, RemoteStatus};

use crate::{DirectoryStore, PortError, Saved};

/// A consent that somebody was sent away to give.
#[derive(Clone, PartialEq, Eq)]
pub struct Consent {
    /// The business it is for, as the platform names it.
    pub business: String,
    /// What proves to the platform that who asks for the tokens is who asked for the consent.
    pub verifier: String,
    /// Hash of what the browser was given.
    pub browser: String,
    /// From when on it is over.
    pub valid_until: EpochMillis,
}

impl std::fmt::Debug for Consent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consent")
            .field("business", &self.business)
            .field("valid_until", &self.valid_until)
            .finish_non_exhaustive()
    }
}

/// What a consent was when somebody came back with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsentEnd {
    /// It was under way, and is not any more: it counts once.
    Taken(Consent),
    /// There is none: it was never begun, or has been used.
    Unknown,
    /// It is too old.
    Expired,
    /// Another browser was sent away with it. It is still under way.
    OtherBrowser,
}

/// Consents and installations, and whether an event has been dealt with.
#[async_trait]
pub trait Installs: DirectoryStore {
    /// Stores a consent under a name that nobody can guess.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn begin_consent(&self, app: &AccountId, name: &str, consent: &Consent) -> Result<(), PortError>;

    /// Takes a consent, if it is still under way for this browser. Of several calls at most one is told
    /// [`ConsentEnd::Taken`].
    ///
    /// # Errors
    /// [`PortError`] when it is not known whether it was taken.
    async fn end_consent(&self, app: &AccountId, name: &str, browser: &str, now: EpochMillis) -> Result<ConsentEnd, PortError>;

    /// Replaces what is installed for a configured account, if it still is `from`.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn replace_installed(
        &self,
        account: &AccountId,
        from: Option<&Installed>,
        to: Option<&Installed>,
    ) -> Result<Saved, PortError>;

    /// Makes an installation known: its status is what has been heard of it, else `status`, and does not expire any more.
    /// Returns it.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn adopt_installation(
        &self,
        account: &AccountId,
        id: &str,
        status: RemoteStatus,
        now: EpochMillis,
    ) -> Result<RemoteStatus, PortError>;

    /// The status of an installation, also one that is only parked, unless it has expired.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn installation(&self, account: &AccountId, id: &str, now: EpochMillis) -> Result<Option<RemoteStatus>, PortError>;

    /// Whether [`Self::note_happened`] was said of this.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn has_happened(&self, account: &AccountId, name: &EventKey, now: EpochMillis) -> Result<bool, PortError>;

    /// Remembers that something has been dealt with, until the given instant.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn note_happened(&self, account: &AccountId, name: &EventKey, until: EpochMillis) -> Result<(), PortError>;
}
