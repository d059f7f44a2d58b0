//! A trader and whoever answers talk (section 5, "Chat"; section 11, "Chat lifecycle states" and "Survey").

use std::time::Duration;

use app::chats::AgentAct;
use chat::{SentenceId, State};
use serde_json::{Value, json};

use crate::chat_world::{ACT, READ, Screens, UPLOAD};

const FIRST: &str = "5e000000-0000-4000-8000-000000000001";
const SALON: &str = "vcita/demo";

#[tokio::test]
async fn screen_without_a_chat_is_told_so() {
    let world = Screens::with_jana(json!({})).await;
    let answer = world.send(READ, "ok").await;
    let none = json!({"id": null, "state": "none", "counter": 0, "tag": "none", "agent": null, "typing": false, "resolution": null,
                      "survey": false, "messages": []});
    assert_eq!((answer.status, &answer.body), (200, &json!({"chat": none, "pollAfterMs": 5_000})));
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(world.operations(), ["record", "chat"]);
    for act in ["typing", "read", "end"] {
        assert_eq!(world.send(ACT, act).await.chat(), &none, "{act}");
    }
}

#[tokio::test]
async fn first_message_begins_the_chat_and_rings_at_an_agent() {
    for case in ["ok", "base64_body"] {
        let world = Screens::with_jana(json!({})).await;
        let answer = world.send(ACT, case).await;
        let message = json!({"id": FIRST, "counter": 1, "at": "2026-01-01T00:00:00.000Z", "from": "visitor", "name": "Inés",
                             "text": "Where is my deposit?", "delivered": false, "read": false, "attachments": []});
        assert_eq!((answer.said().len(), &answer.chat()["messages"][0]), (1, &message), "{case}");
        assert_eq!((&answer.chat()["state"], &answer.body["pollAfterMs"]), (&json!("waiting"), &json!(700)));
        assert_eq!(world.told_gateway(), 0, "nobody reads a stream of the gateway");
    }
}

#[tokio::test]
async fn agent_whom_the_link_asks_for_is_rung_at_first_and_has_a_picture() {
    const PETR: (&str, &str, &str) = ("aaaaaaaa-0000-4000-8000-000000000102", "102", "Petr");
    let both = async |params: Value| {
        let world = Screens::with_jana(params).await;
        world.log_in(PETR.0, PETR.1).await;
        world.send(ACT, "ok").await;
        world.stored().await.state
    };
    let rung = |state: &State| match state {
        State::Alerting { agent, .. } => agent.id.to_string(),
        other => panic!("{other:?}"),
    };
    // Both have been idle for as long, and Jana's id is the smaller one.
    assert_eq!(rung(&both(json!({})).await), "aaaaaaaa-0000-4000-8000-000000000101");
    assert_eq!(rung(&both(json!({"agentId": "jane_roe"})).await), "aaaaaaaa-0000-4000-8000-000000000101");
    assert_eq!(rung(&both(json!({"agentId": "john_doe"})).await), "aaaaaaaa-0000-4000-8000-000000000102");
    // Whether there is such an agent is not told.
    let world = Screens::with_jana(json!({"agentId": "john_doe"})).await;
    assert_eq!(world.send(ACT, "ok").await.chat()["agent"], Value::Null);
    assert_eq!(rung(&world.stored().await.state), "aaaaaaaa-0000-4000-8000-000000000101");

    let world = Screens::with_jana(json!({"agentId": "john_doe"})).await;
    world.log_in(PETR.0, PETR.1).await;
    let chat = world.send(ACT, "ok").await.chat()["id"].as_str().unwrap().to_owned();
    world.agent(PETR, &chat, AgentAct::Answers).await;
    let shown = json!({"name": "Petr", "picture": "https://static.broker.example/team/petr.png"});
    assert_eq!(world.send(READ, "ok").await.chat()["agent"], shown);
}

