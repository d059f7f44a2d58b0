//! The contract of [`Paces`], as a suite that runs against any of them.
//!
//! Every case draws a key of its own, so that all of them can share one table.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use model::EpochMillis;
use ports::{Paces, Pass, Standing};

use crate::store_contract::{fresh, present};

/// The most that a reservation may lie ahead in these cases.
const HORIZON: Duration = Duration::from_millis(1500);

/// Runs the whole suite. `open` makes one more process that shares the same paces.
pub async fn run(open: &dyn Fn() -> Arc<dyn Paces>) {
    macro_rules! cases {
        ($($case:ident),* $(,)?) => {
            $(
                // Shown by the test runner only when the case fails.
                println!("paces contract: {}", stringify!($case));
                $case(Case::new(open)).await;
            )*
        };
    }
    cases![
        idle_pace_is_free_at_once,
        instants_are_157_ms_apart_at_8_a_second,
        slack_of_an_idle_pace_makes_the_next_instant_later,
        processes_share_the_instants,
        who_asks_while_all_is_taken_is_told_when_to_ask_again,
        longer_horizon_goes_before_those_who_ask_again,
        keys_do_not_wait_for_each_other,
        concurrent_reservations_have_different_instants,
        refusal_makes_everybody_wait_as_long_as_wished,
        refusal_without_a_wish_waits_ever_longer,
        shorter_wish_does_not_end_a_longer_pause,
        fifth_failure_in_a_row_stops_all_calls_for_30_seconds,
        after_the_break_one_call_probes,
        failed_probe_stops_all_calls_again,
        success_is_news_after_a_failure_and_ends_the_row,
        late_failures_do_not_stop_the_calls_again,
    ];
}

/// A pace of one case, and two processes that use it.
struct Case {
    one: Arc<dyn Paces>,
    two: Arc<dyn Paces>,
    key: String,
    now: EpochMillis,
}

fn at(at: EpochMillis, standing: Standing) -> Pass {
    // A probe has all the time in which the others wait for it.
    let latest = at.plus(if standing == Standing::Probe { Duration::from_secs(10) } else { Duration::from_millis(50) });
    Pass::At { at, latest, standing }
}

impl Case {
    fn new(open: &dyn Fn() -> Arc<dyn Paces>) -> Self {
        Self { one: open(), two: open(), key: fresh(), now: present() }
    }

    fn after(&self, millis: u64) -> EpochMillis {
        self.now.plus(Duration::from_millis(millis))
    }

    async fn reserve(&self, millis: u64) -> Pass {
        self.one.reserve(&self.key, 8, self.after(millis), HORIZON, Duration::ZERO).await.unwrap()
    }

    async fn reserve_elsewhere(&self, millis: u64) -> Pass {
        self.two.reserve(&self.key, 8, self.after(millis), HORIZON, Duration::ZERO).await.unwrap()
    }

    fn well(&self, millis: u64) -> Pass {
        at(self.after(millis), Standing::Well)
    }

    fn busy(&self, millis: u64) -> Pass {
        Pass::Busy { until: self.after(millis) }
    }

    async fn fail(&self, times: u32, millis: u64) -> Option<EpochMillis> {
        let mut stopped = None;
        for _ in 0..times {
            stopped = self.one.failed(&self.key, Standing::Well, self.after(millis)).await.unwrap();
        }
        stopped
    }
}

async fn idle_pace_is_free_at_once(case: Case) {
    assert_eq!(case.reserve(0).await, case.well(0));
    assert_eq!(case.reserve(157).await, case.well(157));
    assert_eq!(case.reserve(60_000).await, case.well(60_000));
}

async fn instants_are_157_ms_apart_at_8_a_second(case: Case) {
    for expected in [0, 157, 314, 471] {
        assert_eq!(case.reserve(0).await, case.well(expected));
    }
    assert_eq!(case.reserve(472).await, case.well(628));
}

async fn slack_of_an_idle_pace_makes_the_next_instant_later(case: Case) {
    let slack = Duration::from_millis(300);
    let first = case.one.reserve(&case.key, 8, case.now, HORIZON, slack).await.unwrap();
    assert_eq!(first, Pass::At { at: case.now, latest: case.after(350), standing: Standing::Well });
    let second = case.two.reserve(&case.key, 8, case.now, HORIZON, slack).await.unwrap();
    assert_eq!(second, Pass::At { at: case.after(457), latest: case.after(507), standing: Standing::Well });
    assert_eq!(case.reserve(0).await, case.well(614));
}

async fn processes_share_the_instants(case: Case) {
    assert_eq!(case.reserve(0).await, case.well(0));
    assert_eq!(case.reserve_elsewhere(0).await, case.well(157));
    assert_eq!(case.reserve(10).await, case.well(314));
    assert_eq!(case.reserve_elsewhere(1000).await, case.well(1000));
    assert_eq!(case.reserve(1001).await, case.well(1157));
}

async fn who_asks_while_all_is_taken_is_told_when_to_ask_again(case: Case) {
    for number in 0..=9 {
        assert_eq!(case.reserve(0).await, case.well(number * 157));
    }
    // The next free instant is after 1570 ms.
    assert_eq!(case.reserve(0).await, case.busy(70));
    assert_eq!(case.reserve_elsewhere(69).await, case.busy(70));
    assert_eq!(case.reserve_elsewhere(70).await, case.well(1570));
}

