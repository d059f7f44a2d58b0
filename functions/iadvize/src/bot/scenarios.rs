//! B1 `GET /iadvize/bot/external-bots`: the scenarios an administrator can choose from.

use std::sync::Arc;

use app::AppError;
use http::StatusCode;
use platform_iadvize::bot::Scenario;
use serde_json::{Value, json};
use wire::{RawRequest, Reply};

use super::BotCtx;
use crate::call::READING;
use crate::problem::{answer, answered};
use crate::{Problem, verify};

/// Answers with the scenarios as they are configured; with none where the site has no bot. Uses no table once the accounts are
/// known.
///
/// # Errors
/// [`AppError`] when accounts cannot be read.
pub async fn handle(ctx: Arc<BotCtx>, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, request).await)
}

async fn run(ctx: &BotCtx, request: RawRequest) -> Result<Reply, Problem> {
    let call = verify(&ctx.base, request, READING).await?;
    let found = call.site(call.query().get("idWebsite"))?;
    let scenarios = found.site.bot.as_ref().map_or(&[][..], |bot| bot.scenarios());
    Ok(answer(StatusCode::OK, &scenarios.iter().map(listed).collect::<Value>()))
}

fn listed(scenario: &Scenario) -> Value {
    let mut json = json!({"idBot": scenario.id, "name": scenario.name, "editorUrl": scenario.editor_url});
    if let Some(description) = &scenario.description {
        json["description"] = description.as_str().into();
    }
    json
}
