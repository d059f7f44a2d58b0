//! `GET /vcita/{app}/connect`: staff connect their business.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use model::{AccountId, InstallPhase, Installed, RemoteStatus};
use platform_vcita::Seals;
use ports::{DirectoryStore as _, Installs as _, Saved};
use serde_json::{Value, json};
use testkit::fixtures::{NOW, desk_account_id};
use testkit::{Fault, ScriptedSender, events};
use wire::CallFailure;

use crate::world::{CHANNEL_UPDATED, CONNECT, Page, SECRET, World};

const BUSINESS: &str = "q7x2m9d4k1v8b3zt";
const OTHER: &str = "b0therb0therb0th";
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const MADE: &str = "c0ffee00-0000-4000-8000-000000000001";

pub(crate) fn settings(more: &Value) -> Value {
    let mut settings = json!({
        "business_uid": BUSINESS,
        "redirect_uri": "https://chat.example/vcita/demo/connect",
        "brand_hosts": ["clients.salon.example"],
        "scopes": ["openid"],
    });
    for (name, value) in more.as_object().unwrap() {
        settings[name] = value.clone();
    }
    settings
}

pub(crate) async fn world() -> World {
    world_with(&[("vcita/demo", settings(&json!({})))]).await
}

pub(crate) async fn world_with(accounts: &[(&str, Value)]) -> World {
    let world = World::before_init();
    let secrets = json!({
        "url_secrets": [SECRET], "client_id": "demo-client", "client_secret": "hush", "token_keys": [KEY],
        "app_id": "1", "app_code_name": "deskbridge"
    });
    world.secrets.set(&desk_account_id(), secrets);
    world.configure(accounts).await;
    world
}

/// The query of an address.
fn query(page: &Page) -> Vec<(String, String)> {
    let url: url::Url = page.headers["location"].as_str().unwrap().parse().unwrap();
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn state_of(page: &Page) -> String {
    query(page).into_iter().find(|(name, _)| name == "state").unwrap().1
}

fn cookie_of(page: &Page) -> String {
    page.cookies[0].as_str().unwrap().split(';').next().unwrap().to_owned()
}

impl World {
    pub(crate) async fn land(&self) -> Page {
        let page = self.visit(events::event(CONNECT, "ok")).await;
        assert_eq!(page.status, 302, "{}", page.html);
        page
    }

    async fn back(&self, query: &str, cookie: Option<&str>) -> Page {
        let mut event: Value = events::event(CONNECT, "ok");
        event["rawQueryString"] = json!(query);
        if let Some(cookie) = cookie {
            event["cookies"] = json!([cookie]);
        }
        self.visit(event).await
    }

    /// Comes back with a code, as vcita sends the browser.
    pub(crate) async fn back_from(&self, landing: &Page) -> Page {
        self.back(&format!("code=c0de&state={}", state_of(landing)), Some(&cookie_of(landing))).await
    }

    /// vcita gives tokens for this business, named in the `id_token`.
    pub(crate) fn grants_for(&self, business: &str) {
        let claims = json!({"business_id": business}).to_string();
        let claims = base64(&claims);
        self.sender.answer(
            200,
            &json!({
                "access_token": "t0ken", "token_type": "Bearer", "expires_in": 631_139_040, "created_at": 1_767_225_600,
                "id_token": format!("e30.{claims}.c2ln")
            }),
        );
    }

    pub(crate) fn makes(&self, uid: &str) {
        self.sender.answer(201, &json!({"success": true, "data": {"channel": {"uid": uid, "status": "pending"}}}));
    }

    pub(crate) async fn installed(&self, id: &str) -> Option<(Option<String>, InstallPhase)> {
        let id: AccountId = id.parse().unwrap();
        let directory = self.store.directory().await.unwrap();
        directory.accounts[&id].installed.clone().map(|installed| (installed.id, installed.phase))
    }

    pub(crate) async fn channel_status(&self, uid: &str) -> Option<RemoteStatus> {
        self.store.installation(&desk_account_id(), uid, self.clock_now()).await.unwrap()
    }

    pub(crate) fn clock_now(&self) -> model::EpochMillis {
        use ports::Clock as _;
        self.clock.now()
    }
}

fn base64(text: &str) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            out.push(char::from(digits[(bits >> (18 - 6 * place) & 63) as usize]));
        }
    }
    out
}

