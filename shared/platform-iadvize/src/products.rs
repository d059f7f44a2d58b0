//! The product list plugin: what is asked, and how it is told (section 6).

use catalogue::{Listed, Page, Product, Query as Words, Wanted};
use serde::Serialize;

use crate::Query;
use crate::ids::number;

/// Entries of a page that says nothing of its size.
const USUAL: usize = 20;

/// Entries of a page at most.
const MOST: usize = 100;

/// A category that none is, as no id is that large (section 6.3: an unknown one has nothing).
const NO_CATEGORY: u64 = u64::MAX;

/// The name that `searchQuery` once had.
const FORMER_SEARCH: &str = "search[default][contains]";

/// A parameter is wrong: which, and how, without its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} {what}")]
pub struct InvalidParameter {
    /// Which.
    pub field: &'static str,
    /// How.
    pub what: &'static str,
}

/// The page that a call asks for.
///
/// # Errors
/// [`InvalidParameter`]: a limit below 1, a negative offset, or what is no integer. A limit above the most there may be is that one.
pub fn page(query: &Query) -> Result<Page, InvalidParameter> {
    let limit = integer(query, "limit", "is no integer of 1 or more")?.map_or(Ok(USUAL), |limit| match limit {
        0 => Err(InvalidParameter { field: "limit", what: "is no integer of 1 or more" }),
        limit => Ok(limit.min(MOST)),
    })?;
    Ok(Page { offset: integer(query, "offset", "is no integer of 0 or more")?.unwrap_or(0), limit })
}

/// An integer; one that is larger than all there may be counts as the largest.
fn integer(query: &Query, field: &'static str, what: &'static str) -> Result<Option<usize>, InvalidParameter> {
    let Some(text) = query.get(field) else { return Ok(None) };
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(InvalidParameter { field, what });
    }
    Ok(Some(text.parse().unwrap_or(usize::MAX)))
}

/// The category whose children are asked for; `None` for those at the top.
#[must_use]
pub fn parent(query: &Query) -> Option<u64> {
    query.get("idParent").map(category)
}

fn category(text: &str) -> u64 {
    number(text).unwrap_or(NO_CATEGORY)
}

/// The products that are asked for.
///
/// # Errors
/// [`InvalidParameter`]: a search for more words than can be looked up at once.
pub fn wanted(query: &Query) -> Result<Wanted, InvalidParameter> {
    let words = query.get("searchQuery").or_else(|| query.get(FORMER_SEARCH)).unwrap_or_default();
    let words = Words::of(words).map_err(|_| InvalidParameter { field: "searchQuery", what: "has more than 32 words" })?;
    Ok(Wanted { category: query.get("idCategory").map(category), query: words })
}

/// An id, as a site wants to be told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Id {
    /// As the field table has it.
    Number(u64),
    /// As the published examples have it.
    Digits(String),
}

impl Id {
    fn of(id: u64, as_string: bool) -> Self {
        if as_string { Self::Digits(id.to_string()) } else { Self::Number(id) }
    }
}

/// A category, as iAdvize reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CategoryRow {
    id: Id,
    id_parent: Option<Id>,
    label: String,
    /// Always null: a category may have thousands, and P2 tells them by pages.
    products: Option<Vec<String>>,
    products_count: u32,
}

impl CategoryRow {
    /// Tells a category.
    #[must_use]
    pub fn of(listed: Listed, ids_as_strings: bool) -> Self {
        let Listed { category, products } = listed;
        Self {
            id: Id::of(category.id, ids_as_strings),
            id_parent: category.parent.map(|id| Id::of(id, ids_as_strings)),
            label: category.label,
            products: None,
            products_count: products,
        }
    }
}

/// A product, as iAdvize reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductRow {
    id: Id,
    title: String,
    product_url: String,
    brand: Option<String>,
    description: String,
    short_description: Option<String>,
    /// The one member that is left out and not null: its type is a boolean.
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<bool>,
    image_url: String,
    reference: String,
    price_catalog: String,
    price_promotion: Option<String>,
    price_special: Option<String>,
}

impl ProductRow {
    /// Tells a product.
    #[must_use]
    pub fn of(product: Product, ids_as_strings: bool) -> Self {
        Self {
            id: Id::of(product.id, ids_as_strings),
            title: product.title,
            product_url: product.url,
            brand: product.brand,
            description: product.description,
            short_description: product.short_description,
            available: product.available,
            image_url: product.image_url,
            reference: product.reference,
            price_catalog: product.price,
            price_promotion: product.promotion_price,
            price_special: product.special_price,
        }
    }
}

#[cfg(test)]
mod tests {
    use catalogue::Category;
    use serde_json::json;
    use testkit::fixtures::get;
    use wire::Verified;

