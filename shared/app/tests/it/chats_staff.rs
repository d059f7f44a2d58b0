//! Chats that another platform's staff answers, and the way from one desk to another.

use std::time::Duration;

use app::chats::{AgentAct, ChatOutcome, HandedOver, VisitorAct, hand_over, say};
use chat::{Attendant, ChatId, ChatVisitor, Draft, Policy, Refusal, SentenceKind, State};
use model::{
    AccountId, Author, Content, DeliverTask, DeliveryContent, DeliveryKey, DeliveryState, FailureReason, LaneKind, Memo,
    MessageId, ReceiptStatus, StoryEvent, VisitorMessage,
};
use ports::Clock as _;
use testkit::fixtures::{desk_account_id, visitor_account_id};
use testkit::{Fault, QueuedTask};

use crate::chats_world::{self, SECOND, draft, says, start, writes};
use crate::world::{self, World};

/// Longer than the sweep needs to find what was lost.
const A_WHILE: Duration = Duration::from_secs(150);

/// The visitor's side with our own agents, and the other platform's.
pub(crate) struct Bridge {
    pub(crate) chats: chats_world::World,
    pub(crate) desk: World,
}

impl Bridge {
    /// Chats go to staff.
    pub(crate) fn new() -> Self {
        Self::with(Policy::default())
    }

    pub(crate) fn with(policy: Policy) -> Self {
        let bridge = Self::of_agents(policy.clone());
        bridge.chats.configure(|plan| {
            plan.policy = policy;
            let desk = plan.desk.as_mut().unwrap();
            desk.account = desk_account_id();
            desk.agents = None;
        });
        bridge.chats.configure_at(&bridge.chats.desk, |_| ());
        bridge
    }

    /// Chats go to our own agents.
    pub(crate) fn of_agents(policy: Policy) -> Self {
        let desk = World::new();
        let chats = chats_world::World::beside(desk.clock.clone(), desk.store.clone(), policy);
        chats.configure_at(&desk_account_id(), |plan| plan.desk.as_mut().unwrap().agents = None);
        Self { chats, desk }
    }

    /// Works on whatever is on a queue; tasks of chats go where their queue would bring them.
    pub(crate) async fn work(&self) {
        for _ in 0..100 {
            for task in self.chats.timers.relayed() {
                self.desk.queue.push(self.desk.clock.now(), QueuedTask::Deliver(task));
            }
            let due = self.desk.queue.due(self.desk.clock.now());
            if due.is_empty() {
                return;
            }
            for task in due {
                match &task {
                    QueuedTask::Deliver(DeliverTask::V1 { lane, .. }) if lane.kind == LaneKind::Chat => self.say(task).await,
                    QueuedTask::Staff(done) => app::chats::staff_did(&self.chats.ctx, done).await.unwrap(),
                    QueuedTask::Deliver(_) | QueuedTask::Ack(_) => self.desk.run(task).await,
                }
            }
        }
        panic!("the queues never come to rest");
    }

    /// Works on a task of the queue of chats; what fails comes again.
    async fn say(&self, task: QueuedTask) {
        let QueuedTask::Deliver(deliver) = &task else { panic!() };
        if say(&self.chats.ctx, &self.desk.outbound.settle, deliver).await.is_err() {
            self.desk.queue.push(self.desk.clock.now().plus(SECOND), task);
        }
    }

    /// Lets the sweep find what was lost.
    pub(crate) async fn pass(&self) {
        let end = self.desk.clock.now().plus(A_WHILE);
        while self.desk.clock.now() < end {
            self.work().await;
            self.desk.clock.advance(Duration::from_secs(10));
            app::sweep(&self.desk.ctx(|store| store)).await.unwrap();
        }
        self.work().await;
    }

    /// What staff has been told, in order; a repetition appears again.
    pub(crate) async fn told_staff(&self) -> Vec<String> {
        self.work().await;
        self.desk.texts_at(&desk_account_id())
    }

    /// A message of the conversation, to be answered by staff.
    pub(crate) fn any_message(&self) -> MessageId {
        let conversation = self.chats.chat("t").conversation();
        self.desk.store.peek(conversation).messages[0].id
    }

