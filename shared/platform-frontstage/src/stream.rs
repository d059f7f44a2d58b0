//! Envelopes in a stream: how they are kept, and how they are given out (10.2, 10.3).

use http::StatusCode;
use model::EpochMillis;
use uuid::Uuid;
use wire::Reply;

use crate::error::{Code, WireError};
use crate::form::derived_guid;
use crate::media::Format;
use crate::message::{Legacy, OutBody};
use crate::node::Node;
use crate::reply::OutEnvelope;

/// The envelope at a place of a stream, as it is kept: as MessagePack, which tells dates from texts, so that the reader's
/// format need not be known yet. `stream` names the stream: with the place it makes the envelope's id.
#[must_use]
pub fn kept_envelope(
    body: OutBody,
    legacy: Legacy,
    stream: &str,
    seq: u64,
    time: EpochMillis,
    in_reply_to: Option<Uuid>,
) -> Vec<u8> {
    let envelope = OutEnvelope { id: id(stream, seq), time, seq: Some(seq), in_reply_to, body, warnings: None };
    Format::MsgPack.write(&envelope.to_node(legacy))
}

/// The same as it is given out. A place without one, because it was never filled or what was there has become void, is a
/// `Skip` of that time.
///
/// # Errors
/// `MalformedBody` if it is not what was kept.
pub fn given_envelope(kept: &[u8], stream: &str, seq: u64, time: EpochMillis) -> Result<Node, WireError> {
    if kept.is_empty() {
        let skip =
            OutEnvelope { id: id(stream, seq), time, seq: Some(seq), in_reply_to: None, body: OutBody::Skip, warnings: None };
        return Ok(skip.to_node(Legacy::default()));
    }
    Format::MsgPack.parse(kept)
}

/// The envelope of an attempt as it waits to be fetched: without its place, and without the time at which the attempt begins
/// (section 6).
pub(crate) fn offered_envelope(envelope: &OutEnvelope) -> Vec<u8> {
    Format::MsgPack.write(&envelope.to_node(Legacy::default()))
}

/// The same as it is handed out at this place. The attempt began at `started_at`, so whoever fetches it again gets the same.
///
/// # Errors
/// `MalformedBody` if it is not what was kept.
pub fn handed_envelope(kept: &[u8], seq: u64, started_at: EpochMillis) -> Result<Node, WireError> {
    let mut node = Format::MsgPack.parse(kept)?.with("Seq", seq.into()).with("Time", started_at.into());
    if let Some(body) = node.member_mut("Body") {
        *body = std::mem::take(body).with("ReceivedSentTime", started_at.into());
    }
    Ok(node)
}

/// A text as it stands in what is kept of an envelope. Its length comes before it, so a longer text that holds it is another.
#[must_use]
pub fn text_in_stream(text: &str) -> Vec<u8> {
    Format::MsgPack.write(&Node::from(text))
}

fn id(stream: &str, seq: u64) -> Uuid {
    derived_guid(&["stream", stream, &seq.to_string()])
}

/// The answer to a reader of a stream (10.3).
#[derive(Debug, Clone, PartialEq)]
pub enum StreamAnswer {
    /// Events, possibly none.
    Page {
        /// The envelopes, in order.
        events: Vec<Node>,
        /// Where to go on after.
        next: u64,
        /// Whether there is more already.
        more: bool,
    },
    /// The place asked for is gone: RESYNC, and go on after `next`.
    Expired {
        /// Where to go on after.
        next: u64,
    },
    /// How the stream stands (10.1, `health`).
    Health {
        /// The server's time.
        time: EpochMillis,
        /// The last number that was given out.
        cursor: u64,
        /// The oldest number that is kept.
        oldest: u64,
    },
}

