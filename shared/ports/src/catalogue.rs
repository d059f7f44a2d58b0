//! Catalogues of products: reading the one that is published, and replacing it by another.
//!
//! A load is begun with the categories, gets its products in parts, and becomes the catalogue by being published. Until then readers see
//! the one before, whole; from then on the new one, whole. Every step may be repeated: it does the same again or nothing.

use ::catalogue::{Listed, Page, Product, Tree, Wanted};
use async_trait::async_trait;
use model::{AccountId, EpochMillis};

use crate::PortError;

/// The catalogue that is published.
#[async_trait]
pub trait Catalogue: Send + Sync {
    /// Children of a category, or those at the top; none of a category or an account that is not there.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn categories(&self, account: &AccountId, parent: Option<u64>, page: Page) -> Result<Vec<Listed>, PortError>;

    /// Products, in the order of the catalogue or, with a query, the best matches first and equal ones in that order.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn products(&self, account: &AccountId, wanted: &Wanted, page: Page) -> Result<Vec<Product>, PortError>;
}

/// A load that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// Its name: hex digits.
    pub version: String,
    /// What is loaded, in the loader's words. A load of the same goes on where it was.
    pub digest: String,
    /// How many parts are stored.
    pub parts: u32,
    /// How many products these have.
    pub products: u32,
    /// How many they had beside that could not be shown.
    pub dropped: u32,
    /// When it was begun.
    pub began_at: EpochMillis,
}

/// A catalogue that is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edition {
    /// The name that its load had.
    pub version: String,
    /// What was loaded.
    pub digest: String,
    /// How many products it has.
    pub products: u32,
    /// How many were left out.
    pub dropped: u32,
    /// How many categories it has.
    pub categories: u32,
    /// When it was published.
    pub published_at: EpochMillis,
}

/// What there is of an account's catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatalogueState {
    /// What readers see.
    pub edition: Option<Edition>,
    /// What is to replace it.
    pub load: Option<Load>,
    /// How many catalogues are still to be removed.
    pub leftovers: usize,
}

/// What became of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartOutcome {
    /// It is stored, or was before: the load as it is.
    Stored(Load),
    /// It is not the next one: the load as it is.
    OutOfOrder(Load),
    /// There is no such load any more.
    NoLoad,
    /// With it there would be more products than a catalogue may have.
    TooMany,
}

/// What became of a publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishOutcome {
    /// It is what readers see.
    Published(Edition),
    /// There is no such load.
    NoLoad,
    /// Two products have this id. Readers see what they saw before.
    Twice(u64),
    /// A product (the first number) is in a category (the second) that is not there. Readers see what they saw before.
    NoCategory(u64, u64),
}

/// Replaces catalogues. One load of an account at a time: another one that is begun takes its place.
#[async_trait]
pub trait CatalogueLoader: Send + Sync {
    /// What there is.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    async fn catalogue_state(&self, account: &AccountId) -> Result<CatalogueState, PortError>;

    /// Begins a load, or goes on with the one of the same digest. `version` is a fresh name for a new one.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn begin_load(
        &self,
        account: &AccountId,
        version: &str,
        digest: &str,
        categories: &Tree,
        now: EpochMillis,
    ) -> Result<Load, PortError>;

    /// Stores a part, of at most 5,000 products. Parts come one after the other, from number 0.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn add_part(
        &self,
        account: &AccountId,
        version: &str,
        part: u32,
        products: &[Product],
        dropped: u32,
    ) -> Result<PartOutcome, PortError>;

    /// Makes a load the catalogue.
    ///
    /// # Errors
    /// [`PortError`] when it is not known whether it is.
    async fn publish_load(&self, account: &AccountId, version: &str, now: EpochMillis) -> Result<PublishOutcome, PortError>;

    /// Gives a load up; `false` if there is no such one.
    ///
    /// # Errors
    /// [`PortError`] when it is not known whether it was.
    async fn abort_load(&self, account: &AccountId, version: &str) -> Result<bool, PortError>;

    /// Removes something of what nobody sees any more: at most so many items. Whether nothing is left.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be removed.
    async fn clear_leftovers(&self, account: &AccountId, most: usize) -> Result<bool, PortError>;
}