    /// Staff writes; the delivery into the chat.
    pub(crate) async fn staff_says(&self, id: &str, text: &str) -> DeliveryKey {
        let message = self.desk.staff_says(self.any_message(), id, text).await.message;
        // What comes after it is not at the same place of the conversation.
        self.desk.clock.advance(SECOND);
        DeliveryKey { message, recipient: visitor_account_id(), content: DeliveryContent::Chat }
    }

    pub(crate) fn receipts(&self) -> Vec<DeliveryContent> {
        self.desk.receipts_at(&desk_account_id())
    }

    /// A chat of staff in which Eva has said hello.
    pub(crate) async fn greeted(&self) {
        self.chats.visitor("t", start()).await;
        self.chats.visitor("t", says("s-1", "Hello")).await;
        assert_eq!(self.told_staff().await, ["Hello"]);
        self.chats.told().await;
    }

    pub(crate) async fn hand_over(&self, to: &AccountId) -> HandedOver {
        hand_over(&self.chats.ctx, self.chats.chat("t").id, to).await.unwrap()
    }
}

const fn sent() -> DeliveryContent {
    DeliveryContent::Receipt(ReceiptStatus::Sent)
}

const fn failed() -> DeliveryContent {
    DeliveryContent::Receipt(ReceiptStatus::Failed)
}

#[tokio::test]
async fn visitors_words_reach_staff_in_order_as_messages_of_the_chats_conversation() {
    let bridge = Bridge::new();
    let visitor =
        ChatVisitor { party_name: Some("Eva".into()), remote_address: Some("+420700000000".into()), ..ChatVisitor::default() };
    let VisitorAct::Start { ext_response, form, enters, .. } = start() else { panic!() };
    bridge.chats.visitor("t", VisitorAct::Start { visitor, ext_response, form, enters }).await;
    assert_eq!(bridge.chats.state("t"), "Waiting");
    assert!(bridge.told_staff().await.is_empty(), "nothing was said yet");
    for (id, text) in [("s-1", "Hello"), ("s-2", "Anybody?"), ("s-3", "<b>?</b>")] {
        bridge.chats.visitor("t", says(id, text)).await;
    }
    assert_eq!(bridge.told_staff().await, ["Hello", "Anybody?", "<b>?</b>"]);

    let chat = bridge.chats.chat("t");
    let story = bridge.desk.store.peek(chat.conversation());
    let conversation = story.conversation.unwrap();
    assert!(conversation.is_chat);
    assert_eq!(conversation.desk, Some(desk_account_id()));
    assert_eq!(conversation.visitor.account, visitor_account_id());
    assert_eq!((conversation.visitor.address.as_str(), conversation.visitor.name.as_deref()), ("+420700000000", Some("Eva")));
    let ids: Vec<_> = story.messages.iter().map(|message| message.origin_id.as_str()).collect();
    assert_eq!(ids, ["s-1", "s-2", "s-3"]);
    assert!(story.messages.iter().all(|m| m.author == Author::Visitor && m.origin == visitor_account_id()));
    assert!(bridge.desk.is_at_rest(chat.conversation()));
    assert_eq!(story.deliveries.len(), 3, "a connector gets no receipts");
}

#[tokio::test]
async fn visitor_without_an_address_is_known_by_the_thread() {
    let bridge = Bridge::new();
    bridge.greeted().await;
    let conversation = bridge.desk.store.peek(bridge.chats.chat("t").conversation()).conversation.unwrap();
    assert_eq!(conversation.visitor.address, "t");
}

#[tokio::test]
async fn panels_and_empty_notes_are_nothing_for_staff() {
    let bridge = Bridge::new();
    bridge.chats.visitor("t", start()).await;
    for (id, kind, text) in [
        ("p", SentenceKind::Panel, "panel"),
        ("n", SentenceKind::Navigation, "/basket"),
        ("e", SentenceKind::Note, ""),
        ("t", SentenceKind::Note, "came from the basket"),
    ] {
        let draft = Draft::new(id.to_owned().try_into().unwrap(), kind, text.into(), None, None).unwrap();
        bridge.chats.visitor("t", VisitorAct::Speaks(draft)).await;
    }
    bridge.chats.visitor("t", VisitorAct::Types { is_typing: true }).await;
    assert_eq!(bridge.told_staff().await, ["came from the basket"]);
}

