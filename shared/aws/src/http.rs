//! The HTTP client of the AWS clients: HTTP/1.1 over rustls with pinned roots.
//!
//! The SDK's own client brings HTTP/2 along, which neither DynamoDB, SQS nor SSM speaks, and the reader of the system's
//! certificates, which we do not want: together a tenth of every function's binary, and size is start-up time. This one
//! is the stack that calls to platforms use anyway.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector as TcpConnector;
use hyper_util::client::legacy::{Client, Error as ConnectionError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

/// AWS closes idle connections after 20 s at the earliest; we are the ones who close them.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// One pool of connections for all services. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct PinnedClient {
    client: Client<HttpsConnector<TcpConnector>, SdkBody>,
}

impl PinnedClient {
    /// A client that trusts `roots` (DER) and nothing else. `connect_timeout` bounds the TCP handshake; whole attempts
    /// are bounded by the SDK.
    pub(crate) fn new(roots: &[&'static [u8]], connect_timeout: Duration) -> Self {
        let mut trusted = RootCertStore::empty();
        trusted.add_parsable_certificates(roots.iter().map(|root| CertificateDer::from(*root)));
        #[expect(clippy::expect_used, reason = "start-up: the provider and the protocol versions are chosen at compile time")]
        let tls = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("ring supports the default TLS versions")
            .with_root_certificates(trusted)
            .with_no_client_auth();
        let mut tcp = TcpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect_timeout));
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
        let client =
            Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_TIMEOUT).build(connector);
        Self { client }
    }
}

impl PinnedClient {
    /// Sends a request; an error is one of the connection.
    pub(crate) async fn send(&self, request: Request<SdkBody>) -> Result<Response<Incoming>, ConnectionError> {
        self.client.request(request).await
    }
}

impl HttpConnector for PinnedClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.client.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            // Errors of the connection are transient for the SDK: it repeats by its retry policy.
            let response = client.request(request).await.map_err(|error| ConnectorError::io(error.into()))?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

impl HttpClient for PinnedClient {
    fn http_connector(&self, _settings: &HttpConnectorSettings, _components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
