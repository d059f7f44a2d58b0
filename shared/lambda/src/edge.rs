//! From the runtime's event loop to a handler and back.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use app::AppError;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use http::StatusCode;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use tracing::{error, info, warn};
use wire::{RawRequest, Reply};

use crate::gateway;

/// What ends a function's process.
pub type Error = lambda_runtime::Error;

/// A route's handler.
pub type HttpHandler = dyn Fn(RawRequest) -> BoxFuture<'static, Result<Reply, AppError>> + Send + Sync;

/// A handler that is invoked directly, with JSON in and JSON out.
pub type InvokeHandler = dyn Fn(Value) -> BoxFuture<'static, Result<Value, AppError>> + Send + Sync;

/// Runs a function's process to its end, on one thread: a sandbox handles one event at a time.
///
/// # Errors
/// What `main` returned.
pub fn block_on(main: Pin<Box<dyn Future<Output = Result<(), Error>>>>) -> Result<(), Error> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(main)
}

/// Serves an HTTP route. `render` is the platform's way to say what went wrong.
pub fn serve_http<F, Fut>(handler: F, render: fn(&AppError, &str) -> Reply) -> LocalBoxFuture<'static, Result<(), Error>>
where
    F: Fn(RawRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Reply, AppError>> + Send + 'static,
{
    serve_http_erased(Arc::new(move |request| handler(request).boxed()), render)
}

fn serve_http_erased(
    handler: Arc<HttpHandler>,
    render: fn(&AppError, &str) -> Reply,
) -> LocalBoxFuture<'static, Result<(), Error>> {
    Box::pin(async move {
        lambda_runtime::run(service_fn(move |event: LambdaEvent<ApiGatewayV2httpRequest>| {
            let handler = handler.clone();
            async move { Ok::<_, Error>(answer(&*handler, render, event.payload, &event.context.request_id).await) }
        }))
        .await
    })
}

/// Answers one gateway event, as [`serve_http`] does for each, and logs it: one line, without path, query, headers or
/// body. `invocation` is the Lambda service's id of it.
pub async fn answer(
    handler: &HttpHandler,
    render: fn(&AppError, &str) -> Reply,
    event: ApiGatewayV2httpRequest,
    invocation: &str,
) -> ApiGatewayV2httpResponse {
    let started = Instant::now();
    let Ok(request) = gateway::request(event) else {
        return gateway::response(Reply::empty(StatusCode::BAD_REQUEST));
    };
    let (method, request_id, body_bytes) = (request.method.clone(), request.request_id.clone(), request.body.len());
    let result = std::panic::AssertUnwindSafe(handler(request)).catch_unwind().await;
    let result = result.unwrap_or(Err(AppError::Internal("handler panicked")));
    let reply = match &result {
        Ok(reply) => reply.clone(),
        Err(error) => render(error, &request_id),
    };
    let status = reply.status.as_u16();
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match result {
        Ok(_) => {
            info!(http.method = %method, http.status_code = status, duration_ms, body_bytes, aws.request_id = %invocation, request_id, "{method} answered {status}");
        }
        Err(cause) if status >= 500 => {
            let source = std::error::Error::source(&cause).map(ToString::to_string);
            error!(http.method = %method, http.status_code = status, duration_ms, body_bytes, aws.request_id = %invocation, request_id, source, "{method} answered {status}: {cause}");
        }
        Err(cause) => {
            warn!(http.method = %method, http.status_code = status, duration_ms, body_bytes, aws.request_id = %invocation, request_id, "{method} answered {status}: {cause}");
        }
    }
    gateway::response(reply)
}

/// Serves direct invocations: the operator's functions and the schedule.
pub fn serve_invoke<F, Fut>(handler: F) -> LocalBoxFuture<'static, Result<(), Error>>
where
    F: Fn(Value) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, AppError>> + Send + 'static,
{
    serve_invoke_erased(Arc::new(move |event| handler(event).boxed()))
}

fn serve_invoke_erased(handler: Arc<InvokeHandler>) -> LocalBoxFuture<'static, Result<(), Error>> {
    Box::pin(async move {
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
            let handler = handler.clone();
            async move {
                let invocation = event.context.request_id;
                let result = handler(event.payload).await;
                if let Err(cause) = &result {
                    let source = std::error::Error::source(cause).map(ToString::to_string);
                    error!(aws.request_id = %invocation, source, "invocation failed: {cause}");
                }
                result.map_err(|cause| Error::from(cause.to_string()))
            }
        }))
        .await
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(error: &AppError, request_id: &str) -> Reply {
        Reply::json(StatusCode::IM_A_TEAPOT, &json!({"error": error.to_string(), "request": request_id}))
    }

    async fn answered(handler: &HttpHandler, event: Value) -> (i64, Value) {
        let response = answer(handler, render, serde_json::from_value(event).unwrap(), "i-1").await;
        let response = serde_json::to_value(response).unwrap();
        let body = response["body"].as_str().map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
        (response["statusCode"].as_i64().unwrap(), body)
    }

    fn event(body: &str, is_base64: bool) -> Value {
        json!({"version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "", "headers": {},
               "requestContext": {"http": {"method": "POST", "path": "/"}, "requestId": "r-1"},
               "body": body, "isBase64Encoded": is_base64})
    }

    #[tokio::test]
    async fn handler_that_panics_is_answered_as_an_internal_error() {
        let handler: Box<HttpHandler> = Box::new(|_| async { std::panic::resume_unwind(Box::new("panics on purpose")) }.boxed());
        let expected = json!({"error": "internal error: handler panicked", "request": "r-1"});
        assert_eq!(answered(&*handler, event("{}", false)).await, (418, expected));
    }

    #[tokio::test]
    async fn body_that_is_no_base64_never_reaches_the_handler() {
        let handler: Box<HttpHandler> = Box::new(|_| panic!("reached"));
        assert_eq!(answered(&*handler, event("a%", true)).await, (400, Value::Null));
    }
}
