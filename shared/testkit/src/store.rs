//! The store in memory.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use crate::guards::Guards;
use crate::{Fault, Faults};
use async_trait::async_trait;
use model::{
    Account, AccountId, Conversation, ConversationId, Delivery, DeliveryKey, DeliveryState, Directory, EpochMillis, EventKey,
    Installed, Lane, LaneKey, Message, MessageId, ReceiptStatus, RemoteStatus, RemoteThread, StoryEntry, Tenant,
};
use ports::{
    AcceptOutcome, Acceptance, AckExpectation, AckOutcome, AckStore, AckWrite, Consent, ConsentEnd, ConversationStory,
    DeliveryStore, DirectoryStore, Erased, EventStore, Guard, GuardRefusal, HandOut, HandedOut, InboundStore, InstallationStore,
    Installs, LaneSelector, LaneStore, LaneTimes, NewDelivery, NotedReceipt, Opened, OwedReceipt, PartNotes, PortError,
    ReceiptOutcome, Relay, Saved, StatusStore, StoryStore, ThreadNote, ThreadStore, Transition, WorkItem,
};

/// Operations done so far, refused ones included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OperationCounts {
    /// Operations that only read.
    pub reads: u32,
    /// Operations that write.
    pub writes: u32,
}

/// The store in plain maps under one lock: every operation is atomic. It never cleans up: what has expired stays, and
/// every operation compares.
#[derive(Debug, Default)]
pub struct InMemoryStore {
    data: Mutex<Data>,
    journal: Mutex<Vec<(Kind, &'static str)>>,
    faults: Faults,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
}

/// What is known of a platform's thread.
#[derive(Debug)]
enum Thread {
    Bound { lane: LaneKey, status: RemoteStatus, changed_at: EpochMillis },
    Parked { status: RemoteStatus, expires_at: EpochMillis },
}

#[derive(Debug, Default)]
struct Data {
    tenants: BTreeMap<model::TenantId, Tenant>,
    accounts: BTreeMap<AccountId, Account>,
    conversations: BTreeMap<ConversationId, Conversation>,
    messages: BTreeMap<MessageId, Message>,
    events: BTreeMap<(AccountId, EventKey), (MessageId, Option<EpochMillis>)>,
    guards: Guards,
    deliveries: BTreeMap<DeliveryKey, Delivery>,
    parts: BTreeMap<DeliveryKey, PartNotes>,
    stories: BTreeMap<DeliveryKey, Vec<StoryEntry>>,
    lanes: BTreeMap<LaneKey, Lane>,
    threads: BTreeMap<(AccountId, String), Thread>,
    installations: BTreeMap<(AccountId, String), (RemoteStatus, Option<EpochMillis>)>,
    consents: BTreeMap<(AccountId, String), Consent>,
    happened: BTreeMap<(AccountId, EventKey), EpochMillis>,
}

impl Data {
    fn append(&mut self, new: &NewDelivery) {
        let key = &new.delivery.key;
        let lane = self.lanes.entry(key.lane()).or_insert_with(|| Lane::empty(key.lane()));
        if lane.pending.is_empty() {
            lane.due_at = Some(new.due_at);
        }
        lane.pending.push(key.entry());
        self.deliveries.insert(key.clone(), new.delivery.clone());
    }

    fn tell(&mut self, key: &DeliveryKey, story: &StoryEntry) {
        self.stories.entry(key.clone()).or_default().push(story.clone());
    }

    fn name(&mut self, account: &AccountId, alias: Option<&EventKey>, message: MessageId) {
        if let Some(alias) = alias {
            self.events.insert((account.clone(), alias.clone()), (message, None));
        }
    }

