//! `GET /inapp/api/certificate/{code}` and `GET /inapp/verify/{code}`: a certificate as a document, and whether it is genuine.
//!
//! Whoever has the code may see it: it has 128 random bits and stands on the document. One read of the table.

use std::sync::Arc;

use app::AppError;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use model::AccountId;
use platform_ctrader::{Certificate, hashed};
use ports::RecordKey;
use wire::{RawRequest, Reply};

use crate::call::read;
use crate::{Code, Ctx, Found, Problem, find_brand};

/// Where a certificate stands. The code itself is not stored.
pub(crate) fn key(account: &AccountId, hashed_code: &str) -> RecordKey {
    RecordKey { account: account.clone(), group: hashed_code.to_owned(), kind: "certificate", id: String::new() }
}

/// Serves the route.
///
/// # Errors
/// None that are not answered.
pub async fn handle(ctx: Arc<Ctx>, request: RawRequest) -> Result<Reply, AppError> {
    let result = match (&request.method, request.segments().as_slice()) {
        (&Method::GET | &Method::HEAD, ["inapp", "api", "certificate", code]) => document(&ctx, &request, code).await,
        (&Method::GET | &Method::HEAD, ["inapp", "verify", code]) => page(&ctx, &request, code).await,
        (_, ["inapp", "api", "certificate", _] | ["inapp", "verify", _]) => Err(Problem::refused(Code::MethodNotAllowed)),
        _ => Err(Problem::not_found()),
    };
    let reply = result.unwrap_or_else(|problem| problem.to_reply(&request.request_id));
    let reply = if reply.status == StatusCode::METHOD_NOT_ALLOWED {
        reply.with_header(http::header::ALLOW, HeaderValue::from_static("GET, HEAD"))
    } else {
        reply
    };
    Ok(reply
        .with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .with_header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .with_header(REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
        .with_header(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex")))
}

async fn find(ctx: &Ctx, request: &RawRequest, code: &str) -> Result<(Found, Option<Certificate>), Problem> {
    let found = find_brand(ctx, request).await?;
    let is_code = code.len() == 32 && code.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    // What cannot be a code is looked for, too: the same time, and the same answer.
    let key = key(&found.account.id, &hashed(code));
    let certificate = read::<Certificate>(ctx, &key).await?.0.filter(|_| is_code);
    Ok((found, certificate))
}

fn reply(status: StatusCode, media_type: &'static str, body: Vec<u8>) -> Reply {
    let headers: HeaderMap = [
        (CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'none'")),
    ]
    .into_iter()
    .collect();
    Reply { status, headers, body: body.into() }
}

async fn document(ctx: &Ctx, request: &RawRequest, code: &str) -> Result<Reply, Problem> {
    let (found, certificate) = find(ctx, request, code).await?;
    let certificate = certificate.ok_or(Problem::not_found())?;
    let address = format!("{}/inapp/verify/{code}", found.brand.public_base_url.as_str().trim_end_matches('/'));
    let attachment = HeaderValue::from_static("attachment; filename=\"certificate.pdf\"");
    let reply = reply(StatusCode::OK, "application/pdf", certificate.pdf(code, &address));
    Ok(reply.with_header(CONTENT_DISPOSITION, attachment))
}

async fn page(ctx: &Ctx, request: &RawRequest, code: &str) -> Result<Reply, Problem> {
    const HTML: &str = "text/html; charset=utf-8";
    let (_, certificate) = find(ctx, request, code).await?;
    Ok(match certificate {
        Some(certificate) => reply(StatusCode::OK, HTML, certificate.page(code).into_bytes()),
        None => reply(StatusCode::NOT_FOUND, HTML, Certificate::unknown_page().into_bytes()),
    })
}
