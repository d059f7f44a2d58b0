//! What the endpoints for cTrader's backend have in common (section 3, "Rules common to I2–I5", and section 6.1).

use std::net::IpAddr;

use app::AppError;
use http::header::{ALLOW, CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode};
use lambda::{Config, Metric, Metrics};
use model::Platform;
use platform_ctrader::{Identity, InappTokens, Secrets, Sso};
use ports::PortError;
use serde::Serialize;
use serde_json::{Map, Value};
use url::form_urlencoded;
use wire::{RawRequest, Reply};

use crate::tokens::{self, Inapp};
use crate::{Ctx, Found, Problem, find_brand};

/// The longest body.
const MAX_BODY: usize = 16 * 1024;

/// What the endpoints need.
#[derive(Clone)]
pub struct OauthCtx {
    /// Brands and records.
    pub base: Ctx,
    /// Name of this function, for metrics.
    pub function: String,
}

/// Connects, during INIT.
pub async fn connect_oauth(config: &Config) -> OauthCtx {
    OauthCtx { base: crate::connect(config).await, function: config.function.clone() }
}

/// A row of the table of section 6.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
}

impl Row {
    pub(crate) const fn missing(message: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "MISSING_REQUIRED_PARAMETER", message }
    }

    pub(crate) const fn not_authenticated(message: &'static str) -> Self {
        Self { status: StatusCode::FORBIDDEN, code: "CH_CLIENT_AUTH_FAILURE", message }
    }

    const DISABLED: Self =
        Self { status: StatusCode::FORBIDDEN, code: "CH_INSUFFICIENT_PERMISSIONS", message: "The broker is disabled" };

    pub(crate) const fn not_found(message: &'static str) -> Self {
        Self { status: StatusCode::NOT_FOUND, code: "NOT_FOUND", message }
    }

    pub(crate) const fn expired(message: &'static str) -> Self {
        Self { status: StatusCode::GONE, code: "CID_TOKEN_EXPIRED", message }
    }

    pub(crate) const MALFORMED: Self =
        Self { status: StatusCode::EXPECTATION_FAILED, code: "CID_NON_EXISTED_TOKEN", message: "This cannot be a token" };

    pub(crate) const TOO_OFTEN: Self =
        Self { status: StatusCode::TOO_MANY_REQUESTS, code: "REQUEST_FREQUENCY_EXCEEDED", message: "Too many wrong attempts" };

    const METHOD: Self = Self { status: StatusCode::METHOD_NOT_ALLOWED, code: "INVALID_REQUEST", message: "Only POST is served" };

    const TOO_LARGE: Self =
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, code: "INVALID_REQUEST", message: "The body is longer than 16 KiB" };

    fn reply(self) -> Reply {
        let Self { status, code, message } = self;
        let error = status.canonical_reason().unwrap_or_default();
        let reply = Reply::json(status, &Told { error, message, code });
        let reply = reply.with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match status {
            StatusCode::METHOD_NOT_ALLOWED => reply.with_header(ALLOW, HeaderValue::from_static("POST")),
            StatusCode::TOO_MANY_REQUESTS => reply.with_header(RETRY_AFTER, HeaderValue::from_static("60")),
            StatusCode::SERVICE_UNAVAILABLE => reply.with_header(RETRY_AFTER, HeaderValue::from_static("5")),
            _ => reply,
        }
    }
}

#[derive(Serialize)]
struct Told {
    error: &'static str,
    message: &'static str,
    code: &'static str,
}

/// Why a call is not served.
pub(crate) enum Stop {
    /// It is told so.
    Refused(Row),
    /// It is our fault.
    Ours(AppError),
}

impl From<Row> for Stop {
    fn from(row: Row) -> Self {
        Self::Refused(row)
    }
}

impl From<PortError> for Stop {
    fn from(error: PortError) -> Self {
        Self::Ours(error.into())
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        match problem {
            // The only refusal of what both sides use is that of a host of nobody's.
            Problem::Refused(..) | Problem::Fields(_) => Row::not_found("There is no such broker").into(),
            Problem::Ours(error) => Self::Ours(error),
        }
    }
}

/// What cTrader's backend is told when a request did not happen because of us.
#[must_use]
pub fn render(error: &AppError, _request_id: &str) -> Reply {
    let status = match error {
        AppError::Unauthenticated(_) => return Row::not_authenticated("Not authenticated").reply(),
        AppError::UnknownAccount(_) => return Row::not_found("There is no such broker").reply(),
        AppError::TooLarge { .. } => return Row::TOO_LARGE.reply(),
        AppError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        AppError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Row { status, code: "UNKNOWN_ERROR", message: "Please try again" }.reply()
}

/// A call for a brand that owns its identities.
pub(crate) struct Call<'a> {
    pub(crate) ctx: &'a OauthCtx,
    pub(crate) request: &'a RawRequest,
    pub(crate) found: Found,
    pub(crate) sso: Sso,
    pub(crate) secrets: Secrets,
}

