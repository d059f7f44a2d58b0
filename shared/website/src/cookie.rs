//! The tracking cookie (8.4): who a browser is, without knowing who it is.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// Name of the cookie.
pub const COOKIE: &str = "icc3_TrackingId";
/// Header that carries the same value where the browser keeps third-party cookies away, both ways.
pub const TOKEN_HEADER: &str = "X-Tracking-Token";

/// Bytes of the HMAC that are kept.
const MAC_LEN: usize = 16;
/// Shortest key that is taken; 32 random bytes are what the whole hash is worth.
const MIN_KEY: usize = 32;

/// One browser on one WebSite domain. Drawn by us from 122 random bits, proven by the HMAC beside it, stored as its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackingId(Uuid);

impl TrackingId {
    /// A new id out of random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }
}

impl fmt::Display for TrackingId {
    /// The GUID, lower-case and hyphenated.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// A cookie key is shorter than 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cookie key has fewer than 32 bytes")]
pub struct KeyTooShort;

/// The live keys: one that signs, and while keys are changed the one before it, which still verifies.
#[derive(Clone)]
pub struct Keys {
    current: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(***)")
    }
}

impl Keys {
    /// Takes one key or two.
    ///
    /// # Errors
    /// [`KeyTooShort`] for a key of fewer than 32 bytes.
    pub fn new(current: &[u8], previous: Option<&[u8]>) -> Result<Self, KeyTooShort> {
        Ok(Self { current: mac_under(current)?, previous: previous.map(mac_under).transpose()? })
    }

    /// What the cookie and the token header hold: the GUID, a dot, and 16 bytes of its HMAC-SHA-256 as hex.
    #[must_use]
    pub fn value(&self, id: TrackingId) -> String {
        let id = id.to_string();
        let mac = self.current.clone().chain_update(&id).finalize().into_bytes();
        format!("{id}.{}", hex::encode(&mac[..MAC_LEN]))
    }

    /// The id in a value, if one of the keys signed it.
    #[must_use]
    pub fn verify(&self, value: &str) -> Option<TrackingId> {
        let (guid, mac) = value.split_once('.')?;
        let id = TrackingId(Uuid::try_parse(guid).ok()?);
        // The one spelling that is issued.
        if id.to_string() != guid {
            return None;
        }
        let mut bytes = [0; MAC_LEN];
        hex::decode_to_slice(mac, &mut bytes).ok()?;
        let signed = |key: &Hmac<Sha256>| key.clone().chain_update(guid).verify_truncated_left(&bytes).is_ok();
        (signed(&self.current) || self.previous.as_ref().is_some_and(signed)).then_some(id)
    }

    /// The value of the `Set-Cookie` header, to be sent with every answer of the API and every script.
    #[must_use]
    pub fn set_cookie(&self, id: TrackingId) -> String {
        format!("{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=None; Partitioned; Max-Age=31536000", self.value(id))
    }
}

fn mac_under(key: &[u8]) -> Result<Hmac<Sha256>, KeyTooShort> {
    if key.len() < MIN_KEY {
        return Err(KeyTooShort);
    }
    Hmac::new_from_slice(key).map_err(|_| KeyTooShort)
}

/// Whose request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Browser {
    /// Its id.
    pub id: TrackingId,
    /// Whether the id was drawn just now.
    pub is_new: bool,
}

/// Recognises the browser by the `Cookie` header, or, when that holds no tracking cookie, by `X-Tracking-Token`. Whatever
/// is missing, malformed or not signed by us makes a new id out of `random`, and is no error (8.4).
#[must_use]
pub fn recognise(keys: &Keys, cookie: Option<&str>, token: Option<&str>, random: [u8; 16]) -> Browser {
    let mut cookies = tracking_cookies(cookie.unwrap_or_default()).peekable();
    let known = if cookies.peek().is_some() {
        // One from before partitioned cookies may come beside the one of today.
        cookies.find_map(|value| keys.verify(value))
    } else {
        token.and_then(|value| keys.verify(value))
    };
    Browser { id: known.unwrap_or_else(|| TrackingId::from_random(random)), is_new: known.is_none() }
}

