//! The gate: whether a chat would be answered now (5.6).

use serde::{Deserialize, Serialize};

use crate::Skill;

/// The answer to a visitor who wants to chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    /// Start now.
    Free,
    /// Yes, but expect a wait.
    Busy,
    /// No.
    Closed,
    /// No, and do not advertise it.
    Hidden,
}

impl Signal {
    /// Whether a new chat may be started.
    #[must_use]
    pub const fn admits(self) -> bool {
        match self {
            Self::Free | Self::Busy => true,
            Self::Closed | Self::Hidden => false,
        }
    }
}

/// How a rule looks at a text. A missing text is an empty one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextMatch {
    /// The text is this.
    Is(String),
    /// The text begins with this.
    StartsWith(String),
    /// This is somewhere in the text.
    Contains(String),
}

impl TextMatch {
    fn matches(&self, text: Option<&str>) -> bool {
        let text = text.unwrap_or_default();
        match self {
            Self::Is(all) => text == all,
            Self::StartsWith(beginning) => text.starts_with(beginning),
            Self::Contains(part) => text.contains(part),
        }
    }
}

/// The conditions of a rule of the gate. All that are given must hold. The gateway's address is not among them: rules are
/// kept with the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateWhen {
    /// The gateway's sub-address.
    pub port: Option<TextMatch>,
    /// The visitor's language: `cs` is for `cs-CZ` too, not the other way round (2.2).
    pub culture: Option<String>,
    /// The visitor in an external system.
    pub user_token: Option<TextMatch>,
    /// What external logic found out.
    pub ext_response: Option<TextMatch>,
}

/// What a rule of the gate decides.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateThen {
    /// The signal; `None` leaves it open.
    pub signal: Option<Signal>,
    /// The skill whose agents are counted; `None` leaves it open.
    pub skill: Option<Skill>,
}

/// A rule of the gate.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateRule {
    /// When it applies.
    pub when: GateWhen,
    /// What it decides.
    pub then: GateThen,
}

/// The rules of a gate, by group. Within a group the first that matches applies; the groups follow each other, and a later
/// word stands over an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateRules {
    /// Gateway processing.
    pub gateway: Vec<GateRule>,
    /// Pre-processing.
    pub before: Vec<GateRule>,
    /// Queue determination.
    pub queue: Vec<GateRule>,
    /// Post-processing.
    pub after: Vec<GateRule>,
}

/// What a rule of the gate may look at (5.6).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct GateAsk<'a> {
    /// The gateway's sub-address.
    pub port: Option<&'a str>,
    /// The visitor's language.
    pub culture: Option<&'a str>,
    /// The visitor in an external system.
    pub user_token: Option<&'a str>,
    /// What external logic found out.
    pub ext_response: Option<&'a str>,
}

impl GateWhen {
    fn matches(&self, ask: &GateAsk<'_>) -> bool {
        let fits = |wanted: &Option<TextMatch>, text| wanted.as_ref().is_none_or(|m| m.matches(text));
        fits(&self.port, ask.port)
            && self.culture.as_deref().is_none_or(|wanted| speaks(ask.culture.unwrap_or_default(), wanted))
            && fits(&self.user_token, ask.user_token)
            && fits(&self.ext_response, ask.ext_response)
    }
}

/// Whether the culture `given` is `wanted` or a part of it, subtag by subtag, in any case, `_` as `-` (2.2).
pub(crate) fn speaks(given: &str, wanted: &str) -> bool {
    let mut given = given.split(['-', '_']);
    wanted.split(['-', '_']).all(|subtag| given.next().is_some_and(|g| g.eq_ignore_ascii_case(subtag)))
}

impl GateRules {
    /// What the rules decide.
    #[must_use]
    pub fn evaluate(&self, ask: &GateAsk<'_>) -> GateThen {
        let mut decided = GateThen::default();
        for group in [&self.gateway, &self.before, &self.queue, &self.after] {
            if let Some(GateRule { then, .. }) = group.iter().find(|rule| rule.when.matches(ask)) {
                decided.signal = then.signal.or(decided.signal);
                decided.skill = then.skill.clone().or(decided.skill);
            }
        }
        decided
    }
}

/// How busy a desk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupancy {
    /// Nobody is logged in.
    Nobody,
    /// All are taken.
    Busy,
    /// Somebody is free.
    Free,
}

