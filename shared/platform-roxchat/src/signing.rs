//! What is signed between the customer's systems and Rox.Chat's server (sections 9.1 and 9.5).

use std::collections::BTreeMap;

use md5::{Digest, Md5};
use serde_json::{Value, json};
use wire::Secret;
use wire::signature::{constant_time_eq, hmac_sha256, sha256_hex};

/// The fields of a visitor who is signed in at the customer's site: where `providedVisitorId` comes from. Personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct VisitorFields {
    fields: BTreeMap<String, String>,
    expires: i64,
}

impl VisitorFields {
    /// Fields that hold until `expires`, in Unix seconds; `None` without an `id`, which is mandatory.
    #[must_use]
    pub fn new(fields: BTreeMap<String, String>, expires: i64) -> Option<Self> {
        fields.get("id").is_some_and(|id| !id.is_empty()).then_some(Self { fields, expires })
    }

    /// The values in the order of their names, and the end: what is signed. Nothing stands between them.
    fn message(&self) -> String {
        self.fields.values().map(String::as_str).collect::<String>() + &self.expires.to_string()
    }

    /// The hash by HMAC-SHA-256, in lower-case hex.
    #[must_use]
    pub fn hash(&self, key: &Secret) -> String {
        hex::encode(hmac_sha256(key.expose().as_bytes(), self.message().as_bytes()))
    }

    /// The hash by SHA-256 alone, of an older variant.
    #[must_use]
    pub fn plain_hash(&self, key: &Secret) -> String {
        sha256_hex((self.message() + key.expose()).as_bytes())
    }

    /// The object `roxchat_visitor` of the customer's page.
    #[must_use]
    pub fn to_object(&self, key: &Secret) -> Value {
        json!({"fields": self.fields, "expires": self.expires, "hash": self.hash(key)})
    }
}

/// Whether `signature` is that of version 4 of a webhook's `chat`, exactly as it came.
#[must_use]
pub fn is_signature(signature: &str, chat: &str, key: &Secret) -> bool {
    let expected = hex::encode(hmac_sha256(key.expose().as_bytes(), chat.as_bytes()));
    constant_time_eq(expected.as_bytes(), signature.as_bytes())
}

/// Whether `crc` is that of versions 2 and 3.
#[must_use]
pub fn is_crc(crc: &str, chat: &str, key: &Secret) -> bool {
    let expected = hex::encode(Md5::digest(format!("{chat}{}", key.expose()).as_bytes()));
    constant_time_eq(expected.as_bytes(), crc.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of sections 9.1 and 9.5.
    const KEY: &str = "5d0c7be3a91f42e68a0b9c3f17d2e4a6";
    const CHAT: &str = r#"{"id":20417,"visitor":{"id":"1f0e2d3c4b5a69788796a5b4c3d2e1f0"}}"#;
    const SIGNATURE: &str = "3c3582245da28f0c3398f423e3248bf958421ca7614bd1ef7e957242d757604a";
    const CRC: &str = "20daa328248dc2ec91e14e8f54462632";

    fn fields(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn fields_are_signed_as_the_check_value_of_section_9_5() {
        let given = fields(&[
            ("id", "AG-20417"),
            ("display_name", "Marta Quintela"),
            ("phone", "+351910000417"),
            ("email", "marta.q@example.com"),
        ]);
        let (fields, key) = (VisitorFields::new(given, 1_893_456_000).unwrap(), Secret::from(KEY));
        assert_eq!(fields.hash(&key), "95e45f9305f1628b94c0babf6c48c37768ec2cae0ac8a3857ca27b71e586bea8");
        assert_eq!(fields.plain_hash(&key), "8eb71e250bdd9decf05a9b9acc7b45db8bd634571c369081aeee883be5383718");
        let object = fields.to_object(&key);
        assert_eq!(object["fields"]["phone"], "+351910000417");
        assert_eq!((&object["expires"], &object["hash"]), (&json!(1_893_456_000), &json!(fields.hash(&key))));
    }

    #[test]
    fn fields_without_an_id_are_none() {
        assert!(VisitorFields::new(fields(&[("email", "a@example.com")]), 0).is_none());
        assert!(VisitorFields::new(fields(&[("id", "")]), 0).is_none());
    }

    #[test]
    fn webhooks_are_believed_by_the_check_values_of_section_9_1_alone() {
        let key = Secret::from(KEY);
        assert!(is_signature(SIGNATURE, CHAT, &key) && is_crc(CRC, CHAT, &key));
        for (chat, key) in [(CHAT, "5d0c7be3a91f42e68a0b9c3f17d2e4a7"), (&CHAT[..CHAT.len() - 1], KEY), ("", KEY)] {
            let key = Secret::from(key);
            assert!(!is_signature(SIGNATURE, chat, &key) && !is_crc(CRC, chat, &key), "{chat}");
        }
        for wrong in ["", CRC, &SIGNATURE.to_uppercase(), &SIGNATURE[1..]] {
            assert!(!is_signature(wrong, CHAT, &key), "{wrong}");
        }
        for wrong in ["", SIGNATURE, &CRC.to_uppercase(), &CRC[1..]] {
            assert!(!is_crc(wrong, CHAT, &key), "{wrong}");
        }
    }
}
