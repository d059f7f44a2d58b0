//! Chat timer queue: each message says that it is time to look at a chat.

use app::Progress;
use app::chats::{ChatCtx, tick};
use lambda::RecordFailure;
use model::{ChatTask, EpochMillis, Platform};

/// Works on one queue message.
///
/// # Errors
/// [`RecordFailure::Poison`] if it is no task, [`RecordFailure::Retry`] if a backing service is down.
pub async fn handle(ctx: ChatCtx, body: String, _until: EpochMillis) -> Result<(Platform, Progress), RecordFailure> {
    let task: ChatTask = lambda::task(&body)?;
    tick(&ctx, &task).await?;
    // Only gateways of this platform have chats, and a timer delivers nothing that is counted.
    Ok((Platform::Frontstage, Progress::default()))
}
