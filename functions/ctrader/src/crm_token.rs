//! I1 `POST /oauth2/crmApiToken`: a password becomes a token that authenticates cTrader's backend.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use app::AppError;
use http::StatusCode;
use lambda::Metric;
use model::EpochMillis;
use serde_json::json;
use wire::{RawRequest, Reply};

use crate::oauth::{Call, OauthCtx, Row, Stop, answered, text};
use crate::tokens;

/// Wrong passwords that are looked at within [`WINDOW`], per source (section 11, "Security summary").
const MOST_GUESSES: usize = 10;

/// See [`MOST_GUESSES`].
const WINDOW: Duration = Duration::from_secs(60);

/// Sources that are remembered; those before are forgotten, rather than memory filled.
const MOST_SOURCES: usize = 1000;

/// Who has guessed wrong, and when. It lives in the memory of a function's process: a guess costs the guesser more than the
/// few processes there are could add to it, and whoever cannot guess is never asked to wait.
#[derive(Debug, Default)]
pub struct Guesses(Mutex<BTreeMap<String, Vec<EpochMillis>>>);

impl Guesses {
    /// Whether this source has to wait.
    fn are_too_many(&self, source: &str, now: EpochMillis) -> bool {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(guesses) = held.get_mut(source) else { return false };
        guesses.retain(|at| now.since(*at) < WINDOW);
        guesses.len() >= MOST_GUESSES
    }

    fn note(&self, source: &str, now: EpochMillis) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= MOST_SOURCES && !held.contains_key(source) {
            held.clear();
        }
        held.entry(source.to_owned()).or_default().push(now);
    }
}

/// Answers with a new token for a password that is accepted. Uses no table: the token proves itself.
///
/// # Errors
/// [`AppError`] when brands cannot be read or this one has no passwords.
pub async fn handle(ctx: OauthCtx, guesses: Arc<Guesses>, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, &guesses, &request).await)
}

async fn run(ctx: &OauthCtx, guesses: &Guesses, request: &RawRequest) -> Result<Reply, Stop> {
    let call = Call::of(ctx, request, "/oauth2/crmApiToken").await?;
    let now = ctx.base.clock.now();
    let source = request.source_ip.as_deref().unwrap_or_default();
    if guesses.are_too_many(source, now) {
        return Err(Row::TOO_OFTEN.into());
    }
    let body = call.body()?;
    let password = text(&body, "password", "password is missing")?;
    let random = tokens::random(&*ctx.base.dice);
    let until = now.plus(call.sso.crm_token_ttl);
    let Some(token) = call.secrets.crm_token(&call.found.account.salt, password, &random, until) else {
        guesses.note(source, now);
        ctx.count(Metric::AuthFailures);
        return Err(Row::not_authenticated("password is not accepted").into());
    };
    call.enabled()?;
    Ok(Reply::json(StatusCode::OK, &json!({ "crmApiToken": token })))
}
