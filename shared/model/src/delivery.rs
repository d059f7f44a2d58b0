//! One message on its way to one recipient: its states, and the only function that moves between them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{AccountId, AckMode, DeliveryPolicy, EpochMillis, IdError, LaneEntry, LaneKey, LaneKind, MessageId, TenantId};

/// What a recipient can report about a message (vcita contract, sections 6 and 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptStatus {
    /// The recipient's platform took it.
    Sent,
    /// It will not arrive.
    Failed,
    /// The recipient cannot be reached at all.
    Unreachable,
    /// Shown to the recipient.
    Delivered,
    /// Seen by the recipient.
    Read,
}

impl ReceiptStatus {
    /// Every status, in rank order.
    pub const ALL: [Self; 5] = [Self::Sent, Self::Failed, Self::Unreachable, Self::Delivered, Self::Read];

    const fn rank(self) -> u8 {
        match self {
            Self::Sent => 2,
            Self::Failed | Self::Unreachable => 3,
            Self::Delivered => 4,
            Self::Read => 5,
        }
    }

    /// Whether this status is news after `earlier`: ranks only rise, and of two of the same rank the first wins.
    #[must_use]
    pub fn supersedes(self, earlier: Option<Self>) -> bool {
        earlier.is_none_or(|e| self.rank() > e.rank())
    }

    /// The statuses that this one supersedes.
    pub fn lower(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |other| self.rank() > other.rank())
    }

    /// The stable word: used in keys and stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }
}

impl fmt::Display for ReceiptStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ReceiptStatus {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or(IdError("receipt status"))
    }
}

/// What is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryContent {
    /// The message itself.
    Message,
    /// The message, said in the chat that its conversation is.
    Chat,
    /// A report about a message the recipient wrote.
    Receipt(ReceiptStatus),
}

/// The name of a delivery: what goes to whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeliveryKey {
    /// The message delivered or reported about.
    pub message: MessageId,
    /// The account that receives.
    pub recipient: AccountId,
    /// The message, where it is said, or a receipt.
    pub content: DeliveryContent,
}

impl DeliveryKey {
    /// The lane the delivery waits in.
    #[must_use]
    pub fn lane(&self) -> LaneKey {
        LaneKey {
            conversation: self.message.conversation(),
            recipient: self.recipient.clone(),
            kind: match self.content {
                DeliveryContent::Message => LaneKind::Messages,
                DeliveryContent::Chat => LaneKind::Chat,
                DeliveryContent::Receipt(_) => LaneKind::Receipts,
            },
        }
    }

    /// The delivery's place in its lane.
    #[must_use]
    pub fn entry(&self) -> LaneEntry {
        LaneEntry {
            seq: self.message.seq(),
            receipt: match self.content {
                DeliveryContent::Message | DeliveryContent::Chat => None,
                DeliveryContent::Receipt(status) => Some(status),
            },
        }
    }
}

impl fmt::Display for DeliveryKey {
    /// `message@platform/key`, with `:status` for a receipt and `:chat` in a chat: the form in logs and for the operator.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.message, self.recipient)?;
        match self.content {
            DeliveryContent::Message => Ok(()),
            DeliveryContent::Chat => f.write_str(":chat"),
            DeliveryContent::Receipt(status) => write!(f, ":{status}"),
        }
    }
}

impl FromStr for DeliveryKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = IdError("delivery id: message@platform/key");
        let (message, rest) = text.split_once('@').ok_or(wrong)?;
        let (recipient, content) = match rest.split_once(':') {
            None => (rest, DeliveryContent::Message),
            Some((recipient, "chat")) => (recipient, DeliveryContent::Chat),
            Some((recipient, status)) => (recipient, DeliveryContent::Receipt(status.parse()?)),
        };
        Ok(Self { message: message.parse()?, recipient: recipient.parse()?, content })
    }
}

/// Why a delivery failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// Every attempt ran out of time.
    NoAcknowledgement,
    /// The last push was refused by the transport.
    Refused,
    /// The recipient said no.
    Rejected,
    /// It grew too old before it could leave.
    Expired,
    /// What it is about is no longer there at the recipient: nothing is lost with it.
    Gone,
}

