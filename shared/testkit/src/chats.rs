//! The store of chats in memory, and their timers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chat::desk::Presence;
use chat::{AgentId, ChatId, Direction, ResultId, Sentence, SentenceId, Workplace};
use model::{AccountId, ChatTask, ConversationId, DeliverTask, DeliveryState, EpochMillis, Message, PushTask, TypingTask};
use ports::{
    AgentChange, AgentSeen, Asker, Askers, Bind, BoundBefore, ChatChange, ChatRecord, ChatSaved, ChatTimers, Chats, Clock,
    Erased, Erasing, Erasure, Guard, GuardRefusal, HandOut, HandOuts, HandedOut, Identity, Line, ListedResult, Offer, Offers,
    Outline, People, PersonFound, PortError, PushClaim, PushLease, PushNext, PushQueue, PushState, PushStates, ResultChange,
    ResultList, ResultPage, ResultPlace, Results, SaidBefore, Saved, StoredResult, StreamEntry, StreamHead, StreamKey,
    StreamPage, StreamRead, Transition,
};

use crate::guards::Guards;
use crate::{Faults, InMemoryStore, OperationCounts};

/// How long an entry of a stream is kept.
const KEPT: Duration = Duration::from_secs(86_400);

/// How old an entry is when the numbers before it that nobody used are skipped.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest delay a timer takes; longer ones are cut.
const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// The store of chats in plain maps under one lock: every operation is atomic. It never cleans up: what has expired stays,
/// and every operation compares. Unlike the real one it takes texts of any length. Before each operation it lets others go on, so
/// what is joined interleaves.
#[derive(Debug, Default)]
pub struct InMemoryChats {
    data: Mutex<Data>,
    journal: Mutex<Vec<(bool, &'static str)>>,
    faults: Faults,
    /// Where conversations, messages and deliveries are.
    messages: Arc<InMemoryStore>,
}

#[derive(Debug, Clone)]
struct AgentAt {
    presence: Presence,
    seen_at: EpochMillis,
    chats: BTreeSet<ConversationId>,
}

#[derive(Debug, Default)]
struct Stream {
    last: u64,
    entries: BTreeMap<u64, StreamEntry>,
    reserved_at: Option<EpochMillis>,
    push: PushState,
    /// Who has the lease, and until when nobody else gets it.
    lease: Option<(String, Option<EpochMillis>)>,
    due_at: Option<EpochMillis>,
}

#[derive(Debug, Default)]
struct Data {
    chats: BTreeMap<ConversationId, ChatRecord>,
    /// Where threads lead that were bound.
    bound: BTreeMap<ConversationId, ConversationId>,
    /// In the order in which they were stored.
    sentences: BTreeMap<ChatId, Vec<Sentence>>,
    streams: BTreeMap<StreamKey, Stream>,
    agents: BTreeMap<(AccountId, AgentId), AgentAt>,
    results: BTreeMap<(AccountId, ResultId), StoredResult>,
    lists: BTreeMap<ResultList, BTreeSet<ResultPlace>>,
    askers: BTreeMap<AccountId, Asker>,
    guards: Guards,
}

impl Data {
    fn said(&self, chat: ChatId, direction: Direction, id: &SentenceId) -> SaidBefore {
        let stored = self.sentences.get(&chat).into_iter().flatten();
        let sentences: Vec<_> = stored.filter(|s| s.direction == direction && s.id == *id).cloned().collect();
        let waits = |sentence: &&Sentence| sentence.counter > 0 && sentence.confirmed_at.is_none();
        let unconfirmed = sentences.iter().filter(waits).map(|sentence| sentence.counter).collect();
        SaidBefore { sentences, unconfirmed }
    }

    fn save(&mut self, change: &ChatChange, messages: &InMemoryStore) -> ChatSaved {
        if let Some(refusal) = self.guards.check(&change.guards, change.now) {
            return ChatSaved::Refused(refusal);
        }
        let conversation = change.record.chat.conversation();
        if self.chats.get(&conversation).map(|stored| stored.chat.rev) != change.expected_rev {
            return ChatSaved::Conflict;
        }
        // Where a thread leads to a chat there is no room for one of its own.
        if self.bound.get(&conversation).is_some_and(|to| self.chats.contains_key(to)) {
            return ChatSaved::Conflict;
        }
        if change.bind.as_ref().is_some_and(|bind| self.leads(bind.thread) != bind.before) {
            return ChatSaved::Conflict;
        }
        if change.results.iter().any(|result| !self.may_store(result, change.now)) {
            return ChatSaved::Conflict;
        }
        for load in &change.agents {
            if let AgentChange::Take { desk, agent, capacity } = load {
                let others = |at: &AgentAt| at.chats.iter().filter(|chat| **chat != conversation).count();
                let has_room = |at: &AgentAt| others(at) < usize::try_from(*capacity).unwrap();
                let at = self.agents.get(&(desk.clone(), agent.clone()));
                if !at.is_some_and(|at| matches!(at.presence, Presence::Ready { .. }) && has_room(at)) {
                    return ChatSaved::AgentTaken(agent.clone());
                }
            }
        }
        if let Some(relay) = &change.relay
            && let Err(found) = messages.relay(relay)
        {
            return ChatSaved::Stale(found);
        }
        if let Some(receipt) = &change.receipt {
            messages.owe(receipt);
        }
        for load in &change.agents {
            self.load(conversation, load);
        }
        let said = self.sentences.entry(change.record.chat.id).or_default();
        said.extend(change.sentences.iter().cloned());
        for (direction, _, counter, at) in &change.confirmed {
            for sentence in said.iter_mut().filter(|s| s.direction == *direction && s.counter == *counter) {
                sentence.confirmed_at.get_or_insert(*at);
            }
        }
        self.chats.insert(conversation, change.record.clone());
        self.bound.remove(&conversation);
        if let Some(Bind { thread, .. }) = &change.bind {
            self.chats.remove(thread);
            self.bound.insert(*thread, conversation);
        }
        for result in &change.results {
            self.store(&result.result);
        }
        self.tell(&change.told);
        self.guards.remember(&change.guards);
        ChatSaved::Yes
    }

