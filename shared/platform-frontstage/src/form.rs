//! The text forms of GUIDs, dates and decimals (2.2), and ids that are derived instead of drawn.

use model::EpochMillis;
use uuid::Uuid;

/// A GUID in any of the accepted forms: hyphenated, with or without braces, or 32 hex digits, in any case.
pub(crate) fn parse_guid(text: &str) -> Option<Uuid> {
    let bare = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
    let digits = matches!(bare.len(), 32 | 36) && bare.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if digits { Uuid::try_parse(bare).ok() } else { None }
}

/// A date in any of the accepted forms: `YYYY-MM-DDThh:mm:ss`, 0 to 7 fraction digits, then `Z`, `+hh:mm`, `-hh:mm` or
/// nothing (UTC).
pub(crate) fn parse_date(text: &str) -> Option<EpochMillis> {
    const PATTERN: &[u8; 19] = b"0000-00-00T00:00:00";
    let (head, mut rest) = text.as_bytes().split_at_checked(19)?;
    let fits = head.iter().zip(PATTERN).all(|(c, p)| if *p == b'0' { c.is_ascii_digit() } else { c == p });
    if !fits {
        return None;
    }
    let mut nanos = 0;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(1..=7).contains(&digits) {
            return None;
        }
        nanos = number(&fraction[..digits])? * 10i32.pow(9 - u32::try_from(digits).ok()?);
        rest = &fraction[digits..];
    }
    let offset_minutes = match rest {
        b"" | b"Z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            if hours > 14 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    let part = |range: std::ops::Range<usize>| i8::try_from(number(&head[range])?).ok();
    let year = i16::try_from(number(&head[..4])?).ok()?;
    let local =
        jiff::civil::DateTime::new(year, part(5..7)?, part(8..10)?, part(11..13)?, part(14..16)?, part(17..19)?, nanos).ok()?;
    let utc = local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(EpochMillis::new(utc.as_millisecond() - i64::from(offset_minutes) * 60_000))
}

fn number(digits: &[u8]) -> Option<i32> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether a date is .NET's way of saying "none".
pub(crate) fn is_nil_date(at: EpochMillis) -> bool {
    // 0001-01-01T00:00:00Z, with a day around it for offsets.
    at.millis() < -62_135_596_800_000 + 86_400_000
}

/// Whether a date can be written in the contract's form: a year of four digits.
pub(crate) fn is_writable_date(at: EpochMillis) -> bool {
    // 9999-12-31T23:59:59.999Z, less what an offset may add: no writer of dates goes further.
    (-62_135_596_800_000..253_402_207_200_000).contains(&at.millis())
}

/// Most places after the point, and the largest number without one, of a .NET decimal.
const MAX_SCALE: usize = 28;
const MAX_MANTISSA: u128 = (1 << 96) - 1;

/// A decimal number, exact: its digits as text, without an exponent (2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal(String);

impl Decimal {
    /// Reads a number in JSON's grammar that a .NET decimal can hold without rounding. Zeros at the end are kept, as they
    /// are there.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
        let (number, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (whole, fraction) = number.split_once('.').map_or((number, None), |(whole, f)| (whole, Some(f)));
        let is_digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        let exponent_digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if !is_digits(whole) || !fraction.is_none_or(is_digits) || !is_digits(exponent_digits) {
            return None;
        }
        // Wider than any number that is in range, and narrow enough for what follows to be small.
        let exponent = exponent.parse::<i32>().ok().filter(|e| (-1_000..=1_000).contains(e))?;
        let fraction = fraction.unwrap_or_default();
        let mut digits = format!("{whole}{fraction}");
        let mut scale = i32::try_from(fraction.len()).ok()? - exponent;
        while scale < 0 {
            digits.push('0');
            scale += 1;
        }
        let mut scale = usize::try_from(scale).ok()?;
        while scale > MAX_SCALE && digits.ends_with('0') {
            digits.pop();
            scale -= 1;
        }
        let digits = digits.trim_start_matches('0');
        if scale > MAX_SCALE || digits.len() > 29 || digits.parse::<u128>().unwrap_or_default() > MAX_MANTISSA {
            return None;
        }
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        let (sign, point) = (if digits.is_empty() { "" } else { sign }, if scale > 0 { "." } else { "" });
        Some(Self(format!("{sign}{whole}{point}{fraction}")))
    }

