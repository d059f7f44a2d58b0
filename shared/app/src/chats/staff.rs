//! Another platform's staff answers a chat: what they are told of it, what they say in it, and the way to them and back. And a
//! visitor on another platform, who is told what the desk says in the same way.
//!
//! They have no stream. What they are told becomes messages of the chat's own conversation, in the same transaction as what
//! happened, and leaves as every other message does. What they write is accepted as every other message is, waits in a lane
//! of its own kind, and is said here, one after the other.

use std::ops::RangeInclusive;

use chat::{Attendant, ChatId, CloseReason, Desk, Direction, Draft, Effect, Party, Sentence, SentenceId, SentenceKind, State};
use model::{
    AccountId, Author, CHAT_ENDED, CHAT_NEWS, Content, Conversation, ConversationId, DeliverTask, Delivery, DeliveryContent,
    DeliveryEvent, DeliveryKey, EpochMillis, Memo, Message, MessageDetails, MessageId, ReceiptStatus, StaffTask, StoryEntry,
    TypingTask, Visitor, step,
};
use ports::{ChatRecord, LaneSelector, NewDelivery, OwedReceipt, PortError, Relay, Saved, StaffView, WorkItem};
use tracing::{info, warn};
use wire::signature::sha256_hex;

use super::cause::Cause;
use super::commit::{End, Turned, carry_out};
use super::turn::desk_of;
use super::{Asking, ChatCtx, ChatOutcome, Handled, StaffAct, VisitorAct, desk};
use crate::settle::{clear_head, leave_lane, stay};
use crate::{AppError, Progress, SWEEP_GRACE, SettleCtx};

/// The most sentences of a transcript that staff is given: the newest.
const TRANSCRIPT: u64 = 100;

/// The most messages a transcript becomes; of more sentences, several make one.
const MESSAGES: usize = 10;

/// What the desk reads where the visitor cannot be brought what it said.
const LOST: &str = "The visitor could not be brought your last message.";

/// How a desk is called that gives itself no name.
const NAMELESS: &str = "Agent";

/// How often a delivery is looked at again because its lane changes at the same time.
const RACES: usize = 8;

/// Something that another platform's staff is told.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) to: AccountId,
    pub(super) what: What,
}

/// What staff is told.
#[derive(Debug)]
pub(super) enum What {
    /// The visitor says something.
    Said(Sentence),
    /// What was said before, by its counters.
    Before(RangeInclusive<u64>),
    /// Something happened to the chat.
    Event(&'static str),
    /// The desk says something to a visitor elsewhere.
    Answered(Sentence, Memo),
    /// The chat of a visitor elsewhere is over.
    Ended(Memo),
}

impl Notice {
    /// What an effect tells another platform's staff, who had of the chat what `view` says; `None` if it tells them nothing.
    pub(super) fn of(effect: &Effect, view: Option<&StaffView>) -> Option<Self> {
        let has = |account: &AccountId| view.filter(|view| view.account == *account).map_or(0, |view| view.counter);
        match effect {
            Effect::Deliver { to: Party::Staff(to), sentence } if is_for_staff(sentence) => {
                Some(Self { to: to.clone(), what: What::Said(sentence.clone()) })
            }
            Effect::Transcript { to, sentences } => {
                let first = (*sentences.start()).max(has(to) + 1).max((sentences.end() + 1).saturating_sub(TRANSCRIPT));
                (first <= *sentences.end()).then(|| Self { to: to.clone(), what: What::Before(first..=*sentences.end()) })
            }
            Effect::Status { to: Party::Staff(to), state, .. } if has(to) > 0 => {
                Some(Self { to: to.clone(), what: What::Event(news_of(state)?) })
            }
            // Staff sees what it writes itself; typing and confirmations are no messages; vendors have no way to say the rest.
            Effect::Deliver { .. }
            | Effect::Status { .. }
            | Effect::Echo { .. }
            | Effect::Confirmed { .. }
            | Effect::Typing { .. }
            | Effect::Alert { .. }
            | Effect::AlertEnd { .. }
            | Effect::Respond { .. }
            | Effect::Store(_)
            | Effect::StoreConfirm { .. }
            | Effect::Bind(_)
            | Effect::IdReused(_)
            | Effect::DecideConditions
            | Effect::StartScript
            | Effect::RunWaitingRules { .. }
            | Effect::Distribute
            | Effect::SetTimer(_) => None,
        }
    }

