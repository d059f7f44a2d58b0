//! What an operator configures for one vcita account, and its secrets.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use model::Account;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{ChannelUid, Seals};

/// The configuration cannot be used. The text names the field and never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("vcita configuration: {0}")]
pub struct ConfigProblem(String);

impl ConfigProblem {
    /// The configured token contains what no header may.
    pub(crate) fn token() -> Self {
        problem("secret token cannot stand in a header")
    }

    /// A grant that somebody signed in for has to be kept, and there is nothing to seal it with.
    pub(crate) fn token_keys() -> Self {
        problem("token_source oauth needs the secret token_keys")
    }
}

fn problem(text: impl Into<String>) -> ConfigProblem {
    ConfigProblem(text.into())
}

/// Which status words the VCS of this account understands (section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusVocabulary {
    /// All words of the published reference.
    #[default]
    Extended,
    /// Only `pending`, `received`, `read`, `error`.
    Seed,
}

/// Where the token of a business comes from (section 14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenSource {
    /// The app asks for it with its own id and secret (section 9.2).
    #[default]
    Service,
    /// Somebody of the business granted it (section 9.1).
    Oauth,
}

/// The settings of an account (section 14), checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The business, as vcita names it.
    pub business_uid: String,
    /// The channel of this app for the business.
    pub channel_uid: ChannelUid,
    /// Where vcita's API is.
    pub api_base: Url,
    /// Path in front of channels, sessions and messages.
    pub common_prefix: String,
    /// Path that takes the client's typing.
    pub typing_path: String,
    /// How long an activation may take before it is asked for again.
    pub activation_timeout: Duration,
    /// Words for message statuses.
    pub status_vocabulary: StatusVocabulary,
    /// Longest text of one injected message, in Unicode scalar values.
    pub text_cap: usize,
    /// Where its token comes from, unless one is configured.
    pub token_source: TokenSource,
    /// What visitors of chats see as the name of whoever answers; `None` names nobody. Where it is used:
    /// [`Account::staff_name`].
    pub staff_name: Option<String>,
    /// Calls to vcita in any second, of all that have this app and this business.
    pub requests_per_second: u32,
}

/// The settings as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    business_uid: String,
    channel_uid: String,
    #[serde(default = "default_api_base")]
    api_base: String,
    #[serde(default = "default_prefix")]
    common_prefix: String,
    #[serde(default = "default_typing_path")]
    typing_path: String,
    #[serde(default = "default_activation_timeout")]
    activation_timeout_seconds: u64,
    #[serde(default)]
    status_vocabulary: StatusVocabulary,
    #[serde(default = "default_text_cap")]
    text_cap: usize,
    #[serde(default)]
    token_source: TokenSource,
    staff_name: Option<String>,
    #[serde(default = "default_requests_per_second")]
    requests_per_second: u32,
}

fn default_api_base() -> String {
    "https://api.vcita.biz".to_owned()
}

fn default_prefix() -> String {
    "/business/communication".to_owned()
}

fn default_typing_path() -> String {
    "/business/communication/v1/sessions/typing".to_owned()
}

const fn default_activation_timeout() -> u64 {
    60
}

const fn default_text_cap() -> usize {
    4096
}

const fn default_requests_per_second() -> u32 {
    8
}

impl Settings {
    /// Reads and checks the settings of an account.
    ///
    /// # Errors
    /// [`ConfigProblem`] naming the first field that is missing, unknown or out of range.
    pub fn of(account: &Account) -> Result<Self, ConfigProblem> {
        let written = Written::deserialize(&account.settings).map_err(|e| problem(e.to_string()))?;
        if written.business_uid.is_empty() || written.business_uid.chars().count() > crate::MAX_UID {
            return Err(problem("business_uid must have 1 to 255 characters"));
        }
        let channel_uid = written.channel_uid.parse().map_err(|e| problem(format!("channel_uid {e}")))?;
        let api_base = Url::parse(&written.api_base).map_err(|e| problem(format!("api_base is not a URL: {e}")))?;
        if !matches!(api_base.scheme(), "https" | "http") || api_base.host_str().is_none() {
            return Err(problem("api_base must be an https URL"));
        }
        let has_user = !api_base.username().is_empty() || api_base.password().is_some();
        if has_user || api_base.query().is_some() || api_base.fragment().is_some() {
            return Err(problem("api_base must not have a user, a query or a fragment"));
        }
        if !(1..=86_400).contains(&written.activation_timeout_seconds) {
            return Err(problem("activation_timeout_seconds must be 1 to 86400"));
        }
        if !(1..=100_000).contains(&written.text_cap) {
            return Err(problem("text_cap must be 1 to 100000"));
        }
        // As long as an agent's name may be.
        if written.staff_name.as_ref().is_some_and(|name| !(1..=160).contains(&name.encode_utf16().count())) {
            return Err(problem("staff_name must have 1 to 160 characters"));
        }
        if !(1..=100).contains(&written.requests_per_second) {
            return Err(problem("requests_per_second must be 1 to 100"));
        }
        Ok(Self {
            business_uid: written.business_uid,
            channel_uid,
            api_base,
            common_prefix: path("common_prefix", &written.common_prefix)?,
            typing_path: path("typing_path", &written.typing_path)?,
            activation_timeout: Duration::from_secs(written.activation_timeout_seconds),
            status_vocabulary: written.status_vocabulary,
            text_cap: written.text_cap,
            token_source: written.token_source,
            staff_name: written.staff_name,
            requests_per_second: written.requests_per_second,
        })
    }
}

