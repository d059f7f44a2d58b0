//! Queue batches: a result for every record, never an error for the batch.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use app::{AppError, Progress};
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture, join_all};
use lambda_runtime::{LambdaEvent, service_fn};
use model::{DeadTask, EpochMillis, Platform};
use ports::{Clock, Queue};
use serde::de::DeserializeOwned;
use tracing::{error, info, warn};

use crate::{Error, Metric, Metrics};

/// Time kept free at the end of an invocation, to answer.
const MARGIN: Duration = Duration::from_secs(2);

/// Nothing is started with less time than this before the deadline: it goes back to the queue.
const LEAST: Duration = Duration::from_secs(5);

/// The most of a message that is kept with its reason.
const POISON_BODY: usize = 4096;

/// Why a record was not worked on.
#[derive(Debug)]
pub enum RecordFailure {
    /// Nobody can ever work on it: the reason, without data.
    Poison(String),
    /// It can be tried again.
    Retry(AppError),
}

impl From<AppError> for RecordFailure {
    fn from(error: AppError) -> Self {
        Self::Retry(error)
    }
}

/// Works on the body of one record, until the given instant at most. Says for which platform, and what came of it.
pub type BatchHandler =
    dyn Fn(String, EpochMillis) -> BoxFuture<'static, Result<(Platform, Progress), RecordFailure>> + Send + Sync;

/// What a batch runner needs beside the handler.
#[derive(Clone)]
pub struct BatchCtx {
    /// Name of the function, for metrics and for entries in the dead-letter queue.
    pub function: String,
    /// The queues, for what nobody can work on.
    pub queue: Arc<dyn Queue>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Serves an SQS event source with `ReportBatchItemFailures`.
pub fn serve_batch<F, Fut>(ctx: BatchCtx, handler: F) -> LocalBoxFuture<'static, Result<(), Error>>
where
    F: Fn(String, EpochMillis) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(Platform, Progress), RecordFailure>> + Send + 'static,
{
    serve_batch_erased(ctx, Arc::new(move |body, until| handler(body, until).boxed()))
}

fn serve_batch_erased(ctx: BatchCtx, handler: Arc<BatchHandler>) -> LocalBoxFuture<'static, Result<(), Error>> {
    Box::pin(async move {
        lambda_runtime::run(service_fn(move |event: LambdaEvent<SqsEvent>| {
            let (ctx, handler) = (ctx.clone(), handler.clone());
            async move {
                let deadline = EpochMillis::new(i64::try_from(event.context.deadline).unwrap_or(i64::MAX));
                let (response, metrics) = run_batch(&ctx, &*handler, event.payload, deadline).await;
                metrics.emit(&ctx.function, ctx.clock.now());
                Ok::<_, Error>(response)
            }
        }))
        .await
    })
}

/// Works on one batch, as [`serve_batch`] does for each, until `deadline` at most. All records are worked on at the same
/// time: a slow one delays no other. Each failed record is reported once.
pub async fn run_batch(
    ctx: &BatchCtx,
    handler: &BatchHandler,
    event: SqsEvent,
    deadline: EpochMillis,
) -> (SqsBatchResponse, Metrics) {
    let until = EpochMillis::new(deadline.millis().saturating_sub(i64::try_from(MARGIN.as_millis()).unwrap_or(0)));
    let done = join_all(event.records.into_iter().map(|record| run_record(ctx, handler, record, until))).await;
    let mut metrics = Metrics::default();
    let mut response = SqsBatchResponse::default();
    for record in done {
        metrics.highest(None, Metric::QueueAgeMs, record.age_ms);
        match record.result {
            Ok(Some((platform, progress))) => {
                metrics.count(Some(platform), Metric::Delivered, progress.delivered);
                metrics.count(Some(platform), Metric::Retried, progress.retried);
                metrics.count(Some(platform), Metric::Failed, progress.failed);
                metrics.count(Some(platform), Metric::Unauthorised, progress.unauthorised);
                metrics.count(Some(platform), Metric::TypingLost, progress.typing_lost);
                metrics.count(Some(platform), Metric::BusinessPaused, progress.paused);
                metrics.count(Some(platform), Metric::InstallationsGone, progress.uninstalled);
            }
            Ok(None) => metrics.count(None, Metric::Poison, 1),
            Err(()) => {
                metrics.count(None, Metric::BatchItemFailures, 1);
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = record.id;
                response.batch_item_failures.push(failure);
            }
        }
    }
    (response, metrics)
}

