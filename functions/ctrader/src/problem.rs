//! Why a screen's call is not served, and how its script is told.

use std::collections::BTreeMap;

use app::AppError;
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use platform_ctrader::Broken;
use ports::PortError;
use serde::Serialize;
use wire::Reply;

/// The code in an error's body: what a screen's script chooses its words by (section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Something of the request is missing or wrong; nothing has changed.
    Invalid,
    /// There is no such thing, or not for this brand or person.
    NotFound,
    /// No session, or it is over: the screen has to be opened anew from the app.
    SessionExpired,
    /// It has changed meanwhile: read it again.
    Conflict,
    /// Nobody is there to answer a chat.
    NobodyThere,
    /// More than may be sent at once.
    TooLarge,
    /// Too often; `Retry-After` says when to come again.
    TooMany,
    /// Another method.
    MethodNotAllowed,
    /// The screen was opened without a token.
    TokenMissing,
    /// The token cannot be one.
    TokenMalformed,
    /// The token is there more than once.
    TokenDuplicate,
    /// The token is unknown, used or over.
    TokenInvalid,
    /// cTrader takes no more calls for a moment.
    IdentityBusy,
    /// cTrader does not tell us who it is.
    IdentityUnavailable,
    /// cTrader took too long.
    IdentityTimeout,
    /// We cannot, for a moment.
    Unavailable,
    /// Our mistake.
    Internal,
}

impl Code {
    /// The word in the body.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::SessionExpired => "session_expired",
            Self::Conflict => "conflict",
            Self::NobodyThere => "nobody_there",
            Self::TooLarge => "too_large",
            Self::TooMany => "too_many",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TokenMissing => "token_missing",
            Self::TokenMalformed => "token_malformed",
            Self::TokenDuplicate => "token_duplicate",
            Self::TokenInvalid => "token_invalid",
            Self::IdentityBusy => "identity_busy",
            Self::IdentityUnavailable => "identity_unavailable",
            Self::IdentityTimeout => "identity_timeout",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// Its status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Invalid | Self::TokenMissing | Self::TokenMalformed | Self::TokenDuplicate => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::SessionExpired | Self::TokenInvalid => StatusCode::UNAUTHORIZED,
            Self::Conflict | Self::NobodyThere => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::IdentityUnavailable => StatusCode::BAD_GATEWAY,
            Self::IdentityTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::IdentityBusy | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// What was wrong: with the call, or with us.
#[derive(Debug)]
pub enum Problem {
    /// The script is told what. The second is the member or parameter it is about, never its value.
    Refused(Code, Option<String>),
    /// What was filled in breaks the rules of these fields (`invalid`).
    Fields(BTreeMap<String, Broken>),
    /// The cause goes to the log.
    Ours(AppError),
}

impl Problem {
    /// A refusal that is about nothing in particular.
    #[must_use]
    pub const fn refused(code: Code) -> Self {
        Self::Refused(code, None)
    }

    /// A member or parameter is wrong. `what` names it and what is wrong with it, without its value.
    pub fn invalid(what: impl Into<String>) -> Self {
        Self::Refused(Code::Invalid, Some(what.into()))
    }

    /// There is no such thing.
    #[must_use]
    pub const fn not_found() -> Self {
        Self::refused(Code::NotFound)
    }

    /// The answer: `{"error":{"code","detail"?,"fields"?,"id"}}`. Our own faults go to the log here, once.
    #[must_use]
    pub fn to_reply(&self, request_id: &str) -> Reply {
        match self {
            Self::Refused(code, detail) => told(*code, detail.as_deref(), None, request_id),
            Self::Fields(fields) => told(Code::Invalid, None, Some(fields), request_id),
            Self::Ours(error) => {
                let source = std::error::Error::source(error).map(ToString::to_string);
                tracing::error!(source, "call of a screen failed: {error}");
                render(error, request_id)
            }
        }
    }
}

impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        Self::Ours(error.into())
    }
}

#[derive(Serialize)]
struct Told<'a> {
    error: Error<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<&'a BTreeMap<String, Broken>>,
    id: &'a str,
}

fn told(code: Code, detail: Option<&str>, fields: Option<&BTreeMap<String, Broken>>, request_id: &str) -> Reply {
    let error = Error { code: code.as_str(), detail, fields, id: request_id };
    let reply = Reply::json(code.status(), &Told { error });
    let reply = reply.with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match code {
        Code::IdentityBusy | Code::Unavailable | Code::TooMany => reply.with_header(RETRY_AFTER, HeaderValue::from_static("5")),
        _ => reply,
    }
}

/// What a screen's script is told when a request did not happen because of us.
#[must_use]
pub fn render(error: &AppError, request_id: &str) -> Reply {
    let code = match error {
        AppError::Unauthenticated(_) => Code::SessionExpired,
        AppError::UnknownAccount(_) => Code::NotFound,
        AppError::TooLarge { .. } => Code::TooLarge,
        AppError::Unavailable(_) => Code::Unavailable,
        AppError::Internal(_) => Code::Internal,
    };
    told(code, None, None, request_id)
}
