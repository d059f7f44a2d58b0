//! Deliver queue: each message says that a lane needs something.

use app::{OutboundCtx, Progress};
use lambda::RecordFailure;
use model::{DeliverTask, EpochMillis, Platform};

/// Works on one queue message until `until` at most.
///
/// # Errors
/// [`RecordFailure::Poison`] if it is no task, [`RecordFailure::Retry`] if a backing service is down.
pub async fn handle(ctx: OutboundCtx, body: String, until: EpochMillis) -> Result<(Platform, Progress), RecordFailure> {
    let task: DeliverTask = lambda::task(&body)?;
    let DeliverTask::V1 { lane, .. } = &task;
    let platform = lane.recipient.platform();
    Ok((platform, app::deliver(&ctx, &task, until).await?))
}
