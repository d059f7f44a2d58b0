//! The secrets of a brand (sections 3 I1, 4 O1 and 11, "Security summary").

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use md5::{Digest as _, Md5};
use model::EpochMillis;
use seal::Seals;
use serde_json::Value;
use wire::Secret;
use wire::signature::{constant_time_eq, hmac_sha256};

use crate::settings::{ConfigProblem, problem};

/// The secrets of a brand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets {
    manager: Option<Secret>,
    crm_passwords: Vec<Secret>,
}

impl Secrets {
    /// Reads `{"manager_password"? | "manager_password_md5"?, "crm_passwords"?: [current, previous?]}`.
    ///
    /// # Errors
    /// [`ConfigProblem`] naming what is wrong, without its value.
    pub fn from_value(value: &Value) -> Result<Self, ConfigProblem> {
        let manager = Self::manager_of(value)?;
        let listed = match value.get("crm_passwords") {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(listed)) if (1..=2).contains(&listed.len()) => listed,
            Some(_) => return Err(problem("secret crm_passwords must hold one or two passwords")),
        };
        let password = |item: &Value| match item.as_str() {
            Some(text) if (8..=1024).contains(&text.len()) => Ok(Secret::from(text)),
            _ => Err(problem("each of crm_passwords must have at least 8 characters")),
        };
        Ok(Self { manager, crm_passwords: listed.iter().map(password).collect::<Result<_, _>>()? })
    }

    /// The manager's part of them, for who needs nothing else.
    pub(crate) fn manager_of(value: &Value) -> Result<Option<Secret>, ConfigProblem> {
        let field = |name: &'static str| match value.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() && text.len() <= 1024 => Ok(Some(text.clone())),
            Some(_) => Err(problem(format!("secret {name} must be a text that is not empty"))),
        };
        let hash = match (field("manager_password")?, field("manager_password_md5")?) {
            (Some(_), Some(_)) => return Err(problem("secrets manager_password and manager_password_md5 exclude each other")),
            (Some(password), None) => Some(hex::encode(Md5::digest(password.as_bytes()))),
            (None, Some(hash)) if hash.len() == 32 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Some(hash.to_ascii_lowercase())
            }
            (None, Some(_)) => return Err(problem("secret manager_password_md5 must be 32 hex digits")),
            (None, None) => None,
        };
        Ok(hash.map(Secret::from))
    }

    /// The MD5 of the manager's password as O1 wants it: lower-case hex, as good as the password.
    #[must_use]
    pub const fn manager(&self) -> Option<&Secret> {
        self.manager.as_ref()
    }

    /// Whether anybody can prove to be cTrader's backend at all.
    #[must_use]
    pub const fn has_crm_password(&self) -> bool {
        !self.crm_passwords.is_empty()
    }

    /// The `crmApiToken` for whoever knows one of the passwords (I1): `random` makes it different from all others.
    ///
    /// It says until when it is valid and proves by a keyed hash that we made it for that password, so that nothing is
    /// stored of it and a removed password takes its tokens along. `salt` is the brand's.
    #[must_use]
    pub fn crm_token(&self, salt: &str, given: &str, random: &[u8; 32], valid_until: EpochMillis) -> Option<String> {
        // All of them are compared, so that the time tells nothing.
        let fits = |password: &Secret| constant_time_eq(password.expose().as_bytes(), given.as_bytes());
        let all = self.crm_passwords.iter();
        let password = all.fold(None, |found, password| if fits(password) { Some(password) } else { found })?;
        let mut token = [random.as_slice(), &valid_until.millis().to_be_bytes()].concat();
        let proof = proof_of(password, salt, &token);
        token.extend(proof);
        Some(URL_SAFE_NO_PAD.encode(token))
    }

    /// Whether a `crmApiToken` is one of ours, for a password that is still accepted, and in its time.
    #[must_use]
    pub fn accepts_crm_token(&self, salt: &str, token: &str, now: EpochMillis) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else { return false };
        let Some((said, proof)) = bytes.split_last_chunk::<32>() else { return false };
        let Some((random, until)) = said.split_last_chunk::<8>() else { return false };
        let fits = |password: &Secret| constant_time_eq(&proof_of(password, salt, said), proof);
        random.len() == 32
            && self.crm_passwords.iter().fold(false, |found, password| found | fits(password))
            && now < EpochMillis::new(i64::from_be_bytes(*until))
    }

    /// Seals a manager's token for the table with what it dies with: the manager's password. `None` without one.
    #[must_use]
    pub fn seal(&self, name: &str, token: &Secret) -> Option<String> {
        self.seals()?.seal(name, token.expose().as_bytes())
    }

    /// Opens what was sealed under this name. `None` if the password has changed since, or it is not ours.
    #[must_use]
    pub fn open(&self, name: &str, sealed: &str) -> Option<Secret> {
        String::from_utf8(self.seals()?.open(name, sealed)?).ok().map(Secret::from)
    }

    fn seals(&self) -> Option<Seals> {
        Seals::of_key(&hmac_sha256(self.manager.as_ref()?.expose().as_bytes(), b"deskbridge: token of a manager"))
    }
}

