//! FrontStage: what its connectors and the clients of our agents call, and what connectors are pushed.

mod access;
mod envelopes;
pub mod events;
mod forms;
pub mod health;
pub mod messages;
pub mod push;
mod rates;
mod streams;
mod visitors;
pub mod workplace_events;
pub mod workplace_messages;

use std::sync::Arc;

use app::chats::{ChatCtx, PushCtx};
use app::{AppError, HandOutCtx};
use lambda::{BatchCtx, Config, Metric, Metrics, Roster, Services};
use model::{DeliveryContent, EpochMillis, Platform};
use outbound_http::{HttpSender, TargetPolicy};
use platform_frontstage::{Code, Frontstage, FrontstagePolicy, WireError};
use ports::{AckStore, Askers, InboundStore};
use wire::{Reply, Terms as _};

use crate::events::EventsCtx;
use crate::push::PushingCtx;

pub use crate::rates::Rates;

/// What the handlers need.
#[derive(Clone)]
pub struct Ctx {
    /// What taking messages needs.
    pub base: app::Ctx<dyn InboundStore>,
    /// What acknowledgements need.
    pub acks: app::Ctx<dyn AckStore>,
    /// Chats and their streams.
    pub chats: ChatCtx,
    /// Gateways that have asked for registers.
    pub askers: Arc<dyn Askers>,
    /// Accounts and secrets.
    pub roster: Arc<Roster>,
    /// What gateways have posted lately.
    pub rates: Arc<Rates>,
    /// Name of the function, for metrics.
    pub function: String,
}

impl Ctx {
    /// Counts some of something.
    fn count(&self, metric: Metric, by: u32, now: EpochMillis) {
        let mut metrics = Metrics::default();
        metrics.count(Some(Platform::Frontstage), metric, by);
        metrics.emit(&self.function, now);
    }
}

/// Connects, during INIT.
pub async fn connect(config: &Config) -> Ctx {
    let (services, roster) = Services::connect_reading(config, &[Platform::Frontstage]).await;
    ctx(config, &services, roster)
}

/// Connects what fetching needs, during INIT.
pub async fn connect_events(config: &Config) -> EventsCtx {
    let (services, roster) = Services::connect_reading(config, &[Platform::Frontstage]).await;
    let terms = Frontstage::new(FrontstagePolicy { ack_timeout: config.ack_timeout, ..FrontstagePolicy::default() });
    let fetched = HandOutCtx { base: services.ctx(|store| store), policy: terms.policy(DeliveryContent::Message) };
    EventsCtx { base: ctx(config, &services, roster), fetched }
}

/// Connects what pushing needs, during INIT.
pub async fn connect_push(config: &Config) -> (PushingCtx, BatchCtx) {
    let (services, roster) = Services::connect_reading(config, &[Platform::Frontstage]).await;
    let base = ctx(config, &services, roster);
    let push = PushCtx {
        chats: base.chats.clone(),
        states: services.push_states(),
        sender: Arc::new(HttpSender::new(TargetPolicy::new(config.allow_loopback_targets))),
        dice: base.base.dice.clone(),
    };
    let batch = BatchCtx { function: config.function.clone(), queue: base.base.queue.clone(), clock: base.base.clock.clone() };
    (PushingCtx { base, push }, batch)
}

fn ctx(config: &Config, services: &Services, roster: Arc<Roster>) -> Ctx {
    let chats = services.chats(&roster, chats_frontstage::plan);
    let function = config.function.clone();
    let askers = services.askers();
    let rates = Arc::default();
    Ctx { base: services.ctx(|store| store), acks: services.ctx(|store| store), chats, askers, roster, rates, function }
}

/// What a caller is told when a request did not happen (FrontStage contract 10.6).
#[must_use]
pub fn render(error: &AppError, request_id: &str) -> Reply {
    let error = match error {
        AppError::Unauthenticated(_) => WireError::unauthorized(),
        AppError::UnknownAccount(_) => unknown_gateway(),
        AppError::TooLarge { limit } => too_large(*limit),
        AppError::Unavailable(_) => WireError::new(Code::Unavailable, "try again"),
        AppError::Internal(_) => WireError::new(Code::Internal, "internal error"),
    };
    error.to_reply(request_id)
}

/// A path that leads to nobody.
fn unknown_gateway() -> WireError {
    WireError::new(Code::UnknownGateway, "no such gateway")
}

fn too_large(limit: usize) -> WireError {
    WireError::new(Code::TooLarge, format!("more than {limit} bytes"))
}
