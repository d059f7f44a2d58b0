//! Deliver queue: each message says that a lane needs something, or that a visitor types whom another platform's staff answers.

use app::{OutboundCtx, Progress};
use lambda::RecordFailure;
use model::{DeliverTask, EpochMillis, Platform, TypingTask};

use crate::Named;

/// Works on one queue message until `until` at most.
///
/// # Errors
/// [`RecordFailure::Poison`] if it is no task, [`RecordFailure::Retry`] if a backing service is down.
pub async fn handle(ctx: OutboundCtx, body: String, until: EpochMillis) -> Result<(Platform, Progress), RecordFailure> {
    let Named { task } = lambda::task(&body)?;
    if task == TypingTask::V1_NAME {
        let task: TypingTask = lambda::task(&body)?;
        let TypingTask::V1 { recipient, .. } = &task;
        return Ok((recipient.platform(), app::tell_typing(&ctx, &task, until).await));
    }
    let task: DeliverTask = lambda::task(&body)?;
    let DeliverTask::V1 { lane, .. } = &task;
    let platform = lane.recipient.platform();
    Ok((platform, app::deliver(&ctx, &task, until).await?))
}
