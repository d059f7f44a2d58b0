//! What time does to chats.

use std::time::Duration;

use model::{ChatTask, ConversationId, EpochMillis};
use tracing::warn;

use super::cause::Cause;
use super::commit::carry_out;
use super::{Asking, ChatCtx, desk};
use crate::{AppError, SWEEP_GRACE};

/// Chats of one round of the sweep; what is left over is found by the next one.
const ROUND: usize = 100;

/// Looks at a chat because its timer says so. A timer that comes early, late, twice or for nothing does no harm.
///
/// # Errors
/// [`AppError`] when it is not known to be done: the queue is expected to bring it again.
pub async fn tick(ctx: &ChatCtx, task: &ChatTask) -> Result<(), AppError> {
    let ChatTask::V1 { conversation, at } = *task;
    look(ctx, conversation, Some(at)).await
}

/// Looks at chats whose timer was lost. Returns how many.
///
/// # Errors
/// [`AppError`] when there are some and none of them could be dealt with.
pub async fn sweep(ctx: &ChatCtx) -> Result<usize, AppError> {
    let overdue = ctx.chats.overdue(before(ctx.clock.now(), SWEEP_GRACE), ROUND).await?;
    let mut swept = 0;
    let mut failed = None;
    for conversation in overdue {
        match look(ctx, conversation, None).await {
            Ok(()) => swept += 1,
            // It must not hold up the others.
            Err(error) => {
                warn!(conversation.id = %conversation, "overdue chat of {conversation} not dealt with: {error}");
                failed = Some(error);
            }
        }
    }
    match failed {
        Some(error) if swept == 0 => Err(error),
        Some(_) | None => Ok(swept),
    }
}

pub(super) async fn look(ctx: &ChatCtx, conversation: ConversationId, at: Option<EpochMillis>) -> Result<(), AppError> {
    let turned = carry_out(ctx, &Cause::Time { conversation, at }, &Asking::default()).await?;
    desk::offer_after(ctx, &turned).await;
    Ok(())
}

/// The instant that lies `by` before `now`.
pub(super) fn before(now: EpochMillis, by: Duration) -> EpochMillis {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    EpochMillis::new(now.millis().saturating_sub(by))
}
