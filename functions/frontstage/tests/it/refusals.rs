//! What is not taken, and what that leaves behind: nothing.

use std::time::Duration;

use model::DeliveryState;
use platform_frontstage::{Secrets, sign};
use serde_json::{Value, json};
use testkit::fixtures::NOW;
use testkit::{Fault, events};

use crate::world::World;

/// The error of an answer whose request failed as a whole, without the id of the request.
fn error(code: &str, message: &str, field: Option<&str>, is_retryable: bool) -> Value {
    json!({"Code": code, "Message": message, "Field": field, "Retryable": is_retryable, "RequestId": null})
}

/// The error in an answer, without the id of the request, which must be there.
fn error_of(body: &Value) -> Value {
    let mut error = body["Error"].clone();
    assert!(error["RequestId"].take().as_str().is_some_and(|id| id.starts_with("Req")), "{body}");
    error
}

/// What everybody is told who is not believed: not even the id of the request differs.
fn unauthorized() -> Value {
    json!({"Error": error("Unauthorized", "the request is not signed by this gateway", None, false)})
}

#[tokio::test]
async fn unproven_sender_is_told_the_same_whatever_is_wrong() {
    for case in ["signature_wrong", "signature_missing", "key_unknown"] {
        let world = World::new().await;
        let answer = world.send(case).await;
        assert_eq!((answer.status, answer.body), (401, unauthorized()), "{case}");
        assert_eq!(world.store.operations(), [""; 0], "{case}");
        assert_eq!(world.queue.calls(), 0, "{case}");
        world.assert_untouched(case);
    }
    for seconds in [301, -301] {
        let world = World::new().await;
        world.clock.set(model::EpochMillis::new(NOW.millis() + seconds * 1000));
        // Old enough accounts are read again, which is no answer to the stranger.
        let answer = world.send("ok").await;
        assert_eq!((answer.status, answer.body), (401, unauthorized()), "{seconds} s");
        world.assert_untouched("outside the window");
    }
}

#[tokio::test]
async fn tampered_body_path_query_or_method_is_unauthorized() {
    for (pointer, value) in [
        ("/body", json!("{}")),
        ("/rawPath", json!("/v1/frontstage/gw-mail/messages/ES_MESSAGE_RECEIVING")),
        ("/rawQueryString", json!("a=1")),
        ("/headers/x-fs-nonce", json!("n-other")),
        ("/headers/x-fs-time", json!("1767225601")),
    ] {
        let world = World::new().await;
        let mut event: Value = events::event("frontstage-messages", "ok");
        *event.pointer_mut(pointer).unwrap() = value;
        assert_eq!(world.send_event(event).await.status, 401, "{pointer}");
        assert_eq!(world.store.operations(), [""; 0], "{pointer}");
    }
}

#[tokio::test]
async fn replayed_nonce_is_unauthorized_and_stores_nothing_more() {
    for case in ["ok", "gateways"] {
        let world = World::new().await;
        assert_eq!(world.send(case).await.status, 200, "{case}");
        let stored = world.store.messages().len();
        let enqueued = world.queue.waiting().len();
        let answer = world.send(case).await;
        assert_eq!((answer.status, answer.body), (401, unauthorized()), "{case}");
        assert_eq!(world.store.messages().len(), stored, "{case}");
        assert_eq!(world.queue.waiting().len(), enqueued, "{case}");
    }
}

#[tokio::test]
async fn gateway_nobody_configured_is_unknown() {
    let world = World::new().await;
    let answer = world.send("account_unknown").await;
    assert_eq!((answer.status, error_of(&answer.body)), (404, error("UnknownGateway", "no such gateway", None, false)));
    assert_eq!(world.store.counts().writes, 0);
}

