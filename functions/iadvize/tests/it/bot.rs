//! The bot over records in memory (section 10): who it is, whether it is there, and what its visitors are answered.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use app::AppError;
use async_trait::async_trait;
use http::Method;
use iadvize_functions::bot::{BotCtx, availability, conversation, first_messages, operator, scenarios};
use iadvize_functions::render;
use model::AccountId;
use ports::{InboundStore, PortError, Record, RecordChange, RecordKey, Records, Saved, Sleeper, StoryStore as _};
use serde_json::{Value, json};
use testkit::fixtures::{get, post};
use testkit::{Fault, FixedDice, InMemoryQueue, InMemoryRecords, ManualSleeper};
use wire::{RawRequest, Reply};

use crate::world::{Answer, OTHER_TOKEN, TOKEN, World, signed};

pub(crate) const RULE: &str = "c1f0a2d4-97b3-4c55-8a2e-1f6d3b9e7a10";
pub(crate) const TALK: &str = "0d8a7b1c-3f52-4f0a-a1f4-6d1c9c1be0a7";
const SITE: &str = "idConnectorVersion=5f0c2b1e-9a44-4d0b-8a55-2f5a7a1d9c10&idWebsite=ha-4821";

/// Two scenarios, of which the first asks and hands over.
pub(crate) fn setting() -> Value {
    json!({
        "editor_url": "https://bots.example/edit/{scenario}",
        "fallback": {"text": "Un instant, je passe la main.", "transfer": {"rule": RULE, "failed": "Personne n'est libre."}},
        "other_content": {"text": "Je ne lis que du texte."},
        "scenarios": [
            {
                "id": "orders-fr", "name": "Suivi de commande", "description": "Où est mon colis ?",
                "first_messages": [{"say": {"text": "Je suis un assistant automatique."}}],
                "start": {"choices": [{"value": "Suivre un colis", "next": "number"}], "otherwise": "what"},
                "steps": {
                    "what": {"choose": {
                        "text": "Que puis-je faire ?", "otherwise": "people",
                        "choices": [{"value": "Suivre un colis", "next": "number"}, {"value": "Autre", "next": "people"}],
                    }},
                    "number": {"ask": {
                        "text": "Quel est son numéro ?", "otherwise": "number", "answers": [{"pattern": "^\\d{4}$", "next": "found"}],
                    }},
                    "found": {"say": {"text": "Il arrive demain."}},
                    "people": {"transfer": {"rule": RULE, "timeout": 30, "failed": "Personne n'est libre.", "next": "bye"}},
                    "bye": "close",
                },
            },
            {"id": "night", "name": "Nuit", "start": {"otherwise": "closed"}, "steps": {"closed": {"say": {"text": "Nous dormons."}}}},
        ],
    })
}

pub(crate) struct Bots {
    pub(crate) world: World,
    pub(crate) records: Arc<InMemoryRecords>,
    pub(crate) ctx: Arc<BotCtx>,
}

impl Bots {
    pub(crate) fn with(bot: &Value) -> Self {
        let world = World::with(&json!({ "bot": bot, "default_lang": "fr" }));
        let records = world.records.clone();
        let ctx = Self::over(&world, records.clone());
        Self { world, records, ctx }
    }

    fn over(world: &World, records: Arc<dyn Records>) -> Arc<BotCtx> {
        Arc::new(BotCtx::new(world.ctx.clone(), records, Arc::new(ManualSleeper::new(world.clock.clone()))))
    }

    /// The same table, seen by another process.
    pub(crate) fn elsewhere(&self) -> Arc<BotCtx> {
        Self::over(&self.world, self.records.clone())
    }

    pub(crate) async fn link(&self, operator: &str, scenario: &str) -> Answer {
        let body = json!({
            "name": "Léo", "pseudo": "Léo", "language": "fr", "external": {"idBot": scenario},
            "distributionRules": [{"id": RULE, "label": "Conseillers"}],
        });
        let mut request = post(&format!("/iadvize/bot/bots/{operator}"), &body.to_string());
        (request.method, request.query) = (Method::PUT, SITE.to_owned());
        of(operator::handle(self.ctx.clone(), signed(request, TOKEN)).await)
    }

    pub(crate) async fn bot(&self, operator: &str) -> Answer {
        let request = get(&format!("/iadvize/bot/bots/{operator}"), SITE);
        of(operator::handle(self.ctx.clone(), signed(request, TOKEN)).await)
    }

    pub(crate) async fn scenarios(&self, query: &str, token: &str) -> Answer {
        of(scenarios::handle(self.ctx.clone(), signed(get("/iadvize/bot/external-bots", query), token)).await)
    }

