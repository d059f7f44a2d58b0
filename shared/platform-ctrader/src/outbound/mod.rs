//! Results of actions on their way to where a brand wants them (section 9).
//!
//! A brand is the recipient of the results of its own users. One delivery makes the calls of all sinks of its result, in the
//! order in which the action names them: each at least once, always with the same result id. What was reached is noted before
//! the next one is tried, so that a sink that fails does not let an earlier one be called again.

mod calls;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{AckMode, DeliveryContent, DeliveryPolicy, EpochMillis, Memo, RemoteStatus};
use serde_json::Value;
use wire::{CallFailure, Exchange, HttpAnswer, Input, Job, Outbound, Outcome, Secret, Step, Terms};

use crate::redeem::manager_token;
use crate::sink::ribbon_rules;
use calls::{Manager, Webhook};

/// How long an account that is not let in, or lacks a setting, is left alone.
const LOOK_AGAIN: Duration = Duration::from_secs(15 * 60);

/// What is noted of a sink that took the result.
const DONE: &str = "done";

/// cTrader as a recipient.
#[derive(Debug, Clone, Default)]
pub struct Ctrader {
    /// Manager tokens by manager: they have no expiry (O1), so one is enough for a process.
    tokens: Arc<Mutex<BTreeMap<String, Secret>>>,
}

impl Ctrader {
    /// cTrader, with no token yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Terms for Ctrader {
    fn policy(&self, _content: DeliveryContent) -> DeliveryPolicy {
        DeliveryPolicy {
            ack: AckMode::InAnswer { lease: Duration::from_secs(60) },
            max_attempts: u32::MAX,
            retry_delays: [1, 2, 4, 8, 15, 30, 60].map(Duration::from_secs).to_vec(),
            delay_cap: Duration::from_secs(900),
            jitter: true,
            give_up_after: Duration::from_secs(86_400),
        }
    }
}

impl Outbound for Ctrader {
    fn exchange(&self, job: Job) -> Box<dyn Exchange> {
        Box::new(Sinks::new(self.tokens.clone(), job))
    }
}

/// What is being waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Doing {
    Nothing,
    Webhook,
    /// O1, and O4 after it.
    Login,
    /// O4.
    Ribbon,
    /// The note that a sink is done with.
    Noting,
}

struct Sinks {
    tokens: Arc<Mutex<BTreeMap<String, Secret>>>,
    job: Job,
    /// The result's id.
    result: String,
    /// Those that still have to be told, the next one last.
    left: Vec<String>,
    /// What became of the others: `done`, or how it was refused.
    ended: Memo,
    doing: Doing,
    token: Option<Secret>,
    has_logged_in: bool,
}

impl Sinks {
    fn new(tokens: Arc<Mutex<BTreeMap<String, Secret>>>, job: Job) -> Self {
        let plain = &job.message.details.plain;
        let result = plain.get("result").cloned().unwrap_or_else(|| job.message.id.to_string());
        // The lane is that of all results of a person: an earlier one may have left its note.
        let ended = job.thread.as_ref().filter(|thread| thread.id == result).map(|thread| thread.memo.clone());
        let mut ended = ended.unwrap_or_default();
        let named = plain.get("sinks").map(String::as_str).unwrap_or_default();
        // Of those that are calls; the others are done without one.
        let calls: Vec<_> = named.split(',').filter(|name| matches!(*name, "crm_webhook" | "ribbon")).rev().collect();
        if calls.iter().all(|name| ended.contains_key(*name)) {
            // All were tried, and one refused: somebody has put the delivery back.
            ended.retain(|_, end| end == DONE);
        }
        let left = calls.into_iter().filter(|name| !ended.contains_key(*name)).map(str::to_owned).collect();
        Self { tokens, job, result, left, ended, doing: Doing::Nothing, token: None, has_logged_in: false }
    }

    fn next(&mut self, now: EpochMillis) -> Step {
        match self.left.last().map(String::as_str) {
            None => self.finish(),
            Some("ribbon") => self.ribbon(now),
            Some(_) => match Webhook::of(&self.job) {
                Ok(Some(webhook)) => {
                    self.doing = Doing::Webhook;
                    Step::Call(webhook.call(&self.job, &self.result, now))
                }
                Ok(None) => self.ended("crm_webhook_url is not set"),
                Err(missing) => unauthorised(missing, now),
            },
        }
    }

    fn finish(&self) -> Step {
        let refused: Vec<_> = self.ended.iter().filter(|(_, end)| *end != DONE).collect();
        if refused.is_empty() {
            return Step::Finish(Outcome::Acknowledged { reference: Some(self.result.clone()) });
        }
        let told: Vec<_> = refused.into_iter().map(|(sink, end)| format!("{sink}: {end}")).collect();
        Step::Finish(Outcome::Rejected { detail: told.join("; ") })
    }

    /// A sink is done with. That is noted if others follow, or if one refused: then somebody may try that once more.
    fn ended(&mut self, how: &str) -> Step {
        if let Some(sink) = self.left.pop() {
            self.ended.insert(sink, how.to_owned());
        }
        let is_refused = self.ended.len() > 1 && self.ended.values().any(|end| end != DONE);
        if self.left.is_empty() && !is_refused {
            return self.finish();
        }
        self.doing = Doing::Noting;
        Step::Bind { id: self.result.clone(), status: RemoteStatus::Active, memo: self.ended.clone() }
    }

