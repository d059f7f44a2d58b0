//! Every message of the catalogue, in both formats, and the rows of section 11 that are about reading and writing them.

use std::collections::BTreeSet;

use model::EpochMillis;
use serde_json::{Value as Json, json};

use super::*;
use crate::chat::{ChatInfo, ScenarioResultItemInfo};
use crate::structure::tests::{node, read as read_structure, shown};
use crate::words::{Channel, ChatStatus, ChatType, ClosedBy, Direction, Signal};
use crate::{json as as_json, msgpack};

const CHAT: &str = "22222222-2222-4222-8222-222222222222";
const AGENT: Uuid = Uuid::from_u128(0x8888_8888_8888_4888_8888_8888_8888_8888);
const AGENT_TEXT: &str = "88888888-8888-4888-8888-888888888888";
const FORM: Uuid = Uuid::from_u128(9);
const FORM_TEXT: &str = "00000000-0000-0000-0000-000000000009";
const NEW_YEAR: EpochMillis = EpochMillis::new(1_767_225_600_000);
const NEW_YEAR_TEXT: &str = "2026-01-01T00:00:00.000Z";
const LINK: Side<'_> = Side::Connector { peer: "!DemoLink", port: Some("7") };
const DESK: Side<'_> = Side::Workplace { number: "501", agent: Some(AGENT) };

fn chat() -> Uuid {
    CHAT.parse().unwrap()
}

/// What both formats make of it, which must be the same.
fn read(name: &str, body: &Json, side: Side<'_>) -> Result<Msg, WireError> {
    let node = node(body);
    let read = Msg::read(name, &node, side);
    assert_eq!(Msg::read(name, &msgpack::parse(&msgpack::write(&node)).unwrap(), side), read, "{name}");
    read.map(|(msg, _)| msg)
}

fn refused(name: &str, body: &Json, side: Side<'_>) -> (Code, String) {
    let error = read(name, body, side).unwrap_err();
    (error.code, error.field.unwrap_or_default())
}