#[tokio::test]
async fn desk_knows_who_it_is_and_what_the_link_says() {
    let world = Screens::with_jana(json!({"chatReason": "withdrawal", "agentId": "john_doe"})).await;
    world.send(ACT, "start").await;
    let chat = world.stored().await;
    assert_eq!(chat.gateway.to_string(), "frontstage/gw-inapp");
    assert_eq!(chat.visitor.party_name.as_deref(), Some("Inés"));
    assert_eq!(chat.visitor.user_token.as_deref(), Some("31550462"));
    assert_eq!(chat.visitor.culture.as_deref(), Some("en"));
    assert_eq!(
        chat.slots.navigation.unwrap().text,
        "https://inapp.broker.example/inapp/chat?chatReason=withdrawal&agentId=john_doe&account=5207718"
    );
    // SHA-256 of "00000000000000000000000000000001/chat/31550462".
    assert_eq!(chat.tracking.unwrap().as_str(), THREAD);
    // Once: the next start has nothing to add.
    let rev = world.stored().await.rev;
    world.send(ACT, "start").await;
    assert_eq!(world.stored().await.rev, rev);
}

const THREAD: &str = "96b9c1b921490f7527f3dd05d63763ef9a03d437c0b4ffc654945a1b54ffd3bc";

#[tokio::test]
async fn poll_takes_the_session_and_the_chat_and_what_is_new() {
    let world = Screens::with_conversation().await;
    let answer = world.send(READ, "ok").await;
    assert_eq!(answer.said(), [(1, "visitor", "Where is my deposit?")]);
    assert_eq!(
        (&answer.chat()["state"], &answer.chat()["agent"]),
        (&json!("assigned"), &json!({"name": "Jana", "picture": null}))
    );
    assert_eq!(world.operations(), ["record", "chat", "sentences"]);
    let tag = answer.chat()["tag"].as_str().unwrap().to_owned();
    world.forget();
    let unchanged = world.read(&format!("after=1&tag={tag}")).await;
    assert_eq!((unchanged.said().len(), unchanged.chat()["tag"].as_str()), (0, Some(tag.as_str())));
    assert_eq!(world.operations(), ["record", "chat"]);
}

#[tokio::test]
async fn message_costs_one_read_one_transaction_and_a_read_of_what_is_new() {
    let world = Screens::with_conversation().await;
    let answer = world.send(ACT, "second").await;
    assert_eq!(answer.said()[1], (2, "visitor", "It was yesterday."));
    assert_eq!(world.operations(), ["record", "chat", "reserve", "save", "sentences"]);
}

#[tokio::test]
async fn repeated_message_is_said_once() {
    let world = Screens::with_conversation().await;
    for case in ["duplicate", "ok"] {
        assert_eq!(world.send(ACT, case).await.said(), [(1, "visitor", "Where is my deposit?")], "{case}");
    }
    assert_eq!(world.chats.counts().writes, 0);
}

#[tokio::test]
async fn marks_of_what_is_there_already_are_told_again() {
    let world = Screens::with_conversation().await;
    let chat = world.chat_id().await;
    let tag = world.read("after=0").await.chat()["tag"].as_str().unwrap().to_owned();
    world.jana(&chat, AgentAct::Confirms(SentenceId::try_from(FIRST.to_owned()).unwrap())).await;
    let delivered = world.read(&format!("after=1&tag={tag}")).await;
    assert_eq!(delivered.marks(), [(true, false)]);
    world.jana_says(&chat, "j-1", "Let me see.").await;
    let tag = delivered.chat()["tag"].as_str().unwrap();
    let answered = world.read(&format!("after=1&tag={tag}")).await;
    assert_eq!(answered.said()[1], (2, "agent", "Let me see."));
    assert_eq!(answered.marks(), [(true, true), (true, false)]);
    assert_eq!(world.send(ACT, "read").await.marks(), [(true, true), (true, true)]);
    // Without a tag it is strictly what comes after the counter.
    assert_eq!(world.read("after=1").await.said(), [(2, "agent", "Let me see.")]);
}

#[tokio::test]
async fn typing_crosses_both_ways() {
    let world = Screens::with_conversation().await;
    let chat = world.chat_id().await;
    world.jana(&chat, AgentAct::Types { is_typing: true }).await;
    assert_eq!(world.read("after=1").await.chat()["typing"], true);
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(world.read("after=1").await.chat()["typing"], false);
    world.send(ACT, "typing").await;
    assert!(world.stored().await.is_typing(chat::Direction::Inbound, ports::Clock::now(&world.clock)));
}

