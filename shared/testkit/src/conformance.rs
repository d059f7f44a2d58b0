//! What every platform must do as a recipient, whichever it is.
//!
//! One test runs [`run`] for every platform, see `functions/outbound/tests/it/platforms.rs`. The suite knows the outbound
//! seam only; what is particular about a platform (which requests, which answers) is tested in that platform's crate.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use model::{DeliveryContent, DeliveryState, EpochMillis, LaneEntry, ReceiptStatus, RemoteStatus, RemoteThread};
use proptest::prelude::*;
use serde_json::Value;
use wire::{CallFailure, GrantSeen, HttpAnswer, HttpCall, Input, Job, Outbound, Outcome, Step};

use crate::fixtures::{NOW, sending};
use crate::{InMemoryGrants, ScriptedSender};

/// Calls and bindings after which an attempt must have ended: far below the most that the use case drives.
const MOST_STEPS: usize = 100;

/// A platform and what the suite tries it with.
pub struct Subject<'a> {
    /// The platform.
    pub outbound: &'a dyn Outbound,
    /// A message to one of its accounts, which can be rendered at once if `thread` is bound and active.
    pub job: Job,
    /// Answers the platform is known to give, so that an exchange gets beyond its first call: first what comes before the
    /// message itself can be sent (a token, say).
    pub answers: Vec<(u16, Value)>,
    /// The secrets of the account, as texts. With the message's text they must never be shown.
    pub secrets: Vec<&'static str>,
}

/// Runs the whole suite.
///
/// # Panics
/// If the platform breaks a rule.
pub fn run(subject: &Subject<'_>) {
    policies_are_within_bounds(subject.outbound);
    // Before what follows: a platform may remember for a while that it was refused.
    every_attempt_names_the_message(subject);
    every_exchange_ends(subject);
    unasked_input_does_no_harm(subject);
}

fn contents() -> Vec<DeliveryContent> {
    let receipts = ReceiptStatus::ALL.into_iter().map(DeliveryContent::Receipt);
    [DeliveryContent::Message, DeliveryContent::Chat].into_iter().chain(receipts).collect()
}

fn policies_are_within_bounds(outbound: &dyn Outbound) {
    for content in contents() {
        let policy = outbound.policy(content);
        assert!(policy.max_attempts >= 1, "{content:?}: no attempt");
        assert!(!policy.retry_delays.is_empty(), "{content:?}: no delay");
        assert!(policy.ack.window() > Duration::ZERO, "{content:?}: no time for an attempt");
        assert!(policy.give_up_after >= policy.ack.window(), "{content:?}: given up before the first attempt can end");
        for attempt in [1, 2, 3, 10, 1000, u32::MAX] {
            for dice in [0, 1, u16::MAX] {
                assert!(policy.retry_delay(attempt, dice) <= policy.delay_cap, "{content:?}: delay {attempt} above the cap");
            }
        }
    }
}

/// A situation in which an attempt begins, and what is answered in it.
#[derive(Debug, Clone)]
struct Scene {
    content: DeliveryContent,
    thread: Option<RemoteStatus>,
    installation: Option<RemoteStatus>,
    attempt: u32,
    /// Given in order, again from the first when they are used up; each after this many milliseconds.
    answers: Vec<(Result<HttpAnswer, CallFailure>, RemoteStatus, u64)>,
}

fn statuses() -> impl Strategy<Value = RemoteStatus> {
    prop::sample::select(vec![
        RemoteStatus::Pending,
        RemoteStatus::Active,
        RemoteStatus::Inactive,
        RemoteStatus::Blocked,
        RemoteStatus::Failed,
        RemoteStatus::Deleted,
    ])
}

