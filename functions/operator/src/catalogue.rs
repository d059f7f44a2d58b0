//! `operator-catalogue`: replaces the catalogue of products of a site of iAdvize (iAdvize contract, section 6).
//!
//! An invocation holds 6 MB, so a catalogue comes in parts. Readers see it when it is published, whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::catalogue::{Category, MAX_PRODUCTS, Product, RowProblem, Tree};
use app::{AppError, Ctx};
use lambda::{Metric, Metrics};
use model::{AccountId, Platform};
use ports::{CatalogueLoader, CatalogueState, DirectoryStore, Edition, Load, PartOutcome, PublishOutcome};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::refused;

/// Rows that are named in an answer at most.
const MOST_NAMED: usize = 100;

/// Items that are removed at once, and how often that is done in one invocation.
const REMOVED: usize = 1_000;
const ROUNDS: usize = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    account: AccountId,
    action: Action,
    version: Option<String>,
    digest: Option<String>,
    categories: Option<Vec<Value>>,
    part: Option<u32>,
    products: Option<Vec<Value>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Begin,
    Part,
    Publish,
    Abort,
    Status,
    Clean,
}

/// What the function needs.
#[derive(Clone)]
pub struct CatalogueCtx {
    /// The accounts.
    pub directory: Ctx<dyn DirectoryStore>,
    /// Where catalogues are.
    pub loader: Arc<dyn CatalogueLoader>,
    /// Whether addresses may be plain http: local stacks only.
    pub takes_http: bool,
    /// Name of the function, for metrics.
    pub function: String,
}

/// Does one step of a load. Each may be repeated.
///
/// Input: `{"action","account"}` and
/// - `begin`: `"digest"`, what is loaded, so that the same goes on where it was; `"categories":[{"line"?,"id","parent"?,"label"}]`
/// - `part`: `"version"`, `"part"` (0, 1, ...), `"products":[{"line"?,"id","title",...}]`
/// - `publish`, `abort`: `"version"`
/// - `status`, `clean` (removes what nobody sees any more)
///
/// Output: the load or the catalogue as it is, with `"dropped_rows":[{"line","message"}]` of a part; or `{"error":{"code","message",
/// "rows"?}}`: `malformed`, `unknown` for an account that is not configured, `invalid` with the rows that are wrong, `no_load`,
/// `out_of_order` with the number of the part that is next. After an error nothing was changed.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down: the same input again does it.
pub async fn handle(ctx: CatalogueCtx, event: Value) -> Result<Value, AppError> {
    let input: Input = match serde_json::from_value(event) {
        Ok(input) => input,
        Err(error) => return Ok(refused("malformed", error)),
    };
    let account = input.account.clone();
    let directory = ctx.directory.store.directory().await?;
    if account.platform() != Platform::Iadvize {
        return Ok(refused("invalid", format_args!("{account} is no site of iAdvize")));
    }
    if !directory.accounts.contains_key(&account) {
        return Ok(refused("unknown", format_args!("{account} is not configured")));
    }
    let Input { action, version, digest, categories, part, products, .. } = input;
    let missing = |member| Ok(refused("malformed", format_args!("{member} is missing")));
    match (action, version) {
        (Action::Begin, _) => match (digest, categories) {
            (Some(digest), Some(categories)) => begin(&ctx, &account, &digest, &categories).await,
            (None, _) => missing("digest"),
            (_, None) => missing("categories"),
        },
        (Action::Status, _) => Ok(told(&ctx.loader.catalogue_state(&account).await?)),
        (Action::Clean, _) => {
            for _ in 0..ROUNDS {
                if ctx.loader.clear_leftovers(&account, REMOVED).await? {
                    return Ok(json!({"clean": true}));
                }
            }
            Ok(json!({"clean": false}))
        }
        (Action::Part | Action::Publish | Action::Abort, None) => missing("version"),
        (Action::Part, Some(version)) => match (part, products) {
            (Some(part), Some(products)) => add(&ctx, &account, &version, part, &products).await,
            (None, _) => missing("part"),
            (_, None) => missing("products"),
        },
        (Action::Publish, Some(version)) => publish(&ctx, &account, &version).await,
        (Action::Abort, Some(version)) => {
            let was_there = ctx.loader.abort_load(&account, &version).await?;
            Ok(if was_there { json!({"aborted": version}) } else { no_load() })
        }
    }
}

