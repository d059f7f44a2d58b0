//! Items of chats: what stands under their keys, as flat structs with owned fields.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use chat::desk::Presence;
use chat::{AgentId, Chat, Direction, Sentence, SentenceId, SentenceKind, State, Workplace};
use model::{AccountId, ConversationId, EpochMillis};
use ports::{AgentSeen, ChatRecord, Offer, PortError, PushClaim, PushFailing, PushState, StaffView, StreamEntry};
use serde::{Deserialize, Serialize};

use crate::change::number;
use crate::items::{Bytes, Entity, PART_BYTES, attribute, clean_up_at, corrupt, from_item, to_item, value};
use crate::keys::{Item, Key};
use crate::table::Found;

/// A chat above this is refused: an item holds 400 KB (DynamoDB, "Quotas": item size). Only the texts of panel, navigation
/// and co-browsing can make it so long.
const LONGEST_CHAT: usize = 380_000;

/// Where the lists of a gateway and of a desk name a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    /// When it was closed; `None` while it is not.
    pub(crate) closed_at: Option<EpochMillis>,
    /// The desk it waits at, and since when.
    pub(crate) waiting: Option<(AccountId, EpochMillis)>,
}

impl From<&ChatRecord> for Listing {
    fn from(from: &ChatRecord) -> Self {
        let closed_at = match from.chat.state {
            State::Closed { at, .. } => Some(at),
            State::Pilot | State::Icr { .. } | State::Waiting { .. } | State::Alerting { .. } | State::Answered { .. } => None,
        };
        let desk = from.desk.clone().filter(|_| from.chat.waiting().is_some());
        Self { closed_at, waiting: desk.map(|desk| (desk, from.chat.waiting_from)) }
    }
}

impl Listing {
    /// The attributes it stands in, all of them.
    pub(crate) fn attributes(&self) -> Result<[(&'static str, Option<AttributeValue>); 3], PortError> {
        Ok([
            (attribute::CLOSED_AT, self.closed_at.map(value).transpose()?),
            (attribute::WAITING_DESK, self.waiting.as_ref().map(|(desk, _)| value(desk)).transpose()?),
            (attribute::WAITING_FROM, self.waiting.as_ref().map(|(_, from)| value(from)).transpose()?),
        ])
    }
}

/// A chat. Beside what conditions compare it is one text: nobody asks for a part of it, and it is written whole every time.
#[derive(Serialize, Deserialize)]
pub(crate) struct ChatItem {
    conversation: ConversationId,
    pub(crate) rev: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    desk: Option<AccountId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed_at: Option<EpochMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waiting_desk: Option<AccountId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waiting_from: Option<EpochMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    staff_account: Option<AccountId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    staff_counter: Option<u64>,
    /// JSON text.
    pub(crate) body: String,
}

impl Entity for ChatItem {
    const TYPE: &'static str = "chat";
}

impl ChatItem {
    /// Where the lists name it.
    pub(crate) fn listing(&self) -> Listing {
        Listing { closed_at: self.closed_at, waiting: self.waiting_desk.clone().zip(self.waiting_from) }
    }
}

impl TryFrom<&ChatRecord> for ChatItem {
    type Error = PortError;

    fn try_from(from: &ChatRecord) -> Result<Self, PortError> {
        let body = serde_json::to_string(&from.chat).map_err(|_| corrupt(Self::TYPE, "cannot be written"))?;
        if body.len() > LONGEST_CHAT {
            return Err(PortError::TooLarge { limit: LONGEST_CHAT });
        }
        let Listing { closed_at, waiting } = Listing::from(from);
        let (waiting_desk, waiting_from) = waiting.unzip();
        let (staff_account, staff_counter) = from.staff.clone().map(|staff| (staff.account, staff.counter)).unzip();
        Ok(Self {
            conversation: from.chat.conversation(),
            rev: from.chat.rev,
            desk: from.desk.clone(),
            closed_at,
            waiting_desk,
            waiting_from,
            staff_account,
            staff_counter,
            body,
        })
    }
}

impl TryFrom<ChatItem> for ChatRecord {
    type Error = PortError;

