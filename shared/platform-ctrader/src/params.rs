//! The parameters with which a screen is opened (section 7). Whoever made the link wrote them: nothing in them is proven.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::redeem::user_id;

/// The longest parameters of an action, decoded, in bytes.
const LONGEST: usize = 4096;

/// The most keys they have, at all levels together.
const MOST_KEYS: usize = 32;

/// The deepest they nest.
const DEEPEST: usize = 4;

/// What is kept of a parameter that is for statistics, in characters.
const STATISTICS: usize = 256;

/// The most parameters that a page reads.
const MOST_PARAMETERS: usize = 64;

/// A screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// `/inapp/action`
    Action,
    /// `/inapp/chat`
    Chat,
    /// `/inapp/education`
    Education,
}

impl Screen {
    /// The screen of this word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Action, Self::Chat, Self::Education].into_iter().find(|screen| screen.as_str() == text)
    }

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Chat => "chat",
            Self::Education => "education",
        }
    }
}

/// A parameter cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{name} {why}")]
pub struct BadParameter {
    /// Which.
    pub name: &'static str,
    /// What is wrong with it, without its value.
    pub why: &'static str,
}

/// The parameters of a screen, checked. What does not count is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// The language of the user's system.
    pub lang: Option<String>,
    account: Option<i64>,
    kept: Map<String, Value>,
}

/// Names that mean something, so that no parameter of an action can have them.
const RESERVED: [&str; 18] = [
    "token",
    // Stands in place of the token after a page has taken it.
    "resume",
    "account",
    "acc",
    "lang",
    "source",
    "theme",
    "actionType",
    "actionParams",
    "chatReason",
    "department",
    "agentId",
    "contentType",
    "contentId",
    "eventName",
    "firstLogin",
    "partnerId",
    "gclid",
];

/// Names of what is kept for statistics and never shown.
const FOR_STATISTICS: [&str; 6] = ["utm_source", "utm_medium", "utm_campaign", "utm_term", "gclid", "eventName"];

/// The layouts (section 7, `source`).
const SOURCES: [&str; 5] = ["Web", "Android", "iOS", "MacOS", "Desktop"];

impl Params {
    /// Reads the parameters of a page's address, percent-decoded once, without the token.
    ///
    /// # Errors
    /// [`BadParameter`] for parameters of an action that cannot be read or are beyond their limits.
    pub fn read(screen: Screen, given: &Map<String, Value>) -> Result<Self, BadParameter> {
        if given.len() > MOST_PARAMETERS {
            return Err(BadParameter { name: "params", why: "are too many" });
        }
        if given.values().any(|value| !value.is_string()) {
            return Err(BadParameter { name: "params", why: "must be texts" });
        }
        let text = |name: &str| given.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let mut kept = Map::new();
        let mut keep = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                kept.insert(name.to_owned(), value);
            }
        };
        let source = text("source").and_then(|given| SOURCES.into_iter().find(|known| known.eq_ignore_ascii_case(given)));
        keep("source", Some(source.unwrap_or("Web").into()));
        let theme = text("theme").and_then(|given| ["light", "dark"].into_iter().find(|known| known.eq_ignore_ascii_case(given)));
        keep("theme", theme.map(Value::from));
        for name in FOR_STATISTICS {
            keep(name, text(name).map(|text| text.chars().take(STATISTICS).collect::<String>().into()));
        }
        let word = |name: &str| text(name).filter(|text| is_word(text)).map(Value::from);
        let short = |name: &str| text(name).filter(|text| is_short(text)).map(Value::from);
        match screen {
            Screen::Action => {
                keep("actionType", word("actionType"));
                keep("actionParams", Some(action_params(given)?.into()));
            }
            Screen::Chat => {
                keep("chatReason", word("chatReason"));
                keep("department", short("department"));
                keep("agentId", short("agentId"));
            }
            Screen::Education => {
                keep("contentType", short("contentType"));
                keep("contentId", short("contentId"));
            }
        }
        let account = given.get("account").or_else(|| given.get("acc")).and_then(user_id);
        Ok(Self { lang: text("lang").map(str::to_owned), account, kept })
    }

    /// What is kept with the session: the account only if it is the one that was vouched for.
    #[must_use]
    pub fn confirmed(mut self, trading_login: Option<i64>) -> Map<String, Value> {
        if let Some(account) = self.account.filter(|account| Some(*account) == trading_login) {
            self.kept.insert("account".to_owned(), account.into());
        }
        self.kept
    }
}

