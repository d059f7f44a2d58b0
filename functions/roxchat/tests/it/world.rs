//! The functions with ports in memory.

use std::sync::Arc;
use std::time::Duration;

use app::Ctx as Base;
use async_trait::async_trait;
use http::header::{AUTHORIZATION, COOKIE, ORIGIN, SET_COOKIE};
use http::{HeaderName, HeaderValue, Method};
use lambda::Roster;
use model::{Account, AccountId, Directory, Platform, Tenant};
use ports::{InboundStore, PortError, Record, RecordChange, RecordKey, Records, Saved};
use roxchat_functions::events::Events;
use roxchat_functions::views::Views;
use roxchat_functions::{Ctx, Keeping, commands, events, host, render, session, views};
use serde_json::{Value, json};
use testkit::fixtures::{get, post};
use testkit::{FixedDice, InMemoryChats, InMemoryQueue, InMemoryRecords, InMemorySecrets, InMemoryStore, ManualClock};
use wire::jwt::sign;
use wire::{RawRequest, Reply, Secret};

/// What the CRM of `roxchat/acme` signs its tickets with.
pub(crate) const SECRET: &str = "invented-sign-in-secret-of-acme-0001";

/// What its backend calls us with.
pub(crate) const API_KEY: &str = "invented-api-key-of-acme-0000000001";

/// Where the host page is.
pub(crate) const HOST: &str = "https://crm.acme.example";

/// A page of Marta's.
pub(crate) const PAGE: &str = "e6a3f2de-8a0b-4f0e-9a59-1d6f4c1f0b77";

/// Another page.
pub(crate) const OTHER_PAGE: &str = "f7b4030f-9b1c-4a1f-8b6a-2e7a5d2a1c88";

/// How long what was said is kept.
const KEPT: Duration = Duration::from_secs(90 * 86_400);

/// What a caller gets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    /// Status and code of an error.
    pub(crate) fn row(&self) -> (u16, &str) {
        (self.status, self.body["error"]["code"].as_str().unwrap_or_default())
    }

    fn of(reply: &Reply) -> Self {
        let body = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        Self { status: reply.status.as_u16(), headers: reply.headers.clone(), body, text }
    }
}

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) records: Arc<InMemoryRecords>,
    pub(crate) store: Arc<InMemoryStore>,
    pub(crate) chats: Arc<InMemoryChats>,
    pub(crate) events: Events,
    pub(crate) directory: Directory,
    keeping: Keeping,
}

fn account(id: &str, tenant: &str, settings: Value) -> Account {
    let salt = format!("salt of {id}");
    Account { id: id.parse().unwrap(), tenant: tenant.parse().unwrap(), salt, settings, installed: None }
}

impl World {
    /// The account `acme` of the tenant `demo`, and `rival` of another one.
    pub(crate) fn new() -> Self {
        Self::with(&json!({}))
    }

