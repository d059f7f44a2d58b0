//! Identifiers on the wire between vcita and us.

use std::fmt;
use std::str::FromStr;

use model::{Account, Conversation, ConversationId, EventKey, MessageId, Platform};

/// The longest identifier, in characters. Documented for `message_uid` (section 1); taken for all of them.
pub const MAX_UID: usize = 255;

/// Why a text cannot be an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UidProblem {
    /// There is nothing in it.
    #[error("must not be empty")]
    Empty,
    /// It is longer than [`MAX_UID`].
    #[error("must not be longer than 255 characters")]
    TooLong,
}

/// Defines an identifier that is opaque to us: 1 to 255 characters, otherwise exactly as it came.
macro_rules! uid {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(String);

        impl $type {
            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = UidProblem;

            fn from_str(text: &str) -> Result<Self, UidProblem> {
                if text.is_empty() {
                    Err(UidProblem::Empty)
                } else if text.chars().count() > MAX_UID {
                    Err(UidProblem::TooLong)
                } else {
                    Ok(Self(text.to_owned()))
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$type> for String {
            fn from(uid: $type) -> Self {
                uid.0
            }
        }
    };
}

uid! {
    /// A communication app switched on for one business. Made by VCS, unique everywhere; stored as it is.
    ChannelUid
}
uid! {
    /// A thread between a contact and an external user over one channel. Made by VCS; stored as it is.
    SessionUid
}
uid! {
    /// A message. Made by whoever originates it, unique within its channel only; stored as it is.
    MessageUid
}
uid! {
    /// The person on the other side of a session, named by us: see [`external_uid`].
    ExternalUid
}

/// The name under which VCS knows the visitor of a conversation: `{visitor platform}-{conversation id}`.
///
/// It says nothing about the visitor's address, and it leads back to the conversation without a lookup.
#[must_use]
pub fn external_uid(conversation: &Conversation) -> String {
    format!("{}-{}", conversation.visitor.account.platform(), conversation.id)
}

/// The names under which a message of VCS may be stored.
#[must_use]
pub fn event_keys(account: &Account, message_uid: &str) -> Vec<EventKey> {
    account.installation().map(|channel| vec![message_key(channel, message_uid)]).unwrap_or_default()
}

/// The name of the event that brought a message of VCS.
pub(crate) fn message_key(channel: &str, message_uid: &str) -> EventKey {
    EventKey::new("message", [channel, message_uid])
}

/// The visitor's platform and the conversation that [`external_uid`] named; `None` for any other text.
#[must_use]
pub fn conversation_of(external_uid: &str) -> Option<(Platform, ConversationId)> {
    let (platform, conversation) = external_uid.split_once('-')?;
    Some((platform.parse().ok()?, conversation.parse().ok()?))
}

/// The `message_uid` under which we inject a message: its own id, which is safe in a path (section 8.2, step 1).
#[must_use]
pub fn message_uid(message: MessageId) -> String {
    message.to_string()
}

/// The uid of part number `number` (from 1) of what `whole` names.
pub(crate) fn part_uid(whole: &str, number: usize) -> String {
    format!("{whole}.p{number}")
}

/// The message of ours that a `message_uid` names, also when it names a part of it; `None` if VCS made the uid.
#[must_use]
pub fn our_message(message_uid: &str) -> Option<MessageId> {
    let mut whole = message_uid;
    while let Some((before, number)) = whole.rsplit_once(".p") {
        let is_number = !number.is_empty() && number.len() <= 9 && number.bytes().all(|b| b.is_ascii_digit());
        if !is_number || number.starts_with('0') {
            return None;
        }
        whole = before;
    }
    // The parser takes other spellings of a UUID too; only the one we send is ours.
    whole.parse::<MessageId>().ok().filter(|id| id.to_string() == whole)
}

/// The part of a message of ours that a `message_uid` names, `p2` or `p2_p1`; `None` if it names the whole.
#[must_use]
pub fn part_name(message_uid: &str) -> Option<String> {
    message_uid.split_once(".p").map(|(_, rest)| format!("p{}", rest.replace('.', "_")))
}

#[cfg(test)]
mod tests {
    use model::{Memo, Visitor};
    use proptest::prelude::*;

    use super::*;

    fn conversation(account: &str, id: &str) -> Conversation {
        Conversation {
            id: id.parse().unwrap(),
            tenant: "demo".parse().unwrap(),
            visitor: Visitor {
                account: account.parse().unwrap(),
                address: "+420700000000".to_owned(),
                name: None,
                memo: Memo::new(),
            },
            desk: None,
            last_seq: 0,
            is_chat: false,
        }
    }

    #[test]
    fn external_uid_is_platform_and_conversation() {
        assert_eq!(external_uid(&conversation("frontstage/gw", "00112233445566778899")), "frontstage-00112233445566778899");
    }

    #[test]
    fn foreign_external_uid_names_no_conversation() {
        for foreign in ["", "-", "frontstage", "wa:4915112345678", "other-00112233445566778899", "frontstage-0011223344556677889"]
        {
            assert_eq!(conversation_of(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn uid_of_a_message_and_of_its_parts_lead_back_to_it() {
        let id: MessageId = "00112233-4455-8667-9e22-640000000001".parse().unwrap();
        assert_eq!(message_uid(id), "00112233-4455-8667-9e22-640000000001");
        for uid in ["", ".p1", ".p12", ".p3.p2"] {
            assert_eq!(our_message(&format!("{id}{uid}")), Some(id), "{uid}");
        }
    }

    #[test]
    fn uid_names_its_part() {
        for (uid, name) in [("", None), (".p1", Some("p1")), (".p12", Some("p12")), (".p3.p2", Some("p3_p2"))] {
            let uid = format!("00112233-4455-8667-9e22-640000000001{uid}");
            assert_eq!(part_name(&uid).as_deref(), name, "{uid}");
        }
    }

    #[test]
    fn uid_of_vcs_is_not_ours() {
        for foreign in [
            "",
            ".p1",
            "6a0f3d0a-93c8-4b51-8f10-0a4c7f1f2f90",
            "0011223344558667-9e22640000000001",
            "00112233445586679e22640000000001",
            "{00112233-4455-8667-9e22-640000000001}",
            "00112233-4455-8667-9e22-640000000001.p",
            "00112233-4455-8667-9e22-640000000001.p0",
            "00112233-4455-8667-9e22-640000000001.px",
            "00112233-4455-8667-9e22-640000000001.p1x",
        ] {
            assert_eq!(our_message(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn empty_and_over_long_uids_are_refused() {
        assert_eq!("".parse::<ChannelUid>(), Err(UidProblem::Empty));
        assert!("ü".repeat(255).parse::<MessageUid>().is_ok());
        assert_eq!("x".repeat(256).parse::<MessageUid>(), Err(UidProblem::TooLong));
    }

    proptest! {
        #[test]
        fn external_uid_round_trips(id in "[0-9a-f]{20}", platform in prop::sample::select(&Platform::ALL[..])) {
            let uid = external_uid(&conversation(&format!("{platform}/x"), &id));
            prop_assert_eq!(conversation_of(&uid), Some((platform, id.parse().unwrap())));
        }

        #[test]
        fn part_uids_are_short_path_safe_and_lead_back(
            id in "[0-9a-f]{20}", seq in 1..=MessageId::MAX_SEQ, part in 1usize..1_000_000, piece in 1usize..1_000_000,
        ) {
            let message = MessageId::new(id.parse().unwrap(), seq).unwrap();
            let uid = part_uid(&part_uid(&message_uid(message), part), piece);
            prop_assert!(uid.len() <= 255);
            prop_assert!(uid.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(&b)));
            prop_assert_eq!(our_message(&uid), Some(message));
        }

        #[test]
        fn reading_any_uid_never_panics(text in ".*") {
            let _ = our_message(&text);
            let _ = conversation_of(&text);
        }
    }
}