    /// What an effect tells the visitor of a chat who is on another platform; `None` if it tells them nothing. Of where their chat
    /// stands they are told the end alone, if it is not their own doing.
    pub(super) fn of_away(effect: &Effect, chat: &chat::Chat, before: Option<&chat::Chat>) -> Option<Self> {
        let away = chat.visitor.away.as_ref()?;
        let what = match effect {
            Effect::Deliver { to: Party::Visitor, sentence } if is_for_staff(sentence) => {
                let party_name = sentence.party_name.clone().or_else(|| speaker(chat).map(str::to_owned));
                What::Answered(Sentence { party_name, ..sentence.clone() }, away.memo.clone())
            }
            Effect::Status { to: Party::Visitor, state: State::Closed { reason, .. }, .. }
                // In a chat that nobody would take, nothing was said.
                if *reason != CloseReason::ExtApp
                    && chat.spoke_at.is_some()
                    && !before.is_some_and(chat::Chat::is_closed) =>
            {
                let mut memo = away.memo.clone();
                memo.insert(CHAT_NEWS.to_owned(), CHAT_ENDED.to_owned());
                What::Ended(memo)
            }
            _ => return None,
        };
        Some(Self { to: away.account.clone(), what })
    }

    /// The texts it becomes; `before` holds the sentences that it asks for.
    pub(super) fn words(&self, before: &[Sentence], chat: ChatId, now: EpochMillis) -> Vec<Words> {
        let words = |text, newest: &Sentence| Words {
            to: self.to.clone(),
            text,
            origin_id: newest.id.as_str().to_owned(),
            sent_at: newest.sent_at,
            // Staff confirms what the visitor says, and nothing that was said to the visitor.
            sentence: (newest.direction == Direction::Inbound).then(|| newest.id.as_str().to_owned()),
            author: Author::Visitor,
            memo: Memo::new(),
        };
        let event = |text: &str| Words {
            to: self.to.clone(),
            text: text.to_owned(),
            origin_id: chat.to_string(),
            sent_at: now,
            sentence: None,
            author: Author::Visitor,
            memo: Memo::new(),
        };
        match &self.what {
            What::Said(sentence) => vec![words(line(sentence), sentence)],
            What::Before(_) => {
                let told: Vec<_> = before.iter().filter(|sentence| is_for_staff(sentence)).collect();
                let pieces = told.chunks(told.len().div_ceil(MESSAGES).max(1));
                let piece = |piece: &[&Sentence]| {
                    let newest = piece.last()?;
                    let lines: Vec<_> = piece.iter().map(|sentence| line(sentence)).collect();
                    Some(words(lines.join("\n"), newest))
                };
                pieces.filter_map(piece).collect()
            }
            What::Event(text) => vec![event(text)],
            What::Answered(sentence, memo) => {
                // Nothing but the text can say who speaks.
                let name = sentence.party_name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
                let words = words(format!("{name}{}", sentence.text), sentence);
                vec![Words { sentence: Some(words.origin_id.clone()), author: Author::Desk, memo: memo.clone(), ..words }]
            }
            What::Ended(memo) => vec![Words { author: Author::Desk, memo: memo.clone(), ..event("The chat has ended.") }],
        }
    }
}

/// A message to staff, or to a visitor elsewhere.
#[derive(Debug)]
pub(super) struct Words {
    to: AccountId,
    text: String,
    origin_id: String,
    sent_at: EpochMillis,
    /// The sentence that they have with it.
    sentence: Option<String>,
    /// Which side says it.
    author: Author,
    /// What the recipient's platform needs to deliver it.
    memo: Memo,
}

/// Whether staff is told a sentence at all: they have a list of messages and nothing else.
fn is_for_staff(sentence: &Sentence) -> bool {
    match sentence.kind {
        SentenceKind::Text | SentenceKind::Note => !sentence.text.is_empty(),
        SentenceKind::Panel | SentenceKind::Navigation | SentenceKind::CoBrowsing | SentenceKind::Other(_) => false,
    }
}

/// What somebody said, with who it was unless it is the visitor, under whose name staff is told everything.
fn line(sentence: &Sentence) -> String {
    match sentence.direction {
        Direction::Inbound => sentence.text.clone(),
        Direction::Outbound => format!("{}: {}", sentence.party_name.as_deref().unwrap_or(NAMELESS), sentence.text),
    }
}

/// Who speaks for the desk, where visitors are told a name.
fn speaker(chat: &chat::Chat) -> Option<&str> {
    match &chat.state {
        State::Answered { by: Attendant::Agent(agent) } => Some(&agent.name),
        State::Answered { by: Attendant::Staff(staff) } => staff.name.as_deref(),
        State::Icr { robot, .. } => Some(&robot.name),
        State::Pilot | State::Waiting { .. } | State::Alerting { .. } | State::Closed { .. } => None,
    }
}

/// What staff is told of where their chat stands; `None` if they know.
const fn news_of(state: &State) -> Option<&'static str> {
    match state {
        State::Closed { reason, .. } => match reason {
            CloseReason::ExtApp => Some("The visitor has left the chat."),
            CloseReason::Inactivity => Some("The chat has ended, as nobody wrote anything."),
            CloseReason::System => Some("The chat has ended."),
            CloseReason::Agent => None,
        },
        State::Waiting { .. } => Some("The chat was given to somebody else."),
        State::Pilot | State::Icr { .. } | State::Alerting { .. } | State::Answered { .. } => None,
    }
}

