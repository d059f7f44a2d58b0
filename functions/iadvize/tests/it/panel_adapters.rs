//! The panel's real ports, over what webhooks and the card leave and what people wrote.

use std::sync::Arc;

use iadvize_functions::panel::{PersonKey, Remembered, Speaker, Timeline as _};
use model::TenantId;
use serde_json::json;
use testkit::fixtures::{get, post};

use crate::world::{TOKEN, World, signed};

const CONVERSATION: &str = "0d8a7b1c-3f52-4f0a-a1f4-6d1c9c1be0a7";

async fn world() -> World {
    let world = World::with(&json!({}));
    let event = json!({"eventId": "e-1", "eventType": "v2.conversation.pushed", "platform": "ha", "projectId": 4821,
        "conversationId": CONVERSATION, "operatorId": 60012, "channel": "CHAT", "visitorId": "v-1",
        "createdAt": "2025-12-31T08:30:00.101Z"});
    assert_eq!(world.webhook(signed(post("/iadvize/webhook", &event.to_string()), TOKEN)).await.status, 200);
    world
}

fn timeline(world: &World) -> Remembered {
    let customer = world.customer_ctx();
    Remembered {
        roster: world.ctx.roster.clone(),
        records: customer.records,
        people: customer.people,
        clock: Arc::new(world.clock.clone()),
        kept: customer.kept,
    }
}

fn tenant(id: &str) -> TenantId {
    id.parse().unwrap()
}

#[tokio::test]
async fn conversation_leads_to_what_its_visitor_said_elsewhere() {
    let world = world().await;
    let panel = timeline(&world);
    let shop = "iadvize/shop".parse().unwrap();
    let person = panel.visitor_of(&shop, CONVERSATION).await.unwrap().unwrap();
    assert!(person.keys == [PersonKey::Visitor("v-1".to_owned())]);
    assert_eq!(panel.conversations(&tenant("demo"), &person, 10).await.unwrap(), []);
    // The card tells who the visitor is.
    world.wrote("frontstage/gw-mail", "884").await;
    let query = "idWebsite=ha-4821&idVisitorUnique=v-1&idVisitorExternal=884&emailVisitor=ada%40example.org";
    assert_eq!(world.customer(signed(get("/iadvize/customer", query), TOKEN)).await.status, 200);
    let person = panel.visitor_of(&shop, CONVERSATION).await.unwrap().unwrap();
    let [external, email, visitor] = ["884", "ada@example.org", "v-1"].map(str::to_owned);
    assert!(person.keys == [PersonKey::External(external), PersonKey::Email(email), PersonKey::Visitor(visitor)]);
    let found = panel.conversations(&tenant("demo"), &person, 10).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].platform.as_str(), found[0].open, found[0].last.millis()), ("frontstage", true, 1_767_225_600_000));
    let lines = panel.lines(&tenant("demo"), &found[0].id, 10).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.from).collect::<Vec<_>>(), [Speaker::Visitor]);
    assert_eq!(lines[0].text, "Dobrý den, zpráva 1767225600000 👋");
}

#[tokio::test]
async fn nothing_is_told_of_nobody_and_nothing_to_another_tenant() {
    let world = world().await;
    let panel = timeline(&world);
    assert!(panel.visitor_of(&"iadvize/shop".parse().unwrap(), "another").await.unwrap().is_none());
    assert!(panel.visitor_of(&"iadvize/rival".parse().unwrap(), CONVERSATION).await.unwrap().is_none());
    world.wrote("frontstage/gw-mail", "884").await;
    let person = iadvize_functions::panel::Known { keys: vec![PersonKey::External("884".to_owned())], name: None };
    let found = panel.conversations(&tenant("demo"), &person, 10).await.unwrap();
    assert_eq!(panel.conversations(&tenant("rival"), &person, 10).await.unwrap(), []);
    assert!(panel.lines(&tenant("rival"), &found[0].id, 10).await.unwrap().is_empty());
    assert!(panel.lines(&tenant("demo"), "no id", 10).await.unwrap().is_empty());
}
