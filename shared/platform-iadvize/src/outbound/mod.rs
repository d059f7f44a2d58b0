//! What is sent to iAdvize (section 12.2): what a desk says, to the visitor whom the bot has handed to it.
//!
//! One message per call, so a long one goes in parts, each by an attempt of its own: which parts are there is noted with the
//! thread before the next one is sent, and between two of them is the second in which iAdvize keeps their order.

mod access;
mod calls;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use model::{AckMode, CHAT_ENDED, CHAT_NEWS, DeliveryContent, DeliveryPolicy, EpochMillis, Memo, RemoteStatus};
use serde_json::Value;
use wire::{CallFailure, Exchange, HttpAnswer, HttpCall, Input, Job, Outbound, Outcome, Step, Terms};

use self::access::{Access, Memory, Move};
use self::calls::What;
use crate::Secrets;
use crate::api::{Api, Farewell};
use crate::bot::MOST_TEXT;

/// The length at which texts are aimed when they are split (section 10.3).
const AIM: usize = 250;

/// Pause between two messages.
const PAUSE: Duration = Duration::from_secs(1);

/// No wish to come again is followed for longer: the conversation is over by then.
const LONGEST_WISH: Duration = Duration::from_secs(300);

/// The longest error text that is kept.
const LONGEST_TEXT: usize = 300;

/// What is noted with the thread: which message, and how many of its parts iAdvize has.
const MESSAGE: &str = "message";
const PARTS: &str = "parts";

/// The member of a visitor's memo that names the bot: its number (`chatbotId`).
pub const CHATBOT: &str = "chatbot";

/// The member that names the language in which the bot speaks: two letters.
pub const LANG: &str = "lang";

/// iAdvize as a recipient. One value serves all accounts; what it holds is their tokens.
#[derive(Debug, Clone, Default)]
pub struct Iadvize {
    memory: Arc<Memory>,
}

impl Iadvize {
    /// A recipient that knows no token yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Terms for Iadvize {
    fn policy(&self, _content: DeliveryContent) -> DeliveryPolicy {
        DeliveryPolicy {
            ack: AckMode::InAnswer { lease: Duration::from_secs(60) },
            max_attempts: u32::MAX,
            retry_delays: [1, 2, 4, 8, 15, 30, 60].map(Duration::from_secs).to_vec(),
            delay_cap: Duration::from_secs(300),
            jitter: true,
            // A conversation closes by itself after five minutes without a message (section 10.2).
            give_up_after: Duration::from_secs(300),
        }
    }
}

impl Outbound for Iadvize {
    fn exchange(&self, job: Job) -> Box<dyn Exchange> {
        match Attempt::new(&job, self.memory.clone()) {
            Ok(attempt) => Box::new(attempt),
            Err(outcome) => Box::new(Over(outcome)),
        }
    }
}

/// An attempt that cannot begin.
struct Over(Outcome);

impl Exchange for Over {
    fn resume(&mut self, _: Input, _: EpochMillis) -> Step {
        Step::Finish(self.0.clone())
    }
}

/// What is waited for.
enum Waiting {
    Start,
    Token,
    Answer,
    Noted,
    Over,
}

struct Attempt {
    access: Access,
    /// The call, but for its token.
    call: HttpCall,
    waiting: Waiting,
    thread: String,
    /// What is to be noted if others follow this part.
    note: Option<Memo>,
}

impl Attempt {
    fn new(job: &Job, memory: Arc<Memory>) -> Result<Self, Outcome> {
        // An operator's mistake is not the message's fault: somebody may mend it while the visitor waits.
        let (platform, api) = Api::of_account(&job.account).map_err(|problem| unanswered(problem.to_string()))?;
        let secrets = Secrets::from_value(&job.secrets).map_err(|problem| unanswered(problem.to_string()))?;
        let api = api.ok_or_else(|| unanswered("the setting api is missing"))?;
        let password = secrets.api_password().ok_or_else(|| unanswered("the secret api_password is missing"))?;
        let visitor = &job.conversation.visitor;
        let chatbot = job.message.memo.get(CHATBOT).and_then(|number| number.parse().ok());
        let chatbot: u64 = chatbot.ok_or_else(|| rejected("the conversation is not one of a bot"))?;
        let parts = parts(job)?;
        let id = job.message.id.to_string();
        let noted = job.thread.as_ref().filter(|thread| thread.memo.get(MESSAGE) == Some(&id));
        let done: usize = noted.and_then(|thread| thread.memo.get(PARTS)?.parse().ok()).unwrap_or_default();
        // All were sent, and somebody has put the delivery back: once more from the beginning.
        let at = if done < parts.len() { done } else { 0 };
        let part = parts.get(at).ok_or_else(|| rejected("there is no text in it"))?;
        let note = (at + 1 < parts.len())
            .then(|| [(MESSAGE, id.clone()), (PARTS, (at + 1).to_string())].map(|(name, value)| (name.to_owned(), value)).into());
        let call = calls::send(&api, platform, &calls::Message { id: &id, conversation: &visitor.address, chatbot, what: part });
        let thread = visitor.address.clone();
        Ok(Self { access: Access::new(api, password.clone(), memory)?, call, waiting: Waiting::Start, thread, note })
    }

