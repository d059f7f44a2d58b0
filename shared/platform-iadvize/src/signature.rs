//! Who signed a call (section 4).

use http::Method;
use wire::signature::{constant_time_eq, hmac_sha256};
use wire::{RawRequest, Verified};

use crate::Secrets;

/// `x-iadvize-signature: sha256=<hex>`.
const HEADER: &str = "x-iadvize-signature";

/// The one way of signing that is taken: the header never chooses a weaker one.
const SHA256: &str = "sha256=";

/// Proves that a request was signed with a token of one of these, and tells whose: several sites of one connector share theirs.
///
/// What is signed is the undecoded query of a GET or HEAD, else the body (section 4.2, rules 3 and 4). `None` without exactly one
/// signature that fits somebody.
#[must_use]
pub fn verify<'a, T>(
    request: RawRequest,
    known: impl IntoIterator<Item = (T, &'a Secrets)>,
) -> Option<(Verified<RawRequest>, Vec<T>)> {
    let signature = signature(&request)?;
    let is_read = matches!(request.method, Method::GET | Method::HEAD);
    let message = if is_read { request.query.as_bytes() } else { &request.body };
    // All of them are compared, so that the time does not tell which one fits.
    let fits = |secrets: &Secrets| {
        let keys = secrets.tokens().iter().map(|token| hmac_sha256(token.expose().as_bytes(), message));
        keys.fold(false, |found, expected| found | constant_time_eq(&expected, &signature))
    };
    let signers: Vec<T> = known.into_iter().filter(|(_, secrets)| fits(secrets)).map(|(whose, _)| whose).collect();
    if signers.is_empty() { None } else { Some((Verified::vouch(request), signers)) }
}

