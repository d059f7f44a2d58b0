//! How much the screens have written lately (section 11, "Message limits").

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::EpochMillis;

/// So many messages ...
const MOST: usize = 20;
/// ... within so long.
const WITHIN: Duration = Duration::from_secs(10);
/// The most sessions that are remembered.
const SESSIONS: usize = 10_000;

/// The messages of sessions in this process's memory. A platform with many processes counts each apart; a count that all share
/// would cost every message a write.
#[derive(Default)]
pub struct Rates(Mutex<HashMap<String, VecDeque<EpochMillis>>>);

impl Rates {
    /// Whether a session's message is to be taken; if so, it counts.
    pub(crate) fn admit(&self, session: &str, now: EpochMillis) -> bool {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |at: &EpochMillis| now.since(*at) >= WITHIN;
        if sessions.len() >= SESSIONS {
            sessions.retain(|_, times| times.back().is_some_and(|last| !is_old(last)));
        }
        if sessions.len() >= SESSIONS {
            sessions.clear();
        }
        let times = sessions.entry(session.to_owned()).or_default();
        while times.front().is_some_and(is_old) {
            times.pop_front();
        }
        let is_admitted = times.len() < MOST;
        if is_admitted {
            times.push_back(now);
        }
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_225_600_000;

    #[test]
    fn twenty_messages_in_ten_seconds_are_taken_and_the_next_one_is_not() {
        let rates = Rates::default();
        let admit = |session: &str, ms: i64| rates.admit(session, EpochMillis::new(NOW + ms));
        assert!((0..20).all(|place| admit("one", place * 100)));
        assert!(!admit("one", 2_000) && !admit("one", 9_999));
        assert!(admit("other", 2_000), "sessions count apart");
        assert!(admit("one", 10_000) && !admit("one", 10_099), "the first is ten seconds old");
        assert!(admit("one", 10_100));
    }
}
