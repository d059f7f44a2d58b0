//! A small world: both ends of a conversation, the queues between them, and a clock that only the test moves.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use app::{Accepted, AppError, Ctx, OutboundCtx, Progress, Recipients, Registry, SettleCtx, TermsRegistry};
use async_trait::async_trait;
use model::{
    Account, AccountId, AckMode, Acknowledgement, Author, Content, Delivery, DeliveryContent, DeliveryKey, DeliveryPolicy,
    DeliveryState, DeskMessage, Directory, EpochMillis, EventKey, Memo, MessageDetails, MessageId, Platform, RemoteStatus, Route,
    RouteWhen, StoryEntry, StoryEvent, VisitorMessage,
};
use ports::{Clock, DeliveryStore};
use serde_json::{Value, json};
use testkit::fixtures::{desk_account_id, sample_account, sample_directory, visitor_account_id};
use testkit::{
    FixedDice, InMemoryChats, InMemoryGrants, InMemoryPaces, InMemoryPushQueue, InMemoryQueue, InMemoryStore, ManualClock,
    ManualSleeper, QueuedTask, ScriptedSender,
};
use url::Url;
use wire::{
    CallFailure, Capabilities, Exchange, HttpAnswer, HttpCall, Input, Job, Outbound, Outcome, Pace, Step, Terms, TypingJob,
};

/// What the invented recipients do with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 200: taken.
    Taken,
    /// Taken, and the acknowledgement is in the answer.
    TakenAndAcknowledged,
    /// The same, beside other words.
    TakenWith(&'static str),
    /// This HTTP status.
    Status(u16),
    /// 429 with the wish to come again after so many seconds.
    TooFast(u64),
    /// The time was over; it may have arrived.
    Lost,
}

/// One recipient. `separate` is how it acknowledges.
struct Recipient {
    separate: bool,
    polls: Arc<AtomicBool>,
    needs_thread: bool,
    park_next: Arc<AtomicBool>,
    /// Calls a second, and how many calls each attempt takes; `None` for any pace.
    pace: Option<u32>,
    calls: u32,
}

impl Terms for Recipient {
    fn policy(&self, _content: DeliveryContent) -> DeliveryPolicy {
        let seconds = Duration::from_secs;
        if self.separate {
            DeliveryPolicy {
                ack: AckMode::Separate { timeout: seconds(90) },
                max_attempts: 3,
                retry_delays: vec![seconds(30), seconds(120)],
                delay_cap: seconds(900),
                jitter: false,
                give_up_after: seconds(86_400),
            }
        } else {
            DeliveryPolicy {
                ack: AckMode::InAnswer { lease: seconds(60) },
                max_attempts: 1000,
                retry_delays: vec![seconds(1), seconds(2), seconds(4)],
                delay_cap: seconds(60),
                jitter: false,
                give_up_after: seconds(86_400),
            }
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { receipts: !self.separate }
    }
}

impl Outbound for Recipient {
    fn is_polled(&self, _account: &Account) -> bool {
        self.polls.load(Ordering::SeqCst)
    }

    /// The text, unless there are no words for it.
    fn offered(&self, job: &Job) -> Option<Vec<u8>> {
        Some(job.message.content.text.clone().into_bytes()).filter(|text| text != b"unspeakable")
    }

    fn installation(&self, _account: &Account) -> Option<String> {
        self.pace.map(|_| "channel-1".to_owned())
    }

    fn pace(&self, account: &Account, _secrets: &Value) -> Option<Pace> {
        self.pace.map(|per_second| Pace { key: account.id.to_string(), per_second })
    }

    fn exchange(&self, job: Job) -> Box<dyn Exchange> {
        let park = self.park_next.load(Ordering::SeqCst);
        Box::new(Attempt { separate: self.separate, needs_thread: self.needs_thread, park, calls: self.calls, job })
    }

