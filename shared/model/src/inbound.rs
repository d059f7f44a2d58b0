//! What a platform's crate makes of a webhook: the vendor's words end here.

use std::time::Duration;

use crate::{Content, ConversationId, EpochMillis, EventKey, Memo, MessageDetails, MessageId};

/// A message from a visitor, to be stored and brought to a desk.
#[derive(Clone)]
pub struct VisitorMessage {
    /// Where the visitor is reached on the account that received it; names the conversation.
    pub address: String,
    /// What the visitor is called.
    pub name: Option<String>,
    /// What the platform's crate needs to answer this visitor.
    pub memo: Memo,
    /// Names of the event. Each one alone makes a repetition recognisable; the time is how long it is remembered at
    /// least, `None` for as long as the message.
    pub event_keys: Vec<(EventKey, Option<Duration>)>,
    /// The message of ours it answers, if it names one. A stranger can name any: it counts only within the account.
    pub answers: Option<MessageId>,
    /// Events whose conversation this message continues even if it comes from another address.
    pub continues: Vec<EventKey>,
    /// The platform's id of the message.
    pub origin_id: String,
    /// When it was written, as the platform says.
    pub sent_at: EpochMillis,
    /// What it says.
    pub content: Content,
    /// What the platform says of it beside that.
    pub details: MessageDetails,
}

/// A message from a desk, to be stored and brought to the visitor.
#[derive(Clone)]
pub struct DeskMessage {
    /// The conversation it answers.
    pub conversation: ConversationId,
    /// Name of the event.
    pub event_key: EventKey,
    /// The platform's id of the message.
    pub origin_id: String,
    /// When it was written, as the platform says.
    pub sent_at: EpochMillis,
    /// What it says.
    pub content: Content,
}

/// A recipient's word about a message it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The message.
    pub message: MessageId,
    /// The recipient's own id of it, or why it will not have it.
    pub result: Result<Option<String>, String>,
    /// The way the message is said to have gone; it must be the one it went. `None` where the platform says nothing.
    pub route: Option<String>,
    /// The name under which later events of the recipient will speak of the message.
    pub alias: Option<EventKey>,
    /// When it was said, by the recipient's clock. Stored, never used for a decision.
    pub said_at: Option<EpochMillis>,
}
