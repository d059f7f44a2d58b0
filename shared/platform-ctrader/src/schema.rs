//! What may be answered in a step of an action: a small part of JSON Schema, with one file of examples for browser and function
//! (`web/inapp/schema-vectors.json`).
//!
//! An object whose members are fields. A field has a `type` (`string`, `number`, `integer`, `boolean`, or `array` of distinct
//! strings) and the keywords below; anything else is refused when it is configured, so that nobody relies on a rule that is not
//! applied.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::Words;
use crate::pattern::compile;

/// Most fields of a step.
const MAX_FIELDS: usize = 50;

/// Most choices of a field.
const MAX_CHOICES: usize = 200;

/// Longest answer to one field, in characters, whatever the schema says.
const MAX_ANSWER: usize = 10_000;

/// Most entries of an array, whatever the schema says.
const MAX_ENTRIES: usize = 200;

/// Which rule an answer breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Broken {
    /// It is missing, or a consent that is not given.
    Required,
    /// It is of another type, or no field of the step.
    Type,
    /// Too short a text, or too few entries.
    MinLength,
    /// Too long a text, or too many entries.
    MaxLength,
    /// Too small.
    Minimum,
    /// Too large.
    Maximum,
    /// The pattern is not found in it.
    Pattern,
    /// None of the choices.
    Enum,
    /// No mail address, date, URI, telephone number or file.
    Format,
}

/// The fields of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    fields: Vec<(String, Field)>,
    /// As it was written, for the screen.
    written: Value,
}

#[derive(Debug, Clone, PartialEq)]
struct Field {
    is_required: bool,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Text { choices: Option<Vec<String>>, length: Range, pattern: Option<String>, format: Option<Format> },
    Number { is_whole: bool, choices: Option<Vec<f64>>, minimum: Option<f64>, maximum: Option<f64> },
    Flag { must_be_true: bool },
    List { choices: Option<Vec<String>>, length: Range },
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Range {
    least: usize,
    most: usize,
}

impl Range {
    fn broken(self, length: usize) -> Option<Broken> {
        match length {
            _ if length < self.least => Some(Broken::MinLength),
            _ if length > self.most => Some(Broken::MaxLength),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Format {
    Email,
    Date,
    Uri,
    Phone,
}

impl Schema {
    /// Reads a schema. The patterns are not compiled: [`Schema::check_patterns`] does that.
    ///
    /// # Errors
    /// The path of what is wrong, and why.
    pub fn of(written: &Value) -> Result<Self, String> {
        let schema = object(written, "schema")?;
        known(schema, "schema", &["type", "title", "description", "properties", "required", "additionalProperties"])?;
        if schema.get("type").is_some_and(|kind| kind != "object") {
            return Err("schema.type: is not \"object\"".to_owned());
        }
        if schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false)) {
            return Err("schema.additionalProperties: can only be false, which it is in any case".to_owned());
        }
        words(schema, "schema", &["title", "description"])?;
        let properties = schema.get("properties").ok_or("schema.properties: is missing")?;
        let properties = object(properties, "schema.properties")?;
        if properties.len() > MAX_FIELDS {
            return Err(format!("schema.properties: has more than {MAX_FIELDS} fields"));
        }
        let required = match schema.get("required") {
            None => Vec::new(),
            Some(names) => strings(names).ok_or("schema.required: is not a list of names")?,
        };
        if let Some(stray) = required.iter().find(|name| !properties.contains_key(*name)) {
            return Err(format!("schema.required: names {stray}, which is no field"));
        }
        let fields = properties.iter().map(|(name, written)| {
            let path = format!("schema.properties.{name}");
            if !is_name(name) {
                return Err(format!("{path}: is not a name of 1 to 64 letters, digits, - and _"));
            }
            Ok((name.clone(), Field { is_required: required.contains(name), kind: kind(written, &path)? }))
        });
        Ok(Self { fields: fields.collect::<Result<_, _>>()?, written: written.clone() })
    }

    /// Compiles every pattern.
    ///
    /// # Errors
    /// The path of the first that cannot be used, and why.
    pub fn check_patterns(&self) -> Result<(), String> {
        for (name, field) in &self.fields {
            if let Kind::Text { pattern: Some(pattern), .. } = &field.kind {
                compile(pattern).map_err(|why| format!("schema.properties.{name}.pattern: {why}"))?;
            }
        }
        Ok(())
    }

    /// The names of the fields.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }

    /// Whether a field takes a text or a list of texts without choices: what can name an uploaded file.
    #[must_use]
    pub fn takes_files(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, of)| {
            field == name && matches!(of.kind, Kind::Text { choices: None, .. } | Kind::List { choices: None, .. })
        })
    }

