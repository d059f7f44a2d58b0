//! The origin of a page: scheme, host and port, as browsers write it.

use std::fmt;

/// An origin in the one form browsers send: lower case, without the scheme's usual port. It holds nothing that would be
/// special in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin(String);

impl Origin {
    /// Reads `https://host` or `https://host:port`, or the same with http. The opaque origin, `null`, is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let (scheme, authority) = lower.split_once("://")?;
        let usual_port = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        // The colons of an IPv6 host stand before its bracket.
        let after_bracket = authority.rfind(']').map_or(0, |at| at + 1);
        let (host, port) = match authority[after_bracket..].find(':') {
            None => (authority, None),
            Some(at) => {
                let (host, port) = authority.split_at(after_bracket + at);
                let port = port.strip_prefix(':').filter(|p| p.bytes().all(|b| b.is_ascii_digit()))?;
                (host, Some(port.parse::<u16>().ok()?))
            }
        };
        if !is_host(host) {
            return None;
        }
        Some(Self(match port.filter(|port| *port != usual_port) {
            None => format!("{scheme}://{host}"),
            Some(port) => format!("{scheme}://{host}:{port}"),
        }))
    }

    /// The origin of an address: what stands before its path, query or fragment.
    pub(crate) fn of_url(url: &str) -> Option<Self> {
        let host_at = url.find("://")? + 3;
        let end = url[host_at..].find(['/', '?', '#']).map_or(url.len(), |at| host_at + at);
        Self::parse(&url[..end])
    }
}

/// Names as browsers send them are ASCII. A user (`@`) or a backslash, which browsers take for a slash, would make another
/// host of it than it looks like: both are no host.
fn is_host(host: &str) -> bool {
    let is_name = |text: &str, extra: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || extra.contains(c))
    };
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|address| is_name(address, ":.")),
        None => is_name(host, "-._"),
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn origins_have_one_form() {
        for (text, form) in [
            ("https://shop.example", "https://shop.example"),
            ("HTTPS://Shop.Example:443", "https://shop.example"),
            ("http://localhost:80", "http://localhost"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("https://localhost:80", "https://localhost:80"),
            ("https://[::1]:8443", "https://[::1]:8443"),
            ("https://[::1]", "https://[::1]"),
        ] {
            assert_eq!(Origin::parse(text).unwrap().to_string(), form, "{text}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "null",
            "*",
            "shop.example",
            "ftp://shop.example",
            "https://",
            "https://shop.example/",
            "https://user@shop.example",
            "https://evil.example\\.shop.example",
            "https://shop.example:",
            "https://shop.example:+1",
            "https://shop.example:99999",
            "https://shop.example:1:2",
            "https://shop.example\r\nX: y",
            "https://košík.example",
            "https://[::1",
            "https://a]b",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }

    #[test]
    fn origin_of_a_url_ends_before_path_query_and_fragment() {
        for url in [
            "https://shop.example/a?b#c",
            "https://shop.example?b",
            "https://shop.example#c",
            "https://shop.example",
            "https://SHOP.example:443/",
        ] {
            assert_eq!(Origin::of_url(url), Origin::parse("https://shop.example"), "{url}");
        }
        assert_eq!(Origin::of_url("https://shop.example@evil.example/"), None);
        assert_eq!(Origin::of_url("/path"), None);
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_the_form_is_stable(text in "(?s).{0,30}|https?://[a-zA-Z0-9.:\\[\\]/@?-]{0,20}") {
            for origin in [Origin::parse(&text), Origin::of_url(&text)].into_iter().flatten() {
                prop_assert_eq!(Origin::parse(&origin.to_string()), Some(origin));
            }
        }
    }
}
