//! `operator-vcita`.

use std::sync::Arc;

use app::AppError;
use lambda::Roster;
use model::{AccountId, InstallPhase, Installed, Platform, RemoteStatus};
use operator_functions::vcita::{VcitaCtx, handle};
use ports::{DirectoryStore as _, Grant, Grants as _, InstallationStore as _, Installs as _, Saved};
use serde_json::{Value, json};
use testkit::fixtures::{NOW, desk_account_id};
use testkit::{FixedDice, InMemoryGrants, InMemorySecrets, InMemoryStore, ManualClock, ScriptedSender, events};
use wire::CallFailure;

use crate::world::code;

/// The channel of the events.
const CHANNEL: &str = "0d6a6c58-2d1e-4f53-9a5b-6f2a6f5b1c77";
const BASE: &str = "https://d3m0ap1234.execute-api.eu-central-1.amazonaws.com";

struct Vcita {
    store: Arc<InMemoryStore>,
    secrets: Arc<InMemorySecrets>,
    sender: Arc<ScriptedSender>,
    grants: Arc<InMemoryGrants>,
    ctx: VcitaCtx,
}

impl Vcita {
    /// The demo account is configured and has the secrets that `register` prints.
    fn new() -> Self {
        let world = Self::unregistered();
        world.secrets.set(
            &desk_account_id(),
            json!({
                "url_secrets": ["7a1e0c94d25b4f63b8e95d107c3fa286", "0123456789abcdef0123456789abcdef"],
                "client_id": "demo-client", "client_secret": "hush", "app_id": "1", "app_code_name": "deskbridge"
            }),
        );
        world
    }

    /// It has no secrets.
    fn unregistered() -> Self {
        let clock = Arc::new(ManualClock::new());
        let store = Arc::new(InMemoryStore::with_directory(&events::configured()));
        let secrets = Arc::new(InMemorySecrets::new());
        let roster = Arc::new(Roster::new(store.clone(), secrets.clone(), clock.clone(), vec![Platform::Vcita]));
        let (sender, grants) = (Arc::new(ScriptedSender::new()), Arc::new(InMemoryGrants::default()));
        let ctx = VcitaCtx {
            roster,
            store: store.clone(),
            grants: grants.clone(),
            sender: sender.clone(),
            clock,
            dice: Arc::new(FixedDice::new(0)),
        };
        Self { store, secrets, sender, grants, ctx }
    }

    async fn invoke(&self, case: &str) -> Value {
        self.invoke_with(events::event("operator-vcita", case)).await
    }

    async fn invoke_with(&self, event: Value) -> Value {
        handle(self.ctx.clone(), event).await.unwrap()
    }

    /// Asserts that this is refused, with nothing called and nothing stored.
    async fn refuses(&self, event: Value, code: &str, message: &str) {
        let answer = self.invoke_with(event.clone()).await;
        assert_eq!((&answer["error"]["code"], &answer["error"]["message"]), (&json!(code), &json!(message)), "{event}");
        assert!(self.sender.calls().is_empty(), "{event}");
        assert_eq!(self.store.counts().writes, 0, "{event}");
    }

    /// Path, bearer and body of the calls so far.
    fn calls(&self) -> Vec<(String, Option<String>, Value)> {
        let calls = self.sender.calls().into_iter();
        calls
            .map(|call| {
                let bearer = call.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
                let body = serde_json::from_slice(&call.body).unwrap();
                (call.url.path().to_owned(), bearer, body)
            })
            .collect()
    }
}

fn changed(case: &str, member: &str, value: Value) -> Value {
    let mut event: Value = events::event("operator-vcita", case);
    event[member] = value;
    event
}

fn bearer(token: &str) -> Option<String> {
    Some(format!("Bearer {token}"))
}

const ACTIONS: &str = "not an action with its members: register, assign, install, subscribe, unsubscribe, status, disconnect";

