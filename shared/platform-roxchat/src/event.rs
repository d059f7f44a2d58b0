//! What the host page forwards: batches, envelopes and events (sections 2, 3, 7.3 and 10).

use model::{EpochMillis, EventKey};
use serde_json::{Map, Value};

use crate::{Side, Workspace};

/// The most events of a batch: a page halves a larger one.
pub const MAX_EVENTS: usize = 100;

/// The longest id, in characters (section 3.1).
const LONGEST_ID: usize = 128;

/// The longest name of an event and of a kind, in characters (section 6.2).
const LONGEST_NAME: usize = 64;

/// The longest text that is kept whole, in bytes (section 8).
const LONGEST_TEXT: usize = 256 * 1024;

/// The longest text of a notification that is kept, in bytes: it is shown for a moment, and many stand in one record.
const LONGEST_NOTICE: usize = 512;

/// The longest name of a channel, or of somebody in it, in characters.
const LONGEST_CHANNEL: usize = 256;

/// Why a whole batch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadBatch {
    /// No JSON.
    NotJson,
    /// JSON, and no list of events.
    Shape,
    /// More than [`MAX_EVENTS`].
    TooMany,
}

/// Why an event will never be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// A member is missing or wrong.
    InvalidParams,
    /// It did not come from the workspace.
    OriginNotAllowed,
    /// It cannot be kept.
    TooLarge,
}

impl Rejection {
    /// The code of section 7.3.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidParams => "invalid_params",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::TooLarge => "too_large",
        }
    }
}

/// What is odd about an event that is accepted all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    /// Events of its page are missing before it.
    SeqGap,
    /// Its page has used the number before.
    SeqRepeat,
    /// `siebelId` and `SiebelId` say different things (section 10, row 1).
    SiebelIdDiffers,
    /// Another page has told the same message.
    SuspectedDuplicate,
}

impl Flag {
    /// The word in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SeqGap => "seq_gap",
            Self::SeqRepeat => "seq_repeat",
            Self::SiebelIdDiffers => "siebel_id_differs",
            Self::SuspectedDuplicate => "suspected_duplicate",
        }
    }
}

/// An event as its page sends it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// Made once when it was received: what makes a repetition recognisable. In lower case.
    pub id: String,
    /// The same as the page writes it, and finds it in the answer.
    pub given: String,
    /// One for each time the page is loaded. In lower case.
    pub page: String,
    /// Its number among those of the page, from 1.
    pub seq: u64,
    /// When it was received, by the page's clock.
    pub received_at: EpochMillis,
    /// The origin of the window that sent it.
    pub origin: String,
    /// The length in bytes of a text that its page has cut.
    pub original_bytes: Option<usize>,
    /// The envelope.
    pub message: Map<String, Value>,
}

/// An event that is not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The id it gives itself, if it does.
    pub id: Option<String>,
    /// Why it is rejected.
    pub why: Rejection,
}

/// The events of a batch in their order.
///
/// # Errors
/// [`BadBatch`].
pub fn batch(body: &[u8]) -> Result<Vec<Result<Sent, Torn>>, BadBatch> {
    let mut body: Value = serde_json::from_slice(body).map_err(|_| BadBatch::NotJson)?;
    let Some(Value::Array(events)) = body.get_mut("events").map(Value::take) else { return Err(BadBatch::Shape) };
    if events.is_empty() {
        return Err(BadBatch::Shape);
    }
    if events.len() > MAX_EVENTS {
        return Err(BadBatch::TooMany);
    }
    Ok(events.into_iter().map(sent).collect())
}

fn sent(mut event: Value) -> Result<Sent, Torn> {
    let given = event.get("eventId").and_then(Value::as_str).map(|id| id.chars().take(LONGEST_ID).collect());
    let read = |event: &mut Value| {
        Some(Sent {
            id: uuid(event.get("eventId")?)?,
            given: event.get("eventId")?.as_str()?.to_owned(),
            page: uuid(event.get("pageId")?)?,
            seq: event.get("seq")?.as_u64().filter(|seq| *seq > 0)?,
            received_at: EpochMillis::from_text(event.get("receivedAt")?.as_str()?)?,
            origin: event.get("origin")?.as_str()?.to_owned(),
            original_bytes: event.get("originalBytes").and_then(Value::as_u64).and_then(|bytes| usize::try_from(bytes).ok()),
            message: match event.get_mut("message")?.take() {
                Value::Object(message) => message,
                _ => return None,
            },
        })
    };
    read(&mut event).ok_or(Torn { id: given, why: Rejection::InvalidParams })
}

/// A UUID of any version, in lower case.
fn uuid(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let is_place_of_dash = |place: usize| matches!(place, 8 | 13 | 18 | 23);
    let is_uuid = text.len() == 36
        && text.bytes().enumerate().all(|(place, b)| if is_place_of_dash(place) { b == b'-' } else { b.is_ascii_hexdigit() });
    is_uuid.then(|| text.to_ascii_lowercase())
}

