//! The chat screen's functions with ports in memory, at the instant of the events.

use std::sync::Arc;
use std::time::Duration;

use app::chats::{AgentAct, Asking, ChatCtx, ChatOutcome, HandedOver, Handled, agent_event, hand_over, log_in, prepare};
use chat::{Agent, ChatId, ChatVisitor, Draft, SentenceId, SentenceKind};
use ctrader_functions::chat::{ChatsCtx, Rates, act, read};
use ctrader_functions::{Ctx, Session, find_brand, open_session, render};
use lambda::{HttpHandler, Roster, RosterPlans};
use model::{AccountId, Platform};
use platform_ctrader::Person;
use ports::{Clock as _, RecordChange, RecordKey, Records as _, StreamKey};
use serde_json::{Value, json};
use testkit::{
    FixedDice, InMemoryChats, InMemoryPushQueue, InMemoryRecords, InMemorySecrets, InMemoryStore, ManualClock, ManualTimers,
    events,
};

use crate::world::{HOST, request};

pub(crate) const READ: &str = "ctrader-chat";
pub(crate) const ACT: &str = "ctrader-chat-act";
/// The file of the events.
pub(crate) const UPLOAD: &str = "5eed0000000040008000000000000001";
const KEPT: Duration = Duration::from_secs(90 * 86_400);
pub(crate) const JANA: &str = "aaaaaaaa-0000-4000-8000-000000000101";

/// What the gateway is given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u64,
    pub(crate) headers: Value,
    /// JSON read, any other text as it is.
    pub(crate) body: Value,
}

impl Answer {
    /// Status and code of an error.
    pub(crate) fn refusal(&self) -> (u64, &str) {
        (self.status, self.body["error"]["code"].as_str().unwrap_or_default())
    }

    pub(crate) fn chat(&self) -> &Value {
        assert_eq!(self.status, 200, "{}", self.body);
        &self.body["chat"]
    }

    /// Counter, who, and text of each message.
    pub(crate) fn said(&self) -> Vec<(u64, &str, &str)> {
        let said = self.chat()["messages"].as_array().unwrap().iter();
        said.map(|one| (one["counter"].as_u64().unwrap(), one["from"].as_str().unwrap(), one["text"].as_str().unwrap())).collect()
    }

    /// Whether each message is delivered, and read.
    pub(crate) fn marks(&self) -> Vec<(bool, bool)> {
        let said = self.chat()["messages"].as_array().unwrap().iter();
        said.map(|one| (one["delivered"] == true, one["read"] == true)).collect()
    }
}

pub(crate) struct Screens {
    pub(crate) clock: ManualClock,
    pub(crate) chats: Arc<InMemoryChats>,
    pub(crate) records: Arc<InMemoryRecords>,
    pub(crate) timers: Arc<ManualTimers>,
    pub(crate) ctx: ChatsCtx,
}

impl Screens {
    /// User 31550462 has opened the chat screen by a link with these parameters; nobody is logged in.
    pub(crate) async fn opened(params: Value) -> Self {
        let clock = ManualClock::new();
        let port: Arc<dyn ports::Clock> = Arc::new(clock.clone());
        let store = Arc::new(InMemoryStore::with_directory(&events::configured_with_screens()));
        let secrets = Arc::new(InMemorySecrets::new());
        secrets.set(&"ctrader/broker".parse().unwrap(), json!({}));
        let roster = Arc::new(Roster::new(store.clone(), secrets, port.clone(), vec![Platform::Ctrader]));
        let (chats, records) = (Arc::new(InMemoryChats::beside(store)), Arc::new(InMemoryRecords::new()));
        let timers = Arc::new(ManualTimers::new(port.clone()));
        let base = Ctx {
            records: records.clone(),
            roster: roster.clone(),
            clock: port.clone(),
            dice: Arc::new(FixedDice::new(0)),
            kept: KEPT,
        };
        let chat_ctx = ChatCtx {
            chats: chats.clone(),
            timers: timers.clone(),
            pushes: Arc::new(InMemoryPushQueue::new(port.clone())),
            clock: port,
            plans: Arc::new(RosterPlans::new(roster, chats_frontstage::plan)),
            kept: KEPT,
        };
        let ctx = ChatsCtx { base, chats: chat_ctx, rates: Arc::new(Rates::default()) };
        let world = Self { clock, chats, records, timers, ctx };
        world.open(params).await;
        world
    }

