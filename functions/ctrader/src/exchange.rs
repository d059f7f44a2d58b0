//! `POST /inapp/api/session`: a screen exchanges its one-time token for a session (sections 8.1, 8.3 and 11).
//!
//! The one place that knows which option a brand has: screens only ever see sessions.

use std::sync::Arc;
use std::time::Duration;

use app::AppError;
use http::header::{ALLOW, CACHE_CONTROL};
use http::{HeaderValue, Method, StatusCode};
use lambda::{Config, Metric, Metrics, Services};
use model::{EpochMillis, Platform};
use outbound_http::{HttpSender, Limits, TargetPolicy};
use platform_ctrader::{Channels, Handoff, Identity, Params, Person, Screen, Secrets, Sso, UnknownUsers, hashed, shown};
use ports::{RecordChange, RecordKey, Saved, Sender};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use wire::signature::hmac_sha256;
use wire::{RawRequest, Reply};

use crate::handoff::{Managers, Redemption};
use crate::session::{self, IDLE, Session, open_session};
use crate::tokens::{self, KEPT, OneTime, Used};
use crate::users::{self, Stored};
use crate::{Code, Ctx, Found, Problem, find_brand};

/// The longest body.
const MAX_BODY: usize = 16 * 1024;

/// The longest token, in bytes (section 7).
const MAX_TOKEN: usize = 2048;

/// Within this time a page that asks again gets its session again (section 11, "Idempotency of session creation").
const REPEAT: Duration = Duration::from_secs(10);

/// What cTrader's answers may take, all together (section 8.1, step 5).
const BUDGET: Duration = Duration::from_millis(2500);

/// Section 11, "Redeem timeout" and "Outbound client limits".
const LIMITS: Limits = Limits { connect: Duration::from_secs(1), answer: 64 * 1024 };

/// How often something is tried again that somebody else changed meanwhile.
const RACES: usize = 5;

/// What the exchange needs.
#[derive(Clone)]
pub struct ExchangeCtx {
    /// Brands and records.
    pub base: Ctx,
    /// Calls to cTrader.
    pub sender: Arc<dyn Sender>,
    /// What those calls carry.
    pub managers: Arc<Managers>,
    /// Name of this function, for metrics.
    pub function: String,
}

/// Connects, during INIT.
pub async fn connect_exchange(config: &Config) -> ExchangeCtx {
    let (services, roster) = Services::connect_reading(config, &[Platform::Ctrader]).await;
    let base = crate::with(config, &services, roster);
    let sender = HttpSender::within(TargetPolicy::new(config.allow_loopback_targets), LIMITS);
    ExchangeCtx { base, sender: Arc::new(sender), managers: Arc::default(), function: config.function.clone() }
}

/// What a page asks.
struct Ask {
    token: String,
    /// Hash of what the page made up for itself.
    nonce: String,
    screen: Screen,
    params: Params,
}

/// How far a token of `handoff` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stage {
    /// Somebody redeems it at this moment.
    Claimed,
    /// It certainly was not spent: anybody may try.
    Free,
    /// It may have been spent: only the page that tried may try again.
    Unsure,
    /// It was spent, and there is a session.
    Done,
}

/// What is kept of a token of `handoff`, under its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    stage: Stage,
    used: Used,
}

/// A token that is ours to redeem.
struct Claimed {
    claim: Claim,
    rev: u64,
    is_repeat: bool,
}

/// Answers with a session for a token that proves who the user is.
///
/// With `sso` two reads and a write of three items; with `handoff` a write, a call to cTrader, a read, and a write of three or
/// four items.
///
/// # Errors
/// None: what goes wrong is told as screens are told.
pub async fn handle(ctx: ExchangeCtx, request: RawRequest) -> Result<Reply, AppError> {
    Ok(match ctx.run(&request).await {
        Ok(reply) => reply.with_header(CACHE_CONTROL, HeaderValue::from_static("no-store")),
        Err(problem) => {
            let reply = problem.to_reply(&request.request_id);
            let is_method = reply.status == StatusCode::METHOD_NOT_ALLOWED;
            if is_method { reply.with_header(ALLOW, HeaderValue::from_static("POST")) } else { reply }
        }
    })
}

