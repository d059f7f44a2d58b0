//! Items: what stands under the keys, as flat structs with owned fields.
//!
//! Every item carries its kind and the version of its shape. A new shape is read first and written one release later:
//! [`current`] is the place where an item of an older version becomes one of the newest.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;
use model::{
    Account, AccountId, Author, Content, Conversation, ConversationId, Delivery, DeliveryState, EpochMillis, FailureReason, Lane,
    LaneEntry, LaneKey, LaneKind, Memo, Message, MessageDetails, MessageId, ReceiptStatus, RemoteStatus, RemoteThread,
    StoryEntry, StoryEvent, Tenant, TenantId, Visitor,
};
use ports::{Consent, PortError};
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::keys::{self, Item, Key};

/// The version of the shapes below.
const VERSION: u32 = 1;

/// Names of the attributes that expressions speak of; each is a field of a struct below, or is on every item.
pub(crate) mod attribute {
    pub(crate) const ENTITY_TYPE: &str = "entity_type";
    pub(crate) const VERSION: &str = "v";
    /// Read by the table's clean-up: seconds since the epoch.
    pub(crate) const EXPIRES_AT: &str = "expires_at";
    /// The exact end, in milliseconds: what conditions compare.
    pub(crate) const VALID_UNTIL: &str = "valid_until";
    pub(crate) const LAST_SEQ: &str = "last_seq";
    pub(crate) const VISITOR_ACCOUNT: &str = "visitor_account";
    pub(crate) const DESK: &str = "desk";
    pub(crate) const IS_CHAT: &str = "is_chat";
    pub(crate) const REV: &str = "rev";
    pub(crate) const STATE: &str = "state";
    pub(crate) const DEADLINE: &str = "deadline";
    pub(crate) const CREATED_AT: &str = "created_at";
    pub(crate) const ROUTE: &str = "route";
    pub(crate) const REFERENCE: &str = "reference";
    pub(crate) const RECEIPT: &str = "receipt";
    pub(crate) const REPORTED: &str = "reported";
    pub(crate) const PENDING: &str = "pending";
    pub(crate) const REMOTE_ID: &str = "remote_id";
    pub(crate) const REMOTE_STATUS: &str = "remote_status";
    pub(crate) const REMOTE_CHANGED_AT: &str = "remote_changed_at";
    pub(crate) const REMOTE_MEMO: &str = "remote_memo";
    pub(crate) const CONVERSATION: &str = "conversation";
    pub(crate) const STATUS: &str = "status";
    pub(crate) const CHANGED_AT: &str = "changed_at";
    pub(crate) const ACCOUNT: &str = "account";
    pub(crate) const TENANT: &str = "tenant";
    pub(crate) const SALT: &str = "salt";
    pub(crate) const SETTINGS: &str = "settings";
    pub(crate) const INSTALLED: &str = "installed";
    pub(crate) const LEADS_TO: &str = "leads_to";
    pub(crate) const CLOSED_AT: &str = "closed_at";
    pub(crate) const WAITING_DESK: &str = "waiting_desk";
    pub(crate) const WAITING_FROM: &str = "waiting_from";
    pub(crate) const CONFIRMED_AT: &str = "confirmed_at";
    pub(crate) const PLACES: &str = "places";
    pub(crate) const LAST: &str = "last";
    pub(crate) const RESERVED_AT: &str = "reserved_at";
    pub(crate) const FLOOR: &str = "floor";
    pub(crate) const CURSOR: &str = "cursor";
    pub(crate) const FAILING_SINCE: &str = "failing_since";
    pub(crate) const FAILURES: &str = "failures";
    pub(crate) const GIVEN_UP: &str = "given_up";
    pub(crate) const HANDED_AT: &str = "handed_at";
    pub(crate) const LEASE: &str = "lease";
    pub(crate) const LEASE_UNTIL: &str = "lease_until";
    pub(crate) const SEALED: &str = "sealed";
    pub(crate) const USABLE_UNTIL: &str = "usable_until";
    pub(crate) const REFUSED: &str = "refused";
    pub(crate) const AGENT: &str = "agent";
    pub(crate) const PRESENCE: &str = "presence";
    pub(crate) const WORKPLACE: &str = "workplace";
    pub(crate) const IDLE_SINCE: &str = "idle_since";
    pub(crate) const SEEN_AT: &str = "seen_at";
    pub(crate) const CHATS: &str = "chats";
    pub(crate) const ASKED: &str = "asked";
    pub(crate) const NEXT_AT: &str = "next_at";
    pub(crate) const OPEN_UNTIL: &str = "open_until";
    pub(crate) const REFUSALS: &str = "refusals";
    pub(crate) const BODY: &str = "body";
    pub(crate) const ENDS_AT: &str = "ends_at";
    pub(crate) const PAUSED_UNTIL: &str = "paused_until";
    /// In front of the name of a part of a delivery.
    pub(crate) const PART_RECEIPT: &str = "receipt_of_";
}

