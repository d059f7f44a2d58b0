//! The rules of waiting (5.1 row 14): what the system says, and where it turns to, while nobody is free.
//!
//! Nothing is remembered of a rule. What is due follows from the instant since which the visitor waits and the stretch of
//! time that is looked at: as the stretches of two looks never overlap and leave nothing out, each firing is found once,
//! however late a look comes. Of several firings of one rule in one stretch only the last is found: nobody is told three
//! times at once that it takes a little longer.

use std::time::Duration;

use model::EpochMillis;
use serde::Deserialize;

use crate::SentenceKind;
use crate::texts::{ConfigError, Target, Texts};

/// The most rules of a gateway.
const MOST_RULES: usize = 20;
/// The longest wait a rule speaks of, in seconds: a day.
const LONGEST_WAIT: u64 = 86_400;
/// The shortest pause between two firings, in seconds: that between two looks.
const SHORTEST_PAUSE: u64 = 10;

/// A rule of waiting. Configured as `{"after": seconds, "every": seconds?, "note" or "panel": texts}` or
/// `{"after": seconds, "hand_over": desk}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RuleText")]
pub struct WaitingRule {
    /// After how long a wait.
    after: Duration,
    /// What then.
    then: Then,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Then {
    Say { kind: SentenceKind, text: Texts, every: Option<Duration> },
    HandOver(Target),
}

/// The rules of waiting of a gateway, checked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "Vec<WaitingRule>")]
pub struct WaitingRules(Vec<WaitingRule>);

/// Something that a rule says now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saying<'a> {
    /// Which rule, from 0.
    pub rule: u64,
    /// When it was to be said. Together with the rule unique among everything that is said of one wait.
    pub at: EpochMillis,
    /// A note or a panel.
    pub kind: SentenceKind,
    /// What it says.
    pub text: &'a Texts,
}

impl WaitingRules {
    /// What is to be said to a visitor who waits since `from`: whatever became due after `seen` and not after `now`, oldest
    /// first.
    #[must_use]
    pub fn sayings(&self, from: EpochMillis, seen: EpochMillis, now: EpochMillis) -> Vec<Saying<'_>> {
        let due = (0..).zip(&self.0).filter_map(|(rule, WaitingRule { after, then })| {
            let Then::Say { kind, text, every } = then else { return None };
            let at = last_firing(from.plus(*after), *every, now)?;
            (at > seen).then_some(Saying { rule, at, kind: *kind, text })
        });
        let mut due: Vec<_> = due.collect();
        due.sort_by_key(|saying| (saying.at, saying.rule));
        due
    }

    /// The desk to which a visitor who waits since `from` belongs by `now`; `None` leaves them where they are. Unlike a
    /// sentence it does not pass: a chat that was being offered to somebody when its time came goes there afterwards.
    #[must_use]
    pub fn desk(&self, from: EpochMillis, now: EpochMillis) -> Option<&Target> {
        let over = self.0.iter().filter(|rule| from.plus(rule.after) <= now);
        let given = over.filter_map(|rule| match &rule.then {
            Then::HandOver(target) => Some((rule.after, target)),
            Then::Say { .. } => None,
        });
        given.max_by_key(|(after, _)| *after).map(|(_, target)| target)
    }

    /// The desks that they give chats to, each with the place of its rule, from 0.
    pub fn targets(&self) -> impl Iterator<Item = (usize, &Target)> {
        self.0.iter().enumerate().filter_map(|(place, rule)| match &rule.then {
            Then::HandOver(target) => Some((place, target)),
            Then::Say { .. } => None,
        })
    }
}

/// The last of the firings `first`, `first + every`, ... that is not after `now`.
fn last_firing(first: EpochMillis, every: Option<Duration>, now: EpochMillis) -> Option<EpochMillis> {
    if now < first {
        return None;
    }
    let Some(pause) = every.map(|every| every.as_millis()).filter(|pause| *pause > 0) else { return Some(first) };
    let passed = now.since(first).as_millis() / pause * pause;
    Some(first.plus(Duration::from_millis(u64::try_from(passed).unwrap_or(u64::MAX))))
}

/// As it is configured.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    after: u64,
    #[serde(default)]
    every: Option<u64>,
    #[serde(default)]
    note: Option<Texts>,
    #[serde(default)]
    panel: Option<Texts>,
    #[serde(default)]
    hand_over: Option<Target>,
}

impl TryFrom<RuleText> for WaitingRule {
    type Error = ConfigError;

    fn try_from(text: RuleText) -> Result<Self, ConfigError> {
        let RuleText { after, every, note, panel, hand_over } = text;
        if !(1..=LONGEST_WAIT).contains(&after) {
            return Err(ConfigError::new(format!("after is not 1 to {LONGEST_WAIT} seconds")));
        }
        if every.is_some_and(|every| !(SHORTEST_PAUSE..=LONGEST_WAIT).contains(&every)) {
            return Err(ConfigError::new(format!("every is not {SHORTEST_PAUSE} to {LONGEST_WAIT} seconds")));
        }
        let every = every.map(Duration::from_secs);
        let then = match (note, panel, hand_over) {
            (Some(text), None, None) => Then::Say { kind: SentenceKind::Note, text, every },
            (None, Some(text), None) => Then::Say { kind: SentenceKind::Panel, text, every },
            (None, None, Some(_)) if every.is_some() => return Err(ConfigError::new("every is of no use with hand_over")),
            (None, None, Some(target)) if target == Target::default() => {
                return Err(ConfigError::new("hand_over names neither a desk nor a project"));
            }
            (None, None, Some(target)) => Then::HandOver(target),
            _ => return Err(ConfigError::new("a rule has not one of note, panel and hand_over")),
        };
        Ok(Self { after: Duration::from_secs(after), then })
    }
}

