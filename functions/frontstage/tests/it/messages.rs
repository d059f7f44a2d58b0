//! What is taken.

use model::{DeliverTask, DeliveryKey, DeliveryState, StoryEvent};
use serde_json::{Value, json};
use testkit::fixtures::NOW;
use testkit::{QueuedTask, events};

use crate::world::World;

/// Its place is the millisecond of its acceptance.
const MESSAGE_1: &str = "26be4b95-b346-8f78-9003-699b76daa800";
const TEXT: &str = "Dobrý den, are you open on Sunday? 👋";

/// The answer to the event `ok` and to whatever repeats it.
fn received(outcome: &str) -> Value {
    json!({
        "Results": [{"Id": "a0000000-0000-4000-8000-000000000001", "Msg": "ES_MESSAGE_RECEIVING", "Outcome": outcome, "Error": null}],
        "Replies": [{
            "Msg": "SE_MESSAGE_RECEIVED", "Id": "c16b1fd2-8d5e-85c9-9631-2c18be0594d7", "Time": "2026-01-01T00:00:00.000Z", "Seq": null,
            "InReplyTo": "a0000000-0000-4000-8000-000000000001", "Warnings": null,
            "Body": {"Id": MESSAGE_1, "RefId": events::GATEWAY, "TimeStamp": "2026-01-01T00:00:00.000Z",
                     "Reference": "33333333-3333-4333-8333-333333333333", "Data": "true"}
        }]
    })
}

#[tokio::test]
async fn message_is_stored_and_its_relay_enqueued() {
    let world = World::new().await;
    let answer = world.send("ok").await;
    assert_eq!((answer.status, answer.body), (200, received("Accepted")));
    assert_eq!(answer.headers["content-type"], "application/json");

    let [stored] = &world.store.messages()[..] else { panic!("not one message") };
    assert_eq!(stored.id.to_string(), MESSAGE_1);
    assert_eq!(stored.content.text, TEXT);
    assert_eq!(stored.content.subject.as_deref(), Some("Opening hours"));
    assert_eq!((stored.origin.to_string().as_str(), stored.origin_id.as_str()), ("frontstage/gw-mail", "<m-1@demo.example>"));
    let key = DeliveryKey { message: MESSAGE_1.parse().unwrap(), ..events::delivery_key(1) };
    assert_eq!(world.store.delivery(&key).unwrap().state, DeliveryState::Queued);
    let task = DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 0, due: None };
    assert_eq!(world.queue.waiting(), [(NOW, QueuedTask::Deliver(task))]);
    // One write, one call of the queue, and nothing is read.
    assert_eq!(world.store.operations(), ["accept"]);
    assert_eq!(world.queue.calls(), 1);
}

#[tokio::test]
async fn known_answer_of_the_contract_lists_the_gateways() {
    let world = World::new().await;
    let answer = world.send("gateways").await;
    assert_eq!(answer.status, 200);
    let row = |direction: &str| {
        json!({"Id": events::GATEWAY, "DisplayName": "Demo mail", "PeerAddress": "!MailLink", "PeerPort": null,
               "Channel": "Email", "Direction": direction, "Device": "DropFolder {}", "LanguageId": null})
    };
    assert_eq!(answer.body["Results"][0]["Outcome"], "Accepted");
    assert_eq!(answer.body["Replies"][0]["Msg"], "SE_SL_MSGGATEWAYS");
    assert_eq!(answer.body["Replies"][0]["InReplyTo"], "5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01");
    assert_eq!(answer.body["Replies"][0]["Body"], json!([row("I"), row("O")]));
    assert_eq!(answer.body["Replies"][0]["Seq"], 1);
    assert_eq!(world.chats.operations(), ["reserve", "tell"]);
    world.assert_untouched("gateways");
    // Delivered with the answer: it is not fetched again, and nobody waits for its number.
    let told = world.call("frontstage-events", "GET", "/v1/frontstage/gw-mail/events", "after=0", None).await;
    assert_eq!(told.body, json!({"Events": [], "Next": 1, "More": false}));
}

#[tokio::test]
async fn row_10_2_answer_to_a_message_takes_no_number_and_leaves_no_gap() {
    let world = World::new().await;
    let id = |n: u32| format!("a0000000-0000-4000-8000-0000000001{n:02}");
    let message = |n: u32, address: &str| {
        json!({"Msg": "ES_MESSAGE_RECEIVING", "Id": id(n), "Body": {
            "DeliverySystemId": format!("sms-{n}"), "GatewayId": events::GATEWAY, "RemoteAddress": address,
            "ReceivedSentTime": "2026-01-01T00:00:00Z", "BodyText": "Hi"}})
    };
    let gateways = |n: u32| json!({"Msg": "ES_SL_GETGATEWAYS", "Id": id(n), "Body": null});
    let sent = json!([gateways(1), message(2, "+420700000000"), message(3, ""), gateways(4)]);
    let answer = world.mail(&sent).await;
    let replies: Vec<_> =
        answer.body["Replies"].as_array().unwrap().iter().map(|r| (&r["Msg"], &r["Seq"], &r["Body"]["Data"])).collect();
    let (listed, received) = (json!("SE_SL_MSGGATEWAYS"), json!("SE_MESSAGE_RECEIVED"));
    assert_eq!(
        replies,
        [
            (&listed, &json!(1), &Value::Null),
            (&received, &Value::Null, &json!("true")),
            (&received, &Value::Null, &json!("false")),
            (&listed, &json!(2), &Value::Null),
        ]
    );
    // A repetition is known by the Id of the answer, which is the same.
    let again = world.mail(&message(2, "+420700000000")).await;
    assert_eq!(
        (&again.body["Results"][0]["Outcome"], &again.body["Replies"][0]),
        (&json!("Duplicate"), &answer.body["Replies"][1])
    );
}

