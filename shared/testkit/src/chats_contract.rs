//! The contract of [`Chats`], as a suite that runs against any of them.
//!
//! Every case draws ids of its own, so that all of them can share one table. Times start at the real present: a store
//! may clean up by itself what is past.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat::desk::Presence;
use chat::{
    Agent, AgentId, Attendant, Chat, ChatId, CloseReason, Desk, Direction, Policy, Prepared, Sentence, SentenceId, SentenceKind,
    Skill, State, Workplace,
};
use model::{
    AccountId, Author, Content, Conversation, ConversationId, Delivery, DeliveryContent, DeliveryKey, EpochMillis, EventKey,
    LaneEntry, LaneKey, LaneKind, Memo, Message, MessageId, ReceiptStatus, TenantId, Visitor,
};
use ports::{
    AcceptOutcome, Acceptance, AgentChange, Bind, BoundBefore, ChatChange, ChatRecord, ChatSaved, Chats, Guard, GuardRefusal,
    LaneSelector, NewDelivery, OnceKey, OwedReceipt, PortError, Relay, StaffView, Store, StreamEntry, StreamHead, StreamKey,
    StreamPage, StreamRead,
};
use serde_json::json;

use crate::store_contract::{fresh, present};

/// Longer than the suite runs.
pub(crate) const SOON: Duration = Duration::from_secs(600);
/// How old an entry is when the numbers before it that nobody used are skipped.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an entry is kept.
const KEPT: Duration = Duration::from_secs(86_400);

/// Runs the whole suite.
pub async fn run(chats: Arc<dyn Chats>) {
    macro_rules! cases {
        ($($case:ident),* $(,)?) => {
            $(
                // Shown by the test runner only when the case fails.
                println!("chats contract: {}", stringify!($case));
                $case(chats.clone()).await;
            )*
        };
    }
    cases![
        nothing_is_known_of_a_new_conversation,
        chat_is_read_as_it_was_stored,
        change_needs_the_rev_that_was_read,
        rev_may_stay_or_rise_by_more_than_one,
        lost_change_stores_nothing,
        concurrent_changes_have_one_winner,
        new_chat_takes_the_place_of_the_closed_one,
        bound_thread_leads_to_the_chat_it_entered,
        bind_needs_what_was_read_of_the_thread,
        bound_thread_leaves_its_own_chat,
        guards_are_looked_at_first,
        guard_of_a_lost_change_stays_free,
        answered_guard_gives_its_answer_again,
        guards_alone_are_remembered_all_or_none,
        entries_without_a_chat_are_told_with_their_guards,
        sentences_are_found_by_counter,
        sentences_are_found_by_id_and_direction,
        sentence_without_a_counter_is_found_by_id_only,
        first_confirmation_stands,
        confirmation_concerns_its_sentence_only,
        numbers_are_reserved_once,
        streams_are_numbered_apart,
        page_ends_before_a_number_that_may_still_be_used,
        number_that_was_never_used_is_skipped,
        number_at_the_end_is_waited_for,
        number_told_late_is_read,
        delivered_entry_is_not_given_again,
        pages_follow_each_other,
        page_of_delivered_entries_moves_on,
        entries_are_found_by_number,
        expired_place_is_told,
        place_at_the_end_is_not_expired,
        head_tells_last_and_oldest,
        volatile_entry_says_so,
        agent_is_seen_as_noted,
        agent_seen_keeps_presence,
        agent_takes_no_more_than_their_capacity,
        agent_who_is_not_ready_takes_nothing,
        agent_taken_stores_nothing,
        agent_is_given_the_same_chat_once,
        agent_passes_a_chat_on_in_one_change,
        release_makes_idle_once,
        concurrent_offers_keep_to_the_capacity,
        chats_of_an_agent_are_those_they_have,
        chats_of_a_gateway_are_those_that_are_not_closed,
        chats_of_a_gateway_include_recently_closed_ones_if_asked,
        longest_waiting_comes_first,
        only_waiting_chats_wait,
        overdue_chats_are_found_oldest_first,
    ];
}

/// Runs the cases of chats that another platform's staff is told of: `store` is that of the same conversations.
pub async fn run_beside(chats: Arc<dyn Chats>, store: Arc<dyn Store>) {
    println!("chats contract: beside a store");
    relay_is_stored_with_its_change(chats.clone(), store.clone()).await;
    relay_to_a_conversation_that_is_further_is_stale_and_stores_nothing(chats.clone(), store.clone()).await;
    relay_of_a_lost_change_stores_nothing(chats.clone(), store.clone()).await;
    relay_waits_behind_what_waits(chats.clone(), store.clone()).await;
    staffs_answer_in_a_chat_waits_in_a_lane_of_its_own(chats.clone(), store.clone()).await;
    receipt_is_owed_once_and_never_for_less(chats, store).await;
}

/// Ids of one case.
pub(crate) struct Case {
    pub(crate) chats: Arc<dyn Chats>,
    pub(crate) now: EpochMillis,
    pub(crate) tenant: TenantId,
    pub(crate) gateway: AccountId,
    pub(crate) desk: AccountId,
    pub(crate) id: ConversationId,
}

pub(crate) fn conversation() -> ConversationId {
    fresh()[..20].parse().unwrap()
}

pub(crate) fn workplace() -> Workplace {
    "101".parse().unwrap()
}

pub(crate) fn sentence_id(text: &str) -> SentenceId {
    text.to_owned().try_into().unwrap()
}

pub(crate) fn staff() -> AccountId {
    format!("vcita/{}", fresh()).parse().unwrap()
}

/// The same place of a conversation twice, and once after it.
pub(crate) const PLACE: u64 = 1_767_225_600_000;

/// Messages at these places of a chat's conversation, each on its way to `to`.
pub(crate) fn relay_of(case: &Case, to: &AccountId, places: std::ops::RangeInclusive<u64>) -> Relay {
    let conversation = Conversation {
        id: case.id,
        tenant: case.tenant.clone(),
        visitor: Visitor {
            account: case.gateway.clone(),
            address: "t-1 ěščř".into(),
            name: Some("Eva Nová".into()),
            memo: Memo::new(),
        },
        desk: Some(to.clone()),
        last_seq: *places.end(),
        is_chat: true,
    };
    let message = |place| Message {
        id: MessageId::new(case.id, place).unwrap(),
        tenant: case.tenant.clone(),
        author: Author::Visitor,
        origin: case.gateway.clone(),
        origin_id: format!("s-{place}"),
        sent_at: case.now,
        accepted_at: case.now,
        content: Content { text: format!("zpráva {place} 👋"), html: None, subject: None },
        details: model::MessageDetails::default(),
        memo: Memo::new(),
    };
    let delivery = |place| NewDelivery {
        delivery: Delivery::queued(relayed(case, to, place), case.tenant.clone(), case.now),
        due_at: case.later(SOON),
    };
    Relay { conversation, messages: places.clone().map(message).collect(), deliveries: places.map(delivery).collect() }
}

fn relayed(case: &Case, to: &AccountId, place: u64) -> DeliveryKey {
    let message = MessageId::new(case.id, place).unwrap();
    DeliveryKey { message, recipient: to.clone(), content: DeliveryContent::Message }
}

async fn pending(store: &dyn Store, lane: &LaneKey, now: EpochMillis) -> Vec<LaneEntry> {
    let item = store.work(lane, LaneSelector::Head, None, now).await.unwrap();
    item.map(|item| item.lane.pending).unwrap_or_default()
}

/// Waits for both at the same time.
async fn together<T>(first: impl Future<Output = T>, second: impl Future<Output = T>) -> [T; 2] {
    let (first, second) = tokio::join!(first, second);
    [first, second]
}

impl Case {
    fn new(chats: Arc<dyn Chats>) -> Self {
        Self {
            chats,
            now: present(),
            tenant: fresh().parse().unwrap(),
            gateway: format!("frontstage/{}", fresh()).parse().unwrap(),
            desk: format!("frontstage/{}", fresh()).parse().unwrap(),
            id: conversation(),
        }
    }

    /// A case with a stored chat.
    pub(crate) async fn with_chat(chats: Arc<dyn Chats>) -> Self {
        let case = Self::new(chats);
        case.start(case.id).await;
        case
    }

    pub(crate) fn later(&self, by: Duration) -> EpochMillis {
        self.now.plus(by)
    }

