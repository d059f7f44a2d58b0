//! Forms and registers: what is loaded, what is brought back, and whose it is.

use app::chats::sweep_registers;
use ports::{Askers as _, DirectoryStore as _};
use serde_json::{Value, json};
use testkit::{Fault, events};

use crate::world::{Answer, World};

const FORM: &str = "50000000-0000-4000-8000-000000000001";
const NAME: &str = "c0000000-0000-4000-8000-000000000001";
const TOPIC: &str = "c0000000-0000-4000-8000-000000000002";

fn envelope(msg: &str, number: u32, body: Value) -> Value {
    json!({"Msg": msg, "Id": format!("f0000000-0000-4000-8000-{number:012}"), "Body": body})
}

fn code(answer: &Answer) -> (u64, &str, &str) {
    let error = &answer.body["Error"];
    (answer.status, error["Code"].as_str().unwrap_or_default(), error["Field"].as_str().unwrap_or_default())
}

/// Status, outcome and result id of an `ES_SCENARIO_SAVE`.
fn saved(answer: &Answer) -> (u64, &str, String) {
    let result = &answer.body["Results"][0];
    (answer.status, result["Outcome"].as_str().unwrap(), result["ResultId"].as_str().unwrap_or_default().to_owned())
}

fn results(world: &World) -> Vec<ports::StoredResult> {
    world.chats.results_of(&"frontstage/gw-chat".parse().unwrap())
}

#[tokio::test]
async fn form_is_loaded_in_the_closest_language_with_everything_a_connector_is_told() {
    let world = World::new().await;
    let loaded = world.send("scenario_load").await;
    let reply = &loaded.body["Replies"][0];
    assert_eq!((loaded.status, &reply["Msg"], &reply["Seq"]), (200, &json!("SE_SCENARIO_MODEL"), &json!(1)));
    assert_eq!(reply["InReplyTo"], "f0000000-0000-4000-8000-000000000001");
    let choice = |n: u32, label: &str, text: &str| {
        json!({"ScreenControlParameterId": format!("e0000000-0000-4000-8000-{n:012}"), "DisplayName": label, "Rank": n,
               "ResultNumber": n, "ResultText": text, "DefaultItem": false})
    };
    let control = |id: &str, rank: u32, label: &str, kind: &str, column: Value, is_mandatory: bool, parameters: Value| {
        json!({"ScreenControlId": id, "DisplayName": label, "Description": null, "TargetColumn": column, "Rank": rank,
               "ControlType": kind, "ControlNumber": null, "ControlText": null, "MandatoryField": is_mandatory,
               "Parameters": parameters})
    };
    assert_eq!(
        reply["Body"],
        json!({
            "ScenarioId": FORM, "DisplayName": "Váš dotaz", "AgentId": null, "Culture": "cs",
            "Screens": [{
                "ScreenId": "d0000000-0000-4000-8000-000000000001", "DisplayName": null, "Rank": 1, "FinishButton": true,
                "ConditionScreenControlId": null, "ConditionText": null,
                "Controls": [
                    control(NAME, 1, "Jméno", "TextArea", json!("Name"), true, Value::Null),
                    control(TOPIC, 2, "Téma", "DropDown", Value::Null, false,
                            json!([choice(1, "Objednávka", "order"), choice(2, "Stížnost", "complaint")]))
                ]
            }]
        })
    );
    let again = world.visitor(&envelope("ES_SCENARIO_LOAD", 1, json!({"Id": FORM, "Reference": "cs-CZ"}))).await;
    assert_eq!((&again.body["Results"][0]["Outcome"], &again.body["Replies"]), (&json!("Duplicate"), &loaded.body["Replies"]));
}

#[tokio::test]
async fn form_that_is_not_the_gateways_is_unknown() {
    let world = World::new().await;
    let unknown = envelope("ES_SCENARIO_LOAD", 11, json!({"Id": NAME}));
    assert_eq!(code(&world.visitor(&unknown).await), (404, "UnknownScenario", "Body.Id"));
    let save = envelope("ES_SCENARIO_SAVE", 12, json!({"ScenarioId": NAME}));
    assert_eq!(code(&world.visitor(&save).await), (404, "UnknownScenario", "Body.ScenarioId"));
    assert!(results(&world).is_empty());
}

