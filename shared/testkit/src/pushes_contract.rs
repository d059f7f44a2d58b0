//! The contract of [`PushStates`], as a suite that runs against any of them.
//!
//! Every case draws a gateway of its own, so that all of them can share one table.

use std::sync::Arc;
use std::time::Duration;

use model::{AccountId, EpochMillis};
use ports::{Chats, PushClaim, PushFailing, PushLease, PushNext, PushState, PushStates, Saved, StreamKey};

use crate::store_contract::{fresh, present};

/// Runs the whole suite. Both are the same store.
pub async fn run(chats: Arc<dyn Chats>, pushes: Arc<dyn PushStates>) {
    macro_rules! cases {
        ($($case:ident),* $(,)?) => {
            $(
                // Shown by the test runner only when the case fails.
                println!("pushes contract: {}", stringify!($case));
                $case(Case::new(&chats, &pushes)).await;
            )*
        };
    }
    cases![
        stream_in_which_nothing_was_told_has_no_lease,
        numbers_of_both_kinds_are_one_sequence,
        stream_is_due_from_the_first_number_on,
        only_one_has_the_lease,
        lease_ends_by_itself,
        state_is_found_as_it_was_kept,
        who_lost_the_lease_keeps_nothing,
        nobody_pushes_before_the_rest_is_over,
        done_is_done_only_with_the_last_number,
        stream_that_is_done_is_due_again_with_the_next_number,
        due_time_is_moved_by_one_of_two,
        concurrent_claims_have_one_winner,
    ];
}

/// A gateway of one case.
struct Case {
    chats: Arc<dyn Chats>,
    pushes: Arc<dyn PushStates>,
    gateway: AccountId,
    now: EpochMillis,
}

impl Case {
    fn new(chats: &Arc<dyn Chats>, pushes: &Arc<dyn PushStates>) -> Self {
        let gateway = format!("frontstage/p-{}", &fresh()[..20]).parse().unwrap();
        Self { chats: chats.clone(), pushes: pushes.clone(), gateway, now: present() }
    }

    fn later(&self, seconds: u64) -> EpochMillis {
        self.now.plus(Duration::from_secs(seconds))
    }

    async fn reserve_pushed(&self, due_in: u64) -> u64 {
        self.chats.reserve_pushed(&self.gateway, 1, self.now, self.later(due_in)).await.unwrap()
    }

    async fn claim(&self, holder: &str, at: u64) -> Option<PushClaim> {
        let lease = PushLease { holder: holder.to_owned(), until: self.later(at + 60), due_at: self.later(at + 75) };
        self.pushes.claim(&self.gateway, &lease, self.later(at)).await.unwrap()
    }

    async fn keep(&self, holder: &str, cursor: u64, next: PushNext) -> Saved {
        let state = PushState { cursor, ..PushState::default() };
        self.pushes.keep(&self.gateway, holder, &state, next).await.unwrap()
    }

    /// When its stream is due, as it is found a day later.
    async fn due(&self) -> Option<EpochMillis> {
        let due = self.pushes.pushes_due(self.later(86_400), 1000).await.unwrap();
        due.into_iter().find(|(gateway, _)| *gateway == self.gateway).map(|(_, at)| at)
    }
}

async fn stream_in_which_nothing_was_told_has_no_lease(case: Case) {
    assert_eq!(case.claim("a", 0).await, None);
    assert_eq!(case.keep("a", 1, PushNext::Hold).await, Saved::Conflict);
    assert_eq!(case.due().await, None);
}

async fn numbers_of_both_kinds_are_one_sequence(case: Case) {
    assert_eq!(case.reserve_pushed(15).await, 1);
    let stream = StreamKey::Gateway(case.gateway.clone());
    assert_eq!(case.chats.reserve(&stream, 2, case.now).await.unwrap(), 2);
    assert_eq!(case.reserve_pushed(15).await, 4);
    let claim = case.claim("a", 0).await.unwrap();
    assert_eq!(claim, PushClaim { state: PushState::default(), last: 4, reserved_at: case.now });
}

async fn stream_is_due_from_the_first_number_on(case: Case) {
    let stream = StreamKey::Gateway(case.gateway.clone());
    case.chats.reserve(&stream, 1, case.now).await.unwrap();
    assert_eq!(case.due().await, None, "what is delivered otherwise");
    case.reserve_pushed(15).await;
    case.reserve_pushed(99).await;
    assert_eq!(case.due().await, Some(case.later(15)));
    assert!(case.pushes.pushes_due(case.later(14), 1000).await.unwrap().iter().all(|(gateway, _)| *gateway != case.gateway));
    assert_eq!(case.pushes.pushes_due(case.later(86_400), 0).await.unwrap(), []);
}

