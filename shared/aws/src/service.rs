//! The operations of an AWS service, through the SDK's own orchestrator, without the SDK's client.
//!
//! What an operation is comes from the service's SDK crate: its input, how it is written, signed and read, which of its
//! errors are worth another attempt. What a client adds to that does not: it reads AWS's list of regions when it is made,
//! runs rules over it for each call, and has a dozen hooks look at each call for features that are not used here. Together
//! that is a quarter of a function's start, and of the CPU time of a call. Here the endpoint, the credentials and the
//! scheme of signing are known from the environment, so they are given once.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::service_clock_skew::ServiceClockSkewInterceptor;
use aws_smithy_runtime::client::defaults::{DefaultPluginParams, default_retry_config_plugin_v2};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::orchestrator::endpoints::StaticUriEndpointResolver;
use aws_smithy_runtime::client::orchestrator::{AuthSchemeAndEndpointOrchestrationV2, invoke};
use aws_smithy_runtime::client::retries::classifiers::HttpStatusCodeClassifier;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output};
use aws_smithy_runtime_api::client::interceptors::{Intercept, SharedInterceptor};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::{Order, RuntimePlugin, RuntimePlugins, StaticRuntimePlugin};
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SigningName;
use aws_types::region::{Region, SigningRegion};
use uuid::Uuid;

use crate::call::Caller;
use crate::{ATTEMPT_TIMEOUT, CONNECT_TIMEOUT, OPERATION_TIMEOUT, retries, sleep};

/// How a call of an operation ends: its output, or an error with the operation's own one in it.
pub type Called<O, E> = Result<O, SdkError<E, HttpResponse>>;

type Running = Pin<Box<dyn Future<Output = Result<Output, SdkError<Error, HttpResponse>>> + Send>>;

/// A token by which a service knows the repetition of a call as one: fresh for each call, the same in all its attempts.
#[must_use]
pub fn call_token() -> String {
    Uuid::new_v4().to_string()
}

/// One service of the region. Clones share everything.
#[derive(Clone)]
pub struct Service {
    plugins: RuntimePlugins,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl Service {
    /// The service whose endpoint and signatures have this name, e.g. `dynamodb`.
    pub(crate) fn new(caller: &Caller, credentials: SharedCredentialsProvider, name: &'static str) -> Self {
        let region = Region::new(caller.region.clone());
        let mut config = Layer::new("service");
        config
            .store_put(AuthSchemeAndEndpointOrchestrationV2)
            .store_put(SigningName::from_static(name))
            .store_put(SigningRegion::from(region.clone()))
            .store_put(region)
            .store_put(retries())
            .store_put(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .operation_timeout(OPERATION_TIMEOUT)
                    .build(),
            )
            // Bodies are small and the attempt's timeout bounds them: watching their throughput costs more than it gives.
            .store_put(StalledStreamProtectionConfig::disabled());
        let components = RuntimeComponentsBuilder::new("service")
            .with_http_client(Some(caller.client.clone()))
            .with_endpoint_resolver(Some(StaticUriEndpointResolver::uri(caller.root(name))))
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
            .with_auth_scheme(SigV4AuthScheme::new())
            .with_identity_resolver(SCHEME_ID, credentials)
            // They are at hand: nothing is gained by remembering them.
            .with_identity_cache(Some(IdentityCache::no_cache()))
            .with_retry_classifier(HttpStatusCodeClassifier::default())
            // A sandbox may be thawed with a clock that is behind: the service's own time is signed with then.
            .with_interceptor(SharedInterceptor::permanent(ServiceClockSkewInterceptor::new()))
            .with_sleep_impl(Some(sleep()))
            .with_time_source(Some(caller.time.clone()));
        let params = DefaultPluginParams::new()
            .with_retry_partition_name(name)
            .with_behavior_version(BehaviorVersion::v2026_01_12())
            .with_is_aws_sdk(true);
        let plugins = RuntimePlugins::new()
            .with_client_plugins(default_retry_config_plugin_v2(&params))
            .with_client_plugin(StaticRuntimePlugin::new().with_config(config.freeze()).with_runtime_components(components));
        Self { plugins }
    }

    /// The same service with `hook` looking at its calls.
    #[must_use]
    pub fn with_interceptor(self, hook: impl Intercept + 'static) -> Self {
        let components = RuntimeComponentsBuilder::new("interceptor").with_interceptor(SharedInterceptor::new(hook));
        self.with(StaticRuntimePlugin::new().with_order(Order::Overrides).with_runtime_components(components))
    }

    /// The same service with other bounds of time.
    #[must_use]
    pub fn with_timeouts(self, timeouts: TimeoutConfig) -> Self {
        let mut config = Layer::new("timeouts");
        config.store_put(timeouts);
        self.with(StaticRuntimePlugin::new().with_order(Order::Overrides).with_config(config.freeze()))
    }

    fn with(self, plugin: StaticRuntimePlugin) -> Self {
        Self { plugins: self.plugins.with_client_plugin(plugin) }
    }

    /// Calls an operation, again where that may help. `operation` and `input` are those of the service's SDK crate, e.g.
    /// `GetItem` and `GetItemInput`; `O` and `E` are its output and its error.
    ///
    /// # Errors
    /// [`SdkError`] as an SDK client gives it.
    pub async fn call<O, E>(
        &self,
        operation: impl RuntimePlugin + 'static,
        input: impl fmt::Debug + Send + Sync + 'static,
    ) -> Called<O, E>
    where
        O: fmt::Debug + Send + Sync + 'static,
        E: StdError + Send + Sync + 'static,
    {
        let plugins = self.plugins.clone().with_operation_plugin(operation);
        match run(plugins, Input::erase(input)).await {
            Ok(output) => output.downcast().map_err(|_| SdkError::construction_failure("another operation's output")),
            #[expect(
                clippy::expect_used,
                reason = "an operation's own reader makes its errors: another type is a typing error here"
            )]
            Err(error) => Err(error.map_service_error(|error| error.downcast().expect("the operation's error"))),
        }
    }
}

