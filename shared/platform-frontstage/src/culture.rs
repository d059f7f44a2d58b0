//! Languages as they are named, `cs` or `en-US`, and the choice among them (2.2, 11.24).

/// The name among `offered` that is closest to `wanted`: the one that agrees with it in most parts from the left, the
/// shortest of those, and of equals the first. `None` if none agrees even in the language.
///
/// Both sides may have either form, in any case, with `_` for `-`.
#[must_use]
pub fn closest_culture<'a>(wanted: &str, offered: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let agreement = |name: &str| parts(wanted).zip(parts(name)).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    let mut closest: Option<(&str, (usize, std::cmp::Reverse<usize>))> = None;
    for name in offered {
        let rank = (agreement(name), std::cmp::Reverse(parts(name).count()));
        if rank.0 > 0 && closest.is_none_or(|(_, best)| rank > best) {
            closest = Some((name, rank));
        }
    }
    closest.map(|(name, _)| name)
}

fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split(['-', '_']).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_11_24_both_forms_of_a_language_meet() {
        let offered = ["en-US", "cs", "en_GB", "sr-Latn-RS", "de-AT", "de"];
        for (wanted, closest) in [
            ("cs", Some("cs")),
            ("cs-CZ", Some("cs")),
            ("CS_cz", Some("cs")),
            ("en", Some("en-US")),
            ("en-gb", Some("en_GB")),
            ("de-CH", Some("de")),
            ("de-at", Some("de-AT")),
            ("sr", Some("sr-Latn-RS")),
            ("c", None),
            ("fr-FR", None),
            ("", None),
        ] {
            assert_eq!(closest_culture(wanted, offered), closest, "{wanted}");
        }
    }
}
