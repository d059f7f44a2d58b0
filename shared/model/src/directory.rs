//! Who is connected: tenants, their accounts and their routing rules, as the operator configured them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AccountId, EpochMillis, Platform, Slug, TenantId};

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
    /// What the platform's crate reads; opaque here but for `app` and `channel_uid`.
    pub settings: serde_json::Value,
    /// What was made on the platform when the business connected the account. Not the operator's: configuring leaves it as it
    /// is.
    #[serde(default)]
    pub installed: Option<Installed>,
}

impl Account {
    /// The account under whose address the platform calls and whose secrets count for this one: the setting `app`, this
    /// account itself without it.
    #[must_use]
    pub fn app(&self) -> AccountId {
        let named = self.settings.get("app").and_then(serde_json::Value::as_str);
        match named.and_then(|key| key.parse::<Slug>().ok()) {
            Some(key) => AccountId::new(self.id.platform(), key),
            None => self.id.clone(),
        }
    }

    /// The platform's id of the installation that messages go through: the one that is configured, else the one that was made.
    #[must_use]
    pub fn installation(&self) -> Option<&str> {
        let configured = self.settings.get("channel_uid").and_then(serde_json::Value::as_str);
        configured.or_else(|| self.installed.as_ref()?.id.as_deref())
    }

    /// Whether messages for the account wait until its business connects it.
    #[must_use]
    pub fn lacks_installation(&self) -> bool {
        match self.id.platform() {
            Platform::Vcita => self.installation().is_none(),
            Platform::Ctrader | Platform::Frontstage | Platform::Iadvize | Platform::Roxchat => false,
        }
    }
}

/// An installation that was made on the platform for an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// The platform's id of it; `None` while it is being made.
    pub id: Option<String>,
    /// How far it is.
    pub phase: InstallPhase,
    /// Since when.
    pub since: EpochMillis,
}

/// How far an installation is. Whether messages may go through it says the platform's own status, which is stored apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstallPhase {
    /// Somebody is making it.
    Claimed,
    /// It was made, and is to become active by itself.
    Pending,
    /// It did not, and was asked to.
    Asked,
    /// It did not then either: somebody has to look.
    Unanswered,
    /// It became active.
    Live,
    /// It is over here, and still to be removed on the platform.
    Closing,
    /// It is over.
    Closed,
}

impl InstallPhase {
    /// Whether it is over here.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Closing | Self::Closed)
    }
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
    /// An account uses the address and secrets of one that this tenant does not have.
    #[error("the app {app} of {account} is not an account of this tenant")]
    UnknownApp {
        /// The account.
        account: AccountId,
        /// What it names.
        app: AccountId,
    },
    /// An account uses the address and secrets of one that uses another's itself.
    #[error("the app {app} of {account} has an app itself")]
    AppOfApp {
        /// The account.
        account: AccountId,
        /// What it names.
        app: AccountId,
    },
    /// Two accounts of one app would have the same installation.
    #[error("{0} and {1} of one app have the same channel")]
    SameInstallation(AccountId, AccountId),
}

impl Directory {
    /// The desk of a new conversation of `tenant` whose visitor writes through `visitor`.
    #[must_use]
    pub fn desk_for(&self, tenant: &TenantId, visitor: &AccountId) -> Option<&AccountId> {
        let routes = &self.tenants.get(tenant)?.routes;
        routes.iter().find(|route| route.when.matches(visitor)).map(|route| &route.desk)
    }

    /// What is there with `tenant` and `accounts` in place of what they were. An account's salt stays what it was first, and
    /// what is installed for it is not configured.
    #[must_use]
    pub fn with(&self, tenant: &Tenant, accounts: &[Account]) -> Self {
        let mut next = self.clone();
        next.tenants.insert(tenant.id.clone(), tenant.clone());
        for account in accounts {
            let known = self.accounts.get(&account.id);
            let salt = known.map_or(&account.salt, |known| &known.salt).clone();
            let installed = known.and_then(|known| known.installed.clone());
            next.accounts.insert(account.id.clone(), Account { salt, installed, ..account.clone() });
        }
        next
    }

