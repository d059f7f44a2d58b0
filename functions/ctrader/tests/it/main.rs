//! The functions as cTrader's app and backend see them, over ports in memory and the complete events of `events/ctrader-*`.

#![expect(clippy::unwrap_used, reason = "a broken invariant in a test must stop the test")]

mod screens;
mod sessions;
mod world;
