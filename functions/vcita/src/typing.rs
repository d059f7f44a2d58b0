//! A5, `POST` or `PUT /{session_uid}/typing`: staff types.

use app::AppError;
use app::chats::{ChatCtx, staff_types};
use platform_vcita::{StaffTyping, WireError};
use ports::ThreadStore;
use wire::{RawRequest, Reply};

use crate::{Call, Ctx, no_content};

/// Lets the visitor see it, if the session's conversation is a chat that this staff answers. Nothing waits anywhere for it
/// (section 8.4).
///
/// # Errors
/// [`AppError`] when the request did not happen; VCS may repeat it.
pub async fn handle(ctx: Ctx<dyn ThreadStore>, chats: ChatCtx, request: RawRequest) -> Result<Reply, AppError> {
    let Call { app, request, .. } = ctx.verify(request).await?;
    let typing = match StaffTyping::parse(&request) {
        Ok(typing) => typing,
        Err(error) => return Ok(error.reply()),
    };
    let found = ctx.base.store.lane_of(&app, typing.session_uid.as_str()).await?;
    let Some(lane) = found else { return Ok(WireError::Unknown { field: "session_uid" }.reply()) };
    staff_types(&chats, &lane.recipient, lane.conversation, typing.is_typing).await?;
    Ok(no_content())
}
