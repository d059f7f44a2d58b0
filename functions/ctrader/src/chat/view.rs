//! The chat as its visitor's screen sees it.

use chat::{AttachedForm, Attendant, Chat, ChatId, CloseReason, Direction, Robot, Sentence, SentenceKind, State};
use http::StatusCode;
use model::{AccountId, EpochMillis};
use platform_ctrader::ChatSettings;
use platform_ctrader::attachment::{self, Attachment};
use ports::ChatRecord;
use serde::Serialize;
use url::Url;
use wire::{RawRequest, Reply};

use super::Caller;
use crate::Problem;

/// The form as which a survey's answer is stored: `operator-results` lists it with the others.
pub(super) const SURVEY_FORM: &str = "c7ade2c0-0000-4000-8000-000000000001";

/// After how many milliseconds a screen asks again while somebody may say something: with a call's own time, less than a second.
const SOON_MS: u64 = 700;
/// The same where nothing can be said before the visitor does something.
const LATER_MS: u64 = 5_000;

/// When something has changed, so many of the newest messages are told again: of what a screen has already, a mark may have
/// changed.
const AGAIN: u64 = 20;

/// By how much the counters of one chat are higher than those of the chat before it.
const OFFSET: u64 = 1_000_000;

/// The most text, in bytes, of the messages in one answer: encoded it is up to six times as long, and a function's answer is 6 MB
/// at most. A screen asks for the rest at once.
const ANSWERED_TEXT: usize = 800_000;

/// Where a chat stands (section 11, "Chat lifecycle states").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Stands {
    None,
    Open,
    Waiting,
    Assigned,
    Escalated,
    Resolved,
    Closed,
}

/// What came of a chat (section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Resolution {
    Resolved,
    Escalated,
    FollowUp,
}

#[derive(Serialize)]
struct Answer {
    chat: ChatView,
    #[serde(rename = "pollAfterMs")]
    poll_after_ms: u64,
}

#[derive(Serialize)]
struct ChatView {
    id: Option<ChatId>,
    state: Stands,
    counter: u64,
    tag: String,
    agent: Option<AgentView>,
    typing: bool,
    resolution: Option<Resolution>,
    survey: bool,
    messages: Vec<MessageView>,
}

#[derive(Serialize)]
struct AgentView {
    name: String,
    picture: Option<String>,
}

#[derive(Serialize)]
struct MessageView {
    id: String,
    counter: u64,
    at: String,
    from: From,
    name: Option<String>,
    text: String,
    delivered: bool,
    read: bool,
    attachments: Vec<Attachment>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum From {
    Visitor,
    Agent,
    System,
}

/// What a screen has already.
pub(super) struct Asked {
    /// The counter up to which it has everything; `None` asks for the newest.
    after: Option<u64>,
    tag: Option<String>,
}

impl Asked {
    /// The query's `after` and `tag`.
    pub(super) fn of(request: &RawRequest) -> Result<Self, Problem> {
        let (mut after, mut tag) = (None, None);
        for (name, value) in url::form_urlencoded::parse(request.query.as_bytes()) {
            match &*name {
                "after" => after = Some(value.parse().map_err(|_| Problem::invalid("after: not a counter"))?),
                "tag" => tag = Some(value.into_owned()).filter(|tag| !tag.is_empty()),
                // `wait` too: see docs/architecture.md.
                _ => {}
            }
        }
        Ok(Self { after, tag })
    }

    /// The same for a read: without a counter it asks for everything.
    pub(super) fn or_everything(self) -> Self {
        Self { after: self.after.or(Some(0)), ..self }
    }

