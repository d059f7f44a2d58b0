//! How an attempt comes by its token (section 12.1): ten logins a minute are all a user has, so one token serves everybody.
//!
//! It is held in memory, in front of the grant that all functions share, sealed with a key that follows from the user's password.
//! Whoever finds it missing, over or refused reads the grant, and logs in only if nobody else does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use model::{EpochMillis, Grant, StoredGrant};
use seal::Seals;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wire::signature::{hmac_sha256, sha256_hex};
use wire::{CallFailure, GrantSeen, GrantStep, HttpAnswer, Input, Outcome, Secret, Step};

use super::{calls, unanswered, usable};
use crate::api::Api;

/// A token is not used in its last minute: it could expire on the way.
const MARGIN: Duration = Duration::from_secs(60);

/// The documented lifetime, for an answer that does not say.
const LIFETIME: Duration = Duration::from_secs(86_400);

/// How long one worker has the right to log in: its one call takes 10 s at most.
const RENEWAL: Duration = Duration::from_secs(20);

/// When whoever meets somebody else's login looks again.
const SOON: Duration = Duration::from_secs(2);

/// How long a refusal stands.
const LOOK_AGAIN: Duration = Duration::from_secs(900);

/// The end of an attempt that somebody has to see to.
pub(super) fn unauthorised(reason: &'static str, now: EpochMillis) -> Outcome {
    Outcome::Unauthorised { until: now.plus(LOOK_AGAIN), reason, is_news: true }
}

/// Why the login is refused, as it is stored.
const REFUSED: &str = "configuration error: iAdvize refuses the user or the password";

/// A token as it is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Token {
    access: String,
    expires_at: EpochMillis,
}

impl Token {
    fn is_usable(&self, now: EpochMillis) -> bool {
        now.plus(MARGIN) < self.expires_at
    }

    /// The value of an `Authorization` header; `None` if it cannot stand there.
    fn bearer(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.access)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// The tokens of all users, by the names of their grants.
#[derive(Default)]
pub(super) struct Memory(Mutex<HashMap<String, Token>>);

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Token>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What comes next.
#[expect(clippy::large_enum_variant, reason = "taken apart where it is returned, never stored")]
pub(super) enum Move {
    /// Make the call with this.
    Use(HeaderValue),
    /// Do this first, and go on with what came back.
    Do(Step),
    /// There is no token: the attempt is over.
    End(Outcome),
}

/// What is waited for.
enum Waiting {
    Nothing,
    Read,
    Begun { rev: u64 },
    Login { rev: u64 },
    Kept(Token),
    Refused,
}

/// An attempt's way to its token.
pub(super) struct Access {
    api: Api,
    password: Secret,
    memory: Arc<Memory>,
    name: String,
    seals: Seals,
    waiting: Waiting,
    /// The token in use.
    used: Option<Token>,
    /// That which iAdvize has refused in this attempt.
    refused: Option<Token>,
}

impl Access {
    pub(super) fn new(api: Api, password: Secret, memory: Arc<Memory>) -> Result<Self, Outcome> {
        let secret = password.expose().as_bytes();
        let seals = Seals::of_key(&hmac_sha256(secret, b"deskbridge: token of iAdvize"));
        let seals = seals.ok_or_else(|| unanswered("there is no key for the token"))?;
        // The password's hash is in the name, so that another password begins anew and a wrong one spoils nothing.
        let parts = [api.base_url.as_str(), &api.username, password.expose()];
        let named: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
        let name = format!("iadvize:{}", sha256_hex(named.as_bytes()));
        Ok(Self { api, password, memory, name, seals, waiting: Waiting::Nothing, used: None, refused: None })
    }

    /// The token in memory, or the way to another one.
    pub(super) fn token(&mut self, now: EpochMillis) -> Move {
        let held = self.memory.lock().get(&self.name).cloned();
        match held.filter(|token| self.may_use(token, now)) {
            Some(token) => self.put_to_use(token),
            None => self.read(),
        }
    }

    /// Goes on after iAdvize has refused the token: once, with another one.
    pub(super) fn refused(&mut self, now: EpochMillis) -> Move {
        let Some(used) = self.used.take().filter(|_| self.refused.is_none()) else {
            return Move::End(unauthorised("iAdvize refuses the token it has just given", now));
        };
        let mut memory = self.memory.lock();
        if memory.get(&self.name) == Some(&used) {
            memory.remove(&self.name);
        }
        drop(memory);
        self.refused = Some(used);
        self.token(now)
    }

