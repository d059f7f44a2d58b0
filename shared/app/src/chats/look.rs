//! What those see of a chat who are told nothing and look at it themselves: browsers and screens.

use chat::{Chat, Direction, SentenceId, State, TrackingId};
use model::Account;
use ports::ChatRecord;

use super::{ChatCtx, conversation_of};
use crate::AppError;

/// Sentences looked at in one read.
const PAGE: u64 = 50;

/// The chat of a thread as it is stored: one read. `None` if there is none, or none that is still kept.
///
/// # Errors
/// [`AppError::Unavailable`] when it cannot be read.
pub async fn visitor_chat(ctx: &ChatCtx, account: &Account, tracking: &TrackingId) -> Result<Option<ChatRecord>, AppError> {
    let found = ctx.chats.chat(conversation_of(account, tracking), None).await?;
    let now = ctx.clock.now();
    // The table's clean-up may be days late.
    let is_kept = |chat: &Chat| !matches!(chat.state, State::Closed { at, .. } if at.plus(ctx.kept) <= now);
    Ok(found.map(|(record, _)| record).filter(|record| is_kept(&record.chat)))
}

/// The ids of what was said to the visitor up to a counter and is not confirmed, the oldest first. As that is the order in which
/// they are to be confirmed, all that comes before a confirmed one is confirmed.
///
/// # Errors
/// [`AppError::Unavailable`] when they cannot be read.
pub async fn unconfirmed(ctx: &ChatCtx, chat: &Chat, counter: u64) -> Result<Vec<SentenceId>, AppError> {
    let oldest = *chat.transcript().start();
    let mut last = counter.min(chat.counter);
    let mut ids: Vec<SentenceId> = Vec::new();
    while last >= oldest {
        let first = oldest.max((last + 1).saturating_sub(PAGE));
        let page = ctx.chats.sentences(chat.id, first, last).await?;
        for sentence in page.into_iter().rev().filter(|sentence| sentence.direction == Direction::Outbound) {
            if sentence.confirmed_at.is_some() {
                ids.reverse();
                return Ok(ids);
            }
            if !ids.contains(&sentence.id) {
                ids.push(sentence.id);
            }
        }
        last = first - 1;
    }
    ids.reverse();
    Ok(ids)
}
