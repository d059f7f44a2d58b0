//! Whole attempts against a script: every call is compared with what must go over the wire.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use model::{
    Account, AckMode, Author, Content, Conversation, Delivery, DeliveryContent, DeliveryKey, DeliveryState, EpochMillis, Memo,
    Message, MessageDetails, MessageId, ReceiptStatus, RemoteStatus, RemoteThread, Visitor,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::InMemoryGrants;
use wire::{
    CallFailure, Exchange, GrantSeen, GrantStep, HttpAnswer, HttpCall, Input, Job, Outbound, Outcome, Pace, Step, Terms as _,
    TypingJob,
};

use super::Vcita;

/// 2026-03-04 14:05:09 UTC.
pub(super) const NOW: EpochMillis = EpochMillis::new(1_772_633_109_000);
const API: &str = "https://api.vcita.biz";
const URL_SECRET: &str = "0123456789abcdef0123456789abcdef";
const UID: &str = "00112233-4455-8667-9e22-640000000001";
const CHANNEL: &str = "0d6a6c58-2d1e-4f53-9a5b-6f2a6f5b1c77";
const CONTACT: &str = "h4w8n2p6r0t5y1uj";
pub(super) const SESSION: &str = "7b0c7a1e-52d4-4c37-8a4e-0f6f5d2c9b11";
const VCS: &str = "/business/communication";

fn job(content: DeliveryContent) -> Job {
    let account = |id: &str, settings| Account {
        id: id.parse().unwrap(),
        tenant: "demo".parse().unwrap(),
        salt: "s".to_owned(),
        settings,
        installed: None,
    };
    let id: MessageId = UID.parse().unwrap();
    let recipient = account("vcita/demo", json!({"business_uid": "q7x2m9d4k1v8b3zt", "channel_uid": CHANNEL}));
    let key = DeliveryKey { message: id, recipient: recipient.id.clone(), content };
    let mut delivery = Delivery::queued(key, recipient.tenant.clone(), NOW);
    delivery.state = DeliveryState::Sending {
        attempt: 1,
        started_at: NOW,
        deadline: NOW.plus(Duration::from_secs(60)),
        pushes: 1,
        next_push: None,
    };
    Job {
        secrets: json!({"url_secrets": [URL_SECRET], "token": "tok"}),
        conversation: Conversation {
            id: id.conversation(),
            tenant: recipient.tenant.clone(),
            visitor: Visitor {
                account: "frontstage/gw".parse().unwrap(),
                address: "chat-77".to_owned(),
                name: Some("Iris Novak".to_owned()),
                memo: Memo::new(),
            },
            desk: Some(recipient.id.clone()),
            last_seq: 1,
            is_chat: false,
        },
        message: Message {
            id,
            tenant: recipient.tenant.clone(),
            author: Author::Visitor,
            origin: "frontstage/gw".parse().unwrap(),
            origin_id: "fs-1".to_owned(),
            sent_at: NOW,
            accepted_at: NOW,
            content: Content { text: "Hi, is 3pm free? 🙂".to_owned(), html: None, subject: None },
            details: MessageDetails::default(),
            memo: Memo::new(),
        },
        account: recipient,
        delivery,
        thread: None,
        installation: Some(RemoteStatus::Active),
    }
}

fn message() -> Job {
    job(DeliveryContent::Message)
}

pub(super) fn message_with(status: RemoteStatus) -> Job {
    message_with_since(status, NOW)
}

fn message_with_since(status: RemoteStatus, changed_at: EpochMillis) -> Job {
    let memo = Memo::from([("contact_uid".to_owned(), CONTACT.to_owned())]);
    Job { thread: Some(RemoteThread { id: SESSION.to_owned(), status, changed_at, memo }), ..message() }
}

fn receipt(status: ReceiptStatus) -> Job {
    let mut job = job(DeliveryContent::Receipt(status));
    job.message.author = Author::Desk;
    job.message.origin = job.account.id.clone();
    job.message.origin_id = "6a0f/3d0a+ü".to_owned();
    job
}

fn visitor_at(address: &str) -> Job {
    let mut job = message();
    job.conversation.visitor.address = address.to_owned();
    job
}

pub(super) fn with_app(mut job: Job) -> Job {
    job.secrets = json!({"url_secrets": [URL_SECRET], "client_id": "app-1", "client_secret": "hush"});
    job
}

pub(super) fn later(seconds: u64) -> EpochMillis {
    NOW.plus(Duration::from_secs(seconds))
}

/// The driver: plays one attempt.
pub(super) struct Play {
    exchange: Box<dyn Exchange>,
    now: EpochMillis,
    token: &'static str,
    step: Option<Step>,
    /// Where what it wants of grants is done, unseen by the script.
    grants: Arc<InMemoryGrants>,
}

impl Play {
    fn start(job: Job) -> Self {
        Self::start_with(&Vcita::new(), job, NOW)
    }

    fn at(now: EpochMillis, job: Job) -> Self {
        Self::start_with(&Vcita::new(), job, now)
    }

    fn start_with(vcita: &Vcita, job: Job, now: EpochMillis) -> Self {
        Self::over(&Arc::default(), vcita, job, now)
    }

    pub(super) fn over(grants: &Arc<InMemoryGrants>, vcita: &Vcita, job: Job, now: EpochMillis) -> Self {
        let exchange = vcita.exchange(job);
        let play = Self { exchange, now, token: "Bearer tok", step: None, grants: grants.clone() };
        play.resume(Input::Start)
    }

    pub(super) fn token(mut self, token: &'static str) -> Self {
        self.token = token;
        self
    }

    fn next(&mut self) -> Step {
        self.step.take().expect("a step")
    }

    pub(super) fn call(&mut self) -> HttpCall {
        match self.next() {
            Step::Call(call) => call,
            other => panic!("not a call: {other:?}"),
        }
    }

    /// Expects a call with the token.
    fn calls(mut self, method: &str, target: &str, body: &Value) -> Self {
        let call = self.call();
        assert_eq!(call.headers[AUTHORIZATION], self.token);
        assert!(call.headers[AUTHORIZATION].is_sensitive());
        check(&call, method, target, body);
        self
    }

    /// Expects the request for an app token.
    pub(super) fn asks_token(mut self) -> Self {
        let call = self.call();
        assert!(!call.headers.contains_key(AUTHORIZATION));
        check(&call, "POST", "/oauth/service/token", &json!({"service_id": "app-1", "service_secret": "hush"}));
        self
    }

    fn resume(mut self, input: Input) -> Self {
        assert!(self.step.is_none(), "the step was not looked at");
        let mut step = self.exchange.resume(input, self.now);
        while let Step::Grant(wanted) = step {
            step = self.exchange.resume(Input::Grant(self.grants.see(wanted, self.now)), self.now);
        }
        self.step = Some(step);
        self
    }

    pub(super) fn answer(self, status: u16, body: &Value) -> Self {
        self.answer_raw(status, body.to_string().into(), HeaderMap::new())
    }

    fn answer_raw(self, status: u16, body: Bytes, headers: HeaderMap) -> Self {
        self.resume(Input::Answered(Ok(HttpAnswer { status: StatusCode::from_u16(status).unwrap(), headers, body })))
    }

    pub(super) fn refuse(self, status: u16, code: &str, message: &str) -> Self {
        self.answer(status, &json!({"success": false, "errors": [{"code": code, "message": message}]}))
    }

