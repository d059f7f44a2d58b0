//! Chats whose visitor is on another platform: what the desk says is delivered there, and what becomes of it comes back.

use std::time::Duration;

use app::chats::{AgentAct, VisitorAct, staff_did};
use chat::{Away, ChatVisitor, CloseReason, Policy, State};
use model::{AccountId, Author, CHAT_ENDED, CHAT_NEWS, StaffTask};
use ports::Clock as _;
use testkit::Fault;
use testkit::fixtures::{desk_account_id, visitor_account_id};

use crate::chats_staff::Bridge;
use crate::chats_world::{SECOND, Words, says, start, writes};
use crate::world::Answer;

/// The account that reaches the visitor.
fn elsewhere() -> AccountId {
    "vcita/other".parse().unwrap()
}

fn opens() -> VisitorAct {
    let memo = [("bot".to_owned(), "7".to_owned())].into();
    let visitor = ChatVisitor {
        remote_address: Some("talk-1".into()),
        away: Some(Away { account: elsewhere(), memo }),
        ..ChatVisitor::default()
    };
    let VisitorAct::Start { ext_response, form, enters, .. } = start() else { panic!() };
    VisitorAct::Start { visitor, ext_response, form, enters }
}

impl Bridge {
    /// A visitor elsewhere has said hello, and whoever they wait for has not answered.
    async fn waits_elsewhere(self) -> Self {
        self.chats.configure_words(Words { has_connector: false });
        self.chats.visitor("t", opens()).await;
        self.chats.visitor("t", says("s-1", "Hello")).await;
        self
    }

    /// The same, and Anna has answered.
    async fn with_anna() -> Self {
        let bridge = Self::of_agents(Policy::default());
        bridge.chats.log_in(&bridge.chats.anna).await;
        let bridge = bridge.waits_elsewhere().await;
        bridge.chats.agent(&bridge.chats.anna, "t", AgentAct::Answers).await;
        bridge.chats.told_to(&bridge.chats.anna).await;
        bridge
    }

    /// Anna says something.
    async fn anna_says(&self, id: &str, text: &str) {
        self.chats.agent(&self.chats.anna, "t", writes(id, text)).await;
    }

    /// What has arrived at the visitor.
    async fn told_elsewhere(&self) -> Vec<String> {
        self.work().await;
        self.desk.texts_at(&elsewhere())
    }

    async fn told_anna(&self) -> Vec<String> {
        let told = self.chats.told_to(&self.chats.anna).await;
        // Two sentences in one millisecond: the second was said at the second try.
        told.into_iter().filter(|line| line != "skip").collect()
    }
}

#[tokio::test]
async fn agent_s_sentences_are_delivered_in_order_and_once_and_confirmed_when_they_are() {
    let bridge = Bridge::with_anna().await;
    for (id, text) in [("a-1", "Good morning"), ("a-1", "Good morning"), ("a-2", "How can I help?")] {
        bridge.anna_says(id, text).await;
    }
    assert_eq!(bridge.told_anna().await, [""; 0], "nothing is confirmed before it is there");
    assert_eq!(bridge.told_elsewhere().await, ["Anna: Good morning", "Anna: How can I help?"]);
    assert_eq!(bridge.told_anna().await, ["confirmed a-1", "confirmed a-2"]);
    // Nobody is told what they have said themselves.
    bridge.chats.visitor("t", says("s-2", "Where is my lamp?")).await;
    assert_eq!(bridge.told_anna().await, ["in 4 Where is my lamp?"]);
    assert_eq!(bridge.told_elsewhere().await.len(), 2);

    let chat = bridge.chats.chat("t");
    let story = bridge.desk.store.peek(chat.conversation());
    let conversation = story.conversation.unwrap();
    assert!(conversation.is_chat);
    assert_eq!((conversation.desk, conversation.visitor.address.as_str()), (None, "talk-1"));
    assert_eq!(conversation.visitor.account, visitor_account_id());
    assert!(story.messages.iter().all(|message| message.author == Author::Desk && message.memo["bot"] == "7"));
    assert_eq!(story.deliveries.len(), 2, "a gateway gets no receipts");
    assert!(story.deliveries.iter().all(|delivery| delivery.key.recipient == elsewhere()));
    assert!(bridge.desk.is_at_rest(chat.conversation()));
}

