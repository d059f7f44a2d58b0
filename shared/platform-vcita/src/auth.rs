//! Who may call us, and which of our routes is meant (sections 5 and 11).

use http::Method;
use percent_encoding::percent_decode_str;
use wire::client_address::{AddressList, client_address};
use wire::signature::constant_time_eq;
use wire::{RawRequest, Verified};

use crate::{ChannelUid, ErrorCode, MessageUid, Secrets, SessionUid, WireError};

/// The caller did not know the path secret. There is one answer to it, whatever was wrong: 404 without a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("path secret rejected")]
pub struct AuthFailure;

/// One of the routes below `/vcita/{app}/{secret}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `POST /messages`: staff wrote.
    Messages,
    /// `PUT /messages/{message_uid}`: status of a message.
    Message(MessageUid),
    /// `PUT /channels/{channel_uid}`: status of a channel.
    Channel(ChannelUid),
    /// `PUT /sessions/{session_uid}`: status of a session.
    Session(SessionUid),
    /// `POST` or `PUT /{session_uid}/typing`: staff types.
    Typing(SessionUid),
    /// `POST /events`: a generic event (section 9.8).
    Events,
}

impl Route {
    /// The methods of the route, as `Allow` lists them. Nobody says which one typing has (section 13, row 4).
    #[must_use]
    pub const fn allow(&self) -> &'static str {
        match self {
            Self::Messages | Self::Events => "POST",
            Self::Message(_) | Self::Channel(_) | Self::Session(_) => "PUT",
            Self::Typing(_) => "POST, PUT",
        }
    }

    /// Whether the route has this method.
    #[must_use]
    pub fn takes(&self, method: &Method) -> bool {
        self.allow().split(", ").any(|allowed| allowed == method.as_str())
    }
}

/// The word in `/vcita/{app}/...` that names the account, before anything is proven.
#[must_use]
pub fn app_key(request: &RawRequest) -> Option<&str> {
    match request.segments()[..] {
        ["vcita", app, ..] => Some(app),
        _ => None,
    }
}

/// Whether the request comes from one of the addresses that the operator allows (section 11, row 5).
#[must_use]
pub fn is_from(request: &RawRequest, sources: Option<&AddressList>) -> bool {
    let Some(sources) = sources else { return true };
    let address = request.source_ip.as_deref().and_then(|ip| client_address(ip, None, &AddressList::default()));
    address.is_some_and(|address| sources.contains(address))
}

/// Proves that the caller knows the path secret, the current or the previous one.
///
/// # Errors
/// [`AuthFailure`] whatever was wrong with the path.
pub fn verify(request: RawRequest, secrets: &Secrets) -> Result<Verified<RawRequest>, AuthFailure> {
    let given = match request.segments()[..] {
        ["vcita", _, secret, ..] => secret.as_bytes(),
        _ => return Err(AuthFailure),
    };
    // All secrets are compared every time, so that the time does not tell which one was nearly right.
    let matches = secrets.url_secrets.iter().fold(false, |found, secret| {
        let same = constant_time_eq(given, secret.expose().as_bytes());
        found | same
    });
    if matches { Ok(Verified::vouch(request)) } else { Err(AuthFailure) }
}

/// The route that the path names; `None` if there is none. Ask after [`verify`]: a caller without the secret gets 404
/// whatever the rest of the path is.
///
/// # Errors
/// [`WireError::Invalid`] if the identifier in the path is not UTF-8, or too long.
pub fn route(request: &RawRequest) -> Result<Option<Route>, WireError> {
    let segments = request.segments();
    let Some(rest) = segments.get(3..).filter(|_| segments[0] == "vcita") else { return Ok(None) };
    Ok(match *rest {
        ["messages"] => Some(Route::Messages),
        ["events"] => Some(Route::Events),
        ["messages", uid] => Some(Route::Message(decoded(uid, "message_uid")?)),
        ["channels", uid] => Some(Route::Channel(decoded(uid, "channel_uid")?)),
        ["sessions", uid] => Some(Route::Session(decoded(uid, "session_uid")?)),
        // After those above: their words are no session's uid (section 5, routing detail).
        [uid, "typing"] => Some(Route::Typing(decoded(uid, "session_uid")?)),
        _ => None,
    })
}

