//! `operator-configure`.

use model::Directory;
use ports::DirectoryStore as _;
use serde_json::json;
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
        ("unknown_platform", "malformed", "unknown variant `pigeon`, expected `frontstage` or `vcita`"),
        ("unknown_desk", "invalid", "the desk vcita/nobody of a route is not an account of this tenant"),
        ("invalid_settings", "invalid", "account vcita/demo: vcita configuration: missing field `channel_uid`"),
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
    let answer = World::empty().try_invoke_with("configure", demo).await.unwrap();
    assert_eq!(answer["configured"].as_array().map(Vec::len), Some(8), "{answer}");
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
