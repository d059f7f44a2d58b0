//! What is said in a chat.

use std::fmt;

use model::EpochMillis;
use serde::{Deserialize, Serialize};

use crate::SentenceId;
use crate::id::utf16_len;

/// Which way a sentence goes (4.2, `IsOutbound`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the visitor to the desk.
    Inbound,
    /// From the desk, or the script in its place, to the visitor.
    Outbound,
}

/// An even number of a kind we do not know: it is stored and passed on, nothing more (4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OtherKind(u32);

/// What a sentence is (4.2, `Model`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub enum SentenceKind {
    /// 0: something somebody wrote. The only kind that counts as activity.
    Text,
    /// 2: a technical note, part of the transcript.
    Note,
    /// 4: replaces the panel.
    Panel,
    /// 6: replaces the page the visitor is on.
    Navigation,
    /// 8: replaces the data of co-browsing.
    CoBrowsing,
    /// Another even number.
    Other(OtherKind),
}

impl SentenceKind {
    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Text => 0,
            Self::Note => 2,
            Self::Panel => 4,
            Self::Navigation => 6,
            Self::CoBrowsing => 8,
            Self::Other(OtherKind(number)) => number,
        }
    }

    /// Whether it has a place in the transcript (5.2).
    #[must_use]
    pub const fn is_counted(self) -> bool {
        match self {
            Self::Text | Self::Note => true,
            Self::Panel | Self::Navigation | Self::CoBrowsing | Self::Other(_) => false,
        }
    }
}

/// The number is odd: no kind has such a one (4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Model {0} is not an even number")]
pub struct OddKind(u32);

impl TryFrom<u32> for SentenceKind {
    type Error = OddKind;

    fn try_from(number: u32) -> Result<Self, OddKind> {
        match number {
            0 => Ok(Self::Text),
            2 => Ok(Self::Note),
            4 => Ok(Self::Panel),
            6 => Ok(Self::Navigation),
            8 => Ok(Self::CoBrowsing),
            even if even % 2 == 0 => Ok(Self::Other(OtherKind(even))),
            odd => Err(OddKind(odd)),
        }
    }
}

impl From<SentenceKind> for u32 {
    fn from(kind: SentenceKind) -> Self {
        kind.number()
    }
}

/// A sentence as its sender brings it, valid by 5.2.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    id: SentenceId,
    kind: SentenceKind,
    text: String,
    party_name: Option<String>,
    sent_at: Option<EpochMillis>,
}

/// Why a sentence is refused as it stands (`ValidationFailed`, 10.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// A text says nothing.
    #[error("Text is missing")]
    TextMissing,
    /// It is longer than [`Draft::MAX_TEXT`].
    #[error("Text is longer than 1,000,000")]
    TextTooLong,
}

impl Draft {
    /// Longest text of a sentence, in UTF-16 units (section 4, general limits).
    pub const MAX_TEXT: usize = 1_000_000;

    /// A sentence that is about to be said. `party_name` is how its speaker is called, `sent_at` when it was sent, as
    /// its sender says.
    ///
    /// # Errors
    /// [`DraftError`]: an empty [`SentenceKind::Text`], or too long a text. Other kinds may be empty; for a panel and its
    /// like that clears what was there.
    pub fn new(
        id: SentenceId,
        kind: SentenceKind,
        text: String,
        party_name: Option<String>,
        sent_at: Option<EpochMillis>,
    ) -> Result<Self, DraftError> {
        if text.is_empty() && kind == SentenceKind::Text {
            return Err(DraftError::TextMissing);
        }
        // A unit is never more than a byte, so most texts need no counting.
        if text.len() > Self::MAX_TEXT && utf16_len(&text) > Self::MAX_TEXT {
            return Err(DraftError::TextTooLong);
        }
        Ok(Self { id, kind, text, party_name, sent_at })
    }

    /// The sender's id of it.
    #[must_use]
    pub const fn id(&self) -> &SentenceId {
        &self.id
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> SentenceKind {
        self.kind
    }

    /// What it says, as it was written: encoding is done where it is shown.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The sentence it becomes at `counter`; `speaker` is the name it gets if its sender gave none.
    pub(crate) fn said(&self, direction: Direction, counter: u64, speaker: Option<&str>, now: EpochMillis) -> Sentence {
        Sentence {
            id: self.id.clone(),
            direction,
            counter,
            kind: self.kind,
            text: self.text.clone(),
            party_name: self.party_name.clone().or_else(|| speaker.map(str::to_owned)),
            sent_at: self.sent_at.unwrap_or(now),
            confirmed_at: None,
        }
    }
}

impl fmt::Debug for Draft {
    /// Sizes only: what people write must never reach a log line through a derived `Debug`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, kind, text, party_name: _, sent_at } = self;
        f.debug_struct("Draft")
            .field("id", id)
            .field("kind", kind)
            .field("text_len", &text.len())
            .field("sent_at", sent_at)
            .finish_non_exhaustive()
    }
}