    fn accept(&mut self, new: &Acceptance) -> AcceptOutcome {
        let now = new.message.accepted_at;
        if let Some(refusal) = self.guards.check(&new.guards, now) {
            return AcceptOutcome::Refused(refusal);
        }
        let name = |key: &EventKey| (new.message.origin.clone(), key.clone());
        for (key, _) in &new.events {
            if let Some((message, keep)) = self.events.get(&name(key))
                && is_kept(*keep, now)
            {
                return AcceptOutcome::Duplicate(*message);
            }
        }
        let stored = self.conversations.get(&new.conversation.id);
        let is_expected = stored.map_or(new.may_create, |stored| {
            stored.last_seq < new.conversation.last_seq
                && stored.visitor.account == new.conversation.visitor.account
                && stored.is_chat == new.conversation.is_chat
                && (stored.desk.is_none() || stored.desk == new.conversation.desk)
        });
        if !is_expected {
            return AcceptOutcome::Stale(stored.cloned().map(Box::new));
        }
        self.conversations.insert(new.conversation.id, new.conversation.clone());
        self.messages.insert(new.message.id, new.message.clone());
        // A name that is given twice is kept as long as its longest.
        let mut events: Vec<_> = new.events.iter().collect();
        events.sort_by_key(|(_, keep)| keep.map_or(i64::MAX, EpochMillis::millis));
        for (key, keep) in events {
            self.events.insert(name(key), (new.message.id, *keep));
        }
        for delivery in &new.deliveries {
            self.append(delivery);
        }
        self.guards.remember(&new.guards);
        AcceptOutcome::Stored
    }

    fn relay(&mut self, new: &Relay) -> Result<(), Option<Box<Conversation>>> {
        let stored = self.conversations.get(&new.conversation.id);
        let is_expected = stored.is_none_or(|stored| {
            stored.last_seq < new.conversation.last_seq && stored.visitor.account == new.conversation.visitor.account
        });
        if !is_expected {
            return Err(stored.cloned().map(Box::new));
        }
        self.conversations.insert(new.conversation.id, new.conversation.clone());
        for message in &new.messages {
            self.messages.insert(message.id, message.clone());
        }
        for delivery in &new.deliveries {
            self.append(delivery);
        }
        Ok(())
    }

    fn owe(&mut self, owed: &OwedReceipt) {
        let Some(said) = self.deliveries.get_mut(&owed.of) else { return };
        if owed.status.supersedes(said.reported) {
            said.reported = Some(owed.status);
            said.rev += 1;
            self.append(&owed.new);
        }
    }

    fn acknowledge(&mut self, ack: &AckWrite) -> AckOutcome {
        if let Some(refusal) = self.guards.check(&ack.guards, ack.story.at) {
            return AckOutcome::Refused(refusal);
        }
        let Some(delivery) = self.deliveries.get_mut(&ack.delivery) else { return AckOutcome::Otherwise(None) };
        let holds = match ack.expect {
            AckExpectation::InTime => {
                matches!(delivery.state, DeliveryState::Sending { deadline, .. } if ack.story.at <= deadline)
            }
            AckExpectation::Rev(rev) => delivery.rev == rev,
        };
        if !holds || (ack.route.is_some() && ack.route != delivery.route) {
            return AckOutcome::Otherwise(Some(Box::new(delivery.clone())));
        }
        delivery.state = ack.state;
        delivery.rev += 1;
        if ack.reference.is_some() {
            delivery.reference.clone_from(&ack.reference);
        }
        self.tell(&ack.delivery, &ack.story);
        self.name(&ack.delivery.recipient, ack.alias.as_ref(), ack.delivery.message);
        self.guards.remember(&ack.guards);
        AckOutcome::Stored
    }

    fn work(&self, lane: &LaneKey, which: LaneSelector, installation: Option<&str>, now: EpochMillis) -> Option<WorkItem> {
        let lane = self.lanes.get(lane)?;
        let entry = match which {
            LaneSelector::Entry(entry) => entry,
            LaneSelector::Head => lane.head()?,
        };
        let delivery = self.deliveries.get(&entry.delivery(&lane.key)?)?;
        Some(WorkItem {
            lane: lane.clone(),
            conversation: self.conversations.get(&lane.key.conversation)?.clone(),
            delivery: delivery.clone(),
            message: self.messages.get(&delivery.key.message)?.clone(),
            installation: installation.and_then(|id| self.installation(&lane.key.recipient, id, now)),
        })
    }

