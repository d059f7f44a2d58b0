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
}

/// The settings of a brand, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    /// The one origin of all its screens and endpoints (section 2). Requests to its host are this brand's.
    pub public_base_url: Url,
    /// Where the app recognises that an action is over, and closes the screen (section 5, "Completion").
    pub success_url: Url,
}

impl Brand {
    /// Reads the settings of an account.
    ///
    /// # Errors
    /// [`ConfigProblem`] naming what is missing or wrong.
    pub fn of(account: &Account) -> Result<Self, ConfigProblem> {
        // The message of a serde error names the member; settings hold no secrets.
        let raw: Raw = serde_json::from_value(account.settings.clone()).map_err(|e| problem(e.to_string()))?;
        let Raw { public_base_url, success_url } = raw;
        let url = |name: &str, text: &str| {
            let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.host().is_some());
            url.ok_or_else(|| problem(format!("{name} is not an http or https URL")))
        };
        let public_base_url = url("public_base_url", &public_base_url)?;
        if !matches!(public_base_url.path(), "" | "/")
            || public_base_url.query().is_some()
            || public_base_url.fragment().is_some()
        {
            return Err(problem("public_base_url is not an origin: all screens and endpoints of a brand have one"));
        }
        Ok(Self { public_base_url, success_url: url("success_url", &success_url)? })
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
}
