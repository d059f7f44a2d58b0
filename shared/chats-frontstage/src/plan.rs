//! What configuration says about the chats of a gateway.

use std::sync::Arc;
use std::time::Duration;

use app::chats::{ChatPlan, ChatWords, DeskPlan};
use model::{Account, AccountId, Directory, Platform};
use platform_frontstage::{AccountSettings, DeskSettings, Settings};

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
        .filter(|desk| desk.tenant == account.tenant);
    let own_desk = desk_account.and_then(desk_settings);
    // A gateway of this platform is nobody who could answer.
    let desk_account = desk_account.filter(|desk| own_desk.is_some() || desk.id.platform() != Platform::Frontstage);
    let desk = desk_account.map(|desk| DeskPlan {
        account: desk.id.clone(),
        agents: own_desk.as_ref().map(DeskSettings::views),
        // When another platform's staff is there is not known here: the chat waits for them.
        is_open: own_desk.as_ref().is_none_or(|desk| desk.is_open),
    });
    Some(ChatPlan {
        policy: chat.policy(own_desk.as_ref().map(|desk| desk.max_signal_duration)),
        gate: chat.gate,
        skill: Some(chat.skill),
        desk,
        list_recently: chat.list_recently_closed.then_some(RECENTLY),
        is_pushed: chat.is_pushed,
        words: Arc::new(Words { gateway: Some(settings), desk: own_desk }),
    })
}

/// The words in which agents of a desk are told what is about no chat of one gateway alone.
#[must_use]
pub fn desk_words(desk: &DeskSettings) -> impl ChatWords {
    Words { gateway: None, desk: Some(desk.clone()) }
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
        Platform::Vcita => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn directory(chat: Value, desk: &str) -> Directory {
        let account = |id: &str, settings: Value| {
            let id: AccountId = id.parse().unwrap();
            (id.clone(), Account { id, tenant: "demo".parse().unwrap(), salt: "s".into(), settings })
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
    fn desk_of_our_own_brings_its_agents_and_its_pace() {
        let plan = planned(chat(), "frontstage/desk").unwrap();
        assert_eq!((plan.policy.alert, plan.list_recently), (Duration::from_secs(20), Some(Duration::from_secs(600))));
        let desk = plan.desk.unwrap();
        assert_eq!((desk.account.to_string().as_str(), desk.is_open), ("frontstage/desk", false));
        let agents = desk.agents.unwrap();
        assert_eq!((agents[0].name.as_str(), agents[0].capacity, agents[0].chats), ("Jana", 2, 0));
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
