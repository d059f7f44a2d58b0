//! MessagePack, both ways (10.4).

use std::borrow::Cow;
use std::io;

use model::EpochMillis;
use rmp::Marker;
use rmp::encode::{write_array_len, write_bin, write_bool, write_ext_meta, write_map_len, write_nil, write_sint, write_str};

use crate::form::is_writable_date;
use crate::node::{MAX_DEPTH, Node, TOO_DEEP};
use crate::{Code, WireError};

/// The extension type of a timestamp.
const TIMESTAMP: i8 = -1;

const CUT_OFF: &str = "the body ends within a value";

/// Reads a document.
pub(crate) fn parse(bytes: &[u8]) -> Result<Node, WireError> {
    let mut reader = Reader { rest: bytes };
    match reader.value(0) {
        Ok(node) if reader.rest.is_empty() => Ok(node),
        Ok(_) => Err(WireError::new(Code::MalformedBody, "the body goes on after its value")),
        Err(why) => Err(WireError::new(Code::MalformedBody, why)),
    }
}

/// What is left to read. Lengths are compared with it before anything is allocated.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Node, &'static str> {
        let [marker] = self.array()?;
        Ok(match Marker::from_u8(marker) {
            Marker::Null => Node::Null,
            Marker::False => Node::Bool(false),
            Marker::True => Node::Bool(true),
            Marker::FixPos(number) => i64::from(number).into(),
            Marker::FixNeg(number) => i64::from(number).into(),
            Marker::U8 => u64::from(u8::from_be_bytes(self.array()?)).into(),
            Marker::U16 => u64::from(u16::from_be_bytes(self.array()?)).into(),
            Marker::U32 => u64::from(u32::from_be_bytes(self.array()?)).into(),
            Marker::U64 => u64::from_be_bytes(self.array()?).into(),
            Marker::I8 => i64::from(i8::from_be_bytes(self.array()?)).into(),
            Marker::I16 => i64::from(i16::from_be_bytes(self.array()?)).into(),
            Marker::I32 => i64::from(i32::from_be_bytes(self.array()?)).into(),
            Marker::I64 => i64::from_be_bytes(self.array()?).into(),
            // The shortest digits that mean this number, which are those it was made from, in its own precision.
            Marker::F32 => float(f32::from_be_bytes(self.array()?)),
            Marker::F64 => float(f64::from_be_bytes(self.array()?)),
            Marker::FixStr(length) => self.text(length.into())?,
            Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                let length = self.length(marker - 0xd9)?;
                self.text(length)?
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                let length = self.length(marker - 0xc4)?;
                Node::Binary(self.take(length)?.to_vec())
            }
            Marker::FixExt1 => self.extension(1)?,
            Marker::FixExt2 => self.extension(2)?,
            Marker::FixExt4 => self.extension(4)?,
            Marker::FixExt8 => self.extension(8)?,
            Marker::FixExt16 => self.extension(16)?,
            Marker::Ext8 | Marker::Ext16 | Marker::Ext32 => {
                let length = self.length(marker - 0xc7)?;
                self.extension(length)?
            }
            Marker::FixArray(length) => self.list(length.into(), depth)?,
            Marker::Array16 | Marker::Array32 => {
                let length = self.length(marker - 0xdc + 1)?;
                self.list(length, depth)?
            }
            Marker::FixMap(length) => self.object(length.into(), depth)?,
            Marker::Map16 | Marker::Map32 => {
                let length = self.length(marker - 0xde + 1)?;
                self.object(length, depth)?
            }
            Marker::Reserved => return Err("a byte that begins no value"),
        })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A length of one, two or four bytes.
    fn length(&mut self, size: u8) -> Result<usize, &'static str> {
        let length = match size {
            0 => u32::from(u8::from_be_bytes(self.array()?)),
            1 => u32::from(u16::from_be_bytes(self.array()?)),
            _ => u32::from_be_bytes(self.array()?),
        };
        usize::try_from(length).map_err(|_| CUT_OFF)
    }

    fn text(&mut self, length: usize) -> Result<Node, &'static str> {
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| "a text is not UTF-8")?;
        Ok(text.into())
    }

    fn extension(&mut self, length: usize) -> Result<Node, &'static str> {
        let kind = i8::from_be_bytes(self.array()?);
        let data = self.take(length)?;
        if kind == TIMESTAMP {
            timestamp(data).ok_or("a timestamp that is none")
        } else {
            Err("an extension that is no timestamp")
        }
    }

    fn list(&mut self, length: usize, depth: usize) -> Result<Node, &'static str> {
        self.expect(length, 1, depth)?;
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(self.value(depth + 1)?);
        }
        Ok(Node::List(items))
    }

    fn object(&mut self, length: usize, depth: usize) -> Result<Node, &'static str> {
        self.expect(length, 2, depth)?;
        let mut members = Vec::new();
        for _ in 0..length {
            // The order of integer keys is not published (10.4).
            let Node::Text(name) = self.value(MAX_DEPTH)? else { return Err("a map has a key that is not a string") };
            members.push((Cow::Owned(name), self.value(depth + 1)?));
        }
        Ok(Node::written(members))
    }

    /// Whether so many entries can follow here, none of which is shorter than `least` bytes.
    fn expect(&self, length: usize, least: usize, depth: usize) -> Result<(), &'static str> {
        if depth == MAX_DEPTH {
            return Err(TOO_DEEP);
        }
        if length > self.rest.len() / least { Err(CUT_OFF) } else { Ok(()) }
    }
}

