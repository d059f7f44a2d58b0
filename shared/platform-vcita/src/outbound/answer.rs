//! What an answer of vcita means (sections 3, 9.4 and 10).

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use model::EpochMillis;
use serde_json::Value;
use wire::{CallFailure, HttpAnswer, Outcome};

/// No wish to come again is followed for longer: a mistaken header must not outlive the delivery.
const LONGEST_WISH: Duration = Duration::from_secs(3600);

/// The longest error text that is kept.
const LONGEST_TEXT: usize = 500;

/// An answer, sorted.
pub(crate) enum Read {
    /// It was done. The body may still be unreadable, which changes nothing about that.
    Success(Bytes),
    /// It was refused; what that means depends on what was asked.
    Refused(Refusal),
    /// The token was refused.
    Unauthorized(Unauthorized),
    /// We may not do this (403).
    Forbidden,
    /// It may or may not have been done, or cannot be for now: the attempt is over.
    Unusable(Outcome),
}

/// Which 401 it is (section 9.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unauthorized {
    /// The token is missing, unknown or expired, or nothing says more.
    Token,
    /// The token is good, but for another business or kind.
    Mismatch,
    /// The directory or the business does not have the app: no token will do.
    Configuration,
}

/// A refusal and the reasons given, whichever envelope they came in.
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    errors: Vec<Reason>,
}

#[derive(Default)]
struct Reason {
    code: String,
    message: String,
    field: String,
}

impl Refusal {
    /// An earlier attempt got through.
    pub(crate) fn is_already_there(&self) -> bool {
        self.errors.iter().any(|e| {
            matches!(e.code.as_str(), "already_exists" | "duplicate") || e.message.to_lowercase().contains("already exist")
        })
    }

    /// Whether a reason has this code.
    pub(crate) fn is_of(&self, code: &str) -> bool {
        self.errors.iter().any(|e| e.code == code)
    }

    pub(crate) fn is_too_long(&self) -> bool {
        self.is_of("too_long")
    }

    /// The session or the channel is not active. No code says so: the text does (section 10).
    pub(crate) fn is_not_active(&self) -> bool {
        self.errors.iter().any(|e| {
            let text = e.message.to_lowercase();
            text.contains("active") && (text.contains("session") || text.contains("channel"))
        })
    }

    /// The channel itself is what is missing (404 of section 10), and nothing that could be replaced. Only where a reason
    /// says so: a path that is not there answers 404 too, and a channel that is gone is gone for good.
    pub(crate) fn is_channel_gone(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.is_about("channel") && !self.is_about("session") && !self.is_about("contact")
    }

    /// Whether a reason is about `thing`, by its text or its field.
    pub(crate) fn is_about(&self, thing: &str) -> bool {
        self.errors.iter().any(|e| e.message.to_lowercase().contains(thing) || e.field.to_lowercase().contains(thing))
    }

    /// The refusal as the end of the delivery, with the text that was given.
    pub(crate) fn rejected(&self) -> Outcome {
        if self.is_channel_gone() {
            return Outcome::Uninstalled { detail: self.detail() };
        }
        Outcome::Rejected { detail: self.detail() }
    }

    /// Status and reasons as text.
    pub(crate) fn detail(&self) -> String {
        let mut detail = format!("HTTP {}", self.status.as_u16());
        for error in &self.errors {
            for part in [&error.code, &error.field, &error.message] {
                if !part.is_empty() {
                    detail.push_str(": ");
                    detail.push_str(part);
                }
            }
        }
        detail.chars().take(LONGEST_TEXT).collect()
    }
}

/// An attempt that may be repeated as it is.
pub(crate) fn unanswered(reason: impl Into<String>) -> Outcome {
    Outcome::Unanswered { retry_after: None, reason: reason.into() }
}

