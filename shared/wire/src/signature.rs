//! Hashes, signatures and comparisons in constant time.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Lower-case hex of the SHA-256 of `bytes`.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// HMAC-SHA-256 of `text` under `key`.
#[must_use]
pub fn hmac_sha256(key: &[u8], text: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length; the error case does not exist for it.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// The signature of our calls to a tenant's own systems: HMAC-SHA-256 over time (Unix seconds), a dot and the body, in lower-case
/// hex. It stands behind `v1=` in `x-deskbridge-signature`, the time in `x-deskbridge-timestamp`.
#[must_use]
pub fn of_our_call(secret: &str, time: &str, body: &str) -> String {
    hex::encode(hmac_sha256(secret.as_bytes(), format!("{time}.{body}").as_bytes()))
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
#[must_use]
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_of_nothing_is_the_known_one() {
        assert_eq!(sha256_hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn hmac_matches_rfc_4231_case_2() {
        assert_eq!(
            hex::encode(hmac_sha256(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn signature_of_our_call_is_the_one_that_other_tools_make() {
        // printf '1767225600.{"a":1}' | openssl dgst -sha256 -hmac contract-demo-secret-001
        let expected = "7dc9aa587118f1819a3d1cb864affd57f821477b435add6def69d81ff0955184";
        assert_eq!(of_our_call("contract-demo-secret-001", "1767225600", r#"{"a":1}"#), expected);
    }

    #[test]
    fn comparison_sees_length_and_content() {
        assert!(constant_time_eq(b"abc", b"abc"));
        assert!(!constant_time_eq(b"abc", b"abd"));
        assert!(!constant_time_eq(b"abc", b"ab"));
    }
}
