//! Which account a call is about, and who calls.

use std::sync::Arc;

use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, ORIGIN};
use lambda::{Metric, Snapshot};
use model::{Account, AccountId, Platform};
use platform_roxchat::{Agent, Purpose, Secrets, Session, Workspace, cookie_agent, session};
use serde::de::DeserializeOwned;
use wire::RawRequest;
use wire::signature::constant_time_eq;

use crate::{Ctx, Problem};

/// The longest body (section 8).
const MAX_BODY: usize = 1024 * 1024;

/// The cookie of who came with a ticket.
pub(crate) const COOKIE_NAME: &str = "__Secure-deskbridge-roxchat";

/// An account with its settings and secrets.
pub(crate) struct Found {
    pub(crate) account: Account,
    pub(crate) workspace: Workspace,
    pub(crate) secrets: Secrets,
    pub(crate) snapshot: Arc<Snapshot>,
}

impl Found {
    pub(crate) const fn id(&self) -> &AccountId {
        &self.account.id
    }
}

/// The account that the path names, `/roxchat/{account}/...`; one whose settings or secrets cannot be read was refused when it was
/// configured, and is as if it were not there.
pub(crate) async fn found(ctx: &Ctx, request: &RawRequest) -> Result<Found, Problem> {
    let key = match request.segments()[..] {
        ["roxchat", key, ..] => key.parse().map_err(|_| Problem::UnknownAccount)?,
        _ => return Err(Problem::UnknownAccount),
    };
    let id = AccountId::new(Platform::Roxchat, key);
    let snapshot = ctx.roster.knowing(&id).await?;
    let (account, secrets) = snapshot.account(&id).ok_or(Problem::UnknownAccount)?;
    let workspace = Workspace::of(account).map_err(|_| Problem::UnknownAccount)?;
    let secrets = Secrets::from_value(secrets).map_err(|_| Problem::UnknownAccount)?;
    Ok(Found { account: account.clone(), workspace, secrets, snapshot: snapshot.clone() })
}

/// The agent whose browser has the cookie.
pub(crate) fn signed_in(ctx: &Ctx, found: &Found, request: &RawRequest) -> Option<Agent> {
    let cookies = request.header(COOKIE.as_str())?.split(';').filter_map(|pair| pair.trim().split_once('='));
    let mut values = cookies.filter(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value);
    let value = values.next()?;
    // Two of a name were set by two: whose counts is anybody's guess.
    if values.next().is_some() {
        return None;
    }
    cookie_agent(value, found.id(), &found.secrets, ctx.clock.now())
}

/// Checks that a request comes from the host page. A browser says so with whatever changes something; with a request that only
/// reads it may say nothing.
pub(crate) fn from_page(found: &Found, request: &RawRequest, must_say: bool) -> Result<(), Problem> {
    let is_said = request.headers.contains_key(ORIGIN);
    let is_right = request.header(ORIGIN.as_str()) == Some(found.workspace.host_origin.as_str());
    if is_right || !is_said && !must_say { Ok(()) } else { Err(Problem::OriginMismatch) }
}

fn bearer(request: &RawRequest) -> Option<&str> {
    let (scheme, token) = request.header(AUTHORIZATION.as_str())?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// The page that calls, by its token.
pub(crate) fn page(ctx: &Ctx, found: &Found, request: &RawRequest, purpose: Purpose, must_say: bool) -> Result<Session, Problem> {
    let opened = bearer(request).ok_or(Problem::TokenInvalid);
    let opened = opened.and_then(|token| Ok(session(token, found.id(), &found.secrets, purpose, ctx.clock.now())?));
    if matches!(opened, Err(Problem::TokenInvalid)) {
        ctx.count(Metric::AuthFailures, 1);
    }
    let session = opened?;
    from_page(found, request, must_say)?;
    if session.origin == found.workspace.host_origin { Ok(session) } else { Err(Problem::OriginMismatch) }
}

/// Who asks for a command: a page, or the CRM's backend (`None`) with an API key.
pub(crate) fn page_or_backend(
    ctx: &Ctx,
    found: &Found,
    request: &RawRequest,
    must_say: bool,
) -> Result<Option<Session>, Problem> {
    let token = bearer(request).unwrap_or_default().as_bytes();
    let keys = found.secrets.api_keys().iter();
    // All of them are compared, so that the time does not tell which one fits.
    if keys.fold(false, |found, key| found | constant_time_eq(key.expose().as_bytes(), token)) {
        return Ok(None);
    }
    page(ctx, found, request, Purpose::Commands, must_say).map(Some)
}

/// Checks a body's type and length, before anything of it is read.
pub(crate) fn is_json(request: &RawRequest) -> Result<(), Problem> {
    let kind = request.header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Problem::ContentType);
    }
    if request.body.len() > MAX_BODY { Err(Problem::TooLarge) } else { Ok(()) }
}

/// A body of a known shape.
pub(crate) fn body<T: DeserializeOwned>(request: &RawRequest) -> Result<T, Problem> {
    is_json(request)?;
    serde_json::from_slice(&request.body).map_err(|error| if error.is_data() { Problem::BadShape } else { Problem::NotJson })
}
