//! The token by which the Desk says who looks at the panel (section 9.3).
//!
//! Few lines over [`wire::signature`] in place of a library: it knows one algorithm, so there is none to choose, and it looks at
//! members of the header that a library passes over.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::EpochMillis;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};
use url::form_urlencoded;
use wire::Secret;
use wire::signature::{constant_time_eq, hmac_sha256};

/// The longest token that is looked at, in bytes: those of iAdvize have about 300.
const LONGEST: usize = 4096;

/// By how much clocks may differ, in seconds.
const LEEWAY: f64 = 30.0;

/// The longest life of a token, in seconds.
const LONGEST_LIFE: f64 = 3600.0;

/// Members of a header that change by what or how it is signed. Who needs one of them is not iAdvize.
const REFUSED: [&str; 8] = ["crit", "jwk", "jku", "kid", "x5c", "x5t", "x5t#S256", "x5u"];

/// The operator who looks at the panel. Their e-mail is a personal datum, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Agent {
    /// `sub`: the operator's id as the token spells it, digits without a platform where that was seen.
    pub operator: String,
    /// Their e-mail, where the token has it.
    pub email: Option<String>,
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("operator", &self.operator).finish_non_exhaustive()
    }
}

/// The address of a panel as tokens are compared with it: without query, fragment and one slash at the end, scheme and host in
/// lower case. Nothing else of it is touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelUrl(String);

impl From<&str> for PanelUrl {
    fn from(text: &str) -> Self {
        let bare = text.split(['?', '#']).next().unwrap_or_default();
        let bare = bare.strip_suffix('/').unwrap_or(bare);
        let authority = bare.find("://").map_or(0, |at| at + 3);
        let path = bare[authority..].find('/').map_or(bare.len(), |at| authority + at);
        Self(format!("{}{}", bare[..path].to_ascii_lowercase(), &bare[path..]))
    }
}

/// The token in the query of the page, wherever in it; `None` if there is none or more than one (section 15).
#[must_use]
pub fn launch_token(query: &str) -> Option<String> {
    let mut tokens = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "jwt");
    let (_, token) = tokens.next()?;
    tokens.next().is_none().then(|| token.into_owned())
}

/// Who looks at the panel, if the token says so: signed with HS256 and one of these keys, by iAdvize, for this panel, and now.
/// `None` for any other, whatever is wrong with it.
#[must_use]
pub fn verify_jwt(token: &str, keys: &[Secret], panel: &PanelUrl, now: EpochMillis) -> Option<Agent> {
    if token.len() > LONGEST {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    // Rules in the contract's order. Each part has to be its text's only spelling: no padding, no bits left over.
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
    let claims = members(&payload)?;
    if claims.get("iss")?.as_str()? != "iadvize" || !is_for(claims.get("aud")?, panel) || !is_now(&claims, now) {
        return None;
    }
    let operator = claims.get("sub")?.as_str().filter(|sub| !sub.is_empty())?.to_owned();
    let email = match claims.get("email") {
        None | Some(Value::Null) => None,
        Some(Value::String(email)) => Some(email.clone()),
        Some(_) => return None,
    };
    Some(Agent { operator, email })
}

fn is_for(audience: &Value, panel: &PanelUrl) -> bool {
    match audience {
        Value::String(text) => PanelUrl::from(text.as_str()) == *panel,
        Value::Array(listed) => {
            let texts: Option<Vec<&str>> = listed.iter().map(Value::as_str).collect();
            texts.is_some_and(|texts| texts.into_iter().any(|text| PanelUrl::from(text) == *panel))
        }
        _ => false,
    }
}

fn is_now(claims: &Map<String, Value>, now: EpochMillis) -> bool {
    // Some who sign write fractions of a second. What JSON can hold here is finite.
    let time = |name| claims.get(name).and_then(Value::as_f64);
    let (Some(expires), Some(issued)) = (time("exp"), time("iat")) else { return false };
    #[expect(clippy::cast_precision_loss, reason = "exact for the next 285,000 years")]
    let now = now.millis() as f64 / 1000.0;
    let has_begun = match claims.get("nbf") {
        None => true,
        Some(from) => from.as_f64().is_some_and(|from| from <= now + LEEWAY),
    };
    let life = expires - issued;
    now < expires + LEEWAY && issued <= now + LEEWAY && has_begun && life > 0.0 && life <= LONGEST_LIFE
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
mod tests;
