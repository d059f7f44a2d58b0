//! What configuration says about the chats of a gateway.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use app::chats::{ChatPlan, ChatWords, DeskPlan, Register};
use chat::Desk;
use chat::script::Script;
use chat::texts::Target;
use model::{Account, AccountId, Directory, Platform, TenantId};
use platform_frontstage::{AccountSettings, DeskSettings, OutBody, RegisterQuestion, Settings};

use crate::words::Words;

/// For how long `ListRecentlyClosed` names closed chats (5.5).
const RECENTLY: Duration = Duration::from_secs(600);

/// The plan of a gateway's chats at a desk of its tenant, or, without one, at the desk that a route of the tenant names;
/// `None` if the gateway is not configured for any.
#[must_use]
pub fn plan(directory: &Directory, gateway: &AccountId, at: Option<&AccountId>) -> Option<ChatPlan> {
    let account = directory.accounts.get(gateway)?;
    let settings = gateway_settings(account)?;
    let chat = settings.chat.clone()?;
    let desk_account = at
        .or_else(|| directory.desk_for(&account.tenant, gateway))
        .and_then(|id| directory.accounts.get(id))
        .filter(|desk| desk.tenant == account.tenant && is_desk(desk));
    let own_desk = desk_account.and_then(desk_settings);
    let desk = desk_account.map(|desk| desk_plan(desk, own_desk.as_ref()));
    let mut others = Vec::new();
    let mut other_desks = BTreeMap::new();
    let scripted = chat.script.iter().flat_map(Script::targets).map(|(_, target)| target);
    let targets = scripted.chain(chat.waiting_rules.targets().map(|(_, target)| target));
    for id in named(targets, desk_account.map(|desk| &desk.id)) {
        // Nobody hands over to another tenant, nor to an account that answers nothing.
        let Some(named) = directory.accounts.get(id).filter(|named| named.tenant == account.tenant && is_desk(named)) else {
            continue;
        };
        let own = desk_settings(named);
        others.push(desk_plan(named, own.as_ref()));
        other_desks.extend(own.map(|own| (id.clone(), own)));
    }
    let mut policy = chat.policy(own_desk.as_ref().map(|desk| desk.max_signal_duration));
    policy.default_desk = chat.default_skill.filter(|_| own_desk.is_some()).map(Desk::Agents);
    Some(ChatPlan {
        policy,
        gate: chat.gate,
        skill: chat.skill,
        desk,
        others,
        script: chat.script,
        waiting_rules: chat.waiting_rules,
        list_recently: chat.list_recently_closed.then_some(RECENTLY),
        is_pushed: chat.is_pushed,
        words: Arc::new(Words { gateway: Some(settings), desk: own_desk, other_desks, configuration: None }),
    })
}

/// The accounts that rules name, each once, without the gateway's own desk.
fn named<'a>(targets: impl Iterator<Item = &'a Target>, own: Option<&AccountId>) -> BTreeSet<&'a AccountId> {
    targets.filter_map(|target| target.desk.as_ref()).filter(|id| Some(*id) != own).collect()
}

/// A desk; without settings it is another platform's.
fn desk_plan(desk: &Account, own: Option<&DeskSettings>) -> DeskPlan {
    DeskPlan {
        account: desk.id.clone(),
        agents: own.map(DeskSettings::views),
        // When another platform's staff is there is not known here: the chat waits for them.
        is_open: own.is_none_or(|desk| desk.is_open),
        staff_name: desk.staff_name().map(str::to_owned),
    }
}

/// Whether chats can be given to this account: a desk of our own, or another platform's staff.
fn is_desk(account: &Account) -> bool {
    match account.id.platform() {
        Platform::Frontstage => desk_settings(account).is_some(),
        Platform::Vcita => true,
        Platform::Ctrader | Platform::Iadvize | Platform::Roxchat => false,
    }
}

