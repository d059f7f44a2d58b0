//! The functions with ports in memory.

use std::sync::Arc;
use std::time::Duration;

use app::chats::ChatCtx;
use http::HeaderValue;
use iadvize_functions::customer::CustomerCtx;
use iadvize_functions::customer_action::ActionCtx;
use iadvize_functions::operator::OperatorCtx;
use iadvize_functions::webhook::WebhookCtx;
use iadvize_functions::{Ctx, closing_form, customer, customer_action, operator, options, render, webhook};
use lambda::{Roster, RosterPlans};
use model::{Account, AccountId, ConversationId, Directory, Platform, Tenant};
use ports::{AcceptOutcome, Clock, InboundStore as _};
use serde_json::{Value, json};
use testkit::fixtures::{NOW, sample_acceptance, sample_conversation};
use testkit::{
    InMemoryChats, InMemoryPushQueue, InMemoryQueue, InMemoryRecords, InMemorySecrets, InMemoryStore, ManualClock, ManualSleeper,
    ManualTimers, ScriptedSender,
};
use wire::signature::hmac_sha256;
use wire::{RawRequest, Reply};

/// The token of the connector that is on the first site, and on the second while it is changed.
pub(crate) const TOKEN: &str = "9f4c1d7e2ab85c3360d1f0e4b7a96c21";

/// The token of the connector that is on the third site alone.
pub(crate) const OTHER_TOKEN: &str = "0f4c1d7e2ab85c3360d1f0e4b7a96c22";

/// The agent at the desks of FrontStage.
pub(crate) const JANA: &str = "aaaaaaaa-0000-4000-8000-000000000101";

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

/// How long what was said is kept.
const KEPT: Duration = Duration::from_secs(90 * 86_400);

pub(crate) struct World {
    pub(crate) ctx: Ctx,
    pub(crate) clock: ManualClock,
    pub(crate) secrets: Arc<InMemorySecrets>,
    pub(crate) records: Arc<InMemoryRecords>,
    pub(crate) sender: Arc<ScriptedSender>,
    pub(crate) store: Arc<InMemoryStore>,
    pub(crate) queue: Arc<InMemoryQueue>,
    pub(crate) timers: Arc<ManualTimers>,
    chats: Arc<InMemoryChats>,
    directory: Directory,
}

impl World {
    /// The sites `ha-4821` and `ha-4822` of one connector, and `sd-77` of another tenant's, the first with these settings.
    pub(crate) fn with(settings: &Value) -> Self {
        Self::routed(settings, &[])
    }

    /// The same, whose tenant `demo` has routes to these desks of its own.
    pub(crate) fn routed(settings: &Value, desks: &[&str]) -> Self {
        let clock = ManualClock::new();
        let secrets = Arc::new(InMemorySecrets::new());
        let site = |key: &str, tenant: &str, website: &str, tokens: &[&str]| {
            let id: AccountId = format!("iadvize/{key}").parse().unwrap();
            let secret =
                json!({"tokens": tokens, "webhook_secret": "invented-webhook-secret", "api_password": "invented-password"});
            secrets.set(&id, secret);
            let settings = json!({ "website": website });
            Account { id, tenant: tenant.parse().unwrap(), salt: format!("salt of {key}"), settings, installed: None }
        };
        let mut shop = site("shop", "demo", "ha-4821", &[TOKEN]);
        let second = site("shop-fr", "demo", "ha-4822", &["1f4c1d7e2ab85c3360d1f0e4b7a96c23", TOKEN]);
        let rival = site("rival", "rival", "sd-77", &[OTHER_TOKEN]);
        for (name, value) in settings.as_object().unwrap() {
            shop.settings[name] = value.clone();
        }
        // Through which people write.
        let visitors = json!({"peer_address": "!Visitors", "screen": true,
            "chat": {"channel": "WebIM", "direction": "B", "project": "sales", "inactivity_timeout": 900}});
        let gateways = [
            ("gw-mail", "demo", json!({})),
            ("gw-sms", "demo", json!({})),
            ("gw-rival", "rival", visitors.clone()),
            ("gw-visitors", "demo", visitors),
        ];
        let gateways = gateways.map(|(key, tenant, settings)| Account {
            id: format!("frontstage/{key}").parse().unwrap(),
            tenant: tenant.parse().unwrap(),
            salt: format!("salt of {key}"),
            settings,
            installed: None,
        });
        let agents = json!({"desk": {"workplaces": [{"number": "101"}], "agents": [
            {"id": JANA, "name": "Jana", "workplaces": ["101"], "skills": [{"project": "sales"}], "capacity": 2}]}});
        let desk = |id: &&str| {
            let id: AccountId = id.parse().unwrap();
            let settings = if id.platform() == Platform::Frontstage { agents.clone() } else { json!({}) };
            Account { id, settings, ..second.clone() }
        };
        let desks: Vec<_> = desks.iter().map(desk).collect();
        let routes: Vec<_> = desks.iter().map(|desk| json!({"desk": desk.id})).collect();
        let tenant = |id: &str| -> Tenant {
            let routes = if id == "demo" { routes.clone() } else { Vec::new() };
            serde_json::from_value(json!({"id": id, "routes": routes})).unwrap()
        };
        let directory = Directory {
            accounts: [shop, second, rival]
                .into_iter()
                .chain(gateways)
                .chain(desks)
                .map(|account| (account.id.clone(), account))
                .collect(),
            tenants: ["demo", "rival"].map(|id| (id.parse().unwrap(), tenant(id))).into(),
        };
        let store = Arc::new(InMemoryStore::with_directory(&directory));
        let roster = Roster::new(store.clone(), secrets.clone(), Arc::new(clock.clone()), vec![Platform::Iadvize]);
        let ctx = Ctx {
            roster: Arc::new(roster),
            sites: Arc::default(),
            clock: Arc::new(clock.clone()),
            function: "iadvize-test".to_owned(),
        };
        let chats = Arc::new(InMemoryChats::beside(store.clone()));
        let (records, sender) = (Arc::new(InMemoryRecords::new()), Arc::new(ScriptedSender::new()));
        let queue = Arc::new(InMemoryQueue::new(Arc::new(clock.clone())));
        let timers = Arc::new(ManualTimers::new(Arc::new(clock.clone())));
        Self { ctx, clock, secrets, records, sender, store, queue, timers, chats, directory }
    }

