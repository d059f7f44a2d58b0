//! The store of chats over the same table: see the crate's list of calls.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws::Service;
use aws_sdk_dynamodb::types::AttributeValue;
use chat::desk::Presence;
use chat::{AgentId, ChatId, Direction, ResultId, Sentence, SentenceId, Workplace};
use futures_util::future::{try_join, try_join_all};
use model::{AccountId, ConversationId, EpochMillis};
use ports::{
    AgentChange, AgentSeen, BoundBefore, ChatChange, ChatRecord, ChatSaved, Chats, Guard, GuardRefusal, OwedReceipt, PortError,
    PushClaim, PushLease, PushNext, PushState, PushStates, ResultChange, SaidBefore, Saved, StoredResult, StreamEntry,
    StreamHead, StreamKey, StreamPage, StreamRead,
};

use crate::DynamoStore;
use crate::change::{Change, Made, number};
use crate::chat_items::{
    AgentItem, ChatItem, EntryItem, HeadItem, InParts, LeadItem, Listing, MarkItem, READY, SaidItem, SentenceItem, conversations,
    presence_attributes, push_attributes,
};
use crate::items::{self, Entity, attribute, corrupt, from_item, to_item, value};
use crate::kept::{self, Kept};
use crate::keys::{self, Item, Key, Range};
use crate::results::{ResultItem, result_marks, result_put};
use crate::store::{conversation_of, guard_changes, mark, receipt_changes, refusal, relay_changes, saved};
use crate::table::{Outcome, Table, Verdict};

/// How long an entry of a stream is kept (FrontStage contract, 10.3).
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// After so long without a new number, whatever was reserved before is no longer kept, even if it was written hours later.
const SILENCE: Duration = Duration::from_secs(36 * 3600);

/// When an entry's item may be removed. A reader who comes too late meets what has expired, and so can tell it from numbers
/// that were never used: in all that time but the first day somebody was told something, or there was silence.
const REMOVED: Duration = Duration::from_secs(KEPT.as_secs() + SILENCE.as_secs());

/// How old the successor of a number must be for the number to count as never used: whoever reserved it has given up by then.
const GIVEN_UP: Duration = Duration::from_secs(10);

/// How long a closed chat is found by its gateway, at least; the port asks for ten minutes.
const CLOSED_LISTED: Duration = Duration::from_secs(3600);

/// The most places that are noted under one id; more of them are cut to the newest half. An id is the sender's, who may use
/// the same one for everything.
const PLACES: usize = 50;

/// The most that a change may hold: a transaction holds 4 MB (DynamoDB, "Quotas": transactions).
const LONGEST_CHANGE: usize = 3_800_000;

/// The most parts of long entries that are read for one page, unless its first long entry has more: a function may answer
/// 6 MB.
const PAGE_PARTS: u32 = 8;

/// How often a change is tried again because the table knows better where something is listed.
const RACES: usize = 8;

/// The store of chats over one table. A type of its own, so that functions without chats do not link it.
#[derive(Debug, Clone)]
pub struct DynamoChats {
    pub(crate) table: Table,
    /// The listing of the chat that was read or written last, by its conversation and `rev`. Whoever changes a chat has just
    /// read it, so that the change is told at the first try what it replaces. Where it is wrong the table refuses.
    last: Arc<Mutex<Option<(ConversationId, u64, Listing)>>>,
    /// The thread whose chat was read last, and where it led, if that was nowhere: the chat there is gone by its age.
    astray: Arc<Mutex<Option<(ConversationId, ConversationId)>>>,
}

impl DynamoChats {
    /// Chats in the table of `store`, over its service.
    #[must_use]
    pub fn beside(store: &DynamoStore) -> Self {
        Self { table: store.table.clone(), last: Arc::default(), astray: Arc::default() }
    }

    /// A store over the table of this name, reached through a service that was made elsewhere, e.g. with an interceptor.
    #[must_use]
    pub fn over(service: Service, table_name: impl Into<String>) -> Self {
        let table = Table { service, name: table_name.into(), kept: kept::USUAL };
        Self { table, last: Arc::default(), astray: Arc::default() }
    }

    fn note(&self, record: &ChatRecord) {
        let noted = (record.chat.conversation(), record.chat.rev, Listing::from(record));
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(noted);
    }

