//! Visitor and agent talk to each other.

use std::sync::Arc;
use std::time::Duration;

use app::chats::{AgentAct, Asking, ChatOutcome, Enters, VisitorAct};
use chat::{ChatVisitor, Policy};
use testkit::OperationCounts;

use crate::chats_world::{SECOND, Words, World, entry_says, says, start, texts, tracking, writes};

fn id(text: &str) -> chat::SentenceId {
    text.to_owned().try_into().unwrap()
}

#[tokio::test]
async fn visitor_and_agent_talk_from_the_first_question_to_the_end() {
    let world = World::new();
    world.log_in(&world.anna).await;
    let request = || VisitorAct::Request { visitor: ChatVisitor::default(), ext_response: None };
    assert_eq!(world.visitor("t", request()).await, ["signal Free"]);

    assert_eq!(world.visitor("t", start()).await, ["status Pilot g1 []"]);
    assert_eq!(world.told().await, ["status Waiting g1", "status Alerting Anna g1"]);
    assert_eq!(world.told_to(&world.anna).await, ["alert"]);
    assert_eq!(world.visitor("t", request()).await, ["signal Busy"]);

    assert_eq!(world.visitor("t", says("v-1", "Dobrý den")).await, ["echo 1 Dobrý den"]);
    assert!(world.told_to(&world.anna).await.is_empty(), "not hers yet");
    assert_eq!(world.agent(&world.anna, "t", AgentAct::Answers).await, ["status Answered Anna g1 [1 Dobrý den]"]);
    assert_eq!(world.told().await, ["status Answered Anna g1"]);

    assert_eq!(world.agent(&world.anna, "t", AgentAct::Types { is_typing: true }).await, [""; 0]);
    assert_eq!(world.agent(&world.anna, "t", writes("a-1", "Dobrý")).await, ["echo 2 Dobrý"]);
    assert_eq!(world.told().await, ["typing true", "out 2 Dobrý"]);
    assert_eq!(world.visitor("t", VisitorAct::Confirms(id("a-1"))).await, [""; 0]);
    assert_eq!(world.visitor("t", VisitorAct::Types { is_typing: true }).await, [""; 0]);
    assert_eq!(world.visitor("t", says("v-2", "Kolik?")).await, ["echo 3 Kolik?"]);
    assert_eq!(world.told_to(&world.anna).await, ["confirmed a-1", "typing true", "in 3 Kolik?"]);
    assert_eq!(world.agent(&world.anna, "t", AgentAct::Confirms(id("v-2"))).await, [""; 0]);
    assert_eq!(world.told().await, ["confirmed v-2"]);

    let all = "[1 Dobrý den, 2 Dobrý, 3 Kolik?]";
    assert_eq!(world.visitor("t", VisitorAct::Asks).await, [format!("status Answered Anna g1 {all}")]);
    assert_eq!(world.agent(&world.anna, "t", AgentAct::Asks).await, [format!("status Answered Anna g1 {all}")]);
    assert_eq!(world.load(&world.anna).await, 1);
    assert_eq!(world.agent(&world.anna, "t", AgentAct::HangsUp).await, [format!("status Closed Agent g1 {all}")]);
    assert_eq!(world.told().await, ["status Closed Agent g1"]);
    assert_eq!(world.load(&world.anna).await, 0);
    assert!(world.told_to(&world.anna).await.is_empty());

    for stream in [world.gateway_stream(), world.agent_stream(&world.anna)] {
        let told = world.chats.told(&stream);
        let numbers: Vec<_> = told.iter().map(|entry| entry.seq).collect();
        assert_eq!(numbers, (1..=told.len() as u64).collect::<Vec<_>>(), "no number is missing");
    }
}

