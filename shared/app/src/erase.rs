//! Erasing a person by the thread of their chats or by their address (FrontStage contract, section 12).
//!
//! In this order, so that whatever is interrupted can be begun anew: what is found goes last.
//!
//! 1. Their conversations are looked for, and chats of theirs that go on are closed.
//! 2. What leads to the conversations from elsewhere is erased.
//! 3. The conversations are.
//!
//! A delivery on its way needs no state of its own: it is deleted with its lane, and whoever comes to it, a worker, a timer or an
//! acknowledgement, finds nothing to do.

use std::collections::BTreeSet;
use std::sync::Arc;

use chat::ChatId;
use model::{Account, ConversationId, EpochMillis};
use ports::{Erased, Erasing, Erasure, Identity, PersonFound};
use serde::{Deserialize, Serialize};
use tracing::info;

use crate::AppError;
use crate::chats::{Asking, ChatCtx, VisitorAct, conversation_of, visitor_event};

/// What erasing needs.
#[derive(Clone)]
pub struct EraseCtx {
    /// What is stored.
    pub erasure: Arc<dyn Erasure>,
    /// Chats that go on are closed first.
    pub chats: ChatCtx,
}

/// Whom to erase.
#[derive(Debug, Clone, Copy)]
pub struct Whom<'a> {
    /// The account on which they are known.
    pub account: &'a Account,
    /// Who.
    pub identity: &'a Identity,
    /// How a text stands in the body of a stream's entry.
    pub written: fn(&str) -> Vec<u8>,
    /// Whether it is only counted.
    pub is_dry: bool,
}

