//! What the visitors of chats and another platform's staff see of each other beside words: typing, receipts, the end, the name.

use std::time::Duration;

use app::chats::{AgentAct, VisitorAct, staff_types};
use app::{Progress, tell_typing};
use chat::script::ScriptWhen;
use chat::{Attendant, CloseReason, Direction, Draft, Policy, SentenceId, SentenceKind, State};
use model::{
    ConversationId, DeliverTask, DeliveryContent, DeliveryKey, DeliveryState, LaneKey, LaneKind, Memo, MessageId, ReceiptStatus,
    RemoteStatus, RemoteThread, StaffTask, TypingTask,
};
use ports::{Clock as _, DeliveryStore as _, ReceiptOutcome, StatusStore, ThreadNote};
use serde_json::json;
use testkit::fixtures::desk_account_id;
use testkit::{Fault, QueuedTask};

use crate::chats_rules::script_of;
use crate::chats_staff::Bridge;
use crate::chats_world::{SECOND, says, start};
use crate::world::{Answer, World};

const SESSION: &str = "session-1";

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn sent() -> DeliveryContent {
    DeliveryContent::Receipt(ReceiptStatus::Sent)
}

const fn delivered() -> DeliveryContent {
    DeliveryContent::Receipt(ReceiptStatus::Delivered)
}

impl Bridge {
    /// A chat of staff, with a session of this status, in which Eva has said hello.
    async fn in_session(status: RemoteStatus) -> Self {
        Self::with_session(Policy::default(), status).await
    }

    async fn with_session(policy: Policy, status: RemoteStatus) -> Self {
        let bridge = Self::with(policy);
        bridge.greeted().await;
        let thread = RemoteThread { id: SESSION.into(), status, changed_at: bridge.desk.clock.now(), memo: Memo::new() };
        bridge.desk.store.bind(&bridge.lane(), &bridge.lane().recipient, &thread).await.unwrap();
        bridge
    }

    fn conversation(&self) -> ConversationId {
        self.chats.chat("t").conversation()
    }

    fn lane(&self) -> LaneKey {
        LaneKey { conversation: self.conversation(), recipient: desk_account_id(), kind: LaneKind::Messages }
    }

    async fn visitor_types(&self, is_typing: bool) {
        assert_eq!(self.chats.visitor("t", VisitorAct::Types { is_typing }).await, [""; 0]);
    }

    /// Works on what staff is to be told of typing; what they were told.
    async fn typing_told(&self) -> Vec<bool> {
        for task in self.chats.timers.typing() {
            self.tell(&task).await;
        }
        let told = std::mem::take(&mut *self.desk.typing.lock().unwrap());
        assert!(told.iter().all(|(session, _)| session == SESSION));
        told.into_iter().map(|(_, is_typing)| is_typing).collect()
    }

    async fn tell(&self, task: &TypingTask) -> Progress {
        tell_typing(&self.desk.outbound, task, self.desk.clock.now().plus(Duration::from_secs(50))).await
    }

    async fn staff_types(&self, is_typing: bool) {
        staff_types(&self.chats.ctx, &desk_account_id(), self.conversation(), is_typing).await.unwrap();
    }

    fn staff_is_seen_typing(&self) -> bool {
        self.chats.chat("t").is_typing(Direction::Outbound, self.desk.clock.now())
    }

    async fn session_is(&self, status: RemoteStatus) -> ThreadNote {
        app::note_thread(&self.statuses(), &desk_account_id(), SESSION, status).await.unwrap()
    }

    fn statuses(&self) -> app::Ctx<dyn StatusStore> {
        self.desk.ctx(|store| store)
    }

    /// Staff's platform reports about the newest message that it was given.
    async fn reports(&self, status: ReceiptStatus) -> ReceiptOutcome {
        let newest = self.desk.store.peek(self.conversation()).messages.last().unwrap().id;
        app::note_receipt(&self.statuses(), &desk_account_id(), newest, status).await.unwrap()
    }

