//! Instants as the store and the queues carry them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant in milliseconds since 1970-01-01T00:00:00Z, the resolution of every deadline we keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EpochMillis(i64);

impl EpochMillis {
    /// Wraps a count of milliseconds since the epoch.
    #[must_use]
    pub const fn new(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded towards the past: the unit of TTL attributes and signature headers.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The instant `by` later. Saturates at the end of time.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The instant `by` earlier. Saturates at the beginning of time.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long it is from `earlier` to this instant; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The instant of an HTTP date in its preferred form, e.g. `Thu, 01 Jan 2026 00:00:00 GMT` (RFC 9110, 5.6.7).
    #[must_use]
    pub fn from_http_date(text: &str) -> Option<Self> {
        let zoned = jiff::fmt::rfc2822::DateTimeParser::new().parse_zoned(text).ok()?;
        Some(Self(zoned.timestamp().as_millisecond()))
    }

    /// The instant of an RFC 3339 text, e.g. `2026-01-01T00:00:00Z`, rounded towards the past.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let at = text.parse::<jiff::Timestamp>().ok()?;
        Some(Self(at.as_millisecond()))
    }

    /// UTC text with milliseconds and a `Z`, e.g. `2026-01-01T00:00:00.000Z`.
    #[must_use]
    pub fn to_utc_text(self) -> String {
        jiff::Timestamp::from_millisecond(self.0).map_or_else(|_| self.0.to_string(), |at| format!("{at:.3}"))
    }
}

impl fmt::Display for EpochMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_utc_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_with_its_offset() {
        for text in ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00.000+01:00", "2026-01-01T00:00:00.0009Z"] {
            assert_eq!(EpochMillis::from_text(text), Some(EpochMillis::new(1_767_225_600_000)), "{text}");
        }
        for text in ["", "yesterday", "2026-01-01", "1767225600"] {
            assert_eq!(EpochMillis::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn text_has_three_digits_and_a_z() {
        assert_eq!(EpochMillis::new(1_767_225_600_000).to_utc_text(), "2026-01-01T00:00:00.000Z");
        assert_eq!(EpochMillis::new(1_767_225_600_120).to_utc_text(), "2026-01-01T00:00:00.120Z");
    }

    #[test]
    fn http_date_is_read() {
        let at = EpochMillis::from_http_date("Thu, 01 Jan 2026 00:00:00 GMT");
        assert_eq!(at, Some(EpochMillis::new(1_767_225_600_000)));
        assert_eq!(EpochMillis::from_http_date("soon"), None);
    }

    #[test]
    fn seconds_round_towards_the_past() {
        assert_eq!(EpochMillis::new(1_999).seconds(), 1);
        assert_eq!(EpochMillis::new(-1).seconds(), -1);
    }
}