impl TryFrom<Vec<WaitingRule>> for WaitingRules {
    type Error = ConfigError;

    fn try_from(rules: Vec<WaitingRule>) -> Result<Self, ConfigError> {
        if rules.len() > MOST_RULES {
            return Err(ConfigError::new(format!("there are more than {MOST_RULES} rules of waiting")));
        }
        Ok(Self(rules))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const START: EpochMillis = EpochMillis::new(1_767_225_600_000);

    fn after(seconds: u64) -> EpochMillis {
        START.plus(Duration::from_secs(seconds))
    }

    fn rules(value: Value) -> Result<WaitingRules, String> {
        serde_json::from_value(value).map_err(|e| e.to_string())
    }

    fn patient() -> WaitingRules {
        rules(json!([
            {"after": 30, "every": 60, "note": "Please wait"},
            {"after": 30, "panel": "<p>"},
            {"after": 120, "hand_over": "vcita/demo"},
            {"after": 60, "hand_over": {"project": "help"}}
        ]))
        .unwrap()
    }

    /// What is said between two looks: when, in seconds of waiting, and what.
    fn said(seen: u64, now: u64) -> Vec<(u64, String)> {
        let rules = patient();
        let sayings = rules.sayings(START, after(seen), after(now));
        sayings.iter().map(|s| (s.at.since(START).as_secs(), s.text.of(None).to_owned())).collect()
    }

    #[test]
    fn rule_speaks_when_its_time_has_come_and_again_after_its_pause() {
        assert_eq!(said(0, 29), []);
        assert_eq!(said(20, 30), [(30, "Please wait".to_owned()), (30, "<p>".to_owned())]);
        assert_eq!(said(30, 40), []);
        assert_eq!(said(80, 90), [(90, "Please wait".to_owned())]);
        assert_eq!(said(140, 151), [(150, "Please wait".to_owned())]);
    }

    #[test]
    fn late_look_says_the_newest_once() {
        assert_eq!(said(0, 3_000), [(30, "<p>".to_owned()), (2_970, "Please wait".to_owned())]);
    }

    #[test]
    fn longest_wait_that_is_over_decides_the_desk() {
        let rules = patient();
        let desk = |seconds| rules.desk(START, after(seconds)).map(|t| (t.desk.is_some(), t.skill.is_some()));
        assert_eq!((desk(59), desk(60), desk(119)), (None, Some((false, true)), Some((false, true))));
        assert_eq!(desk(120), Some((true, false)));
        assert_eq!(rules.targets().count(), 2);
    }

    #[test]
    fn broken_rule_is_refused_with_the_reason() {
        let many: Vec<_> = (0..21).map(|_| json!({"after": 1, "note": "x"})).collect();
        for (value, rule) in [
            (json!([{"after": 0, "note": "x"}]), "after is not 1 to 86400 seconds"),
            (json!([{"after": 86_401, "note": "x"}]), "after is not 1 to 86400 seconds"),
            (json!([{"after": 1, "every": 9, "note": "x"}]), "every is not 10 to 86400 seconds"),
            (json!([{"after": 1}]), "a rule has not one of note, panel and hand_over"),
            (json!([{"after": 1, "note": "x", "panel": "y"}]), "a rule has not one of note, panel and hand_over"),
            (json!([{"after": 1, "every": 10, "hand_over": "vcita/demo"}]), "every is of no use with hand_over"),
            (json!([{"after": 1, "hand_over": {}}]), "hand_over names neither a desk nor a project"),
            (json!(many), "there are more than 20 rules of waiting"),
        ] {
            assert_eq!(rules(value.clone()).unwrap_err(), rule, "{value}");
        }
        assert!(rules(json!([{"after": 1, "text": "x"}])).unwrap_err().contains("text"));
    }

    proptest! {
        #[test]
        fn every_firing_is_found_once_however_the_looks_come(mut looks in prop::collection::vec(0_u64..600, 1..40)) {
            looks.sort_unstable();
            let mut seen = 0;
            let mut found = Vec::new();
            for now in looks {
                found.extend(said(seen, now).into_iter().map(|(at, text)| (at, text, now)));
                seen = now;
            }
            for (at, text, now) in &found {
                prop_assert!(at <= now);
                prop_assert_eq!(found.iter().filter(|(a, t, _)| a == at && t == text).count(), 1);
            }
            prop_assert_eq!(found.iter().filter(|(_, text, _)| text == "<p>").count(), usize::from(seen >= 30));
        }
    }
}
