//! Tokens of vcita that all functions share (vcita contract, 8.5): the whole of `outbound-deliver`, ten times beside itself.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use app::{OutboundCtx, Progress};
use async_trait::async_trait;
use futures_util::future::join_all;
use http::header::AUTHORIZATION;
use model::{
    ConversationId, DeliverTask, DeliveryKey, DeliveryState, EpochMillis, FailureReason, Grant, Memo, RemoteStatus, RemoteThread,
    StoredGrant,
};
use outbound_functions::deliver;
use platform_vcita::{Seals, Tokens, grant_name};
use ports::{AcceptOutcome, Clock as _, DeliveryStore as _, Grants, InboundStore as _, PortError, Saved, Sender};
use serde_json::{Value, json};
use testkit::fixtures::{desk_account_id, sample_acceptance, sample_account, sample_conversation};
use testkit::{InMemoryGrants, QueuedTask, ScriptedSender, events};
use tokio::task::yield_now;
use wire::{CallFailure, HttpAnswer, HttpCall};

use crate::world::{World, registry};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const SANDBOXES: usize = 10;

/// vcita: one token is good at a time. It lets others go on before it answers.
#[derive(Default)]
struct Vcs(Mutex<VcsState>);

#[derive(Default)]
struct VcsState {
    issued: u32,
    good: Option<String>,
    /// The token ends when this many messages more have come.
    ends_after: Option<usize>,
    /// The texts of the messages, in order.
    arrived: Vec<String>,
    calls: usize,
}

impl Vcs {
    fn state(&self) -> std::sync::MutexGuard<'_, VcsState> {
        self.0.lock().unwrap()
    }
}

#[async_trait]
impl Sender for Vcs {
    async fn send(&self, call: HttpCall) -> Result<HttpAnswer, CallFailure> {
        yield_now().await;
        let answer = {
            let mut state = self.state();
            state.calls += 1;
            let body: Value = serde_json::from_slice(&call.body).unwrap();
            if call.url.path() == "/oauth/service/token" {
                state.issued += 1;
                state.good = Some(format!("issued-{}", state.issued));
                ScriptedSender::json(200, &json!({"access_token": state.good, "expires_in": 3600}))
            } else if state.good.as_ref().is_none_or(|good| call.headers[AUTHORIZATION] != format!("Bearer {good}")) {
                ScriptedSender::json(401, &json!({"message": "401 Unauthorized", "status": "Failure"}))
            } else if state.ends_after == Some(0) {
                (state.good, state.ends_after) = (None, None);
                ScriptedSender::json(401, &json!({"message": "401 Unauthorized", "status": "Failure"}))
            } else {
                state.ends_after = state.ends_after.map(|left| left - 1);
                state.arrived.push(body["message"].as_str().unwrap().to_owned());
                ScriptedSender::json(201, &json!({"success": true, "data": {"message": {"uid": body["message_uid"]}}}))
            }
        };
        yield_now().await;
        Ok(answer)
    }
}

/// Grants that let others go on before and after each operation.
struct Yielding(Arc<InMemoryGrants>);

#[async_trait]
impl Grants for Yielding {
    async fn grant(&self, name: &str) -> Result<Option<StoredGrant>, PortError> {
        yield_now().await;
        let read = self.0.grant(name).await;
        yield_now().await;
        read
    }

    async fn begin_renewal(&self, name: &str, rev: u64, until: EpochMillis, now: EpochMillis) -> Result<Saved, PortError> {
        yield_now().await;
        let saved = self.0.begin_renewal(name, rev, until, now).await;
        yield_now().await;
        saved
    }

    async fn keep_grant(&self, name: &str, rev: u64, grant: &Grant) -> Result<Saved, PortError> {
        yield_now().await;
        let saved = self.0.keep_grant(name, rev, grant).await;
        yield_now().await;
        saved
    }
}

/// The world and the sandboxes of `outbound-deliver`: each has a memory of its own.
struct Bench {
    world: World,
    vcs: Arc<Vcs>,
    sandboxes: Vec<OutboundCtx>,
}

