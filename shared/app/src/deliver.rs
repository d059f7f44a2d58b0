//! A delivery leaves: one attempt, its outcome, and what comes next.

use std::time::Duration;

use crate::accept::messages_lane;
use crate::pace::{Paced, put_off};
use crate::settle::{amend, clear_head, leave_lane, stay};
use crate::{AppError, OutboundCtx, SWEEP_GRACE, SettleCtx, acknowledge};
use futures_util::future::join;
use model::{
    Account, AccountId, AckMode, AckTask, DeliverTask, DeliveryContent, DeliveryEvent, DeliveryPolicy, DeliveryState,
    EpochMillis, EventKey, LaneKey, PushTask, RemoteStatus, RemoteThread, Step as Change, StepIgnored, StoryEntry, TypingTask,
    step,
};
use ports::{LaneSelector, PortError, Saved, Transition, WorkItem};
use serde_json::Value;
use tracing::{error, info, warn};
use wire::{Exchange, GrantSeen, GrantStep, Input, Job, Outcome, Step, TypingJob};

/// How often a change is tried again after somebody else changed the same delivery or lane.
const RACES: usize = 8;

/// Most calls and bindings of one attempt; more of them is a defect of the platform's crate.
const MOST_STEPS: usize = 512;

/// Longest pause between the news that a thread is ready and the next attempt.
const LONGEST_WAKE: Duration = Duration::from_secs(15);

/// From this age on it is of no use to anybody that a visitor typed (vcita contract, section 8.4).
const TYPING_LASTS: Duration = Duration::from_secs(10);

/// What one task brought about: the source of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Deliveries the recipient now has.
    pub delivered: u32,
    /// Attempts after the first that began.
    pub retried: u32,
    /// Deliveries given up.
    pub failed: u32,
    /// Attempts that ended because the platform does not let us in for the account.
    pub unauthorised: u32,
    /// Recipients who were not told that somebody types.
    pub typing_lost: u32,
    /// Accounts whose platform is called no more for a while, because it failed too often.
    pub paused: u32,
    /// Installations found to be gone for good.
    pub uninstalled: u32,
}

