//! The functions as the CRM and the host page see them, over ports in memory and the complete events of `events/roxchat-*`.

#![expect(clippy::unwrap_used, reason = "a broken invariant in a test must stop the test")]

mod commands;
mod events;
mod fixtures;
mod host;
mod merges;
mod requests;
mod world;
