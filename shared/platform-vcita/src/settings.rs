//! What an operator configures for one vcita account, and its secrets.

use std::time::Duration;

use http::HeaderValue;
use model::{Account, Slug};
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use wire::Secret;
use wire::client_address::AddressList;

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

/// What becomes of the text of staff (section 11, row 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Html {
    /// Text with a known tag is HTML and becomes plain; any other is left as it is.
    #[default]
    Auto,
    /// Every text is left as it is.
    Off,
}

/// The settings of an account (section 14), checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The business, as vcita names it.
    pub business_uid: String,
    /// The channel of this app for the business: the configured one, else the one that was made when the business connected.
    pub channel_uid: Option<ChannelUid>,
    /// What staff of the business read as the name of a channel that we make.
    pub display_name: Option<String>,
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
    /// The app's address for people, as registered (section 9.5). Counts for the account of the app only, as all that follows.
    pub redirect_uri: Option<Url>,
    /// The page on which staff authorise the app (section 9.1).
    pub authorization_url: Url,
    /// Where an authorization code becomes a token (section 9.1).
    pub token_url: Url,
    /// Hosts of the authorization page that vcita may hand over (section 9.1), in lower case.
    pub brand_hosts: Vec<String>,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// What becomes of the text of staff. Counts for the account of the channel.
    pub html: Html,
    /// Where vcita's webhooks may come from (section 11, row 5); `None` for anywhere.
    pub sources: Option<AddressList>,
}

/// The settings as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    business_uid: String,
    #[serde(default)]
    channel_uid: Option<String>,
    #[serde(default)]
    app: Option<String>,
    #[serde(default)]
    display_name: Option<String>,
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
    redirect_uri: Option<String>,
    #[serde(default = "default_authorization_url")]
    authorization_url: String,
    #[serde(default)]
    token_url: Option<String>,
    #[serde(default)]
    brand_hosts: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    html: Html,
    #[serde(default)]
    sources: Option<String>,
}

fn default_authorization_url() -> String {
    "https://app.vcita.com/app/oauth/authorize".to_owned()
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
        let of_account = |e| problem(format!("channel_uid {e}"));
        if let Some(configured) = &written.channel_uid {
            configured.parse::<ChannelUid>().map_err(of_account)?;
        }
        let channel_uid = account.installation().map(|uid| uid.parse().map_err(of_account)).transpose()?;
        if written.app.as_deref().is_some_and(|app| app.parse::<Slug>().is_err()) {
            return Err(problem("app must be the key of an account"));
        }
        let is_name = |name: &String| (1..=100).contains(&name.chars().count());
        if !written.display_name.as_ref().is_none_or(is_name) {
            return Err(problem("display_name must have 1 to 100 characters"));
        }
        let api_base = url("api_base", &written.api_base)?;
        if api_base.query().is_some() {
            return Err(problem("api_base must not have a user, a query or a fragment"));
        }
        let token_url = match &written.token_url {
            Some(text) => url("token_url", text)?,
            None => below(&api_base, "/oauth/token"),
        };
        let redirect_uri = written.redirect_uri.as_deref().map(|text| url("redirect_uri", text)).transpose()?;
        if redirect_uri.as_ref().is_some_and(|uri| uri.query().is_some()) {
            return Err(problem("redirect_uri must not have a query"));
        }
        let is_host = |host: &String| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
        if !written.brand_hosts.iter().all(is_host) {
            return Err(problem("brand_hosts must be names of hosts"));
        }
        let is_scope = |scope: &String| !scope.is_empty() && scope.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\".contains(&b));
        if !written.scopes.iter().all(is_scope) {
            return Err(problem("scopes must be words"));
        }
        let sources = written.sources.as_deref().map(str::parse).transpose();
        let sources = sources.map_err(|e: wire::client_address::BadAddress| problem(format!("sources: {e}")))?;
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
            display_name: written.display_name,
            redirect_uri,
            authorization_url: url("authorization_url", &written.authorization_url)?,
            token_url,
            brand_hosts: written.brand_hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            scopes: written.scopes,
            html: written.html,
            sources,
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

impl Settings {
    /// The channel as calls name it; empty where there is none, and then no call that names one is made.
    pub(crate) fn channel(&self) -> &str {
        self.channel_uid.as_ref().map_or("", ChannelUid::as_str)
    }

    /// An address below the API's base.
    pub(crate) fn api(&self, path: &str) -> Url {
        below(&self.api_base, path)
    }
}

fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

/// An address that we call or send people to, without a user and a fragment. Whether a plain http address is called says the
/// deployment.
fn url(field: &str, text: &str) -> Result<Url, ConfigProblem> {
    let url = Url::parse(text).map_err(|e| problem(format!("{field} is not a URL: {e}")))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(problem(format!("{field} must be an https URL")));
    }
    let has_user = !url.username().is_empty() || url.password().is_some();
    if has_user || url.fragment().is_some() {
        return Err(problem(format!("{field} must not have a user, a query or a fragment")));
    }
    Ok(url)
}