    fn installation(&self, account: &AccountId, id: &str, now: EpochMillis) -> Option<RemoteStatus> {
        let (status, until) = self.installations.get(&(account.clone(), id.to_owned()))?;
        is_kept(*until, now).then_some(*status)
    }

    fn event(&self, name: &(AccountId, EventKey), now: EpochMillis) -> Option<MessageId> {
        let (message, until) = self.events.get(name)?;
        is_kept(*until, now).then_some(*message)
    }

    fn save(&mut self, change: &Transition) -> Saved {
        let key = &change.delivery.key;
        let Some(stored) = self.deliveries.get(key) else { return Saved::Conflict };
        let Some(lane) = self.lanes.get(&change.lane.key) else { return Saved::Conflict };
        let status = |lane: &Lane| lane.remote.as_ref().map(|thread| (thread.status, thread.changed_at));
        let is_head_of_what_was_read = lane.pending == change.lane.pending && lane.head() == Some(key.entry());
        if stored.rev != change.delivery.rev
            || (change.leaves_lane && !is_head_of_what_was_read)
            || (change.needs_same_thread_status && status(lane) != status(&change.lane))
        {
            return Saved::Conflict;
        }
        let delivery = Delivery { rev: stored.rev + 1, receipt: stored.receipt, ..change.delivery.clone() };
        self.deliveries.insert(key.clone(), delivery);
        if let Some(lane) = self.lanes.get_mut(&change.lane.key) {
            if change.leaves_lane {
                lane.pending.remove(0);
            }
            lane.due_at = change.due_at;
        }
        if let Some(story) = &change.story {
            self.tell(key, story);
        }
        // The same receipt may have been created before: then nothing is lost without it.
        if let Some(receipt) = change.receipt.as_ref().filter(|new| !self.deliveries.contains_key(&new.delivery.key)) {
            self.append(receipt);
        }
        self.name(&key.recipient, change.alias.as_ref(), key.message);
        Saved::Yes
    }

    fn hand_out(&mut self, hand_out: &HandOut) -> HandedOut {
        let key = &hand_out.offer.delivery;
        let Some(delivery) = self.deliveries.get_mut(key) else { return HandedOut::Otherwise(None) };
        if delivery.rev != hand_out.offer.rev {
            return HandedOut::Otherwise(Some(Box::new(delivery.clone())));
        }
        delivery.state = hand_out.state;
        delivery.rev += 1;
        self.lanes.get_mut(&key.lane()).expect("what is offered has a lane").due_at = Some(hand_out.due_at);
        self.tell(key, &hand_out.story);
        HandedOut::Yes
    }

    fn bind(&mut self, lane: &LaneKey, owner: &AccountId, thread: &RemoteThread) -> RemoteStatus {
        let name = (owner.clone(), thread.id.clone());
        let status = match self.threads.get(&name) {
            Some(Thread::Parked { status, expires_at }) if *expires_at > thread.changed_at => *status,
            // Bound before, by a worker whose answer was lost: what was heard since then is not forgotten.
            Some(Thread::Bound { lane: same, status, .. }) if same == lane => *status,
            Some(Thread::Parked { .. } | Thread::Bound { .. }) | None => thread.status,
        };
        self.threads.insert(name, Thread::Bound { lane: lane.clone(), status, changed_at: thread.changed_at });
        let lane = self.lanes.entry(lane.clone()).or_insert_with(|| Lane::empty(lane.clone()));
        lane.remote = Some(RemoteThread { status, ..thread.clone() });
        status
    }

    fn note_thread(
        &mut self,
        account: &AccountId,
        id: &str,
        status: RemoteStatus,
        now: EpochMillis,
        keep: Duration,
    ) -> ThreadNote {
        let name = (account.clone(), id.to_owned());
        match self.threads.get_mut(&name) {
            Some(Thread::Bound { lane, status: RemoteStatus::Deleted, changed_at }) => {
                ThreadNote::Gone { lane: lane.clone(), since: *changed_at }
            }
            Some(Thread::Bound { lane, status: known, changed_at }) => {
                *known = status;
                *changed_at = now;
                let current = self.lanes.get_mut(lane).and_then(|lane| lane.remote.as_mut()).filter(|thread| thread.id == id);
                if let Some(thread) = current {
                    thread.status = status;
                    thread.changed_at = now;
                }
                ThreadNote::Noted(lane.clone())
            }
            Some(Thread::Parked { status: RemoteStatus::Deleted, expires_at }) if *expires_at > now => ThreadNote::Parked,
            Some(Thread::Parked { .. }) | None => {
                self.threads.insert(name, Thread::Parked { status, expires_at: now.plus(keep) });
                ThreadNote::Parked
            }
        }
    }

