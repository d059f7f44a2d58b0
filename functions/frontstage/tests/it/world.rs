//! The functions with ports in memory, at the instant for which the events are signed.

use std::sync::Arc;
use std::time::Duration;

use app::HandOutCtx;
use app::chats::{ChatCtx, PushCtx};
use frontstage_functions::events::EventsCtx;
use frontstage_functions::push::{self, PushingCtx};
use frontstage_functions::{Ctx, events as event_route, health, messages, render, workplace_events, workplace_messages};
use lambda::{BatchCtx, BatchHandler, HttpHandler, Roster, RosterPlans};
use model::{AccountId, DeliveryContent, Directory, Platform};
use platform_frontstage::{Frontstage, Secrets, sign};
use ports::{AckStore, InboundStore};
use serde_json::{Value, json};
use testkit::{
    FixedDice, InMemoryChats, InMemoryPushQueue, InMemoryQueue, InMemorySecrets, InMemoryStore, ManualClock, ManualTimers,
    ScriptedSender, events,
};
use wire::Terms as _;

/// What the gateway is given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u64,
    pub(crate) headers: Value,
    pub(crate) body: Value,
}

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) store: Arc<InMemoryStore>,
    pub(crate) queue: Arc<InMemoryQueue>,
    pub(crate) secrets: Arc<InMemorySecrets>,
    pub(crate) chats: Arc<InMemoryChats>,
    pub(crate) timers: Arc<ManualTimers>,
    pub(crate) pushes: Arc<InMemoryPushQueue>,
    pub(crate) sender: Arc<ScriptedSender>,
    pub(crate) ctx: Ctx,
}

/// The secrets of `frontstage/gw-chat`, and of the workplaces of `frontstage/desk` by their numbers.
const CHAT_SECRET: &str = "invented-chat-secret-0001";
pub(crate) const JANA: &str = "aaaaaaaa-0000-4000-8000-000000000101";
pub(crate) const PETR: &str = "aaaaaaaa-0000-4000-8000-000000000102";

fn desk_secret(number: &str) -> String {
    format!("invented-desk-secret-0{number}")
}

pub(crate) fn chat_gateway() -> AccountId {
    "frontstage/gw-chat".parse().unwrap()
}

impl World {
    /// The function after INIT: its accounts are in memory.
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// The same, with the settings of the desk changed.
    pub(crate) async fn with(change: impl FnOnce(&mut Value)) -> Self {
        let mut directory = events::configured_with_chats();
        change(&mut directory.accounts.get_mut(&"frontstage/desk".parse().unwrap()).unwrap().settings["desk"]);
        let world = Self::configured(&directory);
        let unsigned = world.send("account_unknown").await;
        assert_eq!(unsigned.status, 404);
        world.store.forget_operations();
        world
    }

    /// The function after INIT, where the chat gateway is pushed its events.
    pub(crate) async fn pushing() -> Self {
        let mut directory = events::configured_with_chats();
        let gateway = directory.accounts.get_mut(&chat_gateway()).unwrap();
        gateway.settings["push_url"] = json!("https://connector.example/push?x=1");
        gateway.settings["chat"]["delivery"] = json!("push");
        Self::configured(&directory)
    }

    /// The function when INIT could not read anything.
    pub(crate) fn before_init() -> Self {
        Self::configured(&events::configured_with_chats())
    }

