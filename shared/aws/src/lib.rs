//! One connection setup for every AWS client of a process.
//!
//! Credentials, HTTP client, timeouts and retries are decided here and nowhere else, so that the clients of the table,
//! the queues and the secrets share one pool of connections. This crate must not read the environment: the edge hands
//! it plain values. To add a service, ask for it: [`Connection::service`].

mod call;
mod error;
mod http;
mod service;

use std::fmt;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_types::retry::RetryConfig;
use bytes::Bytes;

pub use crate::call::CallError;
use crate::call::Caller;
pub use crate::error::error_code;
use crate::http::PinnedClient;
pub use crate::service::{Called, Service, call_token};

/// The roots that every AWS endpoint's certificate leads to (AWS documentation, "Amazon Trust Services").
///
/// Pinned because reading the system's bundle of some hundred and forty roots is more than half of a client's start-up
/// time. They expire between 2037 and 2040; a change is announced years ahead. In DER, which is what is compared with in
/// the end: decoding PEM would be a tenth of what a process does before it asks for its first event. To read one:
/// `openssl x509 -inform der -noout -text -in <file>`.
const ROOTS: [&[u8]; 5] = [
    include_bytes!("../roots/amazon-root-ca-1.der"),
    include_bytes!("../roots/amazon-root-ca-2.der"),
    include_bytes!("../roots/amazon-root-ca-3.der"),
    include_bytes!("../roots/amazon-root-ca-4.der"),
    include_bytes!("../roots/starfield-services-root-g2.der"),
];

/// An endpoint of the own region answers the handshake within milliseconds. One second is the first repetition of a
/// lost SYN packet: shorter would give up what the network is about to mend.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// One attempt. DynamoDB and SQS answer in tens of milliseconds; what takes this long is lost, and another attempt
/// reaches another host. Long enough for the largest transaction (4 MB).
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// All attempts of one call, with the pauses between them: below the 5 s after which VCS is to have an answer (vcita
/// contract, section 5, time budget).
const OPERATION_TIMEOUT: Duration = Duration::from_secs(4);

/// Attempts of one call, the first one included.
const ATTEMPTS: u32 = 3;

/// Longest pause between two attempts: the default of 20 s is longer than anybody here waits.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Pause before the second attempt on average; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(FIRST_PAUSE).with_max_backoff(LONGEST_PAUSE)
}

fn sleep() -> SharedAsyncSleep {
    SharedAsyncSleep::new(TokioSleep::new())
}

/// What a [`Connection`] is made of: what the Lambda service puts into the environment of a function.
#[derive(Clone)]
pub struct ConnectionSettings {
    /// Region of all services, e.g. `eu-central-1`.
    pub region: String,
    /// Another endpoint for all services, e.g. an emulator's.
    pub endpoint: Option<String>,
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
    /// Session token of temporary credentials.
    pub session_token: Option<String>,
}

impl fmt::Debug for ConnectionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionSettings")
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// The setup that all AWS clients of a process share. Built once; clones share everything.
#[derive(Clone)]
pub struct Connection {
    caller: Caller,
    credentials: SharedCredentialsProvider,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("region", &self.caller.region).finish_non_exhaustive()
    }
}

impl Connection {
    /// Sets everything up; connects nothing yet.
    ///
    /// The credentials are taken as they are: those of a function do not change as long as its sandbox lives, so there
    /// is no provider chain to ask.
    #[must_use]
    pub fn new(settings: ConnectionSettings) -> Self {
        let credentials = Credentials::new(settings.access_key, settings.secret_key, settings.session_token, None, "environment");
        let caller = Caller {
            client: PinnedClient::new(&ROOTS, CONNECT_TIMEOUT),
            identity: credentials.clone().into(),
            region: settings.region,
            endpoint: settings.endpoint,
            time: SharedTimeSource::new(SystemTimeSource::new()),
        };
        Self { caller, credentials: SharedCredentialsProvider::new(credentials) }
    }

    /// The service whose endpoint and signatures have this name, e.g. `dynamodb`.
    #[must_use]
    pub fn service(&self, name: &'static str) -> Service {
        Service::new(&self.caller, self.credentials.clone(), name)
    }

    /// Opens a connection to a service and leaves it in the pool. Nothing is asked of the service but whether it is there.
    pub async fn open(&self, service: &str) {
        self.caller.open(service).await;
    }

    /// Calls one operation of a service that speaks AWS JSON 1.1, for services that are not worth an SDK client.
    /// `target` is the value of `X-Amz-Target`, e.g. `AmazonSSM.GetParametersByPath`; `body` and the answer are JSON.
    ///
    /// # Errors
    /// [`CallError`] when the service refuses, or three attempts did not reach it.
    pub async fn call(&self, service: &str, target: &str, body: &[u8]) -> Result<Bytes, CallError> {
        self.caller.call(service, target, body).await
    }
}

#[cfg(test)]
mod tests {
    use rustls::RootCertStore;
    use rustls::pki_types::CertificateDer;

    use super::*;

    fn settings(endpoint: Option<&str>) -> ConnectionSettings {
        ConnectionSettings {
            region: "eu-central-1".to_owned(),
            endpoint: endpoint.map(str::to_owned),
            access_key: "key".to_owned(),
            secret_key: "hidden".to_owned(),
            session_token: Some("hidden".to_owned()),
        }
    }

    #[test]
    fn settings_show_no_secret() {
        let shown = format!("{:?} {:?}", settings(None), Connection::new(settings(None)));
        assert!(!shown.contains("hidden"), "{shown}");
        assert!(shown.contains("eu-central-1"), "{shown}");
    }

    #[test]
    fn five_roots_are_pinned() {
        for root in ROOTS {
            assert!(RootCertStore::empty().add(CertificateDer::from(root)).is_ok());
        }
    }
}
