//! Regular expressions of administrators, matched against what strangers send (8.3).
//!
//! The engine searches in time linear in the subject, whatever the pattern: it has no backtracking, and refuses what would
//! need it (look-around, back-references). Patterns are .NET's, and most are the same here: unanchored, case-sensitive,
//! `(?i)` honoured, `\d`, `\w` and `\b` of Unicode. What differs: `$` is the very end only, not before a last line break;
//! `&&`, `--`, `~~` and an inner `[` mean something within a class and need a backslash; of `\p` there are the general
//! categories (`\p{Lu}`) but no blocks. `\w` is a large class, so `\w{50}` is over the limit of size where `[a-z]{50}` is not.

use regex::{Regex, RegexBuilder};

use super::Problem;
use crate::notation::{beginning, utf16_len};

/// Longest pattern, in UTF-16 units.
pub(super) const MAX_PATTERN: usize = 1_024;
/// Largest compiled pattern, in bytes.
const MAX_COMPILED: usize = 1 << 20;
/// Memory that the states met so far may take per pattern, in bytes; when it is full the engine starts afresh, or falls
/// back to a slower one that keeps none. The usual 2 MiB, times three patterns of 200 rules, is more than a function has.
const MAX_STATES: usize = 1 << 16;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Regex);

impl Pattern {
    pub(super) fn compile(pattern: &str) -> Result<Self, Problem> {
        if utf16_len(pattern) > MAX_PATTERN {
            return Err(Problem::PatternTooLong);
        }
        let built = RegexBuilder::new(pattern).size_limit(MAX_COMPILED).dfa_size_limit(MAX_STATES).build();
        built.map(Self).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => Problem::PatternTooLarge,
            // The last line says what is wrong; those before draw where.
            other => Problem::Pattern(other.to_string().lines().last().unwrap_or_default().to_owned()),
        })
    }

    /// Whether it is found in the first `limit` UTF-16 units of the subject.
    pub(super) fn is_in(&self, subject: &str, limit: usize) -> bool {
        self.0.is_match(beginning(subject, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in(pattern: &str, subject: &str) -> bool {
        Pattern::compile(pattern).unwrap().is_in(subject, usize::MAX)
    }

    fn problem(pattern: &str) -> Problem {
        Pattern::compile(pattern).unwrap_err()
    }

    #[test]
    fn search_is_unanchored_and_case_sensitive() {
        assert!(is_in("shop", "https://shop.example/"));
        assert!(!is_in("Shop", "https://shop.example/"));
        assert!(!is_in("^shop", "https://shop.example/"));
        assert!(is_in("(?i)SHOP", "https://shop.example/"));
        assert!(is_in("(?i)KOŠÍK", "košík"));
    }

    #[test]
    fn classes_are_those_of_unicode() {
        assert!(is_in(r"^\w+$", "žluťoučký"));
        assert!(is_in(r"^\d\s\p{Lu}\b", "٣ Ž"));
        assert!(is_in(r"(?<word>\p{L}+)", "ž"));
    }

    #[test]
    fn pattern_up_to_1024_units_is_taken() {
        assert!(Pattern::compile(&"ž".repeat(1_024)).is_ok());
        assert_eq!(problem(&"ž".repeat(1_025)), Problem::PatternTooLong);
        assert_eq!(problem(&"🙂".repeat(513)), Problem::PatternTooLong);
    }

    #[test]
    fn pattern_that_compiles_to_more_than_1_mib_is_refused() {
        for pattern in ["(?:a{1000}){1000}", r"(?:\w{100}){100}", "((a{100}){100}){100}", r"(?i)\p{L}{900}"] {
            assert_eq!(problem(pattern), Problem::PatternTooLarge, "{pattern}");
        }
        assert!(Pattern::compile("(?:a{100}){10}").is_ok());
    }

    #[test]
    fn what_needs_backtracking_is_refused() {
        for pattern in [r"(a)\1", "(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", "(?>a)"] {
            assert!(matches!(problem(pattern), Problem::Pattern(_)), "{pattern}");
        }
        assert_eq!(
            problem("(?!a)"),
            Problem::Pattern("error: look-around, including look-ahead and look-behind, is not supported".to_owned())
        );
    }

    #[test]
    fn malformed_pattern_is_refused() {
        for pattern in ["(", "[", "a{2,1}", "*", r"\p{Lx}", &"(".repeat(1_024)] {
            assert!(matches!(problem(pattern), Problem::Pattern(_)), "{pattern}");
        }
    }

    /// No clock here: that these end at all on a subject of 64 KB shows that nothing backtracks (2^65536 steps), and the
    /// tests above that nothing that could is compiled.
    #[test]
    fn hostile_patterns_end_on_64_kb() {
        let subject = "a".repeat(65_536) + "!";
        for pattern in
            ["(a+)+$", "(.*)*x", "(a|a)+$", "(a|aa)+$", "(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(a*)*b", "(?:a?){30}a{30}b"]
        {
            assert!(!is_in(pattern, &subject), "{pattern}");
        }
        assert!(is_in("(a+)+!$", &subject));
    }

    #[test]
    fn only_the_beginning_of_a_subject_is_searched() {
        let pattern = Pattern::compile("x").unwrap();
        assert!(pattern.is_in("aax", 3));
        assert!(!pattern.is_in("aaax", 3));
        assert!(!Pattern::compile("a$").unwrap().is_in("", 0));
    }
}