/// Does what the head of a lane needs at this moment: an attempt, a repeated push, a settlement that was interrupted,
/// or nothing. Safe to run twice and with tasks that are long out of date. `until` bounds the time it may take.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down; the task is to be repeated.
pub async fn deliver(ctx: &OutboundCtx, task: &DeliverTask, until: EpochMillis) -> Result<Progress, AppError> {
    let DeliverTask::V1 { lane, entry, .. } = task;
    let recipient = ctx.recipients.find(&lane.recipient).await?;
    let outbound = ctx.registry.outbound(lane.recipient.platform());
    let mut paced = Paced::new(outbound, &lane.recipient, recipient.as_ref());
    let installation = recipient.as_ref().and_then(|(account, _)| outbound.installation(account));
    let mut which = entry.map_or(LaneSelector::Head, LaneSelector::Entry);
    let base = &ctx.settle.base;

    for _ in 0..RACES {
        let Some(item) = base.store.work(lane, which, installation.as_deref(), base.clock.now()).await? else {
            return Ok(Progress::default());
        };
        let entry = item.delivery.key.entry();
        if item.lane.head() != Some(entry) {
            return Ok(Progress::default());
        }
        which = LaneSelector::Entry(entry);
        let now = base.clock.now();
        let policy = outbound.policy(item.delivery.key.content);
        let event = match next_event(&item, now) {
            Next::Settled => {
                clear_head(&ctx.settle, item).await?;
                return Ok(Progress::default());
            }
            Next::Wait => return Ok(Progress::default()),
            Next::Later { at } => {
                base.queue.deliver(&[(task.clone(), at.since(now))]).await?;
                return Ok(Progress::default());
            }
            Next::Overdue { attempt } => {
                let end = Ended::plain(DeliveryEvent::DeadlinePassed { attempt });
                return apply(&ctx.settle, item, &policy, end).await;
            }
            Next::Go(event) => event,
        };
        let own = recipient.clone().filter(|(account, _)| account.tenant == item.delivery.tenant);
        let Some(found) = own else {
            // The account was taken out of the configuration: nothing can be delivered to it any more.
            let end = Ended { detail: Some("account is not configured".to_owned()), ..Ended::plain(DeliveryEvent::Rejected) };
            return give_up(ctx, item, end).await;
        };
        let mut item = item;
        if item.delivery.route.is_none() {
            item.delivery.route = outbound.route(&found.0, &item.message);
        }
        let event = match event {
            DeliveryEvent::HandOver if outbound.is_polled(&found.0) => DeliveryEvent::Offer,
            event => event,
        };
        let judged = |event| step(&item.delivery.state, event, &policy, item.delivery.created_at, now, base.dice.roll());
        let mut change = match judged(&event) {
            Ok(change) => change,
            Err(StepIgnored::NotDue { due }) => {
                base.queue.deliver(&[(task.clone(), due.since(now))]).await?;
                return Ok(Progress::default());
            }
            Err(StepIgnored::AlreadySettled | StepIgnored::UnderWay { .. } | StepIgnored::Stale) => {
                return Ok(Progress::default());
            }
        };
        if change.state.is_final() {
            return give_up(ctx, item, Ended::plain(event)).await;
        }
        if let DeliveryState::Offered { .. } = change.state {
            match offer(ctx, &item, change, &found, now).await? {
                Some(Saved::Yes) => return Ok(Progress::default()),
                Some(Saved::Conflict) => continue,
                // What cannot be put into words fails as an attempt does.
                None => match judged(&DeliveryEvent::HandOver) {
                    Ok(attempt) => change = attempt,
                    Err(_) => return Ok(Progress::default()),
                },
            }
        }
        let is_overtaken = is_overtaken(&item);
        if !is_overtaken && let Some(busy_until) = paced.begin(ctx).await? {
            put_off(ctx, task, &item, busy_until).await?;
            return Ok(Progress::default());
        }
        let Some(claimed) = claim(&ctx.settle, &item, change, now).await? else { continue };
        if is_overtaken {
            let detail = Some("a higher status of the same message follows".to_owned());
            return apply(&ctx.settle, claimed, &policy, Ended { detail, ..Ended::plain(DeliveryEvent::Acknowledged) }).await;
        }
        let mut progress = attempt(ctx, claimed, found, &policy, until, &mut paced).await?;
        progress.paused += paced.stopped;
        progress.retried += u32::from(matches!(change.state, DeliveryState::Sending { attempt: 2.., pushes: 1, .. }));
        return Ok(progress);
    }
    Err(PortError::Busy.into())
}

/// Tells another platform's staff that a visitor types, or has stopped, if their thread is ready and the news is not old: once,
/// whatever comes of it. No lane waits for it, and nothing is stored. `until` bounds the time it may take.
pub async fn tell_typing(ctx: &OutboundCtx, task: &TypingTask, until: EpochMillis) -> Progress {
    let TypingTask::V1 { recipient, .. } = task;
    match try_tell_typing(ctx, task, until).await {
        Ok(None) => Progress::default(),
        Ok(Some(outcome)) => {
            info!(account.id = %recipient, "{recipient} told of typing: {}", name(&outcome));
            let is_told = matches!(outcome, Outcome::Acknowledged { .. } | Outcome::Pushed { .. });
            Progress { typing_lost: u32::from(!is_told), ..Progress::default() }
        }
        Err(error) => {
            warn!(account.id = %recipient, "{recipient} not told of typing: {error}");
            Progress { typing_lost: 1, ..Progress::default() }
        }
    }
}

async fn try_tell_typing(ctx: &OutboundCtx, task: &TypingTask, until: EpochMillis) -> Result<Option<Outcome>, AppError> {
    let TypingTask::V1 { conversation, recipient, is_typing, at } = task;
    let base = &ctx.settle.base;
    if base.clock.now().since(*at) >= TYPING_LASTS {
        return Ok(None);
    }
    let Some((account, secrets)) = ctx.recipients.find(recipient).await? else { return Ok(None) };
    let lane = messages_lane(*conversation, recipient.clone());
    let Some(thread) = base.store.thread(&lane).await? else { return Ok(None) };
    let found = (account, secrets);
    let mut paced = Paced::new(ctx.registry.outbound(recipient.platform()), recipient, Some(&found));
    // News that would have to wait is none.
    if paced.begin(ctx).await?.is_some() {
        return Ok(None);
    }
    let outbound = ctx.registry.outbound(recipient.platform());
    let owner = outbound.threads_of(&found.0);
    let job = TypingJob { account: found.0, secrets: found.1, thread, is_typing: *is_typing };
    let Some(exchange) = outbound.typing(job) else { return Ok(None) };
    run(ctx, exchange, (&lane, &owner), until, &mut paced).await.map(Some)
}

