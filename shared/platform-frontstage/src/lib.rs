//! FrontStage message connectors: who calls, what they say, and how they are given what our side says.
//!
//! The crate holds the vendor's words for the message part of the contract (`ES_MESSAGE_*`, `ES_SL_*` and their
//! answers): signatures, envelopes, field rules, the translation to and from the model, and the push with its schedule.
//! It does no I/O and must not know AWS, a store, or another platform. To serve one more message of the contract, give
//! [`Msg`] a variant, read it in [`parse`] and take its name off the list of messages that are not served yet.
//!
//! The order of use: [`verify`], [`parse`], then per item [`receive`], [`acknowledgement`] or [`check_address`], the
//! answers built with [`Answer`]. Numbers in comments are sections of the FrontStage contract.

mod auth;
mod content;
mod envelope;
mod error;
mod form;
mod inbound;
mod json;
mod outbound;
mod reply;
mod settings;

pub use auth::{AuthFailure, Nonce, sign, verify};
pub use content::{CommandInfo, GatewayInfo, MessageContentInfo};
pub use envelope::{Batch, Envelope, Form, Item, MAX_BODY, MAX_ITEMS, Msg, parse};
pub use error::{Code, Warning, WireError};
pub use inbound::{Received, acknowledgement, check_address, event_keys, own_reply, receive};
pub use outbound::{Frontstage, FrontstagePolicy};
pub use reply::{Answer, Head, OutBody, OutEnvelope, Outcome, gateways_reply, received_reply};
pub use settings::{Channel, Direction, Key, MessageGateway, Secrets, Settings, SettingsProblem};
