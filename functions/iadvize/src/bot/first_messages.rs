//! B5 `GET /iadvize/bot/bots/{idOperator}/conversation-first-messages`: what stands in the chat box before the visitor writes.

use std::sync::Arc;
use std::time::Duration;

use app::AppError;
use http::StatusCode;
use platform_iadvize::OperatorId;
use platform_iadvize::bot::Turn;
use serde_json::{Value, json};
use tracing::warn;
use wire::{RawRequest, Reply};

use super::{BotCtx, HeldBot, REFRESH_AFTER, UNKNOWN_RECHECK, lang, operator_in, site_bot};
use crate::call::READING;
use crate::problem::{answer, answered};
use crate::{Call, Found, Problem, verify};

/// iAdvize waits two seconds (section 10.2).
const DEADLINE: Duration = Duration::from_millis(1200);

/// Answers from memory; without first messages where the bot cannot be read in time.
///
/// # Errors
/// [`AppError`] when accounts cannot be read.
pub async fn handle(ctx: Arc<BotCtx>, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, request).await)
}

async fn run(ctx: &BotCtx, request: RawRequest) -> Result<Reply, Problem> {
    let call = verify(&ctx.base, request, READING).await?;
    let operator = operator_in(&call)?;
    let replies = match ctx.within(DEADLINE, first_messages(ctx, &call, operator)).await {
        Some(Ok(replies)) => replies,
        Some(Err(Problem::Ours(error))) => {
            warn!(%error, "first messages are left out: the bot could not be read");
            json!([])
        }
        Some(Err(problem)) => return Err(problem),
        None => {
            warn!("first messages are left out: the bot could not be read in time");
            json!([])
        }
    };
    Ok(answer(StatusCode::OK, &json!({ "replies": replies })))
}

/// The call does not say which site it is about: of those of the connector, the one whose bot the operator is.
async fn first_messages(ctx: &BotCtx, call: &Call, operator: OperatorId) -> Result<Value, Problem> {
    let with_bots =
        || call.sites().iter().filter(|found| found.site.bot.is_some() && operator.is_at(found.site.website.platform()));
    // Whoever is in memory is found there, whichever site it is.
    for found in with_bots() {
        if let Some(held) = ctx.bots.held(&found.account.id, operator.number(), ctx.now(), REFRESH_AFTER) {
            return said_first(call, found, &held);
        }
    }
    for found in with_bots() {
        if let Some(held) = ctx.bot_of(found, operator, UNKNOWN_RECHECK).await? {
            return said_first(call, found, &held);
        }
    }
    Err(Problem::NotFound("there is no such bot"))
}

fn said_first(call: &Call, found: &Found, held: &HeldBot) -> Result<Value, Problem> {
    if !call.may_be_about(found) {
        return Err(Problem::Forbidden);
    }
    let bot = site_bot(found)?;
    let Some(scenario) = bot.scenario(&held.bot.scenario).filter(|scenario| bot.is_on(scenario)) else { return Ok(json!([])) };
    let rules = held.bot.rule_ids();
    let turn = Turn { bot, lang: lang(found, &held.bot), rules: &rules, has_desk: false };
    Ok(turn.first_messages(scenario).to_json())
}