/// The timer of an attempt: ends it if it is still running after its deadline.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down; the task is to be repeated.
pub async fn check_ack(ctx: &SettleCtx, task: &AckTask) -> Result<Progress, AppError> {
    let AckTask::V1 { lane, entry, attempt } = task;
    let Some(item) = ctx.base.store.work(lane, LaneSelector::Entry(*entry), None, ctx.base.clock.now()).await? else {
        return Ok(Progress::default());
    };
    let policy = ctx.terms.terms(lane.recipient.platform()).policy(item.delivery.key.content);
    let now = ctx.base.clock.now();
    if let DeliveryState::Sending { attempt: running, deadline, .. } = item.delivery.state
        && running == *attempt
        && now <= deadline
    {
        // One millisecond more: at the deadline itself an acknowledgement is still in time.
        ctx.base.queue.ack_check(task, deadline.since(now) + Duration::from_millis(1)).await?;
        return Ok(Progress::default());
    }
    apply(ctx, item, &policy, Ended::plain(DeliveryEvent::DeadlinePassed { attempt: *attempt })).await
}

enum Next {
    /// It is settled and only has to leave its lane.
    Settled,
    /// Its time has not come; something else will bring it back.
    Wait,
    /// It is woken, and to be looked at again at this time.
    Later { at: EpochMillis },
    /// Its attempt ran out of time and nobody noticed.
    Overdue { attempt: u32 },
    /// Try this.
    Go(DeliveryEvent),
}

fn next_event(item: &WorkItem, now: EpochMillis) -> Next {
    match item.delivery.state {
        DeliveryState::Sent { .. } | DeliveryState::Failed { .. } => Next::Settled,
        DeliveryState::Sending { attempt, deadline, .. } if now > deadline => Next::Overdue { attempt },
        DeliveryState::Sending { next_push: Some(_), .. } => Next::Go(DeliveryEvent::Repush),
        DeliveryState::Sending { next_push: None, .. } => Next::Wait,
        DeliveryState::Parked { until, .. } if now < until && !is_woken(item) => Next::Wait,
        DeliveryState::Parked { until, .. } if now < until && now < wake_at(item) => Next::Later { at: wake_at(item) },
        DeliveryState::Queued
        | DeliveryState::Parked { .. }
        | DeliveryState::Offered { .. }
        | DeliveryState::RetryWait { .. } => Next::Go(DeliveryEvent::HandOver),
    }
}

/// Whether this is a receipt and a higher one of the same message waits behind it, so that nobody needs to be told this one
/// (vcita contract, section 7: bursts are collapsed).
fn is_overtaken(item: &WorkItem) -> bool {
    let DeliveryContent::Receipt(status) = item.delivery.key.content else { return false };
    let seq = item.delivery.key.entry().seq;
    let mut others = item.lane.pending.iter().filter(|other| other.seq == seq).filter_map(|other| other.receipt);
    others.any(|other| other.supersedes(Some(status)))
}

/// Whether a parked delivery may be looked at before its time: the thread is ready, or gone so that another one is
/// needed, or there is none to wait for.
fn is_woken(item: &WorkItem) -> bool {
    item.lane.remote.as_ref().is_none_or(|thread| match thread.status {
        RemoteStatus::Active | RemoteStatus::Failed | RemoteStatus::Deleted => true,
        RemoteStatus::Pending | RemoteStatus::Inactive | RemoteStatus::Blocked => false,
    })
}

/// How long after good news of its thread a delivery is tried again. A recipient that says "active" and refuses all the
/// same must not be hammered: twice it is believed at once, then ever later. Each try changes the delivery twice.
fn wake_pause(item: &WorkItem) -> Duration {
    match (item.delivery.rev / 2).saturating_sub(2) {
        0 => Duration::ZERO,
        tries => Duration::from_secs(1 << (tries - 1).min(10)).min(LONGEST_WAKE),
    }
}

/// When a parked delivery that is woken may be tried again.
fn wake_at(item: &WorkItem) -> EpochMillis {
    item.lane.remote.as_ref().map_or(EpochMillis::new(0), |thread| thread.changed_at.plus(wake_pause(item)))
}