#[tokio::test]
async fn sentence_is_delivered_and_confirmed_whatever_is_lost_on_the_way() {
    for fault in [Fault::Refused, Fault::AnswerLost] {
        for at in 0..4 {
            let bridge = Bridge::with_anna().await;
            bridge.anna_says("a-1", "Good morning").await;
            let faults = bridge.desk.store.faults();
            faults.plan(std::iter::repeat_n(None, at).chain([Some(fault)]));
            bridge.work().await;
            faults.clear();
            bridge.pass().await;
            let mut told = bridge.told_elsewhere().await;
            // What came of an attempt and cannot be stored is tried again: that is for the recipient to recognise.
            told.dedup();
            assert_eq!(told, ["Anna: Good morning"], "{fault:?} at call {at}");
            assert_eq!(bridge.told_anna().await, ["confirmed a-1"], "{fault:?} at call {at}");
        }
    }
}

#[tokio::test]
async fn sentence_whose_task_is_lost_is_found_by_the_sweep() {
    let bridge = Bridge::with_anna().await;
    bridge.anna_says("a-1", "Good morning").await;
    bridge.chats.timers.forget_all();
    assert_eq!(bridge.told_elsewhere().await, [""; 0]);
    bridge.pass().await;
    assert_eq!(bridge.told_elsewhere().await, ["Anna: Good morning"]);
}

#[tokio::test]
async fn desk_reads_that_a_sentence_could_not_be_brought() {
    let bridge = Bridge::with_anna().await;
    bridge.desk.plan(&elsewhere(), [Answer::Status(400)]);
    bridge.anna_says("a-1", "Good morning").await;
    bridge.anna_says("a-2", "Are you there?").await;
    assert_eq!(bridge.told_elsewhere().await, ["Anna: Are you there?"]);
    let lost = "in 4 The visitor could not be brought your last message.";
    assert_eq!(bridge.told_anna().await, [lost, "confirmed a-2"]);
    // Once more is as good as once.
    let conversation = bridge.chats.chat("t").conversation();
    let again = StaffTask::VisitorHasV1 {
        account: elsewhere(),
        conversation,
        sentence: "a-1".into(),
        has: false,
        at: bridge.desk.clock.now(),
    };
    staff_did(&bridge.chats.ctx, &again).await.unwrap();
    assert_eq!((bridge.told_anna().await, bridge.chats.chat("t").counter), (Vec::new(), 4));
}

#[tokio::test]
async fn visitor_is_told_that_the_agent_has_ended_the_chat_after_what_they_said() {
    let bridge = Bridge::with_anna().await;
    bridge.anna_says("a-1", "Good bye").await;
    bridge.chats.agent(&bridge.chats.anna, "t", AgentAct::HangsUp).await;
    assert_eq!(bridge.told_elsewhere().await, ["Anna: Good bye", "The chat has ended."]);
    let story = bridge.desk.store.peek(bridge.chats.chat("t").conversation());
    let news: Vec<_> = story.messages.iter().map(|message| message.memo.get(CHAT_NEWS).map(String::as_str)).collect();
    assert_eq!(news, [None, Some(CHAT_ENDED)]);
    // What comes too late for the chat says it is over, and nobody is told again.
    let (_, refusal) = bridge.chats.visitor_may("t", says("s-2", "Thanks")).await;
    assert_eq!(refusal, Some(chat::Refusal::ChatClosed));
    assert_eq!(bridge.told_elsewhere().await.len(), 2);
}

#[tokio::test]
async fn visitor_who_has_left_ends_the_chat_and_is_told_nothing() {
    let bridge = Bridge::with_anna().await;
    let chat = bridge.chats.chat("t");
    let left = |at| StaffTask::VisitorLeftV1 { account: elsewhere(), conversation: chat.conversation(), at };
    // What ended before this chat began was another one.
    let before = chat.waiting_from;
    bridge.desk.clock.advance(SECOND);
    let earlier = model::EpochMillis::new(before.millis() - 15_001);
    staff_did(&bridge.chats.ctx, &left(earlier)).await.unwrap();
    assert_eq!(bridge.chats.state("t"), "Answered Anna");
    for _ in 0..2 {
        staff_did(&bridge.chats.ctx, &left(bridge.desk.clock.now())).await.unwrap();
    }
    assert!(matches!(bridge.chats.chat("t").state, State::Closed { reason: CloseReason::ExtApp, .. }));
    assert_eq!(bridge.told_anna().await, ["status Closed ExtApp g1"]);
    assert_eq!(bridge.told_elsewhere().await, [""; 0]);
    // Nor is there any harm in a conversation that never was a chat.
    let conversation = "00112233445566778899".parse().unwrap();
    let nobody = StaffTask::VisitorLeftV1 { account: elsewhere(), conversation, at: bridge.desk.clock.now() };
    staff_did(&bridge.chats.ctx, &nobody).await.unwrap();
}

