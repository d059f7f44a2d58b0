//! Texts that the system says by itself, and desks that it gives chats to: both as an operator configures them.

use std::collections::BTreeMap;
use std::fmt;

use model::AccountId;
use serde::Deserialize;

use crate::gate::speaks;
use crate::id::utf16_len;
use crate::{LanguageId, ProjectId, Skill};

/// Longest text that is configured, in UTF-16 units. A decision: longer texts belong on a page.
const LONGEST_TEXT: usize = 4_000;
/// Longest name of a culture (4.2).
const LONGEST_CULTURE: usize = 16;
/// The most cultures of one text.
const MOST_CULTURES: usize = 50;
/// The culture of everybody for whom there is no text of their own.
const EVERYBODY: &str = "*";

/// One text in the languages of those who read it. Configured as a text for everybody, or by culture, where `*` is for
/// everybody else: `{"*": "Hello", "cs": "Dobrý den"}`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "TextsText")]
pub struct Texts {
    everybody: String,
    by_culture: BTreeMap<String, String>,
}

impl Texts {
    /// The text for a reader of this culture: that of the longest culture of ours that theirs belongs to (2.2).
    #[must_use]
    pub fn of(&self, culture: Option<&str>) -> &str {
        let given = culture.unwrap_or_default();
        let fitting = self.by_culture.iter().filter(|(wanted, _)| speaks(given, wanted));
        fitting.max_by_key(|(wanted, _)| wanted.len()).map_or(&self.everybody, |(_, text)| text)
    }

    /// Length of all of it together, in UTF-16 units.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        utf16_len(&self.everybody) + self.by_culture.values().map(|text| utf16_len(text)).sum::<usize>()
    }
}

impl fmt::Debug for Texts {
    /// Sizes only, as of everything that is said in a chat.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Texts").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// As it is configured.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a text is neither a text nor an object of texts by culture")]
enum TextsText {
    One(String),
    Each(BTreeMap<String, String>),
}

impl TryFrom<TextsText> for Texts {
    type Error = ConfigError;

    fn try_from(text: TextsText) -> Result<Self, ConfigError> {
        let (everybody, by_culture) = match text {
            TextsText::One(text) => (Some(text), BTreeMap::new()),
            TextsText::Each(mut texts) => (texts.remove(EVERYBODY), texts),
        };
        let everybody = everybody.ok_or_else(|| ConfigError::new("a text has no * for everybody else"))?;
        if by_culture.len() > MOST_CULTURES {
            return Err(ConfigError::new(format!("a text has more than {MOST_CULTURES} cultures")));
        }
        if by_culture.keys().any(|culture| culture.is_empty() || utf16_len(culture) > LONGEST_CULTURE) {
            return Err(ConfigError::new(format!("a culture is not 1 to {LONGEST_CULTURE} characters")));
        }
        if by_culture.values().chain([&everybody]).any(|text| text.is_empty() || utf16_len(text) > LONGEST_TEXT) {
            return Err(ConfigError::new(format!("a text is not 1 to {LONGEST_TEXT} characters")));
        }
        Ok(Self { everybody, by_culture })
    }
}

/// A desk that chats are given to. Configured as an account, or as `{"desk": account?, "project": name?, "language": name?}`;
/// without an account it is the gateway's own desk, and without a project its own agents are chosen as they always are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "TargetText")]
pub struct Target {
    /// Whose agents or staff; `None` is the desk of the gateway.
    pub desk: Option<AccountId>,
    /// What an agent of our own must know.
    pub skill: Option<Skill>,
}

/// As it is configured.
#[derive(Deserialize)]
#[serde(untagged, expecting = "hand_over is neither an account nor an object of desk, project and language")]
enum TargetText {
    Account(AccountId),
    Full(FullTarget),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FullTarget {
    #[serde(default)]
    desk: Option<AccountId>,
    #[serde(default)]
    project: Option<ProjectId>,
    #[serde(default)]
    language: Option<LanguageId>,
}

impl TryFrom<TargetText> for Target {
    type Error = ConfigError;

    fn try_from(text: TargetText) -> Result<Self, ConfigError> {
        match text {
            TargetText::Account(account) => Ok(Self { desk: Some(account), skill: None }),
            TargetText::Full(FullTarget { project: None, language: Some(_), .. }) => {
                Err(ConfigError::new("hand_over has a language and no project"))
            }
            TargetText::Full(FullTarget { desk, project, language }) => {
                Ok(Self { desk, skill: project.map(|project| Skill { project, language }) })
            }
        }
    }
}

/// What is wrong with rules of waiting or a script as they are configured: a rule, in words for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(rule: impl Into<String>) -> Self {
        Self(rule.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn texts(value: Value) -> Result<Texts, String> {
        serde_json::from_value(value).map_err(|e| e.to_string())
    }

    #[test]
    fn reader_gets_the_text_of_the_nearest_culture() {
        let texts = texts(json!({"*": "Hello", "cs": "Dobrý den", "en-AU": "G'day"})).unwrap();
        for (culture, text) in [
            (None, "Hello"),
            (Some("de"), "Hello"),
            (Some("en"), "Hello"),
            (Some("EN_au"), "G'day"),
            (Some("cs"), "Dobrý den"),
            (Some("cs-CZ"), "Dobrý den"),
        ] {
            assert_eq!(texts.of(culture), text, "{culture:?}");
        }
    }

    #[test]
    fn longer_culture_wins() {
        let texts = texts(json!({"*": "a", "pt": "b", "pt-BR": "c"})).unwrap();
        assert_eq!((texts.of(Some("pt-BR")), texts.of(Some("pt-PT"))), ("c", "b"));
    }

    #[test]
    fn text_alone_is_for_everybody() {
        assert_eq!(texts(json!("Hello")).unwrap().of(Some("cs")), "Hello");
    }

    #[test]
    fn text_that_cannot_be_said_is_refused_with_the_rule() {
        for (value, rule) in [
            (json!(""), "a text is not 1 to 4000 characters"),
            (json!("a".repeat(4_001)), "a text is not 1 to 4000 characters"),
            (json!({"*": "a", "cs": ""}), "a text is not 1 to 4000 characters"),
            (json!({"cs": "a"}), "a text has no * for everybody else"),
            (json!({"*": "a", "": "b"}), "a culture is not 1 to 16 characters"),
            (json!(5), "a text is neither a text nor an object of texts by culture"),
        ] {
            assert_eq!(texts(value.clone()).unwrap_err(), rule, "{value}");
        }
    }

    #[test]
    fn debug_shows_no_words() {
        assert!(!format!("{:?}", texts(json!("secret offer")).unwrap()).contains("offer"));
    }

    #[test]
    fn target_is_an_account_or_a_project_or_both() {
        let read = |value: Value| serde_json::from_value::<Target>(value).map_err(|e| e.to_string());
        let skill = Skill { project: "help".parse().unwrap(), language: Some("cs".parse().unwrap()) };
        assert_eq!(read(json!("vcita/demo")), Ok(Target { desk: Some("vcita/demo".parse().unwrap()), skill: None }));
        assert_eq!(
            read(json!({"desk": "frontstage/desk", "project": "help", "language": "cs"})),
            Ok(Target { desk: Some("frontstage/desk".parse().unwrap()), skill: Some(skill) })
        );
        assert_eq!(read(json!({})), Ok(Target::default()));
        assert_eq!(read(json!({"language": "cs"})).unwrap_err(), "hand_over has a language and no project");
        for wrong in [json!("nobody"), json!({"desks": "vcita/demo"}), json!(1)] {
            assert!(read(wrong).unwrap_err().starts_with("hand_over is neither"));
        }
    }
}
