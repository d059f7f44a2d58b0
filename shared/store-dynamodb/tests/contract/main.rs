//! The stores against an emulator of DynamoDB: the contract of every store, and what is this one's own business: the
//! number of calls each operation takes, and content that does not fit one item.

#![expect(clippy::unwrap_used, reason = "a helper that fails must stop the test")]

mod catalogue;
mod chats;
mod long;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::{Called, Connection, ConnectionSettings, Service};
use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::create_table::{CreateTable, CreateTableError, CreateTableInput, CreateTableOutput};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use model::{
    DeliveryContent, DeliveryKey, DeliveryState, EventKey, FailureReason, Memo, ReceiptStatus, RemoteStatus, RemoteThread,
    StoryEvent,
};
use ports::{
    AcceptOutcome, AckExpectation, AckOutcome, AckStore as _, AckWrite, DeliveryStore as _, DirectoryStore as _, EventStore as _,
    Grant, Grants as _, Guard, InboundStore as _, InstallationStore as _, LaneSelector, LaneStore as _, LaneTimes as _,
    NewDelivery, OnceKey, Paces, Pass, PortError, ReceiptOutcome, Saved, Standing, StatusStore as _, StoryStore as _, ThreadNote,
    Transition,
};
use store_dynamodb::{DynamoPaces, DynamoStore, SERVICE};
use testkit::Emulator;
use testkit::fixtures::{
    NOW, desk_account_id, sample_acceptance, sample_account, sample_conversation, sample_conversation_id, sample_delivery,
    sample_lane_key, sample_tenant, sending, story_entry, visitor_account_id,
};

const TABLE: &str = "deskbridge";

/// Notes the name of every request that leaves, repetitions included.
#[derive(Debug, Clone, Default)]
struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    /// The names since the last time they were taken.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "calls"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let name = config.load::<Metadata>().map(|call| call.name().to_owned());
        self.0.lock().unwrap().extend(name);
        Ok(())
    }
}

fn connection(emulator: &Emulator) -> Connection {
    connection_to(emulator.endpoint())
}

fn connection_to(endpoint: String) -> Connection {
    Connection::new(ConnectionSettings {
        region: "us-east-1".to_owned(),
        endpoint: Some(endpoint),
        access_key: "test".to_owned(),
        secret_key: "test".to_owned(),
        session_token: None,
    })
}

/// The table as the template declares it.
async fn create_table(connection: &Connection) {
    let attribute = |name: &str, kind| AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap();
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let index = GlobalSecondaryIndex::builder()
        .index_name("due")
        .key_schema(key("due_shard", KeyType::Hash))
        .key_schema(key("due_at", KeyType::Range))
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build());
    let input = CreateTableInput::builder()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk", ScalarAttributeType::S))
        .attribute_definitions(attribute("sk", ScalarAttributeType::S))
        .attribute_definitions(attribute("due_shard", ScalarAttributeType::S))
        .attribute_definitions(attribute("due_at", ScalarAttributeType::N))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .global_secondary_indexes(index.build().unwrap())
        .build();
    let made: Called<CreateTableOutput, CreateTableError> =
        connection.service(SERVICE).call(CreateTable::new(), input.unwrap()).await;
    if let Err(error) = made {
        // Each test has an emulator of its own: it is ours, and its answer came after the attempt was given up.
        assert!(error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception), "{error:?}");
    }
}

/// The service with a new table, and the calls that are made of it.
async fn counted_service(emulator: &Emulator) -> (Service, Calls) {
    let connection = connection(emulator);
    create_table(&connection).await;
    let calls = Calls::default();
    (connection.service(SERVICE).with_interceptor(calls.clone()), calls)
}

/// A store over a new table, and the calls it makes.
async fn counted_store(emulator: &Emulator) -> (DynamoStore, Calls) {
    let (service, calls) = counted_service(emulator).await;
    (DynamoStore::over(service, TABLE), calls)
}