impl Bench {
    fn new(token_source: &str) -> Self {
        let mut directory = events::configured_with_chats();
        let account = directory.accounts.get_mut(&desk_account_id()).unwrap();
        account.settings["token_source"] = json!(token_source);
        // As fast as it goes, so that calls overlap.
        account.settings["requests_per_second"] = json!(100);
        let secrets = json!({
            "url_secrets": ["7a1e0c94d25b4f63b8e95d107c3fa286"],
            "client_id": "app-1",
            "client_secret": "hush",
            "token_keys": [KEY],
        });
        let world = World::with(&directory, secrets);
        let vcs: Arc<Vcs> = Arc::default();
        let grants: Arc<dyn Grants> = Arc::new(Yielding(world.grants.clone()));
        let sandbox = |_| OutboundCtx {
            registry: Arc::new(registry()),
            sender: vcs.clone(),
            grants: grants.clone(),
            ..world.outbound.clone()
        };
        let sandboxes = (0..SANDBOXES).map(sandbox).collect();
        Self { world, vcs, sandboxes }
    }

    /// Message `seq` of a visitor, whose session at vcita is active; its delivery.
    async fn given_message(&self, visitor: usize, seq: u64) -> DeliveryKey {
        let account = sample_account(&events::visitor_account_id());
        let mut conversation = sample_conversation(seq);
        conversation.visitor.account = account.id.clone();
        conversation.visitor.address = format!("+4207{visitor:08}");
        conversation.id = ConversationId::derive(&account.salt, &account.id, &conversation.visitor.address);
        let mut acceptance = sample_acceptance(&conversation);
        acceptance.events.clear();
        acceptance.message.content.text = format!("{visitor}/{seq}");
        assert_eq!(self.world.store.accept(&acceptance).await.unwrap(), AcceptOutcome::Stored);
        let key = acceptance.deliveries[0].delivery.key.clone();
        let changed_at = EpochMillis::new(0);
        let thread = RemoteThread { id: format!("s-{visitor}"), status: RemoteStatus::Active, changed_at, memo: Memo::new() };
        self.world.store.bind(&key.lane(), &key.recipient, &thread).await.unwrap();
        key
    }

    /// Works on the tasks, all at the same time, each in another sandbox than the one before it.
    async fn work(&self, tasks: Vec<DeliverTask>) -> Vec<Progress> {
        let until = self.world.clock.now().plus(Duration::from_secs(50));
        let work = tasks.iter().enumerate().map(|(n, task)| {
            let ctx = self.sandboxes[n % SANDBOXES].clone();
            let body = serde_json::to_string(task).unwrap();
            async move { deliver::handle(ctx, body, until).await.unwrap().1 }
        });
        join_all(work).await
    }

    /// Lets `seconds` pass, and works each second on what is due. What came of it.
    async fn pass(&self, seconds: u64) -> Vec<Progress> {
        let mut all = Vec::new();
        for _ in 0..=seconds {
            let due = self.world.queue.due(self.world.clock.now()).into_iter();
            let tasks: Vec<_> =
                due.filter_map(|task| if let QueuedTask::Deliver(task) = task { Some(task) } else { None }).collect();
            all.extend(self.work(tasks).await);
            self.world.clock.advance(Duration::from_secs(1));
        }
        all
    }

    fn state(&self, key: &DeliveryKey) -> DeliveryState {
        self.world.store.delivery(key).unwrap().state
    }

    /// Somebody of the business grants us this token.
    async fn authorised(&self, access: &str) {
        let api_base = events::configured().accounts[&desk_account_id()].settings["api_base"].as_str().map(str::to_owned);
        let api_base = api_base.unwrap_or_else(|| "https://api.vcita.biz".to_owned()).parse().unwrap();
        let business = events::configured().accounts[&desk_account_id()].settings["business_uid"].as_str().unwrap().to_owned();
        let name = grant_name(&api_base, "app-1", Some(&business));
        let tokens = Tokens { access: access.to_owned(), refresh: None, expires_at: None };
        let grant = Grant { sealed: Seals::new(&[KEY]).unwrap().seal(&name, &tokens), ..Grant::default() };
        let rev = self.world.grants.peek().get(&name).map_or(0, |stored| stored.rev);
        assert_eq!(self.world.grants.keep_grant(&name, rev, &grant).await.unwrap(), Saved::Yes);
    }
}

fn task(key: &DeliveryKey) -> DeliverTask {
    DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 0, due: None }
}

