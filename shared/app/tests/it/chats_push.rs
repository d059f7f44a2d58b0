//! FrontStage contract 10.3, column "Push", row by row: a connector that is pushed its stream.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use app::AppError;
use app::chats::{Asking, PushCtx, PushTarget, Pushed, VisitorAct, push, sweep_pushes};
use async_trait::async_trait;
use chat::Policy;
use http::{HeaderMap, Method};
use model::{AccountId, EpochMillis, PushTask};
use ports::{Clock as _, PushFailing, PushLease, PushState, PushStates as _, StreamEntry};
use serde_json::json;
use testkit::{Fault, FixedDice, ScriptedSender};
use url::Url;
use wire::{CallFailure, HttpAnswer, HttpCall};

use crate::chats_world::{SECOND, World, entry_says, says, start, writes};

/// The connector as its platform would describe it. A push is a JSON array of what is said.
#[derive(Default)]
struct Connector {
    address: &'static str,
    heard: Mutex<Vec<String>>,
    /// How often it is not known to be heard.
    deaf: Mutex<u32>,
}

#[async_trait]
impl PushTarget for Connector {
    fn address(&self) -> &str {
        self.address
    }

    fn call(&self, entries: &[StreamEntry], _: EpochMillis, nonce: &str) -> Result<HttpCall, AppError> {
        assert_eq!(nonce.len(), 32);
        let says: Vec<_> = entries.iter().map(entry_says).collect();
        Ok(HttpCall {
            method: Method::POST,
            url: Url::parse("https://connector.example/push").unwrap(),
            headers: HeaderMap::new(),
            body: json!(says).to_string().into(),
            timeout: Duration::from_secs(10),
        })
    }

    async fn hear(&self, answer: HttpAnswer) -> Result<(), AppError> {
        let mut deaf = self.deaf.lock().unwrap();
        if *deaf > 0 {
            *deaf -= 1;
            return Err(AppError::Unavailable(ports::PortError::Busy));
        }
        if !answer.body.is_empty() {
            self.heard.lock().unwrap().push(String::from_utf8(answer.body.to_vec()).unwrap());
        }
        Ok(())
    }
}

/// The world of chats with a gateway that is pushed.
struct Pushing {
    world: World,
    connector: Connector,
    sender: Arc<ScriptedSender>,
    ctx: PushCtx,
}

const LIMIT: Duration = Duration::from_secs(50);

impl Pushing {
    async fn new() -> Self {
        Self::with_sender(ScriptedSender::new()).await
    }

    async fn with_sender(sender: ScriptedSender) -> Self {
        let world = World::staffed(Policy::default()).await;
        world.configure(|plan| plan.is_pushed = true);
        let sender = Arc::new(sender);
        let ctx = PushCtx {
            chats: world.ctx.clone(),
            states: world.chats.clone(),
            sender: sender.clone(),
            dice: Arc::new(FixedDice::new(0)),
        };
        Self { world, connector: Connector { address: "a", ..Connector::default() }, sender, ctx }
    }

    /// A visitor talks to Anna; everything that there is to push is pushed.
    async fn talking() -> Self {
        let pushing = Self::new().await;
        let world = &pushing.world;
        world.visitor("t", start()).await;
        world.agent(&world.anna, "t", app::chats::AgentAct::Answers).await;
        pushing.sender.answer_empty(200);
        pushing.work().await;
        pushing.forget_calls();
        pushing
    }

    fn gateway(&self) -> &AccountId {
        &self.world.gateway.id
    }

    fn forget_calls(&self) {
        assert_eq!(self.sender.unused(), 0);
    }

    async fn push(&self) -> Pushed {
        let until = self.world.clock.now().plus(LIMIT);
        push(&self.ctx, self.gateway(), Some(&self.connector), until).await.unwrap()
    }

    /// Works on the tasks that are due now.
    async fn work(&self) -> Pushed {
        let mut done = Pushed::default();
        for task in self.world.pushes.due() {
            assert_eq!(task, PushTask::V1 { gateway: self.gateway().clone() });
            let Pushed { arrived, parked, is_given_up } = self.push().await;
            done = Pushed {
                arrived: done.arrived + arrived,
                parked: done.parked + parked,
                is_given_up: done.is_given_up || is_given_up,
            };
        }
        done
    }

