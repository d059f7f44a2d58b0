//! A long conversation: sentence 9,990 costs what sentence 10 costs, and a transcript of 10,000 sentences is read as one of
//! 1,000 is (FrontStage contract, 5.4).
//!
//! The calls of a turn are made here as `app::chats` makes them (its tests pin which those are); the filling between the
//! measured sentences is stored many at a time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeSerializationInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::batch_get_item::{BatchGetItemInput, BatchGetItemOutput};
use aws_sdk_dynamodb::operation::query::{QueryInput, QueryOutput};
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemInput, UpdateItemOutput};
use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};
use bytes::Bytes;
use chat::{
    Agent, Attendant, Chat, ChatId, ChatVisitor, Desk, Direction, Draft, Effect, Event, Known, Policy, Prepared, Said, Sentence,
    SentenceKind, Skill, State, step,
};
use model::AccountId;
use ports::{ChatChange, ChatRecord, ChatSaved, Chats as _, StreamEntry, StreamKey};
use store_dynamodb::{DynamoChats, SERVICE};
use testkit::Emulator;
use testkit::fixtures::{NOW, sample_conversation_id, sample_tenant_id, visitor_account_id};

use crate::{TABLE, connection, create_table, once};

const LENGTH: u64 = 10_000;
/// Sentences that are stored together: each takes two of a transaction's hundred changes.
const BATCH: u64 = 40;
const TEXT: &str = "Where is my lamp? It was to be here on Tuesday, and nobody could tell me anything on the phone.";

/// What one call costs.
#[derive(Debug, Clone, Default, PartialEq)]
struct Cost {
    name: &'static str,
    /// Capacity units, as DynamoDB bills them; `None` where the emulator does not tell.
    units: Option<f64>,
    /// Length of the request's body and of the answer's. The chat is in one of them whole.
    bytes: usize,
}

/// Asks with every call what it costs, and notes it.
#[derive(Debug, Clone, Default)]
struct Meter(Arc<Mutex<Vec<Cost>>>);

impl Meter {
    /// The costs since the last time they were taken.
    fn take(&self) -> Vec<Cost> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// The last call has ended.
    fn settle(&self, name: &'static str, capacity: &[ConsumedCapacity], answer: usize) {
        let mut costs = self.0.lock().unwrap();
        let cost = costs.last_mut().unwrap();
        (cost.name, cost.units) = (name, capacity.first().and_then(ConsumedCapacity::capacity_units));
        cost.bytes += answer;
    }
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "meter"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (input, total) = (context.input_mut(), Some(ReturnConsumedCapacity::Total));
        if let Some(input) = input.downcast_mut::<TransactWriteItemsInput>() {
            input.return_consumed_capacity = total;
        } else if let Some(input) = input.downcast_mut::<BatchGetItemInput>() {
            input.return_consumed_capacity = total;
        } else if let Some(input) = input.downcast_mut::<UpdateItemInput>() {
            input.return_consumed_capacity = total;
        } else if let Some(input) = input.downcast_mut::<QueryInput>() {
            input.return_consumed_capacity = total;
        }
        Ok(())
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let bytes = context.request().body().bytes().map_or(0, <[u8]>::len);
        self.0.lock().unwrap().push(Cost { bytes, ..Cost::default() });
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Ok(output) = context.output_or_error() else { return Ok(()) };
        let answer = context.response().body().bytes().map_or(0, <[u8]>::len);
        if let Some(output) = output.downcast_ref::<TransactWriteItemsOutput>() {
            self.settle("TransactWriteItems", output.consumed_capacity(), answer);
        } else if let Some(output) = output.downcast_ref::<BatchGetItemOutput>() {
            self.settle("BatchGetItem", output.consumed_capacity(), answer);
        } else if let Some(output) = output.downcast_ref::<UpdateItemOutput>() {
            self.settle("UpdateItem", output.consumed_capacity.as_slice(), answer);
        } else if let Some(output) = output.downcast_ref::<QueryOutput>() {
            self.settle("Query", output.consumed_capacity.as_slice(), answer);
        }
        Ok(())
    }
}

