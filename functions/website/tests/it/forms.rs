//! Forms: what a page is offered, and what becomes of what it returns.

use app::chats::AgentAct;
use ports::ResultTask;
use serde_json::{Value, json};
use testkit::events;

use crate::world::{CHAT, World};

const FORM: &str = "50000000-0000-4000-8000-000000000002";

fn control(n: u32) -> String {
    format!("c0000000-0000-4000-8000-{:012}", 10 + n)
}

#[tokio::test]
async fn form_is_served_in_the_language_of_the_query_or_of_the_browser() {
    let world = World::new();
    for (case, culture, name) in [("ok", "cs", "Napište nám"), ("english", "en", "Write to us")] {
        let answer = world.send("website-scenario", case).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{case}");
        let form = &answer.body;
        assert_eq!((&form["ScenarioId"], &form["Culture"], &form["DisplayName"]), (&json!(FORM), &json!(culture), &json!(name)));
        let first = json!({"ControlId": control(1), "ScreenRank": 1, "Rank": 1, "DisplayName": form["Controls"][0]["DisplayName"],
                           "Description": null, "ControlType": "TextArea", "ControlNumber": null, "ControlText": null,
                           "MandatoryField": true, "Parameters": null});
        assert_eq!((&form["Controls"][0], form["Controls"].as_array().map(Vec::len)), (&first, Some(4)), "{case}");
    }
    for case in ["unknown_form", "id_malformed"] {
        assert_eq!(world.send("website-scenario", case).await.refusal(), (404, "UnknownScenario"), "{case}");
    }
    assert!(world.chats.operations().is_empty());
}

#[tokio::test]
async fn page_is_offered_the_form_of_its_rule() {
    let world = World::with_jana().await;
    let form = world.send("website-routing", "form").await.body;
    assert_eq!(form["Scenario"]["Culture"], "cs");
    // Whether a chat would be answered is no concern of a form.
    assert_eq!((&form["Signal"], &form["ChatRunning"]), (&Value::Null, &Value::Null));
    assert!(world.chats.operations().is_empty());
    let chat = world.send("website-routing", "chat_with_form").await.body;
    // The rule's language stands over the browser's.
    assert_eq!((&chat["Scenario"]["Culture"], &chat["Signal"]), (&json!("en"), &json!("Free")));
    assert_eq!(world.send("website-routing", "ok").await.body["Scenario"], Value::Null);
}

#[tokio::test]
async fn form_is_stored_with_what_the_page_knows_and_answered_by_its_id() {
    let world = World::new();
    for case in ["ok", "base64_body"] {
        let answer = world.send("website-result", case).await;
        assert_eq!((answer.status, &answer.body["WebResponse"]), (200, &json!("Thank you, <b>we</b> will answer.")), "{case}");
        assert!(world.results().iter().any(|result| answer.body["ResultId"] == result.id.to_string()), "{case}");
    }
    let results = world.results();
    assert_eq!((results.len(), results[0].form.to_string().as_str(), &results[0].task), (2, FORM, &None));
    let answers: Vec<_> = results[0].answers.iter().map(|answer| (answer.text.as_deref(), answer.number)).collect();
    let expected =
        [(Some("Eva Demová"), None), (Some("eva@demo.example"), None), (Some("complaint"), Some(2)), (Some("yes"), Some(1))];
    assert_eq!((answers.as_slice(), results[0].answers[0].column.as_deref()), (expected.as_slice(), Some("Name")));
    let memo = json!({"Culture": "cs", "Location": "https://shop.example/contact", "PartyName": "Eva", "UserToken": "guest",
                      "WebSiteRoutingId": "77777777-7777-4777-8777-777777777781"});
    assert_eq!(json!(results[0].memo), memo);
}

#[tokio::test]
async fn clock_that_the_first_call_tells_is_kept_by_the_browser_and_stored_with_its_form() {
    let world = World::new();
    let mut first: Value = events::event("website-routing", "ok");
    first["rawQueryString"] = json!("RegionalTime=1767225603500&TimeZoneOffset=60");
    let told = world.answer("website-routing", first.clone()).await;
    assert_eq!(told.cookies[1], "icc3_Clock=3500.60; Path=/; Secure; HttpOnly; SameSite=None; Partitioned");
    // Who tells nothing, or no number, is given no second cookie.
    for query in ["", "RegionalTime=soon&TimeZoneOffset="] {
        first["rawQueryString"] = json!(query);
        let answer = world.answer("website-routing", first.clone()).await;
        assert_eq!((answer.status, answer.cookies.as_array().map(Vec::len)), (200, Some(1)), "{query}");
    }

    let mut form: Value = events::event("website-result", "ok");
    form["cookies"].as_array_mut().unwrap().push(json!("icc3_Clock=3500.60"));
    world.answer("website-result", form.clone()).await;
    let clock = |result: &ports::StoredResult| {
        ["ClockSkew", "TimeZoneOffset"].map(|name| result.memo.get(name).cloned().unwrap_or_default())
    };
    assert_eq!(clock(&world.results()[0]), ["3500", "60"]);
    // What the call itself tells is newer.
    let world = World::new();
    form["rawQueryString"] = json!("RegionalTime=1767225599000");
    world.answer("website-result", form).await;
    assert_eq!(clock(&world.results()[0]), ["-1000", ""]);
}