fn once(name: &str) -> Guard {
    let name = EventKey::new("call", [name]);
    Guard::Once(OnceKey { account: desk_account_id(), name, expires_at: NOW.plus(Duration::from_secs(60)) })
}

#[tokio::test]
async fn store_meets_the_contract() {
    let emulator = Emulator::start();
    let connection = connection(&emulator);
    create_table(&connection).await;
    testkit::store_contract::run(Arc::new(DynamoStore::new(&connection, TABLE))).await;
}

#[tokio::test]
async fn grants_meet_the_contract() {
    let emulator = Emulator::start();
    let connection = connection(&emulator);
    create_table(&connection).await;
    testkit::grants_contract::run(Arc::new(DynamoStore::new(&connection, TABLE))).await;
}

#[tokio::test]
async fn records_meet_the_contract() {
    let emulator = Emulator::start();
    let connection = connection(&emulator);
    create_table(&connection).await;
    testkit::records_contract::run(Arc::new(DynamoStore::new(&connection, TABLE))).await;
}

#[tokio::test]
async fn paces_meet_the_contract() {
    let emulator = Emulator::start();
    let connection = connection(&emulator);
    create_table(&connection).await;
    let open = || -> Arc<dyn Paces> { Arc::new(DynamoPaces::beside(&DynamoStore::new(&connection, TABLE))) };
    testkit::paces_contract::run(&open).await;
}

#[tokio::test]
async fn instant_takes_one_call_and_a_busy_pace_none() {
    let emulator = Emulator::start();
    let (store, calls) = counted_store(&emulator).await;
    let (here, elsewhere) = (DynamoPaces::beside(&store), DynamoPaces::beside(&store));
    let horizon = Duration::from_millis(1500);
    for _ in 0..10 {
        here.reserve("k", 8, NOW, horizon, Duration::ZERO).await.unwrap();
        assert_eq!(calls.take(), ["UpdateItem"]);
    }
    assert!(matches!(here.reserve("k", 8, NOW, horizon, Duration::ZERO).await.unwrap(), Pass::Busy { .. }));
    assert_eq!(calls.take(), Vec::<String>::new());
    // Another process looks once, and knows from then on.
    for expected in [1, 0] {
        assert!(matches!(elsewhere.reserve("k", 8, NOW, horizon, Duration::ZERO).await.unwrap(), Pass::Busy { .. }));
        assert_eq!(calls.take().len(), expected);
    }
    let soon = NOW.plus(Duration::from_millis(200));
    elsewhere.reserve("k", 8, soon, horizon, Duration::ZERO).await.unwrap();
    assert_eq!(calls.take(), ["UpdateItem"]);
    here.reserve("other", 8, NOW, horizon, Duration::ZERO).await.unwrap();
    calls.take();
    elsewhere.reserve("other", 8, NOW, horizon, Duration::ZERO).await.unwrap();
    assert_eq!(calls.take(), ["UpdateItem"; 2], "somebody else has reserved meanwhile");

    assert_eq!(here.failed("k", Standing::Well, NOW).await.unwrap(), None);
    assert_eq!(calls.take(), ["UpdateItem"]);
    for _ in 0..4 {
        here.failed("k", Standing::Well, NOW).await.unwrap();
    }
    assert_eq!(calls.take(), ["UpdateItem"; 5], "the last one stops the calls");
    here.recovered("k").await.unwrap();
    assert_eq!(calls.take(), ["UpdateItem"]);
    here.slow("k", None, NOW).await.unwrap();
    assert_eq!(calls.take(), ["UpdateItem"; 2]);
}