#[tokio::test]
async fn repeated_sentence_reaches_staff_once() {
    let bridge = Bridge::new();
    bridge.greeted().await;
    for _ in 0..2 {
        assert_eq!(bridge.chats.visitor("t", says("s-1", "Hello")).await, ["echo 1 Hello"]);
    }
    assert_eq!(bridge.told_staff().await, ["Hello"]);
    // In one millisecond, and so at places that nobody knew of before.
    bridge.chats.visitor("t", says("s-2", "one")).await;
    bridge.chats.visitor("t", says("s-3", "two")).await;
    assert_eq!(bridge.told_staff().await, ["Hello", "one", "two"]);
}

#[tokio::test]
async fn sentence_whose_task_is_lost_is_found_by_the_sweep() {
    let bridge = Bridge::new();
    bridge.chats.visitor("t", start()).await;
    // Between the transaction and the queue.
    bridge.chats.visitor("t", says("s-1", "Hello")).await;
    bridge.chats.timers.forget_all();
    // And a queue that takes nothing: the visitor is answered all the same.
    bridge.chats.timers.faults().next(1, Fault::Refused);
    assert_eq!(bridge.chats.visitor("t", says("s-2", "Anybody?")).await, ["echo 2 Anybody?"]);
    bridge.chats.timers.faults().clear();
    assert!(bridge.told_staff().await.is_empty());
    bridge.pass().await;
    assert_eq!(bridge.told_staff().await, ["Hello", "Anybody?"]);
}

#[tokio::test]
async fn sentence_is_told_with_the_change_or_not_at_all() {
    // Which call fails, and whether it took effect.
    for fault in [Fault::Refused, Fault::AnswerLost] {
        for at in 0..3 {
            let bridge = Bridge::new();
            bridge.greeted().await;
            bridge.chats.chats.faults().plan(std::iter::repeat_n(None, at).chain([Some(fault)]));
            let envelope = bridge.chats.envelope_of(500, "n-1", "same");
            let first = bridge.chats.try_visitor("t", says("s-2", "Anybody?"), &envelope).await;
            bridge.chats.chats.faults().clear();
            let again = bridge.chats.envelope_of(500, "n-2", "same");
            let outcome = bridge.chats.try_visitor("t", says("s-2", "Anybody?"), &again).await.unwrap();
            assert!(matches!(outcome, ChatOutcome::Done(_)), "{fault:?} at call {at}: {first:?}");
            bridge.pass().await;
            assert_eq!(bridge.told_staff().await, ["Hello", "Anybody?"], "{fault:?} at call {at}");
            assert_eq!(bridge.chats.chat("t").counter, 2);
        }
    }
}

#[tokio::test]
async fn staffs_first_word_answers_the_chat_and_counts_on() {
    let bridge = Bridge::new();
    bridge.greeted().await;
    let first = bridge.staff_says("m-1", "Hello, how can I help?").await;
    bridge.work().await;
    assert_eq!(bridge.chats.told().await, ["status Answered staff g1", "out 2 Hello, how can I help?"]);
    let State::Answered { by: Attendant::Staff(staff) } = bridge.chats.chat("t").state else { panic!() };
    assert_eq!(staff.account, desk_account_id());
    assert!(matches!(bridge.desk.state(&first), DeliveryState::Sent { .. }));
    assert_eq!(bridge.desk.story(&first), [StoryEvent::Acknowledged { late: false, after_failure: false }]);
    assert_eq!(bridge.receipts(), [sent()]);

    assert_eq!(bridge.chats.visitor("t", says("s-2", "Where is my lamp?")).await, ["echo 3 Where is my lamp?"]);
    bridge.staff_says("m-2", "On its way").await;
    bridge.work().await;
    assert_eq!(bridge.chats.told().await, ["out 4 On its way"]);
    assert_eq!(bridge.told_staff().await, ["Hello", "Where is my lamp?"], "staff is not told its own words");
    assert_eq!(bridge.receipts(), [sent(), sent()]);
    let told = bridge.chats.visitor("t", VisitorAct::Asks).await;
    let all = "1 Hello, 2 Hello, how can I help?, 3 Where is my lamp?, 4 On its way";
    assert_eq!(told, [format!("status Answered staff g1 [{all}]")]);
    assert!(bridge.desk.is_at_rest(bridge.chats.chat("t").conversation()));
}