/// A kind of item.
pub(crate) trait Entity: Serialize + DeserializeOwned {
    /// The word that marks it.
    const TYPE: &'static str;
}

/// Makes an error of something that cannot be put into words of the other side. Never names a value.
pub(crate) fn corrupt(what: &'static str, why: impl ToString) -> PortError {
    PortError::Corrupt { what, why: why.to_string() }
}

/// One value as an attribute.
pub(crate) fn value<T: Serialize>(of: T) -> Result<AttributeValue, PortError> {
    serde_dynamo::to_attribute_value(of).map_err(|_| corrupt("value", "cannot be written"))
}

/// The kind and version attributes of an item that is made by an update.
pub(crate) fn marks<E: Entity>() -> [(&'static str, AttributeValue); 2] {
    [
        (attribute::ENTITY_TYPE, AttributeValue::S(E::TYPE.to_owned())),
        (attribute::VERSION, AttributeValue::N(VERSION.to_string())),
    ]
}

/// The item of an entity, without its key.
pub(crate) fn to_item<E: Entity>(entity: &E) -> Result<Item, PortError> {
    let mut item: Item = serde_dynamo::to_item(entity).map_err(|_| corrupt(E::TYPE, "cannot be written"))?;
    item.extend(marks::<E>().map(|(name, value)| (name.to_owned(), value)));
    Ok(item)
}

/// The kind of an item.
pub(crate) fn entity_type(item: &Item) -> Option<&str> {
    item.get(attribute::ENTITY_TYPE)?.as_s().ok().map(String::as_str)
}

/// The entity of an item.
pub(crate) fn from_item<E: Entity>(item: Item) -> Result<E, PortError> {
    if entity_type(&item) != Some(E::TYPE) {
        return Err(corrupt(E::TYPE, "is of another kind"));
    }
    // The message of a serde error may repeat what it read.
    serde_dynamo::from_item(current(E::TYPE, item)?).map_err(|_| corrupt(E::TYPE, "its attributes do not fit"))
}

/// Brings an item of any version that is still accepted to the newest one.
fn current(what: &'static str, item: Item) -> Result<Item, PortError> {
    let version = item.get(attribute::VERSION).and_then(|v| v.as_n().ok()).and_then(|v| v.parse::<u32>().ok());
    match version {
        // The first version: there is none before it. Once there is a second one, the first is converted here.
        Some(VERSION) => Ok(item),
        Some(other) => Err(corrupt(what, format!("has version {other}"))),
        None => Err(corrupt(what, "has no version")),
    }
}

/// Seconds for the table's clean-up: never before the exact end.
pub(crate) fn clean_up_at(valid_until: EpochMillis) -> i64 {
    valid_until.seconds().saturating_add(1)
}

/// A conversation.
#[derive(Serialize, Deserialize)]
pub(crate) struct ConversationItem {
    conversation: ConversationId,
    tenant: TenantId,
    visitor_account: AccountId,
    visitor_address: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    visitor_name: Option<String>,
    visitor_memo: Memo,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    desk: Option<AccountId>,
    last_seq: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_chat: bool,
}

impl Entity for ConversationItem {
    const TYPE: &'static str = "conversation";
}

impl From<&Conversation> for ConversationItem {
    fn from(from: &Conversation) -> Self {
        Self {
            conversation: from.id,
            tenant: from.tenant.clone(),
            visitor_account: from.visitor.account.clone(),
            visitor_address: from.visitor.address.clone(),
            visitor_name: from.visitor.name.clone(),
            visitor_memo: from.visitor.memo.clone(),
            desk: from.desk.clone(),
            last_seq: from.last_seq,
            is_chat: from.is_chat,
        }
    }
}

impl From<ConversationItem> for Conversation {
    fn from(item: ConversationItem) -> Self {
        Self {
            id: item.conversation,
            tenant: item.tenant,
            visitor: Visitor {
                account: item.visitor_account,
                address: item.visitor_address,
                name: item.visitor_name,
                memo: item.visitor_memo,
            },
            desk: item.desk,
            last_seq: item.last_seq,
            is_chat: item.is_chat,
        }
    }
}

/// A message. Its content stands either here or, if it is too long for one item, in [`MessagePartItem`]s.
#[derive(Serialize, Deserialize)]
pub(crate) struct MessageItem {
    message: MessageId,
    tenant: TenantId,
    author: Author,
    origin: AccountId,
    origin_id: String,
    sent_at: EpochMillis,
    accepted_at: EpochMillis,
    memo: Memo,
    #[serde(default, skip_serializing_if = "Memo::is_empty")]
    details: Memo,
    #[serde(default, skip_serializing_if = "Memo::is_empty")]
    personal_details: Memo,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    html: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// How many items hold the content; 0 when it stands here.
    parts: u32,
}

impl Entity for MessageItem {
    const TYPE: &'static str = "message";
}

/// A piece of the content of a message that does not fit the item of its message.
#[derive(Serialize, Deserialize)]
pub(crate) struct MessagePartItem {
    message: MessageId,
    part: u32,
    field: ContentField,
    body: Bytes,
}

/// UTF-8 that may be cut anywhere: a binary attribute.
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }

            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }
        }

        deserializer.deserialize_byte_buf(Visitor)
    }
}

