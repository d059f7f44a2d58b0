//! Tokens that we give out with `sso`: one-time, long-term and `inappToken`s (section 3). Of each only the hash is kept.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::EpochMillis;
use platform_ctrader::{Person, hashed};
use ports::{Dice, RecordChange, RecordKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wire::signature::sha256;

use crate::{Ctx, Found, Problem};

/// How long an ended token is still told from one that never was (section 6.1, decision rule).
pub(crate) const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a long-term token is valid after its last use (section 11).
const LONG_TERM: Duration = Duration::from_secs(30 * 86_400);

/// Use of a long-term token is noted no more often than this.
const NOTED_AFTER: Duration = Duration::from_secs(86_400);

/// How long an `inappToken` is valid (section 11).
const INAPP: Duration = Duration::from_secs(24 * 60 * 60);

/// What may be used once, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OneTime {
    pub(crate) user: Person,
    pub(crate) issued_at: EpochMillis,
    pub(crate) ends_at: EpochMillis,
    /// For a login only, and then whether the user stays logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) login: Option<bool>,
    /// The page that used it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) screen: Option<Used>,
    /// Whether cTrader's backend has used it.
    #[serde(default)]
    pub(crate) is_authorized: bool,
}

/// How a page used a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Used {
    /// Hash of the page's nonce.
    pub(crate) nonce: String,
    /// When.
    pub(crate) at: EpochMillis,
    /// Our share of the session's token.
    pub(crate) share: String,
}

/// A long-term token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LongTerm {
    pub(crate) user: Person,
    pub(crate) issued_at: EpochMillis,
    pub(crate) ends_at: EpochMillis,
    #[serde(default)]
    pub(crate) is_revoked: bool,
}

/// A second factor of I4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Inapp {
    pub(crate) user: Person,
    pub(crate) issued_at: EpochMillis,
    pub(crate) ends_at: EpochMillis,
}

/// What is kept of a kind of token.
pub(crate) trait Kept: Serialize + DeserializeOwned {
    const KIND: &'static str;
    fn ends_at(&self) -> EpochMillis;
}

impl Kept for OneTime {
    const KIND: &'static str = "one-time";
    fn ends_at(&self) -> EpochMillis {
        self.ends_at
    }
}

impl Kept for LongTerm {
    const KIND: &'static str = "access";
    fn ends_at(&self) -> EpochMillis {
        self.ends_at
    }
}

impl Kept for Inapp {
    const KIND: &'static str = "inapp";
    fn ends_at(&self) -> EpochMillis {
        self.ends_at
    }
}

/// A new token: 43 characters of `A–Z a–z 0–9 - _`, of more than 256 random bits.
pub(crate) fn fresh(dice: &dyn Dice) -> String {
    URL_SAFE_NO_PAD.encode(random(dice))
}

/// 256 random bits.
pub(crate) fn random(dice: &dyn Dice) -> [u8; 32] {
    // Each of the three has 122.
    sha256(format!("{}{}{}", dice.token(), dice.token(), dice.token()).as_bytes())
}

/// Whether a text could be a token of ours (section 6.1: otherwise 417).
pub(crate) fn is_well_formed(token: &str) -> bool {
    (22..=64).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

fn key<T: Kept>(found: &Found, token: &str) -> RecordKey {
    RecordKey { account: found.account.id.clone(), group: hashed(token), kind: T::KIND, id: String::new() }
}

/// What is kept of a token, with its `rev`, whether its time is over or not.
pub(crate) async fn read<T: Kept>(ctx: &Ctx, found: &Found, token: &str) -> Result<Option<(T, u64)>, Problem> {
    let Some(record) = ctx.records.record(&key::<T>(found, token)).await? else { return Ok(None) };
    let kept = serde_json::from_str(&record.body).map_err(|_| app::AppError::Internal("a stored token cannot be read"))?;
    Ok(Some((kept, record.rev)))
}

/// The change that keeps this of a token.
pub(crate) fn change<T: Kept>(found: &Found, token: &str, kept: &T, rev: u64) -> Result<RecordChange, Problem> {
    let body = serde_json::to_string(kept).map_err(|_| app::AppError::Internal("a token that cannot be written"))?;
    Ok(RecordChange { key: key::<T>(found, token), rev, body, ends_at: Some(kept.ends_at().plus(KEPT)) })
}

impl OneTime {
    /// A new one, for a login with whether the user stays logged in, else for a screen.
    pub(crate) fn new(user: Person, now: EpochMillis, ttl: Duration, login: Option<bool>) -> Self {
        Self { user, issued_at: now, ends_at: now.plus(ttl), login, screen: None, is_authorized: false }
    }
}

impl LongTerm {
    /// A new one.
    pub(crate) fn new(user: Person, now: EpochMillis) -> Self {
        Self { user, issued_at: now, ends_at: now.plus(LONG_TERM), is_revoked: false }
    }

    /// The same after a use, if the use is to be noted.
    pub(crate) fn used(&self, now: EpochMillis) -> Option<Self> {
        let is_due = now.plus(LONG_TERM).since(self.ends_at) >= NOTED_AFTER;
        is_due.then(|| Self { ends_at: now.plus(LONG_TERM), ..self.clone() })
    }
}

impl Inapp {
    /// A new one.
    pub(crate) fn new(user: Person, now: EpochMillis) -> Self {
        Self { user, issued_at: now, ends_at: now.plus(INAPP) }
    }
}
