//! Sessions as VCS lists them (section 4, V4 and V5).

use bytes::Bytes;
use model::RemoteStatus;
use serde_json::Value;

use super::answer::Refusal;
use crate::{Reported, status};

/// The sessions in the answer to V5; a refusal (404: nothing there) and an unreadable body list none.
pub(super) fn list(answer: Result<Bytes, Refusal>) -> Vec<(String, RemoteStatus)> {
    let body: Value = answer.ok().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
    body["data"]["sessions"].as_array().map(|list| list.iter().filter_map(read).collect()).unwrap_or_default()
}

/// Id and status of a session. A status we do not know is one that has yet to become active.
pub(super) fn read(session: &Value) -> Option<(String, RemoteStatus)> {
    let id = session["uid"].as_str().filter(|uid| !uid.is_empty())?.to_owned();
    let status = match status::session(session["status"].as_str().unwrap_or_default()) {
        Reported::Known(status) => status,
        Reported::Other(_) => RemoteStatus::Pending,
    };
    Some((id, status))
}
