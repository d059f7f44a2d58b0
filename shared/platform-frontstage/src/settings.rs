//! What an operator configures for one gateway: where it is, which message gateways and which chats stand behind it, and
//! its keys. An account that is a desk is configured in [`crate::desk`].

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use chat::Workplace;
use model::Account;
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use crate::desk::{DeskSettings, DeskText};
use crate::form::parse_guid;
use crate::forms::{FormSettings, Registers};
use crate::gateway_chats::{ChatSettings, ChatText};
use crate::message::Legacy;
use crate::words::{Channel, Direction};

/// Why a configuration cannot be used. The text names the member and the rule; a value is repeated only where a member
/// of the settings (not of the secrets) has the wrong type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsProblem(String);

pub(crate) fn problem(text: impl Into<String>) -> SettingsProblem {
    SettingsProblem(text.into())
}

/// A message gateway behind the connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageGateway {
    /// Its key for both sides; never nil.
    pub id: Uuid,
    /// Its name for people.
    pub display_name: Option<String>,
    /// What it carries.
    pub channel: Channel,
    /// Which way.
    pub direction: Direction,
    /// The connector's own configuration of it, e.g. `DropFolder {...}`.
    pub device: Option<String>,
    /// Its default language.
    pub language_id: Option<Uuid>,
    /// The message gateway that what comes in here counts as received by (section 7, last paragraph); a configured one
    /// that takes messages. One step only: a parent's own parent does not matter.
    pub parent: Option<Uuid>,
}

/// The settings of any FrontStage account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountSettings {
    /// A gateway, which a connector calls.
    Gateway(Box<Settings>),
    /// A desk of our own, whose agents' clients call.
    Desk(DeskSettings),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeskAccountText {
    desk: DeskText,
}

impl AccountSettings {
    /// Reads and checks the settings of an account. Those with a member `desk` are a desk's.
    ///
    /// # Errors
    /// [`SettingsProblem`] with the first rule that is broken.
    pub fn of(account: &Account) -> Result<Self, SettingsProblem> {
        if account.settings.get("desk").is_none() {
            return Settings::of(account).map(|settings| Self::Gateway(Box::new(settings)));
        }
        let text = DeskAccountText::deserialize(&account.settings).map_err(|e| problem(format!("settings: {e}")))?;
        text.desk.check().map(Self::Desk).map_err(|e| problem(format!("desk: {e}")))
    }

    /// The desk, if it is one.
    #[must_use]
    pub fn into_desk(self) -> Option<DeskSettings> {
        match self {
            Self::Desk(desk) => Some(desk),
            Self::Gateway(_) => None,
        }
    }
}