#[tokio::test]
async fn landing_sends_staff_to_the_authorization_page_with_a_state_bound_to_the_browser() {
    let world = world().await;
    let page = world.land().await;
    let location = page.headers["location"].as_str().unwrap();
    assert!(
        location.starts_with("https://app.vcita.com/app/oauth/authorize?response_type=code&client_id=demo-client"),
        "{location}"
    );
    let query = query(&page);
    let value = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(value("redirect_uri"), Some("https://chat.example/vcita/demo/connect"));
    assert_eq!((value("code_challenge_method"), value("scope")), (Some("S256"), Some("openid")));
    // The state is drawn second and third, the verifier fourth and fifth; the challenge is its SHA-256.
    assert_eq!(value("state"), Some("0000000000000000000000000000000200000000000000000000000000000003"));
    assert_eq!(value("code_challenge"), Some("O-mO81U8XhoZoUC2nCQqGAewZEgDySCiCcRsFHCoUEw"));
    assert_eq!(
        page.cookies,
        json!(["__Host-deskbridge-vcita=00000000000000000000000000000001; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax"])
    );
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    assert!(world.sender.calls().is_empty());
}

#[tokio::test]
async fn brand_host_counts_only_if_it_is_allowed() {
    let world = world().await;
    let allowed = world.visit(events::event(CONNECT, "brand_host")).await;
    assert!(allowed.headers["location"].as_str().unwrap().starts_with("https://clients.salon.example/app/oauth/authorize?"));
    let unknown = world.visit(events::event(CONNECT, "brand_host_unknown")).await;
    assert!(unknown.headers["location"].as_str().unwrap().starts_with("https://app.vcita.com/app/oauth/authorize?"));
}

#[tokio::test]
async fn business_connects_gets_a_channel_and_its_tokens_are_sealed() {
    let world = world().await;
    let landing = world.land().await;
    world.grants_for(BUSINESS);
    world.makes(MADE);
    let page = world.back_from(&landing).await;
    assert_eq!(page.status, 200, "{}", page.html);
    assert!(page.html.contains("waiting for activation"), "{}", page.html);
    assert_eq!(world.sender.lines(), ["POST /oauth/token", "POST /business/communication/channels"]);
    let calls = world.sender.calls();
    let asked: Value = serde_json::from_slice(&calls[0].body).unwrap();
    assert_eq!(
        asked,
        json!({
            "grant_type": "authorization_code", "code": "c0de", "client_id": "demo-client", "client_secret": "hush",
            "redirect_uri": "https://chat.example/vcita/demo/connect",
            "code_verifier": "0000000000000000000000000000000400000000000000000000000000000005"
        })
    );
    assert_eq!(calls[1].headers["authorization"], "Bearer t0ken");
    let made: Value = serde_json::from_slice(&calls[1].body).unwrap();
    assert_eq!(made, json!({"business_uid": BUSINESS, "type": "transactional"}));
    assert_eq!(world.installed("vcita/demo").await, Some((Some(MADE.to_owned()), InstallPhase::Pending)));
    assert_eq!(world.channel_status(MADE).await, Some(RemoteStatus::Pending));
    let grants = world.grants.peek();
    let (name, held) = grants.first_key_value().filter(|_| grants.len() == 1).unwrap();
    let sealed = held.grant.sealed.as_deref().unwrap();
    assert!(!sealed.contains("t0ken"));
    assert_eq!(Seals::new(&[KEY]).unwrap().open(name, sealed).unwrap().access, "t0ken");
}

