//! Visitors who sign in, and how others find them (section 3.4).

use std::time::Duration;

use serde_json::{Value, json};
use testkit::fixtures::{sample_acceptance, sample_conversation};

use crate::world::{OTHER_PAGE, PAGE, Page, World, said, signed_in};

async fn card(page: &Page<'_>, id: &str) -> Value {
    let answer = page.visitor(id, "").await;
    assert_eq!(answer.status, 200, "{id}: {}", answer.text);
    answer.body
}

#[tokio::test]
async fn rule_1_more_becomes_known_of_the_same_visitor() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    page.tells(1, 1, "visitorAuthorized", &signed_in(("a", None), ("a", Some("P-1")))).await;
    page.tells(2, 2, "visitorSelected", &json!({"roxchatVisitorId": "a", "providedVisitorId": null})).await;
    assert_eq!(card(&page, "a").await["visitor"]["providedVisitorId"], "P-1");
}

#[tokio::test]
async fn rule_2_histories_are_joined_and_everything_is_there_once() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    page.tells(1, 1, "newMessageAdded", &said("a", 1, "visitor", "anonymous")).await;
    page.tells(2, 2, "newMessageAdded", &said("b", 2, "visitor", "known")).await;
    page.tells(3, 3, "visitorAuthorized", &signed_in(("a", None), ("b", Some("P-1")))).await;
    // Late ones still name the old id, in the old chat and in a new one.
    page.tells(4, 4, "newMessageAdded", &said("a", 1, "visitor", "late")).await;
    page.tells(5, 5, "newMessageAdded", &said("a", 3, "visitor", "later")).await;
    for id in ["a", "b"] {
        let card = card(&page, id).await;
        assert_eq!((&card["visitor"]["id"], &card["visitor"]["aliases"]), (&json!("b"), &json!(["a"])));
        let mut chats: Vec<_> = card["chats"].as_array().unwrap().iter().map(|chat| chat["id"].as_i64().unwrap()).collect();
        chats.sort_unstable();
        assert_eq!((chats, card["timeline"].as_array().unwrap().len()), (vec![1, 2, 3], 3));
    }
    assert_eq!(page.visitor("P-1", "by=provided").await.body["visitor"]["id"], "b");
    assert_eq!(page.texts(1).await, ["anonymous", "late"]);
    assert_eq!(card(&page, "a").await["visitor"]["session"]["id"], "session of a", "the newest session survives");
}

#[tokio::test]
async fn rule_3_changed_user_joins_nothing_and_both_remember() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    page.tells(1, 1, "newMessageAdded", &said("a", 1, "visitor", "mine")).await;
    page.tells(2, 2, "visitorAuthorized", &signed_in(("a", Some("P-1")), ("b", Some("P-2")))).await;
    page.tells(3, 3, "newMessageAdded", &said("b", 2, "visitor", "theirs")).await;
    let (one, two) = (card(&page, "a").await, card(&page, "b").await);
    let switch = json!([{"from": "a", "to": "b", "at": "2026-01-01T00:00:00.000Z"}]);
    assert_eq!((&one["visitor"]["switches"], &two["visitor"]["switches"]), (&switch, &switch));
    assert_eq!((&one["chats"][0]["id"], one["chats"].as_array().unwrap().len()), (&json!(1), 1));
    assert_eq!((&two["chats"][0]["id"], two["chats"].as_array().unwrap().len()), (&json!(2), 1));
    assert_eq!((one["timeline"].as_array().unwrap().len(), two["timeline"].as_array().unwrap().len()), (1, 1));
}

#[tokio::test]
async fn rule_4_chain_of_sign_ins_leads_to_the_last_and_circles_are_refused() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    let chain = [("a", "b"), ("b", "c"), ("c", "a"), ("b", "a")];
    for (number, (old, new)) in (1..).zip(chain) {
        page.tells(number, number, "visitorAuthorized", &signed_in((old, None), (new, None))).await;
    }
    page.tells(5, 5, "newMessageAdded", &said("a", 1, "visitor", "hi")).await;
    for id in ["a", "b", "c"] {
        let card = card(&page, id).await;
        assert_eq!((&card["visitor"]["id"], &card["chats"][0]["id"]), (&json!("c"), &json!(1)), "{id}");
    }
}