async fn begin(ctx: &CatalogueCtx, account: &AccountId, digest: &str, rows: &[Value]) -> Result<Value, AppError> {
    if digest.is_empty() || digest.len() > 100 {
        return Ok(refused("invalid", "digest must have 1 to 100 characters"));
    }
    let (mut categories, mut wrong) = (Vec::new(), Vec::new());
    for (line, row) in rows.iter().map(numbered) {
        match Category::of(&row) {
            Ok(category) => categories.push(category),
            Err(why) => wrong.push((line, why)),
        }
    }
    if !wrong.is_empty() {
        return Ok(wrong_rows(&wrong));
    }
    let tree = match Tree::of(categories) {
        Ok(tree) => tree,
        Err((place, why)) => return Ok(wrong_rows(&[(rows.get(place).and_then(|row| numbered(row).0), why)])),
    };
    let (version, now) = (ctx.directory.dice.token(), ctx.directory.clock.now());
    Ok(told_load(&ctx.loader.begin_load(account, &version, digest, &tree, now).await?))
}

async fn add(ctx: &CatalogueCtx, account: &AccountId, version: &str, part: u32, rows: &[Value]) -> Result<Value, AppError> {
    let (mut products, mut dropped, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    let mut lines = BTreeMap::new();
    for (line, row) in rows.iter().map(numbered) {
        match Product::of(&row, ctx.takes_http) {
            Ok(product) => {
                if lines.insert(product.id, line).is_some() {
                    wrong.push((line, "another product has this id".to_owned()));
                }
                products.push(product);
            }
            Err(RowProblem::Dropped(why)) => dropped.push((line, why)),
            Err(RowProblem::Refused(why)) => wrong.push((line, why)),
        }
    }
    if !wrong.is_empty() {
        return Ok(wrong_rows(&wrong));
    }
    let count = u32::try_from(dropped.len()).unwrap_or(u32::MAX);
    Ok(match ctx.loader.add_part(account, version, part, &products, count).await? {
        PartOutcome::Stored(load) => {
            let mut told = told_load(&load);
            told["dropped_rows"] = named(&dropped);
            told
        }
        PartOutcome::OutOfOrder(load) => {
            let mut answer = refused("out_of_order", format_args!("part {} is next", load.parts));
            answer["error"]["next"] = load.parts.into();
            answer
        }
        PartOutcome::NoLoad => no_load(),
        PartOutcome::TooMany => {
            refused("invalid", format_args!("more than {MAX_PRODUCTS} products, or more than 5000 in one part"))
        }
    })
}

async fn publish(ctx: &CatalogueCtx, account: &AccountId, version: &str) -> Result<Value, AppError> {
    let now = ctx.directory.clock.now();
    Ok(match ctx.loader.publish_load(account, version, now).await? {
        PublishOutcome::Published(edition) => {
            let mut metrics = Metrics::default();
            metrics.count(Some(Platform::Iadvize), Metric::ProductsDropped, edition.dropped);
            metrics.emit(&ctx.function, now);
            told_edition(&edition)
        }
        PublishOutcome::NoLoad => no_load(),
        PublishOutcome::Twice(id) => refused("invalid", format_args!("product {id} is there twice")),
        PublishOutcome::NoCategory(id, category) => {
            refused("invalid", format_args!("product {id}: there is no category {category}"))
        }
    })
}

/// The number of the line that a row says it is from, and the row without it.
fn numbered(row: &Value) -> (Option<u64>, Value) {
    let mut row = row.clone();
    let line = row.as_object_mut().and_then(|members| members.remove("line"));
    (line.as_ref().and_then(Value::as_u64), row)
}

fn named(rows: &[(Option<u64>, String)]) -> Value {
    rows.iter().take(MOST_NAMED).map(|(line, why)| json!({"line": line, "message": why})).collect()
}

fn wrong_rows(rows: &[(Option<u64>, String)]) -> Value {
    let first = rows.first().map_or_else(String::new, |(line, why)| match line {
        Some(line) => format!("line {line}: {why}"),
        None => why.clone(),
    });
    let others = if rows.len() > 1 { format!("; {} more rows are wrong", rows.len() - 1) } else { String::new() };
    let mut answer = refused("invalid", format_args!("{first}{others}"));
    answer["error"]["rows"] = named(rows);
    answer
}

fn no_load() -> Value {
    refused("no_load", "there is no such load: it was published, given up, or another one was begun")
}

fn told_load(load: &Load) -> Value {
    let Load { version, digest, parts, products, dropped, began_at } = load;
    json!({"version": version, "digest": digest, "parts": parts, "products": products, "dropped": dropped,
        "began_at": began_at.to_utc_text()})
}

fn told_edition(edition: &Edition) -> Value {
    let Edition { version, digest, products, dropped, categories, published_at } = edition;
    json!({"version": version, "digest": digest, "products": products, "dropped": dropped, "categories": categories,
        "published_at": published_at.to_utc_text()})
}

fn told(state: &CatalogueState) -> Value {
    json!({"published": state.edition.as_ref().map(told_edition), "load": state.load.as_ref().map(told_load),
        "leftovers": state.leftovers})
}
