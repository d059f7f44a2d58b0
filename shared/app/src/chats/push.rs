//! A gateway's stream is brought to its connector (FrontStage contract, 10.3, column "Push").
//!
//! A task says that there may be something to push; whoever receives it takes the stream's lease and pushes until there is
//! nothing left, one batch after the other, so that the order is kept. How far it got stands in the store. A task that comes
//! twice, late or for nothing does no harm, and one that is lost is made up for by the sweep.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::{AccountId, DeliverTask, EpochMillis, PushTask};
use ports::{
    Dice, Offer, PushClaim, PushFailing, PushLease, PushNext, PushQueue, PushState, PushStates, Saved, Sender, StreamEntry,
    StreamKey, StreamPage, StreamRead,
};
use tracing::{error, info, warn};
use wire::{HttpAnswer, HttpCall};

use super::{ChatCtx, read_stream};
use crate::{AppError, SWEEP_GRACE};

/// Most envelopes of one push.
const BATCH: usize = 25;

/// The longest pause between two pushes that do not arrive; the first is one second, and each doubles.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// After so long without a push that arrives the stream waits to be fetched.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How long after its holder has to end a lease ends.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

/// How much too early a task may come: queues and stores have clocks of their own.
const EARLY: Duration = Duration::from_millis(100);

/// When the stream is looked at again because of a number that nobody has used yet.
const NEXT_LOOK: Duration = Duration::from_secs(1);

/// After so long a number that nobody has used stays unused: no function runs for longer.
const ABANDONED: Duration = Duration::from_secs(60);

/// Streams of one round of the sweep; what is left over is found by the next one.
const ROUND: usize = 100;

/// For how long a stream whose task was sent again is left alone: longer than the queue needs to bring it.
const SWEEP_LEASE: Duration = Duration::from_secs(60);

/// What pushing needs beyond the chats.
#[derive(Clone)]
pub struct PushCtx {
    /// The streams.
    pub chats: ChatCtx,
    /// How far they are pushed.
    pub states: Arc<dyn PushStates>,
    /// Calls to connectors.
    pub sender: Arc<dyn Sender>,
    /// Randomness.
    pub dice: Arc<dyn Dice>,
}

/// A connector that is pushed its stream, as its platform knows it.
#[async_trait]
pub trait PushTarget: Send + Sync {
    /// A name of the place it is pushed to. Where it changes, a stream that was given up is pushed again.
    fn address(&self) -> &str;

    /// The call that brings it these entries. `nonce` is 32 hex digits that were never used before.
    ///
    /// # Errors
    /// [`AppError`] when they cannot be put into the platform's words.
    fn call(&self, entries: &[StreamEntry], now: EpochMillis, nonce: &str) -> Result<HttpCall, AppError>;

    /// Listens to what it said in its answer.
    ///
    /// # Errors
    /// [`AppError`] when it is not known to be heard; the entries are then pushed again.
    async fn hear(&self, answer: HttpAnswer) -> Result<(), AppError>;
}

/// What came of a push: the source of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pushed {
    /// Entries that arrived.
    pub arrived: u32,
    /// Entries that the connector refused, each by itself. They stay in the stream for whoever fetches it.
    pub parked: u32,
    /// Whether the stream is pushed no longer.
    pub is_given_up: bool,
}

/// Pushes the stream of a gateway, until there is nothing left, it does not arrive, or the time is over at `until`. Without
/// a target nothing is pushed, and the stream is due no more.
///
/// # Errors
/// [`AppError`] when a backing service is down: the queue is expected to bring the task again.
pub async fn push(
    ctx: &PushCtx,
    gateway: &AccountId,
    target: Option<&dyn PushTarget>,
    until: EpochMillis,
) -> Result<Pushed, AppError> {
    let mut run = Run { ctx, gateway, holder: ctx.dice.token(), until, done: Pushed::default() };
    while let Some(claim) = run.claim().await? {
        let Some(target) = target else {
            run.keep(&claim.state, PushNext::Done { last: None }).await?;
            break;
        };
        let round = if run.now() < until {
            run.through(claim, target).await?
        } else {
            // Something is told all the time. Another task goes on.
            run.rest(&claim.state, Duration::ZERO).await?
        };
        if round == Round::Over {
            break;
        }
    }
    Ok(run.done)
}

