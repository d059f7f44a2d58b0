//! What an operator configures for one brand (section 12).

use model::Account;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::identity::{Backend, Channels, Handoff, Identity, IdentityOption, InappTokens, RedeemVariant, Sso, UnknownUsers};
use crate::{ChatSettings, Uploads};

/// The configuration cannot be used. The text names the field and never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cTrader configuration: {0}")]
pub struct ConfigProblem(String);

pub(crate) fn problem(text: impl Into<String>) -> ConfigProblem {
    ConfigProblem(text.into())
}

/// The settings as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raw {
    public_base_url: String,
    success_url: String,
    pub(crate) identity: IdentityOption,
    close_url: Option<String>,
    #[serde(default)]
    result_on_close: bool,
    broker_crm_name: Option<String>,
    broker_name: Option<String>,
    #[serde(default)]
    disabled: bool,
    frame_ancestors: Option<Vec<String>>,
    #[serde(default)]
    media_origins: Vec<String>,
    #[serde(default = "default_lang")]
    default_lang: String,
    languages: Option<Vec<String>>,
    #[serde(default = "default_education_enabled")]
    education_enabled: bool,
    pub(crate) ctrader_base_url: Option<String>,
    #[serde(default = "default_ctid_base_path")]
    pub(crate) ctid_base_path: String,
    #[serde(default = "default_webserv_base_path")]
    pub(crate) webserv_base_path: String,
    pub(crate) manager_login: Option<i64>,
    pub(crate) redeem_variant: Option<RedeemVariant>,
    pub(crate) redeem_path: Option<String>,
    pub(crate) legacy_token_param: Option<String>,
    pub(crate) unknown_users: Option<UnknownUsers>,
    pub(crate) crm_token_ttl: Option<u64>,
    pub(crate) crm_token_alias: Option<String>,
    pub(crate) inbound_prefix: Option<String>,
    pub(crate) inbound_cidrs: Option<Vec<String>>,
    pub(crate) ot_token_ttl: Option<u64>,
    pub(crate) ot_channels: Option<Channels>,
    pub(crate) inapp_token_mode: Option<InappTokens>,
    chat: Option<ChatSettings>,
    #[serde(default)]
    actions: Vec<Value>,
    #[serde(default)]
    uploads: Uploads,
    crm_webhook_url: Option<String>,
}

fn default_lang() -> String {
    "en".to_owned()
}

const fn default_education_enabled() -> bool {
    true
}

pub(crate) fn default_ctid_base_path() -> String {
    "/cid".to_owned()
}

pub(crate) fn default_webserv_base_path() -> String {
    "/v2".to_owned()
}

/// The languages that screens speak unless `languages` says otherwise.
const LANGUAGES: [&str; 8] = ["en", "ar", "de", "es", "fr", "ja", "pt", "zh"];

/// The unbranded web app, and its older address (section 5).
const WEB_APPS: [&str; 2] = ["https://app.ctrader.com", "https://ct.spotware.com"];