    /// The place in the transcript of the first message to be told.
    fn first(&self, chat: &Chat, tag: &str) -> u64 {
        let newest = (chat.counter + 1).saturating_sub(AGAIN);
        let next = self.after.map_or(newest, |after| after.saturating_sub(offset(chat)).saturating_add(1));
        let first = match &self.tag {
            Some(seen) if seen == tag => next,
            // Of another chat it has nothing.
            Some(seen) if !seen.starts_with(&chat.id.to_string()) => 1,
            Some(_) => next.min(newest),
            None => next,
        };
        first.max(*chat.transcript().start())
    }
}

/// What a screen's counters are higher by than those of the chat: a person's chats follow one another in one thread, and so do the
/// counters of what is said in them.
pub(super) fn offset(chat: &Chat) -> u64 {
    (chat.id.generation() - 1).saturating_mul(OFFSET)
}

impl Stands {
    fn of(record: &ChatRecord, home: Option<&AccountId>, now: EpochMillis) -> Self {
        let chat = &record.chat;
        if chat.ended_at(now).is_some() {
            // Whether a person has ended it, after one has answered.
            let is_settled = matches!(
                chat.state,
                State::Closed { reason: CloseReason::Agent, .. }
                    | State::Closed { reason: CloseReason::ExtApp, attended_by: Some(_), .. }
            );
            return if is_settled { Self::Resolved } else { Self::Closed };
        }
        match chat.state {
            State::Answered { .. } => Self::Assigned,
            State::Waiting { .. } | State::Alerting { .. } if is_elsewhere(record, home) => Self::Escalated,
            State::Waiting { .. } | State::Alerting { .. } => Self::Waiting,
            State::Pilot | State::Icr { .. } => Self::Open,
            State::Closed { .. } => Self::Closed,
        }
    }

    const fn is_over(self) -> bool {
        matches!(self, Self::Resolved | Self::Closed)
    }
}

/// Whether the chat was handed over to another desk than that of its gateway.
fn is_elsewhere(record: &ChatRecord, home: Option<&AccountId>) -> bool {
    record.desk.as_ref().is_some_and(|desk| Some(desk) != home)
}

fn resolution(record: &ChatRecord, stands: Stands, home: Option<&AccountId>) -> Option<Resolution> {
    match stands {
        Stands::Resolved | Stands::Closed if is_elsewhere(record, home) => Some(Resolution::Escalated),
        Stands::Resolved => Some(Resolution::Resolved),
        Stands::Closed => Some(Resolution::FollowUp),
        Stands::None | Stands::Open | Stands::Waiting | Stands::Assigned | Stands::Escalated => None,
    }
}

/// Whoever converses with the visitor, or did when it ended.
fn agent(chat: &Chat, settings: Option<&ChatSettings>) -> Option<AgentView> {
    let (name, of) = match &chat.state {
        State::Icr { robot: Robot { name, .. }, .. } => (name.clone(), None),
        State::Answered { by } | State::Closed { attended_by: Some(by), .. } => match by {
            Attendant::Agent(agent) => (agent.name.clone(), Some(agent.id.to_string())),
            Attendant::Staff(staff) => (staff.name.clone()?, Some(staff.account.to_string())),
        },
        State::Pilot | State::Waiting { .. } | State::Alerting { .. } | State::Closed { attended_by: None, .. } => return None,
    };
    let picture = settings.zip(of).and_then(|(settings, of)| settings.picture(&of)).map(Url::to_string);
    Some(AgentView { name, picture })
}

/// Whether the visitor may be asked how it was: once, after somebody has conversed with them.
pub(super) fn may_be_rated(chat: &Chat, now: EpochMillis) -> bool {
    let is_survey = |form: &AttachedForm| form.form.to_string() == SURVEY_FORM;
    let is_attended = match &chat.state {
        State::Closed { attended_by, .. } => attended_by.is_some(),
        State::Answered { .. } => chat.ended_at(now).is_some(),
        State::Pilot | State::Icr { .. } | State::Waiting { .. } | State::Alerting { .. } => false,
    };
    is_attended && !chat.forms.iter().any(is_survey)
}

impl Caller<'_> {
    /// The chat with what the screen does not have: a read more if there is something.
    pub(super) async fn told(&self, record: Option<&ChatRecord>, asked: &Asked) -> Result<Reply, Problem> {
        let answer = match record {
            None => nothing(),
            Some(record) => self.view(record, asked).await?,
        };
        Ok(Reply::json(StatusCode::OK, &answer))
    }