#[tokio::test]
async fn token_that_ends_in_the_middle_of_a_hundred_pushes_is_renewed_once() {
    let bench = Bench::new("service");
    let mut keys = Vec::new();
    for visitor in 0..110 {
        keys.push(bench.given_message(visitor, 1).await);
    }
    let (first, hundred) = keys.split_at(SANDBOXES);
    bench.work(first.iter().map(task).collect()).await;
    bench.pass(3).await;
    assert_eq!(bench.vcs.state().issued, 1, "all sandboxes share one");
    assert_eq!(bench.vcs.state().arrived.len(), SANDBOXES);

    bench.vcs.state().ends_after = Some(40);
    bench.work(hundred.iter().map(task).collect()).await;
    bench.pass(20).await;

    assert_eq!(bench.vcs.state().issued, 2);
    let mut arrived = bench.vcs.state().arrived.clone();
    arrived.sort();
    let mut expected: Vec<String> = (0..110).map(|visitor| format!("{visitor}/1")).collect();
    expected.sort();
    assert_eq!(arrived, expected, "each once");
    for key in &keys {
        assert!(matches!(bench.state(key), DeliveryState::Sent { .. }), "{:?}", bench.state(key));
    }
}

#[tokio::test]
async fn usable_token_in_memory_costs_no_operation() {
    let bench = Bench::new("service");
    let (first, second) = (bench.given_message(1, 1).await, bench.given_message(2, 1).await);
    bench.work(vec![task(&first)]).await;
    assert_eq!(bench.world.grants.operations(), ["grant", "begin_renewal", "keep_grant"]);
    bench.work(vec![task(&second)]).await;
    assert_eq!(bench.world.grants.operations(), [""; 0]);
    assert_eq!(bench.vcs.state().arrived, ["1/1", "2/1"]);
}

#[tokio::test]
async fn messages_of_a_refused_grant_wait_and_go_in_order_once_it_is_granted_anew() {
    let bench = Bench::new("oauth");
    bench.authorised("secret-of-iris").await;
    let (first, second) = (bench.given_message(1, 1).await, bench.given_message(1, 2).await);
    let progress = bench.work(vec![task(&first)]).await;
    assert_eq!(progress, [Progress { unauthorised: 1, ..Progress::default() }]);
    let calls = bench.vcs.state().calls;
    assert_eq!(calls, 1, "one call, and nothing renews the token");

    // An hour: twelve looks, each one read.
    bench.world.grants.operations();
    let looks = bench.pass(3600).await;
    assert_eq!(looks, [Progress { unauthorised: 1, ..Progress::default() }; 12]);
    assert_eq!(bench.world.grants.operations(), ["grant"; 12]);
    assert_eq!(bench.vcs.state().calls, calls, "nobody calls");
    assert!(matches!(bench.state(&first), DeliveryState::Parked { attempt: 0, .. }), "no attempt is counted");
    assert!(matches!(bench.state(&second), DeliveryState::Queued));
    let told = format!("{:?}", bench.world.store.peek(first.message.conversation()).stories);
    assert!(told.contains("reauth_required") && !told.contains("secret-of-iris"), "{told}");

    bench.vcs.state().good = Some("granted-anew".to_owned());
    bench.authorised("granted-anew").await;
    bench.pass(301).await;
    assert_eq!(bench.vcs.state().arrived, ["1/1", "1/2"]);
}

#[tokio::test]
async fn messages_of_a_refused_grant_are_given_up_after_a_day() {
    let bench = Bench::new("oauth");
    let key = bench.given_message(1, 1).await;
    bench.work(vec![task(&key)]).await;
    bench.world.clock.advance(Duration::from_secs(86_399));
    bench.pass(0).await;
    assert!(matches!(bench.state(&key), DeliveryState::Parked { .. }));
    bench.pass(400).await;
    assert!(matches!(bench.state(&key), DeliveryState::Failed { reason: FailureReason::Expired, .. }));
}

#[tokio::test]
async fn grants_that_cannot_be_reached_hand_the_task_back() {
    let bench = Bench::new("service");
    let key = bench.given_message(1, 1).await;
    bench.world.grants.faults().next(1, testkit::Fault::Refused);
    let until = bench.world.clock.now().plus(Duration::from_secs(50));
    let body = serde_json::to_string(&task(&key)).unwrap();
    assert!(deliver::handle(bench.sandboxes[0].clone(), body, until).await.is_err());
    assert_eq!(bench.vcs.state().calls, 0);
}