#[tokio::test]
async fn state_counts_once_in_ten_minutes_and_in_its_browser_only() {
    let world = world().await;
    let landing = world.land().await;
    let back = format!("code=c0de&state={}", state_of(&landing));
    let other = "__Host-deskbridge-vcita=ffffffffffffffffffffffffffffffff";
    for cookie in [None, Some(other), Some("__Host-deskbridge-vcita=short")] {
        let page = world.back(&back, cookie).await;
        assert_eq!((page.status, page.html.contains("another browser")), (400, true), "{cookie:?}");
    }
    for case in ["state_missing", "state_unknown"] {
        let page = world.visit(events::event(CONNECT, case)).await;
        assert_eq!((page.status, page.html.contains("does not count")), (400, true), "{case}");
    }
    // None of these has used it up.
    world.sender.answer(400, &json!({"error": "invalid_grant", "error_description": "stale"}));
    assert_eq!(world.back_from(&landing).await.status, 502);
    let again = world.back_from(&landing).await;
    assert_eq!((again.status, again.html.contains("does not count")), (400, true));

    let late = world.land().await;
    world.clock.advance(Duration::from_secs(600));
    let page = world.back_from(&late).await;
    assert_eq!((page.status, page.html.contains("took too long")), (400, true));
    assert_eq!(world.sender.lines(), ["POST /oauth/token"]);
    assert!(world.grants.peek().is_empty());
}

#[tokio::test]
async fn permission_for_another_business_is_revoked_and_nothing_is_stored() {
    let world = world().await;
    let landing = world.land().await;
    world.grants_for(OTHER);
    world.sender.answer(201, &json!({"status": "OK", "data": {"revoked_tokens": ["t0ken"]}}));
    let page = world.back_from(&landing).await;
    assert_eq!((page.status, page.html.contains("another business")), (409, true), "{}", page.html);
    assert_eq!(world.sender.lines(), ["POST /oauth/token", "POST /platform/v1/tokens/revoke"]);
    assert!(world.grants.peek().is_empty());
    assert_eq!(world.installed("vcita/demo").await, None);
}

#[tokio::test]
async fn without_an_id_token_userinfo_says_which_business_it_is() {
    let world = world().await;
    let landing = world.land().await;
    world.sender.answer(200, &json!({"access_token": "t0ken", "expires_in": 60, "created_at": "2026-01-01T00:00:00Z"}));
    world.sender.answer(200, &json!({"sub": "s", "business_uid": BUSINESS}));
    world.makes(MADE);
    assert_eq!(world.back_from(&landing).await.status, 200);
    let lines = ["POST /oauth/token", "GET /oauth/userinfo", "POST /business/communication/channels"];
    assert_eq!(world.sender.lines(), lines);
}

#[tokio::test]
async fn refused_visits_begin_and_spend_nothing() {
    let world = world().await;
    for (case, status) in [
        ("head", 200),
        ("prefetch", 503),
        ("wrong_method", 405),
        ("malformed", 400),
        ("business_missing", 400),
        ("business_unknown", 404),
        ("account_unknown", 404),
    ] {
        let page = world.visit(events::event(CONNECT, case)).await;
        assert_eq!((page.status, page.cookies.as_array().map(Vec::len)), (status, Some(0)), "{case}");
        assert_eq!(page.headers["cache-control"], "no-store", "{case}");
    }
    assert!(world.sender.calls().is_empty());
}

#[tokio::test]
async fn denied_permission_connects_nothing() {
    let world = world().await;
    let landing = world.land().await;
    let query = format!("error=access_denied&state={}", state_of(&landing));
    let page = world.back(&query, Some(&cookie_of(&landing))).await;
    assert_eq!(page.status, 403);
    assert!(page.html.contains(&format!("<a href=\"?business_uid={BUSINESS}\">")), "{}", page.html);
    assert!(world.sender.calls().is_empty());
}

#[tokio::test]
async fn repeated_onboarding_keeps_the_channel() {
    let world = world().await;
    for makes in [true, false] {
        let landing = world.land().await;
        world.grants_for(BUSINESS);
        if makes {
            world.makes(MADE);
        }
        assert_eq!(world.back_from(&landing).await.status, 200);
    }
    assert_eq!(world.sender.lines().iter().filter(|line| line.ends_with("/channels")).count(), 1);
}