/// Whether the thread became active while the attempt that is about to be parked was running. `seen` is its status when
/// the attempt began: whoever announced the change found the delivery under way and left it alone.
fn was_woken_meanwhile(item: &WorkItem, seen: Option<RemoteStatus>) -> bool {
    let DeliveryState::Sending { started_at, .. } = item.delivery.state else { return false };
    item.lane.remote.as_ref().is_some_and(|thread| {
        thread.status == RemoteStatus::Active && (seen != Some(RemoteStatus::Active) || thread.changed_at > started_at)
    })
}

/// Stores that an attempt, or another push of it, begins. `None` if somebody else was first.
async fn claim(ctx: &SettleCtx, item: &WorkItem, change: Change, now: EpochMillis) -> Result<Option<WorkItem>, AppError> {
    let mut claimed = item.clone();
    claimed.delivery.state = change.state;
    let due_at = change.state.next_at().unwrap_or(now).plus(SWEEP_GRACE);
    let story = StoryEntry { at: now, event: change.event, next_at: change.state.next_at(), detail: None, said_at: None };
    let saved = stay(ctx, claimed.delivery.clone(), item.lane.clone(), story, due_at, false).await?;
    claimed.delivery.rev += 1;
    Ok((saved == Saved::Yes).then_some(claimed))
}

/// Puts a delivery where its recipient polls; nothing is left to be done until that does, or has not for too long. `None` if
/// the platform has no words for it.
async fn offer(
    ctx: &OutboundCtx,
    item: &WorkItem,
    change: Change,
    found: &(Account, Value),
    now: EpochMillis,
) -> Result<Option<Saved>, AppError> {
    let mut offered = item.clone();
    offered.delivery.state = change.state;
    let key = offered.delivery.key.clone();
    let outbound = ctx.registry.outbound(key.recipient.platform());
    let Some(body) = outbound.offered(&job(&offered, found.clone())) else { return Ok(None) };
    let next_at = change.state.next_at();
    let transition = Transition {
        delivery: offered.delivery,
        story: Some(StoryEntry { at: now, event: change.event, next_at, detail: None, said_at: None }),
        lane: offered.lane,
        leaves_lane: false,
        due_at: next_at.map(|at| at.plus(SWEEP_GRACE)),
        needs_same_thread_status: false,
        receipt: None,
        alias: None,
    };
    let saved = ctx.offers.offer(&transition, &body.into(), now).await?;
    if saved == Saved::Yes {
        info!(delivery.id = %key, account.id = %key.recipient, "delivery {key} waits to be fetched");
    }
    Ok(Some(saved))
}

fn job(item: &WorkItem, (account, secrets): (Account, Value)) -> Job {
    Job {
        account,
        secrets,
        conversation: item.conversation.clone(),
        message: item.message.clone(),
        delivery: item.delivery.clone(),
        thread: item.lane.remote.clone(),
        installation: item.installation,
    }
}

