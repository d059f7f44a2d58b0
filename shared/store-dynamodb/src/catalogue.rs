//! Catalogues: products four to an item, an index of blocks, and one item that says which of them readers see.
//!
//! Whatever belongs to one edition stands under its name and never changes once it is published. Every call of a reader asks for the item
//! with the name along with the first of what it needs, so no reader goes on with an edition that was replaced; where an edition's
//! blocks begin is kept in memory, as that never changes.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use ::catalogue::{Category, Directory, Index, IndexBuilder, Listed, MAX_PRODUCTS, Page, Product, Tree, Wanted};
use async_trait::async_trait;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use model::{AccountId, EpochMillis};
use ports::{Catalogue, CatalogueLoader, CatalogueState, Edition, Load, PartOutcome, PortError, PublishOutcome};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::DynamoStore;
use crate::change::{Change, number};
use crate::items::{Entity, attribute, corrupt, from_item, to_item};
use crate::keys::{Item, Key, catalogue};
use crate::table::{Found, Outcome, Table};

/// Products of an item. Four of them fill about the 4 KB by which reads are counted: those that a search finds here and there cost half a
/// read unit each, and so do four neighbours of a page.
const TOGETHER: usize = 4;

/// Categories of an item: a page is in two items at most.
const ROWS: usize = 100;

/// Products of a part at most: so many may be stored of a load without its knowing, if a part is interrupted.
const PART: usize = 5_000;

/// How often a reader looks, if an edition is replaced and removed while it does.
const LOOKS: usize = 3;

/// The catalogues, in the table of a store.
pub struct DynamoCatalogue {
    table: Table,
    /// What stands where in the editions that were seen last.
    seen: Mutex<HashMap<AccountId, Arc<Map>>>,
}

/// Which edition readers see.
#[derive(Default, Serialize, Deserialize)]
struct StateItem {
    rev: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    edition: Option<Numbers>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    load: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    leftovers: Vec<Leftover>,
}

impl Entity for StateItem {
    const TYPE: &'static str = "catalogue";
}

/// What an edition is.
#[derive(Clone, Serialize, Deserialize)]
struct Numbers {
    version: String,
    digest: String,
    products: u32,
    dropped: u32,
    categories: u32,
    blocks: usize,
    published_at: EpochMillis,
}

/// What is to be removed.
#[derive(Serialize, Deserialize)]
struct Leftover {
    version: String,
    products: usize,
    categories: usize,
    blocks: usize,
    /// How many of its items are.
    removed: usize,
}

/// A load that is under way.
#[derive(Serialize, Deserialize)]
struct LoadItem {
    rev: u64,
    version: String,
    digest: String,
    parts: u32,
    products: u32,
    dropped: u32,
    categories: u32,
    /// How many blocks may have been written of its index.
    blocks: usize,
    began_at: EpochMillis,
    /// The products that do not fill an item yet, as JSON.
    body: String,
}

impl Entity for LoadItem {
    const TYPE: &'static str = "catalogue_load";
}

/// Products, categories, or what stands where: JSON.
#[derive(Serialize, Deserialize)]
struct PartItem {
    body: String,
}

impl Entity for PartItem {
    const TYPE: &'static str = "catalogue_part";
}

/// What stands where in an edition, as it is stored.
#[derive(Serialize, Deserialize)]
struct Manifest {
    products: usize,
    /// Parent, first row of its children, row behind the last.
    families: Vec<(Option<u64>, usize, usize)>,
    /// For each row, how many products are in the category or below it.
    counts: Vec<u32>,
    /// The first entries of the blocks.
    directory: Vec<String>,
}

/// The same, as it is used.
struct Map {
    version: String,
    directory: Directory,
    families: BTreeMap<Option<u64>, (usize, usize)>,
    counts: Vec<u32>,
}

/// What an edition is known by, and whether it is certain at this moment that readers are to see it.
struct Known {
    map: Arc<Map>,
    is_certain: bool,
}

