//! I3 `POST /oauth2/authorize`: cTrader's backend asks whose a long-term token is, as often as it likes.

use app::AppError;
use http::StatusCode;
use ports::Saved;
use serde_json::{Map, Value};
use wire::{RawRequest, Reply};

use crate::oauth::{Call, OauthCtx, Row, Stop, answered, text};
use crate::tokens::{self, LongTerm};
use crate::users;

/// Answers with the user. Two reads; a write once a day and where `inappToken`s are given out.
///
/// # Errors
/// [`AppError`] when a backing service is down.
pub async fn handle(ctx: OauthCtx, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, &request).await)
}

async fn run(ctx: &OauthCtx, request: &RawRequest) -> Result<Reply, Stop> {
    let call = Call::authenticated(ctx, request, "/oauth2/authorize").await?;
    let body = call.body()?;
    let access = text(&body, "accessToken", "accessToken is missing")?;
    if !tokens::is_well_formed(access) {
        return Err(Row::MALFORMED.into());
    }
    let (base, found) = (&ctx.base, &call.found);
    let unknown = Row::not_found("There is no such token");
    let (token, rev) = tokens::read::<LongTerm>(base, found, access).await?.ok_or(unknown)?;
    if token.is_revoked {
        return Err(unknown.into());
    }
    let now = base.clock.now();
    if token.ends_at <= now {
        return Err(Row::expired("accessToken has expired").into());
    }
    let user = users::read(base, found, token.user).await?;
    if !user.known.is_some_and(|user| user.stays_since(token.issued_at)) {
        return Err(unknown.into());
    }
    let mut answer = Map::new();
    answer.insert("userId".to_owned(), token.user.user_id().into());
    if let Some(used) = token.used(now) {
        // Whoever was first has noted it too, or revoked it, which counts from the next call on.
        let (Saved::Yes | Saved::Conflict) = base.records.keep_records(&[tokens::change(found, access, &used, rev)?]).await?;
    }
    if let Some((inapp, change)) = call.inapp_token(token.user)? {
        if base.records.keep_records(&[change]).await? == Saved::Conflict {
            return Err(Stop::Ours(AppError::Internal("a new token was there before")));
        }
        answer.insert("inappToken".to_owned(), inapp.into());
    }
    Ok(Reply::json(StatusCode::OK, &Value::from(answer)))
}
