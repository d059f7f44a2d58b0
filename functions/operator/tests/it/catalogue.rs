//! Loading catalogues, step by step.

use std::sync::Arc;

use ::catalogue::{Page, Wanted};
use operator_functions::catalogue::{CatalogueCtx, handle};
use ports::Catalogue as _;
use serde_json::{Value, json};
use testkit::{Fault, InMemoryCatalogue, events};

use crate::world::{World, code};

struct Depot {
    ctx: CatalogueCtx,
    catalogue: Arc<InMemoryCatalogue>,
}

impl Depot {
    async fn new() -> Self {
        let world = World::configured();
        let site = json!({"tenant": {"id": "demo"}, "accounts": [
            {"platform": "iadvize", "key": "shop", "settings": {"website": "ha-4821"}}]});
        let configured = world.try_invoke_with("configure", site).await.unwrap();
        assert_eq!(configured, json!({"configured": ["iadvize/shop"]}));
        let catalogue = Arc::new(InMemoryCatalogue::new());
        let directory = world.ctx.with(world.store.clone() as Arc<dyn ports::DirectoryStore>);
        let ctx = CatalogueCtx { directory, loader: catalogue.clone(), takes_http: false, function: "f".to_owned() };
        Self { ctx, catalogue }
    }

    async fn say(&self, event: Value) -> Value {
        handle(self.ctx.clone(), event).await.unwrap()
    }

    /// A case, for the load of this version.
    async fn case(&self, case: &str, version: Option<&Value>) -> Value {
        let mut event = events::event::<Value>("operator-catalogue", case);
        if let Some(version) = version {
            event["version"] = version.clone();
        }
        self.say(event).await
    }

    async fn seen(&self) -> Vec<(u64, String)> {
        let page = Page { offset: 0, limit: 100 };
        let products = self.catalogue.products(&"iadvize/shop".parse().unwrap(), &Wanted::default(), page).await.unwrap();
        products.into_iter().map(|product| (product.id, product.reference)).collect()
    }
}

#[tokio::test]
async fn catalogue_is_loaded_in_parts_and_published_whole() {
    let depot = Depot::new().await;
    assert_eq!(depot.case("ok", None).await, json!({"published": null, "load": null, "leftovers": 0}));
    let load = depot.case("begin", None).await;
    assert_eq!(
        (&load["parts"], &load["digest"], &load["began_at"]),
        (&json!(0), &json!("autumn"), &json!("2026-01-01T00:00:00.000Z"))
    );
    let version = Some(&load["version"]);
    let part = depot.case("part", version).await;
    assert_eq!((&part["parts"], &part["products"], &part["dropped"]), (&json!(1), &json!(1), &json!(2)));
    let dropped = json!([{"line": 5, "message": "url is no https address"}, {"line": 6, "message": "title is missing"}]);
    assert_eq!(part["dropped_rows"], dropped);
    assert!(depot.seen().await.is_empty(), "nothing is seen before it is published");
    // An operator who was interrupted.
    assert_eq!(depot.case("begin", None).await["parts"], 1);
    assert_eq!(depot.case("part", version).await["products"], 1, "the same part again");
    let published = depot.case("publish", version).await;
    assert_eq!((&published["products"], &published["dropped"], &published["categories"]), (&json!(1), &json!(2), &json!(2)));
    assert_eq!(depot.case("publish", version).await, published);
    assert_eq!(depot.seen().await, [(504, "504".to_owned())]);
    assert_eq!(depot.case("ok", None).await, json!({"published": published, "load": null, "leftovers": 0}));
    assert_eq!(depot.case("clean", None).await, json!({"clean": true}));
}