#[tokio::test]
async fn registers_are_told_whole_and_literals_in_the_language_asked_for() {
    let world = World::new().await;
    let routing = world.send("ws_routing").await;
    let reply = &routing.body["Replies"][0];
    assert_eq!((routing.status, &reply["Msg"]), (200, &json!("SE_WS_ROUTING")));
    let rule = &reply["Body"][0];
    assert_eq!((&rule["WebApp"], &rule["ScenarioId"], &rule["Block"]), (&json!("webchat"), &json!(FORM), &json!(false)));
    let literals = world.send("ws_literals").await;
    let reply = &literals.body["Replies"][0];
    assert_eq!((literals.status, &reply["Msg"]), (200, &json!("SE_WS_LITERALS_INFO")));
    assert_eq!(
        reply["Body"],
        json!([{"LiteralGroup": 102, "LiteralValue": 2, "Culture": "cs", "LiteralText": "Napište nám", "DisplayName": null}])
    );
    let every = world.visitor(&envelope("ES_WS_LITERALS_GET", 21, json!({"LiteralGroup": 102, "Culture": null}))).await;
    assert_eq!(every.body["Replies"][0]["Body"].as_array().map(Vec::len), Some(3));
}

/// What the gateway is kept to have asked for, and whether it is known what it was told.
async fn asked(world: &World, gateway: &str) -> Vec<(String, bool)> {
    let asker = world.chats.asker(&gateway.parse().unwrap()).await.unwrap();
    asker.into_iter().flat_map(|asker| asker.asked).map(|asked| (asked.question, asked.told.is_some())).collect()
}

/// The sweep, as it looks at the registers. Returns how many were told.
async fn sweep(world: &World) -> usize {
    let (chats, store) = (&*world.chats, &*world.store);
    sweep_registers(&world.ctx.chats, chats, store, chats_frontstage::register).await.unwrap()
}

#[tokio::test]
async fn register_that_was_asked_for_is_told_unasked_once_it_has_changed() {
    let world = World::new().await;
    world.send("ws_routing").await;
    world.send("ws_literals").await;
    assert_eq!(
        asked(&world, "frontstage/gw-chat").await,
        [("routing".to_owned(), true), ("literals/102/cs-cz".to_owned(), true)]
    );
    assert_eq!(sweep(&world).await, 0);

    let mut directory = events::configured_with_chats();
    let gateway = directory.accounts.get_mut(&"frontstage/gw-chat".parse().unwrap()).unwrap();
    gateway.settings["registers"]["rules"][0]["Block"] = json!(true);
    gateway.settings["registers"]["literals"][0]["LiteralText"] = json!("Ask us");
    let tenant = &directory.tenants[&gateway.tenant];
    world.store.configure(tenant, std::slice::from_ref(gateway)).await.unwrap();
    // The text in English is of no concern to who asked for Czech ones.
    assert_eq!((sweep(&world).await, sweep(&world).await), (1, 0));
    let told = world.told_visitor(0).await;
    let event = &told.body["Events"][0];
    assert_eq!(told.body["Events"].as_array().map(Vec::len), Some(1));
    assert_eq!((&event["Msg"], &event["Seq"], &event["InReplyTo"]), (&json!("SE_WS_ROUTING"), &json!(3), &Value::Null));
    assert_eq!((&event["Body"][0]["WebApp"], &event["Body"][0]["Block"]), (&json!("webchat"), &json!(true)));

    gateway.settings["registers"]["literals"][1]["LiteralText"] = json!("Ptejte se");
    world.store.configure(tenant, std::slice::from_ref(gateway)).await.unwrap();
    assert_eq!(sweep(&world).await, 1);
    let told = world.told_visitor(3).await;
    let event = &told.body["Events"][0];
    assert_eq!((&event["Msg"], &event["Body"][0]["LiteralText"]), (&json!("SE_WS_LITERALS_INFO"), &json!("Ptejte se")));
}

