//! The calls of sections 2 and 4, each as it goes over the wire, all but the token.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use model::EpochMillis;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use url::Url;
use wire::HttpCall;

use super::contact::Detail;
use crate::Settings;

/// Bound on one whole call (section 10).
pub(super) const TIMEOUT: Duration = Duration::from_secs(8);

/// Bound on a call that is not worth waiting for (section 4, V10).
pub(super) const TYPING_TIMEOUT: Duration = Duration::from_secs(2);

/// Everything but the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// P8, find: contacts whose mail address or phone number is `detail`.
pub(super) fn find_contacts(settings: &Settings, detail: &Detail) -> HttpCall {
    let (by, term) = match detail {
        Detail::Email(email) => ("email", email),
        Detail::Phone(phone) => ("phone", phone),
    };
    let query = [("search_by", by), ("search_term", term), ("page", "1"), ("per_page", "25")];
    call(settings, Method::GET, "/platform/v1/clients", &query, None)
}

/// P8, create.
pub(super) fn create_contact(settings: &Settings, first_name: &str, detail: Option<&Detail>) -> HttpCall {
    let body = match detail {
        None => json!({"first_name": first_name}),
        Some(Detail::Email(email)) => json!({"first_name": first_name, "email": email}),
        Some(Detail::Phone(phone)) => json!({"first_name": first_name, "phone": phone}),
    };
    call(settings, Method::POST, "/platform/v1/clients", &[], Some(&body))
}

/// V4.
pub(super) fn create_session(settings: &Settings, contact: &str, external: &str) -> HttpCall {
    let body = json!({
        "business_uid": settings.business_uid,
        "channel_uid": settings.channel(),
        "contact_uid": contact,
        "external_uid": external,
    });
    call(settings, Method::POST, &format!("{}/sessions", settings.common_prefix), &[], Some(&body))
}

/// V5, narrowed to one contact, in both spellings of the query (section 12, row 10).
pub(super) fn find_sessions(settings: &Settings, contact: &str) -> HttpCall {
    let (channel, business) = (settings.channel(), settings.business_uid.as_str());
    let query = [
        ("channel_uid", channel),
        ("business_uid", business),
        ("contact_uid", contact),
        ("filter[channel_uid]", channel),
        ("filter[business_uid]", business),
        ("filter[contact_uid]", contact),
    ];
    call(settings, Method::GET, &format!("{}/sessions", settings.common_prefix), &query, None)
}

/// V6 `active`.
pub(super) fn activate_session(settings: &Settings, session: &str) -> HttpCall {
    let path = format!("{}/sessions/{}", settings.common_prefix, segment(session));
    call(settings, Method::PUT, &path, &[], Some(&json!({"status": "active"})))
}

/// What V8 injects.
pub(super) struct Injection<'a> {
    pub(super) external: &'a str,
    pub(super) message_uid: &'a str,
    pub(super) text: &'a str,
    pub(super) direction: &'static str,
    pub(super) written_at: EpochMillis,
}

/// V8.
pub(super) fn inject_message(settings: &Settings, message: &Injection<'_>) -> HttpCall {
    let mut body = json!({
        "channel_uid": settings.channel(),
        "external_uid": message.external,
        "message_uid": message.message_uid,
        "message": message.text,
        "direction": message.direction,
    });
    // UTC (section 13, row 10). A time that no calendar has is left out: VCS then takes its own.
    if let Ok(at) = jiff::Timestamp::from_millisecond(message.written_at.millis()) {
        body["created_at"] = Value::String(at.strftime("%Y-%m-%d %H:%M:%S").to_string());
    }
    call(settings, Method::POST, &format!("{}/messages", settings.common_prefix), &[], Some(&body))
}

/// V10.
pub(super) fn tell_typing(settings: &Settings, session: &str, is_typing: bool) -> HttpCall {
    let body = json!({"session_uid": session, "typing": is_typing});
    HttpCall { timeout: TYPING_TIMEOUT, ..call(settings, Method::POST, &settings.typing_path, &[], Some(&body)) }
}

/// V9. `None` if no path can carry the uid: `.` and `..` mean something else in one.
pub(super) fn report_status(settings: &Settings, message_uid: &str, status: &'static str) -> Option<HttpCall> {
    if matches!(message_uid, "" | "." | "..") {
        return None;
    }
    let path = format!("{}/messages/{}", settings.common_prefix, segment(message_uid));
    let body = json!({"status": status, "channel_uid": settings.channel()});
    Some(call(settings, Method::PUT, &path, &[], Some(&body)))
}

/// Where P5 is.
pub(super) const APP_TOKEN: &str = "/oauth/service/token";

/// P4.
pub(super) const GRANTED_TOKEN: &str = "/oauth/token";

/// P5.
pub(crate) fn app_token(settings: &Settings, client_id: &str, client_secret: &str) -> HttpCall {
    let body = json!({"service_id": client_id, "service_secret": client_secret});
    call(settings, Method::POST, APP_TOKEN, &[], Some(&body))
}

/// P4 with what an earlier answer brought (section 8.5 step 3a).
pub(super) fn refresh_token(settings: &Settings, client_id: &str, client_secret: &str, refresh: &str) -> HttpCall {
    let body = json!({
        "grant_type": "refresh_token",
        "refresh_token": refresh,
        "client_id": client_id,
        "client_secret": client_secret,
    });
    call(settings, Method::POST, GRANTED_TOKEN, &[], Some(&body))
}

/// An id as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn call(settings: &Settings, method: Method, path: &str, query: &[(&str, &str)], body: Option<&Value>) -> HttpCall {
    let mut url = settings.api(path);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    json_call(method, url, body)
}

/// A call with a JSON body, or none, and without a token.
pub(crate) fn json_call(method: Method, url: Url, body: Option<&Value>) -> HttpCall {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
    HttpCall { method, url, headers, body, timeout: TIMEOUT }
}