    fn ribbon(&mut self, now: EpochMillis) -> Step {
        let manager = match Manager::of(&self.job) {
            Ok(manager) => manager,
            Err(missing) => return unauthorised(missing, now),
        };
        let Some(rules) = self.rules() else { return self.ended("the action has no ribbon any more") };
        let known = || self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(&manager.key()).cloned();
        match self.token.clone().or_else(known) {
            Some(token) => {
                let call = manager.ribbon(&self.job, &token, &rules);
                self.token = Some(token);
                self.doing = Doing::Ribbon;
                Step::Call(call)
            }
            None => {
                self.doing = Doing::Login;
                self.has_logged_in = true;
                Step::Call(manager.login())
            }
        }
    }

    /// What the action shows now: its settings may have been mended since the result was stored.
    fn rules(&self) -> Option<Value> {
        let action = self.job.message.details.plain.get("action")?;
        let actions = self.job.account.settings.get("actions")?.as_array()?;
        let action = actions.iter().find(|one| one.get("type").and_then(Value::as_str) == Some(action))?;
        let sinks = action.get("sinks")?.as_array()?;
        let lang = self.job.message.memo.get("lang").map_or("en", String::as_str);
        let ribbon = |sink: &Value| {
            let name = sink.as_str().or_else(|| sink.get("type")?.as_str());
            (name == Some("ribbon")).then(|| ribbon_rules(sink, lang))
        };
        sinks.iter().find_map(ribbon)
    }

    fn logged_in(&mut self, answer: Result<HttpAnswer, CallFailure>, now: EpochMillis) -> Step {
        let token = answer.as_ref().ok().and_then(manager_token);
        match judge(answer, now) {
            Judged::Done => {
                let Some(token) = token else {
                    return Step::Finish(unanswered("the manager token cannot be read"));
                };
                if let Ok(manager) = Manager::of(&self.job) {
                    self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(manager.key(), token.clone());
                }
                self.token = Some(token);
                self.ribbon(now)
            }
            Judged::Refused { .. } | Judged::Forbidden => unauthorised("cTrader refuses the manager's login", now),
            Judged::Over(outcome) => Step::Finish(outcome),
        }
    }

    fn shown(&mut self, answer: Result<HttpAnswer, CallFailure>, now: EpochMillis) -> Step {
        match judge(answer, now) {
            Judged::Done => self.ended(DONE),
            Judged::Forbidden if self.has_logged_in => unauthorised("cTrader refuses the manager's token", now),
            Judged::Forbidden => {
                // It died with an earlier password (O1): once more with a new one.
                if let (Some(token), Ok(manager)) = (self.token.take(), Manager::of(&self.job)) {
                    let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
                    if tokens.get(&manager.key()) == Some(&token) {
                        tokens.remove(&manager.key());
                    }
                }
                self.ribbon(now)
            }
            Judged::Refused { status } => self.ended(&format!("refused with {status}")),
            Judged::Over(outcome) => Step::Finish(outcome),
        }
    }
}

impl Exchange for Sinks {
    fn resume(&mut self, input: Input, now: EpochMillis) -> Step {
        match (std::mem::replace(&mut self.doing, Doing::Nothing), input) {
            (Doing::Nothing, Input::Start) | (Doing::Noting, Input::Bound(_)) => self.next(now),
            (Doing::Webhook, Input::Answered(answer)) => match judge(answer, now) {
                Judged::Done => self.ended(DONE),
                Judged::Forbidden => self.ended("refused with 401 or 403"),
                Judged::Refused { status } => self.ended(&format!("refused with {status}")),
                Judged::Over(outcome) => Step::Finish(outcome),
            },
            (Doing::Login, Input::Answered(answer)) => self.logged_in(answer, now),
            (Doing::Ribbon, Input::Answered(answer)) => self.shown(answer, now),
            _ => Step::Finish(unanswered("out of order")),
        }
    }
}

/// What an answer means for a sink.
enum Judged {
    Done,
    /// 401 or 403, or a right that is missing.
    Forbidden,
    /// For good: 3xx, which is not followed, and 4xx.
    Refused {
        status: String,
    },
    /// The attempt is over, another may do better.
    Over(Outcome),
}

fn judge(answer: Result<HttpAnswer, CallFailure>, now: EpochMillis) -> Judged {
    let answer = match answer {
        Ok(answer) => answer,
        Err(CallFailure::ForbiddenTarget) => return Judged::Refused { status: "no call: the target is not allowed".to_owned() },
        Err(failure @ (CallFailure::Unreachable | CallFailure::NoAnswer | CallFailure::AnswerTooLong)) => {
            return Judged::Over(unanswered(&failure.to_string()));
        }
    };
    let status = answer.status.as_u16();
    let retry_after = answer.retry_after(now.seconds());
    // The limiter of cTrader answers with a name; in which envelope is not documented (6.2).
    let names = |name: &str| answer.body.windows(name.len()).any(|part| part == name.as_bytes());
    match status {
        200..=299 => Judged::Done,
        429 => Judged::Over(Outcome::PutOff { retry_after, reason: "answered 429".to_owned() }),
        400..=499 if names("REQUEST_FREQUENCY_EXCEEDED") => {
            Judged::Over(Outcome::PutOff { retry_after, reason: "REQUEST_FREQUENCY_EXCEEDED".to_owned() })
        }
        401 | 403 => Judged::Forbidden,
        408 | 425 => Judged::Over(Outcome::Unanswered { retry_after, reason: format!("answered {status}") }),
        300..=499 => Judged::Refused { status: status.to_string() },
        _ => Judged::Over(Outcome::Unanswered { retry_after, reason: format!("answered {status}") }),
    }
}

fn unanswered(reason: &str) -> Outcome {
    Outcome::Unanswered { retry_after: None, reason: reason.to_owned() }
}

fn unauthorised(reason: &'static str, now: EpochMillis) -> Step {
    Step::Finish(Outcome::Unauthorised { until: now.plus(LOOK_AGAIN), reason, is_news: true })
}