/// The settings of a brand, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Brand {
    /// The one origin of all its screens and endpoints (section 2). Requests to its host are this brand's.
    pub public_base_url: Url,
    /// Where the app recognises that an action is over, and closes the screen (section 5, "Completion").
    pub success_url: Url,
    /// Where the "X" of a screen leads (section 11, "X" behaviour): the success URL with `result=cancelled` by default.
    pub close_url: Url,
    /// Whether `result=success|failure|partial` is added to the success URL (section 11).
    pub result_on_close: bool,
    /// The brand as cTrader's backend names it; exact and case-sensitive.
    pub broker_crm_name: Option<String>,
    /// The broker within it, likewise.
    pub broker_name: Option<String>,
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
    /// Who says who a user is (section 1).
    pub identity: Identity,
    /// cTrader's backend, if it is configured: always with `handoff`, with `sso` for ribbons.
    pub backend: Option<Backend>,
    /// Its chat screen; `None` if it has none.
    pub chat: Option<ChatSettings>,
    /// Its types of actions as they are written: [`crate::action_of`] reads one, [`crate::check_actions`] judges all.
    pub actions: Vec<Value>,
    /// What may be uploaded.
    pub uploads: Uploads,
    /// Where results are told, by the sink `crm_webhook` (section 9).
    pub crm_webhook_url: Option<Url>,
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
        for (field, name) in [("broker_crm_name", &raw.broker_crm_name), ("broker_name", &raw.broker_name)] {
            if name.as_ref().is_some_and(|name| !(1..=200).contains(&name.chars().count())) {
                return Err(problem(format!("{field} must have 1 to 200 characters")));
            }
        }
        let origins = |name: &str, listed: &[String]| listed.iter().map(|text| origin(name, text)).collect::<Result<Vec<_>, _>>();
        let frame_ancestors = match &raw.frame_ancestors {
            Some(listed) => origins("frame_ancestors", listed)?,
            None => default_ancestors(raw.broker_name.as_deref()),
        };
        let media_origins = origins("media_origins", &raw.media_origins)?;
        if let Some(chat) = &raw.chat {
            let own = public_base_url.origin().ascii_serialization();
            let shown: Vec<_> = media_origins.iter().chain([&own]).map(String::as_str).collect();
            chat.check_pictures(&shown).map_err(problem)?;
        }
        let languages = raw.languages.clone().unwrap_or_else(|| LANGUAGES.map(str::to_owned).to_vec());
        let is_language = |text: &String| text.len() == 2 && text.bytes().all(|b| b.is_ascii_lowercase());
        if languages.is_empty() || !languages.iter().all(is_language) {
            return Err(problem("languages must be codes of two lower-case letters"));
        }
        if !languages.contains(&raw.default_lang) {
            return Err(problem("default_lang must be one of languages"));
        }
        raw.uploads.check()?;
        let crm_webhook_url = raw.crm_webhook_url.as_deref().map(|text| url("crm_webhook_url", text)).transpose()?;
        let backend = Backend::of(&raw)?;
        let identity = match raw.identity {
            IdentityOption::Handoff => {
                // What cTrader knows only its backend tells.
                if backend.is_none() {
                    let missing = if raw.ctrader_base_url.is_none() { "ctrader_base_url" } else { "manager_login" };
                    return Err(problem(format!("identity handoff needs {missing}")));
                }
                Identity::Handoff(Handoff::of(&raw)?)
            }
            IdentityOption::Sso => Identity::Sso(Sso::of(&raw)?),
        };
        Ok(Self {
            public_base_url,
            success_url,
            close_url,
            result_on_close: raw.result_on_close,
            broker_crm_name: raw.broker_crm_name,
            broker_name: raw.broker_name,
            disabled: raw.disabled,
            frame_ancestors,
            media_origins,
            default_lang: raw.default_lang,
            languages,
            education_enabled: raw.education_enabled,
            identity,
            backend,
            chat: raw.chat,
            actions: raw.actions,
            uploads: raw.uploads,
            crm_webhook_url,
        })
    }

    /// The settings that change nothing, because the chosen identity does not read them (section 11, "Start-up checks"). None for
    /// settings that cannot be read.
    #[must_use]
    pub fn without_effect(settings: &Value) -> Vec<&'static str> {
        Raw::deserialize(settings).map(|raw| crate::identity::without_effect(&raw)).unwrap_or_default()
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