#[tokio::test]
async fn staffs_messages_are_said_in_the_order_in_which_they_were_written() {
    let bridge = Bridge::new();
    bridge.greeted().await;
    for number in 1..=5 {
        bridge.staff_says(&format!("m-{number}"), &format!("line {number}")).await;
    }
    // The queue brings them in any order, and some twice.
    let mut tasks = bridge.desk.queue.due(bridge.desk.clock.now());
    tasks.reverse();
    for task in tasks.iter().chain(&tasks) {
        bridge.say(task.clone()).await;
    }
    bridge.work().await;
    let said = ["out 2 line 1", "out 3 line 2", "out 4 line 3", "out 5 line 4", "out 6 line 5"];
    assert_eq!(bridge.chats.told().await[1..], said);
    assert_eq!(bridge.receipts(), [sent(); 5]);
}

#[tokio::test]
async fn repeated_staff_message_is_said_once() {
    let bridge = Bridge::new();
    bridge.greeted().await;
    let key = bridge.staff_says("m-1", "Hello").await;
    let again = bridge.desk.try_staff_says(bridge.any_message(), "m-1", "Hello").await.unwrap();
    assert_eq!(again, Some(app::Accepted::Duplicate(key.message)));
    let task = DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 0, due: None };
    for _ in 0..3 {
        say(&bridge.chats.ctx, &bridge.desk.outbound.settle, &task).await.unwrap();
    }
    bridge.work().await;
    assert_eq!(bridge.chats.told().await, ["status Answered staff g1", "out 2 Hello"]);
    assert_eq!((bridge.chats.chat("t").counter, bridge.receipts()), (2, vec![sent()]));
}

#[tokio::test]
async fn staff_message_is_said_once_whatever_is_lost_on_the_way() {
    for fault in [Fault::Refused, Fault::AnswerLost] {
        for at in 0..6 {
            let bridge = Bridge::new();
            bridge.greeted().await;
            bridge.staff_says("m-1", "Hello").await;
            // First what the chat is stored by, then what the delivery is.
            let (chats, store) = (bridge.chats.chats.faults(), bridge.desk.store.faults());
            let faults = if at < 3 { chats } else { store };
            faults.plan(std::iter::repeat_n(None, at % 3).chain([Some(fault)]));
            bridge.work().await;
            chats.clear();
            store.clear();
            bridge.pass().await;
            let told: Vec<_> = bridge.chats.told().await.into_iter().filter(|line| line != "skip").collect();
            assert_eq!(told, ["status Answered staff g1", "out 2 Hello"], "{fault:?} at call {at}");
            assert_eq!(bridge.receipts(), [sent()], "{fault:?} at call {at}");
            assert!(bridge.desk.is_at_rest(bridge.chats.chat("t").conversation()), "{fault:?} at call {at}");
        }
    }
}

#[tokio::test]
async fn staff_message_whose_task_is_lost_is_found_by_the_sweep() {
    let bridge = Bridge::new();
    bridge.greeted().await;
    bridge.staff_says("m-1", "Hello").await;
    bridge.desk.queue.forget_all();
    bridge.pass().await;
    assert_eq!(bridge.chats.told().await, ["status Answered staff g1", "out 2 Hello"]);
}

#[tokio::test]
async fn word_of_staff_to_a_closed_chat_fails_with_the_chats_own_reason() {
    let bridge = Bridge::new();
    bridge.greeted().await;
    bridge.chats.visitor("t", VisitorAct::Stop).await;
    let late = bridge.staff_says("m-1", "Are you there?").await;
    bridge.work().await;
    let DeliveryState::Failed { reason, .. } = bridge.desk.state(&late) else { panic!() };
    assert_eq!(reason, FailureReason::Rejected);
    let story = bridge.desk.store.peek(late.message.conversation()).stories;
    let detail = story.into_iter().find(|(of, _)| *of == late).unwrap().1.detail;
    assert_eq!(detail.as_deref(), Some("ChatClosed"));
    assert_eq!(bridge.receipts(), [failed()]);
    assert!(bridge.desk.queue.dead_letters().is_empty(), "nothing for an operator");
    assert_eq!(bridge.chats.chat("t").counter, 1);
    assert!(bridge.desk.is_at_rest(late.message.conversation()));
}