    fn leads(&self, thread: ConversationId) -> BoundBefore {
        let own = || self.chats.get(&thread).map(|record| BoundBefore::Chat { rev: record.chat.rev });
        self.bound.get(&thread).map(|to| BoundBefore::To(*to)).or_else(own).unwrap_or(BoundBefore::Nothing)
    }

    fn result(&self, gateway: &AccountId, id: &ResultId, now: EpochMillis) -> Option<&StoredResult> {
        self.results.get(&(gateway.clone(), id.clone())).filter(|stored| stored.kept_until > now)
    }

    fn may_store(&self, change: &ResultChange, now: EpochMillis) -> bool {
        self.result(&change.result.gateway, &change.result.id, now).map(|stored| stored.rev) == change.expected_rev
    }

    fn store(&mut self, result: &StoredResult) {
        for list in ResultList::of(result) {
            let place = ResultPlace { at: result.saved_at, id: result.id.clone() };
            self.lists.entry(list).or_default().insert(place);
        }
        self.results.insert((result.gateway.clone(), result.id.clone()), result.clone());
    }

    fn load(&mut self, conversation: ConversationId, load: &AgentChange) {
        match load {
            AgentChange::Take { desk, agent, .. } => {
                let at = self.agents.get_mut(&(desk.clone(), agent.clone())).unwrap();
                at.chats.insert(conversation);
            }
            AgentChange::Release { desk, agent, at: since } => {
                if let Some(at) = self.agents.get_mut(&(desk.clone(), agent.clone()))
                    && at.chats.remove(&conversation)
                    && let Presence::Ready { idle_since, .. } = &mut at.presence
                {
                    *idle_since = *since;
                }
            }
        }
    }

    fn reserve(&mut self, stream: StreamKey, count: u32, now: EpochMillis, due_at: Option<EpochMillis>) -> u64 {
        let stream = self.streams.entry(stream).or_default();
        let first = stream.last + 1;
        stream.last += u64::from(count);
        stream.reserved_at = Some(now);
        stream.due_at = stream.due_at.or(due_at);
        first
    }

    /// A gateway's stream in which something was told.
    fn pushed(&mut self, gateway: &AccountId) -> Option<&mut Stream> {
        self.streams.get_mut(&StreamKey::Gateway(gateway.clone()))
    }

    fn tell(&mut self, told: &[(StreamKey, StreamEntry)]) {
        for (key, entry) in told {
            let stream = self.streams.get_mut(key).filter(|stream| (1..=stream.last).contains(&entry.seq));
            let stream = stream.expect("a number is reserved before it is used");
            stream.entries.insert(entry.seq, entry.clone());
        }
    }

    fn read(&self, key: &StreamKey, after: u64, max: usize, now: EpochMillis) -> StreamRead {
        let nothing = || StreamRead::Page(StreamPage { entries: Vec::new(), next: after, has_more: false });
        let Some(stream) = self.streams.get(key) else { return nothing() };
        if stream.gone_after(after, now) {
            return StreamRead::Expired { next: stream.oldest(now) - 1 };
        }
        let mut page = StreamPage { entries: Vec::new(), next: after, has_more: false };
        for (seq, entry) in stream.entries.range(after + 1..) {
            let gap = page.next + 1..*seq;
            if !gap.is_empty() && now.since(entry.at) < PATIENCE {
                break;
            }
            let empty =
                |seq| StreamEntry { seq, at: entry.at, is_delivered: false, is_volatile: false, offer: None, body: Bytes::new() };
            for entry in gap.map(empty).chain([entry.clone()]) {
                if page.entries.len() == max {
                    page.has_more = true;
                    return StreamRead::Page(page);
                }
                page.next = entry.seq;
                page.entries.extend(Some(entry).filter(|entry| !entry.is_delivered));
            }
        }
        StreamRead::Page(page)
    }
}

impl Stream {
    /// The first number that is kept, or the one after the last.
    fn oldest(&self, now: EpochMillis) -> u64 {
        self.entries.values().find(|entry| is_kept(entry, now)).map_or(self.last + 1, |entry| entry.seq)
    }

