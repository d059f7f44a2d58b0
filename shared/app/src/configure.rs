//! The operator says who is connected.

use model::{Account, AccountId, Directory, DirectoryProblem, Platform, Slug, Tenant};
use serde::Deserialize;

use crate::{AppError, Ctx};
use ports::DirectoryStore;

/// A tenant and its accounts, as the operator writes them down. Secrets are not part of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The tenant with its routing rules.
    pub tenant: Tenant,
    /// Its accounts. Those that are configured but not listed stay as they are.
    #[serde(default)]
    pub accounts: Vec<AccountDocument>,
}

/// One account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountDocument {
    /// Its platform.
    pub platform: Platform,
    /// Its routing key.
    pub key: Slug,
    /// What the platform's crate reads.
    pub settings: serde_json::Value,
}

/// Why a configuration was not stored.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    /// An account's settings are not what its platform needs.
    #[error("account {account}: {why}")]
    Settings {
        /// The account.
        account: AccountId,
        /// What is wrong with them.
        why: String,
    },
    /// It contradicts what is configured.
    #[error(transparent)]
    Directory(#[from] DirectoryProblem),
    /// A backing service is down.
    #[error(transparent)]
    App(#[from] AppError),
}

/// The platforms' own judgement of accounts. Each says what is wrong, and in which member.
pub trait AccountRules: Sync {
    /// Judges an account's settings by themselves.
    ///
    /// # Errors
    /// The first rule that is broken.
    fn check(&self, account: &Account) -> Result<(), String>;

    /// Judges what an account's settings name of other accounts, by everything as it is to be configured.
    ///
    /// # Errors
    /// The first member that names what is not there.
    fn check_links(&self, directory: &Directory, account: &Account) -> Result<(), String>;
}

/// Checks a configuration and stores it. What a document names has to be in it, or to be configured already; nor may it take
/// away what another account of the tenant names.
///
/// # Errors
/// [`ConfigureError`]; then nothing was changed.
pub async fn configure(
    ctx: &Ctx<dyn DirectoryStore>,
    document: Document,
    rules: &dyn AccountRules,
) -> Result<Vec<AccountId>, ConfigureError> {
    let tenant = document.tenant;
    let mut accounts = Vec::new();
    for given in document.accounts {
        let account = Account {
            id: AccountId::new(given.platform, given.key),
            tenant: tenant.id.clone(),
            salt: ctx.dice.token(),
            settings: given.settings,
            installed: None,
        };
        rules.check(&account).map_err(|why| ConfigureError::Settings { account: account.id.clone(), why })?;
        accounts.push(account);
    }
    let before = ctx.store.directory().await.map_err(AppError::from)?;
    before.check(&tenant, &accounts)?;
    let after = before.with(&tenant, &accounts);
    for account in after.accounts.values().filter(|account| account.tenant == tenant.id) {
        let Err(why) = rules.check_links(&after, account) else { continue };
        // What was broken before and is not touched is no reason to refuse the rest.
        if before.accounts.get(&account.id) != Some(account) || rules.check_links(&before, account).is_ok() {
            return Err(ConfigureError::Settings { account: account.id.clone(), why });
        }
    }
    ctx.store.configure(&tenant, &accounts).await.map_err(AppError::from)?;
    Ok(accounts.into_iter().map(|account| account.id).collect())
}
