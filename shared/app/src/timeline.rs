//! From any id to one ordered story.

use model::{AccountId, Author, ConversationId, DeliveryKey, EpochMillis, EventKey, Memo, MessageId, StoryEvent};
use serde::Serialize;

use crate::{AppError, Ctx};
use ports::StoryStore;

/// What the operator has in hand.
#[derive(Debug, Clone)]
pub enum TimelineKey {
    /// A conversation.
    Conversation(ConversationId),
    /// A message: only what concerns it.
    Message(MessageId),
    /// One of these names that an account's platform uses.
    Events(Vec<(AccountId, EventKey)>),
}

/// The story of a conversation or of one message in it. Texts are not part of it, only their sizes: it is read on
/// screens where a customer's words have no place.
#[derive(Debug, Clone, Serialize)]
pub struct Timeline {
    /// The conversation.
    pub conversation: ConversationId,
    /// Everything that happened, oldest first.
    pub entries: Vec<TimelineEntry>,
    /// Every delivery as it stands.
    pub deliveries: Vec<DeliveryLine>,
}

/// One line of the story.
#[derive(Debug, Clone, Serialize)]
pub struct TimelineEntry {
    /// When, UTC text.
    pub at: String,
    /// The message it is about.
    pub message: MessageId,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum What {
    /// A message was stored.
    Accepted {
        /// Who wrote it.
        author: Author,
        /// The account it came in on.
        origin: AccountId,
        /// The platform's id of it.
        origin_id: String,
        /// Length of the text in bytes.
        text_bytes: usize,
        /// What the platform said of it beside its content, but for names and addresses.
        #[serde(skip_serializing_if = "Memo::is_empty")]
        details: Memo,
    },
    /// Something happened to a delivery.
    Delivery {
        /// The delivery.
        delivery: String,
        /// What.
        #[serde(flatten)]
        event: StoryEvent,
        /// When it is looked at next, UTC text.
        next_at: Option<String>,
        /// What the recipient said.
        detail: Option<String>,
        /// When the recipient says that it happened, UTC text.
        #[serde(skip_serializing_if = "Option::is_none")]
        said_at: Option<String>,
    },
}

/// A delivery as it stands.
#[derive(Debug, Clone, Serialize)]
pub struct DeliveryLine {
    /// Its id.
    pub delivery: String,
    /// Its state in one word.
    pub state: &'static str,
    /// Why it failed.
    pub reason: Option<&'static str>,
    /// When it is looked at next, UTC text.
    pub next_at: Option<String>,
    /// The delivery of the same lane it waits for.
    pub waits_for: Option<String>,
    /// The recipient's id of it.
    pub reference: Option<String>,
    /// What the recipient reported later.
    pub receipt: Option<model::ReceiptStatus>,
}

/// Tells the story of a conversation, or of one message. `None` if nothing is known under the key.
///
/// # Errors
/// [`AppError::Unavailable`] when it cannot be read.
pub async fn timeline(ctx: &Ctx<dyn StoryStore>, key: TimelineKey) -> Result<Option<Timeline>, AppError> {
    let (conversation, only) = match key {
        TimelineKey::Conversation(conversation) => (conversation, None),
        TimelineKey::Message(message) => (message.conversation(), Some(message)),
        TimelineKey::Events(events) => {
            let mut found = None;
            for (account, event) in events {
                found = ctx.store.event(&account, &event, ctx.clock.now()).await?;
                if found.is_some() {
                    break;
                }
            }
            let Some(message) = found else { return Ok(None) };
            (message.conversation(), Some(message))
        }
    };
    let story = ctx.store.story(conversation).await?;
    if story.conversation.is_none() {
        return Ok(None);
    }
    let wanted = |message: MessageId| only.is_none_or(|one| one == message);
    let mut entries: Vec<(EpochMillis, TimelineEntry)> = Vec::new();
    for message in story.messages.iter().filter(|m| wanted(m.id)) {
        let what = What::Accepted {
            author: message.author,
            origin: message.origin.clone(),
            origin_id: message.origin_id.clone(),
            text_bytes: message.content.text.len(),
            details: message.details.plain.clone(),
        };
        entries.push((message.accepted_at, TimelineEntry { at: message.accepted_at.to_utc_text(), message: message.id, what }));
    }
    for (delivery, entry) in story.stories.iter().filter(|(d, _)| wanted(d.message)) {
        let what = What::Delivery {
            delivery: delivery.to_string(),
            event: entry.event,
            next_at: entry.next_at.map(EpochMillis::to_utc_text),
            detail: entry.detail.clone(),
            said_at: entry.said_at.map(EpochMillis::to_utc_text),
        };
        entries.push((entry.at, TimelineEntry { at: entry.at.to_utc_text(), message: delivery.message, what }));
    }
    entries.sort_by_key(|(at, _)| *at);
    if only.is_some() && entries.is_empty() {
        return Ok(None);
    }
    let waits_for = |key: &DeliveryKey| {
        let lane = story.lanes.iter().find(|lane| lane.key == key.lane())?;
        let head = lane.head()?;
        (head != key.entry() && lane.pending.contains(&key.entry())).then(|| head.delivery(&lane.key))?
    };
    let deliveries = story
        .deliveries
        .iter()
        .filter(|d| wanted(d.key.message))
        .map(|d| DeliveryLine {
            delivery: d.key.to_string(),
            state: d.state.as_str(),
            reason: match d.state {
                model::DeliveryState::Failed { reason, .. } => Some(reason.as_str()),
                _ => None,
            },
            next_at: d.state.next_at().map(EpochMillis::to_utc_text),
            waits_for: waits_for(&d.key).map(|key| key.to_string()),
            reference: d.reference.clone(),
            receipt: d.receipt,
        })
        .collect();
    Ok(Some(Timeline { conversation, entries: entries.into_iter().map(|(_, entry)| entry).collect(), deliveries }))
}
