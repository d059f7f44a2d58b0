//! The operations.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use model::{
    Account, AccountId, Conversation, ConversationId, Delivery, DeliveryKey, DeliveryState, Directory, EpochMillis, EventKey,
    LaneKey, Message, MessageId, ReceiptStatus, RemoteStatus, RemoteThread, StoryEntry, Tenant,
};
use ports::{
    AcceptOutcome, Acceptance, AckExpectation, AckOutcome, AckStore, AckWrite, ConversationStory, DeliveryStore, DirectoryStore,
    EventStore, Guard, GuardRefusal, InboundStore, InstallationStore, LaneSelector, LaneStore, LaneTimes, NewDelivery,
    NotedReceipt, OnceKey, Opened, OwedReceipt, PartNotes, PortError, ReceiptOutcome, Relay, Saved, StatusStore, StoryStore,
    ThreadNote, ThreadStore, Transition, WorkItem,
};

use crate::DynamoStore;
use crate::change::{Change, Made, number};
use crate::items::{
    self, AccountItem, AnswerItem, ConversationItem, DeliveryItem, EventItem, InstallationItem, LaneItem, MessageItem,
    MessagePartItem, OnceItem, StoryItem, TenantItem, ThreadItem, attribute, corrupt, from_item, to_item, value,
};
use crate::kept::Kept;
use crate::keys::{self, Item, Key, StoryMark};
use crate::table::{Outcome, Verdict};

/// Changes of one transaction (DynamoDB, "TransactWriteItems").
const TRANSACTION: usize = 100;

/// How often a thread is looked at again because it changed between two calls.
const RACES: usize = 8;

#[async_trait]
impl DirectoryStore for DynamoStore {
    async fn directory(&self) -> Result<Directory, PortError> {
        let mut directory = Directory::default();
        for item in self.table.partition(keys::directory()).await? {
            if items::entity_type(&item) == Some(<TenantItem as items::Entity>::TYPE) {
                let tenant = Tenant::try_from(from_item::<TenantItem>(item)?)?;
                directory.tenants.insert(tenant.id.clone(), tenant);
            } else {
                let account = Account::try_from(from_item::<AccountItem>(item)?)?;
                directory.accounts.insert(account.id.clone(), account);
            }
        }
        Ok(directory)
    }

    async fn configure(&self, tenant: &Tenant, accounts: &[Account]) -> Result<(), PortError> {
        // One transaction holds 99 accounts beside the tenant. More of them are stored before it, so that its routes
        // never name an account that is not there.
        let (last, before) = accounts.split_at(accounts.len().min(TRANSACTION - 1));
        for some in before.chunks(TRANSACTION) {
            self.table.transact(some.iter().map(account_change).collect::<Result<_, _>>()?).await?;
        }
        let mut changes = vec![Change::put(Key::tenant(&tenant.id), to_item(&TenantItem::try_from(tenant)?)?)];
        for account in last {
            changes.push(account_change(account)?);
        }
        self.table.transact(changes).await?;
        Ok(())
    }
}

#[async_trait]
impl InboundStore for DynamoStore {
    async fn open(
        &self,
        conversation: ConversationId,
        account: &AccountId,
        installation: &str,
        now: EpochMillis,
    ) -> Result<Opened, PortError> {
        let keys = [Key::conversation(conversation), Key::installation(account, installation)];
        let found = self.table.get_all(keys.iter().cloned()).await?;
        let [conversation, installation] = keys.map(|key| found.item(&key));
        Ok(Opened {
            conversation: conversation.map(conversation_of).transpose()?,
            installation: installation_status(installation, now)?,
        })
    }

    async fn accept(&self, acceptance: &Acceptance) -> Result<AcceptOutcome, PortError> {
        let guards = &acceptance.guards;
        let Outcome::Cancelled(verdicts) = self.table.transact_made(&|| acceptance_changes(acceptance, self.table.kept)).await?
        else {
            return Ok(AcceptOutcome::Stored);
        };
        if let Some(refusal) = refusal(guards, &verdicts)? {
            return Ok(AcceptOutcome::Refused(refusal));
        }
        let mut verdicts = verdicts.into_iter().skip(guards.len());
        for verdict in verdicts.by_ref().take(longest_kept(&acceptance.events).len()) {
            if let Verdict::Refused(Some(item)) = verdict {
                return Ok(AcceptOutcome::Duplicate(from_item::<EventItem>(item)?.message));
            }
        }
        match verdicts.next() {
            Some(Verdict::Refused(found)) => Ok(AcceptOutcome::Stale(found.map(conversation_of).transpose()?.map(Box::new))),
            Some(Verdict::Holds) | None => Err(corrupt("cancellation", "names no refused change")),
        }
    }

