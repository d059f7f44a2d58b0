//! vcita: what VCS calls, below the `api_uri` of the app.

pub mod channel_updated;
pub mod connect;
pub mod events;
pub mod message_created;
pub mod message_updated;
mod offboarding;
mod page;
pub mod session_updated;
pub mod typing;
pub mod upkeep;

use std::sync::Arc;

use crate::connect::ConnectCtx;
use app::AppError;
use app::chats::ChatCtx;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use lambda::{Config, Metric, Metrics, Roster, Services, Snapshot};
use model::{Account, AccountId, Platform};
use outbound_http::{HttpSender, TargetPolicy};
use platform_vcita::{ChannelUid, MAX_BODY, Secrets, Settings, app_key, is_from, is_signed_by, verify};
use ports::{InboundStore, Installs, StatusStore, ThreadStore};
use wire::{RawRequest, Reply, Verified};

/// What the handlers need. `S` is the part of the store that the route uses.
pub struct Ctx<S: ?Sized> {
    /// Store, queues, clock and randomness.
    pub base: app::Ctx<S>,
    /// Accounts and secrets.
    pub roster: Arc<Roster>,
    /// Name of the function, for metrics.
    pub function: String,
}

impl<S: ?Sized> Clone for Ctx<S> {
    fn clone(&self) -> Self {
        Self { base: self.base.clone(), roster: self.roster.clone(), function: self.function.clone() }
    }
}

/// What is kept of channels: their status, and how they were made.
pub trait ChannelStore: StatusStore + Installs {}

impl<T: StatusStore + Installs> ChannelStore for T {}

/// A request whose sender knows the path secret of an app.
struct Call {
    /// The account of the app.
    app: AccountId,
    secrets: Secrets,
    snapshot: Arc<Snapshot>,
    request: Verified<RawRequest>,
}

impl Call {
    /// The account of the app whose channel this is, as far as known. A channel of another app is none.
    fn account_of(&self, channel: &ChannelUid) -> Option<Account> {
        account_of(&self.snapshot, &self.app, channel)
    }
}

fn account_of(snapshot: &Snapshot, app: &AccountId, channel: &ChannelUid) -> Option<Account> {
    snapshot.directory.accounts_of(app).find(|account| account.installation() == Some(channel.as_str())).cloned()
}

impl<S: ?Sized> Ctx<S> {
    /// Finds the account the path names and proves that the sender knows its secret.
    async fn verify(&self, request: RawRequest) -> Result<Call, AppError> {
        let Some(key) = app_key(&request).and_then(|key| key.parse().ok()) else {
            return Err(AppError::Unauthenticated("no account in the path"));
        };
        let id = AccountId::new(Platform::Vcita, key);
        let snapshot = self.roster.knowing(&id).await?;
        let Some((account, secrets)) = snapshot.account(&id) else { return Err(AppError::UnknownAccount(id)) };
        let secrets = Secrets::from_value(secrets).map_err(|_| AppError::Internal("secrets of an app cannot be read"))?;
        let settings = Settings::of(account).map_err(|_| AppError::Internal("settings of an app cannot be read"))?;
        // One URL for all businesses of an app: that of another account is none.
        let is_app = account.app() == id;
        // Only a caller with the secret is told that a body is too long.
        let is_too_large = request.body.len() > MAX_BODY;
        let is_from = is_from(&request, settings.sources.as_ref());
        let Ok(request) = verify(request, &secrets) else {
            self.count(Metric::AuthFailures);
            return Err(AppError::Unauthenticated("path secret rejected"));
        };
        if !is_app || !is_from {
            self.count(Metric::AuthFailures);
            return Err(AppError::Unauthenticated(if is_app { "source address rejected" } else { "not the account of the app" }));
        }
        if is_signed_by(request.get(), &secrets) == Some(false) {
            tracing::warn!(account.id = %id, "X-Vcita-Signature is not the one we would make");
        }
        if is_too_large {
            return Err(AppError::TooLarge { limit: MAX_BODY });
        }
        Ok(Call { app: id, secrets, snapshot, request })
    }

