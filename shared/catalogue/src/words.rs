//! Words: what of a text is found, and how well.

use text::fold;

use crate::Product;

/// The most words of a query. Each is looked up in up to two blocks, and one read names a hundred items.
pub const MAX_WORDS: usize = 32;

/// The longest word or reference that is told apart, in bytes: of longer ones their beginnings are.
const LONGEST: usize = 120;

/// How many ranks there are of a word: the fields that it may be found in.
pub(crate) const FIELDS: usize = 4;

/// A query has more than [`MAX_WORDS`] words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {MAX_WORDS} words")]
pub struct TooManyWords;

/// What somebody looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    reference: String,
    words: Vec<String>,
}

impl Query {
    /// Reads what was typed; `None` if nothing was.
    ///
    /// # Errors
    /// [`TooManyWords`].
    pub fn of(text: &str) -> Result<Option<Self>, TooManyWords> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let mut words = words(text);
        words.sort_unstable();
        words.dedup();
        if words.len() > MAX_WORDS { Err(TooManyWords) } else { Ok(Some(Self { reference: reference(text), words })) }
    }

    /// What a reference has to be to come first.
    pub(crate) fn reference(&self) -> &str {
        &self.reference
    }

    /// Its words, each once.
    pub(crate) fn words(&self) -> &[String] {
        &self.words
    }
}

/// How well a product matches: the lower, the better. `None` if it does not. 0 is the very reference or id; behind it, what has all words
/// in its title, in title or brand, in these or the reference, and in any text.
#[must_use]
pub fn rank(product: &Product, query: &Query) -> Option<usize> {
    if reference(&product.reference) == query.reference || product.id.to_string() == query.reference {
        return Some(0);
    }
    let fields = fields(product).map(|(_, texts)| texts.map(words).collect::<Vec<_>>());
    let found_in = |word: &String| {
        let is_in = |texts: &Vec<Vec<String>>| texts.iter().flatten().any(|found| found.starts_with(word.as_str()));
        fields.iter().position(is_in)
    };
    let ranks = query.words.iter().map(found_in).collect::<Option<Vec<_>>>()?;
    ranks.into_iter().max().map(|worst| worst + 1)
}

/// The texts in which words are found, by rank.
pub(crate) fn fields(product: &Product) -> [(usize, impl Iterator<Item = &str>); FIELDS] {
    let texts = [
        [Some(product.title.as_str()), None],
        [product.brand.as_deref(), None],
        [Some(product.reference.as_str()), None],
        [Some(product.description.as_str()), product.short_description.as_deref()],
    ];
    let mut rank = 0..;
    texts.map(|texts| (rank.next().unwrap_or_default(), texts.into_iter().flatten()))
}

/// A reference as it is compared.
pub(crate) fn reference(text: &str) -> String {
    cut(&fold(text.trim())).to_owned()
}

/// The words of a text as they are compared: what stands between anything that is neither a letter nor a digit.
pub(crate) fn words(text: &str) -> Vec<String> {
    let folded = fold(text);
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(|word| cut(word).to_owned()).collect()
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_do_not_matter() {
        for (text, expected) in [
            ("Bouilloire ÉLECTRIQUE Nami 1,7 l", vec!["bouilloire", "electrique", "nami", "1", "7", "l"]),
            ("E\u{301}lectrique", vec!["electrique"]),
            ("Œufs à la crème brûlée", vec!["oeufs", "a", "la", "creme", "brulee"]),
            ("Straße Łódź smørrebrød", vec!["strasse", "lodz", "smorrebrod"]),
            ("İstanbul ﬁne №5 x²", vec!["istanbul", "fine", "no5", "x2"]),
            ("l'eau—NAM-17-IX", vec!["l", "eau", "nam", "17", "ix"]),
            ("чайник 水壶", vec!["чаиник", "水壶"]),
            (" — € ", vec![]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        assert_eq!(words(&"é".repeat(200)), ["e".repeat(120)]);
    }

    fn product() -> Product {
        Product {
            id: 501,
            title: "Bouilloire électrique Nami 1,7 l".to_owned(),
            url: "https://boutique.example/p/501".to_owned(),
            image_url: "https://boutique.example/img/501.jpg".to_owned(),
            price: "49,90 €".to_owned(),
            reference: "NAM-17-IX".to_owned(),
            description: "Inox, arrêt automatique, filtre lavable.".to_owned(),
            short_description: Some("Idéale pour le thé".to_owned()),
            brand: Some("Kéo".to_owned()),
            available: None,
            promotion_price: None,
            special_price: None,
            categories: Vec::new(),
        }
    }

    #[test]
    fn rank_is_where_the_worst_word_is_found() {
        for (text, expected) in [
            ("nam-17-ix", Some(0)),
            (" NAM-17-IX ", Some(0)),
            ("electrique", Some(1)),
            ("ÉLEC bouil", Some(1)),
            ("keo", Some(2)),
            ("keo electrique", Some(2)),
            ("ix", Some(3)),
            ("NAM-17", Some(3)),
            ("ideale", Some(4)),
            ("inox bouilloire", Some(4)),
            ("lectrique", None),
            ("bouilloire verte", None),
            ("€", None),
        ] {
            assert_eq!(rank(&product(), &Query::of(text).unwrap().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn nothing_typed_is_no_query_and_too_much_is_refused() {
        assert_eq!(Query::of(" \t "), Ok(None));
        let many = |n: u32| (0..n).map(|n| format!("w{n} ")).collect::<String>();
        assert!(Query::of(&many(32)).is_ok());
        assert_eq!(Query::of(&many(33)), Err(TooManyWords));
        assert!(Query::of(&"same ".repeat(100)).is_ok());
    }
}