/// The signal: what the rules decided, else what opening hours and the desk say.
#[must_use]
pub const fn signal(decided: Option<Signal>, is_open: bool, occupancy: Occupancy) -> Signal {
    match (decided, is_open, occupancy) {
        (Some(signal), _, _) => signal,
        (None, false, _) | (None, true, Occupancy::Nobody) => Signal::Closed,
        (None, true, Occupancy::Busy) => Signal::Busy,
        (None, true, Occupancy::Free) => Signal::Free,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_rule_opening_hours_come_first_then_the_desk() {
        for occupancy in [Occupancy::Nobody, Occupancy::Busy, Occupancy::Free] {
            assert_eq!(signal(None, false, occupancy), Signal::Closed);
        }
        assert_eq!(signal(None, true, Occupancy::Nobody), Signal::Closed);
        assert_eq!(signal(None, true, Occupancy::Busy), Signal::Busy);
        assert_eq!(signal(None, true, Occupancy::Free), Signal::Free);
    }

    #[test]
    fn a_rule_stands_over_the_calculation() {
        for decided in [Signal::Free, Signal::Busy, Signal::Closed, Signal::Hidden] {
            assert_eq!(signal(Some(decided), false, Occupancy::Nobody), decided);
        }
    }

    fn rule(when: GateWhen, signal: Option<Signal>, project: Option<&str>) -> GateRule {
        let skill = project.map(|p| Skill { project: p.parse().unwrap(), language: None });
        GateRule { when, then: GateThen { signal, skill } }
    }

    fn vip() -> GateWhen {
        GateWhen { user_token: Some(TextMatch::StartsWith("vip-".into())), ..GateWhen::default() }
    }

    #[test]
    fn the_first_matching_rule_of_a_group_applies_and_later_groups_go_on() {
        let all = GateWhen::default;
        let rules = GateRules {
            gateway: vec![rule(vip(), Some(Signal::Free), None), rule(all(), Some(Signal::Hidden), None)],
            before: vec![],
            queue: vec![rule(vip(), None, Some("gold")), rule(all(), None, Some("rest"))],
            after: vec![rule(
                GateWhen { ext_response: Some(TextMatch::Contains("blocked".into())), ..all() },
                Some(Signal::Closed),
                None,
            )],
        };
        let ask = |user_token, ext_response| rules.evaluate(&GateAsk { user_token, ext_response, ..GateAsk::default() });
        let seen = |then: GateThen| (then.signal, then.skill.map(|s| s.project.to_string()));
        assert_eq!(seen(ask(Some("vip-7"), None)), (Some(Signal::Free), Some("gold".into())));
        assert_eq!(seen(ask(None, None)), (Some(Signal::Hidden), Some("rest".into())));
        assert_eq!(seen(ask(Some("vip-7"), Some("is blocked now"))), (Some(Signal::Closed), Some("gold".into())));
        assert_eq!(GateRules::default().evaluate(&GateAsk::default()), GateThen::default());
    }

    #[test]
    fn every_given_condition_must_hold() {
        let when = GateWhen { culture: Some("cs".into()), port: Some(TextMatch::Is("a".into())), ..vip() };
        let ask = GateAsk { port: Some("a"), culture: Some("cs-CZ"), user_token: Some("vip-1"), ext_response: None };
        assert!(when.matches(&ask));
        assert!(!when.matches(&GateAsk { port: None, ..ask }));
        assert!(!when.matches(&GateAsk { culture: Some("en"), ..ask }));
        assert!(!when.matches(&GateAsk { user_token: Some("VIP-1"), ..ask }));
    }

    #[test]
    fn cultures_match_by_subtag() {
        for (given, wanted, fits) in
            [("cs-CZ", "cs", true), ("CS_cz", "cs-CZ", true), ("cs", "cs-CZ", false), ("csb", "cs", false), ("", "cs", false)]
        {
            assert_eq!(speaks(given, wanted), fits, "{given} {wanted}");
        }
    }

    #[test]
    fn rules_are_read_from_configuration() {
        let text = r#"{"queue":[{"when":{"user_token":{"contains":"x"},"culture":"de"},"then":{"signal":"busy"}}]}"#;
        let rules: GateRules = serde_json::from_str(text).unwrap();
        assert_eq!(rules.queue[0].then.signal, Some(Signal::Busy));
        assert!(serde_json::from_str::<GateRules>(r#"{"queues":[]}"#).is_err());
    }
}
