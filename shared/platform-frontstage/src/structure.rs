//! How the structures of section 4 are read and written: each is one table of members, as in the contract, and every rule
//! of 2.2 is applied to all of them here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;

use model::EpochMillis;
use uuid::Uuid;

use crate::form::{Decimal, is_nil_date, is_writable_date, parse_date, parse_guid};
use crate::node::{Members, Node};
use crate::{Code, WireError};

/// Longest text of a conversation or a message, in UTF-16 units (section 4).
pub(crate) const MAX_TEXT: usize = 1_000_000;
/// Longest of the texts without a limit of their own (section 4).
pub(crate) const MAX_OTHER: usize = 4_000;
/// For texts whose length another rule judges.
pub(crate) const ANY_LENGTH: usize = usize::MAX;
/// Most items of a list (section 4).
const MAX_LIST: usize = 1_000;

/// Between whom a structure travels: the column "Dir" of section 4. A member is read and written in its own directions
/// only, and passed over in the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dir {
    /// External application to server.
    Es,
    /// Server to external application.
    Se,
    /// Agent client to server.
    Cs,
    /// Server to agent client.
    Sc,
}

/// How a structure is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emission {
    /// To whom.
    pub dir: Dir,
    /// Whether states have their old names (11.1, 11.2).
    pub legacy_status_names: bool,
}

impl From<Dir> for Emission {
    fn from(dir: Dir) -> Self {
        Self { dir, legacy_status_names: false }
    }
}

/// A structure of section 4.
pub trait Structure: Sized {
    /// Reads it as it travels in `dir`. What is wrong is said of a `Body`.
    ///
    /// # Errors
    /// `MalformedBody` if it is no object, `ValidationFailed` for the first member that breaks its rule.
    fn read(node: &Node, dir: Dir) -> Result<Self, WireError>;

    /// Writes the members that travel in the direction, null where there is nothing.
    fn write(&self, how: Emission) -> Node;

    /// How many members nobody knows, structures inside counted with it. They are ignored; the number is for diagnosis.
    fn unknown_members(node: &Node) -> usize;
}

/// What a value is read by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// The direction.
    pub(crate) dir: Dir,
    /// Longest text in UTF-16 units.
    pub(crate) limit: usize,
}

/// What is wrong with a value, and where in the structure.
#[derive(Debug)]
pub(crate) struct Wrong {
    code: Code,
    path: String,
    message: String,
}

impl Wrong {
    /// A value that breaks its rule. `what` continues its name: "is not a date".
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { code: Code::ValidationFailed, path: String::new(), message: what.into() }
    }

    /// The same, said of the member `name` of what is outside.
    pub(crate) fn under(mut self, name: &str) -> Self {
        if self.path.is_empty() {
            self.message = format!("{name} {}", self.message);
            name.clone_into(&mut self.path);
        } else {
            let dot = if self.path.starts_with('[') { "" } else { "." };
            self.path = format!("{name}{dot}{}", self.path);
        }
        self
    }

    /// The same, said of a payload.
    pub(crate) fn in_body(self) -> WireError {
        let wrong = self.under("Body");
        WireError::on(wrong.code, wrong.path, wrong.message)
    }
}

/// The members of what has to be a structure. An array is none: the order of the members is not published (10.4).
pub(crate) fn members(node: &Node) -> Result<&Members, Wrong> {
    node.as_object().ok_or_else(|| Wrong { code: Code::MalformedBody, ..Wrong::new("is not an object") })
}

/// The type of a member.
pub(crate) trait Value: Debug + Sized {
    /// Whether it holds somebody's words, which no log may show.
    const IS_WORDS: bool = false;

    /// What stands for a member that is not given; `None` where there has to be one.
    fn absent() -> Option<Self> {
        None
    }

    /// Whether this says that there is nothing, where nothing may be.
    fn is_nothing(node: &Node) -> bool {
        matches!(node, Node::Null)
    }

