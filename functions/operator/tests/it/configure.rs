//! `operator-configure`.

use model::Directory;
use outbound_http::TargetPolicy;
use ports::DirectoryStore as _;
use serde_json::{Value, json};
use testkit::events;

use crate::world::{World, code};

/// What is configured, apart from the salts.
async fn stored(world: &World) -> Directory {
    let mut directory = world.store.directory().await.unwrap();
    let salt = events::configured().accounts.into_values().next().unwrap().salt;
    directory.accounts.values_mut().for_each(|account| account.salt.clone_from(&salt));
    directory
}

#[tokio::test]
async fn document_is_stored_as_it_is_and_its_repetition_changes_nothing() {
    let world = World::empty();
    let configured = json!({"configured": ["frontstage/gw-mail", "vcita/demo"]});
    assert_eq!(world.invoke("configure", "ok").await, configured);
    assert_eq!(world.store.operations(), ["directory", "configure"]);
    assert_eq!(stored(&world).await, events::configured());

    let before = world.store.directory().await.unwrap();
    let salts: Vec<_> = before.accounts.values().map(|account| account.salt.as_str()).collect();
    assert_eq!(salts, ["00000000000000000000000000000001", "00000000000000000000000000000002"]);
    assert_eq!(world.invoke("configure", "duplicate").await, configured);
    assert_eq!(world.store.directory().await.unwrap(), before);
}

#[tokio::test]
async fn document_that_cannot_be_used_is_refused_and_changes_nothing() {
    for (case, expected, message) in [
        ("malformed", "malformed", "missing field `tenant`"),
        ("unknown_member", "malformed", "unknown field `secrets`, expected `tenant` or `accounts`"),
        (
            "unknown_platform",
            "malformed",
            "unknown variant `pigeon`, expected one of `ctrader`, `frontstage`, `iadvize`, `roxchat`, `vcita`",
        ),
        ("unknown_desk", "invalid", "the desk vcita/nobody of a route is not an account of this tenant"),
        ("invalid_settings", "invalid", "account vcita/demo: vcita configuration: missing field `business_uid`"),
    ] {
        let world = World::empty();
        let answer = world.invoke("configure", case).await;
        assert_eq!(code(&answer), expected, "{case}");
        assert_eq!(answer["error"]["message"], message, "{case}");
        assert_eq!(world.store.counts().writes, 0, "{case}");
    }
}

#[tokio::test]
async fn gateway_with_a_web_site_is_stored_and_its_rules_must_compile() {
    let world = World::configured();
    let configured = json!({"configured": ["frontstage/gw-web", "frontstage/desk-web"]});
    assert_eq!(world.invoke("configure", "website").await, configured);

    let world = World::configured();
    let refused = world.invoke("configure", "invalid_forms").await;
    let why = "account frontstage/gw-web: scenarios[1]: has not the controls that it has in another language";
    assert_eq!((code(&refused), &refused["error"]["message"]), ("invalid", &json!(why)));

    let world = World::configured();
    let refused = world.invoke("configure", "invalid_website").await;
    let message = refused["error"]["message"].as_str().unwrap();
    let why = "account frontstage/gw-web: website: rule 77777777-7777-4777-8777-777777777777: PageUrlRegex: ";
    assert!(code(&refused) == "invalid" && message.starts_with(why), "{message}");
}

#[tokio::test]
async fn demo_tenant_of_the_local_stack_can_be_configured() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/stack/demo.json");
    let demo = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    // Its connectors are simulators on the same machine.
    let world = World { targets: TargetPolicy::LoopbackToo, ..World::empty() };
    let answer = world.try_invoke_with("configure", demo).await.unwrap();
    assert_eq!(answer["configured"].as_array().map(Vec::len), Some(16), "{answer}");
}

#[tokio::test]
async fn account_of_rox_chat_says_where_the_page_and_the_workspace_are() {
    let world = World::empty();
    let document = |change: &Value| {
        let mut settings = json!({"host_origin": "https://crm.acme.example", "workspace_url": "https://acme.rox.chat/"});
        for (name, value) in change.as_object().unwrap() {
            settings[name] = value.clone();
        }
        json!({"tenant": {"id": "demo"}, "accounts": [{"platform": "roxchat", "key": "acme", "settings": settings}]})
    };
    let answer =
        world.try_invoke_with("configure", document(&json!({"host_origin": "https://crm.acme.example/host"}))).await.unwrap();
    let why = "account roxchat/acme: Rox.Chat configuration: host_origin is not an origin such as https://crm.acme.example";
    assert_eq!((code(&answer), &answer["error"]["message"]), ("invalid", &json!(why)));
    let answer = world.try_invoke_with("configure", document(&json!({}))).await.unwrap();
    assert_eq!(answer, json!({"configured": ["roxchat/acme"]}));
}

