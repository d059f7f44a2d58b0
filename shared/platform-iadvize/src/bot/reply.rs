//! Replies as iAdvize reads them (section 10.3).

use serde_json::{Value, json};

/// The longest text of a message, in Unicode characters: a technical limit.
pub const MOST_TEXT: usize = 450;

/// The length at which texts are aimed when they are split.
const AIM: usize = 250;

/// Pause between two messages, without which they may be published in another order.
const PAUSE_SECONDS: u64 = 1;

/// A reply, in iAdvize's own JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply(Value);

impl Reply {
    /// The JSON.
    #[must_use]
    pub const fn json(&self) -> &Value {
        &self.0
    }

    fn is_message(&self) -> bool {
        self.0["type"] == "message"
    }
}

/// Replies in the order in which they are to be published.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replies(Vec<Reply>);

impl Replies {
    /// Says a text, in as many messages as it needs. Quick replies stand under the last one.
    pub(super) fn say(&mut self, text: &str, choices: &[&str]) {
        let pieces = text::split_message(text, AIM, MOST_TEXT);
        for (at, piece) in pieces.iter().enumerate() {
            let choices = if at + 1 == pieces.len() { choices } else { &[] };
            self.message(json!({"contentType": "text", "value": piece}), choices);
        }
    }

    /// Sends something, after a pause where another message stands before it.
    pub(super) fn message(&mut self, payload: Value, choices: &[&str]) {
        if self.0.last().is_some_and(Reply::is_message) {
            self.wait(PAUSE_SECONDS);
        }
        let mut message = json!({"type": "message", "payload": payload});
        if !choices.is_empty() {
            message["quickReplies"] = quick_replies(choices);
        }
        self.0.push(Reply(message));
    }

    /// Lets time pass.
    pub(super) fn wait(&mut self, seconds: u64) {
        self.0.push(Reply(json!({"type": "await", "duration": {"unit": "seconds", "value": seconds}})));
    }

    /// Hands over to a routing rule.
    pub(super) fn transfer(&mut self, rule: &str, seconds: u64) {
        let timeout = json!({"value": seconds, "unit": "seconds"});
        self.0.push(Reply(json!({"type": "transfer", "distributionRule": rule, "transferOptions": {"timeout": timeout}})));
    }

    /// Ends the conversation.
    pub(super) fn close(&mut self) {
        self.0.push(Reply(json!({"type": "close"})));
    }

    /// Its messages alone, with quick replies under the last one: all that B5 publishes.
    pub(super) fn messages_only(mut self, choices: &[&str]) -> Self {
        self.0.retain(Reply::is_message);
        if let (Some(last), false) = (self.0.last_mut(), choices.is_empty()) {
            last.0["quickReplies"] = quick_replies(choices);
        }
        self
    }

    /// The replies.
    #[must_use]
    pub fn as_slice(&self) -> &[Reply] {
        &self.0
    }

    /// All of them as JSON: the member `replies`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.0.iter().map(|reply| reply.0.clone()).collect()
    }

    /// Reads what [`Self::to_json`] has written and somebody has kept.
    #[must_use]
    pub fn kept(json: &Value) -> Self {
        Self(json.as_array().into_iter().flatten().cloned().map(Reply).collect())
    }
}

fn quick_replies(choices: &[&str]) -> Value {
    choices.iter().map(|value| json!({"contentType": "text/quick-reply", "value": value})).collect()
}
