//! Chats, from the visitor's first word to the end, with an agent of our own.

use std::time::Duration;

use chat::desk::Presence;
use ports::Chats as _;
use serde_json::{Value, json};
use testkit::Fault;
use testkit::fixtures::NOW;

use crate::world::{Answer, JANA, World};

pub(crate) fn envelope(msg: &str, number: u32, body: Value) -> Value {
    json!({"Msg": msg, "Id": format!("e0000000-0000-4000-8000-{number:012}"), "Body": body})
}

/// The names of the answers, or of the events.
fn names(answer: &Answer) -> Vec<&str> {
    let list = if answer.body["Replies"].is_array() { &answer.body["Replies"] } else { &answer.body["Events"] };
    list.as_array().unwrap().iter().map(|one| one["Msg"].as_str().unwrap()).collect()
}

fn outcome(answer: &Answer) -> (u64, &str) {
    (answer.status, answer.body["Results"][0]["Outcome"].as_str().unwrap())
}

fn code(answer: &Answer) -> (u64, &str) {
    (answer.status, answer.body["Error"]["Code"].as_str().unwrap_or_default())
}

/// Jana is at workplace 101, and Eva's chat was answered by her. Returns its id.
pub(crate) async fn given_conversation(world: &World) -> String {
    assert_eq!(outcome(&world.send_to("frontstage-workplace-messages", "ok").await), (200, "Accepted"));
    assert_eq!(outcome(&world.send("chat_start").await), (200, "Accepted"));
    assert_eq!(outcome(&world.send("chat_sentence").await), (200, "Accepted"));
    let told = world.told_agent("101", 0).await;
    let alert = told.body["Events"].as_array().unwrap().iter().find(|event| event["Msg"] == "SC_CHAT_ALERT").unwrap();
    let chat = alert["Body"]["ChatId"].as_str().unwrap().to_owned();
    let answered = world.agent("101", &envelope("CS_CHAT_ANSWER", 11, json!({"ChatId": chat}))).await;
    assert_eq!((outcome(&answered), names(&answered)), ((200, "Accepted"), vec!["SC_CHAT_STATUS"]));
    chat
}

#[tokio::test]
async fn agent_logs_in_by_resync_and_is_told_their_chats() {
    for case in ["ok", "resync_misspelt", "base64_body"] {
        let world = World::new().await;
        let answer = world.send_to("frontstage-workplace-messages", case).await;
        assert_eq!((outcome(&answer), names(&answer)), ((200, "Accepted"), vec!["SC_CHAT_LIST"]), "{case}");
        assert_eq!(answer.body["Replies"][0]["Body"], json!([]), "{case}");
        assert_eq!(answer.body["Replies"][0]["Seq"], 1, "{case}");
    }
}

#[tokio::test]
async fn row_2_start_is_answered_by_a_complete_status() {
    let world = World::new().await;
    world.send_to("frontstage-workplace-messages", "ok").await;
    let started = world.send("chat_start").await;
    assert_eq!(outcome(&started), (200, "Accepted"));
    let status = &started.body["Replies"][0];
    assert_eq!(
        (&status["Msg"], &status["Seq"], &status["InReplyTo"]),
        (&json!("SE_CHAT_STATUS"), &json!(1), &json!("c0000000-0000-4000-8000-000000000001"))
    );
    assert_eq!((&status["Body"]["Peer"], &status["Body"]["TrackingId"]), (&json!("!DemoLink"), &json!("t-100")));
    assert_eq!((&status["Body"]["Status"], &status["Body"]["Sentences"]), (&json!("Pilot"), &json!([])));
}

#[tokio::test]
async fn row_3_nobody_logged_in_closes_the_gate() {
    let world = World::new().await;
    let refused = world.send("chat_start").await;
    assert_eq!(code(&refused), (409, "GateClosed"));
    assert_eq!(refused.body["Results"][0]["Outcome"], "Rejected");
}

#[tokio::test]
async fn repeated_envelope_gets_the_stored_answer() {
    let world = World::new().await;
    world.send_to("frontstage-workplace-messages", "ok").await;
    let first = world.send("chat_start").await;
    world.clock.advance(Duration::from_secs(1));
    let again = world.send("chat_start_duplicate").await;
    assert_eq!(outcome(&again), (200, "Duplicate"));
    assert_eq!(again.body["Replies"], first.body["Replies"]);
    // Under the same id with other words it is refused.
    let other = envelope("ES_CHAT_STOP", 1, json!({"TrackingId": "t-100"}));
    let reused = json!({"Id": "c0000000-0000-4000-8000-000000000001", "Msg": other["Msg"], "Body": other["Body"]});
    assert_eq!(code(&world.visitor(&reused).await), (409, "IdReused"));
}

