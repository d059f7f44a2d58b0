//! Actions (section 5) and where their results go (section 9).

use std::sync::Arc;
use std::time::Duration;

use ctrader_functions::action::{ActionCtx, handle};
use http::Method;
use serde_json::{Value, json};

use crate::world::{World, answered, call};

fn survey() -> Value {
    json!({"type": "survey", "kind": "survey", "title": {"en": "Your opinion", "de": "Ihre Meinung"}, "intro": "Two questions.",
        "steps": [
            {"id": "rating", "title": "Rating", "schema": {"properties": {"stars": {"type": "integer", "minimum": 1, "maximum": 5}},
                "required": ["stars"]}, "ui": {"widgets": {"stars": "rating"}}},
            {"id": "words", "title": "Words", "schema": {"properties": {"comment": {"type": "string", "maxLength": 20}}}}],
        "outcome": {"rules": [{"step": "rating", "field": "stars", "at_most": 2, "status": "partial"}],
            "messages": {"partial": "We will call you."}},
        "sinks": ["success_url", "none"]})
}

fn promo() -> Value {
    json!({"type": "promo", "kind": "promo", "title": "Promo",
        "steps": [{"id": "consent", "title": "Terms", "schema": {"properties": {"agreed": {"type": "boolean", "const": true}},
            "required": ["agreed"]}}],
        "outcome": {"messages": {"failure": "This code cannot be redeemed."}},
        "promo": {"param": "promoId", "codes": [{"code": "summer2023"}, {"code": "winter", "until": "2020-01-01T00:00:00Z"}]}})
}

fn request() -> Value {
    json!({"type": "leverage", "kind": "account_request", "title": "Leverage", "sinks": ["none"],
        "steps": [{"id": "what", "title": "What", "schema": {"properties": {"ratio": {"type": "string", "enum": ["1:30", "1:100"]}},
            "required": ["ratio"]}}]})
}

struct Screen {
    world: World,
    ctx: Arc<ActionCtx>,
}

impl Screen {
    async fn new() -> Self {
        let world = World::with_settings(&json!({"actions": [survey(), promo(), request()]})).await;
        let results = app::Ctx {
            store: world.store.clone() as Arc<dyn ports::InboundStore>,
            queue: world.queue.clone(),
            clock: world.ctx.clock.clone(),
            dice: world.ctx.dice.clone(),
        };
        let ctx = Arc::new(ActionCtx { base: world.ctx.clone(), results });
        Self { world, ctx }
    }

    async fn open(&self, action: &str, params: Value) -> String {
        self.world.session_of(31_550_462, "action", json!({"actionType": action, "actionParams": params})).await
    }

    async fn does(&self, token: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
        answered(handle(self.ctx.clone(), call(token, method, path, &body)).await.unwrap())
    }

    async fn look(&self, token: &str) -> Value {
        let (status, body) = self.does(token, Method::GET, "action", Value::Null).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    async fn save(&self, token: &str, rev: u64, step: &str, answers: Value) -> (u16, Value) {
        self.does(token, Method::PUT, "action/progress", json!({"rev": rev, "step": step, "answers": answers})).await
    }

    async fn submit(&self, token: &str, rev: u64) -> (u16, Value) {
        self.does(token, Method::POST, "action/submit", json!({"rev": rev})).await
    }

    /// A survey that is filled in.
    async fn filled(&self, stars: i64) -> String {
        let token = self.open("survey", json!({})).await;
        assert_eq!(self.save(&token, 0, "rating", json!({"stars": stars})).await, (200, json!({"rev": 1, "step": "words"})));
        assert_eq!(self.save(&token, 1, "words", json!({})).await, (200, json!({"rev": 2, "step": "words"})));
        token
    }
}

#[tokio::test]
async fn unknown_type_is_not_found_and_a_session_of_another_screen_has_no_action() {
    let screen = Screen::new().await;
    for (kind, params) in
        [("action", json!({"actionType": "nothing"})), ("action", json!({})), ("chat", json!({"actionType": "survey"}))]
    {
        let token = screen.world.session_of(1, kind, params).await;
        assert_eq!(screen.does(&token, Method::GET, "action", Value::Null).await.0, 404);
    }
    let token = screen.open("survey", json!({})).await;
    let (status, body) = screen.does(&token, Method::DELETE, "action", Value::Null).await;
    assert_eq!((status, &body["error"]["code"]), (405, &json!("method_not_allowed")));
    assert_eq!(screen.does(&token, Method::GET, "action/other", Value::Null).await.0, 404);
}

#[tokio::test]
async fn action_begins_at_its_first_step_and_goes_on_where_it_was() {
    let screen = Screen::new().await;
    let token = screen.open("survey", json!({})).await;
    let seen = screen.look(&token).await;
    assert_eq!(
        (&seen["action"]["title"], &seen["progress"], &seen["state"]),
        (&json!("Your opinion"), &json!({"rev": 0, "step": "rating", "answers": {}}), &json!("open"))
    );
    screen.save(&token, 0, "rating", json!({"stars": 4})).await;
    let other_device = screen.open("survey", json!({})).await;
    let seen = screen.look(&other_device).await;
    assert_eq!(seen["progress"], json!({"rev": 1, "step": "words", "answers": {"rating": {"stars": 4}}}));
}

#[tokio::test]
async fn answers_that_break_rules_change_nothing_and_name_their_fields() {
    let screen = Screen::new().await;
    let token = screen.open("survey", json!({})).await;
    let (status, body) = screen.save(&token, 0, "rating", json!({"stars": 9, "more": 1})).await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!("invalid")));
    assert_eq!(body["error"]["fields"], json!({"stars": "maximum", "more": "type"}));
    for (step, detail) in [("words", "step"), ("nowhere", "step")] {
        let (status, body) = screen.save(&token, 0, step, json!({})).await;
        assert_eq!((status, &body["error"]["detail"]), (400, &json!(detail)), "{step}");
    }
    let (status, body) = screen.does(&token, Method::PUT, "action/progress", json!({"rev": "x"})).await;
    assert_eq!((status, &body["error"]["detail"]), (400, &json!("body")));
    assert_eq!(screen.look(&token).await["progress"]["rev"], 0);
}

