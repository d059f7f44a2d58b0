//! Whatever is due but on no queue is put on one again.

use std::time::Duration;

use model::DeliverTask;
use ports::{LaneStore, Saved};

use crate::{AppError, Ctx};

/// For how long a lane that was put on the queue again is left alone: longer than the queue needs to bring it.
const SWEEP_LEASE: Duration = Duration::from_secs(60);

/// Lanes of one round; what is left over is found by the next one a minute later.
const ROUND: usize = 500;

/// The most tasks that go to the queue in one call.
const CALL: usize = 10;

/// Enqueues every lane whose due time is over. Returns how many. Two sweeps at the same time do not enqueue the same
/// lane twice: moving the due time on is a conditional write.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down.
pub async fn sweep(ctx: &Ctx<dyn LaneStore>) -> Result<usize, AppError> {
    let now = ctx.clock.now();
    let due = ctx.store.due(now, ROUND).await?;
    let mut swept = 0;
    for lanes in due.chunks(CALL) {
        let mut tasks = Vec::new();
        for (lane, due_at) in lanes {
            if ctx.store.postpone(lane, *due_at, Some(now.plus(SWEEP_LEASE))).await? == Saved::Yes {
                tasks.push((DeliverTask::V1 { lane: lane.clone(), entry: None, put_off: 0, due: None }, Duration::ZERO));
            }
        }
        if !tasks.is_empty() {
            ctx.queue.deliver(&tasks).await?;
        }
        swept += tasks.len();
    }
    Ok(swept)
}