/// What another platform's staff has of a chat after a step.
pub(super) fn view_of(chat: &chat::Chat, before: Option<&ChatRecord>) -> Option<StaffView> {
    match &chat.desk {
        // Whatever is said while they have it is told them, or is their own.
        Some(Desk::Staff(account)) => Some(StaffView { account: account.clone(), counter: chat.counter }),
        Some(Desk::Agents(_)) | None => before.filter(|before| before.chat.id == chat.id).and_then(|before| before.staff.clone()),
    }
}

/// The messages that staff, or a visitor elsewhere, is told something by; `None` if it is nothing. `last_seq` is the conversation's
/// last place as far as that is known.
pub(super) fn relay(record: &ChatRecord, words: Vec<Words>, last_seq: u64, now: EpochMillis) -> Result<Option<Relay>, AppError> {
    let chat = &record.chat;
    if words.is_empty() {
        return Ok(None);
    }
    let tracking = chat.tracking.as_ref().map(|tracking| tracking.as_str().to_owned());
    let mut conversation = Conversation {
        id: chat.conversation(),
        tenant: chat.tenant.clone(),
        visitor: Visitor {
            account: chat.gateway.clone(),
            address: chat.visitor.remote_address.clone().or(tracking).unwrap_or_default(),
            name: chat.visitor.party_name.clone(),
            memo: Memo::new(),
        },
        // Whoever had the chat last may still write: the chat itself says whether it is theirs.
        desk: match &chat.desk {
            Some(Desk::Staff(account)) => Some(account.clone()),
            Some(Desk::Agents(_)) | None => {
                let to_staff = words.iter().rfind(|words| words.author == Author::Visitor).map(|words| words.to.clone());
                to_staff.or_else(|| record.staff.as_ref().map(|staff| staff.account.clone()))
            }
        },
        last_seq,
        is_chat: true,
    };
    let (mut messages, mut deliveries) = (Vec::new(), Vec::new());
    for Words { to, text, origin_id, sent_at, sentence, author, memo } in words {
        conversation.last_seq = conversation.next_seq(now);
        let id = MessageId::new(conversation.id, conversation.last_seq).ok_or(AppError::Internal("conversation is full"))?;
        let key = DeliveryKey { message: id, recipient: to, content: DeliveryContent::Message };
        let delivery = Delivery { sentence, ..Delivery::queued(key, conversation.tenant.clone(), now) };
        deliveries.push(NewDelivery { delivery, due_at: now.plus(SWEEP_GRACE) });
        messages.push(Message {
            id,
            tenant: conversation.tenant.clone(),
            author,
            origin: chat.gateway.clone(),
            origin_id,
            sent_at,
            accepted_at: now,
            content: Content { text, html: None, subject: None },
            details: MessageDetails::default(),
            memo,
        });
    }
    Ok(Some(Relay { conversation, messages, deliveries }))
}