/// What is said against a document of which one member was changed; `None` if it is stored.
async fn refusal(world: &World, case: &str, path: &str, value: &Value) -> Option<String> {
    let mut event: Value = events::event("operator-configure", case);
    let (parent, member) = path.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap()[member] = value.clone();
    let answer = world.try_invoke_with("configure", event).await.unwrap();
    answer["error"]["message"].as_str().map(|message| {
        assert_eq!(code(&answer), "invalid");
        message.to_owned()
    })
}

#[tokio::test]
async fn address_that_no_call_would_be_made_to_is_refused() {
    const PUBLIC: &str = "is not an https URL of a public address";
    const LOCAL: &str = "is neither an https URL of a public address nor one of this machine";
    for (url, public, local) in [
        ("https://connector.example/push", None, None),
        ("http://connector.example/push", Some(PUBLIC), Some(LOCAL)),
        ("https://10.0.0.1/", Some(PUBLIC), Some(LOCAL)),
        ("http://127.0.0.1:9102/", Some(PUBLIC), None),
        ("http://localhost:9102/", Some(PUBLIC), None),
    ] {
        for (targets, rule) in [(TargetPolicy::PublicHttps, public), (TargetPolicy::LoopbackToo, local)] {
            let world = World { targets, ..World::empty() };
            let refused = refusal(&world, "ok", "/accounts/0/settings/push_url", &json!(url)).await;
            assert_eq!(refused, rule.map(|rule| format!("account frontstage/gw-mail: push_url {rule}")), "{url} {targets:?}");
            let refused = refusal(&world, "ok", "/accounts/1/settings/api_base", &json!(url)).await;
            assert_eq!(refused, rule.map(|rule| format!("account vcita/demo: api_base {rule}")), "{url} {targets:?}");
            assert_eq!(world.store.counts().writes, if rule.is_some() { 0 } else { 2 }, "{url} {targets:?}");
        }
    }
}

#[tokio::test]
async fn message_of_a_web_site_needs_an_account_and_an_inbound_message_gateway_that_are_there() {
    const TEMPLATE: &str = "/accounts/0/settings/website/messages/99999999-0000-4000-8000-000000000003";
    const WRONG: &str = "account frontstage/gw-web: website: messages: 99999999-0000-4000-8000-000000000003: ";
    let world = World::configured();
    for (member, value, rule) in [
        ("account", "gw-lost", "account: frontstage/gw-lost is not an account of this tenant: configure it first"),
        ("account", "desk-web", "account: frontstage/desk-web is no gateway"),
        (
            "gateway",
            "44444444-4444-4444-8444-444444444440",
            "gateway: 44444444-4444-4444-8444-444444444440 is not an inbound message gateway of frontstage/gw-mail",
        ),
    ] {
        let refused = refusal(&world, "website", &format!("{TEMPLATE}/{member}"), &json!(value)).await;
        assert_eq!(refused, Some(format!("{WRONG}{rule}")));
    }
    assert_eq!(world.store.directory().await.unwrap(), events::configured());

    // One after the other needs the right order; in one document there is none.
    let first = World::empty();
    let answer = first.invoke("configure", "website").await;
    assert!(answer["error"]["message"].as_str().unwrap().ends_with("is not an account of this tenant: configure it first"));
    let mut both: Value = events::event("operator-configure", "website");
    let mail: Value = events::event("operator-configure", "ok");
    both["accounts"].as_array_mut().unwrap().push(mail["accounts"][0].clone());
    let answer = first.try_invoke_with("configure", both).await.unwrap();
    assert_eq!(answer["configured"], json!(["frontstage/gw-web", "frontstage/desk-web", "frontstage/gw-mail"]));
}

