//! What vcita tells us (section 5, A1 to A5). Only a verified request can be read.

use model::{Content, DeskMessage, EpochMillis, ReceiptStatus, RemoteStatus};
use serde_json::{Map, Value};
use wire::{RawRequest, Verified};

use crate::{
    ChannelUid, ErrorCode, ExternalUid, Html, MessageNews, MessageUid, Reported, Route, SessionUid, UidProblem, WireError,
    conversation_of, ids::message_key, our_message, route, status,
};

/// The longest body we read.
pub const MAX_BODY: usize = 256 * 1024;

/// A1: the status of a channel changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelUpdate {
    /// The channel.
    pub channel_uid: ChannelUid,
    /// Its new status.
    pub status: Reported<RemoteStatus>,
}

/// A2: the status of a session changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionUpdate {
    /// The session.
    pub session_uid: SessionUid,
    /// Its new status.
    pub status: Reported<RemoteStatus>,
}

/// A4: the status of a message changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageUpdate {
    /// The message, named within its channel.
    pub message_uid: MessageUid,
    /// The channel.
    pub channel_uid: ChannelUid,
    /// Its new status.
    pub status: MessageNews,
}

/// A5: staff types, or has stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffTyping {
    /// The session they type in.
    pub session_uid: SessionUid,
    /// Whether they are typing.
    pub is_typing: bool,
}

/// A3: staff wrote a message.
#[derive(Clone, PartialEq, Eq)]
pub struct StaffMessage {
    /// Who it is for.
    pub external_uid: ExternalUid,
    /// VCS's name of it, within its channel.
    pub message_uid: MessageUid,
    /// The channel to send on.
    pub channel_uid: ChannelUid,
    /// The text as staff wrote it, possibly with HTML.
    pub message: String,
    /// Where its attachments can be fetched.
    pub links: Vec<String>,
}

impl std::fmt::Debug for StaffMessage {
    /// Ids and sizes only: a message text must never reach a log line through a derived `Debug`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StaffMessage")
            .field("message_uid", &self.message_uid)
            .field("channel_uid", &self.channel_uid)
            .field("message_len", &self.message.len())
            .field("links", &self.links.len())
            .finish_non_exhaustive()
    }
}

impl ChannelUpdate {
    /// Reads `PUT /channels/{channel_uid}`.
    ///
    /// # Errors
    /// [`WireError`] with the reply to give.
    pub fn parse(request: &Verified<RawRequest>) -> Result<Self, WireError> {
        let Route::Channel(channel_uid) = routed(request)? else { return Err(WireError::NoRoute) };
        let body = Body::read(request)?;
        Ok(Self { channel_uid, status: status::channel(body.text("status")?) })
    }
}

impl SessionUpdate {
    /// Reads `PUT /sessions/{session_uid}`.
    ///
    /// # Errors
    /// [`WireError`] with the reply to give.
    pub fn parse(request: &Verified<RawRequest>) -> Result<Self, WireError> {
        let Route::Session(session_uid) = routed(request)? else { return Err(WireError::NoRoute) };
        let body = Body::read(request)?;
        Ok(Self { session_uid, status: status::session(body.text("status")?) })
    }
}

impl StaffTyping {
    /// Reads `POST` or `PUT /{session_uid}/typing`.
    ///
    /// # Errors
    /// [`WireError`] with the reply to give.
    pub fn parse(request: &Verified<RawRequest>) -> Result<Self, WireError> {
        let Route::Typing(session_uid) = routed(request)? else { return Err(WireError::NoRoute) };
        let body = Body::read(request)?;
        Ok(Self { session_uid, is_typing: body.flag("typing")? })
    }
}

impl MessageUpdate {
    /// Reads `PUT /messages/{message_uid}`.
    ///
    /// # Errors
    /// [`WireError`] with the reply to give.
    pub fn parse(request: &Verified<RawRequest>) -> Result<Self, WireError> {
        let Route::Message(message_uid) = routed(request)? else { return Err(WireError::NoRoute) };
        let body = Body::read(request)?;
        Ok(Self { message_uid, channel_uid: body.uid("channel_uid")?, status: status::message(body.text("status")?) })
    }

    /// The news, if it is any.
    #[must_use]
    pub const fn receipt(&self) -> Option<ReceiptStatus> {
        match self.status {
            MessageNews::Known(status) => Some(status),
            MessageNews::Lower | MessageNews::Other(_) => None,
        }
    }
}

