//! `POST /v1/frontstage/{gateway}/messages` and `.../messages/{MSG}`: what connectors send.

use app::chats::{VisitorAct, gateway_list, tell_gateway, visitor_event};
use app::{Accepted, Acknowledged, AppError};
use http::Method;
use lambda::Metric;
use model::{EpochMillis, MessageId, Slug};
use platform_frontstage::{
    Answer, ChatServiceInfo, Code, Envelope, Head, Item, MessageContentInfo, Msg, OutEnvelope, Outcome, RegisterQuestion, Side,
    WireError, acknowledgement, gateways_reply, hearing, receive, received_reply,
};
use ports::{Guard, GuardRefusal, StreamKey};
use serde_json::{Value, json};
use wire::{RawRequest, Reply};

use crate::access::{self, GatewayCall, replayed};
use crate::envelopes::{self, Posted, asking, id_reused, not_served};
use crate::{Ctx, unknown_gateway, visitors};

/// Takes one envelope, an array of them, or a payload whose name stands in the path.
///
/// # Errors
/// [`AppError`] when the whole request did not happen; what is wrong with one envelope is in the reply.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    let Some((gateway, named)) = target(&request) else { return Ok(unknown_gateway().to_reply(&request.request_id)) };
    if let Some(reply) = access::wrong_method(&request, &Method::POST) {
        return Ok(reply);
    }
    let call = access::gateway(&ctx, gateway, request).await?;
    Ok(take(&ctx, &call, named.as_deref()).await?.map_or_else(|reply| reply, Answer::into_reply))
}

/// Takes everything that a gateway says, in order; or says what is wrong with all of it.
pub(crate) async fn take(ctx: &Ctx, call: &GatewayCall, named: Option<&str>) -> Result<Result<Answer, Reply>, AppError> {
    let side = Side::connector(&call.settings);
    let posted = match envelopes::read(ctx, &call.proof, &call.request, named, side).await? {
        Ok(posted) => posted,
        Err(reply) => return Ok(Err(reply)),
    };
    let Posted { batch, mut answer, nonce_guard, is_async } = posted;
    let caller = Caller { ctx, call, now: call.proof.now, nonce_guard, is_async };
    for item in &batch.items {
        match &item.content {
            Ok(envelope) => caller.take(item, envelope, &mut answer).await?,
            Err(error) => answer.reject(item, caller.refusal(item, error)),
        }
    }
    Ok(Ok(answer))
}

/// Gateway and message name in the path.
fn target(request: &RawRequest) -> Option<(Slug, Option<String>)> {
    match request.segments()[..] {
        ["v1", "frontstage", gateway, "messages"] => Some((gateway.parse().ok()?, None)),
        ["v1", "frontstage", gateway, "messages", named] => Some((gateway.parse().ok()?, Some(named.to_owned()))),
        _ => None,
    }
}

/// A connector that has proven who it is, for the length of one request.
pub(crate) struct Caller<'a> {
    pub(crate) ctx: &'a Ctx,
    pub(crate) call: &'a GatewayCall,
    pub(crate) now: EpochMillis,
    pub(crate) nonce_guard: Vec<Guard>,
    pub(crate) is_async: bool,
}