    /// Whether something after this number is no longer kept.
    fn gone_after(&self, after: u64, now: EpochMillis) -> bool {
        self.entries.range(after + 1..).any(|(_, entry)| !is_kept(entry, now))
    }
}

fn is_kept(entry: &StreamEntry, now: EpochMillis) -> bool {
    now.since(entry.at) < KEPT
}

impl InMemoryChats {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store beside `messages`: what other platforms' staff is told goes there.
    #[must_use]
    pub fn beside(messages: Arc<InMemoryStore>) -> Self {
        Self { messages, ..Self::default() }
    }

    /// What goes wrong in the operations to come.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Operations done since the last [`forget_operations`](Self::forget_operations). A chat that is read with sentences
    /// counts twice if there are any: that takes two calls.
    #[must_use]
    pub fn counts(&self) -> OperationCounts {
        let journal = self.journal.lock().unwrap();
        let count = |writes| u32::try_from(journal.iter().filter(|(w, _)| *w == writes).count()).unwrap();
        OperationCounts { reads: count(false), writes: count(true) }
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

    /// A chat as it is, without an operation being counted.
    #[must_use]
    pub fn peek(&self, conversation: ConversationId) -> Option<ChatRecord> {
        let data = self.data.lock().unwrap();
        data.chats.get(data.bound.get(&conversation).unwrap_or(&conversation)).cloned()
    }

    /// How far a gateway's stream is pushed and when it is due, without an operation being counted.
    #[must_use]
    pub fn push_of(&self, gateway: &AccountId) -> (PushState, Option<EpochMillis>) {
        self.data.lock().unwrap().pushed(gateway).map_or_else(Default::default, |at| (at.push.clone(), at.due_at))
    }

    /// Every filled-in form of a gateway, by id, without an operation being counted.
    #[must_use]
    pub fn results_of(&self, gateway: &AccountId) -> Vec<StoredResult> {
        self.data.lock().unwrap().results.values().filter(|result| result.gateway == *gateway).cloned().collect()
    }

    /// Everything told in a stream, delivered or not, without an operation being counted.
    #[must_use]
    pub fn told(&self, stream: &StreamKey) -> Vec<StreamEntry> {
        self.data.lock().unwrap().streams.get(stream).map_or_else(Vec::new, |stream| stream.entries.values().cloned().collect())
    }

    async fn look<T>(&self, name: &'static str, operation: impl FnOnce(&Data) -> T) -> Result<T, PortError> {
        tokio::task::yield_now().await;
        self.journal.lock().unwrap().push((false, name));
        self.faults.apply("chats", || operation(&self.data.lock().unwrap()))
    }

    async fn write<T>(&self, name: &'static str, operation: impl FnOnce(&mut Data) -> T) -> Result<T, PortError> {
        tokio::task::yield_now().await;
        self.journal.lock().unwrap().push((true, name));
        self.faults.apply("chats", || operation(&mut self.data.lock().unwrap()))
    }
}

#[async_trait]
impl Erasure for InMemoryChats {
    async fn find(
        &self,
        account: &AccountId,
        identity: &Identity,
        from: Option<&str>,
    ) -> Result<(Vec<PersonFound>, Option<String>), PortError> {
        self.look("find", |data| match from {
            // Two pages: chats, then conversations of messages.
            None => {
                let chats = data.chats.values().map(|record| &record.chat).filter(|chat| chat.gateway == *account);
                let is_theirs = |chat: &&chat::Chat| match identity {
                    Identity::Tracking(tracking) => chat.tracking.as_ref() == Some(tracking),
                    Identity::Address(address) => chat.visitor.remote_address.as_ref() == Some(address),
                };
                let found = |chat: &chat::Chat| PersonFound {
                    conversation: chat.conversation(),
                    tracking: chat.tracking.clone(),
                    is_open: !chat.is_closed(),
                };
                (chats.filter(is_theirs).map(found).collect(), Some("messages".to_owned()))
            }
            Some(_) => {
                let ids = match identity {
                    Identity::Tracking(_) => Vec::new(),
                    Identity::Address(address) => self.messages.conversations_of(account, address),
                };
                let found = |conversation| PersonFound { conversation, tracking: None, is_open: false };
                (ids.into_iter().map(found).collect(), None)
            }
        })
        .await
    }

