//! What connectors and agent clients post: one envelope, an array of them, or a bare payload with its name in the path (10.1, 10.2).

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use uuid::Uuid;
use wire::signature::sha256_hex;
use wire::{HttpAnswer, RawRequest, Verified};

use crate::content::CommandInfo;
use crate::error::{Code, WireError};
use crate::json;
use crate::media::Format;
use crate::message::{Msg, Side};
use crate::node::{Members, Node};
use crate::structure::{Dir, Structure, guid};

/// Longest body in bytes; a longer one is `TooLarge` (10.1).
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// Most envelopes in one array (10.1).
pub const MAX_ITEMS: usize = 25;

/// Longest message name that is repeated in an answer.
const MAX_NAME: usize = 64;

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
    /// In which format.
    pub format: Format,
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
    /// How many members of the payload nobody knows. They are ignored; the number is for diagnosis (2.2).
    pub unknown_members: usize,
}

/// Reads what a proven sender posted. `named` is the message name from the path, for a bare payload.
///
/// # Errors
/// [`WireError`] if nothing in it can be read: too long, of no known format, an empty array or one of more than 25. An
/// item that is wrong by itself carries its own error.
pub fn parse(request: &Verified<RawRequest>, named: Option<&str>, side: Side<'_>) -> Result<Batch, WireError> {
    let request = request.get();
    if request.body.len() > MAX_BODY {
        return Err(WireError::new(Code::TooLarge, "the body is longer than 4 MB"));
    }
    let format = Format::of_body(&request.headers)?;
    let document = format.parse(&request.body)?;
    let (form, items) = match (named, document) {
        (Some(name), document) => (Form::Bare, vec![bare_item(name, &document, side)]),
        (None, Node::List(items)) if (1..=MAX_ITEMS).contains(&items.len()) => {
            (Form::Array, items.iter().map(|node| item(node, side)).collect())
        }
        (None, Node::List(_)) => return Err(WireError::new(Code::MalformedBody, "an array holds 1 to 25 envelopes")),
        (None, document @ Node::Object(_)) => (Form::Single, vec![item(&document, side)]),
        (None, Node::Bad(why)) => return Err(WireError::new(Code::MalformedBody, why)),
        (None, _) => {
            return Err(WireError::new(Code::MalformedBody, "the body is neither an envelope nor an array of envelopes"));
        }
    };
    Ok(Batch { form, format, items })
}

/// What a connector says in its answer to a push, `{"Messages":[...]}` (10.3). Whatever else is in the answer, or wrong with
/// it, is passed over: a push answered 2xx has arrived.
pub(crate) struct Said(Vec<Node>);

impl Said {
    pub(crate) fn of(answer: &HttpAnswer) -> Self {
        let format = Format::of_body(&answer.headers).unwrap_or_default();
        match format.parse(&answer.body) {
            Ok(Node::Object(answer)) => match answer.get("Messages") {
                Node::List(messages) => Self(messages.clone()),
                _ => Self(Vec::new()),
            },
            Ok(_) | Err(_) => Self(Vec::new()),
        }
    }

    /// The acknowledgements among it.
    pub(crate) fn sent(&self) -> Vec<CommandInfo> {
        let sent = |node: &Node| {
            let members = node.as_object().filter(|_| is_sent(node))?;
            let body = Some(members.get("Body")).filter(|body| body.problem().is_none())?;
            CommandInfo::read(body, Dir::Es).ok()
        };
        self.0.iter().filter_map(sent).collect()
    }

    /// Everything but the acknowledgements.
    pub(crate) fn rest(self) -> Self {
        Self(self.0.into_iter().filter(|node| !is_sent(node)).collect())
    }