#[tokio::test]
async fn step_that_somebody_saved_meanwhile_is_a_conflict() {
    let screen = Screen::new().await;
    let token = screen.filled(4).await;
    assert_eq!(screen.save(&token, 0, "rating", json!({"stars": 1})).await.0, 409);
    assert_eq!(screen.submit(&token, 1).await.0, 409);
}

#[tokio::test]
async fn what_is_not_filled_in_cannot_be_submitted() {
    let screen = Screen::new().await;
    let token = screen.open("survey", json!({})).await;
    let (status, body) = screen.submit(&token, 0).await;
    assert_eq!((status, &body["error"]["fields"]), (400, &json!({"stars": "required"})));
    screen.save(&token, 0, "rating", json!({"stars": 4})).await;
    let (status, body) = screen.submit(&token, 1).await;
    assert_eq!((status, &body["error"]["detail"]), (400, &json!("step words")));
    assert!(screen.world.store.messages().is_empty());
}

#[tokio::test]
async fn result_is_stored_for_the_brand_itself_with_what_was_said() {
    let screen = Screen::new().await;
    let token = screen.filled(2).await;
    let (status, body) = screen.submit(&token, 2).await;
    let id = body["result"]["id"].as_str().unwrap();
    assert_eq!(status, 200);
    assert_eq!(body["result"], json!({"id": id, "status": "partial", "message": "We will call you.", "redirect": true}));
    let [message] = &screen.world.store.messages()[..] else { panic!("not one message") };
    assert_eq!((message.origin.to_string().as_str(), message.origin_id.as_str()), ("ctrader/broker", id));
    assert_eq!(message.memo["user"], "31550462");
    assert_eq!(
        (message.details.plain["sinks"].as_str(), message.details.plain["status"].as_str()),
        ("success_url,none", "partial")
    );
    let said: Value = serde_json::from_str(&message.content.text).unwrap();
    assert_eq!((&said["answers"]["rating"]["stars"], &said["tradingLogin"]), (&json!(2), &json!(5_207_718)));
    let [(_, testkit::QueuedTask::Deliver(model::DeliverTask::V1 { lane, .. }))] = &screen.world.queue.waiting()[..] else {
        panic!("not one delivery")
    };
    assert_eq!(lane.recipient.to_string(), "ctrader/broker");
    // The answers are with the result now.
    assert_eq!(screen.look(&token).await["progress"]["answers"], json!({}));
    assert_eq!(screen.look(&token).await["state"], "done");
}

#[tokio::test]
async fn same_submission_once_more_gives_the_same_result_and_is_stored_once() {
    let screen = Screen::new().await;
    let token = screen.filled(5).await;
    let first = screen.submit(&token, 2).await;
    for rev in [2, 0] {
        assert_eq!(screen.submit(&token, rev).await, first);
    }
    let later = screen.open("survey", json!({})).await;
    assert_eq!(screen.submit(&later, 9).await, first, "a survey is done once per person");
    assert_eq!(screen.save(&later, 3, "rating", json!({"stars": 1})).await.0, 409);
    assert_eq!(screen.world.store.messages().len(), 1);
}

