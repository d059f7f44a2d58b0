//! What an operator configures for one site.

use std::collections::BTreeMap;

use model::Account;
use serde::{Deserialize, Serialize};
use text::Words;
use wire::client_address::AddressList;

use crate::api::{Api, ApiText};
use crate::bot::{Bot, BotText};
use crate::panel::{Panel, RawPanel};
use crate::{ClosingField, Customer, Website, closing_form, customer};

/// The configuration cannot be used. The text names the field and never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("iAdvize configuration: {0}")]
pub struct ConfigProblem(String);

pub(crate) fn problem(text: impl Into<String>) -> ConfigProblem {
    ConfigProblem(text.into())
}

/// From where iAdvize calls plugins and webhooks, as last published (section 4.1).
const IADVIZE: [&str; 7] =
    ["35.158.241.155", "35.158.90.142", "35.156.32.28", "3.66.4.54", "3.73.29.33", "3.125.164.129", "34.107.108.253"];

/// The word that stands for [`IADVIZE`] in `inbound_cidrs`.
const ALL_OF_IADVIZE: &str = "iadvize";

/// The settings as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    website: String,
    #[serde(default = "default_lang")]
    default_lang: String,
    inbound_cidrs: Option<Vec<String>>,
    #[serde(default)]
    options: BTreeMap<String, Vec<Choice>>,
    #[serde(default)]
    closing_form: Vec<ClosingField>,
    #[serde(default)]
    customer: Customer,
    #[serde(default)]
    ids_as_strings: bool,
    bot: Option<BotText>,
    api: Option<ApiText>,
    panel: Option<RawPanel>,
}

pub(crate) fn website(text: &str) -> Result<Website, ConfigProblem> {
    Website::parse(text).ok_or_else(|| problem("website is not a project of iAdvize such as ha-4821"))
}

fn default_lang() -> String {
    "en".to_owned()
}

/// A choice of an installation parameter (section 5.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The text in the list.
    pub label: String,
    /// What is stored for the installation.
    pub value: String,
}

/// The settings of a site, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The project. Calls that name it are this account's.
    pub website: Website,
    /// The language of whoever asks for none, or for one that we do not speak: two lower-case letters.
    pub default_lang: String,
    /// From where calls are taken; `None` from anywhere (section 4.2, rule 9).
    pub sources: Option<AddressList>,
    /// Choices of installation parameters of the kind `selectpicker`, by key; none of the lists is empty.
    pub options: BTreeMap<String, Vec<Choice>>,
    /// The form that agents fill in at the end.
    pub closing_form: Vec<ClosingField>,
    /// What agents see of a customer, and can do.
    pub customer: Customer,
    /// Whether ids of products and categories are told as digit strings instead of integers (section 14, row 1).
    pub ids_as_strings: bool,
    /// Its bot (section 10).
    pub bot: Option<Bot>,
    /// How iAdvize is called (section 12).
    pub api: Option<Api>,
    /// The panel app; `None` for a site that has none.
    pub panel: Option<Panel>,
}

impl Site {
    /// Reads the settings of an account.
    ///
    /// # Errors
    /// [`ConfigProblem`] naming what is missing or wrong.
    pub fn of(account: &Account) -> Result<Self, ConfigProblem> {
        // The message of a serde error names the member; settings hold no secrets.
        let raw = Raw::deserialize(&account.settings).map_err(|e| problem(e.to_string()))?;
        let website = website(&raw.website)?;
        if crate::language(&raw.default_lang).as_deref() != Some(raw.default_lang.as_str()) {
            return Err(problem("default_lang must be two lower-case letters"));
        }
        for (key, choices) in &raw.options {
            // The key is a segment of a path.
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
            if key.is_empty() || !key.bytes().all(is_plain) {
                return Err(problem("options: a key must be of A-Z, a-z, 0-9, - and _"));
            }
            if choices.is_empty() {
                return Err(problem(format!("options: {key} has no choice")));
            }
            if choices.iter().any(|choice| choice.label.is_empty()) {
                return Err(problem(format!("options: {key} has a choice without a label")));
            }
        }
        closing_form::check(&raw.closing_form)?;
        customer::check(&raw.customer)?;
        let sources = raw.inbound_cidrs.as_deref().map(sources).transpose()?;
        let bot = raw.bot.map(Bot::of).transpose()?;
        let api = raw.api.map(Api::of).transpose()?;
        let panel = raw.panel.map(Panel::of).transpose()?;
        Ok(Self {
            website,
            default_lang: raw.default_lang,
            sources,
            options: raw.options,
            ids_as_strings: raw.ids_as_strings,
            closing_form: raw.closing_form,
            customer: raw.customer,
            bot,
            api,
            panel,
        })
    }
}

