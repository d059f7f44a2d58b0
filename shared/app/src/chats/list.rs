//! What is answered without touching a chat: lists after an interruption (5.5), and the streams themselves (10.3).

use std::time::Duration;

use bytes::Bytes;
use chat::{Agent, Asker};
use model::{AccountId, EpochMillis};
use ports::{PortError, StreamEntry, StreamKey, StreamPage, StreamRead};

use super::commit::{End, KEPT_ANSWER, Kept, Unused, guards};
use super::time::before;
use super::visit::repeat;
use super::{Asking, ChatCtx, ChatOutcome, ChatWords, Handled, Listener, News, Telling, push};
use crate::AppError;

/// After this long, what is volatile is worth nothing (10.3).
const VOLATILE: Duration = Duration::from_secs(10);

/// `ES_CHAT_RESYNC`: the chats of a gateway.
///
/// # Errors
/// [`AppError::UnknownAccount`] if the gateway has no chats, [`AppError::Unavailable`] when a backing service is down.
pub async fn gateway_list(ctx: &ChatCtx, gateway: &AccountId, asking: &Asking) -> Result<ChatOutcome, AppError> {
    let Some(plan) = ctx.plans.plan(gateway).await? else { return Err(AppError::UnknownAccount(gateway.clone())) };
    let now = ctx.clock.now();
    let mut records = ctx.chats.of_gateway(gateway, plan.list_recently.map(|within| before(now, within))).await?;
    let asker = Asker::Gateway(gateway.clone());
    records.retain(|record| record.chat.is_listed(&asker, plan.list_recently, now));
    let question = Question {
        stream: StreamKey::Gateway(gateway.clone()),
        to: Listener::Gateway(gateway),
        news: News::List(&records),
        words: plan.words.as_ref(),
        pushed: plan.is_pushed.then_some(gateway),
    };
    answer(ctx, &question, asking).await
}

/// `ES_SCENARIO_LOAD`, `ES_WS_ROUTING`, `ES_WS_LITERALS_GET`: what is configured for a gateway that has a stream. `words` say it;
/// `is_pushed` is whether its connector is pushed its stream.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down.
pub async fn gateway_configuration(
    ctx: &ChatCtx,
    gateway: &AccountId,
    words: &dyn ChatWords,
    is_pushed: bool,
    asking: &Asking,
) -> Result<ChatOutcome, AppError> {
    let question = Question {
        stream: StreamKey::Gateway(gateway.clone()),
        to: Listener::Gateway(gateway),
        news: News::Configuration,
        words,
        pushed: is_pushed.then_some(gateway),
    };
    answer(ctx, &question, asking).await
}

/// `CS_CHAT_RESYNC`: the chats that an agent is offered or has. It is also how an agent logs in: see [`super::log_in`].
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down.
pub async fn agent_list(
    ctx: &ChatCtx,
    desk: &AccountId,
    agent: &Agent,
    words: &dyn ChatWords,
    asking: &Asking,
) -> Result<ChatOutcome, AppError> {
    let now = ctx.clock.now();
    let mut records = ctx.chats.of_agent(desk, &agent.id).await?;
    let asker = Asker::Agent(agent.id.clone());
    records.retain(|record| record.chat.is_listed(&asker, None, now));
    let question = Question {
        stream: StreamKey::Workplace(desk.clone(), agent.workplace.clone()),
        to: Listener::Agent { desk, agent },
        news: News::List(&records),
        words,
        pushed: None,
    };
    answer(ctx, &question, asking).await
}

/// A question that touches no chat, and its answer.
pub(super) struct Question<'a> {
    pub(super) stream: StreamKey,
    pub(super) to: Listener<'a>,
    pub(super) news: News<'a>,
    pub(super) words: &'a dyn ChatWords,
    /// The gateway whose stream it is, if that is pushed.
    pub(super) pushed: Option<&'a AccountId>,
}