#[tokio::test]
async fn chat_that_the_agent_ends_is_resolved_and_rated_once() {
    let world = Screens::with_conversation().await;
    let chat = world.chat_id().await;
    assert_eq!(world.send(ACT, "survey").await.refusal(), (409, "conflict"), "it goes on");
    world.jana(&chat, AgentAct::HangsUp).await;
    let ended = world.send(READ, "ok").await;
    let seen = |name: &str| ended.chat()[name].clone();
    assert_eq!((seen("state"), seen("resolution"), seen("survey")), (json!("resolved"), json!("resolved"), json!(true)));
    let rated = world.send(ACT, "survey").await;
    assert_eq!(rated.chat()["survey"], false);
    let [survey] = &world.chats.results_of(&"frontstage/gw-inapp".parse().unwrap())[..] else { panic!() };
    assert_eq!((survey.id.to_string(), survey.chat.unwrap().to_string()), (chat.clone(), chat));
    let answers: Vec<_> = survey.answers.iter().map(|one| (one.control.as_str(), one.number, one.text.as_deref())).collect();
    assert_eq!(answers, [("rating", Some(4), None), ("comment", None, Some("Quick"))]);
    for body in [json!({"rating": 4, "comment": "Quick"}), json!({"rating": 1})] {
        assert_eq!(world.act("survey", &body).await.refusal(), (409, "conflict"));
    }
    assert_eq!(world.send(ACT, "second").await.refusal(), (409, "conflict"), "it is over");
    assert_eq!(world.send(ACT, "end").await.chat()["state"], "resolved");
}

#[tokio::test]
async fn who_ended_it_and_where_it_was_say_what_came_of_it() {
    let ended = async |world: &Screens| {
        let chat = world.send(READ, "ok").await.chat().clone();
        (chat["state"].as_str().unwrap().to_owned(), chat["resolution"].as_str().unwrap().to_owned(), chat["survey"] == true)
    };
    let told = |state: &str, resolution: &str, survey| (state.to_owned(), resolution.to_owned(), survey);
    // The visitor, after an answer.
    let world = Screens::with_conversation().await;
    world.send(ACT, "end").await;
    assert_eq!(ended(&world).await, told("resolved", "resolved", true));
    // The visitor, while nobody had answered.
    let world = Screens::with_jana(json!({})).await;
    world.send(ACT, "ok").await;
    world.send(ACT, "end").await;
    assert_eq!(ended(&world).await, told("closed", "follow_up", false));
    // Nobody, for a quarter of an hour.
    let world = Screens::with_conversation().await;
    world.clock.advance(Duration::from_secs(899));
    assert_eq!(world.send(READ, "ok").await.chat()["state"], "assigned");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(ended(&world).await, told("closed", "follow_up", true));
    let due: Vec<_> = world.timers.due();
    assert!(!due.is_empty());
    for task in due {
        app::chats::tick(&world.ctx.chats, &task).await.unwrap();
    }
    assert_eq!(ended(&world).await, told("closed", "follow_up", true));
    assert_eq!(world.send(READ, "transcript").await.status, 200);
    // At another desk than its gateway's.
    let world = Screens::with_conversation().await;
    world.hand_over(SALON).await;
    assert_eq!(world.send(READ, "ok").await.chat()["state"], "escalated");
    world.send(ACT, "end").await;
    assert_eq!(ended(&world).await, told("closed", "escalated", false));
}

#[tokio::test]
async fn department_and_reason_choose_the_gateway() {
    for (params, gateway) in [
        (json!({"department": "salon"}), "frontstage/gw-inapp-staff"),
        (json!({"chatReason": "deposit_issue"}), "frontstage/gw-inapp-staff"),
        (json!({"department": "nowhere", "chatReason": "weather"}), "frontstage/gw-inapp"),
    ] {
        let world = Screens::with_jana(params).await;
        world.send(ACT, "start").await;
        assert_eq!(world.stored().await.gateway.to_string(), gateway);
    }
}

