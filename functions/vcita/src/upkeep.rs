//! Each minute: channels that wait for activation (section 8.1, step 9), and what is left to do at vcita for businesses that
//! stopped (section 8.6). What is to be done stands with the accounts, so that nothing depends on a timer.

use std::time::Duration;

use app::AppError;
use lambda::Metric;
use model::{Account, InstallPhase, Installed, Platform, RemoteStatus};
use platform_vcita::{Credentials, Secrets, Settings, Tokens, Told, activate_channel, delete_channel, grant_name, revoke};
use ports::{Grant, Saved, StoredGrant};
use serde_json::{Value, json};

use crate::connect::ConnectCtx;

/// Nothing is begun later than this after the run did: it may take three calls of 8 s, and the next run comes.
const LAST_BEGIN: Duration = Duration::from_secs(20);

/// Looks once. The answer says how many channels were asked to become active, were given up, and were removed at vcita.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down; the next run a minute later makes up for it.
pub async fn handle(ctx: ConnectCtx, _event: Value) -> Result<Value, AppError> {
    let clock = &ctx.base.base.clock;
    let last_begin = clock.now().plus(LAST_BEGIN);
    let directory = ctx.base.base.store.directory().await?;
    let (mut asked, mut given_up, mut removed) = (0, 0, 0);
    for account in directory.accounts.values().filter(|account| account.id.platform() == Platform::Vcita) {
        let Some(installed) = &account.installed else { continue };
        if clock.now() > last_begin {
            break;
        }
        match installed.phase {
            InstallPhase::Pending | InstallPhase::Asked => match ctx.look(account, installed).await? {
                Some(InstallPhase::Asked) => asked += 1,
                Some(InstallPhase::Unanswered) => given_up += 1,
                Some(_) | None => {}
            },
            InstallPhase::Closing => removed += u32::from(ctx.remove(account, installed, &directory).await?),
            InstallPhase::Claimed | InstallPhase::Unanswered | InstallPhase::Live | InstallPhase::Closed => {}
        }
    }
    Ok(json!({ "asked": asked, "given_up": given_up, "removed": removed }))
}

/// What calls for an account need.
struct Access {
    settings: Settings,
    grant: String,
    stored: Option<StoredGrant>,
    tokens: Option<Tokens>,
}

impl ConnectCtx {
    /// The tokens of the account's business, if there are any.
    async fn access(&self, account: &Account) -> Result<Option<Access>, AppError> {
        let app = account.app();
        let snapshot = self.base.roster.knowing(&app).await?;
        let Some((_, secrets)) = snapshot.account(&app).filter(|(app, _)| app.tenant == account.tenant) else { return Ok(None) };
        let (Ok(settings), Ok(secrets)) = (Settings::of(account), Secrets::from_value(secrets)) else { return Ok(None) };
        let seals = secrets.seals();
        let Credentials::Service { client_id, .. } = secrets.credentials else { return Ok(None) };
        let grant = grant_name(&settings.api_base, &client_id, Some(&settings.business_uid));
        let stored = self.grants.grant(&grant).await?;
        let sealed = stored.as_ref().and_then(|stored| stored.grant.sealed.as_deref());
        let tokens = seals.zip(sealed).and_then(|(seals, sealed)| seals.open(&grant, sealed));
        Ok(Some(Access { settings, grant, stored, tokens }))
    }

    /// Looks whether a channel became active, asks for it once, and gives up. Returns the new phase, if it changed.
    async fn look(&self, account: &Account, installed: &Installed) -> Result<Option<InstallPhase>, AppError> {
        let (store, now) = (&self.base.base.store, self.base.base.clock.now());
        let Some(channel) = installed.id.as_deref() else { return Ok(None) };
        let next = match store.installation(&account.id, channel, now).await? {
            // Whatever came after it was active is no matter of activation.
            Some(RemoteStatus::Active | RemoteStatus::Inactive | RemoteStatus::Blocked) => InstallPhase::Live,
            Some(RemoteStatus::Deleted) => return Ok(None),
            None | Some(RemoteStatus::Pending | RemoteStatus::Failed) => {
                let Some(access) = self.access(account).await? else { return Ok(None) };
                if now.since(installed.since) < access.settings.activation_timeout {
                    return Ok(None);
                }
                let is_asked = installed.phase == InstallPhase::Asked;
                match access.tokens.filter(|_| !is_asked) {
                    Some(tokens) => match self.told(activate_channel(&access.settings, channel, &tokens.access)).await {
                        // Not known to have arrived: asked again in a minute. It does no harm twice.
                        Told::Unknown(_) => return Ok(None),
                        Told::Yes(_) | Told::No { .. } => InstallPhase::Asked,
                    },
                    None => InstallPhase::Unanswered,
                }
            }
        };
        let changed = Installed { id: installed.id.clone(), phase: next, since: now };
        if store.replace_installed(&account.id, Some(installed), Some(&changed)).await? == Saved::Conflict {
            return Ok(None);
        }
        if next == InstallPhase::Unanswered {
            self.base.count(Metric::NotActivated);
            tracing::warn!(account.id = %account.id, "vcita did not activate the channel of {}", account.id);
        }
        Ok(Some(next))
    }

    /// V3, and with the last channel of the business P7 and the end of its tokens. Whether that is done.
    async fn remove(&self, account: &Account, installed: &Installed, directory: &model::Directory) -> Result<bool, AppError> {
        let (store, now) = (&self.base.base.store, self.base.base.clock.now());
        if let Some(access) = self.access(account).await? {
            let settings = &access.settings;
            if let (Some(channel), Some(tokens)) = (installed.id.as_deref(), &access.tokens) {
                // One that vcita knows no longer is removed too, and with a token that no longer works nothing can be done.
                if let Told::Unknown(reason) = self.told(delete_channel(settings, channel, &tokens.access)).await {
                    tracing::warn!(account.id = %account.id, "a channel was not deleted: {reason}");
                    return Ok(false);
                }
            }
            let is_used = directory.accounts_of(&account.app()).any(|other| {
                let is_its = Settings::of(other).is_ok_and(|other| other.business_uid == settings.business_uid);
                let is_over = other.installed.as_ref().is_some_and(|installed| installed.phase.is_over());
                is_its && other.id != account.id && !is_over && other.installation().is_some()
            });
            if let Some(stored) = access.stored.filter(|stored| !is_used && stored.grant.sealed.is_some()) {
                if let Some(tokens) = &access.tokens
                    && let Told::Unknown(reason) = self.told(revoke(settings, &tokens.access)).await
                {
                    tracing::warn!(account.id = %account.id, "tokens were not revoked: {reason}");
                    return Ok(false);
                }
                let none = Grant { sealed: None, expires_at: None, refused: Some("the business was disconnected".to_owned()) };
                // If it has changed the business has connected again.
                self.grants.keep_grant(&access.grant, stored.rev, &none).await?;
            }
        }
        let closed = Installed { id: installed.id.clone(), phase: InstallPhase::Closed, since: now };
        Ok(store.replace_installed(&account.id, Some(installed), Some(&closed)).await? == Saved::Yes)
    }
}