    async fn visitor_has(&self, key: &DeliveryKey) {
        let id: SentenceId = key.message.to_string().try_into().unwrap();
        assert_eq!(self.chats.visitor("t", VisitorAct::Confirms(id)).await, [""; 0]);
    }

    /// Operations on chats that writing down typing takes.
    fn writes(&self) -> u32 {
        self.chats.chats.counts().writes
    }
}

#[tokio::test]
async fn staff_is_told_that_the_visitor_types_at_most_once_in_five_seconds() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    bridge.visitor_types(true).await;
    assert_eq!(bridge.typing_told().await, [true]);
    bridge.desk.clock.advance(millis(4_900));
    let before = bridge.writes();
    bridge.visitor_types(true).await;
    // The envelope itself is remembered, and that is all.
    assert_eq!((bridge.typing_told().await, bridge.writes()), (vec![], before + 1));
    bridge.desk.clock.advance(millis(200));
    bridge.visitor_types(true).await;
    assert_eq!(bridge.typing_told().await, [true]);
}

#[tokio::test]
async fn staff_is_told_once_that_the_visitor_has_stopped() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    bridge.visitor_types(false).await;
    assert_eq!(bridge.typing_told().await, [false; 0], "they were not told that it had begun");
    for is_typing in [true, false, false] {
        bridge.visitor_types(is_typing).await;
    }
    assert_eq!(bridge.typing_told().await, [true, false]);
    // Not again before the five seconds are over, though it had stopped.
    bridge.desk.clock.advance(millis(4_900));
    bridge.visitor_types(true).await;
    assert_eq!(bridge.typing_told().await, [true; 0]);
    bridge.desk.clock.advance(millis(200));
    bridge.visitor_types(true).await;
    assert_eq!(bridge.typing_told().await, [true]);
    // Also when it comes late: what they see does not end by itself.
    bridge.desk.clock.advance(Duration::from_secs(60));
    bridge.visitor_types(false).await;
    assert_eq!(bridge.typing_told().await, [false]);
}

#[tokio::test]
async fn sentence_ends_the_visitors_typing_for_staff_once() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    bridge.visitor_types(true).await;
    bridge.chats.visitor("t", says("s-2", "Anybody?")).await;
    bridge.chats.visitor("t", says("s-3", "?")).await;
    assert_eq!(bridge.typing_told().await, [true, false]);
    assert_eq!(bridge.told_staff().await, ["Hello", "Anybody?", "?"]);
}

#[tokio::test]
async fn end_of_the_chat_and_another_desk_end_the_visitors_typing_for_staff() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    bridge.visitor_types(true).await;
    bridge.chats.visitor("t", VisitorAct::Stop).await;
    assert_eq!(bridge.typing_told().await, [true, false]);

    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    bridge.visitor_types(true).await;
    bridge.hand_over(&bridge.chats.desk).await;
    assert_eq!(bridge.typing_told().await, [true, false]);
}

#[tokio::test]
async fn nobody_is_told_of_typing_without_an_active_session() {
    for status in [RemoteStatus::Pending, RemoteStatus::Inactive, RemoteStatus::Deleted] {
        let bridge = Bridge::in_session(status).await;
        bridge.visitor_types(true).await;
        assert_eq!(bridge.typing_told().await, [true; 0], "{status:?}");
    }
    let bridge = Bridge::new();
    bridge.greeted().await;
    bridge.visitor_types(true).await;
    assert_eq!(bridge.typing_told().await, [true; 0], "no session at all");
}

#[tokio::test]
async fn typing_that_is_ten_seconds_old_is_dropped() {
    for (age, told) in [(9_900, vec![true]), (10_000, vec![]), (10_100, vec![])] {
        let bridge = Bridge::in_session(RemoteStatus::Active).await;
        bridge.visitor_types(true).await;
        bridge.desk.clock.advance(millis(age));
        assert_eq!(bridge.typing_told().await, told, "{age} ms");
    }
}

