//! A small world of chats: one gateway, one desk with two agents, streams that are read to their end, and a clock that only
//! the test moves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use app::AppError;
use app::chats::{
    AgentAct, Asking, ChatCtx, ChatOutcome, ChatPlan, ChatWords, DeskPlan, Enters, FilledForm, Handled, Keep, Listener, News,
    Plans, Telling, VisitorAct, agent_event, agent_list, conversation_of, gateway_list, log_in, note_poll, read_stream, tick,
    visitor_event,
};
use async_trait::async_trait;
use bytes::Bytes;
use chat::desk::{AgentView, Presence};
use chat::gate::GateRules;
use chat::waiting::WaitingRules;
use chat::{
    Agent, Attendant, Chat, ChatId, ChatVisitor, Direction, Draft, Effect, FormAnswer, Policy, Refusal, Sentence, SentenceKind,
    Skill, State, TrackingId,
};
use model::{Account, AccountId, EventKey};
use ports::{Clock, Guard, OnceKey, StreamEntry, StreamKey, StreamRead};
use serde_json::{Value, json};
use testkit::fixtures::{sample_account, visitor_account_id};
use testkit::{InMemoryChats, InMemoryPushQueue, InMemoryStore, ManualClock, ManualTimers};
use uuid::Uuid;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What is told, in one line; and which envelope it answers.
pub(crate) struct Words {
    /// Whether the gateway has a connector; a browser is told nothing.
    pub(crate) has_connector: bool,
}

impl ChatWords for Words {
    fn tell(&self, telling: &Telling<'_>) -> Option<Bytes> {
        let says = match telling.news {
            News::Response { signal, .. } => format!("signal {signal:?}"),
            News::Configuration => "configuration".to_owned(),
            News::List(records) => {
                format!("list [{}]", records.iter().map(|r| state_text(&r.chat.state)).collect::<Vec<_>>().join(", "))
            }
            News::Chat { effect, record, transcript } => effect_text(effect, &record.chat, transcript, telling.to),
        };
        let re = telling.in_reply_to.map(|id| id.to_string());
        Some(json!({"seq": telling.seq, "says": says, "re": re}).to_string().into())
    }

    fn is_told(&self, to: Listener<'_>) -> bool {
        match to {
            Listener::Gateway(_) => self.has_connector,
            Listener::Agent { .. } => true,
        }
    }
}

fn state_text(state: &State) -> String {
    match state {
        State::Pilot => "Pilot".into(),
        State::Icr { .. } => "ICR".into(),
        State::Waiting { .. } => "Waiting".into(),
        State::Alerting { agent, .. } => format!("Alerting {}", agent.name),
        State::Answered { by: Attendant::Agent(agent) } => format!("Answered {}", agent.name),
        State::Answered { by: Attendant::Staff(_) } => "Answered staff".into(),
        State::Closed { reason, .. } => format!("Closed {reason:?}"),
    }
}

fn effect_text(effect: &Effect, chat: &Chat, transcript: &[Sentence], to: Listener<'_>) -> String {
    // Whoever is told of a chat is told of the one they know.
    assert!(!matches!((effect, to), (Effect::Alert { .. } | Effect::AlertEnd { .. }, Listener::Gateway(_))));
    let line = |s: &Sentence| format!("{} {}", s.counter, s.text);
    match effect {
        Effect::Status { state, sentences: None, .. } => format!("status {} g{}", state_text(state), chat.id.generation()),
        Effect::Status { state, sentences: Some(_), .. } => {
            let said: Vec<_> = transcript.iter().map(line).collect();
            format!("status {} g{} [{}]", state_text(state), chat.id.generation(), said.join(", "))
        }
        Effect::Echo { sentence, .. } => format!("echo {}", line(sentence)),
        Effect::Deliver { sentence, .. } => {
            let direction = if sentence.direction == Direction::Inbound { "in" } else { "out" };
            format!("{direction} {}", line(sentence))
        }
        Effect::Confirmed { id, .. } => format!("confirmed {}", id.as_str()),
        Effect::Typing { is_typing, .. } => format!("typing {is_typing}"),
        Effect::Alert { .. } => "alert".into(),
        Effect::AlertEnd { .. } => "alert end".into(),
        other => panic!("nobody is told {other:?}"),
    }
}

/// The plan of each gateway, and of its chats at the desks of others.
#[derive(Default)]
struct FixedPlans {
    at_home: Mutex<BTreeMap<AccountId, Arc<ChatPlan>>>,
    elsewhere: Mutex<BTreeMap<(AccountId, AccountId), Arc<ChatPlan>>>,
}