    pub(crate) async fn availability(&self, operator: &str) -> Answer {
        let request = get("/iadvize/bot/availability-strategies", &format!("{SITE}&idOperator={operator}"));
        of(availability::handle(self.ctx.clone(), signed(request, TOKEN)).await)
    }

    pub(crate) async fn first(&self, operator: &str) -> Answer {
        let path = format!("/iadvize/bot/bots/{operator}/conversation-first-messages");
        let request = get(&path, "idConnectorVersion=5f0c2b1e-9a44-4d0b-8a55-2f5a7a1d9c10");
        of(first_messages::handle(self.ctx.clone(), signed(request, TOKEN)).await)
    }

    pub(crate) async fn open(&self, body: &str) -> Answer {
        of(conversation::handle(self.ctx.clone(), posted("/iadvize/bot/conversations", body)).await)
    }

    pub(crate) async fn hear(&self, talk: &str, body: &str) -> Answer {
        heard(&self.ctx, talk, body).await
    }

    /// A text of the visitor's.
    pub(crate) async fn says(&self, id: &str, text: &str) -> Answer {
        self.hear(TALK, &said("visitor", id, &json!({"contentType": "text", "value": text}))).await
    }
}

fn of(answer: Result<Reply, AppError>) -> Answer {
    Answer::of(&answer.unwrap_or_else(|error| render(&error, "")))
}

fn posted(path: &str, body: &str) -> RawRequest {
    let mut request = post(path, body);
    SITE.clone_into(&mut request.query);
    signed(request, TOKEN)
}

async fn heard(ctx: &Arc<BotCtx>, talk: &str, body: &str) -> Answer {
    of(conversation::handle(ctx.clone(), posted(&format!("/iadvize/bot/conversations/{talk}/messages"), body)).await)
}

pub(crate) fn said(role: &str, id: &str, payload: &Value) -> String {
    let message = json!({
        "idMessage": id, "author": {"role": role}, "payload": payload, "createdAt": "2026-01-01T00:00:05.000Z[Etc/UTC]",
    });
    json!({"idOperator": "ha-60012", "message": message}).to_string()
}

pub(crate) fn text(value: &str) -> Value {
    json!({"type": "message", "payload": {"contentType": "text", "value": value}})
}

fn fallback() -> Value {
    json!([
        text("Un instant, je passe la main."),
        {"type": "transfer", "distributionRule": RULE, "transferOptions": {"timeout": {"value": 20, "unit": "seconds"}}},
        text("Personne n'est libre."),
    ])
}

#[tokio::test]
async fn scenarios_are_listed_for_the_picker() {
    let bots = Bots::with(&setting());
    let answer = bots.scenarios(SITE, TOKEN).await;
    let told = json!([
        {
            "idBot": "orders-fr", "name": "Suivi de commande", "description": "Où est mon colis ?",
            "editorUrl": "https://bots.example/edit/orders-fr",
        },
        {"idBot": "night", "name": "Nuit", "editorUrl": "https://bots.example/edit/night"},
    ]);
    assert_eq!((answer.status, answer.body), (200, told));
    assert_eq!(bots.scenarios("idWebsite=sd-77", OTHER_TOKEN).await.body, json!([]), "a site without a bot");
    assert_eq!(bots.scenarios("idWebsite=ha-9", TOKEN).await.row(), (404, "not_found"));
}

#[tokio::test]
async fn choice_of_a_scenario_is_kept_and_read_back() {
    let bots = Bots::with(&setting());
    assert_eq!(bots.bot("ha-60012").await.row(), (404, "not_found"));
    let told = json!({
        "idOperator": "ha-60012",
        "external": {
            "idBot": "orders-fr", "name": "Suivi de commande", "description": "Où est mon colis ?",
            "editorUrl": "https://bots.example/edit/orders-fr",
        },
        "distributionRules": [{"id": RULE, "label": "Conseillers"}],
        "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
    });
    let linked = bots.link("ha-60012", "orders-fr").await;
    assert_eq!((linked.status, &linked.body), (200, &told));
    // The same once more changes nothing, nor does the other spelling of the operator (section 14 row 5).
    bots.world.clock.advance(Duration::from_secs(60));
    assert_eq!(bots.link("ha-60012", "orders-fr").await.body, told);
    assert_eq!(bots.bot("60012").await.body, told);
    let changed = bots.link("ha-60012", "night").await.body;
    assert_eq!((&changed["createdAt"], &changed["updatedAt"]), (&told["createdAt"], &json!("2026-01-01T00:01:00.000Z")));
    assert_eq!(bots.link("ha-60012", "unknown").await.row(), (422, "invalid_parameter"));
    assert_eq!(bots.link("sd-60012", "night").await.row(), (400, "invalid_parameter"), "of the other platform");
    assert_eq!(bots.bot("leo").await.row(), (400, "invalid_parameter"));
}