    fn configured(directory: &Directory) -> Self {
        let clock = ManualClock::new();
        let store = Arc::new(InMemoryStore::with_directory(directory));
        let queue = Arc::new(InMemoryQueue::new(Arc::new(clock.clone())));
        let secrets = Arc::new(InMemorySecrets::new());
        let keys = json!({"keys": [{"id": "k1", "secret": "contract-demo-secret-001"}]});
        secrets.set(&events::visitor_account_id(), keys);
        secrets.set(&"frontstage/gw-chat".parse().unwrap(), json!({"keys": [{"id": "k1", "secret": CHAT_SECRET}]}));
        let key = |number: &str| json!({"id": format!("w{number}"), "secret": desk_secret(number), "workplace": number});
        secrets.set(&"frontstage/desk".parse().unwrap(), json!({"keys": [key("101"), key("102")]}));
        let base = app::Ctx::<dyn InboundStore> {
            store: store.clone(),
            queue: queue.clone(),
            clock: Arc::new(clock.clone()),
            dice: Arc::new(FixedDice::new(0)),
        };
        let acks = base.with::<dyn AckStore>(store.clone());
        let clock_port: Arc<dyn ports::Clock> = Arc::new(clock.clone());
        let roster = Arc::new(Roster::new(store.clone(), secrets.clone(), clock_port.clone(), vec![Platform::Frontstage]));
        let (chats, timers) = (Arc::new(InMemoryChats::beside(store.clone())), Arc::new(ManualTimers::new(clock_port.clone())));
        let pushes = Arc::new(InMemoryPushQueue::new(clock_port.clone()));
        let chat_ctx = ChatCtx {
            chats: chats.clone(),
            timers: timers.clone(),
            pushes: pushes.clone(),
            clock: clock_port,
            plans: Arc::new(RosterPlans::new(roster.clone(), chats_frontstage::plan)),
            kept: std::time::Duration::from_secs(90 * 86_400),
        };
        let function = "frontstage-messages".to_owned();
        let ctx = Ctx { base, acks, chats: chat_ctx, askers: chats.clone(), roster, rates: Arc::default(), function };
        Self { clock, store, queue, secrets, chats, timers, pushes, sender: Arc::new(ScriptedSender::new()), ctx }
    }

    /// Answers an event of `events/frontstage-messages`.
    pub(crate) async fn send(&self, case: &str) -> Answer {
        self.send_to("frontstage-messages", case).await
    }

    /// Answers an event of `events/<function>`.
    pub(crate) async fn send_to(&self, function: &str, case: &str) -> Answer {
        self.answer(function, events::event(function, case)).await
    }

    pub(crate) async fn send_event(&self, event: Value) -> Answer {
        self.answer("frontstage-messages", event).await
    }

    pub(crate) async fn answer(&self, function: &str, event: Value) -> Answer {
        let event = serde_json::from_value(event).unwrap();
        let response = serde_json::to_value(lambda::answer(&*self.handler(function), render, event, "i-1").await).unwrap();
        let is_text = response["isBase64Encoded"] == json!(false);
        let body = response["body"]
            .as_str()
            .map_or(Value::Null, |text| if is_text { serde_json::from_str(text).unwrap() } else { json!({ "base64": text }) });
        Answer { status: response["statusCode"].as_u64().unwrap(), headers: response["headers"].clone(), body }
    }

    fn handler(&self, function: &str) -> Box<HttpHandler> {
        let ctx = self.ctx.clone();
        match function {
            "frontstage-messages" => Box::new(move |request| Box::pin(messages::handle(ctx.clone(), request))),
            "frontstage-events" => {
                let policy = Frontstage::default().policy(DeliveryContent::Message);
                let fetched = HandOutCtx { base: ctx.base.with(self.chats.clone()), policy };
                let ctx = EventsCtx { base: ctx, fetched };
                Box::new(move |request| Box::pin(event_route::handle(ctx.clone(), request)))
            }
            "frontstage-health" => Box::new(move |request| Box::pin(health::handle(ctx.clone(), request))),
            "frontstage-workplace-messages" => {
                Box::new(move |request| Box::pin(workplace_messages::handle(ctx.clone(), request)))
            }
            "frontstage-workplace-events" => Box::new(move |request| Box::pin(workplace_events::handle(ctx.clone(), request))),
            other => panic!("no function {other}"),
        }
    }

    /// Works on an event of `events/frontstage-push`. Returns the ids of the records that are handed back.
    pub(crate) async fn push(&self, case: &str) -> Vec<String> {
        self.work(events::event("frontstage-push", case)).await
    }

    /// Works on what waits in the push queue now, each task in an event of its own.
    pub(crate) async fn push_due(&self) {
        for task in self.pushes.due() {
            let mut event: Value = events::event("frontstage-push", "ok");
            event["Records"][0]["body"] = json!(serde_json::to_string(&task).unwrap());
            assert_eq!(self.work(event).await, Vec::<String>::new());
        }
    }