/// The settings of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The gateway's address in message routing.
    pub peer_address: String,
    /// The gateway's sub-address.
    pub peer_port: Option<String>,
    /// Where we push messages to. That it is https and not a private address is checked when it is configured, and when the
    /// call is made. Without it they wait in the stream to be fetched (10.3).
    pub push_url: Option<Url>,
    /// The message gateways behind the connector; their ids differ.
    pub message_gateways: Vec<MessageGateway>,
    /// Whether a `DeliverySystemId` alone makes a repetition recognisable. Off for carriers that use ids again (section
    /// 7, third row).
    pub unique_delivery_ids: bool,
    /// How many envelopes its connector may post in a second, and at once (section 12).
    pub envelopes_per_second: u32,
    /// Its chats; `None` if it carries messages only.
    pub chat: Option<ChatSettings>,
    /// The web site whose browsers it serves (section 8), as it is written: whoever serves them reads it. `None` if a
    /// connector calls it.
    pub website: Option<Value>,
    /// Whether its visitors come through screens of another platform, which look at their chats themselves: no connector calls
    /// it, and nobody reads a stream of it.
    pub is_screen: bool,
    /// Its forms, as they are written: see [`Self::forms`], and for those that browsers are offered whoever serves them.
    pub scenarios: Vec<Value>,
    /// The form that is expected at the start of a chat.
    start_scenario: Option<Uuid>,
    /// What its connector copies to serve a web site by itself, as it is written: see [`Self::registers`].
    registers: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsText {
    peer_address: String,
    #[serde(default)]
    peer_port: Option<String>,
    #[serde(default)]
    push_url: Option<String>,
    #[serde(default)]
    message_gateways: Vec<GatewayText>,
    #[serde(default = "yes")]
    unique_delivery_ids: bool,
    #[serde(default = "usual_envelopes")]
    envelopes_per_second: u32,
    #[serde(default)]
    chat: Option<ChatText>,
    #[serde(default)]
    website: Option<Value>,
    #[serde(default)]
    screen: bool,
    #[serde(default)]
    scenarios: Vec<Value>,
    #[serde(default)]
    start_scenario: Option<String>,
    #[serde(default)]
    registers: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GatewayText {
    id: String,
    #[serde(default)]
    display_name: Option<String>,
    channel: String,
    direction: String,
    #[serde(default)]
    device: Option<String>,
    #[serde(default)]
    language_id: Option<String>,
    #[serde(default)]
    parent: Option<String>,
}

pub(crate) const fn yes() -> bool {
    true
}

/// The rate of section 12.
const fn usual_envelopes() -> u32 {
    50
}

/// The rates that can be configured. The least is the largest array (10.2): at any rate it is taken after a second at most.
const ENVELOPES_PER_SECOND: RangeInclusive<u32> = 25..=10_000;

/// After this long without a word a chat of a screen is over, unless its gateway says otherwise (cTrader contract, section 11,
/// "Chat lifecycle states").
const SCREEN_INACTIVITY: Duration = Duration::from_secs(15 * 60);

impl Settings {
    /// Whether nobody reads its stream: its visitors' browsers and screens look at their chats themselves.
    #[must_use]
    pub const fn is_looked_at(&self) -> bool {
        self.is_screen || self.website.is_some()
    }

    /// Reads and checks the settings of an account.
    ///
    /// # Errors
    /// [`SettingsProblem`] with the first rule that is broken.
    pub fn of(account: &Account) -> Result<Self, SettingsProblem> {
        let text = SettingsText::deserialize(&account.settings).map_err(|e| problem(format!("settings: {e}")))?;
        if text.peer_address.is_empty() {
            return Err(problem("peer_address is empty"));
        }
        if !ENVELOPES_PER_SECOND.contains(&text.envelopes_per_second) {
            return Err(problem("envelopes_per_second is not 25 to 10000"));
        }
        let mut chat = text.chat.map(ChatText::check).transpose().map_err(|e| problem(format!("chat: {e}")))?;
        let push_url = text.push_url.map(|url| check_push_url(&url)).transpose()?;
        if text.website.is_some() && (chat.is_none() || !text.message_gateways.is_empty()) {
            return Err(problem("website: stands beside chat, and carries no messages"));
        }
        if text.website.is_some() && text.registers.is_some() {
            return Err(problem("registers: a web site that is served here has its rules and literals in website"));
        }
        if text.screen {
            let is_alone =
                text.message_gateways.is_empty() && push_url.is_none() && text.website.is_none() && text.registers.is_none();
            let Some(chat) = chat.as_mut().filter(|_| is_alone) else {
                return Err(problem("screen: stands beside chat, without message_gateways, push_url, website and registers"));
            };
            chat.inactivity_timeout.get_or_insert(SCREEN_INACTIVITY);
        }
        let start_scenario = match text.start_scenario {
            None => None,
            Some(id) => Some(parse_guid(&id).ok_or_else(|| problem("start_scenario is not a GUID"))?),
        };
        let is_pushed = chat.as_ref().is_some_and(|chat| chat.is_pushed);
        if text.website.is_some() && is_pushed {
            return Err(problem("website: its browsers are pushed nothing"));
        }
        if push_url.is_none() && is_pushed {
            return Err(problem("chat: delivery is push, and push_url is missing"));
        }
        let mut message_gateways: Vec<MessageGateway> = Vec::new();
        for (index, gateway) in text.message_gateways.into_iter().enumerate() {
            let gateway = gateway.check().map_err(|e| problem(format!("message_gateways[{index}]: {e}")))?;
            if message_gateways.iter().any(|known| known.id == gateway.id) {
                return Err(problem(format!("message_gateways[{index}]: id is there twice; use direction B for both")));
            }
            message_gateways.push(gateway);
        }
        for (index, gateway) in message_gateways.iter().enumerate() {
            let Some(parent) = gateway.parent else { continue };
            let is_fit = |g: &&MessageGateway| g.id == parent && g.id != gateway.id && g.direction.is_inbound();
            if !gateway.direction.is_inbound() || !message_gateways.iter().any(|g| is_fit(&g)) {
                return Err(problem(format!(
                    "message_gateways[{index}]: parent joins an inbound gateway to another inbound gateway of this account"
                )));
            }
        }
        Ok(Self {
            peer_address: text.peer_address,
            peer_port: text.peer_port.filter(|port| !port.is_empty()),
            push_url,
            message_gateways,
            unique_delivery_ids: text.unique_delivery_ids,
            envelopes_per_second: text.envelopes_per_second,
            chat,
            website: text.website,
            is_screen: text.screen,
            scenarios: text.scenarios,
            start_scenario,
            registers: text.registers,
        })
    }

    /// Its forms.
    ///
    /// # Errors
    /// [`SettingsProblem`] with the first rule that is broken; such settings are refused when they are configured.
    pub fn forms(&self) -> Result<FormSettings, SettingsProblem> {
        FormSettings::of(&self.scenarios, self.start_scenario)
    }

    /// Its registers; empty ones if it has none.
    ///
    /// # Errors
    /// [`SettingsProblem`] with the first rule that is broken; such settings are refused when they are configured.
    pub fn registers(&self) -> Result<Registers, SettingsProblem> {
        match &self.registers {
            Some(written) => Registers::of(written, &self.forms()?),
            None => Ok(Registers::default()),
        }
    }

    /// The names its connector was promised.
    #[must_use]
    pub fn legacy(&self) -> Legacy {
        Legacy { status_names: self.chat.as_ref().is_some_and(|chat| chat.legacy_status_names), confirm_name: false }
    }

    /// The message gateway that what came in by `gateway` counts as received by: its parent, or itself.
    #[must_use]
    pub fn counted_as<'a>(&'a self, gateway: &'a MessageGateway) -> &'a MessageGateway {
        gateway.parent.and_then(|id| self.gateway(id)).unwrap_or(gateway)
    }

    /// Whether its connector is pushed its events, instead of fetching them (10.3): where it has chats, these say so.
    #[must_use]
    pub fn is_pushed(&self) -> bool {
        self.push_url.is_some() && self.chat.as_ref().is_none_or(|chat| chat.is_pushed)
    }

    /// The message gateway with this id.
    #[must_use]
    pub fn gateway(&self, id: Uuid) -> Option<&MessageGateway> {
        self.message_gateways.iter().find(|gateway| gateway.id == id)
    }
}

fn check_push_url(text: &str) -> Result<Url, SettingsProblem> {
    let url = Url::parse(text).map_err(|_| problem("push_url is not a URL"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(problem("push_url is not an https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(problem("push_url has a user, a password or a fragment"));
    }
    Ok(url)
}

impl GatewayText {
    fn check(self) -> Result<MessageGateway, SettingsProblem> {
        let id = parse_guid(&self.id).filter(|id| !id.is_nil()).ok_or_else(|| problem("id is not a GUID"))?;
        let channel = Channel::parse(&self.channel)
            .ok_or_else(|| problem("channel is not one of Email, SMS, Fax, SocialMsg, SocialWall"))?;
        let direction = Direction::parse(&self.direction).ok_or_else(|| problem("direction is not one of I, O, B"))?;
        let language_id = match self.language_id.filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => Some(parse_guid(&text).ok_or_else(|| problem("language_id is not a GUID"))?).filter(|id| !id.is_nil()),
        };
        let parent = match self.parent.filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => Some(parse_guid(&text).ok_or_else(|| problem("parent is not a GUID"))?),
        };
        Ok(MessageGateway { id, display_name: self.display_name, channel, direction, device: self.device, language_id, parent })
    }
}

/// A live key of a gateway.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// Its public name, sent with every signature.
    pub id: String,
    secret: String,
}

impl Key {
    /// The secret's bytes.
    pub(crate) const fn secret(&self) -> &[u8] {
        self.secret.as_bytes()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).field("secret", &"***").finish()
    }
}

