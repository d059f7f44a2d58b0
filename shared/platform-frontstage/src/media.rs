//! In which format a body is, and in which the answer is wanted (10.4, 10.6).

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use wire::Reply;

use crate::node::Node;
use crate::{Code, WireError, json, msgpack};

/// A format of bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// JSON.
    #[default]
    Json,
    /// MessagePack, structures as maps with names.
    MsgPack,
}

impl Format {
    /// The format of a request's body. One that does not say is JSON.
    ///
    /// # Errors
    /// `UnsupportedMediaType` for any other.
    pub fn of_body(headers: &HeaderMap) -> Result<Self, WireError> {
        let Some(kind) = headers.get(CONTENT_TYPE) else { return Ok(Self::Json) };
        let format = kind.to_str().ok().and_then(|kind| Self::of_media_type(media_type(kind)));
        format.ok_or_else(|| WireError::new(Code::UnsupportedMediaType, "bodies are application/json or application/vnd.msgpack"))
    }

    /// The format the answer is wanted in; where nothing or anything is accepted, that of the request.
    ///
    /// # Errors
    /// `NotAcceptable` if neither is accepted.
    pub fn of_answer(headers: &HeaderMap, request: Self) -> Result<Self, WireError> {
        let accepted: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        let accepted = accepted.join(",");
        if accepted.trim().is_empty() {
            return Ok(request);
        }
        let other = if request == Self::Json { Self::MsgPack } else { Self::Json };
        let (first, second) = (request.weight(&accepted), other.weight(&accepted));
        if first > 0.0 && first >= second {
            Ok(request)
        } else if second > 0.0 {
            Ok(other)
        } else {
            Err(WireError::new(Code::NotAcceptable, "answers are application/json or application/vnd.msgpack"))
        }
    }

    fn of_media_type(kind: &str) -> Option<Self> {
        match kind.to_ascii_lowercase().as_str() {
            "application/json" => Some(Self::Json),
            "application/vnd.msgpack" | "application/msgpack" | "application/x-msgpack" => Some(Self::MsgPack),
            _ => None,
        }
    }

    /// How much it is wanted: the weight of the range that names it most closely, and of equals the greatest.
    fn weight(self, accepted: &str) -> f32 {
        let mut best = (0, 0.0);
        for range in accepted.split(',') {
            let kind = media_type(range);
            let closeness = if Self::of_media_type(kind) == Some(self) {
                3
            } else if kind.eq_ignore_ascii_case("application/*") {
                2
            } else if kind == "*/*" {
                1
            } else {
                continue;
            };
            let weight = range.split(';').skip(1).find_map(|parameter| {
                let (name, value) = parameter.split_once('=')?;
                name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse().unwrap_or(0.0))
            });
            let weight = weight.unwrap_or(1.0);
            if closeness > best.0 || (closeness == best.0 && weight > best.1) {
                best = (closeness, weight);
            }
        }
        best.1
    }

    /// Reads a document. It may hold a [`Node::Bad`].
    ///
    /// # Errors
    /// `MalformedBody` if it is not in this format.
    pub fn parse(self, body: &[u8]) -> Result<Node, WireError> {
        match self {
            Self::Json => json::parse(body),
            Self::MsgPack => msgpack::parse(body),
        }
    }

    /// Writes a document.
    #[must_use]
    pub fn write(self, node: &Node) -> Vec<u8> {
        match self {
            Self::Json => json::write(node),
            Self::MsgPack => msgpack::write(node),
        }
    }

    /// An answer in this format. MessagePack is no text: whoever hands it to a gateway has to mark it as binary.
    #[must_use]
    pub fn reply(self, status: StatusCode, node: &Node) -> Reply {
        let reply = Reply { status, headers: HeaderMap::new(), body: self.write(node).into() };
        reply.with_header(CONTENT_TYPE, HeaderValue::from_static(self.media_type()))
    }

    /// Its name in `Content-Type`.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MsgPack => "application/vnd.msgpack",
        }
    }
}

