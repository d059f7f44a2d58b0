//! Secrets in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use model::{AccountId, Platform, Slug};
use ports::{PortError, Secrets};
use serde_json::Value;

use crate::{Fault, Faults};

/// Secrets by account, as the test put them there.
#[derive(Debug, Default)]
pub struct InMemorySecrets {
    values: Mutex<BTreeMap<AccountId, Value>>,
    loads: Mutex<u32>,
    faults: Faults,
}

impl InMemorySecrets {
    /// No secrets yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the secrets of an account.
    pub fn set(&self, account: &AccountId, value: Value) {
        self.values.lock().unwrap().insert(account.clone(), value);
    }

    /// Takes the secrets of an account away.
    pub fn remove(&self, account: &AccountId) {
        self.values.lock().unwrap().remove(account);
    }

    /// The next `n` loads fail.
    pub fn fail_next(&self, n: usize) {
        self.faults.next(n, Fault::Refused);
    }

    /// How often they were loaded, a failed time included.
    #[must_use]
    pub fn loads(&self) -> u32 {
        *self.loads.lock().unwrap()
    }
}

#[async_trait]
impl Secrets for InMemorySecrets {
    async fn load(&self, platform: Platform) -> Result<BTreeMap<Slug, Value>, PortError> {
        *self.loads.lock().unwrap() += 1;
        self.faults.apply("secrets", || {
            let values = self.values.lock().unwrap();
            values.iter().filter(|(id, _)| id.platform() == platform).map(|(id, v)| (id.key().clone(), v.clone())).collect()
        })
    }
}
