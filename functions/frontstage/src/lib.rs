//! FrontStage: what its connectors call.

pub mod messages;

use std::sync::Arc;

use app::AppError;
use lambda::{Config, Metric, Metrics, Roster, Services};
use model::{EpochMillis, Platform};
use platform_frontstage::{Code, WireError};
use ports::{AckStore, InboundStore};
use wire::Reply;

/// What the handlers need.
#[derive(Clone)]
pub struct Ctx {
    /// What taking messages needs.
    pub base: app::Ctx<dyn InboundStore>,
    /// What acknowledgements need.
    pub acks: app::Ctx<dyn AckStore>,
    /// Accounts and secrets.
    pub roster: Arc<Roster>,
    /// Name of the function, for metrics.
    pub function: String,
}

impl Ctx {
    /// Counts one of something.
    fn count(&self, metric: Metric, now: EpochMillis) {
        let mut metrics = Metrics::default();
        metrics.count(Some(Platform::Frontstage), metric, 1);
        metrics.emit(&self.function, now);
    }
}

/// Connects, during INIT.
pub async fn connect(config: &Config) -> Ctx {
    let (services, roster) = Services::connect_reading(config, &[Platform::Frontstage]).await;
    Ctx { base: services.ctx(|store| store), acks: services.ctx(|store| store), roster, function: config.function.clone() }
}

/// What a connector is told when a request did not happen (FrontStage contract 10.6).
#[must_use]
pub fn render(error: &AppError, request_id: &str) -> Reply {
    let error = match error {
        AppError::Unauthenticated(_) => WireError::unauthorized(),
        AppError::UnknownAccount(_) => WireError::new(Code::UnknownGateway, "no such gateway"),
        AppError::TooLarge { limit } => WireError::new(Code::TooLarge, format!("more than {limit} bytes")),
        AppError::Unavailable(_) => WireError::new(Code::Unavailable, "try again"),
        AppError::Internal(_) => WireError::new(Code::Internal, "internal error"),
    };
    error.to_reply(request_id)
}
