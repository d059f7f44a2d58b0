//! `POST /inapp/api/session`: sections 6.3, 8.1, 8.3 and 11, and the table of O2.

use std::sync::Arc;
use std::time::Duration;

use ctrader_functions::visit;
use futures_util::future::join_all;
use http::{HeaderMap, Method, StatusCode};
use platform_ctrader::{Person, hashed};
use ports::{RecordChange, RecordKey, Records as _};
use serde_json::{Value, json};
use testkit::{Fault, ManualClock, ScriptedSender};
use wire::{CallFailure, HttpAnswer, HttpCall};

use crate::world::{Answer, HANDOFF_HOST, HOST, OTHER_HOST, STRICT_HOST, USER, World, post, request};

const NONCE: &str = "q3JvT0nZr5yXw8LkPmB2dA";
const OTHER_NONCE: &str = "Zz3JvT0nZr5yXw8LkPmB2d";

fn page(token: &str) -> Value {
    json!({"token": token, "nonce": NONCE, "screen": "chat", "params": {"lang": "de-AT", "theme": "dark", "utm_source": "mail"}})
}

fn vouched() -> Value {
    json!({"userId": 31_550_462, "email": "ines.v@example.com", "tradingLogin": 5_207_718})
}

fn manager() -> Value {
    json!({"webservToken": "9d3f61c4"})
}

fn sender(answers: &[(u16, Value)]) -> ScriptedSender {
    let sender = ScriptedSender::new();
    for (status, body) in answers {
        sender.answer(*status, body);
    }
    sender
}

/// A world whose cTrader answers so, after it has given out a manager's token.
async fn told(answers: &[(u16, Value)]) -> World {
    let all: Vec<_> = std::iter::once((200, manager())).chain(answers.iter().cloned()).collect();
    World::calling(sender(&all)).await
}

async fn hand_in(world: &World, token: &str, nonce: &str) -> Answer {
    world.open(HANDOFF_HOST, &json!({"token": token, "nonce": nonce, "screen": "chat"})).await
}

#[tokio::test]
async fn own_token_becomes_a_session() {
    let world = World::new().await;
    let opened = world.open(HOST, &page(&world.one_time().await)).await;
    let session = opened.text("session");
    assert_eq!((session.len(), opened.status, &opened.headers["cache-control"]), (64, 200, &"no-store".parse().unwrap()));
    let expected = json!({
        "session": session, "expiresIn": 1800, "user": {"displayName": "Inés Vega"}, "lang": "de",
        "context": {"screen": "chat", "params": {"source": "Web", "theme": "dark"}},
        "successUrl": "https://inapp.broker.example/callback/success",
        "closeUrl": "https://inapp.broker.example/callback/success?result=cancelled", "resultOnClose": false
    });
    assert_eq!(opened.body, expected);
    let visit = visit(&world.ctx, &request(HOST, Some(&session))).await.unwrap();
    assert_eq!((visit.session.person.user_id(), visit.session.trading_login), (USER, Some(5_207_718)));
    assert_eq!(Value::from(visit.session.params), json!({"source": "Web", "theme": "dark", "utm_source": "mail"}));
}

#[tokio::test]
async fn own_token_costs_two_reads_and_a_write() {
    let world = World::new().await;
    let token = world.one_time().await;
    world.records.operations();
    world.open(HOST, &page(&token)).await;
    assert_eq!(world.records.operations(), ["record", "record", "keep_records"]);
}

#[tokio::test]
async fn ctrader_s_token_costs_three_operations_and_one_call_once_the_manager_is_known() {
    let world = told(&[(200, vouched()), (200, vouched())]).await;
    assert_eq!(hand_in(&world, "a", NONCE).await.status, 200);
    world.records.operations();
    assert_eq!(hand_in(&world, "b", NONCE).await.status, 200);
    assert_eq!(world.records.operations(), ["keep_records", "record", "keep_records"]);
}