    pub(crate) fn record_of(&self, id: ConversationId) -> ChatRecord {
        let prepared = Prepared {
            id: ChatId::new(id, 1).unwrap(),
            tenant: self.tenant.clone(),
            gateway: self.gateway.clone(),
            visitor: chat::ChatVisitor { party_name: Some("Eva Nová".into()), ..chat::ChatVisitor::default() },
            by: None,
        };
        let mut chat = Chat::prepare(prepared, self.now, &Policy::default());
        chat.tracking = Some("t-1 ěščř 👋".to_owned().try_into().unwrap());
        ChatRecord { chat, desk: Some(self.desk.clone()), staff: None }
    }

    pub(crate) fn change_to(&self, record: ChatRecord, expected_rev: Option<u64>) -> ChatChange {
        ChatChange {
            record,
            expected_rev,
            bind: None,
            sentences: Vec::new(),
            confirmed: Vec::new(),
            told: Vec::new(),
            agents: Vec::new(),
            relay: None,
            receipt: None,
            results: Vec::new(),
            guards: Vec::new(),
            now: self.now,
        }
    }

    pub(crate) async fn save(&self, change: &ChatChange) -> ChatSaved {
        self.chats.save(change).await.unwrap()
    }

    pub(crate) async fn start(&self, id: ConversationId) -> ChatRecord {
        let record = self.record_of(id);
        assert_eq!(self.save(&self.change_to(record.clone(), None)).await, ChatSaved::Yes);
        record
    }

    pub(crate) async fn stored(&self, id: ConversationId) -> ChatRecord {
        self.chats.chat(id, None).await.unwrap().unwrap().0
    }

    /// A change of the stored chat to `state`.
    pub(crate) async fn next_of(&self, id: ConversationId, change: impl FnOnce(&mut Chat)) -> ChatChange {
        let mut record = self.stored(id).await;
        let rev = record.chat.rev;
        record.chat.rev += 1;
        change(&mut record.chat);
        self.change_to(record, Some(rev))
    }

    pub(crate) async fn next(&self) -> ChatChange {
        self.next_of(self.id, |_| ()).await
    }

    pub(crate) async fn store(&self, id: ConversationId, change: impl FnOnce(&mut Chat)) {
        let change = self.next_of(id, change).await;
        assert_eq!(self.save(&change).await, ChatSaved::Yes);
    }

    pub(crate) fn sentence(&self, id: &str, direction: Direction, counter: u64) -> Sentence {
        Sentence {
            id: sentence_id(id),
            direction,
            counter,
            kind: if counter == 0 { SentenceKind::Panel } else { SentenceKind::Text },
            text: format!("zpráva {counter} 👋"),
            party_name: Some("Eva".into()),
            sent_at: self.now,
            confirmed_at: None,
        }
    }

    /// Stores sentences, with the counter of the last one in the chat.
    pub(crate) async fn say(&self, sentences: &[Sentence]) {
        let mut change = self.next().await;
        change.record.chat.counter = sentences.iter().map(|s| s.counter).max().unwrap().max(change.record.chat.counter);
        change.sentences = sentences.to_vec();
        assert_eq!(self.save(&change).await, ChatSaved::Yes);
    }

    async fn said(&self, direction: Direction, id: &str) -> (Vec<Sentence>, Vec<u64>) {
        let (_, said) = self.chats.chat(self.id, Some((direction, &sentence_id(id)))).await.unwrap().unwrap();
        (said.sentences, said.unconfirmed)
    }

    pub(crate) async fn transcript(&self) -> Vec<Sentence> {
        let record = self.stored(self.id).await;
        self.chats.sentences(record.chat.id, 1, record.chat.counter.max(1)).await.unwrap()
    }

    fn once_key(&self, name: &str) -> OnceKey {
        OnceKey { account: self.gateway.clone(), name: EventKey::new("nonce", [name]), expires_at: self.later(SOON) }
    }

    fn once(&self, name: &str) -> Guard {
        Guard::Once(self.once_key(name))
    }

    async fn is_free(&self, name: &str) -> bool {
        self.chats.tell(&[], &[self.once(name)], self.now).await.unwrap().is_none()
    }

    pub(crate) fn stream(&self) -> StreamKey {
        StreamKey::Gateway(self.gateway.clone())
    }

    async fn reserve(&self, count: u32) -> u64 {
        self.chats.reserve(&self.stream(), count, self.now).await.unwrap()
    }

    pub(crate) fn entry(&self, seq: u64) -> StreamEntry {
        StreamEntry {
            seq,
            at: self.now,
            is_delivered: false,
            is_volatile: false,
            offer: None,
            body: Bytes::from(format!("{{\"n\":{seq},\"text\":\"č\"}}")),
        }
    }

    async fn tell(&self, entry: StreamEntry) {
        assert_eq!(self.chats.tell(&[(self.stream(), entry)], &[], self.now).await.unwrap(), None);
    }

    /// Tells `count` entries and returns their numbers.
    async fn tell_many(&self, count: u32) -> Vec<u64> {
        let first = self.reserve(count).await;
        let numbers: Vec<_> = (first..first + u64::from(count)).collect();
        for seq in &numbers {
            self.tell(self.entry(*seq)).await;
        }
        numbers
    }

    async fn read(&self, after: u64, max: usize, now: EpochMillis) -> StreamRead {
        self.chats.read(&self.stream(), after, max, now).await.unwrap()
    }

    async fn page(&self, after: u64, max: usize, now: EpochMillis) -> StreamPage {
        match self.read(after, max, now).await {
            StreamRead::Page(page) => page,
            StreamRead::Expired { next } => panic!("expired, next {next}"),
        }
    }

    fn ready(&self) -> Presence {
        Presence::Ready { workplace: workplace(), idle_since: self.now }
    }

    /// An agent who is there.
    async fn agent(&self) -> AgentId {
        let id: AgentId = fresh().parse().unwrap();
        self.chats.note_presence(&self.desk, &id, &self.ready(), self.now).await.unwrap();
        id
    }

    fn take(&self, agent: &AgentId, capacity: u32) -> AgentChange {
        AgentChange::Take { desk: self.desk.clone(), agent: agent.clone(), capacity }
    }

    fn release(&self, agent: &AgentId, at: EpochMillis) -> AgentChange {
        AgentChange::Release { desk: self.desk.clone(), agent: agent.clone(), at }
    }

    /// Changes loads with the chat of a conversation.
    async fn load(&self, id: ConversationId, agents: Vec<AgentChange>) -> ChatSaved {
        let mut change = self.next_of(id, |_| ()).await;
        change.agents = agents;
        self.save(&change).await
    }

    async fn seen(&self, agent: &AgentId) -> (Presence, EpochMillis, u32) {
        let agents = self.chats.agents(&self.desk).await.unwrap();
        let seen = agents.into_iter().find(|seen| seen.id == *agent).unwrap();
        (seen.presence, seen.seen_at, seen.chats)
    }

    /// Starts a chat that waits for an agent since `from`.
    async fn wait(&self, from: EpochMillis) -> ConversationId {
        let id = conversation();
        let mut record = self.record_of(id);
        wait(&mut record.chat, from);
        assert_eq!(self.save(&self.change_to(record, None)).await, ChatSaved::Yes);
        id
    }

    async fn waiting(&self, limit: usize) -> Vec<ConversationId> {
        self.chats.waiting(&self.desk, limit).await.unwrap()
    }
}

fn wait(chat: &mut Chat, from: EpochMillis) {
    chat.desk = Some(Desk::Agents(Skill { project: "sales".parse().unwrap(), language: None }));
    chat.waiting_from = from;
    chat.enqueued_at = Some(from);
    // Not what counts: an offer that came to nothing begins it anew.
    chat.state = State::Waiting { since: EpochMillis::new(2 * 1_767_225_600_000 - from.millis()) };
}

fn alert(chat: &mut Chat, agent: &AgentId, until: EpochMillis) {
    let agent = Agent { id: agent.clone(), workplace: workplace(), name: "Jan".into() };
    chat.state = State::Alerting { agent, until };
}

fn answer(chat: &mut Chat, agent: &AgentId) {
    let agent = Agent { id: agent.clone(), workplace: workplace(), name: "Jan".into() };
    chat.state = State::Answered { by: Attendant::Agent(agent) };
}

fn close(chat: &mut Chat, at: EpochMillis) {
    chat.state = State::Closed { reason: CloseReason::ExtApp, at, attended_by: None };
    chat.timer_at = None;
}

fn numbers(page: &StreamPage) -> Vec<u64> {
    page.entries.iter().map(|entry| entry.seq).collect()
}

