//! Why a call is not served, and how iAdvize is told (section 3.3).

use app::AppError;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use platform_iadvize::products::InvalidParameter;
use ports::PortError;
use serde::Serialize;
use serde_json::json;
use wire::Reply;

/// What was wrong: with the call, or with us. Texts repeat nothing that somebody sent.
#[derive(Debug)]
pub enum Problem {
    /// No signature or token, or one that does not fit: the same for every reason.
    Unauthorized,
    /// From an address that is not on the site's list.
    Forbidden,
    /// A parameter or member is missing or wrong: what, and which.
    Invalid(String, &'static str),
    /// The site, or what the path names, is not there.
    NotFound(&'static str),
    /// It is somebody else's.
    Conflict(&'static str),
    /// It is understood and cannot be done: what it names is not there.
    Unprocessable(&'static str, &'static str),
    /// A method that the route does not serve: those that it does.
    Method(&'static str),
    /// A body of another kind than JSON.
    MediaType,
    /// Longer than this many bytes.
    TooLarge(usize),
    /// The cause goes to the log.
    Ours(AppError),
}

impl Problem {
    /// A parameter or member is missing or wrong. `what` says how, without its value.
    pub fn invalid(field: &'static str, what: impl Into<String>) -> Self {
        Self::Invalid(what.into(), field)
    }

    /// The answer: `{"error":{"code","message","field"?}}`.
    #[must_use]
    pub fn to_reply(&self) -> Reply {
        match self {
            Self::Unauthorized => told(StatusCode::UNAUTHORIZED, "unauthorized", "not signed by iAdvize", None),
            Self::Forbidden => told(StatusCode::FORBIDDEN, "forbidden", "not from here", None),
            Self::Invalid(what, field) => told(StatusCode::BAD_REQUEST, "invalid_parameter", what, Some(field)),
            Self::NotFound(what) => told(StatusCode::NOT_FOUND, "not_found", what, None),
            Self::Conflict(what) => told(StatusCode::CONFLICT, "conflict", what, None),
            Self::Unprocessable(what, field) => told(StatusCode::UNPROCESSABLE_ENTITY, "invalid_parameter", what, Some(field)),
            Self::Method(allowed) => {
                let reply = told(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "not with this method", None);
                reply.with_header(ALLOW, HeaderValue::from_static(allowed))
            }
            Self::MediaType => told(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "the body is not JSON", None),
            Self::TooLarge(limit) => {
                told(StatusCode::PAYLOAD_TOO_LARGE, "too_large", &format!("the body exceeds {limit} bytes"), None)
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

impl From<InvalidParameter> for Problem {
    fn from(InvalidParameter { field, what }: InvalidParameter) -> Self {
        Self::invalid(field, what)
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

/// An answer as iAdvize wants it. Nothing of it may be kept by caches: it is for one agent, or about one visitor.
pub(crate) fn answer(status: StatusCode, body: &impl Serialize) -> Reply {
    let reply = Reply::json(status, body);
    let reply = reply.with_header(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    reply.with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

fn told(status: StatusCode, code: &str, message: &str, field: Option<&str>) -> Reply {
    let mut error = json!({"code": code, "message": message});
    if let Some(field) = field {
        error["field"] = field.into();
    }
    answer(status, &json!({ "error": error }))
}

/// What iAdvize is told when a request did not happen because of us: nothing of why.
#[must_use]
pub fn render(error: &AppError, _request_id: &str) -> Reply {
    match error {
        AppError::Unauthenticated(_) => Problem::Unauthorized.to_reply(),
        AppError::UnknownAccount(_) => Problem::NotFound("there is no such site").to_reply(),
        AppError::TooLarge { limit } => Problem::TooLarge(*limit).to_reply(),
        AppError::Unavailable(_) => told(StatusCode::BAD_GATEWAY, "unavailable", "please try again", None),
        AppError::Internal(_) => told(StatusCode::INTERNAL_SERVER_ERROR, "internal", "please try again", None),
    }
}
