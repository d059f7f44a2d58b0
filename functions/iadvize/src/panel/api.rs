//! A2 `POST /iadvize/panel/api/{what}`: what the page asks, each time with a token of its own (section 9.3).
//!
//! Who asks and for whom is in the token. The body only says which of the token's sites, and what of it: what is asked about a
//! person is in no address.

use std::sync::Arc;

use app::AppError;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use model::TenantId;
use platform_iadvize::panel::Panel;
use serde::Deserialize;
use serde_json::{Value, json};
use text::fold;
use tracing::info;
use wire::{RawRequest, Reply};

use super::agent::seated;
use super::{Known, Products, Spoken, Timeline};
use crate::call::Methods;
use crate::problem::{answer, answered};
use crate::{Ctx, Found, Problem};

/// The longest body, in bytes.
const MAX_BODY: usize = 16 * 1024;

/// Most conversations that are listed.
const MAX_CONVERSATIONS: usize = 50;

/// Most that are searched, the newest: each is read for it.
const MAX_SEARCHED: usize = 20;

/// Most of what was said in one of them.
const MAX_LINES: usize = 200;

/// Most places that a search tells.
const MAX_PLACES: usize = 50;

/// Most products of an answer.
const MAX_PRODUCTS: usize = 20;

const POSTING: Methods = Methods(&[Method::POST], "POST");

/// What the API needs.
#[derive(Clone)]
pub struct Api {
    /// Sites and the time.
    pub ctx: Ctx,
    /// Persons; the page has no part for them without.
    pub timeline: Option<Arc<dyn Timeline>>,
    /// The catalogue, likewise.
    pub products: Option<Arc<dyn Products>>,
}

/// What the page says. Ids are opaque, and what is not asked for is not looked at.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    project: Option<Value>,
    conversation: Option<String>,
    language: Option<String>,
    id: Option<String>,
    ids: Vec<u64>,
    query: Option<String>,
}

/// Answers what the page asks.
///
/// # Errors
/// [`AppError`] when something behind it cannot be read.
pub async fn handle(api: Api, request: RawRequest) -> Result<Reply, AppError> {
    let reply = match run(&api, &request).await {
        Err(problem @ Problem::Unauthorized) => {
            Ok(problem.to_reply().with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
        }
        other => other,
    };
    answered(reply)
}

async fn run(api: &Api, request: &RawRequest) -> Result<Reply, Problem> {
    if !POSTING.0.contains(&request.method) {
        return Err(Problem::Method(POSTING.1));
    }
    if request.body.len() > MAX_BODY {
        return Err(Problem::TooLarge(MAX_BODY));
    }
    let seat = seated(&api.ctx, bearer(request)).await?;
    let asked: Asked =
        serde_json::from_slice(&request.body).map_err(|_| Problem::invalid("body", "is not what the page sends"))?;
    let (found, panel) = seat.site(asked.project()?)?;
    let about = || -> Result<About<'_>, Problem> {
        let timeline = api.timeline.as_deref().ok_or(Problem::NotFound("there is no timeline"))?;
        let conversation = asked.conversation.as_deref().filter(|id| !id.is_empty());
        let conversation = conversation.ok_or_else(|| Problem::invalid("conversation", "is missing"))?;
        Ok(About { timeline, found, conversation })
    };
    let segments = request.segments();
    let what = segments.last().copied().unwrap_or_default();
    let body = match what {
        "start" => start(api, &asked, found, panel),
        "timeline" => about()?.list().await?,
        "conversation" => about()?.lines(asked.id.as_deref().unwrap_or_default()).await?,
        "search" => about()?.search(asked.query.as_deref().unwrap_or_default()).await?,
        "products" => products(api, &asked, found).await?,
        _ => return Err(Problem::NotFound("there is no such call")),
    };
    // Who looked at what somebody said is to be found out later.
    info!(operator.id = %seat.agent.operator, account.id = %found.account.id, "panel: operator {} asked {what}", seat.agent.operator);
    Ok(answer(StatusCode::OK, &body))
}