/// Which field of a content a part continues.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ContentField {
    Text,
    Html,
    Subject,
}

impl Entity for MessagePartItem {
    const TYPE: &'static str = "message_part";
}

/// Content up to this many bytes stands in the message's own item: an item holds 400 KB (DynamoDB, "Quotas": item
/// size), of which the other attributes get what is left.
pub(crate) const PART_BYTES: usize = 320_000;

/// More than this is refused: a transaction holds 4 MB (DynamoDB, "Quotas": transactions), and a message is stored with
/// all that belongs to it or not at all. It is above the longest text a platform may send (1,000,000 UTF-16 units, at
/// most 3 MB), but not above the same length of HTML beside it.
const LONGEST_CONTENT: usize = 3_800_000;

impl MessageItem {
    /// The message's item, and the items of its content if that does not fit.
    pub(crate) fn split(from: &Message) -> Result<(Self, Vec<MessagePartItem>), PortError> {
        let mut item = Self {
            message: from.id,
            tenant: from.tenant.clone(),
            author: from.author,
            origin: from.origin.clone(),
            origin_id: from.origin_id.clone(),
            sent_at: from.sent_at,
            accepted_at: from.accepted_at,
            memo: from.memo.clone(),
            details: from.details.plain.clone(),
            personal_details: from.details.personal.clone(),
            text: None,
            html: None,
            subject: None,
            parts: 0,
        };
        let Content { text, html, subject } = &from.content;
        let size = text.len() + html.as_ref().map_or(0, String::len) + subject.as_ref().map_or(0, String::len);
        if size <= PART_BYTES {
            item.text = Some(text.clone());
            item.html.clone_from(html);
            item.subject.clone_from(subject);
            return Ok((item, Vec::new()));
        }
        if size > LONGEST_CONTENT {
            return Err(PortError::TooLarge { limit: LONGEST_CONTENT });
        }
        let fields =
            [(ContentField::Text, Some(text)), (ContentField::Html, html.as_ref()), (ContentField::Subject, subject.as_ref())];
        let mut parts = Vec::new();
        for (field, body) in fields.into_iter().filter_map(|(field, body)| Some((field, body?))) {
            // An empty field gets a part too: it is there.
            let pieces = body.as_bytes().chunks(PART_BYTES).chain(body.is_empty().then_some([].as_slice()));
            for piece in pieces {
                item.parts += 1;
                parts.push(MessagePartItem { message: from.id, part: item.parts, field, body: Bytes(piece.to_vec()) });
            }
        }
        Ok((item, parts))
    }

    /// Keys of the items that hold its content.
    pub(crate) fn part_keys(&self) -> Vec<Key> {
        (1..=self.parts).map(|part| Key::message_part(self.message, part)).collect()
    }

    /// The message, put together again. `parts` may hold those of other messages too.
    pub(crate) fn join(self, parts: &[MessagePartItem]) -> Result<Message, PortError> {
        let content = if self.parts == 0 {
            Content { text: self.text.unwrap_or_default(), html: self.html, subject: self.subject }
        } else {
            let mut own: Vec<_> = parts.iter().filter(|part| part.message == self.message).collect();
            own.sort_by_key(|part| part.part);
            if own.iter().map(|part| part.part).ne(1..=self.parts) {
                return Err(corrupt(Self::TYPE, "a part of it is missing"));
            }
            let field = |field| {
                let mut bodies = own.iter().filter(|part| part.field == field).map(|part| part.body.0.as_slice()).peekable();
                bodies.peek()?;
                let bytes = bodies.collect::<Vec<_>>().concat();
                Some(String::from_utf8(bytes).map_err(|_| corrupt(Self::TYPE, "a part of it is damaged")))
            };
            Content {
                text: field(ContentField::Text).transpose()?.unwrap_or_default(),
                html: field(ContentField::Html).transpose()?,
                subject: field(ContentField::Subject).transpose()?,
            }
        };
        Ok(Message {
            id: self.message,
            tenant: self.tenant,
            author: self.author,
            origin: self.origin,
            origin_id: self.origin_id,
            sent_at: self.sent_at,
            accepted_at: self.accepted_at,
            content,
            details: MessageDetails { plain: self.details, personal: self.personal_details },
            memo: self.memo,
        })
    }
}

impl MessagePartItem {
    /// Where it stands.
    pub(crate) fn key(&self) -> Key {
        Key::message_part(self.message, self.part)
    }
}

