//! The handlers of the vcita routes, event in and reply out, with everything behind them in memory.

#![expect(clippy::unwrap_used, reason = "a broken invariant in a test must stop the test")]

mod bad_input;
mod connect;
mod disagreements;
mod messages;
mod offboarding;
mod refusals;
mod states;
mod statuses;
mod typing;
mod world;
