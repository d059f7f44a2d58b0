//! A script that converses before people do (`ICR`, 5.1 rows 9, 12, 13, 34): nodes that say something and then wait for an
//! answer, hand over or end.
//!
//! A node that waits goes on with the visitor's next sentence, and a node that does not wait ends the script. So a script
//! can go in circles only as often as the visitor answers.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::Robot;
use crate::id::utf16_len;
use crate::texts::{ConfigError, Target, Texts};

/// The most nodes of a script.
const MOST_NODES: usize = 100;
/// The most options of a node, and words of an option.
const MOST_OPTIONS: usize = 20;
/// Longest name of a node, and longest word of an option, in UTF-16 units.
const LONGEST_NAME: usize = 64;
/// All texts of a script together, in UTF-16 units: configuration is read whole by every function.
const LONGEST_SCRIPT: usize = 50_000;

/// When a script converses with a new visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScriptWhen {
    /// Always.
    #[default]
    Always,
    /// When no agent is free, of another platform's staff nobody is known to be.
    Nobody,
}

/// A script, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// As whom it speaks.
    pub robot: Robot,
    /// When it converses.
    pub when: ScriptWhen,
    first: String,
    nodes: BTreeMap<String, Node>,
}

/// A node as it is configured: `{"name", "say", "options": [{"match": [words], "go": node}], "otherwise": node?}`, which waits
/// for an answer, or `{"name", "say", "then": "hand_over" | {"hand_over": desk} | "end"}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptNode {
    name: String,
    say: Texts,
    #[serde(default)]
    options: Vec<ScriptOption>,
    #[serde(default)]
    otherwise: Option<String>,
    #[serde(default)]
    then: Option<ThenText>,
}

/// An answer that is expected.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptOption {
    #[serde(rename = "match")]
    words: Vec<String>,
    go: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "then is not one of hand_over, end and an object of hand_over")]
enum ThenText {
    Word(ThenWord),
    To(ThenTarget),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ThenWord {
    HandOver,
    End,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ThenTarget {
    hand_over: Target,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    say: Texts,
    then: Next,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Next {
    Wait { options: Vec<Expected>, otherwise: String },
    HandOver(Target),
    End,
}

/// An answer that is expected, and the node it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Expected {
    phrases: Vec<Phrase>,
    go: String,
}

/// Words as they are compared.
type Phrase = Vec<String>;

/// What a script does at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move<'a> {
    /// The node.
    pub node: &'a str,
    /// What it says there.
    pub say: &'a Texts,
    /// How it goes on.
    pub then: ThenWhat<'a>,
}

/// How a script goes on after it has spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThenWhat<'a> {
    /// With the visitor's answer.
    Wait,
    /// People take over.
    HandOver(&'a Target),
    /// The chat is over.
    End,
}

impl Script {
    /// A script of these nodes; it begins with the first.
    ///
    /// # Errors
    /// [`ConfigError`] names what is wrong.
    pub fn new(robot: Robot, when: ScriptWhen, nodes: Vec<ScriptNode>) -> Result<Self, ConfigError> {
        if nodes.len() > MOST_NODES {
            return Err(ConfigError::new(format!("there are more than {MOST_NODES} nodes")));
        }
        let Some(first) = nodes.first().map(|node| node.name.clone()) else {
            return Err(ConfigError::new("there are no nodes"));
        };
        if nodes.iter().map(|node| node.say.len()).sum::<usize>() > LONGEST_SCRIPT {
            return Err(ConfigError::new(format!("its texts are longer than {LONGEST_SCRIPT} characters together")));
        }
        let mut known = BTreeMap::new();
        for node in nodes {
            let name = node.name.clone();
            if name.is_empty() || utf16_len(&name) > LONGEST_NAME {
                return Err(ConfigError::new(format!("a node's name is not 1 to {LONGEST_NAME} characters")));
            }
            let node = Node::check(node).map_err(|rule| ConfigError::new(format!("node {name}: {rule}")))?;
            if known.insert(name.clone(), node).is_some() {
                return Err(ConfigError::new(format!("node {name} is there twice")));
            }
        }
        let script = Self { robot, when, first, nodes: known };
        script.check_ways()?;
        Ok(script)
    }

