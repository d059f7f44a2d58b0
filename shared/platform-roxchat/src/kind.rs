//! Kinds of messages (section 4).

use serde::{Deserialize, Serialize};

/// Which side a message is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// From the visitor.
    Inbound,
    /// To the visitor.
    Outbound,
    /// Among agents: never forwarded to the visitor or to another platform.
    Internal,
    /// Of a kind that is not known: shown to agents as a neutral line.
    Unknown,
}

/// The kinds that are published, as they are spelt there.
const KINDS: [(&str, Side); 17] = [
    ("visitor", Side::Inbound),
    ("operator", Side::Outbound),
    ("for_operator", Side::Internal),
    ("info", Side::Internal),
    ("operator_busy", Side::Outbound),
    ("cont_req", Side::Outbound),
    ("contacts", Side::Inbound),
    ("file_operator", Side::Outbound),
    ("file_visitor", Side::Inbound),
    ("form_response", Side::Inbound),
    ("operator_note", Side::Internal),
    ("keyboard", Side::Outbound),
    ("keyboard_response", Side::Inbound),
    ("apple_chat", Side::Outbound),
    ("apple_chat_response", Side::Inbound),
    ("action_request", Side::Outbound),
    ("sticker_visitor", Side::Inbound),
];

impl Side {
    /// The side of a kind, and the kind as it is published: case does not count. An unknown kind stays as it is.
    #[must_use]
    pub fn of(kind: &str) -> (Self, &str) {
        let known = KINDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(kind));
        known.map_or((Self::Unknown, kind), |(known, side)| (*side, *known))
    }

    /// The word in answers and in what is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Internal => "internal",
            Self::Unknown => "unknown",
        }
    }

    /// Whether something passed between visitor and agent: only that reopens a chat, and only that is told elsewhere.
    #[must_use]
    pub const fn is_said(self) -> bool {
        matches!(self, Self::Inbound | Self::Outbound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_those_of_section_4() {
        for (kind, side) in [
            ("visitor", "inbound"),
            ("operator", "outbound"),
            ("for_operator", "internal"),
            ("info", "internal"),
            ("operator_busy", "outbound"),
            ("cont_req", "outbound"),
            ("contacts", "inbound"),
            ("file_operator", "outbound"),
            ("file_visitor", "inbound"),
            ("form_response", "inbound"),
            ("operator_note", "internal"),
            ("keyboard", "outbound"),
            ("keyboard_response", "inbound"),
            ("apple_chat", "outbound"),
            ("apple_chat_response", "inbound"),
            ("action_request", "outbound"),
            ("sticker_visitor", "inbound"),
        ] {
            assert_eq!((Side::of(kind).0.as_str(), Side::of(kind).1), (side, kind));
            let (found, spelt) = (Side::of(&kind.to_uppercase()).0, Side::of(&kind.to_uppercase()).1.to_owned());
            assert_eq!((found.as_str(), spelt.as_str()), (side, kind), "older servers write upper case");
            assert_eq!(Side::of(kind).0.is_said(), side != "internal", "{kind}");
        }
        for kind in ["", "operator ", "hologram", "Хост"] {
            assert_eq!(Side::of(kind), (Side::Unknown, kind));
            assert!(!Side::of(kind).0.is_said());
        }
    }
}
