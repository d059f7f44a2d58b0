//! Chat timer queue: each message says that it is time to look at a chat, or that staff of another platform has something to
//! say in one.

use app::chats::{ChatCtx, say, tick};
use app::{Progress, SettleCtx};
use lambda::RecordFailure;
use model::{ChatTask, DeliverTask, EpochMillis, Platform};
use serde::Deserialize;

/// What the tasks of this queue have in common.
#[derive(Deserialize)]
struct Named {
    task: String,
}

/// Works on one queue message.
///
/// # Errors
/// [`RecordFailure::Poison`] if it is no task, [`RecordFailure::Retry`] if a backing service is down.
pub async fn handle(
    ctx: ChatCtx,
    settle: SettleCtx,
    body: String,
    _until: EpochMillis,
) -> Result<(Platform, Progress), RecordFailure> {
    let Named { task } = lambda::task(&body)?;
    if task == DeliverTask::V1_NAME {
        let task: DeliverTask = lambda::task(&body)?;
        let DeliverTask::V1 { lane, .. } = &task;
        return Ok((lane.recipient.platform(), say(&ctx, &settle, &task).await?));
    }
    let task: ChatTask = lambda::task(&body)?;
    tick(&ctx, &task).await?;
    // Only gateways of this platform have chats, and a timer delivers nothing that is counted.
    Ok((Platform::Frontstage, Progress::default()))
}
