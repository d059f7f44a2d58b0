//! The vendor's structures (4.5), member by member.

use model::EpochMillis;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::form::{write_date, write_guid, write_plain_guid};
use crate::json::{Members, Node};
use crate::settings::Channel;
use crate::{Code, WireError};

/// A message as both sides hand it to each other. Absent and null are the same; a nil GUID and the first day of the
/// calendar count as absent.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MessageContentInfo {
    /// External id of the message; from us, a proposal.
    pub delivery_system_id: Option<String>,
    /// External id of the message replied to; inbound only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_reply_to_id: Option<String>,
    /// Our id of the message; outbound only.
    #[serde(serialize_with = "write_guid")]
    pub message_id: Option<Uuid>,
    /// The connector's correlation id. Called a GUID, but any text (11.16).
    pub request_id: Option<String>,
    /// The message gateway.
    #[serde(serialize_with = "write_guid")]
    pub gateway_id: Option<Uuid>,
    /// Sender for display.
    pub from_field: Option<String>,
    /// The other party's address.
    pub remote_address: Option<String>,
    /// Direct recipient for display.
    pub to_field: Option<String>,
    /// Copy recipient for display.
    pub to_cc_field: Option<String>,
    /// Hidden recipient for display.
    pub to_bcc_field: Option<String>,
    /// `I` inbound, `O` outbound.
    pub direction: Option<String>,
    /// Structured recipients, channel-specific.
    pub extended_fields: Option<String>,
    /// When the connector received it, or the server handed it over.
    #[serde(serialize_with = "write_date")]
    pub received_sent_time: Option<EpochMillis>,
    /// When the author wrote it.
    #[serde(serialize_with = "write_date")]
    pub draft_time: Option<EpochMillis>,
    /// Subject.
    pub subject_field: Option<String>,
    /// HTML content.
    pub body_html: Option<String>,
    /// Text content.
    pub body_text: Option<String>,
    /// Language hint.
    pub culture: Option<String>,
    /// Processing field.
    pub mark: Option<i64>,
    /// 0 to 3.
    pub spam_level: Option<i64>,
    /// -1 or more.
    pub signature_validity: Option<i64>,
    /// Position in a hierarchy.
    pub hierarchy: Option<i64>,
    /// Satisfaction, 16 bit.
    pub rating: Option<i64>,
}

impl std::fmt::Debug for MessageContentInfo {
    /// Ids only: everything else is somebody's words or address.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageContentInfo")
            .field("message_id", &self.message_id)
            .field("gateway_id", &self.gateway_id)
            .finish_non_exhaustive()
    }
}

impl MessageContentInfo {
    pub(crate) fn read(node: &Node) -> Result<Self, WireError> {
        let m = object(node)?;
        Ok(Self {
            delivery_system_id: m.text("DeliverySystemId")?,
            in_reply_to_id: m.text("InReplyToId")?,
            message_id: m.guid("MessageId")?,
            request_id: m.text("RequestId")?,
            gateway_id: m.guid("GatewayId")?,
            from_field: m.text("FromField")?,
            remote_address: m.text("RemoteAddress")?,
            to_field: m.text("ToField")?,
            to_cc_field: m.text("ToCcField")?,
            to_bcc_field: m.text("ToBccField")?,
            direction: m.text("Direction")?,
            extended_fields: m.text("ExtendedFields")?,
            received_sent_time: m.date("ReceivedSentTime")?,
            draft_time: m.date("DraftTime")?,
            subject_field: m.text("SubjectField")?,
            body_html: m.text("BodyHtml")?,
            body_text: m.text("BodyText")?,
            culture: m.text("Culture")?,
            mark: m.integer("Mark")?,
            spam_level: m.integer("SpamLevel")?,
            signature_validity: m.integer("SignatureValidity")?,
            hierarchy: m.integer("Hierarchy")?,
            rating: m.integer("Rating")?,
        })
    }
}

