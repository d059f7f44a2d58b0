//! A visitor and an agent talk.

use std::time::Duration;

use app::chats::AgentAct;
use chat::SentenceId;
use serde_json::{Value, json};

use crate::world::{CHAT, JANA, World};

const FIRST: &str = "5e000000-0000-4000-8000-000000000001";
const ENCODED: &str = "Is the &lt;b&gt;blue&lt;/b&gt; lamp &quot;in&quot; stock &amp; ready?";

/// The first sentence as its visitor sees it.
fn first_sentence() -> Value {
    json!({"Counter": 1, "TimeSent": "2026-01-01T00:00:00.000Z", "PartyName": "Eva", "IsOutbound": false, "Text": ENCODED,
           "IsConfirmed": false, "ID": FIRST})
}

fn model(status: &str, counter: u64, sentences: &Value) -> Value {
    json!({"ChatId": CHAT, "AgentName": null, "AgentId": null, "Counter": counter, "Status": status, "IsTyping": false,
           "Sentences": sentences, "Navigation": null, "CoBrowsingData": null})
}

#[tokio::test]
async fn start_begins_a_chat_that_waits() {
    for case in ["ok", "base64_body", "empty"] {
        let world = World::with_jana().await;
        let answer = world.send("website-start", case).await;
        assert_eq!((answer.status, &answer.body), (200, &model("Waiting", 0, &json!([]))), "{case}");
        // Who is there is what the gate asks; then one transaction.
        assert_eq!(world.chats.operations(), ["chat", "agents", "save"], "{case}");
        assert_eq!((world.told_gateway(), world.told_jana().len()), (0, 0), "{case}");
    }
}

#[tokio::test]
async fn what_the_page_knows_of_its_visitor_is_kept() {
    let world = World::with_jana().await;
    world.send("website-start", "ok").await;
    let chat = world.stored().unwrap();
    assert_eq!(chat.tracking.unwrap().as_str(), "00010203-0405-4607-8809-0a0b0c0d0e0f");
    assert_eq!(chat.gateway.to_string(), "frontstage/gw-web");
    assert_eq!(chat.visitor.party_name.as_deref(), Some("Eva"));
    assert_eq!(chat.visitor.user_token.as_deref(), Some("guest"));
    assert_eq!(chat.visitor.culture.as_deref(), Some("cs-CZ"));
    assert_eq!((chat.visitor.remote_address, chat.visitor.port), (None, None));
}

#[tokio::test]
async fn start_of_a_chat_that_runs_returns_it() {
    let world = World::with_conversation().await;
    let answer = world.send("website-start", "ok").await;
    assert_eq!(answer.body["ChatId"], CHAT);
    assert_eq!((&answer.body["Status"], &answer.body["Counter"]), (&json!("Answered"), &json!(1)));
    assert_eq!(answer.said().len(), 1);
}

#[tokio::test]
async fn start_while_nobody_answers_is_refused() {
    let world = World::new();
    for (function, case) in [("website-start", "ok"), ("website-sentence", "ok")] {
        let answer = world.send(function, case).await;
        assert_eq!(answer.refusal(), (409, "GateClosed"), "{function}");
    }
    assert_eq!(world.stored(), None);
}

#[tokio::test]
async fn sentence_is_echoed_encoded_with_its_id() {
    for case in ["ok", "base64_body"] {
        let world = World::with_jana().await;
        world.send("website-start", "ok").await;
        world.chats.forget_operations();
        let answer = world.send("website-sentence", case).await;
        // The first text lets an agent be called.
        assert_eq!((answer.status, &answer.body), (200, &model("Alerting", 1, &json!([first_sentence()]))), "{case}");
        assert_eq!(world.chats.operations(), ["chat", "agents", "reserve", "save", "sentences"], "{case}");
        // What agents and connectors see is what was written.
        assert_eq!(world.told_jana(), ["SC_CHAT_ALERT"], "{case}");
    }
}

#[tokio::test]
async fn sentence_costs_one_read_one_transaction_and_a_read_of_what_is_new() {
    let world = World::with_jana().await;
    world.send("website-start", "ok").await;
    world.send("website-sentence", "ok").await;
    world.chats.forget_operations();
    let answer = world.send("website-sentence", "second").await;
    assert_eq!(answer.said(), [(2, false, "And the red one?".to_owned(), false)]);
    assert_eq!(world.chats.operations(), ["chat", "save", "sentences"]);
}

#[tokio::test]
async fn repeated_sentence_is_stored_once() {
    let world = World::with_conversation().await;
    world.clock.advance(Duration::from_secs(30));
    let answer = world.send("website-sentence", "duplicate").await;
    assert_eq!(answer.body["Sentences"], json!([first_sentence()]));
    assert_eq!(answer.body["Counter"], 1);
    assert_eq!(world.chats.counts().writes, 0);
}

#[tokio::test]
async fn first_sentence_begins_the_chat_that_nobody_started() {
    let world = World::with_jana().await;
    let answer = world.send("website-sentence", "without_id").await;
    assert_eq!((answer.status, &answer.body["Status"]), (200, &json!("Alerting")));
    assert_eq!(answer.said(), [(1, false, "Hello".to_owned(), false)]);
    // The id that the server made.
    let id = answer.body["Sentences"][0]["ID"].as_str().unwrap();
    assert_eq!(id.len(), 36);
    assert!(SentenceId::try_from(id.to_owned()).is_ok());
}

