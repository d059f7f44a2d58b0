//! The functions with ports in memory.

use std::sync::Arc;

use ctrader_functions::{Ctx, Session};
use http::Method;
use lambda::Roster;
use model::{Account, Directory, Platform, Tenant};
use platform_ctrader::Person;
use ports::Records as _;
use serde_json::{Map, Value, json};
use testkit::{FixedDice, InMemoryRecords, InMemorySecrets, InMemoryStore, ManualClock};
use wire::RawRequest;

/// A brand at this host, and another one.
pub(crate) const HOST: &str = "inapp.broker.example";
pub(crate) const OTHER_HOST: &str = "inapp.rival.example";

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) records: Arc<InMemoryRecords>,
    pub(crate) store: Arc<InMemoryStore>,
    pub(crate) ctx: Ctx,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_settings(&json!({})).await
    }

    /// With these settings of the first brand beside those that each has.
    pub(crate) async fn with_settings(own: &Value) -> Self {
        let clock = ManualClock::new();
        let records = Arc::new(InMemoryRecords::new());
        let tenant: Tenant = serde_json::from_value(json!({"id": "demo", "routes": []})).unwrap();
        let secrets = Arc::new(InMemorySecrets::new());
        let mut accounts = [("broker", HOST), ("rival", OTHER_HOST)].map(|(key, host)| Account {
            id: format!("ctrader/{key}").parse().unwrap(),
            tenant: "demo".parse().unwrap(),
            salt: format!("salt of {key}"),
            settings: json!({"public_base_url": format!("https://{host}/"), "success_url": format!("https://{host}/callback/success")}),
            installed: None,
        });
        for (name, value) in own.as_object().unwrap() {
            accounts[0].settings[name] = value.clone();
        }
        for account in &accounts {
            secrets.set(&account.id, json!({}));
        }
        let directory = Directory {
            accounts: accounts.map(|account| (account.id.clone(), account)).into(),
            tenants: [(tenant.id.clone(), tenant)].into(),
        };
        let store = Arc::new(InMemoryStore::with_directory(&directory));
        let roster = Roster::new(store.clone(), secrets, Arc::new(clock.clone()), vec![Platform::Ctrader]);
        let ctx = Ctx {
            records: records.clone(),
            roster: Arc::new(roster),
            clock: Arc::new(clock.clone()),
            dice: Arc::new(FixedDice::new(0)),
        };
        Self { clock, records, store, ctx }
    }

    /// A session of user 31550462 of the first brand: its token.
    pub(crate) async fn session(&self, screen: &str) -> String {
        let found = ctrader_functions::find_brand(&self.ctx, &request(HOST, None)).await.unwrap();
        let now = ports::Clock::now(&self.clock);
        let session = Session {
            person: Person::new(31_550_462),
            name: Some("Inés".to_owned()),
            trading_login: Some(5_207_718),
            lang: "en".to_owned(),
            screen: screen.to_owned(),
            params: Map::new(),
            opened_at: now,
            seen_at: now,
        };
        let (token, change) = ctrader_functions::open_session(&self.ctx, &found, &session).unwrap();
        self.records.keep_records(&[change]).await.unwrap();
        token
    }
}

/// A request for this host with this token.
pub(crate) fn request(host: &str, token: Option<&str>) -> RawRequest {
    let mut headers = http::HeaderMap::new();
    headers.insert("host", host.parse().unwrap());
    if let Some(token) = token {
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    RawRequest {
        method: Method::GET,
        path: "/inapp/api/anything".to_owned(),
        query: String::new(),
        headers,
        body: bytes::Bytes::new(),
        request_id: "r1".to_owned(),
        source_ip: None,
    }
}
