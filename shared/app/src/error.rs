//! What can go wrong in a use case.

use model::AccountId;
use ports::PortError;

/// A use case that did not happen. The edge maps each variant to a reply; causes go to the log, never to the caller.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The sender is not who it says. Why is for the log only.
    #[error("sender not authenticated: {0}")]
    Unauthenticated(&'static str),
    /// No such account is configured.
    #[error("account {0} is not known")]
    UnknownAccount(AccountId),
    /// The request body is longer than its route accepts.
    #[error("request body exceeds {limit} bytes")]
    TooLarge {
        /// Longest body accepted, in bytes.
        limit: usize,
    },
    /// A backing service is down: the caller may try again.
    #[error("a backing service is unavailable")]
    Unavailable(#[source] PortError),
    /// A defect of ours.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

impl From<PortError> for AppError {
    fn from(error: PortError) -> Self {
        match error {
            PortError::TooLarge { limit } => Self::TooLarge { limit },
            PortError::Unavailable(_) | PortError::Busy | PortError::Corrupt { .. } => Self::Unavailable(error),
        }
    }
}
