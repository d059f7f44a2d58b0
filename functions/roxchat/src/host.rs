//! `GET|HEAD /roxchat/{account}/host` and `/roxchat/{account}/{file}`: the page that embeds the workspace (sections 6.3, 6.4, 7.1).
//!
//! The CRM opens it with a ticket, which is worth one cookie; then the page is opened again without the ticket in its address. Who
//! only looks, by HEAD or ahead of a click, uses no ticket up.

use std::collections::HashMap;

use app::AppError;
use http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, LOCATION, REFERRER_POLICY, SET_COOKIE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use pages::{filled, page};
use platform_roxchat::{Agent, COOKIE_LIFE, Workspace};
use ports::{RecordChange, Saved};
use serde_json::{Value, json};
use url::form_urlencoded;
use wire::{RawRequest, Reply};

use crate::who::{COOKIE_NAME, Found};
use crate::{Keeping, Problem, assets, keys, who};

const HOST: &str = include_str!("../../../web/roxchat/host.html");
const SIGNED_OUT: &str = include_str!("../../../web/roxchat/signed-out.html");

/// What the page may load, and who may embed it (section 6.4).
const POLICY: &str = include_str!("../../../web/roxchat/policy.txt");

/// What a page that says why not may do: nothing.
const NOTHING: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {{ancestors}}";

/// Answers the page or a file of it.
///
/// # Errors
/// [`AppError`] when a backing service is down.
pub async fn handle(ctx: Keeping, request: RawRequest) -> Result<Reply, AppError> {
    let mut reply = match run(&ctx, &request).await {
        Ok(reply) => reply,
        Err(Problem::Ours(error)) => return Err(error),
        Err(problem) => problem.to_reply(),
    };
    if request.method == Method::HEAD {
        reply.body = bytes::Bytes::new();
    }
    Ok(reply)
}

async fn run(ctx: &Keeping, request: &RawRequest) -> Result<Reply, Problem> {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return Err(Problem::Method("GET, HEAD"));
    }
    let found = who::found(&ctx.base, request).await?;
    match request.segments()[..] {
        [_, _, "host"] => host(ctx, &found, request).await,
        [_, _, name] => assets::reply(request, name).ok_or(Problem::NotFound("unknown_file")),
        _ => Err(Problem::NotFound("unknown_file")),
    }
}

async fn host(ctx: &Keeping, found: &Found, request: &RawRequest) -> Result<Reply, Problem> {
    let mut tickets = form_urlencoded::parse(request.query.as_bytes()).filter(|(name, _)| name == "ticket");
    let Some((_, ticket)) = tickets.next() else {
        return Ok(match who::signed_in(&ctx.base, found, request) {
            Some(agent) => Page::of(found, request).host(&agent),
            None => Page::of(found, request).signed_out(),
        });
    };
    if request.method == Method::HEAD || is_ahead(request) {
        return Ok(Reply::empty(StatusCode::NO_CONTENT).with_header(CACHE_CONTROL, HeaderValue::from_static("no-store")));
    }
    let now = ctx.base.clock.now();
    let ticket = if tickets.next().is_some() { None } else { platform_roxchat::ticket(&ticket, &found.secrets, now) };
    let Some(ticket) = ticket else { return Ok(Page::of(found, request).signed_out()) };
    let key = keys::ticket(&found.account, &ticket.id);
    let used = RecordChange { key, rev: 0, body: "used".to_owned(), ends_at: Some(ticket.ends_at) };
    if ctx.records.keep_records(&[used]).await? == Saved::Conflict {
        return Ok(Page::of(found, request).signed_out());
    }
    let value = platform_roxchat::cookie(&ticket.agent, found.id(), &found.secrets, now);
    let place = HeaderValue::try_from(format!("/roxchat/{}/host", found.id().key())).map_err(|_| not_a_header())?;
    let reply = Reply::empty(StatusCode::SEE_OTHER)
        .with_header(LOCATION, place)
        .with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .with_header(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(reply.with_header(SET_COOKIE, cookie(found, &value, COOKIE_LIFE.as_secs())?))
}

fn not_a_header() -> Problem {
    AppError::Internal("a header that cannot be written").into()
}

/// The cookie with this value; an empty one with no life takes it back. The CRM embeds the page, so browsers see it as a third
/// party's: each site that embeds it has a cookie of its own.
pub(crate) fn cookie(found: &Found, value: &str, seconds: u64) -> Result<HeaderValue, Problem> {
    let path = format!("/roxchat/{}", found.id().key());
    let text = format!("{COOKIE_NAME}={value}; Max-Age={seconds}; Path={path}; HttpOnly; Secure; SameSite=None; Partitioned");
    HeaderValue::try_from(text).map_err(|_| not_a_header())
}

/// Whether a browser asks ahead of a click that may never come.
fn is_ahead(request: &RawRequest) -> bool {
    let says = |name: &str| request.header(name).is_some_and(|value| value.to_ascii_lowercase().contains("prefetch"));
    says("sec-purpose") || says("purpose") || says("x-moz") || says("x-purpose")
}

/// A page in a language, at an account.
struct Page<'a> {
    found: &'a Found,
    folder: String,
    lang: &'static str,
    texts: HashMap<String, String>,
}