#[tokio::test]
async fn message_without_words_and_one_that_waited_too_long_fail() {
    let bridge = Bridge::new();
    bridge.greeted().await;
    let empty = bridge.staff_says("m-1", "").await;
    bridge.work().await;
    assert!(matches!(bridge.desk.state(&empty), DeliveryState::Failed { reason: FailureReason::Rejected, .. }));
    let old = bridge.staff_says("m-2", "Hello").await;
    bridge.desk.queue.forget_all();
    bridge.desk.clock.advance(Duration::from_secs(86_400));
    bridge.pass().await;
    assert!(matches!(bridge.desk.state(&old), DeliveryState::Failed { reason: FailureReason::Expired, .. }));
    assert_eq!(bridge.desk.queue.dead_letters().len(), 1, "something is wrong with us");
    assert_eq!(bridge.receipts(), [failed(), failed()]);
}

#[tokio::test]
async fn staff_is_told_that_the_visitor_left_or_fell_silent_if_it_was_told_anything() {
    let inactivity = Policy { inactivity: Some(Duration::from_secs(600)), ..Policy::default() };
    let bridge = Bridge::with(inactivity.clone());
    bridge.greeted().await;
    bridge.chats.visitor("t", VisitorAct::Stop).await;
    bridge.chats.visitor("t", VisitorAct::Stop).await;
    assert_eq!(bridge.told_staff().await, ["Hello", "The visitor has left the chat."]);

    let bridge = Bridge::with(inactivity.clone());
    bridge.greeted().await;
    bridge.chats.wait(Duration::from_secs(601)).await;
    assert_eq!(bridge.told_staff().await, ["Hello", "The chat has ended, as nobody wrote anything."]);

    let bridge = Bridge::with(inactivity);
    bridge.chats.visitor("t", start()).await;
    bridge.chats.visitor("t", VisitorAct::Stop).await;
    assert!(bridge.told_staff().await.is_empty());
    assert_eq!(bridge.desk.store.peek(bridge.chats.chat("t").conversation()).conversation, None);
}

#[tokio::test]
async fn revived_chat_and_the_next_one_tell_staff_only_what_is_new() {
    let bridge = Bridge::with(Policy { inertia: Some(Duration::from_secs(60)), ..Policy::default() });
    bridge.greeted().await;
    bridge.staff_says("m-1", "Hi").await;
    bridge.work().await;
    bridge.chats.visitor("t", VisitorAct::Stop).await;
    bridge.chats.visitor("t", says("s-2", "One more thing")).await;
    assert_eq!(bridge.told_staff().await, ["Hello", "The visitor has left the chat.", "One more thing"]);
    bridge.chats.visitor("t", VisitorAct::Stop).await;
    bridge.desk.clock.advance(Duration::from_secs(61));
    bridge.chats.visitor("t", start()).await;
    assert_eq!(bridge.chats.chat("t").id.generation(), 2);
    bridge.chats.visitor("t", says("s-1", "Hello again")).await;
    assert_eq!(bridge.told_staff().await[3..], ["The visitor has left the chat.", "Hello again"]);
}

