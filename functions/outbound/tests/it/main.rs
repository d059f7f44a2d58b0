//! What leaves, queue event in and batch response out, with everything behind it in memory; and the conformance of every
//! platform, as this is the only crate that links them all.

#![expect(clippy::unwrap_used, reason = "a broken invariant in a test must stop the test")]

mod batches;
mod chats;
mod iadvize;
mod platforms;
mod sweep;
mod tokens;
mod world;
