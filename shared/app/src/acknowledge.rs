//! A recipient acknowledges in a call of its own.

use std::time::Duration;

use model::{
    AccountId, Acknowledgement, DeliverTask, Delivery, DeliveryContent, DeliveryKey, DeliveryState, FailureReason, StepIgnored,
    StoryEntry, StoryEvent, Verdict, settle,
};
use ports::{AckExpectation, AckOutcome, AckStore, AckWrite, Guard, GuardRefusal, PortError};

use crate::{AppError, Ctx};

/// How often an acknowledgement is judged anew because the delivery moved in the meantime.
const RACES: usize = 8;

/// What became of an acknowledgement.
#[derive(Debug, Clone, PartialEq)]
pub enum Acknowledged {
    /// It settled the delivery.
    Settled,
    /// The delivery was settled before; its word stands.
    Duplicate,
    /// There is no such delivery to this account, or it was never handed over.
    Unknown,
    /// The message went another way than the acknowledgement says; nothing was changed.
    WrongRoute,
    /// A guard refused; nothing was stored.
    Refused(GuardRefusal),
}

/// Settles a delivery to `account`. In the usual case, in time and for the first time, this is one write and no read;
/// the worker that it wakes does the rest.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be stored: the recipient is expected to repeat.
pub async fn acknowledge(
    ctx: &Ctx<dyn AckStore>,
    account: &AccountId,
    acknowledgement: Acknowledgement,
    guards: Vec<Guard>,
) -> Result<Acknowledged, AppError> {
    let now = ctx.clock.now();
    let key = DeliveryKey { message: acknowledgement.message, recipient: account.clone(), content: DeliveryContent::Message };
    let (verdict, state, event, reference, detail) = match acknowledgement.result {
        Ok(reference) => {
            let event = StoryEvent::Acknowledged { late: false, after_failure: false };
            (Verdict::Accepted, DeliveryState::Sent { at: now }, event, reference, None)
        }
        Err(text) => {
            let state = DeliveryState::Failed { at: now, reason: FailureReason::Rejected };
            (Verdict::Refused, state, StoryEvent::Rejected { after_failure: false }, None, Some(text))
        }
    };
    let mut write = AckWrite {
        delivery: key.clone(),
        expect: AckExpectation::InTime,
        route: acknowledgement.route,
        state,
        reference,
        story: StoryEntry { at: now, event, next_at: None, detail, said_at: acknowledgement.said_at },
        alias: acknowledgement.alias,
        guards,
    };
    for _ in 0..RACES {
        match ctx.store.acknowledge(&write).await? {
            AckOutcome::Stored => {
                let task = DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 0, due: None };
                ctx.queue.deliver(&[(task, Duration::ZERO)]).await?;
                return Ok(Acknowledged::Settled);
            }
            AckOutcome::Refused(refusal) => return Ok(Acknowledged::Refused(refusal)),
            AckOutcome::Otherwise(None) => return Ok(Acknowledged::Unknown),
            AckOutcome::Otherwise(Some(delivery)) if write.route.is_some() && delivery.route != write.route => {
                // Never handed over, or handed over elsewhere.
                let is_known = delivery.route.is_some();
                return Ok(if is_known { Acknowledged::WrongRoute } else { Acknowledged::Unknown });
            }
            AckOutcome::Otherwise(Some(delivery)) => match settle(&delivery.state, verdict, now) {
                Ok(change) => {
                    write.expect = AckExpectation::Rev(delivery.rev);
                    write.state = change.state;
                    write.story.event = change.event;
                }
                Err(StepIgnored::Stale) => return Ok(Acknowledged::Unknown),
                Err(StepIgnored::AlreadySettled | StepIgnored::NotDue { .. } | StepIgnored::UnderWay { .. }) => {
                    return if contradicts(&delivery, verdict, write.reference.as_deref()) {
                        note(ctx, &delivery, write).await
                    } else {
                        Ok(Acknowledged::Duplicate)
                    };
                }
            },
        }
    }
    Err(PortError::Busy.into())
}

/// Whether a word about a settled delivery is another one than the word that settled it. Of two errors, the text of the
/// first is in the story only, and nothing depends on it.
fn contradicts(delivery: &Delivery, verdict: Verdict, reference: Option<&str>) -> bool {
    let was_taken = matches!(delivery.state, DeliveryState::Sent { .. });
    match verdict {
        Verdict::Refused => was_taken,
        Verdict::Accepted => !was_taken || (reference.is_some() && reference != delivery.reference.as_deref()),
    }
}

/// Writes what was said later into the story, and leaves the delivery as it is. A note that loses a race is not worth
/// another try: the recipient's first word stands either way.
async fn note(ctx: &Ctx<dyn AckStore>, delivery: &Delivery, word: AckWrite) -> Result<Acknowledged, AppError> {
    let detail = word.story.detail.or(word.reference);
    let write = AckWrite {
        expect: AckExpectation::Rev(delivery.rev),
        state: delivery.state,
        reference: None,
        story: StoryEntry { event: StoryEvent::Contradicted, detail, ..word.story },
        alias: None,
        ..word
    };
    match ctx.store.acknowledge(&write).await? {
        AckOutcome::Refused(refusal) => Ok(Acknowledged::Refused(refusal)),
        AckOutcome::Stored | AckOutcome::Otherwise(_) => Ok(Acknowledged::Duplicate),
    }
}