#[tokio::test]
async fn registered_app_is_told_once_with_all_that_has_to_be_kept() {
    let vcita = Vcita::unregistered();
    let data = json!({"app_id": 77, "app_code_name": "demochat", "client_id": "c-1", "client_secret": "top-secret", "name": "x"});
    vcita.sender.answer(201, &json!({"status": "OK", "data": data}));
    let answer = vcita.invoke("register").await;
    assert_eq!(
        answer,
        json!({
            "registered": "vcita/demo",
            "redirect_uri": format!("{BASE}/vcita/demo/connect"),
            "api_uri": format!("{BASE}/vcita/demo/00000000000000000000000000000001"),
            "parameter": "vcita/demo",
            "secrets": {
                "url_secrets": ["00000000000000000000000000000001"], "client_id": "c-1", "client_secret": "top-secret",
                "token_keys": ["0000000000000000000000000000000200000000000000000000000000000003"],
                "app_id": "77", "app_code_name": "demochat"
            },
            "settings": {
                "business_uid": "the business", "redirect_uri": format!("{BASE}/vcita/demo/connect"), "token_source": "oauth"
            }
        })
    );
    assert_eq!(answer.to_string().matches("top-secret").count(), 1);
    let form = json!({
        "name": "Demo chat", "app_type": ["communication"], "redirect_uri": format!("{BASE}/vcita/demo/connect"),
        "api_uri": format!("{BASE}/vcita/demo/00000000000000000000000000000001"), "trusted": true, "app_code_name": "demochat",
        "url_params": ["business_uid", "staff_role", "staff_uid", "brand_host"], "open_channel": false
    });
    assert_eq!(vcita.calls(), [("/platform/v1/apps".to_owned(), bearer("invented-directory-token"), form)]);
    assert_eq!(vcita.store.counts().writes, 0, "it is kept nowhere");
    // What it prints is what the secrets are read from, and nothing shows the secret again.
    vcita.secrets.set(&desk_account_id(), answer["secrets"].clone());
    let status = vcita.invoke("ok").await;
    assert_eq!(status["account"], "vcita/demo");
    for hidden in ["top-secret", "00000000000000000000000000000001"] {
        assert!(!status.to_string().contains(hidden), "{status}");
    }
}

#[tokio::test]
async fn slash_at_the_end_of_the_base_is_not_registered() {
    let vcita = Vcita::unregistered();
    vcita.sender.answer(201, &json!({"data": {"client_id": "c-1", "client_secret": "top-secret"}}));
    let answer = vcita.invoke_with(changed("register", "base", json!(format!("{BASE}/")))).await;
    let api_uri = format!("{BASE}/vcita/demo/00000000000000000000000000000001");
    assert_eq!(answer["api_uri"], api_uri);
    assert_eq!(vcita.calls()[0].2["api_uri"], api_uri);
}

#[tokio::test]
async fn input_that_is_no_action_is_refused_without_being_repeated() {
    let vcita = Vcita::new();
    for event in [
        events::event("operator-vcita", "malformed"),
        json!(null),
        json!({}),
        json!({"action": "erase", "account": "vcita/demo"}),
        json!({"action": "status"}),
        json!({"action": "status", "account": "pigeon/demo"}),
        changed("ok", "accounts", json!([])),
        changed("register", "directory_token", json!(["invented-directory-token"])),
        changed("register", "trusted", json!("true")),
        changed("subscribe", "events", json!("account/closed")),
        changed("unsubscribe", "previous", json!(1)),
    ] {
        vcita.refuses(event, "malformed", ACTIONS).await;
    }
}

#[tokio::test]
async fn app_that_could_not_be_used_is_not_registered() {
    let vcita = Vcita::unregistered();
    for (member, value, message) in [
        ("account", json!("frontstage/gw-mail"), "account is not one of vcita"),
        ("name", json!("ab"), "name must have 3 to 25 characters"),
        ("name", json!("twenty-six characters long"), "name must have 3 to 25 characters"),
        ("app_code_name", json!(""), "app_code_name must be letters and digits"),
        ("app_code_name", json!("demo-chat"), "app_code_name must be letters and digits"),
        ("base", json!("ftp://chat.example"), "vcita configuration: redirect_uri must be an https URL"),
        ("base", json!(""), "vcita configuration: redirect_uri is not a URL: relative URL without a base"),
        ("api_base", json!("api.vcita.biz"), "vcita configuration: api_base is not a URL: relative URL without a base"),
    ] {
        vcita.refuses(changed("register", member, value), "invalid", message).await;
    }
    let token = changed("register", "directory_token", json!("to\nken"));
    let answer = vcita.invoke_with(token).await;
    assert_eq!((code(&answer), &answer["error"]["message"]), ("refused", &json!("vcita: the token cannot stand in a header")));
    assert!(vcita.sender.calls().is_empty());
}