impl From<Numbers> for Edition {
    fn from(from: Numbers) -> Self {
        let Numbers { version, digest, products, dropped, categories, published_at, .. } = from;
        Self { version, digest, products, dropped, categories, published_at }
    }
}

impl From<&LoadItem> for Load {
    fn from(from: &LoadItem) -> Self {
        let LoadItem { parts, products, dropped, began_at, .. } = *from;
        Self { version: from.version.clone(), digest: from.digest.clone(), parts, products, dropped, began_at }
    }
}

impl LoadItem {
    fn leftover(&self) -> Leftover {
        Leftover {
            version: self.version.clone(),
            products: self.products as usize + PART,
            categories: self.categories as usize,
            blocks: self.blocks,
            removed: 0,
        }
    }

    fn tail(&self) -> Result<Vec<Product>, PortError> {
        parsed(&self.body)
    }
}

impl Leftover {
    fn of(numbers: &Numbers) -> Self {
        Self {
            version: numbers.version.clone(),
            products: numbers.products as usize,
            categories: numbers.categories as usize,
            blocks: numbers.blocks,
            removed: 0,
        }
    }

    /// All of its items. What says where they stand is the last one.
    fn keys(&self, account: &AccountId) -> impl Iterator<Item = Key> + use<> {
        let (account, version) = (account.clone(), self.version.clone());
        let [products, blocks, rows] = [self.products.div_ceil(TOGETHER), self.blocks, self.categories.div_ceil(ROWS)];
        let places = (0..products).map(|n| (0, n)).chain((0..blocks).map(|n| (1, n))).chain((0..rows).map(|n| (2, n)));
        places.chain([(3, 0)]).map(move |(kind, number)| match kind {
            0 => catalogue::products(&account, &version, number),
            1 => catalogue::block(&account, &version, number),
            2 => catalogue::categories(&account, &version, number),
            _ => catalogue::manifest(&account, &version),
        })
    }
}

fn parsed<T: DeserializeOwned>(body: &str) -> Result<T, PortError> {
    // The message of a serde error may repeat what it read.
    serde_json::from_str(body).map_err(|_| corrupt("catalogue", "its body does not fit"))
}

fn written<T: Serialize + ?Sized>(body: &T) -> Result<String, PortError> {
    serde_json::to_string(body).map_err(|_| corrupt("catalogue", "cannot be written"))
}

fn part<T: Serialize + ?Sized>(body: &T) -> Result<Item, PortError> {
    to_item(&PartItem { body: written(body)? })
}

fn part_of<T: DeserializeOwned>(item: Item) -> Result<T, PortError> {
    parsed(&from_item::<PartItem>(item)?.body)
}

fn block_of(item: &Item) -> Option<&[u8]> {
    item.get(attribute::BODY)?.as_b().ok().map(Blob::as_ref)
}

impl DynamoCatalogue {
    /// Beside a store, in its table.
    #[must_use]
    pub fn beside(store: &DynamoStore) -> Self {
        Self { table: store.table.clone(), seen: Mutex::default() }
    }

