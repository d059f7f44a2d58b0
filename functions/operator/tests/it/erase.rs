//! `operator-erase`.

use app::chats::{Asking, ChatOutcome, Enters, VisitorAct, conversation_of, log_in, visitor_event};
use chat::{ChatVisitor, Draft, SentenceKind, TrackingId};
use model::{Account, ConversationId};
use ports::{DirectoryStore as _, InboundStore as _};
use serde_json::{Value, json};
use testkit::events;

use crate::world::{World, code};

const JANA: &str = "aaaaaaaa-0000-4000-8000-000000000101";

fn account() -> Account {
    events::configured_with_chats().accounts[&"frontstage/gw-chat".parse().unwrap()].clone()
}

fn thread(text: &str) -> TrackingId {
    text.to_owned().try_into().unwrap()
}

fn conversation(text: &str) -> ConversationId {
    conversation_of(&account(), &thread(text))
}

async fn act(world: &World, text: &str, act: VisitorAct) {
    let outcome = visitor_event(&world.chat_ctx, &account(), &thread(text), act, &Asking::default()).await.unwrap();
    assert!(matches!(outcome, ChatOutcome::Done(_)), "{outcome:?}");
}

/// Two visitors wait for Jana, who is offered one of them.
async fn given_two_visitors(world: &World) {
    let (desk, agent, workplace) = ("frontstage/desk".parse().unwrap(), JANA.parse().unwrap(), "101".parse().unwrap());
    log_in(&world.chat_ctx, &desk, &agent, &workplace).await.unwrap();
    for (text, address) in [("t-erased", "+420700000000"), ("t-kept", "+420700000001")] {
        let visitor = ChatVisitor { remote_address: Some(address.to_owned()), ..ChatVisitor::default() };
        act(world, text, VisitorAct::Start { visitor, ext_response: None, form: None, enters: Enters::None }).await;
        let id = "s-1".to_owned().try_into().unwrap();
        let draft = Draft::new(id, SentenceKind::Text, format!("words of {text}"), None, None).unwrap();
        act(world, text, VisitorAct::Speaks(draft)).await;
    }
}

fn nothing() -> Value {
    json!({"chats": 0, "sentences": 0, "conversations": 0, "messages": 0, "deliveries": 0, "forms": 0, "entries": 0})
}

#[tokio::test]
async fn person_is_erased_by_thread_and_the_other_stays() {
    let world = World::with_chats();
    given_two_visitors(&world).await;
    let answer = world.invoke("erase", "ok").await;
    assert_eq!((&answer["closed"], &answer["dry_run"], &answer["next"]), (&json!(1), &json!(false), &Value::Null));
    assert_eq!((&answer["erased"]["chats"], &answer["erased"]["sentences"]), (&json!(1), &json!(1)));
    assert_eq!(world.chats.peek(conversation("t-erased")), None);
    let kept = world.chats.peek(conversation("t-kept")).unwrap().chat;
    assert_eq!(world.chat_ctx.chats.sentences(kept.id, 1, 9).await.unwrap()[0].text, "words of t-kept");
    let (desk, jana) = ("frontstage/desk".parse().unwrap(), JANA.parse().unwrap());
    let has: Vec<_> = world.chat_ctx.chats.of_agent(&desk, &jana).await.unwrap();
    assert!(has.iter().all(|record| record.chat.id == kept.id), "Jana is rid of the chat");

    let again = world.invoke("erase", "duplicate").await;
    assert_eq!((&again["erased"], &again["closed"]), (&nothing(), &json!(0)));
}

#[tokio::test]
async fn person_is_erased_by_address() {
    let world = World::with_chats();
    given_two_visitors(&world).await;
    let event = json!({"account": "frontstage/gw-chat", "remote_address": "+420700000001"});
    let answer = world.try_invoke_with("erase", event).await.unwrap();
    assert_eq!(answer["erased"]["chats"], 1);
    assert_eq!(world.chats.peek(conversation("t-kept")), None);
    // The connector was told of the thread, not of the address.
    let told = world.chats.told(&ports::StreamKey::Gateway(account().id));
    let holds = |text: &str| told.iter().any(|entry| entry.body.windows(text.len()).any(|part| part == text.as_bytes()));
    assert!(holds("t-erased") && !holds("t-kept"));
    assert!(world.chats.peek(conversation("t-erased")).is_some());
}

#[tokio::test]
async fn chat_of_rox_chat_is_erased_by_its_address() {
    let world = World::with_chats();
    let tenant = events::configured().tenants.into_values().next().unwrap();
    let settings = json!({"host_origin": "https://crm.acme.example", "workspace_url": "https://acme.rox.chat/"});
    let acme = Account { id: "roxchat/acme".parse().unwrap(), settings, ..account() };
    world.store.configure(&tenant, std::slice::from_ref(&acme)).await.unwrap();
    let addresses = ["chat 55102", "chat 55103"];
    for (seq, address) in (1..).zip(addresses) {
        let mut talk = testkit::fixtures::sample_conversation(seq);
        talk.id = ConversationId::derive(&acme.salt, &acme.id, address);
        (talk.tenant, talk.desk) = (tenant.id.clone(), None);
        (talk.visitor.account, talk.visitor.address) = (acme.id.clone(), address.to_owned());
        world.store.accept(&testkit::fixtures::sample_acceptance(&talk)).await.unwrap();
    }
    let event = json!({"account": "roxchat/acme", "remote_address": "chat 55102"});
    let answer = world.try_invoke_with("erase", event).await.unwrap();
    assert_eq!((&answer["erased"]["conversations"], &answer["erased"]["messages"]), (&json!(1), &json!(1)), "{answer}");
    let left = |address: &str| world.store.peek(ConversationId::derive(&acme.salt, &acme.id, address)).messages.len();
    assert_eq!(addresses.map(left), [0, 1]);
}

