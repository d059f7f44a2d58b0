//! Where results of actions go (section 9).

use serde::Deserialize;
use serde_json::{Map, Value, json};
use text::in_lang;

use crate::Words;

/// A channel for results, as an action names it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub enum SinkRule {
    /// The screen goes to the success URL, and the app closes it. Nothing is sent.
    SuccessUrl,
    /// A ribbon in the app (O4).
    Ribbon(Ribbon),
    /// A signed call to the broker's CRM.
    CrmWebhook,
    /// Nothing.
    None,
}

/// What is shown in the app; without it, the user's ribbons are cleared.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ribbon {
    #[serde(default)]
    show: Option<Shown>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    color: String,
    #[serde(rename = "title")]
    _title: Words,
    #[serde(default, rename = "closable")]
    _closable: Option<bool>,
    #[serde(default)]
    url_in_app: Option<String>,
    #[serde(default)]
    url_external: Option<String>,
}

/// The rules of a call to O4 for a ribbon as an action names it, which was judged when it was configured. Read by hand: what
/// delivers for every platform links no more than it needs.
pub(crate) fn ribbon_rules(written: &Value, lang: &str) -> Value {
    let Some(show) = written.get("show") else { return json!({}) };
    let title = show.get("title").map_or("", |title| in_lang(title, lang));
    // `urlinApp`: the lower-case `in` is cTrader's.
    let action = match show.get("url_in_app") {
        Some(url) => json!({"urlinApp": url}),
        None => json!({"urlExternal": show.get("url_external")}),
    };
    let closable = show.get("closable").and_then(Value::as_bool).unwrap_or(true);
    let color = show.get("color");
    json!({"ribbons": [{"color": color, "title": title, "enabled": true, "closable": closable, "action": action}]})
}

impl Ribbon {
    fn check(self) -> Result<Self, String> {
        let Some(shown) = &self.show else { return Ok(self) };
        let is_color =
            shown.color.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
        if !is_color {
            return Err("sinks: ribbon: color: is not a colour like #1f6feb".to_owned());
        }
        let is_https = |url: &String| url::Url::parse(url).is_ok_and(|url| url.scheme() == "https");
        match (&shown.url_in_app, &shown.url_external) {
            (Some(url), None) | (None, Some(url)) if is_https(url) => Ok(self),
            _ => Err("sinks: ribbon: not one https URL, url_in_app or url_external".to_owned()),
        }
    }
}

impl SinkRule {
    /// The word for it: in settings, and with a stored result.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SuccessUrl => "success_url",
            Self::Ribbon(_) => "ribbon",
            Self::CrmWebhook => "crm_webhook",
            Self::None => "none",
        }
    }
}

impl TryFrom<Value> for SinkRule {
    type Error = String;

    /// A word, or `{"type":"ribbon","show"?:{...}}`.
    fn try_from(value: Value) -> Result<Self, String> {
        let (name, members) = match value {
            Value::String(name) => (name, Map::new()),
            Value::Object(mut members) => match members.remove("type") {
                Some(Value::String(name)) => (name, members),
                _ => return Err("sinks: one without type".to_owned()),
            },
            _ => return Err("sinks: one that is neither a word nor an object".to_owned()),
        };
        match (name.as_str(), members.is_empty()) {
            ("success_url", true) => Ok(Self::SuccessUrl),
            ("crm_webhook", true) => Ok(Self::CrmWebhook),
            ("none", true) => Ok(Self::None),
            ("ribbon", _) => {
                let ribbon: Ribbon = serde_json::from_value(Value::Object(members)).map_err(|e| format!("sinks: ribbon: {e}"))?;
                ribbon.check().map(Self::Ribbon)
            }
            _ => Err(format!("sinks: {name} is not success_url, ribbon, crm_webhook or none, or has too many members")),
        }
    }
}