impl<'a> Page<'a> {
    fn of(found: &'a Found, request: &RawRequest) -> Self {
        let file = assets::words(request.header(ACCEPT_LANGUAGE.as_str()), &found.workspace.lang);
        let folder = format!("/roxchat/{}/", found.id().key());
        // The catalogues are ours, and a test reads them all.
        Self { found, folder, lang: file.stem(), texts: serde_json::from_str(file.plain).unwrap_or_default() }
    }

    fn say(&self, key: &'static str) -> &str {
        self.texts.get(key).map_or(key, String::as_str)
    }

    fn host(&self, agent: &Agent) -> Reply {
        let workspace = &self.found.workspace;
        let config = in_markup(&self.config(agent));
        let (script, catalogues) = (assets::SCRIPT.address(&self.folder), assets::catalogues(&self.folder));
        let values = [
            ("title", self.say("Title")),
            ("loading", self.say("Loading")),
            ("noScript", self.say("NoScript")),
            ("script", script.as_str()),
            ("catalogues", catalogues.as_str()),
        ];
        // The data is no text of the markup, so it is filled in by itself, and not looked through again.
        let (before, after) = HOST.split_once("{{config}}").unwrap_or((HOST, ""));
        let html = [self.filled(before, &values), config, self.filled(after, &values)].concat();
        let policy = self.policy(POLICY.trim_end());
        let mut reply = page(StatusCode::OK, &policy, html);
        // The workspace may look at the origin of who embeds it, and at nothing else of the address.
        reply.headers.insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin"));
        let allowed = workspace.origins.iter().map(|origin| format!(" \"{origin}\"")).collect::<String>();
        let permissions = ["autoplay", "camera", "clipboard-write", "microphone"];
        let permissions = permissions.map(|name| format!("{name}=(self{allowed})")).join(", ");
        match HeaderValue::try_from(permissions) {
            Ok(value) => reply.with_header(HeaderName::from_static("permissions-policy"), value),
            Err(_) => reply,
        }
    }

    /// What the page needs to know.
    fn config(&self, agent: &Agent) -> Value {
        let Workspace { host_origin, url, origins, source, visitor_id_name, .. } = &self.found.workspace;
        json!({
            "account": self.found.id().key(),
            "agent": {"id": agent.id, "name": agent.name},
            "origin": host_origin,
            "workspaceUrl": url,
            "workspaceOrigins": origins,
            "source": source,
            "visitorIdName": visitor_id_name,
            "limits": {"textBytes": 262_144, "batchBytes": 1_048_576, "commandSeconds": 10},
            "lang": self.lang,
        })
    }

    fn signed_out(&self) -> Reply {
        let html = self.filled(SIGNED_OUT, &[("heading", self.say("NotSignedIn")), ("text", self.say("SignInFirst"))]);
        page(StatusCode::UNAUTHORIZED, &self.policy(NOTHING), html)
    }

    fn policy(&self, template: &str) -> String {
        let workspace = &self.found.workspace;
        let ancestors = workspace.frame_ancestors.join(" ");
        let ancestors = if ancestors.is_empty() { "'none'" } else { &ancestors };
        template.replace("{{frames}}", &workspace.origins.join(" ")).replace("{{ancestors}}", ancestors)
    }

    fn filled(&self, template: &str, values: &[(&str, &str)]) -> String {
        let style = assets::STYLE.address(&self.folder);
        let own = [("lang", self.lang), ("dir", assets::direction(self.lang)), ("style", style.as_str())];
        filled(template, &own.into_iter().chain(values.iter().copied()).collect())
    }
}

/// JSON as it may stand in a `script` element: nothing in it can end the element, or begin a comment.
fn in_markup(value: &Value) -> String {
    let escaped = [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];
    let mut text = value.to_string();
    for (from, to) in escaped {
        text = text.replace(from, to);
    }
    text
}