#[tokio::test]
async fn account_is_not_changed_into_one_that_others_cannot_name_any_more() {
    const GATEWAY: &str = "/accounts/0/settings/message_gateways/0/direction";
    let world = World::configured();
    assert_eq!(refusal(&world, "ok", GATEWAY, &json!("O")).await, None, "nobody names it yet");
    assert_eq!(refusal(&world, "ok", GATEWAY, &json!("I")).await, None);
    world.invoke("configure", "website").await;
    assert_eq!(
        refusal(&world, "ok", GATEWAY, &json!("O")).await.unwrap(),
        "account frontstage/gw-web: website: messages: 99999999-0000-4000-8000-000000000003: gateway: \
         44444444-4444-4444-8444-444444444444 is not an inbound message gateway of frontstage/gw-mail"
    );
    assert_eq!(refusal(&world, "ok", GATEWAY, &json!("B")).await, None);
}

#[tokio::test]
async fn what_an_earlier_release_let_pass_is_no_reason_to_refuse_something_else() {
    let mut broken: Value = events::event("operator-configure", "website");
    broken["accounts"][0]["settings"]["website"]["messages"]["99999999-0000-4000-8000-000000000003"]["account"] =
        json!("gw-lost");
    let world = World::configured();
    let tenant = serde_json::from_value(broken["tenant"].clone()).unwrap();
    let id: model::AccountId = "frontstage/gw-web".parse().unwrap();
    let settings = broken["accounts"][0]["settings"].take();
    let site = model::Account { settings, ..testkit::fixtures::sample_account(&id) };
    world.store.configure(&tenant, &[site]).await.unwrap();
    assert_eq!(world.invoke("configure", "ok").await["configured"], json!(["frontstage/gw-mail", "vcita/demo"]));
}

#[tokio::test]
async fn desk_that_rules_of_waiting_or_a_script_name_has_to_be_there() {
    let rule = |desk: &str| json!([{"after": 30, "note": "Please wait"}, {"after": 120, "hand_over": desk}]);
    let script = |desk: &str| {
        let people = json!({"name": "people", "say": "One moment", "then": {"hand_over": desk}});
        json!({"robot": {"name": "Robin"}, "nodes": [people]})
    };
    for (member, settings, place) in [
        ("waiting_rules", &rule as &dyn Fn(&str) -> Value, "waiting_rules[1]: hand_over"),
        ("script", &script, "script: node people: hand_over"),
    ] {
        let path = format!("/accounts/0/settings/chat/{member}");
        let world = World::configured();
        for (desk, rule) in [
            ("vcita/nobody", "vcita/nobody is not an account of this tenant: configure it first"),
            ("frontstage/gw-mail", "frontstage/gw-mail is no desk"),
        ] {
            let refused = refusal(&world, "chats", &path, &settings(desk)).await;
            assert_eq!(refused, Some(format!("account frontstage/gw-chat: chat: {place}: {rule}")));
        }
        assert_eq!(world.store.directory().await.unwrap(), events::configured());
        // Another platform's staff that is configured, and a desk of the same document.
        for desk in ["vcita/demo", "frontstage/desk"] {
            assert_eq!(refusal(&world, "chats", &path, &settings(desk)).await, None, "{desk}");
        }
    }
    // Another tenant's desk is nobody's here.
    let world = World::configured();
    let rival =
        model::Account { tenant: "rival".parse().unwrap(), ..testkit::fixtures::sample_account(&"vcita/rival".parse().unwrap()) };
    let tenant = model::Tenant { id: "rival".parse().unwrap(), routes: Vec::new() };
    world.store.configure(&tenant, &[rival]).await.unwrap();
    let refused = refusal(&world, "chats", "/accounts/0/settings/chat/waiting_rules", &rule("vcita/rival")).await.unwrap();
    assert!(refused.ends_with("vcita/rival is not an account of this tenant: configure it first"), "{refused}");
}

#[tokio::test]
async fn gateway_with_chats_and_desk_of_our_own_are_stored() {
    let world = World::configured();
    let configured = json!({"configured": ["frontstage/gw-chat", "frontstage/desk"]});
    assert_eq!(world.invoke("configure", "chats").await, configured);
    assert_eq!(stored(&world).await, events::configured_with_chats());

    let world = World::configured();
    let refused = world.invoke("configure", "invalid_desk").await;
    let why = "account frontstage/desk: desk: agents[0]: workplaces names one that the desk does not have";
    assert_eq!((code(&refused), &refused["error"]["message"]), ("invalid", &json!(why)));
    assert_eq!(world.store.directory().await.unwrap(), events::configured());
}

