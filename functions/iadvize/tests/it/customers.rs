//! The card, its actions, the closing form and webhooks (sections 7, 8 and 11).

use serde_json::{Value, json};
use testkit::fixtures::{get, post};
use wire::CallFailure;

use crate::world::{Answer, OTHER_TOKEN, TOKEN, World, signed};

/// What a shop configures.
fn settings() -> Value {
    json!({
        "default_lang": "fr",
        "customer": {
            "fields": [
                {"show": "external_id", "label": "Client"},
                {"show": "email", "label": "E-mail"},
                {"show": "conversations", "label": "Conversation", "limit": 3},
                {"show": "cases", "label": "Dossier"},
                {"show": "action", "code": "OPEN_CASE"}
            ],
            "actions": {
                "OPEN_CASE": {"label": {"fr": "Ouvrir un dossier", "en": "Open a case"}, "does": "case",
                              "done": {"fr": "Dossier {number} ouvert", "en": "Case {number} opened"}},
                "CALL": {"label": "Rappeler", "does": "call_back"},
                "CRM": {"label": "CRM", "does": "webhook", "url": "https://crm.example/hooks/iadvize"}
            }
        },
        "closing_form": [
            {"id": "make_case", "label": {"fr": "Créer un dossier", "en": "Open a case"}, "type": "CHECKBOX"}
        ]
    })
}

async fn card(world: &World, query: &str) -> Answer {
    world.customer(signed(get("/iadvize/customer", &format!("idWebsite=ha-4821&{query}")), TOKEN)).await
}

async fn click(world: &World, code: &str, conversation: &str) -> Answer {
    let body = json!({"action": code, "idConnectorVersion": "5f0c2b1e-9a44-4d0b-8a55-2f5a7a1d9c10",
        "idVisitorUnique": "c3d9e1f04b7a4d52a1be0f", "idWebsite": "ha-4821", "idConversation": conversation, "idOperator": "ha-77120"});
    world.action(signed(post("/iadvize/customer/action", &body.to_string()), TOKEN)).await
}

async fn told(world: &World, event: &Value) -> Answer {
    world.webhook(signed(post("/iadvize/webhook", &event.to_string()), TOKEN)).await
}

/// The example of section 11.4, about a site of this world.
fn pushed() -> Value {
    json!({"eventId": "b4a4f0de-41d2-4e6c-9c55-8ef5a1c0d210", "eventType": "v2.conversation.pushed", "platform": "ha",
        "projectId": 4821, "clientId": 77, "conversationId": "0d8a7b1c-3f52-4f0a-a1f4-6d1c9c1be0a7", "operatorId": 60012,
        "visitorExternalId": null, "channel": "WHATSAPP", "visitorId": "5d2e8c31-6a0f-4b7f-9a11-0c2d3e4f5a6b",
        "createdAt": "2025-02-11T08:30:00.101Z", "sentAt": "2025-02-11T08:30:00.380Z"})
}

/// Who they are is remembered from the card.
async fn seen(world: &World) {
    card(world, "idVisitorUnique=c3d9e1f04b7a4d52a1be0f&idVisitorExternal=884").await;
}

