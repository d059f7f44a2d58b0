//! Rox.Chat: the host page of its Agent Workspace, and what that page calls.
//!
//! The CRM opens the page with a ticket. The page tells what it hears from the workspace, asks what is known of visitors, and takes
//! commands. To add a route, add its file, its binary and its events.

mod assets;
pub mod commands;
pub mod events;
mod heard;
pub mod host;
mod keys;
mod problem;
pub mod session;
mod sheet;
pub mod views;
mod who;

use std::sync::Arc;
use std::time::Duration;

use app::Ctx as Base;
use lambda::{Config, Metric, Metrics, Roster, Services, SystemClock, SystemDice};
use model::Platform;
use ports::{Clock, Dice, InboundStore, People, Records};

pub use problem::{Problem, render};

/// What every route needs.
#[derive(Clone)]
pub struct Ctx {
    /// Accounts and their secrets.
    pub roster: Arc<Roster>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub dice: Arc<dyn Dice>,
    /// Name of the function, for metrics.
    pub function: String,
}

impl Ctx {
    /// Counts some of something.
    fn count(&self, metric: Metric, by: usize) {
        let mut metrics = Metrics::default();
        metrics.count(Some(Platform::Roxchat), metric, u32::try_from(by).unwrap_or(u32::MAX));
        metrics.emit(&self.function, self.clock.now());
    }
}

/// What the routes that keep something need.
#[derive(Clone)]
pub struct Keeping {
    /// What every route needs.
    pub base: Ctx,
    /// Visitors, chats, commands.
    pub records: Arc<dyn Records>,
    /// How long.
    pub kept: Duration,
}

async fn connected(config: &Config) -> (Ctx, Services) {
    let (services, roster) = Services::connect_reading(config, &[Platform::Roxchat]).await;
    let ctx = Ctx { roster, clock: Arc::new(SystemClock), dice: Arc::new(SystemDice), function: config.function.clone() };
    (ctx, services)
}

fn keeping(base: Ctx, services: &Services, config: &Config) -> Keeping {
    Keeping { base, records: services.records(), kept: config.retention }
}

/// Connects what the routes that keep nothing need, during INIT.
pub async fn connect_session(config: &Config) -> Ctx {
    connected(config).await.0
}

/// Connects what the host page needs, during INIT.
pub async fn connect_host(config: &Config) -> Keeping {
    let (base, services) = connected(config).await;
    keeping(base, &services, config)
}

/// Connects what commands need, during INIT.
pub async fn connect_commands(config: &Config) -> Keeping {
    connect_host(config).await
}

/// Connects what taking events needs, during INIT.
pub async fn connect_events(config: &Config) -> events::Events {
    let (base, services) = connected(config).await;
    let inbound: Base<dyn InboundStore> = services.ctx(|store| store);
    events::Events { keeping: keeping(base, &services, config), inbound, rates: Arc::default() }
}

/// Connects what looking at visitors and chats needs, during INIT.
pub async fn connect_views(config: &Config) -> views::Views {
    let (base, services) = connected(config).await;
    let people: Arc<dyn People> = services.people();
    views::Views { keeping: keeping(base, &services, config), people }
}
