//! `/roxchat/{account}/commands`: outgoing chats that are asked for, taken by one page, and what became of them (sections 5 and 7.5).
//!
//! `POST` asks for one, `GET` takes one, `GET .../{id}` tells how far it is, `POST .../{id}/result` says so. Whoever takes one changes
//! the record in which it waits, so nobody else takes the same; and nothing ever puts it back.

use app::AppError;
use http::{Method, StatusCode};
use model::EpochMillis;
use platform_roxchat::{Command, CommandState, Purpose, Queue, Queued, Reported};
use ports::{PortError, Saved};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::info;
use uuid::Uuid;
use wire::{RawRequest, Reply};

use crate::problem::{answer, answered};
use crate::sheet::Sheet;
use crate::who::Found;
use crate::{Keeping, Problem, keys, views, who};

/// How often a call is tried again after somebody else changed the same.
const RACES: usize = 8;

/// How long it is told what became of a command.
const KEPT: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);

/// The longest code that is kept, in characters: Rox.Chat's longest known has 61.
const LONGEST_CODE: usize = 128;

/// Answers all of them.
///
/// # Errors
/// [`AppError`] when a backing service is down.
pub async fn handle(ctx: Keeping, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, request).await)
}

async fn run(ctx: &Keeping, request: RawRequest) -> Result<Reply, Problem> {
    let found = who::found(&ctx.base, &request).await?;
    match (&request.method, &request.segments()[2..]) {
        (&Method::GET, ["commands"]) => take(ctx, &found, &request).await,
        (&Method::POST, ["commands"]) => ask(ctx, &found, &request).await,
        (&Method::GET, ["commands", id]) => tell(ctx, &found, &request, id).await,
        (&Method::POST, ["commands", id, "result"]) => report(ctx, &found, &request, id).await,
        (_, ["commands"]) => Err(Problem::Method("GET, POST")),
        (_, ["commands", _, "result"]) => Err(Problem::Method("POST")),
        (_, ["commands", _]) => Err(Problem::Method("GET")),
        _ => Err(Problem::NotFound("unknown_command")),
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "visitorId")]
    visitor: String,
    #[serde(default)]
    agent: Option<String>,
}

/// A command with its id, as callers see it.
#[derive(Serialize)]
struct Told<'a> {
    id: &'a str,
    state: CommandState,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

/// Asks for an outgoing chat. A page asks for its own agent, unless it names another one; the backend for whoever has a page open.
async fn ask(ctx: &Keeping, found: &Found, request: &RawRequest) -> Result<Reply, Problem> {
    let page = who::page_or_backend(&ctx.base, found, request, true)?;
    let Asked { visitor, agent } = who::body(request)?;
    let is_id = |text: &str| (1..=128).contains(&text.chars().count());
    if !is_id(&visitor) || agent.as_deref().is_some_and(|agent| !is_id(agent)) {
        return Err(Problem::BadShape);
    }
    let agent = agent.or_else(|| page.map(|page| page.agent.id));
    for _ in 0..RACES {
        let now = ctx.base.clock.now();
        let mut sheet = Sheet::new(&*ctx.records);
        let known = views::visitor_of(&mut sheet, &found.account, &visitor, now).await?;
        // The pair must have been learnt from events (section 5).
        let Some((visitor, session)) = known.and_then(|(id, known)| Some((id, known.session?.id))) else {
            return Err(Problem::Conflict("session_unknown"));
        };
        let id = Uuid::try_parse(&ctx.base.dice.token()).map_err(|_| AppError::Internal("a token that is no UUID"))?.to_string();
        let (key, queue_key) = (keys::command(&found.account, &id), keys::queue(&found.account));
        sheet.read([key.clone(), queue_key.clone()], now).await?;
        let mut queue = sheet.get::<Queue>(&queue_key)?.unwrap_or_default();
        if queue.waits_for(&visitor, now) {
            return Err(Problem::Conflict("command_in_flight"));
        }
        let command = Command::new(visitor.clone(), session, now);
        if !queue.push(Queued { id: id.clone(), agent: agent.clone(), visitor, until: command.waits_until() }, now) {
            return Err(Problem::TooMany);
        }
        sheet.put(&key, &command, now.plus(KEPT))?;
        sheet.put(&queue_key, &queue, now.plus(ctx.kept))?;
        if sheet.save().await? == Saved::Yes {
            info!(account.id = %found.id(), command.id = id, "command {id} waits for a page");
            let told = Told { id: &id, state: CommandState::Queued, code: None };
            return Ok(answer(StatusCode::ACCEPTED, &json!({ "command": told })));
        }
    }
    Err(busy())
}