    /// Reads it; `None` for what counts as not given.
    fn from_node(node: &Node, how: Reading) -> Result<Option<Self>, Wrong>;

    /// Writes it.
    fn to_node(&self, how: Emission) -> Node;

    /// How many members inside nobody knows.
    fn unknown(_node: &Node) -> usize {
        0
    }
}

impl Value for String {
    const IS_WORDS: bool = true;

    fn from_node(node: &Node, how: Reading) -> Result<Option<Self>, Wrong> {
        let text = node.as_text().ok_or_else(|| Wrong::new("is not a string"))?;
        // A byte is never more than a unit, so most texts need no counting.
        if text.len() > how.limit && text::utf16_len(text) > how.limit {
            return Err(Wrong::new(format!("is longer than {}", how.limit)));
        }
        Ok(Some(text.to_owned()))
    }

    fn to_node(&self, _how: Emission) -> Node {
        self.as_str().into()
    }
}

impl Value for Uuid {
    fn absent() -> Option<Self> {
        Some(Self::nil())
    }

    fn is_nothing(node: &Node) -> bool {
        matches!(node, Node::Null) || node.as_text() == Some("")
    }

    fn from_node(node: &Node, _how: Reading) -> Result<Option<Self>, Wrong> {
        let guid = guid(node).ok_or_else(|| wrong_text(node, "is not a GUID"))?;
        Ok(Some(guid).filter(|g| !g.is_nil()))
    }

    fn to_node(&self, _how: Emission) -> Node {
        (*self).into()
    }
}

/// A GUID in any accepted form; bytes are in the order of .NET (10.4).
pub(crate) fn guid(node: &Node) -> Option<Uuid> {
    match node {
        Node::Text(text) => parse_guid(text),
        Node::Binary(bytes) => bytes.as_slice().try_into().ok().map(Uuid::from_bytes_le),
        Node::Null
        | Node::Bool(_)
        | Node::Number(_)
        | Node::Decimal(_)
        | Node::Time(_)
        | Node::List(_)
        | Node::Object(_)
        | Node::Bad(_) => None,
    }
}

/// What is wrong with something that is written as a text, if it is one.
fn wrong_text(node: &Node, what: &str) -> Wrong {
    Wrong::new(if matches!(node, Node::Text(_) | Node::Binary(_) | Node::Time(_)) { what } else { "is not a string" })
}

impl Value for EpochMillis {
    fn from_node(node: &Node, _how: Reading) -> Result<Option<Self>, Wrong> {
        let at = if let Node::Time(at) = node { Some(*at) } else { node.as_text().and_then(parse_date) };
        let at = at.filter(|at| is_nil_date(*at) || is_writable_date(*at)).ok_or_else(|| wrong_text(node, "is not a date"))?;
        Ok(Some(at).filter(|at| !is_nil_date(*at)))
    }

    fn to_node(&self, _how: Emission) -> Node {
        (*self).into()
    }
}

fn integer<T: std::str::FromStr>(node: &Node, what: &str) -> Result<Option<T>, Wrong> {
    let number = if let Node::Number(digits) = node { digits.parse().ok() } else { None };
    number.map(Some).ok_or_else(|| Wrong::new(what))
}

impl Value for i64 {
    fn absent() -> Option<Self> {
        Some(0)
    }

    fn from_node(node: &Node, _how: Reading) -> Result<Option<Self>, Wrong> {
        integer(node, "is not an integer")
    }

    fn to_node(&self, _how: Emission) -> Node {
        (*self).into()
    }
}

impl Value for i16 {
    fn absent() -> Option<Self> {
        Some(0)
    }

    fn from_node(node: &Node, _how: Reading) -> Result<Option<Self>, Wrong> {
        integer(node, "is not an integer of 16 bits")
    }

    fn to_node(&self, _how: Emission) -> Node {
        i64::from(*self).into()
    }
}

impl Value for bool {
    fn absent() -> Option<Self> {
        Some(false)
    }