#[tokio::test]
async fn typing_is_tried_once_and_counted_if_it_is_lost() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    let task = TypingTask::V1 {
        conversation: bridge.conversation(),
        recipient: desk_account_id(),
        is_typing: true,
        at: bridge.desk.clock.now(),
    };
    let lost = Progress { typing_lost: 1, ..Progress::default() };
    bridge.desk.plan(&desk_account_id(), [Answer::Status(500)]);
    assert_eq!(bridge.tell(&task).await, lost);
    bridge.desk.store.fail_next(1);
    assert_eq!(bridge.tell(&task).await, lost);
    assert_eq!(bridge.tell(&task).await, Progress::default());
    assert_eq!(bridge.typing_told().await, [true, true], "the second one did not get that far");
    assert!(bridge.desk.queue.waiting().is_empty(), "nothing comes again");
    assert!(bridge.desk.is_at_rest(bridge.conversation()));
}

#[tokio::test]
async fn queue_that_takes_no_typing_stands_in_nobodys_way() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    bridge.chats.timers.faults().next(1, Fault::Refused);
    bridge.visitor_types(true).await;
    bridge.chats.timers.faults().clear();
    bridge.chats.visitor("t", says("s-2", "Anybody?")).await;
    assert_eq!(bridge.told_staff().await, ["Hello", "Anybody?"]);
}

#[tokio::test]
async fn visitor_of_our_own_agents_types_to_them_as_ever() {
    let bridge = Bridge::of_agents(Policy::default());
    bridge.chats.log_in(&bridge.chats.anna).await;
    bridge.chats.visitor("t", start()).await;
    let anna = bridge.chats.anna.clone();
    bridge.chats.agent(&anna, "t", AgentAct::Answers).await;
    bridge.chats.forget_told().await;
    bridge.chats.visitor("t", VisitorAct::Types { is_typing: true }).await;
    assert_eq!(bridge.chats.told_to(&anna).await, ["typing true"]);
    assert!(bridge.chats.timers.typing().is_empty());
}

#[tokio::test]
async fn visitor_sees_staff_type_before_its_first_word_and_after() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    bridge.staff_types(true).await;
    assert_eq!(bridge.chats.told().await, ["typing true"]);
    assert!(bridge.staff_is_seen_typing());
    bridge.staff_says("m-1", "Hello").await;
    bridge.work().await;
    assert!(!bridge.staff_is_seen_typing(), "its word ends it");
    bridge.chats.told().await;
    bridge.desk.clock.advance(SECOND);
    bridge.staff_types(true).await;
    bridge.desk.clock.advance(SECOND);
    bridge.staff_types(false).await;
    assert_eq!(bridge.chats.told().await, ["typing true", "typing false"]);
    assert!(!bridge.staff_is_seen_typing());
}

#[tokio::test]
async fn staffs_typing_expires_after_ten_seconds_without_renewal() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    bridge.staff_types(true).await;
    bridge.desk.clock.advance(millis(9_900));
    assert!(bridge.staff_is_seen_typing());
    bridge.desk.clock.advance(millis(200));
    assert!(!bridge.staff_is_seen_typing());
}

#[tokio::test]
async fn staffs_typing_that_lasts_is_not_written_again_and_is_renewed_in_time() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    bridge.staff_types(true).await;
    let before = bridge.writes();
    bridge.desk.clock.advance(millis(4_900));
    bridge.staff_types(true).await;
    assert_eq!(bridge.writes(), before, "nothing was written");
    bridge.desk.clock.advance(millis(200));
    bridge.staff_types(true).await;
    assert!(bridge.writes() > before);
    assert_eq!(bridge.chats.told().await, ["typing true", "typing true"]);
    bridge.desk.clock.advance(millis(9_900));
    assert!(bridge.staff_is_seen_typing());
}

#[tokio::test]
async fn staff_that_has_not_the_chat_is_not_seen_typing() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    bridge.hand_over(&bridge.chats.desk).await;
    bridge.chats.told().await;
    bridge.staff_types(true).await;
    assert_eq!(bridge.chats.told().await, [""; 0]);
    let conversation = "00112233445566778899".parse().unwrap();
    staff_types(&bridge.chats.ctx, &desk_account_id(), conversation, true).await.unwrap();

    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    bridge.chats.visitor("t", VisitorAct::Stop).await;
    bridge.chats.told().await;
    bridge.staff_types(true).await;
    assert_eq!(bridge.chats.told().await, [""; 0]);
}

