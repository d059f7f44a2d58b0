//! Who calls, and how we show who we are: one HMAC scheme for both directions (10.5).

use http::{HeaderMap, HeaderName, HeaderValue};
use model::EpochMillis;
use wire::signature::{constant_time_eq, hmac_sha256, sha256_hex};
use wire::{RawRequest, Verified};

use crate::settings::{Key, Secrets};

const KEY: &str = "x-fs-key";
const TIME: &str = "x-fs-time";
const NONCE: &str = "x-fs-nonce";
const SIGNATURE: &str = "x-fs-signature";

/// How far the caller's clock may be off, in seconds, either way.
const TIME_WINDOW: u64 = 300;

/// What may be used once only: to be remembered for at least 10 minutes, after the signature was found right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce {
    /// The key it was used with.
    pub key_id: String,
    /// The caller's nonce.
    pub value: String,
}

/// Why a caller was not believed. For the log only: the caller is always told the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthFailure {
    /// A header is missing, there twice, or not text.
    #[error("header {0} is missing or unusable")]
    Header(&'static str),
    /// The nonce is not 1 to 64 of the allowed characters.
    #[error("the nonce has a wrong form")]
    NonceForm,
    /// No live key has this id.
    #[error("the key is not known")]
    UnknownKey,
    /// The time is not a number of seconds.
    #[error("the time has a wrong form")]
    TimeForm,
    /// The time is more than 300 s off.
    #[error("the time is outside the window")]
    TimeWindow,
    /// The signature is not `v1=` and 64 lower-case hex digits.
    #[error("the signature has a wrong form")]
    SignatureForm,
    /// The signature is another.
    #[error("the signature is wrong")]
    SignatureWrong,
}

/// Proves that a request was signed with one of the gateway's live keys.
///
/// The nonce in the result has not been seen by anybody yet: the caller of this function has to refuse it if it was used
/// before.
///
/// # Errors
/// [`AuthFailure`], of which only the log may speak.
pub fn verify(request: RawRequest, secrets: &Secrets, now: EpochMillis) -> Result<(Verified<RawRequest>, Nonce), AuthFailure> {
    let header = |name: &'static str| request.header(name).ok_or(AuthFailure::Header(name));
    let (key_id, time, nonce, signature) = (header(KEY)?, header(TIME)?, header(NONCE)?, header(SIGNATURE)?);
    let nonce_fits =
        (1..=64).contains(&nonce.len()) && nonce.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if !nonce_fits {
        return Err(AuthFailure::NonceForm);
    }
    // Key ids are no secret: they travel in the open.
    let key = secrets.key(key_id).ok_or(AuthFailure::UnknownKey)?;
    if !(1..=15).contains(&time.len()) || !time.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AuthFailure::TimeForm);
    }
    let seconds: i64 = time.parse().map_err(|_| AuthFailure::TimeForm)?;
    if now.seconds().abs_diff(seconds) > TIME_WINDOW {
        return Err(AuthFailure::TimeWindow);
    }
    let given = signature.strip_prefix("v1=").unwrap_or_default();
    if given.len() != 64 || !given.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(AuthFailure::SignatureForm);
    }
    let right = signature_hex(request.method.as_str(), &request.path, &request.query, &request.body, key, time, nonce);
    if !constant_time_eq(right.as_bytes(), given.as_bytes()) {
        return Err(AuthFailure::SignatureWrong);
    }
    let nonce = Nonce { key_id: key.id.clone(), value: nonce.to_owned() };
    Ok((Verified::vouch(request), nonce))
}

