//! Erasing a person: everything is read, page by page, and what is theirs is deleted or emptied.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use chat::Chat;
use futures_util::future::try_join_all;
use model::{AccountId, ConversationId};
use ports::{Erased, Erasing, Erasure, Identity, PersonFound, PortError, StoredResult, StreamEntry, StreamKey};

use crate::DynamoChats;
use crate::change::Change;
use crate::chat_items::{AgentItem, ChatItem, EntryItem, InParts, LeadItem, MarkItem, SentenceItem, conversations};
use crate::items::{
    self, ConversationItem, DeliveryItem, Entity, EventItem, MessageItem, ThreadItem, attribute, corrupt, from_item,
};
use crate::keys::{self, Item, Key};
use crate::results::{ResultItem, result_marks};

/// Changes of one transaction. It may concern 4 MB (DynamoDB, "Quotas": transactions), and an item may have 400 KB.
const TRANSACTION: usize = 10;
/// Transactions at the same time.
const AT_ONCE: usize = 8;

/// The kinds of items that say whose a conversation is.
const FOUND_BY: [&str; 2] = [ChatItem::TYPE, ConversationItem::TYPE];

#[async_trait]
impl Erasure for DynamoChats {
    async fn find(
        &self,
        account: &AccountId,
        identity: &Identity,
        from: Option<&str>,
    ) -> Result<(Vec<PersonFound>, Option<String>), PortError> {
        let (items, next) = self.table.scan(&FOUND_BY, from.map(place).transpose()?).await?;
        let mut found = Vec::new();
        for item in items {
            if items::entity_type(&item) == Some(ChatItem::TYPE) {
                found.extend(found_chat(&ports::ChatRecord::try_from(from_item::<ChatItem>(item)?)?.chat, account, identity));
            } else if let Identity::Address(address) = identity {
                let conversation = crate::store::conversation_of(item)?;
                let visitor = &conversation.visitor;
                if visitor.account == *account && visitor.address == *address {
                    found.push(PersonFound { conversation: conversation.id, tracking: None, is_open: false });
                }
            }
        }
        Ok((found, next.map(|next| place_text(&next)).transpose()?))
    }

    async fn erase_elsewhere(&self, what: &Erasing<'_>, from: Option<&str>) -> Result<(Erased, Option<String>), PortError> {
        let (items, next) = self.table.scan(&[], from.map(place).transpose()?).await?;
        let own: BTreeSet<_> = what.conversations.iter().flat_map(|id| partitions(*id)).collect();
        let mut erased = Erased::default();
        let mut changes = Vec::new();
        for item in items {
            let Some(key) = Key::of(&item) else { continue };
            if !own.contains(key.partition()) {
                self.elsewhere(what, key, item, &mut erased, &mut changes).await?;
            }
        }
        if !what.is_dry {
            self.make_all(changes).await?;
        }
        Ok((erased, next.map(|next| place_text(&next)).transpose()?))
    }

    async fn erase_conversation(&self, conversation: ConversationId, is_dry: bool) -> Result<Erased, PortError> {
        let mut erased = Erased::default();
        for pk in partitions(conversation) {
            let (mut keys, mut last) = (Vec::new(), Vec::new());
            for item in self.table.partition(pk).await? {
                let Some(key) = Key::of(&item) else { continue };
                let kind = items::entity_type(&item).unwrap_or_default();
                match kind {
                    ChatItem::TYPE => erased.chats += 1,
                    SentenceItem::TYPE => erased.sentences += 1,
                    ConversationItem::TYPE => erased.conversations += 1,
                    MessageItem::TYPE => erased.messages += 1,
                    DeliveryItem::TYPE => erased.deliveries += 1,
                    _ => {}
                }
                let is_found_by = FOUND_BY.contains(&kind) || kind == LeadItem::TYPE;
                if is_found_by { &mut last } else { &mut keys }.push(Change::delete(key));
            }
            if !is_dry {
                self.make_all(keys).await?;
                self.make_all(last).await?;
            }
        }
        Ok(erased)
    }
}