impl StreamAnswer {
    /// The HTTP reply.
    #[must_use]
    pub fn into_reply(self, format: Format, request_id: &str) -> Reply {
        match self {
            Self::Page { events, next, more } => {
                let body = Node::object([("Events", Node::List(events)), ("Next", next.into()), ("More", more.into())]);
                format.reply(StatusCode::OK, &body)
            }
            Self::Expired { next } => {
                let error = WireError::on(Code::CursorExpired, "after", "what came after it is no longer kept");
                let body = Node::object([("Error", error.to_node(request_id)), ("Next", next.into())]);
                format.reply(error.status(), &body)
            }
            Self::Health { time, cursor, oldest } => {
                let body = Node::object([("Time", time.into()), ("Cursor", cursor.into()), ("Oldest", oldest.into())]);
                format.reply(StatusCode::OK, &body)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chat::ChatCommandInfo;
    use crate::structure::tests::shown;

    const NOW: EpochMillis = EpochMillis::new(1_767_225_600_000);

    fn typing() -> OutBody {
        OutBody::ChatTyping(ChatCommandInfo { time_stamp: Some(NOW), is_typing: Some(true), ..ChatCommandInfo::default() })
    }

    #[test]
    fn kept_envelope_is_given_out_with_its_place() {
        let in_reply_to = "11111111-1111-4111-8111-111111111111".parse().ok();
        let kept = kept_envelope(typing(), Legacy::default(), "frontstage/gw-chat", 18, NOW, in_reply_to);
        let node = given_envelope(&kept, "frontstage/gw-chat", 18, EpochMillis::new(0)).unwrap();
        assert_eq!(
            shown(&node),
            json!({
                "Msg": "SE_CHAT_TYPING", "Id": id("frontstage/gw-chat", 18).to_string(), "Time": "2026-01-01T00:00:00.000Z", "Seq": 18,
                "InReplyTo": "11111111-1111-4111-8111-111111111111", "Warnings": null,
                "Body": {"Peer": null, "Port": null, "TrackingId": null, "TimeStamp": "2026-01-01T00:00:00.000Z", "IsTyping": true}
            })
        );
        // A date stays one in MessagePack.
        assert_eq!(node.as_object().unwrap().get("Time"), &Node::Time(NOW));
        assert!(given_envelope(&[0xc1], "a", 1, NOW).is_err());
    }

    #[test]
    fn empty_place_is_a_skip_with_the_id_of_its_place() {
        let skip = |stream: &str, seq| shown(&given_envelope(&[], stream, seq, NOW).unwrap());
        let seventh = skip("a", 7);
        assert_eq!((&seventh["Msg"], &seventh["Seq"], &seventh["Body"]), (&json!("Skip"), &json!(7), &json!(null)));
        assert_eq!(seventh["Time"], "2026-01-01T00:00:00.000Z");
        assert_eq!(seventh["Id"], skip("a", 7)["Id"]);
        assert_ne!(seventh["Id"], skip("a", 8)["Id"]);
        assert_ne!(seventh["Id"], skip("b", 7)["Id"]);
    }

    #[test]
    fn answers_to_readers_are_those_of_the_contract() {
        let body = |answer: StreamAnswer| {
            let reply = answer.into_reply(Format::Json, "r-1");
            (reply.status.as_u16(), serde_json::from_slice::<serde_json::Value>(&reply.body).unwrap())
        };
        let page = StreamAnswer::Page { events: vec![Node::Null], next: 57, more: false };
        assert_eq!(body(page), (200, json!({"Events": [null], "Next": 57, "More": false})));
        let (status, gone) = body(StreamAnswer::Expired { next: 40 });
        assert_eq!((status, &gone["Error"]["Code"], &gone["Next"]), (410, &json!("CursorExpired"), &json!(40)));
        let health = StreamAnswer::Health { time: NOW, cursor: 3, oldest: 1 };
        assert_eq!(body(health), (200, json!({"Time": "2026-01-01T00:00:00.000Z", "Cursor": 3, "Oldest": 1})));
    }
}