#[tokio::test]
async fn callback_and_click_say_what_is_to_be_done() {
    let world = World::new();
    assert_eq!(world.send("website-result", "callback").await.body["WebResponse"], "We will call you.");
    assert_eq!(world.send("website-result", "click").await.body["WebResponse"], Value::Null);
    let tasks: Vec<_> = world.results().into_iter().filter_map(|result| result.task).collect();
    let list = "99999999-0000-4000-8000-000000000001".to_owned();
    let workflow = "99999999-0000-4000-8000-000000000002".to_owned();
    assert!(tasks.contains(&ResultTask::Callback { list }) && tasks.contains(&ResultTask::Workflow { workflow }));
}

#[tokio::test]
async fn form_becomes_a_message_of_the_templates_gateway() {
    let world = World::new();
    let answer = world.send("website-result", "message").await;
    assert_eq!((answer.status, &answer.body["WebResponse"]), (200, &json!("Your message is on its way.")));
    let messages = world.store.messages();
    assert_eq!((messages.len(), json!(messages[0].id.to_string())), (1, answer.body["ResultId"].clone()));
    let message = &messages[0];
    assert_eq!(message.origin.to_string(), "frontstage/gw-mail");
    assert_eq!(message.content.subject.as_deref(), Some("From our web site"));
    let text = "Jméno: Eva Demová\nE-mail: eva@demo.example\nTéma: Stížnost\nNovinky: Ano, prosím";
    assert_eq!(message.content.text, text);
    assert!(world.results().is_empty());
}

#[tokio::test]
async fn form_that_does_not_fit_stores_nothing() {
    let world = World::with_jana().await;
    for (function, case) in
        [("website-result", "incomplete"), ("website-result", "choice_unknown"), ("website-start", "form_incomplete")]
    {
        assert_eq!(world.send(function, case).await.refusal(), (422, "ValidationFailed"), "{case}");
    }
    assert!(world.results().is_empty() && world.stored().is_none());
    assert_eq!(world.chats.counts().writes, 0);
}

#[tokio::test]
async fn chat_starts_with_a_form_that_its_agent_sees() {
    let world = World::with_jana().await;
    assert_eq!(world.send("website-start", "with_form").await.status, 200);
    world.send("website-sentence", "ok").await;
    world.jana(AgentAct::Answers).await;
    let result = &world.results()[0];
    assert_eq!((result.answers.len(), result.chat.unwrap().to_string().as_str()), (4, CHAT));
    let told = world.envelopes_of_jana();
    let alert = told.iter().find(|envelope| envelope["Msg"] == "SC_CHAT_ALERT").unwrap();
    let form = &alert["Body"]["Info"]["Scenarios"][0];
    assert_eq!((&form["ScenarioId"], &form["ScenarioName"]), (&json!(FORM), &json!("Write to us")));
    assert_eq!(form["ResultId"], result.id.to_string());
}

#[tokio::test]
async fn row_6_form_of_another_start_is_merged() {
    let world = World::with_jana().await;
    world.send("website-start", "with_form").await;
    world.send("website-start", "form_again").await;
    let results = world.results();
    let numbers: Vec<_> = results[0].answers.iter().filter_map(|answer| answer.number).collect();
    // The check box stays; the topic is the new one.
    assert_eq!((results.len(), numbers), (1, vec![1, 1]));
}

#[tokio::test]
async fn form_during_a_chat_belongs_to_it() {
    let world = World::with_conversation().await;
    let before = world.told_jana().len();
    assert_eq!(world.send("website-result", "ok").await.status, 200);
    assert_eq!(world.results()[0].chat.unwrap().to_string(), CHAT);
    assert_eq!(world.stored().unwrap().forms.len(), 1);
    assert_eq!(world.told_jana()[before..], ["SC_CHAT_STATUS"]);
    // After its end it is nobody's but the visitor's.
    world.send("website-stop", "ok").await;
    assert_eq!(world.send("website-result", "callback").await.status, 200);
    assert_eq!(world.results().iter().filter(|result| result.chat.is_none()).count(), 1);
}

#[tokio::test]
async fn shared_browsing_is_told_to_the_agent_and_the_last_data_hold() {
    let world = World::with_conversation().await;
    for case in ["ok", "base64_body"] {
        assert_eq!(world.send("website-co-browsing", case).await.status, 204, "{case}");
        let told = world.envelopes_of_jana().pop().unwrap();
        assert_eq!((&told["Msg"], &told["Body"]["Model"]), (&json!("SC_CHAT_SENTENCE"), &json!(8)), "{case}");
    }
    let shared = |world: &World| world.stored().unwrap().slots.co_browsing.map(|sentence| sentence.text);
    assert_eq!(shared(&world).as_deref(), Some(r#"{"scroll":120}"#));
    let counter = world.stored().unwrap().counter;
    assert_eq!(world.send("website-co-browsing", "clears").await.status, 204);
    assert_eq!((shared(&world).unwrap_or_default(), world.stored().unwrap().counter), (String::new(), counter));
}

#[tokio::test]
async fn nothing_is_shared_without_a_chat() {
    let world = World::with_jana().await;
    assert_eq!(world.send("website-co-browsing", "ok").await.refusal(), (404, "UnknownChat"));
}