#[tokio::test]
async fn scenario_is_one_operators_until_it_is_given_up() {
    let bots = Bots::with(&setting());
    bots.link("ha-60012", "orders-fr").await;
    assert_eq!(bots.link("ha-7", "orders-fr").await.row(), (409, "conflict"));
    bots.link("ha-60012", "night").await;
    assert_eq!(bots.link("ha-7", "orders-fr").await.status, 200, "its operator has another one now");
    assert_eq!(bots.link("ha-60012", "orders-fr").await.row(), (409, "conflict"));
    // Nobody has asked about it for 30 days (section 15).
    bots.world.clock.advance(Duration::from_secs(30 * 86_400 - 1));
    assert_eq!(bots.link("ha-60012", "orders-fr").await.row(), (409, "conflict"));
    assert_eq!(bots.availability("ha-7").await.body[0]["availability"], true);
    bots.world.clock.advance(Duration::from_secs(86_400));
    assert_eq!(bots.link("ha-60012", "orders-fr").await.row(), (409, "conflict"), "iAdvize has asked since");
    bots.world.clock.advance(Duration::from_secs(29 * 86_400));
    assert_eq!(bots.link("ha-60012", "orders-fr").await.status, 200);
    assert_eq!(bots.bot("ha-7").await.row(), (404, "not_found"));
}

#[tokio::test]
async fn row_7_availability_and_first_messages_are_answered_from_memory() {
    let bots = Bots::with(&setting());
    bots.link("ha-60012", "orders-fr").await;
    let available = json!([{"strategy": "customAvailability", "availability": true}]);
    let mut first = text("Je suis un assistant automatique.");
    first["quickReplies"] = json!([{"contentType": "text/quick-reply", "value": "Suivre un colis"}]);
    assert_eq!(bots.availability("ha-60012").await.body, available);
    assert_eq!(bots.first("ha-60012").await.body, json!({"replies": [first]}));
    let (_, store) = (bots.records.operations(), bots.world.store.counts());
    for _ in 0..239 {
        bots.world.clock.advance(Duration::from_secs(1));
        assert_eq!(bots.availability("ha-60012").await.body, available);
        assert_eq!(bots.first("60012").await.body, json!({"replies": [first]}));
    }
    assert_eq!(bots.records.operations(), [] as [&str; 0]);
    assert_eq!(bots.world.store.counts(), store);
    // Four minutes are over: read once.
    bots.world.clock.advance(Duration::from_secs(1));
    bots.availability("ha-60012").await;
    bots.first("ha-60012").await;
    assert_eq!(bots.records.operations(), ["records"]);
}

#[tokio::test]
async fn bot_is_away_when_it_is_unknown_switched_off_closed_or_cannot_be_read() {
    let away = json!([{"strategy": "customAvailability", "availability": false}]);
    let not_available = json!([{"strategy": "notAvailable"}]);
    let mut written = setting();
    written["scenarios"][0]["hours"] = json!({
        "time_zone": "Europe/Paris", "weekly": [{"days": ["thu"], "from": "09:00", "to": "10:00"}],
    });
    let bots = Bots::with(&written);
    assert_eq!(bots.availability("ha-60012").await.body, not_available);
    bots.link("ha-60012", "orders-fr").await;
    bots.world.clock.advance(Duration::from_secs(20));
    // 2026-01-01 is a Thursday; it is 01:00 in Paris.
    assert_eq!(bots.availability("ha-60012").await.body, away);
    bots.world.clock.advance(Duration::from_secs(8 * 3600));
    assert_eq!(bots.availability("ha-60012").await.body[0]["availability"], true);
    assert_eq!(bots.availability("sd-60012").await.body, not_available, "of the other platform");
    assert_eq!(bots.availability("").await.row(), (400, "invalid_parameter"));
    let mut off = setting();
    off["enabled"] = false.into();
    let bots = Bots::with(&off);
    bots.link("ha-60012", "orders-fr").await;
    assert_eq!(bots.availability("ha-60012").await.body, away);
    assert_eq!(bots.first("ha-60012").await.body, json!({"replies": []}));
    assert_eq!(bots.says("m1", "Bonjour").await.body["replies"], fallback());
    for (word, strategy) in [("at_least_one", "atLeastOne"), ("all", "all")] {
        let mut asking = setting();
        asking["scenarios"][0]["availability"] = word.into();
        let bots = Bots::with(&asking);
        bots.link("ha-60012", "orders-fr").await;
        let told = json!([{"strategy": strategy, "distributionRulesToCheck": [RULE]}]);
        assert_eq!(bots.availability("ha-60012").await.body, told);
    }
    let bots = Bots::with(&setting());
    bots.records.faults().next(1, Fault::Refused);
    assert_eq!(bots.availability("ha-60012").await.body, not_available);
}

