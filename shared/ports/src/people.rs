//! What people have said to a tenant: outlines of their conversations, and the words.
//!
//! There is no index of persons, which would cost every message a write. A conversation's id follows from the account and from
//! how the visitor is named there ([`ConversationId::derive`]), so whoever knows a name asks for the conversations it can have.

use async_trait::async_trait;
use chat::{Attendant, Direction, Sentence, SentenceKind, State};
use model::{AccountId, Author, Conversation, ConversationId, EpochMillis, Message, TenantId};

use crate::{ChatRecord, PortError};

/// What there is of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Which. That of a chat which its visitor's thread leads to is not the one that was asked for.
    pub conversation: ConversationId,
    /// Whose.
    pub tenant: TenantId,
    /// The account the visitor comes through.
    pub visitor: AccountId,
    /// The account whose staff answers; `None` if none does yet.
    pub desk: Option<AccountId>,
    /// When something was last said or done in it.
    pub last_at: EpochMillis,
    /// Its chat; `None` for one of messages, which has no end.
    pub chat: Option<ChatOutline>,
}

impl Outline {
    /// Of a chat.
    #[must_use]
    pub fn of_chat(ChatRecord { chat, desk, .. }: ChatRecord) -> Self {
        let (closed_at, attendant) = match &chat.state {
            State::Closed { at, attended_by, .. } => (Some(*at), attended_by.as_ref()),
            State::Answered { by } => (None, Some(by)),
            State::Pilot | State::Icr { .. } | State::Waiting { .. } | State::Alerting { .. } => (None, None),
        };
        let attendant = attendant.and_then(|attendant| match attendant {
            Attendant::Agent(agent) => Some(agent.name.clone()),
            Attendant::Staff(staff) => staff.name.clone(),
        });
        let times = [closed_at, chat.answered_at, chat.spoke_at, Some(chat.waiting_from)];
        Self {
            conversation: chat.conversation(),
            tenant: chat.tenant,
            visitor: chat.gateway,
            desk,
            last_at: times.into_iter().flatten().fold(chat.created_at, EpochMillis::max),
            chat: Some(ChatOutline { began_at: chat.created_at, closed_at, attendant }),
        }
    }

    /// Of a conversation of messages.
    #[must_use]
    pub fn of_messages(conversation: Conversation) -> Self {
        Self {
            conversation: conversation.id,
            tenant: conversation.tenant,
            visitor: conversation.visitor.account,
            desk: conversation.desk,
            // A place is the time at which it was taken.
            last_at: EpochMillis::new(i64::try_from(conversation.last_seq).unwrap_or_default()),
            chat: None,
        }
    }
}

/// What there is of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatOutline {
    /// When it began.
    pub began_at: EpochMillis,
    /// When it was closed; `None` while it goes on.
    pub closed_at: Option<EpochMillis>,
    /// Who converses or conversed, by the name that visitors see.
    pub attendant: Option<String>,
}

/// Something that was said.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: EpochMillis,
    /// By which side.
    pub by: Author,
    /// The text. Personal data.
    pub text: String,
}

impl Line {
    /// What a sentence of a chat says, if it is something that somebody said.
    #[must_use]
    pub fn of_sentence(Sentence { kind, direction, sent_at, text, .. }: Sentence) -> Option<Self> {
        let by = match direction {
            Direction::Inbound => Author::Visitor,
            Direction::Outbound => Author::Desk,
        };
        (kind == SentenceKind::Text).then_some(Self { at: sent_at, by, text })
    }

    /// What a message says.
    #[must_use]
    pub fn of_message(message: Message) -> Self {
        Self { at: message.sent_at, by: message.author, text: message.content.text }
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("at", &self.at).field("by", &self.by).finish_non_exhaustive()
    }
}

/// Conversations as somebody looks at them who has no part in them.
#[async_trait]
pub trait People: Send + Sync {
    /// Those of the conversations that are there, the newest first. One call per fifty of them, one more if a thread leads
    /// elsewhere.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn outlines(&self, conversations: &[ConversationId]) -> Result<Vec<Outline>, PortError>;

    /// The last `limit` texts of a conversation, or of its current chat, the oldest first. Notes among staff are none of them.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn said(&self, conversation: ConversationId, limit: usize) -> Result<Vec<Line>, PortError>;

    /// The last `limit` messages of a conversation of messages at places below `before`, the oldest first, with all that is kept of
    /// them.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn messages(&self, conversation: ConversationId, before: Option<u64>, limit: usize) -> Result<Vec<Message>, PortError>;
}