/// What nobody has stored is not there, and no error.
pub async fn nothing_is_known_of_a_new_conversation(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    assert_eq!(case.chats.chat(case.id, Some((Direction::Inbound, &sentence_id("s")))).await.unwrap(), None);
    assert_eq!(case.chats.sentences(ChatId::new(case.id, 1).unwrap(), 1, 10).await.unwrap(), []);
    assert_eq!(case.chats.of_gateway(&case.gateway, None).await.unwrap(), []);
    assert_eq!(case.chats.agents(&case.desk).await.unwrap(), []);
    assert_eq!(case.waiting(10).await, []);
    assert_eq!(case.page(0, 10, case.now).await, StreamPage { entries: Vec::new(), next: 0, has_more: false });
    assert_eq!(case.chats.head(&case.stream(), case.now).await.unwrap(), StreamHead { last: 0, oldest: 1 });
}

/// Everything of a chat comes back as it was.
pub async fn chat_is_read_as_it_was_stored(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    let mut record = case.record_of(case.id);
    wait(&mut record.chat, case.now);
    record.chat.slots.panel = Some(case.sentence("p", Direction::Outbound, 0));
    record.chat.timer_at = Some(case.now);
    assert_eq!(case.save(&case.change_to(record.clone(), None)).await, ChatSaved::Yes);
    assert_eq!(case.stored(case.id).await, record);
    let without_desk = ChatRecord { desk: None, ..case.record_of(conversation()) };
    assert_eq!(case.save(&case.change_to(without_desk.clone(), None)).await, ChatSaved::Yes);
    assert_eq!(case.stored(without_desk.chat.conversation()).await, without_desk);
}

/// A change holds only for the chat that was read, and creating one only where there is none.
pub async fn change_needs_the_rev_that_was_read(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    let record = case.record_of(case.id);
    assert_eq!(case.save(&case.change_to(record.clone(), Some(0))).await, ChatSaved::Conflict, "there is none yet");
    assert_eq!(case.save(&case.change_to(record.clone(), None)).await, ChatSaved::Yes);
    assert_eq!(case.save(&case.change_to(record, None)).await, ChatSaved::Conflict, "there is one already");
    let change = case.next().await;
    assert_eq!(case.save(&change).await, ChatSaved::Yes);
    assert_eq!(case.save(&change).await, ChatSaved::Conflict);
    assert_eq!(case.stored(case.id).await, change.record);
}

/// What only tells something leaves `rev` as it is; what takes several steps counts several times.
pub async fn rev_may_stay_or_rise_by_more_than_one(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let same = case.change_to(case.stored(case.id).await, Some(0));
    assert_eq!(case.save(&same).await, ChatSaved::Yes);
    assert_eq!(case.save(&same).await, ChatSaved::Yes);
    let mut change = case.next().await;
    change.record.chat.rev = 5;
    assert_eq!(case.save(&change).await, ChatSaved::Yes);
    let again = ChatChange { expected_rev: Some(1), ..change };
    assert_eq!(case.save(&again).await, ChatSaved::Conflict);
    assert_eq!(case.save(&ChatChange { expected_rev: Some(5), ..again }).await, ChatSaved::Yes);
}

/// Whoever comes second stores neither sentence nor confirmation, entry, load or guard.
pub async fn lost_change_stores_nothing(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    case.say(&[case.sentence("a", Direction::Inbound, 1)]).await;
    let agent = case.agent().await;
    let mut lost = case.next().await;
    lost.expected_rev = Some(77);
    lost.sentences = vec![case.sentence("b", Direction::Inbound, 2)];
    lost.confirmed = vec![(Direction::Inbound, sentence_id("a"), 1, case.now)];
    lost.told = vec![(case.stream(), case.entry(case.reserve(1).await))];
    lost.agents = vec![case.take(&agent, 1)];
    assert_eq!(case.save(&lost).await, ChatSaved::Conflict);
    assert_eq!(case.transcript().await, [case.sentence("a", Direction::Inbound, 1)]);
    assert_eq!(case.said(Direction::Inbound, "b").await.0, []);
    assert_eq!(case.page(0, 10, case.now).await.entries, []);
    assert_eq!(case.seen(&agent).await.2, 0);
}

/// Of two who read the same, one is told to read again.
pub async fn concurrent_changes_have_one_winner(chats: Arc<dyn Chats>) {
    for _ in 0..5 {
        let case = Case::with_chat(chats.clone()).await;
        let (mut one, mut other) = (case.next().await, case.next().await);
        one.sentences = vec![case.sentence("one", Direction::Inbound, 1)];
        other.sentences = vec![case.sentence("other", Direction::Outbound, 1)];
        let results = together(case.chats.save(&one), case.chats.save(&other)).await;
        assert_eq!(results.iter().filter(|r| matches!(r, Ok(ChatSaved::Yes))).count(), 1, "{results:?}");
        let is_lost = |r: &&Result<ChatSaved, PortError>| matches!(r, Ok(ChatSaved::Conflict) | Err(PortError::Busy));
        assert_eq!(results.iter().filter(is_lost).count(), 1, "{results:?}");
        assert_eq!(case.transcript().await.len(), 1);
    }
}

/// The next chat of a conversation is the current one; what was said in the one before stays with that.
pub async fn new_chat_takes_the_place_of_the_closed_one(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    case.say(&[case.sentence("a", Direction::Inbound, 1)]).await;
    case.store(case.id, |chat| close(chat, case.now)).await;
    let old = case.stored(case.id).await.chat;
    let mut fresh = case.record_of(case.id);
    fresh.chat.id = old.id.next().unwrap();
    fresh.chat.rev = old.rev + 1;
    assert_eq!(case.save(&case.change_to(fresh.clone(), Some(old.rev))).await, ChatSaved::Yes);
    assert_eq!(case.stored(case.id).await, fresh);
    assert_eq!(case.said(Direction::Inbound, "a").await.0, []);
    assert_eq!(case.transcript().await, []);
    assert_eq!(case.chats.sentences(old.id, 1, 1).await.unwrap().len(), 1);
    case.say(&[case.sentence("a", Direction::Inbound, 1)]).await;
    assert_eq!(case.said(Direction::Inbound, "a").await.0.len(), 1);
}

/// A prepared chat that a thread enters is found through the thread, with what was said in it, and changed where it is.
pub async fn bound_thread_leads_to_the_chat_it_entered(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    case.say(&[case.sentence("a", Direction::Outbound, 1)]).await;
    let thread = conversation();
    let mut change = case.next().await;
    change.bind = Some(Bind { thread, before: BoundBefore::Nothing });
    assert_eq!(case.save(&change).await, ChatSaved::Yes);
    assert_eq!(case.stored(thread).await, change.record);
    let (_, said) = case.chats.chat(thread, Some((Direction::Outbound, &sentence_id("a")))).await.unwrap().unwrap();
    assert_eq!(said.sentences, [case.sentence("a", Direction::Outbound, 1)]);
    case.store(thread, |chat| chat.counter = 7).await;
    assert_eq!((case.stored(case.id).await.chat.counter, case.stored(thread).await.chat.counter), (7, 7));
    assert_eq!(case.chats.of_gateway(&case.gateway, None).await.unwrap().len(), 1);
}

/// Of two who bind the same thread, or change where it leads, one is first; the other stores nothing.
pub async fn bind_needs_what_was_read_of_the_thread(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let (thread, other) = (conversation(), conversation());
    case.start(other).await;
    let before = [BoundBefore::Chat { rev: 0 }, BoundBefore::To(other)];
    for before in before.iter().chain([&BoundBefore::Chat { rev: 1 }]) {
        let mut change = case.next().await;
        change.bind = Some(Bind { thread, before: before.clone() });
        assert_eq!(case.save(&change).await, ChatSaved::Conflict, "{before:?}");
        assert_eq!(case.chats.chat(thread, None).await.unwrap(), None);
    }
    let mut change = case.next().await;
    change.bind = Some(Bind { thread, before: BoundBefore::Nothing });
    let lost = ChatChange { expected_rev: Some(77), ..change.clone() };
    assert_eq!(case.save(&lost).await, ChatSaved::Conflict);
    assert_eq!(case.chats.chat(thread, None).await.unwrap(), None);
    assert_eq!(case.save(&change).await, ChatSaved::Yes);
    // Where it leads, it can be led on from.
    let mut on = case.next_of(other, |_| ()).await;
    for wrong in [BoundBefore::Nothing, BoundBefore::Chat { rev: 1 }, BoundBefore::To(other)] {
        on.bind = Some(Bind { thread, before: wrong });
        assert_eq!(case.save(&on).await, ChatSaved::Conflict);
    }
    on.bind = Some(Bind { thread, before: BoundBefore::To(case.id) });
    assert_eq!(case.save(&on).await, ChatSaved::Yes);
    assert_eq!(case.stored(thread).await, on.record);
}

