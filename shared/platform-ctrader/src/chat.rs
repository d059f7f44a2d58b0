//! The chat screen (section 5): what an operator configures for it, and what its visitor writes.

use std::collections::BTreeMap;

use model::{AccountId, Platform, Slug};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use url::Url;

/// The longest message, in characters after trimming (section 11, "Message limits").
const LONGEST_TEXT: usize = 4_000;
/// The longest comment of a survey, in characters (section 11, "Survey").
const LONGEST_COMMENT: usize = 1_000;
/// The most files with one message (section 11, "File upload").
pub const MOST_ATTACHMENTS: usize = 5;

/// To which gateway a visitor's chat belongs. Gateways are FrontStage accounts of the brand's tenant, written by their keys.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatSettings {
    /// Where neither `department` nor `chatReason` names another one: the general queue (section 7).
    #[serde(deserialize_with = "gateway")]
    pub gateway: AccountId,
    /// By the screen's `department`.
    #[serde(default, deserialize_with = "gateways")]
    pub departments: BTreeMap<String, AccountId>,
    /// By the screen's `chatReason`, where its `department` names none.
    #[serde(default, deserialize_with = "gateways")]
    pub reasons: BTreeMap<String, AccountId>,
    /// Agents of the desk, by the names that links call them by in `agentId`.
    #[serde(default, deserialize_with = "words")]
    agents: BTreeMap<String, Slug>,
    /// Pictures of whoever answers: of an agent by their id, of other platforms' staff by their account.
    #[serde(default, deserialize_with = "addresses")]
    pictures: BTreeMap<String, Url>,
}

fn account(key: Slug) -> AccountId {
    AccountId::new(Platform::Frontstage, key)
}

fn gateway<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AccountId, D::Error> {
    Slug::deserialize(deserializer).map(account)
}

fn gateways<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, AccountId>, D::Error> {
    Ok(words(deserializer)?.into_iter().map(|(name, key)| (name, account(key))).collect())
}

fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Slug>, D::Error> {
    let written = BTreeMap::<String, Slug>::deserialize(deserializer)?;
    match written.keys().find(|name| !is_word(name)) {
        Some(_) => Err(serde::de::Error::custom(
            "chat: a department, a reason or an agent's name is not a letter and up to 63 letters, digits, _ . -",
        )),
        None => Ok(written),
    }
}

fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Url>, D::Error> {
    let written = BTreeMap::<String, String>::deserialize(deserializer)?;
    let read = |(of, address): (String, String)| match Url::parse(&address) {
        Ok(url) => Ok((of, url)),
        Err(_) => Err(serde::de::Error::custom("chat: a picture is no address")),
    };
    written.into_iter().map(read).collect()
}

/// Whether it is a name as the links of the app have them (section 7, `actionType`, `chatReason`).
fn is_word(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && text.len() <= 64
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn named<'a>(by: &'a BTreeMap<String, AccountId>, params: &Map<String, Value>, name: &str) -> Option<&'a AccountId> {
    by.get(params.get(name)?.as_str()?)
}

impl ChatSettings {
    /// The gateway of a chat that is opened with these parameters. What is not configured is the general queue's.
    #[must_use]
    pub fn gateway_for(&self, params: &Map<String, Value>) -> &AccountId {
        let department = named(&self.departments, params, "department");
        department.or_else(|| named(&self.reasons, params, "chatReason")).unwrap_or(&self.gateway)
    }

    /// Whom the link asks for (section 7, `agentId`), by their id in the desk. Whether there is such an agent is not known here: a
    /// preference is followed or not, and the visitor is told nothing of it.
    #[must_use]
    pub fn preferred_agent(&self, params: &Map<String, Value>) -> Option<&Slug> {
        self.agents.get(params.get("agentId")?.as_str()?)
    }

    /// The picture of an agent by their id, or of other platforms' staff by their account.
    #[must_use]
    pub fn picture(&self, of: &str) -> Option<&Url> {
        self.pictures.get(of)
    }

    /// What is wrong with the pictures: the screens' policy lets a browser ask only these origins for any.
    pub(crate) fn check_pictures(&self, origins: &[&str]) -> Result<(), String> {
        let is_shown = |url: &Url| origins.contains(&url.origin().ascii_serialization().as_str());
        match self.pictures.iter().find(|(_, url)| !is_shown(url)) {
            Some((of, _)) => Err(format!("chat: pictures: {of}: its origin is not among media_origins")),
            None => Ok(()),
        }
    }

    /// All gateways, each with the member that names it.
    pub fn gateways(&self) -> impl Iterator<Item = (String, &AccountId)> {
        let departments = self.departments.iter().map(|(name, id)| (format!("departments: {name}"), id));
        let reasons = self.reasons.iter().map(|(name, id)| (format!("reasons: {name}"), id));
        std::iter::once(("gateway".to_owned(), &self.gateway)).chain(departments).chain(reasons)
    }
}

