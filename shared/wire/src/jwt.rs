//! JSON Web Tokens that are signed with HMAC-SHA-256 (`HS256`), and no others.
//!
//! Few lines over [`crate::signature`] in place of a library: they know one algorithm, so there is none to choose, and they look at
//! members of the header that a library passes over.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::EpochMillis;
use serde::Serialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::Secret;
use crate::signature::{constant_time_eq, hmac_sha256};

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 4096;

/// The header of the tokens that are signed here, encoded: `{"alg":"HS256","typ":"JWT"}`.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// Members of a header that change by what or how it is signed.
const REFUSED: [&str; 8] = ["crit", "jwk", "jku", "kid", "x5c", "x5t", "x5t#S256", "x5u"];

/// The claims of a token that is signed with `HS256` and one of these keys; `None` for any other, whatever is wrong with it. Whether
/// it is for us, and now, is the caller's to see.
#[must_use]
pub fn signed_claims(token: &str, keys: &[Secret]) -> Option<Map<String, Value>> {
    if token.len() > LONGEST {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    // Each part has to be its text's only spelling: no padding, no bits left over.
    let [header, payload, signature] = [header, payload, signature].map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        (!bytes.is_empty()).then_some(bytes)
    });
    let (header, payload, signature) = (members(&header?)?, payload?, signature?);
    let is_jwt = header.get("typ").is_none_or(|typ| typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT")));
    if header.get("alg")?.as_str()? != "HS256" || !is_jwt || REFUSED.iter().any(|name| header.contains_key(*name)) {
        return None;
    }
    // All of them are compared, so that the time does not tell which one fits.
    let expected = keys.iter().map(|key| hmac_sha256(key.expose().as_bytes(), signed.as_bytes()));
    if !expected.fold(false, |found, expected| found | constant_time_eq(&expected, &signature)) {
        return None;
    }
    members(&payload)
}

/// A token with these claims, signed with `HS256`; empty if they cannot be written, which claims of ours always can.
#[must_use]
pub fn sign(claims: &impl Serialize, key: &Secret) -> String {
    let Ok(payload) = serde_json::to_vec(claims) else { return String::new() };
    let signed = format!("{HEADER}.{}", URL_SAFE_NO_PAD.encode(payload));
    let signature = hmac_sha256(key.expose().as_bytes(), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// How exactly the times of a token are taken.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// By how much clocks may differ, in seconds.
    pub leeway: f64,
    /// The longest life of a token, in seconds.
    pub longest_life: f64,
}

impl Times {
    /// Whether the claims say `exp` and `iat`, no life longer than it may be, and that this is the time for it.
    #[must_use]
    pub fn hold(self, claims: &Map<String, Value>, now: EpochMillis) -> bool {
        // Some who sign write fractions of a second. What JSON can hold here is finite.
        let time = |name| claims.get(name).and_then(Value::as_f64);
        let (Some(expires), Some(issued)) = (time("exp"), time("iat")) else { return false };
        #[expect(clippy::cast_precision_loss, reason = "exact for the next 285,000 years")]
        let now = now.millis() as f64 / 1000.0;
        let has_begun = match claims.get("nbf") {
            None => true,
            Some(from) => from.as_f64().is_some_and(|from| from <= now + self.leeway),
        };
        let life = expires - issued;
        now < expires + self.leeway && issued <= now + self.leeway && has_begun && life > 0.0 && life <= self.longest_life
    }
}

/// The members of a JSON object, if each is there once: of two, one reader would believe the first and another the last.
fn members(json: &[u8]) -> Option<Map<String, Value>> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let found = reader.deserialize_map(Members).ok()?;
    reader.end().ok().map(|()| found)
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut found = Map::new();
        while let Some((name, value)) = access.next_entry()? {
            if found.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is there twice"));
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn token_is_the_one_that_other_tools_make() {
        // jwt.io's own example, whose key is the text `your-256-bit-secret`.
        let claims = json!({"sub": "1234567890", "name": "John Doe", "iat": 1_516_239_022});
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
        let key = Secret::from("your-256-bit-secret");
        assert_eq!(signed_claims(token, std::slice::from_ref(&key)), claims.as_object().cloned());
        let own = sign(&claims, &key);
        assert!(own.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."), "{own}");
        assert_eq!(signed_claims(&own, &[Secret::from("another"), key]), claims.as_object().cloned());
        assert_eq!(signed_claims(&own, &[Secret::from("another")]), None);
        assert_eq!(signed_claims(&own, &[]), None);
    }
}
