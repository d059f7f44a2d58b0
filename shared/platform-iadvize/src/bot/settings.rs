//! Scenarios as they are configured: steps that say something and go on at once, and steps that wait for an answer.

use std::collections::BTreeMap;

use model::{AccountId, EpochMillis};
use serde::Deserialize;
use text::Words;

use super::hours::{Hours, HoursText};
use crate::ConfigProblem;

/// The setting `bot` as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BotText {
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    pub(super) editor_url: String,
    pub(super) fallback: Escape,
    pub(super) other_content: Option<Escape>,
    pub(super) chat: Option<BotChat>,
    pub(super) scenarios: Vec<ScenarioText>,
}

/// The chat in which visitors who are handed to a desk talk to it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BotChat {
    /// Through which gateway their chats reach a desk: which one, the tenant's routing rules say.
    pub gateway: AccountId,
    /// What the visitor reads when the desk has ended the chat.
    pub ended: Option<Words>,
    /// Whether iAdvize closes the conversation then. Otherwise the scenario begins again with what the visitor writes next.
    #[serde(default)]
    pub close: bool,
}

/// A scenario as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenarioText {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) editor_url: Option<String>,
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    #[serde(default)]
    pub(super) availability: Availability,
    pub(super) hours: Option<HoursText>,
    #[serde(default)]
    pub(super) first_messages: Vec<Step>,
    pub(super) start: Branches,
    pub(super) steps: BTreeMap<String, Step>,
}

pub(super) const fn yes() -> bool {
    true
}

/// What decides whether a bot is there, within its opening hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// It is.
    #[default]
    Always,
    /// One of the routing rules that iAdvize gave it has somebody free.
    AtLeastOne,
    /// All of them have.
    All,
}

/// What is said where the scenario cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Escape {
    pub(super) text: Words,
    pub(super) transfer: Option<TransferStep>,
}

/// Where an answer leads.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Branches {
    #[serde(default)]
    pub(super) choices: Vec<ChoiceText>,
    #[serde(default)]
    pub(super) answers: Vec<AnswerText>,
    pub(super) otherwise: String,
}

/// A quick reply, and the step it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChoiceText {
    pub(super) value: Words,
    pub(super) next: String,
}

/// A pattern, and the step it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerText {
    pub(super) pattern: String,
    pub(super) next: String,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    Say(SayStep),
    Ask(AskStep),
    Choose(ChooseStep),
    Card(CardStep),
    Carousel(CarouselStep),
    File(FileStep),
    Wait(WaitStep),
    Transfer(TransferStep),
    HandToDesk(HandStep),
    Close,
}

/// Says something.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SayStep {
    pub(super) text: Words,
    pub(super) next: Option<String>,
}

/// Asks, and waits for what the visitor writes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AskStep {
    pub(super) text: Words,
    #[serde(default)]
    pub(super) answers: Vec<AnswerText>,
    pub(super) otherwise: String,
}

/// Asks with quick replies, and waits for one of them or for what the visitor writes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChooseStep {
    pub(super) text: Words,
    pub(super) choices: Vec<ChoiceText>,
    #[serde(default)]
    pub(super) answers: Vec<AnswerText>,
    pub(super) otherwise: String,
}

/// Shows a card.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CardStep {
    pub(super) show: CardText,
    pub(super) next: Option<String>,
}

/// A card.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CardText {
    pub(super) title: Option<Words>,
    pub(super) text: Option<Words>,
    pub(super) image: Option<ImageText>,
    pub(super) links: Vec<LinkText>,
}

/// Shows several cards or product offers side by side.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CarouselStep {
    #[serde(default)]
    pub(super) cards: Vec<CardText>,
    #[serde(default)]
    pub(super) offers: Vec<OfferText>,
    pub(super) next: Option<String>,
}

/// A product offer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfferText {
    pub(super) name: Words,
    pub(super) price: Words,
    pub(super) offer_price: Option<Words>,
    pub(super) description: Option<Words>,
    pub(super) image: Option<ImageText>,
    pub(super) is_available: Option<bool>,
    pub(super) links: Vec<LinkText>,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImageText {
    pub(super) url: String,
    pub(super) description: Words,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkText {
    pub(super) name: Words,
    pub(super) url: String,
}

/// Sends a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileStep {
    pub(super) name: Words,
    pub(super) mime_type: MimeType,
    pub(super) url: String,
    pub(super) next: Option<String>,
}

