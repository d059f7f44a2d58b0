//! The contract of [`Store`], as a suite that runs against any of them.
//!
//! Every case draws ids of its own, so that all of them can share one table. Times start at the real present: a store
//! may clean up by itself what is past.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::{
    Account, AccountId, Conversation, ConversationId, Delivery, DeliveryContent, DeliveryKey, DeliveryState, EpochMillis,
    EventKey, FailureReason, Lane, LaneEntry, LaneKey, LaneKind, Memo, MessageDetails, MessageId, ReceiptStatus, RemoteStatus,
    RemoteThread, Route, RouteWhen, StoryEntry, StoryEvent, Tenant, TenantId,
};
use ports::{
    AcceptOutcome, Acceptance, AckExpectation, AckOutcome, AckWrite, Guard, GuardRefusal, LaneSelector, NewDelivery,
    NotedReceipt, OnceKey, PortError, ReceiptOutcome, Saved, Store, ThreadNote, Transition, WorkItem,
};
use serde_json::json;
use uuid::Uuid;

use crate::fixtures;

/// One millisecond: the resolution of every deadline.
const TICK: Duration = Duration::from_millis(1);
/// Longer than the suite runs.
const SOON: Duration = Duration::from_secs(600);

/// Runs the whole suite.
pub async fn run(store: Arc<dyn Store>) {
    macro_rules! cases {
        ($($case:ident),* $(,)?) => {
            $(
                // Shown by the test runner only when the case fails.
                println!("store contract: {}", stringify!($case));
                $case(store.clone()).await;
            )*
        };
    }
    cases![
        configure_keeps_the_first_salt,
        acceptance_creates_everything,
        refused_guard_stores_nothing,
        duplicate_event_stores_nothing,
        duplicate_is_told_before_stale,
        refusal_is_told_before_duplicate,
        expired_event_counts_as_absent,
        event_named_twice_is_kept_longest,
        expired_guard_counts_as_absent,
        stale_conversation_stores_nothing,
        conversation_without_desk_takes_one,
        answered_guard_gives_its_answer_again,
        guards_are_remembered_all_or_none,
        concurrent_acceptances_of_one_event_store_one,
        concurrent_acceptances_of_one_place_store_one,
        different_event_names_stay_different,
        event_names_belong_to_their_account,
        lane_keeps_the_order,
        work_is_found_by_entry_and_by_head,
        work_shows_the_installation,
        save_counts_up_and_needs_the_rev,
        save_sets_the_due_time,
        only_the_head_leaves_the_lane,
        lane_that_grew_is_not_left,
        last_one_leaves_an_empty_lane,
        save_can_need_the_thread_status,
        acknowledgement_at_the_deadline_is_in_time,
        acknowledgement_after_the_deadline_is_otherwise,
        acknowledgement_of_nothing_finds_nothing,
        acknowledgement_by_rev_needs_the_rev,
        acknowledgement_by_route_needs_the_route,
        acknowledgement_guard_is_all_or_nothing,
        acknowledgement_and_timer_have_one_winner,
        alias_names_the_message,
        receipt_is_appended_once,
        bound_thread_is_seen,
        parked_status_is_applied_by_the_binding,
        parked_status_expires,
        thread_note_reaches_the_lane,
        deleted_thread_stays_deleted,
        replaced_thread_does_not_speak_for_the_lane,
        installation_note_is_kept_until_deleted,
        receipt_note_only_rises,
        receipt_note_names_the_sentence,
        bound_thread_is_found_from_both_sides,
        receipt_note_is_not_lost_by_a_save,
        part_notes_only_rise_and_are_told_together,
        concurrent_part_notes_see_each_other,
        due_lanes_are_found_oldest_first,
        postponed_lane_is_not_due,
        failed_delivery_is_queued_again,
        requeued_delivery_stands_in_its_lane_once,
        story_tells_everything_in_order,
        long_text_is_never_cut,
    ];
}

/// The real present, to the millisecond.
pub(crate) fn present() -> EpochMillis {
    EpochMillis::new(0).plus(SystemTime::now().duration_since(UNIX_EPOCH).unwrap())
}

/// A name that nobody has used: thirty-two hex digits.
pub(crate) fn fresh() -> String {
    Uuid::new_v4().simple().to_string()
}

/// Ids of one case.
pub(crate) struct Case {
    store: Arc<dyn Store>,
    pub(crate) now: EpochMillis,
    pub(crate) tenant: TenantId,
    pub(crate) visitor: AccountId,
    pub(crate) desk: AccountId,
    pub(crate) id: ConversationId,
}

impl Case {
    fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            now: present(),
            tenant: fresh().parse().unwrap(),
            visitor: format!("frontstage/{}", fresh()).parse().unwrap(),
            desk: format!("vcita/{}", fresh()).parse().unwrap(),
            id: fresh()[..20].parse().unwrap(),
        }
    }

    /// A case with messages up to `last_seq` stored.
    pub(crate) async fn with_messages(store: Arc<dyn Store>, last_seq: u64) -> Self {
        let case = Self::new(store);
        for seq in 1..=last_seq {
            case.accept(seq).await;
        }
        case
    }

    /// A case whose first delivery is being sent, to be acknowledged until `deadline` after now.
    async fn sending(store: Arc<dyn Store>, deadline: Duration) -> Self {
        let case = Self::with_messages(store, 1).await;
        case.start(1, deadline).await;
        case
    }

    fn conversation(&self, last_seq: u64) -> Conversation {
        let mut visitor = fixtures::sample_visitor();
        visitor.account = self.visitor.clone();
        Conversation {
            id: self.id,
            tenant: self.tenant.clone(),
            visitor,
            desk: Some(self.desk.clone()),
            last_seq,
            is_chat: false,
        }
    }

    pub(crate) fn acceptance(&self, seq: u64) -> Acceptance {
        let mut new = fixtures::sample_acceptance(&self.conversation(seq));
        new.message.sent_at = self.now;
        new.message.accepted_at = self.now;
        for delivery in &mut new.deliveries {
            delivery.delivery.created_at = self.now;
            delivery.due_at = self.now.plus(fixtures::DUE_AFTER);
        }
        new
    }

    async fn accept(&self, seq: u64) -> Acceptance {
        let new = self.acceptance(seq);
        assert_eq!(self.store.accept(&new).await.unwrap(), AcceptOutcome::Stored);
        new
    }

    pub(crate) fn lane_key(&self) -> LaneKey {
        LaneKey { conversation: self.id, recipient: self.desk.clone(), kind: LaneKind::Messages }
    }

    fn receipts_key(&self) -> LaneKey {
        LaneKey { conversation: self.id, recipient: self.visitor.clone(), kind: LaneKind::Receipts }
    }

    fn message(&self, seq: u64) -> MessageId {
        MessageId::new(self.id, seq).unwrap()
    }

    fn key(&self, seq: u64) -> DeliveryKey {
        DeliveryKey { message: self.message(seq), recipient: self.desk.clone(), content: DeliveryContent::Message }
    }

    fn once(&self, name: &str, keep: Duration) -> Guard {
        Guard::Once(self.once_key(name, keep))
    }

    fn once_key(&self, name: &str, keep: Duration) -> OnceKey {
        OnceKey { account: self.visitor.clone(), name: EventKey::new("nonce", [name]), expires_at: self.now.plus(keep) }
    }

    fn answered(&self, name: &str, fingerprint: &str, answer: serde_json::Value) -> Guard {
        Guard::Answered { key: self.once_key(name, SOON), fingerprint: fingerprint.to_owned(), answer }
    }

    /// Whether the name of a guard is still free. Takes it.
    async fn is_free(&self, name: &str) -> bool {
        self.store.guard(&[self.once(name, SOON)], self.now).await.unwrap().is_none()
    }

    async fn conversation_stored(&self) -> Option<Conversation> {
        self.store.open(self.id, &self.desk, "none", self.now).await.unwrap().conversation
    }

    async fn lane(&self) -> Lane {
        let lanes = self.store.story(self.id).await.unwrap().lanes;
        lanes.into_iter().find(|lane| lane.key == self.lane_key()).unwrap()
    }

    async fn work(&self, seq: u64) -> WorkItem {
        let which = LaneSelector::Entry(entry(seq));
        self.store.work(&self.lane_key(), which, None, self.now).await.unwrap().unwrap()
    }

    async fn delivery(&self, seq: u64) -> Delivery {
        self.work(seq).await.delivery
    }

    async fn event(&self, account: &AccountId, key: &EventKey) -> Option<MessageId> {
        self.store.event(account, key, self.now).await.unwrap()
    }

    /// What the story says about message number `seq` on its way to the desk.
    async fn told(&self, seq: u64) -> Vec<StoryEntry> {
        let key = self.key(seq);
        let story = self.store.story(self.id).await.unwrap();
        story.stories.into_iter().filter(|(of, _)| *of == key).map(|(_, entry)| entry).collect()
    }

    /// Begins an attempt at message number `seq`.
    async fn start(&self, seq: u64, deadline: Duration) {
        let item = self.work(seq).await;
        let state = fixtures::sending(1, self.now, self.now.plus(deadline));
        let change = self.change(item, state, StoryEvent::HandedOver { attempt: 1 });
        assert_eq!(self.store.save(&change).await.unwrap(), Saved::Yes);
    }

    /// Lets message number `seq` fail and leave its lane.
    async fn fail(&self, seq: u64) {
        let item = self.work(seq).await;
        let state = DeliveryState::Failed { at: self.now, reason: FailureReason::Expired };
        let change = Transition { leaves_lane: true, due_at: None, ..self.change(item, state, StoryEvent::Expired) };
        assert_eq!(self.store.save(&change).await.unwrap(), Saved::Yes);
    }

    /// A change of what was read that keeps it in its lane.
    fn change(&self, item: WorkItem, state: DeliveryState, event: StoryEvent) -> Transition {
        Transition {
            delivery: Delivery { state, ..item.delivery },
            story: Some(fixtures::story_entry(self.now, event)),
            lane: item.lane,
            leaves_lane: false,
            due_at: Some(self.now.plus(SOON)),
            needs_same_thread_status: false,
            receipt: None,
            alias: None,
        }
    }

    /// An acknowledgement of message number `seq` that arrives `after` now.
    fn ack(&self, seq: u64, after: Duration) -> AckWrite {
        let at = self.now.plus(after);
        AckWrite {
            delivery: self.key(seq),
            expect: AckExpectation::InTime,
            route: None,
            state: DeliveryState::Sent { at },
            reference: Some("their-1".to_owned()),
            story: StoryEntry {
                said_at: Some(self.now),
                ..fixtures::story_entry(at, StoryEvent::Acknowledged { late: false, after_failure: false })
            },
            alias: None,
            guards: Vec::new(),
        }
    }

    fn thread(&self, id: &str, status: RemoteStatus) -> RemoteThread {
        let memo = Memo::from([("channel".to_owned(), "ch-1".to_owned()), ("note".to_owned(), String::new())]);
        RemoteThread { id: id.to_owned(), status, changed_at: self.now, memo }
    }

    async fn note(&self, thread: &str, status: RemoteStatus) -> ThreadNote {
        self.store.note_thread(&self.desk, thread, status, self.now, SOON).await.unwrap()
    }

    async fn thread_status(&self) -> Option<RemoteStatus> {
        self.lane().await.remote.map(|thread| thread.status)
    }
}

