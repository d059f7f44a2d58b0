//! How a business connects (sections 8.1 and 9.1) and how it is disconnected (section 8.6): what its staff's browser asks for,
//! where it is sent, and the calls that follow.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use http::header::AUTHORIZATION;
use model::{EpochMillis, RemoteStatus};
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded;
use wire::signature::sha256;
use wire::{CallFailure, HttpAnswer, HttpCall};

use crate::outbound::answer::{self, Read};
use crate::outbound::calls::{json_call, segment};
use crate::outbound::token::Bearer;
use crate::{ChannelUid, Reported, Settings, Tokens, status};

/// The longest value of a query that is looked at.
const LONGEST: usize = 2048;

/// What a browser asks for at the app's `redirect_uri`, which is landing page and return address in one (section 9.5).
#[derive(Clone, PartialEq, Eq)]
pub enum Visit {
    /// Staff opened the app. What the address says is not signed: a hint.
    Landing {
        /// The business, if the address names one.
        business_uid: Option<String>,
        /// The white-label host, if the address names one.
        brand_host: Option<String>,
    },
    /// vcita sent the browser back.
    Return {
        /// The state that was given along; empty if it is missing.
        state: String,
        /// The code, or vcita's word for why there is none.
        answer: Result<String, String>,
    },
}

impl std::fmt::Debug for Visit {
    /// Neither code nor state.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Landing { business_uid, .. } => f.debug_struct("Landing").field("business_uid", business_uid).finish(),
            Self::Return { answer, .. } => f.debug_struct("Return").field("is_code", &answer.is_ok()).finish_non_exhaustive(),
        }
    }
}

impl Visit {
    /// Reads the query. `None` if a value is given twice or is too long: nobody of good will writes such an address.
    #[must_use]
    pub fn parse(query: &str) -> Option<Self> {
        let mut found: [Option<String>; 5] = Default::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let names = ["business_uid", "brand_host", "state", "code", "error"];
            let Some(index) = names.iter().position(|known| *known == name) else { continue };
            if found[index].is_some() || value.len() > LONGEST {
                return None;
            }
            found[index] = Some(value.into_owned());
        }
        let [business_uid, brand_host, state, code, error] = found.map(|value| value.filter(|text| !text.is_empty()));
        Some(match (code, error) {
            (None, None) => Self::Landing { business_uid, brand_host },
            // Both would contradict each other; then there is no permission.
            (_, Some(error)) => Self::Return { state: state.unwrap_or_default(), answer: Err(error) },
            (Some(code), None) => Self::Return { state: state.unwrap_or_default(), answer: Ok(code) },
        })
    }
}

/// Where staff authorise the app. `None` if the app has no `redirect_uri`. A `brand_host` counts only if it is one of the
/// configured ones.
#[must_use]
pub fn authorization_url(app: &Settings, client_id: &str, state: &str, verifier: &str, brand_host: Option<&str>) -> Option<Url> {
    let redirect_uri = app.redirect_uri.as_ref()?;
    let mut url = app.authorization_url.clone();
    let host = brand_host.map(str::to_ascii_lowercase).filter(|host| app.brand_hosts.contains(host));
    if let Some(host) = host {
        url.set_host(Some(&host)).ok()?;
    }
    let challenge = URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()));
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", client_id)
        .append_pair("redirect_uri", redirect_uri.as_str())
        .append_pair("state", state)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    if !app.scopes.is_empty() {
        url.query_pairs_mut().append_pair("scope", &app.scopes.join(" "));
    }
    Some(url)
}

/// What vcita said to a call that is no delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// It was done; the body, `null` if it cannot be read.
    Yes(Value),
    /// It was refused.
    No {
        /// HTTP status.
        status: u16,
        /// vcita's own words, shortened.
        detail: String,
    },
    /// Nobody knows whether it was done, or it cannot be for now.
    Unknown(String),
}

