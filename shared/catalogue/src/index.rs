//! The index of a catalogue: sorted entries, cut into blocks.
//!
//! | Entry | What stands in it |
//! |---|---|
//! | `{word}` | the products with the word, by the best of their fields that has it |
//! | `{beginning}*` | the products with any word that begins so; only where those words fill more than a block |
//! | `#{category}` | the products in the category or below it |
//! | `={reference}` | the products with exactly this reference, or id |
//!
//! An entry names products by their places in the catalogue. Because of the entries with `*`, all words that begin in some way stand in
//! two neighbouring blocks at most, or in one entry: a question needs two blocks for a word, however many products there are.

use std::collections::BTreeMap;

use crate::postings::Bits;
use crate::words::{self, FIELDS};
use crate::{Page, Product, Query, Tree, Wanted};

/// A block is closed when it has reached so many bytes: two units of what a read costs.
const BLOCK: usize = 8 * 1024;

const ANY: char = '*';
const CATEGORY: char = '#';
const REFERENCE: char = '=';

/// The first entry of each block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    firsts: Vec<String>,
    products: usize,
}

/// What a catalogue is searched by.
#[derive(Debug, Clone)]
pub struct Index {
    /// Where which block begins.
    pub directory: Directory,
    /// The blocks.
    pub blocks: Vec<Vec<u8>>,
    /// How many products are in each category or below it; those without any are left out.
    pub counts: BTreeMap<u64, u32>,
}

type Places = [Vec<u32>; FIELDS];

/// Makes an index of products, which it is given one after the other.
#[derive(Debug, Default)]
pub struct IndexBuilder {
    entries: BTreeMap<String, Places>,
    products: u32,
}

impl IndexBuilder {
    /// An index of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next product.
    pub fn add(&mut self, product: &Product, tree: &Tree) {
        let place = self.products;
        self.products += 1;
        for (field, texts) in words::fields(product) {
            for word in texts.flat_map(words::words) {
                let entry = self.entries.entry(word).or_default();
                // The fields come best first.
                if entry.iter().take(field + 1).all(|places| places.last() != Some(&place)) {
                    entry[field].push(place);
                }
            }
        }
        for category in product.categories.iter().flat_map(|category| tree.line(*category)) {
            self.note(format!("{CATEGORY}{category}"), place);
        }
        let (reference, id) = (words::reference(&product.reference), product.id.to_string());
        if reference != id {
            self.note(format!("{REFERENCE}{id}"), place);
        }
        self.note(format!("{REFERENCE}{reference}"), place);
    }

    fn note(&mut self, key: String, place: u32) {
        let places = &mut self.entries.entry(key).or_default()[0];
        if places.last() != Some(&place) {
            places.push(place);
        }
    }

    /// The index.
    #[must_use]
    pub fn finish(self) -> Index {
        let all = self.products as usize;
        let category = |(key, places): (&String, &Places)| {
            let id = key.strip_prefix(CATEGORY)?.parse().ok()?;
            Some((id, u32::try_from(places[0].len()).unwrap_or(u32::MAX)))
        };
        let counts = self.entries.iter().filter_map(category).collect();
        let keyed: Vec<_> = self.entries.into_iter().collect();
        let sizes: Vec<_> = keyed.iter().map(|(key, places)| entry(key, places, all).len()).collect();
        let mut beginnings = BTreeMap::new();
        gather(&keyed, &sizes, 0, all, &mut beginnings);
        let mut entries: Vec<_> = keyed.iter().map(|(key, places)| (key.as_str(), places)).collect();
        entries.extend(beginnings.iter().map(|(key, places)| (key.as_str(), places)));
        entries.sort_unstable_by_key(|(key, _)| *key);
        let (mut firsts, mut blocks) = (Vec::new(), Vec::<Vec<u8>>::new());
        for (key, places) in entries {
            match blocks.last_mut().filter(|block| block.len() < BLOCK) {
                Some(block) => block.extend(entry(key, places, all)),
                None => {
                    firsts.push(key.to_owned());
                    blocks.push(entry(key, places, all));
                }
            }
        }
        Index { directory: Directory { firsts, products: all }, blocks, counts }
    }
}

