//! Visitors who are handed to a desk through the chats of a gateway: agents of FrontStage, or another platform's staff.

use app::chats::{AgentAct, Asking, ChatOutcome, Handled, agent_event, conversation_of, log_in};
use chat::{Agent, Chat, CloseReason, Draft, SentenceId, SentenceKind, State};
use model::{ConversationId, DeliverTask, StaffTask};
use ports::Clock as _;
use serde_json::{Value, json};
use testkit::{Fault, QueuedTask};

use crate::bot::{Bots, TALK, ended, handing, said, text};
use crate::world::JANA;

const DESK: &str = "frontstage/support";

/// A site whose visitors talk in chats of the gateway `gw-visitors`, whose desk this is.
fn chatting(desk: &str) -> Bots {
    let settings = json!({"api": {"username": "bot@shop.example"}, "chat": {"gateway": "frontstage/gw-visitors"}});
    handing(&settings, &[desk]).0
}

impl Bots {
    fn jana() -> Agent {
        Agent { id: JANA.parse().unwrap(), workplace: "101".parse().unwrap(), name: "Jana".to_owned() }
    }

    /// A visitor who was handed over when Jana was there, and whom she has answered.
    async fn with_jana() -> Self {
        let bots = chatting(DESK);
        bots.link("ha-60012", "orders-fr").await;
        bots.jana_comes().await;
        assert_eq!(bots.says("m1", "Bonjour").await.body["replies"], json!([text("Quelqu'un vous répond ici.")]));
        bots.jana_does(AgentAct::Answers).await;
        bots
    }

    async fn jana_comes(&self) {
        let (desk, jana) = (DESK.parse().unwrap(), Self::jana());
        log_in(&self.world.chat_ctx(), &desk, &jana.id, &jana.workplace).await.unwrap();
    }

    async fn jana_does(&self, act: AgentAct) {
        self.world.clock.advance(std::time::Duration::from_millis(10));
        let (chat, desk) = (self.chat().await.id, DESK.parse().unwrap());
        let done = agent_event(&self.world.chat_ctx(), &desk, &Self::jana(), chat, act, &Asking::default()).await.unwrap();
        assert!(matches!(done, ChatOutcome::Done(Handled { refusal: None, .. })), "{done:?}");
    }

    async fn jana_says(&self, id: &str, text: &str) {
        let id: SentenceId = id.to_owned().try_into().unwrap();
        self.jana_does(AgentAct::Speaks(Draft::new(id, SentenceKind::Text, text.to_owned(), None, None).unwrap())).await;
    }

    /// The conversation that the chat of the visitor is.
    fn conversation(&self) -> ConversationId {
        let [shop, gateway] = ["iadvize/shop", "frontstage/gw-visitors"].map(|id| self.world.account(id));
        conversation_of(gateway, &app::thread_of_user(shop, TALK).try_into().unwrap())
    }

    async fn chat(&self) -> Chat {
        self.world.chat_ctx().chats.chat(self.conversation(), None).await.unwrap().unwrap().0.chat
    }

    /// Which texts Jana has of the visitor.
    async fn heard_by_jana(&self) -> Vec<String> {
        let chat = self.chat().await;
        let said = self.world.chat_ctx().chats.sentences(chat.id, 1, chat.counter).await.unwrap();
        said.into_iter().filter(|one| one.direction == chat::Direction::Inbound).map(|one| one.text).collect()
    }

    /// What is on its way to the visitor: to whom, by which bot, and what.
    fn delivered(&self) -> Vec<(String, Value, String)> {
        let story = self.world.store.peek(self.conversation());
        let recipients = story.deliveries.iter().map(|delivery| delivery.key.recipient.to_string());
        recipients.zip(&story.messages).map(|(to, message)| (to, json!(message.memo), message.content.text.clone())).collect()
    }
}