    async fn events(
        &self,
        account: &AccountId,
        keys: &[EventKey],
        now: EpochMillis,
    ) -> Result<Vec<Option<MessageId>>, PortError> {
        let keys: Vec<_> = keys.iter().map(|key| Key::event(account, key)).collect();
        let found = self.table.get_all(keys.iter().cloned()).await?;
        keys.iter().map(|key| named_message(found.item(key), now)).collect()
    }

    async fn guard(&self, guards: &[Guard], now: EpochMillis) -> Result<Option<GuardRefusal>, PortError> {
        if guards.is_empty() {
            return Ok(None);
        }
        // A transaction even for one: its repetition after a lost answer must not be refused by its own work.
        match self.table.transact(guard_changes(guards, now)?).await? {
            Outcome::Stored => Ok(None),
            Outcome::Cancelled(verdicts) => refusal(guards, &verdicts),
        }
    }
}

#[async_trait]
impl EventStore for DynamoStore {
    async fn event(&self, account: &AccountId, key: &EventKey, now: EpochMillis) -> Result<Option<MessageId>, PortError> {
        named_message(self.table.get(&Key::event(account, key)).await?, now)
    }
}

#[async_trait]
impl AckStore for DynamoStore {
    async fn acknowledge(&self, ack: &AckWrite) -> Result<AckOutcome, PortError> {
        let mut changes = guard_changes(&ack.guards, ack.story.at)?;
        let delivery_at = changes.len();
        let mut delivery = Change::update(Key::delivery(&ack.delivery));
        for (name, value) in items::state_attributes(&ack.state)? {
            delivery.assign(name, value);
        }
        delivery.increment(attribute::REV);
        if let Some(reference) = &ack.reference {
            delivery.set(attribute::REFERENCE, value(reference)?);
        }
        let entry = story_item(&ack.delivery, &ack.story)?;
        let (delivery, story) = match ack.expect {
            AckExpectation::InTime => (
                delivery
                    .if_is(attribute::STATE, Some(value("sending")?))
                    .if_at_least(attribute::DEADLINE, number(ack.story.at.millis())),
                content_story_key(&ack.delivery, &ack.story)?,
            ),
            AckExpectation::Rev(rev) => {
                (delivery.if_is(attribute::REV, Some(number(rev))), Key::story(&ack.delivery, ack.story.at, StoryMark::Rev(rev)))
            }
        };
        changes.push(match &ack.route {
            Some(route) => delivery.if_is(attribute::ROUTE, Some(value(route)?)),
            None => delivery,
        });
        let kept = self.table.kept;
        changes.push(kept.end(Change::put(story, entry), ack.story.at));
        changes.extend(alias_change(&ack.delivery, ack.alias.as_ref(), kept, ack.story.at)?);

        let Outcome::Cancelled(verdicts) = self.table.transact(changes).await? else { return Ok(AckOutcome::Stored) };
        if let Some(refusal) = refusal(&ack.guards, &verdicts)? {
            return Ok(AckOutcome::Refused(refusal));
        }
        match verdicts.into_iter().nth(delivery_at) {
            Some(Verdict::Refused(item)) => Ok(AckOutcome::Otherwise(item.map(delivery_of).transpose()?.map(Box::new))),
            Some(Verdict::Holds) | None => Err(corrupt("cancellation", "names no refused change")),
        }
    }
}

