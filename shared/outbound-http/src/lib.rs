//! Calls to platforms over HTTPS.
//!
//! The only user of an HTTP client besides the AWS SDK. It knows which addresses may be called and how long a call may
//! take; it must not know what is called, and never repeats a call that may have arrived. To allow another kind of
//! target, extend [`TargetPolicy`] and the table in `target`.

mod resolve;
mod target;
#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use ports::Sender;
use tower_service::Service;
use wire::{CallFailure, HttpAnswer, HttpCall};

use crate::resolve::{NoAllowedAddress, Resolver};
pub use crate::target::TargetPolicy;

/// What a call may take before anything is sent, and what of its answer is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the look-up of the name to the end of the TLS handshake. Until then nothing was sent, so that giving up is
    /// certain to have no effect.
    pub connect: Duration,
    /// The longest answer that is read, in bytes.
    pub answer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(2), answer: 1_000_000 }
    }
}

/// Shorter than what common servers keep an idle connection for (5 s is the shortest common default), so that we are
/// the ones who close it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

type BoxError = Box<dyn StdError + Send + Sync>;

/// [`Sender`] over HTTP/1.1 with TLS. Clones share their connections.
#[derive(Clone)]
pub struct HttpSender {
    policy: TargetPolicy,
    longest_answer: usize,
    client: Client<TimedConnector, Full<Bytes>>,
}

impl fmt::Debug for HttpSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSender").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl HttpSender {
    /// A sender without connections yet. To be called within a runtime.
    #[must_use]
    pub fn new(policy: TargetPolicy) -> Self {
        Self::within(policy, Limits::default())
    }

    /// The same with other limits.
    #[must_use]
    pub fn within(policy: TargetPolicy, limits: Limits) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver::new(policy));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        #[expect(clippy::expect_used, reason = "start-up: the provider and the protocol versions are chosen at compile time")]
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .expect("ring supports the default TLS versions");
        let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            // Repeats a request on a new connection only if not a byte of it was written to the old one.
            .retry_canceled_requests(true)
            .build(TimedConnector { connector, within: limits.connect });
        Self { policy, longest_answer: limits.answer, client }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<HttpAnswer, CallFailure> {
        // A function may have been frozen since the last call. What its peers closed meanwhile is noticed here, before
        // a request is written to a connection that is gone: yielding lets the connections read first.
        tokio::task::yield_now().await;
        let answer = self.client.request(request).await.map_err(|error| failure(&error))?;
        let (head, body) = answer.into_parts();
        let body = match Limited::new(body, self.longest_answer).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(CallFailure::AnswerTooLong),
            Err(_) => return Err(CallFailure::NoAnswer),
        };
        Ok(HttpAnswer { status: head.status, headers: head.headers, body })
    }
}

#[async_trait]
impl Sender for HttpSender {
    async fn send(&self, call: HttpCall) -> Result<HttpAnswer, CallFailure> {
        if !self.policy.allows_url(&call.url) {
            return Err(CallFailure::ForbiddenTarget);
        }
        let uri: Uri = call.url.as_str().parse().map_err(|_| CallFailure::ForbiddenTarget)?;
        let mut request = Request::new(Full::new(call.body));
        *request.method_mut() = call.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = call.headers;
        tokio::time::timeout(call.timeout, self.exchange(request)).await.unwrap_or(Err(CallFailure::NoAnswer))
    }
}

fn failure(error: &hyper_util::client::legacy::Error) -> CallFailure {
    if is_forbidden(error) {
        CallFailure::ForbiddenTarget
    } else if error.is_connect() {
        CallFailure::Unreachable
    } else {
        CallFailure::NoAnswer
    }
}

/// Whether the resolver refused, somewhere down the chain of causes.
fn is_forbidden(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<NoAllowedAddress>() {
            return true;
        }
        // An I/O error that wraps another one names as its source what is below that one.
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    false
}

/// Connects within a time, the TLS handshake included.
#[derive(Clone)]
struct TimedConnector {
    connector: HttpsConnector<HttpConnector<Resolver>>,
    within: Duration,
}

impl Service<Uri> for TimedConnector {
    type Response = <HttpsConnector<HttpConnector<Resolver>> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.connector.call(uri);
        let within = self.within;
        Box::pin(async move { tokio::time::timeout(within, connecting).await? })
    }
}
