//! The store of chats: what is this one's own business.

use aws::{Called, Service};
use aws_sdk_dynamodb::operation::delete_item::{DeleteItem, DeleteItemError, DeleteItemInput, DeleteItemOutput};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat::desk::Presence;
use chat::{
    AgentId, ChatId, ChatVisitor, CloseReason, Desk, Direction, FormAnswer, Policy, Prepared, Sentence, SentenceId, SentenceKind,
    Skill, State,
};
use model::{AccountId, ConversationId, EpochMillis, Memo};
use ports::{
    AgentChange, AskedRegister, Asker, Askers as _, Bind, BoundBefore, ChatChange, ChatRecord, ChatSaved, Chats, LaneStore as _,
    PortError, PushLease, PushNext, PushStates as _, ResultChange, ResultList, Results as _, SaidBefore, Saved, StoredResult,
    StoryStore as _, StreamEntry, StreamHead, StreamKey, StreamPage, StreamRead,
};
use store_dynamodb::{DynamoChats, DynamoStore, SERVICE};
use testkit::Emulator;
use testkit::fixtures::{NOW, sample_conversation_id, sample_tenant_id, visitor_account_id};
use testkit::offers_contract::Parts;

use crate::{Calls, TABLE, counted_service, once};

const DAY: u64 = 24 * 3600;

async fn counted_chats(emulator: &Emulator) -> (DynamoChats, Calls) {
    let (service, calls) = counted_service(emulator).await;
    (DynamoChats::over(service, TABLE), calls)
}

fn later(seconds: u64) -> EpochMillis {
    NOW.plus(Duration::from_secs(seconds))
}

fn desk() -> AccountId {
    "frontstage/desk".parse().unwrap()
}

fn agent() -> AgentId {
    "agent-1".parse().unwrap()
}

fn stream() -> StreamKey {
    StreamKey::Gateway(visitor_account_id())
}

fn id(text: &str) -> SentenceId {
    text.to_owned().try_into().unwrap()
}

/// A chat that waits for an agent.
fn waiting(conversation: ConversationId, from: EpochMillis) -> ChatRecord {
    let prepared = Prepared {
        id: ChatId::new(conversation, 1).unwrap(),
        tenant: sample_tenant_id(),
        gateway: visitor_account_id(),
        visitor: ChatVisitor::default(),
        by: None,
    };
    let mut chat = chat::Chat::prepare(prepared, from, &Policy::default());
    chat.desk = Some(Desk::Agents(Skill { project: "sales".parse().unwrap(), language: None }));
    chat.enqueued_at = Some(from);
    chat.state = State::Waiting { since: from };
    chat.timer_at = Some(from.plus(Duration::from_secs(10)));
    ChatRecord { chat, desk: Some(desk()), staff: None }
}

fn change(record: &ChatRecord, expected_rev: Option<u64>) -> ChatChange {
    ChatChange {
        record: record.clone(),
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
        now: NOW,
    }
}

/// The next change of a chat.
fn after(record: &mut ChatRecord) -> ChatChange {
    record.chat.rev += 1;
    change(record, Some(record.chat.rev - 1))
}

fn close(record: &mut ChatRecord, at: EpochMillis) {
    record.chat.state = State::Closed { reason: CloseReason::ExtApp, at, attended_by: None };
    record.chat.timer_at = None;
}

fn sentence(id: &str, counter: u64, text: &str) -> Sentence {
    let kind = if counter > 0 { SentenceKind::Text } else { SentenceKind::Panel };
    Sentence {
        id: self::id(id),
        direction: Direction::Inbound,
        counter,
        kind,
        text: text.to_owned(),
        party_name: None,
        sent_at: NOW,
        confirmed_at: None,
    }
}

fn entry(seq: u64, at: EpochMillis, body: &'static str) -> StreamEntry {
    StreamEntry { seq, at, is_delivered: false, is_volatile: false, offer: None, body: Bytes::from_static(body.as_bytes()) }
}

/// Reserves one number and uses it.
async fn tell(chats: &DynamoChats, at: EpochMillis) -> u64 {
    let seq = chats.reserve(&stream(), 1, at).await.unwrap();
    assert_eq!(chats.tell(&[(stream(), entry(seq, at, "x"))], &[], at).await.unwrap(), None);
    seq
}

