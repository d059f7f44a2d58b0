//! The contract of [`Records`], as a suite that runs against any of them.
//!
//! Every case draws a group of its own, so that all of them can share one table.

use std::sync::Arc;

use futures_util::future::join_all;
use model::{AccountId, EpochMillis};
use ports::{Record, RecordChange, RecordKey, Records, Saved};

use crate::store_contract::fresh;

/// Runs the whole suite.
pub async fn run(records: Arc<dyn Records>) {
    macro_rules! cases {
        ($($case:ident),* $(,)?) => {
            $(
                // Shown by the test runner only when the case fails.
                println!("records contract: {}", stringify!($case));
                $case(Case { records: records.clone(), group: fresh() }).await;
            )*
        };
    }
    cases![
        record_that_never_was_is_none,
        record_is_found_as_it_was_kept,
        record_whose_end_has_passed_is_still_found,
        change_of_what_was_not_read_is_refused,
        several_changes_are_made_or_none,
        no_change_is_stored_at_once,
        records_of_a_kind_are_listed_by_their_ids,
        keys_with_separators_are_told_apart,
        of_fifty_who_use_up_the_same_record_one_does,
    ];
}

struct Case {
    records: Arc<dyn Records>,
    group: String,
}

impl Case {
    fn key(&self, kind: &'static str, id: &str) -> RecordKey {
        RecordKey { account: account("brand"), group: self.group.clone(), kind, id: id.to_owned() }
    }

    fn change(&self, id: &str, rev: u64, body: &str) -> RecordChange {
        RecordChange { key: self.key("token", id), rev, body: body.to_owned(), ends_at: None }
    }

    async fn keep(&self, changes: &[RecordChange]) -> Saved {
        self.records.keep_records(changes).await.unwrap()
    }

    async fn read(&self, id: &str) -> Option<(u64, String)> {
        let found = self.records.record(&self.key("token", id)).await.unwrap();
        found.map(|record| (record.rev, record.body))
    }
}

fn account(key: &str) -> AccountId {
    format!("ctrader/{key}").parse().unwrap()
}

async fn record_that_never_was_is_none(case: Case) {
    assert_eq!(case.read("a").await, None);
    assert_eq!(case.records.records(&account("brand"), &case.group, "token").await.unwrap(), []);
}

async fn record_is_found_as_it_was_kept(case: Case) {
    let body = "{\"name\":\"Zoë \\\"Z\\\" 😀\"}";
    let ends_at = Some(EpochMillis::new(4_000_000_000_000));
    let change = RecordChange { ends_at, ..case.change("a", 0, body) };
    assert_eq!(case.keep(std::slice::from_ref(&change)).await, Saved::Yes);
    let found = case.records.record(&change.key).await.unwrap();
    assert_eq!(found, Some(Record { rev: 1, body: body.to_owned(), ends_at }));
    assert_eq!(case.keep(&[case.change("a", 1, "b")]).await, Saved::Yes);
    let found = case.records.record(&change.key).await.unwrap();
    assert_eq!(found, Some(Record { rev: 2, body: "b".to_owned(), ends_at: None }));
}

async fn record_whose_end_has_passed_is_still_found(case: Case) {
    // Whoever reads a token has to tell one that is over from one that never was.
    let over = EpochMillis::new(crate::store_contract::present().millis() - 1);
    let change = RecordChange { ends_at: Some(over), ..case.change("a", 0, "over") };
    case.keep(&[change]).await;
    assert_eq!(case.read("a").await, Some((1, "over".to_owned())));
}

async fn change_of_what_was_not_read_is_refused(case: Case) {
    assert_eq!(case.keep(&[case.change("a", 1, "none")]).await, Saved::Conflict);
    assert_eq!(case.read("a").await, None, "nothing of it is stored");
    assert_eq!(case.keep(&[case.change("a", 0, "first")]).await, Saved::Yes);
    assert_eq!(case.keep(&[case.change("a", 0, "again")]).await, Saved::Conflict);
    assert_eq!(case.keep(&[case.change("a", 1, "second")]).await, Saved::Yes);
    assert_eq!(case.keep(&[case.change("a", 1, "late")]).await, Saved::Conflict);
    assert_eq!(case.read("a").await, Some((2, "second".to_owned())));
}

async fn several_changes_are_made_or_none(case: Case) {
    assert_eq!(case.keep(&[case.change("a", 0, "a"), case.change("b", 0, "b")]).await, Saved::Yes);
    assert_eq!(case.keep(&[case.change("c", 0, "c"), case.change("a", 0, "late")]).await, Saved::Conflict);
    assert_eq!(case.read("c").await, None);
    assert_eq!(case.keep(&[case.change("a", 1, "a2"), case.change("b", 1, "b2")]).await, Saved::Yes);
    assert_eq!((case.read("a").await, case.read("b").await), (Some((2, "a2".to_owned())), Some((2, "b2".to_owned()))));
}

async fn no_change_is_stored_at_once(case: Case) {
    assert_eq!(case.keep(&[]).await, Saved::Yes);
}

async fn records_of_a_kind_are_listed_by_their_ids(case: Case) {
    for id in ["b", "a", "~", "é", ""] {
        case.keep(&[case.change(id, 0, id)]).await;
    }
    let other = RecordChange { key: case.key("tokens", "x"), ..case.change("x", 0, "another kind") };
    case.keep(&[other]).await;
    let listed = case.records.records(&account("brand"), &case.group, "token").await.unwrap();
    let mut ids: Vec<_> = listed.iter().map(|(id, record)| (id.as_str(), record.body.as_str(), record.rev)).collect();
    ids.sort_unstable();
    assert_eq!(ids, [("", "", 1), ("a", "a", 1), ("b", "b", 1), ("~", "~", 1), ("é", "é", 1)]);
}

async fn keys_with_separators_are_told_apart(case: Case) {
    let hashed = RecordKey { group: format!("{}#token", case.group), ..case.key("token", "a") };
    let other = RecordKey { account: account("other"), ..case.key("token", "a") };
    for (key, body) in
        [(case.key("token", "a"), "one"), (hashed.clone(), "two"), (case.key("token", "a#b"), "three"), (other, "4")]
    {
        let change = RecordChange { key, rev: 0, body: body.to_owned(), ends_at: None };
        assert_eq!(case.keep(&[change]).await, Saved::Yes, "{body}");
    }
    assert_eq!(case.read("a").await, Some((1, "one".to_owned())));
    assert_eq!(case.records.record(&hashed).await.unwrap().unwrap().body, "two");
}

async fn of_fifty_who_use_up_the_same_record_one_does(case: Case) {
    case.keep(&[case.change("a", 0, "unused")]).await;
    let used = join_all((0..50).map(|by| {
        let change = case.change("a", 1, &format!("used by {by}"));
        let records = case.records.clone();
        async move { records.keep_records(&[change]).await.unwrap() }
    }));
    assert_eq!(used.await.into_iter().filter(|saved| *saved == Saved::Yes).count(), 1);
    assert_eq!(case.read("a").await.unwrap().0, 2);
}
