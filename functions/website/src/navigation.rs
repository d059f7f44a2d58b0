//! `POST ~/api/Chat/Navigation`: the page the visitor is on (8.2).

use app::AppError;
use app::chats::VisitorAct;
use chat::SentenceKind;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::StatusCode;
use website::body::{FieldError, read_navigation};
use wire::{RawRequest, Reply};

use crate::Ctx;
use crate::call::{Call, Route, serve};
use crate::conversation::changed;
use crate::problem::Problem;

const ROUTE: Route = Route { is_write: true, path: &["api", "Chat", "Navigation"], run };

/// Serves the news that the visitor is on another page. Where no rule tracks pages it is taken, and nobody hears of it.
///
/// # Errors
/// [`AppError`] where no web site is known.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    serve(&ctx, &ROUTE, &request).await
}

fn run<'a>(call: &'a Call<'a>) -> BoxFuture<'a, Result<Reply, Problem>> {
    async move {
        let location = read_navigation(&call.request.body)?;
        // Agents may follow it: nothing but a page's address goes to them.
        let is_page = location.starts_with("https://") || location.starts_with("http://");
        if !location.is_empty() && !is_page {
            return Err(FieldError::new("Location", "is not the address of a page").into());
        }
        if call.site.settings.tracks_pages {
            let id = call.fresh_id().to_string();
            let draft = call.draft(id, SentenceKind::Navigation, location, None)?;
            changed(call.happen(VisitorAct::Speaks(draft)).await?)?;
        }
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }
    .boxed()
}
