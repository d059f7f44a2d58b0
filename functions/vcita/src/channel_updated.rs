//! A1, `PUT /channels/{channel_uid}`: the status of a channel changed.

use app::AppError;
use model::RemoteStatus;
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
            let word = match status {
                RemoteStatus::Blocked => Some("blocked"),
                RemoteStatus::Deleted => Some("deleted"),
                RemoteStatus::Pending | RemoteStatus::Active | RemoteStatus::Inactive | RemoteStatus::Failed => None,
            };
            if let Some(word) = word.filter(|_| is_known) {
                // Whoever waits for this staff waits on: only an operator can give their chats to somebody else.
                tracing::error!(account.id = %account.id, "the channel of {} is {word}: its staff is told nothing", account.id);
            }
        }
        Reported::Other(word) => tracing::warn!(account.id = %account.id, status_len = word.len(), "unknown channel status"),
    }
    Ok(no_content())
}