    use super::*;

    fn query(text: &str) -> Query {
        Query::of(&Verified::vouch(get("/iadvize/product-list/products", text)))
    }

    #[test]
    fn pages_are_as_section_6_3_says() {
        for (text, offset, limit) in [
            ("", 0, 20),
            ("limit=&offset=", 0, 20),
            ("limit=1&offset=0", 0, 1),
            ("limit=100&offset=7", 7, 100),
            ("limit=101", 0, 100),
            ("limit=99999999999999999999999999&offset=99999999999999999999999999", usize::MAX, 100),
            ("limit=010&limit=x", 0, 10),
        ] {
            assert_eq!(page(&query(text)), Ok(Page { offset, limit }), "{text}");
        }
        for (text, field) in [
            ("limit=0", "limit"),
            ("limit=-1", "limit"),
            ("limit=ten", "limit"),
            ("limit=1.5", "limit"),
            ("limit=%2B5", "limit"),
            ("limit=5+", "limit"),
            ("limit=%D9%A1", "limit"),
            ("offset=-1", "offset"),
            ("offset=1e3", "offset"),
            ("offset=x&limit=5", "offset"),
        ] {
            assert_eq!(page(&query(text)).unwrap_err().field, field, "{text}");
        }
    }

    #[test]
    fn search_has_a_former_name_and_may_be_blank() {
        let words = |text: &str| Words::of(text).unwrap();
        for (text, expected) in [
            ("searchQuery=caf%C3%A9+noir", words("café noir")),
            ("search%5Bdefault%5D%5Bcontains%5D=nami", words("nami")),
            ("search[default][contains]=nami", words("nami")),
            ("searchQuery=inox&search[default][contains]=nami", words("inox")),
            ("searchQuery=&search[default][contains]=nami", words("nami")),
            ("searchQuery=+", None),
            ("idCategory=", None),
        ] {
            assert_eq!(wanted(&query(text)), Ok(Wanted { category: None, query: expected }), "{text}");
        }
        let many: String = (0..33).map(|n| format!("w{n}+")).collect();
        assert_eq!(wanted(&query(&format!("searchQuery={many}"))).unwrap_err().field, "searchQuery");
    }

    #[test]
    fn category_that_cannot_be_one_is_none_of_them() {
        for (text, expected) in [("idCategory=123", 123), ("idCategory=abc", NO_CATEGORY), ("idCategory=-1", NO_CATEGORY)] {
            assert_eq!(wanted(&query(text)).unwrap().category, Some(expected), "{text}");
        }
        assert_eq!((parent(&query("idParent=7")), parent(&query("idParent=")), parent(&query(""))), (Some(7), None, None));
    }

    #[test]
    fn rows_are_those_of_the_examples() {
        let product = Product {
            id: 501,
            title: "Bouilloire électrique Nami 1,7 l".to_owned(),
            url: "https://boutique.example/p/501".to_owned(),
            image_url: "https://boutique.example/img/501.jpg".to_owned(),
            price: "49,90 €".to_owned(),
            reference: "NAM-17-IX".to_owned(),
            description: "Inox, arrêt automatique, filtre lavable.".to_owned(),
            short_description: None,
            brand: Some("Nami".to_owned()),
            available: Some(true),
            promotion_price: Some("39,90 €".to_owned()),
            special_price: None,
            categories: vec![11],
        };
        let expected = json!({"id": 501, "title": "Bouilloire électrique Nami 1,7 l", "productUrl": "https://boutique.example/p/501",
            "brand": "Nami", "description": "Inox, arrêt automatique, filtre lavable.", "shortDescription": null, "available": true,
            "imageUrl": "https://boutique.example/img/501.jpg", "reference": "NAM-17-IX", "priceCatalog": "49,90 €",
            "pricePromotion": "39,90 €", "priceSpecial": null});
        assert_eq!(serde_json::to_value(ProductRow::of(product.clone(), false)).unwrap(), expected);
        let unknown = ProductRow::of(Product { available: None, ..product }, true);
        let unknown = serde_json::to_value(unknown).unwrap();
        assert_eq!((&unknown["id"], unknown.get("available")), (&json!("501"), None));

        let category = Category { id: 11, parent: Some(10), label: "Bouilloires".to_owned() };
        let listed = Listed { category, products: 3 };
        let row = |as_strings| serde_json::to_value(CategoryRow::of(listed.clone(), as_strings)).unwrap();
        let expected = json!({"id": 11, "idParent": 10, "label": "Bouilloires", "products": null, "productsCount": 3});
        assert_eq!(row(false), expected);
        assert_eq!((&row(true)["id"], &row(true)["idParent"]), (&json!("11"), &json!("10")));
    }
}