    /// The accounts that are reached under the address of `app`, in the order of their ids: those of its tenant that name it,
    /// and the account itself.
    pub fn accounts_of<'a>(&'a self, app: &'a AccountId) -> impl Iterator<Item = &'a Account> {
        let tenant = self.accounts.get(app).map(|account| &account.tenant);
        self.accounts.values().filter(move |account| Some(&account.tenant) == tenant && account.app() == *app)
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
        self.check_apps(&tenant.id, accounts)
    }

    /// Checks the accounts of a tenant as they will be with `accounts`: their apps, and that no two of an app share an
    /// installation.
    fn check_apps(&self, tenant: &TenantId, accounts: &[Account]) -> Result<(), DirectoryProblem> {
        let stored = self.accounts.iter().filter(|(_, account)| account.tenant == *tenant);
        let mut all: BTreeMap<&AccountId, Account> = stored.map(|(id, account)| (id, account.clone())).collect();
        for account in accounts {
            // What was made on the platform stays.
            let installed = self.accounts.get(&account.id).and_then(|known| known.installed.clone());
            all.insert(&account.id, Account { installed, ..account.clone() });
        }
        let mut installations = BTreeMap::new();
        for account in all.values() {
            let app = account.app();
            match all.get(&app) {
                None => return Err(DirectoryProblem::UnknownApp { account: account.id.clone(), app }),
                Some(named) if named.app() != app => {
                    return Err(DirectoryProblem::AppOfApp { account: account.id.clone(), app });
                }
                Some(_) => {}
            }
            let Some(installation) = account.installation() else { continue };
            if let Some(other) = installations.insert((app, installation), &account.id) {
                return Err(DirectoryProblem::SameInstallation(other.clone(), account.id.clone()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str, tenant: &str) -> Account {
        Account {
            id: id.parse().unwrap(),
            tenant: tenant.parse().unwrap(),
            salt: "s".into(),
            settings: serde_json::Value::Null,
            installed: None,
        }
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
    fn accounts_of_one_app_are_of_its_tenant_and_do_not_share_a_channel() {
        let of = |id: &str, settings: serde_json::Value| Account { settings, ..account(id, "demo") };
        let app = of("vcita/app", serde_json::json!({"channel_uid": "c-1"}));
        let two = of("vcita/two", serde_json::json!({"app": "app"}));
        let demo = tenant(serde_json::json!([]));
        let directory = Directory { accounts: [(app.id.clone(), app.clone())].into(), ..Directory::default() };
        assert_eq!(directory.check(&demo, std::slice::from_ref(&two)), Ok(()));
        let same = of("vcita/two", serde_json::json!({"app": "app", "channel_uid": "c-1"}));
        let problem = DirectoryProblem::SameInstallation(app.id.clone(), same.id.clone());
        assert_eq!(directory.check(&demo, std::slice::from_ref(&same)), Err(problem));
        // What was made counts as what is configured, and another app's channels are other ones.
        let made = Installed { id: Some("c-1".to_owned()), phase: InstallPhase::Live, since: EpochMillis::new(0) };
        let made = Account { installed: Some(made), ..two.clone() };
        let stored = Directory { accounts: [(made.id.clone(), made)].into(), ..Directory::default() };
        assert!(matches!(stored.check(&demo, &[app.clone(), two.clone()]), Err(DirectoryProblem::SameInstallation(..))));
        assert_eq!(directory.check(&demo, &[of("vcita/three", serde_json::json!({"channel_uid": "c-1"}))]), Ok(()));

        let unknown = DirectoryProblem::UnknownApp { account: two.id.clone(), app: app.id.clone() };
        assert_eq!(Directory::default().check(&demo, std::slice::from_ref(&two)), Err(unknown));
        let theirs = Account { tenant: "other".parse().unwrap(), ..app.clone() };
        let foreign = Directory { accounts: [(theirs.id.clone(), theirs)].into(), ..Directory::default() };
        assert!(matches!(foreign.check(&demo, std::slice::from_ref(&two)), Err(DirectoryProblem::UnknownApp { .. })));
        assert_eq!(foreign.accounts_of(&app.id).count(), 1);
        let chain = of("vcita/three", serde_json::json!({"app": "two"}));
        assert!(matches!(directory.check(&demo, &[two, chain]), Err(DirectoryProblem::AppOfApp { .. })));
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