/// Makes the entries of beginnings whose words fill more than a block. `entries` share their first `shared` bytes.
fn gather(entries: &[(String, Places)], sizes: &[usize], shared: usize, all: usize, found: &mut BTreeMap<String, Places>) {
    let end = |key: &str| key.get(shared..).and_then(|rest| rest.chars().next()).map(|c| shared + c.len_utf8());
    let mut first = 0;
    while let Some((key, _)) = entries.get(first) {
        let Some(end) = end(key) else {
            first += 1;
            continue;
        };
        let beginning = &key[..end];
        let count = entries[first..].iter().take_while(|(key, _)| key.starts_with(beginning)).count();
        let (group, sizes) = (&entries[first..first + count], &sizes[first..first + count]);
        first += count;
        if key.starts_with([CATEGORY, REFERENCE]) || sizes.iter().sum::<usize>() <= BLOCK {
            continue;
        }
        let mut best = vec![u8::MAX; all];
        for (_, places) in group {
            for (field, places) in (0..).zip(places) {
                for place in places {
                    let known = &mut best[*place as usize];
                    *known = field.min(*known);
                }
            }
        }
        let mut places = Places::default();
        for (place, field) in (0..).zip(&best) {
            if let Some(places) = places.get_mut(usize::from(*field)) {
                places.push(place);
            }
        }
        found.insert(format!("{beginning}{ANY}"), places);
        gather(group, sizes, end, all, found);
    }
}

/// An entry as it stands in a block: its key, then its places by field, each with its length in front.
fn entry(key: &str, places: &Places, all: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut part = |part: &[u8]| {
        bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes().into_iter().skip(1));
        bytes.extend(part);
    };
    part(key.as_bytes());
    for places in places {
        part(&if places.is_empty() { Vec::new() } else { Bits::encode(places, all) });
    }
    bytes
}

/// Reads a part and leaves what is behind it.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<3>()?;
    let length = usize::from(length[0]) << 16 | usize::from(length[1]) << 8 | usize::from(length[2]);
    let (part, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(part)
}

/// What is looked up in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    /// An entry.
    Exactly(String),
    /// All words with this beginning.
    Beginning(String),
}

/// A question to an index: which blocks it needs, and the answer out of them.
#[derive(Debug)]
pub struct Question<'a> {
    directory: &'a Directory,
    category: Option<Key>,
    reference: Option<Key>,
    words: Vec<Key>,
}

impl Directory {
    /// A directory as it was stored.
    #[must_use]
    pub const fn new(firsts: Vec<String>, products: usize) -> Self {
        Self { firsts, products }
    }

    /// The first entry of each block.
    #[must_use]
    pub fn firsts(&self) -> &[String] {
        &self.firsts
    }

    /// How many products the catalogue has.
    #[must_use]
    pub const fn products(&self) -> usize {
        self.products
    }

    /// What is asked; `None` for all products, which takes no index.
    #[must_use]
    pub fn question(&self, wanted: &Wanted) -> Option<Question<'_>> {
        let category = wanted.category.map(|id| Key::Exactly(format!("{CATEGORY}{id}")));
        let query = wanted.query.as_ref();
        let reference = query.map(|query| Key::Exactly(format!("{REFERENCE}{}", query.reference())));
        let words = query.map(Query::words).unwrap_or_default().iter().cloned().map(Key::Beginning).collect();
        let asks = category.is_some() || reference.is_some();
        asks.then_some(Question { directory: self, category, reference, words })
    }

    /// The blocks in which a key may stand: at most two.
    fn blocks(&self, key: &Key) -> std::ops::Range<usize> {
        let (Key::Exactly(text) | Key::Beginning(text)) = key;
        let behind = self.firsts.partition_point(|first| first <= text);
        let goes_on = matches!(key, Key::Beginning(text) if self.firsts.get(behind).is_some_and(|first| first.starts_with(text)));
        behind.saturating_sub(1)..behind + usize::from(goes_on)
    }
}

