//! Schedule: whatever is due but on no queue goes onto one again.

use app::{AppError, Ctx};
use ports::LaneStore;
use serde_json::{Value, json};

/// Sweeps once. The answer says how many lanes were put on the queue again.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down; the next run a minute later makes up for it.
pub async fn handle(ctx: Ctx<dyn LaneStore>, _event: Value) -> Result<Value, AppError> {
    let swept = app::sweep(&ctx).await?;
    if swept > 0 {
        tracing::warn!(swept, "{swept} lanes were due but on no queue");
    }
    Ok(json!({ "swept": swept }))
}