#[tokio::test]
async fn every_operation_takes_as_few_calls_as_it_says() {
    let emulator = Emulator::start();
    let (store, calls) = counted_store(&emulator).await;
    let conversation = sample_conversation(1);
    let acceptance = sample_acceptance(&conversation);
    let delivery = acceptance.deliveries[0].delivery.key.clone();
    let lane = sample_lane_key();
    let later = NOW.plus(Duration::from_secs(90));

    store.configure(&sample_tenant(), &[sample_account(&visitor_account_id())]).await.unwrap();
    assert_eq!(calls.take(), ["TransactWriteItems"]);
    store.directory().await.unwrap();
    assert_eq!(calls.take(), ["Query"]);

    assert_eq!(store.accept(&acceptance).await.unwrap(), AcceptOutcome::Stored);
    assert_eq!(calls.take(), ["TransactWriteItems"]);
    assert_eq!(store.accept(&acceptance).await.unwrap(), AcceptOutcome::Duplicate(acceptance.message.id));
    assert_eq!(calls.take(), ["TransactWriteItems"]);

    assert!(store.open(conversation.id, &desk_account_id(), "ch-1", NOW).await.unwrap().conversation.is_some());
    assert_eq!(calls.take(), ["BatchGetItem"]);
    let names = [acceptance.events[0].0.clone(), EventKey::new("msg", ["other"])];
    assert_eq!(store.events(&visitor_account_id(), &names, NOW).await.unwrap(), [Some(acceptance.message.id), None]);
    assert_eq!(calls.take(), ["BatchGetItem"]);

    store.work(&lane, LaneSelector::Head, Some("ch-1"), NOW).await.unwrap().unwrap();
    assert_eq!(calls.take(), ["GetItem", "BatchGetItem"]);
    let item = store.work(&lane, LaneSelector::Entry(delivery.entry()), Some("ch-1"), NOW).await.unwrap().unwrap();
    assert_eq!(calls.take(), ["BatchGetItem"]);

    let mut claim = Transition {
        delivery: item.delivery.clone(),
        story: Some(story_entry(NOW, StoryEvent::HandedOver { attempt: 1 })),
        lane: item.lane.clone(),
        leaves_lane: false,
        due_at: Some(later),
        needs_same_thread_status: true,
        receipt: None,
        alias: None,
    };
    claim.delivery.state = sending(1, NOW, later);
    assert_eq!(store.save(&claim).await.unwrap(), Saved::Yes);
    assert_eq!(calls.take(), ["TransactWriteItems"]);

    let ack = AckWrite {
        delivery: delivery.clone(),
        expect: AckExpectation::InTime,
        route: None,
        state: DeliveryState::Sent { at: NOW },
        reference: Some("their-1".to_owned()),
        story: story_entry(NOW, StoryEvent::Acknowledged { late: false, after_failure: false }),
        alias: Some(EventKey::new("sent", ["their-1"])),
        guards: vec![once("ack")],
    };
    assert_eq!(store.acknowledge(&ack).await.unwrap(), AckOutcome::Stored);
    assert_eq!(calls.take(), ["TransactWriteItems"]);

    let item = store.work(&lane, LaneSelector::Entry(delivery.entry()), None, NOW).await.unwrap().unwrap();
    let receipt = DeliveryKey {
        recipient: visitor_account_id(),
        content: DeliveryContent::Receipt(ReceiptStatus::Sent),
        ..delivery.clone()
    };
    let leave = Transition {
        delivery: item.delivery,
        story: None,
        lane: item.lane,
        leaves_lane: true,
        due_at: None,
        needs_same_thread_status: false,
        receipt: Some(NewDelivery {
            delivery: model::Delivery::queued(receipt, conversation.tenant.clone(), NOW),
            due_at: later,
        }),
        alias: None,
    };
    calls.take();
    assert_eq!(store.save(&leave).await.unwrap(), Saved::Yes);
    assert_eq!(calls.take(), ["TransactWriteItems"]);

    assert_eq!(store.note_receipt(&delivery, ReceiptStatus::Read).await.unwrap().outcome, ReceiptOutcome::Stored);
    assert_eq!(calls.take(), ["UpdateItem"]);
    assert_eq!(store.note_part(&delivery, "p1", ReceiptStatus::Read).await.unwrap().unwrap().len(), 1);
    assert_eq!(calls.take(), ["UpdateItem"]);

    let thread = RemoteThread { id: "s-1".to_owned(), status: RemoteStatus::Pending, changed_at: NOW, memo: Memo::new() };
    store.bind(&lane, &lane.recipient, &thread).await.unwrap();
    assert_eq!(calls.take(), ["TransactWriteItems"]);
    let keep = Duration::from_secs(900);
    let note = store.note_thread(&desk_account_id(), "s-1", RemoteStatus::Active, NOW, keep).await.unwrap();
    assert_eq!(note, ThreadNote::Noted(lane.clone()));
    assert_eq!(calls.take(), ["GetItem", "TransactWriteItems"]);
    store.note_thread(&desk_account_id(), "s-2", RemoteStatus::Active, NOW, keep).await.unwrap();
    assert_eq!(calls.take(), ["GetItem", "UpdateItem"]);
    let early = RemoteThread { id: "s-2".to_owned(), ..thread };
    assert_eq!(store.bind(&lane, &lane.recipient, &early).await.unwrap(), RemoteStatus::Active);
    assert_eq!(calls.take(), ["TransactWriteItems", "TransactWriteItems"]);
    store.note_installation(&desk_account_id(), "ch-1", RemoteStatus::Active, NOW, None).await.unwrap();
    assert_eq!(calls.take(), ["UpdateItem"]);

    store.event(&visitor_account_id(), &acceptance.events[0].0, NOW).await.unwrap().unwrap();
    assert_eq!(calls.take(), ["GetItem"]);
    assert_eq!(store.guard(&[], NOW).await.unwrap(), None);
    assert_eq!(calls.take(), Vec::<String>::new());
    assert_eq!(store.guard(&[once("a"), once("b")], NOW).await.unwrap(), None);
    assert_eq!(calls.take(), ["TransactWriteItems"]);

    assert_eq!(store.begin_renewal("app", 0, later, NOW).await.unwrap(), Saved::Yes);
    assert_eq!(calls.take(), ["UpdateItem"]);
    assert_eq!(store.keep_grant("app", 0, &Grant::default()).await.unwrap(), Saved::Yes);
    assert_eq!(calls.take(), ["UpdateItem"]);
    assert_eq!(store.grant("app").await.unwrap().unwrap().rev, 1);
    assert_eq!(calls.take(), ["GetItem"]);

    let due = store.due(later, 10).await.unwrap();
    assert_eq!(calls.take(), ["Query"; 4]);
    let (receipts, at) = due[0].clone();
    assert_eq!(store.postpone(&receipts, at, None).await.unwrap(), Saved::Yes);
    assert_eq!(calls.take(), ["UpdateItem"]);

    assert_eq!(store.story(conversation.id).await.unwrap().stories.len(), 2);
    assert_eq!(calls.take(), ["Query"]);
    let replayed = story_entry(NOW, StoryEvent::Replayed);
    assert_eq!(store.requeue(&delivery, &replayed, later).await.unwrap(), Saved::Conflict);
    assert_eq!(calls.take(), ["TransactWriteItems"]);
}