impl FailureReason {
    /// The stable word: stored, and shown to the operator.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoAcknowledgement => "no_acknowledgement",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Gone => "gone",
        }
    }

    /// Whether a late acknowledgement still turns the failure into a success: only while the recipient itself has not
    /// spoken.
    #[must_use]
    pub const fn yields_to_late_acknowledgement(self) -> bool {
        match self {
            Self::NoAcknowledgement | Self::Refused | Self::Expired => true,
            Self::Rejected | Self::Gone => false,
        }
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DeliveryState {
    /// Stored, not handed over yet.
    Queued,
    /// Cannot be handed over before the recipient's thread is ready; looked at again at `until`.
    Parked {
        /// Attempts that counted so far.
        attempt: u32,
        /// When it is tried again without being woken.
        until: EpochMillis,
    },
    /// In the stream that its recipient polls, not fetched yet: the attempt begins when it is.
    Offered {
        /// Number of the attempt to come, from 1.
        attempt: u32,
        /// It is given up if nobody has fetched it before this instant.
        until: EpochMillis,
    },
    /// Handed over; the outcome is open.
    Sending {
        /// Number of this attempt, from 1.
        attempt: u32,
        /// When it began.
        started_at: EpochMillis,
        /// In time is what arrives at or before this instant.
        deadline: EpochMillis,
        /// Pushes made within this attempt.
        pushes: u32,
        /// When to push again within this attempt.
        next_push: Option<EpochMillis>,
    },
    /// Between two attempts.
    RetryWait {
        /// The attempt that ended.
        attempt: u32,
        /// When the next one begins.
        due: EpochMillis,
    },
    /// Final: the recipient has it.
    Sent {
        /// When we learnt it.
        at: EpochMillis,
    },
    /// Final, but for a late acknowledgement.
    Failed {
        /// When it was given up.
        at: EpochMillis,
        /// Why.
        reason: FailureReason,
    },
}

impl DeliveryState {
    /// Whether nothing more will be done about it.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Sent { .. } | Self::Failed { .. })
    }

    /// The stable word: stored, and the subject of conditional writes.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Parked { .. } => "parked",
            Self::Offered { .. } => "offered",
            Self::Sending { .. } => "sending",
            Self::RetryWait { .. } => "retry_wait",
            Self::Sent { .. } => "sent",
            Self::Failed { .. } => "failed",
        }
    }

    /// When somebody has to look at it next; `None` when it is final.
    #[must_use]
    pub fn next_at(&self) -> Option<EpochMillis> {
        match self {
            Self::Queued | Self::Sent { .. } | Self::Failed { .. } => None,
            Self::Parked { until, .. } | Self::Offered { until, .. } => Some(*until),
            Self::Sending { deadline, next_push, .. } => Some(next_push.unwrap_or(*deadline).min(*deadline)),
            Self::RetryWait { due, .. } => Some(*due),
        }
    }
}

/// A delivery as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// What goes to whom.
    pub key: DeliveryKey,
    /// Whose it is.
    pub tenant: TenantId,
    /// When it was stored.
    pub created_at: EpochMillis,
    /// Counts its changes; every conditional write of a worker names the value it read.
    pub rev: u64,
    /// Where it stands.
    pub state: DeliveryState,
    /// The way it goes on the recipient's platform (a gateway, say), fixed by the first attempt.
    pub route: Option<String>,
    /// The recipient's own id of it.
    pub reference: Option<String>,
    /// What the recipient reported later (delivered, read).
    pub receipt: Option<ReceiptStatus>,
    /// What was reported back to the message's origin.
    pub reported: Option<ReceiptStatus>,
    /// The sentence of a chat that the message is, by its id there: whoever is shown the message has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
}

impl Delivery {
    /// A delivery that has just been accepted.
    #[must_use]
    pub const fn queued(key: DeliveryKey, tenant: TenantId, created_at: EpochMillis) -> Self {
        Self {
            key,
            tenant,
            created_at,
            rev: 0,
            state: DeliveryState::Queued,
            route: None,
            reference: None,
            receipt: None,
            reported: None,
            sentence: None,
        }
    }
}

/// Something that happens to a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryEvent {
    /// A worker wants to begin an attempt.
    HandOver,
    /// A worker wants to put it where its recipient polls.
    Offer,
    /// Its recipient polls, and the answer holds it for the first time.
    Fetched,
    /// A worker wants to repeat the push of the running attempt.
    Repush,
    /// The push got no usable answer: unreachable, 5xx, 408, 429.
    Unanswered {
        /// The recipient's wish when to come again.
        retry_after: Option<Duration>,
    },
    /// The transport refused the push for good (4xx): this attempt is over.
    Refused {
        /// HTTP status.
        status: u16,
    },
    /// The recipient's thread is not ready; the attempt does not count.
    Park {
        /// When to look again.
        until: EpochMillis,
    },
    /// The recipient's platform is not to be called for now; the attempt does not count.
    PutOff {
        /// When to try again.
        until: EpochMillis,
    },
    /// The recipient has it.
    Acknowledged,
    /// The recipient says it will not have it.
    Rejected,
    /// What it is about is no longer there at the recipient.
    Gone,
    /// The timer of this attempt fired, or a reader saw that it is overdue.
    DeadlinePassed {
        /// The attempt the timer was set for.
        attempt: u32,
    },
}

/// What is written into the story of a delivery with a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum StoryEvent {
    /// It waits to be fetched.
    Offered {
        /// The attempt that begins with that.
        attempt: u32,
    },
    /// An attempt began.
    HandedOver {
        /// Its number.
        attempt: u32,
    },
    /// The push of an attempt was repeated.
    PushedAgain {
        /// The attempt.
        attempt: u32,
        /// Pushes so far.
        pushes: u32,
    },
    /// A push got no usable answer.
    Unanswered {
        /// The attempt.
        attempt: u32,
    },
    /// A push was refused.
    Refused {
        /// The attempt.
        attempt: u32,
        /// HTTP status.
        status: u16,
    },
    /// Waits for the recipient's thread.
    Parked,
    /// The recipient's platform was not to be called for a while.
    PutOff,
    /// The recipient has it.
    Acknowledged {
        /// It came after the attempt had been given up.
        late: bool,
        /// It came after the delivery had been given up.
        after_failure: bool,
    },
    /// The recipient said no.
    Rejected {
        /// It came after the delivery had been given up.
        after_failure: bool,
    },
    /// An attempt ran out of time.
    NoAcknowledgement {
        /// The attempt.
        attempt: u32,
        /// It was the last one.
        given_up: bool,
    },
    /// The recipient said something else about a delivery that its first word had settled; that stands.
    Contradicted,
    /// Given up for its age.
    Expired,
    /// Given up because nobody fetched it.
    ConnectorAbsent,
    /// An operator put it back.
    Replayed,
}

