//! Text on its way into a page (8.2): the only place where it is encoded.

use serde::Serialize;

/// Text in which nothing is markup any more. Only [`encode`] makes one, so that a model which asks for it cannot be given
/// raw text, and text cannot be encoded twice unnoticed.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct HtmlText(String);

impl HtmlText {
    /// The encoded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for HtmlText {
    /// The length only: it is what somebody said.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HtmlText({} bytes)", self.0.len())
    }
}

/// Encodes the five characters that mean something in HTML, in content as in quoted attributes. To be done each time a
/// text goes to a browser and never on the way in: agents and connectors would see entities (8.2).
#[must_use]
pub fn encode(text: &str) -> HtmlText {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    HtmlText(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_five_characters_are_encoded_and_nothing_else() {
        assert_eq!(encode(r#"<a href="x" title='y'>&amp;"#).as_str(), "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;amp;");
        assert_eq!(encode("Žluť 🙂\n`=\u{0}").as_str(), "Žluť 🙂\n`=\u{0}");
        assert_eq!(encode("").as_str(), "");
    }

    #[test]
    fn script_of_a_stranger_is_text() {
        assert_eq!(encode("<script>alert(1)</script>").as_str(), "&lt;script&gt;alert(1)&lt;/script&gt;");
    }

    #[test]
    fn encoded_text_is_a_plain_json_string() {
        assert_eq!(serde_json::to_string(&encode("a<b")).unwrap(), r#""a&lt;b""#);
    }

    proptest! {
        #[test]
        fn encoded_text_holds_no_markup_and_loses_nothing(text in "(?s)[<>&\"'a;#l]{0,20}|(?s).{0,40}") {
            let encoded = encode(&text);
            prop_assert!(!encoded.as_str().contains(['<', '>', '"', '\'']));
            let decoded = ["&lt;", "&gt;", "&quot;", "&#39;", "&amp;"]
                .iter()
                .zip(["<", ">", "\"", "'", "&"])
                .fold(encoded.as_str().to_owned(), |text, (entity, c)| text.replace(entity, c));
            prop_assert_eq!(decoded, text);
        }
    }
}
