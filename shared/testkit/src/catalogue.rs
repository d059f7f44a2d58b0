//! Catalogues in memory, without an index: every question looks at every product.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use ::catalogue::{Category, Listed, MAX_PRODUCTS, Page, Product, Tree, Wanted, rank};
use async_trait::async_trait;
use model::{AccountId, EpochMillis};
use ports::{Catalogue, CatalogueLoader, CatalogueState, Edition, Load, PartOutcome, PortError, PublishOutcome};

use crate::Faults;

#[derive(Debug, Clone, Default)]
struct Held {
    edition: Option<(Edition, Tree, Vec<Product>)>,
    load: Option<(Load, Tree, Vec<Product>)>,
    leftovers: usize,
}

/// Catalogues in a map under one lock. It notes what it is asked for.
#[derive(Debug, Default)]
pub struct InMemoryCatalogue {
    held: Mutex<BTreeMap<AccountId, Held>>,
    journal: Mutex<Vec<&'static str>>,
    faults: Faults,
}

impl InMemoryCatalogue {
    /// No catalogue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What goes wrong.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The names of the operations since the last time they were taken, refused ones included.
    pub fn operations(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.journal.lock().unwrap())
    }

    /// Publishes a catalogue at once.
    pub fn put(&self, account: &AccountId, categories: Vec<Category>, products: Vec<Product>) {
        let edition = Edition {
            version: "00".to_owned(),
            digest: String::new(),
            products: u32::try_from(products.len()).unwrap(),
            dropped: 0,
            categories: u32::try_from(categories.len()).unwrap(),
            published_at: EpochMillis::new(0),
        };
        let tree = Tree::of(categories).unwrap();
        self.held.lock().unwrap().entry(account.clone()).or_default().edition = Some((edition, tree, products));
    }

    fn apply<T>(&self, name: &'static str, account: &AccountId, operation: impl FnOnce(&mut Held) -> T) -> Result<T, PortError> {
        self.journal.lock().unwrap().push(name);
        self.faults.apply("catalogue", || operation(self.held.lock().unwrap().entry(account.clone()).or_default()))
    }
}

fn is_below(tree: &Tree, product: &Product, category: u64) -> bool {
    product.categories.iter().any(|own| tree.line(*own).contains(&category))
}

#[async_trait]
impl Catalogue for InMemoryCatalogue {
    async fn categories(&self, account: &AccountId, parent: Option<u64>, page: Page) -> Result<Vec<Listed>, PortError> {
        self.apply("categories", account, |held| {
            let Some((_, tree, products)) = &held.edition else { return Vec::new() };
            let family = tree.family(parent);
            let listed = |category: &Category| Listed {
                category: category.clone(),
                products: u32::try_from(products.iter().filter(|p| is_below(tree, p, category.id)).count()).unwrap(),
            };
            family[page.of(family.len())].iter().map(listed).collect()
        })
    }

    async fn products(&self, account: &AccountId, wanted: &Wanted, page: Page) -> Result<Vec<Product>, PortError> {
        self.apply("products", account, |held| {
            let Some((_, tree, products)) = &held.edition else { return Vec::new() };
            let is_in = |product: &&Product| wanted.category.is_none_or(|id| is_below(tree, product, id));
            let ranked = |product| Some((wanted.query.as_ref().map_or(Some(0), |query| rank(product, query))?, product));
            let mut found: Vec<_> = products.iter().filter(is_in).filter_map(ranked).collect();
            found.sort_by_key(|(rank, _)| *rank);
            found[page.of(found.len())].iter().map(|(_, product)| (*product).clone()).collect()
        })
    }
}

#[async_trait]
impl CatalogueLoader for InMemoryCatalogue {
    async fn catalogue_state(&self, account: &AccountId) -> Result<CatalogueState, PortError> {
        self.apply("catalogue_state", account, |held| CatalogueState {
            edition: held.edition.as_ref().map(|(edition, ..)| edition.clone()),
            load: held.load.as_ref().map(|(load, ..)| load.clone()),
            leftovers: held.leftovers,
        })
    }

    async fn begin_load(
        &self,
        account: &AccountId,
        version: &str,
        digest: &str,
        categories: &Tree,
        now: EpochMillis,
    ) -> Result<Load, PortError> {
        self.apply("begin_load", account, |held| {
            if let Some((load, ..)) = held.load.as_ref().filter(|(load, ..)| load.digest == digest) {
                return load.clone();
            }
            held.leftovers += usize::from(held.load.is_some());
            let (version, digest) = (version.to_owned(), digest.to_owned());
            let load = Load { version, digest, parts: 0, products: 0, dropped: 0, began_at: now };
            held.load = Some((load.clone(), categories.clone(), Vec::new()));
            load
        })
    }

    async fn add_part(
        &self,
        account: &AccountId,
        version: &str,
        part: u32,
        products: &[Product],
        dropped: u32,
    ) -> Result<PartOutcome, PortError> {
        self.apply("add_part", account, |held| {
            let Some((load, _, stored)) = held.load.as_mut().filter(|(load, ..)| load.version == version) else {
                return PartOutcome::NoLoad;
            };
            if part > load.parts {
                return PartOutcome::OutOfOrder(load.clone());
            }
            if part == load.parts {
                if stored.len() + products.len() > MAX_PRODUCTS {
                    return PartOutcome::TooMany;
                }
                stored.extend_from_slice(products);
                load.parts += 1;
                load.products = u32::try_from(stored.len()).unwrap();
                load.dropped += dropped;
            }
            PartOutcome::Stored(load.clone())
        })
    }

    async fn publish_load(&self, account: &AccountId, version: &str, now: EpochMillis) -> Result<PublishOutcome, PortError> {
        self.apply("publish_load", account, |held| {
            if let Some((edition, ..)) = held.edition.as_ref().filter(|(edition, ..)| edition.version == version) {
                return PublishOutcome::Published(edition.clone());
            }
            let Some((load, tree, products)) = held.load.clone().filter(|(load, ..)| load.version == version) else {
                return PublishOutcome::NoLoad;
            };
            let mut ids = BTreeSet::new();
            for product in &products {
                if !ids.insert(product.id) {
                    return PublishOutcome::Twice(product.id);
                }
                if let Some(category) = product.categories.iter().find(|id| tree.line(**id).is_empty()) {
                    return PublishOutcome::NoCategory(product.id, *category);
                }
            }
            let edition = Edition {
                version: load.version,
                digest: load.digest,
                products: load.products,
                dropped: load.dropped,
                categories: u32::try_from(tree.rows().len()).unwrap(),
                published_at: now,
            };
            held.leftovers += usize::from(held.edition.is_some());
            held.edition = Some((edition.clone(), tree, products));
            held.load = None;
            PublishOutcome::Published(edition)
        })
    }

    async fn abort_load(&self, account: &AccountId, version: &str) -> Result<bool, PortError> {
        self.apply("abort_load", account, |held| {
            let is_there = held.load.as_ref().is_some_and(|(load, ..)| load.version == version);
            if is_there {
                held.load = None;
                held.leftovers += 1;
            }
            is_there
        })
    }

    async fn clear_leftovers(&self, account: &AccountId, _most: usize) -> Result<bool, PortError> {
        self.apply("clear_leftovers", account, |held| {
            held.leftovers = 0;
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn catalogue_in_memory_meets_the_contract() {
        let catalogue = Arc::new(InMemoryCatalogue::new());
        crate::catalogue_contract::run(catalogue.clone(), catalogue).await;
    }
}
