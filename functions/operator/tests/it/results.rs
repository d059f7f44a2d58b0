//! `operator-results`.

use std::time::Duration;

use app::AppError;
use chat::FormAnswer;
use model::Memo;
use ports::{ChatSaved, Chats as _, ResultChange, ResultTask, StoredResult};
use serde_json::{Value, json};
use testkit::fixtures::NOW;
use testkit::{Fault, events};

use crate::world::{World, code};

impl World {
    async fn fills_in(&self, name: &str, seconds: u64, task: Option<ResultTask>, text: &str) {
        let saved_at = NOW.plus(Duration::from_secs(seconds));
        let answer = FormAnswer { control: "c-1".into(), text: Some(text.into()), time: Some(NOW), ..FormAnswer::default() };
        let result = StoredResult {
            id: name.parse().unwrap(),
            gateway: "frontstage/gw-web".parse().unwrap(),
            form: "f-1".parse().unwrap(),
            chat: None,
            answers: vec![answer],
            memo: Memo::from([("PartyName".to_owned(), "Eva".to_owned())]),
            task,
            filled_at: NOW,
            saved_at,
            kept_until: NOW.plus(Duration::from_secs(86_400)),
            rev: 1,
        };
        let saved = self.chats.save_result(&ResultChange { result, expected_rev: None }, &[], saved_at).await.unwrap();
        assert_eq!(saved, ChatSaved::Yes);
    }

    /// One form that is only kept, one for a call and one for a workflow.
    async fn with_results() -> Self {
        let world = Self::configured();
        let list = "99999999-0000-4000-8000-000000000001".to_owned();
        let workflow = "99999999-0000-4000-8000-000000000002".to_owned();
        world.fills_in("r-1", 0, None, "Hello").await;
        world.fills_in("r-2", 1, Some(ResultTask::Callback { list }), "Call me").await;
        world.fills_in("r-3", 2, Some(ResultTask::Workflow { workflow }), "Go").await;
        world
    }
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["results"].as_array().unwrap().iter().map(|result| result["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn results_are_told_whole_in_the_order_in_which_they_were_stored() {
    let world = World::with_results().await;
    for case in ["ok", "duplicate"] {
        let answer = world.invoke("results", case).await;
        assert_eq!((ids(&answer), &answer["next"]), (vec!["r-1", "r-2", "r-3"], &Value::Null), "{case}");
        assert_eq!(
            answer["results"][1],
            json!({
                "id": "r-2", "form": "f-1", "chat": null, "rev": 1,
                "filled_at": "2026-01-01T00:00:00.000Z", "saved_at": "2026-01-01T00:00:01.000Z",
                "answers": [{"control": "c-1", "text": "Call me", "number": null, "decimal": null,
                             "time": "2026-01-01T00:00:00.000Z", "column": null}],
                "details": {"PartyName": "Eva"}, "list": "99999999-0000-4000-8000-000000000001", "workflow": null
            })
        );
    }
}

#[tokio::test]
async fn callbacks_and_starts_have_lists_of_their_own() {
    let world = World::with_results().await;
    assert_eq!(ids(&world.invoke("results", "callbacks").await), ["r-2"]);
    assert_eq!(ids(&world.invoke("results", "starts").await), ["r-3"]);
    assert_eq!(ids(&world.invoke("results", "later").await), ["r-3"]);
}

#[tokio::test]
async fn pages_follow_each_other() {
    let world = World::with_results().await;
    let mut event: Value = events::event("operator-results", "page");
    let mut seen = Vec::new();
    for _ in 0..3 {
        let answer = world.try_invoke_with("results", event.clone()).await.unwrap();
        seen.extend(ids(&answer).into_iter().map(str::to_owned));
        event["after"] = answer["next"].clone();
    }
    assert_eq!((seen, &event["after"]), (vec!["r-1".to_owned(), "r-2".to_owned(), "r-3".to_owned()], &Value::Null));
}

#[tokio::test]
async fn what_does_not_fit_an_answer_is_the_next_page() {
    let world = World::configured();
    for name in ["r-1", "r-2", "r-3"] {
        world.fills_in(name, 0, None, &"x".repeat(1_500_000)).await;
    }
    let first = world.invoke("results", "ok").await;
    assert_eq!((ids(&first), &first["next"]["id"]), (vec!["r-1", "r-2"], &json!("r-2")));
    let mut event: Value = events::event("operator-results", "ok");
    event["after"] = first["next"].clone();
    assert_eq!(ids(&world.try_invoke_with("results", event).await.unwrap()), ["r-3"]);
}

#[tokio::test]
async fn input_that_cannot_be_used_is_refused() {
    let world = World::with_results().await;
    for (case, expected, message) in [
        ("invalid", "invalid", "max is not 1 to 100"),
        ("invalid_time", "invalid", "since is not a time"),
        ("invalid_lists", "invalid", "list and workflow exclude each other"),
    ] {
        let answer = world.invoke("results", case).await;
        assert_eq!((code(&answer), &answer["error"]["message"]), (expected, &json!(message)), "{case}");
    }
    assert_eq!(code(&world.invoke("results", "malformed").await), "malformed");
}

#[tokio::test]
async fn store_down_is_a_failed_invocation() {
    let world = World::with_results().await;
    world.chats.faults().next(1, Fault::Refused);
    assert!(matches!(world.try_invoke("results", "ok").await, Err(AppError::Unavailable(_))));
}