fn float(number: impl Into<f64> + std::fmt::Debug + Copy) -> Node {
    if number.into().is_finite() { Node::Number(format!("{number:?}")) } else { Node::Bad("a number is out of range") }
}

/// The timestamp in its form of 32, 64 or 96 bits.
fn timestamp(data: &[u8]) -> Option<Node> {
    let (seconds, nanos) = match data.len() {
        4 => (i64::from(u32::from_be_bytes(data.try_into().ok()?)), 0),
        8 => {
            let both = u64::from_be_bytes(data.try_into().ok()?);
            (i64::try_from(both & 0x3_ffff_ffff).ok()?, both >> 34)
        }
        12 => {
            let (nanos, seconds) = data.split_first_chunk()?;
            (i64::from_be_bytes(seconds.try_into().ok()?), u32::from_be_bytes(*nanos).into())
        }
        _ => return None,
    };
    if nanos > 999_999_999 {
        return None;
    }
    let millis = seconds.checked_mul(1000)?.checked_add(i64::try_from(nanos / 1_000_000).ok()?)?;
    Some(EpochMillis::new(millis)).filter(|at| is_writable_date(*at)).map(Node::Time)
}

/// Writes a value.
pub(crate) fn write(node: &Node) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing to memory cannot fail, and no text of ours is 4 GB long.
    let _ = put(node, &mut out);
    out
}

fn put(node: &Node, out: &mut Vec<u8>) -> io::Result<()> {
    match node {
        Node::Null | Node::Bad(_) => write_nil(out)?,
        Node::Bool(value) => write_bool(out, *value)?,
        Node::Number(digits) => match digits.parse() {
            Ok(number) => {
                write_sint(out, number)?;
            }
            // Nothing of ours: numbers that are not whole are decimals.
            Err(_) => write_str(out, digits)?,
        },
        Node::Decimal(decimal) => write_str(out, decimal.as_str())?,
        Node::Text(text) => write_str(out, text)?,
        Node::Time(at) => put_timestamp(*at, out)?,
        Node::Binary(bytes) => write_bin(out, bytes)?,
        Node::List(items) => {
            write_array_len(out, count(items.len())?)?;
            for item in items {
                put(item, out)?;
            }
        }
        Node::Object(members) => {
            write_map_len(out, count(members.len())?)?;
            for (name, node) in members.iter() {
                write_str(out, name)?;
                put(node, out)?;
            }
        }
    }
    Ok(())
}