/// The headers that sign a request of ours. `path` and `query` as they go over the wire, `time` in Unix seconds.
#[must_use]
pub fn sign(method: &str, path: &str, query: &str, body: &[u8], key: &Key, time: i64, nonce: &str) -> HeaderMap {
    let time = time.to_string();
    let signature = format!("v1={}", signature_hex(method, path, query, body, key, &time, nonce));
    let mut headers = HeaderMap::new();
    for (name, value) in [(KEY, key.id.as_str()), (TIME, &time), (NONCE, nonce), (SIGNATURE, &signature)] {
        // Key ids were checked when they were read; the rest is digits and hex. A value that is no header value is left
        // out, and the receiver refuses the request.
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(name == SIGNATURE);
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers
}

fn signature_hex(method: &str, path: &str, query: &str, body: &[u8], key: &Key, time: &str, nonce: &str) -> String {
    let text = [method, path, query, time, nonce, &sha256_hex(body)].join("\n");
    hex::encode(hmac_sha256(key.secret(), text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use http::Method;
    use proptest::prelude::*;

    use super::*;
    use crate::settings::tests::secrets;

    const BODY: &str = r#"{"Msg":"ES_SL_GETGATEWAYS","Id":"5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01","Body":"!MailLink"}"#;
    const POST_SIGNATURE: &str = "v1=a633eac6d3f46c2af71571c9d81d7c0f9ba3cb65c82c5f28d13cda4baa47ed4a";
    const GET_SIGNATURE: &str = "v1=238eff3e987986b96b1cd49ca708aa8493d69c6f9fdd4e700a6eb7127186a907";

    fn post() -> RawRequest {
        let mut headers = HeaderMap::new();
        headers.insert(KEY, "k1".parse().unwrap());
        headers.insert(TIME, "1767225600".parse().unwrap());
        headers.insert(NONCE, "n-0001".parse().unwrap());
        headers.insert(SIGNATURE, POST_SIGNATURE.parse().unwrap());
        RawRequest {
            method: Method::POST,
            path: "/v1/frontstage/gw-mail/messages".into(),
            query: String::new(),
            headers,
            body: BODY.into(),
            request_id: "r".into(),
            source_ip: None,
        }
    }

    fn get() -> RawRequest {
        let mut request = post();
        request.method = Method::GET;
        request.path = "/v1/frontstage/gw-mail/events".into();
        request.query = "after=41&max=10&wait=0".into();
        request.body = Default::default();
        request.headers.insert(TIME, "1767225605".parse().unwrap());
        request.headers.insert(NONCE, "n-0002".parse().unwrap());
        request.headers.insert(SIGNATURE, GET_SIGNATURE.parse().unwrap());
        request
    }

    fn at(seconds: i64) -> EpochMillis {
        EpochMillis::new(seconds * 1000)
    }

    fn failure(request: RawRequest) -> AuthFailure {
        verify(request, &secrets(), at(1_767_225_600)).unwrap_err()
    }

    #[test]
    fn known_answers_of_the_contract_are_accepted() {
        assert_eq!(BODY.len(), 90);
        assert_eq!(sha256_hex(BODY.as_bytes()), "e0c05241244fd9747de125b24761e20df4a597d8b1de86f90c048f56c15dd76c");
        let (verified, nonce) = verify(post(), &secrets(), at(1_767_225_600)).unwrap();
        assert_eq!(verified.get().body, BODY);
        assert_eq!(nonce, Nonce { key_id: "k1".into(), value: "n-0001".into() });
        assert!(verify(get(), &secrets(), at(1_767_225_600)).is_ok());
    }

    #[test]
    fn known_answers_of_the_contract_are_made() {
        let secrets = secrets();
        let key = secrets.signing().unwrap();
        let headers = sign("POST", "/v1/frontstage/gw-mail/messages", "", BODY.as_bytes(), key, 1_767_225_600, "n-0001");
        assert_eq!(headers[KEY], "k1");
        assert_eq!(headers[TIME], "1767225600");
        assert_eq!(headers[NONCE], "n-0001");
        assert_eq!(headers[SIGNATURE], POST_SIGNATURE);
        assert!(headers[SIGNATURE].is_sensitive());
        let headers = sign("GET", "/v1/frontstage/gw-mail/events", "after=41&max=10&wait=0", b"", key, 1_767_225_605, "n-0002");
        assert_eq!(headers[SIGNATURE], GET_SIGNATURE);
    }

    #[test]
    fn clock_may_be_300_seconds_off() {
        let signed = 1_767_225_600;
        for (now, accepted) in [(signed - 301, false), (signed - 300, true), (signed + 300, true), (signed + 301, false)] {
            assert_eq!(verify(post(), &secrets(), at(now)).is_ok(), accepted, "{now}");
        }
        assert_eq!(verify(post(), &secrets(), at(signed + 301)).unwrap_err(), AuthFailure::TimeWindow);
    }

    #[test]
    fn whatever_was_signed_may_not_change() {
        let changes: [fn(&mut RawRequest); 7] = [
            |r| r.method = Method::PUT,
            |r| r.path.push('/'),
            |r| r.query.push('a'),
            |r| r.body = BODY.replace("!Mail", "!Meil").into(),
            |r| drop(r.headers.insert(TIME, "1767225601".parse().unwrap())),
            |r| drop(r.headers.insert(NONCE, "n-0002".parse().unwrap())),
            |r| drop(r.headers.insert(KEY, "k2".parse().unwrap())),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut request = post();
            change(&mut request);
            assert_eq!(failure(request), AuthFailure::SignatureWrong, "change {index}");
        }
    }

    #[test]
    fn each_header_must_be_there_once_and_well_formed() {
        for name in [KEY, TIME, NONCE, SIGNATURE] {
            let mut missing = post();
            missing.headers.remove(name);
            assert_eq!(failure(missing), AuthFailure::Header(name));
            let mut twice = post();
            let value = twice.headers[name].clone();
            twice.headers.append(name, value);
            assert_eq!(failure(twice), AuthFailure::Header(name));
        }
        let with = |name: &'static str, value: &str| {
            let mut request = post();
            request.headers.insert(name, value.parse().unwrap());
            failure(request)
        };
        assert_eq!(with(KEY, "k3"), AuthFailure::UnknownKey);
        for time in ["", "+1767225600", "-1", "1767225600.0", "1767225600000000000000", "x"] {
            assert_eq!(with(TIME, time), AuthFailure::TimeForm, "{time}");
        }
        for nonce in ["", "a b", "a/b", "ž", &"n".repeat(65)] {
            assert!(matches!(with(NONCE, nonce), AuthFailure::NonceForm | AuthFailure::Header(NONCE)), "{nonce}");
        }
        for signature in ["", "v1=", "v2=00", &POST_SIGNATURE[3..], &POST_SIGNATURE.to_uppercase(), &format!("{POST_SIGNATURE}0")]
        {
            assert_eq!(with(SIGNATURE, signature), AuthFailure::SignatureForm, "{signature}");
        }
    }

    proptest! {
        #[test]
        fn headers_never_panic_and_never_pass(values in proptest::collection::vec("[ -~]{0,70}|v1=[0-9a-f]{64}|[0-9]{1,20}", 4)) {
            let mut request = post();
            for (name, value) in [KEY, TIME, NONCE, SIGNATURE].into_iter().zip(&values) {
                request.headers.insert(name, value.parse().unwrap());
            }
            prop_assert!(verify(request, &secrets(), at(1_767_225_600)).is_err());
        }

        #[test]
        fn what_we_sign_we_accept(path in "/[a-z/]{0,20}", query in "[a-z=&]{0,20}", body: Vec<u8>, nonce in "[A-Za-z0-9._-]{1,64}") {
            let secrets = secrets();
            let mut request = post();
            request.headers = sign("POST", &path, &query, &body, secrets.signing().unwrap(), 1_767_225_600, &nonce);
            (request.path, request.query, request.body) = (path, query, body.into());
            prop_assert!(verify(request, &secrets, at(1_767_225_600)).is_ok());
        }
    }
}
