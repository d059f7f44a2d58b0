//! What leaves: deliveries, timers of acknowledgements and chats, and the sweep that makes up for what got lost.
//!
//! The only crate that links every platform: [`Platforms`] is the registry, one exhaustive match.

pub mod ack_timer;
pub mod chat_timer;
pub mod deliver;
pub mod sweep;

use std::sync::Arc;

use app::chats::ChatCtx;
use app::{Ctx, OutboundCtx, Registry, SettleCtx, TermsRegistry};
use lambda::{BatchCtx, Config, Services, SystemSleeper};
use model::Platform;
use outbound_http::{HttpSender, TargetPolicy};
use platform_ctrader::Ctrader;
use platform_frontstage::{Frontstage, FrontstagePolicy};
use platform_iadvize::Iadvize;
use platform_roxchat::Roxchat;
use platform_vcita::Vcita;
use ports::{DeliveryStore, DirectoryStore, Offers, OutboundStore};
use serde::Deserialize;
use wire::{Outbound, Terms};

use crate::sweep::SweepCtx;

/// What the tasks of a queue that carries several kinds have in common.
#[derive(Deserialize)]
struct Named {
    task: String,
}

/// Every platform as a recipient.
pub struct Platforms {
    ctrader: Ctrader,
    frontstage: Frontstage,
    iadvize: Iadvize,
    vcita: Vcita,
}

impl Platforms {
    /// The platforms with the schedule this deployment was given.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let policy = FrontstagePolicy {
            ack_timeout: config.ack_timeout,
            retry_delays: config.retry_delays.clone(),
            max_attempts: config.max_attempts,
        };
        Self { ctrader: Ctrader::new(), frontstage: Frontstage::new(policy), iadvize: Iadvize::new(), vcita: Vcita::new() }
    }
}

impl TermsRegistry for Platforms {
    fn terms(&self, platform: Platform) -> &dyn Terms {
        match platform {
            Platform::Ctrader => &self.ctrader,
            Platform::Frontstage => &self.frontstage,
            Platform::Iadvize => &self.iadvize,
            Platform::Roxchat => &Roxchat,
            Platform::Vcita => &self.vcita,
        }
    }
}

impl Registry for Platforms {
    fn outbound(&self, platform: Platform) -> &dyn Outbound {
        match platform {
            Platform::Ctrader => &self.ctrader,
            Platform::Frontstage => &self.frontstage,
            Platform::Iadvize => &self.iadvize,
            Platform::Roxchat => &Roxchat,
            Platform::Vcita => &self.vcita,
        }
    }
}

/// Connects what settling deliveries needs: no secrets, no calls to platforms.
#[must_use]
pub fn connect_settle(config: &Config) -> (SettleCtx, BatchCtx) {
    settle(config, &Services::connect(config), Arc::new(Platforms::new(config)))
}

/// Connects what the sweep needs.
#[must_use]
pub fn connect_sweep(config: &Config) -> SweepCtx {
    let services = Services::connect(config);
    let directory: Ctx<dyn DirectoryStore> = services.ctx(|store| store);
    SweepCtx {
        lanes: services.ctx(|store| store),
        chats: chats(config, &services),
        pushes: services.push_states(),
        askers: services.askers(),
        directory: directory.store,
    }
}

/// Connects what the timers of chats need, and what settling what staff of other platforms says in them does.
#[must_use]
pub fn connect_chats(config: &Config) -> (ChatCtx, SettleCtx, BatchCtx) {
    let services = Services::connect(config);
    let (settle, batch) = settle(config, &services, Arc::new(Platforms::new(config)));
    (chats(config, &services), settle, batch)
}

fn chats(config: &Config, services: &Services) -> ChatCtx {
    services.chats(&services.accounts(config), chats_frontstage::plan)
}

fn batch<S: ?Sized>(config: &Config, base: &Ctx<S>) -> BatchCtx {
    BatchCtx { function: config.function.clone(), queue: base.queue.clone(), clock: base.clock.clone() }
}

/// Connects what making deliveries needs.
pub async fn connect_outbound(config: &Config) -> (OutboundCtx, BatchCtx) {
    let (services, recipients) = Services::connect_reading(config, &Platform::ALL).await;
    let registry = Arc::new(Platforms::new(config));
    let (settle, batch) = settle(config, &services, registry.clone());
    let outbound = OutboundCtx {
        settle,
        acks: services.ctx(|store| store),
        offers: services.ctx::<dyn Offers>(|store| store).store,
        heard: services.pushes(),
        registry,
        sender: Arc::new(HttpSender::new(TargetPolicy::new(config.allow_loopback_targets))),
        grants: services.grants(),
        paces: services.paces(),
        sleeper: Arc::new(SystemSleeper),
        side: services.ctx::<dyn OutboundStore>(|store| store).store,
        recipients,
    };
    (outbound, batch)
}

fn settle(config: &Config, services: &Services, terms: Arc<dyn TermsRegistry>) -> (SettleCtx, BatchCtx) {
    let base: Ctx<dyn DeliveryStore> = services.ctx(|store| store);
    let batch = batch(config, &base);
    (SettleCtx { base, terms }, batch)
}
