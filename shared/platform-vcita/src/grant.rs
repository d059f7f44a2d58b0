//! Tokens as they are kept: sealed with a key of the app's (sections 8.1 step 7 and 11 row 7).

use std::fmt;

use model::EpochMillis;
use serde::{Deserialize, Serialize};
use url::Url;
use wire::signature::sha256_hex;

/// The tokens of one app for one business.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// What calls carry.
    pub access: String,
    /// What the access token is renewed with; vcita documents none, and some answers hold one (section 9.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<String>,
    /// From when on the access token is not used any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<EpochMillis>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// The name of a grant: of one app, and of one business unless the token is the app's own.
#[must_use]
pub fn grant_name(api_base: &Url, client_id: &str, business_uid: Option<&str>) -> String {
    let api_base = api_base.as_str();
    let business = business_uid.unwrap_or_default();
    let lengths = (api_base.len(), client_id.len(), business_uid.is_some());
    format!("vcita:{}", sha256_hex(format!("{lengths:?}:{api_base}{client_id}{business}").as_bytes()))
}

/// Keys that seal and open, the current one first.
#[derive(Debug, Clone)]
pub struct Seals(seal::Seals);

impl Seals {
    /// One or two keys, each 64 hex digits. `None` if they are not that.
    #[must_use]
    pub fn new(keys: &[&str]) -> Option<Self> {
        seal::Seals::new(keys).map(Self)
    }

    /// Seals tokens for the grant of this name, with the current key. `None` if there is no randomness.
    #[must_use]
    pub fn seal(&self, name: &str, tokens: &Tokens) -> Option<String> {
        self.0.seal(name, &serde_json::to_vec(tokens).ok()?)
    }

    /// Opens what was sealed for the grant of this name, with either key. `None` if neither fits, or it was sealed for
    /// another name or changed.
    #[must_use]
    pub fn open(&self, name: &str, sealed: &str) -> Option<Tokens> {
        serde_json::from_slice(&self.0.open(name, sealed)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OLD: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const NEW: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f";

    fn tokens() -> Tokens {
        Tokens { access: "access-1".to_owned(), refresh: Some("refresh-1".to_owned()), expires_at: Some(EpochMillis::new(7)) }
    }

    #[test]
    fn what_is_sealed_opens_for_its_name_alone_and_shows_nothing() {
        let seals = Seals::new(&[OLD]).unwrap();
        let sealed = seals.seal("vcita:a", &tokens()).unwrap();
        assert_eq!(seals.open("vcita:a", &sealed), Some(tokens()));
        assert_eq!(seals.open("vcita:b", &sealed), None);
        assert_ne!(seals.seal("vcita:a", &tokens()), Some(sealed.clone()), "a nonce is used once");
        let shown = format!("{:?} {seals:?} {sealed}", tokens());
        assert!(!shown.contains("access-1") && !shown.contains("refresh-1"), "{shown}");
    }

    #[test]
    fn the_previous_key_still_opens_and_the_current_one_seals() {
        let sealed = Seals::new(&[OLD]).unwrap().seal("n", &tokens()).unwrap();
        let both = Seals::new(&[NEW, OLD]).unwrap();
        assert_eq!(both.open("n", &sealed), Some(tokens()));
        let anew = both.seal("n", &tokens()).unwrap();
        assert_eq!(Seals::new(&[NEW]).unwrap().open("n", &anew), Some(tokens()));
        assert_eq!(Seals::new(&[OLD]).unwrap().open("n", &anew), None);
    }

    #[test]
    fn keys_of_the_wrong_form_are_no_keys() {
        for wrong in [&[][..], &["00"], &[OLD, NEW, OLD], &["zz"], &[&OLD[2..]]] {
            assert!(Seals::new(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn names_tell_apps_businesses_and_the_app_itself_apart() {
        let base: Url = "https://api.example/".parse().unwrap();
        let names = [
            grant_name(&base, "app", Some("b1")),
            grant_name(&base, "app", Some("b2")),
            grant_name(&base, "appb", Some("1")),
            grant_name(&base, "app", None),
            grant_name(&base, "app", Some("")),
        ];
        let all: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(all.len(), names.len());
        assert!(names.iter().all(|name| name.len() <= 200 && name.is_ascii()));
    }

    proptest! {
        #[test]
        fn anything_that_was_not_sealed_does_not_open(sealed in ".*", name in ".*") {
            prop_assert_eq!(Seals::new(&[OLD]).unwrap().open(&name, &sealed), None);
        }
    }
}
