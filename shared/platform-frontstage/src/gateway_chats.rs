//! What an operator configures for the chats of one gateway (4.4, "Chat gateway configuration").

use std::time::Duration;

use chat::gate::GateRules;
use chat::script::{Script, ScriptNode, ScriptWhen};
use chat::waiting::WaitingRules;
use chat::{Distribution, LanguageId, Policy, ProjectId, Robot, Skill};
use serde::Deserialize;

use crate::desk::agent_id;
use crate::form::parse_guid;
use crate::settings::{SettingsProblem, problem};
use crate::structure::MAX_OTHER;
use crate::words::{ChatType, Direction};

/// Longest pause that can be configured, in seconds: a year.
const MAX_SECONDS: u64 = 31_536_000;

/// The chats of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatSettings {
    /// What agents see as `ChatGatewayName`.
    pub gateway_name: Option<String>,
    /// The connector's own configuration: its type, and a JSON object. Ours to keep; nobody is told it.
    pub device: Option<String>,
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
    /// What an agent must know to be offered its chats, where the gate's rules do not say it.
    pub skill: Option<Skill>,
    /// Where a chat waits for which neither says anything (5.1 row 11).
    pub default_skill: Option<Skill>,
    /// Who converses before people do (5.1 row 9).
    pub script: Option<Script>,
    /// What happens while nobody is free (5.1 row 14).
    pub waiting_rules: WaitingRules,
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
    #[serde(default)]
    device: Option<String>,
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
    #[serde(default)]
    project: Option<String>,
    #[serde(default)]
    default_project: Option<String>,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    script: Option<ScriptText>,
    #[serde(default)]
    waiting_rules: WaitingRules,
    #[serde(default)]
    gate: GateRules,
    #[serde(default)]
    list_recently_closed: bool,
    #[serde(default)]
    legacy_status_names: bool,
    #[serde(default = "poll")]
    delivery: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptText {
    robot: RobotText,
    #[serde(default)]
    when: ScriptWhen,
    nodes: Vec<ScriptNode>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RobotText {
    #[serde(default)]
    id: Option<String>,
    name: String,
}

impl ScriptText {
    fn check(self) -> Result<Script, SettingsProblem> {
        let Self { robot: RobotText { id, name }, when, nodes } = self;
        // A robot has an id of its own as a person has (2.1), or none.
        let known = |id: String| parse_guid(&id).filter(|id| !id.is_nil()).and_then(agent_id);
        let id = match id.map(known) {
            Some(None) => return Err(problem("script: robot: id is not a GUID")),
            Some(id) => id,
            None => None,
        };
        if name.is_empty() || text::utf16_len(&name) > 160 {
            return Err(problem("script: robot: name is not 1 to 160 characters"));
        }
        Script::new(Robot { id, name }, when, nodes).map_err(|e| problem(format!("script: {e}")))
    }
}

fn poll() -> String {
    "poll".to_owned()
}

impl ChatText {
    pub(crate) fn check(self) -> Result<ChatSettings, SettingsProblem> {
        let channel =
            ChatType::parse(&self.channel).ok_or_else(|| problem("channel is not one of BusinessIM, SocialIM, WebIM"))?;
        let direction = Direction::parse(&self.direction).ok_or_else(|| problem("direction is not one of I, O, B"))?;
        let device = self.device.filter(|device| !device.is_empty());
        if device.as_deref().is_some_and(|device| text::utf16_len(device) > MAX_OTHER) {
            return Err(problem(format!("device is longer than {MAX_OTHER} characters")));
        }
        let is_pushed = match self.delivery.as_str() {
            "push" => true,
            "poll" => false,
            _ => return Err(problem("delivery is not one of push, poll")),
        };
        let language = self.language.as_deref();
        let skill_of = |project: &Option<String>| project.as_deref().map(|project| skill(project, language)).transpose();
        let (project, default_project) = (skill_of(&self.project)?, skill_of(&self.default_project)?);
        match (&project, &default_project, language) {
            (Some(_), Some(_), _) => return Err(problem("default_project is of no use beside project")),
            (None, None, Some(_)) => return Err(problem("language is of no use without project")),
            (Some(_), None, _) | (None, Some(_), _) | (None, None, None) => {}
        }
        Ok(ChatSettings {
            gateway_name: self.gateway_name.filter(|name| !name.is_empty()),
            device,
            channel,
            direction,
            tracking_inertia: pause("tracking_inertia", self.tracking_inertia)?,
            inactivity_timeout: pause("inactivity_timeout", self.inactivity_timeout)?,
            revive_on_text_only: self.revive_on_text_only,
            after_first_text: self.after_first_text,
            skill: project,
            default_skill: default_project,
            script: self.script.map(ScriptText::check).transpose()?,
            waiting_rules: self.waiting_rules,
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
        assert_eq!(
            (chat.channel, chat.direction, &chat.skill),
            (ChatType::WebIm, Direction::Inbound, &skill("sales", None).ok())
        );
        assert_eq!(chat.policy(None), Policy::default());
    }

    #[test]
    fn device_of_chats_is_kept_as_it_is_written() {
        let mut settings = with_chat();
        let device = |settings: &Value| read(settings.clone()).map(|settings| settings.chat.unwrap().device);
        assert_eq!(device(&settings), Ok(None));
        settings["chat"]["device"] = json!("FbLink {\"Page\":\"shop\"}");
        assert_eq!(device(&settings), Ok(Some("FbLink {\"Page\":\"shop\"}".to_owned())));
        settings["chat"]["device"] = json!("x".repeat(4000));
        assert!(device(&settings).is_ok());
        settings["chat"]["device"] = json!("x".repeat(4001));
        assert_eq!(device(&settings), Err("chat: device is longer than 4000 characters".to_owned()));
    }

    #[test]
    fn message_gateways_need_no_push_url() {
        let mut both = demo();
        both["chat"] = with_chat()["chat"].take();
        assert!(read(both.clone()).unwrap().chat.is_some());
        both.as_object_mut().unwrap().remove("push_url");
        assert_eq!(read(both.clone()).unwrap().push_url, None);
        both.as_object_mut().unwrap().remove("chat");
        let settings = read(both).unwrap();
        assert!(!settings.is_pushed() && !settings.message_gateways.is_empty());
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

    fn with_rules() -> Value {
        let mut settings = with_chat();
        let more = json!({
            "waiting_rules": [{"after": 30, "every": 60, "note": "Please wait"}, {"after": 120, "hand_over": "vcita/demo"}],
            "script": {
                "robot": {"id": "{BBBBBBBB-0000-4000-8000-000000000001}", "name": "Robin"},
                "when": "nobody",
                "nodes": [
                    {"name": "menu", "say": "1 or 2?", "options": [{"match": ["1"], "go": "people"}], "otherwise": "menu"},
                    {"name": "people", "say": "One moment", "then": {"hand_over": {"project": "help"}}}
                ]
            }
        });
        settings["chat"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        settings
    }

    #[test]
    fn rows_9_and_14_script_and_rules_of_waiting_are_read() {
        let chat = read(with_rules()).unwrap().chat.unwrap();
        let script = chat.script.unwrap();
        assert_eq!((script.robot.name.as_str(), script.when), ("Robin", ScriptWhen::Nobody));
        assert_eq!(script.robot.id.as_ref().unwrap().to_string(), "bbbbbbbb-0000-4000-8000-000000000001");
        assert_eq!((script.begin().unwrap().node, chat.waiting_rules.targets().count()), ("menu", 1));
        let plain = read(with_chat()).unwrap().chat.unwrap();
        assert_eq!((plain.script, plain.waiting_rules), (None, WaitingRules::default()));
    }

    #[test]
    fn broken_script_or_rule_of_waiting_is_refused_with_the_rule() {
        for (path, value, rule) in [
            ("/chat/script/robot/id", json!("robin"), "chat: script: robot: id is not a GUID"),
            ("/chat/script/robot/name", json!(""), "chat: script: robot: name is not 1 to 160 characters"),
            ("/chat/script/nodes/0/otherwise", json!("lost"), "chat: script: there is no node lost"),
            ("/chat/script/nodes", json!([]), "chat: script: there are no nodes"),
            ("/chat/waiting_rules/0/after", json!(0), "after is not 1 to 86400 seconds"),
            ("/chat/waiting_rules/1/hand_over", json!("nobody"), "hand_over is neither an account nor an object"),
            ("/chat/script/when", json!("sometimes"), "sometimes"),
        ] {
            let mut settings = with_rules();
            *settings.pointer_mut(path).unwrap() = value;
            let refused = read(settings).unwrap_err();
            assert!(refused.contains(rule), "{path}: {refused}");
        }
    }

    #[test]
    fn row_11_default_project_takes_the_place_of_a_project() {
        let mut settings = with_chat();
        let chat = settings["chat"].as_object_mut().unwrap();
        chat.insert("default_project".into(), json!("help"));
        assert_eq!(read(settings.clone()).unwrap_err(), "chat: default_project is of no use beside project");
        settings["chat"].as_object_mut().unwrap().remove("project");
        let chat = read(settings.clone()).unwrap().chat.unwrap();
        assert_eq!((chat.skill, chat.default_skill), (None, skill("help", None).ok()));
        settings["chat"].as_object_mut().unwrap().remove("default_project");
        let chat = read(settings.clone()).unwrap().chat.unwrap();
        assert_eq!((chat.skill, chat.default_skill), (None, None));
        settings["chat"]["language"] = json!("cs");
        assert_eq!(read(settings).unwrap_err(), "chat: language is of no use without project");
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
