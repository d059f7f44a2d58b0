//! Events that are pushed to a connector, queue event in and batch response out, and what it says in its answers.

use std::time::Duration;

use chat::State;
use model::PushTask;
use serde_json::{Value, json};
use testkit::{Fault, events};
use wire::{CallFailure, RawRequest};

use crate::chats::{envelope, given_conversation};
use crate::world::{World, chat_gateway};

fn none() -> [String; 0] {
    []
}

/// What was pushed, each call an array of envelopes.
fn pushed(world: &World) -> Vec<Value> {
    world.sender.calls().iter().map(|call| serde_json::from_slice(&call.body).unwrap()).collect()
}

fn names(push: &Value) -> Vec<&str> {
    push.as_array().unwrap().iter().map(|one| one["Msg"].as_str().unwrap()).collect()
}

fn is_due(world: &World) -> bool {
    world.chats.push_of(&chat_gateway()).1.is_some()
}

/// Eva's chat with Jana, of which the connector was told so far. Returns its id.
async fn given_pushed(world: &World) -> String {
    let chat = given_conversation(world).await;
    world.sender.answer_empty(200);
    world.push_due().await;
    assert!(!is_due(world));
    chat
}

/// Jana writes something.
async fn jana_says(world: &World, chat: &str, number: u32) {
    let said = json!({"ChatId": chat, "ID": format!("a-{number}"), "Text": "Hello"});
    let answer = world.agent("101", &envelope("CS_CHAT_SENTENCE", number, said)).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn turn_of_a_pushed_gateway_is_announced_and_pushed_signed() {
    let world = World::pushing().await;
    given_conversation(&world).await;
    let announced = world.pushes.waiting();
    assert!(!announced.is_empty());
    assert!(announced.iter().all(|(_, task)| *task == PushTask::V1 { gateway: chat_gateway() }));
    world.sender.answer_empty(200);
    assert_eq!(world.push("ok").await, none());

    let [push] = &pushed(&world)[..] else { panic!() };
    // Start and sentence were answered at once.
    assert_eq!(names(push), ["SE_CHAT_STATUS"; 3]);
    assert_eq!(push[2]["Body"]["Status"], "Answered");
    let polled = world.told_visitor(0).await;
    assert_eq!(polled.body["Events"], *push, "they are there to be fetched too, word for word");
    assert!(!is_due(&world));

    let call = world.sender.calls().remove(0);
    assert_eq!((call.method.as_str(), call.url.as_str()), ("POST", "https://connector.example/push?x=1"));
    assert_eq!((call.timeout, &call.headers["content-type"]), (Duration::from_secs(10), &"application/json".parse().unwrap()));
    let request = RawRequest {
        method: call.method,
        path: "/push".into(),
        query: "x=1".into(),
        headers: call.headers,
        body: call.body,
        request_id: String::new(),
        source_ip: None,
    };
    assert!(platform_frontstage::verify(request, &world.chat_keys(), ports::Clock::now(&world.clock)).is_ok());
}

#[tokio::test]
async fn same_task_twice_pushes_once() {
    let world = World::pushing().await;
    given_conversation(&world).await;
    world.sender.answer_empty(200);
    assert_eq!(world.push("duplicate").await, none());
    world.push_due().await;
    assert_eq!(world.sender.calls().len(), 1);
}

#[tokio::test]
async fn gateway_that_polls_is_pushed_nothing() {
    let world = World::new().await;
    given_conversation(&world).await;
    assert!(world.pushes.waiting().is_empty());
    assert_eq!(world.push("ok").await, none());
    assert!(world.sender.calls().is_empty());
}

#[tokio::test]
async fn connector_that_cannot_be_reached_is_tried_again_and_410_makes_it_poll() {
    let world = World::pushing().await;
    let chat = given_pushed(&world).await;
    jana_says(&world, &chat, 21).await;
    world.sender.fail(CallFailure::Unreachable).answer_empty(410);
    world.push_due().await;
    assert!(is_due(&world));
    world.clock.advance(Duration::from_secs(1));
    world.push_due().await;
    assert!(!is_due(&world));
    jana_says(&world, &chat, 22).await;
    world.push_due().await;
    assert_eq!(world.sender.calls().len(), 3);
    assert_eq!(names(&world.told_visitor(5).await.body["Events"]), ["SE_CHAT_SENTENCE", "SE_CHAT_SENTENCE"]);
}

#[tokio::test]
async fn what_the_connector_says_in_its_answer_counts_as_posted() {
    let world = World::pushing().await;
    let chat = given_pushed(&world).await;
    jana_says(&world, &chat, 21).await;
    let confirm = envelope("ES_CHAT_CONFIRM", 31, json!({"TrackingId": "t-100", "ID": "a-21"}));
    let speak = envelope("ES_CHAT_SENTENCE", 32, json!({"TrackingId": "t-100", "ID": "v-32", "Text": "Thanks"}));
    let answer = json!({"Messages": [confirm, speak]});
    // The same words again, as an honest connector says them when it is pushed the same again.
    world.sender.answer(200, &answer).answer(200, &answer);
    world.push_due().await;
    world.push_due().await;
    let told = world.told_agent("101", 0).await;
    let told = names(&told.body["Events"]);
    assert_eq!(told[told.len() - 2..], ["SC_CHAT_CONFIRM", "SC_CHAT_SENTENCE"]);
    let pushes = pushed(&world);
    assert_eq!(names(&pushes[1]), ["SE_CHAT_SENTENCE"]);
    assert_eq!(names(&pushes[2]), ["SE_CHAT_SENTENCE"], "nobody waited for the echo, so it is pushed");
    assert_eq!(pushes[2][0]["InReplyTo"], speak["Id"]);
    assert_eq!(pushes.len(), 3, "an answer that is repeated calls forth no other push");
}

#[tokio::test]
async fn heard_task_is_handled_as_posted_and_once() {
    let world = World::pushing().await;
    given_pushed(&world).await;
    for _ in 0..2 {
        assert_eq!(world.push("heard").await, none());
    }
    let told = world.told_visitor(0).await;
    let closed: Vec<_> = told.body["Events"].as_array().unwrap().iter().filter(|one| one["Body"]["Status"] == "Closed").collect();
    assert_eq!(closed.len(), 1);
    assert_eq!(closed[0]["InReplyTo"], "c0000000-0000-4000-8000-000000000041");
}

#[tokio::test]
async fn refused_envelope_in_an_answer_stops_no_other() {
    let world = World::pushing().await;
    let chat = given_pushed(&world).await;
    assert_eq!(world.push("heard_partly_refused").await, none());
    let conversation = chat::ChatId::try_from(chat).unwrap().conversation();
    assert!(matches!(world.chats.peek(conversation).unwrap().chat.state, State::Closed { .. }));
}

#[tokio::test]
async fn store_that_is_down_while_an_answer_is_heard_makes_it_be_asked_for_again() {
    let world = World::pushing().await;
    let chat = given_pushed(&world).await;
    jana_says(&world, &chat, 21).await;
    let stop = envelope("ES_CHAT_STOP", 41, json!({"TrackingId": "t-100"}));
    let answer = json!({"Messages": [stop]});
    world.sender.answer(200, &answer).answer(200, &answer).answer_empty(200);
    // Claim and read, then the chat itself.
    world.chats.faults().plan([None, None, Some(Fault::Refused)]);
    world.push_due().await;
    assert!(is_due(&world));
    world.clock.advance(Duration::from_secs(1));
    world.push_due().await;
    world.push_due().await;
    let pushes = pushed(&world);
    assert_eq!((&pushes[1][0]["Id"], pushes.len()), (&pushes[2][0]["Id"], 4));
    assert_eq!(pushes[3][0]["Body"]["Status"], "Closed");
}

#[tokio::test]
async fn gateway_that_is_gone_is_pushed_nothing_and_heard_no_more() {
    let world = World::pushing().await;
    let gone = "frontstage/gw-none".parse().unwrap();
    let now = ports::Clock::now(&world.clock);
    ports::Chats::reserve_pushed(&*world.chats, &gone, 1, now, now).await.unwrap();
    assert_eq!(world.push("account_unknown").await, none());
    assert_eq!(world.chats.push_of(&gone).1, None);
}

#[tokio::test]
async fn body_that_is_no_task_is_kept_and_blocks_no_neighbour() {
    let world = World::pushing().await;
    given_conversation(&world).await;
    world.sender.answer_empty(200);
    for (case, kept) in [("malformed", 1), ("unknown_type", 2), ("one_of_two_bad", 3)] {
        assert_eq!(world.push(case).await, none(), "{case}");
        assert_eq!(world.queue.dead_letters().len(), kept, "{case}");
    }
    assert_eq!(world.sender.calls().len(), 1);
}

#[tokio::test]
async fn store_down_hands_the_record_back() {
    let world = World::pushing().await;
    given_conversation(&world).await;
    world.chats.faults().plan([Some(Fault::Refused)]);
    assert_eq!(world.push("ok").await, ["b0000000-0000-4000-8000-000000000001"]);
    world.sender.answer_empty(200);
    assert_eq!(world.push("ok").await, none());
    assert_eq!(world.sender.calls().len(), 1);
}

/// An event whose sender wants the answers later.
fn later(mut event: Value) -> Value {
    event["headers"]["prefer"] = json!("respond-async");
    event
}

#[tokio::test]
async fn answers_about_messages_go_to_the_stream_if_the_asker_wants_it_so() {
    let world = World::new().await;
    let stored = world.send_event(later(events::event("frontstage-messages", "ok"))).await;
    assert_eq!((stored.status, &stored.body["Replies"]), (202, &json!([])));
    assert_eq!(stored.body["Results"][0]["Outcome"], "Accepted");
    let again = world.send_event(later(events::event("frontstage-messages", "duplicate"))).await;
    assert_eq!((again.status, &again.body["Results"][0]["Outcome"]), (202, &json!("Duplicate")));
    let refused = world.send_event(later(events::event("frontstage-messages", "invalid"))).await;
    assert_eq!((refused.status, &refused.body["Replies"]), (202, &json!([])));
    let gateways = world.send_event(later(events::event("frontstage-messages", "gateways"))).await;
    assert_eq!((gateways.status, &gateways.body["Replies"]), (202, &json!([])));

    let stream = ports::StreamKey::Gateway(events::visitor_account_id());
    let told: Vec<Value> = world
        .chats
        .told(&stream)
        .iter()
        .map(|entry| {
            let node = chats_frontstage::envelope(&stream, entry).unwrap();
            serde_json::from_slice(&platform_frontstage::Format::Json.write(&node)).unwrap()
        })
        .collect();
    let shown: Vec<_> =
        told.iter().map(|one| (one["Msg"].as_str().unwrap(), one["Seq"].as_u64().unwrap(), &one["Body"]["Data"])).collect();
    let (yes, no) = (json!("true"), json!("false"));
    assert_eq!(
        shown,
        [
            ("SE_MESSAGE_RECEIVED", 1, &yes),
            ("SE_MESSAGE_RECEIVED", 2, &yes),
            ("SE_MESSAGE_RECEIVED", 3, &no),
            ("SE_SL_MSGGATEWAYS", 4, &Value::Null),
        ]
    );
    assert_eq!(told[0]["Id"], told[1]["Id"], "the answer to a repetition is recognised as the same one");
    assert!(told[2]["Warnings"].is_array());
    // The gateway is pushed its messages, so it is pushed these too.
    assert!(world.pushes.waiting().iter().all(|(_, task)| *task == PushTask::V1 { gateway: events::visitor_account_id() }));
    assert_eq!(world.pushes.waiting().len(), 4);
    world.sender.answer_empty(200);
    world.push_due().await;
    assert_eq!(pushed(&world), [json!(told)]);
}

#[tokio::test]
async fn refused_message_that_is_answered_later_is_answered_once() {
    let world = World::new().await;
    for status in [202, 401] {
        let answer = world.send_event(later(events::event("frontstage-messages", "invalid"))).await;
        assert_eq!(answer.status, status);
    }
    assert_eq!(world.chats.told(&ports::StreamKey::Gateway(events::visitor_account_id())).len(), 1);
}
