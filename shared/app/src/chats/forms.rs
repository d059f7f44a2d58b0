//! Forms that visitors fill in, in a chat or without one (FrontStage contract, 3.1 `ES_SCENARIO_SAVE`, 4.3).

use std::time::Duration;

use chat::{ChatId, Refusal, ResultId, merge_answers};
use model::{AccountId, EpochMillis};
use ports::{ChatSaved, PortError, ResultChange, StoredResult};

use super::cause::Cause;
use super::commit::{End, Kept, carry_out, guards};
use super::{Asking, ChatCtx, ChatOutcome, FilledForm};
use crate::AppError;

/// How often a change is made again after somebody else changed the same form.
const RACES: usize = 8;

/// What became of a filled-in form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SavedForm {
    /// It is stored.
    Saved {
        /// Under this id.
        id: ResultId,
        /// Whether it had been stored before.
        is_duplicate: bool,
    },
    /// The stored result that it names is not one of this form and gateway.
    UnknownResult,
    /// The chat that it names is not one of this gateway.
    UnknownChat,
    /// A guard was used before: the request is a repetition of somebody else's making.
    Replayed,
    /// The same envelope id was used for something else (10.6, `IdReused`).
    IdReused,
}

/// Whether a gateway has a stored result of this id that a filled-in form may change.
///
/// # Errors
/// [`AppError::Unavailable`] when it cannot be read.
pub async fn has_result(ctx: &ChatCtx, gateway: &AccountId, filled: &FilledForm) -> Result<bool, AppError> {
    let Some(id) = &filled.changes else { return Ok(true) };
    let stored = ctx.chats.result(gateway, id, ctx.clock.now()).await?;
    Ok(may_change(filled, stored.as_ref()))
}

/// Whether what is stored is what a filled-in form says that it changes.
fn may_change(filled: &FilledForm, stored: Option<&StoredResult>) -> bool {
    filled.changes.is_none() || stored.is_some_and(|stored| stored.form == filled.form)
}

/// Stores a filled-in form, and attaches it to the chat that it names. Nothing is stored where the chat or the result that it
/// names is not the gateway's.
///
/// # Errors
/// [`AppError::TooLarge`] if the answers are longer than can be stored, [`AppError::Unavailable`] when it is not known to be
/// stored: the sender is expected to repeat it.
pub async fn save_form(
    ctx: &ChatCtx,
    gateway: &AccountId,
    filled: &FilledForm,
    chat: Option<ChatId>,
    asking: &Asking,
) -> Result<SavedForm, AppError> {
    let id = filled.changes.clone().unwrap_or_else(|| filled.id.clone());
    let Some(chat) = chat else { return save_alone(ctx, gateway, filled, id, asking).await };
    if !has_result(ctx, gateway, filled).await? {
        return Ok(SavedForm::UnknownResult);
    }
    let saved = |is_duplicate| SavedForm::Saved { id: id.clone(), is_duplicate };
    Ok(match carry_out(ctx, &Cause::Form { gateway, chat, filled }, asking).await?.end {
        End::Outcome(ChatOutcome::Done(handled)) => judged(handled.refusal, saved(handled.is_duplicate)),
        End::Repeated(kept) => judged(kept.refusal, saved(true)),
        End::Outcome(ChatOutcome::Replayed) => SavedForm::Replayed,
        End::Outcome(ChatOutcome::IdReused) => SavedForm::IdReused,
    })
}

/// The one refusal that there is for a form: no such chat.
fn judged(refusal: Option<Refusal>, otherwise: SavedForm) -> SavedForm {
    if refusal.is_some() { SavedForm::UnknownChat } else { otherwise }
}

async fn save_alone(
    ctx: &ChatCtx,
    gateway: &AccountId,
    filled: &FilledForm,
    id: ResultId,
    asking: &Asking,
) -> Result<SavedForm, AppError> {
    let guards = guards(asking, &Kept::default());
    for _ in 0..RACES {
        let now = ctx.clock.now();
        let before = ctx.chats.result(gateway, &id, now).await?;
        if !may_change(filled, before.as_ref()) {
            return Ok(SavedForm::UnknownResult);
        }
        let saved = match change(gateway, id.clone(), before, filled, false, (now, ctx.kept)) {
            Some(change) => ctx.chats.save_result(&change, &guards, now).await?,
            // It says what is stored already: only the request is remembered.
            None => ctx.chats.tell(&[], &guards, now).await?.map_or(ChatSaved::Yes, ChatSaved::Refused),
        };
        return Ok(match saved {
            ChatSaved::Yes => SavedForm::Saved { id, is_duplicate: false },
            ChatSaved::Conflict | ChatSaved::AgentTaken(_) | ChatSaved::Stale(_) => continue,
            ChatSaved::Refused(refusal) => match End::of_guard(refusal)? {
                End::Repeated(_) => SavedForm::Saved { id, is_duplicate: true },
                End::Outcome(ChatOutcome::Replayed | ChatOutcome::Done(_)) => SavedForm::Replayed,
                End::Outcome(ChatOutcome::IdReused) => SavedForm::IdReused,
            },
        });
    }
    Err(AppError::Unavailable(PortError::Busy))
}

/// What is to be stored of a filled-in form; `None` if that is stored already.
pub(super) fn change(
    gateway: &AccountId,
    id: ResultId,
    before: Option<StoredResult>,
    filled: &FilledForm,
    merges: bool,
    (now, kept): (EpochMillis, Duration),
) -> Option<ResultChange> {
    let expected_rev = before.as_ref().map(|before| before.rev);
    let (mut answers, mut memo) = (filled.answers.clone(), filled.memo.clone());
    if let Some(before) = before.as_ref().filter(|_| merges) {
        answers = merge_answers(before.answers.clone(), answers);
        memo = before.memo.clone().into_iter().chain(memo).collect();
    }
    let task = filled.task.clone().or_else(|| before.as_ref()?.task.clone());
    let is_same = |before: &StoredResult| (&before.answers, &before.memo, &before.task) == (&answers, &memo, &task);
    if before.as_ref().is_some_and(is_same) {
        return None;
    }
    let result = StoredResult {
        id,
        gateway: gateway.clone(),
        form: filled.form.clone(),
        chat: before.and_then(|before| before.chat),
        answers,
        memo,
        task,
        filled_at: filled.filled_at,
        saved_at: now,
        kept_until: now.plus(kept),
        rev: expected_rev.unwrap_or_default() + 1,
    };
    Some(ResultChange { result, expected_rev })
}
