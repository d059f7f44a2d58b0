//! The secrets of an account.

use model::AccountId;
use serde_json::Value;
use wire::Secret;
use wire::signature::hmac_sha256;

use crate::settings::{ConfigProblem, problem};

/// The secrets of an account. Of each there may be two, so that one can be changed while the other one still holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets {
    sign_in: Vec<Secret>,
    api_keys: Vec<Secret>,
}

impl Secrets {
    /// Reads `{"sign_in_secret": current | [current, previous], "api_key"?: current | [current, previous]}`.
    ///
    /// # Errors
    /// [`ConfigProblem`] naming what is wrong, without its value. Without a sign-in secret nobody could come in.
    pub fn from_value(value: &Value) -> Result<Self, ConfigProblem> {
        let sign_in = listed(value, "sign_in_secret")?;
        if sign_in.is_empty() {
            return Err(problem("secret sign_in_secret is missing"));
        }
        Ok(Self { sign_in, api_keys: listed(value, "api_key")? })
    }

    /// What the CRM signs its tickets with: that of today, and the one before while it is changed.
    #[must_use]
    pub fn sign_in(&self) -> &[Secret] {
        &self.sign_in
    }

    /// What the CRM's backend calls us with.
    #[must_use]
    pub fn api_keys(&self) -> &[Secret] {
        &self.api_keys
    }

    /// The keys of what we sign ourselves for this account: derived, so that nothing signed for one purpose is taken for another,
    /// nor for a ticket of the CRM's.
    pub(crate) fn derived(&self, account: &AccountId, purpose: &str) -> Vec<Secret> {
        let key = |secret: &Secret| {
            let label = format!("deskbridge {purpose} {account}");
            Secret::from(hex::encode(hmac_sha256(secret.expose().as_bytes(), label.as_bytes())))
        };
        self.sign_in.iter().map(key).collect()
    }
}

/// Fewer bytes than HMAC-SHA-256 gives could be guessed before its key.
const MIN: usize = 32;

fn listed(value: &Value, name: &'static str) -> Result<Vec<Secret>, ConfigProblem> {
    let texts = match value.get(name) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(texts)) if (1..=2).contains(&texts.len()) => texts.as_slice(),
        Some(text) => std::slice::from_ref(text),
    };
    let secret = |text: &Value| match text.as_str() {
        Some(text) if (MIN..=1024).contains(&text.len()) => Ok(Secret::from(text)),
        _ => Err(problem(format!("secret {name} must be one or two texts of {MIN} to 1024 bytes"))),
    };
    texts.iter().map(secret).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ONE: &str = "invented-sign-in-secret-of-acme-0001";

    #[test]
    fn one_or_two_of_each_are_taken_and_never_shown() {
        for (given, count) in [(json!(ONE), 1), (json!([ONE]), 1), (json!([ONE, "invented-sign-in-secret-of-acme-0000"]), 2)] {
            let secrets = Secrets::from_value(&json!({"sign_in_secret": given, "api_key": given})).unwrap();
            assert_eq!((secrets.sign_in().len(), secrets.api_keys().len()), (count, count));
            assert!(!format!("{secrets:?}").contains("invented"));
        }
        assert!(Secrets::from_value(&json!({"sign_in_secret": ONE})).unwrap().api_keys().is_empty());
    }

    #[test]
    fn wrong_ones_are_refused_without_being_repeated() {
        for wrong in [
            json!({}),
            json!({"sign_in_secret": null}),
            json!({"sign_in_secret": []}),
            json!({"sign_in_secret": "hush"}),
            json!({"sign_in_secret": [ONE, "hush"]}),
            json!({"sign_in_secret": [ONE, ONE, ONE]}),
            json!({"sign_in_secret": {"hush": 1}}),
            json!({"sign_in_secret": ONE, "api_key": "hush"}),
            json!({"sign_in_secret": ONE, "api_key": ""}),
            json!({"sign_in_secret": ONE, "api_key": 7}),
        ] {
            let text = Secrets::from_value(&wrong).unwrap_err().to_string();
            assert!(text.contains("secret ") && !text.contains("hush") && !text.contains("invented"), "{text}");
        }
    }

    #[test]
    fn derived_keys_differ_by_purpose_and_account() {
        let secrets = Secrets::from_value(&json!({"sign_in_secret": ONE})).unwrap();
        let acme: AccountId = "roxchat/acme".parse().unwrap();
        let all: std::collections::BTreeSet<_> = [(&acme, "a"), (&acme, "b"), (&"roxchat/other".parse().unwrap(), "a")]
            .map(|(account, purpose)| secrets.derived(account, purpose)[0].expose().to_owned())
            .into();
        assert_eq!(all.len(), 3);
        assert!(!all.contains(ONE));
    }
}