impl DynamoChats {
    /// What is to be done with an item that stands in no partition of the conversations.
    async fn elsewhere(
        &self,
        what: &Erasing<'_>,
        key: Key,
        item: Item,
        erased: &mut Erased,
        changes: &mut Vec<Change>,
    ) -> Result<(), PortError> {
        let is_theirs = |conversation: &ConversationId| what.conversations.contains(conversation);
        let kind = items::entity_type(&item).unwrap_or_default().to_owned();
        match kind.as_str() {
            EventItem::TYPE | ThreadItem::TYPE | MarkItem::TYPE | LeadItem::TYPE => {
                changes.extend(leads_to(&kind, item)?.filter(is_theirs).map(|_| Change::delete(key)));
            }
            AgentItem::TYPE => {
                let had: Vec<_> = from_item::<AgentItem>(item)?.chats.into_iter().filter(is_theirs).collect();
                if !had.is_empty() {
                    let mut change = Change::update(key);
                    change.take_out(attribute::CHATS, conversations(&had));
                    changes.push(change);
                }
            }
            ResultItem::TYPE => {
                let result = StoredResult::try_from(from_item::<ResultItem>(item)?)?;
                if what.is_form(&result) {
                    erased.forms += 1;
                    changes.push(Change::delete(key));
                    changes.extend(result_marks(&result)?.into_iter().map(Change::into_delete));
                }
            }
            EntryItem::TYPE => {
                let item: EntryItem = from_item(item)?;
                let parts = (1..=item.parts()).map(|part| key.part(part));
                let found = self.table.get_all(parts.clone()).await?;
                let (valid_until, removed_at) = item.ends();
                let entry = item.join(&key, &found)?;
                let is_offer = entry.offer.as_ref().is_some_and(|offer| is_theirs(&offer.delivery.message.conversation()));
                let own = Key::stream_head(&StreamKey::Gateway(what.account.clone()));
                let is_own = key.partition() == own.partition();
                if !entry.body.is_empty() && (is_offer || what.is_about(&entry.body, is_own)) {
                    erased.entries += 1;
                    changes.extend(parts.map(Change::delete));
                    // The number stays: readers would wait for it.
                    let empty = StreamEntry { offer: None, body: bytes::Bytes::new(), ..entry };
                    let puts = EntryItem::items(&key, &empty, valid_until, removed_at)?;
                    changes.extend(puts.into_iter().map(|(key, item)| Change::put(key, item)));
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn make_all(&self, changes: Vec<Change>) -> Result<(), PortError> {
        // Each is good for itself: none has a condition.
        for some in changes.chunks(TRANSACTION * AT_ONCE) {
            try_join_all(some.chunks(TRANSACTION).map(|few| self.table.transact(few.to_vec()))).await?;
        }
        Ok(())
    }
}

/// The conversation that a name, a thread, a mark or another thread leads to.
fn leads_to(kind: &str, item: Item) -> Result<Option<ConversationId>, PortError> {
    Ok(match kind {
        EventItem::TYPE => Some(from_item::<EventItem>(item)?.message.conversation()),
        ThreadItem::TYPE => from_item::<ThreadItem>(item)?.conversation,
        MarkItem::TYPE => Some(from_item::<MarkItem>(item)?.conversation),
        LeadItem::TYPE => Some(from_item::<LeadItem>(item)?.leads_to),
        _ => None,
    })
}

/// The partitions of a conversation.
fn partitions(conversation: ConversationId) -> [String; 2] {
    [Key::chat(conversation).partition().to_owned(), keys::partition(conversation)]
}

/// The person's chat, if it is theirs.
fn found_chat(chat: &Chat, account: &AccountId, identity: &Identity) -> Option<PersonFound> {
    let is_theirs = match identity {
        Identity::Tracking(tracking) => chat.tracking.as_ref() == Some(tracking),
        Identity::Address(address) => chat.visitor.remote_address.as_ref() == Some(address),
    };
    let found = || PersonFound { conversation: chat.conversation(), tracking: chat.tracking.clone(), is_open: !chat.is_closed() };
    (chat.gateway == *account && is_theirs).then(found)
}

/// Where a page begins, as it is handed out.
fn place_text(last: &Item) -> Result<String, PortError> {
    let text = |name: &str| last.get(name).and_then(|value| value.as_s().ok()).cloned();
    let place = text(keys::PK).zip(text(keys::SK)).ok_or_else(|| corrupt("place", "has no key"))?;
    serde_json::to_string(&place).map_err(|_| corrupt("place", "cannot be written"))
}

fn place(text: &str) -> Result<Item, PortError> {
    let (pk, sk): (String, String) = serde_json::from_str(text).map_err(|_| corrupt("place", "is none"))?;
    Ok(HashMap::from([(keys::PK.to_owned(), AttributeValue::S(pk)), (keys::SK.to_owned(), AttributeValue::S(sk))]))
}
