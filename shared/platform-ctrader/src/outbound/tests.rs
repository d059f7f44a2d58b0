//! Which calls a result makes, and what their answers mean.

use bytes::Bytes;
use http::StatusCode;
use model::{Account, AccountId, Delivery, DeliveryKey, RemoteThread};
use serde_json::json;
use testkit::ScriptedSender;
use testkit::fixtures::{NOW, sample_conversation, sample_message};
use wire::HttpCall;

use super::*;

const RESULT: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

fn account() -> Account {
    Account {
        id: "ctrader/broker".parse::<AccountId>().unwrap(),
        tenant: "demo".parse().unwrap(),
        salt: "salt".to_owned(),
        settings: json!({
            "public_base_url": "https://inapp.broker.example", "success_url": "https://inapp.broker.example/callback/success",
            "identity": "sso", "broker_crm_name": "BrokerOne", "ctrader_base_url": "https://ct.example:8443", "manager_login": 12,
            "crm_webhook_url": "https://crm.broker.example/hooks/deskbridge?tenant=1",
            "actions": [{"type": "survey", "sinks": ["success_url", "crm_webhook", {"type": "ribbon", "show":
                {"color": "#1f6feb", "title": {"en": "Thank you", "de": "Danke"}, "url_in_app": "https://inapp.broker.example/inapp/chat"}}]}],
        }),
        installed: None,
    }
}

fn job(sinks: &str) -> Job {
    let conversation = sample_conversation(1);
    let mut message = sample_message(&conversation, 1);
    message.content.text = r#"{"answers":{"rating":{"stars":5}}}"#.to_owned();
    message.memo = [("user", "31550462"), ("lang", "de")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    message.details.plain = [("result", RESULT), ("action", "survey"), ("status", "success"), ("sinks", sinks)]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
    let account = account();
    let key = DeliveryKey { message: message.id, recipient: account.id.clone(), content: DeliveryContent::Message };
    let delivery = Delivery::queued(key, message.tenant.clone(), message.accepted_at);
    let secrets = json!({"webhook_secret": "contract-demo-secret-001", "manager_password": "Mistral-Copper-21"});
    Job { account, secrets, conversation, message, delivery, thread: None, installation: None }
}

/// Plays an attempt: the calls made, the notes taken, and how it ended.
fn play(ctrader: &Ctrader, job: Job, answers: &[(u16, Value)]) -> (Vec<HttpCall>, Vec<Memo>, Outcome) {
    let mut exchange = ctrader.exchange(job);
    let (mut calls, mut notes, mut input) = (Vec::new(), Vec::new(), Input::Start);
    let mut answers = answers.iter();
    loop {
        input = match exchange.resume(input, NOW) {
            Step::Call(call) => {
                calls.push(call);
                let (status, body) = answers.next().expect("a call that nobody expected");
                Input::Answered(Ok(ScriptedSender::json(*status, body)))
            }
            Step::Bind { id, status, memo } => {
                assert_eq!(id, RESULT);
                notes.push(memo);
                Input::Bound(status)
            }
            Step::Grant(_) => panic!("no grant is wanted"),
            Step::Finish(outcome) => {
                assert!(answers.next().is_none(), "an answer that nobody asked for");
                return (calls, notes, outcome);
            }
        };
    }
}

fn lines(calls: &[HttpCall]) -> Vec<String> {
    calls.iter().map(|call| format!("{} {}", call.method, call.url)).collect()
}

fn sent() -> Outcome {
    Outcome::Acknowledged { reference: Some(RESULT.to_owned()) }
}

const LOGIN: &str = "POST https://ct.example:8443/v2/webserv/managers/token";
const WEBHOOK: &str = "POST https://crm.broker.example/hooks/deskbridge?tenant=1";

fn ribbon_with(token: &str) -> String {
    format!("PUT https://ct.example:8443/cid/oauth2/ctid/inAppControls?token={token}")
}

#[test]
fn result_without_a_call_is_delivered_at_once() {
    for sinks in ["", "none", "success_url", "success_url,none"] {
        let (calls, notes, outcome) = play(&Ctrader::new(), job(sinks), &[]);
        assert_eq!((calls.len(), notes.len(), outcome), (0, 0, sent()), "{sinks}");
    }
}

#[test]
fn webhook_says_the_result_and_is_signed_over_time_and_body() {
    let (calls, notes, outcome) = play(&Ctrader::new(), job("success_url,crm_webhook"), &[(204, json!(null))]);
    assert_eq!((lines(&calls), notes, outcome), (vec![WEBHOOK.to_owned()], vec![], sent()));
    let call = &calls[0];
    let header = |name: &str| call.headers[name].to_str().unwrap().to_owned();
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["event"], "action.result");
    assert_eq!(
        (&body["resultId"], &body["brand"], &body["action"], &body["status"], &body["userId"], &body["result"]),
        (
            &json!(RESULT),
            &json!("ctrader/broker"),
            &json!("survey"),
            &json!("success"),
            &json!(31_550_462),
            &json!({"answers": {"rating": {"stars": 5}}})
        )
    );
    assert_eq!(header("idempotency-key"), RESULT);
    assert_eq!(header("x-deskbridge-timestamp"), NOW.seconds().to_string());
    assert!(header("x-deskbridge-signature").starts_with("v1=") && header("x-deskbridge-signature").len() == 67);
}