    fn noted(&self, conversation: ConversationId, rev: u64) -> Option<Listing> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(of, at, _)| (*of, *at) == (conversation, rev)).map(|(.., listing)| listing.clone())
    }

    /// Puts items together, reading the parts of those that are too long for one item: one call more if there are such.
    async fn whole<E: InParts>(&self, items: Vec<(Key, E)>) -> Result<Vec<E::Whole>, PortError> {
        let parts = items.iter().flat_map(|(key, item)| (1..=item.parts()).map(|part| key.part(part)));
        let found = self.table.get_all(parts).await?;
        items.into_iter().map(|(key, item)| item.join(&key, &found)).collect()
    }

    /// The current chats of conversations, in the order of the conversations.
    async fn records(&self, conversations: BTreeSet<ConversationId>) -> Result<Vec<ChatRecord>, PortError> {
        let keys: Vec<_> = conversations.into_iter().map(Key::chat).collect();
        let found = self.table.get_all(keys.iter().cloned()).await?;
        // A mark may be left of a chat that its thread has left.
        let chats = keys.iter().filter_map(|key| found.item(key)).filter(|item| !is_lead(item));
        chats.map(record_of).collect()
    }

    /// What stands in place of a conversation's current chat, and what is noted under the name of a sentence.
    async fn current(
        &self,
        conversation: ConversationId,
        said: Option<(Direction, &SentenceId)>,
    ) -> Result<(Option<Item>, Option<Item>), PortError> {
        let key = Key::chat(conversation);
        let said = said.map(|(direction, id)| Key::said(conversation, direction, id));
        let found = self.table.get_all(said.iter().chain([&key]).cloned()).await?;
        Ok((found.item(&key), said.and_then(|key| found.item(&key))))
    }

    /// Reserves numbers of a stream, which becomes due if it is not: in this partition of the index, at this time.
    pub(crate) async fn reserve_in(
        &self,
        stream: &StreamKey,
        count: u32,
        now: EpochMillis,
        due: Option<(String, EpochMillis)>,
    ) -> Result<u64, PortError> {
        let silent_since = number(now.millis().saturating_sub(i64::try_from(SILENCE.as_millis()).unwrap_or(i64::MAX)));
        for _ in 0..RACES {
            // Silence is noted while it can be seen: a reader who comes after the removal could not tell.
            for is_after_silence in [false, true] {
                let mut change = Change::update(Key::stream_head(stream));
                mark::<HeadItem>(&mut change);
                change.set(attribute::RESERVED_AT, value(now)?);
                change.add(attribute::LAST, number(count));
                if let Some((shard, at)) = &due {
                    change.set_due_if_absent(shard.clone(), *at);
                }
                let change = if is_after_silence {
                    change.copy(attribute::FLOOR, attribute::LAST);
                    change.if_at_most(attribute::RESERVED_AT, silent_since.clone())
                } else {
                    change.if_absent_or_more(attribute::RESERVED_AT, silent_since.clone())
                };
                if let Made::Yes(attributes) = self.table.make(change.returning_new()).await? {
                    let last = attributes.as_ref().and_then(|item| item.get(attribute::LAST)?.as_n().ok()?.parse::<u64>().ok());
                    let last = last.ok_or_else(|| corrupt(HeadItem::TYPE, "has no last number"))?;
                    return Ok((last + 1).saturating_sub(u64::from(count)));
                }
            }
        }
        Err(PortError::Busy)
    }

    async fn stream_head(&self, stream: &StreamKey) -> Result<Option<HeadItem>, PortError> {
        self.table.get(&Key::stream_head(stream)).await?.map(from_item).transpose()
    }

    /// Where the kept entries of a stream begin, looked for behind number `from`.
    ///
    /// One call if what comes first is kept. Otherwise there may be as much before it as was told in a day and a half:
    /// numbers rise with time, so the place is found by halves.
    async fn edge(&self, stream: &StreamKey, from: u64, last: u64, now: EpochMillis) -> Result<Edge, PortError> {
        let mut edge = Edge { gone: from, oldest: None };
        let (mut probe, mut end) = (from + 1, last);
        while probe <= end {
            let item = self.table.page(&Range::entries(stream, probe, end), Some(1), None).await?.0.pop();
            match item.map(from_item::<EntryItem>).transpose()? {
                Some(entry) if entry.valid_until <= now => edge.gone = entry.seq,
                Some(entry) => (edge.oldest, end) = (Some(entry.seq), probe - 1),
                None => end = probe - 1,
            }
            probe = edge.gone + (end - edge.gone).div_ceil(2).max(1);
        }
        Ok(edge)
    }
}

/// Where the kept entries of a stream begin.
struct Edge {
    /// The last number known to be gone.
    gone: u64,
    /// The first that is kept.
    oldest: Option<u64>,
}

#[async_trait]
impl Chats for DynamoChats {
    async fn chat(
        &self,
        conversation: ConversationId,
        said: Option<(Direction, &SentenceId)>,
    ) -> Result<Option<(ChatRecord, SaidBefore)>, PortError> {
        let (mut item, mut noted) = self.current(conversation, said).await?;
        let mut astray = None;
        if let Some(lead) = item.take_if(|item| is_lead(item)) {
            // A prepared chat's conversation is no thread's own, so this leads no further.
            let leads_to = from_item::<LeadItem>(lead)?.leads_to;
            (item, noted) = self.current(leads_to, said).await?;
            astray = item.is_none().then_some((conversation, leads_to));
        }
        *self.astray.lock().unwrap_or_else(PoisonError::into_inner) = astray;
        let Some(record) = item.map(record_of).transpose()? else { return Ok(None) };
        self.note(&record);
        let said = noted.map(from_item::<SaidItem>).transpose()?;
        let places = said.map(|said| said.places).unwrap_or_default();
        let keys: Vec<_> = places.iter().filter_map(|place| Key::at_place(record.chat.id, place)).collect();
        let found = self.table.get_all(keys.iter().cloned()).await?;
        let mut stored = Vec::new();
        let mut seen = HashSet::new();
        // The same words twice at the same time are noted twice if they have no number.
        for key in keys.into_iter().filter(|key| seen.insert(key.clone())) {
            if let Some(item) = found.item(&key) {
                stored.push((key, from_item::<SentenceItem>(item)?));
            }
        }
        let sentences = self.whole(stored).await?;
        let open = sentences.iter().filter(|sentence| sentence.counter > 0 && sentence.confirmed_at.is_none());
        let unconfirmed = open.map(|sentence| sentence.counter).collect();
        Ok(Some((record, SaidBefore { sentences, unconfirmed })))
    }

