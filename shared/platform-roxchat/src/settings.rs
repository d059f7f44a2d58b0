//! What an operator configures for one account.

use model::Account;
use serde::Deserialize;
use url::{Host, Url};

/// The configuration cannot be used. The text names the field and never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Rox.Chat configuration: {0}")]
pub struct ConfigProblem(String);

pub(crate) fn problem(text: impl Into<String>) -> ConfigProblem {
    ConfigProblem(text.into())
}

/// The most origins of a list: they stand in a header of every page.
const MOST_ORIGINS: usize = 20;

/// The settings as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    host_origin: String,
    workspace_url: String,
    workspace_origins: Option<Vec<String>>,
    #[serde(default)]
    frame_ancestors: Vec<String>,
    #[serde(default = "default_source")]
    source: String,
    #[serde(default = "default_visitor_id_name")]
    visitor_id_name: String,
    #[serde(default = "default_lang")]
    lang: String,
}

fn default_source() -> String {
    "roxchat".to_owned()
}

fn default_visitor_id_name() -> String {
    "roxchatVisitorId".to_owned()
}

fn default_lang() -> String {
    "en".to_owned()
}

/// The settings of an account, checked (section 6.3: configuration, and validated at start).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// The exact origin on which the host page is: what is registered at Rox.Chat, and what requests of the page come from.
    pub host_origin: String,
    /// The address of the workspace's iframe.
    pub url: String,
    /// The origins that the workspace may speak from, exactly as browsers write them.
    pub origins: Vec<String>,
    /// The origins of the CRM, which may embed the host page; nobody may without one.
    pub frame_ancestors: Vec<String>,
    /// What events of this server name as their `source`: servers of the Webim brand may have another one (section 11).
    pub source: String,
    /// What events of this server call Rox.Chat's id of a visitor.
    pub visitor_id_name: String,
    /// The language of whoever's browser asks for none that we speak: two lower-case letters.
    pub lang: String,
}

