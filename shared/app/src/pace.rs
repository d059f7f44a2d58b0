//! Calls at the pace of a recipient's platform, shared by all workers: who may call when, and what is learnt from answers.

use std::time::Duration;

use model::{Account, AccountId, DeliverTask, EpochMillis};
use ports::{Pass, PortError, Standing, WorkItem};
use serde_json::Value;
use tracing::warn;
use wire::{CallFailure, HttpAnswer, HttpCall, Outbound, Outcome, Pace};

use crate::{AppError, OutboundCtx};

/// How far ahead an attempt that has not begun takes an instant. Whoever finds all of them taken goes back to the queue,
/// so that one busy account keeps few workers waiting.
const FIRST: Duration = Duration::from_millis(1500);

/// How much later than its instant an attempt may make its first call where nobody else calls: it is stored before that it
/// begins.
const SLACK: Duration = Duration::from_millis(300);

/// How far ahead an attempt under way does: it goes before those that have not begun.
const NEXT: Duration = Duration::from_secs(10);

/// How often a worker that is too late for its instant takes another one.
const TRIES: u32 = 4;

/// The longest time that is allowed for in advance because a worker was too late.
const LONGEST_LEAD: Duration = Duration::from_secs(1);

/// Over how long those who were put off spread themselves at most.
const LONGEST_SPREAD: Duration = Duration::from_secs(15);

/// How long a queue may take to bring a task whose delay is over; a lane that is due sooner would be swept meanwhile.
const ON_ITS_WAY: Duration = Duration::from_secs(5);

/// For how long more than its delay such a lane is left alone by the sweep.
const SWEPT_LATER: Duration = Duration::from_secs(60);

/// When one call may begin, and what its answer means.
struct Instant {
    at: EpochMillis,
    latest: EpochMillis,
    standing: Standing,
}

/// The calls of one attempt.
pub(crate) struct Paced {
    pace: Option<Pace>,
    recipient: AccountId,
    first: Option<Instant>,
    deadline: EpochMillis,
    /// How often a failure of this attempt stopped all calls of the account.
    pub(crate) stopped: u32,
}

impl Paced {
    /// For a recipient as it is configured.
    pub(crate) fn new(outbound: &dyn Outbound, id: &AccountId, recipient: Option<&(Account, Value)>) -> Self {
        let pace = recipient.and_then(|(account, secrets)| outbound.pace(account, secrets));
        Self { pace, recipient: id.clone(), first: None, deadline: EpochMillis::new(i64::MAX), stopped: 0 }
    }

    /// Takes the instant of the first call, before anything is changed. `Some` if there is none: when to come again.
    pub(crate) async fn begin(&mut self, ctx: &OutboundCtx) -> Result<Option<EpochMillis>, AppError> {
        let Some(pace) = &self.pace else { return Ok(None) };
        if self.first.is_none() {
            let now = ctx.settle.base.clock.now();
            match ctx.paces.reserve(&pace.key, pace.per_second, now, FIRST, SLACK).await? {
                Pass::At { at, latest, standing } => self.first = Some(Instant { at, latest, standing }),
                Pass::Busy { until } => return Ok(Some(until)),
            }
        }
        Ok(None)
    }

    /// Says when the attempt is taken for lost, once it has begun: no answer may be waited for any longer.
    pub(crate) fn ends_at(&mut self, deadline: Option<EpochMillis>) {
        self.deadline = deadline.unwrap_or(self.deadline);
    }

    /// Makes a call when it may be made, if its answer comes before `until` then; otherwise says how the attempt ends.
    pub(crate) async fn send(
        &mut self,
        ctx: &OutboundCtx,
        outbound: &dyn Outbound,
        call: HttpCall,
        until: EpochMillis,
    ) -> Result<Result<Result<HttpAnswer, CallFailure>, Outcome>, AppError> {
        let Some(pace) = self.pace.clone().filter(|_| outbound.is_paced(&call)) else {
            return Ok(Ok(ctx.sender.send(call).await));
        };
        match self.wait(ctx, &pace, until, call.timeout).await? {
            Ok(standing) => {
                let result = ctx.sender.send(call).await;
                if let Err(error) = self.learn(ctx, &pace, standing, &result).await {
                    // What came back is worth more.
                    warn!(account.id = %self.recipient, "the pace of {} was not told an answer: {error}", self.recipient);
                }
                Ok(Ok(result))
            }
            Err(busy_until) => {
                let wait = busy_until.since(ctx.settle.base.clock.now());
                Ok(Err(Outcome::PutOff { retry_after: Some(wait), reason: "paced".to_owned() }))
            }
        }
    }