fn tracking_cookies(header: &str) -> impl Iterator<Item = &str> {
    let pairs = header.split(';').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| name.trim() == COOKIE).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RANDOM: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    const OTHER: [u8; 16] = [0xff; 16];
    const GUID: &str = "00010203-0405-4607-8809-0a0b0c0d0e0f";
    const OTHER_GUID: &str = "ffffffff-ffff-4fff-bfff-ffffffffffff";
    /// Under 32 times `k`, and under 32 times `p`.
    const VALUE: &str = "00010203-0405-4607-8809-0a0b0c0d0e0f.d4e21e2776c7f073bc5d822489725e4f";
    const PREVIOUS_VALUE: &str = "00010203-0405-4607-8809-0a0b0c0d0e0f.2544cad153e0cbe79668a7ae4ca9da84";

    fn keys() -> Keys {
        Keys::new(&[b'k'; 32], Some(&[b'p'; 32])).unwrap()
    }

    fn recognised(cookie: Option<&str>, token: Option<&str>) -> (String, bool) {
        let browser = recognise(&keys(), cookie, token, OTHER);
        (browser.id.to_string(), browser.is_new)
    }

    #[test]
    fn name_of_the_cookie_is_the_published_one() {
        assert_eq!((COOKIE, TOKEN_HEADER), ("icc3_TrackingId", "X-Tracking-Token"));
    }

    #[test]
    fn value_is_a_random_guid_and_half_of_its_hmac() {
        let id = TrackingId::from_random(RANDOM);
        assert_eq!(id.to_string(), GUID);
        assert_eq!(keys().value(id), VALUE);
        assert_eq!(Keys::new(&[b'p'; 32], None).unwrap().value(id), PREVIOUS_VALUE);
    }

    #[test]
    fn attributes_of_the_cookie_are_those_of_the_contract() {
        assert_eq!(
            keys().set_cookie(TrackingId::from_random(RANDOM)),
            "icc3_TrackingId=00010203-0405-4607-8809-0a0b0c0d0e0f.d4e21e2776c7f073bc5d822489725e4f; \
             Path=/; Secure; HttpOnly; SameSite=None; Partitioned; Max-Age=31536000"
        );
    }

    #[test]
    fn cookie_of_either_live_key_is_recognised() {
        for value in [VALUE, PREVIOUS_VALUE] {
            let header = format!("a=1; icc3_TrackingId={value}; b=2");
            assert_eq!(recognised(Some(&header), None), (GUID.to_owned(), false), "{value}");
        }
        let after_rotation = Keys::new(&[b'k'; 32], None).unwrap();
        assert_eq!(after_rotation.verify(PREVIOUS_VALUE), None);
    }

    #[test]
    fn missing_malformed_or_forged_cookie_gets_a_new_id() {
        for value in [
            "",
            GUID,
            "00010203-0405-4607-8809-0a0b0c0d0e0f.",
            // One digit of the id, one of the HMAC, another spelling, a shorter and a longer HMAC.
            "10010203-0405-4607-8809-0a0b0c0d0e0f.d4e21e2776c7f073bc5d822489725e4f",
            "00010203-0405-4607-8809-0a0b0c0d0e0f.d4e21e2776c7f073bc5d822489725e4e",
            "{00010203-0405-4607-8809-0a0b0c0d0e0f}.d4e21e2776c7f073bc5d822489725e4f",
            "00010203-0405-4607-8809-0A0B0C0D0E0F.d4e21e2776c7f073bc5d822489725e4f",
            "00010203-0405-4607-8809-0a0b0c0d0e0f.d4e21e2776c7f073bc5d822489725e",
            "00010203-0405-4607-8809-0a0b0c0d0e0f.d4e21e2776c7f073bc5d822489725e4f00",
            "\"",
        ] {
            let header = format!("icc3_TrackingId={value}");
            assert_eq!(recognised(Some(&header), None), (OTHER_GUID.to_owned(), true), "{value}");
        }
        assert_eq!(recognised(None, None), (OTHER_GUID.to_owned(), true));
        assert!(recognised(Some(&format!("ICC3_TRACKINGID={VALUE}")), None).1);
    }

    #[test]
    fn token_header_counts_where_the_cookie_is_kept_away() {
        assert_eq!(recognised(None, Some(VALUE)), (GUID.to_owned(), false));
        assert_eq!(recognised(Some("other=1"), Some(VALUE)), (GUID.to_owned(), false));
        assert!(recognised(None, Some("forged")).1);
    }

    #[test]
    fn token_header_does_not_count_beside_a_cookie() {
        assert!(recognised(Some("icc3_TrackingId=forged"), Some(VALUE)).1);
    }

    #[test]
    fn second_cookie_of_the_name_is_tried_too() {
        let header = format!("icc3_TrackingId=stale; icc3_TrackingId={VALUE}");
        assert_eq!(recognised(Some(&header), None), (GUID.to_owned(), false));
    }

    #[test]
    fn short_keys_are_refused_and_none_is_shown() {
        assert_eq!(Keys::new(&[b'k'; 31], None).err(), Some(KeyTooShort));
        assert_eq!(Keys::new(&[b'k'; 32], Some(b"")).err(), Some(KeyTooShort));
        assert_eq!(format!("{:?}", keys()), "Keys(***)");
    }

    proptest! {
        #[test]
        fn issued_cookie_is_recognised(random: [u8; 16]) {
            let id = TrackingId::from_random(random);
            let header = keys().set_cookie(id);
            prop_assert_eq!(recognise(&keys(), Some(&header), None, OTHER), Browser { id, is_new: false });
        }

        #[test]
        fn recognising_never_panics(cookie in "(?s).{0,60}", token in "(?s).{0,60}|[0-9a-f.-]{0,70}") {
            prop_assert!(recognise(&keys(), Some(&cookie), Some(&token), RANDOM).is_new);
        }
    }
}
