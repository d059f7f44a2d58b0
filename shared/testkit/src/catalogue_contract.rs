//! The contract of [`Catalogue`] and [`CatalogueLoader`], as a suite that runs against any pair of them over one table.
//!
//! Every case draws an account of its own, so that all of them can share one table.

use std::sync::Arc;

use ::catalogue::{Category, Page, Product, Query, Tree, Wanted};
use model::{AccountId, EpochMillis};
use ports::{Catalogue, CatalogueLoader, Load, PartOutcome, PublishOutcome};

use crate::store_contract::fresh;

/// Runs the whole suite.
pub async fn run(catalogue: Arc<dyn Catalogue>, loader: Arc<dyn CatalogueLoader>) {
    macro_rules! cases {
        ($($case:ident),* $(,)?) => {
            $(
                // Shown by the test runner only when the case fails.
                println!("catalogue contract: {}", stringify!($case));
                let account = format!("iadvize/{}", fresh()).parse().unwrap();
                $case(Case { catalogue: catalogue.clone(), loader: loader.clone(), account }).await;
            )*
        };
    }
    cases![
        account_without_a_catalogue_has_nothing,
        products_are_paged_in_the_order_of_the_catalogue,
        category_has_what_is_below_it,
        categories_are_listed_below_each_other,
        best_matches_come_first,
        search_within_a_category_is_both,
        load_is_unseen_until_it_is_published,
        load_of_the_same_goes_on_where_it_was,
        load_of_something_else_takes_its_place,
        part_is_stored_once_and_in_order,
        what_does_not_fit_together_is_not_published,
        load_that_was_given_up_is_gone,
        published_catalogue_is_replaced_whole_and_the_former_removed,
        publishing_again_changes_nothing,
        accounts_have_catalogues_of_their_own,
    ];
}

/// A product with what a case is about; the rest follows from its id.
#[must_use]
pub fn sample_product(id: u64, title: &str, categories: &[u64]) -> Product {
    Product {
        id,
        title: title.to_owned(),
        url: format!("https://boutique.example/p/{id}"),
        image_url: format!("https://boutique.example/img/{id}.jpg"),
        price: "49,90 €".to_owned(),
        reference: format!("REF-{id}"),
        description: "Inox, filtre lavable.".to_owned(),
        short_description: None,
        brand: Some("Nami".to_owned()),
        available: Some(true),
        promotion_price: None,
        special_price: None,
        categories: categories.to_vec(),
    }
}

/// A category.
#[must_use]
pub fn sample_category(id: u64, parent: Option<u64>, label: &str) -> Category {
    Category { id, parent, label: label.to_owned() }
}

struct Case {
    catalogue: Arc<dyn Catalogue>,
    loader: Arc<dyn CatalogueLoader>,
    account: AccountId,
}

const NOW: EpochMillis = EpochMillis::new(1_767_225_600_000);

/// No ids.
const NOTHING: [u64; 0] = [];

const ALL: Page = Page { offset: 0, limit: 100 };

impl Case {
    async fn begin(&self, digest: &str, categories: &[Category]) -> Load {
        self.loader.begin_load(&self.account, &fresh(), digest, &Tree::of(categories.to_vec()).unwrap(), NOW).await.unwrap()
    }

    async fn add(&self, version: &str, part: u32, products: &[Product]) -> PartOutcome {
        self.loader.add_part(&self.account, version, part, products, 0).await.unwrap()
    }

    async fn publish(&self, version: &str) -> PublishOutcome {
        self.loader.publish_load(&self.account, version, NOW).await.unwrap()
    }

    async fn load(&self, digest: &str, categories: &[Category], products: &[Product]) -> String {
        let load = self.begin(digest, categories).await;
        for (part, products) in (0..).zip(products.chunks(7)) {
            assert!(matches!(self.add(&load.version, part, products).await, PartOutcome::Stored(_)));
        }
        assert!(matches!(self.publish(&load.version).await, PublishOutcome::Published(_)));
        load.version
    }

    async fn kitchen(&self) {
        let categories = [
            sample_category(10, None, "Cuisine"),
            sample_category(20, None, "Salon"),
            sample_category(11, Some(10), "Bouilloires"),
            sample_category(12, Some(10), "Théières"),
            sample_category(30, None, "Vide"),
        ];
        let products = [
            sample_product(7, "Théière en fonte", &[12]),
            sample_product(5, "Bouilloire électrique", &[11, 10]),
            sample_product(9, "Tapis bouclé", &[20]),
            Product { brand: Some("Électra".to_owned()), ..sample_product(3, "Bouilloire inox", &[11]) },
            Product { description: "Pour bouilloire électrique".to_owned(), ..sample_product(1, "Filtre", &[10]) },
            Product { reference: "ÉLEC".to_owned(), ..sample_product(2, "Nappe", &[]) },
        ];
        self.load("kitchen", &categories, &products).await;
    }