#[tokio::test]
async fn what_vcita_says_to_a_registration_is_told() {
    let vcita = Vcita::unregistered();
    vcita.sender.answer(401, &json!({"error": "Unauthorized"}));
    vcita.sender.answer(422, &json!({"status": "Error", "error": "app_code_name is taken"}));
    vcita.sender.fail(CallFailure::NoAnswer);
    vcita.sender.answer(201, &json!({"status": "OK", "data": {"client_id": "c-1"}}));
    for (word, message) in [
        ("refused", "vcita: HTTP 401"),
        ("refused", "vcita: HTTP 422: app_code_name is taken"),
        ("unanswered", "no answer in time; it may have been done"),
        ("unreadable", "vcita registered the app, but its answer holds no client_id and client_secret"),
    ] {
        let answer = vcita.invoke("register").await;
        assert_eq!(answer, json!({"error": {"code": word, "message": message}}));
    }
}

#[tokio::test]
async fn app_is_assigned_and_installed_with_the_directory_token() {
    let vcita = Vcita::new();
    for _call in 0..3 {
        vcita.sender.answer(201, &json!({"status": "OK", "data": {}}));
    }
    assert_eq!(vcita.invoke("assign").await, json!({"assigned": "demochat", "to": "q7x2m9d4k1v8b3zt"}));
    let mut event = changed("assign", "app_code_name", Value::Null);
    event["directory_uid"] = json!("d-1");
    event["assignment_mode"] = json!("pre_installed");
    assert_eq!(vcita.invoke_with(event).await["assigned"], "deskbridge", "the name that the secrets hold");
    assert_eq!(vcita.invoke("install").await, json!({"installed": "demochat", "for": "q7x2m9d4k1v8b3zt"}));
    let token = bearer("invented-directory-token");
    let assigned = |code: &str| json!({"assignee_type": "business", "assignee_uid": "q7x2m9d4k1v8b3zt", "app_code_name": code});
    let mut second = assigned("deskbridge");
    second["directory_uid"] = json!("d-1");
    second["settings"] = json!({"assignment_mode": "pre_installed"});
    assert_eq!(
        vcita.calls(),
        [
            ("/v3/apps/app_assignments".to_owned(), token.clone(), assigned("demochat")),
            ("/v3/apps/app_assignments".to_owned(), token.clone(), second),
            (
                "/v3/apps/business_app_installs".to_owned(),
                token,
                json!({"business_uid": "q7x2m9d4k1v8b3zt", "app_code_name": "demochat"})
            ),
        ]
    );
    vcita.sender.answer(422, &json!({"status": "Error", "message": "unknown business"}));
    let refused = json!({"error": {"code": "refused", "message": "vcita: HTTP 422: unknown business"}});
    assert_eq!(vcita.invoke("install").await, refused);
}

#[tokio::test]
async fn app_whose_secrets_or_name_are_missing_is_asked_for() {
    let bare = Vcita::unregistered();
    let vcita = Vcita::unregistered();
    vcita.secrets.set(&desk_account_id(), json!({"url_secrets": ["7a1e0c94d25b4f63b8e95d107c3fa286"], "token": "t"}));
    for case in ["assign", "install"] {
        let unnamed = changed(case, "app_code_name", Value::Null);
        vcita.refuses(unnamed, "invalid", "app_code_name is neither given nor among the app's secrets").await;
    }
    for case in ["assign", "install", "subscribe", "unsubscribe", "ok"] {
        bare.refuses(events::event("operator-vcita", case), "unknown", "vcita/demo is not configured, or has no secrets").await;
        let nobody = changed(case, "account", json!("vcita/nobody"));
        vcita.refuses(nobody, "unknown", "vcita/nobody is not configured, or has no secrets").await;
    }
}

fn app_token() -> Value {
    json!({"access_token": "app-t0ken", "token_type": "Bearer", "expires_in": 3600, "created_at": "2026-01-01T00:00:00Z"})
}

