//! Tokens as they are used: kept in memory and shared by all exchanges of a process (sections 8.5 and 9.2).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use model::EpochMillis;
use serde_json::Value;
use url::Url;
use wire::signature::sha256_hex;

use super::access::Reason;
use crate::grant::Tokens;

/// A token is not used in its last minute: it could expire on the way.
const MARGIN: Duration = Duration::from_secs(60);

/// The documented lifetime of an app's own token, for an answer that does not say (section 9.2).
pub(super) const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);

/// The value of an `Authorization` header.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Bearer(HeaderValue);

impl Bearer {
    /// `None` if the token cannot stand in a header.
    pub(crate) fn new(token: &str) -> Option<Self> {
        if token.is_empty() {
            return None;
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// A token and when it stops being used.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) bearer: Bearer,
    expires_at: Option<EpochMillis>,
}

impl Tokens {
    /// Reads the answer to P4 or P5; `None` if there is no token in it. `lifetime` is for an answer that does not say.
    pub(crate) fn read(body: &[u8], now: EpochMillis, lifetime: Option<Duration>) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let lifetime = body["expires_in"].as_u64().map(Duration::from_secs).or(lifetime);
        // P5 writes the time as text, P4 as a number. One that is ahead of our clock prolongs nothing.
        let created = match &body["created_at"] {
            Value::Number(seconds) => seconds.as_i64().map(|s| EpochMillis::new(s.saturating_mul(1000))),
            Value::String(text) => text.parse::<jiff::Timestamp>().ok().map(|at| EpochMillis::new(at.as_millisecond())),
            _ => None,
        };
        let from = created.unwrap_or(now).min(now);
        let expires_at = lifetime.map(|lifetime| from.plus(lifetime));
        Some(Self { access: text("access_token")?, refresh: text("refresh_token"), expires_at })
    }
}

impl Token {
    /// The token that calls carry; `None` if it cannot stand in a header.
    pub(super) fn of(tokens: &Tokens) -> Option<Self> {
        Some(Self { bearer: Bearer::new(&tokens.access)?, expires_at: tokens.expires_at })
    }

    pub(super) fn is_usable(&self, now: EpochMillis) -> bool {
        self.outlasts(now, MARGIN)
    }

    /// Whether it is still good after this time.
    pub(super) fn outlasts(&self, now: EpochMillis, time: Duration) -> bool {
        self.expires_at.is_none_or(|end| now.plus(time) < end)
    }
}

/// The name of an app's token for a business. It holds the secret's hash, so that knowing an app's id is not enough to use
/// its token, nor to spoil it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct AppKey(String);

impl AppKey {
    pub(super) fn new(api_base: &Url, business_uid: &str, client_id: &str, client_secret: &str) -> Self {
        let parts = [api_base.as_str(), business_uid, client_id, client_secret];
        let named: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
        Self(sha256_hex(named.as_bytes()))
    }

    /// The name of the grant that holds the app's own token.
    pub(super) fn grant_name(&self) -> String {
        format!("vcita:service:{}", self.0)
    }
}

/// What is known of one app's access to one business.
enum Known {
    Token(Token),
    /// It is refused, and not tried before this time.
    Refusal(Reason, EpochMillis),
}

/// The tokens of all apps.
#[derive(Default)]
pub(super) struct Memory(Mutex<HashMap<AppKey, Known>>);

impl Memory {
    pub(super) fn get(&self, app: &AppKey, now: EpochMillis) -> Option<Bearer> {
        match self.lock().get(app) {
            Some(Known::Token(token)) if token.is_usable(now) => Some(token.bearer.clone()),
            _ => None,
        }
    }

    pub(super) fn put(&self, app: AppKey, token: Token) {
        self.lock().insert(app, Known::Token(token));
    }

    pub(super) fn forget(&self, app: &AppKey) {
        self.lock().remove(app);
    }

    /// Forgets a token that was refused, unless another one has taken its place.
    pub(super) fn refused(&self, app: &AppKey, bearer: &Bearer) {
        let mut known = self.lock();
        if matches!(known.get(app), Some(Known::Token(token)) if token.bearer == *bearer) {
            known.remove(app);
        }
    }

