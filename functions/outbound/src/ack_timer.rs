//! Ack queue: each message is the timer of one attempt.

use app::{Progress, SettleCtx};
use lambda::RecordFailure;
use model::{AckTask, EpochMillis, Platform};

/// Works on one queue message.
///
/// # Errors
/// [`RecordFailure::Poison`] if it is no task, [`RecordFailure::Retry`] if a backing service is down.
pub async fn handle(ctx: SettleCtx, body: String, _until: EpochMillis) -> Result<(Platform, Progress), RecordFailure> {
    let task: AckTask = lambda::task(&body)?;
    let AckTask::V1 { lane, .. } = &task;
    let platform = lane.recipient.platform();
    Ok((platform, app::check_ack(&ctx, &task).await?))
}
