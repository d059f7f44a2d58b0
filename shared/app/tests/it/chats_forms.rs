//! Forms that visitors fill in: stored with the chat they belong to or alone, once, by their own gateway only.

use std::time::Duration;

use app::chats::{AgentAct, Enters, FilledForm, SavedForm, VisitorAct, save_form};
use chat::{ChatId, ChatVisitor, Policy, Refusal};
use model::AccountId;
use ports::{ResultTask, StoredResult};
use testkit::Fault;

use crate::chats_world::{World, filled, says, start};

fn start_with(form: FilledForm) -> VisitorAct {
    VisitorAct::Start { visitor: ChatVisitor::default(), ext_response: None, form: Some(form), enters: Enters::None }
}

/// Id, revision and answers of a stored form.
type Line = (String, u64, Vec<(String, i64)>);

/// Everything that is stored.
fn stored(world: &World) -> Vec<Line> {
    let answers =
        |result: &StoredResult| result.answers.iter().map(|answer| (answer.control.clone(), answer.number.unwrap())).collect();
    let results = world.chats.results_of(&world.gateway.id);
    results.iter().map(|result| (result.id.to_string(), result.rev, answers(result))).collect()
}

fn one(id: &str, rev: u64, answers: &[(&str, i64)]) -> Vec<Line> {
    vec![(id.to_owned(), rev, answers.iter().map(|(control, number)| ((*control).to_owned(), *number)).collect())]
}

async fn save(world: &World, form: &FilledForm, chat: Option<ChatId>) -> SavedForm {
    save_form(&world.ctx, &world.gateway.id, form, chat, &world.envelope()).await.unwrap()
}

fn saved(id: &str, is_duplicate: bool) -> SavedForm {
    SavedForm::Saved { id: id.parse().unwrap(), is_duplicate }
}

#[tokio::test]
async fn form_of_a_start_is_stored_with_the_chat_and_attached_to_it() {
    let world = World::staffed(Policy::default()).await;
    world.visitor("t", start_with(filled("r-1", &[("age", 7)]))).await;
    assert_eq!(stored(&world), one("r-1", 1, &[("age", 7)]));
    let chat = world.chat("t");
    assert_eq!(world.chats.results_of(&world.gateway.id)[0].chat, Some(chat.id));
    assert_eq!(chat.forms[0].result, "r-1".parse().ok());
}

#[tokio::test]
async fn row_6_form_of_another_start_is_merged_into_the_one_attached() {
    let world = World::staffed(Policy::default()).await;
    world.visitor("t", start_with(filled("r-1", &[("age", 7), ("size", 1)]))).await;
    world.visitor("t", start_with(filled("r-2", &[("size", 2), ("topic", 3)]))).await;
    assert_eq!(stored(&world), one("r-1", 2, &[("age", 7), ("size", 2), ("topic", 3)]));
    assert_eq!(world.chat("t").forms.len(), 1);
    // What says nothing new changes nothing.
    world.visitor("t", start_with(filled("r-3", &[("topic", 3), ("age", 7), ("size", 2)]))).await;
    assert_eq!(stored(&world)[0].0, "r-1");
}

#[tokio::test]
async fn row_8_form_of_the_next_chat_is_a_result_of_its_own() {
    let world = World::staffed(Policy::default()).await;
    world.visitor("t", start_with(filled("r-1", &[("age", 7)]))).await;
    world.visitor("t", VisitorAct::Stop).await;
    world.visitor("t", start_with(filled("r-2", &[("age", 8)]))).await;
    let ids: Vec<_> = stored(&world).into_iter().map(|(id, ..)| id).collect();
    assert_eq!(ids, ["r-1", "r-2"]);
    assert_eq!(world.chat("t").forms[0].result, "r-2".parse().ok());
}

#[tokio::test]
async fn row_3_refused_start_stores_no_form() {
    let world = World::new();
    world.configure(|plan| plan.desk.as_mut().unwrap().is_open = false);
    let refused = world.visitor_may("t", start_with(filled("r-1", &[("age", 7)]))).await;
    assert_eq!(refused.1, Some(Refusal::GateClosed));
    assert_eq!(stored(&world), []);
}

#[tokio::test]
async fn form_for_a_chat_is_attached_and_shown_to_its_agent() {
    let world = World::staffed(Policy::default()).await;
    world.visitor("t", start()).await;
    world.agent(&world.anna, "t", AgentAct::Answers).await;
    world.forget_told().await;
    let chat = world.chat("t").id;
    assert_eq!(save(&world, &filled("r-1", &[("age", 7)]), Some(chat)).await, saved("r-1", false));
    assert_eq!(world.told_to(&world.anna).await, ["status Answered Anna g1"]);
    assert!(world.told().await.is_empty());
    assert_eq!(world.chat("t").forms[0].result, "r-1".parse().ok());
    assert_eq!(world.chats.results_of(&world.gateway.id)[0].chat, Some(chat));
}

#[tokio::test]
async fn form_for_a_closed_chat_is_taken() {
    let world = World::staffed(Policy::default()).await;
    world.visitor("t", start()).await;
    world.visitor("t", VisitorAct::Stop).await;
    let chat = world.chat("t").id;
    assert_eq!(save(&world, &filled("r-1", &[]), Some(chat)).await, saved("r-1", false));
    assert_eq!((world.state("t").as_str(), world.chat("t").forms.len()), ("Closed ExtApp", 1));
}

