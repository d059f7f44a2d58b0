//! The calls we make to platforms.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use model::EpochMillis;
use url::Url;

/// A request to a platform, complete: the sender adds nothing but the connection.
#[derive(Clone)]
pub struct HttpCall {
    /// HTTP method.
    pub method: Method,
    /// Where to. The sender refuses everything but https, unless the deployment allows loopback targets.
    pub url: Url,
    /// Headers; those with a secret value are marked sensitive.
    pub headers: HeaderMap,
    /// Body, possibly empty.
    pub body: Bytes,
    /// Bound on the whole call.
    pub timeout: Duration,
}

impl std::fmt::Debug for HttpCall {
    /// Method and host only: paths, headers and bodies can hold secrets and texts.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpCall").field("method", &self.method).field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

/// What a platform answered.
#[derive(Clone)]
pub struct HttpAnswer {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, at most 1 MB.
    pub body: Bytes,
}

impl std::fmt::Debug for HttpAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpAnswer").field("status", &self.status).field("body_len", &self.body.len()).finish_non_exhaustive()
    }
}

impl HttpAnswer {
    /// The wish of a `Retry-After` header: seconds, or an HTTP date measured from `now_seconds` (Unix time).
    #[must_use]
    pub fn retry_after(&self, now_seconds: i64) -> Option<Duration> {
        let text = self.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let at = EpochMillis::from_http_date(text)?.seconds();
        Some(Duration::from_secs(u64::try_from(at - now_seconds).unwrap_or(0)))
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallFailure {
    /// No connection: the platform cannot have seen the request.
    #[error("could not connect")]
    Unreachable,
    /// The time was over or the connection broke after something was sent: it may have taken effect.
    #[error("no answer in time")]
    NoAnswer,
    /// The target is not one we call: not https, or a private, loopback, link-local or metadata address.
    #[error("target refused")]
    ForbiddenTarget,
    /// The answer is longer than the cap.
    #[error("answer too long")]
    AnswerTooLong,
}
