//! The functions with ports in memory, and recipients that answer as the test says.

use std::sync::Arc;
use std::time::Duration;

use app::chats::ChatCtx;
use app::{OutboundCtx, SettleCtx};
use lambda::{BatchCtx, BatchHandler, Config, Roster, RosterPlans};
use model::{DeadTask, Delivery, Directory, Platform};
use outbound_functions::{Platforms, ack_timer, chat_timer, deliver};
use ports::{Clock as _, DeliveryStore};
use serde_json::{Value, json};
use testkit::fixtures::desk_account_id;
use testkit::{
    FixedDice, InMemoryChats, InMemoryGrants, InMemoryPaces, InMemoryPushQueue, InMemoryQueue, InMemorySecrets, InMemoryStore,
    ManualClock, ManualSleeper, ManualTimers, ScriptedSender, events,
};

pub(crate) const DELIVER: &str = "outbound-deliver";
pub(crate) const ACK_TIMER: &str = "outbound-ack-timer";
pub(crate) const CHAT_TIMER: &str = "outbound-chat-timer";

/// What the Lambda service gives the function: the timeout of the template.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) store: Arc<InMemoryStore>,
    pub(crate) queue: Arc<InMemoryQueue>,
    pub(crate) sender: Arc<ScriptedSender>,
    pub(crate) grants: Arc<InMemoryGrants>,
    pub(crate) outbound: OutboundCtx,
    pub(crate) chats: Arc<InMemoryChats>,
    pub(crate) timers: Arc<ManualTimers>,
    pub(crate) pushes: Arc<InMemoryPushQueue>,
    pub(crate) chat_ctx: ChatCtx,
}

/// The registry with the contract's schedule.
pub(crate) fn registry() -> Platforms {
    let variables = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"), ("DESKBRIDGE_TABLE", "t")];
    let var = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Platforms::new(&Config::from_vars(&var).unwrap())
}

impl World {
    pub(crate) fn new() -> Self {
        let token = json!({"url_secrets": ["7a1e0c94d25b4f63b8e95d107c3fa286"], "token": "invented-token"});
        Self::with(&events::configured_with_chats(), token)
    }

    /// A world with these accounts, and these secrets of the vcita account.
    pub(crate) fn with(directory: &Directory, vcita: Value) -> Self {
        let clock = ManualClock::new();
        let store = Arc::new(InMemoryStore::with_directory(directory));
        let queue = Arc::new(InMemoryQueue::new(Arc::new(clock.clone())));
        let secrets = InMemorySecrets::new();
        let keys = json!({"keys": [{"id": "k1", "secret": "contract-demo-secret-001"}]});
        secrets.set(&events::visitor_account_id(), keys);
        secrets.set(&desk_account_id(), vcita);
        let site = json!({"tokens": ["9f4c1d7e2ab85c3360d1f0e4b7a96c21"], "api_password": "invented-password"});
        secrets.set(&"iadvize/shop".parse().unwrap(), site);
        let sender = Arc::new(ScriptedSender::new());
        let grants = Arc::new(InMemoryGrants::new());
        let base = app::Ctx::<dyn DeliveryStore> {
            store: store.clone(),
            queue: queue.clone(),
            clock: Arc::new(clock.clone()),
            dice: Arc::new(FixedDice::new(0)),
        };
        let registry = Arc::new(registry());
        let pushes = Arc::new(InMemoryPushQueue::new(Arc::new(clock.clone())));
        let roster = Roster::new(store.clone(), Arc::new(secrets), Arc::new(clock.clone()), Platform::ALL.to_vec());
        let chats = Arc::new(InMemoryChats::beside(store.clone()));
        let outbound = OutboundCtx {
            acks: base.with(store.clone()),
            offers: chats.clone(),
            heard: pushes.clone(),
            settle: SettleCtx { base, terms: registry.clone() },
            registry,
            sender: sender.clone(),
            grants: grants.clone(),
            paces: Arc::new(InMemoryPaces::default()),
            sleeper: Arc::new(ManualSleeper::new(clock.clone())),
            side: store.clone(),
            recipients: Arc::new(roster),
        };
        let clock_port: Arc<dyn ports::Clock> = Arc::new(clock.clone());
        let timers = Arc::new(ManualTimers::new(clock_port.clone()));
        // It has no secrets: whoever moves chats by the clock needs none.
        let accounts = Roster::new(store.clone(), Arc::new(InMemorySecrets::new()), clock_port.clone(), Vec::new());
        let chat_ctx = ChatCtx {
            chats: chats.clone(),
            timers: timers.clone(),
            pushes: pushes.clone(),
            clock: clock_port,
            plans: Arc::new(RosterPlans::new(Arc::new(accounts), chats_frontstage::plan)),
            kept: std::time::Duration::from_secs(90 * 86_400),
        };
        Self { clock, store, queue, sender, grants, outbound, chats, timers, pushes, chat_ctx }
    }

    /// Works on an event of `events/<function>`. Returns the ids of the records that are handed back.
    pub(crate) async fn run(&self, function: &str, case: &str) -> Vec<String> {
        let (outbound, settle, chats) = (self.outbound.clone(), self.outbound.settle.clone(), self.chat_ctx.clone());
        let handler: Box<BatchHandler> = match function {
            DELIVER => Box::new(move |body, until| Box::pin(deliver::handle(outbound.clone(), body, until))),
            ACK_TIMER => Box::new(move |body, until| Box::pin(ack_timer::handle(settle.clone(), body, until))),
            CHAT_TIMER => Box::new(move |body, until| Box::pin(chat_timer::handle(chats.clone(), settle.clone(), body, until))),
            other => panic!("no function {other}"),
        };
        let base = &self.outbound.settle.base;
        let ctx = BatchCtx { function: function.to_owned(), queue: base.queue.clone(), clock: base.clock.clone() };
        let deadline = self.clock.now().plus(TIMEOUT);
        let (response, _) = lambda::run_batch(&ctx, &*handler, events::event(function, case), deadline).await;
        let response: Value = serde_json::to_value(response).unwrap();
        let failures = response["batchItemFailures"].as_array().unwrap();
        failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
    }

    /// The delivery of message 2 as it stands.
    pub(crate) fn delivery(&self) -> Delivery {
        self.store.delivery(&events::delivery_key(2)).unwrap()
    }

    /// The dead-letter queue as it is read by people.
    pub(crate) fn dead_letters(&self) -> Value {
        let dead: Vec<DeadTask> = self.queue.dead_letters();
        serde_json::to_value(dead).unwrap()
    }
}