#[tokio::test]
async fn chat_goes_from_agents_to_staff_with_its_transcript() {
    let bridge = Bridge::of_agents(Policy::default());
    bridge.chats.log_in(&bridge.chats.anna).await;
    bridge.chats.visitor("t", start()).await;
    let anna = bridge.chats.anna.clone();
    bridge.chats.agent(&anna, "t", AgentAct::Answers).await;
    bridge.chats.visitor("t", says("s-1", "Hello")).await;
    let named = Draft::new("a-1".to_owned().try_into().unwrap(), SentenceKind::Text, "Hi".into(), Some("Anna".into()), None);
    bridge.chats.agent(&anna, "t", AgentAct::Speaks(named.unwrap())).await;
    bridge.chats.agent(&anna, "t", writes("a-2", "Let me ask")).await;
    bridge.chats.forget_told().await;
    assert_eq!(bridge.chats.load(&anna).await, 1);

    let HandedOver::Yes(State::Waiting { .. }) = bridge.hand_over(&desk_account_id()).await else { panic!() };
    assert_eq!(bridge.told_staff().await, ["Hello", "Anna: Hi", "Agent: Let me ask"]);
    assert_eq!(bridge.chats.told().await, ["status Waiting g1"]);
    assert_eq!(bridge.chats.told_to(&anna).await, ["status Waiting g1"], "at the desk that she is at");
    assert_eq!(bridge.chats.load(&anna).await, 0);
    let refused = bridge.chats.agent_may(&anna, "t", writes("a-3", "One more thing")).await;
    assert_eq!(refused, (vec![], Some(Refusal::UnknownChat)), "a chat of another desk is unknown");

    bridge.desk.clock.advance(SECOND);
    bridge.chats.visitor("t", says("s-2", "Still there?")).await;
    bridge.staff_says("m-1", "Yes").await;
    assert_eq!(bridge.told_staff().await[3..], ["Still there?"]);
    assert_eq!(bridge.chats.told().await[..], ["status Answered staff g1", "out 5 Yes"]);
    // Once more is as good as once.
    assert!(matches!(bridge.hand_over(&desk_account_id()).await, HandedOver::Yes(State::Answered { .. })));
    assert_eq!(bridge.told_staff().await.len(), 4);
}

#[tokio::test]
async fn chat_goes_from_staff_to_agents_and_back_and_staff_gets_only_what_it_missed() {
    let bridge = Bridge::new();
    bridge.greeted().await;
    bridge.staff_says("m-1", "I will give you to sales").await;
    bridge.work().await;
    bridge.chats.log_in(&bridge.chats.anna).await;
    bridge.chats.forget_told().await;
    let agents = bridge.chats.desk.clone();

    assert!(matches!(bridge.hand_over(&agents).await, HandedOver::Yes(State::Alerting { .. })));
    assert_eq!(bridge.told_staff().await, ["Hello", "The chat was given to somebody else."]);
    assert_eq!(bridge.chats.told().await, ["status Waiting g1", "status Alerting Anna g1"]);
    let anna = bridge.chats.anna.clone();
    assert_eq!(bridge.chats.told_to(&anna).await, ["alert"]);
    let answered = bridge.chats.agent(&anna, "t", AgentAct::Answers).await;
    assert_eq!(answered, ["status Answered Anna g1 [1 Hello, 2 I will give you to sales]"]);
    bridge.chats.visitor("t", says("s-2", "How much is it?")).await;
    bridge.chats.agent(&anna, "t", writes("a-1", "Ten")).await;

    let late = bridge.staff_says("m-2", "Did sales help?").await;
    bridge.work().await;
    let DeliveryState::Failed { reason, .. } = bridge.desk.state(&late) else { panic!() };
    let story = bridge.desk.store.peek(late.message.conversation()).stories;
    let detail = story.into_iter().find(|(of, _)| *of == late).unwrap().1.detail;
    assert_eq!((reason, detail.as_deref()), (FailureReason::Rejected, Some("NotYourChat")));
    assert_eq!(bridge.receipts(), [sent(), failed()]);

    assert!(matches!(bridge.hand_over(&desk_account_id()).await, HandedOver::Yes(State::Waiting { .. })));
    assert_eq!(bridge.told_staff().await[2..], ["How much is it?", "Agent: Ten"]);
    bridge.staff_says("m-3", "A good price").await;
    bridge.work().await;
    assert_eq!(bridge.chats.state("t"), "Answered staff");
}

