//! When a rule holds (8.3: TimeMode, TimeFrom, TimeTo).

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use model::EpochMillis;

use super::Problem;
use crate::notation::{WrittenDate, beginning};

/// The time zone of a deployment's rules (12). Zone data come with the binary; they are those of the IANA database of the
/// day the dependency was updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// A text is no name of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time zone")]
pub struct UnknownZone(pub String);

impl Zone {
    /// The zone of a deployment that names none.
    #[must_use]
    pub const fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// A zone by its IANA name, e.g. `Europe/Prague`.
    ///
    /// # Errors
    /// [`UnknownZone`] when there is none of this name.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        TimeZoneDatabase::bundled().get(name).map(Self).map_err(|_| UnknownZone(name.to_owned()))
    }
}

/// A condition on the time, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Window {
    /// A mode that is not known: never.
    Never,
    /// Between two instants; a missing one is no bound.
    Absolute { from: Option<EpochMillis>, to: Option<EpochMillis> },
    /// Between two times of day; a missing one is midnight.
    Daily(Hours),
    /// The same, opening on Monday to Friday only.
    Weekdays(Hours),
}

/// Hours of a day. Where the end is before the beginning they cross midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hours {
    from: Time,
    to: Option<Time>,
}

impl Hours {
    /// The day on which the hours opened that are open at this time.
    fn opened_on(self, day: Date, time: Time) -> Option<Date> {
        let crosses = self.to.is_some_and(|to| to < self.from);
        let is_before_end = self.to.is_none_or(|to| time < to);
        if time >= self.from && (crosses || is_before_end) {
            Some(day)
        } else if crosses && is_before_end {
            day.yesterday().ok()
        } else {
            None
        }
    }
}

impl Window {
    /// Compiles the three members; `None` is no limit. A mode that is not known is no error here but [`Window::Never`],
    /// as the contract has it.
    pub(super) fn compile(mode: &str, from: Option<&str>, to: Option<&str>) -> Result<Option<Self>, (&'static str, Problem)> {
        if mode.is_empty() || mode == "None" {
            return Ok(None);
        }
        let read = |name, text: Option<&str>| {
            let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
            let date = WrittenDate::parse(text).ok_or_else(|| (name, Problem::Date(beginning(text, 64).to_owned())))?;
            Ok(Some(date).filter(|date| !date.is_nil()))
        };
        let hours = || {
            let from = read("TimeFrom", from)?.map_or_else(Time::midnight, WrittenDate::time_of_day);
            Ok(Hours { from, to: read("TimeTo", to)?.map(WrittenDate::time_of_day) })
        };
        Ok(Some(match mode {
            "Absolute" => Self::Absolute {
                from: read("TimeFrom", from)?.and_then(WrittenDate::instant),
                to: read("TimeTo", to)?.and_then(WrittenDate::instant),
            },
            "Daily" => Self::Daily(hours()?),
            "Weekdays" => Self::Weekdays(hours()?),
            _ => Self::Never,
        }))
    }

