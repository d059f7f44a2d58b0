//! `POST ~/api/Chat/Stop`: the visitor ends the chat (8.2).

use app::AppError;
use app::chats::VisitorAct;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use wire::{RawRequest, Reply};

use crate::Ctx;
use crate::call::{Call, Route, serve};
use crate::problem::Problem;

const ROUTE: Route = Route { is_write: true, path: &["api", "Chat", "Stop"], run };

/// Serves the end of a chat. The body says nothing.
///
/// # Errors
/// [`AppError`] where no web site is known.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    serve(&ctx, &ROUTE, &request).await
}

fn run<'a>(call: &'a Call<'a>) -> BoxFuture<'a, Result<Reply, Problem>> {
    async move {
        // Whoever does not ask for sentences gets none.
        let after = call.after()?.unwrap_or(u64::MAX);
        let handled = call.happen(VisitorAct::Stop).await?;
        call.answer(handled, after).await
    }
    .boxed()
}