#[tokio::test]
async fn form_for_a_chat_that_is_not_the_gateways_is_refused_and_not_stored() {
    let world = World::staffed(Policy::default()).await;
    world.visitor("t", start()).await;
    let chat = world.chat("t").id;
    let form = filled("r-1", &[("age", 7)]);
    let unknown = ChatId::new("00112233445566778899".parse().unwrap(), 1);
    for other in [unknown, chat.next()] {
        assert_eq!(save(&world, &form, other).await, SavedForm::UnknownChat);
    }
    let stranger: AccountId = "frontstage/other".parse().unwrap();
    let theirs = save_form(&world.ctx, &stranger, &form, Some(chat), &world.envelope()).await.unwrap();
    assert_eq!(theirs, SavedForm::UnknownChat);
    assert_eq!((stored(&world), world.chats.results_of(&stranger)), (vec![], vec![]));
    assert!(world.chat("t").forms.is_empty());
}

#[tokio::test]
async fn update_replaces_the_answers_of_a_result_of_its_own_gateway_only() {
    let world = World::new();
    save(&world, &filled("r-1", &[("age", 7), ("size", 1)]), None).await;
    let update = |form: FilledForm| FilledForm { changes: "r-1".parse().ok(), ..form };
    let newer = update(filled("r-2", &[("age", 8)]));
    assert_eq!(save(&world, &newer, None).await, saved("r-1", false));
    assert_eq!(stored(&world), one("r-1", 2, &[("age", 8)]));

    let stranger: AccountId = "frontstage/other".parse().unwrap();
    let theirs = save_form(&world.ctx, &stranger, &newer, None, &world.envelope()).await.unwrap();
    assert_eq!(theirs, SavedForm::UnknownResult);
    let other_form = FilledForm { form: "other".parse().unwrap(), ..newer.clone() };
    assert_eq!(save(&world, &other_form, None).await, SavedForm::UnknownResult);
    let missing = FilledForm { changes: "r-9".parse().ok(), ..newer };
    assert_eq!(save(&world, &missing, None).await, SavedForm::UnknownResult);
    assert_eq!(stored(&world), one("r-1", 2, &[("age", 8)]));
    assert_eq!(world.chats.results_of(&stranger), []);
}

#[tokio::test]
async fn repeated_envelope_is_a_duplicate_and_stores_nothing() {
    let world = World::staffed(Policy::default()).await;
    world.visitor("t", start()).await;
    let chat = world.chat("t").id;
    for (number, chat) in [(700, None), (701, Some(chat))] {
        let form = filled(&format!("r-{number}"), &[("age", 7)]);
        let send = async |nonce: &str, fingerprint: &str| {
            let asking = world.envelope_of(number, &format!("{number}-{nonce}"), fingerprint);
            save_form(&world.ctx, &world.gateway.id, &form, chat, &asking).await.unwrap()
        };
        assert_eq!(send("a", "x").await, saved(&format!("r-{number}"), false));
        assert_eq!(send("b", "x").await, saved(&format!("r-{number}"), true));
        assert_eq!(send("a", "x").await, SavedForm::Replayed);
        assert_eq!(send("c", "y").await, SavedForm::IdReused);
    }
    assert_eq!(stored(&world).len(), 2);
}

#[tokio::test]
async fn store_that_is_down_leaves_the_form_to_the_repetition() {
    let world = World::staffed(Policy::default()).await;
    let asking = world.envelope();
    let form = filled("r-1", &[("age", 7)]);
    // One read, and the write whose answer is lost.
    world.chats.faults().plan([None, Some(Fault::AnswerLost)]);
    save_form(&world.ctx, &world.gateway.id, &form, None, &asking).await.unwrap_err();
    let again = world.envelope_of(800, "other", "same");
    assert_eq!(save_form(&world.ctx, &world.gateway.id, &form, None, &again).await.unwrap(), saved("r-1", false));
    assert_eq!(stored(&world), one("r-1", 1, &[("age", 7)]));
}

#[tokio::test]
async fn form_of_a_lost_race_is_stored_with_the_turn_that_wins() {
    let world = World::staffed(Policy::default()).await;
    world.visitor("t", start()).await;
    let chat = world.chat("t").id;
    let form = filled("r-1", &[("age", 7)]);
    let (answer, saving) = tokio::join!(world.visitor("t", says("s", "Hi")), save(&world, &form, Some(chat)));
    assert_eq!((answer, saving), (vec!["echo 1 Hi".to_owned()], saved("r-1", false)));
    assert_eq!((world.chat("t").forms.len(), world.chat("t").counter), (1, 1));
}

#[tokio::test]
async fn form_is_kept_ninety_days_with_what_is_to_be_done() {
    let world = World::new();
    let task = Some(ResultTask::Callback { list: "vip".to_owned() });
    save(&world, &FilledForm { task: task.clone(), ..filled("r-1", &[]) }, None).await;
    let result = &world.chats.results_of(&world.gateway.id)[0];
    assert_eq!(result.kept_until.since(result.saved_at), Duration::from_secs(7_776_000));
    assert_eq!(result.task, task);
}
