//! How fast a recipient's platform is called by all workers together, and when not at all.
//!
//! What is decided from what is remembered is [`model::PaceState`]; an implementation keeps that state where all workers
//! reach it and lets no two of them have the same instant.

use std::time::Duration;

use async_trait::async_trait;
use model::EpochMillis;

use crate::PortError;

/// What a call for an instant brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// One call may begin at this instant.
    At {
        /// Now or later.
        at: EpochMillis,
        /// Whoever comes later than this needs another one.
        latest: EpochMillis,
        /// What the success or failure of the call means.
        standing: Standing,
    },
    /// No call may begin now.
    Busy {
        /// When to ask again.
        until: EpochMillis,
    },
}

/// How the platform has answered lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Well: another success is no news.
    Well,
    /// It has failed or refused: a success is to be told by [`Paces::recovered`].
    Troubled,
    /// It has failed so often that this call alone tries whether it works again.
    Probe,
}

/// The paces of all accounts, by the key that their platform's crate gives them.
#[async_trait]
pub trait Paces: Send + Sync {
    /// Takes the next free instant at `now` or up to `horizon` later. All who ask for one key say the same `per_second`;
    /// where they do not, each instant keeps its distance from the one before as its own asker says. Where the pace is idle,
    /// the call may begin by `slack` later, and the next instant is later by as much.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be taken; then it may be lost.
    async fn reserve(
        &self,
        key: &str,
        per_second: u32,
        now: EpochMillis,
        horizon: Duration,
        slack: Duration,
    ) -> Result<Pass, PortError>;

    /// The platform said at `now` that it is called too often: nobody calls for a while, which is at most as long as
    /// [`model::PaceState::pause`] says.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn slow(&self, key: &str, wish: Option<Duration>, now: EpochMillis) -> Result<(), PortError>;

    /// A call failed at `now`. `Some` if nobody calls any more because of it, until then.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn failed(&self, key: &str, standing: Standing, now: EpochMillis) -> Result<Option<EpochMillis>, PortError>;

    /// A call was answered after failures or refusals: they are forgotten, and whoever waits because of failures may call.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn recovered(&self, key: &str) -> Result<(), PortError>;
}
