//! Why a call is not served, and how its page is told (section 7.3).

use app::AppError;
use http::header::{ALLOW, CACHE_CONTROL, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use platform_roxchat::BadSession;
use ports::PortError;
use serde::Serialize;
use serde_json::json;
use wire::Reply;

/// What was wrong: with the call, or with us. Codes alone are told, and nothing that somebody sent.
#[derive(Debug)]
pub enum Problem {
    /// No such account.
    UnknownAccount,
    /// No such visitor, chat or command.
    NotFound(&'static str),
    /// Nobody is signed in.
    SignedOut,
    /// No token, or one that opens nothing.
    TokenInvalid,
    /// The token was good.
    TokenExpired,
    /// Not from the page.
    OriginMismatch,
    /// It is another page's.
    NotYours,
    /// Not JSON by its type.
    ContentType,
    /// Not JSON.
    NotJson,
    /// JSON of another shape.
    BadShape,
    /// Too long, or too many.
    TooLarge,
    /// Too often.
    TooMany,
    /// Understood, and not possible now.
    Conflict(&'static str),
    /// A method that the route does not serve: those that it does.
    Method(&'static str),
    /// The cause goes to the log.
    Ours(AppError),
}

impl Problem {
    /// The answer: `{"error":{"code"}}`.
    #[must_use]
    pub fn to_reply(&self) -> Reply {
        match self {
            Self::UnknownAccount => told(StatusCode::NOT_FOUND, "unknown_account"),
            Self::NotFound(code) => told(StatusCode::NOT_FOUND, code),
            Self::SignedOut => told(StatusCode::UNAUTHORIZED, "signed_out"),
            Self::TokenInvalid => told(StatusCode::UNAUTHORIZED, "token_invalid"),
            Self::TokenExpired => told(StatusCode::UNAUTHORIZED, "token_expired"),
            Self::OriginMismatch => told(StatusCode::FORBIDDEN, "origin_mismatch"),
            Self::NotYours => told(StatusCode::FORBIDDEN, "not_your_command"),
            Self::ContentType => told(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type"),
            Self::NotJson => told(StatusCode::BAD_REQUEST, "not_json"),
            Self::BadShape => told(StatusCode::BAD_REQUEST, "bad_shape"),
            Self::TooLarge => told(StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::TooMany => {
                told(StatusCode::TOO_MANY_REQUESTS, "too_many").with_header(RETRY_AFTER, HeaderValue::from_static("2"))
            }
            Self::Conflict(code) => told(StatusCode::CONFLICT, code),
            Self::Method(allowed) => {
                let reply = told(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
                reply.with_header(ALLOW, HeaderValue::from_static(allowed))
            }
            Self::Ours(error) => render(error, ""),
        }
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

impl From<BadSession> for Problem {
    fn from(bad: BadSession) -> Self {
        match bad {
            BadSession::Expired => Self::TokenExpired,
            BadSession::Invalid => Self::TokenInvalid,
        }
    }
}

/// What a handler returns: what is ours to know goes on to the log.
pub(crate) fn answered(result: Result<Reply, Problem>) -> Result<Reply, AppError> {
    match result {
        Ok(reply) => Ok(reply),
        Err(Problem::Ours(error)) => Err(error),
        Err(problem) => Ok(problem.to_reply()),
    }
}

/// An answer to a page. No cache may keep it, and no browser take it for anything but JSON.
pub(crate) fn answer(status: StatusCode, body: &impl Serialize) -> Reply {
    let reply = Reply::json(status, body).with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply.with_header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
}

fn told(status: StatusCode, code: &str) -> Reply {
    answer(status, &json!({"error": {"code": code}}))
}

/// What a page is told when a request did not happen because of us: to come again.
#[must_use]
pub fn render(error: &AppError, _request_id: &str) -> Reply {
    match error {
        AppError::Unauthenticated(_) => Problem::TokenInvalid.to_reply(),
        AppError::UnknownAccount(_) => Problem::UnknownAccount.to_reply(),
        AppError::TooLarge { .. } => Problem::TooLarge.to_reply(),
        AppError::Unavailable(_) => {
            let reply = told(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
            reply.with_header(RETRY_AFTER, HeaderValue::from_static("1"))
        }
        AppError::Internal(_) => told(StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}
