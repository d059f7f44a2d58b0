//! `GET ~/scripts/{webapp}.js` and `.css`: the widget (8.1). A page's browser asks for it before anything else, and so gets
//! its cookie.

use app::AppError;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use website::poll::is_not_modified;
use wire::{RawRequest, Reply};

use crate::Ctx;
use crate::call::{Call, Route, serve};
use crate::problem::Problem;

/// A file of the widget.
struct File {
    name: &'static str,
    media_type: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
    tag: &'static str,
}

const FILES: [File; 2] = [
    File {
        name: "webchat.js",
        media_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("../../../web/widget/webchat.js"),
        gzip: include_bytes!(concat!(env!("OUT_DIR"), "/webchat.js.gz")),
        tag: include_str!(concat!(env!("OUT_DIR"), "/webchat.js.tag")),
    },
    File {
        name: "webchat.css",
        media_type: "text/css; charset=utf-8",
        plain: include_bytes!("../../../web/widget/webchat.css"),
        gzip: include_bytes!(concat!(env!("OUT_DIR"), "/webchat.css.gz")),
        tag: include_str!(concat!(env!("OUT_DIR"), "/webchat.css.tag")),
    },
];

const ROUTE: Route = Route { is_write: false, path: &["scripts", "*"], run };

/// Serves the widget.
///
/// # Errors
/// [`AppError`] where no web site is known.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    serve(&ctx, &ROUTE, &request).await
}

fn run<'a>(call: &'a Call<'a>) -> BoxFuture<'a, Result<Reply, Problem>> {
    async move { Ok(reply(call)) }.boxed()
}

fn reply(call: &Call<'_>) -> Reply {
    let Some(file) = FILES.iter().find(|file| file.name.eq_ignore_ascii_case(call.name)) else {
        return Reply::empty(StatusCode::NOT_FOUND);
    };
    let mut headers = HeaderMap::new();
    // Asked for each time, for the cookie's sake, and sent only when it is new. Not to be kept by anybody between us: it
    // comes with somebody's cookie.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(ETAG, HeaderValue::from_static(file.tag));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    let status = if is_not_modified(call.header(IF_NONE_MATCH), file.tag) { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut reply = Reply { headers, ..Reply::empty(status) };
    if status == StatusCode::OK {
        reply = reply.with_header(CONTENT_TYPE, HeaderValue::from_static(file.media_type));
        if call.request.takes_gzip() {
            reply = reply.with_header(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            reply.body = file.gzip.into();
        } else {
            reply.body = file.plain.into();
        }
    }
    reply
}
