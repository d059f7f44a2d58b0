//! The functions with ports in memory.

use std::sync::Arc;

use http::HeaderValue;
use iadvize_functions::{Ctx, options, render};
use lambda::Roster;
use model::{Account, AccountId, Directory, Platform, Tenant};
use serde_json::{Value, json};
use testkit::{InMemorySecrets, InMemoryStore, ManualClock};
use wire::signature::hmac_sha256;
use wire::{RawRequest, Reply};

/// The token of the connector that is on the first site, and on the second while it is changed.
pub(crate) const TOKEN: &str = "9f4c1d7e2ab85c3360d1f0e4b7a96c21";

/// The token of the connector that is on the third site alone.
pub(crate) const OTHER_TOKEN: &str = "0f4c1d7e2ab85c3360d1f0e4b7a96c22";

/// What iAdvize is answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// Status and code of an error.
    pub(crate) fn row(&self) -> (u16, &str) {
        (self.status, self.body["error"]["code"].as_str().unwrap_or_default())
    }

    pub(crate) fn of(reply: &Reply) -> Self {
        let body = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
        Self { status: reply.status.as_u16(), headers: reply.headers.clone(), body }
    }
}

pub(crate) struct World {
    pub(crate) ctx: Ctx,
    pub(crate) secrets: Arc<InMemorySecrets>,
}

impl World {
    /// The sites `ha-4821` and `ha-4822` of one connector, and `sd-77` of another tenant's, the first with these settings.
    pub(crate) fn with(settings: &Value) -> Self {
        let clock = ManualClock::new();
        let secrets = Arc::new(InMemorySecrets::new());
        let site = |key: &str, tenant: &str, website: &str, tokens: &[&str]| {
            let id: AccountId = format!("iadvize/{key}").parse().unwrap();
            secrets.set(&id, json!({ "tokens": tokens }));
            let settings = json!({ "website": website });
            Account { id, tenant: tenant.parse().unwrap(), salt: format!("salt of {key}"), settings, installed: None }
        };
        let mut shop = site("shop", "demo", "ha-4821", &[TOKEN]);
        let second = site("shop-fr", "demo", "ha-4822", &["1f4c1d7e2ab85c3360d1f0e4b7a96c23", TOKEN]);
        let rival = site("rival", "rival", "sd-77", &[OTHER_TOKEN]);
        for (name, value) in settings.as_object().unwrap() {
            shop.settings[name] = value.clone();
        }
        let tenant = |id: &str| -> Tenant { serde_json::from_value(json!({"id": id, "routes": []})).unwrap() };
        let directory = Directory {
            accounts: [shop, second, rival].map(|account| (account.id.clone(), account)).into(),
            tenants: ["demo", "rival"].map(|id| (id.parse().unwrap(), tenant(id))).into(),
        };
        let store = Arc::new(InMemoryStore::with_directory(&directory));
        let roster = Roster::new(store, secrets.clone(), Arc::new(clock.clone()), vec![Platform::Iadvize]);
        let ctx = Ctx { roster: Arc::new(roster), clock: Arc::new(clock), function: "iadvize-test".to_owned() };
        Self { ctx, secrets }
    }

    pub(crate) async fn options(&self, request: RawRequest) -> Answer {
        let answer = options::handle(self.ctx.clone(), request).await;
        Answer::of(&answer.unwrap_or_else(|error| render(&error, "")))
    }
}

/// The request with the signature that this token gives it.
pub(crate) fn signed(mut request: RawRequest, token: &str) -> RawRequest {
    let is_read = matches!(request.method, http::Method::GET | http::Method::HEAD);
    let message = if is_read { request.query.as_bytes() } else { &request.body };
    let signature = format!("sha256={}", hex::encode(hmac_sha256(token.as_bytes(), message)));
    request.headers.insert("x-iadvize-signature", HeaderValue::from_str(&signature).unwrap());
    request
}