    /// The same, with Jana at her workplace.
    pub(crate) async fn with_jana(params: Value) -> Self {
        let world = Self::opened(params).await;
        world.log_in(JANA, "101").await;
        world
    }

    pub(crate) async fn log_in(&self, agent: &str, workplace: &str) {
        log_in(&self.ctx.chats, &desk(), &agent.parse().unwrap(), &workplace.parse().unwrap()).await.unwrap();
        self.forget();
    }

    /// A chat that Jana has answered, after one message.
    pub(crate) async fn with_conversation() -> Self {
        let world = Self::with_jana(json!({})).await;
        let id = world.send(ACT, "ok").await.chat()["id"].as_str().unwrap().to_owned();
        world.jana(&id, AgentAct::Answers).await;
        world.forget();
        world
    }

    /// The session of the events.
    async fn open(&self, params: Value) {
        let found = find_brand(&self.ctx.base, &request(HOST, None)).await.unwrap();
        let now = self.clock.now();
        let session = Session {
            person: Person::new(31_550_462),
            name: Some("Inés".to_owned()),
            trading_login: Some(5_207_718),
            lang: "en".to_owned(),
            screen: "chat".to_owned(),
            params: params.as_object().unwrap().clone(),
            opened_at: now,
            seen_at: now,
        };
        let token = "0000000000000000000000000000000100000000000000000000000000000002";
        self.records.keep_records(&open_session(&found, token, &session).unwrap()).await.unwrap();
    }

    pub(crate) fn forget(&self) {
        self.chats.forget_operations();
        self.records.operations();
    }

