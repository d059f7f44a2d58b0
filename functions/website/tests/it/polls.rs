//! How a page asks for what is new (8.5).

use std::time::Duration;

use app::chats::AgentAct;
use serde_json::{Value, json};

use crate::world::{Answer, CHAT, VISITOR, World};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn without_a_chat_there_is_nothing_to_ask_for() {
    let world = World::with_jana().await;
    let answer = world.send("website-chat", "ok").await;
    assert_eq!((answer.status, &answer.body, answer.header("x-poll-after")), (200, &Value::Null, Some("0")));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(world.chats.operations(), ["chat"]);
}

#[tokio::test]
async fn poll_takes_two_reads_and_one_where_nothing_is_new() {
    let world = World::with_conversation().await;
    let answer = world.send("website-chat", "ok").await;
    assert_eq!((answer.status, &answer.body["ChatId"], answer.said().len()), (200, &json!(CHAT), 1));
    assert_eq!(world.chats.operations(), ["chat", "sentences"]);

    world.clock.advance(SECOND);
    world.chats.forget_operations();
    let tag = answer.header("etag").unwrap();
    let unchanged = world.send_with("website-chat", "ok", "if-none-match", tag).await;
    assert_eq!((unchanged.status, &unchanged.body), (304, &json!("")));
    assert_eq!((unchanged.header("x-poll-after"), unchanged.header("etag")), (Some("2"), Some(tag)));
    assert_eq!(unchanged.header("access-control-allow-origin"), Some("https://shop.example"));
    assert_eq!(world.chats.operations(), ["chat"]);

    world.clock.advance(SECOND);
    world.chats.forget_operations();
    assert_eq!(world.send("website-chat", "after_one").await.said(), []);
    assert_eq!(world.chats.operations(), ["chat"]);
}

#[tokio::test]
async fn what_is_too_long_for_one_answer_comes_with_the_next() {
    let world = World::with_conversation().await;
    for id in ["j-1", "j-2"] {
        world.jana_says(id, &"\u{e9}".repeat(300_000)).await;
    }
    let counters = |answer: &Answer| answer.said().iter().map(|said| said.0).collect::<Vec<_>>();
    let first = world.send("website-chat", "ok").await;
    assert_eq!((counters(&first), &first.body["Counter"]), (vec![1, 2], &json!(3)));
    assert_eq!((first.header("x-poll-after"), first.header("etag")), (Some("1"), None));
    world.clock.advance(SECOND);
    let second = world.send("website-chat", "after_two").await;
    assert_eq!(counters(&second), [3]);
    assert!(second.header("etag").is_some());
}

#[tokio::test]
async fn every_change_that_a_page_sees_changes_the_tag() {
    let world = World::with_conversation().await;
    let mut tag = String::new();
    for change in ["nothing yet", "typing", "typing over", "sentence", "confirmed", "closed"] {
        match change {
            "typing" => drop(world.jana(AgentAct::Types { is_typing: true }).await),
            "sentence" => world.jana_says("j-1", "Yes.").await,
            "confirmed" => drop(world.send("website-confirm", "ok").await),
            "closed" => drop(world.jana(AgentAct::HangsUp).await),
            _ => {}
        }
        let answer = world.send_with("website-chat", "ok", "if-none-match", &tag).await;
        assert_eq!(answer.status, 200, "{change}");
        tag = answer.header("etag").unwrap().to_owned();
        // Longer than typing lasts.
        world.clock.advance(10 * SECOND);
    }
}

#[tokio::test]
async fn pause_follows_the_situation() {
    let world = World::with_jana().await;
    let pause = async |world: &World| {
        let answer = world.send("website-chat", "ok").await;
        world.clock.advance(2 * SECOND);
        answer.header("x-poll-after").unwrap().to_owned()
    };
    world.send("website-start", "ok").await;
    assert_eq!(pause(&world).await, "5");
    world.send("website-sentence", "ok").await;
    // Alerting, then Answered.
    assert_eq!(pause(&world).await, "2");
    world.jana(AgentAct::Answers).await;
    assert_eq!(pause(&world).await, "2");
    world.clock.advance(118 * SECOND);
    assert_eq!(pause(&world).await, "10");
    world.jana_says("j-1", "Are you there?").await;
    assert_eq!(pause(&world).await, "2");
    world.jana(AgentAct::HangsUp).await;
    assert_eq!(pause(&world).await, "0");
}

#[tokio::test]
async fn chat_whose_deadline_has_passed_is_closed_before_anybody_looked() {
    let world = World::with_conversation().await;
    world.clock.advance(900 * SECOND);
    let answer = world.send("website-chat", "ok").await;
    assert_eq!((&answer.body["Status"], answer.header("x-poll-after")), (&json!("Closed"), Some("0")));
}

#[tokio::test]
async fn chat_that_ended_ninety_days_ago_is_none_any_more() {
    let world = World::with_conversation().await;
    world.send("website-stop", "ok").await;
    world.clock.advance(Duration::from_secs(90 * 86_400) - SECOND);
    assert_eq!(world.send("website-chat", "ok").await.body["Status"], json!("Closed"));
    world.clock.advance(SECOND);
    assert_eq!(world.send("website-chat", "ok").await.body, Value::Null);
}

#[tokio::test]
async fn more_than_one_poll_a_second_is_refused() {
    let world = World::with_conversation().await;
    assert_eq!(world.send("website-chat", "ok").await.status, 200);
    world.chats.forget_operations();
    world.clock.advance(Duration::from_millis(999));
    let hasty = world.send("website-chat", "ok").await;
    assert_eq!((hasty.refusal(), hasty.header("retry-after")), ((429, "TooManyRequests"), Some("1")));
    assert_eq!((&hasty.body["Error"]["Retryable"], hasty.header("x-tracking-token")), (&json!(true), Some(VISITOR)));
    assert!(world.chats.operations().is_empty());
    // Another visitor is none the slower for it, and a poll that was refused does not count.
    assert_eq!(world.send("website-chat", "new_visitor").await.status, 200);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.send("website-chat", "ok").await.status, 200);
}

#[tokio::test]
async fn visitor_is_known_by_the_token_where_cookies_are_kept_away() {
    let world = World::with_conversation().await;
    assert_eq!(world.send("website-chat", "token").await.body["ChatId"], CHAT);
    world.clock.advance(SECOND);
    let forged = world.send("website-chat", "forged_cookie").await;
    assert_eq!((forged.status, &forged.body), (200, &Value::Null));
    assert_ne!(forged.header("x-tracking-token"), Some(VISITOR));
}