    pub(super) fn contains(&self, now: EpochMillis, zone: &Zone) -> bool {
        let opened_on = |hours: &Hours| {
            let local = zone.0.to_datetime(Timestamp::from_millisecond(now.millis()).ok()?);
            hours.opened_on(local.date(), local.time())
        };
        match self {
            Self::Never => false,
            Self::Absolute { from, to } => from.is_none_or(|from| from <= now) && to.is_none_or(|to| now < to),
            Self::Daily(hours) => opened_on(hours).is_some(),
            Self::Weekdays(hours) => {
                opened_on(hours).is_some_and(|day| !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> EpochMillis {
        WrittenDate::parse(text).unwrap().instant().unwrap()
    }

    fn holds(mode: &str, from: &str, to: &str, zone: &str, now: &str) -> bool {
        let window = Window::compile(mode, Some(from), Some(to)).unwrap();
        window.is_none_or(|window| window.contains(at(now), &Zone::named(zone).unwrap()))
    }

    fn daily(from: &str, to: &str, now: &str) -> bool {
        holds("Daily", &format!("2000-01-01T{from}:00"), &format!("2000-01-01T{to}:00"), "Europe/Prague", now)
    }

    fn weekdays(from: &str, to: &str, now: &str) -> bool {
        holds("Weekdays", &format!("2000-01-01T{from}:00"), &format!("2000-01-01T{to}:00"), "UTC", now)
    }

    #[test]
    fn time_mode_null_or_none_is_no_limit() {
        for mode in ["", "None"] {
            assert_eq!(Window::compile(mode, Some("rubbish"), None), Ok(None));
        }
    }

    #[test]
    fn time_mode_absolute_is_from_inclusive_to_exclusive() {
        let absolute = |now| holds("Absolute", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00+01:00", "Europe/Prague", now);
        assert!(!absolute("2025-12-31T23:59:59.999Z"));
        assert!(absolute("2026-01-01T00:00:00Z"));
        assert!(absolute("2026-01-31T22:59:59.999Z"));
        assert!(!absolute("2026-01-31T23:00:00Z"));
    }

    #[test]
    fn time_mode_absolute_without_a_bound_is_open_on_that_side() {
        assert!(holds("Absolute", "", "2026-01-01T00:00:00", "UTC", "1999-01-01T00:00:00"));
        assert!(holds("Absolute", "2026-01-01T00:00:00", "0001-01-01T00:00:00", "UTC", "2099-01-01T00:00:00"));
    }

    #[test]
    fn time_mode_daily_is_time_of_day_in_the_deployments_zone() {
        // Prague is an hour ahead of UTC in January and two in July.
        assert!(!daily("08:00", "18:00", "2026-01-01T06:59:59Z"));
        assert!(daily("08:00", "18:00", "2026-01-01T07:00:00Z"));
        assert!(daily("08:00", "18:00", "2026-01-01T16:59:59.999Z"));
        assert!(!daily("08:00", "18:00", "2026-01-01T17:00:00Z"));
        assert!(daily("08:00", "18:00", "2026-07-01T06:00:00Z"));
        assert!(!daily("08:00", "18:00", "2026-07-01T16:00:00Z"));
        // Saturdays too.
        assert!(daily("08:00", "18:00", "2026-01-03T10:00:00Z"));
    }

    #[test]
    fn time_mode_daily_with_to_before_from_crosses_midnight() {
        assert!(daily("22:00", "06:00", "2026-01-01T21:00:00Z"));
        assert!(daily("22:00", "06:00", "2026-01-01T23:00:00Z"));
        assert!(daily("22:00", "06:00", "2026-01-01T04:59:59Z"));
        assert!(!daily("22:00", "06:00", "2026-01-01T05:00:00Z"));
        assert!(!daily("22:00", "06:00", "2026-01-01T20:59:59Z"));
        // Until midnight.
        assert!(daily("22:00", "00:00", "2026-01-01T22:59:59Z"));
        assert!(!daily("22:00", "00:00", "2026-01-01T23:00:00Z"));
    }

    #[test]
    fn time_mode_daily_with_equal_bounds_never_holds() {
        for now in ["2026-01-01T07:00:00Z", "2026-01-01T06:59:59Z", "2026-01-01T20:00:00Z"] {
            assert!(!daily("08:00", "08:00", now), "{now}");
        }
    }

    #[test]
    fn time_mode_daily_without_a_bound_reaches_midnight() {
        assert!(holds("Daily", "", "2000-01-01T08:00:00", "UTC", "2026-01-01T00:00:00"));
        assert!(!holds("Daily", "", "2000-01-01T08:00:00", "UTC", "2026-01-01T08:00:00"));
        assert!(holds("Daily", "2000-01-01T08:00:00", "", "UTC", "2026-01-01T23:59:59"));
        assert!(!holds("Daily", "2000-01-01T08:00:00", "", "UTC", "2026-01-01T07:59:59"));
    }

    #[test]
    fn time_mode_weekdays_is_monday_to_friday() {
        // 2026-01-02 is a Friday.
        assert!(weekdays("08:00", "18:00", "2026-01-02T08:00:00Z"));
        assert!(!weekdays("08:00", "18:00", "2026-01-02T18:00:00Z"));
        assert!(!weekdays("08:00", "18:00", "2026-01-03T08:00:00Z"));
        assert!(!weekdays("08:00", "18:00", "2026-01-04T08:00:00Z"));
        assert!(weekdays("08:00", "18:00", "2026-01-05T08:00:00Z"));
    }

    #[test]
    fn time_mode_weekdays_across_midnight_belongs_to_the_day_it_opened() {
        assert!(weekdays("22:00", "06:00", "2026-01-02T23:00:00Z"));
        assert!(weekdays("22:00", "06:00", "2026-01-03T05:00:00Z"));
        assert!(!weekdays("22:00", "06:00", "2026-01-03T23:00:00Z"));
        assert!(!weekdays("22:00", "06:00", "2026-01-05T05:00:00Z"));
        assert!(weekdays("22:00", "06:00", "2026-01-05T22:00:00Z"));
    }

    #[test]
    fn other_time_mode_never_holds() {
        for mode in ["Monthly", "daily", " "] {
            assert_eq!(Window::compile(mode, None, None), Ok(Some(Window::Never)), "{mode}");
            assert!(!holds(mode, "", "", "UTC", "2026-01-01T00:00:00Z"));
        }
    }

    #[test]
    fn time_that_cannot_be_read_is_named() {
        assert_eq!(Window::compile("Daily", None, Some("18:00")), Err(("TimeTo", Problem::Date("18:00".to_owned()))));
        assert_eq!(Window::compile("Absolute", Some("soon"), None), Err(("TimeFrom", Problem::Date("soon".to_owned()))));
    }

    #[test]
    fn zones_come_with_the_binary() {
        assert!(Zone::named("Europe/Prague").is_ok());
        assert!(Zone::named("UTC").is_ok());
        assert_eq!(Zone::named("Middle/Earth"), Err(UnknownZone("Middle/Earth".to_owned())));
    }
}