    async fn sentences(&self, chat: ChatId, first: u64, last: u64) -> Result<Vec<Sentence>, PortError> {
        if first > last {
            return Ok(Vec::new());
        }
        let items = self.table.range(&Range::sentences(chat, first, last), None).await?;
        self.whole(keyed::<SentenceItem>(items)?).await
    }

    async fn reserve(&self, stream: &StreamKey, count: u32, now: EpochMillis) -> Result<u64, PortError> {
        self.reserve_in(stream, count, now, None).await
    }

    async fn reserve_pushed(
        &self,
        gateway: &AccountId,
        count: u32,
        now: EpochMillis,
        due_at: EpochMillis,
    ) -> Result<u64, PortError> {
        let due = Some((keys::push_due_shard(gateway), due_at));
        self.reserve_in(&StreamKey::Gateway(gateway.clone()), count, now, due).await
    }

    async fn save(&self, change: &ChatChange) -> Result<ChatSaved, PortError> {
        let before = change.expected_rev.and_then(|rev| self.noted(change.record.chat.conversation(), rev));
        let conversation = change.record.chat.conversation();
        let astray = *self.astray.lock().unwrap_or_else(PoisonError::into_inner);
        let leads_to = astray.filter(|(thread, _)| *thread == conversation).map(|(_, leads_to)| leads_to);
        let mut write = Write::new(change, before, leads_to, self.table.kept)?;
        for _ in 0..RACES {
            let Outcome::Cancelled(verdicts) = self.table.transact_made(&|| write.changes()).await? else {
                self.note(&change.record);
                return Ok(ChatSaved::Yes);
            };
            if let Some(saved) = write.learn(verdicts)? {
                return Ok(saved);
            }
        }
        Err(PortError::Busy)
    }

    async fn tell(
        &self,
        told: &[(StreamKey, StreamEntry)],
        guards: &[Guard],
        now: EpochMillis,
    ) -> Result<Option<GuardRefusal>, PortError> {
        if told.is_empty() && guards.is_empty() {
            return Ok(None);
        }
        check_size(told.iter().map(|(_, entry)| entry.body.len()).sum())?;
        let changes = || {
            let mut changes = guard_changes(guards, now)?;
            changes.extend(entry_puts(told)?);
            Ok(changes)
        };
        match self.table.transact_made(&changes).await? {
            Outcome::Stored => Ok(None),
            Outcome::Cancelled(verdicts) => {
                refusal(guards, &verdicts)?.map(Some).ok_or_else(|| corrupt("cancellation", "names no refused change"))
            }
        }
    }

    async fn result(&self, gateway: &AccountId, id: &ResultId, now: EpochMillis) -> Result<Option<StoredResult>, PortError> {
        // A batch of one: every function that moves chats has the right to it.
        let key = Key::result(gateway, id);
        let found = self.table.get_all([key.clone()]).await?;
        let stored = found.item(&key).map(|item| from_item::<ResultItem>(item)?.try_into()).transpose()?;
        Ok(stored.filter(|stored: &StoredResult| stored.kept_until > now))
    }

    async fn save_result(&self, change: &ResultChange, guards: &[Guard], now: EpochMillis) -> Result<ChatSaved, PortError> {
        let changes = || {
            let mut changes = guard_changes(guards, now)?;
            changes.push(result_put(change, now)?);
            changes.extend(result_marks(&change.result)?);
            Ok(changes)
        };
        match self.table.transact_made(&changes).await? {
            Outcome::Stored => Ok(ChatSaved::Yes),
            Outcome::Cancelled(verdicts) => Ok(refusal(guards, &verdicts)?.map_or(ChatSaved::Conflict, ChatSaved::Refused)),
        }
    }

    async fn head(&self, stream: &StreamKey, now: EpochMillis) -> Result<StreamHead, PortError> {
        let Some(head) = self.stream_head(stream).await? else { return Ok(StreamHead { last: 0, oldest: 1 }) };
        let oldest = self.edge(stream, floor(&head, now), head.last, now).await?.oldest;
        Ok(StreamHead { last: head.last, oldest: oldest.unwrap_or(head.last + 1) })
    }

    async fn read(&self, stream: &StreamKey, after: u64, max: usize, now: EpochMillis) -> Result<StreamRead, PortError> {
        let range = Range::stream(stream, after.saturating_add(1));
        let mut entries = Vec::new();
        let mut head: Option<HeadItem> = None;
        let mut wanted = 0;
        let mut from = None;
        loop {
            // One entry more tells whether there is more, and the head ends the query.
            let limit = max.saturating_sub(wanted) + 2;
            let (items, next) = self.table.page(&range, Some(limit), from).await?;
            let is_cut = items.len() < limit;
            for item in items {
                if items::entity_type(&item) == Some(HeadItem::TYPE) {
                    head = Some(from_item(item)?);
                } else {
                    let entry: EntryItem = from_item(item)?;
                    wanted += usize::from(!entry.is_delivered);
                    entries.push(entry);
                }
            }
            from = next;
            // A megabyte is a page, however few entries that is.
            if from.is_none() || wanted > max || (is_cut && wanted > 0) {
                break;
            }
        }

        let is_expired = entries.first().is_some_and(|first| first.valid_until <= now);
        let is_next = entries.first().is_some_and(|first| first.seq == after + 1);
        if is_expired || !is_next {
            // What is missing was never used, is about to be written, or has been removed.
            if head.is_none() && from.is_some() {
                head = self.stream_head(stream).await?;
            }
            if let Some(head) = head {
                let floor = floor(&head, now);
                if is_expired || after < floor {
                    let edge = self.edge(stream, floor.max(after), head.last, now).await?;
                    return Ok(StreamRead::Expired { next: edge.oldest.map_or(edge.gone, |oldest| oldest - 1) });
                }
            }
        }
        let is_end = !cut(&mut entries) && from.is_none();
        let entries = entries.into_iter().map(|entry| (Key::entry(stream, entry.seq), entry)).collect();
        Ok(StreamRead::Page(page(after, max, now, self.whole(entries).await?, is_end)))
    }

