//! Calls of `handoff` to cTrader's backend, and what its answers mean (section 4, O1 to O3).

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use url::Url;
use wire::{CallFailure, HttpAnswer, HttpCall, Secret};

use crate::Secrets;
use crate::identity::{Backend, Handoff, RedeemVariant};

/// The name of the limiter's refusal (section 6.2).
const TOO_OFTEN: &str = "REQUEST_FREQUENCY_EXCEEDED";

/// Whom cTrader vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// The user's id, the key of the person.
    pub user_id: i64,
    /// A contact datum, not a key.
    pub email: Option<String>,
    /// The user's trading account; cTrader writes none, `null` or 0 for no account.
    pub trading_login: Option<i64>,
}

/// What an attempt to redeem a token came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// The token is spent, and this is whose it was.
    Vouched(Vouched),
    /// 401 or 403: the manager's token is not accepted, or has no right. Nothing was spent.
    NotLetIn,
    /// 404: unknown, expired or used.
    Unknown,
    /// The limiter. Nothing was spent.
    Busy,
    /// There was no connection, or may be none. Nothing was spent.
    Unreached,
    /// 5xx, no answer in time, a broken connection: spent or not.
    Uncertain,
    /// Anything else that answers nothing: another 4xx, or a 200 that cannot be read.
    Unreadable,
}

/// O1. `None` without a manager's password.
#[must_use]
pub fn ask_manager_token(backend: &Backend, secrets: &Secrets, timeout: Duration) -> Option<HttpCall> {
    Some(log_in(backend, secrets.manager()?, timeout))
}

/// O1, with the hash of the manager's password.
pub(crate) fn log_in(backend: &Backend, manager: &Secret, timeout: Duration) -> HttpCall {
    let body = json!({"login": backend.manager_login, "hashedPassword": manager.expose()});
    call(Method::POST, backend.webserv("/webserv/managers/token"), Some(&body), timeout)
}

/// The token in the answer of O1.
#[must_use]
pub fn manager_token(answer: &HttpAnswer) -> Option<Secret> {
    let body: Value = serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == StatusCode::OK)?;
    let token = body.get("webservToken")?.as_str()?;
    (!token.is_empty() && token.len() <= 4096).then(|| token.to_owned().into())
}

/// O2, or O3 if the brand still uses it. `manager` is the manager's token, `token` the one-time token: same name, different
/// thing.
#[must_use]
pub fn redeem(backend: &Backend, handoff: &Handoff, manager: &Secret, token: &str, timeout: Duration) -> HttpCall {
    let mut url = backend.ctid(&handoff.path);
    url.query_pairs_mut().append_pair("token", manager.expose());
    match handoff.variant {
        RedeemVariant::PostRedeem => call(Method::POST, url, Some(&json!({ "token": token })), timeout),
        RedeemVariant::GetData => {
            url.query_pairs_mut().append_pair(&handoff.legacy_token_param, token);
            call(Method::GET, url, None, timeout)
        }
    }
}

/// A call with or without a body, as `/ctid` and `/webserv` want it (section 2).
pub(crate) fn call(method: Method, url: Url, body: Option<&Value>, timeout: Duration) -> HttpCall {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    HttpCall { method, url, headers, body: body.map_or_else(Bytes::new, |body| body.to_string().into()), timeout }
}

/// What the answer to [`redeem`] means (the status table of O2, which holds for O3 too).
#[must_use]
pub fn attempt(result: &Result<HttpAnswer, CallFailure>) -> Attempt {
    let answer = match result {
        Ok(answer) => answer,
        Err(CallFailure::Unreachable | CallFailure::ForbiddenTarget) => return Attempt::Unreached,
        Err(CallFailure::NoAnswer) => return Attempt::Uncertain,
        Err(CallFailure::AnswerTooLong) => return Attempt::Unreadable,
    };
    if !answer.status.is_success() && is_limiter(&answer.body) || answer.status == StatusCode::TOO_MANY_REQUESTS {
        return Attempt::Busy;
    }
    match answer.status.as_u16() {
        200 => vouched(&answer.body).map_or(Attempt::Unreadable, Attempt::Vouched),
        401 | 403 => Attempt::NotLetIn,
        404 => Attempt::Unknown,
        500..=599 => Attempt::Uncertain,
        _ => Attempt::Unreadable,
    }
}