/// What of the kept parameters a screen is given back: not what is for statistics.
#[must_use]
pub fn shown(kept: &Map<String, Value>) -> Map<String, Value> {
    let shown = kept.iter().filter(|(name, _)| !FOR_STATISTICS.contains(&name.as_str()));
    shown.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// `^[A-Za-z][A-Za-z0-9_.-]{0,63}$`
fn is_word(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

fn is_short(text: &str) -> bool {
    text.chars().count() <= 64 && !text.chars().any(char::is_control)
}

/// `actionParams`, with what stands beside it in the address; on conflict it wins.
fn action_params(given: &Map<String, Value>) -> Result<Map<String, Value>, BadParameter> {
    let bad = |why| BadParameter { name: "actionParams", why };
    let written = given.get("actionParams").and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut merged: Map<String, Value> = given
        .iter()
        .filter(|(name, _)| !RESERVED.contains(&name.as_str()) && !name.starts_with("utm_"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if let Some(text) = written {
        let decoded;
        let json = if text.trim_start().starts_with('{') {
            text.as_bytes()
        } else {
            decoded = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| bad("is not a JSON object"))?;
            &decoded
        };
        if json.len() > LONGEST {
            return Err(bad("is longer than 4096 bytes"));
        }
        merged.extend(serde_json::from_slice::<Map<String, Value>>(json).map_err(|_| bad("is not a JSON object"))?);
    }
    let whole = Value::Object(merged);
    if depth(&whole) > DEEPEST {
        return Err(bad("is deeper than 4 levels"));
    }
    if keys(&whole) > MOST_KEYS {
        return Err(bad("has more than 32 keys"));
    }
    if whole.to_string().len() > LONGEST {
        return Err(bad("is longer than 4096 bytes"));
    }
    match whole {
        Value::Object(merged) => Ok(merged),
        _ => Ok(Map::new()),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn keys(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.len() + members.values().map(keys).sum::<usize>(),
        Value::Array(items) => items.iter().map(keys).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn kept(screen: Screen, given: Value) -> Value {
        Params::read(screen, given.as_object().unwrap()).unwrap().confirmed(Some(5_207_718)).into()
    }

    fn refused(given: Value) -> String {
        Params::read(Screen::Action, given.as_object().unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn source_is_one_of_the_layouts_and_web_otherwise() {
        for (given, layout) in [
            ("iOS", "iOS"),
            ("web", "Web"),
            ("ANDROID", "Android"),
            ("macos", "MacOS"),
            ("desktop", "Desktop"),
            ("fridge", "Web"),
            ("", "Web"),
        ] {
            assert_eq!(kept(Screen::Chat, json!({"source": given}))["source"], layout, "{given}");
        }
    }

    #[test]
    fn theme_is_light_or_dark_or_not_there() {
        for (given, theme) in [("light", json!("light")), ("DARK", json!("dark")), ("blue", json!(null)), ("", json!(null))] {
            assert_eq!(kept(Screen::Chat, json!({"theme": given}))["theme"], theme, "{given}");
        }
    }

    #[test]
    fn account_counts_only_if_it_is_the_one_that_was_vouched_for() {
        for (given, account) in [
            (json!({"account": "5207718"}), json!(5_207_718)),
            (json!({"acc": "5207718"}), json!(5_207_718)),
            (json!({"account": "5207719"}), json!(null)),
            (json!({"account": "x"}), json!(null)),
            (json!({"account": "5207719", "acc": "5207718"}), json!(null)),
        ] {
            assert_eq!(kept(Screen::Action, given.clone())["account"], account, "{given}");
        }
    }

    #[test]
    fn action_type_has_its_pattern() {
        let longest = "a".repeat(64);
        for (given, is_kept) in [
            ("survey", true),
            ("promo", true),
            ("a.b_c-1", true),
            (&*longest, true),
            (&*format!("{longest}a"), false),
            ("1a", false),
            ("a b", false),
            ("é", false),
            ("<script>", false),
        ] {
            assert_eq!(kept(Screen::Action, json!({"actionType": given})).get("actionType").is_some(), is_kept, "{given}");
            assert_eq!(kept(Screen::Chat, json!({"chatReason": given})).get("chatReason").is_some(), is_kept, "{given}");
        }
    }

    #[test]
    fn action_params_are_json_or_its_base64url_and_win_over_flat_ones() {
        let expected = json!({"promoId": "summer2023", "n": {"a": 1}});
        for text in [
            r#"{"promoId":"summer2023","n":{"a":1}}"#,
            "eyJwcm9tb0lkIjoic3VtbWVyMjAyMyIsIm4iOnsiYSI6MX19",
            "eyJwcm9tb0lkIjoic3VtbWVyMjAyMyIsIm4iOnsiYSI6MX19==",
        ] {
            assert_eq!(kept(Screen::Action, json!({"actionParams": text}))["actionParams"], expected, "{text}");
        }
        let both = json!({"promoId": "winter", "colour": "7", "actionParams": "{\"promoId\":\"summer2023\"}"});
        assert_eq!(kept(Screen::Action, both)["actionParams"], json!({"promoId": "summer2023", "colour": "7"}));
        assert_eq!(kept(Screen::Action, json!({}))["actionParams"], json!({}));
    }

    #[test]
    fn reserved_names_are_no_parameters_of_an_action() {
        let given = json!({
            "firstLogin": "true", "resume": "1", "partnerId": "p", "utm_source": "s", "utm_other": "o", "gclid": "g", "eventName": "e",
            "lang": "de", "department": "d"
        });
        assert_eq!(kept(Screen::Action, given)["actionParams"], json!({}));
    }

    #[test]
    fn action_params_have_limits() {
        let text = |value: &Value| json!({"actionParams": value.to_string()});
        assert_eq!(refused(json!({"actionParams": "summer"})), "actionParams is not a JSON object");
        assert_eq!(refused(json!({"actionParams": "[1]"})), "actionParams is not a JSON object");
        assert_eq!(refused(json!({"actionParams": "{"})), "actionParams is not a JSON object");
        assert_eq!(refused(json!({"actionParams": "[".repeat(4000)})), "actionParams is not a JSON object");
        assert_eq!(refused(text(&json!({"a": {"b": {"c": {"d": {}}}}}))), "actionParams is deeper than 4 levels");
        kept(Screen::Action, text(&json!({"a": {"b": {"c": {"d": 1}}}})));
        let many = |count: usize| Value::Object((0..count).map(|n| (format!("k{n}"), json!(n))).collect());
        assert_eq!(refused(text(&many(33))), "actionParams has more than 32 keys");
        kept(Screen::Action, text(&many(32)));
        assert_eq!(refused(text(&json!({"a": "x".repeat(4096)}))), "actionParams is longer than 4096 bytes");
        kept(Screen::Action, text(&json!({"a": "x".repeat(4088)})));
        let mut flat = many(33);
        flat.as_object_mut().unwrap().values_mut().for_each(|value| *value = json!("v"));
        assert_eq!(refused(flat), "actionParams has more than 32 keys");
        assert_eq!(refused(json!({"a": ["twice", "twice"]})), "params must be texts");
    }

    #[test]
    fn hints_of_a_chat_and_names_of_content_are_kept_for_their_screens_alone() {
        let given = json!({
            "chatReason": "deposit_issue", "department": "support", "agentId": "john_doe", "contentType": "video",
            "contentId": "forex101", "promoId": "p"
        });
        assert_eq!(
            kept(Screen::Chat, given.clone()),
            json!({"source": "Web", "chatReason": "deposit_issue", "department": "support", "agentId": "john_doe"})
        );
        assert_eq!(kept(Screen::Education, given), json!({"source": "Web", "contentType": "video", "contentId": "forex101"}));
        assert_eq!(kept(Screen::Chat, json!({"department": "a\nb", "agentId": "x".repeat(65)})), json!({"source": "Web"}));
    }

    #[test]
    fn statistics_are_kept_to_256_characters_and_never_shown() {
        let given = json!({"utm_source": "ü".repeat(300), "gclid": "g", "eventName": "e", "theme": "dark"});
        let kept = Params::read(Screen::Chat, given.as_object().unwrap()).unwrap().confirmed(None);
        assert_eq!(kept["utm_source"], "ü".repeat(256));
        assert_eq!(Value::from(shown(&kept)), json!({"source": "Web", "theme": "dark"}));
    }

    proptest! {
        #[test]
        fn any_parameters_never_panic(name in ".{0,20}", text in "(?s).{0,200}") {
            let given = json!({name: text.clone(), "actionParams": text}).as_object().unwrap().clone();
            for screen in [Screen::Action, Screen::Chat, Screen::Education] {
                let _ = Params::read(screen, &given).map(|params| params.confirmed(None));
            }
        }
    }
}