    async fn erase_elsewhere(&self, what: &Erasing<'_>, _from: Option<&str>) -> Result<(Erased, Option<String>), PortError> {
        self.write("erase_elsewhere", |data| {
            let mut erased = Erased::default();
            let forms: Vec<_> =
                data.results.iter().filter(|(_, result)| what.is_form(result)).map(|(key, _)| key.clone()).collect();
            erased.forms = forms.len() as u64;
            for (key, stream) in &mut data.streams {
                let is_own = matches!(key, StreamKey::Gateway(gateway) if gateway == what.account);
                for entry in stream.entries.values_mut().filter(|entry| !entry.body.is_empty()) {
                    let of = entry.offer.as_ref().map(|offer| offer.delivery.message.conversation());
                    if of.is_some_and(|of| what.conversations.contains(&of)) || what.is_about(&entry.body, is_own) {
                        erased.entries += 1;
                        if !what.is_dry {
                            (entry.offer, entry.body) = (None, Bytes::new());
                        }
                    }
                }
            }
            if !what.is_dry {
                data.results.retain(|key, _| !forms.contains(key));
                for at in data.agents.values_mut() {
                    at.chats.retain(|chat| !what.conversations.contains(chat));
                }
                self.messages.forget_names(what.conversations);
            }
            (erased, None)
        })
        .await
    }

    async fn erase_conversation(&self, conversation: ConversationId, is_dry: bool) -> Result<Erased, PortError> {
        self.write("erase_conversation", |data| {
            let mut erased = self.messages.erase(conversation, is_dry);
            let is_theirs = |chat: &ChatId| chat.conversation() == conversation;
            let sentences = data.sentences.iter().filter(|(chat, _)| is_theirs(chat)).map(|(_, said)| said.len() as u64);
            erased.sentences = sentences.sum();
            erased.chats = u64::from(data.chats.contains_key(&conversation));
            if !is_dry {
                data.chats.remove(&conversation);
                data.sentences.retain(|chat, _| !is_theirs(chat));
                data.bound.retain(|thread, to| *thread != conversation && *to != conversation);
            }
            erased
        })
        .await
    }
}

#[async_trait]
impl Offers for InMemoryChats {
    async fn offer(&self, transition: &Transition, body: &Bytes, now: EpochMillis) -> Result<Saved, PortError> {
        let delivery = &transition.delivery;
        let DeliveryState::Offered { attempt, .. } = delivery.state else { panic!("{:?} is no offer", delivery.state) };
        let stream = StreamKey::Gateway(delivery.key.recipient.clone());
        let seq = self.write("offer: reserve", |data| data.reserve(stream.clone(), 1, now, None)).await?;
        self.write("offer", |data| {
            let saved = self.messages.offer(transition);
            let offer = Offer { delivery: delivery.key.clone(), rev: delivery.rev + 1, attempt, handed_at: None };
            let (offer, body) = if saved == Saved::Yes { (Some(offer), body.clone()) } else { (None, Bytes::new()) };
            data.tell(&[(stream, StreamEntry { seq, at: now, is_delivered: false, is_volatile: false, offer, body })]);
            saved
        })
        .await
    }
}

#[async_trait]
impl HandOuts for InMemoryChats {
    async fn hand_out(&self, hand_out: &HandOut) -> Result<HandedOut, PortError> {
        self.write("hand_out", |data| {
            let outcome = self.messages.hand_out(hand_out);
            let stream = data.pushed(&hand_out.offer.delivery.recipient);
            let entry = stream.and_then(|stream| stream.entries.get_mut(&hand_out.seq)).and_then(|entry| entry.offer.as_mut());
            if outcome == HandedOut::Yes {
                entry.expect("what is handed out is offered").handed_at = Some(hand_out.story.at);
            }
            outcome
        })
        .await
    }
}

#[async_trait]
impl People for InMemoryChats {
    async fn outlines(&self, conversations: &[ConversationId]) -> Result<Vec<Outline>, PortError> {
        self.look("outlines", |data| {
            let outline = |id: &ConversationId| match data.chats.get(data.bound.get(id).unwrap_or(id)) {
                Some(record) => Some(Outline::of_chat(record.clone())),
                None => self.messages.peek(*id).conversation.map(Outline::of_messages),
            };
            let mut found: Vec<_> = conversations.iter().filter_map(outline).collect();
            found.sort_by_key(|outline| std::cmp::Reverse(outline.last_at));
            found
        })
        .await
    }

    async fn said(&self, conversation: ConversationId, limit: usize) -> Result<Vec<Line>, PortError> {
        self.look("said", |data| {
            let chat = data.chats.get(data.bound.get(&conversation).unwrap_or(&conversation));
            let mut lines: Vec<_> = match chat {
                Some(record) => {
                    let mut stored = data.sentences.get(&record.chat.id).cloned().unwrap_or_default();
                    stored.retain(|sentence| sentence.counter > 0);
                    stored.sort_by_key(|sentence| sentence.counter);
                    stored.into_iter().filter_map(Line::of_sentence).collect()
                }
                None => self.messages.peek(conversation).messages.into_iter().map(Line::of_message).collect(),
            };
            lines.drain(..lines.len().saturating_sub(limit));
            lines
        })
        .await
    }

