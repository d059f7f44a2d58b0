//! The contract of [`People`], as a suite that runs against any store of it. `chats`, `store` and `people` are over the same data.

use std::sync::Arc;

use chat::{CloseReason, Direction, State};
use model::{Author, ConversationId, EpochMillis};
use ports::{Bind, BoundBefore, ChatOutline, ChatSaved, Chats, Outline, People, Store};

use crate::chats_contract::{self as chats_case, SOON};
use crate::store_contract as store_case;

/// Everything that is over the same data.
#[derive(Clone)]
pub struct Parts {
    /// Chats.
    pub chats: Arc<dyn Chats>,
    /// Conversations and messages.
    pub store: Arc<dyn Store>,
    /// What looks at both.
    pub people: Arc<dyn People>,
}

/// Runs the whole suite.
pub async fn run(parts: &Parts) {
    macro_rules! cases {
        ($($case:ident),* $(,)?) => {
            $(
                // Shown by the test runner only when the case fails.
                println!("people contract: {}", stringify!($case));
                $case(parts).await;
            )*
        };
    }
    cases![
        what_is_not_there_has_no_outline,
        chats_and_messages_are_outlined_the_newest_first,
        bound_thread_shows_the_chat_it_leads_to,
        texts_of_a_chat_are_told_and_notes_are_not,
        texts_of_messages_are_told,
        messages_are_paged_from_the_newest,
        more_conversations_than_one_call_takes_are_outlined,
    ];
}

impl Parts {
    async fn lines(&self, conversation: ConversationId, limit: usize) -> Vec<(Author, String)> {
        let lines = self.people.said(conversation, limit).await.unwrap();
        lines.into_iter().map(|line| (line.by, line.text)).collect()
    }
}

async fn what_is_not_there_has_no_outline(parts: &Parts) {
    assert_eq!(parts.people.outlines(&[]).await.unwrap(), []);
    assert_eq!(parts.people.outlines(&[chats_case::conversation()]).await.unwrap(), []);
    assert_eq!(parts.lines(chats_case::conversation(), 10).await, []);
}

async fn chats_and_messages_are_outlined_the_newest_first(parts: &Parts) {
    let messages = store_case::Case::with_messages(parts.store.clone(), 2).await;
    let case = chats_case::Case::with_chat(parts.chats.clone()).await;
    let closed = chats_case::conversation();
    case.start(closed).await;
    let end = case.later(SOON);
    case.store(closed, |chat| chat.state = State::Closed { reason: CloseReason::System, at: end, attended_by: None }).await;
    let outlines = parts.people.outlines(&[messages.id, case.id, chats_case::conversation(), closed]).await.unwrap();
    let chat = |conversation, last_at, closed_at| Outline {
        conversation,
        tenant: case.tenant.clone(),
        visitor: case.gateway.clone(),
        desk: Some(case.desk.clone()),
        last_at,
        chat: Some(ChatOutline { began_at: case.now, closed_at, attendant: None }),
    };
    let of_messages = Outline {
        conversation: messages.id,
        tenant: messages.tenant.clone(),
        visitor: messages.visitor.clone(),
        desk: Some(messages.desk.clone()),
        // The places in this case are 1 and 2.
        last_at: EpochMillis::new(2),
        chat: None,
    };
    assert_eq!(outlines, [chat(closed, end, Some(end)), chat(case.id, case.now, None), of_messages]);
}

async fn bound_thread_shows_the_chat_it_leads_to(parts: &Parts) {
    let case = chats_case::Case::with_chat(parts.chats.clone()).await;
    case.say(&[case.sentence("a", Direction::Outbound, 1)]).await;
    let thread = chats_case::conversation();
    let mut change = case.next().await;
    change.bind = Some(Bind { thread, before: BoundBefore::Nothing });
    assert_eq!(case.save(&change).await, ChatSaved::Yes);
    let outlines = parts.people.outlines(&[thread]).await.unwrap();
    assert_eq!(outlines.iter().map(|outline| outline.conversation).collect::<Vec<_>>(), [case.id]);
    assert_eq!(parts.lines(thread, 10).await, parts.lines(case.id, 10).await);
    assert_eq!(parts.lines(thread, 10).await.len(), 1);
}

async fn texts_of_a_chat_are_told_and_notes_are_not(parts: &Parts) {
    let case = chats_case::Case::with_chat(parts.chats.clone()).await;
    let mut said: Vec<_> = (1..=4).map(|n| case.sentence(&format!("s{n}"), Direction::Inbound, n)).collect();
    for (sentence, text) in said.iter_mut().zip(["one", "two", "three", "four"]) {
        text.clone_into(&mut sentence.text);
    }
    said[1].kind = chat::SentenceKind::Note;
    said[2].direction = Direction::Outbound;
    case.say(&said).await;
    let line = |by, text: &str| (by, text.to_owned());
    let all = [line(Author::Visitor, "one"), line(Author::Desk, "three"), line(Author::Visitor, "four")];
    assert_eq!(parts.lines(case.id, 10).await, all);
    assert_eq!(parts.lines(case.id, 1).await, [line(Author::Visitor, "four")]);
    assert_eq!(parts.lines(case.id, 0).await, []);
}

async fn texts_of_messages_are_told(parts: &Parts) {
    let case = store_case::Case::with_messages(parts.store.clone(), 3).await;
    let all = ["Dobrý den, zpráva 1 👋", "Dobrý den, zpráva 2 👋", "Dobrý den, zpráva 3 👋"];
    let all = all.map(|text| (Author::Visitor, text.to_owned()));
    assert_eq!(parts.lines(case.id, 10).await, all);
    assert_eq!(parts.lines(case.id, 2).await, all[1..]);
}

async fn messages_are_paged_from_the_newest(parts: &Parts) {
    let case = store_case::Case::with_messages(parts.store.clone(), 5).await;
    let page = async |before, limit| {
        let messages = parts.people.messages(case.id, before, limit).await.unwrap();
        messages.into_iter().map(|message| (message.id.seq(), message.content.text)).collect::<Vec<_>>()
    };
    let message = |seq: u64| (seq, format!("Dobrý den, zpráva {seq} 👋"));
    assert_eq!(page(None, 2).await, [message(4), message(5)]);
    assert_eq!(page(Some(4), 2).await, [message(2), message(3)]);
    assert_eq!(page(Some(2), 2).await, [message(1)]);
    assert_eq!(page(Some(1), 2).await, []);
    assert_eq!(page(None, 0).await, []);
    assert_eq!(page(None, 100).await.len(), 5);
    assert_eq!(parts.people.messages(chats_case::conversation(), None, 2).await.unwrap(), []);
}

async fn more_conversations_than_one_call_takes_are_outlined(parts: &Parts) {
    let case = chats_case::Case::with_chat(parts.chats.clone()).await;
    let mut asked: Vec<_> = (0..120).map(|_| chats_case::conversation()).collect();
    asked.push(case.id);
    let outlines = parts.people.outlines(&asked).await.unwrap();
    assert_eq!(outlines.iter().map(|outline| outline.conversation).collect::<Vec<_>>(), [case.id]);
}