#[tokio::test]
async fn body_that_cannot_be_used_is_the_contracts_error_and_nothing_is_stored() {
    for (case, status, expected) in [
        ("malformed", 400, error("MalformedBody", "the body is not JSON", None, false)),
        ("wrong_type", 422, error("ValidationFailed", "GatewayId is not a string", Some("Body.GatewayId"), false)),
        ("unknown_type", 400, error("UnknownMessage", "no message has this name", Some("Msg"), false)),
        ("wrong_direction", 403, error("WrongDirection", "connectors send ES_ messages only", Some("Msg"), false)),
        ("foreign_gateway", 403, error("GatewayMismatch", "RefId is not a gateway of the caller", Some("Body.RefId"), false)),
        (
            "media_type_unknown",
            415,
            error("UnsupportedMediaType", "bodies are application/json or application/vnd.msgpack", None, false),
        ),
    ] {
        let world = World::new().await;
        let answer = world.send(case).await;
        assert_eq!((answer.status, error_of(&answer.body)), (status, expected), "{case}");
        assert_eq!(world.store.operations(), [""; 0], "{case}");
        world.assert_untouched(case);
    }
}

/// The event `ok` with another body, signed as its own.
fn signed(body: &Value) -> Value {
    let mut event: Value = events::event("frontstage-messages", "ok");
    let body = body.to_string();
    let secrets = Secrets::of(&json!({"keys": [{"id": "k1", "secret": "contract-demo-secret-001"}]})).unwrap();
    let path = event["rawPath"].as_str().unwrap().to_owned();
    for (name, value) in &sign("POST", &path, "", body.as_bytes(), secrets.signing().unwrap(), NOW.seconds(), "n-signed") {
        event["headers"][name.as_str()] = json!(value.to_str().unwrap());
    }
    event["body"] = Value::String(body);
    event
}

#[tokio::test]
async fn caller_of_any_route_is_told_the_same_whatever_is_wrong() {
    for function in ["frontstage-events", "frontstage-health", "frontstage-workplace-messages", "frontstage-workplace-events"] {
        for case in ["signature_wrong", "signature_missing"] {
            let world = World::new().await;
            let answer = world.send_to(function, case).await;
            assert_eq!((answer.status, answer.body), (401, unauthorized()), "{function} {case}");
            assert_eq!(world.store.operations(), [""; 0], "{function} {case}");
        }
        let world = World::new().await;
        let unknown = world.send_to(function, "account_unknown").await;
        assert_eq!((unknown.status, error_of(&unknown.body)), (404, error("UnknownGateway", "no such gateway", None, false)));
        let method = world.send_to(function, "wrong_method").await;
        let allowed = if function.ends_with("messages") { "POST" } else { "GET" };
        assert_eq!((method.status, &method.headers["allow"]), (405, &json!(allowed)), "{function}");
    }
}

#[tokio::test]
async fn replayed_nonce_is_unauthorized_on_every_route() {
    for function in ["frontstage-events", "frontstage-health", "frontstage-workplace-messages", "frontstage-workplace-events"] {
        let world = World::new().await;
        assert_eq!(world.send_to(function, "ok").await.status, 200, "{function}");
        let answer = world.send_to(function, "ok").await;
        assert_eq!((answer.status, answer.body), (401, unauthorized()), "{function}");
        assert_eq!(world.send_to(function, "duplicate").await.status, 200, "{function}");
    }
}

#[tokio::test]
async fn message_that_is_not_served_is_told_so_whatever_it_says() {
    let names = [
        "ES_CHAT_REQUEST",
        "ES_CHAT_START",
        "ES_CHAT_STOP",
        "ES_CHAT_TYPING",
        "ES_CHAT_SENTENCE",
        "ES_CHAT_CONFIRM",
        "ES_CHAT_RESYNC",
        "ES_CHAT_STATUS",
    ];
    let right = json!({"Peer": "!MailLink", "TrackingId": "t", "ID": events::GATEWAY, "Text": "x"});
    for body in [right, json!(null), json!("!MailLink"), json!({"Peer": "!Other"}), json!({"TrackingId": 5})] {
        let world = World::new().await;
        let envelope = |name: &&str| json!({"Msg": name, "Id": events::GATEWAY, "Body": body});
        let answer = world.send_event(signed(&json!(names.iter().map(envelope).collect::<Vec<_>>()))).await;
        assert_eq!(answer.body["Results"].as_array().map(Vec::len), Some(names.len()));
        for result in answer.body["Results"].as_array().unwrap() {
            let error = &result["Error"];
            let words = "this message is not served by this installation yet";
            assert_eq!(
                (&error["Code"], &error["Message"], &error["Field"]),
                (&json!("UnknownMessage"), &json!(words), &json!("Msg"))
            );
        }
        world.assert_untouched("not served");
    }
}