pub(crate) fn url(name: &str, text: &str) -> Result<Url, ConfigProblem> {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn account(change: Value) -> Account {
        let mut settings = json!({
            "public_base_url": "https://inapp.broker.example/", "success_url": "https://inapp.broker.example/callback/success",
            "identity": "sso"
        });
        for (name, value) in change.as_object().unwrap() {
            settings[name] = value.clone();
            if value.is_null() {
                settings.as_object_mut().unwrap().remove(name);
            }
        }
        let id = "ctrader/broker".parse().unwrap();
        Account { id, tenant: "demo".parse().unwrap(), salt: "salt".into(), settings, installed: None }
    }

    fn brand(change: Value) -> Brand {
        Brand::of(&account(change)).unwrap()
    }

    fn wrong(change: Value) -> String {
        Brand::of(&account(change)).unwrap_err().to_string()
    }

    #[test]
    fn defaults_are_the_contracts() {
        let brand = brand(json!({}));
        assert_eq!(brand.close_url.as_str(), "https://inapp.broker.example/callback/success?result=cancelled");
        assert_eq!(brand.frame_ancestors, ["https://app.ctrader.com", "https://ct.spotware.com"]);
        assert_eq!((brand.default_lang.as_str(), brand.languages.len()), ("en", 8));
        assert!(brand.education_enabled && !brand.disabled && !brand.result_on_close && brand.backend.is_none());
        let Identity::Sso(sso) = brand.identity else { panic!("not sso") };
        assert_eq!(sso.crm_token_ttl, Duration::from_secs(14 * 86_400));
        assert_eq!(sso.ot_token_ttl, Duration::from_secs(60));
        assert_eq!((sso.channels, sso.inapp_tokens), (Channels::Independent, InappTokens::Off));
        assert!(sso.crm_token_alias.is_none() && sso.prefix.is_empty() && sso.sources.is_none());
    }

    #[test]
    fn handoff_redeems_by_post_below_cid_unless_told_otherwise() {
        let needed = json!({"identity": "handoff", "ctrader_base_url": "https://ct.example:8443", "manager_login": 1007});
        let given = brand(needed.clone());
        let Identity::Handoff(handoff) = given.identity else { panic!("not handoff") };
        assert_eq!((handoff.variant, handoff.path.as_str()), (RedeemVariant::PostRedeem, "/ctid2/inAppToken/redeem"));
        assert_eq!(handoff.legacy_token_param, "inAppToken");
        assert_eq!(handoff.unknown_users, UnknownUsers::Create);
        let backend = given.backend.unwrap();
        assert_eq!(backend.ctid("/x").as_str(), "https://ct.example:8443/cid/x");
        assert_eq!(backend.webserv("/x").as_str(), "https://ct.example:8443/v2/x");
        let mut older = needed;
        older["redeem_variant"] = json!("get_data");
        let Identity::Handoff(handoff) = brand(older).identity else { panic!("not handoff") };
        assert_eq!(handoff.path, "/ctid2/inAppOneTimeToken/data");
    }

    #[test]
    fn key_that_the_identity_needs_is_named() {
        assert!(wrong(json!({"identity": null})).contains("missing field `identity`"));
        let base = "https://ct.example";
        for (change, named) in [
            (json!({"identity": "handoff"}), "identity handoff needs ctrader_base_url"),
            (json!({"identity": "handoff", "manager_login": 7}), "identity handoff needs ctrader_base_url"),
            (json!({"identity": "handoff", "ctrader_base_url": base}), "identity handoff needs manager_login"),
        ] {
            assert_eq!(wrong(change), format!("cTrader configuration: {named}"));
        }
    }

    #[test]
    fn wrong_value_is_named() {
        for (change, named) in [
            (json!({"public_base_url": "https://a.example/path"}), "public_base_url"),
            (json!({"public_base_url": "ftp://a.example"}), "public_base_url"),
            (json!({"success_url": "/callback/success"}), "success_url"),
            (json!({"close_url": "javascript:alert(1)"}), "close_url"),
            (json!({"identity": "both"}), "unknown variant `both`"),
            (json!({"frame_ancestors": ["https://a.example/path"]}), "frame_ancestors"),
            (json!({"frame_ancestors": ["*"]}), "frame_ancestors"),
            (json!({"languages": []}), "languages"),
            (json!({"languages": ["english"]}), "languages"),
            (json!({"default_lang": "cs"}), "default_lang"),
            (json!({"broker_crm_name": ""}), "broker_crm_name"),
            (json!({"crm_token_ttl": 604_799}), "crm_token_ttl"),
            (json!({"ot_token_ttl": 29}), "ot_token_ttl"),
            (json!({"ot_token_ttl": 901}), "ot_token_ttl"),
            (json!({"ot_channels": "both"}), "unknown variant `both`"),
            (json!({"inapp_token_mode": "maybe"}), "unknown variant `maybe`"),
            (json!({"inbound_prefix": "cid"}), "inbound_prefix"),
            (json!({"inbound_prefix": "/a/b"}), "inbound_prefix"),
            (json!({"inbound_cidrs": ["10.0.0.0/33"]}), "inbound_cidrs"),
            (json!({"crm_token_alias": "a b"}), "crm_token_alias"),
            (json!({"ctrader_base_url": "ct.example", "manager_login": 7}), "ctrader_base_url"),
            (json!({"ctrader_base_url": "https://ct.example", "manager_login": 7, "ctid_base_path": "cid"}), "ctid_base_path"),
            (json!({"colour": "red"}), "unknown field `colour`"),
        ] {
            let text = wrong(change.clone());
            assert!(text.contains(named), "{change}: {text}");
        }
    }

    #[test]
    fn setting_without_effect_is_named() {
        let none: [&str; 0] = [];
        let own = json!({"ot_token_ttl": 30, "crm_token_alias": "token"});
        assert_eq!(Brand::without_effect(&account(own).settings), none);
        let redeem =
            json!({"redeem_variant": "post_redeem", "redeem_path": "/x", "legacy_token_param": "t", "unknown_users": "create"});
        assert_eq!(
            Brand::without_effect(&account(redeem).settings),
            ["redeem_variant", "redeem_path", "legacy_token_param", "unknown_users"]
        );
        let needed = json!({"identity": "handoff", "ctrader_base_url": "https://ct.example", "manager_login": 1007,
            "crm_token_ttl": 604_800, "crm_token_alias": "token", "inbound_prefix": "/cid", "inbound_cidrs": [],
            "ot_token_ttl": 60, "ot_channels": "shared", "inapp_token_mode": "off", "legacy_token_param": "t"});
        assert_eq!(
            Brand::without_effect(&account(needed).settings),
            [
                "legacy_token_param",
                "crm_token_ttl",
                "crm_token_alias",
                "inbound_prefix",
                "inbound_cidrs",
                "ot_token_ttl",
                "ot_channels",
                "inapp_token_mode"
            ]
        );
    }

    #[test]
    fn web_apps_of_a_named_broker_may_embed_it() {
        let ancestors = brand(json!({"broker_name": "Acme"})).frame_ancestors;
        assert_eq!(ancestors[2..], ["https://app.acme.com", "https://ct.acme.com"]);
        assert_eq!(brand(json!({"broker_name": "Acme Ltd."})).frame_ancestors.len(), 2);
        assert_eq!(
            brand(json!({"frame_ancestors": ["http://127.0.0.1:9106", "https://a.example/"]})).frame_ancestors,
            ["http://127.0.0.1:9106", "https://a.example"]
        );
    }

    #[test]
    fn language_falls_back_to_its_base_and_then_to_the_brand_s() {
        let brand = brand(json!({"default_lang": "de"}));
        for (wished, spoken) in [
            (Some("pt"), "pt"),
            (Some("PT"), "pt"),
            (Some("pt-BR"), "pt"),
            (Some("zh_CN"), "zh"),
            (Some("cs"), "de"),
            (Some(""), "de"),
            (Some("english"), "de"),
            (None, "de"),
        ] {
            assert_eq!(brand.language(wished), spoken, "{wished:?}");
        }
    }
}