    fn try_from(item: ChatItem) -> Result<Self, PortError> {
        // The message of a serde error may repeat what it read.
        let chat: Chat = serde_json::from_str(&item.body).map_err(|_| corrupt(ChatItem::TYPE, "its body does not fit"))?;
        let staff = item.staff_account.zip(item.staff_counter).map(|(account, counter)| StaffView { account, counter });
        Ok(Self { chat, desk: item.desk, staff })
    }
}

/// In place of the current chat of a thread's conversation: where the thread leads since it entered a prepared chat.
#[derive(Serialize, Deserialize)]
pub(crate) struct LeadItem {
    pub(crate) leads_to: ConversationId,
}

impl Entity for LeadItem {
    const TYPE: &'static str = "chat_lead";
}

/// A piece of a text or of a body that does not fit the item it belongs to.
#[derive(Serialize, Deserialize)]
pub(crate) struct PartItem {
    body: Bytes,
}

impl Entity for PartItem {
    const TYPE: &'static str = "part";
}

/// The pieces of what is too long for one item, each with its key; none if it fits.
fn pieces(key: &Key, body: &[u8]) -> Result<Vec<(Key, Item)>, PortError> {
    if body.len() <= PART_BYTES {
        return Ok(Vec::new());
    }
    let pieces = (1..).zip(body.chunks(PART_BYTES));
    pieces.map(|(part, piece)| Ok((key.part(part), to_item(&PartItem { body: Bytes(piece.to_vec()) })?))).collect()
}

/// The pieces, put together again.
fn whole(what: &'static str, key: &Key, parts: u32, found: &Found) -> Result<Vec<u8>, PortError> {
    let mut body = Vec::new();
    for part in 1..=parts {
        let item = found.item(&key.part(part)).ok_or_else(|| corrupt(what, "a part of it is missing"))?;
        body.extend(from_item::<PartItem>(item)?.body.0);
    }
    Ok(body)
}

/// Something that may be too long for its item.
pub(crate) trait InParts: Entity {
    /// What it is put together to.
    type Whole;

    /// How many items hold its text or body; 0 when it stands in its own.
    fn parts(&self) -> u32;

    /// Puts it together. `found` may hold parts of others too.
    fn join(self, key: &Key, found: &Found) -> Result<Self::Whole, PortError>;
}

/// A sentence. Its text stands either here or, if it is too long for one item, in [`PartItem`]s.
#[derive(Serialize, Deserialize)]
pub(crate) struct SentenceItem {
    sentence: SentenceId,
    direction: Direction,
    counter: u64,
    kind: SentenceKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    party_name: Option<String>,
    sent_at: EpochMillis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<EpochMillis>,
    parts: u32,
}

impl Entity for SentenceItem {
    const TYPE: &'static str = "sentence";
}

impl SentenceItem {
    /// The items of a sentence that stands at `key`, its own first.
    pub(crate) fn items(key: &Key, from: &Sentence, confirmed_at: Option<EpochMillis>) -> Result<Vec<(Key, Item)>, PortError> {
        let pieces = pieces(key, from.text.as_bytes())?;
        let item = Self {
            sentence: from.id.clone(),
            direction: from.direction,
            counter: from.counter,
            kind: from.kind,
            text: pieces.is_empty().then(|| from.text.clone()),
            party_name: from.party_name.clone(),
            sent_at: from.sent_at,
            confirmed_at: from.confirmed_at.or(confirmed_at),
            parts: count(&pieces),
        };
        Ok(std::iter::once((key.clone(), to_item(&item)?)).chain(pieces).collect())
    }
}

impl InParts for SentenceItem {
    type Whole = Sentence;

