//! What is said to visitors, call by call, and how the token for it is come by.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use model::{Account, EpochMillis, RemoteThread};
use serde_json::{Value, json};
use testkit::fixtures::{NOW, desk_account_id, sample_account, sample_conversation, sample_delivery, sample_message};
use testkit::{InMemoryGrants, ScriptedSender};

use super::*;

const TALK: &str = "0d8a7b1c-3f52-4f0a-a1f4-6d1c9c1be0a7";
const SENT: &str = r#"{"data":{"chatbotMessageSend":{"userErrors":[]}}}"#;

fn job(text: &str) -> Job {
    let mut conversation = sample_conversation(1);
    TALK.clone_into(&mut conversation.visitor.address);
    let mut message = sample_message(&conversation, 1);
    message.memo = [(CHATBOT.to_owned(), "60012".to_owned())].into();
    text.clone_into(&mut message.content.text);
    let settings = json!({"website": "ha-4821", "api": {"base_url": "https://api.example/", "username": "bot@shop.example"}});
    let account = Account { settings, ..sample_account(&"iadvize/shop".parse().unwrap()) };
    let secrets = json!({"tokens": ["9f4c1d7e2ab85c3360d1f0e4b7a96c21"], "api_password": "s3cret word"});
    let delivery = sample_delivery(&message, &desk_account_id());
    Job { account, secrets, conversation, message, delivery, thread: None, installation: None }
}

/// What an attempt has done, and how it ended.
struct Ran {
    calls: Vec<HttpCall>,
    bound: Option<(String, Memo)>,
    outcome: Outcome,
}

fn run(iadvize: &Iadvize, job: Job, grants: &InMemoryGrants, answers: &[(u16, &str)], now: EpochMillis) -> Ran {
    let (mut calls, mut bound, mut answers) = (Vec::new(), None, answers.iter());
    let (mut exchange, mut input) = (iadvize.exchange(job), Input::Start);
    loop {
        match exchange.resume(input, now) {
            Step::Call(call) => {
                calls.push(call);
                let (status, body) = answers.next().expect("no call is made beyond those that are answered");
                let body: Value = serde_json::from_str(body).unwrap_or_default();
                input = Input::Answered(Ok(ScriptedSender::json(*status, &body)));
            }
            Step::Bind { id, memo, status } => {
                bound = Some((id, memo));
                input = Input::Bound(status);
            }
            Step::Grant(step) => input = Input::Grant(grants.see(step, now)),
            Step::Finish(outcome) => {
                assert!(answers.next().is_none(), "not all calls were made: {outcome:?}");
                return Ran { calls, bound, outcome };
            }
        }
    }
}

fn token(text: &str) -> (u16, String) {
    (200, json!({"access_token": text, "token_type": "Bearer", "expires_in": 86400}).to_string())
}

#[test]
fn message_is_the_documented_call_after_one_login() {
    let (iadvize, grants) = (Iadvize::new(), InMemoryGrants::new());
    let (status, login) = token("t-1");
    let job_ = job("Bonjour, je suis Jana.");
    let id = job_.message.id.to_string();
    let ran = run(&iadvize, job_, &grants, &[(status, &login), (200, SENT)], NOW);
    assert_eq!(ran.outcome, Outcome::Acknowledged { reference: None });
    let [login, send] = &ran.calls[..] else { panic!("{} calls", ran.calls.len()) };
    assert_eq!((login.method.as_str(), login.url.as_str()), ("POST", "https://api.example/oauth2/token"));
    assert_eq!(login.headers[CONTENT_TYPE], "application/x-www-form-urlencoded");
    assert_eq!(login.body, "username=bot%40shop.example&password=s3cret+word&grant_type=password");
    assert_eq!((send.method.as_str(), send.url.as_str()), ("POST", "https://api.example/graphql"));
    assert_eq!(send.headers[ACCEPT], "application/vnd.iadvize.automation-chatbot-conversation-preview+json");
    assert_eq!(send.headers[AUTHORIZATION], "Bearer t-1");
    assert!(send.headers[AUTHORIZATION].is_sensitive());
    let body: Value = serde_json::from_slice(&send.body).unwrap();
    let variables = json!({
        "conversationId": TALK, "chatbotId": 60012,
        "actionOrMessage": {"chatbotMessage": {"chatbotSimpleTextMessage": "Bonjour, je suis Jana."}},
    });
    assert_eq!(body["variables"], variables);
    let query = body["query"].as_str().unwrap();
    assert!(query.starts_with(&format!("# {id}\nmutation")) && query.contains("userErrors"));
    // The next one has the token, in this process and in another.
    for other in [&iadvize, &Iadvize::new()] {
        let ran = run(other, job("Encore."), &grants, &[(200, SENT)], NOW);
        assert_eq!(ran.calls[0].headers[AUTHORIZATION], "Bearer t-1");
    }
    // In its last minute there is another login.
    let late = NOW.plus(Duration::from_secs(86_400 - 60));
    let (status, login) = token("t-2");
    let ran = run(&Iadvize::new(), job("Encore."), &grants, &[(status, &login), (200, SENT)], late);
    assert_eq!(ran.calls[1].headers[AUTHORIZATION], "Bearer t-2");
}

