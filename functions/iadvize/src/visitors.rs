//! What is remembered of visitors and their conversations with iAdvize, as records that end by themselves.
//!
//! Groups are hashes with the account's salt: nobody can tell from a key whom it is about.

use std::time::Duration;

use app::AppError;
use model::{Account, EpochMillis};
use ports::{Record, RecordChange, RecordKey};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wire::signature::sha256_hex;

use crate::Problem;

/// How long it is remembered who a visitor is, after they were last seen (section 7.2: a short-lived store).
pub(crate) const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);

/// The kind of records that are conversations of a visitor.
pub(crate) const CONVERSATION: &str = "conversation";

/// The names by which iAdvize can know a visitor. Personal data.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Names {
    /// The merchant's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) external_id: Option<String>,
    /// The e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
}

impl Names {
    /// Whether nothing is known.
    pub(crate) const fn are_none(&self) -> bool {
        self.external_id.is_none() && self.email.is_none()
    }

    /// The same with what `before` knew and these do not say.
    pub(crate) fn or(self, before: Self) -> Self {
        Self { external_id: self.external_id.or(before.external_id), email: self.email.or(before.email) }
    }

    /// The e-mail address as it is compared.
    pub(crate) fn address(&self) -> Option<String> {
        self.email.as_deref().map(|email| email.trim().to_lowercase())
    }

    /// In which order they are looked up: if two lead to different people, the first is right (section 7.1).
    pub(crate) fn in_order(&self) -> impl Iterator<Item = String> {
        self.external_id.clone().into_iter().chain(self.address())
    }
}

/// A group of records about somebody or something of an account.
pub(crate) fn group(account: &Account, what: &str, name: &str) -> String {
    sha256_hex(format!("{}/{what}/{name}", account.salt).as_bytes())
}

/// Who a visitor is, by iAdvize's id of them.
pub(crate) fn visitor_key(account: &Account, unique: &str) -> RecordKey {
    let group = group(account, "visitor", unique);
    RecordKey { account: account.id.clone(), group, kind: "visitor", id: String::new() }
}

/// Whose a conversation is: a [`Whose`].
pub(crate) fn conversation_key(account: &Account, conversation: &str) -> RecordKey {
    let group = group(account, "conversation", conversation);
    RecordKey { account: account.id.clone(), group, kind: "whose", id: String::new() }
}

/// A conversation of a visitor: a [`Conversation`].
pub(crate) fn conversation_of_key(account: &Account, unique: &str, conversation: &str) -> RecordKey {
    let group = group(account, "visitor", unique);
    RecordKey { account: account.id.clone(), group, kind: CONVERSATION, id: conversation.to_owned() }
}

/// Where the cases of somebody are: under the surest name there is.
pub(crate) fn person_group(account: &Account, names: &Names, unique: Option<&str>) -> Option<String> {
    names.in_order().next().or_else(|| unique.map(str::to_owned)).map(|name| group(account, "person", &name))
}

/// Whose a conversation is. Personal data.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Whose {
    /// The visitor, by iAdvize's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) visitor: Option<String>,
    /// What else they go by, as far as events said so.
    #[serde(default)]
    pub(crate) names: Names,
}

/// A conversation with iAdvize's own operators or bots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Conversation {
    /// When it was first heard of.
    pub(crate) began_at: EpochMillis,
    /// When something was last heard of it.
    pub(crate) last_at: EpochMillis,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) closed_at: Option<EpochMillis>,
    /// The channel, in iAdvize's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) channel: Option<String>,
    /// The operator who had it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) operator: Option<u64>,
}

/// What a record says, if it is there and has not ended, and the `rev` to change it with.
pub(crate) fn opened<T: DeserializeOwned>(record: Option<Record>, now: EpochMillis) -> Result<(Option<T>, u64), Problem> {
    let Some(record) = record else { return Ok((None, 0)) };
    if record.ends_at.is_some_and(|end| end <= now) {
        return Ok((None, record.rev));
    }
    let value = serde_json::from_str(&record.body).map_err(|_| AppError::Internal("a stored record cannot be read"))?;
    Ok((Some(value), record.rev))
}

/// A change of a record that ends then.
pub(crate) fn change(key: RecordKey, rev: u64, value: &impl Serialize, ends_at: EpochMillis) -> Result<RecordChange, Problem> {
    let body = serde_json::to_string(value).map_err(|_| AppError::Internal("a record that cannot be written"))?;
    Ok(RecordChange { key, rev, body, ends_at: Some(ends_at) })
}