/// The numbers of a page, its end, and whether there is more.
async fn read(chats: &DynamoChats, after: u64, max: usize, now: EpochMillis) -> Result<(Vec<u64>, u64, bool), u64> {
    match chats.read(&stream(), after, max, now).await.unwrap() {
        StreamRead::Page(StreamPage { entries, next, has_more }) => Ok((entries.iter().map(|e| e.seq).collect(), next, has_more)),
        StreamRead::Expired { next } => Err(next),
    }
}

#[tokio::test]
async fn store_meets_the_contract() {
    let emulator = Emulator::start();
    let (chats, _) = counted_chats(&emulator).await;
    testkit::chats_contract::run(Arc::new(chats.clone())).await;
    let beside = DynamoStore::new(&crate::connection(&emulator), TABLE);
    testkit::chats_contract::run_beside(Arc::new(chats), Arc::new(beside)).await;
}

#[tokio::test]
async fn store_meets_the_contract_of_erasure() {
    let emulator = Emulator::start();
    let (chats, calls) = counted_chats(&emulator).await;
    let chats = Arc::new(chats);
    let store = Arc::new(DynamoStore::over(counted_service_of(&emulator, &calls), TABLE));
    testkit::erasure_contract::run(&testkit::erasure_contract::Parts { chats: chats.clone(), store, erasure: chats }).await;
}

#[tokio::test]
async fn store_meets_the_contract_of_people() {
    let emulator = Emulator::start();
    let (chats, calls) = counted_chats(&emulator).await;
    let chats = Arc::new(chats);
    let store = Arc::new(DynamoStore::over(counted_service_of(&emulator, &calls), TABLE));
    testkit::people_contract::run(&testkit::people_contract::Parts { chats: chats.clone(), store, people: chats }).await;
}

#[tokio::test]
async fn store_meets_the_contract_of_pushes() {
    let emulator = Emulator::start();
    let (chats, _) = counted_chats(&emulator).await;
    let chats = Arc::new(chats);
    testkit::pushes_contract::run(chats.clone(), chats).await;
}

#[tokio::test]
async fn store_meets_the_contract_of_offers() {
    let emulator = Emulator::start();
    let (chats, calls) = counted_chats(&emulator).await;
    let store = Arc::new(DynamoStore::over(counted_service_of(&emulator, &calls), TABLE));
    let parts = Parts { store: store.clone(), chats: Arc::new(chats), offers: store.clone(), hand_outs: store };
    testkit::offers_contract::run(&parts).await;
    let mut taken = Vec::new();
    testkit::offers_contract::offer_and_hand_out(&parts, &mut || taken.push(calls.take())).await;
    assert_eq!(taken[1..], [vec!["UpdateItem", "TransactWriteItems"], vec!["TransactWriteItems"]]);
}

#[tokio::test]
async fn push_takes_as_few_calls_as_it_says() {
    let emulator = Emulator::start();
    let (chats, calls) = counted_chats(&emulator).await;
    let gateway = visitor_account_id();
    assert_eq!(chats.reserve_pushed(&gateway, 1, NOW, later(15)).await.unwrap(), 1);
    let lease = PushLease { holder: "a".to_owned(), until: later(60), due_at: later(75) };
    let claim = chats.claim(&gateway, &lease, NOW).await.unwrap().unwrap();
    let rest = PushNext::Rest { until: later(1), due_at: later(16) };
    assert_eq!(chats.keep(&gateway, "a", &claim.state, rest).await.unwrap(), Saved::Yes);
    assert_eq!(chats.postpone_push(&gateway, later(16), later(17)).await.unwrap(), Saved::Yes);
    assert_eq!(calls.take(), ["UpdateItem"; 4]);
    assert_eq!(chats.pushes_due(later(17), 10).await.unwrap(), [(gateway, later(17))]);
    assert_eq!(calls.take(), ["Query"; 4]);
}

#[tokio::test]
async fn store_meets_the_contract_of_askers() {
    let emulator = Emulator::start();
    let (chats, _) = counted_chats(&emulator).await;
    testkit::askers_contract::run(Arc::new(chats)).await;
}

