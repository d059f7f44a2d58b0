//! Languages as iAdvize names them (section 3.2, `operatorLocale`).

/// The two letters of the language that `fr`, `fr_FR` and `fr-FR` name, in lower case; `None` for what cannot be one.
#[must_use]
pub fn language(locale: &str) -> Option<String> {
    let base = locale.split(['-', '_']).next().unwrap_or_default();
    (base.len() == 2 && base.bytes().all(|b| b.is_ascii_alphabetic())).then(|| base.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_and_case_do_not_matter() {
        for locale in ["fr", "fr_FR", "fr-FR", "FR"] {
            assert_eq!(language(locale).as_deref(), Some("fr"), "{locale}");
        }
        for wrong in ["", "f", "fra", "12", "_FR", "é"] {
            assert_eq!(language(wrong), None, "{wrong}");
        }
    }
}