    /// The edition that was seen last, or with `afresh` the one that is there; `None` without any.
    async fn known(&self, account: &AccountId, afresh: bool) -> Result<Option<Known>, PortError> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(account).cloned();
        if let Some(map) = seen.filter(|_| !afresh) {
            return Ok(Some(Known { map, is_certain: false }));
        }
        let items = self.table.partition(catalogue::partition(account)).await?;
        let items: HashMap<_, _> = items.into_iter().filter_map(|item| Some((Key::of(&item)?, item))).collect();
        let take = |key: &Key| items.get(key).cloned();
        let state: Option<StateItem> = take(&catalogue::state(account)).map(from_item).transpose()?;
        let Some(Numbers { version, .. }) = state.and_then(|state| state.edition) else { return Ok(None) };
        let manifest = take(&catalogue::manifest(account, &version)).ok_or_else(|| corrupt("catalogue", "has no manifest"))?;
        let Manifest { products, families, counts, directory } = part_of(manifest)?;
        let families = families.into_iter().map(|(parent, first, behind)| (parent, (first, behind))).collect();
        let map = Arc::new(Map { version, directory: Directory::new(directory, products), families, counts });
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(account.clone(), map.clone());
        Ok(Some(Known { map, is_certain: true }))
    }

    /// The first items that a call needs of an edition; `None` if it is no longer the one that readers are to see, or if not all of
    /// them are there.
    async fn first(&self, account: &AccountId, known: &Known, keys: Vec<Key>) -> Result<Option<Found>, PortError> {
        let state = (!known.is_certain).then(|| catalogue::state(account));
        let found = self.table.get_all_eventually(state.iter().cloned().chain(keys.iter().cloned())).await?;
        if let Some(state) = state {
            let item: Option<StateItem> = found.item(&state).map(from_item).transpose()?;
            let version = item.and_then(|item| item.edition).map(|edition| edition.version);
            if version.as_ref() != Some(&known.map.version) {
                return Ok(None);
            }
        }
        self.complete(found, keys).await
    }

    /// Reads what is not there once more, as it is at this moment: an edition that was published just now may not be everywhere
    /// yet. `None` if something is missing even then.
    async fn complete(&self, mut found: Found, keys: Vec<Key>) -> Result<Option<Found>, PortError> {
        let missing: Vec<_> = keys.into_iter().filter(|key| found.get(key).is_none()).collect();
        if missing.is_empty() {
            return Ok(Some(found));
        }
        found.extend(self.table.get_all(missing.iter().cloned()).await?);
        Ok(missing.iter().all(|key| found.get(key).is_some()).then_some(found))
    }

    fn product_keys(account: &AccountId, known: &Known, places: &[usize]) -> Vec<Key> {
        places.iter().map(|place| catalogue::products(account, &known.map.version, place / TOGETHER)).collect()
    }

    async fn look(
        &self,
        account: &AccountId,
        known: &Known,
        wanted: &Wanted,
        page: Page,
    ) -> Result<Option<Vec<Product>>, PortError> {
        let Map { directory, version, .. } = &*known.map;
        let Some(question) = directory.question(wanted) else {
            let places: Vec<_> = page.of(directory.products()).collect();
            let found = self.first(account, known, Self::product_keys(account, known, &places)).await?;
            return found.map(|found| at_places(account, known, &found, &places)).transpose();
        };
        let key = |number: usize| catalogue::block(account, version, number);
        let Some(found) = self.first(account, known, question.blocks().into_iter().map(key).collect()).await? else {
            return Ok(None);
        };
        let places = question.answer(page, &|number| block_of(found.get(&key(number))?));
        let places = places.ok_or_else(|| corrupt("catalogue", "its index does not fit"))?;
        if places.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let keys = Self::product_keys(account, known, &places);
        let found = self.complete(self.table.get_all_eventually(keys.iter().cloned()).await?, keys).await?;
        found.map(|found| at_places(account, known, &found, &places)).transpose()
    }

    async fn list(
        &self,
        account: &AccountId,
        known: &Known,
        parent: Option<u64>,
        page: Page,
    ) -> Result<Option<Vec<Listed>>, PortError> {
        let Map { families, counts, version, .. } = &*known.map;
        let (first, behind) = families.get(&parent).copied().unwrap_or_default();
        let places = page.of(behind - first);
        let places = places.start + first..places.end + first;
        let items = if places.is_empty() { 0..0 } else { places.start / ROWS..(places.end - 1) / ROWS + 1 };
        let keys: Vec<_> = items.map(|number| catalogue::categories(account, version, number)).collect();
        let Some(found) = self.first(account, known, keys.clone()).await? else { return Ok(None) };
        let mut rows: Vec<Category> = Vec::new();
        for key in &keys {
            rows.extend(found.item(key).map(part_of::<Vec<Category>>).transpose()?.unwrap_or_default());
        }
        let rows = rows.into_iter().skip(places.start % ROWS);
        let listed = |(category, place): (_, usize)| Listed { category, products: counts.get(place).copied().unwrap_or(0) };
        Ok(Some(rows.zip(places).map(listed).collect()))
    }

    async fn state(&self, account: &AccountId) -> Result<(StateItem, Option<LoadItem>), PortError> {
        let (state, load) = (catalogue::state(account), catalogue::load(account));
        let found = self.table.get_all([state.clone(), load.clone()]).await?;
        let state: StateItem = found.item(&state).map(from_item).transpose()?.unwrap_or_default();
        let load: Option<LoadItem> = found.item(&load).map(from_item).transpose()?;
        Ok((state, load))
    }

    /// Makes changes along with the state, if nobody else has changed it.
    async fn change(&self, account: &AccountId, mut state: StateItem, mut changes: Vec<Change>) -> Result<(), PortError> {
        let before = (state.rev > 0).then(|| number(state.rev));
        state.rev += 1;
        changes.push(Change::put(catalogue::state(account), to_item(&state)?).if_is(attribute::REV, before));
        self.make(changes).await
    }

    /// Writes a load, if nobody else has changed it.
    async fn keep(&self, account: &AccountId, load: &mut LoadItem) -> Result<(), PortError> {
        let before = number(load.rev);
        load.rev += 1;
        self.make(vec![Change::put(catalogue::load(account), to_item(load)?).if_is(attribute::REV, Some(before))]).await
    }

    async fn make(&self, changes: Vec<Change>) -> Result<(), PortError> {
        match self.table.transact(changes).await? {
            Outcome::Stored => Ok(()),
            Outcome::Cancelled(_) => Err(PortError::Busy),
        }
    }

    async fn tree(&self, account: &AccountId, load: &LoadItem) -> Result<Tree, PortError> {
        let numbers = 0..(load.categories as usize).div_ceil(ROWS);
        let keys: Vec<_> = numbers.map(|number| catalogue::categories(account, &load.version, number)).collect();
        let found = self.table.get_all(keys.iter().cloned()).await?;
        let mut rows = Vec::new();
        for key in &keys {
            let item = found.item(key).ok_or_else(|| corrupt("catalogue", "lacks categories"))?;
            rows.extend(part_of::<Vec<Category>>(item)?);
        }
        Tree::of(rows).map_err(|(_, why)| corrupt("catalogue", why))
    }

    /// Reads all products of a load and makes their index, or says why it cannot be published.
    async fn index(&self, account: &AccountId, load: &LoadItem, tree: &Tree) -> Result<Result<Index, PublishOutcome>, PortError> {
        let numbers: Vec<_> = (0..(load.products as usize).div_ceil(TOGETHER)).collect();
        let (mut builder, mut ids) = (IndexBuilder::new(), BTreeSet::new());
        for numbers in numbers.chunks(100) {
            let keys: Vec<_> = numbers.iter().map(|number| catalogue::products(account, &load.version, *number)).collect();
            let found = self.table.get_all(keys.iter().cloned()).await?;
            for key in &keys {
                let item = found.item(key).ok_or_else(|| corrupt("catalogue", "lacks products"))?;
                for product in part_of::<Vec<Product>>(item)? {
                    if !ids.insert(product.id) {
                        return Ok(Err(PublishOutcome::Twice(product.id)));
                    }
                    if let Some(category) = product.categories.iter().find(|id| tree.line(**id).is_empty()) {
                        return Ok(Err(PublishOutcome::NoCategory(product.id, *category)));
                    }
                    builder.add(&product, tree);
                }
            }
        }
        if ids.len() != load.products as usize {
            return Err(corrupt("catalogue", "has another number of products"));
        }
        Ok(Ok(builder.finish()))
    }
}