#[tokio::test]
async fn register_that_was_taken_away_is_told_empty_and_a_gateway_without_chats_is_told_too() {
    let world = World::new().await;
    world.mail(&envelope("ES_WS_ROUTING", 45, json!("!MailLink"))).await;
    assert_eq!(sweep(&world).await, 0);
    let directory = events::configured();
    let mut gateway = directory.accounts[&"frontstage/gw-mail".parse().unwrap()].clone();
    let tenant = &directory.tenants[&gateway.tenant];
    for (rules, number) in [(json!([{"WebSiteRoutingId": NAME, "WebApp": "webform"}]), 1), (json!([]), 0)] {
        gateway.settings["registers"] = json!({"rules": rules});
        world.store.configure(tenant, std::slice::from_ref(&gateway)).await.unwrap();
        assert_eq!(sweep(&world).await, 1);
        let told = world.call("frontstage-events", "GET", "/v1/frontstage/gw-mail/events", "after=1", None).await;
        let event = told.body["Events"].as_array().unwrap().last().unwrap();
        assert_eq!((&event["Msg"], event["Body"].as_array().map(Vec::len)), (&json!("SE_WS_ROUTING"), Some(number)));
    }
    // Its events are pushed.
    assert_eq!(world.pushes.due().len(), 2);
}

#[tokio::test]
async fn repeated_question_is_answered_as_before_and_told_what_it_is_now() {
    let world = World::new().await;
    let question = envelope("ES_WS_ROUTING", 46, json!("!DemoLink"));
    let first = world.visitor(&question).await;
    assert_eq!((first.status, asked(&world, "frontstage/gw-chat").await), (200, vec![("routing".to_owned(), true)]));
    let again = world.visitor(&question).await;
    assert_eq!((&again.body["Results"][0]["Outcome"], &again.body["Replies"]), (&json!("Duplicate"), &first.body["Replies"]));
    assert_eq!(asked(&world, "frontstage/gw-chat").await, [("routing".to_owned(), false)]);
    assert_eq!((sweep(&world).await, sweep(&world).await), (1, 0));
}

#[tokio::test]
async fn question_that_cannot_be_noted_is_503_and_refused_ones_are_not_noted() {
    let world = World::new().await;
    let question = envelope("ES_WS_ROUTING", 47, json!("!DemoLink"));
    world.chats.faults().plan([None, None, Some(Fault::Refused)]);
    assert_eq!(world.visitor(&question).await.status, 503);
    assert_eq!(world.visitor(&question).await.body["Results"][0]["Outcome"], "Duplicate");
    assert_eq!(asked(&world, "frontstage/gw-chat").await, [("routing".to_owned(), false)]);

    let world = World::new().await;
    let reused = envelope("ES_WS_LITERALS_GET", 48, json!({"LiteralGroup": 102}));
    world.visitor(&envelope("ES_SCENARIO_LOAD", 48, json!({"Id": FORM}))).await;
    assert_eq!(code(&world.visitor(&reused).await), (409, "IdReused", "Id"));
    assert_eq!(asked(&world, "frontstage/gw-chat").await, []);
}

#[tokio::test]
async fn registers_of_another_gateway_are_refused() {
    let world = World::new().await;
    let other = envelope("ES_WS_LITERALS_GET", 31, json!({"LiteralGroup": 102, "Peer": "!Other"}));
    assert_eq!(code(&world.visitor(&other).await), (403, "PeerMismatch", "Body.Peer"));
    assert_eq!(code(&world.visitor(&envelope("ES_WS_ROUTING", 32, json!("!Other"))).await), (403, "PeerMismatch", "Body"));
}

#[tokio::test]
async fn gateway_without_any_is_told_of_none() {
    let world = World::new().await;
    let id = |n: u32| format!("f0000000-0000-4000-8000-{n:012}");
    let asked = json!([
        {"Msg": "ES_WS_ROUTING", "Id": id(41), "Body": "!MailLink"},
        {"Msg": "ES_WS_LITERALS_GET", "Id": id(42), "Body": {"LiteralGroup": 102}},
        {"Msg": "ES_SCENARIO_LOAD", "Id": id(43), "Body": {"Id": FORM}}
    ]);
    let answer = world.mail(&asked).await;
    let told: Vec<_> = answer.body["Replies"].as_array().unwrap().iter().map(|reply| (&reply["Msg"], &reply["Body"])).collect();
    assert_eq!(told, [(&json!("SE_WS_ROUTING"), &json!([])), (&json!("SE_WS_LITERALS_INFO"), &json!([]))]);
    assert_eq!(answer.body["Results"][2]["Error"]["Code"], "UnknownScenario");
    let again = world.mail(&asked[0]).await;
    assert_eq!(
        (&again.body["Results"][0]["Outcome"], &again.body["Replies"][0]),
        (&json!("Duplicate"), &answer.body["Replies"][0])
    );
}

