//! When a bot is there (section 10.1, B4: "planned opening hours").

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, Zoned};
use model::EpochMillis;
use serde::Deserialize;

use crate::ConfigProblem;
use crate::settings::problem;

/// Opening hours as they are written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HoursText {
    time_zone: String,
    weekly: Vec<SpanText>,
    #[serde(default)]
    closed_on: Vec<String>,
}

/// Hours of some days of the week.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpanText {
    days: Vec<Day>,
    from: String,
    to: String,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl From<Day> for Weekday {
    fn from(day: Day) -> Self {
        match day {
            Day::Mon => Self::Monday,
            Day::Tue => Self::Tuesday,
            Day::Wed => Self::Wednesday,
            Day::Thu => Self::Thursday,
            Day::Fri => Self::Friday,
            Day::Sat => Self::Saturday,
            Day::Sun => Self::Sunday,
        }
    }
}

/// Opening hours, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    zone: TimeZone,
    weekly: Vec<Span>,
    closed_on: Vec<Date>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    days: Vec<Weekday>,
    from: Time,
    /// `None` is the end of the day.
    to: Option<Time>,
}

impl Hours {
    /// Checks what an operator has written for a scenario.
    pub(super) fn of(written: &HoursText, scenario: &str) -> Result<Self, ConfigProblem> {
        let wrong = |what: &str| problem(format!("bot: scenario {scenario}: hours: {what}"));
        let zone =
            TimeZoneDatabase::bundled().get(&written.time_zone).map_err(|_| wrong("time_zone is not of the IANA database"))?;
        if written.weekly.is_empty() {
            return Err(wrong("weekly is empty: it would never be there"));
        }
        let span = |span: &SpanText| {
            let from = time(&span.from).ok_or_else(|| wrong("from is not a time such as 09:00"))?;
            let to = match span.to.as_str() {
                "24:00" => None,
                text => Some(time(text).ok_or_else(|| wrong("to is not a time such as 18:00"))?),
            };
            if to.is_some_and(|to| to <= from) {
                return Err(wrong("to is not after from"));
            }
            if span.days.is_empty() {
                return Err(wrong("days is empty"));
            }
            Ok(Span { days: span.days.iter().map(|day| Weekday::from(*day)).collect(), from, to })
        };
        let weekly = written.weekly.iter().map(span).collect::<Result<_, _>>()?;
        let date = |text: &String| text.parse().map_err(|_| wrong("closed_on holds what is no date such as 2026-12-25"));
        let closed_on = written.closed_on.iter().map(date).collect::<Result<_, _>>()?;
        Ok(Self { zone, weekly, closed_on })
    }

    /// Whether it is there at this instant.
    #[must_use]
    pub fn contain(&self, now: EpochMillis) -> bool {
        let Ok(at) = Timestamp::from_millisecond(now.millis()) else { return false };
        let local = Zoned::new(at, self.zone.clone());
        let (date, time) = (local.date(), local.time());
        let is_within =
            |span: &Span| span.days.contains(&date.weekday()) && span.from <= time && span.to.is_none_or(|to| time < to);
        !self.closed_on.contains(&date) && self.weekly.iter().any(is_within)
    }
}

/// Hours and minutes.
fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| if text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn hours(written: Value) -> Result<Hours, String> {
        let text: HoursText = serde_json::from_value(written).map_err(|error| error.to_string())?;
        Hours::of(&text, "orders").map_err(|error| error.to_string())
    }

    #[test]
    fn bot_is_there_within_its_hours_in_its_zone() {
        let hours = hours(json!({
            "time_zone": "Europe/Paris", "closed_on": ["2026-07-14"],
            "weekly": [{"days": ["mon", "tue"], "from": "09:00", "to": "18:00"}, {"days": ["sat"], "from": "20:00", "to": "24:00"}],
        }))
        .unwrap();
        for (now, is_there) in [
            ("2026-01-05T08:00:00Z", true), // Monday, 09:00 in Paris
            ("2026-01-05T07:59:59Z", false),
            ("2026-01-05T17:00:00Z", false), // 18:00
            ("2026-07-06T07:00:00Z", true),  // 09:00 in summer
            ("2026-07-14T08:00:00Z", false), // Tuesday, closed
            ("2026-01-07T10:00:00Z", false), // Wednesday
            ("2026-01-10T22:59:59Z", true),  // Saturday, 23:59:59
            ("2026-01-10T23:00:00Z", false), // Sunday
        ] {
            assert_eq!(hours.contain(EpochMillis::from_text(now).unwrap()), is_there, "{now}");
        }
    }

    #[test]
    fn wrong_hours_are_refused_by_name() {
        let span = |from: &str, to: &str| json!([{"days": ["mon"], "from": from, "to": to}]);
        for (zone, weekly, closed, named) in [
            ("Middle/Earth", span("09:00", "18:00"), json!([]), "time_zone"),
            ("UTC", json!([]), json!([]), "weekly is empty"),
            ("UTC", span("9:00", "18:00"), json!([]), "from is not"),
            ("UTC", span("09:00", "25:00"), json!([]), "to is not a time"),
            ("UTC", span("18:00", "09:00"), json!([]), "to is not after"),
            ("UTC", json!([{"days": [], "from": "09:00", "to": "18:00"}]), json!([]), "days is empty"),
            ("UTC", json!([{"days": ["monday"], "from": "09:00", "to": "18:00"}]), json!([]), "monday"),
            ("UTC", span("09:00", "18:00"), json!(["25.12."]), "closed_on"),
        ] {
            let told = hours(json!({"time_zone": zone, "weekly": weekly, "closed_on": closed})).unwrap_err();
            assert!(told.contains(named), "{told}");
        }
    }
}
