//! The visitor's chat as the visitor sees it (4.1, ChatModel).

use app::chats::{Handled, visitor_chat};
use chat::{Attendant, Chat, Direction, Robot, Sentence, State};
use http::StatusCode;
use model::EpochMillis;
use ports::ChatRecord;
use uuid::Uuid;
use website::models::{ChatModel, ChatStatus, SentenceModel};
use website::text::encode;
use wire::Reply;

use crate::call::Call;
use crate::problem::Problem;

/// The most text, in bytes, of the sentences in one answer: encoded it is up to six times as long, and a function's answer
/// is 6 MB at most (10.1). A page asks for the rest with its next poll.
const ANSWERED_TEXT: usize = 800_000;

/// The state of a chat, and who converses with the visitor or did at the end.
pub(crate) fn status(chat: &Chat, now: EpochMillis) -> ChatStatus {
    if chat.ended_at(now).is_some() {
        // Its deadline has passed, whether somebody has looked at it since or not.
        return ChatStatus::Closed;
    }
    match chat.state {
        State::Pilot => ChatStatus::Pilot,
        State::Icr { .. } => ChatStatus::Icr,
        State::Waiting { .. } => ChatStatus::Waiting,
        State::Alerting { .. } => ChatStatus::Alerting,
        State::Answered { .. } => ChatStatus::Answered,
        State::Closed { .. } => ChatStatus::Closed,
    }
}

/// Name and id of whoever converses with the visitor, or did when it ended.
pub(crate) fn attendant(chat: &Chat) -> (Option<String>, Option<Uuid>) {
    let guid = |id: &chat::AgentId| Uuid::try_parse(&id.to_string()).ok();
    match &chat.state {
        State::Icr { robot: Robot { id, name }, .. } => (Some(name.clone()), id.as_ref().and_then(guid)),
        State::Answered { by } | State::Closed { attended_by: Some(by), .. } => match by {
            Attendant::Agent(agent) => (Some(agent.name.clone()), guid(&agent.id)),
            Attendant::Staff(staff) => (staff.name.clone(), None),
        },
        State::Pilot | State::Waiting { .. } | State::Alerting { .. } | State::Closed { attended_by: None, .. } => (None, None),
    }
}

impl Call<'_> {
    /// The visitor's chat as it is stored: one read.
    pub(crate) async fn current(&self) -> Result<Option<Chat>, Problem> {
        let found = visitor_chat(&self.ctx.chats, &self.site.account, &self.tracking()?).await?;
        Ok(found.map(|record| record.chat))
    }

    /// The chat with the sentences after a counter: one read, or none where there is nothing after it.
    pub(crate) async fn model(&self, chat: &Chat, after: u64) -> Result<ChatModel, Problem> {
        let first = chat.transcript().start().max(&after.saturating_add(1)).to_owned();
        let sentences =
            if first <= chat.counter { self.ctx.chats.chats.sentences(chat.id, first, chat.counter).await? } else { Vec::new() };
        Ok(self.model_with(chat, &sentences))
    }

    fn model_with(&self, chat: &Chat, sentences: &[Sentence]) -> ChatModel {
        let now = self.ctx.chats.clock.now();
        let status = status(chat, now);
        let (agent_name, agent_id) = attendant(chat);
        let mut room = ANSWERED_TEXT;
        let fitting = sentences.iter().enumerate().take_while(|(place, sentence)| {
            let fits = *place == 0 || sentence.text.len() <= room;
            room = room.saturating_sub(sentence.text.len());
            fits
        });
        let text = |sentence: &Option<Sentence>| sentence.as_ref().map(|sentence| sentence.text.clone());
        ChatModel {
            chat_id: chat_guid(chat),
            agent_name,
            agent_id,
            counter: chat.counter,
            status: Some(status),
            is_typing: status != ChatStatus::Closed && chat.is_typing(Direction::Outbound, now),
            sentences: Some(fitting.map(|(_, sentence)| sentence_model(sentence)).collect()),
            navigation: text(&chat.slots.navigation),
            co_browsing_data: text(&chat.slots.co_browsing),
        }
    }

    /// The answer to what changed the chat: the chat with the sentences after a counter.
    pub(crate) async fn answer(&self, handled: Handled, after: u64) -> Result<Reply, Problem> {
        let record = changed(handled)?;
        Ok(Reply::json(StatusCode::OK, &self.model(&record.chat, after).await?))
    }
}

/// The chat after what the visitor did, or why it was refused.
pub(crate) fn changed(handled: Handled) -> Result<std::sync::Arc<ChatRecord>, Problem> {
    match (handled.refusal, handled.chat) {
        (Some(refusal), _) => Err(refusal.into()),
        (None, Some(record)) => Ok(record),
        (None, None) => Err(Problem::unknown_chat()),
    }
}

/// The chat's id on the wire.
pub(crate) fn chat_guid(chat: &Chat) -> Uuid {
    // Its text form is a GUID's.
    Uuid::try_parse(&chat.id.to_string()).unwrap_or_default()
}

fn sentence_model(sentence: &Sentence) -> SentenceModel {
    let is_outbound = sentence.direction == Direction::Outbound;
    SentenceModel {
        counter: sentence.counter,
        time_sent: sentence.sent_at,
        party_name: sentence.party_name.clone(),
        is_outbound,
        text: Some(encode(&sentence.text)),
        is_confirmed: sentence.confirmed_at.is_some(),
        id: (!is_outbound).then(|| sentence.id.as_str().to_owned()),
    }
}
