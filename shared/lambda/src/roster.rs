//! Accounts and their secrets as a function holds them in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use app::chats::{ChatPlan, Plans};
use app::{AppError, Recipients};
use model::{Account, AccountId, Directory, EpochMillis, Platform};
use ports::{Clock, DirectoryStore, Secrets};
use serde_json::Value;
use tracing::warn;

/// Age at which the next request reads everything again: a rotated secret is in force everywhere within five minutes.
const REFRESH_AFTER: Duration = Duration::from_secs(4 * 60);

/// Age below which an unknown account is believed to be unknown: bounds what a stranger can make us read.
const UNKNOWN_RECHECK: Duration = Duration::from_secs(20);

/// Age up to which a snapshot serves on while it cannot be read again.
const STALE_LIMIT: Duration = Duration::from_secs(60 * 60);

/// Tenants, accounts and secrets at one instant.
#[derive(Clone)]
pub struct Snapshot {
    /// Tenants and accounts.
    pub directory: Directory,
    /// Secrets of the accounts of this function's platforms.
    pub secrets: SecretsOf,
    loaded_at: EpochMillis,
}

impl Snapshot {
    /// An account with its secrets, or those of its app, which is one of the same tenant. An account without secrets cannot
    /// prove anything and counts as absent.
    #[must_use]
    pub fn account(&self, id: &AccountId) -> Option<(&Account, &Value)> {
        let account = self.directory.accounts.get(id)?;
        let app = account.app();
        let is_own = self.directory.accounts.get(&app).is_some_and(|app| app.tenant == account.tenant);
        Some((account, self.secrets.get(&app).filter(|_| is_own)?))
    }
}

type SecretsOf = BTreeMap<AccountId, Value>;

/// The accounts of some platforms and their secrets.
///
/// Secrets are read during INIT, accounts by the first request; both again when they grow old.
pub struct Roster {
    store: Arc<dyn DirectoryStore>,
    secrets: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
    platforms: Vec<Platform>,
    held: Mutex<Option<Arc<Snapshot>>>,
    /// Secrets that were read ahead, and when.
    ahead: Mutex<Option<(SecretsOf, EpochMillis)>>,
    /// Held while reading: whoever comes meanwhile waits for the same answer.
    reading: tokio::sync::Mutex<()>,
}

impl Roster {
    /// A roster that has read nothing yet.
    #[must_use]
    pub fn new(
        store: Arc<dyn DirectoryStore>,
        secrets: Arc<dyn Secrets>,
        clock: Arc<dyn Clock>,
        platforms: Vec<Platform>,
    ) -> Self {
        Self {
            store,
            secrets,
            clock,
            platforms,
            held: Mutex::new(None),
            ahead: Mutex::new(None),
            reading: tokio::sync::Mutex::new(()),
        }
    }

    /// Takes secrets that were read ahead, for the first snapshot.
    pub(crate) fn hold_ahead(&self, secrets: SecretsOf, read_at: EpochMillis) {
        *lock(&self.ahead) = Some((secrets, read_at));
    }

    /// What is known now; read again first if it is too old.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] if nothing usable is held and nothing can be read.
    pub async fn current(&self) -> Result<Arc<Snapshot>, AppError> {
        self.not_older_than(REFRESH_AFTER).await
    }

    /// What is known now, after a fresh look if `id` is missing from it.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] if nothing usable is held and nothing can be read.
    pub async fn knowing(&self, id: &AccountId) -> Result<Arc<Snapshot>, AppError> {
        self.satisfying(&|snapshot| snapshot.account(id).is_some()).await
    }

    /// What is known now, after a fresh look if what is wanted is missing from it.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] if nothing usable is held and nothing can be read.
    pub async fn satisfying(&self, has_it: &(dyn Fn(&Snapshot) -> bool + Sync)) -> Result<Arc<Snapshot>, AppError> {
        let snapshot = self.current().await?;
        if has_it(&snapshot) { Ok(snapshot) } else { self.not_older_than(UNKNOWN_RECHECK).await }
    }

    /// What is known now, read this moment: for somebody who has proven who he is and names what is not known.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] if nothing usable is held and nothing can be read.
    pub async fn afresh(&self) -> Result<Arc<Snapshot>, AppError> {
        self.not_older_than(Duration::ZERO).await
    }

