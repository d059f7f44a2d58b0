//! The functions with ports in memory.

use std::sync::Arc;

use app::chats::ChatCtx;
use lambda::{HttpHandler, Roster, RosterPlans};
use model::{Directory, Memo, Platform, RemoteStatus, RemoteThread};
use ports::{DeliveryStore as _, DirectoryStore as _, InboundStore, StatusStore, ThreadStore};
use serde_json::{Value, json};
use testkit::fixtures::desk_account_id;
use testkit::{
    FixedDice, InMemoryChats, InMemoryGrants, InMemoryPushQueue, InMemoryQueue, InMemorySecrets, InMemoryStore, ManualClock,
    ManualTimers, ScriptedSender, events,
};
use vcita_functions::connect::ConnectCtx;
use vcita_functions::{
    ChannelStore, Ctx, channel_updated, connect, events as platform_events, message_created, message_updated, render,
    session_updated, typing, upkeep,
};

pub(crate) const MESSAGE_CREATED: &str = "vcita-message-created";
pub(crate) const MESSAGE_UPDATED: &str = "vcita-message-updated";
pub(crate) const CHANNEL_UPDATED: &str = "vcita-channel-updated";
pub(crate) const SESSION_UPDATED: &str = "vcita-session-updated";
pub(crate) const TYPING: &str = "vcita-typing";
pub(crate) const CONNECT: &str = "vcita-connect";
pub(crate) const EVENTS: &str = "vcita-events";
pub(crate) const FUNCTIONS: [&str; 6] = [MESSAGE_CREATED, MESSAGE_UPDATED, CHANNEL_UPDATED, SESSION_UPDATED, TYPING, EVENTS];

/// The path secret of the events.
pub(crate) const SECRET: &str = "7a1e0c94d25b4f63b8e95d107c3fa286";
/// The channel of the events.
pub(crate) const CHANNEL: &str = "0d6a6c58-2d1e-4f53-9a5b-6f2a6f5b1c77";

/// The session of the events, bound to Eva's conversation.
pub(crate) const SESSION: &str = "5e551000-0a1b-4c2d-8e3f-000000000001";

/// What the gateway is given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u64,
    pub(crate) headers: Value,
    pub(crate) body: Value,
}

/// What a browser is given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Page {
    pub(crate) status: u64,
    pub(crate) headers: Value,
    pub(crate) cookies: Value,
    pub(crate) html: String,
}

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) store: Arc<InMemoryStore>,
    pub(crate) queue: Arc<InMemoryQueue>,
    pub(crate) secrets: Arc<InMemorySecrets>,
    pub(crate) sender: Arc<ScriptedSender>,
    pub(crate) grants: Arc<InMemoryGrants>,
    inbound: Ctx<dyn InboundStore>,
    status: Ctx<dyn StatusStore>,
    thread: Ctx<dyn ThreadStore>,
    pub(crate) chats: Arc<InMemoryChats>,
    pub(crate) chat_ctx: ChatCtx,
    channels: Ctx<dyn ChannelStore>,
}

impl World {
    /// The functions after INIT, with the visitor's message stored.
    pub(crate) async fn new() -> Self {
        let world = Self::before_init();
        events::given_messages(&*world.store, 1).await;
        let lane = events::delivery_key(1).lane();
        let changed_at = testkit::fixtures::NOW;
        let known = RemoteThread { id: SESSION.to_owned(), status: RemoteStatus::Active, changed_at, memo: Memo::new() };
        world.store.bind(&lane, &lane.recipient, &known).await.unwrap();
        assert_eq!(world.send(MESSAGE_CREATED, "secret_wrong").await.status, 404);
        world.store.forget_operations();
        world
    }

    /// The functions when INIT could not read anything, and nobody has written.
    pub(crate) fn before_init() -> Self {
        Self::with_directory(&events::configured_with_chats())
    }

