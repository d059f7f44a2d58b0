//! Names of what a chat speaks about.

use std::fmt;
use std::str::FromStr;

use model::{ConversationId, IdError, MessageId, Slug};
use serde::{Deserialize, Serialize};

/// A chat: `ChatId` of the contract (2.1). A GUID on the wire, stored in that form.
///
/// Its bits are laid out as those of a [`MessageId`], with the number of the chat within its conversation (from 1) in
/// place of the message's: whoever brings the id leads to the conversation without a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChatId(MessageId);

impl ChatId {
    /// Chat number `generation` (from 1) of a conversation; `None` when the number does not fit.
    #[must_use]
    pub fn new(conversation: ConversationId, generation: u64) -> Option<Self> {
        MessageId::new(conversation, generation).filter(|_| generation > 0).map(Self)
    }

    /// The conversation the chat belongs to.
    #[must_use]
    pub fn conversation(self) -> ConversationId {
        self.0.conversation()
    }

    /// Which chat of the conversation it is, from 1. A new one begins where a closed one can no longer be revived
    /// (5.1 row 8).
    #[must_use]
    pub fn generation(self) -> u64 {
        self.0.seq()
    }

    /// The chat after this one in the same conversation.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::new(self.conversation(), self.generation() + 1)
    }
}

impl FromStr for ChatId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let id: MessageId = text.parse().map_err(|_| IdError("chat id"))?;
        if id.seq() == 0 { Err(IdError("chat id")) } else { Ok(Self(id)) }
    }
}

impl fmt::Display for ChatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for ChatId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<ChatId> for String {
    fn from(id: ChatId) -> Self {
        id.to_string()
    }
}

/// Defines a name that an operator or a platform chose, in the text form of a [`Slug`].
macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(Slug);

        impl FromStr for $type {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

name! {
    /// An agent of our own desk, a person or a machine (2.1). Unique in a tenant; a GUID in its lower-case text form fits.
    AgentId
}
name! {
    /// A chat workplace: the number by which an agent's client is addressed (2.1). Unique in a tenant.
    Workplace
}
name! {
    /// A project: what agents are assigned to (4.2, `ProjectId`). A GUID in its lower-case text form fits.
    ProjectId
}
name! {
    /// A language agents speak (4.2, `LanguageId`). A GUID in its lower-case text form fits.
    LanguageId
}
name! {
    /// A form (4.3, `ScenarioId`). A GUID in its lower-case text form fits.
    FormId
}
name! {
    /// A filled-in form as it is stored (4.3, `ScenarioResultId`). A GUID in its lower-case text form fits.
    ResultId
}

/// Length in UTF-16 code units, the unit of every limit in the contract (2.2).
pub(crate) fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The connector's own id of the thread: the key of a chat within its gateway (2.1). 1 to 128 UTF-16 units, compared
/// exactly. It may be somebody's phone number, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrackingId(String);

impl TrackingId {
    /// Its text, as the connector wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TrackingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrackingId(***)")
    }
}

impl TryFrom<String> for TrackingId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        if (1..=128).contains(&utf16_len(&text)) { Ok(Self(text)) } else { Err(IdError("tracking id: 1 to 128 characters")) }
    }
}

impl From<TrackingId> for String {
    fn from(id: TrackingId) -> Self {
        id.0
    }
}

/// The id a sender gave to a sentence (5.2): 1 to 64 UTF-16 units, compared exactly, never cut, as the sender finds the
/// echo by it. Not unique: a sender may use one again for something else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SentenceId(String);

impl SentenceId {
    /// Its text, as the sender wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SentenceId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        if (1..=64).contains(&utf16_len(&text)) { Ok(Self(text)) } else { Err(IdError("sentence id: 1 to 64 characters")) }
    }
}

impl From<SentenceId> for String {
    fn from(id: SentenceId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn chat_id_leads_to_its_conversation() {
        let conversation: ConversationId = "00112233445566778899".parse().unwrap();
        let id = ChatId::new(conversation, 1).unwrap();
        assert_eq!(id.to_string(), "00112233-4455-8667-9e22-640000000001");
        assert_eq!((id.conversation(), id.generation()), (conversation, 1));
        assert_eq!(id.next().unwrap().to_string(), "00112233-4455-8667-9e22-640000000002");
        assert_eq!("{00112233-4455-8667-9E22-640000000001}".parse(), Ok(id));
        assert_eq!(ChatId::new(conversation, 0), None);
        assert_eq!(ChatId::new(conversation, MessageId::MAX_SEQ).unwrap().next(), None);
        let zero = MessageId::new(conversation, 0).unwrap().to_string();
        for wrong in [zero.as_str(), "5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01", "", "x"] {
            assert_eq!(wrong.parse::<ChatId>(), Err(IdError("chat id")), "{wrong}");
        }
    }

    #[test]
    fn sentence_id_is_counted_in_utf16_units() {
        let fits = |text: &str| SentenceId::try_from(text.to_owned()).is_ok();
        assert!(fits("a") && fits(&"a".repeat(64)) && fits(&"😀".repeat(32)));
        assert!(!fits("") && !fits(&"a".repeat(65)) && !fits(&"😀".repeat(33)));
    }

    #[test]
    fn tracking_id_is_not_shown() {
        let id = TrackingId::try_from("+420700000000".to_owned()).unwrap();
        assert_eq!((id.as_str(), format!("{id:?}").as_str()), ("+420700000000", "TrackingId(***)"));
        assert!(TrackingId::try_from(String::new()).is_err());
        assert!(TrackingId::try_from("a".repeat(129)).is_err());
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".*") {
            let _ = text.parse::<ChatId>();
            let _ = text.parse::<AgentId>();
            let _ = TrackingId::try_from(text.clone());
            let _ = SentenceId::try_from(text);
        }
    }
}
