//! Chats: what happens when a visitor, an agent or the time moves one (FrontStage contract, section 5).
//!
//! One turn is: read the chat, let [`chat::step`] say what the event means, do in memory what it begins (conditions,
//! distribution), reserve numbers in the streams of everybody who is told something, put it into their words, store all of
//! it in one transaction. Whoever loses a race begins again. Then come timers, and chats that wait for an agent who has
//! become free.

mod cause;
mod commit;
mod desk;
mod forms;
mod list;
mod look;
mod push;
mod registers;
mod rules;
mod staff;
mod time;
mod turn;
mod visit;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chat::desk::AgentView;
use chat::gate::{GateRules, Signal};
use chat::script::Script;
use chat::waiting::WaitingRules;
use chat::{
    Agent, ChatId, ChatVisitor, Draft, Effect, FormAnswer, FormId, Policy, Refusal, ResultId, Sentence, SentenceId, Skill,
    TrackingId,
};
use model::{AccountId, EpochMillis, Memo};
use ports::{ChatRecord, ChatTimers, Chats, Clock, Guard, OnceKey, PushQueue, ResultTask, StreamEntry};
use uuid::Uuid;

pub use cause::conversation_of;
pub use desk::{log_in, log_out, note_poll};
pub use forms::{SavedForm, has_result, save_form};
pub use list::{agent_list, gateway_configuration, gateway_list, read_stream, tell_gateway};
pub use look::{unconfirmed, visitor_chat};
pub use push::{PushCtx, PushTarget, Pushed, push, sweep_pushes};
pub use registers::{ReadRegister, Register, note_asked, sweep_registers};
pub use rules::{PrepareError, prepare};
pub use staff::{HandedOver, hand_over, say, staff_did, staff_types};
pub use time::{sweep, tick};
pub use visit::{agent_event, ask_gate, visitor_event};

use crate::AppError;

/// What the use cases of chats need.
#[derive(Clone)]
pub struct ChatCtx {
    /// What is kept.
    pub chats: Arc<dyn Chats>,
    /// Timers, and the queue of what other platforms' staff is told.
    pub timers: Arc<dyn ChatTimers>,
    /// Where streams that have something to push are announced.
    pub pushes: Arc<dyn PushQueue>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What configuration says.
    pub plans: Arc<dyn Plans>,
    /// How long what is said in a chat, and what is filled in, is kept (section 12, "Data retention").
    pub kept: Duration,
}

/// Finds what configuration says about the chats of a gateway, as it is now.
#[async_trait]
pub trait Plans: Send + Sync {
    /// The plan of a gateway; `None` if nobody configured chats for it.
    ///
    /// # Errors
    /// [`AppError`] when it cannot be read.
    async fn plan(&self, gateway: &AccountId) -> Result<Option<Arc<ChatPlan>>, AppError>;

    /// The plan of a gateway for those of its chats that this desk has, whichever desk has the new ones. [`ChatPlan::desk`]
    /// is `None` if no desk of the gateway's tenant is of this name.
    ///
    /// # Errors
    /// [`AppError`] when it cannot be read.
    async fn plan_at(&self, gateway: &AccountId, desk: &AccountId) -> Result<Option<Arc<ChatPlan>>, AppError>;
}

/// What configuration says about the chats of one gateway.
pub struct ChatPlan {
    /// The rules of its chats.
    pub policy: Policy,
    /// The rules of its gate (5.6).
    pub gate: GateRules,
    /// What an agent must know for its chats, where the gate's rules do not say it. Without any, our own agents are given
    /// none.
    pub skill: Option<Skill>,
    /// Who answers.
    pub desk: Option<DeskPlan>,
    /// Other desks that the script or the rules of waiting give chats to.
    pub others: Vec<DeskPlan>,
    /// Who converses before people do (5.1 row 9).
    pub script: Option<Script>,
    /// What happens while nobody is free (5.1 row 14).
    pub waiting_rules: WaitingRules,
    /// For how long its lists name chats that are closed (5.5, `ListRecentlyClosed`); `None` = not at all.
    pub list_recently: Option<Duration>,
    /// Whether its connector is pushed its stream, instead of fetching it.
    pub is_pushed: bool,
    /// The words in which its connector, and the agents who have its chats, are told what happens.
    pub words: Arc<dyn ChatWords>,
}

/// Who answers the chats of a gateway.
pub struct DeskPlan {
    /// The desk's account.
    pub account: AccountId,
    /// Our own agents as they are configured, presence and number of chats left blank; `None` for another platform's staff.
    pub agents: Option<Vec<AgentView>>,
    /// Whether it is within opening hours.
    pub is_open: bool,
    /// How visitors see another platform's staff, if they are told a name. Agents of our own have theirs.
    pub staff_name: Option<String>,
}

/// The words of those who are told something. No I/O.
pub trait ChatWords: Send + Sync {
    /// The body of an entry in the stream of `telling.to`; `None` only if the receiver is not configured any more.
    fn tell(&self, telling: &Telling<'_>) -> Option<Bytes>;

    /// Whether `to` is told anything at all. A browser is not: it looks at the chat itself, so its gateway needs no stream.
    fn is_told(&self, _to: Listener<'_>) -> bool {
        true
    }
}

/// Somebody is told something.
#[derive(Debug, Clone, Copy)]
pub struct Telling<'a> {
    /// Who.
    pub to: Listener<'a>,
    /// What.
    pub news: News<'a>,
    /// Its number in the stream. Together with the stream it is unique, so an id of the message can be derived from it.
    pub seq: u64,
    /// When it happened.
    pub at: EpochMillis,
    /// The envelope it answers.
    pub in_reply_to: Option<Uuid>,
}