#[tokio::test]
async fn sentence_that_staff_was_shown_is_confirmed_to_the_visitor_once() {
    for (first, second) in [(ReceiptStatus::Delivered, ReceiptStatus::Read), (ReceiptStatus::Read, ReceiptStatus::Delivered)] {
        let bridge = Bridge::in_session(RemoteStatus::Active).await;
        bridge.reports(ReceiptStatus::Sent).await;
        bridge.work().await;
        assert_eq!(bridge.chats.told().await, [""; 0], "that it was sent says nothing of staff");
        assert_eq!(bridge.reports(first).await, ReceiptOutcome::Stored);
        bridge.work().await;
        assert_eq!(bridge.chats.told().await, ["confirmed s-1"]);
        for status in [first, second] {
            bridge.reports(status).await;
        }
        bridge.work().await;
        assert_eq!(bridge.chats.told().await, [""; 0], "{first} {second}");
    }
}

#[tokio::test]
async fn report_whose_task_was_not_taken_is_refused_and_its_repetition_is_heard() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    let newest = bridge.any_message();
    bridge.desk.queue.fail_next(1);
    app::note_receipt(&bridge.statuses(), &desk_account_id(), newest, ReceiptStatus::Read).await.unwrap_err();
    assert_eq!(bridge.reports(ReceiptStatus::Read).await, ReceiptOutcome::NoNews);
    bridge.work().await;
    assert_eq!(bridge.chats.told().await, ["confirmed s-1"]);
}

#[tokio::test]
async fn reports_about_what_is_no_sentence_of_the_visitor_are_nothing_for_the_chat() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    bridge.chats.visitor("t", VisitorAct::Stop).await;
    assert_eq!(bridge.told_staff().await[1..], ["The visitor has left the chat."]);
    bridge.reports(ReceiptStatus::Read).await;
    assert!(bridge.desk.queue.waiting().is_empty());

    // A message of a conversation that is no chat.
    let desk = World::new();
    let message = desk.visitor_says("+420700000001", "sms-1", "Hi").await;
    desk.work().await;
    let ctx = desk.ctx::<dyn StatusStore>(|store| store);
    app::note_receipt(&ctx, &desk_account_id(), message, ReceiptStatus::Read).await.unwrap();
    assert!(desk.queue.waiting().is_empty());
}

#[tokio::test]
async fn staff_is_told_once_that_the_visitor_has_its_sentence() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    let key = bridge.staff_says("m-1", "Hi").await;
    bridge.work().await;
    assert_eq!(bridge.receipts(), [sent()]);
    for _ in 0..2 {
        bridge.visitor_has(&key).await;
        bridge.work().await;
    }
    assert_eq!(bridge.receipts(), [sent(), delivered()]);
    assert!(bridge.desk.is_at_rest(bridge.conversation()));
}

#[tokio::test]
async fn receipt_that_a_higher_one_has_overtaken_is_not_told() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    let key = bridge.staff_says("m-1", "Hi").await;
    let task = DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 0, due: None };
    app::chats::say(&bridge.chats.ctx, &bridge.desk.outbound.settle, &task).await.unwrap();
    bridge.visitor_has(&key).await;
    bridge.work().await;
    assert_eq!(bridge.receipts(), [delivered()], "one call instead of two");
    let sent = DeliveryKey { recipient: desk_account_id(), content: sent(), ..key };
    assert!(matches!(bridge.desk.state(&sent), DeliveryState::Sent { .. }));
    let detail = bridge.desk.last_told(&sent).detail;
    assert_eq!(detail.as_deref(), Some("a higher status of the same message follows"));
    assert!(bridge.desk.is_at_rest(bridge.conversation()));
}

