//! The functions with ports in memory.

use std::sync::Arc;

use app::chats::ChatCtx;
use app::{AppError, EraseCtx};
use lambda::{Roster, RosterPlans};
use operator_functions::results::ResultsCtx;
use operator_functions::{configure, erase, hand_over, prepare_chat, replay, results, timeline};
use outbound_http::TargetPolicy;
use serde_json::Value;
use testkit::{
    FixedDice, InMemoryChats, InMemoryQueue, InMemoryRecords, InMemorySecrets, InMemoryStore, ManualClock, ManualTimers, events,
};

pub(crate) struct World {
    pub(crate) store: Arc<InMemoryStore>,
    pub(crate) queue: Arc<InMemoryQueue>,
    pub(crate) ctx: app::Ctx<InMemoryStore>,
    pub(crate) chats: Arc<InMemoryChats>,
    pub(crate) timers: Arc<ManualTimers>,
    pub(crate) chat_ctx: ChatCtx,
    pub(crate) records: Arc<InMemoryRecords>,
    /// What the deployment calls.
    pub(crate) targets: TargetPolicy,
}

impl World {
    /// Nothing is configured and nothing stored.
    pub(crate) fn empty() -> Self {
        Self::with(InMemoryStore::new())
    }

    /// The tenant of the events is configured.
    pub(crate) fn configured() -> Self {
        Self::with(InMemoryStore::with_directory(&events::configured()))
    }

    /// And with it the gateway and the desk of its chats.
    pub(crate) fn with_chats() -> Self {
        Self::with(InMemoryStore::with_directory(&events::configured_with_chats()))
    }

    /// And with them a brand of cTrader with a chat screen.
    pub(crate) fn with_screens() -> Self {
        Self::with(InMemoryStore::with_directory(&events::configured_with_screens()))
    }

    fn with(store: InMemoryStore) -> Self {
        let clock = Arc::new(ManualClock::new());
        let (store, queue) = (Arc::new(store), Arc::new(InMemoryQueue::new(clock.clone())));
        let chats = Arc::new(InMemoryChats::beside(store.clone()));
        let timers = Arc::new(ManualTimers::new(clock.clone()));
        // It has no secrets: whoever hands chats over needs none.
        let roster = Roster::new(store.clone(), Arc::new(InMemorySecrets::new()), clock.clone(), Vec::new());
        let chat_ctx = ChatCtx {
            chats: chats.clone(),
            timers: timers.clone(),
            pushes: Arc::new(testkit::InMemoryPushQueue::new(clock.clone())),
            clock: clock.clone(),
            plans: Arc::new(RosterPlans::new(Arc::new(roster), chats_frontstage::plan)),
            kept: std::time::Duration::from_secs(90 * 86_400),
        };
        let ctx = app::Ctx { store: store.clone(), queue: queue.clone(), clock, dice: Arc::new(FixedDice::new(0)) };
        let records = Arc::new(InMemoryRecords::new());
        Self { store, queue, ctx, chats, timers, chat_ctx, records, targets: TargetPolicy::PublicHttps }
    }

    /// Answers an event of `events/operator-<function>`.
    pub(crate) async fn try_invoke(&self, function: &str, case: &str) -> Result<Value, AppError> {
        self.try_invoke_with(function, events::event(&format!("operator-{function}"), case)).await
    }

    pub(crate) async fn try_invoke_with(&self, function: &str, event: Value) -> Result<Value, AppError> {
        let (ctx, store) = (&self.ctx, self.store.clone());
        match function {
            "configure" => configure::handle(ctx.with(store), self.targets, event).await,
            "timeline" => timeline::handle(ctx.with(store), event).await,
            "hand-over" => hand_over::handle(self.chat_ctx.clone(), event).await,
            "prepare-chat" => prepare_chat::handle(ctx.with(store), self.chat_ctx.clone(), self.records.clone(), event).await,
            "erase" => {
                let erase = EraseCtx { erasure: self.chats.clone(), chats: self.chat_ctx.clone() };
                erase::handle(ctx.with(store), erase, event).await
            }
            "replay" => replay::handle(ctx.with(store), event).await,
            "results" => results::handle(ResultsCtx { results: self.chats.clone(), clock: ctx.clock.clone() }, event).await,
            other => panic!("no function {other}"),
        }
    }

    pub(crate) async fn invoke(&self, function: &str, case: &str) -> Value {
        self.try_invoke(function, case).await.unwrap()
    }
}

/// The code of an answer that refuses.
pub(crate) fn code(answer: &Value) -> &str {
    assert!(answer["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer}");
    answer["error"]["code"].as_str().unwrap()
}