impl Site {
    /// The languages in which somebody is told something who wishes this one: `fr`, `fr_FR` or `fr-FR`.
    #[must_use]
    pub fn tongue(&self, wished: Option<&str>) -> Tongue<'_> {
        Tongue::new(wished.unwrap_or_default(), &self.default_lang)
    }
}

/// The language that somebody wishes, and that of the site for texts which are not there in it (section 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tongue<'a> {
    wished: Option<String>,
    default: &'a str,
}

impl<'a> Tongue<'a> {
    /// What somebody wishes, at a site of this language.
    #[must_use]
    pub fn new(wished: &str, default: &'a str) -> Self {
        Self { wished: crate::language(wished), default }
    }

    /// A text in it.
    #[must_use]
    pub fn of<'w>(&self, words: &'w Words) -> &'w str {
        words.in_lang_or(self.wished.as_deref().unwrap_or_default(), self.default)
    }

    /// The language of our own words.
    #[must_use]
    pub fn code(&self) -> &str {
        self.wished.as_deref().unwrap_or(self.default)
    }
}

fn sources(listed: &[String]) -> Result<AddressList, ConfigProblem> {
    let entries = listed.iter().map(String::as_str);
    let all: Vec<_> = entries
        .flat_map(|entry| if entry == ALL_OF_IADVIZE { &IADVIZE[..] } else { std::slice::from_ref(&entry) }.to_vec())
        .collect();
    if all.is_empty() {
        return Err(problem("inbound_cidrs is empty: nobody could call"));
    }
    all.join(",").parse().map_err(|error| problem(format!("inbound_cidrs: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn site(settings: Value) -> Result<Site, String> {
        let id = "iadvize/shop".parse().unwrap();
        let account = Account { id, tenant: "demo".parse().unwrap(), salt: "salt".into(), settings, installed: None };
        Site::of(&account).map_err(|error| error.to_string())
    }

    #[test]
    fn least_that_is_needed_is_the_site() {
        let site = site(json!({"website": "ha-4821"})).unwrap();
        assert_eq!((site.website, site.default_lang.as_str(), site.sources), (Website::parse("ha-4821").unwrap(), "en", None));
    }

    #[test]
    fn sources_of_iadvize_have_a_name() {
        let site = site(json!({"website": "ha-4821", "inbound_cidrs": ["iadvize", "10.0.0.0/8"]})).unwrap();
        let sources = site.sources.unwrap();
        for (address, is_in) in [("3.125.164.129", true), ("34.107.108.253", true), ("10.1.2.3", true), ("34.107.108.254", false)]
        {
            assert_eq!(sources.contains(address.parse().unwrap()), is_in, "{address}");
        }
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        for (change, named) in [
            (json!({"website": "4821"}), "website"),
            (json!({"website": 4821}), "string"),
            (json!({"default_lang": "FR"}), "default_lang"),
            (json!({"inbound_cidrs": []}), "inbound_cidrs"),
            (json!({"inbound_cidrs": ["anywhere"]}), "inbound_cidrs"),
            (json!({"options": {"tax": []}}), "tax has no choice"),
            (json!({"options": {"a/b": [{"label": "a", "value": "b"}]}}), "options"),
            (json!({"options": {"tax": [{"label": "", "value": "b"}]}}), "tax"),
            (json!({"ids_as_strings": "yes"}), "boolean"),
            (json!({"api": {"username": ""}}), "api: username"),
            (json!({"api": {"username": "a", "base_url": "ftp://a.example"}}), "api: base_url"),
            (json!({"api": {"username": "a", "base_url": "https://a.example/?b"}}), "api: base_url"),
            (json!({"api": {}}), "username"),
            (json!({"panel": {"url": "panel"}}), "panel: url"),
            (json!({"nonsense": 1}), "nonsense"),
        ] {
            let mut settings = json!({"website": "ha-4821"});
            for (name, value) in change.as_object().unwrap() {
                settings[name] = value.clone();
            }
            let told = site(settings).unwrap_err();
            assert!(told.contains(named), "{change}: {told}");
        }
        assert!(site(json!({})).unwrap_err().contains("website"));
    }
}