/// The live keys of a gateway or of a workplace: one, or two while it is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets(Vec<Key>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretsText {
    keys: Vec<KeyText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyText {
    id: String,
    secret: String,
    #[serde(default)]
    workplace: Option<String>,
}

/// Shortest secret that is taken. 32 random bytes are what should be used (10.5); this refuses typing errors.
const MIN_SECRET: usize = 16;

impl SecretsText {
    fn read(stored: &Value) -> Result<Vec<KeyText>, SettingsProblem> {
        // serde's own text could repeat a value.
        let text = Self::deserialize(stored).map_err(|_| problem("secrets are not {\"keys\":[{\"id\",\"secret\"}]}"))?;
        Ok(text.keys)
    }
}

impl Secrets {
    /// Reads `{"keys":[{"id":"k1","secret":"..."}]}`, the secrets of a gateway.
    ///
    /// # Errors
    /// [`SettingsProblem`] when there are not one or two keys, or one of them is unusable.
    pub fn of(stored: &Value) -> Result<Self, SettingsProblem> {
        let keys = SecretsText::read(stored)?;
        if keys.iter().any(|key| key.workplace.is_some()) {
            return Err(problem("a gateway's keys belong to no workplace"));
        }
        Self::check(keys)
    }

    /// Reads `{"keys":[{"id":"k1","secret":"...","workplace":"101"}]}`, the secrets of a desk, and takes those of one
    /// workplace: each agent client has keys of its own (10.5).
    ///
    /// # Errors
    /// [`SettingsProblem`] when the workplace has not one or two keys, or one of them is unusable.
    pub fn of_workplace(stored: &Value, workplace: &Workplace) -> Result<Self, SettingsProblem> {
        let keys = SecretsText::read(stored)?.into_iter();
        let wanted = workplace.to_string();
        Self::check(keys.filter(|key| key.workplace.as_deref() == Some(&wanted)).collect())
    }

