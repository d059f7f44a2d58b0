//! Seals what is kept in the table and is for nobody who reads it there: tokens that platforms gave us.
//!
//! AES-256-GCM under a key out of an account's secrets, with a random nonce, bound to the name under which it is kept. This
//! crate must not know what is sealed, for whom, or where it is kept.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

/// Length of a key, in bytes.
pub const KEY_LEN: usize = 32;

/// Keys that seal and open, the current one first.
#[derive(Clone)]
pub struct Seals(Vec<LessSafeKey>);

impl fmt::Debug for Seals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Seals {
    /// One or two keys, each 64 hex digits. `None` if they are not that.
    #[must_use]
    pub fn new(keys: &[&str]) -> Option<Self> {
        if !(1..=2).contains(&keys.len()) {
            return None;
        }
        let key = |digits: &&str| key(&hex::decode(digits).ok().filter(|bytes| bytes.len() == KEY_LEN)?);
        keys.iter().map(key).collect::<Option<_>>().map(Self)
    }

    /// One key, which was derived from a secret.
    #[must_use]
    pub fn of_key(bytes: &[u8; KEY_LEN]) -> Option<Self> {
        key(bytes).map(|key| Self(vec![key]))
    }

    /// Seals bytes for what is kept under this name, with the current key. `None` if there is no randomness.
    #[must_use]
    pub fn seal(&self, name: &str, plain: &[u8]) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = plain.to_vec();
        let key = self.0.first()?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), &mut sealed).ok()?;
        Some(STANDARD_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// Opens what was sealed for this name, with either key. `None` if neither fits, or it was sealed for another name or
    /// changed.
    #[must_use]
    pub fn open(&self, name: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = STANDARD_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let open = |key: &LessSafeKey| {
            let mut text = sealed.to_vec();
            let open = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(name), &mut text).ok()?;
            Some(open.to_vec())
        };
        self.0.iter().find_map(open)
    }
}

fn key(bytes: &[u8]) -> Option<LessSafeKey> {
    Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const NEW: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f";

    #[test]
    fn what_is_sealed_opens_under_its_name_with_either_key() {
        let sealed = Seals::new(&[OLD]).unwrap().seal("a", b"token-1").unwrap();
        let both = Seals::new(&[NEW, OLD]).unwrap();
        assert_eq!(both.open("a", &sealed).as_deref(), Some(&b"token-1"[..]));
        assert_eq!(both.open("b", &sealed), None);
        let anew = both.seal("a", b"token-1").unwrap();
        assert_ne!(anew, sealed);
        assert_eq!(Seals::new(&[OLD]).unwrap().open("a", &anew), None);
        assert_eq!(format!("{both:?}"), "***");
    }

    #[test]
    fn key_that_is_none_is_refused() {
        for keys in [&[][..], &[""], &[&OLD[1..]], &["zz"], &[OLD, NEW, OLD]] {
            assert!(Seals::new(keys).is_none());
        }
        let derived = Seals::of_key(&[7; KEY_LEN]).unwrap();
        assert_eq!(derived.open("a", &derived.seal("a", b"x").unwrap()).as_deref(), Some(&b"x"[..]));
        for sealed in ["", "A", "????", "AAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(derived.open("a", sealed), None);
        }
    }
}
