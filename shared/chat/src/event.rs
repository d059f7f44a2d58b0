//! What can happen to a chat, what is done because of it, and why something is refused.

use std::ops::RangeInclusive;

use model::{AccountId, ConversationId, EpochMillis, TenantId};
use serde::{Deserialize, Serialize};

use crate::gate::Signal;
use crate::{
    Agent, AttachedForm, Attendant, Chat, ChatVisitor, Confirm, Desk, Robot, Said, Sentence, SentenceId, Staff, State, TrackingId,
};

/// What the store knows of the prepared chat that a start names (4.2, `ReturnChatId`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returning {
    /// The start names none.
    No,
    /// There is none of that id.
    Unknown,
    /// This one.
    Chat(Box<Chat>),
}

/// `ES_CHAT_START`, or a visitor who opens the chat of a web site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The conversation of a first chat; a chat that follows another stays in the other's.
    pub conversation: ConversationId,
    /// Whose gateway it is.
    pub tenant: TenantId,
    /// The gateway.
    pub gateway: AccountId,
    /// The connector's id of the thread.
    pub tracking: TrackingId,
    /// What it says about the visitor; what it leaves out stays as it is known.
    pub visitor: ChatVisitor,
    /// The form that came with it, its answers stored or merged into those that were attached.
    pub form: Option<AttachedForm>,
    /// What the gate says to a new chat ([`crate::gate::signal`]).
    pub signal: Signal,
    /// The prepared chat it wants to enter.
    pub returning: Returning,
}

/// What the conditions chose for a new chat (5.1 rows 9 to 11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A script converses first.
    Script(Robot),
    /// A desk answers.
    Desk(Desk),
    /// None of them matched.
    Nothing,
}

/// Something that happens to a chat. The contract's messages are named where one stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `ES_CHAT_REQUEST`: would a chat be answered?
    Request {
        /// What the gate says.
        signal: Signal,
    },
    /// `ES_CHAT_START`.
    Start(Box<Start>),
    /// `ES_CHAT_STOP`.
    VisitorStops,
    /// `ES_CHAT_TYPING`.
    VisitorTypes {
        /// Whether the visitor is typing, or has stopped.
        is_typing: bool,
    },
    /// `ES_CHAT_SENTENCE`.
    VisitorSpeaks(Said),
    /// `ES_CHAT_CONFIRM`.
    VisitorConfirms(Confirm),
    /// `ES_CHAT_STATUS`.
    VisitorAsks,
    /// `ES_SCENARIO_SAVE` for this chat: a form was filled in, and its answers are stored. A closed chat takes it too, as
    /// visitors are asked how they were served.
    FormFilled(AttachedForm),

    /// The desk's distribution chose an agent.
    AgentOffered(Agent),
    /// `CS_CHAT_ANSWER`.
    AgentAnswers(Agent),
    /// `CS_CHAT_HANGUP`.
    AgentHangsUp(Agent),
    /// `CS_CHAT_RETURN` (section 12).
    AgentReturns(Agent),
    /// `CS_CHAT_SPAM` (section 12).
    AgentMarksSpam(Agent),
    /// `CS_CHAT_STATUS`.
    AgentAsks(Agent),
    /// `CS_CHAT_TYPING`, or another platform's staff typing.
    DeskTypes {
        /// Who.
        from: Attendant,
        /// Whether they are typing, or have stopped.
        is_typing: bool,
    },
    /// `CS_CHAT_SENTENCE`, or another platform's staff writing.
    DeskSpeaks {
        /// Who.
        from: Attendant,
        /// What they say.
        said: Said,
    },
    /// `CS_CHAT_CONFIRM`, or another platform's receipt.
    DeskConfirms(Confirm),
    /// Another platform's staff ended the conversation.
    StaffCloses(Staff),

    /// The conditions of a new chat were evaluated.
    ConditionsDecided(Decision),
    /// The script comes to a node, where it will ask the visitor something.
    ScriptMoves(String),
    /// The script says something.
    ScriptSpeaks(Said),
    /// The script hands over to people.
    ScriptHandsOver(Desk),
    /// The script ends the chat.
    ScriptEnds,
    /// A rule of waiting says something: a note or a panel.
    WaitingRuleSpeaks(Said),
    /// A rule or an attendant gives the chat to another desk. The transcript stays.
    HandOver(Desk),
    /// Time passed: a timer fired, or the sweep came by. Does what is due, and nothing if nothing is.
    Tick,
}

/// Somebody who is told something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Party {
    /// The external application that the visitor uses (E).
    Visitor,
    /// An agent's client (C).
    Agent(Agent),
    /// Another platform's staff.
    Staff(AccountId),
    /// The script, or whoever runs the rules of waiting.
    Script,
}

impl From<&Attendant> for Party {
    fn from(attendant: &Attendant) -> Self {
        match attendant {
            Attendant::Agent(agent) => Self::Agent(agent.clone()),
            Attendant::Staff(staff) => Self::Staff(staff.account.clone()),
        }
    }
}

