//! The product list (section 6): what is asked, and what is answered.

use std::cell::Cell;
use std::sync::Arc;

use catalogue::{Category, Product};
use iadvize_functions::{ProductsCtx, categories, products, render};
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::catalogue_contract::{sample_category, sample_product};
use testkit::fixtures::get;
use testkit::{Fault, InMemoryCatalogue};
use wire::RawRequest;

use crate::schemas::{Schema, runner};
use crate::world::{Answer, TOKEN, World, signed};

/// A site with a catalogue.
pub(crate) struct Shop {
    pub(crate) ctx: ProductsCtx,
    catalogue: Arc<InMemoryCatalogue>,
}

impl Shop {
    /// With these settings, and products of three categories.
    pub(crate) fn with(settings: &Value) -> Self {
        let shop = Self::empty(settings);
        let categories = vec![
            sample_category(10, None, "Cuisine"),
            sample_category(20, None, "Salon"),
            sample_category(11, Some(10), "Bouilloires"),
        ];
        let products = vec![
            sample_product(501, "Bouilloire électrique Nami 1,7 l", &[11]),
            sample_product(502, "Théière", &[10]),
            Product { description: "Pour bouilloire électrique".to_owned(), ..sample_product(503, "Filtre", &[10]) },
            Product { reference: "ELECTRIQUE".to_owned(), ..sample_product(504, "Tapis", &[20]) },
            sample_product(505, "Café noir", &[]),
        ];
        shop.catalogue.put(&"iadvize/shop".parse().unwrap(), categories, products);
        shop
    }

    fn empty(settings: &Value) -> Self {
        let catalogue = Arc::new(InMemoryCatalogue::new());
        Self { ctx: ProductsCtx { ctx: World::with(settings).ctx, catalogue: catalogue.clone() }, catalogue }
    }

    async fn products(&self, query: &str) -> Answer {
        answered(products::handle(self.ctx.clone(), request("products", query)).await)
    }

    async fn categories(&self, query: &str) -> Answer {
        answered(categories::handle(self.ctx.clone(), request("categories", query)).await)
    }

    /// The ids of an answer, with a site's own parameters in front.
    async fn ids(&self, query: &str) -> Vec<u64> {
        let answer = self.products(query).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        answer.body.as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
    }
}

fn request(route: &str, query: &str) -> RawRequest {
    signed(get(&format!("/iadvize/product-list/{route}"), &format!("idWebsite=ha-4821{query}")), TOKEN)
}

fn answered(answer: Result<wire::Reply, app::AppError>) -> Answer {
    Answer::of(&answer.unwrap_or_else(|error| render(&error, "")))
}

#[tokio::test]
async fn products_are_told_as_the_field_table_says() {
    let answer = Shop::with(&json!({})).products("&limit=1").await;
    let expected = json!([{"id": 501, "title": "Bouilloire électrique Nami 1,7 l", "productUrl": "https://boutique.example/p/501",
        "brand": "Nami", "description": "Inox, filtre lavable.", "shortDescription": null, "available": true,
        "imageUrl": "https://boutique.example/img/501.jpg", "reference": "REF-501", "priceCatalog": "49,90 €",
        "pricePromotion": null, "priceSpecial": null}]);
    assert_eq!((answer.status, answer.body), (200, expected));
    assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8");
}