/// The parameters of the screen that whoever answers is told, as a link has them: what the visitor wants, whom they asked for, and
/// the trading account that cTrader vouched for. Nothing else in them is proven. Empty if there are none.
#[must_use]
pub fn told_params(params: &Map<String, Value>, trading_login: Option<i64>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for name in ["chatReason", "department", "agentId"] {
        if let Some(value) = params.get(name).and_then(Value::as_str).filter(|value| is_word(value)) {
            query.append_pair(name, value);
        }
    }
    if let Some(login) = trading_login {
        query.append_pair("account", &login.to_string());
    }
    query.finish()
}

/// The kind of the record that leads a person to the chat that an operator has prepared for them. Its id is empty.
pub const PREPARED: &str = "prepared_chat";

/// The `chatReason` of a screen that is opened for a prepared chat (section 7).
pub const PROACTIVE: &str = "proactive";

/// The chat that an operator has prepared for a person, as it is kept until they come.
#[derive(Deserialize)]
struct PreparedChat {
    gateway: AccountId,
    chat: String,
}

/// What is kept of a prepared chat.
#[must_use]
pub fn prepared_body(gateway: &AccountId, chat: &str) -> String {
    json!({"gateway": gateway, "chat": chat}).to_string()
}

/// The prepared chat that is kept so, if it is of this gateway.
#[must_use]
pub fn prepared_in(body: &str, gateway: &AccountId) -> Option<String> {
    let kept: PreparedChat = serde_json::from_str(body).ok()?;
    (kept.gateway == *gateway).then_some(kept.chat)
}

/// What is wrong with something that a screen sends: the member, and the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(&'static str);

/// A body of a screen's call as it is written. An unpaired surrogate is no Unicode, and is refused with what is no JSON.
fn read<T: for<'de> Deserialize<'de>>(body: &[u8], rule: &'static str) -> Result<T, Wrong> {
    serde_json::from_slice(body).map_err(|_| Wrong(rule))
}

/// A message of the visitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The screen's id of it, by which a repetition is known.
    pub id: String,
    /// What it says, trimmed; empty only beside attachments.
    pub text: String,
    /// Uploads that go with it.
    pub attachments: Vec<String>,
}

#[derive(Deserialize)]
struct MessageText {
    id: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    attachments: Vec<String>,
}

impl Message {
    /// Reads `{"id","text","attachments"}`.
    ///
    /// # Errors
    /// The rule that is broken (section 11, "Message limits").
    pub fn read(body: &[u8]) -> Result<Self, Wrong> {
        let MessageText { id, text, attachments } = read(body, "body: not {id, text, attachments}")?;
        let is_uuid = id.len() == 36
            && id.bytes().enumerate().all(|(place, byte)| match place {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            });
        if !is_uuid {
            return Err(Wrong("id: not a UUID"));
        }
        if attachments.len() > MOST_ATTACHMENTS {
            return Err(Wrong("attachments: more than 5"));
        }
        let text = text.trim();
        if text.is_empty() && attachments.is_empty() {
            return Err(Wrong("text: empty"));
        }
        if text.chars().count() > LONGEST_TEXT {
            return Err(Wrong("text: longer than 4000 characters"));
        }
        if text.contains('\0') {
            return Err(Wrong("text: has a NUL"));
        }
        Ok(Self { id: id.to_ascii_lowercase(), text: text.to_owned(), attachments })
    }
}

/// Reads `{"typing"}`.
///
/// # Errors
/// That it is something else.
pub fn read_typing(body: &[u8]) -> Result<bool, Wrong> {
    #[derive(Deserialize)]
    struct Text {
        typing: bool,
    }
    read(body, "body: not {typing}").map(|Text { typing }| typing)
}

/// Reads `{"counter"}`.
///
/// # Errors
/// That it is something else.
pub fn read_counter(body: &[u8]) -> Result<u64, Wrong> {
    #[derive(Deserialize)]
    struct Text {
        counter: u64,
    }
    read(body, "body: not {counter}").map(|Text { counter }| counter)
}

/// How satisfied the visitor is.
#[derive(Clone, PartialEq, Eq)]
pub struct Survey {
    /// 1 to 5.
    pub rating: u8,
    /// What they add. Personal data.
    pub comment: Option<String>,
}

impl std::fmt::Debug for Survey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Survey").field("rating", &self.rating).finish_non_exhaustive()
    }
}