/// One line of a delivery's story. Never changed after it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryEntry {
    /// When it happened.
    pub at: EpochMillis,
    /// What happened.
    #[serde(flatten)]
    pub event: StoryEvent,
    /// When the delivery is looked at next.
    pub next_at: Option<EpochMillis>,
    /// What the recipient said, e.g. its error text. May hold personal data: stored, never logged.
    pub detail: Option<String>,
    /// When the recipient says that it happened, by its own clock. Never used for a decision.
    pub said_at: Option<EpochMillis>,
}

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The new state.
    pub state: DeliveryState,
    /// What the story says about it.
    pub event: StoryEvent,
}

/// Why an event changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepIgnored {
    /// It was settled before, and the first word stands.
    AlreadySettled,
    /// Its time has not come.
    NotDue {
        /// When it comes.
        due: EpochMillis,
    },
    /// The attempt is still running.
    UnderWay {
        /// Until when.
        deadline: EpochMillis,
    },
    /// It speaks of an attempt that is over, or of a delivery nobody has been given yet.
    Stale,
}

/// Moves a delivery. `created_at` bounds its age, `dice` is a random number for jitter.
///
/// The table is FrontStage contract section 6. Where the recipient polls, its "hand over" is two events: [`Offer`] puts the
/// delivery into the recipient's stream, [`Fetched`] begins the attempt. Nobody polling for 24 h counts from the first, for
/// each attempt anew, as an entry of a stream is kept for as long.
///
/// [`Offer`]: DeliveryEvent::Offer
/// [`Fetched`]: DeliveryEvent::Fetched
///
/// [`AckMode::InAnswer`] adds vcita contract section 10, where the answer
/// to the push settles and an unusable one ends the attempt.
///
/// # Errors
/// [`StepIgnored`] when the event changes nothing in this state.
pub fn step(
    state: &DeliveryState,
    event: &DeliveryEvent,
    policy: &DeliveryPolicy,
    created_at: EpochMillis,
    now: EpochMillis,
    dice: u16,
) -> Result<Step, StepIgnored> {
    use DeliveryEvent as E;
    use DeliveryState as S;
    match (*state, event) {
        (S::Queued | S::Parked { .. }, E::Offer) if policy.is_expired(created_at, now) => Ok(absent(now)),
        (S::Queued, E::Offer) => Ok(offer(1, policy, now)),
        (S::Parked { attempt, .. }, E::Offer) => Ok(offer(attempt + 1, policy, now)),
        (S::RetryWait { attempt, due }, E::Offer) if due <= now => Ok(offer(attempt + 1, policy, now)),
        (S::Offered { until, .. }, E::Offer | E::HandOver | E::Fetched) if until <= now => Ok(absent(now)),
        (S::Offered { until, .. }, E::Offer) => Err(StepIgnored::UnderWay { deadline: until }),
        // Handed over by a worker: the recipient polls no more.
        (S::Offered { attempt, .. }, E::HandOver | E::Fetched) => Ok(begin(attempt, policy, now)),

        (S::Queued | S::Parked { .. } | S::RetryWait { .. }, E::HandOver) if policy.is_expired(created_at, now) => {
            Ok(Step { state: S::Failed { at: now, reason: FailureReason::Expired }, event: StoryEvent::Expired })
        }
        (S::Queued, E::HandOver) => Ok(begin(1, policy, now)),
        (S::Parked { attempt, .. }, E::HandOver) => Ok(begin(attempt + 1, policy, now)),
        (S::RetryWait { attempt, due }, E::HandOver) if due <= now => Ok(begin(attempt + 1, policy, now)),
        (S::RetryWait { due, .. }, E::HandOver | E::Offer) => Err(StepIgnored::NotDue { due }),
        (S::Sending { deadline, .. }, E::HandOver | E::Offer | E::Fetched) => Err(StepIgnored::UnderWay { deadline }),

        (S::Sending { attempt, started_at, deadline, pushes, next_push: Some(due) }, E::Repush) if now <= deadline => {
            if due > now {
                return Err(StepIgnored::NotDue { due });
            }
            let pushes = pushes + 1;
            let state = S::Sending { attempt, started_at, deadline, pushes, next_push: None };
            Ok(Step { state, event: StoryEvent::PushedAgain { attempt, pushes } })
        }
        (S::Sending { deadline, .. }, E::Repush) => Err(StepIgnored::UnderWay { deadline }),

        (S::Sending { attempt, started_at, deadline, pushes, .. }, E::Unanswered { retry_after }) => {
            let event = StoryEvent::Unanswered { attempt };
            match policy.ack {
                AckMode::Separate { .. } => {
                    let pause = policy.repush_delay(pushes).max(retry_after.unwrap_or_default());
                    let next_push = Some(now.plus(pause)).filter(|next| *next < deadline);
                    Ok(Step { state: S::Sending { attempt, started_at, deadline, pushes, next_push }, event })
                }
                AckMode::InAnswer { .. } => {
                    let state = after_attempt(attempt, policy, now, dice, *retry_after, FailureReason::NoAcknowledgement);
                    Ok(Step { state, event })
                }
            }
        }
        (S::Sending { attempt, .. }, E::Refused { status }) => Ok(Step {
            state: after_attempt(attempt, policy, now, dice, None, FailureReason::Refused),
            event: StoryEvent::Refused { attempt, status: *status },
        }),
        (S::Sending { attempt, .. }, E::Park { until }) => {
            Ok(Step { state: S::Parked { attempt: attempt - 1, until: *until }, event: StoryEvent::Parked })
        }

        (S::Sending { attempt, .. }, E::PutOff { until }) => {
            Ok(Step { state: S::RetryWait { attempt: attempt - 1, due: *until }, event: StoryEvent::PutOff })
        }
        (S::Sending { .. }, E::Gone) => Ok(Step {
            state: S::Failed { at: now, reason: FailureReason::Gone },
            event: StoryEvent::Rejected { after_failure: false },
        }),

        (_, E::Acknowledged) => settle(state, Verdict::Accepted, now),
        (_, E::Rejected) => settle(state, Verdict::Refused, now),

        (S::Sending { attempt, deadline, .. }, E::DeadlinePassed { attempt: of }) if attempt == *of => {
            // In time is "at or before": the timer may act only after that instant.
            if now <= deadline {
                return Err(StepIgnored::NotDue { due: deadline });
            }
            let state = after_attempt(attempt, policy, now, dice, None, FailureReason::NoAcknowledgement);
            Ok(Step { state, event: StoryEvent::NoAcknowledgement { attempt, given_up: state.is_final() } })
        }

        (S::Sent { .. } | S::Failed { .. }, _) => Err(StepIgnored::AlreadySettled),
        (S::Queued | S::Parked { .. } | S::Offered { .. } | S::RetryWait { .. }, _)
        | (S::Sending { .. }, E::DeadlinePassed { .. }) => Err(StepIgnored::Stale),
    }
}

