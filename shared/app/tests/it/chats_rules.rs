//! Contract 5.1, the rows that run without people: 4, 5 (prepared chats), 9, 12, 13, 34 (scripts), 11 (default project), 14
//! (rules of waiting); and spam (section 12).

use std::time::Duration;

use app::chats::{AgentAct, DeskPlan, Enters, PrepareError, VisitorAct, conversation_of, log_in, log_out, prepare, tick};
use chat::desk::{AgentView, Presence};
use chat::script::{Script, ScriptWhen};
use chat::{Agent, AgentId, ChatId, ChatVisitor, Desk, Policy, Refusal, Robot, Skill};
use model::ChatTask;
use ports::{Clock, StreamKey};
use serde_json::{Value, json};

use crate::chats_world::{SECOND, World, says, start, tracking, writes};

const MINUTE: Duration = Duration::from_secs(60);

fn skill(project: &str) -> Skill {
    Skill { project: project.parse().unwrap(), language: None }
}

pub(crate) fn script_of(when: ScriptWhen, nodes: Value) -> Script {
    let robot = Robot { id: None, name: "Robin".into() };
    Script::new(robot, when, serde_json::from_value(nodes).unwrap()).unwrap()
}

fn menu(when: ScriptWhen) -> Script {
    script_of(
        when,
        json!([
            {"name": "menu", "say": {"*": "1 sales, 2 bye, 3 other", "cs": "1 nákup"}, "options": [
                {"match": ["1"], "go": "sales"}, {"match": ["2"], "go": "bye"}, {"match": ["3"], "go": "other"}]},
            {"name": "sales", "say": "One moment", "then": "hand_over"},
            {"name": "bye", "say": "Bye", "then": "end"},
            {"name": "other", "say": "Over to others", "then": {"hand_over": "vcita/demo"}}
        ]),
    )
}

/// A world with a script, two agents there, and another platform's staff to hand over to.
async fn scripted(when: ScriptWhen) -> World {
    let world = World::staffed(Policy::default()).await;
    world.configure(|plan| {
        plan.script = Some(menu(when));
        plan.others = vec![DeskPlan { account: "vcita/demo".parse().unwrap(), agents: None, is_open: true, staff_name: None }];
    });
    world
}

