//! P1 `GET /iadvize/product-list/categories`: the children of a category (section 6.1).

use app::AppError;
use http::StatusCode;
use platform_iadvize::products::{CategoryRow, page, parent};
use wire::{RawRequest, Reply};

use crate::call::READING;
use crate::problem::{answer, answered};
use crate::{Problem, ProductsCtx, verify};

/// Answers with the categories at the top, or those directly below one.
///
/// # Errors
/// [`AppError`] when accounts or the catalogue cannot be read.
pub async fn handle(ctx: ProductsCtx, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, request).await)
}

async fn run(ctx: &ProductsCtx, request: RawRequest) -> Result<Reply, Problem> {
    let call = verify(&ctx.ctx, request, READING).await?;
    let query = call.query();
    let found = call.site(query.get("idWebsite"))?;
    let page = page(&query)?;
    let listed = ctx.catalogue.categories(&found.account.id, parent(&query), page).await?;
    let as_strings = found.site.ids_as_strings;
    let rows: Vec<_> = listed.into_iter().map(|listed| CategoryRow::of(listed, as_strings)).collect();
    Ok(answer(StatusCode::OK, &rows))
}
