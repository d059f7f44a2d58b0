//! Text as HTML.

/// The text as it stands in an element or in a quoted attribute: five characters are written as entities.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_characters_become_entities() {
        assert_eq!(escaped("<a href=\"x\" id='y'>&é"), "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;é");
    }
}