    pub(super) fn fail(self, failure: CallFailure) -> Self {
        self.resume(Input::Answered(Err(failure)))
    }

    fn binds(mut self, expected_id: &str, expected_status: RemoteStatus, then: RemoteStatus) -> Self {
        match self.next() {
            Step::Bind { id, status, memo } => {
                assert_eq!((id.as_str(), status), (expected_id, expected_status));
                assert_eq!(memo, Memo::from([("contact_uid".to_owned(), CONTACT.to_owned())]));
            }
            other => panic!("not a bind: {other:?}"),
        }
        self.resume(Input::Bound(then))
    }

    pub(super) fn ends(mut self, expected: &Outcome) {
        match self.next() {
            Step::Finish(outcome) => assert_eq!(outcome, *expected),
            other => panic!("not the end: {other:?}"),
        }
    }

    // The calls and answers that occur in many scripts.

    pub(super) fn injects(self) -> Self {
        self.calls("POST", &format!("{VCS}/messages"), &injection(UID, "Hi, is 3pm free? 🙂"))
    }

    fn activates(self) -> Self {
        self.calls("PUT", &format!("{VCS}/sessions/{SESSION}"), &json!({"status": "active"}))
    }

    fn creates_contact(self) -> Self {
        self.calls("POST", "/platform/v1/clients", &json!({"first_name": "Iris Novak"})).contact_made()
    }

    fn contact_made(self) -> Self {
        self.answer(201, &json!({"status": "OK", "data": {"client": {"id": CONTACT}}})).binds(
            "contact:h4w8n2p6r0t5y1uj",
            RemoteStatus::Failed,
            RemoteStatus::Failed,
        )
    }

    fn creates_session(self) -> Self {
        self.calls(
            "POST",
            &format!("{VCS}/sessions"),
            &json!({
                "business_uid": "q7x2m9d4k1v8b3zt",
                "channel_uid": "0d6a6c58-2d1e-4f53-9a5b-6f2a6f5b1c77",
                "contact_uid": "h4w8n2p6r0t5y1uj",
                "external_uid": "frontstage-00112233445566778899"
            }),
        )
    }

    fn finds_sessions(self) -> Self {
        let target = "/business/communication/sessions?channel_uid=0d6a6c58-2d1e-4f53-9a5b-6f2a6f5b1c77\
            &business_uid=q7x2m9d4k1v8b3zt&contact_uid=h4w8n2p6r0t5y1uj\
            &filter%5Bchannel_uid%5D=0d6a6c58-2d1e-4f53-9a5b-6f2a6f5b1c77\
            &filter%5Bbusiness_uid%5D=q7x2m9d4k1v8b3zt&filter%5Bcontact_uid%5D=h4w8n2p6r0t5y1uj";
        self.calls("GET", target, &Value::Null)
    }

    fn session(self, status: &str) -> Self {
        self.answer(201, &json!({"success": true, "data": {"session": {"uid": SESSION, "status": status}}}))
    }

    fn sessions(self, sessions: &Value) -> Self {
        self.answer(200, &json!({"success": true, "data": {"sessions": sessions}}))
    }

    pub(super) fn taken(self) -> Self {
        self.answer(200, &json!({"success": true, "data": {}}))
    }

    fn injected(self, uid: &str) -> Self {
        self.answer(201, &json!({"success": true, "data": {"message": {"uid": uid, "status": "pending"}}}))
    }
}

pub(super) fn check(call: &HttpCall, method: &str, target: &str, body: &Value) {
    assert_eq!((call.method.as_str(), call.url.as_str()), (method, format!("{API}{target}").as_str()));
    assert_eq!(call.headers[ACCEPT], "application/json");
    assert_eq!(call.headers[CONTENT_TYPE], "application/json");
    assert_eq!(call.timeout, Duration::from_secs(8));
    let sent = if call.body.is_empty() { Value::Null } else { serde_json::from_slice(&call.body).unwrap() };
    assert_eq!(sent, *body);
}

fn injection(uid: &str, text: &str) -> Value {
    json!({
        "channel_uid": "0d6a6c58-2d1e-4f53-9a5b-6f2a6f5b1c77",
        "external_uid": "frontstage-00112233445566778899",
        "message_uid": uid,
        "message": text,
        "direction": "client_to_business",
        "created_at": "2026-03-04 14:05:09"
    })
}

pub(super) fn acknowledged(reference: Option<&str>) -> Outcome {
    Outcome::Acknowledged { reference: reference.map(str::to_owned) }
}

pub(super) fn unanswered(reason: &str) -> Outcome {
    Outcome::Unanswered { retry_after: None, reason: reason.to_owned() }
}

/// The end of an attempt that vcita does not let in, and when it is looked at again, in seconds from the first one on.
pub(super) fn unauthorised(seconds: u64, reason: &'static str, is_news: bool) -> Outcome {
    Outcome::Unauthorised { until: later(seconds), reason, is_news }
}

fn rejected(detail: &str) -> Outcome {
    Outcome::Rejected { detail: detail.to_owned() }
}

pub(super) fn parked(seconds: u64, reason: &'static str) -> Outcome {
    Outcome::Parked { until: later(seconds), reason }
}

const ACTIVATING: &str = "the session is being activated";

// Section 8.2, step by step.

#[test]
fn active_session_takes_the_message_at_once() {
    Play::start(message_with(RemoteStatus::Active)).injects().injected("vcs-1").ends(&acknowledged(Some("vcs-1")));
}

#[test]
fn channel_that_is_not_active_makes_the_message_wait() {
    for status in [RemoteStatus::Pending, RemoteStatus::Inactive, RemoteStatus::Blocked, RemoteStatus::Failed] {
        let job = Job { installation: Some(status), ..message_with(RemoteStatus::Active) };
        Play::start(job).ends(&parked(60, "the channel is not active"));
    }
}

#[test]
fn channel_of_unknown_status_is_taken_for_active() {
    Play::start(Job { installation: None, ..message_with(RemoteStatus::Active) }).injects().taken().ends(&acknowledged(None));
}

#[test]
fn deleted_channel_ends_the_delivery() {
    let job = Job { installation: Some(RemoteStatus::Deleted), ..message_with(RemoteStatus::Active) };
    Play::start(job).ends(&rejected("the channel is deleted"));
}

#[test]
fn inactive_session_is_activated_and_waited_for() {
    Play::start(message_with(RemoteStatus::Inactive)).activates().taken().ends(&parked(60, ACTIVATING));
}

#[test]
fn pending_session_is_waited_for_until_its_timeout() {
    Play::at(later(59), message_with(RemoteStatus::Pending)).ends(&parked(60, "the session is pending"));
}

#[test]
fn session_pending_beyond_its_timeout_is_activated() {
    Play::at(later(60), message_with(RemoteStatus::Pending)).activates().taken().ends(&parked(120, ACTIVATING));
}

#[test]
fn session_still_pending_after_that_is_looked_up_before_it_is_activated_again() {
    let play = || Play::at(later(120), message_with(RemoteStatus::Pending)).finds_sessions();
    // Its webhook got lost.
    play()
        .sessions(&json!([{"uid": "other", "status": "inactive"}, {"uid": SESSION, "status": "active"}]))
        .injects()
        .taken()
        .ends(&acknowledged(None));
    // It is pending indeed; the pauses grow with the age of the message.
    play().sessions(&json!([{"uid": SESSION, "status": "pending"}])).activates().taken().ends(&parked(240, ACTIVATING));
    // It has ended.
    play().sessions(&json!([{"uid": SESSION, "status": "failed"}])).creates_session();
    // The answer says nothing.
    play().refuse(404, "invalid", "not found").activates();
}

