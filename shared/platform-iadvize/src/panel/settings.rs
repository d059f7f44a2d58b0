//! What an operator configures for the panel of a site.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use text::Words;
use url::{Host, Url};

use crate::panel::PanelUrl;
use crate::settings::{ConfigProblem, problem};

/// Where the Desk is (section 14, row 10).
const DESKS: [&str; 2] = ["https://sd.iadvize.com", "https://ha.iadvize.com"];

/// From where iAdvize serves its browser library (section 9.4).
const LIBRARY_HOST: &str = "static.iadvize.com";

/// The library's files below its folder (section 9.4).
const LIBRARY: [&str; 2] = ["idzcpa.umd.production.min.js", "idzcpa.base.css"];

/// What a reply may hold without the agent being asked: who is written to, and today.
const KNOWN: [&str; 2] = ["name", "date"];

/// Most replies, and most keywords.
const MOST: usize = 500;

/// The settings as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawPanel {
    url: String,
    desk_origins: Option<Vec<String>>,
    library: Option<String>,
    #[serde(default)]
    media_origins: Vec<String>,
    #[serde(default)]
    templates: Vec<Reply>,
    #[serde(default)]
    keywords: Vec<Keyword>,
    apple_pay: Option<ApplePay>,
}

/// A prepared reply.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// How agents find it.
    pub title: Words,
    /// What is put into the compose box, with `{placeholders}`.
    pub text: Words,
    /// What agents are asked for, by placeholder: the label of its field.
    #[serde(default)]
    pub fields: BTreeMap<String, Words>,
}

/// Words that mean a product when a visitor or an agent writes them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keyword {
    /// Each of them alone means it.
    pub words: Vec<String>,
    /// The product's id.
    pub product: u64,
    /// What it is called.
    pub title: Option<Words>,
}

/// What requests for a payment with Apple Pay have in common.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplePay {
    /// Three capital letters (ISO 4217).
    pub currency: String,
    /// To whom is paid, as the visitor reads it beside the total.
    pub label: Words,
}

/// A prepared reply in one language.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Told<'a> {
    title: &'a str,
    text: &'a str,
    fields: Vec<[&'a str; 2]>,
}

impl Reply {
    /// In a language, else in that of the site.
    #[must_use]
    pub fn told(&self, lang: &str, default: &str) -> Told<'_> {
        let fields = self.fields.iter().map(|(name, label)| [name.as_str(), label.in_lang_or(lang, default)]);
        Told { title: self.title.in_lang_or(lang, default), text: self.text.in_lang_or(lang, default), fields: fields.collect() }
    }
}

/// The panel of a site, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panel {
    /// What tokens are for.
    pub audience: PanelUrl,
    /// Where it is, as it was typed into the developer platform.
    pub url: Url,
    /// The origins that embed it, and whose pages ask what messages mean.
    pub desk_origins: Vec<String>,
    /// The folder of the browser library; ends in a slash.
    pub library: Url,
    /// From where pictures of products are shown.
    pub media_origins: Vec<String>,
    /// Prepared replies.
    pub templates: Vec<Reply>,
    /// Words that mean products.
    pub keywords: Vec<Keyword>,
    /// What payments are asked for with; without it none are.
    pub apple_pay: Option<ApplePay>,
}

impl Panel {
    /// Checks settings.
    pub(crate) fn of(raw: RawPanel) -> Result<Self, ConfigProblem> {
        let url = web("url", &raw.url)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("url has a query or a fragment: the token is added as the query"));
        }
        let origins = |name: &str, listed: &[String]| listed.iter().map(|text| origin(name, text)).collect::<Result<Vec<_>, _>>();
        let desk_origins = match &raw.desk_origins {
            Some(listed) if listed.is_empty() => return Err(wrong("desk_origins is empty: nobody could embed the panel")),
            Some(listed) => origins("desk_origins", listed)?,
            None => DESKS.map(str::to_owned).to_vec(),
        };
        check_templates(&raw.templates)?;
        check_keywords(&raw.keywords)?;
        if raw
            .apple_pay
            .as_ref()
            .is_some_and(|pay| pay.currency.len() != 3 || !pay.currency.bytes().all(|b| b.is_ascii_uppercase()))
        {
            return Err(wrong("apple_pay: currency must be three capital letters"));
        }
        Ok(Self {
            audience: PanelUrl::from(raw.url.as_str()),
            url,
            desk_origins,
            library: library(raw.library.as_deref())?,
            media_origins: origins("media_origins", &raw.media_origins)?,
            templates: raw.templates,
            keywords: raw.keywords,
            apple_pay: raw.apple_pay,
        })
    }

    /// The script and the style sheet of the browser library.
    #[must_use]
    pub fn library_files(&self) -> [String; 2] {
        LIBRARY.map(|name| format!("{}{name}", self.library))
    }

    /// The origin of the browser library.
    #[must_use]
    pub fn library_origin(&self) -> String {
        self.library.origin().ascii_serialization()
    }
}