    /// Every way leads to a node that is there, and to every node leads a way.
    fn check_ways(&self) -> Result<(), ConfigError> {
        let mut reached = BTreeSet::new();
        let mut ways = vec![self.first.as_str()];
        while let Some(name) = ways.pop() {
            if reached.insert(name)
                && let Some(Next::Wait { options, otherwise }) = self.nodes.get(name).map(|node| &node.then)
            {
                ways.extend(options.iter().map(|option| option.go.as_str()).chain([otherwise.as_str()]));
            }
        }
        if let Some(missing) = reached.iter().find(|name| !self.nodes.contains_key(**name)) {
            return Err(ConfigError::new(format!("there is no node {missing}")));
        }
        match self.nodes.keys().find(|name| !reached.contains(name.as_str())) {
            Some(lost) => Err(ConfigError::new(format!("no way leads to node {lost}"))),
            None => Ok(()),
        }
    }

    /// How it begins.
    #[must_use]
    pub fn begin(&self) -> Option<Move<'_>> {
        self.at(&self.first)
    }

    /// What it does when the visitor, asked at `node`, says `answer`. Asked at a node that is no longer there, or at none,
    /// it begins again.
    #[must_use]
    pub fn answer(&self, node: Option<&str>, answer: &str) -> Option<Move<'_>> {
        let asked = node.and_then(|name| self.nodes.get(name));
        let Some(Next::Wait { options, otherwise }) = asked.map(|node| &node.then) else { return self.begin() };
        let words = words(answer);
        let chosen = options.iter().find(|option| option.phrases.iter().any(|phrase| contains(&words, phrase)));
        self.at(chosen.map_or(otherwise, |option| &option.go))
    }

    fn at(&self, name: &str) -> Option<Move<'_>> {
        let (node, Node { say, then }) = self.nodes.get_key_value(name)?;
        let then = match then {
            Next::Wait { .. } => ThenWhat::Wait,
            Next::HandOver(target) => ThenWhat::HandOver(target),
            Next::End => ThenWhat::End,
        };
        Some(Move { node, say, then })
    }

    /// The desks that it hands over to, each with the name of the node that does.
    pub fn targets(&self) -> impl Iterator<Item = (&str, &Target)> {
        self.nodes.iter().filter_map(|(name, node)| match &node.then {
            Next::HandOver(target) => Some((name.as_str(), target)),
            Next::Wait { .. } | Next::End => None,
        })
    }
}

impl Node {
    fn check(node: ScriptNode) -> Result<Self, ConfigError> {
        let ScriptNode { name, say, options, otherwise, then } = node;
        let waits = !options.is_empty() || otherwise.is_some();
        let then = match then {
            Some(_) if waits => return Err(ConfigError::new("it has then, and waits for an answer too")),
            None if !waits => return Err(ConfigError::new("it has neither options nor otherwise nor then")),
            Some(ThenText::Word(ThenWord::End)) => Next::End,
            Some(ThenText::Word(ThenWord::HandOver)) => Next::HandOver(Target::default()),
            Some(ThenText::To(ThenTarget { hand_over })) => Next::HandOver(hand_over),
            // Whoever is not understood is asked again.
            None => Next::Wait { options: expected(options)?, otherwise: otherwise.unwrap_or(name) },
        };
        Ok(Self { say, then })
    }
}

fn expected(options: Vec<ScriptOption>) -> Result<Vec<Expected>, ConfigError> {
    if options.len() > MOST_OPTIONS {
        return Err(ConfigError::new(format!("it has more than {MOST_OPTIONS} options")));
    }
    let check = |ScriptOption { words: phrases, go }| {
        if !(1..=MOST_OPTIONS).contains(&phrases.len()) {
            return Err(ConfigError::new(format!("match is not 1 to {MOST_OPTIONS} words")));
        }
        if phrases.iter().any(|phrase| utf16_len(phrase) > LONGEST_NAME) {
            return Err(ConfigError::new(format!("match has something longer than {LONGEST_NAME} characters")));
        }
        let phrases: Vec<_> = phrases.iter().map(|phrase| words(phrase)).collect();
        if phrases.iter().any(Phrase::is_empty) {
            return Err(ConfigError::new("match has something that is no word"));
        }
        Ok(Expected { phrases, go })
    };
    options.into_iter().map(check).collect()
}