pub(crate) fn read(result: Result<HttpAnswer, CallFailure>, now: EpochMillis) -> Read {
    let answer = match result {
        Ok(answer) => answer,
        Err(failure) => return Read::Unusable(unanswered(failure.to_string())),
    };
    let status = answer.status;
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    if status.is_success() {
        // A front door that wraps a refusal in a 200 says so in its envelope.
        let says_no = body.as_ref().is_some_and(|b| b["success"] == false || b["status"] == "Error");
        if !says_no {
            return Read::Success(answer.body);
        }
    }
    let errors = reasons(body.as_ref());
    let is_timeout = errors.iter().any(|e| e.code == "timeout");
    match status.as_u16() {
        401 => Read::Unauthorized(unauthorized(body.as_ref())),
        403 => Read::Forbidden,
        408 | 429 | 500..=599 => Read::Unusable(later(&answer, now)),
        200..=299 | 400..=499 if !is_timeout => Read::Refused(Refusal { status, errors }),
        _ => Read::Unusable(later(&answer, now)),
    }
}

fn later(answer: &HttpAnswer, now: EpochMillis) -> Outcome {
    let retry_after = answer.retry_after(now.seconds()).map(|wish| wish.min(LONGEST_WISH));
    let reason = format!("vcita answered {}", answer.status.as_u16());
    match answer.status {
        // We were too fast; that is no fault of the message, so it does not count as an attempt.
        StatusCode::TOO_MANY_REQUESTS => Outcome::PutOff { retry_after, reason },
        _ => Outcome::Unanswered { retry_after, reason },
    }
}

fn unauthorized(body: Option<&Value>) -> Unauthorized {
    let Some(body) = body else { return Unauthorized::Token };
    if body["errors"][0]["message"] == "Unauthorized" {
        Unauthorized::Mismatch
    } else if body["error"] == "Unauthorized" {
        Unauthorized::Configuration
    } else {
        Unauthorized::Token
    }
}

