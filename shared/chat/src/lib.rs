//! The chat: a visitor on one side, an agent, a script or another platform's staff on the other, and the rules of what
//! happens between them (FrontStage contract, section 5).
//!
//! This crate holds values and pure functions: [`step`] takes the chat as it is stored, something that happens and the
//! time, and gives the chat as it is to be stored and what is to be done about it, in order. It must not know a store, a
//! clock, randomness or the shape of a message on the wire; what a rule has to look up in the store comes in with the
//! event. To add something that can happen, add its variant to [`Event`]; the compiler then asks what it means.

mod chat;
pub mod desk;
mod event;
mod form;
pub mod gate;
mod id;
mod policy;
pub mod script;
mod sentence;
mod step;
pub mod texts;
pub mod waiting;

#[cfg(test)]
mod tests;

pub use chat::{
    Agent, Asker, AttachedForm, Attendant, Away, Barred, Chat, ChatVisitor, CloseReason, Desk, Prepared, Robot, Skill, Slots,
    Staff, State, TRANSCRIPT_LIMIT, TypingFlag, TypingFlags,
};
pub use event::{Decision, Effect, Event, Party, Refusal, Returning, Start, Step};
pub use form::{FormAnswer, merge_answers};
pub use id::{AgentId, ChatId, FormId, LanguageId, ProjectId, ResultId, SentenceId, TrackingId, Workplace};
pub use policy::{Distribution, Policy};
pub use sentence::{Confirm, Direction, Draft, DraftError, Known, OddKind, OtherKind, Said, Sentence, SentenceKind};
pub use step::step;