    /// The envelopes as one JSON array, to be read by [`heard`]; `None` if there are none, or they are longer than `limit`
    /// bytes together.
    pub(crate) fn text(&self, limit: usize) -> Option<String> {
        let whole = self.0.iter().filter(|node| node.problem().is_none()).map(plain).collect::<Vec<_>>();
        if whole.is_empty() {
            return None;
        }
        String::from_utf8(json::write(&Node::List(whole))).ok().filter(|text| text.len() <= limit)
    }
}

fn is_sent(node: &Node) -> bool {
    node.as_object().is_some_and(|members| members.get("Msg").as_text() == Some("ES_MESSAGE_SENT"))
}

/// The same for JSON, which has no bytes: those of a GUID become its text.
fn plain(node: &Node) -> Node {
    match node {
        Node::List(items) => Node::List(items.iter().map(plain).collect()),
        Node::Object(members) => Node::written(members.iter().map(|(name, value)| (name.clone(), plain(value))).collect()),
        Node::Binary(_) => guid(node).map_or_else(|| node.clone(), |id| id.to_string().into()),
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Decimal(_) | Node::Text(_) | Node::Time(_) | Node::Bad(_) => {
            node.clone()
        }
    }
}

/// The longest text of envelopes that is taken out of an answer, in bytes: the answer itself is no longer (10.3).
const MAX_SAID: usize = 1024 * 1024;

/// The envelopes in the answer to a push, as one text for [`heard`]; `None` if there are none.
#[must_use]
pub fn said_in_answer(answer: &HttpAnswer) -> Option<String> {
    Said::of(answer).text(MAX_SAID)
}

/// Requests that stand for envelopes in the answer to a push: "handled as if posted" (10.3), of a connector that has no use
/// for answers now. Who answered was called at the gateway's own address, which proves it; `request_id` names the answer in
/// the log. As many requests as it takes for each to hold 25 envelopes at most.
#[must_use]
pub fn heard(said: &str, request_id: &str) -> Vec<Verified<RawRequest>> {
    let Ok(Node::List(envelopes)) = json::parse(said.as_bytes()) else { return Vec::new() };
    let request = |envelopes: &[Node]| {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(Format::Json.media_type()));
        headers.insert(HeaderName::from_static("prefer"), HeaderValue::from_static("respond-async"));
        Verified::vouch(RawRequest {
            method: Method::POST,
            path: String::new(),
            query: String::new(),
            headers,
            body: json::write(&Node::List(envelopes.to_vec())).into(),
            request_id: request_id.to_owned(),
            source_ip: None,
        })
    };
    envelopes.chunks(MAX_ITEMS).map(request).collect()
}

fn item(node: &Node, side: Side<'_>) -> Item {
    let nothing = Members::default();
    let members = node.as_object().unwrap_or(&nothing);
    let id = guid(members.get("Id")).filter(|id| !id.is_nil());
    let name = members.get("Msg").as_text();
    Item { id, name: shown(name), content: read_envelope(node, members, id, name, side) }
}

fn read_envelope(
    node: &Node,
    members: &Members,
    id: Option<Uuid>,
    name: Option<&str>,
    side: Side<'_>,
) -> Result<Envelope, WireError> {
    if let Some(why) = node.problem() {
        return Err(WireError::new(Code::MalformedBody, why));
    }
    if !matches!(node, Node::Object(_)) {
        return Err(WireError::new(Code::MalformedBody, "not an envelope"));
    }
    let name = name.ok_or_else(|| WireError::on(Code::MalformedBody, "Msg", "the envelope has no message name"))?;
    let id = id.ok_or_else(|| WireError::on(Code::MalformedBody, "Id", "the envelope has no GUID as its Id"))?;
    read_payload(Some(id), name, members.get("Body"), side)
}

fn read_payload(id: Option<Uuid>, name: &str, body: &Node, side: Side<'_>) -> Result<Envelope, WireError> {
    let (msg, unknown_members) = Msg::read(name, body, side)?;
    Ok(Envelope { id, msg, body_sha256: hash(name, body), unknown_members })
}