    async fn entries(&self, stream: &StreamKey, seqs: &[u64]) -> Result<Vec<StreamEntry>, PortError> {
        let keys: Vec<_> = seqs.iter().map(|seq| Key::entry(stream, *seq)).collect();
        let found = self.table.get_all(keys.iter().cloned()).await?;
        let mut entries = Vec::new();
        for key in keys {
            if let Some(item) = found.item(&key) {
                entries.push((key, from_item::<EntryItem>(item)?));
            }
        }
        self.whole(entries).await
    }

    async fn of_gateway(&self, gateway: &AccountId, closed_after: Option<EpochMillis>) -> Result<Vec<ChatRecord>, PortError> {
        let (active, closed) = (Range::active(gateway), closed_after.map(|after| Range::closed(gateway, after)));
        let closed = async {
            match &closed {
                Some(range) => self.table.range(range, None).await,
                None => Ok(Vec::new()),
            }
        };
        let (active, closed) = try_join(self.table.range(&active, None), closed).await?;
        let conversations = active.into_iter().chain(closed).map(marked).collect::<Result<_, _>>()?;
        let mut records = self.records(conversations).await?;
        // The lists were read before the chats.
        records.retain(|record| Listing::from(record).closed_at.is_none_or(|at| closed_after.is_some_and(|after| at > after)));
        Ok(records)
    }

    async fn of_agent(&self, desk: &AccountId, agent: &AgentId) -> Result<Vec<ChatRecord>, PortError> {
        match self.table.get(&Key::agent(desk, agent)).await? {
            Some(item) => self.records(from_item::<AgentItem>(item)?.chats).await,
            None => Ok(Vec::new()),
        }
    }

    async fn waiting(&self, desk: &AccountId, limit: usize) -> Result<Vec<ConversationId>, PortError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        self.table.range(&Range::waiting(desk), Some(limit)).await?.into_iter().map(marked).collect()
    }

    async fn agents(&self, desk: &AccountId) -> Result<Vec<AgentSeen>, PortError> {
        let items = self.table.range(&Range::agents(desk), None).await?;
        items.into_iter().map(|item| from_item::<AgentItem>(item)?.try_into()).collect()
    }

    async fn note_presence(
        &self,
        desk: &AccountId,
        agent: &AgentId,
        presence: &Presence,
        now: EpochMillis,
    ) -> Result<(), PortError> {
        let mut change = Change::update(Key::agent(desk, agent));
        mark::<AgentItem>(&mut change);
        change.set(attribute::AGENT, value(agent)?);
        for (name, value) in presence_attributes(presence)? {
            change.assign(name, value);
        }
        change.set(attribute::SEEN_AT, value(now)?);
        self.table.make(change).await?;
        Ok(())
    }

    async fn note_seen(
        &self,
        desk: &AccountId,
        agent: &AgentId,
        workplace: &Workplace,
        now: EpochMillis,
    ) -> Result<(), PortError> {
        let mut change = Change::update(Key::agent(desk, agent));
        change.set(attribute::SEEN_AT, value(now)?);
        // Who is logged out is at no workplace.
        self.table.make(change.if_is(attribute::WORKPLACE, Some(value(workplace)?))).await?;
        Ok(())
    }

    async fn overdue(&self, now: EpochMillis, limit: usize) -> Result<Vec<ConversationId>, PortError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let shards = try_join_all(keys::chat_due_shards().map(|shard| self.table.due(shard, now, limit))).await?;
        let mut due = Vec::new();
        for item in shards.into_iter().flatten() {
            let conversation = Key::of(&item).and_then(|key| key.as_chat());
            due.push(keys::due_at(&item).zip(conversation).ok_or_else(|| corrupt("due chat", "its key does not fit"))?);
        }
        due.sort();
        due.truncate(limit);
        Ok(due.into_iter().map(|(_, conversation)| conversation).collect())
    }
}

#[async_trait]
impl PushStates for DynamoChats {
    async fn claim(&self, gateway: &AccountId, lease: &PushLease, now: EpochMillis) -> Result<Option<PushClaim>, PortError> {
        let mut change = Change::update(Key::stream_head(&StreamKey::Gateway(gateway.clone())));
        change.set(attribute::LEASE, value(&lease.holder)?);
        change.set(attribute::LEASE_UNTIL, value(lease.until)?);
        change.assign_due(keys::push_due_shard(gateway), Some(lease.due_at));
        let change = change.if_present().if_free_for(value(&lease.holder)?, value(now)?);
        match self.table.make(change.returning_all()).await? {
            Made::Yes(item) => {
                let item = item.ok_or_else(|| corrupt(HeadItem::TYPE, "is not returned"))?;
                Ok(Some(from_item::<HeadItem>(item)?.into()))
            }
            Made::No(_) => Ok(None),
        }
    }