/// A delivery. Of the attributes of its state only those are there that the state has.
#[derive(Serialize, Deserialize)]
pub(crate) struct DeliveryItem {
    delivery: String,
    tenant: TenantId,
    created_at: EpochMillis,
    rev: u64,
    state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<EpochMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline: Option<EpochMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pushes: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_push: Option<EpochMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parked_until: Option<EpochMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offered_until: Option<EpochMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_at: Option<EpochMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settled_at: Option<EpochMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<FailureReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receipt: Option<ReceiptStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reported: Option<ReceiptStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sentence: Option<String>,
}

impl Entity for DeliveryItem {
    const TYPE: &'static str = "delivery";
}

/// What the recipient reported about parts of a delivery.
pub(crate) fn part_receipts(item: &Item) -> Result<BTreeMap<String, ReceiptStatus>, PortError> {
    let parts = item.iter().filter_map(|(name, status)| Some((name.strip_prefix(attribute::PART_RECEIPT)?, status)));
    let read = |(part, status): (&str, &AttributeValue)| {
        let status = status.as_s().ok().and_then(|word| word.parse().ok());
        status.map(|status| (part.to_owned(), status)).ok_or_else(|| corrupt("delivery", "the status of a part"))
    };
    parts.map(read).collect()
}

/// The attributes of a delivery's state by name: all of them, so that a change removes what the new state does not have.
pub(crate) fn state_attributes(state: &DeliveryState) -> Result<Vec<(&'static str, Option<AttributeValue>)>, PortError> {
    let flat = FlatState::from(state);
    Ok(vec![
        (attribute::STATE, Some(value(state.as_str())?)),
        ("attempt", flat.attempt.map(value).transpose()?),
        ("started_at", flat.started_at.map(value).transpose()?),
        (attribute::DEADLINE, flat.deadline.map(value).transpose()?),
        ("pushes", flat.pushes.map(value).transpose()?),
        ("next_push", flat.next_push.map(value).transpose()?),
        ("parked_until", flat.parked_until.map(value).transpose()?),
        ("offered_until", flat.offered_until.map(value).transpose()?),
        ("retry_at", flat.retry_at.map(value).transpose()?),
        ("settled_at", flat.settled_at.map(value).transpose()?),
        ("reason", flat.reason.map(value).transpose()?),
    ])
}

#[derive(Default)]
struct FlatState {
    attempt: Option<u32>,
    started_at: Option<EpochMillis>,
    deadline: Option<EpochMillis>,
    pushes: Option<u32>,
    next_push: Option<EpochMillis>,
    parked_until: Option<EpochMillis>,
    offered_until: Option<EpochMillis>,
    retry_at: Option<EpochMillis>,
    settled_at: Option<EpochMillis>,
    reason: Option<FailureReason>,
}

impl From<&DeliveryState> for FlatState {
    fn from(state: &DeliveryState) -> Self {
        match *state {
            DeliveryState::Queued => Self::default(),
            DeliveryState::Parked { attempt, until } => {
                Self { attempt: Some(attempt), parked_until: Some(until), ..Self::default() }
            }
            DeliveryState::Offered { attempt, until } => {
                Self { attempt: Some(attempt), offered_until: Some(until), ..Self::default() }
            }
            DeliveryState::Sending { attempt, started_at, deadline, pushes, next_push } => Self {
                attempt: Some(attempt),
                started_at: Some(started_at),
                deadline: Some(deadline),
                pushes: Some(pushes),
                next_push,
                ..Self::default()
            },
            DeliveryState::RetryWait { attempt, due } => Self { attempt: Some(attempt), retry_at: Some(due), ..Self::default() },
            DeliveryState::Sent { at } => Self { settled_at: Some(at), ..Self::default() },
            DeliveryState::Failed { at, reason } => Self { settled_at: Some(at), reason: Some(reason), ..Self::default() },
        }
    }
}

impl DeliveryItem {
    fn state(&self) -> Option<DeliveryState> {
        Some(match self.state.as_str() {
            "queued" => DeliveryState::Queued,
            "parked" => DeliveryState::Parked { attempt: self.attempt?, until: self.parked_until? },
            "offered" => DeliveryState::Offered { attempt: self.attempt?, until: self.offered_until? },
            "sending" => DeliveryState::Sending {
                attempt: self.attempt?,
                started_at: self.started_at?,
                deadline: self.deadline?,
                pushes: self.pushes?,
                next_push: self.next_push,
            },
            "retry_wait" => DeliveryState::RetryWait { attempt: self.attempt?, due: self.retry_at? },
            "sent" => DeliveryState::Sent { at: self.settled_at? },
            "failed" => DeliveryState::Failed { at: self.settled_at?, reason: self.reason? },
            _ => return None,
        })
    }
}