    fn note_part(&mut self, key: &DeliveryKey, part: &str, status: ReceiptStatus) -> Option<PartNotes> {
        self.deliveries.get(key)?;
        let parts = self.parts.entry(key.clone()).or_default();
        if status.supersedes(parts.get(part).copied()) {
            parts.insert(part.to_owned(), status);
        }
        Some(parts.clone())
    }

    fn note_receipt(&mut self, key: &DeliveryKey, status: ReceiptStatus) -> NotedReceipt {
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return NotedReceipt { outcome: ReceiptOutcome::Unknown, sentence: None };
        };
        let sentence = delivery.sentence.clone();
        if !status.supersedes(delivery.receipt) {
            return NotedReceipt { outcome: ReceiptOutcome::NoNews, sentence };
        }
        delivery.receipt = Some(status);
        NotedReceipt { outcome: ReceiptOutcome::Stored, sentence }
    }

    fn due(&self, now: EpochMillis, limit: usize) -> Vec<(LaneKey, EpochMillis)> {
        let mut due: Vec<_> =
            self.lanes.values().filter_map(|lane| lane.due_at.filter(|at| *at <= now).map(|at| (lane.key.clone(), at))).collect();
        due.sort_by_key(|(_, at)| *at);
        due.truncate(limit);
        due
    }

    fn story(&self, id: ConversationId) -> ConversationStory {
        let told = self.stories.iter().filter(|(key, _)| key.message.conversation() == id);
        ConversationStory {
            conversation: self.conversations.get(&id).cloned(),
            messages: self.messages.values().filter(|m| m.id.conversation() == id).cloned().collect(),
            deliveries: self.deliveries.values().filter(|d| d.key.message.conversation() == id).cloned().collect(),
            stories: told.flat_map(|(key, entries)| entries.iter().map(|entry| (key.clone(), entry.clone()))).collect(),
            lanes: self.lanes.values().filter(|lane| lane.key.conversation == id).cloned().collect(),
        }
    }

    fn requeue(&mut self, key: &DeliveryKey, story: &StoryEntry, due_at: EpochMillis) -> Saved {
        let is_pending = self.lanes.get(&key.lane()).is_some_and(|lane| lane.pending.contains(&key.entry()));
        let Some(delivery) = self.deliveries.get(key) else { return Saved::Conflict };
        // A failure that has not left its lane yet would stand there twice.
        if is_pending || !matches!(delivery.state, DeliveryState::Failed { .. }) {
            return Saved::Conflict;
        }
        let delivery = Delivery { state: DeliveryState::Queued, created_at: story.at, rev: delivery.rev + 1, ..delivery.clone() };
        self.append(&NewDelivery { delivery, due_at });
        self.tell(key, story);
        Saved::Yes
    }
}

/// Whether something that is kept until then, or for ever, is still there.
fn is_kept(until: Option<EpochMillis>, now: EpochMillis) -> bool {
    until.is_none_or(|until| until > now)
}