#[tokio::test]
async fn answers_go_to_the_stream_if_the_asker_wants_it_so() {
    let world = World::open(Policy::default());
    let asking = || Asking { is_async: true, ..world.envelope() };
    let first = asking();
    let ChatOutcome::Done(done) = world.try_visitor("t", start(), &first).await.unwrap() else { panic!() };
    assert_eq!((done.answers, done.is_duplicate), (vec![], false));
    world.try_visitor("t", says("s", "Hi"), &asking()).await.unwrap();
    let list = app::chats::gateway_list(&world.ctx, &world.gateway.id, &asking()).await.unwrap();
    assert_eq!(list, ChatOutcome::Done(app::chats::Handled::default()));
    assert_eq!(world.told().await, ["status Pilot g1 []", "status Waiting g1", "echo 1 Hi", "list [Waiting]"]);
    let ChatOutcome::Done(again) = world.try_visitor("t", start(), &Asking { guards: vec![], ..first }).await.unwrap() else {
        panic!()
    };
    assert!(again.is_duplicate && again.answers.is_empty());
    assert_eq!(world.told().await, ["skip"], "the number that the repetition took");
}

#[tokio::test]
async fn sentence_costs_the_same_in_the_first_and_the_two_hundredth_place() {
    let world = World::new();
    world.log_in(&world.anna).await;
    world.visitor("t", start()).await;
    world.agent(&world.anna, "t", AgentAct::Answers).await;
    world.forget_told().await;
    for n in 1..=100 {
        for (place, is_visitor) in [(2 * n - 1, true), (2 * n, false)] {
            world.chats.forget_operations();
            let echo = if is_visitor {
                world.visitor("t", says(&format!("s-{n}"), "Hi")).await
            } else {
                world.agent(&world.anna, "t", writes(&format!("s-{n}"), "Hi")).await
            };
            assert_eq!(echo, [format!("echo {place} Hi")]);
            assert_eq!(world.chats.operations(), ["chat", "reserve", "reserve", "save"], "sentence {place}");
            assert_eq!(world.chats.counts(), OperationCounts { reads: 1, writes: 3 });
        }
    }
    let expected: Vec<_> = (1..=100).map(|n| format!("out {} Hi", 2 * n)).collect();
    assert_eq!(world.told().await, expected);
    let expected: Vec<_> = (1..=100).map(|n| format!("in {} Hi", 2 * n - 1)).collect();
    assert_eq!(world.told_to(&world.anna).await, expected);
    let all: Vec<_> = (1..=200).map(|n| format!("{n} Hi")).collect();
    let status = world.visitor("t", VisitorAct::Asks).await;
    assert_eq!(status, [format!("status Answered Anna g1 [{}]", all.join(", "))]);
}

#[tokio::test]
async fn transcript_in_a_stream_is_no_longer_than_can_be_stored() {
    let world = World::open(Policy::default());
    world.visitor("t", start()).await;
    for n in 1..=5 {
        world.visitor("t", says(&n.to_string(), &"x".repeat(60_000))).await;
    }
    let answered = world.visitor("t", VisitorAct::Asks).await;
    assert!(answered[0].len() > 300_000, "the answer holds all of it");
    world.told().await;
    let asking = Asking { is_async: true, ..world.envelope() };
    world.try_visitor("t", VisitorAct::Asks, &asking).await.unwrap();
    let told = world.told().await;
    assert!((180_000..200_100).contains(&told[0].len()), "{}", told[0].len());
    assert!(told[0].starts_with("status Waiting g1 [3 xxx"), "the newest");
    let stored = world.chats.told(&world.gateway_stream());
    assert!(stored.iter().all(|entry| entry.body.len() < 201_000));
}

#[tokio::test]
async fn typing_that_is_read_late_is_skipped() {
    let world = World::new();
    world.log_in(&world.anna).await;
    world.visitor("t", start()).await;
    world.agent(&world.anna, "t", AgentAct::Answers).await;
    world.forget_told().await;
    world.visitor("t", VisitorAct::Types { is_typing: true }).await;
    world.clock.advance(10 * SECOND);
    assert_eq!(world.told_to(&world.anna).await, ["skip"]);
}

#[tokio::test]
async fn reader_who_was_away_for_a_day_is_told() {
    let world = World::open(Policy::default());
    world.visitor("t", start()).await;
    world.clock.advance(Duration::from_secs(86_400));
    let read = app::chats::read_stream(&world.ctx, &world.gateway_stream(), 0, 10).await.unwrap();
    assert_eq!(read, ports::StreamRead::Expired { next: 2 });
}

