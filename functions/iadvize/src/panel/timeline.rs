//! What the panel needs to know of a person: a port, and what comes through it.

use std::fmt;

use async_trait::async_trait;
use model::{AccountId, EpochMillis, Platform, TenantId};
use ports::PortError;
use serde::{Serialize, Serializer};

/// A name by which a person is known. Personal data, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub enum PersonKey {
    /// An e-mail address.
    Email(String),
    /// The merchant's id (`idVisitorExternal`).
    External(String),
    /// iAdvize's id (`idVisitorUnique`).
    Visitor(String),
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Email(_) => "Email(***)",
            Self::External(_) => "External(***)",
            Self::Visitor(_) => "Visitor(***)",
        })
    }
}

/// The visitor of a conversation, as webhooks and the customer card left them.
#[derive(Clone, PartialEq, Eq)]
pub struct Known {
    /// By what they are found elsewhere.
    pub keys: Vec<PersonKey>,
    /// What they are called.
    pub name: Option<String>,
}

/// A conversation of a person, on whichever platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spoken {
    /// Its id.
    pub id: String,
    /// Where it is.
    #[serde(serialize_with = "word")]
    pub platform: Platform,
    /// Whether it is going on.
    pub open: bool,
    /// When it began.
    #[serde(serialize_with = "millis")]
    pub began: EpochMillis,
    /// When something was last said.
    #[serde(serialize_with = "millis")]
    pub last: EpochMillis,
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The person.
    Visitor,
    /// Whoever answered them.
    Desk,
    /// Neither.
    System,
}

/// Something that was said.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When.
    #[serde(serialize_with = "millis")]
    pub at: EpochMillis,
    /// By whom.
    pub from: Speaker,
    /// What they are called.
    pub name: Option<String>,
    /// The text.
    pub text: String,
}

/// Persons and what they said. Whoever implements it tells nothing of another tenant.
#[async_trait]
pub trait Timeline: Send + Sync {
    /// The visitor of a conversation of this account, if something has told who it is.
    ///
    /// # Errors
    /// [`PortError`].
    async fn visitor_of(&self, account: &AccountId, conversation: &str) -> Result<Option<Known>, PortError>;

    /// Their conversations, newest first, and `limit` at most.
    ///
    /// # Errors
    /// [`PortError`].
    async fn conversations(&self, tenant: &TenantId, person: &Known, limit: usize) -> Result<Vec<Spoken>, PortError>;

    /// The newest `limit` things that were said in a conversation, the oldest of them first.
    ///
    /// # Errors
    /// [`PortError`].
    async fn lines(&self, tenant: &TenantId, conversation: &str, limit: usize) -> Result<Vec<Line>, PortError>;
}

fn word<S: Serializer>(platform: &Platform, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(platform.as_str())
}

fn millis<S: Serializer>(at: &EpochMillis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(at.millis())
}
