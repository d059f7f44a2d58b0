//! Who says who a user is, and how (sections 1, 10 and 12).

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use url::Url;
use wire::client_address::AddressList;

use crate::settings::{ConfigProblem, Raw, default_ctid_base_path, default_webserv_base_path, problem, url};

/// The option that was fixed for a brand (section 1, row 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IdentityOption {
    /// cTrader owns identities; its backend redeems tokens.
    Handoff,
    /// The broker owns identities; cTrader's backend asks for tokens.
    Sso,
}

/// How a token of `handoff` becomes a user (section 10, row 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedeemVariant {
    /// O2, the current way.
    PostRedeem,
    /// O3, the older way.
    GetData,
}

/// What becomes of a user whom cTrader vouches for and the broker has not named (section 11, "Unknown `userId` in handoff").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownUsers {
    /// They become known.
    Create,
    /// They get no screen.
    Refuse,
}

/// Who may use a token of I4 (section 10, row 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// The screen once and I2 once.
    Independent,
    /// Whoever is first.
    Shared,
}

/// Whether I4 wants a second factor (section 10, row 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InappTokens {
    /// None is given out and none is read.
    Off,
    /// I2 and I3 give one out and I4 wants it.
    Required,
}

/// Who says who a user is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// cTrader.
    Handoff(Handoff),
    /// The broker.
    Sso(Sso),
}

/// How tokens are redeemed with cTrader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handoff {
    /// By which call.
    pub variant: RedeemVariant,
    /// Its path below [`Backend::ctid`].
    pub path: String,
    /// The query parameter that carries the one-time token in the older call.
    pub legacy_token_param: String,
    /// What becomes of users whom the broker has not named.
    pub unknown_users: UnknownUsers,
}

/// How cTrader's backend asks us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sso {
    /// How long a `crmApiToken` is valid.
    pub crm_token_ttl: Duration,
    /// Another name of the query parameter `crmApiToken` (section 10, row 3).
    pub crm_token_alias: Option<String>,
    /// What stands in front of `/oauth2` (section 10, row 4): empty, or one segment with its slash.
    pub prefix: String,
    /// Where calls may come from; `None` for anywhere.
    pub sources: Option<AddressList>,
    /// How long a one-time token is valid.
    pub ot_token_ttl: Duration,
    /// Who may use it.
    pub channels: Channels,
    /// Whether I4 wants a second factor.
    pub inapp_tokens: InappTokens,
}

/// cTrader's backend and who we are to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Backend {
    base: Url,
    ctid: String,
    webserv: String,
    /// The manager's id (O1).
    pub manager_login: i64,
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Backend {
    /// The backend, if both its address and the manager are configured.
    pub(crate) fn of(raw: &Raw) -> Result<Option<Self>, ConfigProblem> {
        Self::read(raw.ctrader_base_url.as_deref(), &raw.ctid_base_path, &raw.webserv_base_path, raw.manager_login)
    }

    /// The same from the settings as they are stored, for who needs nothing else of them.
    pub(crate) fn of_settings(settings: &Value) -> Result<Option<Self>, ConfigProblem> {
        let text = |name: &str| settings.get(name).and_then(Value::as_str);
        let ctid = text("ctid_base_path").map_or_else(default_ctid_base_path, str::to_owned);
        let webserv = text("webserv_base_path").map_or_else(default_webserv_base_path, str::to_owned);
        let login = settings.get("manager_login").and_then(Value::as_i64);
        Self::read(text("ctrader_base_url"), &ctid, &webserv, login)
    }

    fn read(base: Option<&str>, ctid: &str, webserv: &str, login: Option<i64>) -> Result<Option<Self>, ConfigProblem> {
        let base = base.map(|text| url("ctrader_base_url", text)).transpose()?;
        if base.as_ref().is_some_and(|base| base.query().is_some() || base.fragment().is_some()) {
            return Err(problem("ctrader_base_url must not have a query or a fragment"));
        }
        let ctid = path("ctid_base_path", ctid)?;
        let webserv = path("webserv_base_path", webserv)?;
        let both = base.zip(login);
        Ok(both.map(|(base, manager_login)| Self { base, ctid, webserv, manager_login }))
    }

    /// An address of `/ctid`, `/ctid2` or `/oauth2` (section 2, base URLs).
    #[must_use]
    pub fn ctid(&self, path: &str) -> Url {
        self.below(&self.ctid, path)
    }

    /// An address of `/webserv`.
    #[must_use]
    pub fn webserv(&self, path: &str) -> Url {
        self.below(&self.webserv, path)
    }

    /// Where it is, as far as a manager's token is concerned.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.base, self.manager_login)
    }

    fn below(&self, prefix: &str, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{prefix}{path}", self.base.path().trim_end_matches('/')));
        url
    }
}

