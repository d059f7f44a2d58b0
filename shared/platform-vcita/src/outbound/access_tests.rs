//! Tokens that all functions share: the rows of sections 8.5 and 9.4, and any interleaving of those who want one.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use model::{EpochMillis, Grant, RemoteStatus, StoredGrant};
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::InMemoryGrants;
use url::Url;
use wire::{CallFailure, Exchange, GrantSeen, GrantStep, HttpAnswer, HttpCall, Input, Job, Outbound as _, Outcome, Step};

use super::Vcita;
use super::tests::{
    NOW, Play, acknowledged, check, later, message_with, parked, token_answer, unanswered, unauthorised, with_app,
};
use crate::{Seals, Tokens, grant_name};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const NEW_KEY: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f";
const BEING_RENEWED: &str = "the token is being renewed";

/// The app's own token, shared.
fn service() -> Job {
    let mut job = with_app(message_with(RemoteStatus::Active));
    job.secrets["token_keys"] = json!([KEY]);
    job
}

/// A token that somebody of the business granted.
fn oauth() -> Job {
    let mut job = service();
    job.account.settings["token_source"] = json!("oauth");
    job
}

fn oauth_name() -> String {
    let api: Url = "https://api.vcita.biz".parse().unwrap();
    grant_name(&api, "app-1", Some("q7x2m9d4k1v8b3zt"))
}

/// What onboarding stores: the token `access`, and a refresh token if there is one.
fn authorised(grants: &InMemoryGrants, access: &str, refresh: Option<&str>, expires_at: Option<EpochMillis>) {
    let tokens = Tokens { access: access.to_owned(), refresh: refresh.map(str::to_owned), expires_at };
    let sealed = Seals::new(&[KEY]).unwrap().seal(&oauth_name(), &tokens);
    let rev = grants.peek().get(&oauth_name()).map_or(0, |stored| stored.rev);
    let grant = Grant { sealed, expires_at, refused: None };
    let kept = grants.see(GrantStep::Keep { name: oauth_name(), rev, grant }, NOW);
    assert!(matches!(kept, GrantSeen::Kept(true)));
    grants.operations();
}

fn only(grants: &InMemoryGrants) -> StoredGrant {
    let held = grants.peek();
    assert_eq!(held.len(), 1);
    held.into_values().next().unwrap()
}

/// What is sealed in the one grant.
fn opened(grants: &InMemoryGrants) -> Tokens {
    let (name, stored) = grants.peek().pop_first().unwrap();
    Seals::new(&[KEY]).unwrap().open(&name, &stored.grant.sealed.unwrap()).unwrap()
}

fn none() -> [&'static str; 0] {
    []
}

/// The first sandbox has asked for `one`, and has delivered with it; so has the second.
fn warm() -> (Arc<InMemoryGrants>, Vcita, Vcita) {
    let (grants, first, second) = (Arc::default(), Vcita::new(), Vcita::new());
    let play = Play::over(&grants, &first, service(), NOW).token("Bearer one");
    play.asks_token().answer(200, &token_answer("one")).injects().taken().ends(&acknowledged(None));
    assert_eq!(grants.operations(), ["grant", "begin_renewal", "keep_grant"]);
    Play::over(&grants, &second, service(), NOW).token("Bearer one").injects().taken().ends(&acknowledged(None));
    assert_eq!(grants.operations(), ["grant"], "another function asks nobody for a token");
    (grants, first, second)
}

impl Play {
    fn no_token(self) -> Self {
        self.answer(401, &json!({"message": "401 Unauthorized", "status": "Failure"}))
    }

    fn mismatch(self) -> Self {
        self.refuse(401, "unauthorized", "Unauthorized")
    }

    /// Expects P4 with this refresh token.
    fn refreshes(mut self, refresh: &str) -> Self {
        let call = self.call();
        assert!(!call.headers.contains_key(AUTHORIZATION));
        let body = json!({
            "grant_type": "refresh_token", "refresh_token": refresh, "client_id": "app-1", "client_secret": "hush"
        });
        check(&call, "POST", "/oauth/token", &body);
        self
    }
}

