//! `POST ~/api/Chat/Typing`: the visitor is typing, or has stopped (8.2, 5.3).

use app::AppError;
use app::chats::VisitorAct;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::StatusCode;
use website::body::read_typing;
use wire::{RawRequest, Reply};

use crate::Ctx;
use crate::call::{Call, Route, serve};
use crate::conversation::changed;
use crate::problem::Problem;

const ROUTE: Route = Route { is_write: true, path: &["api", "Chat", "Typing"], run };

/// Serves the news that somebody is typing.
///
/// # Errors
/// [`AppError`] where no web site is known.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    serve(&ctx, &ROUTE, &request).await
}

fn run<'a>(call: &'a Call<'a>) -> BoxFuture<'a, Result<Reply, Problem>> {
    async move {
        let is_typing = read_typing(&call.request.body)?;
        changed(call.happen(VisitorAct::Types { is_typing }).await?)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }
    .boxed()
}
