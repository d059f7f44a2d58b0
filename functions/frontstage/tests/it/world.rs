//! The function with ports in memory, at the instant for which the events are signed.

use std::sync::Arc;

use frontstage_functions::{Ctx, messages, render};
use lambda::{HttpHandler, Roster};
use model::Platform;
use ports::{AckStore, InboundStore};
use serde_json::{Value, json};
use testkit::{FixedDice, InMemoryQueue, InMemorySecrets, InMemoryStore, ManualClock, events};

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
    handler: Box<HttpHandler>,
}

impl World {
    /// The function after INIT: its accounts are in memory.
    pub(crate) async fn new() -> Self {
        let world = Self::before_init();
        let unsigned = world.send("account_unknown").await;
        assert_eq!(unsigned.status, 404);
        world.store.forget_operations();
        world
    }

    /// The function when INIT could not read anything.
    pub(crate) fn before_init() -> Self {
        let clock = ManualClock::new();
        let store = Arc::new(InMemoryStore::with_directory(&events::configured()));
        let queue = Arc::new(InMemoryQueue::new(Arc::new(clock.clone())));
        let secrets = Arc::new(InMemorySecrets::new());
        let keys = json!({"keys": [{"id": "k1", "secret": "contract-demo-secret-001"}]});
        secrets.set(&events::visitor_account_id(), keys);
        let base = app::Ctx::<dyn InboundStore> {
            store: store.clone(),
            queue: queue.clone(),
            clock: Arc::new(clock.clone()),
            dice: Arc::new(FixedDice::new(0)),
        };
        let acks = base.with::<dyn AckStore>(store.clone());
        let roster = Roster::new(store.clone(), secrets.clone(), Arc::new(clock.clone()), vec![Platform::Frontstage]);
        let ctx = Ctx { base, acks, roster: Arc::new(roster), function: "frontstage-messages".to_owned() };
        let handler = Box::new(move |request| Box::pin(messages::handle(ctx.clone(), request)) as _);
        Self { clock, store, queue, secrets, handler }
    }

    /// Answers an event of `events/frontstage-messages`.
    pub(crate) async fn send(&self, case: &str) -> Answer {
        self.send_event(events::event("frontstage-messages", case)).await
    }

    pub(crate) async fn send_event(&self, event: Value) -> Answer {
        let event = serde_json::from_value(event).unwrap();
        let response = serde_json::to_value(lambda::answer(&*self.handler, render, event, "i-1").await).unwrap();
        let body = response["body"].as_str().map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
        Answer { status: response["statusCode"].as_u64().unwrap(), headers: response["headers"].clone(), body }
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