/// The closed chat that a thread had of its own is nobody's current one any more.
pub async fn bound_thread_leaves_its_own_chat(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let thread = conversation();
    case.start(thread).await;
    case.store(thread, |chat| close(chat, case.now)).await;
    let rev = case.stored(thread).await.chat.rev;
    let mut change = case.next().await;
    change.bind = Some(Bind { thread, before: BoundBefore::Chat { rev: rev + 1 } });
    assert_eq!(case.save(&change).await, ChatSaved::Conflict);
    change.bind = Some(Bind { thread, before: BoundBefore::Chat { rev } });
    assert_eq!(case.save(&change).await, ChatSaved::Yes);
    assert_eq!(case.stored(thread).await, change.record);
    let ago = EpochMillis::new(case.now.millis() - 1000);
    assert_eq!(case.chats.of_gateway(&case.gateway, Some(ago)).await.unwrap(), [change.record]);
}

/// A guard's refusal is told before a conflict and before a taken agent, and nothing is stored.
pub async fn guards_are_looked_at_first(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    assert!(case.is_free("used").await);
    let mut change = case.next().await;
    change.guards = vec![case.once("fresh"), case.once("used")];
    assert_eq!(case.save(&change).await, ChatSaved::Refused(GuardRefusal::Replayed));
    change.expected_rev = Some(77);
    change.agents = vec![case.take(&"nobody".parse().unwrap(), 1)];
    assert_eq!(case.save(&change).await, ChatSaved::Refused(GuardRefusal::Replayed));
    assert_eq!(case.stored(case.id).await.chat.rev, 0);
    assert!(case.is_free("fresh").await);
}

/// A guard is remembered only with what it guards.
pub async fn guard_of_a_lost_change_stays_free(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let mut change = case.next().await;
    change.guards = vec![case.once("lost")];
    assert_eq!(case.save(&ChatChange { expected_rev: Some(77), ..change.clone() }).await, ChatSaved::Conflict);
    assert_eq!(case.save(&change).await, ChatSaved::Yes);
    assert_eq!(case.save(&change).await, ChatSaved::Refused(GuardRefusal::Replayed));
}

/// The same envelope again finds what it was answered, another one of the same name that it is another.
pub async fn answered_guard_gives_its_answer_again(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let answered = |fingerprint: &str, entries: &[u64]| Guard::Answered {
        key: case.once_key("envelope"),
        fingerprint: fingerprint.to_owned(),
        answer: json!({"entries": entries, "refusal": null}),
    };
    let mut change = case.next().await;
    change.guards = vec![case.once("n-1"), answered("f", &[7, 8])];
    assert_eq!(case.save(&change).await, ChatSaved::Yes);
    let mut again = case.next().await;
    again.guards = vec![case.once("n-2"), answered("f", &[9])];
    let before = json!({"entries": [7, 8], "refusal": null});
    assert_eq!(case.save(&again).await, ChatSaved::Refused(GuardRefusal::AnsweredBefore(before.clone())));
    let told = case.chats.tell(&[], &[answered("f", &[9])], case.now).await.unwrap();
    assert_eq!(told, Some(GuardRefusal::AnsweredBefore(before)));
    again.guards = vec![answered("other", &[9])];
    assert_eq!(case.save(&again).await, ChatSaved::Refused(GuardRefusal::FingerprintDiffers));
    assert!(case.is_free("n-2").await);
    again.now = case.later(SOON);
    assert_eq!(case.save(&again).await, ChatSaved::Yes, "expired");
}

/// Guards that guard no change are used together or not at all; without any there is nothing to do.
pub async fn guards_alone_are_remembered_all_or_none(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    assert_eq!(case.chats.tell(&[], &[], case.now).await.unwrap(), None);
    assert!(case.is_free("a").await);
    let refused = case.chats.tell(&[], &[case.once("b"), case.once("a")], case.now).await.unwrap();
    assert_eq!(refused, Some(GuardRefusal::Replayed));
    assert!(case.is_free("b").await);
}

/// An answer that no chat goes with is told unless a guard refuses.
pub async fn entries_without_a_chat_are_told_with_their_guards(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    let first = case.reserve(2).await;
    let told = [(case.stream(), case.entry(first))];
    assert_eq!(case.chats.tell(&told, &[case.once("a")], case.now).await.unwrap(), None);
    let refused = [(case.stream(), case.entry(first + 1))];
    assert_eq!(case.chats.tell(&refused, &[case.once("a")], case.now).await.unwrap(), Some(GuardRefusal::Replayed));
    assert_eq!(case.page(0, 10, case.now).await.entries, [case.entry(first)]);
}

/// A part of the transcript, in order, of both directions.
pub async fn sentences_are_found_by_counter(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let mut said = Vec::new();
    for counter in 1..=12 {
        let direction = if counter % 2 == 0 { Direction::Outbound } else { Direction::Inbound };
        said.push(case.sentence(&format!("s-{counter}"), direction, counter));
        case.say(&said[said.len() - 1..]).await;
    }
    assert_eq!(case.transcript().await, said);
    let id = case.stored(case.id).await.chat.id;
    assert_eq!(case.chats.sentences(id, 9, 11).await.unwrap(), said[8..11]);
    assert_eq!(case.chats.sentences(id, 12, 40).await.unwrap(), said[11..]);
    assert_eq!(case.chats.sentences(id, 13, 40).await.unwrap(), []);
}

/// Everything that was said under one id in one direction, oldest first: an id is not unique.
pub async fn sentences_are_found_by_id_and_direction(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let said = [
        case.sentence("same", Direction::Inbound, 1),
        case.sentence("same", Direction::Outbound, 2),
        case.sentence("same", Direction::Inbound, 3),
        case.sentence("Same", Direction::Inbound, 4),
    ];
    for sentence in &said {
        case.say(std::slice::from_ref(sentence)).await;
    }
    assert_eq!(case.said(Direction::Inbound, "same").await, (vec![said[0].clone(), said[2].clone()], vec![1, 3]));
    assert_eq!(case.said(Direction::Outbound, "same").await, (vec![said[1].clone()], vec![2]));
    assert_eq!(case.said(Direction::Outbound, "Same").await, (vec![], vec![]));
}

/// A panel is found as a repetition, has no place in the transcript, and waits for no confirmation.
pub async fn sentence_without_a_counter_is_found_by_id_only(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let panel = case.sentence("p", Direction::Outbound, 0);
    case.say(std::slice::from_ref(&panel)).await;
    let cleared = Sentence { text: String::new(), ..panel.clone() };
    case.say(std::slice::from_ref(&cleared)).await;
    let text = case.sentence("p", Direction::Outbound, 1);
    case.say(std::slice::from_ref(&text)).await;
    let (mut sentences, unconfirmed) = case.said(Direction::Outbound, "p").await;
    assert_eq!(unconfirmed, [1]);
    sentences.sort_by_key(|sentence| (sentence.counter, sentence.text.is_empty()));
    assert_eq!(sentences, [panel, cleared, text.clone()]);
    assert_eq!(case.transcript().await, [text]);
}

/// Confirming twice keeps the first time, and the sentence is unconfirmed no longer.
pub async fn first_confirmation_stands(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    case.say(&[case.sentence("s", Direction::Outbound, 1), case.sentence("s", Direction::Outbound, 2)]).await;
    for (by, counter) in [(1, 1), (2, 1), (3, 2)] {
        let mut change = case.next().await;
        change.confirmed = vec![(Direction::Outbound, sentence_id("s"), counter, case.later(Duration::from_secs(by)))];
        assert_eq!(case.save(&change).await, ChatSaved::Yes);
        assert_eq!(case.said(Direction::Outbound, "s").await.1, if by < 3 { vec![2] } else { vec![] });
    }
    let times = [Some(case.later(Duration::from_secs(1))), Some(case.later(Duration::from_secs(3)))];
    let confirmed = |sentences: &[Sentence]| sentences.iter().map(|s| s.confirmed_at).collect::<Vec<_>>();
    assert_eq!(confirmed(&case.transcript().await), times);
    assert_eq!(confirmed(&case.said(Direction::Outbound, "s").await.0), times);
    assert_eq!(case.transcript().await[0].text, case.sentence("s", Direction::Outbound, 1).text);
}