    fn typing(&self, job: TypingJob) -> Option<Box<dyn Exchange>> {
        (job.thread.status == RemoteStatus::Active).then(|| Box::new(Typing(job)) as Box<dyn Exchange>)
    }
}

/// One call, whatever comes of it.
struct Typing(TypingJob);

impl Exchange for Typing {
    fn resume(&mut self, input: Input, _: EpochMillis) -> Step {
        match input {
            Input::Answered(Ok(answer)) if answer.status.is_success() => Step::Finish(Outcome::Acknowledged { reference: None }),
            Input::Answered(_) => Step::Finish(Outcome::Unanswered { retry_after: None, reason: "no".into() }),
            _ => Step::Call(call(&json!({"session": self.0.thread.id, "typing": self.0.is_typing}))),
        }
    }
}

fn call(body: &Value) -> HttpCall {
    HttpCall {
        method: http::Method::POST,
        url: Url::parse("https://recipient.example/push").unwrap(),
        headers: http::HeaderMap::new(),
        body: body.to_string().into(),
        timeout: Duration::from_secs(10),
    }
}

struct Attempt {
    separate: bool,
    needs_thread: bool,
    park: bool,
    calls: u32,
    job: Job,
}

impl Exchange for Attempt {
    fn resume(&mut self, input: Input, now: EpochMillis) -> Step {
        let parked = Outcome::Parked { until: now.plus(Duration::from_secs(60)), reason: "session pending" };
        match input {
            Input::Start if self.park => Step::Finish(parked),
            Input::Start if self.needs_thread && self.job.delivery.key.content == DeliveryContent::Message => {
                match self.job.thread.as_ref().map(|thread| thread.status) {
                    Some(RemoteStatus::Active) => self.push(),
                    Some(RemoteStatus::Pending) => Step::Finish(parked),
                    _ => Step::Bind { id: "session-1".into(), status: RemoteStatus::Pending, memo: Memo::new() },
                }
            }
            Input::Start => self.push(),
            Input::Bound(RemoteStatus::Active) => self.push(),
            Input::Bound(_) | Input::Grant(_) => Step::Finish(parked),
            Input::Answered(Ok(answer)) if self.calls > 1 && answer.status.is_success() => {
                self.calls -= 1;
                self.push()
            }
            Input::Answered(Ok(answer)) => Step::Finish(self.read(&answer, now)),
            Input::Answered(Err(failure)) => Step::Finish(Outcome::Unanswered { retry_after: None, reason: failure.to_string() }),
        }
    }
}

impl Attempt {
    fn push(&self) -> Step {
        Step::Call(call(&json!({"delivery": self.job.delivery.key.to_string(), "text": self.job.message.content.text})))
    }

