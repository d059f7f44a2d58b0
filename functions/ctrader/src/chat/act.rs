//! `POST /inapp/api/chat/{act}`: what the visitor does. Every act answers the chat as a read does.

use app::AppError;
use app::chats::{Asking, Enters, FilledForm, Handled, SavedForm, VisitorAct, save_form, unconfirmed};
use chat::{ChatVisitor, Draft, FormAnswer, Refusal, SentenceId, SentenceKind};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::Method;
use model::{EventKey, Memo};
use platform_ctrader::attachment::{self, Attachment};
use platform_ctrader::chat::{Message, Survey, Wrong, read_counter, read_typing, told_params};
use ports::{ChatRecord, Guard, OnceKey, Saved};
use wire::{RawRequest, Reply};

use super::view::{Asked, SURVEY_FORM, may_be_rated, offset};
use super::{Caller, ChatsCtx, MAX_BODY, Prepared, finished};
use crate::upload::{Upload, UploadState};
use crate::{Code, Problem};

/// The most messages that are noted as read by one call; those that follow, by the next.
const MOST_READ: usize = 100;

/// Serves what a visitor does.
///
/// # Errors
/// None: what is wrong is answered.
pub async fn handle(ctx: ChatsCtx, request: RawRequest) -> Result<Reply, AppError> {
    Ok(finished(serve(&ctx, &request).await, &request, "POST"))
}

fn serve<'a>(ctx: &'a ChatsCtx, request: &'a RawRequest) -> BoxFuture<'a, Result<Reply, Problem>> {
    async move {
        let ["inapp", "api", "chat", act] = request.segments()[..] else { return Err(Problem::not_found()) };
        if !matches!(act, "start" | "message" | "typing" | "read" | "end" | "survey") {
            return Err(Problem::not_found());
        }
        if request.method != Method::POST {
            return Err(Problem::refused(Code::MethodNotAllowed));
        }
        if request.body.len() > MAX_BODY {
            return Err(Problem::refused(Code::TooLarge));
        }
        let caller = Caller::of(ctx, request).await?;
        let asked = Asked::of(request)?;
        let body = &request.body;
        let chat = match act {
            "start" => Some(caller.start().await?),
            "message" => Some(caller.speak(body).await?),
            "typing" => caller.unless_none(VisitorAct::Types { is_typing: read_typing(body)? }).await?,
            "read" => caller.has_read(read_counter(body)?).await?,
            "end" => caller.unless_none(VisitorAct::Stop).await?,
            _ => Some(caller.rate(&Survey::read(body)?).await?),
        };
        caller.told(chat.as_ref(), &asked).await
    }
    .boxed()
}

impl From<Wrong> for Problem {
    fn from(wrong: Wrong) -> Self {
        Self::invalid(wrong.to_string())
    }
}

