//! The accounts' secrets from the Parameter Store of AWS Systems Manager.
//!
//! One SecureString per account, named `{prefix}/{platform}/{routing key}`, whose value is a JSON document. What is in
//! the document is the business of the platform's crate. One bad parameter must not take the other accounts down: it
//! is left out, and whoever connects is told by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::{ProvideErrorMetadata, SdkError};
use model::{Platform, Slug};
use ports::{PortError, Secrets};
use serde_json::Value;

/// Parameters of one call (GetParametersByPath, `MaxResults`).
const PAGE: i32 = 10;

/// Why a parameter was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The last part of its name cannot be a routing key.
    #[error("its name does not end in a routing key")]
    Name,
    /// Its value is not JSON.
    #[error("its value is not JSON")]
    Value,
}

/// A parameter that was left out. Holds nothing of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The whole name of the parameter.
    pub name: String,
    /// Why.
    pub flaw: Flaw,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parameter {} is left out: {}", self.name, self.flaw)
    }
}

type Observer = Arc<dyn Fn(&LeftOut) + Send + Sync>;

/// [`Secrets`] over the Parameter Store.
#[derive(Clone)]
pub struct SsmSecrets {
    client: Client,
    prefix: String,
    observer: Option<Observer>,
}

impl fmt::Debug for SsmSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SsmSecrets").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl SsmSecrets {
    /// Secrets below `prefix`, e.g. `/deskbridge`. Connects nothing yet.
    #[must_use]
    pub fn new(connection: &aws::Connection, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into().trim_end_matches('/').to_owned();
        Self { client: Client::new(connection.config()), prefix, observer: None }
    }

    /// The same, telling `observer` about every parameter that a load leaves out. An adapter does not log: the edge
    /// gives an observer that does.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(&LeftOut) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }
}

#[async_trait]
impl Secrets for SsmSecrets {
    async fn load(&self, platform: Platform) -> Result<BTreeMap<Slug, Value>, PortError> {
        let path = format!("{}/{platform}", self.prefix);
        let call = self.client.get_parameters_by_path().path(&path).recursive(true).with_decryption(true).max_results(PAGE);
        let mut pages = call.into_paginator().send();
        let mut secrets = BTreeMap::new();
        while let Some(page) = pages.next().await {
            for parameter in page.map_err(|error| unavailable(&error))?.parameters.unwrap_or_default() {
                let (Some(name), Some(value)) = (parameter.name, parameter.value) else { continue };
                match read(&path, &name, &value) {
                    Ok((key, value)) => {
                        secrets.insert(key, value);
                    }
                    Err(flaw) => {
                        if let Some(observer) = &self.observer {
                            observer(&LeftOut { name, flaw });
                        }
                    }
                }
            }
        }
        Ok(secrets)
    }
}

fn read(path: &str, name: &str, value: &str) -> Result<(Slug, Value), Flaw> {
    let key = name.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')).and_then(|key| key.parse().ok());
    let value = serde_json::from_str(value).map_err(|_| Flaw::Value);
    Ok((key.ok_or(Flaw::Name)?, value?))
}

fn unavailable<E: ProvideErrorMetadata>(error: &SdkError<E>) -> PortError {
    PortError::Unavailable(format!("ssm: {}", aws::error_code(error)))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use aws_sdk_ssm::types::ParameterType;
    use serde_json::json;
    use testkit::{Emulator, HttpStub, StubAnswer};

    use super::*;

    fn connection(endpoint: String) -> aws::Connection {
        aws::Connection::new(aws::ConnectionSettings {
            region: "us-east-1".to_owned(),
            endpoint: Some(endpoint),
            access_key: "test".to_owned(),
            secret_key: "test".to_owned(),
            session_token: None,
        })
    }

    #[tokio::test]
    async fn secrets_of_one_platform_are_loaded_over_several_pages() {
        let emulator = Emulator::start();
        let connection = connection(emulator.endpoint());
        let client = Client::new(connection.config());
        let put = async |name: &str, value: &str| {
            client.put_parameter().name(name).value(value).r#type(ParameterType::SecureString).send().await.unwrap();
        };
        for number in 10..35 {
            put(&format!("/bridge/vcita/demo-{number}"), &json!({ "number": number }).to_string()).await;
        }
        put("/bridge/vcita/broken", "{ not json").await;
        put("/bridge/vcita/Not_A_Key", "{}").await;
        put("/bridge/vcita/demo-10/deeper", "{}").await;
        put("/bridge/frontstage/gw-demo", r#"{"keys":[]}"#).await;
        put("/bridge-2/vcita/other", "{}").await;

        let left_out: Arc<Mutex<Vec<LeftOut>>> = Arc::default();
        let log = left_out.clone();
        let secrets = SsmSecrets::new(&connection, "/bridge").with_observer(move |left| log.lock().unwrap().push(left.clone()));
        let vcita = secrets.load(Platform::Vcita).await.unwrap();
        assert_eq!(vcita.len(), 25);
        assert_eq!(vcita.get(&"demo-34".parse().unwrap()), Some(&json!({ "number": 34 })));
        let frontstage = secrets.load(Platform::Frontstage).await.unwrap();
        assert_eq!(frontstage, BTreeMap::from([("gw-demo".parse().unwrap(), json!({ "keys": [] }))]));

        let mut left_out = left_out.lock().unwrap().clone();
        left_out.sort_by(|a, b| a.name.cmp(&b.name));
        let seen: Vec<_> = left_out.iter().map(|left| (left.name.as_str(), left.flaw)).collect();
        assert_eq!(
            seen,
            [
                ("/bridge/vcita/Not_A_Key", Flaw::Name),
                ("/bridge/vcita/broken", Flaw::Value),
                ("/bridge/vcita/demo-10/deeper", Flaw::Name)
            ]
        );
        let told = left_out[1].to_string();
        assert_eq!(told, "parameter /bridge/vcita/broken is left out: its value is not JSON");
    }

    #[tokio::test]
    async fn no_parameters_are_no_secrets() {
        let emulator = Emulator::start();
        let secrets = SsmSecrets::new(&connection(emulator.endpoint()), "/nothing/");
        assert!(secrets.load(Platform::Vcita).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn refused_call_is_named_by_its_code() {
        let stub = HttpStub::start(|_| StubAnswer::ok(400, r#"{"__type":"AccessDeniedException","message":"secret words"}"#));
        let secrets = SsmSecrets::new(&connection(stub.base()), "/bridge");
        let error = secrets.load(Platform::Vcita).await.unwrap_err();
        assert_eq!(error.to_string(), "ssm: AccessDeniedException");
        let asked: Value = serde_json::from_slice(&stub.requests()[0].body).unwrap();
        assert_eq!(asked, json!({ "Path": "/bridge/vcita", "Recursive": true, "WithDecryption": true, "MaxResults": 10 }));
    }

    #[tokio::test]
    async fn failing_second_page_fails_the_load() {
        let stub = HttpStub::start(|request| {
            if String::from_utf8_lossy(&request.body).contains("NextToken") {
                StubAnswer::ok(400, r#"{"__type":"InvalidNextToken"}"#)
            } else {
                StubAnswer::ok(200, r#"{"Parameters":[{"Name":"/bridge/vcita/a","Value":"{}"}],"NextToken":"n"}"#)
            }
        });
        let secrets = SsmSecrets::new(&connection(stub.base()), "/bridge");
        let error = secrets.load(Platform::Vcita).await.unwrap_err();
        assert_eq!(error.to_string(), "ssm: InvalidNextToken");
    }
}
