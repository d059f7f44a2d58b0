//! The contract of [`Erasure`], as a suite that runs against any store of it. `chats`, `store` and `erasure` are over the same
//! data.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use chat::desk::Presence;
use chat::{ChatId, Direction, FormAnswer, State, TrackingId};
use model::{AccountId, ConversationId, Memo, MessageId, RemoteStatus, RemoteThread};
use ports::{
    AgentChange, Bind, BoundBefore, ChatRecord, ChatSaved, Chats, Erased, Erasing, Erasure, Identity, PersonFound, ResultChange,
    Store, StoredResult, StreamKey, StreamRead,
};

use crate::chats_contract::{self as chats_case, SOON};
use crate::store_contract::{self as store_case, fresh};

/// Everything that is over the same data.
#[derive(Clone)]
pub struct Parts {
    /// Chats.
    pub chats: Arc<dyn Chats>,
    /// Conversations and messages.
    pub store: Arc<dyn Store>,
    /// What erases in both.
    pub erasure: Arc<dyn Erasure>,
}

/// Runs the whole suite.
pub async fn run(parts: &Parts) {
    macro_rules! cases {
        ($($case:ident),* $(,)?) => {
            $(
                // Shown by the test runner only when the case fails.
                println!("erasure contract: {}", stringify!($case));
                $case(parts).await;
            )*
        };
    }
    cases![
        chats_are_found_by_thread_and_by_address_of_their_own_account,
        conversations_of_messages_are_found_by_address,
        conversation_is_erased_whole_and_only_it,
        what_is_only_counted_stays,
        forms_of_a_chat_and_those_with_the_address_are_erased,
        entries_about_the_person_become_empty_and_keep_their_numbers,
        names_and_threads_that_lead_there_are_erased,
        agent_and_lists_are_rid_of_the_chat,
        thread_of_an_erased_prepared_chat_begins_anew,
    ];
}

impl Parts {
    /// Every page of what is found.
    async fn find(&self, account: &AccountId, identity: &Identity) -> Vec<PersonFound> {
        let (mut all, mut place) = (Vec::new(), None);
        loop {
            let (found, next) = self.erasure.find(account, identity, place.as_deref()).await.unwrap();
            all.extend(found);
            place = next;
            if place.is_none() {
                all.sort_by_key(|person| person.conversation);
                return all;
            }
        }
    }

    /// Every page of what is erased elsewhere.
    async fn elsewhere(&self, what: &Erasing<'_>) -> Erased {
        let (mut all, mut place) = (Erased::default(), None);
        loop {
            let (erased, next) = self.erasure.erase_elsewhere(what, place.as_deref()).await.unwrap();
            all += erased;
            place = next;
            if place.is_none() {
                return all;
            }
        }
    }
}

fn tracking(text: &str) -> TrackingId {
    text.to_owned().try_into().unwrap()
}

fn erasing<'a>(account: &'a AccountId, identity: &'a Identity, of: &'a BTreeSet<ConversationId>) -> Erasing<'a> {
    Erasing { account, identity, conversations: of, marks: &[], own_marks: &[], is_dry: false }
}

/// An identity that nobody has.
fn nobody() -> Identity {
    Identity::Tracking(tracking("nobody"))
}

async fn chats_are_found_by_thread_and_by_address_of_their_own_account(parts: &Parts) {
    let case = chats_case::Case::with_chat(parts.chats.clone()).await;
    let (second, third) = (chats_case::conversation(), chats_case::conversation());
    for id in [second, third] {
        case.start(id).await;
    }
    case.store(second, |chat| {
        chat.tracking = None;
        chat.visitor.remote_address = Some("eva@demo.example".to_owned());
    })
    .await;
    case.store(third, |chat| {
        chat.tracking = Some(tracking("t-10"));
        chat.state = State::Closed { reason: chat::CloseReason::System, at: case.now, attended_by: None };
    })
    .await;
    // Of another gateway, with the same names.
    let other = chats_case::Case::with_chat(parts.chats.clone()).await;
    other.store(other.id, |chat| chat.visitor.remote_address = Some("eva@demo.example".to_owned())).await;

    let by_thread = parts.find(&case.gateway, &Identity::Tracking(tracking("t-1 ěščř 👋"))).await;
    let found =
        |conversation, thread: Option<&str>, is_open| PersonFound { conversation, tracking: thread.map(tracking), is_open };
    assert_eq!(by_thread, [found(case.id, Some("t-1 ěščř 👋"), true)]);
    let by_address = parts.find(&case.gateway, &Identity::Address("eva@demo.example".to_owned())).await;
    assert_eq!(by_address, [found(second, None, true)]);
    assert_eq!(parts.find(&case.gateway, &Identity::Tracking(tracking("t-10"))).await, [found(third, Some("t-10"), false)]);
    for nobody in [Identity::Tracking(tracking("t-1")), Identity::Address("eva@demo".to_owned()), nobody()] {
        assert_eq!(parts.find(&case.gateway, &nobody).await, []);
    }
}

