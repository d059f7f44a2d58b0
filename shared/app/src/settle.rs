//! What follows when a delivery is settled: the desk is told, the next one in the lane goes.

use std::time::Duration;

use model::{
    Author, DeadTask, DeliverTask, Delivery, DeliveryContent, DeliveryKey, DeliveryState, EpochMillis, EventKey, FailureReason,
    Lane, ReceiptStatus, StaffTask, StoryEntry,
};
use ports::{LaneSelector, NewDelivery, PortError, Saved, Transition, WorkItem};
use tracing::warn;

use crate::{AppError, SWEEP_GRACE, SettleCtx};

/// The receipt that a settled delivery owes to the origin of its message, if any.
fn receipt_for(ctx: &SettleCtx, item: &WorkItem) -> Option<(ReceiptStatus, DeliveryKey)> {
    let delivery = &item.delivery;
    let status = match delivery.state {
        DeliveryState::Sent { .. } => ReceiptStatus::Sent,
        DeliveryState::Failed { .. } => ReceiptStatus::Failed,
        DeliveryState::Queued
        | DeliveryState::Parked { .. }
        | DeliveryState::Offered { .. }
        | DeliveryState::Sending { .. }
        | DeliveryState::RetryWait { .. } => {
            return None;
        }
    };
    let origin = &item.message.origin;
    let is_for_visitor = match delivery.key.content {
        DeliveryContent::Message | DeliveryContent::Chat => true,
        DeliveryContent::Receipt(_) => false,
    };
    let wanted =
        is_for_visitor && ctx.terms.terms(origin.platform()).capabilities().receipts && status.supersedes(delivery.reported);
    wanted.then(|| {
        let content = DeliveryContent::Receipt(status);
        (status, DeliveryKey { message: item.message.id, recipient: origin.clone(), content })
    })
}

/// What a chat hears of a settled delivery: whether its visitor, who is on another platform, has a sentence of the desk.
fn news_for_chat(item: &WorkItem) -> Option<StaffTask> {
    let delivery = &item.delivery;
    let has = match delivery.state {
        DeliveryState::Sent { .. } => true,
        DeliveryState::Failed { .. } => false,
        DeliveryState::Queued
        | DeliveryState::Parked { .. }
        | DeliveryState::Offered { .. }
        | DeliveryState::Sending { .. }
        | DeliveryState::RetryWait { .. } => return None,
    };
    let sentence = delivery.sentence.clone().filter(|_| item.message.author == Author::Desk)?;
    let DeliveryKey { message, recipient, .. } = &delivery.key;
    let (account, conversation, at) = (recipient.clone(), message.conversation(), item.message.accepted_at);
    Some(StaffTask::VisitorHasV1 { account, conversation, sentence, has, at })
}

/// How often a delivery is taken out of a lane that changes at the same time.
const RACES: usize = 8;

/// Takes a delivery, stored as settled, out of its lane. A message that is accepted meanwhile changes the lane, and its
/// own task has found another delivery at the head: so this goes on until the head is gone, by whosever hand.
///
/// A failure gets its entry in the dead-letter queue first, unless nothing is lost with it: if the process ends between
/// the two, the delivery still heads its lane and the sweep comes here again. So an entry may come twice, but is never
/// missing.
pub(crate) async fn clear_head(ctx: &SettleCtx, mut item: WorkItem) -> Result<(), AppError> {
    let lane = item.lane.key.clone();
    let entry = item.delivery.key.entry();
    if let DeliveryState::Failed { reason, .. } = item.delivery.state
        && reason != FailureReason::Gone
    {
        let dead = DeadTask::V1 {
            delivery: item.delivery.key.clone(),
            tenant: item.delivery.tenant.clone(),
            reason: reason.as_str().to_owned(),
        };
        ctx.base.queue.dead(&dead).await?;
    }
    for _ in 0..RACES {
        if item.lane.head() != Some(entry) || leave_lane(ctx, item, None, None).await? == Saved::Yes {
            return Ok(());
        }
        let Some(fresh) = ctx.base.store.work(&lane, LaneSelector::Entry(entry), None, ctx.base.clock.now()).await? else {
            return Ok(());
        };
        item = fresh;
    }
    Err(PortError::Busy.into())
}

/// Takes a settled delivery out of its lane, if both are as `item` says. `item.delivery` is in its final state, stored
/// or about to be stored with this; `story` and `alias` belong to that change.
pub(crate) async fn leave_lane(
    ctx: &SettleCtx,
    mut item: WorkItem,
    story: Option<StoryEntry>,
    alias: Option<EventKey>,
) -> Result<Saved, AppError> {
    let now = ctx.base.clock.now();
    if let Some(news) = news_for_chat(&item) {
        // Before it is stored, so it may be told twice; to a chat, once more is as good as once.
        let told = ctx.base.queue.staff(&news).await;
        if let (Err(error), DeliveryState::Sent { .. }) = (&told, &item.delivery.state) {
            // What the visitor has would be sent once more if this were not stored: that costs more than a confirmation.
            warn!("an agent does not read that a visitor has what was said: {error}");
        } else {
            told?;
        }
    }
    let receipt = receipt_for(ctx, &item);
    let mut tasks = Vec::new();
    if let Some((status, key)) = &receipt {
        item.delivery.reported = Some(*status);
        tasks.push((DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 0, due: None }, Duration::ZERO));
    }
    let next = item.lane.pending.get(1).copied();
    if let Some(entry) = next {
        tasks.push((DeliverTask::V1 { lane: item.lane.key.clone(), entry: Some(entry), put_off: 0, due: None }, Duration::ZERO));
    }
    let due_at = now.plus(SWEEP_GRACE);
    let transition = Transition {
        story,
        leaves_lane: true,
        due_at: next.map(|_| due_at),
        needs_same_thread_status: false,
        receipt: receipt
            .map(|(_, key)| NewDelivery { delivery: Delivery::queued(key, item.delivery.tenant.clone(), now), due_at }),
        alias,
        delivery: item.delivery,
        lane: item.lane,
    };
    let saved = ctx.base.store.save(&transition).await?;
    if saved == Saved::Yes && !tasks.is_empty() {
        ctx.base.queue.deliver(&tasks).await?;
    }
    Ok(saved)
}

/// Stores a change that keeps the delivery at the head of its lane.
pub(crate) async fn stay(
    ctx: &SettleCtx,
    delivery: Delivery,
    lane: Lane,
    story: StoryEntry,
    due_at: EpochMillis,
    needs_same_thread_status: bool,
) -> Result<Saved, AppError> {
    let transition = Transition {
        delivery,
        story: Some(story),
        lane,
        leaves_lane: false,
        due_at: Some(due_at),
        needs_same_thread_status,
        receipt: None,
        alias: None,
    };
    Ok(ctx.base.store.save(&transition).await?)
}

/// Stores a change of a delivery that has left its lane.
pub(crate) async fn amend(
    ctx: &SettleCtx,
    item: WorkItem,
    story: StoryEntry,
    alias: Option<EventKey>,
) -> Result<Saved, AppError> {
    let transition = Transition {
        story: Some(story),
        leaves_lane: false,
        due_at: item.lane.due_at,
        needs_same_thread_status: false,
        receipt: None,
        alias,
        delivery: item.delivery,
        lane: item.lane,
    };
    Ok(ctx.base.store.save(&transition).await?)
}
