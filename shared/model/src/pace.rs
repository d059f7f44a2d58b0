//! How fast a recipient's platform is called, and when not at all: the rules of one pace, without a store.
//!
//! A pace hands out instants that are evenly spread (the generic cell rate algorithm with no burst): one number, the next
//! free instant, is all it has to remember. It also remembers what its platform answered: refusals for coming too often
//! make everybody wait, and several failures in a row make everybody wait until one call has tried again.

use std::time::Duration;

use crate::EpochMillis;

/// By how much the way to the platform may differ between two calls: over a new connection it takes two or three round trips more
/// than over one that is kept.
const JITTER: Duration = Duration::from_millis(200);

/// How long everybody else waits for the one call that tries again; longer than any call takes.
const PROBE: Duration = Duration::from_secs(10);

/// The longest that everybody waits because the platform was called too often.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The first such wait where the platform does not say how long; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// What is remembered of a pace. The default is one that was never used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PaceState {
    /// The next free instant; it never goes back.
    pub next_at: Option<EpochMillis>,
    /// Failures in a row.
    pub failures: u32,
    /// With [`PaceState::BREAKS_AFTER`] failures: nobody calls before.
    pub open_until: Option<EpochMillis>,
    /// Times in a row that the platform was called too often.
    pub refusals: u32,
    /// With refusals: nobody calls before.
    pub paused_until: Option<EpochMillis>,
}

/// What a reservation comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaceTurn {
    /// The pace was idle: the instant asked for is free.
    Now,
    /// The instant that is free next.
    Next(EpochMillis),
    /// After a break: one call tries again, while all others wait until then.
    Probe {
        /// Until when the others wait.
        others_wait_until: EpochMillis,
    },
    /// Not now.
    Busy {
        /// When to ask again.
        until: EpochMillis,
    },
}

impl PaceTurn {
    /// The latest beginning of a call that has the instant `at`.
    #[must_use]
    pub fn latest(self, at: EpochMillis, slack: Duration) -> EpochMillis {
        match self {
            Self::Now => at.plus(slack + PaceState::LATEST),
            Self::Next(_) | Self::Busy { .. } => at.plus(PaceState::LATEST),
            // While one call tries whether the platform works again, there is no other one to come too close to.
            Self::Probe { others_wait_until } => others_wait_until,
        }
    }
}

impl PaceState {
    /// How much later than its instant a call may begin; whoever is later takes another one.
    pub const LATEST: Duration = Duration::from_millis(50);

    /// Failures in a row that are too many (vcita contract, section 10).
    pub const BREAKS_AFTER: u32 = 5;

    /// For how long nobody calls after them (the same).
    pub const BREAK: Duration = Duration::from_secs(30);

    /// The distance of two calls at `per_second` (at least 1): in no second do more of them arrive, even if the first one
    /// of a row begins as late as it may and its way takes longer than the last one's.
    #[must_use]
    pub fn interval(per_second: u32) -> Duration {
        let spread = Duration::from_secs(1) + Self::LATEST + JITTER;
        Duration::from_millis(u64::try_from(spread.as_millis()).unwrap_or(u64::MAX) / u64::from(per_second.max(1)) + 1)
    }

    /// How long everybody waits after refusal number `refusals` (from 1) for coming too often. `wish` is the platform's own.
    #[must_use]
    pub fn pause(refusals: u32, wish: Option<Duration>) -> Duration {
        let doubled = || FIRST_PAUSE.saturating_mul(2u32.saturating_pow(refusals.saturating_sub(1).min(16)));
        wish.unwrap_or_else(doubled).min(LONGEST_PAUSE)
    }