/// Of one id only what is named is confirmed, and nothing of the other direction.
pub async fn confirmation_concerns_its_sentence_only(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let said = [("s", Direction::Outbound), ("s", Direction::Inbound), ("s", Direction::Outbound), ("t", Direction::Outbound)];
    let said: Vec<_> = (1..).zip(said).map(|(counter, (id, direction))| case.sentence(id, direction, counter)).collect();
    case.say(&said).await;
    let mut change = case.next().await;
    change.confirmed = [1, 3].map(|counter| (Direction::Outbound, sentence_id("s"), counter, case.now)).to_vec();
    assert_eq!(case.save(&change).await, ChatSaved::Yes);
    let confirmed: Vec<_> = case.transcript().await.iter().map(|s| s.confirmed_at.is_some()).collect();
    assert_eq!(confirmed, [true, false, true, false]);
    assert_eq!(case.said(Direction::Inbound, "s").await.1, [2]);
    assert_eq!(case.said(Direction::Outbound, "t").await.1, [4]);
}

/// Numbers begin at 1 and are given to one only, whoever asks at the same time.
pub async fn numbers_are_reserved_once(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    assert_eq!(case.reserve(1).await, 1);
    assert_eq!(case.reserve(3).await, 2);
    let mut firsts = together(case.reserve(2), case.reserve(2)).await;
    firsts.sort_unstable();
    assert_eq!(firsts, [5, 7]);
    assert_eq!(case.chats.head(&case.stream(), case.now).await.unwrap().last, 8);
}

/// Every gateway and every workplace counts for itself.
pub async fn streams_are_numbered_apart(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    let other: Workplace = "102".parse().unwrap();
    let streams = [
        case.stream(),
        StreamKey::Gateway(case.desk.clone()),
        StreamKey::Workplace(case.desk.clone(), workplace()),
        StreamKey::Workplace(case.desk.clone(), other),
        StreamKey::Workplace(case.gateway.clone(), workplace()),
    ];
    for (place, stream) in streams.iter().enumerate() {
        assert_eq!(case.chats.reserve(stream, 1, case.now).await.unwrap(), 1);
        let body = Bytes::from(place.to_string());
        let entry = StreamEntry { body, ..case.entry(1) };
        case.chats.tell(&[(stream.clone(), entry)], &[], case.now).await.unwrap();
    }
    for (place, stream) in streams.iter().enumerate() {
        let StreamRead::Page(page) = case.chats.read(stream, 0, 10, case.now).await.unwrap() else { panic!("expired") };
        assert_eq!(page.entries.len(), 1);
        assert_eq!(page.entries[0].body, place.to_string());
    }
}

/// A number that is reserved may be told any moment: nothing after it is given until then.
pub async fn page_ends_before_a_number_that_may_still_be_used(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    case.reserve(5).await;
    for seq in [1, 2, 4, 5] {
        case.tell(case.entry(seq)).await;
    }
    let almost = case.later(PATIENCE - Duration::from_millis(1));
    let page = case.page(0, 10, almost).await;
    assert_eq!((numbers(&page), page.next), (vec![1, 2], 2));
    assert_eq!(case.page(2, 10, almost).await.entries, []);
    assert_eq!(case.page(2, 10, almost).await.next, 2);
}

/// Ten seconds later it is given as an empty entry, and what follows with it.
pub async fn number_that_was_never_used_is_skipped(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    case.reserve(6).await;
    for seq in [1, 2, 5, 6] {
        case.tell(case.entry(seq)).await;
    }
    let page = case.page(0, 10, case.later(PATIENCE)).await;
    assert_eq!((numbers(&page), page.next, page.has_more), (vec![1, 2, 3, 4, 5, 6], 6, false));
    let is_empty: Vec<_> = page.entries.iter().map(|entry| entry.body.is_empty()).collect();
    assert_eq!(is_empty, [false, false, true, true, false, false]);
    assert!(page.entries.iter().all(|entry| !entry.is_delivered));
    assert_eq!(numbers(&case.page(3, 10, case.later(PATIENCE)).await), [4, 5, 6]);
}

/// A number with nothing after it is never skipped.
pub async fn number_at_the_end_is_waited_for(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    case.reserve(3).await;
    case.tell(case.entry(1)).await;
    let page = case.page(0, 10, case.later(SOON)).await;
    assert_eq!((numbers(&page), page.next, page.has_more), (vec![1], 1, false));
}

/// A number that is told after its successor has its place.
pub async fn number_told_late_is_read(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    case.reserve(2).await;
    case.tell(case.entry(2)).await;
    assert_eq!(case.page(0, 10, case.now).await.entries, []);
    case.tell(case.entry(1)).await;
    assert_eq!(case.page(0, 10, case.now).await.entries, [case.entry(1), case.entry(2)]);
}

/// What its receiver has in an answer is not given again, and holds nobody up.
pub async fn delivered_entry_is_not_given_again(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    case.reserve(4).await;
    for (seq, is_delivered) in [(1, true), (2, false), (3, true), (4, false)] {
        case.tell(StreamEntry { is_delivered, ..case.entry(seq) }).await;
    }
    let page = case.page(0, 10, case.now).await;
    assert_eq!((numbers(&page), page.next), (vec![2, 4], 4));
}

/// No more than was asked for, and whether there is more.
pub async fn pages_follow_each_other(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    case.tell_many(5).await;
    let first = case.page(0, 2, case.now).await;
    assert_eq!((numbers(&first), first.next, first.has_more), (vec![1, 2], 2, true));
    let second = case.page(first.next, 2, case.now).await;
    assert_eq!((numbers(&second), second.next, second.has_more), (vec![3, 4], 4, true));
    let third = case.page(second.next, 2, case.now).await;
    assert_eq!((numbers(&third), third.next, third.has_more), (vec![5], 5, false));
    let end = case.page(third.next, 2, case.now).await;
    assert_eq!((numbers(&end), end.next, end.has_more), (vec![], 5, false));
    assert_eq!(numbers(&case.page(0, 2, case.now).await), [1, 2], "not acknowledged: given again");
}

/// Entries that are all delivered give an empty page that does not stand still.
pub async fn page_of_delivered_entries_moves_on(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    let first = case.reserve(3).await;
    for seq in first..first + 3 {
        case.tell(StreamEntry { is_delivered: true, ..case.entry(seq) }).await;
    }
    let page = case.page(0, 10, case.now).await;
    assert_eq!((numbers(&page), page.next, page.has_more), (vec![], 3, false));
}

/// A repetition finds its answers, delivered as they are.
pub async fn entries_are_found_by_number(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    let delivered = StreamEntry { is_delivered: true, ..case.entry(2) };
    case.reserve(3).await;
    case.tell(case.entry(1)).await;
    case.tell(delivered.clone()).await;
    assert_eq!(case.chats.entries(&case.stream(), &[2]).await.unwrap(), std::slice::from_ref(&delivered));
    assert_eq!(case.chats.entries(&case.stream(), &[1, 2, 3, 99]).await.unwrap(), [case.entry(1), delivered]);
    assert_eq!(case.chats.entries(&case.stream(), &[]).await.unwrap(), []);
}

/// Who comes back after a day is told so, and where to go on.
pub async fn expired_place_is_told(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    case.tell_many(3).await;
    let first = case.reserve(2).await;
    for seq in [first, first + 1] {
        case.tell(StreamEntry { at: case.later(SOON), ..case.entry(seq) }).await;
    }
    let almost = case.later(KEPT - Duration::from_millis(1));
    assert_eq!(numbers(&case.page(0, 10, almost).await), [1, 2, 3, 4, 5]);
    let day = case.later(KEPT);
    for after in [0, 1, 2] {
        assert_eq!(case.read(after, 10, day).await, StreamRead::Expired { next: 3 }, "after {after}");
    }
    assert_eq!(numbers(&case.page(3, 10, day).await), [4, 5]);
    assert_eq!(numbers(&case.page(4, 10, day).await), [5]);
    assert_eq!(case.read(0, 10, case.later(KEPT + SOON)).await, StreamRead::Expired { next: 5 });
}

/// Who has read everything has missed nothing, however long ago.
pub async fn place_at_the_end_is_not_expired(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    case.tell_many(3).await;
    let much_later = case.later(KEPT * 2);
    assert_eq!(case.page(3, 10, much_later).await, StreamPage { entries: Vec::new(), next: 3, has_more: false });
}