#[tokio::test]
async fn filters_are_joined_and_an_unknown_category_has_nothing() {
    let shop = Shop::with(&json!({}));
    for (query, expected) in [
        ("", vec![501, 502, 503, 504, 505]),
        ("&idCategory=10", vec![501, 502, 503]),
        ("&idCategory=11", vec![501]),
        ("&idCategory=99", vec![]),
        ("&idCategory=abc", vec![]),
        ("&idCategory=&searchQuery=", vec![501, 502, 503, 504, 505]),
        ("&searchQuery=+%09", vec![501, 502, 503, 504, 505]),
        ("&searchQuery=electrique", vec![504, 501, 503]),
        ("&searchQuery=%C3%89LECTR+bouil", vec![501, 503]),
        ("&search%5Bdefault%5D%5Bcontains%5D=cafe", vec![505]),
        ("&searchQuery=electrique&idCategory=10", vec![501, 503]),
        ("&searchQuery=electrique&idCategory=99", vec![]),
        ("&searchQuery=lectrique", vec![]),
        ("&idOperator=ha-77120&idConnectorVersion=x&unknown=1&searchQuery=tapis", vec![504]),
    ] {
        assert_eq!(shop.ids(query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn row_5_paging_yields_each_product_once() {
    let shop = Shop::empty(&json!({}));
    let products: Vec<_> = (1..=257).map(|id| sample_product(id * 31 % 257 + 1, "Bouilloire", &[])).collect();
    let order: Vec<_> = products.iter().map(|product| product.id).collect();
    shop.catalogue.put(&"iadvize/shop".parse().unwrap(), Vec::new(), products);
    for (filter, limit, taken) in [("", 20, 20), ("", 7, 7), ("&searchQuery=bouil", 64, 64), ("", 5_000, 100)] {
        let mut seen = Vec::new();
        loop {
            let page = shop.ids(&format!("{filter}&limit={limit}&offset={}", seen.len())).await;
            let is_last = page.len() < taken;
            assert!(page.len() <= taken, "{limit}");
            seen.extend(page);
            if is_last {
                break;
            }
        }
        assert_eq!(seen, order, "{filter} {limit}");
    }
    assert_eq!(shop.ids("").await.len(), 20);
    assert!(shop.ids("&offset=257").await.is_empty());
    assert!(shop.ids("&offset=99999999999999999999999&limit=99999999999999999999999").await.is_empty());
}

#[tokio::test]
async fn wrong_pages_are_named() {
    let shop = Shop::with(&json!({}));
    for (query, field) in
        [("limit=0", "limit"), ("limit=-1", "limit"), ("limit=ten", "limit"), ("offset=-1", "offset"), ("offset=a", "offset")]
    {
        for answer in [shop.products(&format!("&{query}")).await, shop.categories(&format!("&{query}")).await] {
            assert_eq!((answer.row(), &answer.body["error"]["field"]), ((400, "invalid_parameter"), &json!(field)), "{query}");
        }
    }
    assert_eq!(shop.ids("&limit=2&limit=0").await, [501, 502], "the first counts");
}

#[tokio::test]
async fn categories_are_a_tree_with_the_counts_of_their_products() {
    let shop = Shop::with(&json!({}));
    let row = |id: u64, parent: Value, label: &str, count: u32| json!({"id": id, "idParent": parent, "label": label, "products": null, "productsCount": count});
    let top = [row(10, Value::Null, "Cuisine", 3), row(20, Value::Null, "Salon", 1)];
    assert_eq!(shop.categories("").await.body, json!(top));
    assert_eq!(shop.categories("&limit=1&offset=1").await.body, json!(top[1..]));
    assert_eq!(shop.categories("&offset=2").await.body, json!([]));
    assert_eq!(shop.categories("&idParent=10").await.body, json!([row(11, json!(10), "Bouilloires", 1)]));
    for query in ["&idParent=11", "&idParent=99", "&idParent=x"] {
        assert_eq!(shop.categories(query).await.body, json!([]), "{query}");
    }
    for (category, count) in [(10, 3), (11, 1), (20, 1)] {
        assert_eq!(shop.ids(&format!("&idCategory={category}")).await.len(), count, "what is counted is what is told");
    }
}

#[tokio::test]
async fn ids_are_digit_strings_where_a_site_wants_them() {
    let shop = Shop::with(&json!({"ids_as_strings": true}));
    assert_eq!(shop.products("&limit=1").await.body[0]["id"], "501");
    let child = shop.categories("&idParent=10").await.body[0].clone();
    assert_eq!((&child["id"], &child["idParent"]), (&json!("11"), &json!("10")));
}

#[tokio::test]
async fn site_has_the_products_of_its_own_account() {
    let shop = Shop::with(&json!({}));
    let other = signed(get("/iadvize/product-list/products", "idWebsite=ha-4822"), TOKEN);
    assert_eq!(answered(products::handle(shop.ctx.clone(), other).await).body, json!([]));
}

#[tokio::test]
async fn catalogue_that_cannot_be_read_is_502() {
    let shop = Shop::with(&json!({}));
    shop.catalogue.faults().next(2, Fault::Refused);
    for answer in [shop.products("").await, shop.categories("").await] {
        assert_eq!(answer.row(), (502, "unavailable"));
    }
}

#[tokio::test]
async fn call_that_is_not_signed_reads_nothing() {
    let shop = Shop::with(&json!({}));
    shop.catalogue.operations();
    for route in ["products", "categories"] {
        let unsigned = get(&format!("/iadvize/product-list/{route}"), "idWebsite=ha-4821");
        let answer = match route {
            "products" => products::handle(shop.ctx.clone(), unsigned).await,
            _ => categories::handle(shop.ctx.clone(), unsigned).await,
        };
        assert_eq!(answered(answer).row(), (401, "unauthorized"));
    }
    assert!(shop.catalogue.operations().is_empty());
}

#[test]
fn row_1_examples_of_the_contract_are_what_its_schemas_say() {
    let categories = Schema::named("product-list:categories");
    let example = json!([{"id": 10, "idParent": null, "label": "Cuisine", "products": ["501", "502"], "productsCount": 14},
        {"id": 11, "idParent": 10, "label": "Bouilloires", "products": null, "productsCount": 3}]);
    assert_eq!(categories.problems(&example), [] as [&str; 0]);
    assert!(!categories.problems(&json!([{"id": -1, "label": "a", "productsCount": 0}])).is_empty());
    let products = Schema::named("product-list:products");
    let mut example = json!([{"id": 501, "title": "Bouilloire électrique Nami 1,7 l", "productUrl": "https://boutique.example/p/501",
        "brand": "Nami", "description": "Inox, arrêt automatique, filtre lavable.", "shortDescription": null, "available": true,
        "imageUrl": "https://boutique.example/img/501.jpg", "reference": "NAM-17-IX", "priceCatalog": "49,90 €",
        "pricePromotion": "39,90 €", "priceSpecial": null}]);
    assert_eq!(products.problems(&example), [] as [&str; 0]);
    example[0]["available"] = Value::Null;
    assert!(!products.problems(&example).is_empty());
}

/// What texts are made of.
const TEXT: &str = "[a-zA-ZéœŁ€\"\\\\<&'漢😀 ]{1,8}";

/// A row of a catalogue as merchants write them, good or not.
fn row() -> impl Strategy<Value = Value> {
    let text = || prop_oneof![Just(Value::Null), Just(json!("")), Just(json!(" ")), TEXT.prop_map(Value::from)];
    let needed = || prop_oneof![20 => TEXT.prop_map(Value::from), 1 => text()];
    let url = prop_oneof![
        20 => "[a-z0-9/?&=%é]{0,10}".prop_map(|path| json!(format!("https://boutique.example/{path}"))),
        1 => Just(json!("http://boutique.example/p")),
        1 => Just(json!("/p/501")),
        1 => Just(Value::Null),
    ];
    let available = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from)];
    let texts = (needed(), needed(), text(), text(), text(), text(), text(), text());
    (0..=9_007_199_254_740_991_u64, texts, url.clone(), url, available, prop::collection::vec(1_u64..6, 0..3)).prop_map(
        |(id, (title, price, brand, description, short, reference, promotion, special), url, image, available, categories)| {
            json!({"id": id, "title": title, "price": price, "brand": brand, "description": description,
                "short_description": short, "reference": reference, "promotion_price": promotion, "special_price": special,
                "url": url, "image_url": image, "available": available, "categories": categories})
        },
    )
}

fn asked() -> impl Strategy<Value = String> {
    let number = |most: u32| prop_oneof![20 => (0..most).prop_map(|n| n.to_string()), 1 => "[0-9a-z-]{0,5}"];
    let words = "[a-z]{0,1}(%C3%A9)?";
    let id = prop::option::weighted(0.4, number(7));
    (number(12), number(3), id, prop::option::weighted(0.4, words)).prop_map(|(limit, offset, id, words)| {
        let mut query = format!("&limit={limit}&offset={offset}");
        id.into_iter().for_each(|id| query.push_str(&format!("&idCategory={id}&idParent={id}")));
        words.into_iter().for_each(|words| query.push_str(&format!("&searchQuery={words}")));
        query
    })
}

/// Whatever is loaded and asked: an answer is what the schema says, or names what is wrong with the question.
fn check(route: &'static str, schema: &Schema) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let shops = [false, true].map(|as_strings| Shop::empty(&json!({ "ids_as_strings": as_strings })));
    let labels = prop::collection::vec("[a-zé]\\PC{0,9}", 5);
    let cases = (prop::collection::vec(row(), 1..9), labels, asked(), any::<bool>());
    let told = Cell::new(0);
    runner()
        .run(&cases, |(rows, labels, query, as_strings)| {
            let categories = (1_u64..).zip(&labels).map(|(id, label)| {
                let parent = (id > 2).then_some(id / 2);
                Category::of(&json!({"id": id, "parent": parent, "label": label})).unwrap()
            });
            let categories = categories.collect();
            let products = rows.iter().filter_map(|row| Product::of(row, false).ok()).collect();
            let shop = &shops[usize::from(as_strings)];
            shop.catalogue.put(&"iadvize/shop".parse().unwrap(), categories, products);
            let answer = runtime.block_on(async {
                match route {
                    "products" => shop.products(&query).await,
                    _ => shop.categories(&query).await,
                }
            });
            if answer.status == 400 {
                prop_assert_eq!(&answer.body["error"]["code"], "invalid_parameter");
                return Ok(());
            }
            prop_assert_eq!(answer.status, 200);
            prop_assert_eq!(schema.problems(&answer.body), Vec::<String>::new(), "{}", answer.body);
            told.set(told.get() + answer.body.as_array().map_or(0, Vec::len));
            Ok(())
        })
        .unwrap();
    assert!(told.get() > 4_000, "only {} rows were told", told.get());
}

#[test]
fn every_page_of_products_is_the_schemas() {
    check("products", &Schema::named("product-list:products"));
}

#[test]
fn every_page_of_categories_is_the_schemas() {
    check("categories", &Schema::named("product-list:categories"));
}