fn wrong(text: impl AsRef<str>) -> ConfigProblem {
    problem(format!("panel: {}", text.as_ref()))
}

/// An address of the web. Whether the deployment lets it be one of this machine is seen where that is known.
fn web(name: &str, text: &str) -> Result<Url, ConfigProblem> {
    let url = Url::parse(text).ok().filter(|url| url.username().is_empty() && url.password().is_none());
    let url = url.filter(|url| url.scheme() == "https" || (url.scheme() == "http" && is_here(url)));
    url.ok_or_else(|| wrong(format!("{name} is not an https URL")))
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn origin(name: &str, text: &str) -> Result<String, ConfigProblem> {
    let url = web(name, text)?;
    let is_origin = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if is_origin { Ok(url.origin().ascii_serialization()) } else { Err(wrong(format!("{name} must be origins"))) }
}

/// The folder of the library: what runs with the agent's token is iAdvize's own, or a stand-in on this machine.
fn library(given: Option<&str>) -> Result<Url, ConfigProblem> {
    let url = web("library", given.unwrap_or("https://static.iadvize.com/conversation-panel-app-lib/2.9.0/"))?;
    let is_own = url.scheme() == "https" && url.host_str() == Some(LIBRARY_HOST) && url.port().is_none();
    if !is_own && !is_here(&url) {
        return Err(wrong(format!("library is not at https://{LIBRARY_HOST}")));
    }
    let is_folder = url.path().ends_with('/') && url.query().is_none() && url.fragment().is_none();
    if is_folder { Ok(url) } else { Err(wrong("library is a folder: its address ends in a slash")) }
}

fn check_templates(replies: &[Reply]) -> Result<(), ConfigProblem> {
    if replies.len() > MOST {
        return Err(wrong(format!("templates: at most {MOST}")));
    }
    for (at, reply) in replies.iter().enumerate() {
        let used: BTreeSet<&str> = reply.text.texts().flat_map(placeholders).collect();
        let is_known = |name: &str| KNOWN.contains(&name) || reply.fields.contains_key(name);
        if let Some(name) = used.iter().find(|name| !is_known(name)) {
            return Err(wrong(format!("templates: {at}: {{{name}}} has no field")));
        }
        if let Some(name) = reply.fields.keys().find(|name| !used.contains(name.as_str()) || KNOWN.contains(&name.as_str())) {
            return Err(wrong(format!("templates: {at}: the field {name} is not asked for")));
        }
    }
    Ok(())
}

fn check_keywords(keywords: &[Keyword]) -> Result<(), ConfigProblem> {
    if keywords.len() > MOST {
        return Err(wrong(format!("keywords: at most {MOST}")));
    }
    for (at, keyword) in keywords.iter().enumerate() {
        if keyword.words.is_empty() || keyword.words.iter().any(|words| text::words(words).is_empty() || words.len() > 200) {
            return Err(wrong(format!("keywords: {at}: each needs words of at most 200 bytes")));
        }
    }
    Ok(())
}

/// What stands between braces and is a name: small letters, digits and underscores.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let names = text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    names.filter(move |name| !name.is_empty() && name.bytes().all(is_part))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn panel(change: Value) -> Result<Panel, String> {
        let mut settings = json!({"url": "https://panel.example.com/orders"});
        for (name, value) in change.as_object().unwrap() {
            settings[name] = value.clone();
        }
        let raw = RawPanel::deserialize(&settings).map_err(|error| error.to_string())?;
        Panel::of(raw).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_the_contracts() {
        let panel = panel(json!({})).unwrap();
        assert_eq!(panel.desk_origins, ["https://sd.iadvize.com", "https://ha.iadvize.com"]);
        assert_eq!(
            panel.library_files(),
            [
                "https://static.iadvize.com/conversation-panel-app-lib/2.9.0/idzcpa.umd.production.min.js",
                "https://static.iadvize.com/conversation-panel-app-lib/2.9.0/idzcpa.base.css"
            ]
        );
        assert_eq!(panel.library_origin(), "https://static.iadvize.com");
        assert_eq!(panel.audience, PanelUrl::from("https://PANEL.example.com/orders/"));
        assert!(panel.templates.is_empty() && panel.keywords.is_empty() && panel.apple_pay.is_none());
    }

    #[test]
    fn library_is_iadvizes_or_a_stand_in_on_this_machine() {
        for (address, is_taken) in [
            ("https://static.iadvize.com/conversation-panel-app-lib/3.0.0/", true),
            ("http://127.0.0.1:9105/lib/", true),
            ("http://localhost:9105/lib/", true),
            ("http://[::1]:9105/", true),
            ("http://static.iadvize.com/lib/", false),
            ("https://static.iadvize.com:8443/lib/", false),
            ("https://static.iadvize.com.evil.example/lib/", false),
            ("https://evil.example/static.iadvize.com/", false),
            ("https://static.iadvize.com@evil.example/lib/", false),
            ("https://x@static.iadvize.com/lib/", false),
            ("https://static.iadvize.com/lib", false),
            ("https://static.iadvize.com/lib/?x=/", false),
            ("https://static.iadvize.com/lib/#/", false),
            ("javascript://static.iadvize.com/", false),
            ("//static.iadvize.com/lib/", false),
            ("", false),
        ] {
            assert_eq!(panel(json!({"library": address})).is_ok(), is_taken, "{address}");
        }
    }

    #[test]
    fn reply_is_told_in_the_language_asked_for_then_the_sites() {
        let text = json!({"fr": "Bonjour {name}, {order}", "de": "Hallo {name}, {order}"});
        let given = json!([{"title": {"fr": "Suivi", "en": "Tracking"}, "text": text, "fields": {"order": {"fr": "Numéro", "de": "Nummer"}}}]);
        let panel = panel(json!({"templates": given})).unwrap();
        let told = |lang| serde_json::to_value(panel.templates[0].told(lang, "fr")).unwrap();
        let french = json!({"title": "Suivi", "text": "Bonjour {name}, {order}", "fields": [["order", "Numéro"]]});
        assert_eq!(told("fr"), french);
        assert_eq!(told("es"), french);
        assert_eq!(told("de"), json!({"title": "Suivi", "text": "Hallo {name}, {order}", "fields": [["order", "Nummer"]]}));
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        for (change, named) in [
            (json!({"url": "http://panel.example.com"}), "url"),
            (json!({"url": "https://panel.example.com/?a=1"}), "url has a query"),
            (json!({"url": "https://panel.example.com/#a"}), "url has a query or a fragment"),
            (json!({"url": "https://a:b@panel.example.com/"}), "url"),
            (json!({"desk_origins": []}), "desk_origins is empty"),
            (json!({"desk_origins": ["*"]}), "desk_origins"),
            (json!({"desk_origins": ["https://ha.iadvize.com/desk"]}), "desk_origins must be origins"),
            (json!({"media_origins": ["https://a.example; script-src *"]}), "media_origins"),
            (json!({"templates": [{"title": "a", "text": "{order}"}]}), "templates: 0: {order} has no field"),
            (json!({"templates": [{"title": "a", "text": {"en": "b", "fr": "{x}"}}]}), "{x} has no field"),
            (json!({"templates": [{"title": "a", "text": "b", "fields": {"x": "y"}}]}), "the field x is not asked for"),
            (json!({"templates": [{"title": "a", "text": "{name}", "fields": {"name": "y"}}]}), "the field name"),
            (json!({"templates": [{"title": "", "text": "b"}]}), "empty"),
            (json!({"templates": [{"title": "a"}]}), "text"),
            (json!({"keywords": [{"words": [], "product": 1}]}), "keywords: 0"),
            (json!({"keywords": [{"words": ["!?"], "product": 1}]}), "keywords: 0"),
            (json!({"keywords": [{"words": ["a"], "product": "1"}]}), "invalid type"),
            (json!({"apple_pay": {"currency": "eur", "label": "a"}}), "currency"),
            (json!({"nonsense": 1}), "nonsense"),
        ] {
            let told = panel(change.clone()).unwrap_err();
            assert!(told.contains(named), "{change}: {told}");
        }
        assert!(RawPanel::deserialize(&json!({})).err().unwrap().to_string().contains("url"));
    }
}