impl From<&Delivery> for DeliveryItem {
    fn from(from: &Delivery) -> Self {
        let flat = FlatState::from(&from.state);
        Self {
            delivery: from.key.to_string(),
            tenant: from.tenant.clone(),
            created_at: from.created_at,
            rev: from.rev,
            state: from.state.as_str().to_owned(),
            attempt: flat.attempt,
            started_at: flat.started_at,
            deadline: flat.deadline,
            pushes: flat.pushes,
            next_push: flat.next_push,
            parked_until: flat.parked_until,
            offered_until: flat.offered_until,
            retry_at: flat.retry_at,
            settled_at: flat.settled_at,
            reason: flat.reason,
            route: from.route.clone(),
            reference: from.reference.clone(),
            receipt: from.receipt,
            reported: from.reported,
            sentence: from.sentence.clone(),
        }
    }
}

impl TryFrom<DeliveryItem> for Delivery {
    type Error = PortError;

    fn try_from(item: DeliveryItem) -> Result<Self, PortError> {
        Ok(Self {
            key: item.delivery.parse().map_err(|e| corrupt(DeliveryItem::TYPE, e))?,
            state: item.state().ok_or_else(|| corrupt(DeliveryItem::TYPE, "its state is incomplete"))?,
            tenant: item.tenant,
            created_at: item.created_at,
            rev: item.rev,
            route: item.route,
            reference: item.reference,
            receipt: item.receipt,
            reported: item.reported,
            sentence: item.sentence,
        })
    }
}

/// A lane. Which one it is says its key; when it is due stands in the attributes of the index.
#[derive(Serialize, Deserialize)]
pub(crate) struct LaneItem {
    #[serde(default)]
    pending: Vec<LaneEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remote_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remote_status: Option<RemoteStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remote_changed_at: Option<EpochMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remote_memo: Option<Memo>,
}

impl Entity for LaneItem {
    const TYPE: &'static str = "lane";
}

/// The lane of an item.
pub(crate) fn lane(item: Item) -> Result<Lane, PortError> {
    let key = Key::of(&item).and_then(|key| key.as_lane()).ok_or_else(|| corrupt(LaneItem::TYPE, "its key does not fit"))?;
    let due_at = keys::due_at(&item);
    let LaneItem { pending, remote_id, remote_status, remote_changed_at, remote_memo } = from_item(item)?;
    let remote = match (remote_id, remote_status, remote_changed_at) {
        (Some(id), Some(status), Some(changed_at)) => {
            Some(RemoteThread { id, status, changed_at, memo: remote_memo.unwrap_or_default() })
        }
        (None, None, None) => None,
        _ => return Err(corrupt(LaneItem::TYPE, "its thread is incomplete")),
    };
    Ok(Lane { key, pending, due_at, remote })
}

/// An entry of a delivery's story.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoryItem {
    delivery: String,
    at: EpochMillis,
    event: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pushes: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    late: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after_failure: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given_up: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_at: Option<EpochMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said_at: Option<EpochMillis>,
}

impl Entity for StoryItem {
    const TYPE: &'static str = "story";
}

impl StoryItem {
    /// The item of an entry in the story of `delivery`.
    pub(crate) fn new(delivery: &model::DeliveryKey, entry: &StoryEntry) -> Self {
        let mut item = Self {
            delivery: delivery.to_string(),
            at: entry.at,
            event: String::new(),
            attempt: None,
            pushes: None,
            status: None,
            late: None,
            after_failure: None,
            given_up: None,
            next_at: entry.next_at,
            detail: entry.detail.clone(),
            said_at: entry.said_at,
        };
        let word = match entry.event {
            StoryEvent::Offered { attempt } => {
                item.attempt = Some(attempt);
                "offered"
            }
            StoryEvent::HandedOver { attempt } => {
                item.attempt = Some(attempt);
                "handed_over"
            }
            StoryEvent::PushedAgain { attempt, pushes } => {
                (item.attempt, item.pushes) = (Some(attempt), Some(pushes));
                "pushed_again"
            }
            StoryEvent::Unanswered { attempt } => {
                item.attempt = Some(attempt);
                "unanswered"
            }
            StoryEvent::Refused { attempt, status } => {
                (item.attempt, item.status) = (Some(attempt), Some(status));
                "refused"
            }
            StoryEvent::Parked => "parked",
            StoryEvent::PutOff => "put_off",
            StoryEvent::Acknowledged { late, after_failure } => {
                (item.late, item.after_failure) = (Some(late), Some(after_failure));
                "acknowledged"
            }
            StoryEvent::Rejected { after_failure } => {
                item.after_failure = Some(after_failure);
                "rejected"
            }
            StoryEvent::NoAcknowledgement { attempt, given_up } => {
                (item.attempt, item.given_up) = (Some(attempt), Some(given_up));
                "no_acknowledgement"
            }
            StoryEvent::Contradicted => "contradicted",
            StoryEvent::Expired => "expired",
            StoryEvent::ConnectorAbsent => "connector_absent",
            StoryEvent::Replayed => "replayed",
        };
        word.clone_into(&mut item.event);
        item
    }