const fn entry(seq: u64) -> LaneEntry {
    LaneEntry { seq, receipt: None }
}

/// Waits for all of them at the same time.
async fn together<T>(first: impl Future<Output = T>, second: impl Future<Output = T>) -> [T; 2] {
    let (first, second) = tokio::join!(first, second);
    [first, second]
}

/// Asserts that the one who lost a race was told so.
fn is_busy<T>(result: &Result<T, PortError>) -> bool {
    matches!(result, Err(PortError::Busy))
}

/// A tenant and its accounts are replaced; the salt and accounts that are not named stay.
pub async fn configure_keeps_the_first_salt(store: Arc<dyn Store>) {
    let case = Case::new(store);
    let account = |id: &AccountId, salt: &str, settings| Account {
        id: id.clone(),
        tenant: case.tenant.clone(),
        salt: salt.to_owned(),
        settings,
        installed: None,
    };
    let first = Tenant {
        id: case.tenant.clone(),
        routes: vec![Route { when: RouteWhen { platform: None, account: Some(case.visitor.clone()) }, desk: case.desk.clone() }],
    };
    let settings = json!({ "list": [1, -2.5, null, true, "", "é"], "deep": { "empty": {}, "none": [] } });
    let (visitor, desk) = (account(&case.visitor, "first", settings), account(&case.desk, "desk", json!({})));
    case.store.configure(&first, &[visitor.clone(), desk.clone()]).await.unwrap();
    let found = case.store.directory().await.unwrap();
    assert_eq!(found.tenants.get(&case.tenant), Some(&first));
    assert_eq!(found.accounts.get(&case.visitor), Some(&visitor));

    let second = Tenant { id: case.tenant.clone(), routes: Vec::new() };
    case.store.configure(&second, &[account(&case.visitor, "second", json!({ "new": 1 }))]).await.unwrap();
    let found = case.store.directory().await.unwrap();
    assert_eq!(found.tenants.get(&case.tenant), Some(&second));
    assert_eq!(found.accounts.get(&case.visitor), Some(&account(&case.visitor, "first", json!({ "new": 1 }))));
    assert_eq!(found.accounts.get(&case.desk), Some(&desk));
}

/// A message comes with its conversation, delivery, lane, names and guards.
pub async fn acceptance_creates_everything(store: Arc<dyn Store>) {
    let case = Case::new(store);
    let mut new = case.acceptance(1);
    new.events.push((EventKey::new("alt", ["a-1"]), Some(case.now.plus(SOON))));
    new.guards.push(case.once("n-1", SOON));
    new.message.content.html = Some("<p>Dobrý den</p>".to_owned());
    new.message.content.subject = Some(String::new());
    new.message.details = MessageDetails {
        plain: Memo::from([("Rating".to_owned(), "5".to_owned())]),
        personal: Memo::from([("ToField".to_owned(), "Shop".to_owned())]),
    };
    assert_eq!(case.store.accept(&new).await.unwrap(), AcceptOutcome::Stored);

    assert_eq!(case.conversation_stored().await.as_ref(), Some(&new.conversation));
    let names = [EventKey::new("msg", ["m-1"]), EventKey::new("none", ["m-1"]), EventKey::new("alt", ["a-1"])];
    let found = case.store.events(&case.visitor, &names, case.now).await.unwrap();
    assert_eq!(found, [Some(new.message.id), None, Some(new.message.id)]);
    assert_eq!(case.event(&case.visitor, &names[2]).await, Some(new.message.id));
    assert_eq!(case.event(&case.desk, &names[2]).await, None);
    assert!(!case.is_free("n-1").await);
    let item = case.work(1).await;
    assert_eq!(item.delivery, new.deliveries[0].delivery);
    assert_eq!(item.message, new.message);
    assert_eq!(item.conversation, new.conversation);
    assert_eq!(
        item.lane,
        Lane { pending: vec![entry(1)], due_at: Some(new.deliveries[0].due_at), ..Lane::empty(case.lane_key()) }
    );
    assert_eq!(case.lane().await, item.lane);
}

/// Asserts that nothing of the first message of a case is there.
async fn assert_nothing_stored(case: &Case) {
    assert_eq!(case.conversation_stored().await, None);
    assert_eq!(case.event(&case.visitor, &EventKey::new("msg", ["m-1"])).await, None);
    let story = case.store.story(case.id).await.unwrap();
    assert!(story.messages.is_empty() && story.deliveries.is_empty() && story.lanes.is_empty());
}

/// A guard that refuses keeps everything out, the other guards included.
pub async fn refused_guard_stores_nothing(store: Arc<dyn Store>) {
    let case = Case::new(store);
    assert!(case.is_free("used").await);
    let mut new = case.acceptance(1);
    new.guards = vec![case.once("fresh", SOON), case.once("used", SOON)];
    assert_eq!(case.store.accept(&new).await.unwrap(), AcceptOutcome::Refused(GuardRefusal::Replayed));
    assert_nothing_stored(&case).await;
    assert!(case.is_free("fresh").await);
}

/// One taken name is enough; the answer is the message it was stored as.
pub async fn duplicate_event_stores_nothing(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    let mut again = case.acceptance(2);
    let fresh = EventKey::new("msg", ["fresh"]);
    again.events = vec![(fresh.clone(), None), (EventKey::new("msg", ["m-1"]), None)];
    again.guards.push(case.once("fresh", SOON));
    assert_eq!(case.store.accept(&again).await.unwrap(), AcceptOutcome::Duplicate(case.message(1)));
    assert_eq!(case.conversation_stored().await, Some(case.conversation(1)));
    assert_eq!(case.lane().await.pending, [entry(1)]);
    assert_eq!(case.event(&case.visitor, &fresh).await, None);
    assert!(case.is_free("fresh").await);
}

/// A repetition that has not read the conversation anew is a repetition all the same.
pub async fn duplicate_is_told_before_stale(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 2).await;
    let again = case.acceptance(1);
    assert_eq!(case.store.accept(&again).await.unwrap(), AcceptOutcome::Duplicate(case.message(1)));
}

/// A used guard is told even if the event is known.
pub async fn refusal_is_told_before_duplicate(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    assert!(case.is_free("used").await);
    let mut again = case.acceptance(1);
    again.guards.push(case.once("used", SOON));
    assert_eq!(case.store.accept(&again).await.unwrap(), AcceptOutcome::Refused(GuardRefusal::Replayed));
}

/// A name is free again at the instant it expires, whether or not it was cleaned up.
pub async fn expired_event_counts_as_absent(store: Arc<dyn Store>) {
    let case = Case::new(store);
    let name = EventKey::new("brief", ["b-1"]);
    let mut first = case.acceptance(1);
    first.events = vec![(name.clone(), Some(case.now.plus(SOON)))];
    assert_eq!(case.store.accept(&first).await.unwrap(), AcceptOutcome::Stored);
    let mut second = case.acceptance(2);
    for (after, expected) in [(SOON - TICK, Some(case.message(1))), (SOON, None)] {
        let now = case.now.plus(after);
        assert_eq!(case.store.event(&case.visitor, &name, now).await.unwrap(), expected);
        assert_eq!(case.store.events(&case.visitor, std::slice::from_ref(&name), now).await.unwrap(), [expected]);
    }
    second.message.accepted_at = case.now.plus(SOON - TICK);
    second.events = vec![(name.clone(), Some(case.now.plus(SOON + SOON)))];
    assert_eq!(case.store.accept(&second).await.unwrap(), AcceptOutcome::Duplicate(case.message(1)));
    second.message.accepted_at = case.now.plus(SOON);
    assert_eq!(case.store.accept(&second).await.unwrap(), AcceptOutcome::Stored);
    assert_eq!(case.event(&case.visitor, &name).await, Some(case.message(2)));
}