impl Caller<'_> {
    async fn take(&self, item: &Item, envelope: &Envelope, answer: &mut Answer) -> Result<(), AppError> {
        match &envelope.msg {
            Msg::GetGateways => self.gateways(item, envelope, answer).await,
            Msg::MessageReceiving(info) => self.receive(item, envelope, info, answer).await,
            Msg::MessageSent(info) => match acknowledgement(info, &self.call.settings) {
                Ok(word) => self.acknowledge(item, envelope, word, answer).await,
                Err(error) => {
                    answer.reject(item, error);
                    Ok(())
                }
            },
            Msg::ChatRequest(i) => self.visit(item, envelope, &i.tracking_id, Ok(visitors::request(i)), answer).await,
            Msg::ChatStart(i) => self.start(item, envelope, i, answer).await,
            Msg::ChatStop(i) => self.visit(item, envelope, &i.tracking_id, Ok(VisitorAct::Stop), answer).await,
            Msg::ChatTyping(i) => self.visit(item, envelope, &i.tracking_id, Ok(visitors::types(i)), answer).await,
            Msg::ChatSentence(i) => self.visit(item, envelope, &i.tracking_id, visitors::speaks(i), answer).await,
            Msg::ChatConfirm(i) => self.visit(item, envelope, &i.tracking_id, visitors::confirms(i), answer).await,
            Msg::ChatStatus(i) => self.visit(item, envelope, &i.tracking_id, Ok(VisitorAct::Asks), answer).await,
            Msg::ChatResync(_) => self.list(item, envelope, answer).await,
            Msg::ScenarioLoad(info) => self.scenario(item, envelope, info, answer).await,
            Msg::ScenarioSave(info) => self.save(item, envelope, info, answer).await,
            Msg::WebSiteRouting => self.register(item, envelope, &RegisterQuestion::Routing, answer).await,
            Msg::Literals(asked) => self.register(item, envelope, &RegisterQuestion::literals(asked), answer).await,
            // What agent clients send is refused on a connector's path before it gets here.
            Msg::AgentAnswer(_)
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

    /// What is wrong with an item. A message that is not served is not served, whatever its payload says.
    fn refusal(&self, item: &Item, error: &WireError) -> WireError {
        let is_about_payload = error.field.as_deref().is_some_and(|field| field.starts_with("Body"));
        let is_served = |name: &str| self.has_chats() || !name.starts_with("ES_CHAT_");
        let is_not_served = item.name.as_deref().is_some_and(|name| !is_served(name));
        if is_about_payload && is_not_served { not_served() } else { error.clone() }
    }

    pub(crate) const fn has_chats(&self) -> bool {
        self.call.settings.chat.is_some()
    }

    /// `ES_CHAT_START`. The form that came with it is checked before anything happens.
    async fn start(&self, item: &Item, envelope: &Envelope, info: &ChatServiceInfo, answer: &mut Answer) -> Result<(), AppError> {
        let act = match &info.result_model {
            Some(result) if self.has_chats() => self.filled_with_start(envelope, result).await?.map(Some),
            Some(_) | None => Ok(None),
        };
        self.visit(item, envelope, &info.tracking_id, act.map(|form| visitors::start(info, form)), answer).await
    }

    /// Something a visitor does in a chat.
    async fn visit(
        &self,
        item: &Item,
        envelope: &Envelope,
        tracking_id: &Option<String>,
        act: Result<VisitorAct, WireError>,
        answer: &mut Answer,
    ) -> Result<(), AppError> {
        let act = if self.has_chats() { act } else { Err(not_served()) };
        let (tracking, act) = match act.and_then(|act| Ok((hearing::tracking(tracking_id.as_deref())?, act))) {
            Ok(both) => both,
            Err(error) => {
                answer.reject(item, error);
                return Ok(());
            }
        };
        let asking = asking(&self.call.proof, envelope, &self.nonce_guard, self.is_async);
        let outcome = visitor_event(&self.ctx.chats, &self.call.account, &tracking, act, &asking).await;
        envelopes::answer(answer, item, &self.stream(), outcome)
    }

    async fn list(&self, item: &Item, envelope: &Envelope, answer: &mut Answer) -> Result<(), AppError> {
        if !self.has_chats() {
            answer.reject(item, not_served());
            return Ok(());
        }
        let asking = asking(&self.call.proof, envelope, &self.nonce_guard, self.is_async);
        let outcome = gateway_list(&self.ctx.chats, &self.call.account.id, &asking).await;
        envelopes::answer(answer, item, &self.stream(), outcome)
    }

    pub(crate) fn stream(&self) -> StreamKey {
        StreamKey::Gateway(self.call.account.id.clone())
    }

    async fn gateways(&self, item: &Item, envelope: &Envelope, answer: &mut Answer) -> Result<(), AppError> {
        self.tell(item, envelope, gateways_reply(&self.call.settings), answer).await
    }

    /// Answers a message: now and without a number, which would cost every message a write more; or through the gateway's
    /// stream where its connector wants it so (10.2).
    pub(crate) async fn reply(
        &self,
        item: &Item,
        outcome: Outcome,
        reply: &OutEnvelope,
        answer: &mut Answer,
    ) -> Result<(), AppError> {
        if !self.is_async {
            answer.accept(item, outcome, [reply.clone()]);
            return Ok(());
        }
        let GatewayCall { account, settings, .. } = self.call;
        let body = |seq| reply.kept_at(seq, settings.legacy()).into();
        tell_gateway(&self.ctx.chats, &account.id, settings.is_pushed(), &body).await?;
        answer.accept(item, outcome, []);
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
        let received = match receive(info, envelope.id, &envelope.body_sha256, &self.call.settings, self.now) {
            Ok(received) => received,
            Err(reasons) => {
                // The protocol promises one SE_ answer to each; a corrected resend is judged anew.
                // Nothing else of it is stored, so that its answer in the stream has to be guarded apart.
                if self.is_async && self.ctx.base.store.guard(&self.nonce_guard, self.now).await?.is_some() {
                    return Err(replayed());
                }
                let reply = received_reply(&self.head(envelope, &fresh), info, None, reasons);
                return self.reply(item, Outcome::Accepted, &reply, answer).await;
            }
        };
        let guards = |id: MessageId| self.guards(envelope, Some(id));
        let base = &self.ctx.base;
        let GatewayCall { snapshot, account, .. } = self.call;
        let (outcome, kept) = match app::accept_visitor(base, &snapshot.directory, account, received.message, &guards).await? {
            Accepted::Stored(id) => {
                self.ctx.count(Metric::Accepted, 1, self.now);
                tracing::info!(message.id = %id, account.id = %account.id, "message {id} accepted from {}", account.id);
                (Outcome::Accepted, Kept { message: Some(id), ..fresh })
            }
            Accepted::Duplicate(id) => (Outcome::Duplicate, Kept { message: Some(id), ..fresh }),
            Accepted::Refused(refusal) => match self.repeated(item, Some(refusal), answer)? {
                Some(repeated) => repeated,
                None => return Ok(()),
            },
        };
        let reply = received_reply(&self.head(envelope, &kept), info, kept.message, received.warnings);
        self.reply(item, outcome, &reply, answer).await
    }

    async fn acknowledge(
        &self,
        item: &Item,
        envelope: &Envelope,
        word: model::Acknowledgement,
        answer: &mut Answer,
    ) -> Result<(), AppError> {
        let message = word.message;
        let outcome = app::acknowledge(&self.ctx.acks, &self.call.account.id, word, self.guards(envelope, None)).await?;
        match outcome {
            Acknowledged::Settled => {
                tracing::info!(message.id = %message, account.id = %self.call.account.id, "message {message} acknowledged");
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
    pub(crate) fn guards(&self, envelope: &Envelope, message: Option<MessageId>) -> Vec<Guard> {
        let mut guards = self.nonce_guard.clone();
        if let Some(id) = envelope.id {
            let key = self.call.proof.envelope_key(id);
            let answer = Kept { at: self.now, message }.to_value();
            guards.push(Guard::Answered { key, fingerprint: envelope.body_sha256.clone(), answer });
        }
        guards
    }

    /// What a refused guard means: the answer given before, or an error. `None` if the item was rejected here.
    pub(crate) fn repeated(
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
                answer.reject(item, id_reused());
                Ok(None)
            }
        }
    }

    /// The head of an answer that is given for the first time.
    pub(crate) fn fresh_head(&self, envelope: &Envelope) -> Head {
        self.head(envelope, &Kept { at: self.now, message: None })
    }

    pub(crate) fn head(&self, envelope: &Envelope, kept: &Kept) -> Head {
        Head::answering(&self.call.account.id, envelope, &self.call.proof.nonce, kept.at)
    }
}

/// What is kept of an answer; the rest of it follows from the request.
#[derive(Clone, Copy)]
pub(crate) struct Kept {
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