/// What a recipient says about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has it.
    Accepted,
    /// It will not have it.
    Refused,
}

/// Settles a delivery by the recipient's word, whatever its schedule: the part of [`step`] that needs no policy.
///
/// # Errors
/// [`StepIgnored`] when the word changes nothing.
pub const fn settle(state: &DeliveryState, verdict: Verdict, now: EpochMillis) -> Result<Step, StepIgnored> {
    use DeliveryState as S;
    match (*state, verdict) {
        // Nobody was given it yet.
        (S::Queued | S::Offered { attempt: ..=1, .. }, _) => Err(StepIgnored::Stale),
        (S::Sent { .. }, _) => Err(StepIgnored::AlreadySettled),
        (S::Failed { reason, .. }, _) if !reason.yields_to_late_acknowledgement() => Err(StepIgnored::AlreadySettled),
        (S::Sending { deadline, .. }, Verdict::Accepted) => Ok(acknowledged(now, now.millis() > deadline.millis(), false)),
        (S::RetryWait { .. } | S::Parked { .. } | S::Offered { .. }, Verdict::Accepted) => Ok(acknowledged(now, true, false)),
        (S::Failed { .. }, Verdict::Accepted) => Ok(acknowledged(now, true, true)),
        (S::Sending { .. } | S::RetryWait { .. } | S::Parked { .. } | S::Offered { .. }, Verdict::Refused) => Ok(Step {
            state: S::Failed { at: now, reason: FailureReason::Rejected },
            event: StoryEvent::Rejected { after_failure: false },
        }),
        // The recipient has spoken now, so its word stands from here on.
        (S::Failed { at, .. }, Verdict::Refused) => Ok(Step {
            state: S::Failed { at, reason: FailureReason::Rejected },
            event: StoryEvent::Rejected { after_failure: true },
        }),
    }
}

fn offer(attempt: u32, policy: &DeliveryPolicy, now: EpochMillis) -> Step {
    let until = now.plus(policy.give_up_after);
    Step { state: DeliveryState::Offered { attempt, until }, event: StoryEvent::Offered { attempt } }
}

const fn absent(now: EpochMillis) -> Step {
    Step { state: DeliveryState::Failed { at: now, reason: FailureReason::Expired }, event: StoryEvent::ConnectorAbsent }
}

fn begin(attempt: u32, policy: &DeliveryPolicy, now: EpochMillis) -> Step {
    let deadline = now.plus(policy.ack.window());
    Step {
        state: DeliveryState::Sending { attempt, started_at: now, deadline, pushes: 1, next_push: None },
        event: StoryEvent::HandedOver { attempt },
    }
}

const fn acknowledged(now: EpochMillis, late: bool, after_failure: bool) -> Step {
    Step { state: DeliveryState::Sent { at: now }, event: StoryEvent::Acknowledged { late, after_failure } }
}