#[test]
fn pause_between_activations_is_at_most_a_quarter_of_an_hour() {
    Play::at(later(80_000), message_with_since(RemoteStatus::Pending, later(79_930)))
        .activates()
        .taken()
        .ends(&parked(80_900, ACTIVATING));
}

#[test]
fn inactive_session_that_stays_so_is_looked_up() {
    Play::at(later(60), message_with(RemoteStatus::Inactive))
        .finds_sessions()
        .sessions(&json!([{"uid": SESSION, "status": "active"}]))
        .injects();
}

#[test]
fn first_message_makes_contact_and_session_and_waits() {
    Play::start(message())
        .creates_contact()
        .creates_session()
        .session("pending")
        .binds(SESSION, RemoteStatus::Pending, RemoteStatus::Pending)
        .ends(&parked(60, "the session is pending"));
}

#[test]
fn status_that_came_before_the_answer_lets_the_message_go_at_once() {
    Play::start(message())
        .creates_contact()
        .creates_session()
        .session("pending")
        .binds(SESSION, RemoteStatus::Pending, RemoteStatus::Active)
        .injects()
        .injected(UID)
        .ends(&acknowledged(Some(UID)));
}

#[test]
fn session_that_ended_before_it_was_bound_is_tried_again() {
    for status in [RemoteStatus::Failed, RemoteStatus::Deleted] {
        Play::start(message())
            .creates_contact()
            .creates_session()
            .session("pending")
            .binds(SESSION, RemoteStatus::Pending, status)
            .ends(&unanswered("the session ended while it was set up"));
    }
}

#[test]
fn session_status_of_no_table_counts_as_pending() {
    Play::start(message())
        .creates_contact()
        .creates_session()
        .session("waking")
        .binds(SESSION, RemoteStatus::Pending, RemoteStatus::Pending)
        .ends(&parked(60, "the session is pending"));
}

#[test]
fn ended_session_is_followed_by_a_new_one_for_the_same_contact() {
    for status in [RemoteStatus::Deleted, RemoteStatus::Failed] {
        Play::start(message_with(status)).creates_session().session("active").binds(
            SESSION,
            RemoteStatus::Active,
            RemoteStatus::Active,
        );
    }
}

#[test]
fn visitor_with_a_mail_address_is_searched_by_it() {
    Play::start(visitor_at("iris+a@example.com"))
        .calls("GET", "/platform/v1/clients?search_by=email&search_term=iris%2Ba%40example.com&page=1&per_page=25", &Value::Null)
        .answer(200, &json!({"status": "OK", "data": {"clients": [{"id": CONTACT, "email": "iris+a@example.com"}]}}))
        .creates_session();
}

#[test]
fn visitor_with_a_phone_number_is_searched_then_created_with_it() {
    Play::start(visitor_at("+420 700 000 000"))
        .calls("GET", "/platform/v1/clients?search_by=phone&search_term=%2B420700000000&page=1&per_page=25", &Value::Null)
        .answer(200, &json!({"status": "OK", "data": {"clients": []}}))
        .calls("POST", "/platform/v1/clients", &json!({"first_name": "Iris Novak", "phone": "+420700000000"}))
        .contact_made()
        .creates_session();
}

#[test]
fn refused_search_has_found_nobody() {
    Play::start(visitor_at("iris@example.com"))
        .calls("GET", "/platform/v1/clients?search_by=email&search_term=iris%40example.com&page=1&per_page=25", &Value::Null)
        .refuse(422, "invalid", "bad query")
        .calls("POST", "/platform/v1/clients", &json!({"first_name": "Iris Novak", "email": "iris@example.com"}));
}

#[test]
fn visitor_without_a_name_gets_a_neutral_one() {
    for name in [None, Some(" ".to_owned())] {
        let mut job = message();
        job.conversation.visitor.name = name;
        Play::start(job).calls("POST", "/platform/v1/clients", &json!({"first_name": "Visitor"}));
    }
}

#[test]
fn visitor_of_a_chat_without_phone_or_mail_becomes_a_contact_by_name_alone() {
    let mut job = visitor_at("1234567890");
    job.conversation.is_chat = true;
    Play::start(job.clone())
        .calls("POST", "/platform/v1/clients", &json!({"first_name": "Iris Novak"}))
        .contact_made()
        .creates_session();
    job.conversation.visitor.name = None;
    Play::start(job).calls("POST", "/platform/v1/clients", &json!({"first_name": "Chat visitor"}));
}

#[test]
fn contact_that_exists_already_is_searched_again() {
    let play = || {
        let search = "/platform/v1/clients?search_by=email&search_term=iris%40example.com&page=1&per_page=25";
        Play::start(visitor_at("iris@example.com"))
            .calls("GET", search, &Value::Null)
            .answer(200, &json!({"data": {"clients": []}}))
            .calls("POST", "/platform/v1/clients", &json!({"first_name": "Iris Novak", "email": "iris@example.com"}))
            .answer(409, &json!({"status": "Error", "error": "email exists"}))
            .calls("GET", search, &Value::Null)
    };
    play().answer(200, &json!({"data": {"clients": [{"id": CONTACT, "email": "iris@example.com"}]}})).creates_session();
    play().answer(200, &json!({"data": {"clients": []}})).ends(&unanswered("vcita has the contact but does not find it"));
}

#[test]
fn address_that_vcita_refuses_is_left_out_of_the_contact() {
    Play::start(visitor_at("+000 000 0000"))
        .calls("GET", "/platform/v1/clients?search_by=phone&search_term=%2B0000000000&page=1&per_page=25", &Value::Null)
        .answer(200, &json!({"data": {"clients": []}}))
        .calls("POST", "/platform/v1/clients", &json!({"first_name": "Iris Novak", "phone": "+0000000000"}))
        .refuse(422, "invalid", "phone is invalid")
        .creates_contact()
        .creates_session();
}

#[test]
fn contact_that_cannot_be_made_or_read_is_not_invented() {
    let play = || Play::start(message()).calls("POST", "/platform/v1/clients", &json!({"first_name": "Iris Novak"}));
    play().answer(201, &json!({"status": "OK"})).ends(&unanswered("vcita's contact answer cannot be read"));
    play().refuse(422, "invalid", "no").ends(&rejected("HTTP 422: invalid: no"));
}

#[test]
fn remembered_contact_that_vcita_lost_is_looked_for_again_once() {
    Play::start(message_with(RemoteStatus::Deleted))
        .creates_session()
        .refuse(422, "invalid", "Contact not found")
        .creates_contact()
        .creates_session()
        .refuse(422, "invalid", "Contact not found")
        .ends(&rejected("HTTP 422: invalid: Contact not found"));
}

// Section 10, row by row.

#[test]
fn row_2xx_with_an_unreadable_body_is_a_success() {
    for body in ["", "<html>ok</html>", "{}", r#"{"data":{"message":{"uid":7}}}"#] {
        Play::start(message_with(RemoteStatus::Active))
            .injects()
            .answer_raw(201, Bytes::from(body), HeaderMap::new())
            .ends(&acknowledged(None));
    }
}