    async fn ids(&self, category: Option<u64>, query: &str, page: Page) -> Vec<u64> {
        let wanted = Wanted { category, query: Query::of(query).unwrap() };
        let products = self.catalogue.products(&self.account, &wanted, page).await.unwrap();
        products.iter().map(|product| product.id).collect()
    }

    async fn listed(&self, parent: Option<u64>, page: Page) -> Vec<(u64, Option<u64>, String, u32)> {
        let listed = self.catalogue.categories(&self.account, parent, page).await.unwrap();
        listed.into_iter().map(|row| (row.category.id, row.category.parent, row.category.label, row.products)).collect()
    }
}

async fn account_without_a_catalogue_has_nothing(case: Case) {
    assert_eq!(case.ids(None, "", ALL).await, NOTHING);
    assert_eq!(case.ids(Some(1), "a", ALL).await, NOTHING);
    assert!(case.listed(None, ALL).await.is_empty());
    assert_eq!(case.loader.catalogue_state(&case.account).await.unwrap(), Default::default());
    assert!(case.loader.clear_leftovers(&case.account, 10).await.unwrap());
}

async fn products_are_paged_in_the_order_of_the_catalogue(case: Case) {
    let products: Vec<_> = (1..=23).map(|n| sample_product(n * 7 % 23, &format!("Nº {n}"), &[])).collect();
    let order: Vec<u64> = products.iter().map(|product| product.id).collect();
    case.load("a", &[], &products).await;
    for limit in [1, 4, 5, 100] {
        let mut seen = Vec::new();
        for offset in (0..30).step_by(limit) {
            let page = case.ids(None, "", Page { offset, limit }).await;
            assert_eq!(page.len(), limit.min(23_usize.saturating_sub(offset)), "{limit} from {offset}");
            seen.extend(page);
        }
        assert_eq!(seen, order, "{limit}");
    }
    assert_eq!(case.ids(None, "", Page { offset: usize::MAX, limit: 100 }).await, NOTHING);
    let all = case.catalogue.products(&case.account, &Wanted::default(), ALL).await.unwrap();
    assert_eq!(all, products, "as they were loaded");
}

async fn category_has_what_is_below_it(case: Case) {
    case.kitchen().await;
    assert_eq!(case.ids(None, "", ALL).await, [7, 5, 9, 3, 1, 2]);
    assert_eq!(case.ids(Some(10), "", ALL).await, [7, 5, 3, 1], "a product of two of them once");
    assert_eq!(case.ids(Some(11), "", ALL).await, [5, 3]);
    assert_eq!(case.ids(Some(30), "", ALL).await, NOTHING);
    assert_eq!(case.ids(Some(99), "", ALL).await, NOTHING);
    assert_eq!(case.ids(Some(10), "", Page { offset: 1, limit: 2 }).await, [5, 3]);
    assert_eq!(case.ids(Some(10), "", Page { offset: 4, limit: 2 }).await, NOTHING);
}

async fn categories_are_listed_below_each_other(case: Case) {
    case.kitchen().await;
    let row = |id, parent, label: &str, products| (id, parent, label.to_owned(), products);
    let top = [row(10, None, "Cuisine", 4), row(20, None, "Salon", 1), row(30, None, "Vide", 0)];
    assert_eq!(case.listed(None, ALL).await, top);
    assert_eq!(case.listed(None, Page { offset: 1, limit: 1 }).await, top[1..2]);
    assert!(case.listed(None, Page { offset: 3, limit: 1 }).await.is_empty());
    assert_eq!(case.listed(Some(10), ALL).await, [row(11, Some(10), "Bouilloires", 2), row(12, Some(10), "Théières", 1)]);
    assert!(case.listed(Some(11), ALL).await.is_empty());
    assert!(case.listed(Some(99), ALL).await.is_empty());
    let many: Vec<_> = (1..=250).map(|id| sample_category(id, (id > 5).then_some(3), "x")).collect();
    case.load("many", &many, &[sample_product(1, "a", &[250])]).await;
    let mut seen = Vec::new();
    for offset in (0..300).step_by(90) {
        seen.extend(case.listed(Some(3), Page { offset, limit: 90 }).await.into_iter().map(|(id, ..)| id));
    }
    assert_eq!(seen, (6..=250).collect::<Vec<_>>());
    assert_eq!(case.listed(Some(3), Page { offset: 244, limit: 90 }).await, [row(250, Some(3), "x", 1)]);
}

