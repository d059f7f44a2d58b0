//! The contract of consents and installations as a suite that runs against any store of them.

use std::sync::Arc;
use std::time::Duration;

use model::{Account, AccountId, EpochMillis, EventKey, InstallPhase, Installed, RemoteStatus, Tenant};
use ports::{Consent, ConsentEnd, Installs, Saved, StatusStore};
use serde_json::json;

use crate::store_contract::{fresh, present};

/// Runs the whole suite. `installs` and `statuses` are over the same data.
pub async fn run(installs: Arc<dyn Installs>, statuses: Arc<dyn StatusStore>) {
    let case = Case { installs, statuses, now: present(), account: format!("vcita/{}", fresh()).parse().unwrap() };
    consent_is_taken_once_by_its_browser_in_time(&case).await;
    what_is_installed_changes_only_from_what_was_seen_and_survives_configuring(&case).await;
    adopted_installation_keeps_what_was_heard_of_it(&case).await;
    event_that_happened_is_known_until_its_end(&case).await;
}

struct Case {
    installs: Arc<dyn Installs>,
    statuses: Arc<dyn StatusStore>,
    now: EpochMillis,
    account: AccountId,
}

async fn consent_is_taken_once_by_its_browser_in_time(case: &Case) {
    let end = async |name: &str, browser: &str, seconds| {
        let now = case.now.plus(Duration::from_secs(seconds));
        case.installs.end_consent(&case.account, name, browser, now).await.unwrap()
    };
    let consent = Consent {
        business: "b-1".to_owned(),
        verifier: "v".to_owned(),
        browser: "browser".to_owned(),
        valid_until: case.now.plus(Duration::from_secs(600)),
    };
    case.installs.begin_consent(&case.account, "s-1", &consent).await.unwrap();
    assert!(case.installs.begin_consent(&case.account, "s-1", &consent).await.is_err(), "a name is used once");
    assert_eq!(end("s-2", "browser", 0).await, ConsentEnd::Unknown);
    assert_eq!(end("s-1", "other", 0).await, ConsentEnd::OtherBrowser);
    assert_eq!(end("s-1", "browser", 600).await, ConsentEnd::Expired);
    let both = tokio::join!(end("s-1", "browser", 599), end("s-1", "browser", 599));
    assert!(
        [(ConsentEnd::Taken(consent.clone()), ConsentEnd::Unknown), (ConsentEnd::Unknown, ConsentEnd::Taken(consent))]
            .contains(&both),
        "{both:?}"
    );
}

async fn what_is_installed_changes_only_from_what_was_seen_and_survives_configuring(case: &Case) {
    let claim = Installed { id: None, phase: InstallPhase::Claimed, since: case.now };
    let made = Installed { id: Some("c-1".to_owned()), phase: InstallPhase::Pending, since: case.now };
    let replace = async |from: Option<&Installed>, to: Option<&Installed>| {
        case.installs.replace_installed(&case.account, from, to).await.unwrap()
    };
    assert_eq!(replace(None, Some(&claim)).await, Saved::Conflict, "the account is not configured");
    let tenant = Tenant { id: fresh().parse().unwrap(), routes: Vec::new() };
    let account = Account {
        id: case.account.clone(),
        tenant: tenant.id.clone(),
        salt: "s".to_owned(),
        settings: json!({}),
        installed: None,
    };
    case.installs.configure(&tenant, std::slice::from_ref(&account)).await.unwrap();
    assert_eq!(replace(Some(&claim), Some(&made)).await, Saved::Conflict);
    assert_eq!(replace(None, Some(&claim)).await, Saved::Yes);
    assert_eq!(replace(None, Some(&claim)).await, Saved::Conflict);
    assert_eq!(replace(Some(&claim), Some(&made)).await, Saved::Yes);
    case.installs.configure(&tenant, std::slice::from_ref(&account)).await.unwrap();
    let found = case.installs.directory().await.unwrap();
    assert_eq!(found.accounts.get(&case.account), Some(&Account { installed: Some(made.clone()), ..account.clone() }));
    assert_eq!(replace(Some(&made), None).await, Saved::Yes);
    assert_eq!(case.installs.directory().await.unwrap().accounts.get(&case.account), Some(&account));
}

async fn adopted_installation_keeps_what_was_heard_of_it(case: &Case) {
    let later = case.now.plus(Duration::from_secs(3600));
    let adopt =
        async |id: &str| case.installs.adopt_installation(&case.account, id, RemoteStatus::Pending, case.now).await.unwrap();
    let seen = async |id: &str, now| case.installs.installation(&case.account, id, now).await.unwrap();
    assert_eq!(seen("c-1", case.now).await, None);
    assert_eq!(adopt("c-1").await, RemoteStatus::Pending);
    let keep = Some(Duration::from_secs(900));
    case.statuses.note_installation(&case.account, "c-2", RemoteStatus::Active, case.now, keep).await.unwrap();
    assert_eq!((seen("c-2", case.now).await, seen("c-2", later).await), (Some(RemoteStatus::Active), None));
    assert_eq!(adopt("c-2").await, RemoteStatus::Active);
    assert_eq!(seen("c-2", later).await, Some(RemoteStatus::Active), "it does not expire any more");
}

async fn event_that_happened_is_known_until_its_end(case: &Case) {
    let name = EventKey::new("event", ["hash"]);
    let end = case.now.plus(Duration::from_secs(60));
    let known = async |now| case.installs.has_happened(&case.account, &name, now).await.unwrap();
    assert!(!known(case.now).await);
    case.installs.note_happened(&case.account, &name, end).await.unwrap();
    assert!(known(case.now).await);
    assert!(!known(end).await);
}
