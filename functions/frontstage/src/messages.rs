//! `POST /v1/frontstage/{gateway}/messages` and `.../messages/{MSG}`: what connectors send.

use std::time::Duration;

use app::{Accepted, Acknowledged, AppError};
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method};
use lambda::Metric;
use model::{Account, AccountId, EpochMillis, EventKey, MessageId, Platform, Slug};
use platform_frontstage::{
    Answer, Code, Envelope, Form, Head, Item, MAX_BODY, MessageContentInfo, Msg, Nonce, Outcome, Secrets, Settings, Side,
    WireError, acknowledgement, gateways_reply, parse, receive, received_reply, verify,
};
use ports::{Guard, GuardRefusal, OnceKey};
use serde_json::{Value, json};
use wire::{RawRequest, Reply};

use crate::Ctx;

/// How long a nonce stays refused (10.5).
const KEEP_NONCE: Duration = Duration::from_secs(600);

/// How long an envelope's answer is kept (10.7).
const KEEP_ANSWER: Duration = Duration::from_secs(86_400);

/// Takes one envelope, an array of them, or a payload whose name stands in the path.
///
/// # Errors
/// [`AppError`] when the whole request did not happen; what is wrong with one envelope is in the reply.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    let request_id = request.request_id.clone();
    let Some((gateway, named)) = target(&request) else {
        return Ok(WireError::new(Code::UnknownGateway, "no such gateway").to_reply(&request_id));
    };
    if request.method != Method::POST {
        let reply = WireError::new(Code::MethodNotAllowed, "only POST").to_reply(&request_id);
        return Ok(reply.with_header(ALLOW, HeaderValue::from_static("POST")));
    }
    if request.body.len() > MAX_BODY {
        return Err(AppError::TooLarge { limit: MAX_BODY });
    }
    let now = ctx.base.clock.now();
    let id = AccountId::new(Platform::Frontstage, gateway);
    let snapshot = ctx.roster.knowing(&id).await?;
    let Some((account, secrets)) = snapshot.account(&id) else { return Err(AppError::UnknownAccount(id)) };
    let settings = Settings::of(account).map_err(|_| AppError::Internal("settings of a gateway cannot be read"))?;
    let secrets = Secrets::of(secrets).map_err(|_| AppError::Internal("secrets of a gateway cannot be read"))?;
    let is_json = request.headers.get(CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"application/json"));
    let (verified, nonce) = match verify(request, &secrets, now) {
        Ok(verified) => verified,
        Err(failure) => {
            ctx.count(Metric::AuthFailures, now);
            tracing::warn!(account.id = %id, "request to {id} not authenticated: {failure}");
            return Err(AppError::Unauthenticated("signature rejected"));
        }
    };
    if !is_json {
        return Ok(WireError::new(Code::UnsupportedMediaType, "application/json only").to_reply(&request_id));
    }
    let batch = match parse(&verified, named.as_deref(), Side::connector(&settings)) {
        Ok(batch) => batch,
        Err(error) => return Ok(error.to_reply(&request_id)),
    };
    let mut nonce_guard = vec![nonce_guard(&id, &nonce, now)];
    if batch.form == Form::Array {
        // Several writes follow, and the nonce can guard only one.
        if ctx.base.store.guard(&nonce_guard, now).await?.is_some() {
            return Err(replayed());
        }
        nonce_guard.clear();
    }
    let caller =
        Caller { ctx: &ctx, directory: &snapshot.directory, account, settings: &settings, nonce: &nonce, now, nonce_guard };
    let mut answer = Answer::new(batch.form, &request_id);
    for item in &batch.items {
        match &item.content {
            Ok(envelope) => caller.take(item, envelope, &mut answer).await?,
            Err(error) => answer.reject(item, refusal(item, error)),
        }
    }
    Ok(answer.into_reply())
}

/// Gateway and message name in the path.
fn target(request: &RawRequest) -> Option<(Slug, Option<String>)> {
    match request.segments()[..] {
        ["v1", "frontstage", gateway, "messages"] => Some((gateway.parse().ok()?, None)),
        ["v1", "frontstage", gateway, "messages", named] => Some((gateway.parse().ok()?, Some(named.to_owned()))),
        _ => None,
    }
}

fn nonce_guard(account: &AccountId, nonce: &Nonce, now: EpochMillis) -> Guard {
    let name = EventKey::new("nonce", [&nonce.key_id, &nonce.value]);
    Guard::Once(OnceKey { account: account.clone(), name, expires_at: now.plus(KEEP_NONCE) })
}