    fn read(&self, answer: &HttpAnswer, now: EpochMillis) -> Outcome {
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        match answer.status.as_u16() {
            200..300 if !self.separate => Outcome::Acknowledged { reference: None },
            200..300 => {
                let own =
                    Acknowledgement { message: self.job.message.id, result: Ok(None), route: None, alias: None, said_at: None };
                Outcome::Pushed {
                    acknowledgements: if said["acknowledged"] == true { vec![own] } else { Vec::new() },
                    said: said["says"].as_str().map(str::to_owned),
                }
            }
            404 if self.job.installation.is_some() => Outcome::Uninstalled { detail: "no channel".into() },
            429 if !self.separate => Outcome::PutOff { retry_after: answer.retry_after(now.seconds()), reason: "429".into() },
            status @ 400..500 if status != 429 => {
                if self.separate {
                    Outcome::Refused { status }
                } else {
                    Outcome::Rejected { detail: "no".into() }
                }
            }
            _ => Outcome::Unanswered { retry_after: None, reason: "5xx".into() },
        }
    }
}

struct Platforms {
    frontstage: Recipient,
    vcita: Recipient,
}

impl TermsRegistry for Platforms {
    fn terms(&self, platform: Platform) -> &dyn Terms {
        self.outbound(platform)
    }
}

impl Registry for Platforms {
    fn outbound(&self, platform: Platform) -> &dyn Outbound {
        match platform {
            Platform::Frontstage => &self.frontstage,
            Platform::Vcita => &self.vcita,
            Platform::Ctrader | Platform::Iadvize | Platform::Roxchat => unreachable!("no test has it as a recipient"),
        }
    }
}

struct Configured(Directory);

#[async_trait]
impl Recipients for Configured {
    async fn find(&self, account: &AccountId) -> Result<Option<(Account, Value)>, AppError> {
        Ok(self.0.accounts.get(account).map(|found| (found.clone(), Value::Null)))
    }
}

/// The world.
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) store: Arc<InMemoryStore>,
    pub(crate) queue: Arc<InMemoryQueue>,
    pub(crate) heard: Arc<InMemoryPushQueue>,
    /// Where the stream of a visitor account that polls is.
    pub(crate) chats: Arc<InMemoryChats>,
    pub(crate) paces: Arc<InMemoryPaces>,
    pub(crate) outbound: OutboundCtx,
    pub(crate) directory: Directory,
    /// Every push that reached a recipient: delivery and text, in order.
    pub(crate) arrived: Arc<Mutex<Vec<(DeliveryKey, String)>>>,
    /// Every call that told the desk of typing, whatever the answer: thread, and whether the visitor types.
    pub(crate) typing: Arc<Mutex<Vec<(String, bool)>>>,
    /// When whom was called, in order.
    pub(crate) calls: Arc<Mutex<Vec<(EpochMillis, AccountId)>>>,
    answers: Arc<Mutex<BTreeMap<AccountId, Vec<Answer>>>>,
    /// Whether the visitor's connector polls for its messages.
    pub(crate) polls: Arc<AtomicBool>,
    /// The desk is not ready, for a reason outside the conversation.
    pub(crate) park_next: Arc<AtomicBool>,
    /// Totals of the progress reported so far.
    pub(crate) progress: Mutex<Progress>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::build(false)
    }

    /// A world in which the desk needs a session before it takes messages.
    pub(crate) fn with_sessions() -> Self {
        Self::build(true)
    }

    /// A world whose desks take at most so many calls a second, each message in so many calls. Visitors of the gateway
    /// `frontstage/gw-other` are answered by the desk `vcita/other`.
    pub(crate) fn with_pace(per_second: u32, calls_each: u32) -> Self {
        Self::build_with(false, Some(per_second), calls_each)
    }

    fn build(needs_thread: bool) -> Self {
        Self::build_with(needs_thread, None, 1)
    }

    fn build_with(needs_thread: bool, pace: Option<u32>, calls_each: u32) -> Self {
        let clock = ManualClock::new();
        let mut directory = sample_directory();
        let [gateway, desk]: [AccountId; 2] = ["frontstage/gw-other", "vcita/other"].map(|id| id.parse().unwrap());
        for id in [&gateway, &desk] {
            directory.accounts.insert(id.clone(), sample_account(id));
        }
        if pace.is_some() {
            let when = RouteWhen { account: Some(gateway), ..RouteWhen::default() };
            let tenant = directory.tenants.values_mut().next().unwrap();
            tenant.routes.insert(0, Route { when, desk });
        }
        let store = Arc::new(InMemoryStore::with_directory(&directory));
        let queue = Arc::new(InMemoryQueue::new(Arc::new(clock.clone())));
        let arrived: Arc<Mutex<Vec<(DeliveryKey, String)>>> = Arc::default();
        let answers: Arc<Mutex<BTreeMap<AccountId, Vec<Answer>>>> = Arc::default();
        let typing: Arc<Mutex<Vec<(String, bool)>>> = Arc::default();
        let calls: Arc<Mutex<Vec<(EpochMillis, AccountId)>>> = Arc::default();
        let (log, script, typed) = (arrived.clone(), answers.clone(), typing.clone());
        let (called, watch) = (calls.clone(), clock.clone());
        let sender = ScriptedSender::responding(move |call| {
            let body: Value = serde_json::from_slice(&call.body).unwrap();
            if let Some(session) = body["session"].as_str() {
                typed.lock().unwrap().push((session.to_owned(), body["typing"].as_bool().unwrap()));
                let planned = script.lock().unwrap().get_mut(&desk_account_id()).and_then(Vec::pop);
                return Ok(ScriptedSender::json(if planned.is_none() { 200 } else { 500 }, &json!({})));
            }
            let key: DeliveryKey = body["delivery"].as_str().unwrap().parse().unwrap();
            called.lock().unwrap().push((watch.now(), key.recipient.clone()));
            let mut script = script.lock().unwrap();
            let planned = script.get_mut(&key.recipient).filter(|list| !list.is_empty()).map(|list| list.remove(0));
            let answer = planned.unwrap_or(Answer::Taken);
            if !matches!(answer, Answer::Status(_) | Answer::TooFast(_)) {
                log.lock().unwrap().push((key, body["text"].as_str().unwrap().to_owned()));
            }
            match answer {
                Answer::Taken => Ok(ScriptedSender::json(200, &json!({}))),
                Answer::TakenWith(words) => Ok(ScriptedSender::json(200, &json!({"acknowledged": true, "says": words}))),
                Answer::TakenAndAcknowledged => Ok(ScriptedSender::json(200, &json!({"acknowledged": true}))),
                Answer::Status(status) => Ok(ScriptedSender::json(status, &json!({}))),
                Answer::TooFast(seconds) => {
                    let mut answer = ScriptedSender::empty(429);
                    answer.headers.insert(http::header::RETRY_AFTER, seconds.into());
                    Ok(answer)
                }
                Answer::Lost => Err(CallFailure::NoAnswer),
            }
        });
        let base = Ctx::<dyn DeliveryStore> {
            store: store.clone(),
            queue: queue.clone(),
            clock: Arc::new(clock.clone()),
            dice: Arc::new(FixedDice::new(0)),
        };
        let park_next: Arc<AtomicBool> = Arc::default();
        let polls: Arc<AtomicBool> = Arc::default();
        let registry = Arc::new(Platforms {
            frontstage: Recipient {
                separate: true,
                polls: polls.clone(),
                needs_thread: false,
                park_next: Arc::default(),
                pace: None,
                calls: 1,
            },
            vcita: Recipient {
                separate: false,
                polls: Arc::default(),
                needs_thread,
                park_next: park_next.clone(),
                pace,
                calls: calls_each,
            },
        });
        let paces = Arc::new(InMemoryPaces::default());
        let heard = Arc::new(InMemoryPushQueue::new(Arc::new(clock.clone())));
        let chats = Arc::new(InMemoryChats::beside(store.clone()));
        let outbound = OutboundCtx {
            acks: base.with(store.clone()),
            offers: chats.clone(),
            heard: heard.clone(),
            settle: SettleCtx { base, terms: registry.clone() },
            registry,
            sender: Arc::new(sender),
            grants: Arc::new(InMemoryGrants::new()),
            paces: paces.clone(),
            sleeper: Arc::new(ManualSleeper::new(clock.clone())),
            side: store.clone(),
            recipients: Arc::new(Configured(directory.clone())),
        };
        Self {
            clock,
            store,
            queue,
            heard,
            answers,
            arrived,
            calls,
            chats,
            directory,
            outbound,
            paces,
            polls,
            typing,
            park_next,
            progress: Mutex::default(),
        }
    }

    /// What a use case needs, with the part of the store that it asks for: `world.ctx(|store| store)`.
    pub(crate) fn ctx<S: ?Sized>(&self, part: fn(Arc<InMemoryStore>) -> Arc<S>) -> Ctx<S> {
        self.outbound.settle.base.with(part(self.store.clone()))
    }

    /// What a recipient does with the calls to come; afterwards it takes everything.
    pub(crate) fn plan(&self, recipient: &AccountId, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().unwrap().entry(recipient.clone()).or_default().extend(answers);
    }

    pub(crate) fn forget_plans(&self) {
        self.answers.lock().unwrap().clear();
    }

    pub(crate) async fn try_visitor_says(&self, address: &str, id: &str, text: &str) -> Result<Accepted, AppError> {
        self.try_visitor_says_to(&visitor_account_id(), address, id, text).await
    }

    /// A visitor of a gateway writes; the message.
    pub(crate) async fn visitor_says_to(&self, gateway: &str, address: &str, id: &str, text: &str) -> MessageId {
        match self.try_visitor_says_to(&gateway.parse().unwrap(), address, id, text).await.unwrap() {
            Accepted::Stored(message) => message,
            other => panic!("not stored: {other:?}"),
        }
    }

    async fn try_visitor_says_to(&self, gateway: &AccountId, address: &str, id: &str, text: &str) -> Result<Accepted, AppError> {
        let account = self.directory.accounts[gateway].clone();
        let message = VisitorMessage {
            address: address.to_owned(),
            name: None,
            memo: Memo::new(),
            event_keys: vec![(EventKey::new("ds", [id]), None)],
            answers: None,
            continues: Vec::new(),
            origin_id: id.to_owned(),
            sent_at: self.clock.now(),
            content: Content { text: text.to_owned(), ..Content::default() },
            details: MessageDetails::default(),
        };
        app::accept_visitor(&self.ctx(|store| store), &self.directory, &account, message, &|_| Vec::new()).await
    }

    pub(crate) async fn visitor_says(&self, address: &str, id: &str, text: &str) -> MessageId {
        match self.try_visitor_says(address, id, text).await.unwrap() {
            Accepted::Stored(message) => message,
            other => panic!("not stored: {other:?}"),
        }
    }

    pub(crate) async fn try_staff_says(&self, to: MessageId, id: &str, text: &str) -> Result<Option<Accepted>, AppError> {
        let account = self.directory.accounts[&desk_account_id()].clone();
        let message = DeskMessage {
            conversation: to.conversation(),
            event_key: EventKey::new("message", [id]),
            origin_id: id.to_owned(),
            sent_at: self.clock.now(),
            content: Content { text: text.to_owned(), ..Content::default() },
        };
        app::accept_desk(&self.ctx(|store| store), &account, "channel-1", message).await
    }

    /// Staff answers in the conversation of `to`; the delivery that this makes.
    pub(crate) async fn staff_says(&self, to: MessageId, id: &str, text: &str) -> DeliveryKey {
        match self.try_staff_says(to, id, text).await.unwrap() {
            Some(Accepted::Stored(message)) => delivery(message, &visitor_account_id()),
            other => panic!("not stored: {other:?}"),
        }
    }

    /// A conversation whose first message has reached the desk, and an answer on its way to the visitor.
    pub(crate) async fn answer_under_way(&self) -> DeliveryKey {
        let first = self.visitor_says("+420700000001", "sms-1", "Hi").await;
        self.work().await;
        let key = self.staff_says(first, "m-1", "Hello").await;
        self.work().await;
        key
    }

    pub(crate) async fn acknowledge(&self, key: &DeliveryKey, result: Result<Option<&str>, &str>) -> app::Acknowledged {
        self.acknowledge_at(key, result, None).await
    }

    /// The same by a recipient who says when.
    pub(crate) async fn acknowledge_at(
        &self,
        key: &DeliveryKey,
        result: Result<Option<&str>, &str>,
        said_at: Option<EpochMillis>,
    ) -> app::Acknowledged {
        let acknowledgement = Acknowledgement {
            message: key.message,
            result: result.map(|r| r.map(str::to_owned)).map_err(str::to_owned),
            route: None,
            alias: None,
            said_at,
        };
        app::acknowledge(&self.ctx(|store| store), &key.recipient, acknowledgement, Vec::new()).await.unwrap()
    }

    /// Works on one task as a function would: what fails goes back to its queue.
    pub(crate) async fn run(&self, task: QueuedTask) {
        let until = self.clock.now().plus(Duration::from_secs(50));
        let result = match &task {
            QueuedTask::Deliver(task) => app::deliver(&self.outbound, task, until).await,
            QueuedTask::Ack(task) => app::check_ack(&self.outbound.settle, task).await,
            QueuedTask::Staff(_) => panic!("no chats are here"),
        };
        match result {
            Ok(done) => {
                let mut total = self.progress.lock().unwrap();
                total.delivered += done.delivered;
                total.retried += done.retried;
                total.failed += done.failed;
                total.paused += done.paused;
                total.uninstalled += done.uninstalled;
            }
            Err(_) => self.queue.push(self.clock.now().plus(Duration::from_secs(1)), task),
        }
    }

    /// Works on everything that is due now, and on what that makes due.
    pub(crate) async fn work(&self) {
        for _ in 0..500 {
            let due = self.queue.due(self.clock.now());
            if due.is_empty() {
                return;
            }
            for task in due {
                self.run(task).await;
            }
        }
        panic!("the queues never come to rest");
    }

    /// Lets `time` pass; whatever comes due on the way is worked on at its time, the sweep once a minute.
    pub(crate) async fn pass(&self, time: Duration) {
        let end = self.clock.now().plus(time);
        let mut next_sweep = self.clock.now().plus(Duration::from_secs(60));
        loop {
            self.work().await;
            let next = self.queue.next_due().unwrap_or(end).min(next_sweep).min(end);
            self.clock.set(next.max(self.clock.now()));
            if next == next_sweep {
                let _tried_again_in_a_minute = app::sweep(&self.ctx(|store| store)).await;
                next_sweep = next_sweep.plus(Duration::from_secs(60));
            }
            if next >= end {
                self.work().await;
                return;
            }
        }
    }

    pub(crate) fn delivery(&self, key: &DeliveryKey) -> Delivery {
        self.store.delivery(key).expect("delivery is stored")
    }

    pub(crate) fn state(&self, key: &DeliveryKey) -> DeliveryState {
        self.delivery(key).state
    }

    /// What happened to a delivery, in order.
    pub(crate) fn story(&self, key: &DeliveryKey) -> Vec<StoryEvent> {
        let story = self.store.peek(key.message.conversation());
        story.stories.into_iter().filter(|(of, _)| of == key).map(|(_, entry)| entry.event).collect()
    }

    /// The newest line of a delivery's story.
    pub(crate) fn last_told(&self, key: &DeliveryKey) -> StoryEntry {
        let story = self.store.peek(key.message.conversation());
        story.stories.into_iter().rfind(|(of, _)| of == key).expect("something is told").1
    }

    /// Texts that arrived at a recipient, in order; a repetition appears again.
    pub(crate) fn texts_at(&self, recipient: &AccountId) -> Vec<String> {
        let arrived = self.arrived.lock().unwrap();
        arrived
            .iter()
            .filter(|(key, _)| key.recipient == *recipient && key.content == DeliveryContent::Message)
            .map(|(_, text)| text.clone())
            .collect()
    }

    /// Receipts that arrived at a recipient, in order.
    pub(crate) fn receipts_at(&self, recipient: &AccountId) -> Vec<DeliveryContent> {
        let arrived = self.arrived.lock().unwrap();
        arrived
            .iter()
            .filter(|(key, _)| key.recipient == *recipient && key.content != DeliveryContent::Message)
            .map(|(key, _)| key.content)
            .collect()
    }

    /// Whether nothing is left to do anywhere.
    pub(crate) fn is_at_rest(&self, conversation: model::ConversationId) -> bool {
        let story = self.store.peek(conversation);
        story.lanes.iter().all(|lane| lane.pending.is_empty() && lane.due_at.is_none())
            && story.deliveries.iter().all(|delivery| delivery.state.is_final())
    }
}

/// The delivery of a message to a recipient.
pub(crate) fn delivery(message: MessageId, recipient: &AccountId) -> DeliveryKey {
    DeliveryKey { message, recipient: recipient.clone(), content: DeliveryContent::Message }
}

/// Who wrote the messages of a conversation, in order.
pub(crate) fn authors(world: &World, conversation: model::ConversationId) -> Vec<Author> {
    world.store.peek(conversation).messages.iter().map(|message| message.author).collect()
}