// Where tokens are.

#[test]
fn usable_token_in_memory_costs_nothing() {
    let (grants, first, second) = warm();
    for vcita in [&first, &second] {
        Play::over(&grants, vcita, service(), later(3539)).token("Bearer one").injects().taken().ends(&acknowledged(None));
    }
    assert_eq!(grants.operations(), none());
}

#[test]
fn what_is_stored_shows_no_secret() {
    let (grants, ..) = warm();
    let shown = format!("{:?}", grants.peek());
    for secret in ["\"one\"", "hush", "app-1", KEY] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert_eq!(opened(&grants).access, "one");
    assert_eq!(only(&grants).grant.expires_at, Some(later(3600)));
}

#[test]
fn both_sources_and_another_secret_have_grants_of_their_own() {
    let (grants, ..) = warm();
    authorised(&grants, "granted", None, None);
    Play::over(&grants, &Vcita::new(), oauth(), NOW).token("Bearer granted").injects().taken().ends(&acknowledged(None));
    let mut stranger = service();
    stranger.secrets["client_secret"] = json!("guessed");
    let call = Play::over(&grants, &Vcita::new(), stranger, NOW).call();
    assert_eq!(call.url.path(), "/oauth/service/token");
    let mut sibling = service();
    sibling.account.settings["business_uid"] = json!("another");
    Play::over(&grants, &Vcita::new(), sibling, NOW).asks_token();
}

#[test]
fn granted_token_needs_keys_to_be_kept_with() {
    let mut job = oauth();
    job.secrets["token_keys"] = Value::Null;
    Play::over(&Arc::default(), &Vcita::new(), job, NOW)
        .ends(&unanswered("vcita configuration: token_source oauth needs the secret token_keys"));
}

#[test]
fn previous_key_still_opens_and_the_next_renewal_uses_the_current_one() {
    let grants = Arc::default();
    authorised(&grants, "granted", Some("r-1"), None);
    let mut job = oauth();
    job.secrets["token_keys"] = json!([NEW_KEY, KEY]);
    let play = Play::over(&grants, &Vcita::new(), job, NOW).token("Bearer granted").injects().no_token();
    play.refreshes("r-1").answer(200, &token_answer("two")).token("Bearer two").injects();
    let sealed = only(&grants).grant.sealed.unwrap();
    assert_eq!(Seals::new(&[NEW_KEY]).unwrap().open(&oauth_name(), &sealed).unwrap().access, "two");
}

#[test]
fn granted_token_that_no_key_opens_is_left_as_it_is() {
    let grants = Arc::default();
    authorised(&grants, "granted", Some("r-1"), None);
    let before = grants.peek();
    let mut job = oauth();
    job.secrets["token_keys"] = json!([NEW_KEY]);
    let end = unauthorised(300, "configuration error: no token key opens the stored token", true);
    Play::over(&grants, &Vcita::new(), job, NOW).ends(&end);
    assert_eq!(grants.peek(), before);
}

#[test]
fn app_token_that_no_key_opens_is_asked_for_again() {
    let (grants, ..) = warm();
    let mut job = service();
    job.secrets["token_keys"] = json!([NEW_KEY]);
    Play::over(&grants, &Vcita::new(), job, NOW).asks_token();
}

#[test]
fn token_of_twenty_years_and_one_that_says_no_end_are_used() {
    for (expires_at, at) in [(Some(later(631_139_040)), 600_000_000), (None, 900_000_000)] {
        let grants = Arc::default();
        authorised(&grants, "granted", None, expires_at);
        Play::over(&grants, &Vcita::new(), oauth(), later(at)).token("Bearer granted").injects();
    }
}

// Section 8.5.

#[test]
fn step_2_token_that_another_worker_replaced_is_tried_once() {
    let (grants, first, second) = warm();
    let slow = Play::over(&grants, &second, service(), later(1)).token("Bearer one").injects();
    let play = Play::over(&grants, &first, service(), later(1)).token("Bearer one").injects().no_token();
    play.asks_token().answer(200, &token_answer("two")).token("Bearer two").injects();
    grants.operations();
    slow.no_token().token("Bearer two").injects().taken().ends(&acknowledged(None));
    assert_eq!(grants.operations(), ["grant"]);
}

