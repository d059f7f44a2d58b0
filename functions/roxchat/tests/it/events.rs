//! What events of the workspace come to (sections 3, 4, 8 and 10).

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{OTHER_PAGE, PAGE, World, event_id, said};

fn results(answer: &crate::world::Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let results = answer.body["results"].as_array().unwrap();
    results.iter().map(|result| (text(&result["status"]), text(&result["code"]))).collect()
}

#[tokio::test]
async fn one_bad_event_never_blocks_the_rest() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    let message = |number, seq, text| page.event(number, seq, "newMessageAdded", &said("v", 1, "visitor", text));
    let mut foreign = message(3, 3, "forged");
    foreign["origin"] = json!("https://evil.example");
    let events = [
        message(1, 1, "one"),
        page.event(2, 2, "newMessageAdded", &json!({"chatId": 1})),
        foreign,
        page.event(4, 4, "workspaceExploded", &json!({"why": "unknown"})),
        json!({"eventId": "no uuid", "pageId": PAGE}),
        json!("event"),
        message(1, 1, "one"),
        message(5, 5, "two"),
    ];
    let answer = page.post(&events).await;
    let expected = [
        ("accepted", ""),
        ("rejected", "invalid_params"),
        ("rejected", "origin_not_allowed"),
        ("ignored", ""),
        ("rejected", "invalid_params"),
        ("rejected", "invalid_params"),
        ("duplicate", ""),
        ("accepted", ""),
    ];
    assert_eq!(results(&answer), expected.map(|(status, code)| (status.to_owned(), code.to_owned())));
    let ids: Vec<_> = answer.body["results"].as_array().unwrap().iter().map(|result| result["eventId"].clone()).collect();
    assert_eq!(ids[0], json!(event_id(1)));
    assert_eq!((&ids[4], &ids[5]), (&json!("no uuid"), &Value::Null));
    assert_eq!(answer.body["results"][7].get("flags"), None, "numbers of rejected events are no gap");
    assert_eq!(page.texts(1).await, ["one", "two"]);
}

#[tokio::test]
async fn id_of_an_event_is_answered_as_it_came_and_known_in_any_case() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    let mut event = page.event(10, 1, "newMessageAdded", &said("v", 1, "visitor", "hi"));
    event["eventId"] = json!(event_id(10).to_uppercase());
    let answer = page.post(&[event.clone()]).await;
    assert_eq!(answer.body["results"], json!([{"eventId": "0B7C1F8E-6F0F-4A55-9F0C-00000000000A", "status": "accepted"}]));
    event["eventId"] = json!("0b7c1f8e-6f0f-4a55-9f0c-00000000000a");
    let answer = page.post(&[event]).await;
    assert_eq!(answer.body["results"], json!([{"eventId": "0b7c1f8e-6f0f-4a55-9f0c-00000000000a", "status": "duplicate"}]));
}

#[tokio::test]
async fn message_is_told_with_its_kind_side_and_time() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    page.tells(1, 1, "newMessageAdded", &said("v", 55102, "VISITOR", "Do you ship to Porto? <b>\u{0}")).await;
    world.clock.advance(Duration::from_secs(2));
    page.tells(2, 2, "newMessageAdded", &said("v", 55102, "operator", "Yes")).await;
    page.tells(3, 3, "newMessageAdded", &said("v", 55102, "operator_note", "VIP")).await;
    page.tells(4, 4, "newMessageAdded", &said("v", 55102, "Hologram", "?")).await;
    let answer = page.chat("55102", "").await;
    let line = |number, kind: &str, side: &str, text: &str, at: &str| json!({"eventId": event_id(number), "kind": kind, "side": side, "text": text, "at": at});
    let later = "2026-01-01T00:00:02.000Z";
    assert_eq!(
        answer.body,
        json!({
            "chat": {"id": 55102, "state": "open", "reopened": 0, "lastAt": later},
            "messages": [
                line(1, "visitor", "inbound", "Do you ship to Porto? <b>", "2026-01-01T00:00:00.000Z"),
                line(2, "operator", "outbound", "Yes", later),
                line(3, "operator_note", "internal", "VIP", later),
                line(4, "Hologram", "unknown", "?", later),
            ],
            "more": null,
        })
    );
}

