//! `GET /inapp/api/education`, `GET …/{contentId}`, `PUT …/{contentId}/progress`, `POST …/{contentId}/quiz` (section 5,
//! "Education").
//!
//! Operations on the table: the list takes two reads and a query, a piece of content three reads, and whatever changes one write
//! more.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::AppError;
use futures_util::FutureExt as _;
use http::Method;
use platform_ctrader::{Certificate, Content, ContentKind, Scored, Words, hashed};
use ports::{RecordChange, RecordKey, Saved};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wire::{RawRequest, Reply};

use crate::call::{Operation, body, change, ok, opened, read, serve};
use crate::{Code, Ctx, Problem, Visit, visit};

/// How often answers are judged again after somebody else changed the same record.
const RACES: usize = 8;

/// The group of a brand's content.
const GROUP: &str = "education";

/// How far somebody is with a piece of content.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Learnt {
    percent: u32,
    /// Where a film stands, in seconds.
    position: Option<f64>,
    #[serde(default)]
    attempts: u32,
    /// What the last answers were, and what came of them.
    answers: Option<BTreeMap<String, Vec<String>>>,
    scored: Option<Scored>,
    certificate: Option<String>,
}

impl Learnt {
    fn is_done(&self, kind: ContentKind) -> bool {
        match kind {
            ContentKind::Article | ContentKind::Video => self.percent == 100,
            ContentKind::Quiz => self.scored.as_ref().is_some_and(|scored| scored.passed),
        }
    }
}

#[derive(Deserialize)]
struct Index {
    items: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    r#type: ContentKind,
    title: Words,
    summary: Option<Words>,
}

/// Serves the route.
///
/// # Errors
/// None that are not answered.
pub async fn handle(ctx: Arc<Ctx>, request: RawRequest) -> Result<Reply, AppError> {
    let operations = [
        Operation { method: Method::GET, path: &["education"], run: |ctx, request, _| list(ctx, request).boxed() },
        Operation { method: Method::GET, path: &["education", "*"], run: |ctx, request, ids| look(ctx, request, ids).boxed() },
        Operation {
            method: Method::PUT,
            path: &["education", "*", "progress"],
            run: |ctx, request, ids| advance(ctx, request, ids).boxed(),
        },
        Operation {
            method: Method::POST,
            path: &["education", "*", "quiz"],
            run: |ctx, request, ids| answer(ctx, request, ids).boxed(),
        },
    ];
    serve(ctx, &operations, &request).await
}

async fn learner(ctx: &Ctx, request: &RawRequest) -> Result<Visit, Problem> {
    let visit = visit(ctx, request).await?;
    if visit.session.screen == "education" && visit.found.brand.education_enabled { Ok(visit) } else { Err(Problem::not_found()) }
}

fn content_key(visit: &Visit, kind: &'static str, id: &str) -> RecordKey {
    RecordKey { account: visit.found.account.id.clone(), group: GROUP.to_owned(), kind, id: id.to_owned() }
}

async fn list(ctx: &Ctx, request: &RawRequest) -> Result<Reply, Problem> {
    let visit = learner(ctx, request).await?;
    let (index, _) = read::<Index>(ctx, &content_key(&visit, "content_index", "")).await?;
    let own = visit.record("learnt", "");
    let mut learnt = BTreeMap::new();
    for (id, record) in ctx.records.records(&own.account, &own.group, own.kind).await? {
        learnt.extend(opened::<Learnt>(ctx, Some(record))?.0.map(|learnt| (id, learnt)));
    }
    let lang = &visit.session.lang;
    let items = index.map(|index| index.items).unwrap_or_default();
    let items = items.into_iter().map(|Listed { id, r#type, title, summary }| {
        let learnt = learnt.get(&id).cloned().unwrap_or_default();
        let mut item = json!({
            "id": id, "type": r#type, "title": title.in_lang(lang), "progress": learnt.percent, "done": learnt.is_done(r#type),
        });
        if let (Some(summary), Some(members)) = (summary, item.as_object_mut()) {
            members.insert("summary".to_owned(), summary.in_lang(lang).into());
        }
        item
    });
    Ok(ok(&json!({"items": items.collect::<Vec<_>>()})))
}

/// A piece of content, and how far the person is with it.
struct Lesson {
    visit: Visit,
    content: Content,
    key: RecordKey,
    learnt: Learnt,
    rev: u64,
}

impl Lesson {
    async fn of(ctx: &Ctx, request: &RawRequest, ids: &[&str]) -> Result<Self, Problem> {
        let visit = learner(ctx, request).await?;
        let id = ids.first().copied().filter(|id| id.len() <= 64).ok_or(Problem::not_found())?;
        let (content, _) = read::<Content>(ctx, &content_key(&visit, "content", id)).await?;
        let content = content.ok_or(Problem::not_found())?;
        let key = visit.record("learnt", id);
        let (learnt, rev) = read::<Learnt>(ctx, &key).await?;
        Ok(Self { visit, content, key, learnt: learnt.unwrap_or_default(), rev })
    }

