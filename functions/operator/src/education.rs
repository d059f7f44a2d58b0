//! `operator-education`: what users of a brand of cTrader learn (cTrader contract, section 5).

use std::collections::BTreeMap;
use std::sync::Arc;

use app::{AppError, Ctx};
use model::{AccountId, Platform};
use platform_ctrader::{Content, MAX_ITEMS};
use ports::{DirectoryStore, RecordChange, RecordKey, Records, Saved};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::refused;

/// Most pieces that one invocation changes: they and the list are one transaction.
const MOST_CHANGES: usize = 90;

/// The group of a brand's content, as the screens' function reads it.
const GROUP: &str = "education";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    account: AccountId,
    #[serde(default)]
    items: Vec<Value>,
    #[serde(default)]
    remove: Vec<String>,
}

/// What the function needs.
#[derive(Clone)]
pub struct EducationCtx {
    /// The accounts.
    pub directory: Ctx<dyn DirectoryStore>,
    /// Where content is.
    pub records: Arc<dyn Records>,
}

/// Publishes content of a brand, replaces what has the same id, and removes some: all of it or nothing. What is there and not
/// named stays, in its place in the list.
///
/// Input: `{"account":"ctrader/key","items":[{...}]?,"remove":["id"]?}`. Output:
/// `{"published":[id],"removed":[id],"items":[id]}`, the last being the list as it is now, or `{"error":{"code","message"}}`: `malformed`, `invalid`, `unknown` for an account that is
/// not configured, `conflict` if somebody else publishes at the same time. After an error nothing was changed.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down: the same input again does it.
pub async fn handle(ctx: EducationCtx, event: Value) -> Result<Value, AppError> {
    let Input { account, items, remove } = match serde_json::from_value(event) {
        Ok(input) => input,
        Err(error) => return Ok(refused("malformed", error)),
    };
    if items.len() + remove.len() > MOST_CHANGES {
        return Ok(refused("invalid", format_args!("more than {MOST_CHANGES} items at once")));
    }
    let items = match items.iter().map(Content::of).collect::<Result<Vec<_>, _>>() {
        Ok(items) => items,
        Err(why) => return Ok(refused("invalid", why)),
    };
    let directory = ctx.directory.store.directory().await?;
    if !directory.accounts.contains_key(&account) {
        return Ok(refused("unknown", format_args!("{account} is not configured")));
    }
    if account.platform() != Platform::Ctrader {
        return Ok(refused("invalid", format_args!("{account} is no brand of cTrader")));
    }
    let key = |kind, id: &str| RecordKey { account: account.clone(), group: GROUP.to_owned(), kind, id: id.to_owned() };
    let index = ctx.records.record(&key("content_index", "")).await?;
    let revs: BTreeMap<_, _> = ctx.records.records(&account, GROUP, "content").await?.into_iter().collect();
    let rev = |id: &str| revs.get(id).map_or(0, |record| record.rev);
    let mut list: Vec<Value> = match &index {
        None => Vec::new(),
        Some(record) => {
            let index: Value =
                serde_json::from_str(&record.body).map_err(|_| AppError::Internal("a list of content that cannot be read"))?;
            index.get("items").and_then(Value::as_array).cloned().unwrap_or_default()
        }
    };
    let now = ctx.directory.clock.now();
    let mut changes = Vec::new();
    for id in &remove {
        let Some(place) = list.iter().position(|listed| listed["id"] == **id) else {
            return Ok(refused("invalid", format_args!("remove: {id} is not published")));
        };
        list.remove(place);
        changes.push(RecordChange { key: key("content", id), rev: rev(id), body: "{}".to_owned(), ends_at: Some(now) });
    }
    for item in &items {
        if changes.iter().any(|change| change.key.id == item.id) {
            return Ok(refused("invalid", format_args!("items.{}: is there twice, or removed too", item.id)));
        }
        match list.iter_mut().find(|listed| listed["id"] == *item.id) {
            Some(listed) => *listed = item.listed(),
            None => list.push(item.listed()),
        }
        let body = serde_json::to_string(item).map_err(|_| AppError::Internal("content that cannot be written"))?;
        changes.push(RecordChange { key: key("content", &item.id), rev: rev(&item.id), body, ends_at: None });
    }
    if list.len() > MAX_ITEMS {
        return Ok(refused("invalid", format_args!("more than {MAX_ITEMS} items")));
    }
    let ids: Vec<_> = list.iter().filter_map(|listed| listed["id"].as_str().map(str::to_owned)).collect();
    if let Some(item) = items.iter().find(|item| item.next.as_ref().is_some_and(|next| !ids.contains(next))) {
        return Ok(refused("invalid", format_args!("items.{}: next: is not published", item.id)));
    }
    let body = json!({ "items": list }).to_string();
    changes.push(RecordChange { key: key("content_index", ""), rev: index.map_or(0, |index| index.rev), body, ends_at: None });
    match ctx.records.keep_records(&changes).await? {
        Saved::Yes => {
            let published: Vec<_> = items.iter().map(|item| &item.id).collect();
            Ok(json!({"published": published, "removed": remove, "items": ids}))
        }
        Saved::Conflict => Ok(refused("conflict", "somebody else publishes at the same time")),
    }
}
