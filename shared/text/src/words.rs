//! Texts that an operator writes for visitors, in one language or in several.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest text, in bytes.
const MAX_TEXT: usize = 20_000;

/// A text: `"Hello"`, or by two-letter language `{"en":"Hello","de":"Hallo"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Words {
    /// By language; the empty one is for all.
    by_lang: BTreeMap<String, String>,
}

impl Words {
    /// The text in a language, else in its base (`pt` for `pt-BR`), else in English, else in the first there is.
    #[must_use]
    pub fn in_lang(&self, lang: &str) -> &str {
        let base = lang.split(['-', '_']).next().unwrap_or(lang);
        let found = [lang, base, "", "en"].into_iter().find_map(|lang| self.by_lang.get(lang));
        found.or_else(|| self.by_lang.values().next()).map_or("", String::as_str)
    }

    /// The texts in all languages.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.by_lang.values().map(String::as_str)
    }

    /// Each language with its text; the empty language is for all.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.by_lang.iter().map(|(lang, text)| (lang.as_str(), text.as_str()))
    }

    /// The same for somebody who would rather have `other` than English or any text at all.
    #[must_use]
    pub fn in_lang_or(&self, lang: &str, other: &str) -> &str {
        let has = |lang: &str| lang.get(..2).is_some_and(|base| self.by_lang.contains_key(base));
        self.in_lang(if has(lang) { lang } else { other })
    }
}

/// The same of a text as it is written: empty where it is none.
#[must_use]
pub fn in_lang<'a>(written: &'a Value, lang: &str) -> &'a str {
    let base = lang.split(['-', '_']).next().unwrap_or(lang);
    let texts = written.as_object();
    let found = texts.and_then(|texts| [lang, base, "en"].into_iter().find_map(|lang| texts.get(lang)));
    let found = found.or_else(|| texts?.values().next()).unwrap_or(written);
    found.as_str().unwrap_or_default()
}

impl TryFrom<Value> for Words {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        const WRONG: &str = "not a text, nor texts by two-letter language";
        let by_lang = match value {
            Value::String(text) => BTreeMap::from([(String::new(), text)]),
            Value::Object(texts) => {
                let texts = texts.into_iter().map(|(lang, text)| match text {
                    Value::String(text) if lang.len() == 2 && lang.bytes().all(|b| b.is_ascii_lowercase()) => Ok((lang, text)),
                    _ => Err(WRONG),
                });
                texts.collect::<Result<BTreeMap<_, _>, _>>()?
            }
            _ => return Err(WRONG),
        };
        if by_lang.is_empty() || by_lang.values().any(|text| text.trim().is_empty() || text.len() > MAX_TEXT) {
            return Err("a text that is empty or longer than 20000 bytes");
        }
        Ok(Self { by_lang })
    }
}

impl From<Words> for Value {
    fn from(words: Words) -> Self {
        match words.by_lang.get("") {
            Some(text) => Self::String(text.clone()),
            None => Self::Object(words.by_lang.into_iter().map(|(lang, text)| (lang, Self::String(text))).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_chosen_by_language_then_base_then_english() {
        let words = Words::try_from(json!({"de": "Hallo", "en": "Hello", "pt": "Olá"})).unwrap();
        for (lang, text) in [("de", "Hallo"), ("pt-BR", "Olá"), ("zh_CN", "Hello"), ("ja", "Hello")] {
            assert_eq!(words.in_lang(lang), text, "{lang}");
            assert_eq!(in_lang(&Value::from(words.clone()), lang), text, "{lang}");
        }
        assert_eq!(Words::try_from(json!({"de": "Hallo"})).unwrap().in_lang("ja"), "Hallo");
        for (lang, other, text) in [("pt-BR", "de", "Olá"), ("ja", "de", "Hallo"), ("ja", "fr", "Hello"), ("", "de", "Hallo")] {
            assert_eq!(words.in_lang_or(lang, other), text, "{lang}");
        }
        assert_eq!(Words::try_from(json!("Hi")).unwrap().in_lang_or("ja", "de"), "Hi");
        assert_eq!(Words::try_from(json!("Hi")).unwrap().in_lang("ja"), "Hi");
    }

    #[test]
    fn what_is_no_text_is_refused() {
        for wrong in [json!(""), json!({}), json!(7), json!({"english": "Hello"}), json!({"en": 7}), json!({"en": " "})] {
            assert!(Words::try_from(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
