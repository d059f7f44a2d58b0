//! Gateway events and plain requests: payload format 2.0 of the HTTP API, which function URLs use too.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
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
    let mut headers = event.headers;
    // This payload format takes cookies out of the headers.
    if let Some(cookies) = event.cookies.filter(|cookies| !cookies.is_empty())
        && let Ok(cookies) = HeaderValue::from_str(&cookies.join("; "))
    {
        headers.insert(COOKIE, cookies);
    }
    Ok(RawRequest {
        method: event.request_context.http.method,
        path: event.raw_path.or(event.request_context.http.path).unwrap_or_else(|| "/".to_owned()),
        query: event.raw_query_string.unwrap_or_default(),
        headers,
        body,
        request_id: event.request_context.request_id.unwrap_or_default(),
        source_ip: event.request_context.http.source_ip,
    })
}

/// The reply as the gateway takes it. Bodies are JSON text; anything else is sent as base64.
pub(crate) fn response(reply: Reply) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = i64::from(reply.status.as_u16());
    let is_text = is_text(&reply.headers);
    response.headers = reply.headers;
    // As with the request: the gateway sets cookies from a list of their own.
    let cookies = response.headers.get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok().map(str::to_owned));
    response.cookies = cookies.collect();
    response.headers.remove(SET_COOKIE);
    if !reply.body.is_empty() {
        match std::str::from_utf8(&reply.body) {
            Ok(text) if is_text => response.body = Some(Body::Text(text.to_owned())),
            Ok(_) | Err(_) => {
                response.body = Some(Body::Text(STANDARD.encode(&reply.body)));
                response.is_base64_encoded = true;
            }
        }
    }
    response
}

/// Whether the body is meant as text. Another kind may happen to be UTF-8, and must arrive as it is all the same.
fn is_text(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|kind| {
        let kind = kind.as_bytes();
        kind.starts_with(b"application/json") || kind.starts_with(b"text/")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(body: &str, is_base64: bool) -> ApiGatewayV2httpRequest {
        serde_json::from_value(json!({
            "version": "2.0", "routeKey": "ANY /x", "rawPath": "/v1/frontstage/gw%2Da/messages", "rawQueryString": "a=%2F&b",
            "headers": {"x-fs-key": "k1"}, "requestContext": {"http": {"method": "POST", "path": "/decoded", "sourceIp": "203.0.113.7"}, "requestId": "r-1"},
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
        assert_eq!((request.header("cookie"), request.source_ip.as_deref()), (None, Some("203.0.113.7")));
    }

    #[test]
    fn cookies_come_as_one_header_and_leave_as_a_list() {
        let mut event = event("", false);
        event.cookies = Some(vec!["a=1".to_owned(), "b=2".to_owned()]);
        assert_eq!(request(event).unwrap().header("cookie"), Some("a=1; b=2"));

        let reply = Reply::empty(http::StatusCode::NO_CONTENT).with_header(SET_COOKIE, HeaderValue::from_static("a=1; Path=/"));
        let response = response(reply);
        assert_eq!((response.cookies, response.headers.get(SET_COOKIE)), (vec!["a=1; Path=/".to_owned()], None));
    }

    #[test]
    fn base64_body_is_undone() {
        assert_eq!(&request(event("aGk=", true)).unwrap().body[..], b"hi");
        assert_eq!(request(event("a%", true)).err(), Some(BadBase64));
    }

    #[test]
    fn what_is_no_text_is_base64_even_where_its_bytes_would_be_one() {
        for (kind, body, sent, is_base64) in [
            ("application/vnd.msgpack", &b"hi"[..], "aGk=", true),
            ("application/json", b"hi", "hi", false),
            ("text/plain; charset=utf-8", b"hi", "hi", false),
            ("application/json", b"\xc0", "wA==", true),
        ] {
            let reply = Reply { status: http::StatusCode::OK, headers: HeaderMap::new(), body: Bytes::from_static(body) };
            let response = response(reply.with_header(CONTENT_TYPE, http::HeaderValue::from_static(kind)));
            assert_eq!((response.body, response.is_base64_encoded), (Some(Body::Text(sent.to_owned())), is_base64), "{kind}");
        }
    }

    #[test]
    fn reply_without_body_has_none() {
        let response = response(Reply::empty(http::StatusCode::NO_CONTENT));
        assert_eq!((response.status_code, response.body), (204, None));
    }
}
