//! FrontStage's WebSite: what the browsers of visitors call (contract, section 8).
//!
//! Every route lies under `/v1/frontstage/{gateway}/web/`, `~` in the contract. A browser is nobody's connector: it proves
//! nothing but that it is the same browser as before, by the cookie we gave it. What it does becomes what the connector of
//! a gateway would send; what it is told it asks for. To add a route, add its file, its binary and its events; what every
//! route has in common (cookie, origins, errors) is [`call`]'s.

pub mod agent_image;
mod call;
pub mod chat;
pub mod co_browsing;
pub mod confirm;
mod conversation;
mod form;
pub mod navigation;
mod polls;
mod problem;
pub mod result;
pub mod routing;
mod scaled;
pub mod scenario;
pub mod script;
pub mod sentence;
mod site;
pub mod start;
pub mod stop;
pub mod typing;

use std::sync::Arc;

use app::AppError;
use app::chats::ChatCtx;
use lambda::{Config, Roster, Services, SystemDice};
use model::Platform;
use platform_frontstage::{Code, WireError};
use ports::{Dice, InboundStore};
use wire::Reply;

pub use polls::Polls;
pub use site::Sites;

/// What the handlers need.
#[derive(Clone)]
pub struct Ctx {
    /// Chats.
    pub chats: ChatCtx,
    /// Randomness, for ids.
    pub dice: Arc<dyn Dice>,
    /// Accounts and secrets.
    pub roster: Arc<Roster>,
    /// Web sites, compiled.
    pub sites: Arc<Sites>,
    /// Who asked when.
    pub polls: Arc<Polls>,
    /// What taking messages needs, where forms become some. A function links it only if it connects it.
    pub messages: Option<app::Ctx<dyn InboundStore>>,
}

/// Connects, during INIT.
pub async fn connect(config: &Config) -> Ctx {
    let (services, roster) = Services::connect_reading(config, &[Platform::Frontstage]).await;
    let chats = services.chats(&roster, chats_frontstage::plan);
    let dice = Arc::new(SystemDice);
    Ctx { chats, dice, roster, sites: Arc::default(), polls: Arc::default(), messages: None }
}

/// The same for the function whose forms become messages.
pub async fn connect_with_messages(config: &Config) -> Ctx {
    let (services, roster) = Services::connect_reading(config, &[Platform::Frontstage]).await;
    let chats = services.chats(&roster, chats_frontstage::plan);
    let messages: app::Ctx<dyn InboundStore> = services.ctx(|store| store);
    let dice = Arc::new(SystemDice);
    Ctx { chats, dice, roster, sites: Arc::default(), polls: Arc::default(), messages: Some(messages) }
}

/// What a caller is told when a request did not happen (10.6).
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
