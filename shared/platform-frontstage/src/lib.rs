//! FrontStage: what its connectors and agent clients say and are told.
//!
//! The crate holds the vendor's words: signatures, envelopes, every structure of the contract with its field rules, JSON
//! and MessagePack; and for messages the translation to and from the model, and the push with its schedule. It does no
//! I/O and must not know AWS, a store, or another platform.
//!
//! The order of use: [`verify`], [`parse`], then per item what its [`Msg`] asks for ([`receive`], [`acknowledgement`]), the
//! answers built with [`Answer`] out of [`OutBody`]. What is said of chats goes through [`hearing`], what a chat does through
//! [`tell`] into its streams ([`kept_envelope`], [`given_envelope`]). What browsers say is another crate's. Numbers in comments are
//! sections of the FrontStage contract.
//!
//! To add a structure, write its table in the module of its section; to add a message, give [`Msg`] or [`OutBody`] a
//! variant with its name. Bytes become a [`Node`] first and leave as one, so neither knows a format.

mod auth;
mod chat;
mod content;
mod desk;
mod envelope;
mod error;
mod form;
mod forms;
mod gateway_chats;
pub mod hearing;
mod inbound;
mod json;
mod media;
#[cfg(test)]
mod members;
mod message;
mod msgpack;
mod node;
mod outbound;
mod register;
mod reply;
mod scenario;
mod settings;
mod stream;
mod structure;
mod telling;
mod words;

pub use auth::{AuthFailure, Nonce, sign, verify};
pub use chat::{ChatCommandInfo, ChatInfo, ChatSentenceInfo, ChatServiceInfo, ChatStatusInfo, ScenarioResultItemInfo};
pub use content::{CommandInfo, Data, GatewayInfo, MessageContentInfo};
pub use desk::{DeskAgent, DeskSettings};
pub use envelope::{Batch, Envelope, Form, Item, MAX_BODY, MAX_ITEMS, heard, parse, said_in_answer};
pub use error::{Code, Warning, WireError};
pub use form::Decimal;
pub use forms::{CheckedForm, FormSettings, RegisterQuestion, Registers};
pub use gateway_chats::ChatSettings;
pub use inbound::{Received, acknowledgement, event_keys, own_reply, receive};
pub use media::{Format, wants_async};
pub use message::{Legacy, Msg, OutBody, Side};
pub use node::{Members, Node};
pub use outbound::{Frontstage, FrontstagePolicy, push_call};
pub use register::{LiteralLookupInfo, WebSiteRoutingInfo};
pub use reply::{Answer, Head, OutEnvelope, Outcome, gateways_reply, received_reply};
pub use scenario::{
    ScenarioInfo, ScenarioResultInfo, ScenarioResultValueInfo, ScreenControlInfo, ScreenControlParameterInfo, ScreenInfo,
};
pub use settings::{AccountSettings, Key, MessageGateway, Secrets, Settings, SettingsProblem};
pub use stream::{StreamAnswer, given_envelope, handed_envelope, kept_envelope, text_in_stream};
pub use structure::{Dir, Emission, Structure};
pub use telling::{Told, list_for_agent, list_for_gateway, response, tell};
pub use words::{Channel, ChatStatus, ChatType, ClosedBy, ControlType, Direction, Model, Signal};