/// A name that a message has twice is kept for the longer time.
pub async fn event_named_twice_is_kept_longest(store: Arc<dyn Store>) {
    let case = Case::new(store);
    let (brief, lasting) = (EventKey::new("brief", ["b-1"]), EventKey::new("lasting", ["l-1"]));
    let [soon, later] = [SOON, SOON + SOON].map(|after| Some(case.now.plus(after)));
    let mut new = case.acceptance(1);
    new.events = vec![(brief.clone(), later), (brief.clone(), soon), (lasting.clone(), None), (lasting.clone(), soon)];
    assert_eq!(case.store.accept(&new).await.unwrap(), AcceptOutcome::Stored);
    let kept = async |name, after| case.store.event(&case.visitor, name, case.now.plus(after)).await.unwrap().is_some();
    assert!(kept(&brief, SOON + SOON - TICK).await);
    assert!(!kept(&brief, SOON + SOON).await);
    assert!(kept(&lasting, SOON * 1000).await);
}

/// A guard is free again at the instant it expires, whether or not it was cleaned up.
pub async fn expired_guard_counts_as_absent(store: Arc<dyn Store>) {
    let case = Case::new(store);
    let guard = [case.once("n", SOON)];
    assert_eq!(case.store.guard(&guard, case.now).await.unwrap(), None);
    let last = case.now.plus(SOON - TICK);
    assert_eq!(case.store.guard(&guard, last).await.unwrap(), Some(GuardRefusal::Replayed));
    let longer = [case.once("n", SOON + SOON)];
    assert_eq!(case.store.guard(&longer, case.now.plus(SOON)).await.unwrap(), None);
    assert_eq!(case.store.guard(&longer, case.now.plus(SOON)).await.unwrap(), Some(GuardRefusal::Replayed));
    // The same with a message.
    let mut new = case.acceptance(1);
    new.guards = vec![case.once("n", SOON * 3)];
    new.message.accepted_at = case.now.plus(SOON + SOON);
    assert_eq!(case.store.accept(&new).await.unwrap(), AcceptOutcome::Stored);
}

/// A message for a conversation that is not as expected is not stored, and the conversation is shown.
pub async fn stale_conversation_stores_nothing(store: Arc<dyn Store>) {
    let case = Case::new(store);
    let lost = Acceptance { may_create: false, ..case.acceptance(1) };
    assert_eq!(case.store.accept(&lost).await.unwrap(), AcceptOutcome::Stale(None));
    assert_nothing_stored(&case).await;

    // A place need not follow the one before.
    case.accept(3).await;
    let stale = AcceptOutcome::Stale(Some(Box::new(case.conversation(3))));
    let fresh = |seq| Acceptance { events: vec![(EventKey::new("msg", ["other"]), None)], ..case.acceptance(seq) };
    assert_eq!(case.store.accept(&fresh(2)).await.unwrap(), stale);
    assert_eq!(case.store.accept(&fresh(3)).await.unwrap(), stale);
    let mut other_desk = fresh(4);
    other_desk.conversation.desk = Some(case.visitor.clone());
    assert_eq!(case.store.accept(&other_desk).await.unwrap(), stale);
    let mut no_desk = fresh(4);
    no_desk.conversation.desk = None;
    assert_eq!(case.store.accept(&no_desk).await.unwrap(), stale);
    let mut other_visitor = fresh(4);
    other_visitor.conversation.visitor.account = case.desk.clone();
    assert_eq!(case.store.accept(&other_visitor).await.unwrap(), stale);
    assert_eq!(case.event(&case.visitor, &EventKey::new("msg", ["other"])).await, None);
    assert_eq!(case.store.accept(&fresh(4)).await.unwrap(), AcceptOutcome::Stored);
}

/// A conversation that has no desk takes the one a message brings; after that it keeps it.
pub async fn conversation_without_desk_takes_one(store: Arc<dyn Store>) {
    let case = Case::new(store);
    let mut first = case.acceptance(1);
    first.conversation.desk = None;
    first.deliveries.clear();
    assert_eq!(case.store.accept(&first).await.unwrap(), AcceptOutcome::Stored);
    case.accept(2).await;
    assert_eq!(case.conversation_stored().await, Some(case.conversation(2)));
}

/// The same request gets the same answer; the same name with another request is told apart.
pub async fn answered_guard_gives_its_answer_again(store: Arc<dyn Store>) {
    let case = Case::new(store);
    let answer = json!({ "id": "m-1", "n": 1, "none": null, "list": ["", 2.5, { "deep": true }] });
    let mut new = case.acceptance(1);
    new.guards = vec![case.answered("r-1", "f-1", answer.clone())];
    assert_eq!(case.store.accept(&new).await.unwrap(), AcceptOutcome::Stored);

    let before = GuardRefusal::AnsweredBefore(answer);
    let mut again = case.acceptance(2);
    again.guards = vec![case.answered("r-1", "f-1", json!("another"))];
    assert_eq!(case.store.accept(&again).await.unwrap(), AcceptOutcome::Refused(before.clone()));
    assert_eq!(case.store.guard(&again.guards, case.now).await.unwrap(), Some(before));
    again.guards = vec![case.answered("r-1", "f-2", json!("another"))];
    assert_eq!(case.store.accept(&again).await.unwrap(), AcceptOutcome::Refused(GuardRefusal::FingerprintDiffers));
    assert_eq!(case.store.guard(&again.guards, case.now).await.unwrap(), Some(GuardRefusal::FingerprintDiffers));
    assert_eq!(case.conversation_stored().await, Some(case.conversation(1)));
}

/// Of several guards none is remembered if one refuses.
pub async fn guards_are_remembered_all_or_none(store: Arc<dyn Store>) {
    let case = Case::new(store);
    let (a, b, c) = (case.once("a", SOON), case.once("b", SOON), case.answered("c", "f", json!(1)));
    assert_eq!(case.store.guard(&[a.clone(), c.clone()], case.now).await.unwrap(), None);
    assert_eq!(case.store.guard(&[b.clone(), a], case.now).await.unwrap(), Some(GuardRefusal::Replayed));
    assert_eq!(case.store.guard(&[b.clone(), c], case.now).await.unwrap(), Some(GuardRefusal::AnsweredBefore(json!(1))));
    assert_eq!(case.store.guard(&[b], case.now).await.unwrap(), None);
}

/// Two workers with the same event: one stores it.
pub async fn concurrent_acceptances_of_one_event_store_one(store: Arc<dyn Store>) {
    for _ in 0..5 {
        let case = Case::new(store.clone());
        let new = case.acceptance(1);
        let results = together(case.store.accept(&new), case.store.accept(&new)).await;
        let stored = results.iter().filter(|r| matches!(r, Ok(AcceptOutcome::Stored))).count();
        let told = |r: &Result<AcceptOutcome, PortError>| {
            is_busy(r) || matches!(r, Ok(AcceptOutcome::Duplicate(id)) if *id == new.message.id)
        };
        assert_eq!(stored, 1, "{results:?}");
        assert_eq!(results.iter().filter(|r| told(r)).count(), 1, "{results:?}");
        assert_eq!(case.store.accept(&new).await.unwrap(), AcceptOutcome::Duplicate(new.message.id));
        assert_eq!(case.store.story(case.id).await.unwrap().messages.len(), 1);
    }
}

/// Two workers with different messages for the same place: one gets it.
pub async fn concurrent_acceptances_of_one_place_store_one(store: Arc<dyn Store>) {
    for _ in 0..5 {
        let case = Case::with_messages(store.clone(), 1).await;
        let (one, mut other) = (case.acceptance(2), case.acceptance(2));
        other.events = vec![(EventKey::new("msg", ["other"]), None)];
        let results = together(case.store.accept(&one), case.store.accept(&other)).await;
        let stored = results.iter().filter(|r| matches!(r, Ok(AcceptOutcome::Stored))).count();
        let told = |r: &Result<AcceptOutcome, PortError>| is_busy(r) || matches!(r, Ok(AcceptOutcome::Stale(_)));
        assert_eq!(stored, 1, "{results:?}");
        assert_eq!(results.iter().filter(|r| told(r)).count(), 1, "{results:?}");
        assert_eq!(case.lane().await.pending, [entry(1), entry(2)]);
    }
}

/// Names that would be equal if their parts were joined carelessly are not equal. Names too long for the store are
/// refused, not cut.
pub async fn different_event_names_stay_different(store: Arc<dyn Store>) {
    let case = Case::new(store);
    let names = [
        EventKey::new("k", ["a", "b"]),
        EventKey::new("k", ["a#b"]),
        EventKey::new("k", ["a/b"]),
        EventKey::new("k", ["a:b"]),
        EventKey::new("k", ["a%23b"]),
        EventKey::new("k", ["a%2523b"]),
        EventKey::new("k", ["ab"]),
        EventKey::new("k", ["AB"]),
        EventKey::new("k", ["", "ab"]),
        EventKey::new("k", ["ab", ""]),
        EventKey::new("k", [" ab"]),
        EventKey::new("k", ["ž\u{0}\n👋"]),
        EventKey::new("k", []),
        EventKey::new("k", [""]),
    ];
    for name in &names {
        let guard = [Guard::Once(OnceKey { name: name.clone(), ..case.once_key("", SOON) })];
        assert_eq!(case.store.guard(&guard, case.now).await.unwrap(), None, "{name:?}");
        assert_eq!(case.store.guard(&guard, case.now).await.unwrap(), Some(GuardRefusal::Replayed), "{name:?}");
    }
    let mut new = case.acceptance(1);
    new.events = names.iter().take(6).map(|name| (name.clone(), None)).collect();
    assert_eq!(case.store.accept(&new).await.unwrap(), AcceptOutcome::Stored);
    for (index, name) in names.iter().enumerate() {
        assert_eq!(case.event(&case.visitor, name).await, (index < 6).then_some(new.message.id), "{name:?}");
    }
    let long = "x".repeat(3000);
    for last in ["1", "2"] {
        let key = OnceKey { name: EventKey::new("k", [&long, last]), ..case.once_key("", SOON) };
        let result = case.store.guard(&[Guard::Once(key)], case.now).await;
        assert!(!matches!(result, Ok(Some(_))), "{result:?}");
    }
}

