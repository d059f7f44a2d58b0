//! Who calls, and about which site.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http::Method;
use lambda::{Metric, Snapshot};
use model::{Account, Directory, Platform};
use platform_iadvize::{Query, Secrets, Site, Website};
use wire::{RawRequest, Verified};

use crate::{Ctx, Problem};

/// The longest body (section 3.3).
const MAX_BODY: usize = 1024 * 1024;

/// The methods of a route that only reads.
pub(crate) const READING: Methods = Methods(&[Method::GET, Method::HEAD], "GET, HEAD");

/// The methods of a route, and how `Allow` lists them.
#[derive(Clone, Copy)]
pub struct Methods(pub &'static [Method], pub &'static str);

/// A site with its settings and secrets.
#[derive(Clone)]
pub struct Found {
    /// The account.
    pub account: Account,
    /// Its settings.
    pub site: Site,
    /// Its secrets.
    pub secrets: Secrets,
}

/// A call that was signed with a token of these sites.
pub struct Call {
    request: Verified<RawRequest>,
    sites: Vec<Arc<Found>>,
    snapshot: Arc<Snapshot>,
}

/// The sites as they were read from a snapshot of the accounts: reading all settings for each call would take longer than
/// most calls do.
#[derive(Default)]
pub struct Sites(Mutex<Option<HeldSites>>);

struct HeldSites {
    of: Arc<Snapshot>,
    sites: Arc<[Arc<Found>]>,
}

impl Sites {
    fn of(&self, snapshot: &Arc<Snapshot>) -> Arc<[Arc<Found>]> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Some(HeldSites { of, sites }) if Arc::ptr_eq(of, snapshot) => sites.clone(),
            _ => {
                let sites: Arc<[_]> = known(snapshot).map(Arc::new).collect();
                *held = Some(HeldSites { of: snapshot.clone(), sites: sites.clone() });
                sites
            }
        }
    }
}

/// Proves who signed a request. Before anything in it is looked at but its method, length and signature.
///
/// # Errors
/// [`Problem`]: another method, a signature of nobody's, a body over 1 MiB, or accounts that cannot be read.
pub async fn verify(ctx: &Ctx, request: RawRequest, methods: Methods) -> Result<Call, Problem> {
    if !methods.0.contains(&request.method) {
        return Err(Problem::Method(methods.1));
    }
    if request.body.len() > MAX_BODY {
        return Err(Problem::TooLarge(MAX_BODY));
    }
    let signed = |sites: &[Arc<Found>]| {
        platform_iadvize::verify(request.clone(), sites.iter().map(|found| (found.clone(), &found.secrets)))
    };
    let (found, snapshot) = among_sites(ctx, signed).await?;
    let Some((verified, sites)) = found else {
        ctx.count(Metric::AuthFailures);
        return Err(Problem::Unauthorized);
    };
    Ok(Call { request: verified, sites, snapshot })
}

/// Looks for something among all sites; once more, if it is not there, after the accounts were read again. A site or token may be
/// new; how often that is looked at is bounded.
pub(crate) async fn among_sites<T>(
    ctx: &Ctx,
    look: impl Fn(&[Arc<Found>]) -> Option<T>,
) -> Result<(Option<T>, Arc<Snapshot>), Problem> {
    let snapshot = ctx.roster.current().await?;
    let found = look(&ctx.sites.of(&snapshot));
    if found.is_some() {
        return Ok((found, snapshot));
    }
    let snapshot = ctx.roster.satisfying(&|_| false).await?;
    Ok((look(&ctx.sites.of(&snapshot)), snapshot))
}

/// All sites. What cannot be read of one was refused when it was configured; it is as if it were not there.
fn known(snapshot: &Snapshot) -> impl Iterator<Item = Found> {
    let accounts = snapshot.directory.accounts.values().filter(|account| account.id.platform() == Platform::Iadvize);
    accounts.filter_map(|account| {
        let (account, secrets) = snapshot.account(&account.id)?;
        let (site, secrets) = (Site::of(account).ok()?, Secrets::from_value(secrets).ok()?);
        Some(Found { account: account.clone(), site, secrets })
    })
}

impl Call {
    /// The request.
    #[must_use]
    pub fn request(&self) -> &RawRequest {
        self.request.get()
    }

    /// Its parameters.
    #[must_use]
    pub fn query(&self) -> Query {
        Query::of(&self.request)
    }

    /// Tenants and accounts.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.snapshot.directory
    }

    /// The first of the sites whose token it was signed with: for what is about none of them in particular.
    ///
    /// # Errors
    /// As [`Self::site`].
    pub fn first_site(&self) -> Result<&Found, Problem> {
        let first = self.sites.first().ok_or(Problem::Unauthorized)?;
        self.check_source(first)
    }

    /// The sites whose token it was signed with.
    #[must_use]
    pub fn sites(&self) -> &[Arc<Found>] {
        &self.sites
    }

    /// The site that an `idWebsite` names, of those whose token it was signed with; without one the only site there is.
    ///
    /// # Errors
    /// [`Problem::NotFound`] for a site that is not one of these, [`Problem::Invalid`] if it is not said which of several,
    /// [`Problem::Forbidden`] if its calls must not come from there.
    pub fn site(&self, website: Option<&str>) -> Result<&Found, Problem> {
        let found: &Found = match website {
            Some(text) => {
                let named = Website::parse(text);
                let fits = |found: &&Arc<Found>| named == Some(found.site.website);
                self.sites.iter().find(fits).ok_or(Problem::NotFound("there is no such site"))?
            }
            None => match self.sites.as_slice() {
                [only] => only,
                _ => return Err(Problem::invalid("idWebsite", "is missing")),
            },
        };
        self.check_source(found)
    }

    fn check_source<'a>(&self, found: &'a Found) -> Result<&'a Found, Problem> {
        if self.may_be_about(found) { Ok(found) } else { Err(Problem::Forbidden) }
    }

    /// Whether calls for a site may come from where this one did.
    #[must_use]
    pub fn may_be_about(&self, found: &Found) -> bool {
        let source = self.request().source_ip.as_deref().and_then(|ip| ip.parse::<IpAddr>().ok());
        let may_call = |sources: &wire::client_address::AddressList| source.is_some_and(|ip| sources.contains(ip));
        found.site.sources.as_ref().is_none_or(may_call)
    }
}
