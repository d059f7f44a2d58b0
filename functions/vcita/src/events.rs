//! `POST /events`: generic events of vcita (section 9.8).

use std::time::Duration;

use app::AppError;
use model::{EventKey, RemoteStatus};
use platform_vcita::{EventKind, PlatformEvent, Settings};
use wire::signature::sha256_hex;
use wire::{RawRequest, Reply};

use crate::{ChannelStore, Ctx, no_content, offboarding};

/// How long a body is remembered (section 14, dedupe retention).
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);

/// Ends the connection of a business that stops with the app; all other events are taken and change nothing. A body that was
/// dealt with is not looked at again: it may be repeated after the business has come back.
///
/// # Errors
/// [`AppError`] when the request did not happen; vcita may repeat it.
pub async fn handle(ctx: Ctx<dyn ChannelStore>, request: RawRequest) -> Result<Reply, AppError> {
    let call = ctx.verify(request).await?;
    let event = match PlatformEvent::parse(&call.request) {
        Ok(event) => event,
        Err(error) => return Ok(error.reply()),
    };
    if event.kind == EventKind::Other {
        return Ok(no_content());
    }
    let (store, now) = (&ctx.base.store, ctx.base.clock.now());
    let name = EventKey::new("event", [sha256_hex(&call.request.get().body).as_str()]);
    if store.has_happened(&call.app, &name, now).await? {
        return Ok(no_content());
    }
    match event.stopped(&call.secrets) {
        Some(business) => {
            // A channel may have been made a moment ago.
            let snapshot = ctx.roster.afresh().await?;
            for account in snapshot.directory.accounts_of(&call.app) {
                let is_its = Settings::of(account).is_ok_and(|settings| settings.business_uid == business);
                if !is_its {
                    continue;
                }
                offboarding::close(&**store, &account.id, account.installation(), now).await?;
                let Some(channel) = account.installation() else { continue };
                app::note_installation(&ctx.statuses(), &account.id, channel, RemoteStatus::Deleted, true).await?;
            }
        }
        None => tracing::info!(account.id = %call.app, "event {:?} of {} changes nothing", event.kind, call.app),
    }
    // Only now: what was not done is done by the repetition.
    store.note_happened(&call.app, &name, now.plus(REMEMBERED)).await?;
    Ok(no_content())
}