/// What one account calls an event says nothing about another account's.
pub async fn event_names_belong_to_their_account(store: Arc<dyn Store>) {
    let case = Case::with_messages(store.clone(), 1).await;
    let name = EventKey::new("msg", ["m-1"]);
    assert_eq!(case.event(&case.visitor, &name).await, Some(case.message(1)));
    let other = Case::new(store);
    assert_eq!(other.event(&other.visitor, &name).await, None);
    assert!(case.is_free("n").await);
    assert!(other.is_free("n").await);
}

/// Deliveries wait in the order of their messages; the first one sets the due time.
pub async fn lane_keeps_the_order(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    let due_at = case.lane().await.due_at;
    for seq in 2..=12 {
        let mut new = case.acceptance(seq);
        new.deliveries[0].due_at = case.now.plus(SOON * 2);
        assert_eq!(case.store.accept(&new).await.unwrap(), AcceptOutcome::Stored);
    }
    let lane = case.lane().await;
    assert_eq!(lane.pending, (1..=12).map(entry).collect::<Vec<_>>());
    assert_eq!((lane.head(), lane.due_at), (Some(entry(1)), due_at));
}

/// The head is found without being known; anything else by its place, even after it has left the lane.
pub async fn work_is_found_by_entry_and_by_head(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 2).await;
    let key = case.lane_key();
    let head = case.store.work(&key, LaneSelector::Head, None, case.now).await.unwrap().unwrap();
    assert_eq!((head.delivery.key, head.message.id), (case.key(1), case.message(1)));
    assert_eq!(head.conversation, case.conversation(2));
    let second = case.work(2).await;
    assert_eq!((second.delivery.key, second.message.id), (case.key(2), case.message(2)));
    assert_eq!(second.lane.pending, [entry(1), entry(2)]);

    case.fail(1).await;
    let head = case.store.work(&key, LaneSelector::Head, None, case.now).await.unwrap().unwrap();
    assert_eq!(head.delivery.key, case.key(2));
    let gone = case.work(1).await;
    assert_eq!((gone.delivery.key, gone.lane.pending), (case.key(1), vec![entry(2)]));
    case.fail(2).await;
    assert!(case.store.work(&key, LaneSelector::Head, None, case.now).await.unwrap().is_none());

    assert!(case.store.work(&key, LaneSelector::Entry(entry(3)), None, case.now).await.unwrap().is_none());
    for unknown in [case.receipts_key(), LaneKey { recipient: case.visitor.clone(), ..key }] {
        assert!(case.store.work(&unknown, LaneSelector::Head, None, case.now).await.unwrap().is_none());
        assert!(case.store.work(&unknown, LaneSelector::Entry(entry(1)), None, case.now).await.unwrap().is_none());
    }
}

/// The status of the recipient's installation comes along if it is asked for and known.
pub async fn work_shows_the_installation(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    let noted = case.store.note_installation(&case.desk, "ch-1", RemoteStatus::Blocked, case.now, None).await.unwrap();
    assert_eq!(noted, Saved::Yes);
    for which in [LaneSelector::Head, LaneSelector::Entry(entry(1))] {
        let seen = async |id| case.store.work(&case.lane_key(), which, id, case.now).await.unwrap().unwrap().installation;
        assert_eq!(seen(None).await, None);
        assert_eq!(seen(Some("ch-1")).await, Some(RemoteStatus::Blocked));
        assert_eq!(seen(Some("ch-2")).await, None);
    }
    let brief = case.store.note_installation(&case.desk, "ch-3", RemoteStatus::Active, case.now, Some(SOON)).await.unwrap();
    assert_eq!(brief, Saved::Yes);
    for (after, expected) in [(SOON - TICK, Some(RemoteStatus::Active)), (SOON, None)] {
        let which = LaneSelector::Entry(entry(1));
        let item = case.store.work(&case.lane_key(), which, Some("ch-3"), case.now.plus(after)).await.unwrap();
        assert_eq!(item.unwrap().installation, expected);
    }
}

/// Every change counts; a change of what is no longer there is a conflict and leaves no trace.
pub async fn save_counts_up_and_needs_the_rev(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    let item = case.work(1).await;
    let state = fixtures::sending(1, case.now, case.now.plus(SOON));
    let mut change = case.change(item.clone(), state, StoryEvent::HandedOver { attempt: 1 });
    change.delivery.reference = Some("their-1".to_owned());
    change.delivery.reported = Some(ReceiptStatus::Sent);
    change.delivery.route = Some("gateway-1".to_owned());
    assert_eq!(case.store.save(&change).await.unwrap(), Saved::Yes);
    let stored = case.delivery(1).await;
    assert_eq!(stored, Delivery { rev: item.delivery.rev + 1, ..change.delivery.clone() });

    let mut late = case.change(item, DeliveryState::Sent { at: case.now }, StoryEvent::Parked);
    late.due_at = None;
    late.leaves_lane = true;
    late.alias = Some(EventKey::new("alias", ["late"]));
    late.receipt = Some(receipt(&case, 1, ReceiptStatus::Sent));
    assert_eq!(case.store.save(&late).await.unwrap(), Saved::Conflict);
    assert_eq!(case.delivery(1).await, stored);
    assert_eq!(case.lane().await.pending, [entry(1)]);
    assert_eq!(case.lane().await.due_at, change.due_at);
    assert_eq!(case.told(1).await, [change.story.clone().unwrap()]);
    assert_eq!(case.event(&case.desk, &EventKey::new("alias", ["late"])).await, None);
    assert!(case.store.work(&case.receipts_key(), LaneSelector::Head, None, case.now).await.unwrap().is_none());

    let mut unknown = change;
    unknown.delivery.key = case.key(9);
    assert_eq!(case.store.save(&unknown).await.unwrap(), Saved::Conflict);
}

/// The lane's due time is what the change says; a change without a story adds none.
pub async fn save_sets_the_due_time(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    let mut change = case.change(case.work(1).await, DeliveryState::Queued, StoryEvent::Parked);
    change.story = None;
    change.due_at = Some(case.now.plus(SOON * 3));
    assert_eq!(case.store.save(&change).await.unwrap(), Saved::Yes);
    assert_eq!(case.lane().await.due_at, Some(case.now.plus(SOON * 3)));
    assert!(case.told(1).await.is_empty());
}

/// A delivery that is not the head cannot leave, whatever else is true.
pub async fn only_the_head_leaves_the_lane(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 3).await;
    let state = DeliveryState::Sent { at: case.now };
    let event = StoryEvent::Acknowledged { late: false, after_failure: false };
    let second = Transition { leaves_lane: true, ..case.change(case.work(2).await, state, event) };
    assert_eq!(case.store.save(&second).await.unwrap(), Saved::Conflict);
    assert_eq!(case.lane().await.pending, [entry(1), entry(2), entry(3)]);
    assert_eq!(case.delivery(2).await.state, DeliveryState::Queued);

    let first = Transition { leaves_lane: true, ..case.change(case.work(1).await, state, event) };
    assert_eq!(case.store.save(&first).await.unwrap(), Saved::Yes);
    assert_eq!(case.lane().await.pending, [entry(2), entry(3)]);
    assert_eq!(case.delivery(1).await.state, state);

    // The one that has left cannot leave again, and takes nobody with it.
    let again = Transition { leaves_lane: true, story: None, ..case.change(case.work(1).await, state, event) };
    assert_eq!(case.store.save(&again).await.unwrap(), Saved::Conflict);
    assert_eq!(case.lane().await.pending, [entry(2), entry(3)]);
}

/// A lane to which something was added since it was read is not left: the reader did not know what comes next.
pub async fn lane_that_grew_is_not_left(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    let item = case.work(1).await;
    case.accept(2).await;
    let state = DeliveryState::Sent { at: case.now };
    let change = |item, leaves_lane| Transition { leaves_lane, ..case.change(item, state, StoryEvent::Parked) };
    assert_eq!(case.store.save(&change(item.clone(), true)).await.unwrap(), Saved::Conflict);
    assert_eq!(case.delivery(1).await, item.delivery);
    assert_eq!(case.lane().await.pending, [entry(1), entry(2)]);
    // A change that keeps the delivery in its lane does not mind, and loses nothing.
    assert_eq!(case.store.save(&change(item, false)).await.unwrap(), Saved::Yes);
    assert_eq!(case.lane().await.pending, [entry(1), entry(2)]);
    assert_eq!(case.store.save(&change(case.work(1).await, true)).await.unwrap(), Saved::Yes);
    assert_eq!(case.lane().await.pending, [entry(2)]);
}