#[test]
fn step_2_token_in_memory_that_is_two_renewals_old_does_not_end_in_a_refusal() {
    let (grants, first, second) = warm();
    let play = Play::over(&grants, &first, service(), later(1)).token("Bearer one").injects().no_token();
    play.asks_token().answer(200, &token_answer("two")).token("Bearer two").injects().taken();
    // Then that one is refused too, and the second sandbox is the first to notice.
    let play = Play::over(&grants, &second, service(), later(2)).token("Bearer one").injects().no_token();
    let play = play.token("Bearer two").injects().no_token();
    let play = play.asks_token().answer(200, &token_answer("three")).token("Bearer three").injects();
    play.taken().ends(&acknowledged(None));
    assert_eq!(opened(&grants).access, "three");
}

#[test]
fn step_3a_granted_token_is_renewed_with_its_refresh_token() {
    for (answered, kept) in [(json!("r-2"), "r-2"), (Value::Null, "r-1")] {
        let grants = Arc::default();
        authorised(&grants, "granted", Some("r-1"), Some(later(631_139_040)));
        let play = Play::over(&grants, &Vcita::new(), oauth(), NOW).token("Bearer granted").injects().no_token();
        let answer = json!({"access_token": "two", "expires_in": 7200, "created_at": 1_772_633_109, "refresh_token": answered});
        play.refreshes("r-1").answer(200, &answer).token("Bearer two").injects().taken().ends(&acknowledged(None));
        let expected = Tokens { access: "two".to_owned(), refresh: Some(kept.to_owned()), expires_at: Some(later(7200)) };
        assert_eq!(opened(&grants), expected);
        assert_eq!((only(&grants).rev, only(&grants).grant.refused), (2, None));
    }
}

#[test]
fn step_3a_token_that_is_over_is_renewed_before_the_first_call() {
    let grants = Arc::default();
    authorised(&grants, "granted", Some("r-1"), Some(later(3600)));
    let play = Play::over(&grants, &Vcita::new(), oauth(), later(3540));
    play.refreshes("r-1").answer(200, &token_answer("two")).token("Bearer two").injects();
}

#[test]
fn step_3b_app_token_is_asked_for_again() {
    let (grants, first, _) = warm();
    let play = Play::over(&grants, &first, service(), later(1)).token("Bearer one").injects().no_token();
    play.asks_token().answer(200, &token_answer("two")).token("Bearer two").injects().taken().ends(&acknowledged(None));
    assert_eq!(grants.operations(), ["grant", "begin_renewal", "keep_grant"]);
}

#[test]
fn step_3c_token_that_nothing_renews_needs_a_new_authorisation() {
    let grants = Arc::default();
    authorised(&grants, "granted", None, None);
    let play = Play::over(&grants, &Vcita::new(), oauth(), NOW).token("Bearer granted").injects().no_token();
    play.ends(&unauthorised(300, "reauth_required", true));
    let grant = only(&grants).grant;
    assert_eq!((grant.refused.as_deref(), grant.expires_at), (Some("reauth_required"), None));
    assert_eq!(grants.operations(), ["grant", "grant", "keep_grant"], "before the call, after it, and the mark");
}

#[test]
fn step_3c_token_that_is_over_and_that_nothing_renews_is_not_even_tried() {
    let grants = Arc::default();
    authorised(&grants, "granted", None, Some(later(3600)));
    let vcita = Vcita::new();
    Play::over(&grants, &vcita, oauth(), later(3600)).ends(&unauthorised(3900, "reauth_required", true));
    Play::over(&grants, &vcita, oauth(), later(3601)).ends(&unauthorised(3901, "reauth_required", false));
}

#[test]
fn step_4_second_401_after_the_renewal_needs_a_new_authorisation() {
    let (grants, first, _) = warm();
    let play = Play::over(&grants, &first, service(), later(1)).token("Bearer one").injects().no_token();
    let play = play.asks_token().answer(200, &token_answer("two")).token("Bearer two").injects().no_token();
    play.ends(&unauthorised(301, "reauth_required", true));
    assert_eq!(only(&grants).grant.refused.as_deref(), Some("reauth_required"));
}