#[test]
fn calls_keep_the_path_of_the_backends_address() {
    let mut job = job("ribbon");
    job.account.settings["ctrader_base_url"] = json!("https://ct.example/proxy/");
    let (calls, _, outcome) = play(&Ctrader::new(), job, &[(200, json!({"webservToken": "9d3f61c4"})), (201, json!({}))]);
    let expected = [
        "POST https://ct.example/proxy/v2/webserv/managers/token",
        "PUT https://ct.example/proxy/cid/oauth2/ctid/inAppControls?token=9d3f61c4",
    ];
    assert_eq!((lines(&calls), outcome), (expected.map(str::to_owned).to_vec(), sent()));
}

#[test]
fn ribbon_asks_for_a_manager_token_once_per_process() {
    let ctrader = Ctrader::new();
    let token = json!({"webservToken": "9d3f61c4"});
    let (calls, _, outcome) = play(&ctrader, job("ribbon"), &[(200, token), (201, json!({}))]);
    assert_eq!((lines(&calls), outcome), (vec![LOGIN.to_owned(), ribbon_with("9d3f61c4")], sent()));
    // printf 'Mistral-Copper-21' | md5sum
    let login: Value = serde_json::from_slice(&calls[0].body).unwrap();
    assert_eq!(login, json!({"login": 12, "hashedPassword": "f3987f22bad8ca4277441e86ff2468a8"}));
    let shown: Value = serde_json::from_slice(&calls[1].body).unwrap();
    let ribbon = json!({"color": "#1f6feb", "title": "Danke", "enabled": true, "closable": true,
        "action": {"urlinApp": "https://inapp.broker.example/inapp/chat"}});
    assert_eq!(shown, json!({"brokerCrmName": "BrokerOne", "userId": 31_550_462, "rules": {"ribbons": [ribbon]}}));

    let (calls, _, outcome) = play(&ctrader, job("ribbon"), &[(201, json!({}))]);
    assert_eq!((lines(&calls), outcome), (vec![ribbon_with("9d3f61c4")], sent()));
}

#[test]
fn token_that_died_is_replaced_once() {
    let ctrader = Ctrader::new();
    let token = |token: &str| json!({"webservToken": token});
    play(&ctrader, job("ribbon"), &[(200, token("old")), (201, json!({}))]);
    for refusal in [401, 403] {
        let answers = [(refusal, json!({})), (200, token("new")), (201, json!({}))];
        let known = if refusal == 401 { "old" } else { "new" };
        let (calls, _, outcome) = play(&ctrader, job("ribbon"), &answers);
        assert_eq!((lines(&calls), outcome), (vec![ribbon_with(known), LOGIN.to_owned(), ribbon_with("new")], sent()));
    }
    let (_, _, outcome) = play(&ctrader, job("ribbon"), &[(403, json!({})), (200, token("newer")), (403, json!({}))]);
    let reason = "cTrader refuses the manager's token";
    assert_eq!(outcome, Outcome::Unauthorised { until: NOW.plus(LOOK_AGAIN), reason, is_news: true });
}

#[test]
fn sinks_are_called_in_order_and_one_that_was_reached_is_not_called_again() {
    let ctrader = Ctrader::new();
    let answers = [(200, json!({})), (200, json!({"webservToken": "t"})), (503, json!({}))];
    let (calls, notes, outcome) = play(&ctrader, job("crm_webhook,ribbon"), &answers);
    assert_eq!(lines(&calls), [WEBHOOK.to_owned(), LOGIN.to_owned(), ribbon_with("t")]);
    assert_eq!(outcome, Outcome::Unanswered { retry_after: None, reason: "answered 503".to_owned() });
    let done: Memo = [("crm_webhook".to_owned(), "done".to_owned())].into();
    assert_eq!(notes, std::slice::from_ref(&done));

    let mut again = job("crm_webhook,ribbon");
    again.thread =
        Some(RemoteThread { id: RESULT.to_owned(), status: RemoteStatus::Active, changed_at: NOW, memo: done.clone() });
    let (calls, _, outcome) = play(&ctrader, again, &[(201, json!({}))]);
    assert_eq!((lines(&calls), outcome), (vec![ribbon_with("t")], sent()));

    // The note of another result of the same person says nothing.
    let mut other = job("crm_webhook");
    other.thread = Some(RemoteThread { id: "another".to_owned(), status: RemoteStatus::Active, changed_at: NOW, memo: done });
    assert_eq!(lines(&play(&ctrader, other, &[(200, json!({}))]).0), [WEBHOOK]);
}