#[tokio::test]
async fn long_transcript_becomes_ten_messages_of_its_newest_hundred_sentences() {
    let bridge = Bridge::of_agents(Policy::default());
    bridge.chats.configure(|plan| plan.gate = serde_json::from_str(r#"{"gateway":[{"then":{"signal":"free"}}]}"#).unwrap());
    bridge.chats.visitor("t", start()).await;
    for number in 1..=120 {
        bridge.chats.visitor("t", says(&format!("s-{number}"), &format!("line {number}"))).await;
    }
    bridge.hand_over(&desk_account_id()).await;
    let told = bridge.told_staff().await;
    assert_eq!(told.len(), 10);
    let lines: Vec<_> = told.iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
    assert_eq!(lines, (21..=120).map(|number| format!("line {number}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn transcript_is_cut_at_its_length_and_its_last_sentence_is_always_told() {
    let bridge = Bridge::of_agents(Policy::default());
    bridge.chats.configure(|plan| plan.gate = serde_json::from_str(r#"{"gateway":[{"then":{"signal":"free"}}]}"#).unwrap());
    bridge.chats.visitor("t", start()).await;
    for (id, text) in [("s-1", "Hello".to_owned()), ("s-2", "a".repeat(250_000))] {
        bridge.chats.visitor("t", says(id, &text)).await;
    }
    bridge.hand_over(&desk_account_id()).await;
    assert_eq!(bridge.told_staff().await.iter().map(String::len).collect::<Vec<_>>(), [250_000]);
}

#[tokio::test]
async fn hand_over_that_makes_no_sense_says_why_and_changes_nothing() {
    let bridge = Bridge::new();
    bridge.greeted().await;
    let before = bridge.chats.chat("t");
    let nobody: AccountId = "vcita/nobody".parse().unwrap();
    assert_eq!(bridge.hand_over(&nobody).await, HandedOver::UnknownDesk);
    let next = ChatId::new(before.conversation(), 2).unwrap();
    assert_eq!(hand_over(&bridge.chats.ctx, next, &desk_account_id()).await.unwrap(), HandedOver::UnknownChat);
    let stranger = ChatId::new("00112233445566778899".parse().unwrap(), 1).unwrap();
    assert_eq!(hand_over(&bridge.chats.ctx, stranger, &desk_account_id()).await.unwrap(), HandedOver::UnknownChat);
    assert_eq!(bridge.chats.chat("t"), before);
    bridge.chats.visitor("t", VisitorAct::Stop).await;
    assert_eq!(bridge.hand_over(&bridge.chats.desk).await, HandedOver::Refused(Refusal::ChatClosed));
}

#[tokio::test]
async fn row_11_chat_that_comes_back_from_staff_waits_in_the_default_project() {
    let bridge = Bridge::new();
    bridge.greeted().await;
    let own: AccountId = "frontstage/desk-2".parse().unwrap();
    let sales = chat::Desk::Agents(chat::Skill { project: "sales".parse().unwrap(), language: None });
    bridge.chats.configure_at(&own, |plan| {
        plan.desk =
            Some(app::chats::DeskPlan { account: own.clone(), agents: Some(Vec::new()), is_open: true, staff_name: None });
        plan.skill = None;
        plan.policy.default_desk = Some(sales.clone());
    });
    assert!(matches!(bridge.hand_over(&own).await, HandedOver::Yes(State::Waiting { .. })));
    assert_eq!(bridge.chats.chat("t").desk, Some(sales));
}

#[tokio::test]
async fn chat_goes_to_another_desk_of_our_own_whose_agents_know_the_same() {
    let bridge = Bridge::of_agents(Policy::default());
    let other: AccountId = "frontstage/desk-2".parse().unwrap();
    bridge.chats.configure_at(&other, |_| ());
    bridge.chats.log_in(&bridge.chats.anna).await;
    bridge.chats.visitor("t", start()).await;
    let (anna, boris) = (bridge.chats.anna.clone(), bridge.chats.boris.clone());
    assert_eq!(bridge.chats.state("t"), "Alerting Anna");
    bridge.chats.forget_told().await;

    app::chats::log_in(&bridge.chats.ctx, &other, &boris.id, &boris.workplace).await.unwrap();
    assert!(matches!(bridge.hand_over(&other).await, HandedOver::Yes(State::Alerting { .. })));
    assert_eq!(bridge.chats.state("t"), "Alerting Boris");
    assert_eq!(bridge.chats.told_to(&anna).await, ["alert end", "status Waiting g1"]);
    assert_eq!(bridge.chats.load(&anna).await, 0);
    let asking = bridge.chats.envelope();
    let answers =
        app::chats::agent_event(&bridge.chats.ctx, &other, &boris, bridge.chats.chat("t").id, AgentAct::Answers, &asking);
    assert!(matches!(answers.await.unwrap(), ChatOutcome::Done(handled) if handled.refusal.is_none()));
    assert_eq!(bridge.chats.state("t"), "Answered Boris");
}

#[tokio::test]
async fn chat_whose_gateway_moves_to_another_desk_keeps_its_own() {
    let bridge = Bridge::of_agents(Policy::default());
    bridge.chats.configure(|plan| plan.gate = serde_json::from_str(r#"{"gateway":[{"then":{"signal":"free"}}]}"#).unwrap());
    bridge.chats.visitor("t", start()).await;
    assert_eq!(bridge.chats.state("t"), "Waiting");
    bridge.chats.configure_at(&bridge.chats.desk, |_| ());
    bridge.chats.configure(|plan| {
        let desk = plan.desk.as_mut().unwrap();
        desk.account = desk_account_id();
        desk.agents = None;
    });
    // Its agents are still offered it, and new chats go where the gateway goes.
    bridge.chats.log_in(&bridge.chats.anna).await;
    assert_eq!(bridge.chats.state("t"), "Alerting Anna");
    bridge.chats.visitor("new", start()).await;
    bridge.chats.visitor("new", says("s-1", "Hello")).await;
    assert_eq!(bridge.told_staff().await, ["Hello"]);
}

#[tokio::test]
async fn words_of_the_visitor_and_of_staff_at_one_moment_are_both_said_once() {
    for _ in 0..5 {
        let bridge = Bridge::new();
        bridge.greeted().await;
        let key = bridge.staff_says("m-1", "Hi").await;
        let task = DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 0, due: None };
        let envelope = bridge.chats.envelope();
        let (ctx, settle) = (&bridge.chats.ctx, &bridge.desk.outbound.settle);
        let (said, first, second) = tokio::join!(
            bridge.chats.try_visitor("t", VisitorAct::Speaks(draft("s-2", "Anybody?")), &envelope),
            say(ctx, settle, &task),
            say(ctx, settle, &task),
        );
        assert!(matches!(said.unwrap(), ChatOutcome::Done(_)));
        first.unwrap();
        second.unwrap();
        assert_eq!(bridge.told_staff().await, ["Hello", "Anybody?"]);
        assert_eq!(bridge.chats.chat("t").counter, 3);
        assert_eq!(bridge.receipts(), [sent()]);
        assert!(bridge.desk.is_at_rest(bridge.chats.chat("t").conversation()));
    }
}

#[tokio::test]
async fn message_that_names_one_of_a_chat_is_no_part_of_it() {
    let bridge = Bridge::new();
    bridge.greeted().await;
    bridge.desk.clock.advance(SECOND);
    let named = bridge.any_message();
    let before = bridge.desk.store.peek(named.conversation()).conversation;
    let message = VisitorMessage {
        address: "+420700000001".to_owned(),
        name: None,
        memo: Memo::new(),
        event_keys: Vec::new(),
        answers: Some(named),
        continues: Vec::new(),
        origin_id: "sms-1".to_owned(),
        sent_at: bridge.desk.clock.now(),
        content: Content { text: "Hi".to_owned(), html: None, subject: None },
        details: model::MessageDetails::default(),
    };
    let directory = &bridge.desk.directory;
    let account = directory.accounts[&visitor_account_id()].clone();
    let accepted = app::accept_visitor(&bridge.desk.ctx(|store| store), directory, &account, message, &|_| Vec::new()).await;
    let app::Accepted::Stored(stored) = accepted.unwrap() else { panic!() };
    assert_ne!(stored.conversation(), named.conversation());
    assert_eq!(bridge.desk.store.peek(named.conversation()).conversation, before);
}

#[tokio::test]
async fn message_that_is_no_chats_goes_the_way_of_messages() {
    let desk = World::new();
    let key = desk.answer_under_way().await;
    assert_eq!(key.content, DeliveryContent::Message);
    assert!(matches!(desk.state(&key), DeliveryState::Sending { .. }));
    assert_eq!(world::delivery(key.message, &visitor_account_id()), key);
}
