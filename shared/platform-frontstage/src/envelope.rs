//! What connectors post: one envelope, an array of them, or a bare payload with its name in the path (10.1, 10.2).

use http::header::CONTENT_TYPE;
use uuid::Uuid;
use wire::signature::sha256_hex;
use wire::{RawRequest, Verified};

use crate::content::{CommandInfo, MessageContentInfo};
use crate::error::{Code, WireError};
use crate::form::parse_guid;
use crate::json::{Members, Node};

/// Longest body in bytes; a longer one is `TooLarge` (10.1).
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// Most envelopes in one array (10.1).
pub const MAX_ITEMS: usize = 25;

/// Longest message name that is repeated in an answer.
const MAX_NAME: usize = 64;

/// Messages of the catalogue (section 3) that connectors send and that are not served here.
const NOT_SERVED: [&str; 12] = [
    "ES_CHAT_REQUEST",
    "ES_CHAT_START",
    "ES_CHAT_STOP",
    "ES_CHAT_TYPING",
    "ES_CHAT_SENTENCE",
    "ES_CHAT_CONFIRM",
    "ES_CHAT_RESYNC",
    "ES_CHAT_STATUS",
    "ES_SCENARIO_LOAD",
    "ES_SCENARIO_SAVE",
    "ES_WS_ROUTING",
    "ES_WS_LITERALS_GET",
];

/// In which form the caller wrote, and so is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One envelope: the HTTP status follows its outcome.
    Single,
    /// An array: each item tells its own outcome.
    Array,
    /// A payload alone, its name in the path: the answers alone.
    Bare,
}

/// Everything one request brought, in order.
#[derive(Debug)]
pub struct Batch {
    /// How it was written.
    pub form: Form,
    /// 1 to 25 items.
    pub items: Vec<Item>,
}

/// One envelope, right or wrong. A wrong one does not stop the rest.
#[derive(Debug)]
pub struct Item {
    /// Its id, if it has a usable one.
    pub id: Option<Uuid>,
    /// Its message name, if it has one that may be repeated.
    pub name: Option<String>,
    /// What it says, or what is wrong with it.
    pub content: Result<Envelope, WireError>,
}

/// An envelope that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The sender's id of it, the key of its repetitions for 24 hours. A bare payload has none: there the message's own
    /// ids are the only keys.
    pub id: Option<Uuid>,
    /// What it says.
    pub msg: Msg,
    /// Lower-case hex SHA-256 of name and payload in one spelling: the same for the same content, however it is written.
    pub body_sha256: String,
}

/// The messages that are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Msg {
    /// `ES_SL_GETGATEWAYS`: which message gateways are mine?
    GetGateways {
        /// The gateway address the caller names, if any.
        address: Option<String>,
    },
    /// `ES_MESSAGE_RECEIVING`: a visitor wrote.
    MessageReceiving(Box<MessageContentInfo>),
    /// `ES_MESSAGE_SENT`: what became of a message of ours.
    MessageSent(CommandInfo),
}

impl Msg {
    /// The name on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::GetGateways { .. } => "ES_SL_GETGATEWAYS",
            Self::MessageReceiving(_) => "ES_MESSAGE_RECEIVING",
            Self::MessageSent(_) => "ES_MESSAGE_SENT",
        }
    }

    fn read(name: &str, body: &Node) -> Result<Self, WireError> {
        match name {
            "ES_SL_GETGATEWAYS" => match body {
                Node::Null => Ok(Self::GetGateways { address: None }),
                Node::Text(address) => Ok(Self::GetGateways { address: Some(address.clone()).filter(|a| !a.is_empty()) }),
                Node::Bool(_) | Node::Number(_) | Node::List(_) | Node::Object(_) | Node::Bad(_) => {
                    Err(WireError::on(Code::MalformedBody, "Body", "Body is not a string"))
                }
            },
            "ES_MESSAGE_RECEIVING" => Ok(Self::MessageReceiving(Box::new(MessageContentInfo::read(body)?))),
            "ES_MESSAGE_SENT" => CommandInfo::read(body).map(Self::MessageSent).map_err(|error| {
                // What is no GUID is no message of ours either.
                if error.field.as_deref() == Some("Body.Id") { WireError::unknown_message_id() } else { error }
            }),
            _ if ["SE_", "SC_", "CS_"].iter().any(|prefix| name.starts_with(prefix)) => {
                Err(WireError::on(Code::WrongDirection, "Msg", "connectors send ES_ messages only"))
            }
            _ if NOT_SERVED.contains(&name) => {
                Err(WireError::on(Code::UnknownMessage, "Msg", "this message is not served by this installation yet"))
            }
            _ => Err(WireError::on(Code::UnknownMessage, "Msg", "no message has this name")),
        }
    }
}