/// An empty lane is due never, keeps its thread, and is due again with the next message.
pub async fn last_one_leaves_an_empty_lane(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    let thread = case.thread("t-1", RemoteStatus::Active);
    case.store.bind(&case.lane_key(), &case.desk, &thread).await.unwrap();
    case.fail(1).await;
    let empty = Lane { remote: Some(thread), ..Lane::empty(case.lane_key()) };
    assert_eq!(case.lane().await, empty);
    let new = case.accept(2).await;
    assert_eq!(case.lane().await, Lane { pending: vec![entry(2)], due_at: Some(new.deliveries[0].due_at), ..empty });
}

/// Waiting for a thread is only stored while the thread is as it was read: otherwise nothing would wake the delivery.
pub async fn save_can_need_the_thread_status(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    let park = |item| {
        let state = DeliveryState::Parked { attempt: 0, until: case.now.plus(SOON) };
        Transition { needs_same_thread_status: true, ..case.change(item, state, StoryEvent::Parked) }
    };
    let unbound = case.work(1).await;
    case.store.bind(&case.lane_key(), &case.desk, &case.thread("t-1", RemoteStatus::Pending)).await.unwrap();
    assert_eq!(case.store.save(&park(unbound)).await.unwrap(), Saved::Conflict);

    let pending = case.work(1).await;
    assert_eq!(case.note("t-1", RemoteStatus::Active).await, ThreadNote::Noted(case.lane_key()));
    assert_eq!(case.store.save(&park(pending.clone())).await.unwrap(), Saved::Conflict);
    assert_eq!(case.delivery(1).await, pending.delivery);
    let careless = Transition { needs_same_thread_status: false, ..park(pending) };
    assert_eq!(case.store.save(&careless).await.unwrap(), Saved::Yes);
    assert_eq!(case.thread_status().await, Some(RemoteStatus::Active));
    assert_eq!(case.store.save(&park(case.work(1).await)).await.unwrap(), Saved::Yes);

    let other = Case::with_messages(case.store.clone(), 1).await;
    let state = DeliveryState::Parked { attempt: 0, until: other.now.plus(SOON) };
    let never_bound = other.change(other.work(1).await, state, StoryEvent::Parked);
    let never_bound = Transition { needs_same_thread_status: true, ..never_bound };
    assert_eq!(other.store.save(&never_bound).await.unwrap(), Saved::Yes);
}

/// At the deadline itself an acknowledgement is in time. It settles the delivery and leaves the lane to the worker.
pub async fn acknowledgement_at_the_deadline_is_in_time(store: Arc<dyn Store>) {
    let deadline = Duration::from_secs(90);
    let case = Case::sending(store, deadline).await;
    let (before, lane) = (case.delivery(1).await, case.lane().await);
    let mut ack = case.ack(1, deadline);
    ack.story.detail = Some("thanks".to_owned());
    assert_eq!(case.store.acknowledge(&ack).await.unwrap(), AckOutcome::Stored);
    let after = case.delivery(1).await;
    let expected = Delivery { rev: before.rev + 1, state: ack.state, reference: ack.reference.clone(), ..before };
    assert_eq!(after, expected);
    assert_eq!(case.lane().await, lane);
    assert_eq!(case.told(1).await.last(), Some(&ack.story));

    // The second one finds it settled.
    assert_eq!(case.store.acknowledge(&ack).await.unwrap(), AckOutcome::Otherwise(Some(Box::new(after.clone()))));
    assert_eq!(case.delivery(1).await, after);
    assert_eq!(case.told(1).await.len(), 2);
}

/// After the deadline, and before anything was sent, the delivery is given back as it is.
pub async fn acknowledgement_after_the_deadline_is_otherwise(store: Arc<dyn Store>) {
    let deadline = Duration::from_secs(90);
    let case = Case::sending(store, deadline).await;
    case.accept(2).await;
    for ack in [case.ack(1, deadline + TICK), case.ack(2, Duration::ZERO)] {
        let seq = ack.delivery.message.seq();
        let (before, told) = (case.delivery(seq).await, case.told(seq).await);
        assert_eq!(case.store.acknowledge(&ack).await.unwrap(), AckOutcome::Otherwise(Some(Box::new(before.clone()))));
        assert_eq!(case.delivery(seq).await, before);
        assert_eq!(case.told(seq).await, told);
    }
}

/// An unknown message, and a message that went to another account, are not there for this one.
pub async fn acknowledgement_of_nothing_finds_nothing(store: Arc<dyn Store>) {
    let case = Case::sending(store.clone(), SOON).await;
    let before = case.delivery(1).await;
    let stranger = Case::new(store);
    let nowhere = stranger.ack(1, Duration::ZERO);
    let mut unknown = case.ack(9, Duration::ZERO);
    unknown.alias = Some(EventKey::new("alias", ["x"]));
    let mut foreign = case.ack(1, Duration::ZERO);
    foreign.delivery.recipient = stranger.desk.clone();
    for mut ack in [nowhere, unknown, foreign] {
        for expect in [AckExpectation::InTime, AckExpectation::Rev(0), AckExpectation::Rev(before.rev)] {
            ack.expect = expect;
            assert_eq!(case.store.acknowledge(&ack).await.unwrap(), AckOutcome::Otherwise(None));
        }
    }
    assert_eq!(case.delivery(1).await, before);
    assert_eq!(case.event(&case.desk, &EventKey::new("alias", ["x"])).await, None);
    assert_nothing_stored(&stranger).await;
    assert_eq!(case.store.story(case.id).await.unwrap().deliveries.len(), 1);
}

/// With a `rev` the state does not matter, the `rev` does; without a reference the known one stays.
pub async fn acknowledgement_by_rev_needs_the_rev(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    case.fail(1).await;
    let failed = case.delivery(1).await;
    let mut ack = case.ack(1, SOON);
    ack.expect = AckExpectation::Rev(failed.rev + 1);
    assert_eq!(case.store.acknowledge(&ack).await.unwrap(), AckOutcome::Otherwise(Some(Box::new(failed.clone()))));
    ack.expect = AckExpectation::Rev(failed.rev);
    assert_eq!(case.store.acknowledge(&ack).await.unwrap(), AckOutcome::Stored);
    let sent = case.delivery(1).await;
    assert_eq!((sent.state, sent.rev, sent.reference.as_deref()), (ack.state, failed.rev + 1, Some("their-1")));
    ack.expect = AckExpectation::Rev(sent.rev);
    ack.reference = None;
    ack.story.event = StoryEvent::Contradicted;
    assert_eq!(case.store.acknowledge(&ack).await.unwrap(), AckOutcome::Stored);
    let same = case.delivery(1).await;
    assert_eq!((same.state, same.reference.as_deref()), (sent.state, Some("their-1")));
    let told: Vec<_> = case.told(1).await.into_iter().map(|entry| (entry.event, entry.said_at)).collect();
    let acknowledged = StoryEvent::Acknowledged { late: false, after_failure: false };
    let said_at = Some(case.now);
    assert_eq!(told, [(StoryEvent::Expired, None), (acknowledged, said_at), (StoryEvent::Contradicted, said_at)]);
}

/// With a route the delivery must have gone that way, however else it is expected.
pub async fn acknowledgement_by_route_needs_the_route(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 2).await;
    for (seq, route) in [(1, Some("gateway-1".to_owned())), (2, None)] {
        let state = fixtures::sending(1, case.now, case.now.plus(SOON));
        let mut change = case.change(case.work(seq).await, state, StoryEvent::HandedOver { attempt: 1 });
        change.delivery.route = route;
        assert_eq!(case.store.save(&change).await.unwrap(), Saved::Yes);
        let before = case.delivery(seq).await;
        for expect in [AckExpectation::InTime, AckExpectation::Rev(before.rev)] {
            let ack = AckWrite { expect, route: Some("gateway-2".to_owned()), ..case.ack(seq, Duration::ZERO) };
            assert_eq!(case.store.acknowledge(&ack).await.unwrap(), AckOutcome::Otherwise(Some(Box::new(before.clone()))));
            assert_eq!(case.delivery(seq).await, before);
        }
    }
    let ack = AckWrite { route: Some("gateway-1".to_owned()), ..case.ack(1, Duration::ZERO) };
    assert_eq!(case.store.acknowledge(&ack).await.unwrap(), AckOutcome::Stored);
    assert_eq!(case.delivery(1).await.route.as_deref(), Some("gateway-1"));
    assert_eq!(case.store.acknowledge(&case.ack(2, Duration::ZERO)).await.unwrap(), AckOutcome::Stored);
}

/// A guard that refuses keeps the acknowledgement out; one that does not hold remembers nothing.
pub async fn acknowledgement_guard_is_all_or_nothing(store: Arc<dyn Store>) {
    let case = Case::sending(store, SOON).await;
    let before = case.delivery(1).await;
    assert!(case.is_free("used").await);
    let guarded = |names: &[&str], ack: AckWrite| AckWrite {
        guards: names.iter().map(|name| case.once(name, SOON)).collect(),
        alias: Some(EventKey::new("alias", ["a"])),
        ..ack
    };
    let replayed = AckOutcome::Refused(GuardRefusal::Replayed);
    let refused = guarded(&["fresh", "used"], case.ack(1, Duration::ZERO));
    assert_eq!(case.store.acknowledge(&refused).await.unwrap(), replayed);
    assert_eq!(case.delivery(1).await, before);
    assert_eq!(case.event(&case.desk, &EventKey::new("alias", ["a"])).await, None);

    let unknown = guarded(&["fresh"], case.ack(9, Duration::ZERO));
    assert_eq!(case.store.acknowledge(&unknown).await.unwrap(), AckOutcome::Otherwise(None));
    let late = guarded(&["fresh"], case.ack(1, SOON + TICK));
    assert_eq!(case.store.acknowledge(&late).await.unwrap(), AckOutcome::Otherwise(Some(Box::new(before))));

    let in_time = guarded(&["fresh"], case.ack(1, Duration::ZERO));
    assert_eq!(case.store.acknowledge(&in_time).await.unwrap(), AckOutcome::Stored);
    assert!(!case.is_free("fresh").await);
    // Told before anything else: also before the delivery's own state.
    assert_eq!(case.store.acknowledge(&in_time).await.unwrap(), replayed);
}

