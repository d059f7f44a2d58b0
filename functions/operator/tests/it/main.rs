//! What the operator invokes, event in and answer out, with everything behind it in memory.

#![expect(clippy::unwrap_used, reason = "a broken invariant in a test must stop the test")]

mod catalogue;
mod configure;
mod education;
mod erase;
mod hand_over;
mod prepare_chat;
mod replay;
mod results;
mod timeline;
mod vcita;
mod world;
