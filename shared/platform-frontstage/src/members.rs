//! Every member of every structure of section 4 that travels between servers: its name, its direction, and that its value
//! comes back as it was read. The lists are the contract's, written out.

use serde_json::{Map, Value as Json, json};

use crate::structure::tests::node;
use crate::{
    ChatCommandInfo, ChatInfo, ChatSentenceInfo, ChatServiceInfo, ChatStatusInfo, CommandInfo, Dir, GatewayInfo,
    LiteralLookupInfo, MessageContentInfo, ScenarioInfo, ScenarioResultInfo, ScenarioResultItemInfo, ScenarioResultValueInfo,
    ScreenControlInfo, ScreenControlParameterInfo, ScreenInfo, Structure, WebSiteRoutingInfo, json as as_json, msgpack,
};

const ID: &str = "22222222-2222-4222-8222-222222222222";
const AT: &str = "2026-01-01T00:00:00.000Z";

/// Whether everything of a sample is in what was written; a structure inside may have more members than its sample.
fn holds(written: &Json, sample: &Json) -> bool {
    match (written, sample) {
        (Json::Object(written), Json::Object(sample)) => {
            sample.iter().all(|(name, sample)| written.get(name).is_some_and(|written| holds(written, sample)))
        }
        (Json::Array(written), Json::Array(sample)) => {
            written.len() == sample.len() && written.iter().zip(sample).all(|(written, sample)| holds(written, sample))
        }
        _ => written == sample,
    }
}

/// Reads a structure with all members of the contract in each direction, and expects exactly those of the direction again,
/// in JSON and in MessagePack.
fn has_the_members<T: Structure>(contract: &[(&str, Json)]) {
    let members = |of: &dyn Fn(&str) -> bool| -> Map<String, Json> {
        contract.iter().filter(|(dirs, _)| of(dirs)).flat_map(|(_, members)| members.as_object().unwrap().clone()).collect()
    };
    let everything = node(&Json::Object(members(&|_| true)));
    for (dir, word) in [(Dir::Es, "ES"), (Dir::Se, "SE"), (Dir::Cs, "CS"), (Dir::Sc, "SC")] {
        let expected = members(&|dirs| dirs.split(' ').any(|other| other == word));
        if expected.is_empty() {
            continue;
        }
        let written = T::read(&everything, dir).unwrap().write(dir.into());
        let packed = msgpack::parse(&msgpack::write(&written)).unwrap();
        assert_eq!(T::read(&packed, dir).unwrap().write(dir.into()), written, "{word}");
        let written: Json = serde_json::from_slice(&as_json::write(&written)).unwrap();
        let names = |members: &Map<String, Json>| {
            let mut names: Vec<_> = members.keys().cloned().collect();
            names.sort();
            names
        };
        assert_eq!(names(written.as_object().unwrap()), names(&expected), "{word}");
        for (name, sample) in &expected {
            assert!(holds(&written[name], sample), "{word} {name}: {}", written[name]);
        }
    }
}

#[test]
fn chat_service_info_has_the_members_of_the_contract() {
    has_the_members::<ChatServiceInfo>(&[
        ("ES SE", json!({"Peer": "x", "Port": "x", "TrackingId": "x"})),
        (
            "ES",
            json!({
                "PreferredCulture": "x", "UserToken": "x", "ExtResponse": "x", "ResultModel": {"ScenarioId": ID},
                "PartyName": "x", "RemoteAddress": "x", "ReturnChatId": ID
            }),
        ),
        ("SE", json!({"Signal": "Free", "ScenarioModel": {"ScenarioId": ID}})),
    ]);
}