/// `Authorization: Bearer <token>`, and that once.
fn bearer(request: &RawRequest) -> Option<&str> {
    let (scheme, token) = request.header(AUTHORIZATION.as_str())?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

impl Asked {
    /// `projectId` of the context: digits, as a text in the panel and as a number elsewhere (section 3.1).
    fn project(&self) -> Result<Option<u64>, Problem> {
        let wrong = || Problem::invalid("project", "is not a project");
        match &self.project {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().map(Some).map_err(|_| wrong()),
            Some(Value::Number(number)) => number.as_u64().map(Some).ok_or_else(wrong),
            Some(_) => Err(wrong()),
        }
    }
}

/// What the page can do, and with which words.
fn start(api: &Api, asked: &Asked, found: &Found, panel: &Panel) -> Value {
    let default = found.site.default_lang.as_str();
    let lang = asked.language.as_deref().and_then(platform_iadvize::language).unwrap_or_else(|| default.to_owned());
    let templates: Vec<_> = panel.templates.iter().map(|reply| reply.told(&lang, default)).collect();
    let pay = panel.apple_pay.as_ref();
    let pay = pay.map(|pay| json!({"currency": pay.currency, "label": pay.label.in_lang_or(&lang, default)}));
    json!({
        "timeline": api.timeline.is_some(),
        "products": api.products.is_some(),
        "templates": templates,
        "applePay": pay,
    })
}

async fn products(api: &Api, asked: &Asked, found: &Found) -> Result<Value, Problem> {
    let catalogue = api.products.as_deref().ok_or(Problem::NotFound("there is no catalogue"))?;
    let words = asked.query.as_deref().unwrap_or_default().trim();
    let account = &found.account.id;
    let listed = match asked.ids.get(..MAX_PRODUCTS).unwrap_or(&asked.ids) {
        [] if words.is_empty() => Vec::new(),
        [] => catalogue.search(account, words, MAX_PRODUCTS).await?,
        ids => catalogue.with_ids(account, ids).await?,
    };
    Ok(json!({ "products": listed }))
}

/// The person of the conversation at which somebody looks.
struct About<'a> {
    timeline: &'a dyn Timeline,
    found: &'a Found,
    conversation: &'a str,
}

impl About<'_> {
    fn tenant(&self) -> &TenantId {
        &self.found.account.tenant
    }

    async fn known(&self) -> Result<Option<(Known, Vec<Spoken>)>, Problem> {
        let Some(person) = self.timeline.visitor_of(&self.found.account.id, self.conversation).await? else { return Ok(None) };
        let spoken = self.timeline.conversations(self.tenant(), &person, MAX_CONVERSATIONS).await?;
        Ok(Some((person, spoken)))
    }

    async fn list(&self) -> Result<Value, Problem> {
        Ok(match self.known().await? {
            Some((person, spoken)) => json!({"known": true, "name": person.name, "conversations": spoken}),
            None => json!({"known": false, "name": null, "conversations": []}),
        })
    }

    /// Of a conversation of this person's: no other is told, whoever asks.
    async fn lines(&self, id: &str) -> Result<Value, Problem> {
        let spoken = self.known().await?.map(|(_, spoken)| spoken).unwrap_or_default();
        let Some(one) = spoken.iter().find(|one| one.id == id) else {
            return Err(Problem::NotFound("there is no such conversation of this person"));
        };
        Ok(json!({ "lines": self.timeline.lines(self.tenant(), &one.id, MAX_LINES).await? }))
    }

    /// Where all these words were said, without case and accents: the newest conversation first.
    async fn search(&self, query: &str) -> Result<Value, Problem> {
        let words: Vec<String> = text::words(query).into_iter().map(|word| word.folded).collect();
        let spoken =
            if words.is_empty() { Vec::new() } else { self.known().await?.map(|(_, spoken)| spoken).unwrap_or_default() };
        let mut places = Vec::new();
        for one in spoken.into_iter().take(MAX_SEARCHED) {
            let lines = self.timeline.lines(self.tenant(), &one.id, MAX_LINES).await?;
            let fits = |line: &super::Line| {
                let said = fold(&line.text);
                words.iter().all(|word| said.contains(word.as_str()))
            };
            places.extend(lines.into_iter().filter(fits).map(|line| json!({"conversation": one, "line": line})));
            if places.len() >= MAX_PLACES {
                places.truncate(MAX_PLACES);
                break;
            }
        }
        Ok(json!({ "places": places }))
    }
}
