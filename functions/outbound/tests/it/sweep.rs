//! The schedule.

use std::time::Duration;

use model::{DeliverTask, PushTask};
use outbound_functions::sweep::SweepCtx;
use ports::{Chats as _, Clock as _, LaneStore, StreamKey};
use serde_json::json;
use testkit::fixtures::DUE_AFTER;
use testkit::{QueuedTask, events};

use crate::world::World;

impl World {
    pub(crate) async fn sweep(&self, case: &str) -> serde_json::Value {
        let event = events::event("outbound-sweep", case);
        outbound_functions::sweep::handle(self.sweeping(), event).await.unwrap()
    }

    fn sweeping(&self) -> SweepCtx {
        let lanes = self.outbound.settle.base.with::<dyn LaneStore>(self.store.clone());
        SweepCtx {
            lanes,
            chats: self.chat_ctx.clone(),
            pushes: self.chats.clone(),
            askers: self.chats.clone(),
            directory: self.store.clone(),
        }
    }
}

#[tokio::test]
async fn lanes_that_are_due_are_enqueued_once() {
    let world = World::new();
    events::given_messages(&*world.store, 2).await;
    assert_eq!(world.sweep("ok").await, json!({"swept": 0, "chats": 0, "pushes": 0, "registers": 0}));
    world.clock.advance(DUE_AFTER);
    assert_eq!(world.sweep("ok").await, json!({"swept": 2, "chats": 0, "pushes": 0, "registers": 0}));
    assert_eq!(world.sweep("duplicate").await, json!({"swept": 0, "chats": 0, "pushes": 0, "registers": 0}));
    let mut tasks: Vec<_> = world.queue.waiting().into_iter().map(|(_, task)| task).collect();
    tasks.sort_by_key(|task| format!("{task:?}"));
    let wake =
        |seq| QueuedTask::Deliver(DeliverTask::V1 { lane: events::delivery_key(seq).lane(), entry: None, put_off: 0, due: None });
    assert_eq!(tasks, [wake(2), wake(1)]);
}

#[tokio::test]
async fn whatever_invokes_it_makes_it_sweep() {
    for case in ["malformed", "unknown_type"] {
        let world = World::new();
        events::given_messages(&*world.store, 2).await;
        world.clock.advance(DUE_AFTER);
        assert_eq!(world.sweep(case).await, json!({"swept": 2, "chats": 0, "pushes": 0, "registers": 0}), "{case}");
    }
}

#[tokio::test]
async fn lanes_whose_tasks_were_not_enqueued_are_swept_again() {
    let world = World::new();
    events::given_messages(&*world.store, 2).await;
    world.clock.advance(DUE_AFTER);
    world.queue.fail_next(1);
    let event = events::event("outbound-sweep", "ok");
    let failed = outbound_functions::sweep::handle(world.sweeping(), event).await;
    assert!(matches!(failed, Err(app::AppError::Unavailable(_))));
    let failed_at = world.clock.now();
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.sweep("ok").await, json!({"swept": 2, "chats": 0, "pushes": 0, "registers": 0}), "{failed_at}");
}

#[tokio::test]
async fn register_that_is_not_what_was_told_last_is_told() {
    let world = World::new();
    let gateway: model::AccountId = "frontstage/gw-chat".parse().unwrap();
    app::chats::note_asked(&*world.chats, &gateway, "routing", Some("what it was once")).await.unwrap();
    // A question of a later release, and an account that is no gateway: nobody can answer these.
    app::chats::note_asked(&*world.chats, &gateway, "weather", None).await.unwrap();
    app::chats::note_asked(&*world.chats, &"frontstage/desk".parse().unwrap(), "routing", None).await.unwrap();
    assert_eq!(world.sweep("ok").await, json!({"swept": 0, "chats": 0, "pushes": 0, "registers": 1}));
    assert_eq!(world.sweep("duplicate").await, json!({"swept": 0, "chats": 0, "pushes": 0, "registers": 0}));
    assert_eq!(world.chats.head(&StreamKey::Gateway(gateway), world.clock.now()).await.unwrap().last, 1);
}

#[tokio::test]
async fn stream_whose_push_was_lost_is_announced_again() {
    let world = World::new();
    let gateway: model::AccountId = "frontstage/gw-push".parse().unwrap();
    let now = world.clock.now();
    world.chats.reserve_pushed(&gateway, 1, now, now.plus(Duration::from_secs(15))).await.unwrap();
    assert_eq!(world.sweep("ok").await, json!({"swept": 0, "chats": 0, "pushes": 0, "registers": 0}));
    world.clock.advance(Duration::from_secs(15));
    assert_eq!(world.sweep("ok").await, json!({"swept": 0, "chats": 0, "pushes": 1, "registers": 0}));
    assert_eq!(world.pushes.due(), [PushTask::V1 { gateway }]);
    assert_eq!(world.sweep("duplicate").await, json!({"swept": 0, "chats": 0, "pushes": 0, "registers": 0}));
}