#[tokio::test]
async fn channel_that_somebody_else_is_making_is_not_made_twice() {
    let world = world().await;
    let claim = Installed { id: None, phase: InstallPhase::Claimed, since: NOW };
    assert_eq!(world.store.replace_installed(&desk_account_id(), None, Some(&claim)).await.unwrap(), Saved::Yes);
    let landing = world.land().await;
    world.grants_for(BUSINESS);
    assert_eq!(world.back_from(&landing).await.status, 409);
    assert_eq!(world.sender.lines(), ["POST /oauth/token"]);
    assert_eq!(world.installed("vcita/demo").await, Some((None, InstallPhase::Claimed)));
}

#[tokio::test]
async fn channel_whose_answer_was_lost_is_not_made_again_at_once() {
    let world = world().await;
    let landing = world.land().await;
    world.grants_for(BUSINESS);
    world.sender.fail(CallFailure::NoAnswer);
    assert_eq!(world.back_from(&landing).await.status, 502);
    // The tokens are there, and so is the claim of the call that may have arrived.
    assert_eq!(world.grants.peek().len(), 1);
    assert_eq!(world.installed("vcita/demo").await, Some((None, InstallPhase::Claimed)));
    let landing = world.land().await;
    world.grants_for(BUSINESS);
    assert_eq!(world.back_from(&landing).await.status, 409);
    world.clock.advance(Duration::from_secs(60));
    let landing = world.land().await;
    world.grants_for(BUSINESS);
    world.makes(MADE);
    assert_eq!(world.back_from(&landing).await.status, 200);
}

#[tokio::test]
async fn refused_channel_can_be_tried_again_at_once() {
    let world = world().await;
    let landing = world.land().await;
    world.grants_for(BUSINESS);
    world.sender.answer(422, &json!({"success": false, "errors": [{"code": "invalid", "message": "no"}]}));
    assert_eq!(world.back_from(&landing).await.status, 502);
    assert_eq!(world.installed("vcita/demo").await, None);
}

