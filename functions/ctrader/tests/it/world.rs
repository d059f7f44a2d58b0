//! The functions with ports in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ctrader_functions::{
    Ctx, ExchangeCtx, Guesses, OauthCtx, Session, authorize, crm_token, exchange, logout, onetime_authorize, onetime_generate,
    operator, render, render_oauth,
};
use http::Method;
use lambda::Roster;
use model::{Account, Directory, Platform, Tenant};
use platform_ctrader::Person;
use ports::Records as _;
use serde_json::{Value, json};
use testkit::{FixedDice, InMemoryQueue, InMemoryRecords, InMemorySecrets, InMemoryStore, ManualClock, ScriptedSender};
use wire::{RawRequest, Reply};

/// A brand at this host, and another one.
pub(crate) const HOST: &str = "inapp.broker.example";
pub(crate) const OTHER_HOST: &str = "inapp.rival.example";

/// A brand with `handoff`, and one with `sso` that has every switch the other way.
pub(crate) const HANDOFF_HOST: &str = "inapp.handoff.example";
pub(crate) const STRICT_HOST: &str = "inapp.strict.example";

/// The password of the brands with `sso`, and the one before it.
pub(crate) const PASSWORD: &str = "t9#Mistral-Copper-21";
pub(crate) const OLD_PASSWORD: &str = "old#Mistral-Copper-20";

/// A user whom the first and the strict brand know.
pub(crate) const USER: i64 = 31_550_462;

