//! Rox.Chat: the CRM's side of the browser interface that its Agent Workspace offers when it is embedded by iframe.
//!
//! The workspace talks to the page that embeds it; the page forwards what it hears. This crate knows what an account is configured
//! with, who may call, what events say, what becomes of visitors and chats by them, and how far a command is. It must not know HTTP
//! routes, a store or another platform. "Section" in its comments is one of the contract of Rox.Chat. To take one more event, add a
//! variant to [`Event`] and what it does to [`Visitor`] or [`Chat`].

mod chat;
mod command;
mod event;
mod kind;
mod notices;
mod outbound;
mod secrets;
mod settings;
mod signing;
mod tokens;
mod visitor;

pub use chat::{Chat, ChatState, Said, Telling};
pub use command::{Command, CommandState, Queue, Queued, Reported};
pub use event::{
    BadBatch, Channel, Event, Flag, Identity, MAX_EVENTS, Notification, Read, Rejection, Sent, Text, Torn, batch, event_key,
    event_keys, read,
};
pub use kind::Side;
pub use notices::{Notice, Notices};
pub use outbound::Roxchat;
pub use secrets::Secrets;
pub use settings::{ConfigProblem, Workspace};
pub use signing::{VisitorFields, is_crc, is_signature};
pub use tokens::{
    Agent, BadSession, COOKIE_LIFE, Purpose, SESSION_LIFE, Session, Ticket, cookie, cookie_agent, new_session, session, ticket,
};
pub use visitor::{Authorized, Seen, Switch, Visitor, Visitors};
