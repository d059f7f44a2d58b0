//! Who is there to answer, and chats that wait for them.

use std::sync::Arc;
use std::time::Duration;

use chat::desk::{AgentView, Presence};
use chat::{AgentId, Workplace};
use model::{AccountId, ConversationId, EpochMillis};
use ports::{AgentSeen, ChatRecord};
use tracing::warn;

use super::cause::Cause;
use super::commit::{End, Turned, carry_out};
use super::{Asking, ChatCtx, ChatOutcome};
use crate::AppError;

/// An agent whose client is not heard of for this long counts as logged out.
const AWAY: Duration = Duration::from_secs(60);

/// How often it is stored that an agent's client was heard of.
const NOTED: Duration = Duration::from_secs(20);

/// Waiting chats that are looked at when somebody may be free. The others wait for the next look at themselves, or for
/// somebody else.
const LOOKED_AT: usize = 10;

/// The configured agents as they are.
pub(super) fn seen(configured: &[AgentView], there: &[AgentSeen], now: EpochMillis) -> Vec<AgentView> {
    let view = |configured: &AgentView| {
        let found = there.iter().find(|agent| agent.id == configured.id);
        let presence = found.filter(|agent| is_there(agent, now)).map_or(Presence::LoggedOut, |agent| agent.presence.clone());
        AgentView { presence, chats: found.map_or(0, |agent| agent.chats), ..configured.clone() }
    };
    configured.iter().map(view).collect()
}

fn is_there(agent: &AgentSeen, now: EpochMillis) -> bool {
    agent.presence != Presence::LoggedOut && now.since(agent.seen_at) < AWAY
}

const fn workplace_of(presence: &Presence) -> Option<&Workplace> {
    match presence {
        Presence::LoggedOut => None,
        Presence::Paused { workplace } | Presence::Ready { workplace, .. } => Some(workplace),
    }
}

/// An agent's client has come to a workplace, and takes chats. Whoever was there before is logged out. Once more for
/// somebody who is there already it only says that they still are. The caller has proven that the agent may be there.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be stored.
pub async fn log_in(ctx: &ChatCtx, desk: &AccountId, agent: &AgentId, workplace: &Workplace) -> Result<(), AppError> {
    let now = ctx.clock.now();
    let there = ctx.chats.agents(desk).await?;
    for other in there.iter().filter(|other| other.id != *agent && workplace_of(&other.presence) == Some(workplace)) {
        ctx.chats.note_presence(desk, &other.id, &Presence::LoggedOut, now).await?;
    }
    let is_ready = |own: &AgentSeen| matches!(&own.presence, Presence::Ready { workplace: at, .. } if at == workplace);
    if there.iter().any(|own| own.id == *agent && is_ready(own) && is_there(own, now)) {
        return Ok(ctx.chats.note_seen(desk, agent, workplace, now).await?);
    }
    let presence = Presence::Ready { workplace: workplace.clone(), idle_since: now };
    ctx.chats.note_presence(desk, agent, &presence, now).await?;
    offer(ctx, desk, LOOKED_AT).await;
    Ok(())
}

/// An agent leaves. Chats they have stay theirs.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be stored.
pub async fn log_out(ctx: &ChatCtx, desk: &AccountId, agent: &AgentId) -> Result<(), AppError> {
    Ok(ctx.chats.note_presence(desk, agent, &Presence::LoggedOut, ctx.clock.now()).await?)
}

/// The client at a workplace polls: whoever is logged in there still is. Returns who that is.
///
/// # Errors
/// [`AppError::Unavailable`] when it cannot be read or is not known to be stored.
pub async fn note_poll(ctx: &ChatCtx, desk: &AccountId, workplace: &Workplace) -> Result<Option<AgentId>, AppError> {
    let now = ctx.clock.now();
    let there = ctx.chats.agents(desk).await?;
    let Some(agent) = there.into_iter().find(|agent| workplace_of(&agent.presence) == Some(workplace)) else { return Ok(None) };
    if now.since(agent.seen_at) >= NOTED {
        ctx.chats.note_seen(desk, &agent.id, workplace, now).await?;
    }
    if !is_there(&agent, now) {
        offer(ctx, desk, LOOKED_AT).await;
    }
    Ok(Some(agent.id))
}

/// If an agent is rid of a chat by a turn, they may take the next one.
pub(super) async fn offer_after(ctx: &ChatCtx, turned: &Turned) {
    if let Some(desk) = &turned.freed {
        offer(ctx, desk, 1).await;
    }
}

/// Offers waiting chats of a desk, at most `limit` of them. Whatever called for it is done already; so if this fails, the
/// chats are offered when they are looked at next, ten seconds later at most.
async fn offer(ctx: &ChatCtx, desk: &AccountId, limit: usize) {
    if let Err(error) = try_to_offer(ctx, desk, limit).await {
        warn!(account.id = %desk, "waiting chats of {desk} not offered: {error}");
    }
}

/// Offers the chat of a conversation if it waits, and returns it as it is then. If that fails, it is offered when it is
/// looked at next.
pub(super) async fn offer_one(ctx: &ChatCtx, conversation: ConversationId) -> Option<Arc<ChatRecord>> {
    match carry_out(ctx, &Cause::Offer { conversation }, &Asking::default()).await {
        Ok(Turned { end: End::Outcome(ChatOutcome::Done(handled)), .. }) => handled.chat,
        Ok(_) => None,
        Err(error) => {
            warn!(conversation.id = %conversation, "chat of {conversation} not offered: {error}");
            None
        }
    }
}

async fn try_to_offer(ctx: &ChatCtx, desk: &AccountId, limit: usize) -> Result<(), AppError> {
    let mut offered = 0;
    for conversation in ctx.chats.waiting(desk, LOOKED_AT).await? {
        if offered == limit {
            break;
        }
        if carry_out(ctx, &Cause::Offer { conversation }, &Asking::default()).await?.is_offered {
            offered += 1;
        }
    }
    Ok(())
}