    fn may_use(&self, token: &Token, now: EpochMillis) -> bool {
        token.is_usable(now) && self.refused.as_ref() != Some(token)
    }

    fn put_to_use(&mut self, token: Token) -> Move {
        let Some(bearer) = token.bearer() else { return Move::End(unanswered("iAdvize gave a token that is none")) };
        self.memory.lock().insert(self.name.clone(), token.clone());
        self.used = Some(token);
        Move::Use(bearer)
    }

    fn read(&mut self) -> Move {
        self.waiting = Waiting::Read;
        Move::Do(Step::Grant(GrantStep::Read { name: self.name.clone() }))
    }

    /// Goes on with what came back.
    pub(super) fn resume(&mut self, input: Input, now: EpochMillis) -> Move {
        match (std::mem::replace(&mut self.waiting, Waiting::Nothing), input) {
            (Waiting::Read, Input::Grant(GrantSeen::Read(stored))) => self.seen(stored, now),
            (Waiting::Begun { rev }, Input::Grant(GrantSeen::Begun(true))) => {
                self.waiting = Waiting::Login { rev };
                Move::Do(Step::Call(calls::login(&self.api, &self.password)))
            }
            (Waiting::Begun { .. }, Input::Grant(GrantSeen::Begun(false))) => soon(now),
            (Waiting::Login { rev }, Input::Answered(answer)) => self.logged_in(rev, answer, now),
            // Kept or not: it is good.
            (Waiting::Kept(token), Input::Grant(GrantSeen::Kept(_))) => self.put_to_use(token),
            (Waiting::Refused, Input::Grant(GrantSeen::Kept(_))) => Move::End(unauthorised(REFUSED, now)),
            _ => Move::End(unanswered("the exchange was resumed out of order")),
        }
    }

    fn seen(&mut self, stored: Option<StoredGrant>, now: EpochMillis) -> Move {
        let Some(StoredGrant { grant, rev, renewed_until }) = stored else { return self.begin(0, now) };
        let sealed = grant.sealed.as_deref().and_then(|sealed| self.seals.open(&self.name, sealed));
        let token = sealed.and_then(|open| serde_json::from_slice::<Token>(&open).ok());
        if let Some(token) = token.filter(|token| self.may_use(token, now)) {
            return self.put_to_use(token);
        }
        if let (Some(_), Some(until)) = (&grant.refused, grant.expires_at.filter(|until| now < *until)) {
            return Move::End(Outcome::Unauthorised { until, reason: REFUSED, is_news: false });
        }
        if now < renewed_until { soon(now) } else { self.begin(rev, now) }
    }

    fn begin(&mut self, rev: u64, now: EpochMillis) -> Move {
        self.waiting = Waiting::Begun { rev };
        Move::Do(Step::Grant(GrantStep::BeginRenewal { name: self.name.clone(), rev, until: now.plus(RENEWAL) }))
    }

    fn logged_in(&mut self, rev: u64, answer: Result<HttpAnswer, CallFailure>, now: EpochMillis) -> Move {
        let answer = match usable(answer, now) {
            Ok(answer) => answer,
            Err(outcome) => return Move::End(outcome),
        };
        let grant = if answer.status.is_success() {
            let Some(token) = given(&answer.body, now) else {
                return Move::End(unanswered("iAdvize gave a token that is none"));
            };
            let sealed = serde_json::to_vec(&token).ok().and_then(|plain| self.seals.seal(&self.name, &plain));
            let expires_at = Some(token.expires_at);
            self.waiting = Waiting::Kept(token);
            Grant { sealed, expires_at, refused: None }
        } else {
            self.waiting = Waiting::Refused;
            Grant { sealed: None, expires_at: Some(now.plus(LOOK_AGAIN)), refused: Some(REFUSED.to_owned()) }
        };
        Move::Do(Step::Grant(GrantStep::Keep { name: self.name.clone(), rev, grant }))
    }
}

/// Somebody else logs in.
fn soon(now: EpochMillis) -> Move {
    Move::End(Outcome::Parked { until: now.plus(SOON), reason: "somebody else is asking for a token" })
}

/// The token in an answer.
fn given(body: &[u8], now: EpochMillis) -> Option<Token> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let access = body["access_token"].as_str().filter(|token| !token.is_empty())?.to_owned();
    let lifetime = body["expires_in"].as_u64().map_or(LIFETIME, Duration::from_secs);
    Some(Token { access, expires_at: now.plus(lifetime) })
}