/// A sentence as it is stored, echoed and delivered (4.2, `ChatSentenceInfo`). But for its confirmation it never changes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentence {
    /// The sender's id of it.
    pub id: SentenceId,
    /// Which way it goes.
    pub direction: Direction,
    /// Its place in the transcript, from 1, without gaps over both directions; 0 where its kind has none (5.2).
    pub counter: u64,
    /// What it is.
    pub kind: SentenceKind,
    /// What it says. Personal data.
    pub text: String,
    /// How its speaker is called. Personal data.
    pub party_name: Option<String>,
    /// When it was sent, as its sender says; else when it was stored.
    pub sent_at: EpochMillis,
    /// When the other side was first said to have it.
    pub confirmed_at: Option<EpochMillis>,
}

impl fmt::Debug for Sentence {
    /// Sizes only: what people write must never reach a log line through a derived `Debug`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, direction, counter, kind, text, party_name: _, sent_at, confirmed_at } = self;
        f.debug_struct("Sentence")
            .field("id", id)
            .field("direction", direction)
            .field("counter", counter)
            .field("kind", kind)
            .field("text_len", &text.len())
            .field("sent_at", sent_at)
            .field("confirmed_at", confirmed_at)
            .finish_non_exhaustive()
    }
}

/// What the store knows of a sentence's name: chat, direction, id, text and kind (10.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing: it is new.
    New,
    /// The id was used for something else: it is new all the same (5.2).
    Reused,
    /// It is a retry of this stored sentence.
    Repeat(Box<Sentence>),
}

impl Known {
    /// Judges a sentence by the stored sentences of the same chat and direction that have its id.
    #[must_use]
    pub fn of(draft: &Draft, stored: &[Sentence]) -> Self {
        let named = || stored.iter().filter(|s| s.id == draft.id);
        match named().find(|s| s.kind == draft.kind && s.text == draft.text) {
            Some(same) => Self::Repeat(Box::new(same.clone())),
            None if named().next().is_some() => Self::Reused,
            None => Self::New,
        }
    }
}

/// A sentence that is said, and what the store knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The sentence.
    pub draft: Draft,
    /// Whether it was said before.
    pub known: Known,
}

/// A confirmation that a sentence arrived (5.2), and what the store knows of the sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    /// The id that is confirmed.
    pub id: SentenceId,
    /// Counters of the stored sentences with this id, written by the *other* side, that are not confirmed yet.
    pub unconfirmed: Vec<u64>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> SentenceId {
        text.to_owned().try_into().unwrap()
    }

    fn draft(kind: SentenceKind, text: &str) -> Result<Draft, DraftError> {
        Draft::new(id("s-1"), kind, text.to_owned(), Some("Eva".into()), None)
    }

    #[test]
    fn empty_text_is_refused_and_an_empty_panel_is_not() {
        assert_eq!(draft(SentenceKind::Text, ""), Err(DraftError::TextMissing));
        for kind in [SentenceKind::Panel, SentenceKind::Navigation, SentenceKind::CoBrowsing, SentenceKind::Note] {
            assert!(draft(kind, "").is_ok(), "{kind:?}");
        }
    }

    #[test]
    fn text_is_limited_in_utf16_units() {
        assert!(draft(SentenceKind::Text, &"é".repeat(1_000_000)).is_ok());
        assert_eq!(draft(SentenceKind::Text, &"a".repeat(1_000_001)), Err(DraftError::TextTooLong));
        assert_eq!(draft(SentenceKind::Text, &"😀".repeat(500_001)), Err(DraftError::TextTooLong));
    }

    #[test]
    fn debug_shows_no_words_and_no_name() {
        let draft = draft(SentenceKind::Text, "my card number").unwrap();
        let sentence = draft.said(Direction::Inbound, 1, None, EpochMillis::new(0));
        for shown in [format!("{draft:?}"), format!("{sentence:?}")] {
            assert!(!shown.contains("card") && !shown.contains("Eva"), "{shown}");
            assert!(shown.contains("text_len: 14"), "{shown}");
        }
    }

    #[test]
    fn a_name_is_id_text_and_kind() {
        let first = draft(SentenceKind::Text, "Hi").unwrap();
        let stored = [first.said(Direction::Inbound, 1, None, EpochMillis::new(0))];
        assert_eq!(Known::of(&first, &[]), Known::New);
        assert_eq!(Known::of(&first, &stored), Known::Repeat(Box::new(stored[0].clone())));
        assert_eq!(Known::of(&draft(SentenceKind::Text, "hi").unwrap(), &stored), Known::Reused);
        assert_eq!(Known::of(&draft(SentenceKind::Note, "Hi").unwrap(), &stored), Known::Reused);
        let other = Draft::new(id("s-2"), SentenceKind::Text, "Hi".into(), None, None).unwrap();
        assert_eq!(Known::of(&other, &stored), Known::New);
    }

    proptest! {
        #[test]
        fn kind_is_its_number(number: u32) {
            let kind = SentenceKind::try_from(number);
            prop_assert_eq!(kind.is_ok(), number % 2 == 0);
            if let Ok(kind) = kind {
                prop_assert_eq!(kind.number(), number);
                prop_assert_eq!(kind.is_counted(), number < 4);
            }
        }
    }
}