fn bare_item(name: &str, body: &Node, side: Side<'_>) -> Item {
    let content = match body.problem() {
        Some(why) => Err(WireError::new(Code::MalformedBody, why)),
        None => read_payload(None, name, body, side),
    };
    Item { id: None, name: shown(Some(name)), content }
}

fn shown(name: Option<&str>) -> Option<String> {
    name.filter(|name| name.len() <= MAX_NAME).map(str::to_owned)
}

fn hash(name: &str, body: &Node) -> String {
    let mut text = format!("{name}\n").into_bytes();
    text.extend(json::canonical(body));
    sha256_hex(&text)
}

#[cfg(test)]
pub(crate) mod tests {
    use http::StatusCode;
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
            source_ip: None,
        })
    }

    const ID: &str = "11111111-1111-4111-8111-111111111111";
    pub(crate) const CONNECTOR: Side<'_> = Side::Connector { peer: "!MailLink", port: None };
    const WORKPLACE: Side<'_> = Side::Workplace { number: "501", agent: Some(Uuid::from_u128(5)) };

    fn parse(request: &Verified<RawRequest>, named: Option<&str>) -> Result<Batch, WireError> {
        super::parse(request, named, CONNECTOR)
    }

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
        assert_eq!(envelope.msg, Msg::GetGateways);
        assert_eq!((batch.format, envelope.unknown_members), (Format::Json, 0));
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
        let error = |name: &str, side| {
            let body = json!({"Msg": name, "Id": ID, "Body": null}).to_string();
            super::parse(&posted(body), None, side).unwrap().items.remove(0).content.unwrap_err()
        };
        for name in ["SE_MESSAGE_RECEIVED", "SC_CHAT_ALERT", "CS_CHAT_RESNYC", "CS_CHAT_RESYNC", "SC_CHAT_CONFIRM", "CS_X"] {
            assert_eq!(error(name, CONNECTOR).code, Code::WrongDirection, "{name}");
        }
        for name in ["SE_MESSAGE_RECEIVED", "SC_CHAT_ALERT", "SC_CHAT_CONFIRM", "ES_CHAT_START", "ES_X"] {
            assert_eq!(error(name, WORKPLACE).code, Code::WrongDirection, "{name}");
        }
        for name in ["", "ES_CHAT_REST", "es_sl_getgateways", "XX", "ES_", "ES_CHAT_ANSWER", "Skip"] {
            assert_eq!(error(name, CONNECTOR).message, "no message has this name", "{name}");
        }
        for name in ["", "CS_CHAT_START", "cs_chat_answer", "CS_CHAT_ALERT"] {
            assert_eq!(error(name, WORKPLACE).message, "no message has this name", "{name}");
        }
        assert_eq!(one(json!({"Msg": "E".repeat(65), "Id": ID})).name, None);
    }

    #[test]
    fn row_11_8_server_spellings_are_no_commands() {
        for name in ["SE_CHAT_START", "SE_CHAT_RESYNC"] {
            assert_eq!(error(json!({"Msg": name, "Id": ID, "Body": {"TrackingId": "t"}})).code, Code::WrongDirection);
        }
    }

    #[test]
    fn row_11_20_the_same_envelope_is_read_from_messagepack() {
        let body = json!({"Msg": "ES_MESSAGE_SENT", "Id": ID, "Body": {"Id": ID, "Extra": 1, "Data": "x"}});
        let packed = |node: &Node| parse(&packed(Format::MsgPack.write(node)), None);
        let node = json::parse(body.to_string().as_bytes()).unwrap();
        let batch = packed(&node).unwrap();
        assert_eq!((batch.form, batch.format), (Form::Single, Format::MsgPack));
        let envelope = batch.items.into_iter().next().unwrap().content.unwrap();
        assert_eq!(envelope, one(body).content.unwrap());
        assert_eq!(envelope.unknown_members, 1);

        // A GUID may be 16 bytes, in the order of .NET.
        let bytes = hex::decode("11223344556677888899aabbccddeeff").unwrap();
        let body = Node::object([("Id", Node::Binary(bytes.clone()))]);
        let batch = packed(&Node::object([("Msg", "ES_MESSAGE_SENT".into()), ("Id", Node::Binary(bytes)), ("Body", body)]));
        let item = batch.unwrap().items.remove(0);
        let guid = "44332211-6655-8877-8899-aabbccddeeff".parse().ok();
        assert_eq!(item.id, guid);
        let Msg::MessageSent(info) = item.content.unwrap().msg else { panic!() };
        assert_eq!(info.id, guid);

        // The order of members is not published, so neither an envelope nor a payload can be an array.
        let positional = Node::List(vec!["ES_MESSAGE_SENT".into(), ID.into()]);
        for item in packed(&Node::List(vec![positional.clone()])).unwrap().items {
            assert_eq!(item.content.unwrap_err().code, Code::MalformedBody);
        }
        let inside = Node::object([("Msg", "ES_MESSAGE_SENT".into()), ("Id", ID.into()), ("Body", positional)]);
        assert_eq!(packed(&inside).unwrap().items.remove(0).content.unwrap_err().code, Code::MalformedBody);
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
        assert_eq!((envelope.id, &envelope.msg), (None, &Msg::GetGateways));
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
        let mut other = posted("{}").get().clone();
        other.headers.insert(CONTENT_TYPE, "text/xml".parse().unwrap());
        assert_eq!(parse(&Verified::vouch(other), None).unwrap_err().code, Code::UnsupportedMediaType);
        assert_eq!(parse(&posted(b"{\"Msg\":\"\xff\"}"), None).unwrap_err().code, Code::MalformedBody);
        let deep = format!(r#"{{"Msg":"ES_SL_GETGATEWAYS","Id":"{ID}","Body":{}{}}}"#, "[".repeat(40), "]".repeat(40));
        assert_eq!(parse(&posted(deep), None).unwrap().items[0].content.as_ref().unwrap_err().message, "nested deeper than 32");
    }

    #[test]
    fn answers_to_pushes_are_searched_for_acknowledgements() {
        let answer = format!(
            r#"{{"Messages":[{{"Msg":"ES_CHAT_CONFIRM"}},5,{{"Msg":"ES_MESSAGE_SENT","Body":{{"Id":"{ID}"}}}},{{"Msg":"ES_MESSAGE_SENT","Body":{{"Id":"x"}}}},{{"Msg":"ES_MESSAGE_SENT","Body":{{"Id":"{ID}","id":"{ID}"}}}}]}}"#
        );
        let said = Said::of(&answered(&answer));
        let sent = said.sent();
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].id, Some(ID.parse().unwrap()));
        for other in ["", "OK", "{}", "[]", r#"{"Messages":{}}"#] {
            assert!(Said::of(&answered(other)).sent().is_empty());
            assert_eq!(said_in_answer(&answered(other)), None);
        }
    }

    fn answered(body: &str) -> HttpAnswer {
        HttpAnswer { status: StatusCode::OK, headers: HeaderMap::new(), body: body.to_owned().into() }
    }

    #[test]
    fn rest_of_an_answer_is_read_as_if_it_were_posted() {
        let confirm = json!({"Msg": "ES_CHAT_CONFIRM", "Id": ID, "Body": {"TrackingId": "t-1", "ID": "a-1"}});
        let answer = json!({"Messages": [{"Msg": "ES_MESSAGE_SENT", "Id": ID, "Body": {"Id": ID}}, confirm]});
        let rest = Said::of(&answered(&answer.to_string())).rest();
        let said = rest.text(100_000).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), json!([confirm]));
        assert_eq!(rest.text(said.len() - 1), None);
        let [request] = &heard(&said, "r-1")[..] else { panic!() };
        assert!(crate::wants_async(&request.get().headers));
        let batch = parse(request, None).unwrap();
        assert_eq!((batch.form, batch.items[0].name.as_deref()), (Form::Array, Some("ES_CHAT_CONFIRM")));

        let many = json!({ "Messages": vec![confirm; 26] });
        let said = said_in_answer(&answered(&many.to_string())).unwrap();
        let counts: Vec<_> = heard(&said, "r-1").iter().map(|request| parse(request, None).unwrap().items.len()).collect();
        assert_eq!(counts, [25, 1]);
        assert!(heard("no JSON", "r-1").is_empty());
    }

    #[test]
    fn answer_in_messagepack_keeps_its_guids() {
        let id = hex::decode("11223344556677888899aabbccddeeff").unwrap();
        let confirm = Node::object([("Msg", "ES_CHAT_CONFIRM".into()), ("Id", Node::Binary(id))]);
        let mut answer = answered("");
        answer.headers.insert(CONTENT_TYPE, "application/vnd.msgpack".parse().unwrap());
        answer.body = Format::MsgPack.write(&Node::object([("Messages", Node::List(vec![confirm]))])).into();
        let said: Value = serde_json::from_str(&said_in_answer(&answer).unwrap()).unwrap();
        assert_eq!(said, json!([{"Msg": "ES_CHAT_CONFIRM", "Id": "44332211-6655-8877-8899-aabbccddeeff"}]));
    }

    /// Members that mean something somewhere.
    const NAMES: [&str; 20] = [
        "Msg",
        "Id",
        "ID",
        "Body",
        "body",
        "Peer",
        "TrackingId",
        "ChatId",
        "Text",
        "Model",
        "IsTyping",
        "ResultModel",
        "Values",
        "ResultNumeric",
        "LiteralGroup",
        "GatewayId",
        "RemoteAddress",
        "ReceivedSentTime",
        "Data",
        "Reference",
    ];

    const MESSAGES: [&str; 10] = [
        "ES_MESSAGE_RECEIVING",
        "ES_MESSAGE_SENT",
        "ES_SL_GETGATEWAYS",
        "ES_CHAT_START",
        "ES_CHAT_SENTENCE",
        "ES_CHAT_STATUS",
        "ES_SCENARIO_SAVE",
        "ES_WS_LITERALS_GET",
        "CS_CHAT_SENTENCE",
        "CS_CHAT_TYPING",
    ];

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "(?s).{0,6}".prop_map(Value::from),
            proptest::sample::select(&MESSAGES[..]).prop_map(Value::from),
            prop_oneof![Just(ID), Just("2026-01-01T00:00:00Z"), Just("!MailLink")].prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 8, |inner| {
            let name = proptest::sample::select(&NAMES[..]).prop_map(str::to_owned);
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map(name, inner, 0..6).prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    fn packed(body: Vec<u8>) -> Verified<RawRequest> {
        let mut request = posted(body).get().clone();
        request.headers.insert(CONTENT_TYPE, "application/vnd.msgpack".parse().unwrap());
        Verified::vouch(request)
    }

    proptest! {
        #[test]
        fn parsing_never_panics_on_any_value(value in json(), named in proptest::option::of(proptest::sample::select(&MESSAGES[..]))) {
            let text = value.to_string();
            let _ = Said::of(&answered(&text)).sent();
            let _ = said_in_answer(&answered(&text)).map(|said| heard(&said, "r"));
            let body = Format::MsgPack.write(&json::parse(text.as_bytes()).unwrap());
            for side in [CONNECTOR, WORKPLACE] {
                let _ = super::parse(&posted(&text), named, side);
                let _ = super::parse(&packed(body.clone()), named, side);
            }
        }

        #[test]
        fn parsing_never_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..80), named in proptest::option::of(proptest::sample::select(&MESSAGES[..]))) {
            let _ = parse(&posted(&bytes), named);
            let _ = parse(&packed(bytes), named);
        }
    }
}
