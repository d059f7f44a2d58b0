//! Who is connected: tenants, their accounts and their routing rules, as the operator configured them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AccountId, Platform, TenantId};

/// A tenant and its routing rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Tried in order; the first that matches chooses the desk of a new conversation.
    #[serde(default)]
    pub routes: Vec<Route>,
}

/// A routing rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Which conversations it is for; empty is for all.
    #[serde(default)]
    pub when: RouteWhen,
    /// The account whose staff answers them.
    pub desk: AccountId,
}

/// The conditions of a rule. All that are given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteWhen {
    /// The visitor's platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The account the visitor writes through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
}

impl RouteWhen {
    fn matches(&self, visitor: &AccountId) -> bool {
        self.platform.is_none_or(|p| p == visitor.platform()) && self.account.as_ref().is_none_or(|a| a == visitor)
    }
}

/// A tenant's installation on a platform, without its secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Platform and routing key.
    pub id: AccountId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Random text, drawn once when the account is created: keeps conversation ids from being guessed from addresses.
    pub salt: String,
    /// What the platform's crate reads; opaque here.
    pub settings: serde_json::Value,
}

impl Account {
    /// How visitors see whoever of this account's people answers them, where the account says so: `staff_name` in its settings,
    /// whatever the platform.
    #[must_use]
    pub fn staff_name(&self) -> Option<&str> {
        self.settings.get("staff_name").and_then(serde_json::Value::as_str).filter(|name| !name.is_empty())
    }
}

/// Everything that is configured, as one function holds it in memory.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Directory {
    /// Accounts by id.
    pub accounts: BTreeMap<AccountId, Account>,
    /// Tenants by id.
    pub tenants: BTreeMap<TenantId, Tenant>,
}

/// Why a configuration was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryProblem {
    /// An account already belongs to another tenant.
    #[error("account {0} belongs to another tenant")]
    ForeignAccount(AccountId),
    /// A rule names a desk that this tenant does not have.
    #[error("the desk {0} of a route is not an account of this tenant")]
    UnknownDesk(AccountId),
    /// A rule is conditioned on an account that this tenant does not have.
    #[error("the account {0} of a route's condition is not an account of this tenant")]
    UnknownRouteAccount(AccountId),
}

impl Directory {
    /// The desk of a new conversation of `tenant` whose visitor writes through `visitor`.
    #[must_use]
    pub fn desk_for(&self, tenant: &TenantId, visitor: &AccountId) -> Option<&AccountId> {
        let routes = &self.tenants.get(tenant)?.routes;
        routes.iter().find(|route| route.when.matches(visitor)).map(|route| &route.desk)
    }

    /// What is there with `tenant` and `accounts` in place of what they were. An account's salt stays what it was first.
    #[must_use]
    pub fn with(&self, tenant: &Tenant, accounts: &[Account]) -> Self {
        let mut next = self.clone();
        next.tenants.insert(tenant.id.clone(), tenant.clone());
        for account in accounts {
            let salt = self.accounts.get(&account.id).map_or(&account.salt, |known| &known.salt).clone();
            next.accounts.insert(account.id.clone(), Account { salt, ..account.clone() });
        }
        next
    }