    fn check(keys: Vec<KeyText>) -> Result<Self, SettingsProblem> {
        let keys: Vec<Key> = keys.into_iter().map(|k| Key { id: k.id, secret: k.secret }).collect();
        if !(1..=2).contains(&keys.len()) {
            return Err(problem("there must be one or two keys"));
        }
        for key in &keys {
            let plain = (1..=64).contains(&key.id.len()) && key.id.bytes().all(|b| b.is_ascii_graphic());
            if !plain {
                return Err(problem("a key id is not 1 to 64 printable characters"));
            }
            if key.secret.len() < MIN_SECRET {
                return Err(problem("a secret is too short"));
            }
        }
        if let [one, other] = keys.as_slice()
            && one.id == other.id
        {
            return Err(problem("two keys have the same id"));
        }
        Ok(Self(keys))
    }

    /// The key with this id.
    #[must_use]
    pub fn key(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }

    /// The key our own pushes are signed with: the first.
    #[must_use]
    pub fn signing(&self) -> Option<&Key> {
        self.0.first()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) const MAIL: &str = "44444444-4444-4444-8444-444444444444";
    pub(crate) const SMS_IN: &str = "44444444-4444-4444-8444-444444444445";
    pub(crate) const SMS_OUT: &str = "44444444-4444-4444-8444-444444444446";

