//! Schedule: whatever is due but on no queue goes onto one again, and chats whose timer was lost are looked at.

use std::sync::Arc;

use app::chats::ChatCtx;
use app::{AppError, Ctx};
use futures_util::future::join3;
use ports::{LaneStore, PushStates};
use serde_json::{Value, json};

/// What the sweep needs.
#[derive(Clone)]
pub struct SweepCtx {
    /// Lanes of deliveries.
    pub lanes: Ctx<dyn LaneStore>,
    /// Chats.
    pub chats: ChatCtx,
    /// Streams that are pushed.
    pub pushes: Arc<dyn PushStates>,
}

/// Sweeps once. The answer says how many lanes were put on the queue again, how many chats were looked at, and how many
/// streams were put on the queue of pushes again.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down; the next run a minute later makes up for it.
pub async fn handle(ctx: SweepCtx, _event: Value) -> Result<Value, AppError> {
    let SweepCtx { lanes, chats, pushes } = &ctx;
    // None waits for another: what fails with one is no reason to leave the others.
    let pushes = app::chats::sweep_pushes(chats, pushes.as_ref());
    let (swept, looked_at, pushes) = join3(app::sweep(lanes), app::chats::sweep(chats), pushes).await;
    let (swept, looked_at, pushes) = (swept?, looked_at?, pushes?);
    if swept > 0 {
        tracing::warn!(swept, "{swept} lanes were due but on no queue");
    }
    if looked_at > 0 {
        tracing::warn!(looked_at, "{looked_at} chats were overdue");
    }
    if pushes > 0 {
        tracing::warn!(pushes, "{pushes} streams were due but on no queue");
    }
    Ok(json!({ "swept": swept, "chats": looked_at, "pushes": pushes }))
}
