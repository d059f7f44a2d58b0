//! cTrader: Deskbridge as the broker's service behind the screens of the trading app.
//!
//! Everything that is specific to cTrader is here: what an operator configures for a brand, what its backend and its app send,
//! and what is sent to it. The crate makes no call and reads no clock. It must not know AWS, other platforms or how anything
//! is stored.
//!
//! Section numbers in comments are those of the cTrader contract.

mod action;
mod answer;
pub mod attachment;
mod certificate;
pub mod chat;
mod education;
mod identity;
mod outbound;
mod params;
mod pattern;
mod person;
mod redeem;
mod schema;
mod secrets;
mod settings;
mod sink;
mod upload;

pub use action::{ActionType, Answers, FormStep, Kind, Redeemed, Status, action_of, check_actions, check_brand, has_idle_ribbon};
pub use answer::ActionResult;
pub use certificate::Certificate;
pub use chat::ChatSettings;
pub use education::{Content, ContentKind, MAX_ITEMS, Quiz, Scored};
pub use identity::{Backend, Channels, Handoff, Identity, InappTokens, RedeemVariant, Sso, UnknownUsers};
pub use outbound::Ctrader;
pub use params::{BadParameter, Params, Screen, shown};
pub use person::{Person, hashed};
pub use redeem::{Attempt, Vouched, ask_manager_token, attempt, manager_token, redeem, user_id};
pub use schema::{Broken, Schema};
pub use secrets::Secrets;
pub use settings::{Brand, ConfigProblem};
pub use sink::{Ribbon, SinkRule};
pub use text::Words;
pub use upload::{FileKind, LOOKED_AT, MAX_FILES, Scan, Uploads, file_name};