/// The reasons in any of the envelopes of section 3; none for an empty or an HTML body.
fn reasons(body: Option<&Value>) -> Vec<Reason> {
    let Some(body) = body else { return Vec::new() };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let Some(errors) = body["errors"].as_array() {
        let reason = |e: &Value| match e {
            Value::String(message) => Reason { message: message.clone(), ..Reason::default() },
            _ => Reason { code: text(&e["code"]), message: text(&e["message"]), field: text(&e["field"]) },
        };
        return errors.iter().map(reason).collect();
    }
    // `error` is a code only in the OAuth pair; in the other shapes it is the text.
    let (error, message, description) = (text(&body["error"]), text(&body["message"]), text(&body["error_description"]));
    let reason = match (error.is_empty(), description.is_empty()) {
        (false, false) => Reason { code: error, message: description, ..Reason::default() },
        (false, true) => Reason { message: error, ..Reason::default() },
        (true, _) if message.is_empty() => return Vec::new(),
        (true, _) => Reason { message, ..Reason::default() },
    };
    vec![reason]
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use proptest::prelude::*;

    use super::*;

    const NOW: EpochMillis = EpochMillis::new(1_767_225_600_000);

    fn answer(status: u16, body: &str) -> HttpAnswer {
        HttpAnswer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    fn detail(status: u16, body: &str) -> String {
        match read(Ok(answer(status, body)), NOW) {
            Read::Refused(refusal) => match refusal.rejected() {
                Outcome::Rejected { detail } => detail,
                other => panic!("{other:?}"),
            },
            _ => panic!("not a refusal: {status} {body}"),
        }
    }

    fn outcome(result: Result<HttpAnswer, CallFailure>) -> Outcome {
        match read(result, NOW) {
            Read::Unusable(outcome) => outcome,
            _ => panic!("usable"),
        }
    }

    #[test]
    fn every_error_envelope_is_survived() {
        for (body, expected) in [
            (
                r#"{"success":false,"errors":[{"code":"already_exists","message":"Session already exist"}]}"#,
                "HTTP 422: already_exists: Session already exist",
            ),
            (r#"{"errors":[{"code":"invalid","message":"bad","field":"x"},"more"]}"#, "HTTP 422: invalid: x: bad: more"),
            (r#"{"status":"Error","error":"no"}"#, "HTTP 422: no"),
            (r#"{"status":"Error","message":"no"}"#, "HTTP 422: no"),
            (r#"{"message":"no","status":"Failure"}"#, "HTTP 422: no"),
            (r#"{"error":"Unauthorized"}"#, "HTTP 422: Unauthorized"),
            (r#"{"error":"invalid_grant","error_description":"stale"}"#, "HTTP 422: invalid_grant: stale"),
            ("", "HTTP 422"),
            ("<html><body>Bad gateway</body></html>", "HTTP 422"),
            ("[]", "HTTP 422"),
            ("null", "HTTP 422"),
            (r#"{"errors":[7,null,{}]}"#, "HTTP 422"),
            (r#"{"errors":"x","error":{"a":1}}"#, "HTTP 422"),
        ] {
            assert_eq!(detail(422, body), expected, "{body}");
        }
    }

    #[test]
    fn transient_answers_are_told_from_refusals() {
        for status in [301, 302, 408, 500, 502, 503, 504, 599] {
            let expected = Outcome::Unanswered { retry_after: None, reason: format!("vcita answered {status}") };
            assert_eq!(outcome(Ok(answer(status, "<html>"))), expected);
        }
        let too_fast = Outcome::PutOff { retry_after: None, reason: "vcita answered 429".to_owned() };
        assert_eq!(outcome(Ok(answer(429, ""))), too_fast);
        for status in [400, 404, 405, 409, 410, 413, 422] {
            assert!(matches!(read(Ok(answer(status, "")), NOW), Read::Refused(_)), "{status}");
        }
        assert!(matches!(read(Ok(answer(403, "")), NOW), Read::Forbidden));
        assert_eq!(outcome(Ok(answer(422, r#"{"errors":[{"code":"timeout"}]}"#))), unanswered("vcita answered 422"));
        assert_eq!(outcome(Err(CallFailure::Unreachable)), unanswered("could not connect"));
        assert_eq!(outcome(Err(CallFailure::NoAnswer)), unanswered("no answer in time"));
        assert_eq!(outcome(Err(CallFailure::AnswerTooLong)), unanswered("answer too long"));
    }

    #[test]
    fn success_needs_no_readable_body_but_an_explicit_no_is_a_no() {
        for body in ["", "<html>", r#"{"success":true,"data":{}}"#, r#"{"status":"OK"}"#] {
            assert!(matches!(read(Ok(answer(201, body)), NOW), Read::Success(_)), "{body}");
        }
        for body in [r#"{"success":false,"errors":[]}"#, r#"{"status":"Error","error":"no"}"#] {
            assert!(matches!(read(Ok(answer(200, body)), NOW), Read::Refused(_)), "{body}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        for (header, wish) in [
            ("7", Some(7)),
            ("Thu, 01 Jan 2026 00:00:30 GMT", Some(30)),
            ("Thu, 01 Jan 2015 00:00:30 GMT", Some(0)),
            ("99999999", Some(3600)),
            ("soon", None),
        ] {
            let mut answer = answer(429, "");
            answer.headers.insert(http::header::RETRY_AFTER, header.parse().unwrap());
            let expected =
                Outcome::PutOff { retry_after: wish.map(Duration::from_secs), reason: "vcita answered 429".to_owned() };
            assert_eq!(outcome(Ok(answer)), expected, "{header}");
        }
    }

    #[test]
    fn the_401s_of_section_9_4_are_told_apart() {
        for (body, expected) in [
            (r#"{"errors":[{"message":"401 Unauthorized"}]}"#, Unauthorized::Token),
            (r#"{"message":"401 Unauthorized","status":"Failure"}"#, Unauthorized::Token),
            ("", Unauthorized::Token),
            (r#"{"success":false,"errors":[{"code":"unauthorized","message":"Unauthorized"}]}"#, Unauthorized::Mismatch),
            (r#"{"error":"Unauthorized"}"#, Unauthorized::Configuration),
        ] {
            assert!(matches!(read(Ok(answer(401, body)), NOW), Read::Unauthorized(kind) if kind == expected), "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_never_panics(status in 100u16..1000, body in prop::collection::vec(any::<u8>(), 0..200), text in ".*") {
            let told = serde_json::json!({"errors": [{"code": text, "message": text}], "error": text}).to_string();
            for body in [body, told.into_bytes()] {
                let mut answer = answer(200, "");
                answer.status = StatusCode::from_u16(status).unwrap();
                answer.body = body.into();
                if let Read::Refused(refusal) = read(Ok(answer), NOW) {
                    let _ = (refusal.rejected(), refusal.is_already_there(), refusal.is_not_active(), refusal.is_about("x"));
                }
            }
        }
    }
}
