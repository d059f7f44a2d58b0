//! Visitors who are handed to a desk: the way there, and what they write from then on.
//!
//! A site whose bot has a `chat` brings them to a gateway's chats, where agents of FrontStage or another platform's staff answer.
//! What is said there comes back as deliveries to the site's account, as the chat knows where its visitor is. Any other site brings
//! what they write to the staff that its own routing rule names, as messages.

use std::sync::Arc;

use app::chats::{Asking, ChatCtx, ChatOutcome, Enters, Handled, VisitorAct, conversation_of, visitor_event};
use app::{Accepted, AppError};
use chat::{Away, ChatVisitor, Draft, Refusal, SentenceKind, TrackingId};
use lambda::Snapshot;
use model::{Account, Content, ConversationId, EventKey, Memo, MessageDetails, Platform, VisitorMessage};
use platform_iadvize::{CHATBOT, LANG};
use ports::InboundStore;
use wire::signature::sha256_hex;

use super::conversation::Hearing;
use super::{HeldBot, lang};
use crate::Found;

/// The way to a desk.
pub(super) enum Way<'a> {
    /// What a visitor writes is a message to staff.
    Messages { ctx: &'a app::Ctx<dyn InboundStore>, snapshot: Arc<Snapshot> },
    /// What a visitor writes is said in a chat of this gateway.
    Chat { ctx: &'a ChatCtx, gateway: Account },
}

/// What became of what a visitor has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// The desk has it.
    Yes,
    /// The desk has ended the chat in which they were.
    Over,
    /// Nobody takes the visitor.
    Nobody,
}

impl<'a> Way<'a> {
    /// The way to a desk, if there is one and what it says can come back.
    pub(super) async fn of(hearing: &Hearing<'a>) -> Result<Option<Self>, AppError> {
        let (ctx, Found { account, site, secrets }) = (hearing.ctx, hearing.found);
        let (Some(desks), Some(chats)) = (&ctx.desks, &ctx.chats) else { return Ok(None) };
        if site.api.is_none() || secrets.api_password().is_none() {
            return Ok(None);
        }
        let snapshot = ctx.base.roster.current().await?;
        if let Some(chat) = &hearing.bot.chat {
            let gateway = snapshot.directory.accounts.get(&chat.gateway).filter(|gateway| gateway.tenant == account.tenant);
            return Ok(gateway.map(|gateway| Self::Chat { ctx: chats, gateway: gateway.clone() }));
        }
        let desk = snapshot.directory.desk_for(&account.tenant, &account.id);
        // Agents of FrontStage take chats alone.
        let takes_messages = desk.is_some_and(|desk| desk.platform() == Platform::Vcita);
        Ok(takes_messages.then_some(Self::Messages { ctx: desks, snapshot }))
    }

    /// Gives the desk what the visitor has written: once, however often it comes. `is_handed` says that it has them already.
    pub(super) async fn give(
        &self,
        hearing: &Hearing<'_>,
        held: &HeldBot,
        is_handed: bool,
        text: &str,
    ) -> Result<Given, AppError> {
        match self {
            Self::Messages { ctx, snapshot } => {
                let accepted =
                    app::accept_visitor(ctx, &snapshot.directory, &hearing.found.account, message(hearing, text), &|_| {
                        Vec::new()
                    });
                match accepted.await? {
                    Accepted::Stored(_) | Accepted::Duplicate(_) => Ok(Given::Yes),
                    Accepted::Refused(_) => Err(AppError::Internal("a guard that nobody set")),
                }
            }
            Self::Chat { ctx, gateway } => {
                let tracking = thread(&hearing.found.account, hearing.id)?;
                let happen = async |act| match visitor_event(ctx, gateway, &tracking, act, &Asking::default()).await? {
                    ChatOutcome::Done(Handled { refusal, .. }) => Ok(refusal),
                    ChatOutcome::Replayed | ChatOutcome::IdReused => Err(AppError::Internal("a guard that nobody set")),
                };
                if !is_handed {
                    let start = VisitorAct::Start {
                        visitor: visitor(hearing, held),
                        ext_response: None,
                        form: None,
                        enters: Enters::None,
                    };
                    if happen(start).await?.is_some() {
                        return Ok(Given::Nobody);
                    }
                }
                if text.is_empty() {
                    return Ok(Given::Yes);
                }
                match happen(VisitorAct::Speaks(sentence(&hearing.said.message, text)?)).await? {
                    None => Ok(Given::Yes),
                    Some(Refusal::UnknownChat | Refusal::ChatClosed) if is_handed => Ok(Given::Over),
                    Some(_) => Ok(Given::Nobody),
                }
            }
        }
    }

    /// Takes back that a chat was begun for somebody whom the desk is not to have after all.
    pub(super) async fn leave(&self, hearing: &Hearing<'_>) -> Result<(), AppError> {
        match self {
            // What was written to staff stays written.
            Self::Messages { .. } => Ok(()),
            Self::Chat { ctx, gateway } => {
                let tracking = thread(&hearing.found.account, hearing.id)?;
                visitor_event(ctx, gateway, &tracking, VisitorAct::Stop, &Asking::default()).await.map(drop)
            }
        }
    }
}

/// What the visitor has written, as a message to staff.
fn message(hearing: &Hearing<'_>, text: &str) -> VisitorMessage {
    VisitorMessage {
        address: hearing.id.to_owned(),
        name: None,
        memo: [(CHATBOT.to_owned(), hearing.said.operator.number().to_string())].into(),
        event_keys: vec![(EventKey::new("said", [hearing.id, &hearing.said.message]), None)],
        answers: None,
        continues: Vec::new(),
        origin_id: hearing.said.message.clone(),
        sent_at: hearing.at(),
        content: Content { text: text.to_owned(), ..Content::default() },
        details: MessageDetails::default(),
    }
}

/// The same, as a sentence of a chat. iAdvize's ids may be longer than a sentence's.
fn sentence(id: &str, text: &str) -> Result<Draft, AppError> {
    let id = sha256_hex(id.as_bytes()).try_into().map_err(|_| AppError::Internal("a hash that is no sentence's id"))?;
    let draft = Draft::new(id, SentenceKind::Text, text.to_owned(), None, None);
    draft.map_err(|_| AppError::Internal("a message that cannot be said in a chat"))
}

/// The visitor as the chat knows them: what is said to them goes to the site's account.
fn visitor(hearing: &Hearing<'_>, held: &HeldBot) -> ChatVisitor {
    let lang = lang(hearing.found, &held.bot).to_owned();
    let memo: Memo = [(CHATBOT, hearing.said.operator.number().to_string()), (LANG, lang.clone())]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
    ChatVisitor {
        remote_address: Some(hearing.id.to_owned()),
        culture: Some(lang),
        away: Some(Away { account: hearing.found.account.id.clone(), memo }),
        ..ChatVisitor::default()
    }
}

/// The thread of a conversation with iAdvize, as the gateway's chats know it.
fn thread(account: &Account, conversation: &str) -> Result<TrackingId, AppError> {
    app::thread_of_user(account, conversation).try_into().map_err(|_| AppError::Internal("a thread that is no name"))
}

/// The chat's conversation, at this gateway, of a conversation with iAdvize.
pub(crate) fn chat_of(account: &Account, gateway: &Account, conversation: &str) -> Result<ConversationId, AppError> {
    Ok(conversation_of(gateway, &thread(account, conversation)?))
}