impl Told {
    /// Reads an answer, in any of the envelopes of section 3.
    #[must_use]
    pub fn of(result: Result<HttpAnswer, CallFailure>, now: EpochMillis) -> Self {
        match answer::read(result, now) {
            Read::Success(body) => Self::Yes(serde_json::from_slice(&body).unwrap_or_default()),
            Read::Refused(refusal) => Self::No { status: refusal.status.as_u16(), detail: refusal.detail() },
            Read::Unauthorized(_) => Self::No { status: 401, detail: "HTTP 401".to_owned() },
            Read::Forbidden => Self::No { status: 403, detail: "HTTP 403".to_owned() },
            Read::Unusable(wire::Outcome::Unanswered { reason, .. }) => Self::Unknown(reason),
            Read::Unusable(_) => Self::Unknown("vcita's answer cannot be used".to_owned()),
        }
    }

    /// Whether vcita knows nothing of what was asked about: it is gone.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::No { status: 404 | 410, .. })
    }
}

/// P4. The secret is this app's own; `client_credentials` is not used (section 12, row 15).
#[must_use]
pub fn exchange_code(app: &Settings, client_id: &str, client_secret: &str, code: &str, verifier: &str) -> HttpCall {
    let body = json!({
        "grant_type": "authorization_code",
        "code": code,
        "client_id": client_id,
        "client_secret": client_secret,
        "redirect_uri": app.redirect_uri.as_ref().map(Url::as_str),
        "code_verifier": verifier,
    });
    json_call(Method::POST, app.token_url.clone(), Some(&body))
}

/// The tokens in the answer to P4; `None` if there is no usable one. How long they hold is always taken from the answer
/// (section 12, row 16).
#[must_use]
pub fn granted(body: &Value, now: EpochMillis) -> Option<Tokens> {
    let tokens = Tokens::read(body.to_string().as_bytes(), now, None)?;
    Bearer::new(&tokens.access).map(|_| tokens)
}