#[tokio::test]
async fn token_of_ctrader_becomes_a_session() {
    let sender = Arc::new(sender(&[(200, manager()), (200, vouched())]));
    let mut world = World::new().await;
    world.exchange.sender = sender.clone();
    let opened = hand_in(&world, "Hn7+w/4q==", NONCE).await;
    assert_eq!((opened.status, &opened.body["user"]), (200, &json!({"displayName": "ines.v@example.com"})));
    assert_eq!(sender.lines(), ["POST /v2/webserv/managers/token", "POST /cid/ctid2/inAppToken/redeem"]);
    assert_eq!(sender.calls()[1].body, r#"{"token":"Hn7+w/4q=="}"#, "as it came");
    assert!(sender.calls().iter().all(|call| call.timeout <= Duration::from_millis(2500)));
    let stored = format!("{:?}", world.records.peek());
    for secret in ["Hn7+w/4q==", "9d3f61c4", NONCE, &opened.text("session")] {
        assert!(!stored.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn disagreement_01_older_call_resolves_the_token_where_configured() {
    let sender = Arc::new(sender(&[(200, manager()), (200, vouched())]));
    let mut world = World::with(ScriptedSender::new(), &json!({"redeem_variant": "get_data", "ctid_base_path": "/x"})).await;
    world.exchange.sender = sender.clone();
    assert_eq!(hand_in(&world, "a+b", NONCE).await.status, 200);
    assert_eq!(sender.lines()[1], "GET /x/ctid2/inAppOneTimeToken/data");
    assert_eq!(sender.calls()[1].url.query(), Some("token=9d3f61c4&inAppToken=a%2Bb"));
}

#[tokio::test]
async fn request_that_cannot_be_used_spends_nothing() {
    let world = World::new().await;
    let token = world.one_time().await;
    let with = |change: Value| {
        let mut body = page(&token);
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    for (change, row) in [
        (json!({"token": null}), (400, "token_missing")),
        (json!({"token": ""}), (400, "token_missing")),
        (json!({"token": 7}), (400, "token_malformed")),
        (json!({"token": "x".repeat(2049)}), (400, "token_malformed")),
        (json!({"token": "a\u{0}b"}), (400, "token_malformed")),
        (json!({"token": "a\nb"}), (400, "token_malformed")),
        (json!({"token": [token, token]}), (400, "token_duplicate")),
        (json!({"token": "x".repeat(2048)}), (401, "token_invalid")),
        (json!({"token": format!(" {token}")}), (401, "token_invalid")),
        (json!({"token": token.to_uppercase()}), (401, "token_invalid")),
        (json!({"nonce": null}), (400, "invalid")),
        (json!({"nonce": "n".repeat(21)}), (400, "invalid")),
        (json!({"nonce": "n n".repeat(8)}), (400, "invalid")),
        (json!({"screen": "trade"}), (400, "invalid")),
        (json!({"screen": null}), (400, "invalid")),
        (json!({"params": []}), (400, "invalid")),
        (json!({"params": {"lang": 7}}), (400, "invalid")),
        (json!({"screen": "action", "params": {"actionParams": "{"}}), (400, "invalid")),
    ] {
        let answer = world.open(HOST, &with(change.clone())).await;
        assert_eq!(answer.row(), row, "{change}");
        assert_eq!(answer.body["error"]["id"], "r1");
    }
    let mut long = post(HOST, "/inapp/api/session", "", &Value::Null);
    long.body = format!("{{\"token\":\"{}\"}}", "x".repeat(16 * 1024)).into();
    assert_eq!(world.send(long).await.row(), (413, "too_large"));
    let mut broken = post(HOST, "/inapp/api/session", "", &Value::Null);
    broken.body = "{".into();
    assert_eq!(world.send(broken).await.row(), (400, "invalid"));
    let mut looked = post(HOST, "/inapp/api/session", "", &page(&token));
    looked.method = Method::GET;
    let looked = world.send(looked).await;
    assert_eq!((looked.row(), &looked.headers["allow"]), ((405, "method_not_allowed"), &"POST".parse().unwrap()));
    assert_eq!(world.open(OTHER_HOST, &page(&token)).await.row(), (401, "token_invalid"), "of another brand");
    assert_eq!(world.open("nobody.example", &page(&token)).await.row(), (404, "not_found"));
    assert_eq!(world.open(HOST, &page(&token)).await.status, 200, "nothing of that has spent it");
}

#[tokio::test]
async fn same_page_gets_its_session_again_within_ten_seconds_and_nobody_else() {
    for host in [HOST, HANDOFF_HOST] {
        let world = told(&[(200, vouched())]).await;
        let token = world.one_time().await;
        let ask = async |nonce: &str| world.open(host, &json!({"token": token, "nonce": nonce, "screen": "chat"})).await;
        let first = ask(NONCE).await;
        world.clock.advance(Duration::from_millis(9_999));
        assert_eq!(ask(NONCE).await.body, first.body, "{host}");
        assert_eq!(ask(OTHER_NONCE).await.row(), (401, "token_invalid"), "{host}");
        world.clock.advance(Duration::from_millis(1));
        assert_eq!(ask(NONCE).await.row(), (401, "token_invalid"), "{host}");
    }
}

#[tokio::test]
async fn of_fifty_parallel_exchanges_one_wins() {
    for host in [HOST, HANDOFF_HOST] {
        let world = told(&[(200, vouched())]).await;
        let token = world.one_time().await;
        let body = |n: usize| json!({"token": token, "nonce": format!("{n:0>22}"), "screen": "chat"});
        let bodies: Vec<_> = (0..50).map(body).collect();
        let answers = join_all(bodies.iter().map(|body| world.open(host, body))).await;
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        let lost = answers.iter().filter(|answer| answer.row() == (401, "token_invalid")).count();
        assert_eq!((won, lost), (1, 49), "{host}");
    }
}

#[tokio::test]
async fn session_whose_answer_was_lost_is_given_to_the_page_again() {
    let world = World::new().await;
    let token = world.one_time().await;
    world.records.faults().plan([None, None, Some(Fault::AnswerLost)]);
    assert_eq!(world.open(HOST, &page(&token)).await.row(), (503, "unavailable"));
    assert_eq!(world.open(HOST, &page(&token)).await.status, 200);
}

#[tokio::test]
async fn token_of_a_login_opens_no_screen() {
    let world = World::new().await;
    let told = json!({"action": "login", "account": "ctrader/broker", "userId": USER});
    let token = world.operator(told).await["token"].as_str().unwrap().to_owned();
    assert_eq!(world.open(HOST, &page(&token)).await.row(), (401, "token_invalid"));
}

#[tokio::test]
async fn settings_of_the_brand_reach_the_screen() {
    let world = told(&[(200, vouched())]).await;
    let education = json!({"token": "t", "nonce": NONCE, "screen": "education"});
    assert_eq!(world.open(STRICT_HOST, &education).await.row(), (404, "not_found"), "disagreement 13: switched off");
    assert_eq!(world.open(HANDOFF_HOST, &education).await.status, 200);
    let change = json!({"result_on_close": true, "close_url": "https://broker.example/closed", "default_lang": "ar"});
    let world = World::with(ScriptedSender::new(), &change).await;
    let params = json!({"account": "5207718", "promoId": "p"});
    let body = json!({"token": world.one_time().await, "nonce": NONCE, "screen": "action", "params": params});
    let opened = world.open(HOST, &body).await.body;
    assert_eq!((&opened["resultOnClose"], &opened["closeUrl"]), (&json!(true), &json!("https://broker.example/closed")));
    let context =
        json!({"screen": "action", "params": {"source": "Web", "account": 5_207_718, "actionParams": {"promoId": "p"}}});
    assert_eq!((&opened["lang"], &opened["context"]), (&json!("ar"), &context));
    let world = World::with(ScriptedSender::new(), &json!({"disabled": true})).await;
    assert_eq!(world.open(HOST, &page("t")).await.row(), (404, "not_found"));
}

#[tokio::test]
async fn unknown_user_of_handoff_becomes_known_or_is_refused() {
    let world = told(&[(200, vouched())]).await;
    assert_eq!(hand_in(&world, "a", NONCE).await.status, 200);
    assert!(world.records.peek().keys().any(|key| key.kind == "user" && key.account.to_string() == "ctrader/handoff"));
    let sender = sender(&[(200, manager()), (200, vouched()), (200, vouched())]);
    let world = World::with(sender, &json!({"unknown_users": "refuse"})).await;
    assert_eq!(hand_in(&world, "a", NONCE).await.row(), (404, "not_found"));
    world.operator(json!({"action": "know", "account": "ctrader/handoff", "userId": USER, "name": "Inés"})).await;
    let opened = hand_in(&world, "b", NONCE).await;
    assert_eq!((opened.status, &opened.body["user"]["displayName"]), (200, &json!("Inés")));
}

/// The table of O2: what cTrader answers, one after another, and what the screen is told then.
#[tokio::test]
async fn every_row_of_the_table_reaches_the_screen() {
    let none = Value::Null;
    let limited = json!({"errorCode": "REQUEST_FREQUENCY_EXCEEDED"});
    for (answers, row, calls) in [
        (vec![(200, vouched())], (200, ""), 2),
        (vec![(404, none.clone())], (401, "token_invalid"), 2),
        (vec![(401, none.clone()), (200, json!({"webservToken": "new"})), (200, vouched())], (200, ""), 4),
        (vec![(403, none.clone()), (200, json!({"webservToken": "new"})), (200, vouched())], (200, ""), 4),
        (vec![(401, none.clone()), (200, manager()), (401, none.clone())], (502, "identity_unavailable"), 4),
        (vec![(403, none.clone()), (403, none.clone())], (502, "identity_unavailable"), 3),
        (vec![(429, none.clone())], (503, "identity_busy"), 2),
        (vec![(400, limited.clone())], (503, "identity_busy"), 2),
        (vec![(400, none.clone())], (502, "identity_unavailable"), 2),
        (vec![(200, json!({"email": "x"}))], (502, "identity_unavailable"), 2),
        (vec![(500, none.clone()), (200, vouched())], (200, ""), 3),
        (vec![(500, none.clone()), (404, none.clone())], (401, "token_invalid"), 3),
        (vec![(500, none.clone()), (503, none.clone())], (502, "identity_unavailable"), 3),
        (vec![(500, none.clone()), (429, none.clone())], (503, "identity_busy"), 3),
    ] {
        let mut world = World::new().await;
        let all: Vec<_> = std::iter::once((200, manager())).chain(answers.iter().cloned()).collect();
        let sender = Arc::new(sender(&all));
        world.exchange.sender = sender.clone();
        let answer = hand_in(&world, "t", NONCE).await;
        assert_eq!((answer.row(), sender.calls().len(), sender.unused()), (row, calls, 0), "{answers:?}");
        assert_eq!(answer.headers.contains_key("retry-after"), row.0 == 503, "{answers:?}");
    }
}

#[tokio::test]
async fn manager_s_token_that_cannot_be_had_is_told_and_spends_nothing() {
    for (answer, row) in [
        ((403, Value::Null), (502, "identity_unavailable")),
        ((429, Value::Null), (503, "identity_busy")),
        ((500, Value::Null), (502, "identity_unavailable")),
        ((200, json!({})), (502, "identity_unavailable")),
    ] {
        let world = World::calling(sender(&[answer, (200, manager()), (200, vouched())])).await;
        assert_eq!(hand_in(&world, "t", NONCE).await.row(), row);
        assert_eq!(hand_in(&world, "t", OTHER_NONCE).await.status, 200, "any page may try again");
    }
}

#[tokio::test]
async fn claim_is_released_when_the_token_certainly_is_not_spent() {
    for certain in [(401, 2), (403, 2), (429, 1)] {
        let (status, times) = certain;
        let mut answers = vec![(200, manager())];
        answers.extend(std::iter::repeat_n((status, Value::Null), times));
        if times == 2 {
            answers.insert(2, (200, json!({"webservToken": "new"})));
        }
        answers.push((200, vouched()));
        let world = World::calling(sender(&answers)).await;
        assert!(hand_in(&world, "t", NONCE).await.status >= 500, "{status}");
        assert_eq!(hand_in(&world, "t", OTHER_NONCE).await.status, 200, "{status}");
    }
    let script = ScriptedSender::new();
    script.answer(200, &manager()).fail(CallFailure::Unreachable).answer(200, &vouched());
    let world = World::calling(script).await;
    assert_eq!(hand_in(&world, "t", NONCE).await.row(), (502, "identity_unavailable"));
    assert_eq!(hand_in(&world, "t", OTHER_NONCE).await.status, 200);
}

#[tokio::test]
async fn token_that_may_be_spent_stays_with_the_page_that_tried() {
    let world = told(&[(500, Value::Null), (500, Value::Null), (200, vouched())]).await;
    assert_eq!(hand_in(&world, "t", NONCE).await.row(), (502, "identity_unavailable"));
    assert_eq!(hand_in(&world, "t", OTHER_NONCE).await.row(), (401, "token_invalid"));
    assert_eq!(hand_in(&world, "t", NONCE).await.status, 200);
}

#[tokio::test]
async fn page_that_asks_while_its_token_is_redeemed_is_to_come_again() {
    let world = told(&[(200, vouched())]).await;
    let body = json!({"token": "t", "nonce": NONCE, "screen": "chat"});
    let answers = join_all((0..3).map(|_| world.open(HANDOFF_HOST, &body))).await;
    let rows: Vec<_> = answers.iter().map(Answer::row).collect();
    assert!(rows.iter().filter(|row| **row == (200, "")).count() >= 1, "{rows:?}");
    assert!(rows.iter().all(|row| [(200, ""), (503, "identity_busy")].contains(row)), "{rows:?}");
    assert_eq!(world.open(HANDOFF_HOST, &body).await.status, 200);
}

fn json_answer(status: u16, body: &Value) -> Result<HttpAnswer, CallFailure> {
    let status = StatusCode::from_u16(status).unwrap();
    Ok(HttpAnswer { status, headers: HeaderMap::new(), body: body.to_string().into() })
}

/// A cTrader whose every answer about a token takes this long.
fn slow(clock: ManualClock, takes: Duration, then: fn() -> Result<HttpAnswer, CallFailure>) -> ScriptedSender {
    ScriptedSender::responding(move |call: &HttpCall| {
        if call.url.path().ends_with("/managers/token") {
            return json_answer(200, &manager());
        }
        if takes >= call.timeout {
            clock.advance(call.timeout);
            return Err(CallFailure::NoAnswer);
        }
        clock.advance(takes);
        then()
    })
}

#[tokio::test]
async fn whoever_waits_is_answered_within_two_and_a_half_seconds() {
    for (takes, then, row) in [
        (2_400, (|| json_answer(200, &vouched())) as fn() -> _, (200, "")),
        (9_000, || json_answer(200, &vouched()), (504, "identity_timeout")),
        (1_000, || json_answer(500, &Value::Null), (502, "identity_unavailable")),
        (2_480, || json_answer(500, &Value::Null), (504, "identity_timeout")),
        (2_000, || Err(CallFailure::NoAnswer), (504, "identity_timeout")),
    ] {
        let mut world = World::new().await;
        world.exchange.sender = Arc::new(slow(world.clock.clone(), Duration::from_millis(takes), then));
        let began = ports::Clock::now(&world.clock);
        assert_eq!(hand_in(&world, "t", NONCE).await.row(), row, "{takes}");
        assert!(ports::Clock::now(&world.clock).since(began) <= Duration::from_millis(2500), "{takes}");
    }
}

#[tokio::test]
async fn manager_s_token_is_asked_for_once_by_all_processes() {
    let script = Arc::new(sender(&[(200, manager()), (200, vouched()), (200, vouched()), (200, vouched())]));
    let mut world = World::new().await;
    world.exchange.sender = script.clone();
    assert_eq!(hand_in(&world, "a", NONCE).await.status, 200);
    assert_eq!(hand_in(&world, "b", NONCE).await.status, 200);
    // A process that has just begun has nothing in memory.
    world.exchange.managers = Arc::default();
    assert_eq!(hand_in(&world, "c", NONCE).await.status, 200);
    let asked = script.lines().iter().filter(|line| line.ends_with("/managers/token")).count();
    assert_eq!(asked, 1);
    // A changed password closes what was left in the table.
    world.secrets.set(&"ctrader/handoff".parse().unwrap(), json!({"manager_password": "changed"}));
    world.clock.advance(Duration::from_secs(300));
    world.exchange.managers = Arc::default();
    script.answer(200, &json!({"webservToken": "new"})).answer(200, &vouched());
    assert_eq!(hand_in(&world, "d", NONCE).await.status, 200);
    assert_eq!(script.lines().iter().filter(|line| line.ends_with("/managers/token")).count(), 2);
}

#[tokio::test]
async fn brand_without_a_manager_s_password_cannot_tell_who_it_is() {
    let world = World::new().await;
    world.secrets.set(&"ctrader/handoff".parse().unwrap(), json!({}));
    world.clock.advance(Duration::from_secs(300));
    assert_eq!(hand_in(&world, "a", NONCE).await.row(), (502, "identity_unavailable"));
}

#[tokio::test]
async fn revoked_and_forgotten_users_lose_their_sessions() {
    let world = World::new().await;
    let session = world.open(HOST, &page(&world.one_time().await)).await.text("session");
    world.clock.advance(Duration::from_secs(1));
    let revoke = json!({"action": "revoke", "account": "ctrader/broker", "userId": USER});
    assert_eq!(world.operator(revoke.clone()).await, json!({"revoked": USER, "sessions": 1}));
    assert_eq!(world.operator(revoke).await, json!({"revoked": USER, "sessions": 0}));
    assert!(visit(&world.ctx, &request(HOST, Some(&session))).await.is_err());
    let of_user = |kind, id: &str| RecordKey {
        account: "ctrader/broker".parse().unwrap(),
        group: Person::new(USER).group("salt of broker"),
        kind,
        id: id.to_owned(),
    };
    let certificate = RecordKey { group: hashed("c0de"), id: String::new(), ..of_user("certificate", "") };
    for (key, body) in [
        (of_user("action", "survey"), json!({"answers": "Inés said"})),
        (of_user("learnt", "forex101"), json!({"certificate": "c0de"})),
        (certificate.clone(), json!({"name": "Inés"})),
    ] {
        let change = RecordChange { key, rev: 0, body: body.to_string(), ends_at: None };
        world.records.keep_records(&[change]).await.unwrap();
    }
    let forget = json!({"action": "forget", "account": "ctrader/broker", "userId": USER});
    assert_eq!(world.operator(forget).await, json!({"forgotten": USER, "sessions": 0}));
    let of_broker = world.records.peek().into_iter().filter(|(key, _)| key.account.to_string() == "ctrader/broker");
    assert!(!of_broker.map(|(_, record)| record.body).collect::<String>().contains("Inés"));
    let crm = format!("crmApiToken={}", world.crm_token().await);
    assert_eq!(world.ask("/oauth2/onetime/generate", &crm, &json!({"userId": USER})).await.row(), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn operator_is_told_what_is_wrong() {
    let world = World::new().await;
    for (input, code) in [
        (json!({}), "malformed"),
        (json!({"action": "login", "account": "ctrader/broker", "userId": USER, "shoe": 7}), "malformed"),
        (json!({"action": "dance", "account": "ctrader/broker", "userId": USER}), "malformed"),
        (json!({"action": "login", "account": "ctrader/nobody", "userId": USER}), "unknown"),
        (json!({"action": "login", "account": "vcita/demo", "userId": USER}), "unknown"),
        (json!({"action": "login", "account": "ctrader/handoff", "userId": USER}), "invalid"),
        (json!({"action": "know", "account": "ctrader/broker", "userId": "x"}), "invalid"),
        (json!({"action": "know", "account": "ctrader/broker", "userId": 7, "name": "x".repeat(321)}), "invalid"),
        (json!({"action": "know", "account": "ctrader/broker", "userId": 7, "tradingLogin": 0}), "invalid"),
    ] {
        assert_eq!(world.operator(input.clone()).await["error"]["code"], code, "{input}");
    }
}
