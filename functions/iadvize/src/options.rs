//! O1 `GET /iadvize/options/{key}`: the choices of an installation parameter (section 5.2).

use app::AppError;
use http::StatusCode;
use wire::{RawRequest, Reply};

use crate::call::READING;
use crate::problem::{answer, answered};
use crate::{Ctx, Problem, verify};

/// Answers with the choices as they are configured. Uses no table once the accounts are known.
///
/// # Errors
/// [`AppError`] when accounts cannot be read.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, request).await)
}

async fn run(ctx: &Ctx, request: RawRequest) -> Result<Reply, Problem> {
    let call = verify(ctx, request, READING).await?;
    let site = &call.site(call.query().get("idWebsite"))?.site;
    let segments = call.request().segments();
    let key = segments.last().copied().unwrap_or_default();
    let choices = site.options.get(key).ok_or(Problem::NotFound("there is no such parameter"))?;
    Ok(answer(StatusCode::OK, choices))
}
