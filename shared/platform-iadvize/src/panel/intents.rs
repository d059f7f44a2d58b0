//! What the messages of a conversation mean (section 9.6): the words in them that are a product's.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};
use text::words;

use crate::panel::Keyword;

/// The longest body, in bytes.
pub const MAX_MESSAGES_BODY: usize = 64 * 1024;

/// Most messages that are looked at: of more, the last.
const MAX_MESSAGES: usize = 200;

/// Most words that are marked in one message.
const MAX_ACTIONS: usize = 20;

/// Most references that are looked up for one call: nobody proves who calls.
const MAX_REFERENCES: usize = 10;

/// How long something is that may be a reference, in bytes.
const REFERENCE: std::ops::RangeInclusive<usize> = 4..=40;

/// A message with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// Its text.
    pub text: String,
}

/// Words that mean something: of the settings, or the reference of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// Spelled anyhow.
    pub words: String,
    /// The product's id.
    pub product: u64,
    /// What it is called.
    pub title: Option<String>,
}

impl Mention {
    /// Those of a keyword, with the product's name in a language.
    pub fn of<'a>(keyword: &'a Keyword, lang: &'a str) -> impl Iterator<Item = Self> + 'a {
        let title = keyword.title.as_ref().map(|title| title.in_lang(lang).to_owned());
        keyword.words.iter().map(move |words| Self { words: words.clone(), product: keyword.product, title: title.clone() })
    }
}

/// The answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Commands<'a> {
    /// One for each message in which something was found.
    pub commands: Vec<Command<'a>>,
}

/// What the Desk is to do with a message.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Command<'a> {
    r#type: &'static str,
    message_id: &'a str,
    actions: Vec<Action<'a>>,
}

/// Words to be marked.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Action<'a> {
    highlight: &'a str,
    intent: Intent,
}

/// What the page is told when they are clicked.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Intent {
    key: String,
    payload: Map<String, Value>,
}

/// Reads the body. What is no message with an id and a text is left out; what is none of JSON with a list of messages is told.
///
/// # Errors
/// What is wrong, without any of it.
pub fn read_messages(body: &[u8]) -> Result<Vec<Message>, &'static str> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "is not JSON")?;
    let listed = body.get("messages").and_then(Value::as_array).ok_or("is missing or no list")?;
    let newest = listed.get(listed.len().saturating_sub(MAX_MESSAGES)..).unwrap_or_default();
    let text =
        |message: &Value, name| message.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    Ok(newest.iter().filter_map(|message| Some(Message { id: text(message, "id")?, text: text(message, "text")? })).collect())
}

/// What in these messages may be references of products: the last ones first, each once.
#[must_use]
pub fn references(messages: &[Message]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let newest = messages.iter().rev().flat_map(|message| message.text.split_whitespace());
    let bare = newest.map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    let is_reference = |word: &&str| REFERENCE.contains(&word.len()) && word.bytes().any(|b| b.is_ascii_digit());
    bare.filter(is_reference).filter(|word| seen.insert(*word)).take(MAX_REFERENCES).collect()
}

