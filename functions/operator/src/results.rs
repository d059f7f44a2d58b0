//! `operator-results`: what visitors of a gateway filled in, for the team that goes on with it.

use std::sync::Arc;

use app::AppError;
use model::{AccountId, EpochMillis};
use ports::{Clock, ResultList, ResultPage, ResultPlace, ResultTask, Results, StoredResult};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::refused;

/// The most places of one page. Each may hold 380 KB, and an answer holds 6 MB (Lambda, "Quotas": invocation payload).
const MOST: usize = 100;

/// What is told in one answer at most, in bytes; whatever does not fit is the next page's.
const ANSWERED: usize = 4_000_000;

/// What fetching filled-in forms needs.
#[derive(Clone)]
pub struct ResultsCtx {
    /// The lists.
    pub results: Arc<dyn Results>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The gateway.
    account: AccountId,
    /// Stored at this time or later, RFC 3339; everything that is kept without it.
    #[serde(default)]
    since: Option<String>,
    /// Only requests to be called back of this outbound list.
    #[serde(default)]
    list: Option<String>,
    /// Only starts of this workflow.
    #[serde(default)]
    workflow: Option<String>,
    /// How many at most, 1 to 100.
    #[serde(default)]
    max: Option<usize>,
    /// `next` of the page before.
    #[serde(default)]
    after: Option<Place>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    at: String,
    id: String,
}

/// Lists filled-in forms in the order in which they were stored; a form that was changed stands at the time of each change.
///
/// Input: `{"account":"frontstage/key","since":"2026-01-01T00:00:00Z"?,"list":"guid"? or "workflow":"guid"?,"max":100?,
/// "after":{...}?}`. Output: `{"results":[{"id","form","chat","rev","filled_at","saved_at","answers":[...],"details":{...},
/// "list","workflow"}],"next":{"at","id"}|null}` or `{"error":{"code","message"}}`. What visitors wrote is part of it.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down.
pub async fn handle(ctx: ResultsCtx, event: Value) -> Result<Value, AppError> {
    let input: Input = match serde_json::from_value(event) {
        Ok(input) => input,
        Err(error) => return Ok(refused("malformed", error)),
    };
    let max = input.max.unwrap_or(MOST);
    if !(1..=MOST).contains(&max) {
        return Ok(refused("invalid", format_args!("max is not 1 to {MOST}")));
    }
    let list = match (input.list, input.workflow) {
        (None, None) => ResultList::Gateway(input.account),
        (Some(list), None) => ResultList::Callbacks(input.account, list.to_ascii_lowercase()),
        (None, Some(workflow)) => ResultList::Starts(input.account, workflow.to_ascii_lowercase()),
        (Some(_), Some(_)) => return Ok(refused("invalid", "list and workflow exclude each other")),
    };
    let Some(since) = input.since.as_deref().map_or(Some(EpochMillis::new(0)), EpochMillis::from_text) else {
        return Ok(refused("invalid", "since is not a time"));
    };
    let after = match input.after.as_ref().map(place).transpose() {
        Ok(after) => after,
        Err(what) => return Ok(refused("invalid", what)),
    };
    let page = ctx.results.list(&list, since, after.as_ref(), max, ctx.clock.now()).await?;
    Ok(told(&page))
}

fn place(written: &Place) -> Result<ResultPlace, &'static str> {
    let at = EpochMillis::from_text(&written.at).ok_or("after is not what next was")?;
    Ok(ResultPlace { at, id: written.id.parse().map_err(|_| "after is not what next was")? })
}

/// As much of a page as an answer holds.
fn told(page: &ResultPage) -> Value {
    let mut room = ANSWERED;
    let mut results = Vec::new();
    let mut next = page.next.clone();
    for (index, listed) in page.results.iter().enumerate() {
        let row = row(&listed.result);
        let size = row.to_string().len();
        if size > room && index > 0 {
            next = page.results.get(index - 1).map(|last| last.place.clone());
            break;
        }
        room = room.saturating_sub(size);
        results.push(row);
    }
    let next = next.map(|place| json!({"at": place.at.to_utc_text(), "id": place.id}));
    json!({ "results": results, "next": next })
}

fn row(result: &StoredResult) -> Value {
    let answer = |answer: &chat::FormAnswer| {
        json!({"control": answer.control, "text": answer.text, "number": answer.number, "decimal": answer.decimal,
               "time": answer.time.map(EpochMillis::to_utc_text), "column": answer.column})
    };
    let (list, workflow) = match &result.task {
        None => (None, None),
        Some(ResultTask::Callback { list }) => (Some(list), None),
        Some(ResultTask::Workflow { workflow }) => (None, Some(workflow)),
    };
    json!({
        "id": result.id,
        "form": result.form,
        "chat": result.chat,
        "rev": result.rev,
        "filled_at": result.filled_at.to_utc_text(),
        "saved_at": result.saved_at.to_utc_text(),
        "answers": result.answers.iter().map(answer).collect::<Vec<_>>(),
        "details": result.memo,
        "list": list,
        "workflow": workflow,
    })
}