/// Products at these places, in this order, out of what was read of them.
fn at_places(account: &AccountId, known: &Known, found: &Found, places: &[usize]) -> Result<Vec<Product>, PortError> {
    let mut items: HashMap<usize, Vec<Product>> = HashMap::new();
    let mut products = Vec::with_capacity(places.len());
    for place in places {
        let together = match items.entry(place / TOGETHER) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let item = found.item(&catalogue::products(account, &known.map.version, place / TOGETHER));
                entry.insert(item.map(part_of).transpose()?.unwrap_or_default())
            }
        };
        products.push(together.get(place % TOGETHER).cloned().ok_or_else(|| corrupt("catalogue", "lacks a product"))?);
    }
    Ok(products)
}

#[async_trait]
impl Catalogue for DynamoCatalogue {
    async fn categories(&self, account: &AccountId, parent: Option<u64>, page: Page) -> Result<Vec<Listed>, PortError> {
        for look in 0..LOOKS {
            let Some(known) = self.known(account, look > 0).await? else { return Ok(Vec::new()) };
            if let Some(listed) = self.list(account, &known, parent, page).await? {
                return Ok(listed);
            }
        }
        Err(PortError::Busy)
    }

    async fn products(&self, account: &AccountId, wanted: &Wanted, page: Page) -> Result<Vec<Product>, PortError> {
        for look in 0..LOOKS {
            let Some(known) = self.known(account, look > 0).await? else { return Ok(Vec::new()) };
            if let Some(products) = self.look(account, &known, wanted, page).await? {
                return Ok(products);
            }
        }
        Err(PortError::Busy)
    }
}

