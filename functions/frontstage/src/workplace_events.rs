//! `GET /v1/frontstage/workplaces/{number}/events`: what an agent's client is told.

use app::AppError;
use app::chats::note_poll;
use chat::Workplace;
use http::Method;
use ports::StreamKey;
use wire::{RawRequest, Reply};

use crate::{Ctx, access, streams, unknown_gateway};

/// Gives out what comes after a place of the workplace's stream. Whoever is logged in there stays so by asking.
///
/// # Errors
/// [`AppError`] when the request did not happen.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    let Some(number) = target(&request) else { return Ok(unknown_gateway().to_reply(&request.request_id)) };
    if let Some(reply) = access::wrong_method(&request, &Method::GET) {
        return Ok(reply);
    }
    let call = access::workplace(&ctx, number, request).await?;
    let desk = &call.proof.account;
    note_poll(&ctx.chats, desk, &call.workplace).await?;
    let stream = StreamKey::Workplace(desk.clone(), call.workplace.clone());
    streams::events(&ctx, &call.proof, &call.request, &stream, None).await
}

fn target(request: &RawRequest) -> Option<Workplace> {
    match request.segments()[..] {
        ["v1", "frontstage", "workplaces", number, "events"] => number.parse().ok(),
        _ => None,
    }
}
