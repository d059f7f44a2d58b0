//! Calls to the table: batch reads, queries and transactions, each repeated where DynamoDB asks for it.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use aws::{Called, Service, call_token};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::batch_get_item::{BatchGetItem, BatchGetItemError, BatchGetItemInput, BatchGetItemOutput};
use aws_sdk_dynamodb::operation::batch_write_item::{
    BatchWriteItem, BatchWriteItemError, BatchWriteItemInput, BatchWriteItemOutput,
};
use aws_sdk_dynamodb::operation::get_item::{GetItem, GetItemError, GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::operation::query::builders::QueryInputBuilder;
use aws_sdk_dynamodb::operation::query::{Query, QueryError, QueryInput, QueryOutput};
use aws_sdk_dynamodb::operation::scan::{Scan, ScanError, ScanInput, ScanOutput};
use aws_sdk_dynamodb::operation::transact_write_items::{
    TransactWriteItems, TransactWriteItemsError, TransactWriteItemsInput, TransactWriteItemsOutput,
};
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, KeysAndAttributes, PutRequest, TransactWriteItem, WriteRequest};
use futures_util::future::try_join_all;
use model::EpochMillis;
use ports::PortError;

use crate::change::{Change, Made, number};
use crate::error::{failed, incomplete, unavailable};
use crate::items::attribute;
use crate::kept::Kept;
use crate::keys::{self, Item, Key, Range};

/// How often a transaction is tried that meets another one on the same item, and a batch that comes back unfinished.
const TRIES: u32 = 6;

/// First pause between two tries; it doubles, and up to as much again is added by chance so that two writers do not
/// meet again. All pauses together stay below half a second: the callers have platforms waiting.
const PAUSE: Duration = Duration::from_millis(8);

/// Keys of one batch (DynamoDB, "BatchGetItem").
const BATCH: usize = 100;

/// Writes of one batch (DynamoDB, "BatchWriteItem").
const WRITES: usize = 25;

/// Batches that are written at the same time.
const WRITERS: usize = 8;

/// The table and the service it is in.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) service: Service,
    pub(crate) name: String,
    /// How long what was said is kept.
    pub(crate) kept: Kept,
}

/// What a transaction says about one of its changes.
pub(crate) enum Verdict {
    /// Its condition holds.
    Holds,
    /// Its condition does not hold: the item as it is, if there is one.
    Refused(Option<Item>),
}

impl Verdict {
    /// Whether the condition does not hold.
    pub(crate) const fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// What became of a transaction.
pub(crate) enum Outcome {
    /// All changes are stored.
    Stored,
    /// None is: one verdict per change, in order.
    Cancelled(Vec<Verdict>),
}

impl Table {
    /// Makes all changes or none.
    ///
    /// Every call has a token, so that its own repetition after a lost answer counts as the same transaction (for ten
    /// minutes) and is told that it succeeded.
    pub(crate) async fn transact(&self, changes: Vec<Change>) -> Result<Outcome, PortError> {
        self.transact_made(&|| Ok(changes.clone())).await
    }

    /// As [`Self::transact`], with changes that are made again for each try: the call consumes them, and copying them for
    /// a second try that is hardly ever needed is a tenth of the call's CPU time.
    pub(crate) async fn transact_made(
        &self,
        changes: &(dyn Fn() -> Result<Vec<Change>, PortError> + Sync),
    ) -> Result<Outcome, PortError> {
        for attempt in 0..TRIES {
            if attempt > 0 {
                pause(attempt).await;
            }
            let members = changes()?.into_iter().map(|change| change.into_member(&self.name)).collect::<Result<_, _>>()?;
            if let Some(outcome) = self.try_transact(members).await? {
                return Ok(outcome);
            }
        }
        Err(PortError::Busy)
    }