/// How far it came: for whoever goes on with it. Holds no name of the person, but a place in the table, which may be anybody's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EraseProgress {
    /// Hash of whom it is about.
    of: ConversationId,
    step: EraseStep,
    conversations: BTreeSet<ConversationId>,
    place: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EraseStep {
    Finds,
    Elsewhere,
    Conversations,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasedSoFar {
    /// What was erased in this go, or would be.
    pub erased: Erased,
    /// Chats that were closed first, or would be.
    pub closed: u64,
    /// Where to go on; `None` when everything is done.
    pub next: Option<EraseProgress>,
}

/// Erases a person, up to `until`: then it stops after the step that is under way. `None` if `from` is of somebody else.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down: what was erased stays erased, and beginning anew does the rest.
pub async fn erase(
    ctx: &EraseCtx,
    whom: &Whom<'_>,
    from: Option<EraseProgress>,
    until: EpochMillis,
) -> Result<Option<ErasedSoFar>, AppError> {
    let of = name_of(whom);
    let first = || EraseProgress { of, step: EraseStep::Finds, conversations: derived(whom), place: None };
    let mut at = from.unwrap_or_else(first);
    if at.of != of {
        return Ok(None);
    }
    let mut so_far = ErasedSoFar { erased: Erased::default(), closed: 0, next: None };
    loop {
        let is_done = go_on(ctx, whom, &mut at, &mut so_far).await?;
        if is_done {
            break;
        }
        if ctx.chats.clock.now() >= until {
            so_far.next = Some(at);
            break;
        }
    }
    let (id, Erased { chats, conversations, messages, forms, .. }) = (&whom.account.id, so_far.erased);
    let what = if whom.is_dry { "counted" } else { "erased" };
    let counts = format!("{chats} chats, {conversations} conversations, {messages} messages, {forms} forms");
    info!(account.id = %id, "{what} a person of {id}: {counts}");
    Ok(Some(so_far))
}

/// Does the next page. Whether it was the last one.
async fn go_on(ctx: &EraseCtx, whom: &Whom<'_>, at: &mut EraseProgress, so_far: &mut ErasedSoFar) -> Result<bool, AppError> {
    match at.step {
        EraseStep::Finds => {
            let (found, next) = ctx.erasure.find(&whom.account.id, whom.identity, at.place.as_deref()).await?;
            for person in found {
                if person.is_open {
                    so_far.closed += 1;
                    close(ctx, whom, &person).await?;
                }
                at.conversations.insert(person.conversation);
                // Where its thread leads to it from.
                at.conversations.extend(person.tracking.as_ref().map(|tracking| conversation_of(whom.account, tracking)));
            }
            at.go(next, EraseStep::Elsewhere);
        }
        EraseStep::Elsewhere => {
            let marks: Vec<_> = at.conversations.iter().filter_map(|id| mark(*id)).collect();
            let own_marks = names(ctx, whom, &at.conversations).await?;
            let what = Erasing {
                account: &whom.account.id,
                identity: whom.identity,
                conversations: &at.conversations,
                marks: &marks,
                own_marks: &own_marks,
                is_dry: whom.is_dry,
            };
            let (erased, next) = ctx.erasure.erase_elsewhere(&what, at.place.as_deref()).await?;
            so_far.erased += erased;
            at.go(next, EraseStep::Conversations);
        }
        EraseStep::Conversations => {
            let Some(conversation) = at.conversations.pop_first() else { return Ok(true) };
            so_far.erased += ctx.erasure.erase_conversation(conversation, whom.is_dry).await?;
            return Ok(at.conversations.is_empty());
        }
    }
    Ok(false)
}

/// By what the account's own stream names the person: as whom they are erased, and the threads of their chats, which are read as
/// long as they are there.
async fn names(ctx: &EraseCtx, whom: &Whom<'_>, conversations: &BTreeSet<ConversationId>) -> Result<Vec<Vec<u8>>, AppError> {
    let mut names = vec![(whom.written)(name(whom.identity))];
    for conversation in conversations {
        let found = ctx.chats.chats.chat(*conversation, None).await?;
        let tracking = found.and_then(|(record, _)| record.chat.tracking);
        names.extend(tracking.map(|tracking| (whom.written)(tracking.as_str())));
    }
    Ok(names)
}

fn name(identity: &Identity) -> &str {
    match identity {
        Identity::Tracking(tracking) => tracking.as_str(),
        Identity::Address(address) => address,
    }
}

impl EraseProgress {
    fn go(&mut self, next: Option<String>, then: EraseStep) {
        if next.is_none() {
            self.step = then;
        }
        self.place = next;
    }
}

/// Closes a chat as if its visitor had left, so that nobody goes on waiting in it. A prepared chat has no visitor yet.
async fn close(ctx: &EraseCtx, whom: &Whom<'_>, person: &PersonFound) -> Result<(), AppError> {
    let Some(tracking) = person.tracking.as_ref().filter(|_| !whom.is_dry) else { return Ok(()) };
    match visitor_event(&ctx.chats, whom.account, tracking, VisitorAct::Stop, &Asking::default()).await {
        // Without chats configured nobody goes on with it either.
        Ok(_) | Err(AppError::UnknownAccount(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The conversations that the person has if they have any: by what their ids are derived from.
fn derived(whom: &Whom<'_>) -> BTreeSet<ConversationId> {
    let account = whom.account;
    BTreeSet::from([match whom.identity {
        Identity::Tracking(tracking) => conversation_of(account, tracking),
        Identity::Address(address) => ConversationId::derive(&account.salt, &account.id, address),
    }])
}

/// A name of the person that says nothing about them.
fn name_of(whom: &Whom<'_>) -> ConversationId {
    let kind = match whom.identity {
        Identity::Tracking(_) => "tracking",
        Identity::Address(_) => "address",
    };
    let text = name(whom.identity);
    ConversationId::derive(&whom.account.salt, &whom.account.id, &format!("erase:{kind}:{text}"))
}

/// What every id of a chat or of a message of a conversation begins with, as it is written: 78 of the 80 bits that name the
/// conversation.
fn mark(conversation: ConversationId) -> Option<Vec<u8>> {
    Some(ChatId::new(conversation, 1)?.to_string().into_bytes().into_iter().take(25).collect())
}