impl InMemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that holds `directory`.
    #[must_use]
    pub fn with_directory(directory: &Directory) -> Self {
        let store = Self::new();
        {
            let mut data = store.data.lock().unwrap();
            data.accounts.clone_from(&directory.accounts);
            data.tenants.clone_from(&directory.tenants);
        }
        store
    }

    /// What a change of a chat brings along, in the same breath as the change.
    /// Stores the receipt of a chat's change.
    pub(crate) fn owe(&self, owed: &OwedReceipt) {
        self.data.lock().unwrap().owe(owed);
    }

    pub(crate) fn relay(&self, relay: &Relay) -> Result<(), Option<Box<Conversation>>> {
        self.data.lock().unwrap().relay(relay)
    }

    /// The change of a delivery that is offered, in the same breath as its entry.
    pub(crate) fn offer(&self, transition: &Transition) -> Saved {
        self.data.lock().unwrap().save(transition)
    }

    /// The change of a delivery that is handed out, in the same breath as that of its entry.
    pub(crate) fn hand_out(&self, hand_out: &HandOut) -> HandedOut {
        self.data.lock().unwrap().hand_out(hand_out)
    }

    /// The next `n` operations do not take effect and fail.
    pub fn fail_next(&self, n: usize) {
        self.faults.next(n, Fault::Refused);
    }

    /// The next `n` operations take effect, and their callers are told that they failed.
    pub fn lose_next_answers(&self, n: usize) {
        self.faults.next(n, Fault::AnswerLost);
    }

    /// What goes wrong in the operations to come.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Operations done since the last [`forget_operations`](Self::forget_operations). Reading a lane's head counts
    /// twice: that takes two calls.
    #[must_use]
    pub fn counts(&self) -> OperationCounts {
        let journal = self.journal.lock().unwrap();
        let count = |kind| u32::try_from(journal.iter().filter(|(k, _)| *k == kind).count()).unwrap();
        OperationCounts { reads: count(Kind::Read), writes: count(Kind::Write) }
    }

    /// Names of the operations done since the last [`forget_operations`](Self::forget_operations), in order.
    #[must_use]
    pub fn operations(&self) -> Vec<&'static str> {
        self.journal.lock().unwrap().iter().map(|(_, name)| *name).collect()
    }

    /// Starts counting from zero.
    pub fn forget_operations(&self) {
        self.journal.lock().unwrap().clear();
    }

    /// A delivery as it is, without an operation being counted.
    #[must_use]
    pub fn delivery(&self, key: &DeliveryKey) -> Option<Delivery> {
        self.data.lock().unwrap().deliveries.get(key).cloned()
    }

    /// Puts a message and one of its deliveries in the place of what they are, without an operation being counted.
    pub fn replace(&self, message: Message, delivery: Delivery) {
        let mut data = self.data.lock().unwrap();
        data.messages.insert(message.id, message);
        data.deliveries.insert(delivery.key.clone(), delivery);
    }

    /// A lane as it is, without an operation being counted.
    #[must_use]
    pub fn lane(&self, key: &LaneKey) -> Option<Lane> {
        self.data.lock().unwrap().lanes.get(key).cloned()
    }

    /// Everything about a conversation, without an operation being counted.
    #[must_use]
    pub fn peek(&self, conversation: ConversationId) -> ConversationStory {
        self.data.lock().unwrap().story(conversation)
    }

    /// Every message there is, by conversation and place, without an operation being counted.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.data.lock().unwrap().messages.values().cloned().collect()
    }

    /// The conversations of the visitor at an address of an account.
    pub(crate) fn conversations_of(&self, account: &AccountId, address: &str) -> Vec<ConversationId> {
        let data = self.data.lock().unwrap();
        let of = data.conversations.values().filter(|c| c.visitor.account == *account && c.visitor.address == address);
        of.map(|conversation| conversation.id).collect()
    }

    /// Forgets names of events and threads that lead to these conversations.
    pub(crate) fn forget_names(&self, conversations: &BTreeSet<ConversationId>) {
        let mut data = self.data.lock().unwrap();
        data.events.retain(|_, (message, _)| !conversations.contains(&message.conversation()));
        data.threads.retain(|_, thread| match thread {
            Thread::Bound { lane, .. } => !conversations.contains(&lane.conversation),
            Thread::Parked { .. } => true,
        });
    }

    /// Erases all that stands in a conversation, or counts it.
    pub(crate) fn erase(&self, conversation: ConversationId, is_dry: bool) -> Erased {
        let mut data = self.data.lock().unwrap();
        let of = |message: &MessageId| message.conversation() == conversation;
        let erased = Erased {
            conversations: u64::from(data.conversations.contains_key(&conversation)),
            messages: data.messages.keys().filter(|id| of(id)).count() as u64,
            deliveries: data.deliveries.keys().filter(|key| of(&key.message)).count() as u64,
            ..Erased::default()
        };
        if !is_dry {
            data.conversations.remove(&conversation);
            data.messages.retain(|id, _| !of(id));
            data.deliveries.retain(|key, _| !of(&key.message));
            data.parts.retain(|key, _| !of(&key.message));
            data.stories.retain(|key, _| !of(&key.message));
            data.lanes.retain(|key, _| key.conversation != conversation);
        }
        erased
    }

    fn read<T>(&self, name: &'static str, operation: impl FnOnce(&Data) -> T) -> Result<T, PortError> {
        self.journal.lock().unwrap().push((Kind::Read, name));
        self.faults.apply("store", || operation(&self.data.lock().unwrap()))
    }

    fn write<T>(&self, name: &'static str, operation: impl FnOnce(&mut Data) -> T) -> Result<T, PortError> {
        self.journal.lock().unwrap().push((Kind::Write, name));
        self.faults.apply("store", || operation(&mut self.data.lock().unwrap()))
    }
}

