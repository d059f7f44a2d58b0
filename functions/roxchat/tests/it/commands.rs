//! Outgoing chats that are asked for (sections 5 and 7.5).

use std::time::Duration;

use futures_util::future::join_all;
use http::header::{AUTHORIZATION, ORIGIN};
use serde_json::{Value, json};
use testkit::fixtures::{get, post};

use crate::world::{API_KEY, Answer, OTHER_PAGE, PAGE, Page, World, said, signed_in, with};

const COMMANDS: &str = "/roxchat/acme/commands";

/// The CRM's backend asks.
async fn asks(world: &World, body: &Value) -> Answer {
    world.commands(with(post(COMMANDS, &body.to_string()), AUTHORIZATION, &format!("Bearer {API_KEY}"))).await
}

async fn polls(page: &Page<'_>) -> Value {
    let mut request = page.signed(get(COMMANDS, ""));
    request.headers.remove(ORIGIN);
    let answer = page.world.commands(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["command"].clone()
}

async fn state(world: &World, id: &str) -> Value {
    let request = with(get(&format!("{COMMANDS}/{id}"), ""), AUTHORIZATION, &format!("Bearer {API_KEY}"));
    world.commands(request).await.body["command"].clone()
}

async fn reports(page: &Page<'_>, id: &str, body: &Value) -> Answer {
    page.world.commands(page.signed(post(&format!("{COMMANDS}/{id}/result"), &body.to_string()))).await
}

/// A visitor of whom a session is known.
async fn known(page: &Page<'_>, visitor: &str, number: u64) {
    page.tells(number, number, "newMessageAdded", &said(visitor, 1, "visitor", "hi")).await;
}

#[tokio::test]
async fn command_is_asked_for_taken_sent_and_confirmed() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    known(&page, "v", 1).await;
    assert_eq!(polls(&page).await, Value::Null);
    let answer = asks(&world, &json!({"visitorId": "v"})).await;
    let id = answer.body["command"]["id"].as_str().unwrap().to_owned();
    assert_eq!((answer.status, &answer.body["command"]["state"]), (202, &json!("queued")));
    let command = polls(&page).await;
    assert_eq!(
        command,
        json!({"id": id, "action": "start_outgoing_chat", "visitorId": "v", "roxchatVisitorId": "v", "sessionId": "session of v",
            "expiresAt": "2026-01-01T00:01:00.000Z"})
    );
    assert_eq!(polls(&page).await, Value::Null, "never twice");
    assert_eq!(state(&world, &id).await, json!({"id": id, "state": "claimed"}));
    for reported in ["sent", "sent", "confirmed", "sent", "failed", "confirmed"] {
        assert_eq!(reports(&page, &id, &json!({ "state": reported })).await.status, 200, "a repetition is harmless");
    }
    assert_eq!(state(&world, &id).await, json!({"id": id, "state": "confirmed"}));
}

#[tokio::test]
async fn refusal_keeps_the_code_of_rox_chat() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    for (number, code) in (1..).zip([
        "operator_cant_start_chat_with_visitor_from_another_department",
        "visitor_starting_chat_from_his_side",
        "visitor_already_in_chat",
        "no_tariff_option",
        "unable_to_start_outgoing_chat",
        "workspace_not_ready",
        "some_code_of_tomorrow",
    ]) {
        let visitor = format!("v{number}");
        known(&page, &visitor, number).await;
        let id = asks(&world, &json!({ "visitorId": visitor })).await.body["command"]["id"].as_str().unwrap().to_owned();
        assert_eq!(polls(&page).await["id"], json!(id));
        let answer = reports(&page, &id, &json!({"state": "failed", "code": code})).await;
        assert_eq!(answer.body["command"], json!({"id": id, "state": "failed", "code": code}));
        assert_eq!(state(&world, &id).await["code"], code);
    }
}

#[tokio::test]
async fn of_fifty_pages_one_gets_it() {
    let world = World::new();
    let first = world.page("marta", PAGE).await;
    known(&first, "v", 1).await;
    let mut pages = Vec::new();
    for number in 0..50 {
        pages.push(world.page("marta", &format!("e6a3f2de-8a0b-4f0e-9a59-{number:012}")).await);
    }
    assert_eq!(asks(&world, &json!({"visitorId": "v"})).await.status, 202);
    world.records.operations();
    let taken: Vec<_> = join_all(pages.iter().map(polls)).await.into_iter().filter(|command| !command.is_null()).collect();
    assert_eq!(taken.len(), 1);
    let tried = world.records.operations().into_iter().filter(|name| *name == "keep_records").count();
    assert_eq!(tried, 50, "all of them tried to take it at the same time");
}

#[tokio::test]
async fn nobody_took_it_in_a_minute() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    known(&page, "v", 1).await;
    let id = asks(&world, &json!({"visitorId": "v"})).await.body["command"]["id"].as_str().unwrap().to_owned();
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(polls(&page).await, Value::Null);
    assert_eq!(state(&world, &id).await, json!({"id": id, "state": "expired", "code": "no_open_workspace"}));
    assert_eq!(asks(&world, &json!({"visitorId": "v"})).await.status, 202, "it is nobody's any more");
}