/// Gives the page that asks the oldest command that is for it, if there is one.
async fn take(ctx: &Keeping, found: &Found, request: &RawRequest) -> Result<Reply, Problem> {
    let page = who::page(&ctx.base, found, request, Purpose::Commands, false)?;
    for _ in 0..RACES {
        let now = ctx.base.clock.now();
        let mut sheet = Sheet::new(&*ctx.records);
        let queue_key = keys::queue(&found.account);
        let mut queue = sheet.look::<Queue>(&queue_key, now).await?.unwrap_or_default();
        let Some(Queued { id, .. }) = queue.next_for(&page.agent.id, now).cloned() else { break };
        let key = keys::command(&found.account, &id);
        let command = sheet.look::<Command>(&key, now).await?;
        queue.remove(&id, now);
        sheet.put(&queue_key, &queue, now.plus(ctx.kept))?;
        // Of one that somebody has, or nobody may have any more, only the waiting ends.
        let claimed = command.and_then(|mut command| command.claim(&page.page, now).then_some(command));
        if let Some(command) = &claimed {
            sheet.put(&key, command, now.plus(KEPT))?;
        }
        if sheet.save().await? == Saved::Conflict {
            continue;
        }
        if let Some(command) = claimed {
            info!(account.id = %found.id(), command.id = id, "command {id} claimed");
            return Ok(answer(StatusCode::OK, &json!({ "command": order(&id, &command) })));
        }
    }
    // Another page was quicker each time, or there is none: this one asks again in a moment.
    Ok(answer(StatusCode::OK, &json!({ "command": Value::Null })))
}

fn order(id: &str, command: &Command) -> Value {
    json!({
        "id": id,
        "action": "start_outgoing_chat",
        "visitorId": command.visitor,
        "roxchatVisitorId": command.visitor,
        "sessionId": command.session,
        "expiresAt": command.waits_until().to_utc_text(),
    })
}

async fn tell(ctx: &Keeping, found: &Found, request: &RawRequest, id: &str) -> Result<Reply, Problem> {
    who::page_or_backend(&ctx.base, found, request, false)?;
    let now = ctx.base.clock.now();
    let mut sheet = Sheet::new(&*ctx.records);
    let (id, command) = stored(&mut sheet, found, id, now).await?;
    Ok(answer(StatusCode::OK, &json!({ "command": told(&id, &command, now) })))
}

fn told<'a>(id: &'a str, command: &'a Command, now: EpochMillis) -> Told<'a> {
    let (state, code) = command.state(now);
    Told { id, state, code }
}

async fn stored(sheet: &mut Sheet<'_>, found: &Found, id: &str, now: EpochMillis) -> Result<(String, Command), Problem> {
    let id = Uuid::try_parse(id).map_err(|_| Problem::NotFound("unknown_command"))?.to_string();
    let command = sheet.look::<Command>(&keys::command(&found.account, &id), now).await?;
    Ok((id, command.ok_or(Problem::NotFound("unknown_command"))?))
}

#[derive(Deserialize)]
struct Report {
    state: CommandState,
    #[serde(default)]
    code: Option<String>,
}

/// Notes what became of a command.
async fn report(ctx: &Keeping, found: &Found, request: &RawRequest, id: &str) -> Result<Reply, Problem> {
    let page = who::page(&ctx.base, found, request, Purpose::Commands, true)?;
    let Report { state, code } = who::body(request)?;
    let is_report = match state {
        CommandState::Sent | CommandState::Confirmed | CommandState::Failed | CommandState::Unconfirmed => true,
        CommandState::Queued | CommandState::Claimed | CommandState::Expired => false,
    };
    let is_code = |code: &str| (1..=LONGEST_CODE).contains(&code.chars().count());
    if !is_report || code.as_deref().is_some_and(|code| !is_code(code)) {
        return Err(Problem::BadShape);
    }
    for _ in 0..RACES {
        let now = ctx.base.clock.now();
        let mut sheet = Sheet::new(&*ctx.records);
        let (id, mut command) = stored(&mut sheet, found, id, now).await?;
        match command.report(&page.page, state, code.as_deref(), now) {
            Reported::NotYours => return Err(Problem::NotYours),
            Reported::NoNews => {}
            Reported::Noted => {
                sheet.put(&keys::command(&found.account, &id), &command, now.plus(KEPT))?;
                if sheet.save().await? == Saved::Conflict {
                    continue;
                }
                // Whatever a page says is no word of Rox.Chat's until it looks like one.
                let is_word = |code: &&str| code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
                let (account, code) = (found.id(), code.as_deref().filter(is_word));
                info!(account.id = %account, command.id = id, command.state = ?state, command.code = code, "command {id} reported");
            }
        }
        return Ok(answer(StatusCode::OK, &json!({ "command": told(&id, &command, now) })));
    }
    Err(busy())
}

fn busy() -> Problem {
    AppError::Unavailable(PortError::Busy).into()
}
