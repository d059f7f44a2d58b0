//! What platforms granted us: one item for each grant, changed on its `rev`.
//!
//! Both writes are updates, not transactions: of a hundred who would renew at the same time, ninety-nine are refused at once,
//! where transactions would meet each other and be repeated. The SDK's own repetition after a lost answer is refused too; its
//! caller then looks again and finds its own token, or waits for the end of its own right.

use async_trait::async_trait;
use model::{EpochMillis, Grant, StoredGrant};
use ports::{Grants, PortError, Saved};
use serde::{Deserialize, Serialize};

use crate::DynamoStore;
use crate::change::{Change, number};
use crate::items::{Entity, attribute, from_item, value};
use crate::keys::Key;
use crate::store::{mark, saved};

/// A grant. Nothing in it is readable but its ends: the tokens are sealed, and the name is a hash.
#[derive(Serialize, Deserialize)]
pub(crate) struct GrantItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
    /// Not `expires_at`: the table's clean-up reads that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    usable_until: Option<EpochMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// Not there as long as nothing was kept.
    #[serde(default)]
    rev: u64,
    /// Until when somebody renews it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease_until: Option<EpochMillis>,
}

impl Entity for GrantItem {
    const TYPE: &'static str = "grant";
}

impl From<GrantItem> for StoredGrant {
    fn from(item: GrantItem) -> Self {
        Self {
            grant: Grant { sealed: item.sealed, expires_at: item.usable_until, refused: item.refused },
            rev: item.rev,
            renewed_until: item.lease_until.unwrap_or(EpochMillis::new(0)),
        }
    }
}

#[async_trait]
impl Grants for DynamoStore {
    async fn grant(&self, name: &str) -> Result<Option<StoredGrant>, PortError> {
        let item = self.table.get(&Key::grant(name)).await?;
        item.map(|item| from_item::<GrantItem>(item).map(Into::into)).transpose()
    }

    async fn begin_renewal(&self, name: &str, rev: u64, until: EpochMillis, now: EpochMillis) -> Result<Saved, PortError> {
        let mut change = Change::update(Key::grant(name));
        mark::<GrantItem>(&mut change);
        change.set(attribute::LEASE_UNTIL, value(until)?);
        Ok(saved(&self.table.make(if_at(change, rev).if_free(value(now)?)).await?))
    }

    async fn keep_grant(&self, name: &str, rev: u64, grant: &Grant) -> Result<Saved, PortError> {
        let mut change = Change::update(Key::grant(name));
        mark::<GrantItem>(&mut change);
        change.assign(attribute::SEALED, grant.sealed.as_ref().map(value).transpose()?);
        change.assign(attribute::USABLE_UNTIL, grant.expires_at.map(value).transpose()?);
        change.assign(attribute::REFUSED, grant.refused.as_ref().map(value).transpose()?);
        change.set(attribute::REV, number(rev.saturating_add(1)));
        change.remove(attribute::LEASE_UNTIL);
        Ok(saved(&self.table.make(if_at(change, rev)).await?))
    }
}

fn if_at(change: Change, rev: u64) -> Change {
    change.if_is(attribute::REV, (rev > 0).then(|| number(rev)))
}
