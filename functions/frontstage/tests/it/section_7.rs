//! FrontStage contract section 7, the server's view row by row, and of section 6 the rows that end before the use cases:
//! request in, answer out.

use std::sync::atomic::{AtomicU32, Ordering};

use model::{DeliveryState, StoryEvent};
use platform_frontstage::{Secrets, sign};
use serde_json::{Value, json};
use testkit::events::{self, GATEWAY};
use testkit::fixtures::NOW;

use crate::world::{Answer, World};

/// What the gateway of messages posts, in an envelope of its own each time.
async fn post(world: &World, msg: &str, body: &Value) -> Answer {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let body = json!({"Msg": msg, "Id": format!("a7000000-0000-4000-8000-{count:012}"), "Body": body}).to_string();
    let mut event: Value = events::event("frontstage-messages", "ok");
    let secrets = Secrets::of(&json!({"keys": [{"id": "k1", "secret": "contract-demo-secret-001"}]})).unwrap();
    let path = event["rawPath"].as_str().unwrap().to_owned();
    let nonce = format!("n-7-{count}");
    for (name, value) in &sign("POST", &path, "", body.as_bytes(), secrets.signing().unwrap(), NOW.seconds(), &nonce) {
        event["headers"][name.as_str()] = json!(value.to_str().unwrap());
    }
    event["body"] = Value::String(body);
    world.send_event(event).await
}

/// A message under its two names.
async fn receiving(world: &World, external_id: &str, request_id: &str) -> Value {
    let body = json!({"DeliverySystemId": external_id, "RequestId": request_id, "GatewayId": GATEWAY,
                      "RemoteAddress": "eva@demo.example", "ReceivedSentTime": "2026-01-01T00:00:00Z", "BodyText": "Hi"});
    let answer = post(world, "ES_MESSAGE_RECEIVING", &body).await;
    assert_eq!(answer.status, 200);
    let replies = answer.body["Replies"].as_array().unwrap();
    assert_eq!((replies.len(), &replies[0]["Msg"]), (1, &json!("SE_MESSAGE_RECEIVED")), "exactly one answer");
    replies[0]["Body"].clone()
}

#[tokio::test]
async fn valid_and_new_is_stored_and_answered_true_with_its_id() {
    let world = World::new().await;
    let answer = receiving(&world, "m-1", "r-1").await;
    let [stored] = &world.store.messages()[..] else { panic!("not one message") };
    assert_eq!(answer["Id"], stored.id.to_string());
    assert_eq!((&answer["Data"], &answer["Reference"], &answer["RefId"]), (&json!("true"), &json!("r-1"), &json!(GATEWAY)));
}

#[tokio::test]
async fn request_id_answered_before_is_the_same_message_and_nothing_is_stored() {
    let world = World::new().await;
    let first = receiving(&world, "m-1", "r-1").await;
    let again = receiving(&world, "m-2", "r-1").await;
    assert_eq!(again, first);
    assert_eq!(world.texts().len(), 1);
}

#[tokio::test]
async fn delivery_system_id_stored_before_is_the_same_message_and_mirrors_the_new_request_id() {
    let world = World::new().await;
    let first = receiving(&world, "m-1", "r-1").await;
    let again = receiving(&world, "m-1", "r-2").await;
    assert_eq!((&again["Id"], &again["Data"], &again["Reference"]), (&first["Id"], &json!("true"), &json!("r-2")));
    assert_eq!(world.texts().len(), 1);
}

#[tokio::test]
async fn not_valid_is_answered_false_and_the_corrected_resend_is_taken() {
    let world = World::new().await;
    let mut body = json!({"DeliverySystemId": "m-1", "RequestId": "r-1", "GatewayId": GATEWAY, "SpamLevel": 9,
                          "RemoteAddress": "eva@demo.example", "ReceivedSentTime": "2026-01-01T00:00:00Z"});
    let refused = post(&world, "ES_MESSAGE_RECEIVING", &body).await;
    let reply = &refused.body["Replies"][0];
    assert_eq!((refused.status, &refused.body["Results"][0]["Outcome"]), (200, &json!("Accepted")));
    assert_eq!(
        (&reply["Body"]["Data"], &reply["Body"]["Id"], &reply["Body"]["Reference"]),
        (&json!("false"), &Value::Null, &json!("r-1"))
    );
    assert_eq!(reply["Warnings"][0]["Field"], "Body.SpamLevel");
    world.assert_untouched("not valid");
    body["SpamLevel"] = json!(3);
    let taken = post(&world, "ES_MESSAGE_RECEIVING", &body).await;
    assert_eq!(taken.body["Replies"][0]["Body"]["Data"], "true");
    assert_eq!(world.store.messages()[0].details.plain["SpamLevel"], "3");
}