/// Reads what a proven connector posted. `named` is the message name from the path, for a bare payload.
///
/// # Errors
/// [`WireError`] if nothing in it can be read: too long, not JSON, an empty array or one of more than 25. An item that
/// is wrong by itself carries its own error.
pub fn parse(request: &Verified<RawRequest>, named: Option<&str>) -> Result<Batch, WireError> {
    let request = request.get();
    if request.body.len() > MAX_BODY {
        return Err(WireError::new(Code::TooLarge, "the body is longer than 4 MB"));
    }
    let media_type = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if media_type.to_ascii_lowercase().contains("msgpack") {
        return Err(WireError::new(Code::UnsupportedMediaType, "MessagePack is not read by this installation yet"));
    }
    let document = Node::parse(&request.body)?;
    if let Some(name) = named {
        return Ok(Batch { form: Form::Bare, items: vec![bare_item(name, &document)] });
    }
    match document {
        Node::List(items) if (1..=MAX_ITEMS).contains(&items.len()) => {
            Ok(Batch { form: Form::Array, items: items.iter().map(item).collect() })
        }
        Node::List(_) => Err(WireError::new(Code::MalformedBody, "an array holds 1 to 25 envelopes")),
        Node::Object(_) => Ok(Batch { form: Form::Single, items: vec![item(&document)] }),
        Node::Bad(why) => Err(WireError::new(Code::MalformedBody, why)),
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => {
            Err(WireError::new(Code::MalformedBody, "the body is neither an envelope nor an array of envelopes"))
        }
    }
}

/// The acknowledgements in a connector's answer to a push, `{"Messages":[...]}` (10.3). Whatever else is in it, or wrong
/// with it, is passed over: a push answered 2xx has arrived.
pub(crate) fn sent_in_answer(body: &[u8]) -> Vec<CommandInfo> {
    let Ok(Node::Object(answer)) = Node::parse(body) else { return Vec::new() };
    let Node::List(messages) = answer.get("Messages") else { return Vec::new() };
    let sent = |node: &Node| {
        let members = node.as_object()?;
        let is_sent = members.get("Msg").as_text() == Some("ES_MESSAGE_SENT");
        let body = Some(members.get("Body")).filter(|body| is_sent && body.problem().is_none())?;
        CommandInfo::read(body).ok()
    };
    messages.iter().filter_map(sent).collect()
}

fn item(node: &Node) -> Item {
    let nothing = Members::default();
    let members = node.as_object().unwrap_or(&nothing);
    let id = members.get("Id").as_text().and_then(parse_guid).filter(|id| !id.is_nil());
    let name = members.get("Msg").as_text();
    Item { id, name: shown(name), content: read_envelope(node, members, id, name) }
}

