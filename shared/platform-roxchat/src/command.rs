//! Commands from the backend to one page (sections 5 and 7.5).

use std::time::Duration;

use model::EpochMillis;
use serde::{Deserialize, Serialize};

/// How long a command waits for a page.
const WAITS: Duration = Duration::from_secs(60);

/// How long a page has to say what became of a command it took: the ten seconds in which success is known, and time to send. A page
/// that is gone leaves it unconfirmed.
const HAS: Duration = Duration::from_secs(60);

/// The most commands of an account that wait at a time.
const MOST_WAITING: usize = 100;

/// How far a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// It waits for a page.
    Queued,
    /// A page has it.
    Claimed,
    /// The page has sent it to the workspace.
    Sent,
    /// The chat is there.
    Confirmed,
    /// Rox.Chat refused it, or the page did: the code says why.
    Failed,
    /// Nothing was heard in time. It may have worked, so nobody sends it again.
    Unconfirmed,
    /// No page took it in time.
    Expired,
}

impl CommandState {
    /// Whether nothing follows.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Confirmed | Self::Failed | Self::Unconfirmed | Self::Expired)
    }
}

/// A command, `start_outgoing_chat`. The ids are personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The visitor, by Rox.Chat's id.
    pub visitor: String,
    /// Their session.
    pub session: String,
    /// When it was asked for.
    pub asked_at: EpochMillis,
    /// The page that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    /// When that took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    taken_at: Option<EpochMillis>,
    state: CommandState,
    /// Why it failed, in Rox.Chat's own words or ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

/// What came of a page's report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// It is further than before.
    Noted,
    /// It was as far, or over.
    NoNews,
    /// Another page has it.
    NotYours,
}

impl Command {
    /// A new one.
    #[must_use]
    pub const fn new(visitor: String, session: String, now: EpochMillis) -> Self {
        Self { visitor, session, asked_at: now, page: None, taken_at: None, state: CommandState::Queued, code: None }
    }

    /// Until when a page may take it.
    #[must_use]
    pub fn waits_until(&self) -> EpochMillis {
        self.asked_at.plus(WAITS)
    }

    /// How far it is at this moment, and why it is no further.
    #[must_use]
    pub fn state(&self, now: EpochMillis) -> (CommandState, Option<&str>) {
        let is_over = self.taken_at.is_some_and(|taken| now >= taken.plus(HAS));
        match self.state {
            CommandState::Queued if now >= self.waits_until() => (CommandState::Expired, Some("no_open_workspace")),
            CommandState::Claimed | CommandState::Sent if is_over => (CommandState::Unconfirmed, None),
            state => (state, self.code.as_deref()),
        }
    }

    /// Gives it to a page, if nobody has had it and it is not too late.
    #[must_use]
    pub fn claim(&mut self, page: &str, now: EpochMillis) -> bool {
        let is_free = self.state(now).0 == CommandState::Queued;
        if is_free {
            (self.state, self.page, self.taken_at) = (CommandState::Claimed, Some(page.to_owned()), Some(now));
        }
        is_free
    }

    /// The page that has it says how far it is. Never backwards, and not after its end.
    pub fn report(&mut self, page: &str, state: CommandState, code: Option<&str>, now: EpochMillis) -> Reported {
        if self.page.as_deref() != Some(page) {
            return Reported::NotYours;
        }
        let is_further = match (self.state(now).0, state) {
            (CommandState::Claimed, CommandState::Sent) => true,
            (CommandState::Claimed | CommandState::Sent, next) => next.is_final(),
            _ => false,
        };
        if !is_further {
            return Reported::NoNews;
        }
        self.state = state;
        self.code = code.filter(|_| state == CommandState::Failed).map(str::to_owned);
        Reported::Noted
    }
}

/// A command that waits, for whoever looks for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// Which.
    pub id: String,
    /// Whose pages may take it; `None` for anybody's.
    pub agent: Option<String>,
    /// The visitor.
    pub visitor: String,
    /// Until when.
    pub until: EpochMillis,
}

/// The commands of an account that wait, the oldest first. One record: whoever takes one changes it, so nobody else takes the same.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Queue(Vec<Queued>);

impl Queue {
    /// The first that this agent's page may take.
    #[must_use]
    pub fn next_for(&self, agent: &str, now: EpochMillis) -> Option<&Queued> {
        self.0.iter().find(|queued| now < queued.until && queued.agent.as_deref().is_none_or(|wanted| wanted == agent))
    }

    /// Whether a command for this visitor waits.
    #[must_use]
    pub fn waits_for(&self, visitor: &str, now: EpochMillis) -> bool {
        self.0.iter().any(|queued| queued.visitor == visitor && now < queued.until)
    }

    /// Adds one; whether there is room.
    #[must_use]
    pub fn push(&mut self, queued: Queued, now: EpochMillis) -> bool {
        self.0.retain(|waiting| now < waiting.until);
        let has_room = self.0.len() < MOST_WAITING;
        if has_room {
            self.0.push(queued);
        }
        has_room
    }

