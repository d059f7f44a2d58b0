//! `POST /v1/frontstage/workplaces/{number}/messages`: what agents' clients send.

use app::AppError;
use app::chats::{AgentAct, agent_event, agent_list, log_in, note_poll};
use chat::{Agent, Workplace};
use chats_frontstage::desk_words;
use http::Method;
use platform_frontstage::{Answer, ChatCommandInfo, Code, DeskAgent, Envelope, Item, Msg, Side, WireError, hearing};
use ports::{Guard, StreamKey};
use uuid::Uuid;
use wire::{RawRequest, Reply};

use crate::access::{self, WorkplaceCall};
use crate::envelopes::{self, Posted, asking, not_served, spend};
use crate::{Ctx, unknown_gateway};

/// Takes one envelope, or an array of them.
///
/// # Errors
/// [`AppError`] when the whole request did not happen; what is wrong with one envelope is in the reply.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    let Some(number) = target(&request) else { return Ok(unknown_gateway().to_reply(&request.request_id)) };
    if let Some(reply) = access::wrong_method(&request, &Method::POST) {
        return Ok(reply);
    }
    let call = access::workplace(&ctx, number, request).await?;
    let there = note_poll(&ctx.chats, &call.proof.account, &call.workplace).await?;
    let agent = there.and_then(|id| call.desk.agent(&id)).filter(|agent| agent.workplaces.contains(&call.workplace));
    let number = call.workplace.to_string();
    let side = Side::Workplace { number: &number, agent: agent.map(|agent| agent.guid) };
    let posted = match envelopes::read(&ctx, &call.proof, &call.request, None, side).await? {
        Ok(posted) => posted,
        Err(reply) => return Ok(reply),
    };
    let Posted { batch, mut answer, nonce_guard, is_async } = posted;
    let mut client = Client { ctx: &ctx, call: &call, agent, nonce_guard, is_async };
    for item in &batch.items {
        match &item.content {
            Ok(envelope) => client.take(item, envelope, &mut answer).await?,
            Err(error) => answer.reject(item, error.clone()),
        }
    }
    Ok(answer.into_reply())
}

fn target(request: &RawRequest) -> Option<Workplace> {
    match request.segments()[..] {
        ["v1", "frontstage", "workplaces", number, "messages"] => number.parse().ok(),
        _ => None,
    }
}

/// An agent's client that has proven where it is, for the length of one request.
struct Client<'a> {
    ctx: &'a Ctx,
    call: &'a WorkplaceCall,
    /// Who is logged in there.
    agent: Option<&'a DeskAgent>,
    nonce_guard: Vec<Guard>,
    is_async: bool,
}

impl Client<'_> {
    async fn take(&mut self, item: &Item, envelope: &Envelope, answer: &mut Answer) -> Result<(), AppError> {
        let (chat, act) = match &envelope.msg {
            Msg::AgentResync(info) => return self.log_in(item, envelope, info, answer).await,
            Msg::AgentAnswer(info) => (info.chat_id, Ok(AgentAct::Answers)),
            Msg::AgentHangup(info) => (info.chat_id, Ok(AgentAct::HangsUp)),
            Msg::AgentReturn(info) if self.call.desk.may_return => (info.chat_id, Ok(AgentAct::Returns)),
            Msg::AgentSpam(info) if self.call.desk.allow_spam => (info.chat_id, Ok(AgentAct::MarksSpam)),
            Msg::AgentStatus(info) => (info.chat_id, Ok(AgentAct::Asks)),
            Msg::AgentTyping(info) => (info.chat_id, Ok(AgentAct::Types { is_typing: info.is_typing.unwrap_or(true) })),
            Msg::AgentSentence(info) => {
                let speaker = self.agent.map(|agent| agent.name.as_str());
                (Some(info.chat_id), hearing::draft(info, speaker).map(AgentAct::Speaks))
            }
            Msg::AgentConfirm(info) => (info.chat_id, hearing::sentence_id(info.id.as_deref()).map(AgentAct::Confirms)),
            // Both are names of our own (section 12), for desks that allow them.
            Msg::AgentReturn(_)
            | Msg::AgentSpam(_)
            // What connectors send is refused on a workplace's path before it gets here.
            | Msg::ChatRequest(_)
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
            | Msg::GetGateways
            | Msg::MessageReceiving(_)
            | Msg::MessageSent(_) => (None, Err(not_served())),
        };
        self.act(item, envelope, chat, act, answer).await
    }

    /// Something the agent does in a chat.
    async fn act(
        &self,
        item: &Item,
        envelope: &Envelope,
        chat: Option<Uuid>,
        act: Result<AgentAct, WireError>,
        answer: &mut Answer,
    ) -> Result<(), AppError> {
        let agent = self.agent.ok_or_else(|| mismatch("nobody is logged in at this workplace"));
        let all = act.and_then(|act| Ok((act, hearing::chat_id(chat)?, self.at_workplace(agent?))));
        let (act, chat, agent) = match all {
            Ok(all) => all,
            Err(error) => {
                answer.reject(item, error);
                return Ok(());
            }
        };
        let asking = asking(&self.call.proof, envelope, &self.nonce_guard, self.is_async);
        let outcome = agent_event(&self.ctx.chats, &self.call.proof.account, &agent, chat, act, &asking).await;
        envelopes::answer(answer, item, &self.stream(), outcome)
    }

    /// RESYNC: the agent is there from now on, and is told which chats are theirs (5.5).
    async fn log_in(
        &mut self,
        item: &Item,
        envelope: &Envelope,
        info: &ChatCommandInfo,
        answer: &mut Answer,
    ) -> Result<(), AppError> {
        let agent = info.agent_id.and_then(|guid| self.call.desk.agent_at(guid, &self.call.workplace));
        let Some(agent) = agent else {
            answer.reject(item, mismatch("AgentId is no agent of this workplace"));
            return Ok(());
        };
        // A replayed request must not bring an agent back who has left.
        spend(self.ctx, &self.call.proof, &mut self.nonce_guard).await?;
        log_in(&self.ctx.chats, &self.call.proof.account, &agent.id, &self.call.workplace).await?;
        if self.agent.is_some_and(|before| before.id != agent.id) {
            // The rest of the array was read as the words of the agent before.
            self.agent = None;
        }
        let asking = asking(&self.call.proof, envelope, &self.nonce_guard, self.is_async);
        let (words, there) = (desk_words(&self.call.desk), self.at_workplace(agent));
        let outcome = agent_list(&self.ctx.chats, &self.call.proof.account, &there, &words, &asking).await;
        envelopes::answer(answer, item, &self.stream(), outcome)
    }

    fn at_workplace(&self, agent: &DeskAgent) -> Agent {
        Agent { id: agent.id.clone(), workplace: self.call.workplace.clone(), name: agent.name.clone() }
    }

    fn stream(&self) -> StreamKey {
        StreamKey::Workplace(self.call.proof.account.clone(), self.call.workplace.clone())
    }
}

fn mismatch(words: &str) -> WireError {
    WireError::on(Code::PeerMismatch, "Body.AgentId", words)
}
