//! Whose a request is.

use app::AppError;
use http::header::HOST;
use lambda::Snapshot;
use model::{Account, Platform};
use platform_ctrader::Brand;
use serde_json::Value;
use wire::RawRequest;

use crate::{Ctx, Problem};

/// A brand with its settings and secrets.
#[derive(Clone)]
pub struct Found {
    /// The account.
    pub account: Account,
    /// Its settings.
    pub brand: Brand,
    /// Its secrets as stored.
    pub secrets: Value,
}

/// The brand whose host the request names.
///
/// # Errors
/// [`Problem::Refused`] with `not_found` for a host of nobody's, [`Problem::Ours`] when accounts cannot be read.
pub async fn find_brand(ctx: &Ctx, request: &RawRequest) -> Result<Found, Problem> {
    let host = request.header(HOST.as_str()).ok_or(Problem::not_found())?;
    let snapshot = ctx.roster.satisfying(&|snapshot| of_host(snapshot, host).is_some()).await?;
    of_host(&snapshot, host).ok_or(Problem::not_found())
}

fn of_host(snapshot: &Snapshot, host: &str) -> Option<Found> {
    let brands = snapshot.directory.accounts.values().filter(|account| account.id.platform() == Platform::Ctrader);
    brands.into_iter().find_map(|account| {
        let (account, secrets) = snapshot.account(&account.id)?;
        // Those that cannot be read were refused when they were configured.
        let brand = Brand::of(account).ok().filter(|brand| brand.has_host(host))?;
        Some(Found { account: account.clone(), brand, secrets: secrets.clone() })
    })
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        Self::Ours(error)
    }
}
