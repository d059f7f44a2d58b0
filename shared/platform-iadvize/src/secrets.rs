//! The secrets of a site's connector.

use serde_json::Value;
use wire::Secret;

use crate::settings::{ConfigProblem, problem};

/// Shortest token that is taken: what iAdvize shows has 32 characters.
const MIN_TOKEN: usize = 16;

/// The secrets of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets {
    tokens: Vec<Secret>,
    webhook: Option<Secret>,
    api_password: Option<Secret>,
}

impl Secrets {
    /// Reads `{"tokens": [current, previous?], "webhook_secret"?, "api_password"?}`.
    ///
    /// # Errors
    /// [`ConfigProblem`] naming what is wrong, without its value. Without a token nothing is ever believed (section 4.2, rule 8).
    pub fn from_value(value: &Value) -> Result<Self, ConfigProblem> {
        let listed = value.get("tokens").and_then(Value::as_array).ok_or_else(|| problem("secret tokens is missing"))?;
        if !(1..=2).contains(&listed.len()) {
            return Err(problem("secret tokens must hold one or two tokens"));
        }
        let token = |item: &Value| match item.as_str() {
            Some(text) if (MIN_TOKEN..=1024).contains(&text.len()) => Ok(Secret::from(text)),
            _ => Err(problem(format!("each of tokens must have {MIN_TOKEN} to 1024 characters"))),
        };
        let field = |name: &'static str| match value.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() && text.len() <= 1024 => Ok(Some(Secret::from(text.as_str()))),
            Some(_) => Err(problem(format!("secret {name} must be a text that is not empty"))),
        };
        let (webhook, api_password) = (field("webhook_secret")?, field("api_password")?);
        Ok(Self { tokens: listed.iter().map(token).collect::<Result<_, _>>()?, webhook, api_password })
    }

    /// The password of the user of the setting `api`.
    #[must_use]
    pub const fn api_password(&self) -> Option<&Secret> {
        self.api_password.as_ref()
    }

    /// The tokens that iAdvize may sign with: that of today, and the one before while it is changed. They are keys as text: what
    /// looks hexadecimal is not decoded (section 4.2, rule 2).
    #[must_use]
    pub fn tokens(&self) -> &[Secret] {
        &self.tokens
    }

    /// What calls of the tenant's own system are signed with.
    #[must_use]
    pub const fn webhook(&self) -> Option<&Secret> {
        self.webhook.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_or_two_tokens_are_taken_and_never_shown() {
        for given in
            [json!(["9f4c1d7e2ab85c3360d1f0e4b7a96c21"]), json!(["9f4c1d7e2ab85c3360d1f0e4b7a96c21", "0f4c1d7e2ab85c33"])]
        {
            let secrets = Secrets::from_value(&json!({"tokens": given})).unwrap();
            assert_eq!(secrets.tokens().len(), given.as_array().unwrap().len());
            assert!(!format!("{secrets:?}").contains("4c1d"));
        }
    }

    #[test]
    fn wrong_tokens_are_refused_without_being_repeated() {
        for wrong in [
            json!({}),
            json!({"tokens": "9f4c1d7e2ab85c33"}),
            json!({"tokens": []}),
            json!({"tokens": ["hush"]}),
            json!({"tokens": [""]}),
            json!({"tokens": [7]}),
            json!({"tokens": [["hushhushhushhush"]]}),
            json!({"tokens": ["abcdabcdabcdabcd"], "api_password": ["hush"]}),
            json!({"tokens": ["abcdabcdabcdabcd"], "api_password": ""}),
            json!({"tokens": ["hushhushhushhush", "hushhushhushhush", "hushhushhushhush"]}),
        ] {
            let text = Secrets::from_value(&wrong).unwrap_err().to_string();
            assert!(!text.contains("hush"), "{text}");
        }
    }
}
