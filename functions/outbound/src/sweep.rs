//! Schedule: whatever is due but on no queue goes onto one again, and chats whose timer was lost are looked at.

use app::chats::ChatCtx;
use app::{AppError, Ctx};
use ports::LaneStore;
use serde_json::{Value, json};

/// Sweeps once. The answer says how many lanes were put on the queue again, and how many chats were looked at.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down; the next run a minute later makes up for it.
pub async fn handle(ctx: Ctx<dyn LaneStore>, chats: ChatCtx, _event: Value) -> Result<Value, AppError> {
    // Neither waits for the other: what fails with one is no reason to leave the other.
    let (swept, looked_at) = futures_util::future::join(app::sweep(&ctx), app::chats::sweep(&chats)).await;
    let (swept, looked_at) = (swept?, looked_at?);
    if swept > 0 {
        tracing::warn!(swept, "{swept} lanes were due but on no queue");
    }
    if looked_at > 0 {
        tracing::warn!(looked_at, "{looked_at} chats were overdue");
    }
    Ok(json!({ "swept": swept, "chats": looked_at }))
}