#[async_trait]
impl DeliveryStore for DynamoStore {
    async fn work(
        &self,
        lane: &LaneKey,
        which: LaneSelector,
        installation: Option<&str>,
        now: EpochMillis,
    ) -> Result<Option<WorkItem>, PortError> {
        let entry = match which {
            LaneSelector::Entry(entry) => entry,
            LaneSelector::Head => {
                let item = self.table.get(&Key::lane(lane)).await?;
                let Some(head) = item.map(items::lane).transpose()?.and_then(|lane| lane.head()) else { return Ok(None) };
                head
            }
        };
        let Some(delivery) = entry.delivery(lane) else { return Ok(None) };
        let keys =
            [Key::lane(lane), Key::conversation(lane.conversation), Key::delivery(&delivery), Key::message(delivery.message)];
        let installation = installation.map(|id| Key::installation(&lane.recipient, id));
        let found = self.table.get_all(keys.iter().chain(&installation).cloned()).await?;
        let [lane, conversation, delivery, message] = keys.map(|key| found.item(&key));
        let (Some(lane), Some(conversation), Some(delivery), Some(message)) = (lane, conversation, delivery, message) else {
            return Ok(None);
        };
        let message: MessageItem = from_item(message)?;
        let parts = self.table.get_all(message.part_keys()).await?;
        let parts = parts.into_items().map(from_item::<MessagePartItem>).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(WorkItem {
            lane: items::lane(lane)?,
            conversation: conversation_of(conversation)?,
            delivery: delivery_of(delivery)?,
            message: message.join(&parts)?,
            installation: installation_status(installation.and_then(|key| found.item(&key)), now)?,
        }))
    }

    async fn save(&self, transition: &Transition) -> Result<Saved, PortError> {
        let key = &transition.delivery.key;
        if transition.leaves_lane && transition.lane.head() != Some(key.entry()) {
            return Ok(Saved::Conflict);
        }
        let kept = self.table.kept;
        let mut changes = transition_changes(transition, kept)?;
        let at = transition.story.as_ref().map_or(transition.delivery.created_at, |story| story.at);
        changes.extend(alias_change(key, transition.alias.as_ref(), kept, at)?);
        if let Some(receipt) = &transition.receipt {
            changes.push(delivery_put(receipt, kept)?.if_absent());
            changes.extend(lane_appends(std::slice::from_ref(receipt), kept)?);
        }
        match self.table.transact(changes).await? {
            Outcome::Stored => Ok(Saved::Yes),
            // Only the receipt is refused: the same one was created before, so nothing is lost without it.
            Outcome::Cancelled(verdicts) if transition.receipt.is_some() && !verdicts.iter().take(2).any(Verdict::is_refusal) => {
                self.save(&Transition { receipt: None, ..transition.clone() }).await
            }
            Outcome::Cancelled(_) => Ok(Saved::Conflict),
        }
    }

    async fn bind(&self, lane: &LaneKey, owner: &AccountId, thread: &RemoteThread) -> Result<RemoteStatus, PortError> {
        let key = Key::thread(owner, &thread.id);
        let mut known: Option<ThreadItem> = None;
        for _ in 0..RACES {
            let status = known.as_ref().and_then(|known| heard(known, lane, owner, thread)).unwrap_or(thread.status);
            let pointer = to_item(&ThreadItem {
                status,
                changed_at: thread.changed_at,
                conversation: Some(lane.conversation),
                kind: Some(lane.kind),
                recipient: (lane.recipient != *owner).then(|| lane.recipient.clone()),
                valid_until: None,
                expires_at: None,
            })?;
            let pointer = unchanged(Change::put(key.clone(), pointer), known.as_ref())?;
            let mut remote = Change::update(Key::lane(lane));
            mark::<LaneItem>(&mut remote);
            remote.set(attribute::REMOTE_ID, value(&thread.id)?);
            remote.set(attribute::REMOTE_STATUS, value(status)?);
            remote.set(attribute::REMOTE_CHANGED_AT, value(thread.changed_at)?);
            remote.set(attribute::REMOTE_MEMO, value(&thread.memo)?);
            let remote = self.table.kept.end(remote, thread.changed_at);
            match self.table.transact(vec![pointer, remote]).await? {
                Outcome::Stored => return Ok(status),
                Outcome::Cancelled(verdicts) => known = refused_thread(verdicts)?,
            }
        }
        Err(PortError::Busy)
    }

    async fn thread(&self, lane: &LaneKey) -> Result<Option<RemoteThread>, PortError> {
        let item = self.table.get(&Key::lane(lane)).await?;
        Ok(item.map(items::lane).transpose()?.and_then(|lane| lane.remote))
    }
}

#[async_trait]
impl ThreadStore for DynamoStore {
    async fn lane_of(&self, owner: &AccountId, thread: &str) -> Result<Option<LaneKey>, PortError> {
        let item: Option<ThreadItem> = self.table.get(&Key::thread(owner, thread)).await?.map(from_item).transpose()?;
        Ok(item.and_then(|item| item.lane(owner)))
    }
}

#[async_trait]
impl LaneTimes for DynamoStore {
    async fn postpone(&self, lane: &LaneKey, from: EpochMillis, to: Option<EpochMillis>) -> Result<Saved, PortError> {
        let mut change = Change::update(Key::lane(lane));
        change.assign_due(keys::due_shard(lane.conversation), to);
        Ok(saved(&self.table.make(change.if_due_at(from)).await?))
    }
}