fn desk() -> AccountId {
    "frontstage/desk".parse().unwrap()
}

fn anna() -> Agent {
    Agent { id: "agent-1".parse().unwrap(), workplace: "101".parse().unwrap(), name: "Anna".to_owned() }
}

/// A chat that an agent has answered.
fn answered() -> ChatRecord {
    let prepared = Prepared {
        id: ChatId::new(sample_conversation_id(), 1).unwrap(),
        tenant: sample_tenant_id(),
        gateway: visitor_account_id(),
        visitor: ChatVisitor { party_name: Some("Eva".to_owned()), ..ChatVisitor::default() },
        by: None,
    };
    let mut chat = Chat::prepare(prepared, NOW, &Policy::default());
    chat.desk = Some(Desk::Agents(Skill { project: "sales".parse().unwrap(), language: None }));
    chat.answered_at = Some(NOW);
    chat.state = State::Answered { by: Attendant::Agent(anna()) };
    ChatRecord { chat, desk: Some(desk()), staff: None }
}

fn change(record: &ChatRecord, expected_rev: Option<u64>) -> ChatChange {
    ChatChange {
        bind: None,
        relay: None,
        receipt: None,
        results: Vec::new(),
        record: record.clone(),
        expected_rev,
        sentences: Vec::new(),
        confirmed: Vec::new(),
        told: Vec::new(),
        agents: Vec::new(),
        guards: Vec::new(),
        now: NOW,
    }
}

fn draft(number: u64) -> Draft {
    // An id is as long wherever it stands.
    let id = format!("11111111-1111-4111-8111-{number:012}").try_into().unwrap();
    Draft::new(id, SentenceKind::Text, TEXT.to_owned(), Some("Eva".to_owned()), None).unwrap()
}

/// Both sides in turn.
const fn direction(number: u64) -> Direction {
    if number.is_multiple_of(2) { Direction::Inbound } else { Direction::Outbound }
}

/// One sentence as a turn stores it: the chat is read, both sides' streams are given a number, all of it is stored at once.
async fn say(chats: &DynamoChats, number: u64) {
    let direction = direction(number);
    let draft = draft(number);
    let (read, said) = chats.chat(sample_conversation_id(), Some((direction, draft.id()))).await.unwrap().unwrap();
    let said = Said { known: Known::of(&draft, &said.sentences), draft };
    let event = match direction {
        Direction::Inbound => Event::VisitorSpeaks(said),
        Direction::Outbound => Event::DeskSpeaks { from: Attendant::Agent(anna()), said },
    };
    let stepped = step(Some(&read.chat), &event, NOW, &Policy::default());
    assert_eq!(stepped.refusal, None);
    let stored = stepped
        .effects
        .iter()
        .filter_map(|effect| if let Effect::Store(sentence) = effect { Some(sentence.clone()) } else { None });
    let record = ChatRecord { chat: stepped.chat.clone().unwrap(), ..read.clone() };
    assert_eq!(record.chat.counter, number);
    let mut change = change(&record, Some(read.chat.rev));
    change.sentences = stored.collect();
    assert_eq!(change.sentences.len(), 1);
    for stream in [StreamKey::Gateway(visitor_account_id()), StreamKey::Workplace(desk(), anna().workplace)] {
        let seq = chats.reserve(&stream, 1, NOW).await.unwrap();
        let body = Bytes::from(format!("{TEXT}{TEXT}{TEXT}"));
        change.told.push((stream, StreamEntry { seq, at: NOW, is_delivered: false, is_volatile: false, offer: None, body }));
    }
    change.guards = vec![once(&format!("{number:09}"))];
    assert_eq!(chats.save(&change).await.unwrap(), ChatSaved::Yes);
}

