//! The chats of FrontStage's gateways: their plans out of the configuration, and the words of their streams.
//!
//! The use cases of chats know no platform, and the platform's crate knows no use cases: what one needs of the other is
//! joined here, once for every function that moves chats. Nothing here does I/O or decides anything about a chat.

mod plan;
mod words;

pub use plan::{check_desks, check_ended_screen, check_screen, configuration_words, desk_words, plan, register};
pub use words::{envelope, stream_name};