async fn best_matches_come_first(case: Case) {
    case.kitchen().await;
    assert_eq!(case.ids(None, "elec", ALL).await, [2, 5, 3, 1], "reference itself, title, brand, description");
    assert_eq!(case.ids(None, "ELEC", Page { offset: 1, limit: 2 }).await, [5, 3]);
    assert_eq!(case.ids(None, "bouilloire  électr", ALL).await, [5, 3, 1]);
    assert_eq!(case.ids(None, "REF-9", ALL).await, [9]);
    assert_eq!(case.ids(None, "7", ALL).await, [7], "an id is as good as a reference");
    assert_eq!(case.ids(None, "lectrique", ALL).await, NOTHING);
    assert_eq!(case.ids(None, "bouilloire tapis", ALL).await, NOTHING);
    assert_eq!(case.ids(None, "€", ALL).await, NOTHING);
}

async fn search_within_a_category_is_both(case: Case) {
    case.kitchen().await;
    assert_eq!(case.ids(Some(10), "elec", ALL).await, [5, 3, 1]);
    assert_eq!(case.ids(Some(11), "elec", Page { offset: 1, limit: 9 }).await, [3]);
    assert_eq!(case.ids(Some(20), "elec", ALL).await, NOTHING);
    assert_eq!(case.ids(Some(99), "elec", ALL).await, NOTHING);
}

async fn load_is_unseen_until_it_is_published(case: Case) {
    case.load("first", &[], &[sample_product(1, "a", &[])]).await;
    let load = case.begin("second", &[]).await;
    case.add(&load.version, 0, &[sample_product(2, "b", &[])]).await;
    assert_eq!(case.ids(None, "", ALL).await, [1]);
    assert_eq!(case.ids(None, "b", ALL).await, NOTHING);
    let state = case.loader.catalogue_state(&case.account).await.unwrap();
    let loading = state.load.unwrap();
    assert_eq!((loading.parts, loading.products, loading.digest.as_str()), (1, 1, "second"));
    assert_eq!(state.edition.unwrap().digest, "first");
    case.publish(&load.version).await;
    assert_eq!((case.ids(None, "", ALL).await, case.ids(None, "b", ALL).await), (vec![2], vec![2]));
}

async fn load_of_the_same_goes_on_where_it_was(case: Case) {
    let categories = [sample_category(1, None, "A")];
    let load = case.begin("same", &categories).await;
    case.add(&load.version, 0, &[sample_product(1, "a", &[1])]).await;
    let again = case.begin("same", &categories).await;
    assert_eq!((again.version.as_str(), again.parts, again.products), (load.version.as_str(), 1, 1));
    case.add(&again.version, 1, &[sample_product(2, "b", &[1])]).await;
    case.publish(&again.version).await;
    assert_eq!(case.ids(Some(1), "", ALL).await, [1, 2]);
}

async fn load_of_something_else_takes_its_place(case: Case) {
    let first = case.begin("first", &[]).await;
    case.add(&first.version, 0, &[sample_product(1, "a", &[])]).await;
    let second = case.begin("second", &[]).await;
    assert_eq!((second.parts, second.products), (0, 0));
    assert_eq!(case.add(&first.version, 1, &[sample_product(3, "c", &[])]).await, PartOutcome::NoLoad);
    assert_eq!(case.publish(&first.version).await, PublishOutcome::NoLoad);
    case.add(&second.version, 0, &[sample_product(2, "b", &[])]).await;
    case.publish(&second.version).await;
    assert_eq!(case.ids(None, "", ALL).await, [2]);
    assert_eq!(case.loader.catalogue_state(&case.account).await.unwrap().leftovers, 1);
}

