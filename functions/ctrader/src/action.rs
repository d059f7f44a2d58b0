//! `GET /inapp/api/action`, `PUT …/progress`, `POST …/submit`: what somebody does on the action screen (section 5).
//!
//! Operations on the table: a look and a saved step read two records, and a step writes one. A submission reads two and one for
//! each file that it names, writes its end, stores the result for delivery and puts it on the queue, and notes that.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::{AppError, accept_own};
use futures_util::FutureExt as _;
use http::Method;
use platform_ctrader::{
    ActionResult, ActionType, Answers, Broken, FormStep, Kind, MAX_FILES, Redeemed, SinkRule, Status, action_of, hashed,
};
use ports::{InboundStore, RecordChange, RecordKey, Saved};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use wire::{RawRequest, Reply};

use crate::call::{Operation, body, change, ok, read, serve};
use crate::upload::{Upload, UploadState};
use crate::{Code, Ctx, Problem, Visit, visit};

/// How often a submission is looked at again after somebody else changed its record.
const RACES: usize = 8;

/// All answers of an action together, in bytes: they become one message.
const MAX_ANSWERS: usize = 100_000;

/// What the route needs.
pub struct ActionCtx {
    /// What every route needs.
    pub base: Ctx,
    /// Where results are stored for delivery.
    pub results: app::Ctx<dyn InboundStore>,
}

/// What is kept of a person's doing of an action.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Progress {
    /// The step that is open.
    step: Option<String>,
    /// What was answered. Personal data.
    answers: Answers,
    /// How it ended, if it has.
    result: Option<Ended>,
    /// Whether the result is stored for delivery.
    #[serde(default)]
    is_told: bool,
}

/// The end of an action.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ended {
    id: String,
    status: Status,
    message: Option<String>,
    /// The session in which it was submitted.
    session: String,
    /// What its sinks are told.
    said: Map<String, Value>,
    at: model::EpochMillis,
}

/// Serves the route.
///
/// # Errors
/// None that are not answered.
pub async fn handle(ctx: Arc<ActionCtx>, request: RawRequest) -> Result<Reply, AppError> {
    let operations = [
        Operation { method: Method::GET, path: &["action"], run: |ctx, request, _| look(ctx, request).boxed() },
        Operation { method: Method::PUT, path: &["action", "progress"], run: |ctx, request, _| save(ctx, request).boxed() },
        Operation { method: Method::POST, path: &["action", "submit"], run: |ctx, request, _| submit(ctx, request).boxed() },
    ];
    serve(ctx, &operations, &request).await
}

/// An action that a session was opened for, and how far its person is.
struct Open {
    visit: Visit,
    action: ActionType,
    key: RecordKey,
    progress: Progress,
    rev: u64,
}

impl Open {
    async fn of(ctx: &ActionCtx, request: &RawRequest) -> Result<Self, Problem> {
        let visit = visit(&ctx.base, request).await?;
        let name = visit.session.params.get("actionType").and_then(Value::as_str).filter(|_| visit.session.screen == "action");
        let name = name.ok_or(Problem::not_found())?;
        let action = action_of(&visit.found.brand.actions, name);
        let action = action.map_err(|_| AppError::Internal("an action that cannot be read"))?.ok_or(Problem::not_found())?;
        let id = match action.code_param().and_then(|name| param(&visit, name)) {
            // Each code is an action of its own. It is the link's, so of any length.
            Some(code) => format!("{}/{}", action.name, hashed(&code.to_lowercase())),
            None => action.name.clone(),
        };
        let key = visit.record("action", id);
        let mut open = Self { visit, action, key, progress: Progress::default(), rev: 0 };
        open.read(&ctx.base).await?;
        Ok(open)
    }

    /// Reads how far it is. What can be done again is open anew for a later session.
    async fn read(&mut self, ctx: &Ctx) -> Result<(), Problem> {
        let (progress, rev) = read::<Progress>(ctx, &self.key).await?;
        let (visit, is_repeatable) = (&self.visit, self.action.is_repeatable);
        let is_over = |progress: &Progress| {
            let session = progress.result.as_ref().map(|ended| &ended.session);
            is_repeatable && progress.is_told && session.is_some_and(|session| *session != visit.id)
        };
        self.progress = progress.filter(|progress| !is_over(progress)).unwrap_or_default();
        self.rev = rev;
        Ok(())
    }

    fn result(&self, ended: &Ended) -> Value {
        let redirect = self.action.sinks.is_empty() || self.action.sinks.contains(&SinkRule::SuccessUrl);
        let mut result = json!({"id": ended.id, "status": ended.status, "redirect": redirect});
        if let (Some(message), Some(members)) = (&ended.message, result.as_object_mut()) {
            members.insert("message".to_owned(), message.as_str().into());
        }
        result
    }

