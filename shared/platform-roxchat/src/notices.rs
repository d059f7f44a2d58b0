//! What an agent's workspace notifies of (sections 3.6 and 3.7).

use std::collections::VecDeque;

use model::EpochMillis;
use serde::{Deserialize, Serialize};

use crate::Notification;

/// The most notifications, and the most removed ones, that are remembered. One record holds them all.
const MOST: (usize, usize) = (40, 100);

/// A notification that has not disappeared. The text is personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its id.
    pub id: String,
    /// Its kind: an open list.
    pub kind: Option<String>,
    /// What is shown.
    pub text: String,
    /// The visitor's session.
    pub session: Option<String>,
    /// When it came.
    pub at: EpochMillis,
}

/// The notifications of one agent's workspaces: a set by their ids. Another agent's workspace has its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Notices {
    /// Those that are there, the oldest first.
    pub live: VecDeque<Notice>,
    removed: VecDeque<String>,
}

impl Notices {
    /// One arrives. One that has disappeared before, or is there, changes nothing.
    pub fn added(&mut self, notification: &Notification, at: EpochMillis) {
        let Notification { id, kind, text, session } = notification;
        if self.removed.contains(id) || self.live.iter().any(|live| live.id == *id) {
            return;
        }
        let (id, kind, session) = (id.clone(), kind.clone(), session.clone());
        self.live.push_back(Notice { id, kind, text: text.kept.clone(), session, at });
        self.live.drain(..self.live.len().saturating_sub(MOST.0));
    }

    /// One disappears. Of one that nobody knows it is remembered, so that it is not shown when it comes late.
    pub fn removed(&mut self, id: &str) {
        self.live.retain(|live| live.id != id);
        if !self.removed.iter().any(|known| known == id) {
            self.removed.push_back(id.to_owned());
        }
        self.removed.drain(..self.removed.len().saturating_sub(MOST.1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Text;

    fn notification(id: &str) -> Notification {
        let text = Text { kept: "The visitor left the site".into(), original_bytes: None };
        Notification { id: id.into(), kind: Some("visitor".into()), text, session: None }
    }

    fn ids(notices: &Notices) -> Vec<&str> {
        notices.live.iter().map(|live| live.id.as_str()).collect()
    }

    #[test]
    fn what_disappeared_before_it_came_is_not_shown() {
        let (mut notices, at) = (Notices::default(), EpochMillis::new(0));
        for id in ["a", "b", "a"] {
            notices.added(&notification(id), at);
        }
        assert_eq!(ids(&notices), ["a", "b"]);
        for id in ["c", "a", "a"] {
            notices.removed(id);
        }
        notices.added(&notification("c"), at);
        notices.added(&notification("a"), at);
        assert_eq!(ids(&notices), ["b"]);
    }

    #[test]
    fn no_more_is_kept_than_fits() {
        let mut notices = Notices::default();
        for number in 0..1_000 {
            notices.added(&notification(&format!("n{number}")), EpochMillis::new(0));
            notices.removed(&format!("r{number}"));
        }
        assert_eq!((notices.live.len(), notices.live[0].id.as_str(), notices.removed.len()), (40, "n960", 100));
    }
}
