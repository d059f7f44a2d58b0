//! A3, `POST /messages`: staff wrote to a visitor.

use app::{Accepted, AppError};
use lambda::Metric;
use platform_vcita::{Settings, StaffMessage, WireError};
use ports::InboundStore;
use wire::{RawRequest, Reply};

use crate::{Ctx, no_content};

/// Stores the message and enqueues its delivery, then answers 204.
///
/// # Errors
/// [`AppError`] when the request did not happen; VCS may repeat it.
pub async fn handle(ctx: Ctx<dyn InboundStore>, request: RawRequest) -> Result<Reply, AppError> {
    let call = ctx.verify(request).await?;
    let staff = match StaffMessage::parse(&call.request) {
        Ok(staff) => staff,
        Err(error) => return Ok(error.reply()),
    };
    let Some(account) = ctx.account_of(&call, &staff.channel_uid).await? else {
        return Ok(WireError::Unknown { field: "channel_uid" }.reply());
    };
    if staff.is_echo() {
        return Ok(no_content());
    }
    let Ok(settings) = Settings::of(&account) else {
        return Err(AppError::Internal("settings of an account cannot be read"));
    };
    let message = match staff.desk_message(settings.html, ctx.base.clock.now()) {
        Ok(message) => message,
        Err(error) => return Ok(error.reply()),
    };
    match app::accept_desk(&ctx.base, &account, staff.channel_uid.as_str(), message).await? {
        None => Ok(WireError::Unknown { field: "external_uid" }.reply()),
        Some(Accepted::Stored(id)) => {
            ctx.count(Metric::Accepted);
            tracing::info!(message.id = %id, account.id = %account.id, "message {id} accepted from {}", account.id);
            Ok(no_content())
        }
        Some(Accepted::Duplicate(_) | Accepted::Refused(_)) => Ok(no_content()),
    }
}
