//! What users of the education screen read, watch and answer (section 5, "Education").

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Words;
use crate::schema::is_name;

/// Most pieces of content of a brand.
pub const MAX_ITEMS: usize = 200;

/// Longest piece, in bytes as it is published.
const MAX_ITEM: usize = 200_000;

/// What kind of content it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentKind {
    /// Text with pictures.
    Article,
    /// A film.
    Video,
    /// Questions.
    Quiz,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Block {
    P(Words),
    H(Words),
    List(Vec<Words>),
    Image(Picture),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Picture {
    src: String,
    alt: Words,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Captions {
    lang: String,
    src: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Video {
    src: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    poster: Option<String>,
    #[serde(default)]
    captions: Vec<Captions>,
    duration_seconds: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    id: String,
    text: Words,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    id: String,
    text: Words,
    choices: Vec<Choice>,
    /// The ids of the right ones: never given to a screen.
    right: Vec<String>,
}

/// The questions of a quiz.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quiz {
    questions: Vec<Question>,
    /// From which score on it is passed, in percent.
    pub pass_percent: u32,
    /// How often a person may try; any number of times without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Whether whoever passes gets a certificate.
    #[serde(default)]
    pub certificate: bool,
}

/// What came of answers to a quiz.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scored {
    /// Right answers in percent, rounded down.
    pub score: u32,
    /// Whether that is enough.
    pub passed: bool,
    /// Question by question.
    pub correct: BTreeMap<String, bool>,
}

/// A piece of content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Its id: the value of `contentId`.
    pub id: String,
    /// What it is.
    pub r#type: ContentKind,
    /// Its title.
    pub title: Words,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Words>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    body: Vec<Block>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    video: Option<Video>,
    /// The questions of a quiz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiz: Option<Quiz>,
    /// What comes after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

fn is_https(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| url.scheme() == "https" && url.has_host())
}

impl Content {
    /// Reads and judges a piece of content.
    ///
    /// # Errors
    /// What is wrong, with its path.
    pub fn of(written: &Value) -> Result<Self, String> {
        let id = written.get("id").and_then(Value::as_str).unwrap_or("?").to_owned();
        if !is_name(&id) {
            return Err("items: an id that is not 1 to 64 letters, digits, - and _".to_owned());
        }
        let at = |why: String| format!("items.{id}: {why}");
        if written.to_string().len() > MAX_ITEM {
            return Err(at(format!("is longer than {MAX_ITEM} bytes")));
        }
        let content: Self = serde_json::from_value(written.clone()).map_err(|error| at(error.to_string()))?;
        content.check().map_err(at)?;
        Ok(content)
    }

    fn check(&self) -> Result<(), String> {
        let pictures = self.body.iter().filter_map(|block| match block {
            Block::Image(picture) => Some(&picture.src),
            Block::P(_) | Block::H(_) | Block::List(_) => None,
        });
        let video = self.video.iter().flat_map(|video| {
            let captions = video.captions.iter().map(|captions| &captions.src);
            std::iter::once(&video.src).chain(&video.poster).chain(captions)
        });
        if pictures.chain(video).any(|url| !is_https(url)) {
            return Err("a src or poster that is no https URL".to_owned());
        }
        match (self.r#type, &self.video, &self.quiz) {
            (ContentKind::Article, None, None) if self.body.is_empty() => Err("body: is empty".to_owned()),
            (ContentKind::Article, None, None) | (ContentKind::Video, Some(_), None) => Ok(()),
            (ContentKind::Quiz, None, Some(quiz)) => quiz.check(),
            _ => Err("an article has a body, a video has video, a quiz has quiz, and none has what another has".to_owned()),
        }
    }

    /// The content as it is listed.
    #[must_use]
    pub fn listed(&self) -> Value {
        json!({"id": self.id, "type": self.r#type, "title": self.title, "summary": self.summary})
    }

    /// The content as a screen is given it: texts in its language, and no right answers.
    #[must_use]
    pub fn shown(&self, lang: &str) -> Value {
        let body = self.body.iter().map(|block| match block {
            Block::P(words) => json!({"p": words.in_lang(lang)}),
            Block::H(words) => json!({"h": words.in_lang(lang)}),
            Block::List(list) => json!({"list": list.iter().map(|words| words.in_lang(lang)).collect::<Vec<_>>()}),
            Block::Image(Picture { src, alt }) => json!({"image": {"src": src, "alt": alt.in_lang(lang)}}),
        });
        let mut shown = json!({
            "id": self.id, "type": self.r#type, "title": self.title.in_lang(lang), "body": body.collect::<Vec<_>>(),
        });
        let quiz = self.quiz.as_ref().map(|quiz| quiz.shown(lang));
        let summary = self.summary.as_ref().map(|summary| summary.in_lang(lang));
        let parts = [
            ("summary", summary.map(Value::from)),
            ("video", self.video.as_ref().map(|video| json!(video))),
            ("quiz", quiz),
            ("next", self.next.clone().map(Value::from)),
        ];
        if let Some(members) = shown.as_object_mut() {
            members.extend(parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), part?))));
        }
        shown
    }
}

