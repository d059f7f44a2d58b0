//! Events that iAdvize tells (section 11).

use model::EpochMillis;
use serde_json::{Map, Value};

use crate::{DeskPlatform, Website};

/// Longest id that is taken, in bytes.
const MAX_ID: usize = 256;

/// An event. What it is about decides where it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id: the same in all attempts.
    pub id: String,
    /// Its type, in iAdvize's words.
    pub kind: String,
    /// When it happened.
    pub at: EpochMillis,
    /// The site it is about; `None` for what concerns an account of iAdvize as a whole.
    pub website: Option<Website>,
    /// The conversation.
    pub conversation: Option<String>,
    /// The visitor, by iAdvize's id. Personal data.
    pub visitor: Option<String>,
    /// The visitor, by the merchant's id. Personal data.
    pub external_id: Option<String>,
    /// The operator or user.
    pub operator: Option<u64>,
    /// The channel, in iAdvize's words.
    pub channel: Option<String>,
    /// What came of a conversation: scores, amounts. No texts.
    pub figures: Map<String, Value>,
}

/// What cannot be an event: the member that is missing or wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadEvent(pub &'static str);

/// Members of figures that are kept. A comment is somebody's words and is none of them.
const FIGURES: [&str; 9] = [
    "customerSatisfaction",
    "netPromoterScore",
    "customQuestion",
    "transactionId",
    "externalId",
    "amount",
    "source",
    "origin",
    "availabilities",
];

impl Event {
    /// Reads the body of a webhook. Unknown types and members are taken.
    ///
    /// # Errors
    /// [`BadEvent`] naming what is missing or wrong.
    pub fn parse(body: &[u8]) -> Result<Self, BadEvent> {
        let body: Map<String, Value> = serde_json::from_slice(body).map_err(|_| BadEvent("body"))?;
        let text = |name: &'static str| match body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) if text.len() <= MAX_ID => Ok(Some(text.clone())),
            // Ids were integers once (section 11.3).
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(BadEvent(name)),
        };
        let number = |name: &'static str| match body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or(BadEvent(name)),
        };
        let (id, kind) = (text("eventId")?.ok_or(BadEvent("eventId"))?, text("eventType")?.ok_or(BadEvent("eventType"))?);
        let at = text("createdAt")?.and_then(|text| EpochMillis::from_text(&text)).ok_or(BadEvent("createdAt"))?;
        let platform = text("platform")?.and_then(|text| DeskPlatform::parse(&text));
        let project = number("projectId")?;
        let operator = match number("operatorId")? {
            Some(operator) => Some(operator),
            None => number("userId")?,
        };
        let event = Self {
            id,
            kind,
            at,
            website: platform.zip(project).map(|(platform, project)| Website::new(platform, project)),
            conversation: text("conversationId")?,
            visitor: text("visitorId")?,
            external_id: text("visitorExternalId")?,
            operator,
            channel: text("channel")?,
            figures: FIGURES.iter().filter_map(|name| Some(((*name).to_owned(), body.get(*name)?.clone()))).collect(),
        };
        match event.missing(&body) {
            Some(missing) => Err(BadEvent(missing)),
            None => Ok(event),
        }
    }

    /// A member without which an event of this type says nothing.
    fn missing(&self, body: &Map<String, Value>) -> Option<&'static str> {
        let operators =
            body.get("operatorIds").is_some_and(|ids| ids.as_array().is_some_and(|ids| ids.iter().all(Value::is_u64)));
        let needed: &[(&str, bool)] = match self.kind.as_str() {
            "v2.conversation.pushed" => &[("operatorId", self.operator.is_some())],
            "v2.conversation.closed" => &[("operatorIds", operators)],
            _ => return None,
        };
        let all = [
            ("conversationId", self.conversation.is_some()),
            ("projectId", body.contains_key("projectId")),
            ("channel", self.channel.is_some()),
        ];
        needed.iter().chain(&all).find(|(_, is_there)| !is_there).map(|(name, _)| *name)
    }

    /// Whether a conversation begins, or comes to another operator.
    #[must_use]
    pub fn is_pushed(&self) -> bool {
        self.kind == "v2.conversation.pushed"
    }

    /// Whether a conversation ends.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.kind == "v2.conversation.closed"
    }
}
