//! Sessions of screens: what a spent token is worth from then on (sections 8.1 and 8.4).

use std::time::Duration;

use http::header::AUTHORIZATION;
use model::EpochMillis;
use platform_ctrader::{Person, hashed};
use ports::{RecordChange, RecordKey, Saved};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wire::RawRequest;

use crate::{Code, Ctx, Found, Problem, find_brand};

/// Without a call for this long a session is over.
const IDLE: Duration = Duration::from_secs(30 * 60);

/// After this long a session is over in any case.
const LONGEST: Duration = Duration::from_secs(8 * 60 * 60);

/// A session is noted as used no more often than this: a poll costs no write.
const NOTED_AFTER: Duration = Duration::from_secs(5 * 60);

/// What is kept of a session. The token itself is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Who.
    pub person: Person,
    /// The name that is shown to whoever answers, if cTrader told one. A personal datum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The trading account that cTrader vouched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trading_login: Option<i64>,
    /// The language in which the screen speaks.
    pub lang: String,
    /// The screen for which it was opened: `action`, `chat` or `education`.
    pub screen: String,
    /// The parameters with which it was opened, checked and without the token. Whoever made the link wrote them: nothing in
    /// them is proven.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// When it was opened.
    pub opened_at: EpochMillis,
    /// When it was last noted as used.
    pub seen_at: EpochMillis,
}

/// A call of a screen whose session goes on.
#[derive(Clone)]
pub struct Visit {
    /// The brand.
    pub found: Found,
    /// The session.
    pub session: Session,
    /// SHA-256 of its token, in hexadecimal.
    pub id: String,
}

impl Visit {
    /// A record of this person.
    #[must_use]
    pub fn record(&self, kind: &'static str, id: impl Into<String>) -> RecordKey {
        let group = self.session.person.group(&self.found.account.salt);
        RecordKey { account: self.found.account.id.clone(), group, kind, id: id.into() }
    }
}

fn key(found: &Found, id: &str) -> RecordKey {
    RecordKey { account: found.account.id.clone(), group: id.to_owned(), kind: "session", id: String::new() }
}

fn change(found: &Found, id: &str, session: &Session, rev: u64) -> Result<RecordChange, Problem> {
    let body = serde_json::to_string(session).map_err(|_| app::AppError::Internal("a session that cannot be written"))?;
    let ends_at = session.seen_at.plus(IDLE).min(session.opened_at.plus(LONGEST));
    Ok(RecordChange { key: key(found, id), rev, body, ends_at: Some(ends_at) })
}

/// The change that opens a session, and its token: 256 random bits, to be given to the screen alone. The caller stores it, with
/// whatever it depends on.
///
/// # Errors
/// [`Problem::Ours`] if it cannot be written down.
pub fn open_session(ctx: &Ctx, found: &Found, session: &Session) -> Result<(String, RecordChange), Problem> {
    let token = format!("{}{}", ctx.dice.token(), ctx.dice.token());
    let change = change(found, &hashed(&token), session, 0)?;
    Ok((token, change))
}

/// The session whose token the request bears, noted as used.
///
/// # Errors
/// [`Problem::Refused`] with `session_expired` if there is none of this brand, [`Problem::Ours`] when it cannot be read.
pub async fn visit(ctx: &Ctx, request: &RawRequest) -> Result<Visit, Problem> {
    let found = find_brand(ctx, request).await?;
    let bearer = request.header(AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
    let is_token = |token: &&str| token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = hashed(bearer.filter(is_token).ok_or(Problem::refused(Code::SessionExpired))?);
    let record = ctx.records.record(&key(&found, &id)).await?.ok_or(Problem::refused(Code::SessionExpired))?;
    let now = ctx.clock.now();
    if record.ends_at.is_none_or(|end| end <= now) {
        return Err(Problem::refused(Code::SessionExpired));
    }
    let mut session: Session =
        serde_json::from_str(&record.body).map_err(|_| app::AppError::Internal("a stored session cannot be read"))?;
    if now.since(session.seen_at) >= NOTED_AFTER {
        session.seen_at = now;
        // Whoever was first has noted it too.
        let (Saved::Yes | Saved::Conflict) = ctx.records.keep_records(&[change(&found, &id, &session, record.rev)?]).await?;
    }
    Ok(Visit { found, session, id })
}
