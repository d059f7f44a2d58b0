//! What connectors bring, checked by the contract's rules and put into the model's words.

use std::time::Duration;

use model::{Account, Acknowledgement, Content, EpochMillis, EventKey, Memo, MessageDetails, MessageId, VisitorMessage};
use uuid::Uuid;

use crate::content::{CommandInfo, Data, MessageContentInfo};
use crate::error::{Code, Warning, WireError};
use crate::form::parse_guid;
use crate::settings::{MessageGateway, Settings};
use crate::structure::{MAX_OTHER, MAX_TEXT};

/// Memo name: the message gateway the visitor's message counts as received by.
pub(crate) const MEMO_GATEWAY: &str = "gateway";
/// Memo name: the subject of the visitor's newest message.
pub(crate) const MEMO_SUBJECT: &str = "subject";
/// Memo name: the external id of the visitor's newest message.
pub(crate) const MEMO_EXTERNAL_ID: &str = "external_id";

/// Memo name: the message gateway the visitor wrote to, where that is another one (section 7, last paragraph).
pub(crate) const MEMO_WRITTEN_TO: &str = "written_to";
/// Memo name: `FromField` of the visitor's newest message, whom an answer is for.
pub(crate) const MEMO_FROM: &str = "from";
/// Memo name: its `ToField`, whom an answer is from.
pub(crate) const MEMO_TO: &str = "to";
/// Memo name: its `Culture`.
pub(crate) const MEMO_CULTURE: &str = "culture";
/// Memo name: its `Mark`.
pub(crate) const MEMO_MARK: &str = "mark";
/// Memo name: its `Hierarchy`.
pub(crate) const MEMO_HIERARCHY: &str = "hierarchy";

/// Longest `DeliverySystemId`, and everything that stands for one.
const MAX_EXTERNAL_ID: usize = 80;
/// How far in the future a message may have been received.
const MAX_AHEAD: Duration = Duration::from_secs(86_400);
/// How long a request id is remembered (10.7).
const KEEP_REQUEST: Duration = Duration::from_secs(7 * 86_400);
/// How long an envelope id is remembered (10.7).
const KEEP_ENVELOPE: Duration = Duration::from_secs(86_400);

/// A valid `ES_MESSAGE_RECEIVING`.
#[derive(Clone)]
pub struct Received {
    /// The message in the model's words.
    pub message: VisitorMessage,
    /// The message gateway it came through, to be mirrored.
    pub gateway_id: Uuid,
    /// The connector's request id, to be mirrored.
    pub request_id: Option<String>,
    /// What was cut.
    pub warnings: Vec<Warning>,
}

