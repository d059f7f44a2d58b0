//! A4, `PUT /messages/{message_uid}`: the status of a message changed.

use app::AppError;
use model::DeliveryContent;
use platform_vcita::{MessageUpdate, WireError, event_keys, our_message};
use ports::{ReceiptOutcome, StatusStore};
use wire::{RawRequest, Reply};

use crate::{Call, Ctx, no_content};

/// Stores what became of a message we injected. The status of a message staff wrote is known here already.
///
/// # Errors
/// [`AppError`] when the request did not happen; VCS may repeat it.
pub async fn handle(ctx: Ctx<dyn StatusStore>, request: RawRequest) -> Result<Reply, AppError> {
    let Call { account, settings, request } = ctx.verify(request).await?;
    let update = match MessageUpdate::parse(&request) {
        Ok(update) => update,
        Err(error) => return Ok(error.reply()),
    };
    let is_known = if update.channel_uid != settings.channel_uid {
        false
    } else if let Some(message) = our_message(update.message_uid.as_str()) {
        match update.receipt() {
            Some(status) => app::note_receipt(&ctx.base, &account.id, message, status).await? != ReceiptOutcome::Unknown,
            None => app::has_delivery(&ctx.base, &account.id, message, DeliveryContent::Message).await?,
        }
    } else {
        app::has_event(&ctx.base, &account.id, &event_keys(&account, update.message_uid.as_str())).await?
    };
    Ok(if is_known { no_content() } else { WireError::Unknown { field: "message_uid" }.reply() })
}
