//! Paces in memory, and a sleeper that moves the test's clock.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use model::{EpochMillis, PaceState, PaceTurn};
use ports::{Clock, Paces, Pass, PortError, Sleeper, Standing};

use crate::{Faults, ManualClock};

/// Paces in a map under one lock: every operation is atomic, so nobody is ever overtaken.
#[derive(Debug, Default)]
pub struct InMemoryPaces {
    states: Mutex<BTreeMap<String, PaceState>>,
    looks: Mutex<u32>,
    faults: Faults,
}

impl InMemoryPaces {
    /// What goes wrong in the calls to come.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Reservations asked for so far.
    #[must_use]
    pub fn looks(&self) -> u32 {
        *self.looks.lock().unwrap()
    }

    fn change<T>(&self, key: &str, change: impl FnOnce(&mut PaceState) -> T) -> Result<T, PortError> {
        self.faults.apply("paces", || change(self.states.lock().unwrap().entry(key.to_owned()).or_default()))
    }
}

#[async_trait]
impl Paces for InMemoryPaces {
    async fn reserve(
        &self,
        key: &str,
        per_second: u32,
        now: EpochMillis,
        horizon: Duration,
        slack: Duration,
    ) -> Result<Pass, PortError> {
        *self.looks.lock().unwrap() += 1;
        self.change(key, |state| {
            let standing = if state.is_troubled() { Standing::Troubled } else { Standing::Well };
            let turn = state.turn(now, horizon);
            let (at, until, standing) = match turn {
                PaceTurn::Now => (now, now.plus(slack), standing),
                PaceTurn::Next(at) => (at, at, standing),
                PaceTurn::Probe { others_wait_until } => {
                    state.open_until = Some(others_wait_until);
                    (now, now, Standing::Probe)
                }
                PaceTurn::Busy { until } => return Pass::Busy { until },
            };
            state.next_at = Some(until.plus(PaceState::interval(per_second)));
            Pass::At { at, latest: turn.latest(at, slack), standing }
        })
    }

    async fn slow(&self, key: &str, wish: Option<Duration>, now: EpochMillis) -> Result<(), PortError> {
        self.change(key, |state| {
            state.refusals += 1;
            state.paused_until = state.paused_until.max(Some(now.plus(PaceState::pause(state.refusals, wish))));
        })
    }

    async fn failed(&self, key: &str, standing: Standing, now: EpochMillis) -> Result<Option<EpochMillis>, PortError> {
        self.change(key, |state| {
            state.failures += 1;
            let is_open = standing != Standing::Probe && state.open_until.is_some_and(|until| until > now);
            if !state.is_broken() || is_open {
                return None;
            }
            state.open_until = Some(now.plus(PaceState::BREAK));
            state.open_until
        })
    }

    async fn recovered(&self, key: &str) -> Result<(), PortError> {
        self.change(key, |state| (state.failures, state.open_until, state.refusals) = (0, None, 0))
    }
}

/// Nobody waits: the clock moves on instead.
#[derive(Debug, Clone)]
pub struct ManualSleeper(ManualClock);

impl ManualSleeper {
    /// A sleeper that moves `clock`.
    #[must_use]
    pub const fn new(clock: ManualClock) -> Self {
        Self(clock)
    }
}

#[async_trait]
impl Sleeper for ManualSleeper {
    async fn sleep(&self, time: Duration) {
        self.0.set(self.0.now().plus(time));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::NOW;

    #[tokio::test]
    async fn meets_the_contract() {
        // The suite opens each case twice: both are the same paces.
        let shared: Mutex<Option<Arc<InMemoryPaces>>> = Mutex::default();
        let open = || -> Arc<dyn Paces> { shared.lock().unwrap().get_or_insert_with(Arc::default).clone() };
        crate::paces_contract::run(&open).await;
    }

    proptest! {
        /// Whatever is asked for when, and however late and slow each call is within what is allowed for.
        #[test]
        fn no_second_has_more_calls_than_the_rate(
            per_second in 1u32..=100,
            asks in prop::collection::vec((0u64..400, 0u64..3000, 0u64..500, 0.0..=1.0, 0u64..=100), 1..300),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut arrivals = Vec::new();
            let paces = InMemoryPaces::default();
            let mut now = NOW;
            for (pause, horizon, slack, late, way) in asks {
                now = now.plus(Duration::from_millis(pause / u64::from(per_second)));
                let [horizon, slack, way] = [horizon, slack, way].map(Duration::from_millis);
                let pass = runtime.block_on(paces.reserve("k", per_second, now, horizon, slack)).unwrap();
                if let Pass::At { at, latest, .. } = pass {
                    prop_assert!(at >= now && at <= now.plus(horizon));
                    arrivals.push(at.plus(latest.since(at).mul_f64(late)).plus(way).millis());
                }
            }
            arrivals.sort_unstable();
            let most = usize::try_from(per_second).unwrap();
            for more in arrivals.windows(most + 1) {
                prop_assert!(more[most] - more[0] > 1000, "{:?}", more);
            }
        }
    }
}