#[tokio::test]
async fn first_messages_are_those_of_the_site_whose_bot_the_operator_is() {
    let bots = Bots::with(&setting());
    assert_eq!(bots.first("ha-60012").await.row(), (404, "not_found"));
    let request = signed(get("/iadvize/bot/bots/ha-60012/conversation-first-messages", ""), TOKEN);
    bots.records.faults().next(1, Fault::Refused);
    assert_eq!(of(first_messages::handle(bots.elsewhere(), request).await).body, json!({"replies": []}), "never a 5xx");
    bots.world.clock.advance(Duration::from_secs(20));
    bots.link("ha-60012", "night").await;
    assert_eq!(bots.first("ha-60012").await.body, json!({"replies": []}), "none are configured");
}

#[tokio::test]
async fn conversation_follows_the_scenario() {
    let bots = Bots::with(&setting());
    bots.link("ha-60012", "orders-fr").await;
    let opening = json!({"idOperator": "ha-60012", "idConversation": TALK, "history": []}).to_string();
    let envelope = json!({
        "idConversation": TALK, "idOperator": "ha-60012", "replies": [],
        "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
    });
    assert_eq!(bots.open(&opening).await.body, envelope);
    bots.world.clock.advance(Duration::from_secs(1));
    assert_eq!(bots.open(&opening).await.body, envelope, "once more");
    let answer = bots.says("m1", "Suivre un colis").await;
    let mut told = envelope;
    told["replies"] = json!([text("Quel est son numéro ?")]);
    told["updatedAt"] = "2026-01-01T00:00:05.000Z".into();
    assert_eq!((answer.status, &answer.body), (200, &told));
    // What the bot has said comes back, and is not answered (row 6).
    bots.records.operations();
    let own = said("operator", "m2", &json!({"contentType": "text", "value": "Quel est son numéro ?"}));
    told["replies"] = json!([]);
    assert_eq!(bots.hear(TALK, &own).await.body, told);
    assert_eq!(bots.records.operations(), ["record"], "nothing is stored");
    assert_eq!(bots.says("m3", "12").await.body["replies"], json!([text("Quel est son numéro ?")]));
    assert_eq!(bots.says("m4", "1234").await.body["replies"], json!([text("Il arrive demain.")]));
    let file = said("visitor", "m5", &json!({"contentType": "file", "url": "https://x.example/a.png"}));
    assert_eq!(bots.hear(TALK, &file).await.body["replies"], json!([text("Je ne lis que du texte.")]));
    // B8, which came before 2020.
    let request = get(&format!("/iadvize/bot/conversations/{TALK}"), &format!("{SITE}&idOperator=ha-60012"));
    assert_eq!(of(conversation::handle(bots.ctx.clone(), signed(request, TOKEN)).await).body, told);
    let request = get("/iadvize/bot/conversations/other", SITE);
    assert_eq!(of(conversation::handle(bots.ctx.clone(), signed(request, TOKEN)).await).row(), (404, "not_found"));
}

#[tokio::test]
async fn row_8_message_that_comes_again_is_answered_the_same_and_moves_nothing() {
    let bots = Bots::with(&setting());
    bots.link("ha-60012", "orders-fr").await;
    // Nobody has announced the conversation: B6 was lost.
    let first = bots.says("m1", "Suivre un colis").await.body;
    let second = bots.says("m2", "1234").await.body;
    assert_eq!(second["replies"], json!([text("Il arrive demain.")]));
    let before = bots.records.peek();
    for ctx in [bots.ctx.clone(), bots.elsewhere()] {
        let again = said("visitor", "m1", &json!({"contentType": "text", "value": "Suivre un colis"}));
        assert_eq!(heard(&ctx, TALK, &again).await.body["replies"], first["replies"]);
        let again = said("visitor", "m2", &json!({"contentType": "text", "value": "1234"}));
        assert_eq!(heard(&ctx, TALK, &again).await.body["replies"], second["replies"]);
    }
    assert_eq!(bots.records.peek(), before);
    // Nothing of what was written is kept.
    assert!(before.values().all(|record| !record.body.contains("1234") && !record.body.contains("Suivre")));
}