impl<'a> Call<'a> {
    /// Finds the brand, and checks from where the call comes: the first of the checks.
    pub(crate) async fn of(ctx: &'a OauthCtx, request: &'a RawRequest, route: &str) -> Result<Self, Stop> {
        if request.method != Method::POST {
            return Err(Row::METHOD.into());
        }
        let found = find_brand(&ctx.base, request).await?;
        let Identity::Sso(sso) = found.brand.identity.clone() else {
            return Err(Row::not_found("There is no such broker").into());
        };
        if request.path.strip_prefix(sso.prefix.as_str()) != Some(route) {
            return Err(Row::not_found("There is no such path").into());
        }
        let source = request.source_ip.as_deref().and_then(|text| text.parse::<IpAddr>().ok());
        if !sso.sources.as_ref().is_none_or(|listed| source.is_some_and(|source| listed.contains(source))) {
            ctx.count(Metric::AuthFailures);
            return Err(Row::not_authenticated("Calls are not accepted from this address").into());
        }
        let secrets = Secrets::from_value(&found.secrets)
            .ok()
            .filter(Secrets::has_crm_password)
            .ok_or(Stop::Ours(AppError::Internal("the brand has no crm_passwords among its secrets")))?;
        Ok(Self { ctx, request, found, sso, secrets })
    }

    /// The same, for whoever bears a `crmApiToken`: the second of the checks.
    pub(crate) async fn authenticated(ctx: &'a OauthCtx, request: &'a RawRequest, route: &str) -> Result<Self, Stop> {
        let call = Self::of(ctx, request, route).await?;
        let is_its_name = |name: &str| name == "crmApiToken" || Some(name) == call.sso.crm_token_alias.as_deref();
        let given: Vec<_> = call.query().filter(|(name, _)| is_its_name(name)).map(|(_, value)| value).collect();
        let accepts = |token: &str| call.secrets.accepts_crm_token(&call.found.account.salt, token, ctx.base.clock.now());
        if !matches!(&given[..], [token] if accepts(token)) {
            ctx.count(Metric::AuthFailures);
            return Err(Row::not_authenticated("crmApiToken is not accepted").into());
        }
        call.enabled()?;
        Ok(call)
    }

    /// Whether the broker is served at all.
    pub(crate) fn enabled(&self) -> Result<(), Row> {
        if self.found.brand.disabled { Err(Row::DISABLED) } else { Ok(()) }
    }

    fn query(&self) -> impl Iterator<Item = (String, String)> {
        form_urlencoded::parse(self.request.query.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned()))
    }

    /// A query parameter, which may be there once; empty is as not there.
    pub(crate) fn parameter(&self, name: &str) -> Result<Option<String>, Row> {
        let mut given = self.query().filter(|(given, _)| given == name).map(|(_, value)| value);
        match (given.next(), given.next()) {
            (_, Some(_)) => Err(Row::missing("A query parameter is there twice")),
            (value, None) => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    /// The body as an object: the third of the checks.
    pub(crate) fn body(&self) -> Result<Map<String, Value>, Row> {
        if self.request.body.len() > MAX_BODY {
            return Err(Row::TOO_LARGE);
        }
        serde_json::from_slice(&self.request.body).map_err(|_| Row::missing("The body is not a JSON object"))
    }

    /// The change that gives the user an `inappToken`, and the token, where the brand has them.
    pub(crate) fn inapp_token(&self, user: platform_ctrader::Person) -> Result<Option<(String, ports::RecordChange)>, Stop> {
        if self.sso.inapp_tokens == InappTokens::Off {
            return Ok(None);
        }
        let base = &self.ctx.base;
        let token = tokens::fresh(&*base.dice);
        let change = tokens::change(&self.found, &token, &Inapp::new(user, base.clock.now()), 0)?;
        Ok(Some((token, change)))
    }
}

/// A member of a body that has to be a text with something in it.
pub(crate) fn text<'a>(body: &'a Map<String, Value>, name: &str, missing: &'static str) -> Result<&'a str, Row> {
    body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).ok_or(Row::missing(missing))
}

impl OauthCtx {
    /// Counts one of something.
    pub(crate) fn count(&self, metric: Metric) {
        let mut metrics = Metrics::default();
        metrics.count(Some(Platform::Ctrader), metric, 1);
        metrics.emit(&self.function, self.base.clock.now());
    }
}

/// The answer of an endpoint: its own, or the row of the table.
pub(crate) fn answered(result: Result<Reply, Stop>) -> Result<Reply, AppError> {
    match result {
        Ok(reply) => Ok(reply.with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"))),
        Err(Stop::Refused(row)) => Ok(row.reply()),
        Err(Stop::Ours(error)) => Err(error),
    }
}