#[tokio::test]
async fn erased_thread_begins_anew() {
    let world = World::with_chats();
    given_two_visitors(&world).await;
    world.invoke("erase", "ok").await;
    let visitor = ChatVisitor::default();
    act(&world, "t-erased", VisitorAct::Start { visitor, ext_response: None, form: None, enters: Enters::None }).await;
    let chat = world.chats.peek(conversation("t-erased")).unwrap().chat;
    assert_eq!((chat.counter, chat.visitor.remote_address), (0, None));
}

#[tokio::test]
async fn dry_run_counts_and_changes_nothing() {
    let world = World::with_chats();
    given_two_visitors(&world).await;
    let before = world.chats.peek(conversation("t-erased"));
    let answer = world.invoke("erase", "dry_run").await;
    assert_eq!((&answer["closed"], &answer["dry_run"]), (&json!(1), &json!(true)));
    assert_eq!((&answer["erased"]["chats"], &answer["erased"]["sentences"]), (&json!(1), &json!(1)));
    assert_eq!(world.chats.peek(conversation("t-erased")), before);
}

#[tokio::test]
async fn input_that_cannot_be_used_changes_nothing() {
    for (case, expected) in [
        ("malformed", "malformed"),
        ("both", "invalid"),
        ("neither", "invalid"),
        ("empty", "invalid"),
        ("empty_address", "invalid"),
        ("unknown", "unknown"),
        ("desk", "invalid"),
        ("staff", "invalid"),
        ("foreign_place", "invalid"),
    ] {
        let world = World::with_chats();
        given_two_visitors(&world).await;
        world.chats.forget_operations();
        let answer = world.invoke("erase", case).await;
        assert_eq!(code(&answer), expected, "{case}");
        assert!(!answer.to_string().contains("t-erased"), "{case}: {answer}");
        assert_eq!(world.chats.operations(), [""; 0], "{case}");
    }
}

#[tokio::test]
async fn whoever_erases_too_long_goes_on_where_it_stopped() {
    let world = World::with_chats();
    given_two_visitors(&world).await;
    // No time at all: one page in each go.
    let account = account();
    let identity = ports::Identity::Tracking(thread("t-erased"));
    let whom = app::Whom { account: &account, identity: &identity, written: |text| text.as_bytes().to_vec(), is_dry: false };
    let ctx = app::EraseCtx { erasure: world.chats.clone(), chats: world.chat_ctx.clone() };
    let (mut gos, mut place, mut chats) = (0, None, 0);
    loop {
        let until = model::EpochMillis::new(0);
        let so_far = app::erase(&ctx, &whom, place, until).await.unwrap().unwrap();
        (gos, chats) = (gos + 1, chats + so_far.erased.chats);
        place = so_far.next;
        if place.is_none() {
            break;
        }
    }
    // Chats, conversations of messages, what is elsewhere, and the one conversation.
    assert_eq!((gos, chats), (4, 1));
    assert_eq!(world.chats.peek(conversation("t-erased")), None);
}

#[tokio::test]
async fn trader_is_erased_by_brand_and_user() {
    let world = World::with_screens();
    let directory = events::configured_with_screens();
    let gateway = &directory.accounts[&"frontstage/gw-inapp-staff".parse().unwrap()];
    // SHA-256 of "00000000000000000000000000000001/chat/31550462", and of another user's.
    let threads = ["96b9c1b921490f7527f3dd05d63763ef9a03d437c0b4ffc654945a1b54ffd3bc", "another"].map(thread);
    for tracking in &threads {
        let start = VisitorAct::Start { visitor: ChatVisitor::default(), ext_response: None, form: None, enters: Enters::None };
        visitor_event(&world.chat_ctx, gateway, tracking, start, &Asking::default()).await.unwrap();
    }
    let answer = world.invoke("erase", "trader").await;
    assert_eq!((&answer["erased"]["chats"], &answer["closed"], &answer["next"]), (&json!(1), &json!(1), &Value::Null));
    let is_there = threads.map(|tracking| world.chats.peek(conversation_of(gateway, &tracking)).is_some());
    assert_eq!(is_there, [false, true]);
    for (input, expected) in [
        (json!({"account": "frontstage/gw-inapp", "brand": "ctrader/nobody", "user_id": 1}), "unknown"),
        (json!({"account": "frontstage/gw-inapp", "brand": "frontstage/gw-chat", "user_id": 1}), "invalid"),
        (json!({"account": "frontstage/gw-inapp", "user_id": 1}), "invalid"),
        (json!({"account": "frontstage/gw-inapp", "brand": "ctrader/broker", "user_id": 1, "tracking_id": "t"}), "invalid"),
    ] {
        let answer = world.try_invoke_with("erase", input.clone()).await.unwrap();
        assert_eq!(code(&answer), expected, "{input}");
    }
}