async fn longer_horizon_goes_before_those_who_ask_again(case: Case) {
    for _ in 0..=9 {
        case.reserve(0).await;
    }
    let long = case.one.reserve(&case.key, 8, case.now, Duration::from_secs(10), Duration::ZERO).await.unwrap();
    assert_eq!(long, case.well(1570));
    assert_eq!(case.reserve_elsewhere(70).await, case.busy(227));
}

async fn keys_do_not_wait_for_each_other(case: Case) {
    for _ in 0..=11 {
        case.reserve(0).await;
    }
    let other = format!("{}-other", case.key);
    assert_eq!(case.one.reserve(&other, 8, case.now, HORIZON, Duration::ZERO).await.unwrap(), case.well(0));
}

async fn concurrent_reservations_have_different_instants(case: Case) {
    let all = (0..8).map(|number| {
        let paces = if number % 2 == 0 { &case.one } else { &case.two };
        paces.reserve(&case.key, 8, case.now, HORIZON, Duration::ZERO)
    });
    let mut instants = Vec::new();
    for pass in join_all(all).await {
        match pass.unwrap() {
            Pass::At { at, .. } => instants.push(at),
            // Others were faster each time.
            Pass::Busy { .. } => {}
        }
    }
    instants.sort_unstable();
    assert!(instants.len() > 1 && instants[0] == case.now, "{instants:?}");
    assert!(instants.windows(2).all(|two| two[1].since(two[0]) >= Duration::from_millis(157)), "{instants:?}");
}

async fn refusal_makes_everybody_wait_as_long_as_wished(case: Case) {
    case.one.slow(&case.key, Some(Duration::from_secs(7)), case.now).await.unwrap();
    assert_eq!(case.reserve_elsewhere(6999).await, case.busy(7000));
    assert_eq!(case.reserve_elsewhere(7000).await, at(case.after(7000), Standing::Troubled));
    case.one.slow(&case.key, Some(Duration::from_secs(3600)), case.after(8000)).await.unwrap();
    assert_eq!(case.reserve(8000).await, case.busy(68_000));
}

async fn refusal_without_a_wish_waits_ever_longer(case: Case) {
    let mut now = 0;
    for pause in [1000, 2000, 4000] {
        case.one.slow(&case.key, None, case.after(now)).await.unwrap();
        assert_eq!(case.reserve(now).await, case.busy(now + pause));
        now += pause;
    }
    case.one.recovered(&case.key).await.unwrap();
    case.one.slow(&case.key, None, case.after(now)).await.unwrap();
    assert_eq!(case.reserve(now).await, case.busy(now + 1000));
}

async fn shorter_wish_does_not_end_a_longer_pause(case: Case) {
    case.one.slow(&case.key, Some(Duration::from_secs(9)), case.now).await.unwrap();
    case.two.slow(&case.key, Some(Duration::from_secs(1)), case.now).await.unwrap();
    assert_eq!(case.reserve(0).await, case.busy(9000));
}

async fn fifth_failure_in_a_row_stops_all_calls_for_30_seconds(case: Case) {
    assert_eq!(case.fail(4, 0).await, None);
    assert_eq!(case.reserve_elsewhere(0).await, at(case.now, Standing::Troubled));
    assert_eq!(case.fail(1, 500).await, Some(case.after(30_500)));
    assert_eq!(case.reserve_elsewhere(500).await, case.busy(30_500));
    assert_eq!(case.reserve(30_499).await, case.busy(30_500));
}

async fn after_the_break_one_call_probes(case: Case) {
    case.fail(5, 0).await;
    assert_eq!(case.reserve(30_000).await, at(case.after(30_000), Standing::Probe));
    assert_eq!(case.reserve_elsewhere(30_001).await, case.busy(40_000));
    case.one.recovered(&case.key).await.unwrap();
    assert_eq!(case.reserve_elsewhere(30_200).await, case.well(30_200));
}

async fn failed_probe_stops_all_calls_again(case: Case) {
    case.fail(5, 0).await;
    assert_eq!(case.reserve(30_000).await, at(case.after(30_000), Standing::Probe));
    let stopped = case.one.failed(&case.key, Standing::Probe, case.after(31_000)).await.unwrap();
    assert_eq!(stopped, Some(case.after(61_000)));
    assert_eq!(case.reserve_elsewhere(60_999).await, case.busy(61_000));
    // A probe of which nobody heard again makes way for another one.
    assert_eq!(case.reserve_elsewhere(61_000).await, at(case.after(61_000), Standing::Probe));
    assert_eq!(case.reserve(71_000).await, at(case.after(71_000), Standing::Probe));
}

async fn success_is_news_after_a_failure_and_ends_the_row(case: Case) {
    case.fail(4, 0).await;
    assert_eq!(case.reserve(0).await, at(case.now, Standing::Troubled));
    case.one.recovered(&case.key).await.unwrap();
    assert_eq!(case.reserve(1000).await, case.well(1000));
    assert_eq!(case.fail(4, 1000).await, None);
    assert_eq!(case.fail(1, 1000).await, Some(case.after(31_000)));
}

async fn late_failures_do_not_stop_the_calls_again(case: Case) {
    case.fail(5, 0).await;
    assert_eq!(case.fail(3, 2000).await, None);
    assert_eq!(case.reserve(2000).await, case.busy(30_000));
}