    /// An account as it is configured.
    pub(crate) fn account(&self, id: &str) -> &Account {
        &self.directory.accounts[&id.parse::<AccountId>().unwrap()]
    }

    /// The chats of its gateways.
    pub(crate) fn chat_ctx(&self) -> ChatCtx {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        ChatCtx {
            chats: self.chats.clone(),
            timers: self.timers.clone(),
            pushes: Arc::new(InMemoryPushQueue::new(clock.clone())),
            clock,
            plans: Arc::new(RosterPlans::new(self.ctx.roster.clone(), chats_frontstage::plan)),
            kept: KEPT,
        }
    }

    /// Somebody writes a message to an account.
    pub(crate) async fn wrote(&self, account: &str, address: &str) {
        let account = &self.directory.accounts[&account.parse::<AccountId>().unwrap()];
        let mut conversation = sample_conversation(u64::try_from(NOW.millis()).unwrap());
        conversation.id = ConversationId::derive(&account.salt, &account.id, address);
        conversation.tenant = account.tenant.clone();
        conversation.visitor.account = account.id.clone();
        conversation.visitor.address = address.to_owned();
        assert_eq!(self.store.accept(&sample_acceptance(&conversation)).await.unwrap(), AcceptOutcome::Stored);
    }

    pub(crate) fn customer_ctx(&self) -> CustomerCtx {
        CustomerCtx { base: self.ctx.clone(), records: self.records.clone(), people: self.chats.clone(), kept: KEPT }
    }

    pub(crate) fn action_ctx(&self) -> ActionCtx {
        let sleeper = Arc::new(ManualSleeper::new(self.clock.clone()));
        let (records, sender) = (self.records.clone(), self.sender.clone());
        ActionCtx { base: self.ctx.clone(), records, sender, sleeper, kept: KEPT }
    }

    pub(crate) fn webhook_ctx(&self) -> WebhookCtx {
        let (records, queue) = (self.records.clone(), self.queue.clone());
        WebhookCtx { base: self.ctx.clone(), records, queue, kept: KEPT }
    }

    pub(crate) async fn customer(&self, request: RawRequest) -> Answer {
        let answer = customer::handle(self.customer_ctx(), request).await;
        Answer::of(&answer.unwrap_or_else(|error| render(&error, "")))
    }

    pub(crate) async fn action(&self, request: RawRequest) -> Answer {
        let answer = customer_action::handle(self.action_ctx(), request).await;
        Answer::of(&answer.unwrap_or_else(|error| render(&error, "")))
    }

    pub(crate) async fn closing_form(&self, request: RawRequest) -> Answer {
        let answer = closing_form::handle(self.ctx.clone(), request).await;
        Answer::of(&answer.unwrap_or_else(|error| render(&error, "")))
    }

    pub(crate) async fn operator(&self, event: Value) -> Value {
        let ctx = OperatorCtx { base: self.ctx.clone(), records: self.records.clone() };
        operator::handle(ctx, event).await.unwrap()
    }

    pub(crate) async fn webhook(&self, request: RawRequest) -> Answer {
        let answer = webhook::handle(self.webhook_ctx(), request).await;
        Answer::of(&answer.unwrap_or_else(|error| render(&error, "")))
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