    /// The same, `acme` with these settings beside those that must be.
    pub(crate) fn with(settings: &Value) -> Self {
        let clock = ManualClock::new();
        let secrets = Arc::new(InMemorySecrets::new());
        let mut acme = json!({"host_origin": HOST, "workspace_url": "https://acme.rox.chat/agent"});
        for (name, value) in settings.as_object().unwrap() {
            acme[name] = value.clone();
        }
        let rival = json!({"host_origin": "https://crm.rival.example", "workspace_url": "https://rival.rox.chat/"});
        let accounts = [
            account("roxchat/acme", "demo", acme),
            account("roxchat/rival", "rival", rival),
            account("frontstage/gw-mail", "demo", json!({})),
            account("frontstage/gw-rival", "rival", json!({})),
        ];
        secrets.set(&accounts[0].id, json!({"sign_in_secret": SECRET, "api_key": API_KEY}));
        secrets.set(&accounts[1].id, json!({"sign_in_secret": "invented-sign-in-secret-of-rival-001"}));
        let tenant = |id: &str| -> Tenant { serde_json::from_value(json!({ "id": id })).unwrap() };
        let directory = Directory {
            accounts: accounts.into_iter().map(|account| (account.id.clone(), account)).collect(),
            tenants: ["demo", "rival"].map(|id| (id.parse().unwrap(), tenant(id))).into(),
        };
        let store = Arc::new(InMemoryStore::with_directory(&directory));
        let (records, chats) = (Arc::new(InMemoryRecords::new()), Arc::new(InMemoryChats::beside(store.clone())));
        let roster = Arc::new(Roster::new(store.clone(), secrets, Arc::new(clock.clone()), vec![Platform::Roxchat]));
        let dice = Arc::new(FixedDice::default());
        let base = Ctx { roster, clock: Arc::new(clock.clone()), dice: dice.clone(), function: "roxchat-test".to_owned() };
        let keeping = Keeping { base, records: Arc::new(Yielding(records.clone())), kept: KEPT };
        let inbound: Base<dyn InboundStore> = Base {
            store: store.clone(),
            queue: Arc::new(InMemoryQueue::new(Arc::new(clock.clone()))),
            clock: Arc::new(clock.clone()),
            dice,
        };
        let events = Events { keeping: keeping.clone(), inbound, rates: Arc::default() };
        Self { clock, records, store, chats, events, directory, keeping }
    }

    pub(crate) fn account(&self, id: &str) -> &Account {
        &self.directory.accounts[&id.parse::<AccountId>().unwrap()]
    }

    /// A ticket of the CRM for this agent.
    pub(crate) fn ticket(&self, agent: &str, id: &str) -> String {
        let now = self.clock_seconds();
        let claims = json!({"iss": "crm", "aud": "deskbridge-roxchat", "sub": agent, "name": format!("{agent} <b>"), "iat": now,
            "exp": now + 60, "jti": id});
        sign(&claims, &Secret::from(SECRET))
    }

    pub(crate) fn clock_seconds(&self) -> i64 {
        ports::Clock::now(&self.clock).seconds()
    }

    pub(crate) async fn host(&self, request: RawRequest) -> Answer {
        let answer = host::handle(self.keeping.clone(), request).await;
        Answer::of(&answer.unwrap_or_else(|error| render(&error, "")))
    }

    pub(crate) async fn session(&self, request: RawRequest) -> Answer {
        let answer = session::handle(self.keeping.base.clone(), request).await;
        Answer::of(&answer.unwrap_or_else(|error| render(&error, "")))
    }

    pub(crate) async fn events(&self, request: RawRequest) -> Answer {
        let answer = events::handle(self.events.clone(), request).await;
        Answer::of(&answer.unwrap_or_else(|error| render(&error, "")))
    }

    pub(crate) async fn commands(&self, request: RawRequest) -> Answer {
        let answer = commands::handle(self.keeping.clone(), request).await;
        Answer::of(&answer.unwrap_or_else(|error| render(&error, "")))
    }

    pub(crate) async fn views(&self, request: RawRequest) -> Answer {
        let views = Views { keeping: self.keeping.clone(), people: self.chats.clone() };
        let answer = views::handle(views, request).await;
        Answer::of(&answer.unwrap_or_else(|error| render(&error, "")))
    }

    /// The cookie that this agent's browser keeps.
    pub(crate) async fn cookie(&self, agent: &str) -> String {
        let ticket = self.ticket(agent, &ports::Dice::token(&*self.keeping.base.dice));
        let answer = self.host(get("/roxchat/acme/host", &format!("ticket={ticket}"))).await;
        assert_eq!(answer.status, 303);
        answer.headers[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    /// A page of this agent, with its token.
    pub(crate) async fn page(&self, agent: &str, page: &str) -> Page<'_> {
        let cookie = self.cookie(agent).await;
        let request =
            with(with(post("/roxchat/acme/session", &json!({ "pageId": page }).to_string()), COOKIE, &cookie), ORIGIN, HOST);
        let answer = self.session(request).await;
        assert_eq!(answer.status, 200);
        Page { world: self, id: page.to_owned(), token: answer.body["token"].as_str().unwrap().to_owned() }
    }
}

/// Records between whose operations others have their turn, as it is over a network.
struct Yielding(Arc<InMemoryRecords>);

#[async_trait]
impl Records for Yielding {
    async fn record(&self, key: &RecordKey) -> Result<Option<Record>, PortError> {
        tokio::task::yield_now().await;
        self.0.record(key).await
    }