    fn event(&self) -> Option<StoryEvent> {
        Some(match self.event.as_str() {
            "offered" => StoryEvent::Offered { attempt: self.attempt? },
            "handed_over" => StoryEvent::HandedOver { attempt: self.attempt? },
            "pushed_again" => StoryEvent::PushedAgain { attempt: self.attempt?, pushes: self.pushes? },
            "unanswered" => StoryEvent::Unanswered { attempt: self.attempt? },
            "refused" => StoryEvent::Refused { attempt: self.attempt?, status: self.status? },
            "parked" => StoryEvent::Parked,
            "put_off" => StoryEvent::PutOff,
            "acknowledged" => StoryEvent::Acknowledged { late: self.late?, after_failure: self.after_failure? },
            "rejected" => StoryEvent::Rejected { after_failure: self.after_failure? },
            "no_acknowledgement" => StoryEvent::NoAcknowledgement { attempt: self.attempt?, given_up: self.given_up? },
            "contradicted" => StoryEvent::Contradicted,
            "expired" => StoryEvent::Expired,
            "connector_absent" => StoryEvent::ConnectorAbsent,
            "replayed" => StoryEvent::Replayed,
            _ => return None,
        })
    }
}

impl TryFrom<StoryItem> for (model::DeliveryKey, StoryEntry) {
    type Error = PortError;

    fn try_from(item: StoryItem) -> Result<Self, PortError> {
        let key = item.delivery.parse().map_err(|e| corrupt(StoryItem::TYPE, e))?;
        let event = item.event().ok_or_else(|| corrupt(StoryItem::TYPE, "its event is incomplete"))?;
        Ok((key, StoryEntry { at: item.at, event, next_at: item.next_at, detail: item.detail, said_at: item.said_at }))
    }
}

/// The name of a platform's event.
#[derive(Serialize, Deserialize)]
pub(crate) struct EventItem {
    /// The message it brought.
    pub(crate) message: MessageId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) valid_until: Option<EpochMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<i64>,
}

impl Entity for EventItem {
    const TYPE: &'static str = "event";
}

impl EventItem {
    /// The event that brought `message`; `valid_until` as in the table.
    pub(crate) fn new(message: MessageId, valid_until: Option<EpochMillis>) -> Self {
        Self { message, valid_until, expires_at: valid_until.map(clean_up_at) }
    }
}

/// Something that happened and may not happen again for a while.
#[derive(Serialize, Deserialize)]
pub(crate) struct OnceItem {
    pub(crate) valid_until: EpochMillis,
    pub(crate) expires_at: i64,
}

impl Entity for OnceItem {
    const TYPE: &'static str = "once";
}

/// The answer that a request was given.
#[derive(Serialize, Deserialize)]
pub(crate) struct AnswerItem {
    pub(crate) fingerprint: String,
    /// JSON text: the vendor's value comes back exactly as it went out.
    pub(crate) answer: String,
    pub(crate) valid_until: EpochMillis,
    pub(crate) expires_at: i64,
}

impl Entity for AnswerItem {
    const TYPE: &'static str = "answer";
}

/// A thread of a platform: bound to a lane, or a status that came before the binding.
#[derive(Serialize, Deserialize)]
pub(crate) struct ThreadItem {
    pub(crate) status: RemoteStatus,
    pub(crate) changed_at: EpochMillis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) conversation: Option<ConversationId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<LaneKind>,
    /// The lane's recipient where it is not the account under whose name the thread stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) recipient: Option<AccountId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) valid_until: Option<EpochMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<i64>,
}

impl Entity for ThreadItem {
    const TYPE: &'static str = "thread";
}

impl ThreadItem {
    /// The lane it is bound to, as a thread that stands under the name of `account`.
    pub(crate) fn lane(&self, account: &AccountId) -> Option<LaneKey> {
        let recipient = self.recipient.as_ref().unwrap_or(account).clone();
        Some(LaneKey { conversation: self.conversation?, recipient, kind: self.kind? })
    }
}

/// The status of an installation.
#[derive(Serialize, Deserialize)]
pub(crate) struct InstallationItem {
    pub(crate) status: RemoteStatus,
    pub(crate) changed_at: EpochMillis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) valid_until: Option<EpochMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<i64>,
}

impl Entity for InstallationItem {
    const TYPE: &'static str = "installation";
}

/// A consent under way.
#[derive(Serialize, Deserialize)]
pub(crate) struct ConsentItem {
    business: String,
    verifier: String,
    browser: String,
    valid_until: EpochMillis,
    expires_at: i64,
}

impl Entity for ConsentItem {
    const TYPE: &'static str = "consent";
}

impl From<&Consent> for ConsentItem {
    fn from(from: &Consent) -> Self {
        let Consent { business, verifier, browser, valid_until } = from.clone();
        Self { business, verifier, browser, valid_until, expires_at: clean_up_at(valid_until) }
    }
}

