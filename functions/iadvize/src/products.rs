//! P2 `GET /iadvize/product-list/products`: products of a catalogue, of a category, or those that a search finds (section 6.2).

use app::AppError;
use http::StatusCode;
use platform_iadvize::products::{ProductRow, page, wanted};
use wire::{RawRequest, Reply};

use crate::call::READING;
use crate::problem::{answer, answered};
use crate::{Problem, ProductsCtx, verify};

/// Answers with a page of products.
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
    let (wanted, page) = (wanted(&query)?, page(&query)?);
    let products = ctx.catalogue.products(&found.account.id, &wanted, page).await?;
    let as_strings = found.site.ids_as_strings;
    let rows: Vec<_> = products.into_iter().map(|product| ProductRow::of(product, as_strings)).collect();
    Ok(answer(StatusCode::OK, &rows))
}