struct RecordDone {
    id: String,
    age_ms: f64,
    /// `None` for a record nobody can work on, which is out of the way; an error for one to hand back.
    result: Result<Option<(Platform, Progress)>, ()>,
}

async fn run_record(ctx: &BatchCtx, handler: &BatchHandler, record: SqsMessage, until: EpochMillis) -> RecordDone {
    let started = Instant::now();
    let now = ctx.clock.now();
    // The service always gives an id; without one a failure could not be reported for this record alone.
    let id = record.message_id.unwrap_or_default();
    let sent = record.attributes.get("SentTimestamp").and_then(|text| text.parse().ok()).map(EpochMillis::new);
    #[expect(clippy::cast_precision_loss, reason = "an age in milliseconds is far below 2^52")]
    let age_ms = sent.map_or(0.0, |sent| now.since(sent).as_millis() as f64);
    let done = |result| RecordDone { id: id.clone(), age_ms, result };
    if now.plus(LEAST) > until {
        return done(Err(()));
    }
    let body = record.body.unwrap_or_default();
    let worked = AssertUnwindSafe(handler(body.clone(), until)).catch_unwind().await;
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match worked.unwrap_or(Err(RecordFailure::Retry(AppError::Internal("handler panicked")))) {
        Ok(progress) => {
            info!(queue.message_id = %id, queue.age_ms = age_ms, duration_ms, "queue message {id} worked on");
            done(Ok(Some(progress)))
        }
        Err(RecordFailure::Poison(reason)) => {
            let entry = DeadTask::PoisonV1 {
                function: ctx.function.clone(),
                queue_message: id.clone(),
                reason: reason.clone(),
                body: body.chars().take(POISON_BODY).collect(),
            };
            match ctx.queue.dead(&entry).await {
                Ok(()) => {
                    error!(queue.message_id = %id, duration_ms, "queue message {id} cannot be worked on: {reason}");
                    done(Ok(None))
                }
                Err(cause) => {
                    warn!(queue.message_id = %id, duration_ms, "queue message {id} cannot be worked on nor kept: {cause}");
                    done(Err(()))
                }
            }
        }
        Err(RecordFailure::Retry(cause)) => {
            let source = std::error::Error::source(&cause).map(ToString::to_string);
            warn!(queue.message_id = %id, duration_ms, source, "queue message {id} handed back: {cause}");
            done(Err(()))
        }
    }
}

