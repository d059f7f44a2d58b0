//! The browser's clock as pages tell it by `RegionalTime` and `TimeZoneOffset` (8.1, 11.19): how far it is from ours, and its
//! time zone.
//!
//! A page tells it with its first call, when there is nothing of the visitor yet that it could be kept with. So the browser
//! keeps it, in a cookie beside the tracking cookie, and it goes into what is stored of the visitor later.

use model::EpochMillis;

/// Name of the cookie.
pub const COOKIE: &str = "icc3_Clock";

/// The longest time zone offset, in minutes: a day.
const MAX_OFFSET: i64 = 1_440;

/// What is known of a browser's clock. It is the browser's own word: nothing may depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrowserClock {
    /// How many milliseconds it is ahead of ours, the way of the call included; negative where it is behind.
    pub skew: Option<i64>,
    /// How many minutes its time zone is ahead of UTC.
    pub offset: Option<i64>,
}

impl BrowserClock {
    /// What a call tells at this instant. What is no number is ignored; `None` if that leaves nothing.
    #[must_use]
    pub fn told(regional_time: Option<&str>, offset: Option<&str>, now: EpochMillis) -> Option<Self> {
        let time = regional_time.and_then(|text| text.parse::<i64>().ok());
        Self { skew: time.map(|time| time.saturating_sub(now.millis())), offset: minutes(offset) }.known()
    }

    /// What the `Cookie` header holds of it.
    #[must_use]
    pub fn remembered(header: Option<&str>) -> Option<Self> {
        let pairs = header?.split(';').filter_map(|pair| pair.split_once('='));
        let value = pairs.filter(|(name, _)| name.trim() == COOKIE).map(|(_, value)| value.trim()).next_back()?;
        let (skew, offset) = value.split_once('.')?;
        Self { skew: skew.parse().ok(), offset: minutes(Some(offset)) }.known()
    }

    /// The value of the `Set-Cookie` header. It ends with the browser's session: clocks are set right, and people travel.
    #[must_use]
    pub fn set_cookie(&self) -> String {
        let text = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        format!("{COOKIE}={}.{}; Path=/; Secure; HttpOnly; SameSite=None; Partitioned", text(self.skew), text(self.offset))
    }

    fn known(self) -> Option<Self> {
        (self.skew.is_some() || self.offset.is_some()).then_some(self)
    }
}

fn minutes(text: Option<&str>) -> Option<i64> {
    text?.parse().ok().filter(|minutes| (-MAX_OFFSET..=MAX_OFFSET).contains(minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: EpochMillis = EpochMillis::new(1_767_225_600_000);

    #[test]
    fn skew_is_the_difference_to_our_clock_and_what_is_no_number_is_ignored() {
        let clock = |skew, offset| Some(BrowserClock { skew, offset });
        for (time, offset, expected) in [
            (Some("1767225601500"), Some("60"), clock(Some(1500), Some(60))),
            (Some("1767225599000"), Some("-480"), clock(Some(-1000), Some(-480))),
            (Some("1767225600000"), None, clock(Some(0), None)),
            (Some("now"), Some("0"), clock(None, Some(0))),
            (Some("1767225600000.5"), Some("1441"), None),
            (Some("-9223372036854775808"), None, clock(Some(i64::MIN), None)),
            (Some(""), Some(""), None),
            (None, None, None),
        ] {
            assert_eq!(BrowserClock::told(time, offset, NOW), expected, "{time:?} {offset:?}");
        }
    }

    #[test]
    fn cookie_brings_back_what_was_told() {
        let attributes = "; Path=/; Secure; HttpOnly; SameSite=None; Partitioned";
        for (skew, offset, value) in
            [(Some(-1000), Some(60), "-1000.60"), (Some(5), None, "5."), (None, Some(-480), ".-480"), (Some(0), Some(0), "0.0")]
        {
            let clock = BrowserClock { skew, offset };
            assert_eq!(clock.set_cookie(), format!("icc3_Clock={value}{attributes}"));
            let header = format!("icc3_TrackingId=x; icc3_Clock={value}; other=1");
            assert_eq!(BrowserClock::remembered(Some(&header)), Some(clock));
        }
        for header in ["", "icc3_Clock", "icc3_Clock=", "icc3_Clock=5", "icc3_Clock=x.y", "icc3_Clock=.9999", "icc3_clock=1.1"] {
            assert_eq!(BrowserClock::remembered(Some(header)), None, "{header}");
        }
        assert_eq!(BrowserClock::remembered(None), None);
    }
}