#[tokio::test]
async fn what_is_wanted_later_comes_through_the_stream_only() {
    let world = World::new().await;
    let body = envelope("ES_SCENARIO_LOAD", 51, json!({"Id": FORM}));
    let mut event = world.signed("POST", "/v1/frontstage/gw-chat/messages", "", Some(&body));
    event["headers"]["prefer"] = json!("respond-async");
    let answer = world.send_event(event).await;
    assert_eq!((answer.status, &answer.body["Replies"]), (202, &json!([])));
    let told = world.told_visitor(0).await;
    let event = &told.body["Events"][0];
    assert_eq!((&event["Msg"], &event["Body"]["Culture"]), (&json!("SE_SCENARIO_MODEL"), &json!("en")));
    assert_eq!(event["InReplyTo"], body["Id"]);
}

#[tokio::test]
async fn filled_form_is_stored_once_and_answered_by_its_id() {
    let world = World::new().await;
    let first = world.send("scenario_save").await;
    let (status, outcome, id) = saved(&first);
    assert_eq!((status, outcome, &first.body["Replies"]), (200, "Accepted", &json!([])));
    let stored = results(&world);
    assert_eq!((stored.len(), stored[0].id.to_string()), (1, id.clone()));
    assert_eq!(stored[0].answers[0].text.as_deref(), Some("Eva Demová"));
    assert_eq!((stored[0].answers[1].number, stored[0].answers[1].text.as_deref()), (Some(2), Some("complaint")));
    assert_eq!(stored[0].filled_at.to_utc_text(), "2025-12-31T23:59:00.000Z");

    assert_eq!(saved(&world.send("scenario_save_duplicate").await), (200, "Duplicate", id));
    assert_eq!(results(&world), stored);
    // The very same request once more is not one of the connector's.
    assert_eq!(world.send("scenario_save").await.status, 401);
    let other = envelope("ES_SCENARIO_SAVE", 2, json!({"ScenarioId": FORM}));
    assert_eq!(code(&world.visitor(&other).await), (409, "IdReused", "Id"));
}

#[tokio::test]
async fn answer_that_does_not_fit_the_form_is_refused_and_nothing_is_stored() {
    let world = World::new().await;
    let refused = world.send("scenario_save_invalid").await;
    assert_eq!(code(&refused), (422, "ValidationFailed", "Body.Values[0].ResultNumber"));
    let stranger = json!({"ScenarioId": FORM, "Values": [{"ScreenControlId": FORM, "ResultText": "x"}]});
    let refused = world.visitor(&envelope("ES_SCENARIO_SAVE", 61, stranger)).await;
    assert_eq!(code(&refused), (422, "ValidationFailed", "Body.Values[0].ScreenControlId"));
    assert!(results(&world).is_empty());
}

#[tokio::test]
async fn update_names_the_stored_result() {
    let world = World::new().await;
    let (.., id) = saved(&world.send("scenario_save").await);
    let change = |result: &str| json!({"ScenarioId": FORM, "ScenarioResultId": result, "Values": [{"ScreenControlId": TOPIC, "ResultText": "order"}]});
    let changed = world.visitor(&envelope("ES_SCENARIO_SAVE", 71, change(&id))).await;
    assert_eq!(saved(&changed), (200, "Accepted", id.clone()));
    let stored = results(&world);
    assert_eq!((stored.len(), stored[0].rev, stored[0].answers.len()), (1, 2, 1));
    assert_eq!(stored[0].answers[0].number, Some(1));
    let unknown = world.visitor(&envelope("ES_SCENARIO_SAVE", 72, change(NAME))).await;
    assert_eq!(code(&unknown), (422, "ValidationFailed", "Body.ScenarioResultId"));
}

/// Jana has Eva's chat. Returns its id.
async fn given_conversation(world: &World) -> String {
    world.send_to("frontstage-workplace-messages", "ok").await;
    world.send("chat_start").await;
    world.send("chat_sentence").await;
    let told = world.told_agent("101", 0).await;
    let chat =
        told.body["Events"].as_array().unwrap().iter().find_map(|event| event["Body"]["ChatId"].as_str()).unwrap().to_owned();
    assert_eq!(world.agent("101", &envelope("CS_CHAT_ANSWER", 81, json!({"ChatId": chat}))).await.status, 200);
    chat
}

