//! The contract of filled-in forms, the part of [`Chats`] that stores them and the lists of [`Results`], as a suite that runs
//! against any store of both.

use std::sync::Arc;
use std::time::Duration;

use chat::{Chat, ChatId, FormAnswer, Policy, Prepared, ResultId};
use model::{AccountId, ConversationId, EpochMillis, EventKey, Memo};
use ports::{
    ChatChange, ChatRecord, ChatSaved, Chats, Guard, GuardRefusal, OnceKey, ResultChange, ResultList, ResultPage, ResultPlace,
    ResultTask, Results, StoredResult,
};
use serde_json::json;

use crate::store_contract::{fresh, present};

/// How long a result of the suite is kept.
const KEPT: Duration = Duration::from_secs(90 * 86_400);

/// Runs the whole suite. `chats` and `results` are over the same data.
pub async fn run(chats: Arc<dyn Chats>, results: Arc<dyn Results>) {
    macro_rules! cases {
        ($($case:ident),* $(,)?) => {
            $(
                // Shown by the test runner only when the case fails.
                println!("results contract: {}", stringify!($case));
                $case(&Case::new(chats.clone(), results.clone())).await;
            )*
        };
    }
    cases![
        result_is_read_as_it_was_stored,
        result_is_stored_once,
        change_of_a_result_needs_the_rev_that_was_read,
        result_of_another_gateway_is_unknown,
        expired_result_is_gone_and_its_id_free,
        guard_of_a_result_is_looked_at_first,
        result_stands_in_its_lists_in_order,
        list_is_read_page_by_page,
        changed_result_is_listed_again,
        result_is_stored_with_its_chat_or_not_at_all,
    ];
}

/// Ids of one case.
struct Case {
    chats: Arc<dyn Chats>,
    results: Arc<dyn Results>,
    now: EpochMillis,
    gateway: AccountId,
}

fn id(text: &str) -> ResultId {
    text.parse().unwrap()
}

impl Case {
    fn new(chats: Arc<dyn Chats>, results: Arc<dyn Results>) -> Self {
        Self { chats, results, now: present(), gateway: format!("frontstage/{}", fresh()).parse().unwrap() }
    }

    fn at(&self, seconds: u64) -> EpochMillis {
        self.now.plus(Duration::from_secs(seconds))
    }

    fn result(&self, name: &str, saved_at: EpochMillis) -> StoredResult {
        StoredResult {
            id: id(name),
            gateway: self.gateway.clone(),
            form: "f-1".parse().unwrap(),
            chat: None,
            answers: vec![FormAnswer {
                control: "c-1".to_owned(),
                number: Some(-7),
                text: Some("Žluť 👋".to_owned()),
                decimal: Some("1.50".to_owned()),
                time: Some(self.now),
                column: Some("Note".to_owned()),
            }],
            memo: Memo::from([("activity".to_owned(), "x".to_owned())]),
            task: None,
            filled_at: self.now,
            saved_at,
            kept_until: saved_at.plus(KEPT),
            rev: 1,
        }
    }

    async fn save(&self, result: StoredResult, expected_rev: Option<u64>) -> ChatSaved {
        let now = result.saved_at;
        self.chats.save_result(&ResultChange { result, expected_rev }, &[], now).await.unwrap()
    }

    async fn stored(&self, name: &str) -> Option<StoredResult> {
        self.chats.result(&self.gateway, &id(name), self.now).await.unwrap()
    }

    async fn page(&self, list: &ResultList, since: EpochMillis, after: Option<&ResultPlace>, max: usize) -> ResultPage {
        self.results.list(list, since, after, max, self.now).await.unwrap()
    }

    async fn listed(&self, list: &ResultList) -> Vec<String> {
        let page = self.page(list, EpochMillis::new(0), None, 10).await;
        assert_eq!(page.next, None);
        names(&page)
    }

    fn all(&self) -> ResultList {
        ResultList::Gateway(self.gateway.clone())
    }

    fn answered(&self, name: &str, fingerprint: &str) -> Guard {
        let key = OnceKey { account: self.gateway.clone(), name: EventKey::new("envelope", [name]), expires_at: self.at(600) };
        Guard::Answered { key, fingerprint: fingerprint.to_owned(), answer: json!({"n": 1}) }
    }
}

fn names(page: &ResultPage) -> Vec<String> {
    page.results.iter().map(|listed| listed.result.id.to_string()).collect()
}