#[async_trait]
impl CatalogueLoader for DynamoCatalogue {
    async fn catalogue_state(&self, account: &AccountId) -> Result<CatalogueState, PortError> {
        let (state, load) = self.state(account).await?;
        let (edition, load) = (state.edition.map(Edition::from), load.as_ref().map(Load::from));
        Ok(CatalogueState { edition, load, leftovers: state.leftovers.len() })
    }

    async fn begin_load(
        &self,
        account: &AccountId,
        version: &str,
        digest: &str,
        categories: &Tree,
        now: EpochMillis,
    ) -> Result<Load, PortError> {
        let categories = categories.rows();
        let (mut state, load) = self.state(account).await?;
        let is_same = |load: &LoadItem| load.digest == digest && load.categories as usize == categories.len();
        let load = match load {
            Some(load) if is_same(&load) => load,
            other => {
                state.leftovers.extend(other.as_ref().map(LoadItem::leftover));
                let load = LoadItem {
                    rev: 1,
                    version: version.to_owned(),
                    digest: digest.to_owned(),
                    parts: 0,
                    products: 0,
                    dropped: 0,
                    categories: u32::try_from(categories.len()).unwrap_or(u32::MAX),
                    blocks: 0,
                    began_at: now,
                    body: "[]".to_owned(),
                };
                state.load = Some(load.version.clone());
                self.change(account, state, vec![Change::put(catalogue::load(account), to_item(&load)?)]).await?;
                load
            }
        };
        // Also where it goes on: it may have been interrupted here.
        let rows = categories.chunks(ROWS).enumerate();
        let rows = rows.map(|(number, rows)| Ok((catalogue::categories(account, &load.version, number), part(rows)?)));
        self.table.put_all(rows.collect::<Result<_, PortError>>()?).await?;
        Ok(Load::from(&load))
    }

    async fn add_part(
        &self,
        account: &AccountId,
        version: &str,
        number: u32,
        products: &[Product],
        dropped: u32,
    ) -> Result<PartOutcome, PortError> {
        let Some(mut load) = self.state(account).await?.1.filter(|load| load.version == version) else {
            return Ok(PartOutcome::NoLoad);
        };
        if number > load.parts {
            return Ok(PartOutcome::OutOfOrder(Load::from(&load)));
        }
        if number < load.parts {
            return Ok(PartOutcome::Stored(Load::from(&load)));
        }
        let all = load.products as usize + products.len();
        if all > MAX_PRODUCTS || products.len() > PART {
            return Ok(PartOutcome::TooMany);
        }
        let mut open = load.tail()?;
        let first = (load.products as usize - open.len()) / TOGETHER;
        open.extend_from_slice(products);
        let whole = open.chunks_exact(TOGETHER);
        load.body = written(whole.remainder())?;
        let items =
            whole.zip(first..).map(|(together, number)| Ok((catalogue::products(account, version, number), part(together)?)));
        self.table.put_all(items.collect::<Result<_, PortError>>()?).await?;
        load.parts += 1;
        load.products = u32::try_from(all).unwrap_or(u32::MAX);
        load.dropped += dropped;
        self.keep(account, &mut load).await?;
        Ok(PartOutcome::Stored(Load::from(&load)))
    }