#[test]
fn chat_status_info_has_the_members_of_the_contract() {
    has_the_members::<ChatStatusInfo>(&[
        ("ES SE SC", json!({"Peer": "x"})),
        ("ES SE", json!({"Port": "x", "TrackingId": "x"})),
        (
            "SE SC",
            json!({
                "ChatId": ID, "Status": "Alerting", "AgentName": "x", "AgentId": ID, "Sentences": [{"Counter": 7}],
                "Panel": {"Counter": 7}, "Navigation": {"Counter": 7}, "CoBrowsingData": {"Counter": 7}
            }),
        ),
        ("SC", json!({"Info": {"WaitingTime": 7}})),
        ("SE", json!({"DeadTimeUtc": AT})),
    ]);
}

#[test]
fn chat_info_has_the_members_of_the_contract() {
    has_the_members::<ChatInfo>(&[(
        "SC",
        json!({
            "TimeStamp": AT, "EnqueueingTimeUtc": AT, "PilotDialTime": AT, "ChatType": "WebIM", "RemotePartyName": "x",
            "RemoteAddress": "x", "WorkplaceNumber": "x", "WorkplaceId": ID, "AgentId": ID, "ProjectId": ID,
            "LanguageId": ID, "ProjectName": "x", "LanguageName": "x", "AgentName": "x", "WaitingTime": 7,
            "MaxSignalDuration": 7, "ChatGatewayName": "x", "ContactId": ID, "ContactName": "x",
            "Scenarios": [{"ScenarioId": ID}], "FormDataId": ID, "Peer": "x", "ChatId": ID
        }),
    )]);
}

#[test]
fn scenario_result_item_info_has_the_members_of_the_contract() {
    has_the_members::<ScenarioResultItemInfo>(&[(
        "SC",
        json!({
            "ScenarioId": ID, "ScenarioName": "x", "Activity": "x", "ResultId": ID, "RemoteName": "x", "DisplayName": "x",
            "ResultCreated": AT, "ShowInList": "x"
        }),
    )]);
}

#[test]
fn chat_sentence_info_has_the_members_of_the_contract() {
    has_the_members::<ChatSentenceInfo>(&[
        ("ES SE CS SC", json!({"Peer": "x", "ID": "x", "PartyName": "x", "Text": "x", "TimeSent": AT, "Model": 4})),
        ("ES SE", json!({"Port": "x", "TrackingId": "x"})),
        ("CS SC", json!({"ChatId": ID})),
        ("SE SC", json!({"IsOutbound": true, "Counter": 7, "ConfirmedTime": AT})),
    ]);
}

#[test]
fn chat_command_info_has_the_members_of_the_contract() {
    has_the_members::<ChatCommandInfo>(&[
        ("ES SE CS SC", json!({"Peer": "x", "ID": "x", "TimeStamp": AT, "IsTyping": true})),
        ("ES SE", json!({"Port": "x", "TrackingId": "x"})),
        ("CS SC", json!({"ChatId": ID, "AgentId": ID})),
    ]);
}

#[test]
fn scenario_info_has_the_members_of_the_contract() {
    has_the_members::<ScenarioInfo>(&[(
        "SE",
        json!({"ScenarioId": ID, "DisplayName": "x", "Screens": [{"ScreenId": ID}], "AgentId": ID, "Culture": "x"}),
    )]);
}

#[test]
fn screen_info_has_the_members_of_the_contract() {
    has_the_members::<ScreenInfo>(&[(
        "SE",
        json!({
            "ScreenId": ID, "DisplayName": "x", "Rank": 7, "FinishButton": true, "ConditionScreenControlId": ID,
            "ConditionText": "x", "Controls": [{"ScreenControlId": ID}]
        }),
    )]);
}

#[test]
fn screen_control_info_has_the_members_of_the_contract() {
    has_the_members::<ScreenControlInfo>(&[(
        "SE",
        json!({
            "ScreenControlId": ID, "DisplayName": "x", "Description": "x", "TargetColumn": "x", "Rank": 7,
            "ControlType": "x", "ControlNumber": 7, "ControlText": "x", "MandatoryField": true,
            "Parameters": [{"ScreenControlParameterId": ID}]
        }),
    )]);
}