#[async_trait]
impl LaneStore for DynamoStore {
    async fn due(&self, now: EpochMillis, limit: usize) -> Result<Vec<(LaneKey, EpochMillis)>, PortError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let shards = try_join_all(keys::due_shards().map(|shard| self.table.due(shard, now, limit))).await?;
        let mut due = Vec::new();
        for item in shards.into_iter().flatten() {
            let lane = Key::of(&item).and_then(|key| key.as_lane());
            due.push(lane.zip(keys::due_at(&item)).ok_or_else(|| corrupt("due lane", "its key does not fit"))?);
        }
        due.sort_by(|(a, a_at), (b, b_at)| a_at.cmp(b_at).then_with(|| a.cmp(b)));
        due.truncate(limit);
        Ok(due)
    }
}

#[async_trait]
impl InstallationStore for DynamoStore {
    async fn note_installation(
        &self,
        account: &AccountId,
        installation: &str,
        status: RemoteStatus,
        now: EpochMillis,
        keep: Option<Duration>,
    ) -> Result<Saved, PortError> {
        let valid_until = keep.map(|keep| now.plus(keep));
        let mut note = Change::update(Key::installation(account, installation));
        mark::<InstallationItem>(&mut note);
        note.set(attribute::STATUS, value(status)?);
        note.set(attribute::CHANGED_AT, value(now)?);
        note.assign(attribute::VALID_UNTIL, valid_until.map(value).transpose()?);
        note.assign(attribute::EXPIRES_AT, valid_until.map(|at| number(items::clean_up_at(at))));
        let note = note.if_not_or_expired(attribute::STATUS, value(RemoteStatus::Deleted)?, now);
        Ok(saved(&self.table.make(note).await?))
    }
}

#[async_trait]
impl StatusStore for DynamoStore {
    async fn note_thread(
        &self,
        account: &AccountId,
        thread: &str,
        status: RemoteStatus,
        now: EpochMillis,
        keep: Duration,
    ) -> Result<ThreadNote, PortError> {
        let key = Key::thread(account, thread);
        let deleted = value(RemoteStatus::Deleted)?;
        let mut known: Option<ThreadItem> = self.table.get(&key).await?.map(from_item).transpose()?;
        // Whether the lane has got another thread since this one was bound to it.
        let mut is_replaced = false;
        for _ in 0..RACES {
            let bound = known.as_ref().and_then(|known| Some((known.status, known.lane(account)?)));
            let mut note = Change::update(key.clone());
            mark::<ThreadItem>(&mut note);
            note.set(attribute::STATUS, value(status)?);
            note.set(attribute::CHANGED_AT, value(now)?);
            let Some((known_status, lane)) = bound else {
                let valid_until = now.plus(keep);
                note.set(attribute::VALID_UNTIL, value(valid_until)?);
                note.set(attribute::EXPIRES_AT, number(items::clean_up_at(valid_until)));
                let note = note.if_is(attribute::CONVERSATION, None).if_not_or_expired(attribute::STATUS, deleted.clone(), now);
                match self.table.make(note).await? {
                    Made::Yes(_) => return Ok(ThreadNote::Parked),
                    Made::No(item) => {
                        known = item.map(from_item).transpose()?;
                        if known.as_ref().is_some_and(|known| known.conversation.is_none()) {
                            return Ok(ThreadNote::Parked);
                        }
                        continue;
                    }
                }
            };
            if known_status == RemoteStatus::Deleted {
                let since = known.as_ref().map_or(now, |known| known.changed_at);
                return Ok(ThreadNote::Gone { lane, since });
            }
            let note =
                note.if_is(attribute::CONVERSATION, Some(value(lane.conversation)?)).if_not(attribute::STATUS, deleted.clone());
            let mut changes = vec![note];
            if !is_replaced {
                let mut remote = Change::update(Key::lane(&lane));
                remote.set(attribute::REMOTE_STATUS, value(status)?);
                remote.set(attribute::REMOTE_CHANGED_AT, value(now)?);
                changes.push(remote.if_is(attribute::REMOTE_ID, Some(value(thread)?)));
            }
            match self.table.transact(changes).await? {
                Outcome::Stored => return Ok(ThreadNote::Noted(lane)),
                Outcome::Cancelled(verdicts) => {
                    is_replaced = verdicts.get(1).map_or(is_replaced, Verdict::is_refusal);
                    if verdicts.first().is_some_and(Verdict::is_refusal) {
                        known = refused_thread(verdicts)?;
                    }
                }
            }
        }
        Err(PortError::Busy)
    }

    async fn note_part(&self, delivery: &DeliveryKey, part: &str, status: ReceiptStatus) -> Result<Option<PartNotes>, PortError> {
        // An attribute for each part: two reports at the same time lose nothing of each other, and the later one sees both.
        let name = format!("{}{part}", attribute::PART_RECEIPT);
        let mut note = Change::update(Key::delivery(delivery));
        note.set(&name, value(status)?);
        let lower = status.lower().map(value).collect::<Result<_, _>>()?;
        let made = self.table.make(note.if_present().if_absent_or_one_of(&name, lower).returning_all()).await?;
        let (Made::Yes(Some(item)) | Made::No(Some(item))) = made else { return Ok(None) };
        items::part_receipts(&item).map(Some)
    }