impl Caller<'_> {
    /// Begins a chat, or comes back to the one that goes on.
    async fn start(&self) -> Result<ChatRecord, Problem> {
        let prepared = self.prepared().await?;
        let mut handled = self.enter(prepared.as_ref().map_or(Enters::None, |prepared| Enters::Chat(prepared.chat))).await?;
        let is_gone = match &handled.chat {
            Some(record) => record.chat.is_closed(),
            None => matches!(handled.refusal, Some(Refusal::UnknownChat | Refusal::Conflict)),
        };
        if prepared.is_some() && is_gone {
            // What was prepared did not wait for so long: an ordinary chat instead.
            handled = self.enter(Enters::None).await?;
        }
        let record = changed(handled)?;
        if let Some(Prepared { entered, .. }) = prepared {
            // Whoever was first has noted it too.
            let (Saved::Yes | Saved::Conflict) = self.ctx.base.records.keep_records(&[entered]).await?;
        }
        Ok(self.introduce(&record).await?.unwrap_or(record))
    }

    async fn enter(&self, enters: Enters) -> Result<Handled, Problem> {
        let session = &self.visit.session;
        let prefers = self.settings().and_then(|settings| settings.preferred_agent(&session.params));
        let visitor = ChatVisitor {
            party_name: session.name.clone(),
            user_token: Some(session.person.to_string()),
            culture: Some(session.lang.clone()),
            prefers: prefers.and_then(|agent| agent.as_str().parse().ok()),
            ..ChatVisitor::default()
        };
        self.happen(VisitorAct::Start { visitor, ext_response: None, form: None, enters }).await
    }

    /// Lets the desk see what the link of the screen says, as the page the visitor is on. `None` if it does already.
    async fn introduce(&self, record: &ChatRecord) -> Result<Option<ChatRecord>, Problem> {
        let params = told_params(&self.visit.session.params, self.visit.session.trading_login);
        let text = format!("{}inapp/chat?{params}", self.visit.found.brand.public_base_url);
        let is_told = record.chat.slots.navigation.as_ref().is_some_and(|shown| shown.text == text);
        if params.is_empty() || is_told {
            return Ok(None);
        }
        let id = self.ctx.base.dice.token();
        let handled = self.happen(VisitorAct::Speaks(draft(id, SentenceKind::Navigation, text, None)?)).await?;
        changed(handled).map(Some)
    }

    /// Says something; the first message begins the chat that nobody started.
    async fn speak(&self, body: &[u8]) -> Result<ChatRecord, Problem> {
        if !self.ctx.rates.admit(&self.visit.id, self.ctx.chats.clock.now()) {
            return Err(Problem::refused(Code::TooMany));
        }
        let Message { id, text, attachments } = Message::read(body)?;
        let mut files = Vec::new();
        for upload in attachments {
            files.push(self.file(upload).await?);
        }
        let text = attachment::written(&text, &files, &self.visit.found.brand.public_base_url);
        let draft = draft(id, SentenceKind::Text, text, self.visit.session.name.clone())?;
        let mut handled = self.happen(VisitorAct::Speaks(draft.clone())).await?;
        if handled.refusal == Some(Refusal::UnknownChat) {
            self.start().await?;
            handled = self.happen(VisitorAct::Speaks(draft)).await?;
        }
        changed(handled)
    }

    /// A file that this person has uploaded, and that was found to be clean.
    async fn file(&self, id: String) -> Result<Attachment, Problem> {
        let unknown = || Problem::invalid("attachments: no such upload");
        let found = Upload::find(&self.ctx.base, &self.visit, &id).await?;
        let clean = found.filter(|(upload, _)| upload.state == UploadState::Clean);
        let Some((Upload { name, size, kind: Some(kind), .. }, _)) = clean else { return Err(unknown()) };
        Ok(Attachment { id, name, size, media_type: kind.media_type().to_owned() })
    }

    /// Lets something happen that means nothing where there is no chat.
    async fn unless_none(&self, act: VisitorAct) -> Result<Option<ChatRecord>, Problem> {
        let handled = self.happen(act).await?;
        if handled.refusal == Some(Refusal::UnknownChat) {
            return Ok(None);
        }
        changed(handled).map(Some)
    }

    /// Notes that everything up to a counter was shown.
    async fn has_read(&self, counter: u64) -> Result<Option<ChatRecord>, Problem> {
        let Some(mut record) = self.current().await? else { return Ok(None) };
        let counter = counter.saturating_sub(offset(&record.chat));
        for id in unconfirmed(&self.ctx.chats, &record.chat, counter).await?.into_iter().take(MOST_READ) {
            record = changed(self.happen(VisitorAct::Confirms(id)).await?)?;
        }
        Ok(Some(record))
    }

    /// Keeps how satisfied the visitor was: with the chat, as a form that was filled in for it.
    async fn rate(&self, survey: &Survey) -> Result<ChatRecord, Problem> {
        let now = self.ctx.chats.clock.now();
        let record = self.current().await?.filter(|record| may_be_rated(&record.chat, now));
        let chat = record.ok_or(Problem::refused(Code::Conflict))?.chat.id;
        let name = |text: &str| text.parse().map_err(|_| AppError::Internal("a survey without a name"));
        let answer =
            |control: &str, number, text| FormAnswer { control: control.to_owned(), number, text, ..FormAnswer::default() };
        let rating = answer("rating", Some(i64::from(survey.rating)), None);
        let comment = survey.comment.clone().map(|comment| answer("comment", None, Some(comment)));
        let filled = FilledForm {
            id: chat.to_string().parse().map_err(|_| AppError::Internal("a chat's id that is no result's"))?,
            changes: None,
            form: name(SURVEY_FORM)?,
            answers: std::iter::once(rating).chain(comment).collect(),
            memo: Memo::new(),
            task: None,
            filled_at: now,
        };
        let once = OnceKey {
            account: self.gateway.id.clone(),
            name: EventKey::new("survey", [&chat.to_string()]),
            expires_at: now.plus(self.ctx.chats.kept),
        };
        let asking = Asking { guards: vec![Guard::Once(once)], ..Asking::default() };
        match save_form(&self.ctx.chats, &self.gateway.id, &filled, Some(chat), &asking).await? {
            SavedForm::Saved { .. } => self.current().await?.ok_or(Problem::not_found()),
            // Another call was first, or another chat has begun since.
            SavedForm::Replayed | SavedForm::IdReused | SavedForm::UnknownChat | SavedForm::UnknownResult => {
                Err(Problem::refused(Code::Conflict))
            }
        }
    }
}

/// What the visitor says. When it was said is for the server to say: a visitor's clock may be anything.
fn draft(id: String, kind: SentenceKind, text: String, name: Option<String>) -> Result<Draft, Problem> {
    let id = SentenceId::try_from(id).map_err(|_| AppError::Internal("an id that is no sentence's"))?;
    Ok(Draft::new(id, kind, text, name, None).map_err(|_| AppError::Internal("a message that cannot be said"))?)
}

/// The chat after what the visitor did, or why it was refused.
fn changed(handled: Handled) -> Result<ChatRecord, Problem> {
    match (handled.refusal, handled.chat) {
        (Some(refusal), _) => Err(refusal.into()),
        (None, Some(record)) => Ok(std::sync::Arc::unwrap_or_clone(record)),
        (None, None) => Err(Problem::not_found()),
    }
}