#[async_trait]
impl DirectoryStore for InMemoryStore {
    async fn directory(&self) -> Result<Directory, PortError> {
        self.read("directory", |data| Directory { accounts: data.accounts.clone(), tenants: data.tenants.clone() })
    }

    async fn configure(&self, tenant: &Tenant, accounts: &[Account]) -> Result<(), PortError> {
        self.write("configure", |data| {
            data.tenants.insert(tenant.id.clone(), tenant.clone());
            for account in accounts {
                let known = data.accounts.get(&account.id);
                let salt = known.map_or_else(|| account.salt.clone(), |known| known.salt.clone());
                let installed = known.and_then(|known| known.installed.clone());
                data.accounts.insert(account.id.clone(), Account { salt, installed, ..account.clone() });
            }
        })
    }
}

#[async_trait]
impl InboundStore for InMemoryStore {
    async fn open(
        &self,
        conversation: ConversationId,
        account: &AccountId,
        installation: &str,
        now: EpochMillis,
    ) -> Result<Opened, PortError> {
        self.read("open", |data| Opened {
            conversation: data.conversations.get(&conversation).cloned(),
            installation: data.installation(account, installation, now),
        })
    }

    async fn accept(&self, acceptance: &Acceptance) -> Result<AcceptOutcome, PortError> {
        self.write("accept", |data| data.accept(acceptance))
    }

    async fn events(
        &self,
        account: &AccountId,
        keys: &[EventKey],
        now: EpochMillis,
    ) -> Result<Vec<Option<MessageId>>, PortError> {
        self.read("events", |data| keys.iter().map(|key| data.event(&(account.clone(), key.clone()), now)).collect())
    }

    async fn guard(&self, guards: &[Guard], now: EpochMillis) -> Result<Option<GuardRefusal>, PortError> {
        self.write("guard", |data| {
            let refusal = data.guards.check(guards, now);
            if refusal.is_none() {
                data.guards.remember(guards);
            }
            refusal
        })
    }
}

#[async_trait]
impl EventStore for InMemoryStore {
    async fn event(&self, account: &AccountId, key: &EventKey, now: EpochMillis) -> Result<Option<MessageId>, PortError> {
        self.read("event", |data| data.event(&(account.clone(), key.clone()), now))
    }
}

#[async_trait]
impl AckStore for InMemoryStore {
    async fn acknowledge(&self, ack: &AckWrite) -> Result<AckOutcome, PortError> {
        self.write("acknowledge", |data| data.acknowledge(ack))
    }
}

#[async_trait]
impl DeliveryStore for InMemoryStore {
    async fn work(
        &self,
        lane: &LaneKey,
        which: LaneSelector,
        installation: Option<&str>,
        now: EpochMillis,
    ) -> Result<Option<WorkItem>, PortError> {
        if which == LaneSelector::Head {
            self.journal.lock().unwrap().push((Kind::Read, "work: lane"));
        }
        self.read("work", |data| data.work(lane, which, installation, now))
    }

