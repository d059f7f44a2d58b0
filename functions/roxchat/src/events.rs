//! `POST /roxchat/{account}/events`: what pages hear from the workspace (section 7.3).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use app::{AppError, Ctx as Base};
use http::{Method, StatusCode};
use lambda::Metric;
use model::EpochMillis;
use platform_roxchat::{BadBatch, Event, Flag, Purpose, Rejection, Torn, batch, read};
use ports::InboundStore;
use serde_json::{Value, json};
use tracing::info;
use wire::{RawRequest, Reply};

use crate::heard::{Hearing, Outcome};
use crate::problem::{answer, answered};
use crate::sheet::Sheet;
use crate::{Keeping, Problem, who};

/// What the route needs.
#[derive(Clone)]
pub struct Events {
    /// Accounts, and what is kept.
    pub keeping: Keeping,
    /// Where messages are stored.
    pub inbound: Base<dyn InboundStore>,
    /// How often pages called lately.
    pub rates: Arc<Rates>,
}

/// Takes a batch, and says of each event what became of it: one bad event never blocks the rest.
///
/// # Errors
/// [`AppError`] when an event is not known to be stored; the page sends the batch again.
pub async fn handle(ctx: Events, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, request).await)
}

async fn run(ctx: &Events, request: RawRequest) -> Result<Reply, Problem> {
    let base = &ctx.keeping.base;
    if request.method != Method::POST {
        return Err(Problem::Method("POST"));
    }
    let found = who::found(base, &request).await?;
    let page = who::page(base, &found, &request, Purpose::Events, true)?;
    if !ctx.rates.admit(&page.page, base.clock.now()) {
        return Err(Problem::TooMany);
    }
    who::is_json(&request)?;
    let events = batch(&request.body).map_err(|bad| match bad {
        BadBatch::NotJson => Problem::NotJson,
        BadBatch::Shape => Problem::BadShape,
        BadBatch::TooMany => Problem::TooLarge,
    })?;
    let mut hearing = Hearing {
        account: &found.account,
        agent: &page.agent.id,
        sheet: Sheet::new(&*ctx.keeping.records),
        inbound: &ctx.inbound,
        kept: ctx.keeping.kept,
    };
    let (mut results, mut tally, mut messages) = (Vec::with_capacity(events.len()), Tally::default(), 0);
    for event in events {
        let (id, outcome) = match event {
            Err(Torn { id, why }) => (id, Outcome::Rejected(why)),
            Ok(sent) => {
                let outcome = match read(&sent, &found.workspace) {
                    Ok(read) => {
                        let is_message = matches!(read.event, Event::Message { .. });
                        let outcome = hearing.take(&sent, read).await?;
                        messages += usize::from(is_message && matches!(outcome, Outcome::Accepted(_)));
                        outcome
                    }
                    Err(rejection) => {
                        hearing.pass_over(&sent).await?;
                        Outcome::Rejected(rejection)
                    }
                };
                (Some(sent.given), outcome)
            }
        };
        tally.count(&outcome);
        results.push(result(id, &outcome));
    }
    hearing.finish().await?;
    let Tally { accepted, duplicate, ignored, rejected, foreign } = tally;
    let account = &found.account.id;
    info!(account.id = %account, accepted, duplicate, ignored, rejected, foreign, "events of {account}");
    base.count(Metric::Accepted, messages);
    Ok(answer(StatusCode::OK, &json!({ "results": results })))
}

fn result(id: Option<String>, outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Accepted(flags) if flags.is_empty() => json!({"eventId": id, "status": "accepted"}),
        Outcome::Accepted(flags) => {
            let flags: Vec<_> = flags.iter().map(|flag: &Flag| flag.as_str()).collect();
            json!({"eventId": id, "status": "accepted", "flags": flags})
        }
        Outcome::Duplicate => json!({"eventId": id, "status": "duplicate"}),
        Outcome::Ignored => json!({"eventId": id, "status": "ignored"}),
        Outcome::Rejected(rejection) => json!({"eventId": id, "status": "rejected", "code": rejection.code()}),
    }
}

/// How many of a batch became what, for the log.
#[derive(Default)]
struct Tally {
    accepted: usize,
    duplicate: usize,
    ignored: usize,
    rejected: usize,
    /// Of those rejected, the ones that did not come from the workspace.
    foreign: usize,
}

impl Tally {
    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Accepted(_) => self.accepted += 1,
            Outcome::Duplicate => self.duplicate += 1,
            Outcome::Ignored => self.ignored += 1,
            Outcome::Rejected(rejection) => {
                self.rejected += 1;
                self.foreign += usize::from(*rejection == Rejection::OriginNotAllowed);
            }
        }
    }
}

/// So many batches of a page ...
const MOST: usize = 50;
/// ... within so long. A page sends one at a time, and waits for the answer.
const WITHIN: Duration = Duration::from_secs(10);
/// The most pages that are remembered.
const PAGES: usize = 10_000;

/// The batches of pages in this process's memory. A platform with many processes counts each apart; a count that all share would
/// cost every batch a write.
#[derive(Default)]
pub struct Rates(Mutex<HashMap<String, VecDeque<EpochMillis>>>);

impl Rates {
    fn admit(&self, page: &str, now: EpochMillis) -> bool {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.len() >= PAGES && !pages.contains_key(page) {
            pages.clear();
        }
        let times = pages.entry(page.to_owned()).or_default();
        while times.front().is_some_and(|at| now.since(*at) >= WITHIN) {
            times.pop_front();
        }
        let is_admitted = times.len() < MOST;
        if is_admitted {
            times.push_back(now);
        }
        is_admitted
    }
}
