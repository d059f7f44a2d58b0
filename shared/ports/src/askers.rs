//! Which gateways have asked for a register, and what they were told of it last (FrontStage contract, 3.1 and section 12).
//!
//! A connector copies what is configured for it, and is told by itself when that changes, but only what it has asked for.
//! What was told last stands here as a fingerprint, so a telling that is lost is found by comparing.

use async_trait::async_trait;
use model::AccountId;

use crate::{PortError, Saved};

/// A gateway that has asked for registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// Which.
    pub gateway: AccountId,
    /// Counts the changes; 0 if nothing is kept of it yet.
    pub rev: u64,
    /// What it has asked for, the last question at the end.
    pub asked: Vec<AskedRegister>,
}

/// A register that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedRegister {
    /// The question, in the words of the gateway's platform.
    pub question: String,
    /// Fingerprint of what was told last; `None` where that is not known for certain.
    pub told: Option<String>,
}

/// Who has asked.
#[async_trait]
pub trait Askers: Send + Sync {
    /// What a gateway has asked for; `None` if nothing.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn asker(&self, gateway: &AccountId) -> Result<Option<Asker>, PortError>;

    /// Every gateway that has asked for something, by its id.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn askers(&self) -> Result<Vec<Asker>, PortError>;

    /// Stores what a gateway has asked for, if it is still at the `rev` that was read; `rev` counts up.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn keep_asker(&self, asker: &Asker) -> Result<Saved, PortError>;
}
