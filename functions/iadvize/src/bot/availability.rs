//! B4 `GET /iadvize/bot/availability-strategies`: whether a bot is there. iAdvize asks about once a second for each bot.

use std::sync::Arc;

use app::AppError;
use http::StatusCode;
use platform_iadvize::OperatorId;
use platform_iadvize::bot::{Availability, Bot, KeptBot};
use ports::RecordChange;
use serde_json::{Value, json};
use tracing::warn;
use wire::{RawRequest, Reply};

use super::{BOT, BotCtx, HeldBot, UNKNOWN_RECHECK, key, written};
use crate::call::READING;
use crate::problem::{answer, answered};
use crate::{Found, Problem, verify};

/// Answers from memory. A bot that is not known is not there, nor is one that cannot be read.
///
/// # Errors
/// [`AppError`] when accounts cannot be read.
pub async fn handle(ctx: Arc<BotCtx>, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, request).await)
}

async fn run(ctx: &BotCtx, request: RawRequest) -> Result<Reply, Problem> {
    let call = verify(&ctx.base, request, READING).await?;
    let query = call.query();
    let found = call.site(query.get("idWebsite"))?;
    let operator = query.get("idOperator").ok_or(Problem::invalid("idOperator", "is missing"))?;
    let operator = OperatorId::parse(operator).ok_or(Problem::invalid("idOperator", "is not an operator such as ha-12345"))?;
    let strategy = match (&found.site.bot, ctx.bot_of(found, operator, UNKNOWN_RECHECK).await) {
        (Some(bot), Ok(Some(held))) => {
            note_seen(ctx, found, operator, &held).await;
            strategy(ctx, bot, &held.bot)
        }
        (_, Ok(_)) => not_available(),
        (_, Err(error)) => {
            warn!(%error, "a bot is told to be away: it could not be read");
            not_available()
        }
    };
    Ok(answer(StatusCode::OK, &[strategy]))
}

fn not_available() -> Value {
    json!({"strategy": "notAvailable"})
}

fn strategy(ctx: &BotCtx, bot: &Bot, kept: &KeptBot) -> Value {
    let scenario = bot.scenario(&kept.scenario).filter(|scenario| bot.is_on(scenario) && scenario.is_open(ctx.now()));
    let Some(scenario) = scenario else { return json!({"strategy": "customAvailability", "availability": false}) };
    let rules = kept.rule_ids();
    match scenario.availability {
        Availability::Always => json!({"strategy": "customAvailability", "availability": true}),
        // Without a rule nobody can be asked.
        Availability::AtLeastOne | Availability::All if rules.is_empty() => not_available(),
        Availability::AtLeastOne => json!({"strategy": "atLeastOne", "distributionRulesToCheck": rules}),
        Availability::All => json!({"strategy": "all", "distributionRulesToCheck": rules}),
    }
}

/// Notes once a day that iAdvize still has the bot. Whoever was faster has noted the same; a failure is made up for tomorrow.
async fn note_seen(ctx: &BotCtx, found: &Found, operator: OperatorId, held: &HeldBot) {
    let now = ctx.now();
    if !held.bot.is_unseen(now) || !ctx.bots.takes_note(&found.account.id, operator.number(), now) {
        return;
    }
    let seen = KeptBot { seen_at: now, ..held.bot.clone() };
    let key = key(&found.account.id, BOT, operator.number().to_string());
    let Ok(body) = written(&seen) else { return };
    if let Err(error) = ctx.records.keep_records(&[RecordChange { key, rev: held.rev, body, ends_at: None }]).await {
        warn!(%error, "that a bot is still there could not be noted");
    }
}