impl From<ConsentItem> for Consent {
    fn from(item: ConsentItem) -> Self {
        let ConsentItem { business, verifier, browser, valid_until, .. } = item;
        Self { business, verifier, browser, valid_until }
    }
}

/// A configured tenant.
#[derive(Serialize, Deserialize)]
pub(crate) struct TenantItem {
    tenant: TenantId,
    /// JSON text.
    routes: String,
}

impl Entity for TenantItem {
    const TYPE: &'static str = "tenant";
}

impl TryFrom<&Tenant> for TenantItem {
    type Error = PortError;

    fn try_from(from: &Tenant) -> Result<Self, PortError> {
        let routes = serde_json::to_string(&from.routes).map_err(|_| corrupt(Self::TYPE, "cannot be written"))?;
        Ok(Self { tenant: from.id.clone(), routes })
    }
}

impl TryFrom<TenantItem> for Tenant {
    type Error = PortError;

    fn try_from(item: TenantItem) -> Result<Self, PortError> {
        let routes = serde_json::from_str(&item.routes).map_err(|_| corrupt(TenantItem::TYPE, "its routes do not fit"))?;
        Ok(Self { id: item.tenant, routes })
    }
}

/// A configured account.
#[derive(Serialize, Deserialize)]
pub(crate) struct AccountItem {
    account: AccountId,
    tenant: TenantId,
    salt: String,
    /// JSON text: opaque here.
    settings: String,
    /// JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    installed: Option<String>,
}

impl Entity for AccountItem {
    const TYPE: &'static str = "account";
}

impl TryFrom<AccountItem> for Account {
    type Error = PortError;