/// The acknowledgement and the timer of the same attempt write against each other: exactly one of them takes effect.
pub async fn acknowledgement_and_timer_have_one_winner(store: Arc<dyn Store>) {
    for round in 0..6 {
        let case = Case::sending(store.clone(), SOON).await;
        let ack = case.ack(1, Duration::ZERO);
        let waiting = DeliveryState::RetryWait { attempt: 1, due: case.now.plus(SOON) };
        let ended = StoryEvent::NoAcknowledgement { attempt: 1, given_up: false };
        let timer = case.change(case.work(1).await, waiting, ended);
        let (acked, timed) = if round % 2 == 0 {
            tokio::join!(case.store.acknowledge(&ack), case.store.save(&timer))
        } else {
            let (timed, acked) = tokio::join!(case.store.save(&timer), case.store.acknowledge(&ack));
            (acked, timed)
        };
        let (ack_won, timer_won) = (matches!(acked, Ok(AckOutcome::Stored)), matches!(timed, Ok(Saved::Yes)));
        assert!(ack_won != timer_won, "{acked:?} {timed:?}");
        assert!(ack_won || is_busy(&acked) || matches!(acked, Ok(AckOutcome::Otherwise(Some(_)))), "{acked:?}");
        assert!(timer_won || is_busy(&timed) || matches!(timed, Ok(Saved::Conflict)), "{timed:?}");
        assert_eq!(case.delivery(1).await.state, if ack_won { ack.state } else { waiting });
        assert_eq!(case.told(1).await.len(), 2);
    }
}

/// The name a recipient will use for a message leads to it, whichever write brought the name.
pub async fn alias_names_the_message(store: Arc<dyn Store>) {
    let case = Case::sending(store, SOON).await;
    let (first, second) = (EventKey::new("their", ["1"]), EventKey::new("their", ["2"]));
    let ack = AckWrite { alias: Some(first.clone()), ..case.ack(1, Duration::ZERO) };
    assert_eq!(case.store.acknowledge(&ack).await.unwrap(), AckOutcome::Stored);
    let change = case.change(case.work(1).await, ack.state, StoryEvent::Parked);
    let change = Transition { alias: Some(second.clone()), ..change };
    assert_eq!(case.store.save(&change).await.unwrap(), Saved::Yes);
    for name in [first, second] {
        assert_eq!(case.event(&case.desk, &name).await, Some(case.message(1)));
        assert_eq!(case.event(&case.visitor, &name).await, None);
    }
}

fn receipt(case: &Case, seq: u64, status: ReceiptStatus) -> NewDelivery {
    let key =
        DeliveryKey { message: case.message(seq), recipient: case.visitor.clone(), content: DeliveryContent::Receipt(status) };
    NewDelivery { delivery: Delivery::queued(key, case.tenant.clone(), case.now), due_at: case.now.plus(SOON) }
}

/// A receipt joins the lane of receipts of its recipient, however often the change is repeated.
pub async fn receipt_is_appended_once(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 2).await;
    let state = DeliveryState::Sent { at: case.now };
    let leave = |item, seq| Transition {
        leaves_lane: true,
        receipt: Some(receipt(&case, seq, ReceiptStatus::Sent)),
        ..case.change(item, state, StoryEvent::Parked)
    };
    let first = leave(case.work(1).await, 1);
    assert_eq!(case.store.save(&first).await.unwrap(), Saved::Yes);
    assert_eq!(case.store.save(&first).await.unwrap(), Saved::Conflict);
    let second = leave(case.work(2).await, 2);
    assert_eq!(case.store.save(&second).await.unwrap(), Saved::Yes);
    // A later change that brings the same receipt is stored without it.
    let mut again = case.change(case.work(1).await, state, StoryEvent::Parked);
    again.delivery.reference = Some("their-1".to_owned());
    again.due_at = None;
    again.receipt = Some(receipt(&case, 1, ReceiptStatus::Sent));
    assert_eq!(case.store.save(&again).await.unwrap(), Saved::Yes);
    assert_eq!(case.delivery(1).await.reference.as_deref(), Some("their-1"));

    let head = case.store.work(&case.receipts_key(), LaneSelector::Head, None, case.now).await.unwrap().unwrap();
    let places = [1, 2].map(|seq| LaneEntry { seq, receipt: Some(ReceiptStatus::Sent) });
    assert_eq!(head.lane.pending, places);
    assert_eq!(head.lane.due_at, Some(case.now.plus(SOON)));
    assert_eq!(head.delivery, receipt(&case, 1, ReceiptStatus::Sent).delivery);
    assert_eq!(head.message.id, case.message(1));
    assert!(case.lane().await.pending.is_empty());
}

/// A binding is seen with the lane, in whichever way that is read; a later one replaces it.
pub async fn bound_thread_is_seen(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    assert_eq!(case.thread_status().await, None);
    let thread = case.thread("t-1", RemoteStatus::Pending);
    assert_eq!(case.store.bind(&case.lane_key(), &case.desk, &thread).await.unwrap(), RemoteStatus::Pending);
    assert_eq!(case.lane().await.remote.as_ref(), Some(&thread));
    assert_eq!(case.work(1).await.lane.remote.as_ref(), Some(&thread));
    assert_eq!(case.lane().await.pending, [entry(1)]);
    let other = RemoteThread { memo: Memo::new(), ..case.thread("t-2", RemoteStatus::Active) };
    assert_eq!(case.store.bind(&case.lane_key(), &case.desk, &other).await.unwrap(), RemoteStatus::Active);
    assert_eq!(case.lane().await.remote, Some(other));
}

/// The status that outran the binding is the thread's status.
pub async fn parked_status_is_applied_by_the_binding(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    assert_eq!(case.note("t-1", RemoteStatus::Pending).await, ThreadNote::Parked);
    assert_eq!(case.note("t-1", RemoteStatus::Active).await, ThreadNote::Parked);
    let thread = case.thread("t-1", RemoteStatus::Pending);
    assert_eq!(case.store.bind(&case.lane_key(), &case.desk, &thread).await.unwrap(), RemoteStatus::Active);
    let bound = case.lane().await.remote.unwrap();
    assert_eq!((bound.id.as_str(), bound.status, bound.memo), ("t-1", RemoteStatus::Active, thread.memo));
    assert_eq!(case.note("t-1", RemoteStatus::Blocked).await, ThreadNote::Noted(case.lane_key()));
}

/// A parked status that is past its time is not applied, even if it is still stored.
pub async fn parked_status_expires(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    for (id, after, expected) in [
        ("t-1", SOON - TICK, RemoteStatus::Deleted),
        ("t-2", SOON, RemoteStatus::Pending),
        ("t-3", SOON + TICK, RemoteStatus::Pending),
    ] {
        assert_eq!(case.note(id, RemoteStatus::Deleted).await, ThreadNote::Parked);
        let thread = RemoteThread { changed_at: case.now.plus(after), ..case.thread(id, RemoteStatus::Pending) };
        assert_eq!(case.store.bind(&case.lane_key(), &case.desk, &thread).await.unwrap(), expected, "{id}");
        assert_eq!(case.thread_status().await, Some(expected), "{id}");
    }
}

/// A status of a bound thread is stored with the lane; the same id of another account is another thread.
pub async fn thread_note_reaches_the_lane(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    case.store.bind(&case.lane_key(), &case.desk, &case.thread("t-1", RemoteStatus::Pending)).await.unwrap();
    let later = case.now.plus(TICK);
    let noted = case.store.note_thread(&case.desk, "t-1", RemoteStatus::Active, later, SOON).await.unwrap();
    assert_eq!(noted, ThreadNote::Noted(case.lane_key()));
    let expected = RemoteThread { changed_at: later, ..case.thread("t-1", RemoteStatus::Active) };
    assert_eq!(case.lane().await.remote, Some(expected));
    assert_eq!(case.lane().await.pending, [entry(1)]);
    let foreign = case.store.note_thread(&case.visitor, "t-1", RemoteStatus::Failed, later, SOON).await.unwrap();
    assert_eq!(foreign, ThreadNote::Parked);
    assert_eq!(case.note("t-2", RemoteStatus::Failed).await, ThreadNote::Parked);
    assert_eq!(case.thread_status().await, Some(RemoteStatus::Active));
}

/// No later status brings a deleted thread back.
pub async fn deleted_thread_stays_deleted(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    case.store.bind(&case.lane_key(), &case.desk, &case.thread("t-1", RemoteStatus::Active)).await.unwrap();
    assert_eq!(case.note("t-1", RemoteStatus::Deleted).await, ThreadNote::Noted(case.lane_key()));
    assert_eq!(case.note("t-1", RemoteStatus::Active).await, ThreadNote::Gone { lane: case.lane_key(), since: case.now });
    assert_eq!(case.thread_status().await, Some(RemoteStatus::Deleted));
    // The conversation gets another thread.
    case.store.bind(&case.lane_key(), &case.desk, &case.thread("t-2", RemoteStatus::Active)).await.unwrap();
    assert_eq!(case.thread_status().await, Some(RemoteStatus::Active));
}

