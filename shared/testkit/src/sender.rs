//! A recipient that answers as the test says.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use ports::Sender;
use serde_json::Value;
use wire::{CallFailure, HttpAnswer, HttpCall};

type Responder = Box<dyn Fn(&HttpCall) -> Result<HttpAnswer, CallFailure> + Send + Sync>;

/// Gives its scripted answers in order and remembers the calls. When the script is over it asks the responder, and
/// panics without one: a call nobody expected is a failed test.
#[derive(Default)]
pub struct ScriptedSender {
    script: Mutex<VecDeque<Result<HttpAnswer, CallFailure>>>,
    responder: Option<Responder>,
    calls: Mutex<Vec<HttpCall>>,
}

impl ScriptedSender {
    /// A sender with an empty script.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A sender that asks `responder` whenever the script is empty.
    #[must_use]
    pub fn responding(responder: impl Fn(&HttpCall) -> Result<HttpAnswer, CallFailure> + Send + Sync + 'static) -> Self {
        Self { responder: Some(Box::new(responder)), ..Self::default() }
    }

    /// Adds an answer with this status and JSON body.
    pub fn answer(&self, status: u16, body: &Value) -> &Self {
        self.push(Ok(Self::json(status, body)))
    }

    /// Adds an answer without a body.
    pub fn answer_empty(&self, status: u16) -> &Self {
        self.push(Ok(Self::empty(status)))
    }

    /// Adds an answer without a body, with a header.
    pub fn answer_with_header(&self, status: u16, name: HeaderName, value: HeaderValue) -> &Self {
        let mut answer = Self::empty(status);
        answer.headers.insert(name, value);
        self.push(Ok(answer))
    }

    /// Adds a failure.
    pub fn fail(&self, failure: CallFailure) -> &Self {
        self.push(Err(failure))
    }

    /// Adds any result.
    pub fn push(&self, result: Result<HttpAnswer, CallFailure>) -> &Self {
        self.script.lock().unwrap().push_back(result);
        self
    }

    /// The calls made so far.
    #[must_use]
    pub fn calls(&self) -> Vec<HttpCall> {
        self.calls.lock().unwrap().clone()
    }

    /// Method and path of the calls made so far, e.g. `POST /v1/messages`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(|call| format!("{} {}", call.method, call.url.path())).collect()
    }

    /// Answers that nobody has asked for yet.
    #[must_use]
    pub fn unused(&self) -> usize {
        self.script.lock().unwrap().len()
    }

    /// An answer with this status and JSON body.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> HttpAnswer {
        let mut answer = Self::empty(status);
        answer.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer.body = Bytes::from(body.to_string());
        answer
    }

    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> HttpAnswer {
        HttpAnswer { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body: Bytes::new() }
    }
}

#[async_trait]
impl Sender for ScriptedSender {
    async fn send(&self, call: HttpCall) -> Result<HttpAnswer, CallFailure> {
        let scripted = self.script.lock().unwrap().pop_front();
        let result = match (scripted, &self.responder) {
            (Some(result), _) => result,
            (None, Some(responder)) => responder(&call),
            (None, None) => panic!("nothing is scripted for {call:?}"),
        };
        self.calls.lock().unwrap().push(call);
        result
    }
}
