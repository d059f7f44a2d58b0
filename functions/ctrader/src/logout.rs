//! I5 `POST /oauth2/logout`: a user leaves.

use app::AppError;
use http::StatusCode;
use platform_ctrader::{Person, user_id};
use ports::Saved;
use serde_json::Value;
use wire::{RawRequest, Reply};

use crate::oauth::{Call, OauthCtx, Row, Stop, answered};
use crate::session::end_sessions;
use crate::tokens::{self, LongTerm};
use crate::{Ctx, Found, Problem, users};

/// How often something is tried again that somebody else changed meanwhile.
const RACES: usize = 5;

/// Ends what the user was given: the long-term token, or all of them without one, `inappToken`s, one-time tokens and open
/// sessions. A user or token that is not known has nothing to end, which is as good.
///
/// # Errors
/// [`AppError`] when a backing service is down; then the call is to be repeated.
pub async fn handle(ctx: OauthCtx, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, &request).await)
}

async fn run(ctx: &OauthCtx, request: &RawRequest) -> Result<Reply, Stop> {
    let call = Call::authenticated(ctx, request, "/oauth2/logout").await?;
    let id = call.parameter("userId")?.map(Value::from);
    let id = id.as_ref().and_then(user_id).ok_or(Row::missing("userId is missing or not an integer"))?;
    let access = call.parameter("accessToken")?;
    let person = Person::new(id);
    if let Some(access) = &access {
        revoke(&ctx.base, &call.found, person, access).await?;
    }
    leave(&ctx.base, &call.found, person, access.is_none()).await?;
    Ok(Reply::empty(StatusCode::OK))
}

/// Revokes a long-term token, if it is one of this user's.
async fn revoke(ctx: &Ctx, found: &Found, person: Person, access: &str) -> Result<(), Problem> {
    for _ in 0..RACES {
        let Some((token, rev)) = tokens::read::<LongTerm>(ctx, found, access).await? else { return Ok(()) };
        if token.user != person || token.is_revoked {
            return Ok(());
        }
        let change = tokens::change(found, access, &LongTerm { is_revoked: true, ..token }, rev)?;
        if ctx.records.keep_records(&[change]).await? == Saved::Yes {
            return Ok(());
        }
    }
    Err(ports::PortError::Busy.into())
}

/// Ends what a user was given up to now, with all long-term tokens if it is for good. Returns how many sessions.
pub(crate) async fn leave(ctx: &Ctx, found: &Found, person: Person, is_for_good: bool) -> Result<usize, Problem> {
    let now = ctx.clock.now();
    for _ in 0..RACES {
        let stored = users::read(ctx, found, person).await?;
        // Of somebody whom we do not know any more only sessions can be open.
        let Some(mut user) = stored.known.clone() else { return end_sessions(ctx, found, person).await };
        user.left_at = Some(now);
        user.left_for_good_at = if is_for_good { Some(now) } else { user.left_for_good_at };
        if ctx.records.keep_records(&[stored.change(&user)?]).await? == Saved::Yes {
            return end_sessions(ctx, found, person).await;
        }
    }
    Err(ports::PortError::Busy.into())
}