/// Looks for the name at the top and under `error` (section 6.2).
fn is_limiter(body: &[u8]) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return false };
    let places = [Some(&body), body.get("error")];
    let says =
        |place: &Value| [place.get("errorCode"), place.get("code"), Some(place)].into_iter().flatten().any(|v| v == TOO_OFTEN);
    places.into_iter().flatten().any(says)
}

fn vouched(body: &[u8]) -> Option<Vouched> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let email = body.get("email").and_then(Value::as_str).filter(|text| (1..=320).contains(&text.len()));
    Some(Vouched {
        user_id: user_id(body.get("userId")?)?,
        email: email.map(str::to_owned),
        trading_login: body.get("tradingLogin").and_then(user_id),
    })
}

/// A positive 64-bit integer, or one as decimal digits (section 10, row 5).
#[must_use]
pub fn user_id(value: &Value) -> Option<i64> {
    let id = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    id.filter(|id| *id > 0)
}

#[cfg(test)]
mod tests {
    use model::Account;

    use super::*;
    use crate::{Brand, Identity};

    fn brand(variant: &str) -> Brand {
        let id = "ctrader/broker".parse().unwrap();
        let settings = json!({
            "public_base_url": "https://a.example", "success_url": "https://a.example/callback/success", "identity": "handoff",
            "ctrader_base_url": "https://ct.example:8443", "manager_login": 1007, "redeem_variant": variant
        });
        Brand::of(&Account { id, tenant: "t".parse().unwrap(), salt: "s".into(), settings, installed: None }).unwrap()
    }

    fn redeem_of(variant: &str) -> HttpCall {
        let brand = brand(variant);
        let Identity::Handoff(handoff) = &brand.identity else { panic!("not handoff") };
        let manager = "9d3f61c4-5a0e-4b77-8f12-c0de55aa1042".to_owned().into();
        redeem(brand.backend.as_ref().unwrap(), handoff, &manager, "Hn7+w/4q==", Duration::from_secs(2))
    }

    fn answer(status: u16, body: &str) -> Result<HttpAnswer, CallFailure> {
        let status = StatusCode::from_u16(status).unwrap();
        Ok(HttpAnswer { status, headers: HeaderMap::new(), body: Bytes::from(body.to_owned()) })
    }

