//! A message comes in: stored with its deliveries in one transaction, then enqueued.

use std::time::Duration;

use model::{
    Account, AccountId, Author, Conversation, ConversationId, DeliverTask, Delivery, DeliveryContent, DeliveryKey, DeskMessage,
    Directory, EpochMillis, EventKey, LaneKey, LaneKind, Message, MessageDetails, MessageId, ReceiptStatus, RemoteStatus,
    Visitor, VisitorMessage,
};
use ports::{AcceptOutcome, Acceptance, Guard, GuardRefusal, InboundStore, NewDelivery};
use tracing::warn;

use crate::{AppError, Ctx, SWEEP_GRACE};

/// How often an acceptance is tried again after somebody else wrote to the same conversation.
const RACES: usize = 8;

/// What became of an inbound message.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// Stored under this id.
    Stored(MessageId),
    /// It had been stored before, under this id.
    Duplicate(MessageId),
    /// A guard refused; nothing was stored.
    Refused(GuardRefusal),
}

/// The desk's side of a conversation as it was found.
struct DeskContext {
    conversation: Conversation,
    installation: Option<RemoteStatus>,
}

/// Stores a visitor's message and enqueues its relay to the desk that the tenant's rules choose.
///
/// `guards` makes the conditions to store with it, given the id the message gets.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be stored and enqueued: the platform is expected to repeat.
pub async fn accept_visitor(
    ctx: &Ctx<dyn InboundStore>,
    directory: &Directory,
    account: &Account,
    message: VisitorMessage,
    guards: &(dyn Fn(MessageId) -> Vec<Guard> + Sync),
) -> Result<Accepted, AppError> {
    let desk = directory.desk_for(&account.tenant, &account.id);
    let (accepted, has_desk) = accept_to(ctx, Author::Visitor, desk, account, message, guards).await?;
    if let (Accepted::Stored(id), false) = (&accepted, has_desk) {
        warn!(message.id = %id, account.id = %account.id, "message {id} has no desk");
    }
    Ok(accepted)
}

/// Stores what a user of the account said to the account itself, and enqueues its delivery there: it goes where the account's
/// platform sends what concerns nobody's staff, a result to the tenant's own systems say. Routing rules have no part in it.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be stored and enqueued: the same once more is recognised.
pub async fn accept_own(ctx: &Ctx<dyn InboundStore>, account: &Account, message: VisitorMessage) -> Result<Accepted, AppError> {
    Ok(accept_to(ctx, Author::Visitor, Some(&account.id), account, message, &|_| Vec::new()).await?.0)
}

/// Stores what was said between others and is told to us, by either side: it is theirs already, so it goes nowhere. `message` says
/// what and when, whoever wrote it.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be stored: the same once more is recognised.
pub async fn accept_heard(
    ctx: &Ctx<dyn InboundStore>,
    account: &Account,
    author: Author,
    message: VisitorMessage,
) -> Result<Accepted, AppError> {
    Ok(accept_to(ctx, author, None, account, message, &|_| Vec::new()).await?.0)
}

/// What became of a message, and whether it has a desk.
async fn accept_to(
    ctx: &Ctx<dyn InboundStore>,
    author: Author,
    recipient: Option<&AccountId>,
    account: &Account,
    message: VisitorMessage,
    guards: &(dyn Fn(MessageId) -> Vec<Guard> + Sync),
) -> Result<(Accepted, bool), AppError> {
    let derived = ConversationId::derive(&account.salt, &account.id, &message.address);
    let mut target = match message.answers {
        Some(answered) => answered.conversation(),
        None => continued(ctx, account, &message).await?.unwrap_or(derived),
    };
    // Nothing is read for the usual message: the write says what it expects, and shows what there is if that is wrong.
    let mut found: Option<Conversation> = None;
    for _ in 0..RACES {
        let now = ctx.clock.now();
        let (desk, last_seq) = found.take().map_or((None, 0), |found| (found.desk, found.last_seq));
        let conversation = Conversation {
            id: target,
            tenant: account.tenant.clone(),
            visitor: Visitor {
                account: account.id.clone(),
                address: message.address.clone(),
                name: message.name.clone(),
                memo: message.memo.clone(),
            },
            // A conversation that found no desk at first gets one as soon as a rule matches.
            desk: desk.or_else(|| recipient.cloned()),
            last_seq,
            is_chat: false,
        };
        let draft = Draft {
            author,
            origin: account,
            origin_id: &message.origin_id,
            sent_at: message.sent_at,
            content: &message.content,
            details: &message.details,
        };
        let recipients = conversation.desk.iter().map(|desk| (desk.clone(), DeliveryContent::Message)).collect();
        let events = message.event_keys.iter().map(|(key, keep)| (key.clone(), keep.map(|k| now.plus(k)))).collect();
        let acceptance = draft.accept_into(conversation, target == derived, now, events, recipients, guards)?;
        match finish(ctx, &acceptance).await? {
            Finished::Done(outcome) => return Ok((outcome, !acceptance.deliveries.is_empty())),
            Finished::Stale(Some(other)) if other.visitor.account == account.id && !other.is_chat => found = Some(*other),
            // What the message answers is gone, another account's, or a chat, where nobody sends messages.
            Finished::Stale(_) => target = derived,
        }
    }
    Err(too_many_races())
}

/// Reads the conversation a desk's message answers, and the status of the desk's installation, in one call. `None` if
/// there is no such conversation, or its desk is another account.
async fn open_desk(
    ctx: &Ctx<dyn InboundStore>,
    account: &Account,
    conversation: ConversationId,
    installation: &str,
) -> Result<Option<DeskContext>, AppError> {
    let opened = ctx.store.open(conversation, &account.id, installation, ctx.clock.now()).await?;
    Ok(opened
        .conversation
        .filter(|c| c.tenant == account.tenant && c.desk.as_ref() == Some(&account.id))
        .map(|conversation| DeskContext { conversation, installation: opened.installation }))
}

