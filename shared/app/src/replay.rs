//! The operator puts a failed delivery back.

use std::time::Duration;

use model::{DeliverTask, DeliveryKey, StoryEntry, StoryEvent};
use ports::{Saved, StoryStore};

use crate::{AppError, Ctx, SWEEP_GRACE};

/// What became of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// It stands at the end of its lane again, with all its attempts before it.
    Queued,
    /// It does not exist, or has not failed: nothing was changed.
    NotFailed,
}

/// Puts a failed delivery back at the end of its lane.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be stored.
pub async fn replay(ctx: &Ctx<dyn StoryStore>, delivery: &DeliveryKey) -> Result<Replayed, AppError> {
    let now = ctx.clock.now();
    let story = StoryEntry { at: now, event: StoryEvent::Replayed, next_at: None, detail: None, said_at: None };
    match ctx.store.requeue(delivery, &story, now.plus(SWEEP_GRACE)).await? {
        Saved::Conflict => Ok(Replayed::NotFailed),
        Saved::Yes => {
            let task = DeliverTask::V1 { lane: delivery.lane(), entry: Some(delivery.entry()), put_off: 0, due: None };
            ctx.queue.deliver(&[(task, Duration::ZERO)]).await?;
            Ok(Replayed::Queued)
        }
    }
}
