use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> EpochMillis {
    EpochMillis::new(1_767_225_600_000 + seconds * 1000)
}

fn who(id: &str, provided: Option<&str>, siebel: Option<&str>) -> Identity {
    Identity { id: id.into(), provided: provided.map(str::to_owned), siebel: siebel.map(str::to_owned) }
}

fn ids(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn rule_1_of_the_same_id_more_becomes_known_and_nothing_is_forgotten() {
    let mut visitors = Visitors::default();
    let signed_in = [who("a", None, Some("S-1")), who("a", Some("P-1"), None)];
    assert_eq!(visitors.authorized(&signed_in[0], &signed_in[1], at(0)), Authorized::Known);
    visitors.known("a").1.learn(&who("a", None, Some("S-2")));
    assert_eq!(visitors.authorized(&who("a", None, None), &who("a", None, None), at(1)), Authorized::Known);
    let visitor = visitors.known("a").1.clone();
    assert_eq!((visitor.provided.as_deref(), visitor.siebel.as_deref()), (Some("P-1"), Some("S-2")));
    assert_eq!(visitor.aliases, ids(&[]));
}

#[test]
fn rule_2_anonymous_visitor_becomes_the_known_one_with_all_they_had() {
    let mut visitors = Visitors::default();
    let anonymous = visitors.known("a").1;
    anonymous.visited(Some("session-a"), at(5));
    anonymous.has_chat(1);
    anonymous.channel = Some(Channel { kind: Some("telegram".into()), ..Channel::default() });
    anonymous.without_chat.insert("a".into());
    let known = visitors.known("b").1;
    known.visited(Some("session-b"), at(3));
    known.has_chat(2);
    let old = who("a", None, Some("S-old"));
    assert_eq!(visitors.authorized(&old, &who("b", Some("P-1"), None), at(6)), Authorized::Merged);
    let (id, visitor) = visitors.known("a");
    assert_eq!(id, "b");
    assert_eq!((visitor.provided.as_deref(), visitor.siebel.as_deref()), (Some("P-1"), Some("S-old")));
    assert_eq!(visitor.session.as_ref().map(|seen| seen.id.as_str()), Some("session-a"), "the newer one");
    assert_eq!((visitor.chats.as_slice(), &visitor.aliases, &visitor.without_chat), (&[2, 1][..], &ids(&["a"]), &ids(&["a"])));
    assert_eq!(visitor.channel.as_ref().and_then(|channel| channel.kind.as_deref()), Some("telegram"));
    assert_eq!(visitors.0["a"], Visitor { alias_of: Some("b".into()), ..Visitor::default() });
}

#[test]
fn rule_2_same_id_of_the_customer_is_the_same_person_and_the_new_siebel_id_counts() {
    let mut visitors = Visitors::default();
    let (old, new) = (who("a", Some("P-1"), Some("S-old")), who("b", Some("P-1"), Some("S-new")));
    assert_eq!(visitors.authorized(&old, &new, at(0)), Authorized::Merged);
    assert_eq!(visitors.known("a").1.siebel.as_deref(), Some("S-new"));
}

#[test]
fn rule_3_two_people_at_one_browser_stay_two_and_both_remember_it() {
    let mut visitors = Visitors::default();
    visitors.known("a").1.has_chat(1);
    let (old, new) = (who("a", Some("P-1"), None), who("b", Some("P-2"), None));
    for _ in 0..2 {
        assert_eq!(visitors.authorized(&old, &new, at(7)), Authorized::Switched);
    }
    let switch = vec![Switch { from: "a".into(), to: "b".into(), at: at(7) }];
    assert_eq!((visitors.canonical("a"), visitors.canonical("b")), ("a", "b"));
    assert_eq!((&visitors.0["a"].switches, &visitors.0["b"].switches), (&switch, &switch));
    assert_eq!((visitors.0["a"].chats.as_slice(), visitors.0["b"].chats.as_slice()), (&[1][..], &[][..]));
    assert_eq!((visitors.0["a"].provided.as_deref(), visitors.0["b"].provided.as_deref()), (Some("P-1"), Some("P-2")));
}

#[test]
fn rule_3_counts_what_was_learnt_before_for_null_is_unknown() {
    let mut visitors = Visitors::default();
    visitors.known("a").1.learn(&who("a", Some("P-1"), None));
    assert_eq!(visitors.authorized(&who("a", None, None), &who("b", Some("P-2"), None), at(0)), Authorized::Switched);
    // Of the new one nothing is known: what is not known to be the same is not joined.
    assert_eq!(visitors.authorized(&who("a", None, None), &who("c", None, None), at(0)), Authorized::Switched);
    assert_eq!(visitors.authorized(&who("a", None, None), &who("d", Some("P-1"), None), at(0)), Authorized::Merged);
}

#[test]
fn rule_4_aliases_lead_to_the_last_one_and_never_in_a_circle() {
    let mut visitors = Visitors::default();
    for (old, new) in [("a", "b"), ("b", "c"), ("c", "a"), ("b", "a"), ("c", "b")] {
        visitors.authorized(&who(old, None, None), &who(new, None, None), at(0));
        assert_eq!(visitors.canonical("a"), visitors.canonical("b"));
    }
    assert!(["a", "b", "c"].iter().all(|id| visitors.canonical(id) == "c"));
    assert_eq!(visitors.0["c"].aliases, ids(&["a", "b"]));
}

#[test]
fn rule_5_the_same_once_more_changes_nothing() {
    for (old, new) in [
        (who("a", None, None), who("a", Some("P"), Some("S"))),
        (who("a", None, None), who("b", Some("P"), Some("S"))),
        (who("a", Some("P"), Some("S")), who("b", Some("P"), Some("T"))),
        (who("a", Some("P"), None), who("b", Some("Q"), None)),
    ] {
        let mut visitors = Visitors::default();
        visitors.authorized(&old, &new, at(0));
        let once = visitors.clone();
        visitors.authorized(&old, &new, at(9));
        assert_eq!(visitors, once, "{old:?} {new:?}");
    }
}

#[test]
fn rule_6_an_old_id_that_nobody_knows_leads_to_the_new_one() {
    let mut visitors = Visitors::default();
    assert_eq!(visitors.authorized(&who("late", None, None), &who("b", Some("P"), None), at(0)), Authorized::Merged);
    assert_eq!(visitors.known("late").0, "b");
}

#[test]
fn what_cannot_be_changed_in_one_go_is_not_joined() {
    let mut visitors = Visitors::default();
    for number in 0..80 {
        visitors.authorized(&who(&format!("a{number}"), None, None), &who("b", None, None), at(0));
    }
    assert_eq!(visitors.known("b").1.aliases.len(), 80);
    assert_eq!(visitors.authorized(&who("b", None, None), &who("c", None, None), at(0)), Authorized::Switched);
    assert_eq!(visitors.canonical("a1"), "b");
}

#[test]
fn lists_do_not_grow_for_ever() {
    let mut visitors = Visitors::default();
    let visitor = visitors.known("v").1;
    (0..1_000).for_each(|chat| visitor.has_chat(chat));
    assert_eq!((visitor.chats.len(), visitor.chats[0]), (200, 800));
    for number in 0..100 {
        let other = format!("o{number}");
        visitors.authorized(&who("v", Some("P"), None), &who(&other, Some(&other), None), at(0));
    }
    assert_eq!(visitors.0["v"].switches.len(), 50);
}

fn arb_events() -> impl Strategy<Value = Vec<(usize, usize, Option<u8>, Option<u8>)>> {
    prop::collection::vec((0..6_usize, 0..6_usize, prop::option::of(0..3_u8), prop::option::of(0..3_u8)), 0..12)
}

fn run(events: &[(usize, usize, Option<u8>, Option<u8>)]) -> Visitors {
    let mut visitors = Visitors::default();
    for (old, new, before, after) in events {
        let who = |id: &usize, provided: &Option<u8>| who(&format!("v{id}"), provided.map(|p| format!("P{p}")).as_deref(), None);
        visitors.authorized(&who(old, before), &who(new, after), at(0));
    }
    visitors
}

proptest! {
    /// Whatever is told in whatever order: every alias leads in one step to somebody who is none, who has it among theirs.
    #[test]
    fn aliases_lead_in_one_step_and_back(events in arb_events()) {
        let visitors = run(&events);
        for (id, visitor) in &visitors.0 {
            match &visitor.alias_of {
                Some(canonical) => {
                    prop_assert_eq!(&visitors.0[canonical].alias_of, &None);
                    prop_assert!(visitors.0[canonical].aliases.contains(id));
                }
                None => prop_assert!(visitor.aliases.iter().all(|alias| visitors.0[alias].alias_of.as_ref() == Some(id))),
            }
        }
    }

    /// The last event once more changes nothing.
    #[test]
    fn event_applied_twice_changes_nothing(events in arb_events()) {
        let mut twice = events.clone();
        twice.extend(events.last().copied());
        prop_assert_eq!(run(&twice), run(&events));
    }

    /// A chain of sign-ins of one person comes to the same in any order.
    #[test]
    fn chain_comes_to_the_same_in_any_order(order in Just((0..5_usize).collect::<Vec<_>>()).prop_shuffle(), known_from in 0..6_usize) {
        let provided = |id: usize| (id >= known_from).then_some(1);
        let chain: Vec<_> = order.into_iter().map(|old| (old, old + 1, provided(old), provided(old + 1))).collect();
        let visitors = run(&chain);
        for id in 0..6 {
            let id = format!("v{id}");
            prop_assert_eq!(visitors.canonical(&id), "v5");
        }
        prop_assert_eq!(visitors.0["v5"].aliases.len(), 5);
        let known = (known_from <= 5).then_some("P1");
        prop_assert_eq!(visitors.0["v5"].provided.as_deref(), known);
    }
}
