//! Measuring and cutting text in the units the platforms count in.

use unicode_segmentation::UnicodeSegmentation;

/// Length in UTF-16 code units, the unit of .NET strings and `nvarchar` columns.
#[must_use]
pub fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Cuts `text` to at most `limit` UTF-16 units, the last of which is an ellipsis; `None` when it fits as it is.
///
/// The cut is at a whole character as a reader sees it, or, where one such character alone is too long, at a whole
/// code point: a surrogate pair is never cut.
#[must_use]
pub fn cut_utf16(text: &str, limit: usize) -> Option<String> {
    // A byte is never more than a unit, so most texts need no counting.
    if text.len() <= limit || utf16_len(text) <= limit {
        return None;
    }
    let Some(room) = limit.checked_sub(1) else { return Some(String::new()) };
    let mut cut = take(text.graphemes(true), room);
    if cut.is_empty() {
        cut = take(text.split("").filter(|c| !c.is_empty()), room);
    }
    cut.push('\u{2026}');
    Some(cut)
}

fn take<'a>(pieces: impl Iterator<Item = &'a str>, room: usize) -> String {
    let mut taken = String::new();
    let mut used = 0;
    for piece in pieces {
        used += utf16_len(piece);
        if used > room {
            break;
        }
        taken.push_str(piece);
    }
    taken
}