    pub(crate) fn account(settings: Value) -> Account {
        Account {
            id: "frontstage/gw-mail".parse().unwrap(),
            tenant: "demo".parse().unwrap(),
            salt: "s".into(),
            settings,
            installed: None,
        }
    }

    pub(crate) fn demo() -> Value {
        json!({
            "peer_address": "!MailLink",
            "push_url": "https://connector.example/push?x=1",
            "message_gateways": [
                {"id": MAIL, "display_name": "Mail", "channel": "Email", "direction": "B", "device": "DropFolder {}"},
                {"id": SMS_IN, "channel": "SMS", "direction": "I", "language_id": "88888888-8888-4888-8888-888888888888"},
                {"id": SMS_OUT, "channel": "SMS", "direction": "O"}
            ]
        })
    }

    pub(crate) fn settings() -> Settings {
        Settings::of(&account(demo())).unwrap()
    }

    pub(crate) fn secrets() -> Secrets {
        Secrets::of(&json!({"keys": [{"id": "k1", "secret": "contract-demo-secret-001"}, {"id": "k2", "secret": "contract-demo-secret-002"}]}))
            .unwrap()
    }

    #[test]
    fn complete_settings_are_read() {
        let settings = settings();
        assert_eq!(settings.peer_address, "!MailLink");
        assert_eq!(settings.peer_port, None);
        assert!(settings.unique_delivery_ids);
        assert_eq!(settings.envelopes_per_second, 50);
        assert_eq!(settings.message_gateways.len(), 3);
        assert_eq!(settings.gateway(MAIL.parse().unwrap()).unwrap().direction, Direction::Both);
        assert!(settings.is_pushed());
    }

    #[test]
    fn broken_settings_are_refused_with_the_rule() {
        const PARENT: &str = "message_gateways[1]: parent joins an inbound gateway to another inbound gateway of this account";
        let table: [(&str, Value, &str); 16] = [
            ("/peer_address", json!(""), "peer_address is empty"),
            ("/envelopes_per_second", json!(24), "envelopes_per_second is not 25 to 10000"),
            ("/envelopes_per_second", json!(10_001), "envelopes_per_second is not 25 to 10000"),
            ("/push_url", json!("nowhere"), "push_url is not a URL"),
            ("/push_url", json!("ftp://a.example/"), "push_url is not an https URL"),
            ("/push_url", json!("https://u:p@a.example/"), "push_url has a user, a password or a fragment"),
            ("/message_gateways/0/id", json!("x"), "message_gateways[0]: id is not a GUID"),
            ("/message_gateways/0/id", json!("00000000-0000-0000-0000-000000000000"), "message_gateways[0]: id is not a GUID"),
            (
                "/message_gateways/1/id",
                json!(MAIL.to_uppercase()),
                "message_gateways[1]: id is there twice; use direction B for both",
            ),
            (
                "/message_gateways/1/channel",
                json!("Pigeon"),
                "message_gateways[1]: channel is not one of Email, SMS, Fax, SocialMsg, SocialWall",
            ),
            ("/message_gateways/1/direction", json!("X"), "message_gateways[1]: direction is not one of I, O, B"),
            ("/message_gateways/1/language_id", json!("cs"), "message_gateways[1]: language_id is not a GUID"),
            ("/message_gateways/1/parent", json!("Mail"), "message_gateways[1]: parent is not a GUID"),
            ("/message_gateways/1/parent", json!("99999999-9999-4999-8999-999999999999"), PARENT),
            ("/message_gateways/1/parent", json!(SMS_IN), PARENT),
            ("/message_gateways/1/parent", json!(SMS_OUT), PARENT),
        ];
        for (path, value, rule) in table {
            let mut settings = demo();
            let (gateway, member) = path.rsplit_once('/').unwrap();
            settings.pointer_mut(gateway).unwrap()[member] = value;
            assert_eq!(Settings::of(&account(settings)).unwrap_err().to_string(), rule, "{path}");
        }
        let mut misspelt = demo();
        misspelt["unique_delivery_id"] = json!(false);
        assert!(Settings::of(&account(misspelt)).unwrap_err().to_string().contains("unique_delivery_id"));
        assert!(Settings::of(&account(Value::Null)).is_err());
    }