#[tokio::test]
async fn message_that_breaks_the_rules_is_answered_false_and_not_remembered() {
    let world = World::new().await;
    let answer = world.send("invalid").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["Results"][0]["Outcome"], "Accepted");
    let reply = &answer.body["Replies"][0];
    assert_eq!(reply["Msg"], "SE_MESSAGE_RECEIVED");
    assert_eq!((&reply["Body"]["Data"], &reply["Body"]["Id"]), (&json!("false"), &Value::Null));
    let fields: Vec<_> = reply["Warnings"].as_array().unwrap().iter().map(|w| w["Field"].clone()).collect();
    assert_eq!(fields, ["Body.DeliverySystemId", "Body.RemoteAddress", "Body.InReplyToId"]);
    assert_eq!(world.store.counts().writes, 0);
    world.assert_untouched("invalid");
}

#[tokio::test]
async fn acknowledgement_of_an_unknown_message_is_404_and_changes_nothing() {
    let world = World::new().await;
    events::given_attempt(&*world.store).await;
    let before = world.store.delivery(&events::delivery_key(2)).unwrap();
    let answer = world.send("unknown_message").await;
    assert_eq!(answer.status, 404);
    assert_eq!(error_of(&answer.body)["Code"], "UnknownMessageId");
    assert_eq!(answer.body["Results"][0]["Outcome"], "Rejected");
    assert!(matches!(before.state, DeliveryState::Sending { .. }));
    assert_eq!(world.store.delivery(&events::delivery_key(2)).unwrap(), before);
}

#[tokio::test]
async fn envelope_id_with_another_body_is_a_conflict() {
    let world = World::new().await;
    world.send("ok").await;
    let answer = world.send("duplicate_other_body").await;
    let expected = error("IdReused", "this envelope Id was used with another body", Some("Id"), false);
    assert_eq!((answer.status, error_of(&answer.body)), (409, expected));
    assert_eq!(world.texts().len(), 1);
}

#[tokio::test]
async fn other_method_is_405_with_allow() {
    let world = World::new().await;
    let answer = world.send("wrong_method").await;
    assert_eq!((answer.status, &answer.headers["allow"]), (405, &json!("POST")));
    assert_eq!(error_of(&answer.body), error("MethodNotAllowed", "only POST", None, false));
    assert_eq!(world.store.operations(), [""; 0]);
}

#[tokio::test]
async fn body_above_4_mb_is_413() {
    let world = World::new().await;
    let mut event: Value = events::event("frontstage-messages", "ok");
    event["body"] = Value::String("x".repeat(4 * 1024 * 1024 + 1));
    let answer = world.send_event(event).await;
    assert_eq!((answer.status, error_of(&answer.body)["Code"].clone()), (413, json!("TooLarge")));
    assert_eq!(world.store.operations(), [""; 0]);
}

#[tokio::test]
async fn body_that_only_claims_to_be_base64_is_400() {
    let world = World::new().await;
    let mut event: Value = events::event("frontstage-messages", "ok");
    event["isBase64Encoded"] = json!(true);
    assert_eq!(world.send_event(event).await.status, 400);
    world.assert_untouched("no base64");
}

#[tokio::test]
async fn store_down_is_503_and_the_repetition_finds_everything_as_before() {
    let unavailable = error("Unavailable", "try again", None, true);
    let world = World::new().await;
    world.store.faults().plan([Some(Fault::Refused)]);
    let answer = world.send("ok").await;
    assert_eq!((answer.status, error_of(&answer.body)), (503, unavailable));
    assert_eq!(answer.headers["retry-after"], "5");
    world.assert_untouched("store down");
    // Nothing was stored, so not even the nonce was used up.
    let again = world.send("ok").await;
    assert_eq!((again.status, &again.body["Results"][0]["Outcome"]), (200, &json!("Accepted")));
    assert_eq!((world.texts().len(), world.queue.waiting().len()), (1, 1));
}