    /// Remembers that an access which nobody else can mark is refused.
    pub(super) fn refuse(&self, app: AppKey, reason: Reason, until: EpochMillis) {
        self.lock().insert(app, Known::Refusal(reason, until));
    }

    /// Why an access is not to be tried before the time that is given with it.
    pub(super) fn refusal(&self, app: &AppKey, now: EpochMillis) -> Option<(Reason, EpochMillis)> {
        match self.lock().get(app) {
            Some(Known::Refusal(reason, until)) if now < *until => Some((*reason, *until)),
            _ => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AppKey, Known>> {
        // Each change is one insert or one removal: a panic elsewhere cannot leave a half-made one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: EpochMillis = EpochMillis::new(1_767_225_600_000);

    fn read(body: &str) -> Option<Token> {
        Token::of(&Tokens::read(body.as_bytes(), NOW, Some(DEFAULT_LIFETIME))?)
    }

    fn expiry(body: &str) -> Option<i64> {
        read(body)?.expires_at.map(|end| end.seconds() - NOW.seconds())
    }

    #[test]
    fn disagreement_16_every_lifetime_ends() {
        for (body, seconds) in [
            (r#"{"access_token":"t","expires_in":631139040}"#, 631_139_040),
            (r#"{"access_token":"t","expires_in":3600}"#, 3600),
            (r#"{"access_token":"t"}"#, 3600),
        ] {
            let token = read(body).unwrap();
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
            // The documented example of P4: about twenty years.
            (r#"{"access_token":"a","expires_in":631139040,"created_at":1767225600}"#, 631_139_040),
        ] {
            assert_eq!(expiry(body), Some(seconds), "{body}");
        }
        for body in ["", "{}", r#"{"access_token":""}"#, r#"{"access_token":7}"#, "{\"access_token\":\"a\\nb\"}"] {
            assert_eq!(expiry(body), None, "{body}");
        }
    }

    #[test]
    fn granted_token_that_says_no_end_has_none() {
        let tokens = Tokens::read(br#"{"access_token":"a","refresh_token":"r"}"#, NOW, None).unwrap();
        assert_eq!(tokens, Tokens { access: "a".to_owned(), refresh: Some("r".to_owned()), expires_at: None });
        assert!(Token::of(&tokens).unwrap().is_usable(EpochMillis::new(i64::MAX)));
    }

    #[test]
    fn token_is_not_used_in_its_last_minute() {
        let token = read(r#"{"access_token":"a","expires_in":3600}"#).unwrap();
        assert!(token.is_usable(NOW.plus(Duration::from_secs(3539))));
        assert!(!token.is_usable(NOW.plus(Duration::from_secs(3540))));
    }

    #[test]
    fn refused_token_is_forgotten_but_its_successor_is_not() {
        let memory = Memory::default();
        let app = AppKey::new(&"https://api.example/".parse().unwrap(), "b", "id", "secret");
        let read = |text: &str| read(&format!(r#"{{"access_token":"{text}"}}"#)).unwrap();
        memory.put(app.clone(), read("old"));
        memory.put(app.clone(), read("new"));
        memory.refused(&app, &read("old").bearer);
        assert!(memory.get(&app, NOW) == Bearer::new("new"));
        memory.refused(&app, &read("new").bearer);
        assert!(memory.get(&app, NOW).is_none());
    }

    #[test]
    fn app_key_depends_on_every_part_and_on_their_borders() {
        let base: Url = "https://api.example/".parse().unwrap();
        let key = |business: &str, id: &str, secret: &str| AppKey::new(&base, business, id, secret).0;
        let all = [
            key("", "a", "b"),
            key("", "a", "c"),
            key("", "ab", "c"),
            key("", "a", "bc"),
            key("a", "b", "c"),
            key("b", "b", "c"),
        ];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
    }

    proptest! {
        #[test]
        fn any_answer_never_panics(body in ".*", seconds: i64, lifetime: u64) {
            let _ = read(&body);
            let told = format!(r#"{{"access_token":"a","created_at":{seconds},"expires_in":{lifetime}}}"#);
            let _ = read(&told);
        }
    }
}
