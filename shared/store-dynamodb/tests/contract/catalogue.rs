//! Catalogues against the emulator: the contract, the number of calls, and what they cost.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeSerializationInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::batch_get_item::{BatchGetItemInput, BatchGetItemOutput};
use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemInput;
use aws_sdk_dynamodb::types::{AttributeValue, WriteRequest};
use catalogue::{Category, Page, Product, Query, Tree, Wanted};
use model::AccountId;
use ports::{Catalogue as _, CatalogueLoader as _, PublishOutcome};
use store_dynamodb::{DynamoCatalogue, DynamoStore, SERVICE};
use testkit::Emulator;
use testkit::catalogue_contract::{sample_category, sample_product};
use testkit::fixtures::NOW;

use crate::{TABLE, connection, counted_service, create_table};

#[tokio::test]
async fn catalogue_meets_the_contract() {
    let emulator = Emulator::start();
    let connection = connection(&emulator);
    create_table(&connection).await;
    let catalogue = Arc::new(DynamoCatalogue::beside(&DynamoStore::new(&connection, TABLE)));
    testkit::catalogue_contract::run(catalogue.clone(), catalogue).await;
}

fn site() -> AccountId {
    "iadvize/shop".parse().unwrap()
}

fn asking(category: Option<u64>, query: &str) -> Wanted {
    Wanted { category, query: Query::of(query).unwrap() }
}

async fn publish(loader: &DynamoCatalogue, version: &str, products: &[Product]) {
    let categories = [sample_category(10, None, "Cuisine"), sample_category(11, Some(10), "Bouilloires")];
    loader.begin_load(&site(), version, version, &Tree::of(categories.to_vec()).unwrap(), NOW).await.unwrap();
    for (part, products) in (0..).zip(products.chunks(5_000)) {
        loader.add_part(&site(), version, part, products, 0).await.unwrap();
    }
    assert!(matches!(loader.publish_load(&site(), version, NOW).await.unwrap(), PublishOutcome::Published(_)));
}

#[tokio::test]
async fn reader_takes_two_calls_at_most() {
    let emulator = Emulator::start();
    let (service, calls) = counted_service(&emulator).await;
    let store = DynamoStore::over(service, TABLE);
    let (loader, reader) = (DynamoCatalogue::beside(&store), DynamoCatalogue::beside(&store));
    let products: Vec<_> = (1..=3_000)
        .map(|id| sample_product(id, &format!("Bouilloire électrique n{id}"), &[if id % 2 == 0 { 11 } else { 10 }]))
        .collect();
    publish(&loader, "a0", &products).await;
    let page = |offset, limit| Page { offset, limit };
    calls.take();

    // The first of a process.
    assert_eq!(reader.products(&site(), &asking(None, ""), page(0, 20)).await.unwrap().len(), 20);
    assert_eq!(calls.take(), ["Query", "BatchGetItem"]);

    for (category, query, page, found, expected) in [
        (None, "", page(0, 20), 20, 1),
        (None, "", page(2_990, 100), 10, 1),
        (None, "", page(3_000, 100), 0, 1),
        (Some(10), "", page(2_900, 100), 100, 2),
        (Some(11), "", page(1_400, 100), 100, 2),
        (Some(99), "", page(0, 20), 0, 1),
        (None, "electr bouil", page(2_900, 100), 100, 2),
        (None, "n2 inox filtre lavable", page(0, 100), 100, 2),
        (Some(11), "n299 bouilloire", page(0, 100), 5, 2),
        (None, "ref-77", page(0, 1), 1, 2),
        (None, "introuvable", page(0, 20), 0, 1),
    ] {
        let products = reader.products(&site(), &asking(category, query), page).await.unwrap();
        assert_eq!((products.len(), calls.take().len()), (found, expected), "{category:?} {query:?} {page:?}");
    }
    for parent in [None, Some(10), Some(99)] {
        reader.categories(&site(), parent, page(0, 100)).await.unwrap();
        assert_eq!(calls.take(), ["BatchGetItem"]);
    }

    // Another edition: the call that meets it looks it up, and nobody gets anything of the former one from then on.
    publish(&loader, "b0", &products[..8]).await;
    while !loader.clear_leftovers(&site(), 1_000).await.unwrap() {}
    calls.take();
    assert_eq!(reader.products(&site(), &asking(None, ""), page(0, 20)).await.unwrap().len(), 8);
    assert_eq!(calls.take(), ["BatchGetItem", "Query", "BatchGetItem"]);
    assert_eq!(reader.products(&site(), &asking(Some(11), "bouil"), page(0, 20)).await.unwrap().len(), 4);
    assert_eq!(calls.take(), ["BatchGetItem"; 2]);
}

/// What each batch read costs in read units, as DynamoDB counts: for every item its size in units of 4 KB, rounded up, and half of that
/// where the moment does not matter. The emulator does not tell.
#[derive(Debug, Clone, Default)]
struct Units(Arc<Mutex<Reads>>);

#[derive(Debug, Default)]
struct Reads {
    is_consistent: bool,
    calls: usize,
    units: f64,
    written: f64,
}