fn read_envelope(node: &Node, members: &Members, id: Option<Uuid>, name: Option<&str>) -> Result<Envelope, WireError> {
    if let Some(why) = node.problem() {
        return Err(WireError::new(Code::MalformedBody, why));
    }
    if !matches!(node, Node::Object(_)) {
        return Err(WireError::new(Code::MalformedBody, "not an envelope"));
    }
    let name = name.ok_or_else(|| WireError::on(Code::MalformedBody, "Msg", "the envelope has no message name"))?;
    let id = id.ok_or_else(|| WireError::on(Code::MalformedBody, "Id", "the envelope has no GUID as its Id"))?;
    let body = members.get("Body");
    Ok(Envelope { id: Some(id), msg: Msg::read(name, body)?, body_sha256: hash(name, body) })
}

fn bare_item(name: &str, body: &Node) -> Item {
    let content = match body.problem() {
        Some(why) => Err(WireError::new(Code::MalformedBody, why)),
        None => Msg::read(name, body).map(|msg| Envelope { id: None, msg, body_sha256: hash(name, body) }),
    };
    Item { id: None, name: shown(Some(name)), content }
}

fn shown(name: Option<&str>) -> Option<String> {
    name.filter(|name| name.len() <= MAX_NAME).map(str::to_owned)
}

fn hash(name: &str, body: &Node) -> String {
    sha256_hex(format!("{name}\n{}", body.canonical()).as_bytes())
}

#[cfg(test)]
pub(crate) mod tests {
    use http::{HeaderMap, Method};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    pub(crate) fn posted(body: impl AsRef<[u8]>) -> Verified<RawRequest> {
        Verified::vouch(RawRequest {
            method: Method::POST,
            path: "/v1/frontstage/gw-mail/messages".into(),
            query: String::new(),
            headers: HeaderMap::new(),
            body: body.as_ref().to_vec().into(),
            request_id: "r".into(),
        })
    }

    const ID: &str = "11111111-1111-4111-8111-111111111111";

    fn one(body: Value) -> Item {
        let batch = parse(&posted(body.to_string()), None).unwrap();
        assert_eq!(batch.form, Form::Single);
        batch.items.into_iter().next().unwrap()
    }

    fn error(body: Value) -> WireError {
        one(body).content.unwrap_err()
    }

    #[test]
    fn envelope_of_the_known_answer_is_read() {
        let body = r#"{"Msg":"ES_SL_GETGATEWAYS","Id":"5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01","Body":"!MailLink"}"#;
        let batch = parse(&posted(body), None).unwrap();
        let envelope = batch.items[0].content.as_ref().unwrap();
        assert_eq!(envelope.id.unwrap().to_string(), "5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01");
        assert_eq!(envelope.msg, Msg::GetGateways { address: Some("!MailLink".into()) });
        assert_eq!(batch.items[0].name.as_deref(), Some("ES_SL_GETGATEWAYS"));
    }

    #[test]
    fn member_names_are_read_in_any_case() {
        let item =
            one(json!({"MSG": "ES_MESSAGE_SENT", "ID": format!("{{{}}}", ID.to_uppercase()), "body": {"ID": ID, "refid": ID}}));
        assert_eq!(item.id, Some(ID.parse().unwrap()));
        let Msg::MessageSent(info) = item.content.unwrap().msg else { panic!() };
        assert_eq!((info.id, info.ref_id), (Some(ID.parse().unwrap()), Some(ID.parse().unwrap())));
    }