    fn go(&mut self, next: Move) -> Step {
        match next {
            Move::Use(bearer) => {
                self.waiting = Waiting::Answer;
                let mut call = self.call.clone();
                call.headers.insert(http::header::AUTHORIZATION, bearer);
                Step::Call(call)
            }
            Move::Do(step) => {
                self.waiting = Waiting::Token;
                step
            }
            Move::End(outcome) => Step::Finish(outcome),
        }
    }

    fn answered(&mut self, answer: Result<HttpAnswer, CallFailure>, now: EpochMillis) -> Step {
        let answer = match usable(answer, now) {
            Ok(answer) => answer,
            Err(outcome) => return Step::Finish(outcome),
        };
        match answer.status.as_u16() {
            200..=299 => match said(&answer.body) {
                Ok(()) => self.sent(),
                Err(outcome) => Step::Finish(outcome),
            },
            401 => {
                let next = self.access.refused(now);
                self.go(next)
            }
            403 => Step::Finish(access::unauthorised("iAdvize does not let the user send messages", now)),
            status => Step::Finish(rejected(format!("iAdvize answered {status}"))),
        }
    }

    fn sent(&mut self) -> Step {
        match self.note.take() {
            Some(memo) => {
                self.waiting = Waiting::Noted;
                Step::Bind { id: self.thread.clone(), status: RemoteStatus::Active, memo }
            }
            None => Step::Finish(Outcome::Acknowledged { reference: None }),
        }
    }
}

impl Exchange for Attempt {
    fn resume(&mut self, input: Input, now: EpochMillis) -> Step {
        match (std::mem::replace(&mut self.waiting, Waiting::Over), input) {
            (Waiting::Start, Input::Start) => {
                let next = self.access.token(now);
                self.go(next)
            }
            (Waiting::Token, input) => {
                let next = self.access.resume(input, now);
                self.go(next)
            }
            (Waiting::Answer, Input::Answered(answer)) => self.answered(answer, now),
            (Waiting::Noted, Input::Bound(_)) => {
                let reason = "a pause between two parts of a message".to_owned();
                Step::Finish(Outcome::PutOff { retry_after: Some(PAUSE), reason })
            }
            _ => Step::Finish(unanswered("the exchange was resumed out of order")),
        }
    }
}

/// What is done, in order: the pieces of the text; for the end of a chat what the site says then. An error is the end of it.
fn parts(job: &Job) -> Result<Vec<What>, Outcome> {
    let split = |text: &str| text::split_message(text, AIM, MOST_TEXT).into_iter().map(What::Text);
    if job.message.memo.get(CHAT_NEWS).is_none_or(|news| news != CHAT_ENDED) {
        return Ok(split(&job.message.content.text).collect());
    }
    let lang = job.message.memo.get(LANG).map(String::as_str);
    let farewell = Farewell::of_account(&job.account, lang).map_err(|problem| unanswered(problem.to_string()))?;
    let close = farewell.closes.then_some(What::Close);
    let parts: Vec<_> = farewell.text.iter().flat_map(|text| split(text)).chain(close).collect();
    // Who wants nothing said is told nothing.
    if parts.is_empty() { Err(Outcome::Acknowledged { reference: None }) } else { Ok(parts) }
}

/// An answer that says something about what was asked; what it is otherwise ends the attempt, and another may do better.
fn usable(answer: Result<HttpAnswer, CallFailure>, now: EpochMillis) -> Result<HttpAnswer, Outcome> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(CallFailure::ForbiddenTarget) => return Err(rejected("the address of the api is not allowed")),
        Err(failure @ (CallFailure::Unreachable | CallFailure::NoAnswer | CallFailure::AnswerTooLong)) => {
            return Err(unanswered(failure.to_string()));
        }
    };
    let status = answer.status.as_u16();
    let retry_after = answer.retry_after(now.seconds()).map(|wish| wish.min(LONGEST_WISH));
    let reason = format!("iAdvize answered {status}");
    match status {
        429 => Err(Outcome::PutOff { retry_after, reason }),
        200..=299 | 400..=407 | 409..=499 => Ok(answer),
        _ => Err(Outcome::Unanswered { retry_after, reason }),
    }
}

/// What GraphQL says of the mutation. It answers 200 to what it refuses.
fn said(body: &[u8]) -> Result<(), Outcome> {
    let body: Value = serde_json::from_slice(body).map_err(|_| unanswered("the answer of iAdvize cannot be read"))?;
    let texts = |errors: &Value| {
        let text = |error: &Value| error["message"].as_str().unwrap_or("an error without a text").to_owned();
        errors.as_array().map(|errors| errors.iter().map(text).collect::<Vec<_>>()).filter(|errors| !errors.is_empty())
    };
    let sent = &body["data"]["chatbotMessageSend"];
    match texts(&sent["userErrors"]).or_else(|| texts(&body["errors"])) {
        Some(errors) => Err(rejected(errors.join("; "))),
        None if sent.is_object() => Ok(()),
        None => Err(unanswered("the answer of iAdvize does not say what became of the message")),
    }
}

fn unanswered(reason: impl Into<String>) -> Outcome {
    Outcome::Unanswered { retry_after: None, reason: reason.into() }
}

fn rejected(detail: impl Into<String>) -> Outcome {
    let detail: String = detail.into();
    Outcome::Rejected { detail: detail.chars().take(LONGEST_TEXT).collect() }
}