    /// What becomes of who asks for an instant at `now` or up to `horizon` later.
    #[must_use]
    pub fn turn(&self, now: EpochMillis, horizon: Duration) -> PaceTurn {
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return PaceTurn::Busy { until };
        }
        if self.is_broken() {
            return match self.open_until.filter(|until| *until > now) {
                Some(until) => PaceTurn::Busy { until },
                None => PaceTurn::Probe { others_wait_until: now.plus(PROBE) },
            };
        }
        match self.next_at.filter(|next| *next > now) {
            None => PaceTurn::Now,
            Some(next) if next <= now.plus(horizon) => PaceTurn::Next(next),
            // As soon as the next free instant is near enough.
            Some(next) => PaceTurn::Busy { until: now.plus(next.since(now.plus(horizon))) },
        }
    }

    /// Whether there have been so many failures that only one call at a time tries again.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        self.failures >= Self::BREAKS_AFTER
    }

    /// Whether a success would be news.
    #[must_use]
    pub const fn is_troubled(&self) -> bool {
        self.failures > 0 || self.refusals > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: EpochMillis = EpochMillis::new(1_767_225_600_000);
    const HORIZON: Duration = Duration::from_millis(1500);

    const fn at(millis: i64) -> EpochMillis {
        EpochMillis::new(NOW.millis() + millis)
    }

    #[test]
    fn nine_calls_of_eight_a_second_take_more_than_a_second_though_the_first_is_250_ms_late() {
        for (per_second, millis) in [(1, 1251), (8, 157), (10, 126), (100, 13)] {
            assert_eq!(PaceState::interval(per_second), Duration::from_millis(millis), "{per_second}");
            assert!(millis * u64::from(per_second) - 250 > 1000, "{per_second}");
        }
        assert_eq!(PaceState::interval(0), Duration::from_millis(1251));
    }

    #[test]
    fn unused_pace_and_one_whose_instants_are_over_are_free_now() {
        assert_eq!(PaceState::default().turn(NOW, HORIZON), PaceTurn::Now);
        let over = PaceState { next_at: Some(NOW), ..PaceState::default() };
        assert_eq!(over.turn(NOW, HORIZON), PaceTurn::Now);
    }

    #[test]
    fn next_instant_is_taken_up_to_the_horizon() {
        for (next, turn) in [
            (at(1), PaceTurn::Next(at(1))),
            (at(1500), PaceTurn::Next(at(1500))),
            (at(1501), PaceTurn::Busy { until: at(1) }),
            (at(4000), PaceTurn::Busy { until: at(2500) }),
        ] {
            let state = PaceState { next_at: Some(next), ..PaceState::default() };
            assert_eq!(state.turn(NOW, HORIZON), turn);
        }
    }

    #[test]
    fn nobody_calls_before_the_pause_is_over() {
        let state = PaceState { refusals: 1, paused_until: Some(at(7000)), ..PaceState::default() };
        assert_eq!(state.turn(at(6999), HORIZON), PaceTurn::Busy { until: at(7000) });
        assert_eq!(state.turn(at(7000), HORIZON), PaceTurn::Now);
    }

    #[test]
    fn row_of_five_failures_breaks_and_then_one_call_probes() {
        let state = |failures, until| PaceState { failures, open_until: Some(at(until)), ..PaceState::default() };
        assert_eq!(state(4, 30_000).turn(NOW, HORIZON), PaceTurn::Now);
        assert_eq!(state(5, 30_000).turn(at(29_999), HORIZON), PaceTurn::Busy { until: at(30_000) });
        assert_eq!(state(5, 30_000).turn(at(30_000), HORIZON), PaceTurn::Probe { others_wait_until: at(40_000) });
        let unmarked = PaceState { failures: 6, ..PaceState::default() };
        assert_eq!(unmarked.turn(NOW, HORIZON), PaceTurn::Probe { others_wait_until: at(10_000) });
    }

    #[test]
    fn pause_is_the_wish_or_doubles_and_is_never_longer_than_60_seconds() {
        for (refusals, wish, seconds) in
            [(1, None, 1), (2, None, 2), (6, None, 32), (7, None, 60), (u32::MAX, None, 60), (3, Some(5), 5), (1, Some(900), 60)]
        {
            assert_eq!(
                PaceState::pause(refusals, wish.map(Duration::from_secs)),
                Duration::from_secs(seconds),
                "{refusals} {wish:?}"
            );
        }
    }
}