    async fn note_receipt(&self, delivery: &DeliveryKey, status: ReceiptStatus) -> Result<NotedReceipt, PortError> {
        // `rev` stays: a worker that has read the delivery does not write this attribute.
        let mut note = Change::update(Key::delivery(delivery));
        note.set(attribute::RECEIPT, value(status)?);
        let lower = status.lower().map(value).collect::<Result<_, _>>()?;
        let note = note.if_present().if_absent_or_one_of(attribute::RECEIPT, lower).returning_all();
        let (outcome, item) = match self.table.make(note).await? {
            Made::Yes(item) => (ReceiptOutcome::Stored, item),
            Made::No(Some(item)) => (ReceiptOutcome::NoNews, Some(item)),
            Made::No(None) => (ReceiptOutcome::Unknown, None),
        };
        Ok(NotedReceipt { outcome, sentence: item.map(delivery_of).transpose()?.and_then(|delivery| delivery.sentence) })
    }
}

#[async_trait]
impl StoryStore for DynamoStore {
    async fn story(&self, conversation: ConversationId) -> Result<ConversationStory, PortError> {
        let mut story = ConversationStory::default();
        let mut messages: Vec<MessageItem> = Vec::new();
        let mut parts: Vec<MessagePartItem> = Vec::new();
        for item in self.table.partition(keys::partition(conversation)).await? {
            match items::entity_type(&item).unwrap_or_default() {
                "conversation" => story.conversation = Some(conversation_of(item)?),
                "message" => messages.push(from_item(item)?),
                "message_part" => parts.push(from_item(item)?),
                "delivery" => story.deliveries.push(delivery_of(item)?),
                "lane" => story.lanes.push(items::lane(item)?),
                "story" => story.stories.push(from_item::<StoryItem>(item)?.try_into()?),
                _ => return Err(corrupt("conversation", "holds an item of an unknown kind")),
            }
        }
        story.messages = messages.into_iter().map(|message| message.join(&parts)).collect::<Result<_, _>>()?;
        Ok(story)
    }

    async fn requeue(&self, delivery: &DeliveryKey, story: &StoryEntry, due_at: EpochMillis) -> Result<Saved, PortError> {
        let mut back = Change::update(Key::delivery(delivery));
        for (name, value) in items::state_attributes(&DeliveryState::Queued)? {
            back.assign(name, value);
        }
        back.increment(attribute::REV);
        back.set(attribute::CREATED_AT, value(story.at)?);
        // A failure that has not left its lane yet would stand there twice.
        let lane = lane_append(&delivery.lane(), vec![value(delivery.entry())?], due_at)
            .if_lacks(attribute::PENDING, value(delivery.entry())?);
        let story_put = Change::put(content_story_key(delivery, story)?, story_item(delivery, story)?);
        // What is delivered once more must not end on its way. A long text's parts end later than it would have.
        let message = Change::update(Key::message(delivery.message)).if_present();
        let conversation = Change::update(Key::conversation(delivery.message.conversation())).if_present();
        let back = back.if_is(attribute::STATE, Some(value("failed")?));
        let changes = [back, lane, story_put, message, conversation];
        let changes = changes.into_iter().map(|change| self.table.kept.end(change, story.at)).collect();
        Ok(match self.table.transact(changes).await? {
            Outcome::Stored => Saved::Yes,
            Outcome::Cancelled(_) => Saved::Conflict,
        })
    }
}

pub(crate) const fn saved(made: &Made) -> Saved {
    match made {
        Made::Yes(_) => Saved::Yes,
        Made::No(_) => Saved::Conflict,
    }
}

pub(crate) fn delivery_of(item: Item) -> Result<Delivery, PortError> {
    from_item::<DeliveryItem>(item)?.try_into()
}

/// The message of an event, unless the event has expired: the table's clean-up may be days late.
fn named_message(item: Option<Item>, now: EpochMillis) -> Result<Option<MessageId>, PortError> {
    let event = item.map(from_item::<EventItem>).transpose()?;
    Ok(event.filter(|event| event.valid_until.is_none_or(|until| now < until)).map(|event| event.message))
}

/// The status of an installation, unless it was only parked and has expired.
pub(crate) fn installation_status(item: Option<Item>, now: EpochMillis) -> Result<Option<RemoteStatus>, PortError> {
    let known = item.map(from_item::<InstallationItem>).transpose()?;
    Ok(known.filter(|known| known.valid_until.is_none_or(|until| now < until)).map(|known| known.status))
}