fn answers(known: &[(u16, Value)]) -> impl Strategy<Value = Result<HttpAnswer, CallFailure>> + use<> {
    let known: Vec<HttpAnswer> = known.iter().map(|(status, body)| ScriptedSender::json(*status, body)).collect();
    let failures =
        [CallFailure::Unreachable, CallFailure::NoAnswer, CallFailure::ForbiddenTarget, CallFailure::AnswerTooLong].to_vec();
    let body = prop_oneof![
        Just(Bytes::new()),
        Just(Bytes::from_static(b"<html>Bad gateway</html>")),
        Just(Bytes::from_static(b"null")),
        Just(Bytes::from_static(br#"{"success":false,"errors":[{"code":"invalid","message":"no"}]}"#)),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from),
    ];
    let status = prop_oneof![prop::sample::select(vec![200u16, 201, 204, 302, 400, 401, 404, 409, 429, 500, 503]), 100u16..1000];
    let retry_after = prop::option::of(prop::sample::select(vec!["0", "7", "99999999999999999999", "soon"]));
    let any_answer = (status, body, retry_after).prop_map(|(status, body, retry_after)| {
        let wish = retry_after.map(|text| (HeaderName::from_static("retry-after"), HeaderValue::from_static(text)));
        HttpAnswer { status: StatusCode::from_u16(status).unwrap(), headers: wish.into_iter().collect::<HeaderMap>(), body }
    });
    prop_oneof![
        4 => prop::sample::select(known).prop_map(Ok),
        3 => any_answer.prop_map(Ok),
        1 => prop::sample::select(failures).prop_map(Err),
    ]
}

fn scenes(known: &[(u16, Value)]) -> impl Strategy<Value = Scene> + use<> {
    (
        prop::sample::select(contents()),
        prop::option::of(statuses()),
        prop::option::of(statuses()),
        1u32..5,
        prop::collection::vec((answers(known), statuses(), 0u64..20_000), 1..20),
    )
        .prop_map(|(content, thread, installation, attempt, answers)| Scene {
            content,
            thread,
            installation,
            attempt,
            answers,
        })
}

fn job_of(subject: &Subject<'_>, scene: &Scene) -> Job {
    let mut job = subject.job.clone();
    job.delivery.key.content = scene.content;
    job.delivery.state = attempt(subject.outbound, scene.content, scene.attempt);
    job.thread = scene.thread.map(thread);
    job.installation = scene.installation;
    job
}

fn attempt(outbound: &dyn Outbound, content: DeliveryContent, number: u32) -> DeliveryState {
    sending(number, NOW, NOW.plus(outbound.policy(content).ack.window()))
}

fn thread(status: RemoteStatus) -> RemoteThread {
    RemoteThread { id: "thread-1".to_owned(), status, changed_at: NOW, memo: model::Memo::new() }
}

/// What can be seen of a step in a log or a story. A recipient's own words are its responsibility and never logged.
fn shown(step: &Step) -> String {
    format!("{step:?}")
}

fn assert_nothing_private(subject: &Subject<'_>, shown: &str) {
    let texts = std::iter::once(subject.job.message.content.text.as_str()).chain(subject.secrets.iter().copied());
    for text in texts {
        assert!(!shown.contains(text), "a text that must stay private is in {shown}");
    }
}

fn every_exchange_ends(subject: &Subject<'_>) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) };
    proptest!(config, |(scene in scenes(&subject.answers))| {
        let mut exchange = subject.outbound.exchange(job_of(subject, &scene));
        let (mut now, mut input) = (NOW, Input::Start);
        let mut script = scene.answers.iter().cycle();
        let grants = InMemoryGrants::new();
        let mut last_failure = None;
        let mut steps = 0;
        loop {
            prop_assert!(steps < MOST_STEPS, "an exchange does not end");
            steps += 1;
            let step = exchange.resume(input, now);
            assert_nothing_private(subject, &shown(&step));
            let (answer, status, passed) = script.next().unwrap();
            now = now.plus(Duration::from_millis(*passed));
            match step {
                Step::Call(call) => {
                    prop_assert!(call.timeout > Duration::ZERO && call.timeout <= Duration::from_secs(60), "{:?}", call.timeout);
                    last_failure = answer.as_ref().err().copied();
                    input = Input::Answered(answer.clone());
                }
                Step::Bind { .. } => {
                    last_failure = None;
                    input = Input::Bound(*status);
                }
                Step::Grant(wanted) => {
                    last_failure = None;
                    input = Input::Grant(grants.see(wanted, now));
                }
                Step::Finish(outcome) => {
                    let not_seen = matches!(last_failure, Some(CallFailure::ForbiddenTarget | CallFailure::Unreachable));
                    let is_success = matches!(outcome, Outcome::Acknowledged { .. } | Outcome::Pushed { .. });
                    prop_assert!(!(not_seen && is_success), "{last_failure:?} was taken for {outcome:?}");
                    if let Outcome::Parked { until, .. } | Outcome::Unauthorised { until, .. } = outcome {
                        prop_assert!(until <= NOW.plus(Duration::from_secs(7 * 86_400)), "parked for ever");
                    }
                    break;
                }
            }
        }
    });
}

/// Answers to nothing, bindings of nothing, and going on after the end.
fn unasked_input_does_no_harm(subject: &Subject<'_>) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) };
    let inputs = prop::collection::vec((0u8..6, answers(&subject.answers), statuses()), 1..8);
    proptest!(config, |(scene in scenes(&subject.answers), inputs in inputs)| {
        let mut exchange = subject.outbound.exchange(job_of(subject, &scene));
        for (kind, answer, status) in inputs {
            let input = match kind {
                0 => Input::Start,
                1 => Input::Answered(answer),
                2 => Input::Bound(status),
                3 => Input::Grant(GrantSeen::Read(None)),
                4 => Input::Grant(GrantSeen::Begun(true)),
                _ => Input::Grant(GrantSeen::Kept(true)),
            };
            assert_nothing_private(subject, &shown(&exchange.resume(input, NOW)));
        }
    });
}

/// The recipient recognises a repetition by the message's id: every call that carries the text names it, in every attempt.
fn every_attempt_names_the_message(subject: &Subject<'_>) {
    let id = subject.job.message.id.to_string();
    for number in [1, 2, 3] {
        let mut job = subject.job.clone();
        job.delivery.state = attempt(subject.outbound, DeliveryContent::Message, number);
        job.thread = Some(thread(RemoteStatus::Active));
        job.installation = Some(RemoteStatus::Active);
        assert_eq!(job.delivery.key.entry(), LaneEntry { seq: job.message.id.seq(), receipt: None });
        let mut exchange = subject.outbound.exchange(job);
        let mut input = Input::Start;
        let mut answers = subject.answers.iter();
        let grants = InMemoryGrants::new();
        let call = loop {
            match exchange.resume(input, started(number)) {
                Step::Call(call) if call_text(&call).contains(&subject.job.message.content.text) => break call,
                Step::Call(_) => {
                    let (status, body) = answers.next().expect("the message is sent before the known answers are used up");
                    input = Input::Answered(Ok(ScriptedSender::json(*status, body)));
                }
                Step::Grant(wanted) => input = Input::Grant(grants.see(wanted, started(number))),
                step @ (Step::Bind { .. } | Step::Finish(_)) => panic!("attempt {number} does not send the message: {step:?}"),
            }
        };
        assert!(call_text(&call).contains(&id), "attempt {number} does not name the message");
    }
}

fn started(number: u32) -> EpochMillis {
    NOW.plus(Duration::from_secs(u64::from(number) * 100))
}

fn call_text(call: &HttpCall) -> String {
    format!("{} {}", call.url, String::from_utf8_lossy(&call.body))
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use http::Method;
    use model::{AckMode, Delivery, DeliveryPolicy};
    use serde_json::json;
    use url::Url;
    use wire::{Exchange, Terms};

    use super::*;
    use crate::fixtures::{desk_account_id, sample_account, sample_conversation, sample_delivery, sample_message};

    /// What is wrong with the invented platform.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Flaw {
        None,
        NoAttempt,
        NoDelay,
        NeverEnds,
        TellsTheText,
        TellsTheSecret,
        TakesForbiddenForSent,
        NewIdEachAttempt,
        PanicsWhenUnasked,
    }

    struct Invented(Flaw);

    struct Once(Flaw, Job);

    impl Terms for Invented {
        fn policy(&self, _content: DeliveryContent) -> DeliveryPolicy {
            DeliveryPolicy {
                ack: AckMode::InAnswer { lease: Duration::from_secs(60) },
                max_attempts: u32::from(self.0 != Flaw::NoAttempt),
                retry_delays: if self.0 == Flaw::NoDelay { Vec::new() } else { vec![Duration::from_secs(1)] },
                delay_cap: Duration::from_secs(60),
                jitter: false,
                give_up_after: Duration::from_secs(3600),
            }
        }
    }

    impl Outbound for Invented {
        fn exchange(&self, job: Job) -> Box<dyn Exchange> {
            Box::new(Once(self.0, job))
        }
    }

    impl Once {
        fn call(&self) -> Step {
            let attempt = match self.1.delivery.state {
                DeliveryState::Sending { attempt, .. } if self.0 == Flaw::NewIdEachAttempt => format!("attempt-{attempt}"),
                _ => self.1.message.id.to_string(),
            };
            Step::Call(HttpCall {
                method: Method::POST,
                url: Url::parse("https://recipient.example/push").unwrap(),
                headers: HeaderMap::new(),
                body: json!({"id": attempt, "text": self.1.message.content.text}).to_string().into(),
                timeout: Duration::from_secs(10),
            })
        }
    }

    impl Exchange for Once {
        fn resume(&mut self, input: Input, _now: EpochMillis) -> Step {
            let no = |reason: &str| Step::Finish(Outcome::Unanswered { retry_after: None, reason: reason.to_owned() });
            match (self.0, input) {
                (_, Input::Start) | (Flaw::NeverEnds, Input::Answered(_)) => self.call(),
                (Flaw::TellsTheText, Input::Answered(Err(_))) => no(&self.1.message.content.text),
                (Flaw::TellsTheSecret, Input::Answered(Err(_))) => no("key sesame refused"),
                (_, Input::Answered(Ok(_)))
                | (Flaw::TakesForbiddenForSent, Input::Answered(Err(CallFailure::ForbiddenTarget))) => {
                    Step::Finish(Outcome::Acknowledged { reference: None })
                }
                (_, Input::Answered(Err(_))) => no("no answer"),
                (Flaw::PanicsWhenUnasked, Input::Bound(_)) => std::panic::resume_unwind(Box::new("panics on purpose")),
                (_, Input::Bound(_) | Input::Grant(_)) => no("out of order"),
            }
        }
    }

    #[test]
    fn suite_takes_a_sound_platform_and_finds_each_flaw() {
        let conversation = sample_conversation(1);
        let message = sample_message(&conversation, 1);
        let delivery: Delivery = sample_delivery(&message, &desk_account_id());
        let account = sample_account(&desk_account_id());
        let job = Job { account, secrets: Value::Null, conversation, message, delivery, thread: None, installation: None };
        let is_found = |flaw: Flaw| {
            let subject =
                Subject { outbound: &Invented(flaw), job: job.clone(), answers: vec![(200, json!({}))], secrets: vec!["sesame"] };
            catch_unwind(AssertUnwindSafe(|| run(&subject))).is_err()
        };
        assert!(!is_found(Flaw::None));
        for flaw in [
            Flaw::NoAttempt,
            Flaw::NoDelay,
            Flaw::NeverEnds,
            Flaw::TellsTheText,
            Flaw::TellsTheSecret,
            Flaw::TakesForbiddenForSent,
            Flaw::NewIdEachAttempt,
            Flaw::PanicsWhenUnasked,
        ] {
            assert!(is_found(flaw), "{flaw:?} is not found");
        }
    }
}
