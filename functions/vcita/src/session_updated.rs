//! A2, `PUT /sessions/{session_uid}`: the status of a session changed.

use app::AppError;
use platform_vcita::{Reported, SessionUpdate};
use ports::StatusStore;
use wire::{RawRequest, Reply};

use crate::{Call, Ctx, no_content};

/// Stores the session's status and wakes what waits for it; that of a session nobody knows yet is parked.
///
/// # Errors
/// [`AppError`] when the request did not happen; VCS may repeat it.
pub async fn handle(ctx: Ctx<dyn StatusStore>, request: RawRequest) -> Result<Reply, AppError> {
    let Call { app, request, .. } = ctx.verify(request).await?;
    let update = match SessionUpdate::parse(&request) {
        Ok(update) => update,
        Err(error) => return Ok(error.reply()),
    };
    match update.status {
        Reported::Known(status) => {
            app::note_thread(&ctx.base, &app, update.session_uid.as_str(), status).await?;
        }
        Reported::Other(word) => tracing::warn!(account.id = %app, status_len = word.len(), "unknown session status"),
    }
    Ok(no_content())
}