#[tokio::test]
async fn agent_is_heard_seen_typing_and_named() {
    let world = World::with_conversation().await;
    world.jana(AgentAct::Types { is_typing: true }).await;
    let typing = world.send("website-chat", "after_one").await;
    assert_eq!((&typing.body["IsTyping"], &typing.body["AgentName"]), (&json!(true), &json!("Jana")));
    assert_eq!((typing.body["AgentId"].as_str(), typing.header("x-poll-after")), (Some(JANA), Some("2")));
    assert_eq!(typing.said(), []);

    world.clock.advance(Duration::from_secs(2));
    world.jana_says("j-1", "Yes, <i>two</i> of them.").await;
    let said = world.send("website-chat", "after_one").await;
    assert_eq!((&said.body["IsTyping"], &said.body["Counter"]), (&json!(false), &json!(2)));
    let expected = json!([{"Counter": 2, "TimeSent": "2026-01-01T00:00:02.000Z", "PartyName": "Jana", "IsOutbound": true,
                           "Text": "Yes, &lt;i&gt;two&lt;/i&gt; of them.", "IsConfirmed": false}]);
    assert_eq!(said.body["Sentences"], expected);
    assert_eq!(world.told_gateway(), 0);
}

#[tokio::test]
async fn agents_confirmation_is_seen() {
    let world = World::with_conversation().await;
    world.jana(AgentAct::Confirms(SentenceId::try_from(FIRST.to_owned()).unwrap())).await;
    let answer = world.send("website-chat", "ok").await;
    assert_eq!(answer.said(), [(1, false, ENCODED.to_owned(), true)]);
}

#[tokio::test]
async fn confirmation_covers_everything_outbound_up_to_the_counter() {
    let world = World::with_conversation().await;
    for (id, text) in [("j-1", "Yes."), ("j-2", "Two."), ("j-3", "Red ones too."), ("j-4", "Anything else?")] {
        world.jana_says(id, text).await;
    }
    let confirmed = async || {
        let answer = world.send("website-chat", "ok").await;
        world.clock.advance(Duration::from_secs(2));
        answer.said().iter().map(|(_, _, _, is_confirmed)| *is_confirmed).collect::<Vec<_>>()
    };
    assert_eq!(world.send("website-confirm", "first_only").await.status, 204);
    assert_eq!(confirmed().await, [false, true, false, false, false]);
    let answer = world.send("website-confirm", "ok").await;
    assert_eq!((answer.status, answer.body), (204, json!("")));
    assert_eq!(confirmed().await, [false, true, true, true, false]);
    assert_eq!(world.told_jana().iter().filter(|name| *name == "SC_CHAT_CONFIRM").count(), 3);

    // Once more costs two reads.
    world.chats.forget_operations();
    assert_eq!(world.send("website-confirm", "base64_body").await.status, 204);
    assert_eq!(world.chats.operations(), ["chat", "sentences"]);
}

#[tokio::test]
async fn typing_is_told_to_the_agent_who_listens() {
    let world = World::with_conversation().await;
    let answer = world.send("website-typing", "ok").await;
    assert_eq!((answer.status, answer.body), (204, json!("")));
    assert_eq!(world.told_jana().last().unwrap(), "SC_CHAT_TYPING");
}

#[tokio::test]
async fn page_of_the_visitor_is_told_to_the_agent() {
    let world = World::with_conversation().await;
    assert_eq!(world.send("website-navigation", "ok").await.status, 204);
    assert_eq!(world.told_jana().last().unwrap(), "SC_CHAT_SENTENCE");
    let answer = world.send("website-chat", "ok").await;
    assert_eq!(answer.body["Navigation"], "https://shop.example/lamps?colour=blue");
    assert_eq!((&answer.body["Counter"], answer.said().len()), (&json!(1), 1));
}

#[tokio::test]
async fn visitor_ends_the_chat() {
    for case in ["ok", "base64_body"] {
        let world = World::with_conversation().await;
        let answer = world.send("website-stop", case).await;
        assert_eq!((answer.status, &answer.body["Status"], answer.said().len()), (200, &json!("Closed"), 0), "{case}");
        assert_eq!(answer.body["AgentName"], "Jana", "{case}");
        // Again is the same (5.1 row 28), and nothing can be said any more.
        assert_eq!(world.send("website-stop", case).await.body["Status"], "Closed", "{case}");
        assert_eq!(world.send("website-sentence", "second").await.refusal(), (409, "ChatClosed"), "{case}");
        assert_eq!(world.told_jana().last().unwrap(), "SC_CHAT_STATUS", "{case}");
    }
}

#[tokio::test]
async fn chat_that_ended_is_followed_by_another() {
    let world = World::with_conversation().await;
    world.send("website-stop", "ok").await;
    let answer = world.send("website-start", "ok").await;
    assert_eq!((&answer.body["Status"], &answer.body["Counter"]), (&json!("Waiting"), &json!(0)));
    assert_ne!(answer.body["ChatId"], CHAT);
}

#[tokio::test]
async fn what_needs_a_chat_is_refused_without_one() {
    let world = World::with_jana().await;
    for function in ["website-typing", "website-confirm", "website-stop", "website-navigation"] {
        assert_eq!(world.send(function, "ok").await.refusal(), (404, "UnknownChat"), "{function}");
    }
}