/// Checks an `ES_MESSAGE_RECEIVING` (section 7) and translates it.
///
/// `envelope_id` and `body_sha256` are those of its envelope: where a gateway's own ids may come again and no request id
/// is given, they alone tell a repetition.
///
/// # Errors
/// Every rule that is broken. The answer is then `SE_MESSAGE_RECEIVED` with `"false"` and these as its warnings.
pub fn receive(
    info: &MessageContentInfo,
    envelope_id: Option<Uuid>,
    body_sha256: &str,
    settings: &Settings,
    now: EpochMillis,
) -> Result<Received, Vec<Warning>> {
    let mut check = Check::default();
    let external_id = check.mandatory("DeliverySystemId", info.delivery_system_id.as_deref(), MAX_EXTERNAL_ID);
    let address = check.mandatory("RemoteAddress", info.remote_address.as_deref(), 250);
    let in_reply_to = check.optional("InReplyToId", info.in_reply_to_id.as_deref(), MAX_EXTERNAL_ID);
    let request_id = check.optional("RequestId", info.request_id.as_deref(), 64);
    let body_html = check.optional("BodyHtml", info.body_html.as_deref(), MAX_TEXT);
    let body_text = check.optional("BodyText", info.body_text.as_deref(), MAX_TEXT);
    let extended = check.optional("ExtendedFields", info.extended_fields.as_deref(), MAX_OTHER);
    if info.direction.as_deref().is_some_and(|d| !d.is_empty() && d != "I") {
        check.refuse("Invalid", "Direction", "Direction of a received message is I".to_owned());
    }
    check.range("SpamLevel", info.spam_level, 0, 3);
    check.range("SignatureValidity", info.signature_validity, -1, i64::MAX);
    check.range("Rating", info.rating, i64::from(i16::MIN), i64::from(i16::MAX));

    let gateway = match info.gateway_id {
        None => {
            check.refuse("Missing", "GatewayId", "GatewayId is missing".to_owned());
            None
        }
        Some(id) => {
            // The same words whether it is somebody else's, outbound only, or nobody's (10.5).
            let gateway = settings.gateway(id).filter(|g| g.direction.is_inbound());
            if gateway.is_none() {
                check.refuse("UnknownGateway", "GatewayId", "GatewayId is not an inbound gateway of the caller".to_owned());
            }
            gateway
        }
    };
    match info.received_sent_time {
        None => check.refuse("Missing", "ReceivedSentTime", "ReceivedSentTime is missing".to_owned()),
        Some(at) if at > now.plus(MAX_AHEAD) => {
            check.refuse("Invalid", "ReceivedSentTime", "ReceivedSentTime is more than a day ahead".to_owned());
        }
        Some(_) => {}
    }

    let name = check.cut("FromField", info.from_field.as_deref(), 160);
    let subject = check.cut("SubjectField", info.subject_field.as_deref(), 320);
    let to = check.cut("ToField", info.to_field.as_deref(), 320);
    let to_cc = check.cut("ToCcField", info.to_cc_field.as_deref(), 320);
    let to_bcc = check.cut("ToBccField", info.to_bcc_field.as_deref(), 320);
    let culture = check.cut("Culture", info.culture.as_deref(), 16);

    let (true, Some(gateway), Some(received_at)) = (check.refusals.is_empty(), gateway, info.received_sent_time) else {
        return Err(check.refusals);
    };
    let gateway_text = gateway.id.to_string();
    let counted = settings.counted_as(gateway);
    let number = |value: Option<i64>| value.map(|value| value.to_string());
    let memo = said([
        (MEMO_GATEWAY, Some(counted.id.to_string())),
        (MEMO_WRITTEN_TO, Some(gateway_text.clone()).filter(|_| counted.id != gateway.id)),
        (MEMO_EXTERNAL_ID, Some(external_id.to_owned())),
        (MEMO_SUBJECT, subject.clone()),
        (MEMO_FROM, name.clone()),
        (MEMO_TO, to.clone()),
        (MEMO_CULTURE, culture.clone()),
        (MEMO_MARK, number(info.mark)),
        (MEMO_HIERARCHY, number(info.hierarchy)),
    ]);
    let details = MessageDetails {
        plain: said([
            ("GatewayId", Some(counted.id.to_string())),
            ("InReplyToId", in_reply_to.map(str::to_owned)),
            ("DraftTime", info.draft_time.map(EpochMillis::to_utc_text)),
            ("Culture", culture),
            ("Mark", number(info.mark)),
            ("SpamLevel", number(info.spam_level)),
            ("SignatureValidity", number(info.signature_validity)),
            ("Hierarchy", number(info.hierarchy)),
            ("Rating", number(info.rating)),
        ]),
        personal: said([
            ("FromField", name.clone()),
            ("ToField", to),
            ("ToCcField", to_cc),
            ("ToBccField", to_bcc),
            ("ExtendedFields", extended.map(str::to_owned)),
        ]),
    };

    let mut event_keys = Vec::new();
    if settings.unique_delivery_ids {
        event_keys.push((EventKey::new("ds", [&gateway_text, external_id]), None));
    }
    if let Some(request_id) = request_id {
        event_keys.push((EventKey::new("rq", [&gateway_text, request_id]), Some(KEEP_REQUEST)));
    }
    if event_keys.is_empty() {
        event_keys.push(match envelope_id {
            Some(id) => (EventKey::new("env", [&id.to_string()]), Some(KEEP_ENVELOPE)),
            None => (EventKey::new("body", [body_sha256]), Some(KEEP_ENVELOPE)),
        });
    }
    let continues = in_reply_to.map(|id| continued(id, gateway, settings)).unwrap_or_default();

    let message = VisitorMessage {
        address: address.to_owned(),
        name,
        memo,
        event_keys,
        answers: in_reply_to.and_then(own_reply),
        continues,
        origin_id: external_id.to_owned(),
        // A mail's own date can be anything; one after its arrival is wrong for sure.
        sent_at: info.draft_time.filter(|at| *at <= received_at).unwrap_or(received_at),
        content: content(body_html, body_text, subject),
        details,
    };
    Ok(Received { message, gateway_id: gateway.id, request_id: request_id.map(str::to_owned), warnings: check.cuts })
}