#[tokio::test]
async fn disagreement_21_installations_are_subscribed_to_with_the_apps_own_token() {
    let vcita = Vcita::new();
    vcita.sender.answer(200, &app_token());
    vcita.sender.answer(201, &json!({"status": "OK", "data": {"subscription_id": "s-1"}}));
    vcita.sender.answer(422, &json!({"success": false, "errors": [{"code": "invalid", "message": "Already exists"}]}));
    let answer = vcita.invoke("subscribe").await;
    let subscribed = json!([
        {"event": "application/installed", "is_new": true}, {"event": "application/uninstalled", "is_new": false}
    ]);
    assert_eq!(answer, json!({"subscribed": subscribed, "failed": []}));
    let target = format!("{BASE}/vcita/demo/7a1e0c94d25b4f63b8e95d107c3fa286/events");
    let path = "/platform/v1/webhook/subscribe".to_owned();
    assert_eq!(
        vcita.calls(),
        [
            ("/oauth/service/token".to_owned(), None, json!({"service_id": "demo-client", "service_secret": "hush"})),
            (path.clone(), bearer("app-t0ken"), json!({"event": "application/installed", "target_url": target})),
            (path, bearer("app-t0ken"), json!({"event": "application/uninstalled", "target_url": target})),
        ]
    );
}

#[tokio::test]
async fn what_a_directory_hears_of_is_subscribed_to_with_its_token() {
    let vcita = Vcita::new();
    vcita.sender.answer(201, &json!({}));
    vcita.sender.answer(500, &json!({"response": "Not Subscribed"}));
    vcita.sender.answer(403, &json!({}));
    let answer = vcita.invoke_with(changed("subscribe", "directory_token", json!("dir"))).await;
    assert_eq!(
        answer,
        json!({
            "subscribed": [{"event": "app_subscription/installed", "is_new": true}],
            "failed": [
                {"event": "app_subscription/uninstalled", "message": "vcita answered 500"},
                {"event": "account/closed", "message": "HTTP 403"}
            ]
        })
    );
    assert!(vcita.calls().iter().all(|(_, token, _)| *token == bearer("dir")));
}

#[tokio::test]
async fn subscriptions_of_a_path_secret_that_is_going_out_of_use_are_ended() {
    let vcita = Vcita::new();
    vcita.sender.answer(200, &app_token());
    vcita.sender.answer(201, &json!({}));
    vcita.sender.answer(404, &json!({}));
    let answer = vcita.invoke("unsubscribe").await;
    assert_eq!(
        answer,
        json!({
            "unsubscribed": [{"event": "application/installed"}],
            "failed": [{"event": "application/uninstalled", "message": "HTTP 404"}]
        })
    );
    let body = |event: &str, secret: &str| json!({"event": event, "target_url": format!("{BASE}/vcita/demo/{secret}/events")});
    let (current, previous) = ("7a1e0c94d25b4f63b8e95d107c3fa286", "0123456789abcdef0123456789abcdef");
    assert_eq!(vcita.calls()[1].2, body("application/installed", previous));
    vcita.sender.answer(201, &json!({}));
    let mut event = changed("unsubscribe", "previous", json!(false));
    event["events"] = json!(["account/closed"]);
    event["directory_token"] = json!("dir");
    assert_eq!(vcita.invoke_with(event).await, json!({"unsubscribed": [{"event": "account/closed"}], "failed": []}));
    let last = vcita.calls().pop().unwrap();
    assert_eq!(last, ("/platform/v1/webhook/unsubscribe".to_owned(), bearer("dir"), body("account/closed", current)));

    let vcita = Vcita::new();
    vcita.secrets.set(&desk_account_id(), json!({"url_secrets": [current], "token": "t"}));
    let none = "the app's secrets hold no previous one of url_secrets";
    vcita.refuses(events::event("operator-vcita", "unsubscribe"), "invalid", none).await;
}

#[tokio::test]
async fn token_that_cannot_be_had_subscribes_to_nothing() {
    let vcita = Vcita::new();
    vcita.sender.answer(401, &json!({"error": "invalid_client"}));
    assert_eq!(code(&vcita.invoke("subscribe").await), "refused");
    vcita.sender.answer(200, &json!({"token": "app-t0ken"}));
    let unreadable = json!({"error": {"code": "unreadable", "message": "vcita's token answer cannot be read"}});
    assert_eq!(vcita.invoke("subscribe").await, unreadable);
    assert_eq!(vcita.sender.lines(), ["POST /oauth/service/token", "POST /oauth/service/token"]);
}