/// A world in which nobody is free, and a chat waits by these rules.
async fn waiting(rules: Value) -> World {
    let world = World::open(Policy::default());
    world.configure(|plan| {
        plan.gate = serde_json::from_str(r#"{"gateway":[{"then":{"signal":"busy"}}]}"#).unwrap();
        plan.waiting_rules = serde_json::from_value(rules).unwrap();
    });
    world.visitor("t", start()).await;
    world.forget_told().await;
    assert_eq!(world.state("t"), "Waiting");
    world
}

// ------------------------------------------------------------------------------------------------------------ scripts

#[tokio::test]
async fn row_9_script_converses_first_and_row_34_says_hello_in_the_same_turn() {
    let world = scripted(ScriptWhen::Always).await;
    assert_eq!(world.visitor("t", start()).await, ["status Pilot g1 []"]);
    assert_eq!(world.told().await, ["status ICR g1", "out 1 1 sales, 2 bye, 3 other"]);
    assert!(world.told_to(&world.anna).await.is_empty());
    assert_eq!((world.state("t"), world.chat("t").desk), ("ICR".to_owned(), None));
}

#[tokio::test]
async fn row_34_script_answers_in_the_turn_of_the_visitors_words_and_asks_again() {
    let world = scripted(ScriptWhen::Always).await;
    world.visitor("t", start()).await;
    world.forget_told().await;
    assert_eq!(world.visitor("t", says("s-1", "what?")).await, ["echo 2 what?"]);
    assert_eq!(world.told().await, ["out 3 1 sales, 2 bye, 3 other"]);
    assert_eq!(world.visitor("t", says("s-1", "what?")).await, ["echo 2 what?"], "a retry is no second answer");
    assert!(world.told().await.is_empty());
    let robot: Vec<_> = ports::Chats::sentences(world.chats.as_ref(), world.chat("t").id, 1, 9).await.unwrap();
    assert_eq!(robot.iter().map(|s| s.party_name.as_deref()).collect::<Vec<_>>(), [Some("Robin"), None, Some("Robin")]);
    assert_ne!(robot[0].id, robot[2].id);
    assert!(robot[0].id.as_str().parse::<uuid::Uuid>().is_ok(), "own ids are GUIDs (11.15)");
}

#[tokio::test]
async fn row_34_script_speaks_the_visitors_language() {
    let world = scripted(ScriptWhen::Always).await;
    let visitor = ChatVisitor { culture: Some("cs-CZ".into()), ..ChatVisitor::default() };
    world.visitor("t", VisitorAct::Start { visitor, ext_response: None, form: None, enters: Enters::None }).await;
    assert_eq!(world.told().await, ["status ICR g1", "out 1 1 nákup"]);
}

#[tokio::test]
async fn row_12_script_hands_over_and_an_agent_is_offered_the_chat_at_once() {
    let world = scripted(ScriptWhen::Always).await;
    world.visitor("t", start()).await;
    world.forget_told().await;
    world.clock.advance(MINUTE);
    world.log_in(&world.anna).await;
    assert_eq!(world.visitor("t", says("s-1", "1")).await, ["echo 2 1"]);
    assert_eq!(world.told().await, ["out 3 One moment", "status Waiting g1", "status Alerting Anna g1"]);
    assert_eq!(world.told_to(&world.anna).await, ["alert"]);
    assert_eq!(world.chat("t").waiting_from, world.clock.now(), "the talk with the robot is no waiting time");
    assert_eq!(
        world.agent(&world.anna, "t", AgentAct::Answers).await,
        ["status Answered Anna g1 [1 1 sales, 2 bye, 3 other, 2 1, 3 One moment]"]
    );
}

#[tokio::test]
async fn row_12_script_hands_over_to_another_platforms_staff() {
    let world = scripted(ScriptWhen::Always).await;
    world.visitor("t", start()).await;
    world.visitor("t", says("s-1", "3")).await;
    assert_eq!((world.state("t"), world.chat("t").desk), ("Waiting".into(), Some(Desk::Staff("vcita/demo".parse().unwrap()))));
}

#[tokio::test]
async fn row_12_script_that_is_no_longer_configured_leaves_its_visitor_to_people() {
    let world = scripted(ScriptWhen::Always).await;
    world.visitor("t", start()).await;
    world.configure(|_| ());
    world.visitor("t", says("s-1", "1")).await;
    assert_eq!(world.state("t"), "Alerting Anna");
}

#[tokio::test]
async fn row_12_desk_that_is_not_there_is_not_waited_for() {
    let world = scripted(ScriptWhen::Always).await;
    world.configure(|plan| plan.script = Some(menu(ScriptWhen::Always)));
    world.visitor("t", start()).await;
    world.visitor("t", says("s-1", "3")).await;
    assert_eq!(world.state("t"), "Alerting Anna");
}

#[tokio::test]
async fn row_13_script_ends_the_chat() {
    let world = scripted(ScriptWhen::Always).await;
    world.visitor("t", start()).await;
    world.forget_told().await;
    world.visitor("t", says("s-1", "2")).await;
    assert_eq!(world.told().await, ["out 3 Bye", "status Closed System g1"]);
}

#[tokio::test]
async fn row_9_script_for_when_nobody_is_free_leaves_the_first_to_people() {
    let world = scripted(ScriptWhen::Nobody).await;
    let states = async |threads: &[&str]| {
        for thread in threads {
            world.visitor(thread, start()).await;
        }
        threads.iter().map(|thread| world.state(thread)).collect::<Vec<_>>()
    };
    assert_eq!(states(&["a", "b", "c"]).await, ["Alerting Anna", "Alerting Boris", "ICR"]);
}

// --------------------------------------------------------------------------------------------------- rules of waiting

#[tokio::test]
async fn row_14_rules_speak_in_notes_and_panels_at_their_time() {
    let world = waiting(json!([
        {"after": 20, "every": 30, "note": "Please wait"},
        {"after": 40, "panel": "<p>"}
    ]))
    .await;
    world.wait(19 * SECOND).await;
    assert!(world.told().await.is_empty());
    world.wait(SECOND).await;
    assert_eq!(world.told().await, ["out 1 Please wait"]);
    world.wait(20 * SECOND).await;
    assert_eq!(world.told().await, ["out 0 <p>", "status Waiting g1"]);
    world.wait(10 * SECOND).await;
    assert_eq!(world.told().await, ["out 2 Please wait"]);
    assert_eq!(world.chat("t").slots.panel.unwrap().text, "<p>");
}

#[tokio::test]
async fn row_14_each_firing_is_said_once_whether_a_timer_comes_late_twice_or_early() {
    let world = waiting(json!([{"after": 20, "every": 20, "note": "Please wait"}])).await;
    let conversation = world.chat("t").conversation();
    let fire = async |at| tick(&world.ctx, &ChatTask::V1 { conversation, at }).await.unwrap();
    world.timers.forget_all();
    let begin = world.clock.now();
    for seconds in [5, 19, 20, 20, 21, 29, 30, 47, 47] {
        world.clock.set(begin.plus(seconds * SECOND));
        fire(world.clock.now()).await;
    }
    assert_eq!(world.told().await, ["out 1 Please wait", "out 2 Please wait"]);
    // After a long outage the visitor is told once, not for every time they were not told.
    world.clock.set(begin.plus(10 * MINUTE));
    fire(world.clock.now()).await;
    assert_eq!(world.told().await, ["out 3 Please wait"]);
}

#[tokio::test]
async fn row_14_time_of_an_offer_that_came_to_nothing_is_made_up_for() {
    let world = waiting(json!([{"after": 25, "note": "Please wait"}])).await;
    world.wait(15 * SECOND).await;
    world.log_in(&world.anna).await;
    assert_eq!(world.state("t"), "Alerting Anna");
    world.wait(30 * SECOND).await;
    assert_eq!(world.state("t"), "Waiting");
    world.forget_told().await;
    world.wait(10 * SECOND).await;
    assert_eq!(world.told().await, ["out 1 Please wait"]);
}

#[tokio::test]
async fn row_14_rule_gives_the_chat_to_another_platforms_staff_once() {
    let world = waiting(json!([{"after": 30, "hand_over": "vcita/demo"}])).await;
    world.configure(|plan| {
        plan.waiting_rules = serde_json::from_value(json!([{"after": 30, "hand_over": "vcita/demo"}])).unwrap();
        plan.others = vec![DeskPlan { account: "vcita/demo".parse().unwrap(), agents: None, is_open: true, staff_name: None }];
    });
    world.wait(29 * SECOND).await;
    assert!(matches!(world.chat("t").desk, Some(Desk::Agents(_))));
    world.wait(SECOND).await;
    assert_eq!(world.chat("t").desk, Some(Desk::Staff("vcita/demo".parse().unwrap())));
    assert_eq!(world.told().await, ["status Waiting g1"]);
    world.wait(MINUTE).await;
    assert!(world.told().await.is_empty(), "it is there already");
}

#[tokio::test]
async fn row_14_rule_gives_the_chat_to_another_desk_of_our_own_whose_agents_are_offered_it() {
    let world = waiting(json!([])).await;
    let clara = Agent { id: "clara".parse().unwrap(), workplace: "201".parse().unwrap(), name: "Clara".into() };
    let second = "frontstage/desk-2".parse().unwrap();
    let view = AgentView {
        id: clara.id.clone(),
        name: clara.name.clone(),
        skills: vec![skill("sales")],
        presence: Presence::LoggedOut,
        chats: 0,
        capacity: 1,
    };
    world.configure(|plan| {
        plan.waiting_rules = serde_json::from_value(json!([{"after": 30, "hand_over": "frontstage/desk-2"}])).unwrap();
        plan.others = vec![DeskPlan {
            account: "frontstage/desk-2".parse().unwrap(),
            agents: Some(vec![view]),
            is_open: true,
            staff_name: None,
        }];
    });
    log_in(&world.ctx, &second, &clara.id, &clara.workplace).await.unwrap();
    world.wait(20 * SECOND).await;
    log_in(&world.ctx, &second, &clara.id, &clara.workplace).await.unwrap();
    assert_eq!(world.state("t"), "Waiting", "the agents of that desk are not asked before");
    world.wait(10 * SECOND).await;
    assert_eq!(world.state("t"), "Alerting Clara");
    assert_eq!(world.events(&StreamKey::Workplace(second.clone(), clara.workplace.clone())).await, ["alert"]);
    assert_eq!(ports::Chats::of_agent(world.chats.as_ref(), &second, &clara.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn row_14_rule_that_names_a_desk_that_is_not_there_changes_nothing() {
    let world = waiting(json!([{"after": 10, "hand_over": "frontstage/none"}])).await;
    world.wait(MINUTE).await;
    assert_eq!(world.state("t"), "Waiting");
    assert!(world.told().await.is_empty());
}

// ------------------------------------------------------------------------------------------------------ default project

#[tokio::test]
async fn row_11_chat_that_nothing_matches_waits_in_the_default_project() {
    let world = World::staffed(Policy::default()).await;
    let default_desk = Some(Desk::Agents(skill("sales")));
    world.configure(|plan| {
        plan.skill = None;
        plan.policy.default_desk = default_desk.clone();
    });
    world.visitor("t", start()).await;
    assert_eq!((world.state("t").as_str(), world.chat("t").desk), ("Alerting Anna", default_desk));
}

// ------------------------------------------------------------------------------------------------------ prepared chats

fn enters(chat: ChatId) -> VisitorAct {
    VisitorAct::Start { visitor: ChatVisitor::default(), ext_response: None, form: None, enters: Enters::Chat(chat) }
}

async fn prepared(world: &World, agent: Option<&AgentId>, token: &str) -> Result<ChatId, PrepareError> {
    let visitor = ChatVisitor { party_name: Some("Eva".into()), ..ChatVisitor::default() };
    prepare(&world.ctx, &world.gateway, visitor, agent, token).await
}

#[tokio::test]
async fn row_4_start_enters_the_chat_that_an_agent_prepared() {
    let world = World::staffed(Policy::default()).await;
    let id = prepared(&world, Some(&world.anna.id), "one").await.unwrap();
    assert_eq!((world.load(&world.anna).await, world.gateway_list().await), (1, vec!["list []".to_owned()]));
    let asking = world.envelope();
    world.try_agent(&world.anna, id, writes("a-1", "Hello"), &asking).await.unwrap();
    world.forget_told().await;

    assert_eq!(world.visitor("t", enters(id)).await, ["status Answered Anna g1 [1 Hello]"]);
    assert_eq!(world.told_to(&world.anna).await, ["status Answered Anna g1"]);
    assert_eq!(world.chat("t").id, id);
    // From now on the thread is the chat's.
    assert_eq!(world.visitor("t", says("s-1", "Hi")).await, ["echo 2 Hi"]);
    assert_eq!(world.told_to(&world.anna).await, ["in 2 Hi"]);
    assert_eq!(world.agent(&world.anna, "t", writes("a-2", "How are you?")).await, ["echo 3 How are you?"]);
    assert_eq!(world.told().await, ["out 3 How are you?"]);
    assert_eq!(world.gateway_list().await, ["list [Answered Anna]"]);
    assert_eq!(world.visitor("t", enters(id)).await, ["status Answered Anna g1 [1 Hello, 2 Hi, 3 How are you?]"]);
    world.visitor("t", VisitorAct::Stop).await;
    assert_eq!(world.load(&world.anna).await, 0);
}

#[tokio::test]
async fn row_4_prepared_chat_without_an_agent_goes_by_the_conditions_once_its_visitor_is_there() {
    let world = World::staffed(Policy::default()).await;
    let id = prepared(&world, None, "one").await.unwrap();
    assert_eq!(world.visitor("t", enters(id)).await, ["status Pilot g1 []"]);
    assert_eq!(world.told().await, ["status Waiting g1", "status Alerting Anna g1"]);
    assert_eq!((world.chat("t").id, world.chat("t").visitor.party_name.as_deref()), (id, Some("Eva")));
}

#[tokio::test]
async fn row_4_gateway_that_takes_no_inbound_chats_lets_prepared_ones_be_entered() {
    let world = World::staffed(Policy { accepts_inbound: false, ..Policy::default() }).await;
    let id = prepared(&world, None, "one").await.unwrap();
    assert_eq!(world.visitor_may("other", start()).await, (vec![], Some(Refusal::GateClosed)));
    assert_eq!(world.visitor("t", enters(id)).await, ["status Pilot g1 []"]);
}

#[tokio::test]
async fn row_4_thread_whose_own_chat_is_over_leaves_it_for_the_prepared_one() {
    let world = World::staffed(Policy { inactivity: Some(MINUTE), ..Policy::default() }).await;
    world.visitor("t", start()).await;
    world.agent(&world.anna, "t", AgentAct::Answers).await;
    // It is over by its deadline, and nobody has looked.
    world.timers.forget_all();
    world.clock.advance(MINUTE);
    world.forget_told().await;
    let id = prepared(&world, None, "one").await.unwrap();
    assert_eq!(world.visitor("t", enters(id)).await, ["status Pilot g1 []"]);
    assert_eq!((world.chat("t").id, world.load(&world.anna).await), (id, 0), "she is free of the one");
    assert_eq!(world.state("t"), "Alerting Boris", "who has been idle for longer");
    let told = world.told().await;
    assert_eq!(told[0], "status Closed Inactivity g1");
}

#[tokio::test]
async fn row_5_unknown_chat_and_one_of_another_thread_are_refused_and_change_nothing() {
    let world = World::staffed(Policy::default()).await;
    let id = prepared(&world, None, "one").await.unwrap();
    world.visitor("t", enters(id)).await;
    let before = world.chat("t");
    assert_eq!(world.visitor_may("u", enters(id)).await, (vec![], Some(Refusal::Conflict)));
    let other = ChatId::new(conversation_of(&world.gateway, &tracking("nobody")), 1).unwrap();
    assert_eq!(world.visitor_may("u", enters(other)).await, (vec![], Some(Refusal::UnknownChat)));
    assert_eq!(world.visitor_may("u", enters(id.next().unwrap())).await, (vec![], Some(Refusal::UnknownChat)));
    let unknown = VisitorAct::Start { visitor: ChatVisitor::default(), ext_response: None, form: None, enters: Enters::Unknown };
    assert_eq!(world.visitor_may("u", unknown).await, (vec![], Some(Refusal::UnknownChat)));
    assert_eq!(world.chats.peek(conversation_of(&world.gateway, &tracking("u"))), None);
    assert_eq!(world.chat("t"), before);
}

#[tokio::test]
async fn row_4_of_two_threads_that_enter_one_chat_at_once_one_is_first() {
    for _ in 0..20 {
        let world = World::staffed(Policy::default()).await;
        let id = prepared(&world, None, "one").await.unwrap();
        let both = tokio::join!(world.visitor_may("t", enters(id)), world.visitor_may("u", enters(id)));
        let mut refusals = [both.0.1, both.1.1];
        refusals.sort_by_key(|refusal| refusal.is_some());
        assert_eq!(refusals, [None, Some(Refusal::Conflict)]);
    }
}

#[tokio::test]
async fn row_8_chat_after_a_prepared_one_stays_in_its_conversation() {
    let world = World::staffed(Policy::default()).await;
    let id = prepared(&world, None, "one").await.unwrap();
    world.visitor("t", enters(id)).await;
    world.visitor("t", VisitorAct::Stop).await;
    assert_eq!(world.visitor("t", start()).await, ["status Pilot g2 []"]);
    assert_eq!(world.chat("t").id, id.next().unwrap());
    world.visitor("t", VisitorAct::Stop).await;
    // The connector keeps naming the chat it was invited to.
    assert_eq!(world.visitor("t", enters(id)).await, ["status Pilot g3 []"]);
}

#[tokio::test]
async fn row_4_thread_can_enter_one_prepared_chat_after_the_other() {
    let world = World::staffed(Policy::default()).await;
    let (first, second) = (prepared(&world, None, "one").await.unwrap(), prepared(&world, None, "two").await.unwrap());
    world.visitor("t", enters(first)).await;
    assert_eq!(world.visitor("t", enters(second)).await, ["status Alerting Anna g1 []"], "row 6: it has a chat");
    world.visitor("t", VisitorAct::Stop).await;
    assert_eq!(world.visitor("t", enters(second)).await, ["status Pilot g1 []"]);
    assert_eq!(world.chat("t").id, second);
}

#[tokio::test]
async fn chat_is_prepared_for_an_agent_who_is_there_and_has_room() {
    let world = World::staffed(Policy::default()).await;
    let fail = async |agent: &AgentId, token| prepared(&world, Some(agent), token).await.unwrap_err();
    assert!(matches!(fail(&"nobody".parse().unwrap(), "a").await, PrepareError::UnknownAgent));
    log_out(&world.ctx, &world.desk, &world.boris.id).await.unwrap();
    assert!(matches!(fail(&world.boris.id, "b").await, PrepareError::AgentAway));
    prepared(&world, Some(&world.anna.id), "c").await.unwrap();
    assert!(matches!(fail(&world.anna.id, "d").await, PrepareError::AgentBusy));
    assert_eq!(world.load(&world.anna).await, 1);
}

#[tokio::test]
async fn row_22_prepared_chat_that_nobody_enters_is_over_in_the_end() {
    let world = World::staffed(Policy { inactivity: Some(MINUTE), ..Policy::default() }).await;
    let id = prepared(&world, Some(&world.anna.id), "one").await.unwrap();
    world.wait(MINUTE).await;
    assert_eq!((world.load(&world.anna).await, world.chats.peek(id.conversation()).unwrap().chat.is_closed()), (0, true));
    assert_eq!(world.visitor("t", enters(id)).await, ["status Closed Inactivity g1 []"]);
}

// -------------------------------------------------------------------------------------------------------------- spam

#[tokio::test]
async fn section_12_spam_ends_the_chat_and_frees_the_agent() {
    let world = World::staffed(Policy::default()).await;
    world.visitor("t", start()).await;
    world.agent(&world.anna, "t", AgentAct::Answers).await;
    world.forget_told().await;
    assert_eq!(world.agent_may(&world.boris, "t", AgentAct::MarksSpam).await, (vec![], Some(Refusal::NotYourChat)));
    assert_eq!(world.agent(&world.anna, "t", AgentAct::MarksSpam).await, ["status Closed Agent g1 []"]);
    assert_eq!(world.told().await, ["status Closed Agent g1"]);
    assert!(world.chat("t").is_spam);
    assert_eq!(world.load(&world.anna).await, 0);
}
