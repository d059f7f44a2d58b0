//! The functions with ports in memory, at the instant of the events.

use std::sync::Arc;

use app::chats::{AgentAct, Asking, ChatCtx, ChatOutcome, Handled, agent_event, log_in};
use chat::{Agent, ChatId, Draft, SentenceId, SentenceKind};
use lambda::{HttpHandler, Roster, RosterPlans};
use model::{AccountId, ConversationId, Platform};
use ports::{InboundStore, StoredResult, StreamKey};
use serde_json::{Value, json};
use testkit::{
    FixedDice, InMemoryChats, InMemoryPushQueue, InMemoryQueue, InMemorySecrets, InMemoryStore, ManualClock, ManualTimers, events,
};
use website_functions::{
    Ctx, agent_image, chat as chat_route, co_browsing, confirm, navigation, render, result, routing, scenario, script, sentence,
    start, stop, typing,
};

pub(crate) const JANA: &str = "aaaaaaaa-0000-4000-8000-000000000101";
/// The visitor of the events, and the cookie under the key of the tests.
pub(crate) const VISITOR: &str = "00010203-0405-4607-8809-0a0b0c0d0e0f.d4e21e2776c7f073bc5d822489725e4f";
pub(crate) const CHAT: &str = "012e124d-a7a2-829e-a614-580000000001";

/// Every route.
pub(crate) const FUNCTIONS: [&str; 13] = [
    "website-script",
    "website-routing",
    "website-chat",
    "website-start",
    "website-sentence",
    "website-typing",
    "website-confirm",
    "website-stop",
    "website-navigation",
    "website-agent-image",
    "website-scenario",
    "website-result",
    "website-co-browsing",
];

/// What the gateway is given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u64,
    pub(crate) headers: Value,
    pub(crate) cookies: Value,
    /// JSON read, any other text as it is.
    pub(crate) body: Value,
    pub(crate) is_base64: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.as_str()
    }

    /// Status and code of an error.
    pub(crate) fn refusal(&self) -> (u64, &str) {
        (self.status, self.body["Error"]["Code"].as_str().unwrap_or_default())
    }

    /// Counter, direction, text and confirmation of each sentence.
    pub(crate) fn said(&self) -> Vec<(u64, bool, String, bool)> {
        let said = self.body["Sentences"].as_array().unwrap().iter();
        said.map(|one| {
            let text = one["Text"].as_str().unwrap().to_owned();
            (one["Counter"].as_u64().unwrap(), one["IsOutbound"] == true, text, one["IsConfirmed"] == true)
        })
        .collect()
    }
}

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) chats: Arc<InMemoryChats>,
    pub(crate) store: Arc<InMemoryStore>,
    ctx: Ctx,
}

impl World {
    /// The functions of a shop in which nobody is logged in.
    pub(crate) fn new() -> Self {
        Self::configured(events::event("operator-configure", "website"))
    }

    /// The same, as an operator configured it.
    pub(crate) fn configured(configured: Value) -> Self {
        let clock = ManualClock::new();
        let mut directory = events::configured();
        let tenant: model::Tenant = serde_json::from_value(configured["tenant"].clone()).unwrap();
        for written in configured["accounts"].as_array().unwrap() {
            let id = AccountId::new(Platform::Frontstage, written["key"].as_str().unwrap().parse().unwrap());
            let account = model::Account { settings: written["settings"].clone(), ..testkit::fixtures::sample_account(&id) };
            directory.accounts.insert(id, account);
        }
        directory.tenants.insert(tenant.id.clone(), tenant);
        let store = Arc::new(InMemoryStore::with_directory(&directory));
        let secrets = Arc::new(InMemorySecrets::new());
        let gateway = |key: &str| format!("frontstage/{key}").parse().unwrap();
        secrets.set(&gateway("gw-web"), json!({"cookie_keys": ["6b".repeat(32)]}));
        secrets.set(&gateway("gw-mail"), json!({"keys": [{"id": "k1", "secret": "contract-demo-secret-001"}]}));
        let clock_port: Arc<dyn ports::Clock> = Arc::new(clock.clone());
        let roster = Arc::new(Roster::new(store.clone(), secrets, clock_port.clone(), vec![Platform::Frontstage]));
        let chats = Arc::new(InMemoryChats::new());
        let chat_ctx = ChatCtx {
            chats: chats.clone(),
            timers: Arc::new(ManualTimers::new(clock_port.clone())),
            pushes: Arc::new(InMemoryPushQueue::new(clock_port.clone())),
            clock: clock_port,
            plans: Arc::new(RosterPlans::new(roster.clone(), chats_frontstage::plan)),
            kept: std::time::Duration::from_secs(90 * 86_400),
        };
        let dice = Arc::new(FixedDice::new(0));
        let messages = Some(app::Ctx::<dyn InboundStore> {
            store: store.clone(),
            queue: Arc::new(InMemoryQueue::new(Arc::new(clock.clone()))),
            clock: Arc::new(clock.clone()),
            dice: dice.clone(),
        });
        let ctx = Ctx { chats: chat_ctx, dice, roster, sites: Arc::default(), polls: Arc::default(), messages };
        Self { clock, chats, store, ctx }
    }

    /// The same with Jana at her workplace.
    pub(crate) async fn with_jana() -> Self {
        let world = Self::new();
        world.log_in().await;
        world
    }

    pub(crate) async fn log_in(&self) {
        log_in(&self.ctx.chats, &desk(), &JANA.parse().unwrap(), &"101".parse().unwrap()).await.unwrap();
        self.chats.forget_operations();
    }