    async fn save(&self, transition: &Transition) -> Result<Saved, PortError> {
        self.write("save", |data| data.save(transition))
    }

    async fn bind(&self, lane: &LaneKey, owner: &AccountId, thread: &RemoteThread) -> Result<RemoteStatus, PortError> {
        self.write("bind", |data| data.bind(lane, owner, thread))
    }

    async fn thread(&self, lane: &LaneKey) -> Result<Option<RemoteThread>, PortError> {
        self.read("thread", |data| data.lanes.get(lane).and_then(|lane| lane.remote.clone()))
    }
}

#[async_trait]
impl ThreadStore for InMemoryStore {
    async fn lane_of(&self, owner: &AccountId, thread: &str) -> Result<Option<LaneKey>, PortError> {
        self.read("lane_of", |data| match data.threads.get(&(owner.clone(), thread.to_owned())) {
            Some(Thread::Bound { lane, .. }) => Some(lane.clone()),
            Some(Thread::Parked { .. }) | None => None,
        })
    }
}

#[async_trait]
impl LaneTimes for InMemoryStore {
    async fn postpone(&self, lane: &LaneKey, from: EpochMillis, to: Option<EpochMillis>) -> Result<Saved, PortError> {
        self.write("postpone", |data| match data.lanes.get_mut(lane) {
            Some(lane) if lane.due_at == Some(from) => {
                lane.due_at = to;
                Saved::Yes
            }
            Some(_) | None => Saved::Conflict,
        })
    }
}

#[async_trait]
impl LaneStore for InMemoryStore {
    async fn due(&self, now: EpochMillis, limit: usize) -> Result<Vec<(LaneKey, EpochMillis)>, PortError> {
        self.read("due", |data| data.due(now, limit))
    }
}

#[async_trait]
impl InstallationStore for InMemoryStore {
    async fn note_installation(
        &self,
        account: &AccountId,
        installation: &str,
        status: RemoteStatus,
        now: EpochMillis,
        keep: Option<Duration>,
    ) -> Result<Saved, PortError> {
        self.write("note_installation", |data| {
            let name = (account.clone(), installation.to_owned());
            if let Some((RemoteStatus::Deleted, until)) = data.installations.get(&name)
                && is_kept(*until, now)
            {
                return Saved::Conflict;
            }
            data.installations.insert(name, (status, keep.map(|keep| now.plus(keep))));
            Saved::Yes
        })
    }
}

#[async_trait]
impl StatusStore for InMemoryStore {
    async fn note_thread(
        &self,
        account: &AccountId,
        thread: &str,
        status: RemoteStatus,
        now: EpochMillis,
        keep: Duration,
    ) -> Result<ThreadNote, PortError> {
        self.write("note_thread", |data| data.note_thread(account, thread, status, now, keep))
    }

    async fn note_part(&self, delivery: &DeliveryKey, part: &str, status: ReceiptStatus) -> Result<Option<PartNotes>, PortError> {
        self.write("note_part", |data| data.note_part(delivery, part, status))
    }

    async fn note_receipt(&self, delivery: &DeliveryKey, status: ReceiptStatus) -> Result<NotedReceipt, PortError> {
        self.write("note_receipt", |data| data.note_receipt(delivery, status))
    }
}

#[async_trait]
impl StoryStore for InMemoryStore {
    async fn story(&self, conversation: ConversationId) -> Result<ConversationStory, PortError> {
        self.read("story", |data| data.story(conversation))
    }

    async fn requeue(&self, delivery: &DeliveryKey, story: &StoryEntry, due_at: EpochMillis) -> Result<Saved, PortError> {
        self.write("requeue", |data| data.requeue(delivery, story, due_at))
    }
}