#[tokio::test]
async fn visitor_who_left_before_their_words_were_said_has_left() {
    // They wrote, and closed the box before the words were here; an agent has given the chat back meanwhile.
    let bridge = Bridge::with_anna().await;
    let chat = bridge.chats.chat("t");
    let wrote = chat.spoke_at.unwrap();
    bridge.desk.clock.advance(Duration::from_secs(30));
    bridge.chats.agent(&bridge.chats.anna, "t", AgentAct::Returns).await;
    let at = model::EpochMillis::new(wrote.millis() - 1_000);
    let left = StaffTask::VisitorLeftV1 { account: elsewhere(), conversation: chat.conversation(), at };
    staff_did(&bridge.chats.ctx, &left).await.unwrap();
    assert!(matches!(bridge.chats.chat("t").state, State::Closed { reason: CloseReason::ExtApp, .. }));
}

#[tokio::test]
async fn what_could_not_be_brought_is_not_said_in_a_chat_that_is_over_nor_in_the_next_one() {
    let policy = Policy { inertia: Some(Duration::from_secs(600)), ..Policy::default() };
    let bridge = Bridge::of_agents(policy);
    bridge.chats.log_in(&bridge.chats.anna).await;
    let bridge = bridge.waits_elsewhere().await;
    bridge.chats.agent(&bridge.chats.anna, "t", AgentAct::Answers).await;
    bridge.desk.clock.advance(SECOND);
    let (conversation, at) = (bridge.chats.chat("t").conversation(), bridge.desk.clock.now());
    let lost = StaffTask::VisitorHasV1 { account: elsewhere(), conversation, sentence: "a-1".into(), has: false, at };
    bridge.chats.agent(&bridge.chats.anna, "t", AgentAct::HangsUp).await;
    let closed = bridge.chats.chat("t");
    staff_did(&bridge.chats.ctx, &lost).await.unwrap();
    assert_eq!(bridge.chats.chat("t"), closed);
    bridge.desk.clock.advance(SECOND);
    bridge.chats.visitor("t", says("s-2", "One more thing")).await;
    let next = bridge.chats.chat("t");
    assert!(!next.is_closed());
    staff_did(&bridge.chats.ctx, &lost).await.unwrap();
    assert_eq!(bridge.chats.chat("t"), next);
}

#[tokio::test]
async fn sentence_is_sent_once_where_only_the_agent_cannot_be_told() {
    let bridge = Bridge::with_anna().await;
    bridge.anna_says("a-1", "Good morning").await;
    bridge.desk.queue.faults().next(1, Fault::Refused);
    bridge.work().await;
    bridge.pass().await;
    assert_eq!(bridge.told_elsewhere().await, ["Anna: Good morning"]);
}

#[tokio::test]
async fn visitor_nobody_has_answered_for_too_long_is_told_so() {
    let policy = Policy { inactivity: Some(Duration::from_secs(600)), ..Policy::default() };
    let bridge = Bridge::of_agents(policy);
    bridge.chats.log_in(&bridge.chats.anna).await;
    let bridge = bridge.waits_elsewhere().await;
    bridge.chats.wait(Duration::from_secs(700)).await;
    assert_eq!(bridge.told_elsewhere().await, ["The chat has ended."]);
}

#[tokio::test]
async fn staff_of_a_third_platform_and_the_visitor_talk_through_the_chat() {
    let bridge = Bridge::new().waits_elsewhere().await;
    assert_eq!(bridge.told_staff().await, ["Hello"]);
    bridge.staff_says("m-1", "How can I help?").await;
    assert_eq!(bridge.told_elsewhere().await, ["How can I help?"]);
    bridge.chats.visitor("t", says("s-2", "Where is my lamp?")).await;
    bridge.staff_says("m-2", "On its way").await;
    assert_eq!(bridge.told_elsewhere().await, ["How can I help?", "On its way"]);
    assert_eq!(bridge.told_staff().await, ["Hello", "Where is my lamp?"]);
    assert_eq!(bridge.desk.store.peek(bridge.chats.chat("t").conversation()).conversation.unwrap().desk, Some(desk_account_id()));
    // Given to agents, it stays a conversation in which staff may still write, and is told that the chat is not theirs.
    bridge.hand_over(&bridge.chats.desk.clone()).await;
    bridge.work().await;
    assert_eq!(bridge.desk.store.peek(bridge.chats.chat("t").conversation()).conversation.unwrap().desk, Some(desk_account_id()));
}
