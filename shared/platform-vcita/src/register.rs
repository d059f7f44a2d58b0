//! What an operator does once per app and per business on vcita's platform: register, assign, subscribe (sections 8.1 and 9.5).

use http::Method;
use serde_json::{Value, json};
use wire::HttpCall;

use crate::Settings;
use crate::connect::with_token;
use crate::outbound::calls::{self, json_call};

/// An app as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppForm<'a> {
    /// What staff read, 3 to 25 characters.
    pub name: &'a str,
    /// Letters and digits, unique everywhere at vcita.
    pub app_code_name: &'a str,
    /// Landing page and return address.
    pub redirect_uri: &'a str,
    /// What VCS calls, with the path secret.
    pub api_uri: &'a str,
    /// Whether staff need not consent.
    pub trusted: bool,
    /// What vcita appends to the landing page's address.
    pub url_params: &'a [String],
}

/// P1. `trusted` goes as a boolean (section 12, row 18), `app_code_name` always (row 19).
#[must_use]
pub fn register_app(settings: &Settings, form: &AppForm<'_>, directory_token: &str) -> Option<HttpCall> {
    let body = json!({
        "name": form.name,
        "app_type": ["communication"],
        "redirect_uri": form.redirect_uri,
        "api_uri": form.api_uri,
        "trusted": form.trusted,
        "url_params": form.url_params,
        "app_code_name": form.app_code_name,
        "open_channel": false,
    });
    with_token(json_call(Method::POST, settings.api("/platform/v1/apps"), Some(&body)), directory_token)
}

/// To whom an app is assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment<'a> {
    /// `business`, `package` or `directory`.
    pub assignee_type: &'a str,
    /// Which of them.
    pub assignee_uid: &'a str,
    /// The app.
    pub app_code_name: &'a str,
    /// The directory, if it is not the token's own.
    pub directory_uid: Option<&'a str>,
    /// `internal` or `pre_installed`, if it is said.
    pub assignment_mode: Option<&'a str>,
}

/// P2.
#[must_use]
pub fn assign_app(settings: &Settings, assignment: &Assignment<'_>, directory_token: &str) -> Option<HttpCall> {
    let mut body = json!({
        "assignee_type": assignment.assignee_type,
        "assignee_uid": assignment.assignee_uid,
        "app_code_name": assignment.app_code_name,
    });
    if let Some(directory) = assignment.directory_uid {
        body["directory_uid"] = json!(directory);
    }
    if let Some(mode) = assignment.assignment_mode {
        body["settings"] = json!({"assignment_mode": mode});
    }
    with_token(json_call(Method::POST, settings.api("/v3/apps/app_assignments"), Some(&body)), directory_token)
}

/// P3: installs an app that a business may have.
#[must_use]
pub fn install_app(settings: &Settings, business_uid: &str, app_code_name: &str, directory_token: &str) -> Option<HttpCall> {
    let body = json!({"business_uid": business_uid, "app_code_name": app_code_name});
    with_token(json_call(Method::POST, settings.api("/v3/apps/business_app_installs"), Some(&body)), directory_token)
}

/// P9, with the fields of the first of the two published shapes (section 12, row 20).
#[must_use]
pub fn subscribe(settings: &Settings, event: &str, target_url: &str, token: &str) -> Option<HttpCall> {
    let body = json!({"event": event, "target_url": target_url});
    with_token(json_call(Method::POST, settings.api("/platform/v1/webhook/subscribe"), Some(&body)), token)
}

/// P9: ends a subscription. vcita finds it by the very address that subscribed.
#[must_use]
pub fn unsubscribe(settings: &Settings, event: &str, target_url: &str, token: &str) -> Option<HttpCall> {
    let body = json!({"event": event, "target_url": target_url});
    with_token(json_call(Method::POST, settings.api("/platform/v1/webhook/unsubscribe"), Some(&body)), token)
}

/// P5: the app's own token, for the subscriptions that take it (section 12, row 21).
#[must_use]
pub fn app_token(settings: &Settings, client_id: &str, client_secret: &str) -> HttpCall {
    calls::app_token(settings, client_id, client_secret)
}

