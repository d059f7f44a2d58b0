//! A long text in parts (section 13, row 6).

use std::collections::{BTreeMap, VecDeque};

use model::{Message, ReceiptStatus};

use crate::{Settings, ids};

/// In front of the longest part's length, in what is kept with a delivery.
const CAP: &str = "text_cap=";

/// What is said to VCS of a message; without a text, its subject.
pub(super) fn said(message: &Message) -> &str {
    let content = &message.content;
    if content.text.is_empty() { content.subject.as_deref().unwrap_or_default() } else { &content.text }
}

/// What is kept with a delivery from its first attempt on, so that a later change of the setting cuts no other parts.
pub(super) fn route(settings: &Settings) -> String {
    format!("{CAP}{}", settings.text_cap)
}

/// The longest part of a delivery that was begun; `None` if it was begun before that was kept.
pub(super) fn fixed_cap(route: Option<&str>) -> Option<usize> {
    route?.strip_prefix(CAP)?.parse().ok()
}

/// The parts in which a message was or is being injected, and how a report about the whole is made of theirs (8.3, step 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentParts(Vec<SentPart>);

/// A part, or the whole if there are no parts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SentPart {
    /// Empty for the whole.
    name: String,
    /// Into what it is cut if VCS finds it too long.
    pieces: Vec<String>,
}

impl SentParts {
    /// The parts of a message. `route` is what the delivery keeps; `settings` say what it would do without.
    #[must_use]
    pub fn of(settings: &Settings, message: &Message, route: Option<&str>) -> Self {
        // The name of a part is that of its uid without the message's.
        let name = |uid: &str| ids::part_name(uid).unwrap_or_default();
        let part = |part: Part| {
            let own = name(&part.uid);
            SentPart { name: own, pieces: cut(part).iter().map(|piece| name(&piece.uid)).collect() }
        };
        let cap = fixed_cap(route).unwrap_or(settings.text_cap);
        Self(parts("", said(message), cap).into_iter().map(part).collect())
    }

    /// Whether there is a part, or a piece of a part, of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|part| part.name == name || part.pieces.iter().any(|piece| piece == name))
    }

    /// What is to be reported of the whole, given what is known of each: a failure as soon as one part has failed, else the
    /// lowest that all have reached. `None` while there is nothing to report.
    #[must_use]
    pub fn receipt(&self, told: &BTreeMap<String, ReceiptStatus>) -> Option<ReceiptStatus> {
        together(self.0.iter().map(|part| {
            let is_cut = part.pieces.iter().any(|piece| told.contains_key(piece));
            if is_cut {
                together(part.pieces.iter().map(|piece| told.get(piece).copied()))
            } else {
                told.get(&part.name).copied()
            }
        }))
    }
}

fn together(statuses: impl Iterator<Item = Option<ReceiptStatus>>) -> Option<ReceiptStatus> {
    let all: Vec<_> = statuses.collect();
    let failure = [ReceiptStatus::Failed, ReceiptStatus::Unreachable].into_iter().find(|failure| all.contains(&Some(*failure)));
    // Their order is that of their ranks; nothing is lower than any.
    failure.or_else(|| all.into_iter().min().flatten())
}

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

    fn sent(text: &str, route: Option<&str>) -> SentParts {
        let settings = serde_json::json!({"business_uid": "b", "channel_uid": "c", "text_cap": 100});
        let account = crate::settings::tests::account(settings);
        let message = Message {
            id: "00112233-4455-8667-9e22-640000000001".parse().unwrap(),
            tenant: "demo".parse().unwrap(),
            author: model::Author::Visitor,
            origin: "frontstage/gw".parse().unwrap(),
            origin_id: "fs-1".to_owned(),
            sent_at: model::EpochMillis::new(0),
            accepted_at: model::EpochMillis::new(0),
            content: model::Content { text: text.to_owned(), html: None, subject: None },
            details: model::MessageDetails::default(),
            memo: model::Memo::new(),
        };
        SentParts::of(&Settings::of(&account).unwrap(), &message, route)
    }

    fn told(statuses: &[(&str, ReceiptStatus)]) -> BTreeMap<String, ReceiptStatus> {
        statuses.iter().map(|(name, status)| ((*name).to_owned(), *status)).collect()
    }

    #[test]
    fn report_about_the_whole_is_the_lowest_that_all_parts_have_reached() {
        use ReceiptStatus::{Delivered, Failed, Read, Sent, Unreachable};
        let parts = sent("aaaabbbbcc", Some("text_cap=4"));
        for (statuses, whole) in [
            (&[][..], None),
            (&[("p1", Read)][..], None),
            (&[("p3", Read), ("p1", Read)][..], None),
            (&[("p1", Read), ("p2", Sent), ("p3", Delivered)][..], Some(Sent)),
            (&[("p1", Read), ("p2", Delivered), ("p3", Delivered)][..], Some(Delivered)),
            (&[("p1", Read), ("p2", Read), ("p3", Read)][..], Some(Read)),
            (&[("p2", Failed)][..], Some(Failed)),
            (&[("p1", Sent), ("p2", Read), ("p3", Failed)][..], Some(Failed)),
            (&[("p1", Unreachable)][..], Some(Unreachable)),
            (&[("p1", Unreachable), ("p2", Failed)][..], Some(Failed)),
        ] {
            assert_eq!(parts.receipt(&told(statuses)), whole, "{statuses:?}");
        }
    }

    #[test]
    fn part_that_was_cut_again_counts_by_its_pieces() {
        use ReceiptStatus::{Delivered, Read};
        let parts = sent("aaaabbbb", Some("text_cap=4"));
        let mut known = told(&[("p1", Read), ("p2_p1", Read)]);
        assert_eq!(parts.receipt(&known), None);
        known.insert("p2_p2".to_owned(), Delivered);
        assert_eq!(parts.receipt(&known), Some(Delivered));
        let whole = sent("aabb", Some("text_cap=4"));
        assert_eq!(whole.receipt(&told(&[("p1", Read)])), None);
        assert_eq!(whole.receipt(&told(&[("p1", Read), ("p2", Read)])), Some(Read));
    }

    #[test]
    fn names_are_those_of_the_uids_that_are_injected() {
        let parts = sent("aaaabbbbcc", Some("text_cap=4"));
        for name in ["p1", "p2", "p3", "p1_p1", "p1_p2", "p3_p2"] {
            assert!(parts.contains(name), "{name}");
        }
        for name in ["p4", "p0", "p1_p3", "p1_p1_p1"] {
            assert!(!parts.contains(name), "{name}");
        }
    }

    #[test]
    fn cap_of_the_first_attempt_stays() {
        assert!(sent("aaaabbbbcc", Some("text_cap=4")).contains("p3"));
        assert!(!sent("aaaabbbbcc", Some("text_cap=9")).contains("p3"));
        assert!(!sent("aaaabbbbcc", None).contains("p3"), "begun before it was kept: the setting of 100");
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