fn signature(request: &RawRequest) -> Option<[u8; 32]> {
    let (algorithm, digits) = request.header(HEADER)?.split_at_checked(SHA256.len())?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(digits, &mut bytes).ok().filter(|()| algorithm.eq_ignore_ascii_case(SHA256))?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use testkit::fixtures::{get, post};

    use super::*;

    /// The vectors of section 4.3.
    const TOKEN: &str = "9f4c1d7e2ab85c3360d1f0e4b7a96c21";
    const QUERY: &str = "idConnectorVersion=5f0c2b1e-9a44-4d0b-8a55-2f5a7a1d9c10&idWebsite=ha-4821&idOperator=77120&limit=10&offset=0&searchQuery=caf%C3%A9+noir";
    const OF_QUERY: &str = "sha256=22fd98139288507098acf16236ec72387ac32837869ab5619a55f45c2a976111";
    const OF_NOTHING: &str = "sha256=8acfde73b81a228692891e2d41808e292873b44171208fd916f1033ed98f9d66";
    const BODY: &str = r#"{"action":"OPEN_CASE","idConnectorVersion":"5f0c2b1e-9a44-4d0b-8a55-2f5a7a1d9c10","idVisitorUnique":"c3d9e1f04b7a4d52a1be0f","idWebsite":"ha-4821","idConversation":"7d0f4c5e-2b1a-4e7d-9f33-61a2b8c4d901","idOperator":"ha-77120"}"#;
    const OF_BODY: &str = "sha256=d2784681f520c2239611db54fe98d6ee006f76dd483e127ece854a9cadf41c4a";

    fn known() -> [(&'static str, Secrets); 3] {
        let secrets = |tokens| Secrets::from_value(&json!({"tokens": tokens})).unwrap();
        [
            ("other", secrets(json!(["0f4c1d7e2ab85c3360d1f0e4b7a96c21"]))),
            ("own", secrets(json!([TOKEN]))),
            ("rotating", secrets(json!(["1f4c1d7e2ab85c3360d1f0e4b7a96c21", TOKEN]))),
        ]
    }

    fn signed(mut request: RawRequest, signatures: &[&str]) -> RawRequest {
        for signature in signatures {
            request.headers.append(HEADER, signature.parse().unwrap());
        }
        request
    }

    fn signers(request: RawRequest) -> Vec<&'static str> {
        verify(request, known().iter().map(|(name, secrets)| (*name, secrets))).map_or_else(Vec::new, |(_, whose)| whose)
    }

    fn by_get(query: &str, signature: &str) -> Vec<&'static str> {
        signers(signed(get("/iadvize/product-list/products", query), &[signature]))
    }

    fn by_post(body: &str, signature: &str) -> Vec<&'static str> {
        signers(signed(post("/iadvize/customer/action", body), &[signature]))
    }

    #[test]
    fn vectors_of_the_contract_are_whose_the_token_is() {
        assert_eq!(by_get(QUERY, OF_QUERY), ["own", "rotating"]);
        assert_eq!(by_get("", OF_NOTHING), ["own", "rotating"]);
        assert_eq!(by_post(BODY, OF_BODY), ["own", "rotating"]);
        let mut request = signed(post("/bots", BODY), &[OF_BODY]);
        request.query = QUERY.to_owned();
        assert_eq!(signers(request), ["own", "rotating"], "a query beside a body is not signed");
        let mut request = signed(get("/iadvize/product-list/products", QUERY), &[OF_QUERY]);
        request.method = Method::HEAD;
        assert_eq!(signers(request), ["own", "rotating"]);
    }

    #[test]
    fn case_of_algorithm_and_digits_does_not_matter() {
        assert_eq!(by_get(QUERY, &OF_QUERY.to_uppercase()).len(), 2);
    }

    #[test]
    fn every_changed_byte_is_refused() {
        for at in 0..QUERY.len() {
            let mut other = QUERY.as_bytes().to_vec();
            other[at] ^= 1;
            assert!(by_get(&String::from_utf8(other).unwrap(), OF_QUERY).is_empty(), "byte {at}");
        }
        for at in 0..BODY.len() {
            let mut other = BODY.as_bytes().to_vec();
            other[at] ^= 1;
            assert!(by_post(&String::from_utf8(other).unwrap(), OF_BODY).is_empty(), "byte {at}");
        }
        for at in 7..OF_QUERY.len() {
            let mut other = OF_QUERY.as_bytes().to_vec();
            other[at] = if other[at] == b'0' { b'1' } else { b'0' };
            assert!(by_get(QUERY, std::str::from_utf8(&other).unwrap()).is_empty(), "digit {at}");
        }
    }

    #[test]
    fn what_says_the_same_in_other_bytes_is_refused() {
        for other in [
            QUERY.replace('+', "%20"),
            QUERY.replace("%C3%A9", "%c3%a9"),
            QUERY.replace("%C3%A9", "é"),
            QUERY.split('&').rev().collect::<Vec<_>>().join("&"),
            format!("{QUERY}&"),
            format!("?{QUERY}"),
        ] {
            assert!(by_get(&other, OF_QUERY).is_empty(), "{other}");
        }
        let value: serde_json::Value = serde_json::from_str(BODY).unwrap();
        assert!(by_post(&value.to_string(), OF_BODY).is_empty(), "serialised again");
        assert!(by_post(&BODY.replace(":\"", ": \""), OF_BODY).is_empty());
    }

    #[test]
    fn without_exactly_one_signature_of_the_one_kind_nobody_signed() {
        for signatures in [
            &[][..],
            &[OF_QUERY, OF_QUERY],
            &[""],
            &["sha256="],
            &["22fd98139288507098acf16236ec72387ac32837869ab5619a55f45c2a976111"],
            &["sha1=22fd98139288507098acf16236ec72387ac32837869ab5619a55f45c2a976111"],
            &["sha512=22fd98139288507098acf16236ec72387ac32837869ab5619a55f45c2a976111"],
            &["sha256= 22fd98139288507098acf16236ec72387ac32837869ab5619a55f45c2a976111"],
            &["sha256=22fd98139288507098acf16236ec72387ac32837869ab5619a55f45c2a97611"],
            &["sha256=22fd98139288507098acf16236ec72387ac32837869ab5619a55f45c2a9761111"],
            &["sha256=zzfd98139288507098acf16236ec72387ac32837869ab5619a55f45c2a976111"],
        ] {
            assert!(signers(signed(get("/iadvize/product-list/products", QUERY), signatures)).is_empty(), "{signatures:?}");
        }
    }

    #[test]
    fn token_is_a_text_and_not_hex() {
        // printf '' | openssl dgst -sha256 -mac HMAC -macopt hexkey:9f4c1d7e2ab85c3360d1f0e4b7a96c21
        let decoded = "sha256=82ffd32940a8eb6d661782bedc3fda4751e043683111e940e05bc0f107434248";
        assert!(by_get("", decoded).is_empty());
    }
}