/// Reads a queue message as a task.
///
/// # Errors
/// [`RecordFailure::Poison`] if it is none. The reason names the place, not the content.
pub fn task<T: DeserializeOwned>(body: &str) -> Result<T, RecordFailure> {
    serde_json::from_str(body).map_err(|error| {
        RecordFailure::Poison(format!("not a task: {:?} at line {} column {}", error.classify(), error.line(), error.column()))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use model::DeliverTask;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use testkit::fixtures::NOW;
    use testkit::{Fault, InMemoryQueue, ManualClock};

    use super::*;

    /// What becomes of a record, as its body says it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Fate {
        Done,
        Fails,
        Panics,
        Poison,
        /// Poison that the dead-letter queue does not take.
        Stuck,
    }

    const FATES: [Fate; 5] = [Fate::Done, Fate::Fails, Fate::Panics, Fate::Poison, Fate::Stuck];

    impl Fate {
        const fn is_handed_back(self) -> bool {
            match self {
                Self::Fails | Self::Panics | Self::Stuck => true,
                Self::Done | Self::Poison => false,
            }
        }

        fn meet(self) -> Result<(Platform, Progress), RecordFailure> {
            match self {
                Self::Done => {
                    let all =
                        Progress { delivered: 2, retried: 1, failed: 0, unauthorised: 1, typing_lost: 3, ..Progress::default() };
                    Ok((Platform::Vcita, all))
                }
                Self::Fails => Err(AppError::Internal("fails on purpose").into()),
                // Unlike `panic!` it does not fill the test's output.
                Self::Panics => std::panic::resume_unwind(Box::new("panics on purpose")),
                Self::Poison | Self::Stuck => Err(RecordFailure::Poison("poison on purpose".to_owned())),
            }
        }
    }

    fn id(index: usize) -> String {
        format!("record-{index}")
    }

    fn event(fates: &[Fate]) -> SqsEvent {
        let record = |(index, fate): (usize, &Fate)| {
            json!({"messageId": id(index), "body": format!("{fate:?} {index}"),
                   "attributes": {"SentTimestamp": (NOW.millis() - 1000 - i64::try_from(index).unwrap()).to_string()}})
        };
        serde_json::from_value(json!({"Records": fates.iter().enumerate().map(record).collect::<Vec<_>>()})).unwrap()
    }

    struct Ran {
        handed_back: Vec<String>,
        dead: Vec<DeadTask>,
        metrics: BTreeMap<String, f64>,
        bodies: Vec<String>,
    }

    /// Runs a batch with `time` until the deadline; each record takes `takes` of it, one after the other.
    fn run(fates: &[Fate], time: Duration, takes: Duration) -> Ran {
        let clock = ManualClock::new();
        let queue = Arc::new(InMemoryQueue::new(Arc::new(clock.clone())));
        let poison = fates.iter().filter(|fate| matches!(fate, Fate::Poison | Fate::Stuck));
        queue.faults().plan(poison.map(|fate| (*fate == Fate::Stuck).then_some(Fault::Refused)));
        let ctx = BatchCtx { function: "f".to_owned(), queue: queue.clone(), clock: Arc::new(clock.clone()) };
        let bodies: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = bodies.clone();
        let handler: Box<BatchHandler> = Box::new(move |body, _until| {
            let (clock, seen) = (clock.clone(), seen.clone());
            async move {
                clock.advance(takes);
                let fate = FATES.into_iter().find(|fate| body.starts_with(&format!("{fate:?} "))).unwrap();
                seen.lock().unwrap().push(body);
                fate.meet()
            }
            .boxed()
        });
        let batch = run_batch(&ctx, &*handler, event(fates), NOW.plus(time));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (response, metrics) = runtime.block_on(batch);
        let handed_back = response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
        let mut sums = BTreeMap::new();
        for line in metrics.lines("f", NOW) {
            let line: Value = serde_json::from_str(&line).unwrap();
            for described in line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap() {
                let name = described["Name"].as_str().unwrap();
                assert!(sums.insert(name.to_owned(), line[name].as_f64().unwrap()).is_none(), "{name} is there twice");
            }
        }
        let bodies = bodies.lock().unwrap().clone();
        Ran { handed_back, dead: queue.dead_letters(), metrics: sums, bodies }
    }

    fn count(fates: &[Fate], wanted: impl Fn(Fate) -> bool) -> f64 {
        f64::from(u32::try_from(fates.iter().filter(|fate| wanted(**fate)).count()).unwrap())
    }

    proptest! {
        #[test]
        fn each_failed_record_is_reported_once_and_no_other(fates in prop::collection::vec(prop::sample::select(&FATES[..]), 0..=10)) {
            let ran = run(&fates, Duration::from_secs(60), Duration::ZERO);
            let listed = |wanted: fn(Fate) -> bool| -> Vec<usize> {
                fates.iter().enumerate().filter(|(_, fate)| wanted(**fate)).map(|(index, _)| index).collect()
            };
            let expected: Vec<String> = listed(Fate::is_handed_back).into_iter().map(id).collect();
            prop_assert_eq!(&ran.handed_back, &expected);

            let kept: Vec<DeadTask> = listed(|fate| fate == Fate::Poison)
                .into_iter()
                .map(|index| DeadTask::PoisonV1 {
                    function: "f".to_owned(),
                    queue_message: id(index),
                    reason: "poison on purpose".to_owned(),
                    body: format!("Poison {index}"),
                })
                .collect();
            prop_assert_eq!(ran.dead, kept);

            let done = count(&fates, |fate| fate == Fate::Done);
            let all = [
                ("BatchItemFailures", count(&fates, Fate::is_handed_back)),
                ("Poison", count(&fates, |fate| fate == Fate::Poison)),
                ("Delivered", 2.0 * done),
                ("Retried", done),
                ("Unauthorised", done),
                ("TypingLost", 3.0 * done),
            ];
            let mut metrics: BTreeMap<String, f64> =
                all.into_iter().filter(|(_, value)| *value > 0.0).map(|(name, value)| (name.to_owned(), value)).collect();
            if let Some(oldest) = fates.len().checked_sub(1) {
                metrics.insert("QueueAgeMs".to_owned(), 1000.0 + f64::from(u32::try_from(oldest).unwrap()));
            }
            prop_assert_eq!(ran.metrics, metrics);
            prop_assert_eq!(ran.bodies.len(), fates.len());
        }

        #[test]
        fn record_without_time_left_is_handed_back_unseen(
            fates in prop::collection::vec(prop::sample::select(&FATES[..]), 1..=10), seconds in 0u64..40, takes in 0u64..10
        ) {
            let ran = run(&fates, Duration::from_secs(seconds), Duration::from_secs(takes));
            // A record is begun while 5 s and the 2 s margin are left.
            let begun: Vec<bool> = (0..fates.len() as u64).map(|index| index * takes + 5 + 2 <= seconds).collect();
            let expected: Vec<String> = fates
                .iter()
                .zip(&begun)
                .enumerate()
                .filter(|(_, (fate, begun))| !**begun || fate.is_handed_back())
                .map(|(index, _)| id(index))
                .collect();
            prop_assert_eq!(ran.handed_back, expected);
            prop_assert_eq!(ran.bodies.len(), begun.iter().filter(|begun| **begun).count());
        }

        #[test]
        fn text_that_is_no_task_is_poison_and_not_repeated_in_the_reason(text in ".*") {
            if let Err(failure) = task::<DeliverTask>(&text) {
                let RecordFailure::Poison(reason) = failure else { panic!("not poison") };
                prop_assert!(reason.starts_with("not a task: "));
                prop_assert!(reason.len() < 80, "{}", reason);
            }
        }
    }

    #[test]
    fn long_poison_is_cut_at_a_character() {
        let clock = ManualClock::new();
        let queue = Arc::new(InMemoryQueue::new(Arc::new(clock.clone())));
        let ctx = BatchCtx { function: "f".to_owned(), queue: queue.clone(), clock: Arc::new(clock) };
        let handler: Box<BatchHandler> = Box::new(|_, _| async { Err(RecordFailure::Poison("too long".to_owned())) }.boxed());
        let event = json!({"Records": [{"messageId": "m-1", "body": "ž".repeat(5000)}]});
        let batch = run_batch(&ctx, &*handler, serde_json::from_value(event).unwrap(), NOW.plus(Duration::from_secs(60)));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert!(runtime.block_on(batch).0.batch_item_failures.is_empty());
        let [DeadTask::PoisonV1 { body, .. }] = &queue.dead_letters()[..] else { panic!("not kept") };
        assert_eq!(*body, "ž".repeat(4096));
    }
}