    async fn messages(&self, conversation: ConversationId, before: Option<u64>, limit: usize) -> Result<Vec<Message>, PortError> {
        self.look("messages", |_| {
            let mut messages = self.messages.peek(conversation).messages;
            messages.retain(|message| before.is_none_or(|before| message.id.seq() < before));
            messages.drain(..messages.len().saturating_sub(limit));
            messages
        })
        .await
    }
}

#[async_trait]
impl Chats for InMemoryChats {
    async fn chat(
        &self,
        conversation: ConversationId,
        said: Option<(Direction, &SentenceId)>,
    ) -> Result<Option<(ChatRecord, SaidBefore)>, PortError> {
        let found = self
            .look("chat", |data| {
                let conversation = data.bound.get(&conversation).unwrap_or(&conversation);
                let record = data.chats.get(conversation)?.clone();
                let said = said.map_or_else(SaidBefore::default, |(direction, id)| data.said(record.chat.id, direction, id));
                Some((record, said))
            })
            .await?;
        if found.as_ref().is_some_and(|(_, said)| !said.sentences.is_empty()) {
            self.journal.lock().unwrap().push((false, "chat: said"));
        }
        Ok(found)
    }

    async fn sentences(&self, chat: ChatId, first: u64, last: u64) -> Result<Vec<Sentence>, PortError> {
        self.look("sentences", |data| {
            let stored = data.sentences.get(&chat).into_iter().flatten();
            let mut sentences: Vec<_> =
                stored.filter(|s| s.counter > 0 && (first..=last).contains(&s.counter)).cloned().collect();
            sentences.sort_by_key(|sentence| sentence.counter);
            sentences
        })
        .await
    }

    async fn reserve(&self, stream: &StreamKey, count: u32, now: EpochMillis) -> Result<u64, PortError> {
        self.write("reserve", |data| data.reserve(stream.clone(), count, now, None)).await
    }

    async fn reserve_pushed(
        &self,
        gateway: &AccountId,
        count: u32,
        now: EpochMillis,
        due_at: EpochMillis,
    ) -> Result<u64, PortError> {
        let stream = StreamKey::Gateway(gateway.clone());
        self.write("reserve_pushed", |data| data.reserve(stream, count, now, Some(due_at))).await
    }

    async fn save(&self, change: &ChatChange) -> Result<ChatSaved, PortError> {
        self.write("save", |data| data.save(change, &self.messages)).await
    }

    async fn tell(
        &self,
        told: &[(StreamKey, StreamEntry)],
        guards: &[Guard],
        now: EpochMillis,
    ) -> Result<Option<GuardRefusal>, PortError> {
        self.write("tell", |data| {
            let refusal = data.guards.check(guards, now);
            if refusal.is_none() {
                data.tell(told);
                data.guards.remember(guards);
            }
            refusal
        })
        .await
    }

    async fn result(&self, gateway: &AccountId, id: &ResultId, now: EpochMillis) -> Result<Option<StoredResult>, PortError> {
        self.look("result", |data| data.result(gateway, id, now).cloned()).await
    }

    async fn save_result(&self, change: &ResultChange, guards: &[Guard], now: EpochMillis) -> Result<ChatSaved, PortError> {
        self.write("save_result", |data| {
            if let Some(refusal) = data.guards.check(guards, now) {
                return ChatSaved::Refused(refusal);
            }
            if !data.may_store(change, now) {
                return ChatSaved::Conflict;
            }
            data.store(&change.result);
            data.guards.remember(guards);
            ChatSaved::Yes
        })
        .await
    }

    async fn head(&self, stream: &StreamKey, now: EpochMillis) -> Result<StreamHead, PortError> {
        self.look("head", |data| {
            let found = data.streams.get(stream);
            found.map_or(StreamHead { last: 0, oldest: 1 }, |stream| StreamHead { last: stream.last, oldest: stream.oldest(now) })
        })
        .await
    }

    async fn read(&self, stream: &StreamKey, after: u64, max: usize, now: EpochMillis) -> Result<StreamRead, PortError> {
        self.look("read", |data| data.read(stream, after, max, now)).await
    }

    async fn entries(&self, stream: &StreamKey, seqs: &[u64]) -> Result<Vec<StreamEntry>, PortError> {
        self.look("entries", |data| {
            let found = data.streams.get(stream);
            seqs.iter().filter_map(|seq| found?.entries.get(seq).cloned()).collect()
        })
        .await
    }

    async fn of_gateway(&self, gateway: &AccountId, closed_after: Option<EpochMillis>) -> Result<Vec<ChatRecord>, PortError> {
        self.look("of_gateway", |data| {
            let is_current = |record: &&ChatRecord| match record.chat.state {
                chat::State::Closed { at, .. } => closed_after.is_some_and(|after| at > after),
                chat::State::Pilot
                | chat::State::Icr { .. }
                | chat::State::Waiting { .. }
                | chat::State::Alerting { .. }
                | chat::State::Answered { .. } => true,
            };
            data.chats.values().filter(|record| record.chat.gateway == *gateway).filter(is_current).cloned().collect()
        })
        .await
    }

