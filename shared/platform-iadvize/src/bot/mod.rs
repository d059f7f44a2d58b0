//! The bot (section 10): what an operator configures of it, what iAdvize asks, and what the visitor is answered.

mod check;
mod hours;
mod records;
mod reply;
mod requests;
mod run;
mod settings;
#[cfg(test)]
mod tests;

pub use hours::Hours;
pub use records::{Conversation, KeptBot, ScenarioLink, kept_for};
pub use reply::{MOST_TEXT, Replies, Reply};
pub use requests::{Link, Opened, Role, Rule, Said, Spoken, Wrong};
pub use run::{Run, Turn};
pub(crate) use settings::BotText;
pub use settings::{Availability, Bot, BotChat, Scenario};