/// What `health` tells.
pub async fn head_tells_last_and_oldest(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    case.tell_many(2).await;
    let third = case.reserve(1).await;
    case.tell(StreamEntry { at: case.later(SOON), ..case.entry(third) }).await;
    let head = async |now| case.chats.head(&case.stream(), now).await.unwrap();
    assert_eq!(head(case.now).await, StreamHead { last: 3, oldest: 1 });
    assert_eq!(head(case.later(KEPT)).await, StreamHead { last: 3, oldest: 3 });
    assert_eq!(head(case.later(KEPT + SOON)).await, StreamHead { last: 3, oldest: 4 });
}

/// Whether it is worth anything later is for the reader to judge.
pub async fn volatile_entry_says_so(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    let seq = case.reserve(1).await;
    let typing = StreamEntry { is_volatile: true, ..case.entry(seq) };
    case.tell(typing.clone()).await;
    assert_eq!(case.page(0, 10, case.later(PATIENCE * 2)).await.entries, [typing]);
}

/// Presence is what was noted last; who was never there is not listed.
pub async fn agent_is_seen_as_noted(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    let agent = case.agent().await;
    assert_eq!(case.seen(&agent).await, (case.ready(), case.now, 0));
    let at = case.later(SOON);
    for presence in [Presence::Paused { workplace: workplace() }, Presence::LoggedOut, case.ready()] {
        case.chats.note_presence(&case.desk, &agent, &presence, at).await.unwrap();
        assert_eq!(case.seen(&agent).await, (presence, at, 0));
    }
    let second = case.agent().await;
    let mut both = [agent, second];
    both.sort();
    let listed: Vec<_> = case.chats.agents(&case.desk).await.unwrap().into_iter().map(|seen| seen.id).collect();
    assert_eq!(listed, both);
    assert_eq!(case.chats.agents(&case.gateway).await.unwrap(), [], "another desk");
}

/// That a client polls changes nothing but the time, and only of who is at that workplace.
pub async fn agent_seen_keeps_presence(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let agent = case.agent().await;
    assert_eq!(case.load(case.id, vec![case.take(&agent, 1)]).await, ChatSaved::Yes);
    let at = case.later(SOON);
    case.chats.note_seen(&case.desk, &agent, &"102".parse().unwrap(), at).await.unwrap();
    assert_eq!(case.seen(&agent).await, (case.ready(), case.now, 1));
    case.chats.note_seen(&case.desk, &agent, &workplace(), at).await.unwrap();
    assert_eq!(case.seen(&agent).await, (case.ready(), at, 1));
    let stranger: AgentId = fresh().parse().unwrap();
    case.chats.note_seen(&case.desk, &stranger, &workplace(), at).await.unwrap();
    assert_eq!(case.chats.agents(&case.desk).await.unwrap().len(), 1);
    case.chats.note_presence(&case.desk, &agent, &Presence::LoggedOut, case.now).await.unwrap();
    case.chats.note_seen(&case.desk, &agent, &workplace(), at).await.unwrap();
    assert_eq!(case.seen(&agent).await, (Presence::LoggedOut, case.now, 1));
}

/// The limit is that of the change.
pub async fn agent_takes_no_more_than_their_capacity(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let agent = case.agent().await;
    let others = [conversation(), conversation()];
    for other in others {
        case.start(other).await;
    }
    assert_eq!(case.load(case.id, vec![case.take(&agent, 1)]).await, ChatSaved::Yes);
    assert_eq!(case.load(others[0], vec![case.take(&agent, 1)]).await, ChatSaved::AgentTaken(agent.clone()));
    assert_eq!(case.load(others[0], vec![case.take(&agent, 2)]).await, ChatSaved::Yes);
    assert_eq!(case.load(others[1], vec![case.take(&agent, 2)]).await, ChatSaved::AgentTaken(agent.clone()));
    assert_eq!(case.seen(&agent).await.2, 2);
    assert_eq!(case.load(case.id, vec![case.release(&agent, case.now)]).await, ChatSaved::Yes);
    assert_eq!(case.load(others[1], vec![case.take(&agent, 2)]).await, ChatSaved::Yes);
}

/// Nobody is given a chat who has left, is paused, or was never there.
pub async fn agent_who_is_not_ready_takes_nothing(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let agent: AgentId = fresh().parse().unwrap();
    assert_eq!(case.load(case.id, vec![case.take(&agent, 1)]).await, ChatSaved::AgentTaken(agent.clone()));
    for presence in [Presence::LoggedOut, Presence::Paused { workplace: workplace() }] {
        case.chats.note_presence(&case.desk, &agent, &presence, case.now).await.unwrap();
        assert_eq!(case.load(case.id, vec![case.take(&agent, 1)]).await, ChatSaved::AgentTaken(agent.clone()));
    }
}

/// A change whose agent is taken stores nothing else either, and is told after a conflict.
pub async fn agent_taken_stores_nothing(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let agent: AgentId = "nobody".parse().unwrap();
    let mut change = case.next().await;
    alert(&mut change.record.chat, &agent, case.now);
    change.agents = vec![case.take(&agent, 1)];
    change.told = vec![(case.stream(), case.entry(case.reserve(1).await))];
    change.guards = vec![case.once("n")];
    let stale = ChatChange { expected_rev: Some(77), ..change.clone() };
    assert_eq!(case.save(&stale).await, ChatSaved::Conflict);
    assert_eq!(case.save(&change).await, ChatSaved::AgentTaken(agent));
    assert_eq!(case.stored(case.id).await, case.record_of(case.id));
    assert_eq!(case.page(0, 10, case.now).await.entries, []);
    assert!(case.is_free("n").await);
}

/// Taking what one has already counts once.
pub async fn agent_is_given_the_same_chat_once(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let agent = case.agent().await;
    for _ in 0..2 {
        assert_eq!(case.load(case.id, vec![case.take(&agent, 1)]).await, ChatSaved::Yes);
    }
    assert_eq!(case.seen(&agent).await.2, 1);
}

/// From one agent to the next; if the next cannot, it stays with the first.
pub async fn agent_passes_a_chat_on_in_one_change(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let (first, second, away) = (case.agent().await, case.agent().await, "away".parse().unwrap());
    assert_eq!(case.load(case.id, vec![case.take(&first, 1)]).await, ChatSaved::Yes);
    let pass = |to: &AgentId| vec![case.release(&first, case.later(SOON)), case.take(to, 1)];
    assert_eq!(case.load(case.id, pass(&away)).await, ChatSaved::AgentTaken(away));
    assert_eq!((case.seen(&first).await.2, case.seen(&second).await.2), (1, 0));
    assert_eq!(case.load(case.id, pass(&second)).await, ChatSaved::Yes);
    assert_eq!((case.seen(&first).await.2, case.seen(&second).await.2), (0, 1));
}

/// Who is rid of a chat is idle since then; who has none to be rid of is not.
pub async fn release_makes_idle_once(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let agent = case.agent().await;
    assert_eq!(case.load(case.id, vec![case.take(&agent, 1)]).await, ChatSaved::Yes);
    let at = case.later(Duration::from_secs(5));
    assert_eq!(case.load(case.id, vec![case.release(&agent, at)]).await, ChatSaved::Yes);
    let idle = Presence::Ready { workplace: workplace(), idle_since: at };
    assert_eq!(case.seen(&agent).await, (idle.clone(), case.now, 0));
    assert_eq!(case.load(case.id, vec![case.release(&agent, case.later(SOON))]).await, ChatSaved::Yes);
    assert_eq!(case.seen(&agent).await, (idle, case.now, 0));
    // Somebody who has left does not come back by it.
    assert_eq!(case.load(case.id, vec![case.take(&agent, 1)]).await, ChatSaved::Yes);
    case.chats.note_presence(&case.desk, &agent, &Presence::LoggedOut, case.now).await.unwrap();
    assert_eq!(case.load(case.id, vec![case.release(&agent, at)]).await, ChatSaved::Yes);
    assert_eq!(case.seen(&agent).await, (Presence::LoggedOut, case.now, 0));
    let nobody = "nobody".parse().unwrap();
    assert_eq!(case.load(case.id, vec![case.release(&nobody, at)]).await, ChatSaved::Yes);
    assert_eq!(case.chats.agents(&case.desk).await.unwrap().len(), 1, "releasing logs nobody in");
}

