//! Patterns of fields: what browsers and we understand alike, matched in time linear in the subject.
//!
//! A pattern becomes a complete automaton, so that a search is one step of a table per byte, whatever the pattern. Only a
//! common subset of RE2 and of a browser's `RegExp` with the flag `u` is taken: `\d` and `\w` are those of ASCII, and what the
//! two would read differently (flags, `\b`, `\D`, sets within sets) is refused.

use regex_syntax::Parser;
use text::Pattern;

/// Longest pattern, in bytes.
const MAX_PATTERN: usize = 256;

/// Largest compiled pattern, in bytes, and what is made on the way to it.
const MAX_COMPILED: usize = 1 << 18;

/// Compiles a pattern; the error says what is wrong with it.
pub(crate) fn compile(pattern: &str) -> Result<Pattern, &'static str> {
    if pattern.len() > MAX_PATTERN {
        return Err("is longer than 256 bytes");
    }
    let parsed = Parser::new().parse(&in_common(pattern)?).map_err(|_| "is no regular expression that is understood")?;
    Pattern::of(&parsed, MAX_COMPILED).ok_or(TOO_LARGE)
}

const TOO_LARGE: &str = "is too large when compiled: fewer or shorter repetitions";

/// The pattern in our engine's words.
fn in_common(pattern: &str) -> Result<String, &'static str> {
    let mut common = String::with_capacity(pattern.len());
    let (mut chars, mut is_class) = (pattern.chars().peekable(), false);
    while let Some(char) = chars.next() {
        match (char, is_class) {
            ('\\', _) => match chars.next() {
                Some('d') => common.push_str(if is_class { "0-9" } else { "[0-9]" }),
                Some('w') => common.push_str(if is_class { "A-Za-z0-9_" } else { "[A-Za-z0-9_]" }),
                Some(kept @ ('s' | 't' | 'n' | 'r')) => common.extend(['\\', kept]),
                Some(literal) if literal.is_ascii_punctuation() => common.extend(['\\', literal]),
                _ => return Err("has an escape that browsers and we do not read alike"),
            },
            ('(', false) => {
                common.push('(');
                if chars.peek() == Some(&'?') {
                    chars.next();
                    if chars.next() != Some(':') {
                        return Err("has a group that is neither (...) nor (?:...)");
                    }
                    common.push_str("?:");
                }
            }
            ('[', false) => {
                is_class = true;
                common.push('[');
            }
            (']', true) => {
                is_class = false;
                common.push(']');
            }
            ('[', true) => return Err("has a [ within a class: write \\["),
            ('&' | '-' | '~', true) if chars.peek() == Some(&char) => return Err("has an operation on classes"),
            (other, _) => common.push(other),
        }
    }
    Ok(common)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pattern_is_found_anywhere_unless_it_says_where() {
        for (pattern, subject, is_found) in [
            ("[A-Z]{2}", "xABx", true),
            ("^[A-Z]{2}$", "xABx", false),
            (r"^\d{3}-\w+$", "123-a_9", true),
            (r"^\d{3}$", "١٢٣", false),
            (r"^[\d.]+$", "1.5", true),
            ("^(?:ab|cd)+$", "abcd", true),
            ("^.{2}$", "žž", true),
        ] {
            assert_eq!(compile(pattern).unwrap().is_in(subject), is_found, "{pattern} in {subject}");
        }
    }

    #[test]
    fn what_browsers_read_otherwise_is_refused() {
        for pattern in
            [r"\bword", r"\D", r"\p{L}", "(?i)a", "(?<=a)b", "(?P<a>b)", "[a[b]]", "[a&&b]", "(", r"(a)\1", r"\x41", "a{9999}"]
        {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

        #[test]
        fn no_pattern_and_no_subject_panics(pattern in ".{0,40}", subject in ".{0,200}") {
            if let Ok(pattern) = compile(&pattern) {
                let _ = pattern.is_in(&subject);
            }
        }
    }
}