#[tokio::test]
async fn receipt_that_exists_does_not_hold_up_the_change() {
    let emulator = Emulator::start();
    let (store, _) = counted_store(&emulator).await;
    let mut acceptance = sample_acceptance(&sample_conversation(1));
    let receipt = DeliveryKey {
        message: acceptance.message.id,
        recipient: visitor_account_id(),
        content: DeliveryContent::Receipt(ReceiptStatus::Failed),
    };
    let receipt = NewDelivery { delivery: model::Delivery::queued(receipt, acceptance.message.tenant.clone(), NOW), due_at: NOW };
    acceptance.deliveries.push(receipt.clone());
    store.accept(&acceptance).await.unwrap();
    let item = store.work(&sample_lane_key(), LaneSelector::Head, None, NOW).await.unwrap().unwrap();
    let mut change = Transition {
        delivery: item.delivery,
        story: None,
        lane: item.lane,
        leaves_lane: true,
        due_at: None,
        needs_same_thread_status: false,
        receipt: Some(receipt.clone()),
        alias: None,
    };
    change.delivery.state = DeliveryState::Failed { at: NOW, reason: FailureReason::Expired };
    assert_eq!(store.save(&change).await.unwrap(), Saved::Yes);
    let story = store.story(sample_conversation_id()).await.unwrap();
    let receipts = story.lanes.iter().find(|lane| lane.key == receipt.delivery.key.lane()).unwrap();
    assert_eq!(receipts.pending, [receipt.delivery.key.entry()], "appended once");
}