#[test]
fn end_of_a_chat_is_told_in_the_site_s_words_and_closes_the_conversation() {
    let (iadvize, grants) = (Iadvize::new(), InMemoryGrants::new());
    let (status, login) = token("t-1");
    let ended = |settings: Value, lang: &str| {
        let mut job = job("The chat has ended.");
        job.message.memo.extend([(LANG, lang), (CHAT_NEWS, CHAT_ENDED)].map(|(name, value)| (name.to_owned(), value.to_owned())));
        job.account.settings["bot"] = json!({ "chat": settings });
        job
    };
    let done = |ran: &Ran| {
        let body: Value = serde_json::from_slice(&ran.calls.last().unwrap().body).unwrap();
        body["variables"]["actionOrMessage"].clone()
    };
    let gateway = "frontstage/gw-visitors";
    let words =
        json!({"gateway": gateway, "ended": {"fr": "La conversation est terminée.", "en": "This is the end."}, "close": true});
    let mut job_ = ended(words.clone(), "fr");
    let said = run(&iadvize, job_.clone(), &grants, &[(status, &login), (200, SENT)], NOW);
    assert_eq!(done(&said), json!({"chatbotMessage": {"chatbotSimpleTextMessage": "La conversation est terminée."}}));
    let (id, memo) = said.bound.unwrap();
    job_.thread = Some(RemoteThread { id, status: RemoteStatus::Active, changed_at: NOW, memo });
    let closed = run(&iadvize, job_, &grants, &[(200, SENT)], NOW);
    assert_eq!(
        (done(&closed), closed.outcome),
        (json!({"chatbotAction": {"closeMessage": {}}}), Outcome::Acknowledged { reference: None })
    );
    let other = run(&iadvize, ended(words, "de"), &grants, &[(200, SENT)], NOW);
    assert_eq!(done(&other), json!({"chatbotMessage": {"chatbotSimpleTextMessage": "This is the end."}}));
    let close_alone = run(&iadvize, ended(json!({"gateway": gateway, "close": true}), "fr"), &grants, &[(200, SENT)], NOW);
    assert_eq!(done(&close_alone), json!({"chatbotAction": {"closeMessage": {}}}));
    // A site that wants nothing said: the visitor's next words begin the scenario again.
    let nothing = run(&iadvize, ended(json!({"gateway": gateway}), "fr"), &grants, &[], NOW);
    assert_eq!((nothing.calls.len(), nothing.outcome), (0, Outcome::Acknowledged { reference: None }));
}

#[test]
fn standard_platform_is_named_in_the_address() {
    let mut job = job("Hi");
    job.account.settings["website"] = "sd-77".into();
    let (status, login) = token("t-1");
    let ran = run(&Iadvize::new(), job, &InMemoryGrants::new(), &[(status, &login), (200, SENT)], NOW);
    assert_eq!(ran.calls[1].url.as_str(), "https://api.example/graphql?platform=sd");
}