fn invalid_token() -> Problem {
    Problem::refused(Code::TokenInvalid)
}

/// Reads what a page asks. Nothing is spent for what cannot be used.
fn read(request: &RawRequest) -> Result<Ask, Problem> {
    if request.body.len() > MAX_BODY {
        return Err(Problem::refused(Code::TooLarge));
    }
    let body: Map<String, Value> =
        serde_json::from_slice(&request.body).map_err(|_| Problem::invalid("the body is not a JSON object"))?;
    let token = match body.get("token") {
        None | Some(Value::Null) => return Err(Problem::refused(Code::TokenMissing)),
        Some(Value::String(text)) if text.is_empty() => return Err(Problem::refused(Code::TokenMissing)),
        Some(Value::String(text)) => text,
        // A page whose address has several tells all of them.
        Some(Value::Array(several)) if several.len() > 1 => return Err(Problem::refused(Code::TokenDuplicate)),
        Some(_) => return Err(Problem::refused(Code::TokenMalformed)),
    };
    if token.len() > MAX_TOKEN || token.chars().any(char::is_control) {
        return Err(Problem::refused(Code::TokenMalformed));
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let nonce = text("nonce");
    let is_nonce = (22..=128).contains(&nonce.len()) && nonce.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if !is_nonce {
        return Err(Problem::invalid("nonce is not 22 to 128 characters of A-Z, a-z, 0-9, - and _"));
    }
    let screen = Screen::parse(text("screen")).ok_or_else(|| Problem::invalid("screen is not action, chat or education"))?;
    let none = Map::new();
    let params = match body.get("params") {
        None => &none,
        Some(Value::Object(given)) => given,
        Some(_) => return Err(Problem::invalid("params is not an object")),
    };
    let params = Params::read(screen, params).map_err(|bad| Problem::invalid(bad.to_string()))?;
    Ok(Ask { token: token.clone(), nonce: hashed(nonce), screen, params })
}

/// The session's token, of what only the page knows and what only we know: whoever reads the table or a log has too little of
/// it, and the same page gets the same.
fn session_token(used: &Used, token: &str) -> String {
    hex::encode(hmac_sha256(used.share.as_bytes(), format!("{}\0{token}", used.nonce).as_bytes()))
}

impl Ask {
    fn used(&self, ctx: &Ctx) -> Used {
        let share = format!("{}{}", ctx.dice.token(), ctx.dice.token());
        Used { nonce: self.nonce.clone(), at: ctx.clock.now(), share }
    }

    /// Whether the page that used the token asks again, a moment later.
    fn repeats(&self, used: &Used, now: EpochMillis) -> bool {
        used.nonce == self.nonce && now.since(used.at) < REPEAT
    }
}

impl ExchangeCtx {
    async fn run(&self, request: &RawRequest) -> Result<Reply, Problem> {
        let deadline = self.base.clock.now().plus(BUDGET);
        if request.method != Method::POST {
            return Err(Problem::refused(Code::MethodNotAllowed));
        }
        let found = find_brand(&self.base, request).await?;
        let ask = read(request)?;
        if found.brand.disabled || (ask.screen == Screen::Education && !found.brand.education_enabled) {
            return Err(Problem::not_found());
        }
        let (token, session) = match &found.brand.identity {
            Identity::Sso(sso) => self.of_ours(&found, sso, &ask).await?,
            Identity::Handoff(handoff) => self.of_ctrader_s(&found, handoff, &ask, deadline).await?,
        };
        let brand = &found.brand;
        Ok(Reply::json(
            StatusCode::OK,
            &json!({
                "session": token,
                "expiresIn": IDLE.as_secs(),
                "user": {"displayName": session.name},
                "lang": session.lang,
                "context": {"screen": session.screen, "params": shown(&session.params)},
                "successUrl": brand.success_url.as_str(),
                "closeUrl": brand.close_url.as_str(),
                "resultOnClose": brand.result_on_close,
            }),
        ))
    }

    /// Section 8.3, step 4: the token is one of ours.
    async fn of_ours(&self, found: &Found, sso: &Sso, ask: &Ask) -> Result<(String, Session), Problem> {
        let ctx = &self.base;
        if !tokens::is_well_formed(&ask.token) {
            return Err(invalid_token());
        }
        for _ in 0..RACES {
            let (kept, rev) = tokens::read::<OneTime>(ctx, found, &ask.token).await?.ok_or_else(invalid_token)?;
            let now = ctx.clock.now();
            if let Some(used) = &kept.screen {
                return self.again(found, ask, used).await;
            }
            // A login's token stands in the address of the success page: it opens no screen.
            let is_taken = sso.channels == Channels::Shared && kept.is_authorized;
            if kept.login.is_some() || is_taken || kept.ends_at <= now {
                return Err(invalid_token());
            }
            let stored = users::read(ctx, found, kept.user).await?;
            let user = stored.known.filter(|user| user.is_here_since(kept.issued_at)).ok_or_else(invalid_token)?;
            let used = ask.used(ctx);
            let name = user.name.or(user.email);
            let (token, session, mut changes) = self.opening(found, ask, &used, kept.user, name, user.trading_login)?;
            changes.push(tokens::change(found, &ask.token, &OneTime { screen: Some(used), ..kept }, rev)?);
            if ctx.records.keep_records(&changes).await? == Saved::Yes {
                return Ok((token, session));
            }
        }
        Err(ports::PortError::Busy.into())
    }

    /// Section 8.1, steps 5 and 6: cTrader says whose the token is.
    async fn of_ctrader_s(
        &self,
        found: &Found,
        handoff: &Handoff,
        ask: &Ask,
        deadline: EpochMillis,
    ) -> Result<(String, Session), Problem> {
        let backend = found.brand.backend.as_ref().ok_or(AppError::Internal("a brand with handoff has no backend"))?;
        let secrets = Secrets::from_value(&found.secrets).map_err(|_| AppError::Internal("secrets of a brand cannot be read"))?;
        let claimed = match self.claim(found, ask).await? {
            Ok(claimed) => claimed,
            Err(used) => return self.again(found, ask, &used).await,
        };
        let (ctx, sender, managers) = (&self.base, &self.sender, &*self.managers);
        let redemption = Redemption { ctx, sender, managers, found, backend, handoff, secrets: &secrets, deadline };
        let vouched = match redemption.run(&ask.token, claimed.is_repeat).await {
            Ok(vouched) => vouched,
            Err(failed) => {
                if let Some(metric) = failed.metric {
                    self.count(metric);
                }
                if failed.code != Code::TokenInvalid {
                    let stage = if failed.is_perhaps_spent { Stage::Unsure } else { Stage::Free };
                    let change = self.claim_change(found, ask, &Claim { stage, ..claimed.claim }, claimed.rev)?;
                    // Should it not be stored, the token stays claimed: that costs the user one more press of a control.
                    let _best_effort = self.base.records.keep_records(&[change]).await;
                }
                return Err(Problem::refused(failed.code));
            }
        };
        let person = Person::new(vouched.user_id);
        let used = Used { at: self.base.clock.now(), ..claimed.claim.used.clone() };
        let done = self.claim_change(found, ask, &Claim { stage: Stage::Done, used: used.clone() }, claimed.rev)?;
        for _ in 0..RACES {
            let stored = users::read(&self.base, found, person).await?;
            let (name, named) = named(&stored, handoff, &vouched)?;
            let (token, session, mut changes) = self.opening(found, ask, &used, person, name, vouched.trading_login)?;
            changes.push(done.clone());
            changes.extend(named);
            if self.base.records.keep_records(&changes).await? == Saved::Yes {
                return Ok((token, session));
            }
        }
        Err(ports::PortError::Busy.into())
    }

    /// Claims a token, before anybody redeems it: of several at once one does. `Err` with how it was used, if it was.
    async fn claim(&self, found: &Found, ask: &Ask) -> Result<Result<Claimed, Used>, Problem> {
        let (mut rev, mut is_repeat) = (0, false);
        for _ in 0..RACES {
            let claim = Claim { stage: Stage::Claimed, used: ask.used(&self.base) };
            let change = self.claim_change(found, ask, &claim, rev)?;
            let key = change.key.clone();
            if self.base.records.keep_records(&[change]).await? == Saved::Yes {
                return Ok(Ok(Claimed { claim, rev: rev + 1, is_repeat }));
            }
            let Some(record) = self.base.records.record(&key).await? else { continue };
            let held: Claim =
                serde_json::from_str(&record.body).map_err(|_| AppError::Internal("a stored claim cannot be read"))?;
            let is_same = held.used.nonce == ask.nonce;
            match held.stage {
                Stage::Done => return Ok(Err(held.used)),
                // The page asked again before it was answered: it is to come again.
                Stage::Claimed if ask.repeats(&held.used, self.base.clock.now()) => {
                    return Err(Problem::refused(Code::IdentityBusy));
                }
                Stage::Free => is_repeat = false,
                Stage::Unsure if is_same => is_repeat = true,
                Stage::Claimed | Stage::Unsure => return Err(invalid_token()),
            }
            rev = record.rev;
        }
        Err(invalid_token())
    }

    fn claim_change(&self, found: &Found, ask: &Ask, claim: &Claim, rev: u64) -> Result<RecordChange, Problem> {
        let body = serde_json::to_string(claim).map_err(|_| AppError::Internal("a claim that cannot be written"))?;
        let key = RecordKey { account: found.account.id.clone(), group: hashed(&ask.token), kind: "claim", id: String::new() };
        Ok(RecordChange { key, rev, body, ends_at: Some(claim.used.at.plus(KEPT)) })
    }

    /// The session of a token that was used, for the page that used it.
    async fn again(&self, found: &Found, ask: &Ask, used: &Used) -> Result<(String, Session), Problem> {
        if !ask.repeats(used, self.base.clock.now()) {
            return Err(invalid_token());
        }
        let token = session_token(used, &ask.token);
        let session = session::opened(&self.base, found, &token).await?.ok_or_else(invalid_token)?;
        Ok((token, session))
    }

    /// A session, its token and what opens it.
    fn opening(
        &self,
        found: &Found,
        ask: &Ask,
        used: &Used,
        person: Person,
        name: Option<String>,
        trading_login: Option<i64>,
    ) -> Result<(String, Session, Vec<RecordChange>), Problem> {
        let token = session_token(used, &ask.token);
        let now = self.base.clock.now();
        let session = Session {
            person,
            name,
            trading_login,
            lang: found.brand.language(ask.params.lang.as_deref()).to_owned(),
            screen: ask.screen.as_str().to_owned(),
            params: ask.params.clone().confirmed(trading_login),
            opened_at: now,
            seen_at: now,
        };
        let changes = open_session(found, &token, &session)?.to_vec();
        Ok((token, session, changes))
    }

    fn count(&self, metric: Metric) {
        let mut metrics = Metrics::default();
        metrics.count(Some(Platform::Ctrader), metric, 1);
        metrics.emit(&self.function, self.base.clock.now());
    }
}

/// The name of somebody whom cTrader vouches for, and the change that notes what cTrader told (section 11, "Unknown `userId` in
/// handoff").
fn named(
    stored: &Stored,
    handoff: &Handoff,
    vouched: &platform_ctrader::Vouched,
) -> Result<(Option<String>, Option<RecordChange>), Problem> {
    if stored.known.is_none() && handoff.unknown_users == UnknownUsers::Refuse {
        return Err(Problem::not_found());
    }
    let mut user = stored.known.clone().unwrap_or_default();
    user.email = vouched.email.clone().or(user.email);
    user.trading_login = vouched.trading_login.or(user.trading_login);
    let change = (stored.known.as_ref() != Some(&user)).then(|| stored.change(&user)).transpose()?;
    Ok((user.name.or(user.email), change))
}
