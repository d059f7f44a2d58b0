//! Section 14: the checklist that follows from the vendor's conformance tests.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::world::{HOST, PASSWORD, USER, World, post};

async fn login(world: &World, stay: bool) -> String {
    let told = json!({"action": "login", "account": "ctrader/broker", "userId": USER, "stayLoggedIn": stay});
    world.operator(told).await["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn item_1_password_is_exchanged_for_a_token_and_a_wrong_one_is_not() {
    let world = World::new().await;
    let given = world.ask("/oauth2/crmApiToken", "", &json!({"password": PASSWORD})).await;
    assert_eq!(given.status, 200);
    assert!(given.text("crmApiToken").len() >= 43);
    let refused = world.ask("/oauth2/crmApiToken", "", &json!({"password": "t9#Mistral-Copper-22"})).await;
    assert_eq!(refused.row(), (403, "CH_CLIENT_AUTH_FAILURE"));
    assert!(refused.body.get("crmApiToken").is_none());
}

#[tokio::test]
async fn item_2_one_time_token_tells_the_user_and_a_wrong_one_nothing() {
    let world = World::new().await;
    let crm = format!("crmApiToken={}", world.crm_token().await);
    let code = login(&world, true).await;
    let told = world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": code})).await;
    assert_eq!((told.status, &told.body["userId"]), (200, &json!(31_550_462)));
    assert!(told.text("accessToken").len() >= 22);
    let code = login(&world, false).await;
    let told = world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": code})).await;
    assert_eq!((told.status, &told.body), (200, &json!({"userId": 31_550_462})));
    let refused = world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": "k7Qd3mZtX0vRb1sYpLwA00"})).await;
    assert_eq!(refused.row(), (404, "NOT_FOUND"));
    assert!(refused.body.get("userId").is_none() && refused.body.get("accessToken").is_none());
    let code = login(&world, true).await;
    let refused = world.ask("/oauth2/onetime/authorize", "crmApiToken=wrong", &json!({"code": code})).await;
    assert_eq!(refused.row(), (403, "CH_CLIENT_AUTH_FAILURE"));
}

#[tokio::test]
async fn item_3_long_term_token_tells_the_user_again_and_again() {
    let world = World::new().await;
    let crm = format!("crmApiToken={}", world.crm_token().await);
    let code = login(&world, true).await;
    let access = world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": code})).await.text("accessToken");
    for _ in 0..3 {
        let told = world.ask("/oauth2/authorize", &crm, &json!({"accessToken": access})).await;
        assert_eq!((told.status, &told.body), (200, &json!({"userId": 31_550_462})));
    }
    let refused = world.ask("/oauth2/authorize", &crm, &json!({"accessToken": "k7Qd3mZtX0vRb1sYpLwA00"})).await;
    assert_eq!((refused.row(), refused.body.get("userId")), ((404, "NOT_FOUND"), None));
    let refused = world.ask("/oauth2/authorize", "crmApiToken=wrong", &json!({"accessToken": access})).await;
    assert_eq!(refused.row(), (403, "CH_CLIENT_AUTH_FAILURE"));
}

#[tokio::test]
async fn item_4_token_for_a_screen_is_given_out_for_known_users_alone() {
    let world = World::new().await;
    let crm = format!("crmApiToken={}", world.crm_token().await);
    for user in [json!(USER), json!("31550462")] {
        let given = world.ask("/oauth2/onetime/generate", &crm, &json!({"userId": user})).await;
        assert_eq!(given.status, 200);
        let token = given.text("token");
        assert!((22..=64).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
    }
    let refused = world.ask("/oauth2/onetime/generate", &crm, &json!({"userId": 1})).await;
    assert_eq!((refused.row(), refused.body.get("token")), ((404, "NOT_FOUND"), None));
    let refused = world.ask("/oauth2/onetime/generate", "crmApiToken=wrong", &json!({"userId": USER})).await;
    assert_eq!(refused.row(), (403, "CH_CLIENT_AUTH_FAILURE"));
}

#[tokio::test]
async fn item_5_every_token_differs_and_is_dead_after_a_minute() {
    let world = World::new().await;
    let known = json!({"action": "know", "account": "ctrader/broker", "userId": 2});
    world.operator(known).await;
    let crm = format!("crmApiToken={}", world.crm_token().await);
    let mut tokens = Vec::new();
    for user in [USER, USER, 2] {
        tokens.push(world.ask("/oauth2/onetime/generate", &crm, &json!({"userId": user})).await.text("token"));
    }
    let different: std::collections::BTreeSet<_> = tokens.iter().collect();
    assert_eq!(different.len(), 3);
    world.clock.advance(Duration::from_millis(59_999));
    let told = world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": tokens[0]})).await;
    assert_eq!(told.status, 200);
    world.clock.advance(Duration::from_millis(1));
    let dead = world.ask("/oauth2/onetime/authorize", &crm, &json!({"code": tokens[1]})).await;
    assert_eq!(dead.row(), (410, "CID_TOKEN_EXPIRED"));
    assert_eq!(dead.body, json!({"error": "Gone", "message": "One-time token has expired", "code": "CID_TOKEN_EXPIRED"}));
    let opened = world.open(HOST, &json!({"token": tokens[2], "nonce": "n".repeat(22), "screen": "chat"})).await;
    assert_eq!(opened.row(), (401, "token_invalid"));
}

/// Item 6 is the gateway's: an HTTP API has no plain listener. What is ours of it: no call is answered with a redirect.
#[tokio::test]
async fn item_6_no_call_is_redirected() {
    let world = World::new().await;
    for path in
        ["/oauth2/crmApiToken", "/oauth2/onetime/authorize", "/oauth2/authorize", "/oauth2/onetime/generate", "/oauth2/logout"]
    {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::POST] {
            let mut request = post(HOST, path, "", &Value::Null);
            request.headers.insert("x-forwarded-proto", "http".parse().unwrap());
            request.method = method.clone();
            let answer = world.call(request).await;
            assert!(
                (400..500).contains(&answer.status) && !answer.headers.contains_key("location"),
                "{method} {path}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn item_7_screens_take_every_language_and_theme_together() {
    let world = World::new().await;
    for (lang, theme, spoken, look) in [
        ("xx", "dark", "en", json!("dark")),
        ("de", "light", "de", json!("light")),
        ("AR", "DARK", "ar", json!("dark")),
        ("pt-BR", "blue", "pt", json!(null)),
    ] {
        let token = world.one_time().await;
        let params = json!({"lang": lang, "theme": theme});
        let opened =
            world.open(HOST, &json!({"token": token, "nonce": "n".repeat(22), "screen": "chat", "params": params})).await;
        assert_eq!((opened.status, &opened.body["lang"]), (200, &json!(spoken)), "{lang}");
        assert_eq!(opened.body["context"]["params"]["theme"], look, "{theme}");
    }
}

#[tokio::test]
async fn item_8_screen_is_told_where_the_app_closes_it() {
    let world = World::new().await;
    let token = world.one_time().await;
    let opened = world.open(HOST, &json!({"token": token, "nonce": "n".repeat(22), "screen": "chat"})).await;
    assert_eq!(opened.body["successUrl"], "https://inapp.broker.example/callback/success");
    assert_eq!(opened.body["closeUrl"], "https://inapp.broker.example/callback/success?result=cancelled");
    assert_eq!(opened.body["resultOnClose"], false);
}