#[tokio::test]
async fn result_that_is_not_known_to_be_stored_is_no_success_and_is_made_up_for() {
    let screen = Screen::new().await;
    let token = screen.filled(5).await;
    screen.world.store.fail_next(1);
    assert_eq!(screen.submit(&token, 2).await.0, 503);
    assert!(screen.world.store.messages().is_empty());
    // Whoever comes back finds it done, and then it is.
    let seen = screen.look(&token).await;
    assert_eq!((&seen["state"], &seen["result"]["status"]), (&json!("done"), &json!("success")));
    assert_eq!(screen.world.store.messages().len(), 1);
    let (status, again) = screen.submit(&token, 2).await;
    assert_eq!((status, &again["result"]["id"]), (200, &seen["result"]["id"]));
    assert_eq!(screen.world.store.messages().len(), 1);
}

#[tokio::test]
async fn queue_that_is_down_gives_no_success_and_one_result() {
    let screen = Screen::new().await;
    let token = screen.filled(5).await;
    screen.world.queue.fail_next(1);
    assert_eq!(screen.submit(&token, 2).await.0, 503);
    assert_eq!(screen.submit(&token, 2).await.0, 200);
    assert_eq!(screen.world.store.messages().len(), 1);
}

#[tokio::test]
async fn code_is_redeemed_once_per_person_and_only_in_its_time() {
    let screen = Screen::new().await;
    let redeem = async |user: i64, code: &str| {
        let params = json!({"actionType": "promo", "actionParams": {"promoId": code}});
        let token = screen.world.session_of(user, "action", params).await;
        screen.save(&token, 0, "consent", json!({"agreed": true})).await;
        let (status, body) = screen.submit(&token, 1).await;
        assert_eq!(status, 200, "{body}");
        (body["result"]["status"].clone(), body["result"]["id"].clone())
    };
    let (status, first) = redeem(1, "summer2023").await;
    assert_eq!(status, "success");
    assert_eq!(redeem(1, "SUMMER2023").await, (json!("success"), first.clone()), "the same redemption once more");
    assert_ne!(redeem(2, "summer2023").await.1, first, "another person's");
    let (status, failure) = redeem(1, "winter").await;
    assert_eq!(status, "failure");
    assert_eq!(redeem(1, "winter").await.1, failure);
    assert_eq!(redeem(1, "invented").await.0, "failure");
    let codes: Vec<Value> = screen
        .world
        .store
        .messages()
        .iter()
        .map(|message| serde_json::from_str::<Value>(&message.content.text).unwrap()["code"].clone())
        .collect();
    assert_eq!(codes, ["summer2023", "summer2023"], "failures tell nobody");
}

#[tokio::test]
async fn request_can_be_made_again_by_a_later_session() {
    let screen = Screen::new().await;
    let mut ids = Vec::new();
    for rev in [0, 3] {
        let token = screen.open("leverage", json!({})).await;
        assert_eq!(screen.look(&token).await["state"], "open");
        assert_eq!(screen.save(&token, rev, "what", json!({"ratio": "1:30"})).await.0, 200);
        let (status, body) = screen.submit(&token, rev + 1).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(screen.look(&token).await["state"], "done");
        ids.push(body["result"]["id"].clone());
    }
    assert_ne!(ids[0], ids[1]);
    assert_eq!(screen.world.store.messages().len(), 2);
}

#[tokio::test]
async fn account_counts_only_if_it_is_the_one_that_ctrader_vouched_for() {
    let screen = Screen::new().await;
    for (user, hint, account) in
        [(1, json!(5_207_718), json!(5_207_718)), (2, json!(999), Value::Null), (3, Value::Null, Value::Null)]
    {
        let params = json!({"actionType": "leverage", "actionParams": {}, "account": hint});
        let token = screen.world.session_of(user, "action", params).await;
        screen.save(&token, 0, "what", json!({"ratio": "1:30"})).await;
        assert_eq!(screen.submit(&token, 1).await.0, 200);
        let message = screen.world.store.messages().into_iter().find(|message| message.memo["user"] == user.to_string()).unwrap();
        let said: Value = serde_json::from_str(&message.content.text).unwrap();
        assert_eq!(said["account"], account, "{hint}");
    }
}

#[tokio::test]
async fn session_of_another_brand_and_one_that_is_over_do_nothing() {
    let screen = Screen::new().await;
    let token = screen.filled(5).await;
    screen.world.clock.advance(Duration::from_secs(30 * 60));
    let (status, body) = screen.submit(&token, 2).await;
    assert_eq!((status, &body["error"]["code"]), (401, &json!("session_expired")));
    assert!(screen.world.store.messages().is_empty());
}

#[tokio::test]
async fn operations_of_each_call_are_counted() {
    let screen = Screen::new().await;
    let token = screen.filled(5).await;
    screen.world.records.operations();
    screen.look(&token).await;
    assert_eq!(screen.world.records.operations(), ["record", "record"]);
    screen.submit(&token, 2).await;
    assert_eq!(screen.world.records.operations(), ["record", "record", "keep_records", "keep_records"]);
}