    #[test]
    fn post_has_the_manager_s_token_in_the_query_and_the_one_time_token_in_the_body() {
        let call = redeem_of("post_redeem");
        assert_eq!(call.method, Method::POST);
        assert_eq!(
            call.url.as_str(),
            "https://ct.example:8443/cid/ctid2/inAppToken/redeem?token=9d3f61c4-5a0e-4b77-8f12-c0de55aa1042"
        );
        assert_eq!(call.body, r#"{"token":"Hn7+w/4q=="}"#);
        assert_eq!(
            (&call.headers["accept"], &call.headers["content-type"]),
            (&"application/json".parse().unwrap(), &"application/json".parse().unwrap())
        );
    }

    #[test]
    fn get_has_both_in_the_query() {
        let call = redeem_of("get_data");
        assert_eq!((call.method, call.body.len()), (Method::GET, 0));
        let (address, query) = call.url.as_str().split_once('?').unwrap();
        assert_eq!(address, "https://ct.example:8443/cid/ctid2/inAppOneTimeToken/data");
        assert_eq!(query, "token=9d3f61c4-5a0e-4b77-8f12-c0de55aa1042&inAppToken=Hn7%2Bw%2F4q%3D%3D");
    }

    #[test]
    fn manager_s_token_is_asked_for_with_the_md5_of_the_password() {
        let brand = brand("post_redeem");
        let backend = brand.backend.as_ref().unwrap();
        let secrets = Secrets::from_value(&json!({"manager_password": "password"})).unwrap();
        let call = ask_manager_token(backend, &secrets, Duration::from_secs(1)).unwrap();
        assert_eq!((call.method, call.url.as_str()), (Method::POST, "https://ct.example:8443/v2/webserv/managers/token"));
        assert_eq!(call.body, r#"{"hashedPassword":"5f4dcc3b5aa765d61d8327deb882cf99","login":1007}"#);
        let none = Secrets::from_value(&json!({})).unwrap();
        assert!(ask_manager_token(backend, &none, Duration::from_secs(1)).is_none());
        let told = answer(200, r#"{"webservToken":"9d3f"}"#).unwrap();
        assert_eq!(manager_token(&told).map(|token| token.expose().to_owned()), Some("9d3f".to_owned()));
        for (status, body) in [(401, r#"{"webservToken":"9d3f"}"#), (200, "{}"), (200, "x"), (200, r#"{"webservToken":""}"#)] {
            assert!(manager_token(&answer(status, body).unwrap()).is_none(), "{status} {body}");
        }
    }

    #[test]
    fn every_row_of_the_table_of_answers() {
        let ines = |email: Option<&str>, trading_login| {
            Attempt::Vouched(Vouched { user_id: 31_550_462, email: email.map(str::to_owned), trading_login })
        };
        for (result, expected) in [
            (
                answer(200, r#"{"userId":31550462,"email":"ines.v@example.com","tradingLogin":5207718}"#),
                ines(Some("ines.v@example.com"), Some(5_207_718)),
            ),
            (answer(200, r#"{"userId":"31550462"}"#), ines(None, None)),
            (answer(200, r#"{"userId":31550462,"email":null,"tradingLogin":null}"#), ines(None, None)),
            (answer(200, r#"{"userId":31550462,"tradingLogin":0,"brand":"new"}"#), ines(None, None)),
            (answer(200, r#"{"userId":1.5}"#), Attempt::Unreadable),
            (answer(200, r#"{"userId":-1}"#), Attempt::Unreadable),
            (answer(200, r#"{"email":"ines.v@example.com"}"#), Attempt::Unreadable),
            (answer(200, "<html>"), Attempt::Unreadable),
            (answer(201, r#"{"userId":31550462}"#), Attempt::Unreadable),
            (answer(302, ""), Attempt::Unreadable),
            (answer(400, r#"{"errorCode":"INVALID_REQUEST"}"#), Attempt::Unreadable),
            (answer(401, ""), Attempt::NotLetIn),
            (answer(403, r#"{"errorCode":"NOT_ENOUGH_RIGHTS"}"#), Attempt::NotLetIn),
            (answer(403, r#"{"errorCode":"REQUEST_FREQUENCY_EXCEEDED"}"#), Attempt::Busy),
            (answer(400, r#"{"error":{"errorCode":"REQUEST_FREQUENCY_EXCEEDED","description":"x"}}"#), Attempt::Busy),
            (answer(400, r#"{"error":"REQUEST_FREQUENCY_EXCEEDED"}"#), Attempt::Busy),
            (answer(429, ""), Attempt::Busy),
            (answer(404, ""), Attempt::Unknown),
            (answer(500, r#"{"errorCode":"UNKNOWN_ERROR"}"#), Attempt::Uncertain),
            (answer(503, ""), Attempt::Uncertain),
            (Err(CallFailure::NoAnswer), Attempt::Uncertain),
            (Err(CallFailure::Unreachable), Attempt::Unreached),
            (Err(CallFailure::ForbiddenTarget), Attempt::Unreached),
            (Err(CallFailure::AnswerTooLong), Attempt::Unreadable),
        ] {
            assert_eq!(attempt(&result), expected, "{result:?}");
        }
    }

    #[test]
    fn user_id_is_an_integer_or_its_digits() {
        for (value, expected) in [
            (json!(31_550_462), Some(31_550_462)),
            (json!("31550462"), Some(31_550_462)),
            (json!(9_223_372_036_854_775_807_i64), Some(i64::MAX)),
            (json!("9223372036854775808"), None),
            (json!(0), None),
            (json!(-5), None),
            (json!("-5"), None),
            (json!("+5"), None),
            (json!(" 5"), None),
            (json!(""), None),
            (json!(5.0), None),
            (json!(true), None),
            (json!(null), None),
        ] {
            assert_eq!(user_id(&value), expected, "{value}");
        }
    }
}