#[async_trait]
impl Plans for FixedPlans {
    async fn plan(&self, gateway: &AccountId) -> Result<Option<Arc<ChatPlan>>, AppError> {
        Ok(self.at_home.lock().unwrap().get(gateway).cloned())
    }

    async fn plan_at(&self, gateway: &AccountId, desk: &AccountId) -> Result<Option<Arc<ChatPlan>>, AppError> {
        let home = self.plan(gateway).await?;
        if home.as_ref().and_then(|plan| plan.desk.as_ref()).is_some_and(|known| known.account == *desk) {
            return Ok(home);
        }
        Ok(self.elsewhere.lock().unwrap().get(&(gateway.clone(), desk.clone())).cloned())
    }
}

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) chats: Arc<InMemoryChats>,
    pub(crate) timers: Arc<ManualTimers>,
    pub(crate) pushes: Arc<InMemoryPushQueue>,
    pub(crate) ctx: ChatCtx,
    pub(crate) gateway: Account,
    pub(crate) desk: AccountId,
    pub(crate) anna: Agent,
    pub(crate) boris: Agent,
    plans: Arc<FixedPlans>,
    cursors: Mutex<BTreeMap<StreamKey, u64>>,
    envelopes: Mutex<u128>,
}

pub(crate) fn tracking(text: &str) -> TrackingId {
    text.to_owned().try_into().unwrap()
}

pub(crate) fn draft(id: &str, text: &str) -> Draft {
    Draft::new(id.to_owned().try_into().unwrap(), SentenceKind::Text, text.to_owned(), None, None).unwrap()
}

pub(crate) fn says(id: &str, text: &str) -> VisitorAct {
    VisitorAct::Speaks(draft(id, text))
}

pub(crate) fn writes(id: &str, text: &str) -> AgentAct {
    AgentAct::Speaks(draft(id, text))
}

pub(crate) fn start() -> VisitorAct {
    VisitorAct::Start {
        visitor: ChatVisitor { party_name: Some("Eva".into()), ..ChatVisitor::default() },
        ext_response: None,
        form: None,
        enters: Enters::None,
    }
}

/// A form of the name `question`, with answers in numbers.
pub(crate) fn filled(id: &str, answers: &[(&str, i64)]) -> FilledForm {
    let answer = |(control, number): &(&str, i64)| FormAnswer {
        control: (*control).to_owned(),
        number: Some(*number),
        ..FormAnswer::default()
    };
    FilledForm {
        id: id.parse().unwrap(),
        changes: None,
        form: "question".parse().unwrap(),
        answers: answers.iter().map(answer).collect(),
        memo: model::Memo::new(),
        task: None,
        filled_at: testkit::fixtures::NOW,
    }
}

pub(crate) fn entry_says(entry: &StreamEntry) -> String {
    if entry.body.is_empty() {
        return "skip".into();
    }
    let body: Value = serde_json::from_slice(&entry.body).unwrap();
    assert_eq!(body["seq"], entry.seq);
    body["says"].as_str().unwrap().to_owned()
}

pub(crate) fn texts(entries: &[StreamEntry]) -> Vec<String> {
    entries.iter().map(entry_says).collect()
}

impl World {
    /// Nobody is logged in yet.
    pub(crate) fn new() -> Self {
        Self::with(Policy::default())
    }

    pub(crate) fn with(policy: Policy) -> Self {
        Self::beside(ManualClock::new(), Arc::default(), policy)
    }

    /// Beside a world of messages.
    pub(crate) fn beside(clock: ManualClock, messages: Arc<InMemoryStore>, policy: Policy) -> Self {
        let chats = Arc::new(InMemoryChats::beside(messages));
        let timers = Arc::new(ManualTimers::new(Arc::new(clock.clone())));
        let plans = Arc::new(FixedPlans::default());
        let pushes = Arc::new(InMemoryPushQueue::new(Arc::new(clock.clone())));
        let ctx = ChatCtx {
            chats: chats.clone(),
            timers: timers.clone(),
            pushes: pushes.clone(),
            clock: Arc::new(clock.clone()),
            plans: plans.clone(),
            kept: std::time::Duration::from_secs(90 * 86_400),
        };
        let agent = |id: &str, workplace: &str, name: &str| Agent {
            id: id.parse().unwrap(),
            workplace: workplace.parse().unwrap(),
            name: name.to_owned(),
        };
        let world = Self {
            clock,
            chats,
            timers,
            pushes,
            ctx,
            gateway: sample_account(&visitor_account_id()),
            desk: "frontstage/desk".parse().unwrap(),
            anna: agent("anna", "101", "Anna"),
            boris: agent("boris", "102", "Boris"),
            plans,
            cursors: Mutex::default(),
            envelopes: Mutex::default(),
        };
        world.configure(|plan| plan.policy = policy);
        world
    }