#[test]
fn session_made_with_an_unreadable_answer_is_found_again() {
    Play::start(message_with(RemoteStatus::Deleted))
        .creates_session()
        .answer_raw(201, Bytes::from_static(b"<html>"), HeaderMap::new())
        .finds_sessions()
        .sessions(&json!([{"uid": SESSION, "status": "pending"}]))
        .binds(SESSION, RemoteStatus::Pending, RemoteStatus::Pending)
        .activates();
}

#[test]
fn row_timeout_or_connection_error_repeats_the_same_body() {
    for (failure, reason) in [
        (CallFailure::Unreachable, "could not connect"),
        (CallFailure::NoAnswer, "no answer in time"),
        (CallFailure::AnswerTooLong, "answer too long"),
        (CallFailure::ForbiddenTarget, "target refused"),
    ] {
        for _attempt in 1..=2 {
            Play::start(message_with(RemoteStatus::Active)).injects().fail(failure).ends(&unanswered(reason));
        }
    }
}

#[test]
fn row_408_and_5xx_are_transient_whatever_was_asked() {
    for status in [408, 500, 502, 503, 504] {
        let end = unanswered(&format!("vcita answered {status}"));
        Play::start(message_with(RemoteStatus::Active)).injects().answer(status, &json!("<html>")).ends(&end);
        Play::start(message_with(RemoteStatus::Inactive)).activates().answer(status, &Value::Null).ends(&end);
        Play::start(message_with(RemoteStatus::Deleted)).creates_session().answer(status, &Value::Null).ends(&end);
    }
}

#[test]
fn row_429_waits_as_long_as_wished_and_does_not_count() {
    let play = || Play::start(message_with(RemoteStatus::Active)).injects();
    let too_fast = |wish: Option<u64>| Outcome::PutOff {
        retry_after: wish.map(Duration::from_secs),
        reason: "vcita answered 429".to_owned(),
    };
    play().answer(429, &Value::Null).ends(&too_fast(None));
    for (wish, seconds) in [("7", 7), ("Wed, 04 Mar 2026 14:05:39 GMT", 30)] {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, wish.parse().unwrap())]);
        play().answer_raw(429, Bytes::new(), headers).ends(&too_fast(Some(seconds)));
    }
}

#[test]
fn row_403_keeps_the_message_and_asks_for_reauthorisation() {
    Play::start(message_with(RemoteStatus::Active)).injects().refuse(403, "unauthorized", "no").ends(&unauthorised(
        300,
        "reauth_required: vcita answered 403",
        true,
    ));
}

#[test]
fn row_400_413_and_422_end_the_delivery_with_the_text_of_vcs() {
    for status in [400, 413, 422] {
        Play::start(message_with(RemoteStatus::Active))
            .injects()
            .refuse(status, "invalid", "message is strange")
            .ends(&rejected(&format!("HTTP {status}: invalid: message is strange")));
    }
    Play::start(message_with(RemoteStatus::Active))
        .injects()
        .answer_raw(422, Bytes::from_static(b"<html>"), HeaderMap::new())
        .ends(&rejected("HTTP 422"));
    Play::start(message_with(RemoteStatus::Deleted))
        .creates_session()
        .answer(400, &json!({"status": "Error", "error": "no business"}))
        .ends(&rejected("HTTP 400: no business"));
}

#[test]
fn row_already_exists_or_duplicate_on_v8_is_success() {
    for (status, code) in [(422, "already_exists"), (422, "duplicate"), (409, "already_exists"), (409, "duplicate")] {
        Play::start(message_with(RemoteStatus::Active)).injects().refuse(status, code, "again").ends(&acknowledged(None));
    }
}

#[test]
fn row_already_exists_on_v4_finds_and_activates_the_session() {
    let play = |status: u16, code: &str| {
        Play::start(message_with(RemoteStatus::Deleted))
            .creates_session()
            .refuse(status, code, "Session already exist")
            .finds_sessions()
            .sessions(&json!([{"uid": "old", "status": "deleted"}, {"uid": SESSION, "status": "inactive"}, {"status": "active"}]))
    };
    for (status, code) in [(422, "already_exists"), (409, "duplicate"), (422, "invalid")] {
        play(status, code)
            .binds(SESSION, RemoteStatus::Inactive, RemoteStatus::Inactive)
            .activates()
            .taken()
            .ends(&parked(60, ACTIVATING));
    }
    play(422, "already_exists").binds(SESSION, RemoteStatus::Inactive, RemoteStatus::Active).injects();
    play(422, "already_exists").binds(SESSION, RemoteStatus::Inactive, RemoteStatus::Failed).activates();
}

#[test]
fn session_that_a_webhook_ended_is_used_as_long_as_v5_lists_it() {
    for status in [RemoteStatus::Deleted, RemoteStatus::Failed] {
        let found = |listed: &str| {
            Play::start(message_with(status))
                .creates_session()
                .refuse(422, "already_exists", "Session already exist")
                .finds_sessions()
                .sessions(&json!([{"uid": SESSION, "status": listed}]))
        };
        found("active").binds(SESSION, RemoteStatus::Active, status).injects().taken().ends(&acknowledged(None));
        found("inactive").binds(SESSION, RemoteStatus::Inactive, status).activates().taken().ends(&parked(60, ACTIVATING));
        // If vcita has ended it too, it is not listed as usable and none is taken.
        found("deleted").ends(&unanswered("vcita has a session but not for this contact"));
    }
}

#[test]
fn active_session_that_is_there_already_takes_the_message() {
    Play::start(message_with(RemoteStatus::Deleted))
        .creates_session()
        .refuse(422, "already_exists", "Session already exist")
        .finds_sessions()
        .sessions(&json!([{"uid": "slow", "status": "pending"}, {"uid": SESSION, "status": "active", "ai_status": "none"}]))
        .binds(SESSION, RemoteStatus::Active, RemoteStatus::Active)
        .injects()
        .taken()
        .ends(&acknowledged(None));
}

#[test]
fn session_of_somebody_else_is_never_taken() {
    Play::start(message_with(RemoteStatus::Deleted))
        .creates_session()
        .refuse(422, "already_exists", "Session already exist")
        .finds_sessions()
        .sessions(&json!([{"uid": "gone", "status": "deleted"}]))
        .ends(&unanswered("vcita has a session but not for this contact"));
}

#[test]
fn row_422_on_v8_not_active_activates_and_waits() {
    for text in ["Session is not active", "No active session", "channel inactive"] {
        Play::start(message_with(RemoteStatus::Active))
            .injects()
            .refuse(422, "invalid", text)
            .activates()
            .taken()
            .ends(&parked(60, ACTIVATING));
    }
}

#[test]
fn session_for_a_channel_that_is_not_active_waits() {
    Play::start(message_with(RemoteStatus::Deleted))
        .creates_session()
        .refuse(422, "invalid", "Channel is not active")
        .ends(&parked(60, "the channel is not active"));
}

#[test]
fn row_404_on_v8_or_v4_channel_is_gone_for_good() {
    let end = Outcome::Uninstalled { detail: "HTTP 404: invalid: channel not found".to_owned() };
    Play::start(message_with(RemoteStatus::Active)).injects().refuse(404, "invalid", "channel not found").ends(&end);
    Play::start(message_with(RemoteStatus::Deleted)).creates_session().refuse(404, "invalid", "channel not found").ends(&end);
}

