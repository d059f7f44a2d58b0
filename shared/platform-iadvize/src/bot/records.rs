//! What is kept of bots and their conversations, as it is stored. Nothing that a visitor wrote.

use std::collections::BTreeSet;
use std::time::Duration;

use model::EpochMillis;
use serde::{Deserialize, Serialize};

use super::requests::Rule;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A bot: an operator of iAdvize with the scenario that an administrator chose (B2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptBot {
    /// `idOperator` as iAdvize wrote it.
    pub operator: String,
    /// The scenario.
    pub scenario: String,
    /// The name of the bot.
    pub name: Option<String>,
    /// The name that visitors see.
    pub pseudo: Option<String>,
    /// The language in which it speaks.
    pub language: Option<String>,
    /// The routing rules it may use.
    pub rules: Vec<Rule>,
    /// When it was first told.
    pub created_at: EpochMillis,
    /// When it was last told something new.
    pub updated_at: EpochMillis,
    /// On which day iAdvize last asked about it, about.
    pub seen_at: EpochMillis,
}

impl KeptBot {
    /// For how long an operator of whom iAdvize asks nothing keeps its scenario from others (section 15, "deletion").
    pub const SILENCE: Duration = Duration::from_secs(30 * 24 * 3600);

    /// Whether `seen_at` is to be written again.
    #[must_use]
    pub fn is_unseen(&self, now: EpochMillis) -> bool {
        now.since(self.seen_at) >= DAY
    }

    /// The ids of its rules.
    #[must_use]
    pub fn rule_ids(&self) -> BTreeSet<String> {
        self.rules.iter().map(|rule| rule.id.clone()).collect()
    }

    /// Whether both say the same, whenever it was told.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let told = |bot: &Self| (bot.scenario.clone(), bot.name.clone(), bot.pseudo.clone(), bot.language.clone());
        told(self) == told(other) && self.rules == other.rules
    }
}

/// Whose a scenario is: one operator's at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioLink {
    /// The operator's number.
    pub operator: u64,
}

/// A conversation of a bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// `idOperator` as iAdvize wrote it.
    pub operator: String,
    /// The scenario that goes on.
    pub scenario: String,
    /// The question whose answer is waited for.
    pub at: Option<String>,
    /// When it began.
    pub created_at: EpochMillis,
    /// When the last message was written.
    pub updated_at: EpochMillis,
    /// Whether a desk has the visitor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_handed: bool,
    /// When iAdvize ended it (`v2.conversation.closed`); what was written up to then is not answered any more. What is written
    /// later begins another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<EpochMillis>,
}

impl Conversation {
    /// A conversation of this operator that begins now.
    #[must_use]
    pub fn begun(operator: &str, scenario: &str, now: EpochMillis) -> Self {
        let (operator, scenario) = (operator.to_owned(), scenario.to_owned());
        Self { operator, scenario, at: None, created_at: now, updated_at: now, is_handed: false, closed_at: None }
    }

    /// Whether what was written at this instant belongs to what has ended.
    #[must_use]
    pub fn is_over_for(&self, written_at: EpochMillis) -> bool {
        self.closed_at.is_some_and(|end| written_at <= end)
    }

    /// What is left of it when iAdvize says that it ended at this instant: when, and nothing of where it stood. `None` if that
    /// is known, or if it began later: events come late, and an id may be used again (section 11.4).
    #[must_use]
    pub fn ended(&self, at: EpochMillis) -> Option<Self> {
        let is_news = match self.closed_at {
            Some(known) => known < at,
            None => self.created_at <= at,
        };
        is_news.then(|| Self {
            created_at: self.created_at,
            closed_at: Some(at),
            ..Self::begun(&self.operator, "", self.updated_at)
        })
    }
}

/// For how long a conversation and the replies to its messages are kept after a message of this id (section 10.4): an id of web
/// chat is a UUID, and one of a third-party channel, which closes after seven days only, looks otherwise.
#[must_use]
pub fn kept_for(message: &str) -> Duration {
    if super::check::is_uuid(message) { DAY } else { 7 * DAY }
}
