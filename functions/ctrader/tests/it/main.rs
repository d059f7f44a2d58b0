//! The functions as cTrader's app and backend see them, over ports in memory and the complete events of `events/ctrader-*`.

#![expect(clippy::unwrap_used, reason = "a broken invariant in a test must stop the test")]

mod action;
mod chat_refusals;
mod chat_talk;
mod chat_world;
mod checklist;
mod education;
mod events;
mod exchanges;
mod oauth;
mod screens;
mod sessions;
mod upload;
mod world;