    /// The same, with other accounts.
    pub(crate) fn with_directory(directory: &Directory) -> Self {
        let clock = ManualClock::new();
        let store = Arc::new(InMemoryStore::with_directory(directory));
        let queue = Arc::new(InMemoryQueue::new(Arc::new(clock.clone())));
        let secrets = Arc::new(InMemorySecrets::new());
        secrets.set(&desk_account_id(), json!({"url_secrets": [SECRET], "token": "invented-token"}));
        let base = app::Ctx {
            store: store.clone(),
            queue: queue.clone(),
            clock: Arc::new(clock.clone()),
            dice: Arc::new(FixedDice::new(0)),
        };
        let roster = Roster::new(store.clone(), secrets.clone(), Arc::new(clock.clone()), vec![Platform::Vcita]);
        let (roster, function) = (Arc::new(roster), "vcita".to_owned());
        let inbound = Ctx { base: base.with(store.clone() as _), roster: roster.clone(), function: function.clone() };
        let status = Ctx { base: base.with(store.clone() as _), roster: roster.clone(), function: function.clone() };
        let thread = Ctx { base: base.with(store.clone() as _), roster: roster.clone(), function: function.clone() };
        let now: Arc<dyn ports::Clock> = Arc::new(clock.clone());
        let chats = Arc::new(InMemoryChats::beside(store.clone()));
        let chat_ctx = ChatCtx {
            chats: chats.clone(),
            timers: Arc::new(ManualTimers::new(now.clone())),
            pushes: Arc::new(InMemoryPushQueue::new(now.clone())),
            clock: now,
            plans: Arc::new(RosterPlans::new(roster.clone(), chats_frontstage::plan)),
            kept: std::time::Duration::from_secs(90 * 86_400),
        };
        let channels = Ctx { base: base.with(store.clone() as _), roster, function };
        let (sender, grants) = (Arc::default(), Arc::default());
        Self { clock, store, queue, secrets, sender, grants, inbound, status, thread, chats, chat_ctx, channels }
    }

    /// Configures accounts of the tenant `demo` beside what is there.
    pub(crate) async fn configure(&self, accounts: &[(&str, Value)]) {
        let directory = self.store.directory().await.unwrap();
        let tenant = directory.tenants.values().next().unwrap();
        let accounts: Vec<_> = accounts
            .iter()
            .map(|(id, settings)| model::Account {
                settings: settings.clone(),
                ..testkit::fixtures::sample_account(&id.parse().unwrap())
            })
            .collect();
        self.store.configure(tenant, &accounts).await.unwrap();
    }

    /// What calls to vcita need.
    pub(crate) fn calls(&self) -> ConnectCtx {
        ConnectCtx { base: self.channels.clone(), grants: self.grants.clone(), sender: self.sender.clone() }
    }

    /// Answers a browser.
    pub(crate) async fn visit(&self, event: Value) -> Page {
        let ctx = self.calls();
        let handler: Box<HttpHandler> = Box::new(move |request| Box::pin(connect::handle(ctx.clone(), request)));
        let response = lambda::answer(&*handler, connect::render, serde_json::from_value(event).unwrap(), "i-1").await;
        let response = serde_json::to_value(response).unwrap();
        Page {
            status: response["statusCode"].as_u64().unwrap(),
            headers: response["headers"].clone(),
            cookies: response["cookies"].clone(),
            html: response["body"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// One run of the schedule.
    pub(crate) async fn upkeep(&self) -> Value {
        upkeep::handle(self.calls(), events::event("vcita-upkeep", "ok")).await.unwrap()
    }

    /// Answers an event of `events/<function>`.
    pub(crate) async fn send(&self, function: &str, case: &str) -> Answer {
        self.send_event(function, events::event(function, case)).await
    }

    pub(crate) async fn send_event(&self, function: &str, event: Value) -> Answer {
        let (inbound, ctx, channels) = (self.inbound.clone(), self.status.clone(), self.channels.clone());
        let (thread, chats) = (self.thread.clone(), self.chat_ctx.clone());
        let handler: Box<HttpHandler> = match function {
            MESSAGE_CREATED => Box::new(move |request| Box::pin(message_created::handle(inbound.clone(), request))),
            MESSAGE_UPDATED => Box::new(move |request| Box::pin(message_updated::handle(ctx.clone(), request))),
            CHANNEL_UPDATED => Box::new(move |request| Box::pin(channel_updated::handle(channels.clone(), request))),
            EVENTS => Box::new(move |request| Box::pin(platform_events::handle(channels.clone(), request))),
            SESSION_UPDATED => Box::new(move |request| Box::pin(session_updated::handle(ctx.clone(), request))),
            TYPING => Box::new(move |request| Box::pin(typing::handle(thread.clone(), chats.clone(), request))),
            other => panic!("no function {other}"),
        };
        let event = serde_json::from_value(event).unwrap();
        let response = serde_json::to_value(lambda::answer(&*handler, render, event, "i-1").await).unwrap();
        let body = response["body"].as_str().map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
        Answer { status: response["statusCode"].as_u64().unwrap(), headers: response["headers"].clone(), body }
    }

    /// Asserts that this is the empty answer with `status`.
    #[track_caller]
    pub(crate) fn assert_empty(answer: &Answer, status: u64, why: &str) {
        assert_eq!((answer.status, &answer.body), (status, &Value::Null), "{why}");
    }
}