async fn result_is_read_as_it_was_stored(case: &Case) {
    assert_eq!(case.stored("r-1").await, None);
    let chat = ChatId::new(fresh()[..20].parse().unwrap(), 3);
    for (name, task) in [
        ("r-1", None),
        ("r-2", Some(ResultTask::Callback { list: "l-1".to_owned() })),
        ("r-3", Some(ResultTask::Workflow { workflow: "w-1".to_owned() })),
    ] {
        let result = StoredResult { chat, task, ..case.result(name, case.now) };
        assert_eq!(case.save(result.clone(), None).await, ChatSaved::Yes);
        assert_eq!(case.stored(name).await, Some(result));
    }
}

async fn result_is_stored_once(case: &Case) {
    assert_eq!(case.save(case.result("r-1", case.now), None).await, ChatSaved::Yes);
    assert_eq!(case.save(case.result("r-1", case.at(1)), None).await, ChatSaved::Conflict);
    assert_eq!(case.stored("r-1").await.unwrap().saved_at, case.now);
    assert_eq!(case.listed(&case.all()).await, ["r-1"]);
}

async fn change_of_a_result_needs_the_rev_that_was_read(case: &Case) {
    let first = case.result("r-1", case.now);
    assert_eq!(case.save(StoredResult { rev: 2, ..first.clone() }, Some(1)).await, ChatSaved::Conflict);
    case.save(first.clone(), None).await;
    let second = StoredResult { rev: 2, answers: Vec::new(), ..first };
    assert_eq!(case.save(second.clone(), Some(1)).await, ChatSaved::Yes);
    assert_eq!(case.save(second.clone(), Some(1)).await, ChatSaved::Conflict);
    assert_eq!(case.stored("r-1").await, Some(second));
}

async fn result_of_another_gateway_is_unknown(case: &Case) {
    case.save(case.result("r-1", case.now), None).await;
    let other: AccountId = format!("frontstage/{}", fresh()).parse().unwrap();
    assert_eq!(case.chats.result(&other, &id("r-1"), case.now).await.unwrap(), None);
    let theirs = StoredResult { gateway: other.clone(), answers: Vec::new(), ..case.result("r-1", case.now) };
    assert_eq!(case.save(theirs, None).await, ChatSaved::Yes);
    assert_eq!(case.stored("r-1").await.unwrap().answers.len(), 1);
    assert_eq!(case.listed(&ResultList::Gateway(other)).await.len(), 1);
}

async fn expired_result_is_gone_and_its_id_free(case: &Case) {
    let short = StoredResult { kept_until: case.at(10), ..case.result("r-1", case.now) };
    case.save(short, None).await;
    assert!(case.chats.result(&case.gateway, &id("r-1"), case.at(9)).await.unwrap().is_some());
    assert_eq!(case.chats.result(&case.gateway, &id("r-1"), case.at(10)).await.unwrap(), None);
    let late = case.results.list(&case.all(), case.now, None, 10, case.at(10)).await.unwrap();
    assert_eq!(late.results, []);
    assert_eq!(case.save(case.result("r-1", case.at(10)), None).await, ChatSaved::Yes);
}

async fn guard_of_a_result_is_looked_at_first(case: &Case) {
    let change = ResultChange { result: case.result("r-1", case.now), expected_rev: None };
    let save = |fingerprint: &'static str| {
        let (change, guards) = (change.clone(), [case.answered("e-1", fingerprint)]);
        async move { case.chats.save_result(&change, &guards, case.now).await.unwrap() }
    };
    assert_eq!(save("a").await, ChatSaved::Yes);
    assert_eq!(save("a").await, ChatSaved::Refused(GuardRefusal::AnsweredBefore(json!({"n": 1}))));
    assert_eq!(save("b").await, ChatSaved::Refused(GuardRefusal::FingerprintDiffers));
    // A guard that did not refuse is free if nothing was stored.
    let other = [case.answered("e-2", "a")];
    assert_eq!(case.chats.save_result(&change, &other, case.now).await.unwrap(), ChatSaved::Conflict);
    assert_eq!(case.chats.tell(&[], &other, case.now).await.unwrap(), None);
}