    /// `None` when another transaction was under way on one of the items.
    async fn try_transact(&self, members: Vec<TransactWriteItem>) -> Result<Option<Outcome>, PortError> {
        let input = TransactWriteItemsInput::builder().set_transact_items(Some(members)).client_request_token(call_token());
        let input = input.build().map_err(|_| incomplete())?;
        let called: Called<TransactWriteItemsOutput, _> = self.service.call(TransactWriteItems::new(), input).await;
        let error: SdkError<TransactWriteItemsError, _> = match called {
            Ok(_) => return Ok(Some(Outcome::Stored)),
            Err(error) => error,
        };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
            return Err(failed(&error));
        };
        let mut verdicts = Vec::new();
        let mut is_contended = false;
        for reason in cancelled.cancellation_reasons() {
            match reason.code() {
                None | Some("None") => verdicts.push(Verdict::Holds),
                Some("ConditionalCheckFailed") => verdicts.push(Verdict::Refused(reason.item.clone().filter(|i| !i.is_empty()))),
                Some("TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded") => is_contended = true,
                Some(other) => return Err(unavailable(other)),
            }
        }
        // One refusal among conflicts is not the whole truth: a guard that has not been looked at may come first.
        Ok((!is_contended).then_some(Outcome::Cancelled(verdicts)))
    }

    /// Makes one change that does not need a transaction's token.
    pub(crate) async fn make(&self, change: Change) -> Result<Made, PortError> {
        change.make(&self.service, &self.name).await
    }

    /// One item, as it is at this moment.
    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Item>, PortError> {
        let input = GetItemInput::builder().table_name(&self.name).set_key(Some(key.to_attributes())).consistent_read(true);
        let input = input.build().map_err(|_| incomplete())?;
        let called: Called<GetItemOutput, GetItemError> = self.service.call(GetItem::new(), input).await;
        called.map(|answer| answer.item).map_err(|error| failed(&error))
    }

    /// Several items, as they are at this moment: one call for up to a hundred, unless DynamoDB leaves some out.
    pub(crate) async fn get_all(&self, keys: impl IntoIterator<Item = Key>) -> Result<Found, PortError> {
        self.get_batches(keys.into_iter().collect(), true).await
    }

    /// The same, as they were a moment ago: for half of what it costs.
    pub(crate) async fn get_all_eventually(&self, keys: impl IntoIterator<Item = Key>) -> Result<Found, PortError> {
        self.get_batches(keys.into_iter().collect(), false).await
    }

    async fn get_batches(&self, keys: Vec<Key>, is_consistent: bool) -> Result<Found, PortError> {
        let mut seen = HashSet::new();
        // A key may be named once only.
        let wanted: Vec<_> = keys.into_iter().filter(|key| seen.insert(key.clone())).collect();
        let mut found = HashMap::new();
        for batch in wanted.chunks(BATCH) {
            let mut open: Vec<_> = batch.iter().map(Key::to_attributes).collect();
            for attempt in 0..TRIES {
                if open.is_empty() {
                    break;
                }
                if attempt > 0 {
                    pause(attempt).await;
                }
                let request = KeysAndAttributes::builder().set_keys(Some(open)).consistent_read(is_consistent).build();
                let request = request.map_err(|_| incomplete())?;
                let input = BatchGetItemInput::builder().request_items(&self.name, request).build().map_err(|_| incomplete())?;
                let called: Called<BatchGetItemOutput, BatchGetItemError> = self.service.call(BatchGetItem::new(), input).await;
                let answer = called.map_err(|error| failed(&error))?;
                for item in answer.responses.into_iter().flat_map(HashMap::into_values).flatten() {
                    if let Some(key) = Key::of(&item) {
                        found.insert(key, item);
                    }
                }
                let rest = answer.unprocessed_keys.into_iter().flat_map(HashMap::into_values);
                open = rest.flat_map(|rest| rest.keys).collect();
            }
            if !open.is_empty() {
                return Err(unavailable("unprocessed keys"));
            }
        }
        Ok(Found(found))
    }

