//! The handler of the FrontStage routes, event in and reply out, with everything behind it in memory.

#![expect(clippy::unwrap_used, reason = "a broken invariant in a test must stop the test")]

mod messages;
mod refusals;
mod world;