async fn only_one_has_the_lease(case: Case) {
    case.reserve_pushed(15).await;
    assert!(case.claim("a", 0).await.is_some());
    assert_eq!(case.due().await, Some(case.later(75)), "nobody is sent there meanwhile");
    assert_eq!(case.claim("b", 1).await, None);
    assert!(case.claim("a", 1).await.is_some(), "its holder takes it anew");
    assert_eq!(case.due().await, Some(case.later(76)));
}

async fn lease_ends_by_itself(case: Case) {
    case.reserve_pushed(15).await;
    assert!(case.claim("a", 0).await.is_some());
    assert_eq!(case.claim("b", 59).await, None);
    assert!(case.claim("b", 60).await.is_some());
}

async fn state_is_found_as_it_was_kept(case: Case) {
    case.reserve_pushed(15).await;
    case.claim("a", 0).await.unwrap();
    let failing = Some(PushFailing { since: case.now, count: 3 });
    let full = PushState { cursor: 1, failing, given_up: Some("5e1f".to_owned()) };
    for state in [full, PushState { cursor: 1, ..PushState::default() }] {
        assert_eq!(case.pushes.keep(&case.gateway, "a", &state, PushNext::Hold).await.unwrap(), Saved::Yes);
        assert_eq!(case.claim("a", 1).await.unwrap().state, state);
    }
}

async fn who_lost_the_lease_keeps_nothing(case: Case) {
    case.reserve_pushed(15).await;
    case.claim("a", 0).await.unwrap();
    case.claim("b", 60).await.unwrap();
    for next in [PushNext::Hold, PushNext::Done { last: None }] {
        assert_eq!(case.keep("a", 1, next).await, Saved::Conflict);
    }
    assert_eq!(case.keep("b", 0, PushNext::Hold).await, Saved::Yes);
    assert_eq!(case.claim("b", 61).await.unwrap().state, PushState::default());
}

async fn nobody_pushes_before_the_rest_is_over(case: Case) {
    case.reserve_pushed(15).await;
    case.claim("a", 0).await.unwrap();
    let rest = PushNext::Rest { until: case.later(4), due_at: case.later(19) };
    assert_eq!(case.keep("a", 0, rest).await, Saved::Yes);
    assert_eq!(case.due().await, Some(case.later(19)));
    assert_eq!(case.claim("b", 3).await, None);
    assert!(case.claim("b", 4).await.is_some());
}

async fn done_is_done_only_with_the_last_number(case: Case) {
    case.reserve_pushed(15).await;
    case.claim("a", 0).await.unwrap();
    case.reserve_pushed(15).await;
    assert_eq!(case.keep("a", 1, PushNext::Done { last: Some(1) }).await, Saved::Conflict);
    assert_eq!(case.claim("a", 0).await.unwrap().state.cursor, 0, "nothing of it is stored");
    assert_eq!(case.due().await, Some(case.later(75)));
    assert_eq!(case.keep("a", 2, PushNext::Done { last: Some(2) }).await, Saved::Yes);
    assert_eq!(case.due().await, None);
    assert_eq!(case.claim("b", 1).await.unwrap().state.cursor, 2, "the lease is free at once");
}

async fn stream_that_is_done_is_due_again_with_the_next_number(case: Case) {
    case.reserve_pushed(15).await;
    case.claim("a", 0).await.unwrap();
    assert_eq!(case.keep("a", 0, PushNext::Done { last: None }).await, Saved::Yes);
    case.reserve_pushed(20).await;
    assert_eq!(case.due().await, Some(case.later(20)));
}

async fn due_time_is_moved_by_one_of_two(case: Case) {
    case.reserve_pushed(15).await;
    let moved = async |to| case.pushes.postpone_push(&case.gateway, case.later(15), case.later(to)).await.unwrap();
    assert_eq!((moved(80).await, moved(90).await), (Saved::Yes, Saved::Conflict));
    assert_eq!(case.due().await, Some(case.later(80)));
}

async fn concurrent_claims_have_one_winner(case: Case) {
    case.reserve_pushed(15).await;
    let (a, b, c) = tokio::join!(case.claim("a", 0), case.claim("b", 0), case.claim("c", 0));
    assert_eq!([a, b, c].iter().flatten().count(), 1);
}