    async fn publish_load(&self, account: &AccountId, version: &str, now: EpochMillis) -> Result<PublishOutcome, PortError> {
        let (mut state, load) = self.state(account).await?;
        if let Some(edition) = state.edition.as_ref().filter(|edition| edition.version == version) {
            return Ok(PublishOutcome::Published(edition.clone().into()));
        }
        let Some(mut load) = load.filter(|load| load.version == version) else { return Ok(PublishOutcome::NoLoad) };
        let tail = load.tail()?;
        if !tail.is_empty() {
            let last = catalogue::products(account, version, load.products as usize / TOGETHER);
            self.table.put_all(vec![(last, part(&tail)?)]).await?;
        }
        let tree = self.tree(account, &load).await?;
        let Index { directory, blocks, counts } = match self.index(account, &load, &tree).await? {
            Ok(index) => index,
            Err(refused) => return Ok(refused),
        };
        // Noted before they are written: whoever gives the load up removes them.
        load.blocks = blocks.len();
        self.keep(account, &mut load).await?;
        let manifest = Manifest {
            products: directory.products(),
            families: tree.families().map(|(parent, rows)| (parent, rows.start, rows.end)).collect(),
            counts: tree.rows().iter().map(|row| counts.get(&row.id).copied().unwrap_or(0)).collect(),
            directory: directory.firsts().to_vec(),
        };
        let edition = Numbers {
            version: version.to_owned(),
            digest: load.digest.clone(),
            products: load.products,
            dropped: load.dropped,
            categories: load.categories,
            blocks: blocks.len(),
            published_at: now,
        };
        let block = |(number, block): (usize, Vec<u8>)| {
            let mut item = part("")?;
            item.insert(attribute::BODY.to_owned(), AttributeValue::B(Blob::new(block)));
            Ok((catalogue::block(account, version, number), item))
        };
        self.table.put_all(blocks.into_iter().enumerate().map(block).collect::<Result<_, PortError>>()?).await?;
        state.leftovers.extend(state.edition.as_ref().map(Leftover::of));
        state.edition = Some(edition.clone());
        state.load = None;
        let changes = vec![
            Change::put(catalogue::manifest(account, version), part(&manifest)?),
            Change::delete(catalogue::load(account)).if_is(attribute::REV, Some(number(load.rev))),
        ];
        self.change(account, state, changes).await?;
        Ok(PublishOutcome::Published(edition.into()))
    }

    async fn abort_load(&self, account: &AccountId, version: &str) -> Result<bool, PortError> {
        let (mut state, load) = self.state(account).await?;
        let Some(load) = load.filter(|load| load.version == version) else { return Ok(false) };
        state.leftovers.push(load.leftover());
        state.load = None;
        let delete = Change::delete(catalogue::load(account)).if_is(attribute::REV, Some(number(load.rev)));
        self.change(account, state, vec![delete]).await?;
        Ok(true)
    }

    async fn clear_leftovers(&self, account: &AccountId, most: usize) -> Result<bool, PortError> {
        let (mut state, _) = self.state(account).await?;
        let Some(leftover) = state.leftovers.first_mut() else { return Ok(true) };
        let mut keys = leftover.keys(account).skip(leftover.removed);
        let batch: Vec<_> = keys.by_ref().take(most).collect();
        let is_last = keys.next().is_none();
        leftover.removed += batch.len();
        self.table.delete_all(batch).await?;
        if is_last {
            state.leftovers.remove(0);
        }
        let is_clear = state.leftovers.is_empty();
        self.change(account, state, Vec::new()).await?;
        Ok(is_clear)
    }
}