#[test]
fn step_5_nobody_calls_with_a_refused_grant_until_it_is_granted_anew() {
    let grants = Arc::default();
    authorised(&grants, "granted", None, None);
    let (first, second) = (Vcita::new(), Vcita::new());
    let play = Play::over(&grants, &first, oauth(), NOW).token("Bearer granted").injects().no_token();
    play.ends(&unauthorised(300, "reauth_required", true));
    grants.operations();
    for (vcita, at) in [(&first, 300), (&second, 300), (&second, 86_000)] {
        Play::over(&grants, vcita, oauth(), later(at)).ends(&unauthorised(at + 300, "reauth_required", false));
        assert_eq!(grants.operations(), ["grant"]);
    }
    authorised(&grants, "anew", None, None);
    for vcita in [&first, &second] {
        Play::over(&grants, vcita, oauth(), later(86_300)).token("Bearer anew").injects().taken().ends(&acknowledged(None));
    }
}

#[test]
fn step_5_refusal_of_the_app_itself_is_doubted_after_a_quarter_of_an_hour() {
    let (grants, first, second) = warm();
    Play::over(&grants, &first, service(), NOW)
        .token("Bearer one")
        .injects()
        .refuse(403, "unauthorized", "no")
        .ends(&unauthorised(300, "reauth_required: vcita answered 403", true));
    let end = unauthorised(900, "reauth_required: vcita answered 403", false);
    let third = Vcita::new();
    Play::over(&grants, &third, service(), later(899)).ends(&end);
    // One tries; the others wait for it.
    let play = Play::over(&grants, &third, service(), later(900)).asks_token();
    Play::over(&grants, &Vcita::new(), service(), later(900)).ends(&parked(902, BEING_RENEWED));
    play.answer(200, &token_answer("two")).token("Bearer two").injects().taken().ends(&acknowledged(None));
    assert_eq!(only(&grants).grant.refused, None);
    drop(second);
}

#[test]
fn business_that_nobody_has_authorised_yet_waits_for_it() {
    let grants = Arc::default();
    let vcita = Vcita::new();
    Play::over(&grants, &vcita, oauth(), NOW).ends(&unauthorised(300, "reauth_required: not authorised yet", false));
    assert_eq!(grants.operations(), ["grant"]);
    assert!(grants.peek().is_empty(), "nothing is in onboarding's way");
    authorised(&grants, "granted", None, None);
    Play::over(&grants, &vcita, oauth(), later(300)).token("Bearer granted").injects();
}

// The right to renew.

#[test]
fn whoever_meets_a_renewal_comes_again_without_calling() {
    let grants = Arc::default();
    let first = Play::over(&grants, &Vcita::new(), service(), NOW).asks_token();
    let second = Vcita::new();
    Play::over(&grants, &second, service(), later(1)).ends(&parked(3, BEING_RENEWED));
    Play::over(&grants, &second, service(), later(19)).ends(&parked(20, BEING_RENEWED));
    first.answer(200, &token_answer("one")).token("Bearer one").injects();
    Play::over(&grants, &second, service(), later(3)).token("Bearer one").injects();
}

#[test]
fn whoever_meets_the_renewal_of_a_token_in_its_last_minute_uses_it_meanwhile() {
    let (grants, first, second) = warm();
    let renewing = Play::over(&grants, &first, service(), later(3545)).asks_token();
    Play::over(&grants, &second, service(), later(3545)).token("Bearer one").injects().taken().ends(&acknowledged(None));
    Play::over(&grants, &second, service(), later(3590)).asks_token();
    drop(renewing);
    let (grants, first, second) = warm();
    let _renewing = Play::over(&grants, &first, service(), later(3589)).asks_token();
    Play::over(&grants, &second, service(), later(3590)).ends(&parked(3592, BEING_RENEWED));
}