/// The business in the `id_token` of the answer to P4, if there is one. Its signature is not looked at: it came from the token
/// endpoint over TLS, in the answer to our own call (`OpenID` Connect Core, section 3.1.3.7, item 6).
#[must_use]
pub fn granted_business(body: &Value) -> Option<String> {
    let payload = body["id_token"].as_str()?.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    claims["business_id"].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// P6.
#[must_use]
pub fn who_is_it(app: &Settings, access: &str) -> Option<HttpCall> {
    with_token(json_call(Method::GET, app.api("/oauth/userinfo"), None), access)
}

/// The business in the answer to P6.
#[must_use]
pub fn business_of(body: &Value) -> Option<String> {
    [&body["business_uid"], &body["business_id"]]
        .into_iter()
        .find_map(|id| id.as_str().filter(|text| !text.is_empty()))
        .map(str::to_owned)
}

/// V1.
#[must_use]
pub fn create_channel(settings: &Settings, access: &str) -> Option<HttpCall> {
    let mut body = json!({"business_uid": settings.business_uid, "type": "transactional"});
    if let Some(name) = &settings.display_name {
        body["display_name"] = json!(name);
    }
    let url = settings.api(&format!("{}/channels", settings.common_prefix));
    with_token(json_call(Method::POST, url, Some(&body)), access)
}

/// The channel in the answer to V1 (section 12, row 12), and its status. One we do not know is one that has yet to become active.
#[must_use]
pub fn created_channel(body: &Value) -> Option<(ChannelUid, RemoteStatus)> {
    let data = &body["data"];
    let channel = if data["channel"]["uid"].is_string() { &data["channel"] } else { data };
    let uid = channel["uid"].as_str()?.parse().ok()?;
    let status = match status::channel(channel["status"].as_str().unwrap_or_default()) {
        Reported::Known(status) => status,
        Reported::Other(_) => RemoteStatus::Pending,
    };
    Some((uid, status))
}

/// V2: asks for a channel to become active (section 7).
#[must_use]
pub fn activate_channel(settings: &Settings, channel: &str, access: &str) -> Option<HttpCall> {
    with_token(json_call(Method::PUT, channel_url(settings, channel), Some(&json!({"status": "active"}))), access)
}

/// V3.
#[must_use]
pub fn delete_channel(settings: &Settings, channel: &str, access: &str) -> Option<HttpCall> {
    with_token(json_call(Method::DELETE, channel_url(settings, channel), None), access)
}

/// P7: takes a token back.
#[must_use]
pub fn revoke(settings: &Settings, access: &str) -> Option<HttpCall> {
    let call = json_call(Method::POST, settings.api("/platform/v1/tokens/revoke"), Some(&json!({"token": access})));
    with_token(call, access)
}

fn channel_url(settings: &Settings, channel: &str) -> Url {
    settings.api(&format!("{}/channels/{}", settings.common_prefix, segment(channel)))
}

/// A call with a token; `None` if no header can carry it.
pub(crate) fn with_token(mut call: HttpCall, access: &str) -> Option<HttpCall> {
    call.headers.insert(AUTHORIZATION, Bearer::new(access)?.header());
    Some(call)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: EpochMillis = EpochMillis::new(1_772_633_109_000);

    fn settings(more: &Value) -> Settings {
        let mut settings = json!({"business_uid": "b", "redirect_uri": "https://chat.example/vcita/demo/connect"});
        for (name, value) in more.as_object().unwrap() {
            settings[name] = value.clone();
        }
        Settings::of(&crate::settings::tests::account(settings)).unwrap()
    }

    fn body(call: &HttpCall) -> Value {
        serde_json::from_slice(&call.body).unwrap()
    }

    #[test]
    fn visits_are_told_apart_by_their_query() {
        let landing = |business: &str, host: Option<&str>| Visit::Landing {
            business_uid: Some(business.to_owned()),
            brand_host: host.map(str::to_owned),
        };
        let back = |state: &str, answer: Result<&str, &str>| Visit::Return {
            state: state.to_owned(),
            answer: answer.map(str::to_owned).map_err(str::to_owned),
        };
        for (query, visit) in [
            ("business_uid=b%201&staff_role=x", landing("b 1", None)),
            ("business_uid=b&brand_host=h.example", landing("b", Some("h.example"))),
            ("", Visit::Landing { business_uid: None, brand_host: None }),
            ("code=c&state=s", back("s", Ok("c"))),
            ("code=c", back("", Ok("c"))),
            ("error=access_denied&error_description=no&state=s", back("s", Err("access_denied"))),
            ("error=access_denied&code=c&state=s", back("s", Err("access_denied"))),
        ] {
            assert_eq!(Visit::parse(query), Some(visit), "{query}");
        }
        assert_eq!(Visit::parse("state=a&state=b&code=c"), None);
        assert_eq!(Visit::parse(&format!("code={}", "x".repeat(2049))), None);
    }

    #[test]
    fn disagreement_12_uid_of_a_channel_is_read_from_both_places() {
        let read = |body: Value| created_channel(&body).map(|(uid, status)| (uid.as_str().to_owned(), status));
        let channel = json!({"data": {"channel": {"uid": "c-1", "status": "error"}, "uid": "other"}});
        assert_eq!(read(channel), Some(("c-1".to_owned(), RemoteStatus::Failed)));
        assert_eq!(read(json!({"data": {"uid": "c-2"}})), Some(("c-2".to_owned(), RemoteStatus::Pending)));
        for none in [json!({}), json!({"data": {"channel": {"uid": ""}}}), json!({"data": {"uid": 7}}), Value::Null] {
            assert_eq!(read(none.clone()), None, "{none}");
        }
    }

    #[test]
    fn disagreement_13_hosts_of_authorization_are_the_first_ones_and_can_be_configured() {
        let url = |settings: &Settings| authorization_url(settings, "app", "s", "v", None).unwrap().to_string();
        let default = settings(&json!({}));
        assert!(url(&default).starts_with("https://app.vcita.com/app/oauth/authorize?response_type=code&client_id=app"));
        assert_eq!(exchange_code(&default, "i", "s", "c", "v").url.as_str(), "https://api.vcita.biz/oauth/token");
        let other = settings(&json!({
            "authorization_url": "https://x.example/oauth/authorize", "token_url": "https://api2.vcita.com/oauth/token"
        }));
        assert!(url(&other).starts_with("https://x.example/oauth/authorize?"));
        assert_eq!(exchange_code(&other, "i", "s", "c", "v").url.as_str(), "https://api2.vcita.com/oauth/token");
    }

    #[test]
    fn disagreement_15_a_code_is_exchanged_by_its_own_grant_and_never_client_credentials() {
        let call = exchange_code(&settings(&json!({})), "i", "s", "c", "v");
        assert_eq!(
            body(&call),
            json!({
                "grant_type": "authorization_code", "code": "c", "client_id": "i", "client_secret": "s", "code_verifier": "v",
                "redirect_uri": "https://chat.example/vcita/demo/connect"
            })
        );
        assert!(!call.headers.contains_key(AUTHORIZATION));
    }

    #[test]
    fn disagreement_17_calls_about_channels_carry_the_apps_own_token_of_the_business() {
        let settings = settings(&json!({"display_name": "Iris"}));
        let calls = [
            create_channel(&settings, "tok"),
            activate_channel(&settings, "c/1", "tok"),
            delete_channel(&settings, "c/1", "tok"),
            revoke(&settings, "tok"),
            who_is_it(&settings, "tok"),
        ];
        let lines: Vec<_> = calls
            .iter()
            .map(|call| {
                let call = call.as_ref().unwrap();
                assert_eq!(call.headers[AUTHORIZATION], "Bearer tok");
                format!("{} {}", call.method, call.url.path())
            })
            .collect();
        assert_eq!(
            lines,
            [
                "POST /business/communication/channels",
                "PUT /business/communication/channels/c%2F1",
                "DELETE /business/communication/channels/c%2F1",
                "POST /platform/v1/tokens/revoke",
                "GET /oauth/userinfo",
            ]
        );
        let made = body(calls[0].as_ref().unwrap());
        assert_eq!(made, json!({"business_uid": "b", "type": "transactional", "display_name": "Iris"}));
        assert!(create_channel(&settings, "tok\n").is_none());
    }

    #[test]
    fn tokens_are_read_with_either_time_and_a_refresh_token_only_if_there_is_one() {
        let read = |body: Value| granted(&body, NOW);
        let tokens = read(json!({"access_token": "t", "expires_in": 10, "created_at": 1_772_633_100})).unwrap();
        assert_eq!(
            (tokens.access.as_str(), tokens.refresh, tokens.expires_at),
            ("t", None, Some(EpochMillis::new(1_772_633_110_000)))
        );
        let tokens =
            read(json!({"access_token": "t", "expires_in": 10, "created_at": "2026-03-04T14:05:00Z", "refresh_token": "r"}));
        let tokens = tokens.unwrap();
        assert_eq!((tokens.refresh.as_deref(), tokens.expires_at), (Some("r"), Some(EpochMillis::new(1_772_633_110_000))));
        assert_eq!(read(json!({"access_token": ""})), None);
        assert_eq!(read(json!({})), None);
    }

    #[test]
    fn business_is_read_from_any_id_token_that_names_one() {
        // {"alg":"none"} . {"business_id":"b-1"} . sig
        let named = "eyJhbGciOiJub25lIn0.eyJidXNpbmVzc19pZCI6ImItMSJ9.c2ln";
        assert_eq!(granted_business(&json!({"id_token": named})).as_deref(), Some("b-1"));
        for none in [
            json!({}),
            json!({"id_token": "x"}),
            json!({"id_token": "a.%%.c"}),
            json!({"id_token": "a.e30.c"}),
            json!({"id_token": 7}),
        ] {
            assert_eq!(granted_business(&none), None, "{none}");
        }
        assert_eq!(business_of(&json!({"business_id": "b-2"})).as_deref(), Some("b-2"));
        assert_eq!(business_of(&json!({"business_uid": ""})), None);
    }

    proptest! {
        #[test]
        fn any_query_and_any_answer_never_panic(query in ".*", token in ".*") {
            let _ = Visit::parse(&query);
            let _ = granted_business(&json!({"id_token": token}));
            let _ = created_channel(&json!({"data": {"uid": token}}));
            let _ = granted(&json!({"access_token": query}), NOW);
        }
    }
}