async fn result_stands_in_its_lists_in_order(case: &Case) {
    let callback = |list: &str| Some(ResultTask::Callback { list: list.to_owned() });
    let start = Some(ResultTask::Workflow { workflow: "w-1".to_owned() });
    for (name, seconds, task) in [("r-3", 3, callback("l-1")), ("r-1", 1, start), ("r-2", 2, callback("l-2")), ("r-4", 4, None)] {
        case.save(StoredResult { task, ..case.result(name, case.at(seconds)) }, None).await;
    }
    assert_eq!(case.listed(&case.all()).await, ["r-1", "r-2", "r-3", "r-4"]);
    let gateway = || case.gateway.clone();
    assert_eq!(case.listed(&ResultList::Callbacks(gateway(), "l-1".to_owned())).await, ["r-3"]);
    assert_eq!(case.listed(&ResultList::Starts(gateway(), "w-1".to_owned())).await, ["r-1"]);
    // Names of lists and of workflows are apart.
    assert_eq!(case.listed(&ResultList::Starts(gateway(), "l-1".to_owned())).await, Vec::<String>::new());
    assert_eq!(names(&case.page(&case.all(), case.at(3), None, 10).await), ["r-3", "r-4"]);
}

async fn list_is_read_page_by_page(case: &Case) {
    // Some at the same time: those go by id.
    for (name, seconds) in [("r-1", 1), ("r-2", 1), ("r-20", 1), ("r-3", 2), ("r-4", 3)] {
        case.save(case.result(name, case.at(seconds)), None).await;
    }
    let first = case.page(&case.all(), case.at(1), None, 2).await;
    assert_eq!(names(&first), ["r-1", "r-2"]);
    let second = case.page(&case.all(), case.at(1), first.next.as_ref(), 2).await;
    assert_eq!(names(&second), ["r-20", "r-3"]);
    let third = case.page(&case.all(), case.at(1), second.next.as_ref(), 2).await;
    assert_eq!((names(&third), third.next), (vec!["r-4".to_owned()], None));
}

async fn changed_result_is_listed_again(case: &Case) {
    let first = case.result("r-1", case.at(1));
    case.save(first.clone(), None).await;
    case.save(case.result("r-2", case.at(2)), None).await;
    let changed = StoredResult { saved_at: case.at(3), rev: 2, answers: Vec::new(), ..first };
    assert_eq!(case.save(changed.clone(), Some(1)).await, ChatSaved::Yes);
    let page = case.page(&case.all(), case.at(1), None, 10).await;
    assert_eq!(names(&page), ["r-1", "r-2", "r-1"]);
    let listed = |index: usize| (page.results[index].place.at, &page.results[index].result);
    assert_eq!((listed(0), listed(2)), ((case.at(1), &changed), (case.at(3), &changed)));
}

async fn result_is_stored_with_its_chat_or_not_at_all(case: &Case) {
    let conversation: ConversationId = fresh()[..20].parse().unwrap();
    let prepared = Prepared {
        id: ChatId::new(conversation, 1).unwrap(),
        tenant: fresh().parse().unwrap(),
        gateway: case.gateway.clone(),
        visitor: chat::ChatVisitor::default(),
        by: None,
    };
    let change = |expected_rev: Option<u64>, results| {
        let chat = Chat::prepare(prepared.clone(), case.now, &Policy::default());
        let record =
            ChatRecord { chat: Chat { rev: expected_rev.map_or(chat.rev, |rev| rev + 1), ..chat }, desk: None, staff: None };
        let (sentences, confirmed, told, agents, guards) = Default::default();
        ChatChange {
            record,
            expected_rev,
            bind: None,
            sentences,
            confirmed,
            told,
            relay: None,
            receipt: None,
            agents,
            results,
            guards,
            now: case.now,
        }
    };
    let result = |name: &str, expected_rev| ResultChange { result: case.result(name, case.now), expected_rev };
    // A result that is not as expected stops the chat.
    let missing = change(None, vec![result("r-1", Some(1))]);
    assert_eq!(case.chats.save(&missing).await.unwrap(), ChatSaved::Conflict);
    assert!(case.chats.chat(conversation, None).await.unwrap().is_none());
    let first = change(None, vec![result("r-1", None), result("r-2", None)]);
    assert_eq!(case.chats.save(&first).await.unwrap(), ChatSaved::Yes);
    assert_eq!(case.listed(&case.all()).await, ["r-1", "r-2"]);
    // And a chat that is not as expected stops the result.
    let stale = change(Some(77), vec![result("r-3", None)]);
    assert_eq!(case.chats.save(&stale).await.unwrap(), ChatSaved::Conflict);
    assert_eq!(case.stored("r-3").await, None);
}