#[tokio::test]
async fn wrong_rows_are_named_by_their_lines_and_nothing_is_stored() {
    let depot = Depot::new().await;
    let told = depot.case("begin_no_tree", None).await;
    assert_eq!(told["error"]["rows"], json!([{"line": 4, "message": "parent: there is no such category"}]));
    assert_eq!(depot.case("ok", None).await["load"], Value::Null);
    let load = depot.case("begin", None).await;
    let told = depot.case("part_invalid", Some(&load["version"])).await;
    assert_eq!(code(&told), "invalid");
    let lines: Vec<_> = told["error"]["rows"].as_array().unwrap().iter().map(|row| row["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [5, 6, 7]);
    assert_eq!(told["error"]["rows"][1]["message"], "another product has this id");
    assert!(told["error"]["message"].as_str().unwrap().starts_with("line 5: invalid type: string"), "{told}");
    assert_eq!(depot.case("ok", None).await["load"]["parts"], 0);
}

#[tokio::test]
async fn what_does_not_fit_together_is_refused_when_it_is_published() {
    let depot = Depot::new().await;
    let load = depot.case("begin", None).await;
    let row = |id: u64, category: u64| json!({"id": id, "title": "a", "url": "https://a.example/", "image_url": "https://a.example/i", "price": "1 €", "categories": [category]});
    let part = |part: u32, row: Value| json!({"account": "iadvize/shop", "action": "part", "version": load["version"], "part": part, "products": [row]});
    assert_eq!(code(&depot.say(part(1, row(1, 10))).await), "out_of_order");
    depot.say(part(0, row(1, 10))).await;
    depot.say(part(1, row(1, 10))).await;
    let told = depot.case("publish", Some(&load["version"])).await;
    assert_eq!((code(&told), &told["error"]["message"]), ("invalid", &json!("product 1 is there twice")));
    assert_eq!(depot.case("abort", Some(&load["version"])).await, json!({"aborted": load["version"]}));
    let load = depot.case("begin", None).await;
    depot
        .say(
            json!({"account": "iadvize/shop", "action": "part", "version": load["version"], "part": 0, "products": [row(1, 99)]}),
        )
        .await;
    let told = depot.case("publish", Some(&load["version"])).await;
    assert_eq!(told["error"]["message"], "product 1: there is no category 99");
    assert!(depot.seen().await.is_empty());
}

#[tokio::test]
async fn steps_without_a_load_or_a_site_are_refused() {
    let depot = Depot::new().await;
    for (case, expected) in [
        ("part", "no_load"),
        ("publish", "no_load"),
        ("abort", "no_load"),
        ("malformed", "malformed"),
        ("unknown", "unknown"),
        ("invalid", "invalid"),
    ] {
        assert_eq!(code(&depot.case(case, None).await), expected, "{case}");
    }
    for event in [
        json!({"account": "iadvize/shop"}),
        json!({"account": "iadvize/shop", "action": "erase"}),
        json!({"account": "iadvize/shop", "action": "publish"}),
        json!({"account": "iadvize/shop", "action": "part", "version": "v", "products": []}),
        json!({"account": "iadvize/shop", "action": "begin", "categories": []}),
    ] {
        assert_eq!(code(&depot.say(event.clone()).await), "malformed", "{event}");
    }
}

#[tokio::test]
async fn step_whose_answer_was_lost_is_repeated() {
    let depot = Depot::new().await;
    let lost = || depot.catalogue.faults().next(1, Fault::AnswerLost);
    lost();
    let begin = events::event::<Value>("operator-catalogue", "begin");
    assert!(handle(depot.ctx.clone(), begin).await.is_err());
    let load = depot.case("begin", None).await;
    let mut part = events::event::<Value>("operator-catalogue", "part");
    part["version"] = load["version"].clone();
    lost();
    assert!(handle(depot.ctx.clone(), part.clone()).await.is_err());
    assert_eq!(depot.say(part).await["products"], 1);
    lost();
    let publish = json!({"account": "iadvize/shop", "action": "publish", "version": load["version"]});
    assert!(handle(depot.ctx.clone(), publish.clone()).await.is_err());
    assert_eq!(depot.say(publish).await["products"], 1);
    assert_eq!(depot.seen().await.len(), 1);
}

#[tokio::test]
async fn local_stack_may_have_plain_addresses() {
    let depot = Depot::new().await;
    let ctx = CatalogueCtx { takes_http: true, ..depot.ctx.clone() };
    let load = depot.case("begin", None).await;
    let mut part = events::event::<Value>("operator-catalogue", "part");
    part["version"] = load["version"].clone();
    assert_eq!(handle(ctx, part).await.unwrap()["products"], 2);
}
