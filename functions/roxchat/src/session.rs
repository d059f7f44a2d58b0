//! `POST|DELETE /roxchat/{account}/session`: a page's token for the cookie of who came with a ticket, and signing out (section 7.2).

use app::AppError;
use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::{HeaderValue, Method, StatusCode};
use platform_roxchat::{SESSION_LIFE, Session, new_session};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;
use wire::{RawRequest, Reply};

use crate::problem::{answer, answered};
use crate::{Ctx, Problem, host, who};

#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "pageId")]
    page: String,
}

/// Gives a page a token, or takes the cookie back. What was given out ends by itself.
///
/// # Errors
/// [`AppError`] when accounts cannot be read.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, request).await)
}

async fn run(ctx: &Ctx, request: RawRequest) -> Result<Reply, Problem> {
    if !matches!(request.method, Method::POST | Method::DELETE) {
        return Err(Problem::Method("DELETE, POST"));
    }
    let found = who::found(ctx, &request).await?;
    who::from_page(&found, &request, true)?;
    if request.method == Method::DELETE {
        let reply = Reply::empty(StatusCode::NO_CONTENT).with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return Ok(reply.with_header(SET_COOKIE, host::cookie(&found, "", 0)?));
    }
    let agent = who::signed_in(ctx, &found, &request).ok_or(Problem::SignedOut)?;
    let Asked { page } = who::body(&request)?;
    let page = Uuid::try_parse(&page).map_err(|_| Problem::BadShape)?;
    let now = ctx.clock.now();
    // Whole seconds, as in the token.
    let ends_at = model::EpochMillis::new(now.plus(SESSION_LIFE).seconds() * 1000);
    let session = Session { agent, page: page.to_string(), origin: found.workspace.host_origin.clone(), ends_at };
    let token = new_session(&session, found.id(), &found.secrets, now, &ctx.dice.token());
    Ok(answer(
        StatusCode::OK,
        &json!({
            "token": token,
            "expiresAt": session.ends_at.to_utc_text(),
            "renewAt": now.plus(SESSION_LIFE / 3 * 2).to_utc_text(),
            "agent": {"id": session.agent.id, "name": session.agent.name},
        }),
    ))
}