/// Splits `text` into parts of at most `max_scalars` code points, preferably after white space and never within a
/// character as a reader sees it, unless that character alone is longer than a part. The parts joined are the text; an
/// empty text has none. A limit of zero counts as one.
#[must_use]
pub fn split_scalars(text: &str, max_scalars: usize) -> Vec<String> {
    let max = max_scalars.max(1);
    let mut parts = Vec::new();
    let mut part = String::new();
    // Code points in `part`, and the bytes and code points up to its last white space.
    let mut count = 0;
    let mut after_space: Option<(usize, usize)> = None;
    for grapheme in text.graphemes(true) {
        let size = grapheme.chars().count();
        if count + size > max
            && let Some((bytes, scalars)) = after_space.take()
        {
            let rest = part.split_off(bytes);
            parts.push(std::mem::replace(&mut part, rest));
            count -= scalars;
        }
        if count + size > max {
            if !part.is_empty() {
                parts.push(std::mem::take(&mut part));
            }
            count = 0;
        }
        for c in grapheme.chars() {
            if count == max {
                parts.push(std::mem::take(&mut part));
                count = 0;
            }
            part.push(c);
            count += 1;
        }
        if grapheme.chars().all(char::is_whitespace) {
            after_space = Some((part.len(), count));
        } else if size > max {
            after_space = None;
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

/// Splits what is said into pieces of at most `max` code points: whole sentences, as many together as `aim` has room for; a
/// sentence longer than `max` at white space. What fits into one piece stays whole. No piece begins or ends with white space, and
/// none is empty.
#[must_use]
pub fn split_message(text: &str, aim: usize, max: usize) -> Vec<String> {
    let text = text.trim();
    if text.chars().count() <= max {
        return if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
    }
    let mut pieces: Vec<String> = Vec::new();
    let mut piece = String::new();
    for sentence in text.split_sentence_bounds() {
        let is_short = sentence.trim().chars().count() <= max;
        let parts = if is_short { vec![sentence.to_owned()] } else { split_scalars(sentence, aim.min(max)) };
        for part in parts {
            if !piece.trim().is_empty() && piece.chars().count() + part.trim_end().chars().count() > aim {
                pieces.push(piece.trim().to_owned());
                piece.clear();
            }
            piece.push_str(&part);
        }
    }
    pieces.push(piece.trim().to_owned());
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn length_counts_units_of_utf16() {
        assert_eq!(utf16_len(""), 0);
        assert_eq!(utf16_len("žluťoučký"), 9);
        assert_eq!(utf16_len("🙂"), 2);
    }

    #[test]
    fn cut_ends_with_an_ellipsis_at_a_whole_character() {
        assert_eq!(cut_utf16("abcd", 4), None);
        assert_eq!(cut_utf16("žžžž", 4), None);
        assert_eq!(cut_utf16("abcde", 4).as_deref(), Some("abc…"));
        // The pair of 🙂 would need units 3 and 4; the fourth is the ellipsis.
        assert_eq!(cut_utf16("ab🙂cd", 4).as_deref(), Some("ab…"));
        // A family is one character of eleven units.
        assert_eq!(cut_utf16("a👨‍👩‍👧‍👦b", 9).as_deref(), Some("a…"));
        assert_eq!(cut_utf16("👨‍👩‍👧‍👦", 4).as_deref(), Some("👨\u{200d}…"));
        assert_eq!(cut_utf16("🙂", 1).as_deref(), Some("…"));
        assert_eq!(cut_utf16("a", 0).as_deref(), Some(""));
    }

    #[test]
    fn split_prefers_white_space() {
        assert_eq!(split_scalars("", 5), Vec::<String>::new());
        assert_eq!(split_scalars("abc", 5), ["abc"]);
        assert_eq!(split_scalars("one two three", 8), ["one two ", "three"]);
        assert_eq!(split_scalars("one two three", 7), ["one ", "two ", "three"]);
        assert_eq!(split_scalars("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(split_scalars("ab cdefghij", 4), ["ab ", "cdef", "ghij"]);
    }

    #[test]
    fn split_keeps_what_a_reader_sees_as_one() {
        assert_eq!(split_scalars("ab👨‍👩‍👧‍👦c", 8), ["ab", "👨‍👩‍👧‍👦c"]);
        assert_eq!(split_scalars("e\u{301}e\u{301}", 3), ["e\u{301}", "e\u{301}"]);
        assert_eq!(split_scalars("a\r\nb", 2), ["a", "\r\n", "b"]);
        // Longer than a part can be: then code points are the border.
        assert_eq!(split_scalars("👨‍👩‍👧‍👦", 3).concat(), "👨‍👩‍👧‍👦");
    }

    #[test]
    fn message_is_split_at_sentences_then_at_words() {
        assert_eq!(split_message("  One. Two.  ", 5, 20), ["One. Two."]);
        assert_eq!(split_message(" \n", 5, 20), Vec::<String>::new());
        assert_eq!(split_message("One is here. Two is there. Three.", 20, 25), ["One is here.", "Two is there. Three."]);
        // Between aim and limit a sentence stays whole.
        assert_eq!(split_message("It is a longer sentence. Yes.", 10, 25), ["It is a longer sentence.", "Yes."]);
        assert_eq!(split_message("one two three four five", 9, 12), ["one two", "three", "four five"]);
        assert_eq!(split_message("abcdefghijklmnop", 5, 8), ["abcde", "fghij", "klmno", "p"]);
    }

    proptest! {
        #[test]
        fn message_loses_white_space_at_most(text in "(?s)[a-z. !?\r\n🙂\u{301}]{0,80}|(?s).{0,80}", aim in 1usize..12, more in 0usize..12) {
            let max = aim + more;
            let pieces = split_message(&text, aim, max);
            for piece in &pieces {
                prop_assert!(!piece.is_empty() && piece.chars().count() <= max && piece.trim() == piece);
            }
            let words = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(words(&pieces.concat()), words(&text));
        }

        #[test]
        fn cut_is_within_the_limit(text in "(?s).{0,40}", limit in 0usize..50) {
            match cut_utf16(&text, limit) {
                None => prop_assert!(utf16_len(&text) <= limit),
                Some(cut) => {
                    prop_assert!(utf16_len(&cut) <= limit);
                    let kept = cut.strip_suffix('…').unwrap_or(&cut);
                    prop_assert!(text.starts_with(kept) && kept.len() < text.len());
                }
            }
        }

        #[test]
        fn parts_joined_are_the_text(text in "(?s)[ a-z\r\n🙂👨‍👩\u{301}]{0,60}|(?s).{0,60}", max in 0usize..12) {
            let parts = split_scalars(&text, max);
            prop_assert_eq!(parts.concat(), text);
            for part in parts {
                prop_assert!(!part.is_empty() && part.chars().count() <= max.max(1));
            }
        }
    }
}
