//! Somebody of a brand of cTrader, as operators name them.

use model::{Account, AccountId, Directory, Platform};
use platform_ctrader::{Brand, Person};
use serde_json::Value;

use crate::refused;

/// A user of a brand.
pub(crate) struct Trader<'a> {
    /// The brand's account.
    pub(crate) account: &'a Account,
    /// Its settings.
    pub(crate) brand: Brand,
    person: Person,
}

impl<'a> Trader<'a> {
    /// The user of this id, or the answer to whoever named a brand that is none.
    pub(crate) fn find(directory: &'a Directory, brand: &AccountId, user_id: i64) -> Result<Self, Value> {
        if brand.platform() != Platform::Ctrader {
            return Err(refused("invalid", format_args!("{brand} is no brand of cTrader")));
        }
        let account =
            directory.accounts.get(brand).ok_or_else(|| refused("unknown", format_args!("{brand} is not configured")))?;
        let settings = Brand::of(account).map_err(|error| refused("invalid", error))?;
        Ok(Self { account, brand: settings, person: Person::new(user_id) })
    }

    /// The group of their records.
    pub(crate) fn group(&self) -> String {
        self.person.group(&self.account.salt)
    }

    /// The address of their results.
    pub(crate) fn results(&self) -> String {
        self.person.results()
    }

    /// The thread of their chats.
    pub(crate) fn thread(&self) -> String {
        app::thread_of_user(self.account, &self.person.to_string())
    }
}