    /// Puts items, each by itself: whatever stands there is replaced. What is stored if it fails is not known.
    pub(crate) async fn put_all(&self, items: Vec<(Key, Item)>) -> Result<(), PortError> {
        let put = |(key, mut item): (Key, Item)| {
            item.extend(key.to_attributes());
            let put = PutRequest::builder().set_item(Some(item)).build().map_err(|_| incomplete())?;
            Ok(WriteRequest::builder().put_request(put).build())
        };
        self.write_all(items.into_iter().map(put).collect::<Result<_, PortError>>()?).await
    }

    /// Removes items, each by itself.
    pub(crate) async fn delete_all(&self, keys: Vec<Key>) -> Result<(), PortError> {
        let delete = |key: Key| {
            let delete = DeleteRequest::builder().set_key(Some(key.to_attributes())).build().map_err(|_| incomplete())?;
            Ok(WriteRequest::builder().delete_request(delete).build())
        };
        self.write_all(keys.into_iter().map(delete).collect::<Result<_, PortError>>()?).await
    }

    async fn write_all(&self, writes: Vec<WriteRequest>) -> Result<(), PortError> {
        for batches in writes.chunks(WRITES * WRITERS) {
            try_join_all(batches.chunks(WRITES).map(|batch| self.write_batch(batch.to_vec()))).await?;
        }
        Ok(())
    }

    async fn write_batch(&self, mut open: Vec<WriteRequest>) -> Result<(), PortError> {
        for attempt in 0..TRIES {
            if attempt > 0 {
                pause(attempt).await;
            }
            let input = BatchWriteItemInput::builder().request_items(&self.name, open).build().map_err(|_| incomplete())?;
            let called: Called<BatchWriteItemOutput, BatchWriteItemError> = self.service.call(BatchWriteItem::new(), input).await;
            let answer = called.map_err(|error| failed(&error))?;
            open = answer.unprocessed_items.into_iter().flat_map(HashMap::into_values).flatten().collect();
            if open.is_empty() {
                return Ok(());
            }
        }
        Err(unavailable("unprocessed items"))
    }

    /// One page of what a query of this table finds.
    async fn query(&self, query: QueryInputBuilder) -> Result<QueryOutput, PortError> {
        let input = query.table_name(&self.name).build().map_err(|_| incomplete())?;
        let called: Called<QueryOutput, QueryError> = self.service.call(Query::new(), input).await;
        called.map_err(|error| failed(&error))
    }

    /// All items of a partition, in the order of their keys.
    pub(crate) async fn partition(&self, pk: String) -> Result<Vec<Item>, PortError> {
        let mut items = Vec::new();
        let mut from = None;
        loop {
            let query = QueryInput::builder()
                .consistent_read(true)
                .key_condition_expression("#pk = :pk")
                .expression_attribute_names("#pk", keys::PK)
                .expression_attribute_values(":pk", AttributeValue::S(pk.clone()))
                .set_exclusive_start_key(from);
            let page = self.query(query).await?;
            items.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key.filter(|key| !key.is_empty());
            if from.is_none() {
                return Ok(items);
            }
        }
    }

    /// What stands in a range of a partition, in the order of the keys, at most `limit` items: one call. Where to go on is
    /// returned with it, unless the range ends there.
    pub(crate) async fn page(
        &self,
        range: &Range,
        limit: Option<usize>,
        from: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), PortError> {
        self.page_in_order(range, limit, from, true).await
    }

    /// The same from the end of the range.
    pub(crate) async fn page_from_end(
        &self,
        range: &Range,
        limit: usize,
        from: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), PortError> {
        self.page_in_order(range, Some(limit), from, false).await
    }