#[test]
fn row_404_that_does_not_name_the_channel_ends_the_delivery_alone() {
    let inject = || Play::start(message_with(RemoteStatus::Active)).injects();
    inject().answer_raw(404, Bytes::from_static(b"<html>"), HeaderMap::new()).ends(&rejected("HTTP 404"));
    inject().refuse(404, "missing", "Not found").ends(&rejected("HTTP 404: missing: Not found"));
    // Other statuses say something about the call, not about the channel.
    inject().refuse(422, "invalid", "channel unknown").ends(&rejected("HTTP 422: invalid: channel unknown"));
    let create = || Play::start(message_with(RemoteStatus::Deleted)).creates_session();
    create().refuse(404, "missing", "Not found").ends(&rejected("HTTP 404: missing: Not found"));
    let field = json!({"success": false, "errors": [{"code": "missing", "message": "unknown", "field": "channel_uid"}]});
    let end = Outcome::Uninstalled { detail: "HTTP 404: missing: channel_uid: unknown".to_owned() };
    create().answer(404, &field).ends(&end);
}

#[test]
fn missing_session_is_replaced_once() {
    Play::start(message_with(RemoteStatus::Active))
        .injects()
        .refuse(404, "invalid", "session not found")
        .creates_session()
        .session("active")
        .binds(SESSION, RemoteStatus::Active, RemoteStatus::Active)
        .injects()
        .refuse(404, "invalid", "session not found")
        .ends(&rejected("HTTP 404: invalid: session not found"));
    Play::start(message_with(RemoteStatus::Inactive))
        .activates()
        .refuse(404, "invalid", "not found")
        .creates_session()
        .refuse(422, "already_exists", "exists")
        .finds_sessions()
        .sessions(&json!([{"uid": SESSION, "status": "inactive"}]))
        .binds(SESSION, RemoteStatus::Inactive, RemoteStatus::Inactive)
        .activates()
        .refuse(404, "invalid", "not found")
        .ends(&unanswered("vcita refused to activate the session: 404"));
}

// Tokens that each process asks for itself: sections 8.5, 9.2 and 9.4. Shared ones are in `access_tests`.

pub(super) fn token_answer(token: &str) -> Value {
    json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600, "created_at": "2026-03-04T14:05:09Z"})
}

#[test]
fn app_token_is_asked_for_once_and_shared() {
    let vcita = Vcita::new();
    Play::start_with(&vcita, with_app(message_with(RemoteStatus::Active)), NOW)
        .token("Bearer one")
        .asks_token()
        .answer(200, &token_answer("one"))
        .injects()
        .taken()
        .ends(&acknowledged(None));
    let again = |now| Play::start_with(&vcita, with_app(message_with(RemoteStatus::Active)), now).token("Bearer one");
    again(later(3539)).injects();
    again(later(3540)).asks_token();
}

#[test]
fn app_token_is_not_shared_with_whoever_knows_only_the_id() {
    let vcita = Vcita::new();
    Play::start_with(&vcita, with_app(message_with(RemoteStatus::Active)), NOW)
        .token("Bearer one")
        .asks_token()
        .answer(200, &token_answer("one"))
        .injects();
    let mut stranger = with_app(message_with(RemoteStatus::Active));
    stranger.secrets["client_secret"] = json!("guessed");
    let call = Play::start_with(&vcita, stranger, NOW).call();
    assert_eq!(call.url.path(), "/oauth/service/token");
}

#[test]
fn row_401_renews_the_token_once_and_repeats_the_call() {
    let play = || {
        let vcita = Vcita::new();
        Play::start_with(&vcita, with_app(message_with(RemoteStatus::Active)), NOW)
            .token("Bearer one")
            .asks_token()
            .answer(200, &token_answer("one"))
            .injects()
            .answer(401, &json!({"message": "401 Unauthorized", "status": "Failure"}))
            .token("Bearer two")
            .asks_token()
            .answer(200, &token_answer("two"))
            .injects()
    };
    play().taken().ends(&acknowledged(None));
    play().answer(401, &Value::Null).ends(&unauthorised(300, "reauth_required", true));
    play().refuse(401, "unauthorized", "Unauthorized").ends(&unauthorised(300, "reauth_required: business_mismatch", true));
}

#[test]
fn token_that_another_exchange_renewed_is_used_instead_of_renewing() {
    let vcita = Vcita::new();
    let start = || Play::start_with(&vcita, with_app(message_with(RemoteStatus::Active)), NOW);
    let first = start().token("Bearer one").asks_token().answer(200, &token_answer("one")).injects();
    let second = start().token("Bearer one").injects();
    let first = first.answer(401, &Value::Null).asks_token().answer(200, &token_answer("two")).token("Bearer two").injects();
    second.answer(401, &Value::Null).token("Bearer two").injects().taken().ends(&acknowledged(None));
    first.taken().ends(&acknowledged(None));
}

#[test]
fn fixed_token_that_is_refused_keeps_the_message() {
    let vcita = Vcita::new();
    let start = |job, now| Play::start_with(&vcita, job, now);
    let end = unauthorised(300, "reauth_required", true);
    start(message_with(RemoteStatus::Active), NOW).injects().answer(401, &Value::Null).ends(&end);
    let end = unauthorised(300, "reauth_required", false);
    start(message_with(RemoteStatus::Active), later(299)).ends(&end);
    start(message_with(RemoteStatus::Active), later(300)).injects().taken().ends(&acknowledged(None));
    // Another token is another matter.
    let mut job = message_with(RemoteStatus::Active);
    job.secrets["token"] = json!("new");
    start(job, later(1)).token("Bearer new").injects().taken().ends(&acknowledged(None));
}

#[test]
fn token_that_cannot_be_had_keeps_the_message() {
    let play = || Play::start(with_app(message_with(RemoteStatus::Active))).asks_token();
    for status in [400, 401, 403] {
        play().answer(status, &json!({"error": "invalid_client", "error_description": "no"})).ends(&unauthorised(
            300,
            "configuration error: client id or secret refused",
            true,
        ));
    }
    play().answer(503, &Value::Null).ends(&unanswered("vcita answered 503"));
    play().fail(CallFailure::NoAnswer).ends(&unanswered("no answer in time"));
    play().answer(200, &json!({"token": "x"})).ends(&unanswered("vcita's token answer cannot be read"));
}

// Parts (section 13, rows 6 and 7).

fn long_message(text: &str, cap: usize) -> Job {
    let mut job = message_with(RemoteStatus::Active);
    job.message.content.text = text.to_owned();
    job.account.settings["text_cap"] = json!(cap);
    job
}

#[test]
fn long_text_goes_in_parts_with_the_same_uids_on_every_attempt() {
    let target = format!("{VCS}/messages");
    let part = |number: u32, text: &str| injection(&format!("00112233-4455-8667-9e22-640000000001.p{number}"), text);
    Play::start(long_message("aaaabbbbcc", 4))
        .calls("POST", &target, &part(1, "aaaa"))
        .injected("v1")
        .calls("POST", &target, &part(2, "bbbb"))
        .fail(CallFailure::NoAnswer)
        .ends(&unanswered("no answer in time"));
    Play::start(long_message("aaaabbbbcc", 4))
        .calls("POST", &target, &part(1, "aaaa"))
        .refuse(422, "already_exists", "again")
        .calls("POST", &target, &part(2, "bbbb"))
        .refuse(422, "duplicate", "again")
        .calls("POST", &target, &part(3, "cc"))
        .injected("v3")
        .ends(&acknowledged(Some("v3")));
}