#[tokio::test]
async fn conversation_begins_again_when_it_is_over() {
    for (id, days) in [("6f9619ff-8b86-4011-b42d-00cf4fc964ff", 1), ("fb-5589120", 7)] {
        let bots = Bots::with(&setting());
        bots.link("ha-60012", "orders-fr").await;
        bots.says(id, "Suivre un colis").await;
        bots.world.clock.advance(Duration::from_secs(days * 86_400 - 1));
        assert_eq!(bots.says(id, "Suivre un colis").await.body["createdAt"], "2026-01-01T00:00:00.000Z");
        bots.world.clock.advance(Duration::from_secs(1));
        let anew = bots.says("m2", "1234").await.body;
        assert_eq!(anew["replies"][0]["payload"]["value"], "Que puis-je faire ?", "{id}");
        assert_ne!(anew["createdAt"], "2026-01-01T00:00:00.000Z");
    }
}

/// iAdvize says that the conversation ended at this second of the day.
pub(crate) async fn ended(bots: &Bots, second: u32) -> Answer {
    let event = json!({"eventId": format!("e-{second}"), "eventType": "v2.conversation.closed", "platform": "ha", "projectId": 4821,
        "conversationId": TALK, "operatorIds": [60012], "channel": "CHAT", "createdAt": format!("2026-01-01T00:00:{second:02}.000Z")});
    bots.world.webhook(signed(post("/iadvize/webhook", &event.to_string()), TOKEN)).await
}

/// What the visitor wrote at this second of the day.
async fn wrote(bots: &Bots, id: &str, text: &str, second: u32) -> Value {
    let body = said("visitor", id, &json!({"contentType": "text", "value": text}));
    bots.hear(TALK, &body.replace("00:00:05.000Z", &format!("00:00:{second:02}.000Z"))).await.body["replies"].clone()
}

/// What is kept of conversations of the bot.
fn kept(bots: &Bots) -> Vec<(&'static str, Value)> {
    let records =
        bots.records.peek().into_iter().filter(|(key, record)| key.group.starts_with("talk-") && !record.body.is_empty());
    records.map(|(key, record)| (key.kind, serde_json::from_str(&record.body).unwrap())).collect()
}

#[tokio::test]
async fn end_of_a_conversation_frees_what_the_bot_keeps_of_it() {
    let bots = Bots::with(&setting());
    bots.link("ha-60012", "orders-fr").await;
    for place in 0..120 {
        wrote(&bots, &format!("m{place}"), "Suivre un colis", 5).await;
    }
    assert_eq!(kept(&bots).len(), 121);
    assert_eq!(ended(&bots, 10).await.status, 200);
    let told = json!({"operator": "ha-60012", "scenario": "", "at": null, "created_at": 1_767_225_600_000_i64,
        "updated_at": 1_767_225_605_000_i64, "closed_at": 1_767_225_610_000_i64});
    assert_eq!(kept(&bots), [("bot-conversation", told)]);
    // Nothing comes of what is late: not of the event, nor of messages from before the end, be they new or repeated.
    let before = bots.records.peek();
    assert_eq!(ended(&bots, 10).await.status, 200);
    for (id, second) in [("m0", 5), ("m120", 9), ("m121", 10)] {
        assert_eq!(wrote(&bots, id, "Suivre un colis", second).await, json!([]), "{id}");
    }
    let own = said("operator", "m122", &json!({"contentType": "text", "value": "Quel est son numéro ?"}));
    assert_eq!(bots.hear(TALK, &own).await.body["replies"], json!([]));
    let opening = json!({"idOperator": "ha-60012", "idConversation": TALK, "history": []}).to_string();
    assert_eq!(bots.open(&opening).await.body["replies"], json!([]));
    assert_eq!(bots.records.peek(), before);
    // What is written later begins anew, and another repetition of the event does not end that.
    bots.world.clock.advance(Duration::from_secs(20));
    assert_eq!(wrote(&bots, "m123", "1234", 20).await[0]["payload"]["value"], "Que puis-je faire ?");
    assert_eq!(wrote(&bots, "m124", "Suivre un colis", 21).await, json!([text("Quel est son numéro ?")]));
    assert_eq!(ended(&bots, 10).await.status, 200);
    assert_eq!(wrote(&bots, "m125", "1234", 22).await, json!([text("Il arrive demain.")]));
}