fn count(length: usize) -> io::Result<u32> {
    u32::try_from(length).map_err(io::Error::other)
}

/// The shortest form that holds it.
fn put_timestamp(at: EpochMillis, out: &mut Vec<u8>) -> io::Result<()> {
    let seconds = at.seconds();
    // Within 0..1000, whichever way the seconds go.
    let nanos = u32::try_from(at.millis().rem_euclid(1000)).unwrap_or_default() * 1_000_000;
    match u64::try_from(seconds) {
        Ok(seconds) if seconds < 1 << 34 => {
            let both = u64::from(nanos) << 34 | seconds;
            if let Ok(short) = u32::try_from(both) {
                write_ext_meta(out, 4, TIMESTAMP)?;
                out.extend_from_slice(&short.to_be_bytes());
            } else {
                write_ext_meta(out, 8, TIMESTAMP)?;
                out.extend_from_slice(&both.to_be_bytes());
            }
        }
        _ => {
            write_ext_meta(out, 12, TIMESTAMP)?;
            out.extend_from_slice(&nanos.to_be_bytes());
            out.extend_from_slice(&seconds.to_be_bytes());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "82a34d7367af45535f434841545f434f4e4649524da4426f647984a450656572a52144656d6f\
                           aa547261636b696e674964a27431a24944a26d31a954696d655374616d70d6ff6955b900";
    const NEW_YEAR: EpochMillis = EpochMillis::new(1_767_225_600_000);

    fn read(text: &str) -> Result<Node, &'static str> {
        let bytes = hex::decode(text).unwrap();
        let mut reader = Reader { rest: &bytes };
        reader.value(0)
    }

    #[test]
    fn example_of_the_contract_comes_out_byte_for_byte() {
        let body = [("Peer", "!Demo".into()), ("TrackingId", "t1".into()), ("ID", "m1".into()), ("TimeStamp", NEW_YEAR.into())];
        let node = Node::object([("Msg", "ES_CHAT_CONFIRM".into()), ("Body", Node::object(body))]);
        assert_eq!(hex::encode(write(&node)), EXAMPLE);
        assert_eq!(EXAMPLE.len(), 2 * 74);
        assert_eq!(parse(&hex::decode(EXAMPLE).unwrap()).unwrap(), node);
    }

    #[test]
    fn timestamps_of_32_64_and_96_bits_are_read_and_written() {
        for (text, millis) in [
            ("d6ff6955b900", 1_767_225_600_000),
            ("d7ff1d5353006955b900", 1_767_225_600_123),
            // 2514, beyond 34 bits of seconds.
            ("c70cff000000000000000400000000", 17_179_869_184_000),
            // The last second before 1970, half over.
            ("c70cff1dcd6500ffffffffffffffff", -500),
        ] {
            assert_eq!(read(text), Ok(Node::Time(EpochMillis::new(millis))), "{text}");
            assert_eq!(hex::encode(write(&Node::Time(EpochMillis::new(millis)))), text);
        }
        // Longer forms than needed, and .NET's fractions.
        assert_eq!(read("d7ff000000006955b900"), Ok(Node::Time(NEW_YEAR)));
        assert_eq!(read("c70cff000f423f000000006955b900"), Ok(Node::Time(NEW_YEAR)));
        // 1,000,000,000 nanoseconds, a year of five digits, no form at all.
        for wrong in ["d7ffee6b28006955b900", "c70cff000000007fffffffffffffff", "d5ff0000", "c705ff0000000000"] {
            assert_eq!(read(wrong), Err("a timestamp that is none"), "{wrong}");
        }
        assert_eq!(read("d60100000000"), Err("an extension that is no timestamp"));
    }

    #[test]
    fn every_marker_is_read() {
        for (text, node) in [
            ("c0", Node::Null),
            ("c2", Node::Bool(false)),
            ("c3", Node::Bool(true)),
            ("7f", 127i64.into()),
            ("e0", (-32i64).into()),
            ("ccff", 255i64.into()),
            ("cd0100", 256i64.into()),
            ("ce00010000", 65_536i64.into()),
            ("cfffffffffffffffff", u64::MAX.into()),
            ("d080", (-128i64).into()),
            ("d18000", (-32_768i64).into()),
            ("d280000000", i64::from(i32::MIN).into()),
            ("d38000000000000000", i64::MIN.into()),
            ("ca3dcccccd", Node::Number("0.1".into())),
            ("cb3fb999999999999a", Node::Number("0.1".into())),
            ("cb4014000000000000", Node::Number("5.0".into())),
            ("a161", "a".into()),
            ("d90161", "a".into()),
            ("da000161", "a".into()),
            ("db0000000161", "a".into()),
            ("c40161", Node::Binary(b"a".to_vec())),
            ("c5000161", Node::Binary(b"a".to_vec())),
            ("c60000000161", Node::Binary(b"a".to_vec())),
            ("91c0", Node::List(vec![Node::Null])),
            ("dc0001c0", Node::List(vec![Node::Null])),
            ("dd00000001c0", Node::List(vec![Node::Null])),
            ("81a161c0", Node::object([("a", Node::Null)])),
            ("de0001a161c0", Node::object([("a", Node::Null)])),
            ("df00000001a161c0", Node::object([("a", Node::Null)])),
        ] {
            assert_eq!(read(text), Ok(node), "{text}");
        }
        assert_eq!(read("c1"), Err("a byte that begins no value"));
        assert_eq!(read("a1ff"), Err("a text is not UTF-8"));
        assert_eq!(read("cb7ff0000000000000"), Ok(Node::Bad("a number is out of range")));
    }

    #[test]
    fn lengths_beyond_the_body_are_refused_before_anything_is_allocated() {
        for text in
            ["", "d9", "d9ff61", "dbffffffff", "c6ffffffff00", "c9ffffffffff00", "ddffffffff00", "dfffffffff00", "92c0", "cd00"]
        {
            assert_eq!(read(text), Err("the body ends within a value"), "{text}");
        }
    }

    #[test]
    fn keys_must_be_strings_and_differ() {
        for text in ["8101c0", "81c0c0", "8180c0", "81c40161c0"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("82a161c0a141c0"), Ok(Node::Bad("two members have the same name")));
    }

    #[test]
    fn nesting_up_to_32_is_read() {
        let nested = |depth: usize| read(&format!("{}{}", "91".repeat(depth - 1), "90"));
        assert!(nested(32).is_ok());
        assert_eq!(nested(33), Err("nested deeper than 32"));
        assert_eq!(nested(1_000_000), Err("nested deeper than 32"));
    }

    #[test]
    fn bytes_after_the_value_are_refused() {
        assert_eq!(parse(&[0xc0, 0xc0]).unwrap_err().code, Code::MalformedBody);
        assert!(parse(&[0xc0]).is_ok());
    }

    fn node() -> impl Strategy<Value = Node> {
        let leaf = prop_oneof![
            Just(Node::Null),
            any::<bool>().prop_map(Node::from),
            any::<i64>().prop_map(Node::from),
            "(?s).{0,40}".prop_map(Node::from),
            (-62_135_596_800_000i64..253_402_207_200_000).prop_map(|at| Node::Time(EpochMillis::new(at))),
            proptest::collection::vec(any::<u8>(), 0..20).prop_map(Node::Binary),
        ];
        leaf.prop_recursive(4, 40, 20, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..20).prop_map(Node::List),
                proptest::collection::btree_map("[a-z]{1,40}", inner, 0..20)
                    .prop_map(|members| Node::Object(members.into_iter().map(|(name, node)| (Cow::Owned(name), node)).collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_is_written_is_read_back(node in node()) {
            prop_assert_eq!(parse(&write(&node)).unwrap(), node);
        }
    }
}
