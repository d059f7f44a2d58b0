//! What a connector is answered.

use http::StatusCode;
use model::{AccountId, EpochMillis, MessageId};
use uuid::Uuid;
use wire::Reply;

use crate::auth::Nonce;
use crate::content::{CommandInfo, Data, GatewayInfo, MessageContentInfo};
use crate::envelope::{Envelope, Form, Item};
use crate::error::{Warning, WireError};
use crate::form::derived_guid;
use crate::media::Format;
use crate::message::{Legacy, OutBody};
use crate::node::Node;
use crate::settings::Settings;
use crate::words::Direction;

/// An envelope of ours (10.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutEnvelope {
    /// Our id of the envelope.
    pub id: Uuid,
    /// When it was made.
    pub time: EpochMillis,
    /// Place in the gateway's stream; `None` for an answer that takes none, because a number would cost a write of its own.
    pub seq: Option<u64>,
    /// The envelope it answers.
    pub in_reply_to: Option<Uuid>,
    /// Message and payload.
    pub body: OutBody,
    /// Remarks on what is answered; null when there are none.
    pub warnings: Option<Vec<Warning>>,
}

impl OutEnvelope {
    /// The envelope as it is written. To be kept for a reader whose format is not known yet, it is best kept as
    /// MessagePack, which tells dates from texts.
    #[must_use]
    pub fn to_node(&self, legacy: Legacy) -> Node {
        let warnings = self.warnings.as_ref().map(|warnings| Node::List(warnings.iter().map(Node::from).collect()));
        Node::object([
            ("Msg", self.body.name(legacy).into()),
            ("Id", self.id.into()),
            ("Time", self.time.into()),
            ("Seq", self.seq.into()),
            ("InReplyTo", self.in_reply_to.into()),
            ("Body", self.body.to_node(legacy)),
            ("Warnings", warnings.unwrap_or(Node::Null)),
        ])
    }
}

impl OutEnvelope {
    /// The envelope as it is kept at a place of a stream, for [`crate::given_envelope`].
    #[must_use]
    pub fn kept_at(&self, seq: u64, legacy: Legacy) -> Vec<u8> {
        Format::MsgPack.write(&Self { seq: Some(seq), ..self.clone() }.to_node(legacy))
    }
}

/// The head of an answer: whom it answers and when. Its id follows from the request, so that the answer to a repeated
/// request is recognised as the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    seed: String,
    in_reply_to: Option<Uuid>,
    time: EpochMillis,
}

impl Head {
    /// Answers `envelope`, which `account` sent. `nonce` stands in for the id of a bare payload, which has none.
    #[must_use]
    pub fn answering(account: &AccountId, envelope: &Envelope, nonce: &Nonce, now: EpochMillis) -> Self {
        let seed = match envelope.id {
            Some(id) => format!("{account}\n{id}"),
            None => format!("{account}\n{}\n{}", nonce.key_id, nonce.value),
        };
        Self { seed, in_reply_to: envelope.id, time: now }
    }

    /// The id of what is stored because of the request, for a form that names none.
    #[must_use]
    pub fn result_id(&self) -> Uuid {
        derived_guid(&["result", &self.seed])
    }

    fn envelope(&self, outcome: &str, body: OutBody, warnings: Vec<Warning>) -> OutEnvelope {
        OutEnvelope {
            // A refused message may be sent again and be taken then: another answer, another id.
            id: derived_guid(&["reply", &self.seed, body.name(Legacy::default()), outcome]),
            time: self.time,
            seq: None,
            in_reply_to: self.in_reply_to,
            body,
            warnings: Some(warnings).filter(|w| !w.is_empty()),
        }
    }
}

