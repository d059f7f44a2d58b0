//! vcita's generic webhooks (section 9.8), as far as they say that a business starts or stops with an app.

use serde_json::Value;
use wire::signature::{constant_time_eq, hmac_sha256};
use wire::{RawRequest, Verified};

use crate::webhook::{Body, routed};
use crate::{Credentials, Route, Secrets, WireError};

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// `application/installed` or `app_subscription/installed`: the business got the app. It connects when its staff open it.
    Installed,
    /// `application/uninstalled` or `app_subscription/uninstalled`.
    Uninstalled,
    /// `account/closed`.
    Closed,
    /// Any other.
    Other,
}

/// A generic event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformEvent {
    /// What it is about.
    pub kind: EventKind,
    /// The business, if it is named.
    pub business_uid: Option<String>,
    app_code_name: Option<String>,
    app_id: Option<String>,
}

impl PlatformEvent {
    /// Reads `POST /events`.
    ///
    /// # Errors
    /// [`WireError`] with the reply to give.
    pub fn parse(request: &Verified<RawRequest>) -> Result<Self, WireError> {
        let Route::Events = routed(request)? else { return Err(WireError::NoRoute) };
        let body = Body::read(request)?;
        let kind = match (body.text("entity_name")?, body.text("event_type")?) {
            ("application" | "app_subscription", "installed") => EventKind::Installed,
            ("application" | "app_subscription", "uninstalled") => EventKind::Uninstalled,
            ("account", "closed") => EventKind::Closed,
            _ => EventKind::Other,
        };
        let text = |name: &str| match &body.member("data")[name] {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        // Nobody documents what `account/closed` carries; both names of a business occur elsewhere.
        let business_uid = text("business_id").or_else(|| text("business_uid"));
        Ok(Self { kind, business_uid, app_code_name: text("app_code_name"), app_id: text("app_id") })
    }

    /// The business that stops with the app of these secrets, if the event says so. A token of a business or a directory
    /// subscribes to the events of all apps, so an event that names another app is not meant, nor one of an app's that names
    /// none.
    #[must_use]
    pub fn stopped(&self, app: &Secrets) -> Option<&str> {
        let is_same = |known: &Option<String>, named: &Option<String>| Some(known.as_ref()? == named.as_ref()?);
        let is_meant = match self.kind {
            EventKind::Closed => true,
            EventKind::Uninstalled => {
                let by_name = is_same(&app.app_code_name, &self.app_code_name);
                by_name.or_else(|| is_same(&app.app_id, &self.app_id)).unwrap_or(false)
            }
            EventKind::Installed | EventKind::Other => false,
        };
        self.business_uid.as_deref().filter(|_| is_meant)
    }
}

/// Whether `X-Vcita-Signature` is the HMAC of the body under the app's secret; `None` without the header. No source defines
/// it (section 11, row 1), so it is reported and never required.
#[must_use]
pub fn is_signed_by(request: &RawRequest, secrets: &Secrets) -> Option<bool> {
    let given = request.header("x-vcita-signature")?;
    let Credentials::Service { client_secret, .. } = &secrets.credentials else { return None };
    let expected = hex::encode(hmac_sha256(client_secret.expose().as_bytes(), &request.body));
    let given = given.strip_prefix("sha256=").unwrap_or_default();
    Some(constant_time_eq(given.to_ascii_lowercase().as_bytes(), expected.as_bytes()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};
    use serde_json::json;

    use super::*;

    fn request(signature: Option<&str>) -> RawRequest {
        let header = signature.map(|value| ("x-vcita-signature".parse().unwrap(), value.parse().unwrap()));
        RawRequest {
            method: Method::POST,
            path: "/vcita/demo/0123456789abcdef0123456789abcdef/events".to_owned(),
            query: String::new(),
            headers: HeaderMap::from_iter(header),
            body: Bytes::from_static(b"what do ya want for nothing?"),
            request_id: "r-1".to_owned(),
            source_ip: None,
        }
    }

    #[test]
    fn signature_is_compared_if_there_is_one() {
        let secrets = |credentials: Value| {
            let mut secrets = json!({"url_secrets": ["0123456789abcdef0123456789abcdef"]});
            secrets.as_object_mut().unwrap().extend(credentials.as_object().unwrap().clone());
            Secrets::from_value(&secrets).unwrap()
        };
        let app = secrets(json!({"client_id": "app", "client_secret": "Jefe"}));
        // RFC 4231, test case 2.
        let known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        for (signature, verdict) in [
            (Some(format!("sha256={known}")), Some(true)),
            (Some(format!("sha256={}", known.to_uppercase())), Some(true)),
            (Some(known.to_owned()), Some(false)),
            (Some(format!("sha1={known}")), Some(false)),
            (Some("sha256=".to_owned()), Some(false)),
            (None, None),
        ] {
            assert_eq!(is_signed_by(&request(signature.as_deref()), &app), verdict, "{signature:?}");
        }
        // Without the app's secret nobody can say.
        let token = secrets(json!({"token": "tok"}));
        assert_eq!(is_signed_by(&request(Some("sha256=00")), &token), None);
    }
}