impl Units {
    fn take(&self) -> Reads {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// DynamoDB, "item sizes and formats".
fn size(item: &HashMap<String, AttributeValue>) -> usize {
    let value = |value: &AttributeValue| match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::N(digits) => digits.len() / 2 + 2,
        _ => 100,
    };
    item.iter().map(|(name, of)| name.len() + value(of)).sum()
}

fn units(bytes: usize, of: usize) -> f64 {
    f64::from(u32::try_from(bytes.div_ceil(of).max(1)).unwrap())
}

impl Intercept for Units {
    fn name(&self) -> &'static str {
        "units"
    }

    fn read_before_serialization(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut reads = self.0.lock().unwrap();
        if let Some(input) = context.input().downcast_ref::<BatchGetItemInput>() {
            reads.is_consistent = input.request_items().unwrap()[TABLE].consistent_read().unwrap();
        }
        if let Some(input) = context.input().downcast_ref::<BatchWriteItemInput>() {
            let puts = input.request_items().unwrap()[TABLE].iter().filter_map(WriteRequest::put_request);
            reads.written += puts.map(|put| units(size(put.item()), 1024)).sum::<f64>();
        }
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Ok(output) = context.output_or_error() else { return Ok(()) };
        let Some(output) = output.downcast_ref::<BatchGetItemOutput>() else { return Ok(()) };
        let mut reads = self.0.lock().unwrap();
        let items = output.responses().unwrap().values().flatten();
        let units: f64 = items.map(|item| units(size(item), 4096)).sum();
        reads.calls += 1;
        reads.units += if reads.is_consistent { units } else { units / 2.0 };
        Ok(())
    }
}

/// The invented catalogue of `make catalogue-sample`.
fn sample(products: usize) -> (Tree, Vec<Product>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sample-{products}.jsonl"));
    let arguments = ["-m", "tests.stack.catalogue", file.to_str().unwrap(), "--sample", &products.to_string()];
    let made = Command::new(root.join(".venv/bin/python")).args(arguments).current_dir(&root).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let (mut categories, mut products) = (Vec::new(), Vec::new());
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
        match row.as_object_mut().unwrap().remove("type") {
            Some(_) => categories.push(Category::of(&row).unwrap()),
            None => products.push(Product::of(&row, false).unwrap()),
        }
    }
    (Tree::of(categories).unwrap(), products)
}

/// Stands for the reference of a product.
const A_REFERENCE: &str = "(reference)";

/// What a page and a search cost, for catalogues of 1,000, 10,000 and 100,000 products: the table of `docs/architecture.md`.
#[tokio::test]
#[ignore = "takes minutes; prints a table"]
async fn what_catalogues_cost() {
    let asked = [
        ("page of 20", None, "", 0, 20),
        ("page of 20, at the end", None, "", usize::MAX, 20),
        ("page of 100", None, "", 0, 100),
        ("category with all below, page of 20", Some(1), "", 0, 20),
        ("the same, deep in it", Some(1), "", 60, 20),
        ("category without children, page of 20", Some(101), "", 0, 20),
        ("search for one letter, `c`", None, "c", 0, 20),
        ("search for a frequent word, `électrique`", None, "électrique", 0, 20),
        ("search for three words", None, "bouilloire electrique nami", 0, 20),
        ("the same within a category", Some(1), "bouilloire electrique nami", 0, 20),
        ("search for a reference", None, A_REFERENCE, 0, 20),
        ("search for a frequent word, page of 100", None, "solide", 0, 100),
    ];
    let mut rows = vec![String::new(); asked.len()];
    for count in [1_000_usize, 10_000, 100_000] {
        let emulator = Emulator::start();
        let connection = connection(&emulator);
        create_table(&connection).await;
        let counted = Units::default();
        let store = DynamoStore::over(connection.service(SERVICE).with_interceptor(counted.clone()), TABLE);
        let catalogue = DynamoCatalogue::beside(&store);
        let (tree, products) = sample(count);
        catalogue.begin_load(&site(), "a0", "a0", &tree, NOW).await.unwrap();
        for (part, products) in (0..).zip(products.chunks(5_000)) {
            catalogue.add_part(&site(), "a0", part, products, 0).await.unwrap();
        }
        let loaded = counted.take();
        catalogue.publish_load(&site(), "a0", NOW).await.unwrap();
        let indexed = counted.take();
        let bytes: usize = products.iter().map(|product| serde_json::to_string(product).unwrap().len()).sum();
        println!(
            "{count} products of {} bytes on average: {} write units for them, {} for the index, {} read units to make it",
            bytes / count,
            loaded.written,
            indexed.written,
            indexed.units
        );
        catalogue.products(&site(), &Wanted::default(), Page { offset: 0, limit: 1 }).await.unwrap();
        for ((_, category, query, offset, limit), row) in asked.iter().zip(&mut rows) {
            counted.take();
            let page = Page { offset: (*offset).min(count - 20), limit: *limit };
            let query = if *query == A_REFERENCE { &products[6].reference } else { *query };
            let found = catalogue.products(&site(), &asking(*category, query), page).await.unwrap();
            let Reads { calls, units, .. } = counted.take();
            assert!(calls <= 2, "{calls} calls");
            row.push_str(&format!(" {} | {calls} | {units} |", found.len()));
        }
    }
    for ((what, ..), row) in asked.iter().zip(rows) {
        println!("| {what} |{row}");
    }
}