/// The words of a text, as they are compared: without case and punctuation.
fn words(text: &str) -> Phrase {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Whether `phrase` is in `said`, word by word.
fn contains(said: &[String], phrase: &[String]) -> bool {
    said.windows(phrase.len()).any(|part| part == phrase)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn script(nodes: Value) -> Result<Script, String> {
        let nodes = serde_json::from_value(nodes).map_err(|e| e.to_string())?;
        Script::new(Robot { id: None, name: "Robin".into() }, ScriptWhen::Always, nodes).map_err(|e| e.to_string())
    }

    fn menu() -> Script {
        script(json!([
            {"name": "hello", "say": "1 sales, 2 help", "options": [
                {"match": ["1", "sales", "buy something"], "go": "sales"}, {"match": ["2", "Help"], "go": "help"}]},
            {"name": "sales", "say": "One moment", "then": "hand_over"},
            {"name": "help", "say": "What is your number?", "otherwise": "thanks"},
            {"name": "thanks", "say": "Thanks", "then": {"hand_over": {"project": "help"}}}
        ]))
        .unwrap()
    }

    fn node_after(node: Option<&str>, answer: &str) -> String {
        menu().answer(node, answer).unwrap().node.to_owned()
    }

    #[test]
    fn script_begins_with_its_first_node_and_waits() {
        let script = menu();
        let begin = script.begin().unwrap();
        assert_eq!((begin.node, begin.say.of(None), begin.then), ("hello", "1 sales, 2 help", ThenWhat::Wait));
    }

    #[test]
    fn answer_is_found_by_its_words_whatever_their_case() {
        for answer in ["1", " 1. ", "SALES", "I'd like sales, please", "buy something!"] {
            assert_eq!(node_after(Some("hello"), answer), "sales", "{answer}");
        }
        assert_eq!(node_after(Some("hello"), "help"), "help");
    }

    #[test]
    fn what_is_not_expected_goes_on_otherwise_or_is_asked_again() {
        for answer in ["12", "something to buy", "salesman", "", "?"] {
            assert_eq!(node_after(Some("hello"), answer), "hello", "{answer}");
        }
        assert_eq!(node_after(Some("help"), "4711"), "thanks");
    }

    #[test]
    fn first_option_that_fits_is_taken() {
        assert_eq!(node_after(Some("hello"), "2 or 1"), "sales");
    }

    #[test]
    fn node_that_is_gone_or_asks_nothing_begins_again() {
        for node in [None, Some("renamed"), Some("sales")] {
            assert_eq!(node_after(node, "1"), "hello", "{node:?}");
        }
    }

    #[test]
    fn end_and_hand_over_say_where_to() {
        let script = menu();
        assert_eq!(script.answer(Some("hello"), "1").unwrap().then, ThenWhat::HandOver(&Target::default()));
        let ThenWhat::HandOver(help) = script.answer(Some("help"), "x").unwrap().then else { panic!() };
        assert_eq!(help.skill.as_ref().unwrap().project.to_string(), "help");
        assert_eq!(script.targets().count(), 2);
    }

    #[test]
    fn broken_script_is_refused_with_the_reason() {
        let many: Vec<_> = (0..101).map(|n| json!({"name": n.to_string(), "say": "x", "then": "end"})).collect();
        let long: Vec<_> = (0..13).map(|n| json!({"name": n.to_string(), "say": "x".repeat(4_000), "then": "end"})).collect();
        let end = json!({"name": "a", "say": "x", "then": "end"});
        for (nodes, rule) in [
            (json!([]), "there are no nodes"),
            (json!(many), "there are more than 100 nodes"),
            (json!(long), "its texts are longer than 50000 characters together"),
            (json!([{"name": "", "say": "x", "then": "end"}]), "a node's name is not 1 to 64 characters"),
            (json!([end.clone(), end.clone()]), "node a is there twice"),
            (json!([{"name": "a", "say": "x"}]), "node a: it has neither options nor otherwise nor then"),
            (
                json!([{"name": "a", "say": "x", "otherwise": "a", "then": "end"}]),
                "node a: it has then, and waits for an answer too",
            ),
            (json!([{"name": "a", "say": "x", "otherwise": "b"}]), "there is no node b"),
            (json!([{"name": "a", "say": "x", "options": [{"match": ["1"], "go": "b"}]}]), "there is no node b"),
            (json!([end, {"name": "b", "say": "x", "then": "end"}]), "no way leads to node b"),
            (json!([{"name": "a", "say": "x", "options": [{"match": [], "go": "a"}]}]), "node a: match is not 1 to 20 words"),
            (
                json!([{"name": "a", "say": "x", "options": [{"match": ["?"], "go": "a"}]}]),
                "node a: match has something that is no word",
            ),
        ] {
            assert_eq!(script(nodes.clone()).unwrap_err(), rule, "{nodes}");
        }
        let then = script(json!([{"name": "a", "say": "x", "then": "stop"}])).unwrap_err();
        assert_eq!(then, "then is not one of hand_over, end and an object of hand_over");
    }

    proptest! {
        #[test]
        fn script_always_knows_what_to_do(node in ".{0,9}", answer in ".*") {
            for node in [None, Some(node.as_str()), Some("hello"), Some("help")] {
                prop_assert!(menu().answer(node, &answer).is_some());
            }
        }
    }
}