#[tokio::test]
async fn rule_4_message_without_a_chat_under_an_old_id_is_found_with_the_new_one() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    page.tells(1, 1, "visitorAuthorized", &signed_in(("a", None), ("b", Some("P-1")))).await;
    let mut early = said("a", 1, "visitor", "is anybody there?");
    early["chatId"] = Value::Null;
    page.tells(2, 2, "newMessageAdded", &early).await;
    assert_eq!(card(&page, "b").await["timeline"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn id_of_another_system_leads_to_the_visitor_who_was_there_last() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    for (number, visitor) in [(1, "a"), (2, "b"), (3, "a")] {
        let seen = json!({"roxchatVisitorId": visitor, "providedVisitorId": "P-1", "sessionId": format!("s-{number}")});
        page.tells(number, number, "visitorSelected", &seen).await;
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(page.visitor("P-1", "by=provided").await.body["visitor"]["id"], visitor);
    }
}

#[tokio::test]
async fn rule_5_second_telling_of_a_sign_in_changes_nothing() {
    let world = World::new();
    let (page, other) = (world.page("marta", PAGE).await, world.page("ben", OTHER_PAGE).await);
    let params = signed_in(("a", None), ("b", Some("P-1")));
    page.tells(1, 1, "newMessageAdded", &said("a", 1, "visitor", "hi")).await;
    page.tells(2, 2, "visitorAuthorized", &params).await;
    let once = card(&page, "b").await;
    other.tells(3, 1, "visitorAuthorized", &params).await;
    assert_eq!(card(&page, "b").await, once);
}

#[tokio::test]
async fn rule_6_sign_in_may_come_before_what_was_said() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    page.tells(1, 1, "visitorAuthorized", &signed_in(("a", None), ("b", Some("P-1")))).await;
    page.tells(2, 2, "newMessageAdded", &said("a", 1, "visitor", "said before")).await;
    assert_eq!(card(&page, "b").await["chats"][0]["id"], 1);
}

/// Somebody writes to a gateway from this address.
async fn wrote(world: &World, account: &str, address: &str) {
    use ports::InboundStore as _;
    let account = world.account(account);
    let mut conversation = sample_conversation(1_767_225_600_000);
    conversation.id = model::ConversationId::derive(&account.salt, &account.id, address);
    conversation.tenant = account.tenant.clone();
    conversation.visitor.account = account.id.clone();
    conversation.visitor.address = address.to_owned();
    conversation.desk = None;
    world.store.accept(&sample_acceptance(&conversation)).await.unwrap();
}

#[tokio::test]
async fn conversations_on_other_platforms_are_found_by_the_customers_id() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    wrote(&world, "frontstage/gw-mail", "P-1").await;
    wrote(&world, "frontstage/gw-rival", "P-1").await;
    page.tells(1, 1, "newMessageAdded", &said("a", 1, "visitor", "hi")).await;
    assert_eq!(card(&page, "a").await["timeline"].as_array().unwrap().len(), 1);
    page.tells(2, 2, "visitorAuthorized", &signed_in(("a", None), ("b", Some("P-1")))).await;
    let mut platforms: Vec<_> = card(&page, "a").await["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["platform"].as_str().unwrap().to_owned())
        .collect();
    platforms.sort();
    assert_eq!(platforms, ["frontstage", "roxchat"], "nothing of another tenant");
}

#[tokio::test]
async fn other_platforms_find_the_chats_of_a_customer() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    page.tells(1, 1, "newMessageAdded", &said("a", 1, "visitor", "one")).await;
    page.tells(2, 2, "visitorAuthorized", &signed_in(("a", None), ("b", Some("P-1")))).await;
    page.tells(3, 3, "newMessageAdded", &said("b", 2, "visitor", "two")).await;
    page.tells(4, 4, "visitorSelected", &json!({"roxchatVisitorId": "b", "siebelId": "S-1"})).await;
    let found = async |tenant: &str, name: &str| {
        let names = [app::Name::new(name).unwrap()];
        let since = model::EpochMillis::new(0);
        let tenant = tenant.parse().unwrap();
        let found =
            app::conversations_of(&*world.chats, &*world.records, &world.directory, &tenant, &names, since, 50).await.unwrap();
        let mut said = Vec::new();
        for outline in found {
            said.extend(
                ports::People::said(&*world.chats, outline.conversation, 9).await.unwrap().into_iter().map(|line| line.text),
            );
        }
        said.sort();
        said
    };
    assert_eq!(found("demo", "P-1").await, ["one", "two"]);
    assert_eq!(found("demo", "S-1").await, ["one", "two"]);
    assert_eq!(found("demo", "P-2").await, [""; 0]);
    assert_eq!(found("rival", "P-1").await, [""; 0]);
}

#[tokio::test]
async fn id_of_the_customer_that_is_replaced_leads_no_more_and_gets_no_earlier_chats() {
    let world = World::new();
    let page = world.page("marta", PAGE).await;
    let who = |provided: &str, chat: i64, text: &str| {
        let mut params = said("a", chat, "visitor", text);
        params["providedVisitorId"] = json!(provided);
        params
    };
    page.tells(1, 1, "newMessageAdded", &who("P-1", 1, "of the first")).await;
    page.tells(2, 2, "newMessageAdded", &who("P-2", 2, "of the second")).await;
    assert_eq!(page.visitor("P-1", "by=provided").await.row(), (404, "unknown_visitor"));
    assert_eq!(page.visitor("P-2", "by=provided").await.body["visitor"]["id"], "a");
    let names = [app::Name::new("P-2").unwrap()];
    let (tenant, since) = ("demo".parse().unwrap(), model::EpochMillis::new(0));
    let found =
        app::conversations_of(&*world.chats, &*world.records, &world.directory, &tenant, &names, since, 50).await.unwrap();
    assert_eq!(found.len(), 1);
}