/// Checks that the desks named by a gateway's script and rules of waiting are there, in `directory` as it is to be.
///
/// # Errors
/// The member that names one that is not, and why.
pub fn check_desks(directory: &Directory, account: &Account) -> Result<(), String> {
    let Some(chat) = gateway_settings(account).and_then(|settings| settings.chat) else { return Ok(()) };
    let scripted = chat.script.iter().flat_map(Script::targets);
    let scripted = scripted.map(|(node, target)| (format!("script: node {node}: hand_over"), target));
    let rules = chat.waiting_rules.targets().map(|(place, target)| (format!("waiting_rules[{place}]: hand_over"), target));
    for (member, target) in scripted.chain(rules) {
        let Some(id) = &target.desk else { continue };
        let named = directory.accounts.get(id).filter(|named| named.tenant == account.tenant);
        let named = named.ok_or_else(|| format!("chat: {member}: {id} is not an account of this tenant: configure it first"))?;
        if !is_desk(named) {
            return Err(format!("chat: {member}: {id} is no desk"));
        }
    }
    Ok(())
}

/// Checks that screens of another platform can bring their visitors' chats to this gateway of `tenant`, in `directory` as it is to
/// be.
///
/// # Errors
/// Why they cannot.
pub fn check_screen(directory: &Directory, tenant: &TenantId, gateway: &AccountId) -> Result<(), String> {
    let account = directory.accounts.get(gateway).filter(|account| account.tenant == *tenant);
    let account = account.ok_or_else(|| format!("{gateway} is not an account of this tenant: configure it first"))?;
    match gateway_settings(account) {
        Some(settings) if settings.is_screen => Ok(()),
        Some(_) | None => Err(format!("{gateway} is no gateway with \"screen\": true")),
    }
}

/// Checks that a platform whose own conversations end can bring visitors to this gateway of `tenant`, as [`check_screen`] does, and that
/// what is over there stays over.
///
/// # Errors
/// Why it cannot.
pub fn check_ended_screen(directory: &Directory, tenant: &TenantId, gateway: &AccountId) -> Result<(), String> {
    check_screen(directory, tenant, gateway)?;
    let chat = directory.accounts.get(gateway).and_then(gateway_settings).and_then(|settings| settings.chat);
    match chat.and_then(|chat| chat.tracking_inertia) {
        Some(_) => Err(format!("{gateway} has a tracking_inertia: who writes after the end would go on in the same chat")),
        None => Ok(()),
    }
}

/// The words in which agents of a desk are told what is about no chat of one gateway alone.
#[must_use]
pub fn desk_words(desk: &DeskSettings) -> impl ChatWords {
    Words { gateway: None, desk: Some(desk.clone()), other_desks: BTreeMap::new(), configuration: None }
}

/// The register that a gateway asked for by this question, as it is configured; `None` if no connector of it copies any.
#[must_use]
pub fn register(directory: &Directory, gateway: &AccountId, question: &str) -> Option<Register> {
    let settings = gateway_settings(directory.accounts.get(gateway)?).filter(|settings| !settings.is_looked_at())?;
    let told = settings.registers().ok()?.told(&RegisterQuestion::parse(question)?);
    Some(Register {
        fingerprint: told.fingerprint(),
        is_pushed: settings.is_pushed(),
        words: Box::new(configuration_words(&settings, told)),
    })
}

/// The words in which a gateway's connector is told something of the configuration.
#[must_use]
pub fn configuration_words(gateway: &Settings, told: OutBody) -> impl ChatWords + use<> {
    Words { gateway: Some(gateway.clone()), desk: None, other_desks: BTreeMap::new(), configuration: Some(told) }
}

fn gateway_settings(account: &Account) -> Option<Settings> {
    match settings(account)? {
        AccountSettings::Gateway(settings) => Some(*settings),
        AccountSettings::Desk(_) => None,
    }
}

fn desk_settings(account: &Account) -> Option<DeskSettings> {
    settings(account)?.into_desk()
}