/// Makes the attempt that was claimed, and stores its outcome.
async fn attempt(
    ctx: &OutboundCtx,
    item: WorkItem,
    found: (Account, Value),
    policy: &DeliveryPolicy,
    until: EpochMillis,
    paced: &mut Paced,
) -> Result<Progress, AppError> {
    let lane = item.lane.key.clone();
    let outbound = ctx.registry.outbound(lane.recipient.platform());
    let installation = outbound.installation(&found.0);
    let owner = outbound.threads_of(&found.0);
    let exchange = outbound.exchange(job(&item, found));
    paced.ends_at(item.delivery.state.next_at());
    let (outcome, ()) = join(run(ctx, exchange, (&lane, &owner), until, paced), start_timer(&ctx.settle, &item, policy)).await;
    let outcome = outcome?;
    let key = &item.delivery.key;
    info!(delivery.id = %key, delivery.outcome = name(&outcome), account.id = %lane.recipient, "delivery {key}: {}", name(&outcome));

    let (mut unauthorised, mut uninstalled) = (0, 0);
    let end = match outcome {
        Outcome::Acknowledged { reference } => Ended { reference, ..Ended::plain(DeliveryEvent::Acknowledged) },
        Outcome::Pushed { said: Some(ref said), .. } if !hand_on(ctx, &lane.recipient, said).await => {
            // Another push of the attempt brings another answer.
            let reason = "what it said in its answer was not handed on".to_owned();
            Ended { detail: Some(reason), ..Ended::plain(DeliveryEvent::Unanswered { retry_after: None }) }
        }
        Outcome::Pushed { acknowledgements, .. } => {
            let mut own = None;
            for acknowledgement in acknowledgements {
                let same_route = acknowledgement.route.is_none() || acknowledgement.route == item.delivery.route;
                if acknowledgement.message == key.message && same_route {
                    own = Some(acknowledgement);
                } else {
                    acknowledge(&ctx.acks, &lane.recipient, acknowledgement, Vec::new()).await?;
                }
            }
            let Some(own) = own else { return Ok(Progress::default()) };
            let said_at = own.said_at;
            match own.result {
                Ok(reference) => Ended { reference, alias: own.alias, said_at, ..Ended::plain(DeliveryEvent::Acknowledged) },
                Err(text) => Ended { detail: Some(text), said_at, ..Ended::plain(DeliveryEvent::Rejected) },
            }
        }
        Outcome::Unanswered { retry_after, reason } => {
            Ended { detail: Some(reason), ..Ended::plain(DeliveryEvent::Unanswered { retry_after }) }
        }
        Outcome::Refused { status } => Ended::plain(DeliveryEvent::Refused { status }),
        Outcome::PutOff { retry_after, reason } => {
            let attempt = if let DeliveryState::Sending { attempt, .. } = item.delivery.state { attempt } else { 1 };
            let wait = retry_after.unwrap_or_else(|| policy.retry_delay(attempt, ctx.settle.base.dice.roll()));
            let until = ctx.settle.base.clock.now().plus(wait);
            Ended { detail: Some(reason), ..Ended::plain(DeliveryEvent::PutOff { until }) }
        }
        Outcome::Gone { detail } => Ended { detail: Some(detail), ..Ended::plain(DeliveryEvent::Gone) },
        Outcome::Uninstalled { detail } => {
            uninstalled = 1;
            if let Some(installation) = installation {
                let now = ctx.settle.base.clock.now();
                let gone = RemoteStatus::Deleted;
                ctx.side.note_installation(&lane.recipient, &installation, gone, now, None).await?;
            }
            error!(account.id = %lane.recipient, "the installation of {} is gone: nothing reaches it any more", lane.recipient);
            Ended { detail: Some(detail), ..Ended::plain(DeliveryEvent::Rejected) }
        }
        Outcome::Rejected { detail } => Ended { detail: Some(detail), ..Ended::plain(DeliveryEvent::Rejected) },
        Outcome::Parked { until, reason } => {
            Ended { detail: Some(reason.to_owned()), ..Ended::plain(DeliveryEvent::Park { until }) }
        }
        Outcome::Unauthorised { until, reason, is_news } => {
            unauthorised = 1;
            tell_unauthorised(&lane.recipient, reason, is_news);
            Ended { detail: Some(reason.to_owned()), ..Ended::plain(DeliveryEvent::Park { until }) }
        }
    };
    let mut progress = apply(&ctx.settle, item, policy, end).await?;
    progress.unauthorised += unauthorised;
    progress.uninstalled += uninstalled;
    Ok(progress)
}

/// Says once, by whoever found it out, that somebody must look; whoever meets it later tells that it is still so.
fn tell_unauthorised(account: &AccountId, reason: &'static str, is_news: bool) {
    if is_news {
        error!(account.id = %account, "account {account} cannot be delivered to: {reason}");
    } else {
        warn!(account.id = %account, "account {account} can still not be delivered to: {reason}");
    }
}

/// Sends what a recipient said in its answer to where it is heard. Whether that is done.
async fn hand_on(ctx: &OutboundCtx, recipient: &AccountId, said: &str) -> bool {
    let task = PushTask::HeardV1 { gateway: recipient.clone(), said: said.to_owned() };
    let sent = ctx.heard.send(&task, Duration::ZERO).await;
    if let Err(error) = &sent {
        warn!(account.id = %recipient, "what {recipient} said in its answer was not handed on: {error}");
    }
    sent.is_ok()
}

