//! What browsers post (8.2), read by the rules of 2.2 and within the limits of section 4.

use std::collections::HashSet;
use std::fmt;

use model::EpochMillis;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use crate::models::{ResultModel, SentencePost, ValueModel};
use crate::notation::{WrittenDate, guid, utf16_len};

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 32;
/// Longest list.
const MAX_ITEMS: usize = 1_000;
/// Longest text of a conversation, in UTF-16 units.
const MAX_TEXT: usize = 1_000_000;
/// Longest of the strings without a limit of their own.
const MAX_OTHER: usize = 4_000;
/// Longest page address.
const MAX_LOCATION: usize = 2_048;
/// Longest `UserToken`, in the query of a routing call too.
pub const MAX_USER_TOKEN: usize = 320;

/// A member that breaks its rule; 422 `ValidationFailed`. Its texts are ours alone: nothing that was sent is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {rule}")]
pub struct FieldError {
    /// The first member that is wrong, e.g. `Values[2].ResultNumber`.
    pub field: String,
    /// What is wrong with it.
    pub rule: &'static str,
}

impl FieldError {
    /// States that `field` breaks `rule`.
    #[must_use]
    pub fn new(field: impl Into<String>, rule: &'static str) -> Self {
        Self { field: field.into(), rule }
    }
}

/// Why a body is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not a JSON object, nested too deep, or a member is there twice; 400 `MalformedBody`.
    #[error("the body is not a JSON object, is nested deeper than 32, or names a member twice")]
    Malformed,
    /// A member breaks its rule.
    #[error(transparent)]
    Field(#[from] FieldError),
}

/// Reads a ResultModel: the body of `Chat/Start` and `Result`.
///
/// # Errors
/// [`BodyError`] with the first rule that is broken.
pub fn read_result(body: &[u8]) -> Result<ResultModel, BodyError> {
    let document = parse(body)?;
    let m = Members::of(&document);
    Ok(ResultModel {
        scenario_id: m.guid("ScenarioId")?,
        culture: m.text("Culture", MAX_OTHER)?,
        values: m.objects("Values")?.iter().map(read_value).collect::<Result<_, _>>()?,
        user_token: m.text("UserToken", MAX_USER_TOKEN)?,
        ext_response: m.text("ExtResponse", MAX_OTHER)?,
        party_name: m.text("PartyName", 160)?,
        location: m.text("Location", MAX_LOCATION)?,
        web_site_routing_id: m.guid("WebSiteRoutingId")?,
    })
}

fn read_value(m: &Members<'_>) -> Result<ValueModel, FieldError> {
    Ok(ValueModel {
        control_id: m.guid("ControlId")?,
        result_text: m.text("ResultText", MAX_OTHER)?,
        result_number: m.integer("ResultNumber")?,
        result_time: m.date("ResultTime")?,
    })
}

/// Reads a sentence: the body of `Chat/Sentence`.
///
/// # Errors
/// [`BodyError`] with the first rule that is broken; a sentence without text is one (5.2).
pub fn read_sentence(body: &[u8]) -> Result<SentencePost, BodyError> {
    let document = parse(body)?;
    let m = Members::of(&document);
    Ok(SentencePost {
        id: m.text("ID", 64)?.filter(|id| !id.is_empty()),
        party_name: m.text("PartyName", 160)?,
        text: m.text("Text", MAX_TEXT)?.filter(|text| !text.is_empty()).ok_or_else(|| FieldError::new("Text", "is empty"))?,
        location: m.text("Location", MAX_LOCATION)?,
    })
}

/// Reads the body of `Chat/Typing`: whether the visitor is typing. Every spelling of 11.6 is taken; absent is yes.
///
/// # Errors
/// [`BodyError`] with the first rule that is broken.
pub fn read_typing(body: &[u8]) -> Result<bool, BodyError> {
    let document = parse(body)?;
    let m = Members::of(&document);
    match m.get("IsTyping") {
        Value::Null => Ok(true),
        Value::Bool(is_typing) => Ok(*is_typing),
        Value::Number(number) if number.as_i64() == Some(1) => Ok(true),
        Value::Number(number) if number.as_i64() == Some(0) => Ok(false),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            Err(m.wrong("IsTyping", "is not a boolean").into())
        }
    }
}

/// Reads the body of `Chat/Confirm`: the counter up to which everything was displayed.
///
/// # Errors
/// [`BodyError`] with the first rule that is broken.
pub fn read_confirm(body: &[u8]) -> Result<u64, BodyError> {
    let document = parse(body)?;
    let m = Members::of(&document);
    let counter = m.integer("Counter")?.unwrap_or_default();
    Ok(u64::try_from(counter).map_err(|_| m.wrong("Counter", "is negative"))?)
}

