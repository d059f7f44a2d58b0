//! vcita: what VCS calls, below the `api_uri` of the app.

pub mod channel_updated;
pub mod message_created;
pub mod message_updated;
pub mod session_updated;
pub mod typing;

use std::sync::Arc;

use app::AppError;
use app::chats::ChatCtx;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use lambda::{Config, Metric, Metrics, Roster, Services};
use model::{Account, AccountId, Platform};
use platform_vcita::{MAX_BODY, Secrets, Settings, app_key, verify};
use ports::{InboundStore, StatusStore, ThreadStore};
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

/// A request whose sender knows the path secret of an account.
struct Call {
    account: Account,
    settings: Settings,
    request: Verified<RawRequest>,
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
        // Only a caller with the secret is told that a body is too long.
        let is_too_large = request.body.len() > MAX_BODY;
        let Ok(request) = verify(request, &secrets) else {
            self.count(Metric::AuthFailures);
            return Err(AppError::Unauthenticated("path secret rejected"));
        };
        if is_too_large {
            return Err(AppError::TooLarge { limit: MAX_BODY });
        }
        Ok(Call { account: account.clone(), settings, request })
    }

    /// Counts one of something.
    fn count(&self, metric: Metric) {
        let mut metrics = Metrics::default();
        metrics.count(Some(Platform::Vcita), metric, 1);
        metrics.emit(&self.function, self.base.clock.now());
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