/// Whether the sender wants nothing but an acknowledgement now, and the answers in its stream (10.2, `Prefer`).
#[must_use]
pub fn wants_async(headers: &HeaderMap) -> bool {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|preference| media_type(preference).eq_ignore_ascii_case("respond-async"))
}

/// What stands before the parameters.
fn media_type(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(name: http::HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn content_type_decides_how_a_body_is_read() {
        let format = |kind: &str| Format::of_body(&headers(CONTENT_TYPE, &[kind])).map_err(|e| e.code);
        for kind in ["application/json", "Application/JSON; charset=utf-8", " application/json "] {
            assert_eq!(format(kind), Ok(Format::Json), "{kind}");
        }
        for kind in ["application/vnd.msgpack", "application/msgpack", "application/x-msgpack;x=1", "APPLICATION/MSGPACK"] {
            assert_eq!(format(kind), Ok(Format::MsgPack), "{kind}");
        }
        for kind in ["", "text/plain", "application/jsonx", "application/xml", "*/*"] {
            assert_eq!(format(kind), Err(Code::UnsupportedMediaType), "{kind}");
        }
        assert_eq!(Format::of_body(&HeaderMap::new()).unwrap(), Format::Json);
    }

    #[test]
    fn row_11_20_answers_are_json_unless_asked() {
        let format = |values: &[&str], request| Format::of_answer(&headers(ACCEPT, values), request).map_err(|e| e.code);
        for values in [&[][..], &[""], &["*/*"], &["application/*"], &["text/html, */*;q=0.1"]] {
            assert_eq!(format(values, Format::Json), Ok(Format::Json), "{values:?}");
            assert_eq!(format(values, Format::MsgPack), Ok(Format::MsgPack), "{values:?}");
        }
        for (values, format_of_json, format_of_msgpack) in [
            (&["application/json"][..], Format::Json, Format::Json),
            (&["application/x-msgpack"], Format::MsgPack, Format::MsgPack),
            (&["application/json", "application/vnd.msgpack"], Format::Json, Format::MsgPack),
            (&["application/json;q=0.5, application/vnd.msgpack"], Format::MsgPack, Format::MsgPack),
            (&["application/json;q=0, */*"], Format::MsgPack, Format::MsgPack),
            (&["*/*;q=0.2, application/json; Q=0.1"], Format::MsgPack, Format::MsgPack),
        ] {
            assert_eq!(format(values, Format::Json), Ok(format_of_json), "{values:?}");
            assert_eq!(format(values, Format::MsgPack), Ok(format_of_msgpack), "{values:?}");
        }
        for values in ["text/html", "application/json;q=0", "application/json;q=x", "image/*"] {
            assert_eq!(format(&[values], Format::Json), Err(Code::NotAcceptable), "{values}");
        }
    }

    #[test]
    fn preference_is_found_among_others() {
        let wants = |values: &[&str]| wants_async(&headers(http::HeaderName::from_static("prefer"), values));
        for values in
            [&["respond-async"][..], &["Respond-Async; x=1"], &["wait=10, respond-async"], &["wait=10", "respond-async"]]
        {
            assert!(wants(values), "{values:?}");
        }
        for values in [&[][..], &[""], &["respond"], &["respond-async2"], &["x;respond-async"]] {
            assert!(!wants(values), "{values:?}");
        }
    }

    #[test]
    fn reply_names_its_format() {
        let reply = Format::MsgPack.reply(StatusCode::OK, &Node::Null);
        assert_eq!((&reply.headers["content-type"], &reply.body[..]), (&"application/vnd.msgpack".parse().unwrap(), &[0xc0][..]));
        let reply = Format::Json.reply(StatusCode::OK, &Node::Null);
        assert_eq!((&reply.headers["content-type"], &reply.body[..]), (&"application/json".parse().unwrap(), &b"null"[..]));
    }

    proptest! {
        #[test]
        fn negotiation_never_panics(kind in "[ -~]{0,40}", accept in "[ -~]{0,40}|[a-z*/;,= q0-9.]{0,40}") {
            let _ = Format::of_body(&headers(CONTENT_TYPE, &[&kind]));
            let _ = Format::of_answer(&headers(ACCEPT, &[&accept]), Format::Json);
        }
    }
}
