//! A visitor of iAdvize and vcita's staff: what staff says reaches the visitor as messages of the bot, in order and once.

use std::time::Duration;

use app::{Accepted, accept_desk, accept_visitor};
use http::header::AUTHORIZATION;
use model::{
    Account, Content, ConversationId, DeliverTask, DeskMessage, Directory, EventKey, MessageDetails, Route, RouteWhen,
    VisitorMessage,
};
use outbound_functions::deliver;
use ports::{Clock as _, InboundStore};
use serde_json::{Value, json};
use testkit::fixtures::{NOW, desk_account_id, sample_account};
use testkit::{QueuedTask, events};

use crate::world::World;

const TALK: &str = "0d8a7b1c-3f52-4f0a-a1f4-6d1c9c1be0a7";

fn site() -> Account {
    let settings = json!({"website": "ha-4821", "api": {"base_url": "https://api.example", "username": "bot@shop.example"}});
    let id = "iadvize/shop".parse().unwrap();
    Account { settings, tenant: "demo".parse().unwrap(), ..sample_account(&id) }
}

fn directory() -> Directory {
    let mut directory = events::configured();
    let site = site();
    let route = Route { when: RouteWhen { account: Some(site.id.clone()), ..RouteWhen::default() }, desk: desk_account_id() };
    directory.tenants.get_mut(&site.tenant).unwrap().routes.push(route);
    directory.accounts.insert(site.id.clone(), site);
    directory
}

fn from_visitor(id: &str, text: &str) -> VisitorMessage {
    VisitorMessage {
        address: TALK.to_owned(),
        name: None,
        memo: [("chatbot".to_owned(), "60012".to_owned())].into(),
        event_keys: vec![(EventKey::new("said", [TALK, id]), None)],
        answers: None,
        continues: Vec::new(),
        origin_id: id.to_owned(),
        sent_at: NOW,
        content: Content { text: text.to_owned(), ..Content::default() },
        details: MessageDetails::default(),
    }
}

fn from_staff(conversation: ConversationId, id: &str, text: &str) -> DeskMessage {
    DeskMessage {
        conversation,
        event_key: EventKey::new("message", [id]),
        origin_id: id.to_owned(),
        sent_at: NOW,
        content: Content { text: text.to_owned(), ..Content::default() },
    }
}

/// Works each second on what is due at iAdvize.
async fn pass(world: &World, seconds: u64) {
    for _ in 0..=seconds {
        for task in world.queue.due(world.clock.now()) {
            let QueuedTask::Deliver(task) = task else { continue };
            let DeliverTask::V1 { lane, .. } = &task;
            if lane.recipient != site().id {
                continue;
            }
            let until = world.clock.now().plus(Duration::from_secs(50));
            deliver::handle(world.outbound.clone(), serde_json::to_string(&task).unwrap(), until).await.unwrap();
        }
        world.clock.advance(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn staff_s_answers_reach_the_visitor_in_order_and_once() {
    let directory = directory();
    let world = World::with(&directory, json!({"url_secrets": ["7a1e0c94d25b4f63b8e95d107c3fa286"], "token": "t"}));
    let inbound: app::Ctx<dyn InboundStore> = world.outbound.settle.base.with(world.store.clone());
    let site = site();
    let written = accept_visitor(&inbound, &directory, &site, from_visitor("m1", "Bonjour"), &|_| Vec::new()).await.unwrap();
    assert!(matches!(written, Accepted::Stored(_)));
    let conversation = ConversationId::derive(&site.salt, &site.id, TALK);
    let desk = &directory.accounts[&desk_account_id()];
    let long = format!("{}. {}.", "a".repeat(240), "b".repeat(240));
    for (id, text) in [("s1", "Bonjour, c'est Jana."), ("s1", "Bonjour, c'est Jana."), ("s2", long.as_str()), ("s3", "Voilà.")] {
        accept_desk(&inbound, desk, "channel", from_staff(conversation, id, text)).await.unwrap().unwrap();
        world.clock.advance(Duration::from_millis(10));
    }
    world.sender.answer(200, &json!({"access_token": "t-1", "expires_in": 86400}));
    // The first answer is lost on the way: iAdvize is asked once more.
    world.sender.fail(wire::CallFailure::Unreachable);
    for _ in 0..4 {
        world.sender.answer(200, &json!({"data": {"chatbotMessageSend": {"userErrors": []}}}));
    }
    pass(&world, 30).await;
    assert_eq!(world.sender.unused(), 0);
    let calls = world.sender.calls();
    assert_eq!(calls[0].url.path(), "/oauth2/token");
    let said = |call: &wire::HttpCall| -> Value {
        assert_eq!(call.headers[AUTHORIZATION], "Bearer t-1");
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!((&body["variables"]["conversationId"], &body["variables"]["chatbotId"]), (&json!(TALK), &json!(60012)));
        body["variables"]["actionOrMessage"]["chatbotMessage"]["chatbotSimpleTextMessage"].clone()
    };
    let told: Vec<_> = calls[1..].iter().map(said).collect();
    let (first, second) = (format!("{}.", "a".repeat(240)), format!("{}.", "b".repeat(240)));
    assert_eq!(
        told,
        [json!("Bonjour, c'est Jana."), json!("Bonjour, c'est Jana."), json!(first), json!(second), json!("Voilà.")]
    );
}