    /// The digits, e.g. `-12.50`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A GUID that is the same for the same parts: version 8, from their hash. Repetitions keep their id without a store.
pub(crate) fn derived_guid(parts: &[&str]) -> Uuid {
    let mut bytes = [0; 16];
    // The first half of a hash is 32 hex digits, always.
    let _ = hex::decode_to_slice(&derived_hex(parts)[..32], &mut bytes);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The hash of parts, none of which can be mistaken for another's end.
pub(crate) fn derived_hex(parts: &[&str]) -> String {
    let mut joined = Vec::new();
    for part in parts {
        joined.extend_from_slice(&(part.len() as u64).to_be_bytes());
        joined.extend_from_slice(part.as_bytes());
    }
    wire::signature::sha256_hex(&joined)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_accepted_guid_form_is_read() {
        let guid = parse_guid("5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01");
        assert!(guid.is_some());
        for text in [
            "5B0C1A52-6A0E-4A5E-9A53-0A1F5B6C7D01",
            "{5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01}",
            "5b0c1a526a0e4a5e9a530a1f5b6c7d01",
            "{5B0C1A526A0E4A5E9A530A1F5B6C7D01}",
        ] {
            assert_eq!(parse_guid(text), guid, "{text}");
        }
        for text in [
            "",
            "x",
            "{5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01",
            "urn:uuid:5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01",
            "5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d0g",
            "5b0c1a52-6a0e-4a5e-9a530a1f-5b6c7d01",
            " 5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01",
        ] {
            assert_eq!(parse_guid(text), None, "{text}");
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
            ("0001-01-01T00:00:00", -62_135_596_800_000),
        ] {
            assert_eq!(parse_date(text), Some(EpochMillis::new(millis)), "{text}");
        }
        assert!(is_nil_date(EpochMillis::new(-62_135_596_800_000)));
        assert!(!is_nil_date(EpochMillis::new(0)));
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
            "2026-01-01T00:00:00+99:00",
            "2026-01-01T00:00:00z",
            "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:0é",
            "soon",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        for (text, digits) in [
            ("0", "0"),
            ("-0.0", "0.0"),
            ("-12.50", "-12.50"),
            ("1e3", "1000"),
            ("1.5E-2", "0.015"),
            ("79228162514264337593543950335", "79228162514264337593543950335"),
            ("0.0000000000000000000000000001", "0.0000000000000000000000000001"),
            ("0.00000000000000000000000000010", "0.0000000000000000000000000001"),
            ("7.9228162514264337593543950335", "7.9228162514264337593543950335"),
        ] {
            assert_eq!(Decimal::parse(text).as_ref().map(Decimal::as_str), Some(digits), "{text}");
        }
        for text in [
            "",
            "-",
            ".5",
            "5.",
            "+1",
            "1,5",
            " 1",
            "1e",
            "1e5000",
            "1e99999999999",
            "NaN",
            "79228162514264337593543950336",
            "0.00000000000000000000000000001",
            "1.00000000000000000000000000001",
            "1e29",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn derived_guid_is_stable_and_of_version_8() {
        // sha256 of 0000000000000001 61 0000000000000001 62, first 16 bytes, version and variant set.
        let guid = derived_guid(&["a", "b"]);
        assert_eq!(guid.to_string(), "3c9d5910-45bc-8876-b9d0-399bbfb05c6a");
        assert_eq!(guid.get_version_num(), 8);
        assert_ne!(guid, derived_guid(&["ab", ""]));
    }

    proptest! {
        #[test]
        fn emitted_date_is_read_back(millis in -62_000_000_000_000i64..253_000_000_000_000) {
            let at = EpochMillis::new(millis);
            prop_assert_eq!(parse_date(&at.to_utc_text()), Some(at));
        }

        #[test]
        fn parsing_never_panics(text in "(?s).{0,40}|[0-9T:.+Z-]{0,40}|[0-9.eE+-]{0,40}") {
            let _ = parse_date(&text);
            let _ = parse_guid(&text);
            // What was read is read again as the same.
            let decimal = Decimal::parse(&text);
            prop_assert_eq!(decimal.as_ref().and_then(|d| Decimal::parse(d.as_str())), decimal);
        }
    }
}