impl Handoff {
    pub(crate) fn of(raw: &Raw) -> Result<Self, ConfigProblem> {
        let variant = raw.redeem_variant.unwrap_or(RedeemVariant::PostRedeem);
        let default = match variant {
            RedeemVariant::PostRedeem => "/ctid2/inAppToken/redeem",
            RedeemVariant::GetData => "/ctid2/inAppOneTimeToken/data",
        };
        let legacy_token_param = raw.legacy_token_param.clone().unwrap_or_else(|| "inAppToken".to_owned());
        // `token` is the manager's.
        if !is_parameter(&legacy_token_param) || legacy_token_param == "token" {
            return Err(problem("legacy_token_param must be the name of a query parameter other than token"));
        }
        Ok(Self {
            variant,
            path: path("redeem_path", raw.redeem_path.as_deref().unwrap_or(default))?,
            legacy_token_param,
            unknown_users: raw.unknown_users.unwrap_or(UnknownUsers::Create),
        })
    }
}

impl Sso {
    pub(crate) fn of(raw: &Raw) -> Result<Self, ConfigProblem> {
        let crm_token_ttl = raw.crm_token_ttl.unwrap_or(14 * 86_400);
        if !(7 * 86_400..=366 * 86_400).contains(&crm_token_ttl) {
            return Err(problem("crm_token_ttl must be 604800 (7 days) to 31622400"));
        }
        let ot_token_ttl = raw.ot_token_ttl.unwrap_or(60);
        if !(30..=900).contains(&ot_token_ttl) {
            return Err(problem("ot_token_ttl must be 30 to 900"));
        }
        if !raw.crm_token_alias.as_deref().is_none_or(is_parameter) {
            return Err(problem("crm_token_alias must be the name of a query parameter"));
        }
        let prefix = match raw.inbound_prefix.as_deref() {
            None | Some("" | "/") => String::new(),
            Some(text) => path("inbound_prefix", text)?,
        };
        if prefix.matches('/').count() > 1 {
            return Err(problem("inbound_prefix must be one segment"));
        }
        let sources = raw.inbound_cidrs.as_ref().filter(|listed| !listed.is_empty()).map(|listed| listed.join(",").parse());
        let sources = sources.transpose();
        let sources = sources.map_err(|e: wire::client_address::BadAddress| problem(format!("inbound_cidrs: {e}")))?;
        Ok(Self {
            crm_token_ttl: Duration::from_secs(crm_token_ttl),
            crm_token_alias: raw.crm_token_alias.clone(),
            prefix,
            sources,
            ot_token_ttl: Duration::from_secs(ot_token_ttl),
            channels: raw.ot_channels.unwrap_or(Channels::Independent),
            inapp_tokens: raw.inapp_token_mode.unwrap_or(InappTokens::Off),
        })
    }
}

/// What of the settings the chosen identity does not read.
pub(crate) fn without_effect(raw: &Raw) -> Vec<&'static str> {
    let is_handoff = raw.identity == IdentityOption::Handoff;
    let is_older = raw.redeem_variant == Some(RedeemVariant::GetData);
    [
        ("redeem_variant", raw.redeem_variant.is_some(), is_handoff),
        ("redeem_path", raw.redeem_path.is_some(), is_handoff),
        ("legacy_token_param", raw.legacy_token_param.is_some(), is_handoff && is_older),
        ("unknown_users", raw.unknown_users.is_some(), is_handoff),
        ("crm_token_ttl", raw.crm_token_ttl.is_some(), !is_handoff),
        ("crm_token_alias", raw.crm_token_alias.is_some(), !is_handoff),
        ("inbound_prefix", raw.inbound_prefix.is_some(), !is_handoff),
        ("inbound_cidrs", raw.inbound_cidrs.is_some(), !is_handoff),
        ("ot_token_ttl", raw.ot_token_ttl.is_some(), !is_handoff),
        ("ot_channels", raw.ot_channels.is_some(), !is_handoff),
        ("inapp_token_mode", raw.inapp_token_mode.is_some(), !is_handoff),
    ]
    .into_iter()
    .filter_map(|(name, is_set, has_effect)| (is_set && !has_effect).then_some(name))
    .collect()
}

fn is_parameter(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// A path that others can be appended to: it begins with a slash and does not end with one.
fn path(field: &str, text: &str) -> Result<String, ConfigProblem> {
    let fits = text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic() && !b"?#%\\".contains(&b));
    if !fits || text.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(problem(format!("{field} must be a plain path that begins with /")));
    }
    Ok(text.trim_end_matches('/').to_owned())
}
