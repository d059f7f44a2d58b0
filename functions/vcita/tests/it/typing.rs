//! `POST` or `PUT /{session_uid}/typing`: staff types.

use std::time::Duration;

use app::chats::{Asking, Enters, VisitorAct, conversation_of, hand_over, visitor_event};
use chat::{ChatVisitor, Direction, Draft, SentenceKind};
use model::{ConversationId, LaneKey, LaneKind, Memo, RemoteStatus, RemoteThread};
use ports::{Clock as _, DeliveryStore as _, StreamKey};
use testkit::events;
use testkit::fixtures::{NOW, desk_account_id};

use crate::world::{SESSION, TYPING, World};

/// Eva's chat, which staff has, with the session of the events.
async fn given_chat(world: &World) -> ConversationId {
    let directory = events::configured_with_chats();
    let account = &directory.accounts[&"frontstage/gw-chat".parse().unwrap()];
    let tracking = "t-100".to_owned().try_into().unwrap();
    let start = VisitorAct::Start { visitor: ChatVisitor::default(), ext_response: None, form: None, enters: Enters::None };
    let id = "s-1".to_owned().try_into().unwrap();
    let speaks = VisitorAct::Speaks(Draft::new(id, SentenceKind::Text, "Hi".into(), None, None).unwrap());
    let conversation = conversation_of(account, &tracking);
    let jana = ("aaaaaaaa-0000-4000-8000-000000000101".parse().unwrap(), "101".parse().unwrap());
    app::chats::log_in(&world.chat_ctx, &"frontstage/desk".parse().unwrap(), &jana.0, &jana.1).await.unwrap();
    for act in [start, speaks] {
        visitor_event(&world.chat_ctx, account, &tracking, act, &Asking::default()).await.unwrap();
    }
    let chat = world.chats.peek(conversation).unwrap().chat.id;
    hand_over(&world.chat_ctx, chat, &desk_account_id()).await.unwrap();
    let lane = LaneKey { conversation, recipient: desk_account_id(), kind: LaneKind::Messages };
    let thread = RemoteThread { id: SESSION.to_owned(), status: RemoteStatus::Active, changed_at: NOW, memo: Memo::new() };
    world.store.bind(&lane, &lane.recipient, &thread).await.unwrap();
    world.store.forget_operations();
    conversation
}

impl World {
    fn is_seen_typing(&self, conversation: ConversationId) -> bool {
        self.chats.peek(conversation).unwrap().chat.is_typing(Direction::Outbound, self.clock.now())
    }

    /// How often the connector was told of typing.
    fn told(&self) -> usize {
        let told = self.chats.told(&StreamKey::Gateway("frontstage/gw-chat".parse().unwrap()));
        told.iter().filter(|entry| String::from_utf8_lossy(&entry.body).contains("SE_CHAT_TYPING")).count()
    }
}

#[tokio::test]
async fn visitor_is_told_that_staff_types_with_either_method() {
    for case in ["ok", "put", "base64_body", "unknown_type"] {
        let world = World::new().await;
        let conversation = given_chat(&world).await;
        World::assert_empty(&world.send(TYPING, case).await, 204, case);
        assert!(world.is_seen_typing(conversation), "{case}");
        assert_eq!(world.told(), 1, "{case}");
        assert_eq!(world.store.operations(), ["lane_of"], "{case}");
        assert!(world.queue.waiting().is_empty(), "nothing waits for it");
    }
}

#[tokio::test]
async fn typing_that_is_said_again_changes_nothing_while_it_lasts() {
    let world = World::new().await;
    given_chat(&world).await;
    world.send(TYPING, "ok").await;
    let before = world.chats.counts();
    World::assert_empty(&world.send(TYPING, "duplicate").await, 204, "duplicate");
    let after = world.chats.counts();
    assert_eq!((after.writes, after.reads), (before.writes, before.reads + 1));
    assert_eq!(world.told(), 1);
}

#[tokio::test]
async fn typing_that_stops_is_told_and_what_is_not_renewed_expires() {
    let world = World::new().await;
    let conversation = given_chat(&world).await;
    world.send(TYPING, "ok").await;
    world.clock.advance(Duration::from_secs(2));
    World::assert_empty(&world.send(TYPING, "stopped").await, 204, "stopped");
    assert!(!world.is_seen_typing(conversation));
    assert_eq!(world.told(), 2);
    world.clock.advance(Duration::from_secs(2));
    world.send(TYPING, "ok").await;
    world.clock.advance(Duration::from_millis(9_900));
    assert!(world.is_seen_typing(conversation));
    world.clock.advance(Duration::from_millis(200));
    assert!(!world.is_seen_typing(conversation));
}

#[tokio::test]
async fn session_of_a_conversation_that_is_no_chat_is_taken_and_changes_nothing() {
    let world = World::new().await;
    World::assert_empty(&world.send(TYPING, "ok").await, 204, "ok");
    assert_eq!((world.store.operations(), world.chats.counts().writes), (vec!["lane_of"], 0));
}

#[tokio::test]
async fn chats_that_cannot_be_written_are_503() {
    let world = World::new().await;
    given_chat(&world).await;
    world.chats.faults().plan([Some(testkit::Fault::Refused)]);
    let answer = world.send(TYPING, "ok").await;
    World::assert_empty(&answer, 503, "chats down");
    assert_eq!(answer.headers["retry-after"], "5");
    World::assert_empty(&world.send(TYPING, "ok").await, 204, "up again");
    assert_eq!(world.told(), 1);
}