impl Survey {
    /// Reads `{"rating","comment"}`.
    ///
    /// # Errors
    /// The rule that is broken (section 11, "Survey").
    pub fn read(body: &[u8]) -> Result<Self, Wrong> {
        #[derive(Deserialize)]
        struct Text {
            rating: u8,
            #[serde(default)]
            comment: Option<String>,
        }
        let Text { rating, comment } = read(body, "body: not {rating, comment}")?;
        if !(1..=5).contains(&rating) {
            return Err(Wrong("rating: not 1 to 5"));
        }
        let comment = comment.map(|comment| comment.trim().to_owned()).filter(|comment| !comment.is_empty());
        if comment.as_ref().is_some_and(|comment| comment.chars().count() > LONGEST_COMMENT) {
            return Err(Wrong("comment: longer than 1000 characters"));
        }
        if comment.as_ref().is_some_and(|comment| comment.contains('\0')) {
            return Err(Wrong("comment: has a NUL"));
        }
        Ok(Self { rating, comment })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings() -> ChatSettings {
        serde_json::from_value(json!({
            "gateway": "gw-inapp", "departments": {"support": "gw-support"}, "reasons": {"deposit_issue": "gw-money"}
        }))
        .unwrap()
    }

    #[test]
    fn department_comes_before_reason_and_what_is_unknown_is_the_general_queue_s() {
        for (params, gateway) in [
            (json!({}), "frontstage/gw-inapp"),
            (json!({"department": "support", "chatReason": "deposit_issue"}), "frontstage/gw-support"),
            (json!({"department": "sales", "chatReason": "deposit_issue"}), "frontstage/gw-money"),
            (json!({"department": "sales", "chatReason": "weather"}), "frontstage/gw-inapp"),
            (json!({"department": "Support", "chatReason": 5}), "frontstage/gw-inapp"),
        ] {
            assert_eq!(settings().gateway_for(params.as_object().unwrap()).to_string(), gateway, "{params}");
        }
        let members: Vec<_> = settings().gateways().map(|(member, id)| format!("{member} = {id}")).collect();
        assert_eq!(
            members,
            [
                "gateway = frontstage/gw-inapp",
                "departments: support = frontstage/gw-support",
                "reasons: deposit_issue = frontstage/gw-money"
            ]
        );
    }

    #[test]
    fn settings_that_name_no_gateway_are_refused() {
        for wrong in [
            json!({}),
            json!({"gateway": "frontstage/gw"}),
            json!({"gateway": "gw", "departments": {"two words": "gw"}}),
            json!({"gateway": "gw", "reasons": {"": "gw"}}),
            json!({"gateway": "gw", "reasons": {"1st": "gw"}}),
            json!({"gateway": "gw", "queues": {}}),
            json!({"gateway": "gw", "agents": {"john doe": "a-1"}}),
            json!({"gateway": "gw", "agents": {"john_doe": "A 1"}}),
            json!({"gateway": "gw", "pictures": {"a-1": "jana.png"}}),
        ] {
            assert!(serde_json::from_value::<ChatSettings>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn link_asks_for_an_agent_by_a_name_that_is_configured() {
        let written = json!({"gateway": "gw", "agents": {"john_doe": "c0ffee00-0000-4000-8000-000000000007"}});
        let settings: ChatSettings = serde_json::from_value(written).unwrap();
        let asked = |params: Value| settings.preferred_agent(params.as_object().unwrap()).map(ToString::to_string);
        assert_eq!(asked(json!({"agentId": "john_doe"})).as_deref(), Some("c0ffee00-0000-4000-8000-000000000007"));
        for other in [json!({}), json!({"agentId": "jane"}), json!({"agentId": 7}), json!({"agentId": null})] {
            assert_eq!(asked(other.clone()), None, "{other}");
        }
    }

    #[test]
    fn picture_is_of_an_origin_that_screens_may_ask() {
        let of = |url: &str| {
            let written = json!({"gateway": "gw", "pictures": {"vcita/salon": url}});
            serde_json::from_value::<ChatSettings>(written).unwrap()
        };
        let origins = ["https://static.broker.example"];
        let settings = of("https://static.broker.example/team/iris.png");
        assert_eq!(settings.check_pictures(&origins), Ok(()));
        let shown = settings.picture("vcita/salon").map(Url::as_str);
        assert_eq!(shown, Some("https://static.broker.example/team/iris.png"));
        assert_eq!(settings.picture("vcita/other"), None);
        for elsewhere in
            ["https://static.broker.example.evil.example/x.png", "http://static.broker.example/x.png", "data:image/png,x"]
        {
            let told = of(elsewhere).check_pictures(&origins);
            assert_eq!(told, Err("chat: pictures: vcita/salon: its origin is not among media_origins".to_owned()), "{elsewhere}");
        }
    }

    #[test]
    fn desk_is_told_what_the_link_says_and_nothing_else() {
        let told = |params: Value, login| told_params(params.as_object().unwrap(), login);
        let params = json!({"lang": "en", "agentId": "john_doe", "department": "support", "chatReason": "deposit_issue"});
        assert_eq!(told(params, Some(5_207_718)), "chatReason=deposit_issue&department=support&agentId=john_doe&account=5207718");
        assert_eq!(told(json!({"chatReason": "<b>", "department": "", "agentId": 7, "account": 1}), None), "");
    }

    #[test]
    fn prepared_chat_is_of_its_gateway_alone() {
        let gateway = "frontstage/gw-inapp".parse().unwrap();
        let body = prepared_body(&gateway, "c-1");
        assert_eq!(body, r#"{"chat":"c-1","gateway":"frontstage/gw-inapp"}"#);
        assert_eq!(prepared_in(&body, &gateway).as_deref(), Some("c-1"));
        assert_eq!(prepared_in(&body, &"frontstage/gw-other".parse().unwrap()), None);
        assert_eq!(prepared_in("{}", &gateway), None);
    }

    const ID: &str = "5E000000-0000-4000-8000-000000000001";

    fn message(text: &str, attachments: &Value) -> Result<Message, String> {
        Message::read(json!({"id": ID, "text": text, "attachments": attachments}).to_string().as_bytes())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn message_is_1_to_4000_characters_after_trimming() {
        let read = message("  Hi \n", &json!([])).unwrap();
        assert_eq!((read.id.as_str(), read.text.as_str()), ("5e000000-0000-4000-8000-000000000001", "Hi"));
        assert!(message(&format!(" {} ", "\u{1f600}".repeat(4_000)), &json!([])).is_ok());
        for (text, attachments, rule) in [
            ("a".repeat(4_001), json!([]), "text: longer than 4000 characters"),
            (" \u{2003}\n".to_owned(), json!([]), "text: empty"),
            ("a\0b".to_owned(), json!([]), "text: has a NUL"),
            ("a".to_owned(), json!(["1", "2", "3", "4", "5", "6"]), "attachments: more than 5"),
        ] {
            assert_eq!(message(&text, &attachments).unwrap_err(), rule);
        }
        assert_eq!(message("", &json!(["u"])).unwrap().text, "");
    }

    #[test]
    fn body_that_is_no_message_is_refused() {
        let with_text = |text: &str| format!("{{\"id\":\"{ID}\",\"text\":\"{text}\"}}");
        for (body, rule) in [
            (b"{".to_vec(), "body: not {id, text, attachments}"),
            (b"[]".to_vec(), "body: not {id, text, attachments}"),
            (with_text("\\ud800").into_bytes(), "body: not {id, text, attachments}"),
            (with_text("\\udc00\\ud800").into_bytes(), "body: not {id, text, attachments}"),
            ([&b"{\"id\":\"x\",\"text\":\""[..], &[0xff], b"\"}"].concat(), "body: not {id, text, attachments}"),
            (br#"{"id":7,"text":"a"}"#.to_vec(), "body: not {id, text, attachments}"),
            (br#"{"id":"1","text":"a"}"#.to_vec(), "id: not a UUID"),
            (ID.replace('0', "g").into_bytes(), "body: not {id, text, attachments}"),
        ] {
            assert_eq!(Message::read(&body).unwrap_err().to_string(), rule);
        }
        assert_eq!(Message::read(with_text("\\ud83d\\ude00").as_bytes()).unwrap().text, "\u{1f600}");
    }

    #[test]
    fn survey_is_1_to_5_and_a_short_comment() {
        let read = |body: Value| Survey::read(body.to_string().as_bytes()).map_err(|e| e.to_string());
        assert_eq!(read(json!({"rating": 5, "comment": " Good "})), Ok(Survey { rating: 5, comment: Some("Good".into()) }));
        assert_eq!(read(json!({"rating": 1, "comment": " "})), Ok(Survey { rating: 1, comment: None }));
        assert!(read(json!({"rating": 3, "comment": "\u{e9}".repeat(1_000)})).is_ok());
        for (body, rule) in [
            (json!({"rating": 0}), "rating: not 1 to 5"),
            (json!({"rating": 6}), "rating: not 1 to 5"),
            (json!({"rating": 4.5}), "body: not {rating, comment}"),
            (json!({"comment": "x"}), "body: not {rating, comment}"),
            (json!({"rating": 3, "comment": "a".repeat(1_001)}), "comment: longer than 1000 characters"),
            (json!({"rating": 3, "comment": "a\0"}), "comment: has a NUL"),
        ] {
            assert_eq!(read(body).unwrap_err(), rule);
        }
    }
}