/// The members that have a value.
fn said<const N: usize>(members: [(&str, Option<String>); N]) -> Memo {
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The name of an outbound message under the external id the connector gave it.
fn reference_key(gateway: Uuid, reference: &str) -> EventKey {
    EventKey::new("ref", [&gateway.to_string(), reference])
}

/// The events whose conversation an answer to `id` continues: a message that came in under this id, or one that went out
/// under it. Where messages of a kind come in by one gateway and go out by another, the answer names the former.
/// What counts as received by a parent may be answered by it.
fn continued(id: &str, gateway: &MessageGateway, settings: &Settings) -> Vec<EventKey> {
    let parent = Some(settings.counted_as(gateway)).filter(|counted| counted.id != gateway.id);
    let own = || std::iter::once(gateway).chain(parent);
    let mut keys: Vec<_> = own().map(|g| EventKey::new("ds", [&g.id.to_string(), id])).collect();
    if own().any(|g| g.direction.is_outbound()) {
        keys.extend(own().filter(|g| g.direction.is_outbound()).map(|g| reference_key(g.id, id)));
    } else {
        let twins = settings.message_gateways.iter().filter(|g| g.channel == gateway.channel && g.direction.is_outbound());
        keys.extend(twins.map(|twin| reference_key(twin.id, id)));
    }
    keys
}

/// One given: the text is derived from it, cleaned first. None: empty text.
fn content(body_html: Option<&str>, body_text: Option<&str>, subject: Option<String>) -> Content {
    let html = body_html.map(text::sanitise_html);
    let text = match (body_text, &html) {
        (Some(text), _) => text::plain(text),
        (None, Some(html)) => text::html_to_text(html),
        (None, None) => String::new(),
    };
    Content { text, html: html.filter(|html| !html.is_empty()), subject }
}

/// The checks of one message: what refuses it, and what was cut.
#[derive(Default)]
struct Check {
    refusals: Vec<Warning>,
    cuts: Vec<Warning>,
}

impl Check {
    fn refuse(&mut self, code: &'static str, field: &str, message: String) {
        self.refusals.push(Warning { code, field: format!("Body.{field}"), message });
    }

    /// A string that must be there; empty counts as missing.
    fn mandatory<'a>(&mut self, field: &str, value: Option<&'a str>, limit: usize) -> &'a str {
        let value = self.optional(field, value, limit);
        if value.is_none() {
            self.refuse("Missing", field, format!("{field} is missing"));
        }
        value.unwrap_or_default()
    }

    /// A string that may be missing; a cut identifier is a wrong identifier, so one that is too long refuses.
    fn optional<'a>(&mut self, field: &str, value: Option<&'a str>, limit: usize) -> Option<&'a str> {
        let value = value.filter(|v| !v.is_empty())?;
        if value.len() > limit && text::utf16_len(value) > limit {
            self.refuse("TooLong", field, format!("{field} is longer than {limit}"));
        }
        Some(value)
    }

    /// A string for display: cleaned, and cut if it is too long.
    fn cut(&mut self, field: &str, value: Option<&str>, limit: usize) -> Option<String> {
        let value = text::plain(value?);
        match text::cut_utf16(&value, limit) {
            None => Some(value).filter(|v| !v.is_empty()),
            Some(cut) => {
                let message = format!("{field} was cut to {limit}");
                self.cuts.push(Warning { code: "Cut", field: format!("Body.{field}"), message });
                Some(cut)
            }
        }
    }

    fn range(&mut self, field: &str, value: Option<i64>, min: i64, max: i64) {
        if value.is_some_and(|v| !(min..=max).contains(&v)) {
            self.refuse("Invalid", field, format!("{field} is out of range"));
        }
    }
}

/// The names under which a connector's own id of a message may be stored, in either direction.
#[must_use]
pub fn event_keys(account: &Account, external_id: &str) -> Vec<EventKey> {
    let Ok(settings) = Settings::of(account) else { return Vec::new() };
    let by_gateway = |gateway: &MessageGateway| {
        let gateway = gateway.id.to_string();
        ["ds", "rq", "ref"].map(|kind| EventKey::new(kind, [&gateway, external_id]))
    };
    settings.message_gateways.iter().flat_map(by_gateway).collect()
}