    /// Whether a field takes a list of texts without choices, which a screen lets be filled with files.
    #[must_use]
    pub fn is_open_list(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, of)| field == name && matches!(of.kind, Kind::List { choices: None, .. }))
    }

    /// The fields whose answers break a rule, each with the first that is broken. Nothing, `null`, an empty text and an empty list
    /// are no answer: a form has no other way to leave a field out.
    #[must_use]
    pub fn errors(&self, answers: &Map<String, Value>) -> BTreeMap<String, Broken> {
        let mut broken = BTreeMap::new();
        for (name, field) in &self.fields {
            let error = match answers.get(name).filter(|answer| !is_empty(answer)) {
                None => field.is_required.then_some(Broken::Required),
                Some(answer) => field.kind.error(answer),
            };
            broken.extend(error.map(|error| (name.clone(), error)));
        }
        let is_field = |name: &String| self.fields.iter().any(|(field, _)| field == name);
        broken.extend(answers.keys().filter(|name| !is_field(name)).map(|name| (name.clone(), Broken::Type)));
        broken
    }

    /// The schema as a screen is given it: texts in its language.
    #[must_use]
    pub fn shown(&self, lang: &str) -> Value {
        let mut shown = self.written.clone();
        localise(&mut shown, lang);
        if let Some(properties) = shown.get_mut("properties").and_then(Value::as_object_mut) {
            properties.values_mut().for_each(|field| localise(field, lang));
        }
        shown
    }
}

fn localise(written: &mut Value, lang: &str) {
    let Some(members) = written.as_object_mut() else { return };
    let in_lang = |text: &mut Value| {
        if let Ok(words) = Words::try_from(text.clone()) {
            *text = Value::String(words.in_lang(lang).to_owned());
        }
    };
    for name in ["title", "description"] {
        members.get_mut(name).map(in_lang);
    }
    if let Some(labels) = members.get_mut("x-labels").and_then(Value::as_object_mut) {
        labels.values_mut().for_each(in_lang);
    }
}