/// Gives the answer its number, and keeps it. One that is too long to be kept is given anew to a repetition.
pub(super) async fn answer(ctx: &ChatCtx, question: &Question<'_>, asking: &Asking) -> Result<ChatOutcome, AppError> {
    let now = ctx.clock.now();
    let pushed = question.pushed.filter(|_| asking.is_async);
    let seq = number(ctx, &question.stream, pushed, now).await?;
    let telling = Telling { to: question.to, news: question.news, seq, at: now, in_reply_to: asking.in_reply_to };
    let body = question.words.tell(&telling).unwrap_or_default();
    let answer = StreamEntry { seq, at: now, is_delivered: !asking.is_async, is_volatile: false, offer: None, body };
    let is_kept = asking.is_async || answer.body.len() <= KEPT_ANSWER;
    let entry = if is_kept { answer.clone() } else { StreamEntry { body: Bytes::new(), ..answer.clone() } };
    let told = [(question.stream.clone(), entry)];
    let guards = guards(asking, &Kept { entries: vec![seq], refusal: None });
    let told_now = ctx.chats.tell(&told, &guards, now).await?;
    if let Some(gateway) = pushed {
        push::wake(ctx.pushes.as_ref(), gateway, Duration::ZERO).await;
    }
    let Some(refusal) = told_now else {
        let answers = if asking.is_async { Vec::new() } else { vec![answer] };
        return Ok(ChatOutcome::Done(Handled { answers, ..Handled::default() }));
    };
    let mut unused = Unused::default();
    unused.add(&told);
    unused.tell(ctx).await;
    let kept = match End::of_guard(refusal)? {
        End::Outcome(outcome) => return Ok(outcome),
        End::Repeated(kept) => kept,
    };
    let mut handled = repeat(ctx, &question.stream, kept, asking).await?;
    for first in handled.answers.iter_mut().filter(|first| first.body.is_empty()) {
        let telling = Telling { seq: first.seq, at: first.at, ..telling };
        first.body = question.words.tell(&telling).unwrap_or_default();
    }
    Ok(ChatOutcome::Done(handled))
}

/// The next number of a stream; if that is to be pushed to this gateway, it becomes due by it.
async fn number(ctx: &ChatCtx, stream: &StreamKey, pushed: Option<&AccountId>, now: EpochMillis) -> Result<u64, PortError> {
    match pushed {
        Some(gateway) => ctx.chats.reserve_pushed(gateway, 1, now, push::due_after(now)).await,
        None => ctx.chats.reserve(stream, 1, now).await,
    }
}

/// Tells a gateway, through its stream, something that is about no chat of it: an answer that it wants later. `body` puts it
/// into the platform's words under its number.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be told.
pub async fn tell_gateway(
    ctx: &ChatCtx,
    gateway: &AccountId,
    is_pushed: bool,
    body: &(dyn Fn(u64) -> Bytes + Sync),
) -> Result<(), AppError> {
    let (now, stream) = (ctx.clock.now(), StreamKey::Gateway(gateway.clone()));
    let seq = number(ctx, &stream, is_pushed.then_some(gateway), now).await?;
    let entry = StreamEntry { seq, at: now, is_delivered: false, is_volatile: false, offer: None, body: body(seq) };
    ctx.chats.tell(&[(stream, entry)], &[], now).await?;
    if is_pushed {
        push::wake(ctx.pushes.as_ref(), gateway, Duration::ZERO).await;
    }
    Ok(())
}

/// A page of a stream. What is volatile and too old comes with an empty body, as what was never told does.
///
/// # Errors
/// [`AppError::Unavailable`] when it cannot be read.
pub async fn read_stream(ctx: &ChatCtx, stream: &StreamKey, after: u64, max: usize) -> Result<StreamRead, AppError> {
    let now = ctx.clock.now();
    Ok(match ctx.chats.read(stream, after, max, now).await? {
        StreamRead::Page(page) => {
            let fresh = |mut entry: StreamEntry| {
                if entry.is_volatile && now.since(entry.at) >= VOLATILE {
                    entry.body = Bytes::new();
                }
                entry
            };
            StreamRead::Page(StreamPage { entries: page.entries.into_iter().map(fresh).collect(), ..page })
        }
        StreamRead::Expired { next } => StreamRead::Expired { next },
    })
}