    async fn work(&self, event: Value) -> Vec<String> {
        let push = PushCtx {
            chats: self.ctx.chats.clone(),
            states: self.chats.clone(),
            sender: self.sender.clone(),
            dice: Arc::new(FixedDice::new(0)),
        };
        let ctx = PushingCtx { base: self.ctx.clone(), push };
        let handler: Box<BatchHandler> = Box::new(move |body, until| Box::pin(push::handle(ctx.clone(), body, until)));
        let batch =
            BatchCtx { function: "frontstage-push".to_owned(), queue: self.queue.clone(), clock: Arc::new(self.clock.clone()) };
        let deadline = ports::Clock::now(&self.clock).plus(Duration::from_secs(60));
        let (response, _) = lambda::run_batch(&batch, &*handler, serde_json::from_value(event).unwrap(), deadline).await;
        let response: Value = serde_json::to_value(response).unwrap();
        let failures = response["batchItemFailures"].as_array().unwrap();
        failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
    }

    /// The chat gateway's keys, as its connector has them.
    pub(crate) fn chat_keys(&self) -> Secrets {
        Secrets::of(&json!({"keys": [{"id": "k1", "secret": CHAT_SECRET}]})).unwrap()
    }

    /// Posts for the chat gateway, signed now.
    pub(crate) async fn visitor(&self, body: &Value) -> Answer {
        self.call("frontstage-messages", "POST", "/v1/frontstage/gw-chat/messages", "", Some(body)).await
    }

    /// Posts for the gateway without chats, signed now.
    pub(crate) async fn mail(&self, body: &Value) -> Answer {
        self.call("frontstage-messages", "POST", "/v1/frontstage/gw-mail/messages", "", Some(body)).await
    }

    /// What the chat gateway is told after a place.
    pub(crate) async fn told_visitor(&self, after: u64) -> Answer {
        self.call("frontstage-events", "GET", "/v1/frontstage/gw-chat/events", &format!("after={after}"), None).await
    }

    /// Posts from a workplace, signed now.
    pub(crate) async fn agent(&self, number: &str, body: &Value) -> Answer {
        let path = format!("/v1/frontstage/workplaces/{number}/messages");
        self.call("frontstage-workplace-messages", "POST", &path, "", Some(body)).await
    }

    /// What a workplace is told after a place.
    pub(crate) async fn told_agent(&self, number: &str, after: u64) -> Answer {
        let path = format!("/v1/frontstage/workplaces/{number}/events");
        self.call("frontstage-workplace-events", "GET", &path, &format!("after={after}"), None).await
    }

    /// A request that its caller has just signed, under a nonce of its own.
    pub(crate) async fn call(&self, function: &str, method: &str, path: &str, query: &str, body: Option<&Value>) -> Answer {
        self.answer(function, self.signed(method, path, query, body)).await
    }

    pub(crate) fn signed(&self, method: &str, path: &str, query: &str, body: Option<&Value>) -> Value {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let nonce = format!("t-{}", COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let (key, secret) = match path.split('/').collect::<Vec<_>>()[..] {
            ["", "v1", "frontstage", "workplaces", number, _] => (format!("w{number}"), desk_secret(number)),
            ["", "v1", "frontstage", "gw-mail", _] => ("k1".to_owned(), "contract-demo-secret-001".to_owned()),
            _ => ("k1".to_owned(), CHAT_SECRET.to_owned()),
        };
        let secrets = Secrets::of(&json!({"keys": [{"id": key, "secret": secret}]})).unwrap();
        let body = body.map(Value::to_string).unwrap_or_default();
        let now = ports::Clock::now(&self.clock);
        let headers = sign(method, path, query, body.as_bytes(), secrets.signing().unwrap(), now.seconds(), &nonce);
        let headers: serde_json::Map<_, _> =
            headers.iter().map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap()))).collect();
        json!({"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": headers,
               "requestContext": {"http": {"method": method, "path": path}, "requestId": "Req-test"},
               "body": body, "isBase64Encoded": false})
    }

    /// Texts of the stored messages.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.store.messages().into_iter().map(|message| message.content.text).collect()
    }

    /// Asserts that nothing was stored and nothing was enqueued.
    pub(crate) fn assert_untouched(&self, why: &str) {
        assert!(self.store.messages().is_empty(), "{why}: a message is stored");
        assert!(self.queue.waiting().is_empty(), "{why}: something is enqueued");
    }
}
