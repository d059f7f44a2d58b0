//! Regular expressions of administrators, matched against what strangers send (8.3).
//!
//! What would need backtracking (look-around, back-references) is refused.
//!
//! Patterns are .NET's, and most are the same here: unanchored, case-sensitive, `(?i)` honoured, `\d` and `\w` of Unicode.
//! What differs: `\b` knows the word characters of ASCII only; `$` is the very end only, not before a last line break; `&&`,
//! `--`, `~~` and an inner `[` mean something within a class and need a backslash; of `\p` there are the general categories
//! (`\p{Lu}`) but no blocks. `\w` is a large class, so `\w{6}` is over the limit of size where `[a-z]{50}` is not.

use regex_syntax::Parser;
use regex_syntax::hir::{Capture, Hir, HirKind, Look, Repetition};
use text::Pattern;

use super::Problem;
use crate::notation::utf16_len;

/// Longest pattern, in UTF-16 units.
pub(super) const MAX_PATTERN: usize = 1_024;
/// Largest compiled pattern, in bytes. What is made on the way to it may not be larger either.
pub(super) const MAX_COMPILED: usize = 1 << 20;

pub(super) fn compile(pattern: &str) -> Result<Pattern, Problem> {
    if utf16_len(pattern) > MAX_PATTERN {
        return Err(Problem::PatternTooLong);
    }
    let parsed = Parser::new().parse(pattern).map_err(|error| {
        // The last line says what is wrong; those before draw where.
        Problem::Pattern(error.to_string().lines().last().unwrap_or_default().to_owned())
    })?;
    Pattern::of(&in_ascii_words(parsed), MAX_COMPILED).ok_or(Problem::PatternTooLarge)
}

/// The same with boundaries of ASCII words: an automaton cannot look at the whole letter before and after a place.
fn in_ascii_words(hir: Hir) -> Hir {
    match hir.into_kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Class(class) => Hir::class(class),
        HirKind::Look(look) => Hir::look(match look {
            Look::WordUnicode => Look::WordAscii,
            Look::WordUnicodeNegate => Look::WordAsciiNegate,
            Look::WordStartUnicode => Look::WordStartAscii,
            Look::WordEndUnicode => Look::WordEndAscii,
            Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
            Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
            other => other,
        }),
        HirKind::Repetition(repeated) => Hir::repetition(Repetition { sub: Box::new(in_ascii_words(*repeated.sub)), ..repeated }),
        HirKind::Capture(capture) => Hir::capture(Capture { sub: Box::new(in_ascii_words(*capture.sub)), ..capture }),
        HirKind::Concat(parts) => Hir::concat(parts.into_iter().map(in_ascii_words).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.into_iter().map(in_ascii_words).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in(pattern: &str, subject: &str) -> bool {
        compile(pattern).unwrap().is_in(subject)
    }

    fn problem(pattern: &str) -> Problem {
        compile(pattern).unwrap_err()
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
        assert!(is_in(r"^\d\s\p{Lu}$", "٣ Ž"));
        assert!(is_in(r"(?<word>\p{L}+)", "ž"));
    }

    #[test]
    fn boundaries_are_those_of_ascii_words() {
        for (pattern, subject, is_found) in [
            (r"\bvip\b", "a vip guest", true),
            (r"\bvip\b", "vips", false),
            (r"\bvip\b", "žvipž", true),
            (r"(x|\Bvip)+", "svip", true),
            (r"\b{start}vip\b{end}", "vip", true),
            (r"(?:\b{start-half}v)ip\b{end-half}", "vip", true),
        ] {
            assert_eq!(is_in(pattern, subject), is_found, "{pattern} in {subject}");
        }
    }

    #[test]
    fn pattern_up_to_1024_units_is_taken() {
        assert!(compile(&"košík/".chars().cycle().take(1_024).collect::<String>()).is_ok());
        assert_eq!(problem(&"ž".repeat(1_025)), Problem::PatternTooLong);
        assert_eq!(problem(&"🙂".repeat(513)), Problem::PatternTooLong);
    }

    #[test]
    fn pattern_that_compiles_to_more_than_1_mib_is_refused() {
        for pattern in [
            "(?:a{1000}){1000}",
            r"(?:\w{100}){100}",
            "((a{100}){100}){100}",
            r"(?i)\p{L}{900}",
            // Small, until every set of its states is a state of the automaton.
            "[ab]*a[ab]{16}x",
            "((((a?){10}){10}){10}){3}b",
            "(?:a{0,1000}){3}x",
        ] {
            assert_eq!(problem(pattern), Problem::PatternTooLarge, "{pattern}");
        }
        assert!(compile("(?:a{100}){10}").is_ok());
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
    /// tests above that nothing that could is compiled. What they take is printed by the bench.
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
}
