//! Why a call of a browser is not served.

use app::AppError;
use chat::Refusal;
use platform_frontstage::{Code, WireError};
use ports::PortError;
use website::body::{BodyError, FieldError};
use website::cors::WriteRefusal;

/// What was wrong: with the call, or with us.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The browser is told what.
    Call(WireError),
    /// The cause goes to the log.
    Ours(AppError),
}

impl Problem {
    /// There is no chat of this visitor.
    pub(crate) fn unknown_chat() -> Self {
        Refusal::UnknownChat.into()
    }
}

impl From<WireError> for Problem {
    fn from(error: WireError) -> Self {
        Self::Call(error)
    }
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        Self::Ours(error)
    }
}

impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        Self::Ours(error.into())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Call(refusal.into())
    }
}

impl From<FieldError> for Problem {
    fn from(error: FieldError) -> Self {
        let message = error.to_string();
        Self::Call(WireError::on(Code::ValidationFailed, error.field, message))
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Field(error) => error.into(),
            BodyError::Malformed => Self::Call(WireError::new(Code::MalformedBody, error.to_string())),
        }
    }
}

impl From<WriteRefusal> for Problem {
    fn from(refusal: WriteRefusal) -> Self {
        Self::Call(match refusal {
            // Of the contract's codes for 403 the one that says: not from where you are.
            WriteRefusal::Origin => WireError::on(Code::PeerMismatch, "Origin", refusal.to_string()),
            WriteRefusal::ContentType => WireError::new(Code::UnsupportedMediaType, refusal.to_string()),
        })
    }
}
