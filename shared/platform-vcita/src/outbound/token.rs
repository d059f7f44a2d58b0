//! Tokens of apps, kept in memory and shared by all exchanges of a process (sections 8.5 and 9.2).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use model::EpochMillis;
use serde_json::Value;
use url::Url;
use wire::signature::sha256_hex;

/// A token is not used in its last minute: it could expire on the way.
const MARGIN: Duration = Duration::from_secs(60);

/// The documented lifetime, for an answer that does not say.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);

/// The value of an `Authorization` header.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Bearer(HeaderValue);

impl Bearer {
    /// `None` if the token cannot stand in a header.
    pub(super) fn new(token: &str) -> Option<Self> {
        if token.is_empty() {
            return None;
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// A token and when it stops being used.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) bearer: Bearer,
    expires_at: EpochMillis,
}

impl Token {
    /// Reads the answer to P5; `None` if there is no usable token in it.
    pub(super) fn read(body: &[u8], now: EpochMillis) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let bearer = Bearer::new(body["access_token"].as_str()?)?;
        let lifetime = body["expires_in"].as_u64().map_or(DEFAULT_LIFETIME, Duration::from_secs);
        // P5 writes the time as text, P4 as a number. One that is ahead of our clock prolongs nothing.
        let created = match &body["created_at"] {
            Value::Number(seconds) => seconds.as_i64().map(|s| EpochMillis::new(s.saturating_mul(1000))),
            Value::String(text) => text.parse::<jiff::Timestamp>().ok().map(|at| EpochMillis::new(at.as_millisecond())),
            _ => None,
        };
        let from = created.unwrap_or(now).min(now);
        Some(Self { bearer, expires_at: from.plus(lifetime) })
    }

    fn is_usable(&self, now: EpochMillis) -> bool {
        now.plus(MARGIN) < self.expires_at
    }
}

/// The name of an app's token. It holds the secret's hash, so that knowing an app's id is not enough to use its token.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct AppKey(String);

impl AppKey {
    pub(super) fn new(api_base: &Url, client_id: &str, client_secret: &str) -> Self {
        let api_base = api_base.as_str();
        let named = format!("{}:{api_base}{}:{client_id}{client_secret}", api_base.len(), client_id.len());
        Self(sha256_hex(named.as_bytes()))
    }
}

/// The tokens of all apps.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<AppKey, Token>>);

impl Tokens {
    pub(super) fn get(&self, app: &AppKey, now: EpochMillis) -> Option<Bearer> {
        self.lock().get(app).filter(|token| token.is_usable(now)).map(|token| token.bearer.clone())
    }

    pub(super) fn put(&self, app: AppKey, token: Token) {
        self.lock().insert(app, token);
    }

    /// Forgets a token that was refused, unless another one has taken its place.
    pub(super) fn refused(&self, app: &AppKey, bearer: &Bearer) {
        let mut tokens = self.lock();
        if tokens.get(app).is_some_and(|token| token.bearer == *bearer) {
            tokens.remove(app);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AppKey, Token>> {
        // Each change is one insert or one removal: a panic elsewhere cannot leave a half-made one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: EpochMillis = EpochMillis::new(1_767_225_600_000);

    fn expiry(body: &str) -> Option<i64> {
        Token::read(body.as_bytes(), NOW).map(|token| token.expires_at.seconds() - NOW.seconds())
    }

    #[test]
    fn disagreement_16_every_lifetime_ends() {
        for (body, seconds) in [
            (r#"{"access_token":"t","expires_in":631139040}"#, 631_139_040),
            (r#"{"access_token":"t","expires_in":3600}"#, 3600),
            (r#"{"access_token":"t"}"#, 3600),
        ] {
            let token = Token::read(body.as_bytes(), NOW).unwrap();
            let last = NOW.plus(Duration::from_secs(seconds - 61));
            assert!(token.is_usable(last), "{body}");
            assert!(!token.is_usable(last.plus(Duration::from_secs(1))), "{body}");
        }
    }

    #[test]
    fn both_forms_of_created_at_are_read() {
        for (body, seconds) in [
            (r#"{"access_token":"a","expires_in":3600,"created_at":1767225000}"#, 3000),
            (r#"{"access_token":"a","expires_in":3600,"created_at":"2025-12-31T23:50:00Z"}"#, 3000),
            (r#"{"access_token":"a","expires_in":3600,"created_at":"2026-01-01T00:50:00.000+01:00"}"#, 3000),
            (r#"{"access_token":"a","expires_in":3600,"created_at":"2027-01-01T00:00:00Z"}"#, 3600),
            (r#"{"access_token":"a","expires_in":60,"created_at":"yesterday"}"#, 60),
            (r#"{"access_token":"a"}"#, 3600),
        ] {
            assert_eq!(expiry(body), Some(seconds), "{body}");
        }
        for body in ["", "{}", r#"{"access_token":""}"#, r#"{"access_token":7}"#, "{\"access_token\":\"a\\nb\"}"] {
            assert_eq!(expiry(body), None, "{body}");
        }
    }

    #[test]
    fn token_is_not_used_in_its_last_minute() {
        let token = Token::read(br#"{"access_token":"a","expires_in":3600}"#, NOW).unwrap();
        assert!(token.is_usable(NOW.plus(Duration::from_secs(3539))));
        assert!(!token.is_usable(NOW.plus(Duration::from_secs(3540))));
    }

    #[test]
    fn refused_token_is_forgotten_but_its_successor_is_not() {
        let tokens = Tokens::default();
        let app = AppKey::new(&"https://api.example/".parse().unwrap(), "id", "secret");
        let read = |text: &str| Token::read(format!(r#"{{"access_token":"{text}"}}"#).as_bytes(), NOW).unwrap();
        tokens.put(app.clone(), read("old"));
        tokens.put(app.clone(), read("new"));
        tokens.refused(&app, &read("old").bearer);
        assert!(tokens.get(&app, NOW) == Bearer::new("new"));
        tokens.refused(&app, &read("new").bearer);
        assert!(tokens.get(&app, NOW).is_none());
    }

    #[test]
    fn app_key_depends_on_every_part_and_on_their_borders() {
        let base: Url = "https://api.example/".parse().unwrap();
        let key = |id: &str, secret: &str| AppKey::new(&base, id, secret).0;
        assert_ne!(key("a", "b"), key("a", "c"));
        assert_ne!(key("ab", "c"), key("a", "bc"));
    }

    proptest! {
        #[test]
        fn any_answer_never_panics(body in ".*", seconds: i64, lifetime: u64) {
            let _ = Token::read(body.as_bytes(), NOW);
            let told = format!(r#"{{"access_token":"a","created_at":{seconds},"expires_in":{lifetime}}}"#);
            let _ = Token::read(told.as_bytes(), NOW);
        }
    }
}
