//! What is not served, and how that is said.

use serde_json::json;
use testkit::Fault;

use crate::world::{Answer, FUNCTIONS, VISITOR, World};

const WRITES: [&str; 8] = [
    "website-start",
    "website-sentence",
    "website-typing",
    "website-confirm",
    "website-stop",
    "website-navigation",
    "website-result",
    "website-co-browsing",
];

fn assert_readable(answer: &Answer, why: &str) {
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://shop.example"), "{why}");
    assert_eq!(answer.header("x-tracking-token"), Some(VISITOR), "{why}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{why}");
}

#[tokio::test]
async fn gateway_without_a_web_site_is_unknown() {
    let world = World::with_jana().await;
    for function in FUNCTIONS {
        let answer = world.send(function, "unknown_gateway").await;
        assert_eq!(answer.refusal(), (404, "UnknownGateway"), "{function}");
        assert_eq!(answer.cookies, json!([]), "{function}");
    }
}

#[tokio::test]
async fn other_method_is_refused_with_the_right_ones() {
    let world = World::with_jana().await;
    for function in FUNCTIONS {
        let answer = world.send(function, "wrong_method").await;
        assert_eq!(answer.refusal(), (405, "MethodNotAllowed"), "{function}");
        let allowed = if WRITES.contains(&function) { "POST, OPTIONS" } else { "GET, HEAD, OPTIONS" };
        assert_eq!(answer.header("allow"), Some(allowed), "{function}");
        assert_readable(&answer, function);
    }
}

#[tokio::test]
async fn preflight_is_answered_to_a_listed_page() {
    let world = World::with_jana().await;
    for function in FUNCTIONS {
        let answer = world.send(function, "preflight").await;
        assert_eq!((answer.status, &answer.body), (204, &json!("")), "{function}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://shop.example"), "{function}");
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD, POST, OPTIONS"), "{function}");
        assert_eq!(
            answer.header("access-control-allow-headers"),
            Some("Content-Type, If-None-Match, X-Tracking-Token"),
            "{function}"
        );
        assert_eq!((answer.header("access-control-max-age"), &answer.cookies), (Some("600"), &json!([])), "{function}");
    }
    assert!(world.chats.operations().is_empty());
}

#[tokio::test]
async fn page_that_is_not_listed_reads_nothing_and_writes_nothing() {
    let world = World::with_jana().await;
    for function in FUNCTIONS {
        let answer = world.send(function, "bad_origin").await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{function}");
        if WRITES.contains(&function) {
            assert_eq!(answer.refusal(), (403, "PeerMismatch"), "{function}");
            assert_eq!(answer.body["Error"]["Field"], "Origin", "{function}");
        } else {
            assert_eq!(answer.status, 200, "{function}");
        }
    }
    for function in WRITES {
        assert_eq!(world.send(function, "no_origin").await.refusal(), (403, "PeerMismatch"), "{function}");
    }
    assert_eq!(world.chats.counts().writes, 0);
}

#[tokio::test]
async fn body_that_is_not_declared_as_json_is_refused() {
    let world = World::with_jana().await;
    for function in WRITES {
        let answer = world.send(function, "not_json").await;
        assert_eq!(answer.refusal(), (415, "UnsupportedMediaType"), "{function}");
        assert_readable(&answer, function);
    }
    assert_eq!(world.chats.counts().writes, 0);
}

#[tokio::test]
async fn malformed_body_is_refused() {
    let world = World::with_jana().await;
    for function in WRITES.into_iter().filter(|function| *function != "website-stop") {
        let answer = world.send(function, "malformed").await;
        assert_eq!(answer.refusal(), (400, "MalformedBody"), "{function}");
        assert_readable(&answer, function);
    }
    assert!(world.chats.operations().is_empty());
}

#[tokio::test]
async fn member_that_breaks_its_rule_is_named() {
    let world = World::with_jana().await;
    for (function, case, field) in [
        ("website-routing", "user_token_too_long", "UserToken"),
        ("website-chat", "after_wrong", "After"),
        ("website-start", "rule_unknown", "WebSiteRoutingId"),
        ("website-start", "form_unknown", "ScenarioId"),
        ("website-start", "party_name_too_long", "PartyName"),
        ("website-sentence", "text_empty", "Text"),
        ("website-sentence", "id_too_long", "ID"),
        ("website-typing", "not_boolean", "IsTyping"),
        ("website-confirm", "counter_negative", "Counter"),
        ("website-navigation", "script", "Location"),
        ("website-co-browsing", "not_text", "Data"),
        ("website-start", "form_incomplete", "Values"),
        ("website-result", "chat", "webapp"),
        ("website-result", "rule_missing", "WebSiteRoutingId"),
        ("website-result", "other_application", "WebSiteRoutingId"),
        ("website-result", "form_unknown", "ScenarioId"),
        ("website-result", "control_unknown", "Values[4].ControlId"),
        ("website-result", "choice_unknown", "Values[2].ResultNumber"),
        ("website-result", "wrong_slot", "Values[0].ResultNumber"),
        ("website-result", "incomplete", "Values"),
    ] {
        let answer = world.send(function, case).await;
        assert_eq!(answer.refusal(), (422, "ValidationFailed"), "{function} {case}");
        assert_eq!(answer.body["Error"]["Field"], field, "{function} {case}");
        assert_readable(&answer, case);
    }
    assert!(world.chats.operations().is_empty());
}

#[tokio::test]
async fn store_that_is_away_is_said_so_to_the_page() {
    let world = World::with_jana().await;
    for (function, case) in [
        ("website-chat", "ok"),
        ("website-start", "ok"),
        ("website-sentence", "ok"),
        ("website-stop", "ok"),
        ("website-result", "ok"),
        ("website-co-browsing", "ok"),
    ] {
        world.chats.faults().next(1, Fault::Refused);
        let answer = world.send(function, case).await;
        assert_eq!(answer.refusal(), (503, "Unavailable"), "{function}");
        assert_eq!((&answer.body["Error"]["Retryable"], answer.header("retry-after")), (&json!(true), Some("5")), "{function}");
        assert_readable(&answer, function);
    }
}