/// Says that something waits for staff. What cannot be said is as good as lost, and the sweep finds the lanes.
pub(super) async fn announce(ctx: &ChatCtx, deliveries: impl Iterator<Item = &NewDelivery>) {
    let mut lanes = Vec::new();
    for new in deliveries {
        let key = &new.delivery.key;
        let lane = key.lane();
        // Those behind it go when their turn comes.
        if lanes.contains(&lane) {
            continue;
        }
        let task = DeliverTask::V1 { lane: lane.clone(), entry: Some(key.entry()), put_off: 0, due: None };
        if let Err(error) = ctx.timers.relay(&task).await {
            warn!(delivery.id = %key, "delivery {key} not enqueued: {error}");
        }
        lanes.push(lane);
    }
}

/// The receipt for a sentence that staff wrote, which the visitor has. What is confirmed here is that it was shown (contract,
/// 5.2): whether it was read, nobody on this side says. `None` if the sentence is no message of theirs.
pub(super) fn receipt(record: &ChatRecord, arrived: &(AccountId, SentenceId), now: EpochMillis) -> Option<OwedReceipt> {
    let (to, id) = arrived;
    let message: MessageId = id.as_str().parse().ok().filter(|id: &MessageId| id.conversation() == record.chat.conversation())?;
    let status = ReceiptStatus::Delivered;
    let key = DeliveryKey { message, recipient: to.clone(), content: DeliveryContent::Receipt(status) };
    let of = DeliveryKey { message, recipient: record.chat.gateway.clone(), content: DeliveryContent::Chat };
    let delivery = Delivery::queued(key, record.chat.tenant.clone(), now);
    Some(OwedReceipt { of, status, new: NewDelivery { delivery, due_at: now.plus(SWEEP_GRACE) } })
}

/// Lets staff be told that the visitor types, or has stopped. Worth no second try.
pub(super) async fn announce_typing(
    ctx: &ChatCtx,
    conversation: ConversationId,
    to: &AccountId,
    is_typing: bool,
    at: EpochMillis,
) {
    let task = TypingTask::V1 { conversation, recipient: to.clone(), is_typing, at };
    if let Err(error) = ctx.timers.typing(&task).await {
        warn!(conversation.id = %conversation, "{to} is not told of typing in {conversation}: {error}");
    }
}

/// Lets the visitor of a chat see that the staff of this account types, or has stopped. Where the chat is not theirs, or the
/// conversation is none, nothing happens.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be stored.
pub async fn staff_types(
    ctx: &ChatCtx,
    account: &AccountId,
    conversation: ConversationId,
    is_typing: bool,
) -> Result<(), AppError> {
    act(ctx, account, conversation, &StaffAct::Types { is_typing }).await.map(drop)
}

/// Does in a chat what its staff did, or what became of its visitor on another platform. Safe to run twice and with tasks that are
/// long out of date: of a sentence the first confirmation stands, and a chat that began after the end is another one.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down; the task is to be repeated.
pub async fn staff_did(ctx: &ChatCtx, task: &StaffTask) -> Result<(), AppError> {
    let (account, conversation, act_of) = match task {
        StaffTask::HasV1 { account, conversation, sentence } => {
            // Only what a sentence's id was is stored as one.
            let Ok(id) = sentence.clone().try_into() else { return Ok(()) };
            (account, conversation, StaffAct::Has(id))
        }
        StaffTask::EndedV1 { account, conversation, at } => (account, conversation, StaffAct::Ends { at: *at }),
        StaffTask::VisitorHasV1 { conversation, sentence, has, at, .. } => {
            let act = if *has { sentence.clone().try_into().ok().map(VisitorAct::Confirms) } else { lost(sentence) };
            return match act {
                Some(act) => befall(ctx, *conversation, &act, Some(*at)).await,
                None => Ok(()),
            };
        }
        StaffTask::VisitorLeftV1 { conversation, at, .. } => {
            return befall(ctx, *conversation, &VisitorAct::Stop, Some(*at)).await;
        }
    };
    act(ctx, account, *conversation, &act_of).await.map(drop)
}

