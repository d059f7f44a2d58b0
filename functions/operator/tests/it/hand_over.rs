//! `operator-hand-over`.

use app::AppError;
use app::chats::{Asking, Enters, VisitorAct, conversation_of, log_in, visitor_event};
use chat::{ChatVisitor, Desk, Draft, SentenceKind};
use model::{AccountId, ConversationId, DeliverTask};
use ports::{ChatRecord, StreamKey};
use serde_json::json;
use testkit::{Fault, events};

use crate::world::{World, code};

fn desk() -> AccountId {
    "frontstage/desk".parse().unwrap()
}

/// Eva has written, and Jana is offered her chat.
async fn given_chat(world: &World) -> ConversationId {
    log_in(&world.chat_ctx, &desk(), &"aaaaaaaa-0000-4000-8000-000000000101".parse().unwrap(), &"101".parse().unwrap())
        .await
        .unwrap();
    let directory = events::configured_with_chats();
    let account = &directory.accounts[&"frontstage/gw-chat".parse().unwrap()];
    let tracking = "t-100".to_owned().try_into().unwrap();
    let start = VisitorAct::Start { visitor: ChatVisitor::default(), ext_response: None, form: None, enters: Enters::None };
    let id = "s-1".to_owned().try_into().unwrap();
    let speaks = VisitorAct::Speaks(Draft::new(id, SentenceKind::Text, "Hi".into(), None, None).unwrap());
    for act in [start, speaks] {
        visitor_event(&world.chat_ctx, account, &tracking, act, &Asking::default()).await.unwrap();
    }
    conversation_of(account, &tracking)
}

fn record(world: &World, conversation: ConversationId) -> ChatRecord {
    world.chats.peek(conversation).unwrap()
}

#[tokio::test]
async fn chat_goes_to_staff_with_what_was_said_and_comes_back() {
    let world = World::with_chats();
    let conversation = given_chat(&world).await;
    for case in ["ok", "duplicate"] {
        assert_eq!(world.invoke("hand-over", case).await, json!({"handed_over": true, "state": "waiting"}), "{case}");
        let staff: AccountId = "vcita/demo".parse().unwrap();
        assert_eq!(record(&world, conversation).chat.desk, Some(Desk::Staff(staff.clone())), "{case}");
        let told = world.store.peek(conversation);
        assert_eq!(told.messages.iter().map(|message| message.content.text.as_str()).collect::<Vec<_>>(), ["Hi"], "{case}");
        assert_eq!(told.deliveries[0].key.recipient, staff, "{case}");
    }
    let key = &world.store.peek(conversation).deliveries[0].key;
    assert_eq!(world.timers.relayed(), [DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 0, due: None }]);

    assert_eq!(world.invoke("hand-over", "back").await, json!({"handed_over": true, "state": "alerting"}));
    assert_eq!(record(&world, conversation).desk, Some(desk()));
    let told = world.chats.told(&StreamKey::Workplace(desk(), "101".parse().unwrap()));
    let says = |word: &str| told.iter().filter(|entry| String::from_utf8_lossy(&entry.body).contains(word)).count();
    assert_eq!(
        (says("SC_CHAT_ALERT_END"), says("SC_CHAT_ALERT") - says("SC_CHAT_ALERT_END")),
        (1, 2),
        "offered, taken away, offered"
    );
}

#[tokio::test]
async fn what_cannot_be_handed_over_is_said_and_changes_nothing() {
    for (case, expected) in [("malformed", "malformed"), ("unknown_chat", "unknown_chat"), ("unknown_desk", "unknown_desk")] {
        let world = World::with_chats();
        let conversation = given_chat(&world).await;
        let before = record(&world, conversation);
        assert_eq!(code(&world.invoke("hand-over", case).await), expected, "{case}");
        assert_eq!(record(&world, conversation), before, "{case}");
        assert_eq!(world.store.peek(conversation).conversation, None, "{case}");
    }
    let world = World::with_chats();
    assert_eq!(code(&world.invoke("hand-over", "ok").await), "unknown_chat", "there is none");
}

#[tokio::test]
async fn closed_chat_stays_closed() {
    let world = World::with_chats();
    let conversation = given_chat(&world).await;
    let directory = events::configured_with_chats();
    let account = &directory.accounts[&"frontstage/gw-chat".parse().unwrap()];
    let tracking = "t-100".to_owned().try_into().unwrap();
    visitor_event(&world.chat_ctx, account, &tracking, VisitorAct::Stop, &Asking::default()).await.unwrap();
    let before = record(&world, conversation);
    let answer = world.invoke("hand-over", "ok").await;
    assert_eq!(answer, json!({"error": {"code": "ChatClosed", "message": "the chat is closed"}}));
    assert_eq!(record(&world, conversation), before);
}

#[tokio::test]
async fn store_down_is_a_failed_invocation_and_the_next_one_does_it() {
    for fault in [Fault::Refused, Fault::AnswerLost] {
        for at in 0..4 {
            let world = World::with_chats();
            let conversation = given_chat(&world).await;
            world.chats.faults().plan(std::iter::repeat_n(None, at).chain([Some(fault)]));
            let failed = world.try_invoke("hand-over", "ok").await;
            assert!(matches!(failed, Err(AppError::Unavailable(_))), "{fault:?} at call {at}");
            assert_eq!(world.invoke("hand-over", "ok").await["handed_over"], true);
            assert_eq!(world.store.peek(conversation).messages.len(), 1, "{fault:?} at call {at}");
        }
    }
}
