//! Streams: what is told, and how readers come by it.

use std::time::Duration;

use model::{AckTask, DeliveryKey, DeliveryState, EpochMillis};
use platform_frontstage::{Legacy, MessageContentInfo, OutBody, kept_envelope};
use ports::{AcceptOutcome, DeliveryStore as _, InboundStore as _, LaneSelector, Offers as _, Saved, Transition};
use serde_json::{Value, json};
use testkit::{QueuedTask, fixtures};

use crate::world::{PETR, World, chat_gateway};

#[tokio::test]
async fn empty_stream_is_an_empty_page() {
    for function in ["frontstage-events", "frontstage-workplace-events"] {
        let world = World::new().await;
        let answer = world.send_to(function, "ok").await;
        assert_eq!((answer.status, answer.body), (200, json!({"Events": [], "Next": 0, "More": false})), "{function}");
    }
}

#[tokio::test]
async fn what_was_answered_is_passed_over_and_the_rest_told_in_order() {
    let world = World::new().await;
    world.send_to("frontstage-workplace-messages", "ok").await;
    world.send("chat_start").await;
    let page = world.told_visitor(0).await;
    // The start's own answer was number 1.
    let seqs: Vec<_> = page.body["Events"].as_array().unwrap().iter().map(|event| event["Seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs.first(), Some(&2));
    assert!(seqs.is_sorted());
    assert_eq!(page.body["Events"][0]["Body"]["Sentences"], json!(null));
    let next = page.body["Next"].as_u64().unwrap();
    assert_eq!(next, *seqs.last().unwrap());
    let rest = world.told_visitor(next).await;
    assert_eq!(rest.body, json!({"Events": [], "Next": next, "More": false}));
    // The same place gives the same envelopes again.
    assert_eq!(world.told_visitor(0).await.body["Events"], page.body["Events"]);
}

/// A message to the chat gateway's connector that waits in its stream.
async fn offered(world: &World) -> DeliveryKey {
    let mut conversation = fixtures::sample_conversation(1);
    conversation.desk = Some(chat_gateway());
    let acceptance = fixtures::sample_acceptance(&conversation);
    let key = acceptance.deliveries[0].delivery.key.clone();
    assert_eq!(world.store.accept(&acceptance).await.unwrap(), AcceptOutcome::Stored);
    let which = LaneSelector::Entry(key.entry());
    let mut item = world.store.work(&key.lane(), which, None, fixtures::NOW).await.unwrap().unwrap();
    item.delivery.state = DeliveryState::Offered { attempt: 1, until: fixtures::NOW.plus(Duration::from_secs(86_400)) };
    let change = Transition {
        delivery: item.delivery,
        story: None,
        lane: item.lane,
        leaves_lane: false,
        due_at: None,
        needs_same_thread_status: false,
        receipt: None,
        alias: None,
    };
    let content = MessageContentInfo { body_text: Some("Hello".to_owned()), ..MessageContentInfo::default() };
    let message = OutBody::MessageSending(Box::new(content));
    let body = kept_envelope(message, Legacy::default(), "any", 9, fixtures::NOW, None);
    assert_eq!(world.chats.offer(&change, &body.into(), fixtures::NOW).await.unwrap(), Saved::Yes);
    key
}

#[tokio::test]
async fn section_6_attempt_begins_with_the_poll_that_first_contains_it() {
    let world = World::new().await;
    let key = offered(&world).await;
    world.clock.advance(Duration::from_secs(3600));
    let page = world.told_visitor(0).await.body;
    let event = &page["Events"][0];
    assert_eq!((&event["Msg"], &event["Seq"]), (&json!("SE_MESSAGE_SENDING"), &json!(1)));
    assert_eq!(event["Body"]["BodyText"], "Hello");
    assert_eq!(event["Body"]["ReceivedSentTime"], "2026-01-01T01:00:00.000Z");
    assert_eq!(event["Time"], "2026-01-01T01:00:00.000Z");
    let state = world.store.delivery(&key).unwrap().state;
    let started_at = EpochMillis::new(1_767_229_200_000);
    let deadline = EpochMillis::new(1_767_229_290_000);
    assert_eq!(state, DeliveryState::Sending { attempt: 1, started_at, deadline, pushes: 1, next_push: None });
    let timer = AckTask::V1 { lane: key.lane(), entry: key.entry(), attempt: 1 };
    assert_eq!(world.queue.waiting(), [(EpochMillis::new(1_767_229_290_001), QueuedTask::Ack(timer))]);

    // The same place gives the same envelope again, until its time is over.
    world.clock.advance(Duration::from_secs(90));
    assert_eq!(world.told_visitor(0).await.body, page);
    world.clock.advance(Duration::from_millis(1));
    let over = world.told_visitor(0).await.body;
    assert_eq!((&over["Events"][0]["Msg"], &over["Events"][0]["Seq"]), (&json!("Skip"), &json!(1)));
    assert_eq!(world.told_visitor(1).await.body, json!({"Events": [], "Next": 1, "More": false}));
    assert_eq!(world.queue.waiting().len(), 1);
}

#[tokio::test]
async fn section_6_attempt_begins_with_no_poll_that_is_refused() {
    let world = World::new().await;
    let key = offered(&world).await;
    let mut stranger = world.signed("GET", "/v1/frontstage/gw-chat/events", "after=0", None);
    stranger["rawQueryString"] = json!("after=0&max=9");
    assert_eq!(world.answer("frontstage-events", stranger).await.status, 401);
    assert!(matches!(world.store.delivery(&key).unwrap().state, DeliveryState::Offered { .. }));
    assert!(world.queue.waiting().is_empty());
}

#[tokio::test]
async fn health_tells_how_the_stream_stands() {
    let world = World::new().await;
    let at_first = world.send_to("frontstage-health", "ok").await;
    assert_eq!((at_first.status, at_first.body), (200, json!({"Time": "2026-01-01T00:00:00.000Z", "Cursor": 0, "Oldest": 1})));
    world.send_to("frontstage-workplace-messages", "ok").await;
    world.send("chat_start").await;
    let later = world.send_to("frontstage-health", "duplicate").await;
    assert_eq!((&later.body["Cursor"], &later.body["Oldest"]), (&world.told_visitor(0).await.body["Next"], &json!(1)));
}

#[tokio::test]
async fn place_that_is_gone_is_410_with_where_to_go_on() {
    let world = World::new().await;
    world.send_to("frontstage-workplace-messages", "ok").await;
    world.send("chat_start").await;
    world.clock.advance(Duration::from_secs(86_401));
    let gone = world.told_visitor(0).await;
    assert_eq!((gone.status, &gone.body["Error"]["Code"]), (410, &json!("CursorExpired")));
    let next = gone.body["Next"].as_u64().unwrap();
    assert!(next > 0);
    assert_eq!(world.told_visitor(next).await.status, 200);
}

#[tokio::test]
async fn query_out_of_range_is_422_and_names_the_parameter() {
    for function in ["frontstage-events", "frontstage-workplace-events"] {
        let world = World::new().await;
        let answer = world.send_to(function, "malformed").await;
        let error = &answer.body["Error"];
        assert_eq!((answer.status, &error["Code"], &error["Field"]), (422, &json!("ValidationFailed"), &json!("after")));
        assert_eq!(world.store.counts().writes, 0, "{function}");
    }
}

#[tokio::test]
async fn reader_chooses_the_format() {
    for function in ["frontstage-events", "frontstage-health", "frontstage-workplace-events"] {
        let world = World::new().await;
        let packed = world.send_to(function, "msgpack").await;
        assert_eq!((packed.status, &packed.headers["content-type"]), (200, &json!("application/vnd.msgpack")), "{function}");
        assert!(packed.body["base64"].is_string(), "{function}");
        assert_eq!(world.send_to(function, "not_acceptable").await.status, 406, "{function}");
    }
}

#[tokio::test(start_paused = true)]
async fn reader_who_waits_is_answered_when_something_comes_or_the_time_is_over() {
    let world = World::new().await;
    let path = "/v1/frontstage/gw-chat/events";
    let started = tokio::time::Instant::now();
    let nothing = world.call("frontstage-events", "GET", path, "wait=5", None).await;
    assert_eq!((nothing.status, nothing.body["Events"].clone()), (200, json!([])));
    assert_eq!(started.elapsed(), Duration::from_secs(5));

    world.send_to("frontstage-workplace-messages", "ok").await;
    let started = tokio::time::Instant::now();
    let (found, _) = tokio::join!(world.call("frontstage-events", "GET", path, "wait=20", None), async {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        world.send("chat_start").await
    });
    assert!(!found.body["Events"].as_array().unwrap().is_empty());
    assert_eq!(started.elapsed(), Duration::from_secs(3));
}

#[tokio::test]
async fn workplace_is_told_only_what_is_its_own() {
    let world = World::new().await;
    let resync: Value = json!({"Msg": "CS_CHAT_RESYNC", "Id": "e0000000-0000-4000-8000-000000000001", "Body": {"AgentId": PETR}});
    assert_eq!(world.agent("102", &resync).await.status, 200);
    world.send("chat_start").await;
    world.send("chat_sentence").await;
    let own = world.told_agent("102", 0).await;
    assert!(own.body["Events"].as_array().unwrap().iter().any(|event| event["Msg"] == "SC_CHAT_ALERT"));
    assert_eq!(world.told_agent("101", 0).await.body["Events"], json!([]));
}