#[tokio::test]
async fn receipt_whose_task_is_lost_is_found_by_the_sweep() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    let key = bridge.staff_says("m-1", "Hi").await;
    bridge.work().await;
    bridge.visitor_has(&key).await;
    bridge.chats.timers.forget_all();
    bridge.pass().await;
    assert_eq!(bridge.receipts(), [sent(), delivered()]);
}

#[tokio::test]
async fn staff_is_never_told_less_than_before() {
    // The visitor has the sentence while whoever said it in the chat has not yet stored that.
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    let key = bridge.staff_says("m-1", "Hi").await;
    let task = DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 0, due: None };
    bridge.desk.store.faults().plan([None, Some(Fault::Refused)]);
    app::chats::say(&bridge.chats.ctx, &bridge.desk.outbound.settle, &task).await.unwrap_err();
    bridge.desk.store.faults().clear();
    bridge.visitor_has(&key).await;
    bridge.work().await;
    bridge.pass().await;
    assert_eq!(bridge.receipts(), [delivered()]);
    assert!(matches!(bridge.desk.state(&key), DeliveryState::Sent { .. }));
    assert!(bridge.desk.is_at_rest(bridge.conversation()));
}

#[tokio::test]
async fn confirmation_of_what_staff_did_not_write_is_no_receipt() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    bridge.staff_says("m-1", "Hi").await;
    bridge.work().await;
    let foreign = DeliveryKey {
        message: MessageId::new("00112233445566778899".parse().unwrap(), 7).unwrap(),
        ..bridge.staff_says("m-2", "Hi again").await
    };
    bridge.visitor_has(&foreign).await;
    bridge.work().await;
    assert_eq!(bridge.receipts(), [sent(), sent()]);
}

#[tokio::test]
async fn session_that_is_deleted_ends_the_chat_as_a_hang_up_does() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    bridge.staff_says("m-1", "Bye").await;
    bridge.work().await;
    bridge.chats.told().await;
    assert_eq!(bridge.session_is(RemoteStatus::Deleted).await, ThreadNote::Noted(bridge.lane()));
    bridge.work().await;
    assert_eq!(bridge.chats.told().await, ["status Closed Agent g1"]);
    let State::Closed { reason, attended_by, .. } = bridge.chats.chat("t").state else { panic!() };
    assert_eq!(reason, CloseReason::Agent);
    assert!(matches!(attended_by, Some(Attendant::Staff(_))));
    assert_eq!(bridge.told_staff().await, ["Hello"], "they know");
}

#[tokio::test]
async fn session_that_is_not_deleted_leaves_the_chat_as_it_is() {
    for status in [RemoteStatus::Inactive, RemoteStatus::Failed, RemoteStatus::Active] {
        let bridge = Bridge::in_session(RemoteStatus::Active).await;
        bridge.session_is(status).await;
        bridge.work().await;
        assert_eq!((bridge.chats.state("t").as_str(), bridge.chats.told().await), ("Waiting", vec![]), "{status:?}");
    }
}

#[tokio::test]
async fn chat_that_has_begun_again_outlives_the_end_of_the_session_before_it() {
    let bridge =
        Bridge::with_session(Policy { inertia: Some(Duration::from_secs(60)), ..Policy::default() }, RemoteStatus::Active).await;
    bridge.session_is(RemoteStatus::Deleted).await;
    let late: Vec<_> = bridge.desk.queue.waiting().into_iter().map(|(_, task)| task).collect();
    bridge.work().await;
    bridge.desk.clock.advance(SECOND);
    bridge.chats.visitor("t", says("s-2", "One more thing")).await;
    assert_eq!(bridge.chats.state("t"), "Waiting");
    // The platform says it again, and the queue brings the first one again.
    let gone = bridge.session_is(RemoteStatus::Deleted).await;
    let since = bridge.desk.clock.now().plus(Duration::ZERO).millis() - 1_000;
    assert_eq!(gone, ThreadNote::Gone { lane: bridge.lane(), since: model::EpochMillis::new(since) });
    for task in late {
        bridge.desk.queue.push(bridge.desk.clock.now(), task);
    }
    bridge.work().await;
    assert_eq!(bridge.chats.state("t"), "Waiting");
    assert_eq!(bridge.told_staff().await, ["Hello", "One more thing"]);
}

