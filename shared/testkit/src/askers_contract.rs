//! The contract of [`Askers`], as a suite that runs against any of them.
//!
//! Every case draws a gateway of its own, so that all of them can share one table.

use std::sync::Arc;

use model::AccountId;
use ports::{AskedRegister, Asker, Askers, Saved};

use crate::store_contract::fresh;

/// Runs the whole suite.
pub async fn run(askers: Arc<dyn Askers>) {
    macro_rules! cases {
        ($($case:ident),* $(,)?) => {
            $(
                // Shown by the test runner only when the case fails.
                println!("askers contract: {}", stringify!($case));
                $case(&*askers, format!("frontstage/a-{}", &fresh()[..20]).parse().unwrap()).await;
            )*
        };
    }
    cases![
        gateway_that_never_asked_is_nobody,
        questions_are_found_as_they_were_kept,
        change_needs_the_rev_that_was_read,
        concurrent_changes_have_one_winner,
        all_are_found_by_their_ids,
    ];
}

fn asking(gateway: &AccountId, rev: u64, asked: &[(&str, Option<&str>)]) -> Asker {
    let asked = asked
        .iter()
        .map(|(question, told)| AskedRegister { question: (*question).to_owned(), told: told.map(str::to_owned) })
        .collect();
    Asker { gateway: gateway.clone(), rev, asked }
}

async fn gateway_that_never_asked_is_nobody(askers: &dyn Askers, gateway: AccountId) {
    assert_eq!(askers.asker(&gateway).await.unwrap(), None);
    assert!(askers.askers().await.unwrap().iter().all(|asker| asker.gateway != gateway));
}

async fn questions_are_found_as_they_were_kept(askers: &dyn Askers, gateway: AccountId) {
    let first = asking(&gateway, 0, &[("b", Some("f-1")), ("a", None)]);
    assert_eq!(askers.keep_asker(&first).await.unwrap(), Saved::Yes);
    let kept = asking(&gateway, 1, &[("b", Some("f-1")), ("a", None)]);
    assert_eq!(askers.asker(&gateway).await.unwrap(), Some(kept.clone()));
    let next = asking(&gateway, 1, &[("a", Some("f-2"))]);
    assert_eq!(askers.keep_asker(&next).await.unwrap(), Saved::Yes);
    assert_eq!(askers.asker(&gateway).await.unwrap(), Some(Asker { rev: 2, ..next }));
}

async fn change_needs_the_rev_that_was_read(askers: &dyn Askers, gateway: AccountId) {
    assert_eq!(askers.keep_asker(&asking(&gateway, 1, &[])).await.unwrap(), Saved::Conflict);
    assert_eq!(askers.keep_asker(&asking(&gateway, 0, &[("a", None)])).await.unwrap(), Saved::Yes);
    for rev in [0, 2] {
        assert_eq!(askers.keep_asker(&asking(&gateway, rev, &[])).await.unwrap(), Saved::Conflict, "{rev}");
    }
    assert_eq!(askers.asker(&gateway).await.unwrap(), Some(asking(&gateway, 1, &[("a", None)])));
}

async fn concurrent_changes_have_one_winner(askers: &dyn Askers, gateway: AccountId) {
    let (one, other) = (asking(&gateway, 0, &[("a", None)]), asking(&gateway, 0, &[("b", None)]));
    let (one, other) = tokio::join!(askers.keep_asker(&one), askers.keep_asker(&other));
    let mut saved = [one.unwrap(), other.unwrap()];
    saved.sort_by_key(|saved| *saved == Saved::Conflict);
    assert_eq!(saved, [Saved::Yes, Saved::Conflict]);
}

async fn all_are_found_by_their_ids(askers: &dyn Askers, gateway: AccountId) {
    let ids: [AccountId; 2] = ["b", "a"].map(|end| format!("{gateway}-{end}").parse().unwrap());
    for id in &ids {
        assert_eq!(askers.keep_asker(&asking(id, 0, &[("a", None)])).await.unwrap(), Saved::Yes);
    }
    let all = askers.askers().await.unwrap();
    let own: Vec<_> = all.iter().filter(|asker| ids.contains(&asker.gateway)).collect();
    assert_eq!(own, [&asking(&ids[1], 1, &[("a", None)]), &asking(&ids[0], 1, &[("a", None)])]);
}
