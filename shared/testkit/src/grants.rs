//! Grants in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use model::{EpochMillis, Grant, StoredGrant};
use ports::{Grants, PortError, Saved};
use wire::{GrantSeen, GrantStep};

use crate::Faults;

type Held = BTreeMap<String, StoredGrant>;

/// Grants in a map under one lock. It notes what it is asked for.
#[derive(Debug, Default)]
pub struct InMemoryGrants {
    held: Mutex<Held>,
    journal: Mutex<Vec<&'static str>>,
    faults: Faults,
}

impl InMemoryGrants {
    /// No grants.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What goes wrong.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The names of the operations since the last time they were taken, refused ones included.
    pub fn operations(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.journal.lock().unwrap())
    }

    /// Everything that is held, by name.
    #[must_use]
    pub fn peek(&self) -> BTreeMap<String, StoredGrant> {
        self.held.lock().unwrap().clone()
    }

    /// Does at once what an exchange wants, without faults.
    pub fn see(&self, wanted: GrantStep, now: EpochMillis) -> GrantSeen {
        let mut held = self.held.lock().unwrap();
        let mut journal = self.journal.lock().unwrap();
        match wanted {
            GrantStep::Read { name } => {
                journal.push("grant");
                GrantSeen::Read(held.get(&name).cloned())
            }
            GrantStep::BeginRenewal { name, rev, until } => {
                journal.push("begin_renewal");
                GrantSeen::Begun(begin(&mut held, &name, rev, until, now) == Saved::Yes)
            }
            GrantStep::Keep { name, rev, grant } => {
                journal.push("keep_grant");
                GrantSeen::Kept(keep(&mut held, &name, rev, &grant) == Saved::Yes)
            }
        }
    }

    fn apply<T>(&self, name: &'static str, operation: impl FnOnce(&mut Held) -> T) -> Result<T, PortError> {
        self.journal.lock().unwrap().push(name);
        self.faults.apply("grants", || operation(&mut self.held.lock().unwrap()))
    }
}

/// A grant of which nothing is known.
fn nothing() -> StoredGrant {
    StoredGrant { grant: Grant::default(), rev: 0, renewed_until: EpochMillis::new(0) }
}

fn begin(held: &mut Held, name: &str, rev: u64, until: EpochMillis, now: EpochMillis) -> Saved {
    let mut grant = held.get(name).cloned().unwrap_or_else(nothing);
    if grant.rev != rev || grant.renewed_until > now {
        return Saved::Conflict;
    }
    grant.renewed_until = until;
    held.insert(name.to_owned(), grant);
    Saved::Yes
}

fn keep(held: &mut Held, name: &str, rev: u64, grant: &Grant) -> Saved {
    if held.get(name).map_or(0, |grant| grant.rev) != rev {
        return Saved::Conflict;
    }
    held.insert(name.to_owned(), StoredGrant { grant: grant.clone(), rev: rev + 1, ..nothing() });
    Saved::Yes
}

#[async_trait]
impl Grants for InMemoryGrants {
    async fn grant(&self, name: &str) -> Result<Option<StoredGrant>, PortError> {
        self.apply("grant", |held| held.get(name).cloned())
    }

    async fn begin_renewal(&self, name: &str, rev: u64, until: EpochMillis, now: EpochMillis) -> Result<Saved, PortError> {
        self.apply("begin_renewal", |held| begin(held, name, rev, until, now))
    }

    async fn keep_grant(&self, name: &str, rev: u64, grant: &Grant) -> Result<Saved, PortError> {
        self.apply("keep_grant", |held| keep(held, name, rev, grant))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn grants_in_memory_meet_the_contract() {
        crate::grants_contract::run(Arc::new(InMemoryGrants::new())).await;
    }
}