    #[test]
    fn screens_have_chats_and_nothing_else_and_close_them_after_15_minutes() {
        const RULE: &str = "screen: stands beside chat, without message_gateways, push_url, website and registers";
        let chat = json!({"channel": "WebIM", "direction": "B", "project": "sales"});
        let screen = json!({"peer_address": "!Screen", "screen": true, "chat": chat});
        let read = |settings: &Value| Settings::of(&account(settings.clone())).map_err(|e| e.to_string());
        let settings = read(&screen).unwrap();
        assert!(settings.is_screen && settings.is_looked_at());
        assert_eq!(settings.chat.unwrap().inactivity_timeout, Some(Duration::from_secs(900)));
        let mut slower = screen.clone();
        slower["chat"]["inactivity_timeout"] = json!(3_600);
        assert_eq!(read(&slower).unwrap().chat.unwrap().inactivity_timeout, Some(Duration::from_secs(3_600)));
        for (member, value) in [
            ("chat", Value::Null),
            ("push_url", json!("https://a.example/")),
            ("message_gateways", demo()["message_gateways"].clone()),
            ("registers", json!({})),
            ("website", json!({})),
        ] {
            let mut wrong = screen.clone();
            wrong[member] = value;
            assert_eq!(read(&wrong).unwrap_err(), RULE, "{member}");
        }
    }

    #[test]
    fn row_11_32_gateway_may_be_configured_in_either_spelling() {
        for word in ["SocialWall", "SocWall"] {
            let mut text = demo();
            text["message_gateways"][0]["channel"] = json!(word);
            let settings = Settings::of(&account(text)).unwrap();
            assert_eq!(settings.message_gateways[0].channel.as_str(), "SocialWall");
        }
    }

    #[test]
    fn gateway_counts_as_its_parent_one_step_only() {
        let mut text = demo();
        text["message_gateways"] = json!([
            {"id": MAIL, "channel": "Email", "direction": "B", "parent": SMS_IN},
            {"id": SMS_IN, "channel": "Email", "direction": "I", "parent": SMS_OUT},
            {"id": SMS_OUT, "channel": "Email", "direction": "B", "parent": ""},
        ]);
        let settings = Settings::of(&account(text)).unwrap();
        let counted = |id: &str| settings.counted_as(settings.gateway(id.parse().unwrap()).unwrap()).id.to_string();
        assert_eq!((counted(MAIL).as_str(), counted(SMS_IN).as_str(), counted(SMS_OUT).as_str()), (SMS_IN, SMS_OUT, SMS_OUT));
        let mut outbound = demo();
        outbound["message_gateways"][2]["parent"] = json!(MAIL);
        assert!(Settings::of(&account(outbound)).is_err(), "nothing is received by an outbound gateway");
    }

    #[test]
    fn one_or_two_keys_are_taken_and_none_is_shown() {
        let secrets = secrets();
        assert_eq!(secrets.signing().unwrap().id, "k1");
        assert!(secrets.key("k2").is_some() && secrets.key("k3").is_none());
        assert!(!format!("{secrets:?}").contains("contract"));
        let long = "0123456789abcdef";
        for wrong in [
            json!({"keys": []}),
            json!({"keys": [{"id": "a", "secret": long}, {"id": "b", "secret": long}, {"id": "c", "secret": long}]}),
            json!({"keys": [{"id": "a", "secret": long}, {"id": "a", "secret": long}]}),
            json!({"keys": [{"id": "", "secret": long}]}),
            json!({"keys": [{"id": "a b", "secret": long}]}),
            json!({"keys": [{"id": "a", "secret": "short-secret"}]}),
            json!({"keys": "short-secret"}),
            json!("short-secret"),
        ] {
            let text = Secrets::of(&wrong).unwrap_err().to_string();
            assert!(!text.contains("short-secret"), "{text}");
        }
    }
}
