use proptest::prelude::*;
use serde_json::json;

use super::*;

fn workspace(change: &Value) -> Workspace {
    let mut settings = json!({"host_origin": "https://crm.acme.example", "workspace_url": "https://acme.rox.chat/agent"});
    for (name, value) in change.as_object().unwrap() {
        settings[name] = value.clone();
    }
    let account = model::Account {
        id: "roxchat/acme".parse().unwrap(),
        tenant: "demo".parse().unwrap(),
        salt: "salt".into(),
        settings,
        installed: None,
    };
    Workspace::of(&account).unwrap()
}

fn posted(message: &Value) -> Value {
    json!({"eventId": "0B7C1F8E-6f0f-4a55-9f0c-2a4f7a1f6a10", "pageId": "e6a3f2de-8a0b-4f0e-9a59-1d6f4c1f0b77", "seq": 14,
        "receivedAt": "2031-03-02T09:15:27.412Z", "origin": "https://acme.rox.chat", "message": message})
}

fn one(event: &Value) -> Result<Sent, Torn> {
    batch(json!({"events": [event]}).to_string().as_bytes()).unwrap().remove(0)
}

fn heard(event: &str, params: &Value) -> Result<Read, Rejection> {
    let message = json!({"source": "roxchat", "event": event, "params": params});
    read(&one(&posted(&message)).unwrap(), &workspace(&json!({})))
}

fn event(name: &str, params: &Value) -> Event {
    heard(name, params).unwrap().event
}

fn visitor() -> Identity {
    Identity { id: "9a41".into(), provided: Some("AG-20417".into()), siebel: Some("7-3KXPL902".into()) }
}

fn text(kept: &str) -> Text {
    Text { kept: kept.into(), original_bytes: None }
}

#[test]
fn event_is_read_as_section_7_3_has_it() {
    let message = json!({"source": "roxchat", "event": "notificationRemoved", "params": {"notification": {"id": "31d0"}}});
    let sent = one(&posted(&message)).unwrap();
    assert_eq!((sent.id.as_str(), sent.seq), ("0b7c1f8e-6f0f-4a55-9f0c-2a4f7a1f6a10", 14));
    assert_eq!(sent.given, "0B7C1F8E-6f0f-4a55-9f0c-2a4f7a1f6a10");
    assert_eq!(sent.received_at, EpochMillis::new(1_930_209_327_412));
    assert_eq!(read(&sent, &workspace(&json!({}))).unwrap().event, Event::NotificationRemoved { id: "31d0".into() });
}

