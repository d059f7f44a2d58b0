//! What every route does alike: find the web site, know the browser, admit the page, answer with the headers that go with
//! it, whatever came of the call (8.1, 8.4).

use std::net::IpAddr;
use std::sync::Arc;

use app::AppError;
use app::chats::{Asking, ChatOutcome, Handled, VisitorAct, visitor_event};
use futures_util::future::BoxFuture;
use http::header::{ACCEPT_LANGUAGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use model::{AccountId, Platform, Slug};
use platform_frontstage::{Code, MAX_BODY, WireError};
use uuid::Uuid;
use website::body::FieldError;
use website::clock::BrowserClock;
use website::cookie::{TOKEN_HEADER, TrackingId, recognise};
use website::cors::Header;
use wire::client_address::client_address;
use wire::{RawRequest, Reply};

use crate::problem::Problem;
use crate::site::Site;
use crate::{Ctx, render};

/// A route: where it lies, and what it does.
pub(crate) struct Route {
    /// Whether the browser writes (POST) or reads (GET, HEAD).
    pub(crate) is_write: bool,
    /// The segments after `~`; `*` is any.
    pub(crate) path: &'static [&'static str],
    /// What it does.
    pub(crate) run: for<'a> fn(&'a Call<'a>) -> BoxFuture<'a, Result<Reply, Problem>>,
}

/// A call of a browser that is known.
pub(crate) struct Call<'a> {
    pub(crate) ctx: &'a Ctx,
    pub(crate) site: Arc<Site>,
    pub(crate) request: &'a RawRequest,
    /// The segment of the path that may be any.
    pub(crate) name: &'a str,
    pub(crate) visitor: TrackingId,
}

/// Serves a route.
pub(crate) async fn serve(ctx: &Ctx, route: &Route, request: &RawRequest) -> Result<Reply, AppError> {
    let Some((gateway, name)) = target(request, route.path) else {
        return Ok(WireError::new(Code::UnknownGateway, "no such gateway").to_reply(&request.request_id));
    };
    let site = ctx.sites.site(&ctx.roster, &AccountId::new(Platform::Frontstage, gateway)).await?;
    let origin = header(request, ORIGIN);
    if request.method == Method::OPTIONS {
        return Ok(with(Reply::empty(StatusCode::NO_CONTENT), &site.settings.origins.preflight_headers(origin)));
    }
    let token = request.header(TOKEN_HEADER);
    let visitor = recognise(&site.keys, header(request, COOKIE), token, random(ctx)).id;
    let call = Call { ctx, site, request, name, visitor };
    let reply = match call.admit(route) {
        Ok(()) => (route.run)(&call).await,
        Err(problem) => Err(problem),
    };
    Ok(call.finish(reply.unwrap_or_else(|problem| call.refused(&problem, route))))
}

/// The gateway in the path, and the segment that may be any. `None` if it is another route's.
fn target<'a>(request: &'a RawRequest, path: &[&str]) -> Option<(Slug, &'a str)> {
    let segments = request.segments();
    let ["v1", "frontstage", gateway, "web", rest @ ..] = segments.as_slice() else { return None };
    if rest.len() != path.len() {
        return None;
    }
    let mut name = "";
    for (segment, wanted) in rest.iter().zip(path) {
        match *wanted {
            "*" => name = segment,
            wanted if wanted == *segment => {}
            _ => return None,
        }
    }
    Some((gateway.parse().ok()?, name))
}

/// A header by its name, if it is there once and is text.
fn header(request: &RawRequest, name: HeaderName) -> Option<&str> {
    request.header(name.as_str())
}

fn random(ctx: &Ctx) -> [u8; 16] {
    let mut bytes = [0; 16];
    // Thirty-two hex digits by the port's word; less would only be less random.
    let _ = hex::decode_to_slice(ctx.dice.token(), &mut bytes);
    bytes
}

fn with(mut reply: Reply, headers: &[Header]) -> Reply {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            // Appended: what an answer varies by may be said already.
            reply.headers.append(*name, value);
        }
    }
    reply
}

impl<'a> Call<'a> {
    fn admit(&self, route: &Route) -> Result<(), Problem> {
        let Self { request, site, .. } = self;
        let is_right = match request.method {
            Method::POST => route.is_write,
            Method::GET | Method::HEAD => !route.is_write,
            _ => false,
        };
        if !is_right {
            return Err(WireError::new(Code::MethodNotAllowed, "another method").into());
        }
        if request.body.len() > MAX_BODY {
            return Err(AppError::TooLarge { limit: MAX_BODY }.into());
        }
        if route.is_write {
            site.settings.origins.check_write(header(request, ORIGIN), header(request, CONTENT_TYPE))?;
        }
        Ok(())
    }

