//! JSON as it was written: member by member, so that duplicates and deep nesting can be told.

use std::collections::HashSet;
use std::fmt::{self, Write as _};

use model::EpochMillis;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use uuid::Uuid;

use crate::form::{is_nil_date, parse_date, parse_guid};
use crate::{Code, WireError};

/// Deepest nesting that is read (section 4).
const MAX_DEPTH: usize = 32;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    Object(Members),
    /// Something that may not be; the rest of the document is unharmed.
    Bad(&'static str),
}

/// The members of an object; no two names are equal, not even but for case.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Members(Vec<(String, Node)>);

impl Node {
    /// The text, if it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The members, if it is an object.
    pub(crate) const fn as_object(&self) -> Option<&Members> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// Reads a document.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        serde_json::from_slice(bytes).map_err(|_| WireError::new(Code::MalformedBody, "the body is not JSON"))
    }

    /// The first thing in it that may not be.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => None,
            Self::List(items) => items.iter().find_map(Self::problem),
            Self::Object(members) => members.0.iter().find_map(|(_, node)| node.problem()),
            Self::Bad(why) => Some(why),
        }
    }

    /// The value in one spelling: members sorted, no white space. Equal values, equal text.
    pub(crate) fn canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null | Self::Bad(_) => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => {
                let _ = write!(out, "{number}");
            }
            Self::Text(text) => write_text(text, out),
            Self::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                let mut sorted: Vec<_> = members.0.iter().collect();
                sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
                out.push('{');
                for (i, (name, node)) in sorted.into_iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_text(name, out);
                    out.push(':');
                    node.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    let _ = write!(out, "{}", serde_json::Value::from(text));
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Depth(0).deserialize(deserializer)
    }
}

/// Reads a value that stands this deep.
#[derive(Clone, Copy)]
struct Depth(usize);

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(serde_json::Number::from_f64(value).map_or(Node::Bad("a number is out of range"), Node::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let inner = Self(self.0 + 1);
        if inner.0 > MAX_DEPTH {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Node::Bad("nested deeper than 32"));
        }
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let inner = Self(self.0 + 1);
        if inner.0 > MAX_DEPTH {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Node::Bad("nested deeper than 32"));
        }
        let mut members = Vec::new();
        let mut names = HashSet::new();
        let mut is_unique = true;
        while let Some(name) = map.next_key::<String>()? {
            is_unique &= names.insert(name.to_ascii_lowercase());
            members.push((name, map.next_value_seed(inner)?));
        }
        Ok(if is_unique { Node::Object(Members(members)) } else { Node::Bad("two members have the same name") })
    }
}

impl Members {
    /// The value of a member, by its exact name or the same in another case; an absent one is null.
    pub(crate) fn get(&self, name: &str) -> &Node {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or(&Node::Null, |(_, node)| node)
    }

    /// A text or null.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, WireError> {
        match self.get(name) {
            Node::Null => Ok(None),
            Node::Text(text) => Ok(Some(text.clone())),
            Node::Bool(_) | Node::Number(_) | Node::List(_) | Node::Object(_) | Node::Bad(_) => {
                Err(wrong(name, "is not a string"))
            }
        }
    }

    /// A GUID or null; the nil GUID and an empty text are null.
    pub(crate) fn guid(&self, name: &str) -> Result<Option<Uuid>, WireError> {
        let Some(text) = self.text(name)?.filter(|t| !t.is_empty()) else { return Ok(None) };
        let guid = parse_guid(&text).ok_or_else(|| wrong(name, "is not a GUID"))?;
        Ok(Some(guid).filter(|g| !g.is_nil()))
    }

    /// A date or null; the first day of the calendar is null.
    pub(crate) fn date(&self, name: &str) -> Result<Option<EpochMillis>, WireError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let at = parse_date(&text).ok_or_else(|| wrong(name, "is not a date"))?;
        Ok(Some(at).filter(|at| !is_nil_date(*at)))
    }

    /// An integer or null.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, WireError> {
        match self.get(name) {
            Node::Null => Ok(None),
            Node::Number(number) => number.as_i64().map(Some).ok_or_else(|| wrong(name, "is not an integer")),
            Node::Bool(_) | Node::Text(_) | Node::List(_) | Node::Object(_) | Node::Bad(_) => {
                Err(wrong(name, "is not an integer"))
            }
        }
    }
}

fn wrong(name: &str, what: &str) -> WireError {
    WireError::on(Code::ValidationFailed, format!("Body.{name}"), format!("{name} {what}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Node {
        Node::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn members_are_found_in_any_case() {
        let Node::Object(members) = parse(r#"{"gatewayID":"x","ID":1}"#) else { panic!() };
        assert_eq!(members.text("GatewayId").unwrap().as_deref(), Some("x"));
        assert_eq!(members.integer("Id").unwrap(), Some(1));
        assert_eq!(members.get("Other"), &Node::Null);
    }

    #[test]
    fn duplicates_are_found_even_but_for_case_and_deep_inside() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"A":2}"#, r#"[{"x":[{"a":1,"b":2,"A":2}]}]"#, r#"{"a":1,"\u0061":2}"#] {
            assert_eq!(parse(text).problem(), Some("two members have the same name"), "{text}");
        }
        assert_eq!(parse(r#"{"a":{"a":1},"b":{"a":1}}"#).problem(), None);
    }

    #[test]
    fn nesting_up_to_32_is_read() {
        let nested = |depth: usize| parse(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
        assert_eq!(nested(32).problem(), None);
        assert_eq!(nested(33).problem(), Some("nested deeper than 32"));
        assert_eq!(nested(100).problem(), Some("nested deeper than 32"));
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        let wrongs: [&[u8]; 8] =
            [b"", b"{", b"[1,]", b"{\"a\":1}x", b"\"\\ud83d\"", b"\xff", b"NaN", "[".repeat(10_000).leak().as_bytes()];
        for wrong in wrongs {
            assert_eq!(Node::parse(wrong).unwrap_err().code, Code::MalformedBody);
        }
    }

    #[test]
    fn canonical_text_ignores_order_and_spacing() {
        assert_eq!(parse(r#" { "b" : [1, 2.5, null], "a" : "x\u0079" }"#).canonical(), r#"{"a":"xy","b":[1,2.5,null]}"#);
    }

    #[test]
    fn nil_values_are_not_given() {
        let Node::Object(members) = parse(
            r#"{"A":"00000000-0000-0000-0000-000000000000","B":"","C":"0001-01-01T00:00:00","D":null,"E":5,"F":1.5,"G":"x"}"#,
        ) else {
            panic!()
        };
        assert_eq!(members.guid("A").unwrap(), None);
        assert_eq!(members.guid("B").unwrap(), None);
        assert_eq!(members.date("C").unwrap(), None);
        assert_eq!(members.integer("D").unwrap(), None);
        assert_eq!(members.text("E").unwrap_err().field.as_deref(), Some("Body.E"));
        assert_eq!(members.integer("F").unwrap_err().message, "F is not an integer");
        assert_eq!(members.guid("G").unwrap_err().code, Code::ValidationFailed);
        assert_eq!(members.date("G").unwrap_err().message, "G is not a date");
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Node::parse(&bytes);
        }
    }
}