/// Reads the body of `Chat/Navigation`: the page's address, empty when there is none.
///
/// # Errors
/// [`BodyError`] with the first rule that is broken.
pub fn read_navigation(body: &[u8]) -> Result<String, BodyError> {
    let document = parse(body)?;
    Ok(Members::of(&document).text("Location", MAX_LOCATION)?.unwrap_or_default())
}

/// Reads the body of `Chat/CoBrowsing`: the data, empty when there are none.
///
/// # Errors
/// [`BodyError`] with the first rule that is broken.
pub fn read_co_browsing(body: &[u8]) -> Result<String, BodyError> {
    let document = parse(body)?;
    Ok(Members::of(&document).text("Data", MAX_TEXT)?.unwrap_or_default())
}

fn parse(body: &[u8]) -> Result<Map<String, Value>, BodyError> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = Depth(0).deserialize(&mut deserializer).map_err(|_| BodyError::Malformed)?;
    deserializer.end().map_err(|_| BodyError::Malformed)?;
    if let Value::Object(map) = value { Ok(map) } else { Err(BodyError::Malformed) }
}

/// The members of an object, and where it stands.
struct Members<'a> {
    /// Empty at the top, else with a dot at its end.
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Members<'a> {
    const fn of(document: &'a Map<String, Value>) -> Self {
        Self { path: String::new(), map: document }
    }

    /// A member by its name in any case; no two differ in case only. An absent one is null.
    fn get(&self, name: &str) -> &'a Value {
        self.map.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or(&Value::Null, |(_, value)| value)
    }

    fn wrong(&self, name: &str, rule: &'static str) -> FieldError {
        FieldError::new(format!("{}{name}", self.path), rule)
    }

    fn text(&self, name: &str, limit: usize) -> Result<Option<String>, FieldError> {
        match self.get(name) {
            Value::Null => Ok(None),
            // A byte is never more than a unit, so most texts need no counting.
            Value::String(text) if text.len() > limit && utf16_len(text) > limit => Err(self.wrong(name, "is too long")),
            Value::String(text) => Ok(Some(text.clone())),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Err(self.wrong(name, "is not a string")),
        }
    }

    fn guid(&self, name: &str) -> Result<Option<Uuid>, FieldError> {
        let Some(text) = self.text(name, MAX_OTHER)?.filter(|text| !text.is_empty()) else { return Ok(None) };
        let guid = guid(&text).ok_or_else(|| self.wrong(name, "is not a GUID"))?;
        Ok(Some(guid).filter(|guid| !guid.is_nil()))
    }

    fn date(&self, name: &str) -> Result<Option<EpochMillis>, FieldError> {
        let Some(text) = self.text(name, MAX_OTHER)? else { return Ok(None) };
        let date = WrittenDate::parse(&text).ok_or_else(|| self.wrong(name, "is not a date"))?;
        if date.is_nil() {
            return Ok(None);
        }
        date.instant().map(Some).ok_or_else(|| self.wrong(name, "is not a date"))
    }

    fn integer(&self, name: &str) -> Result<Option<i64>, FieldError> {
        match self.get(name) {
            Value::Null => Ok(None),
            Value::Number(number) => number.as_i64().map(Some).ok_or_else(|| self.wrong(name, "is not an integer")),
            Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => Err(self.wrong(name, "is not an integer")),
        }
    }

    fn objects(&self, name: &str) -> Result<Vec<Members<'a>>, FieldError> {
        let items = match self.get(name) {
            Value::Null => return Ok(Vec::new()),
            Value::Array(items) if items.len() > MAX_ITEMS => return Err(self.wrong(name, "has more than 1,000 items")),
            Value::Array(items) => items,
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                return Err(self.wrong(name, "is not a list"));
            }
        };
        let object = |(index, item): (usize, &'a Value)| {
            let place = format!("{}{name}[{index}]", self.path);
            match item.as_object() {
                Some(map) => Ok(Members { path: format!("{place}."), map }),
                None => Err(FieldError::new(place, "is not an object")),
            }
        };
        items.iter().enumerate().map(object).collect()
    }
}

/// Reads a value that stands this deep. Unlike the reader that serde_json brings, it refuses names that are there twice.
#[derive(Clone, Copy)]
struct Depth(usize);

