//! One product or category, as it is loaded.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

/// The most products of a catalogue: its index is made in memory.
pub const MAX_PRODUCTS: usize = 200_000;

/// The largest id: beyond it, what reads JSON as JavaScript does loses digits.
pub(crate) const MAX_ID: u64 = 9_007_199_254_740_991;

/// The longest product, as JSON, in bytes: a page of a hundred must fit into an answer, and four into an item.
const MAX_BYTES: usize = 9_000;

/// The longest reference, in characters.
const MAX_REFERENCE: usize = 100;

/// The most categories that a product is directly in.
const MAX_DIRECT: usize = 20;

/// A product. Texts that are there are not empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// The merchant's id of it, unique in the catalogue; at most 2^53 - 1.
    pub id: u64,
    /// Its name.
    pub title: String,
    /// Its page.
    pub url: String,
    /// Its picture.
    pub image_url: String,
    /// Its price as text, with the currency.
    pub price: String,
    /// What the merchant calls it; its id where there is nothing else.
    pub reference: String,
    /// What is said of it; its title where there is nothing else.
    pub description: String,
    /// The same in short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_description: Option<String>,
    /// Who makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Whether it can be had, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<bool>,
    /// A reduced price as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_price: Option<String>,
    /// A special price as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub special_price: Option<String>,
    /// The categories it is directly in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<u64>,
}

/// A category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// The merchant's id of it, unique among the categories; at most 2^53 - 1.
    pub id: u64,
    /// The category that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u64>,
    /// Its name.
    pub label: String,
}

/// Why a row becomes no product.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowProblem {
    /// It is no row of a catalogue: nothing is loaded.
    #[error("{0}")]
    Refused(String),
    /// It is one, but cannot be shown: it is left out.
    #[error("{0}")]
    Dropped(String),
}

/// A product as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: u64,
    title: Option<String>,
    url: Option<String>,
    image_url: Option<String>,
    price: Option<String>,
    reference: Option<String>,
    description: Option<String>,
    short_description: Option<String>,
    brand: Option<String>,
    available: Option<bool>,
    promotion_price: Option<String>,
    special_price: Option<String>,
    #[serde(default)]
    categories: Vec<u64>,
}

/// What is there of a text: blanks around it are none of it, and a blank text is none.
fn text(given: Option<String>) -> Option<String> {
    given.map(|given| given.trim().to_owned()).filter(|given| !given.is_empty())
}

impl Product {
    /// Reads a row. Only with `takes_http` an address may be plain `http`.
    ///
    /// # Errors
    /// [`RowProblem`].
    pub fn of(row: &Value, takes_http: bool) -> Result<Self, RowProblem> {
        let refused = |why: String| RowProblem::Refused(why);
        let row = Row::deserialize(row).map_err(|error| refused(error.to_string()))?;
        let id = known_id(row.id).map_err(refused)?;
        if row.categories.len() > MAX_DIRECT {
            return Err(refused(format!("categories: more than {MAX_DIRECT}")));
        }
        let mut categories = Vec::new();
        for category in row.categories {
            if !categories.contains(&known_id(category).map_err(refused)?) {
                categories.push(category);
            }
        }
        let needed = |name: &str, given| text(given).ok_or_else(|| RowProblem::Dropped(format!("{name} is missing")));
        let address = |name: &str, given| {
            let given = needed(name, given)?;
            if is_web(&given, takes_http) { Ok(given) } else { Err(RowProblem::Dropped(format!("{name} is no https address"))) }
        };
        let title = needed("title", row.title)?;
        let product = Self {
            id,
            url: address("url", row.url)?,
            image_url: address("image_url", row.image_url)?,
            price: needed("price", row.price)?,
            reference: text(row.reference).unwrap_or_else(|| id.to_string()),
            description: text(row.description).unwrap_or_else(|| title.clone()),
            title,
            short_description: text(row.short_description),
            brand: text(row.brand),
            available: row.available,
            promotion_price: text(row.promotion_price),
            special_price: text(row.special_price),
            categories,
        };
        if product.reference.chars().count() > MAX_REFERENCE {
            return Err(refused(format!("reference: more than {MAX_REFERENCE} characters")));
        }
        let bytes = serde_json::to_vec(&product).map_err(|error| refused(error.to_string()))?.len();
        if bytes > MAX_BYTES { Err(refused(format!("more than {MAX_BYTES} bytes"))) } else { Ok(product) }
    }
}

impl Category {
    /// Reads a row.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(row: &Value) -> Result<Self, String> {
        let mut category = Self::deserialize(row).map_err(|error| error.to_string())?;
        known_id(category.id)?;
        category.label = text(Some(category.label)).ok_or("label is missing")?;
        if category.label.chars().count() > 200 { Err("label: more than 200 characters".to_owned()) } else { Ok(category) }
    }
}

