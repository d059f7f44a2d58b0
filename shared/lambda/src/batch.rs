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

/// Works on all records at the same time: a slow one delays no other. Each failed record is reported once.
pub(crate) async fn run_batch(
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