#[tokio::test]
async fn unknown_and_anonymous_visitors_have_no_card() {
    let world = World::with(&settings());
    for query in ["", "emailVisitor=&idVisitorExternal=", "emailVisitor=nobody%40example.org", "idVisitorUnique=abc"] {
        let answer = card(&world, query).await;
        assert_eq!((answer.status, answer.body), (200, json!([])), "{query}");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn customer_is_found_by_external_id_before_the_address() {
    let world = World::with(&settings());
    world.wrote("frontstage/gw-mail", "884").await;
    world.wrote("frontstage/gw-sms", "ada@example.org").await;
    let conversation = |account: &str| json!({"id": "conversation", "label": "Conversation", "value": format!("2026-01-01 00:00 UTC · {account}"), "fieldType": "TEXT"});
    let by_both = card(&world, "idVisitorExternal=884&emailVisitor=ada%40example.org").await;
    assert_eq!((by_both.body[0]["value"].clone(), by_both.body[2].clone()), (json!("884"), conversation("gw-mail")));
    // Case and blanks of an address do not matter.
    let by_address = card(&world, "idVisitorExternal=885&emailVisitor=%20Ada%40Example.org").await;
    assert_eq!(by_address.body[2], conversation("gw-sms"));
    assert_eq!(by_address.body[3]["fieldType"], "ACTION");
    assert_eq!(by_address.body[3]["label"], "Ouvrir un dossier");
    assert_eq!(card(&world, "idVisitorExternal=884&operatorLocale=en_GB").await.body[2]["label"], "Open a case");
}

#[tokio::test]
async fn tenant_sees_nobody_of_another() {
    let world = World::with(&settings());
    world.wrote("frontstage/gw-rival", "884").await;
    assert_eq!(card(&world, "idVisitorExternal=884").await.body, json!([]));
}

#[tokio::test]
async fn visitor_alone_is_who_an_earlier_call_said() {
    let world = World::with(&settings());
    world.wrote("frontstage/gw-mail", "884").await;
    seen(&world).await;
    let answer = card(&world, "idVisitorUnique=c3d9e1f04b7a4d52a1be0f").await;
    assert_eq!(answer.body[0]["value"], "884");
    // After thirty days nobody remembers.
    world.clock.advance(std::time::Duration::from_secs(30 * 86_400));
    assert_eq!(card(&world, "idVisitorUnique=c3d9e1f04b7a4d52a1be0f").await.body, json!([]));
}

#[tokio::test]
async fn card_costs_one_write_for_a_new_visitor_and_none_for_the_same_again() {
    let world = World::with(&settings());
    seen(&world).await;
    assert_eq!(world.records.operations(), ["record", "keep_records", "records", "records"]);
    seen(&world).await;
    assert_eq!(world.records.operations(), ["record", "records", "records"]);
}

#[tokio::test]
async fn double_click_opens_one_case() {
    let world = World::with(&settings());
    seen(&world).await;
    let first = click(&world, "OPEN_CASE", "ha-123").await;
    assert_eq!((first.status, first.body), (200, json!({"success": true, "message": "Dossier 1 ouvert"})));
    let again = click(&world, "OPEN_CASE", "ha-123").await;
    assert_eq!(again.body, json!({"success": true, "message": "Dossier 1 ouvert"}));
    // Another conversation is another click, and after half a minute so is the same one.
    assert_eq!(click(&world, "OPEN_CASE", "ha-124").await.body["message"], "Dossier 2 ouvert");
    world.clock.advance(std::time::Duration::from_secs(30));
    assert_eq!(click(&world, "OPEN_CASE", "ha-123").await.body["message"], "Dossier 3 ouvert");
    let card = card(&world, "idVisitorExternal=884").await;
    let cases: Vec<_> = card.body.as_array().unwrap().iter().filter(|line| line["label"] == "Dossier").collect();
    assert_eq!(cases.len(), 3);
    assert_eq!(cases[0]["value"], "3 · Ouvrir un dossier · 2026-01-01 00:00 UTC");
}

#[tokio::test]
async fn fifty_clicks_at_once_open_one_case() {
    let world = World::with(&settings());
    seen(&world).await;
    let clicks = futures_util::future::join_all((0..50).map(|_| click(&world, "OPEN_CASE", "ha-123"))).await;
    for answer in clicks {
        assert_eq!((answer.status, answer.body), (200, json!({"success": true, "message": "Dossier 1 ouvert"})));
    }
}

#[tokio::test]
async fn agent_reads_why_nothing_happened() {
    let world = World::with(&settings());
    let nobody = click(&world, "OPEN_CASE", "ha-123").await;
    assert_eq!((nobody.status, nobody.body), (200, json!({"success": false, "message": "Ce visiteur n'est pas connu."})));
    seen(&world).await;
    let unknown = click(&world, "CLOSE_CASE", "ha-123").await;
    let expected = json!({"success": false, "message": "Cette action n'est pas disponible."});
    assert_eq!((unknown.status, unknown.body), (200, expected));
    assert_eq!(click(&world, "CALL", "ha-123").await.body, json!({"success": true, "message": "C'est fait."}));
}

#[tokio::test]
async fn tenants_own_system_is_told_once_and_says_what_came_of_it() {
    let world = World::with(&settings());
    seen(&world).await;
    world.sender.answer(200, &json!({"success": false, "message": "Déjà en cours"}));
    let expected = json!({"success": false, "message": "Déjà en cours"});
    assert_eq!(click(&world, "CRM", "ha-123").await.body, expected);
    assert_eq!(click(&world, "CRM", "ha-123").await.body, expected, "within thirty seconds");
    let calls = world.sender.calls();
    assert_eq!((calls.len(), calls[0].url.as_str()), (1, "https://crm.example/hooks/iadvize"));
    let body: Value = serde_json::from_slice(&calls[0].body).unwrap();
    let expected = json!({"event": "customer.action", "account": "iadvize/shop", "action": "CRM", "at": "2026-01-01T00:00:00.000Z",
        "idWebsite": "ha-4821", "idConversation": "ha-123", "idOperator": "ha-77120",
        "idVisitorUnique": "c3d9e1f04b7a4d52a1be0f", "idVisitorExternal": "884", "emailVisitor": null});
    assert_eq!(body, expected);
    let signature = calls[0].headers["x-deskbridge-signature"].to_str().unwrap();
    assert!(signature.starts_with("v1=") && signature.len() == 67, "{signature}");
    assert_eq!(calls[0].headers["x-deskbridge-timestamp"], "1767225600");
    assert_eq!(calls[0].headers["idempotency-key"].to_str().unwrap().len(), 64);
}

#[tokio::test]
async fn tenants_own_system_may_fail_or_say_nothing() {
    let failed = json!({"success": false, "message": "Cela n'a pas fonctionné. Veuillez réessayer."});
    for (answer, expected) in [
        (Ok(testkit::ScriptedSender::json(500, &json!({}))), failed.clone()),
        (Ok(testkit::ScriptedSender::json(200, &json!({"success": false}))), failed.clone()),
        (Err(CallFailure::NoAnswer), failed.clone()),
        (Ok(testkit::ScriptedSender::empty(204)), json!({"success": true, "message": "C'est fait."})),
    ] {
        let world = World::with(&settings());
        seen(&world).await;
        world.sender.push(answer);
        let told = click(&world, "CRM", "ha-123").await;
        assert_eq!((told.status, told.body), (200, expected));
    }
}

#[tokio::test]
async fn wrong_bodies_of_an_action_change_nothing() {
    let world = World::with(&settings());
    seen(&world).await;
    world.records.operations();
    let long = "x".repeat(513);
    for (body, field) in [
        ("{".to_owned(), "body"),
        ("[]".to_owned(), "body"),
        (json!({"idWebsite": "ha-4821"}).to_string(), "action"),
        (json!({"idWebsite": "ha-4821", "action": ""}).to_string(), "action"),
        (json!({"idWebsite": "ha-4821", "action": 7}).to_string(), "body"),
        (json!({"action": "OPEN_CASE"}).to_string(), "idWebsite"),
        (json!({"idWebsite": "ha-4821", "action": "OPEN_CASE", "idConversation": long}).to_string(), "body"),
    ] {
        let answer = world.action(signed(post("/iadvize/customer/action", &body), TOKEN)).await;
        assert_eq!((answer.row(), &answer.body["error"]["field"]), ((400, "invalid_parameter"), &json!(field)), "{body}");
    }
    assert_eq!(world.records.operations(), [""; 0]);
}

#[tokio::test]
async fn closing_form_is_told_in_the_agents_language() {
    let world = World::with(&settings());
    let form = async |query: &str| world.closing_form(signed(get("/iadvize/closing-form", query), TOKEN)).await.body;
    let expected = |label: &str| json!([{"id": "make_case", "label": label, "fieldType": "CHECKBOX", "isRequired": false}]);
    assert_eq!(form("idWebsite=ha-4821&operatorLocale=en_US").await, expected("Open a case"));
    assert_eq!(form("idWebsite=ha-4821").await, expected("Créer un dossier"));
    assert_eq!(form("idWebsite=ha-4822").await, json!([]));
}

#[tokio::test]
async fn event_is_kept_once_however_often_it_comes() {
    let world = World::with(&settings());
    for _ in 0..3 {
        let answer = told(&world, &pushed()).await;
        assert_eq!((answer.status, answer.body), (200, json!({})));
    }
    let kept = world.records.peek();
    let kinds: Vec<_> = kept.keys().map(|key| key.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "event").count(), 1);
    assert_eq!(kinds.iter().filter(|kind| **kind == "conversation").count(), 1);
    assert!(kept.values().all(|record| record.rev == 1), "a repetition changes nothing");
}

#[tokio::test]
async fn conversation_is_what_its_events_say_in_any_order() {
    let closed = json!({"eventId": "e-2", "eventType": "v2.conversation.closed", "platform": "HA", "projectId": 4821,
        "conversationId": "0d8a7b1c-3f52-4f0a-a1f4-6d1c9c1be0a7", "operatorIds": [60012], "channel": "WHATSAPP",
        "visitorId": "5d2e8c31-6a0f-4b7f-9a11-0c2d3e4f5a6b", "visitorExternalId": "884", "createdAt": "2025-02-11T09:30:00+01:00"});
    for order in [[pushed(), closed.clone()], [closed, pushed()]] {
        let world = World::with(&settings());
        for event in order {
            assert_eq!(told(&world, &event).await.status, 200);
        }
        let kept = world.records.peek();
        let of = |kind: &str| -> Value {
            serde_json::from_str(&kept.iter().find(|(key, _)| key.kind == kind).unwrap().1.body).unwrap()
        };
        let expected = json!({"began_at": 1_739_262_600_000_i64, "last_at": 1_739_262_600_101_i64,
            "closed_at": 1_739_262_600_000_i64, "channel": "WHATSAPP", "operator": 60012});
        assert_eq!(of("conversation"), expected);
        assert_eq!(of("whose"), json!({"visitor": "5d2e8c31-6a0f-4b7f-9a11-0c2d3e4f5a6b", "names": {"external_id": "884"}}));
        // From then on the visitor is the merchant's customer.
        world.wrote("frontstage/gw-mail", "884").await;
        let card = card(&world, "idVisitorUnique=5d2e8c31-6a0f-4b7f-9a11-0c2d3e4f5a6b").await;
        assert_eq!(card.body[0]["value"], "884");
        assert_eq!(card.body[1]["value"], "2026-01-01 00:00 UTC · gw-mail");
        assert_eq!(card.body[2]["value"], "2025-02-11 08:30 UTC · shop · fermée");
    }
}

#[tokio::test]
async fn events_of_every_type_are_taken() {
    let of = |kind: &str, more: Value| {
        let mut event = json!({"eventId": kind, "eventType": kind, "createdAt": "2025-02-11T08:30:00.101Z", "clientId": 77});
        for (name, value) in more.as_object().unwrap() {
            event[name] = value.clone();
        }
        event
    };
    let site = json!({"platform": "ha", "projectId": 4821, "conversationId": "c-1"});
    let world = World::with(&settings());
    let users = ["user.created", "user.updated", "user.connected", "user.disconnected", "user.availability.updated"];
    let all = users.map(|kind| of(kind, json!({"platform": "ha", "userId": 7}))).into_iter().chain([
        of("visitor.updated", json!({"platform": "ha", "operatorId": 7, "visitorId": "v-1"})),
        of("satisfaction.answered", json!({"platform": "ha", "projectId": 4821, "conversationId": "c-1", "netPromoterScore": 9})),
        of(
            "transaction.attributed",
            json!({"platform": "ha", "projectId": 4821, "conversationId": "c-1", "amount": 12.5, "operatorId": 7}),
        ),
        of("conversation.started", site.clone()),
        of("something.new", site),
    ]);
    let mut count = 0;
    for event in all {
        assert_eq!(told(&world, &event).await.status, 200, "{event}");
        count += 1;
    }
    assert_eq!(world.records.peek().keys().filter(|key| key.kind == "event").count(), count);
}

#[tokio::test]
async fn what_is_no_event_is_refused_and_nothing_is_kept() {
    let world = World::with(&settings());
    for (name, value, field) in [
        ("eventId", Value::Null, "eventId"),
        ("eventId", json!(["a"]), "eventId"),
        ("eventId", json!("x".repeat(257)), "eventId"),
        ("eventType", json!(""), "eventType"),
        ("createdAt", json!("yesterday"), "createdAt"),
        ("projectId", json!("4821"), "projectId"),
        ("operatorId", Value::Null, "operatorId"),
        ("conversationId", Value::Null, "conversationId"),
        ("channel", Value::Null, "channel"),
    ] {
        let mut event = pushed();
        event[name] = value;
        let answer = told(&world, &event).await;
        assert_eq!((answer.row(), &answer.body["error"]["field"]), ((400, "invalid_parameter"), &json!(field)), "{event}");
    }
    let mut foreign = pushed();
    foreign["platform"] = json!("sd");
    foreign["projectId"] = json!(77);
    assert_eq!(told(&world, &foreign).await.row(), (404, "not_found"));
    assert_eq!(world.webhook(signed(post("/iadvize/webhook", "eventId=1"), TOKEN)).await.row(), (400, "invalid_parameter"));
    let mut form = signed(post("/iadvize/webhook", "eventId=1"), TOKEN);
    form.headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    assert_eq!(world.webhook(form).await.row(), (415, "unsupported_media_type"));
    let mut form = signed(post("/iadvize/webhook", &pushed().to_string()), TOKEN);
    form.headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    assert_eq!(world.webhook(form).await.status, 200, "a JSON text can be recovered");
    assert_eq!(
        world.webhook(signed(post("/iadvize/webhook", &pushed().to_string()), OTHER_TOKEN)).await.row(),
        (404, "not_found")
    );
    assert_eq!(world.records.peek().keys().filter(|key| key.kind == "event").count(), 1);
}

#[tokio::test]
async fn forgotten_visitor_leaves_nothing() {
    let world = World::with(&settings());
    seen(&world).await;
    click(&world, "OPEN_CASE", "ha-123").await;
    let mut event = pushed();
    event["visitorId"] = json!("c3d9e1f04b7a4d52a1be0f");
    told(&world, &event).await;
    told(
        &world,
        &json!({"eventId": "e-3", "eventType": "visitor.updated", "platform": "ha", "operatorId": 7,
        "visitorId": "c3d9e1f04b7a4d52a1be0f", "createdAt": "2025-02-11T08:30:00.101Z"}),
    )
    .await;
    let of = |action: &str| {
        json!({"action": action, "account": "iadvize/shop", "idVisitorUnique": "c3d9e1f04b7a4d52a1be0f",
        "idVisitorExternal": "884"})
    };
    let cases = json!({"cases": [{"number": 1, "code": "OPEN_CASE", "at": "2026-01-01T00:00:00.000Z"}]});
    assert_eq!(world.operator(of("cases")).await, cases);
    // Who they are, the conversation with whose it is and its event, the other event, and the case.
    assert_eq!(world.operator(of("forget")).await, json!({"forgotten": 6}));
    assert_eq!(world.operator(of("forget")).await, json!({"forgotten": 0}));
    assert_eq!(world.operator(of("cases")).await, json!({"cases": []}));
    let left: std::collections::BTreeSet<_> =
        world.records.peek().into_iter().filter(|(_, record)| !record.body.is_empty()).map(|(key, _)| key.kind).collect();
    // What was clicked ends by itself after half a minute, and says nothing of anybody.
    assert_eq!(left, ["click", "counter"].into());
    let card = card(&world, "idVisitorUnique=c3d9e1f04b7a4d52a1be0f").await;
    assert_eq!((card.status, card.body), (200, json!([])));
}
