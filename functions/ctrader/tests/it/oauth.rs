//! I1 to I5: order of the checks, the table of section 6.1 and the switches of section 10.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::world::{Answer, HANDOFF_HOST, HOST, OLD_PASSWORD, OTHER_HOST, PASSWORD, STRICT_HOST, USER, World, post};

const AUTHENTICATED: [&str; 4] = ["/oauth2/onetime/authorize", "/oauth2/authorize", "/oauth2/onetime/generate", "/oauth2/logout"];
const DENIED: (u16, &str) = (403, "CH_CLIENT_AUTH_FAILURE");
const MISSING: (u16, &str) = (400, "MISSING_REQUIRED_PARAMETER");
const UNKNOWN: (u16, &str) = (404, "NOT_FOUND");
const MALFORMED: (u16, &str) = (417, "CID_NON_EXISTED_TOKEN");
const EXPIRED: (u16, &str) = (410, "CID_TOKEN_EXPIRED");

/// Well-formed, and never issued.
const NEVER: &str = "k7Qd3mZtX0vRb1sYpLwA00";

async fn login(world: &World, account: &str) -> String {
    let told = json!({"action": "login", "account": account, "userId": USER, "stayLoggedIn": true});
    world.operator(told).await["token"].as_str().unwrap().to_owned()
}

/// A call of the strict brand, which wants the prefix and has an alias.
async fn strict(world: &World, path: &str, query: &str, body: &Value) -> Answer {
    let crm =
        world.call(post(STRICT_HOST, "/cid/oauth2/crmApiToken", "", &json!({"password": PASSWORD}))).await.text("crmApiToken");
    world.call(post(STRICT_HOST, &format!("/cid{path}"), &format!("token={crm}{query}"), body)).await
}

#[tokio::test]
async fn only_post_is_served() {
    let world = World::new().await;
    for path in AUTHENTICATED.into_iter().chain(["/oauth2/crmApiToken"]) {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::OPTIONS] {
            let mut request = post(HOST, path, "", &json!({}));
            request.method = method;
            let answer = world.call(request).await;
            assert_eq!((answer.status, &answer.headers["allow"]), (405, &"POST".parse().unwrap()), "{path}");
        }
    }
}

#[tokio::test]
async fn crm_token_goes_before_body_and_body_before_fields() {
    let world = World::new().await;
    let crm = format!("crmApiToken={}", world.crm_token().await);
    let rival = world.call(post(OTHER_HOST, "/oauth2/crmApiToken", "", &json!({"password": PASSWORD}))).await.text("crmApiToken");
    for path in AUTHENTICATED {
        let with = async |query: &str, body: &str| {
            let mut request = post(HOST, path, query, &Value::Null);
            request.body = body.to_owned().into();
            world.call(request).await.row().0
        };
        let long = format!("{{\"x\":\"{}\"}}", "x".repeat(16 * 1024));
        for wrong in [
            "",
            "crmApiToken=",
            "crmApiToken=wrong",
            &*format!("crmApiToken={rival}"),
            &*format!("{crm}&{crm}"),
            &*crm.replace("crmApiToken", "token"),
        ] {
            for body in ["{", "{}", &long] {
                assert_eq!(with(wrong, body).await, 403, "{path}?{wrong}");
            }
        }
        if path != "/oauth2/logout" {
            assert_eq!(with(&crm, "{").await, 400, "{path}");
            assert_eq!(with(&crm, "[]").await, 400, "{path}");
            assert_eq!(with(&crm, "{}").await, 400, "{path}");
            assert_eq!(with(&crm, &long).await, 413, "{path}");
        }
    }
}

#[tokio::test]
async fn crm_token_ends_after_its_time_and_with_its_password() {
    let world = World::new().await;
    let old = world.ask("/oauth2/crmApiToken", "", &json!({"password": OLD_PASSWORD})).await.text("crmApiToken");
    let new = world.crm_token().await;
    assert_ne!(new, world.crm_token().await, "every call returns another");
    let row = async |token: &str| {
        let body = json!({"code": NEVER});
        world.ask("/oauth2/onetime/authorize", &format!("crmApiToken={token}"), &body).await.status
    };
    assert_eq!((row(&old).await, row(&new).await), (404, 404), "older ones stay valid");
    world.clock.advance(Duration::from_secs(14 * 86_400 - 1));
    assert_eq!(row(&new).await, 404);
    world.secrets.set(&"ctrader/broker".parse().unwrap(), json!({"crm_passwords": [PASSWORD]}));
    assert_eq!((row(&old).await, row(&new).await), (404, 404), "secrets are read again within five minutes");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!((row(&old).await, row(&new).await), (403, 403), "their time is over");
}

