//! Delivery to VCS: messages and receipts, each as a machine that says what to ask next.
//!
//! This module keeps the time of an attempt and [`access`] its token; [`message`] and [`receipt`] decide what is asked for.

mod access;
#[cfg(test)]
mod access_tests;
pub(crate) mod answer;
pub(crate) mod calls;
mod contact;
mod message;
mod parts;
mod receipt;
mod session;
#[cfg(test)]
mod tests;
pub(crate) mod token;
mod typing;

use std::sync::Arc;
use std::time::Duration;

pub use self::parts::SentParts;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use model::{Account, AccountId, AckMode, DeliveryContent, DeliveryPolicy, EpochMillis, Memo, Message, RemoteStatus};
use serde_json::Value;
use wire::signature::sha256_hex;
use wire::{Capabilities, Exchange, HttpCall, Input, Job, Outbound, Outcome, Pace, Step, Terms, TypingJob};

use self::access::{Access, Move};
use self::answer::{Read, Refusal, unanswered};
use self::message::MessageFlow;
use self::receipt::ReceiptFlow;
use self::token::{Bearer, Memory};
use self::typing::TypingFlow;
use crate::{ConfigProblem, Credentials, Secrets, Settings};

/// Longest duration of one attempt.
const LEASE: Duration = Duration::from_secs(60);

/// No call begins later than this after the attempt did: its answer must come within [`LEASE`].
const LAST_CALL: Duration = Duration::from_secs(50);

const DAY: Duration = Duration::from_secs(24 * 3600);
const HOUR: Duration = Duration::from_secs(3600);

/// vcita as a recipient. One value serves all accounts; what it holds is their tokens.
#[derive(Default)]
pub struct Vcita {
    memory: Arc<Memory>,
}

impl Vcita {
    /// A recipient that knows no token yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Terms for Vcita {
    fn policy(&self, content: DeliveryContent) -> DeliveryPolicy {
        // Section 10. A message is tried for a day, however often. A receipt older than an hour informs nobody, and a
        // later one says more: twelve attempts (half an hour at full delay) outlast a short outage and no more.
        let (max_attempts, give_up_after) = match content {
            DeliveryContent::Message | DeliveryContent::Chat => (u32::MAX, DAY),
            DeliveryContent::Receipt(_) => (12, HOUR),
        };
        DeliveryPolicy {
            ack: AckMode::InAnswer { lease: LEASE },
            max_attempts,
            retry_delays: [1, 2, 4, 8, 15, 30, 60].map(Duration::from_secs).to_vec(),
            delay_cap: Duration::from_secs(900),
            jitter: true,
            give_up_after,
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { receipts: true }
    }
}

impl Outbound for Vcita {
    fn installation(&self, account: &Account) -> Option<String> {
        account.installation().map(str::to_owned)
    }

    fn threads_of(&self, account: &Account) -> AccountId {
        account.app()
    }

    /// The cap of the text: it is fixed by the first attempt. A receipt has none.
    fn route(&self, account: &Account, message: &Message) -> Option<String> {
        let is_given_to_it = message.origin != account.id;
        Settings::of(account).ok().filter(|_| is_given_to_it).map(|settings| parts::route(&settings))
    }

    /// Section 10: one pace for each app and business. A configured token stands for its app.
    fn pace(&self, account: &Account, secrets: &Value) -> Option<Pace> {
        let (settings, secrets) = (Settings::of(account).ok()?, Secrets::from_value(secrets).ok()?);
        let app = match &secrets.credentials {
            Credentials::Token(token) => format!("token {}", sha256_hex(token.expose().as_bytes())),
            Credentials::Service { client_id, .. } => format!("app {client_id}"),
        };
        let (base, business) = (settings.api_base.as_str(), &settings.business_uid);
        let named = format!("{}:{base}{}:{app}{business}", base.len(), app.len());
        Some(Pace { key: sha256_hex(named.as_bytes()), per_second: settings.requests_per_second })
    }

