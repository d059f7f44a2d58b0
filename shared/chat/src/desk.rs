//! Our own desk: who is there, what they can do, and who is offered a chat.

use std::fmt;

use model::EpochMillis;
use serde::{Deserialize, Serialize};

use crate::chat::is_barred;
use crate::gate::Occupancy;
use crate::{Agent, AgentId, Barred, Skill, Workplace};

impl Skill {
    /// Whether an agent with this skill can take a chat that asks for `wanted`: the same project, and the language if both
    /// name one.
    #[must_use]
    pub fn covers(&self, wanted: &Self) -> bool {
        let speaks = match (&self.language, &wanted.language) {
            (Some(has), Some(asked)) => has == asked,
            (None, _) | (_, None) => true,
        };
        self.project == wanted.project && speaks
    }
}

/// Whether an agent is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "presence", rename_all = "snake_case")]
pub enum Presence {
    /// No.
    LoggedOut,
    /// At a workplace, but takes nothing new.
    Paused {
        /// Where.
        workplace: Workplace,
    },
    /// At a workplace, and takes chats.
    Ready {
        /// Where.
        workplace: Workplace,
        /// Since when without anything new: the log-in, or the end of the last offer or chat.
        idle_since: EpochMillis,
    },
}

/// An agent as distribution sees them.
#[derive(Clone, PartialEq, Eq)]
pub struct AgentView {
    /// Who it is.
    pub id: AgentId,
    /// What visitors see. Personal data.
    pub name: String,
    /// What they can do.
    pub skills: Vec<Skill>,
    /// Whether they are there.
    pub presence: Presence,
    /// Chats they are offered or have.
    pub chats: u32,
    /// The most chats they take at a time.
    pub capacity: u32,
}

impl fmt::Debug for AgentView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name: _, skills, presence, chats, capacity } = self;
        f.debug_struct("AgentView")
            .field("id", id)
            .field("skills", skills)
            .field("presence", presence)
            .field("chats", chats)
            .field("capacity", capacity)
            .finish_non_exhaustive()
    }
}

impl AgentView {
    fn has(&self, wanted: &Skill) -> bool {
        self.skills.iter().any(|skill| skill.covers(wanted))
    }

    const fn is_logged_in(&self) -> bool {
        match self.presence {
            Presence::LoggedOut => false,
            Presence::Paused { .. } | Presence::Ready { .. } => true,
        }
    }

    /// Where the agent can be offered a chat, and since when they are idle; `None` if they cannot.
    fn free(&self) -> Option<(&Workplace, EpochMillis)> {
        match &self.presence {
            Presence::Ready { workplace, idle_since } if self.chats < self.capacity => Some((workplace, *idle_since)),
            Presence::Ready { .. } | Presence::Paused { .. } | Presence::LoggedOut => None,
        }
    }
}

/// A chat as distribution sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingChat<'a> {
    /// What the agent must know.
    pub skill: &'a Skill,
    /// Who is not to be offered it.
    pub barred: &'a [Barred],
    /// Whom its visitor would rather talk to.
    pub prefers: Option<&'a AgentId>,
}

/// The agent who is offered the chat: of those who are free, have the skill and are not barred, the one whom the visitor prefers,
/// or else the one who has been idle for longest. Nobody waits for somebody who is busy. Of two equals the smaller id, so that everybody who looks comes to the same choice.
#[must_use]
pub fn choose(agents: &[AgentView], chat: &WaitingChat<'_>, now: EpochMillis) -> Option<Agent> {
    let fitting = agents.iter().filter(|view| view.has(chat.skill) && !is_barred(chat.barred, &view.id, now));
    let (view, workplace, _) = fitting
        .filter_map(|view| view.free().map(|(workplace, idle_since)| (view, workplace, idle_since)))
        .min_by_key(|(view, _, idle_since)| (chat.prefers != Some(&view.id), *idle_since, &view.id))?;
    Some(Agent { id: view.id.clone(), workplace: workplace.clone(), name: view.name.clone() })
}

