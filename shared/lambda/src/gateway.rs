//! Gateway events and plain requests: payload format 2.0 of the HTTP API, which function URLs use too.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use wire::{RawRequest, Reply};

/// The body is said to be base64 and is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadBase64;

/// The request as its sender wrote it.
pub(crate) fn request(event: ApiGatewayV2httpRequest) -> Result<RawRequest, BadBase64> {
    let body = match event.body {
        None => Bytes::new(),
        Some(text) if event.is_base64_encoded => STANDARD.decode(text).map_err(|_| BadBase64)?.into(),
        Some(text) => Bytes::from(text),
    };
    Ok(RawRequest {
        method: event.request_context.http.method,
        path: event.raw_path.or(event.request_context.http.path).unwrap_or_else(|| "/".to_owned()),
        query: event.raw_query_string.unwrap_or_default(),
        headers: event.headers,
        body,
        request_id: event.request_context.request_id.unwrap_or_default(),
    })
}

/// The reply as the gateway takes it. Bodies are JSON text; anything else is sent as base64.
pub(crate) fn response(reply: Reply) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = i64::from(reply.status.as_u16());
    response.headers = reply.headers;
    if !reply.body.is_empty() {
        match String::from_utf8(reply.body.into()) {
            Ok(text) => response.body = Some(Body::Text(text)),
            Err(bytes) => {
                response.body = Some(Body::Text(STANDARD.encode(bytes.as_bytes())));
                response.is_base64_encoded = true;
            }
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(body: &str, is_base64: bool) -> ApiGatewayV2httpRequest {
        serde_json::from_value(json!({
            "version": "2.0", "routeKey": "ANY /x", "rawPath": "/v1/frontstage/gw%2Da/messages", "rawQueryString": "a=%2F&b",
            "headers": {"x-fs-key": "k1"}, "requestContext": {"http": {"method": "POST", "path": "/decoded"}, "requestId": "r-1"},
            "body": body, "isBase64Encoded": is_base64
        }))
        .unwrap()
    }

    #[test]
    fn path_query_and_body_stay_as_sent() {
        let request = request(event("aGk=", false)).unwrap();
        assert_eq!(request.method, "POST");
        assert_eq!(request.path, "/v1/frontstage/gw%2Da/messages");
        assert_eq!(request.query, "a=%2F&b");
        assert_eq!(request.header("x-fs-key"), Some("k1"));
        assert_eq!(&request.body[..], b"aGk=");
        assert_eq!(request.request_id, "r-1");
    }

    #[test]
    fn base64_body_is_undone() {
        assert_eq!(&request(event("aGk=", true)).unwrap().body[..], b"hi");
        assert_eq!(request(event("a%", true)).err(), Some(BadBase64));
    }

    #[test]
    fn reply_without_body_has_none() {
        let response = response(Reply::empty(http::StatusCode::NO_CONTENT));
        assert_eq!((response.status_code, response.body), (204, None));
    }
}
