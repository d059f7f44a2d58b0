//! The status words of vcita and what they mean to us (section 6).

use model::{ReceiptStatus, RemoteStatus};

use crate::StatusVocabulary;

/// A status that VCS reported: one we know, or a word that is in no table and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reported<T> {
    /// A word of section 6.
    Known(T),
    /// Any other word, as it came.
    Other(String),
}

/// What VCS reported about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageNews {
    /// Something its author wants to hear.
    Known(ReceiptStatus),
    /// Still on its way (`pending`, `channel_pending`): lower than anything we know, so no news.
    Lower,
    /// Any other word, as it came. `active` is one of them (section 12, row 2).
    Other(String),
}

pub(crate) fn channel(word: &str) -> Reported<RemoteStatus> {
    Reported::Known(match word {
        "pending" => RemoteStatus::Pending,
        "active" => RemoteStatus::Active,
        "inactive" => RemoteStatus::Inactive,
        "blocked" => RemoteStatus::Blocked,
        "deleted" => RemoteStatus::Deleted,
        "error" => RemoteStatus::Failed,
        other => return Reported::Other(other.to_owned()),
    })
}

pub(crate) fn session(word: &str) -> Reported<RemoteStatus> {
    Reported::Known(match word {
        "pending" => RemoteStatus::Pending,
        "active" => RemoteStatus::Active,
        "inactive" => RemoteStatus::Inactive,
        "deleted" => RemoteStatus::Deleted,
        "failed" => RemoteStatus::Failed,
        other => return Reported::Other(other.to_owned()),
    })
}

pub(crate) fn message(word: &str) -> MessageNews {
    MessageNews::Known(match word {
        "pending" | "channel_pending" => return MessageNews::Lower,
        "sent" => ReceiptStatus::Sent,
        "error" => ReceiptStatus::Failed,
        "unavailable" => ReceiptStatus::Unreachable,
        "received" => ReceiptStatus::Delivered,
        "read" => ReceiptStatus::Read,
        other => return MessageNews::Other(other.to_owned()),
    })
}

/// The word that reports `status` to VCS; `None` if this vocabulary has none for it.
pub(crate) const fn report(status: ReceiptStatus, vocabulary: StatusVocabulary) -> Option<&'static str> {
    match (status, vocabulary) {
        (ReceiptStatus::Sent, StatusVocabulary::Extended) => Some("sent"),
        (ReceiptStatus::Sent, StatusVocabulary::Seed) => None,
        (ReceiptStatus::Failed, _) | (ReceiptStatus::Unreachable, StatusVocabulary::Seed) => Some("error"),
        (ReceiptStatus::Unreachable, StatusVocabulary::Extended) => Some("unavailable"),
        (ReceiptStatus::Delivered, _) => Some("received"),
        (ReceiptStatus::Read, _) => Some("read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_words_are_those_of_the_table() {
        for (word, status) in [
            ("pending", RemoteStatus::Pending),
            ("active", RemoteStatus::Active),
            ("inactive", RemoteStatus::Inactive),
            ("blocked", RemoteStatus::Blocked),
            ("deleted", RemoteStatus::Deleted),
            ("error", RemoteStatus::Failed),
        ] {
            assert_eq!(channel(word), Reported::Known(status), "{word}");
        }
        for word in ["failed", "Active", "", "paused"] {
            assert_eq!(channel(word), Reported::Other(word.to_owned()));
        }
    }

    #[test]
    fn session_words_are_those_of_the_table() {
        for (word, status) in [
            ("pending", RemoteStatus::Pending),
            ("active", RemoteStatus::Active),
            ("inactive", RemoteStatus::Inactive),
            ("deleted", RemoteStatus::Deleted),
            ("failed", RemoteStatus::Failed),
        ] {
            assert_eq!(session(word), Reported::Known(status), "{word}");
        }
        for word in ["blocked", "error", "ACTIVE"] {
            assert_eq!(session(word), Reported::Other(word.to_owned()));
        }
    }

    #[test]
    fn message_words_are_those_of_the_table() {
        for (word, news) in [
            ("pending", MessageNews::Lower),
            ("channel_pending", MessageNews::Lower),
            ("sent", MessageNews::Known(ReceiptStatus::Sent)),
            ("error", MessageNews::Known(ReceiptStatus::Failed)),
            ("unavailable", MessageNews::Known(ReceiptStatus::Unreachable)),
            ("received", MessageNews::Known(ReceiptStatus::Delivered)),
            ("read", MessageNews::Known(ReceiptStatus::Read)),
            ("active", MessageNews::Other("active".to_owned())),
        ] {
            assert_eq!(message(word), news, "{word}");
        }
    }

    #[test]
    fn reports_use_the_words_of_the_vocabulary() {
        let words = |vocabulary| ReceiptStatus::ALL.map(|status| report(status, vocabulary));
        assert_eq!(
            words(StatusVocabulary::Extended),
            [Some("sent"), Some("error"), Some("unavailable"), Some("received"), Some("read")]
        );
        assert_eq!(words(StatusVocabulary::Seed), [None, Some("error"), Some("error"), Some("received"), Some("read")]);
    }
}
