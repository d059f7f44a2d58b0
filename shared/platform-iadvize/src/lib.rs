//! iAdvize: Deskbridge as the connector app behind its plugins, its bot and its webhooks.
//!
//! Everything that is specific to iAdvize is here: what an operator configures for a site, who may call us, what is asked and
//! what is answered. The crate makes no call and reads no clock. It must not know AWS, other platforms or how anything is
//! stored.
//!
//! Section numbers in comments are those of the iAdvize contract.

mod api;
pub mod bot;
mod closing_form;
mod customer;
mod ids;
mod language;
mod outbound;
pub mod panel;
pub mod products;
mod query;
mod secrets;
mod settings;
mod signature;
mod webhook;

pub use api::Api;
pub use closing_form::{ClosingField, ClosingInput, FieldType, closing_form};
pub use customer::{CardAction, CardLine, Case, Customer, Does, MAX_CONVERSATIONS, Seen, Visitor, card};
pub use ids::{DeskPlatform, OperatorId, Website};
pub use language::language;
pub use outbound::{CHATBOT, Iadvize, LANG};
pub use query::Query;
pub use secrets::Secrets;
pub use settings::{Choice, ConfigProblem, Site, Tongue};
pub use signature::verify;
pub use webhook::{BadEvent, Event};