/// What the desk is told where a sentence of theirs cannot be brought to the visitor: a note of the visitor's side, as no platform
/// has a sign for it. The same for the same sentence, so it is said once.
fn lost(sentence: &str) -> Option<VisitorAct> {
    let id = sha256_hex(format!("lost:{sentence}").as_bytes()).try_into().ok()?;
    let draft = Draft::new(id, SentenceKind::Note, LOST.to_owned(), None, None).ok()?;
    Some(VisitorAct::Speaks(draft))
}

/// Does in a chat what became of its visitor on another platform.
async fn befall(ctx: &ChatCtx, conversation: ConversationId, act: &VisitorAct, at: Option<EpochMillis>) -> Result<(), AppError> {
    let turned = carry_out(ctx, &Cause::Away { conversation, act, at }, &Asking::default()).await?;
    desk::offer_after(ctx, &turned).await;
    handled(turned).map(drop)
}

/// One turn of a chat for its staff.
async fn act(ctx: &ChatCtx, account: &AccountId, conversation: ConversationId, act: &StaffAct) -> Result<Handled, AppError> {
    let turned = carry_out(ctx, &Cause::Staff { account, conversation, act }, &Asking::default()).await?;
    desk::offer_after(ctx, &turned).await;
    handled(turned)
}

/// Says what heads a lane of [`model::LaneKind::Chat`] in its chat, and settles the delivery: sent, or rejected with the chat's
/// word for it. Safe to run twice and with tasks that are long out of date: a sentence is known by the message's id (5.2).
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down; the task is to be repeated.
pub async fn say(ctx: &ChatCtx, settle: &SettleCtx, task: &DeliverTask) -> Result<Progress, AppError> {
    let DeliverTask::V1 { lane, entry, .. } = task;
    let base = &settle.base;
    let mut which = entry.map_or(LaneSelector::Head, LaneSelector::Entry);
    let mut said = None;
    for _ in 0..RACES {
        let Some(mut item) = base.store.work(lane, which, None, base.clock.now()).await? else {
            return Ok(Progress::default());
        };
        let entry = item.delivery.key.entry();
        if item.lane.head() != Some(entry) {
            return Ok(Progress::default());
        }
        which = LaneSelector::Entry(entry);
        if item.delivery.state.is_final() {
            clear_head(settle, item).await?;
            return Ok(Progress::default());
        }
        let policy = settle.terms.terms(lane.recipient.platform()).policy(item.delivery.key.content);
        let (created_at, now, dice) = (item.delivery.created_at, base.clock.now(), base.dice.roll());
        let Ok(begun) = step(&item.delivery.state, &DeliveryEvent::HandOver, &policy, created_at, now, dice) else {
            return Ok(Progress::default());
        };
        if begun.state.is_final() {
            // It has waited for too long, so something is wrong with us: that is for the operator, too.
            let story = StoryEntry { at: now, event: begun.event, next_at: None, detail: None, said_at: None };
            item.delivery.state = begun.state;
            let due_at = now.plus(SWEEP_GRACE);
            if stay(settle, item.delivery.clone(), item.lane.clone(), story, due_at, false).await? == Saved::Yes {
                item.delivery.rev += 1;
                clear_head(settle, item).await?;
                return Ok(Progress { failed: 1, ..Progress::default() });
            }
            continue;
        }
        let refusal = match &said {
            Some(refusal) => Option::clone(refusal),
            None => said.insert(speak(ctx, &item).await?).clone(),
        };
        let (event, outcome, progress) = match refusal {
            None => (DeliveryEvent::Acknowledged, "acknowledged", Progress { delivered: 1, ..Progress::default() }),
            Some(_) => (DeliveryEvent::Rejected, "rejected", Progress { failed: 1, ..Progress::default() }),
        };
        let Ok(change) = step(&begun.state, &event, &policy, created_at, now, dice) else { return Ok(Progress::default()) };
        let story = StoryEntry { at: now, event: change.event, next_at: None, detail: refusal, said_at: None };
        item.delivery.state = change.state;
        let key = item.delivery.key.clone();
        // A chat that does not take it is nothing that an operator could mend: staff is told, and that is all.
        if leave_lane(settle, item, Some(story), None).await? == Saved::Yes {
            info!(delivery.id = %key, delivery.outcome = outcome, "delivery {key}: {outcome}");
            return Ok(progress);
        }
    }
    Err(PortError::Busy.into())
}