#[tokio::test]
async fn visitor_and_agent_talk_until_the_agent_hangs_up_and_the_scenario_begins_again() {
    let bots = Bots::with_jana().await;
    assert_eq!(bots.says("m2", "Où est mon colis ?").await.body["replies"], json!([]), "the desk answers");
    for id in ["m1", "m2", "m1"] {
        bots.says(id, "Où est mon colis ?").await;
    }
    assert_eq!(bots.heard_by_jana().await, ["Bonjour", "Où est mon colis ?"]);
    bots.jana_says("a-1", "Il arrive demain.").await;
    let file = said("visitor", "m3", &json!({"contentType": "file", "url": "https://x.example/a.png"}));
    assert_eq!(bots.hear(TALK, &file).await.body["replies"], json!([text("Je ne lis que du texte.")]));
    bots.jana_does(AgentAct::HangsUp).await;
    let bot = json!({"chatbot": "60012", "lang": "fr"});
    let end = json!({"chat": "ended", "chatbot": "60012", "lang": "fr"});
    let shop = "iadvize/shop".to_owned();
    let told = [(shop.clone(), bot, "Jana: Il arrive demain.".to_owned()), (shop, end, "The chat has ended.".to_owned())];
    assert_eq!(bots.delivered(), told);
    assert!(bots.world.timers.relayed().iter().all(|DeliverTask::V1 { lane, .. }| lane.recipient.to_string() == "iadvize/shop"));
    // The next word begins the scenario, which hands over anew: a chat of its own in the same thread.
    let generation = bots.chat().await.id.generation();
    assert_eq!(bots.says("m4", "Encore une question").await.body["replies"], json!([text("Quelqu'un vous répond ici.")]));
    assert_eq!(
        (bots.chat().await.id.generation(), bots.heard_by_jana().await),
        (generation + 1, vec!["Encore une question".to_owned()])
    );
    // What came before is answered as it was.
    assert_eq!(bots.says("m2", "Où est mon colis ?").await.body["replies"], json!([]));
    assert_eq!(bots.heard_by_jana().await.len(), 1);
}

#[tokio::test]
async fn note_that_is_lost_makes_nothing_come_twice() {
    for fault in [Fault::Refused, Fault::AnswerLost] {
        let bots = Bots::with_jana().await;
        bots.records.faults().plan([None, None, Some(fault)]);
        bots.says("m2", "Merci").await;
        bots.records.faults().clear();
        assert_eq!(bots.says("m2", "Merci").await.body["replies"], json!([]), "{fault:?}");
        assert_eq!(bots.heard_by_jana().await, ["Bonjour", "Merci"], "{fault:?}");
    }
}

#[tokio::test]
async fn scenario_goes_on_where_nobody_takes_the_chat() {
    // Nobody of the desk is there, no desk is named, and another tenant's gateway is none.
    let other = json!({"api": {"username": "bot@shop.example"}, "chat": {"gateway": "frontstage/gw-rival"}});
    let unknown = json!({"api": {"username": "bot@shop.example"}, "chat": {"gateway": "frontstage/gone"}});
    let nobody = [chatting(DESK), handing(&other, &[DESK]).0, handing(&unknown, &[DESK]).0];
    for bots in nobody {
        bots.link("ha-60012", "orders-fr").await;
        for id in ["m1", "m2"] {
            assert_eq!(bots.says(id, "Bonjour").await.body["replies"], json!([text("Personne n'est là.")]));
        }
        assert_eq!(bots.world.timers.relayed(), []);
    }
}

#[tokio::test]
async fn staff_elsewhere_has_what_the_visitor_says_in_the_chat() {
    let bots = chatting("vcita/demo");
    bots.link("ha-60012", "orders-fr").await;
    bots.says("m1", "Bonjour").await;
    bots.says("m2", "Où est mon colis ?").await;
    let told: Vec<_> = bots.delivered().into_iter().map(|(to, _, text)| (to, text)).collect();
    let staff = |text: &str| ("vcita/demo".to_owned(), text.to_owned());
    assert_eq!(told, [staff("Bonjour"), staff("Où est mon colis ?")]);
    let conversation = bots.world.store.peek(bots.conversation()).conversation.unwrap();
    assert_eq!((conversation.is_chat, conversation.visitor.address.as_str()), (true, TALK));
}

#[tokio::test]
async fn end_of_the_conversation_ends_the_chat() {
    let bots = Bots::with_jana().await;
    assert_eq!(ended(&bots, 40).await.status, 200);
    let [QueuedTask::Staff(left)] = &bots.world.queue.due(bots.world.clock.now())[..] else { panic!() };
    let StaffTask::VisitorLeftV1 { account, conversation, .. } = left else { panic!("{left:?}") };
    assert_eq!((account.to_string().as_str(), *conversation), ("iadvize/shop", bots.conversation()));
    app::chats::staff_did(&bots.world.chat_ctx(), left).await.unwrap();
    assert!(matches!(bots.chat().await.state, State::Closed { reason: CloseReason::ExtApp, .. }));
    assert_eq!(bots.delivered(), [], "nobody is told what they did themselves");
}
