//! F1 `GET /iadvize/closing-form`: the form that an agent fills in at the end of a conversation (section 8.1).

use app::AppError;
use http::StatusCode;
use platform_iadvize::closing_form;
use wire::{RawRequest, Reply};

use crate::call::READING;
use crate::problem::{answer, answered};
use crate::{Ctx, Problem, verify};

/// Answers with the form as it is configured, in the agent's language. Uses no table once the accounts are known.
///
/// # Errors
/// [`AppError`] when accounts cannot be read.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, request).await)
}

async fn run(ctx: &Ctx, request: RawRequest) -> Result<Reply, Problem> {
    let call = verify(ctx, request, READING).await?;
    let query = call.query();
    let site = &call.site(query.get("idWebsite"))?.site;
    let form = closing_form(&site.closing_form, &site.tongue(query.get("operatorLocale")));
    Ok(answer(StatusCode::OK, &form))
}