    /// What was done in the table, the session's read first.
    pub(crate) fn operations(&self) -> Vec<&'static str> {
        self.records.operations().into_iter().chain(self.chats.operations()).collect()
    }

    /// Keeps a record of the person.
    pub(crate) async fn keep(&self, kind: &'static str, id: &str, body: &Value, lasts: Duration) {
        let group = Person::new(31_550_462).group("00000000000000000000000000000001");
        let key = RecordKey { account: "ctrader/broker".parse().unwrap(), group, kind, id: id.to_owned() };
        let change = RecordChange { key, rev: 0, body: body.to_string(), ends_at: Some(self.clock.now().plus(lasts)) };
        self.records.keep_records(&[change]).await.unwrap();
    }

    /// The file of the events, as its upload is kept.
    pub(crate) async fn keep_upload(&self, person: i64, state: &str, lasts: Duration) {
        let body = json!({"person": person, "name": "receipt.pdf", "kind": "pdf", "size": 48_213, "state": state, "object": "o"});
        let key = RecordKey {
            account: "ctrader/broker".parse().unwrap(),
            group: platform_ctrader::hashed(UPLOAD),
            kind: "upload",
            id: String::new(),
        };
        let change = RecordChange { key, rev: 0, body: body.to_string(), ends_at: Some(self.clock.now().plus(lasts)) };
        self.records.keep_records(&[change]).await.unwrap();
    }

    /// Answers an event of `events/<function>`.
    pub(crate) async fn send(&self, function: &str, case: &str) -> Answer {
        self.answer(function, events::event(function, case)).await
    }

    /// The same with another query.
    pub(crate) async fn read(&self, query: &str) -> Answer {
        let mut event: Value = events::event(READ, "ok");
        event["rawQueryString"] = json!(query);
        self.answer(READ, event).await
    }

    /// An act with another body.
    pub(crate) async fn act(&self, act: &str, body: &Value) -> Answer {
        let mut event: Value = events::event(ACT, "ok");
        event["rawPath"] = json!(format!("/inapp/api/chat/{act}"));
        event["body"] = json!(body.to_string());
        self.answer(ACT, event).await
    }

    pub(crate) async fn answer(&self, function: &str, event: Value) -> Answer {
        let ctx = self.ctx.clone();
        let handler: Box<HttpHandler> = match function {
            READ => Box::new(move |request| Box::pin(read::handle(ctx.clone(), request))),
            ACT => Box::new(move |request| Box::pin(act::handle(ctx.clone(), request))),
            _ => panic!("no such function: {function}"),
        };
        let event = serde_json::from_value(event).unwrap();
        let response = serde_json::to_value(lambda::answer(&*handler, render, event, "i-1").await).unwrap();
        let text = response["body"].as_str().unwrap_or_default();
        Answer {
            status: response["statusCode"].as_u64().unwrap(),
            headers: response["headers"].clone(),
            body: serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        }
    }

    /// What Jana does in a chat.
    pub(crate) async fn jana(&self, chat: &str, act: AgentAct) -> Handled {
        self.agent((JANA, "101", "Jana"), chat, act).await
    }

    /// What an agent does in a chat: their id, workplace and name.
    pub(crate) async fn agent(&self, (id, workplace, name): (&str, &str, &str), chat: &str, act: AgentAct) -> Handled {
        let agent = Agent { id: id.parse().unwrap(), workplace: workplace.parse().unwrap(), name: name.to_owned() };
        let chat: ChatId = chat.parse().unwrap();
        match agent_event(&self.ctx.chats, &desk(), &agent, chat, act, &Asking::default()).await.unwrap() {
            ChatOutcome::Done(handled) => {
                assert_eq!(handled.refusal, None);
                handled
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn jana_says(&self, chat: &str, id: &str, text: &str) {
        let id = SentenceId::try_from(id.to_owned()).unwrap();
        let draft = Draft::new(id, SentenceKind::Text, text.to_owned(), Some("Jana".to_owned()), None).unwrap();
        self.jana(chat, AgentAct::Speaks(draft)).await;
    }

    /// The current chat's id.
    pub(crate) async fn chat_id(&self) -> String {
        self.read("after=0").await.chat()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn hand_over(&self, to: &str) {
        let chat = self.chat_id().await.parse().unwrap();
        let handed = hand_over(&self.ctx.chats, chat, &to.parse().unwrap()).await.unwrap();
        assert!(matches!(handed, HandedOver::Yes(_)), "{handed:?}");
    }

    /// A chat that the operator prepares for the person, and how long that is remembered.
    pub(crate) async fn prepared(&self, lasts: Duration) -> ChatId {
        let directory = events::configured_with_screens();
        let gateway = &directory.accounts[&"frontstage/gw-inapp".parse().unwrap()];
        let jana = JANA.parse().unwrap();
        let chat = prepare(&self.ctx.chats, gateway, ChatVisitor::default(), Some(&jana), "t").await.unwrap();
        self.keep("prepared_chat", "", &json!({"gateway": "frontstage/gw-inapp", "chat": chat}), lasts).await;
        chat
    }

    /// The chat as it is stored.
    pub(crate) async fn stored(&self) -> chat::Chat {
        let chat: ChatId = self.chat_id().await.parse().unwrap();
        self.chats.peek(chat.conversation()).unwrap().chat
    }

    /// Everything that a connector of the gateway would be told.
    pub(crate) fn told_gateway(&self) -> usize {
        self.chats.told(&StreamKey::Gateway("frontstage/gw-inapp".parse().unwrap())).len()
    }
}

pub(crate) fn desk() -> AccountId {
    "frontstage/desk".parse().unwrap()
}