    /// Tokens are asked for at another door, an hour or years apart.
    fn is_paced(&self, call: &HttpCall) -> bool {
        ![calls::APP_TOKEN, calls::GRANTED_TOKEN].iter().any(|path| call.url.path().ends_with(path))
    }

    fn exchange(&self, job: Job) -> Box<dyn Exchange> {
        match Attempt::new(&job, Arc::clone(&self.memory)) {
            Ok(attempt) => Box::new(attempt),
            Err(problem) => Box::new(Misconfigured(problem)),
        }
    }

    fn typing(&self, job: TypingJob) -> Option<Box<dyn Exchange>> {
        // Section 8.4: only in a session that can send.
        (job.thread.status == RemoteStatus::Active).then(|| match Attempt::typing(&job, Arc::clone(&self.memory)) {
            Ok(attempt) => Box::new(attempt) as Box<dyn Exchange>,
            Err(problem) => Box::new(Misconfigured(problem)),
        })
    }
}

/// An attempt that cannot begin. The delivery waits: the operator's mistake is not the message's fault.
struct Misconfigured(ConfigProblem);

impl Exchange for Misconfigured {
    fn resume(&mut self, _: Input, _: EpochMillis) -> Step {
        Step::Finish(unanswered(self.0.to_string()))
    }
}

/// What a flow wants next. Its calls lack the token.
#[expect(clippy::large_enum_variant, reason = "taken apart where it is returned, never stored")]
enum Next {
    Ask(HttpCall),
    Bind { id: String, status: RemoteStatus, memo: Memo },
    Finish(Outcome),
}

/// What is delivered, and how.
enum Flow {
    Message(Box<MessageFlow>),
    Receipt(Box<ReceiptFlow>),
    Typing(Box<TypingFlow>),
}

impl Flow {
    fn begin(&mut self, now: EpochMillis) -> Next {
        match self {
            Self::Message(flow) => flow.begin(now),
            Self::Receipt(flow) => flow.begin(),
            Self::Typing(flow) => flow.begin(),
        }
    }

    fn answered(&mut self, answer: Result<Bytes, Refusal>, now: EpochMillis) -> Next {
        match self {
            Self::Message(flow) => flow.answered(answer, now),
            Self::Receipt(flow) => flow.answered(answer),
            Self::Typing(_) => TypingFlow::answered(answer),
        }
    }

    fn bound(&mut self, status: RemoteStatus, now: EpochMillis) -> Next {
        match self {
            Self::Message(flow) => flow.bound(status, now),
            Self::Receipt(_) | Self::Typing(_) => Next::Finish(out_of_order()),
        }
    }
}

/// What the attempt waits for.
enum Waiting {
    Start,
    /// The token that `call` is made with.
    Token {
        call: HttpCall,
    },
    /// The answer to `call`, which was made with `bearer`.
    Answer {
        call: HttpCall,
        bearer: Bearer,
    },
    Bound,
    Over,
}

struct Attempt {
    flow: Flow,
    access: Access,
    waiting: Waiting,
    /// When no further call may begin.
    last_call: EpochMillis,
}

impl Attempt {
    fn new(job: &Job, memory: Arc<Memory>) -> Result<Self, ConfigProblem> {
        let settings = Settings::of(&job.account)?;
        let access = Access::new(&settings, Secrets::from_value(&job.secrets)?, memory)?;
        let flow = match job.delivery.key.content {
            // Only where visitors are in a chat is something said there; to this desk a message is a message.
            DeliveryContent::Message | DeliveryContent::Chat => Flow::Message(Box::new(MessageFlow::new(settings, job))),
            DeliveryContent::Receipt(status) => Flow::Receipt(Box::new(ReceiptFlow::new(settings, job, status))),
        };
        Ok(Self::with(flow, access))
    }

    /// One call, after those for a token if there is none. A token that is refused is not renewed for this.
    fn typing(job: &TypingJob, memory: Arc<Memory>) -> Result<Self, ConfigProblem> {
        let settings = Settings::of(&job.account)?;
        let access = Access::new(&settings, Secrets::from_value(&job.secrets)?, memory)?;
        Ok(Self::with(Flow::Typing(Box::new(TypingFlow::new(&settings, job))), access))
    }

