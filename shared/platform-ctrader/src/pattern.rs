//! Patterns of fields: what browsers and we understand alike, matched in time linear in the subject.
//!
//! A pattern becomes a complete automaton, so that a search is one step of a table per byte, whatever the pattern. Only a
//! common subset of RE2 and of a browser's `RegExp` with the flag `u` is taken: `\d` and `\w` are those of ASCII, and what the
//! two would read differently (flags, `\b`, `\D`, sets within sets) is refused.

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::{Input, MatchKind};
use regex_syntax::Parser;

/// Longest pattern, in bytes.
const MAX_PATTERN: usize = 256;

/// Largest compiled pattern, in bytes, and what is made on the way to it.
const MAX_COMPILED: usize = 1 << 18;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(dense::DFA<Vec<u32>>);

impl Pattern {
    /// Compiles a pattern; the error says what is wrong with it.
    pub(crate) fn compile(pattern: &str) -> Result<Self, &'static str> {
        if pattern.len() > MAX_PATTERN {
            return Err("is longer than 256 bytes");
        }
        let parsed = Parser::new().parse(&in_common(pattern)?).map_err(|_| "is no regular expression that is understood")?;
        let states = thompson::Config::new().nfa_size_limit(Some(MAX_COMPILED)).which_captures(thompson::WhichCaptures::None);
        let states = thompson::Compiler::new().configure(states).build_from_hir(&parsed).map_err(|_| TOO_LARGE)?;
        let table = dense::Config::new()
            .match_kind(MatchKind::LeftmostFirst)
            .start_kind(StartKind::Unanchored)
            .dfa_size_limit(Some(MAX_COMPILED))
            .determinize_size_limit(Some(MAX_COMPILED));
        dense::Builder::new().configure(table).build_from_nfa(&states).map(Self).map_err(|_| TOO_LARGE)
    }

    /// Whether it is found in the subject.
    pub(crate) fn is_in(&self, subject: &str) -> bool {
        self.0.try_search_fwd(&Input::new(subject).earliest(true)).is_ok_and(|found| found.is_some())
    }
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
            assert_eq!(Pattern::compile(pattern).unwrap().is_in(subject), is_found, "{pattern} in {subject}");
        }
    }

    #[test]
    fn what_browsers_read_otherwise_is_refused() {
        for pattern in
            [r"\bword", r"\D", r"\p{L}", "(?i)a", "(?<=a)b", "(?P<a>b)", "[a[b]]", "[a&&b]", "(", r"(a)\1", r"\x41", "a{9999}"]
        {
            assert!(Pattern::compile(pattern).is_err(), "{pattern}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

        #[test]
        fn no_pattern_and_no_subject_panics(pattern in ".{0,40}", subject in ".{0,200}") {
            if let Ok(pattern) = Pattern::compile(&pattern) {
                pattern.is_in(&subject);
            }
        }
    }
}
