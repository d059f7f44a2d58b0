//! Guards in memory.

use std::collections::BTreeMap;

use model::{AccountId, EpochMillis, EventKey};
use ports::{Guard, GuardRefusal, OnceKey};
use serde_json::Value;

/// What is remembered of a guard.
#[derive(Debug)]
struct Remembered {
    expires_at: EpochMillis,
    /// Fingerprint and answer, for a guard that has one.
    answer: Option<(String, Value)>,
}

/// The guards that were used, by account and name, once-guards apart from answered ones.
#[derive(Debug, Default)]
pub(crate) struct Guards(BTreeMap<(AccountId, EventKey, bool), Remembered>);

impl Guards {
    /// Whether one of them refuses.
    pub(crate) fn check(&self, guards: &[Guard], now: EpochMillis) -> Option<GuardRefusal> {
        guards.iter().find_map(|guard| {
            let known = self.0.get(&guard_name(guard))?;
            if known.expires_at <= now {
                return None;
            }
            Some(match (guard, &known.answer) {
                (Guard::Once(_), _) => GuardRefusal::Replayed,
                (Guard::Answered { fingerprint, .. }, Some((same, answer))) if fingerprint == same => {
                    GuardRefusal::AnsweredBefore(answer.clone())
                }
                (Guard::Answered { .. }, _) => GuardRefusal::FingerprintDiffers,
            })
        })
    }

    /// Uses them.
    pub(crate) fn remember(&mut self, guards: &[Guard]) {
        for guard in guards {
            let answer = match guard {
                Guard::Once(_) => None,
                Guard::Answered { fingerprint, answer, .. } => Some((fingerprint.clone(), answer.clone())),
            };
            self.0.insert(guard_name(guard), Remembered { expires_at: once_key(guard).expires_at, answer });
        }
    }
}

const fn once_key(guard: &Guard) -> &OnceKey {
    match guard {
        Guard::Once(key) | Guard::Answered { key, .. } => key,
    }
}

fn guard_name(guard: &Guard) -> (AccountId, EventKey, bool) {
    let key = once_key(guard);
    (key.account.clone(), key.name.clone(), matches!(guard, Guard::Answered { .. }))
}