#[tokio::test]
async fn lists_name_what_is_there() {
    let world = World::new();
    assert_eq!(world.gateway_list().await, ["list []"]);
    assert_eq!(world.agent_list(&world.anna).await, ["list []"]);
    world.log_in(&world.anna).await;
    world.visitor("a", start()).await;
    world.visitor("b", start()).await;
    world.visitor("c", start()).await;
    world.visitor("c", VisitorAct::Stop).await;
    let mut both = world.gateway_list().await;
    assert!(["list [Alerting Anna, Waiting]", "list [Waiting, Alerting Anna]"].contains(&both.remove(0).as_str()));
    assert_eq!(world.agent_list(&world.anna).await, ["list [Alerting Anna]"]);
    world.agent(&world.anna, "a", AgentAct::Answers).await;
    assert_eq!(world.agent_list(&world.anna).await, ["list [Answered Anna]"]);
    world.visitor("b", VisitorAct::Stop).await;
    assert_eq!(world.gateway_list().await, ["list [Answered Anna]"]);
    world.configure(|plan| plan.list_recently = Some(Duration::from_secs(600)));
    let listed = world.gateway_list().await.remove(0);
    assert_eq!(listed.matches("Closed ExtApp").count(), 2, "{listed}");
    world.clock.advance(Duration::from_secs(600));
    assert_eq!(world.gateway_list().await, ["list [Answered Anna]"]);
}

#[tokio::test]
async fn overdue_chat_is_listed_no_more() {
    let world = World::open(Policy { inactivity: Some(30 * SECOND), ..Policy::default() });
    world.visitor("a", start()).await;
    world.clock.advance(30 * SECOND);
    assert_eq!(world.gateway_list().await, ["list []"]);
}

#[tokio::test]
async fn gate_says_what_rules_hours_and_agents_say() {
    let world = World::new();
    let request = || VisitorAct::Request { visitor: ChatVisitor::default(), ext_response: Some("blocked".into()) };
    assert_eq!(world.visitor("t", request()).await, ["signal Closed"], "nobody is there");
    world.log_in(&world.anna).await;
    assert_eq!(world.visitor("t", request()).await, ["signal Free"]);
    world.configure(|plan| plan.desk.as_mut().unwrap().is_open = false);
    assert_eq!(world.visitor("t", request()).await, ["signal Closed"]);
    world.configure(|plan| plan.policy.accepts_inbound = false);
    assert_eq!(world.visitor("t", request()).await, ["signal Closed"]);
    world.configure(|plan| {
        let rules = r#"{"after":[{"when":{"ext_response":{"is":"blocked"}},"then":{"signal":"hidden"}}]}"#;
        plan.gate = serde_json::from_str(rules).unwrap();
    });
    world.chats.forget_operations();
    assert_eq!(world.visitor("t", request()).await, ["signal Hidden"]);
    assert_eq!(world.chats.operations(), ["reserve", "tell"], "a rule decides without a look at the desk");
    world.configure(|plan| plan.desk.as_mut().unwrap().agents = None);
    assert_eq!(world.visitor("t", request()).await, ["signal Free"], "staff elsewhere");
    world.configure(|plan| plan.desk = None);
    assert_eq!(world.visitor("t", request()).await, ["signal Closed"], "no desk");
    assert!(world.chats.peek(app::chats::conversation_of(&world.gateway, &tracking("t"))).is_none(), "no chat is created");
}

#[tokio::test]
async fn gateway_without_chats_is_unknown() {
    let world = World::new();
    let mut stranger = world.gateway.clone();
    stranger.id = "frontstage/other".parse().unwrap();
    let asking = world.envelope();
    for act in [start(), VisitorAct::Asks, VisitorAct::Request { visitor: ChatVisitor::default(), ext_response: None }] {
        let visit = app::chats::visitor_event(&world.ctx, &stranger, &tracking("t"), act, &asking).await;
        assert!(matches!(visit, Err(app::AppError::UnknownAccount(_))));
    }
    let list = app::chats::gateway_list(&world.ctx, &stranger.id, &asking).await;
    assert!(matches!(list, Err(app::AppError::UnknownAccount(_))));
}