#[test]
fn row_too_long_is_cut_in_halves_and_sent_again_once() {
    let target = format!("{VCS}/messages");
    let whole = injection("00112233-4455-8667-9e22-640000000001", "aabb");
    let half = |number: u32, text: &str| injection(&format!("00112233-4455-8667-9e22-640000000001.p{number}"), text);
    let play = || {
        Play::start(long_message("aabb", 4)).calls("POST", &target, &whole).refuse(422, "too_long", "message is too long").calls(
            "POST",
            &target,
            &half(1, "aa"),
        )
    };
    play().taken().calls("POST", &target, &half(2, "bb")).taken().ends(&acknowledged(None));
    play().refuse(422, "too_long", "message is too long").ends(&rejected("HTTP 422: too_long: message is too long"));
}

#[test]
fn part_too_long_for_vcs_is_cut_without_touching_the_others() {
    let target = format!("{VCS}/messages");
    let part = |suffix: &str, text: &str| injection(&format!("00112233-4455-8667-9e22-640000000001{suffix}"), text);
    Play::start(long_message("aaaabbbbcc", 4))
        .calls("POST", &target, &part(".p1", "aaaa"))
        .taken()
        .calls("POST", &target, &part(".p2", "bbbb"))
        .refuse(400, "too_long", "too long")
        .calls("POST", &target, &part(".p2.p1", "bb"))
        .taken()
        .calls("POST", &target, &part(".p2.p2", "bb"))
        .taken()
        .calls("POST", &target, &part(".p3", "cc"))
        .taken()
        .ends(&acknowledged(None));
}

#[test]
fn changed_cap_does_not_change_the_parts_of_a_message_that_was_begun() {
    let target = format!("{VCS}/messages");
    let first = long_message("aaaabbbb", 4);
    let route = Vcita::new().route(&first.account, &first.message);
    assert_eq!(route.as_deref(), Some("text_cap=4"));
    let mut later = long_message("aaaabbbb", 100);
    later.delivery.route = route;
    Play::start(later).calls("POST", &target, &injection("00112233-4455-8667-9e22-640000000001.p1", "aaaa"));
    let mut whole = long_message("aaaabbbb", 4);
    whole.delivery.route = Some("text_cap=100".to_owned());
    Play::start(whole).calls("POST", &target, &injection(UID, "aaaabbbb"));
    let receipt = receipt(ReceiptStatus::Read);
    assert_eq!(Vcita::new().route(&receipt.account, &receipt.message), None);
}

// The pace (sections 3 and 10).

#[test]
fn pace_is_one_for_each_app_and_business() {
    let vcita = Vcita::new();
    let pace = |job: &Job| vcita.pace(&job.account, &job.secrets).unwrap();
    let (fixed, app) = (message(), with_app(message()));
    assert_eq!((pace(&fixed).per_second, pace(&app).per_second), (8, 8));
    let mut same = with_app(message());
    // Another account of ours and another channel, for the same app and business.
    same.account.id = "vcita/second".parse().unwrap();
    same.account.settings["channel_uid"] = json!("c-2");
    same.account.settings["requests_per_second"] = json!(3);
    same.secrets["client_secret"] = json!("rotated");
    assert_eq!(pace(&same), Pace { per_second: 3, ..pace(&app) });
    let mut others = vec![pace(&fixed), pace(&app)];
    for (settings, name, value) in [
        (true, "business_uid", json!("another")),
        (true, "api_base", json!("https://other.example")),
        (false, "client_id", json!("app-2")),
        (false, "token", json!("tok-2")),
    ] {
        let mut other = with_app(message());
        if settings {
            other.account.settings[name] = value
        } else {
            other.secrets[name] = value
        }
        others.push(pace(&other));
    }
    let keys: std::collections::BTreeSet<_> = others.iter().map(|pace| &pace.key).collect();
    assert_eq!(keys.len(), 6);
    assert!(others.iter().all(|pace| pace.key.len() == 64 && pace.key.bytes().all(|b| b.is_ascii_hexdigit())));
    let mut wrong = message();
    wrong.account.settings = json!({});
    assert_eq!(vcita.pace(&wrong.account, &wrong.secrets), None);
}

#[test]
fn request_for_a_token_is_not_paced_and_every_other_call_is() {
    let vcita = Vcita::new();
    let token = Play::start(with_app(message_with(RemoteStatus::Active))).call();
    assert!(!vcita.is_paced(&token));
    for job in [message(), visitor_at("iris@example.com"), message_with(RemoteStatus::Active), receipt(ReceiptStatus::Read)] {
        assert!(vcita.is_paced(&Play::start(job).call()));
    }
}

#[test]
fn message_without_text_is_refused_here_and_a_subject_stands_in_for_it() {
    Play::start(long_message("", 4096)).ends(&rejected("the message has no text"));
    let mut job = long_message("", 4096);
    job.message.content.subject = Some("Your offer".to_owned());
    Play::start(job).calls("POST", &format!("{VCS}/messages"), &injection(UID, "Your offer"));
}

#[test]
fn message_of_a_desk_is_mirrored() {
    let mut job = message_with(RemoteStatus::Active);
    job.message.author = Author::Desk;
    let mut body = injection(UID, "Hi, is 3pm free? 🙂");
    body["direction"] = json!("business_to_client");
    Play::start(job).calls("POST", &format!("{VCS}/messages"), &body);
}

// Receipts (V9).

#[test]
fn receipts_are_reported_with_the_words_of_the_vocabulary() {
    let target = format!("{VCS}/messages/6a0f%2F3d0a%2B%C3%BC");
    for (status, extended, seed) in [
        (ReceiptStatus::Sent, Some("sent"), None),
        (ReceiptStatus::Failed, Some("error"), Some("error")),
        (ReceiptStatus::Unreachable, Some("unavailable"), Some("error")),
        (ReceiptStatus::Delivered, Some("received"), Some("received")),
        (ReceiptStatus::Read, Some("read"), Some("read")),
    ] {
        for (vocabulary, word) in [("extended", extended), ("seed", seed)] {
            let mut job = receipt(status);
            job.account.settings["status_vocabulary"] = json!(vocabulary);
            let play = Play::start(job);
            let play = match word {
                Some(word) => play.calls("PUT", &target, &json!({"status": word, "channel_uid": CHANNEL})).taken(),
                None => play,
            };
            play.ends(&acknowledged(None));
        }
    }
}

#[test]
fn row_404_on_v9_is_permanent_after_2_tries_and_nothing_is_missed() {
    let target = format!("{VCS}/messages/6a0f%2F3d0a%2B%C3%BC");
    let play = |attempt| {
        let mut job = receipt(ReceiptStatus::Read);
        job.delivery.state = DeliveryState::Sending { attempt, started_at: NOW, deadline: later(60), pushes: 1, next_push: None };
        Play::start(job).calls("PUT", &target, &json!({"status": "read", "channel_uid": CHANNEL})).refuse(
            404,
            "invalid",
            "not found",
        )
    };
    play(1).ends(&unanswered("vcita answered 404"));
    play(2).ends(&Outcome::Gone { detail: "HTTP 404: invalid: not found".to_owned() });
}

