//! Languages of rules and browsers (8.3: PreferredCulture).

/// Whether a rule's culture is a beginning, subtag by subtag, of a language that the browser accepts with q > 0. A wildcard
/// names no language. `_` counts as `-`, and case does not count (2.2).
pub(super) fn accepts(accept_language: &str, culture: &str) -> bool {
    accept_language.split(',').any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let language = parts.next().unwrap_or_default();
        parts.all(is_wanted) && begins_with(language, culture)
    })
}

/// Whether a parameter of an entry leaves it wanted; a weight that is no number does not.
fn is_wanted(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let weight = value.trim();
    !name.trim().eq_ignore_ascii_case("q")
        || (weight.bytes().all(|b| b.is_ascii_digit() || b == b'.') && weight.bytes().any(|b| (b'1'..=b'9').contains(&b)))
}

fn begins_with(language: &str, culture: &str) -> bool {
    let mut subtags = language.split(['-', '_']);
    culture.split(['-', '_']).all(|wanted| subtags.next().is_some_and(|subtag| subtag.eq_ignore_ascii_case(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn culture_is_a_prefix_by_subtag() {
        assert!(accepts("cs", "cs"));
        assert!(accepts("cs-CZ", "cs"));
        assert!(accepts("zh-Hant-TW", "zh-hant"));
        assert!(!accepts("cs", "cs-CZ"));
        assert!(!accepts("csb", "cs"));
        assert!(!accepts("zh-TW", "zh-Hant"));
        assert!(!accepts("en-US", "cs"));
    }

    #[test]
    fn any_entry_counts_and_not_the_first_only() {
        assert!(accepts("en-US,en;q=0.9, cs;q=0.1", "cs"));
        assert!(accepts("en , cs-CZ ; q=0.5", "cs-CZ"));
    }

    #[test]
    fn entry_with_q_0_does_not_count() {
        for header in ["cs;q=0", "cs;q=0.0", "cs; Q=0.000", "cs;q=", "cs;q=x", "cs;q=NaN"] {
            assert!(!accepts(header, "cs"), "{header}");
        }
        assert!(accepts("cs;q=0.001", "cs"));
        assert!(accepts("cs;q=0, cs-CZ;q=1.0", "cs"));
        assert!(accepts("cs;level=0", "cs"));
    }

    #[test]
    fn case_and_underscore_do_not_count() {
        assert!(accepts("CS-cz", "cs_CZ"));
        assert!(accepts("cs_CZ", "cs-cz"));
    }

    #[test]
    fn wildcard_and_nothing_name_no_language() {
        assert!(!accepts("*", "cs"));
        assert!(!accepts("", "cs"));
        assert!(!accepts(",;,;q=1", "cs"));
    }
}