#[test]
fn six_events_are_read() {
    let ids = json!({"roxchatVisitorId": "9a41", "providedVisitorId": "AG-20417", "siebelId": "7-3KXPL902"});
    let with = |more: Value| {
        let mut params = ids.clone();
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    assert_eq!(
        event(
            "newMessageAdded",
            &with(json!({"chatId": 55102, "sessionId": "77f0", "kind": "VISITOR", "messageText": "Porto?"}))
        ),
        Event::Message {
            visitor: visitor(),
            chat: Some(55102),
            session: Some("77f0".into()),
            kind: "visitor".into(),
            side: Side::Inbound,
            text: text("Porto?"),
        }
    );
    let channel =
        json!({"chatId": 55102, "channelId": "c1", "channelType": "telegram", "channelUserId": "u1", "channelUserName": "Marta"});
    let telegram = Channel {
        id: Some("c1".into()),
        kind: Some("telegram".into()),
        user_id: Some("u1".into()),
        user_name: Some("Marta".into()),
    };
    let closed = |channel| Event::Closed { visitor: visitor(), chat: Some(55102), channel };
    assert_eq!(event("chatClosedByOperator", &with(channel)), closed(Some(telegram)));
    let site = json!({"chatId": 55102, "channelId": null, "channelType": null, "channelUserId": null, "channelUserName": null});
    assert_eq!(event("chatClosedByOperator", &with(site)), closed(None));
    assert_eq!(
        event("visitorAuthorized", &json!({"old": {"roxchatVisitorId": "anon", "providedVisitorId": null}, "new": ids})),
        Event::Authorized { old: Identity { id: "anon".into(), ..Identity::default() }, new: visitor() }
    );
    assert_eq!(
        event("visitorSelected", &with(json!({"chatId": null, "sessionId": "77f0", "taskId": "SR-88120"}))),
        Event::Selected { visitor: visitor(), session: Some("77f0".into()), task: Some("SR-88120".into()) }
    );
    let notification = json!({"id": "31d0", "kind": "visitor", "text": "left", "sessionId": "77f0"});
    let added = Event::NotificationAdded(Notification {
        id: "31d0".into(),
        kind: Some("visitor".into()),
        text: text("left"),
        session: Some("77f0".into()),
    });
    assert_eq!(event("notificationAdded", &json!({ "notification": notification })), added);
    assert_eq!(event("notificationAdded", &notification), added, "flat, as in the tables (section 10, row 5)");
    for (name, is_known) in [("visitorSelected", true), ("visitorselected", false), ("chatClosedByVisitor", false)] {
        assert_eq!(event(name, &ids).name() != "unknown", is_known, "{name}");
    }
}

#[test]
fn only_what_is_required_has_to_be_there() {
    let least = json!({"roxchatVisitorId": "v"});
    let nobody = Identity { id: "v".into(), ..Identity::default() };
    let empty = Event::Message {
        visitor: nobody.clone(),
        chat: None,
        session: None,
        kind: String::new(),
        side: Side::Unknown,
        text: text(""),
    };
    assert_eq!(event("newMessageAdded", &least), empty);
    let nulls = json!({"roxchatVisitorId": "v", "providedVisitorId": null, "siebelId": null, "chatId": null, "sessionId": null,
        "kind": null, "messageText": null});
    assert_eq!(event("newMessageAdded", &nulls), empty, "null and missing are the same");
    assert_eq!(event("chatClosedByOperator", &least), Event::Closed { visitor: nobody.clone(), chat: None, channel: None });
    assert_eq!(event("visitorSelected", &least), Event::Selected { visitor: nobody, session: None, task: None });
    let bare = Notification { id: "n".into(), kind: None, text: text(""), session: None };
    assert_eq!(event("notificationAdded", &json!({"notification": {"id": "n"}})), Event::NotificationAdded(bare));
}

#[test]
fn siebel_id_is_read_in_both_spellings_and_the_first_wins() {
    for (params, siebel, differs) in [
        (json!({"siebelId": "a"}), Some("a"), false),
        (json!({"SiebelId": "b"}), Some("b"), false),
        (json!({"siebelId": null, "SiebelId": "b"}), Some("b"), false),
        (json!({"siebelId": "a", "SiebelId": "a"}), Some("a"), false),
        (json!({"siebelId": "a", "SiebelId": "b"}), Some("a"), true),
        (json!({"siebelid": "c"}), None, false),
    ] {
        let mut params = params;
        params["roxchatVisitorId"] = json!("v");
        let Read { event: Event::Selected { visitor, .. }, siebel_differs } = heard("visitorSelected", &params).unwrap() else {
            panic!("{params}")
        };
        assert_eq!((visitor.siebel.as_deref(), siebel_differs), (siebel, differs), "{params}");
    }
}

#[test]
fn numbers_come_as_texts_and_texts_as_numbers() {
    let mut params = json!({"roxchatVisitorId": "v", "providedVisitorId": 20417, "chatId": "9007199254740993"});
    let Event::Closed { visitor, chat, .. } = event("chatClosedByOperator", &params) else { panic!() };
    assert_eq!((visitor.provided.as_deref(), chat), (Some("20417"), Some(9_007_199_254_740_993)));
    for chat in [
        json!("1.5"),
        json!(1.5),
        json!(""),
        json!("-"),
        json!("0x1"),
        json!([]),
        json!(true),
        json!(1e300),
        json!("99999999999999999999"),
    ] {
        params["chatId"] = chat.clone();
        assert_eq!(heard("chatClosedByOperator", &params), Err(Rejection::InvalidParams), "{chat}");
    }
}

#[test]
fn wrong_members_are_rejected() {
    for (name, params) in [
        ("newMessageAdded", json!({})),
        ("newMessageAdded", json!({"roxchatVisitorId": null})),
        ("newMessageAdded", json!({"roxchatVisitorId": ""})),
        ("newMessageAdded", json!({"roxchatVisitorId": 7})),
        ("newMessageAdded", json!({"roxchatVisitorId": "v".repeat(129)})),
        ("newMessageAdded", json!({"roxchatVisitorId": "v", "providedVisitorId": {}})),
        ("newMessageAdded", json!({"roxchatVisitorId": "v", "providedVisitorId": "p".repeat(129)})),
        ("newMessageAdded", json!({"roxchatVisitorId": "v", "siebelId": []})),
        ("newMessageAdded", json!({"roxchatVisitorId": "v", "sessionId": 7})),
        ("newMessageAdded", json!({"roxchatVisitorId": "v", "kind": 2})),
        ("newMessageAdded", json!({"roxchatVisitorId": "v", "kind": "k".repeat(65)})),
        ("newMessageAdded", json!({"roxchatVisitorId": "v", "messageText": {"a": 1}})),
        ("chatClosedByOperator", json!({"roxchatVisitorId": "v", "channelType": 1})),
        ("chatClosedByOperator", json!({"chatId": 1})),
        ("visitorAuthorized", json!({"old": {"roxchatVisitorId": "v"}})),
        ("visitorAuthorized", json!({"new": {"roxchatVisitorId": "v"}})),
        ("visitorAuthorized", json!({"old": {}, "new": {"roxchatVisitorId": "v"}})),
        ("visitorAuthorized", json!({"old": "v", "new": "w"})),
        ("visitorAuthorized", json!({"roxchatVisitorId": "v"})),
        ("visitorSelected", json!({"roxchatVisitorId": "v", "chatId": {}})),
        ("visitorSelected", json!({"roxchatVisitorId": "v", "taskId": 1})),
        ("notificationAdded", json!({})),
        ("notificationAdded", json!({"notification": {"text": "no id"}})),
        ("notificationAdded", json!({"notification": "n"})),
        ("notificationRemoved", json!({"notification": {"id": 7}})),
        ("notificationRemoved", json!({"notification": {"id": ""}})),
    ] {
        assert_eq!(heard(name, &params), Err(Rejection::InvalidParams), "{name} {params}");
    }
}

#[test]
fn envelopes_are_checked_as_section_6_2_has_it() {
    let good = json!({"source": "roxchat", "event": "notificationRemoved", "params": {"id": "n"}});
    let with = |name: &str, value: Value| {
        let mut message = good.clone();
        message[name] = value;
        read(&one(&posted(&message)).unwrap(), &workspace(&json!({}))).map(|read| read.event.name())
    };
    assert_eq!(with("more", json!(1)), Ok("notificationRemoved"), "members that nobody knows");
    for (name, value) in [
        ("source", json!("webim")),
        ("source", json!("Roxchat")),
        ("source", json!(null)),
        ("event", json!("")),
        ("event", json!(7)),
        ("event", json!("e".repeat(65))),
        ("params", json!([])),
        ("params", json!("{}")),
        ("params", json!(null)),
    ] {
        assert_eq!(with(name, value.clone()), Err(Rejection::InvalidParams), "{name} {value}");
    }
    assert_eq!(with("event", json!("e".repeat(64))), Ok("unknown"));
    let mut elsewhere = posted(&good);
    elsewhere["origin"] = json!("https://acme.rox.chat.evil.example");
    assert_eq!(read(&one(&elsewhere).unwrap(), &workspace(&json!({}))), Err(Rejection::OriginNotAllowed));
}

#[test]
fn names_of_another_brand_are_configured() {
    let webim = workspace(&json!({"source": "webim", "visitor_id_name": "webimVisitorId"}));
    let message = json!({"source": "webim", "event": "visitorSelected", "params": {"webimVisitorId": "v"}});
    let Event::Selected { visitor, .. } = read(&one(&posted(&message)).unwrap(), &webim).unwrap().event else { panic!() };
    assert_eq!(visitor.id, "v");
}

#[test]
fn batches_are_lists_of_events() {
    for (body, problem) in [
        (&b""[..], BadBatch::NotJson),
        (b"{", BadBatch::NotJson),
        (b"\xff\xfe", BadBatch::NotJson),
        (b"null", BadBatch::Shape),
        (b"[]", BadBatch::Shape),
        (b"{}", BadBatch::Shape),
        (br#"{"events":{}}"#, BadBatch::Shape),
        (br#"{"events":[]}"#, BadBatch::Shape),
        (br#"{"events":null}"#, BadBatch::Shape),
    ] {
        assert_eq!(batch(body), Err(problem), "{}", String::from_utf8_lossy(body));
    }
    let many = |count| json!({"events": vec![json!({}); count]}).to_string();
    assert_eq!(batch(many(100).as_bytes()).unwrap().len(), 100);
    assert_eq!(batch(many(101).as_bytes()), Err(BadBatch::TooMany));
}

#[test]
fn events_that_are_not_whole_are_rejected_under_their_own_ids() {
    let good = posted(&json!({"source": "roxchat", "event": "x"}));
    for (name, value) in [
        ("eventId", json!("0b7c1f8e6f0f4a559f0c2a4f7a1f6a10")),
        ("eventId", json!("0b7c1f8e-6f0f-4a55-9f0c-2a4f7a1f6a1g")),
        ("pageId", json!(null)),
        ("pageId", json!("page")),
        ("seq", json!(0)),
        ("seq", json!(-1)),
        ("seq", json!(1.5)),
        ("seq", json!("1")),
        ("receivedAt", json!("yesterday")),
        ("receivedAt", json!(1_767_225_600)),
        ("origin", json!(null)),
        ("message", json!("{\"source\":\"roxchat\"}")),
        ("message", json!([])),
    ] {
        let mut event = good.clone();
        event[name] = value;
        let given = event["eventId"].as_str().map(str::to_owned);
        assert_eq!(one(&event), Err(Torn { id: given, why: Rejection::InvalidParams }), "{event}");
    }
    for nothing in [json!(null), json!(7), json!("event"), json!([]), json!({"eventId": 7})] {
        assert_eq!(one(&nothing), Err(Torn { id: None, why: Rejection::InvalidParams }));
    }
}

#[test]
fn long_texts_are_cut_at_a_character_and_nul_is_removed() {
    let whole = "é".repeat(131_072);
    for (given, kept, original) in [
        (whole.clone(), whole.clone(), None),
        (format!("{whole}!"), whole.clone(), Some(262_145)),
        (format!("a{whole}"), format!("a{}", "é".repeat(131_071)), Some(262_145)),
        ("a\0b\0".to_owned(), "ab".to_owned(), None),
    ] {
        let params = json!({"roxchatVisitorId": "v", "kind": "visitor", "messageText": given});
        let Event::Message { text, .. } = event("newMessageAdded", &params) else { panic!() };
        assert!(text.kept == kept && text.original_bytes == original, "{:?}", text.original_bytes);
    }
}

proptest! {
    /// Whatever a page sends, it is read or refused.
    #[test]
    fn nothing_that_is_sent_stops_us(body in prop::collection::vec(any::<u8>(), 0..200), name in ".{0,20}", member in ".{0,20}", number in any::<f64>()) {
        let _ = batch(&body);
        for params in [json!({ (member.as_str()): number }), json!({"roxchatVisitorId": member, "chatId": number, "siebelId": number})] {
            for name in [name.as_str(), "newMessageAdded", "chatClosedByOperator", "visitorAuthorized", "notificationAdded"] {
                let _ = heard(name, &params);
            }
        }
    }
}