impl StaffMessage {
    /// Reads `POST /messages`.
    ///
    /// # Errors
    /// [`WireError`] with the reply to give.
    pub fn parse(request: &Verified<RawRequest>) -> Result<Self, WireError> {
        let Route::Messages = routed(request)? else { return Err(WireError::NoRoute) };
        let body = Body::read(request)?;
        Ok(Self {
            external_uid: body.uid("external_uid")?,
            message_uid: body.uid("message_uid")?,
            channel_uid: body.uid("channel_uid")?,
            message: body.text("message")?.to_owned(),
            links: links(body.0.get("attachments")),
        })
    }

    /// Whether this is our own injected message come back (section 8.3, step 2): its uid is one of ours and belongs to
    /// the very conversation it is addressed to.
    #[must_use]
    pub fn is_echo(&self) -> bool {
        let conversation = conversation_of(self.external_uid.as_str()).map(|(_, id)| id);
        our_message(self.message_uid.as_str()).is_some_and(|message| Some(message.conversation()) == conversation)
    }

    /// The message in our words: HTML as plain text, attachments as links below it.
    ///
    /// `now` is its time: a `created_at` of VCS names no time zone (section 13, row 10).
    ///
    /// # Errors
    /// [`WireError::Unknown`] if `external_uid` is none that we gave out, [`WireError::Invalid`] if nothing is left to send:
    /// an empty text is not sent (section 13, row 7), and not silently dropped either.
    pub fn desk_message(&self, html: Html, now: EpochMillis) -> Result<DeskMessage, WireError> {
        let (_, conversation) =
            conversation_of(self.external_uid.as_str()).ok_or(WireError::Unknown { field: "external_uid" })?;
        let mut text = match html {
            Html::Auto => text::staff_text(&self.message),
            Html::Off => self.message.clone(),
        };
        for link in &self.links {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(link);
        }
        if text.is_empty() {
            return Err(WireError::uid(UidProblem::Empty, "message"));
        }
        Ok(DeskMessage {
            conversation,
            event_key: message_key(self.channel_uid.as_str(), self.message_uid.as_str()),
            origin_id: self.message_uid.as_str().to_owned(),
            sent_at: now,
            content: Content { text, html: None, subject: None },
        })
    }
}

/// The route of the request, with its method and the size of the body checked.
pub(crate) fn routed(request: &Verified<RawRequest>) -> Result<Route, WireError> {
    let request = request.get();
    let found = route(request)?.ok_or(WireError::NoRoute)?;
    if !found.takes(&request.method) {
        return Err(WireError::WrongMethod { allow: found.allow() });
    }
    if request.body.len() > MAX_BODY {
        return Err(WireError::TooLarge);
    }
    Ok(found)
}

/// A JSON object, read whole before a field of it is looked at: a lone surrogate anywhere spoils it.
pub(crate) struct Body(Map<String, Value>);

impl Body {
    pub(crate) fn read(request: &Verified<RawRequest>) -> Result<Self, WireError> {
        match serde_json::from_slice(&request.get().body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(invalid("must be a JSON object", None)),
            Err(_) => Err(invalid("is not JSON", None)),
        }
    }

