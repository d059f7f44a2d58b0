//! `GET ~/api/Scenario/{id}`: a form that pages are offered (8.2).

use app::AppError;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::StatusCode;
use platform_frontstage::{Code, WireError};
use uuid::Uuid;
use wire::{RawRequest, Reply};

use crate::Ctx;
use crate::call::{Call, Route, serve};
use crate::problem::Problem;

const ROUTE: Route = Route { is_write: false, path: &["api", "Scenario", "*"], run };

/// Serves a form, in the language of the query or else of the browser. One that no rule offers is as unknown as one that
/// does not exist.
///
/// # Errors
/// [`AppError`] where no web site is known.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    serve(&ctx, &ROUTE, &request).await
}

fn run<'a>(call: &'a Call<'a>) -> BoxFuture<'a, Result<Reply, Problem>> {
    async move {
        let culture = call.query("Culture").filter(|culture| !culture.is_empty()).or_else(|| call.language());
        let id = Uuid::try_parse(call.name).ok();
        let scenario = id.and_then(|id| call.site.settings.offered_scenario(id, culture.as_deref()));
        let scenario = scenario.ok_or_else(|| WireError::new(Code::UnknownScenario, "no such form"))?;
        Ok(Reply::json(StatusCode::OK, &scenario.to_browser()))
    }
    .boxed()
}
