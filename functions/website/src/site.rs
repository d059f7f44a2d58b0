//! The web sites of gateways: settings and keys, compiled once and kept as long as they stay the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use app::AppError;
use lambda::{Roster, Snapshot};
use model::{Account, AccountId};
use platform_frontstage::AccountSettings;
use serde_json::Value;
use tracing::warn;
use website::cookie::Keys;
use website::routing::RuleSet;
use website::settings::{WebsiteSettings, cookie_keys};

/// The web site of one gateway.
pub(crate) struct Site {
    pub(crate) account: Account,
    pub(crate) settings: WebsiteSettings,
    pub(crate) keys: Keys,
    rules: OnceLock<RuleSet>,
    secrets: Value,
}

impl Site {
    fn of(account: &Account, secrets: &Value) -> Result<Self, AppError> {
        let unknown = || AppError::UnknownAccount(account.id.clone());
        let (website, scenarios) = match AccountSettings::of(account) {
            Ok(AccountSettings::Gateway(settings)) => (settings.website.ok_or_else(unknown)?, settings.scenarios),
            Ok(AccountSettings::Desk(_)) => return Err(unknown()),
            Err(_) => return Err(AppError::Internal("settings of a gateway cannot be read")),
        };
        let settings = WebsiteSettings::of(&website, &scenarios);
        let settings = settings.map_err(|_| AppError::Internal("settings of a web site cannot be read"))?;
        let keys = cookie_keys(secrets).map_err(|_| AppError::Internal("secrets of a web site cannot be read"))?;
        Ok(Self { account: account.clone(), settings, keys, rules: OnceLock::new(), secrets: secrets.clone() })
    }

    /// The rules, compiled by the first page that asks.
    pub(crate) fn rules(&self) -> Result<&RuleSet, AppError> {
        if self.rules.get().is_none() {
            let rules = self.settings.rule_set().map_err(|_| AppError::Internal("rules of a web site cannot be read"))?;
            for warning in rules.warnings() {
                warn!(account.id = %self.account.id, "a rule of {} is broken: {warning}", self.account.id);
            }
            let _ = self.rules.set(rules);
        }
        self.rules.get().ok_or(AppError::Internal("rules of a web site are gone"))
    }
}

/// Web sites as this process has read them. Rules hold regular expressions, which take longer to compile than everything
/// else a page load asks for.
#[derive(Default)]
pub struct Sites(Mutex<HashMap<AccountId, Compiled>>);

struct Compiled {
    /// What was known when it was last found to be the same.
    seen: Arc<Snapshot>,
    site: Arc<Site>,
}

impl Sites {
    /// The web site of a gateway as it is configured now. A gateway without one is unknown here.
    pub(crate) async fn site(&self, roster: &Roster, id: &AccountId) -> Result<Arc<Site>, AppError> {
        let snapshot = roster.knowing(id).await?;
        let Some((account, secrets)) = snapshot.account(id) else { return Err(AppError::UnknownAccount(id.clone())) };
        let mut sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Compiled { seen, site }) = sites.get_mut(id) {
            if Arc::ptr_eq(seen, &snapshot) {
                return Ok(site.clone());
            }
            if site.account == *account && site.secrets == *secrets {
                *seen = snapshot.clone();
                return Ok(site.clone());
            }
        }
        let site = Arc::new(Site::of(account, secrets)?);
        sites.insert(id.clone(), Compiled { seen: snapshot.clone(), site: site.clone() });
        Ok(site)
    }
}
