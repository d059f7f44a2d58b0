//! A conversation, and the lane in which its deliveries to one recipient wait their turn.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{AccountId, ConversationId, DeliveryContent, DeliveryKey, EpochMillis, IdError, MessageId, ReceiptStatus, TenantId};

/// Small facts a platform's crate wants to find again, by names of its own. Opaque to everyone else.
pub type Memo = BTreeMap<String, String>;

/// The member of a message's [`Memo`] that says that nobody has written it: it tells a visitor on another platform what happened
/// to their chat, in words of that platform's choice.
pub const CHAT_NEWS: &str = "chat";

/// The chat is over: a value of [`CHAT_NEWS`].
pub const CHAT_ENDED: &str = "ended";

/// The visitor's end of a conversation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    /// The account the visitor writes through.
    pub account: AccountId,
    /// Where the visitor is reached on that account: phone number, mail address, thread id. Personal data.
    pub address: String,
    /// What the visitor is called, if the platform says so. Personal data.
    pub name: Option<String>,
    /// What the platform needs to answer (e.g. through which gateway); replaced by each inbound message.
    pub memo: Memo,
}

impl fmt::Debug for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visitor").field("account", &self.account).finish_non_exhaustive()
    }
}

/// A conversation joins one visitor with one desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The visitor's end.
    pub visitor: Visitor,
    /// The account whose staff answers; `None` while no routing rule matches.
    pub desk: Option<AccountId>,
    /// Place of the newest message (see [`Conversation::next_seq`]); 0 before the first.
    pub last_seq: u64,
    /// Whether the visitor is in a chat: what the desk writes is said there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_chat: bool,
}

impl Conversation {
    /// The place of a message that is accepted at `now`: its milliseconds, or one more than the newest message's.
    ///
    /// Taken from the clock so that nobody has to read the conversation to know a free place; the write that takes it
    /// is refused if the conversation is there or past it.
    #[must_use]
    pub fn next_seq(&self, now: EpochMillis) -> u64 {
        u64::try_from(now.millis()).unwrap_or_default().max(self.last_seq.saturating_add(1))
    }
}

/// What a lane carries. Receipts have a lane of their own, so that a message that waits for its turn holds up no
/// receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaneKind {
    /// Messages to the recipient.
    Messages,
    /// Messages to be said in the conversation's chat.
    Chat,
    /// Reports about messages the recipient wrote.
    Receipts,
}

/// The queue of one recipient in one conversation: its deliveries leave strictly one after the other (promise P5).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LaneKey {
    /// The conversation.
    pub conversation: ConversationId,
    /// The account that receives.
    pub recipient: AccountId,
    /// What it carries.
    pub kind: LaneKind,
}

/// A place in a lane: the message's place in the conversation and, for a receipt, what it reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LaneEntry {
    /// Place of the message in its conversation.
    pub seq: u64,
    /// The reported status, in a lane of receipts.
    pub receipt: Option<ReceiptStatus>,
}

impl LaneEntry {
    /// The delivery that stands at this place of `lane`; `None` if the number is out of range.
    #[must_use]
    pub fn delivery(self, lane: &LaneKey) -> Option<DeliveryKey> {
        Some(DeliveryKey {
            message: MessageId::new(lane.conversation, self.seq)?,
            recipient: lane.recipient.clone(),
            content: match (self.receipt, lane.kind) {
                (Some(status), LaneKind::Messages | LaneKind::Chat | LaneKind::Receipts) => DeliveryContent::Receipt(status),
                (None, LaneKind::Chat) => DeliveryContent::Chat,
                (None, LaneKind::Messages | LaneKind::Receipts) => DeliveryContent::Message,
            },
        })
    }
}

impl fmt::Display for LaneEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.receipt {
            None => write!(f, "{}", self.seq),
            Some(status) => write!(f, "{}:{status}", self.seq),
        }
    }
}

impl FromStr for LaneEntry {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (seq, receipt) = match text.split_once(':') {
            None => (text, None),
            Some((seq, status)) => (seq, Some(status.parse()?)),
        };
        Ok(Self { seq: seq.parse().map_err(|_| IdError("lane entry"))?, receipt })
    }
}

impl TryFrom<String> for LaneEntry {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<LaneEntry> for String {
    fn from(entry: LaneEntry) -> Self {
        entry.to_string()
    }
}

/// How far the recipient's own thread (a session, a chat) has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoteStatus {
    /// Asked for, not confirmed.
    Pending,
    /// Can be written to.
    Active,
    /// Exists, cannot be written to for now.
    Inactive,
    /// Stopped for a reason outside the conversation.
    Blocked,
    /// Could not be established.
    Failed,
    /// Gone for good: no later status brings it back.
    Deleted,
}

/// The thread that stands for this conversation on the recipient's platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteThread {
    /// The platform's id of it.
    pub id: String,
    /// Last status heard.
    pub status: RemoteStatus,
    /// When it was bound or last changed.
    pub changed_at: EpochMillis,
    /// What the platform's crate keeps with it.
    pub memo: Memo,
}

/// The state of a lane. Its head is the only delivery of the lane that may be under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// Which lane.
    pub key: LaneKey,
    /// Unsettled deliveries, oldest first.
    pub pending: Vec<LaneEntry>,
    /// When the sweep must look at the lane if nothing else did; `None` when nothing is pending.
    pub due_at: Option<EpochMillis>,
    /// The recipient's thread, where the platform has such a thing.
    pub remote: Option<RemoteThread>,
}

impl Lane {
    /// A lane in which nothing waits.
    #[must_use]
    pub const fn empty(key: LaneKey) -> Self {
        Self { key, pending: Vec::new(), due_at: None, remote: None }
    }

    /// The delivery whose turn it is.
    #[must_use]
    pub fn head(&self) -> Option<LaneEntry> {
        self.pending.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lane_entry_text_round_trips() {
        for text in ["7", "7:sent", "12:failed"] {
            assert_eq!(text.parse::<LaneEntry>().unwrap().to_string(), text);
        }
        for wrong in ["", "x", "7:gone", ":sent", "-1"] {
            assert!(wrong.parse::<LaneEntry>().is_err(), "{wrong}");
        }
    }
}