    async fn not_older_than(&self, age: Duration) -> Result<Arc<Snapshot>, AppError> {
        if let Some(snapshot) = self.held().filter(|s| self.clock.now().since(s.loaded_at) < age) {
            return Ok(snapshot);
        }
        let _reading = self.reading.lock().await;
        let (now, held) = (self.clock.now(), self.held());
        if let Some(snapshot) = held.as_ref().filter(|s| now.since(s.loaded_at) < age) {
            return Ok(snapshot.clone());
        }
        match self.load(now).await {
            Ok(snapshot) => {
                let snapshot = Arc::new(snapshot);
                *lock(&self.held) = Some(snapshot.clone());
                Ok(snapshot)
            }
            Err(error) => match held.filter(|s| now.since(s.loaded_at) < STALE_LIMIT) {
                Some(snapshot) => {
                    warn!(%error, "accounts could not be read again, the last known ones serve on");
                    Ok(snapshot)
                }
                None => Err(error),
            },
        }
    }

    fn held(&self) -> Option<Arc<Snapshot>> {
        lock(&self.held).clone()
    }

    async fn load(&self, now: EpochMillis) -> Result<Snapshot, AppError> {
        let ahead = lock(&self.ahead).take().filter(|(_, read_at)| now.since(*read_at) < REFRESH_AFTER);
        if let Some((secrets, read_at)) = ahead {
            return Ok(Snapshot { directory: self.store.directory().await?, secrets, loaded_at: read_at });
        }
        let (directory, secrets) =
            futures_util::future::try_join(async { Ok(self.store.directory().await?) }, self.read_secrets()).await?;
        Ok(Snapshot { directory, secrets, loaded_at: now })
    }

    async fn read_secrets(&self) -> Result<SecretsOf, AppError> {
        read_secrets(&*self.secrets, &self.platforms).await
    }
}

/// Reads the secrets of all accounts of some platforms.
pub(crate) async fn read_secrets(secrets: &dyn Secrets, platforms: &[Platform]) -> Result<SecretsOf, AppError> {
    let loads = platforms.iter().map(|platform| secrets.load(*platform));
    let secrets = futures_util::future::try_join_all(loads).await?;
    let of = |(platform, keys): (&Platform, BTreeMap<_, _>)| {
        let platform = *platform;
        keys.into_iter().map(move |(key, value)| (AccountId::new(platform, key), value))
    };
    Ok(platforms.iter().zip(secrets).flat_map(of).collect())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[async_trait::async_trait]
impl Recipients for Roster {
    async fn find(&self, account: &AccountId) -> Result<Option<(Account, Value)>, AppError> {
        let mut snapshot = self.current().await?;
        // It may have been configured since, as whoever stored the delivery knew, or its business may have connected. A delivery
        // that waits for that is looked at once in a minute or more rarely.
        if snapshot.account(account).is_none_or(|(account, _)| account.lacks_installation()) {
            snapshot = self.afresh().await?;
        }
        Ok(snapshot.account(account).map(|(account, secrets)| (account.clone(), secrets.clone())))
    }
}

/// Reads the plan of a gateway's chats at a desk, or, without one, at the desk of its new chats.
pub type ReadPlan = fn(&Directory, &AccountId, Option<&AccountId>) -> Option<ChatPlan>;

/// Plans of chats out of the accounts as they are held in memory.
pub struct RosterPlans {
    roster: Arc<Roster>,
    read: ReadPlan,
}

impl RosterPlans {
    /// Plans as the platform reads them.
    #[must_use]
    pub const fn new(roster: Arc<Roster>, read: ReadPlan) -> Self {
        Self { roster, read }
    }
}

#[async_trait::async_trait]
impl Plans for RosterPlans {
    async fn plan(&self, gateway: &AccountId) -> Result<Option<Arc<ChatPlan>>, AppError> {
        let is_known = |snapshot: &Snapshot| snapshot.directory.accounts.contains_key(gateway);
        let snapshot = self.roster.satisfying(&is_known).await?;
        Ok((self.read)(&snapshot.directory, gateway, None).map(Arc::new))
    }

    async fn plan_at(&self, gateway: &AccountId, desk: &AccountId) -> Result<Option<Arc<ChatPlan>>, AppError> {
        let is_known =
            |snapshot: &Snapshot| [gateway, desk].iter().all(|account| snapshot.directory.accounts.contains_key(*account));
        let snapshot = self.roster.satisfying(&is_known).await?;
        Ok((self.read)(&snapshot.directory, gateway, Some(desk)).map(Arc::new))
    }
}