    /// Stores the result for delivery, if that is not known to be done. The answer that it is accepted waits for that.
    async fn tell(&mut self, ctx: &ActionCtx) -> Result<(), Problem> {
        let Some(ended) = self.progress.result.clone().filter(|_| !self.progress.is_told) else { return Ok(()) };
        let Visit { found, session, .. } = &self.visit;
        let result = ActionResult {
            id: &ended.id,
            person: session.person,
            name: session.name.as_deref(),
            lang: &session.lang,
            action: &self.action,
            status: ended.status.as_str(),
            at: ended.at,
            said: ended.said,
        };
        // Stored or stored before: the same.
        accept_own(&ctx.results, &found.account, result.message()).await?;
        tracing::info!(account.id = %found.account.id, "result {} of {} accepted", ended.id, self.action.name);
        self.progress.is_told = true;
        // What was answered is with the result from now on. That it was done is kept for as long as it counts.
        let told = Progress {
            answers: Answers::new(),
            result: self.progress.result.clone().map(|ended| Ended { said: Map::new(), ..ended }),
            ..self.progress.clone()
        };
        let mut change = change(&ctx.base, self.key.clone(), self.rev, &told)?;
        change.ends_at = change.ends_at.filter(|_| self.action.is_repeatable);
        // Whoever was first has noted it too.
        let (Saved::Yes | Saved::Conflict) = ctx.base.records.keep_records(&[change]).await?;
        Ok(())
    }
}

