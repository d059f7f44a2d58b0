//! The use cases over in-memory ports, a manual clock and two invented recipients: one that acknowledges in a call of
//! its own, as FrontStage does, and one whose answer is the acknowledgement, as vcita's is. And chats over theirs.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panicking")]

mod acceptance;
mod chats_away;
mod chats_forms;
mod chats_push;
mod chats_races;
mod chats_registers;
mod chats_rows;
mod chats_rules;
mod chats_signs;
mod chats_staff;
mod chats_talk;
mod chats_world;
mod faults;
mod pace;
mod polling;
mod races;
mod section_6;
mod waiting;
mod world;