fn known_id(id: u64) -> Result<u64, String> {
    if id > MAX_ID { Err(format!("an id is more than {MAX_ID}")) } else { Ok(id) }
}

/// Whether this is an absolute address that a page may lead to.
fn is_web(text: &str, takes_http: bool) -> bool {
    // The schema looks at the text: `HTTPS://` or what a lenient reader repairs is none.
    let begins = text.starts_with("https://") || (takes_http && text.starts_with("http://"));
    begins && !text.contains(char::is_whitespace) && Url::parse(text).is_ok_and(|url| url.has_host())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(changes: Value) -> Value {
        let mut row = json!({"id": 501, "title": "Bouilloire", "url": "https://boutique.example/p/501",
            "image_url": "https://boutique.example/img/501.jpg", "price": "49,90 €"});
        row.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        row
    }

    #[test]
    fn what_is_missing_is_made_of_what_is_there() {
        let product = Product::of(&with(json!({"brand": "  ", "special_price": "", "categories": [11, 10, 11]})), false).unwrap();
        assert_eq!((product.reference.as_str(), product.description.as_str()), ("501", "Bouilloire"));
        assert_eq!((product.brand, product.special_price, product.available), (None, None, None));
        assert_eq!(product.categories, [11, 10]);
        let product = Product::of(&with(json!({"title": " Thé ", "reference": " R ", "available": false})), false).unwrap();
        assert_eq!((product.title.as_str(), product.reference.as_str(), product.available), ("Thé", "R", Some(false)));
    }

    #[test]
    fn what_cannot_be_shown_is_dropped() {
        for (change, why) in [
            (json!({"title": " "}), "title is missing"),
            (json!({"title": null}), "title is missing"),
            (json!({"price": ""}), "price is missing"),
            (json!({"url": null}), "url is missing"),
            (json!({"url": "/p/501"}), "url is no https address"),
            (json!({"url": "http://boutique.example/p"}), "url is no https address"),
            (json!({"url": "HTTPS://boutique.example/p"}), "url is no https address"),
            (json!({"url": "https://a b/p"}), "url is no https address"),
            (json!({"image_url": "javascript:alert(1)"}), "image_url is no https address"),
            (json!({"image_url": "//boutique.example/i"}), "image_url is no https address"),
        ] {
            let told = Product::of(&with(change.clone()), false);
            assert_eq!(told, Err(RowProblem::Dropped(why.to_owned())), "{change}");
        }
        assert!(Product::of(&with(json!({"url": "http://127.0.0.1:9105/p/1"})), true).is_ok());
    }

    #[test]
    fn what_is_no_row_is_refused() {
        for (change, why) in [
            (json!({"id": "501"}), "invalid type: string"),
            (json!({"id": 1.5}), "invalid type: floating point"),
            (json!({"id": -1}), "invalid value: integer `-1`"),
            (json!({"id": 9_007_199_254_740_992_u64}), "an id is more than 9007199254740991"),
            (json!({"title": 7}), "expected a string"),
            (json!({"price": 49.9}), "expected a string"),
            (json!({"available": "yes"}), "expected a boolean"),
            (json!({"categories": ["a"]}), "expected u64"),
            (json!({"categories": (0..21).collect::<Vec<_>>()}), "more than 20"),
            (json!({"colour": "red"}), "unknown field `colour`"),
            (json!({"reference": "x".repeat(101)}), "more than 100 characters"),
            (json!({"description": "x".repeat(9_000)}), "more than 9000 bytes"),
        ] {
            let told = Product::of(&with(change.clone()), false).unwrap_err();
            assert!(matches!(&told, RowProblem::Refused(text) if text.contains(why)), "{change}: {told}");
        }
    }

    /// The loader's script judges a file by the same cases before it sends anything.
    #[test]
    fn rows_are_judged_as_the_cases_say() {
        let cases: Vec<Value> = serde_json::from_str(include_str!("../../../tests/stack/catalogue-cases.json")).unwrap();
        for case in cases {
            let judged = match Product::of(&case["row"], false) {
                Ok(_) => "taken",
                Err(RowProblem::Dropped(_)) => "dropped",
                Err(RowProblem::Refused(_)) => "refused",
            };
            assert_eq!(judged, case["is"], "{}", case["case"]);
        }
    }

    #[test]
    fn categories_have_an_id_and_a_label() {
        let row = json!({"id": 11, "parent": 10, "label": " Bouilloires "});
        assert_eq!(Category::of(&row), Ok(Category { id: 11, parent: Some(10), label: "Bouilloires".to_owned() }));
        for wrong in [json!({"id": 1}), json!({"id": 1, "label": " "}), json!({"id": "1", "label": "a"}), json!([])] {
            assert!(Category::of(&wrong).is_err(), "{wrong}");
        }
    }
}