#[test]
fn receipt_is_reported_also_for_a_blocked_channel_but_not_for_a_deleted_one() {
    let job = Job { installation: Some(RemoteStatus::Blocked), ..receipt(ReceiptStatus::Failed) };
    Play::start(job).calls(
        "PUT",
        &format!("{VCS}/messages/6a0f%2F3d0a%2B%C3%BC"),
        &json!({"status": "error", "channel_uid": CHANNEL}),
    );
    let job = Job { installation: Some(RemoteStatus::Deleted), ..receipt(ReceiptStatus::Failed) };
    Play::start(job).ends(&rejected("the channel is deleted"));
}

#[test]
fn message_uid_that_no_path_can_carry_is_refused_here() {
    for uid in ["", ".", ".."] {
        let mut job = receipt(ReceiptStatus::Read);
        job.message.origin_id = uid.to_owned();
        Play::start(job).ends(&rejected("no path can carry this message_uid"));
    }
}

// The attempt as a whole.

#[test]
fn paths_follow_the_settings() {
    let mut job = message_with(RemoteStatus::Active);
    job.account.settings["api_base"] = json!("http://127.0.0.1:9/vcs/");
    job.account.settings["common_prefix"] = json!("/v2/communication/");
    let call = Play::start(job).call();
    assert_eq!(call.url.as_str(), "http://127.0.0.1:9/vcs/v2/communication/messages");
}

#[test]
fn session_uid_is_escaped_in_the_path() {
    let mut job = message_with(RemoteStatus::Inactive);
    job.thread.as_mut().unwrap().id = "a/../b?c#d e".to_owned();
    let call = Play::start(job).call();
    assert_eq!(call.url.as_str(), "https://api.vcita.biz/business/communication/sessions/a%2F..%2Fb%3Fc%23d%20e");
}

#[test]
fn no_call_begins_that_could_outlast_the_lease() {
    let mut play = Play::start(message()).calls("POST", "/platform/v1/clients", &json!({"first_name": "Iris Novak"}));
    play.now = later(51);
    play.contact_made().ends(&unanswered("the attempt took too long"));
}

#[test]
fn wrong_configuration_keeps_the_message() {
    let mut job = message();
    job.account.settings = json!({"channel_uid": "c"});
    Play::start(job).ends(&unanswered("vcita configuration: missing field `business_uid`"));
    let mut job = message();
    job.secrets = json!({"url_secrets": ["hush"]});
    Play::start(job)
        .ends(&unanswered("vcita configuration: each of url_secrets must have at least 32 characters of A-Z, a-z, 0-9, - and _"));
}

#[test]
fn resuming_out_of_order_ends_the_attempt() {
    let end = unanswered("the exchange was resumed out of order");
    Play::start(message_with(RemoteStatus::Active)).injects().resume(Input::Bound(RemoteStatus::Active)).ends(&end);
    Play::start(message_with(RemoteStatus::Active)).injects().taken().resume_over().ends(&end);
}

impl Play {
    /// Resumes an attempt that is over.
    fn resume_over(mut self) -> Self {
        assert!(matches!(self.next(), Step::Finish(_)));
        self.resume(Input::Start)
    }
}

#[test]
fn policies_are_those_of_the_contract() {
    let vcita = Vcita::new();
    let message = vcita.policy(DeliveryContent::Message);
    assert_eq!(message.ack, AckMode::InAnswer { lease: Duration::from_secs(60) });
    assert_eq!((message.max_attempts, message.give_up_after), (u32::MAX, Duration::from_secs(86_400)));
    let delays: Vec<u64> = (1..=12).map(|n| message.retry_delay(n, u16::MAX).as_secs()).collect();
    assert_eq!(delays, [1, 2, 4, 8, 15, 30, 60, 120, 240, 480, 900, 900]);
    assert_eq!(message.retry_delay(7, 0), Duration::ZERO);
    let receipt = vcita.policy(DeliveryContent::Receipt(ReceiptStatus::Read));
    assert_eq!((receipt.max_attempts, receipt.give_up_after), (12, Duration::from_secs(3600)));
    assert!(vcita.capabilities().receipts);
    assert_eq!(vcita.installation(&self::message().account).as_deref(), Some(CHANNEL));
}

// Section 12: where the sources disagree about what we send. The rows about what we are sent stand in functions/vcita.

#[test]
fn disagreement_01_prefix_of_the_paths_is_a_setting() {
    for (prefix, target) in [
        (None, "/business/communication/messages"),
        (Some("/business/communication"), "/business/communication/messages"),
        (Some("/business/communication/v1"), "/business/communication/v1/messages"),
    ] {
        let mut job = message_with(RemoteStatus::Active);
        if let Some(prefix) = prefix {
            job.account.settings["common_prefix"] = json!(prefix);
        }
        Play::start(job).calls("POST", target, &injection(UID, "Hi, is 3pm free? 🙂"));
    }
}

#[test]
fn disagreement_05_first_state_of_a_session_is_pending_and_an_inactive_one_is_activated() {
    let made = |status| Play::start(message_with(RemoteStatus::Deleted)).creates_session().session(status);
    made("pending").binds(SESSION, RemoteStatus::Pending, RemoteStatus::Pending).ends(&parked(60, "the session is pending"));
    made("inactive")
        .binds(SESSION, RemoteStatus::Inactive, RemoteStatus::Inactive)
        .activates()
        .taken()
        .ends(&parked(60, ACTIVATING));
}

#[test]
fn disagreement_06_activation_is_waited_for_and_only_then_asked_for() {
    for age in [0, 59] {
        Play::at(later(age), message_with(RemoteStatus::Pending)).ends(&parked(60, "the session is pending"));
    }
    Play::at(later(60), message_with(RemoteStatus::Pending)).activates().taken().ends(&parked(120, ACTIVATING));
}

#[test]
fn disagreement_09_external_uid_is_always_sent() {
    let call = Play::start(message_with(RemoteStatus::Active)).call();
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["external_uid"], "frontstage-00112233445566778899");
}

#[test]
fn disagreement_10_sessions_are_asked_for_in_both_spellings_of_the_filter() {
    let call = Play::start(message_with(RemoteStatus::Deleted))
        .creates_session()
        .refuse(422, "already_exists", "Session already exist")
        .call();
    let sent: Vec<(String, String)> = call.url.query_pairs().into_owned().collect();
    for (name, value) in [("channel_uid", CHANNEL), ("business_uid", "q7x2m9d4k1v8b3zt"), ("contact_uid", CONTACT)] {
        for spelling in [name.to_owned(), format!("filter[{name}]")] {
            assert!(sent.contains(&(spelling.clone(), value.to_owned())), "{spelling}");
        }
    }
    assert_eq!(sent.len(), 6);
}

#[test]
fn disagreement_11_typing_tells_session_and_state_and_nothing_else() {
    for is_typing in [true, false] {
        let mut exchange = Vcita::new().typing(typing(RemoteStatus::Active, is_typing)).unwrap();
        let Step::Call(call) = exchange.resume(Input::Start, NOW) else { panic!("not a call") };
        // Neither the contact of vcita's check nor the path of the endpoint for text messages.
        assert_eq!(call.url.as_str(), "https://api.vcita.biz/business/communication/v1/sessions/typing");
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!(body, json!({"session_uid": "7b0c7a1e-52d4-4c37-8a4e-0f6f5d2c9b11", "typing": is_typing}));
    }
}

