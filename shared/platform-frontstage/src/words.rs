//! The enumerations of section 4.6.

use crate::node::Node;
use crate::structure::{Emission, Reading, Value, Wrong, enumeration};

enumeration! {
    /// Whether a chat may be started now.
    pub enum Signal {
        /// Start now.
        Free = "Free";
        /// Start, and expect to wait.
        Busy = "Busy";
        /// Not now.
        Closed = "Closed";
        /// Not now, and do not advertise it.
        Hidden = "Hidden";
    }
}

enumeration! {
    /// What kind of application a chat came through.
    pub enum ChatType {
        /// Business messenger.
        BusinessIm = "BusinessIM";
        /// Social network.
        SocialIm = "SocialIM";
        /// Web site.
        WebIm = "WebIM";
    }
}

enumeration! {
    /// The controls a browser can draw.
    pub enum ControlType {
        /// A text without an answer.
        LabelOnly = "LabelOnly";
        /// Text.
        TextArea = "TextArea";
        /// One of a list that opens.
        DropDown = "DropDown";
        /// One of some.
        RadioButtons = "RadioButtons";
        /// Any of some.
        CheckBoxes = "CheckBoxes";
        /// A whole number.
        Integer = "Integer";
        /// A day.
        Date = "Date";
        /// A time of day.
        Time = "Time";
        /// A day and a time.
        DateTime = "DateTime";
    }
}

enumeration! {
    /// The kind of messages a gateway carries.
    pub enum Channel {
        /// E-mail.
        Email = "Email";
        /// Short messages.
        Sms = "SMS";
        /// Fax.
        Fax = "Fax";
        /// Private messages of a social network.
        SocialMsg = "SocialMsg";
        /// Public posts of a social network. Two spellings, one meaning (11.32).
        SocialWall = "SocialWall" | "SocWall";
    }
}

enumeration! {
    /// Which way a message gateway works (11.21).
    pub enum Direction {
        /// Only brings messages.
        Inbound = "I";
        /// Only takes messages.
        Outbound = "O";
        /// Both; listed to the connector once for each.
        Both = "B";
    }
}

impl Direction {
    /// Whether messages come in through it.
    #[must_use]
    pub const fn is_inbound(self) -> bool {
        matches!(self, Self::Inbound | Self::Both)
    }

    /// Whether messages go out through it.
    #[must_use]
    pub const fn is_outbound(self) -> bool {
        matches!(self, Self::Outbound | Self::Both)
    }
}

/// Where a chat is (5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatStatus {
    /// Recorded, its conditions not evaluated yet.
    Pilot,
    /// An automatic conversation.
    Icr,
    /// No agent yet.
    Waiting,
    /// Offered to an agent.
    Alerting,
    /// An agent converses.
    Answered,
    /// Over. By whom is said by the old names only (11.2), and not known where the plain one was read.
    Closed(Option<ClosedBy>),
}

/// Why a chat is over (5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedBy {
    /// The agent ended it.
    Agent,
    /// The external application did.
    ExtApp,
    /// Nobody wrote for too long.
    Inactivity,
    /// The server ended it.
    System,
}

impl ChatStatus {
    /// The state of a word, in any case and with its synonyms (11.1, 11.2).
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "pilot" => Self::Pilot,
            "icr" => Self::Icr,
            "waiting" | "queue" => Self::Waiting,
            "alerting" => Self::Alerting,
            "answered" => Self::Answered,
            "closed" => Self::Closed(None),
            "closedbyagent" => Self::Closed(Some(ClosedBy::Agent)),
            "closedbyextapp" => Self::Closed(Some(ClosedBy::ExtApp)),
            _ => return None,
        })
    }

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pilot => "Pilot",
            Self::Icr => "ICR",
            Self::Waiting => "Waiting",
            Self::Alerting => "Alerting",
            Self::Answered => "Answered",
            Self::Closed(_) => "Closed",
        }
    }

    /// The word for those who were promised the old names.
    #[must_use]
    pub const fn legacy_str(self) -> &'static str {
        match self {
            Self::Waiting => "Queue",
            Self::Closed(Some(ClosedBy::ExtApp)) => "ClosedByExtApp",
            Self::Closed(_) => "ClosedByAgent",
            Self::Pilot | Self::Icr | Self::Alerting | Self::Answered => self.as_str(),
        }
    }
}

impl Value for ChatStatus {
    fn from_node(node: &Node, _how: Reading) -> Result<Option<Self>, Wrong> {
        let status = node.as_text().and_then(Self::parse);
        status.map(Some).ok_or_else(|| Wrong::new("is not one of its values"))
    }

    fn to_node(&self, how: Emission) -> Node {
        if how.legacy_status_names { self.legacy_str() } else { self.as_str() }.into()
    }
}

/// What a sentence is (4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Model {
    /// 0: said.
    #[default]
    Sentence,
    /// 2: a note between the said.
    TechNote,
    /// 4: the panel beside the conversation; the last one holds.
    TechPanel,
    /// 6: where the visitor is; the last one holds.
    Navigation,
    /// 8: shared browsing; the last one holds.
    CoBrowsingData,
    /// Another even number, stored and passed on.
    Other(i64),
}

