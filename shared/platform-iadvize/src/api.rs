//! What is needed to call iAdvize (section 12.1).

use model::Account;
use serde::Deserialize;
use url::Url;

use crate::DeskPlatform;
use crate::bot::BotChat;
use crate::settings::{ConfigProblem, problem, website};

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

/// What of a site's settings is needed to call iAdvize. What is wrong with the rest was refused when it was configured, and what
/// reads the rest need not be where messages are delivered.
#[derive(Deserialize)]
struct Caller {
    website: String,
    api: Option<ApiText>,
}

/// What of a site's settings is said at the end of a chat, for the same reason.
#[derive(Deserialize)]
struct Ending {
    bot: Option<EndingBot>,
    #[serde(default)]
    default_lang: String,
}

#[derive(Deserialize)]
struct EndingBot {
    chat: Option<BotChat>,
}

/// What a visitor is told when the desk has ended their chat, and whether iAdvize is to close the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Farewell {
    pub(crate) text: Option<String>,
    pub(crate) closes: bool,
}

impl Farewell {
    /// As a site has configured it, in this language.
    ///
    /// # Errors
    /// [`ConfigProblem`] naming what is missing or wrong.
    pub(crate) fn of_account(account: &Account, lang: Option<&str>) -> Result<Self, ConfigProblem> {
        let ending = Ending::deserialize(&account.settings).map_err(|e| problem(e.to_string()))?;
        let Some(chat) = ending.bot.and_then(|bot| bot.chat) else { return Ok(Self::default()) };
        let lang = lang.unwrap_or(&ending.default_lang);
        Ok(Self { text: chat.ended.map(|words| words.in_lang(lang).to_owned()), closes: chat.close })
    }
}

impl Api {
    /// How iAdvize is called for a site, and on which of its platforms that is. `None` if it is not called.
    ///
    /// # Errors
    /// [`ConfigProblem`] naming what is missing or wrong.
    pub(crate) fn of_account(account: &Account) -> Result<(DeskPlatform, Option<Self>), ConfigProblem> {
        let caller = Caller::deserialize(&account.settings).map_err(|e| problem(e.to_string()))?;
        Ok((website(&caller.website)?.platform(), caller.api.map(Self::of).transpose()?))
    }

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