    /// The account of the app whose channel this is. One that is not known may have been made a moment ago: then everything
    /// is read again, which only a caller with the secret can cause.
    async fn account_of(&self, call: &Call, channel: &ChannelUid) -> Result<Option<Account>, AppError> {
        match call.account_of(channel) {
            Some(account) => Ok(Some(account)),
            None => Ok(account_of(&*self.roster.afresh().await?, &call.app, channel)),
        }
    }

    /// Counts one of something.
    fn count(&self, metric: Metric) {
        let mut metrics = Metrics::default();
        metrics.count(Some(Platform::Vcita), metric, 1);
        metrics.emit(&self.function, self.base.clock.now());
    }
}

impl Ctx<dyn ChannelStore> {
    /// What noting a status needs.
    fn statuses(&self) -> app::Ctx<dyn StatusStore> {
        self.base.with(self.base.store.clone())
    }
}

/// Connects what the route of messages needs, during INIT.
pub async fn connect_inbound(config: &Config) -> Ctx<dyn InboundStore> {
    let (services, roster) = Services::connect_reading(config, &[Platform::Vcita]).await;
    Ctx { base: services.ctx(|store| store), roster, function: config.function.clone() }
}

/// Connects what the routes of statuses need, during INIT.
pub async fn connect_status(config: &Config) -> Ctx<dyn StatusStore> {
    let (services, roster) = Services::connect_reading(config, &[Platform::Vcita]).await;
    Ctx { base: services.ctx(|store| store), roster, function: config.function.clone() }
}

/// Connects what the route of typing needs, during INIT: it moves chats itself, as typing is worth nothing by the time a queue
/// brings it.
pub async fn connect_typing(config: &Config) -> (Ctx<dyn ThreadStore>, ChatCtx) {
    let (services, roster) = Services::connect_reading(config, &[Platform::Vcita]).await;
    let chats = services.chats(&roster, chats_frontstage::plan);
    (Ctx { base: services.ctx(|store| store), roster, function: config.function.clone() }, chats)
}

/// Connects what the routes of channels and events need, during INIT.
pub async fn connect_channels(config: &Config) -> Ctx<dyn ChannelStore> {
    let (services, roster) = Services::connect_reading(config, &[Platform::Vcita]).await;
    Ctx { base: services.ctx(|store| store), roster, function: config.function.clone() }
}

/// Connects what calls to vcita about channels need, during INIT.
pub async fn connect_calls(config: &Config) -> ConnectCtx {
    let (services, roster) = Services::connect_reading(config, &[Platform::Vcita]).await;
    let targets = TargetPolicy::new(config.allow_loopback_targets);
    let base: Ctx<dyn ChannelStore> = Ctx { base: services.ctx(|store| store), roster, function: config.function.clone() };
    ConnectCtx { base, grants: services.grants(), sender: Arc::new(HttpSender::new(targets)) }
}

/// What VCS is told when a request did not happen (vcita contract, section 5, answer table). An unknown app and a wrong
/// secret are the same to it.
#[must_use]
pub fn render(error: &AppError, _request_id: &str) -> Reply {
    match error {
        AppError::Unauthenticated(_) | AppError::UnknownAccount(_) => Reply::empty(StatusCode::NOT_FOUND),
        AppError::TooLarge { .. } => platform_vcita::WireError::TooLarge.reply(),
        AppError::Unavailable(_) => {
            Reply::empty(StatusCode::SERVICE_UNAVAILABLE).with_header(RETRY_AFTER, HeaderValue::from_static("5"))
        }
        AppError::Internal(_) => Reply::empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// Taken.
fn no_content() -> Reply {
    Reply::empty(StatusCode::NO_CONTENT)
}
