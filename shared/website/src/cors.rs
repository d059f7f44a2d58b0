//! Which pages may call, and what a browser must be told for that (8.4).

use crate::origin::Origin;

/// The pages that may call: their origins, exact.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedOrigins(Vec<Origin>);

/// An entry of the allow-list that is not `https://host` or `http://host`, with or without a port. `*` is none either:
/// every answer is for one visitor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an origin")]
pub struct BadOrigin(pub String);

/// Why a POST is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteRefusal {
    /// It comes from a page that is not on the allow-list, or from no page; 403.
    #[error("the page is not allowed to write")]
    Origin,
    /// Its body is not declared as JSON, so a browser may have sent it without asking first; 415.
    #[error("the content type is not application/json")]
    ContentType,
}

/// A header of an answer.
pub type Header = (&'static str, String);

impl AllowedOrigins {
    /// Reads an allow-list.
    ///
    /// # Errors
    /// [`BadOrigin`] with the first entry that is none.
    pub fn new<'a>(origins: impl IntoIterator<Item = &'a str>) -> Result<Self, BadOrigin> {
        let origins = origins.into_iter().map(|text| Origin::parse(text).ok_or_else(|| BadOrigin(text.to_owned())));
        origins.collect::<Result<_, _>>().map(Self)
    }

    fn find(&self, origin: Option<&str>) -> Option<&Origin> {
        let origin = Origin::parse(origin?)?;
        self.0.iter().find(|allowed| **allowed == origin)
    }

    /// The headers of an answer to this `Origin`. Those that a script has to read are named, as a page of another origin
    /// sees none but these.
    #[must_use]
    pub fn headers(&self, origin: Option<&str>) -> Vec<Header> {
        // Said to everybody: an answer kept for one page must not be given to another.
        let mut headers = vec![("Vary", "Origin".to_owned())];
        if let Some(origin) = self.find(origin) {
            headers.push(("Access-Control-Allow-Origin", origin.to_string()));
            headers.push(("Access-Control-Allow-Credentials", "true".to_owned()));
            headers.push(("Access-Control-Expose-Headers", "ETag, Retry-After, X-Poll-After, X-Tracking-Token".to_owned()));
        }
        headers
    }

    /// The headers of the answer to an OPTIONS request of this `Origin`.
    #[must_use]
    pub fn preflight_headers(&self, origin: Option<&str>) -> Vec<Header> {
        let mut headers = self.headers(origin);
        if self.find(origin).is_some() {
            headers.push(("Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS".to_owned()));
            headers.push(("Access-Control-Allow-Headers", "Content-Type, If-None-Match, X-Tracking-Token".to_owned()));
            headers.push(("Access-Control-Max-Age", "600".to_owned()));
        }
        headers
    }

    /// Whether a POST may be served: from a page on the list, with a body of JSON.
    ///
    /// # Errors
    /// [`WriteRefusal`] with what is missing.
    pub fn check_write(&self, origin: Option<&str>, content_type: Option<&str>) -> Result<(), WriteRefusal> {
        if self.find(origin).is_none() {
            return Err(WriteRefusal::Origin);
        }
        let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(WriteRefusal::ContentType) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> AllowedOrigins {
        AllowedOrigins::new(["https://shop.example", "http://localhost:8080"]).unwrap()
    }

    fn pairs(headers: &[Header]) -> Vec<(&str, &str)> {
        headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    #[test]
    fn listed_origin_is_echoed_with_credentials_and_vary() {
        assert_eq!(
            pairs(&list().headers(Some("https://shop.example"))),
            [
                ("Vary", "Origin"),
                ("Access-Control-Allow-Origin", "https://shop.example"),
                ("Access-Control-Allow-Credentials", "true"),
                ("Access-Control-Expose-Headers", "ETag, Retry-After, X-Poll-After, X-Tracking-Token"),
            ]
        );
        assert_eq!(list().headers(Some("http://localhost:8080"))[1].1, "http://localhost:8080");
    }

    #[test]
    fn other_origin_is_told_nothing_but_vary() {
        for origin in [
            None,
            Some(""),
            Some("null"),
            Some("*"),
            Some("https://shop.example.evil.example"),
            Some("https://evil.example"),
            Some("http://shop.example"),
            Some("https://shop.example:8443"),
            Some("https://shop.example/"),
        ] {
            assert_eq!(pairs(&list().headers(origin)), [("Vary", "Origin")], "{origin:?}");
            assert_eq!(pairs(&list().preflight_headers(origin)), [("Vary", "Origin")], "{origin:?}");
        }
    }

    #[test]
    fn preflight_names_methods_and_headers() {
        assert_eq!(
            pairs(&list().preflight_headers(Some("https://shop.example")))[4..],
            [
                ("Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS"),
                ("Access-Control-Allow-Headers", "Content-Type, If-None-Match, X-Tracking-Token"),
                ("Access-Control-Max-Age", "600"),
            ]
        );
    }

    #[test]
    fn star_is_never_allowed() {
        assert_eq!(AllowedOrigins::new(["https://shop.example", "*"]), Err(BadOrigin("*".to_owned())));
        assert_eq!(AllowedOrigins::new(["null"]), Err(BadOrigin("null".to_owned())));
        assert_eq!(AllowedOrigins::new(["https://shop.example/"]), Err(BadOrigin("https://shop.example/".to_owned())));
    }

    #[test]
    fn cross_site_write_needs_a_listed_origin() {
        let json = Some("application/json");
        assert_eq!(list().check_write(Some("https://shop.example"), json), Ok(()));
        for origin in [None, Some("null"), Some("https://evil.example")] {
            assert_eq!(list().check_write(origin, json), Err(WriteRefusal::Origin));
        }
    }

    #[test]
    fn cross_site_write_needs_json() {
        let write = |content_type| list().check_write(Some("https://shop.example"), content_type);
        assert_eq!(write(Some("Application/JSON; charset=utf-8")), Ok(()));
        for content_type in [None, Some(""), Some("text/plain"), Some("application/jsonp"), Some("text/plain; application/json")]
        {
            assert_eq!(write(content_type), Err(WriteRefusal::ContentType), "{content_type:?}");
        }
    }
}