#[tokio::test]
async fn in_progress_twice_is_one_row_and_one_answer_for_both() {
    let world = World::new().await;
    let (one, other) = tokio::join!(receiving(&world, "m-1", "r-1"), receiving(&world, "m-1", "r-1"));
    assert_eq!(one, other);
    assert_eq!(world.texts().len(), 1);
}

async fn sent(world: &World, body: Value) -> Answer {
    let mut command = json!({"Id": events::message(2).id.to_string(), "RefId": GATEWAY, "Reference": null, "Data": null});
    command.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    post(world, "ES_MESSAGE_SENT", &command).await
}

#[tokio::test]
async fn section_6_acknowledgement_by_another_gateway_is_gateway_mismatch_and_changes_nothing() {
    let world = World::new().await;
    events::given_attempt(&*world.store).await;
    let before = world.store.delivery(&events::delivery_key(2)).unwrap();
    let answer = sent(&world, json!({"RefId": "99999999-9999-4999-8999-999999999999"})).await;
    assert_eq!((answer.status, &answer.body["Error"]["Code"]), (403, &json!("GatewayMismatch")));
    assert_eq!(world.store.delivery(&events::delivery_key(2)).unwrap(), before);
}

#[tokio::test]
async fn section_6_reference_longer_than_80_is_refused_and_the_clock_runs_on() {
    let world = World::new().await;
    events::given_attempt(&*world.store).await;
    let before = world.store.delivery(&events::delivery_key(2)).unwrap();
    let answer = sent(&world, json!({"Reference": "r".repeat(81)})).await;
    let error = &answer.body["Error"];
    assert_eq!((answer.status, &error["Code"], &error["Field"]), (422, &json!("ValidationFailed"), &json!("Body.Reference")));
    assert_eq!(world.store.delivery(&events::delivery_key(2)).unwrap(), before);
    assert!(matches!(before.state, DeliveryState::Sending { .. }));
    assert_eq!(sent(&world, json!({"Reference": "r".repeat(80)})).await.status, 200);
    assert!(matches!(world.store.delivery(&events::delivery_key(2)).unwrap().state, DeliveryState::Sent { .. }));
}

#[tokio::test]
async fn section_6_sent_and_any_acknowledgement_later_is_duplicate_and_what_differs_is_noted() {
    let world = World::new().await;
    events::given_attempt(&*world.store).await;
    let last = || world.store.peek(events::message(2).id.conversation()).stories.pop().unwrap().1;
    let first = json!({"Reference": "ext-1", "TimeStamp": "2025-12-31T23:59:58Z"});
    assert_eq!(sent(&world, first.clone()).await.body["Results"][0]["Outcome"], "Accepted");
    assert_eq!(last().said_at.unwrap().to_utc_text(), "2025-12-31T23:59:58.000Z");
    assert_eq!(sent(&world, first).await.body["Results"][0]["Outcome"], "Duplicate");
    assert!(matches!(last().event, StoryEvent::Acknowledged { .. }));
    assert_eq!(sent(&world, json!({"Data": "550 mailbox full"})).await.body["Results"][0]["Outcome"], "Duplicate");
    assert_eq!((last().event, last().detail.as_deref()), (StoryEvent::Contradicted, Some("550 mailbox full")));
    let delivery = world.store.delivery(&events::delivery_key(2)).unwrap();
    assert_eq!((delivery.state, delivery.reference.as_deref()), (DeliveryState::Sent { at: NOW }, Some("ext-1")));
}