    fn refused(&self, problem: &Problem, route: &Route) -> Reply {
        let id = &self.request.request_id;
        match problem {
            Problem::Call(error) => {
                let reply = error.to_reply(id);
                let allow = if route.is_write { "POST, OPTIONS" } else { "GET, HEAD, OPTIONS" };
                let is_method = error.code == Code::MethodNotAllowed;
                if is_method { reply.with_header(ALLOW, HeaderValue::from_static(allow)) } else { reply }
            }
            Problem::Ours(error) => {
                // The edge would log it, were it not answered here: a page can read an error only with our headers.
                let reply = render(error, id);
                let account = &self.site.account.id;
                let source = std::error::Error::source(error).map(ToString::to_string);
                if reply.status.is_server_error() {
                    tracing::error!(account.id = %account, source, "call of a browser of {account} failed: {error}");
                } else {
                    tracing::warn!(account.id = %account, source, "call of a browser of {account} refused: {error}");
                }
                reply
            }
        }
    }

    /// Cookie, token and what the page's browser has to be told, on every answer (8.4).
    fn finish(&self, reply: Reply) -> Reply {
        let Self { site, visitor, .. } = self;
        let mut reply = with(reply, &site.settings.origins.headers(self.header(ORIGIN)));
        reply.headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        let own = [(SET_COOKIE.as_str(), site.keys.set_cookie(*visitor)), (TOKEN_HEADER, site.keys.value(*visitor))];
        for (name, value) in own {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
                reply.headers.insert(name, value);
            }
        }
        if let Some(clock) = self.told_clock().and_then(|clock| HeaderValue::from_str(&clock.set_cookie()).ok()) {
            reply.headers.append(SET_COOKIE, clock);
        }
        if self.request.method == Method::HEAD {
            reply.body.clear();
        }
        reply
    }

    /// A header, if it is there once and is text.
    pub(crate) fn header(&self, name: HeaderName) -> Option<&'a str> {
        header(self.request, name)
    }

    /// The first value of a name in the query, decoded.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.request.query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    fn told_clock(&self) -> Option<BrowserClock> {
        let (time, offset) = (self.query("RegionalTime"), self.query("TimeZoneOffset"));
        BrowserClock::told(time.as_deref(), offset.as_deref(), self.ctx.chats.clock.now())
    }

    /// The browser's clock, as this call tells it or an earlier one did.
    pub(crate) fn browser_clock(&self) -> Option<BrowserClock> {
        self.told_clock().or_else(|| BrowserClock::remembered(self.header(COOKIE)))
    }

    /// The counter after which sentences are asked for; none is from the beginning.
    pub(crate) fn after(&self) -> Result<Option<u64>, Problem> {
        match self.query("After").filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => Ok(Some(text.parse().map_err(|_| FieldError::new("After", "is not a counter"))?)),
        }
    }

    /// Where the visitor is, as far as it can be known.
    pub(crate) fn client(&self) -> Option<IpAddr> {
        let forwarded = self.request.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let forwarded = forwarded.collect::<Vec<_>>().join(",");
        let source = self.request.source_ip.as_deref()?;
        client_address(source, Some(&forwarded), &self.site.settings.trusted_proxies)
    }

    /// The language that the browser likes best.
    pub(crate) fn language(&self) -> Option<String> {
        let entries = self.header(ACCEPT_LANGUAGE)?.split(',').filter_map(|entry| {
            let (language, parameters) = entry.split_once(';').unwrap_or((entry, ""));
            let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |weight| weight.parse::<f32>().ok())?;
            let language = language.trim();
            // Longer ones are no culture (4.2).
            let is_language = (1..=16).contains(&language.len()) && language != "*" && weight > 0.0;
            is_language.then_some((language, weight))
        });
        // Of equally liked ones the first.
        let best = entries.reduce(|best, other| if other.1 > best.1 { other } else { best });
        best.map(|(language, _)| language.to_owned())
    }

    /// A new id for what the browser gave none.
    pub(crate) fn fresh_id(&self) -> Uuid {
        uuid::Builder::from_random_bytes(random(self.ctx)).into_uuid()
    }

    /// The visitor's thread.
    pub(crate) fn tracking(&self) -> Result<chat::TrackingId, Problem> {
        let tracking = self.visitor.to_string().try_into();
        tracking.map_err(|_| AppError::Internal("a tracking id that is no name").into())
    }

    /// Lets the visitor do something.
    pub(crate) async fn happen(&self, act: VisitorAct) -> Result<Handled, Problem> {
        let asking = Asking::default();
        match visitor_event(&self.ctx.chats, &self.site.account, &self.tracking()?, act, &asking).await? {
            ChatOutcome::Done(handled) => Ok(handled),
            ChatOutcome::Replayed | ChatOutcome::IdReused => Err(AppError::Internal("a guard that nobody set").into()),
        }
    }
}