fn is_empty(answer: &Value) -> bool {
    match answer {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

impl Kind {
    fn error(&self, answer: &Value) -> Option<Broken> {
        match (self, answer) {
            (Self::Text { choices, length, pattern, format }, Value::String(text)) => {
                if choices.as_ref().is_some_and(|choices| !choices.contains(text)) {
                    return Some(Broken::Enum);
                }
                length.broken(text.chars().count()).or_else(|| {
                    if pattern.as_ref().is_some_and(|pattern| !compile(pattern).is_ok_and(|p| p.is_in(text))) {
                        return Some(Broken::Pattern);
                    }
                    format.filter(|format| !format.is_met(text)).map(|_| Broken::Format)
                })
            }
            (Self::Number { is_whole, choices, minimum, maximum }, Value::Number(number)) => {
                let Some(number) = number.as_f64() else { return Some(Broken::Type) };
                if *is_whole && number.fract() != 0.0 {
                    return Some(Broken::Type);
                }
                if choices.as_ref().is_some_and(|choices| !choices.contains(&number)) {
                    return Some(Broken::Enum);
                }
                match (minimum, maximum) {
                    (Some(least), _) if number < *least => Some(Broken::Minimum),
                    (_, Some(most)) if number > *most => Some(Broken::Maximum),
                    _ => None,
                }
            }
            (Self::Flag { must_be_true }, Value::Bool(flag)) => (*must_be_true && !flag).then_some(Broken::Required),
            (Self::List { choices, length }, Value::Array(_)) => {
                let Some(entries) = strings(answer) else { return Some(Broken::Type) };
                // Bounded before they are compared with each other.
                if entries.len() > MAX_ENTRIES {
                    return Some(Broken::MaxLength);
                }
                let is_repeated = entries.iter().collect::<BTreeSet<_>>().len() < entries.len();
                let is_choice = |entry: &String| choices.as_ref().is_none_or(|choices| choices.contains(entry));
                if is_repeated || !entries.iter().all(is_choice) {
                    return Some(Broken::Enum);
                }
                length.broken(entries.len())
            }
            _ => Some(Broken::Type),
        }
    }
}

impl Format {
    fn is_met(self, text: &str) -> bool {
        match self {
            Self::Email => {
                let Some((local, domain)) = text.split_once('@') else { return false };
                // A browser counts UTF-16 units.
                text.encode_utf16().count() <= 254
                    && !local.is_empty()
                    && !text.contains(char::is_whitespace)
                    && !domain.contains('@')
                    && domain.contains('.')
                    && domain.split('.').all(|label| !label.is_empty())
            }
            Self::Date => is_date(text),
            Self::Uri => {
                let rest = text
                    .split_once("://")
                    .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http"));
                rest.is_some_and(|(_, rest)| {
                    !rest.contains(char::is_whitespace) && !rest.is_empty() && !rest.starts_with(['/', '?', '#'])
                })
            }
            Self::Phone => {
                let digits = text.bytes().filter(u8::is_ascii_digit).count();
                let rest = text.strip_prefix('+').unwrap_or(text);
                (6..=15).contains(&digits) && rest.bytes().all(|b| b.is_ascii_digit() || b" -()./".contains(&b))
            }
        }
    }
}

/// `YYYY-MM-DD`, a day that there is.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| text.get(range).filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
    if bytes.len() != 10 || bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return false;
    }
    let number = |range| digits(range).and_then(|part| part.parse::<u32>().ok());
    let (Some(year), Some(month), Some(day)) = (number(0..4), number(5..7), number(8..10)) else { return false };
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// Whether a name may stand for a field, a step or a piece of content.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, String> {
    value.as_object().ok_or_else(|| format!("{path}: is not an object"))
}

fn strings(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|entry| entry.as_str().map(str::to_owned)).collect()
}

fn known(members: &Map<String, Value>, path: &str, names: &[&str]) -> Result<(), String> {
    let stray = members.keys().find(|name| !names.contains(&name.as_str()));
    stray.map_or(Ok(()), |name| Err(format!("{path}.{name}: is not a keyword that is understood here")))
}

fn words(members: &Map<String, Value>, path: &str, names: &[&str]) -> Result<(), String> {
    for name in names {
        if let Some(text) = members.get(*name) {
            Words::try_from(text.clone()).map_err(|why| format!("{path}.{name}: {why}"))?;
        }
    }
    Ok(())
}