    /// Every form of 11.6: the one boolean that connectors send is `IsTyping`.
    fn from_node(node: &Node, _how: Reading) -> Result<Option<Self>, Wrong> {
        let value = match node {
            Node::Bool(value) => Some(*value),
            Node::Number(digits) if digits == "0" => Some(false),
            Node::Number(digits) if digits == "1" => Some(true),
            Node::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Node::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        };
        value.map(Some).ok_or_else(|| Wrong::new("is not a boolean"))
    }

    fn to_node(&self, _how: Emission) -> Node {
        (*self).into()
    }
}

impl Value for Decimal {
    const IS_WORDS: bool = true;

    fn from_node(node: &Node, _how: Reading) -> Result<Option<Self>, Wrong> {
        let decimal = match node {
            Node::Number(digits) | Node::Text(digits) => Self::parse(digits),
            Node::Decimal(decimal) => Some(decimal.clone()),
            _ => None,
        };
        decimal.map(Some).ok_or_else(|| Wrong::new("is not a decimal number"))
    }

    fn to_node(&self, _how: Emission) -> Node {
        Node::Decimal(self.clone())
    }
}

impl<T: Value> Value for Option<T> {
    const IS_WORDS: bool = T::IS_WORDS;

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn from_node(node: &Node, how: Reading) -> Result<Option<Self>, Wrong> {
        if T::is_nothing(node) { Ok(None) } else { T::from_node(node, how).map(Some) }
    }

    fn to_node(&self, how: Emission) -> Node {
        self.as_ref().map_or(Node::Null, |value| value.to_node(how))
    }

    fn unknown(node: &Node) -> usize {
        T::unknown(node)
    }
}

impl<T: Value> Value for Box<T> {
    const IS_WORDS: bool = T::IS_WORDS;

    fn from_node(node: &Node, how: Reading) -> Result<Option<Self>, Wrong> {
        Ok(T::from_node(node, how)?.map(Self::new))
    }

    fn to_node(&self, how: Emission) -> Node {
        self.as_ref().to_node(how)
    }

    fn unknown(node: &Node) -> usize {
        T::unknown(node)
    }
}

impl<T: Value> Value for Vec<T> {
    const IS_WORDS: bool = T::IS_WORDS;

    fn from_node(node: &Node, how: Reading) -> Result<Option<Self>, Wrong> {
        let Node::List(items) = node else { return Err(Wrong::new("is not an array")) };
        if items.len() > MAX_LIST {
            return Err(Wrong::new(format!("has more than {MAX_LIST} items")));
        }
        let item = |(i, node)| {
            let item = T::from_node(node, how).and_then(|item| item.or_else(T::absent).ok_or_else(|| Wrong::new("is missing")));
            item.map_err(|wrong| wrong.under(&format!("[{i}]")))
        };
        items.iter().enumerate().map(item).collect::<Result<_, _>>().map(Some)
    }

    fn to_node(&self, how: Emission) -> Node {
        Node::List(self.iter().map(|item| item.to_node(how)).collect())
    }

    fn unknown(node: &Node) -> usize {
        if let Node::List(items) = node { items.iter().map(T::unknown).sum() } else { 0 }
    }
}

/// A dictionary of texts.
impl Value for BTreeMap<String, String> {
    const IS_WORDS: bool = true;

    fn from_node(node: &Node, how: Reading) -> Result<Option<Self>, Wrong> {
        let members = members(node)?;
        if members.len() > MAX_LIST {
            return Err(Wrong::new(format!("has more than {MAX_LIST} items")));
        }
        let entry = |(name, node): &(Cow<'static, str>, Node)| {
            let value = String::from_node(node, how).map_err(|wrong| wrong.under(name))?;
            Ok((name.clone().into_owned(), value.unwrap_or_default()))
        };
        members.iter().map(entry).collect::<Result<_, _>>().map(Some)
    }

    fn to_node(&self, _how: Emission) -> Node {
        Node::Object(self.iter().map(|(name, value)| (Cow::Owned(name.clone()), value.as_str().into())).collect())
    }
}