    async fn keep(&self, gateway: &AccountId, holder: &str, state: &PushState, next: PushNext) -> Result<Saved, PortError> {
        let mut change = Change::update(Key::stream_head(&StreamKey::Gateway(gateway.clone())));
        for (name, value) in push_attributes(state)? {
            change.assign(name, value);
        }
        // Who leaves stays named: a repetition of this write after a lost answer still finds its own lease.
        let mut change = change.if_is(attribute::LEASE, Some(value(holder)?));
        match next {
            PushNext::Hold => {}
            PushNext::Rest { until, due_at } => {
                change.set(attribute::LEASE_UNTIL, value(until)?);
                change.assign_due(keys::push_due_shard(gateway), Some(due_at));
            }
            PushNext::Done { last } => {
                change.remove(attribute::LEASE_UNTIL);
                change.assign_due(keys::push_due_shard(gateway), None);
                if let Some(last) = last {
                    change = change.if_is(attribute::LAST, Some(number(last)));
                }
            }
        }
        Ok(saved(&self.table.make(change).await?))
    }

    async fn pushes_due(&self, now: EpochMillis, limit: usize) -> Result<Vec<(AccountId, EpochMillis)>, PortError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let shards = try_join_all(keys::push_due_shards().map(|shard| self.table.due(shard, now, limit))).await?;
        let mut due = Vec::new();
        for item in shards.into_iter().flatten() {
            let gateway = Key::of(&item).and_then(|key| key.as_gateway_stream());
            due.push(gateway.zip(keys::due_at(&item)).ok_or_else(|| corrupt("due stream", "its key does not fit"))?);
        }
        due.sort_by(|(a, a_at), (b, b_at)| a_at.cmp(b_at).then_with(|| a.cmp(b)));
        due.truncate(limit);
        Ok(due)
    }

    async fn postpone_push(&self, gateway: &AccountId, from: EpochMillis, to: EpochMillis) -> Result<Saved, PortError> {
        let mut change = Change::update(Key::stream_head(&StreamKey::Gateway(gateway.clone())));
        change.assign_due(keys::push_due_shard(gateway), Some(to));
        Ok(saved(&self.table.make(change.if_due_at(from)).await?))
    }
}

pub(crate) fn record_of(item: Item) -> Result<ChatRecord, PortError> {
    from_item::<ChatItem>(item)?.try_into()
}

/// Whether this stands in place of the chat of a thread that was bound.
pub(crate) fn is_lead(item: &Item) -> bool {
    items::entity_type(item) == Some(LeadItem::TYPE)
}

fn marked(item: Item) -> Result<ConversationId, PortError> {
    Ok(from_item::<MarkItem>(item)?.conversation)
}

/// Items with where they stand.
fn keyed<E: Entity>(items: Vec<Item>) -> Result<Vec<(Key, E)>, PortError> {
    let keyed = |item: Item| {
        let key = Key::of(&item).ok_or_else(|| corrupt(E::TYPE, "its key does not fit"))?;
        Ok((key, from_item(item)?))
    };
    items.into_iter().map(keyed).collect()
}

/// The number up to which nothing of a stream is kept, whether its items are still there or not.
fn floor(head: &HeadItem, now: EpochMillis) -> u64 {
    if head.reserved_at.plus(SILENCE) <= now { head.last } else { head.floor }
}

/// The page that these entries are: what follows number `after`, in order, up to the end of the stream or not.
fn page(after: u64, max: usize, now: EpochMillis, stored: Vec<StreamEntry>, is_end: bool) -> StreamPage {
    let mut page = StreamPage { entries: Vec::new(), next: after, has_more: !is_end };
    for entry in stored {
        if page.next + 1 < entry.seq && now < entry.at.plus(GIVEN_UP) {
            page.has_more = false;
            return page;
        }
        while page.next + 1 < entry.seq && page.entries.len() < max {
            page.next += 1;
            page.entries.push(StreamEntry {
                seq: page.next,
                at: entry.at,
                is_delivered: false,
                is_volatile: false,
                offer: None,
                body: bytes::Bytes::new(),
            });
        }
        let has_room = page.entries.len() < max || entry.is_delivered;
        if page.next + 1 < entry.seq || !has_room {
            page.has_more = true;
            return page;
        }
        page.next = entry.seq;
        if !entry.is_delivered {
            page.entries.push(entry);
        }
    }
    page
}

/// Leaves off what is too long to be read together with what is before it. Whether anything was.
fn cut(entries: &mut Vec<EntryItem>) -> bool {
    let mut parts = 0;
    let fits = entries.iter().take_while(|entry| {
        parts += entry.parts();
        parts <= PAGE_PARTS || parts == entry.parts()
    });
    let count = fits.count();
    let is_cut = count < entries.len();
    entries.truncate(count);
    is_cut
}

fn check_size(size: usize) -> Result<(), PortError> {
    if size > LONGEST_CHANGE { Err(PortError::TooLarge { limit: LONGEST_CHANGE }) } else { Ok(()) }
}

pub(crate) fn entry_puts(told: &[(StreamKey, StreamEntry)]) -> Result<Vec<Change>, PortError> {
    let mut puts = Vec::new();
    for (stream, entry) in told {
        let items = EntryItem::items(&Key::entry(stream, entry.seq), entry, entry.at.plus(KEPT), entry.at.plus(REMOVED))?;
        puts.extend(items.into_iter().map(|(key, item)| Change::put(key, item)));
    }
    Ok(puts)
}

