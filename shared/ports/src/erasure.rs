//! Erasing a person: whatever is stored about somebody, and what they said (FrontStage contract, section 12).

use std::collections::BTreeSet;
use std::fmt;
use std::ops::AddAssign;

use async_trait::async_trait;
use chat::TrackingId;
use model::{AccountId, ConversationId};

use crate::{PortError, StoredResult};

/// How a person is named on an account. Personal data, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub enum Identity {
    /// The thread of their chats.
    Tracking(TrackingId),
    /// The address they write from.
    Address(String),
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tracking(_) => "Tracking(***)",
            Self::Address(_) => "Address(***)",
        })
    }
}

/// A conversation of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonFound {
    /// Which.
    pub conversation: ConversationId,
    /// The thread of its chat.
    pub tracking: Option<TrackingId>,
    /// Whether its chat is going on.
    pub is_open: bool,
}

/// What is to be erased.
#[derive(Debug, Clone)]
pub struct Erasing<'a> {
    /// The account on which the person is known.
    pub account: &'a AccountId,
    /// Who.
    pub identity: &'a Identity,
    /// Their conversations.
    pub conversations: &'a BTreeSet<ConversationId>,
    /// What the body of a stream's entry holds if it is about one of the conversations: one of these is somewhere in it.
    pub marks: &'a [Vec<u8>],
    /// The same, for the account's own stream only.
    pub own_marks: &'a [Vec<u8>],
    /// Whether it is only counted.
    pub is_dry: bool,
}

impl Erasing<'_> {
    /// Whether a filled-in form is the person's: it is attached to a chat of theirs, or one of its answers is their address.
    #[must_use]
    pub fn is_form(&self, result: &StoredResult) -> bool {
        let has_address = |address: &String| result.answers.iter().any(|answer| answer.text.as_ref() == Some(address));
        result.chat.is_some_and(|chat| self.conversations.contains(&chat.conversation()))
            || (result.gateway == *self.account && matches!(self.identity, Identity::Address(address) if has_address(address)))
    }

    /// Whether an entry of a stream with this body is about the person. `is_own`: the stream is the account's.
    #[must_use]
    pub fn is_about(&self, body: &[u8], is_own: bool) -> bool {
        let own = if is_own { self.own_marks } else { &[] };
        self.marks.iter().chain(own).any(|mark| !mark.is_empty() && body.windows(mark.len()).any(|part| part == mark.as_slice()))
    }
}

/// How much was erased, or would be, by kind. Marks, guards and the like are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Chats.
    pub chats: u64,
    /// Sentences of chats.
    pub sentences: u64,
    /// Conversations.
    pub conversations: u64,
    /// Messages.
    pub messages: u64,
    /// Deliveries of messages, whatever their state.
    pub deliveries: u64,
    /// Filled-in forms.
    pub forms: u64,
    /// Entries of streams, which become empty ones.
    pub entries: u64,
}

impl AddAssign for Erased {
    fn add_assign(&mut self, other: Self) {
        self.chats += other.chats;
        self.sentences += other.sentences;
        self.conversations += other.conversations;
        self.messages += other.messages;
        self.deliveries += other.deliveries;
        self.forms += other.forms;
        self.entries += other.entries;
    }
}

/// Looks through everything that is stored, page by page. What was erased before is not there: doing it again does nothing.
///
/// Nothing of it is indexed by person, as that would cost every message a write; so whoever erases reads it all. A place is
/// where the next page begins, `None` at the beginning and at the end.
#[async_trait]
pub trait Erasure: Send + Sync {
    /// The conversations of a person that the next page holds: chats of their thread or with their address, and
    /// conversations of messages with their address.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn find(
        &self,
        account: &AccountId,
        identity: &Identity,
        from: Option<&str>,
    ) -> Result<(Vec<PersonFound>, Option<String>), PortError>;

    /// Erases what leads to the conversations from elsewhere, as far as the next page holds it: filled-in forms, entries of
    /// streams, names of events, threads, marks in lists, the load of agents.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be erased.
    async fn erase_elsewhere(&self, what: &Erasing<'_>, from: Option<&str>) -> Result<(Erased, Option<String>), PortError>;

    /// Erases a conversation and its chats. What it is found by goes last.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be erased.
    async fn erase_conversation(&self, conversation: ConversationId, is_dry: bool) -> Result<Erased, PortError>;
}