#[tokio::test]
async fn start_that_names_another_chat_is_refused() {
    let world = World::staffed(Policy::default()).await;
    world.visitor("t", start()).await;
    let enter = |enters| match start() {
        VisitorAct::Start { visitor, ext_response, form, .. } => VisitorAct::Start { visitor, ext_response, form, enters },
        other => other,
    };
    let taken = world.chat("t").id;
    assert_eq!(world.visitor_may("u", enter(Enters::Chat(taken))).await.1, Some(chat::Refusal::Conflict));
    assert_eq!(world.visitor_may("u", enter(Enters::Unknown)).await.1, Some(chat::Refusal::UnknownChat));
    let missing = chat::ChatId::new("00112233445566778899".parse().unwrap(), 1).unwrap();
    assert_eq!(world.visitor_may("u", enter(Enters::Chat(missing))).await.1, Some(chat::Refusal::UnknownChat));
    assert_eq!(world.visitor("t", enter(Enters::Chat(taken))).await, ["status Alerting Anna g1 []"]);
}

#[tokio::test]
async fn staff_elsewhere_keeps_the_chat_waiting() {
    let world = World::new();
    world.configure(|plan| plan.desk.as_mut().unwrap().agents = None);
    world.visitor("t", start()).await;
    assert_eq!(world.visitor("t", says("s", "Hi")).await, ["echo 1 Hi"]);
    assert_eq!(world.told().await, ["status Waiting g1"]);
    assert_eq!(world.state("t"), "Waiting");
}

#[tokio::test]
async fn repeated_sentence_gets_its_echo_and_bothers_nobody() {
    let world = World::new();
    world.log_in(&world.anna).await;
    world.visitor("t", start()).await;
    world.agent(&world.anna, "t", AgentAct::Answers).await;
    world.visitor("t", says("s", "Hi")).await;
    world.forget_told().await;
    assert_eq!(world.visitor("t", says("s", "Hi")).await, ["echo 1 Hi"]);
    assert!(world.told_to(&world.anna).await.is_empty());
    assert_eq!(world.visitor("t", says("s", "Hi!")).await, ["echo 2 Hi!"], "the id again for something else");
    assert_eq!(world.told_to(&world.anna).await, ["in 2 Hi!"]);
    let all = world.chats.told(&world.agent_stream(&world.anna));
    assert_eq!(all.iter().filter(|entry| entry_says(entry).starts_with("in ")).count(), 2);
    assert_eq!(texts(&all).last().unwrap(), "in 2 Hi!");
}

#[tokio::test]
async fn browser_has_no_stream_and_is_shown_the_chat() {
    let world = World::new();
    world.configure(|plan| plan.words = Arc::new(Words { has_connector: false }));
    let visitor = ChatVisitor::default();
    let signal = async || app::chats::ask_gate(&world.ctx, &world.gateway.id, &visitor, None).await.unwrap();
    assert_eq!(signal().await, chat::gate::Signal::Closed);
    world.log_in(&world.anna).await;
    assert_eq!(signal().await, chat::gate::Signal::Free);
    let visit = async |act| match world.try_visitor("t", act, &Asking::default()).await.unwrap() {
        ChatOutcome::Done(handled) => handled,
        other => panic!("{other:?}"),
    };
    let started = visit(start()).await;
    assert!(started.answers.is_empty());
    assert_eq!(started.chat.unwrap().chat, world.chat("t"));
    world.agent(&world.anna, "t", AgentAct::Answers).await;
    world.chats.forget_operations();
    assert_eq!(visit(says("s", "Hi")).await.chat.unwrap().chat.counter, 1);
    assert_eq!(world.chats.operations(), ["chat", "reserve", "save"], "only the agent is told");
    world.chats.forget_operations();
    assert_eq!(visit(VisitorAct::Asks).await.chat.unwrap().chat, world.chat("t"));
    assert_eq!(world.chats.operations(), ["chat"]);
    assert!(world.chats.told(&world.gateway_stream()).is_empty());
    assert_eq!(world.told_to(&world.anna).await, ["alert", "in 1 Hi"]);
}