#[test]
fn renewal_whose_worker_died_is_made_again_after_twenty_seconds() {
    let grants = Arc::default();
    authorised(&grants, "granted", Some("r-1"), Some(later(1)));
    let died = Play::over(&grants, &Vcita::new(), oauth(), NOW).refreshes("r-1");
    drop(died);
    let vcita = Vcita::new();
    Play::over(&grants, &vcita, oauth(), later(19)).ends(&parked(20, BEING_RENEWED));
    let again = || Play::over(&grants, &vcita, oauth(), later(20)).refreshes("r-1");
    // It was good for one use only: the successor is lost with the worker.
    let refused = json!({"error": "invalid_grant", "error_description": "The refresh token is invalid"});
    again().answer(400, &refused).ends(&unauthorised(320, "reauth_required", true));
    assert_eq!(only(&grants).grant.refused.as_deref(), Some("reauth_required"));
}

#[test]
fn renewal_that_fails_for_now_is_left_to_whoever_comes_after_it() {
    for failed in [
        |play: Play| play.answer(503, &Value::Null).ends(&unanswered("vcita answered 503")),
        |play: Play| play.fail(CallFailure::NoAnswer).ends(&unanswered("no answer in time")),
        |play: Play| play.answer(200, &json!({})).ends(&unanswered("vcita's token answer cannot be read")),
    ] {
        let (grants, vcita) = (Arc::default(), Vcita::new());
        failed(Play::over(&grants, &vcita, service(), NOW).asks_token());
        assert_eq!(only(&grants).grant, Grant::default(), "nothing is marked");
        Play::over(&grants, &vcita, service(), later(4)).ends(&parked(6, BEING_RENEWED));
        Play::over(&grants, &vcita, service(), later(20)).asks_token().answer(200, &token_answer("one"));
        assert_eq!(opened(&grants).access, "one");
    }
}

#[test]
fn authorisation_during_a_renewal_counts() {
    let grants = Arc::default();
    authorised(&grants, "granted", Some("r-1"), Some(later(1)));
    let renewing = Play::over(&grants, &Vcita::new(), oauth(), NOW).refreshes("r-1");
    authorised(&grants, "anew", Some("r-9"), None);
    renewing.answer(200, &token_answer("two")).token("Bearer anew").injects().taken().ends(&acknowledged(None));
    assert_eq!(opened(&grants).access, "anew");
}

#[test]
fn authorisation_before_the_mark_of_a_refusal_counts() {
    let grants = Arc::default();
    authorised(&grants, "granted", None, None);
    let refused = Play::over(&grants, &Vcita::new(), oauth(), NOW).token("Bearer granted").injects();
    authorised(&grants, "anew", None, None);
    refused.refuse(403, "unauthorized", "no").ends(&parked(2, BEING_RENEWED));
    assert_eq!(only(&grants).grant.refused, None);
}

#[test]
fn app_that_cannot_prove_itself_keeps_what_was_granted_and_tries_again_later() {
    let grants = Arc::default();
    authorised(&grants, "granted", Some("r-1"), Some(later(1)));
    let vcita = Vcita::new();
    let reason = "configuration error: client id or secret refused";
    let refused = json!({"error": "invalid_client", "error_description": "no"});
    for status in [400, 401, 403] {
        let at = 1000 * (status - 400);
        let play = Play::over(&grants, &vcita, oauth(), later(at.into())).refreshes("r-1");
        play.answer(status, &refused).ends(&unauthorised(u64::from(at) + 300, reason, true));
        assert_eq!(opened(&grants).refresh.as_deref(), Some("r-1"));
        Play::over(&grants, &vcita, oauth(), later(u64::from(at) + 899)).ends(&unauthorised(u64::from(at) + 900, reason, false));
    }
}

// Section 9.4.

#[test]
fn row_1_token_problem_is_renewed_once() {
    for body in [
        json!({"success": false, "errors": [{"code": "unauthorized", "message": "401 Unauthorized"}]}),
        json!({"message": "401 Unauthorized", "status": "Failure"}),
        Value::Null,
    ] {
        let (grants, first, _) = warm();
        let play = Play::over(&grants, &first, service(), NOW).token("Bearer one").injects().answer(401, &body);
        play.asks_token().answer(200, &token_answer("two")).token("Bearer two").injects().taken().ends(&acknowledged(None));
    }
}