    async fn of_agent(&self, desk: &AccountId, agent: &AgentId) -> Result<Vec<ChatRecord>, PortError> {
        self.look("of_agent", |data| {
            let at = data.agents.get(&(desk.clone(), agent.clone()));
            at.into_iter().flat_map(|at| &at.chats).filter_map(|chat| data.chats.get(chat).cloned()).collect()
        })
        .await
    }

    async fn waiting(&self, desk: &AccountId, limit: usize) -> Result<Vec<ConversationId>, PortError> {
        self.look("waiting", |data| {
            let waits = |record: &&ChatRecord| record.desk.as_ref() == Some(desk) && record.chat.waiting().is_some();
            let mut waiting: Vec<_> = data.chats.values().filter(waits).map(|record| &record.chat).collect();
            waiting.sort_by_key(|chat| (chat.waiting_from, chat.conversation()));
            waiting.into_iter().take(limit).map(chat::Chat::conversation).collect()
        })
        .await
    }

    async fn agents(&self, desk: &AccountId) -> Result<Vec<AgentSeen>, PortError> {
        self.look("agents", |data| {
            let seen = |((_, id), at): (&(AccountId, AgentId), &AgentAt)| AgentSeen {
                id: id.clone(),
                presence: at.presence.clone(),
                seen_at: at.seen_at,
                chats: u32::try_from(at.chats.len()).unwrap(),
            };
            data.agents.iter().filter(|((of, _), _)| of == desk).map(seen).collect()
        })
        .await
    }

    async fn note_presence(
        &self,
        desk: &AccountId,
        agent: &AgentId,
        presence: &Presence,
        now: EpochMillis,
    ) -> Result<(), PortError> {
        self.write("note_presence", |data| {
            let fresh = AgentAt { presence: presence.clone(), seen_at: now, chats: BTreeSet::new() };
            let at = data.agents.entry((desk.clone(), agent.clone())).or_insert(fresh);
            at.presence.clone_from(presence);
            at.seen_at = now;
        })
        .await
    }

    async fn note_seen(
        &self,
        desk: &AccountId,
        agent: &AgentId,
        workplace: &Workplace,
        now: EpochMillis,
    ) -> Result<(), PortError> {
        self.write("note_seen", |data| {
            if let Some(at) = data.agents.get_mut(&(desk.clone(), agent.clone()))
                && let Presence::Paused { workplace: place } | Presence::Ready { workplace: place, .. } = &at.presence
                && place == workplace
            {
                at.seen_at = now;
            }
        })
        .await
    }

    async fn overdue(&self, now: EpochMillis, limit: usize) -> Result<Vec<ConversationId>, PortError> {
        self.look("overdue", |data| {
            let due = |record: &ChatRecord| Some((record.chat.timer_at.filter(|at| *at <= now)?, record.chat.conversation()));
            let mut overdue: Vec<_> = data.chats.values().filter_map(due).collect();
            overdue.sort_unstable();
            overdue.into_iter().take(limit).map(|(_, conversation)| conversation).collect()
        })
        .await
    }
}

#[async_trait]
impl PushStates for InMemoryChats {
    async fn claim(&self, gateway: &AccountId, lease: &PushLease, now: EpochMillis) -> Result<Option<PushClaim>, PortError> {
        self.write("claim", |data| {
            let stream = data.pushed(gateway)?;
            if let Some((holder, Some(until))) = &stream.lease
                && *until > now
                && *holder != lease.holder
            {
                return None;
            }
            stream.lease = Some((lease.holder.clone(), Some(lease.until)));
            stream.due_at = Some(lease.due_at);
            Some(PushClaim { state: stream.push.clone(), last: stream.last, reserved_at: stream.reserved_at.unwrap() })
        })
        .await
    }

    async fn keep(&self, gateway: &AccountId, holder: &str, state: &PushState, next: PushNext) -> Result<Saved, PortError> {
        self.write("keep", |data| {
            let Some(stream) = data.pushed(gateway) else { return Saved::Conflict };
            let Some((_, until)) = stream.lease.as_mut().filter(|(of, _)| of == holder) else { return Saved::Conflict };
            match next {
                PushNext::Hold => {}
                PushNext::Rest { until: rest, due_at } => {
                    *until = Some(rest);
                    stream.due_at = Some(due_at);
                }
                PushNext::Done { last: Some(last) } if last != stream.last => return Saved::Conflict,
                PushNext::Done { .. } => {
                    *until = None;
                    stream.due_at = None;
                }
            }
            stream.push = state.clone();
            Saved::Yes
        })
        .await
    }

    async fn pushes_due(&self, now: EpochMillis, limit: usize) -> Result<Vec<(AccountId, EpochMillis)>, PortError> {
        self.look("pushes_due", |data| {
            let due = |(key, stream): (&StreamKey, &Stream)| match key {
                StreamKey::Gateway(gateway) => Some((stream.due_at.filter(|at| *at <= now)?, gateway.clone())),
                StreamKey::Workplace(..) => None,
            };
            let mut all: Vec<_> = data.streams.iter().filter_map(due).collect();
            all.sort();
            all.into_iter().take(limit).map(|(at, gateway)| (gateway, at)).collect()
        })
        .await
    }