#[tokio::test]
async fn question_of_a_gateway_takes_as_few_calls_as_it_says() {
    let emulator = Emulator::start();
    let (chats, calls) = counted_chats(&emulator).await;
    let asked = vec![AskedRegister { question: "routing".to_owned(), told: Some("f-1".to_owned()) }];
    let asker = Asker { gateway: visitor_account_id(), rev: 0, asked };
    assert_eq!(chats.asker(&asker.gateway).await.unwrap(), None);
    assert_eq!(calls.take(), ["BatchGetItem"]);
    assert_eq!(chats.keep_asker(&asker).await.unwrap(), Saved::Yes);
    assert_eq!(calls.take(), ["UpdateItem"]);
    assert_eq!(chats.askers().await.unwrap(), [Asker { rev: 1, ..asker }]);
    assert_eq!(calls.take(), ["Query"]);
}

#[tokio::test]
async fn store_meets_the_contract_of_installs() {
    let emulator = Emulator::start();
    let (store, _) = crate::counted_store(&emulator).await;
    testkit::installs_contract::run(Arc::new(store.clone()), Arc::new(store)).await;
}

#[tokio::test]
async fn store_meets_the_contract_of_results() {
    let emulator = Emulator::start();
    let (chats, _) = counted_chats(&emulator).await;
    testkit::results_contract::run(Arc::new(chats.clone()), Arc::new(chats)).await;
}

fn filled_in(chat: Option<ChatId>, name: &str) -> StoredResult {
    StoredResult {
        id: name.parse().unwrap(),
        gateway: visitor_account_id(),
        form: "f-1".parse().unwrap(),
        chat,
        answers: vec![FormAnswer { control: "c-1".to_owned(), number: Some(1), ..FormAnswer::default() }],
        memo: Memo::new(),
        task: None,
        filled_at: NOW,
        saved_at: NOW,
        kept_until: later(DAY),
        rev: 1,
    }
}

#[tokio::test]
async fn result_costs_a_chat_no_call_more() {
    let emulator = Emulator::start();
    let (chats, calls) = counted_chats(&emulator).await;
    let record = waiting(sample_conversation_id(), NOW);
    let result = ResultChange { result: filled_in(Some(record.chat.id), "r-1"), expected_rev: None };
    let with_form = ChatChange { results: vec![result], ..change(&record, None) };
    calls.take();
    assert_eq!(chats.save(&with_form).await.unwrap(), ChatSaved::Yes);
    assert_eq!(calls.take(), ["TransactWriteItems"]);

    let alone = ResultChange { result: filled_in(None, "r-2"), expected_rev: None };
    assert_eq!(chats.save_result(&alone, &[once("form")], NOW).await.unwrap(), ChatSaved::Yes);
    assert_eq!(calls.take(), ["TransactWriteItems"]);
    let gateway = visitor_account_id();
    assert!(chats.result(&gateway, &alone.result.id, NOW).await.unwrap().is_some());
    assert_eq!(calls.take(), ["BatchGetItem"]);
    let list = ResultList::Gateway(gateway);
    assert_eq!(chats.list(&list, NOW, None, 10, NOW).await.unwrap().results.len(), 2);
    assert_eq!(calls.take(), ["Query", "BatchGetItem"]);
}

#[tokio::test]
async fn answers_that_do_not_fit_an_item_are_refused() {
    let emulator = Emulator::start();
    let (chats, _) = counted_chats(&emulator).await;
    let mut result = filled_in(None, "r-1");
    result.answers[0].text = Some("x".repeat(400_000));
    let refused = chats.save_result(&ResultChange { result, expected_rev: None }, &[], NOW).await;
    assert!(matches!(refused, Err(PortError::TooLarge { limit: 380_000 })));
}