/// Sets what every item carries, on an item that an update may create.
pub(crate) fn mark<E: items::Entity>(change: &mut Change) {
    for (name, value) in items::marks::<E>() {
        change.set(name, value);
    }
}

/// Guards, names of the event, the conversation, and then whatever has no condition of its own.
fn acceptance_changes(acceptance: &Acceptance, kept: Kept) -> Result<Vec<Change>, PortError> {
    let Acceptance { conversation, may_create, message, events, deliveries, guards } = acceptance;
    let now = message.accepted_at;
    let mut changes = guard_changes(guards, now)?;
    for (event, valid_until) in longest_kept(events) {
        let item = to_item(&EventItem::new(message.id, valid_until))?;
        let put = Change::put(Key::event(&message.origin, event), item).if_absent_or_expired(now);
        // What is kept as long as the message ends with it.
        changes.push(if valid_until.is_none() { kept.end(put, now) } else { put });
    }
    changes.push(kept.end(conversation_change(conversation, *may_create)?, now));
    changes.extend(message_changes(std::slice::from_ref(message), deliveries, kept)?);
    Ok(changes)
}

/// Messages of a conversation whose place is taken in the same transaction, and their deliveries.
fn message_changes(messages: &[Message], deliveries: &[NewDelivery], kept: Kept) -> Result<Vec<Change>, PortError> {
    let mut changes = Vec::new();
    for message in messages {
        let (item, parts) = MessageItem::split(message)?;
        let at = message.accepted_at;
        changes.push(kept.end(Change::put(Key::message(message.id), to_item(&item)?).if_absent(), at));
        for part in parts {
            changes.push(kept.end_behind(Change::put(part.key(), to_item(&part)?), at));
        }
    }
    changes.extend(deliveries.iter().map(|new| delivery_put(new, kept)).collect::<Result<Vec<_>, _>>()?);
    changes.extend(lane_appends(deliveries, kept)?);
    Ok(changes)
}

/// What a chat's change tells another platform's staff: first the conversation, on its place, then the rest.
pub(crate) fn relay_changes(relay: &Relay, kept: Kept, now: EpochMillis) -> Result<Vec<Change>, PortError> {
    let conversation = &relay.conversation;
    let item = to_item(&ConversationItem::from(conversation))?;
    let visitor = value(&conversation.visitor.account)?;
    let place = Change::put(Key::conversation(conversation.id), item).if_place(number(conversation.last_seq), visitor);
    let mut changes = vec![kept.end(place, now)];
    changes.extend(message_changes(&relay.messages, &relay.deliveries, kept)?);
    Ok(changes)
}

/// The receipt that a chat's change owes: first what was reported of the sentence's delivery, on what was before, then the rest.
/// Its `rev` counts on, so that a worker that has read it does not report less.
pub(crate) fn receipt_changes(owed: &OwedReceipt, kept: Kept) -> Result<Vec<Change>, PortError> {
    let mut said = Change::update(Key::delivery(&owed.of));
    said.set(attribute::REPORTED, value(owed.status)?);
    said.increment(attribute::REV);
    let lower = owed.status.lower().map(value).collect::<Result<_, _>>()?;
    let mut changes = vec![said.if_present().if_absent_or_one_of(attribute::REPORTED, lower), delivery_put(&owed.new, kept)?];
    changes.extend(lane_appends(std::slice::from_ref(&owed.new), kept)?);
    Ok(changes)
}

/// The conversation's place is taken only if it is as expected: see [`Acceptance::conversation`].
fn conversation_change(conversation: &Conversation, may_create: bool) -> Result<Change, PortError> {
    let item = to_item(&ConversationItem::from(conversation))?;
    let visitor = value(&conversation.visitor.account)?;
    let desk = conversation.desk.as_ref().map(value).transpose()?;
    Ok(Change::put(Key::conversation(conversation.id), item).if_conversation(
        number(conversation.last_seq),
        visitor,
        desk,
        conversation.is_chat,
        may_create,
    ))
}

pub(crate) fn conversation_of(item: Item) -> Result<Conversation, PortError> {
    Ok(from_item::<ConversationItem>(item)?.into())
}

fn account_change(account: &Account) -> Result<Change, PortError> {
    let settings = serde_json::to_string(&account.settings).map_err(|_| corrupt("account", "cannot be written"))?;
    let mut change = Change::update(Key::account(&account.id));
    mark::<AccountItem>(&mut change);
    change.set(attribute::ACCOUNT, value(&account.id)?);
    change.set(attribute::TENANT, value(&account.tenant)?);
    change.set(attribute::SETTINGS, value(settings)?);
    // Another salt would give every visitor a new conversation.
    change.set_if_absent(attribute::SALT, value(&account.salt)?);
    Ok(change)
}