/// Lets staff say their message in its chat. Why the chat does not take it, if it does not.
async fn speak(ctx: &ChatCtx, item: &WorkItem) -> Result<Option<String>, AppError> {
    let message = &item.message;
    let Ok(id) = message.id.to_string().try_into() else { return Err(AppError::Internal("a message's id is no sentence's")) };
    let text = message.content.text.clone();
    let draft = match Draft::new(id, SentenceKind::Text, text, None, Some(message.sent_at)) {
        Ok(draft) => draft,
        Err(error) => return Ok(Some(error.to_string())),
    };
    match act(ctx, &message.origin, message.id.conversation(), &StaffAct::Speaks(draft)).await {
        Ok(handled) => Ok(handled.refusal.map(|refusal| refusal.as_str().to_owned())),
        Err(error @ AppError::TooLarge { .. }) => Ok(Some(error.to_string())),
        Err(error) => Err(error),
    }
}

/// What came of a turn that nothing guards.
fn handled(turned: Turned) -> Result<Handled, AppError> {
    match turned.end {
        End::Outcome(ChatOutcome::Done(handled)) => Ok(handled),
        End::Outcome(ChatOutcome::Replayed | ChatOutcome::IdReused) | End::Repeated(_) => {
            Err(AppError::Internal("a repetition of what nothing guards"))
        }
    }
}

/// What became of a hand-over.
#[derive(Debug, Clone, PartialEq)]
pub enum HandedOver {
    /// The chat is that desk's, and stands there so.
    Yes(State),
    /// There is no such chat, or another one is current in its conversation.
    UnknownChat,
    /// No desk of the chat's tenant is of this name.
    UnknownDesk,
    /// The chat does not take it; nothing was changed.
    Refused(chat::Refusal),
}

/// Gives a chat to another desk: to the staff of another platform's account, who are told what was said, or to our own agents
/// of a desk who know what the gateway's chats ask for. The transcript stays. Once more is as good as once.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be done.
pub async fn hand_over(ctx: &ChatCtx, chat: ChatId, to: &AccountId) -> Result<HandedOver, AppError> {
    let read = ctx.chats.chat(chat.conversation(), None).await?.map(|(read, _)| read.chat).filter(|read| read.id == chat);
    let Some(read) = read else { return Ok(HandedOver::UnknownChat) };
    let plan = ctx.plans.plan_at(&read.gateway, to).await?;
    let Some(target) = plan.and_then(|plan| desk_of(&plan, &read.visitor, None)) else { return Ok(HandedOver::UnknownDesk) };

    let turned = carry_out(ctx, &Cause::HandOver { chat, to, desk: &target }, &Asking::default()).await?;
    desk::offer_after(ctx, &turned).await;
    let Handled { refusal, chat: record, .. } = handled(turned)?;
    match (refusal, record) {
        (Some(chat::Refusal::UnknownChat), _) | (None, None) => Ok(HandedOver::UnknownChat),
        (Some(refusal), _) => Ok(HandedOver::Refused(refusal)),
        (None, Some(record)) => {
            info!(conversation.id = %chat.conversation(), account.id = %to, "chat {chat} is given to {to}");
            let offered = desk::offer_one(ctx, chat.conversation()).await.filter(|offered| offered.chat.id == chat);
            Ok(HandedOver::Yes(offered.unwrap_or(record).chat.state.clone()))
        }
    }
}
