//! Filled-in forms, and the lists in which they stand: items, writes, and the reading of lists.

use async_trait::async_trait;
use chat::{ChatId, FormAnswer, FormId, ResultId};
use model::{AccountId, EpochMillis, Memo};
use ports::{ListedResult, PortError, ResultChange, ResultList, ResultPage, ResultPlace, ResultTask, Results, StoredResult};
use serde::{Deserialize, Serialize};

use crate::DynamoChats;
use crate::change::{Change, number};
use crate::items::{Entity, attribute, clean_up_at, corrupt, from_item, to_item};
use crate::keys::{Key, Range};

/// Answers and memo above this are refused: an item holds 400 KB (DynamoDB, "Quotas": item size).
const LONGEST_RESULT: usize = 380_000;

/// A filled-in form. Answers and memo are one text: nobody asks for a part of them.
#[derive(Serialize, Deserialize)]
pub(crate) struct ResultItem {
    result: ResultId,
    account: AccountId,
    form: FormId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chat: Option<ChatId>,
    /// JSON text.
    body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    callback_list: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workflow: Option<String>,
    filled_at: EpochMillis,
    saved_at: EpochMillis,
    rev: u64,
    valid_until: EpochMillis,
    expires_at: i64,
}

impl Entity for ResultItem {
    const TYPE: &'static str = "result";
}

/// The text of a result.
#[derive(Serialize, Deserialize)]
struct Body {
    answers: Vec<FormAnswer>,
    memo: Memo,
}

impl TryFrom<&StoredResult> for ResultItem {
    type Error = PortError;

    fn try_from(from: &StoredResult) -> Result<Self, PortError> {
        let body = Body { answers: from.answers.clone(), memo: from.memo.clone() };
        let body = serde_json::to_string(&body).map_err(|_| corrupt(Self::TYPE, "cannot be written"))?;
        if body.len() > LONGEST_RESULT {
            return Err(PortError::TooLarge { limit: LONGEST_RESULT });
        }
        let (callback_list, workflow) = match &from.task {
            None => (None, None),
            Some(ResultTask::Callback { list }) => (Some(list.clone()), None),
            Some(ResultTask::Workflow { workflow }) => (None, Some(workflow.clone())),
        };
        Ok(Self {
            result: from.id.clone(),
            account: from.gateway.clone(),
            form: from.form.clone(),
            chat: from.chat,
            body,
            callback_list,
            workflow,
            filled_at: from.filled_at,
            saved_at: from.saved_at,
            rev: from.rev,
            valid_until: from.kept_until,
            expires_at: clean_up_at(from.kept_until),
        })
    }
}

impl TryFrom<ResultItem> for StoredResult {
    type Error = PortError;

    fn try_from(item: ResultItem) -> Result<Self, PortError> {
        // The message of a serde error may repeat what it read.
        let body: Body = serde_json::from_str(&item.body).map_err(|_| corrupt(ResultItem::TYPE, "its body does not fit"))?;
        let callback = item.callback_list.map(|list| ResultTask::Callback { list });
        Ok(Self {
            id: item.result,
            gateway: item.account,
            form: item.form,
            chat: item.chat,
            answers: body.answers,
            memo: body.memo,
            task: callback.or_else(|| item.workflow.map(|workflow| ResultTask::Workflow { workflow })),
            filled_at: item.filled_at,
            saved_at: item.saved_at,
            kept_until: item.valid_until,
            rev: item.rev,
        })
    }
}

/// The place of a result in a list.
#[derive(Serialize, Deserialize)]
struct ListedItem {
    result: ResultId,
    saved_at: EpochMillis,
    expires_at: i64,
}

impl Entity for ListedItem {
    const TYPE: &'static str = "listed_result";
}

/// The write of a result, on the condition that it is at the `rev` that was read.
pub(crate) fn result_put(change: &ResultChange, now: EpochMillis) -> Result<Change, PortError> {
    let result = &change.result;
    let put = Change::put(Key::result(&result.gateway, &result.id), to_item(&ResultItem::try_from(result)?)?);
    Ok(match change.expected_rev {
        None => put.if_absent_or_expired(now),
        Some(rev) => put.if_is(attribute::REV, Some(number(rev))),
    })
}

/// Its places in the lists. No two writes have the same: a change has another time, or the same one says the same.
pub(crate) fn result_marks(result: &StoredResult) -> Result<Vec<Change>, PortError> {
    let place = ResultPlace { at: result.saved_at, id: result.id.clone() };
    let expires_at = clean_up_at(result.kept_until);
    let item = to_item(&ListedItem { result: result.id.clone(), saved_at: result.saved_at, expires_at })?;
    Ok(ResultList::of(result).iter().map(|list| Change::put(Key::listed(list, &place), item.clone())).collect())
}

#[async_trait]
impl Results for DynamoChats {
    async fn list(
        &self,
        list: &ResultList,
        since: EpochMillis,
        after: Option<&ResultPlace>,
        max: usize,
        now: EpochMillis,
    ) -> Result<ResultPage, PortError> {
        if max == 0 {
            return Ok(ResultPage { results: Vec::new(), next: after.cloned() });
        }
        // One place more tells whether there is more.
        let mut items = self.table.range(&Range::listed(list, since, after), Some(max + 1)).await?;
        let has_more = items.len() > max;
        items.truncate(max);
        let places: Vec<ListedItem> = items.into_iter().map(from_item).collect::<Result<_, _>>()?;
        let keys: Vec<_> = places.iter().map(|place| Key::result(list.gateway(), &place.result)).collect();
        let found = self.table.get_all(keys.iter().cloned()).await?;
        let mut results = Vec::with_capacity(keys.len());
        for (place, key) in places.iter().zip(&keys) {
            let Some(item) = found.item(key) else { continue };
            let result = StoredResult::try_from(from_item::<ResultItem>(item)?)?;
            let place = ResultPlace { at: place.saved_at, id: place.result.clone() };
            results.extend(Some(ListedResult { place, result }).filter(|listed| listed.result.kept_until > now));
        }
        let next = places.into_iter().next_back().filter(|_| has_more);
        Ok(ResultPage { results, next: next.map(|place| ResultPlace { at: place.saved_at, id: place.result }) })
    }
}
