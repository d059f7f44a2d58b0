//! `operator-replay`.

use model::{DeliverTask, DeliveryState};
use serde_json::{Value, json};
use testkit::fixtures::NOW;
use testkit::{QueuedTask, events};

use crate::world::{World, code};

const DELIVERY: &str = "26be4b95-b346-8f78-9003-680000000002@frontstage/gw-mail";

impl World {
    async fn failed() -> Self {
        let world = Self::configured();
        events::given_failure(&*world.store).await;
        world.store.forget_operations();
        world
    }

    fn state(&self) -> DeliveryState {
        self.store.delivery(&events::delivery_key(2)).unwrap().state
    }
}

#[tokio::test]
async fn failed_delivery_is_queued_and_enqueued() {
    let world = World::failed().await;
    assert_eq!(world.invoke("replay", "ok").await, json!({"replayed": [DELIVERY], "not_failed": []}));
    assert_eq!(world.state(), DeliveryState::Queued);
    let key = events::delivery_key(2);
    let task = DeliverTask::V1 { lane: key.lane(), entry: Some(key.entry()), put_off: 0, due: None };
    assert_eq!(world.queue.waiting(), [(NOW, QueuedTask::Deliver(task))]);
    assert_eq!(world.store.operations(), ["requeue"]);
}

#[tokio::test]
async fn delivery_given_twice_is_put_back_once() {
    let world = World::failed().await;
    assert_eq!(world.invoke("replay", "duplicate").await, json!({"replayed": [DELIVERY], "not_failed": [DELIVERY]}));
    assert_eq!(world.invoke("replay", "ok").await, json!({"replayed": [], "not_failed": [DELIVERY]}));
    assert_eq!(world.queue.waiting().len(), 1);
    let lane = world.store.lane(&events::delivery_key(2).lane()).unwrap();
    assert_eq!(lane.pending, [events::delivery_key(2).entry()]);
}

#[tokio::test]
async fn delivery_that_is_under_way_or_unknown_stays_as_it_is() {
    let world = World::configured();
    events::given_attempt(&*world.store).await;
    let before = world.state();
    assert_eq!(world.invoke("replay", "ok").await, json!({"replayed": [], "not_failed": [DELIVERY]}));
    assert_eq!(world.state(), before);
    let unknown = "26be4b95-b346-8f78-9003-680000000063@frontstage/gw-mail";
    assert_eq!(world.invoke("replay", "unknown").await, json!({"replayed": [], "not_failed": [unknown]}));
    assert!(world.queue.waiting().is_empty());
}

#[tokio::test]
async fn input_that_cannot_be_used_changes_nothing() {
    for (case, expected) in [("malformed", "malformed"), ("invalid", "invalid")] {
        let world = World::failed().await;
        assert_eq!(code(&world.invoke("replay", case).await), expected, "{case}");
        assert_eq!(world.store.operations(), [""; 0], "{case}");
    }
    let world = World::failed().await;
    let many: Value = json!({"deliveries": vec![DELIVERY; 101]});
    let answer = world.try_invoke_with("replay", many).await.unwrap();
    assert_eq!(answer, json!({"error": {"code": "invalid", "message": "at most 100 deliveries at once"}}));
    assert_eq!(world.store.operations(), [""; 0]);
}

#[tokio::test]
async fn store_down_is_a_failed_invocation_and_the_next_one_does_it() {
    let world = World::failed().await;
    world.store.fail_next(1);
    assert!(matches!(world.try_invoke("replay", "ok").await, Err(app::AppError::Unavailable(_))));
    assert_eq!(world.invoke("replay", "ok").await["replayed"], json!([DELIVERY]));
}