#[tokio::test]
async fn end_that_the_queue_did_not_take_is_heard_with_its_repetition() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    bridge.desk.queue.fail_next(1);
    app::note_thread(&bridge.statuses(), &desk_account_id(), SESSION, RemoteStatus::Deleted).await.unwrap_err();
    bridge.session_is(RemoteStatus::Deleted).await;
    bridge.work().await;
    assert_eq!(bridge.chats.state("t"), "Closed Agent");
}

#[tokio::test]
async fn end_of_a_session_is_nothing_for_a_chat_that_somebody_else_has() {
    let bridge = Bridge::in_session(RemoteStatus::Active).await;
    bridge.hand_over(&bridge.chats.desk).await;
    bridge.session_is(RemoteStatus::Deleted).await;
    bridge.work().await;
    assert_eq!(bridge.chats.state("t"), "Waiting");

    // Nor is there a chat in every conversation.
    let desk = Bridge::new();
    let ended = StaffTask::EndedV1 {
        account: desk_account_id(),
        conversation: "00112233445566778899".parse().unwrap(),
        at: desk.desk.clock.now(),
    };
    desk.desk.queue.push(desk.desk.clock.now(), QueuedTask::Staff(ended));
    desk.work().await;
}

#[tokio::test]
async fn staff_is_seen_under_the_name_that_its_account_gives() {
    let bridge = Bridge::new();
    bridge.greeted().await;
    bridge.staff_says("m-1", "Hi").await;
    bridge.work().await;
    let name = || match bridge.chats.chat("t").state {
        State::Answered { by: Attendant::Staff(staff) } => staff.name,
        other => panic!("{other:?}"),
    };
    assert_eq!(name(), None, "nobody is named unless somebody is configured");
    bridge.chats.told().await;

    bridge.chats.configure(|plan| {
        let desk = plan.desk.as_mut().unwrap();
        desk.account = desk_account_id();
        desk.agents = None;
        desk.staff_name = Some("Salon Iris".to_owned());
    });
    let second = bridge.staff_says("m-2", "How can I help?").await;
    bridge.work().await;
    assert_eq!(name().as_deref(), Some("Salon Iris"));
    assert_eq!(bridge.chats.told().await, ["status Answered staff g1", "out 3 How can I help?"]);
    bridge.staff_says("m-3", "?").await;
    bridge.work().await;
    assert_eq!(bridge.chats.told().await, ["out 4 ?"], "the same face");
    let said = ports::Chats::sentences(bridge.chats.chats.as_ref(), bridge.chats.chat("t").id, 1, 3).await.unwrap();
    let names: Vec<_> = said.iter().map(|sentence| sentence.party_name.as_deref()).collect();
    assert_eq!(names, [None, None, Some("Salon Iris")]);
    assert_eq!(said[2].id.as_str(), second.message.to_string());
}

#[tokio::test]
async fn agents_and_scripts_are_named_in_what_staff_is_given() {
    let bridge = Bridge::of_agents(Policy::default());
    let nodes = json!([{"name": "a", "say": "Welcome", "then": "hand_over"}]);
    bridge.chats.configure(|plan| plan.script = Some(script_of(ScriptWhen::Always, nodes)));
    bridge.chats.log_in(&bridge.chats.anna).await;
    bridge.chats.visitor("t", start()).await;
    let anna = bridge.chats.anna.clone();
    bridge.chats.agent(&anna, "t", AgentAct::Answers).await;
    // As an agent's client brings it: with the name of the agent.
    let named = Draft::new("a-1".to_owned().try_into().unwrap(), SentenceKind::Text, "Hi".into(), Some("Anna".into()), None);
    bridge.chats.agent(&anna, "t", AgentAct::Speaks(named.unwrap())).await;
    bridge.hand_over(&desk_account_id()).await;
    assert_eq!(bridge.told_staff().await, ["Robin: Welcome", "Anna: Hi"]);
}