impl Workspace {
    /// Reads the settings of an account.
    ///
    /// # Errors
    /// [`ConfigProblem`] naming what is missing or wrong.
    pub fn of(account: &Account) -> Result<Self, ConfigProblem> {
        // The message of a serde error names the member; settings hold no secrets.
        let raw = Raw::deserialize(&account.settings).map_err(|e| problem(e.to_string()))?;
        let address = address("workspace_url", &raw.workspace_url)?;
        let origins = match raw.workspace_origins {
            None => vec![address.origin().ascii_serialization()],
            Some(listed) => origins("workspace_origins", listed)?,
        };
        if !origins.contains(&address.origin().ascii_serialization()) {
            return Err(problem("workspace_origins lacks the origin of workspace_url: the page could not show it"));
        }
        let host_origin = origin("host_origin", &raw.host_origin)?;
        let is_name = |text: &str| (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name(&raw.source) {
            return Err(problem("source must have 1 to 64 letters and digits"));
        }
        if !is_name(&raw.visitor_id_name) {
            return Err(problem("visitor_id_name must have 1 to 64 letters and digits"));
        }
        if raw.lang.len() != 2 || !raw.lang.bytes().all(|b| b.is_ascii_lowercase()) {
            return Err(problem("lang must be two lower-case letters"));
        }
        Ok(Self {
            host_origin,
            url: address.into(),
            origins,
            frame_ancestors: self::origins("frame_ancestors", raw.frame_ancestors)?,
            source: raw.source,
            visitor_id_name: raw.visitor_id_name,
            lang: raw.lang,
        })
    }

    /// Whether the workspace may speak from this origin: compared as a whole, so that no part of one matches (section 6.2).
    #[must_use]
    pub fn speaks_from(&self, origin: &str) -> bool {
        self.origins.iter().any(|listed| listed == origin)
    }
}

/// An address of https, or of a development machine's own http, without anything in it that is not shown in full.
fn address(member: &str, text: &str) -> Result<Url, ConfigProblem> {
    let wrong = |why: &str| problem(format!("{member} {why}"));
    let url = Url::parse(text).map_err(|_| wrong("is not an address"))?;
    // A policy would take it for any name.
    if url.host_str().is_some_and(|host| host.contains('*')) {
        return Err(wrong("holds a wildcard"));
    }
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback) {
        return Err(wrong("is not an https address"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds credentials"));
    }
    if url.fragment().is_some() {
        return Err(wrong("holds a fragment"));
    }
    Ok(url)
}

/// An origin as browsers write it: what is compared as a whole must be spelt as they do.
fn origin(member: &str, text: &str) -> Result<String, ConfigProblem> {
    let url = address(member, text)?;
    let origin = url.origin().ascii_serialization();
    if origin == text { Ok(origin) } else { Err(problem(format!("{member} is not an origin such as {origin}"))) }
}

fn origins(member: &str, listed: Vec<String>) -> Result<Vec<String>, ConfigProblem> {
    if listed.len() > MOST_ORIGINS {
        return Err(problem(format!("{member} has more than {MOST_ORIGINS} origins")));
    }
    listed.iter().map(|text| origin(member, text)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn workspace(change: &Value) -> Result<Workspace, String> {
        let mut settings = json!({"host_origin": "https://crm.acme.example", "workspace_url": "https://acme.rox.chat/agent"});
        for (name, value) in change.as_object().unwrap() {
            settings[name] = value.clone();
        }
        let id = "roxchat/acme".parse().unwrap();
        let account = Account { id, tenant: "demo".parse().unwrap(), salt: "salt".into(), settings, installed: None };
        Workspace::of(&account).map_err(|error| error.to_string())
    }

    #[test]
    fn least_that_is_needed_is_where_we_are_and_where_the_workspace_is() {
        let least = workspace(&json!({})).unwrap();
        let expected = Workspace {
            host_origin: "https://crm.acme.example".into(),
            url: "https://acme.rox.chat/agent".into(),
            origins: vec!["https://acme.rox.chat".into()],
            frame_ancestors: vec![],
            source: "roxchat".into(),
            visitor_id_name: "roxchatVisitorId".into(),
            lang: "en".into(),
        };
        assert_eq!(least, expected);
    }

    #[test]
    fn origins_are_compared_as_a_whole() {
        let of = workspace(&json!({"workspace_origins": ["https://acme.rox.chat", "https://login.rox.chat:8443"]})).unwrap();
        for (origin, may) in [
            ("https://acme.rox.chat", true),
            ("https://login.rox.chat:8443", true),
            ("https://acme.rox.chat.evil.example", false),
            ("https://evil.example/https://acme.rox.chat", false),
            ("https://acme.rox.cha", false),
            ("https://acme.rox.chat/", false),
            ("http://acme.rox.chat", false),
            ("HTTPS://ACME.ROX.CHAT", false),
            ("https://login.rox.chat", false),
            ("null", false),
            ("*", false),
            ("", false),
        ] {
            assert_eq!(of.speaks_from(origin), may, "{origin}");
        }
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        for (change, named) in [
            (json!({"host_origin": "crm.acme.example"}), "host_origin"),
            (json!({"host_origin": "https://crm.acme.example/"}), "host_origin"),
            (json!({"host_origin": "http://crm.acme.example"}), "host_origin"),
            (json!({"host_origin": 7}), "string"),
            (json!({"workspace_url": "http://acme.rox.chat"}), "workspace_url"),
            (json!({"workspace_url": "javascript:alert(1)"}), "workspace_url"),
            (json!({"workspace_url": "https://jan:hush@acme.rox.chat"}), "credentials"),
            (json!({"workspace_url": "https://acme.rox.chat/#a"}), "fragment"),
            (json!({"workspace_origins": []}), "workspace_origins"),
            (json!({"workspace_origins": ["https://login.rox.chat"]}), "lacks the origin of workspace_url"),
            (json!({"workspace_origins": ["https://acme.rox.chat/agent"]}), "workspace_origins"),
            (json!({"workspace_origins": ["*"]}), "workspace_origins"),
            (json!({"workspace_origins": ["https://*.rox.chat"]}), "workspace_origins"),
            (json!({"workspace_origins": ["null"]}), "workspace_origins"),
            (json!({"frame_ancestors": ["https://a.example; script-src *"]}), "frame_ancestors"),
            (json!({"frame_ancestors": vec!["https://a.example"; 21]}), "frame_ancestors"),
            (json!({"source": ""}), "source"),
            (json!({"source": "a b"}), "source"),
            (json!({"visitor_id_name": "id\""}), "visitor_id_name"),
            (json!({"lang": "EN"}), "lang"),
            (json!({"nonsense": 1}), "nonsense"),
        ] {
            let told = workspace(&change).unwrap_err();
            assert!(told.contains(named) && !told.contains("hush"), "{change}: {told}");
        }
        let local = json!({"host_origin": "http://127.0.0.1:9000", "workspace_url": "http://localhost:9110/workspace"});
        assert_eq!(workspace(&local).unwrap().origins, ["http://localhost:9110"]);
    }
}
