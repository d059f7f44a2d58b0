//! I4 `POST /oauth2/onetime/generate`: a one-time token for a screen, when a user who is logged in presses a control.

use app::AppError;
use http::StatusCode;
use platform_ctrader::{InappTokens, Person, user_id};
use ports::Saved;
use serde_json::json;
use wire::{RawRequest, Reply};

use crate::oauth::{Call, OauthCtx, Row, Stop, answered};
use crate::tokens::{self, Inapp, OneTime};
use crate::users;

/// Answers with a new token. A read and a write, and a read more where `inappToken`s are wanted.
///
/// # Errors
/// [`AppError`] when a backing service is down.
pub async fn handle(ctx: OauthCtx, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, &request).await)
}

async fn run(ctx: &OauthCtx, request: &RawRequest) -> Result<Reply, Stop> {
    let call = Call::authenticated(ctx, request, "/oauth2/onetime/generate").await?;
    let (base, found) = (&ctx.base, &call.found);
    let inapp = call.parameter("inappToken")?;
    let body = call.body()?;
    let id = body.get("userId").and_then(user_id).ok_or(Row::missing("userId is missing or not an integer"))?;
    let person = Person::new(id);
    let factor = match call.sso.inapp_tokens {
        InappTokens::Off => None,
        InappTokens::Required => Some(factor(&call, inapp.as_deref(), person).await?),
    };
    let user = users::read(base, found, person).await?.known.ok_or(Row::not_found("There is no such user"))?;
    if factor.is_some_and(|factor| !user.is_here_since(factor.issued_at)) {
        return Err(Row::not_authenticated("inappToken is not accepted").into());
    }
    let token = tokens::fresh(&*base.dice);
    let kept = OneTime::new(person, base.clock.now(), call.sso.ot_token_ttl, None);
    if base.records.keep_records(&[tokens::change(found, &token, &kept, 0)?]).await? == Saved::Conflict {
        return Err(Stop::Ours(AppError::Internal("a new token was there before")));
    }
    Ok(Reply::json(StatusCode::OK, &json!({ "token": token })))
}

/// The user's `inappToken`; without one no token is given out.
async fn factor(call: &Call<'_>, given: Option<&str>, person: Person) -> Result<Inapp, Stop> {
    let refused = Row::not_authenticated("inappToken is not accepted");
    let given = given.ok_or(refused)?;
    if !tokens::is_well_formed(given) {
        return Err(Row::MALFORMED.into());
    }
    let (inapp, _) = tokens::read::<Inapp>(&call.ctx.base, &call.found, given).await?.ok_or(refused)?;
    if inapp.user != person {
        return Err(refused.into());
    }
    if inapp.ends_at <= call.ctx.base.clock.now() {
        return Err(Row::expired("inappToken has expired").into());
    }
    Ok(inapp)
}