/// The mark that names a chat in a list.
fn mark_put(key: Key, conversation: ConversationId, until: Option<EpochMillis>) -> Result<Change, PortError> {
    Ok(Change::put(key, to_item(&MarkItem { conversation, expires_at: until.map(items::clean_up_at) })?))
}

/// A change on its way to the table, with what is believed or known of the items it touches.
struct Write<'a> {
    change: &'a ChatChange,
    /// The chat's item.
    chat: Item,
    /// The last word on each agent: a transaction names an item once.
    agents: Vec<&'a AgentChange>,
    /// Places of new sentences, by where they are noted.
    said: Vec<(Key, Vec<String>)>,
    /// Sentences to be confirmed.
    confirmed: Vec<(Key, EpochMillis)>,
    /// Where the chat is listed before the change, if there was one.
    before: Option<Listing>,
    /// Places that are noted already, where there are too many of them.
    noted: HashMap<Key, Vec<String>>,
    /// The receipt, as long as it may be owed.
    receipt: Option<&'a OwedReceipt>,
    /// Where the thread leads whose new chat this is, if there is nothing any more.
    leads_to: Option<ConversationId>,
    /// How long what is said is kept.
    kept: Kept,
}

impl<'a> Write<'a> {
    /// `before` is where the chat is believed to be listed; without it, where it will be.
    fn new(
        change: &'a ChatChange,
        before: Option<Listing>,
        leads_to: Option<ConversationId>,
        kept: Kept,
    ) -> Result<Self, PortError> {
        let id = change.record.chat.id;
        let mut agents: Vec<&AgentChange> = Vec::new();
        for next in &change.agents {
            agents.retain(|before| whose(before) != whose(next));
            agents.push(next);
        }
        let mut said: Vec<(Key, Vec<String>)> = Vec::new();
        for sentence in &change.sentences {
            let key = Key::said(id.conversation(), sentence.direction, &sentence.id);
            let place = Key::sentence(id, sentence).place().to_owned();
            match said.iter_mut().find(|(known, _)| *known == key) {
                Some((_, places)) => places.push(place),
                None => said.push((key, vec![place])),
            }
        }
        let mut counters: HashSet<_> = change.sentences.iter().map(|sentence| sentence.counter).collect();
        let later = change.confirmed.iter().filter(|(_, _, counter, _)| counters.insert(*counter));
        let confirmed = later.map(|(_, _, counter, at)| (Key::transcript(id, *counter), *at)).collect();

        let texts = change.sentences.iter().map(|sentence| sentence.text.len());
        let bodies = change.told.iter().map(|(_, entry)| entry.body.len());
        let item = ChatItem::try_from(&change.record)?;
        let relayed = change.relay.iter().flat_map(|relay| &relay.messages).map(|message| message.content.text.len());
        check_size(item.body.len() + texts.chain(bodies).chain(relayed).sum::<usize>())?;
        let mut chat = to_item(&item)?;
        if let Some(at) = change.record.chat.timer_at {
            chat.insert(keys::DUE_SHARD.to_owned(), AttributeValue::S(keys::chat_due_shard(id.conversation())));
            chat.insert(keys::DUE_AT.to_owned(), number(at.millis()));
        }
        let before = change.expected_rev.map(|_| before.unwrap_or_else(|| Listing::from(&change.record)));
        let (noted, receipt) = (HashMap::new(), change.receipt.as_ref());
        Ok(Self { change, chat, agents, said, confirmed, before, noted, receipt, leads_to, kept })
    }

    /// What has a condition first, in the order in which it is looked at; then whatever has none.
    fn changes(&self) -> Result<Vec<Change>, PortError> {
        let mut changes = guard_changes(&self.change.guards, self.change.now)?;
        changes.push(self.chat_put()?);
        changes.extend(self.bind_put()?);
        for result in &self.change.results {
            changes.push(result_put(result, self.change.now)?);
        }
        for agent in &self.agents {
            changes.push(self.agent_update(agent)?);
        }
        for (key, places) in &self.said {
            changes.push(self.said_change(key, places)?);
        }
        for (key, at) in &self.confirmed {
            let mut confirm = Change::update(key.clone());
            // The first time wins.
            confirm.set_if_absent(attribute::CONFIRMED_AT, value(at)?);
            changes.push(confirm.if_present());
        }
        if let Some(receipt) = self.receipt {
            changes.extend(receipt_changes(receipt, self.kept)?);
        }
        if let Some(relay) = &self.change.relay {
            changes.extend(relay_changes(relay, self.kept, self.change.now)?);
        }
        changes.extend(self.mark_changes()?);
        changes.extend(self.sentence_puts()?);
        changes.extend(entry_puts(&self.change.told)?);
        for result in &self.change.results {
            changes.extend(result_marks(&result.result)?);
        }
        Ok(changes)
    }

