//! The handlers of the FrontStage routes, event in and reply out, with everything behind it in memory.

#![expect(clippy::unwrap_used, reason = "a broken invariant in a test must stop the test")]

mod chats;
mod forms;
mod messages;
mod push;
mod refusals;
mod section_7;
mod streams;
mod world;