const fn replayed() -> AppError {
    AppError::Unauthenticated("nonce used before")
}

/// Messages of connectors that are read, but have nobody who serves them yet.
const NOT_SERVED: [&str; 12] = [
    "ES_CHAT_REQUEST",
    "ES_CHAT_START",
    "ES_CHAT_STOP",
    "ES_CHAT_TYPING",
    "ES_CHAT_SENTENCE",
    "ES_CHAT_CONFIRM",
    "ES_CHAT_RESYNC",
    "ES_CHAT_STATUS",
    "ES_SCENARIO_LOAD",
    "ES_SCENARIO_SAVE",
    "ES_WS_ROUTING",
    "ES_WS_LITERALS_GET",
];

fn not_served() -> WireError {
    WireError::on(Code::UnknownMessage, "Msg", "this message is not served by this installation yet")
}

/// What is wrong with an item. A message that is not served is not served, whatever its payload says.
fn refusal(item: &Item, error: &WireError) -> WireError {
    let is_about_payload = error.field.as_deref().is_some_and(|field| field.starts_with("Body"));
    let is_not_served = item.name.as_deref().is_some_and(|name| NOT_SERVED.contains(&name));
    if is_about_payload && is_not_served { not_served() } else { error.clone() }
}

/// A connector that has proven who it is, for the length of one request.
struct Caller<'a> {
    ctx: &'a Ctx,
    directory: &'a model::Directory,
    account: &'a Account,
    settings: &'a Settings,
    nonce: &'a Nonce,
    now: EpochMillis,
    nonce_guard: Vec<Guard>,
}

