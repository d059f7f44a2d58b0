//! Answers of a filled-in form, as they are stored beside a chat (4.3).

use std::fmt;

use model::EpochMillis;
use serde::{Deserialize, Serialize};

/// One answer of a filled-in form. Which of its values is given depends on the type of the control.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FormAnswer {
    /// The control, by its id in the form.
    pub control: String,
    /// Whole number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// Text. Personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Decimal number, exact: its digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal: Option<String>,
    /// Point in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<EpochMillis>,
    /// Where the form says the answer belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

impl fmt::Debug for FormAnswer {
    /// The control only: the rest is about a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormAnswer").field("control", &self.control).finish_non_exhaustive()
    }
}

/// Merges the answers of a form that is filled in again into those given before (5.1 row 6): a control that is answered
/// now has its new answers alone, every other keeps what it had.
#[must_use]
pub fn merge_answers(before: Vec<FormAnswer>, now: Vec<FormAnswer>) -> Vec<FormAnswer> {
    let is_kept = |answer: &FormAnswer| !now.iter().any(|new| new.control == answer.control);
    let mut merged: Vec<_> = before.into_iter().filter(is_kept).collect();
    merged.extend(now);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(control: &str, number: i64) -> FormAnswer {
        FormAnswer { control: control.to_owned(), number: Some(number), ..FormAnswer::default() }
    }

    #[test]
    fn row_6_new_answers_replace_those_of_their_controls_only() {
        let before = vec![answer("name", 1), answer("topics", 2), answer("topics", 3)];
        let merged = merge_answers(before, vec![answer("topics", 4), answer("age", 5)]);
        assert_eq!(merged, [answer("name", 1), answer("topics", 4), answer("age", 5)]);
        assert_eq!(merge_answers(vec![answer("name", 1)], Vec::new()), [answer("name", 1)]);
    }

    #[test]
    fn answer_is_not_shown_in_debug_output() {
        let secret = FormAnswer { control: "mail".into(), text: Some("eva@demo.example".into()), ..FormAnswer::default() };
        assert!(!format!("{secret:?}").contains("eva"));
    }
}