/// Two chats at the same time, and one place: one gets it.
pub async fn concurrent_offers_keep_to_the_capacity(chats: Arc<dyn Chats>) {
    for _ in 0..5 {
        let case = Case::with_chat(chats.clone()).await;
        let agent = case.agent().await;
        let other = conversation();
        case.start(other).await;
        let (mut one, mut two) = (case.next().await, case.next_of(other, |_| ()).await);
        one.agents = vec![case.take(&agent, 1)];
        two.agents = vec![case.take(&agent, 1)];
        let results = together(case.chats.save(&one), case.chats.save(&two)).await;
        assert_eq!(results.iter().filter(|r| matches!(r, Ok(ChatSaved::Yes))).count(), 1, "{results:?}");
        let is_lost = |r: &&Result<ChatSaved, PortError>| matches!(r, Ok(ChatSaved::AgentTaken(_)) | Err(PortError::Busy));
        assert_eq!(results.iter().filter(is_lost).count(), 1, "{results:?}");
        assert_eq!(case.seen(&agent).await.2, 1);
    }
}

/// What an agent was given and is not rid of, as it is now.
pub async fn chats_of_an_agent_are_those_they_have(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let (agent, colleague) = (case.agent().await, case.agent().await);
    let (second, theirs) = (conversation(), conversation());
    case.start(second).await;
    case.start(theirs).await;
    for (id, agent) in [(case.id, &agent), (second, &agent), (theirs, &colleague)] {
        assert_eq!(case.load(id, vec![case.take(agent, 2)]).await, ChatSaved::Yes);
    }
    case.store(case.id, |chat| answer(chat, &agent)).await;
    let mut expected = vec![case.stored(case.id).await, case.stored(second).await];
    expected.sort_by_key(|record| record.chat.conversation());
    let listed = async |agent| {
        let mut listed = case.chats.of_agent(&case.desk, agent).await.unwrap();
        listed.sort_by_key(|record| record.chat.conversation());
        listed
    };
    assert_eq!(listed(&agent).await, expected);
    assert_eq!(listed(&colleague).await, [case.stored(theirs).await]);
    assert_eq!(case.load(second, vec![case.release(&agent, case.now)]).await, ChatSaved::Yes);
    assert_eq!(listed(&agent).await, [case.stored(case.id).await]);
    assert_eq!(listed(&"nobody".parse().unwrap()).await, []);
}

/// Each as it is, in order, and nothing of another gateway.
pub async fn chats_of_a_gateway_are_those_that_are_not_closed(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let more: Vec<_> = (0..3).map(|_| conversation()).collect();
    for id in &more {
        case.start(*id).await;
    }
    let stranger = Case { gateway: format!("frontstage/{}", fresh()).parse().unwrap(), ..Case::new(case.chats.clone()) };
    stranger.start(stranger.id).await;
    case.store(more[0], |chat| close(chat, case.now)).await;
    case.store(more[1], |chat| answer(chat, &"a".parse().unwrap())).await;
    let mut expected = vec![case.stored(case.id).await, case.stored(more[1]).await, case.stored(more[2]).await];
    expected.sort_by_key(|record| record.chat.conversation());
    assert_eq!(case.chats.of_gateway(&case.gateway, None).await.unwrap(), expected);
    // Revived: there again.
    case.store(more[0], |chat| chat.state = State::Pilot).await;
    assert_eq!(case.chats.of_gateway(&case.gateway, None).await.unwrap().len(), 4);
}

/// `ListRecentlyClosed`.
pub async fn chats_of_a_gateway_include_recently_closed_ones_if_asked(chats: Arc<dyn Chats>) {
    let case = Case::with_chat(chats).await;
    let closed = conversation();
    case.start(closed).await;
    case.store(closed, |chat| close(chat, case.now)).await;
    let listed = async |after| {
        let records = case.chats.of_gateway(&case.gateway, after).await.unwrap();
        records.iter().map(|record| record.chat.conversation()).collect::<Vec<_>>()
    };
    let mut both = vec![case.id, closed];
    both.sort_unstable();
    let before = EpochMillis::new(case.now.millis() - 1);
    assert_eq!(listed(Some(before)).await, both);
    assert_eq!(listed(Some(case.now)).await, [case.id]);
    assert_eq!(listed(None).await, [case.id]);
    case.store(closed, |chat| chat.state = State::Pilot).await;
    assert_eq!(listed(Some(before)).await, both, "once");
}

/// Whoever waits for longest is first, even if an offer has come to nothing since.
pub async fn longest_waiting_comes_first(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    let at = |seconds| case.later(Duration::from_secs(seconds));
    let (third, first, second) = (case.wait(at(30)).await, case.wait(at(10)).await, case.wait(at(20)).await);
    assert_eq!(case.waiting(10).await, [first, second, third]);
    assert_eq!(case.waiting(2).await, [first, second]);
    case.store(third, |chat| wait(chat, at(5))).await;
    assert_eq!(case.waiting(10).await, [third, first, second], "moved, not doubled");
    let other = Case { desk: case.gateway.clone(), ..Case::new(case.chats.clone()) };
    assert_eq!(other.waiting(10).await, []);
}

/// A chat that is offered, answered or closed waits no longer; one that waits for staff elsewhere, or for its visitor's
/// first word, waits for no agent.
pub async fn only_waiting_chats_wait(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    let agent: AgentId = "a".parse().unwrap();
    let id = case.wait(case.now).await;
    let elsewhere = Desk::Staff(case.desk.clone());
    type Change<'a> = Box<dyn FnOnce(&mut Chat) + Send + 'a>;
    let changes: [Change<'_>; 5] = [
        Box::new(|chat| alert(chat, &agent, case.now)),
        Box::new(|chat| answer(chat, &agent)),
        Box::new(|chat| close(chat, case.now)),
        Box::new(|chat| chat.desk = Some(elsewhere)),
        Box::new(|chat| chat.enqueued_at = None),
    ];
    for change in changes {
        assert_eq!(case.waiting(10).await, [id]);
        case.store(id, change).await;
        assert_eq!(case.waiting(10).await, []);
        case.store(id, |chat| wait(chat, case.now)).await;
    }
}

/// By the timer that was promised, until it is promised anew. Others' chats are found too.
pub async fn overdue_chats_are_found_oldest_first(chats: Arc<dyn Chats>) {
    let case = Case::new(chats);
    // Long before every other case, so that whatever else is overdue comes later.
    let ago = |seconds: i64| EpochMillis::new(1_000_000_000_000 - case.now.millis() % 1_000_000_000 - seconds * 1000);
    let (late, later, not_yet, never) = (conversation(), conversation(), conversation(), conversation());
    for (id, timer) in [(later, Some(ago(5))), (late, Some(ago(9))), (not_yet, Some(ago(1))), (never, None)] {
        case.start(id).await;
        case.store(id, |chat| chat.timer_at = timer).await;
    }
    let overdue = async |now, limit| {
        let found = case.chats.overdue(now, limit).await.unwrap();
        found.into_iter().filter(|id| [late, later, not_yet, never].contains(id)).collect::<Vec<_>>()
    };
    assert_eq!(overdue(ago(5), 100).await, [late, later]);
    assert_eq!(overdue(ago(6), 100).await, [late]);
    case.store(late, |chat| chat.timer_at = Some(ago(0))).await;
    assert_eq!(overdue(ago(5), 100).await, [later]);
    for id in [late, later, not_yet] {
        case.store(id, |chat| close(chat, case.now)).await;
    }
    assert_eq!(overdue(ago(0), 100).await, []);
}

/// What staff is told is stored with the change, each message with its delivery in its lane.
pub async fn relay_is_stored_with_its_change(chats: Arc<dyn Chats>, store: Arc<dyn Store>) {
    let case = Case::with_chat(chats).await;
    let to = staff();
    let mut change = case.next().await;
    change.record.staff = Some(StaffView { account: to.clone(), counter: 7 });
    change.relay = Some(relay_of(&case, &to, PLACE..=PLACE + 2));
    assert_eq!(case.save(&change).await, ChatSaved::Yes);

    assert_eq!(case.stored(case.id).await.staff, change.record.staff);
    let lane = relayed(&case, &to, PLACE).lane();
    let places: Vec<_> = pending(&*store, &lane, case.now).await.iter().map(|entry| entry.seq).collect();
    assert_eq!(places, [PLACE, PLACE + 1, PLACE + 2]);
    let item = store.work(&lane, LaneSelector::Head, None, case.now).await.unwrap().unwrap();
    assert_eq!(item.lane.due_at, Some(case.later(SOON)));
    let relay = change.relay.unwrap();
    assert_eq!((&item.conversation, &item.message), (&relay.conversation, &relay.messages[0]));
    assert_eq!(item.delivery, relay.deliveries[0].delivery);
}

