//! Content of brands of cTrader, and what is judged of a brand's actions.

use std::sync::Arc;

use operator_functions::education::{EducationCtx, handle};
use ports::{RecordKey, Records as _};
use serde_json::{Value, json};
use testkit::{InMemoryRecords, events};

use crate::world::World;

fn brand(settings: Value) -> Value {
    let mut all = json!({"identity": "sso", "public_base_url": "https://inapp.broker.example",
        "success_url": "https://inapp.broker.example/callback/success", "ctrader_base_url": "https://ct.example:8443", "manager_login": 7});
    all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    json!({"tenant": {"id": "demo"}, "accounts": [{"platform": "ctrader", "key": "demo", "settings": all}]})
}

fn survey(sinks: Value) -> Value {
    json!([{"type": "survey", "kind": "survey", "title": "S", "sinks": sinks,
        "steps": [{"id": "a", "title": "A", "schema": {"properties": {"stars": {"type": "integer"}}}}]}])
}

struct School {
    ctx: EducationCtx,
    records: Arc<InMemoryRecords>,
}

impl School {
    async fn new() -> Self {
        let world = World::configured();
        world.try_invoke_with("configure", brand(json!({}))).await.unwrap();
        let records = Arc::new(InMemoryRecords::new());
        let directory = world.ctx.with(world.store.clone() as Arc<dyn ports::DirectoryStore>);
        Self { ctx: EducationCtx { directory, records: records.clone() }, records }
    }

    async fn publish(&self, event: Value) -> Value {
        handle(self.ctx.clone(), event).await.unwrap()
    }

    async fn case(&self, case: &str) -> Value {
        self.publish(events::event("operator-education", case)).await
    }
}

#[tokio::test]
async fn content_is_published_replaced_and_removed_as_a_whole() {
    let school = School::new().await;
    let all = json!(["first-steps", "pips", "forex101"]);
    let published = json!({"published": all, "removed": [], "items": all});
    assert_eq!(school.case("ok").await, published);
    assert_eq!(school.case("duplicate").await, published);
    let key = |kind, id: &str| RecordKey {
        account: "ctrader/demo".parse().unwrap(),
        group: "education".to_owned(),
        kind,
        id: id.to_owned(),
    };
    assert_eq!(school.records.record(&key("content", "pips")).await.unwrap().unwrap().rev, 2);
    let left = json!(["first-steps", "forex101"]);
    assert_eq!(school.case("remove").await, json!({"published": [], "removed": ["pips"], "items": left}));
    let removed = school.records.record(&key("content", "pips")).await.unwrap().unwrap();
    assert!(removed.ends_at.is_some());
    assert_eq!(school.case("ok").await["items"], json!(["first-steps", "forex101", "pips"]));
}

#[tokio::test]
async fn what_cannot_be_published_changes_nothing() {
    let school = School::new().await;
    for (case, code) in [("malformed", "malformed"), ("unknown", "unknown"), ("invalid", "invalid"), ("remove", "invalid")] {
        assert_eq!(school.case(case).await["error"]["code"], code, "{case}");
    }
    let article = |next: Value| json!({"id": "a", "type": "article", "title": "A", "body": [{"p": "A"}], "next": next});
    for items in [json!([article(json!("nothing"))]), json!([article(Value::Null), article(Value::Null)])] {
        assert_eq!(school.publish(json!({"account": "ctrader/demo", "items": items})).await["error"]["code"], "invalid");
    }
    assert_eq!(school.publish(json!({"account": "vcita/demo", "items": []})).await["error"]["code"], "invalid");
    assert!(school.records.peek().is_empty());
}

#[tokio::test]
async fn actions_are_judged_when_they_are_configured() {
    let world = World::configured();
    let configure = async |settings: Value| world.try_invoke_with("configure", brand(settings)).await.unwrap();
    let text = |answer: &Value| answer["error"]["message"].as_str().unwrap_or_default().to_owned();
    let no_url = configure(json!({"actions": survey(json!(["crm_webhook"]))})).await;
    assert!(text(&no_url).contains("actions.survey: sinks: crm_webhook needs crm_webhook_url"), "{no_url}");
    let private = json!({"actions": survey(json!(["crm_webhook"])), "crm_webhook_url": "http://127.0.0.1/x"});
    assert!(text(&configure(private).await).contains("crm_webhook_url is not an https URL of a public address"));
    assert!(text(&configure(json!({"uploads": {"max_bytes": 20_000_000}})).await).contains("uploads.max_bytes"));
    assert!(text(&configure(json!({"actions": [{"type": "x"}]})).await).contains("actions.x: missing field"));
    let right = json!({"actions": survey(json!(["crm_webhook"])), "crm_webhook_url": "https://crm.example/x"});
    assert_eq!(configure(right).await, json!({"configured": ["ctrader/demo"]}));
}

#[tokio::test]
async fn ribbon_that_nobody_can_see_is_warned_of() {
    let world = World::configured();
    let settings = |identity: &str| brand(json!({"identity": identity, "actions": survey(json!(["ribbon"]))}));
    let told = world.try_invoke_with("configure", settings("handoff")).await.unwrap();
    let warning = "ctrader/demo: sink ribbon has no effect with this identity";
    assert_eq!(told, json!({"configured": ["ctrader/demo"], "warnings": [warning]}));
    assert_eq!(world.try_invoke_with("configure", settings("sso")).await.unwrap(), json!({"configured": ["ctrader/demo"]}));
}
