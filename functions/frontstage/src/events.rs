//! `GET /v1/frontstage/{gateway}/events`: what a connector is told.

use app::AppError;
use http::Method;
use model::Slug;
use ports::StreamKey;
use wire::{RawRequest, Reply};

use crate::{Ctx, access, streams, unknown_gateway};

/// Gives out what comes after a place of the gateway's stream.
///
/// # Errors
/// [`AppError`] when the request did not happen.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    let Some(gateway) = target(&request) else { return Ok(unknown_gateway().to_reply(&request.request_id)) };
    if let Some(reply) = access::wrong_method(&request, &Method::GET) {
        return Ok(reply);
    }
    let call = access::gateway(&ctx, gateway, request).await?;
    streams::events(&ctx, &call.proof, &call.request, &StreamKey::Gateway(call.account.id)).await
}

fn target(request: &RawRequest) -> Option<Slug> {
    match request.segments()[..] {
        ["v1", "frontstage", gateway, "events"] => gateway.parse().ok(),
        _ => None,
    }
}