#[tokio::test]
async fn account_of_another_tenant_is_not_taken_over() {
    let world = World::configured();
    let mut event: serde_json::Value = events::event("operator-configure", "ok");
    event["tenant"]["id"] = json!("rival");
    let answer = world.try_invoke_with("configure", event).await.unwrap();
    assert_eq!(answer["error"]["message"], "account frontstage/gw-mail belongs to another tenant");
    assert_eq!(world.store.directory().await.unwrap(), events::configured());
}

#[tokio::test]
async fn store_down_is_a_failed_invocation() {
    for before in 0..2 {
        let world = World::empty();
        world.store.faults().plan(std::iter::repeat_n(None, before).chain([Some(testkit::Fault::Refused)]));
        let failed = world.try_invoke("configure", "ok").await;
        assert!(matches!(failed, Err(app::AppError::Unavailable(_))));
        assert_eq!(world.invoke("configure", "ok").await["configured"].as_array().unwrap().len(), 2);
    }
}

/// A brand of cTrader with these settings beside the needed ones.
fn brand(settings: Value) -> Value {
    let mut all = json!({"public_base_url": "https://a.example", "success_url": "https://a.example/callback/success"});
    all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    json!({"tenant": {"id": "demo", "routes": []}, "accounts": [{"platform": "ctrader", "key": "acme", "settings": all}]})
}

#[tokio::test]
async fn key_that_a_brand_s_identity_needs_is_named_and_one_without_effect_is_warned_of() {
    let handoff = json!({"identity": "handoff", "ctrader_base_url": "https://ct.example:8443", "manager_login": 1007});
    for (settings, answer) in [
        (json!({"identity": "sso"}), json!({"configured": ["ctrader/acme"]})),
        (handoff, json!({"configured": ["ctrader/acme"]})),
        (
            json!({"identity": "sso", "redeem_variant": "get_data"}),
            json!({"configured": ["ctrader/acme"], "warnings": ["ctrader/acme: redeem_variant has no effect with this identity"]}),
        ),
    ] {
        let world = World::empty();
        assert_eq!(world.try_invoke_with("configure", brand(settings)).await.unwrap(), answer);
    }
    for (settings, why) in [
        (json!({}), "cTrader configuration: missing field `identity`"),
        (json!({"identity": "handoff", "manager_login": 7}), "cTrader configuration: identity handoff needs ctrader_base_url"),
        (
            json!({"identity": "handoff", "manager_login": 7, "ctrader_base_url": "https://10.0.0.1"}),
            "ctrader_base_url is not an https URL of a public address",
        ),
    ] {
        let world = World::empty();
        let refused = world.try_invoke_with("configure", brand(settings)).await.unwrap();
        assert_eq!((code(&refused), &refused["error"]["message"]), ("invalid", &json!(format!("account ctrader/acme: {why}"))));
        assert_eq!(world.store.counts().writes, 0);
    }
}

#[tokio::test]
async fn gateways_of_a_chat_screen_have_to_be_there_and_for_screens() {
    let world = World::with_chats();
    let configured = json!({"configured": ["frontstage/gw-inapp", "frontstage/gw-inapp-staff", "ctrader/broker"]});
    assert_eq!(world.invoke("configure", "screens").await, configured);
    assert_eq!(stored(&world).await, events::configured_with_screens());
    const CHAT: &str = "/accounts/2/settings/chat";
    for (chat, rule) in [
        (json!({"gateway": "gw-lost"}), "gateway: frontstage/gw-lost is not an account of this tenant: configure it first"),
        (
            json!({"gateway": "gw-inapp", "departments": {"vip": "gw-chat"}}),
            "departments: vip: frontstage/gw-chat is no gateway with \"screen\": true",
        ),
        (
            json!({"gateway": "gw-inapp", "reasons": {"proactive": "desk"}}),
            "reasons: proactive: frontstage/desk is no gateway with \"screen\": true",
        ),
    ] {
        let world = World::with_chats();
        let refused = refusal(&world, "screens", CHAT, &chat).await;
        assert_eq!(refused, Some(format!("account ctrader/broker: chat: {rule}")));
        assert_eq!(world.store.directory().await.unwrap(), events::configured_with_chats());
    }
    // What a brand names cannot be taken away from it.
    let mut taken: Value = events::event("operator-configure", "screens");
    taken["accounts"].as_array_mut().unwrap().truncate(1);
    taken["accounts"][0]["settings"]["screen"] = json!(false);
    let answer = world.try_invoke_with("configure", taken).await.unwrap();
    assert_eq!(
        answer["error"]["message"],
        "account ctrader/broker: chat: gateway: frontstage/gw-inapp is no gateway with \"screen\": true"
    );
}

