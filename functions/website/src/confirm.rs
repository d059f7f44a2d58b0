//! `POST ~/api/Chat/Confirm`: everything outbound up to a counter is on the visitor's screen (8.2).

use app::AppError;
use app::chats::VisitorAct;
use chat::{Chat, Direction, SentenceId};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::StatusCode;
use website::body::read_confirm;
use wire::{RawRequest, Reply};

use crate::Ctx;
use crate::call::{Call, Route, serve};
use crate::conversation::changed;
use crate::problem::Problem;

/// Sentences looked at in one read.
const PAGE: u64 = 50;
/// The most sentences confirmed by one call; those that follow are confirmed by the next.
const MOST: usize = 100;

const ROUTE: Route = Route { is_write: true, path: &["api", "Chat", "Confirm"], run };

/// Serves a confirmation.
///
/// # Errors
/// [`AppError`] where no web site is known.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    serve(&ctx, &ROUTE, &request).await
}

fn run<'a>(call: &'a Call<'a>) -> BoxFuture<'a, Result<Reply, Problem>> {
    async move {
        let counter = read_confirm(&call.request.body)?;
        let chat = call.current().await?.ok_or_else(Problem::unknown_chat)?;
        for id in call.unconfirmed(&chat, counter).await?.into_iter().take(MOST) {
            changed(call.happen(VisitorAct::Confirms(id)).await?)?;
        }
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }
    .boxed()
}

impl Call<'_> {
    /// The ids of what was said to the visitor up to a counter and is not confirmed, the oldest first. As that is the order
    /// in which they are confirmed, all that comes before a confirmed one is confirmed.
    async fn unconfirmed(&self, chat: &Chat, counter: u64) -> Result<Vec<SentenceId>, Problem> {
        let oldest = *chat.transcript().start();
        let mut last = counter.min(chat.counter);
        let mut ids: Vec<SentenceId> = Vec::new();
        while last >= oldest {
            let first = oldest.max((last + 1).saturating_sub(PAGE));
            let page = self.ctx.chats.chats.sentences(chat.id, first, last).await?;
            for sentence in page.into_iter().rev().filter(|sentence| sentence.direction == Direction::Outbound) {
                if sentence.confirmed_at.is_some() {
                    ids.reverse();
                    return Ok(ids);
                }
                if !ids.contains(&sentence.id) {
                    ids.push(sentence.id);
                }
            }
            last = first - 1;
        }
        ids.reverse();
        Ok(ids)
    }
}