/// The external id we propose for a message of ours.
pub(crate) fn proposed_id(message: MessageId) -> String {
    format!("<{message}@deskbridge>")
}

/// The message of ours whose proposed external id this is, if it is one.
#[must_use]
pub fn own_reply(external_id: &str) -> Option<MessageId> {
    let bare = external_id.trim();
    let bare = bare.strip_prefix('<').and_then(|b| b.strip_suffix('>')).unwrap_or(bare);
    parse_guid(bare.strip_suffix("@deskbridge")?)?.try_into().ok()
}

/// Checks an `ES_MESSAGE_SENT` and puts it into the model's words (section 6).
///
/// # Errors
/// `UnknownMessageId` if it names no message that could be ours, `GatewayMismatch` if its `RefId` is not a message gateway
/// of the caller, `ValidationFailed` if the reference is too long to be stored.
pub fn acknowledgement(info: &CommandInfo, settings: &Settings) -> Result<Acknowledgement, WireError> {
    let message = info.id.and_then(|id| MessageId::try_from(id).ok()).ok_or_else(WireError::unknown_message_id)?;
    let gateway = info
        .ref_id
        .and_then(|id| settings.gateway(id))
        .ok_or_else(|| WireError::on(Code::GatewayMismatch, "Body.RefId", "RefId is not a gateway of the caller"))?;
    // An empty reference says nothing: the proposed id stays, as with null.
    let reference = info.reference.as_deref().filter(|r| !r.is_empty());
    if reference.is_some_and(|r| text::utf16_len(r) > MAX_EXTERNAL_ID) {
        return Err(WireError::on(Code::ValidationFailed, "Body.Reference", "Reference is longer than 80"));
    }
    let result = match &info.data {
        None => Ok(reference.map(str::to_owned)),
        // Any text is an error, even an empty one. Its end may be lost, the error itself may not.
        Some(Data(error)) => Err(text::cut_utf16(error, MAX_OTHER).unwrap_or_else(|| error.clone())),
    };
    // An answer to the message will name it so in InReplyToId; our own proposed id needs no name, see `own_reply`.
    let alias = result.as_ref().ok().and_then(Option::as_deref).map(|reference| reference_key(gateway.id, reference));
    Ok(Acknowledgement { message, result, route: Some(gateway.id.to_string()), alias, said_at: info.time_stamp })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::tests::{MAIL, SMS_IN, SMS_OUT, account, demo, settings};
    use crate::structure::Dir;
    use crate::structure::tests::read;

    const NOW: EpochMillis = EpochMillis::new(1_767_225_601_000);

    fn info(changes: Value) -> MessageContentInfo {
        // The inbound SMS of the contract (section 13).
        let mut body = json!({
            "DeliverySystemId": "sms-7", "RequestId": "33333333-3333-4333-8333-333333333333", "GatewayId": MAIL,
            "RemoteAddress": "+420700000000", "Direction": "I", "ReceivedSentTime": "2026-01-01T00:00:00Z", "BodyText": "Call me"
        });
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        read(&body, Dir::Es).unwrap()
    }

    fn take(changes: Value) -> Received {
        receive(&info(changes), None, "", &settings(), NOW).unwrap_or_else(|refusals| panic!("{refusals:?}"))
    }

    fn refusal(changes: Value) -> Vec<(&'static str, String)> {
        let refusals = receive(&info(changes), None, "", &settings(), NOW).err().unwrap_or_default();
        refusals.into_iter().map(|w| (w.code, w.field)).collect()
    }

    fn key(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|p| (*p).to_owned()).collect()
    }

    #[test]
    fn example_of_the_contract_is_translated() {
        let received = take(json!({}));
        let message = received.message;
        assert_eq!(message.address, "+420700000000");
        assert_eq!(message.origin_id, "sms-7");
        assert_eq!(message.content, Content { text: "Call me".into(), html: None, subject: None });
        assert_eq!(message.sent_at, EpochMillis::new(1_767_225_600_000));
        assert_eq!(message.memo, Memo::from([("gateway".into(), MAIL.into()), ("external_id".into(), "sms-7".into())]));
        let keys: Vec<_> =
            message.event_keys.iter().map(|(key, keep)| (key.parts().to_vec(), keep.map(|k| k.as_secs()))).collect();
        assert_eq!(
            keys,
            [(key(&["ds", MAIL, "sms-7"]), None), (key(&["rq", MAIL, "33333333-3333-4333-8333-333333333333"]), Some(604_800))]
        );
        assert!(message.continues.is_empty());
        assert_eq!(received.gateway_id.to_string(), MAIL);
        assert_eq!(received.request_id.as_deref(), Some("33333333-3333-4333-8333-333333333333"));
        assert!(message.answers.is_none() && received.warnings.is_empty());
    }

    #[test]
    fn carrier_that_reuses_ids_is_known_by_request_envelope_or_content() {
        let mut loose = demo();
        loose["unique_delivery_ids"] = json!(false);
        let loose = Settings::of(&account(loose)).unwrap();
        let keys = |changes: Value, envelope: Option<&str>| -> Vec<Vec<String>> {
            let envelope = envelope.map(|e| e.parse().unwrap());
            let received = receive(&info(changes), envelope, "abc", &loose, NOW).map_err(|_| ()).unwrap();
            received.message.event_keys.into_iter().map(|(key, _)| key.parts().to_vec()).collect()
        };
        let id = "11111111-1111-4111-8111-111111111111";
        assert_eq!(keys(json!({"RequestId": "r"}), Some(id)), [key(&["rq", MAIL, "r"])]);
        assert_eq!(keys(json!({"RequestId": null}), Some(id)), [key(&["env", id])]);
        assert_eq!(keys(json!({"RequestId": ""}), None), [key(&["body", "abc"])]);
    }

    #[test]
    fn mandatory_fields_missing_or_empty_are_refused() {
        for field in ["DeliverySystemId", "RemoteAddress"] {
            for value in [json!(null), json!("")] {
                assert_eq!(refusal(json!({ field: value })), [("Missing", format!("Body.{field}"))]);
            }
        }
        assert_eq!(refusal(json!({"ReceivedSentTime": null})), [("Missing", "Body.ReceivedSentTime".into())]);
        assert_eq!(refusal(json!({"ReceivedSentTime": "0001-01-01T00:00:00"})), [("Missing", "Body.ReceivedSentTime".into())]);
        for nil in [json!(null), json!(""), json!("00000000-0000-0000-0000-000000000000")] {
            assert_eq!(refusal(json!({ "GatewayId": nil })), [("Missing", "Body.GatewayId".into())]);
        }
    }

    #[test]
    fn identifiers_and_bodies_that_are_too_long_are_refused() {
        for (field, limit) in [
            ("DeliverySystemId", 80),
            ("RemoteAddress", 250),
            ("InReplyToId", 80),
            ("RequestId", 64),
            ("BodyText", 1_000_000),
            ("BodyHtml", 1_000_000),
            ("ExtendedFields", 4_000),
        ] {
            assert_eq!(refusal(json!({ field: "ž".repeat(limit) })), [], "{field}");
            assert_eq!(refusal(json!({ field: "ž".repeat(limit + 1) })), [("TooLong", format!("Body.{field}"))]);
        }
        // 41 characters of two units each.
        assert_eq!(refusal(json!({"InReplyToId": "🙂".repeat(41)})), [("TooLong", "Body.InReplyToId".into())]);
    }

    #[test]
    fn display_fields_that_are_too_long_are_cut_with_a_warning() {
        for (field, limit) in
            [("FromField", 160), ("ToField", 320), ("ToCcField", 320), ("ToBccField", 320), ("SubjectField", 320)]
        {
            assert_eq!(take(json!({ field: "x".repeat(limit) })).warnings, []);
            let cut = take(json!({ field: "x".repeat(limit + 1) })).warnings;
            assert_eq!(cut.iter().map(|w| (w.code, w.field.clone())).collect::<Vec<_>>(), [("Cut", format!("Body.{field}"))]);
        }
        let received = take(json!({"FromField": "🙂".repeat(100), "SubjectField": "s".repeat(400)}));
        assert_eq!(received.message.name, Some(format!("{}…", "🙂".repeat(79))));
        assert_eq!(received.message.content.subject, Some(format!("{}…", "s".repeat(319))));
        assert_eq!(received.message.memo["subject"].chars().count(), 320);
        // 320 units are 160 of these; the last unit is the ellipsis, and no character is cut in two.
        let wide = "🙂".repeat(161);
        let long = take(json!({"ToField": wide, "ToCcField": wide, "ToBccField": wide})).message.details.personal;
        for field in ["ToField", "ToCcField", "ToBccField"] {
            assert_eq!(long[field], format!("{}…", "🙂".repeat(159)), "{field}");
        }
    }

    #[test]
    fn members_beside_the_content_are_stored_as_they_came() {
        let received = take(json!({
            "FromField": "Eva <eva@demo.example>", "ToField": "Shop <shop@demo.example>", "ToCcField": "Bob", "ToBccField": "Ann",
            "ExtendedFields": "{\"to\":1}", "DraftTime": "2025-12-31T23:59:00Z", "InReplyToId": "mail-1", "Culture": "en-US",
            "Mark": -5, "SpamLevel": 3, "SignatureValidity": 17, "Hierarchy": 2, "Rating": -32768
        }));
        let words = |members: &[(&str, &str)]| -> Memo { members.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect() };
        let details = received.message.details;
        assert_eq!(
            details.plain,
            words(&[
                ("GatewayId", MAIL),
                ("InReplyToId", "mail-1"),
                ("DraftTime", "2025-12-31T23:59:00.000Z"),
                ("Culture", "en-US"),
                ("Mark", "-5"),
                ("SpamLevel", "3"),
                ("SignatureValidity", "17"),
                ("Hierarchy", "2"),
                ("Rating", "-32768"),
            ])
        );
        assert_eq!(
            details.personal,
            words(&[
                ("FromField", "Eva <eva@demo.example>"),
                ("ToField", "Shop <shop@demo.example>"),
                ("ToCcField", "Bob"),
                ("ToBccField", "Ann"),
                ("ExtendedFields", "{\"to\":1}"),
            ])
        );
        let shown = format!("{details:?}");
        assert!(shown.contains("en-US") && !shown.contains("demo.example") && !shown.contains("Bob"), "{shown}");
        // A draft that is later than its arrival is no time to sort by, and stored all the same.
        let details = take(json!({"DraftTime": "2030-01-01T00:00:00Z"})).message.details;
        assert_eq!(details.plain["DraftTime"], "2030-01-01T00:00:00.000Z");
    }

    #[test]
    fn members_that_may_be_missing_are_missed_by_nobody() {
        for field in [
            "FromField",
            "ToField",
            "ToCcField",
            "ToBccField",
            "SubjectField",
            "InReplyToId",
            "RequestId",
            "Direction",
            "BodyHtml",
            "BodyText",
            "SpamLevel",
            "Rating",
            "SignatureValidity",
            "ExtendedFields",
            "DraftTime",
            "Culture",
            "Mark",
            "Hierarchy",
        ] {
            assert_eq!(refusal(json!({ field: null })), [], "{field}");
        }
        assert_eq!(take(json!({"RequestId": null})).request_id, None);
    }

    #[test]
    fn message_to_a_child_counts_as_its_parents_and_is_answered_in_its_own_name() {
        let mut family = demo();
        family["message_gateways"][1]["parent"] = json!(MAIL);
        let family = Settings::of(&account(family)).unwrap();
        let sent = info(json!({"GatewayId": SMS_IN, "InReplyToId": "sms-1"}));
        let received = receive(&sent, None, "", &family, NOW).map_err(|_| ()).unwrap();
        assert_eq!(received.gateway_id.to_string(), SMS_IN, "mirrored");
        let message = received.message;
        assert_eq!((message.memo["gateway"].as_str(), message.memo["written_to"].as_str()), (MAIL, SMS_IN));
        assert_eq!(message.details.plain["GatewayId"], MAIL);
        // Repetitions are known by the gateway that was sent: two children's carriers may give the same ids.
        let keys: Vec<_> = message.event_keys.into_iter().map(|(key, _)| key.parts().to_vec()).collect();
        assert_eq!(keys, [key(&["ds", SMS_IN, "sms-7"]), key(&["rq", SMS_IN, "33333333-3333-4333-8333-333333333333"])]);
        let continues: Vec<_> = message.continues.iter().map(|k| k.parts().to_vec()).collect();
        assert_eq!(continues, [key(&["ds", SMS_IN, "sms-1"]), key(&["ds", MAIL, "sms-1"]), key(&["ref", MAIL, "sms-1"])]);
    }

    #[test]
    fn foreign_outbound_and_unknown_gateways_are_refused_in_the_same_words() {
        let words = |id: &str| receive(&info(json!({ "GatewayId": id })), None, "", &settings(), NOW).err().unwrap();
        let unknown = words("99999999-9999-4999-8999-999999999999");
        assert_eq!(unknown[0].code, "UnknownGateway");
        assert_eq!(words(SMS_OUT), unknown);
        assert!(receive(&info(json!({ "GatewayId": SMS_IN })), None, "", &settings(), NOW).is_ok());
    }

    #[test]
    fn numbers_and_direction_out_of_range_are_refused() {
        for (field, value) in [
            ("SpamLevel", json!(4)),
            ("SpamLevel", json!(i64::MAX)),
            ("SpamLevel", json!(-1)),
            ("Rating", json!(32768)),
            ("Rating", json!(-32769)),
            ("SignatureValidity", json!(-2)),
            ("Direction", json!("O")),
            ("Direction", json!("i")),
        ] {
            assert_eq!(refusal(json!({ field: value })), [("Invalid", format!("Body.{field}"))]);
        }
        for (field, values) in [
            ("SpamLevel", vec![0, 1, 2, 3]),
            ("Rating", vec![-32768, 0, 32767]),
            ("SignatureValidity", vec![-1, 0, 1, 2_147_483_647]),
        ] {
            for value in values {
                assert_eq!(refusal(json!({ field: value })), [], "{field} {value}");
            }
        }
        take(json!({"SpamLevel": 3, "Rating": -32768, "SignatureValidity": -1, "Direction": "", "Mark": 5, "Hierarchy": -7}));
    }

    #[test]
    fn received_time_up_to_a_day_ahead_is_taken() {
        assert_eq!(refusal(json!({"ReceivedSentTime": "2026-01-02T00:00:01Z"})), []);
        assert_eq!(
            refusal(json!({"ReceivedSentTime": "2026-01-02T00:00:01.001Z"})),
            [("Invalid", "Body.ReceivedSentTime".into())]
        );
    }

    #[test]
    fn every_broken_rule_is_listed() {
        assert_eq!(refusal(json!({"DeliverySystemId": null, "SpamLevel": 9, "GatewayId": null})).len(), 3);
    }

    #[test]
    fn bodies_are_cleaned_and_derived() {
        let content = |html: Value, text: Value| {
            let content = take(json!({"BodyHtml": html, "BodyText": text})).message.content;
            (content.text, content.html)
        };
        assert_eq!(content(json!(null), json!(null)), (String::new(), None));
        assert_eq!(content(json!(null), json!("a\u{0}<b>\r\nc")), ("a<b>\nc".into(), None));
        assert_eq!(
            content(json!("<p onclick=x>a</p><script>b</script><p>c</p>"), json!(null)),
            ("a\nc".into(), Some("<p>a</p><p>c</p>".into()))
        );
        assert_eq!(content(json!("<p>h</p>"), json!("t")), ("t".into(), Some("<p>h</p>".into())));
        assert_eq!(content(json!("<p>h</p>"), json!("")), ("h".into(), Some("<p>h</p>".into())));
        assert_eq!(content(json!("<script>x</script>"), json!(null)), (String::new(), None));
    }

    #[test]
    fn draft_time_counts_unless_it_is_later_than_arrival() {
        assert_eq!(take(json!({"DraftTime": "2025-12-31T23:59:00Z"})).message.sent_at, EpochMillis::new(1_767_225_540_000));
        assert_eq!(take(json!({"DraftTime": "2030-01-01T00:00:00Z"})).message.sent_at, EpochMillis::new(1_767_225_600_000));
    }

    #[test]
    fn answer_continues_the_conversation_of_what_it_answers() {
        let received = take(json!({"InReplyToId": "mail-1"}));
        let continues: Vec<_> = received.message.continues.iter().map(|k| k.parts().to_vec()).collect();
        assert_eq!(continues, [key(&["ds", MAIL, "mail-1"]), key(&["ref", MAIL, "mail-1"])]);
        assert!(received.message.answers.is_none());
        // Short messages come in by one gateway and go out by another.
        let received = take(json!({"InReplyToId": "sms-1", "GatewayId": SMS_IN}));
        let continues: Vec<_> = received.message.continues.iter().map(|k| k.parts().to_vec()).collect();
        assert_eq!(continues, [key(&["ds", SMS_IN, "sms-1"]), key(&["ref", SMS_OUT, "sms-1"])]);
        let own = take(json!({"InReplyToId": "<00112233-4455-8667-9e22-640000000001@deskbridge>"}));
        assert_eq!(own.message.answers.unwrap().to_string(), "00112233-4455-8667-9e22-640000000001");
    }

    #[test]
    fn own_external_ids_are_recognised() {
        let id: MessageId = "00112233-4455-8667-9e22-640000000001".parse().unwrap();
        assert_eq!(proposed_id(id), "<00112233-4455-8667-9e22-640000000001@deskbridge>");
        assert_eq!(own_reply(&proposed_id(id)), Some(id));
        assert_eq!(own_reply("00112233-4455-8667-9e22-640000000001@deskbridge"), Some(id));
        for other in [
            "",
            "<>",
            "<x@deskbridge>",
            "<00112233-4455-8667-9e22-640000000001@other>",
            "<11111111-1111-4111-8111-111111111111@deskbridge>",
        ] {
            assert_eq!(own_reply(other), None, "{other}");
        }
    }

    const OURS: &str = "00112233-4455-8667-9e22-640000000001";

    fn sent(changes: Value) -> Result<Acknowledgement, WireError> {
        let mut body = json!({"Id": OURS, "RefId": MAIL, "Reference": "<real@demo.example>", "Data": null});
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        acknowledgement(&read(&body, Dir::Es).unwrap(), &settings())
    }

    #[test]
    fn acknowledgement_without_data_is_success() {
        let message: MessageId = OURS.parse().unwrap();
        let alias = Some(EventKey::new("ref", [MAIL, "<real@demo.example>"]));
        assert_eq!(
            sent(json!({})),
            Ok(Acknowledgement {
                message,
                result: Ok(Some("<real@demo.example>".into())),
                route: Some(MAIL.into()),
                alias,
                said_at: None
            })
        );
        for none in [json!(null), json!("")] {
            assert_eq!(
                sent(json!({ "Reference": none })),
                Ok(Acknowledgement { message, result: Ok(None), route: Some(MAIL.into()), alias: None, said_at: None })
            );
        }
    }

    #[test]
    fn acknowledgement_says_when_it_was_said() {
        let word = sent(json!({"TimeStamp": "2026-01-01T00:00:02Z"})).unwrap();
        assert_eq!(word.said_at, Some(EpochMillis::new(1_767_225_602_000)));
    }

    #[test]
    fn acknowledgement_with_any_text_is_an_error() {
        for (data, detail) in
            [(json!("550 mailbox full"), "550 mailbox full"), (json!(""), ""), (json!("true"), "true"), (json!(false), "false")]
        {
            let sent = sent(json!({ "Data": data })).unwrap();
            assert_eq!((sent.result, sent.alias), (Err(detail.to_owned()), None));
        }
        let long = sent(json!({"Data": "x".repeat(5_000)})).unwrap().result.unwrap_err();
        assert_eq!(long.chars().count(), 4_000);
    }

    #[test]
    fn acknowledgement_of_nothing_of_ours_is_refused() {
        for id in [json!(null), json!(""), json!("11111111-1111-4111-8111-111111111111")] {
            assert_eq!(sent(json!({ "Id": id })).unwrap_err().code, Code::UnknownMessageId);
        }
        for id in [json!(null), json!("99999999-9999-4999-8999-999999999999")] {
            assert_eq!(sent(json!({ "RefId": id })).unwrap_err().code, Code::GatewayMismatch);
        }
        assert!(sent(json!({"Reference": "r".repeat(80)})).is_ok());
        let long = sent(json!({"Reference": "r".repeat(81)})).unwrap_err();
        assert_eq!((long.code, long.field.as_deref()), (Code::ValidationFailed, Some("Body.Reference")));
    }
}