#[test]
fn row_2_mismatch_is_renewed_once_at_most() {
    let (grants, first, second) = warm();
    let reason = "reauth_required: business_mismatch";
    let slow = Play::over(&grants, &second, service(), NOW).token("Bearer one").injects();
    let play = Play::over(&grants, &first, service(), NOW).token("Bearer one").injects().mismatch();
    let play = play.asks_token().answer(200, &token_answer("two")).token("Bearer two").injects();
    // Who meets the renewed token, which is no better, does not renew it once more.
    slow.mismatch().token("Bearer two").injects().mismatch().ends(&unauthorised(300, reason, true));
    play.mismatch().ends(&unauthorised(300, reason, false));
    assert_eq!(only(&grants).grant.refused.as_deref(), Some(reason));
}

#[test]
fn row_2_mismatch_of_a_granted_token_that_nothing_renews_says_so() {
    let grants = Arc::default();
    authorised(&grants, "granted", None, None);
    let play = Play::over(&grants, &Vcita::new(), oauth(), NOW).token("Bearer granted").injects().mismatch();
    play.ends(&unauthorised(300, "reauth_required: business_mismatch", true));
}

#[test]
fn row_3_configuration_error_is_not_renewed() {
    let reason = "configuration error: vcita refuses the app for this business";
    let (grants, first, _) = warm();
    let play = Play::over(&grants, &first, service(), NOW).token("Bearer one").injects();
    play.answer(401, &json!({"error": "Unauthorized"})).ends(&unauthorised(300, reason, true));
    assert_eq!(only(&grants).grant.refused.as_deref(), Some(reason));
    // What was granted is good as soon as the configuration is.
    let grants = Arc::default();
    authorised(&grants, "granted", None, None);
    let vcita = Vcita::new();
    let play = Play::over(&grants, &vcita, oauth(), NOW).token("Bearer granted").injects();
    play.answer(401, &json!({"error": "Unauthorized"})).ends(&unauthorised(300, reason, true));
    Play::over(&grants, &vcita, oauth(), later(899)).ends(&unauthorised(900, reason, false));
    Play::over(&grants, &vcita, oauth(), later(900)).token("Bearer granted").injects().taken().ends(&acknowledged(None));
}

#[test]
fn forbidden_is_marked_at_once() {
    let grants = Arc::default();
    authorised(&grants, "granted", Some("r-1"), None);
    let play = Play::over(&grants, &Vcita::new(), oauth(), NOW).token("Bearer granted").injects();
    play.refuse(403, "unauthorized", "no").ends(&unauthorised(300, "reauth_required: vcita answered 403", true));
    let grant = only(&grants).grant;
    assert_eq!((grant.refused.as_deref(), grant.expires_at), (Some("reauth_required: vcita answered 403"), None));
}

// Any interleaving.

/// vcita, as far as tokens go: one is good at a time.
#[derive(Default)]
struct Issuer {
    issued: u32,
    good: Option<String>,
    /// Tokens issued since the last expiry.
    since_expiry: u32,
    most_since_expiry: u32,
}

impl Issuer {
    fn expire(&mut self) {
        self.good = None;
        self.since_expiry = 0;
    }

    fn answer(&mut self, call: &HttpCall) -> HttpAnswer {
        let (status, body) = if call.url.path() == "/oauth/service/token" {
            self.issued += 1;
            self.since_expiry += 1;
            self.most_since_expiry = self.most_since_expiry.max(self.since_expiry);
            let token = format!("token-{}", self.issued);
            self.good = Some(token.clone());
            (200, token_answer(&token))
        } else {
            let given = call.headers[AUTHORIZATION].to_str().unwrap();
            match &self.good {
                Some(good) if given == format!("Bearer {good}") => (201, json!({"success": true, "data": {}})),
                _ => (401, json!({"message": "401 Unauthorized", "status": "Failure"})),
            }
        };
        HttpAnswer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::from(body.to_string()),
        }
    }
}

