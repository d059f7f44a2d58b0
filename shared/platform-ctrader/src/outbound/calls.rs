//! The calls of sections 4 (O1, O4) and 9 as they go over the wire.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use model::EpochMillis;
use serde_json::{Value, json};
use url::Url;
use wire::signature::of_our_call;
use wire::{HttpCall, Job, Secret};

use crate::identity::Backend;
use crate::redeem::{call, log_in};
use crate::{Secrets, hashed};

/// Bound on one call.
const TIMEOUT: Duration = Duration::from_secs(8);

/// Where the broker's CRM hears of results.
pub(super) struct Webhook<'a> {
    url: Url,
    secret: &'a str,
}

impl<'a> Webhook<'a> {
    /// `None` where the brand names no URL.
    pub(super) fn of(job: &'a Job) -> Result<Option<Self>, &'static str> {
        let Some(url) = text(&job.account.settings, "crm_webhook_url").and_then(|url| Url::parse(url).ok()) else {
            return Ok(None);
        };
        let secret = text(&job.secrets, "webhook_secret").ok_or("the secret webhook_secret is missing")?;
        Ok(Some(Self { url, secret }))
    }

    /// `POST`, signed over the time and the body: `HMAC-SHA256(secret, "<seconds>.<body>")`.
    pub(super) fn call(&self, job: &Job, result: &str, now: EpochMillis) -> HttpCall {
        // What was stored is told as it is. It is ours, so it is JSON.
        let said = serde_json::from_str(&job.message.content.text).unwrap_or_else(|_| json!(job.message.content.text));
        let plain = |name: &str| job.message.details.plain.get(name);
        let body = json!({
            "event": "action.result",
            "messageId": job.message.id.to_string(),
            "resultId": result,
            "brand": job.account.id.to_string(),
            "action": plain("action"),
            "status": plain("status"),
            "userId": job.message.memo.get("user").and_then(|user| user.parse::<i64>().ok()),
            "result": said,
        })
        .to_string();
        let time = now.seconds().to_string();
        let mut call = call(Method::POST, self.url.clone(), None, TIMEOUT);
        let headers = &mut call.headers;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        set(headers, "x-deskbridge-timestamp", &time);
        set(headers, "x-deskbridge-signature", &format!("v1={}", of_our_call(self.secret, &time, &body)));
        set(headers, "idempotency-key", result);
        call.body = body.into();
        call
    }
}

/// A brand's manager at cTrader.
pub(super) struct Manager<'a> {
    backend: Backend,
    brand: &'a str,
    hashed_password: Secret,
}

impl<'a> Manager<'a> {
    /// The error names what is missing.
    pub(super) fn of(job: &'a Job) -> Result<Self, &'static str> {
        let settings = &job.account.settings;
        // What is wrong was refused when it was configured.
        let backend = Backend::of_settings(settings).map_err(|_| "settings of the backend cannot be read")?;
        let password = Secrets::manager_of(&job.secrets).map_err(|_| "the secret manager_password cannot be read")?;
        let has_base = text(settings, "ctrader_base_url").is_some();
        let missing = if has_base { "manager_login is missing" } else { "ctrader_base_url is missing" };
        Ok(Self {
            backend: backend.ok_or(missing)?,
            brand: text(settings, "broker_crm_name").ok_or("broker_crm_name is missing")?,
            hashed_password: password.ok_or("the secret manager_password is missing")?,
        })
    }

    /// The same for all whose tokens are the same. Holds no secret.
    pub(super) fn key(&self) -> String {
        hashed(&format!("{}\n{}", self.backend.name(), self.hashed_password.expose()))
    }

    /// O1.
    pub(super) fn login(&self) -> HttpCall {
        log_in(&self.backend, &self.hashed_password, TIMEOUT)
    }

    /// O4.
    pub(super) fn ribbon(&self, job: &Job, token: &Secret, rules: &Value) -> HttpCall {
        let user = job.message.memo.get("user").and_then(|user| user.parse::<i64>().ok());
        let body = json!({"brokerCrmName": self.brand, "userId": user, "rules": rules});
        let mut url = self.backend.ctid("/oauth2/ctid/inAppControls");
        url.query_pairs_mut().append_pair("token", token.expose());
        call(Method::PUT, url, Some(&body), TIMEOUT)
    }
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
