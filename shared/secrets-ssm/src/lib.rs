//! The accounts' secrets from the Parameter Store of AWS Systems Manager.
//!
//! One SecureString per account, named `{prefix}/{platform}/{routing key}`, whose value is a JSON document. What is in
//! the document is the business of the platform's crate. One bad parameter must not take the other accounts down: it
//! is left out, and whoever connects is told by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use model::{Platform, Slug};
use ports::{PortError, Secrets};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Parameters of one call (GetParametersByPath, `MaxResults`).
const PAGE: u32 = 10;

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

/// What is asked for (Systems Manager API, "GetParametersByPath").
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Asked<'a> {
    path: &'a str,
    recursive: bool,
    with_decryption: bool,
    max_results: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// A page of the answer. No `Debug`: it holds secrets.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    parameters: Vec<Parameter>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    name: String,
    value: String,
}

/// [`Secrets`] over the Parameter Store.
#[derive(Clone)]
pub struct SsmSecrets {
    connection: aws::Connection,
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
        Self { connection: connection.clone(), prefix, observer: None }
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
        let mut secrets = BTreeMap::new();
        let mut next_token = None;
        loop {
            let page = self.page(&path, next_token).await?;
            for Parameter { name, value } in page.parameters {
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
            next_token = page.next_token.filter(|token| !token.is_empty());
            if next_token.is_none() {
                return Ok(secrets);
            }
        }
    }
}

impl SsmSecrets {
    async fn page(&self, path: &str, next_token: Option<String>) -> Result<Page, PortError> {
        let asked = Asked { path, recursive: true, with_decryption: true, max_results: PAGE, next_token };
        let asked = serde_json::to_vec(&asked).map_err(|_| unavailable("request not made"))?;
        let answer = self.connection.call("ssm", "AmazonSSM.GetParametersByPath", &asked).await;
        let answer = answer.map_err(|error| unavailable(&error.code))?;
        // The parser's words may hold what it read.
        serde_json::from_slice(&answer).map_err(|_| unavailable("unreadable answer"))
    }
}

fn read(path: &str, name: &str, value: &str) -> Result<(Slug, Value), Flaw> {
    let key = name.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')).and_then(|key| key.parse().ok());
    let value = serde_json::from_str(value).map_err(|_| Flaw::Value);
    Ok((key.ok_or(Flaw::Name)?, value?))
}

fn unavailable(code: &str) -> PortError {
    PortError::Unavailable(format!("ssm: {code}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

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
        let put = async |name: &str, value: &str| {
            let asked = json!({ "Name": name, "Value": value, "Type": "SecureString" }).to_string();
            connection.call("ssm", "AmazonSSM.PutParameter", asked.as_bytes()).await.unwrap();
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
