//! What iAdvize sends (sections 10.1 and 10.2).

use model::EpochMillis;
use serde_json::Value;

use crate::OperatorId;

/// A member of a request is missing or wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrong {
    /// Which.
    pub field: &'static str,
    /// How, without its value.
    pub what: &'static str,
}

const fn wrong(field: &'static str, what: &'static str) -> Wrong {
    Wrong { field, what }
}

/// A routing rule that iAdvize gives an operator.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rule {
    /// Its UUID.
    pub id: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// The body of B2: an administrator has chosen a scenario for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The name of the bot.
    pub name: Option<String>,
    /// The name that visitors see.
    pub pseudo: Option<String>,
    /// Two letters.
    pub language: Option<String>,
    /// Routing rules that may be used.
    pub rules: Vec<Rule>,
    /// The scenario.
    pub scenario: String,
}

/// The body of B6: a conversation begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The bot.
    pub operator: OperatorId,
    /// The bot as it is written.
    pub operator_text: String,
    /// iAdvize's id of the conversation.
    pub conversation: String,
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The visitor: the only one who is answered.
    Visitor,
    /// The bot itself, or whoever else.
    Other,
}

/// The body of B7: something was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The bot.
    pub operator: OperatorId,
    /// The bot as it is written.
    pub operator_text: String,
    /// The message's id: any text.
    pub message: String,
    /// Who wrote it.
    pub role: Role,
    /// What was written.
    pub spoken: Spoken,
    /// When, as far as iAdvize says so.
    pub at: Option<EpochMillis>,
}

/// What a message holds.
#[derive(Clone, PartialEq, Eq)]
pub enum Spoken {
    /// A text.
    Text(String),
    /// Content of another type, with the type.
    Other(String),
}

impl Spoken {
    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other(_) => None,
        }
    }
}

impl std::fmt::Debug for Spoken {
    /// Neither text nor address may reach a log line through a derived `Debug`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text(***)",
            Self::Other(_) => "Other",
        })
    }
}

/// The longest id of a conversation or message, in bytes. Those of iAdvize have 36, or a few more.
const LONGEST_ID: usize = 512;

fn object(body: &[u8]) -> Result<Value, Wrong> {
    let value: Option<Value> = serde_json::from_slice(body).ok();
    value.filter(Value::is_object).ok_or(wrong("body", "is not a JSON object"))
}

fn operator(body: &Value) -> Result<(OperatorId, String), Wrong> {
    let text = body["idOperator"].as_str().ok_or(wrong("idOperator", "is missing"))?;
    let id = OperatorId::parse(text).ok_or(wrong("idOperator", "is not an operator such as ha-12345"))?;
    Ok((id, text.to_owned()))
}

/// An id that is opaque to us.
fn id(value: &Value, field: &'static str) -> Result<String, Wrong> {
    match value.as_str() {
        Some(text) if (1..=LONGEST_ID).contains(&text.len()) => Ok(text.to_owned()),
        Some(_) => Err(wrong(field, "is empty or too long")),
        None => Err(wrong(field, "is missing")),
    }
}

impl Link {
    /// Reads the body of B2.
    ///
    /// # Errors
    /// [`Wrong`] naming the member.
    pub fn read(body: &[u8]) -> Result<Self, Wrong> {
        let body = object(body)?;
        let text = |name: &'static str| match &body[name] {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            _ => Err(wrong(name, "is not a text")),
        };
        let language =
            text("language")?.map(|language| crate::language(&language).ok_or(wrong("language", "is not two letters")));
        let rules = match &body["distributionRules"] {
            Value::Null => Vec::new(),
            Value::Array(listed) => listed.iter().map(rule).collect::<Result<_, _>>()?,
            _ => return Err(wrong("distributionRules", "is not an array")),
        };
        let scenario = id(&body["external"]["idBot"], "external.idBot")?;
        Ok(Self { name: text("name")?, pseudo: text("pseudo")?, language: language.transpose()?, rules, scenario })
    }
}

fn rule(listed: &Value) -> Result<Rule, Wrong> {
    let id = listed["id"].as_str().filter(|id| super::check::is_uuid(id));
    let id = id.ok_or(wrong("distributionRules", "holds a rule whose id is not a UUID"))?.to_owned();
    Ok(Rule { id, label: listed["label"].as_str().map(str::to_owned) })
}

impl Opened {
    /// Reads the body of B6. Its history comes again with B7.
    ///
    /// # Errors
    /// [`Wrong`] naming the member.
    pub fn read(body: &[u8]) -> Result<Self, Wrong> {
        let body = object(body)?;
        let (operator, operator_text) = operator(&body)?;
        Ok(Self { operator, operator_text, conversation: id(&body["idConversation"], "idConversation")? })
    }
}

impl Said {
    /// Reads the body of B7.
    ///
    /// # Errors
    /// [`Wrong`] naming the member.
    pub fn read(body: &[u8]) -> Result<Self, Wrong> {
        let body = object(body)?;
        let (operator, operator_text) = operator(&body)?;
        let message = &body["message"];
        if !message.is_object() {
            return Err(wrong("message", "is missing"));
        }
        let role = message["author"]["role"].as_str().ok_or(wrong("message.author.role", "is missing"))?;
        let role = if role == "visitor" { Role::Visitor } else { Role::Other };
        let payload = &message["payload"];
        let spoken = match (payload["contentType"].as_str(), payload["value"].as_str()) {
            (Some("text"), Some(value)) => Spoken::Text(value.to_owned()),
            (Some("text"), None) => return Err(wrong("message.payload.value", "is missing")),
            (Some(other), _) => Spoken::Other(other.to_owned()),
            // Nothing of what others say is looked at.
            (None, _) if role == Role::Other => Spoken::Other(String::new()),
            (None, _) => return Err(wrong("message.payload.contentType", "is missing")),
        };
        let at = message["createdAt"].as_str().and_then(instant);
        Ok(Self { operator, operator_text, message: id(&message["idMessage"], "message.idMessage")?, role, spoken, at })
    }
}

/// A time as iAdvize writes it: ISO 8601, now and then with the name of a zone after it (section 14 row 20).
fn instant(text: &str) -> Option<EpochMillis> {
    EpochMillis::from_text(text.split('[').next()?)
}