    const fn with(flow: Flow, access: Access) -> Self {
        Self { flow, access, waiting: Waiting::Start, last_call: EpochMillis::new(i64::MAX) }
    }

    /// Worth no waiting and no renewal: it is over before they are.
    const fn is_typing(&self) -> bool {
        matches!(self.flow, Flow::Typing(_))
    }

    fn go(&mut self, next: Next, now: EpochMillis) -> Step {
        match next {
            Next::Ask(call) => {
                let next = self.access.token(now);
                self.with_token(call, next, now)
            }
            Next::Bind { id, status, memo } => {
                self.waiting = Waiting::Bound;
                Step::Bind { id, status, memo }
            }
            Next::Finish(outcome) => Step::Finish(outcome),
        }
    }

    fn ask(&mut self, call: HttpCall, bearer: Bearer, now: EpochMillis) -> Step {
        let mut complete = call.clone();
        complete.headers.insert(AUTHORIZATION, bearer.header());
        self.waiting = Waiting::Answer { call, bearer };
        self.call(complete, now)
    }

    /// Makes `call` if there is a token for it, or does what is needed to have one.
    fn with_token(&mut self, call: HttpCall, next: Move, now: EpochMillis) -> Step {
        match next {
            Move::Use(bearer) => self.ask(call, bearer, now),
            Move::Do(step) => {
                self.waiting = Waiting::Token { call };
                match step {
                    Step::Call(mut call) => {
                        if self.is_typing() {
                            call.timeout = calls::TYPING_TIMEOUT;
                        }
                        self.call(call, now)
                    }
                    Step::Grant(_) | Step::Bind { .. } | Step::Finish(_) => step,
                }
            }
            Move::End(outcome) => Step::Finish(outcome),
        }
    }

    /// Goes on after the token was refused.
    fn refused(&mut self, call: HttpCall, next: Move, now: EpochMillis) -> Step {
        if self.is_typing() { Step::Finish(unanswered("vcita refused the token")) } else { self.with_token(call, next, now) }
    }

    fn call(&mut self, call: HttpCall, now: EpochMillis) -> Step {
        if now > self.last_call {
            self.waiting = Waiting::Over;
            return Step::Finish(unanswered("the attempt took too long"));
        }
        Step::Call(call)
    }
}

impl Exchange for Attempt {
    fn resume(&mut self, input: Input, now: EpochMillis) -> Step {
        match (std::mem::replace(&mut self.waiting, Waiting::Over), input) {
            (Waiting::Start, Input::Start) => {
                self.last_call = now.plus(LAST_CALL);
                let next = self.flow.begin(now);
                self.go(next, now)
            }
            (Waiting::Token { call }, input) => {
                let next = self.access.resume(input, now);
                self.with_token(call, next, now)
            }
            (Waiting::Answer { call, bearer }, Input::Answered(result)) => {
                let answer = match answer::read(result, now) {
                    Read::Success(body) => Ok(body),
                    Read::Refused(refusal) => Err(refusal),
                    Read::Unauthorized(kind) => {
                        let next = self.access.unauthorized(bearer, kind, now);
                        return self.refused(call, next, now);
                    }
                    Read::Forbidden => {
                        let next = self.access.forbidden(bearer, now);
                        return self.refused(call, next, now);
                    }
                    Read::Unusable(outcome) => return Step::Finish(outcome),
                };
                let next = self.flow.answered(answer, now);
                self.go(next, now)
            }
            (Waiting::Bound, Input::Bound(status)) => {
                let next = self.flow.bound(status, now);
                self.go(next, now)
            }
            (Waiting::Start | Waiting::Answer { .. } | Waiting::Bound | Waiting::Over, _) => Step::Finish(out_of_order()),
        }
    }
}

/// The driver gave something that was not asked for.
fn out_of_order() -> Outcome {
    unanswered("the exchange was resumed out of order")
}
