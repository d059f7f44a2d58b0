//! Makes HTML from strangers harmless.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use ammonia::{Builder, Url, UrlRelative};

use crate::html::{html_to_text, text_to_html};
use crate::tokens::{Piece, walk};

/// Elements that are dropped together with what they contain (FrontStage contract, section 7, and what would otherwise
/// leave its content behind as text). `form`, `base`, `meta` and `link` are dropped for not being on the allow list; the
/// text within a form stays, because whole mails are sometimes wrapped in one.
pub(crate) const DROPPED: [&str; 9] = ["script", "style", "iframe", "object", "embed", "svg", "math", "title", "template"];

/// Image types that may stand in a `data:` URL.
const DATA_IMAGES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// Dropping an element can leave markup that a parser reads differently (`<p>` within `<p>`); each further round settles
/// one such level.
const MAX_ROUNDS: usize = 4;

/// Bound on open elements summed over all tags, see [`tree_cost`]. Real mails stay well below a million.
const MAX_TREE_COST: usize = 3_000_000;

static SANITISER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::default();
    builder
        .clean_content_tags(HashSet::from(DROPPED))
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel", "cid", "data"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer"))
        .attribute_filter(|element, attribute, value| keep_attribute(element, attribute, value).then_some(Cow::Borrowed(value)));
    builder
});

/// `data:` is on the list of schemes for images alone: everywhere else it can be a whole page.
fn keep_attribute(element: &str, attribute: &str, value: &str) -> bool {
    if matches!(attribute, "alt" | "lang" | "title") {
        return true;
    }
    // The same parser decides as for the scheme list, so that tabs and newlines within the scheme hide nothing.
    let Ok(url) = Url::parse(value) else { return true };
    if url.scheme() != "data" {
        return true;
    }
    let kind = url.path().split([';', ',']).next().unwrap_or_default();
    element == "img" && attribute == "src" && DATA_IMAGES.iter().any(|image| image.eq_ignore_ascii_case(kind))
}

/// Cleans HTML by an allow list: no scripts, frames, forms or handlers, no URL but http, https, mailto, tel, cid and
/// `data:` images; links get `rel="noopener noreferrer"`.
///
/// Cleaning what is clean changes nothing. Markup that never settles, or whose tree would grow out of all proportion
/// to the text, is reduced to its plain text, encoded.
#[must_use]
pub fn sanitise_html(html: &str) -> String {
    if tree_cost(html) > MAX_TREE_COST {
        return as_text(html);
    }
    let mut before = SANITISER.clean(html).to_string();
    for _ in 0..MAX_ROUNDS {
        let after = SANITISER.clean(&before).to_string();
        if after == before {
            return after;
        }
        before = after;
    }
    as_text(&before)
}

fn as_text(html: &str) -> String {
    // Once through the sanitiser, so that characters are written the way it writes them.
    SANITISER.clean(&text_to_html(&html_to_text(html))).to_string()
}

/// An upper estimate of the work of building the tree: for every tag, the elements that are open there. An HTML parser
/// copies unclosed formatting elements, attributes and all, into every following block and searches the open elements
/// at most tags, so that a small text can stand for a tree of gigabytes. End tags count only where they are well nested:
/// the estimate may be too high, never far too low.
fn tree_cost(html: &str) -> usize {
    let mut open: Vec<(String, usize)> = Vec::new();
    let (mut weight, mut cost) = (0usize, 0usize);
    walk(html, |piece| {
        match piece {
            Piece::Text(_) => return,
            Piece::Open(tag) if closes_itself(&tag.name) => {}
            Piece::Open(tag) => {
                let own = if is_formatting(&tag.name) { 1 + tag.attrs.len() } else { 1 };
                open.push((tag.name.to_string(), own));
                weight += own;
            }
            Piece::Close(name) => {
                if open.last().is_some_and(|(top, _)| top == name) {
                    weight -= open.pop().map_or(0, |(_, own)| own);
                }
            }
        }
        cost = cost.saturating_add(weight);
    });
    cost
}

/// Elements that never stay open under another of their kind, or never open at all.
fn closes_itself(name: &str) -> bool {
    matches!(
        name,
        "p" | "li"
            | "dt"
            | "dd"
            | "td"
            | "th"
            | "tr"
            | "tbody"
            | "thead"
            | "tfoot"
            | "br"
            | "hr"
            | "img"
            | "input"
            | "col"
            | "area"
            | "base"
            | "link"
            | "meta"
            | "wbr"
            | "embed"
            | "param"
            | "source"
            | "track"
            | "html"
            | "head"
            | "body"
    )
}