    /// A chat that Jana has answered, after one sentence of the visitor.
    pub(crate) async fn with_conversation() -> Self {
        let world = Self::with_jana().await;
        assert_eq!(world.send("website-start", "ok").await.status, 200);
        assert_eq!(world.send("website-sentence", "ok").await.status, 200);
        world.jana(AgentAct::Answers).await;
        world.chats.forget_operations();
        world
    }

    /// Answers an event of `events/<function>`.
    pub(crate) async fn send(&self, function: &str, case: &str) -> Answer {
        self.answer(function, events::event(function, case)).await
    }

    /// The same with one more header.
    pub(crate) async fn send_with(&self, function: &str, case: &str, header: &str, value: &str) -> Answer {
        let mut event: Value = events::event(function, case);
        event["headers"][header] = json!(value);
        self.answer(function, event).await
    }

    pub(crate) async fn answer(&self, function: &str, event: Value) -> Answer {
        let ctx = self.ctx.clone();
        let handler: Box<HttpHandler> = match function {
            "website-script" => Box::new(move |request| Box::pin(script::handle(ctx.clone(), request))),
            "website-routing" => Box::new(move |request| Box::pin(routing::handle(ctx.clone(), request))),
            "website-chat" => Box::new(move |request| Box::pin(chat_route::handle(ctx.clone(), request))),
            "website-start" => Box::new(move |request| Box::pin(start::handle(ctx.clone(), request))),
            "website-sentence" => Box::new(move |request| Box::pin(sentence::handle(ctx.clone(), request))),
            "website-typing" => Box::new(move |request| Box::pin(typing::handle(ctx.clone(), request))),
            "website-confirm" => Box::new(move |request| Box::pin(confirm::handle(ctx.clone(), request))),
            "website-stop" => Box::new(move |request| Box::pin(stop::handle(ctx.clone(), request))),
            "website-navigation" => Box::new(move |request| Box::pin(navigation::handle(ctx.clone(), request))),
            "website-scenario" => Box::new(move |request| Box::pin(scenario::handle(ctx.clone(), request))),
            "website-result" => Box::new(move |request| Box::pin(result::handle(ctx.clone(), request))),
            "website-co-browsing" => Box::new(move |request| Box::pin(co_browsing::handle(ctx.clone(), request))),
            "website-agent-image" => Box::new(move |request| Box::pin(agent_image::handle(ctx.clone(), request))),
            _ => panic!("no such function: {function}"),
        };
        let event = serde_json::from_value(event).unwrap();
        let response = serde_json::to_value(lambda::answer(&*handler, render, event, "i-1").await).unwrap();
        let text = response["body"].as_str().unwrap_or_default();
        Answer {
            status: response["statusCode"].as_u64().unwrap(),
            headers: response["headers"].clone(),
            cookies: response["cookies"].clone(),
            body: serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
            is_base64: response["isBase64Encoded"] == true,
        }
    }

    /// What Jana does in the chat.
    pub(crate) async fn jana(&self, act: AgentAct) -> Handled {
        let agent = Agent { id: JANA.parse().unwrap(), workplace: "101".parse().unwrap(), name: "Jana".to_owned() };
        let chat: ChatId = CHAT.parse().unwrap();
        match agent_event(&self.ctx.chats, &desk(), &agent, chat, act, &Asking::default()).await.unwrap() {
            ChatOutcome::Done(handled) => {
                assert_eq!(handled.refusal, None);
                handled
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn jana_says(&self, id: &str, text: &str) {
        let id = SentenceId::try_from(id.to_owned()).unwrap();
        self.jana(AgentAct::Speaks(Draft::new(id, SentenceKind::Text, text.to_owned(), Some("Jana".to_owned()), None).unwrap()))
            .await;
    }

    /// Names of everything that Jana's client was told.
    pub(crate) fn told_jana(&self) -> Vec<String> {
        self.envelopes_of_jana().into_iter().map(|envelope| envelope["Msg"].as_str().unwrap().to_owned()).collect()
    }

    /// Everything that Jana's client was told.
    pub(crate) fn envelopes_of_jana(&self) -> Vec<Value> {
        let stream = StreamKey::Workplace(desk(), "101".parse().unwrap());
        let told = self.chats.told(&stream).into_iter().filter(|entry| !entry.body.is_empty());
        told.map(|entry| {
            let name = chats_frontstage::stream_name(&stream);
            let node = platform_frontstage::given_envelope(&entry.body, &name, entry.seq, entry.at).unwrap();
            serde_json::from_slice(&platform_frontstage::Format::Json.write(&node)).unwrap()
        })
        .collect()
    }

    /// Everything that a connector of the gateway would be told.
    pub(crate) fn told_gateway(&self) -> usize {
        self.chats.told(&StreamKey::Gateway("frontstage/gw-web".parse().unwrap())).len()
    }

    /// The forms that are stored.
    pub(crate) fn results(&self) -> Vec<StoredResult> {
        self.chats.results_of(&"frontstage/gw-web".parse().unwrap())
    }

    /// The chat as it is stored.
    pub(crate) fn stored(&self) -> Option<chat::Chat> {
        let conversation: ConversationId = CHAT.parse::<ChatId>().unwrap().conversation();
        self.chats.peek(conversation).map(|record| record.chat)
    }
}

pub(crate) fn desk() -> AccountId {
    "frontstage/desk-web".parse().unwrap()
}
