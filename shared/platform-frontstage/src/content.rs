//! The structures of messages (4.5).

use model::EpochMillis;
use uuid::Uuid;

use crate::node::Node;
use crate::structure::{ANY_LENGTH, Emission, Reading, Value, Wrong, structure};
use crate::words::{Channel, Direction};

structure! {
    /// A message as both sides hand it to each other. Its lengths are judged by the rules of section 7, some of which cut.
    #[derive(Default)]
    pub struct MessageContentInfo {
        /// External id of the message; from us, a proposal.
        delivery_system_id: Option<String> [ANY_LENGTH] = "DeliverySystemId" in Es Se;
        /// External id of the message replied to; inbound only.
        in_reply_to_id: Option<String> [ANY_LENGTH] = "InReplyToId" in Es;
        /// Our id of the message; outbound only.
        message_id: Option<Uuid> = "MessageId" in Es Se;
        /// The connector's correlation id. Called a GUID, but any text (11.16).
        request_id: Option<String> [ANY_LENGTH] = "RequestId" in Es Se;
        /// The message gateway.
        gateway_id: Option<Uuid> = "GatewayId" in Es Se;
        /// Sender for display.
        from_field: Option<String> [ANY_LENGTH] = "FromField" in Es Se;
        /// The other party's address.
        remote_address: Option<String> [ANY_LENGTH] = "RemoteAddress" in Es Se;
        /// Direct recipient for display.
        to_field: Option<String> [ANY_LENGTH] = "ToField" in Es Se;
        /// Copy recipient for display.
        to_cc_field: Option<String> [ANY_LENGTH] = "ToCcField" in Es Se;
        /// Hidden recipient for display.
        to_bcc_field: Option<String> [ANY_LENGTH] = "ToBccField" in Es Se;
        /// `I` inbound, `O` outbound.
        direction: Option<String> [ANY_LENGTH] = "Direction" in Es Se;
        /// Structured recipients, channel-specific. Not expected from connectors, but kept to its length if it comes.
        extended_fields: Option<String> [ANY_LENGTH] = "ExtendedFields" in Es Se;
        /// When the connector received it, or the server handed it over.
        received_sent_time: Option<EpochMillis> = "ReceivedSentTime" in Es Se;
        /// When the author wrote it.
        draft_time: Option<EpochMillis> = "DraftTime" in Es Se;
        /// Subject.
        subject_field: Option<String> [ANY_LENGTH] = "SubjectField" in Es Se;
        /// HTML content.
        body_html: Option<String> [ANY_LENGTH] = "BodyHtml" in Es Se;
        /// Text content.
        body_text: Option<String> [ANY_LENGTH] = "BodyText" in Es Se;
        /// Language hint.
        culture: Option<String> [ANY_LENGTH] = "Culture" in Es Se;
        /// Processing field.
        mark: Option<i64> = "Mark" in Es Se;
        /// 0 to 3.
        spam_level: Option<i64> = "SpamLevel" in Es Se;
        /// -1 or more.
        signature_validity: Option<i64> = "SignatureValidity" in Es Se;
        /// Position in a hierarchy.
        hierarchy: Option<i64> = "Hierarchy" in Es Se;
        /// Satisfaction, 16 bit.
        rating: Option<i64> = "Rating" in Es Se;
    }
}

structure! {
    /// The carrier of answers and acknowledgements. What its members mean depends on the message.
    #[derive(Default)]
    pub struct CommandInfo {
        /// The message's id, or the form's.
        id: Option<Uuid> = "Id" in Es Se;
        /// The message gateway, mirrored.
        ref_id: Option<Uuid> = "RefId" in Es Se;
        /// When it was said.
        time_stamp: Option<EpochMillis> = "TimeStamp" in Es Se;
        /// Request id mirrored, the real external id, or a culture.
        reference: Option<String> [ANY_LENGTH] = "Reference" in Es Se;
        /// `"true"`, `"false"`, or an error text.
        data: Option<Data> = "Data" in Es Se;
    }
}

impl CommandInfo {
    /// What `Data` says of success, in any spelling of 11.16; `None` for anything else.
    #[must_use]
    pub fn success(&self) -> Option<bool> {
        match self.data.as_ref() {
            Some(Data(text)) if text.eq_ignore_ascii_case("true") => Some(true),
            Some(Data(text)) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }
}

/// The text of a [`CommandInfo`]; a boolean is read as its text (11.16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data(pub String);

impl Value for Data {
    const IS_WORDS: bool = true;

    fn from_node(node: &Node, how: Reading) -> Result<Option<Self>, Wrong> {
        if let Node::Bool(value) = node {
            return Ok(Some(Self(value.to_string())));
        }
        // Cut where it is stored: an error text may not be lost for its length.
        Ok(String::from_node(node, Reading { limit: ANY_LENGTH, ..how })?.map(Self))
    }

