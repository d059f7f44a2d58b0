//! Schedule: whatever is due but on no queue goes onto one again, chats whose timer was lost are looked at, and connectors
//! are told what has changed of the registers they copy.

use std::sync::Arc;

use app::chats::ChatCtx;
use app::{AppError, Ctx};
use futures_util::future::join4;
use ports::{Askers, DirectoryStore, LaneStore, PushStates};
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
    /// Gateways that have asked for registers.
    pub askers: Arc<dyn Askers>,
    /// What is configured, as it is now.
    pub directory: Arc<dyn DirectoryStore>,
}

/// Sweeps once. The answer says how many lanes were put on the queue again, how many chats were looked at, how many
/// streams were put on the queue of pushes again, and how many registers were told.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down; the next run a minute later makes up for it.
pub async fn handle(ctx: SweepCtx, _event: Value) -> Result<Value, AppError> {
    let SweepCtx { lanes, chats, pushes, askers, directory } = &ctx;
    // None waits for another: what fails with one is no reason to leave the others.
    let pushes = app::chats::sweep_pushes(chats, pushes.as_ref());
    let registers = app::chats::sweep_registers(chats, askers.as_ref(), directory.as_ref(), chats_frontstage::register);
    let (swept, looked_at, pushes, registers) = join4(app::sweep(lanes), app::chats::sweep(chats), pushes, registers).await;
    let (swept, looked_at, pushes, registers) = (swept?, looked_at?, pushes?, registers?);
    if swept > 0 {
        tracing::warn!(swept, "{swept} lanes were due but on no queue");
    }
    if looked_at > 0 {
        tracing::warn!(looked_at, "{looked_at} chats were overdue");
    }
    if pushes > 0 {
        tracing::warn!(pushes, "{pushes} streams were due but on no queue");
    }
    Ok(json!({ "swept": swept, "chats": looked_at, "pushes": pushes, "registers": registers }))
}