    /// What was pushed by the calls after the first `skip` ones.
    fn pushed(&self, skip: usize) -> Vec<Vec<String>> {
        self.sender.calls().iter().skip(skip).map(|call| serde_json::from_slice(&call.body).unwrap()).collect()
    }

    fn calls(&self) -> usize {
        self.sender.calls().len()
    }

    fn state(&self) -> PushState {
        self.world.chats.push_of(self.gateway()).0
    }

    fn is_due(&self) -> bool {
        self.world.chats.push_of(self.gateway()).1.is_some()
    }

    /// Anna says so many things, `a-1` and so on.
    async fn anna_says(&self, texts: std::ops::RangeInclusive<u32>) {
        for n in texts {
            self.world.agent(&self.world.anna, "t", writes(&format!("a-{n}"), &format!("{n}"))).await;
        }
    }

    async fn sweep(&self) -> usize {
        sweep_pushes(&self.world.ctx, self.world.chats.as_ref()).await.unwrap()
    }
}

#[tokio::test]
async fn turn_announces_what_the_connector_is_told() {
    let pushing = Pushing::talking().await;
    let calls = pushing.calls();
    pushing.anna_says(1..=1).await;
    assert_eq!(pushing.world.pushes.waiting().len(), 1);
    pushing.sender.answer_empty(202);
    assert_eq!(pushing.work().await, Pushed { arrived: 1, ..Pushed::default() });
    assert_eq!(pushing.pushed(calls), [["out 1 1"]]);
    assert!(!pushing.is_due(), "nothing is left to push");
    assert_eq!(pushing.work().await, Pushed::default());
}

#[tokio::test]
async fn what_is_delivered_in_the_answer_is_not_pushed() {
    let pushing = Pushing::talking().await;
    pushing.world.chats.forget_operations();
    assert_eq!(pushing.world.visitor("t", says("v-1", "Hi")).await, ["echo 1 Hi"]);
    assert!(pushing.world.pushes.waiting().is_empty());
    assert!(!pushing.is_due());
    assert_eq!(pushing.world.chats.operations(), ["chat", "reserve", "reserve", "save"], "no more calls than for one that polls");
    // What follows it is pushed without it.
    let calls = pushing.calls();
    pushing.anna_says(1..=1).await;
    pushing.sender.answer_empty(200);
    pushing.work().await;
    assert_eq!(pushing.pushed(calls), [["out 2 1"]]);
}

#[tokio::test]
async fn answer_that_is_wanted_later_is_pushed() {
    let pushing = Pushing::talking().await;
    let calls = pushing.calls();
    let asking = || Asking { is_async: true, ..pushing.world.envelope() };
    pushing.world.try_visitor("t", says("v-1", "Hi"), &asking()).await.unwrap();
    app::chats::gateway_list(&pushing.world.ctx, pushing.gateway(), &asking()).await.unwrap();
    assert_eq!(pushing.world.pushes.waiting().len(), 2);
    pushing.sender.answer_empty(200);
    pushing.work().await;
    assert_eq!(pushing.pushed(calls), [["echo 1 Hi", "list [Answered Anna]"]]);
    assert!(!pushing.is_due());
}

#[tokio::test]
async fn gateway_that_polls_is_announced_nowhere() {
    let world = World::staffed(Policy::default()).await;
    world.visitor("t", start()).await;
    world.agent(&world.anna, "t", app::chats::AgentAct::Answers).await;
    assert!(world.pushes.waiting().is_empty());
    assert_eq!(world.chats.push_of(&world.gateway.id).1, None);
}

#[tokio::test]
async fn row_transfer_no_more_than_25_at_a_time_and_in_order() {
    let pushing = Pushing::talking().await;
    let calls = pushing.calls();
    pushing.anna_says(1..=60).await;
    pushing.sender.answer_empty(200).answer_empty(200).answer_empty(200);
    assert_eq!(pushing.push().await, Pushed { arrived: 60, ..Pushed::default() });
    let pushed = pushing.pushed(calls);
    assert_eq!(pushed.iter().map(Vec::len).collect::<Vec<_>>(), [25, 25, 10]);
    let expected: Vec<_> = (1..=60).map(|n| format!("out {n} {n}")).collect();
    assert_eq!(pushed.concat(), expected);
}

