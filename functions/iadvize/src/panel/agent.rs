//! Who looks at the panel, and at which site.

use std::collections::BTreeSet;
use std::sync::Arc;

use lambda::Metric;
use model::EpochMillis;
use platform_iadvize::panel::{Agent, Panel, verify_jwt};

use crate::call::among_sites;
use crate::{Ctx, Found, Problem};

/// An operator, and the sites for whose panel their token is.
pub(crate) struct Seat {
    pub(crate) agent: Agent,
    sites: Vec<(Arc<Found>, Panel)>,
}

/// Proves whose a token is.
///
/// # Errors
/// [`Problem::Unauthorized`] whatever is wrong with it, or accounts that cannot be read.
pub(crate) async fn seated(ctx: &Ctx, token: Option<&str>) -> Result<Seat, Problem> {
    let now = ctx.clock.now();
    let found = match token {
        Some(token) => among_sites(ctx, |sites| seat(sites, token, now)).await?.0,
        None => None,
    };
    found.ok_or_else(|| {
        ctx.count(Metric::AuthFailures);
        Problem::Unauthorized
    })
}

fn seat(sites: &[Arc<Found>], token: &str, now: EpochMillis) -> Option<Seat> {
    let fits = |found: &Arc<Found>| {
        let panel = found.site.panel.clone()?;
        let agent = verify_jwt(token, found.secrets.tokens(), &panel.audience, now)?;
        Some((agent, (found.clone(), panel)))
    };
    let (agents, sites): (Vec<_>, Vec<_>) = sites.iter().filter_map(fits).unzip();
    // The token does not say which of two tenants its operator works for, and what the page says must not decide it.
    let tenants: BTreeSet<_> = sites.iter().map(|(found, _)| &found.account.tenant).collect();
    if tenants.len() > 1 {
        return None;
    }
    Some(Seat { agent: agents.into_iter().next()?, sites })
}

impl Seat {
    /// All of the sites; there is one at least.
    pub(crate) fn panels(&self) -> impl Iterator<Item = &Panel> {
        self.sites.iter().map(|(_, panel)| panel)
    }

    /// The site of the project in which the conversation is. What the page says only chooses among those of the token.
    ///
    /// # Errors
    /// [`Problem::NotFound`] for any other, [`Problem::Invalid`] if it is not said which of several.
    pub(crate) fn site(&self, project: Option<u64>) -> Result<(&Found, &Panel), Problem> {
        let mut fitting =
            self.sites.iter().filter(|(found, _)| project.is_none_or(|project| found.site.website.project() == project));
        match (fitting.next(), fitting.next()) {
            (Some((found, panel)), None) => Ok((found, panel)),
            (Some(_), Some(_)) => Err(Problem::invalid("project", "does not say which site")),
            (None, _) => Err(Problem::NotFound("there is no such site")),
        }
    }
}
