//! cTrader: Deskbridge as the broker's service behind the screens of the trading app.
//!
//! Everything that is specific to cTrader is here: what an operator configures for a brand, what its backend and its app send,
//! and what is sent to it. The crate makes no call and reads no clock. It must not know AWS, other platforms or how anything
//! is stored.
//!
//! Section numbers in comments are those of the cTrader contract.

mod outbound;
mod person;
mod settings;

pub use outbound::Ctrader;
pub use person::{Person, hashed};
pub use settings::{Brand, ConfigProblem};