    fn try_from(item: AccountItem) -> Result<Self, PortError> {
        let settings = serde_json::from_str(&item.settings).map_err(|_| corrupt(AccountItem::TYPE, "its settings do not fit"))?;
        let installed = item.installed.as_deref().map(serde_json::from_str).transpose();
        let installed = installed.map_err(|_| corrupt(AccountItem::TYPE, "what is installed does not fit"))?;
        Ok(Self { id: item.account, tenant: item.tenant, salt: item.salt, settings, installed })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use model::{DeliveryContent, DeliveryKey, Slug};
    use proptest::prelude::*;

    use super::*;

    fn conversation() -> ConversationId {
        "00112233445566778899".parse().unwrap()
    }

    fn account() -> AccountId {
        AccountId::new(model::Platform::Vcita, "demo".parse::<Slug>().unwrap())
    }

    fn delivery_key() -> DeliveryKey {
        DeliveryKey {
            message: MessageId::new(conversation(), 7).unwrap(),
            recipient: account(),
            content: DeliveryContent::Receipt(ReceiptStatus::Sent),
        }
    }

    fn message(text: String, html: Option<String>, subject: Option<String>) -> Message {
        Message {
            id: MessageId::new(conversation(), 7).unwrap(),
            tenant: "demo".parse().unwrap(),
            author: Author::Visitor,
            origin: account(),
            origin_id: "m-1".to_owned(),
            sent_at: EpochMillis::new(1),
            accepted_at: EpochMillis::new(2),
            memo: Memo::from([("gateway".to_owned(), "g-1".to_owned())]),
            details: MessageDetails::default(),
            content: Content { text, html, subject },
        }
    }

    /// Names, types and values of an item, in the order of the names.
    pub(crate) fn shown(item: &Item) -> String {
        let mut lines: Vec<_> = item.iter().map(|(name, value)| format!("{name} = {value:?}")).collect();
        lines.sort();
        lines.join("\n")
    }

    fn states() -> Vec<DeliveryState> {
        let at = EpochMillis::new;
        vec![
            DeliveryState::Queued,
            DeliveryState::Parked { attempt: 0, until: at(5) },
            DeliveryState::Offered { attempt: 1, until: at(5) },
            DeliveryState::Sending { attempt: 1, started_at: at(1), deadline: at(9), pushes: 2, next_push: Some(at(3)) },
            DeliveryState::Sending { attempt: 1, started_at: at(1), deadline: at(9), pushes: 2, next_push: None },
            DeliveryState::RetryWait { attempt: 2, due: at(8) },
            DeliveryState::Sent { at: at(4) },
            DeliveryState::Failed { at: at(4), reason: FailureReason::Rejected },
        ]
    }

    #[test]
    fn every_state_of_a_delivery_round_trips() {
        for state in states() {
            let mut delivery = Delivery::queued(delivery_key(), "demo".parse().unwrap(), EpochMillis::new(1));
            delivery.state = state;
            delivery.reference = Some("their-1".to_owned());
            let item = to_item(&DeliveryItem::from(&delivery)).unwrap();
            assert_eq!(Delivery::try_from(from_item::<DeliveryItem>(item).unwrap()).unwrap(), delivery);
        }
    }

    #[test]
    fn state_attributes_are_those_of_the_item() {
        for state in states() {
            let mut delivery = Delivery::queued(delivery_key(), "demo".parse().unwrap(), EpochMillis::new(1));
            delivery.state = state;
            let item = to_item(&DeliveryItem::from(&delivery)).unwrap();
            for (name, value) in state_attributes(&state).unwrap() {
                assert_eq!(item.get(name), value.as_ref(), "{name} of {state:?}");
            }
        }
    }

    #[test]
    fn every_story_event_round_trips() {
        let events = [
            StoryEvent::Offered { attempt: 2 },
            StoryEvent::HandedOver { attempt: 1 },
            StoryEvent::PushedAgain { attempt: 1, pushes: 2 },
            StoryEvent::Unanswered { attempt: 1 },
            StoryEvent::Refused { attempt: 1, status: 404 },
            StoryEvent::Parked,
            StoryEvent::Acknowledged { late: true, after_failure: false },
            StoryEvent::Rejected { after_failure: true },
            StoryEvent::NoAcknowledgement { attempt: 3, given_up: true },
            StoryEvent::Contradicted,
            StoryEvent::Expired,
            StoryEvent::ConnectorAbsent,
            StoryEvent::Replayed,
        ];
        for event in events {
            let said_at = Some(EpochMillis::new(3));
            let entry = StoryEntry { at: EpochMillis::new(1), event, next_at: None, detail: Some("no".to_owned()), said_at };
            let item = to_item(&StoryItem::new(&delivery_key(), &entry)).unwrap();
            let read = <(DeliveryKey, StoryEntry)>::try_from(from_item::<StoryItem>(item).unwrap()).unwrap();
            assert_eq!(read, (delivery_key(), entry));
        }
    }

    #[test]
    fn shape_of_a_delivery_is_stable() {
        let mut delivery = Delivery::queued(delivery_key(), "demo".parse().unwrap(), EpochMillis::new(1));
        delivery.state = states()[3];
        insta::assert_snapshot!(shown(&to_item(&DeliveryItem::from(&delivery)).unwrap()), @r#"
        attempt = N("1")
        created_at = N("1")
        deadline = N("9")
        delivery = S("00112233-4455-8667-9e22-640000000007@vcita/demo:sent")
        entity_type = S("delivery")
        next_push = N("3")
        pushes = N("2")
        rev = N("0")
        started_at = N("1")
        state = S("sending")
        tenant = S("demo")
        v = N("1")
        "#);
    }

    #[test]
    fn shape_of_a_message_is_stable() {
        let (item, parts) = MessageItem::split(&message("hi".to_owned(), None, None)).unwrap();
        assert!(parts.is_empty());
        insta::assert_snapshot!(shown(&to_item(&item).unwrap()), @r#"
        accepted_at = N("2")
        author = S("visitor")
        entity_type = S("message")
        memo = M({"gateway": S("g-1")})
        message = S("00112233-4455-8667-9e22-640000000007")
        origin = S("vcita/demo")
        origin_id = S("m-1")
        parts = N("0")
        sent_at = N("1")
        tenant = S("demo")
        text = S("hi")
        v = N("1")
        "#);
    }

    #[test]
    fn item_of_an_unknown_version_or_kind_is_refused() {
        let (item, _) = MessageItem::split(&message("hi".to_owned(), None, None)).unwrap();
        let item = to_item(&item).unwrap();
        let mut newer = item.clone();
        newer.insert("v".to_owned(), AttributeValue::N("2".to_owned()));
        let error = from_item::<MessageItem>(newer).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("stored message cannot be read: has version 2"));
        assert!(from_item::<DeliveryItem>(item).is_err());
    }

    #[test]
    fn long_content_is_split_and_a_missing_part_is_noticed() {
        let long = message("é".repeat(400_000), Some(String::new()), Some("Re".to_owned()));
        let (item, mut parts) = MessageItem::split(&long).unwrap();
        assert_eq!(parts.len(), 5);
        assert!(parts.iter().all(|part| part.body.0.len() <= PART_BYTES));
        parts.reverse();
        assert!(item.join(&parts).unwrap() == long);
        let (item, _) = MessageItem::split(&long).unwrap();
        parts.pop();
        assert!(item.join(&parts).is_err());
    }

    #[test]
    fn content_that_no_transaction_holds_is_refused() {
        assert!(MessageItem::split(&message("x".repeat(LONGEST_CONTENT), None, None)).is_ok());
        assert!(MessageItem::split(&message("x".repeat(LONGEST_CONTENT), Some("x".to_owned()), None)).is_err());
    }

    proptest! {
        #[test]
        fn content_round_trips(text in ".*", html in prop::option::of(".*"), subject in prop::option::of(".*")) {
            let message = message(text, html, subject);
            let (item, parts) = MessageItem::split(&message).unwrap();
            let item: MessageItem = from_item(to_item(&item).unwrap()).unwrap();
            prop_assert_eq!(item.join(&parts).unwrap(), message);
        }
    }
}