#[tokio::test]
async fn content_above_the_size_of_an_item_is_stored_whole() {
    let emulator = Emulator::start();
    let (store, calls) = counted_store(&emulator).await;
    let mut acceptance = sample_acceptance(&sample_conversation(1));
    // A million UTF-16 units of three bytes each: the longest text a platform may send.
    acceptance.message.content.text = "€".repeat(1_000_000);
    acceptance.message.content.html = Some("<p>€</p>".to_owned());
    assert_eq!(store.accept(&acceptance).await.unwrap(), AcceptOutcome::Stored);
    assert_eq!(calls.take(), ["TransactWriteItems"]);
    let item = store.work(&sample_lane_key(), LaneSelector::Head, None, NOW).await.unwrap().unwrap();
    assert!(item.message == acceptance.message);
    assert_eq!(calls.take(), ["GetItem", "BatchGetItem", "BatchGetItem"]);
    let story = store.story(sample_conversation_id()).await.unwrap();
    assert!(story.messages == [acceptance.message.clone()]);

    let mut next = sample_acceptance(&sample_conversation(2));
    next.message.content.html = Some("x".repeat(4_000_000));
    assert!(matches!(store.accept(&next).await, Err(PortError::TooLarge { .. })));
    let delivery = sample_delivery(&next.message, &desk_account_id()).key;
    assert!(store.work(&sample_lane_key(), LaneSelector::Entry(delivery.entry()), None, NOW).await.unwrap().is_none());
}

#[tokio::test]
async fn service_that_cannot_be_reached_is_unavailable() {
    // The discard port: nothing listens there.
    let connection = connection_to("http://127.0.0.1:9".to_owned());
    let store = DynamoStore::new(&connection, TABLE);
    let error = store.directory().await.unwrap_err();
    assert_eq!(error.to_string(), "dynamodb: no connection");
}

/// Passes connections on to the emulator, except that the answer to the first request is lost. Returns its endpoint.
fn lose_the_first_answer(emulator: &Emulator) -> String {
    let upstream: SocketAddr = emulator.endpoint().trim_start_matches("http://").parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut is_first = true;
        while let Ok((mut near, _)) = listener.accept() {
            let mut far = TcpStream::connect(upstream).unwrap();
            let (mut request, mut answer) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut request, &mut far));
            if std::mem::take(&mut is_first) {
                // Once it answers, its work is done.
                let _ = answer.read(&mut [0; 1]);
                near.shutdown(std::net::Shutdown::Both).unwrap();
            } else {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut answer, &mut near);
                    let _ = near.flush();
                });
            }
        }
    });
    endpoint
}

#[tokio::test]
async fn repetition_after_a_lost_answer_counts_as_stored() {
    let emulator = Emulator::start();
    create_table(&connection(&emulator)).await;
    let acceptance = sample_acceptance(&sample_conversation(1));
    let store = DynamoStore::new(&connection_to(lose_the_first_answer(&emulator)), TABLE);
    assert_eq!(store.accept(&acceptance).await.unwrap(), AcceptOutcome::Stored);

    let store = DynamoStore::new(&connection_to(lose_the_first_answer(&emulator)), TABLE);
    assert_eq!(store.guard(&[once("lost")], NOW).await.unwrap(), None);
    assert!(store.guard(&[once("lost")], NOW).await.unwrap().is_some());
}
