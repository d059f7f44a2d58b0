//! Every answer of the bot is what the contract's schemas say (section 10.5), whatever is asked and configured.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::bot::{Bots, RULE, said, setting};
use crate::schemas::{Schema, block, runner};
use crate::world::TOKEN;

/// The examples of section 10.5.
#[test]
fn row_1_examples_of_the_contract_are_what_its_schemas_say() {
    let link = json!({"type": "LINK", "name": "Voir le produit", "url": "https://boutique.example/p/501"});
    let offer = json!({
        "contentType": "product-offer", "name": "Bouilloire Nami", "price": "49,90 €", "offerPrice": "39,90 €",
        "availability": {"status": "AVAILABLE"}, "actions": [link],
    });
    let bundle = json!({"type": "message", "payload": {"contentType": "bundle/product-offer", "offers": [offer]}});
    let mut long = json!({"type": "message", "payload": {"contentType": "text", "value": "x".repeat(450)}});
    let transfer = |seconds: u64| json!({"type": "transfer", "distributionRule": RULE, "transferOptions": {"timeout": {"value": seconds, "unit": "seconds"}}});
    let reply = Schema::named("bot:reply");
    for right in [&bundle, &long, &transfer(5), &transfer(60), &json!({"type": "close"})] {
        assert_eq!(reply.problems(right), [] as [&str; 0]);
    }
    long["payload"]["value"] = "x".repeat(451).into();
    for wrong in [&long, &transfer(4), &transfer(61), &json!({"type": "await"})] {
        assert!(!reply.problems(wrong).is_empty(), "{wrong}");
    }
    let available = Schema::named("bot:availability");
    assert!(available.problems(&json!([{"strategy": "customAvailability", "availability": true}])).is_empty());
    assert!(!available.problems(&json!([{"strategy": "all"}])).is_empty());
    let message = json!({
        "idOperator": "ha-60012",
        "message": {
            "idMessage": "fb-5589120", "author": {"role": "visitor"}, "createdAt": "2025-02-11T08:30:01.004Z[Etc/UTC]",
            "payload": {"contentType": "text", "value": "Où est ma commande ?"},
        },
    });
    assert!(Schema::named("bot:message-request").problems(&message).is_empty());
}

/// Sites with bots of every kind, each linked to `ha-60012`.
fn sites() -> Vec<Bots> {
    let mut off = setting();
    off["enabled"] = false.into();
    let mut asking = setting();
    asking["scenarios"][0]["availability"] = "all".into();
    let mut long = setting();
    long["scenarios"][0]["steps"]["found"]["say"]["text"] = "Un mot. ".repeat(200).into();
    long["fallback"]["text"] = "mot ".repeat(300).into();
    let sites: Vec<_> = [setting(), off, asking, long].iter().map(Bots::with).collect();
    for bots in &sites {
        assert_eq!(block(bots.link("ha-60012", "orders-fr")).status, 200);
    }
    sites
}

fn operators() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("ha-60012".to_owned()),
        Just("60012".to_owned()),
        Just("sd-60012".to_owned()),
        "[a-z0-9-]{1,12}",
        "ha-[0-9]{1,4}"
    ]
}

#[test]
fn every_list_of_scenarios_is_the_schemas() {
    let (sites, schema) = (sites(), Schema::named("bot:scenarios"));
    let query = prop_oneof![Just("idWebsite=ha-4821".to_owned()), "idWebsite=(ha|sd)-[0-9]{0,4}", "[a-z=&%+0-9]{0,20}"];
    let run = |(at, query): (usize, String)| schema.check(&block(sites[at].scenarios(&query, TOKEN)));
    runner().run(&(0..sites.len(), query), run).unwrap();
}

#[test]
fn every_bot_is_the_schemas() {
    let (sites, schema) = (sites(), Schema::named("bot:bot"));
    let scenario = prop_oneof![Just("orders-fr".to_owned()), Just("night".to_owned()), "[a-z-]{0,10}"];
    let run = |(at, operator, scenario, reads): (usize, String, String, bool)| {
        let answer = if reads { block(sites[at].bot(&operator)) } else { block(sites[at].link(&operator, &scenario)) };
        schema.check(&answer)
    };
    runner().run(&(0..sites.len(), operators(), scenario, any::<bool>()), run).unwrap();
}

#[test]
fn every_availability_is_the_schemas() {
    let (sites, schema) = (sites(), Schema::named("bot:availability"));
    let run = |(at, operator): (usize, String)| schema.check(&block(sites[at].availability(&operator)));
    runner().run(&(0..sites.len(), operators()), run).unwrap();
}

#[test]
fn all_first_messages_are_the_schemas() {
    let (sites, schema) = (sites(), Schema::named("bot:first-messages"));
    let run = |(at, operator): (usize, String)| schema.check(&block(sites[at].first(&operator)));
    runner().run(&(0..sites.len(), operators()), run).unwrap();
}

#[test]
fn every_conversation_is_the_schemas() {
    let (sites, schema) = (sites(), Schema::named("bot:conversation-response"));
    let text = prop_oneof![Just("Suivre un colis".to_owned()), Just("Autre".to_owned()), Just("1234".to_owned()), "(?s).{0,30}"];
    let payload = prop_oneof![
        8 => text.prop_map(|text| json!({"contentType": "text", "value": text})),
        1 => "[a-z/]{0,9}".prop_map(|kind| json!({ "contentType": kind })),
        1 => Just(Value::Null),
    ];
    let message = (prop::sample::select(vec!["visitor", "operator", ""]), "[a-z0-9-]{0,2}", payload);
    let case = (0..sites.len(), "[a-z]{1,2}", operators(), message);
    let run = |(at, talk, operator, (role, id, payload)): (usize, String, String, (&str, String, Value))| {
        let body = said(role, &id, &payload).replace("ha-60012", &operator);
        schema.check(&block(sites[at].hear(&talk, &body)))
    };
    runner().run(&case, run).unwrap();
}

#[test]
fn every_beginning_of_a_conversation_is_the_schemas() {
    let (sites, schema) = (sites(), Schema::named("bot:conversation-response"));
    let body = prop_oneof![
        3 => (operators(), "[a-z]{0,3}").prop_map(|(operator, talk)| json!({"idOperator": operator, "idConversation": talk}).to_string()),
        1 => "(?s).{0,20}",
    ];
    let run = |(at, body): (usize, String)| schema.check(&block(sites[at].open(&body)));
    runner().run(&(0..sites.len(), body), run).unwrap();
}
