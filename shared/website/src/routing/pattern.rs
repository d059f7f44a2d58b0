//! Regular expressions of administrators, matched against what strangers send (8.3).
//!
//! A pattern becomes a complete automaton when the rules are compiled: a search then is one step of a table per byte of the
//! subject, whatever the pattern and whatever the subject. "Linear in the subject" alone is not enough: an engine that
//! follows the states of a pattern one by one takes seconds for some that are within every limit of length. What would
//! need backtracking (look-around, back-references) is refused.
//!
//! Patterns are .NET's, and most are the same here: unanchored, case-sensitive, `(?i)` honoured, `\d` and `\w` of Unicode.
//! What differs: `\b` knows the word characters of ASCII only; `$` is the very end only, not before a last line break; `&&`,
//! `--`, `~~` and an inner `[` mean something within a class and need a backslash; of `\p` there are the general categories
//! (`\p{Lu}`) but no blocks. `\w` is a large class, so `\w{6}` is over the limit of size where `[a-z]{50}` is not.

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::{Input, MatchKind};
use regex_syntax::Parser;
use regex_syntax::hir::{Capture, Hir, HirKind, Look, Repetition};

use super::Problem;
use crate::notation::utf16_len;

/// Longest pattern, in UTF-16 units.
pub(super) const MAX_PATTERN: usize = 1_024;
/// Largest compiled pattern, in bytes. What is made on the way to it may not be larger either.
pub(super) const MAX_COMPILED: usize = 1 << 20;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern(dense::DFA<Vec<u32>>);

impl Pattern {
    pub(super) fn compile(pattern: &str) -> Result<Self, Problem> {
        if utf16_len(pattern) > MAX_PATTERN {
            return Err(Problem::PatternTooLong);
        }
        let parsed = Parser::new().parse(pattern).map_err(|error| {
            // The last line says what is wrong; those before draw where.
            Problem::Pattern(error.to_string().lines().last().unwrap_or_default().to_owned())
        })?;
        // What is left to go wrong is size.
        let states = thompson::Config::new().nfa_size_limit(Some(MAX_COMPILED)).which_captures(thompson::WhichCaptures::None);
        let states = thompson::Compiler::new().configure(states).build_from_hir(&in_ascii_words(parsed));
        let states = states.map_err(|_| Problem::PatternTooLarge)?;
        let table = dense::Config::new()
            .match_kind(MatchKind::LeftmostFirst)
            .start_kind(StartKind::Unanchored)
            .dfa_size_limit(Some(MAX_COMPILED))
            .determinize_size_limit(Some(MAX_COMPILED));
        let table = dense::Builder::new().configure(table).build_from_nfa(&states);
        table.map(Self).map_err(|_| Problem::PatternTooLarge)
    }

    /// Whether it is found in the subject. A step per byte: the caller says how long that may be.
    pub(super) fn is_in(&self, subject: &str) -> bool {
        let found = self.0.try_search_fwd(&Input::new(subject).earliest(true));
        // There is nothing at which such a search gives up: it has a start, and no boundaries of Unicode words.
        found.is_ok_and(|found| found.is_some())
    }

    /// Memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        self.0.memory_usage()
    }
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
        Pattern::compile(pattern).unwrap().is_in(subject)
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
        assert!(Pattern::compile(&"košík/".chars().cycle().take(1_024).collect::<String>()).is_ok());
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
