//! W1 `POST /iadvize/webhook`: what happens at iAdvize (section 11).
//!
//! Taking an event is one conditional write, or a few for one that ends a conversation of the bot's, far below the two seconds in
//! which iAdvize is to be answered: so it is stored before it is acknowledged, and nothing is left to be done afterwards.

use std::sync::Arc;
use std::time::Duration;

use app::AppError;
use futures_util::future::try_join;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use model::StaffTask;
use platform_iadvize::{BadEvent, Event};
use ports::{Queue, RecordKey, Records, Saved};
use serde_json::json;
use wire::{RawRequest, Reply};

use crate::bot::conversation::end;
use crate::bot::desk::chat_of;
use crate::call::Methods;
use crate::problem::{answer, answered};
use crate::visitors::{
    Conversation, Names, REMEMBERED, Whose, change, conversation_key, conversation_of_key, group, opened, visitor_key,
};
use crate::{Call, Ctx, Found, Problem, verify};

/// How often an event is tried again after somebody else wrote to the same conversation.
const RACES: usize = 8;

/// What the route needs.
#[derive(Clone)]
pub struct WebhookCtx {
    /// Sites and the time.
    pub base: Ctx,
    /// Where events are kept.
    pub records: Arc<dyn Records>,
    /// Where chats hear that their visitor has left.
    pub queue: Arc<dyn Queue>,
    /// How long.
    pub kept: Duration,
}

/// Takes an event, once for each `eventId`: it is kept with its conversation, which from then on leads to its visitor.
///
/// # Errors
/// [`AppError`] when it is not known to be stored; iAdvize repeats it.
pub async fn handle(ctx: WebhookCtx, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, request).await)
}

async fn run(ctx: &WebhookCtx, request: RawRequest) -> Result<Reply, Problem> {
    let call = verify(&ctx.base, request, Methods(&[Method::POST], "POST")).await?;
    let is_form = call.request().header(CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("application/x-www-form"));
    let event = match Event::parse(&call.request().body) {
        Ok(event) => event,
        // A form whose body is no JSON text: how it would be encoded is not described.
        Err(BadEvent("body")) if is_form => return Err(Problem::MediaType),
        Err(BadEvent(member)) => return Err(Problem::invalid(member, "is missing or wrong")),
    };
    let website = event.website.map(|website| website.to_string());
    // What concerns an account of iAdvize as a whole is kept with the first of its sites.
    let found = match &website {
        Some(website) => call.site(Some(website))?,
        None => call.first_site()?,
    };
    for _ in 0..RACES {
        // The event is noted last: iAdvize repeats it until all of it is done.
        if free(ctx, &call, found, &event).await? && keep(ctx, found, &event).await? {
            return Ok(answer(StatusCode::OK, &json!({})));
        }
    }
    Err(AppError::Unavailable(ports::PortError::Busy).into())
}

/// Whether the bot, which is not told that a conversation ended, keeps nothing of one that this event ends (section 10.4).
/// And a chat in which its visitor talks to a desk hears that they have left: whether there is one, and whether the bot had to do with
/// the conversation at all, is found out where that is known.
async fn free(ctx: &WebhookCtx, call: &Call, found: &Found, event: &Event) -> Result<bool, Problem> {
    let ended = event.conversation.as_ref().filter(|_| event.is_closed());
    let Some((conversation, bot)) = ended.zip(found.site.bot.as_ref()) else { return Ok(true) };
    let gateway = bot.chat.as_ref().and_then(|chat| call.directory().accounts.get(&chat.gateway));
    if let Some(gateway) = gateway {
        let chat = chat_of(&found.account, gateway, conversation)?;
        let left = StaffTask::VisitorLeftV1 { account: found.account.id.clone(), conversation: chat, at: event.at };
        ctx.queue.staff(&left).await?;
    }
    end(&*ctx.records, found, conversation, event.at, ctx.base.clock.now()).await
}

/// Whether the event is stored, by this call or an earlier one.
async fn keep(ctx: &WebhookCtx, found: &Found, event: &Event) -> Result<bool, Problem> {
    let (account, now) = (&found.account, ctx.base.clock.now());
    let about = match (&event.conversation, &event.visitor) {
        (Some(conversation), _) => group(account, "conversation", conversation),
        (None, Some(visitor)) => group(account, "visitor", visitor),
        (None, None) => group(account, "operators", ""),
    };
    let key = RecordKey { account: account.id.clone(), group: about, kind: "event", id: event.id.clone() };
    let told = json!({
        "type": event.kind, "at": event.at, "operator": event.operator, "channel": event.channel, "figures": event.figures,
    });
    let mut changes = vec![change(key.clone(), 0, &told, now.plus(ctx.kept))?];
    if let Some((conversation, visitor)) = event.conversation.as_ref().zip(event.visitor.as_ref()) {
        let [whose, of] = [conversation_key(account, conversation), conversation_of_key(account, visitor, conversation)];
        let (whose_is, known) = try_join(ctx.records.record(&whose), ctx.records.record(&of)).await?;
        let (whose_is, whose_rev) = opened::<Whose>(whose_is, now)?;
        let before = whose_is.unwrap_or_default();
        let after_it = Whose { visitor: Some(visitor.clone()), names: names_in(event).or(before.names.clone()) };
        if after_it != before {
            changes.push(change(whose, whose_rev, &after_it, now.plus(ctx.kept))?);
        }
        let (known, rev) = opened::<Conversation>(known, now)?;
        changes.push(change(of, rev, &after(known, event), now.plus(ctx.kept))?);
    }
    if let (Some(visitor), Some(_)) = (&event.visitor, &event.external_id) {
        let key = visitor_key(account, visitor);
        let (known, rev) = opened::<Names>(ctx.records.record(&key).await?, now)?;
        changes.push(change(key, rev, &names_in(event).or(known.unwrap_or_default()), now.plus(REMEMBERED))?);
    }
    match ctx.records.keep_records(&changes).await? {
        Saved::Yes => Ok(true),
        Saved::Conflict => Ok(ctx.records.record(&key).await?.is_some()),
    }
}

fn names_in(event: &Event) -> Names {
    Names { external_id: event.external_id.clone(), email: None }
}

/// A conversation after an event. Events come in any order.
fn after(known: Option<Conversation>, event: &Event) -> Conversation {
    let new = Conversation { began_at: event.at, last_at: event.at, closed_at: None, channel: None, operator: None };
    let mut conversation = known.unwrap_or(new);
    conversation.began_at = conversation.began_at.min(event.at);
    conversation.last_at = conversation.last_at.max(event.at);
    if event.is_closed() {
        conversation.closed_at = conversation.closed_at.max(Some(event.at));
    }
    conversation.channel = event.channel.clone().or(conversation.channel);
    if event.is_pushed() {
        conversation.operator = event.operator.or(conversation.operator);
    }
    conversation
}