/// Sends a task for every stream that is due and on no queue. Returns how many. Two sweeps at the same time do not send the
/// same one twice: moving the due time on is a conditional write.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down.
pub async fn sweep_pushes(ctx: &ChatCtx, states: &dyn PushStates) -> Result<usize, AppError> {
    let now = ctx.clock.now();
    let mut swept = 0;
    for (gateway, due_at) in states.pushes_due(now, ROUND).await? {
        if states.postpone_push(&gateway, due_at, now.plus(SWEEP_LEASE)).await? == Saved::Yes {
            ctx.pushes.send(&PushTask::V1 { gateway }, Duration::ZERO).await?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Says that a gateway's stream has something to push. Where that cannot be said, the stream is due all the same.
pub(super) async fn wake(queue: &dyn PushQueue, gateway: &AccountId, delay: Duration) {
    if let Err(error) = queue.send(&PushTask::V1 { gateway: gateway.clone() }, delay).await {
        warn!(account.id = %gateway, "push of {gateway} not enqueued: {error}");
    }
}

/// When a stream in which numbers are reserved now is due, if nobody is sent there.
pub(super) fn due_after(now: EpochMillis) -> EpochMillis {
    now.plus(SWEEP_GRACE)
}

/// What became of the entries after a claim.
#[derive(PartialEq, Eq)]
enum Round {
    /// There may be more than was known when the lease was taken.
    Again,
    /// Nothing is left to do here.
    Over,
}

/// What one push came to.
enum Answered {
    /// It is acknowledged, and what came with it was heard.
    Arrived,
    /// `410`: the connector wants no more pushes.
    Gone,
    /// The connector refuses what it was sent, with this status.
    Refused(u16),
    /// It may arrive another time.
    Failed(String),
    /// There is no time left for it.
    Late,
}

/// The holder of a lease.
struct Run<'a> {
    ctx: &'a PushCtx,
    gateway: &'a AccountId,
    holder: String,
    until: EpochMillis,
    done: Pushed,
}

impl Run<'_> {
    fn now(&self) -> EpochMillis {
        self.ctx.chats.clock.now()
    }

    async fn claim(&self) -> Result<Option<PushClaim>, AppError> {
        let until = self.until.plus(LEASE_MARGIN);
        let lease = PushLease { holder: self.holder.clone(), until, due_at: until.plus(SWEEP_GRACE) };
        Ok(self.ctx.states.claim(self.gateway, &lease, self.now().plus(EARLY)).await?)
    }

    async fn keep(&self, state: &PushState, next: PushNext) -> Result<Saved, AppError> {
        Ok(self.ctx.states.keep(self.gateway, &self.holder, state, next).await?)
    }

    /// Leaves the stream until `pause` is over.
    async fn rest(&self, state: &PushState, pause: Duration) -> Result<Round, AppError> {
        let until = self.now().plus(pause);
        // Who has lost the lease sends nobody: whoever has it now does.
        if self.keep(state, PushNext::Rest { until, due_at: due_after(until) }).await? == Saved::Yes {
            wake(self.ctx.chats.pushes.as_ref(), self.gateway, pause).await;
        }
        Ok(Round::Over)
    }

    async fn through(&mut self, claim: PushClaim, target: &dyn PushTarget) -> Result<Round, AppError> {
        let PushClaim { mut state, last, reserved_at } = claim;
        if state.given_up.as_deref() == Some(target.address()) {
            self.keep(&state, PushNext::Done { last: None }).await?;
            return Ok(Round::Over);
        }
        state.given_up = None;
        let stream = StreamKey::Gateway(self.gateway.clone());
        // Smaller after a refusal: what is refused is found by sending one entry after the other.
        let (mut size, mut single_until) = (BATCH, 0);
        loop {
            let page = match read_stream(&self.ctx.chats, &stream, state.cursor, size).await? {
                StreamRead::Page(mut page) => {
                    self.pass_over(&mut page.entries).await?;
                    page
                }
                StreamRead::Expired { next } => {
                    warn!(account.id = %self.gateway, "events of {} were not pushed while they were kept", self.gateway);
                    StreamPage { entries: Vec::new(), next, has_more: next > state.cursor }
                }
            };
            // Numbers that stand for nothing are pushed together with what follows them. Alone they would call forth an
            // answer each time, and an answer that was given before makes another such number.
            if page.entries.iter().all(|entry| entry.body.is_empty()) && !page.has_more {
                let is_end = page.next >= last || reserved_at.plus(ABANDONED) <= self.now();
                if page.entries.is_empty() {
                    state.cursor = page.next;
                }
                if !is_end {
                    return self.rest(&state, NEXT_LOOK).await;
                }
                state.failing = None;
                return Ok(match self.keep(&state, PushNext::Done { last: Some(last) }).await? {
                    Saved::Yes => Round::Over,
                    Saved::Conflict => Round::Again,
                });
            }
            if page.entries.is_empty() {
                state.cursor = page.next;
                continue;
            }

            let (count, newest) = (page.entries.len(), page.entries.last().map_or(page.next, |entry| entry.seq));
            match self.send(target, &page.entries).await {
                Answered::Arrived => {
                    info!(account.id = %self.gateway, "{count} events up to {newest} pushed to {}", self.gateway);
                    self.done.arrived += u32::try_from(count).unwrap_or(u32::MAX);
                }
                Answered::Refused(status) if count > 1 => {
                    info!(account.id = %self.gateway, http.status_code = status, "{count} events refused by {}", self.gateway);
                    (size, single_until, state.failing) = (1, newest, None);
                    continue;
                }
                Answered::Refused(status) => {
                    warn!(account.id = %self.gateway, http.status_code = status, "event {newest} of {} parked: {status}", self.gateway);
                    self.done.parked += 1;
                }
                Answered::Gone => return self.give_up(state, target, "it answered 410").await,
                Answered::Failed(reason) => return self.fail(state, target, &reason).await,
                Answered::Late => return self.rest(&state, Duration::ZERO).await,
            }
            (state.cursor, state.failing) = (page.next, None);
            if state.cursor >= single_until {
                size = BATCH;
            }
            if self.keep(&state, PushNext::Hold).await? == Saved::Conflict {
                return Ok(Round::Over);
            }
        }
    }

    /// What waits to be fetched is not pushed from here: its gateway was one that polls. Who delivers sees to it.
    async fn pass_over(&self, entries: &mut [StreamEntry]) -> Result<(), AppError> {
        for entry in entries {
            if let Some(Offer { delivery, .. }) = entry.offer.take() {
                entry.body.clear();
                let task = DeliverTask::V1 { lane: delivery.lane(), entry: Some(delivery.entry()), put_off: 0, due: None };
                self.ctx.chats.timers.relay(&task).await?;
            }
        }
        Ok(())
    }

    async fn send(&self, target: &dyn PushTarget, entries: &[StreamEntry]) -> Answered {
        let now = self.now();
        let call = match target.call(entries, now, &self.ctx.dice.token()) {
            Ok(call) => call,
            Err(error) => return Answered::Failed(error.to_string()),
        };
        if now.plus(call.timeout) > self.until {
            return Answered::Late;
        }
        let answer = match self.ctx.sender.send(call).await {
            Ok(answer) => answer,
            Err(failure) => return Answered::Failed(failure.to_string()),
        };
        match answer.status.as_u16() {
            200..=299 => match target.hear(answer).await {
                Ok(()) => Answered::Arrived,
                Err(error) => Answered::Failed(format!("its answer was not heard: {error}")),
            },
            410 => Answered::Gone,
            status @ 400..=499 if !matches!(status, 408 | 429) => Answered::Refused(status),
            status => Answered::Failed(format!("status {status}")),
        }
    }

    /// Another try later, or none if it has gone on for too long.
    async fn fail(&mut self, mut state: PushState, target: &dyn PushTarget, reason: &str) -> Result<Round, AppError> {
        let now = self.now();
        let before = state.failing.unwrap_or(PushFailing { since: now, count: 0 });
        if now >= before.since.plus(PATIENCE) {
            return self.give_up(state, target, reason).await;
        }
        warn!(account.id = %self.gateway, "push to {} failed: {reason}", self.gateway);
        state.failing = Some(PushFailing { count: before.count.saturating_add(1), ..before });
        let pause = Duration::from_secs(1 << before.count.min(6)).min(LONGEST_PAUSE);
        self.rest(&state, pause).await
    }

    /// From now on the stream waits to be fetched.
    async fn give_up(&mut self, mut state: PushState, target: &dyn PushTarget, reason: &str) -> Result<Round, AppError> {
        state.failing = None;
        state.given_up = Some(target.address().to_owned());
        if self.keep(&state, PushNext::Done { last: None }).await? == Saved::Yes {
            error!(account.id = %self.gateway, "{} is pushed no longer, its events wait to be fetched: {reason}", self.gateway);
            self.done.is_given_up = true;
        }
        Ok(Round::Over)
    }
}