#[tokio::test]
async fn status_tells_channel_activation_and_whether_tokens_are_held() {
    let vcita = Vcita::new();
    let told = |status: Option<&str>, activation: Value, grant: Value| {
        json!({
            "account": "vcita/demo", "app": "vcita/demo", "business_uid": "q7x2m9d4k1v8b3zt",
            "channel": {"uid": CHANNEL, "status": status}, "activation": activation, "grant": grant
        })
    };
    let none = json!({"kind": "business", "is_held": false, "expires_at": null, "refused": null});
    assert_eq!(vcita.invoke("ok").await, told(None, Value::Null, none));
    let installed = Installed { id: Some(CHANNEL.to_owned()), phase: InstallPhase::Live, since: NOW };
    assert_eq!(vcita.store.replace_installed(&desk_account_id(), None, Some(&installed)).await.unwrap(), Saved::Yes);
    vcita.store.note_installation(&desk_account_id(), CHANNEL, RemoteStatus::Active, NOW, None).await.unwrap();
    let api = "https://api.vcita.biz".parse().unwrap();
    let name = platform_vcita::grant_name(&api, "demo-client", Some("q7x2m9d4k1v8b3zt"));
    let grant = Grant { sealed: Some("sealed-t0ken".to_owned()), expires_at: Some(NOW), refused: None };
    assert_eq!(vcita.grants.keep_grant(&name, 0, &grant).await.unwrap(), Saved::Yes);
    let answer = vcita.invoke("ok").await;
    let held = json!({"kind": "business", "is_held": true, "expires_at": "2026-01-01T00:00:00.000Z", "refused": null});
    assert_eq!(answer, told(Some("active"), json!({"phase": "live", "since": "2026-01-01T00:00:00.000Z"}), held));
    assert!(!answer.to_string().contains("t0ken"));
    assert!(vcita.sender.calls().is_empty(), "nobody is asked");

    vcita.secrets.set(&desk_account_id(), json!({"url_secrets": ["7a1e0c94d25b4f63b8e95d107c3fa286"], "token": "fixed-t0ken"}));
    let answer = vcita.invoke("ok").await;
    assert_eq!(answer["grant"], json!({"kind": "token"}));
    assert!(!answer.to_string().contains("t0ken"));
}

#[tokio::test]
async fn disconnected_account_is_closing_and_a_second_time_changes_nothing() {
    let vcita = Vcita::new();
    assert_eq!(vcita.invoke("disconnect").await, json!({"disconnected": "vcita/demo", "is_new": true}));
    let id: AccountId = "vcita/demo".parse().unwrap();
    let found = vcita.store.directory().await.unwrap().accounts.remove(&id).unwrap().installed.unwrap();
    assert_eq!((found.id.as_deref(), found.phase), (Some(CHANNEL), InstallPhase::Closing));
    let status = vcita.store.installation(&id, CHANNEL, NOW).await.unwrap();
    assert_eq!(status, Some(RemoteStatus::Deleted), "nothing is sent any more");
    let before = vcita.store.counts().writes;
    assert_eq!(vcita.invoke("disconnect").await, json!({"disconnected": "vcita/demo", "is_new": false}));
    assert_eq!((vcita.store.counts().writes, vcita.sender.calls().len()), (before, 0));
    for account in ["vcita/nobody", "frontstage/gw-mail"] {
        let answer = vcita.invoke_with(changed("disconnect", "account", json!(account))).await;
        let message = format!("{account} is not a configured account of vcita");
        assert_eq!(answer, json!({"error": {"code": "unknown", "message": message}}));
    }
}

#[tokio::test]
async fn store_down_is_a_failed_invocation_and_calls_nobody() {
    for case in ["assign", "install", "subscribe", "unsubscribe", "ok", "disconnect"] {
        let vcita = Vcita::new();
        vcita.store.faults().plan([Some(testkit::Fault::Refused)]);
        let failed = handle(vcita.ctx.clone(), events::event("operator-vcita", case)).await;
        assert!(matches!(failed, Err(AppError::Unavailable(_))), "{case}: {failed:?}");
        assert!(vcita.sender.calls().is_empty(), "{case}");
    }
}