async fn conversations_of_messages_are_found_by_address(parts: &Parts) {
    let case = store_case::Case::with_messages(parts.store.clone(), 1).await;
    let other = store_case::Case::with_messages(parts.store.clone(), 1).await;
    let address = crate::fixtures::sample_visitor().address;
    let found = parts.find(&case.visitor, &Identity::Address(address.clone())).await;
    assert_eq!(found.iter().map(|person| person.conversation).collect::<Vec<_>>(), [case.id]);
    assert_ne!(case.id, other.id);
    assert_eq!(parts.find(&case.visitor, &Identity::Address(format!("{address}0"))).await, []);
    assert_eq!(parts.find(&case.visitor, &Identity::Tracking(tracking(&address))).await, []);
}

async fn conversation_is_erased_whole_and_only_it(parts: &Parts) {
    let case = chats_case::Case::with_chat(parts.chats.clone()).await;
    let staff = chats_case::staff();
    case.say(&[case.sentence("a", Direction::Inbound, 1), case.sentence("b", Direction::Outbound, 2)]).await;
    let mut change = case.next().await;
    change.relay = Some(chats_case::relay_of(&case, &staff, chats_case::PLACE..=chats_case::PLACE + 1));
    assert_eq!(case.save(&change).await, ChatSaved::Yes);
    let other = chats_case::Case::with_chat(parts.chats.clone()).await;
    other.say(&[other.sentence("a", Direction::Inbound, 1)]).await;

    let expected = Erased { chats: 1, sentences: 2, conversations: 1, messages: 2, deliveries: 2, ..Erased::default() };
    assert_eq!(parts.erasure.erase_conversation(case.id, false).await.unwrap(), expected);
    let a = chats_case::sentence_id("a");
    assert_eq!(parts.chats.chat(case.id, Some((Direction::Inbound, &a))).await.unwrap(), None);
    assert_eq!(parts.chats.sentences(ChatId::new(case.id, 1).unwrap(), 1, 9).await.unwrap(), []);
    let story = parts.store.story(case.id).await.unwrap();
    assert_eq!((story.conversation, story.messages.len(), story.deliveries.len(), story.lanes.len()), (None, 0, 0, 0));
    assert_eq!(other.transcript().await.len(), 1);

    assert_eq!(parts.erasure.erase_conversation(case.id, false).await.unwrap(), Erased::default());
}

async fn what_is_only_counted_stays(parts: &Parts) {
    let case = chats_case::Case::with_chat(parts.chats.clone()).await;
    case.say(&[case.sentence("a", Direction::Inbound, 1)]).await;
    let result = form(&case, ChatId::new(case.id, 1), "yes");
    save_form(parts, &result).await;
    let (identity, of) = (nobody(), BTreeSet::from([case.id]));
    for _ in 0..2 {
        let dry = Erasing { is_dry: true, ..erasing(&case.gateway, &identity, &of) };
        assert_eq!(parts.elsewhere(&dry).await, Erased { forms: 1, ..Erased::default() });
        let expected = Erased { chats: 1, sentences: 1, ..Erased::default() };
        assert_eq!(parts.erasure.erase_conversation(case.id, true).await.unwrap(), expected);
    }
    assert_eq!(case.transcript().await.len(), 1);
    assert_eq!(parts.chats.result(&case.gateway, &result.id, case.now).await.unwrap(), Some(result));
}