impl Quiz {
    fn check(&self) -> Result<(), String> {
        if !(1..=100).contains(&self.questions.len()) || !(1..=100).contains(&self.pass_percent) || self.attempts == Some(0) {
            return Err("quiz: not 1 to 100 questions, passPercent not 1 to 100, or attempts 0".to_owned());
        }
        let mut ids = BTreeSet::new();
        for Question { id, choices, right, .. } in &self.questions {
            let at = |why: &str| Err(format!("quiz.questions.{id}: {why}"));
            let known: BTreeSet<_> = choices.iter().map(|choice| choice.id.as_str()).collect();
            if !is_name(id) || !ids.insert(id) {
                return at("its id is there twice, or not 1 to 64 letters, digits, - and _");
            }
            if !(2..=20).contains(&choices.len()) || known.len() != choices.len() || known.iter().any(|id| !is_name(id)) {
                return at("not 2 to 20 choices with ids of their own");
            }
            let distinct: BTreeSet<_> = right.iter().map(String::as_str).collect();
            if right.is_empty() || distinct.len() != right.len() || !distinct.is_subset(&known) {
                return at("right names no choice, one twice, or one that is none");
            }
        }
        Ok(())
    }

    fn shown(&self, lang: &str) -> Value {
        let questions = self.questions.iter().map(|Question { id, text, choices, right }| {
            let choices = choices.iter().map(|choice| json!({"id": choice.id, "text": choice.text.in_lang(lang)}));
            json!({"id": id, "text": text.in_lang(lang), "choices": choices.collect::<Vec<_>>(), "multiple": right.len() > 1})
        });
        json!({"questions": questions.collect::<Vec<_>>(), "passPercent": self.pass_percent})
    }

    /// Judges answers: the ids of the chosen ones by question. A question is right if exactly the right ones are chosen.
    ///
    /// # Errors
    /// Answers to what is no question, or with what is no choice.
    pub fn scored(&self, answers: &BTreeMap<String, Vec<String>>) -> Result<Scored, &'static str> {
        let is_answerable = |(id, chosen): (&String, &Vec<String>)| {
            let question = self.questions.iter().find(|question| question.id == *id);
            question
                .is_some_and(|q| chosen.len() <= q.choices.len() && chosen.iter().all(|c| q.choices.iter().any(|o| o.id == *c)))
        };
        if !answers.iter().all(is_answerable) {
            return Err("answers");
        }
        let correct: BTreeMap<_, _> = self
            .questions
            .iter()
            .map(|question| {
                let chosen: BTreeSet<_> = answers.get(&question.id).into_iter().flatten().collect();
                (question.id.clone(), chosen == question.right.iter().collect())
            })
            .collect();
        let right = correct.values().filter(|is_right| **is_right).count();
        let score = u32::try_from(right * 100 / self.questions.len().max(1)).unwrap_or(0);
        Ok(Scored { score, passed: score >= self.pass_percent, correct })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiz() -> Value {
        json!({"id": "forex101", "type": "quiz", "title": {"en": "Forex basics", "de": "Grundlagen"}, "quiz": {"passPercent": 67, "questions": [
            {"id": "q1", "text": "What is a pip?", "choices": [{"id": "a", "text": "A seed"}, {"id": "b", "text": "A step of a price"}], "right": ["b"]},
            {"id": "q2", "text": "Which are currencies?", "choices": [{"id": "a", "text": "EUR"}, {"id": "b", "text": "USD"}, {"id": "c", "text": "XYZ"}], "right": ["a", "b"]},
            {"id": "q3", "text": "Is trading risky?", "choices": [{"id": "y", "text": "Yes"}, {"id": "n", "text": "No"}], "right": ["y"]}]}})
    }

    fn answers(written: Value) -> BTreeMap<String, Vec<String>> {
        serde_json::from_value(written).unwrap()
    }

    #[test]
    fn question_is_right_if_exactly_the_right_ones_are_chosen() {
        let quiz = Content::of(&quiz()).unwrap().quiz.unwrap();
        for (given, score, passed) in [
            (json!({"q1": ["b"], "q2": ["b", "a"], "q3": ["y"]}), 100, true),
            (json!({"q1": ["b"], "q2": ["a", "b", "c"], "q3": ["y"]}), 66, false),
            (json!({"q1": ["b"], "q2": ["a"]}), 33, false),
            (json!({}), 0, false),
        ] {
            let scored = quiz.scored(&answers(given.clone())).unwrap();
            assert_eq!((scored.score, scored.passed), (score, passed), "{given}");
        }
        assert!(quiz.scored(&answers(json!({"q9": ["a"]}))).is_err());
        assert!(quiz.scored(&answers(json!({"q1": ["z"]}))).is_err());
    }

    #[test]
    fn screen_is_given_no_right_answer() {
        let shown = Content::of(&quiz()).unwrap().shown("de");
        assert!(!shown.to_string().contains("right"));
        assert_eq!((&shown["title"], &shown["quiz"]["questions"][1]["multiple"]), (&json!("Grundlagen"), &json!(true)));
    }

    #[test]
    fn wrong_content_is_refused_with_its_path() {
        let article = |body: Value| json!({"id": "a", "type": "article", "title": "A", "body": body});
        let mut twice = quiz();
        twice["quiz"]["questions"][1]["id"] = json!("q1");
        let mut no_right = quiz();
        no_right["quiz"]["questions"][0]["right"] = json!(["z"]);
        for (written, why) in [
            (json!({"id": "a b"}), "items: an id"),
            (article(json!([])), "items.a: body: is empty"),
            (article(json!([{"script": "alert(1)"}])), "items.a: unknown variant `script`"),
            (article(json!([{"image": {"src": "http://x.example/a.png", "alt": "A"}}])), "items.a: a src or poster"),
            (article(json!([{"image": {"src": "javascript:alert(1)", "alt": "A"}}])), "items.a: a src or poster"),
            (json!({"id": "a", "type": "video", "title": "A"}), "items.a: an article has a body"),
            (twice, "items.forex101: quiz.questions.q1:"),
            (no_right, "items.forex101: quiz.questions.q1: right"),
        ] {
            let wrong = Content::of(&written).unwrap_err();
            assert!(wrong.starts_with(why), "{wrong}");
        }
    }
}