impl Caller<'_> {
    async fn take(&self, item: &Item, envelope: &Envelope, answer: &mut Answer) -> Result<(), AppError> {
        match &envelope.msg {
            Msg::GetGateways => self.gateways(item, envelope, answer).await,
            Msg::MessageReceiving(info) => self.receive(item, envelope, info, answer).await,
            Msg::MessageSent(info) => match acknowledgement(info, self.settings) {
                Ok(word) => self.acknowledge(item, envelope, word, answer).await,
                Err(error) => {
                    answer.reject(item, error);
                    Ok(())
                }
            },
            Msg::ChatRequest(_)
            | Msg::ChatStart(_)
            | Msg::ChatStop(_)
            | Msg::ChatTyping(_)
            | Msg::ChatSentence(_)
            | Msg::ChatConfirm(_)
            | Msg::ChatResync(_)
            | Msg::ChatStatus(_)
            | Msg::ScenarioLoad(_)
            | Msg::ScenarioSave(_)
            | Msg::WebSiteRouting
            | Msg::Literals(_)
            // What agent clients send is refused on a connector's path before it gets here.
            | Msg::AgentAnswer(_)
            | Msg::AgentHangup(_)
            | Msg::AgentConfirm(_)
            | Msg::AgentTyping(_)
            | Msg::AgentSentence(_)
            | Msg::AgentResync(_)
            | Msg::AgentStatus(_)
            | Msg::AgentReturn(_)
            | Msg::AgentSpam(_) => {
                answer.reject(item, not_served());
                Ok(())
            }
        }
    }

    async fn gateways(&self, item: &Item, envelope: &Envelope, answer: &mut Answer) -> Result<(), AppError> {
        let refusal = self.ctx.base.store.guard(&self.guards(envelope, None), self.now).await?;
        if let Some((outcome, kept)) = self.repeated(item, refusal, answer)? {
            answer.accept(item, outcome, [gateways_reply(&self.head(envelope, &kept), self.settings)]);
        }
        Ok(())
    }

    async fn receive(
        &self,
        item: &Item,
        envelope: &Envelope,
        info: &MessageContentInfo,
        answer: &mut Answer,
    ) -> Result<(), AppError> {
        let fresh = Kept { at: self.now, message: None };
        let received = match receive(info, envelope.id, &envelope.body_sha256, self.settings, self.now) {
            Ok(received) => received,
            Err(reasons) => {
                // The protocol promises one SE_ answer to each; a corrected resend is judged anew.
                answer.accept(item, Outcome::Accepted, [received_reply(&self.head(envelope, &fresh), info, None, reasons)]);
                return Ok(());
            }
        };
        let guards = |id: MessageId| self.guards(envelope, Some(id));
        let base = &self.ctx.base;
        let (outcome, kept) = match app::accept_visitor(base, self.directory, self.account, received.message, &guards).await? {
            Accepted::Stored(id) => {
                self.ctx.count(Metric::Accepted, self.now);
                tracing::info!(message.id = %id, account.id = %self.account.id, "message {id} accepted from {}", self.account.id);
                (Outcome::Accepted, Kept { message: Some(id), ..fresh })
            }
            Accepted::Duplicate(id) => (Outcome::Duplicate, Kept { message: Some(id), ..fresh }),
            Accepted::Refused(refusal) => match self.repeated(item, Some(refusal), answer)? {
                Some(repeated) => repeated,
                None => return Ok(()),
            },
        };
        answer.accept(item, outcome, [received_reply(&self.head(envelope, &kept), info, kept.message, received.warnings)]);
        Ok(())
    }

    async fn acknowledge(
        &self,
        item: &Item,
        envelope: &Envelope,
        word: model::Acknowledgement,
        answer: &mut Answer,
    ) -> Result<(), AppError> {
        let message = word.message;
        let outcome = app::acknowledge(&self.ctx.acks, &self.account.id, word, self.guards(envelope, None)).await?;
        match outcome {
            Acknowledged::Settled => {
                tracing::info!(message.id = %message, account.id = %self.account.id, "message {message} acknowledged");
                answer.accept(item, Outcome::Accepted, []);
            }
            Acknowledged::Duplicate => answer.accept(item, Outcome::Duplicate, []),
            Acknowledged::Unknown => answer.reject(item, WireError::unknown_message_id()),
            Acknowledged::WrongRoute => {
                answer
                    .reject(item, WireError::on(Code::GatewayMismatch, "Body.RefId", "the message went through another gateway"));
            }
            Acknowledged::Refused(refusal) => {
                if let Some((outcome, _)) = self.repeated(item, Some(refusal), answer)? {
                    answer.accept(item, outcome, []);
                }
            }
        }
        Ok(())
    }

    /// What is remembered with the write of an envelope: its nonce, and what it is answered.
    fn guards(&self, envelope: &Envelope, message: Option<MessageId>) -> Vec<Guard> {
        let mut guards = self.nonce_guard.clone();
        if let Some(id) = envelope.id {
            let key = OnceKey {
                account: self.account.id.clone(),
                name: EventKey::new("envelope", [&id.to_string()]),
                expires_at: self.now.plus(KEEP_ANSWER),
            };
            let answer = Kept { at: self.now, message }.to_value();
            guards.push(Guard::Answered { key, fingerprint: envelope.body_sha256.clone(), answer });
        }
        guards
    }

    /// What a refused guard means: the answer given before, or an error. `None` if the item was rejected here.
    fn repeated(
        &self,
        item: &Item,
        refusal: Option<GuardRefusal>,
        answer: &mut Answer,
    ) -> Result<Option<(Outcome, Kept)>, AppError> {
        match refusal {
            None => Ok(Some((Outcome::Accepted, Kept { at: self.now, message: None }))),
            Some(GuardRefusal::Replayed) => Err(replayed()),
            Some(GuardRefusal::AnsweredBefore(kept)) => Ok(Some((Outcome::Duplicate, Kept::from_value(&kept)?))),
            Some(GuardRefusal::FingerprintDiffers) => {
                answer.reject(item, WireError::on(Code::IdReused, "Id", "this envelope Id was used with another body"));
                Ok(None)
            }
        }
    }

    fn head(&self, envelope: &Envelope, kept: &Kept) -> Head {
        Head::answering(&self.account.id, envelope, self.nonce, kept.at)
    }
}

/// What is kept of an answer; the rest of it follows from the request.
#[derive(Clone, Copy)]
struct Kept {
    at: EpochMillis,
    message: Option<MessageId>,
}

impl Kept {
    fn to_value(self) -> Value {
        json!({ "at": self.at, "message": self.message })
    }

    fn from_value(value: &Value) -> Result<Self, AppError> {
        let read = |name: &str| value.get(name).cloned().unwrap_or_default();
        let parsed = serde_json::from_value(read("at")).and_then(|at| Ok((at, serde_json::from_value(read("message"))?)));
        let (at, message) = parsed.map_err(|_| AppError::Internal("a kept answer cannot be read"))?;
        Ok(Self { at, message })
    }
}
