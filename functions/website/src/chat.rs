//! `GET ~/api/Chat?After=`: what is new (8.2, 8.5). Two reads at most, and one where nothing is.

use ::chat::Direction;
use app::AppError;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderName, HeaderValue, StatusCode};
use platform_frontstage::{Code, WireError};
use website::models::{ChatModel, ChatStatus};
use website::poll::{Seen, Situation, etag, is_not_modified, poll_after};
use wire::{RawRequest, Reply};

use crate::Ctx;
use crate::call::{Call, Route, serve};
use crate::conversation::{chat_guid, status};
use crate::problem::Problem;

const ROUTE: Route = Route { is_write: false, path: &["api", "Chat"], run };

/// Header that says after how many seconds to ask again; [`website::poll::POLL_HEADER`] as the HTTP library wants it.
const POLL_AFTER: HeaderName = HeaderName::from_static("x-poll-after");

/// Serves a poll.
///
/// # Errors
/// [`AppError`] where no web site is known.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    serve(&ctx, &ROUTE, &request).await
}

fn run<'a>(call: &'a Call<'a>) -> BoxFuture<'a, Result<Reply, Problem>> {
    poll(call).boxed()
}

async fn poll(call: &Call<'_>) -> Result<Reply, Problem> {
    let after = call.after()?.unwrap_or_default();
    let Ctx { chats, polls, .. } = call.ctx;
    let account = &call.site.account.id;
    let now = chats.clock.now();
    if !polls.admit(account, call.visitor, now) {
        return Err(WireError::new(Code::TooManyRequests, "one poll a second").into());
    }
    let Some(chat) = call.current().await? else {
        let pause = poll_after(None, now);
        return Ok(Reply::json(StatusCode::OK, &None::<ChatModel>).with_header(POLL_AFTER, pause.as_secs().into()));
    };
    let status = status(&chat, now);
    let is_typing = status != ChatStatus::Closed && chat.is_typing(Direction::Outbound, now);
    let tag = etag(&Seen {
        chat_id: chat_guid(&chat),
        counter: chat.counter,
        status,
        is_typing,
        // A confirmation counts as a change of the chat, and so does a panel.
        last_confirm: None,
        panel_version: chat.rev,
    });
    let last_news = polls.since(account, call.visitor, &tag, now);
    let pause = poll_after(Some(&Situation { status, is_typing, last_news }), now);
    let reply = if is_not_modified(call.header(IF_NONE_MATCH), &tag) {
        Reply::empty(StatusCode::NOT_MODIFIED)
    } else {
        let model = call.model(&chat, after).await?;
        let reply = Reply::json(StatusCode::OK, &model);
        if has_rest(&model) {
            // Not everything that is new: no tag, by which the rest would be no news, and soon again.
            return Ok(reply.with_header(POLL_AFTER, 1.into()));
        }
        reply
    };
    let reply = reply.with_header(POLL_AFTER, pause.as_secs().into());
    Ok(match HeaderValue::from_str(&tag) {
        Ok(tag) => reply.with_header(ETAG, tag),
        Err(_) => reply,
    })
}

/// Whether sentences are left for the next answer.
fn has_rest(model: &ChatModel) -> bool {
    let last = model.sentences.as_ref().and_then(|sentences| sentences.last());
    last.is_some_and(|last| last.counter < model.counter)
}