/// A path that calls can be appended to: it begins with a slash and does not end with one.
fn path(field: &str, text: &str) -> Result<String, ConfigProblem> {
    let fits = text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic() && !b"?#%\\".contains(&b));
    if !fits || text.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(problem(format!("{field} must be a plain path that begins with /")));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// A text that no output may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text, for the one who has to send or compare it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How we prove to vcita who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A token that was made elsewhere; we cannot renew it.
    Token(Secret),
    /// The app's own id and secret, exchanged for a token when one is needed (section 9.2).
    Service {
        /// `client_id` of the app.
        client_id: String,
        /// `client_secret` of the app.
        client_secret: Secret,
    },
}

/// The secrets of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets {
    pub(crate) url_secrets: Vec<Secret>,
    pub(crate) credentials: Credentials,
    token_keys: Vec<Secret>,
}

/// The least length of a path secret: 128 bits in hex.
const MIN_URL_SECRET: usize = 32;

impl Secrets {
    /// What tokens are kept with; `None` if they are not to be kept.
    #[must_use]
    pub fn seals(&self) -> Option<Seals> {
        Seals::new(&self.token_keys.iter().map(Secret::expose).collect::<Vec<_>>())
    }

    /// Reads `{"url_secrets": [current, previous?], "client_id", "client_secret", "token"?, "token_keys": [current, previous?]?}`.
    /// A `token` is used instead of the client's id and secret.
    ///
    /// # Errors
    /// [`ConfigProblem`] naming what is wrong, without its value.
    pub fn from_value(value: &Value) -> Result<Self, ConfigProblem> {
        let field = |name: &'static str| match value.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() && text.len() <= 8192 => Ok(Some(Secret(text.clone()))),
            Some(_) => Err(problem(format!("secret {name} must be a text that is not empty"))),
        };
        let listed =
            value.get("url_secrets").and_then(Value::as_array).ok_or_else(|| problem("secret url_secrets is missing"))?;
        if !(1..=2).contains(&listed.len()) {
            return Err(problem("secret url_secrets must hold one or two secrets"));
        }
        let url_secrets = listed
            .iter()
            .map(|item| {
                let text = item.as_str().unwrap_or_default();
                // Compared with the raw path segment, so nothing that a sender might escape.
                let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
                if is_plain && text.len() >= MIN_URL_SECRET {
                    Ok(Secret(text.to_owned()))
                } else {
                    Err(problem("each of url_secrets must have at least 32 characters of A-Z, a-z, 0-9, - and _"))
                }
            })
            .collect::<Result<_, _>>()?;
        let token_keys = match value.get("token_keys") {
            None | Some(Value::Null) => Vec::new(),
            Some(listed) => {
                let keys: Vec<&str> =
                    listed.as_array().into_iter().flatten().map(|key| key.as_str().unwrap_or_default()).collect();
                Seals::new(&keys).ok_or_else(|| problem("secret token_keys must hold one or two keys of 64 hex digits each"))?;
                keys.into_iter().map(|key| Secret(key.to_owned())).collect()
            }
        };
        let credentials = match (field("token")?, field("client_id")?, field("client_secret")?) {
            (Some(token), _, _) => {
                if HeaderValue::from_str(token.expose()).is_err() {
                    return Err(ConfigProblem::token());
                }
                Credentials::Token(token)
            }
            (None, Some(Secret(client_id)), Some(client_secret)) => Credentials::Service { client_id, client_secret },
            (None, _, _) => return Err(problem("secrets need client_id and client_secret, or a token")),
        };
        Ok(Self { url_secrets, credentials, token_keys })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn account(settings: Value) -> Account {
        Account { id: "vcita/demo".parse().unwrap(), tenant: "demo".parse().unwrap(), salt: "s".to_owned(), settings }
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let settings = Settings::of(&account(json!({"business_uid": "q7x2m9d4k1v8b3zt", "channel_uid": "c-1"}))).unwrap();
        assert_eq!(settings.api_base.as_str(), "https://api.vcita.biz/");
        assert_eq!(settings.common_prefix, "/business/communication");
        assert_eq!(settings.typing_path, "/business/communication/v1/sessions/typing");
        assert_eq!(settings.activation_timeout, Duration::from_secs(60));
        assert_eq!(settings.status_vocabulary, StatusVocabulary::Extended);
        assert_eq!(settings.text_cap, 4096);
        assert_eq!(settings.requests_per_second, 8);
        assert_eq!(settings.token_source, TokenSource::Service);
        assert_eq!(settings.staff_name, None);
    }

