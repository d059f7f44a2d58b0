//! Text to HTML and back.

use crate::sanitise::DROPPED;
use crate::tokens::{Piece, walk};

/// Elements that stand on lines of their own.
const BLOCKS: [&str; 41] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "caption",
    "center",
    "dd",
    "details",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "li",
    "main",
    "menu",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "thead",
    "tr",
    "ul",
];

/// The tags by which text from a vcita staff member is known to be HTML (vcita contract 11.9).
const STAFF_TAGS: [&str; 13] = ["div", "p", "br", "b", "strong", "i", "em", "u", "a", "span", "ul", "ol", "li"];

/// Strips control characters but tab and newline: plain text stays plain, `<` included.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\t' | '\n') || !c.is_control()).collect()
}

/// Encodes text as the content of an HTML element; a newline becomes `<br>`.
#[must_use]
pub fn text_to_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '\n' => html.push_str("<br>"),
            _ if c == '\t' || !c.is_control() => html.push(c),
            _ => {}
        }
    }
    html
}

/// The text of HTML: tags dropped, block boundaries and `br` as newlines, entities decoded, links as `text (url)`.
///
/// White space is folded as a browser folds it, but within `pre`. The content of elements that the sanitiser drops
/// (scripts, styles, frames) is dropped here too. The result is plain text: it may hold `<` and has to be encoded again
/// wherever HTML is wanted.
#[must_use]
pub fn html_to_text(html: &str) -> String {
    let mut writer = Writer::default();
    walk(html, |piece| match piece {
        Piece::Text(text) => writer.text(text),
        Piece::Open(tag) => {
            let href = || tag.attrs.iter().find(|a| &*a.name.local == "href").map(|a| a.value.trim().to_owned());
            writer.open(&tag.name, tag.self_closing, href);
        }
        Piece::Close(name) => writer.close(name),
    });
    writer.finish()
}

#[derive(Default)]
struct Writer {
    out: String,
    /// A white space was seen that is written only if something follows on the same line.
    space: bool,
    preformatted: usize,
    /// The dropped element we are in, and how many of the same name are open.
    dropped: Option<(String, usize)>,
    /// Where the text of the open link starts, and its target.
    link: Option<(usize, String)>,
}

