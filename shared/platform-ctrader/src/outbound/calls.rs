//! The calls of sections 4 (O1, O4) and 9 as they go over the wire.

use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use md5::{Digest, Md5};
use model::EpochMillis;
use serde_json::{Value, json};
use url::Url;
use wire::signature::hmac_sha256;
use wire::{HttpCall, Job};

use crate::hashed;

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
        let mut headers = json_headers();
        set(&mut headers, "x-deskbridge-timestamp", &time);
        set(&mut headers, "x-deskbridge-signature", &format!("v1={}", signature(self.secret, &time, &body)));
        set(&mut headers, "idempotency-key", result);
        HttpCall { method: Method::POST, url: self.url.clone(), headers, body: body.into(), timeout: TIMEOUT }
    }
}

/// The signature of a call to a CRM, in hexadecimal.
pub(super) fn signature(secret: &str, time: &str, body: &str) -> String {
    hex::encode(hmac_sha256(secret.as_bytes(), format!("{time}.{body}").as_bytes()))
}

/// A brand's manager at cTrader.
pub(super) struct Manager<'a> {
    base: Url,
    webserv: &'a str,
    ctid: &'a str,
    brand: &'a str,
    login: i64,
    /// MD5 of the password, which is as good as the password.
    hashed_password: String,
}

impl<'a> Manager<'a> {
    /// The error names what is missing.
    pub(super) fn of(job: &'a Job) -> Result<Self, &'static str> {
        let settings = &job.account.settings;
        let base = text(settings, "ctrader_base_url").and_then(|url| Url::parse(url).ok());
        Ok(Self {
            base: base.filter(|url| !url.cannot_be_a_base()).ok_or("ctrader_base_url is missing")?,
            webserv: text(settings, "webserv_base_path").unwrap_or("/v2"),
            ctid: text(settings, "ctid_base_path").unwrap_or("/cid"),
            brand: text(settings, "broker_crm_name").ok_or("broker_crm_name is missing")?,
            login: settings.get("manager_login").and_then(Value::as_i64).ok_or("manager_login is missing")?,
            hashed_password: match (text(&job.secrets, "manager_password"), text(&job.secrets, "manager_password_md5")) {
                (Some(password), _) => hex::encode(Md5::digest(password.as_bytes())),
                (None, Some(hashed)) => hashed.to_owned(),
                (None, None) => return Err("the secret manager_password is missing"),
            },
        })
    }

    /// The same for all whose tokens are the same. Holds no secret.
    pub(super) fn key(&self) -> String {
        hashed(&format!("{}\n{}\n{}", self.base, self.login, self.hashed_password))
    }

    /// O1.
    pub(super) fn login(&self) -> HttpCall {
        let body = json!({"login": self.login, "hashedPassword": self.hashed_password});
        self.call(Method::POST, &format!("{}/webserv/managers/token", self.webserv), None, &body)
    }

    /// O4.
    pub(super) fn ribbon(&self, job: &Job, token: &str, rules: &Value) -> HttpCall {
        let user = job.message.memo.get("user").and_then(|user| user.parse::<i64>().ok());
        let body = json!({"brokerCrmName": self.brand, "userId": user, "rules": rules});
        self.call(Method::PUT, &format!("{}/oauth2/ctid/inAppControls", self.ctid), Some(token), &body)
    }

    fn call(&self, method: Method, path: &str, token: Option<&str>, body: &Value) -> HttpCall {
        let mut url = self.base.clone();
        url.set_path(path);
        url.set_query(None);
        if let Some(token) = token {
            url.query_pairs_mut().append_pair("token", token);
        }
        HttpCall { method, url, headers: json_headers(), body: body.to_string().into(), timeout: TIMEOUT }
    }
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn json_headers() -> HeaderMap {
    let json = HeaderValue::from_static("application/json");
    [(CONTENT_TYPE, json.clone()), (ACCEPT, json)].into_iter().collect()
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