/// Somebody who has a stream.
#[derive(Debug, Clone, Copy)]
pub enum Listener<'a> {
    /// A gateway's connector.
    Gateway(&'a AccountId),
    /// An agent's client.
    Agent {
        /// The desk.
        desk: &'a AccountId,
        /// The agent.
        agent: &'a Agent,
    },
}

/// What there is to tell.
#[derive(Debug, Clone, Copy)]
pub enum News<'a> {
    /// `SE_CHAT_RESPONSE`: whether a chat would be answered.
    Response {
        /// The thread that was asked about.
        tracking: &'a TrackingId,
        /// Yes or no.
        signal: Signal,
        /// The visitor's language.
        culture: Option<&'a str>,
    },
    /// What the asker wants to know of the configuration: the words know what.
    Configuration,
    /// `SE_CHAT_LIST`, `SC_CHAT_LIST`: the chats of the asker, possibly none.
    List(&'a [ChatRecord]),
    /// Something about one chat.
    Chat {
        /// What: an effect that is addressed to [`Telling::to`].
        effect: &'a Effect,
        /// The chat as the effect found it.
        record: &'a ChatRecord,
        /// The sentences that the effect asks for, by counter.
        transcript: &'a [Sentence],
    },
}

/// How an asker is answered.
#[derive(Debug, Clone, Default)]
pub struct Asking {
    /// The id of the envelope.
    pub in_reply_to: Option<Uuid>,
    /// Whether the answers go to the stream only (10.2, `respond-async`).
    pub is_async: bool,
    /// Conditions, such as the nonce. Whatever comes of the envelope, they are remembered.
    pub guards: Vec<Guard>,
    /// Under which name the answer is kept, so that the same envelope again gets the same answer (10.7).
    pub kept: Option<Keep>,
}

/// The name under which an answer is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// The envelope's name.
    pub key: OnceKey,
    /// Hash of what it says.
    pub fingerprint: String,
}

/// What became of an envelope.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatOutcome {
    /// It was dealt with.
    Done(Handled),
    /// A guard was used before: the request is a repetition of somebody else's making.
    Replayed,
    /// The same envelope id was used for something else (10.6, `IdReused`).
    IdReused,
}

/// An envelope that was dealt with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Handled {
    /// The answers, in order. None where they go to the stream only.
    pub answers: Vec<StreamEntry>,
    /// Whether it had been dealt with before: the answers are those of then.
    pub is_duplicate: bool,
    /// If it was refused, why. There may be answers all the same (5.1 row 32).
    pub refusal: Option<Refusal>,
    /// The chat as it is now, for those who are told nothing and look at it themselves. `None` where there is none, or it
    /// was not looked at.
    pub chat: Option<Arc<ChatRecord>>,
}

/// What a connector asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VisitorAct {
    /// `ES_CHAT_REQUEST`.
    Request {
        /// What it says about the visitor.
        visitor: ChatVisitor,
        /// What external logic found out.
        ext_response: Option<String>,
    },
    /// `ES_CHAT_START`.
    Start {
        /// What it says about the visitor.
        visitor: ChatVisitor,
        /// What external logic found out.
        ext_response: Option<String>,
        /// The form that came with it, stored with the chat. Where the chat has the same form already, it is merged into that
        /// one (5.1 row 6).
        form: Option<FilledForm>,
        /// The prepared chat it names.
        enters: Enters,
    },
    /// `ES_CHAT_STOP`.
    Stop,
    /// `ES_CHAT_TYPING`.
    Types {
        /// Whether the visitor is typing, or has stopped.
        is_typing: bool,
    },
    /// `ES_CHAT_SENTENCE`.
    Speaks(Draft),
    /// `ES_CHAT_CONFIRM`.
    Confirms(SentenceId),
    /// `ES_CHAT_STATUS`.
    Asks,
}

/// A form as a visitor filled it in. The caller has checked it against the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilledForm {
    /// The id it gets if it becomes a result of its own. The same for a repetition of the same request.
    pub id: ResultId,
    /// The stored result that it changes, if it names one.
    pub changes: Option<ResultId>,
    /// The form.
    pub form: FormId,
    /// What was answered. Personal data.
    pub answers: Vec<FormAnswer>,
    /// What else the platform's crate keeps of it.
    pub memo: Memo,
    /// What is to be done because of it.
    pub task: Option<ResultTask>,
    /// When it was filled in, as the sender says.
    pub filled_at: EpochMillis,
}

/// The prepared chat a start names (4.2, `ReturnChatId`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Enters {
    /// None.
    #[default]
    None,
    /// An id that no chat of ours can have.
    Unknown,
    /// This one.
    Chat(ChatId),
}

/// What an agent's client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentAct {
    /// `CS_CHAT_ANSWER`.
    Answers,
    /// `CS_CHAT_HANGUP`.
    HangsUp,
    /// `CS_CHAT_RETURN`.
    Returns,
    /// `CS_CHAT_SPAM`.
    MarksSpam,
    /// `CS_CHAT_STATUS`.
    Asks,
    /// `CS_CHAT_TYPING`.
    Types {
        /// Whether the agent is typing, or has stopped.
        is_typing: bool,
    },
    /// `CS_CHAT_SENTENCE`.
    Speaks(Draft),
    /// `CS_CHAT_CONFIRM`.
    Confirms(SentenceId),
}

/// What another platform's staff does in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StaffAct {
    /// They write.
    Speaks(Draft),
    /// They type, or have stopped.
    Types {
        /// Whether they are typing.
        is_typing: bool,
    },
    /// They have been shown a sentence of the visitor.
    Has(SentenceId),
    /// They end the conversation.
    Ends {
        /// When they did.
        at: EpochMillis,
    },
}