impl Writer {
    fn text(&mut self, text: &str) {
        if self.dropped.is_some() {
            return;
        }
        for c in text.chars() {
            let is_space = matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}');
            if is_space && self.preformatted == 0 {
                self.space = true;
            } else if matches!(c, '\t' | '\n') || !c.is_control() {
                self.flush_space();
                self.out.push(c);
            }
        }
    }

    fn flush_space(&mut self) {
        if std::mem::take(&mut self.space) && !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push(' ');
        }
    }

    fn boundary(&mut self) {
        self.space = false;
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    fn open(&mut self, name: &str, self_closing: bool, href: impl FnOnce() -> Option<String>) {
        if let Some((dropped, depth)) = &mut self.dropped {
            *depth += usize::from(dropped == name && !self_closing);
            return;
        }
        if DROPPED.contains(&name) {
            // Only foreign elements can close themselves; `embed` never has content.
            if name != "embed" && !(self_closing && matches!(name, "svg" | "math")) {
                self.dropped = Some((name.to_owned(), 1));
            }
            return;
        }
        match name {
            "br" => {
                self.space = false;
                self.out.push('\n');
            }
            "td" | "th" => self.space = true,
            "a" => {
                self.end_link();
                self.flush_space();
                self.link = href().map(|target| (self.out.len(), target));
            }
            _ if BLOCKS.contains(&name) => {
                self.boundary();
                self.preformatted += usize::from(name == "pre");
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        if let Some((dropped, depth)) = &mut self.dropped {
            if dropped == name {
                *depth -= 1;
                if *depth == 0 {
                    self.dropped = None;
                }
            }
            return;
        }
        match name {
            "a" => self.end_link(),
            _ if BLOCKS.contains(&name) => {
                self.boundary();
                self.preformatted = self.preformatted.saturating_sub(usize::from(name == "pre"));
            }
            _ => {}
        }
    }

    fn end_link(&mut self) {
        let Some((start, target)) = self.link.take() else { return };
        let scheme = target.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        if !matches!(scheme.as_deref(), Some("http" | "https" | "mailto" | "tel")) {
            return;
        }
        let shown = self.out.get(start..).unwrap_or_default().trim();
        let bare = target.split_once(':').map_or("", |(_, rest)| rest.trim_start_matches('/')).trim_end_matches('/');
        if shown.trim_end_matches('/') == target.trim_end_matches('/') || shown.trim_end_matches('/') == bare {
            return;
        }
        let gap = if shown.is_empty() { "" } else { " " };
        let kept = self.out.trim_end_matches(' ').len().max(start);
        self.out.truncate(kept);
        self.out.push_str(gap);
        self.out.push('(');
        self.out.extend(target.chars().filter(|c| !c.is_control()));
        self.out.push(')');
    }

    fn finish(mut self) -> String {
        self.end_link();
        let end = self.out.trim_end_matches([' ', '\n', '\t']).len();
        self.out.truncate(end);
        let start = self.out.len() - self.out.trim_start_matches('\n').len();
        self.out.split_off(start)
    }
}

/// Whether one of the tags that a staff member's editor writes occurs.
#[must_use]
pub fn looks_like_html(text: &str) -> bool {
    if !text.contains('<') {
        return false;
    }
    let known = |name: &str| STAFF_TAGS.contains(&name);
    let mut found = false;
    walk(text, |piece| match piece {
        Piece::Open(tag) => found |= known(&tag.name),
        Piece::Close(name) => found |= known(name),
        Piece::Text(_) => {}
    });
    found
}

/// Text from a staff member as plain text: HTML is converted if it looks like HTML, anything else is left untouched, so
/// that `a < b && <3` survives.
#[must_use]
pub fn staff_text(text: &str) -> String {
    if looks_like_html(text) { html_to_text(text) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_keeps_tab_newline_and_angle_brackets() {
        assert_eq!(plain("a\tb\nc\r\u{0}\u{1b}[1m\u{85}<b>\u{200f}"), "a\tb\nc[1m<b>\u{200f}");
    }

    #[test]
    fn text_is_encoded_and_newline_is_br() {
        assert_eq!(text_to_html("a < b && \"c\"\n<3\u{7}"), "a &lt; b &amp;&amp; \"c\"<br>&lt;3");
    }

    #[test]
    fn html_becomes_readable_text() {
        let table = [
            ("<div><strong>Hello</strong> there</div><div>you</div>", "Hello there\nyou"),
            ("a<br>b<br/>c", "a\nb\nc"),
            ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
            ("<div>a<br></div><div>b</div>", "a\nb"),
            ("<p>one</p>\n  <p>two</p>", "one\ntwo"),
            ("  a \n  b  ", "a b"),
            ("<pre>a\n  b</pre>c", "a\n  b\nc"),
            ("<ul><li>x</li><li>y</li></ul>", "x\ny"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
            ("see <a href='https://a.example/x'>this</a>.", "see this (https://a.example/x)."),
            ("<a href='https://a.example/'>a.example</a>", "a.example"),
            ("<a href='https://a.example/'>https://a.example</a>", "https://a.example"),
            ("<a href='mailto:eva@demo.example'>eva@demo.example</a>", "eva@demo.example"),
            ("<a href='https://a.example'><img src=x></a>", "(https://a.example)"),
            ("<a href='javascript:alert(1)'>a</a>", "a"),
            ("<a href='https://a.example'>open", "open (https://a.example)"),
            ("a &lt; b &amp;&amp; &#x1F642;&nbsp;c", "a < b && \u{1F642}\u{a0}c"),
            ("<script>var a = '<p>x</p>';</script>b", "b"),
            ("<style>p{}</style><svg><text>x</text></svg><svg/>c", "c"),
            ("<object><object>x</object>y</object>z", "z"),
            ("<!-- x -->a<!doctype html>", "a"),
            ("&lt;script&gt;", "<script>"),
        ];
        for (html, text) in table {
            assert_eq!(html_to_text(html), text, "{html}");
        }
    }

    #[test]
    fn staff_text_without_a_known_tag_is_untouched() {
        for text in ["a < b && <3", "x<y>z", "1 <b", "<3 &amp; more", "  two  spaces ", "<pb>", "<script>x</script>", "a &lt; b"]
        {
            assert_eq!(staff_text(text), text);
        }
    }

    #[test]
    fn staff_text_with_a_known_tag_is_converted() {
        for tag in ["div", "p", "b", "strong", "i", "em", "u", "a", "span", "ul", "ol", "li", "DIV"] {
            assert_eq!(staff_text(&format!("<{tag}>x &amp; y</{tag}>")), "x & y");
        }
        assert_eq!(staff_text("x<br>y"), "x\ny");
        assert_eq!(staff_text("<div><strong>Hi</strong></div>"), "Hi");
    }

    proptest! {
        #[test]
        fn encoded_text_comes_back(words in proptest::collection::vec("[^\\s\\p{C}]{1,8}", 0..8)) {
            let text = words.join(" ");
            prop_assert_eq!(html_to_text(&text_to_html(&text)), text);
        }

        #[test]
        fn conversions_never_panic(text in "(?s).{0,80}") {
            let _ = html_to_text(&text);
            let _ = staff_text(&text);
            let _ = html_to_text(&format!("<a href='{text}'>{text}<pre>{text}</a>"));
        }
    }
}