/// The name under which what an event says is stored, once however often it comes.
#[must_use]
pub fn event_key(id: &str) -> EventKey {
    EventKey::new("roxchat", [id])
}

/// The names under which something that an operator has an id of may be stored.
#[must_use]
pub fn event_keys(id: &str) -> Vec<EventKey> {
    vec![event_key(&id.to_ascii_lowercase())]
}

/// A visitor as an event names them. Personal data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Rox.Chat's id: opaque, nothing of it is trimmed.
    pub id: String,
    /// The customer's system's id; `None` is unknown.
    pub provided: Option<String>,
    /// Siebel's id; `None` is unknown.
    pub siebel: Option<String>,
}

/// A text without NUL, cut at a character's end if it is too long.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    /// What is kept of it.
    pub kept: String,
    /// Its length in bytes, if not all of it is kept.
    pub original_bytes: Option<usize>,
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Text").field("bytes", &self.kept.len()).field("original_bytes", &self.original_bytes).finish()
    }
}

impl Text {
    fn of(text: &str, longest: usize) -> Self {
        let end = text.floor_char_boundary(longest);
        let original_bytes = (end < text.len()).then_some(text.len());
        Self { kept: text[..end].replace('\0', ""), original_bytes }
    }
}

/// The channel of a visitor who is not on the web site (section 3.3). Personal data.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Channel {
    /// Rox.Chat's id of it.
    pub id: Option<String>,
    /// An open list: `telegram`, say.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The visitor's id in it.
    pub user_id: Option<String>,
    /// The visitor's name in it.
    pub user_name: Option<String>,
}

/// A notification in the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Its id.
    pub id: String,
    /// An open list: `visitor`, say.
    pub kind: Option<String>,
    /// What is shown.
    pub text: Text,
    /// The visitor's session.
    pub session: Option<String>,
}

/// What happened in the workspace (section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `newMessageAdded`.
    Message {
        /// Whose chat.
        visitor: Identity,
        /// Which chat; `None` before there is one.
        chat: Option<i64>,
        /// The visit.
        session: Option<String>,
        /// As it is published, or as it came.
        kind: String,
        /// Which side that is.
        side: Side,
        /// What was said.
        text: Text,
    },
    /// `chatClosedByOperator`.
    Closed {
        /// Whose chat.
        visitor: Identity,
        /// Which chat.
        chat: Option<i64>,
        /// `None` on the web site.
        channel: Option<Channel>,
    },
    /// `visitorAuthorized`.
    Authorized {
        /// Who it was.
        old: Identity,
        /// Who it is.
        new: Identity,
    },
    /// `visitorSelected`.
    Selected {
        /// Who.
        visitor: Identity,
        /// The visit.
        session: Option<String>,
        /// The CRM's task.
        task: Option<String>,
    },
    /// `notificationAdded`.
    NotificationAdded(Notification),
    /// `notificationRemoved`.
    NotificationRemoved {
        /// Which.
        id: String,
    },
    /// One that is not published.
    Unknown,
}

impl Event {
    /// The name as it is published.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Message { .. } => "newMessageAdded",
            Self::Closed { .. } => "chatClosedByOperator",
            Self::Authorized { .. } => "visitorAuthorized",
            Self::Selected { .. } => "visitorSelected",
            Self::NotificationAdded(_) => "notificationAdded",
            Self::NotificationRemoved { .. } => "notificationRemoved",
            Self::Unknown => "unknown",
        }
    }
}

/// An event, and whether its two spellings of Siebel's id differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// What happened.
    pub event: Event,
    /// Section 10, row 1.
    pub siebel_differs: bool,
}

/// Reads what the workspace said to the page. Members that are not known are passed over; missing ones and `null` are the same.
///
/// # Errors
/// [`Rejection`].
pub fn read(sent: &Sent, workspace: &Workspace) -> Result<Read, Rejection> {
    if !workspace.speaks_from(&sent.origin) {
        return Err(Rejection::OriginNotAllowed);
    }
    let wrong = Rejection::InvalidParams;
    if sent.message.get("source").and_then(Value::as_str) != Some(workspace.source.as_str()) {
        return Err(wrong);
    }
    let name = sent.message.get("event").and_then(Value::as_str).unwrap_or_default();
    if !(1..=LONGEST_NAME).contains(&name.chars().count()) {
        return Err(wrong);
    }
    let nothing = Map::new();
    let params = match sent.message.get("params") {
        None | Some(Value::Null) => &nothing,
        Some(Value::Object(params)) => params,
        Some(_) => return Err(wrong),
    };
    let mut params = Params { of: params, visitor_id_name: &workspace.visitor_id_name, siebel_differs: false };
    let mut event = params.event(name).ok_or(wrong)?;
    if let (Event::Message { text, .. }, Some(bytes)) = (&mut event, sent.original_bytes)
        && bytes > text.kept.len()
        // Cut at a character's end, it is shorter than the longest by less than a character.
        && text.kept.len() + 4 > LONGEST_TEXT
    {
        text.original_bytes = text.original_bytes.max(Some(bytes));
    }
    Ok(Read { event, siebel_differs: params.siebel_differs })
}