/// Marks what is mentioned, exactly as it is spelled there. Where several begin with the same word, the longest is meant; the same
/// words are marked once in a message.
#[must_use]
pub fn commands<'a>(messages: &'a [Message], mentions: &[Mention]) -> Commands<'a> {
    let mut by_first: BTreeMap<String, Vec<(Vec<String>, &Mention)>> = BTreeMap::new();
    for mention in mentions {
        let folded: Vec<String> = words(&mention.words).into_iter().map(|word| word.folded).collect();
        if let Some(first) = folded.first() {
            by_first.entry(first.clone()).or_default().push((folded, mention));
        }
    }
    for of_word in by_first.values_mut() {
        of_word.sort_by_key(|(folded, _)| std::cmp::Reverse(folded.len()));
    }
    let command = |message: &'a Message| {
        let found = words(&message.text);
        let (mut actions, mut seen, mut at) = (Vec::new(), BTreeSet::new(), 0);
        while let Some(word) = found.get(at).filter(|_| actions.len() < MAX_ACTIONS) {
            let fits = |folded: &[String]| {
                found.get(at..at + folded.len()).is_some_and(|here| here.iter().map(|word| &word.folded).eq(folded))
            };
            let meant = by_first.get(&word.folded).and_then(|listed| listed.iter().find(|(folded, _)| fits(folded)));
            let Some((folded, mention)) = meant else {
                at += 1;
                continue;
            };
            at += folded.len();
            let highlight = &message.text[word.at.start..found[at - 1].at.end];
            if seen.insert((highlight, mention.product)) {
                let title = mention.title.iter().map(|title| ("title".to_owned(), Value::from(title.as_str())));
                actions.push(Action { highlight, intent: Intent { key: mention.product.to_string(), payload: title.collect() } });
            }
        }
        (!actions.is_empty()).then(|| Command { r#type: "addMessageActions", message_id: &message.id, actions })
    };
    Commands { commands: messages.iter().filter_map(command).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(id: &str, text: &str) -> Message {
        Message { id: id.to_owned(), text: text.to_owned() }
    }

    fn mention(words: &str, product: u64, title: Option<&str>) -> Mention {
        Mention { words: words.to_owned(), product, title: title.map(str::to_owned) }
    }

    fn marked(text: &str) -> Vec<(String, String)> {
        let mentions = [
            mention("Nami", 501, Some("Bouilloire Nami")),
            mention("bouilloire électrique", 502, None),
            mention("bouilloire", 503, None),
            mention("NAM-17-IX", 501, None),
        ];
        let messages = [message("f1", text)];
        let mut told = serde_json::to_value(commands(&messages, &mentions)).unwrap();
        let Some(Value::Array(actions)) = told.pointer_mut("/commands/0/actions") else { return Vec::new() };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        actions.iter().map(|action| (text(&action["highlight"]), text(&action["intent"]["key"]))).collect()
    }

    #[test]
    fn answer_is_that_of_the_contract() {
        let messages = [message("f0", "Bonjour"), message("f1", "Avez-vous la Nami ?")];
        let told = commands(&messages, &[mention("Nami", 501, Some("Bouilloire Nami"))]);
        let expected = json!({
          "commands": [
            {
              "type": "addMessageActions",
              "messageId": "f1",
              "actions": [ { "highlight": "Nami", "intent": { "key": "501", "payload": { "title": "Bouilloire Nami" } } } ]
            }
          ]
        });
        assert_eq!(serde_json::to_value(told).unwrap(), expected);
        assert_eq!(serde_json::to_value(commands(&[], &[])).unwrap(), json!({"commands": []}));
    }

    #[test]
    fn words_are_marked_as_they_are_spelled() {
        for (text, found) in [
            ("la NAMI?", &[("NAMI", "501")][..]),
            ("une Bouilloire  ELECTRIQUE, svp", &[("Bouilloire  ELECTRIQUE", "502")]),
            ("une bouilloire e\u{301}lectrique", &[("bouilloire e\u{301}lectrique", "502")]),
            ("une bouilloire", &[("bouilloire", "503")]),
            ("réf. nam 17/ix!", &[("nam 17/ix", "501")]),
            ("Nami, nami et Nami", &[("Nami", "501"), ("nami", "501")]),
            ("Tsunami", &[]),
            ("Naming", &[]),
            ("<b>Nami</b>", &[("Nami", "501")]),
            ("", &[]),
        ] {
            let found: Vec<_> = found.iter().map(|(highlight, key)| ((*highlight).to_owned(), (*key).to_owned())).collect();
            assert_eq!(marked(text), found, "{text}");
        }
    }

    #[test]
    fn a_message_has_twenty_marks_at_most() {
        let mentions: Vec<_> = (0..30).map(|n| mention(&format!("p{n}"), n, None)).collect();
        let messages = [message("m", &(0..30).map(|n| format!("p{n} ")).collect::<String>())];
        assert_eq!(commands(&messages, &mentions).commands[0].actions.len(), 20);
    }

    #[test]
    fn last_two_hundred_messages_with_an_id_and_a_text_are_read() {
        let read = |body: Value| read_messages(body.to_string().as_bytes());
        let listed: Vec<_> = (0..250).map(|n| json!({"id": format!("m{n}"), "authorType": "VISITOR", "text": "x"})).collect();
        let messages = read(json!({ "messages": listed })).unwrap();
        assert_eq!((messages.len(), messages[0].id.as_str(), messages[199].id.as_str()), (200, "m50", "m249"));
        let odd = json!([{"id": "a"}, {"text": "b"}, {"id": "", "text": "b"}, {"id": 7, "text": "b"}, {"id": "a", "text": null}, null, 7]);
        assert_eq!(read(json!({ "messages": odd })), Ok(Vec::new()));
        for wrong in [json!({}), json!([]), json!({"messages": {}}), json!({"messages": null}), json!("x")] {
            assert_eq!(read(wrong), Err("is missing or no list"));
        }
        assert_eq!(read_messages(b"{"), Err("is not JSON"));
        assert_eq!(read_messages(&[0xff]), Err("is not JSON"));
    }

    #[test]
    fn references_have_a_digit_and_are_looked_up_ten_at_most() {
        let messages = [message("a", "(NAM-17-IX), 501 2x Hello"), message("b", "NAM-17-IX ou «AB12.»?")];
        assert_eq!(references(&messages), ["NAM-17-IX", "AB12"]);
        let many = [message("a", &(0..50).map(|n| format!("ref-{n} ")).collect::<String>())];
        assert_eq!(references(&many).len(), 10);
    }
}