#[tokio::test]
async fn counters_go_on_over_the_person_s_chats() {
    let world = Screens::with_conversation().await;
    let first = world.chat_id().await;
    world.send(ACT, "end").await;
    let tag = world.read("after=1").await.chat()["tag"].as_str().unwrap().to_owned();
    let fresh = world.send(ACT, "start").await;
    assert_ne!(fresh.chat()["id"], json!(first));
    assert_eq!(fresh.chat()["counter"], 1_000_000);
    world.send(ACT, "second").await;
    let expected = [(1_000_001, "visitor", "It was yesterday.")];
    assert_eq!(world.read(&format!("after=1&tag={tag}")).await.said(), expected);
    assert_eq!(world.read("after=0").await.said(), expected);
    assert_eq!(world.read("after=1000001").await.said(), []);
}

#[tokio::test]
async fn files_go_as_links_and_come_back_as_files() {
    let world = Screens::with_conversation().await;
    world.keep_upload(31_550_462, "clean", Duration::from_secs(60)).await;
    let answer = world.send(ACT, "attachment").await;
    let file = json!({"id": UPLOAD, "name": "receipt.pdf", "size": 48_213, "type": "application/pdf"});
    let message = &answer.chat()["messages"][1];
    assert_eq!((&message["text"], &message["attachments"]), (&json!("Here it is"), &json!([file])));
    let told = world.ctx.chats.chats.sentences(world.stored().await.id, 2, 2).await.unwrap();
    assert_eq!(
        told[0].text,
        "Here it is\nreceipt.pdf (application/pdf, 48213 bytes): https://inapp.broker.example/inapp/api/upload/5eed0000000040008000000000000001"
    );
}

#[tokio::test]
async fn transcript_is_a_text_to_be_kept() {
    let world = Screens::with_conversation().await;
    let chat = world.chat_id().await;
    world.clock.advance(Duration::from_secs(61));
    world.jana_says(&chat, "j-1", "On its way.\n2026-01-01T00:00:00.000Z Inés: Thanks").await;
    let answer = world.send(READ, "transcript").await;
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"chat.txt\"");
    assert_eq!(
        answer.body,
        "2026-01-01T00:00:00.000Z Inés: Where is my deposit?\n\
         2026-01-01T00:01:01.000Z Jana: On its way.\n    2026-01-01T00:00:00.000Z Inés: Thanks\n"
    );
}

#[tokio::test]
async fn prepared_chat_is_entered_by_its_person_once() {
    let world = Screens::with_jana(json!({"chatReason": "proactive"})).await;
    let chat = world.prepared(Duration::from_secs(86_400)).await.to_string();
    assert_eq!(world.send(READ, "ok").await.chat()["state"], "none");
    let entered = world.send(ACT, "start").await;
    let seen = |name: &str| entered.chat()[name].clone();
    assert_eq!((seen("id"), seen("state"), &seen("agent")["name"]), (json!(chat), json!("assigned"), &json!("Jana Vzorová")));
    world.send(ACT, "end").await;
    assert_eq!(world.send(READ, "ok").await.chat()["id"], json!(chat));
    assert_ne!(world.send(ACT, "start").await.chat()["id"], json!(chat));
}

#[tokio::test]
async fn prepared_chat_is_for_those_who_follow_the_invitation_in_time() {
    let world = Screens::with_jana(json!({})).await;
    let chat = world.prepared(Duration::from_secs(86_400)).await.to_string();
    assert_ne!(world.send(ACT, "start").await.chat()["id"], json!(chat), "another link");
    let world = Screens::with_jana(json!({"chatReason": "proactive"})).await;
    let chat = world.prepared(Duration::from_secs(1)).await.to_string();
    world.clock.advance(Duration::from_secs(1));
    assert_ne!(world.send(ACT, "start").await.chat()["id"], json!(chat), "too late");
    // It was closed for inactivity meanwhile: there is an ordinary chat instead.
    let world = Screens::with_jana(json!({"chatReason": "proactive"})).await;
    let chat = world.prepared(Duration::from_secs(86_400)).await;
    world.clock.advance(Duration::from_secs(900));
    for task in world.timers.due() {
        app::chats::tick(&world.ctx.chats, &task).await.unwrap();
    }
    app::chats::note_poll(&world.ctx.chats, &crate::chat_world::desk(), &"101".parse().unwrap()).await.unwrap();
    assert_ne!(world.send(ACT, "start").await.chat()["id"], json!(chat));
}
