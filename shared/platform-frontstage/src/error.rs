//! What a connector is told when something is wrong.

use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use wire::Reply;

use crate::media::Format;
use crate::node::Node;

/// Every error code of the contract (10.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// Not JSON, duplicate members, or not an envelope.
    MalformedBody,
    /// Not a message of the catalogue, or one that is not served here.
    UnknownMessage,
    /// The caller could not be proven.
    Unauthorized,
    /// The payload names another gateway address than the caller's.
    PeerMismatch,
    /// The payload names a message gateway that is not the caller's.
    GatewayMismatch,
    /// A message that only the server, or only an agent client, sends.
    WrongDirection,
    /// No such gateway.
    UnknownGateway,
    /// No such chat.
    UnknownChat,
    /// No such message.
    UnknownMessageId,
    /// No such scenario.
    UnknownScenario,
    /// HTTP method.
    MethodNotAllowed,
    /// No representation the caller accepts.
    NotAcceptable,
    /// A body format that is not read here.
    UnsupportedMediaType,
    /// The chat is over.
    ChatClosed,
    /// The gate takes no chats now.
    GateClosed,
    /// The chat is bound otherwise.
    Conflict,
    /// Another agent's chat.
    NotYourChat,
    /// The offer has been withdrawn.
    AlertOver,
    /// The envelope id was used for another content.
    IdReused,
    /// The cursor is older than what is kept.
    CursorExpired,
    /// The body is too long.
    TooLarge,
    /// A field breaks its rule.
    ValidationFailed,
    /// Slow down.
    TooManyRequests,
    /// Our mistake.
    Internal,
    /// A service we need is away.
    Unavailable,
}

impl Code {
    /// Every code, in the order of the contract.
    pub const ALL: [Self; 25] = [
        Self::MalformedBody,
        Self::UnknownMessage,
        Self::Unauthorized,
        Self::PeerMismatch,
        Self::GatewayMismatch,
        Self::WrongDirection,
        Self::UnknownGateway,
        Self::UnknownChat,
        Self::UnknownMessageId,
        Self::UnknownScenario,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::UnsupportedMediaType,
        Self::ChatClosed,
        Self::GateClosed,
        Self::Conflict,
        Self::NotYourChat,
        Self::AlertOver,
        Self::IdReused,
        Self::CursorExpired,
        Self::TooLarge,
        Self::ValidationFailed,
        Self::TooManyRequests,
        Self::Internal,
        Self::Unavailable,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MalformedBody => "MalformedBody",
            Self::UnknownMessage => "UnknownMessage",
            Self::Unauthorized => "Unauthorized",
            Self::PeerMismatch => "PeerMismatch",
            Self::GatewayMismatch => "GatewayMismatch",
            Self::WrongDirection => "WrongDirection",
            Self::UnknownGateway => "UnknownGateway",
            Self::UnknownChat => "UnknownChat",
            Self::UnknownMessageId => "UnknownMessageId",
            Self::UnknownScenario => "UnknownScenario",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::NotAcceptable => "NotAcceptable",
            Self::UnsupportedMediaType => "UnsupportedMediaType",
            Self::ChatClosed => "ChatClosed",
            Self::GateClosed => "GateClosed",
            Self::Conflict => "Conflict",
            Self::NotYourChat => "NotYourChat",
            Self::AlertOver => "AlertOver",
            Self::IdReused => "IdReused",
            Self::CursorExpired => "CursorExpired",
            Self::TooLarge => "TooLarge",
            Self::ValidationFailed => "ValidationFailed",
            Self::TooManyRequests => "TooManyRequests",
            Self::Internal => "Internal",
            Self::Unavailable => "Unavailable",
        }
    }

    /// The HTTP status it is answered with.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::MalformedBody | Self::UnknownMessage => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::PeerMismatch | Self::GatewayMismatch | Self::WrongDirection => StatusCode::FORBIDDEN,
            Self::UnknownGateway | Self::UnknownChat | Self::UnknownMessageId | Self::UnknownScenario => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ChatClosed | Self::GateClosed | Self::Conflict | Self::NotYourChat | Self::AlertOver | Self::IdReused => {
                StatusCode::CONFLICT
            }
            Self::CursorExpired => StatusCode::GONE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ValidationFailed => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::TooManyRequests | Self::Internal | Self::Unavailable)
    }

    /// Seconds for a `Retry-After` header, where the contract asks for one.
    const fn retry_after(self) -> Option<&'static str> {
        if matches!(self, Self::TooManyRequests) {
            Some("1")
        } else if matches!(self, Self::Unavailable) {
            Some("5")
        } else {
            None
        }
    }
}

/// An error as the connector sees it. Its texts are ours alone: no input is repeated in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
pub struct WireError {
    /// What kind.
    pub code: Code,
    /// One sentence for a person.
    pub message: String,
    /// The member it is about, e.g. `Body.Reference`.
    pub field: Option<String>,
}

