//! `POST ~/api/Chat/Confirm`: everything outbound up to a counter is on the visitor's screen (8.2).

use app::AppError;
use app::chats::{VisitorAct, unconfirmed};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::StatusCode;
use website::body::read_confirm;
use wire::{RawRequest, Reply};

use crate::Ctx;
use crate::call::{Call, Route, serve};
use crate::conversation::changed;
use crate::problem::Problem;

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
        for id in unconfirmed(&call.ctx.chats, &chat, counter).await?.into_iter().take(MOST) {
            changed(call.happen(VisitorAct::Confirms(id)).await?)?;
        }
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }
    .boxed()
}
