//! What people have said, for whoever has no part in it.

use std::cmp::Reverse;

use async_trait::async_trait;
use chat::{Chat, ChatId};
use model::{ConversationId, Message};
use ports::{ChatRecord, Chats as _, Line, Outline, People, PortError};

use crate::DynamoChats;
use crate::chat_items::LeadItem;
use crate::chats::{is_lead, record_of};
use crate::items::{self, Entity as _, MessageItem, MessagePartItem, from_item};
use crate::keys::{Item, Key, Range};
use crate::store::conversation_of;

#[async_trait]
impl People for DynamoChats {
    async fn outlines(&self, conversations: &[ConversationId]) -> Result<Vec<Outline>, PortError> {
        let (mut found, leads) = self.outlined(conversations).await?;
        if !leads.is_empty() {
            // A prepared chat's conversation is no thread's own, so this leads no further.
            found.extend(self.outlined(&leads).await?.0);
        }
        found.sort_by_key(|outline| Reverse(outline.last_at));
        Ok(found)
    }

    async fn said(&self, conversation: ConversationId, limit: usize) -> Result<Vec<Line>, PortError> {
        let mut lines = match self.chat(conversation, None).await? {
            Some((ChatRecord { chat: Chat { id, counter, .. }, .. }, _)) => self.sentences_of(id, counter, limit).await?,
            None => self.messages_of(conversation).await?,
        };
        lines.drain(..lines.len().saturating_sub(limit));
        Ok(lines)
    }

    async fn messages(&self, conversation: ConversationId, before: Option<u64>, limit: usize) -> Result<Vec<Message>, PortError> {
        let range = match before {
            Some(before) => Range::messages_before(conversation, before),
            None => Range::messages(conversation),
        };
        let (mut messages, mut parts) = (Vec::<MessageItem>::new(), Vec::<MessagePartItem>::new());
        let mut from = None;
        while messages.len() < limit {
            let (items, next) = self.table.page_from_end(&range, limit - messages.len(), from).await?;
            sorted(items, &mut messages, &mut parts)?;
            from = next;
            if from.is_none() {
                break;
            }
        }
        // From the end, a message's parts come before it.
        messages.into_iter().rev().map(|message| message.join(&parts)).collect()
    }
}

/// Messages, and the parts of long ones.
fn sorted(items: Vec<Item>, messages: &mut Vec<MessageItem>, parts: &mut Vec<MessagePartItem>) -> Result<(), PortError> {
    for item in items {
        if items::entity_type(&item) == Some(MessageItem::TYPE) {
            messages.push(from_item(item)?);
        } else {
            parts.push(from_item(item)?);
        }
    }
    Ok(())
}

impl DynamoChats {
    /// The outlines of what is there, and the conversations that threads lead to instead.
    async fn outlined(&self, conversations: &[ConversationId]) -> Result<(Vec<Outline>, Vec<ConversationId>), PortError> {
        let keys = conversations.iter().flat_map(|id| [Key::chat(*id), Key::conversation(*id)]);
        let found = self.table.get_all(keys).await?;
        let (mut outlines, mut leads) = (Vec::new(), Vec::new());
        for id in conversations {
            match found.item(&Key::chat(*id)) {
                Some(lead) if is_lead(&lead) => leads.push(from_item::<LeadItem>(lead)?.leads_to),
                Some(chat) => outlines.push(Outline::of_chat(record_of(chat)?)),
                None => {
                    let conversation = found.item(&Key::conversation(*id)).map(conversation_of).transpose()?;
                    outlines.extend(conversation.map(Outline::of_messages));
                }
            }
        }
        Ok((outlines, leads))
    }

    async fn sentences_of(&self, chat: ChatId, counter: u64, limit: usize) -> Result<Vec<Line>, PortError> {
        let first = counter.saturating_sub(u64::try_from(limit).unwrap_or(u64::MAX)).saturating_add(1);
        let sentences = self.sentences(chat, first, counter).await?;
        Ok(sentences.into_iter().filter_map(Line::of_sentence).collect())
    }

    async fn messages_of(&self, conversation: ConversationId) -> Result<Vec<Line>, PortError> {
        let (mut messages, mut parts) = (Vec::<MessageItem>::new(), Vec::<MessagePartItem>::new());
        sorted(self.table.range(&Range::messages(conversation), None).await?, &mut messages, &mut parts)?;
        messages.into_iter().map(|message| message.join(&parts).map(Line::of_message)).collect()
    }
}