/// Starts the timer of an attempt that is acknowledged separately. A timer that cannot be started is made up for by the
/// sweep: the lane is already due at the deadline.
async fn start_timer(ctx: &SettleCtx, item: &WorkItem, policy: &DeliveryPolicy) {
    let (AckMode::Separate { timeout }, DeliveryState::Sending { attempt, pushes: 1, .. }) = (policy.ack, item.delivery.state)
    else {
        return;
    };
    let task = AckTask::V1 { lane: item.lane.key.clone(), entry: item.delivery.key.entry(), attempt };
    let delay = timeout + Duration::from_millis(1);
    if let Err(error) = ctx.base.queue.ack_check(&task, delay).await {
        warn!(delivery.id = %item.delivery.key, %error, "timer of delivery {} not started", item.delivery.key);
    }
}

/// Drives an exchange to its end.
async fn run(
    ctx: &OutboundCtx,
    mut exchange: Box<dyn Exchange>,
    (lane, owner): (&LaneKey, &AccountId),
    until: EpochMillis,
    paced: &mut Paced,
) -> Result<Outcome, AppError> {
    let base = &ctx.settle.base;
    let outbound = ctx.registry.outbound(lane.recipient.platform());
    let mut input = Input::Start;
    for _ in 0..MOST_STEPS {
        match exchange.resume(input, base.clock.now()) {
            Step::Call(call) => {
                if base.clock.now().plus(call.timeout) > until {
                    return Ok(Outcome::Unanswered { retry_after: None, reason: "no time left for another call".to_owned() });
                }
                match paced.send(ctx, outbound, call, until).await? {
                    Ok(result) => input = Input::Answered(result),
                    Err(outcome) => return Ok(outcome),
                }
            }
            Step::Bind { id, status, memo } => {
                let thread = RemoteThread { id, status, changed_at: base.clock.now(), memo };
                input = Input::Bound(base.store.bind(lane, owner, &thread).await?);
            }
            Step::Grant(wanted) => input = Input::Grant(see_grant(ctx, wanted).await?),
            Step::Finish(outcome) => return Ok(outcome),
        }
    }
    Err(AppError::Internal("an exchange does not end"))
}

/// Does what an exchange wants with a grant.
async fn see_grant(ctx: &OutboundCtx, wanted: GrantStep) -> Result<GrantSeen, PortError> {
    let grants = &ctx.grants;
    Ok(match wanted {
        GrantStep::Read { name } => GrantSeen::Read(grants.grant(&name).await?),
        GrantStep::BeginRenewal { name, rev, until } => {
            GrantSeen::Begun(grants.begin_renewal(&name, rev, until, ctx.settle.base.clock.now()).await? == Saved::Yes)
        }
        GrantStep::Keep { name, rev, grant } => GrantSeen::Kept(grants.keep_grant(&name, rev, &grant).await? == Saved::Yes),
    })
}

const fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Acknowledged { .. } => "acknowledged",
        Outcome::Pushed { .. } => "pushed",
        Outcome::Unanswered { .. } => "unanswered",
        Outcome::Refused { .. } => "refused",
        Outcome::PutOff { .. } => "put_off",
        Outcome::Gone { .. } => "gone",
        Outcome::Uninstalled { .. } => "uninstalled",
        Outcome::Rejected { .. } => "rejected",
        Outcome::Parked { .. } => "parked",
        Outcome::Unauthorised { .. } => "unauthorised",
    }
}

/// How an attempt ended, with what is stored beside the new state.
struct Ended {
    event: DeliveryEvent,
    detail: Option<String>,
    reference: Option<String>,
    alias: Option<EventKey>,
    said_at: Option<EpochMillis>,
}

impl Ended {
    const fn plain(event: DeliveryEvent) -> Self {
        Self { event, detail: None, reference: None, alias: None, said_at: None }
    }
}

/// Gives up a delivery that cannot be handed over.
async fn give_up(ctx: &OutboundCtx, item: WorkItem, end: Ended) -> Result<Progress, AppError> {
    let policy = ctx.settle.terms.terms(item.lane.key.recipient.platform()).policy(item.delivery.key.content);
    apply(&ctx.settle, item, &policy, end).await
}

