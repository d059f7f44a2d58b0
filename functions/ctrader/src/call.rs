//! What the calls of screens have in common: who calls, what they say, and how they are answered.

use std::sync::Arc;

use app::AppError;
use futures_util::future::BoxFuture;
use http::header::{ALLOW, CACHE_CONTROL};
use http::{HeaderValue, Method, StatusCode};
use ports::{Record, RecordChange, RecordKey};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wire::{RawRequest, Reply};

use crate::{Code, Ctx, Problem};

/// The longest body of a call.
const MAX_BODY: usize = 256 * 1024;

/// The path of the API.
const ROOT: [&str; 2] = ["inapp", "api"];

/// One of the things that a path can be asked to do.
pub(crate) struct Operation<C> {
    pub(crate) method: Method,
    /// The path below `/inapp/api/`; `*` is any one segment.
    pub(crate) path: &'static [&'static str],
    pub(crate) run: Run<C>,
}

/// How an operation is done, given the segments that stand for `*`.
type Run<C> = for<'a> fn(&'a C, &'a RawRequest, &'a [&'a str]) -> Answering<'a>;

type Answering<'a> = BoxFuture<'a, Result<Reply, Problem>>;

/// Serves the operation that method and path name, given the segments that stand for `*`. Nothing of it may be kept by caches.
pub(crate) async fn serve<C>(ctx: Arc<C>, operations: &[Operation<C>], request: &RawRequest) -> Result<Reply, AppError> {
    let segments = request.segments();
    let (root, path) = segments.split_at(ROOT.len().min(segments.len()));
    let fits = |operation: &&Operation<C>| {
        let mut pairs = operation.path.iter().zip(path);
        root == ROOT && operation.path.len() == path.len() && pairs.all(|(wanted, given)| *wanted == "*" || wanted == given)
    };
    let methods: Vec<_> = operations.iter().filter(fits).collect();
    let Some(operation) = methods.iter().find(|operation| operation.method == request.method) else {
        if methods.is_empty() {
            return Ok(Problem::not_found().to_reply(&request.request_id));
        }
        let reply = Problem::refused(Code::MethodNotAllowed).to_reply(&request.request_id);
        let allowed: Vec<_> = methods.iter().map(|operation| operation.method.as_str()).collect();
        let allowed = HeaderValue::from_str(&allowed.join(", ")).map_err(|_| AppError::Internal("a method with a line break"))?;
        return Ok(reply.with_header(ALLOW, allowed));
    };
    let named: Vec<_> = operation.path.iter().zip(path).filter(|(wanted, _)| **wanted == "*").map(|(_, given)| *given).collect();
    let reply = (operation.run)(&ctx, request, &named).await.unwrap_or_else(|problem| problem.to_reply(&request.request_id));
    Ok(reply.with_header(CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

/// Done.
pub(crate) fn ok(body: &Value) -> Reply {
    Reply::json(StatusCode::OK, body)
}

/// The body of a call. An empty one is an object without members.
pub(crate) fn body<T: DeserializeOwned>(request: &RawRequest) -> Result<T, Problem> {
    if request.body.len() > MAX_BODY {
        return Err(Problem::refused(Code::TooLarge));
    }
    let body: &[u8] = if request.body.is_empty() { b"{}" } else { &request.body };
    // serde's own text could repeat what a person wrote.
    serde_json::from_slice(body).map_err(|_| Problem::invalid("body"))
}

/// A record of the type, if there is one that has not ended, and the `rev` to change it with.
pub(crate) async fn read<T: DeserializeOwned>(ctx: &Ctx, key: &RecordKey) -> Result<(Option<T>, u64), Problem> {
    opened(ctx, ctx.records.record(key).await?)
}

/// The same of a record that was read.
pub(crate) fn opened<T: DeserializeOwned>(ctx: &Ctx, record: Option<Record>) -> Result<(Option<T>, u64), Problem> {
    let Some(record) = record else { return Ok((None, 0)) };
    if record.ends_at.is_some_and(|end| end <= ctx.clock.now()) {
        return Ok((None, record.rev));
    }
    let value = serde_json::from_str(&record.body).map_err(|_| AppError::Internal("a stored record cannot be read"))?;
    Ok((Some(value), record.rev))
}

/// A change of a record that is kept for as long as the brand keeps what was said.
pub(crate) fn change(ctx: &Ctx, key: RecordKey, rev: u64, value: &impl Serialize) -> Result<RecordChange, Problem> {
    let body = serde_json::to_string(value).map_err(|_| AppError::Internal("a record that cannot be written"))?;
    Ok(RecordChange { key, rev, body, ends_at: Some(ctx.clock.now().plus(ctx.kept)) })
}