    fn parts(&self) -> u32 {
        self.parts
    }

    fn join(self, key: &Key, found: &Found) -> Result<Sentence, PortError> {
        let text = match self.text {
            Some(text) => text,
            None => String::from_utf8(whole(Self::TYPE, key, self.parts, found)?)
                .map_err(|_| corrupt(Self::TYPE, "a part of it is damaged"))?,
        };
        Ok(Sentence {
            id: self.sentence,
            direction: self.direction,
            counter: self.counter,
            kind: self.kind,
            text,
            party_name: self.party_name,
            sent_at: self.sent_at,
            confirmed_at: self.confirmed_at,
        })
    }
}

/// Where the sentences with one id stand, oldest first.
#[derive(Serialize, Deserialize)]
pub(crate) struct SaidItem {
    pub(crate) places: Vec<String>,
}

impl Entity for SaidItem {
    const TYPE: &'static str = "said";
}

/// An entry of a stream. Its body stands either here or, if it is too long for one item, in [`PartItem`]s.
#[derive(Serialize, Deserialize)]
pub(crate) struct EntryItem {
    pub(crate) seq: u64,
    at: EpochMillis,
    pub(crate) is_delivered: bool,
    is_volatile: bool,
    /// The delivery that it offers, its `rev` since then, the attempt, and when it was handed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delivery: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rev: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    handed_at: Option<EpochMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Bytes>,
    parts: u32,
    pub(crate) valid_until: EpochMillis,
    expires_at: i64,
}

impl Entity for EntryItem {
    const TYPE: &'static str = "entry";
}

impl EntryItem {
    /// The items of an entry that stands at `key`, its own first.
    pub(crate) fn items(
        key: &Key,
        from: &StreamEntry,
        valid_until: EpochMillis,
        removed_at: EpochMillis,
    ) -> Result<Vec<(Key, Item)>, PortError> {
        let mut pieces = pieces(key, &from.body)?;
        let offer = from.offer.as_ref();
        let item = Self {
            seq: from.seq,
            at: from.at,
            is_delivered: from.is_delivered,
            is_volatile: from.is_volatile,
            delivery: offer.map(|offer| offer.delivery.to_string()),
            rev: offer.map(|offer| offer.rev),
            attempt: offer.map(|offer| offer.attempt),
            handed_at: offer.and_then(|offer| offer.handed_at),
            body: pieces.is_empty().then(|| Bytes(from.body.to_vec())),
            parts: count(&pieces),
            valid_until,
            expires_at: clean_up_at(removed_at),
        };
        for (_, piece) in &mut pieces {
            piece.insert(attribute::EXPIRES_AT.to_owned(), number(item.expires_at));
        }
        Ok(std::iter::once((key.clone(), to_item(&item)?)).chain(pieces).collect())
    }

    /// Until when it is kept, and when it may be removed.
    pub(crate) const fn ends(&self) -> (EpochMillis, EpochMillis) {
        (self.valid_until, EpochMillis::new((self.expires_at - 1) * 1_000))
    }

    fn offer(&self) -> Result<Option<Offer>, PortError> {
        let Some(delivery) = &self.delivery else { return Ok(None) };
        let (Some(rev), Some(attempt)) = (self.rev, self.attempt) else {
            return Err(corrupt(Self::TYPE, "its offer is incomplete"));
        };
        let delivery = delivery.parse().map_err(|e| corrupt(Self::TYPE, e))?;
        Ok(Some(Offer { delivery, rev, attempt, handed_at: self.handed_at }))
    }
}

impl InParts for EntryItem {
    type Whole = StreamEntry;

    fn parts(&self) -> u32 {
        self.parts
    }

