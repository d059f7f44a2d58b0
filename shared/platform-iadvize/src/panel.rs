//! The conversation panel app (section 9): who looks at it, what an operator configures for it, and what messages mean.

mod intents;
mod jwt;
mod settings;

pub use intents::{Action, Command, Commands, Intent, MAX_MESSAGES_BODY, Mention, Message, commands, read_messages, references};
pub use jwt::{Agent, PanelUrl, launch_token, verify_jwt};
pub(crate) use settings::RawPanel;
pub use settings::{ApplePay, Keyword, Panel, Reply, Told};