#[tokio::test]
async fn end_may_come_before_all_that_was_written() {
    let bots = Bots::with(&setting());
    bots.link("ha-60012", "orders-fr").await;
    assert_eq!(ended(&bots, 10).await.status, 200);
    assert_eq!(wrote(&bots, "m1", "Suivre un colis", 5).await, json!([]));
    let request = get(&format!("/iadvize/bot/conversations/{TALK}"), &format!("{SITE}&idOperator=ha-60012"));
    assert_eq!(of(conversation::handle(bots.ctx.clone(), signed(request, TOKEN)).await).row(), (404, "not_found"));
    assert_eq!(kept(&bots).len(), 1);
    // A later end is the one that counts, an earlier one is not.
    assert_eq!((ended(&bots, 30).await.status, ended(&bots, 20).await.status), (200, 200));
    assert_eq!(wrote(&bots, "m2", "Suivre un colis", 30).await, json!([]));
    assert_eq!(wrote(&bots, "m3", "Suivre un colis", 31).await, json!([text("Quel est son numéro ?")]));
    // A site without a bot has nothing to free.
    let world = World::with(&json!({}));
    let other = Bots { ctx: Bots::over(&world, world.records.clone()), records: world.records.clone(), world };
    assert_eq!((ended(&other, 10).await.status, kept(&other)), (200, Vec::new()));
}

#[tokio::test]
async fn end_that_was_noted_half_is_noted_when_it_comes_again() {
    let bots = Bots::with(&setting());
    bots.link("ha-60012", "orders-fr").await;
    wrote(&bots, "m1", "Suivre un colis", 5).await;
    for lost in 0..4 {
        let faults = std::iter::repeat_n(None, lost).chain([Some(Fault::Refused)]);
        bots.records.faults().plan(faults);
        assert_eq!(ended(&bots, 10).await.status, 502, "{lost}");
    }
    bots.records.faults().clear();
    assert_eq!(ended(&bots, 10).await.status, 200);
    assert_eq!(kept(&bots).len(), 1);
    assert_eq!(bots.records.peek().keys().filter(|key| key.kind == "event").count(), 1);
}

/// Records in which another process is a moment faster, once.
struct Overtaken {
    records: Arc<InMemoryRecords>,
    before: Mutex<Option<(Arc<BotCtx>, String)>>,
}

#[async_trait]
impl Records for Overtaken {
    async fn record(&self, key: &RecordKey) -> Result<Option<Record>, PortError> {
        self.records.record(key).await
    }

    async fn records(&self, account: &AccountId, group: &str, kind: &'static str) -> Result<Vec<(String, Record)>, PortError> {
        self.records.records(account, group, kind).await
    }

    async fn keep_records(&self, changes: &[RecordChange]) -> Result<Saved, PortError> {
        let before = self.before.lock().unwrap().take();
        if let Some((other, body)) = before {
            assert_eq!(Box::pin(heard(&other, TALK, &body)).await.status, 200);
        }
        self.records.keep_records(changes).await
    }
}

#[tokio::test]
async fn two_messages_at_a_time_are_answered_one_after_the_other() {
    let bots = Bots::with(&setting());
    bots.link("ha-60012", "orders-fr").await;
    bots.says("m0", "Bonjour").await;
    // While this one is answered, another process answers the one before it.
    let faster = said("visitor", "m1", &json!({"contentType": "text", "value": "Suivre un colis"}));
    let before = Mutex::new(Some((bots.elsewhere(), faster.clone())));
    let ctx = Bots::over(&bots.world, Arc::new(Overtaken { records: bots.records.clone(), before }));
    let slower = said("visitor", "m2", &json!({"contentType": "text", "value": "1234"}));
    assert_eq!(heard(&ctx, TALK, &slower).await.body["replies"], json!([text("Il arrive demain.")]));
    // The same message twice at a time: both are told the same.
    let before =
        Mutex::new(Some((bots.elsewhere(), said("visitor", "m3", &json!({"contentType": "text", "value": "Autre chose"})))));
    let ctx = Bots::over(&bots.world, Arc::new(Overtaken { records: bots.records.clone(), before }));
    let same = said("visitor", "m3", &json!({"contentType": "text", "value": "Autre chose"}));
    let told = heard(&ctx, TALK, &same).await.body["replies"].clone();
    assert_eq!(told[0]["payload"]["value"], "Que puis-je faire ?");
    assert_eq!(bots.hear(TALK, &same).await.body["replies"], told);
}

/// Records that never answer.
struct Silent;

#[async_trait]
impl Records for Silent {
    async fn record(&self, _key: &RecordKey) -> Result<Option<Record>, PortError> {
        pending().await
    }