/// After another thread took its place, what is heard of the old one does not change the lane.
pub async fn replaced_thread_does_not_speak_for_the_lane(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    case.store.bind(&case.lane_key(), &case.desk, &case.thread("t-1", RemoteStatus::Active)).await.unwrap();
    let current = case.thread("t-2", RemoteStatus::Active);
    case.store.bind(&case.lane_key(), &case.desk, &current).await.unwrap();
    let note = case.note("t-1", RemoteStatus::Deleted).await;
    let of_another = match note {
        ThreadNote::Noted(lane) | ThreadNote::Gone { lane, .. } => lane.conversation != case.id,
        ThreadNote::Parked => false,
    };
    assert!(!of_another, "noted for the conversation of another tenant");
    assert_eq!(case.lane().await.remote, Some(current));
}

/// The last status of an installation is known, until it is gone for good.
pub async fn installation_note_is_kept_until_deleted(store: Arc<dyn Store>) {
    let case = Case::new(store);
    let note = async |status| case.store.note_installation(&case.desk, "ch-1", status, case.now, None).await.unwrap();
    let seen_at = async |account: &AccountId, now| case.store.open(case.id, account, "ch-1", now).await.unwrap().installation;
    let seen = async |account: &AccountId| seen_at(account, case.now).await;
    assert_eq!(seen(&case.desk).await, None);
    assert_eq!(note(RemoteStatus::Pending).await, Saved::Yes);
    assert_eq!(note(RemoteStatus::Active).await, Saved::Yes);
    assert_eq!(seen(&case.desk).await, Some(RemoteStatus::Active));
    assert_eq!(seen(&case.visitor).await, None);
    assert_eq!(note(RemoteStatus::Deleted).await, Saved::Yes);
    assert_eq!(note(RemoteStatus::Active).await, Saved::Conflict);
    assert_eq!(seen(&case.desk).await, Some(RemoteStatus::Deleted));

    // One that is kept for a while only can be noted and seen too, and replaced by one that stays.
    let brief = case.store.note_installation(&case.visitor, "ch-1", RemoteStatus::Active, case.now, Some(SOON)).await.unwrap();
    assert_eq!(brief, Saved::Yes);
    assert_eq!(seen_at(&case.visitor, case.now.plus(SOON - TICK)).await, Some(RemoteStatus::Active));
    assert_eq!(seen_at(&case.visitor, case.now.plus(SOON)).await, None);
    let lasting = case.store.note_installation(&case.visitor, "ch-1", RemoteStatus::Blocked, case.now, None).await.unwrap();
    assert_eq!(lasting, Saved::Yes);
    assert_eq!(seen_at(&case.visitor, case.now.plus(SOON)).await, Some(RemoteStatus::Blocked));

    // A deletion that was only parked is forgotten with its time, even if it is still stored.
    let brief = async |status, after, keep| {
        let at = case.now.plus(after);
        case.store.note_installation(&case.visitor, "ch-2", status, at, keep).await.unwrap()
    };
    assert_eq!(brief(RemoteStatus::Deleted, Duration::ZERO, Some(SOON)).await, Saved::Yes);
    assert_eq!(brief(RemoteStatus::Active, SOON - TICK, None).await, Saved::Conflict);
    assert_eq!(brief(RemoteStatus::Active, SOON, None).await, Saved::Yes);
}

/// What a recipient reports of parts only rises, for each part alone.
pub async fn part_notes_only_rise_and_are_told_together(store: Arc<dyn Store>) {
    use ReceiptStatus::{Delivered, Failed, Read, Sent, Unreachable};
    let case = Case::with_messages(store, 1).await;
    let steps = [
        ("p2", Sent, &[("p2", Sent)][..]),
        ("p1", Failed, &[("p1", Failed), ("p2", Sent)]),
        ("p1", Unreachable, &[("p1", Failed), ("p2", Sent)]),
        ("p1", Delivered, &[("p1", Delivered), ("p2", Sent)]),
        ("p1", Failed, &[("p1", Delivered), ("p2", Sent)]),
        ("p2_p1", Read, &[("p1", Delivered), ("p2", Sent), ("p2_p1", Read)]),
    ];
    for (part, status, told) in steps {
        let expected = told.iter().map(|(part, status)| ((*part).to_owned(), *status)).collect();
        assert_eq!(case.store.note_part(&case.key(1), part, status).await.unwrap(), Some(expected), "{part} {status}");
    }
    assert_eq!(case.delivery(1).await.receipt, None, "the whole is another note");
    assert_eq!(case.store.note_part(&case.key(9), "p1", Read).await.unwrap(), None);
}

/// Of two notes at the same time, the later one is told both.
pub async fn concurrent_part_notes_see_each_other(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    let key = case.key(1);
    let (one, two) = tokio::join!(
        case.store.note_part(&key, "p1", ReceiptStatus::Read),
        case.store.note_part(&key, "p2", ReceiptStatus::Read)
    );
    let most = one.unwrap().unwrap().len().max(two.unwrap().unwrap().len());
    assert_eq!(most, 2);
}

/// What a recipient reports only rises; of two of the same rank the first stays.
pub async fn receipt_note_only_rises(store: Arc<dyn Store>) {
    use ReceiptOutcome::{NoNews, Stored};
    let case = Case::with_messages(store, 1).await;
    for (status, outcome, kept) in [
        (ReceiptStatus::Sent, Stored, ReceiptStatus::Sent),
        (ReceiptStatus::Sent, NoNews, ReceiptStatus::Sent),
        (ReceiptStatus::Unreachable, Stored, ReceiptStatus::Unreachable),
        (ReceiptStatus::Failed, NoNews, ReceiptStatus::Unreachable),
        (ReceiptStatus::Read, Stored, ReceiptStatus::Read),
        (ReceiptStatus::Delivered, NoNews, ReceiptStatus::Read),
    ] {
        assert_eq!(case.store.note_receipt(&case.key(1), status).await.unwrap().outcome, outcome, "{status}");
        assert_eq!(case.delivery(1).await.receipt, Some(kept), "{status}");
    }
    let unknown = case.store.note_receipt(&case.key(9), ReceiptStatus::Read).await.unwrap();
    let nothing = NotedReceipt { outcome: ReceiptOutcome::Unknown, sentence: None };
    assert_eq!(unknown, nothing);
    let foreign = DeliveryKey { recipient: case.visitor.clone(), ..case.key(1) };
    assert_eq!(case.store.note_receipt(&foreign, ReceiptStatus::Read).await.unwrap(), nothing);
    assert_eq!(case.store.story(case.id).await.unwrap().deliveries.len(), 1);
}

/// Whoever reports about a message of a chat is told which sentence it is, news or not.
pub async fn receipt_note_names_the_sentence(store: Arc<dyn Store>) {
    let case = Case::new(store);
    let mut acceptance = case.acceptance(1);
    acceptance.deliveries[0].delivery.sentence = Some("s-1 ěšč".to_owned());
    assert_eq!(case.store.accept(&acceptance).await.unwrap(), AcceptOutcome::Stored);
    assert_eq!(case.work(1).await.delivery.sentence.as_deref(), Some("s-1 ěšč"));
    for outcome in [ReceiptOutcome::Stored, ReceiptOutcome::NoNews] {
        let noted = case.store.note_receipt(&case.key(1), ReceiptStatus::Delivered).await.unwrap();
        assert_eq!(noted, NotedReceipt { outcome, sentence: Some("s-1 ěšč".to_owned()) });
    }
}

/// A thread leads to its conversation from the binding on, and the lane knows it; nobody else's does.
pub async fn bound_thread_is_found_from_both_sides(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    let found = async |account: &AccountId, id: &str| case.store.lane_of(account, id).await.unwrap();
    assert_eq!(case.store.thread(&case.lane_key()).await.unwrap(), None);
    assert_eq!(case.note("t-1", RemoteStatus::Active).await, ThreadNote::Parked);
    assert_eq!(found(&case.desk, "t-1").await, None, "parked only");
    case.store.bind(&case.lane_key(), &case.desk, &case.thread("t-1", RemoteStatus::Pending)).await.unwrap();
    assert_eq!(found(&case.desk, "t-1").await, Some(case.lane_key()));
    assert_eq!((found(&case.visitor, "t-1").await, found(&case.desk, "t-2").await), (None, None));
    // What was heard before the binding counts.
    let thread = case.store.thread(&case.lane_key()).await.unwrap();
    assert_eq!(thread, Some(case.thread("t-1", RemoteStatus::Active)));
    let current = case.thread("t-2", RemoteStatus::Active);
    case.store.bind(&case.lane_key(), &case.desk, &current).await.unwrap();
    assert_eq!(case.store.thread(&case.lane_key()).await.unwrap(), Some(current));
    assert_eq!(found(&case.desk, "t-1").await, Some(case.lane_key()), "also after another one took its place");
    let elsewhere = LaneKey { recipient: case.visitor.clone(), ..case.lane_key() };
    assert_eq!(case.store.thread(&elsewhere).await.unwrap(), None);
}