#[test]
fn long_message_goes_in_parts_with_a_pause_between_them() {
    let (iadvize, grants) = (Iadvize::new(), InMemoryGrants::new());
    let text = ["A".repeat(239), "B".repeat(239), "C".repeat(39)].map(|words| format!("{words}. ")).concat();
    let mut job = job(text.trim());
    let (status, login) = token("t-1");
    let sent = |ran: &Ran| {
        let body: Value = serde_json::from_slice(&ran.calls.last().unwrap().body).unwrap();
        body["variables"]["actionOrMessage"]["chatbotMessage"]["chatbotSimpleTextMessage"].as_str().unwrap().to_owned()
    };
    let bind = |ran: Ran| {
        let (id, memo) = ran.bound.unwrap();
        assert_eq!((id.as_str(), memo["parts"].len()), (TALK, 1));
        Some(RemoteThread { id, status: RemoteStatus::Active, changed_at: NOW, memo })
    };
    let pause =
        Outcome::PutOff { retry_after: Some(Duration::from_secs(1)), reason: "a pause between two parts of a message".into() };
    let first = run(&iadvize, job.clone(), &grants, &[(status, &login), (200, SENT)], NOW);
    assert_eq!((sent(&first), &first.outcome), (format!("{}.", "A".repeat(239)), &pause));
    job.thread = bind(first);
    let second = run(&iadvize, job.clone(), &grants, &[(200, SENT)], NOW);
    assert_eq!((sent(&second), &second.outcome), (format!("{}.", "B".repeat(239)), &pause));
    job.thread = bind(second);
    let third = run(&iadvize, job.clone(), &grants, &[(200, SENT)], NOW);
    assert_eq!((sent(&third), third.outcome), (format!("{}.", "C".repeat(39)), Outcome::Acknowledged { reference: None }));
    // What was noted of another message says nothing of this one.
    let memo = job.message.memo.clone();
    job.message = sample_message(&job.conversation, 2);
    job.message.memo = memo;
    "Hi".clone_into(&mut job.message.content.text);
    assert_eq!(sent(&run(&iadvize, job, &grants, &[(200, SENT)], NOW)), "Hi");
}

#[test]
fn refused_token_is_replaced_once() {
    let (iadvize, grants) = (Iadvize::new(), InMemoryGrants::new());
    let (status, login) = token("t-1");
    run(&iadvize, job("Hi"), &grants, &[(status, &login), (200, SENT)], NOW);
    let (status, login) = token("t-2");
    let ran = run(&iadvize, job("Hi"), &grants, &[(401, "{}"), (status, &login), (200, SENT)], NOW);
    assert_eq!(
        (ran.calls[2].headers[AUTHORIZATION].to_str().unwrap(), ran.outcome),
        ("Bearer t-2", Outcome::Acknowledged { reference: None })
    );
    let (status, login) = token("t-3");
    let ran = run(&iadvize, job("Hi"), &grants, &[(401, "{}"), (status, &login), (401, "{}")], NOW);
    assert!(matches!(ran.outcome, Outcome::Unauthorised { is_news: true, .. }), "{:?}", ran.outcome);
}