/// A delivery whose attempts follow each other.
struct Delivery {
    vcita: usize,
    exchange: Option<Box<dyn Exchange>>,
    step: Option<Step>,
    not_before: EpochMillis,
    is_done: bool,
}

struct Crowd {
    vcitas: Vec<Vcita>,
    deliveries: Vec<Delivery>,
    grants: InMemoryGrants,
    issuer: Issuer,
    now: EpochMillis,
}

impl Crowd {
    fn new(deliveries: usize, sandboxes: usize) -> Self {
        let delivery = |n| Delivery { vcita: n % sandboxes, exchange: None, step: None, not_before: NOW, is_done: false };
        Self {
            vcitas: (0..sandboxes).map(|_| Vcita::new()).collect(),
            deliveries: (0..deliveries).map(delivery).collect(),
            grants: InMemoryGrants::new(),
            issuer: Issuer::default(),
            now: NOW,
        }
    }

    /// Does the next thing of one delivery.
    fn go_on(&mut self, which: usize) {
        let delivery = &mut self.deliveries[which];
        if delivery.is_done || self.now < delivery.not_before {
            return;
        }
        let input = match delivery.step.take() {
            None => {
                delivery.exchange = Some(self.vcitas[delivery.vcita].exchange(service()));
                Input::Start
            }
            Some(Step::Call(call)) => Input::Answered(Ok(self.issuer.answer(&call))),
            Some(Step::Grant(wanted)) => Input::Grant(self.grants.see(wanted, self.now)),
            Some(step) => panic!("not of a message to an active session: {step:?}"),
        };
        match delivery.exchange.as_mut().unwrap().resume(input, self.now) {
            Step::Finish(Outcome::Acknowledged { .. }) => delivery.is_done = true,
            Step::Finish(Outcome::Parked { until, .. } | Outcome::Unauthorised { until, .. }) => delivery.not_before = until,
            Step::Finish(other) => panic!("{other:?}"),
            step => delivery.step = Some(step),
        }
    }

    fn finish(&mut self) {
        for _ in 0..10_000 {
            for which in 0..self.deliveries.len() {
                self.go_on(which);
            }
            if self.deliveries.iter().all(|delivery| delivery.is_done) {
                return;
            }
            self.now = self.now.plus(Duration::from_millis(500));
        }
        panic!("somebody never gets through");
    }
}

proptest! {
    /// Whoever goes on when, and whenever vcita ends the tokens: each end is followed by one renewal at most, and in
    /// the end everybody gets through.
    #[test]
    fn any_interleaving_renews_once_per_expiry(
        deliveries in 1usize..12,
        sandboxes in 1usize..4,
        // 0: vcita ends the tokens; 1: a little time passes; else somebody goes on.
        order in prop::collection::vec((0u8..40, any::<prop::sample::Index>()), 0..300),
    ) {
        let mut crowd = Crowd::new(deliveries, sandboxes);
        for (what, who) in order {
            match what {
                0 => crowd.issuer.expire(),
                // All of it stays below the twenty seconds after which a renewal is taken for dead.
                1 => crowd.now = crowd.now.plus(Duration::from_millis(50)),
                _ => crowd.go_on(who.index(deliveries)),
            }
        }
        let expiries = crowd.issuer.most_since_expiry;
        prop_assert!(expiries <= 1, "{expiries} renewals after one expiry");
        crowd.finish();
        let after = crowd.issuer.since_expiry;
        prop_assert!(after <= 1 || crowd.now > later(20), "{after} renewals");
    }
}

#[test]
fn token_that_ends_in_the_middle_of_a_hundred_pushes_is_renewed_once() {
    let mut crowd = Crowd::new(100, 10);
    for which in 0..10 {
        // Each sandbox has the first token.
        while !crowd.deliveries[which].is_done {
            crowd.go_on(which);
        }
    }
    assert_eq!(crowd.issuer.issued, 1);
    for which in 10..100 {
        crowd.go_on(which);
    }
    crowd.issuer.expire();
    crowd.finish();
    assert_eq!(crowd.issuer.issued, 2);
    assert!(crowd.now < later(5), "nobody waits for long");
}
