//! Sessions of screens: what a spent token is worth from then on (sections 8.1 and 8.4).

use std::time::Duration;

use http::header::AUTHORIZATION;
use model::EpochMillis;
use platform_ctrader::{Person, hashed};
use ports::{Record, RecordChange, RecordKey, Saved};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wire::RawRequest;

use crate::{Code, Ctx, Found, Problem, find_brand};

/// Without a call for this long a session is over.
pub(crate) const IDLE: Duration = Duration::from_secs(30 * 60);

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

/// The changes that open a session with this token: 64 hex digits, to be known to its screen alone. The caller stores them, with
/// whatever they depend on.
///
/// # Errors
/// [`Problem::Ours`] if it cannot be written down.
pub fn open_session(found: &Found, token: &str, session: &Session) -> Result<[RecordChange; 2], Problem> {
    let id = hashed(token);
    let opened = change(found, &id, session, 0)?;
    let ends_at = Some(session.opened_at.plus(LONGEST));
    let listed = RecordChange { key: listing(found, session.person, id), rev: 0, body: String::new(), ends_at };
    Ok([opened, listed])
}

/// What says that a person has had this session.
fn listing(found: &Found, person: Person, id: String) -> RecordKey {
    RecordKey { account: found.account.id.clone(), group: person.group(&found.account.salt), kind: "session-of", id }
}

/// A session that was opened a moment ago, by its token; `None` if it has ended since.
pub(crate) async fn opened(ctx: &Ctx, found: &Found, token: &str) -> Result<Option<Session>, Problem> {
    let record = ctx.records.record(&key(found, &hashed(token))).await?;
    let record = record.filter(|record| record.ends_at.is_some_and(|end| end > ctx.clock.now()));
    record.map(|record| read(&record)).transpose()
}

/// Ends all sessions of a person, and says how many there were. One read to find them, a read and a write each.
pub(crate) async fn end_sessions(ctx: &Ctx, found: &Found, person: Person) -> Result<usize, Problem> {
    let (now, group) = (ctx.clock.now(), person.group(&found.account.salt));
    let mut ended = 0;
    for (id, listed) in ctx.records.records(&found.account.id, &group, "session-of").await? {
        if listed.ends_at.is_none_or(|end| end > now) && end(ctx, found, &id).await? {
            ended += 1;
        }
    }
    Ok(ended)
}

/// Ends a session; `false` if it was over.
async fn end(ctx: &Ctx, found: &Found, id: &str) -> Result<bool, Problem> {
    let now = ctx.clock.now();
    // A call of the screen may note itself at the same time; more often than once it cannot.
    for _ in 0..3 {
        let record = ctx.records.record(&key(found, id)).await?;
        let Some(record) = record.filter(|record| record.ends_at.is_some_and(|end| end > now)) else { return Ok(false) };
        let over = RecordChange { key: key(found, id), rev: record.rev, body: String::new(), ends_at: Some(now) };
        if ctx.records.keep_records(&[over]).await? == Saved::Yes {
            return Ok(true);
        }
    }
    Err(ports::PortError::Busy.into())
}

fn read(record: &Record) -> Result<Session, Problem> {
    Ok(serde_json::from_str(&record.body).map_err(|_| app::AppError::Internal("a stored session cannot be read"))?)
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
    let mut session = read(&record)?;
    if now.since(session.seen_at) >= NOTED_AFTER {
        session.seen_at = now;
        // Whoever was first has noted it too.
        let (Saved::Yes | Saved::Conflict) = ctx.records.keep_records(&[change(&found, &id, &session, record.rev)?]).await?;
    }
    Ok(Visit { found, session, id })
}
