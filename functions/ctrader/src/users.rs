//! Users whom the broker, or cTrader, has named.

use model::EpochMillis;
use platform_ctrader::Person;
use ports::{RecordChange, RecordKey};
use serde::{Deserialize, Serialize};

use crate::{Ctx, Found, Problem};

/// What is known of a user. All of it changes but the id; name and e-mail are personal data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trading_login: Option<i64>,
    /// One-time tokens and `inappToken`s of then and before are worth nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) left_at: Option<EpochMillis>,
    /// The same for long-term tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) left_for_good_at: Option<EpochMillis>,
    /// Whether the broker does not know the user any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_forgotten: bool,
}

impl User {
    /// Whether what was given out then is still worth something.
    pub(crate) fn is_here_since(&self, issued_at: EpochMillis) -> bool {
        self.left_at.is_none_or(|left| left < issued_at)
    }

    /// The same for a long-term token.
    pub(crate) fn stays_since(&self, issued_at: EpochMillis) -> bool {
        self.left_for_good_at.is_none_or(|left| left < issued_at)
    }
}

/// A user's record.
pub(crate) struct Stored {
    key: RecordKey,
    /// The `rev` that was read, 0 without a record.
    rev: u64,
    /// `None` for somebody whom nobody named, or who was forgotten.
    pub(crate) known: Option<User>,
    /// What was there, known or not.
    pub(crate) before: User,
}

impl Stored {
    /// The change that makes it this.
    pub(crate) fn change(&self, user: &User) -> Result<RecordChange, Problem> {
        let body = serde_json::to_string(user).map_err(|_| app::AppError::Internal("a user that cannot be written"))?;
        Ok(RecordChange { key: self.key.clone(), rev: self.rev, body, ends_at: None })
    }
}

/// What is known of a user.
pub(crate) async fn read(ctx: &Ctx, found: &Found, person: Person) -> Result<Stored, Problem> {
    let group = person.group(&found.account.salt);
    let key = RecordKey { account: found.account.id.clone(), group, kind: "user", id: String::new() };
    let Some(record) = ctx.records.record(&key).await? else {
        return Ok(Stored { key, rev: 0, known: None, before: User::default() });
    };
    let user: User = serde_json::from_str(&record.body).map_err(|_| app::AppError::Internal("a stored user cannot be read"))?;
    Ok(Stored { key, rev: record.rev, known: Some(user.clone()).filter(|user| !user.is_forgotten), before: user })
}
