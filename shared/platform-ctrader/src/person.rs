//! Who the user of a screen is.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The user of a brand, by cTrader's user id: with the brand the only key of a person (section 11, "Who the user is").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Person(i64);

impl Person {
    /// The user of this id.
    #[must_use]
    pub const fn new(user_id: i64) -> Self {
        Self(user_id)
    }

    /// The id as cTrader writes it.
    #[must_use]
    pub const fn user_id(self) -> i64 {
        self.0
    }

    /// The address under which this person's results stand in their brand's own conversations.
    #[must_use]
    pub fn results(self) -> String {
        format!("{}/results", self.0)
    }

    /// The group of this person's records, which says nothing about them to whoever does not know the brand's salt.
    #[must_use]
    pub fn group(self, salt: &str) -> String {
        hashed(&format!("{salt}/user/{}", self.0))
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// SHA-256 in hexadecimal: how tokens stand in keys (section 11, "Token storage").
#[must_use]
pub fn hashed(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