#[tokio::test]
async fn lost_answer_of_store_or_queue_is_503_and_the_resent_envelope_finds_the_message() {
    let world = World::new().await;
    world.store.faults().plan([Some(Fault::AnswerLost)]);
    assert_eq!(world.send("ok").await.status, 503);
    let again = world.send("duplicate").await;
    assert_eq!((again.status, &again.body["Replies"][0]["Body"]["Data"]), (200, &json!("true")));
    assert_eq!(world.texts().len(), 1);

    let world = World::new().await;
    world.queue.fail_next(1);
    assert_eq!(world.send("ok").await.status, 503);
    let again = world.send("duplicate").await;
    assert_eq!((again.status, &again.body["Replies"][0]["Body"]["Data"]), (200, &json!("true")));
    assert_eq!(world.texts().len(), 1);
    // The task that was not enqueued is the sweep's to make up for.
    let lane = world.store.lane(&events::delivery_key(1).lane()).unwrap();
    assert_eq!(lane.due_at, Some(NOW.plus(Duration::from_secs(15))));
}

#[tokio::test]
async fn accounts_or_secrets_that_cannot_be_read_are_503_never_401() {
    let world = World::before_init();
    world.secrets.fail_next(1);
    assert_eq!(world.send("ok").await.status, 503);
    world.store.fail_next(1);
    assert_eq!(world.send("ok").await.status, 503);
    assert_eq!(world.send("ok").await.status, 200);
}

#[tokio::test]
async fn every_event_is_answered_without_a_5xx() {
    for function in [
        "frontstage-messages",
        "frontstage-events",
        "frontstage-health",
        "frontstage-workplace-messages",
        "frontstage-workplace-events",
    ] {
        for case in events::cases(function) {
            let world = World::new().await;
            let answer = world.send_to(function, &case).await;
            assert!((200..500).contains(&answer.status), "{function} {case}: {}", answer.status);
        }
    }
}

/// An array of so many envelopes that nobody can take, each of which counts all the same.
fn array(count: usize) -> Value {
    let id = |number: usize| format!("10000000-0000-4000-8000-{number:012}");
    json!((0..count).map(|number| json!({"Msg": "ES_NOTHING", "Id": id(number)})).collect::<Vec<_>>())
}

#[tokio::test]
async fn more_than_fifty_envelopes_a_second_are_refused_whole_and_taken_later() {
    let world = World::new().await;
    for _ in 0..2 {
        assert_eq!(world.mail(&array(24)).await.status, 200);
    }
    world.store.forget_operations();
    let three = json!([
        events::event::<Value>("frontstage-messages", "ok")["body"]
            .as_str()
            .map(|body| { serde_json::from_str::<Value>(body).unwrap() }),
        array(2)[0],
        array(2)[1]
    ]);
    let request = world.signed("POST", "/v1/frontstage/gw-mail/messages", "", Some(&three));
    let refused = world.send_event(request.clone()).await;
    assert_eq!((refused.status, &refused.headers["retry-after"]), (429, &json!("1")));
    let words = "more than 50 envelopes a second";
    assert_eq!(error_of(&refused.body), error("TooManyRequests", words, None, true));
    assert_eq!(world.store.operations(), [""; 0]);
    world.assert_untouched("a request too many");

    // Two are left, and another gateway has all of its own.
    assert_eq!(world.mail(&array(2)).await.status, 200);
    assert_eq!(world.visitor(&array(25)).await.status, 200);

    world.clock.advance(Duration::from_secs(1));
    let repeated = world.send_event(request).await;
    assert_eq!((repeated.status, &repeated.body["Results"][0]["Outcome"]), (200, &json!("Accepted")));
    assert_eq!(world.store.messages().len(), 1);
}

#[tokio::test]
async fn stranger_uses_up_nothing_of_a_gateways_rate() {
    let world = World::new().await;
    let mut stranger = world.signed("POST", "/v1/frontstage/gw-mail/messages", "", Some(&array(25)));
    stranger["headers"]["x-fs-nonce"] = json!("n-other");
    for _ in 0..3 {
        assert_eq!(world.send_event(stranger.clone()).await.status, 401);
    }
    for _ in 0..2 {
        assert_eq!(world.mail(&array(25)).await.status, 200);
    }
    assert_eq!(world.mail(&array(1)).await.status, 429);
}
