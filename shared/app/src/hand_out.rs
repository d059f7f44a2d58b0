//! A recipient polls: what waits for it in its stream is handed out, and the attempt begins (FrontStage contract, section 6).

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join_all;
use model::{AckTask, DeliveryEvent, DeliveryPolicy, DeliveryState, EpochMillis, StoryEntry, step};
use ports::{HandOut, HandOuts, HandedOut, Offer, StreamEntry};
use tracing::{info, warn};

use crate::{AppError, Ctx, Progress, SWEEP_GRACE};

/// How many are handed out at the same time.
const AT_ONCE: usize = 10;

/// What handing out needs.
#[derive(Clone)]
pub struct HandOutCtx {
    /// The common part.
    pub base: Ctx<dyn HandOuts>,
    /// The schedule of what is handed out.
    pub policy: DeliveryPolicy,
}

/// Begins the attempts that entries of a page offer, as the page is about to be given out: afterwards each entry says when
/// its attempt began. One that is read again is the same as long as its attempt may be running; what is over, by then or by
/// somebody's word, comes with an empty body, as what was never told does. Entries that offer nothing stay as they are.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down. What was begun then is in the answer to the next poll too.
pub async fn hand_out(ctx: &HandOutCtx, entries: &mut [StreamEntry]) -> Result<Progress, AppError> {
    let mut progress = Progress::default();
    for some in entries.chunks_mut(AT_ONCE) {
        for begun in try_join_all(some.iter_mut().map(|entry| one(ctx, entry))).await? {
            progress.retried += u32::from(begun.is_some_and(|attempt| attempt > 1));
        }
    }
    Ok(progress)
}

/// Hands out one entry. The attempt, if it begins now.
async fn one(ctx: &HandOutCtx, entry: &mut StreamEntry) -> Result<Option<u32>, AppError> {
    let Some(offer) = &mut entry.offer else { return Ok(None) };
    let now = ctx.base.clock.now();
    let mut begun = None;
    if offer.handed_at.is_none() {
        (offer.handed_at, begun) = begin(ctx, offer, entry.seq, entry.at, now).await?;
    }
    if offer.handed_at.is_none_or(|at| now > at.plus(ctx.policy.ack.window())) {
        entry.body = Bytes::new();
    }
    Ok(begun)
}

/// When the attempt of an entry began, if it is running, and its number if that was now.
async fn begin(
    ctx: &HandOutCtx,
    offer: &Offer,
    seq: u64,
    offered_at: EpochMillis,
    now: EpochMillis,
) -> Result<(Option<EpochMillis>, Option<u32>), AppError> {
    // The store refuses if it is in another state by now: nothing needs to be read for that.
    let waiting = DeliveryState::Offered { attempt: offer.attempt, until: offered_at.plus(ctx.policy.give_up_after) };
    let begun = step(&waiting, &DeliveryEvent::Fetched, &ctx.policy, offered_at, now, 0);
    let Some(change) = begun.ok().filter(|change| !change.state.is_final()) else { return Ok((None, None)) };
    let next_at = change.state.next_at();
    let hand_out = HandOut {
        offer: offer.clone(),
        seq,
        state: change.state,
        story: StoryEntry { at: now, event: change.event, next_at, detail: None, said_at: None },
        due_at: next_at.unwrap_or(now).plus(SWEEP_GRACE),
    };
    let key = &offer.delivery;
    match ctx.base.store.hand_out(&hand_out).await? {
        HandedOut::Yes => {
            info!(delivery.id = %key, delivery.attempt = offer.attempt, "delivery {key} fetched");
            start_timer(ctx, offer).await;
            Ok((Some(now), Some(offer.attempt)))
        }
        // Another poll was first, and its answer holds the same.
        HandedOut::Otherwise(Some(delivery)) if delivery.rev == offer.rev + 1 => match delivery.state {
            DeliveryState::Sending { started_at, .. } => Ok((Some(started_at), None)),
            _ => Ok((None, None)),
        },
        HandedOut::Otherwise(_) => Ok((None, None)),
    }
}

/// Starts the timer of the attempt. One that cannot be started is made up for by the sweep: the lane is due at the deadline.
async fn start_timer(ctx: &HandOutCtx, offer: &Offer) {
    let key = &offer.delivery;
    let task = AckTask::V1 { lane: key.lane(), entry: key.entry(), attempt: offer.attempt };
    let delay = ctx.policy.ack.window() + Duration::from_millis(1);
    if let Err(error) = ctx.base.queue.ack_check(&task, delay).await {
        warn!(delivery.id = %key, %error, "timer of delivery {key} not started");
    }
}
