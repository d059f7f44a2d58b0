//! Regular expressions of administrators, matched against what strangers send.
//!
//! A pattern becomes a complete automaton: a search then is one step of a table per byte of the subject, whatever the pattern
//! and whatever the subject. "Linear in the subject" alone is not enough: an engine that follows the states of a pattern one by
//! one takes seconds for some that are within every limit of length. Which notation is taken is for those who parse it to say.

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::{Input, MatchKind};
use regex_syntax::hir::Hir;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Pattern(dense::DFA<Vec<u32>>);

impl Pattern {
    /// Compiles what was parsed. `None` if it is larger than `max_compiled` bytes then, or what is made on the way to it is.
    ///
    /// What is left to go wrong of a pattern that was parsed is its size, and boundaries of Unicode words.
    #[must_use]
    pub fn of(parsed: &Hir, max_compiled: usize) -> Option<Self> {
        let states = thompson::Config::new().nfa_size_limit(Some(max_compiled)).which_captures(thompson::WhichCaptures::None);
        let states = thompson::Compiler::new().configure(states).build_from_hir(parsed).ok()?;
        let table = dense::Config::new()
            .match_kind(MatchKind::LeftmostFirst)
            .start_kind(StartKind::Unanchored)
            .dfa_size_limit(Some(max_compiled))
            .determinize_size_limit(Some(max_compiled));
        dense::Builder::new().configure(table).build_from_nfa(&states).ok().map(Self)
    }

    /// Whether it is found in the subject. A step per byte: the caller says how long that may be.
    #[must_use]
    pub fn is_in(&self, subject: &str) -> bool {
        let found = self.0.try_search_fwd(&Input::new(subject).earliest(true));
        // There is nothing at which such a search gives up: it has a start, and no boundaries of Unicode words.
        found.is_ok_and(|found| found.is_some())
    }

    /// Memory it takes, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.memory_usage()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(pattern: &str, max: usize) -> Option<Pattern> {
        Pattern::of(&regex_syntax::parse(pattern).unwrap(), max)
    }

    #[test]
    fn pattern_is_found_anywhere_in_the_subject() {
        let pattern = compiled("[A-Z]{2}", 1 << 18).unwrap();
        assert!(pattern.is_in("xABx") && !pattern.is_in("xAx"));
        assert!(pattern.size() > 0);
    }

    #[test]
    fn pattern_that_becomes_too_large_is_none() {
        assert!(compiled("(?:a{1000}){1000}", 1 << 18).is_none());
        assert!(compiled("a{9}", 16).is_none());
    }
}