/// Something to be done. The effects of a step are in order: for each event first what is stored, then the answer to the
/// sender, then what goes to the visitor, then what goes to the desk (5.1), and at the end what begins new work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Write a sentence down, under its name (chat, direction, id, text, kind), which must not exist, and, unless its
    /// counter is 0, into the transcript.
    Store(Sentence),
    /// Set the confirmation of sentence number `counter`.
    StoreConfirm {
        /// Its place in the transcript.
        counter: u64,
        /// When it was confirmed.
        at: EpochMillis,
    },
    /// From now on this thread of the gateway leads to the conversation of the step's chat, not to the one derived from it.
    Bind(TrackingId),
    /// For diagnosis only: a sender uses an id again for something else (5.2).
    IdReused(SentenceId),

    /// `SE_CHAT_RESPONSE`.
    Respond {
        /// What the gate says.
        signal: Signal,
    },
    /// `SE_CHAT_STATUS`, `SC_CHAT_STATUS`. What it does not hold is in the step's chat.
    Status {
        /// To whom.
        to: Party,
        /// Where the chat stood.
        state: State,
        /// `DeadTimeUtc` at that time.
        dead_at: Option<EpochMillis>,
        /// The counters of the sentences to fill in, possibly none; `None` leaves `Sentences` out (5.4).
        sentences: Option<RangeInclusive<u64>>,
    },
    /// `SE_CHAT_SENTENCE`, `SC_CHAT_SENTENCE` to the sentence's own sender.
    Echo {
        /// Its sender.
        to: Party,
        /// As it was stored.
        sentence: Sentence,
    },
    /// `SE_CHAT_SENTENCE`, `SC_CHAT_SENTENCE` to the other side.
    Deliver {
        /// The other side.
        to: Party,
        /// As it was stored.
        sentence: Sentence,
    },
    /// `SE_CHAT_CONFIRM`, `SC_CHAT_CONFIRM`.
    Confirmed {
        /// The side that wrote the sentence.
        to: Party,
        /// The sentence.
        id: SentenceId,
        /// When it was confirmed.
        at: EpochMillis,
    },
    /// `SE_CHAT_TYPING`, `SC_CHAT_TYPING`. Worth nothing ten seconds later.
    Typing {
        /// The other side.
        to: Party,
        /// Whether somebody is typing, or has stopped.
        is_typing: bool,
    },
    /// `SC_CHAT_ALERT`.
    Alert {
        /// To whom.
        to: Agent,
        /// The first instant at which the offer is over.
        until: EpochMillis,
    },
    /// `SC_CHAT_ALERT_END`.
    AlertEnd {
        /// To whom.
        to: Agent,
    },
    /// Give another platform's staff what was said before the chat became theirs.
    Transcript {
        /// Whose staff.
        to: AccountId,
        /// The counters of the sentences.
        sentences: RangeInclusive<u64>,
    },

    /// Evaluate the conditions, and say so with [`Event::ConditionsDecided`].
    DecideConditions,
    /// Let the script begin.
    StartScript,
    /// Evaluate the rules of waiting ([`crate::waiting`]); what they say comes back as [`Event::WaitingRuleSpeaks`], and where
    /// they give the chat as [`Event::HandOver`].
    RunWaitingRules {
        /// Since when the visitor waits.
        from: EpochMillis,
        /// Until when they were evaluated before.
        seen: EpochMillis,
    },
    /// Choose an agent ([`crate::desk::choose`]), and say so with [`Event::AgentOffered`].
    Distribute,
    /// Send [`Event::Tick`] at this instant or soon after it. Earlier timers may stay: an early tick does nothing.
    SetTimer(EpochMillis),
}

/// Why something is not done (10.6). Stored by the contract's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// A new chat would not be answered.
    #[error("no chat can be started now")]
    GateClosed,
    /// There is no such chat here.
    #[error("the chat is not known")]
    UnknownChat,
    /// The chat belongs to another thread, or is no longer where the event expects it.
    #[error("the chat is not in a state for this")]
    Conflict,
    /// The chat is over.
    #[error("the chat is closed")]
    ChatClosed,
    /// Somebody else has the chat.
    #[error("the chat is not with this agent")]
    NotYourChat,
    /// The agent comes too late.
    #[error("the offer is over")]
    AlertOver,
}

impl Refusal {
    /// The contract's code (10.6).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GateClosed => "GateClosed",
            Self::UnknownChat => "UnknownChat",
            Self::Conflict => "Conflict",
            Self::ChatClosed => "ChatClosed",
            Self::NotYourChat => "NotYourChat",
            Self::AlertOver => "AlertOver",
        }
    }
}

/// What a step comes to.
///
/// A refused event may still change the chat and send something: a deadline that had passed before it is applied first,
/// and 5.1 row 32 answers with a status and an error. So there is one outcome with both, not one of two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The chat as it is to be stored: changed if its `rev` is not the one that was read, new if its id is not. `None` when
    /// there is none.
    pub chat: Option<Chat>,
    /// The chat that was current before, if the step changed it and another one is current now; to be stored too.
    pub replaced: Option<Chat>,
    /// What is to be done, in order.
    pub effects: Vec<Effect>,
    /// The answer to the sender, if it is no.
    pub refusal: Option<Refusal>,
}