const fn once_key(guard: &Guard) -> &OnceKey {
    match guard {
        Guard::Once(key) | Guard::Answered { key, .. } => key,
    }
}

fn guard_key(guard: &Guard) -> Key {
    match guard {
        Guard::Once(key) => Key::once(&key.account, &key.name),
        Guard::Answered { key, .. } => Key::answer(&key.account, &key.name),
    }
}

/// One change per guard, in their order.
pub(crate) fn guard_changes(guards: &[Guard], now: EpochMillis) -> Result<Vec<Change>, PortError> {
    let change = |guard: &Guard| {
        let valid_until = once_key(guard).expires_at;
        let expires_at = items::clean_up_at(valid_until);
        let item = match guard {
            Guard::Once(_) => to_item(&OnceItem { valid_until, expires_at })?,
            Guard::Answered { fingerprint, answer, .. } => {
                let answer = serde_json::to_string(answer).map_err(|_| corrupt("answer", "cannot be written"))?;
                to_item(&AnswerItem { fingerprint: fingerprint.clone(), answer, valid_until, expires_at })?
            }
        };
        Ok(Change::put(guard_key(guard), item).if_absent_or_expired(now))
    };
    guards.iter().map(change).collect()
}

/// The first refusal among the guards, whose changes come first in every transaction.
pub(crate) fn refusal(guards: &[Guard], verdicts: &[Verdict]) -> Result<Option<GuardRefusal>, PortError> {
    for (guard, verdict) in guards.iter().zip(verdicts) {
        let Verdict::Refused(item) = verdict else { continue };
        return Ok(Some(match (guard, item) {
            (Guard::Once(_), _) => GuardRefusal::Replayed,
            (Guard::Answered { fingerprint, .. }, Some(item)) => {
                let known: AnswerItem = from_item(item.clone())?;
                if known.fingerprint == *fingerprint {
                    let answer = serde_json::from_str(&known.answer);
                    GuardRefusal::AnsweredBefore(answer.map_err(|_| corrupt("answer", "is no JSON"))?)
                } else {
                    GuardRefusal::FingerprintDiffers
                }
            }
            (Guard::Answered { .. }, None) => return Err(corrupt("answer", "was refused without being there")),
        }));
    }
    Ok(None)
}

/// Each event name once: a transaction may name an item only once, and the longest time is kept.
fn longest_kept(events: &[(EventKey, Option<EpochMillis>)]) -> Vec<(&EventKey, Option<EpochMillis>)> {
    let mut events: Vec<_> = events.iter().map(|(key, until)| (key, *until)).collect();
    events.sort_by_key(|(_, until)| std::cmp::Reverse(until.map_or(i64::MAX, EpochMillis::millis)));
    let mut named = HashSet::new();
    events.retain(|(key, _)| named.insert(*key));
    events
}

fn delivery_put(new: &NewDelivery, kept: Kept) -> Result<Change, PortError> {
    let put = Change::put(Key::delivery(&new.delivery.key), to_item(&DeliveryItem::from(&new.delivery))?);
    Ok(kept.end(put, new.delivery.created_at))
}

/// One change per lane that the deliveries wait in.
fn lane_appends(deliveries: &[NewDelivery], kept: Kept) -> Result<Vec<Change>, PortError> {
    let mut lanes: Vec<(LaneKey, Vec<_>, &NewDelivery)> = Vec::new();
    for new in deliveries {
        let key = new.delivery.key.lane();
        let entry = value(new.delivery.key.entry())?;
        match lanes.iter_mut().find(|(lane, ..)| *lane == key) {
            Some((_, entries, _)) => entries.push(entry),
            None => lanes.push((key, vec![entry], new)),
        }
    }
    let append = |(lane, entries, new): (LaneKey, _, &NewDelivery)| {
        kept.end(lane_append(&lane, entries, new.due_at), new.delivery.created_at)
    };
    Ok(lanes.into_iter().map(append).collect())
}

fn lane_append(lane: &LaneKey, entries: Vec<aws_sdk_dynamodb::types::AttributeValue>, due_at: EpochMillis) -> Change {
    let mut change = Change::update(Key::lane(lane));
    mark::<LaneItem>(&mut change);
    change.append(attribute::PENDING, entries);
    // While something is pending, the lane's head says when it is due.
    change.set_due_if_absent(keys::due_shard(lane.conversation), due_at);
    change
}