/// A report that comes while a worker has the delivery in hand outlives the worker's change, or makes it a conflict.
pub async fn receipt_note_is_not_lost_by_a_save(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 1).await;
    let read = case.work(1).await;
    let noted = case.store.note_receipt(&case.key(1), ReceiptStatus::Read).await.unwrap();
    assert_eq!(noted.outcome, ReceiptOutcome::Stored);
    let state = DeliveryState::Sent { at: case.now };
    case.store.save(&case.change(read, state, StoryEvent::Parked)).await.unwrap();
    assert_eq!(case.delivery(1).await.receipt, Some(ReceiptStatus::Read));
}

/// A time long before all others of the table, and another one for each case: what is due then is this case's.
fn long_ago() -> EpochMillis {
    let random = Uuid::new_v4().as_u128() % 1_000_000_000;
    EpochMillis::new(0).plus(Duration::from_millis(u64::try_from(random).unwrap() + 1_000))
}

/// A case with a message whose lane is due at `due_at`.
async fn due_case(store: &Arc<dyn Store>, due_at: EpochMillis) -> Case {
    let case = Case::new(store.clone());
    let mut new = case.acceptance(1);
    new.deliveries[0].due_at = due_at;
    assert_eq!(case.store.accept(&new).await.unwrap(), AcceptOutcome::Stored);
    case
}

/// Lanes are due at their time, oldest first; an emptied one is not.
pub async fn due_lanes_are_found_oldest_first(store: Arc<dyn Store>) {
    let start = long_ago();
    let [a, b, c] = [start, start.plus(TICK), start.plus(TICK * 2)];
    let (second, first, third) = (due_case(&store, b).await, due_case(&store, a).await, due_case(&store, c).await);
    let due = async |now| {
        let all = store.due(now, 1000).await.unwrap();
        assert!(all.is_sorted_by_key(|(_, at)| *at));
        let own = [first.lane_key(), second.lane_key(), third.lane_key()];
        all.into_iter().filter(|(lane, _)| own.contains(lane)).collect::<Vec<_>>()
    };
    assert_eq!(due(b).await, [(first.lane_key(), a), (second.lane_key(), b)]);
    assert_eq!(due(c).await.len(), 3);
    assert_eq!(store.due(c, 2).await.unwrap().len(), 2);
    for case in [first, second] {
        case.fail(1).await;
    }
    assert_eq!(
        store.due(c, 1000).await.unwrap().into_iter().filter(|(_, at)| *at >= a).collect::<Vec<_>>(),
        [(third.lane_key(), c)]
    );
    third.fail(1).await;
}

/// The due time is moved once, by the one who knows it; a lane without one is not listed.
pub async fn postponed_lane_is_not_due(store: Arc<dyn Store>) {
    let start = long_ago();
    let case = due_case(&store, start).await;
    let key = case.lane_key();
    let later = start.plus(TICK);
    let is_due = async |now| store.due(now, 1000).await.unwrap().iter().any(|(lane, _)| *lane == key);
    assert!(is_due(start).await);
    assert_eq!(store.postpone(&key, start, Some(later)).await.unwrap(), Saved::Yes);
    assert_eq!(store.postpone(&key, start, Some(later)).await.unwrap(), Saved::Conflict);
    assert!(!is_due(start).await);
    assert!(is_due(later).await);
    assert_eq!(store.postpone(&key, later, None).await.unwrap(), Saved::Yes);
    assert!(!is_due(case.now).await);
    let lane = case.lane().await;
    assert_eq!((lane.due_at, lane.pending), (None, vec![entry(1)]));
    assert_eq!(store.postpone(&key, later, Some(start)).await.unwrap(), Saved::Conflict);
    let unknown = Case::new(store.clone());
    assert_eq!(store.postpone(&unknown.lane_key(), start, Some(later)).await.unwrap(), Saved::Conflict);
    assert_nothing_stored(&unknown).await;
}

/// A failed delivery goes to the end of its lane, as old as its replay.
pub async fn failed_delivery_is_queued_again(store: Arc<dyn Store>) {
    let case = Case::with_messages(store, 2).await;
    case.fail(1).await;
    let failed = case.delivery(1).await;
    let again = fixtures::story_entry(case.now.plus(SOON), StoryEvent::Replayed);
    let due_at = case.now.plus(SOON + TICK);
    assert_eq!(case.store.requeue(&case.key(1), &again, due_at).await.unwrap(), Saved::Yes);
    let queued = case.delivery(1).await;
    assert_eq!((queued.state, queued.created_at, queued.rev), (DeliveryState::Queued, again.at, failed.rev + 1));
    assert_eq!(case.lane().await.pending, [entry(2), entry(1)]);
    assert_eq!(case.told(1).await.last(), Some(&again));

    assert_eq!(case.store.requeue(&case.key(1), &again, due_at).await.unwrap(), Saved::Conflict);
    assert_eq!(case.store.requeue(&case.key(2), &again, due_at).await.unwrap(), Saved::Conflict);
    assert_eq!(case.store.requeue(&case.key(9), &again, due_at).await.unwrap(), Saved::Conflict);
    assert_eq!(case.lane().await.pending, [entry(2), entry(1)]);
    assert_eq!(case.told(1).await.len(), 2);

    // Into an empty lane it brings the due time along.
    case.fail(2).await;
    case.fail(1).await;
    assert_eq!(case.store.requeue(&case.key(2), &again, due_at).await.unwrap(), Saved::Yes);
    assert_eq!((case.lane().await.pending, case.lane().await.due_at), (vec![entry(2)], Some(due_at)));
}

/// A failure that still heads its lane does not stand there twice after a replay.
pub async fn requeued_delivery_stands_in_its_lane_once(store: Arc<dyn Store>) {
    let case = Case::sending(store, SOON).await;
    case.accept(2).await;
    let no = AckWrite {
        state: DeliveryState::Failed { at: case.now, reason: FailureReason::Rejected },
        reference: None,
        ..case.ack(1, Duration::ZERO)
    };
    assert_eq!(case.store.acknowledge(&no).await.unwrap(), AckOutcome::Stored);
    let again = fixtures::story_entry(case.now, StoryEvent::Replayed);
    let _ = case.store.requeue(&case.key(1), &again, case.now).await.unwrap();
    let pending = case.lane().await.pending;
    assert_eq!(pending.iter().filter(|e| **e == entry(1)).count(), 1, "{pending:?}");
    assert!(pending.contains(&entry(2)));
}

/// Everything about a conversation, and nothing about another one; messages and changes in the order they came,
/// also within one millisecond.
pub async fn story_tells_everything_in_order(store: Arc<dyn Store>) {
    let case = Case::new(store.clone());
    let other = Case::with_messages(store, 1).await;
    let mut accepted = Vec::new();
    for seq in 1..=11 {
        accepted.push(case.accept(seq).await.message);
    }
    let mut told = Vec::new();
    for attempt in 1..=11 {
        let state = fixtures::sending(attempt, case.now, case.now.plus(SOON));
        let mut change = case.change(case.work(1).await, state, StoryEvent::HandedOver { attempt });
        let entry = change.story.as_mut().unwrap();
        entry.next_at = Some(case.now.plus(SOON));
        entry.detail = (attempt == 1).then(|| "Straße 1".to_owned());
        told.push((case.key(1), entry.clone()));
        assert_eq!(case.store.save(&change).await.unwrap(), Saved::Yes);
    }
    let ack = case.ack(1, Duration::ZERO);
    assert_eq!(case.store.acknowledge(&ack).await.unwrap(), AckOutcome::Stored);
    told.push((case.key(1), ack.story));
    let story = case.store.story(case.id).await.unwrap();
    assert_eq!(story.conversation, Some(case.conversation(11)));
    assert_eq!(story.messages, accepted);
    assert_eq!(story.stories, told);
    assert_eq!(story.lanes, [case.lane().await]);
    let keys: Vec<_> = story.deliveries.iter().map(|delivery| delivery.key.clone()).collect();
    assert_eq!(keys, (1..=11).map(|seq| case.key(seq)).collect::<Vec<_>>());
    assert_eq!(story.deliveries[0], case.delivery(1).await);
    assert_eq!(other.store.story(other.id).await.unwrap().messages.len(), 1);
    let nothing = other.store.story(Case::new(other.store.clone()).id).await.unwrap();
    assert!(nothing.conversation.is_none() && nothing.messages.is_empty() && nothing.lanes.is_empty());
}

/// A text of a million characters comes back as it was, or is refused as a whole.
pub async fn long_text_is_never_cut(store: Arc<dyn Store>) {
    let case = Case::new(store);
    let mut random = 88_172_645_463_325_252_u64;
    let mut text = String::new();
    for _ in 0..1_000_000 {
        // Xorshift: a text that cannot be compressed to nothing. One character in 64 takes more than one byte.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let index = u8::try_from(random % 64).unwrap();
        text.push(if index == 0 { 'ž' } else { char::from(b'?' + index) });
    }
    let mut new = case.acceptance(1);
    new.message.content.text = text;
    match case.store.accept(&new).await {
        Ok(outcome) => {
            assert_eq!(outcome, AcceptOutcome::Stored);
            assert!(case.work(1).await.message == new.message, "the text has changed");
            let story = case.store.story(case.id).await.unwrap();
            assert!(story.messages == [new.message], "the text has changed in the story");
        }
        Err(_) => assert_nothing_stored(&case).await,
    }
    // The conversation goes on either way.
    let next = case.conversation_stored().await.map_or(1, |conversation| conversation.last_seq + 1);
    let mut after = case.acceptance(next);
    after.events = vec![(EventKey::new("msg", ["after"]), None)];
    assert_eq!(case.store.accept(&after).await.unwrap(), AcceptOutcome::Stored);
}