/// `SE_SL_MSGGATEWAYS`: the caller's message gateways, one that works both ways twice (11.21).
#[must_use]
pub fn gateways_reply(settings: &Settings) -> OutBody {
    let mut gateways = Vec::new();
    for gateway in &settings.message_gateways {
        let directions: &[Direction] = match gateway.direction {
            Direction::Both => &[Direction::Inbound, Direction::Outbound],
            Direction::Inbound => &[Direction::Inbound],
            Direction::Outbound => &[Direction::Outbound],
        };
        gateways.extend(directions.iter().map(|&direction| GatewayInfo {
            id: gateway.id,
            display_name: gateway.display_name.clone(),
            peer_address: Some(settings.peer_address.clone()),
            peer_port: settings.peer_port.clone(),
            channel: gateway.channel,
            direction,
            device: gateway.device.clone(),
            language_id: gateway.language_id,
        }));
    }
    OutBody::Gateways(gateways)
}

/// `SE_MESSAGE_RECEIVED`: whether `request` was taken. `stored` is the message it became, `None` for a refusal, whose
/// reasons are `warnings` then.
#[must_use]
pub fn received_reply(
    head: &Head,
    request: &MessageContentInfo,
    stored: Option<MessageId>,
    warnings: Vec<Warning>,
) -> OutEnvelope {
    let data = if stored.is_some() { "true" } else { "false" };
    let command = CommandInfo {
        id: stored.and_then(|id| Uuid::try_parse(&id.to_string()).ok()),
        ref_id: request.gateway_id,
        time_stamp: Some(head.time),
        reference: request.request_id.clone().filter(|r| !r.is_empty()),
        data: Some(Data(data.to_owned())),
    };
    head.envelope(data, OutBody::MessageReceived(command), warnings)
}

/// What became of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was handled.
    Accepted,
    /// It had been handled before.
    Duplicate,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Duplicate => "Duplicate",
        }
    }
}

/// The answer to a request, item by item.
#[derive(Debug)]
pub struct Answer {
    form: Form,
    format: Format,
    legacy: Legacy,
    is_async: bool,
    results: Vec<Node>,
    replies: Vec<Node>,
    last_error: Option<WireError>,
    request_id: String,
}

impl Answer {
    /// An answer in the form of the request, in JSON and without legacy names. `request_id` is what an error quotes.
    #[must_use]
    pub fn new(form: Form, request_id: &str) -> Self {
        Self {
            form,
            format: Format::default(),
            legacy: Legacy::default(),
            is_async: false,
            results: Vec::new(),
            replies: Vec::new(),
            last_error: None,
            request_id: request_id.to_owned(),
        }
    }

    /// The same in another format.
    #[must_use]
    pub const fn in_format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// The same with the names the sender was promised.
    #[must_use]
    pub const fn with_legacy(mut self, legacy: Legacy) -> Self {
        self.legacy = legacy;
        self
    }

    /// The same for a sender who [wants its answers later](crate::wants_async): 202, as long as there is nothing that can
    /// only be answered now.
    #[must_use]
    pub const fn later(mut self, is_async: bool) -> Self {
        self.is_async = is_async;
        self
    }

    /// Adds an item that was handled, with what is answered to it.
    pub fn accept(&mut self, item: &Item, outcome: Outcome, replies: impl IntoIterator<Item = OutEnvelope>) {
        self.results.push(result(item, outcome.as_str(), Node::Null));
        let legacy = self.legacy;
        self.replies.extend(replies.into_iter().map(|reply| reply.to_node(legacy)));
    }

    /// Adds an item that was handled, answered by envelopes of the sender's stream.
    pub fn accept_placed(&mut self, item: &Item, outcome: Outcome, replies: impl IntoIterator<Item = Node>) {
        self.results.push(result(item, outcome.as_str(), Node::Null));
        self.replies.extend(replies);
    }

    /// Adds an item that was not handled, and was answered all the same (5.1 row 32).
    pub fn reject_placed(&mut self, item: &Item, error: WireError, replies: impl IntoIterator<Item = Node>) {
        self.reject(item, error);
        self.replies.extend(replies);
    }

    /// Adds an `ES_SCENARIO_SAVE` that was handled, which is answered by the id of what was stored alone (section 12).
    pub fn accept_saved(&mut self, item: &Item, outcome: Outcome, result_id: Uuid) {
        self.results.push(result(item, outcome.as_str(), Node::Null).with("ResultId", result_id.into()));
    }