#[tokio::test]
async fn card_of_a_visitor_says_what_is_known() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    page.tells(1, 1, "newMessageAdded", &said("v", 7, "visitor", "hi")).await;
    let closed = json!({"roxchatVisitorId": "v", "chatId": 7, "channelId": "c", "channelType": "telegram", "channelUserId": "u-1",
        "channelUserName": "Marta"});
    page.tells(2, 2, "chatClosedByOperator", &closed).await;
    let selected = json!({"roxchatVisitorId": "v", "providedVisitorId": 20417, "SiebelId": "7-3KX", "chatId": 7, "sessionId": "s-2",
        "taskId": "SR-1"});
    page.tells(3, 3, "visitorSelected", &selected).await;
    page.tells(
        4,
        4,
        "notificationAdded",
        &json!({"notification": {"id": "n-1", "kind": "visitor", "text": "left", "sessionId": "s-2"}}),
    )
    .await;
    let at = "2026-01-01T00:00:00.000Z";
    let expected = json!({
        "visitor": {"id": "v", "providedVisitorId": "20417", "siebelId": "7-3KX", "aliases": [], "switches": [],
            "session": {"id": "s-2", "at": at}, "channel": {"type": "telegram", "userId": "u-1", "userName": "Marta"}, "taskId": "SR-1", "canStartChat": true},
        "chats": [{"id": 7, "state": "closed_by_agent", "reopened": 0, "lastAt": at}],
        "timeline": [{"platform": "roxchat", "conversation": page.visitor("v", "").await.body["timeline"][0]["conversation"], "at": at, "state": "closed", "with": null}],
        "notifications": [{"id": "n-1", "kind": "visitor", "text": "left", "at": at}],
    });
    for (id, query) in [("v", ""), ("20417", "by=provided"), ("7-3KX", "by=siebel")] {
        assert_eq!(page.visitor(id, query).await.body, expected, "{id} {query}");
    }
    for (id, query) in [("20417", ""), ("20417", "by=siebel"), ("v", "by=provided")] {
        assert_eq!(page.visitor(id, query).await.row(), (404, "unknown_visitor"), "{id} {query}");
    }
    page.tells(5, 5, "notificationRemoved", &json!({"notification": {"id": "n-1"}})).await;
    assert_eq!(page.visitor("v", "").await.body["notifications"], json!([]));
}

#[tokio::test]
async fn ids_are_opaque_and_stand_in_paths_encoded() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    let id = " Ж/%2F?<b> ";
    page.tells(1, 1, "newMessageAdded", &said(id, 7, "visitor", "hi")).await;
    let answer = page.visitor("%20%D0%96%2F%252F%3F%3Cb%3E%20", "").await;
    assert_eq!((answer.status, &answer.body["visitor"]["id"]), (200, &json!(id)));
}

#[tokio::test]
async fn closed_chat_is_opened_again_under_its_id() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    let close = json!({"roxchatVisitorId": "v", "chatId": 1});
    page.tells(1, 1, "newMessageAdded", &said("v", 1, "visitor", "hi")).await;
    page.tells(2, 2, "chatClosedByOperator", &close).await;
    page.tells(3, 3, "chatClosedByOperator", &close).await;
    let state = async || page.chat("1", "").await.body["chat"].clone();
    assert_eq!((&state().await["state"], &state().await["reopened"]), (&json!("closed_by_agent"), &json!(0)));
    page.tells(4, 4, "newMessageAdded", &said("v", 1, "info", "The agent closed the chat")).await;
    assert_eq!(state().await["state"], "closed_by_agent");
    page.tells(5, 5, "newMessageAdded", &said("v", 1, "visitor", "wait")).await;
    assert_eq!((&state().await["state"], &state().await["reopened"]), (&json!("open"), &json!(1)));
    page.tells(6, 6, "chatClosedByOperator", &close).await;
    page.tells(7, 7, "newMessageAdded", &said("v", 2, "visitor", "a new one")).await;
    assert_eq!((&state().await["state"], &state().await["reopened"]), (&json!("closed_by_agent"), &json!(1)));
    let chats = page.visitor("v", "").await.body["chats"].clone();
    assert_eq!(chats.as_array().unwrap().iter().map(|chat| chat["id"].as_i64().unwrap()).collect::<Vec<_>>().len(), 2);
}