    async fn postpone_push(&self, gateway: &AccountId, from: EpochMillis, to: EpochMillis) -> Result<Saved, PortError> {
        self.write("postpone_push", |data| match data.pushed(gateway) {
            Some(stream) if stream.due_at == Some(from) => {
                stream.due_at = Some(to);
                Saved::Yes
            }
            Some(_) | None => Saved::Conflict,
        })
        .await
    }
}

#[async_trait]
impl Askers for InMemoryChats {
    async fn asker(&self, gateway: &AccountId) -> Result<Option<Asker>, PortError> {
        self.look("asker", |data| data.askers.get(gateway).cloned()).await
    }

    async fn askers(&self) -> Result<Vec<Asker>, PortError> {
        self.look("askers", |data| data.askers.values().cloned().collect()).await
    }

    async fn keep_asker(&self, asker: &Asker) -> Result<Saved, PortError> {
        self.write("keep_asker", |data| {
            if data.askers.get(&asker.gateway).map_or(0, |kept| kept.rev) != asker.rev {
                return Saved::Conflict;
            }
            data.askers.insert(asker.gateway.clone(), Asker { rev: asker.rev + 1, ..asker.clone() });
            Saved::Yes
        })
        .await
    }
}

#[async_trait]
impl Results for InMemoryChats {
    async fn list(
        &self,
        list: &ResultList,
        since: EpochMillis,
        after: Option<&ResultPlace>,
        max: usize,
        now: EpochMillis,
    ) -> Result<ResultPage, PortError> {
        self.look("list", |data| {
            let places = data.lists.get(list).into_iter().flatten();
            let wanted: Vec<_> = places.filter(|place| place.at >= since && after.is_none_or(|after| *place > after)).collect();
            let page = &wanted[..wanted.len().min(max)];
            let listed = |place: &&ResultPlace| {
                let result = data.result(list.gateway(), &place.id, now)?.clone();
                Some(ListedResult { place: ResultPlace::clone(place), result })
            };
            let results = page.iter().filter_map(listed).collect();
            let next = page.last().filter(|_| wanted.len() > max).map(|place| ResultPlace::clone(place));
            ResultPage { results, next }
        })
        .await
    }
}

/// Timers of chats, taken out by the test itself. Unlike the real ones they delay to the millisecond.
pub struct ManualTimers {
    clock: Arc<dyn Clock>,
    waiting: Mutex<Vec<(EpochMillis, ChatTask)>>,
    relayed: Mutex<Vec<DeliverTask>>,
    typing: Mutex<Vec<TypingTask>>,
    faults: Faults,
}

impl ManualTimers {
    /// Timers whose delays run on `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, waiting: Mutex::default(), relayed: Mutex::default(), typing: Mutex::default(), faults: Faults::default() }
    }

    /// What goes wrong in the calls to come.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// When the next timer arrives.
    #[must_use]
    pub fn next_due(&self) -> Option<EpochMillis> {
        self.waiting.lock().unwrap().iter().map(|(at, _)| *at).min()
    }

    /// How many are on their way.
    #[must_use]
    pub fn count(&self) -> usize {
        self.waiting.lock().unwrap().len()
    }

    /// Takes out what is due, earliest first.
    #[must_use]
    pub fn due(&self) -> Vec<ChatTask> {
        let now = self.clock.now();
        let mut waiting = self.waiting.lock().unwrap();
        let (mut due, later): (Vec<_>, Vec<_>) = waiting.drain(..).partition(|(at, _)| *at <= now);
        *waiting = later;
        due.sort_by_key(|(at, _)| *at);
        due.into_iter().map(|(_, task)| task).collect()
    }

    /// Takes out the lanes of other platforms' staff that need something, in the order in which that was said.
    #[must_use]
    pub fn relayed(&self) -> Vec<DeliverTask> {
        std::mem::take(&mut *self.relayed.lock().unwrap())
    }

    /// Takes out what other platforms' staff is told of typing, in the order in which it happened.
    #[must_use]
    pub fn typing(&self) -> Vec<TypingTask> {
        std::mem::take(&mut *self.typing.lock().unwrap())
    }

    /// Loses everything, as a crash between storing and sending would.
    pub fn forget_all(&self) {
        self.waiting.lock().unwrap().clear();
        self.relayed.lock().unwrap().clear();
        self.typing.lock().unwrap().clear();
    }
}

#[async_trait]
impl ChatTimers for ManualTimers {
    async fn set(&self, timer: &ChatTask, delay: Duration) -> Result<(), PortError> {
        let due = self.clock.now().plus(delay.min(LONGEST_DELAY));
        self.faults.apply("timers", || self.waiting.lock().unwrap().push((due, *timer)))
    }