    /// Adds an item that was not.
    pub fn reject(&mut self, item: &Item, error: WireError) {
        self.results.push(result(item, "Rejected", error.to_node(&self.request_id)));
        self.last_error = Some(error);
    }

    /// The last error among its items.
    #[must_use]
    pub const fn last_error(&self) -> Option<&WireError> {
        self.last_error.as_ref()
    }

    /// The HTTP reply. For an array it is 200 and each item tells its own; for a single envelope the status follows its
    /// outcome and its error stands at the top as well; for a bare payload it is the answers alone, or the error.
    #[must_use]
    pub fn into_reply(self) -> Reply {
        let status = if self.is_async && self.replies.is_empty() { StatusCode::ACCEPTED } else { StatusCode::OK };
        let replies = Node::List(self.replies);
        let error = self.last_error.filter(|_| self.form != Form::Array);
        match (self.form, error) {
            (Form::Bare, Some(error)) => error.to_reply_in(self.format, &self.request_id),
            (Form::Bare, None) => self.format.reply(status, &replies),
            (Form::Single | Form::Array, error) => {
                let body = Node::object([("Results", Node::List(self.results)), ("Replies", replies)]);
                match error {
                    None => self.format.reply(status, &body),
                    Some(error) => {
                        let body = body.with("Error", error.to_node(&self.request_id));
                        error.dress(self.format.reply(error.status(), &body))
                    }
                }
            }
        }
    }
}