fn kind(written: &Value, path: &str) -> Result<Kind, String> {
    let field = object(written, path)?;
    let own: &[&str] = match field.get("type").and_then(Value::as_str) {
        Some("string") => &["enum", "x-labels", "minLength", "maxLength", "pattern", "format"],
        Some("number" | "integer") => &["enum", "x-labels", "minimum", "maximum"],
        Some("boolean") => &["const"],
        Some("array") => &["items", "x-labels", "minItems", "maxItems", "uniqueItems"],
        _ => return Err(format!("{path}.type: is not string, number, integer, boolean or array")),
    };
    known(field, path, &[&["type", "title", "description"], own].concat())?;
    words(field, path, &["title", "description"])?;
    labels(field, path)?;
    match field.get("type").and_then(Value::as_str) {
        Some("string") => Ok(Kind::Text {
            choices: choices(field, path)?,
            length: range(field, path, ("minLength", "maxLength"), MAX_ANSWER)?,
            pattern: text(field, path, "pattern")?.map(str::to_owned),
            format: match text(field, path, "format")? {
                None => None,
                Some("email") => Some(Format::Email),
                Some("date") => Some(Format::Date),
                Some("uri") => Some(Format::Uri),
                Some("phone") => Some(Format::Phone),
                Some(_) => return Err(format!("{path}.format: is not email, date, uri or phone")),
            },
        }),
        Some("boolean") => match field.get("const") {
            None => Ok(Kind::Flag { must_be_true: false }),
            Some(Value::Bool(true)) => Ok(Kind::Flag { must_be_true: true }),
            Some(_) => Err(format!("{path}.const: can only be true")),
        },
        Some("array") => {
            let items = field.get("items").ok_or_else(|| format!("{path}.items: is missing"))?;
            let inner = format!("{path}.items");
            let items = object(items, &inner)?;
            known(items, &inner, &["type", "enum"])?;
            if items.get("type").is_none_or(|kind| kind != "string") {
                return Err(format!("{inner}.type: is not \"string\""));
            }
            if field.get("uniqueItems").is_some_and(|unique| *unique != Value::Bool(true)) {
                return Err(format!("{path}.uniqueItems: can only be true, which it is in any case"));
            }
            Ok(Kind::List {
                choices: choices(items, &inner)?,
                length: range(field, path, ("minItems", "maxItems"), MAX_ENTRIES)?,
            })
        }
        kind => {
            let limit = |name: &str| match field.get(name) {
                None => Ok(None),
                Some(limit) => limit.as_f64().map(Some).ok_or_else(|| format!("{path}.{name}: is not a number")),
            };
            let choices = match field.get("enum") {
                None => None,
                Some(choices) => {
                    let numbers = choices.as_array().and_then(|all| all.iter().map(Value::as_f64).collect::<Option<Vec<_>>>());
                    let numbers = numbers.filter(|all| (1..=MAX_CHOICES).contains(&all.len()));
                    Some(numbers.ok_or_else(|| format!("{path}.enum: is not a list of 1 to {MAX_CHOICES} numbers"))?)
                }
            };
            Ok(Kind::Number {
                is_whole: kind == Some("integer"),
                choices,
                minimum: limit("minimum")?,
                maximum: limit("maximum")?,
            })
        }
    }
}

fn text<'a>(field: &'a Map<String, Value>, path: &str, name: &str) -> Result<Option<&'a str>, String> {
    match field.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{path}.{name}: is not a text")),
    }
}

fn choices(field: &Map<String, Value>, path: &str) -> Result<Option<Vec<String>>, String> {
    let Some(choices) = field.get("enum") else { return Ok(None) };
    let choices = strings(choices).filter(|all| (1..=MAX_CHOICES).contains(&all.len()));
    choices.map(Some).ok_or_else(|| format!("{path}.enum: is not a list of 1 to {MAX_CHOICES} texts"))
}

fn labels(field: &Map<String, Value>, path: &str) -> Result<(), String> {
    let Some(labels) = field.get("x-labels") else { return Ok(()) };
    for (name, label) in object(labels, &format!("{path}.x-labels"))? {
        Words::try_from(label.clone()).map_err(|why| format!("{path}.x-labels.{name}: {why}"))?;
    }
    Ok(())
}

