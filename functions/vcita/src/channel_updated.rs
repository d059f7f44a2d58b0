//! A1, `PUT /channels/{channel_uid}`: the status of a channel changed.

use app::AppError;
use platform_vcita::{ChannelUpdate, Reported};
use ports::StatusStore;
use wire::{RawRequest, Reply};

use crate::{Call, Ctx, no_content};

/// Stores the channel's status; that of a channel nobody configured yet is parked.
///
/// # Errors
/// [`AppError`] when the request did not happen; VCS may repeat it.
pub async fn handle(ctx: Ctx<dyn StatusStore>, request: RawRequest) -> Result<Reply, AppError> {
    let Call { account, settings, request } = ctx.verify(request).await?;
    let update = match ChannelUpdate::parse(&request) {
        Ok(update) => update,
        Err(error) => return Ok(error.reply()),
    };
    match update.status {
        Reported::Known(status) => {
            let is_known = update.channel_uid == settings.channel_uid;
            app::note_installation(&ctx.base, &account.id, update.channel_uid.as_str(), status, is_known).await?;
        }
        Reported::Other(word) => tracing::warn!(account.id = %account.id, status_len = word.len(), "unknown channel status"),
    }
    Ok(no_content())
}