fn after_attempt(
    attempt: u32,
    policy: &DeliveryPolicy,
    now: EpochMillis,
    dice: u16,
    retry_after: Option<Duration>,
    reason: FailureReason,
) -> DeliveryState {
    if attempt >= policy.max_attempts {
        return DeliveryState::Failed { at: now, reason };
    }
    let delay = policy.retry_delay(attempt, dice).max(retry_after.unwrap_or_default());
    DeliveryState::RetryWait { attempt, due: now.plus(delay) }
}

#[cfg(test)]
mod tests {
    //! The rows of the table in FrontStage contract section 6 that concern the state itself, by name.

    use proptest::prelude::*;

    use super::*;

    const START: EpochMillis = EpochMillis::new(1_767_225_600_000);

    fn separate() -> DeliveryPolicy {
        DeliveryPolicy {
            ack: AckMode::Separate { timeout: Duration::from_secs(90) },
            max_attempts: 3,
            retry_delays: vec![Duration::from_secs(30), Duration::from_secs(120)],
            delay_cap: Duration::from_secs(900),
            jitter: false,
            give_up_after: Duration::from_secs(86_400),
        }
    }

    fn in_answer() -> DeliveryPolicy {
        DeliveryPolicy { ack: AckMode::InAnswer { lease: Duration::from_secs(60) }, max_attempts: u32::MAX, ..separate() }
    }

    fn at(millis: i64) -> EpochMillis {
        EpochMillis::new(START.millis() + millis)
    }

    fn sending(attempt: u32) -> DeliveryState {
        DeliveryState::Sending { attempt, started_at: START, deadline: at(90_000), pushes: 1, next_push: None }
    }

    fn offered(attempt: u32) -> DeliveryState {
        DeliveryState::Offered { attempt, until: at(86_400_000) }
    }

    fn go(state: DeliveryState, event: &DeliveryEvent, now: EpochMillis) -> Result<Step, StepIgnored> {
        step(&state, event, &separate(), START, now, 0)
    }

    #[test]
    fn name_of_a_delivery_says_where_it_goes() {
        for (content, end, kind) in [
            (DeliveryContent::Message, "", LaneKind::Messages),
            (DeliveryContent::Chat, ":chat", LaneKind::Chat),
            (DeliveryContent::Receipt(ReceiptStatus::Failed), ":failed", LaneKind::Receipts),
        ] {
            let message = "00112233-4455-8667-9e22-640000000001".parse().unwrap();
            let key = DeliveryKey { message, recipient: "frontstage/gw".parse().unwrap(), content };
            let text = format!("00112233-4455-8667-9e22-640000000001@frontstage/gw{end}");
            assert_eq!((key.to_string(), text.parse()), (text, Ok(key.clone())));
            assert_eq!((key.lane().kind, key.entry().delivery(&key.lane())), (kind, Some(key)));
        }
    }

    #[test]
    fn queued_hand_over_begins_attempt_1_with_90_seconds() {
        let change = go(DeliveryState::Queued, &DeliveryEvent::HandOver, START).unwrap();
        assert_eq!(change, Step { state: sending(1), event: StoryEvent::HandedOver { attempt: 1 } });
    }

    #[test]
    fn queued_for_24_hours_fails() {
        let change = go(DeliveryState::Queued, &DeliveryEvent::HandOver, at(86_400_000)).unwrap();
        assert_eq!(change.state, DeliveryState::Failed { at: at(86_400_000), reason: FailureReason::Expired });
        assert!(!go(DeliveryState::Queued, &DeliveryEvent::HandOver, at(86_399_999)).unwrap().state.is_final());
    }

    #[test]
    fn the_deadline_is_between_89_9_and_90_1_seconds() {
        let timer = DeliveryEvent::DeadlinePassed { attempt: 1 };
        assert_eq!(go(sending(1), &timer, at(89_900)), Err(StepIgnored::NotDue { due: at(90_000) }));
        assert_eq!(go(sending(1), &timer, at(90_000)), Err(StepIgnored::NotDue { due: at(90_000) }));
        let change = go(sending(1), &timer, at(90_100)).unwrap();
        assert_eq!(change.state, DeliveryState::RetryWait { attempt: 1, due: at(120_100) });
        assert_eq!(change.event, StoryEvent::NoAcknowledgement { attempt: 1, given_up: false });
        let acknowledged = |now| go(sending(1), &DeliveryEvent::Acknowledged, now).unwrap().event;
        assert_eq!(acknowledged(at(89_900)), StoryEvent::Acknowledged { late: false, after_failure: false });
        assert_eq!(acknowledged(at(90_000)), StoryEvent::Acknowledged { late: false, after_failure: false });
        assert_eq!(acknowledged(at(90_100)), StoryEvent::Acknowledged { late: true, after_failure: false });
    }

    #[test]
    fn the_second_retry_waits_120_seconds_and_the_third_timeout_gives_up() {
        let change = go(sending(2), &DeliveryEvent::DeadlinePassed { attempt: 2 }, at(90_001)).unwrap();
        assert_eq!(change.state, DeliveryState::RetryWait { attempt: 2, due: at(210_001) });
        let change = go(sending(3), &DeliveryEvent::DeadlinePassed { attempt: 3 }, at(90_001)).unwrap();
        assert_eq!(change.state, DeliveryState::Failed { at: at(90_001), reason: FailureReason::NoAcknowledgement });
        assert_eq!(change.event, StoryEvent::NoAcknowledgement { attempt: 3, given_up: true });
    }