impl Model {
    const NAMED: [(Self, &str); 5] = [
        (Self::Sentence, "M_Sentence"),
        (Self::TechNote, "M_TechNote"),
        (Self::TechPanel, "M_TechPanel"),
        (Self::Navigation, "M_Navigation"),
        (Self::CoBrowsingData, "M_CoBrowsingData"),
    ];

    /// The kind of a number; only even ones are kinds.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        if number < 0 || number % 2 != 0 {
            return None;
        }
        let named = Self::NAMED.into_iter().map(|(model, _)| model).find(|model| model.number() == number);
        Some(named.unwrap_or(Self::Other(number)))
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Sentence => 0,
            Self::TechNote => 2,
            Self::TechPanel => 4,
            Self::Navigation => 6,
            Self::CoBrowsingData => 8,
            Self::Other(number) => number,
        }
    }

    /// Whether it has a place in the conversation, and so a `Counter` (5.2).
    #[must_use]
    pub const fn is_counted(self) -> bool {
        matches!(self, Self::Sentence | Self::TechNote)
    }
}

impl Value for Model {
    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    /// By its number, or by its name as MessagePack may have it (10.4).
    fn from_node(node: &Node, _how: Reading) -> Result<Option<Self>, Wrong> {
        let model = match node {
            Node::Number(digits) => digits.parse().ok().and_then(Self::from_number),
            Node::Text(name) => Self::NAMED.into_iter().find(|(_, known)| known == name).map(|(model, _)| model),
            _ => None,
        };
        model.map(Some).ok_or_else(|| Wrong::new("is not one of its values"))
    }

    fn to_node(&self, _how: Emission) -> Node {
        self.number().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_11_1_waiting_and_queue_are_one_state() {
        for word in ["Waiting", "waiting", "Queue", "QUEUE"] {
            assert_eq!(ChatStatus::parse(word), Some(ChatStatus::Waiting), "{word}");
        }
        assert_eq!((ChatStatus::Waiting.as_str(), ChatStatus::Waiting.legacy_str()), ("Waiting", "Queue"));
    }

    #[test]
    fn row_11_2_the_end_has_three_names() {
        for (word, by) in [
            ("Closed", None),
            ("ClosedByAgent", Some(ClosedBy::Agent)),
            ("closedbyagent", Some(ClosedBy::Agent)),
            ("ClosedByExtApp", Some(ClosedBy::ExtApp)),
        ] {
            assert_eq!(ChatStatus::parse(word), Some(ChatStatus::Closed(by)), "{word}");
        }
        for (by, legacy) in [
            (ClosedBy::Agent, "ClosedByAgent"),
            (ClosedBy::Inactivity, "ClosedByAgent"),
            (ClosedBy::System, "ClosedByAgent"),
            (ClosedBy::ExtApp, "ClosedByExtApp"),
        ] {
            let status = ChatStatus::Closed(Some(by));
            assert_eq!((status.as_str(), status.legacy_str()), ("Closed", legacy), "{by:?}");
        }
    }

    #[test]
    fn states_are_the_six_of_the_contract() {
        for word in ["Pilot", "ICR", "Waiting", "Alerting", "Answered", "Closed"] {
            assert_eq!(ChatStatus::parse(word).map(ChatStatus::as_str), Some(word));
        }
        for word in ["", "Queued", "Closed ", "0"] {
            assert_eq!(ChatStatus::parse(word), None, "{word}");
        }
    }

    #[test]
    fn row_11_32_social_wall_has_two_spellings() {
        for text in ["SocialWall", "SocWall"] {
            assert_eq!(Channel::parse(text), Some(Channel::SocialWall));
        }
        assert_eq!(Channel::SocialWall.as_str(), "SocialWall");
    }

    #[test]
    fn row_11_21_directions_are_i_o_and_b() {
        for (word, direction) in [("I", Direction::Inbound), ("O", Direction::Outbound), ("B", Direction::Both)] {
            assert_eq!(Direction::parse(word), Some(direction));
        }
        assert_eq!(Direction::parse("i"), None);
    }

    #[test]
    fn words_are_those_of_the_contract() {
        for word in ["Free", "Busy", "Closed", "Hidden"] {
            assert_eq!(Signal::parse(word).map(Signal::as_str), Some(word));
        }
        for word in ["BusinessIM", "SocialIM", "WebIM"] {
            assert_eq!(ChatType::parse(word).map(ChatType::as_str), Some(word));
        }
        for word in ["Email", "SMS", "Fax", "SocialMsg", "SocialWall"] {
            assert_eq!(Channel::parse(word).map(Channel::as_str), Some(word));
        }
        for word in ["LabelOnly", "TextArea", "DropDown", "RadioButtons", "CheckBoxes", "Integer", "Date", "Time", "DateTime"] {
            assert_eq!(ControlType::parse(word).map(ControlType::as_str), Some(word));
        }
        assert_eq!(Signal::parse("free"), None);
    }

    #[test]
    fn models_are_even_numbers() {
        for (number, model, is_counted) in [
            (0, Model::Sentence, true),
            (2, Model::TechNote, true),
            (4, Model::TechPanel, false),
            (6, Model::Navigation, false),
            (8, Model::CoBrowsingData, false),
            (10, Model::Other(10), false),
        ] {
            assert_eq!(Model::from_number(number), Some(model));
            assert_eq!((model.number(), model.is_counted()), (number, is_counted));
        }
        for number in [-2, -1, 1, 7] {
            assert_eq!(Model::from_number(number), None);
        }
    }
}