#[tokio::test]
async fn status_that_outran_the_answer_is_applied() {
    let world = world().await;
    let landing = world.land().await;
    let mut event: Value = events::event(CHANNEL_UPDATED, "ok");
    event["rawPath"] = json!(format!("/vcita/demo/{SECRET}/channels/{MADE}"));
    event["body"] = json!(r#"{"status":"active"}"#);
    assert_eq!(world.send_event(CHANNEL_UPDATED, event).await.status, 204);
    world.grants_for(BUSINESS);
    world.makes(MADE);
    let page = world.back_from(&landing).await;
    assert!(page.html.contains("<h1>Connected</h1>"), "{}", page.html);
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(world.channel_status(MADE).await, Some(RemoteStatus::Active), "it does not expire any more");
}

#[tokio::test]
async fn accounts_of_one_app_are_connected_together_and_told_apart_by_channel() {
    let more = json!({"app": "demo", "business_uid": BUSINESS, "display_name": "Second chat"});
    let foreign = json!({"app": "demo", "business_uid": OTHER});
    let world = world_with(&[("vcita/demo", settings(&json!({}))), ("vcita/two", more), ("vcita/far", foreign)]).await;
    let landing = world.land().await;
    world.grants_for(BUSINESS);
    world.makes("channel-1");
    world.makes("channel-2");
    let page = world.back_from(&landing).await;
    assert!(page.html.contains("Second chat: connected."), "{}", page.html);
    assert_eq!(world.installed("vcita/demo").await.unwrap().0.as_deref(), Some("channel-1"));
    assert_eq!(world.installed("vcita/two").await.unwrap().0.as_deref(), Some("channel-2"));
    assert_eq!(world.installed("vcita/far").await, None);
    let mut event: Value = events::event(CHANNEL_UPDATED, "ok");
    event["rawPath"] = json!(format!("/vcita/demo/{SECRET}/channels/channel-2"));
    event["body"] = json!(r#"{"status":"active"}"#);
    assert_eq!(world.send_event(CHANNEL_UPDATED, event.clone()).await.status, 204);
    let two: AccountId = "vcita/two".parse().unwrap();
    assert_eq!(world.store.installation(&two, "channel-2", NOW).await.unwrap(), Some(RemoteStatus::Active));
    assert_eq!(world.channel_status("channel-1").await, Some(RemoteStatus::Pending));
    // The URL of another account than the app's is none.
    event["rawPath"] = json!(format!("/vcita/two/{SECRET}/channels/channel-2"));
    assert_eq!(world.send_event(CHANNEL_UPDATED, event).await.status, 404);
}

#[tokio::test]
async fn app_that_is_not_set_up_says_so() {
    let world = world_with(&[("vcita/demo", json!({"business_uid": BUSINESS}))]).await;
    let page = world.visit(events::event(CONNECT, "ok")).await;
    assert_eq!((page.status, page.html.contains("not set up")), (500, true));
}

#[tokio::test]
async fn webhooks_from_elsewhere_than_the_allowed_sources_find_nothing() {
    let world = world_with(&[("vcita/demo", settings(&json!({"sources": "198.51.100.0/24"})))]).await;
    assert_eq!(world.send(CHANNEL_UPDATED, "ok").await.status, 404);
    world.configure(&[("vcita/demo", settings(&json!({"sources": "203.0.113.7/32"})))]).await;
    world.clock.advance(Duration::from_secs(300));
    assert_eq!(world.send(CHANNEL_UPDATED, "ok").await.status, 204);
}

/// vcita that gives tokens and makes channels whenever it is asked: `channel-1`, `channel-2`, ...
fn willing() -> Arc<ScriptedSender> {
    let made = AtomicU32::new(0);
    let claims = base64(&json!({"business_id": BUSINESS}).to_string());
    Arc::new(ScriptedSender::responding(move |call| {
        Ok(match call.url.path() {
            "/oauth/token" => {
                let token = json!({"access_token": "t0ken", "expires_in": 60, "id_token": format!("e30.{claims}.c2ln")});
                ScriptedSender::json(200, &token)
            }
            "/business/communication/channels" => {
                let uid = format!("channel-{}", made.fetch_add(1, Ordering::SeqCst) + 1);
                ScriptedSender::json(201, &json!({"data": {"channel": {"uid": uid, "status": "pending"}}}))
            }
            other => panic!("{other} is not asked"),
        })
    }))
}

#[tokio::test]
async fn connection_that_dies_at_any_step_leaves_nothing_half_and_can_be_begun_again() {
    const BUSY: Option<u64> = Some(409);
    // Where it dies and how: before an operation, or after it. What a reload shows, what whoever begins again at once is told
    // before it works a minute later, and how many channels were made.
    let store = [
        ("consent", (200, None, 1), (400, None, 1)),
        ("directory", (400, None, 1), (400, None, 1)),
        ("claim", (400, None, 1), (400, BUSY, 1)),
        // The channel that nobody wrote down has to be deleted by hand: vcita lists none.
        ("channel", (400, BUSY, 2), (400, None, 1)),
        ("what was heard", (400, None, 1), (400, None, 1)),
        ("status", (400, None, 1), (400, None, 1)),
    ];
    let grants = [("look at the grant", (400, None, 1), (400, None, 1)), ("grant", (400, None, 1), (400, None, 1))];
    let in_store = store.into_iter().enumerate().map(|(step, row)| (true, step, row));
    let in_grants = grants.into_iter().enumerate().map(|(step, row)| (false, step, row));
    for (is_store, step, (name, before, after)) in in_store.chain(in_grants) {
        for (fault, (reload, busy, made)) in [(Fault::Refused, before), (Fault::AnswerLost, after)] {
            let mut world = world().await;
            world.sender = willing();
            let landing = world.land().await;
            let faults = if is_store { world.store.faults() } else { world.grants.faults() };
            faults.plan(std::iter::repeat_n(None, step).chain([Some(fault)]));
            let page = world.back_from(&landing).await;
            let why = format!("{name}, {fault:?}");
            assert_eq!((page.status, page.html.contains("does not work at the moment")), (503, true), "{why}");

            let again = world.back_from(&landing).await;
            assert_eq!(again.status, reload, "{why}: {}", again.html);
            assert_eq!(again.html.contains("does not count"), reload == 400, "{why}");
            if let Some(status) = busy {
                let landing = world.land().await;
                assert_eq!(world.back_from(&landing).await.status, status, "{why}");
                world.clock.advance(Duration::from_secs(60));
            }
            let landing = world.land().await;
            let page = world.back_from(&landing).await;
            assert_eq!(page.status, 200, "{why}: {}", page.html);

            let lines = world.sender.lines();
            assert_eq!(lines.iter().filter(|line| line.ends_with("/channels")).count(), made, "{why}");
            let channel = format!("channel-{made}");
            assert_eq!(world.installed("vcita/demo").await, Some((Some(channel.clone()), InstallPhase::Pending)), "{why}");
            assert_eq!(world.channel_status(&channel).await, Some(RemoteStatus::Pending), "{why}");
            let held: Vec<_> = world.grants.peek().into_values().map(|stored| stored.grant.sealed.is_some()).collect();
            assert_eq!(held, [true], "{why}");
        }
    }
    // That were all steps.
    for is_store in [true, false] {
        let mut world = world().await;
        world.sender = willing();
        let landing = world.land().await;
        let (faults, steps) = if is_store { (world.store.faults(), 6) } else { (world.grants.faults(), 2) };
        faults.plan(std::iter::repeat_n(None, steps).chain([Some(Fault::Refused)]));
        assert_eq!(world.back_from(&landing).await.status, 200);
    }
}

#[tokio::test]
async fn status_that_outran_a_worker_who_died_is_applied_by_whoever_begins_again() {
    let mine = json!({"app": "demo", "business_uid": BUSINESS});
    let app = settings(&json!({"business_uid": OTHER}));
    let mut world = world_with(&[("vcita/demo", app), ("vcita/two", mine)]).await;
    world.sender = willing();
    let mut event: Value = events::event(CHANNEL_UPDATED, "ok");
    event["rawPath"] = json!(format!("/vcita/demo/{SECRET}/channels/channel-1"));
    event["body"] = json!(r#"{"status":"active"}"#);
    assert_eq!(world.send_event(CHANNEL_UPDATED, event).await.status, 204);
    let landing = world.land().await;
    // It dies when the channel is written down and its status is not.
    world.store.faults().plan(std::iter::repeat_n(None, 4).chain([Some(Fault::Refused)]));
    assert_eq!(world.back_from(&landing).await.status, 503);
    assert_eq!(world.installed("vcita/two").await, Some((Some("channel-1".to_owned()), InstallPhase::Pending)));
    let landing = world.land().await;
    let page = world.back_from(&landing).await;
    assert!(page.html.contains("<h1>Connected</h1>"), "{}", page.html);
    let two: AccountId = "vcita/two".parse().unwrap();
    assert_eq!(world.store.installation(&two, "channel-1", NOW).await.unwrap(), Some(RemoteStatus::Active));
}

#[tokio::test]
async fn disagreement_14_code_is_exchanged_in_the_very_visit_that_brings_it_and_once() {
    let world = world().await;
    let landing = world.land().await;
    world.sender.fail(CallFailure::NoAnswer);
    let page = world.back_from(&landing).await;
    assert_eq!((page.status, page.html.contains("vcita did not answer as it should")), (502, true), "{}", page.html);
    assert!(page.html.contains(&format!("<a href=\"?business_uid={BUSINESS}\">")), "{}", page.html);
    let calls = world.sender.calls();
    assert_eq!(calls.len(), 1, "a code that may have been used is not tried again");
    assert_eq!(calls[0].url.path(), "/oauth/token", "nothing is asked before it");
    assert_eq!(calls[0].timeout, Duration::from_secs(8), "well within the 30 s of a code");
    assert!(world.grants.peek().is_empty());
    // Half a minute later the code is over, and so is the state it came with.
    world.clock.advance(Duration::from_secs(30));
    assert!(world.back_from(&landing).await.html.contains("does not count"));
    assert_eq!(world.sender.calls().len(), 1);
}