    #[test]
    fn a_timer_of_an_earlier_attempt_does_nothing() {
        assert_eq!(go(sending(2), &DeliveryEvent::DeadlinePassed { attempt: 1 }, at(200_000)), Err(StepIgnored::Stale));
    }

    #[test]
    fn an_explicit_error_is_final() {
        let change = go(sending(1), &DeliveryEvent::Rejected, at(5)).unwrap();
        assert_eq!(change.state, DeliveryState::Failed { at: at(5), reason: FailureReason::Rejected });
        for word in [DeliveryEvent::Acknowledged, DeliveryEvent::Rejected] {
            assert_eq!(go(change.state, &word, at(6)), Err(StepIgnored::AlreadySettled));
        }
    }

    #[test]
    fn a_refused_push_ends_the_attempt_and_the_third_one_the_delivery() {
        let refused = DeliveryEvent::Refused { status: 404 };
        let change = go(sending(1), &refused, at(5)).unwrap();
        assert_eq!(change.state, DeliveryState::RetryWait { attempt: 1, due: at(30_005) });
        assert_eq!(change.event, StoryEvent::Refused { attempt: 1, status: 404 });
        let change = go(sending(3), &refused, at(5)).unwrap();
        assert_eq!(change.state, DeliveryState::Failed { at: at(5), reason: FailureReason::Refused });
    }

    #[test]
    fn retry_wait_begins_the_next_attempt_only_when_the_delay_is_over() {
        let waiting = DeliveryState::RetryWait { attempt: 1, due: at(30_000) };
        assert_eq!(go(waiting, &DeliveryEvent::HandOver, at(29_999)), Err(StepIgnored::NotDue { due: at(30_000) }));
        let change = go(waiting, &DeliveryEvent::HandOver, at(30_000)).unwrap();
        assert_eq!(change.event, StoryEvent::HandedOver { attempt: 2 });
        assert_eq!(change.state.next_at(), Some(at(120_000)));
    }

    #[test]
    fn a_late_word_during_retry_wait_settles() {
        let waiting = DeliveryState::RetryWait { attempt: 1, due: at(30_000) };
        let change = go(waiting, &DeliveryEvent::Acknowledged, at(10)).unwrap();
        assert_eq!(change.state, DeliveryState::Sent { at: at(10) });
        assert_eq!(change.event, StoryEvent::Acknowledged { late: true, after_failure: false });
        let change = go(waiting, &DeliveryEvent::Rejected, at(10)).unwrap();
        assert_eq!(change.state, DeliveryState::Failed { at: at(10), reason: FailureReason::Rejected });
    }

    #[test]
    fn a_late_word_after_a_timeout_is_heard_once() {
        let failed = DeliveryState::Failed { at: at(0), reason: FailureReason::NoAcknowledgement };
        let sent = go(failed, &DeliveryEvent::Acknowledged, at(9)).unwrap();
        assert_eq!(sent.state, DeliveryState::Sent { at: at(9) });
        assert_eq!(sent.event, StoryEvent::Acknowledged { late: true, after_failure: true });
        assert_eq!(go(sent.state, &DeliveryEvent::Rejected, at(10)), Err(StepIgnored::AlreadySettled));
        let refused = go(failed, &DeliveryEvent::Rejected, at(9)).unwrap();
        assert_eq!(refused.event, StoryEvent::Rejected { after_failure: true });
        assert!(matches!(refused.state, DeliveryState::Failed { reason: FailureReason::Rejected, .. }));
    }

    #[test]
    fn nobody_can_acknowledge_what_was_never_handed_over() {
        for state in [DeliveryState::Queued, offered(1)] {
            for word in [DeliveryEvent::Acknowledged, DeliveryEvent::Rejected] {
                assert_eq!(go(state, &word, at(1)), Err(StepIgnored::Stale));
            }
        }
    }

    #[test]
    fn offered_is_no_attempt_before_it_is_fetched() {
        let change = go(DeliveryState::Queued, &DeliveryEvent::Offer, START).unwrap();
        assert_eq!(change, Step { state: offered(1), event: StoryEvent::Offered { attempt: 1 } });
        assert_eq!(change.state.next_at(), Some(at(86_400_000)));
        assert_eq!(go(offered(1), &DeliveryEvent::Offer, at(1)), Err(StepIgnored::UnderWay { deadline: at(86_400_000) }));
        assert_eq!(go(offered(2), &DeliveryEvent::DeadlinePassed { attempt: 1 }, at(90_001)), Err(StepIgnored::Stale));
        let change = go(offered(1), &DeliveryEvent::Fetched, at(3_600_000)).unwrap();
        let (started_at, deadline) = (at(3_600_000), at(3_690_000));
        let state = DeliveryState::Sending { attempt: 1, started_at, deadline, pushes: 1, next_push: None };
        assert_eq!(change, Step { state, event: StoryEvent::HandedOver { attempt: 1 } });
        assert_eq!(go(state, &DeliveryEvent::Fetched, at(3_600_001)), Err(StepIgnored::UnderWay { deadline }));
    }

