//! Pages.

use std::collections::HashMap;

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use wire::{Reply, escaped};

use crate::HTTPS_ONLY;

/// A page with its policy and the headers of all pages: kept by nobody, and its address told to nobody.
///
/// A policy that is no header makes no page: without it, there must be none.
#[must_use]
pub fn page(status: StatusCode, policy: &str, html: String) -> Reply {
    let Ok(policy) = HeaderValue::from_str(policy) else { return Reply::empty(StatusCode::INTERNAL_SERVER_ERROR) };
    let (https_only, year) = HTTPS_ONLY;
    let mut reply = Reply::empty(status)
        .with_header(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
        .with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .with_header(REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
        .with_header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .with_header(https_only, year)
        .with_header(CONTENT_SECURITY_POLICY, policy);
    reply.body = html.into();
    reply
}

/// The template with its `{{name}}` filled in, each value as text. What is filled in is not looked through again.
#[must_use]
pub fn filled(template: &str, values: &HashMap<&str, &str>) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let (name, behind) = after.split_once("}}").unwrap_or((after, ""));
        out.push_str(&escaped(values.get(name).copied().unwrap_or_default()));
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_texts_and_not_looked_through_again() {
        let values = HashMap::from([("a", "<b>{{b}}\""), ("b", "never")]);
        assert_eq!(filled("x {{a}} y {{c}}{{", &values), "x &lt;b&gt;{{b}}&quot; y ");
    }

    #[test]
    fn without_a_policy_there_is_no_page() {
        let reply = page(StatusCode::OK, "default-src 'none'\n", "secret".to_owned());
        assert!(reply.status == StatusCode::INTERNAL_SERVER_ERROR && reply.body.is_empty());
    }
}
