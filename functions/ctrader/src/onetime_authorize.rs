//! I2 `POST /oauth2/onetime/authorize`: cTrader's backend asks whose a one-time token is.

use app::AppError;
use http::StatusCode;
use platform_ctrader::Channels;
use ports::Saved;
use serde_json::{Map, Value};
use wire::{RawRequest, Reply};

use crate::oauth::{Call, OauthCtx, Row, Stop, answered, text};
use crate::tokens::{self, LongTerm, OneTime};
use crate::users;

/// How often something is tried again that somebody else changed meanwhile: the screen and the backend may come at once.
const RACES: usize = 5;

/// Answers with the user, once. Two reads and a write.
///
/// # Errors
/// [`AppError`] when a backing service is down.
pub async fn handle(ctx: OauthCtx, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, &request).await)
}

async fn run(ctx: &OauthCtx, request: &RawRequest) -> Result<Reply, Stop> {
    let call = Call::authenticated(ctx, request, "/oauth2/onetime/authorize").await?;
    let body = call.body()?;
    let code = text(&body, "code", "code is missing")?;
    if !tokens::is_well_formed(code) {
        return Err(Row::MALFORMED.into());
    }
    for _ in 0..RACES {
        if let Some(reply) = authorize(&call, code).await? {
            return Ok(reply);
        }
    }
    Err(Stop::Ours(ports::PortError::Busy.into()))
}

/// `None` if the token was changed meanwhile.
async fn authorize(call: &Call<'_>, code: &str) -> Result<Option<Reply>, Stop> {
    let (base, found) = (&call.ctx.base, &call.found);
    let unknown = Row::not_found("There is no such token");
    let (token, rev) = tokens::read::<OneTime>(base, found, code).await?.ok_or(unknown)?;
    let is_taken = call.sso.channels == Channels::Shared && token.screen.is_some();
    if token.is_authorized || is_taken {
        return Err(unknown.into());
    }
    let now = base.clock.now();
    if token.ends_at <= now {
        return Err(Row::expired("One-time token has expired").into());
    }
    let user = users::read(base, found, token.user).await?;
    if !user.known.is_some_and(|user| user.is_here_since(token.issued_at)) {
        return Err(unknown.into());
    }
    let mut answer = Map::new();
    answer.insert("userId".to_owned(), token.user.user_id().into());
    let mut changes = vec![tokens::change(found, code, &OneTime { is_authorized: true, ..token.clone() }, rev)?];
    if token.login == Some(true) {
        let access = tokens::fresh(&*base.dice);
        changes.push(tokens::change(found, &access, &LongTerm::new(token.user, now), 0)?);
        answer.insert("accessToken".to_owned(), access.into());
    }
    if let Some((inapp, change)) = call.inapp_token(token.user)? {
        changes.push(change);
        answer.insert("inappToken".to_owned(), inapp.into());
    }
    match base.records.keep_records(&changes).await? {
        Saved::Yes => Ok(Some(Reply::json(StatusCode::OK, &Value::from(answer)))),
        Saved::Conflict => Ok(None),
    }
}
