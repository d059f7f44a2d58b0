//! iAdvize: what its plugins, its bot and its webhooks call.
//!
//! A call is believed when it is signed with a token of a site's connector, and is about the site that it names. To add a
//! route, add its file, its binary and its events.

pub mod bot;
mod call;
pub mod categories;
pub mod closing_form;
pub mod customer;
pub mod customer_action;
pub mod health;
pub mod operator;
pub mod options;
pub mod panel;
mod problem;
pub mod products;
mod visitors;
pub mod webhook;

use std::sync::Arc;

use lambda::{Config, Metric, Metrics, Roster, Services, SystemClock, SystemSleeper};
use model::Platform;
use outbound_http::{HttpSender, TargetPolicy};
use ports::{Catalogue, Clock};

pub use call::{Call, Found, Sites, verify};
pub use problem::{Problem, render};

/// What every signed route needs.
#[derive(Clone)]
pub struct Ctx {
    /// Sites and their secrets.
    pub roster: Arc<Roster>,
    /// The same, as they are read.
    pub sites: Arc<Sites>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Name of the function, for metrics.
    pub function: String,
}

impl Ctx {
    /// Counts one of something.
    fn count(&self, metric: Metric) {
        let mut metrics = Metrics::default();
        metrics.count(Some(Platform::Iadvize), metric, 1);
        metrics.emit(&self.function, self.clock.now());
    }
}

/// What the routes of the product list need.
#[derive(Clone)]
pub struct ProductsCtx {
    /// What every signed route needs.
    pub ctx: Ctx,
    /// The sites' products.
    pub catalogue: Arc<dyn Catalogue>,
}

/// Connects, during INIT.
pub async fn connect(config: &Config) -> Ctx {
    connected(config).await.0
}

/// Connects what the card needs, during INIT.
pub async fn connect_customer(config: &Config) -> customer::CustomerCtx {
    let (base, services) = connected(config).await;
    customer::CustomerCtx { base, records: services.records(), people: services.people(), kept: config.retention }
}

/// Connects what the card's actions need, during INIT.
pub async fn connect_action(config: &Config) -> customer_action::ActionCtx {
    let (base, services) = connected(config).await;
    let targets = TargetPolicy::new(config.allow_loopback_targets);
    customer_action::ActionCtx {
        base,
        records: services.records(),
        sender: Arc::new(HttpSender::new(targets)),
        sleeper: Arc::new(SystemSleeper),
        kept: config.retention,
    }
}

/// Connects what the operator's function needs: nobody's secrets.
#[must_use]
pub fn connect_operator(config: &Config) -> operator::OperatorCtx {
    let services = Services::connect(config);
    let (roster, clock) = (services.accounts(config), Arc::new(SystemClock));
    let base = Ctx { roster, sites: Arc::default(), clock, function: config.function.clone() };
    operator::OperatorCtx { base, records: services.records() }
}

/// Connects what webhooks need, during INIT.
pub async fn connect_webhook(config: &Config) -> webhook::WebhookCtx {
    let (base, services) = connected(config).await;
    let queue = services.ctx(|store| store).queue;
    webhook::WebhookCtx { base, records: services.records(), queue, kept: config.retention }
}

/// Connects what the panel's API needs, during INIT.
pub async fn connect_panel_api(config: &Config) -> panel::api::Api {
    let (ctx, services) = connected(config).await;
    let timeline = panel::Remembered {
        roster: ctx.roster.clone(),
        records: services.records(),
        people: services.people(),
        clock: ctx.clock.clone(),
        kept: config.retention,
    };
    let products = panel::Published(services.catalogue());
    panel::api::Api { ctx, timeline: Some(Arc::new(timeline)), products: Some(Arc::new(products)) }
}

/// Connects what tells what messages mean, during INIT.
pub async fn connect_panel_messages(config: &Config) -> panel::messages::Messages {
    let (ctx, services) = connected(config).await;
    panel::messages::Messages { ctx, products: Some(Arc::new(panel::Published(services.catalogue()))) }
}

/// Connects what the product list needs, during INIT.
pub async fn connect_products(config: &Config) -> ProductsCtx {
    let (ctx, services) = connected(config).await;
    ProductsCtx { ctx, catalogue: services.catalogue() }
}

/// Connects what the bot needs, during INIT.
pub async fn connect_bot(config: &Config) -> Arc<bot::BotCtx> {
    let (base, services) = connected(config).await;
    Arc::new(bot::BotCtx::new(base, services.records(), Arc::new(SystemSleeper)))
}

/// The same with the way to desks.
pub async fn connect_talk(config: &Config) -> Arc<bot::BotCtx> {
    let (base, services) = connected(config).await;
    let bots = bot::BotCtx::new(base, services.records(), Arc::new(SystemSleeper));
    let chats = services.chats(&bots.base.roster, chats_frontstage::plan);
    Arc::new(bots.with_desks(services.ctx(|store| store), chats))
}

async fn connected(config: &Config) -> (Ctx, Services) {
    let (services, roster) = Services::connect_reading(config, &[Platform::Iadvize]).await;
    (Ctx { roster, sites: Arc::default(), clock: Arc::new(SystemClock), function: config.function.clone() }, services)
}
