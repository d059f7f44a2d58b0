//! The parameters of a signed call (section 3.2).

use url::form_urlencoded;
use wire::{RawRequest, Verified};

/// The query of a request, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query of a request whose signature fits.
    #[must_use]
    pub fn of(request: &Verified<RawRequest>) -> Self {
        Self(form_urlencoded::parse(request.get().query.as_bytes()).into_owned().collect())
    }

    /// A parameter. Of several of the same name the first counts; an empty one is as if it were not there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use testkit::fixtures::get;

    use super::*;

    fn query(text: &str) -> Query {
        Query::of(&Verified::vouch(get("/iadvize/customer", text)))
    }

    #[test]
    fn first_value_counts_and_an_empty_one_is_none() {
        let query = query("emailVisitor=ada%40example.org&a=1&a=2&idVisitorExternal=&searchQuery=caf%C3%A9+noir&x&=y");
        assert_eq!(query.get("emailVisitor"), Some("ada@example.org"));
        assert_eq!(
            (query.get("a"), query.get("idVisitorExternal"), query.get("x"), query.get("z")),
            (Some("1"), None, None, None)
        );
        assert_eq!(query.get("searchQuery"), Some("café noir"));
    }
}