    fn progress(&self) -> Value {
        let Learnt { percent, position, answers, certificate, .. } = &self.learnt;
        let mut progress = json!({"rev": self.rev, "percent": percent, "done": self.learnt.is_done(self.content.r#type)});
        let parts = [("position", json!(position)), ("answers", json!(answers)), ("certificate", json!(certificate))];
        if let Some(members) = progress.as_object_mut() {
            members.extend(parts.into_iter().filter(|(_, part)| !part.is_null()).map(|(name, part)| (name.to_owned(), part)));
        }
        progress
    }
}

async fn look(ctx: &Ctx, request: &RawRequest, ids: &[&str]) -> Result<Reply, Problem> {
    let lesson = Lesson::of(ctx, request, ids).await?;
    let item = lesson.content.shown(&lesson.visit.session.lang);
    Ok(ok(&json!({"item": item, "progress": lesson.progress()})))
}

#[derive(Deserialize)]
struct Step {
    rev: u64,
    #[serde(default)]
    percent: Option<u32>,
    #[serde(default)]
    position: Option<f64>,
}

async fn advance(ctx: &Ctx, request: &RawRequest, ids: &[&str]) -> Result<Reply, Problem> {
    let Step { rev, percent, position } = body(request)?;
    if percent.is_some_and(|percent| percent > 100) {
        return Err(Problem::invalid("percent"));
    }
    if position.is_some_and(|position| !(0.0..=1e6).contains(&position)) {
        return Err(Problem::invalid("position"));
    }
    let mut lesson = Lesson::of(ctx, request, ids).await?;
    if lesson.rev != rev {
        return Err(Problem::refused(Code::Conflict));
    }
    // How far a quiz is, its answers say.
    let percent = percent.filter(|_| lesson.content.r#type != ContentKind::Quiz);
    // Whoever looks at something again has seen it before all the same.
    lesson.learnt.percent = lesson.learnt.percent.max(percent.unwrap_or_default());
    lesson.learnt.position = position.or(lesson.learnt.position);
    let change = change(ctx, lesson.key.clone(), rev, &lesson.learnt)?;
    if ctx.records.keep_records(&[change]).await? == Saved::Conflict {
        return Err(Problem::refused(Code::Conflict));
    }
    lesson.rev += 1;
    Ok(ok(&lesson.progress()))
}

#[derive(Deserialize)]
struct Answered {
    answers: BTreeMap<String, Vec<String>>,
}

async fn answer(ctx: &Ctx, request: &RawRequest, ids: &[&str]) -> Result<Reply, Problem> {
    let Answered { answers } = body(request)?;
    for _ in 0..RACES {
        let mut lesson = Lesson::of(ctx, request, ids).await?;
        let quiz = lesson.content.quiz.clone().ok_or(Problem::not_found())?;
        if let Some(scored) = lesson.learnt.scored.as_ref().filter(|scored| scored.passed) {
            return Ok(told(scored, lesson.learnt.certificate.as_deref()));
        }
        if quiz.attempts.is_some_and(|most| lesson.learnt.attempts >= most) {
            return Err(Problem::Refused(Code::Conflict, Some("attempts".to_owned())));
        }
        let scored = quiz.scored(&answers).map_err(Problem::invalid)?;
        let mut changes = Vec::new();
        if scored.passed && quiz.certificate {
            let code = ctx.dice.token();
            changes.push(certificate(ctx, &lesson, &code, scored.score)?);
            lesson.learnt.certificate = Some(code);
        }
        let learnt = &mut lesson.learnt;
        learnt.attempts += 1;
        learnt.percent = learnt.percent.max(if scored.passed { 100 } else { scored.score });
        learnt.answers = Some(answers.clone());
        learnt.scored = Some(scored.clone());
        let passed = scored.passed;
        let kept = change(ctx, lesson.key.clone(), lesson.rev, &lesson.learnt)?;
        // What was passed stays passed, as its certificate stays good.
        changes.push(RecordChange { ends_at: kept.ends_at.filter(|_| !passed), ..kept });
        if ctx.records.keep_records(&changes).await? == Saved::Yes {
            return Ok(told(&scored, lesson.learnt.certificate.as_deref()));
        }
    }
    Err(AppError::Unavailable(ports::PortError::Busy).into())
}

fn told(scored: &Scored, certificate: Option<&str>) -> Reply {
    let mut told = json!(scored);
    if let (Some(code), Some(members)) = (certificate, told.as_object_mut()) {
        members.insert("certificate".to_owned(), code.into());
    }
    ok(&told)
}

fn certificate(ctx: &Ctx, lesson: &Lesson, code: &str, score: u32) -> Result<RecordChange, Problem> {
    let Visit { found, session, .. } = &lesson.visit;
    let certificate = Certificate {
        name: session.name.clone(),
        title: lesson.content.title.in_lang(&session.lang).to_owned(),
        score,
        day: ctx.clock.now().to_utc_text().chars().take(10).collect(),
        lang: session.lang.clone(),
    };
    let key = crate::certificate::key(&found.account.id, &hashed(code));
    Ok(RecordChange { ends_at: None, ..change(ctx, key, 0, &certificate)? })
}
