//! cTrader: what its backend and its app call at the broker, on one origin per brand.
//!
//! A brand is chosen by the host name of a request (section 11, "Multi-brand"), never by anything in it. Screens are plain
//! pages; what they do, their scripts ask for below `/inapp/api/` with the session's token as bearer. To add a route, add its
//! file, its binary and its events.

mod assets;
mod brand;
mod problem;
pub mod screen;
mod session;

use std::sync::Arc;

use lambda::{Config, Roster, Services, SystemClock, SystemDice};
use model::Platform;
use ports::{Clock, Dice, Records};

pub use brand::{Found, find_brand};
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
}

/// Connects, during INIT.
pub async fn connect(config: &Config) -> Ctx {
    let (services, roster) = Services::connect_reading(config, &[Platform::Ctrader]).await;
    Ctx { records: services.records(), roster, clock: Arc::new(SystemClock), dice: Arc::new(SystemDice) }
}
