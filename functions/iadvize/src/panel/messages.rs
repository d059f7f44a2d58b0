//! A3 `POST|OPTIONS /iadvize/panel/messages`: which words in messages are a product's (section 9.6).
//!
//! The call comes from the Desk in a browser and proves nothing, so the answer holds what the site shows in its shop anyway. Which
//! site it is about is in the address, as that is all that an operator types into the developer platform.

use std::sync::Arc;

use app::AppError;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
};
use http::{HeaderValue, Method, StatusCode};
use platform_iadvize::Website;
use platform_iadvize::panel::{MAX_MESSAGES_BODY, Mention, Panel, commands, read_messages, references};
use tracing::warn;
use url::form_urlencoded;
use wire::{RawRequest, Reply};

use super::Products;
use crate::call::among_sites;
use crate::problem::{answer, answered};
use crate::{Ctx, Found, Problem};

/// What the route needs.
#[derive(Clone)]
pub struct Messages {
    /// Sites.
    pub ctx: Ctx,
    /// The catalogue; without it only configured words are found.
    pub products: Option<Arc<dyn Products>>,
}

/// Answers with what is to be marked.
///
/// # Errors
/// [`AppError`] when accounts cannot be read.
pub async fn handle(messages: Messages, request: RawRequest) -> Result<Reply, AppError> {
    let site = match site(&messages.ctx, &request).await {
        Ok(site) => site,
        Err(problem) => return answered(Err(problem)).map(|reply| with_cors(reply, None)),
    };
    let origin = allowed(&site.1, &request);
    let reply = answered(run(&messages, &site, origin.is_some(), &request).await)?;
    Ok(with_cors(reply, origin))
}

async fn run(
    messages: &Messages,
    (found, panel): &(Arc<Found>, Panel),
    is_desk: bool,
    request: &RawRequest,
) -> Result<Reply, Problem> {
    match request.method {
        Method::OPTIONS => {
            let reply = Reply::empty(StatusCode::NO_CONTENT);
            return Ok(if is_desk { preflight(reply) } else { reply });
        }
        Method::POST => {}
        _ => return Err(Problem::Method("POST, OPTIONS")),
    }
    if !is_desk {
        return Err(Problem::Forbidden);
    }
    if request.body.len() > MAX_MESSAGES_BODY {
        return Err(Problem::TooLarge(MAX_MESSAGES_BODY));
    }
    let listed = read_messages(&request.body).map_err(|what| Problem::invalid("messages", what))?;
    let lang = &found.site.default_lang;
    let mut mentions: Vec<Mention> = panel.keywords.iter().flat_map(|keyword| Mention::of(keyword, lang)).collect();
    let asked = references(&listed);
    if let Some(products) = messages.products.as_deref().filter(|_| !asked.is_empty()) {
        match products.with_references(&found.account.id, &asked).await {
            Ok(products) => mentions.extend(products.into_iter().map(|product| Mention {
                words: product.reference,
                product: product.id,
                title: Some(product.title),
            })),
            // What is configured is told all the same: nobody is helped by a Desk without any.
            Err(error) => warn!(%error, "references could not be looked up"),
        }
    }
    Ok(answer(StatusCode::OK, &commands(&listed, &mentions)))
}

/// The site that the address names, or the only one that has a panel.
async fn site(ctx: &Ctx, request: &RawRequest) -> Result<(Arc<Found>, Panel), Problem> {
    let mut query = form_urlencoded::parse(request.query.as_bytes());
    let named = query.find(|(name, value)| name == "idWebsite" && !value.is_empty()).map(|(_, value)| value.into_owned());
    let website = named.as_deref().map(Website::parse);
    let fitting = |sites: &[Arc<Found>]| {
        let all = sites.iter().filter_map(|found| found.site.panel.clone().map(|panel| (found.clone(), panel)));
        let named = all.filter(|(found, _)| website.is_none_or(|website| website == Some(found.site.website)));
        Some(named.collect::<Vec<_>>()).filter(|fitting| !fitting.is_empty())
    };
    let mut fitting = among_sites(ctx, fitting).await?.0.into_iter().flatten();
    match (fitting.next(), fitting.next()) {
        (Some(site), None) => Ok(site),
        (Some(_), Some(_)) => Err(Problem::invalid("idWebsite", "is missing")),
        (None, _) => Err(Problem::NotFound("there is no such site")),
    }
}

/// The origin of the page that calls, if it is a Desk: as it is in the header.
fn allowed(panel: &Panel, request: &RawRequest) -> Option<HeaderValue> {
    let origin = request.header(ORIGIN.as_str())?;
    let is_listed = panel.desk_origins.iter().any(|desk| desk == origin);
    HeaderValue::from_str(origin).ok().filter(|_| is_listed)
}

fn with_cors(reply: Reply, origin: Option<HeaderValue>) -> Reply {
    let reply = reply.with_header(VARY, HeaderValue::from_static("Origin"));
    match origin {
        Some(origin) => reply.with_header(ACCESS_CONTROL_ALLOW_ORIGIN, origin),
        None => reply,
    }
}

fn preflight(reply: Reply) -> Reply {
    reply
        .with_header(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, OPTIONS"))
        .with_header(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Content-Type"))
        .with_header(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"))
}