    /// Removes one, and those whose time is over.
    pub fn remove(&mut self, id: &str, now: EpochMillis) {
        self.0.retain(|waiting| waiting.id != id && now < waiting.until);
    }
}

#[cfg(test)]
mod tests {
    use CommandState::{Claimed, Confirmed, Expired, Failed, Queued, Sent, Unconfirmed};
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> EpochMillis {
        EpochMillis::new(1_767_225_600_000 + seconds * 1000)
    }

    fn command() -> Command {
        Command::new("v".into(), "s".into(), at(0))
    }

    #[test]
    fn nobody_takes_it_after_a_minute() {
        let mut command = command();
        assert_eq!(command.state(at(59)), (Queued, None));
        assert_eq!(command.state(at(60)), (Expired, Some("no_open_workspace")));
        assert!(!command.claim("p", at(60)));
        assert!(command.claim("p", at(59)) && !command.claim("q", at(59)) && !command.claim("p", at(59)));
        assert_eq!(command.state(at(59)), (Claimed, None));
    }

    #[test]
    fn page_that_is_gone_leaves_it_unconfirmed_for_good() {
        let mut command = command();
        assert!(command.claim("p", at(10)));
        assert_eq!(command.report("p", Sent, None, at(11)), Reported::Noted);
        assert_eq!(command.state(at(69)), (Sent, None));
        assert_eq!(command.state(at(70)), (Unconfirmed, None));
        assert!(!command.claim("q", at(70)));
        assert_eq!(command.report("p", Confirmed, None, at(70)), Reported::NoNews);
        assert_eq!(command.state(at(70)), (Unconfirmed, None));
    }

    #[test]
    fn code_of_rox_chat_stays_as_it_is() {
        let mut command = command();
        assert!(command.claim("p", at(1)));
        assert_eq!(command.report("q", Failed, Some("mine"), at(2)), Reported::NotYours);
        assert_eq!(command.report("p", Failed, Some("visitor_already_in_chat"), at(2)), Reported::Noted);
        assert_eq!(command.state(at(900)), (Failed, Some("visitor_already_in_chat")));
        assert_eq!(command.report("p", Confirmed, None, at(3)), Reported::NoNews);
        assert_eq!(command.report("p", Failed, Some("other"), at(3)), Reported::NoNews);
        assert_eq!(command.state(at(4)), (Failed, Some("visitor_already_in_chat")));
    }

    #[test]
    fn queue_gives_the_oldest_that_is_for_the_agent() {
        let mut queue = Queue::default();
        let queued = |id: &str, agent: Option<&str>, until| super::Queued {
            id: id.into(),
            agent: agent.map(str::to_owned),
            visitor: format!("v{id}"),
            until: at(until),
        };
        for one in [queued("1", Some("ann"), 60), queued("2", None, 60), queued("3", Some("ben"), 5)] {
            assert!(queue.push(one, at(0)));
        }
        let next = |queue: &Queue, agent, now| queue.next_for(agent, at(now)).map(|queued| queued.id.clone());
        assert_eq!(next(&queue, "ann", 0).as_deref(), Some("1"));
        assert_eq!(next(&queue, "ben", 0).as_deref(), Some("2"));
        assert!(queue.waits_for("v3", at(4)) && !queue.waits_for("v3", at(5)));
        queue.remove("2", at(4));
        assert_eq!(next(&queue, "ben", 4).as_deref(), Some("3"));
        assert_eq!(next(&queue, "ben", 5), None);
        queue.remove("1", at(5));
        assert_eq!(queue, Queue::default());
        assert!((0..100).all(|number| queue.push(queued(&number.to_string(), None, 60), at(0))));
        assert!(!queue.push(queued("100", None, 60), at(0)), "full");
        assert!(queue.push(queued("100", None, 120), at(60)), "what is over makes room");
    }

    proptest! {
        /// Whatever pages report and whenever, no final state is left, and one page alone has it.
        #[test]
        fn no_step_leaves_a_final_state(steps in prop::collection::vec((0..3_usize, 0..8_usize, 0..40_i64), 0..30)) {
            let (mut command, mut now) = (command(), 0);
            let mut seen = (Queued, None::<String>);
            let mut claims = 0;
            for (page, what, later) in steps {
                now += later;
                let before = command.state(at(now)).0;
                if seen.0.is_final() {
                    prop_assert_eq!(before, seen.0);
                }
                let page = ["p", "q", "r"][page];
                match what {
                    0 => claims += usize::from(command.claim(page, at(now))),
                    _ => {
                        let state = [Queued, Claimed, Sent, Confirmed, Failed, Unconfirmed, Expired][what - 1];
                        let reported = command.report(page, state, Some("code"), at(now));
                        prop_assert!(reported != Reported::Noted || !before.is_final());
                    }
                }
                prop_assert!(claims <= 1);
                let (after, code) = command.state(at(now));
                prop_assert!(!before.is_final() || after == before);
                seen = (after, code.map(str::to_owned));
            }
        }
    }
}
