//! Time and chance that do what the test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use model::EpochMillis;
use ports::{Clock, Dice};

/// A clock that stands still until it is moved. Clones show the same time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: EpochMillis) -> Self {
        Self(Arc::new(AtomicI64::new(now.millis())))
    }

    /// A clock that shows [`fixtures::NOW`](crate::fixtures::NOW).
    #[must_use]
    pub fn new() -> Self {
        Self::at(crate::fixtures::NOW)
    }

    /// Moves the clock to `now`, which may lie in its past.
    pub fn set(&self, now: EpochMillis) {
        self.0.store(now.millis(), Ordering::SeqCst);
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> EpochMillis {
        EpochMillis::new(self.0.load(Ordering::SeqCst))
    }
}

/// Dice that always show the same number. Tokens differ from each other, because names must: they count from 1.
#[derive(Debug, Default)]
pub struct FixedDice {
    roll: u16,
    tokens: AtomicU64,
}

impl FixedDice {
    /// Dice that show `roll`.
    #[must_use]
    pub const fn new(roll: u16) -> Self {
        Self { roll, tokens: AtomicU64::new(0) }
    }
}

impl Dice for FixedDice {
    fn roll(&self) -> u16 {
        self.roll
    }

    fn token(&self) -> String {
        format!("{:032x}", self.tokens.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_clock_show_the_same_time() {
        let clock = ManualClock::new();
        let other = clock.clone();
        other.advance(Duration::from_secs(90));
        assert_eq!(clock.now(), crate::fixtures::NOW.plus(Duration::from_secs(90)));
        clock.set(EpochMillis::new(5));
        assert_eq!(other.now().millis(), 5);
    }

    #[test]
    fn tokens_are_hex_digits_and_differ() {
        let dice = FixedDice::new(7);
        let (first, second) = (dice.token(), dice.token());
        assert_eq!((first.len(), dice.roll()), (32, 7));
        assert_ne!(first, second);
    }
}