    /// A member that may be missing.
    pub(crate) fn member(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    fn given(&self, field: &'static str) -> Result<&Value, WireError> {
        let given = self.0.get(field).filter(|value| !value.is_null());
        given.ok_or(WireError::Invalid { code: ErrorCode::MissingField, message: "is missing", field: Some(field) })
    }

    pub(crate) fn text(&self, field: &'static str) -> Result<&str, WireError> {
        self.given(field)?.as_str().ok_or_else(|| invalid("must be a text", Some(field)))
    }

    fn flag(&self, field: &'static str) -> Result<bool, WireError> {
        self.given(field)?.as_bool().ok_or_else(|| invalid("must be true or false", Some(field)))
    }

    fn uid<T: std::str::FromStr<Err = UidProblem>>(&self, field: &'static str) -> Result<T, WireError> {
        self.text(field)?.parse().map_err(|problem| WireError::uid(problem, field))
    }
}

const fn invalid(message: &'static str, field: Option<&'static str>) -> WireError {
    WireError::Invalid { code: ErrorCode::Invalid, message, field }
}

/// The first link of each attachment. Their shape is documented nowhere (section 13, row 8), so anything is tolerated.
fn links(attachments: Option<&Value>) -> Vec<String> {
    let is_link = |text: &&str| text.starts_with("https://") || text.starts_with("http://");
    let listed = attachments.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let of = |attachment: &Value| match attachment {
        Value::String(text) => Some(text.as_str()).filter(is_link).map(str::to_owned),
        Value::Object(fields) => {
            let named = fields.get("url").and_then(Value::as_str).filter(is_link);
            named.or_else(|| fields.values().filter_map(Value::as_str).find(is_link)).map(str::to_owned)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    };
    listed.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{Secrets, verify};

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const NOW: EpochMillis = EpochMillis::new(1_772_633_109_000);

    fn request(method: Method, tail: &str, body: impl Into<Bytes>) -> Verified<RawRequest> {
        let request = RawRequest {
            method,
            path: format!("/vcita/demo/{SECRET}{tail}"),
            query: String::new(),
            headers: HeaderMap::new(),
            body: body.into(),
            request_id: "r-1".to_owned(),
            source_ip: None,
        };
        verify(request, &Secrets::from_value(&json!({"url_secrets": [SECRET], "token": "t"})).unwrap()).unwrap()
    }

    fn staff(body: &Value) -> Result<StaffMessage, WireError> {
        StaffMessage::parse(&request(Method::POST, "/messages", body.to_string()))
    }

    fn staff_body() -> Value {
        json!({
            "external_uid": "frontstage-00112233445566778899",
            "message": "See you at 3pm",
            "message_uid": "6a0f3d0a-93c8-4b51-8f10-0a4c7f1f2f90",
            "channel_uid": "0d6a6c58-2d1e-4f53-9a5b-6f2a6f5b1c77",
            "status": "pending"
        })
    }

    #[test]
    fn channel_update_is_read() {
        let update = ChannelUpdate::parse(&request(Method::PUT, "/channels/c-1", r#"{"status":"error","more":1}"#)).unwrap();
        assert_eq!(update.channel_uid.as_str(), "c-1");
        assert_eq!(update.status, Reported::Known(RemoteStatus::Failed));
    }

    #[test]
    fn session_update_is_read_also_with_ai_status() {
        let body = r#"{"status":"active","ai_status":"ai_intercepted"}"#;
        let update = SessionUpdate::parse(&request(Method::PUT, "/sessions/s-1", body)).unwrap();
        assert_eq!((update.session_uid.as_str(), update.status), ("s-1", Reported::Known(RemoteStatus::Active)));
    }

    #[test]
    fn unknown_status_is_kept_as_it_came() {
        let update = SessionUpdate::parse(&request(Method::PUT, "/sessions/s-1", r#"{"status":"paused"}"#)).unwrap();
        assert_eq!(update.status, Reported::Other("paused".to_owned()));
    }

    #[test]
    fn typing_is_read_with_either_method() {
        for method in [Method::POST, Method::PUT] {
            for is_typing in [true, false] {
                let body = json!({"typing": is_typing, "more": 1}).to_string();
                let typing = StaffTyping::parse(&request(method.clone(), "/s-1/typing", body)).unwrap();
                assert_eq!(typing, StaffTyping { session_uid: "s-1".parse().unwrap(), is_typing });
            }
        }
    }

    #[test]
    fn typing_that_is_no_boolean_is_400() {
        for (body, code, message) in [
            (r"{}", ErrorCode::MissingField, "is missing"),
            (r#"{"typing":null}"#, ErrorCode::MissingField, "is missing"),
            (r#"{"typing":"true"}"#, ErrorCode::Invalid, "must be true or false"),
            (r#"{"typing":1}"#, ErrorCode::Invalid, "must be true or false"),
        ] {
            let error = StaffTyping::parse(&request(Method::POST, "/s-1/typing", body)).unwrap_err();
            assert_eq!(error, WireError::Invalid { code, message, field: Some("typing") }, "{body}");
        }
        let error = StaffTyping::parse(&request(Method::PATCH, "/s-1/typing", r#"{"typing":true}"#)).unwrap_err();
        assert_eq!(error, WireError::WrongMethod { allow: "POST, PUT" });
        let error = StaffTyping::parse(&request(Method::PUT, "/messages/typing", r#"{"typing":true}"#)).unwrap_err();
        assert_eq!(error, WireError::NoRoute);
    }

    #[test]
    fn message_update_is_read() {
        let body = r#"{"status":"read","channel_uid":"c-1"}"#;
        let update = MessageUpdate::parse(&request(Method::PUT, "/messages/a%2Fb", body)).unwrap();
        assert_eq!((update.message_uid.as_str(), update.channel_uid.as_str()), ("a/b", "c-1"));
        assert_eq!(update.receipt(), Some(ReceiptStatus::Read));
        let body = r#"{"status":"active","channel_uid":"c-1"}"#;
        assert_eq!(MessageUpdate::parse(&request(Method::PUT, "/messages/a", body)).unwrap().receipt(), None);
    }

    #[test]
    fn staff_message_becomes_a_desk_message() {
        let message = staff(&staff_body()).unwrap().desk_message(Html::Auto, NOW).unwrap();
        assert_eq!(message.conversation.to_string(), "00112233445566778899");
        assert_eq!(
            message.event_key.parts(),
            ["message", "0d6a6c58-2d1e-4f53-9a5b-6f2a6f5b1c77", "6a0f3d0a-93c8-4b51-8f10-0a4c7f1f2f90"]
        );
        assert_eq!(message.origin_id, "6a0f3d0a-93c8-4b51-8f10-0a4c7f1f2f90");
        assert_eq!((message.content.text.as_str(), message.sent_at), ("See you at 3pm", NOW));
    }

    #[test]
    fn text_keeps_every_character() {
        let text = "a < b && <3 \u{0}\u{200f}👨‍👩‍👧 \u{e9}e\u{301}\u{fe0f} ";
        let mut body = staff_body();
        body["message"] = json!(text);
        assert_eq!(staff(&body).unwrap().message, text);
        let escaped = staff_body().to_string().replace("See you at 3pm", r"\uD83D\uDE42");
        let read = StaffMessage::parse(&request(Method::POST, "/messages", escaped)).unwrap();
        assert_eq!(read.desk_message(Html::Auto, NOW).unwrap().content.text, "🙂");
    }

    #[test]
    fn html_of_staff_becomes_text() {
        let mut body = staff_body();
        body["message"] = json!("<div>Hi<br>there</div>");
        let said = |html| staff(&body).unwrap().desk_message(html, NOW).unwrap().content.text;
        assert_eq!(said(Html::Auto), "Hi\nthere");
        assert_eq!(said(Html::Off), "<div>Hi<br>there</div>");
    }

    #[test]
    fn attachments_become_links_below_the_text() {
        let mut body = staff_body();
        body["attachments"] = json!([
            {"name": "a.png", "url": "https://files.example/a.png", "preview": "https://files.example/p.png"},
            {"href": "http://files.example/b"}, {"name": "c"}, "https://files.example/d", 7, null, []
        ]);
        assert_eq!(
            staff(&body).unwrap().desk_message(Html::Auto, NOW).unwrap().content.text,
            "See you at 3pm\nhttps://files.example/a.png\nhttp://files.example/b\nhttps://files.example/d"
        );
        body["message"] = json!("");
        body["attachments"] = json!(["https://files.example/d"]);
        assert_eq!(staff(&body).unwrap().desk_message(Html::Auto, NOW).unwrap().content.text, "https://files.example/d");
        body["attachments"] = json!("https://files.example/d");
        assert!(staff(&body).unwrap().links.is_empty());
    }

    #[test]
    fn staff_message_with_nothing_to_send_is_400() {
        for nothing in ["", "<div><br></div>", "<p></p>"] {
            let mut body = staff_body();
            body["message"] = json!(nothing);
            let error = staff(&body).unwrap().desk_message(Html::Auto, NOW).err().unwrap();
            assert_eq!(error.reply().status.as_u16(), 400, "{nothing}");
            assert_eq!(
                error,
                WireError::Invalid { code: ErrorCode::MissingField, message: "must not be empty", field: Some("message") }
            );
        }
    }

    #[test]
    fn status_of_a_staff_message_may_be_absent() {
        let mut body = staff_body();
        body.as_object_mut().unwrap().remove("status");
        assert!(staff(&body).is_ok());
    }

    #[test]
    fn our_own_message_is_recognised_as_echo() {
        let mut body = staff_body();
        assert!(!staff(&body).unwrap().is_echo());
        body["message_uid"] = json!("00112233-4455-8667-9e22-640000000001");
        assert!(staff(&body).unwrap().is_echo());
        body["message_uid"] = json!("00112233-4455-8667-9e22-640000000001.p2");
        assert!(staff(&body).unwrap().is_echo());
        body["external_uid"] = json!("frontstage-99887766554433221100");
        assert!(!staff(&body).unwrap().is_echo());
    }

    #[test]
    fn foreign_external_uid_is_unknown() {
        let mut body = staff_body();
        body["external_uid"] = json!("wa:4915112345678");
        let error = staff(&body).unwrap().desk_message(Html::Auto, NOW).err().unwrap();
        assert_eq!(error, WireError::Unknown { field: "external_uid" });
    }

    #[test]
    fn missing_empty_mistyped_and_over_long_fields_are_400() {
        for field in ["external_uid", "message", "message_uid", "channel_uid"] {
            let mut missing = staff_body();
            missing.as_object_mut().unwrap().remove(field);
            let mut null = staff_body();
            null[field] = Value::Null;
            for body in [missing, null] {
                let expected = WireError::Invalid { code: ErrorCode::MissingField, message: "is missing", field: Some(field) };
                assert_eq!(staff(&body), Err(expected));
            }
            let mut mistyped = staff_body();
            mistyped[field] = json!(7);
            assert_eq!(staff(&mistyped), Err(invalid("must be a text", Some(field))));
        }
        for field in ["external_uid", "message_uid", "channel_uid"] {
            for (value, problem) in [(String::new(), UidProblem::Empty), ("x".repeat(256), UidProblem::TooLong)] {
                let mut body = staff_body();
                body[field] = json!(value);
                let error = staff(&body).unwrap_err();
                assert_eq!(error, WireError::uid(problem, field));
                assert_eq!(error.reply().status.as_u16(), 400);
            }
        }
    }

    #[test]
    fn body_that_is_not_a_json_object_is_400() {
        let lone = staff_body().to_string().replace("See you at 3pm", r"\uD83D");
        let lone_elsewhere = r#"{"status":"active","note":"\uDE42"}"#.to_owned();
        for body in [String::new(), "{".to_owned(), "[]".to_owned(), "7".to_owned(), "[".repeat(200_000), lone, lone_elsewhere] {
            for (method, tail) in [(Method::POST, "/messages"), (Method::PUT, "/channels/c"), (Method::PUT, "/sessions/s")] {
                let request = request(method, tail, body.clone());
                let error = StaffMessage::parse(&request)
                    .map(drop)
                    .or_else(|_| ChannelUpdate::parse(&request).map(drop))
                    .or_else(|_| SessionUpdate::parse(&request).map(drop));
                assert!(error.is_err(), "{tail}");
            }
            let error = StaffMessage::parse(&request(Method::POST, "/messages", body)).unwrap_err();
            assert_eq!(error.reply().status.as_u16(), 400);
        }
    }

    #[test]
    fn body_over_the_limit_is_413() {
        let body = format!("{{\"status\":\"active\",\"x\":\"{}\"}}", "x".repeat(MAX_BODY));
        assert_eq!(ChannelUpdate::parse(&request(Method::PUT, "/channels/c", body)), Err(WireError::TooLarge));
    }

    #[test]
    fn wrong_method_and_wrong_route_are_told_apart() {
        let body = r#"{"status":"active"}"#;
        assert_eq!(
            ChannelUpdate::parse(&request(Method::POST, "/channels/c", body)),
            Err(WireError::WrongMethod { allow: "PUT" })
        );
        assert_eq!(StaffMessage::parse(&request(Method::PUT, "/messages", body)), Err(WireError::WrongMethod { allow: "POST" }));
        assert_eq!(ChannelUpdate::parse(&request(Method::PUT, "/sessions/s", body)), Err(WireError::NoRoute));
        assert_eq!(SessionUpdate::parse(&request(Method::PUT, "/nowhere", body)), Err(WireError::NoRoute));
    }

    #[test]
    fn debug_of_a_staff_message_shows_no_text() {
        assert!(!format!("{:?}", staff(&staff_body()).unwrap()).contains("3pm"));
    }

    proptest! {
        #[test]
        fn any_body_never_panics(body in prop::collection::vec(any::<u8>(), 0..200), text in ".*") {
            let told = json!({
                "external_uid": text, "message": text, "message_uid": text, "channel_uid": text, "status": text,
                "attachments": [text, {"url": text}]
            });
            for body in [Bytes::from(body), Bytes::from(told.to_string())] {
                let _ = ChannelUpdate::parse(&request(Method::PUT, "/channels/c", body.clone()));
                let _ = SessionUpdate::parse(&request(Method::PUT, "/sessions/s", body.clone()));
                let _ = MessageUpdate::parse(&request(Method::PUT, "/messages/m", body.clone()));
                let _ = StaffMessage::parse(&request(Method::POST, "/messages", body)).map(|m| m.desk_message(Html::Auto, NOW).map(drop));
            }
        }
    }
}
