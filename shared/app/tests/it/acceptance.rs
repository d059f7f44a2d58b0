//! Where an accepted message gets its place, without the conversation being read first.

use model::{AccountId, Directory, EventKey, Memo, MessageDetails, MessageId, VisitorMessage};
use testkit::fixtures::{desk_account_id, visitor_account_id};

use crate::world::{World, delivery};

const EVA: &str = "+420700000001";

fn message(id: &str, answers: Option<MessageId>) -> VisitorMessage {
    VisitorMessage {
        address: EVA.to_owned(),
        name: None,
        memo: Memo::new(),
        event_keys: vec![(EventKey::new("ds", [id]), None)],
        answers,
        continues: Vec::new(),
        origin_id: id.to_owned(),
        sent_at: testkit::fixtures::NOW,
        content: model::Content { text: id.to_owned(), ..model::Content::default() },
        details: MessageDetails::default(),
    }
}

async fn accept(world: &World, directory: &Directory, from: &AccountId, message: VisitorMessage) -> MessageId {
    let account = directory.accounts[from].clone();
    match app::accept_visitor(&world.ctx(|store| store), directory, &account, message, &|_| Vec::new()).await.unwrap() {
        app::Accepted::Stored(id) => id,
        other => panic!("not stored: {other:?}"),
    }
}

#[tokio::test]
async fn nothing_is_read_for_a_first_or_a_later_message() {
    let world = World::new();
    world.visitor_says(EVA, "sms-1", "Hi").await;
    world.pass(std::time::Duration::from_secs(1)).await;
    world.store.forget_operations();
    world.visitor_says(EVA, "sms-2", "Hello?").await;
    assert_eq!(world.store.operations(), ["accept"]);
}

#[tokio::test]
async fn messages_of_one_millisecond_keep_their_order() {
    let world = World::new();
    let first = world.visitor_says(EVA, "sms-1", "one").await;
    world.store.forget_operations();
    let second = world.visitor_says(EVA, "sms-2", "two").await;
    assert_eq!(second.seq(), first.seq() + 1);
    // The first try is refused and shows where the conversation is.
    assert_eq!(world.store.operations(), ["accept", "accept"]);
    world.work().await;
    assert_eq!(world.texts_at(&desk_account_id()), ["one", "two"]);
}

#[tokio::test]
async fn conversation_keeps_its_desk_when_the_rules_change() {
    let world = World::new();
    world.visitor_says(EVA, "sms-1", "Hi").await;
    let mut directory = world.directory.clone();
    let elsewhere: AccountId = "vcita/elsewhere".parse().unwrap();
    for tenant in directory.tenants.values_mut() {
        for route in &mut tenant.routes {
            route.desk = elsewhere.clone();
        }
    }
    let id = accept(&world, &directory, &visitor_account_id(), message("sms-2", None)).await;
    assert!(world.store.delivery(&delivery(id, &desk_account_id())).is_some());
    assert!(world.store.delivery(&delivery(id, &elsewhere)).is_none());
}

#[tokio::test]
async fn answer_to_what_is_another_accounts_or_gone_begins_the_senders_own_conversation() {
    let world = World::new();
    let own = world.visitor_says(EVA, "sms-1", "Hi").await;
    let mut directory = world.directory.clone();
    let other: AccountId = "frontstage/other".parse().unwrap();
    let mut account = directory.accounts[&visitor_account_id()].clone();
    account.id = other.clone();
    directory.accounts.insert(other.clone(), account);
    let id = accept(&world, &directory, &other, message("sms-2", Some(own))).await;
    assert_ne!(id.conversation(), own.conversation());
    let gone = MessageId::new("00112233445566778899".parse().unwrap(), 1).unwrap();
    let id = accept(&world, &directory, &visitor_account_id(), message("sms-3", Some(gone))).await;
    assert_eq!(id.conversation(), own.conversation());
}
