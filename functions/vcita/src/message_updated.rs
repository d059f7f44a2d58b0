//! A4, `PUT /messages/{message_uid}`: the status of a message changed.

use app::AppError;
use model::{Account, DeliveryContent, MessageId, ReceiptStatus};
use platform_vcita::{MessageUpdate, SentParts, Settings, WireError, event_keys, our_message, part_name};
use ports::{ReceiptOutcome, StatusStore};
use wire::{RawRequest, Reply};

use crate::{Ctx, no_content};

/// Stores what became of a message we injected. The status of a message staff wrote is known here already.
///
/// # Errors
/// [`AppError`] when the request did not happen; VCS may repeat it.
pub async fn handle(ctx: Ctx<dyn StatusStore>, request: RawRequest) -> Result<Reply, AppError> {
    let call = ctx.verify(request).await?;
    let update = match MessageUpdate::parse(&call.request) {
        Ok(update) => update,
        Err(error) => return Ok(error.reply()),
    };
    let Some(account) = ctx.account_of(&call, &update.channel_uid).await? else {
        return Ok(WireError::Unknown { field: "message_uid" }.reply());
    };
    let settings = Settings::of(&account).map_err(|_| AppError::Internal("settings of a business cannot be read"))?;
    let is_known = if let Some(message) = our_message(update.message_uid.as_str()) {
        match update.receipt() {
            Some(status) => note(&ctx, &account, &settings, message, update.message_uid.as_str(), status).await?,
            None => app::has_delivery(&ctx.base, &account.id, message, DeliveryContent::Message).await?,
        }
    } else {
        app::has_event(&ctx.base, &account.id, &event_keys(&account, update.message_uid.as_str())).await?
    };
    Ok(if is_known { no_content() } else { WireError::Unknown { field: "message_uid" }.reply() })
}

/// Stores the status of a message of ours, or of a part of it, and what follows for the whole. `false` if there is no such
/// message or part.
async fn note(
    ctx: &Ctx<dyn StatusStore>,
    account: &Account,
    settings: &Settings,
    message: MessageId,
    uid: &str,
    status: ReceiptStatus,
) -> Result<bool, AppError> {
    let base = &ctx.base;
    let outcome = match part_name(uid) {
        None => app::note_receipt(base, &account.id, message, status).await?,
        Some(part) => {
            let Some(item) = app::find_delivery(base, &account.id, message, DeliveryContent::Message).await? else {
                return Ok(false);
            };
            let parts = SentParts::of(settings, &item.message, item.delivery.route.as_deref());
            if !parts.contains(&part) {
                return Ok(false);
            }
            app::note_part(base, &account.id, message, (&part, status), &|told| parts.receipt(told)).await?
        }
    };
    Ok(outcome != ReceiptOutcome::Unknown)
}