#[test]
fn screen_control_parameter_info_has_the_members_of_the_contract() {
    has_the_members::<ScreenControlParameterInfo>(&[(
        "SE",
        json!({
            "ScreenControlParameterId": ID, "DisplayName": "x", "Rank": 7, "ResultNumber": 7, "ResultText": "x",
            "DefaultItem": true
        }),
    )]);
}

#[test]
fn scenario_result_info_has_the_members_of_the_contract() {
    has_the_members::<ScenarioResultInfo>(&[(
        "ES",
        json!({
            "ScenarioId": ID, "ScenarioResultId": ID, "TimeUtc": AT, "Values": [{"ScreenControlId": ID}], "AgentId": ID,
            "InboundCallId": ID, "OutboundCallId": ID, "MessageId": ID, "IssueId": ID, "ContactId": ID, "ChatId": ID,
            "WorkflowId": ID, "Activity": "x"
        }),
    )]);
}

#[test]
fn scenario_result_value_info_has_the_members_of_the_contract() {
    has_the_members::<ScenarioResultValueInfo>(&[(
        "ES",
        json!({
            "ScreenControlId": ID, "ResultNumber": 7, "ResultText": "x", "ResultNumeric": 1.5, "ResultTime": AT,
            "TargetColumn": "x"
        }),
    )]);
}

#[test]
fn literal_lookup_info_has_the_members_of_the_contract() {
    has_the_members::<LiteralLookupInfo>(&[
        ("ES SE", json!({"LiteralGroup": 102, "Culture": "x"})),
        ("SE", json!({"LiteralValue": 7, "LiteralText": "x", "DisplayName": "x"})),
        ("ES", json!({"Peer": "x"})),
    ]);
}

#[test]
fn web_site_routing_info_has_the_members_of_the_contract() {
    has_the_members::<WebSiteRoutingInfo>(&[(
        "SE",
        json!({
            "WebSiteRoutingId": ID, "WebApp": "x", "Rank": 7, "PageUrlRegex": "x", "PreferredCulture": "x",
            "BrowserRegex": "x", "UserTokenRegex": "x", "ClientIpMask": "x", "TimeMode": "x", "TimeFrom": AT, "TimeTo": AT,
            "TargetElementID": "x", "WebResponse": "x", "ScenarioId": ID, "OutboundListId": ID, "WorkflowId": ID,
            "MessageId": ID, "LiteralCulture": "x", "ChatTrackUrl": 7, "LogUrl": true, "Template": "x", "Block": true,
            "SolicitationTimeOut": 7, "SolicitationDuration": 7, "HonorRejectPeriod": 7
        }),
    )]);
}

#[test]
fn gateway_info_has_the_members_of_the_contract() {
    has_the_members::<GatewayInfo>(&[(
        "SE",
        json!({
            "Id": ID, "DisplayName": "x", "PeerAddress": "x", "PeerPort": "x", "Channel": "Email", "Direction": "I",
            "Device": "x", "LanguageId": ID
        }),
    )]);
}

#[test]
fn message_content_info_has_the_members_of_the_contract() {
    has_the_members::<MessageContentInfo>(&[
        (
            "ES SE",
            json!({
                "DeliverySystemId": "x", "MessageId": ID, "RequestId": "x", "GatewayId": ID, "FromField": "x",
                "RemoteAddress": "x", "ToField": "x", "ToCcField": "x", "ToBccField": "x", "Direction": "x",
                "ExtendedFields": "x", "ReceivedSentTime": AT, "DraftTime": AT, "SubjectField": "x", "BodyHtml": "x",
                "BodyText": "x", "Culture": "x", "Mark": 7, "SpamLevel": 7, "SignatureValidity": 7, "Hierarchy": 7,
                "Rating": 7
            }),
        ),
        ("ES", json!({"InReplyToId": "x"})),
    ]);
}

#[test]
fn command_info_has_the_members_of_the_contract() {
    has_the_members::<CommandInfo>(&[("ES SE", json!({"Id": ID, "RefId": ID, "TimeStamp": AT, "Reference": "x", "Data": "x"}))]);
}