/// What somebody is answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The code of an error.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().or_else(|| self.body["error"]["code"].as_str()).unwrap_or_default()
    }

    /// Status and code.
    pub(crate) fn row(&self) -> (u16, &str) {
        (self.status, self.code())
    }

    /// A text of the body.
    pub(crate) fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {self:?}")).to_owned()
    }

    fn of(reply: Reply) -> Self {
        let body = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
        Self { status: reply.status.as_u16(), headers: reply.headers, body }
    }
}

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) secrets: Arc<InMemorySecrets>,
    pub(crate) guesses: Arc<Guesses>,
    pub(crate) exchange: ExchangeCtx,
    pub(crate) oauth: OauthCtx,
    pub(crate) records: Arc<InMemoryRecords>,
    /// Accounts, and results as they wait for delivery.
    pub(crate) store: Arc<InMemoryStore>,
    pub(crate) queue: Arc<InMemoryQueue>,
    pub(crate) ctx: Ctx,
    sessions: AtomicU64,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::calling(ScriptedSender::new()).await
    }

    /// The same with a cTrader that answers so.
    pub(crate) async fn calling(sender: ScriptedSender) -> Self {
        Self::with(sender, &json!({})).await
    }

    /// The settings of all brands changed.
    pub(crate) async fn with_settings(change: &Value) -> Self {
        Self::with(ScriptedSender::new(), change).await
    }

    /// Both.
    pub(crate) async fn with(sender: ScriptedSender, change: &Value) -> Self {
        let clock = ManualClock::new();
        let records = Arc::new(InMemoryRecords::new());
        let tenant: Tenant = serde_json::from_value(json!({"id": "demo", "routes": []})).unwrap();
        let secrets = Arc::new(InMemorySecrets::new());
        let handoff = json!({"identity": "handoff", "ctrader_base_url": "https://ct.example:8443", "manager_login": 1007});
        let strict = json!({
            "crm_token_alias": "token", "inbound_prefix": "/cid", "inbound_cidrs": ["203.0.113.0/24"], "ot_channels": "shared",
            "inapp_token_mode": "required", "ot_token_ttl": 30, "crm_token_ttl": 604_800, "education_enabled": false,
            "result_on_close": true, "close_url": "https://broker.example/closed", "default_lang": "de"
        });
        let brands = [
            ("broker", HOST, json!({})),
            ("rival", OTHER_HOST, json!({})),
            ("handoff", HANDOFF_HOST, handoff),
            ("strict", STRICT_HOST, strict),
        ];
        let accounts = brands.map(|(key, host, own)| {
            let mut settings = json!({
                "public_base_url": format!("https://{host}/"), "success_url": format!("https://{host}/callback/success"),
                "identity": "sso"
            });
            for (name, value) in [&own, change].into_iter().flat_map(|changes| changes.as_object().unwrap()) {
                settings[name] = value.clone();
            }
            Account {
                id: format!("ctrader/{key}").parse().unwrap(),
                tenant: "demo".parse().unwrap(),
                salt: format!("salt of {key}"),
                settings,
                installed: None,
            }
        });
        for account in &accounts {
            secrets.set(&account.id, json!({"crm_passwords": [PASSWORD, OLD_PASSWORD], "manager_password": "password"}));
        }
        let directory = Directory {
            accounts: accounts.map(|account| (account.id.clone(), account)).into(),
            tenants: [(tenant.id.clone(), tenant)].into(),
        };
        let store = Arc::new(InMemoryStore::with_directory(&directory));
        let roster = Roster::new(store.clone(), secrets.clone(), Arc::new(clock.clone()), vec![Platform::Ctrader]);
        let ctx = Ctx {
            records: records.clone(),
            roster: Arc::new(roster),
            clock: Arc::new(clock.clone()),
            dice: Arc::new(FixedDice::new(0)),
            kept: std::time::Duration::from_secs(90 * 86_400),
        };
        let exchange = ExchangeCtx {
            base: ctx.clone(),
            sender: Arc::new(sender),
            managers: Arc::default(),
            function: "ctrader-session".to_owned(),
        };
        let oauth = OauthCtx { base: ctx.clone(), function: "ctrader".to_owned() };
        let queue = Arc::new(InMemoryQueue::new(Arc::new(clock.clone())));
        let (guesses, sessions) = (Arc::default(), AtomicU64::new(1));
        let world = Self { clock, secrets, guesses, exchange, oauth, records, store, queue, ctx, sessions };
        for account in ["ctrader/broker", "ctrader/strict"] {
            let known =
                json!({"action": "know", "account": account, "userId": USER, "name": "Inés Vega", "tradingLogin": 5_207_718});
            assert_eq!(world.operator(known).await, json!({"known": USER}));
        }
        // What is given out at the very moment of leaving counts as given out before.
        world.clock.advance(std::time::Duration::from_millis(1));
        world
    }

    /// What the operator's function answers.
    pub(crate) async fn operator(&self, input: Value) -> Value {
        operator::handle(self.ctx.clone(), input).await.unwrap()
    }

    /// A call of cTrader's backend.
    pub(crate) async fn call(&self, request: RawRequest) -> Answer {
        Answer::of(self.oauth_reply(request).await)
    }

    /// The same as a reply.
    pub(crate) async fn oauth_reply(&self, request: RawRequest) -> Reply {
        let path = request.path.strip_prefix("/cid").unwrap_or(&request.path).to_owned();
        let ctx = self.oauth.clone();
        let result = match path.as_str() {
            "/oauth2/crmApiToken" => crm_token::handle(ctx, self.guesses.clone(), request).await,
            "/oauth2/onetime/authorize" => onetime_authorize::handle(ctx, request).await,
            "/oauth2/authorize" => authorize::handle(ctx, request).await,
            "/oauth2/onetime/generate" => onetime_generate::handle(ctx, request).await,
            "/oauth2/logout" => logout::handle(ctx, request).await,
            other => panic!("{other}"),
        };
        result.unwrap_or_else(|error| render_oauth(&error, "r1"))
    }

    /// The same at the first brand, with this query and body.
    pub(crate) async fn ask(&self, path: &str, query: &str, body: &Value) -> Answer {
        self.call(post(HOST, path, query, body)).await
    }

    /// A `crmApiToken` of the first brand.
    pub(crate) async fn crm_token(&self) -> String {
        self.ask("/oauth2/crmApiToken", "", &json!({"password": PASSWORD})).await.text("crmApiToken")
    }

    /// A one-time token of the first brand for its screens.
    pub(crate) async fn one_time(&self) -> String {
        let query = format!("crmApiToken={}", self.crm_token().await);
        self.ask("/oauth2/onetime/generate", &query, &json!({"userId": USER})).await.text("token")
    }

    /// What a page is answered.
    pub(crate) async fn open(&self, host: &str, body: &Value) -> Answer {
        self.send(post(host, "/inapp/api/session", "", body)).await
    }

    /// The same for any request.
    pub(crate) async fn send(&self, request: RawRequest) -> Answer {
        Answer::of(self.page_reply(request).await)
    }

    /// The same as a reply.
    pub(crate) async fn page_reply(&self, request: RawRequest) -> Reply {
        let result = exchange::handle(self.exchange.clone(), request).await;
        result.unwrap_or_else(|error| render(&error, "r1"))
    }

    /// A session of user 31550462 of the first brand: its token.
    pub(crate) async fn session(&self, screen: &str) -> String {
        self.session_of(USER, screen, json!({})).await
    }

    /// A session of a user of the first brand, whose page had these parameters: its token.
    pub(crate) async fn session_of(&self, user: i64, screen: &str, params: Value) -> String {
        let found = ctrader_functions::find_brand(&self.ctx, &request(HOST, None)).await.unwrap();
        let now = ports::Clock::now(&self.clock);
        let session = Session {
            person: Person::new(user),
            name: Some("Inés".to_owned()),
            trading_login: Some(5_207_718),
            lang: "en".to_owned(),
            screen: screen.to_owned(),
            params: params.as_object().unwrap().clone(),
            opened_at: now,
            seen_at: now,
        };
        let token = format!("{:064x}", self.sessions.fetch_add(1, Ordering::Relaxed));
        let changes = ctrader_functions::open_session(&found, &token, &session).unwrap();
        self.records.keep_records(&changes).await.unwrap();
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

/// A call of a screen of the first brand.
pub(crate) fn call(token: &str, method: Method, path: &str, body: &Value) -> RawRequest {
    let body = if body.is_null() { bytes::Bytes::new() } else { body.to_string().into() };
    RawRequest { method, path: format!("/inapp/api/{path}"), body, ..request(HOST, Some(token)) }
}

/// Status and body of an answer, which no cache may keep.
pub(crate) fn answered(reply: Reply) -> (u16, Value) {
    assert_eq!(reply.headers["cache-control"], "no-store");
    let body = if reply.body.is_empty() { Value::Null } else { serde_json::from_slice(&reply.body).unwrap() };
    (reply.status.as_u16(), body)
}

/// A call with a body.
pub(crate) fn post(host: &str, path: &str, query: &str, body: &Value) -> RawRequest {
    RawRequest {
        method: Method::POST,
        path: path.to_owned(),
        query: query.to_owned(),
        body: bytes::Bytes::from(body.to_string()),
        source_ip: Some("203.0.113.7".to_owned()),
        ..request(host, None)
    }
}
