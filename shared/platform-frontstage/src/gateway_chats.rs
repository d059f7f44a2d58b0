//! What an operator configures for the chats of one gateway (4.4, "Chat gateway configuration").

use std::time::Duration;

use chat::gate::GateRules;
use chat::{Distribution, LanguageId, Policy, ProjectId, Skill};
use serde::Deserialize;

use crate::settings::{SettingsProblem, problem};
use crate::words::{ChatType, Direction};

/// Longest pause that can be configured, in seconds: a year.
const MAX_SECONDS: u64 = 31_536_000;

/// The chats of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatSettings {
    /// What agents see as `ChatGatewayName`.
    pub gateway_name: Option<String>,
    /// What kind of application stands behind it.
    pub channel: ChatType,
    /// Whether visitors may start chats (I, B) or only enter prepared ones (O).
    pub direction: Direction,
    /// How long after its end the same `TrackingId` revives a chat (11.22); `None` = never.
    pub tracking_inertia: Option<Duration>,
    /// Time without a text from either side after which a chat closes itself; `None` = off.
    pub inactivity_timeout: Option<Duration>,
    /// Of sentences, only a text revives a closed chat.
    pub revive_on_text_only: bool,
    /// Whether distribution waits for the visitor's first text, the way of a web site (section 1).
    pub after_first_text: bool,
    /// What an agent must know to be offered its chats.
    pub skill: Skill,
    /// The rules of its gate (5.6).
    pub gate: GateRules,
    /// `ListRecentlyClosed`: lists name chats that ended within the last ten minutes too (5.5).
    pub list_recently_closed: bool,
    /// `LegacyStatusNames` (11.1, 11.2).
    pub legacy_status_names: bool,
    /// Whether its events are pushed (10.3), instead of fetched.
    pub is_pushed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChatText {
    #[serde(default)]
    gateway_name: Option<String>,
    channel: String,
    direction: String,
    /// Both spellings are in use (11.22).
    #[serde(default, alias = "tracking_innertia")]
    tracking_inertia: Option<u64>,
    #[serde(default)]
    inactivity_timeout: Option<u64>,
    #[serde(default)]
    revive_on_text_only: bool,
    #[serde(default)]
    after_first_text: bool,
    project: String,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    gate: GateRules,
    #[serde(default)]
    list_recently_closed: bool,
    #[serde(default)]
    legacy_status_names: bool,
    #[serde(default = "poll")]
    delivery: String,
}

fn poll() -> String {
    "poll".to_owned()
}

impl ChatText {
    pub(crate) fn check(self) -> Result<ChatSettings, SettingsProblem> {
        let channel =
            ChatType::parse(&self.channel).ok_or_else(|| problem("channel is not one of BusinessIM, SocialIM, WebIM"))?;
        let direction = Direction::parse(&self.direction).ok_or_else(|| problem("direction is not one of I, O, B"))?;
        let is_pushed = match self.delivery.as_str() {
            "push" => true,
            "poll" => false,
            _ => return Err(problem("delivery is not one of push, poll")),
        };
        Ok(ChatSettings {
            gateway_name: self.gateway_name.filter(|name| !name.is_empty()),
            channel,
            direction,
            tracking_inertia: pause("tracking_inertia", self.tracking_inertia)?,
            inactivity_timeout: pause("inactivity_timeout", self.inactivity_timeout)?,
            revive_on_text_only: self.revive_on_text_only,
            after_first_text: self.after_first_text,
            skill: skill(&self.project, self.language.as_deref())?,
            gate: self.gate,
            list_recently_closed: self.list_recently_closed,
            legacy_status_names: self.legacy_status_names,
            is_pushed,
        })
    }
}

fn pause(name: &str, seconds: Option<u64>) -> Result<Option<Duration>, SettingsProblem> {
    match seconds {
        Some(0) => Err(problem(format!("{name} is 0; leave it out to switch it off"))),
        Some(seconds) if seconds > MAX_SECONDS => Err(problem(format!("{name} is more than {MAX_SECONDS} seconds"))),
        seconds => Ok(seconds.map(Duration::from_secs)),
    }
}

/// A skill as an operator writes it.
pub(crate) fn skill(project: &str, language: Option<&str>) -> Result<Skill, SettingsProblem> {
    let project: ProjectId = project.parse().map_err(|_| problem("project is not 1 to 64 of a-z, 0-9 and -"))?;
    let language = language.filter(|text| !text.is_empty()).map(str::parse::<LanguageId>).transpose();
    let language = language.map_err(|_| problem("language is not 1 to 64 of a-z, 0-9 and -"))?;
    Ok(Skill { project, language })
}