fn is_formatting(name: &str) -> bool {
    matches!(name, "a" | "b" | "big" | "code" | "em" | "font" | "i" | "nobr" | "s" | "small" | "strike" | "strong" | "tt" | "u")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_html_comes_out_harmless() {
        let table = [
            ("<script>alert(1)</script>a", "a"),
            ("<ScRiPt src=//evil.example></sCrIpT>a", "a"),
            ("<style>*{display:none}</style>a", "a"),
            ("<title>t</title>a", "a"),
            ("<img src=x onerror=alert(1)>", "<img>"),
            ("<b onclick='x()'>a</b>", "<b>a</b>"),
            ("<iframe src='https://evil.example'>x</iframe>a", "a"),
            ("<object data='x'>y</object><embed src='x'>a", "a"),
            ("<svg><script>alert(1)</script><text>x</text></svg>a", "a"),
            ("<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>", ""),
            ("<form action='https://evil.example'><input name=a>Hello</form>", "Hello"),
            ("<base href='https://evil.example/'><meta http-equiv=refresh content='0;url=x'><link rel=stylesheet href=x>a", "a"),
            ("<p style='background:url(https://evil.example)'>a</p>", "<p>a</p>"),
            ("<a href='javascript:alert(1)'>a</a>", r#"<a rel="noopener noreferrer">a</a>"#),
            ("<a href='jAva&#9;script:alert(1)'>a</a>", r#"<a rel="noopener noreferrer">a</a>"#),
            ("<a href='&#1;javascript:alert(1)'>a</a>", r#"<a rel="noopener noreferrer">a</a>"#),
            ("<a href='vbscript:x'>a</a>", r#"<a rel="noopener noreferrer">a</a>"#),
            ("<a href='data:text/html,<script>1</script>'>a</a>", r#"<a rel="noopener noreferrer">a</a>"#),
            ("<a href='da\nta:image/png;base64,AA=='>a</a>", r#"<a rel="noopener noreferrer">a</a>"#),
            ("<a href='/relative'>a</a>", r#"<a rel="noopener noreferrer">a</a>"#),
            ("<a href='//evil.example'>a</a>", r#"<a rel="noopener noreferrer">a</a>"#),
            ("<img src='data:image/svg+xml;base64,AA=='>", "<img>"),
            ("<img src='data:image/pngx,AA'>", "<img>"),
            ("<img src='data:text/html;image/png,AA'>", "<img>"),
            ("<!--[if IE]><script>alert(1)</script><![endif]-->a", "a"),
            ("<noscript><p title=\"</noscript><img src=x onerror=f()>\">a</noscript>", "&lt;p title=\"<img>\"&gt;a"),
            ("<p>a<p>b", "<p>a</p><p>b</p>"),
            ("a < b && <3", "a &lt; b &amp;&amp; &lt;3"),
        ];
        for (hostile, harmless) in table {
            let clean = sanitise_html(hostile);
            for word in ["alert", "evil", "javascript", "onerror", "onclick", "<script", "style"] {
                assert!(!clean.contains(word), "{hostile} -> {clean}");
            }
            assert_eq!(clean, harmless, "{hostile}");
            assert_eq!(sanitise_html(&clean), clean, "{hostile}");
        }
    }

    #[test]
    fn allowed_links_and_images_stay() {
        for url in ["https://a.example/x?y=1", "http://a.example/", "mailto:eva@demo.example", "tel:+420700000000", "cid:p1@demo"]
        {
            assert_eq!(
                sanitise_html(&format!("<a href=\"{url}\">a</a>")),
                format!("<a href=\"{url}\" rel=\"noopener noreferrer\">a</a>")
            );
        }
        for kind in ["png", "jpeg", "gif", "webp"] {
            let image = format!("<img src=\"data:image/{kind};base64,AA==\">");
            assert_eq!(sanitise_html(&image), image);
        }
    }

    #[test]
    fn dropped_element_that_held_a_paragraph_open_settles() {
        let nested = "<p><button><p>x</p></button></p>";
        let clean = sanitise_html(nested);
        assert_eq!(sanitise_html(&clean), clean);
        assert!(clean.contains('x'));
    }

    #[test]
    fn tree_bombs_are_reduced_to_their_text() {
        let mut unclosed = String::new();
        for n in 0..5_000 {
            unclosed.push_str(&format!("<b a={n}>"));
        }
        unclosed.push_str(&"<p>x".repeat(5_000));
        let hidden = unclosed.replace("<p>x", "<table><tr><td></b></table><p>x");
        let attributes = format!("<b {}>{}", (0..20_000).map(|n| format!("a{n}=1 ")).collect::<String>(), "<p>x".repeat(20_000));
        for bomb in [unclosed, hidden, attributes, "<div>".repeat(200_000)] {
            let clean = sanitise_html(&bomb);
            assert!(clean.len() <= bomb.len(), "{} -> {}", bomb.len(), clean.len());
            assert_eq!(sanitise_html(&clean), clean);
        }
    }

    #[test]
    fn long_ordinary_mail_keeps_its_markup() {
        let row = "<tr><td><font face=a size=2 color=red><span><b>cell</b></span></font></td></tr>";
        let mail = format!("<div><div><table>{}</table></div></div>", row.repeat(10_000));
        assert!(sanitise_html(&mail).starts_with("<div><div><table><tbody><tr><td><span><b>cell"));
    }

    const FRAGMENTS: [&str; 34] = [
        "<p>",
        "</p>",
        "<b>",
        "</b>",
        "<a href='https://a.example'>",
        "</a>",
        "<table>",
        "<tr>",
        "<td>",
        "</table>",
        "<svg>",
        "</svg>",
        "<math>",
        "<mtext>",
        "<style>",
        "</style>",
        "<script>",
        "</script>",
        "<select>",
        "<option>",
        "<button>",
        "</button>",
        "<form>",
        "<ul>",
        "<li>",
        "<img src=x>",
        "<pre>\n",
        "<template>",
        "<title>",
        "&lt;",
        "&amp;lt;",
        "text ",
        "\u{a0}",
        "<!-- -->",
    ];

    proptest! {
        #[test]
        fn sanitising_twice_changes_nothing(text in ".{0,60}") {
            let clean = sanitise_html(&text);
            prop_assert_eq!(sanitise_html(&clean), clean);
        }

        #[test]
        fn sanitising_twice_changes_nothing_in_tag_soup(picks in proptest::collection::vec(0..FRAGMENTS.len(), 0..30)) {
            let soup: String = picks.into_iter().map(|i| FRAGMENTS[i]).collect();
            let clean = sanitise_html(&soup);
            prop_assert!(!clean.contains("<script") && !clean.contains("<style"));
            prop_assert_eq!(sanitise_html(&clean), clean);
        }
    }
}
