//! What comes in and what goes back.

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;

/// A request as the platform's sender wrote it: path and query undecoded, body bytes after the gateway's base64 was
/// undone. Nothing in it is trusted yet.
#[derive(Clone)]
pub struct RawRequest {
    /// HTTP method.
    pub method: Method,
    /// Path, undecoded, from the first `/`.
    pub path: String,
    /// Query without `?`, undecoded; empty when there is none.
    pub query: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// The gateway's id of the request: what a caller quotes in a complaint.
    pub request_id: String,
    /// The address of whoever connected to the gateway, in the gateway's own words.
    pub source_ip: Option<String>,
}

impl RawRequest {
    /// The value of a header, if it is there once and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?;
        if values.next().is_some() {
            return None;
        }
        first.to_str().ok()
    }

    /// Whether the caller takes gzip: it is among the encodings, and not with a weight of nothing.
    #[must_use]
    pub fn takes_gzip(&self) -> bool {
        self.header(ACCEPT_ENCODING.as_str()).unwrap_or_default().split(',').any(|entry| {
            let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
            let weight = parameters.trim().strip_prefix("q=");
            name.trim().eq_ignore_ascii_case("gzip")
                && weight.is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0))
        })
    }

    /// The path's segments between the slashes, undecoded; doubled slashes make no segment.
    #[must_use]
    pub fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|segment| !segment.is_empty()).collect()
    }
}

impl std::fmt::Debug for RawRequest {
    /// Neither path, query, headers nor body: each can hold a secret or a personal datum.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawRequest").field("method", &self.method).field("body_len", &self.body.len()).finish_non_exhaustive()
    }
}

/// Something whose sender has been proven. Only a platform's `verify` makes one, and only one of these can be parsed.
#[derive(Debug, Clone)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// States that the sender of `inner` has been proven. To be called at the end of a `verify` function, nowhere else.
    pub const fn vouch(inner: T) -> Self {
        Self(inner)
    }

    /// What was verified.
    pub const fn get(&self) -> &T {
        &self.0
    }
}

/// What the caller gets.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, possibly empty.
    pub body: Bytes,
}

impl Reply {
    /// A reply without a body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A JSON reply. `body` is one of our own types, for which serialisation cannot fail; should it, the reply is 500.
    #[must_use]
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => {
                let mut reply = Self { status, headers: HeaderMap::new(), body: bytes.into() };
                reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                reply
            }
            Err(_) => Self::empty(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// The same reply with one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}