    fn to_node(&self, _how: Emission) -> Node {
        self.0.as_str().into()
    }
}

structure! {
    /// A message gateway as the connector is told of it, one entry per direction.
    pub struct GatewayInfo {
        /// Its key for both sides.
        id: Uuid = "Id" in Se;
        /// Its name for people.
        display_name: Option<String> = "DisplayName" in Se;
        /// The address of the connector.
        peer_address: Option<String> = "PeerAddress" in Se;
        /// The sub-address of the connector.
        peer_port: Option<String> = "PeerPort" in Se;
        /// What it carries.
        channel: Channel = "Channel" in Se;
        /// `I` or `O`.
        direction: Direction = "Direction" in Se;
        /// The connector's own configuration of it.
        device: Option<String> = "Device" in Se;
        /// Default language.
        language_id: Option<Uuid> = "LanguageId" in Se;
    }
}

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::structure::tests::read;
    use crate::structure::{Dir, Structure};
    use crate::{json, msgpack};

    fn command(body: &Json) -> CommandInfo {
        read(body, Dir::Es).unwrap()
    }

    #[test]
    fn acknowledgements_of_the_contract_are_read() {
        let sent = command(&json!({
            "Id": "66666666-6666-4666-8666-666666666666", "RefId": "44444444-4444-4444-8444-444444444444",
            "Reference": "<real@demo.example>", "Data": null
        }));
        assert_eq!(sent.reference.as_deref(), Some("<real@demo.example>"));
        assert_eq!(sent.data, None);
        let failed = command(&json!({
            "Id": "66666666-6666-4666-8666-666666666666", "RefId": "44444444-4444-4444-8444-444444444444",
            "Reference": null, "Data": "550 mailbox full"
        }));
        assert_eq!(failed.data, Some(Data("550 mailbox full".into())));
    }

    #[test]
    fn row_11_16_success_is_read_in_every_spelling() {
        for (data, success) in [
            (json!(true), Some(true)),
            (json!("true"), Some(true)),
            (json!("True"), Some(true)),
            (json!(false), Some(false)),
            (json!("FALSE"), Some(false)),
            (json!("yes"), None),
            (json!(null), None),
        ] {
            assert_eq!(command(&json!({ "Data": data })).success(), success);
        }
        assert!(read::<CommandInfo>(&json!({"Data": 1}), Dir::Es).is_err());
        let message: MessageContentInfo = read(&json!({"RequestId": "no GUID at all"}), Dir::Es).unwrap();
        assert_eq!(message.request_id.as_deref(), Some("no GUID at all"));
    }

    #[test]
    fn debug_shows_ids_and_no_words() {
        let message = MessageContentInfo {
            message_id: Some(Uuid::from_u128(1)),
            body_text: Some("secret".into()),
            remote_address: Some("eva@demo.example".into()),
            ..MessageContentInfo::default()
        };
        let shown = format!("{message:?}");
        assert!(shown.contains("00000000-0000-0000-0000-000000000001"), "{shown}");
        assert!(!shown.contains("secret") && !shown.contains("eva"), "{shown}");
        assert!(!format!("{:?}", command(&json!({"Data": "to eva"}))).contains("eva"));
    }

    fn date() -> impl Strategy<Value = Option<EpochMillis>> {
        option::of((0i64..4_000_000_000_000).prop_map(EpochMillis::new))
    }

    fn guid() -> impl Strategy<Value = Option<Uuid>> {
        option::of((1u128..).prop_map(Uuid::from_u128))
    }

    fn text() -> impl Strategy<Value = Option<String>> {
        option::of("(?s).{0,8}")
    }

    prop_compose! {
        fn message()(
            texts in proptest::collection::vec(text(), 13),
            message_id in guid(),
            gateway_id in guid(),
            times in (date(), date()),
            numbers in proptest::collection::vec(option::of(any::<i64>()), 5),
        ) -> MessageContentInfo {
            let mut texts = texts.into_iter();
            let mut t = || texts.next().flatten();
            MessageContentInfo {
                delivery_system_id: t(), in_reply_to_id: t(), message_id, request_id: t(), gateway_id, from_field: t(),
                remote_address: t(), to_field: t(), to_cc_field: t(), to_bcc_field: t(), direction: t(), extended_fields: t(),
                received_sent_time: times.0, draft_time: times.1, subject_field: t(), body_html: t(), body_text: t(),
                culture: None, mark: numbers[0], spam_level: numbers[1], signature_validity: numbers[2], hierarchy: numbers[3],
                rating: numbers[4],
            }
        }
    }

    proptest! {
        #[test]
        fn message_round_trips(info in message()) {
            let node = info.write(Dir::Es.into());
            prop_assert_eq!(MessageContentInfo::read(&json::parse(&json::write(&node)).unwrap(), Dir::Es).unwrap(), info.clone());
            prop_assert_eq!(MessageContentInfo::read(&msgpack::parse(&msgpack::write(&node)).unwrap(), Dir::Es).unwrap(), info);
        }

        #[test]
        fn command_round_trips(id in guid(), ref_id in guid(), time_stamp in date(), reference in text(), data in text()) {
            let info = CommandInfo { id, ref_id, time_stamp, reference, data: data.map(Data) };
            let node = info.write(Dir::Se.into());
            prop_assert_eq!(CommandInfo::read(&json::parse(&json::write(&node)).unwrap(), Dir::Se).unwrap(), info);
        }
    }
}
