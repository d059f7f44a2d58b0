//! Who asked for news when, and what they last saw (8.5).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{AccountId, EpochMillis};
use website::cookie::TrackingId;
use website::poll::is_too_soon;

/// The most browsers that are remembered.
const MOST: usize = 10_000;
/// After this long without a poll a browser may be forgotten.
const FORGOTTEN: Duration = Duration::from_secs(600);

struct Poll {
    served: EpochMillis,
    /// What was seen, and since when.
    seen: Option<(String, EpochMillis)>,
}

/// The polls of browsers in this process's memory. A platform with many processes counts each apart: a browser that polls
/// too fast is slowed down by each that it meets, and what is new to a process counts as news. Storing a poll would cost
/// more than answering one.
#[derive(Default)]
pub struct Polls(Mutex<HashMap<(AccountId, TrackingId), Poll>>);

impl Polls {
    fn lock(&self) -> MutexGuard<'_, HashMap<(AccountId, TrackingId), Poll>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a browser's poll is to be served; if so, it counts.
    pub(crate) fn admit(&self, account: &AccountId, id: TrackingId, now: EpochMillis) -> bool {
        let mut polls = self.lock();
        if let Some(poll) = polls.get_mut(&(account.clone(), id)) {
            if is_too_soon(Some(poll.served), now) {
                return false;
            }
            poll.served = now;
            return true;
        }
        if polls.len() >= MOST {
            polls.retain(|_, poll| now.since(poll.served) < FORGOTTEN);
        }
        if polls.len() >= MOST {
            polls.clear();
        }
        polls.insert((account.clone(), id), Poll { served: now, seen: None });
        true
    }

    /// Since when a browser sees what this tag stands for.
    pub(crate) fn since(&self, account: &AccountId, id: TrackingId, tag: &str, now: EpochMillis) -> EpochMillis {
        let mut polls = self.lock();
        let Some(poll) = polls.get_mut(&(account.clone(), id)) else { return now };
        match &poll.seen {
            Some((seen, since)) if seen == tag => *since,
            Some(_) | None => {
                poll.seen = Some((tag.to_owned(), now));
                now
            }
        }
    }
}
