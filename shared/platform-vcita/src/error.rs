//! What a caller is told when a webhook cannot be taken (section 5, answer table).

use http::header::ALLOW;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use wire::Reply;

use crate::{MAX_BODY, UidProblem};

/// The error codes of section 3 that we use ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// A mandatory field is not there, or is empty.
    MissingField,
    /// It is there and cannot be read.
    Invalid,
    /// It is longer than allowed.
    TooLong,
}

/// Why a webhook was not taken. Holds nothing of what the caller sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The path is not this route.
    #[error("no such route")]
    NoRoute,
    /// The route has another method.
    #[error("method is not {allow}")]
    WrongMethod {
        /// The method it has.
        allow: &'static str,
    },
    /// The body exceeds [`MAX_BODY`].
    #[error("body exceeds {MAX_BODY} bytes")]
    TooLarge,
    /// The body or an identifier in the path cannot be read.
    #[error("{field:?} {message}")]
    Invalid {
        /// What kind of fault.
        code: ErrorCode,
        /// The fault in words.
        message: &'static str,
        /// The field, if it is about one.
        field: Option<&'static str>,
    },
    /// An identifier is well-formed and names nothing we have.
    #[error("unknown {field}")]
    Unknown {
        /// The field.
        field: &'static str,
    },
}

#[derive(Serialize)]
struct Envelope {
    success: bool,
    errors: [Entry; 1],
}

#[derive(Serialize)]
struct Entry {
    code: ErrorCode,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
}

impl WireError {
    /// An identifier that cannot be one.
    pub(crate) const fn uid(problem: UidProblem, field: &'static str) -> Self {
        let (code, message) = match problem {
            UidProblem::Empty => (ErrorCode::MissingField, "must not be empty"),
            UidProblem::TooLong => (ErrorCode::TooLong, "must not be longer than 255 characters"),
        };
        Self::Invalid { code, message, field: Some(field) }
    }

    /// The reply to the caller: 404 without a body, 405, 413, 400 or 404 with the error envelope of section 3.
    #[must_use]
    pub fn reply(&self) -> Reply {
        match *self {
            Self::NoRoute => Reply::empty(StatusCode::NOT_FOUND),
            Self::WrongMethod { allow } => {
                Reply::empty(StatusCode::METHOD_NOT_ALLOWED).with_header(ALLOW, HeaderValue::from_static(allow))
            }
            Self::TooLarge => envelope(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLong, "body exceeds 262144 bytes", None),
            Self::Invalid { code, message, field } => envelope(StatusCode::BAD_REQUEST, code, message, field),
            Self::Unknown { field } => envelope(StatusCode::NOT_FOUND, ErrorCode::Invalid, "is not known", Some(field)),
        }
    }
}

fn envelope(status: StatusCode, code: ErrorCode, message: &'static str, field: Option<&'static str>) -> Reply {
    Reply::json(status, &Envelope { success: false, errors: [Entry { code, message, field }] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(error: WireError) -> (u16, String) {
        let reply = error.reply();
        (reply.status.as_u16(), String::from_utf8(reply.body.to_vec()).unwrap())
    }

    #[test]
    fn replies_have_status_and_envelope_of_the_contract() {
        assert_eq!(shown(WireError::NoRoute), (404, String::new()));
        assert_eq!(
            shown(WireError::uid(UidProblem::Empty, "channel_uid")),
            (
                400,
                r#"{"success":false,"errors":[{"code":"missing_field","message":"must not be empty","field":"channel_uid"}]}"#
                    .to_owned()
            )
        );
        assert_eq!(
            shown(WireError::Invalid { code: ErrorCode::Invalid, message: "is not JSON", field: None }),
            (400, r#"{"success":false,"errors":[{"code":"invalid","message":"is not JSON"}]}"#.to_owned())
        );
        assert_eq!(
            shown(WireError::Unknown { field: "channel_uid" }),
            (404, r#"{"success":false,"errors":[{"code":"invalid","message":"is not known","field":"channel_uid"}]}"#.to_owned())
        );
        assert_eq!(shown(WireError::TooLarge).0, 413);
        let reply = WireError::WrongMethod { allow: "PUT" }.reply();
        assert_eq!((reply.status.as_u16(), reply.headers[ALLOW].to_str().unwrap()), (405, "PUT"));
    }
}