fn form(case: &chats_case::Case, chat: Option<ChatId>, text: &str) -> StoredResult {
    let control = "c-1".to_owned();
    let answer = FormAnswer { control, number: None, text: Some(text.to_owned()), decimal: None, time: None, column: None };
    StoredResult {
        id: fresh().parse().unwrap(),
        gateway: case.gateway.clone(),
        form: "f-1".parse().unwrap(),
        chat,
        answers: vec![answer],
        memo: Memo::new(),
        task: None,
        filled_at: case.now,
        saved_at: case.now,
        kept_until: case.later(SOON),
        rev: 1,
    }
}

async fn save_form(parts: &Parts, result: &StoredResult) {
    let change = ResultChange { result: result.clone(), expected_rev: None };
    assert_eq!(parts.chats.save_result(&change, &[], result.saved_at).await.unwrap(), ChatSaved::Yes);
}

async fn forms_of_a_chat_and_those_with_the_address_are_erased(parts: &Parts) {
    let case = chats_case::Case::with_chat(parts.chats.clone()).await;
    let attached = form(&case, ChatId::new(case.id, 3), "yes");
    let addressed = form(&case, None, "eva@demo.example");
    let kept = [form(&case, ChatId::new(chats_case::conversation(), 1), "yes"), form(&case, None, "eva@demo.example.org")];
    for result in kept.iter().chain([&attached, &addressed]) {
        save_form(parts, result).await;
    }
    let of = BTreeSet::from([case.id]);
    let identity = Identity::Address("eva@demo.example".to_owned());
    assert_eq!(parts.elsewhere(&erasing(&case.gateway, &identity, &of)).await.forms, 2);
    for gone in [&attached, &addressed] {
        assert_eq!(parts.chats.result(&case.gateway, &gone.id, case.now).await.unwrap(), None);
    }
    for result in kept {
        assert_eq!(parts.chats.result(&case.gateway, &result.id, case.now).await.unwrap(), Some(result));
    }
    assert_eq!(parts.elsewhere(&erasing(&case.gateway, &identity, &of)).await, Erased::default());
}

async fn entries_about_the_person_become_empty_and_keep_their_numbers(parts: &Parts) {
    let case = chats_case::Case::with_chat(parts.chats.clone()).await;
    let other = chats_case::Case::with_chat(parts.chats.clone()).await;
    let desk = StreamKey::Workplace(case.desk.clone(), chats_case::workplace());
    let long = format!("{} of {}", "x".repeat(700_000), "chat-1234");
    for (stream, bodies) in [
        (case.stream(), vec!["of t-1!", "of t-2", long.as_str()]),
        (other.stream(), vec!["of t-1!"]),
        (desk.clone(), vec!["of chat-1234", "of t-1!"]),
    ] {
        for body in bodies {
            let seq = parts.chats.reserve(&stream, 1, case.now).await.unwrap();
            let entry = ports::StreamEntry { body: Bytes::from(body.to_owned()), ..case.entry(seq) };
            assert_eq!(parts.chats.tell(&[(stream.clone(), entry)], &[], case.now).await.unwrap(), None);
        }
    }
    let (identity, of) = (nobody(), BTreeSet::from([case.id]));
    let (marks, own_marks) = ([b"chat-1234".to_vec()], [b"t-1!".to_vec()]);
    let what = Erasing { marks: &marks, own_marks: &own_marks, ..erasing(&case.gateway, &identity, &of) };
    assert_eq!(parts.elsewhere(&what).await, Erased { entries: 3, ..Erased::default() });
    for (stream, bodies) in
        [(case.stream(), vec!["", "of t-2", ""]), (other.stream(), vec!["of t-1!"]), (desk, vec!["", "of t-1!"])]
    {
        let StreamRead::Page(page) = parts.chats.read(&stream, 0, 9, case.now).await.unwrap() else { panic!() };
        assert_eq!(page.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=bodies.len() as u64).collect::<Vec<_>>());
        assert_eq!(
            page.entries.iter().map(|entry| entry.body.as_ref()).collect::<Vec<_>>(),
            bodies.iter().map(|b| b.as_bytes()).collect::<Vec<_>>()
        );
    }
    assert_eq!(parts.elsewhere(&what).await, Erased::default());
}