/// Stores sentences until the chat has `counter` of them.
async fn fill(chats: &DynamoChats, counter: u64) {
    let (mut record, _) = chats.chat(sample_conversation_id(), None).await.unwrap().unwrap();
    while record.chat.counter < counter {
        let (first, last) = (record.chat.counter + 1, counter.min(record.chat.counter + BATCH));
        (record.chat.counter, record.chat.rev) = (last, record.chat.rev + 1);
        let mut change = change(&record, Some(record.chat.rev - 1));
        change.sentences = (first..=last)
            .map(|number| Sentence {
                id: draft(number).id().clone(),
                direction: direction(number),
                counter: number,
                kind: SentenceKind::Text,
                text: TEXT.to_owned(),
                party_name: Some("Eva".to_owned()),
                sent_at: NOW,
                confirmed_at: None,
            })
            .collect();
        assert_eq!(chats.save(&change).await.unwrap(), ChatSaved::Yes);
    }
}

/// What one sentence costs.
async fn cost_of(chats: &DynamoChats, meter: &Meter, number: u64) -> Vec<Cost> {
    meter.take();
    say(chats, number).await;
    meter.take()
}

/// What the complete transcript costs, which must be the newest thousand.
async fn cost_of_transcript(chats: &DynamoChats, meter: &Meter, counter: u64) -> Vec<Cost> {
    let (record, _) = chats.chat(sample_conversation_id(), None).await.unwrap().unwrap();
    assert_eq!(record.chat.counter, counter);
    let wanted = record.chat.transcript();
    meter.take();
    let sentences = chats.sentences(record.chat.id, *wanted.start(), *wanted.end()).await.unwrap();
    let counters: Vec<_> = sentences.iter().map(|sentence| sentence.counter).collect();
    assert_eq!(counters, (counter - 999..=counter).collect::<Vec<_>>());
    meter.take()
}

fn units(costs: &[Cost]) -> Vec<(&'static str, Option<f64>)> {
    costs.iter().map(|cost| (cost.name, cost.units)).collect()
}

#[tokio::test]
async fn sentence_of_a_long_conversation_costs_what_one_of_a_short_one_costs() {
    let emulator = Emulator::start();
    let connection = connection(&emulator);
    create_table(&connection).await;
    let meter = Meter::default();
    // The emulator looks at every item of a partition that is queried, which takes it seconds here.
    let patient = TimeoutConfig::builder().operation_timeout(Duration::from_secs(60)).build();
    let service = connection.service(SERVICE).with_timeouts(patient).with_interceptor(meter.clone());
    let chats = DynamoChats::over(service, TABLE);

    assert_eq!(chats.save(&change(&answered(), None)).await.unwrap(), ChatSaved::Yes);
    fill(&chats, 8).await;
    let early = [cost_of(&chats, &meter, 9).await, cost_of(&chats, &meter, 10).await];
    fill(&chats, 1_000).await;
    let short = cost_of_transcript(&chats, &meter, 1_000).await;
    fill(&chats, 9_988).await;
    let late = [cost_of(&chats, &meter, 9_989).await, cost_of(&chats, &meter, 9_990).await];
    fill(&chats, LENGTH).await;
    let long = cost_of_transcript(&chats, &meter, LENGTH).await;

    for (early, late) in early.iter().zip(&late) {
        // Reading the chat and what is known of the id; a number for each side; chat, sentence, id, nonce and two entries.
        let expected =
            [("BatchGetItem", None), ("UpdateItem", Some(1.0)), ("UpdateItem", Some(1.0)), ("TransactWriteItems", Some(12.0))];
        assert_eq!(units(early), expected);
        assert_eq!(units(late), expected);
        // The numbers have more digits, and nothing else is longer: neither the chat nor anything beside it grows.
        for (early, late) in early.iter().zip(late) {
            assert!(late.bytes.abs_diff(early.bytes) < 64, "{early:?} and {late:?}");
        }
    }
    assert_eq!(long.len(), 1, "one page");
    assert_eq!(units(&long), units(&short));
    assert!(long[0].units.is_some());
}