fn result(item: &Item, outcome: &str, error: Node) -> Node {
    Node::object([("Id", item.id.into()), ("Msg", item.name.as_deref().into()), ("Outcome", outcome.into()), ("Error", error)])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::envelope::tests::{CONNECTOR, posted};
    use crate::envelope::{Batch, parse};
    use crate::error::Code;
    use crate::settings::tests::{MAIL, SMS_IN, SMS_OUT, settings};
    use crate::structure::Dir;
    use crate::structure::tests::{read, shown as as_json};

    const ID: &str = "11111111-1111-4111-8111-111111111111";
    const NOW: EpochMillis = EpochMillis::new(1_767_225_601_000);

    fn batch(body: &Value, named: Option<&str>) -> Batch {
        parse(&posted(body.to_string()), named, CONNECTOR).unwrap()
    }

    fn nonce() -> Nonce {
        Nonce { key_id: "k1".into(), value: "n-1".into() }
    }

    fn head(item: &Item) -> Head {
        Head::answering(&"frontstage/gw-mail".parse().unwrap(), item.content.as_ref().unwrap(), &nonce(), NOW)
    }

    fn listed(item: &Item) -> OutEnvelope {
        head(item).envelope("", gateways_reply(&settings()), Vec::new())
    }

    fn shown(reply: &Reply) -> Value {
        serde_json::from_slice(&reply.body).unwrap()
    }

    #[test]
    fn row_11_21_gateways_are_listed_once_per_direction() {
        let batch = batch(&json!({"Msg": "ES_SL_GETGATEWAYS", "Id": ID, "Body": "!MailLink"}), None);
        let mut answer = Answer::new(batch.form, "r-1");
        answer.accept(&batch.items[0], Outcome::Accepted, [listed(&batch.items[0])]);
        let reply = answer.into_reply();
        assert_eq!(reply.status, 200);
        let mut body = shown(&reply);
        let id = body["Replies"][0]["Id"].take();
        assert_eq!(id.as_str().unwrap().len(), 36);
        let row = |id: &str, name: Value, channel: &str, direction: &str, device: Value, language: Value| {
            json!({"Id": id, "DisplayName": name, "PeerAddress": "!MailLink", "PeerPort": null, "Channel": channel,
                   "Direction": direction, "Device": device, "LanguageId": language})
        };
        assert_eq!(
            body,
            json!({
                "Results": [{"Id": ID, "Msg": "ES_SL_GETGATEWAYS", "Outcome": "Accepted", "Error": null}],
                "Replies": [{"Msg": "SE_SL_MSGGATEWAYS", "Id": null, "Time": "2026-01-01T00:00:01.000Z", "Seq": null,
                    "InReplyTo": ID, "Warnings": null, "Body": [
                        row(MAIL, json!("Mail"), "Email", "I", json!("DropFolder {}"), json!(null)),
                        row(MAIL, json!("Mail"), "Email", "O", json!("DropFolder {}"), json!(null)),
                        row(SMS_IN, json!(null), "SMS", "I", json!(null), json!("88888888-8888-4888-8888-888888888888")),
                        row(SMS_OUT, json!(null), "SMS", "O", json!(null), json!(null)),
                ]}]
            })
        );
    }

    fn receiving() -> Value {
        json!({"DeliverySystemId": "sms-7", "RequestId": "33333333-3333-4333-8333-333333333333", "GatewayId": MAIL.to_uppercase(),
               "RemoteAddress": "+420700000000", "ReceivedSentTime": "2026-01-01T00:00:00Z"})
    }

    #[test]
    fn received_message_is_answered_as_in_the_contract() {
        let batch = batch(&receiving(), Some("ES_MESSAGE_RECEIVING"));
        let item = &batch.items[0];
        let request: MessageContentInfo = read(&receiving(), Dir::Es).unwrap();
        let stored = "00112233-4455-8667-9e22-640000000001".parse().ok();
        let reply = received_reply(&head(item), &request, stored, Vec::new());
        assert_eq!(
            String::from_utf8(Format::Json.write(&reply.body.to_node(Legacy::default()))).unwrap(),
            r#"{"Id":"00112233-4455-8667-9e22-640000000001","RefId":"44444444-4444-4444-8444-444444444444","TimeStamp":"2026-01-01T00:00:01.000Z","Reference":"33333333-3333-4333-8333-333333333333","Data":"true"}"#
        );
        let mut answer = Answer::new(batch.form, "r-1");
        answer.accept(item, Outcome::Accepted, [reply]);
        let body = shown(&answer.into_reply());
        assert_eq!(body[0]["Msg"], "SE_MESSAGE_RECEIVED");
        assert_eq!(body[0]["InReplyTo"], Value::Null);
        assert_eq!(body[0]["Body"]["Data"], "true");
    }

    #[test]
    fn refused_message_is_answered_false_with_the_reasons() {
        let batch = batch(&json!({"Msg": "ES_MESSAGE_RECEIVING", "Id": ID, "Body": {"GatewayId": MAIL}}), None);
        let request: MessageContentInfo = read(&json!({"GatewayId": MAIL}), Dir::Es).unwrap();
        let warning = Warning { code: "Missing", field: "Body.RemoteAddress".into(), message: "RemoteAddress is missing".into() };
        let no = received_reply(&head(&batch.items[0]), &request, None, vec![warning]);
        assert_eq!(
            as_json(&no.body.to_node(Legacy::default())),
            json!({"Id": null, "RefId": MAIL, "TimeStamp": "2026-01-01T00:00:01.000Z", "Reference": null, "Data": "false"})
        );
        assert_eq!(
            as_json(&no.to_node(Legacy::default()))["Warnings"],
            json!([{"Code": "Missing", "Field": "Body.RemoteAddress", "Message": "RemoteAddress is missing"}])
        );
        let yes =
            received_reply(&head(&batch.items[0]), &request, "00112233-4455-8667-9e22-640000000001".parse().ok(), Vec::new());
        assert_ne!(no.id, yes.id);
    }

    #[test]
    fn repeated_request_gets_an_answer_with_the_same_id() {
        let body = json!({"Msg": "ES_SL_GETGATEWAYS", "Id": ID});
        let (one, other) = (batch(&body, None), batch(&body, None));
        let id = |b: &Batch| listed(&b.items[0]).id;
        assert_eq!(id(&one), id(&other));
        let bare = batch(&json!("!MailLink"), Some("ES_SL_GETGATEWAYS"));
        assert_ne!(id(&one), id(&bare));
    }

    #[test]
    fn status_follows_the_outcome_of_a_single_envelope_only() {
        let single = batch(&json!({"Msg": "ES_X", "Id": ID}), None);
        let mut answer = Answer::new(single.form, "r-1");
        let Batch { items, form, .. } = single;
        let item = items.into_iter().next().unwrap();
        let error = item.content.as_ref().unwrap_err().clone();
        answer.reject(&item, error.clone());
        let reply = answer.into_reply();
        assert_eq!((form, reply.status.as_u16()), (Form::Single, 400));
        let expected = json!({"Code": "UnknownMessage", "Message": "no message has this name", "Field": "Msg", "Retryable": false, "RequestId": "r-1"});
        assert_eq!(
            shown(&reply),
            json!({"Results": [{"Id": ID, "Msg": "ES_X", "Outcome": "Rejected", "Error": expected}], "Replies": [], "Error": expected})
        );

        let mut array = Answer::new(Form::Array, "r-1");
        array.reject(&item, error.clone());
        array.accept(&item, Outcome::Duplicate, []);
        let reply = array.into_reply();
        assert_eq!(reply.status, 200);
        assert_eq!(shown(&reply)["Results"][1]["Outcome"], "Duplicate");
        assert_eq!(shown(&reply).get("Error"), None);

        let mut bare = Answer::new(Form::Bare, "r-1");
        bare.reject(&item, WireError::new(Code::Unavailable, "a service is away"));
        let reply = bare.into_reply();
        assert_eq!(reply.status, 503);
        assert_eq!(reply.headers["retry-after"], "5");
        assert_eq!(shown(&reply)["Error"]["Code"], "Unavailable");
    }

    #[test]
    fn answer_in_messagepack_says_the_same() {
        let batch = batch(&json!({"Msg": "ES_SL_GETGATEWAYS", "Id": ID, "Body": "!MailLink"}), None);
        let reply = |format| {
            let mut answer = Answer::new(batch.form, "r-1").in_format(format);
            answer.accept(&batch.items[0], Outcome::Accepted, [listed(&batch.items[0])]);
            answer.into_reply()
        };
        let packed = reply(Format::MsgPack);
        assert_eq!((packed.status.as_u16(), &packed.headers["content-type"]), (200, &"application/vnd.msgpack".parse().unwrap()));
        let node = Format::MsgPack.parse(&packed.body).unwrap();
        assert_eq!(as_json(&node), shown(&reply(Format::Json)));
        // Dates are timestamps there.
        let Node::List(replies) = node.as_object().unwrap().get("Replies") else { panic!() };
        assert_eq!(replies[0].as_object().unwrap().get("Time"), &Node::Time(NOW));
        let error = WireError::new(Code::Internal, "x").to_reply_in(Format::MsgPack, "r-1");
        assert_eq!(as_json(&Format::MsgPack.parse(&error.body).unwrap())["Error"]["Code"], "Internal");
    }

    #[test]
    fn answers_are_deferred_only_where_none_is_given_now() {
        let batch = batch(&json!({"Msg": "ES_SL_GETGATEWAYS", "Id": ID, "Body": "!MailLink"}), None);
        let status = |replies: Vec<OutEnvelope>, is_async| {
            let mut answer = Answer::new(batch.form, "r-1").later(is_async);
            answer.accept(&batch.items[0], Outcome::Accepted, replies);
            answer.into_reply().status.as_u16()
        };
        let reply = || vec![listed(&batch.items[0])];
        assert_eq!((status(vec![], true), status(vec![], false), status(reply(), true)), (202, 200, 200));
        let mut refused = Answer::new(batch.form, "r-1").later(true);
        refused.reject(&batch.items[0], WireError::new(Code::AlertOver, "x"));
        assert_eq!(refused.into_reply().status, 409);
    }

    #[test]
    fn saved_form_is_answered_by_its_id() {
        let batch = batch(&json!({"Msg": "ES_SCENARIO_SAVE", "Id": ID, "Body": {}}), None);
        let mut answer = Answer::new(batch.form, "r-1");
        answer.accept_saved(&batch.items[0], Outcome::Accepted, MAIL.parse().unwrap());
        assert_eq!(
            shown(&answer.into_reply()),
            json!({"Results": [{"Id": ID, "Msg": "ES_SCENARIO_SAVE", "Outcome": "Accepted", "Error": null, "ResultId": MAIL}],
                   "Replies": []})
        );
    }
}