fn range(field: &Map<String, Value>, path: &str, (least, most): (&str, &str), limit: usize) -> Result<Range, String> {
    let number = |name: &str, default: usize| match field.get(name) {
        None => Ok(default),
        Some(number) => number
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .filter(|number| *number <= limit)
            .ok_or_else(|| format!("{path}.{name}: is not a whole number up to {limit}")),
    };
    Ok(Range { least: number(least, 0)?, most: number(most, limit)? })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    /// The examples that the page's own validator has to meet, too.
    const VECTORS: &str = include_str!("../../../web/inapp/schema-vectors.json");

    #[derive(Deserialize)]
    struct Vector {
        schema: Value,
        value: Map<String, Value>,
        errors: BTreeMap<String, String>,
    }

    #[test]
    fn answers_are_judged_as_the_page_judges_them() {
        let vectors: Vec<Vector> = serde_json::from_str(VECTORS).unwrap();
        assert!(vectors.len() >= 40);
        for Vector { schema, value, errors } in vectors {
            let read = Schema::of(&schema).unwrap();
            let found = serde_json::to_value(read.errors(&value)).unwrap();
            assert_eq!(found, json!(errors), "{schema} {}", Value::Object(value));
        }
    }

    fn wrong(schema: &Value) -> String {
        let read = Schema::of(schema).and_then(|schema| schema.check_patterns());
        read.unwrap_err()
    }

    #[test]
    fn keyword_that_is_not_understood_is_refused_with_its_path() {
        let field = |field: Value| json!({"properties": {"a": field}});
        for (schema, path) in [
            (json!({"properties": {}, "$ref": "#"}), "schema.$ref"),
            (json!({}), "schema.properties"),
            (json!({"type": "array", "properties": {}}), "schema.type"),
            (json!({"properties": {}, "required": ["b"]}), "schema.required"),
            (json!({"properties": {"a b": {"type": "string"}}}), "schema.properties.a b"),
            (field(json!({"type": "object"})), "schema.properties.a.type"),
            (field(json!({"type": ["string", "null"]})), "schema.properties.a.type"),
            (field(json!({"type": "string", "minimum": 1})), "schema.properties.a.minimum"),
            (field(json!({"type": "string", "format": "ipv4"})), "schema.properties.a.format"),
            (field(json!({"type": "string", "pattern": "(?<=a)b"})), "schema.properties.a.pattern"),
            (field(json!({"type": "string", "enum": []})), "schema.properties.a.enum"),
            (field(json!({"type": "string", "maxLength": 10_001})), "schema.properties.a.maxLength"),
            (field(json!({"type": "string", "title": 7})), "schema.properties.a.title"),
            (field(json!({"type": "string", "enum": ["x"], "x-labels": {"x": 1}})), "schema.properties.a.x-labels.x"),
            (field(json!({"type": "boolean", "const": false})), "schema.properties.a.const"),
            (field(json!({"type": "array", "items": {"type": "number"}})), "schema.properties.a.items.type"),
            (field(json!({"type": "array", "items": {"type": "string", "pattern": "a"}})), "schema.properties.a.items.pattern"),
        ] {
            let wrong = wrong(&schema);
            assert!(wrong.starts_with(&format!("{path}:")), "{wrong}");
        }
    }

    #[test]
    fn screen_is_shown_texts_in_its_language() {
        let schema = json!({"title": {"en": "You", "de": "Sie"}, "properties": {"a": {"type": "string", "enum": ["x"],
            "title": {"en": "Choice", "de": "Wahl"}, "x-labels": {"x": {"en": "Ten", "de": "Zehn"}}}}});
        let shown = json!({"title": "Sie", "properties": {"a": {"type": "string", "enum": ["x"], "title": "Wahl",
            "x-labels": {"x": "Zehn"}}}});
        assert_eq!(Schema::of(&schema).unwrap().shown("de"), shown);
    }

    #[test]
    fn worst_pattern_takes_a_step_per_byte() {
        let schema = json!({"properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}});
        let schema = Schema::of(&schema).unwrap();
        let answers = Map::from_iter([("a".to_owned(), json!(format!("{}b", "a".repeat(9_999))))]);
        let started = Instant::now();
        assert_eq!(schema.errors(&answers), BTreeMap::from([("a".to_owned(), Broken::Pattern)]));
        // A backtracking engine would not end. Ten thousand steps take microseconds; the limit is for a busy machine.
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,20}".prop_map(Value::from),
            prop::sample::select(vec!["string", "number", "array", "boolean", "object", "^a", "email"]).prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            let names = prop::sample::select(vec![
                "type",
                "properties",
                "required",
                "enum",
                "pattern",
                "items",
                "const",
                "minLength",
                "format",
                "title",
                "a",
            ]);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((names, inner), 0..6).prop_map(|members| Value::Object(
                    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
                )),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

        #[test]
        fn no_schema_and_no_answer_panics(schema in anything(), answer in anything()) {
            let field = json!({"properties": {"a": schema.clone()}, "required": ["a"]});
            for schema in [schema, field] {
                if let Ok(schema) = Schema::of(&schema) {
                    let _ = schema.check_patterns();
                    let _ = schema.shown("de");
                    let _ = schema.errors(&Map::from_iter([("a".to_owned(), answer.clone())]));
                }
            }
        }
    }
}
