//! What visitors and agents do.

use chat::gate::Signal;
use chat::{Agent, ChatId, ChatVisitor, TrackingId};
use model::{Account, AccountId};
use ports::StreamKey;

use super::cause::Cause;
use super::commit::{End, Kept, carry_out};
use super::list::{Question, answer};
use super::turn::{agents_of, asks_desk, gate, signal};
use super::{AgentAct, Asking, ChatCtx, ChatOutcome, ChatPlan, Enters, Handled, Listener, News, VisitorAct, desk, rules};
use crate::AppError;

/// Does what a connector asks for in one of its threads.
///
/// # Errors
/// [`AppError::UnknownAccount`] if the gateway has no chats, [`AppError::TooLarge`] if something is longer than can be
/// stored, [`AppError::Unavailable`] when it is not known to be done: the connector is expected to repeat the envelope.
pub async fn visitor_event(
    ctx: &ChatCtx,
    account: &Account,
    tracking: &TrackingId,
    act: VisitorAct,
    asking: &Asking,
) -> Result<ChatOutcome, AppError> {
    match &act {
        VisitorAct::Request { visitor, ext_response } => {
            request(ctx, account, tracking, visitor, ext_response.as_deref(), asking).await
        }
        VisitorAct::Start { .. } | VisitorAct::Asks => {
            let anew = Cause::Visitor { account, tracking, act: &VisitorAct::Asks };
            if matches!(&act, VisitorAct::Start { enters: Enters::Chat(_), .. }) {
                rules::settle(ctx, anew.conversation()).await?;
            }
            deal(ctx, &Cause::Visitor { account, tracking, act: &act }, asking, Some(&anew)).await
        }
        VisitorAct::Stop | VisitorAct::Types { .. } | VisitorAct::Speaks(_) | VisitorAct::Confirms(_) => {
            deal(ctx, &Cause::Visitor { account, tracking, act: &act }, asking, None).await
        }
    }
}

/// Does what an agent's client asks for in a chat. `agent` names the workplace where the client is; the caller has proven
/// that it is there. A chat of another desk is unknown.
///
/// # Errors
/// [`AppError::TooLarge`] if something is longer than can be stored, [`AppError::Unavailable`] when it is not known to be
/// done: the client is expected to repeat the envelope.
pub async fn agent_event(
    ctx: &ChatCtx,
    desk: &AccountId,
    agent: &Agent,
    chat: ChatId,
    act: AgentAct,
    asking: &Asking,
) -> Result<ChatOutcome, AppError> {
    let cause = Cause::Agent { desk, agent, chat, act: &act };
    match &act {
        AgentAct::Answers | AgentAct::HangsUp | AgentAct::MarksSpam | AgentAct::Asks => {
            deal(ctx, &cause, asking, Some(&Cause::Agent { desk, agent, chat, act: &AgentAct::Asks })).await
        }
        AgentAct::Returns | AgentAct::Types { .. } | AgentAct::Speaks(_) | AgentAct::Confirms(_) => {
            deal(ctx, &cause, asking, None).await
        }
    }
}

/// Deals with an envelope. `anew` asks again for an answer that was too long to be kept.
async fn deal(ctx: &ChatCtx, cause: &Cause<'_>, asking: &Asking, anew: Option<&Cause<'_>>) -> Result<ChatOutcome, AppError> {
    let turned = carry_out(ctx, cause, asking).await?;
    desk::offer_after(ctx, &turned).await;
    let kept = match turned.end {
        End::Outcome(outcome) => return Ok(outcome),
        End::Repeated(kept) => kept,
    };
    let Some(stream) = cause.asker() else { return Err(AppError::Internal("a repetition that nobody asked")) };
    let handled = repeat(ctx, &stream, kept, asking).await?;
    let Some(anew) = anew.filter(|_| handled.answers.iter().any(|entry| entry.body.is_empty())) else {
        return Ok(ChatOutcome::Done(handled));
    };
    let fresh = Asking { in_reply_to: asking.in_reply_to, ..Asking::default() };
    Ok(match carry_out(ctx, anew, &fresh).await?.end {
        End::Outcome(ChatOutcome::Done(Handled { answers, .. })) => ChatOutcome::Done(Handled { answers, ..handled }),
        End::Outcome(outcome @ (ChatOutcome::Replayed | ChatOutcome::IdReused)) => outcome,
        End::Repeated(_) => ChatOutcome::Done(handled),
    })
}

/// The answer of the first time.
pub(super) async fn repeat(ctx: &ChatCtx, stream: &StreamKey, kept: Kept, asking: &Asking) -> Result<Handled, AppError> {
    // Answers that go to the stream were told there the first time.
    let answers =
        if asking.is_async || kept.entries.is_empty() { Vec::new() } else { ctx.chats.entries(stream, &kept.entries).await? };
    Ok(Handled { answers, is_duplicate: true, refusal: kept.refusal, chat: None })
}

/// `ES_CHAT_REQUEST`: creates no chat, and asks none (5.1 row 1).
async fn request(
    ctx: &ChatCtx,
    account: &Account,
    tracking: &TrackingId,
    visitor: &ChatVisitor,
    ext_response: Option<&str>,
    asking: &Asking,
) -> Result<ChatOutcome, AppError> {
    let Some(plan) = ctx.plans.plan(&account.id).await? else { return Err(AppError::UnknownAccount(account.id.clone())) };
    let signal = signal_now(ctx, &plan, visitor, ext_response).await?;
    let question = Question {
        stream: StreamKey::Gateway(account.id.clone()),
        to: Listener::Gateway(&account.id),
        news: News::Response { tracking, signal, culture: visitor.culture.as_deref() },
        words: plan.words.as_ref(),
        pushed: plan.is_pushed.then_some(&account.id),
    };
    answer(ctx, &question, asking).await
}

/// Whether a chat would be answered now, for a visitor who asks without a connector (5.6). Nothing is stored or told.
///
/// # Errors
/// [`AppError::UnknownAccount`] if the gateway has no chats, [`AppError::Unavailable`] when a backing service is down.
pub async fn ask_gate(
    ctx: &ChatCtx,
    gateway: &AccountId,
    visitor: &ChatVisitor,
    ext_response: Option<&str>,
) -> Result<Signal, AppError> {
    let Some(plan) = ctx.plans.plan(gateway).await? else { return Err(AppError::UnknownAccount(gateway.clone())) };
    signal_now(ctx, &plan, visitor, ext_response).await
}

/// Whether a chat would be answered now.
async fn signal_now(
    ctx: &ChatCtx,
    plan: &ChatPlan,
    visitor: &ChatVisitor,
    ext_response: Option<&str>,
) -> Result<Signal, AppError> {
    if !plan.policy.accepts_inbound {
        return Ok(Signal::Closed);
    }
    let then = gate(plan, visitor, ext_response);
    let agents = match plan.desk.as_ref().filter(|_| asks_desk(plan, &then)) {
        Some(desk) => agents_of(ctx, desk, ctx.clock.now()).await?,
        None => Vec::new(),
    };
    Ok(signal(plan, &then, &agents))
}
