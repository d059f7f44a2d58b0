//! The outbound seam: how a platform's crate delivers, without doing any I/O itself.
//!
//! A delivery to some platforms is one call, to others a conversation of several (token, contact, session, message).
//! Both are an [`Exchange`]: a small machine that is given what came back and says what to do next. Whoever drives it
//! makes the calls, keeps the time and writes the results down.

use std::time::Duration;

use model::{
    Account, AccountId, Acknowledgement, Conversation, Delivery, DeliveryContent, DeliveryPolicy, EpochMillis, Grant, Memo,
    Message, RemoteStatus, RemoteThread, StoredGrant,
};
use serde_json::Value;

use crate::{CallFailure, HttpAnswer, HttpCall};

/// Everything an exchange may look at.
#[derive(Clone)]
pub struct Job {
    /// The recipient.
    pub account: Account,
    /// The recipient's secrets as stored, for the platform's crate to read.
    pub secrets: Value,
    /// The conversation.
    pub conversation: Conversation,
    /// The message, or the message a receipt is about.
    pub message: Message,
    /// The delivery.
    pub delivery: Delivery,
    /// The recipient's thread, if one is bound.
    pub thread: Option<RemoteThread>,
    /// Last status heard of the recipient's installation as a whole.
    pub installation: Option<RemoteStatus>,
}

/// Everything that telling somebody about typing may look at.
#[derive(Clone)]
pub struct TypingJob {
    /// Who is told.
    pub account: Account,
    /// Their secrets as stored, for the platform's crate to read.
    pub secrets: Value,
    /// Their thread.
    pub thread: RemoteThread,
    /// Whether the visitor is typing, or has stopped.
    pub is_typing: bool,
}

/// What an exchange is resumed with.
#[derive(Debug)]
pub enum Input {
    /// Nothing yet: begin.
    Start,
    /// The result of the call it asked for.
    Answered(Result<HttpAnswer, CallFailure>),
    /// The thread it asked to bind is stored. The status is the one it gave, or a later one that had arrived before.
    Bound(RemoteStatus),
    /// What came of what it asked for about a grant.
    Grant(GrantSeen),
}

/// What came of a [`GrantStep`], in the same order.
#[derive(Debug)]
pub enum GrantSeen {
    /// The grant as it is; `None` if there never was one.
    Read(Option<StoredGrant>),
    /// Whether the right to renew it was taken.
    Begun(bool),
    /// Whether it was replaced.
    Kept(bool),
}

/// What an exchange wants next.
#[derive(Debug)]
pub enum Step {
    /// Make this call.
    Call(HttpCall),
    /// Store durably that this thread stands for the conversation, replacing an earlier one.
    Bind {
        /// The platform's id of the thread.
        id: String,
        /// Its status as far as the exchange knows.
        status: RemoteStatus,
        /// What the platform's crate wants to find again.
        memo: Memo,
    },
    /// Do this with a grant.
    Grant(GrantStep),
    /// The attempt is over.
    Finish(Outcome),
}

