//! A platform reports how a thread, an installation or a message is doing.

use std::time::Duration;

use model::{
    AccountId, DeliverTask, DeliveryContent, DeliveryKey, EventKey, LaneKey, MessageId, ReceiptStatus, RemoteStatus, StaffTask,
};
use ports::{LaneSelector, NotedReceipt, PartNotes, ReceiptOutcome, Saved, StatusStore, ThreadNote, WorkItem};

use crate::accept::messages_lane;
use crate::{AppError, Ctx};

/// How long a status is kept for a thread or an installation nobody knows yet: the webhook may outrun the answer to
/// our own create call (vcita contract, section 5, answer table).
pub const PARK_STATUS: Duration = Duration::from_secs(15 * 60);

/// No delivery is parked for longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(20 * 60);

/// Lanes that are woken at once when an installation becomes active; the rest looks again by itself.
const MOST_WAITING: usize = 1000;

/// Stores the status of a thread that `account` was told, and wakes what waits for it, in order. If it is gone for good and its
/// conversation is a chat, that ends as if the desk had ended it: whether it is one is found out where chats are known.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be stored.
pub async fn note_thread(
    ctx: &Ctx<dyn StatusStore>,
    account: &AccountId,
    thread: &str,
    status: RemoteStatus,
) -> Result<ThreadNote, AppError> {
    let now = ctx.clock.now();
    let note = ctx.store.note_thread(account, thread, status, now, PARK_STATUS).await?;
    let ended = match &note {
        ThreadNote::Noted(lane) if status == RemoteStatus::Deleted => Some((lane, now)),
        // Whoever says it again may not have been heard to the end the first time.
        ThreadNote::Gone { lane, since } if status == RemoteStatus::Deleted => Some((lane, *since)),
        ThreadNote::Noted(_) | ThreadNote::Gone { .. } | ThreadNote::Parked => None,
    };
    if let Some((LaneKey { recipient, conversation, .. }, at)) = ended {
        let ended = StaffTask::EndedV1 { account: recipient.clone(), conversation: *conversation, at };
        ctx.queue.staff(&ended).await?;
    }
    if let ThreadNote::Noted(lane) = &note {
        let lane = messages_lane(lane.conversation, lane.recipient.clone());
        ctx.queue.deliver(&[(DeliverTask::V1 { lane, entry: None, put_off: 0, due: None }, Duration::ZERO)]).await?;
    }
    Ok(note)
}

/// Stores the status of an account's installation, and wakes what waits for it to become active. `is_known` says whether
/// this is the account's installation; otherwise the status is only parked.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be stored.
pub async fn note_installation(
    ctx: &Ctx<dyn StatusStore>,
    account: &AccountId,
    installation: &str,
    status: RemoteStatus,
    is_known: bool,
) -> Result<Saved, AppError> {
    let keep = (!is_known).then_some(PARK_STATUS);
    let now = ctx.clock.now();
    let saved = ctx.store.note_installation(account, installation, status, now, keep).await?;
    if saved == Saved::Yes && is_known && status == RemoteStatus::Active {
        // Everything that waits is in the index of due lanes. Installations become active rarely enough to look there.
        let waiting = ctx.store.due(now.plus(LONGEST_WAIT), MOST_WAITING).await?;
        let tasks: Vec<_> = waiting
            .into_iter()
            .filter(|(lane, _)| lane.recipient == *account)
            .map(|(lane, _)| (DeliverTask::V1 { lane, entry: None, put_off: 0, due: None }, Duration::ZERO))
            .collect();
        for call in tasks.chunks(10) {
            ctx.queue.deliver(call).await?;
        }
    }
    Ok(saved)
}

/// Stores what a desk reports about a message it was given. Ranks only rise. If the message is a sentence of a chat that the
/// desk's people have been shown, the chat hears of it.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be stored.
pub async fn note_receipt(
    ctx: &Ctx<dyn StatusStore>,
    account: &AccountId,
    message: MessageId,
    status: ReceiptStatus,
) -> Result<ReceiptOutcome, AppError> {
    let delivery = DeliveryKey { message, recipient: account.clone(), content: DeliveryContent::Message };
    let NotedReceipt { outcome, sentence } = ctx.store.note_receipt(&delivery, status).await?;
    // No news, too: whoever says it again may not have been heard to the end the first time.
    if let (ReceiptStatus::Delivered | ReceiptStatus::Read, Some(sentence)) = (status, sentence) {
        let conversation = message.conversation();
        ctx.queue.staff(&StaffTask::HasV1 { account: account.clone(), conversation, sentence }).await?;
    }
    Ok(outcome)
}

/// Stores what a desk reports about one part of a message it was given in several, and what follows for the whole.
/// `whole` says that from what is known of all parts. A repetition stores nothing new but what a lost answer left undone.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be stored.
pub async fn note_part(
    ctx: &Ctx<dyn StatusStore>,
    account: &AccountId,
    message: MessageId,
    (part, status): (&str, ReceiptStatus),
    whole: &(dyn Fn(&PartNotes) -> Option<ReceiptStatus> + Sync),
) -> Result<ReceiptOutcome, AppError> {
    let delivery = DeliveryKey { message, recipient: account.clone(), content: DeliveryContent::Message };
    let Some(told) = ctx.store.note_part(&delivery, part, status).await? else { return Ok(ReceiptOutcome::Unknown) };
    match whole(&told) {
        Some(status) => note_receipt(ctx, account, message, status).await,
        None => Ok(ReceiptOutcome::NoNews),
    }
}

/// Whether `account` has been given this message, or is about to be.
///
/// # Errors
/// [`AppError::Unavailable`] when it cannot be read.
pub async fn has_delivery(
    ctx: &Ctx<dyn StatusStore>,
    account: &AccountId,
    message: MessageId,
    content: DeliveryContent,
) -> Result<bool, AppError> {
    Ok(find_delivery(ctx, account, message, content).await?.is_some())
}

/// The delivery of a message to `account`, with the message.
///
/// # Errors
/// [`AppError::Unavailable`] when it cannot be read.
pub async fn find_delivery(
    ctx: &Ctx<dyn StatusStore>,
    account: &AccountId,
    message: MessageId,
    content: DeliveryContent,
) -> Result<Option<WorkItem>, AppError> {
    let key = DeliveryKey { message, recipient: account.clone(), content };
    Ok(ctx.store.work(&key.lane(), LaneSelector::Entry(key.entry()), None, ctx.clock.now()).await?)
}

/// Whether one of these events of `account` was stored.
///
/// # Errors
/// [`AppError::Unavailable`] when it cannot be read.
pub async fn has_event(ctx: &Ctx<dyn StatusStore>, account: &AccountId, events: &[EventKey]) -> Result<bool, AppError> {
    for event in events {
        if ctx.store.event(account, event, ctx.clock.now()).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