    async fn records(&self, _account: &AccountId, _group: &str, _kind: &'static str) -> Result<Vec<(String, Record)>, PortError> {
        pending().await
    }

    async fn keep_records(&self, _changes: &[RecordChange]) -> Result<Saved, PortError> {
        pending().await
    }
}

#[tokio::test]
async fn visitor_is_answered_even_if_nothing_behind_answers() {
    let opening = json!({"idOperator": "ha-60012", "idConversation": TALK}).to_string();
    let hello = said("visitor", "m1", &json!({"contentType": "text", "value": "Bonjour"}));
    // Without the rules that B2 has told nobody can be handed over.
    let alone = json!([text("Un instant, je passe la main.")]);
    let silent = Bots::over(&Bots::with(&setting()).world, Arc::new(Silent));
    let started = silent.base.clock.now();
    let answer = heard(&silent, TALK, &hello).await;
    assert_eq!((answer.status, &answer.body["replies"]), (200, &alone));
    assert_eq!(silent.base.clock.now().since(started), Duration::from_secs(8), "iAdvize waits for ten");
    let opened = of(conversation::handle(silent.clone(), posted("/iadvize/bot/conversations", &opening)).await);
    assert_eq!((opened.status, &opened.body["replies"]), (200, &json!([])));
    let started = silent.base.clock.now();
    let request = signed(get("/iadvize/bot/bots/ha-60012/conversation-first-messages", ""), TOKEN);
    assert_eq!(of(first_messages::handle(silent.clone(), request).await).body, json!({"replies": []}));
    assert_eq!(silent.base.clock.now().since(started), Duration::from_millis(1200), "iAdvize waits for two seconds");

    let bots = Bots::with(&setting());
    bots.link("ha-60012", "orders-fr").await;
    bots.availability("ha-60012").await;
    bots.records.faults().next(100, Fault::Refused);
    assert_eq!(bots.says("m1", "Bonjour").await.body["replies"], fallback(), "the rules are in memory");
    assert_eq!(bots.open(&opening).await.status, 200);
    let own = said("operator", "m2", &json!({"contentType": "text", "value": "Un instant, je passe la main."}));
    assert_eq!(bots.hear(TALK, &own).await.body["replies"], json!([]), "not even then");
    // Stored, but nobody was told so: the repetition is told what was stored.
    bots.records.faults().clear();
    bots.records.faults().plan([None, None, Some(Fault::AnswerLost)]);
    assert_eq!(bots.says("m3", "Bonjour").await.body["replies"], fallback());
    assert_eq!(bots.says("m3", "Bonjour").await.body["replies"][0]["payload"]["value"], "Que puis-je faire ?");
}

/// No time passes while something is done: chats in memory let others go first.
struct Patient;

#[async_trait]
impl Sleeper for Patient {
    async fn sleep(&self, _time: Duration) {
        pending().await
    }
}

/// A bot that hands over at once, with a way to these desks; a member `chat` is the bot's.
pub(crate) fn handing(settings: &Value, desks: &[&str]) -> (Bots, Arc<InMemoryQueue>) {
    let mut settings = settings.clone();
    let chat = settings["chat"].take();
    settings.as_object_mut().unwrap().remove("chat");
    settings["bot"] = setting();
    if chat.is_object() {
        settings["bot"]["chat"] = chat;
    }
    settings["bot"]["scenarios"][0]["start"] = json!({"otherwise": "desk"});
    settings["bot"]["scenarios"][0]["steps"] = json!({
        "desk": {"hand_to_desk": {"text": "Quelqu'un vous répond ici.", "nobody": "later"}},
        "later": {"say": {"text": "Personne n'est là."}},
    });
    let world = World::routed(&settings, desks);
    let records = world.records.clone();
    let queue = Arc::new(InMemoryQueue::new(Arc::new(world.clock.clone())));
    let desks = app::Ctx::<dyn InboundStore> {
        store: world.store.clone(),
        queue: queue.clone(),
        clock: Arc::new(world.clock.clone()),
        dice: Arc::new(FixedDice::new(0)),
    };
    let ctx = Arc::new(BotCtx::new(world.ctx.clone(), records.clone(), Arc::new(Patient)).with_desks(desks, world.chat_ctx()));
    (Bots { world, records, ctx }, queue)
}