impl<'de> Deserialize<'de> for MessageContentInfo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&Node::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The carrier of answers and acknowledgements. What its members mean depends on the message.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CommandInfo {
    /// The message's id.
    #[serde(serialize_with = "write_guid")]
    pub id: Option<Uuid>,
    /// The message gateway, mirrored.
    #[serde(serialize_with = "write_guid")]
    pub ref_id: Option<Uuid>,
    /// When it was said.
    #[serde(serialize_with = "write_date")]
    pub time_stamp: Option<EpochMillis>,
    /// Request id mirrored, or the real external id.
    pub reference: Option<String>,
    /// `"true"`, `"false"`, or an error text. A boolean is read as its text (11.16).
    pub data: Option<String>,
}

impl std::fmt::Debug for CommandInfo {
    /// Ids only: an error text can hold an address.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommandInfo").field("id", &self.id).field("ref_id", &self.ref_id).finish_non_exhaustive()
    }
}

impl CommandInfo {
    pub(crate) fn read(node: &Node) -> Result<Self, WireError> {
        let m = object(node)?;
        Ok(Self {
            id: m.guid("Id")?,
            ref_id: m.guid("RefId")?,
            time_stamp: m.date("TimeStamp")?,
            reference: m.text("Reference")?,
            data: if let Node::Bool(value) = m.get("Data") { Some(value.to_string()) } else { m.text("Data")? },
        })
    }

    /// What `Data` says of success, in any spelling of 11.16; `None` for anything else.
    #[must_use]
    pub fn success(&self) -> Option<bool> {
        match self.data.as_deref() {
            Some(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for CommandInfo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&Node::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A message gateway as the connector is told of it, one entry per direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GatewayInfo {
    /// Its key for both sides.
    #[serde(serialize_with = "write_plain_guid")]
    pub id: Uuid,
    /// Its name for people.
    pub display_name: Option<String>,
    /// The address of the connector.
    pub peer_address: Option<String>,
    /// The sub-address of the connector.
    pub peer_port: Option<String>,
    /// What it carries.
    pub channel: Channel,
    /// `I` or `O`.
    pub direction: &'static str,
    /// The connector's own configuration of it.
    pub device: Option<String>,
    /// Default language.
    #[serde(serialize_with = "write_guid")]
    pub language_id: Option<Uuid>,
}

fn object(node: &Node) -> Result<&Members, WireError> {
    node.as_object().ok_or_else(|| WireError::on(Code::MalformedBody, "Body", "Body is not an object"))
}

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn acknowledgements_of_the_contract_are_read() {
        let sent: CommandInfo = serde_json::from_str(
            r#"{"Id":"66666666-6666-4666-8666-666666666666","RefId":"44444444-4444-4444-8444-444444444444","Reference":"<real@demo.example>","Data":null}"#,
        )
        .unwrap();
        assert_eq!(sent.reference.as_deref(), Some("<real@demo.example>"));
        assert_eq!(sent.data, None);
        let failed: CommandInfo = serde_json::from_str(
            r#"{"Id":"66666666-6666-4666-8666-666666666666","RefId":"44444444-4444-4444-8444-444444444444","Reference":null,"Data":"550 mailbox full"}"#,
        )
        .unwrap();
        assert_eq!(failed.data.as_deref(), Some("550 mailbox full"));
    }

    #[test]
    fn success_is_read_in_every_spelling() {
        for (data, success) in [
            (json!(true), Some(true)),
            (json!("true"), Some(true)),
            (json!("True"), Some(true)),
            (json!(false), Some(false)),
            (json!("FALSE"), Some(false)),
            (json!("yes"), None),
            (json!(null), None),
        ] {
            let info: CommandInfo = serde_json::from_value(json!({ "Data": data })).unwrap();
            assert_eq!(info.success(), success);
        }
        assert!(serde_json::from_value::<CommandInfo>(json!({"Data": 1})).is_err());
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
            let text = serde_json::to_string(&info).unwrap();
            prop_assert_eq!(serde_json::from_str::<MessageContentInfo>(&text).unwrap(), info);
        }

        #[test]
        fn command_round_trips(id in guid(), ref_id in guid(), time_stamp in date(), reference in text(), data in text()) {
            let info = CommandInfo { id, ref_id, time_stamp, reference, data };
            let text = serde_json::to_string(&info).unwrap();
            prop_assert_eq!(serde_json::from_str::<CommandInfo>(&text).unwrap(), info);
        }
    }
}