    /// Waits for the instant of the next call; `Err` if it is too far away, or everybody waits.
    async fn wait(
        &mut self,
        ctx: &OutboundCtx,
        pace: &Pace,
        until: EpochMillis,
        timeout: Duration,
    ) -> Result<Result<Standing, EpochMillis>, AppError> {
        let clock = &ctx.settle.base.clock;
        let mut lead = Duration::ZERO;
        for _ in 0..TRIES {
            let Instant { at, latest, standing } = match self.first.take() {
                Some(taken) => taken,
                None => {
                    let now = clock.now().plus(lead);
                    match ctx.paces.reserve(&pace.key, pace.per_second, now, NEXT, Duration::ZERO).await? {
                        Pass::At { at, latest, standing } => Instant { at, latest, standing },
                        Pass::Busy { until } => return Ok(Err(until)),
                    }
                }
            };
            if at.plus(timeout) > until.min(self.deadline) {
                return Ok(Err(at));
            }
            let early = at.since(clock.now());
            if !early.is_zero() {
                ctx.sleeper.sleep(early).await;
            }
            let now = clock.now();
            if now <= latest {
                return Ok(Ok(standing));
            }
            lead = (now.since(at) * 2).min(LONGEST_LEAD);
        }
        Ok(Err(clock.now()))
    }

    /// Tells the pace what an answer says about the platform as a whole (vcita contract, section 10).
    async fn learn(
        &mut self,
        ctx: &OutboundCtx,
        pace: &Pace,
        standing: Standing,
        result: &Result<HttpAnswer, CallFailure>,
    ) -> Result<(), PortError> {
        let now = ctx.settle.base.clock.now();
        let has_failed = match result {
            Ok(answer) if answer.status.as_u16() == 429 => {
                return ctx.paces.slow(&pace.key, answer.retry_after(now.seconds()), now).await;
            }
            Ok(answer) => matches!(answer.status.as_u16(), 408 | 500..=599),
            Err(CallFailure::Unreachable | CallFailure::NoAnswer) => true,
            Err(CallFailure::AnswerTooLong) => false,
            // Nothing was asked of the platform.
            Err(CallFailure::ForbiddenTarget) => return Ok(()),
        };
        if has_failed {
            if let Some(until) = ctx.paces.failed(&pace.key, standing, now).await? {
                self.stopped += 1;
                let (account, until) = (&self.recipient, until.to_utc_text());
                warn!(account.id = %account, until, "business paused: calls for {account} failed in a row, none before {until}");
            }
        } else if standing != Standing::Well {
            ctx.paces.recovered(&pace.key).await?;
        }
        Ok(())
    }
}

/// Sends a task back to the queue, to come again some time after `until`: the longer the more often that was in vain, and
/// by chance, so that all who wait do not come together. It counts as no attempt, and the sweep is told to wait as long.
pub(crate) async fn put_off(ctx: &OutboundCtx, task: &DeliverTask, item: &WorkItem, until: EpochMillis) -> Result<(), AppError> {
    let base = &ctx.settle.base;
    let DeliverTask::V1 { put_off, due, .. } = task;
    // Where the queue brings tasks late, the sweep has put the lane there a second time. Each would put itself off for ever.
    if due.is_some() && *due != item.lane.due_at {
        return Ok(());
    }
    let now = base.clock.now();
    let spread = Duration::from_secs(1 << (*put_off).min(4)).min(LONGEST_SPREAD);
    let delay = until.since(now) + spread.mul_f64(f64::from(base.dice.roll()) / f64::from(u16::MAX));
    let next = now.plus(delay);
    let is_moved = item.lane.due_at.is_some_and(|due_at| due_at < next.plus(ON_ITS_WAY));
    let due = if is_moved { Some(next.plus(SWEPT_LATER)) } else { item.lane.due_at };
    let again = DeliverTask::V1 {
        lane: item.lane.key.clone(),
        entry: Some(item.delivery.key.entry()),
        put_off: put_off.saturating_add(1),
        due,
    };
    base.queue.deliver(&[(again, delay)]).await?;
    if let Some(due_at) = item.lane.due_at.filter(|_| is_moved) {
        // If somebody else has moved it, that is as good: the task that was just sent will see it.
        ctx.side.postpone(&item.lane.key, due_at, due).await?;
    }
    Ok(())
}
