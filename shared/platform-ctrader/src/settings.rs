//! What an operator configures for one brand (section 12).

use model::Account;
use serde::Deserialize;
use url::Url;

/// The configuration cannot be used. The text names the field and never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cTrader configuration: {0}")]
pub struct ConfigProblem(String);

fn problem(text: impl Into<String>) -> ConfigProblem {
    ConfigProblem(text.into())
}

/// The settings as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    public_base_url: String,
    success_url: String,
    close_url: Option<String>,
    #[serde(default)]
    disabled: bool,
    broker_name: Option<String>,
    frame_ancestors: Option<Vec<String>>,
    #[serde(default)]
    media_origins: Vec<String>,
    #[serde(default = "default_lang")]
    default_lang: String,
    languages: Option<Vec<String>>,
    #[serde(default = "default_education_enabled")]
    education_enabled: bool,
}

fn default_lang() -> String {
    "en".to_owned()
}

const fn default_education_enabled() -> bool {
    true
}

/// The languages that screens speak unless `languages` says otherwise.
const LANGUAGES: [&str; 8] = ["en", "ar", "de", "es", "fr", "ja", "pt", "zh"];

/// The unbranded web app, and its older address (section 5).
const WEB_APPS: [&str; 2] = ["https://app.ctrader.com", "https://ct.spotware.com"];

/// The settings of a brand, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    /// The one origin of all its screens and endpoints (section 2). Requests to its host are this brand's.
    pub public_base_url: Url,
    /// Where the app recognises that an action is over, and closes the screen (section 5, "Completion").
    pub success_url: Url,
    /// Where the "X" of a screen leads (section 11, "X" behaviour): the success URL with `result=cancelled` by default.
    pub close_url: Url,
    /// Whether the broker is switched off: its endpoints answer 403, its screens are not there (section 6.1).
    pub disabled: bool,
    /// Origins that may embed the screens (section 5), in the words of `frame-ancestors`.
    pub frame_ancestors: Vec<String>,
    /// Origins from which screens show pictures and videos beside their own: of articles, lessons and agents.
    pub media_origins: Vec<String>,
    /// The language of whoever asks for none of ours.
    pub default_lang: String,
    /// The languages of the screens, two lower-case letters each.
    pub languages: Vec<String>,
    /// Whether there is an education screen (section 10, row 13).
    pub education_enabled: bool,
}

impl Brand {
    /// Reads the settings of an account.
    ///
    /// # Errors
    /// [`ConfigProblem`] naming what is missing or wrong.
    pub fn of(account: &Account) -> Result<Self, ConfigProblem> {
        // The message of a serde error names the member; settings hold no secrets.
        let raw = Raw::deserialize(&account.settings).map_err(|e| problem(e.to_string()))?;
        let public_base_url = url("public_base_url", &raw.public_base_url)?;
        if !matches!(public_base_url.path(), "" | "/")
            || public_base_url.query().is_some()
            || public_base_url.fragment().is_some()
        {
            return Err(problem("public_base_url is not an origin: all screens and endpoints of a brand have one"));
        }
        let success_url = url("success_url", &raw.success_url)?;
        let close_url = match &raw.close_url {
            Some(text) => url("close_url", text)?,
            None => {
                let mut cancelled = success_url.clone();
                cancelled.query_pairs_mut().append_pair("result", "cancelled");
                cancelled
            }
        };
        let origins = |name: &str, listed: &[String]| listed.iter().map(|text| origin(name, text)).collect::<Result<Vec<_>, _>>();
        let frame_ancestors = match &raw.frame_ancestors {
            Some(listed) => origins("frame_ancestors", listed)?,
            None => default_ancestors(raw.broker_name.as_deref()),
        };
        let languages = raw.languages.clone().unwrap_or_else(|| LANGUAGES.map(str::to_owned).to_vec());
        let is_language = |text: &String| text.len() == 2 && text.bytes().all(|b| b.is_ascii_lowercase());
        if languages.is_empty() || !languages.iter().all(is_language) {
            return Err(problem("languages must be codes of two lower-case letters"));
        }
        if !languages.contains(&raw.default_lang) {
            return Err(problem("default_lang must be one of languages"));
        }
        Ok(Self {
            public_base_url,
            success_url,
            close_url,
            disabled: raw.disabled,
            frame_ancestors,
            media_origins: origins("media_origins", &raw.media_origins)?,
            default_lang: raw.default_lang,
            languages,
            education_enabled: raw.education_enabled,
        })
    }

    /// Whether requests to this host, with its port where it is not the usual one, are this brand's (section 11,
    /// "Multi-brand").
    #[must_use]
    pub fn has_host(&self, host: &str) -> bool {
        let url = &self.public_base_url;
        let Some(own) = url.host_str() else { return false };
        match url.port() {
            Some(port) => {
                host.rsplit_once(':').is_some_and(|(name, given)| name.eq_ignore_ascii_case(own) && given.parse() == Ok(port))
            }
            None => host.eq_ignore_ascii_case(own),
        }
    }

    /// The language in which a screen speaks to whoever's system has this one (section 7, `lang`): itself without case and
    /// region, else the brand's own.
    #[must_use]
    pub fn language(&self, wished: Option<&str>) -> &str {
        let base = wished.and_then(|text| text.split(['-', '_']).next()).unwrap_or_default();
        self.languages.iter().find(|own| own.eq_ignore_ascii_case(base)).unwrap_or(&self.default_lang)
    }
}

fn url(name: &str, text: &str) -> Result<Url, ConfigProblem> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.host().is_some());
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
    url.ok_or_else(|| problem(format!("{name} is not an http or https URL")))
}

/// An entry of a list of origins, as it stands in a header.
fn origin(name: &str, text: &str) -> Result<String, ConfigProblem> {
    let url = url(name, text)?;
    let is_origin = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if is_origin { Ok(url.origin().ascii_serialization()) } else { Err(problem(format!("{name} must be origins"))) }
}

/// Section 5, "Web app origins".
fn default_ancestors(broker: Option<&str>) -> Vec<String> {
    let broker = broker.map(str::to_ascii_lowercase);
    let is_label = |name: &String| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && name.len() <= 63;
    let branded = broker.filter(is_label).map(|name| [format!("https://app.{name}.com"), format!("https://ct.{name}.com")]);
    WEB_APPS.map(str::to_owned).into_iter().chain(branded.into_iter().flatten()).collect()
}