    /// Nobody is logged in, and the gate is open all the same.
    pub(crate) fn open(policy: Policy) -> Self {
        let world = Self::new();
        world.configure(|plan| {
            plan.policy = policy;
            plan.gate = serde_json::from_str(r#"{"gateway":[{"then":{"signal":"free"}}]}"#).unwrap();
        });
        world
    }

    /// The agents log in, Anna first.
    pub(crate) async fn staffed(policy: Policy) -> Self {
        let world = Self::with(policy);
        world.log_in(&world.anna).await;
        world.clock.advance(SECOND);
        world.log_in(&world.boris).await;
        world
    }

    /// Configures the gateway's chats anew.
    pub(crate) fn configure(&self, change: impl FnOnce(&mut ChatPlan)) {
        self.plans.at_home.lock().unwrap().insert(self.gateway.id.clone(), Arc::new(self.plan(change)));
    }

    /// Lets the gateway speak in other words from now on, as it is configured otherwise.
    pub(crate) fn configure_words(&self, words: Words) {
        let mut plans = self.plans.at_home.lock().unwrap();
        let plan = Arc::get_mut(plans.get_mut(&self.gateway.id).unwrap()).unwrap();
        plan.words = Arc::new(words);
    }

    /// Configures another desk that chats of the gateway can be given to.
    pub(crate) fn configure_at(&self, desk: &AccountId, change: impl FnOnce(&mut ChatPlan)) {
        let plan = self.plan(|plan| {
            plan.desk.as_mut().unwrap().account = desk.clone();
            change(plan);
        });
        self.plans.elsewhere.lock().unwrap().insert((self.gateway.id.clone(), desk.clone()), Arc::new(plan));
    }

    fn plan(&self, change: impl FnOnce(&mut ChatPlan)) -> ChatPlan {
        let skill = Skill { project: "sales".parse().unwrap(), language: None };
        let view = |agent: &Agent| AgentView {
            id: agent.id.clone(),
            name: agent.name.clone(),
            skills: vec![skill.clone()],
            presence: Presence::LoggedOut,
            chats: 0,
            capacity: 1,
        };
        let agents = Some(vec![view(&self.anna), view(&self.boris)]);
        let mut plan = ChatPlan {
            policy: Policy::default(),
            gate: GateRules::default(),
            skill: Some(skill.clone()),
            desk: Some(DeskPlan { account: self.desk.clone(), agents, is_open: true, staff_name: None }),
            others: Vec::new(),
            script: None,
            waiting_rules: WaitingRules::default(),
            list_recently: None,
            is_pushed: false,
            words: Arc::new(Words { has_connector: true }),
        };
        change(&mut plan);
        plan
    }

    pub(crate) async fn log_in(&self, agent: &Agent) {
        log_in(&self.ctx, &self.desk, &agent.id, &agent.workplace).await.unwrap();
    }

    /// An envelope as a function makes it: with a nonce, and kept under its id.
    pub(crate) fn envelope(&self) -> Asking {
        let mut envelopes = self.envelopes.lock().unwrap();
        *envelopes += 1;
        self.envelope_of(*envelopes, &format!("nonce-{envelopes}"), "same")
    }

    pub(crate) fn envelope_of(&self, id: u128, nonce: &str, fingerprint: &str) -> Asking {
        let id = Uuid::from_u128(id);
        let key = |kind, name: &str| OnceKey {
            account: self.gateway.id.clone(),
            name: EventKey::new(kind, [name]),
            expires_at: self.clock.now().plus(Duration::from_secs(86_400)),
        };
        Asking {
            in_reply_to: Some(id),
            is_async: false,
            guards: vec![Guard::Once(key("nonce", nonce))],
            kept: Some(Keep { key: key("envelope", &id.to_string()), fingerprint: fingerprint.to_owned() }),
        }
    }

    pub(crate) async fn try_visitor(&self, thread: &str, act: VisitorAct, asking: &Asking) -> Result<ChatOutcome, AppError> {
        visitor_event(&self.ctx, &self.gateway, &tracking(thread), act, asking).await
    }

    /// The answers to what the visitor does, and the refusal.
    pub(crate) async fn visitor_may(&self, thread: &str, act: VisitorAct) -> (Vec<String>, Option<Refusal>) {
        let asking = self.envelope();
        settled(self.try_visitor(thread, act, &asking).await.unwrap(), &asking)
    }

    pub(crate) async fn visitor(&self, thread: &str, act: VisitorAct) -> Vec<String> {
        let (answers, refusal) = self.visitor_may(thread, act).await;
        assert_eq!(refusal, None);
        answers
    }

    pub(crate) async fn try_agent(
        &self,
        agent: &Agent,
        chat: ChatId,
        act: AgentAct,
        asking: &Asking,
    ) -> Result<ChatOutcome, AppError> {
        agent_event(&self.ctx, &self.desk, agent, chat, act, asking).await
    }

    pub(crate) async fn agent_may(&self, agent: &Agent, thread: &str, act: AgentAct) -> (Vec<String>, Option<Refusal>) {
        let asking = self.envelope();
        settled(self.try_agent(agent, self.chat(thread).id, act, &asking).await.unwrap(), &asking)
    }

    pub(crate) async fn agent(&self, agent: &Agent, thread: &str, act: AgentAct) -> Vec<String> {
        let (answers, refusal) = self.agent_may(agent, thread, act).await;
        assert_eq!(refusal, None);
        answers
    }

    pub(crate) async fn gateway_list(&self) -> Vec<String> {
        let asking = self.envelope();
        settled(gateway_list(&self.ctx, &self.gateway.id, &asking).await.unwrap(), &asking).0
    }

    pub(crate) async fn agent_list(&self, agent: &Agent) -> Vec<String> {
        let asking = self.envelope();
        settled(agent_list(&self.ctx, &self.desk, agent, &Words { has_connector: true }, &asking).await.unwrap(), &asking).0
    }

    pub(crate) fn chat(&self, thread: &str) -> Chat {
        self.chats.peek(conversation_of(&self.gateway, &tracking(thread))).unwrap().chat
    }

    pub(crate) fn state(&self, thread: &str) -> String {
        state_text(&self.chat(thread).state)
    }

    pub(crate) fn gateway_stream(&self) -> StreamKey {
        StreamKey::Gateway(self.gateway.id.clone())
    }

    pub(crate) fn agent_stream(&self, agent: &Agent) -> StreamKey {
        StreamKey::Workplace(self.desk.clone(), agent.workplace.clone())
    }

    /// What is new in a stream since it was read last.
    pub(crate) async fn events(&self, stream: &StreamKey) -> Vec<String> {
        let after = self.cursors.lock().unwrap().get(stream).copied().unwrap_or_default();
        let StreamRead::Page(page) = read_stream(&self.ctx, stream, after, 1000).await.unwrap() else { panic!("expired") };
        self.cursors.lock().unwrap().insert(stream.clone(), page.next);
        texts(&page.entries)
    }

    /// What is new for the connector.
    pub(crate) async fn told(&self) -> Vec<String> {
        self.events(&self.gateway_stream()).await
    }

    /// What is new for an agent, whose client polls.
    pub(crate) async fn told_to(&self, agent: &Agent) -> Vec<String> {
        note_poll(&self.ctx, &self.desk, &agent.workplace).await.unwrap();
        self.events(&self.agent_stream(agent)).await
    }

    pub(crate) async fn forget_told(&self) {
        self.told().await;
        self.told_to(&self.anna).await;
        self.told_to(&self.boris).await;
    }

    /// Lets timers fire as they come, until `by` is over. Agents' clients poll.
    pub(crate) async fn wait(&self, by: Duration) {
        let end = self.clock.now().plus(by);
        while let Some(next) = self.timers.next_due().filter(|next| *next <= end) {
            self.clock.set(next.max(self.clock.now()));
            for agent in [&self.anna, &self.boris] {
                note_poll(&self.ctx, &self.desk, &agent.workplace).await.unwrap();
            }
            for task in self.timers.due() {
                tick(&self.ctx, &task).await.unwrap();
            }
        }
        self.clock.set(end);
    }

    pub(crate) async fn load(&self, agent: &Agent) -> u32 {
        let agents = ports::Chats::agents(self.chats.as_ref(), &self.desk).await.unwrap();
        agents.iter().find(|seen| seen.id == agent.id).map_or(0, |seen| seen.chats)
    }
}

fn settled(outcome: ChatOutcome, asking: &Asking) -> (Vec<String>, Option<Refusal>) {
    let ChatOutcome::Done(Handled { answers, is_duplicate: false, refusal, .. }) = outcome else { panic!("{outcome:?}") };
    assert!(answers.iter().all(|entry| entry.is_delivered));
    if let Some(last) = answers.last() {
        let body: Value = serde_json::from_slice(&last.body).unwrap();
        assert_eq!(body["re"], asking.in_reply_to.unwrap().to_string(), "the last of them is the answer");
    }
    (texts(&answers), refusal)
}
