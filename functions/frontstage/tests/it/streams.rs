//! Streams: what is told, and how readers come by it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{PETR, World};

#[tokio::test]
async fn empty_stream_is_an_empty_page() {
    for function in ["frontstage-events", "frontstage-workplace-events"] {
        let world = World::new().await;
        let answer = world.send_to(function, "ok").await;
        assert_eq!((answer.status, answer.body), (200, json!({"Events": [], "Next": 0, "More": false})), "{function}");
    }
}

#[tokio::test]
async fn what_was_answered_is_passed_over_and_the_rest_told_in_order() {
    let world = World::new().await;
    world.send_to("frontstage-workplace-messages", "ok").await;
    world.send("chat_start").await;
    let page = world.told_visitor(0).await;
    // The start's own answer was number 1.
    let seqs: Vec<_> = page.body["Events"].as_array().unwrap().iter().map(|event| event["Seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs.first(), Some(&2));
    assert!(seqs.is_sorted());
    assert_eq!(page.body["Events"][0]["Body"]["Sentences"], json!(null));
    let next = page.body["Next"].as_u64().unwrap();
    assert_eq!(next, *seqs.last().unwrap());
    let rest = world.told_visitor(next).await;
    assert_eq!(rest.body, json!({"Events": [], "Next": next, "More": false}));
    // The same place gives the same envelopes again.
    assert_eq!(world.told_visitor(0).await.body["Events"], page.body["Events"]);
}

#[tokio::test]
async fn health_tells_how_the_stream_stands() {
    let world = World::new().await;
    let at_first = world.send_to("frontstage-health", "ok").await;
    assert_eq!((at_first.status, at_first.body), (200, json!({"Time": "2026-01-01T00:00:00.000Z", "Cursor": 0, "Oldest": 1})));
    world.send_to("frontstage-workplace-messages", "ok").await;
    world.send("chat_start").await;
    let later = world.send_to("frontstage-health", "duplicate").await;
    assert_eq!((&later.body["Cursor"], &later.body["Oldest"]), (&world.told_visitor(0).await.body["Next"], &json!(1)));
}

#[tokio::test]
async fn place_that_is_gone_is_410_with_where_to_go_on() {
    let world = World::new().await;
    world.send_to("frontstage-workplace-messages", "ok").await;
    world.send("chat_start").await;
    world.clock.advance(Duration::from_secs(86_401));
    let gone = world.told_visitor(0).await;
    assert_eq!((gone.status, &gone.body["Error"]["Code"]), (410, &json!("CursorExpired")));
    let next = gone.body["Next"].as_u64().unwrap();
    assert!(next > 0);
    assert_eq!(world.told_visitor(next).await.status, 200);
}

#[tokio::test]
async fn query_out_of_range_is_422_and_names_the_parameter() {
    for function in ["frontstage-events", "frontstage-workplace-events"] {
        let world = World::new().await;
        let answer = world.send_to(function, "malformed").await;
        let error = &answer.body["Error"];
        assert_eq!((answer.status, &error["Code"], &error["Field"]), (422, &json!("ValidationFailed"), &json!("after")));
        assert_eq!(world.store.counts().writes, 0, "{function}");
    }
}

#[tokio::test]
async fn reader_chooses_the_format() {
    for function in ["frontstage-events", "frontstage-health", "frontstage-workplace-events"] {
        let world = World::new().await;
        let packed = world.send_to(function, "msgpack").await;
        assert_eq!((packed.status, &packed.headers["content-type"]), (200, &json!("application/vnd.msgpack")), "{function}");
        assert!(packed.body["base64"].is_string(), "{function}");
        assert_eq!(world.send_to(function, "not_acceptable").await.status, 406, "{function}");
    }
}

#[tokio::test(start_paused = true)]
async fn reader_who_waits_is_answered_when_something_comes_or_the_time_is_over() {
    let world = World::new().await;
    let path = "/v1/frontstage/gw-chat/events";
    let started = tokio::time::Instant::now();
    let nothing = world.call("frontstage-events", "GET", path, "wait=5", None).await;
    assert_eq!((nothing.status, nothing.body["Events"].clone()), (200, json!([])));
    assert_eq!(started.elapsed(), Duration::from_secs(5));

    world.send_to("frontstage-workplace-messages", "ok").await;
    let started = tokio::time::Instant::now();
    let (found, _) = tokio::join!(world.call("frontstage-events", "GET", path, "wait=20", None), async {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        world.send("chat_start").await
    });
    assert!(!found.body["Events"].as_array().unwrap().is_empty());
    assert_eq!(started.elapsed(), Duration::from_secs(3));
}

#[tokio::test]
async fn workplace_is_told_only_what_is_its_own() {
    let world = World::new().await;
    let resync: Value = json!({"Msg": "CS_CHAT_RESYNC", "Id": "e0000000-0000-4000-8000-000000000001", "Body": {"AgentId": PETR}});
    assert_eq!(world.agent("102", &resync).await.status, 200);
    world.send("chat_start").await;
    world.send("chat_sentence").await;
    let own = world.told_agent("102", 0).await;
    assert!(own.body["Events"].as_array().unwrap().iter().any(|event| event["Msg"] == "SC_CHAT_ALERT"));
    assert_eq!(world.told_agent("101", 0).await.body["Events"], json!([]));
}
