//! cTrader: what its backend and its app call at the broker, on one origin per brand.
//!
//! A brand is chosen by the host name of a request (section 11, "Multi-brand"), never by anything in it. Screens are plain
//! pages; what they do, their scripts ask for below `/inapp/api/` with the session's token as bearer. To add a route, add its
//! file, its binary and its events.

pub mod action;
mod assets;
pub mod authorize;
mod brand;
mod call;
pub mod certificate;
pub mod chat;
pub mod crm_token;
pub mod education;
pub mod exchange;
mod handoff;
pub mod logout;
mod oauth;
pub mod onetime_authorize;
pub mod onetime_generate;
pub mod operator;
mod problem;
pub mod screen;
mod session;
mod tokens;
pub mod upload;
mod users;

use std::sync::Arc;
use std::time::Duration;

use lambda::{Config, Roster, Services, SystemClock, SystemDice};
use model::Platform;
use objects_s3::{Bucket, BucketSettings};
use outbound_http::{HttpSender, TargetPolicy};
use ports::{Clock, Dice, Records};

pub use brand::{Found, find_brand};
pub use crm_token::Guesses;
pub use exchange::{ExchangeCtx, connect_exchange};
pub use handoff::Managers;
pub use oauth::{OauthCtx, connect_oauth, render as render_oauth};
pub use problem::{Code, Problem, render};
pub use session::{Session, Visit, open_session, visit};

/// What every route needs.
#[derive(Clone)]
pub struct Ctx {
    /// Tokens, sessions and what screens keep.
    pub records: Arc<dyn Records>,
    /// Brands and their secrets.
    pub roster: Arc<Roster>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for tokens.
    pub dice: Arc<dyn Dice>,
    /// How long what was said is kept.
    pub kept: Duration,
}

/// Connects, during INIT.
pub async fn connect(config: &Config) -> Ctx {
    connected(config).await.0
}

async fn connected(config: &Config) -> (Ctx, Services) {
    let (services, roster) = Services::connect_reading(config, &[Platform::Ctrader]).await;
    (with(config, &services, roster), services)
}

fn with(config: &Config, services: &Services, roster: Arc<Roster>) -> Ctx {
    let (clock, dice) = (Arc::new(SystemClock), Arc::new(SystemDice));
    Ctx { records: services.records(), roster, clock, dice, kept: config.retention }
}

/// Connects what actions need, during INIT.
pub async fn connect_action(config: &Config) -> Arc<action::ActionCtx> {
    let (base, services) = connected(config).await;
    Arc::new(action::ActionCtx { base, results: services.ctx(|store| store) })
}

/// Connects what uploads need, during INIT.
pub async fn connect_upload(config: &Config) -> Arc<upload::UploadCtx> {
    let (base, _) = connected(config).await;
    let targets = TargetPolicy::new(config.allow_loopback_targets);
    Arc::new(upload::UploadCtx { base, bucket: upload_bucket(config), sender: Arc::new(HttpSender::new(targets)) })
}

fn upload_bucket(config: &Config) -> Bucket {
    Bucket::new(BucketSettings {
        name: config.upload_bucket.clone(),
        region: config.region.clone(),
        endpoint: config.endpoint.clone(),
        access_key: config.access_key.clone(),
        secret_key: config.secret_key.clone(),
        session_token: config.session_token.clone(),
    })
}