/// The message that the name of a case's first event leads to.
async fn named(parts: &Parts, case: &store_case::Case) -> Option<MessageId> {
    let first = case.acceptance(1);
    parts.store.event(&first.message.origin, &first.events[0].0, case.now).await.unwrap()
}

async fn names_and_threads_that_lead_there_are_erased(parts: &Parts) {
    let case = store_case::Case::with_messages(parts.store.clone(), 1).await;
    let other = store_case::Case::with_messages(parts.store.clone(), 1).await;
    for case in [&case, &other] {
        let thread = RemoteThread { id: "s-1".to_owned(), status: RemoteStatus::Active, changed_at: case.now, memo: Memo::new() };
        parts.store.bind(&case.lane_key(), &case.desk, &thread).await.unwrap();
        assert_eq!(named(parts, case).await, MessageId::new(case.id, 1));
    }
    let (identity, of) = (nobody(), BTreeSet::from([case.id]));
    parts.elsewhere(&erasing(&case.visitor, &identity, &of)).await;
    assert_eq!(parts.store.lane_of(&case.desk, "s-1").await.unwrap(), None);
    assert_eq!(parts.store.lane_of(&other.desk, "s-1").await.unwrap(), Some(other.lane_key()));
    assert_eq!((named(parts, &case).await, named(parts, &other).await), (None, MessageId::new(other.id, 1)));
}

async fn agent_and_lists_are_rid_of_the_chat(parts: &Parts) {
    let case = chats_case::Case::with_chat(parts.chats.clone()).await;
    let second = chats_case::conversation();
    case.start(second).await;
    let (agent, workplace) = ("jana".parse().unwrap(), chats_case::workplace());
    let ready = Presence::Ready { workplace, idle_since: case.now };
    parts.chats.note_presence(&case.desk, &agent, &ready, case.now).await.unwrap();
    for id in [case.id, second] {
        let mut change = case.next_of(id, |_| ()).await;
        change.agents = vec![AgentChange::Take { desk: case.desk.clone(), agent: agent.clone(), capacity: 2 }];
        assert_eq!(case.save(&change).await, ChatSaved::Yes);
    }
    let (identity, of) = (nobody(), BTreeSet::from([case.id]));
    parts.elsewhere(&erasing(&case.gateway, &identity, &of)).await;
    parts.erasure.erase_conversation(case.id, false).await.unwrap();
    assert_eq!(parts.chats.agents(&case.desk).await.unwrap()[0].chats, 1);
    let ids = |records: Vec<ChatRecord>| records.iter().map(|record| record.chat.conversation()).collect::<Vec<_>>();
    assert_eq!(ids(parts.chats.of_agent(&case.desk, &agent).await.unwrap()), [second]);
    assert_eq!(ids(parts.chats.of_gateway(&case.gateway, None).await.unwrap()), [second]);
}

async fn thread_of_an_erased_prepared_chat_begins_anew(parts: &Parts) {
    let case = chats_case::Case::with_chat(parts.chats.clone()).await;
    let thread = chats_case::conversation();
    let mut change = case.next().await;
    change.bind = Some(Bind { thread, before: BoundBefore::Nothing });
    assert_eq!(case.save(&change).await, ChatSaved::Yes);
    // As long as the thread leads to a chat, there is no room for another.
    let own = case.record_of(thread);
    assert_eq!(case.save(&case.change_to(own.clone(), None)).await, ChatSaved::Conflict);
    // What the thread leads to ends, as it does by its age; the thread does not.
    parts.erasure.erase_conversation(case.id, false).await.unwrap();
    assert_eq!(parts.chats.chat(thread, None).await.unwrap(), None);
    assert_eq!(case.save(&case.change_to(own.clone(), None)).await, ChatSaved::Yes);
    assert_eq!(case.stored(thread).await, own);
    // What was known of the lead is forgotten with it.
    parts.erasure.erase_conversation(thread, false).await.unwrap();
    assert_eq!(parts.chats.chat(thread, None).await.unwrap(), None);
    assert_eq!(case.save(&case.change_to(own, None)).await, ChatSaved::Yes);
}
