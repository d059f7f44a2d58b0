//! The operator says who is connected.

use model::{Account, AccountId, DirectoryProblem, Platform, Slug, Tenant};
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

/// Checks a configuration and stores it. `check` is the platform's own judgement of an account's settings.
///
/// # Errors
/// [`ConfigureError`]; then nothing was changed.
pub async fn configure(
    ctx: &Ctx<dyn DirectoryStore>,
    document: Document,
    check: &(dyn Fn(&Account) -> Result<(), String> + Sync),
) -> Result<Vec<AccountId>, ConfigureError> {
    let tenant = document.tenant;
    let mut accounts = Vec::new();
    for given in document.accounts {
        let account = Account {
            id: AccountId::new(given.platform, given.key),
            tenant: tenant.id.clone(),
            salt: ctx.dice.token(),
            settings: given.settings,
        };
        check(&account).map_err(|why| ConfigureError::Settings { account: account.id.clone(), why })?;
        accounts.push(account);
    }
    ctx.store.directory().await.map_err(AppError::from)?.check(&tenant, &accounts)?;
    ctx.store.configure(&tenant, &accounts).await.map_err(AppError::from)?;
    Ok(accounts.into_iter().map(|account| account.id).collect())
}