#[tokio::test]
async fn answer_that_is_wanted_later_comes_through_the_stream_only() {
    let world = World::new().await;
    world.send_to("frontstage-workplace-messages", "ok").await;
    let started = world.send("chat_start_async").await;
    assert_eq!((outcome(&started), names(&started)), ((202, "Accepted"), vec![]));
    let told = world.told_visitor(0).await;
    assert_eq!(told.body["Events"][0]["Msg"], "SE_CHAT_STATUS");
    assert_eq!(told.body["Events"][0]["InReplyTo"], "c0000000-0000-4000-8000-000000000001");
}

#[tokio::test]
async fn sentences_go_both_ways_with_the_same_counter() {
    let world = World::new().await;
    let chat = given_conversation(&world).await;
    let before = world.told_visitor(0).await.body["Next"].as_u64().unwrap();

    let said = json!({"ChatId": chat, "ID": "a-1", "Text": "Hello"});
    let echo = world.agent("101", &envelope("CS_CHAT_SENTENCE", 12, said)).await;
    assert_eq!((outcome(&echo), names(&echo)), ((200, "Accepted"), vec!["SC_CHAT_SENTENCE"]));
    let told = world.told_visitor(before).await;
    assert_eq!(names(&told), ["SE_CHAT_SENTENCE"]);
    let (echo, told) = (&echo.body["Replies"][0]["Body"], &told.body["Events"][0]["Body"]);
    assert_eq!((&echo["IsOutbound"], &told["IsOutbound"]), (&json!(true), &json!(true)));
    for member in ["ID", "Counter", "TimeSent", "Text", "PartyName"] {
        assert_eq!(echo[member], told[member], "{member}");
    }
    // A sentence without a name carries the agent's.
    assert_eq!((&told["PartyName"], &told["Counter"]), (&json!("Jana Vzorová"), &json!(2)));

    let confirmed = world.visitor(&envelope("ES_CHAT_CONFIRM", 13, json!({"TrackingId": "t-100", "ID": "a-1"}))).await;
    assert_eq!((outcome(&confirmed), names(&confirmed)), ((200, "Accepted"), vec![]));
    let after = world.told_agent("101", 0).await;
    assert_eq!(*names(&after).last().unwrap(), "SC_CHAT_CONFIRM");
}

#[tokio::test]
async fn row_19_hang_up_closes_the_chat_and_resync_lists_it_no_more() {
    let world = World::new().await;
    let chat = given_conversation(&world).await;
    let list = world.send("chat_resync").await;
    assert_eq!(names(&list), ["SE_CHAT_LIST"]);
    assert_eq!(list.body["Replies"][0]["Body"][0]["ChatId"], json!(chat));

    let closed = world.agent("101", &envelope("CS_CHAT_HANGUP", 14, json!({"ChatId": chat, "AgentId": JANA}))).await;
    assert_eq!((outcome(&closed), names(&closed)), ((200, "Accepted"), vec!["SC_CHAT_STATUS"]));
    assert_eq!(closed.body["Replies"][0]["Body"]["Status"], "Closed");
    let list = world.visitor(&envelope("ES_CHAT_RESYNC", 15, json!({}))).await;
    assert_eq!(list.body["Replies"][0]["Body"], json!([]));
}

#[tokio::test]
async fn messagepack_is_answered_as_binary() {
    let world = World::new().await;
    given_conversation(&world).await;
    // The same envelope as `chat_sentence`, so it is told from another format.
    let answer = world.send("chat_sentence_msgpack").await;
    assert_eq!((answer.status, &answer.headers["content-type"]), (200, &json!("application/vnd.msgpack")));
    assert!(answer.body["base64"].as_str().is_some_and(|text| !text.is_empty()));
}