fn decoded<T: std::str::FromStr<Err = crate::UidProblem>>(segment: &str, field: &'static str) -> Result<T, WireError> {
    let text = percent_decode_str(segment).decode_utf8().ok();
    // Some gateways decode the path themselves and put the replacement character where it was not UTF-8.
    let text = text.filter(|text| !text.contains(char::REPLACEMENT_CHARACTER)).ok_or(WireError::Invalid {
        code: ErrorCode::Invalid,
        message: "is not UTF-8",
        field: Some(field),
    })?;
    text.parse().map_err(|problem| WireError::uid(problem, field))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const CURRENT: &str = "0123456789abcdef0123456789abcdef";
    const PREVIOUS: &str = "fedcba9876543210fedcba9876543210";

    fn request(path: &str) -> RawRequest {
        RawRequest {
            method: Method::PUT,
            path: path.to_owned(),
            query: String::new(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            request_id: "r-1".to_owned(),
            source_ip: None,
        }
    }

    fn secrets() -> Secrets {
        Secrets::from_value(&json!({"url_secrets": [CURRENT, PREVIOUS], "token": "t"})).unwrap()
    }

    #[test]
    fn both_secrets_are_accepted_also_with_doubled_slashes() {
        for path in [
            format!("/vcita/demo/{CURRENT}/messages"),
            format!("/vcita/demo/{PREVIOUS}/messages"),
            format!("/vcita/demo/{CURRENT}//messages"),
            format!("//vcita//demo//{CURRENT}//messages/"),
        ] {
            let verified = verify(request(&path), &secrets()).unwrap();
            assert_eq!(route(verified.get()), Ok(Some(Route::Messages)), "{path}");
            assert_eq!(app_key(verified.get()), Some("demo"));
        }
    }

    #[test]
    fn anything_else_is_one_failure() {
        for path in [
            "",
            "/",
            "/vcita",
            "/vcita/demo",
            "/vcita/demo/messages",
            "/vcita/demo/0123456789abcdef0123456789abcdee/messages",
            "/vcita/demo/0123456789ABCDEF0123456789ABCDEF/messages",
            "/vcita/demo/0123456789abcdef/messages",
            "/vcita/0123456789abcdef0123456789abcdef/messages",
            "/other/demo/0123456789abcdef0123456789abcdef/messages",
        ] {
            assert_eq!(verify(request(path), &secrets()).err(), Some(AuthFailure), "{path}");
        }
    }

    #[test]
    fn routes_carry_decoded_ids() {
        let at = |tail: &str| route(&request(&format!("/vcita/demo/{CURRENT}{tail}")));
        assert_eq!(at("/messages/a%2Fb%2B%3D%25"), Ok(Some(Route::Message("a/b+=%".parse().unwrap()))));
        assert_eq!(at("/channels/c-1"), Ok(Some(Route::Channel("c-1".parse().unwrap()))));
        assert_eq!(at("/sessions/%E2%82%AC"), Ok(Some(Route::Session("€".parse().unwrap()))));
        assert_eq!(at("/s%2F1/typing"), Ok(Some(Route::Typing("s/1".parse().unwrap()))));
        for none in ["", "/channels", "/sessions", "/messages/a/b", "/typing", "/x/typing/y", "/x/typed", "/events/x"] {
            assert_eq!(at(none), Ok(None), "{none}");
        }
    }

    #[test]
    fn words_of_other_routes_are_no_session_that_types() {
        let at = |tail: &str| route(&request(&format!("/vcita/demo/{CURRENT}{tail}")));
        assert_eq!(at("/messages/typing"), Ok(Some(Route::Message("typing".parse().unwrap()))));
        assert_eq!(at("/channels/typing"), Ok(Some(Route::Channel("typing".parse().unwrap()))));
        assert_eq!(at("/sessions/typing"), Ok(Some(Route::Session("typing".parse().unwrap()))));
    }

    #[test]
    fn routes_have_the_methods_of_the_contract() {
        let session = || "s".parse().unwrap();
        for (route, taken) in [
            (Route::Messages, [true, false, false]),
            (Route::Session(session()), [false, true, false]),
            (Route::Typing(session()), [true, true, false]),
        ] {
            assert_eq!([Method::POST, Method::PUT, Method::PATCH].map(|method| route.takes(&method)), taken, "{route:?}");
        }
    }

    #[test]
    fn id_that_is_not_utf8_or_too_long_is_400() {
        for (tail, code) in [("%FF".to_owned(), ErrorCode::Invalid), ("x".repeat(256), ErrorCode::TooLong)] {
            let error = route(&request(&format!("/vcita/demo/{CURRENT}/messages/{tail}"))).unwrap_err();
            assert!(matches!(error, WireError::Invalid { code: c, field: Some("message_uid"), .. } if c == code));
            assert_eq!(error.reply().status.as_u16(), 400);
        }
    }

    proptest! {
        #[test]
        fn any_path_never_panics(path in ".*", tail in "(/?[a-z%0-9F]{0,5}){0,4}") {
            for path in [path, format!("/vcita/demo/{CURRENT}/{tail}")] {
                let _ = app_key(&request(&path));
                let _ = route(&request(&path));
                let _ = verify(request(&path), &secrets());
            }
        }
    }
}