#[tokio::test]
async fn every_operation_takes_as_few_calls_as_it_says() {
    let emulator = Emulator::start();
    let (chats, calls) = counted_chats(&emulator).await;
    let mut record = waiting(sample_conversation_id(), NOW);
    let ready = Presence::Ready { workplace: "101".parse().unwrap(), idle_since: NOW };

    chats.note_presence(&desk(), &agent(), &ready, NOW).await.unwrap();
    chats.note_seen(&desk(), &agent(), &"101".parse().unwrap(), NOW).await.unwrap();
    assert_eq!(calls.take(), ["UpdateItem"; 2]);
    assert_eq!(chats.agents(&desk()).await.unwrap().len(), 1);
    assert_eq!(calls.take(), ["Query"]);

    // A new chat.
    assert_eq!(chats.chat(sample_conversation_id(), None).await.unwrap(), None);
    assert_eq!(calls.take(), ["BatchGetItem"]);
    assert_eq!(chats.reserve(&stream(), 2, NOW).await.unwrap(), 1);
    assert_eq!(calls.take(), ["UpdateItem"]);
    let mut start = change(&record, None);
    start.told = vec![(stream(), entry(1, NOW, "status")), (stream(), entry(2, NOW, "status"))];
    start.guards = vec![once("start")];
    assert_eq!(chats.save(&start).await.unwrap(), ChatSaved::Yes);
    assert_eq!(calls.take(), ["TransactWriteItems"]);
    assert_eq!(chats.waiting(&desk(), 10).await.unwrap(), [sample_conversation_id()]);
    assert_eq!(calls.take(), ["Query"]);

    // Something is said, for the first time and again.
    let known = chats.chat(sample_conversation_id(), Some((Direction::Inbound, &id("s-1")))).await.unwrap().unwrap();
    assert_eq!(known, (record.clone(), SaidBefore::default()));
    assert_eq!(calls.take(), ["BatchGetItem"]);
    record.chat.counter = 1;
    let mut say = after(&mut record);
    say.sentences = vec![sentence("s-1", 1, "hi"), sentence("p-1", 0, "<b>")];
    assert_eq!(chats.save(&say).await.unwrap(), ChatSaved::Yes);
    assert_eq!(calls.take(), ["TransactWriteItems"]);
    let (_, said) = chats.chat(sample_conversation_id(), Some((Direction::Inbound, &id("s-1")))).await.unwrap().unwrap();
    assert_eq!(said, SaidBefore { sentences: vec![sentence("s-1", 1, "hi")], unconfirmed: vec![1] });
    assert_eq!(calls.take(), ["BatchGetItem", "BatchGetItem"]);
    assert_eq!(chats.sentences(record.chat.id, 1, 1).await.unwrap(), [sentence("s-1", 1, "hi")]);
    assert_eq!(calls.take(), ["Query"]);

    // It is given to an agent: the lists change with it, at the first try.
    record.chat.state = State::Pilot;
    let mut offer = after(&mut record);
    offer.agents = vec![AgentChange::Take { desk: desk(), agent: agent(), capacity: 1 }];
    offer.confirmed = vec![(Direction::Inbound, id("s-1"), 1, later(1))];
    assert_eq!(chats.save(&offer).await.unwrap(), ChatSaved::Yes);
    assert_eq!(calls.take(), ["TransactWriteItems"]);
    assert_eq!(chats.waiting(&desk(), 10).await.unwrap(), []);
    calls.take();
    assert_eq!(chats.of_agent(&desk(), &agent()).await.unwrap(), std::slice::from_ref(&record));
    assert_eq!(calls.take(), ["GetItem", "BatchGetItem"]);
    assert_eq!(chats.of_gateway(&visitor_account_id(), None).await.unwrap(), std::slice::from_ref(&record));
    assert_eq!(calls.take(), ["Query", "BatchGetItem"]);
    assert_eq!(chats.of_gateway(&visitor_account_id(), Some(NOW)).await.unwrap().len(), 1);
    assert_eq!(calls.take(), ["Query", "Query", "BatchGetItem"]);
    assert_eq!(chats.overdue(later(10), 10).await.unwrap(), [sample_conversation_id()]);
    assert_eq!(calls.take(), ["Query"; 4]);

    // The stream.
    assert_eq!(read(&chats, 0, 10, NOW).await, Ok((vec![1, 2], 2, false)));
    assert_eq!(read(&chats, 2, 10, NOW).await, Ok((vec![], 2, false)));
    assert_eq!(read(&chats, 0, 1, NOW).await, Ok((vec![1], 1, true)));
    assert_eq!(calls.take(), ["Query"; 3]);
    assert_eq!(chats.head(&stream(), NOW).await.unwrap(), StreamHead { last: 2, oldest: 1 });
    assert_eq!(calls.take(), ["GetItem", "Query"]);
    assert_eq!(chats.entries(&stream(), &[2, 9, 1]).await.unwrap().iter().map(|e| e.seq).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(calls.take(), ["BatchGetItem"]);
    chats.tell(&[(stream(), entry(3, NOW, "list"))], &[once("list")], NOW).await.unwrap();
    assert_eq!(calls.take(), ["TransactWriteItems"]);
    assert_eq!(chats.tell(&[], &[], NOW).await.unwrap(), None);
    assert_eq!(calls.take(), Vec::<String>::new());

    // A writer that has not read what it changes is told by the table where it is listed.
    let other = DynamoChats::over(counted_service_of(&emulator, &calls), TABLE);
    close(&mut record, later(2));
    assert_eq!(other.save(&after(&mut record)).await.unwrap(), ChatSaved::Yes);
    assert_eq!(calls.take(), ["TransactWriteItems"; 2]);
    assert_eq!(chats.of_gateway(&visitor_account_id(), None).await.unwrap(), []);
    assert_eq!(chats.of_gateway(&visitor_account_id(), Some(later(1))).await.unwrap(), std::slice::from_ref(&record));
    assert_eq!(chats.of_gateway(&visitor_account_id(), Some(later(2))).await.unwrap(), []);
    assert_eq!(chats.overdue(later(DAY), 10).await.unwrap(), []);
}

#[tokio::test]
async fn thread_that_was_bound_takes_one_call_more() {
    let emulator = Emulator::start();
    let (chats, calls) = counted_chats(&emulator).await;
    let mut record = waiting(sample_conversation_id(), NOW);
    assert_eq!(chats.save(&change(&record, None)).await.unwrap(), ChatSaved::Yes);
    let thread = "00112233445566778899".parse().unwrap();
    let mut enter = after(&mut record);
    enter.bind = Some(Bind { thread, before: BoundBefore::Nothing });
    calls.take();
    assert_eq!(chats.save(&enter).await.unwrap(), ChatSaved::Yes);
    assert_eq!(calls.take(), ["TransactWriteItems"]);
    for said in [None, Some((Direction::Inbound, &id("s-1")))] {
        assert_eq!(chats.chat(thread, said).await.unwrap(), Some((record.clone(), SaidBefore::default())));
        assert_eq!(calls.take(), ["BatchGetItem", "BatchGetItem"]);
    }
}

fn counted_service_of(emulator: &Emulator, calls: &Calls) -> Service {
    crate::connection(emulator).service(SERVICE).with_interceptor(calls.clone())
}

#[tokio::test]
async fn refusals_come_in_order() {
    let emulator = Emulator::start();
    let (chats, _) = counted_chats(&emulator).await;
    let mut record = waiting(sample_conversation_id(), NOW);
    let mut start = change(&record, None);
    start.guards = vec![once("a")];
    assert_eq!(chats.save(&start).await.unwrap(), ChatSaved::Yes);

    let mut wrong = change(&record, None);
    wrong.agents = vec![AgentChange::Take { desk: desk(), agent: agent(), capacity: 1 }];
    assert_eq!(chats.save(&wrong).await.unwrap(), ChatSaved::Conflict);
    wrong.guards = vec![once("a")];
    assert!(matches!(chats.save(&wrong).await.unwrap(), ChatSaved::Refused(_)));
    wrong.guards.clear();
    (wrong.expected_rev, wrong.record.chat.rev) = (Some(1), 2);
    assert_eq!(chats.save(&wrong).await.unwrap(), ChatSaved::Conflict);
    (wrong.expected_rev, wrong.record.chat.rev) = (Some(0), 1);
    assert_eq!(chats.save(&wrong).await.unwrap(), ChatSaved::AgentTaken(agent()));
    assert_eq!(chats.chat(sample_conversation_id(), None).await.unwrap().unwrap().0, record);

    // No room beside another chat, and room where it is the same one.
    let take = |capacity| vec![AgentChange::Take { desk: desk(), agent: agent(), capacity }];
    let ready = Presence::Ready { workplace: "101".parse().unwrap(), idle_since: NOW };
    chats.note_presence(&desk(), &agent(), &ready, NOW).await.unwrap();
    let mut offer = after(&mut record);
    offer.agents = take(0);
    assert_eq!(chats.save(&offer).await.unwrap(), ChatSaved::AgentTaken(agent()));
    offer.agents = take(1);
    assert_eq!(chats.save(&offer).await.unwrap(), ChatSaved::Yes);
    let mut again = after(&mut record);
    again.agents = take(1);
    assert_eq!(chats.save(&again).await.unwrap(), ChatSaved::Yes);
    let other = waiting("00112233445566778899".parse().unwrap(), NOW);
    let mut second = change(&other, None);
    second.agents = take(1);
    assert_eq!(chats.save(&second).await.unwrap(), ChatSaved::AgentTaken(agent()));
    second.agents = take(2);
    assert_eq!(chats.save(&second).await.unwrap(), ChatSaved::Yes);
    assert_eq!(chats.agents(&desk()).await.unwrap()[0].chats, 2);

    // Given back, and the last word on an agent counts.
    let mut back = after(&mut record);
    back.agents = vec![AgentChange::Release { desk: desk(), agent: agent(), at: later(9) }];
    assert_eq!(chats.save(&back).await.unwrap(), ChatSaved::Yes);
    let seen = chats.agents(&desk()).await.unwrap().remove(0);
    assert_eq!(seen.presence, Presence::Ready { workplace: "101".parse().unwrap(), idle_since: later(9) });
    assert_eq!(seen.chats, 1);
    let mut both = after(&mut record);
    both.agents.extend(take(2));
    both.agents.push(AgentChange::Release { desk: desk(), agent: agent(), at: later(9) });
    assert_eq!(chats.save(&both).await.unwrap(), ChatSaved::Yes);
    assert_eq!(chats.of_agent(&desk(), &agent()).await.unwrap(), [other]);

    // Somebody who was never there has nothing to give back, and is not there by that.
    let mut stranger = after(&mut record);
    stranger.agents = vec![AgentChange::Release { desk: desk(), agent: "agent-2".parse().unwrap(), at: NOW }];
    assert_eq!(chats.save(&stranger).await.unwrap(), ChatSaved::Yes);
    assert_eq!(chats.agents(&desk()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn id_used_for_everything_does_not_grow() {
    let emulator = Emulator::start();
    let (chats, calls) = counted_chats(&emulator).await;
    let mut record = waiting(sample_conversation_id(), NOW);
    chats.save(&change(&record, None)).await.unwrap();
    let mut tries = 0;
    for counter in 1..=60 {
        record.chat.counter = counter;
        let mut say = after(&mut record);
        say.sentences = vec![sentence("same", counter, &format!("text {counter}"))];
        calls.take();
        assert_eq!(chats.save(&say).await.unwrap(), ChatSaved::Yes);
        tries += calls.take().len();
    }
    assert_eq!(tries, 61, "one of them had to cut the list");
    let (_, said) = chats.chat(sample_conversation_id(), Some((Direction::Inbound, &id("same")))).await.unwrap().unwrap();
    assert_eq!(said.unconfirmed, (26..=60).collect::<Vec<_>>());

    // All of them are confirmed at once, and the first time wins.
    for seconds in [1, 2] {
        let mut confirm = after(&mut record);
        confirm.confirmed = said.unconfirmed.iter().map(|c| (Direction::Inbound, id("same"), *c, later(seconds))).collect();
        confirm.confirmed.push((Direction::Inbound, id("same"), 1000, later(seconds)));
        assert_eq!(chats.save(&confirm).await.unwrap(), ChatSaved::Yes);
    }
    let (_, said) = chats.chat(sample_conversation_id(), Some((Direction::Inbound, &id("same")))).await.unwrap().unwrap();
    assert!(said.unconfirmed.is_empty());
    assert!(said.sentences.iter().all(|s| s.confirmed_at == Some(later(1))));
    assert!(chats.sentences(record.chat.id, 1000, 1000).await.unwrap().is_empty());

    // The next chat of the conversation knows nothing of them.
    close(&mut record, later(3));
    chats.save(&after(&mut record)).await.unwrap();
    let rev = record.chat.rev;
    let mut next = waiting(sample_conversation_id(), later(4));
    (next.chat.id, next.chat.rev) = (next.chat.id.next().unwrap(), rev + 1);
    assert_eq!(chats.save(&change(&next, None)).await.unwrap(), ChatSaved::Conflict);
    assert_eq!(chats.save(&change(&next, Some(rev))).await.unwrap(), ChatSaved::Yes);
    let known = chats.chat(sample_conversation_id(), Some((Direction::Inbound, &id("same")))).await.unwrap().unwrap();
    assert_eq!(known, (next.clone(), SaidBefore::default()));
    assert_eq!(chats.sentences(record.chat.id, 1, 60).await.unwrap().len(), 60);
    assert_eq!(chats.sentences(next.chat.id, 1, 60).await.unwrap(), []);
    assert_eq!(chats.of_gateway(&visitor_account_id(), Some(NOW)).await.unwrap(), [next]);
}

#[tokio::test]
async fn long_words_are_stored_whole_and_too_long_ones_not_at_all() {
    let emulator = Emulator::start();
    let (chats, calls) = counted_chats(&emulator).await;
    let mut record = waiting(sample_conversation_id(), NOW);
    chats.save(&change(&record, None)).await.unwrap();
    let long = "€".repeat(350_000);
    record.chat.counter = 1;
    let mut say = after(&mut record);
    say.sentences = vec![sentence("long", 1, &long), sentence("long", 0, &"x".repeat(400_000))];
    say.told = vec![(stream(), StreamEntry { body: long.clone().into(), ..entry(1, NOW, "") })];
    calls.take();
    assert_eq!(chats.save(&say).await.unwrap(), ChatSaved::Yes);
    assert_eq!(calls.take(), ["TransactWriteItems"]);
    let (_, said) = chats.chat(sample_conversation_id(), Some((Direction::Inbound, &id("long")))).await.unwrap().unwrap();
    assert!(said.sentences == say.sentences);
    assert_eq!(calls.take(), ["BatchGetItem"; 3]);
    assert!(chats.sentences(record.chat.id, 1, 5).await.unwrap() == say.sentences[..1]);
    assert_eq!(calls.take(), ["Query", "BatchGetItem"]);
    let StreamRead::Page(page) = chats.read(&stream(), 0, 10, NOW).await.unwrap() else { panic!("expired") };
    assert!(page.entries[0].body == long);
    assert!(chats.entries(&stream(), &[1]).await.unwrap() == page.entries);

    let mut too_long = after(&mut record);
    too_long.sentences = vec![sentence("more", 2, &"x".repeat(2_000_000))];
    too_long.told = vec![(stream(), StreamEntry { body: "x".repeat(2_000_000).into(), ..entry(2, NOW, "") })];
    calls.take();
    assert!(matches!(chats.save(&too_long).await, Err(PortError::TooLarge { .. })));
    too_long.sentences.clear();
    too_long.record.chat.slots.panel = Some(sentence("panel", 0, &"x".repeat(400_000)));
    assert!(matches!(chats.save(&too_long).await, Err(PortError::TooLarge { .. })));
    assert_eq!(calls.take(), Vec::<String>::new());
}

#[tokio::test]
async fn place_in_a_stream_is_found_again_or_has_expired() {
    let emulator = Emulator::start();
    let (chats, calls) = counted_chats(&emulator).await;
    assert_eq!(read(&chats, 0, 10, NOW).await, Ok((vec![], 0, false)));
    assert_eq!(chats.head(&stream(), NOW).await.unwrap(), StreamHead { last: 0, oldest: 1 });
    for _ in 1..=20 {
        tell(&chats, NOW).await;
    }
    // Never used, and used by somebody else ten seconds later.
    assert_eq!(chats.reserve(&stream(), 2, later(1)).await.unwrap(), 21);
    assert_eq!(read(&chats, 20, 10, later(DAY - 10)).await, Ok((vec![], 20, false)));
    assert_eq!(tell(&chats, later(20)).await, 23);
    assert_eq!(read(&chats, 20, 10, later(29)).await, Ok((vec![], 20, false)));
    assert_eq!(read(&chats, 19, 10, later(29)).await, Ok((vec![20], 20, false)));
    assert_eq!(read(&chats, 20, 10, later(30)).await, Ok((vec![21, 22, 23], 23, false)));
    assert_eq!(read(&chats, 20, 1, later(30)).await, Ok((vec![21], 21, true)));
    for beyond in [99, u64::MAX] {
        assert_eq!(read(&chats, beyond, 10, later(30)).await, Ok((vec![], beyond, false)));
    }

    // The first day is over, but for the last of it.
    assert_eq!(read(&chats, 0, 10, later(DAY)).await, Err(22));
    assert_eq!(read(&chats, 19, 10, later(DAY)).await, Err(22));
    assert_eq!(read(&chats, 22, 10, later(DAY)).await, Ok((vec![23], 23, false)));
    calls.take();
    assert_eq!(chats.head(&stream(), later(DAY)).await.unwrap(), StreamHead { last: 23, oldest: 23 });
    assert!(calls.take().len() <= 7, "found by halves");
    assert_eq!(read(&chats, 0, 10, later(DAY + 20)).await, Err(23));
    assert_eq!(read(&chats, 23, 10, later(DAY + 20)).await, Ok((vec![], 23, false)));
    assert_eq!(chats.head(&stream(), later(DAY + 20)).await.unwrap(), StreamHead { last: 23, oldest: 24 });

    // Two days later all of it has been removed: what is missing is no gap.
    calls.take();
    assert_eq!(chats.reserve(&stream(), 1, later(3 * DAY)).await.unwrap(), 24);
    assert_eq!(calls.take(), ["UpdateItem"; 2]);
    chats.tell(&[(stream(), entry(24, later(3 * DAY), "x"))], &[], later(3 * DAY)).await.unwrap();
    let service = crate::connection(&emulator).service(SERVICE);
    for seq in 1..=23 {
        let key = |text: String| aws_sdk_dynamodb::types::AttributeValue::S(text);
        let gone = DeleteItemInput::builder().table_name(TABLE);
        let gone = gone.key("pk", key("STREAM#frontstage/gw-demo".to_owned())).key("sk", key(format!("EVT#{seq:013}")));
        let gone: Called<DeleteItemOutput, DeleteItemError> = service.call(DeleteItem::new(), gone.build().unwrap()).await;
        gone.unwrap();
    }
    assert_eq!(read(&chats, 20, 10, later(3 * DAY + 20)).await, Err(23));
    assert_eq!(read(&chats, 20, 1, later(3 * DAY + 20)).await, Err(23));
    assert_eq!(read(&chats, 23, 10, later(3 * DAY + 20)).await, Ok((vec![24], 24, false)));
}

#[tokio::test]
async fn delivered_entries_are_passed_over() {
    let emulator = Emulator::start();
    let (chats, _) = counted_chats(&emulator).await;
    chats.reserve(&stream(), 40, NOW).await.unwrap();
    let told = |seq| (stream(), StreamEntry { is_delivered: !matches!(seq, 1 | 30 | 33), ..entry(seq, NOW, "x") });
    chats.tell(&(1..=40).map(told).collect::<Vec<_>>(), &[], NOW).await.unwrap();
    assert_eq!(read(&chats, 0, 3, NOW).await, Ok((vec![1, 30, 33], 40, false)));
    assert_eq!(read(&chats, 0, 2, NOW).await, Ok((vec![1, 30], 32, true)));
    assert_eq!(read(&chats, 33, 2, NOW).await, Ok((vec![], 40, false)));
}

#[tokio::test]
async fn waiting_chats_are_in_the_order_of_their_waiting() {
    let emulator = Emulator::start();
    let (service, _) = counted_service(&emulator).await;
    let chats = DynamoChats::over(service.clone(), TABLE);
    let ids: Vec<ConversationId> = (1..=3).map(|n| format!("{n:020}").parse().unwrap()).collect();
    for (conversation, seconds) in ids.iter().zip([3, 1, 2]) {
        chats.save(&change(&waiting(*conversation, later(seconds)), None)).await.unwrap();
    }
    assert_eq!(chats.waiting(&desk(), 10).await.unwrap(), [ids[1], ids[2], ids[0]]);
    assert_eq!(chats.waiting(&desk(), 1).await.unwrap(), [ids[1]]);
    assert_eq!(chats.overdue(later(12), 10).await.unwrap(), [ids[1], ids[2]]);
    assert_eq!(chats.overdue(later(99), 1).await.unwrap(), [ids[1]]);
    // Another desk.
    let mut moved = waiting(ids[1], later(1));
    moved.desk = Some("frontstage/other".parse().unwrap());
    assert_eq!(chats.save(&change(&moved, Some(0))).await.unwrap(), ChatSaved::Yes);
    assert_eq!(chats.waiting(&desk(), 10).await.unwrap(), [ids[2], ids[0]]);
    assert_eq!(chats.waiting(moved.desk.as_ref().unwrap(), 10).await.unwrap(), [ids[1]]);
    // Whoever looks for lanes or for the story of a conversation does not meet chats.
    let store = DynamoStore::over(service, TABLE);
    assert_eq!(store.due(later(99), 10).await.unwrap(), []);
    assert!(store.story(ids[0]).await.unwrap().conversation.is_none());
}