#[test]
fn wrong_password_is_tried_again_after_a_quarter_of_an_hour_by_one_for_all() {
    let grants = InMemoryGrants::new();
    let until = NOW.plus(Duration::from_secs(900));
    let ran = run(&Iadvize::new(), job("Hi"), &grants, &[(400, r#"{"error":"invalid_grant"}"#)], NOW);
    let reason = "configuration error: iAdvize refuses the user or the password";
    assert_eq!(ran.outcome, Outcome::Unauthorised { until, reason, is_news: true });
    let ran = run(&Iadvize::new(), job("Hi"), &grants, &[], NOW.plus(Duration::from_secs(60)));
    assert_eq!(ran.outcome, Outcome::Unauthorised { until, reason, is_news: false });
    // Another password is another grant.
    let mut mended = job("Hi");
    mended.secrets["api_password"] = "right".into();
    let (status, login) = token("t-1");
    let ran = run(&Iadvize::new(), mended, &grants, &[(status, &login), (200, SENT)], NOW.plus(Duration::from_secs(61)));
    assert_eq!(ran.outcome, Outcome::Acknowledged { reference: None });
    run(&Iadvize::new(), job("Hi"), &grants, &[(status, &login), (200, SENT)], until);
}

#[test]
fn login_of_somebody_else_is_waited_for() {
    let (iadvize, grants) = (Iadvize::new(), InMemoryGrants::new());
    let mut first = iadvize.exchange(job("Hi"));
    let Step::Grant(step) = first.resume(Input::Start, NOW) else { panic!() };
    let Step::Grant(step) = first.resume(Input::Grant(grants.see(step, NOW)), NOW) else { panic!() };
    assert!(matches!(first.resume(Input::Grant(grants.see(step, NOW)), NOW), Step::Call(_)));
    let ran = run(&iadvize, job("Hi"), &grants, &[], NOW);
    let until = NOW.plus(Duration::from_secs(2));
    assert_eq!(ran.outcome, Outcome::Parked { until, reason: "somebody else is asking for a token" });
    // It died: its right to log in ends by itself.
    let later = NOW.plus(Duration::from_secs(21));
    let (status, login) = token("t-1");
    let ran = run(&iadvize, job("Hi"), &grants, &[(status, &login), (200, SENT)], later);
    assert_eq!(ran.outcome, Outcome::Acknowledged { reference: None });
}

#[test]
fn answers_are_judged() {
    let (iadvize, grants) = (Iadvize::new(), InMemoryGrants::new());
    let (status, login) = token("t-1");
    run(&iadvize, job("Hi"), &grants, &[(status, &login), (200, SENT)], NOW);
    let rejected = |detail: &str| Outcome::Rejected { detail: detail.to_owned() };
    let unanswered = |reason: &str| Outcome::Unanswered { retry_after: None, reason: reason.to_owned() };
    for (status, body, outcome) in [
        (
            200,
            r#"{"data":{"chatbotMessageSend":{"userErrors":[{"message":"closed"},{}]}}}"#,
            rejected("closed; an error without a text"),
        ),
        (200, r#"{"data":null,"errors":[{"message":"not a UUID"}]}"#, rejected("not a UUID")),
        (200, r#"{"data":null}"#, unanswered("the answer of iAdvize does not say what became of the message")),
        (422, "{}", rejected("iAdvize answered 422")),
        (429, "{}", Outcome::PutOff { retry_after: None, reason: "iAdvize answered 429".to_owned() }),
        (503, "{}", unanswered("iAdvize answered 503")),
        (302, "{}", unanswered("iAdvize answered 302")),
    ] {
        assert_eq!(run(&iadvize, job("Hi"), &grants, &[(status, body)], NOW).outcome, outcome, "{status} {body}");
    }
    let ran = run(&iadvize, job("Hi"), &grants, &[(403, "{}")], NOW);
    assert!(matches!(ran.outcome, Outcome::Unauthorised { .. }));
    // A login that is too many (ten a minute) is put off, too.
    let ran = run(&Iadvize::new(), job("Hi"), &InMemoryGrants::new(), &[(429, "{}")], NOW);
    assert!(matches!(ran.outcome, Outcome::PutOff { .. }));
}

#[test]
fn what_is_not_configured_waits_and_what_cannot_be_said_ends() {
    let grants = InMemoryGrants::new();
    let over = |job: Job| run(&Iadvize::new(), job, &grants, &[], NOW).outcome;
    let mut without = job("Hi");
    without.account.settings.as_object_mut().unwrap().remove("api");
    assert!(matches!(over(without), Outcome::Unanswered { reason, .. } if reason.contains("api")));
    let mut without = job("Hi");
    without.secrets.as_object_mut().unwrap().remove("api_password");
    assert!(matches!(over(without), Outcome::Unanswered { reason, .. } if reason.contains("api_password")));
    assert!(matches!(over(job(" \n")), Outcome::Rejected { .. }));
    let mut nobody = job("Hi");
    nobody.message.memo.clear();
    assert!(matches!(over(nobody), Outcome::Rejected { .. }));
}