    #[test]
    fn fetched_attempt_ends_between_89_9_and_90_1_seconds_after_that() {
        let state = go(offered(1), &DeliveryEvent::Fetched, at(3_600_000)).unwrap().state;
        let timer = DeliveryEvent::DeadlinePassed { attempt: 1 };
        assert_eq!(go(state, &timer, at(3_689_900)), Err(StepIgnored::NotDue { due: at(3_690_000) }));
        let change = go(state, &timer, at(3_690_100)).unwrap();
        assert_eq!(change.state, DeliveryState::RetryWait { attempt: 1, due: at(3_720_100) });
        let late = |now| go(state, &DeliveryEvent::Acknowledged, now).unwrap().event;
        assert_eq!(late(at(3_689_900)), StoryEvent::Acknowledged { late: false, after_failure: false });
        assert_eq!(late(at(3_690_100)), StoryEvent::Acknowledged { late: true, after_failure: false });
    }

    #[test]
    fn next_attempt_is_offered_only_when_the_delay_is_over() {
        let waiting = DeliveryState::RetryWait { attempt: 1, due: at(30_000) };
        assert_eq!(go(waiting, &DeliveryEvent::Offer, at(29_999)), Err(StepIgnored::NotDue { due: at(30_000) }));
        let change = go(waiting, &DeliveryEvent::Offer, at(30_000)).unwrap();
        assert_eq!(change.state, DeliveryState::Offered { attempt: 2, until: at(86_430_000) });
        // The age of the delivery ends nothing once it was fetched.
        let waiting = DeliveryState::RetryWait { attempt: 2, due: at(86_400_000) };
        let change = go(waiting, &DeliveryEvent::Offer, at(86_400_000)).unwrap();
        assert_eq!(change.state, DeliveryState::Offered { attempt: 3, until: at(172_800_000) });
    }

    #[test]
    fn late_word_about_an_earlier_attempt_settles_what_is_offered_again() {
        let change = go(offered(2), &DeliveryEvent::Acknowledged, at(10)).unwrap();
        let late = StoryEvent::Acknowledged { late: true, after_failure: false };
        assert_eq!(change, Step { state: DeliveryState::Sent { at: at(10) }, event: late });
        let change = go(offered(2), &DeliveryEvent::Rejected, at(10)).unwrap();
        assert_eq!(change.state, DeliveryState::Failed { at: at(10), reason: FailureReason::Rejected });
    }

    #[test]
    fn nobody_polls_for_24_hours_and_the_connector_is_absent() {
        let failed = DeliveryState::Failed { at: at(86_400_000), reason: FailureReason::Expired };
        let absent = Step { state: failed, event: StoryEvent::ConnectorAbsent };
        for event in [DeliveryEvent::Offer, DeliveryEvent::HandOver, DeliveryEvent::Fetched] {
            assert_eq!(go(offered(1), &event, at(86_400_000)), Ok(absent));
        }
        // Behind another one in its lane, for as long.
        assert_eq!(go(DeliveryState::Queued, &DeliveryEvent::Offer, at(86_400_000)), Ok(absent));
        assert!(matches!(go(offered(1), &DeliveryEvent::Fetched, at(86_399_999)).unwrap().state, DeliveryState::Sending { .. }));
        let word = go(failed, &DeliveryEvent::Acknowledged, at(86_400_001)).unwrap();
        assert_eq!(word.event, StoryEvent::Acknowledged { late: true, after_failure: true });
    }

    #[test]
    fn recipient_that_polls_no_more_is_handed_what_was_offered() {
        assert_eq!(
            go(offered(2), &DeliveryEvent::HandOver, START).unwrap(),
            go(offered(2), &DeliveryEvent::Fetched, START).unwrap()
        );
    }

    #[test]
    fn an_unanswered_push_is_repeated_within_the_same_90_seconds() {
        let unanswered = DeliveryEvent::Unanswered { retry_after: None };
        let change = go(sending(1), &unanswered, at(500)).unwrap();
        let again =
            DeliveryState::Sending { attempt: 1, started_at: START, deadline: at(90_000), pushes: 1, next_push: Some(at(1_500)) };
        assert_eq!(change.state, again);
        assert_eq!(go(again, &DeliveryEvent::Repush, at(1_499)), Err(StepIgnored::NotDue { due: at(1_500) }));
        let change = go(again, &DeliveryEvent::Repush, at(1_500)).unwrap();
        assert_eq!(change.event, StoryEvent::PushedAgain { attempt: 1, pushes: 2 });
        // Too close to the deadline there is nothing but the timer left.
        assert_eq!(go(sending(1), &unanswered, at(89_500)).unwrap().state, sending(1));
        let wish = DeliveryEvent::Unanswered { retry_after: Some(Duration::from_secs(20)) };
        assert_eq!(go(sending(1), &wish, at(0)).unwrap().state.next_at(), Some(at(20_000)));
    }

    #[test]
    fn an_answer_that_does_not_settle_ends_the_attempt_where_the_answer_is_the_acknowledgement() {
        let event = DeliveryEvent::Unanswered { retry_after: Some(Duration::from_secs(45)) };
        let change = step(&sending(1), &event, &in_answer(), START, at(0), 0).unwrap();
        assert_eq!(change.state, DeliveryState::RetryWait { attempt: 1, due: at(45_000) });
    }

