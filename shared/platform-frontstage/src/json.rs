//! JSON, both ways (2.2).

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::node::{MAX_DEPTH, Node, TOO_DEEP};
use crate::{Code, WireError};

/// Reads a document.
pub(crate) fn parse(bytes: &[u8]) -> Result<Node, WireError> {
    let text = std::str::from_utf8(bytes).ok();
    let document = text.and_then(|text| serde_json::from_str::<&RawValue>(text).and_then(|raw| value(raw, 0)).ok());
    document.ok_or_else(|| WireError::new(Code::MalformedBody, "the body is not JSON"))
}

/// Reads a value that stands this deep. Level by level and from its text, as a number that has become a binary one has
/// lost its digits.
fn value(raw: &RawValue, depth: usize) -> serde_json::Result<Node> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'{' | b'[') if depth == MAX_DEPTH => Node::Bad(TOO_DEEP),
        Some(b'{') => {
            let Pairs(pairs) = serde_json::from_str(text)?;
            let member = |(name, raw): (String, &RawValue)| Ok((Cow::Owned(name), value(raw, depth + 1)?));
            Node::written(pairs.into_iter().map(member).collect::<serde_json::Result<_>>()?)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            Node::List(items.into_iter().map(|raw| value(raw, depth + 1)).collect::<serde_json::Result<_>>()?)
        }
        Some(b'"') => Node::Text(serde_json::from_str(text)?),
        Some(b't') => Node::Bool(true),
        Some(b'f') => Node::Bool(false),
        Some(b'n') | None => Node::Null,
        Some(_) => Node::Number(text.to_owned()),
    })
}

/// The members of an object as they are written, duplicates too.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// Writes a value.
pub(crate) fn write(node: &Node) -> Vec<u8> {
    let mut out = Vec::new();
    put(node, false, &mut out);
    out
}

/// The value in one spelling: members sorted, no white space. Equal values, equal bytes.
pub(crate) fn canonical(node: &Node) -> Vec<u8> {
    let mut out = Vec::new();
    put(node, true, &mut out);
    out
}

fn put(node: &Node, is_sorted: bool, out: &mut Vec<u8>) {
    match node {
        Node::Null | Node::Bad(_) => out.extend_from_slice(b"null"),
        Node::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Node::Number(number) => out.extend_from_slice(number.as_bytes()),
        Node::Decimal(decimal) => out.extend_from_slice(decimal.as_str().as_bytes()),
        Node::Text(text) => put_text(text, out),
        Node::Time(at) => put_text(&at.to_utc_text(), out),
        Node::Binary(bytes) => put_text(&hex::encode(bytes), out),
        Node::List(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                put(item, is_sorted, out);
            }
            out.push(b']');
        }
        Node::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            if is_sorted {
                members.sort_by(|(a, _), (b, _)| a.cmp(b));
            }
            out.push(b'{');
            for (i, (name, node)) in members.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                put_text(name, out);
                out.push(b':');
                put(node, is_sorted, out);
            }
            out.push(b'}');
        }
    }
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    // Writing a text to memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Node {
        parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn members_are_found_in_any_case() {
        let Node::Object(members) = read(r#"{"gatewayID":"x","ID":1}"#) else { panic!() };
        assert_eq!(members.get("GatewayId"), &Node::Text("x".into()));
        assert_eq!(members.get("Id"), &Node::Number("1".into()));
        assert_eq!(members.get("Other"), &Node::Null);
    }

    #[test]
    fn duplicates_are_found_even_but_for_case_and_deep_inside() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"A":2}"#, r#"[{"x":[{"a":1,"b":2,"A":2}]}]"#, r#"{"a":1,"\u0061":2}"#] {
            assert_eq!(read(text).problem(), Some("two members have the same name"), "{text}");
        }
        assert_eq!(read(r#"{"a":{"a":1},"b":{"a":1}}"#).problem(), None);
    }

    #[test]
    fn nesting_up_to_32_is_read() {
        let nested = |depth: usize| read(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
        assert_eq!(nested(32).problem(), None);
        assert_eq!(nested(33).problem(), Some("nested deeper than 32"));
        assert_eq!(nested(100_000).problem(), Some("nested deeper than 32"));
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        let wrongs: [&[u8]; 11] = [
            b"",
            b"{",
            b"[1,]",
            b"{\"a\":1}x",
            b"\"\\ud83d\"",
            b"[\"\\ud83d\"]",
            b"\xff",
            b"\"\xed\xa0\xbd\"",
            b"NaN",
            b"01",
            "[".repeat(10_000).leak().as_bytes(),
        ];
        for wrong in wrongs {
            assert_eq!(parse(wrong).unwrap_err().code, Code::MalformedBody, "{wrong:?}");
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        let text = r#"[0,-1,79228162514264337593543950335,0.1000000000000000000000000001,1e400]"#;
        assert_eq!(write(&read(text)), text.as_bytes());
    }

    #[test]
    fn canonical_text_ignores_order_and_spacing() {
        let text = read(r#" { "b" : [1, 2.5, null], "a" : "x\u0079" }"#);
        assert_eq!(canonical(&text), br#"{"a":"xy","b":[1,2.5,null]}"#);
        assert_eq!(write(&text), br#"{"b":[1,2.5,null],"a":"xy"}"#);
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60), text in "[\\[\\]{}:,\"\\\\a0-9.eEtrufalsn -]{0,60}") {
            let _ = parse(&bytes);
            let _ = parse(text.as_bytes());
        }

        #[test]
        fn what_is_written_is_read_back(text in "(?s).{0,20}", number in any::<i64>(), flag in any::<bool>()) {
            let node = Node::object([("Text", text.into()), ("List", Node::List(vec![number.into(), flag.into(), Node::Null]))]);
            prop_assert_eq!(parse(&write(&node)).unwrap(), node);
        }
    }
}