/// How busy the agents are who have the skill; all of them where it is not known yet (5.6).
#[must_use]
pub fn occupancy(agents: &[AgentView], skill: Option<&Skill>) -> Occupancy {
    let there = || agents.iter().filter(|view| view.is_logged_in() && skill.is_none_or(|wanted| view.has(wanted)));
    if there().any(|view| view.free().is_some()) {
        Occupancy::Free
    } else if there().next().is_some() {
        Occupancy::Busy
    } else {
        Occupancy::Nobody
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;
    use std::time::Duration;

    use super::*;

    const NOW: EpochMillis = EpochMillis::new(1_767_225_600_000);

    fn skill(project: &str, language: Option<&str>) -> Skill {
        Skill { project: project.parse().unwrap(), language: language.map(|l| l.parse().unwrap()) }
    }

    fn idle_for(seconds: u64) -> Presence {
        let since = EpochMillis::new(NOW.millis() - i64::try_from(seconds).unwrap() * 1000);
        Presence::Ready { workplace: "101".parse().unwrap(), idle_since: since }
    }

    fn agent(id: &str, presence: Presence, skill: &Skill) -> AgentView {
        AgentView { id: id.parse().unwrap(), name: "Jan".into(), skills: vec![skill.clone()], presence, chats: 0, capacity: 1 }
    }

    fn chosen(agents: &[AgentView], wanted: &Skill, barred: &[Barred]) -> Option<String> {
        choose(agents, &WaitingChat { skill: wanted, barred, prefers: None }, NOW).map(|agent| agent.id.to_string())
    }

    #[test]
    fn longest_idle_with_the_skill_is_chosen() {
        let sales = skill("sales", None);
        let agents = [
            agent("short", idle_for(5), &sales),
            agent("long", idle_for(60), &sales),
            agent("longest-without-skill", idle_for(600), &skill("help", None)),
        ];
        assert_eq!(chosen(&agents, &sales, &[]).as_deref(), Some("long"));
        assert_eq!(chosen(&agents, &skill("other", None), &[]), None);
        assert_eq!(chosen(&[], &sales, &[]), None);
    }

    #[test]
    fn preferred_agent_comes_first_and_is_not_waited_for() {
        let sales = skill("sales", None);
        let (short, long) = (agent("short", idle_for(5), &sales), agent("long", idle_for(60), &sales));
        let chosen = |agents: &[AgentView], prefers: &str, barred: &[Barred]| {
            let prefers = prefers.parse().unwrap();
            let chat = WaitingChat { skill: &sales, barred, prefers: Some(&prefers) };
            choose(agents, &chat, NOW).map(|agent| agent.id.to_string())
        };
        let both = [short.clone(), long.clone()];
        assert_eq!(chosen(&both, "short", &[]).as_deref(), Some("short"));
        assert_eq!(chosen(&both, "nobody", &[]).as_deref(), Some("long"));
        let barred = Barred { agent: "short".parse().unwrap(), until: NOW.plus(Duration::from_secs(60)) };
        assert_eq!(chosen(&both, "short", from_ref(&barred)).as_deref(), Some("long"));
        let busy = AgentView { chats: 1, ..short.clone() };
        assert_eq!(chosen(&[busy, long.clone()], "short", &[]).as_deref(), Some("long"));
        let unskilled = AgentView { skills: vec![skill("help", None)], ..short };
        assert_eq!(chosen(&[unskilled, long], "short", &[]).as_deref(), Some("long"));
    }

    #[test]
    fn equals_are_chosen_by_id_whatever_their_order() {
        let sales = skill("sales", None);
        let mut agents = [agent("b", idle_for(5), &sales), agent("a", idle_for(5), &sales)];
        assert_eq!(chosen(&agents, &sales, &[]).as_deref(), Some("a"));
        agents.reverse();
        assert_eq!(chosen(&agents, &sales, &[]).as_deref(), Some("a"));
    }

    #[test]
    fn language_counts_when_both_sides_name_one() {
        let has = |language| agent("a", idle_for(5), &skill("sales", language));
        let czech = skill("sales", Some("cs"));
        assert!(chosen(&[has(Some("cs"))], &czech, &[]).is_some());
        assert!(chosen(&[has(None)], &czech, &[]).is_some());
        assert!(chosen(&[has(Some("en"))], &skill("sales", None), &[]).is_some());
        assert!(chosen(&[has(Some("en"))], &czech, &[]).is_none());
    }

    #[test]
    fn who_is_away_busy_or_barred_is_not_chosen() {
        let sales = skill("sales", None);
        let paused = Presence::Paused { workplace: "101".parse().unwrap() };
        for presence in [Presence::LoggedOut, paused] {
            assert_eq!(chosen(&[agent("a", presence, &sales)], &sales, &[]), None);
        }
        let ready = agent("a", idle_for(5), &sales);
        let with_chats = |chats, capacity| AgentView { chats, capacity, ..ready.clone() };
        assert_eq!(chosen(&[with_chats(1, 1)], &sales, &[]), None);
        assert_eq!(chosen(&[with_chats(1, 2)], &sales, &[]).as_deref(), Some("a"));
        let barred = |until: EpochMillis| [Barred { agent: "a".parse().unwrap(), until }];
        assert_eq!(chosen(from_ref(&ready), &sales, &barred(NOW.plus(Duration::from_millis(1)))), None);
        assert_eq!(chosen(&[ready], &sales, &barred(NOW)).as_deref(), Some("a"));
    }

    #[test]
    fn occupancy_counts_those_with_the_skill() {
        let sales = skill("sales", None);
        let paused = agent("p", Presence::Paused { workplace: "101".parse().unwrap() }, &sales);
        let free = agent("f", idle_for(1), &skill("help", None));
        let out = agent("o", Presence::LoggedOut, &sales);
        assert_eq!(occupancy(from_ref(&out), Some(&sales)), Occupancy::Nobody);
        assert_eq!(occupancy(&[out, free.clone()], Some(&sales)), Occupancy::Nobody);
        assert_eq!(occupancy(&[paused.clone(), free.clone()], Some(&sales)), Occupancy::Busy);
        assert_eq!(occupancy(&[paused, free], None), Occupancy::Free);
        assert_eq!(occupancy(&[], None), Occupancy::Nobody);
    }

    #[test]
    fn debug_shows_no_name() {
        assert!(!format!("{:?}", agent("a", idle_for(1), &skill("sales", None))).contains("Jan"));
    }

    #[test]
    fn presence_is_stored_by_its_word() {
        let text = r#"{"presence":"ready","workplace":"101","idle_since":1767225599000}"#;
        assert_eq!(serde_json::from_str::<Presence>(text).unwrap(), idle_for(1));
        assert_eq!(serde_json::to_string(&idle_for(1)).unwrap(), text);
    }
}
