//! The real ports of the panel: what is remembered of visitors, what people said, and the catalogue.

use std::sync::Arc;
use std::time::Duration;

use app::{AppError, Name, conversations_of};
use async_trait::async_trait;
use catalogue::{Page, Query, Wanted};
use futures_util::future::try_join_all;
use lambda::Roster;
use model::{Account, AccountId, Author, ConversationId, TenantId};
use ports::{Catalogue, Clock, Outline, People, PortError, Records};

use super::products::{Product, Products};
use super::timeline::{Known, Line, PersonKey, Speaker, Spoken, Timeline};
use crate::Problem;
use crate::visitors::{Names, Whose, conversation_key, opened, visitor_key};

/// Persons, as webhooks and the card left them, and their conversations on every platform.
pub struct Remembered {
    /// Tenants and accounts.
    pub roster: Arc<Roster>,
    /// Who visitors are.
    pub records: Arc<dyn Records>,
    /// What people said.
    pub people: Arc<dyn People>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long what was said is kept.
    pub kept: Duration,
}

/// What a port that reads may say of a failure.
fn failed(error: impl Into<Problem>) -> PortError {
    match error.into() {
        Problem::Ours(AppError::Unavailable(error)) => error,
        _ => PortError::Corrupt { what: "record", why: "cannot be read".to_owned() },
    }
}

impl Remembered {
    async fn account(&self, id: &AccountId) -> Result<Option<Account>, PortError> {
        Ok(self.roster.current().await.map_err(failed)?.directory.accounts.get(id).cloned())
    }
}

#[async_trait]
impl Timeline for Remembered {
    async fn visitor_of(&self, account: &AccountId, conversation: &str) -> Result<Option<Known>, PortError> {
        let Some(account) = self.account(account).await? else { return Ok(None) };
        let now = self.clock.now();
        let whose = self.records.record(&conversation_key(&account, conversation)).await?;
        let Some(Whose { visitor, names }) = opened::<Whose>(whose, now).map_err(failed)?.0 else { return Ok(None) };
        let remembered = match &visitor {
            Some(unique) => opened::<Names>(self.records.record(&visitor_key(&account, unique)).await?, now).map_err(failed)?.0,
            None => None,
        };
        let names = names.or(remembered.unwrap_or_default());
        let keys =
            [names.external_id.map(PersonKey::External), names.email.map(PersonKey::Email), visitor.map(PersonKey::Visitor)];
        Ok(Some(Known { keys: keys.into_iter().flatten().collect(), name: None }))
    }

    async fn conversations(&self, tenant: &TenantId, person: &Known, limit: usize) -> Result<Vec<Spoken>, PortError> {
        let snapshot = self.roster.current().await.map_err(failed)?;
        let since = self.clock.now().minus(self.kept);
        let name = |key: &PersonKey| {
            let (PersonKey::External(name) | PersonKey::Email(name) | PersonKey::Visitor(name)) = key;
            Name::new(name)
        };
        let names: Vec<_> = person.keys.iter().filter_map(name).collect();
        let found = conversations_of(&*self.people, &*self.records, &snapshot.directory, tenant, &names, since, limit).await;
        Ok(found.map_err(failed)?.into_iter().map(spoken).collect())
    }

    async fn lines(&self, tenant: &TenantId, conversation: &str, limit: usize) -> Result<Vec<Line>, PortError> {
        let Ok(id) = conversation.parse::<ConversationId>() else { return Ok(Vec::new()) };
        let Some(outline) = self.people.outlines(&[id]).await?.into_iter().find(|outline| outline.tenant == *tenant) else {
            return Ok(Vec::new());
        };
        let desk = outline.chat.and_then(|chat| chat.attendant);
        let line = |said: ports::Line| match said.by {
            Author::Visitor => Line { at: said.at, from: Speaker::Visitor, name: None, text: said.text },
            Author::Desk => Line { at: said.at, from: Speaker::Desk, name: desk.clone(), text: said.text },
        };
        Ok(self.people.said(id, limit).await?.into_iter().map(line).collect())
    }
}

fn spoken(outline: Outline) -> Spoken {
    let chat = outline.chat.as_ref();
    Spoken {
        id: outline.conversation.to_string(),
        platform: outline.visitor.platform(),
        // One of messages has no end.
        open: chat.is_none_or(|chat| chat.closed_at.is_none()),
        began: chat.map_or(outline.last_at, |chat| chat.began_at),
        last: outline.last_at,
    }
}

/// The catalogue that is published.
pub struct Published(pub Arc<dyn Catalogue>);

impl Published {
    /// What is found for a text. What has too many words finds nothing.
    async fn find(&self, account: &AccountId, text: &str, limit: usize) -> Result<Vec<catalogue::Product>, PortError> {
        let Ok(Some(query)) = Query::of(text) else { return Ok(Vec::new()) };
        let wanted = Wanted { category: None, query: Some(query) };
        self.0.products(account, &wanted, Page { offset: 0, limit }).await
    }
}

#[async_trait]
impl Products for Published {
    async fn search(&self, account: &AccountId, words: &str, limit: usize) -> Result<Vec<Product>, PortError> {
        Ok(self.find(account, words, limit).await?.into_iter().map(shown).collect())
    }

    async fn with_ids(&self, account: &AccountId, ids: &[u64]) -> Result<Vec<Product>, PortError> {
        // An id is found as a reference is: before all words.
        let all = ids.iter().map(async |id| {
            let found = self.find(account, &id.to_string(), MOST_ALIKE).await?;
            Ok::<_, PortError>(found.into_iter().find(|product| product.id == *id))
        });
        Ok(try_join_all(all).await?.into_iter().flatten().map(shown).collect())
    }

    async fn with_references(&self, account: &AccountId, references: &[&str]) -> Result<Vec<Product>, PortError> {
        let all = references.iter().map(async |reference| {
            let found = self.find(account, reference, MOST_ALIKE).await?;
            Ok::<_, PortError>(found.into_iter().find(|product| product.reference.eq_ignore_ascii_case(reference)))
        });
        Ok(try_join_all(all).await?.into_iter().flatten().map(shown).collect())
    }
}

/// How many products may share a reference, or have another's id as theirs.
const MOST_ALIKE: usize = 5;

fn shown(product: catalogue::Product) -> Product {
    Product {
        id: product.id,
        title: product.title,
        brand: product.brand,
        reference: product.reference,
        summary: product.short_description,
        price: product.promotion_price.or(product.special_price).unwrap_or(product.price),
        available: product.available,
        url: product.url,
        image: Some(product.image_url),
    }
}
