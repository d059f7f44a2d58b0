//! The functions as browsers see them, over ports in memory and the complete events of `events/website-*`.

#![expect(clippy::unwrap_used, reason = "a broken invariant in a test must stop the test")]

mod conversation;
mod forms;
mod pages;
mod polls;
mod refusals;
mod world;