/// The settings of an account of this platform. Those that cannot be read were refused when they were configured.
fn settings(account: &Account) -> Option<AccountSettings> {
    match account.id.platform() {
        Platform::Frontstage => AccountSettings::of(account).ok(),
        Platform::Ctrader | Platform::Iadvize | Platform::Roxchat | Platform::Vcita => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn directory(chat: Value, desk: &str) -> Directory {
        let account = |id: &str, settings: Value| {
            let id: AccountId = id.parse().unwrap();
            (id.clone(), Account { id, tenant: "demo".parse().unwrap(), salt: "s".into(), settings, installed: None })
        };
        let agents = json!([{"id": "aaaaaaaa-0000-4000-8000-000000000101", "name": "Jana", "workplaces": ["101"],
                             "skills": [{"project": "sales"}], "capacity": 2}]);
        let accounts = [
            account("frontstage/gw-chat", json!({"peer_address": "!DemoLink", "push_url": "https://a.example/", "chat": chat})),
            account(
                "frontstage/desk",
                json!({"desk": {"workplaces": [{"number": "101"}], "agents": agents, "max_signal_duration": 20, "open": false}}),
            ),
            account("vcita/demo", json!({})),
        ];
        let tenant = serde_json::from_value(json!({"id": "demo", "routes": [{"desk": desk}]})).unwrap();
        Directory { accounts: accounts.into(), tenants: [("demo".parse().unwrap(), tenant)].into() }
    }

    fn chat() -> Value {
        json!({"channel": "WebIM", "direction": "I", "project": "sales", "list_recently_closed": true})
    }

    fn planned(chat: Value, desk: &str) -> Option<ChatPlan> {
        plan(&directory(chat, desk), &"frontstage/gw-chat".parse().unwrap(), None)
    }

    #[test]
    fn register_is_read_for_gateways_of_connectors_only() {
        let mut directory = directory(chat(), "frontstage/desk");
        let is_pushed = |directory: &Directory, id: &str, question: &str| {
            register(directory, &id.parse().unwrap(), question).map(|register| register.is_pushed)
        };
        assert_eq!(is_pushed(&directory, "frontstage/gw-chat", "routing"), Some(false));
        assert_eq!(is_pushed(&directory, "frontstage/gw-chat", "literals/102/cs"), Some(false));
        for (id, question) in [
            ("frontstage/gw-chat", "weather"),
            ("frontstage/desk", "routing"),
            ("vcita/demo", "routing"),
            ("frontstage/gone", "routing"),
        ] {
            assert_eq!(is_pushed(&directory, id, question), None, "{id} {question}");
        }
        let gateway = directory.accounts.get_mut(&"frontstage/gw-chat".parse().unwrap()).unwrap();
        gateway.settings["chat"]["delivery"] = json!("push");
        assert_eq!(is_pushed(&directory, "frontstage/gw-chat", "routing"), Some(true));
        let gateway = directory.accounts.get_mut(&"frontstage/gw-chat".parse().unwrap()).unwrap();
        gateway.settings["chat"]["delivery"] = json!("poll");
        gateway.settings["website"] = json!({});
        assert_eq!(is_pushed(&directory, "frontstage/gw-chat", "routing"), None);
    }

    #[test]
    fn desk_of_our_own_brings_its_agents_and_its_pace() {
        let plan = planned(chat(), "frontstage/desk").unwrap();
        assert_eq!((plan.policy.alert, plan.list_recently), (Duration::from_secs(20), Some(Duration::from_secs(600))));
        let desk = plan.desk.unwrap();
        assert_eq!((desk.account.to_string().as_str(), desk.is_open), ("frontstage/desk", false));
        let agents = desk.agents.unwrap();
        assert_eq!((agents[0].name.as_str(), agents[0].capacity, agents[0].chats), ("Jana", 2, 0));
    }

    #[test]
    fn rows_12_and_14_desks_that_rules_name_are_known_with_their_agents() {
        let mut with_rules = chat();
        with_rules["waiting_rules"] = json!([
            {"after": 10, "hand_over": "frontstage/desk"},
            {"after": 20, "hand_over": {"project": "help"}},
            {"after": 30, "hand_over": "frontstage/none"},
            {"after": 40, "hand_over": "frontstage/gw-chat"}
        ]);
        with_rules["script"] = json!({"robot": {"name": "Robin"}, "nodes": [
            {"name": "a", "say": "Hello", "then": {"hand_over": "vcita/demo"}}]});
        let others =
            |plan: ChatPlan| plan.others.iter().map(|desk| (desk.account.to_string(), desk.agents.is_some())).collect::<Vec<_>>();
        let staff_first = planned(with_rules.clone(), "vcita/demo").unwrap();
        assert_eq!(others(staff_first), [("frontstage/desk".to_owned(), true)]);
        let agents_first = planned(with_rules.clone(), "frontstage/desk").unwrap();
        assert_eq!(others(agents_first), [("vcita/demo".to_owned(), false)]);
        let mut other_tenant = directory(with_rules, "frontstage/desk");
        other_tenant.accounts.get_mut(&"vcita/demo".parse().unwrap()).unwrap().tenant = "else".parse().unwrap();
        assert!(plan(&other_tenant, &"frontstage/gw-chat".parse().unwrap(), None).unwrap().others.is_empty());
    }

    #[test]
    fn row_11_default_project_is_for_a_desk_of_our_own() {
        let mut with_default = chat();
        with_default.as_object_mut().unwrap().remove("project");
        with_default["default_project"] = json!("help");
        let default = |desk| planned(with_default.clone(), desk).unwrap().policy.default_desk;
        let Some(Desk::Agents(skill)) = default("frontstage/desk") else { panic!() };
        assert_eq!((skill.project.to_string().as_str(), default("vcita/demo")), ("help", None));
    }

    #[test]
    fn staff_of_another_platform_brings_no_agents() {
        let desk = planned(chat(), "vcita/demo").unwrap().desk.unwrap();
        assert_eq!((desk.account.to_string().as_str(), desk.agents.is_none(), desk.is_open), ("vcita/demo", true, true));
    }

    #[test]
    fn gateway_without_chats_has_no_plan() {
        assert!(planned(Value::Null, "frontstage/desk").is_none());
        for other in ["frontstage/desk", "frontstage/none", "vcita/demo"] {
            assert!(plan(&directory(chat(), "frontstage/desk"), &other.parse().unwrap(), None).is_none(), "{other}");
        }
    }

    #[test]
    fn gateway_without_a_route_has_no_desk() {
        let mut directory = directory(chat(), "frontstage/desk");
        directory.tenants.clear();
        assert!(plan(&directory, &"frontstage/gw-chat".parse().unwrap(), None).unwrap().desk.is_none());
    }

    #[test]
    fn chat_elsewhere_than_its_gateway_s_route_has_the_plan_of_its_own_desk() {
        let at = |desk: &str| {
            let gateway = "frontstage/gw-chat".parse().unwrap();
            plan(&directory(chat(), "vcita/demo"), &gateway, Some(&desk.parse().unwrap())).unwrap()
        };
        let own = at("frontstage/desk");
        assert_eq!(own.policy.alert, Duration::from_secs(20));
        assert_eq!(own.desk.unwrap().agents.unwrap()[0].name, "Jana");
        assert!(at("vcita/demo").desk.unwrap().agents.is_none());
        for nobody in ["vcita/none", "frontstage/gw-chat"] {
            assert!(at(nobody).desk.is_none(), "{nobody}");
        }
    }

    #[test]
    fn desk_of_another_tenant_is_none() {
        let mut directory = directory(chat(), "frontstage/desk");
        directory.accounts.get_mut(&"vcita/demo".parse().unwrap()).unwrap().tenant = "rival".parse().unwrap();
        let at = "vcita/demo".parse().unwrap();
        assert!(plan(&directory, &"frontstage/gw-chat".parse().unwrap(), Some(&at)).unwrap().desk.is_none());
    }
}
