//! The contract of [`Grants`], as a suite that runs against any of them.
//!
//! Every case draws a name of its own, so that all of them can share one table.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use model::{EpochMillis, Grant, StoredGrant};
use ports::{Grants, Saved};

use crate::store_contract::{fresh, present};

/// Runs the whole suite.
pub async fn run(grants: Arc<dyn Grants>) {
    macro_rules! cases {
        ($($case:ident),* $(,)?) => {
            $(
                // Shown by the test runner only when the case fails.
                println!("grants contract: {}", stringify!($case));
                $case(Case::new(&grants)).await;
            )*
        };
    }
    cases![
        grant_that_never_was_is_none,
        grant_is_found_as_it_was_kept,
        what_is_kept_no_longer_is_gone,
        change_of_what_was_not_read_is_refused,
        right_to_renew_needs_what_was_read,
        right_to_renew_is_had_by_one,
        right_to_renew_ends_at_its_instant,
        right_to_renew_ends_with_the_change,
        right_to_renew_what_is_not_there_keeps_nothing,
        whoever_lost_the_right_may_still_keep_what_nobody_changed,
        of_a_hundred_who_would_renew_one_may,
        of_a_hundred_changes_of_the_same_one_is_stored,
        names_are_told_apart,
    ];
}

/// A grant of one case.
struct Case {
    grants: Arc<dyn Grants>,
    name: String,
    now: EpochMillis,
}

impl Case {
    fn new(grants: &Arc<dyn Grants>) -> Self {
        Self { grants: grants.clone(), name: format!("test:{}", fresh()), now: present() }
    }

    fn later(&self, seconds: u64) -> EpochMillis {
        self.now.plus(Duration::from_secs(seconds))
    }

    async fn read(&self) -> Option<StoredGrant> {
        self.grants.grant(&self.name).await.unwrap()
    }

    async fn keep(&self, rev: u64, sealed: &str) -> Saved {
        let grant = Grant { sealed: Some(sealed.to_owned()), ..Grant::default() };
        self.grants.keep_grant(&self.name, rev, &grant).await.unwrap()
    }

    /// Asks for the right at `at` seconds, for twenty seconds.
    async fn begin(&self, rev: u64, at: u64) -> Saved {
        self.grants.begin_renewal(&self.name, rev, self.later(at + 20), self.later(at)).await.unwrap()
    }
}

async fn grant_that_never_was_is_none(case: Case) {
    assert_eq!(case.read().await, None);
}

async fn grant_is_found_as_it_was_kept(case: Case) {
    let full =
        Grant { sealed: Some("sealed".to_owned()), expires_at: Some(case.later(3600)), refused: Some("because".to_owned()) };
    assert_eq!(case.grants.keep_grant(&case.name, 0, &full).await.unwrap(), Saved::Yes);
    let found = case.read().await.unwrap();
    assert_eq!((found.grant, found.rev), (full, 1));
    assert!(found.renewed_until <= case.now, "nobody renews it");
}

async fn what_is_kept_no_longer_is_gone(case: Case) {
    let full = Grant { sealed: Some("s".to_owned()), expires_at: Some(case.now), refused: Some("because".to_owned()) };
    case.grants.keep_grant(&case.name, 0, &full).await.unwrap();
    assert_eq!(case.grants.keep_grant(&case.name, 1, &Grant::default()).await.unwrap(), Saved::Yes);
    let found = case.read().await.unwrap();
    assert_eq!((found.grant, found.rev), (Grant { sealed: None, expires_at: None, refused: None }, 2));
}

async fn change_of_what_was_not_read_is_refused(case: Case) {
    assert_eq!(case.keep(1, "none").await, Saved::Conflict);
    assert_eq!(case.read().await, None, "nothing of it is stored");
    assert_eq!(case.keep(0, "first").await, Saved::Yes);
    assert_eq!(case.keep(0, "again").await, Saved::Conflict);
    assert_eq!(case.keep(1, "second").await, Saved::Yes);
    assert_eq!(case.keep(1, "late").await, Saved::Conflict);
    assert_eq!(case.read().await.unwrap().grant.sealed.as_deref(), Some("second"));
}

async fn right_to_renew_needs_what_was_read(case: Case) {
    assert_eq!(case.begin(1, 0).await, Saved::Conflict);
    case.keep(0, "first").await;
    assert_eq!(case.begin(0, 0).await, Saved::Conflict);
    assert_eq!(case.begin(2, 0).await, Saved::Conflict);
    assert_eq!(case.begin(1, 0).await, Saved::Yes);
}

async fn right_to_renew_is_had_by_one(case: Case) {
    case.keep(0, "first").await;
    assert_eq!(case.begin(1, 0).await, Saved::Yes);
    assert_eq!(case.begin(1, 1).await, Saved::Conflict);
    let found = case.read().await.unwrap();
    assert_eq!((found.rev, found.renewed_until), (1, case.later(20)));
    assert_eq!(found.grant.sealed.as_deref(), Some("first"), "it is what it was");
}

async fn right_to_renew_ends_at_its_instant(case: Case) {
    case.keep(0, "first").await;
    case.begin(1, 0).await;
    let before = EpochMillis::new(case.later(20).millis() - 1);
    let begin = async |now| case.grants.begin_renewal(&case.name, 1, case.later(60), now).await.unwrap();
    assert_eq!(begin(before).await, Saved::Conflict);
    assert_eq!(begin(case.later(20)).await, Saved::Yes);
}

async fn right_to_renew_ends_with_the_change(case: Case) {
    case.keep(0, "first").await;
    case.begin(1, 0).await;
    assert_eq!(case.keep(1, "second").await, Saved::Yes);
    assert_eq!(case.begin(1, 1).await, Saved::Conflict, "it was renewed");
    assert_eq!(case.begin(2, 1).await, Saved::Yes);
}

async fn right_to_renew_what_is_not_there_keeps_nothing(case: Case) {
    assert_eq!(case.begin(0, 0).await, Saved::Yes);
    let found = case.read().await.unwrap();
    assert_eq!(found, StoredGrant { grant: Grant::default(), rev: 0, renewed_until: case.later(20) });
    assert_eq!(case.begin(0, 1).await, Saved::Conflict);
    assert_eq!(case.keep(0, "first").await, Saved::Yes);
    assert_eq!(case.read().await.unwrap().rev, 1);
}

async fn whoever_lost_the_right_may_still_keep_what_nobody_changed(case: Case) {
    case.keep(0, "first").await;
    case.begin(1, 0).await;
    case.begin(1, 20).await;
    assert_eq!(case.keep(1, "of the slow one").await, Saved::Yes);
    assert_eq!(case.keep(1, "of the other").await, Saved::Conflict);
}

async fn of_a_hundred_who_would_renew_one_may(case: Case) {
    case.keep(0, "first").await;
    let all = join_all((0..100).map(|_| case.begin(1, 0))).await;
    assert_eq!(all.iter().filter(|saved| **saved == Saved::Yes).count(), 1);
}

async fn of_a_hundred_changes_of_the_same_one_is_stored(case: Case) {
    let all = join_all((0..100).map(|_| case.keep(0, "any"))).await;
    assert_eq!(all.iter().filter(|saved| **saved == Saved::Yes).count(), 1);
    assert_eq!(case.read().await.unwrap().rev, 1);
}

async fn names_are_told_apart(case: Case) {
    case.keep(0, "first").await;
    let other = Case { name: format!("{}-", case.name), grants: case.grants.clone(), now: case.now };
    assert_eq!(other.read().await, None);
    assert_eq!(other.begin(1, 0).await, Saved::Conflict);
}
