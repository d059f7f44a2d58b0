//! `operator-prepare-chat`.

use app::chats::{Asking, ChatOutcome, Enters, Handled, VisitorAct, log_in, visitor_event};
use chat::{Attendant, ChatId, ChatVisitor, State};
use serde_json::json;
use testkit::events;

use crate::world::{World, code};

const JANA: &str = "aaaaaaaa-0000-4000-8000-000000000101";

/// Jana is at workplace 101.
async fn given_jana(world: &World) {
    let (desk, agent, workplace) = ("frontstage/desk".parse().unwrap(), JANA.parse().unwrap(), "101".parse().unwrap());
    log_in(&world.chat_ctx, &desk, &agent, &workplace).await.unwrap();
}

async fn prepared(world: &World, case: &str) -> ChatId {
    let answer = world.invoke("prepare-chat", case).await;
    assert_eq!(answer.as_object().unwrap().len(), 1);
    answer["return_chat_id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn row_4_thread_that_names_the_chat_enters_it() {
    let world = World::with_chats();
    let id = prepared(&world, "ok").await;
    let chat = world.chats.peek(id.conversation()).unwrap().chat;
    assert_eq!((chat.id, chat.tracking, &chat.state), (id, None, &State::Pilot));
    let directory = events::configured_with_chats();
    let account = &directory.accounts[&"frontstage/gw-chat".parse().unwrap()];
    let start = VisitorAct::Start { visitor: ChatVisitor::default(), ext_response: None, form: None, enters: Enters::Chat(id) };
    let thread = "t-9".to_owned().try_into().unwrap();
    let outcome = visitor_event(&world.chat_ctx, account, &thread, start, &Asking::default()).await.unwrap();
    let ChatOutcome::Done(Handled { refusal: None, chat: Some(entered), .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!((entered.chat.id, entered.chat.visitor.party_name.as_deref()), (id, Some("Eva Demová")));
    assert_eq!(entered.chat.visitor.user_token.as_deref(), Some("order-4711"));
}

#[tokio::test]
async fn row_4_agent_who_invites_has_the_chat() {
    let world = World::with_chats();
    given_jana(&world).await;
    let id = prepared(&world, "agent").await;
    let chat = world.chats.peek(id.conversation()).unwrap().chat;
    let State::Answered { by: Attendant::Agent(agent) } = chat.state else { panic!("{:?}", chat.state) };
    assert_eq!((agent.id.to_string().as_str(), agent.workplace.to_string().as_str()), (JANA, "101"));
    assert!(world.chat_ctx.chats.of_agent(&"frontstage/desk".parse().unwrap(), &agent.id).await.unwrap().len() == 1);
}

#[tokio::test]
async fn input_that_cannot_be_used_changes_nothing() {
    for (case, expected) in [
        ("malformed", "malformed"),
        ("unknown", "unknown"),
        ("no_chats", "invalid"),
        ("other_agent", "invalid"),
        ("too_long", "invalid"),
        // Nobody is logged in.
        ("agent", "conflict"),
    ] {
        let world = World::with_chats();
        assert_eq!(code(&world.invoke("prepare-chat", case).await), expected, "{case}");
        assert_eq!(world.chats.counts().writes, 0, "{case}");
    }
    let answer = World::with_chats().invoke("prepare-chat", "too_long").await;
    assert_eq!(answer, json!({"error": {"code": "invalid", "message": "party_name is longer than 160"}}));
}

#[tokio::test]
async fn store_down_is_a_failed_invocation() {
    let world = World::with_chats();
    world.store.fail_next(1);
    assert!(matches!(world.try_invoke("prepare-chat", "ok").await, Err(app::AppError::Unavailable(_))));
    assert_eq!(world.chats.counts().writes, 0);
    prepared(&world, "ok").await;
}

#[tokio::test]
async fn trader_is_led_to_the_chat_by_a_record() {
    let world = World::with_screens();
    for rev in 1..=2 {
        let chat = prepared(&world, "trader").await;
        assert_eq!(world.chats.peek(chat.conversation()).unwrap().chat.gateway.to_string(), "frontstage/gw-inapp");
        let records = world.records.peek();
        let [(key, record)] = &records.iter().collect::<Vec<_>>()[..] else { panic!("{records:?}") };
        assert_eq!((key.account.to_string().as_str(), key.kind, key.id.as_str()), ("ctrader/broker", "prepared_chat", ""));
        // SHA-256 of "00000000000000000000000000000001/user/31550462".
        assert_eq!(key.group, "83ec1d657bc0595a506a17927d4a3a6654cb69bd3c0962535827030f80149d88");
        assert_eq!(record.body, format!("{{\"chat\":\"{chat}\",\"gateway\":\"frontstage/gw-inapp\"}}"));
        // 2026-01-02T00:00:00Z.
        assert_eq!((record.rev, record.ends_at.map(model::EpochMillis::millis)), (rev, Some(1_767_312_000_000)));
    }
}

#[tokio::test]
async fn trader_of_no_brand_is_not_invited() {
    let world = World::with_screens();
    for (input, expected) in [
        (json!({"brand": "ctrader/nobody", "user_id": 1}), "unknown"),
        (json!({"brand": "vcita/demo", "user_id": 1}), "invalid"),
        (json!({"brand": "ctrader/broker"}), "malformed"),
        (json!({"user_id": 1, "gateway": "frontstage/gw-inapp"}), "malformed"),
        (json!({"brand": "ctrader/broker", "user_id": 1, "gateway": "frontstage/gw-mail"}), "invalid"),
        (json!({}), "malformed"),
    ] {
        let answer = world.try_invoke_with("prepare-chat", input.clone()).await.unwrap();
        assert_eq!(code(&answer), expected, "{input}");
    }
    assert!(world.records.peek().is_empty());
}