    async fn relay(&self, task: &DeliverTask) -> Result<(), PortError> {
        self.faults.apply("timers", || self.relayed.lock().unwrap().push(task.clone()))
    }

    async fn typing(&self, task: &TypingTask) -> Result<(), PortError> {
        self.faults.apply("timers", || self.typing.lock().unwrap().push(task.clone()))
    }
}

/// The push queue, read by the test itself. Unlike the real one it delays to the millisecond.
pub struct InMemoryPushQueue {
    clock: Arc<dyn Clock>,
    waiting: Mutex<Vec<(EpochMillis, PushTask)>>,
    faults: Faults,
}

impl InMemoryPushQueue {
    /// An empty queue whose delays run on `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, waiting: Mutex::default(), faults: Faults::default() }
    }

    /// What goes wrong in the calls to come.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Everything that waits, with its due time, in the order it was sent.
    #[must_use]
    pub fn waiting(&self) -> Vec<(EpochMillis, PushTask)> {
        self.waiting.lock().unwrap().clone()
    }

    /// Takes out what is due, earliest first.
    #[must_use]
    pub fn due(&self) -> Vec<PushTask> {
        let now = self.clock.now();
        let mut waiting = self.waiting.lock().unwrap();
        let (mut due, later): (Vec<_>, Vec<_>) = waiting.drain(..).partition(|(at, _)| *at <= now);
        *waiting = later;
        due.sort_by_key(|(at, _)| *at);
        due.into_iter().map(|(_, task)| task).collect()
    }

    /// Loses everything that waits, as a crash between storing and sending would.
    pub fn forget_all(&self) {
        self.waiting.lock().unwrap().clear();
    }
}

#[async_trait]
impl PushQueue for InMemoryPushQueue {
    async fn send(&self, task: &PushTask, delay: Duration) -> Result<(), PortError> {
        let due = self.clock.now().plus(delay.min(LONGEST_DELAY));
        self.faults.apply("push queue", || self.waiting.lock().unwrap().push((due, task.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ManualClock;
    use crate::fixtures::{NOW, sample_conversation_id};

    #[tokio::test]
    async fn contract_is_met() {
        crate::chats_contract::run(Arc::new(InMemoryChats::new())).await;
        let messages = Arc::new(InMemoryStore::new());
        crate::chats_contract::run_beside(Arc::new(InMemoryChats::beside(messages.clone())), messages).await;
    }

    #[tokio::test]
    async fn contract_of_pushes_is_met() {
        let chats = Arc::new(InMemoryChats::new());
        crate::pushes_contract::run(chats.clone(), chats).await;
    }

    #[tokio::test]
    async fn contract_of_askers_is_met() {
        crate::askers_contract::run(Arc::new(InMemoryChats::new())).await;
    }

    #[tokio::test]
    async fn contract_of_offers_is_met() {
        let store = Arc::new(InMemoryStore::new());
        let chats = Arc::new(InMemoryChats::beside(store.clone()));
        let parts = crate::offers_contract::Parts { store, chats: chats.clone(), offers: chats.clone(), hand_outs: chats };
        crate::offers_contract::run(&parts).await;
    }

    #[tokio::test]
    async fn contract_of_erasure_is_met() {
        let store = Arc::new(InMemoryStore::new());
        let chats = Arc::new(InMemoryChats::beside(store.clone()));
        let parts = crate::erasure_contract::Parts { chats: chats.clone(), store, erasure: chats };
        crate::erasure_contract::run(&parts).await;
    }

    #[tokio::test]
    async fn contract_of_people_is_met() {
        let store = Arc::new(InMemoryStore::new());
        let chats = Arc::new(InMemoryChats::beside(store.clone()));
        let parts = crate::people_contract::Parts { chats: chats.clone(), store, people: chats };
        crate::people_contract::run(&parts).await;
    }

    #[tokio::test]
    async fn contract_of_results_is_met() {
        let store = Arc::new(InMemoryChats::new());
        crate::results_contract::run(store.clone(), store).await;
    }

    #[tokio::test]
    async fn timers_are_cut_lost_and_taken_out_once() {
        let clock = ManualClock::new();
        let timers = ManualTimers::new(Arc::new(clock.clone()));
        let at = NOW.plus(Duration::from_secs(5000));
        let task = ChatTask::V1 { conversation: sample_conversation_id(), at };
        timers.set(&task, at.since(NOW)).await.unwrap();
        assert_eq!(timers.next_due(), Some(NOW.plus(LONGEST_DELAY)));
        clock.set(NOW.plus(LONGEST_DELAY));
        assert_eq!(timers.due(), [task]);
        assert_eq!(timers.due(), []);
        timers.faults().next(1, crate::Fault::Refused);
        timers.set(&task, Duration::ZERO).await.unwrap_err();
        timers.set(&task, Duration::ZERO).await.unwrap();
        timers.forget_all();
        assert_eq!(timers.count(), 0);
    }
}