    #[test]
    fn array_of_1_to_25_is_read_and_a_wrong_item_stops_no_other() {
        let right = json!({"Msg": "ES_SL_GETGATEWAYS", "Id": ID, "Body": null});
        let batch = parse(&posted(json!([right, 5, {"Msg": "ES_X", "Id": ID}, right]).to_string()), None).unwrap();
        assert_eq!(batch.form, Form::Array);
        let codes: Vec<_> = batch.items.iter().map(|i| i.content.as_ref().err().map(|e| e.code)).collect();
        assert_eq!(codes, [None, Some(Code::MalformedBody), Some(Code::UnknownMessage), None]);
        assert!(parse(&posted(json!(vec![right.clone(); 25]).to_string()), None).is_ok());
        for wrong in [json!([]), json!(vec![right; 26]), json!("x"), json!(null), json!(1)] {
            assert_eq!(parse(&posted(wrong.to_string()), None).unwrap_err().code, Code::MalformedBody);
        }
        let duplicate =
            format!(r#"[{{"Msg":"ES_SL_GETGATEWAYS","msg":"x","Id":"{ID}"}},{{"Msg":"ES_SL_GETGATEWAYS","Id":"{ID}"}}]"#);
        let batch = parse(&posted(duplicate), None).unwrap();
        assert_eq!(batch.items[0].content.as_ref().unwrap_err().code, Code::MalformedBody);
        assert!(batch.items[1].content.is_ok());
    }

    #[test]
    fn envelope_without_a_usable_id_or_name_is_malformed() {
        for id in [json!(null), json!(""), json!("x"), json!(5), json!("00000000-0000-0000-0000-000000000000")] {
            let error = error(json!({"Msg": "ES_SL_GETGATEWAYS", "Id": id, "Body": null}));
            assert_eq!((error.code, error.field.as_deref()), (Code::MalformedBody, Some("Id")));
        }
        assert_eq!(error(json!({"Id": ID})).field.as_deref(), Some("Msg"));
        assert_eq!(error(json!({"Id": ID, "Msg": 5})).code, Code::MalformedBody);
    }

    #[test]
    fn names_are_told_apart() {
        let code = |name: &str| error(json!({"Msg": name, "Id": ID, "Body": null})).code;
        for name in
            ["SE_MESSAGE_RECEIVED", "SC_CHAT_ALERT", "CS_CHAT_RESNYC", "CS_CHAT_RESYNC", "SC_CHAT_CONFIRM", "SE_CHAT_START"]
        {
            assert_eq!(code(name), Code::WrongDirection, "{name}");
        }
        for name in ["", "ES_CHAT_REST", "es_sl_getgateways", "XX"] {
            assert_eq!(error(json!({"Msg": name, "Id": ID})).message, "no message has this name", "{name}");
        }
        for name in NOT_SERVED {
            let error = error(json!({"Msg": name, "Id": ID}));
            assert_eq!(error.code, Code::UnknownMessage);
            assert_eq!(error.message, "this message is not served by this installation yet");
        }
        // 15 ES_ names in the catalogue (section 3).
        assert_eq!(NOT_SERVED.len() + 3, 15);
        assert_eq!(one(json!({"Msg": "E".repeat(65), "Id": ID})).name, None);
    }

    #[test]
    fn payload_of_the_wrong_shape_is_an_error_with_its_field() {
        let body = |msg: &str, body: Value| error(json!({"Msg": msg, "Id": ID, "Body": body}));
        assert_eq!(body("ES_SL_GETGATEWAYS", json!({})).code, Code::MalformedBody);
        assert_eq!(body("ES_MESSAGE_RECEIVING", json!(null)).code, Code::MalformedBody);
        let wrong = body("ES_MESSAGE_RECEIVING", json!({"GatewayId": 5}));
        assert_eq!((wrong.code, wrong.field.as_deref()), (Code::ValidationFailed, Some("Body.GatewayId")));
        assert_eq!(body("ES_MESSAGE_SENT", json!({"Id": "gone"})).code, Code::UnknownMessageId);
        assert_eq!(body("ES_MESSAGE_SENT", json!({"RefId": "gone"})).code, Code::ValidationFailed);
    }

    #[test]
    fn bare_payload_has_no_envelope_id() {
        let batch = parse(&posted(r#""!MailLink""#), Some("ES_SL_GETGATEWAYS")).unwrap();
        assert_eq!(batch.form, Form::Bare);
        let envelope = batch.items[0].content.as_ref().unwrap();
        assert_eq!((envelope.id, &envelope.msg), (None, &Msg::GetGateways { address: Some("!MailLink".into()) }));
        let wrong = parse(&posted("{}"), Some("SE_MESSAGE_SENDING")).unwrap();
        assert_eq!(wrong.items[0].content.as_ref().unwrap_err().code, Code::WrongDirection);
        assert_eq!(parse(&posted(""), Some("ES_SL_GETGATEWAYS")).unwrap_err().code, Code::MalformedBody);
    }

    #[test]
    fn body_hash_depends_on_content_and_not_on_spelling() {
        let hash = |body: &str| parse(&posted(body), None).unwrap().items.remove(0).content.unwrap().body_sha256;
        let plain = hash(&format!(r#"{{"Msg":"ES_MESSAGE_SENT","Id":"{ID}","Body":{{"Id":"{ID}","Data":"x"}}}}"#));
        let other = hash(&format!(
            r#"{{ "Body":{{"Data":"\u0078", "Id":"{ID}"}},"Time":"2026-01-01T00:00:00Z","Id":"{ID}","Msg":"ES_MESSAGE_SENT"}}"#
        ));
        assert_eq!(plain, other);
        assert_ne!(plain, hash(&format!(r#"{{"Msg":"ES_MESSAGE_SENT","Id":"{ID}","Body":{{"Id":"{ID}","Data":"y"}}}}"#)));
    }

    #[test]
    fn limits_of_the_body_hold() {
        assert_eq!(parse(&posted(vec![b' '; MAX_BODY + 1]), None).unwrap_err().code, Code::TooLarge);
        let mut packed = posted("\u{2}").get().clone();
        packed.headers.insert(CONTENT_TYPE, "application/vnd.msgpack".parse().unwrap());
        assert_eq!(parse(&Verified::vouch(packed), None).unwrap_err().code, Code::UnsupportedMediaType);
        let deep = format!(r#"{{"Msg":"ES_SL_GETGATEWAYS","Id":"{ID}","Body":{}{}}}"#, "[".repeat(40), "]".repeat(40));
        assert_eq!(parse(&posted(deep), None).unwrap().items[0].content.as_ref().unwrap_err().message, "nested deeper than 32");
    }

    #[test]
    fn answers_to_pushes_are_searched_for_acknowledgements() {
        let answer = format!(
            r#"{{"Messages":[{{"Msg":"ES_CHAT_CONFIRM"}},5,{{"Msg":"ES_MESSAGE_SENT","Body":{{"Id":"{ID}"}}}},{{"Msg":"ES_MESSAGE_SENT","Body":{{"Id":"x"}}}},{{"Msg":"ES_MESSAGE_SENT","Body":{{"Id":"{ID}","id":"{ID}"}}}}]}}"#
        );
        let sent = sent_in_answer(answer.as_bytes());
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].id, Some(ID.parse().unwrap()));
        for other in ["", "OK", "{}", "[]", r#"{"Messages":{}}"#] {
            assert!(sent_in_answer(other.as_bytes()).is_empty());
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "(?s).{0,6}".prop_map(Value::from),
            prop_oneof![
                Just("ES_MESSAGE_RECEIVING"),
                Just("ES_MESSAGE_SENT"),
                Just("ES_SL_GETGATEWAYS"),
                Just(ID),
                Just("2026-01-01T00:00:00Z")
            ]
            .prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 8, |inner| {
            let name = prop_oneof![
                Just("Msg"),
                Just("Id"),
                Just("Body"),
                Just("body"),
                Just("GatewayId"),
                Just("RemoteAddress"),
                Just("ReceivedSentTime"),
                Just("Data"),
                Just("Reference")
            ]
            .prop_map(str::to_owned);
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map(name, inner, 0..6).prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn parsing_never_panics_on_any_json(value in json(), named in proptest::option::of("ES_[A-Z_]{0,10}|ES_MESSAGE_SENT|ES_MESSAGE_RECEIVING")) {
            let _ = parse(&posted(value.to_string()), named.as_deref());
            let _ = sent_in_answer(value.to_string().as_bytes());
        }
    }
}