#[tokio::test]
async fn removed_password_takes_its_tokens_along() {
    let world = World::new().await;
    let old = world.ask("/oauth2/crmApiToken", "", &json!({"password": OLD_PASSWORD})).await.text("crmApiToken");
    let new = world.crm_token().await;
    world.secrets.set(&"ctrader/broker".parse().unwrap(), json!({"crm_passwords": [PASSWORD]}));
    world.clock.advance(Duration::from_secs(300));
    let row = async |token: &str| {
        let body = json!({"code": NEVER});
        world.ask("/oauth2/onetime/authorize", &format!("crmApiToken={token}"), &body).await.status
    };
    assert_eq!((row(&old).await, row(&new).await), (403, 404));
    assert_eq!(world.ask("/oauth2/crmApiToken", "", &json!({"password": OLD_PASSWORD})).await.row(), DENIED);
}

#[tokio::test]
async fn wrong_passwords_of_one_source_are_limited_and_nobody_else_s() {
    let world = World::new().await;
    let from = async |source: &str, password: &str| {
        let mut request = post(HOST, "/oauth2/crmApiToken", "", &json!({"password": password}));
        request.source_ip = Some(source.to_owned());
        world.call(request).await
    };
    for _ in 0..10 {
        assert_eq!(from("198.51.100.1", "guessguess").await.row(), DENIED);
    }
    let limited = from("198.51.100.1", PASSWORD).await;
    assert_eq!((limited.row(), &limited.headers["retry-after"]), ((429, "REQUEST_FREQUENCY_EXCEEDED"), &"60".parse().unwrap()));
    assert_eq!(from("203.0.113.7", PASSWORD).await.status, 200);
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(from("198.51.100.1", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn password_that_is_no_text_is_missing() {
    let world = World::new().await;
    for body in [json!({}), json!({"password": ""}), json!({"password": 7}), json!({"password": null}), json!([])] {
        assert_eq!(world.ask("/oauth2/crmApiToken", "", &body).await.row(), MISSING, "{body}");
    }
}

#[tokio::test]
async fn presented_token_is_judged_by_form_then_existence_then_time() {
    let world = World::new().await;
    let crm = format!("crmApiToken={}", world.crm_token().await);
    for (path, member) in [("/oauth2/onetime/authorize", "code"), ("/oauth2/authorize", "accessToken")] {
        for (value, row) in [
            (json!(null), MISSING),
            (json!(7), MISSING),
            (json!(""), MISSING),
            (json!("short"), MALFORMED),
            (json!("x".repeat(65)), MALFORMED),
            (json!("k7Qd3mZtX0vRb1sYpLwA+/"), MALFORMED),
            (json!("k7Qd3mZtX0vRb1sYpLwAé0"), MALFORMED),
            (json!(NEVER), UNKNOWN),
        ] {
            let mut body = json!({});
            body[member] = value.clone();
            assert_eq!(world.ask(path, &crm, &body).await.row(), row, "{path} {value}");
        }
    }
    let code = login(&world, "ctrader/broker").await;
    let told = world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": code})).await;
    assert_eq!(world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": code})).await.row(), UNKNOWN, "spent");
    let late = login(&world, "ctrader/broker").await;
    world.clock.advance(Duration::from_secs(60 + 86_400 - 1));
    assert_eq!(world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": late})).await.row(), EXPIRED, "kept for a day");
    assert_eq!(world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": code})).await.row(), UNKNOWN, "spent, and over");
    let rest = 30 * 86_400 - 86_400 - 59;
    world.clock.advance(Duration::from_secs(rest));
    let crm = format!("crmApiToken={}", world.crm_token().await);
    let body = json!({"accessToken": told.text("accessToken")});
    assert_eq!(world.ask("/oauth2/authorize", &crm, &body).await.row(), EXPIRED);
}

#[tokio::test]
async fn long_term_token_lives_on_while_it_is_used() {
    let world = World::new().await;
    let crm = format!("crmApiToken={}", world.crm_token().await);
    let code = login(&world, "ctrader/broker").await;
    let body =
        json!({"accessToken": world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": code})).await.text("accessToken")});
    for _ in 0..4 {
        world.clock.advance(Duration::from_secs(29 * 86_400));
        let crm = format!("crmApiToken={}", world.crm_token().await);
        assert_eq!(world.ask("/oauth2/authorize", &crm, &body).await.status, 200);
        world.records.operations();
        assert_eq!(world.ask("/oauth2/authorize", &crm, &body).await.status, 200);
        assert_eq!(world.records.operations(), ["record", "record"], "noted once a day");
    }
}

#[tokio::test]
async fn user_id_is_an_integer_or_its_digits() {
    let world = World::new().await;
    let crm = format!("crmApiToken={}", world.crm_token().await);
    for user in [json!(null), json!("x"), json!(1.5), json!(true), json!(""), json!(-1), json!([USER])] {
        assert_eq!(world.ask("/oauth2/onetime/generate", &crm, &json!({"userId": user})).await.row(), MISSING, "{user}");
    }
    for query in ["", "&userId=", "&userId=x", "&userId=1&userId=2"] {
        assert_eq!(world.ask("/oauth2/logout", &format!("{crm}{query}"), &Value::Null).await.row(), MISSING, "{query}");
    }
}

#[tokio::test]
async fn disagreement_02_screen_and_backend_each_use_a_token_once_or_whoever_is_first() {
    let world = World::new().await;
    let crm = format!("crmApiToken={}", world.crm_token().await);
    let page = |token: &str| json!({"token": token, "nonce": "n".repeat(22), "screen": "chat"});
    let token = world.one_time().await;
    assert_eq!(world.open(HOST, &page(&token)).await.status, 200);
    let told = world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": token})).await;
    assert_eq!((told.status, &told.body), (200, &json!({"userId": USER})), "no accessToken for a token of I4");
    assert_eq!(world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": token})).await.row(), UNKNOWN);

    let shared = World::with(testkit::ScriptedSender::new(), &json!({"ot_channels": "shared"})).await;
    let crm = format!("crmApiToken={}", shared.crm_token().await);
    let token = shared.one_time().await;
    assert_eq!(shared.open(HOST, &page(&token)).await.status, 200);
    assert_eq!(shared.ask("/oauth2/onetime/authorize", &crm, &json!({"code": token})).await.row(), UNKNOWN);
    let token = shared.one_time().await;
    assert_eq!(shared.ask("/oauth2/onetime/authorize", &crm, &json!({"code": token})).await.status, 200);
    assert_eq!(shared.open(HOST, &page(&token)).await.row(), (401, "token_invalid"));
}

#[tokio::test]
async fn disagreement_03_alias_of_the_parameter_is_taken_where_configured() {
    let world = World::new().await;
    let row = strict(&world, "/oauth2/onetime/authorize", "", &json!({"code": NEVER})).await;
    assert_eq!(row.row(), UNKNOWN);
    let crm = world.crm_token().await;
    assert_eq!(world.ask("/oauth2/onetime/authorize", &format!("token={crm}"), &json!({"code": NEVER})).await.row(), DENIED);
}

#[tokio::test]
async fn disagreement_04_prefix_is_wanted_where_configured_and_nowhere_else() {
    let world = World::new().await;
    let at = async |host: &str, path: &str| world.call(post(host, path, "", &json!({"password": PASSWORD}))).await.status;
    assert_eq!(at(HOST, "/oauth2/crmApiToken").await, 200);
    assert_eq!(at(HOST, "/cid/oauth2/crmApiToken").await, 404);
    assert_eq!(at(STRICT_HOST, "/cid/oauth2/crmApiToken").await, 200);
    assert_eq!(at(STRICT_HOST, "/oauth2/crmApiToken").await, 404);
}

#[tokio::test]
async fn disagreement_05_user_id_is_emitted_as_integer() {
    let world = World::new().await;
    let told = json!({"action": "login", "account": "ctrader/broker", "userId": "31550462"});
    let code = world.operator(told).await["token"].clone();
    let crm = format!("crmApiToken={}", world.crm_token().await);
    let told = world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": code})).await;
    assert_eq!(told.body["userId"], json!(31_550_462));
}

#[tokio::test]
async fn disagreement_06_second_factor_is_wanted_where_configured() {
    let world = World::new().await;
    let code = login(&world, "ctrader/strict").await;
    let told = strict(&world, "/oauth2/onetime/authorize", "", &json!({"code": code})).await;
    let (first, access) = (told.text("inappToken"), told.text("accessToken"));
    let second = strict(&world, "/oauth2/authorize", "", &json!({"accessToken": access})).await.text("inappToken");
    assert_ne!(first, second);
    let user = json!({"userId": USER});
    for inapp in [&first, &second] {
        let given = strict(&world, "/oauth2/onetime/generate", &format!("&inappToken={inapp}"), &user).await;
        assert_eq!(given.status, 200, "the previous one stays valid");
    }
    world.operator(json!({"action": "know", "account": "ctrader/strict", "userId": 2})).await;
    for (query, body, row) in [
        (String::new(), user.clone(), DENIED),
        ("&inappToken=".to_owned(), user.clone(), DENIED),
        (format!("&inappToken={NEVER}"), user.clone(), DENIED),
        (format!("&inappToken={first}"), json!({"userId": 2}), DENIED),
        ("&inappToken=short".to_owned(), user.clone(), MALFORMED),
        (format!("&inappToken={first}&inappToken={first}"), user.clone(), MISSING),
    ] {
        let answer = strict(&world, "/oauth2/onetime/generate", &query, &body).await;
        assert_eq!((answer.row(), answer.body.get("token")), (row, None), "{query}");
    }
    world.clock.advance(Duration::from_secs(86_400));
    let late = strict(&world, "/oauth2/onetime/generate", &format!("&inappToken={first}"), &user).await;
    assert_eq!(late.row(), EXPIRED);
    let crm = format!("crmApiToken={}", world.crm_token().await);
    let given = world.ask("/oauth2/onetime/generate", &format!("{crm}&inappToken=anything"), &user).await;
    assert_eq!(given.status, 200, "switched off, it is not read");
}

#[tokio::test]
async fn disagreement_07_one_time_token_lives_as_long_as_configured() {
    let world = World::new().await;
    let told = json!({"action": "login", "account": "ctrader/strict", "userId": USER});
    assert_eq!(world.operator(told.clone()).await["expiresIn"], 30);
    let code = world.operator(told).await["token"].clone();
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(strict(&world, "/oauth2/onetime/authorize", "", &json!({"code": code})).await.row(), EXPIRED);
}

#[tokio::test]
async fn disagreement_08_and_09_refusal_is_403_with_a_body() {
    let world = World::new().await;
    let refused = world.ask("/oauth2/crmApiToken", "", &json!({"password": "wrongwrong"})).await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.body,
        json!({"error": "Forbidden", "message": "password is not accepted", "code": "CH_CLIENT_AUTH_FAILURE"})
    );
    assert_eq!(refused.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn disagreement_10_expectation_failed_is_for_the_format_only() {
    let world = World::new().await;
    let crm = format!("crmApiToken={}", world.crm_token().await);
    assert_eq!(world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": "x"})).await.row(), MALFORMED);
    assert_eq!(world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": NEVER})).await.row(), UNKNOWN);
}

#[tokio::test]
async fn calls_from_elsewhere_are_refused_before_anything_else() {
    let world = World::new().await;
    for source in [Some("198.51.100.1"), Some("nonsense"), None] {
        let mut request = post(STRICT_HOST, "/cid/oauth2/crmApiToken", "", &json!({"password": PASSWORD}));
        request.source_ip = source.map(str::to_owned);
        assert_eq!(world.call(request).await.row(), DENIED, "{source:?}");
    }
}

#[tokio::test]
async fn endpoints_are_those_of_brands_with_sso_alone() {
    let world = World::new().await;
    for host in [HANDOFF_HOST, "nobody.example"] {
        let answer = world.call(post(host, "/oauth2/crmApiToken", "", &json!({"password": PASSWORD}))).await;
        assert_eq!(answer.row(), UNKNOWN, "{host}");
    }
}

#[tokio::test]
async fn disabled_broker_is_told_so_to_whoever_is_authenticated() {
    let world = World::with(testkit::ScriptedSender::new(), &json!({"disabled": true})).await;
    let refused = world.ask("/oauth2/crmApiToken", "", &json!({"password": PASSWORD})).await;
    assert_eq!(refused.row(), (403, "CH_INSUFFICIENT_PERMISSIONS"));
    assert_eq!(world.ask("/oauth2/crmApiToken", "", &json!({"password": "wrongwrong"})).await.row(), DENIED);
}

#[tokio::test]
async fn logout_ends_everything_the_user_was_given() {
    let world = World::new().await;
    let crm = format!("crmApiToken={}", world.crm_token().await);
    let mut access = Vec::new();
    for _ in 0..2 {
        let code = login(&world, "ctrader/broker").await;
        access.push(world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": code})).await.text("accessToken"));
    }
    let page = |token: &str| json!({"token": token, "nonce": "n".repeat(22), "screen": "chat"});
    let session = world.open(HOST, &page(&world.one_time().await)).await.text("session");
    let (screen, backend, login) = (world.one_time().await, world.one_time().await, login(&world, "ctrader/broker").await);
    world.clock.advance(Duration::from_secs(1));
    let left = world.ask("/oauth2/logout", &format!("{crm}&userId=31550462&accessToken={}", access[0]), &Value::Null).await;
    assert_eq!((left.status, left.body), (200, Value::Null));
    let visit = ctrader_functions::visit(&world.ctx, &crate::world::request(HOST, Some(&session))).await;
    assert!(matches!(visit, Err(ctrader_functions::Problem::Refused(ctrader_functions::Code::SessionExpired, _))));
    assert_eq!(world.open(HOST, &page(&screen)).await.row(), (401, "token_invalid"));
    for code in [backend, login] {
        assert_eq!(world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": code})).await.row(), UNKNOWN);
    }
    let row = async |token: &str| world.ask("/oauth2/authorize", &crm, &json!({"accessToken": token})).await.status;
    assert_eq!((row(&access[0]).await, row(&access[1]).await), (404, 200), "the other one stays");
    let again = world.ask("/oauth2/logout", &format!("{crm}&userId=31550462&accessToken={}", access[0]), &Value::Null).await;
    assert_eq!(again.status, 200);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.ask("/oauth2/logout", &format!("{crm}&userId=31550462"), &Value::Null).await.status, 200);
    assert_eq!(row(&access[1]).await, 404, "without one, all of them");
    for unknown in ["userId=9", "userId=9&accessToken=never", "userId=31550462&accessToken=k7Qd3mZtX0vRb1sYpLwA00"] {
        assert_eq!(world.ask("/oauth2/logout", &format!("{crm}&{unknown}"), &Value::Null).await.status, 200, "{unknown}");
    }
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.open(HOST, &page(&world.one_time().await)).await.status, 200, "the user may come again");
}

#[tokio::test]
async fn logout_does_not_revoke_another_user_s_token() {
    let world = World::new().await;
    let crm = format!("crmApiToken={}", world.crm_token().await);
    world.operator(json!({"action": "know", "account": "ctrader/broker", "userId": 2})).await;
    let code = login(&world, "ctrader/broker").await;
    let access = world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": code})).await.text("accessToken");
    world.ask("/oauth2/logout", &format!("{crm}&userId=2&accessToken={access}"), &Value::Null).await;
    assert_eq!(world.ask("/oauth2/authorize", &crm, &json!({"accessToken": access})).await.status, 200);
}

#[tokio::test]
async fn no_token_is_stored_and_no_error_repeats_one() {
    let world = World::new().await;
    let crm = world.crm_token().await;
    let query = format!("crmApiToken={crm}");
    let code = login(&world, "ctrader/broker").await;
    let access = world.ask("/oauth2/onetime/authorize", &query, &json!({"code": code})).await.text("accessToken");
    let strict_code = login(&world, "ctrader/strict").await;
    let inapp = strict(&world, "/oauth2/onetime/authorize", "", &json!({"code": strict_code})).await.text("inappToken");
    let token = world.one_time().await;
    let stored = format!("{:?}", world.records.peek());
    for secret in [&crm, &code, &access, &inapp, &token] {
        assert!(!stored.contains(secret.as_str()));
    }
    world.clock.advance(Duration::from_secs(31 * 86_400));
    let query = format!("crmApiToken={}", world.crm_token().await);
    for (path, body) in [
        ("/oauth2/onetime/authorize", json!({"code": token})),
        ("/oauth2/authorize", json!({"accessToken": access})),
        ("/oauth2/onetime/generate", json!({"userId": 77_777})),
    ] {
        let refused = world.ask(path, &query, &body).await;
        let members: Vec<_> = refused.body.as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, ["code", "error", "message"], "{path}");
        let text = refused.body.to_string();
        assert!(!text.contains(&token) && !text.contains(&access) && !text.contains("77777"), "{text}");
    }
}

#[tokio::test]
async fn each_call_costs_what_is_said() {
    let world = World::new().await;
    let crm = format!("crmApiToken={}", world.crm_token().await);
    assert_eq!(world.records.operations().len(), 4, "those of the two users who are known");
    world.crm_token().await;
    assert!(world.records.operations().is_empty());
    let code = login(&world, "ctrader/broker").await;
    world.records.operations();
    world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": code})).await;
    assert_eq!(world.records.operations(), ["record", "record", "keep_records"]);
    world.one_time().await;
    assert_eq!(world.records.operations(), ["record", "keep_records"]);
}

#[tokio::test]
async fn store_that_is_down_is_503_and_spends_nothing() {
    let world = World::new().await;
    let crm = format!("crmApiToken={}", world.crm_token().await);
    let code = login(&world, "ctrader/broker").await;
    world.records.faults().next(1, testkit::Fault::Refused);
    let down = world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": code})).await;
    assert_eq!((down.row(), down.headers.contains_key("retry-after")), ((503, "UNKNOWN_ERROR"), true));
    assert_eq!(world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": code})).await.status, 200);
}
