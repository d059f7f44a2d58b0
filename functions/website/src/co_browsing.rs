//! `POST ~/api/Chat/CoBrowsing`: what the visitor shares of the page (8.2).

use app::AppError;
use app::chats::VisitorAct;
use chat::SentenceKind;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::StatusCode;
use website::body::read_co_browsing;
use wire::{RawRequest, Reply};

use crate::Ctx;
use crate::call::{Call, Route, serve};
use crate::conversation::changed;
use crate::problem::Problem;

const ROUTE: Route = Route { is_write: true, path: &["api", "Chat", "CoBrowsing"], run };

/// Serves data of shared browsing. The last ones hold; empty ones end it. What they say is between the page's script and
/// the agent's client.
///
/// # Errors
/// [`AppError`] where no web site is known.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    serve(&ctx, &ROUTE, &request).await
}

fn run<'a>(call: &'a Call<'a>) -> BoxFuture<'a, Result<Reply, Problem>> {
    async move {
        let data = read_co_browsing(&call.request.body)?;
        let draft = call.draft(call.fresh_id().to_string(), SentenceKind::CoBrowsing, data, None)?;
        changed(call.happen(VisitorAct::Speaks(draft)).await?)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }
    .boxed()
}
