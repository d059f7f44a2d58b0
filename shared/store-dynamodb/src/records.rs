//! Records that belong to no conversation.

use async_trait::async_trait;
use model::{AccountId, EpochMillis};
use ports::{PortError, Record, RecordChange, RecordKey, Records, Saved};
use serde::{Deserialize, Serialize};

use crate::DynamoStore;
use crate::change::{Change, number};
use crate::items::{Entity, attribute, clean_up_at, corrupt, from_item, value};
use crate::keys::{self, Key, Range};
use crate::store::{mark, saved};
use crate::table::Outcome;

/// A record.
#[derive(Serialize, Deserialize)]
struct RecordItem {
    rev: u64,
    body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends_at: Option<EpochMillis>,
}

impl Entity for RecordItem {
    const TYPE: &'static str = "record";
}

impl From<RecordItem> for Record {
    fn from(RecordItem { rev, body, ends_at }: RecordItem) -> Self {
        Self { rev, body, ends_at }
    }
}

fn written(change: &RecordChange) -> Result<Change, PortError> {
    let RecordChange { key, rev, body, ends_at } = change;
    let mut update = Change::update(Key::record(key));
    mark::<RecordItem>(&mut update);
    update.set(attribute::REV, number(rev.saturating_add(1)));
    update.set(attribute::BODY, value(body)?);
    update.assign(attribute::ENDS_AT, ends_at.map(value).transpose()?);
    update.assign(attribute::EXPIRES_AT, ends_at.map(|end| number(clean_up_at(end))));
    Ok(update.if_is(attribute::REV, (*rev > 0).then(|| number(*rev))))
}

#[async_trait]
impl Records for DynamoStore {
    async fn record(&self, key: &RecordKey) -> Result<Option<Record>, PortError> {
        let item = self.table.get(&Key::record(key)).await?;
        Ok(item.map(from_item::<RecordItem>).transpose()?.map(Record::from))
    }

    async fn records(&self, account: &AccountId, group: &str, kind: &'static str) -> Result<Vec<(String, Record)>, PortError> {
        let items = self.table.range(&Range::records(account, group, kind), None).await?;
        let read = |item: keys::Item| {
            let id = item.get(keys::SK).and_then(|sk| sk.as_s().ok()).and_then(|sk| keys::record_id(kind, sk));
            let id = id.ok_or_else(|| corrupt(RecordItem::TYPE, "has no id"))?;
            Ok((id, from_item::<RecordItem>(item)?.into()))
        };
        items.into_iter().map(read).collect()
    }

    async fn keep_records(&self, changes: &[RecordChange]) -> Result<Saved, PortError> {
        let mut updates = changes.iter().map(written).collect::<Result<Vec<_>, _>>()?;
        match (updates.pop(), updates.is_empty()) {
            (None, _) => Ok(Saved::Yes),
            (Some(update), true) => Ok(saved(&self.table.make(update).await?)),
            (Some(update), false) => {
                updates.push(update);
                Ok(match self.table.transact(updates).await? {
                    Outcome::Stored => Saved::Yes,
                    Outcome::Cancelled(_) => Saved::Conflict,
                })
            }
        }
    }
}