/// Not generic: what an orchestration consists of is in a binary once.
fn run(plugins: RuntimePlugins, input: Input) -> Running {
    Box::pin(async move { invoke("", "", input, &plugins).await })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_smithy_types::config_bag::ConfigBag;
    use aws_smithy_types::retry::RetryConfig;

    use super::*;
    use crate::{Connection, ConnectionSettings};

    fn service() -> Service {
        let settings = ConnectionSettings {
            region: "eu-central-1".to_owned(),
            endpoint: Some("http://127.0.0.1:4566".to_owned()),
            access_key: "key".to_owned(),
            secret_key: "hidden".to_owned(),
            session_token: Some("hidden".to_owned()),
        };
        Connection::new(settings).service("dynamodb")
    }

    #[test]
    fn every_part_is_given_by_hand() {
        let mut config = ConfigBag::base();
        let components = service().plugins.apply_client_configuration(&mut config).unwrap();
        assert_eq!(config.load::<Region>().map(AsRef::as_ref), Some("eu-central-1"));
        assert_eq!(config.load::<SigningRegion>().map(AsRef::as_ref), Some("eu-central-1"));
        assert_eq!(config.load::<SigningName>().map(AsRef::as_ref), Some("dynamodb"));
        assert!(components.http_client().is_some());
        assert!(components.sleep_impl().is_some());
        assert!(components.time_source().is_some());
        assert!(components.has_identity_resolvers());
        assert!(format!("{:?}", components.endpoint_resolver()).contains("http://127.0.0.1:4566/"), "{components:?}");
        let retries = config.load::<RetryConfig>().unwrap();
        assert_eq!((retries.max_attempts(), retries.initial_backoff()), (3, Duration::from_millis(100)));
        let timeouts = config.load::<TimeoutConfig>().unwrap();
        assert_eq!(timeouts.connect_timeout(), Some(Duration::from_secs(1)));
        assert_eq!(timeouts.operation_attempt_timeout(), Some(Duration::from_secs(2)));
        assert_eq!(timeouts.operation_timeout(), Some(Duration::from_secs(4)));
    }

    #[test]
    fn service_shows_no_secret() {
        let shown = format!("{:?}", service());
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
