//! A signed call of an AWS service that speaks JSON, without that service's SDK client.
//!
//! An SDK client is a third of a megabyte of every function that links it, and a quarter of a function's start when it
//! is made and used for the first time. A service of which one operation is called once in four minutes is not worth
//! that; what is called per message goes through the SDK.

use std::time::Duration;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use serde::Deserialize;

use crate::http::PinnedClient;
use crate::{ATTEMPT_TIMEOUT, ATTEMPTS, OPERATION_TIMEOUT};

/// Pause before the second attempt; doubled before the third.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest answer that is read: ten parameters of 8 KB each with room to spare.
const LONGEST_ANSWER: usize = 1 << 20;

/// Why a call failed: the service's word for it, or which part of the way failed. Never its data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}")]
pub struct CallError {
    /// E.g. `AccessDeniedException`, `timeout`.
    pub code: String,
    is_transient: bool,
}

impl CallError {
    fn transient(code: &str) -> Self {
        Self { code: code.to_owned(), is_transient: true }
    }

    fn lasting(code: &str) -> Self {
        Self { code: code.to_owned(), is_transient: false }
    }
}

/// Who calls, and where the services are.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) client: PinnedClient,
    pub(crate) identity: Identity,
    pub(crate) region: String,
    pub(crate) endpoint: Option<String>,
    /// Signatures carry the time.
    pub(crate) time: SharedTimeSource,
}

impl Caller {
    /// The root of a service's endpoint in the region (AWS General Reference, "Regional endpoints").
    pub(crate) fn root(&self, service: &str) -> String {
        match &self.endpoint {
            Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
            None => {
                let suffix = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
                format!("https://{service}.{}.{suffix}/", self.region)
            }
        }
    }

    /// Asks for the endpoint's root, which every service answers to anybody, so that the next call finds a connection.
    pub(crate) async fn open(&self, service: &str) {
        let Ok(request) = Request::get(self.root(service)).body(SdkBody::empty()) else { return };
        let asked = async { self.client.send(request).await.ok()?.into_body().collect().await.ok() };
        // Whatever went wrong, the call that comes will meet it too and say so.
        let _opened = tokio::time::timeout(ATTEMPT_TIMEOUT, asked).await;
    }

    /// Calls an operation, again if that may help; all attempts together have the time of an SDK client's call.
    pub(crate) async fn call(&self, service: &str, target: &str, body: &[u8]) -> Result<Bytes, CallError> {
        let called = tokio::time::timeout(OPERATION_TIMEOUT, self.attempts(service, target, body)).await;
        called.unwrap_or_else(|_| Err(CallError::transient("timeout")))
    }

    async fn attempts(&self, service: &str, target: &str, body: &[u8]) -> Result<Bytes, CallError> {
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            let called = tokio::time::timeout(ATTEMPT_TIMEOUT, self.attempt(service, target, body)).await;
            match called.unwrap_or_else(|_| Err(CallError::transient("timeout"))) {
                Err(error) if error.is_transient && attempt < ATTEMPTS => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    attempt += 1;
                }
                finished => return finished,
            }
        }
    }

    async fn attempt(&self, service: &str, target: &str, body: &[u8]) -> Result<Bytes, CallError> {
        let request = self.signed(service, target, body).ok_or_else(|| CallError::lasting("request not made"))?;
        let answer = self.client.send(request).await.map_err(|_| CallError::transient("no connection"))?;
        read(answer).await
    }

    fn signed(&self, service: &str, target: &str, body: &[u8]) -> Option<Request<SdkBody>> {
        let url = self.root(service);
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        let params = SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name(service)
            .time(self.time.now())
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let signable = SignableRequest::new("POST", &url, headers.into_iter(), SignableBody::Bytes(body)).ok()?;
        let (instructions, _) = sign(signable, &params).ok()?.into_parts();
        let mut request = Request::post(&url)
            .header(CONTENT_TYPE, headers[0].1)
            .header("x-amz-target", target)
            .body(SdkBody::from(body))
            .ok()?;
        instructions.apply_to_request_http1x(&mut request);
        Some(request)
    }
}

async fn read(answer: Response<hyper::body::Incoming>) -> Result<Bytes, CallError> {
    let status = answer.status();
    let body = http_body_util::Limited::new(answer.into_body(), LONGEST_ANSWER).collect().await;
    let body = body.map_err(|_| CallError::transient("unreadable answer"))?.to_bytes();
    if status.is_success() {
        return Ok(body);
    }
    let code = error_code(&body).unwrap_or_else(|| status.as_u16().to_string());
    let is_transient = status.is_server_error() || code.contains("Throttl") || code.contains("TooManyRequests");
    Err(CallError { code, is_transient })
}

/// The code in an error's body (AWS JSON 1.1 protocol, "Operation error serialization"): `__type`, which may have a
/// namespace before a `#` and an address after a `:`.
fn error_code(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(rename = "__type")]
        kind: String,
    }
    let kind = serde_json::from_slice::<Refusal>(body).ok()?.kind;
    let code = kind.rsplit('#').next()?.split(':').next()?;
    Some(code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(region: &str, endpoint: Option<&str>) -> Caller {
        Caller {
            client: PinnedClient::new(&[], Duration::from_secs(1)),
            identity: aws_credential_types::Credentials::new("AKIDEXAMPLE", "hidden", None, None, "test").into(),
            region: region.to_owned(),
            endpoint: endpoint.map(str::to_owned),
            time: SharedTimeSource::new(aws_smithy_async::time::SystemTimeSource::new()),
        }
    }

    #[test]
    fn endpoint_is_the_regions_or_the_given_one() {
        assert_eq!(caller("eu-central-1", None).root("ssm"), "https://ssm.eu-central-1.amazonaws.com/");
        assert_eq!(caller("cn-north-1", None).root("ssm"), "https://ssm.cn-north-1.amazonaws.com.cn/");
        assert_eq!(caller("eu-central-1", Some("http://127.0.0.1:4566")).root("ssm"), "http://127.0.0.1:4566/");
    }

    #[test]
    fn request_is_signed_for_service_and_region() {
        let request = caller("eu-central-1", None).signed("ssm", "AmazonSSM.GetParametersByPath", b"{}").unwrap();
        assert_eq!(request.uri(), "https://ssm.eu-central-1.amazonaws.com/");
        assert_eq!(request.headers()["x-amz-target"], "AmazonSSM.GetParametersByPath");
        let authorization = request.headers()["authorization"].to_str().unwrap();
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
        assert!(authorization.contains("/eu-central-1/ssm/aws4_request, SignedHeaders="), "{authorization}");
        assert!(authorization.contains("content-type;host;x-amz-date;x-amz-target"), "{authorization}");
    }

    #[test]
    fn error_code_is_what_stands_between_namespace_and_address() {
        for (body, code) in [
            (r#"{"__type":"AccessDeniedException","message":"hidden"}"#, Some("AccessDeniedException")),
            (r#"{"__type":"com.amazonaws.ssm#InternalServerError"}"#, Some("InternalServerError")),
            (r#"{"__type":"ThrottlingException:http://internal.amazon.com/"}"#, Some("ThrottlingException")),
            ("<html>", None),
        ] {
            assert_eq!(error_code(body.as_bytes()).as_deref(), code, "{body}");
        }
    }
}