#[tokio::test]
async fn row_10_2_answer_to_a_message_that_is_wanted_later_has_its_number() {
    let world = World::new().await;
    let body = json!({"Msg": "ES_MESSAGE_RECEIVING", "Id": "a0000000-0000-4000-8000-000000000111", "Body": {
        "DeliverySystemId": "sms-11", "GatewayId": events::GATEWAY, "RemoteAddress": "+420700000000",
        "ReceivedSentTime": "2026-01-01T00:00:00Z", "BodyText": "Hi"}});
    let mut event = world.signed("POST", "/v1/frontstage/gw-mail/messages", "", Some(&body));
    event["headers"]["prefer"] = json!("respond-async");
    assert_eq!(world.send_event(event).await.status, 202);
    let told = world.call("frontstage-events", "GET", "/v1/frontstage/gw-mail/events", "after=0", None).await;
    let event = &told.body["Events"][0];
    assert_eq!((&event["Msg"], &event["Seq"], &event["InReplyTo"]), (&json!("SE_MESSAGE_RECEIVED"), &json!(1), &body["Id"]));
}

#[tokio::test]
async fn acknowledgement_settles_the_message_once() {
    let world = World::new().await;
    events::given_attempt(&*world.store).await;
    world.store.forget_operations();
    let answer = world.send("acknowledgement").await;
    assert_eq!(
        (answer.status, answer.body),
        (
            200,
            json!({"Results": [{"Id": "a0000000-0000-4000-8000-000000000003", "Msg": "ES_MESSAGE_SENT", "Outcome": "Accepted", "Error": null}],
                   "Replies": []})
        )
    );
    let key = events::delivery_key(2);
    let delivery = world.store.delivery(&key).unwrap();
    assert_eq!(delivery.state, DeliveryState::Sent { at: NOW });
    assert_eq!(delivery.reference.as_deref(), Some("<real-2@demo.example>"));
    // In time and for the first time it takes no read.
    assert_eq!(world.store.operations(), ["acknowledge"]);
    let task = DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 0, due: None };
    assert_eq!(world.queue.waiting(), [(NOW, QueuedTask::Deliver(task))]);

    let stories = || world.store.peek(key.message.conversation()).stories;
    assert_eq!(stories().last().unwrap().1.event, StoryEvent::Acknowledged { late: false, after_failure: false });
    let before = stories().len();
    let replayed = world.send("acknowledgement").await;
    assert_eq!(replayed.status, 401);
    assert_eq!(stories().len(), before);
}

#[tokio::test]
async fn repeated_envelope_gets_the_stored_answer() {
    let world = World::new().await;
    let first = world.send("ok").await;
    world.clock.advance(std::time::Duration::from_secs(60));
    let again = world.send("duplicate").await;
    assert_eq!((again.status, again.body), (200, received("Duplicate")));
    assert_eq!(first.status, 200);
    assert_eq!(world.texts(), [TEXT]);
    assert_eq!(world.queue.waiting().len(), 1);
}

#[tokio::test]
async fn repeated_message_in_a_fresh_envelope_is_the_same_message() {
    let world = World::new().await;
    world.send("ok").await;
    let again = world.send("duplicate_request").await;
    assert_eq!(again.status, 200);
    assert_eq!(again.body["Results"][0]["Outcome"], "Duplicate");
    assert_eq!(again.body["Replies"][0]["Body"]["Id"], MESSAGE_1);
    assert_eq!(world.texts(), [TEXT]);
    assert_eq!(world.queue.waiting().len(), 1);
}

#[tokio::test]
async fn base64_body_and_function_url_are_answered_as_the_plain_event() {
    for case in ["base64_body", "function_url"] {
        let world = World::new().await;
        let answer = world.send(case).await;
        assert_eq!((answer.status, answer.body), (200, received("Accepted")), "{case}");
        assert_eq!(world.texts(), [TEXT], "{case}");
        assert_eq!(world.store.operations(), ["accept"], "{case}");
    }
}

#[tokio::test]
async fn array_is_answered_item_by_item() {
    let world = World::new().await;
    let answer = world.send("array").await;
    assert_eq!(answer.status, 200);
    let outcomes: Vec<_> = answer.body["Results"].as_array().unwrap().iter().map(|r| r["Outcome"].clone()).collect();
    assert_eq!(outcomes, ["Accepted", "Rejected", "Accepted"]);
    assert_eq!(answer.body["Results"][1]["Error"]["Code"], "UnknownMessage");
    let replies: Vec<_> = answer.body["Replies"].as_array().unwrap().iter().map(|r| r["Msg"].clone()).collect();
    assert_eq!(replies, ["SE_MESSAGE_RECEIVED", "SE_SL_MSGGATEWAYS"]);
    assert_eq!(world.texts(), [TEXT]);

    let replayed = world.send("array").await;
    assert_eq!(replayed.status, 401);
}

#[tokio::test]
async fn bare_payload_is_answered_by_bare_replies() {
    let world = World::new().await;
    let answer = world.send("bare").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body[0]["Msg"], "SE_MESSAGE_RECEIVED");
    assert_eq!(answer.body[0]["Body"]["Data"], "true");
    assert_eq!(world.texts(), [TEXT]);
}

#[tokio::test]
async fn messagepack_is_read_and_answered_in_what_is_accepted() {
    let world = World::new().await;
    let answer = world.send("msgpack").await;
    assert_eq!((answer.status, &answer.headers["content-type"]), (200, &json!("application/json")));
    assert_eq!(answer.body["Replies"][0]["Msg"], "SE_SL_MSGGATEWAYS");
}