/// Stores a desk's message and enqueues its delivery to the visitor.
///
/// `installation` is the platform's id of the desk's installation. If that is gone, or the conversation is not this
/// desk's, the answer is `None` and nothing is stored. If it is blocked, the message is stored and the desk is told
/// that it failed, but nothing goes to the visitor (vcita contract, section 5).
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be stored and enqueued: the platform is expected to repeat.
pub async fn accept_desk(
    ctx: &Ctx<dyn InboundStore>,
    account: &Account,
    installation: &str,
    message: DeskMessage,
) -> Result<Option<Accepted>, AppError> {
    for _ in 0..RACES {
        let now = ctx.clock.now();
        let Some(desk) = open_desk(ctx, account, message.conversation, installation).await? else { return Ok(None) };
        let recipient = match desk.installation {
            Some(RemoteStatus::Deleted) => return Ok(None),
            Some(RemoteStatus::Blocked) => (account.id.clone(), DeliveryContent::Receipt(ReceiptStatus::Failed)),
            Some(RemoteStatus::Pending | RemoteStatus::Active | RemoteStatus::Inactive | RemoteStatus::Failed) | None => {
                let content = if desk.conversation.is_chat { DeliveryContent::Chat } else { DeliveryContent::Message };
                (desk.conversation.visitor.account.clone(), content)
            }
        };
        let draft = Draft {
            author: Author::Desk,
            origin: account,
            origin_id: &message.origin_id,
            sent_at: message.sent_at,
            content: &message.content,
            details: &MessageDetails::default(),
        };
        let events = vec![(message.event_key.clone(), None)];
        let acceptance = draft.accept_into(desk.conversation, false, now, events, vec![recipient], &|_| Vec::new())?;
        if let Finished::Done(outcome) = finish(ctx, &acceptance).await? {
            return Ok(Some(outcome));
        }
    }
    Err(too_many_races())
}

struct Draft<'a> {
    author: Author,
    origin: &'a Account,
    origin_id: &'a str,
    sent_at: EpochMillis,
    content: &'a model::Content,
    details: &'a MessageDetails,
}

impl Draft<'_> {
    fn accept_into(
        self,
        mut conversation: Conversation,
        may_create: bool,
        now: EpochMillis,
        events: Vec<(EventKey, Option<EpochMillis>)>,
        recipients: Vec<(model::AccountId, DeliveryContent)>,
        guards: &(dyn Fn(MessageId) -> Vec<Guard> + Sync),
    ) -> Result<Acceptance, AppError> {
        conversation.last_seq = conversation.next_seq(now);
        let id = MessageId::new(conversation.id, conversation.last_seq).ok_or(AppError::Internal("conversation is full"))?;
        let due_at = now.plus(SWEEP_GRACE);
        let deliveries = recipients
            .into_iter()
            .map(|(recipient, content)| {
                let key = DeliveryKey { message: id, recipient, content };
                NewDelivery { delivery: Delivery::queued(key, conversation.tenant.clone(), now), due_at }
            })
            .collect();
        let message = Message {
            id,
            tenant: conversation.tenant.clone(),
            author: self.author,
            origin: self.origin.id.clone(),
            origin_id: self.origin_id.to_owned(),
            sent_at: self.sent_at,
            accepted_at: now,
            content: self.content.clone(),
            details: self.details.clone(),
            memo: conversation.visitor.memo.clone(),
        };
        Ok(Acceptance { conversation, may_create, message, events, deliveries, guards: guards(id) })
    }
}

/// What became of one try to accept.
enum Finished {
    Done(Accepted),
    /// The conversation is not what was expected: as it is.
    Stale(Option<Box<Conversation>>),
}

/// Stores and enqueues.
async fn finish(ctx: &Ctx<dyn InboundStore>, acceptance: &Acceptance) -> Result<Finished, AppError> {
    Ok(Finished::Done(match ctx.store.accept(acceptance).await? {
        AcceptOutcome::Stored => {
            let tasks: Vec<_> = acceptance
                .deliveries
                .iter()
                .map(|new| {
                    let key = &new.delivery.key;
                    (DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 0, due: None }, Duration::ZERO)
                })
                .collect();
            if !tasks.is_empty() {
                ctx.queue.deliver(&tasks).await?;
            }
            Accepted::Stored(acceptance.message.id)
        }
        AcceptOutcome::Duplicate(id) => Accepted::Duplicate(id),
        AcceptOutcome::Refused(refusal) => Accepted::Refused(refusal),
        AcceptOutcome::Stale(found) => return Ok(Finished::Stale(found)),
    }))
}

/// The conversation of an earlier message that this one names by an event of the account.
async fn continued(
    ctx: &Ctx<dyn InboundStore>,
    account: &Account,
    message: &VisitorMessage,
) -> Result<Option<ConversationId>, AppError> {
    if message.continues.is_empty() {
        return Ok(None);
    }
    let found = ctx.store.events(&account.id, &message.continues, ctx.clock.now()).await?;
    Ok(found.into_iter().flatten().next().map(MessageId::conversation))
}

const fn too_many_races() -> AppError {
    AppError::Unavailable(ports::PortError::Busy)
}

/// The lane of messages to `recipient` in `conversation`.
pub(crate) const fn messages_lane(conversation: ConversationId, recipient: model::AccountId) -> LaneKey {
    LaneKey { conversation, recipient, kind: LaneKind::Messages }
}