#[async_trait]
impl Installs for InMemoryStore {
    async fn begin_consent(&self, app: &AccountId, name: &str, consent: &Consent) -> Result<(), PortError> {
        self.write("begin_consent", |data| match data.consents.entry((app.clone(), name.to_owned())) {
            Entry::Vacant(free) => {
                free.insert(consent.clone());
                Ok(())
            }
            Entry::Occupied(_) => Err(PortError::Corrupt { what: "consent", why: "is there already".to_owned() }),
        })?
    }

    async fn end_consent(&self, app: &AccountId, name: &str, browser: &str, now: EpochMillis) -> Result<ConsentEnd, PortError> {
        self.write("end_consent", |data| match data.consents.entry((app.clone(), name.to_owned())) {
            Entry::Vacant(_) => ConsentEnd::Unknown,
            Entry::Occupied(found) if found.get().valid_until <= now => ConsentEnd::Expired,
            Entry::Occupied(found) if found.get().browser != browser => ConsentEnd::OtherBrowser,
            Entry::Occupied(found) => ConsentEnd::Taken(found.remove()),
        })
    }

    async fn replace_installed(
        &self,
        account: &AccountId,
        from: Option<&Installed>,
        to: Option<&Installed>,
    ) -> Result<Saved, PortError> {
        self.write("replace_installed", |data| match data.accounts.get_mut(account) {
            Some(known) if known.installed.as_ref() == from => {
                known.installed = to.cloned();
                Saved::Yes
            }
            Some(_) | None => Saved::Conflict,
        })
    }

    async fn adopt_installation(
        &self,
        account: &AccountId,
        id: &str,
        status: RemoteStatus,
        _now: EpochMillis,
    ) -> Result<RemoteStatus, PortError> {
        self.write("adopt_installation", |data| {
            let known = data.installations.entry((account.clone(), id.to_owned())).or_insert((status, None));
            known.1 = None;
            known.0
        })
    }

    async fn installation(&self, account: &AccountId, id: &str, now: EpochMillis) -> Result<Option<RemoteStatus>, PortError> {
        self.read("installation", |data| data.installation(account, id, now))
    }

    async fn has_happened(&self, account: &AccountId, name: &EventKey, now: EpochMillis) -> Result<bool, PortError> {
        self.read("has_happened", |data| data.happened.get(&(account.clone(), name.clone())).is_some_and(|until| now < *until))
    }

    async fn note_happened(&self, account: &AccountId, name: &EventKey, until: EpochMillis) -> Result<(), PortError> {
        self.write("note_happened", |data| {
            data.happened.insert((account.clone(), name.clone()), until);
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fixtures::{NOW, sample_acceptance, sample_conversation, sample_conversation_id, sample_lane_key};

    #[tokio::test]
    async fn contract_of_installs_is_met() {
        let store = Arc::new(InMemoryStore::default());
        crate::installs_contract::run(store.clone(), store).await;
    }

    #[tokio::test]
    async fn contract_is_met() {
        crate::store_contract::run(Arc::new(InMemoryStore::new())).await;
    }

    #[tokio::test]
    async fn refused_operation_has_no_effect_and_lost_answer_has() {
        let store = InMemoryStore::new();
        let acceptance = sample_acceptance(&sample_conversation(1));
        store.fail_next(1);
        store.accept(&acceptance).await.unwrap_err();
        assert!(store.messages().is_empty());
        store.lose_next_answers(1);
        store.accept(&acceptance).await.unwrap_err();
        assert_eq!(store.messages().len(), 1);
        assert_eq!(store.accept(&acceptance).await.unwrap(), AcceptOutcome::Duplicate(acceptance.message.id));
    }

    #[tokio::test]
    async fn operations_are_counted_by_kind() {
        let store = InMemoryStore::new();
        store.accept(&sample_acceptance(&sample_conversation(1))).await.unwrap();
        store.work(&sample_lane_key(), LaneSelector::Head, None, NOW).await.unwrap().unwrap();
        assert_eq!(store.counts(), OperationCounts { reads: 2, writes: 1 });
        assert_eq!(store.operations(), ["accept", "work: lane", "work"]);
        store.forget_operations();
        store.story(sample_conversation_id()).await.unwrap();
        assert_eq!(store.counts(), OperationCounts { reads: 1, writes: 0 });
    }
}