/// What a file may be (section 10.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum MimeType {
    #[serde(rename = "image/gif")]
    Gif,
    #[serde(rename = "image/png")]
    Png,
    #[serde(rename = "image/jpeg")]
    Jpeg,
    #[serde(rename = "application/pdf")]
    Pdf,
}

impl MimeType {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Gif => "image/gif",
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Pdf => "application/pdf",
        }
    }
}

/// Lets time pass.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitStep {
    pub(super) seconds: u64,
    pub(super) next: String,
}

/// Hands the conversation to another operator of iAdvize; what follows is said if nobody takes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TransferStep {
    pub(super) rule: String,
    #[serde(default = "default_timeout")]
    pub(super) timeout: u64,
    pub(super) failed: Words,
    pub(super) next: Option<String>,
}

/// Hands the visitor to the desk that the tenant's routing rules choose: from then on it has what they write.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HandStep {
    pub(super) text: Words,
    pub(super) nobody: String,
}

/// Section 14 row 16.
const fn default_timeout() -> u64 {
    20
}

/// The bot of a site, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bot {
    /// Whether it is switched on.
    pub(super) is_enabled: bool,
    pub(super) editor_url: String,
    pub(super) fallback: Escape,
    pub(super) other_content: Option<Escape>,
    /// The chat of those who are handed to a desk; without one, what they write goes to it as messages.
    pub chat: Option<BotChat>,
    pub(super) scenarios: Vec<Scenario>,
}

/// A scenario, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Its id: `idBot` (section 10.1).
    pub id: String,
    /// Its name in the picker.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Where it is edited.
    pub editor_url: String,
    /// What decides whether its bot is there.
    pub availability: Availability,
    pub(super) is_enabled: bool,
    pub(super) hours: Option<Hours>,
    pub(super) first_messages: Vec<Step>,
    pub(super) start: Branches,
    pub(super) steps: BTreeMap<String, Step>,
}

impl Scenario {
    /// Whether it is within its opening hours; without any it always is.
    #[must_use]
    pub fn is_open(&self, now: EpochMillis) -> bool {
        self.hours.as_ref().is_none_or(|hours| hours.contain(now))
    }
}

/// What stands for a scenario's id in `editor_url`.
const SCENARIO: &str = "{scenario}";

impl Bot {
    /// Checks what an operator has written.
    pub(crate) fn of(written: BotText) -> Result<Self, ConfigProblem> {
        super::check::bot(&written)?;
        let editor_url = written.editor_url;
        let scenario = |written: ScenarioText| -> Result<Scenario, ConfigProblem> {
            let hours = written.hours.map(|hours| Hours::of(&hours, &written.id)).transpose()?;
            Ok(Scenario {
                editor_url: written.editor_url.unwrap_or_else(|| editor_url.replace(SCENARIO, &written.id)),
                id: written.id,
                name: written.name,
                description: written.description,
                availability: written.availability,
                is_enabled: written.enabled,
                hours,
                first_messages: written.first_messages,
                start: written.start,
                steps: written.steps,
            })
        };
        let scenarios = written.scenarios.into_iter().map(scenario).collect::<Result<_, _>>()?;
        Ok(Self {
            is_enabled: written.enabled,
            editor_url,
            fallback: written.fallback,
            other_content: written.other_content,
            chat: written.chat,
            scenarios,
        })
    }

    /// Checks what takes too long for every reading of the settings: that each pattern can be compiled.
    ///
    /// # Errors
    /// [`ConfigProblem`] naming the pattern's place.
    pub fn check_patterns(&self) -> Result<(), ConfigProblem> {
        super::check::patterns(self)
    }

    /// Its scenarios, in the order in which they are written.
    #[must_use]
    pub fn scenarios(&self) -> &[Scenario] {
        &self.scenarios
    }

    /// The scenario of this id.
    #[must_use]
    pub fn scenario(&self, id: &str) -> Option<&Scenario> {
        self.scenarios.iter().find(|scenario| scenario.id == id)
    }

    /// Where a scenario is edited, whether it is still configured or not.
    #[must_use]
    pub fn editor_url(&self, scenario: &str) -> String {
        self.scenario(scenario).map_or_else(|| self.editor_url.replace(SCENARIO, scenario), |found| found.editor_url.clone())
    }

    /// Whether the bot with this scenario may converse at all: neither it nor the scenario is switched off.
    #[must_use]
    pub fn is_on(&self, scenario: &Scenario) -> bool {
        self.is_enabled && scenario.is_enabled
    }
}