impl ChatSettings {
    /// The rules of its chats, offered to an agent for `alert` at a time.
    #[must_use]
    pub fn policy(&self, alert: Option<Duration>) -> Policy {
        let rest = Policy::default();
        Policy {
            accepts_inbound: self.direction.is_inbound(),
            inertia: self.tracking_inertia,
            inactivity: self.inactivity_timeout,
            revive_on_text_only: self.revive_on_text_only,
            distribution: if self.after_first_text { Distribution::AfterFirstText } else { Distribution::AtOnce },
            alert: alert.unwrap_or(rest.alert),
            ..rest
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::settings::tests::{account, demo};

    fn with_chat() -> Value {
        json!({"peer_address": "!DemoLink", "chat": {"gateway_name": "Web", "channel": "WebIM", "direction": "I", "project": "sales"}})
    }

    fn read(settings: Value) -> Result<Settings, String> {
        Settings::of(&account(settings)).map_err(|e| e.to_string())
    }

    #[test]
    fn chat_needs_no_push_and_no_message_gateways() {
        let settings = read(with_chat()).unwrap();
        assert_eq!((settings.push_url, settings.message_gateways.len()), (None, 0));
        let chat = settings.chat.unwrap();
        assert_eq!((chat.channel, chat.direction, &chat.skill.language), (ChatType::WebIm, Direction::Inbound, &None));
        assert_eq!(chat.policy(None), Policy::default());
    }

    #[test]
    fn message_gateways_need_a_push_url_beside_chats_too() {
        let mut both = demo();
        both["chat"] = with_chat()["chat"].take();
        assert!(read(both.clone()).unwrap().chat.is_some());
        both.as_object_mut().unwrap().remove("push_url");
        assert_eq!(read(both).unwrap_err(), "push_url is missing");
        assert_eq!(read(json!({"peer_address": "!DemoLink"})).unwrap_err(), "push_url is missing");
    }

    #[test]
    fn chat_is_pushed_where_the_operator_says_so_and_where() {
        let mut settings = with_chat();
        settings["push_url"] = json!("https://connector.example/push");
        for (delivery, is_pushed) in [(json!("push"), true), (json!("poll"), false)] {
            settings["chat"]["delivery"] = delivery;
            let read = read(settings.clone()).unwrap();
            assert_eq!((read.is_pushed(), read.chat.unwrap().is_pushed), (is_pushed, is_pushed));
        }
        settings["chat"]["delivery"] = json!("push");
        settings["website"] = json!({});
        assert_eq!(read(settings).unwrap_err(), "website: its browsers are pushed nothing");
    }

    #[test]
    fn row_11_22_inertia_is_taken_in_both_spellings() {
        for name in ["tracking_inertia", "tracking_innertia"] {
            let mut settings = with_chat();
            settings["chat"][name] = json!(600);
            let policy = read(settings).unwrap().chat.unwrap().policy(None);
            assert_eq!(policy.inertia, Some(Duration::from_secs(600)), "{name}");
        }
    }

    #[test]
    fn policy_is_what_the_operator_wrote() {
        let mut settings = with_chat();
        let chat = settings["chat"].as_object_mut().unwrap();
        let more = json!({"direction": "O", "inactivity_timeout": 300, "revive_on_text_only": true, "after_first_text": true});
        chat.extend(more.as_object().unwrap().clone());
        let policy = read(settings).unwrap().chat.unwrap().policy(Some(Duration::from_secs(20)));
        assert_eq!(
            policy,
            Policy {
                accepts_inbound: false,
                inactivity: Some(Duration::from_secs(300)),
                revive_on_text_only: true,
                distribution: Distribution::AfterFirstText,
                alert: Duration::from_secs(20),
                ..Policy::default()
            }
        );
    }

    #[test]
    fn broken_chat_is_refused_with_the_rule() {
        for (name, value, rule) in [
            ("channel", json!("Email"), "chat: channel is not one of BusinessIM, SocialIM, WebIM"),
            ("direction", json!("X"), "chat: direction is not one of I, O, B"),
            ("project", json!("Sales"), "chat: project is not 1 to 64 of a-z, 0-9 and -"),
            ("language", json!("EN"), "chat: language is not 1 to 64 of a-z, 0-9 and -"),
            ("tracking_inertia", json!(0), "chat: tracking_inertia is 0; leave it out to switch it off"),
            ("inactivity_timeout", json!(31_536_001), "chat: inactivity_timeout is more than 31536000 seconds"),
            ("delivery", json!("pigeon"), "chat: delivery is not one of push, poll"),
            ("delivery", json!("push"), "chat: delivery is push, and push_url is missing"),
        ] {
            let mut settings = with_chat();
            settings["chat"][name] = value;
            assert_eq!(read(settings).unwrap_err(), rule, "{name}");
        }
        let mut misspelt = with_chat();
        misspelt["chat"]["inactivity"] = json!(1);
        assert!(read(misspelt).unwrap_err().contains("inactivity"));
        let mut rules = with_chat();
        rules["chat"]["gate"] = json!({"queues": []});
        assert!(read(rules).unwrap_err().contains("queues"));
    }
}
