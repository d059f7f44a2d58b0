//! Who calls: the CRM's ticket, the sign-in cookie, and the token of a page (section 7.2).
//!
//! All of them are tokens of HS256, each with keys and an audience of its own. None is stored but the name of a ticket, so signing
//! out ends the cookie, and a page's token by its own end.

use std::time::Duration;

use model::{AccountId, EpochMillis};
use serde_json::{Map, Value, json};
use wire::jwt::{Times, sign, signed_claims};

use crate::Secrets;

/// How long somebody who came with a ticket is signed in.
pub const COOKIE_LIFE: Duration = Duration::from_secs(12 * 3600);

/// How long a page's token is good (section 7.2: 15 minutes or less).
pub const SESSION_LIFE: Duration = Duration::from_secs(15 * 60);

/// What a ticket is for.
const TICKET_AUDIENCE: &str = "deskbridge-roxchat";

/// The CRM's clock may differ from ours by half a minute, and a ticket lives five minutes.
const TICKET_TIMES: Times = Times { leeway: 30.0, longest_life: 300.0 };

const COOKIE_TIMES: Times = Times { leeway: 0.0, longest_life: 43_200.0 };

const SESSION_TIMES: Times = Times { leeway: 0.0, longest_life: 900.0 };

/// The longest id or name, in bytes.
const LONGEST: usize = 512;

/// An agent, as the CRM knows them. The name is a personal datum, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Agent {
    /// The CRM's id of them: 1 to 128 characters.
    pub id: String,
    /// What they are called.
    pub name: Option<String>,
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Agent {
    fn of(claims: &Map<String, Value>) -> Option<Self> {
        let name = match claims.get("name") {
            None | Some(Value::Null) => None,
            Some(name) => Some(name.as_str().filter(|name| name.len() <= LONGEST)?.to_owned()),
        };
        Some(Self { id: id_in(claims, "sub")?, name })
    }
}

fn id_in(claims: &Map<String, Value>, name: &str) -> Option<String> {
    let text = claims.get(name)?.as_str()?;
    (1..=128).contains(&text.chars().count()).then(|| text.to_owned())
}

/// A ticket of the CRM: an agent opens the host page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Who.
    pub agent: Agent,
    /// Its name: a ticket opens the page once.
    pub id: String,
    /// From when on it is worth nothing, the allowance for clocks included.
    pub ends_at: EpochMillis,
}

/// The ticket, if the CRM signed it, for us, and for now. `None` for any other, whatever is wrong with it.
#[must_use]
pub fn ticket(token: &str, secrets: &Secrets, now: EpochMillis) -> Option<Ticket> {
    let claims = signed_claims(token, secrets.sign_in())?;
    let is_for_us = match claims.get("aud")? {
        Value::String(text) => text == TICKET_AUDIENCE,
        Value::Array(listed) => listed.iter().any(|entry| entry == TICKET_AUDIENCE),
        _ => false,
    };
    if !is_for_us || !TICKET_TIMES.hold(&claims, now) {
        return None;
    }
    // It holds now, so it ends within its longest life and the allowance twice.
    let ends_at = now.plus(Duration::from_secs(360));
    Some(Ticket { agent: Agent::of(&claims)?, id: id_in(&claims, "jti")?, ends_at })
}

fn seconds_after(now: EpochMillis, life: Duration) -> i64 {
    now.plus(life).seconds()
}

/// The value of the cookie of somebody who came with a ticket.
#[must_use]
pub fn cookie(agent: &Agent, account: &AccountId, secrets: &Secrets, now: EpochMillis) -> String {
    let claims = json!({"sub": agent.id, "name": agent.name, "acc": account, "iat": now.seconds(), "exp": seconds_after(now, COOKIE_LIFE)});
    secrets.derived(account, COOKIE).first().map_or_else(String::new, |key| sign(&claims, key))
}

/// Who has the cookie; `None` if it is not ours, of another account, or over.
#[must_use]
pub fn cookie_agent(value: &str, account: &AccountId, secrets: &Secrets, now: EpochMillis) -> Option<Agent> {
    let claims = signed_claims(value, &secrets.derived(account, COOKIE))?;
    let is_of_account = claims.get("acc")?.as_str()? == account.to_string();
    if is_of_account && COOKIE_TIMES.hold(&claims, now) { Agent::of(&claims) } else { None }
}

/// Labels of the derived keys.
const COOKIE: &str = "roxchat cookie";
const SESSION: &str = "roxchat session";

/// What a page's token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To tell what was heard, and to look at it.
    Events,
    /// To ask for commands, take them and say what became of them.
    Commands,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Commands => "commands",
        }
    }
}

/// The page that calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub agent: Agent,
    /// One for each time the page is loaded.
    pub page: String,
    /// The origin it was given out to.
    pub origin: String,
    /// From when on it is worth nothing.
    pub ends_at: EpochMillis,
}

/// Why a page's token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadSession {
    /// It was good: a new one is to be had with the cookie.
    Expired,
    /// It never was, or is of another account or for something else.
    Invalid,
}

/// A token for a page of this agent, which has a name of its own, `jti`.
#[must_use]
pub fn new_session(session: &Session, account: &AccountId, secrets: &Secrets, now: EpochMillis, jti: &str) -> String {
    let claims = json!({
        "sub": session.agent.id, "name": session.agent.name, "acc": account, "origin": session.origin, "pid": session.page,
        "iat": now.seconds(), "exp": session.ends_at.seconds(), "jti": jti,
        "purposes": [Purpose::Events.as_str(), Purpose::Commands.as_str()],
    });
    secrets.derived(account, SESSION).first().map_or_else(String::new, |key| sign(&claims, key))
}

/// The page that has the token.
///
/// # Errors
/// [`BadSession`]: expired ones are told apart, so that the page renews and sends the same events again.
pub fn session(
    token: &str,
    account: &AccountId,
    secrets: &Secrets,
    purpose: Purpose,
    now: EpochMillis,
) -> Result<Session, BadSession> {
    let claims = signed_claims(token, &secrets.derived(account, SESSION)).ok_or(BadSession::Invalid)?;
    let read = || {
        let purposes = claims.get("purposes")?.as_array()?;
        let is_ours = claims.get("acc")?.as_str()? == account.to_string() && purposes.iter().any(|p| p == purpose.as_str());
        let ends_at = EpochMillis::new(claims.get("exp")?.as_i64()?.checked_mul(1000)?);
        let (page, origin) = (id_in(&claims, "pid")?, claims.get("origin")?.as_str()?.to_owned());
        is_ours.then_some(Session { agent: Agent::of(&claims)?, page, origin, ends_at })
    };
    let session = read().ok_or(BadSession::Invalid)?;
    if now >= session.ends_at {
        return Err(BadSession::Expired);
    }
    if SESSION_TIMES.hold(&claims, now) { Ok(session) } else { Err(BadSession::Invalid) }
}

#[cfg(test)]
mod tests;
