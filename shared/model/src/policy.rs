//! When a delivery is tried again, and when it is given up: data, one value per platform and kind of delivery.

use std::time::Duration;

use crate::EpochMillis;

/// How the recipient says that it has the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckMode {
    /// In a call of its own, at the latest `timeout` after the attempt began. A push that got no usable answer is
    /// repeated within the same attempt.
    Separate {
        /// Time from the start of the attempt until it counts as not acknowledged.
        timeout: Duration,
    },
    /// In the answer to the push. `lease` bounds how long one worker may take; after it the attempt is taken for lost.
    InAnswer {
        /// Longest duration of one attempt.
        lease: Duration,
    },
}

impl AckMode {
    /// The time from the start of an attempt to its deadline.
    #[must_use]
    pub const fn window(self) -> Duration {
        match self {
            Self::Separate { timeout } => timeout,
            Self::InAnswer { lease } => lease,
        }
    }
}

/// The schedule of one kind of delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryPolicy {
    /// How success is learnt.
    pub ack: AckMode,
    /// Attempts in all; at least 1.
    pub max_attempts: u32,
    /// Delay before attempt 2, 3, ...; past the end the last one doubles each time. Not empty.
    pub retry_delays: Vec<Duration>,
    /// No delay is longer than this.
    pub delay_cap: Duration,
    /// Draw each delay evenly between zero and its value ("full jitter").
    pub jitter: bool,
    /// Age at which an unsettled delivery is given up whatever its attempts.
    pub give_up_after: Duration,
}

/// First pause between two pushes of the same attempt (FrontStage contract 10.3: 1, 2, 4 ... 60 s).
const FIRST_REPUSH: Duration = Duration::from_secs(1);
/// Longest pause between two pushes of the same attempt.
const LAST_REPUSH: Duration = Duration::from_secs(60);

impl DeliveryPolicy {
    /// The delay after attempt number `attempt` (from 1). `dice` is any random number; it matters only with jitter.
    #[must_use]
    pub fn retry_delay(&self, attempt: u32, dice: u16) -> Duration {
        let index = attempt.saturating_sub(1);
        let listed = u32::try_from(self.retry_delays.len()).unwrap_or(u32::MAX);
        let base = if index < listed {
            self.retry_delays[index as usize]
        } else {
            let last = self.retry_delays.last().copied().unwrap_or(FIRST_REPUSH);
            last.saturating_mul(2u32.saturating_pow((index - listed).saturating_add(1).min(20)))
        };
        let full = base.min(self.delay_cap);
        if self.jitter { full.mul_f64(f64::from(dice) / f64::from(u16::MAX)) } else { full }
    }

    /// The pause before the next push of the same attempt, after `pushes` of them.
    #[must_use]
    pub fn repush_delay(&self, pushes: u32) -> Duration {
        FIRST_REPUSH.saturating_mul(2u32.saturating_pow(pushes.saturating_sub(1).min(16))).min(LAST_REPUSH)
    }

    /// Whether something that was created at `created` is too old to be tried at `now`.
    #[must_use]
    pub fn is_expired(&self, created: EpochMillis, now: EpochMillis) -> bool {
        now.since(created) >= self.give_up_after
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frontstage() -> DeliveryPolicy {
        DeliveryPolicy {
            ack: AckMode::Separate { timeout: Duration::from_secs(90) },
            max_attempts: 3,
            retry_delays: vec![Duration::from_secs(30), Duration::from_secs(120)],
            delay_cap: Duration::from_secs(900),
            jitter: false,
            give_up_after: Duration::from_secs(86_400),
        }
    }

    #[test]
    fn delays_follow_the_contract_then_double_to_the_cap() {
        let delays: Vec<u64> = (1..=7).map(|n| frontstage().retry_delay(n, 0).as_secs()).collect();
        assert_eq!(delays, [30, 120, 240, 480, 900, 900, 900]);
    }

    #[test]
    fn pushes_of_one_attempt_are_1_2_4_up_to_60_seconds_apart() {
        let pauses: Vec<u64> = (1..=8).map(|n| frontstage().repush_delay(n).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    proptest! {
        #[test]
        fn jittered_delay_is_within_bounds(attempt in 1u32.., dice: u16) {
            let policy = DeliveryPolicy { jitter: true, ..frontstage() };
            prop_assert!(policy.retry_delay(attempt, dice) <= Duration::from_secs(900));
            prop_assert_eq!(policy.retry_delay(attempt, u16::MAX), frontstage().retry_delay(attempt, 0));
        }
    }
}