    async fn view(&self, record: &ChatRecord, asked: &Asked) -> Result<Answer, Problem> {
        let chat = &record.chat;
        let now = self.ctx.chats.clock.now();
        let stands = Stands::of(record, self.home.as_ref(), now);
        let typing = !stands.is_over() && chat.is_typing(Direction::Outbound, now);
        let tag = format!("{}.{}.{}{}", chat.id, chat.rev, u8::from(stands.is_over()), u8::from(typing));
        let first = asked.first(chat, &tag);
        let sentences =
            if first <= chat.counter { self.ctx.chats.chats.sentences(chat.id, first, chat.counter).await? } else { Vec::new() };
        let mut room = ANSWERED_TEXT;
        let fitting = sentences.iter().enumerate().take_while(|(place, sentence)| {
            let fits = *place == 0 || sentence.text.len() <= room;
            room = room.saturating_sub(sentence.text.len());
            fits
        });
        let fitting = fitting.count();
        let is_all = fitting == sentences.len();
        let told = sentences.get(..fitting).unwrap_or_default();
        let is_answer = |sentence: &Sentence| sentence.direction == Direction::Outbound && sentence.kind == SentenceKind::Text;
        let answered = sentences.iter().rev().find(|sentence| is_answer(sentence)).map_or(0, |last| last.counter);
        let origin = &self.visit.found.brand.public_base_url;
        let messages = told
            .iter()
            .filter_map(|sentence| message(sentence, answered, origin))
            .map(|message| MessageView { counter: offset(chat) + message.counter, ..message });
        Ok(Answer {
            poll_after_ms: if !is_all {
                0
            } else if stands.is_over() {
                LATER_MS
            } else {
                SOON_MS
            },
            chat: ChatView {
                id: Some(chat.id),
                state: stands,
                // A screen that has not got everything goes on from where it is.
                counter: offset(chat) + told.last().filter(|_| !is_all).map_or(chat.counter, |last| last.counter),
                tag: if is_all { tag } else { String::new() },
                agent: agent(chat, self.settings()),
                typing,
                resolution: resolution(record, stands, self.home.as_ref()),
                survey: may_be_rated(chat, now),
                messages: messages.collect(),
            },
        })
    }
}

fn nothing() -> Answer {
    let chat = ChatView {
        id: None,
        state: Stands::None,
        counter: 0,
        tag: "none".to_owned(),
        agent: None,
        typing: false,
        resolution: None,
        survey: false,
        messages: Vec::new(),
    };
    Answer { chat, poll_after_ms: LATER_MS }
}

/// A sentence as the screen shows it; `None` for what is not said to its visitor. `answered` is the counter of the newest answer.
fn message(sentence: &Sentence, answered: u64, origin: &Url) -> Option<MessageView> {
    let Sentence { counter, direction, kind, confirmed_at, .. } = sentence;
    let from = match (direction, kind) {
        (Direction::Inbound, SentenceKind::Text) => From::Visitor,
        (Direction::Outbound, SentenceKind::Text) => From::Agent,
        (Direction::Outbound, SentenceKind::Note) => From::System,
        (Direction::Inbound, SentenceKind::Note)
        | (_, SentenceKind::Panel | SentenceKind::Navigation | SentenceKind::CoBrowsing | SentenceKind::Other(_)) => return None,
    };
    let (text, attachments) =
        if from == From::Visitor { attachment::read(&sentence.text, origin) } else { (sentence.text.as_str(), Vec::new()) };
    // A desk says that it has a sentence, and no more: that it was read, its answer says.
    let (delivered, read) = match from {
        From::Visitor => (confirmed_at.is_some() || answered > *counter, answered > *counter),
        From::Agent | From::System => (true, confirmed_at.is_some()),
    };
    Some(MessageView {
        id: sentence.id.as_str().to_owned(),
        counter: *counter,
        at: sentence.sent_at.to_utc_text(),
        from,
        name: sentence.party_name.clone().filter(|_| from != From::System),
        text: text.to_owned(),
        delivered,
        read,
        attachments,
    })
}