/// Somebody else has taken the place: the conversation is shown, and nothing is stored.
pub async fn relay_to_a_conversation_that_is_further_is_stale_and_stores_nothing(chats: Arc<dyn Chats>, store: Arc<dyn Store>) {
    let case = Case::with_chat(chats).await;
    let (to, other) = (staff(), staff());
    let mut change = case.next().await;
    change.relay = Some(relay_of(&case, &to, PLACE..=PLACE));
    assert_eq!(case.save(&change).await, ChatSaved::Yes);
    let known = change.relay.unwrap().conversation;

    let before = case.stored(case.id).await;
    let mut late = case.next().await;
    late.relay = Some(relay_of(&case, &other, PLACE..=PLACE));
    late.sentences = vec![case.sentence("s-1", Direction::Inbound, 1)];
    assert_eq!(case.save(&late).await, ChatSaved::Stale(Some(Box::new(known))));
    assert_eq!(case.stored(case.id).await, before);
    assert_eq!(case.said(Direction::Inbound, "s-1").await, (vec![], vec![]));
    assert!(pending(&*store, &relayed(&case, &other, PLACE).lane(), case.now).await.is_empty());

    // At the next place it is stored, and the conversation is the other desk's.
    late.relay = Some(relay_of(&case, &other, PLACE + 1..=PLACE + 1));
    assert_eq!(case.save(&late).await, ChatSaved::Yes);
    let lane = relayed(&case, &other, PLACE + 1).lane();
    let item = store.work(&lane, LaneSelector::Head, None, case.now).await.unwrap().unwrap();
    assert_eq!(item.conversation.desk, Some(other));
    assert_eq!(pending(&*store, &relayed(&case, &to, PLACE).lane(), case.now).await.len(), 1);
}

/// A change that comes too late tells staff nothing either.
pub async fn relay_of_a_lost_change_stores_nothing(chats: Arc<dyn Chats>, store: Arc<dyn Store>) {
    let case = Case::with_chat(chats).await;
    let to = staff();
    let mut late = case.next().await;
    late.relay = Some(relay_of(&case, &to, PLACE..=PLACE));
    case.store(case.id, |_| ()).await;
    assert_eq!(case.save(&late).await, ChatSaved::Conflict);
    let lane = relayed(&case, &to, PLACE).lane();
    assert!(pending(&*store, &lane, case.now).await.is_empty());
    assert!(store.open(case.id, &to, "channel", case.now).await.unwrap().conversation.is_none());
}

/// What is told later waits behind what was told before, and the lane stays due when it was.
pub async fn relay_waits_behind_what_waits(chats: Arc<dyn Chats>, store: Arc<dyn Store>) {
    let case = Case::with_chat(chats).await;
    let to = staff();
    for place in [PLACE, PLACE + 5] {
        let mut change = case.next().await;
        let mut relay = relay_of(&case, &to, place..=place);
        relay.deliveries[0].due_at = case.later(SOON).plus(Duration::from_millis(place - PLACE));
        change.relay = Some(relay);
        assert_eq!(case.save(&change).await, ChatSaved::Yes);
    }
    let lane = relayed(&case, &to, PLACE).lane();
    let item = store.work(&lane, LaneSelector::Head, None, case.now).await.unwrap().unwrap();
    let places: Vec<_> = item.lane.pending.iter().map(|entry| entry.seq).collect();
    assert_eq!((places, item.lane.due_at), (vec![PLACE, PLACE + 5], Some(case.later(SOON))));
}

/// What staff writes in the conversation of a chat is found in the lane of what is to be said there.
pub async fn staffs_answer_in_a_chat_waits_in_a_lane_of_its_own(chats: Arc<dyn Chats>, store: Arc<dyn Store>) {
    let case = Case::with_chat(chats).await;
    let to = staff();
    let mut change = case.next().await;
    change.relay = Some(relay_of(&case, &to, PLACE..=PLACE));
    assert_eq!(case.save(&change).await, ChatSaved::Yes);

    let opened = store.open(case.id, &to, "channel", case.now).await.unwrap().conversation.unwrap();
    assert!(opened.is_chat);
    let Relay { conversation, mut messages, .. } = relay_of(&case, &to, PLACE + 1..=PLACE + 1);
    let mut message = messages.remove(0);
    (message.author, message.origin) = (Author::Desk, to.clone());
    let key = DeliveryKey { message: message.id, recipient: case.gateway.clone(), content: DeliveryContent::Chat };
    assert_eq!(key.lane().kind, LaneKind::Chat);
    let delivery = Delivery::queued(key.clone(), case.tenant.clone(), case.now);
    let acceptance = Acceptance {
        conversation,
        may_create: false,
        message,
        events: Vec::new(),
        deliveries: vec![NewDelivery { delivery: delivery.clone(), due_at: case.now }],
        guards: Vec::new(),
    };
    let mut of_messages = acceptance.clone();
    of_messages.conversation.is_chat = false;
    let stale = AcceptOutcome::Stale(Some(Box::new(opened)));
    assert_eq!(store.accept(&of_messages).await.unwrap(), stale, "no message makes a conversation of messages of it");
    assert_eq!(store.accept(&acceptance).await.unwrap(), AcceptOutcome::Stored);
    let item = store.work(&key.lane(), LaneSelector::Head, None, case.now).await.unwrap().unwrap();
    assert_eq!((item.delivery, item.message), (delivery, acceptance.message));
    let due = store.due(case.now, 1_000).await.unwrap();
    assert!(due.contains(&(key.lane(), case.now)));
}

/// A receipt for what staff wrote is stored with the change, in the lane of receipts; the same or less is not reported again, nor
/// anything of what is not there, and the change is stored all the same.
pub async fn receipt_is_owed_once_and_never_for_less(chats: Arc<dyn Chats>, store: Arc<dyn Store>) {
    let case = Case::with_chat(chats).await;
    let to = staff();
    let Relay { conversation, mut messages, .. } = relay_of(&case, &to, PLACE..=PLACE);
    let mut message = messages.remove(0);
    (message.author, message.origin) = (Author::Desk, to.clone());
    let of = DeliveryKey { message: message.id, recipient: case.gateway.clone(), content: DeliveryContent::Chat };
    let said = NewDelivery { delivery: Delivery::queued(of.clone(), case.tenant.clone(), case.now), due_at: case.now };
    let (events, guards) = (Vec::new(), Vec::new());
    let acceptance = Acceptance { conversation, may_create: true, message, events, deliveries: vec![said], guards };
    assert_eq!(store.accept(&acceptance).await.unwrap(), AcceptOutcome::Stored);

    let owed = |of: &DeliveryKey, status| {
        let key = DeliveryKey { message: of.message, recipient: to.clone(), content: DeliveryContent::Receipt(status) };
        let delivery = Delivery::queued(key, case.tenant.clone(), case.now);
        OwedReceipt { of: of.clone(), status, new: NewDelivery { delivery, due_at: case.later(SOON) } }
    };
    let other = DeliveryKey { message: MessageId::new(case.id, PLACE + 9).unwrap(), ..of.clone() };
    let delivered = owed(&of, ReceiptStatus::Delivered);
    let lane = delivered.new.delivery.key.lane();
    assert_eq!(lane.kind, LaneKind::Receipts);
    let receipt = |status| LaneEntry { seq: PLACE, receipt: Some(status) };
    for (receipt_now, expected) in [
        (owed(&other, ReceiptStatus::Delivered), vec![]),
        (delivered.clone(), vec![receipt(ReceiptStatus::Delivered)]),
        (delivered, vec![receipt(ReceiptStatus::Delivered)]),
        (owed(&of, ReceiptStatus::Sent), vec![receipt(ReceiptStatus::Delivered)]),
        (owed(&of, ReceiptStatus::Read), vec![receipt(ReceiptStatus::Delivered), receipt(ReceiptStatus::Read)]),
    ] {
        let mut change = case.next().await;
        change.receipt = Some(receipt_now);
        let rev = change.record.chat.rev;
        assert_eq!(case.save(&change).await, ChatSaved::Yes);
        assert_eq!(case.stored(case.id).await.chat.rev, rev);
        assert_eq!(pending(&*store, &lane, case.now).await, expected);
    }
    let said = store.work(&of.lane(), LaneSelector::Head, None, case.now).await.unwrap().unwrap().delivery;
    assert_eq!((said.reported, said.rev), (Some(ReceiptStatus::Read), 2), "a worker that has read it before is too late");
    let item = store.work(&lane, LaneSelector::Head, None, case.now).await.unwrap().unwrap();
    assert_eq!((item.lane.due_at, item.message.id), (Some(case.later(SOON)), of.message));
}
