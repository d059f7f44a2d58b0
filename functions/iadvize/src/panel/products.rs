//! What the panel needs to know of a catalogue: a port, and what comes through it.

use async_trait::async_trait;
use model::AccountId;
use ports::PortError;
use serde::Serialize;

/// A product as an agent sees and sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Product {
    /// Its id.
    pub id: u64,
    /// What it is called.
    pub title: String,
    /// Its maker.
    pub brand: Option<String>,
    /// The merchant's reference.
    pub reference: String,
    /// A few words about it.
    pub summary: Option<String>,
    /// What it costs, as a text.
    pub price: String,
    /// Whether it can be had; `None` if nobody knows.
    pub available: Option<bool>,
    /// Its page.
    pub url: String,
    /// Its picture.
    pub image: Option<String>,
}

/// The catalogue of a site.
#[async_trait]
pub trait Products: Send + Sync {
    /// Those with these words, the best first, and `limit` at most.
    ///
    /// # Errors
    /// [`PortError`].
    async fn search(&self, account: &AccountId, words: &str, limit: usize) -> Result<Vec<Product>, PortError>;

    /// Those with these ids, in that order; unknown ids are left out.
    ///
    /// # Errors
    /// [`PortError`].
    async fn with_ids(&self, account: &AccountId, ids: &[u64]) -> Result<Vec<Product>, PortError>;

    /// Those with one of these references, without case.
    ///
    /// # Errors
    /// [`PortError`].
    async fn with_references(&self, account: &AccountId, references: &[&str]) -> Result<Vec<Product>, PortError>;
}
