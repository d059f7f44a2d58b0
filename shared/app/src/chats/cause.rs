//! Why a turn happens, and who is answered.

use std::sync::Arc;
use std::time::Duration;

use chat::{Agent, ChatId, Desk, Direction, Effect, SentenceId, TrackingId};
use model::{Account, AccountId, ConversationId, EpochMillis};
use ports::{ChatRecord, StreamKey};

use super::{AgentAct, ChatCtx, ChatPlan, FilledForm, StaffAct, VisitorAct};
use crate::AppError;

/// How much later than a visitor on another platform wrote it something is said in their chat at most, the difference of clocks
/// included.
const ON_ITS_WAY: Duration = Duration::from_secs(15);

/// Why a turn happens.
#[derive(Debug, Clone)]
pub(super) enum Cause<'a> {
    /// The visitor's side did something.
    Visitor { account: &'a Account, tracking: &'a TrackingId, act: &'a VisitorAct },
    /// An agent did something.
    Agent { desk: &'a AccountId, agent: &'a Agent, chat: ChatId, act: &'a AgentAct },
    /// Another platform's staff did something.
    Staff { account: &'a AccountId, conversation: ConversationId, act: &'a StaffAct },
    /// The visitor, who is on another platform, did something, where an instant is given before any chat that began later.
    Away { conversation: ConversationId, act: &'a VisitorAct, at: Option<EpochMillis> },
    /// Somebody gives the chat to another desk, which is the account `to`.
    HandOver { chat: ChatId, to: &'a AccountId, desk: &'a Desk },
    /// A form was filled in for a chat of a gateway.
    Form { gateway: &'a AccountId, chat: ChatId, filled: &'a FilledForm },
    /// A timer that was set for an instant, or the sweep.
    Time { conversation: ConversationId, at: Option<EpochMillis> },
    /// Somebody may be free.
    Offer { conversation: ConversationId },
}

/// The conversation of a thread of a gateway.
#[must_use]
pub fn conversation_of(account: &Account, tracking: &TrackingId) -> ConversationId {
    // Apart from the conversations of messages, whose names are addresses.
    ConversationId::derive(&account.salt, &account.id, &format!("chat:{}", tracking.as_str()))
}

impl Cause<'_> {
    pub(super) fn conversation(&self) -> ConversationId {
        match self {
            Self::Visitor { account, tracking, .. } => conversation_of(account, tracking),
            Self::Agent { chat, .. } | Self::HandOver { chat, .. } | Self::Form { chat, .. } => chat.conversation(),
            Self::Staff { conversation, .. }
            | Self::Away { conversation, .. }
            | Self::Time { conversation, .. }
            | Self::Offer { conversation } => *conversation,
        }
    }

    /// The sentence that it is about, with the direction in which it was said.
    pub(super) const fn sentence(&self) -> Option<(Direction, &SentenceId)> {
        match self {
            Self::Visitor { act: VisitorAct::Speaks(draft), .. } | Self::Away { act: VisitorAct::Speaks(draft), .. } => {
                Some((Direction::Inbound, draft.id()))
            }
            Self::Visitor { act: VisitorAct::Confirms(id), .. } | Self::Away { act: VisitorAct::Confirms(id), .. } => {
                Some((Direction::Outbound, id))
            }
            Self::Agent { act: AgentAct::Speaks(draft), .. } => Some((Direction::Outbound, draft.id())),
            Self::Agent { act: AgentAct::Confirms(id), .. } => Some((Direction::Inbound, id)),
            Self::Staff { act: StaffAct::Speaks(draft), .. } => Some((Direction::Outbound, draft.id())),
            Self::Staff { act: StaffAct::Has(id), .. } => Some((Direction::Inbound, id)),
            Self::Visitor {
                act:
                    VisitorAct::Request { .. }
                    | VisitorAct::Start { .. }
                    | VisitorAct::Stop
                    | VisitorAct::Types { .. }
                    | VisitorAct::Asks,
                ..
            }
            | Self::Away {
                act:
                    VisitorAct::Request { .. }
                    | VisitorAct::Start { .. }
                    | VisitorAct::Stop
                    | VisitorAct::Types { .. }
                    | VisitorAct::Asks,
                ..
            }
            | Self::Agent {
                act:
                    AgentAct::Answers
                    | AgentAct::HangsUp
                    | AgentAct::Returns
                    | AgentAct::MarksSpam
                    | AgentAct::Asks
                    | AgentAct::Types { .. },
                ..
            }
            | Self::Staff { act: StaffAct::Types { .. } | StaffAct::Ends { .. }, .. }
            | Self::HandOver { .. }
            | Self::Form { .. }
            | Self::Time { .. }
            | Self::Offer { .. } => None,
        }
    }

    /// Whether it is about a chat that was over before this one began, or cannot be said in this one any more.
    pub(super) fn is_past(&self, read: &ChatRecord) -> bool {
        let chat = &read.chat;
        match self {
            Self::Staff { act: StaffAct::Ends { at }, .. } => *at < chat.waiting_from,
            // Whoever hands a chat over does not begin another one; the visitor's first words do.
            Self::Away { act: VisitorAct::Stop, at: Some(at), .. } => {
                at.plus(ON_ITS_WAY) < chat.spoke_at.unwrap_or(chat.waiting_from)
            }
            // A note would open a chat again, or be read by whoever has the next one.
            Self::Away { act: VisitorAct::Speaks(_), at, .. } => {
                chat.is_closed() || at.is_some_and(|at| at < chat.spoke_at.unwrap_or(chat.created_at))
            }
            Self::Visitor { .. }
            | Self::Agent { .. }
            | Self::Staff { .. }
            | Self::Away { .. }
            | Self::HandOver { .. }
            | Self::Form { .. }
            | Self::Time { .. }
            | Self::Offer { .. } => false,
        }
    }

    /// The account that it gives the chat to.
    pub(super) const fn gives_to(&self) -> Option<&AccountId> {
        match self {
            Self::HandOver { to, .. } => Some(to),
            Self::Visitor { .. }
            | Self::Agent { .. }
            | Self::Staff { .. }
            | Self::Away { .. }
            | Self::Form { .. }
            | Self::Time { .. }
            | Self::Offer { .. } => None,
        }
    }

    /// The stream of whoever asks.
    pub(super) fn asker(&self) -> Option<StreamKey> {
        match self {
            Self::Visitor { account, .. } => Some(StreamKey::Gateway(account.id.clone())),
            Self::Agent { desk, agent, .. } => Some(StreamKey::Workplace((*desk).clone(), agent.workplace.clone())),
            // What a form stored is answered without a place in the stream, and a visitor elsewhere reads none.
            Self::Staff { .. }
            | Self::Away { .. }
            | Self::HandOver { .. }
            | Self::Form { .. }
            | Self::Time { .. }
            | Self::Offer { .. } => None,
        }
    }

    /// Whether this effect, told to the asker, is the answer that the contract's catalogue promises (3.1, 3.2).
    pub(super) const fn is_answered_by(&self, effect: &Effect) -> bool {
        match self {
            Self::Visitor { act: VisitorAct::Speaks(_), .. } | Self::Agent { act: AgentAct::Speaks(_), .. } => {
                matches!(effect, Effect::Echo { .. })
            }
            Self::Visitor { act: VisitorAct::Start { .. } | VisitorAct::Stop | VisitorAct::Asks, .. }
            | Self::Agent {
                act: AgentAct::Answers | AgentAct::HangsUp | AgentAct::Returns | AgentAct::MarksSpam | AgentAct::Asks,
                ..
            } => {
                matches!(effect, Effect::Status { .. })
            }
            Self::Visitor { act: VisitorAct::Request { .. } | VisitorAct::Types { .. } | VisitorAct::Confirms(_), .. }
            | Self::Agent { act: AgentAct::Types { .. } | AgentAct::Confirms(_), .. }
            | Self::Staff { .. }
            | Self::Away { .. }
            | Self::HandOver { .. }
            | Self::Form { .. }
            | Self::Time { .. }
            | Self::Offer { .. } => false,
        }
    }

    /// The plan of the chat's gateway, at the desk that has the chat, if one has; `None` if the chat is none of the asker's
    /// business, or there is none.
    pub(super) async fn plan(&self, ctx: &ChatCtx, read: Option<&ChatRecord>) -> Result<Option<Arc<ChatPlan>>, AppError> {
        let gateway = match (self, read) {
            (Self::Visitor { account, .. }, _) => &account.id,
            (Self::Agent { desk, chat, .. }, Some(read)) if read.desk.as_ref() == Some(*desk) && read.chat.id == *chat => {
                &read.chat.gateway
            }
            (Self::HandOver { chat, .. }, Some(read)) if read.chat.id == *chat => &read.chat.gateway,
            (Self::Form { gateway, chat, .. }, Some(read)) if read.chat.gateway == **gateway && read.chat.id == *chat => gateway,
            (Self::Staff { .. } | Self::Away { .. } | Self::Time { .. } | Self::Offer { .. }, Some(read)) => &read.chat.gateway,
            (
                Self::Agent { .. }
                | Self::Staff { .. }
                | Self::Away { .. }
                | Self::HandOver { .. }
                | Self::Form { .. }
                | Self::Time { .. }
                | Self::Offer { .. },
                _,
            ) => return Ok(None),
        };
        match read.filter(|read| !read.chat.is_closed()).and_then(|read| read.desk.as_ref()) {
            Some(desk) => ctx.plans.plan_at(gateway, desk).await,
            None => ctx.plans.plan(gateway).await,
        }
    }
}