/// What an exchange wants to do with a grant, by its name. The tokens in it are sealed by the platform's crate.
#[derive(Debug)]
pub enum GrantStep {
    /// Read it.
    Read {
        /// Which.
        name: String,
    },
    /// Take the right to renew it, if it has not changed and nobody has the right.
    BeginRenewal {
        /// Which.
        name: String,
        /// Its `rev` as read, 0 if it was not there.
        rev: u64,
        /// When the right ends by itself.
        until: EpochMillis,
    },
    /// Replace it, if it has not changed, which also ends the right to renew it.
    Keep {
        /// Which.
        name: String,
        /// Its `rev` as read, 0 if it was not there.
        rev: u64,
        /// What it is now.
        grant: Grant,
    },
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The recipient has it.
    Acknowledged {
        /// The recipient's own id of it.
        reference: Option<String>,
    },
    /// Handed over; the acknowledgement comes separately. Acknowledgements that came in the answer, possibly about
    /// other messages, are listed.
    Pushed {
        /// Acknowledgements in the answer.
        acknowledgements: Vec<Acknowledgement>,
        /// What else the recipient said in its answer, for whoever hears its requests; short enough for a queue. Holds
        /// personal data.
        said: Option<String>,
    },
    /// No usable answer: it may or may not have arrived.
    Unanswered {
        /// The recipient's wish when to come again.
        retry_after: Option<Duration>,
        /// A short reason without personal data, for log and story.
        reason: String,
    },
    /// The transport refused the push (4xx): the attempt is over, another may follow.
    Refused {
        /// HTTP status.
        status: u16,
    },
    /// The recipient's platform is not to be called for now: the attempt does not count.
    PutOff {
        /// When to come again, if that is known.
        retry_after: Option<Duration>,
        /// A short reason without personal data, for log and story.
        reason: String,
    },
    /// What it is about is no longer there at the recipient, and nothing is lost with it.
    Gone {
        /// What the recipient said; may hold personal data.
        detail: String,
    },
    /// The recipient will never take it, nor anything else: its installation is gone for good.
    Uninstalled {
        /// What the recipient said; may hold personal data.
        detail: String,
    },
    /// The recipient will never take it.
    Rejected {
        /// What it said; may hold personal data.
        detail: String,
    },
    /// The recipient's thread or installation is not ready.
    Parked {
        /// When to look again if nothing wakes the delivery.
        until: EpochMillis,
        /// A short reason, for log and story.
        reason: &'static str,
    },
    /// The recipient's platform does not let us in for this account, and somebody has to see to it. The delivery waits.
    Unauthorised {
        /// When to look again.
        until: EpochMillis,
        /// A short reason, for log and story.
        reason: &'static str,
        /// Found out by this attempt; nobody has been told yet.
        is_news: bool,
    },
}

/// One attempt at one delivery.
pub trait Exchange: Send {
    /// Goes on with what came back.
    fn resume(&mut self, input: Input, now: EpochMillis) -> Step;
}

/// How often an account's platform may be called, and what shares that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// The same for all whose calls count together. Opaque; holds no secret.
    pub key: String,
    /// Calls in any second, at least 1.
    pub per_second: u32,
}

/// What a platform can express. Defaults to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// Wants to hear what became of the messages its people wrote.
    pub receipts: bool,
}

/// On what terms a platform takes deliveries. Apart from [`Outbound`], so that whoever only judges a delivery does not link
/// what makes one.
pub trait Terms: Send + Sync {
    /// The schedule for this kind of delivery to this account.
    fn policy(&self, content: DeliveryContent) -> DeliveryPolicy;

    /// What the platform can express.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
}

/// A platform as a recipient. Object-safe: the registry hands out one per platform.
pub trait Outbound: Terms {
    /// The name under which the status of the account's installation is stored, if the platform has such a thing.
    fn installation(&self, account: &Account) -> Option<String> {
        let _ = account;
        None
    }

    /// The account to which the platform names the threads of this one: another one if the platform calls both under one
    /// address.
    fn threads_of(&self, account: &Account) -> AccountId {
        account.id.clone()
    }

    /// The way a message goes on the platform, if there are several. Asked before the first attempt and kept with the
    /// delivery, so that every attempt goes the same way.
    fn route(&self, account: &Account, message: &Message) -> Option<String> {
        let _ = (account, message);
        None
    }

    /// Whether the account polls for what it is to get: then it is not called, and what waits for it is [`Self::offered`].
    fn is_polled(&self, account: &Account) -> bool {
        let _ = account;
        false
    }

    /// The delivery as it waits in the stream of an account that polls, whatever its place there and the time at which it is
    /// fetched. Its state names the attempt. `None` if it cannot be put into words: an attempt says why.
    fn offered(&self, job: &Job) -> Option<Vec<u8>> {
        let _ = job;
        None
    }

    /// The pace that calls for this account keep; `None` for any.
    fn pace(&self, account: &Account, secrets: &Value) -> Option<Pace> {
        let _ = (account, secrets);
        None
    }

    /// Whether a call counts for the account's pace.
    fn is_paced(&self, call: &HttpCall) -> bool {
        let _ = call;
        true
    }

    /// Begins an attempt.
    fn exchange(&self, job: Job) -> Box<dyn Exchange>;

    /// Tells the account's people that a visitor is typing, or has stopped: one attempt, and soon over. `None` if the platform
    /// has no way to say it, or the thread is not ready.
    fn typing(&self, job: TypingJob) -> Option<Box<dyn Exchange>> {
        let _ = job;
        None
    }
}