impl WireError {
    /// An error that is about no member in particular.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None }
    }

    /// An error about a member.
    #[must_use]
    pub fn on(code: Code, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: Some(field.into()) }
    }

    /// The one answer to every failed proof of identity (10.5).
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(Code::Unauthorized, "the request is not signed by this gateway")
    }

    /// The one answer to every message id that is not known, or not a message id at all.
    #[must_use]
    pub fn unknown_message_id() -> Self {
        Self::on(Code::UnknownMessageId, "Body.Id", "no such message")
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// The object under `Error`. An `Unauthorized` one carries no request id: its body is the same for every caller.
    pub(crate) fn to_node(&self, request_id: &str) -> Node {
        let request_id = Some(request_id).filter(|_| self.code != Code::Unauthorized);
        Node::object([
            ("Code", self.code.as_str().into()),
            ("Message", self.message.as_str().into()),
            ("Field", self.field.as_deref().into()),
            ("Retryable", self.code.is_retryable().into()),
            ("RequestId", request_id.into()),
        ])
    }

    /// The whole answer, for an error that leaves nothing else to say.
    #[must_use]
    pub fn to_reply(&self, request_id: &str) -> Reply {
        self.to_reply_in(Format::Json, request_id)
    }

    /// The whole answer, in a format that was asked for.
    #[must_use]
    pub fn to_reply_in(&self, format: Format, request_id: &str) -> Reply {
        self.dress(format.reply(self.status(), &Node::object([("Error", self.to_node(request_id))])))
    }

    /// Adds the headers the code asks for.
    pub(crate) fn dress(&self, reply: Reply) -> Reply {
        match self.code.retry_after() {
            Some(seconds) => reply.with_header(RETRY_AFTER, HeaderValue::from_static(seconds)),
            None => reply,
        }
    }
}

/// A remark on a message that was handled: a field that was cut, or the reason of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// `Missing`, `TooLong`, `Invalid`, `UnknownGateway` for what refuses; `Cut` for what does not.
    pub code: &'static str,
    /// The member, e.g. `Body.SubjectField`.
    pub field: String,
    /// One sentence for a person.
    pub message: String,
}

impl From<&Warning> for Node {
    fn from(warning: &Warning) -> Self {
        Self::object([
            ("Code", warning.code.into()),
            ("Field", warning.field.as_str().into()),
            ("Message", warning.message.as_str().into()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn error_body_is_that_of_the_contract() {
        let reply = WireError::on(Code::ValidationFailed, "Body.ID", "ID is longer than 64").to_reply("r-1");
        assert_eq!(reply.status, 422);
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(
            body,
            json!({"Error":{"Code":"ValidationFailed","Message":"ID is longer than 64","Field":"Body.ID","Retryable":false,"RequestId":"r-1"}})
        );
    }

    #[test]
    fn every_code_has_the_status_of_the_contract() {
        let table = [
            (400, &["MalformedBody", "UnknownMessage"][..]),
            (401, &["Unauthorized"]),
            (403, &["PeerMismatch", "GatewayMismatch", "WrongDirection"]),
            (404, &["UnknownGateway", "UnknownChat", "UnknownMessageId", "UnknownScenario"]),
            (405, &["MethodNotAllowed"]),
            (406, &["NotAcceptable"]),
            (415, &["UnsupportedMediaType"]),
            (409, &["ChatClosed", "GateClosed", "Conflict", "NotYourChat", "AlertOver", "IdReused"]),
            (410, &["CursorExpired"]),
            (413, &["TooLarge"]),
            (422, &["ValidationFailed"]),
            (429, &["TooManyRequests"]),
            (500, &["Internal"]),
            (503, &["Unavailable"]),
        ];
        let listed = table.iter().flat_map(|(status, codes)| codes.iter().map(move |code| (*code, *status)));
        let ours = Code::ALL.into_iter().map(|code| (code.as_str(), code.status().as_u16()));
        assert_eq!(ours.collect::<Vec<_>>(), listed.collect::<Vec<_>>());
    }

    #[test]
    fn unauthorized_body_is_the_same_for_every_request() {
        let (one, other) = (WireError::unauthorized().to_reply("r-1"), WireError::unauthorized().to_reply("r-2"));
        assert_eq!(one.status, 401);
        assert_eq!(one.body, other.body);
    }

    #[test]
    fn only_throttling_and_our_own_failures_are_retryable() {
        let retryable: Vec<_> = Code::ALL.into_iter().filter(|c| c.is_retryable()).map(Code::as_str).collect();
        assert_eq!(retryable, ["TooManyRequests", "Internal", "Unavailable"]);
        assert_eq!(WireError::new(Code::Unavailable, "x").to_reply("r").headers["retry-after"], "5");
    }
}