#[tokio::test]
async fn row_reply_in_the_body_is_heard() {
    let pushing = Pushing::talking().await;
    pushing.anna_says(1..=1).await;
    pushing.sender.answer(200, &json!({"Messages": []}));
    pushing.work().await;
    assert_eq!(*pushing.connector.heard.lock().unwrap(), [r#"{"Messages":[]}"#]);
}

#[tokio::test]
async fn reply_that_could_not_be_heard_is_asked_for_again() {
    let pushing = Pushing::talking().await;
    let calls = pushing.calls();
    *pushing.connector.deaf.lock().unwrap() = 1;
    pushing.anna_says(1..=1).await;
    pushing.sender.answer(200, &json!("x")).answer(200, &json!("x"));
    assert_eq!(pushing.work().await, Pushed::default());
    pushing.world.clock.advance(SECOND);
    assert_eq!(pushing.work().await.arrived, 1);
    assert_eq!(pushing.pushed(calls), [["out 1 1"], ["out 1 1"]]);
    assert_eq!(*pushing.connector.heard.lock().unwrap(), [r#""x""#]);
}

#[tokio::test]
async fn row_otherwise_410_makes_it_poll() {
    let pushing = Pushing::talking().await;
    pushing.anna_says(1..=2).await;
    pushing.sender.answer_empty(410);
    assert_eq!(pushing.push().await, Pushed { is_given_up: true, ..Pushed::default() });
    assert_eq!(pushing.state().given_up.as_deref(), Some("a"));
    // Nothing is pushed from now on, whatever happens, and everything is there to be fetched.
    let calls = pushing.calls();
    pushing.anna_says(3..=3).await;
    assert_eq!(pushing.work().await, Pushed::default());
    assert_eq!((pushing.calls(), pushing.is_due()), (calls, false));
    let told = pushing.world.told().await;
    assert_eq!(told[told.len() - 3..], ["out 1 1", "out 2 2", "out 3 3"]);
}

#[tokio::test]
async fn another_address_is_pushed_what_the_first_did_not_take() {
    let mut pushing = Pushing::talking().await;
    pushing.anna_says(1..=2).await;
    pushing.sender.answer_empty(410);
    pushing.push().await;
    let calls = pushing.calls();
    pushing.connector.address = "b";
    pushing.sender.answer_empty(200);
    assert_eq!(pushing.push().await.arrived, 2);
    assert_eq!(pushing.pushed(calls), [["out 1 1", "out 2 2"]]);
    assert_eq!(pushing.state().given_up, None);
}

#[tokio::test]
async fn row_otherwise_4xx_parks_the_one_that_is_refused_and_no_other() {
    for status in [400, 401, 404, 422] {
        let pushing = Pushing::talking().await;
        let calls = pushing.calls();
        pushing.anna_says(1..=3).await;
        pushing.sender.answer_empty(status).answer_empty(200).answer_empty(status).answer_empty(200);
        assert_eq!(pushing.push().await, Pushed { arrived: 2, parked: 1, is_given_up: false });
        let expected: [&[&str]; 4] = [&["out 1 1", "out 2 2", "out 3 3"], &["out 1 1"], &["out 2 2"], &["out 3 3"]];
        assert_eq!(pushing.pushed(calls), expected, "{status}");
        assert!(!pushing.is_due());
        // It stays for whoever fetches.
        assert!(pushing.world.told().await.contains(&"out 2 2".to_owned()));
    }
}

#[tokio::test]
async fn after_the_refused_batch_it_goes_on_in_batches() {
    let pushing = Pushing::talking().await;
    let calls = pushing.calls();
    pushing.anna_says(1..=30).await;
    pushing.sender.answer_empty(413);
    for _ in 0..26 {
        pushing.sender.answer_empty(200);
    }
    assert_eq!(pushing.push().await.arrived, 30);
    let sizes: Vec<_> = pushing.pushed(calls).iter().map(Vec::len).collect();
    assert_eq!(sizes, [vec![25], vec![1; 25], vec![5]].concat());
}

#[tokio::test]
async fn row_otherwise_the_rest_is_retried_after_1_2_4_to_60_s_for_15_minutes_then_as_poll() {
    let pushing = Pushing::with_sender(ScriptedSender::responding(|_| Err(CallFailure::NoAnswer))).await;
    let begin = pushing.world.clock.now();
    pushing.world.visitor("t", start()).await;
    pushing.world.agent(&pushing.world.anna, "t", app::chats::AgentAct::Answers).await;
    let mut tried = Vec::new();
    let mut done = Pushed::default();
    while !done.is_given_up {
        let (next, _) = pushing.world.pushes.waiting().remove(0);
        pushing.world.clock.set(next);
        let calls = pushing.calls();
        done = pushing.work().await;
        assert_eq!(pushing.calls(), calls + 1);
        tried.push(next.since(begin).as_secs());
    }
    let first = [0, 1, 3, 7, 15, 31, 63];
    let then = (1..=14).map(|n| 63 + n * 60);
    assert_eq!(tried, first.into_iter().chain(then).collect::<Vec<_>>());
    assert!((900..960).contains(tried.last().unwrap()));
    assert!(pushing.world.pushes.waiting().is_empty() && !pushing.is_due());
    assert_eq!(pushing.state().given_up.as_deref(), Some("a"));
}

#[tokio::test]
async fn row_otherwise_what_may_pass_is_retried_and_then_goes_on() {
    let refusals: [Result<u16, CallFailure>; 9] = [
        Ok(408),
        Ok(429),
        Ok(500),
        Ok(503),
        Ok(302),
        Err(CallFailure::Unreachable),
        Err(CallFailure::NoAnswer),
        Err(CallFailure::ForbiddenTarget),
        Err(CallFailure::AnswerTooLong),
    ];
    for refusal in refusals {
        let pushing = Pushing::talking().await;
        pushing.anna_says(1..=1).await;
        let since = pushing.world.clock.now();
        pushing.sender.push(refusal.map(ScriptedSender::empty));
        assert_eq!(pushing.work().await, Pushed::default(), "{refusal:?}");
        assert_eq!(pushing.state().failing, Some(PushFailing { since, count: 1 }));
        // What comes meanwhile waits for the pause to end, and goes along.
        pushing.anna_says(2..=2).await;
        assert_eq!(pushing.work().await, Pushed::default());
        pushing.world.clock.advance(SECOND);
        pushing.sender.answer_empty(200);
        assert_eq!(pushing.work().await.arrived, 2, "{refusal:?}");
        assert_eq!(pushing.state().failing, None);
    }
}

#[tokio::test]
async fn row_order_nothing_overtakes_what_is_being_pushed() {
    let pushing = Pushing::talking().await;
    let calls = pushing.calls();
    pushing.anna_says(1..=3).await;
    pushing.sender.answer_empty(200);
    // Three tasks, worked on at the same time.
    let (a, b, c) = tokio::join!(pushing.push(), pushing.push(), pushing.push());
    assert_eq!(a.arrived + b.arrived + c.arrived, 3);
    assert_eq!(pushing.pushed(calls), [["out 1 1", "out 2 2", "out 3 3"]]);
}

#[tokio::test]
async fn only_one_pushes_and_what_comes_meanwhile_is_not_left() {
    let pushing = Pushing::talking().await;
    pushing.anna_says(1..=1).await;
    let now = pushing.world.clock.now();
    let lease = PushLease { holder: "other".into(), until: now.plus(LIMIT), due_at: now.plus(LIMIT * 2) };
    let claim = pushing.world.chats.claim(pushing.gateway(), &lease, now).await.unwrap().unwrap();
    assert_eq!(pushing.work().await, Pushed::default(), "somebody else pushes");
    // The other one has read to the end, and something is told before it leaves.
    pushing.anna_says(2..=2).await;
    let done = ports::PushNext::Done { last: Some(claim.last) };
    let kept = pushing.world.chats.keep(pushing.gateway(), "other", &claim.state, done).await.unwrap();
    assert_eq!(kept, ports::Saved::Conflict);
    assert!(pushing.is_due());
}

#[tokio::test]
async fn pusher_that_died_is_made_up_for_by_the_sweep() {
    let pushing = Pushing::talking().await;
    pushing.anna_says(1..=1).await;
    let now = pushing.world.clock.now();
    let lease = PushLease { holder: "dead".into(), until: now.plus(LIMIT), due_at: now.plus(LIMIT * 2) };
    pushing.world.chats.claim(pushing.gateway(), &lease, now).await.unwrap();
    pushing.work().await;
    assert_eq!(pushing.sweep().await, 0);
    pushing.world.clock.advance(LIMIT * 2);
    assert_eq!(pushing.sweep().await, 1);
    pushing.sender.answer_empty(200);
    assert_eq!(pushing.work().await.arrived, 1);
}

#[tokio::test]
async fn lost_task_is_found_by_the_sweep_and_sent_once() {
    let pushing = Pushing::talking().await;
    for lose in [true, false] {
        if !lose {
            pushing.world.ctx.pushes.send(&PushTask::V1 { gateway: pushing.gateway().clone() }, SECOND).await.unwrap();
        }
        if lose {
            pushing.anna_says(1..=1).await;
        } else {
            pushing.world.pushes.faults().next(1, Fault::Refused);
            pushing.anna_says(2..=2).await;
        }
        pushing.world.pushes.forget_all();
        assert_eq!(pushing.sweep().await, 0, "its time has not come");
        pushing.world.clock.advance(SECOND * 15);
        assert_eq!((pushing.sweep().await, pushing.sweep().await), (1, 0));
        pushing.sender.answer_empty(200);
        assert_eq!(pushing.work().await.arrived, 1);
        assert!(!pushing.is_due());
    }
}

#[tokio::test]
async fn number_that_nobody_uses_holds_up_for_ten_seconds_what_follows() {
    let pushing = Pushing::talking().await;
    let calls = pushing.calls();
    let now = pushing.world.clock.now();
    ports::Chats::reserve_pushed(pushing.world.chats.as_ref(), pushing.gateway(), 1, now, now).await.unwrap();
    pushing.anna_says(1..=1).await;
    for _ in 0..10 {
        assert_eq!(pushing.work().await, Pushed::default());
        assert!(pushing.is_due());
        pushing.world.clock.advance(SECOND);
    }
    pushing.sender.answer_empty(200);
    pushing.work().await;
    assert_eq!(pushing.pushed(calls), [["skip", "out 1 1"]]);
}

#[tokio::test]
async fn last_number_that_nobody_uses_is_not_waited_for_for_ever() {
    let pushing = Pushing::talking().await;
    let now = pushing.world.clock.now();
    ports::Chats::reserve_pushed(pushing.world.chats.as_ref(), pushing.gateway(), 1, now, now).await.unwrap();
    pushing.push().await;
    for second in 1..=60 {
        pushing.world.clock.advance(SECOND);
        pushing.work().await;
        assert_eq!(pushing.is_due(), second < 60, "{second}");
    }
    assert!(pushing.world.pushes.waiting().is_empty());
}

#[tokio::test]
async fn row_volatile_typing_older_than_ten_seconds_is_a_skip() {
    let pushing = Pushing::talking().await;
    let calls = pushing.calls();
    let types = || app::chats::AgentAct::Types { is_typing: true };
    pushing.world.agent(&pushing.world.anna, "t", types()).await;
    pushing.sender.answer_empty(503);
    pushing.work().await;
    pushing.world.clock.advance(SECOND * 10);
    pushing.work().await;
    assert_eq!(pushing.pushed(calls), [["typing true"]]);
    assert_eq!((pushing.state().failing, pushing.is_due()), (None, false), "a number that stands for nothing waits");
    pushing.anna_says(1..=1).await;
    pushing.sender.answer_empty(200);
    pushing.work().await;
    assert_eq!(pushing.pushed(calls + 1), [["skip", "out 1 1"]]);
}

#[tokio::test]
async fn row_retention_what_is_a_day_old_is_not_pushed_any_more() {
    let pushing = Pushing::talking().await;
    let calls = pushing.calls();
    pushing.anna_says(1..=1).await;
    pushing.world.clock.advance(SECOND * 86_400);
    pushing.anna_says(2..=2).await;
    pushing.sender.answer_empty(200);
    pushing.work().await;
    assert_eq!(pushing.pushed(calls), [["out 2 2"]]);
}

#[tokio::test]
async fn without_time_for_a_call_it_leaves_the_rest_to_another_task() {
    for left in [9, 0] {
        let pushing = Pushing::talking().await;
        pushing.anna_says(1..=1).await;
        assert_eq!(pushing.world.pushes.due().len(), 1);
        let until = pushing.world.clock.now().plus(Duration::from_secs(left));
        let done = push(&pushing.ctx, pushing.gateway(), Some(&pushing.connector), until).await.unwrap();
        assert_eq!(done, Pushed::default());
        pushing.sender.answer_empty(200);
        assert_eq!(pushing.work().await.arrived, 1, "{left} s");
    }
}

#[tokio::test]
async fn gateway_that_is_pushed_no_longer_is_due_no_longer() {
    let pushing = Pushing::talking().await;
    pushing.anna_says(1..=1).await;
    let until = pushing.world.clock.now().plus(LIMIT);
    assert_eq!(push(&pushing.ctx, pushing.gateway(), None, until).await.unwrap(), Pushed::default());
    assert!(!pushing.is_due());
}

#[tokio::test]
async fn stream_of_which_nothing_is_known_is_nothing_to_push() {
    let pushing = Pushing::new().await;
    assert_eq!(pushing.push().await, Pushed::default());
    assert_eq!((pushing.calls(), pushing.sweep().await), (0, 0));
}

#[tokio::test]
async fn repeated_envelope_leaves_nothing_behind() {
    let pushing = Pushing::talking().await;
    let asking = Asking { is_async: true, ..pushing.world.envelope() };
    pushing.sender.answer_empty(200);
    for expected in [1, 0] {
        let again = Asking { guards: Vec::new(), ..asking.clone() };
        pushing.world.try_visitor("t", VisitorAct::Asks, &again).await.unwrap();
        assert_eq!(pushing.work().await.arrived, expected);
        assert!(!pushing.is_due());
    }
}

#[tokio::test]
async fn more_numbers_that_stand_for_nothing_than_one_push_holds_hold_up_nothing() {
    let pushing = Pushing::talking().await;
    let calls = pushing.calls();
    let now = pushing.world.clock.now();
    ports::Chats::reserve_pushed(pushing.world.chats.as_ref(), pushing.gateway(), 30, now, now).await.unwrap();
    pushing.anna_says(1..=1).await;
    pushing.world.clock.advance(SECOND * 10);
    pushing.sender.answer_empty(200).answer_empty(200);
    pushing.work().await;
    assert_eq!(pushing.pushed(calls), [vec!["skip"; 25], vec!["skip", "skip", "skip", "skip", "skip", "out 1 1"]]);
}

/// Every fault of a backing service, at every operation of a push: what is to be pushed is pushed in the end.
#[tokio::test]
async fn store_that_fails_loses_nothing() {
    for fault in [Fault::Refused, Fault::AnswerLost] {
        for before in 0..5 {
            let pushing = Pushing::with_sender(ScriptedSender::responding(|_| Ok(ScriptedSender::empty(200)))).await;
            let world = &pushing.world;
            world.visitor("t", start()).await;
            world.agent(&world.anna, "t", app::chats::AgentAct::Answers).await;
            world.chats.faults().plan(std::iter::repeat_n(None, before).chain([Some(fault)]));
            let until = world.clock.now().plus(LIMIT);
            let _failed = push(&pushing.ctx, pushing.gateway(), Some(&pushing.connector), until).await;
            world.chats.faults().clear();
            world.pushes.forget_all();
            world.clock.advance(SECOND * 180);
            pushing.sweep().await;
            pushing.work().await;
            let pushed: Vec<String> = pushing.pushed(0).concat();
            assert_eq!(pushed.last().map(String::as_str), Some("status Answered Anna g1"), "{fault:?} at {before}");
            assert!(!pushing.is_due(), "{fault:?} at {before}");
        }
    }
}