#[tokio::test]
async fn what_cannot_be_done_is_the_contracts_error() {
    let world = World::new().await;
    assert_eq!(code(&world.send("chat_unknown").await), (404, "UnknownChat"));
    assert_eq!(code(&world.send("chat_foreign_peer").await), (403, "PeerMismatch"));
    let id = json!({"TrackingId": "t-100", "ID": "x".repeat(65), "Text": "x"});
    assert_eq!(code(&world.visitor(&envelope("ES_CHAT_SENTENCE", 21, id)).await), (422, "ValidationFailed"));
    for (case, expected) in [
        ("agent_elsewhere", (403, "PeerMismatch")),
        ("nobody_logged_in", (403, "PeerMismatch")),
        ("wrong_direction", (403, "WrongDirection")),
        ("unknown_type", (400, "UnknownMessage")),
        ("malformed", (400, "MalformedBody")),
        ("media_type_unknown", (415, "UnsupportedMediaType")),
        ("key_of_another_workplace", (401, "Unauthorized")),
    ] {
        assert_eq!(code(&world.send_to("frontstage-workplace-messages", case).await), expected, "{case}");
    }
    world.send_to("frontstage-workplace-messages", "ok").await;
    for (msg, expected) in [
        ("CS_CHAT_ANSWER", (404, "UnknownChat")),
        // Names of our own, off by default (section 12).
        ("CS_CHAT_RETURN", (400, "UnknownMessage")),
        ("CS_CHAT_SPAM", (400, "UnknownMessage")),
    ] {
        let body = json!({"ChatId": "00112233-4455-8667-9e22-640000000001"});
        assert_eq!(code(&world.agent("101", &envelope(msg, 22, body)).await), expected, "{msg}");
    }
}

#[tokio::test]
async fn array_of_a_workplace_is_answered_item_by_item() {
    let world = World::new().await;
    let answer = world.send_to("frontstage-workplace-messages", "array").await;
    assert_eq!(answer.status, 200);
    let outcomes: Vec<_> = answer.body["Results"].as_array().unwrap().iter().map(|r| r["Outcome"].clone()).collect();
    assert_eq!(outcomes, ["Accepted", "Rejected"]);
    assert_eq!(names(&answer), ["SC_CHAT_LIST"]);
}

#[tokio::test]
async fn store_down_is_503_and_the_repetition_starts_one_chat() {
    let world = World::new().await;
    world.send_to("frontstage-workplace-messages", "ok").await;
    world.chats.faults().plan([Some(Fault::Refused)]);
    assert_eq!(code(&world.send("chat_start").await), (503, "Unavailable"));
    // Nothing was stored, so not even the nonce was used up.
    assert_eq!(outcome(&world.send("chat_start").await), (200, "Accepted"));
    assert_eq!(world.timers.count(), 1);
    let list = world.send("chat_resync").await;
    assert_eq!(list.body["Replies"][0]["Body"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn replayed_log_in_does_not_bring_an_agent_back() {
    let world = World::new().await;
    world.send_to("frontstage-workplace-messages", "ok").await;
    let (desk, agent) = ("frontstage/desk".parse().unwrap(), JANA.parse().unwrap());
    world.chats.note_presence(&desk, &agent, &Presence::LoggedOut, NOW).await.unwrap();
    assert_eq!(world.send_to("frontstage-workplace-messages", "ok").await.status, 401);
    assert_eq!(world.chats.agents(&desk).await.unwrap()[0].presence, Presence::LoggedOut);
}

#[tokio::test]
async fn section_12_spam_is_for_desks_that_allow_it() {
    let world = World::with(|desk| desk["allow_spam"] = json!(true)).await;
    let chat = given_conversation(&world).await;
    let marked = world.agent("101", &envelope("CS_CHAT_SPAM", 31, json!({"ChatId": chat, "AgentId": JANA}))).await;
    assert_eq!((outcome(&marked), names(&marked)), ((200, "Accepted"), vec!["SC_CHAT_STATUS"]));
    assert_eq!(marked.body["Replies"][0]["Body"]["Status"], "Closed");
}

#[tokio::test]
async fn rows_4_and_5_start_enters_the_prepared_chat_it_names_or_is_refused() {
    let world = World::new().await;
    let directory = testkit::events::configured_with_chats();
    let gateway = &directory.accounts[&"frontstage/gw-chat".parse().unwrap()];
    let prepared = app::chats::prepare(&world.ctx.chats, gateway, chat::ChatVisitor::default(), None, "one").await.unwrap();
    let start =
        |number, tracking: &str, id: &str| envelope("ES_CHAT_START", number, json!({"TrackingId": tracking, "ReturnChatId": id}));
    let entered = world.visitor(&start(41, "t-1", &prepared.to_string())).await;
    assert_eq!((outcome(&entered), names(&entered)), ((200, "Accepted"), vec!["SE_CHAT_STATUS"]));
    let status = &entered.body["Replies"][0]["Body"];
    assert_eq!((&status["ChatId"], &status["TrackingId"]), (&json!(prepared.to_string()), &json!("t-1")));
    assert_eq!(code(&world.visitor(&start(42, "t-2", &prepared.to_string())).await), (409, "Conflict"));
    let nobody = "5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01";
    assert_eq!(code(&world.visitor(&start(43, "t-2", nobody)).await), (404, "UnknownChat"));
    assert_eq!(code(&world.visitor(&start(44, "t-2", &prepared.next().unwrap().to_string())).await), (404, "UnknownChat"));
}
