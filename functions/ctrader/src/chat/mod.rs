//! The chat screen (section 5): the visitor's side of a chat that FrontStage's agents or another platform's staff answer.
//!
//! A screen asks for what is new as a web site's browser does; what it does becomes what the connector of a gateway would send.
//! Which gateway that is, the brand's settings say. Routes, hand-over, waiting, retention and erasure are those of every other
//! chat.

pub mod act;
mod rates;
pub mod read;
mod view;

use std::sync::Arc;

use app::AppError;
use app::chats::{Asking, ChatCtx, ChatOutcome, Handled, VisitorAct, visitor_chat, visitor_event};
use chat::{ChatId, Refusal, TrackingId};
use http::header::{ALLOW, CACHE_CONTROL};
use http::{HeaderValue, Method};
use lambda::{Config, Services, Snapshot};
use model::{Account, AccountId, Platform};
use platform_ctrader::ChatSettings;
use platform_ctrader::chat::{PREPARED, PROACTIVE, prepared_in};
use ports::{ChatRecord, RecordChange};
use wire::{RawRequest, Reply};

pub use rates::Rates;

use crate::{Code, Ctx, Problem, Visit, visit};

/// The longest body that is read: 4000 characters, each written as two escapes.
const MAX_BODY: usize = 64 * 1024;

/// What the chat screen's routes need.
#[derive(Clone)]
pub struct ChatsCtx {
    /// What every route needs.
    pub base: Ctx,
    /// Chats.
    pub chats: ChatCtx,
    /// Who has written how much lately.
    pub rates: Arc<Rates>,
}

/// Connects, during INIT.
pub async fn connect_chats(config: &Config) -> ChatsCtx {
    let (services, roster) = Services::connect_reading(config, &[Platform::Ctrader]).await;
    let chats = services.chats(&roster, chats_frontstage::plan);
    ChatsCtx { base: crate::with(config, &services, roster), chats, rates: Arc::default() }
}

/// A chat that waits for its visitor.
struct Prepared {
    chat: ChatId,
    /// The change after which it does not any more.
    entered: RecordChange,
}

/// A visitor of the chat screen, and the thread in which they talk.
struct Caller<'a> {
    ctx: &'a ChatsCtx,
    visit: Visit,
    /// The gateway of the thread.
    gateway: Account,
    /// The desk to which the tenant's routes give new chats of the gateway.
    home: Option<AccountId>,
    tracking: TrackingId,
}

impl<'a> Caller<'a> {
    /// Whoever calls, by the session's token.
    async fn of(ctx: &'a ChatsCtx, request: &RawRequest) -> Result<Self, Problem> {
        let visit = visit(&ctx.base, request).await?;
        let Visit { found, session, .. } = &visit;
        let settings = found.brand.chat.as_ref().ok_or(Problem::not_found())?;
        let id = settings.gateway_for(&session.params);
        let is_known = |snapshot: &Snapshot| snapshot.directory.accounts.contains_key(id);
        let snapshot = ctx.base.roster.satisfying(&is_known).await?;
        let gateway = snapshot.directory.accounts.get(id).filter(|gateway| gateway.tenant == found.account.tenant);
        let gateway = gateway.ok_or(AppError::Internal("the gateway of a chat screen is not configured"))?.clone();
        let home = snapshot.directory.desk_for(&gateway.tenant, id).cloned();
        let tracking = app::thread_of_user(&found.account, &session.person.to_string()).try_into();
        let tracking = tracking.map_err(|_| AppError::Internal("a thread that is no name"))?;
        Ok(Self { ctx, visit, gateway, home, tracking })
    }

    /// What the operator configured for the screen.
    const fn settings(&self) -> Option<&ChatSettings> {
        self.visit.found.brand.chat.as_ref()
    }

    /// The chat as it is stored: one read.
    async fn current(&self) -> Result<Option<ChatRecord>, Problem> {
        Ok(visitor_chat(&self.ctx.chats, &self.gateway, &self.tracking).await?)
    }

    /// The chat that an operator has prepared for this person and that they have not entered, if the screen was opened for one.
    async fn prepared(&self) -> Result<Option<Prepared>, Problem> {
        if self.visit.session.params.get("chatReason").and_then(|reason| reason.as_str()) != Some(PROACTIVE) {
            return Ok(None);
        }
        let key = self.visit.record(PREPARED, "");
        let now = self.ctx.chats.clock.now();
        let record = self.ctx.base.records.record(&key).await?;
        let record = record.filter(|record| record.ends_at.is_none_or(|end| now < end));
        Ok(record.and_then(|record| {
            let chat = prepared_in(&record.body, &self.gateway.id)?.parse().ok()?;
            let entered = RecordChange { key, rev: record.rev, body: record.body, ends_at: Some(now) };
            Some(Prepared { chat, entered })
        }))
    }

    /// Lets the visitor do something.
    async fn happen(&self, act: VisitorAct) -> Result<Handled, Problem> {
        match visitor_event(&self.ctx.chats, &self.gateway, &self.tracking, act, &Asking::default()).await? {
            ChatOutcome::Done(handled) => Ok(handled),
            ChatOutcome::Replayed | ChatOutcome::IdReused => Err(AppError::Internal("a guard that nobody set").into()),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::refused(match refusal {
            Refusal::GateClosed => Code::NobodyThere,
            Refusal::UnknownChat => Code::NotFound,
            Refusal::Conflict | Refusal::ChatClosed | Refusal::NotYourChat | Refusal::AlertOver => Code::Conflict,
        })
    }
}

/// The answer of a route: no cache keeps it, and a wrong method is told the right ones.
fn finished(answer: Result<Reply, Problem>, request: &RawRequest, allow: &'static str) -> Reply {
    let reply = answer.unwrap_or_else(|problem| {
        let reply = problem.to_reply(&request.request_id);
        let is_method = matches!(problem, Problem::Refused(Code::MethodNotAllowed, _));
        if is_method { reply.with_header(ALLOW, HeaderValue::from_static(allow)) } else { reply }
    });
    let mut reply = reply.with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if request.method == Method::HEAD {
        reply.body.clear();
    }
    reply
}
