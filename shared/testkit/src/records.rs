//! Records in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use model::AccountId;
use ports::{PortError, Record, RecordChange, RecordKey, Records, Saved};

use crate::Faults;

type Held = BTreeMap<RecordKey, Record>;

/// Records in a map under one lock. It notes what it is asked for.
#[derive(Debug, Default)]
pub struct InMemoryRecords {
    held: Mutex<Held>,
    journal: Mutex<Vec<&'static str>>,
    faults: Faults,
}

impl InMemoryRecords {
    /// No records.
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

    /// Everything that is held.
    #[must_use]
    pub fn peek(&self) -> BTreeMap<RecordKey, Record> {
        self.held.lock().unwrap().clone()
    }

    fn apply<T>(&self, name: &'static str, operation: impl FnOnce(&mut Held) -> T) -> Result<T, PortError> {
        self.journal.lock().unwrap().push(name);
        self.faults.apply("records", || operation(&mut self.held.lock().unwrap()))
    }
}

#[async_trait]
impl Records for InMemoryRecords {
    async fn record(&self, key: &RecordKey) -> Result<Option<Record>, PortError> {
        self.apply("record", |held| held.get(key).cloned())
    }

    async fn records(&self, account: &AccountId, group: &str, kind: &'static str) -> Result<Vec<(String, Record)>, PortError> {
        let is_asked = |key: &RecordKey| key.account == *account && key.group == group && key.kind == kind;
        self.apply("records", |held| {
            held.iter().filter(|(key, _)| is_asked(key)).map(|(key, record)| (key.id.clone(), record.clone())).collect()
        })
    }

    async fn keep_records(&self, changes: &[RecordChange]) -> Result<Saved, PortError> {
        self.apply("keep_records", |held| {
            if changes.iter().any(|change| held.get(&change.key).map_or(0, |record| record.rev) != change.rev) {
                return Saved::Conflict;
            }
            for RecordChange { key, rev, body, ends_at } in changes {
                held.insert(key.clone(), Record { rev: rev + 1, body: body.clone(), ends_at: *ends_at });
            }
            Saved::Yes
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn records_in_memory_meet_the_contract() {
        crate::records_contract::run(Arc::new(InMemoryRecords::new())).await;
    }
}