async fn part_is_stored_once_and_in_order(case: Case) {
    let Load { version, .. } = case.begin("a", &[]).await;
    let parts: Vec<Vec<_>> = (0..3).map(|part| (1..=6).map(|n| sample_product(part * 10 + n, "a", &[])).collect()).collect();
    assert!(matches!(case.add(&version, 1, &parts[1]).await, PartOutcome::OutOfOrder(load) if load.parts == 0));
    for (number, part) in (0..).zip(&parts) {
        for _ in 0..2 {
            let told = case.loader.add_part(&case.account, &version, number, part, 2).await.unwrap();
            let expected = ((number + 1), (number + 1) * 6, (number + 1) * 2);
            assert!(matches!(told, PartOutcome::Stored(load) if (load.parts, load.products, load.dropped) == expected));
        }
    }
    let PublishOutcome::Published(edition) = case.publish(&version).await else { panic!("not published") };
    assert_eq!((edition.products, edition.dropped, edition.categories, edition.published_at), (18, 6, 0, NOW));
    let expected: Vec<_> = parts.iter().flatten().map(|product| product.id).collect();
    assert_eq!(case.ids(None, "", ALL).await, expected);
}

async fn what_does_not_fit_together_is_not_published(case: Case) {
    case.load("good", &[], &[sample_product(1, "a", &[])]).await;
    let load = case.begin("twice", &[]).await;
    case.add(&load.version, 0, &[sample_product(1, "a", &[]), sample_product(2, "b", &[]), sample_product(1, "c", &[])]).await;
    assert_eq!(case.publish(&load.version).await, PublishOutcome::Twice(1));
    let load = case.begin("lost", &[sample_category(1, None, "A")]).await;
    case.add(&load.version, 0, &[sample_product(5, "a", &[1]), sample_product(6, "a", &[1, 2])]).await;
    assert_eq!(case.publish(&load.version).await, PublishOutcome::NoCategory(6, 2));
    assert_eq!(case.ids(None, "", ALL).await, [1]);
}

async fn load_that_was_given_up_is_gone(case: Case) {
    let load = case.begin("a", &[sample_category(1, None, "A")]).await;
    case.add(&load.version, 0, &[sample_product(1, "a", &[1])]).await;
    assert!(!case.loader.abort_load(&case.account, "00").await.unwrap());
    assert!(case.loader.abort_load(&case.account, &load.version).await.unwrap());
    assert!(!case.loader.abort_load(&case.account, &load.version).await.unwrap());
    assert_eq!(case.publish(&load.version).await, PublishOutcome::NoLoad);
    assert_eq!(case.loader.catalogue_state(&case.account).await.unwrap().leftovers, 1);
    while !case.loader.clear_leftovers(&case.account, 1).await.unwrap() {}
    assert_eq!(case.loader.catalogue_state(&case.account).await.unwrap(), Default::default());
    let again = case.begin("a", &[]).await;
    assert_eq!(again.parts, 0);
}

async fn published_catalogue_is_replaced_whole_and_the_former_removed(case: Case) {
    case.kitchen().await;
    case.load("next", &[sample_category(40, None, "Jardin")], &[sample_product(8, "Bouilloire de jardin", &[40])]).await;
    assert_eq!((case.ids(None, "", ALL).await, case.ids(None, "bouilloire", ALL).await), (vec![8], vec![8]));
    assert_eq!((case.ids(Some(10), "", ALL).await, case.ids(Some(40), "", ALL).await), (vec![], vec![8]));
    assert_eq!(case.loader.catalogue_state(&case.account).await.unwrap().leftovers, 1);
    while !case.loader.clear_leftovers(&case.account, 3).await.unwrap() {}
    assert_eq!(case.loader.catalogue_state(&case.account).await.unwrap().leftovers, 0);
    assert_eq!(case.ids(Some(40), "jardin", ALL).await, [8]);
    case.load("nothing", &[], &[]).await;
    assert_eq!((case.ids(None, "", ALL).await, case.ids(None, "bouilloire", ALL).await), (vec![], vec![]));
    assert!(case.listed(None, ALL).await.is_empty());
}

async fn publishing_again_changes_nothing(case: Case) {
    let version = case.load("a", &[], &[sample_product(1, "a", &[])]).await;
    let told = case.publish(&version).await;
    assert!(matches!(told, PublishOutcome::Published(edition) if (edition.products, edition.digest.as_str()) == (1, "a")));
    assert_eq!(case.loader.catalogue_state(&case.account).await.unwrap().leftovers, 0);
}

async fn accounts_have_catalogues_of_their_own(case: Case) {
    case.kitchen().await;
    let other = Case { account: format!("iadvize/{}", fresh()).parse().unwrap(), ..case };
    assert_eq!((other.ids(None, "", ALL).await, other.listed(None, ALL).await), (vec![], vec![]));
}