#[tokio::test]
async fn what_is_among_agents_is_told_to_nobody_else() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    for (number, (kind, text)) in [
        ("visitor", "asked"),
        ("operator_note", "secret note"),
        ("for_operator", "secret fields"),
        ("info", "secret info"),
        ("hologram", "secret kind"),
        ("operator", "answered"),
    ]
    .into_iter()
    .enumerate()
    {
        let number = u64::try_from(number).unwrap() + 1;
        page.tells(number, number, "newMessageAdded", &said("v", 1, kind, text)).await;
    }
    let conversation = page.visitor("v", "").await.body["timeline"][0]["conversation"].as_str().unwrap().parse().unwrap();
    let told = ports::People::said(&*world.chats, conversation, 100).await.unwrap();
    let told: Vec<_> = told.into_iter().map(|line| (line.by, line.text)).collect();
    assert_eq!(told, [(model::Author::Visitor, "asked".to_owned()), (model::Author::Desk, "answered".to_owned())]);
    assert_eq!(page.visitor("v", "").await.body["timeline"].as_array().unwrap().len(), 1, "notes are no conversation");
    assert_eq!(page.texts(1).await.len(), 6, "agents see all");
}

#[tokio::test]
async fn two_pages_that_tell_the_same_are_suspected_and_shown_to_others_once() {
    let world = World::new();
    let (one, two) = (world.page("marta", PAGE).await, world.page("ben", OTHER_PAGE).await);
    let ok = said("v", 1, "visitor", "ok");
    assert_eq!(one.tells(1, 1, "newMessageAdded", &ok).await, [""; 0]);
    assert_eq!(one.tells(2, 2, "newMessageAdded", &ok).await, [""; 0], "two messages in a row are legitimate");
    world.clock.advance(Duration::from_secs(3));
    assert_eq!(two.tells(3, 1, "newMessageAdded", &ok).await, ["suspected_duplicate"]);
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(two.tells(4, 2, "newMessageAdded", &ok).await, [""; 0], "half a minute later it is another one");
    let lines = one.chat("1", "").await.body["messages"].clone();
    let suspected: Vec<_> = lines.as_array().unwrap().iter().map(|line| line["suspectedDuplicate"].as_bool()).collect();
    assert_eq!(suspected, [None, None, Some(true), None], "both are kept");
    let conversation = one.visitor("v", "").await.body["timeline"][0]["conversation"].as_str().unwrap().parse().unwrap();
    assert_eq!(ports::People::said(&*world.chats, conversation, 100).await.unwrap().len(), 3);
}

#[tokio::test]
async fn gaps_and_repeats_of_a_pages_numbers_are_flagged_and_stored() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    let mut flags = Vec::new();
    for (number, seq) in [(1, 3), (2, 4), (3, 9), (4, 9), (5, 2), (6, 10)] {
        flags.push(page.tells(number, seq, "newMessageAdded", &said("v", 1, "visitor", &number.to_string())).await.join(" "));
    }
    assert_eq!(flags, ["seq_gap", "", "seq_gap", "seq_repeat", "seq_repeat", ""]);
    assert_eq!(page.texts(1).await, ["1", "2", "3", "4", "5", "6"], "in the order of receipt");
}

#[tokio::test]
async fn siebel_ids_that_differ_are_flagged() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    let params = json!({"roxchatVisitorId": "v", "siebelId": "a", "SiebelId": "b"});
    assert_eq!(page.tells(1, 1, "visitorSelected", &params).await, ["siebel_id_differs"]);
    assert_eq!(page.visitor("a", "by=siebel").await.body["visitor"]["id"], "v");
    assert_eq!(page.visitor("b", "by=siebel").await.status, 404);
}