    fn join(self, key: &Key, found: &Found) -> Result<StreamEntry, PortError> {
        let offer = self.offer()?;
        let body = match self.body {
            Some(body) => body.0,
            None => whole(Self::TYPE, key, self.parts, found)?,
        };
        Ok(StreamEntry {
            seq: self.seq,
            at: self.at,
            is_delivered: self.is_delivered,
            is_volatile: self.is_volatile,
            offer,
            body: body.into(),
        })
    }
}

fn count(pieces: &[(Key, Item)]) -> u32 {
    u32::try_from(pieces.len()).unwrap_or(u32::MAX)
}

/// The last number of a stream.
#[derive(Serialize, Deserialize)]
pub(crate) struct HeadItem {
    pub(crate) last: u64,
    /// When it was reserved.
    pub(crate) reserved_at: EpochMillis,
    /// Numbers up to this one are no longer kept, whether their items are still there or not.
    #[serde(default)]
    pub(crate) floor: u64,
    /// Numbers up to this one need no push any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cursor: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failing_since: Option<EpochMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failures: Option<u32>,
    /// The address that is pushed no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given_up: Option<String>,
}

impl Entity for HeadItem {
    const TYPE: &'static str = "stream";
}

impl From<HeadItem> for PushClaim {
    fn from(item: HeadItem) -> Self {
        let failing = item.failing_since.map(|since| PushFailing { since, count: item.failures.unwrap_or_default() });
        let state = PushState { cursor: item.cursor.unwrap_or_default(), failing, given_up: item.given_up };
        Self { state, last: item.last, reserved_at: item.reserved_at }
    }
}

/// The attributes of a push's state by name: all of them, so that a change removes what the new one does not have.
pub(crate) fn push_attributes(state: &PushState) -> Result<[(&'static str, Option<AttributeValue>); 4], PortError> {
    Ok([
        (attribute::CURSOR, Some(number(state.cursor))),
        (attribute::FAILING_SINCE, state.failing.map(|failing| value(failing.since)).transpose()?),
        (attribute::FAILURES, state.failing.map(|failing| number(failing.count))),
        (attribute::GIVEN_UP, state.given_up.as_ref().map(value).transpose()?),
    ])
}

/// The mark that names a chat in a list.
#[derive(Serialize, Deserialize)]
pub(crate) struct MarkItem {
    pub(crate) conversation: ConversationId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<i64>,
}

impl Entity for MarkItem {
    const TYPE: &'static str = "chat_mark";
}

/// An agent of a desk.
#[derive(Serialize, Deserialize)]
pub(crate) struct AgentItem {
    agent: AgentId,
    /// The word for it.
    presence: String,
    #[serde(default)]
    workplace: Option<Workplace>,
    #[serde(default)]
    idle_since: Option<EpochMillis>,
    seen_at: EpochMillis,
    #[serde(default)]
    pub(crate) chats: BTreeSet<ConversationId>,
}

impl Entity for AgentItem {
    const TYPE: &'static str = "agent";
}

/// The word for an agent who takes chats.
pub(crate) const READY: &str = "ready";
const PAUSED: &str = "paused";
const LOGGED_OUT: &str = "logged_out";

/// The attributes of a presence by name: all of them, so that a change removes what the new one does not have.
pub(crate) fn presence_attributes(presence: &Presence) -> Result<[(&'static str, Option<AttributeValue>); 3], PortError> {
    let (word, workplace, idle_since) = match presence {
        Presence::LoggedOut => (LOGGED_OUT, None, None),
        Presence::Paused { workplace } => (PAUSED, Some(workplace), None),
        Presence::Ready { workplace, idle_since } => (READY, Some(workplace), Some(idle_since)),
    };
    Ok([
        (attribute::PRESENCE, Some(value(word)?)),
        (attribute::WORKPLACE, workplace.map(value).transpose()?),
        (attribute::IDLE_SINCE, idle_since.map(value).transpose()?),
    ])
}

impl TryFrom<AgentItem> for AgentSeen {
    type Error = PortError;

    fn try_from(item: AgentItem) -> Result<Self, PortError> {
        let presence = match (item.presence.as_str(), item.workplace, item.idle_since) {
            (LOGGED_OUT, ..) => Presence::LoggedOut,
            (PAUSED, Some(workplace), _) => Presence::Paused { workplace },
            (READY, Some(workplace), Some(idle_since)) => Presence::Ready { workplace, idle_since },
            _ => return Err(corrupt(AgentItem::TYPE, "its presence is incomplete")),
        };
        let chats = u32::try_from(item.chats.len()).unwrap_or(u32::MAX);
        Ok(Self { id: item.agent, presence, seen_at: item.seen_at, chats })
    }
}

/// Conversations as a set. An empty one cannot be stored.
pub(crate) fn conversations(of: &[ConversationId]) -> AttributeValue {
    AttributeValue::Ss(of.iter().map(ConversationId::to_string).collect())
}

#[cfg(test)]
mod tests {
    use chat::{ChatId, ChatVisitor, Desk, Policy, Prepared, Skill};
    use proptest::prelude::*;

    use super::*;
    use crate::items::tests::shown;

    fn conversation() -> ConversationId {
        "00112233445566778899".parse().unwrap()
    }

    fn id() -> ChatId {
        ChatId::new(conversation(), 1).unwrap()
    }

    fn record() -> ChatRecord {
        let prepared = Prepared {
            id: id(),
            tenant: "demo".parse().unwrap(),
            gateway: "frontstage/gw".parse().unwrap(),
            visitor: ChatVisitor { party_name: Some("Eva".to_owned()), ..ChatVisitor::default() },
            by: None,
        };
        ChatRecord { chat: Chat::prepare(prepared, EpochMillis::new(5), &Policy::default()), desk: None, staff: None }
    }

    fn sentence(text: &str) -> Sentence {
        Sentence {
            id: "s-1".to_owned().try_into().unwrap(),
            direction: Direction::Inbound,
            counter: 7,
            kind: SentenceKind::Text,
            text: text.to_owned(),
            party_name: Some("Eva".to_owned()),
            sent_at: EpochMillis::new(1),
            confirmed_at: None,
        }
    }

    fn entry(body: Vec<u8>) -> StreamEntry {
        StreamEntry { seq: 3, at: EpochMillis::new(1), is_delivered: true, is_volatile: false, offer: None, body: body.into() }
    }

    fn entry_items(entry: &StreamEntry) -> Vec<(Key, Item)> {
        let key = Key::entry(&ports::StreamKey::Gateway("frontstage/gw".parse().unwrap()), entry.seq);
        EntryItem::items(&key, entry, EpochMillis::new(2), EpochMillis::new(3_000)).unwrap()
    }

    /// What its items put together again come to.
    fn again<E: InParts>(mut items: Vec<(Key, Item)>) -> Result<E::Whole, PortError> {
        let (key, item) = items.remove(0);
        from_item::<E>(item)?.join(&key, &Found::from(items))
    }

    #[test]
    fn shape_of_a_chat_is_stable() {
        let mut record = record();
        record.desk = Some("frontstage/desk".parse().unwrap());
        record.chat.desk = Some(Desk::Agents(Skill { project: "sales".parse().unwrap(), language: None }));
        record.chat.enqueued_at = Some(EpochMillis::new(6));
        record.chat.state = State::Waiting { since: EpochMillis::new(7) };
        let item = to_item(&ChatItem::try_from(&record).unwrap()).unwrap();
        insta::assert_snapshot!(shown(&item), @r#"
        body = S("{\"id\":\"00112233-4455-8667-9e22-640000000001\",\"tenant\":\"demo\",\"gateway\":\"frontstage/gw\",\"tracking\":null,\"visitor\":{\"port\":null,\"party_name\":\"Eva\",\"remote_address\":null,\"user_token\":null,\"culture\":null},\"state\":{\"state\":\"waiting\",\"since\":7},\"desk\":{\"agents\":{\"project\":\"sales\",\"language\":null}},\"counter\":0,\"slots\":{\"panel\":null,\"navigation\":null,\"co_browsing\":null},\"typing\":{\"inbound\":{\"until\":null,\"told_at\":null},\"outbound\":{\"until\":null,\"told_at\":null}},\"forms\":[],\"barred\":[],\"created_at\":5,\"waiting_from\":5,\"enqueued_at\":6,\"spoke_at\":null,\"answered_at\":null,\"inactive_at\":null,\"cycle_at\":null,\"timer_at\":null,\"rev\":0}")
        conversation = S("00112233445566778899")
        desk = S("frontstage/desk")
        entity_type = S("chat")
        rev = N("0")
        v = N("1")
        waiting_desk = S("frontstage/desk")
        waiting_from = N("5")
        "#);
        let item: ChatItem = from_item(item).unwrap();
        assert_eq!(item.listing(), Listing::from(&record));
        assert_eq!(ChatRecord::try_from(item).unwrap(), record);
    }

    #[test]
    fn listing_follows_the_state() {
        let mut record = record();
        assert_eq!(Listing::from(&record), Listing { closed_at: None, waiting: None });
        record.chat.state = State::Closed { reason: chat::CloseReason::System, at: EpochMillis::new(9), attended_by: None };
        let item = ChatItem::try_from(&record).unwrap();
        assert_eq!(item.listing(), Listing { closed_at: Some(EpochMillis::new(9)), waiting: None });
    }

    #[test]
    fn chat_that_fits_no_item_is_refused() {
        let mut record = record();
        record.chat.slots.panel = Some(sentence(&"x".repeat(370_000)));
        assert!(ChatItem::try_from(&record).is_ok());
        record.chat.slots.navigation = Some(sentence(&"x".repeat(10_000)));
        assert!(matches!(ChatItem::try_from(&record), Err(PortError::TooLarge { limit: LONGEST_CHAT })));
    }

    #[test]
    fn shape_of_a_sentence_is_stable() {
        let items = SentenceItem::items(&Key::transcript(id(), 7), &sentence("hi"), Some(EpochMillis::new(8))).unwrap();
        assert_eq!(items.len(), 1);
        insta::assert_snapshot!(shown(&items[0].1), @r#"
        confirmed_at = N("8")
        counter = N("7")
        direction = S("inbound")
        entity_type = S("sentence")
        kind = N("0")
        parts = N("0")
        party_name = S("Eva")
        sent_at = N("1")
        sentence = S("s-1")
        text = S("hi")
        v = N("1")
        "#);
    }

    #[test]
    fn shape_of_an_entry_is_stable() {
        insta::assert_snapshot!(shown(&entry_items(&entry(b"hi".to_vec()))[0].1), @r#"
        at = N("1")
        body = B(Blob { inner: 6869 })
        entity_type = S("entry")
        expires_at = N("4")
        is_delivered = Bool(true)
        is_volatile = Bool(false)
        parts = N("0")
        seq = N("3")
        v = N("1")
        valid_until = N("2")
        "#);
    }

    #[test]
    fn shape_of_marks_and_heads_is_stable() {
        let mark = MarkItem { conversation: conversation(), expires_at: Some(9) };
        insta::assert_snapshot!(shown(&to_item(&mark).unwrap()), @r#"
        conversation = S("00112233445566778899")
        entity_type = S("chat_mark")
        expires_at = N("9")
        v = N("1")
        "#);
        let head = HeadItem {
            last: 5,
            reserved_at: EpochMillis::new(1),
            floor: 2,
            cursor: None,
            failing_since: None,
            failures: None,
            given_up: None,
        };
        insta::assert_snapshot!(shown(&to_item(&head).unwrap()), @r#"
        entity_type = S("stream")
        floor = N("2")
        last = N("5")
        reserved_at = N("1")
        v = N("1")
        "#);
        let said = SaidItem { places: vec!["SENT#1#2".to_owned()] };
        insta::assert_snapshot!(shown(&to_item(&said).unwrap()), @r#"
        entity_type = S("said")
        places = L([S("SENT#1#2")])
        v = N("1")
        "#);
    }

    #[test]
    fn state_of_a_push_round_trips() {
        let failing = Some(PushFailing { since: EpochMillis::new(4), count: 2 });
        for state in [PushState::default(), PushState { cursor: 3, failing, given_up: Some("a1".to_owned()) }] {
            let mut item = Item::from([
                (attribute::ENTITY_TYPE.to_owned(), AttributeValue::S(HeadItem::TYPE.to_owned())),
                (attribute::VERSION.to_owned(), number(1)),
                (attribute::LAST.to_owned(), number(5)),
                (attribute::RESERVED_AT.to_owned(), number(1)),
            ]);
            for (name, value) in push_attributes(&state).unwrap() {
                item.extend(value.map(|value| (name.to_owned(), value)));
            }
            let claim = PushClaim::from(from_item::<HeadItem>(item).unwrap());
            assert_eq!(claim, PushClaim { state, last: 5, reserved_at: EpochMillis::new(1) });
        }
    }

    #[test]
    fn long_words_are_split_and_a_missing_part_is_noticed() {
        let long = sentence(&"€".repeat(300_000));
        let mut items = SentenceItem::items(&Key::transcript(id(), 7), &long, None).unwrap();
        assert_eq!(items.len(), 4);
        assert!(again::<SentenceItem>(items.clone()).unwrap() == long);
        items.pop();
        assert!(again::<SentenceItem>(items).is_err());

        let long = entry(vec![b'x'; PART_BYTES + 1]);
        let items = entry_items(&long);
        assert_eq!(items.len(), 3);
        let expiry = |item: &Item| item.get(attribute::EXPIRES_AT).cloned();
        assert!(items.iter().all(|(_, item)| expiry(item) == Some(number(4))), "parts go with their entry");
        assert!(again::<EntryItem>(items).unwrap() == long);
    }

    #[test]
    fn presence_round_trips() {
        let workplace = || "101".parse().unwrap();
        let ready = Presence::Ready { workplace: workplace(), idle_since: EpochMillis::new(4) };
        for presence in [Presence::LoggedOut, Presence::Paused { workplace: workplace() }, ready] {
            let mut item = Item::from([
                (attribute::ENTITY_TYPE.to_owned(), AttributeValue::S(AgentItem::TYPE.to_owned())),
                (attribute::VERSION.to_owned(), number(1)),
                (attribute::AGENT.to_owned(), AttributeValue::S("jan".to_owned())),
                (attribute::SEEN_AT.to_owned(), number(3)),
                (attribute::CHATS.to_owned(), conversations(&[conversation()])),
            ]);
            for (name, value) in presence_attributes(&presence).unwrap() {
                item.extend(value.map(|value| (name.to_owned(), value)));
            }
            let seen = AgentSeen::try_from(from_item::<AgentItem>(item).unwrap()).unwrap();
            let expected = AgentSeen { id: "jan".parse().unwrap(), presence, seen_at: EpochMillis::new(3), chats: 1 };
            assert_eq!(seen, expected);
        }
    }

    proptest! {
        #[test]
        fn sentence_round_trips(text in ".*", counter: u32, sent_at: u32) {
            let sentence = Sentence { counter: counter.into(), sent_at: EpochMillis::new(sent_at.into()), ..sentence(&text) };
            let items = SentenceItem::items(&Key::sentence(id(), &sentence), &sentence, None).unwrap();
            prop_assert_eq!(again::<SentenceItem>(items).unwrap(), sentence);
        }

        #[test]
        fn entry_round_trips(body: Vec<u8>) {
            let entry = entry(body);
            prop_assert_eq!(again::<EntryItem>(entry_items(&entry)).unwrap(), entry);
        }
    }
}