    async fn records(&self, account: &AccountId, group: &str, kind: &'static str) -> Result<Vec<(String, Record)>, PortError> {
        tokio::task::yield_now().await;
        self.0.records(account, group, kind).await
    }

    async fn keep_records(&self, changes: &[RecordChange]) -> Result<Saved, PortError> {
        tokio::task::yield_now().await;
        self.0.keep_records(changes).await
    }
}

/// A page that is open.
pub(crate) struct Page<'a> {
    pub(crate) world: &'a World,
    pub(crate) id: String,
    pub(crate) token: String,
}

/// The id of an event by its number.
pub(crate) fn event_id(number: u64) -> String {
    format!("0b7c1f8e-6f0f-4a55-9f0c-{number:012x}")
}

impl Page<'_> {
    pub(crate) fn signed(&self, request: RawRequest) -> RawRequest {
        let request = with(request, AUTHORIZATION, &format!("Bearer {}", self.token));
        if request.method == Method::GET { request } else { with(request, ORIGIN, HOST) }
    }

    /// An event as the page forwards it.
    pub(crate) fn event(&self, number: u64, seq: u64, event: &str, params: &Value) -> Value {
        let at = ports::Clock::now(&self.world.clock).to_utc_text();
        json!({"eventId": event_id(number), "pageId": self.id, "seq": seq, "receivedAt": at, "origin": "https://acme.rox.chat",
            "message": {"source": "roxchat", "event": event, "params": params}})
    }

    pub(crate) async fn post(&self, events: &[Value]) -> Answer {
        self.world.events(self.signed(post("/roxchat/acme/events", &json!({ "events": events }).to_string()))).await
    }

    /// Sends one event, which must be accepted, and returns its flags.
    pub(crate) async fn tells(&self, number: u64, seq: u64, event: &str, params: &Value) -> Vec<String> {
        let answer = self.post(&[self.event(number, seq, event, params)]).await;
        let result = &answer.body["results"][0];
        assert_eq!((answer.status, &result["status"]), (200, &json!("accepted")), "{}", answer.text);
        result["flags"].as_array().into_iter().flatten().map(|flag| flag.as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn visitor(&self, id: &str, query: &str) -> Answer {
        let mut request = self.signed(get(&format!("/roxchat/acme/visitors/{id}"), query));
        request.headers.remove(ORIGIN);
        self.world.views(request).await
    }

    pub(crate) async fn chat(&self, id: &str, query: &str) -> Answer {
        self.world.views(self.signed(get(&format!("/roxchat/acme/chats/{id}"), query))).await
    }

    /// The texts of a chat's newest page.
    pub(crate) async fn texts(&self, chat: i64) -> Vec<String> {
        let answer = self.chat(&chat.to_string(), "").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body["messages"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) fn with(mut request: RawRequest, name: HeaderName, value: &str) -> RawRequest {
    request.headers.insert(name, HeaderValue::from_str(value).unwrap());
    request
}

/// Params of a message.
pub(crate) fn said(visitor: &str, chat: i64, kind: &str, text: &str) -> Value {
    json!({"roxchatVisitorId": visitor, "providedVisitorId": null, "chatId": chat, "sessionId": format!("session of {visitor}"),
        "kind": kind, "messageText": text, "siebelId": null})
}

/// Params of a sign-in.
pub(crate) fn signed_in(old: (&str, Option<&str>), new: (&str, Option<&str>)) -> Value {
    let side =
        |(id, provided): (&str, Option<&str>)| json!({"roxchatVisitorId": id, "providedVisitorId": provided, "siebelId": null});
    json!({"old": side(old), "new": side(new)})
}
