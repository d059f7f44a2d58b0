//! How GUIDs, dates and lengths are written (2.2).

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use model::EpochMillis;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};
use uuid::Uuid;

/// A GUID in any of the accepted forms: hyphenated, with or without braces, or 32 hex digits, in any case.
pub(crate) fn guid(text: &str) -> Option<Uuid> {
    let bare = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
    let is_plain = matches!(bare.len(), 32 | 36) && bare.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if is_plain { Uuid::try_parse(bare).ok() } else { None }
}

/// A date as it was written: the digits, and how far they are from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrittenDate {
    digits: DateTime,
    offset_minutes: i64,
}

impl WrittenDate {
    /// Reads `YYYY-MM-DDThh:mm:ss`, 0 to 7 fraction digits, then `Z`, `+hh:mm`, `-hh:mm` or nothing (UTC).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        const PATTERN: &[u8; 19] = b"0000-00-00T00:00:00";
        let (head, tail) = text.split_at_checked(PATTERN.len())?;
        let fits = head.bytes().zip(PATTERN).all(|(c, p)| if *p == b'0' { c.is_ascii_digit() } else { c == *p });
        // The parser takes a leap second for the one before it.
        if !fits || head.ends_with("60") {
            return None;
        }
        let (fraction, suffix) = match tail.strip_prefix('.') {
            None => ("", tail),
            Some(rest) => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                if !(1..=7).contains(&digits) {
                    return None;
                }
                tail.split_at(digits + 1)
            }
        };
        let offset_minutes = match suffix.as_bytes() {
            b"" | b"Z" => 0,
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
                let (hours, minutes) = (two_digits(*h1, *h2)?, two_digits(*m1, *m2)?);
                if hours > 14 || minutes > 59 {
                    return None;
                }
                (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
            }
            _ => return None,
        };
        let digits = text[..head.len() + fraction.len()].parse().ok()?;
        Some(Self { digits, offset_minutes })
    }

    /// The instant it names.
    pub(crate) fn instant(self) -> Option<EpochMillis> {
        let utc = self.digits.to_zoned(TimeZone::UTC).ok()?.timestamp();
        Some(EpochMillis::new(utc.as_millisecond() - self.offset_minutes * 60_000))
    }

    /// The time of day that its digits show, whatever follows them.
    pub(crate) fn time_of_day(self) -> Time {
        self.digits.time()
    }

    /// Whether it is .NET's way of saying "none": the first day of the calendar.
    pub(crate) fn is_nil(self) -> bool {
        self.digits.year() <= 1 && self.digits.day_of_year() == 1
    }
}

fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    let is_number = tens.is_ascii_digit() && ones.is_ascii_digit();
    is_number.then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

/// Length in UTF-16 code units, the unit of every limit.
pub(crate) fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The longest beginning of `text` that has at most `limit` UTF-16 units; a surrogate pair is never cut.
pub(crate) fn beginning(text: &str, limit: usize) -> &str {
    let mut room = limit;
    let end = text.char_indices().find(|(_, c)| {
        let size = c.len_utf16();
        let is_over = size > room;
        room = room.saturating_sub(size);
        is_over
    });
    end.map_or(text, |(at, _)| &text[..at])
}

/// Reads a GUID that must be given.
pub(crate) fn read_guid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    read_optional_guid(deserializer)?.ok_or_else(|| D::Error::custom("a GUID is missing"))
}

/// Reads a GUID; null, an empty text and the nil GUID are none.
pub(crate) fn read_optional_guid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Uuid>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let guid = guid(&text).ok_or_else(|| D::Error::custom(format!("`{}` is not a GUID", beginning(&text, 64))))?;
    Ok(Some(guid).filter(|guid| !guid.is_nil()))
}

/// Writes a date.
pub(crate) fn write_date<S: Serializer>(at: &EpochMillis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_utc_text())
}

/// Writes a date, or null.
pub(crate) fn write_optional_date<S: Serializer>(at: &Option<EpochMillis>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => write_date(at, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instant(text: &str) -> Option<i64> {
        Some(WrittenDate::parse(text)?.instant()?.millis())
    }

    #[test]
    fn every_accepted_guid_form_is_read() {
        let expected = Uuid::from_u128(0x5b0c_1a52_6a0e_4a5e_9a53_0a1f_5b6c_7d01);
        for text in [
            "5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01",
            "5B0C1A52-6A0E-4A5E-9A53-0A1F5B6C7D01",
            "{5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01}",
            "5b0c1a526a0e4a5e9a530a1f5b6c7d01",
        ] {
            assert_eq!(guid(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "{5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01",
            "urn:uuid:5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01",
            "5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d0g",
            " 5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01",
        ] {
            assert_eq!(guid(text), None, "{text}");
        }
    }

    #[test]
    fn every_accepted_date_form_is_read() {
        for (text, millis) in [
            ("2026-01-01T00:00:00Z", 1_767_225_600_000),
            ("2026-01-01T00:00:00", 1_767_225_600_000),
            ("2026-01-01T00:00:00.1", 1_767_225_600_100),
            ("2026-01-01T00:00:00.1234567Z", 1_767_225_600_123),
            ("2026-01-01T01:00:00+01:00", 1_767_225_600_000),
            ("2025-12-31T18:30:00.000-05:30", 1_767_225_600_000),
        ] {
            assert_eq!(instant(text), Some(millis), "{text}");
        }
        for text in [
            "",
            "2026-01-01",
            "2026-01-01 00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.12345678Z",
            "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00+15:00",
            "2026-01-01T00:00:00z",
            "2026-01-01T00:00:0é",
            "soon",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn time_of_day_is_what_the_digits_show() {
        for text in ["2000-01-01T08:30:00", "2000-01-01T08:30:00Z", "2000-07-01T08:30:00+02:00"] {
            assert_eq!(WrittenDate::parse(text).unwrap().time_of_day(), jiff::civil::time(8, 30, 0, 0), "{text}");
        }
    }

    #[test]
    fn first_day_of_the_calendar_is_no_date() {
        assert!(WrittenDate::parse("0001-01-01T00:00:00").unwrap().is_nil());
        assert!(!WrittenDate::parse("0001-01-02T00:00:00").unwrap().is_nil());
        assert!(!WrittenDate::parse("1970-01-01T00:00:00").unwrap().is_nil());
    }

    #[test]
    fn beginning_never_cuts_a_pair() {
        assert_eq!(beginning("abc", 3), "abc");
        assert_eq!(beginning("abc", 2), "ab");
        assert_eq!(beginning("ž🙂x", 2), "ž");
        assert_eq!(beginning("ž🙂x", 3), "ž🙂");
        assert_eq!(beginning("🙂a", 1), "");
        assert_eq!(beginning("", 0), "");
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "(?s).{0,40}|[0-9T:.+Z-]{0,40}", limit in 0usize..50) {
            let _ = instant(&text);
            let _ = guid(&text);
            prop_assert!(utf16_len(beginning(&text, limit)) <= limit);
        }

        #[test]
        fn emitted_date_is_read_back(millis in -62_000_000_000_000i64..253_000_000_000_000) {
            prop_assert_eq!(instant(&EpochMillis::new(millis).to_utc_text()), Some(millis));
        }
    }
}
