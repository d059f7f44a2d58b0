//! A long text in parts (section 13, row 6).

use std::collections::VecDeque;

use crate::ids;

/// A piece of the text under a uid of its own. Text and uid are the same on every attempt.
pub(super) struct Part {
    pub(super) uid: String,
    pub(super) text: String,
    /// It has been cut because VCS found it too long; that happens once.
    is_piece: bool,
}

/// The text in parts of at most `cap` characters; none for an empty text.
pub(super) fn parts(uid: &str, said: &str, cap: usize) -> VecDeque<Part> {
    if said.is_empty() {
        return VecDeque::new();
    }
    let mut texts = text::split_scalars(said, cap);
    if texts.len() == 1 {
        let text = texts.swap_remove(0);
        return VecDeque::from([Part { uid: uid.to_owned(), text, is_piece: false }]);
    }
    let numbered = texts.into_iter().enumerate();
    numbered.map(|(index, text)| Part { uid: ids::part_uid(uid, index + 1), text, is_piece: false }).collect()
}

/// A part that VCS found too long, in halves; itself alone if that has been done before.
pub(super) fn cut(part: Part) -> Vec<Part> {
    if part.is_piece {
        return vec![part];
    }
    let half = part.text.chars().count().div_ceil(2).max(1);
    let texts = text::split_scalars(&part.text, half).into_iter().enumerate();
    texts.map(|(index, text)| Part { uid: ids::part_uid(&part.uid, index + 1), text, is_piece: true }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(parts: impl IntoIterator<Item = Part>) -> Vec<(String, String)> {
        parts.into_iter().map(|part| (part.uid, part.text)).collect()
    }

    #[test]
    fn short_text_is_one_part_under_the_uid_itself() {
        assert_eq!(shown(parts("u", "abcd", 4)), [("u".to_owned(), "abcd".to_owned())]);
        assert!(parts("u", "", 4).is_empty());
    }

    #[test]
    fn part_is_cut_once() {
        let part = parts("u", "abcd", 4).remove(0).unwrap();
        let mut pieces = cut(part);
        assert_eq!(
            pieces.iter().map(|p| (p.uid.as_str(), p.text.as_str())).collect::<Vec<_>>(),
            [("u.p1", "ab"), ("u.p2", "cd")]
        );
        assert_eq!(cut(pieces.remove(0)).len(), 1);
    }

    proptest! {
        #[test]
        fn parts_are_the_whole_text_under_different_uids(said in ".{1,60}", cap in 1usize..20) {
            let parts = shown(parts("u", &said, cap));
            prop_assert_eq!(parts.iter().map(|(_, text)| text.as_str()).collect::<String>(), said);
            let uids: std::collections::BTreeSet<_> = parts.iter().map(|(uid, _)| uid).collect();
            prop_assert_eq!(uids.len(), parts.len());
        }
    }
}
