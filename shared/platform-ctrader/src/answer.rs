//! The result of an action as it is stored, and as it leaves.

use model::{Content, EpochMillis, EventKey, Memo, MessageDetails, VisitorMessage};
use serde_json::{Map, Value};

use crate::{ActionType, Person};

/// A result to be stored and sent.
pub struct ActionResult<'a> {
    /// Its id: the same for whoever submits the same once more, and in every call that tells of it.
    pub id: &'a str,
    /// Whose.
    pub person: Person,
    /// What the user is called, if cTrader told.
    pub name: Option<&'a str>,
    /// The language of the screen.
    pub lang: &'a str,
    /// The action.
    pub action: &'a ActionType,
    /// How it ended.
    pub status: &'a str,
    /// When it was submitted.
    pub at: EpochMillis,
    /// What is told of it, beside id and type: the answers, the parameters, the files.
    pub said: Map<String, Value>,
}

impl ActionResult<'_> {
    /// The message that is stored, in the conversation of all results of the person. Its text is what sinks are told, so that
    /// every attempt says the same.
    #[must_use]
    pub fn message(&self) -> VisitorMessage {
        let sinks: Vec<_> = self.action.sinks.iter().map(|sink| sink.name()).collect();
        let memo = [("user", self.person.to_string()), ("lang", self.lang.to_owned())];
        let plain = [
            ("result", self.id.to_owned()),
            ("action", self.action.name.clone()),
            ("status", self.status.to_owned()),
            ("sinks", sinks.join(",")),
        ];
        let owned = |members: &[(&str, String)]| -> Memo {
            members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
        };
        VisitorMessage {
            address: self.person.results(),
            name: self.name.map(str::to_owned),
            memo: owned(&memo),
            event_keys: vec![(EventKey::new("result", [self.id]), None)],
            answers: None,
            continues: Vec::new(),
            origin_id: self.id.to_owned(),
            sent_at: self.at,
            content: Content { text: Value::Object(self.said.clone()).to_string(), html: None, subject: None },
            details: MessageDetails { plain: owned(&plain), personal: Memo::new() },
        }
    }
}
