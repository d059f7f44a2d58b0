//! Chat timer queue: each message says that it is time to look at a chat, or that staff or a visitor of another
//! platform did something in one.

use app::chats::{ChatCtx, say, staff_did, tick};
use app::{Progress, SettleCtx};
use lambda::RecordFailure;
use model::{ChatTask, DeliverTask, EpochMillis, Platform, StaffTask};

use crate::Named;

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
    if StaffTask::NAMES.contains(&task.as_str()) {
        let task: StaffTask = lambda::task(&body)?;
        staff_did(&ctx, &task).await?;
        return Ok((task.account().platform(), Progress::default()));
    }
    let task: ChatTask = lambda::task(&body)?;
    tick(&ctx, &task).await?;
    // Only gateways of this platform have chats, and a timer delivers nothing that is counted.
    Ok((Platform::Frontstage, Progress::default()))
}
