//! Words as they are compared: without case and accents.

use std::ops::Range;

use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;

/// A word of a text: what stands between anything that is neither a letter nor a digit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// As it is compared.
    pub folded: String,
    /// Where it stands in the text, in bytes.
    pub at: Range<usize>,
}

/// The words of a text in their order.
#[must_use]
pub fn words(text: &str) -> Vec<Word> {
    let classes = CanonicalCombiningClassMapBorrowed::new();
    // A mark that combines with a letter belongs to its word.
    let is_part = |c: char| c.is_alphanumeric() || classes.get_u8(c) != 0;
    let mut found = Vec::new();
    let mut rest = 0;
    while let Some(start) = text[rest..].find(is_part).map(|at| rest + at) {
        let end = text[start..].find(|c| !is_part(c)).map_or(text.len(), |length| start + length);
        found.push(Word { folded: fold(&text[start..end]), at: start..end });
        rest = end;
    }
    found.retain(|word| !word.folded.is_empty());
    found
}

/// Without case and accents: decomposed by Unicode's compatibility, without what combines, in lower case.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let classes = CanonicalCombiningClassMapBorrowed::new();
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize(text);
    let mut folded = String::with_capacity(decomposed.len());
    for c in decomposed.chars().filter(|c| classes.get_u8(*c) == 0).flat_map(char::to_lowercase) {
        // Letters that have no decomposition, and that keyboards of their neighbours lack.
        match c {
            'œ' => folded.push_str("oe"),
            'æ' => folded.push_str("ae"),
            'ß' => folded.push_str("ss"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' => folded.push('d'),
            'ı' => folded.push('i'),
            // Lower case may bring a combining mark of its own.
            c if classes.get_u8(c) != 0 => {}
            c => folded.push(c),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_and_accents_do_not_matter() {
        for (text, folded) in [
            ("Électrique", "electrique"),
            ("E\u{301}lectrique", "electrique"),
            ("GROSSE", "grosse"),
            ("Große", "grosse"),
            ("ŒUF", "oeuf"),
        ] {
            assert_eq!(fold(text), folded);
        }
    }

    #[test]
    fn words_know_where_they_stand() {
        let text = "«L'électrique», Nami 17-IX !";
        let found: Vec<_> = words(text).into_iter().map(|word| (word.folded, text[word.at].to_owned())).collect();
        let expected = [("l", "L"), ("electrique", "électrique"), ("nami", "Nami"), ("17", "17"), ("ix", "IX")];
        assert_eq!(found, expected.map(|(folded, spelled)| (folded.to_owned(), spelled.to_owned())));
        assert_eq!(words("e\u{301}te\u{301}")[0].folded, "ete");
        assert!(words(" … \u{301}").is_empty());
    }

    proptest! {
        #[test]
        fn every_text_has_words_at_its_own_places(text in ".{0,80}") {
            let mut end = 0;
            for word in words(&text) {
                prop_assert!(word.at.start >= end && text.get(word.at.clone()).is_some());
                end = word.at.end;
            }
        }
    }
}
