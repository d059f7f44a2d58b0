//! B2 `PUT` and B3 `GET /iadvize/bot/bots/{idOperator}`: which scenario an operator of iAdvize follows.

use std::sync::Arc;

use app::AppError;
use http::{Method, StatusCode};
use model::EpochMillis;
use platform_iadvize::OperatorId;
use platform_iadvize::bot::{Bot, KeptBot, Link, ScenarioLink};
use ports::{RecordChange, Saved};
use serde_json::{Value, json};
use wire::{RawRequest, Reply};

use super::{BOT, BotCtx, SCENARIO, key, operator_in, site_bot, written};
use crate::call::Methods;
use crate::problem::{answer, answered};
use crate::{Found, Problem, verify};

/// Reading and telling.
const METHODS: Methods = Methods(&[Method::GET, Method::HEAD, Method::PUT], "GET, HEAD, PUT");

/// How often somebody else may have been faster.
const MOST_TRIES: usize = 5;

/// Serves both.
///
/// # Errors
/// [`AppError`] when accounts or bots cannot be read, or a bot cannot be stored.
pub async fn handle(ctx: Arc<BotCtx>, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, request).await)
}

async fn run(ctx: &BotCtx, request: RawRequest) -> Result<Reply, Problem> {
    let call = verify(&ctx.base, request, METHODS).await?;
    let found = call.site(call.query().get("idWebsite"))?;
    let platform = found.site.website.platform();
    let operator = operator_in(&call)?;
    if !operator.is_at(platform) {
        return Err(Problem::invalid("idOperator", "is of the other platform"));
    }
    let operator = operator.at(platform);
    let bot = site_bot(found)?;
    let kept = if call.request().method == Method::PUT {
        let link = Link::read(&call.request().body)?;
        link_to(ctx, found, bot, operator, &link).await?
    } else {
        let (_, kept) = ctx.read::<KeptBot>(&key(&found.account.id, BOT, operator.number().to_string())).await?;
        kept.ok_or(Problem::NotFound("there is no such bot"))?
    };
    Ok(answer(StatusCode::OK, &told(bot, &kept)))
}

/// Stores the choice, which is made again with every change of the operator.
async fn link_to(ctx: &BotCtx, found: &Found, bot: &Bot, operator: OperatorId, link: &Link) -> Result<KeptBot, Problem> {
    if bot.scenario(&link.scenario).is_none() {
        return Err(Problem::Unprocessable("there is no such scenario", "external.idBot"));
    }
    for _ in 0..MOST_TRIES {
        if let Some(kept) = try_link(ctx, found, operator, link).await? {
            return Ok(kept);
        }
    }
    Err(AppError::Internal("a bot that is changed all the time").into())
}

/// `None` if somebody else was faster.
async fn try_link(ctx: &BotCtx, found: &Found, operator: OperatorId, link: &Link) -> Result<Option<KeptBot>, Problem> {
    let (now, account, number) = (ctx.now(), &found.account.id, operator.number());
    let own = key(account, BOT, number.to_string());
    let (rev, before) = ctx.read::<KeptBot>(&own).await?;
    let of_scenario = key(account, SCENARIO, link.scenario.clone());
    let (link_rev, owner) = ctx.read::<ScenarioLink>(&of_scenario).await?;
    let mut changes = Vec::new();
    let end = |key, rev, body| RecordChange { key, rev, body, ends_at: Some(now) };
    if let Some(other) = owner.as_ref().map(|owner| owner.operator).filter(|other| *other != number) {
        let theirs = key(account, BOT, other.to_string());
        let (their_rev, their_bot) = ctx.read::<KeptBot>(&theirs).await?;
        if let Some(their_bot) = their_bot.filter(|theirs| theirs.scenario == link.scenario) {
            // No call says that a bot is gone (section 10.1), so one of which nothing is asked for long is taken for that.
            if now.since(their_bot.seen_at) < KeptBot::SILENCE {
                return Err(Problem::Conflict("another operator has this scenario"));
            }
            changes.push(end(theirs, their_rev, written(&their_bot)?));
        }
    }
    let kept = KeptBot {
        operator: operator.to_string(),
        scenario: link.scenario.clone(),
        name: link.name.clone(),
        pseudo: link.pseudo.clone(),
        language: link.language.clone(),
        rules: link.rules.clone(),
        created_at: before.as_ref().map_or(now, |before| before.created_at),
        updated_at: now,
        seen_at: now,
    };
    let is_owner = owner.as_ref().is_some_and(|owner| owner.operator == number);
    if let Some(before) = before.as_ref().filter(|before| is_owner && before.says_the_same_as(&kept)) {
        return Ok(Some(before.clone()));
    }
    if !is_owner {
        let body = written(&ScenarioLink { operator: number })?;
        changes.push(RecordChange { key: of_scenario, rev: link_rev, body, ends_at: None });
    }
    if let Some(before) = before.filter(|before| before.scenario != link.scenario) {
        let of_old = key(account, SCENARIO, before.scenario);
        let (old_rev, old) = ctx.read::<ScenarioLink>(&of_old).await?;
        if let Some(old) = old.filter(|old| old.operator == number) {
            changes.push(end(of_old, old_rev, written(&old)?));
        }
    }
    changes.push(RecordChange { key: own, rev, body: written(&kept)?, ends_at: None });
    match ctx.records.keep_records(&changes).await? {
        Saved::Yes => Ok(Some(kept)),
        Saved::Conflict => Ok(None),
    }
}

/// A bot as iAdvize reads it.
fn told(bot: &Bot, kept: &KeptBot) -> Value {
    let mut external = json!({"idBot": kept.scenario, "editorUrl": bot.editor_url(&kept.scenario)});
    if let Some(scenario) = bot.scenario(&kept.scenario) {
        external["name"] = scenario.name.as_str().into();
        if let Some(description) = &scenario.description {
            external["description"] = description.as_str().into();
        }
    }
    let text = |at: EpochMillis| at.to_utc_text();
    json!({
        "idOperator": kept.operator,
        "external": external,
        "distributionRules": kept.rules,
        "createdAt": text(kept.created_at),
        "updatedAt": text(kept.updated_at),
    })
}