/// A parameter of the action, as whoever made the link wrote it.
fn param(visit: &Visit, name: &str) -> Option<String> {
    let text = visit.session.params.get("actionParams")?.get(name)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

async fn look(ctx: &ActionCtx, request: &RawRequest) -> Result<Reply, Problem> {
    let mut open = Open::of(ctx, request).await?;
    // One that broke off between its end and its delivery.
    open.tell(ctx).await?;
    let Open { action, progress, rev, visit, .. } = &open;
    let first = action.steps.first().map(|step| step.id.clone());
    let step = progress.step.clone().filter(|step| action.step(step).is_some()).or(first);
    let mut answer = json!({
        "action": action.shown(&visit.session.lang),
        "progress": {"rev": rev, "step": step, "answers": progress.answers},
        "state": if progress.result.is_some() { "done" } else { "open" },
    });
    if let (Some(ended), Some(members)) = (&progress.result, answer.as_object_mut()) {
        members.insert("result".to_owned(), open.result(ended));
    }
    Ok(ok(&answer))
}

#[derive(Deserialize)]
struct Step {
    rev: u64,
    step: String,
    answers: Map<String, Value>,
}

async fn save(ctx: &ActionCtx, request: &RawRequest) -> Result<Reply, Problem> {
    let Step { rev, step: id, answers } = body(request)?;
    let mut open = Open::of(ctx, request).await?;
    let Some((step, next)) = open.action.step(&id) else { return Err(Problem::invalid("step")) };
    if open.progress.result.is_some() || open.rev != rev {
        return Err(Problem::refused(Code::Conflict));
    }
    let before = open.action.first_open(&open.progress.answers).map(|(step, _)| step.id.clone());
    let place = |id: &str| open.action.steps.iter().position(|step| step.id == id);
    if before.is_some_and(|before| place(&before) < place(&id)) {
        return Err(Problem::invalid("step"));
    }
    let mut errors = step.schema.errors(&answers);
    if errors.is_empty() {
        errors = files(&ctx.base, &open.visit, step, &answers).await?.err().unwrap_or_default();
    }
    if !errors.is_empty() {
        return Err(Problem::Fields(errors));
    }
    let next = next.unwrap_or(step).id.clone();
    open.progress.answers.insert(id, answers);
    open.progress.step = Some(next.clone());
    if serde_json::to_string(&open.progress.answers).is_ok_and(|text| text.len() > MAX_ANSWERS) {
        return Err(Problem::refused(Code::TooLarge));
    }
    let change = change(&ctx.base, open.key.clone(), rev, &open.progress)?;
    match ctx.base.records.keep_records(&[change]).await? {
        Saved::Yes => Ok(ok(&json!({"rev": rev + 1, "step": next}))),
        Saved::Conflict => Err(Problem::refused(Code::Conflict)),
    }
}

/// The files that answers name, or the fields that name none of this person's that may be used.
async fn files(
    ctx: &Ctx,
    visit: &Visit,
    step: &FormStep,
    answers: &Map<String, Value>,
) -> Result<Result<Vec<Value>, BTreeMap<String, Broken>>, Problem> {
    let (mut found, mut errors) = (Vec::new(), BTreeMap::new());
    for field in step.files() {
        let ids: Vec<&str> = match answers.get(field) {
            Some(Value::String(id)) if !id.is_empty() => vec![id],
            Some(Value::Array(ids)) => ids.iter().filter_map(Value::as_str).collect(),
            _ => continue,
        };
        if ids.len() > MAX_FILES {
            errors.insert(field.to_owned(), Broken::MaxLength);
            continue;
        }
        for id in ids {
            match Upload::find(ctx, visit, id).await? {
                Some((upload, _)) if upload.state == UploadState::Clean => found.push(upload.shown(id)),
                _ => {
                    errors.insert(field.to_owned(), Broken::Format);
                }
            }
        }
    }
    Ok(if errors.is_empty() { Ok(found) } else { Err(errors) })
}

#[derive(Deserialize)]
struct Submission {
    rev: u64,
}

async fn submit(ctx: &ActionCtx, request: &RawRequest) -> Result<Reply, Problem> {
    let Submission { rev } = body(request)?;
    let mut open = Open::of(ctx, request).await?;
    for _ in 0..RACES {
        // Whoever submits the same once more is told the same.
        if let Some(ended) = open.progress.result.clone() {
            open.tell(ctx).await?;
            return Ok(ok(&json!({"result": open.result(&ended)})));
        }
        if open.rev != rev {
            return Err(Problem::refused(Code::Conflict));
        }
        let (ended, code) = end(ctx, &open).await?;
        let Some(code) = code else {
            // Nothing was redeemed, so nothing is over, and nobody is told.
            return Ok(ok(&json!({"result": open.result(&ended)})));
        };
        let mut progress = open.progress.clone();
        progress.result = Some(ended);
        let mut changes = vec![change(&ctx.base, open.key.clone(), rev, &progress)?];
        if let Redeemed::Code(code) = &code {
            let key = open.visit.record("redeemed", format!("{}/{}", open.action.name, hashed(code)));
            let (_, rev) = read::<Value>(&ctx.base, &key).await?;
            if rev > 0 {
                open.read(&ctx.base).await?;
                if open.progress.result.is_some() {
                    continue;
                }
                let ended = Ended { status: Status::Failure, ..failed(&open, ctx) };
                return Ok(ok(&json!({"result": open.result(&ended)})));
            }
            let at = ctx.base.clock.now();
            changes.push(RecordChange { ends_at: None, ..change(&ctx.base, key, 0, &json!({"code": code, "at": at}))? });
        }
        if ctx.base.records.keep_records(&changes).await? == Saved::Yes {
            (open.progress, open.rev) = (progress, rev + 1);
        } else {
            open.read(&ctx.base).await?;
        }
    }
    Err(AppError::Unavailable(ports::PortError::Busy).into())
}

/// The end of a redemption that was none.
fn failed(open: &Open, ctx: &ActionCtx) -> Ended {
    let Visit { found, session, id } = &open.visit;
    let name = format!("{}/result/{}/{}/{}", found.account.salt, session.person, open.key.id, open.rev);
    Ended {
        id: hashed(&name).chars().take(32).collect(),
        status: Status::Failure,
        message: open.action.message(Status::Failure, &session.lang).map(str::to_owned),
        session: id.clone(),
        said: Map::new(),
        at: ctx.base.clock.now(),
    }
}

/// How the action ends with the answers that there are, and what is redeemed with it: nothing is over if that is `None`.
async fn end(ctx: &ActionCtx, open: &Open) -> Result<(Ended, Option<Redeemed>), Problem> {
    let Open { visit, action, progress, .. } = open;
    if let Some((step, errors)) = action.first_open(&progress.answers) {
        return Err(if errors.is_empty() { Problem::invalid(format!("step {}", step.id)) } else { Problem::Fields(errors) });
    }
    let mut found = Vec::new();
    for step in &action.steps {
        let Some(answers) = progress.answers.get(&step.id) else { continue };
        found.extend(files(&ctx.base, visit, step, answers).await?.map_err(Problem::Fields)?);
    }
    let code = action.code_param().and_then(|name| param(visit, name));
    let redeemed = action.redeemed(code.as_deref(), &progress.answers, ctx.base.clock.now());
    if redeemed == Redeemed::Invalid {
        return Ok((failed(open, ctx), None));
    }
    let status = action.status(&progress.answers);
    let session = &visit.session;
    let mut said = Map::new();
    let mut say = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            said.insert(name.to_owned(), value);
        }
    };
    say("kind", Some(json!(action.kind)));
    say("submittedAt", Some(ctx.base.clock.now().to_utc_text().into()));
    say("name", session.name.clone().map(Value::from));
    say("tradingLogin", session.trading_login.map(Value::from));
    // A hint only: of use if cTrader vouched for the same (section 7).
    let account = session.params.get("account").and_then(Value::as_i64).filter(|account| Some(*account) == session.trading_login);
    if action.kind == Kind::AccountRequest {
        say("account", account.map(Value::from));
    }
    say("params", session.params.get("actionParams").cloned());
    say("answers", Some(json!(progress.answers)));
    say("files", (!found.is_empty()).then(|| found.into()));
    if let Redeemed::Code(code) = &redeemed {
        say("code", Some(code.as_str().into()));
    }
    let ended = Ended {
        id: ctx.base.dice.token(),
        status,
        message: action.message(status, &session.lang).map(str::to_owned),
        said,
        ..failed(open, ctx)
    };
    Ok((ended, Some(redeemed)))
}