    /// Checks that `tenant` with `accounts` can be added to what is there.
    ///
    /// # Errors
    /// The first [`DirectoryProblem`] found.
    pub fn check(&self, tenant: &Tenant, accounts: &[Account]) -> Result<(), DirectoryProblem> {
        for account in accounts {
            if self.accounts.get(&account.id).is_some_and(|known| known.tenant != tenant.id) {
                return Err(DirectoryProblem::ForeignAccount(account.id.clone()));
            }
        }
        let owns =
            |id: &AccountId| accounts.iter().any(|a| a.id == *id) || self.accounts.get(id).is_some_and(|a| a.tenant == tenant.id);
        for route in &tenant.routes {
            if !owns(&route.desk) {
                return Err(DirectoryProblem::UnknownDesk(route.desk.clone()));
            }
            if let Some(account) = route.when.account.as_ref().filter(|a| !owns(a)) {
                return Err(DirectoryProblem::UnknownRouteAccount(account.clone()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str, tenant: &str) -> Account {
        Account { id: id.parse().unwrap(), tenant: tenant.parse().unwrap(), salt: "s".into(), settings: serde_json::Value::Null }
    }

    fn tenant(routes: serde_json::Value) -> Tenant {
        serde_json::from_value(serde_json::json!({"id": "demo", "routes": routes})).unwrap()
    }

    #[test]
    fn first_matching_route_wins() {
        let demo = tenant(serde_json::json!([
            {"when": {"account": "frontstage/vip"}, "desk": "vcita/gold"},
            {"when": {"platform": "frontstage"}, "desk": "vcita/demo"},
            {"desk": "vcita/rest"}
        ]));
        let directory = Directory { tenants: [(demo.id.clone(), demo.clone())].into(), ..Directory::default() };
        let desk = |visitor: &str| directory.desk_for(&demo.id, &visitor.parse().unwrap()).map(ToString::to_string);
        assert_eq!(desk("frontstage/vip").as_deref(), Some("vcita/gold"));
        assert_eq!(desk("frontstage/gw").as_deref(), Some("vcita/demo"));
        assert_eq!(desk("vcita/x").as_deref(), Some("vcita/rest"));
        assert_eq!(directory.desk_for(&"other".parse().unwrap(), &"frontstage/gw".parse().unwrap()), None);
    }

    #[test]
    fn a_tenant_can_neither_take_nor_route_to_a_foreign_account() {
        let theirs = account("vcita/theirs", "other");
        let directory = Directory { accounts: [(theirs.id.clone(), theirs.clone())].into(), ..Directory::default() };
        let mine = tenant(serde_json::json!([{"desk": "vcita/theirs"}]));
        assert_eq!(directory.check(&mine, &[]), Err(DirectoryProblem::UnknownDesk(theirs.id.clone())));
        let grab = account("vcita/theirs", "demo");
        assert_eq!(directory.check(&mine, &[grab]), Err(DirectoryProblem::ForeignAccount(theirs.id)));
        assert_eq!(Directory::default().check(&mine, &[account("vcita/theirs", "demo")]), Ok(()));
    }

    #[test]
    fn what_is_configured_replaces_what_was_and_keeps_its_salt_and_all_others() {
        let (one, other) = (account("vcita/one", "demo"), account("vcita/other", "demo"));
        let before = Directory::default().with(&tenant(serde_json::json!([])), &[one.clone(), other.clone()]);
        let changed = Account { salt: "new".into(), settings: serde_json::json!({"a": 1}), ..one };
        let after = before.with(&tenant(serde_json::json!([{"desk": "vcita/one"}])), std::slice::from_ref(&changed));
        assert_eq!(after.accounts[&changed.id], Account { salt: "s".into(), ..changed });
        assert_eq!(after.accounts[&other.id], other);
        assert_eq!(after.desk_for(&other.tenant, &other.id).map(ToString::to_string).as_deref(), Some("vcita/one"));
        assert_eq!(before.desk_for(&other.tenant, &other.id), None);
    }

    #[test]
    fn a_misspelt_member_is_refused_and_not_a_rule_for_everybody() {
        for misspelt in [
            serde_json::json!({"id": "demo", "routs": []}),
            serde_json::json!({"id": "demo", "routes": [{"wen": {"platform": "frontstage"}, "desk": "vcita/demo"}]}),
            serde_json::json!({"id": "demo", "routes": [{"when": {"acount": "frontstage/gw"}, "desk": "vcita/demo"}]}),
        ] {
            let refused = serde_json::from_value::<Tenant>(misspelt.clone());
            assert!(refused.is_err_and(|error| error.to_string().starts_with("unknown field")), "{misspelt}");
        }
    }
}