/// Body and what becomes of it, for each message of a connector.
fn connector_messages() -> Vec<(&'static str, Json, Msg)> {
    let key = json!({"Peer": "!DemoLink", "TrackingId": "t-100"});
    let with = |more: Json| {
        let mut body = key.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let peer = || Some("!DemoLink".to_owned());
    let port = || Some("7".to_owned());
    let command =
        || ChatCommandInfo { peer: peer(), port: port(), tracking_id: Some("t-100".into()), ..ChatCommandInfo::default() };
    let service = |result: Option<ScenarioResultInfo>| ChatServiceInfo {
        peer: peer(),
        port: port(),
        tracking_id: Some("t-100".into()),
        preferred_culture: Some("en".into()),
        user_token: Some("guest".into()),
        result_model: result.map(Box::new),
        ..ChatServiceInfo::default()
    };
    vec![
        ("ES_CHAT_REQUEST", with(json!({"Port": null, "PreferredCulture": "en", "UserToken": "guest"})), {
            Msg::ChatRequest(Box::new(service(None)))
        }),
        (
            "ES_CHAT_START",
            with(json!({"Port": "7", "PreferredCulture": "en", "UserToken": "guest", "ResultModel": {"ScenarioId": FORM_TEXT}})),
            Msg::ChatStart(Box::new(service(Some(ScenarioResultInfo { scenario_id: FORM, ..Default::default() })))),
        ),
        ("ES_CHAT_STOP", with(json!({"Port": ""})), Msg::ChatStop(command())),
        (
            "ES_CHAT_TYPING",
            with(json!({"IsTyping": false})),
            Msg::ChatTyping(ChatCommandInfo { is_typing: Some(false), ..command() }),
        ),
        (
            "ES_CHAT_SENTENCE",
            with(json!({"ID": "s-1", "PartyName": "Eva", "Text": "Hi", "TimeSent": "2026-01-01T00:00:00Z", "Model": 0})),
            Msg::ChatSentence(Box::new(ChatSentenceInfo {
                peer: peer(),
                port: port(),
                tracking_id: Some("t-100".into()),
                id: Some("s-1".into()),
                party_name: Some("Eva".into()),
                text: Some("Hi".into()),
                time_sent: Some(NEW_YEAR),
                ..ChatSentenceInfo::default()
            })),
        ),
        (
            "ES_CHAT_CONFIRM",
            with(json!({"ID": "s-1", "TimeStamp": "2026-01-01T00:00:00Z"})),
            Msg::ChatConfirm(ChatCommandInfo { id: Some("s-1".into()), time_stamp: Some(NEW_YEAR), ..command() }),
        ),
        ("ES_CHAT_RESYNC", json!({}), Msg::ChatResync(ChatCommandInfo { tracking_id: None, ..command() })),
        ("ES_CHAT_STATUS", key.clone(), Msg::ChatStatus(command())),
        (
            "ES_SCENARIO_LOAD",
            json!({"Id": FORM_TEXT, "Reference": "cs"}),
            Msg::ScenarioLoad(CommandInfo { id: Some(FORM), reference: Some("cs".into()), ..Default::default() }),
        ),
        (
            "ES_SCENARIO_SAVE",
            json!({"ScenarioId": FORM_TEXT, "TimeUtc": "2026-01-01T00:00:00Z"}),
            Msg::ScenarioSave(Box::new(ScenarioResultInfo { scenario_id: FORM, time_utc: Some(NEW_YEAR), ..Default::default() })),
        ),
        ("ES_WS_ROUTING", json!("!DemoLink"), Msg::WebSiteRouting),
        (
            "ES_WS_LITERALS_GET",
            json!({"LiteralGroup": 102, "Culture": null}),
            Msg::Literals(LiteralLookupInfo { literal_group: 102, peer: peer(), ..Default::default() }),
        ),
        ("ES_SL_GETGATEWAYS", json!("!DemoLink"), Msg::GetGateways),
        (
            "ES_MESSAGE_RECEIVING",
            json!({"DeliverySystemId": "sms-7", "ReceivedSentTime": "2026-01-01T00:00:00Z", "SpamLevel": 1}),
            Msg::MessageReceiving(Box::new(MessageContentInfo {
                delivery_system_id: Some("sms-7".into()),
                received_sent_time: Some(NEW_YEAR),
                spam_level: Some(1),
                ..Default::default()
            })),
        ),
        ("ES_MESSAGE_SENT", json!({"Id": CHAT}), Msg::MessageSent(CommandInfo { id: Some(chat()), ..Default::default() })),
    ]
}

/// Body and what becomes of it, for each message of an agent client.
fn agent_messages() -> Vec<(&'static str, Json, Msg)> {
    let key = json!({"Peer": "501", "ChatId": CHAT});
    let list = || ChatCommandInfo { peer: Some("501".into()), agent_id: Some(AGENT), ..ChatCommandInfo::default() };
    let command = || ChatCommandInfo { chat_id: Some(chat()), ..list() };
    vec![
        ("CS_CHAT_ANSWER", json!({"Peer": "501", "ChatId": CHAT, "AgentId": AGENT_TEXT}), Msg::AgentAnswer(command())),
        ("CS_CHAT_HANGUP", key.clone(), Msg::AgentHangup(command())),
        (
            "CS_CHAT_CONFIRM",
            json!({"ChatId": CHAT, "ID": "s-1"}),
            Msg::AgentConfirm(ChatCommandInfo { id: Some("s-1".into()), ..command() }),
        ),
        ("CS_CHAT_TYPING", key.clone(), Msg::AgentTyping(ChatCommandInfo { is_typing: Some(true), ..command() })),
        (
            "CS_CHAT_SENTENCE",
            json!({"ChatId": CHAT, "ID": "a-1", "Text": "Hello", "IsOutbound": false, "Counter": 9}),
            Msg::AgentSentence(Box::new(ChatSentenceInfo {
                peer: Some("501".into()),
                chat_id: chat(),
                id: Some("a-1".into()),
                text: Some("Hello".into()),
                is_outbound: true,
                ..ChatSentenceInfo::default()
            })),
        ),
        ("CS_CHAT_RESNYC", json!({"Peer": "501", "AgentId": AGENT_TEXT}), Msg::AgentResync(list())),
        ("CS_CHAT_STATUS", key.clone(), Msg::AgentStatus(command())),
        ("CS_CHAT_RESYNC", json!({}), Msg::AgentResync(list())),
        ("CS_CHAT_RETURN", key.clone(), Msg::AgentReturn(command())),
        ("CS_CHAT_SPAM", key, Msg::AgentSpam(command())),
    ]
}

#[test]
fn every_name_of_a_connector_is_read() {
    let messages = connector_messages();
    assert_eq!(messages.iter().map(|(name, ..)| name).collect::<BTreeSet<_>>().len(), 15);
    for (name, body, msg) in messages {
        assert_eq!(msg.name(), name);
        assert_eq!(read(name, &body, LINK), Ok(msg), "{name}");
        assert_eq!(refused(name, &body, DESK).0, Code::WrongDirection, "{name}");
    }
}

#[test]
fn every_name_of_an_agent_client_is_read() {
    let messages = agent_messages();
    assert_eq!(messages.len(), 7 + 3);
    for (name, body, msg) in messages {
        assert_eq!(msg.name(), name.replace("RESNYC", "RESYNC"));
        assert_eq!(read(name, &body, DESK), Ok(msg), "{name}");
        assert_eq!(refused(name, &body, LINK).0, Code::WrongDirection, "{name}");
    }
}

#[test]
fn what_is_read_round_trips() {
    for (name, _, msg) in connector_messages().into_iter().chain(agent_messages()) {
        let (dir, side) = if name.starts_with("ES_") { (Dir::Es, LINK) } else { (Dir::Cs, DESK) };
        let written = match &msg {
            Msg::ChatRequest(info) | Msg::ChatStart(info) => info.write(dir.into()),
            Msg::ChatSentence(info) | Msg::AgentSentence(info) => info.write(dir.into()),
            Msg::ScenarioLoad(info) | Msg::MessageSent(info) => info.write(dir.into()),
            Msg::ScenarioSave(info) => info.write(dir.into()),
            Msg::MessageReceiving(info) => info.write(dir.into()),
            Msg::Literals(info) => info.write(dir.into()),
            Msg::WebSiteRouting | Msg::GetGateways => "!DemoLink".into(),
            Msg::ChatStop(info)
            | Msg::ChatTyping(info)
            | Msg::ChatConfirm(info)
            | Msg::ChatResync(info)
            | Msg::ChatStatus(info)
            | Msg::AgentAnswer(info)
            | Msg::AgentHangup(info)
            | Msg::AgentConfirm(info)
            | Msg::AgentTyping(info)
            | Msg::AgentResync(info)
            | Msg::AgentStatus(info)
            | Msg::AgentReturn(info)
            | Msg::AgentSpam(info) => info.write(dir.into()),
        };
        for bytes in [as_json::parse(&as_json::write(&written)), msgpack::parse(&msgpack::write(&written))] {
            assert_eq!(Msg::read(name, &bytes.unwrap(), side), Ok((msg.clone(), 0)), "{name}");
        }
    }
}

fn sentence(is_outbound: bool) -> ChatSentenceInfo {
    ChatSentenceInfo {
        peer: Some("!DemoLink".into()),
        tracking_id: Some("t-100".into()),
        chat_id: chat(),
        id: Some("s-1".into()),
        party_name: Some("Eva".into()),
        text: Some("<Hi>".into()),
        time_sent: Some(NEW_YEAR),
        is_outbound,
        counter: 1,
        ..ChatSentenceInfo::default()
    }
}

fn command() -> ChatCommandInfo {
    ChatCommandInfo {
        peer: Some("!DemoLink".into()),
        tracking_id: Some("t-100".into()),
        chat_id: Some(chat()),
        id: Some("s-1".into()),
        time_stamp: Some(NEW_YEAR),
        agent_id: Some(AGENT),
        is_typing: None,
        ..ChatCommandInfo::default()
    }
}

fn status() -> ChatStatusInfo {
    ChatStatusInfo {
        peer: Some("!DemoLink".into()),
        tracking_id: Some("t-100".into()),
        chat_id: chat(),
        status: Some(ChatStatus::Waiting),
        agent_name: Some("Jan".into()),
        agent_id: Some(AGENT),
        sentences: Some(vec![sentence(false)]),
        info: Some(Box::new(ChatInfo {
            time_stamp: Some(NEW_YEAR),
            enqueueing_time_utc: Some(NEW_YEAR),
            chat_type: Some(ChatType::WebIm),
            waiting_time: 5,
            max_signal_duration: 30,
            scenarios: Some(vec![ScenarioResultItemInfo { scenario_id: FORM, ..Default::default() }]),
            peer: Some("501".into()),
            chat_id: Some(chat()),
            ..ChatInfo::default()
        })),
        dead_time_utc: Some(NEW_YEAR),
        ..ChatStatusInfo::default()
    }
}

fn se_sentence(is_outbound: bool) -> Json {
    json!({"Peer": "!DemoLink", "Port": null, "TrackingId": "t-100", "ID": "s-1", "PartyName": "Eva", "Text": "<Hi>",
           "TimeSent": NEW_YEAR_TEXT, "IsOutbound": is_outbound, "Counter": 1, "ConfirmedTime": null, "Model": 0})
}

fn sc_sentence(is_outbound: bool) -> Json {
    json!({"Peer": "!DemoLink", "ChatId": CHAT, "ID": "s-1", "PartyName": "Eva", "Text": "<Hi>",
           "TimeSent": NEW_YEAR_TEXT, "IsOutbound": is_outbound, "Counter": 1, "ConfirmedTime": null, "Model": 0})
}

fn se_status(status: &str, sentences: Json) -> Json {
    json!({"Peer": "!DemoLink", "Port": null, "TrackingId": "t-100", "ChatId": CHAT, "Status": status, "AgentName": "Jan",
           "AgentId": AGENT_TEXT, "Sentences": sentences, "Panel": null, "Navigation": null, "CoBrowsingData": null,
           "DeadTimeUtc": NEW_YEAR_TEXT})
}

fn sc_status(status: &str, sentences: Json, info: Json) -> Json {
    json!({"Peer": "!DemoLink", "ChatId": CHAT, "Status": status, "AgentName": "Jan", "AgentId": AGENT_TEXT,
           "Sentences": sentences, "Info": info, "Panel": null, "Navigation": null, "CoBrowsingData": null})
}

fn chat_info() -> Json {
    json!({
        "TimeStamp": NEW_YEAR_TEXT, "EnqueueingTimeUtc": NEW_YEAR_TEXT, "PilotDialTime": null, "ChatType": "WebIM",
        "RemotePartyName": null, "RemoteAddress": null, "WorkplaceNumber": null, "WorkplaceId": null, "AgentId": null,
        "ProjectId": null, "LanguageId": null, "ProjectName": null, "LanguageName": null, "AgentName": null,
        "WaitingTime": 5, "MaxSignalDuration": 30, "ChatGatewayName": null, "ContactId": null, "ContactName": null,
        "Scenarios": [{"ScenarioId": FORM_TEXT, "ScenarioName": null, "Activity": null, "ResultId": null, "RemoteName": null,
                       "DisplayName": null, "ResultCreated": null, "ShowInList": null}],
        "FormDataId": null, "Peer": "501", "ChatId": CHAT
    })
}

/// What is written, and how it looks.
fn written() -> Vec<(&'static str, OutBody, Json)> {
    let se_key = json!({"Peer": "!DemoLink", "Port": null, "TrackingId": "t-100", "TimeStamp": NEW_YEAR_TEXT});
    let sc_key = json!({"Peer": "!DemoLink", "ChatId": CHAT, "TimeStamp": NEW_YEAR_TEXT, "AgentId": AGENT_TEXT});
    let with = |key: &Json, name: &str, value: Json| {
        let mut body = key.clone();
        body[name] = value;
        body
    };
    vec![
        (
            "SE_CHAT_RESPONSE",
            OutBody::ChatResponse(Box::new(ChatServiceInfo {
                peer: Some("!DemoLink".into()),
                tracking_id: Some("t-100".into()),
                party_name: Some("Eva".into()),
                signal: Some(Signal::Free),
                ..ChatServiceInfo::default()
            })),
            json!({"Peer": "!DemoLink", "Port": null, "TrackingId": "t-100", "Signal": "Free", "ScenarioModel": null}),
        ),
        ("SE_CHAT_STATUS", OutBody::ChatStatus(Box::new(status())), se_status("Waiting", json!([se_sentence(false)]))),
        ("SE_CHAT_SENTENCE", OutBody::ChatSentence(Box::new(sentence(true))), se_sentence(true)),
        ("SE_CHAT_CONFIRM", OutBody::ChatConfirm(command()), with(&se_key, "ID", json!("s-1"))),
        ("SE_CHAT_TYPING", OutBody::ChatTyping(command()), with(&se_key, "IsTyping", json!(true))),
        ("SE_CHAT_LIST", OutBody::ChatList(vec![status()]), json!([se_status("Waiting", json!(null))])),
        (
            "SE_SCENARIO_MODEL",
            OutBody::ScenarioModel(Box::new(ScenarioInfo { scenario_id: FORM, ..Default::default() })),
            json!({"ScenarioId": FORM_TEXT, "DisplayName": null, "Screens": null, "AgentId": null, "Culture": null}),
        ),
        ("SE_WS_ROUTING", OutBody::WebSiteRouting(vec![]), json!([])),
        (
            "SE_WS_LITERALS_INFO",
            OutBody::Literals(vec![LiteralLookupInfo { literal_group: 102, literal_value: 1, ..Default::default() }]),
            json!([{"LiteralGroup": 102, "LiteralValue": 1, "Culture": null, "LiteralText": null, "DisplayName": null}]),
        ),
        (
            "SE_SL_MSGGATEWAYS",
            OutBody::Gateways(vec![GatewayInfo {
                id: FORM,
                display_name: None,
                peer_address: Some("!DemoLink".into()),
                peer_port: None,
                channel: Channel::SocialWall,
                direction: Direction::Inbound,
                device: None,
                language_id: None,
            }]),
            json!([{"Id": FORM_TEXT, "DisplayName": null, "PeerAddress": "!DemoLink", "PeerPort": null, "Channel": "SocialWall",
                    "Direction": "I", "Device": null, "LanguageId": null}]),
        ),
        (
            "SE_MESSAGE_RECEIVED",
            OutBody::MessageReceived(CommandInfo { id: Some(chat()), time_stamp: Some(NEW_YEAR), ..Default::default() }),
            json!({"Id": CHAT, "RefId": null, "TimeStamp": NEW_YEAR_TEXT, "Reference": null, "Data": null}),
        ),
        (
            "SE_MESSAGE_SENDING",
            OutBody::MessageSending(Box::new(MessageContentInfo {
                message_id: Some(chat()),
                received_sent_time: Some(NEW_YEAR),
                in_reply_to_id: Some("inbound only".into()),
                ..MessageContentInfo::default()
            })),
            json!({
                "DeliverySystemId": null, "MessageId": CHAT, "RequestId": null, "GatewayId": null, "FromField": null,
                "RemoteAddress": null, "ToField": null, "ToCcField": null, "ToBccField": null, "Direction": null,
                "ExtendedFields": null, "ReceivedSentTime": NEW_YEAR_TEXT, "DraftTime": null, "SubjectField": null,
                "BodyHtml": null, "BodyText": null, "Culture": null, "Mark": null, "SpamLevel": null,
                "SignatureValidity": null, "Hierarchy": null, "Rating": null
            }),
        ),
        ("SC_CHAT_ALERT", OutBody::AgentAlert(Box::new(status())), sc_status("Waiting", json!(null), chat_info())),
        ("SC_CHAT_ALERT_END", OutBody::AgentAlertEnd(command()), sc_key.clone()),
        (
            "SC_CHAT_STATUS",
            OutBody::AgentStatus(Box::new(status())),
            sc_status("Waiting", json!([sc_sentence(false)]), chat_info()),
        ),
        (
            "SC_CHAT_TYPING",
            OutBody::AgentTyping(ChatCommandInfo { is_typing: Some(false), ..command() }),
            with(&sc_key, "IsTyping", json!(false)),
        ),
        ("SC_CHAT_SENTENCE", OutBody::AgentSentence(Box::new(sentence(false))), sc_sentence(false)),
        ("SC_CHAT_LIST", OutBody::AgentList(vec![status()]), json!([sc_status("Waiting", json!(null), json!(null))])),
        ("SC_CHAT_CONFIRM", OutBody::AgentConfirm(command()), with(&sc_key, "ID", json!("s-1"))),
        ("Skip", OutBody::Skip, json!(null)),
    ]
}

#[test]
fn every_name_of_the_server_is_written_in_both_formats() {
    let written = written();
    // The catalogue, SC_CHAT_CONFIRM, and Skip, which is no message.
    assert_eq!(written.len(), 12 + 6 + 1 + 1);
    for (name, body, json) in written {
        assert_eq!(body.name(Legacy::default()), name);
        assert_eq!(shown(&body.to_node(Legacy::default())), json, "{name}");
    }
}

#[test]
fn what_is_written_round_trips() {
    fn again<T: Structure + Clone + PartialEq + std::fmt::Debug>(info: &T, dir: Dir) {
        let written = info.write(dir.into());
        for node in [as_json::parse(&as_json::write(&written)), msgpack::parse(&msgpack::write(&written))] {
            let read = T::read(&node.unwrap(), dir).unwrap();
            assert_eq!(read.write(dir.into()), written);
        }
    }
    for (_, body, _) in written() {
        match body {
            OutBody::ChatResponse(info) => again(&*info, Dir::Se),
            OutBody::ChatStatus(info) => again(&*info, Dir::Se),
            OutBody::ChatSentence(info) => again(&*info, Dir::Se),
            OutBody::ChatConfirm(info) | OutBody::ChatTyping(info) => again(&info, Dir::Se),
            OutBody::ChatList(chats) => again(&chats[0], Dir::Se),
            OutBody::ScenarioModel(info) => again(&*info, Dir::Se),
            OutBody::WebSiteRouting(rules) => assert_eq!(rules, []),
            OutBody::Literals(rows) => again(&rows[0], Dir::Se),
            OutBody::Gateways(gateways) => again(&gateways[0], Dir::Se),
            OutBody::MessageReceived(info) => again(&info, Dir::Se),
            OutBody::MessageSending(info) => again(&*info, Dir::Se),
            OutBody::AgentAlert(info) | OutBody::AgentStatus(info) => again(&*info, Dir::Sc),
            OutBody::AgentAlertEnd(info) | OutBody::AgentTyping(info) | OutBody::AgentConfirm(info) => again(&info, Dir::Sc),
            OutBody::AgentSentence(info) => again(&*info, Dir::Sc),
            OutBody::AgentList(chats) => again(&chats[0], Dir::Sc),
            OutBody::Skip => {}
        }
    }
}

#[test]
fn foreign_peers_ports_and_agents_are_a_mismatch() {
    for (name, mut body, _) in connector_messages().into_iter().filter(|(_, body, _)| body.is_object()) {
        if name.starts_with("ES_CHAT") || name == "ES_WS_LITERALS_GET" {
            body["Peer"] = json!("!demolink");
            assert_eq!(refused(name, &body, LINK), (Code::PeerMismatch, "Body.Peer".into()), "{name}");
            body["Peer"] = json!("");
            assert!(read(name, &body, LINK).is_ok(), "{name}");
        }
        if name.starts_with("ES_CHAT") {
            body["Port"] = json!("8");
            assert_eq!(refused(name, &body, LINK), (Code::PeerMismatch, "Body.Port".into()), "{name}");
        }
    }
    for name in ["ES_WS_ROUTING", "ES_SL_GETGATEWAYS"] {
        assert_eq!(refused(name, &json!("!Other"), LINK), (Code::PeerMismatch, "Body".into()));
        assert_eq!(refused(name, &json!(["!DemoLink"]), LINK), (Code::MalformedBody, "Body".into()));
        for own in [json!(""), json!(null)] {
            assert!(read(name, &own, LINK).is_ok());
        }
    }
    for (name, mut body, _) in agent_messages() {
        body["Peer"] = json!("502");
        assert_eq!(refused(name, &body, DESK), (Code::PeerMismatch, "Body.Peer".into()), "{name}");
        // A sentence does not say who says it, and a RESYNC is how another agent logs in.
        if name != "CS_CHAT_SENTENCE" && !name.starts_with("CS_CHAT_RES") {
            body["Peer"] = json!(null);
            body["AgentId"] = json!(CHAT);
            assert_eq!(refused(name, &body, DESK), (Code::PeerMismatch, "Body.AgentId".into()), "{name}");
        }
    }
}

#[test]
fn workplace_where_nobody_is_logged_in_can_only_log_in() {
    let empty = Side::Workplace { number: "501", agent: None };
    for (name, mut body, _) in agent_messages() {
        if name.starts_with("CS_CHAT_RES") {
            body["AgentId"] = json!(CHAT);
            let Ok(Msg::AgentResync(info)) = read(name, &body, empty) else { panic!("{name}") };
            assert_eq!(info.agent_id, Some(chat()));
            body["AgentId"] = json!(null);
        }
        assert_eq!(refused(name, &body, empty), (Code::PeerMismatch, "Body.AgentId".into()), "{name}");
    }
    let Ok(Msg::AgentResync(info)) = read("CS_CHAT_RESYNC", &json!({}), DESK) else { panic!() };
    assert_eq!(info.agent_id, Some(AGENT));
}

#[test]
fn null_and_empty_port_are_one() {
    let stop = |port: Json, side| {
        let Ok(Msg::ChatStop(info)) = read("ES_CHAT_STOP", &json!({"TrackingId": "t", "Port": port}), side) else { panic!() };
        info.port
    };
    for own in [None, Some("")] {
        let side = Side::Connector { peer: "!A", port: own };
        for port in [json!(null), json!("")] {
            assert_eq!(stop(port, side), None);
        }
        let foreign = json!({"TrackingId": "t", "Port": "7"});
        assert_eq!(refused("ES_CHAT_STOP", &foreign, side), (Code::PeerMismatch, "Body.Port".into()));
    }
    assert_eq!(stop(json!(""), LINK).as_deref(), Some("7"));
}

#[test]
fn chats_must_be_named() {
    for (name, mut body, _) in connector_messages().into_iter().filter(|(name, ..)| name.starts_with("ES_CHAT")) {
        for none in [json!(null), json!("")] {
            body["TrackingId"] = none;
            let expected = (Code::ValidationFailed, "Body.TrackingId".to_owned());
            assert!(name == "ES_CHAT_RESYNC" || refused(name, &body, LINK) == expected, "{name}");
        }
    }
    for (name, mut body, _) in agent_messages() {
        body["ChatId"] = json!("00000000-0000-0000-0000-000000000000");
        let expected = (Code::ValidationFailed, "Body.ChatId".to_owned());
        assert!(name.contains("RES") || refused(name, &body, DESK) == expected, "{name}");
    }
    assert_eq!(refused("ES_SCENARIO_LOAD", &json!({}), LINK), (Code::ValidationFailed, "Body.Id".into()));
    let long = json!({"Id": FORM_TEXT, "Reference": "x".repeat(4_001)});
    assert_eq!(refused("ES_SCENARIO_LOAD", &long, LINK), (Code::ValidationFailed, "Body.Reference".into()));
}

#[test]
fn sentence_needs_an_id_and_words() {
    let say = |changes: Json| {
        let mut body = json!({"TrackingId": "t", "ID": "s-1", "Text": "Hi"});
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        read("ES_CHAT_SENTENCE", &body, LINK).map_err(|error| error.message)
    };
    for (changes, message) in [
        (json!({"ID": null}), "ID is missing"),
        (json!({"ID": ""}), "ID is missing"),
        (json!({"ID": "x".repeat(65)}), "ID is longer than 64"),
        (json!({"ID": 5}), "ID is not a string"),
        (json!({"Text": null}), "Text is missing"),
        (json!({"Text": ""}), "Text is missing"),
        (json!({"Text": "", "Model": "M_Sentence"}), "Text is missing"),
        (json!({"Model": 5}), "Model is not one of its values"),
    ] {
        assert_eq!(say(changes), Err(message.to_owned()));
    }
    for model in [2, 4, 6, 8, 10] {
        assert!(say(json!({"Text": "", "Model": model})).is_ok(), "{model}");
    }
    assert!(say(json!({"ID": "x".repeat(64)})).is_ok());
    for (name, side) in [("ES_CHAT_CONFIRM", LINK), ("CS_CHAT_CONFIRM", DESK)] {
        let body = json!({"TrackingId": "t", "ChatId": CHAT});
        assert_eq!(refused(name, &body, side), (Code::ValidationFailed, "Body.ID".into()));
    }
}

#[test]
fn row_11_1_and_11_2_old_states_are_written_in_three_messages_only() {
    let legacy = Legacy { status_names: true, confirm_name: false };
    let closed = |by| ChatStatusInfo { status: Some(ChatStatus::Closed(Some(by))), ..status() };
    for (info, plain, old) in [
        (status(), "Waiting", "Queue"),
        (closed(ClosedBy::Agent), "Closed", "ClosedByAgent"),
        (closed(ClosedBy::ExtApp), "Closed", "ClosedByExtApp"),
    ] {
        let word = |body: &OutBody, legacy| {
            let node = shown(&body.to_node(legacy));
            node.get(0).unwrap_or(&node)["Status"].clone()
        };
        for body in [
            OutBody::ChatList(vec![info.clone()]),
            OutBody::AgentStatus(Box::new(info.clone())),
            OutBody::AgentList(vec![info.clone()]),
        ] {
            assert_eq!(word(&body, Legacy::default()), plain);
            assert_eq!(word(&body, legacy), old);
        }
        for body in [OutBody::ChatStatus(Box::new(info.clone())), OutBody::AgentAlert(Box::new(info.clone()))] {
            assert_eq!(word(&body, legacy), plain);
        }
    }
}

#[test]
fn row_11_3_gateways_have_no_type_name_on_the_wire() {
    let (_, body, json) = written().into_iter().find(|(name, ..)| *name == "SE_SL_MSGGATEWAYS").unwrap();
    let node = shown(&body.to_node(Legacy::default()));
    assert_eq!(node, json);
    assert!(!node.to_string().contains("GatewayInfo") && !node.to_string().contains("$type"));
}

#[test]
fn row_11_4_resync_has_two_spellings() {
    let read = |name| read(name, &json!({"Peer": "501"}), DESK).unwrap();
    assert_eq!(read("CS_CHAT_RESNYC"), read("CS_CHAT_RESYNC"));
    assert_eq!(read("CS_CHAT_RESNYC").name(), "CS_CHAT_RESYNC");
}

#[test]
fn row_11_5_command_is_one_structure() {
    let body = json!({"TrackingId": "t", "ID": "s-1"});
    let (Ok(Msg::ChatStop(stop)), Ok(Msg::ChatConfirm(confirm))) =
        (read("ES_CHAT_STOP", &body, LINK), read("ES_CHAT_CONFIRM", &body, LINK))
    else {
        panic!()
    };
    assert_eq!(stop, confirm);
}

#[test]
fn row_11_6_typing_is_written_as_a_boolean_and_absent_is_true() {
    for (name, side) in [("ES_CHAT_TYPING", LINK), ("CS_CHAT_TYPING", DESK)] {
        let flag = |value: Option<Json>| {
            let mut body = json!({"TrackingId": "t", "ChatId": CHAT});
            if let Some(value) = value {
                body["IsTyping"] = value;
            }
            match read(name, &body, side)? {
                Msg::ChatTyping(info) | Msg::AgentTyping(info) => Ok::<_, WireError>(info.is_typing),
                other => panic!("{other:?}"),
            }
        };
        for (value, expected) in [
            (None, true),
            (Some(json!(null)), true),
            (Some(json!(true)), true),
            (Some(json!("true")), true),
            (Some(json!(1)), true),
            (Some(json!(false)), false),
            (Some(json!("false")), false),
            (Some(json!(0)), false),
        ] {
            assert_eq!(flag(value), Ok(Some(expected)));
        }
        assert_eq!(flag(Some(json!("maybe"))).unwrap_err().field.as_deref(), Some("Body.IsTyping"));
    }
    let written = shown(&OutBody::ChatTyping(command()).to_node(Legacy::default()));
    assert_eq!(written["IsTyping"], json!(true));
}

#[test]
fn row_11_7_confirm_to_an_agent_has_a_switch_for_its_name() {
    let confirm = OutBody::AgentConfirm(command());
    assert_eq!(confirm.name(Legacy::default()), "SC_CHAT_CONFIRM");
    let legacy = Legacy { confirm_name: true, ..Legacy::default() };
    assert_eq!(confirm.name(legacy), "CS_CHAT_CONFIRM");
    assert_eq!(confirm.to_node(legacy), confirm.to_node(Legacy::default()));
    for (name, body, _) in written().into_iter().filter(|(name, ..)| *name != "SC_CHAT_CONFIRM") {
        assert_eq!(body.name(legacy), name);
    }
}

#[test]
fn row_11_9_lists_have_no_sentences() {
    for body in [OutBody::ChatList(vec![status()]), OutBody::AgentList(vec![status()])] {
        let row = &shown(&body.to_node(Legacy::default()))[0];
        assert_eq!((&row["Sentences"], row.get("Sentences").is_some()), (&json!(null), true));
    }
    assert_eq!(shown(&OutBody::ChatList(vec![]).to_node(Legacy::default())), json!([]));
}

#[test]
fn row_11_10_status_is_asked_with_either_structure() {
    let of_connector = |more: Json| {
        let mut body = json!({"Peer": "!DemoLink", "TrackingId": "t"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read("ES_CHAT_STATUS", &body, LINK)
    };
    let plain = of_connector(json!({})).unwrap();
    // Nothing but the key is read, be it right or wrong; the state in particular is ignored (end of 4.6).
    let as_status = json!({"Status": "Nonsense", "Sentences": 5, "ChatId": "x", "AgentName": "Jan", "DeadTimeUtc": "soon"});
    let as_command = json!({"ID": 5, "TimeStamp": "soon", "IsTyping": "maybe"});
    for more in [as_status.clone(), as_command.clone()] {
        assert_eq!(of_connector(more).as_ref(), Ok(&plain));
    }
    for mut more in [as_status, as_command] {
        more["ChatId"] = json!(CHAT);
        let Ok(Msg::AgentStatus(info)) = read("CS_CHAT_STATUS", &more, DESK) else { panic!() };
        assert_eq!((info.chat_id, info.id, info.time_stamp), (Some(chat()), None, None));
    }
    let unknown = |body: Json| Msg::read("ES_CHAT_STATUS", &node(&body), LINK).unwrap().1;
    assert_eq!(unknown(json!({"TrackingId": "t", "Status": "Pilot"})), 0);
    assert_eq!(unknown(json!({"TrackingId": "t", "TimeStamp": null, "New": 1})), 1);
}

#[test]
fn row_11_12_info_has_the_members_of_the_class_and_of_the_list() {
    let alert = shown(&OutBody::AgentAlert(Box::new(status())).to_node(Legacy::default()));
    for name in ["PilotDialTime", "AgentName", "FormDataId", "Peer", "ChatId"] {
        assert!(alert["Info"].get(name).is_some(), "{name}");
    }
}

#[test]
fn row_11_13_chat_and_agent_are_written_both_ways() {
    for body in [OutBody::ChatStatus(Box::new(status())), OutBody::AgentStatus(Box::new(status()))] {
        let status = shown(&body.to_node(Legacy::default()));
        assert_eq!(
            (&status["ChatId"], &status["AgentName"], &status["AgentId"]),
            (&json!(CHAT), &json!("Jan"), &json!(AGENT_TEXT))
        );
    }
}

#[test]
fn row_11_14_what_is_the_servers_is_not_taken_from_a_sender() {
    let claims = json!({"TrackingId": "t", "ID": "s", "Text": "x", "TimeSent": "2026-01-01T00:00:00Z", "Model": 2,
                        "IsOutbound": true, "Counter": "x", "ConfirmedTime": "2026-01-01T00:00:00Z", "ChatId": "x"});
    let Ok(Msg::ChatSentence(info)) = read("ES_CHAT_SENTENCE", &claims, LINK) else { panic!() };
    assert_eq!((info.time_sent, info.model), (Some(NEW_YEAR), Model::TechNote));
    assert_eq!((info.is_outbound, info.counter, info.confirmed_time, info.chat_id), (false, 0, None, Uuid::nil()));
    for body in [OutBody::ChatSentence(info.clone()), OutBody::AgentSentence(info)] {
        let written = shown(&body.to_node(Legacy::default()));
        for name in ["TimeSent", "IsOutbound", "Counter", "ConfirmedTime", "Model"] {
            assert!(written.get(name).is_some(), "{name}");
        }
    }
}

#[test]
fn row_11_15_sentence_id_is_any_text_and_kept_as_it_is() {
    for id in [" S-1 ", "🙂", "5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01", "5B0C1A526A0E4A5E9A530A1F5B6C7D01"] {
        let body = json!({"TrackingId": "t", "ID": id, "Text": "x"});
        let Ok(Msg::ChatSentence(info)) = read("ES_CHAT_SENTENCE", &body, LINK) else { panic!() };
        assert_eq!(info.id.as_deref(), Some(id));
    }
}

#[test]
fn row_11_26_false_is_the_sending_side_that_stopped() {
    let stopped = || ChatCommandInfo { is_typing: Some(false), ..command() };
    for body in [OutBody::ChatTyping(stopped()), OutBody::AgentTyping(stopped())] {
        assert_eq!(shown(&body.to_node(Legacy::default()))["IsTyping"], json!(false));
    }
}

#[test]
fn row_11_27_the_same_sentence_is_told_apart_by_its_direction() {
    for (name, body, is_outbound) in [
        ("SE_CHAT_SENTENCE", OutBody::ChatSentence(Box::new(sentence(false))), false),
        ("SE_CHAT_SENTENCE", OutBody::ChatSentence(Box::new(sentence(true))), true),
        ("SC_CHAT_SENTENCE", OutBody::AgentSentence(Box::new(sentence(true))), true),
        ("SC_CHAT_SENTENCE", OutBody::AgentSentence(Box::new(sentence(false))), false),
    ] {
        assert_eq!(body.name(Legacy::default()), name);
        assert_eq!(shown(&body.to_node(Legacy::default()))["IsOutbound"], json!(is_outbound));
    }
}

#[test]
fn row_11_31_direction_of_a_sentence_is_its_senders_whatever_it_says() {
    for claim in [json!(true), json!(false), json!(null), json!("x")] {
        let body = json!({"TrackingId": "t", "ChatId": CHAT, "ID": "s", "Text": "x", "IsOutbound": claim});
        let (Ok(Msg::ChatSentence(visitors)), Ok(Msg::AgentSentence(agents))) =
            (read("ES_CHAT_SENTENCE", &body, LINK), read("CS_CHAT_SENTENCE", &body, DESK))
        else {
            panic!()
        };
        assert_eq!((visitors.is_outbound, agents.is_outbound), (false, true));
        let echo = shown(&OutBody::AgentSentence(agents).to_node(Legacy::default()));
        assert_eq!(echo["IsOutbound"], json!(true));
    }
}

#[test]
fn row_11_30_scenario_load_names_no_gateway() {
    let body = json!({"Id": FORM_TEXT, "Peer": "!Other"});
    assert!(read("ES_SCENARIO_LOAD", &body, LINK).is_ok());
    assert_eq!(Msg::read("ES_SCENARIO_LOAD", &node(&body), LINK).unwrap().1, 1);
}

#[test]
fn row_11_11_literals_may_be_asked_for_without_peer() {
    for body in [json!({"LiteralGroup": 102}), json!({"LiteralGroup": 102, "Peer": "!DemoLink"})] {
        let Ok(Msg::Literals(info)) = read("ES_WS_LITERALS_GET", &body, LINK) else { panic!() };
        assert_eq!(info.peer.as_deref(), Some("!DemoLink"));
    }
}

#[test]
fn example_of_the_contract_is_written_as_it_stands() {
    let status = ChatStatusInfo {
        peer: Some("!DemoLink".into()),
        tracking_id: Some("t-100".into()),
        chat_id: chat(),
        status: Some(ChatStatus::Pilot),
        sentences: Some(Vec::new()),
        dead_time_utc: Some(EpochMillis::new(1_767_226_200_000)),
        ..ChatStatusInfo::default()
    };
    let text = r#"{"Peer":"!DemoLink","Port":null,"TrackingId":"t-100","ChatId":"22222222-2222-4222-8222-222222222222","Status":"Pilot","AgentName":null,"AgentId":null,"Sentences":[],"Panel":null,"Navigation":null,"CoBrowsingData":null,"DeadTimeUtc":"2026-01-01T00:10:00.000Z"}"#;
    let written = OutBody::ChatStatus(Box::new(status)).to_node(Legacy::default());
    assert_eq!(as_json::write(&written), text.as_bytes());
    let message: MessageContentInfo = read_structure(
        &json!({"DeliverySystemId": "sms-7", "RequestId": "33333333-3333-4333-8333-333333333333",
                "GatewayId": "44444444-4444-4444-8444-444444444444", "RemoteAddress": "+420700000000", "Direction": "I",
                "ReceivedSentTime": "2026-01-01T00:00:00Z", "BodyText": "Call me"}),
        Dir::Es,
    )
    .unwrap();
    assert_eq!((message.direction.as_deref(), message.body_text.as_deref()), (Some("I"), Some("Call me")));
}