/// Members of an event as they are read: `None` is a wrong one, `Some(None)` one that says nothing.
struct Params<'a> {
    of: &'a Map<String, Value>,
    visitor_id_name: &'a str,
    siebel_differs: bool,
}

impl Params<'_> {
    fn event(&mut self, name: &str) -> Option<Event> {
        Some(match name {
            "newMessageAdded" => {
                let kind = text_in(self.of, "kind", LONGEST_NAME)?.unwrap_or_default();
                let (side, kind) = Side::of(&kind);
                Event::Message {
                    visitor: self.identity()?,
                    chat: self.chat()?,
                    session: text_in(self.of, "sessionId", LONGEST_ID)?,
                    kind: kind.to_owned(),
                    side,
                    text: long_text(self.of, "messageText", LONGEST_TEXT)?,
                }
            }
            "chatClosedByOperator" => Event::Closed { visitor: self.identity()?, chat: self.chat()?, channel: self.channel()? },
            "visitorAuthorized" => {
                let (old, new) = (self.of.get("old")?.as_object()?, self.of.get("new")?.as_object()?);
                Event::Authorized { old: self.identity_in(old)?, new: self.identity_in(new)? }
            }
            "visitorSelected" => {
                // A chat that is only looked at is not known to be open or closed; what is wrong is rejected all the same.
                self.chat()?;
                Event::Selected {
                    visitor: self.identity()?,
                    session: text_in(self.of, "sessionId", LONGEST_ID)?,
                    task: text_in(self.of, "taskId", LONGEST_ID)?,
                }
            }
            "notificationAdded" => {
                let notification = self.notification()?;
                Event::NotificationAdded(Notification {
                    id: id_in(notification, "id")?,
                    kind: text_in(notification, "kind", LONGEST_NAME)?,
                    text: long_text(notification, "text", LONGEST_NOTICE)?,
                    session: text_in(notification, "sessionId", LONGEST_ID)?,
                })
            }
            "notificationRemoved" => Event::NotificationRemoved { id: id_in(self.notification()?, "id")? },
            _ => Event::Unknown,
        })
    }

    fn identity(&mut self) -> Option<Identity> {
        self.identity_in(self.of)
    }

    fn identity_in(&mut self, of: &Map<String, Value>) -> Option<Identity> {
        let (written, other) = (id_or_number(of, "siebelId")?, id_or_number(of, "SiebelId")?);
        self.siebel_differs |= matches!((&written, &other), (Some(written), Some(other)) if written != other);
        Some(Identity {
            id: id_in(of, self.visitor_id_name)?,
            provided: id_or_number(of, "providedVisitorId")?,
            siebel: written.or(other),
        })
    }

    fn chat(&self) -> Option<Option<i64>> {
        match self.of.get("chatId") {
            None | Some(Value::Null) => Some(None),
            Some(Value::Number(number)) => number.as_i64().map(Some),
            Some(Value::String(digits)) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok().map(Some),
            Some(_) => None,
        }
    }

    fn channel(&self) -> Option<Option<Channel>> {
        let member = |name| text_in(self.of, name, LONGEST_CHANNEL);
        let channel = Channel {
            id: member("channelId")?,
            kind: member("channelType")?,
            user_id: member("channelUserId")?,
            user_name: member("channelUserName")?,
        };
        Some((channel != Channel::default()).then_some(channel))
    }

    /// Nested as in the examples, or flat as in the tables (section 10, row 5).
    fn notification(&self) -> Option<&Map<String, Value>> {
        match self.of.get("notification") {
            None | Some(Value::Null) => Some(self.of),
            Some(nested) => nested.as_object(),
        }
    }
}

/// An id that has to be there.
fn id_in(of: &Map<String, Value>, name: &str) -> Option<String> {
    let text = of.get(name)?.as_str()?;
    (1..=LONGEST_ID).contains(&text.chars().count()).then(|| text.to_owned())
}

/// A text that may be missing; an empty one says as little.
fn text_in(of: &Map<String, Value>, name: &str, longest: usize) -> Option<Option<String>> {
    match of.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) if text.chars().count() <= longest => {
            Some(Some(text.replace('\0', "")).filter(|text| !text.is_empty()))
        }
        Some(_) => None,
    }
}

/// The same, which some systems send as a number (section 3.1).
fn id_or_number(of: &Map<String, Value>, name: &str) -> Option<Option<String>> {
    match of.get(name) {
        Some(Value::Number(number)) => Some(Some(number.to_string())),
        _ => text_in(of, name, LONGEST_ID),
    }
}

fn long_text(of: &Map<String, Value>, name: &str, longest: usize) -> Option<Text> {
    match of.get(name) {
        None | Some(Value::Null) => Some(Text::of("", longest)),
        Some(Value::String(text)) => Some(Text::of(text, longest)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests;
