//! The server's half of FrontStage's browser REST API, the WebSite side, without a server.
//!
//! What a page is offered ([`routing`]), who the visitor is ([`cookie`], [`wire::client_address`]), what time it is there
//! ([`clock`]), which pages may call ([`cors`]), what a body and a filled form may hold ([`body`], [`form`]), how often a
//! page asks ([`poll`]), how large a picture becomes ([`image`]), how text goes to a page ([`text`]), and the models that
//! travel ([`models`]). All are values and pure functions: time and random bytes are arguments. The crate must not know AWS,
//! HTTP types, a store, or the messages between connectors and the server.
//!
//! To serve one more call of the API, give its answer a model and its body a reader; to add a condition to routing rules,
//! add its member to [`routing::WebSiteRoutingInfo`] and its test to the compiled rule. Numbers in comments are sections
//! of the FrontStage contract.

pub mod body;
pub mod clock;
pub mod cookie;
pub mod cors;
pub mod form;
pub mod image;
pub mod models;
mod notation;
mod origin;
pub mod poll;
pub mod routing;
pub mod settings;
pub mod text;