/// Whoever has a token but not the brand's salt cannot try passwords on it.
fn proof_of(password: &Secret, salt: &str, said: &[u8]) -> [u8; 32] {
    let key = hmac_sha256(salt.as_bytes(), password.expose().as_bytes());
    hmac_sha256(&key, &[b"deskbridge: crmApiToken\0", said].concat())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    const NOW: EpochMillis = EpochMillis::new(1_767_225_600_000);

    fn secrets(value: &Value) -> Secrets {
        Secrets::from_value(value).unwrap()
    }

    #[test]
    fn manager_s_password_is_sent_as_its_md5() {
        // The digest of "password" is well known.
        let known = "5f4dcc3b5aa765d61d8327deb882cf99";
        let given = secrets(&json!({"manager_password": "password"}));
        assert_eq!(given.manager().unwrap().expose(), known);
        let hashed = secrets(&json!({"manager_password_md5": known.to_uppercase()}));
        assert_eq!(hashed.manager().unwrap().expose(), known);
    }

    #[test]
    fn crm_token_is_good_for_its_time_its_brand_and_its_password() {
        let both = secrets(&json!({"crm_passwords": ["t9#Mistral-Copper-21", "old-password"]}));
        let until = NOW.plus(Duration::from_secs(7 * 86_400));
        assert_eq!(both.crm_token("salt", "t9#Mistral-Copper-22", &[1; 32], until), None);
        let token = both.crm_token("salt", "old-password", &[1; 32], until).unwrap();
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{token}");
        assert_ne!(both.crm_token("salt", "old-password", &[2; 32], until).unwrap(), token);
        assert!(both.accepts_crm_token("salt", &token, NOW));
        assert!(both.accepts_crm_token("salt", &token, EpochMillis::new(until.millis() - 1)));
        assert!(!both.accepts_crm_token("salt", &token, until), "its time is over");
        assert!(!both.accepts_crm_token("other", &token, NOW), "of another brand");
        let rotated = secrets(&json!({"crm_passwords": ["t9#Mistral-Copper-21"]}));
        assert!(!rotated.accepts_crm_token("salt", &token, NOW), "its password was removed");
    }

    #[test]
    fn changed_crm_token_is_refused_wherever_it_was_changed() {
        let given = secrets(&json!({"crm_passwords": ["t9#Mistral-Copper-21"]}));
        let until = NOW.plus(Duration::from_secs(7 * 86_400));
        let token = given.crm_token("salt", "t9#Mistral-Copper-21", &[1; 32], until).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(!given.accepts_crm_token("salt", &URL_SAFE_NO_PAD.encode(other), NOW), "byte {at}");
        }
        for wrong in ["", "a", "not base64!", &token[1..], &format!("{token}AA")] {
            assert!(!given.accepts_crm_token("salt", wrong, NOW), "{wrong}");
        }
    }

    #[test]
    fn sealed_token_opens_with_its_password_and_name_alone() {
        let given = secrets(&json!({"manager_password": "password"}));
        let token = Secret::from("9d3f61c4");
        let sealed = given.seal("a", &token).unwrap();
        assert!(!sealed.contains("9d3f61c4"));
        assert_eq!(given.open("a", &sealed), Some(token));
        assert_eq!(given.open("b", &sealed), None);
        assert_eq!(secrets(&json!({"manager_password": "changed"})).open("a", &sealed), None);
        assert_eq!(given.open("a", "nonsense"), None);
    }

    #[test]
    fn debug_of_secrets_shows_none() {
        let shown = format!("{:?}", secrets(&json!({"manager_password": "hushhush", "crm_passwords": ["hushhush"]})));
        assert_eq!(shown, "Secrets { manager: Some(***), crm_passwords: [***] }");
    }

    #[test]
    fn wrong_secrets_are_refused_without_being_repeated() {
        for wrong in [
            json!({"manager_password": 7}),
            json!({"manager_password": ""}),
            json!({"manager_password": "hush", "manager_password_md5": "5f4dcc3b5aa765d61d8327deb882cf99"}),
            json!({"manager_password_md5": "hush"}),
            json!({"crm_passwords": []}),
            json!({"crm_passwords": "hushhush"}),
            json!({"crm_passwords": ["hush"]}),
            json!({"crm_passwords": ["hushhush", "hushhush", "hushhush"]}),
        ] {
            let text = Secrets::from_value(&wrong).unwrap_err().to_string();
            assert!(!text.contains("hush"), "{text}");
        }
    }
}