#[tokio::test]
async fn events_of_the_future_and_of_long_ago_get_our_time() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    let times = [
        ("2025-12-31T23:59:50.000Z", "2025-12-31T23:59:50.000Z"),
        ("2025-12-31T00:00:00.000Z", "2025-12-31T00:00:00.000Z"),
        ("2025-12-30T23:59:59.999Z", "2026-01-01T00:00:00.000Z"),
        ("1970-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z"),
        ("2031-03-02T09:15:27.412Z", "2026-01-01T00:00:00.000Z"),
    ];
    for (number, (received, _)) in times.iter().enumerate() {
        let number = u64::try_from(number).unwrap() + 1;
        let mut event = page.event(number, number, "newMessageAdded", &said("v", 1, "visitor", received));
        event["receivedAt"] = json!(received);
        assert_eq!(page.post(&[event]).await.body["results"][0]["status"], "accepted", "{received}");
    }
    let lines = page.chat("1", "").await.body["messages"].clone();
    let at: Vec<_> =
        lines.as_array().unwrap().iter().map(|line| (line["text"].as_str().unwrap(), line["at"].as_str().unwrap())).collect();
    assert_eq!(at, times);
}

#[tokio::test]
async fn long_text_is_cut_and_says_so() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    page.tells(1, 1, "newMessageAdded", &said("v", 1, "visitor", &"é".repeat(131_072))).await;
    page.tells(2, 2, "newMessageAdded", &said("v", 1, "visitor", &format!("a{}", "é".repeat(131_072)))).await;
    let lines = page.chat("1", "").await.body["messages"].clone();
    assert_eq!((lines[0]["text"].as_str().unwrap().len(), &lines[0]["truncated"]), (262_144, &Value::Null));
    assert_eq!(lines[1]["text"].as_str().unwrap().len(), 262_143);
    assert_eq!((&lines[1]["truncated"], &lines[1]["originalBytes"]), (&json!(true), &json!(262_145)));
    // As the page cuts it.
    let mut cut = page.event(3, 3, "newMessageAdded", &said("v", 1, "visitor", &"é".repeat(131_072)));
    cut["truncated"] = json!(true);
    cut["originalBytes"] = json!(300_000);
    let mut whole = page.event(4, 4, "newMessageAdded", &said("v", 1, "visitor", "short"));
    whole["originalBytes"] = json!(300_000);
    assert_eq!(page.post(&[cut, whole]).await.status, 200);
    let body = page.chat("1", "").await.body;
    let [.., cut, whole] = body["messages"].as_array().unwrap().as_slice() else { panic!("{body}") };
    assert_eq!((&cut["truncated"], &cut["originalBytes"]), (&json!(true), &json!(300_000)));
    assert_eq!((&whole["text"], &whole["truncated"]), (&json!("short"), &Value::Null));
}

