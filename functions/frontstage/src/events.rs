//! `GET /v1/frontstage/{gateway}/events`: what a connector is told.

use app::{AppError, HandOutCtx};
use http::Method;
use model::Slug;
use ports::StreamKey;
use wire::{RawRequest, Reply};

use crate::{Ctx, access, streams, unknown_gateway};

/// What the handler needs.
#[derive(Clone)]
pub struct EventsCtx {
    /// What every route needs.
    pub base: Ctx,
    /// What begins when messages are fetched.
    pub fetched: HandOutCtx,
}

/// Gives out what comes after a place of the gateway's stream.
///
/// # Errors
/// [`AppError`] when the request did not happen.
pub async fn handle(EventsCtx { base: ctx, fetched }: EventsCtx, request: RawRequest) -> Result<Reply, AppError> {
    let Some(gateway) = target(&request) else { return Ok(unknown_gateway().to_reply(&request.request_id)) };
    if let Some(reply) = access::wrong_method(&request, &Method::GET) {
        return Ok(reply);
    }
    let call = access::gateway(&ctx, gateway, request).await?;
    streams::events(&ctx, &call.proof, &call.request, &StreamKey::Gateway(call.account.id), Some(&fetched)).await
}

fn target(request: &RawRequest) -> Option<Slug> {
    match request.segments()[..] {
        ["v1", "frontstage", gateway, "events"] => gateway.parse().ok(),
        _ => None,
    }
}