    /// What the table says to it: what came of it, or nothing if it is to be tried again with what is known by now.
    fn learn(&mut self, verdicts: Vec<Verdict>) -> Result<Option<ChatSaved>, PortError> {
        if let Some(refusal) = refusal(&self.change.guards, &verdicts)? {
            return Ok(Some(ChatSaved::Refused(refusal)));
        }
        let mut verdicts = verdicts.into_iter().skip(self.change.guards.len());
        if let Some(Verdict::Refused(item)) = verdicts.next() {
            let Some(expected) = self.change.expected_rev else { return Ok(Some(ChatSaved::Conflict)) };
            let item = item.map(from_item::<ChatItem>).transpose()?;
            let Some(item) = item.filter(|item| item.rev == expected) else { return Ok(Some(ChatSaved::Conflict)) };
            self.before = Some(item.listing());
            return Ok(None);
        }
        if self.change.bind.is_some() && verdicts.next().is_some_and(|verdict| verdict.is_refusal()) {
            return Ok(Some(ChatSaved::Conflict));
        }
        if verdicts.by_ref().take(self.change.results.len()).any(|verdict| verdict.is_refusal()) {
            return Ok(Some(ChatSaved::Conflict));
        }
        let count = self.agents.len() + self.confirmed.len();
        let mut kept = Vec::new();
        for (agent, verdict) in std::mem::take(&mut self.agents).into_iter().zip(verdicts.by_ref()) {
            match agent {
                AgentChange::Take { agent, .. } if verdict.is_refusal() => return Ok(Some(ChatSaved::AgentTaken(agent.clone()))),
                // Who does not have the chat is not rid of it.
                AgentChange::Release { .. } if verdict.is_refusal() => {}
                AgentChange::Take { .. } | AgentChange::Release { .. } => kept.push(agent),
            }
        }
        self.agents = kept;
        let mut is_wiser = false;
        for ((key, _), verdict) in self.said.iter().zip(verdicts.by_ref()) {
            if let Verdict::Refused(item) = verdict {
                let places = item.map(from_item::<SaidItem>).transpose()?.map(|said| said.places);
                self.noted.insert(key.clone(), places.unwrap_or_default());
                is_wiser = true;
            }
        }
        // A confirmation of what is not there is none.
        self.confirmed.retain(|_| !verdicts.next().is_some_and(|verdict| verdict.is_refusal()));
        if let Some(owed) = self.receipt {
            let of = receipt_changes(owed, self.kept)?.len();
            // Nobody is told less than before, nor of what is not there.
            if verdicts.by_ref().take(of).filter(Verdict::is_refusal).count() > 0 {
                self.receipt = None;
                is_wiser = true;
            }
        }
        if self.change.relay.is_some()
            && let Some(Verdict::Refused(found)) = verdicts.next()
        {
            return Ok(Some(ChatSaved::Stale(found.map(conversation_of).transpose()?.map(Box::new))));
        }
        if is_wiser || self.agents.len() + self.confirmed.len() < count {
            return Ok(None);
        }
        Err(corrupt("cancellation", "names no refused change"))
    }

    fn chat_put(&self) -> Result<Change, PortError> {
        let mut put = Change::put(Key::chat(self.change.record.chat.conversation()), self.chat.clone());
        // A chat that goes on has no end. One that is closed is still there when its last sentence is gone: a new one that
        // begins in its place counts on, so that their sentences never stand under the same keys.
        if let Some(closed_at) = Listing::from(&self.change.record).closed_at {
            put = self.kept.end_behind(put, closed_at);
        }
        let (Some(rev), Some(before)) = (self.change.expected_rev, &self.before) else {
            return Ok(match self.leads_to {
                Some(nowhere) => put.if_is(attribute::LEADS_TO, Some(value(nowhere)?)),
                None => put.if_absent(),
            });
        };
        put = put.if_is(attribute::REV, Some(number(rev)));
        for (name, value) in before.attributes()? {
            put = put.if_is(name, value);
        }
        Ok(put)
    }

    /// Where the thread leads, in place of the chat that was current there.
    fn bind_put(&self) -> Result<Option<Change>, PortError> {
        let Some(bind) = &self.change.bind else { return Ok(None) };
        let item = to_item(&LeadItem { leads_to: self.change.record.chat.conversation() })?;
        let put = Change::put(Key::chat(bind.thread), item);
        Ok(Some(match &bind.before {
            BoundBefore::Nothing => put.if_absent(),
            BoundBefore::Chat { rev } => put.if_is(attribute::REV, Some(number(rev))),
            BoundBefore::To(conversation) => put.if_is(attribute::LEADS_TO, Some(value(conversation)?)),
        }))
    }

    fn agent_update(&self, agent: &AgentChange) -> Result<Change, PortError> {
        let conversation = self.change.record.chat.conversation();
        Ok(match agent {
            AgentChange::Take { desk, agent, capacity } => {
                let mut take = Change::update(Key::agent(desk, agent));
                take.add(attribute::CHATS, conversations(&[conversation]));
                take.if_is(attribute::PRESENCE, Some(value(READY)?)).if_room(attribute::CHATS, value(conversation)?, *capacity)
            }
            AgentChange::Release { desk, agent, at } => {
                let mut release = Change::update(Key::agent(desk, agent));
                release.take_out(attribute::CHATS, conversations(&[conversation]));
                // Says nothing of who is not ready, and is replaced when they become ready.
                release.set(attribute::IDLE_SINCE, value(at)?);
                release.if_contains(attribute::CHATS, value(conversation)?)
            }
        })
    }

    fn said_change(&self, key: &Key, places: &[String]) -> Result<Change, PortError> {
        Ok(self.kept.end(self.places(key, places)?, self.change.now))
    }

    fn places(&self, key: &Key, places: &[String]) -> Result<Change, PortError> {
        let Some(noted) = self.noted.get(key) else {
            let mut change = Change::update(key.clone());
            mark::<SaidItem>(&mut change);
            change.append(attribute::PLACES, places.iter().map(value).collect::<Result<_, _>>()?);
            return Ok(change.if_fewer(attribute::PLACES, PLACES));
        };
        let newest = noted.iter().skip(noted.len().saturating_sub(PLACES / 2));
        let item = to_item(&SaidItem { places: newest.chain(places).cloned().collect() })?;
        Ok(Change::put(key.clone(), item).if_is(attribute::PLACES, Some(value(noted)?)))
    }

