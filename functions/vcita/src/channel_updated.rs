//! A1, `PUT /channels/{channel_uid}`: the status of a channel changed.

use app::AppError;
use model::RemoteStatus;
use platform_vcita::{ChannelUpdate, Reported};
use wire::{RawRequest, Reply};

use crate::{ChannelStore, Ctx, account_of, no_content, offboarding};

/// Stores the channel's status; that of a channel nobody knows yet is parked. One that was deleted ends the business's
/// connection.
///
/// # Errors
/// [`AppError`] when the request did not happen; VCS may repeat it.
pub async fn handle(ctx: Ctx<dyn ChannelStore>, request: RawRequest) -> Result<Reply, AppError> {
    let call = ctx.verify(request).await?;
    let update = match ChannelUpdate::parse(&call.request) {
        Ok(update) => update,
        Err(error) => return Ok(error.reply()),
    };
    let status = match update.status {
        Reported::Known(status) => status,
        Reported::Other(word) => {
            tracing::warn!(account.id = %call.app, status_len = word.len(), "unknown channel status");
            return Ok(no_content());
        }
    };
    let (base, channel) = (ctx.statuses(), update.channel_uid.as_str());
    let mut account = ctx.account_of(&call, &update.channel_uid).await?;
    if account.is_none() {
        app::note_installation(&base, &call.app, channel, status, false).await?;
        // Whoever makes the channel writes it down first and looks for a parked status then: one of us sees the other.
        account = account_of(&*ctx.roster.afresh().await?, &call.app, &update.channel_uid);
    }
    if let Some(account) = account {
        if status == RemoteStatus::Deleted {
            offboarding::close(&*ctx.base.store, &account.id, Some(channel), ctx.base.clock.now()).await?;
        }
        app::note_installation(&base, &account.id, channel, status, true).await?;
        let word = match status {
            RemoteStatus::Blocked => Some("blocked"),
            RemoteStatus::Deleted => Some("deleted"),
            RemoteStatus::Pending | RemoteStatus::Active | RemoteStatus::Inactive | RemoteStatus::Failed => None,
        };
        if let Some(word) = word {
            // Whoever waits for this staff waits on: only an operator can give their chats to somebody else.
            tracing::error!(account.id = %account.id, "the channel of {} is {word}: its staff is told nothing", account.id);
        }
    }
    Ok(no_content())
}