fn saved_delivery(delivery: &Delivery) -> Result<Change, PortError> {
    let mut change = Change::update(Key::delivery(&delivery.key));
    for (name, value) in items::state_attributes(&delivery.state)? {
        change.assign(name, value);
    }
    change.increment(attribute::REV);
    change.assign(attribute::ROUTE, delivery.route.as_ref().map(value).transpose()?);
    change.assign(attribute::REFERENCE, delivery.reference.as_ref().map(value).transpose()?);
    change.assign(attribute::REPORTED, delivery.reported.map(value).transpose()?);
    Ok(change.if_is(attribute::REV, Some(number(delivery.rev))))
}

/// The delivery, its lane, and what the story says: the first two have conditions.
pub(crate) fn transition_changes(transition: &Transition, kept: Kept) -> Result<Vec<Change>, PortError> {
    let key = &transition.delivery.key;
    let mut changes = vec![saved_delivery(&transition.delivery)?, saved_lane(transition)?];
    if let Some(story) = &transition.story {
        changes.push(story_put(key, story, transition.delivery.rev, kept)?);
    }
    Ok(changes)
}

/// An entry of the story of a delivery that had this `rev` before.
pub(crate) fn story_put(key: &DeliveryKey, story: &StoryEntry, rev: u64, kept: Kept) -> Result<Change, PortError> {
    Ok(kept.end(Change::put(Key::story(key, story.at, StoryMark::Rev(rev)), story_item(key, story)?), story.at))
}

fn saved_lane(transition: &Transition) -> Result<Change, PortError> {
    let lane = &transition.lane;
    let mut change = Change::update(Key::lane(&lane.key)).if_present();
    change.assign_due(keys::due_shard(lane.key.conversation), transition.due_at);
    if transition.leaves_lane {
        change.remove_first(attribute::PENDING);
        change = change.if_is(attribute::PENDING, Some(value(&lane.pending)?));
    }
    if transition.needs_same_thread_status {
        let thread = lane.remote.as_ref();
        let status = thread.map(|thread| value(thread.status)).transpose()?;
        let changed_at = thread.map(|thread| value(thread.changed_at)).transpose()?;
        change = change.if_is(attribute::REMOTE_STATUS, status).if_is(attribute::REMOTE_CHANGED_AT, changed_at);
    }
    Ok(change)
}

fn story_item(delivery: &DeliveryKey, story: &StoryEntry) -> Result<Item, PortError> {
    to_item(&StoryItem::new(delivery, story))
}

/// The place of a story entry whose writer does not know the delivery's `rev`.
fn content_story_key(delivery: &DeliveryKey, story: &StoryEntry) -> Result<Key, PortError> {
    let bytes = serde_json::to_vec(story).map_err(|_| corrupt("story", "cannot be written"))?;
    Ok(Key::story(delivery, story.at, StoryMark::Content(&bytes)))
}

fn alias_change(
    delivery: &DeliveryKey,
    alias: Option<&EventKey>,
    kept: Kept,
    at: EpochMillis,
) -> Result<Option<Change>, PortError> {
    let Some(alias) = alias else { return Ok(None) };
    let item = to_item(&EventItem::new(delivery.message, None))?;
    Ok(Some(kept.end(Change::put(Key::event(&delivery.recipient, alias), item), at)))
}

/// The status that was heard of the thread before this binding, if that still counts.
fn heard(known: &ThreadItem, lane: &LaneKey, owner: &AccountId, thread: &RemoteThread) -> Option<RemoteStatus> {
    let counts = match known.lane(owner) {
        // Bound before, by a worker whose answer was lost: what was heard since then is not forgotten.
        Some(bound) => bound == *lane,
        None => known.valid_until.is_some_and(|until| until > thread.changed_at),
    };
    counts.then_some(known.status)
}

/// Only if the thread is still what it was.
fn unchanged(change: Change, known: Option<&ThreadItem>) -> Result<Change, PortError> {
    Ok(match known {
        None => change.if_absent(),
        Some(known) => change
            .if_is(attribute::STATUS, Some(value(known.status)?))
            .if_is(attribute::CHANGED_AT, Some(value(known.changed_at)?))
            .if_is(attribute::CONVERSATION, known.conversation.map(value).transpose()?),
    })
}

/// The thread as it is, from the transaction's first change, which was refused for it.
fn refused_thread(verdicts: Vec<Verdict>) -> Result<Option<ThreadItem>, PortError> {
    match verdicts.into_iter().next() {
        Some(Verdict::Refused(item)) => item.map(from_item).transpose(),
        Some(Verdict::Holds) | None => Err(corrupt("cancellation", "names no refused change")),
    }
}