    async fn page_in_order(
        &self,
        range: &Range,
        limit: Option<usize>,
        from: Option<Item>,
        is_forward: bool,
    ) -> Result<(Vec<Item>, Option<Item>), PortError> {
        let query = QueryInput::builder()
            .consistent_read(true)
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last")
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_names("#sk", keys::SK)
            .expression_attribute_values(":pk", AttributeValue::S(range.pk.clone()))
            .expression_attribute_values(":first", AttributeValue::S(range.first.clone()))
            .expression_attribute_values(":last", AttributeValue::S(range.last.clone()))
            .scan_index_forward(is_forward)
            .set_limit(limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)))
            .set_exclusive_start_key(from);
        let page = self.query(query).await?;
        Ok((page.items.unwrap_or_default(), page.last_evaluated_key.filter(|key| !key.is_empty())))
    }

    /// All that stands in a range, at most `limit` items.
    pub(crate) async fn range(&self, range: &Range, limit: Option<usize>) -> Result<Vec<Item>, PortError> {
        let mut items = Vec::new();
        let mut from = None;
        loop {
            let (more, next) = self.page(range, limit.map(|limit| limit - items.len()), from).await?;
            items.extend(more);
            from = next;
            if from.is_none() || limit.is_some_and(|limit| items.len() >= limit) {
                return Ok(items);
            }
        }
    }

    /// The next page of everything, or of the items of these kinds only: one call. Where to go on is returned with it.
    pub(crate) async fn scan(&self, kinds: &[&str], from: Option<Item>) -> Result<(Vec<Item>, Option<Item>), PortError> {
        let mut request = ScanInput::builder().table_name(&self.name).consistent_read(true).set_exclusive_start_key(from);
        if !kinds.is_empty() {
            let names: Vec<_> = (0..kinds.len()).map(|number| format!(":k{number}")).collect();
            request = request.filter_expression(format!("#kind IN ({})", names.join(", ")));
            request = request.expression_attribute_names("#kind", attribute::ENTITY_TYPE);
            for (name, kind) in names.into_iter().zip(kinds) {
                request = request.expression_attribute_values(name, AttributeValue::S((*kind).to_owned()));
            }
        }
        let input = request.build().map_err(|_| incomplete())?;
        let called: Called<ScanOutput, ScanError> = self.service.call(Scan::new(), input).await;
        let page = called.map_err(|error| failed(&error))?;
        Ok((page.items.unwrap_or_default(), page.last_evaluated_key.filter(|key| !key.is_empty())))
    }

    /// What stands in one partition of the index of what is due up to `now`, oldest first.
    pub(crate) async fn due(&self, shard: String, now: EpochMillis, limit: usize) -> Result<Vec<Item>, PortError> {
        let mut items = Vec::new();
        let mut from = None;
        loop {
            let query = QueryInput::builder()
                .index_name(keys::DUE_INDEX)
                .key_condition_expression("#shard = :shard AND #at <= :now")
                .expression_attribute_names("#shard", keys::DUE_SHARD)
                .expression_attribute_names("#at", keys::DUE_AT)
                .expression_attribute_values(":shard", AttributeValue::S(shard.clone()))
                .expression_attribute_values(":now", number(now.millis()))
                .limit(i32::try_from(limit - items.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(from);
            let page = self.query(query).await?;
            items.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key.filter(|key| !key.is_empty());
            if from.is_none() || items.len() >= limit {
                return Ok(items);
            }
        }
    }
}

/// Items that were read together.
pub(crate) struct Found(HashMap<Key, Item>);

impl Found {
    /// The item at `key`, if there is one.
    pub(crate) fn item(&self, key: &Key) -> Option<Item> {
        self.0.get(key).cloned()
    }

    /// The item at `key`, where it is.
    pub(crate) fn get(&self, key: &Key) -> Option<&Item> {
        self.0.get(key)
    }

    /// Adds what was read elsewhere.
    pub(crate) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// All of them.
    pub(crate) fn into_items(self) -> impl Iterator<Item = Item> {
        self.0.into_values()
    }
}

#[cfg(test)]
impl From<Vec<(Key, Item)>> for Found {
    fn from(items: Vec<(Key, Item)>) -> Self {
        Self(items.into_iter().collect())
    }
}

async fn pause(attempt: u32) {
    let base = PAUSE * 2_u32.pow(attempt.saturating_sub(1));
    // The standard library's hasher is seeded at random: chance enough for a pause, and no state to hand around.
    let chance = RandomState::new().hash_one(attempt) & 0xFF;
    tokio::time::sleep(base + base.mul_f64(f64::from(u8::try_from(chance).unwrap_or_default()) / 255.0)).await;
}
