//! The pages that staff see while they connect their business. Plain HTML without a script, in English.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use wire::{Reply, escaped};

/// One page.
pub(crate) struct Page<'a> {
    pub(crate) status: StatusCode,
    pub(crate) title: &'a str,
    /// Paragraphs.
    pub(crate) says: Vec<String>,
    /// The business to begin again with, if that makes sense.
    pub(crate) again: Option<&'a str>,
}

impl Page<'_> {
    pub(crate) fn reply(&self) -> Reply {
        let mut html = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        html.push_str("<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
        html.push_str(&escaped(self.title));
        html.push_str("</title>\n</head>\n<body>\n<main>\n<h1>");
        html.push_str(&escaped(self.title));
        html.push_str("</h1>\n");
        for paragraph in &self.says {
            html.push_str(&format!("<p>{}</p>\n", escaped(paragraph)));
        }
        if let Some(business) = self.again {
            let query: String =
                url::form_urlencoded::Serializer::new(String::new()).append_pair("business_uid", business).finish();
            html.push_str(&format!("<p><a href=\"?{}\">Try again</a></p>\n", escaped(&query)));
        }
        html.push_str("</main>\n</body>\n</html>\n");
        closed(Reply { body: Bytes::from(html), ..Reply::empty(self.status) })
            .with_header(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
    }
}

/// What every answer to a browser carries: nobody keeps it, frames it, or is told where the browser came from, because the
/// address may hold a code.
pub(crate) fn closed(reply: Reply) -> Reply {
    let policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    reply
        .with_header(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy))
        .with_header(REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
        .with_header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// For an outage: the browser may come again.
pub(crate) fn later(reply: Reply) -> Reply {
    reply.with_header(RETRY_AFTER, HeaderValue::from_static("5"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_says_is_text_and_never_markup() {
        let page = Page {
            status: StatusCode::OK,
            title: "A & B",
            says: vec!["<script>alert(\"1\")</script> it's".to_owned()],
            again: Some("b\"><img src=x>&"),
        };
        let html = String::from_utf8(page.reply().body.to_vec()).unwrap();
        assert!(html.contains("<title>A &amp; B</title>"), "{html}");
        assert!(html.contains("<p>&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; it&#39;s</p>"), "{html}");
        assert!(html.contains("<a href=\"?business_uid=b%22%3E%3Cimg+src%3Dx%3E%26\">"), "{html}");
    }
}