#[test]
fn refusal_is_final_for_its_sink_only_and_is_told() {
    let ctrader = Ctrader::new();
    let refused = Outcome::Rejected { detail: "crm_webhook: refused with 422".to_owned() };
    let answers = [(422, json!({})), (200, json!({"webservToken": "t"})), (503, json!({}))];
    let (calls, notes, _) = play(&ctrader, job("crm_webhook,ribbon"), &answers);
    assert_eq!(calls.len(), 3);
    let with = |memo: &Memo| {
        let mut job = job("crm_webhook,ribbon");
        let status = RemoteStatus::Active;
        job.thread = Some(RemoteThread { id: RESULT.to_owned(), status, changed_at: NOW, memo: memo.clone() });
        job
    };
    let (calls, notes, outcome) = play(&ctrader, with(&notes[0]), &[(201, json!({}))]);
    assert_eq!((lines(&calls), outcome), (vec![ribbon_with("t")], refused), "the refusal is not asked for again");
    // Put back, it is; and the ribbon is not shown twice.
    let (calls, _, outcome) = play(&ctrader, with(&notes[0]), &[(200, json!({}))]);
    assert_eq!((lines(&calls), outcome), (vec![WEBHOOK.to_owned()], sent()));
}

#[test]
fn answers_of_a_webhook() {
    let refused = |how: &str| Outcome::Rejected { detail: format!("crm_webhook: refused with {how}") };
    let again = |reason: &str| Outcome::Unanswered { retry_after: None, reason: reason.to_owned() };
    let put_off = |reason: &str| Outcome::PutOff { retry_after: None, reason: reason.to_owned() };
    for (status, body, outcome) in [
        (200, json!({}), sent()),
        (301, json!({}), refused("301")),
        (400, json!({}), refused("400")),
        (401, json!({}), refused("401 or 403")),
        (410, json!({}), refused("410")),
        (408, json!({}), again("answered 408")),
        (429, json!({}), put_off("answered 429")),
        (400, json!({"errorCode": "REQUEST_FREQUENCY_EXCEEDED"}), put_off("REQUEST_FREQUENCY_EXCEEDED")),
        (500, json!({}), again("answered 500")),
    ] {
        assert_eq!(play(&Ctrader::new(), job("crm_webhook"), &[(status, body)]).2, outcome, "{status}");
    }
    for (failure, outcome) in [
        (CallFailure::Unreachable, again("could not connect")),
        (CallFailure::NoAnswer, again("no answer in time")),
        (CallFailure::ForbiddenTarget, refused("no call: the target is not allowed")),
    ] {
        let mut exchange = Ctrader::new().exchange(job("crm_webhook"));
        assert!(matches!(exchange.resume(Input::Start, NOW), Step::Call(_)));
        let Step::Finish(end) = exchange.resume(Input::Answered(Err(failure)), NOW) else { panic!("it goes on") };
        assert_eq!(end, outcome);
    }
    let mut exchange = Ctrader::new().exchange(job("crm_webhook"));
    exchange.resume(Input::Start, NOW);
    let headers = [(http::header::RETRY_AFTER, http::HeaderValue::from_static("7"))].into_iter().collect();
    let answer = HttpAnswer { status: StatusCode::SERVICE_UNAVAILABLE, headers, body: Bytes::new() };
    let Step::Finish(end) = exchange.resume(Input::Answered(Ok(answer)), NOW) else { panic!("it goes on") };
    let retry_after = Some(Duration::from_secs(7));
    assert_eq!(end, Outcome::Unanswered { retry_after, reason: "answered 503".to_owned() });
}

#[test]
fn what_is_not_configured_waits_or_is_told() {
    let unauthorised = |reason| Outcome::Unauthorised { until: NOW.plus(LOOK_AGAIN), reason, is_news: true };
    let mut no_secret = job("crm_webhook,ribbon");
    no_secret.secrets = json!({});
    assert_eq!(play(&Ctrader::new(), no_secret, &[]).2, unauthorised("the secret webhook_secret is missing"));
    let mut no_url = job("crm_webhook");
    no_url.account.settings["crm_webhook_url"] = Value::Null;
    let told = Outcome::Rejected { detail: "crm_webhook: crm_webhook_url is not set".to_owned() };
    assert_eq!(play(&Ctrader::new(), no_url, &[]).2, told);
    let mut no_ribbon = job("ribbon");
    no_ribbon.account.settings["actions"] = json!([]);
    let told = Outcome::Rejected { detail: "ribbon: the action has no ribbon any more".to_owned() };
    assert_eq!(play(&Ctrader::new(), no_ribbon, &[]).2, told);
    let mut no_manager = job("ribbon");
    no_manager.account.settings["manager_login"] = Value::Null;
    assert_eq!(play(&Ctrader::new(), no_manager, &[]).2, unauthorised("manager_login is missing"));
}

#[test]
fn ribbon_without_show_clears() {
    let mut job = job("ribbon");
    job.account.settings["actions"][0]["sinks"] = json!(["ribbon"]);
    let (calls, _, _) = play(&Ctrader::new(), job, &[(200, json!({"webservToken": "t"})), (201, json!({}))]);
    let body: Value = serde_json::from_slice(&calls[1].body).unwrap();
    assert_eq!(body["rules"], json!({}));
}