#[tokio::test]
async fn gateway_of_a_bot_s_chat_has_to_be_there_and_for_screens() {
    let document = |gateway: &str| {
        let bot = json!({"editor_url": "https://bots.example/edit", "fallback": {"text": "Sorry."}, "chat": {"gateway": gateway},
            "scenarios": [{"id": "a", "name": "A", "start": {"otherwise": "end"}, "steps": {"end": "close"}}]});
        let shop = json!({"platform": "iadvize", "key": "shop", "settings": {"website": "ha-4821", "bot": bot}});
        let mut document: Value = events::event("operator-configure", "screens");
        document["accounts"].as_array_mut().unwrap().push(shop);
        document
    };
    let gone = "frontstage/gw-lost is not an account of this tenant: configure it first";
    for (gateway, told) in [
        ("frontstage/gw-inapp", None),
        ("frontstage/gw-lost", Some(gone)),
        ("frontstage/gw-chat", Some("frontstage/gw-chat is no gateway with \"screen\": true")),
    ] {
        let answer = World::with_chats().try_invoke_with("configure", document(gateway)).await.unwrap();
        let told = told.map(|told| format!("account iadvize/shop: bot: chat: gateway: {told}"));
        assert_eq!(answer["error"]["message"].as_str(), told.as_deref(), "{gateway}");
    }
}

#[tokio::test]
async fn panel_is_of_one_tenant() {
    let world = World::empty();
    let document = |tenant: &str, key: &str, website: &str, url: &str| {
        let settings = json!({"website": website, "panel": {"url": url}});
        json!({"tenant": {"id": tenant, "routes": []}, "accounts": [{"platform": "iadvize", "key": key, "settings": settings}]})
    };
    for (tenant, key, website, url, told) in [
        ("demo", "shop", "ha-4821", "https://bridge.example/iadvize/panel", None),
        ("demo", "shop-fr", "ha-4822", "https://bridge.example/iadvize/panel", None),
        ("rival", "rival", "sd-77", "https://Bridge.example/iadvize/panel/", Some("panel.url: another tenant has this panel")),
        ("rival", "rival", "ha-4821", "https://rival.example/iadvize/panel", Some("website: another account is this site")),
        ("rival", "rival", "sd-77", "https://rival.example/iadvize/panel", None),
    ] {
        let answer = world.try_invoke_with("configure", document(tenant, key, website, url)).await.unwrap();
        let expected = told.map(|told| format!("account iadvize/{key}: {told}"));
        assert_eq!(answer["error"]["message"].as_str(), expected.as_deref(), "{key} {url}");
    }
}

#[tokio::test]
async fn panel_and_its_library_are_on_this_machine_only_in_a_local_stack() {
    const OF_PUBLIC: &str = "https://bridge.example/iadvize/panel";
    const OF_LOCAL: &str = "http://localhost:9000/iadvize/panel";
    const RULE: &str = "is not an https URL of a public address";
    let configured = json!({"configured": ["iadvize/shop"]});
    let library = "iAdvize configuration: panel: library is not at https://static.iadvize.com";
    for (panel, public, local) in [
        (json!({"url": OF_PUBLIC}), None, None),
        (json!({"url": OF_LOCAL}), Some(format!("panel.url {RULE}")), None),
        (json!({"url": OF_PUBLIC, "library": "http://127.0.0.1:9105/lib/"}), Some(format!("panel.library {RULE}")), None),
        (json!({"url": OF_PUBLIC, "library": "https://cdn.example/lib/"}), Some(library.to_owned()), Some(library.to_owned())),
    ] {
        for (targets, rule) in [(TargetPolicy::PublicHttps, public), (TargetPolicy::LoopbackToo, local)] {
            let world = World { targets, ..World::empty() };
            let settings = json!({"website": "ha-4821", "panel": panel});
            let account = json!({"platform": "iadvize", "key": "shop", "settings": settings});
            let document = json!({"tenant": {"id": "demo", "routes": []}, "accounts": [account]});
            let answer = world.try_invoke_with("configure", document).await.unwrap();
            match rule {
                None => assert_eq!(answer, configured, "{panel}"),
                Some(rule) => {
                    let told = format!("account iadvize/shop: {rule}");
                    assert_eq!((code(&answer), &answer["error"]["message"]), ("invalid", &json!(told)), "{panel}");
                    assert_eq!(world.store.counts().writes, 0);
                }
            }
        }
    }
}
