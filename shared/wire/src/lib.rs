//! Requests and replies as plain values, the calls we make, and the signatures on both.
//!
//! This crate must not know AWS, a socket or a vendor. A platform's crate is written against [`RawRequest`],
//! [`Verified`], [`Reply`] on the way in and against [`Outbound`] on the way out, and can be tested without a runtime.

mod call;
pub mod client_address;
mod html;
pub mod jwt;
mod outbound;
mod request;
mod secret;
pub mod signature;

pub use call::{CallFailure, HttpAnswer, HttpCall};
pub use html::escaped;
pub use outbound::{Capabilities, Exchange, GrantSeen, GrantStep, Input, Job, Outbound, Outcome, Pace, Step, Terms, TypingJob};
pub use request::{RawRequest, Reply, Verified};
pub use secret::Secret;