    #[test]
    fn staff_name_is_what_the_chats_read() {
        let account = account(json!({"business_uid": "b", "channel_uid": "c", "staff_name": "Salon Iris"}));
        assert_eq!(Settings::of(&account).unwrap().staff_name.as_deref(), Some("Salon Iris"));
        assert_eq!(account.staff_name(), Some("Salon Iris"));
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        for (change, named) in [
            (json!({"business_uid": ""}), "business_uid"),
            (json!({"channel_uid": ""}), "channel_uid"),
            (json!({"channel_uid": 7}), "invalid type"),
            (json!({"api_base": "nowhere"}), "api_base"),
            (json!({"api_base": "ftp://x"}), "api_base"),
            (json!({"api_base": "https://me:pw@x"}), "api_base"),
            (json!({"api_base": "https://x/?a=b"}), "api_base"),
            (json!({"common_prefix": "business"}), "common_prefix"),
            (json!({"common_prefix": "/a/../b"}), "common_prefix"),
            (json!({"typing_path": "/a?b"}), "typing_path"),
            (json!({"activation_timeout_seconds": 0}), "activation_timeout_seconds"),
            (json!({"text_cap": 0}), "text_cap"),
            (json!({"staff_name": ""}), "staff_name"),
            (json!({"staff_name": "x".repeat(161)}), "staff_name"),
            (json!({"requests_per_second": 0}), "requests_per_second"),
            (json!({"requests_per_second": 101}), "requests_per_second"),
            (json!({"status_vocabulary": "all"}), "all"),
            (json!({"token_source": "both"}), "both"),
            (json!({"bussiness_uid": "x"}), "bussiness_uid"),
        ] {
            let mut settings = json!({"business_uid": "b", "channel_uid": "c"});
            for (name, value) in change.as_object().unwrap() {
                settings[name] = value.clone();
            }
            let text = Settings::of(&account(settings)).unwrap_err().to_string();
            assert!(text.contains(named), "{change}: {text}");
        }
        assert!(Settings::of(&account(json!({"channel_uid": "c"}))).unwrap_err().to_string().contains("business_uid"));
    }

    #[test]
    fn debug_of_secrets_shows_none() {
        let secrets = Secrets::from_value(&json!({
            "url_secrets": ["0123456789abcdef0123456789abcdef"], "client_id": "app-1", "client_secret": "hush",
            "token_keys": ["000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"]
        }));
        let shown = format!("{:?}", secrets.unwrap());
        let expected = r#"Secrets { url_secrets: [***], credentials: Service { client_id: "app-1", client_secret: *** }, token_keys: [***] }"#;
        assert_eq!(shown, expected);
    }

    #[test]
    fn wrong_secrets_are_refused_without_being_repeated() {
        let good = "0123456789abcdef0123456789abcdef";
        for wrong in [
            json!(null),
            json!({}),
            json!({"url_secrets": [], "token": "t"}),
            json!({"url_secrets": [good, good, good], "token": "t"}),
            json!({"url_secrets": ["hushhush"], "token": "t"}),
            json!({"url_secrets": ["hush/6789abcdef0123456789abcdef01234"], "token": "t"}),
            json!({"url_secrets": [7], "token": "t"}),
            json!({"url_secrets": [good]}),
            json!({"url_secrets": [good], "client_id": "a"}),
            json!({"url_secrets": [good], "client_id": "a", "client_secret": ["hush"]}),
            json!({"url_secrets": [good], "token": "hush\n"}),
            json!({"url_secrets": [good], "token": "t", "token_keys": []}),
            json!({"url_secrets": [good], "token": "t", "token_keys": "hush"}),
            json!({"url_secrets": [good], "token": "t", "token_keys": ["hush"]}),
            json!({"url_secrets": [good], "token": "t", "token_keys": [7]}),
        ] {
            let text = Secrets::from_value(&wrong).unwrap_err().to_string();
            assert!(!text.contains("hush"), "{text}");
        }
    }

    #[test]
    fn token_goes_before_client_secret() {
        let value = json!({
            "url_secrets": ["0123456789abcdef0123456789abcdef"], "client_id": "a", "client_secret": "b", "token": "t"
        });
        assert_eq!(Secrets::from_value(&value).unwrap().credentials, Credentials::Token(Secret("t".to_owned())));
    }

    proptest! {
        #[test]
        fn any_settings_never_panic(name in "[a-z_]{1,20}", text in ".*") {
            let _ = Settings::of(&account(json!({name.clone(): text.clone(), "api_base": text.clone()})));
            let _ = Secrets::from_value(&json!({"url_secrets": [text.clone()], name: text}));
        }
    }
}
