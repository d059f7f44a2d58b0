//! What is needed to call iAdvize (section 12.1).

use serde::Deserialize;
use url::Url;

use crate::settings::{ConfigProblem, problem};

/// The setting `api` as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiText {
    #[serde(default = "default_base_url")]
    base_url: String,
    username: String,
}

fn default_base_url() -> String {
    "https://api.iadvize.com".to_owned()
}

/// Where iAdvize is called, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Where; without a slash at the end.
    pub base_url: Url,
    /// The user whose password is among the secrets.
    pub username: String,
}

impl Api {
    pub(crate) fn of(written: ApiText) -> Result<Self, ConfigProblem> {
        let wrong = || problem("api: base_url is not an http or https address without a query");
        let base_url = Url::parse(&written.base_url).map_err(|_| wrong())?;
        let is_plain = base_url.query().is_none() && base_url.fragment().is_none() && base_url.username().is_empty();
        if !matches!(base_url.scheme(), "https" | "http") || !is_plain {
            return Err(wrong());
        }
        if written.username.trim().is_empty() || written.username.len() > 320 {
            return Err(problem("api: username must have 1 to 320 bytes"));
        }
        Ok(Self { base_url, username: written.username })
    }

    /// An address below it.
    pub(crate) fn at(&self, path: &str) -> Url {
        let mut url = self.base_url.clone();
        url.set_path(&format!("{}{path}", self.base_url.path().trim_end_matches('/')));
        url
    }
}