impl Depth {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.0 < MAX_DEPTH { Ok(Self(self.0 + 1)) } else { Err(E::custom("nested too deep")) }
    }
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut members = Map::new();
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.to_ascii_lowercase()) {
                return Err(A::Error::custom("two members have the same name"));
            }
            members.insert(name, map.next_value_seed(inner)?);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ID: &str = "11111111-1111-4111-8111-111111111111";

    fn field<T: fmt::Debug>(result: Result<T, BodyError>) -> String {
        match result.unwrap_err() {
            BodyError::Field(error) => error.to_string(),
            BodyError::Malformed => panic!("malformed"),
        }
    }

    fn result(json: &Value) -> Result<ResultModel, BodyError> {
        read_result(json.to_string().as_bytes())
    }

    #[test]
    fn result_model_is_read_member_by_member() {
        let read = result(&json!({
            "ScenarioId": ID, "Culture": "cs", "UserToken": "guest", "ExtResponse": "42", "PartyName": "Eva",
            "Location": "https://shop.example/", "WebSiteRoutingId": "{77777777-7777-4777-8777-777777777777}",
            "Values": [{"ControlId": ID, "ResultText": "a", "ResultNumber": 1, "ResultTime": "2026-01-01T01:00:00+01:00"}],
            "AgentId": ID
        }));
        let expected = ResultModel {
            scenario_id: ID.parse().ok(),
            culture: Some("cs".to_owned()),
            values: vec![ValueModel {
                control_id: ID.parse().ok(),
                result_text: Some("a".to_owned()),
                result_number: Some(1),
                result_time: Some(EpochMillis::new(1_767_225_600_000)),
            }],
            user_token: Some("guest".to_owned()),
            ext_response: Some("42".to_owned()),
            party_name: Some("Eva".to_owned()),
            location: Some("https://shop.example/".to_owned()),
            web_site_routing_id: "77777777-7777-4777-8777-777777777777".parse().ok(),
        };
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn absent_null_and_nil_are_the_same() {
        let nil = "00000000-0000-0000-0000-000000000000";
        for body in [
            json!({}),
            json!({"ScenarioId": null, "Values": null, "PartyName": null}),
            json!({"ScenarioId": "", "Values": [], "WebSiteRoutingId": nil}),
        ] {
            assert_eq!(result(&body), Ok(ResultModel::default()), "{body}");
        }
        let dated = result(&json!({"Values": [{"ResultTime": "0001-01-01T00:00:00"}]})).unwrap();
        assert_eq!(dated.values, [ValueModel::default()]);
    }

    #[test]
    fn names_are_taken_in_any_case_but_once() {
        assert_eq!(read_result(br#"{"partyname":"Eva"}"#).unwrap().party_name.as_deref(), Some("Eva"));
        for body in [
            r#"{"PartyName":"a","PartyName":"a"}"#,
            r#"{"PartyName":"a","partyName":"b"}"#,
            r#"{"Values":[{"X":1,"x":2}]}"#,
            r#"{"Other":{"a":{"B":1,"b":1}}}"#,
        ] {
            assert_eq!(read_result(body.as_bytes()), Err(BodyError::Malformed), "{body}");
        }
    }

    #[test]
    fn what_is_no_json_object_is_malformed() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(32), "]".repeat(32));
        let deeper = "[".repeat(100_000);
        for body in ["", "{", "[]", "null", "\"x\"", "{}x", "{\"a\":1e999}", "{\"a\":\"\\ud800\"}", &deep, &deeper] {
            assert_eq!(read_result(body.as_bytes()), Err(BodyError::Malformed));
        }
        assert_eq!(read_result(b"{\"a\":\"\xff\"}"), Err(BodyError::Malformed));
        let deepest = format!("{{\"a\":{}{}}}", "[".repeat(31), "]".repeat(31));
        assert_eq!(read_result(deepest.as_bytes()), Ok(ResultModel::default()));
    }

    #[test]
    fn wrong_type_names_its_member() {
        for (body, error) in [
            (json!({"ScenarioId": 1}), "ScenarioId is not a string"),
            (json!({"ScenarioId": "x"}), "ScenarioId is not a GUID"),
            (json!({"Culture": []}), "Culture is not a string"),
            (json!({"Values": {}}), "Values is not a list"),
            (json!({"Values": [{}, null]}), "Values[1] is not an object"),
            (json!({"Values": [{"ControlId": "x"}]}), "Values[0].ControlId is not a GUID"),
            (json!({"Values": [{}, {}, {"ResultNumber": "1"}]}), "Values[2].ResultNumber is not an integer"),
            (json!({"Values": [{"ResultNumber": 1.5}]}), "Values[0].ResultNumber is not an integer"),
            (json!({"Values": [{"ResultTime": "soon"}]}), "Values[0].ResultTime is not a date"),
            (json!({"Values": [{"ResultText": true}]}), "Values[0].ResultText is not a string"),
            (json!({"WebSiteRoutingId": "x"}), "WebSiteRoutingId is not a GUID"),
        ] {
            assert_eq!(field(result(&body)), error, "{body}");
        }
    }

    #[test]
    fn first_wrong_member_is_named() {
        let body = json!({"ScenarioId": "x", "Values": [{"ControlId": "x"}], "PartyName": 1});
        assert_eq!(field(result(&body)), "ScenarioId is not a GUID");
        let body = json!({"Values": [{"ResultNumber": "x"}, {"ControlId": "x"}], "PartyName": 1});
        assert_eq!(field(result(&body)), "Values[0].ResultNumber is not an integer");
    }

    #[test]
    fn limits_are_counted_in_utf16_units() {
        for (name, limit) in [("UserToken", 320), ("ExtResponse", 4_000), ("PartyName", 160), ("Location", 2_048)] {
            assert!(result(&json!({name: "ž".repeat(limit)})).is_ok(), "{name}");
            assert_eq!(field(result(&json!({name: "ž".repeat(limit + 1)}))), format!("{name} is too long"));
            assert_eq!(field(result(&json!({name: "🙂".repeat(limit / 2 + 1)}))), format!("{name} is too long"));
        }
        let long = json!({"Values": [{"ResultText": "x".repeat(4_001)}]});
        assert_eq!(field(result(&long)), "Values[0].ResultText is too long");
        assert!(result(&json!({"Values": vec![json!({}); 1_000]})).is_ok());
        assert_eq!(field(result(&json!({"Values": vec![json!({}); 1_001]}))), "Values has more than 1,000 items");
    }

    #[test]
    fn sentence_is_read() {
        let read =
            read_sentence(br#"{"ID":"s-1","Text":"Hi <b>","Location":"https://a.example/","PartyName":"Eva","IsOutbound":true}"#);
        assert_eq!(
            read,
            Ok(SentencePost {
                id: Some("s-1".to_owned()),
                text: "Hi <b>".to_owned(),
                party_name: Some("Eva".to_owned()),
                location: Some("https://a.example/".to_owned()),
            })
        );
        assert_eq!(read_sentence(br#"{"ID":"","Text":"x"}"#).unwrap().id, None);
        assert_eq!(field(read_sentence(br#"{"ID":"s-1"}"#)), "Text is empty");
        assert_eq!(field(read_sentence(br#"{"Text":""}"#)), "Text is empty");
        let long = json!({"Text": "x", "ID": "x".repeat(65)}).to_string();
        assert_eq!(field(read_sentence(long.as_bytes())), "ID is too long");
    }

    #[test]
    fn typing_is_read_in_every_spelling() {
        for (body, is_typing) in [
            (r#"{"IsTyping":true}"#, true),
            (r#"{"IsTyping":false}"#, false),
            ("{}", true),
            (r#"{"IsTyping":null}"#, true),
            (r#"{"IsTyping":"True"}"#, true),
            (r#"{"IsTyping":"false"}"#, false),
            (r#"{"IsTyping":1}"#, true),
            (r#"{"IsTyping":0}"#, false),
        ] {
            assert_eq!(read_typing(body.as_bytes()), Ok(is_typing), "{body}");
        }
        for body in [r#"{"IsTyping":2}"#, r#"{"IsTyping":"yes"}"#, r#"{"IsTyping":[]}"#] {
            assert_eq!(field(read_typing(body.as_bytes())), "IsTyping is not a boolean", "{body}");
        }
    }

    #[test]
    fn confirm_navigation_and_co_browsing_are_read() {
        assert_eq!(read_confirm(br#"{"Counter":7}"#), Ok(7));
        assert_eq!(read_confirm(b"{}"), Ok(0));
        assert_eq!(field(read_confirm(br#"{"Counter":-1}"#)), "Counter is negative");
        assert_eq!(read_navigation(br#"{"Location":"https://a.example/"}"#).as_deref(), Ok("https://a.example/"));
        assert_eq!(read_co_browsing(br#"{"Data":"x"}"#).as_deref(), Ok("x"));
        assert_eq!(read_co_browsing(b"{}").as_deref(), Ok(""));
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60), text in "[{}\\[\\]\":,a-zA-Z0-9]{0,60}") {
            for body in [&bytes[..], text.as_bytes()] {
                let _ = read_result(body);
                let _ = read_sentence(body);
                let _ = read_typing(body);
            }
        }
    }
}