/// Moves the delivery by what happened, and does what follows from its new state. When somebody else has moved it in
/// the meantime, what happened is judged anew against what is there now.
async fn apply(ctx: &SettleCtx, mut item: WorkItem, policy: &DeliveryPolicy, mut end: Ended) -> Result<Progress, AppError> {
    let base = &ctx.base;
    let lane = item.lane.key.clone();
    let entry = item.delivery.key.entry();
    let seen = item.lane.remote.as_ref().map(|thread| thread.status);
    for _ in 0..RACES {
        let now = base.clock.now();
        if let DeliveryEvent::Park { until } = &mut end.event
            && was_woken_meanwhile(&item, seen)
        {
            *until = now.plus(wake_pause(&item)).min(*until);
        }
        let change = match step(&item.delivery.state, &end.event, policy, item.delivery.created_at, now, base.dice.roll()) {
            Ok(change) => change,
            // It was settled by somebody else; if it still heads its lane, that was all they had time for.
            Err(StepIgnored::AlreadySettled) if item.lane.head() == Some(entry) => {
                clear_head(ctx, item).await?;
                return Ok(Progress::default());
            }
            Err(_) => return Ok(Progress::default()),
        };
        let next_at = change.state.next_at();
        let story = StoryEntry { at: now, event: change.event, next_at, detail: end.detail.clone(), said_at: end.said_at };
        item.delivery.state = change.state;
        if end.reference.is_some() {
            item.delivery.reference.clone_from(&end.reference);
        }
        let saved = match change.state {
            DeliveryState::Sent { .. } if item.lane.head() == Some(entry) => {
                leave_lane(ctx, item.clone(), Some(story), end.alias.clone()).await?
            }
            // It was given up and has left its lane; the word came late, and nobody waits for it.
            DeliveryState::Sent { .. } => amend(ctx, item.clone(), story, end.alias.clone()).await?,
            DeliveryState::Failed { .. } if item.lane.head() != Some(entry) => amend(ctx, item.clone(), story, None).await?,
            DeliveryState::Queued
            | DeliveryState::Parked { .. }
            | DeliveryState::Offered { .. }
            | DeliveryState::Sending { .. }
            | DeliveryState::RetryWait { .. }
            | DeliveryState::Failed { .. } => {
                let same_thread = matches!(change.state, DeliveryState::Parked { .. });
                let due_at = next_at.unwrap_or(now).plus(SWEEP_GRACE);
                stay(ctx, item.delivery.clone(), item.lane.clone(), story, due_at, same_thread).await?
            }
        };
        if saved == Saved::Yes {
            item.delivery.rev += 1;
            let in_lane = item.lane.head() == Some(entry);
            return if in_lane { follow_up(ctx, item, now).await } else { Ok(Progress::default()) };
        }
        let Some(fresh) = base.store.work(&lane, LaneSelector::Entry(entry), None, base.clock.now()).await? else {
            return Ok(Progress::default());
        };
        item = fresh;
    }
    Err(PortError::Busy.into())
}

/// Schedules what comes next, now that the new state is stored.
async fn follow_up(ctx: &SettleCtx, item: WorkItem, now: EpochMillis) -> Result<Progress, AppError> {
    let again = |at: EpochMillis| {
        let task = DeliverTask::V1 { lane: item.lane.key.clone(), entry: Some(item.delivery.key.entry()), put_off: 0, due: None };
        [(task, at.since(now))]
    };
    match item.delivery.state {
        DeliveryState::Sent { .. } => Ok(Progress { delivered: 1, ..Progress::default() }),
        DeliveryState::Failed { reason, .. } => {
            let key = item.delivery.key.clone();
            warn!(delivery.id = %key, delivery.outcome = reason.as_str(), "delivery {key} given up: {}", reason.as_str());
            clear_head(ctx, item).await?;
            Ok(Progress { failed: 1, ..Progress::default() })
        }
        DeliveryState::RetryWait { due, .. } => {
            ctx.base.queue.deliver(&again(due)).await?;
            Ok(Progress::default())
        }
        DeliveryState::Parked { until, .. } => {
            ctx.base.queue.deliver(&again(until)).await?;
            Ok(Progress::default())
        }
        DeliveryState::Sending { next_push: Some(at), .. } => {
            ctx.base.queue.deliver(&again(at)).await?;
            Ok(Progress::default())
        }
        DeliveryState::Sending { next_push: None, .. } | DeliveryState::Offered { .. } | DeliveryState::Queued => {
            Ok(Progress::default())
        }
    }
}