/// Declares a structure: per member its meaning, its type, its longest text (where it is a text and not 4,000), its name
/// on the wire, and the directions in which it travels.
///
/// A type without `Option` is one the contract calls not nullable. On input it is `0`, `false` or the nil GUID when it is
/// not given (2.2). Dates are always optional here, as there is no date that means none.
macro_rules! structure {
    ($(#[$meta:meta])* pub struct $structure:ident {
        $($(#[$doc:meta])* $field:ident: $type:ty $([$limit:expr])? = $member:literal in $($dir:ident)+;)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $structure {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl $crate::structure::Value for $structure {
            fn from_node(
                node: &$crate::node::Node,
                how: $crate::structure::Reading,
            ) -> Result<Option<Self>, $crate::structure::Wrong> {
                let members = $crate::structure::members(node)?;
                Ok(Some(Self {
                    $($field: {
                        let limit = [$($limit,)? $crate::structure::MAX_OTHER][0];
                        let how = $crate::structure::Reading { limit, ..how };
                        members.read($member, how, &[$($crate::structure::Dir::$dir),+])?
                    },)*
                }))
            }

            fn to_node(&self, how: $crate::structure::Emission) -> $crate::node::Node {
                let members = [$(([$($crate::structure::Dir::$dir),+].contains(&how.dir)).then(|| {
                    (std::borrow::Cow::Borrowed($member), $crate::structure::Value::to_node(&self.$field, how))
                })),*];
                $crate::node::Node::Object(members.into_iter().flatten().collect())
            }

            fn unknown(node: &$crate::node::Node) -> usize {
                let Some(members) = node.as_object() else { return 0 };
                let unknown = |(name, node): &(std::borrow::Cow<'static, str>, $crate::node::Node)| {
                    $(if name.eq_ignore_ascii_case($member) {
                        return <$type as $crate::structure::Value>::unknown(node);
                    })*
                    1
                };
                members.iter().map(unknown).sum()
            }
        }

        impl $crate::structure::Structure for $structure {
            fn read(node: &$crate::node::Node, dir: $crate::structure::Dir) -> Result<Self, $crate::WireError> {
                let how = $crate::structure::Reading { dir, limit: $crate::structure::MAX_OTHER };
                let read = <Self as $crate::structure::Value>::from_node(node, how);
                let given = read.and_then(|it| it.ok_or_else(|| $crate::structure::Wrong::new("is missing")));
                given.map_err($crate::structure::Wrong::in_body)
            }

            fn write(&self, how: $crate::structure::Emission) -> $crate::node::Node {
                $crate::structure::Value::to_node(self, how)
            }

            fn unknown_members(node: &$crate::node::Node) -> usize {
                <Self as $crate::structure::Value>::unknown(node)
            }
        }

        impl std::fmt::Debug for $structure {
            /// Ids, numbers and states only: everything else is somebody's words or address.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut shown = f.debug_struct(stringify!($structure));
                $(if !<$type as $crate::structure::Value>::IS_WORDS {
                    shown.field(stringify!($field), &self.$field);
                })*
                shown.finish_non_exhaustive()
            }
        }
    };
}

/// Declares an enumeration of section 4.6 by its words.
macro_rules! enumeration {
    ($(#[$meta:meta])* pub enum $enumeration:ident {
        $($(#[$doc:meta])* $variant:ident = $word:literal $(| $synonym:literal)*;)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $enumeration {
            $($(#[$doc])* $variant,)*
        }

        impl $enumeration {
            /// The value of a word, if it is one.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word $(| $synonym)* => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The word on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl $crate::structure::Value for $enumeration {
            fn from_node(
                node: &$crate::node::Node,
                _how: $crate::structure::Reading,
            ) -> Result<Option<Self>, $crate::structure::Wrong> {
                let value = node.as_text().and_then(Self::parse);
                value.map(Some).ok_or_else(|| $crate::structure::Wrong::new("is not one of its values"))
            }

            fn to_node(&self, _how: $crate::structure::Emission) -> $crate::node::Node {
                self.as_str().into()
            }
        }
    };
}

pub(crate) use {enumeration, structure};

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::chat::{ChatInfo, ChatSentenceInfo, ChatServiceInfo, ChatStatusInfo};
    use crate::register::{LiteralLookupInfo, WebSiteRoutingInfo};
    use crate::scenario::{ScenarioInfo, ScenarioResultInfo, ScenarioResultValueInfo};
    use crate::{json, msgpack};

    /// A structure from its JSON.
    pub(crate) fn read<T: Structure>(body: &serde_json::Value, dir: Dir) -> Result<T, WireError> {
        T::read(&node(body), dir)
    }

    /// The value of some JSON.
    pub(crate) fn node(body: &serde_json::Value) -> Node {
        json::parse(body.to_string().as_bytes()).unwrap()
    }

    /// A value as JSON shows it, after it went through MessagePack too.
    pub(crate) fn shown(node: &Node) -> serde_json::Value {
        let packed = msgpack::parse(&msgpack::write(node)).unwrap();
        let json = |node: &Node| serde_json::from_slice(&json::write(node)).unwrap();
        assert_eq!(json(&packed), json(node));
        json(node)
    }

    const ID: &str = "22222222-2222-4222-8222-222222222222";
    const NIL: &str = "00000000-0000-0000-0000-000000000000";

    fn sentence(changes: serde_json::Value) -> Result<ChatSentenceInfo, WireError> {
        let mut body = json!({"ChatId": ID, "ID": "s-1", "Text": "Hi"});
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        read(&body, Dir::Cs)
    }

    fn wrong<T: std::fmt::Debug>(read: Result<T, WireError>) -> (Code, String, String) {
        let error = read.unwrap_err();
        (error.code, error.field.unwrap_or_default(), error.message)
    }

    fn invalid(field: &str, message: &str) -> (Code, String, String) {
        (Code::ValidationFailed, field.to_owned(), message.to_owned())
    }

    #[test]
    fn missing_null_and_default_are_one() {
        let empty = read::<ChatSentenceInfo>(&json!({}), Dir::Cs).unwrap();
        assert_eq!(empty, ChatSentenceInfo::default());
        let nulls = json!({"Peer": null, "ChatId": null, "ID": null, "Text": null, "TimeSent": null, "Model": null});
        assert_eq!(read::<ChatSentenceInfo>(&nulls, Dir::Cs).unwrap(), empty);
        let nil = json!({"ChatId": NIL, "TimeSent": "0001-01-01T00:00:00"});
        assert_eq!(read::<ChatSentenceInfo>(&nil, Dir::Cs).unwrap(), empty);
        assert_eq!(shown(&empty.write(Dir::Cs.into()))["ChatId"], json!(null));
    }

    #[test]
    fn empty_guid_is_null_only_where_null_may_be() {
        let service: ChatServiceInfo = read(&json!({"ReturnChatId": ""}), Dir::Es).unwrap();
        assert_eq!(service.return_chat_id, None);
        assert_eq!(wrong(sentence(json!({"ChatId": ""}))), invalid("Body.ChatId", "ChatId is not a GUID"));
    }

    #[test]
    fn wrong_types_are_named_with_their_place() {
        for (changes, field, message) in [
            (json!({"Text": 5}), "Body.Text", "Text is not a string"),
            (json!({"ChatId": "x"}), "Body.ChatId", "ChatId is not a GUID"),
            (json!({"TimeSent": "soon"}), "Body.TimeSent", "TimeSent is not a date"),
            (json!({"TimeSent": 5}), "Body.TimeSent", "TimeSent is not a string"),
            (json!({"Model": 0.5}), "Body.Model", "Model is not one of its values"),
            (json!({"Model": 3}), "Body.Model", "Model is not one of its values"),
            (json!({"Model": "M_Other"}), "Body.Model", "Model is not one of its values"),
        ] {
            assert_eq!(wrong(sentence(changes)), invalid(field, message));
        }
        let values = |value| read::<ChatServiceInfo>(&json!({"ResultModel": {"Values": value}}), Dir::Es);
        let (path, name) = ("Body.ResultModel.Values", "Values");
        assert_eq!(wrong(values(json!({}))), invalid(path, &format!("{name} is not an array")));
        assert_eq!(wrong(values(json!(vec![json!({}); 1_001]))), invalid(path, &format!("{name} has more than 1000 items")));
        assert!(values(json!(vec![json!({}); 1_000])).is_ok());
        assert_eq!(
            wrong(values(json!([{}, {"ResultNumber": 1.5}]))),
            invalid(&format!("{path}[1].ResultNumber"), "ResultNumber is not an integer")
        );
        let positional = wrong(values(json!([["x"]])));
        assert_eq!((positional.0, positional.1), (Code::MalformedBody, format!("{path}[0]")));
        assert_eq!(wrong(read::<ChatSentenceInfo>(&json!([]), Dir::Es)).0, Code::MalformedBody);
        assert_eq!(wrong(read::<ChatSentenceInfo>(&json!(null), Dir::Es)).2, "Body is not an object");
    }

    #[test]
    fn unknown_enumeration_text_is_refused() {
        let error = wrong(read::<ChatServiceInfo>(&json!({"Signal": "Open"}), Dir::Se));
        assert_eq!(error, invalid("Body.Signal", "Signal is not one of its values"));
        let error = wrong(read::<ChatStatusInfo>(&json!({"Status": "Gone"}), Dir::Se));
        assert_eq!(error, invalid("Body.Status", "Status is not one of its values"));
        let error = wrong(read::<ChatInfo>(&json!({"ChatType": "webim"}), Dir::Sc));
        assert_eq!(error, invalid("Body.ChatType", "ChatType is not one of its values"));
        assert_eq!(sentence(json!({"Model": 12})).unwrap().model, crate::Model::Other(12));
    }

    #[test]
    fn lengths_are_counted_in_utf_16_units() {
        // Two units each.
        assert!(sentence(json!({"ID": "🙂".repeat(32)})).is_ok());
        let long = wrong(sentence(json!({"ID": format!("{}x", "🙂".repeat(32))})));
        assert_eq!(long, invalid("Body.ID", "ID is longer than 64"));
        for (name, limit) in [("Peer", 128), ("PartyName", 160), ("Text", 1_000_000)] {
            assert!(sentence(json!({ name: "ž".repeat(limit) })).is_ok(), "{name}");
            let long = wrong(sentence(json!({ name: "ž".repeat(limit + 1) })));
            assert_eq!(long, invalid(&format!("Body.{name}"), &format!("{name} is longer than {limit}")));
        }
        for (name, limit) in [
            ("Peer", 128),
            ("Port", 128),
            ("TrackingId", 128),
            ("PreferredCulture", 16),
            // Row 11.18: what the stock script sends is shorter.
            ("UserToken", 320),
            ("ExtResponse", 4_000),
            ("PartyName", 160),
            ("RemoteAddress", 250),
        ] {
            assert!(read::<ChatServiceInfo>(&json!({ name: "x".repeat(limit) }), Dir::Es).is_ok(), "{name}");
            let long = wrong(read::<ChatServiceInfo>(&json!({ name: "x".repeat(limit + 1) }), Dir::Es));
            assert_eq!(long, invalid(&format!("Body.{name}"), &format!("{name} is longer than {limit}")));
        }
        let unlisted = |length| read::<ScenarioResultInfo>(&json!({"Activity": "x".repeat(length)}), Dir::Es);
        assert!(unlisted(4_000).is_ok());
        assert_eq!(wrong(unlisted(4_001)), invalid("Body.Activity", "Activity is longer than 4000"));
    }

    #[test]
    fn row_11_18_user_token_has_up_to_320_characters() {
        let token = "x".repeat(320);
        let service: ChatServiceInfo = read(&json!({ "UserToken": token }), Dir::Es).unwrap();
        assert_eq!(service.user_token, Some(token));
    }

    #[test]
    fn members_of_another_direction_are_passed_over_and_left_out() {
        let body = json!({"Peer": "!A", "TrackingId": "t", "Signal": 5, "ScenarioModel": "x", "PartyName": "Eva"});
        let service: ChatServiceInfo = read(&body, Dir::Es).unwrap();
        assert_eq!((service.signal, service.party_name.as_deref()), (None, Some("Eva")));
        assert_eq!(
            json::write(&service.write(Dir::Se.into())),
            br#"{"Peer":"!A","Port":null,"TrackingId":"t","Signal":null,"ScenarioModel":null}"#
        );
    }

    #[test]
    fn unknown_members_are_ignored_and_counted() {
        let body =
            json!({"Peer": "!A", "New": 1, "ResultModel": {"Values": [{"Other": {"A": 1}}, {"RESULTTEXT": "x"}], "More": []}});
        let service: ChatServiceInfo = read(&body, Dir::Es).unwrap();
        assert_eq!(service.result_model.unwrap().values.unwrap()[1].result_text.as_deref(), Some("x"));
        assert_eq!(ChatServiceInfo::unknown_members(&node(&body)), 3);
    }

    #[test]
    fn decimals_stay_exact_in_both_formats() {
        let exact = "1234567890.1234567890123456";
        let body = format!(r#"{{"ScreenControlId":"{ID}","ResultNumeric":{exact}}}"#);
        let value = ScenarioResultValueInfo::read(&json::parse(body.as_bytes()).unwrap(), Dir::Es).unwrap();
        assert_eq!(value.result_numeric.as_ref().map(Decimal::as_str), Some(exact));
        let written = value.write(Dir::Es.into());
        assert!(String::from_utf8(json::write(&written)).unwrap().contains(&format!(r#""ResultNumeric":{exact}"#)));
        let packed = msgpack::parse(&msgpack::write(&written)).unwrap();
        assert_eq!(packed.as_object().unwrap().get("ResultNumeric"), &Node::Text(exact.into()));
        assert_eq!(ScenarioResultValueInfo::read(&packed, Dir::Es).unwrap(), value);
        for (packed, digits) in [("05", "5"), ("cb3fb999999999999a", "0.1"), ("a3312e35", "1.5")] {
            let node = msgpack::parse(&hex::decode(packed).unwrap()).unwrap();
            let value = ScenarioResultValueInfo::read(&Node::object([("ResultNumeric", node)]), Dir::Es).unwrap();
            assert_eq!(value.result_numeric.as_ref().map(Decimal::as_str), Some(digits));
        }
    }

    #[test]
    fn row_11_6_is_typing_in_all_forms() {
        let flag = |value: serde_json::Value| {
            let command: crate::ChatCommandInfo = read(&json!({ "IsTyping": value }), Dir::Es).map_err(|e| e.message)?;
            Ok::<_, String>(command.is_typing)
        };
        for (value, expected) in [
            (json!(true), Some(true)),
            (json!(false), Some(false)),
            (json!("true"), Some(true)),
            (json!("False"), Some(false)),
            (json!(1), Some(true)),
            (json!(0), Some(false)),
            (json!(null), None),
        ] {
            assert_eq!(flag(value), Ok(expected));
        }
        for value in [json!(""), json!("yes"), json!(2), json!(1.0), json!([])] {
            assert_eq!(flag(value), Err("IsTyping is not a boolean".to_owned()));
        }
    }

    #[test]
    fn row_11_11_literals_are_asked_for_with_peer_and_listed_without() {
        let request: LiteralLookupInfo = read(&json!({"LiteralGroup": 102, "Culture": "en-US", "Peer": "!A"}), Dir::Es).unwrap();
        assert_eq!((request.literal_group, request.peer.as_deref()), (102, Some("!A")));
        let row = LiteralLookupInfo { literal_value: 7, literal_text: Some("Hi".into()), ..request };
        let json = json!({"LiteralGroup": 102, "LiteralValue": 7, "Culture": "en-US", "LiteralText": "Hi", "DisplayName": null});
        assert_eq!(shown(&row.write(Dir::Se.into())), json);
        let wide = wrong(read::<LiteralLookupInfo>(&json!({"LiteralGroup": 32_768}), Dir::Es));
        assert_eq!(wide, invalid("Body.LiteralGroup", "LiteralGroup is not an integer of 16 bits"));
    }

    #[test]
    fn registers_and_forms_round_trip() {
        let rule = json!({
            "WebSiteRoutingId": ID, "WebApp": "webchat", "Rank": 3, "PageUrlRegex": "/shop", "PreferredCulture": "cs",
            "BrowserRegex": null, "UserTokenRegex": null, "ClientIpMask": "10.0.0.0/8", "TimeMode": "Daily",
            "TimeFrom": "2026-01-01T08:00:00.000Z", "TimeTo": "2026-01-01T16:00:00.000Z", "TargetElementID": "chat-box",
            "WebResponse": null, "ScenarioId": ID, "OutboundListId": null, "WorkflowId": null, "MessageId": null,
            "LiteralCulture": "cs-CZ", "ChatTrackUrl": 1, "LogUrl": true, "Template": "webchat", "Block": false,
            "SolicitationTimeOut": 30, "SolicitationDuration": 20, "HonorRejectPeriod": null
        });
        assert_eq!(shown(&read::<WebSiteRoutingInfo>(&rule, Dir::Se).unwrap().write(Dir::Se.into())), rule);
        let form = json!({
            "ScenarioId": ID, "DisplayName": "Order", "AgentId": null, "Culture": "en", "Screens": [{
                "ScreenId": ID, "DisplayName": "First", "Rank": 1, "FinishButton": true, "ConditionScreenControlId": ID,
                "ConditionText": "yes", "Controls": [{
                    "ScreenControlId": ID, "DisplayName": "Size", "Description": null, "TargetColumn": "size", "Rank": 2,
                    "ControlType": "Slider", "ControlNumber": 5, "ControlText": null, "MandatoryField": true, "Parameters": [{
                        "ScreenControlParameterId": ID, "DisplayName": "Large", "Rank": 1, "ResultNumber": null,
                        "ResultText": "L", "DefaultItem": true
                    }]
                }]
            }]
        });
        assert_eq!(shown(&read::<ScenarioInfo>(&form, Dir::Se).unwrap().write(Dir::Se.into())), form);
        let result = json!({
            "ScenarioId": ID, "ScenarioResultId": null, "TimeUtc": "2026-01-01T00:00:00.000Z", "Values": [{
                "ScreenControlId": ID, "ResultNumber": 1, "ResultText": "L", "ResultNumeric": 2.5,
                "ResultTime": "2026-01-01T00:00:00.000Z", "TargetColumn": "size"
            }],
            "AgentId": ID, "InboundCallId": null, "OutboundCallId": null, "MessageId": null, "IssueId": null, "ContactId": null,
            "ChatId": ID, "WorkflowId": null, "Activity": null
        });
        let read: ScenarioResultInfo = read(&result, Dir::Es).unwrap();
        let written: serde_json::Value = serde_json::from_slice(&json::write(&read.write(Dir::Es.into()))).unwrap();
        assert_eq!(written, result);
    }

    #[test]
    fn debug_shows_no_words() {
        let sentence = sentence(json!({"Text": "secret", "PartyName": "Eva", "Peer": "!A"})).unwrap();
        let shown = format!("{sentence:?}");
        assert!(shown.contains("chat_id: 22222222-2222-4222-8222-222222222222") && shown.contains("model: Sentence"), "{shown}");
        assert!(!shown.contains("secret") && !shown.contains("Eva") && !shown.contains("!A"), "{shown}");
        let status = ChatStatusInfo { sentences: Some(vec![sentence]), ..ChatStatusInfo::default() };
        assert!(!format!("{status:?}").contains("secret"));
    }
}
