//! What was said, and the platform event that brought it.

use serde::{Deserialize, Serialize};

use crate::{AccountId, EpochMillis, Memo, MessageId, TenantId};

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The customer.
    Visitor,
    /// The staff member or agent.
    Desk,
}

/// The text of a message. Plain text always exists; HTML only where the platform gave it, already sanitised.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Content {
    /// Plain text, possibly empty.
    pub text: String,
    /// Sanitised HTML of the same content; `None` where it is the text, encoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Subject line, for mail-like platforms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

impl std::fmt::Debug for Content {
    /// Sizes only: a message text must never reach a log line through a derived `Debug`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content")
            .field("text_len", &self.text.len())
            .field("html_len", &self.html.as_ref().map(String::len))
            .finish_non_exhaustive()
    }
}

/// What the platform said of a message beside its content: members by the platform's own names, kept as they came.
/// Opaque to everyone else. Empty for platforms that say nothing more.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MessageDetails {
    /// What is no personal data: operators see it.
    pub plain: Memo,
    /// Names and addresses: stored with the message, shown to nobody but the platform's own crate.
    pub personal: Memo,
}

impl std::fmt::Debug for MessageDetails {
    /// Without the personal ones: no name and no address may reach a log line through a derived `Debug`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageDetails").field("plain", &self.plain).finish_non_exhaustive()
    }
}

/// One message of a conversation. Never changed after it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its id, which also holds its conversation and its place in it.
    pub id: MessageId,
    /// The tenant it belongs to.
    pub tenant: TenantId,
    /// Who wrote it.
    pub author: Author,
    /// The account it came in on: where receipts about it go.
    pub origin: AccountId,
    /// The id the origin platform gave it.
    pub origin_id: String,
    /// When it was written, as the origin says.
    pub sent_at: EpochMillis,
    /// When we stored it.
    pub accepted_at: EpochMillis,
    /// What it says.
    pub content: Content,
    /// What its platform said of it beside that.
    pub details: MessageDetails,
    /// What the visitor's platform needs to be answered, as it was when the message was stored: every attempt of a
    /// delivery must be the same, whatever the visitor writes in between.
    pub memo: Memo,
}

/// The name of a platform event within an account, which makes its repetition recognisable: the dedupe key is the
/// stored item's own key. The first part is a short kind chosen by the platform's crate, the rest vendor ids.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventKey(Vec<String>);

impl EventKey {
    /// An event of `kind` named by the vendor's ids.
    #[must_use]
    pub fn new<const N: usize>(kind: &'static str, ids: [&str; N]) -> Self {
        let mut parts = vec![kind.to_owned()];
        parts.extend(ids.into_iter().map(str::to_owned));
        Self(parts)
    }

    /// Kind and ids, in order; the store encodes them so that different keys never become one.
    #[must_use]
    pub fn parts(&self) -> &[String] {
        &self.0
    }
}