/// The token in the answer to P5.
#[must_use]
pub fn token_of(body: &Value) -> Option<&str> {
    body["access_token"].as_str().filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use wire::RawRequest;

    use super::*;
    use crate::{Route, Secrets, route, verify};

    const URL_SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn secrets() -> Secrets {
        Secrets::from_value(&json!({"url_secrets": [URL_SECRET], "token": "tok"})).unwrap()
    }

    fn settings() -> Settings {
        Settings::of(&crate::settings::tests::account(json!({"business_uid": "b"}))).unwrap()
    }

    fn registered(trusted: bool) -> Value {
        let form = AppForm {
            name: "Demo chat",
            app_code_name: "demochat",
            redirect_uri: "https://chat.example/vcita/demo/connect",
            api_uri: &format!("https://chat.example/vcita/demo/{URL_SECRET}"),
            trusted,
            url_params: &["business_uid".to_owned()],
        };
        serde_json::from_slice(&register_app(&settings(), &form, "tok").unwrap().body).unwrap()
    }

    #[test]
    fn disagreement_18_trusted_goes_as_a_boolean() {
        assert_eq!(registered(true)["trusted"], json!(true));
        assert_eq!(registered(false)["trusted"], json!(false));
    }

    #[test]
    fn disagreement_19_app_code_name_is_always_sent() {
        assert_eq!(
            registered(true),
            json!({
                "name": "Demo chat", "app_type": ["communication"], "redirect_uri": "https://chat.example/vcita/demo/connect",
                "api_uri": "https://chat.example/vcita/demo/0123456789abcdef0123456789abcdef", "trusted": true,
                "url_params": ["business_uid"],
                "app_code_name": "demochat", "open_channel": false
            })
        );
    }

    #[test]
    fn disagreement_20_subscriptions_name_event_and_target_url() {
        let call = subscribe(&settings(), "application/uninstalled", "https://chat.example/vcita/demo/s/events", "tok").unwrap();
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        let expected = json!({"event": "application/uninstalled", "target_url": "https://chat.example/vcita/demo/s/events"});
        assert_eq!((call.url.path(), body), ("/platform/v1/webhook/subscribe", expected));
    }

    #[test]
    fn installation_and_end_of_a_subscription_name_what_they_are_about() {
        let sent = |call: Option<HttpCall>| {
            let call = call.unwrap();
            assert_eq!((call.method.as_str(), &call.headers["authorization"]), ("POST", &"Bearer tok".parse().unwrap()));
            (call.url.path().to_owned(), serde_json::from_slice::<Value>(&call.body).unwrap())
        };
        assert_eq!(
            sent(install_app(&settings(), "b-1", "demochat", "tok")),
            ("/v3/apps/business_app_installs".to_owned(), json!({"business_uid": "b-1", "app_code_name": "demochat"}))
        );
        assert_eq!(
            sent(unsubscribe(&settings(), "account/closed", "https://chat.example/vcita/demo/s/events", "tok")),
            (
                "/platform/v1/webhook/unsubscribe".to_owned(),
                json!({"event": "account/closed", "target_url": "https://chat.example/vcita/demo/s/events"})
            )
        );
    }

    #[test]
    fn disagreement_04_base_of_our_routes_is_the_api_uri() {
        let sent = registered(true);
        assert_eq!(sent["redirect_uri"], "https://chat.example/vcita/demo/connect");
        let base: url::Url = sent["api_uri"].as_str().unwrap().parse().unwrap();
        // What VCS appends to it is a route of ours; below the address for people nothing is.
        for (base, expected) in [(base.path(), Some(Route::Messages)), ("/vcita/demo/connect", None)] {
            let request = RawRequest {
                method: Method::POST,
                path: format!("{base}/messages"),
                query: String::new(),
                headers: http::HeaderMap::new(),
                body: bytes::Bytes::new(),
                request_id: "r-1".to_owned(),
                source_ip: None,
            };
            let verified = verify(request, &secrets()).ok();
            assert_eq!(verified.and_then(|request| route(request.get()).unwrap()), expected, "{base}");
        }
    }

    #[test]
    fn assignment_sends_what_is_given_only() {
        let assignment = Assignment {
            assignee_type: "business",
            assignee_uid: "b",
            app_code_name: "demochat",
            directory_uid: None,
            assignment_mode: Some("internal"),
        };
        let call = assign_app(&settings(), &assignment, "tok").unwrap();
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        let expected = json!({
            "assignee_type": "business", "assignee_uid": "b", "app_code_name": "demochat",
            "settings": {"assignment_mode": "internal"}
        });
        assert_eq!(body, expected);
    }
}