impl Question<'_> {
    /// The numbers of the blocks that the answer takes, each once.
    #[must_use]
    pub fn blocks(&self) -> Vec<usize> {
        let keys = self.category.iter().chain(&self.reference).chain(&self.words);
        let mut blocks: Vec<_> = keys.flat_map(|key| self.directory.blocks(key)).collect();
        blocks.sort_unstable();
        blocks.dedup();
        blocks
    }

    /// The places of the products on a page, in their order. `block` gives those of [`Self::blocks`]. `None` if a block is not as it was
    /// made.
    #[must_use]
    pub fn answer<'b>(&self, page: Page, block: &dyn Fn(usize) -> Option<&'b [u8]>) -> Option<Vec<usize>> {
        let look = |key: &Key| self.look(key, block);
        let mut open = match &self.category {
            Some(key) => look(key)?[FIELDS - 1].clone(),
            None => self.everything(),
        };
        let Some(reference) = &self.reference else {
            return Some(open.places().skip(page.offset).take(page.limit).collect());
        };
        let mut ranked = vec![look(reference)?[FIELDS - 1].clone()];
        let words = self.words.iter().map(look).collect::<Option<Vec<_>>>()?;
        for rank in 0..FIELDS {
            let mut all = if words.is_empty() { Bits::none(self.directory.products) } else { self.everything() };
            words.iter().for_each(|word| all.keep(&word[rank]));
            ranked.push(all);
        }
        let mut places = Vec::new();
        let needed = page.offset.saturating_add(page.limit);
        for mut rank in ranked {
            rank.keep(&open);
            open.remove(&rank);
            places.extend(rank.places().take(needed.saturating_sub(places.len())));
        }
        Some(places.into_iter().skip(page.offset).collect())
    }

    fn everything(&self) -> Bits {
        let mut all = Bits::none(self.directory.products);
        (0..self.directory.products).for_each(|place| all.insert(place));
        all
    }

    /// The products of a key, by field: those of each and of the better ones.
    fn look<'b>(&self, key: &Key, block: &dyn Fn(usize) -> Option<&'b [u8]>) -> Option<[Bits; FIELDS]> {
        let mut found = [(); FIELDS].map(|()| Bits::none(self.directory.products));
        let is_asked = |name: &[u8]| match key {
            Key::Exactly(text) => name == text.as_bytes(),
            Key::Beginning(text) => name.starts_with(text.as_bytes()),
        };
        // What gathers all others stands in front of them.
        let gathers = |name: &[u8]| matches!(key, Key::Beginning(text) if name.strip_prefix(text.as_bytes()) == Some(b"*"));
        let blocks = self.directory.blocks(key).map(block).collect::<Option<Vec<_>>>()?;
        'blocks: for mut bytes in blocks {
            while !bytes.is_empty() {
                let name = take(&mut bytes)?;
                let is_asked = is_asked(name);
                for places in &mut found {
                    let written = take(&mut bytes)?;
                    if is_asked && !written.is_empty() {
                        places.decode_into(written)?;
                    }
                }
                if gathers(name) {
                    break 'blocks;
                }
            }
        }
        let mut better = Bits::none(self.directory.products);
        for places in &mut found {
            places.add(&better);
            better.add(places);
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Category, rank};

    fn product(id: u64, title: &str, brand: &str, reference: &str, description: &str, categories: Vec<u64>) -> Product {
        Product {
            id,
            title: title.to_owned(),
            url: String::new(),
            image_url: String::new(),
            price: String::new(),
            reference: reference.to_owned(),
            description: description.to_owned(),
            short_description: None,
            brand: Some(brand.to_owned()),
            available: None,
            promotion_price: None,
            special_price: None,
            categories,
        }
    }

    fn tree() -> Tree {
        let category = |id, parent| Category { id, parent, label: id.to_string() };
        Tree::of(vec![category(1, None), category(2, Some(1)), category(3, Some(2)), category(4, None)]).unwrap()
    }

    fn index(products: &[Product]) -> Index {
        let mut builder = IndexBuilder::new();
        products.iter().for_each(|product| builder.add(product, &tree()));
        builder.finish()
    }

    fn wanted(category: Option<u64>, query: &str) -> Wanted {
        Wanted { category, query: Query::of(query).unwrap() }
    }

    /// The ids that an index finds, and how many blocks it took.
    fn found(index: &Index, products: &[Product], wanted: &Wanted, page: Page) -> (Vec<u64>, usize) {
        let question = index.directory.question(wanted).unwrap();
        let blocks = question.blocks();
        let block = |number: usize| blocks.contains(&number).then(|| index.blocks[number].as_slice());
        let places = question.answer(page, &block).unwrap();
        (places.into_iter().map(|place| products[place].id).collect(), blocks.len())
    }

    /// The same by looking at every product.
    fn looked_through(products: &[Product], wanted: &Wanted, page: Page) -> Vec<u64> {
        let is_in = |product: &&Product| {
            wanted.category.is_none_or(|id| product.categories.iter().any(|own| tree().line(*own).contains(&id)))
        };
        let mut ranked: Vec<_> = products
            .iter()
            .filter(is_in)
            .filter_map(|product| Some((wanted.query.as_ref().map_or(Some(0), |query| rank(product, query))?, product.id)))
            .collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, id)| id).skip(page.offset).take(page.limit).collect()
    }

    const ALL: Page = Page { offset: 0, limit: 1000 };

    #[test]
    fn best_matches_come_first_and_equal_ones_in_the_order_of_the_catalogue() {
        let products = [
            product(1, "Tapis", "Ora", "T-1", "Avec une bouilloire", vec![4]),
            product(2, "Bouilloire inox", "Ora", "B-2", "x", vec![3]),
            product(3, "Théière", "Bouillon", "B-3", "x", vec![2, 4]),
            product(4, "Bouilloire verte", "Ora", "B-4", "x", vec![]),
            product(5, "Filtre", "Ora", "bouil", "x", vec![1]),
        ];
        let index = index(&products);
        let ids = |category, query: &str| found(&index, &products, &wanted(category, query), ALL).0;
        assert_eq!(ids(None, "bouil"), [5, 2, 4, 3, 1]);
        assert_eq!(ids(None, "BOUIL ora"), [2, 4, 5, 1], "both in title or brand, then reference, then any text");
        assert_eq!(ids(Some(1), "bouil"), [5, 2, 3]);
        assert_eq!(ids(Some(1), ""), [2, 3, 5], "with what is below it");
        assert_eq!((ids(Some(9), ""), ids(Some(9), "bouil"), ids(None, "grille")), (vec![], vec![], vec![]));
        assert_eq!(index.counts, BTreeMap::from([(1, 3), (2, 2), (3, 1), (4, 2)]));
    }

    #[test]
    fn index_of_nothing_answers_nothing() {
        let index = index(&[]);
        assert_eq!(found(&index, &[], &wanted(None, "a"), ALL), (vec![], 0));
    }

    #[test]
    fn beginning_of_very_many_words_takes_two_blocks() {
        let products: Vec<_> = (0..4_000)
            .map(|n| {
                product(
                    n,
                    &format!("Casserole c{:x} mod{n}", n * 7919),
                    "Cora",
                    &format!("C-{n}"),
                    "cuire au four",
                    vec![n % 4 + 1],
                )
            })
            .collect();
        let index = index(&products);
        assert!(index.blocks.len() > 10, "{}", index.blocks.len());
        for query in ["c", "ca", "cas", "casserole", "m", "mod1", "mod39", "mod3999", "1", "zzz", "0"] {
            let wanted = wanted(None, query);
            let (ids, blocks) = found(&index, &products, &wanted, ALL);
            assert_eq!(ids, looked_through(&products, &wanted, ALL), "{query}");
            assert!(blocks <= 3, "{query}: {blocks}: two of the word, one of the reference");
        }
    }

    fn text() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(vec!["ab", "abc", "Abcd", "é", "be", "b-e", "c7", "7", "ça", "aé"]), 1..4)
            .prop_map(|words| words.join(" "))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn index_finds_what_looking_at_every_product_finds(
            rows in prop::collection::vec((text(), text(), text(), text(), prop::collection::vec(1_u64..5, 0..3)), 1..40),
            query in "( |a|b|e|é|c7|AB|-){0,6}",
            category in prop::option::of(1_u64..6),
            offset in 0_usize..8,
        ) {
            let products: Vec<_> = (1..).zip(rows).map(|(id, (a, b, c, d, categories))| product(id, &a, &b, &c, &d, categories)).collect();
            let (index, wanted, page) = (index(&products), wanted(category, &query), Page { offset, limit: 5 });
            if index.directory.question(&wanted).is_some() {
                prop_assert_eq!(found(&index, &products, &wanted, page).0, looked_through(&products, &wanted, page));
            }
        }
    }
}