    /// What changes in the lists of the gateway and of the desks.
    fn mark_changes(&self) -> Result<Vec<Change>, PortError> {
        let chat = &self.change.record.chat;
        let (conversation, gateway) = (chat.conversation(), &chat.gateway);
        let (before, after) = (self.before.as_ref(), Listing::from(&self.change.record));
        let mut changes = Vec::new();

        let was_active = before.is_some_and(|before| before.closed_at.is_none());
        match after.closed_at {
            None if !was_active => changes.push(mark_put(Key::active(gateway, conversation), conversation, None)?),
            Some(_) if was_active => changes.push(Change::delete(Key::active(gateway, conversation))),
            None | Some(_) => {}
        }
        if let Some(at) = after.closed_at.filter(|at| before.and_then(|before| before.closed_at) != Some(*at)) {
            // It stays if the chat is revived: whoever finds it sees that the chat is not closed.
            changes.push(mark_put(Key::closed(gateway, at, conversation), conversation, Some(at.plus(CLOSED_LISTED)))?);
        }

        let waited = before.and_then(|before| before.waiting.as_ref());
        let waiting = after.waiting.as_ref();
        if waited != waiting {
            if let Some((desk, from)) = waited {
                changes.push(Change::delete(Key::waiting(desk, *from, conversation)));
            }
            if let Some((desk, from)) = waiting {
                changes.push(mark_put(Key::waiting(desk, *from, conversation), conversation, None)?);
            }
        }
        Ok(changes)
    }

    fn sentence_puts(&self) -> Result<Vec<Change>, PortError> {
        let id = self.change.record.chat.id;
        let mut puts = Vec::new();
        let mut seen = HashSet::new();
        for sentence in &self.change.sentences {
            let key = Key::sentence(id, sentence);
            if !seen.insert(key.clone()) {
                continue;
            }
            let confirmed = self.change.confirmed.iter().find(|(_, _, counter, _)| *counter == sentence.counter && *counter > 0);
            let items = SentenceItem::items(&key, sentence, confirmed.map(|(.., at)| *at))?;
            for (place, (key, item)) in items.into_iter().enumerate() {
                let put = Change::put(key, item);
                // The sentence comes first, then its parts.
                let is_part = place > 0;
                let end = if is_part { self.kept.end_behind(put, self.change.now) } else { self.kept.end(put, self.change.now) };
                puts.push(end);
            }
        }
        Ok(puts)
    }
}

/// Whose load changes.
const fn whose(change: &AgentChange) -> (&AccountId, &AgentId) {
    match change {
        AgentChange::Take { desk, agent, .. } | AgentChange::Release { desk, agent, .. } => (desk, agent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: EpochMillis = EpochMillis::new(1_767_225_600_000);

    /// Entries of which one was given out already.
    fn stored(seqs: &[u64], delivered: u64) -> Vec<StreamEntry> {
        let entry = |seq: &u64| StreamEntry {
            seq: *seq,
            at: NOW,
            is_delivered: *seq == delivered,
            is_volatile: false,
            offer: None,
            body: "x".into(),
        };
        seqs.iter().map(entry).collect()
    }

    /// The page after number 4: its numbers, those without a body in brackets, its end, and whether there is more.
    fn shown(stored: Vec<StreamEntry>, max: usize, age: u64, is_end: bool) -> String {
        let page = page(4, max, NOW.plus(Duration::from_secs(age)), stored, is_end);
        let seqs: Vec<_> = page
            .entries
            .iter()
            .map(|entry| if entry.body.is_empty() { format!("({})", entry.seq) } else { entry.seq.to_string() })
            .collect();
        format!("{} to {}{}", seqs.join(" "), page.next, if page.has_more { " and more" } else { "" })
    }

    #[test]
    fn page_ends_before_a_number_that_may_still_come() {
        assert_eq!(shown(stored(&[5, 7, 8], 0), 9, 9, true), "5 to 5");
        assert_eq!(shown(stored(&[5, 7, 8], 0), 9, 10, true), "5 (6) 7 8 to 8");
        assert_eq!(shown(stored(&[6], 0), 9, 9, false), " to 4");
        assert_eq!(shown(Vec::new(), 9, 9, true), " to 4");
    }

    #[test]
    fn page_is_full_where_something_is_left_for_the_next_one() {
        assert_eq!(shown(stored(&[5, 6, 7], 0), 2, 0, true), "5 6 to 6 and more");
        assert_eq!(shown(stored(&[5, 6], 0), 2, 0, true), "5 6 to 6");
        assert_eq!(shown(stored(&[5, 6], 0), 2, 0, false), "5 6 to 6 and more");
        assert_eq!(shown(stored(&[5, 6, 7], 7), 2, 0, true), "5 6 to 7");
        assert_eq!(shown(stored(&[5, 6, 7], 5), 2, 0, true), "6 7 to 7");
        assert_eq!(shown(stored(&[5, 9], 0), 3, 10, true), "5 (6) (7) to 7 and more");
        assert_eq!(shown(stored(&[5, 7], 7), 2, 10, true), "5 (6) to 7");
        assert_eq!(shown(stored(&[5], 0), 0, 0, true), " to 4 and more");
    }
}