#[tokio::test]
async fn page_that_vanished_leaves_it_unconfirmed_and_nobody_gets_it_again() {
    let world = World::new();
    let (page, other) = (world.page("marta", PAGE).await, world.page("marta", OTHER_PAGE).await);
    known(&page, "v", 1).await;
    let id = asks(&world, &json!({"visitorId": "v"})).await.body["command"]["id"].as_str().unwrap().to_owned();
    assert_eq!(polls(&page).await["id"], json!(id));
    assert_eq!(reports(&other, &id, &json!({"state": "confirmed"})).await.row(), (403, "not_your_command"));
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(polls(&other).await, Value::Null);
    assert_eq!(state(&world, &id).await, json!({"id": id, "state": "unconfirmed"}));
    let late = reports(&page, &id, &json!({"state": "confirmed"})).await;
    assert_eq!((late.status, &late.body["command"]["state"]), (200, &json!("unconfirmed")));
}

#[tokio::test]
async fn command_for_an_agent_is_for_the_pages_of_that_agent() {
    let world = World::new();
    let (marta, ben) = (world.page("marta", PAGE).await, world.page("ben", OTHER_PAGE).await);
    known(&marta, "v", 1).await;
    assert_eq!(asks(&world, &json!({"visitorId": "v", "agent": "ben"})).await.status, 202);
    assert_eq!(polls(&marta).await, Value::Null);
    assert_eq!(polls(&ben).await["visitorId"], "v");
    // A page asks for its own agent.
    assert_eq!(world.commands(ben.signed(post(COMMANDS, r#"{"visitorId":"v"}"#))).await.status, 202);
    assert_eq!(polls(&marta).await, Value::Null);
    assert_eq!(polls(&ben).await["visitorId"], "v");
}

#[tokio::test]
async fn visitor_is_asked_for_by_an_old_id_and_sent_by_the_new_one() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    known(&page, "a", 1).await;
    page.tells(2, 2, "visitorAuthorized", &signed_in(("a", None), ("b", Some("P-1")))).await;
    assert_eq!(asks(&world, &json!({"visitorId": "a"})).await.status, 202);
    let command = polls(&page).await;
    assert_eq!((&command["roxchatVisitorId"], &command["sessionId"]), (&json!("b"), &json!("session of a")));
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_with_its_reason() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    known(&page, "v", 1).await;
    page.tells(2, 2, "visitorAuthorized", &signed_in(("no session", None), ("no session", Some("P")))).await;
    assert_eq!(asks(&world, &json!({"visitorId": "no session"})).await.row(), (409, "session_unknown"));
    assert_eq!(asks(&world, &json!({"visitorId": "nobody"})).await.row(), (409, "session_unknown"));
    assert_eq!(asks(&world, &json!({"visitorId": "v"})).await.status, 202);
    assert_eq!(asks(&world, &json!({"visitorId": "v"})).await.row(), (409, "command_in_flight"));
    for body in [
        json!({}),
        json!({"visitorId": 7}),
        json!({"visitorId": ""}),
        json!({"visitorId": "v", "agent": ""}),
        json!({"visitorId": "v".repeat(129)}),
    ] {
        assert_eq!(asks(&world, &body).await.row(), (400, "bad_shape"), "{body}");
    }
    let post_it = || post(COMMANDS, r#"{"visitorId":"v"}"#);
    assert_eq!(world.commands(post_it()).await.row(), (401, "token_invalid"));
    assert_eq!(
        world.commands(with(post_it(), AUTHORIZATION, "Bearer invented-api-key-of-acme-0000000002")).await.row(),
        (401, "token_invalid")
    );
    let mut rival = with(post_it(), AUTHORIZATION, &format!("Bearer {API_KEY}"));
    rival.path = "/roxchat/rival/commands".to_owned();
    assert_eq!(world.commands(rival).await.row(), (401, "token_invalid"));
    let mut forged = page.signed(post_it());
    forged.headers.insert(ORIGIN, "https://evil.example".parse().unwrap());
    assert_eq!(world.commands(forged).await.row(), (403, "origin_mismatch"));
    let polled = with(get(COMMANDS, ""), AUTHORIZATION, &format!("Bearer {API_KEY}"));
    assert_eq!(world.commands(polled).await.row(), (401, "token_invalid"), "a backend takes no commands");
}

#[tokio::test]
async fn reports_that_say_nothing_are_refused() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    known(&page, "v", 1).await;
    let id = asks(&world, &json!({"visitorId": "v"})).await.body["command"]["id"].as_str().unwrap().to_owned();
    polls(&page).await;
    for body in [
        json!({}),
        json!({"state": "queued"}),
        json!({"state": "claimed"}),
        json!({"state": "expired"}),
        json!({"state": "done"}),
        json!({"state": "failed", "code": ""}),
        json!({"state": "failed", "code": "c".repeat(129)}),
    ] {
        assert_eq!(reports(&page, &id, &body).await.row(), (400, "bad_shape"), "{body}");
    }
    for id in ["no-uuid", "00000000-0000-4000-8000-000000000000"] {
        assert_eq!(reports(&page, id, &json!({"state": "sent"})).await.row(), (404, "unknown_command"));
    }
    assert_eq!(state(&world, &id).await["state"], "claimed");
    for path in ["", "/x", "/x/result"] {
        let mut request = page.signed(post(&format!("{COMMANDS}{path}"), "{}"));
        request.method = http::Method::PUT;
        assert_eq!(world.commands(request).await.row(), (405, "method_not_allowed"));
    }
}