#[test]
fn disagreement_15_app_token_is_asked_for_without_client_credentials_grant() {
    let call = Play::start(with_app(message_with(RemoteStatus::Active))).call();
    assert_eq!(call.url.path(), "/oauth/service/token");
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body, json!({"service_id": "app-1", "service_secret": "hush"}));
}

#[test]
fn disagreement_17_each_app_calls_with_a_token_of_its_own() {
    let vcita = Vcita::new();
    let app = |id: &str, secret: &str| {
        let mut job = message_with(RemoteStatus::Active);
        job.secrets = json!({"url_secrets": [URL_SECRET], "client_id": id, "client_secret": secret});
        job
    };
    for (id, secret, token) in
        [("app-1", "hush", "Bearer one"), ("app-2", "hush", "Bearer two"), ("app-1", "other", "Bearer three")]
    {
        let mut play = Play::start_with(&vcita, app(id, secret), NOW).token(token);
        check(&play.call(), "POST", "/oauth/service/token", &json!({"service_id": id, "service_secret": secret}));
        play.answer(200, &token_answer(&token["Bearer ".len()..])).injects();
    }
    Play::start_with(&vcita, app("app-2", "hush"), NOW).token("Bearer two").injects();
}

proptest! {
    /// Whatever vcita answers, an attempt ends, and without a panic.
    #[test]
    fn every_attempt_ends(
        answers in prop::collection::vec((prop::sample::select(&[200u16, 201, 302, 400, 401, 403, 404, 409, 413, 422, 429, 500][..]),
            prop::sample::select(&["", "<", "{}", r#"{"errors":[{"code":"already_exists"}]}"#, r#"{"errors":[{"code":"too_long"}]}"#,
                r#"{"errors":[{"message":"session not active"}]}"#, r#"{"errors":[{"message":"contact"}]}"#,
                r#"{"error":"session"}"#, r#"{"access_token":"x"}"#,
                r#"{"data":{"client":{"id":"a"},"clients":[{"id":"b"}],"session":{"uid":"s","status":"active"}}}"#,
                r#"{"data":{"sessions":[{"uid":"s","status":"inactive"}]}}"#][..])), 60),
        address in prop::sample::select(&["chat-77", "iris@example.com", "+420700000000"][..]),
        status in prop::sample::select(&[None, Some(RemoteStatus::Pending), Some(RemoteStatus::Active), Some(RemoteStatus::Inactive),
            Some(RemoteStatus::Deleted)][..]),
        has_app: bool,
        is_shared: bool,
        age in 0u64..1000,
    ) {
        let mut job = status.map_or_else(message, message_with);
        job.conversation.visitor.address = address.to_owned();
        job.message.content.text = "one two three four".to_owned();
        job.account.settings["text_cap"] = json!(8);
        let mut job = if has_app { with_app(job) } else { job };
        if is_shared {
            job.secrets["token_keys"] = json!(["00".repeat(32)]);
        }
        let mut exchange = Vcita::new().exchange(job);
        let mut step = exchange.resume(Input::Start, later(age));
        let mut answers = answers.into_iter();
        loop {
            step = match step {
                Step::Finish(_) => break,
                Step::Bind { status, .. } => exchange.resume(Input::Bound(status), later(age)),
                Step::Grant(wanted) => {
                    // Somebody else is always a little faster.
                    let seen = match wanted {
                        GrantStep::Read { .. } => GrantSeen::Read(None),
                        GrantStep::BeginRenewal { .. } => GrantSeen::Begun(true),
                        GrantStep::Keep { .. } => GrantSeen::Kept(false),
                    };
                    exchange.resume(Input::Grant(seen), later(age))
                }
                Step::Call(_) => {
                    let (status, body) = answers.next().expect("the attempt does not end");
                    let status = StatusCode::from_u16(status).unwrap();
                    let answer = HttpAnswer { status, headers: HeaderMap::new(), body: Bytes::from_static(body.as_bytes()) };
                    exchange.resume(Input::Answered(Ok(answer)), later(age))
                }
            };
        }
    }
}

fn typing(status: RemoteStatus, is_typing: bool) -> TypingJob {
    let Job { account, secrets, thread, .. } = message_with(status);
    TypingJob { account, secrets, thread: thread.unwrap(), is_typing }
}

/// The call of V10, which must be this one.
fn typing_call(step: Step, bearer: &str, is_typing: bool) {
    let Step::Call(call) = step else { panic!("not a call: {step:?}") };
    assert_eq!(call.url.as_str(), "https://api.vcita.biz/business/communication/v1/sessions/typing");
    assert_eq!((call.method.as_str(), call.timeout), ("POST", Duration::from_secs(2)));
    assert_eq!(call.headers[AUTHORIZATION], bearer);
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body, json!({"session_uid": SESSION, "typing": is_typing}));
}

fn answered(status: u16) -> Input {
    let status = StatusCode::from_u16(status).unwrap();
    Input::Answered(Ok(HttpAnswer { status, headers: HeaderMap::new(), body: Bytes::from_static(b"{}") }))
}

#[test]
fn typing_is_one_call_of_two_seconds() {
    for is_typing in [true, false] {
        let mut exchange = Vcita::new().typing(typing(RemoteStatus::Active, is_typing)).unwrap();
        typing_call(exchange.resume(Input::Start, NOW), "Bearer tok", is_typing);
        let Step::Finish(outcome) = exchange.resume(answered(200), NOW) else { panic!() };
        assert_eq!(outcome, Outcome::Acknowledged { reference: None });
    }
}

#[test]
fn typing_goes_to_active_sessions_only() {
    for status in
        [RemoteStatus::Pending, RemoteStatus::Inactive, RemoteStatus::Blocked, RemoteStatus::Failed, RemoteStatus::Deleted]
    {
        assert!(Vcita::new().typing(typing(status, true)).is_none(), "{status:?}");
    }
}

#[test]
fn typing_that_is_refused_is_over() {
    for status in [400, 401, 404, 422, 429, 500] {
        let mut exchange = Vcita::new().typing(typing(RemoteStatus::Active, true)).unwrap();
        typing_call(exchange.resume(Input::Start, NOW), "Bearer tok", true);
        let Step::Finish(outcome) = exchange.resume(answered(status), NOW) else { panic!("{status}") };
        assert!(!matches!(outcome, Outcome::Acknowledged { .. }), "{status}");
    }
}

#[test]
fn typing_gets_a_token_in_two_seconds_and_renews_none() {
    let vcita = Vcita::new();
    let job = || {
        let mut job = typing(RemoteStatus::Active, true);
        job.secrets = with_app(message()).secrets;
        job
    };
    let token = || {
        let body = json!({"access_token": "one", "expires_in": 3600}).to_string();
        Input::Answered(Ok(HttpAnswer { status: StatusCode::OK, headers: HeaderMap::new(), body: body.into() }))
    };
    let asks = |step: Step| {
        let Step::Call(call) = step else { panic!("not a call: {step:?}") };
        assert_eq!((call.url.path(), call.timeout), ("/oauth/service/token", Duration::from_secs(2)));
    };
    let mut exchange = vcita.typing(job()).unwrap();
    asks(exchange.resume(Input::Start, NOW));
    typing_call(exchange.resume(token(), NOW), "Bearer one", true);
    let Step::Finish(_) = exchange.resume(answered(401), NOW) else { panic!("a refused token is not renewed for this") };
    // But it is forgotten.
    let mut exchange = vcita.typing(job()).unwrap();
    asks(exchange.resume(Input::Start, NOW));
}