#[tokio::test]
async fn form_for_a_chat_is_shown_to_its_agent_with_its_name() {
    let world = World::new().await;
    let chat = given_conversation(&world).await;
    let before = world.told_agent("101", 0).await.body["Next"].as_u64().unwrap();
    let body = json!({"ScenarioId": FORM, "ChatId": chat, "Values": [{"ScreenControlId": NAME, "ResultText": "Eva"}]});
    let answer = world.visitor(&envelope("ES_SCENARIO_SAVE", 82, body)).await;
    let (status, outcome, id) = saved(&answer);
    assert_eq!((status, outcome), (200, "Accepted"));
    let told = world.told_agent("101", before).await;
    let event = &told.body["Events"][0];
    assert_eq!((&event["Msg"], &event["Body"]["Sentences"]), (&json!("SC_CHAT_STATUS"), &Value::Null));
    let form = &event["Body"]["Info"]["Scenarios"][0];
    assert_eq!((&form["ScenarioId"], &form["ScenarioName"]), (&json!(FORM), &json!("Your question")));
    assert_eq!((&form["ResultId"], &form["ResultCreated"]), (&json!(id), &json!("2026-01-01T00:00:00.000Z")));
}

#[tokio::test]
async fn form_for_a_chat_that_is_not_the_gateways_is_refused() {
    let world = World::new().await;
    let body = |chat: &str| json!({"ScenarioId": FORM, "ChatId": chat});
    for (number, chat) in [(91, "00112233-4455-8667-9e22-640000000001"), (92, FORM)] {
        let refused = world.visitor(&envelope("ES_SCENARIO_SAVE", number, body(chat))).await;
        assert_eq!(code(&refused), (404, "UnknownChat", ""));
    }
    assert!(results(&world).is_empty());
}

#[tokio::test]
async fn form_of_a_start_is_stored_and_row_6_merged_by_the_next() {
    let world = World::new().await;
    world.send_to("frontstage-workplace-messages", "ok").await;
    let start = |values: Value| json!({"TrackingId": "t-1", "ResultModel": {"ScenarioId": FORM, "Values": values}});
    let wrong = start(json!([{"ScreenControlId": TOPIC, "ResultNumber": 7}]));
    let refused = world.visitor(&envelope("ES_CHAT_START", 101, wrong)).await;
    assert_eq!(code(&refused), (422, "ValidationFailed", "Body.ResultModel.Values[0].ResultNumber"));
    let unknown = json!({"TrackingId": "t-1", "ResultModel": {"ScenarioId": NAME}});
    let refused = world.visitor(&envelope("ES_CHAT_START", 102, unknown)).await;
    assert_eq!(code(&refused), (404, "UnknownScenario", "Body.ResultModel.ScenarioId"));
    assert!(results(&world).is_empty());

    let named = start(json!([{"ScreenControlId": NAME, "ResultText": "Eva"}]));
    assert_eq!(world.visitor(&envelope("ES_CHAT_START", 103, named)).await.status, 200);
    let topic = start(json!([{"ScreenControlId": TOPIC, "ResultNumber": 1}]));
    assert_eq!(world.visitor(&envelope("ES_CHAT_START", 104, topic)).await.status, 200);
    let stored = results(&world);
    assert_eq!((stored.len(), stored[0].answers.len()), (1, 2));
    assert!(stored[0].chat.is_some());
}

#[tokio::test]
async fn form_expected_at_the_start_is_told_before_it() {
    let world = World::new().await;
    let asks = json!({"TrackingId": "t-1", "PreferredCulture": "cs"});
    let answer = world.visitor(&envelope("ES_CHAT_REQUEST", 111, asks)).await;
    let body = &answer.body["Replies"][0]["Body"];
    assert_eq!((&body["ScenarioModel"]["ScenarioId"], &body["ScenarioModel"]["Culture"]), (&json!(FORM), &json!("cs")));
}

#[tokio::test]
async fn store_down_is_503_and_the_repetition_is_stored_once() {
    let world = World::new().await;
    world.chats.faults().plan([None, Some(Fault::AnswerLost)]);
    assert_eq!(code(&world.send("scenario_save").await).0, 503);
    assert_eq!(saved(&world.send("scenario_save_duplicate").await).1, "Duplicate");
    assert_eq!(results(&world).len(), 1);
}