/// A path that calls can be appended to: it begins with a slash and does not end with one.
fn path(field: &str, text: &str) -> Result<String, ConfigProblem> {
    let fits = text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic() && !b"?#%\\".contains(&b));
    if !fits || text.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(problem(format!("{field} must be a plain path that begins with /")));
    }
    Ok(text.trim_end_matches('/').to_owned())
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
    /// How we prove who we are.
    pub credentials: Credentials,
    token_keys: Vec<Secret>,
    /// `app_id`, as vcita gave it when the app was registered.
    pub app_id: Option<String>,
    /// `app_code_name`, likewise.
    pub app_code_name: Option<String>,
}

/// The least length of a path secret: 128 bits in hex.
const MIN_URL_SECRET: usize = 32;

impl Secrets {
    /// What tokens are kept with; `None` if they are not to be kept.
    #[must_use]
    pub fn seals(&self) -> Option<Seals> {
        Seals::new(&self.token_keys.iter().map(Secret::expose).collect::<Vec<_>>())
    }

    /// Reads `{"url_secrets": [current, previous?], "client_id", "client_secret", "token"?, "token_keys": [current,
    /// previous?]?, "app_id"?, "app_code_name"?}`. A `token` is used instead of the client's id and secret.
    ///
    /// # Errors
    /// [`ConfigProblem`] naming what is wrong, without its value.
    pub fn from_value(value: &Value) -> Result<Self, ConfigProblem> {
        let field = |name: &'static str| match value.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() && text.len() <= 8192 => Ok(Some(Secret::from(text.as_str()))),
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
                    Ok(Secret::from(text))
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
                keys.into_iter().map(Secret::from).collect()
            }
        };
        let credentials = match (field("token")?, field("client_id")?, field("client_secret")?) {
            (Some(token), _, _) => {
                if HeaderValue::from_str(token.expose()).is_err() {
                    return Err(ConfigProblem::token());
                }
                Credentials::Token(token)
            }
            (None, Some(client_id), Some(client_secret)) => {
                Credentials::Service { client_id: client_id.expose().to_owned(), client_secret }
            }
            (None, _, _) => return Err(problem("secrets need client_id and client_secret, or a token")),
        };
        Ok(Self {
            url_secrets,
            credentials,
            token_keys,
            app_id: field("app_id")?.map(|text| text.expose().to_owned()),
            app_code_name: field("app_code_name")?.map(|text| text.expose().to_owned()),
        })
    }

    /// The path secret of today.
    #[must_use]
    pub fn url_secret(&self) -> &Secret {
        &self.url_secrets[0]
    }

    /// The path secret before it, if it is still taken.
    #[must_use]
    pub fn previous_url_secret(&self) -> Option<&Secret> {
        self.url_secrets.get(1)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    pub(crate) fn account(settings: Value) -> Account {
        Account {
            id: "vcita/demo".parse().unwrap(),
            tenant: "demo".parse().unwrap(),
            salt: "s".to_owned(),
            settings,
            installed: None,
        }
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
            (json!({"app": "not a key"}), "app"),
            (json!({"display_name": ""}), "display_name"),
            (json!({"redirect_uri": "https://x/?a=b"}), "redirect_uri"),
            (json!({"authorization_url": "nowhere"}), "authorization_url"),
            (json!({"brand_hosts": ["https://x"]}), "brand_hosts"),
            (json!({"scopes": ["a b"]}), "scopes"),
            (json!({"sources": "everywhere"}), "sources"),
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
        assert_eq!(
            shown,
            r#"Secrets { url_secrets: [***], credentials: Service { client_id: "app-1", client_secret: *** }, token_keys: [***], app_id: None, app_code_name: None }"#
        );
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
        assert_eq!(Secrets::from_value(&value).unwrap().credentials, Credentials::Token(Secret::from("t")));
    }

    proptest! {
        #[test]
        fn any_settings_never_panic(name in "[a-z_]{1,20}", text in ".*") {
            let _ = Settings::of(&account(json!({name.clone(): text.clone(), "api_base": text.clone()})));
            let _ = Secrets::from_value(&json!({"url_secrets": [text.clone()], name: text}));
        }
    }
}
