//! How many envelopes gateways have posted lately (section 12).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use model::{AccountId, EpochMillis};

/// What a gateway has used up.
struct Used {
    at: EpochMillis,
    /// Thousandths of an envelope, so that a millisecond gives back whole ones: as many as the rate.
    thousandths: u64,
}

/// The envelopes of gateways in this process's memory. A platform with many processes counts each apart: a process serves
/// one request at a time, so a connector that posts one after the other meets one count, and one that opens many
/// connections is slowed down by each. A count that all share would cost every envelope a write.
///
/// Up to a second's envelopes may come at once: the largest array of 10.2 always fits an idle gateway.
#[derive(Default)]
pub struct Rates(Mutex<HashMap<AccountId, Used>>);

impl Rates {
    /// Whether so many envelopes are to be taken at `per_second`; if so, they count. All of them or none: an array is not
    /// taken in part.
    pub(crate) fn admit(&self, account: &AccountId, per_second: u32, envelopes: usize, now: EpochMillis) -> bool {
        let mut gateways = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let used = gateways.entry(account.clone()).or_insert(Used { at: now, thousandths: 0 });
        let given_back = u64::try_from(now.since(used.at).as_millis()).unwrap_or(u64::MAX).saturating_mul(per_second.into());
        used.thousandths = used.thousandths.saturating_sub(given_back);
        used.at = now;
        let wanted = u64::try_from(envelopes).unwrap_or(u64::MAX).saturating_mul(1_000).saturating_add(used.thousandths);
        let is_admitted = wanted <= u64::from(per_second) * 1_000;
        if is_admitted {
            used.thousandths = wanted;
        }
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_225_600_000;

    /// Whether so many envelopes are taken, each so many milliseconds after the beginning.
    fn taken(per_second: u32, posts: &[(i64, usize)]) -> Vec<bool> {
        let (rates, gateway) = (Rates::default(), "frontstage/gw".parse().unwrap());
        let post = |&(ms, envelopes)| rates.admit(&gateway, per_second, envelopes, EpochMillis::new(NOW + ms));
        posts.iter().map(post).collect()
    }

    #[test]
    fn fifty_are_taken_in_a_second_and_the_next_one_is_not() {
        let mut posts = vec![(0, 1); 51];
        posts.extend([(19, 1), (20, 1), (20, 1), (1_020, 50), (1_020, 1)]);
        let mut expected = vec![true; 50];
        expected.extend([false, false, true, false, true, false]);
        assert_eq!(taken(50, &posts), expected);
    }

    #[test]
    fn array_counts_its_envelopes_and_is_taken_whole_or_not_at_all() {
        let posts = [(0, 25), (0, 20), (0, 6), (0, 5), (0, 1), (499, 25), (500, 25)];
        assert_eq!(taken(50, &posts), [true, true, false, true, false, false, true]);
    }

    #[test]
    fn largest_array_is_taken_after_a_second_at_the_least_rate() {
        assert_eq!(taken(25, &[(0, 25), (999, 25), (1_000, 25)]), [true, false, true]);
    }

    #[test]
    fn clock_that_goes_back_gives_nothing_back() {
        assert_eq!(taken(50, &[(0, 50), (-5_000, 1), (-4_980, 1)]), [true, false, true]);
    }

    #[test]
    fn gateways_count_apart() {
        let rates = Rates::default();
        let now = EpochMillis::new(NOW);
        let admit = |gateway: &str| rates.admit(&gateway.parse().unwrap(), 50, 50, now);
        assert!(admit("frontstage/one") && admit("frontstage/other") && !admit("frontstage/one"));
    }
}