    #[test]
    fn parking_does_not_count_as_an_attempt() {
        let change = step(&sending(2), &DeliveryEvent::Park { until: at(60_000) }, &in_answer(), START, at(0), 0).unwrap();
        assert_eq!(change.state, DeliveryState::Parked { attempt: 1, until: at(60_000) });
        let change = step(&change.state, &DeliveryEvent::HandOver, &in_answer(), START, at(1), 0).unwrap();
        assert_eq!(change.event, StoryEvent::HandedOver { attempt: 2 });
    }

    #[test]
    fn putting_off_does_not_count_as_an_attempt_and_waits_its_time() {
        let change = step(&sending(2), &DeliveryEvent::PutOff { until: at(7000) }, &in_answer(), START, at(0), 0).unwrap();
        assert_eq!(change.state, DeliveryState::RetryWait { attempt: 1, due: at(7000) });
        assert_eq!(change.event, StoryEvent::PutOff);
        let early = step(&change.state, &DeliveryEvent::HandOver, &in_answer(), START, at(6999), 0);
        assert_eq!(early, Err(StepIgnored::NotDue { due: at(7000) }));
        let change = step(&change.state, &DeliveryEvent::HandOver, &in_answer(), START, at(7000), 0).unwrap();
        assert_eq!(change.event, StoryEvent::HandedOver { attempt: 2 });
    }

    #[test]
    fn receipt_whose_message_is_gone_fails_for_good() {
        let change = go(sending(2), &DeliveryEvent::Gone, at(5)).unwrap();
        assert_eq!(change.state, DeliveryState::Failed { at: at(5), reason: FailureReason::Gone });
        assert_eq!(go(change.state, &DeliveryEvent::Acknowledged, at(6)), Err(StepIgnored::AlreadySettled));
        assert_eq!(go(DeliveryState::Queued, &DeliveryEvent::Gone, at(6)), Err(StepIgnored::Stale));
    }

    #[test]
    fn receipts_rise_and_the_first_of_a_rank_stays() {
        use ReceiptStatus as R;
        assert!(R::Sent.supersedes(None));
        assert!(!R::Sent.supersedes(Some(R::Failed)));
        assert!(!R::Unreachable.supersedes(Some(R::Failed)));
        assert!(R::Delivered.supersedes(Some(R::Failed)));
        assert!(!R::Delivered.supersedes(Some(R::Read)));
        assert_eq!(R::Delivered.lower().collect::<Vec<_>>(), [R::Sent, R::Failed, R::Unreachable]);
    }

    fn any_event() -> impl Strategy<Value = DeliveryEvent> {
        prop_oneof![
            Just(DeliveryEvent::HandOver),
            Just(DeliveryEvent::Offer),
            Just(DeliveryEvent::Fetched),
            Just(DeliveryEvent::Repush),
            Just(DeliveryEvent::Unanswered { retry_after: None }),
            (400u16..500).prop_map(|status| DeliveryEvent::Refused { status }),
            (0i64..200_000).prop_map(|ms| DeliveryEvent::Park { until: at(ms) }),
            (0i64..200_000).prop_map(|ms| DeliveryEvent::PutOff { until: at(ms) }),
            Just(DeliveryEvent::Gone),
            Just(DeliveryEvent::Acknowledged),
            Just(DeliveryEvent::Rejected),
            (1u32..5).prop_map(|attempt| DeliveryEvent::DeadlinePassed { attempt }),
        ]
    }

    proptest! {
        #[test]
        fn no_step_leaves_a_final_state_but_for_a_late_word(
            events in proptest::collection::vec((any_event(), 0i64..100_000), 1..60),
            mode in any::<bool>(),
        ) {
            let policy = if mode { separate() } else { in_answer() };
            let mut state = DeliveryState::Queued;
            let mut now = START;
            for (event, pause) in events {
                now = EpochMillis::new(now.millis() + pause);
                let Ok(change) = step(&state, &event, &policy, START, now, 7) else { continue };
                if let DeliveryState::Failed { reason, .. } = state {
                    prop_assert!(reason.yields_to_late_acknowledgement());
                    prop_assert!(matches!(event, DeliveryEvent::Acknowledged | DeliveryEvent::Rejected));
                    prop_assert!(change.state.is_final());
                }
                prop_assert!(!matches!(state, DeliveryState::Sent { .. }), "left Sent by {:?}", event);
                if let DeliveryState::Sending { attempt, .. } | DeliveryState::Offered { attempt, .. } = change.state {
                    prop_assert!(attempt <= policy.max_attempts);
                }
                // What polls are handed is what was offered, the same attempt, and only once.
                if let (DeliveryEvent::Fetched, DeliveryState::Sending { attempt, started_at, .. }) = (&event, change.state) {
                    let was_offered = matches!(state, DeliveryState::Offered { attempt: before, .. } if before == attempt);
                    prop_assert!(was_offered, "fetched from {:?}", state);
                    prop_assert_eq!(started_at, now);
                }
                state = change.state;
            }
        }
    }
}