#[tokio::test]
async fn history_is_paged_from_the_newest_and_nothing_is_left_out() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    let mut expected = Vec::new();
    for batch in 0..3_u64 {
        let events: Vec<_> = (1..=100)
            .map(|number| {
                let number = batch * 100 + number;
                let kind = if number % 3 == 0 { "operator_note" } else { "visitor" };
                expected.push(number.to_string());
                page.event(number, number, "newMessageAdded", &said("v", 1, kind, &number.to_string()))
            })
            .collect();
        assert_eq!(page.post(&events).await.status, 200);
        world.clock.advance(Duration::from_secs(1));
    }
    let (mut seen, mut before) = (Vec::new(), String::new());
    for _ in 0..10 {
        let answer = page.chat("1", &before).await;
        let lines = answer.body["messages"].as_array().unwrap().clone();
        assert!(lines.len() <= 101);
        seen.splice(0..0, lines.iter().map(|line| line["text"].as_str().unwrap().to_owned()));
        match answer.body["more"].as_str() {
            Some(more) => before = format!("before={more}"),
            None => break,
        }
    }
    seen.sort_by_key(|text| text.parse::<u64>().unwrap());
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn page_of_long_texts_ends_early() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    for number in 1..=8 {
        world.clock.advance(Duration::from_secs(10));
        page.tells(number, number, "newMessageAdded", &said("v", 1, "visitor", &"x".repeat(200_000))).await;
    }
    let answer = page.chat("1", "").await;
    assert_eq!(answer.body["messages"].as_array().unwrap().len(), 3);
    let more = answer.body["more"].as_str().unwrap();
    assert_eq!(page.chat("1", &format!("before={more}")).await.body["messages"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn message_before_there_is_a_chat_is_filed_with_its_visitor() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    page.tells(
        1,
        1,
        "newMessageAdded",
        &json!({"roxchatVisitorId": "v", "providedVisitorId": "P", "kind": "visitor", "messageText": "early"}),
    )
    .await;
    let card = page.visitor("P", "by=provided").await.body;
    assert_eq!(card["chats"], json!([]));
    assert_eq!((&card["timeline"][0]["platform"], &card["timeline"][0]["state"]), (&json!("roxchat"), &json!("messages")));
    assert_eq!(card["visitor"]["canStartChat"], false, "no session is known");
}

#[tokio::test]
async fn buffer_of_one_agent_is_not_sent_by_another() {
    let world = World::new();
    let marta = world.page("marta", PAGE).await;
    marta.tells(1, 1, "newMessageAdded", &said("v", 1, "visitor", "hi")).await;
    // After a reload the same agent sends what an earlier page has kept; another agent must not.
    let (again, ben) = (world.page("marta", OTHER_PAGE).await, world.page("ben", OTHER_PAGE).await);
    let kept = |number, seq| marta.event(number, seq, "newMessageAdded", &said("v", 1, "visitor", &number.to_string()));
    assert_eq!(results(&again.post(&[kept(2, 2)]).await), [("accepted".to_owned(), String::new())]);
    assert_eq!(results(&ben.post(&[kept(3, 3)]).await), [("rejected".to_owned(), "invalid_params".to_owned())]);
    assert_eq!(again.texts(1).await, ["hi", "2"]);
}

#[tokio::test]
async fn unknown_event_is_kept_bounded_and_not_for_ever() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    page.post(&[page.event(1, 1, "operatorTyping", &json!({"text": "x".repeat(40_000)}))]).await;
    let (_, record) = world.records.peek().into_iter().find(|(key, _)| key.kind == "event").unwrap();
    assert!(record.body.contains("operatorTyping") && record.body.len() < 17_000, "{}", record.body.len());
    assert_eq!(record.ends_at.unwrap().to_utc_text(), "2026-01-08T00:00:00.000Z");
}

#[tokio::test]
async fn names_in_the_table_say_nothing_about_a_person() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    let mut params = said("9a41c07e", 55102, "visitor", "hi");
    params["providedVisitorId"] = json!("AG-20417");
    page.tells(1, 1, "newMessageAdded", &params).await;
    for key in world.records.peek().keys() {
        let key = format!("{key:?}");
        assert!(!["9a41c07e", "55102", "AG-20417", "marta"].iter().any(|name| key.contains(name)), "{key}");
    }
}

#[tokio::test]
async fn one_message_is_four_reads_and_two_transactions() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    page.tells(1, 1, "newMessageAdded", &said("v", 1, "visitor", "hi")).await;
    world.records.operations();
    page.tells(2, 2, "newMessageAdded", &said("v", 1, "visitor", "again")).await;
    assert_eq!(world.records.operations(), ["record", "record", "record", "record", "keep_records"]);
    page.tells(3, 3, "visitorSelected", &json!({"roxchatVisitorId": "v", "chatId": 1, "sessionId": "s"})).await;
    assert_eq!(world.records.operations(), ["record", "record", "record", "keep_records"]);
    let batch: Vec<_> = (4..24).map(|n| page.event(n, n, "newMessageAdded", &said("v", 1, "visitor", "x"))).collect();
    page.post(&batch).await;
    let operations = world.records.operations();
    assert_eq!(operations.iter().filter(|name| **name == "record").count(), 23, "a batch reads its page, visitor and chat once");
    assert_eq!(operations.len(), 43);
}
