//! The token by which the Desk says who looks at the panel (section 9.3).

use std::fmt;

use model::EpochMillis;
use serde_json::Value;
use url::form_urlencoded;
use wire::Secret;
use wire::jwt::{Times, signed_claims};

/// What iAdvize promises of its tokens, and by how much clocks may differ.
const TIMES: Times = Times { leeway: 30.0, longest_life: 3600.0 };

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
    let claims = signed_claims(token, keys)?;
    if claims.get("iss")?.as_str()? != "iadvize" || !is_for(claims.get("aud")?, panel) || !TIMES.hold(&claims, now) {
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

#[cfg(test)]
mod tests;