#[tokio::test]
async fn desk_has_what_the_visitor_writes_in_order_and_once() {
    let api = json!({"api": {"username": "bot@shop.example"}});
    let (bots, queue) = handing(&api, &["vcita/demo"]);
    bots.link("ha-60012", "orders-fr").await;
    assert_eq!(bots.says("m1", "Bonjour").await.body["replies"], json!([text("Quelqu'un vous répond ici.")]));
    bots.world.clock.advance(Duration::from_secs(1));
    assert_eq!(bots.says("m2", "Où est mon colis ?").await.body["replies"], json!([]), "the desk answers");
    for id in ["m1", "m2", "m1"] {
        bots.says(id, "Où est mon colis ?").await;
    }
    let file = said("visitor", "m3", &json!({"contentType": "file", "url": "https://x.example/a.png"}));
    assert_eq!(bots.hear(TALK, &file).await.body["replies"], json!([text("Je ne lis que du texte.")]));
    // A note of the bot's that was lost makes nothing come twice.
    bots.records.faults().plan([None, None, Some(Fault::Refused)]);
    assert_eq!(bots.says("m4", "Merci").await.body["replies"], fallback());
    assert_eq!(bots.says("m4", "Merci").await.body["replies"], json!([]));
    let salt = "salt of shop";
    let conversation = model::ConversationId::derive(salt, &"iadvize/shop".parse().unwrap(), TALK);
    let story = bots.world.store.story(conversation).await.unwrap();
    let written: Vec<_> = story.messages.iter().map(|message| message.content.text.as_str()).collect();
    assert_eq!(written, ["Bonjour", "Où est mon colis ?", "Merci"]);
    let first = &story.messages[0];
    assert_eq!((first.memo["chatbot"].as_str(), first.author), ("60012", model::Author::Visitor));
    let kept = story.conversation.unwrap();
    assert_eq!((kept.desk, kept.visitor.address.as_str()), (Some("vcita/demo".parse().unwrap()), TALK));
    assert!(!queue.waiting().is_empty());
}

#[tokio::test]
async fn scenario_goes_on_where_no_desk_can_answer() {
    let api = json!({"api": {"username": "bot@shop.example"}});
    for (settings, desks) in [(&api, &[][..]), (&json!({}), &["vcita/demo"]), (&api, &["frontstage/support"])] {
        let (bots, queue) = handing(settings, desks);
        bots.link("ha-60012", "orders-fr").await;
        assert_eq!(bots.says("m1", "Bonjour").await.body["replies"], json!([text("Personne n'est là.")]), "{settings} {desks:?}");
        assert!(queue.waiting().is_empty());
    }
}

#[tokio::test]
async fn what_a_caller_can_send_is_never_our_fault() {
    let bots = Bots::with(&setting());
    bots.link("ha-60012", "orders-fr").await;
    let payload = json!({"contentType": "text", "value": "x"});
    for (body, row) in [
        ("", (400, "invalid_parameter")),
        ("{", (400, "invalid_parameter")),
        ("[]", (400, "invalid_parameter")),
        ("{}", (400, "invalid_parameter")),
        (&said("visitor", "", &payload), (400, "invalid_parameter")),
        (&said("visitor", &"x".repeat(513), &payload), (400, "invalid_parameter")),
        (&said("visitor", "m1", &json!({})), (400, "invalid_parameter")),
        (&said("visitor", "m1", &payload).replace("ha-60012", "ha-7"), (404, "not_found")),
        (&said("stranger", "m1", &json!(7)), (200, "")),
    ] {
        assert_eq!(bots.hear(TALK, body).await.row(), row, "{body}");
    }
    for body in ["", "[]", "{}", r#"{"idOperator":"ha-60012"}"#, r#"{"idOperator":"ha-60012","idConversation":""}"#] {
        assert_eq!(bots.open(body).await.row(), (400, "invalid_parameter"), "{body}");
    }
    assert_eq!(bots.open(r#"{"idOperator":"ha-7","idConversation":"a"}"#).await.row(), (404, "not_found"));
    // Any id of a conversation will do, and comes back as it was.
    let answer = bots.hear("ha-1%2F%C3%A9", &said("visitor", "m1", &payload)).await;
    assert_eq!((answer.status, &answer.body["idConversation"]), (200, &json!("ha-1/é")));
    for (path, row) in
        [("/iadvize/bot/conversations/a/b", (404, "not_found")), ("/iadvize/bot/conversations/%FF/messages", (404, "not_found"))]
    {
        assert_eq!(of(conversation::handle(bots.ctx.clone(), posted(path, "{}")).await).row(), row, "{path}");
    }
    let unsigned = post(&format!("/iadvize/bot/conversations/{TALK}/messages"), &said("visitor", "m9", &payload));
    let before = bots.records.peek();
    assert_eq!(of(conversation::handle(bots.ctx.clone(), unsigned).await).row(), (401, "unauthorized"));
    assert_eq!(bots.records.peek(), before);
}
