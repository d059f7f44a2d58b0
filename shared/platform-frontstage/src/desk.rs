//! What an operator configures for a desk of our own: its workplaces, its agents and what they know.

use std::time::Duration;

use chat::desk::{AgentView, Presence};
use chat::{AgentId, LanguageId, ProjectId, Skill, Workplace};
use serde::Deserialize;
use uuid::Uuid;

use crate::form::parse_guid;
use crate::gateway_chats::skill;
use crate::message::Legacy;
use crate::settings::{SettingsProblem, problem, yes};

/// Longest offer: what a queue's timer reaches.
const MAX_ALERT: u64 = 900;
/// The most chats that an agent can be given at a time.
const MAX_CAPACITY: u32 = 100;

/// An agent of a desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskAgent {
    /// Their id: the GUID below in its text form.
    pub id: AgentId,
    /// Their id on the wire.
    pub guid: Uuid,
    /// What visitors see.
    pub name: String,
    /// Where they may log in.
    pub workplaces: Vec<Workplace>,
    /// What they know.
    pub skills: Vec<Skill>,
    /// The most chats they take at a time.
    pub capacity: u32,
}

/// A desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskSettings {
    /// Its name for people.
    pub name: Option<String>,
    /// Its workplaces: the numbers by which agents' clients are addressed.
    pub workplaces: Vec<Workplace>,
    /// Who answers.
    pub agents: Vec<DeskAgent>,
    /// How long an agent is alerted.
    pub max_signal_duration: Duration,
    /// Whether it takes chats at all now.
    pub is_open: bool,
    /// Whether agents may give chats back by `CS_CHAT_RETURN`, a name of our own (section 12).
    pub may_return: bool,
    /// Whether agents may mark chats by `CS_CHAT_SPAM`, a name of our own (section 12).
    pub allow_spam: bool,
    /// `LegacyConfirmName` (11.7).
    pub legacy_confirm_name: bool,
    /// `LegacyStatusNames` towards its agents (11.1, 11.2).
    pub legacy_status_names: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeskText {
    #[serde(default)]
    name: Option<String>,
    workplaces: Vec<WorkplaceText>,
    agents: Vec<AgentText>,
    #[serde(default = "half_a_minute")]
    max_signal_duration: u64,
    #[serde(default = "yes")]
    open: bool,
    #[serde(default)]
    may_return: bool,
    #[serde(default)]
    allow_spam: bool,
    #[serde(default)]
    legacy_confirm_name: bool,
    #[serde(default)]
    legacy_status_names: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkplaceText {
    number: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentText {
    id: String,
    name: String,
    workplaces: Vec<String>,
    skills: Vec<SkillText>,
    #[serde(default = "one")]
    capacity: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SkillText {
    project: String,
    #[serde(default)]
    language: Option<String>,
}

const fn half_a_minute() -> u64 {
    30
}

const fn one() -> u32 {
    1
}

impl DeskText {
    pub(crate) fn check(self) -> Result<DeskSettings, SettingsProblem> {
        let mut workplaces: Vec<Workplace> = Vec::new();
        for (index, WorkplaceText { number }) in self.workplaces.into_iter().enumerate() {
            let at = |rule: &str| problem(format!("workplaces[{index}]: {rule}"));
            let number = number.parse().map_err(|_| at("number is not 1 to 64 of a-z, 0-9 and -"))?;
            if workplaces.contains(&number) {
                return Err(at("number is there twice"));
            }
            workplaces.push(number);
        }
        let mut agents: Vec<DeskAgent> = Vec::new();
        for (index, agent) in self.agents.into_iter().enumerate() {
            let at = |rule: &str| problem(format!("agents[{index}]: {rule}"));
            let agent = agent.check(&workplaces).map_err(|e| at(&e.to_string()))?;
            if agents.iter().any(|known| known.id == agent.id) {
                return Err(at("id is there twice"));
            }
            agents.push(agent);
        }
        if !(1..=MAX_ALERT).contains(&self.max_signal_duration) {
            return Err(problem(format!("max_signal_duration is not 1 to {MAX_ALERT} seconds")));
        }
        Ok(DeskSettings {
            name: self.name.filter(|name| !name.is_empty()),
            workplaces,
            agents,
            max_signal_duration: Duration::from_secs(self.max_signal_duration),
            is_open: self.open,
            may_return: self.may_return,
            allow_spam: self.allow_spam,
            legacy_confirm_name: self.legacy_confirm_name,
            legacy_status_names: self.legacy_status_names,
        })
    }
}

impl AgentText {
    fn check(self, desk: &[Workplace]) -> Result<DeskAgent, SettingsProblem> {
        let guid = parse_guid(&self.id).filter(|id| !id.is_nil()).ok_or_else(|| problem("id is not a GUID"))?;
        let id = agent_id(guid).ok_or_else(|| problem("id is not a GUID"))?;
        if self.name.is_empty() || text::utf16_len(&self.name) > 160 {
            return Err(problem("name is not 1 to 160 characters"));
        }
        let workplace = |number: &String| desk.iter().find(|known| known.to_string() == *number).cloned();
        let workplaces: Option<Vec<_>> = self.workplaces.iter().map(workplace).collect();
        let workplaces = workplaces.ok_or_else(|| problem("workplaces names one that the desk does not have"))?;
        if workplaces.is_empty() {
            return Err(problem("workplaces is empty"));
        }
        let skills: Vec<_> = self.skills.iter().map(|s| skill(&s.project, s.language.as_deref())).collect::<Result<_, _>>()?;
        if skills.is_empty() {
            return Err(problem("skills is empty"));
        }
        if !(1..=MAX_CAPACITY).contains(&self.capacity) {
            return Err(problem(format!("capacity is not 1 to {MAX_CAPACITY}")));
        }
        Ok(DeskAgent { id, guid, name: self.name, workplaces, skills, capacity: self.capacity })
    }
}

/// The agent of a GUID on the wire.
pub(crate) fn agent_id(guid: Uuid) -> Option<AgentId> {
    guid.hyphenated().to_string().parse().ok()
}

/// The GUID of an agent, for whom it is one.
pub(crate) fn agent_guid(id: &AgentId) -> Option<Uuid> {
    parse_guid(&id.to_string())
}

/// The GUID of a project, where it is one; otherwise its name.
pub(crate) fn project_words(id: &ProjectId) -> (Option<Uuid>, Option<String>) {
    guid_or_name(id.to_string())
}

/// The GUID of a language, where it is one; otherwise its name.
pub(crate) fn language_words(id: &LanguageId) -> (Option<Uuid>, Option<String>) {
    guid_or_name(id.to_string())
}

fn guid_or_name(text: String) -> (Option<Uuid>, Option<String>) {
    let guid = parse_guid(&text);
    (guid, Some(text).filter(|_| guid.is_none()))
}

impl DeskSettings {
    /// The agent with this id.
    #[must_use]
    pub fn agent(&self, id: &AgentId) -> Option<&DeskAgent> {
        self.agents.iter().find(|agent| agent.id == *id)
    }

    /// The agent with this id on the wire, if they may log in at the workplace.
    #[must_use]
    pub fn agent_at(&self, guid: Uuid, workplace: &Workplace) -> Option<&DeskAgent> {
        self.agents.iter().find(|agent| agent.guid == guid && agent.workplaces.contains(workplace))
    }

    /// Whether it has this workplace.
    #[must_use]
    pub fn has(&self, workplace: &Workplace) -> bool {
        self.workplaces.contains(workplace)
    }

    /// Its agents as distribution sees them, but for what only the store knows: all of them away and without chats.
    #[must_use]
    pub fn views(&self) -> Vec<AgentView> {
        let view = |agent: &DeskAgent| AgentView {
            id: agent.id.clone(),
            name: agent.name.clone(),
            skills: agent.skills.clone(),
            presence: Presence::LoggedOut,
            chats: 0,
            capacity: agent.capacity,
        };
        self.agents.iter().map(view).collect()
    }

    /// The names its agents' clients were promised.
    #[must_use]
    pub const fn legacy(&self) -> Legacy {
        Legacy { status_names: self.legacy_status_names, confirm_name: self.legacy_confirm_name }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::tests::account;
    use crate::settings::{AccountSettings, Secrets};

    pub(crate) const JANA: &str = "aaaaaaaa-0000-4000-8000-000000000101";
    pub(crate) const PETR: &str = "aaaaaaaa-0000-4000-8000-000000000102";

    pub(crate) fn demo_desk() -> Value {
        json!({"desk": {
            "name": "Demo desk",
            "workplaces": [{"number": "101"}, {"number": "102"}],
            "agents": [
                {"id": JANA.to_uppercase(), "name": "Jana", "workplaces": ["101"], "skills": [{"project": "sales", "language": "cs"}], "capacity": 2},
                {"id": PETR, "name": "Petr", "workplaces": ["101", "102"], "skills": [{"project": "sales"}]}
            ],
            "max_signal_duration": 20
        }})
    }

    pub(crate) fn desk() -> DeskSettings {
        read(demo_desk()).unwrap()
    }

    fn read(settings: Value) -> Result<DeskSettings, String> {
        let read = AccountSettings::of(&account(settings)).map_err(|e| e.to_string())?;
        read.into_desk().ok_or_else(|| "no desk".to_owned())
    }

    #[test]
    fn complete_desk_is_read() {
        let desk = desk();
        assert_eq!((desk.is_open, desk.max_signal_duration), (true, Duration::from_secs(20)));
        let (one, two) = ("101".parse().unwrap(), "102".parse().unwrap());
        assert_eq!(desk.agent_at(JANA.parse().unwrap(), &one).map(|a| a.name.as_str()), Some("Jana"));
        assert_eq!(desk.agent_at(JANA.parse().unwrap(), &two), None);
        assert!(desk.has(&two) && !desk.has(&"103".parse().unwrap()));
        let views = desk.views();
        assert_eq!((views[0].id.to_string().as_str(), views[0].capacity), (JANA, 2));
        assert_eq!((views[1].id.to_string().as_str(), views[1].capacity), (PETR, 1));
    }

    #[test]
    fn broken_desk_is_refused_with_the_rule() {
        for (path, value, rule) in [
            ("/desk/workplaces/0/number", json!("A 1"), "desk: workplaces[0]: number is not 1 to 64 of a-z, 0-9 and -"),
            ("/desk/workplaces/1/number", json!("101"), "desk: workplaces[1]: number is there twice"),
            ("/desk/agents/0/id", json!("jana"), "desk: agents[0]: id is not a GUID"),
            ("/desk/agents/1/id", json!(JANA), "desk: agents[1]: id is there twice"),
            ("/desk/agents/0/name", json!(""), "desk: agents[0]: name is not 1 to 160 characters"),
            ("/desk/agents/0/workplaces", json!(["7"]), "desk: agents[0]: workplaces names one that the desk does not have"),
            ("/desk/agents/0/workplaces", json!([]), "desk: agents[0]: workplaces is empty"),
            ("/desk/agents/0/skills", json!([]), "desk: agents[0]: skills is empty"),
            ("/desk/agents/0/skills/0/project", json!(""), "desk: agents[0]: project is not 1 to 64 of a-z, 0-9 and -"),
            ("/desk/agents/0/capacity", json!(0), "desk: agents[0]: capacity is not 1 to 100"),
            ("/desk/max_signal_duration", json!(901), "desk: max_signal_duration is not 1 to 900 seconds"),
        ] {
            let mut settings = demo_desk();
            *settings.pointer_mut(path).unwrap() = value;
            assert_eq!(read(settings).unwrap_err(), rule, "{path}");
        }
        let mut mixed = demo_desk();
        mixed["peer_address"] = json!("!DemoLink");
        assert!(read(mixed).unwrap_err().contains("peer_address"));
    }

    #[test]
    fn each_workplace_has_keys_of_its_own() {
        let long = "0123456789abcdef";
        let stored = json!({"keys": [
            {"id": "k1", "secret": long, "workplace": "101"},
            {"id": "k2", "secret": long, "workplace": "101"},
            {"id": "k1", "secret": "fedcba9876543210", "workplace": "102"}
        ]});
        let keys = |number: &str| Secrets::of_workplace(&stored, &number.parse().unwrap());
        assert!(keys("101").unwrap().key("k2").is_some());
        assert!(keys("102").unwrap().key("k2").is_none());
        assert_ne!(keys("101").unwrap().key("k1"), keys("102").unwrap().key("k1"));
        assert!(keys("103").is_err());
        assert_eq!(Secrets::of(&stored).unwrap_err().to_string(), "a gateway's keys belong to no workplace");
    }
}
