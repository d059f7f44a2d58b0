//! Keys of the one table: the only place that knows how they are spelt.
//!
//! | What is asked | Partition key | Sort key | How |
//! |---|---|---|---|
//! | conversation | `CONV#{conversation}` | `META` | batch read, put on its `last_seq` |
//! | message | `CONV#{conversation}` | `MSG#{seq}` | batch read |
//! | what was said in a conversation | `CONV#{conversation}` | `MSG#...` | query |
//! | the rest of a long message | `CONV#{conversation}` | `MSG#{seq}#PART#{n}` | batch read |
//! | delivery | `CONV#{conversation}` | `DLV#{account}#{entry}` | batch read, update on its `rev` |
//! | lane of a recipient | `CONV#{conversation}` | `LANE#{account}#{kind}` | batch read, get, update on its content |
//! | story of a delivery | `CONV#{conversation}` | `STORY#{account}#{entry}#{at}#{mark}` | appended only |
//! | everything of a conversation | `CONV#{conversation}` | all of them | query |
//! | platform event: which message is it? | `EVENT#{account}#{part}...` | `EVENT` | batch read, put if absent |
//! | has this happened before? | `ONCE#{account}#{part}...` | `ONCE` | put if absent |
//! | what was the answer? | `ANSWER#{account}#{part}...` | `ANSWER` | put if absent |
//! | platform's thread: which conversation? | `THREAD#{account}#{id}` | `THREAD` | get, put |
//! | status of an installation | `INSTALL#{account}#{id}` | `INSTALL` | batch read, put |
//! | what a platform granted us: its tokens, sealed | `GRANT#{name}` | `GRANT` | get, update on its `rev` |
//! | record of a platform that belongs to no conversation | `RECORD#{account}#{group}` | `{kind}#{id}` | get, query, update on its `rev` |
//! | consent that somebody was sent away to give | `CONSENT#{account}#{name}` | `CONSENT` | put if absent, get, delete if present |
//! | everything that is configured | `DIRECTORY` | `ACCOUNT#{account}`, `TENANT#{tenant}` | query |
//! | lanes that are due | index `due`: `DUE#{shard}` | due time | query, one per shard |
//! | the chat of a conversation | `CHAT#{conversation}` | `CHAT` | batch read, put on its `rev` |
//! | where a thread leads that entered a prepared chat | `CHAT#{conversation}` | `CHAT` | as the chat it stands in place of |
//! | sentence of a chat's transcript | `CHAT#{conversation}` | `SENT#{generation}#{counter}` | batch read, query, put, update |
//! | sentence without a place in it | `CHAT#{conversation}` | `ASIDE#{generation}#{hash}` | batch read, put |
//! | where do sentences with this id stand? | `CHAT#{conversation}` | `SAID#{direction}#{id}` | batch read, append |
//! | what a connector or a workplace is told | `STREAM#{account}`, `STREAM#{desk}#{workplace}` | `EVT#{seq}` | query, batch read, put, update when what it offers is handed out |
//! | the last number of it, and how far it is pushed | the same | `HEAD` | add, update; read at the end of that query |
//! | the rest of a long sentence or entry | where it stands | `PART#{its sort key}#{n}` | batch read |
//! | chats of a gateway that are not closed | `CHATS#{gateway}` | `ACTIVE#{conversation}` | query |
//! | chats of a gateway closed lately | `CHATS#{gateway}` | `CLOSED#{at}#{conversation}` | query |
//! | chats that wait for an agent | `DESK#{desk}` | `WAIT#{from}#{conversation}` | query |
//! | agents of a desk, and their chats | `DESK#{desk}` | `AGENT#{agent}` | query, get, update |
//! | gateways that have asked for registers | `ASKERS` | `GATEWAY#{gateway}` | batch read, query, update on its `rev` |
//! | chats whose timer is over | index `due`: `CHATDUE#{shard}` | timer | query, one per shard |
//! | streams that are to be pushed | index `due`: `PUSHDUE#{shard}` | due time | query, one per shard |
//! | which catalogue do readers see? | `CATALOGUE#{account}` | `STATE` | batch read, query, put on its `rev` |
//! | how far is a load of it? | `CATALOGUE#{account}` | `LOAD` | batch read, put on its `rev` |
//! | where stands what in an edition of it? | `CATALOGUE#{account}` | `MANIFEST#{version}` | query |
//! | products of an edition, four neighbours together | `CATALOGUE#{account}#{version}#products#{n}` | `CATALOGUE` | batch read, batch write |
//! | its index by words, categories and references | `CATALOGUE#{account}#{version}#index#{n}` | `CATALOGUE` | batch read, batch write |
//! | its categories, a hundred together | `CATALOGUE#{account}#{version}#categories#{n}` | `CATALOGUE` | batch read, batch write |
//! | when may this platform be called? | `PACE#{key}` | `PACE` | update on its instants |
//! | what is there of a person? | all | all | scan, by `operator-erase` alone |
//!
//! All that a worker needs of a conversation stands in one partition, so that it is read with one batch and changed in
//! one transaction. A conversation has as many writers as people who talk in it; a partition takes a thousand writes a
//! second. A chat has a partition of its own beside it: whoever asks for everything of a conversation has no use for
//! every sentence of a chat.
//!
//! The directory is one partition that every process reads whole. At about half a kilobyte per account one page of a
//! query (1 MB) holds some two thousand accounts. Up to a few pages that is right; with more of them, read accounts by
//! key when they are first asked for, and keep the tenants' routes under the tenant's own partition.
//!
//! Parts are joined by `#`; within a part `#` and `%` and everything outside printable ASCII are percent-encoded, so
//! different names never make the same key. Numbers have 13 digits (the widest place of a message, and milliseconds up
//! to the year 2286), so that their order as text is their order.

use std::borrow::Cow;
use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use chat::{AgentId, ChatId, Direction, ResultId, Sentence, SentenceId};
use model::{AccountId, ConversationId, DeliveryKey, EpochMillis, EventKey, LaneEntry, LaneKey, LaneKind, MessageId, TenantId};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use ports::{RecordKey, ResultList, ResultPlace, StreamKey};
use sha2::{Digest, Sha256};

/// An item as the table holds it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Partition key.
pub(crate) const PK: &str = "pk";
/// Sort key.
pub(crate) const SK: &str = "sk";
/// The index of what is due, lanes, chats and streams: keys only, and only items that carry both of its attributes.
pub(crate) const DUE_INDEX: &str = "due";
/// Partition key of the index.
pub(crate) const DUE_SHARD: &str = "due_shard";
/// Sort key of the index: when, in milliseconds since the epoch.
pub(crate) const DUE_AT: &str = "due_at";

/// Partitions of the index, for lanes, for chats and for streams each. Every pending lane writes to it, and each takes a thousand writes
/// a second.
const DUE_SHARDS: u8 = 4;
/// The lanes' partitions of the index.
const DUE_LANES: &str = "DUE";
/// The chats' partitions of the index: whoever looks for lanes does not meet chats.
const DUE_CHATS: &str = "CHATDUE";
/// The streams' partitions of the index.
const DUE_PUSHES: &str = "PUSHDUE";

const SEPARATOR: char = '#';
const ESCAPED: &AsciiSet = &CONTROLS.add(b'#').add(b'%');

/// A partition key holds 2048 bytes. Names are the vendors', so a longer one is replaced by its hash.
const LONGEST_NAME: usize = 1536;

/// Where an item stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pk: String,
    sk: String,
}

/// What makes the place of a story entry unique among those of the same delivery and millisecond.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StoryMark<'a> {
    /// The `rev` the delivery had before: known to whoever read it.
    Rev(u64),
    /// The entry itself, hashed: for a writer that has read nothing. Stands after those with a `rev`.
    Content(&'a [u8]),
}

impl Key {
    /// The conversation itself.
    pub(crate) fn conversation(id: ConversationId) -> Self {
        Self { pk: partition(id), sk: "META".to_owned() }
    }

    /// A message.
    pub(crate) fn message(id: MessageId) -> Self {
        Self { pk: partition(id.conversation()), sk: join("MSG", [number(id.seq())]) }
    }

    /// One of the further parts of a message that does not fit one item, from 1.
    pub(crate) fn message_part(id: MessageId, part: u32) -> Self {
        let parts = [number(id.seq()), "PART".to_owned(), format!("{part:03}")];
        Self { pk: partition(id.conversation()), sk: join("MSG", parts) }
    }

    /// A delivery.
    pub(crate) fn delivery(key: &DeliveryKey) -> Self {
        let parts = [key.recipient.to_string(), entry(key.entry())];
        Self { pk: partition(key.message.conversation()), sk: join("DLV", parts) }
    }

    /// A lane.
    pub(crate) fn lane(key: &LaneKey) -> Self {
        let parts = [key.recipient.to_string(), lane_kind(key.kind).to_owned()];
        Self { pk: partition(key.conversation), sk: join("LANE", parts) }
    }

    /// An entry of a delivery's story.
    pub(crate) fn story(key: &DeliveryKey, at: EpochMillis, mark: StoryMark<'_>) -> Self {
        let mark = match mark {
            StoryMark::Rev(rev) => format!("r{rev:06}"),
            StoryMark::Content(bytes) => format!("z{}", &hex::encode(Sha256::digest(bytes))[..16]),
        };
        let parts = [key.recipient.to_string(), entry(key.entry()), instant(at), mark];
        Self { pk: partition(key.message.conversation()), sk: join("STORY", parts) }
    }

    /// An event of a platform.
    pub(crate) fn event(account: &AccountId, event: &EventKey) -> Self {
        Self::named("EVENT", account, event.parts())
    }

    /// A guard of something that happens once.
    pub(crate) fn once(account: &AccountId, name: &EventKey) -> Self {
        Self::named("ONCE", account, name.parts())
    }

    /// The answer to a request.
    pub(crate) fn answer(account: &AccountId, name: &EventKey) -> Self {
        Self::named("ANSWER", account, name.parts())
    }

    /// A thread of a platform.
    pub(crate) fn thread(account: &AccountId, id: &str) -> Self {
        Self::named("THREAD", account, &[id.to_owned()])
    }

    /// An installation on a platform.
    pub(crate) fn installation(account: &AccountId, id: &str) -> Self {
        Self::named("INSTALL", account, &[id.to_owned()])
    }

    /// A grant.
    /// A consent under way.
    pub(crate) fn consent(app: &AccountId, name: &str) -> Self {
        Self::named("CONSENT", app, &[name.to_owned()])
    }

    /// Tokens.
    pub(crate) fn grant(name: &str) -> Self {
        Self { pk: join("GRANT", [name.to_owned()]), sk: "GRANT".to_owned() }
    }

    /// The current chat of a conversation.
    pub(crate) fn chat(id: ConversationId) -> Self {
        Self { pk: chat_partition(id), sk: "CHAT".to_owned() }
    }

    /// Where a sentence stands.
    pub(crate) fn sentence(chat: ChatId, sentence: &Sentence) -> Self {
        if sentence.counter > 0 {
            return Self::transcript(chat, sentence.counter);
        }
        // All that makes its name (10.7), as it has no number.
        let Sentence { id, direction, kind, text, .. } = sentence;
        let mut hash = Sha256::new();
        for part in [direction_word(*direction), id.as_str(), &kind.number().to_string(), text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let parts = [number(chat.generation()), hex::encode(&hash.finalize()[..16])];
        Self { pk: chat_partition(chat.conversation()), sk: join("ASIDE", parts) }
    }

    /// A sentence of a chat's transcript.
    pub(crate) fn transcript(chat: ChatId, counter: u64) -> Self {
        Self { pk: chat_partition(chat.conversation()), sk: transcript(chat, counter) }
    }

    /// The places of the sentences of a conversation's chats that have this id.
    pub(crate) fn said(conversation: ConversationId, direction: Direction, id: &SentenceId) -> Self {
        let parts = [direction_word(direction).to_owned(), id.as_str().to_owned()];
        Self { pk: chat_partition(conversation), sk: join("SAID", parts) }
    }

    /// What is noted of a sentence's place under its id.
    pub(crate) fn place(&self) -> &str {
        &self.sk
    }

    /// The sentence of `chat` at a place that was noted; `None` if it is another chat's of the conversation.
    pub(crate) fn at_place(chat: ChatId, place: &str) -> Option<Self> {
        let generation = number(chat.generation());
        let is_own =
            ["SENT", "ASIDE"].iter().any(|kind| split(kind, place).is_some_and(|parts| parts.first() == Some(&generation)));
        is_own.then(|| Self { pk: chat_partition(chat.conversation()), sk: place.to_owned() })
    }

    /// An entry of a stream.
    pub(crate) fn entry(stream: &StreamKey, seq: u64) -> Self {
        Self { pk: stream_partition(stream), sk: stream_entry(seq) }
    }

    /// The last number of a stream. Stands behind the entries, so that the query that reaches their end finds it.
    pub(crate) fn stream_head(stream: &StreamKey) -> Self {
        Self { pk: stream_partition(stream), sk: STREAM_HEAD.to_owned() }
    }

    /// One of the further parts of an item that does not fit one, from 1.
    pub(crate) fn part(&self, part: u32) -> Self {
        Self { pk: self.pk.clone(), sk: format!("PART{SEPARATOR}{}{SEPARATOR}{part:03}", self.sk) }
    }

    /// The mark of a gateway's chat that is not closed.
    pub(crate) fn active(gateway: &AccountId, conversation: ConversationId) -> Self {
        Self { pk: chats_partition(gateway), sk: join("ACTIVE", [conversation.to_string()]) }
    }

    /// The mark of a gateway's chat that was closed at this time.
    pub(crate) fn closed(gateway: &AccountId, at: EpochMillis, conversation: ConversationId) -> Self {
        Self { pk: chats_partition(gateway), sk: join("CLOSED", [instant(at), conversation.to_string()]) }
    }

    /// The mark of a chat that waits for an agent of a desk.
    pub(crate) fn waiting(desk: &AccountId, from: EpochMillis, conversation: ConversationId) -> Self {
        Self { pk: desk_partition(desk), sk: join("WAIT", [instant(from), conversation.to_string()]) }
    }

    /// An agent of a desk.
    pub(crate) fn agent(desk: &AccountId, agent: &AgentId) -> Self {
        Self { pk: desk_partition(desk), sk: join("AGENT", [agent.to_string()]) }
    }

    /// A filled-in form. A connector names it by any id, so it is found within its gateway only.
    pub(crate) fn result(gateway: &AccountId, id: &ResultId) -> Self {
        Self { pk: join("RESULT", [gateway.to_string(), id.to_string()]), sk: "RESULT".to_owned() }
    }

    /// A record of a platform.
    pub(crate) fn record(of: &RecordKey) -> Self {
        let RecordKey { account, group, kind, id } = of;
        Self { pk: records(account, group), sk: join(kind, [id.clone()]) }
    }

    /// What a gateway has asked for of its registers. All of them are neighbours: the sweep looks at every one.
    pub(crate) fn asker(gateway: &AccountId) -> Self {
        Self { pk: askers(), sk: join("GATEWAY", [gateway.to_string()]) }
    }

    /// The place of a filled-in form in a list.
    pub(crate) fn listed(list: &ResultList, place: &ResultPlace) -> Self {
        Self { pk: list_partition(list), sk: listed(place) }
    }

    /// The pace of a platform.
    pub(crate) fn pace(key: &str) -> Self {
        Self { pk: join("PACE", [key.to_owned()]), sk: "PACE".to_owned() }
    }

    /// A configured account.
    pub(crate) fn account(id: &AccountId) -> Self {
        Self { pk: directory(), sk: join("ACCOUNT", [id.to_string()]) }
    }

    /// A configured tenant.
    pub(crate) fn tenant(id: &TenantId) -> Self {
        Self { pk: directory(), sk: join("TENANT", [id.to_string()]) }
    }

    fn named(kind: &'static str, account: &AccountId, name: &[String]) -> Self {
        let mut pk = join(kind, std::iter::once(account.to_string()).chain(name.iter().cloned()));
        if pk.len() > LONGEST_NAME {
            // `%s` is no percent-encoding, so this is no other name's key.
            pk = format!("{}{SEPARATOR}%sha256={}", join(kind, [account.to_string()]), hex::encode(Sha256::digest(&pk)));
        }
        Self { pk, sk: kind.to_owned() }
    }

    /// The key attributes alone: what reads and updates name an item by.
    pub(crate) fn to_attributes(&self) -> Item {
        HashMap::from([(PK.to_owned(), AttributeValue::S(self.pk.clone())), (SK.to_owned(), AttributeValue::S(self.sk.clone()))])
    }

    /// Where `item` stands.
    pub(crate) fn of(item: &Item) -> Option<Self> {
        let text = |name: &str| item.get(name)?.as_s().ok().cloned();
        Some(Self { pk: text(PK)?, sk: text(SK)? })
    }

    /// Its partition.
    pub(crate) fn partition(&self) -> &str {
        &self.pk
    }

    /// The lane that stands here.
    pub(crate) fn as_lane(&self) -> Option<LaneKey> {
        let conversation = split("CONV", &self.pk)?;
        let lane = split("LANE", &self.sk)?;
        let ([conversation], [recipient, kind]) = (conversation.as_slice(), lane.as_slice()) else { return None };
        let kind = [LaneKind::Messages, LaneKind::Chat, LaneKind::Receipts].into_iter().find(|k| lane_kind(*k) == kind)?;
        Some(LaneKey { conversation: conversation.parse().ok()?, recipient: recipient.parse().ok()?, kind })
    }

    /// The conversation whose chat stands here.
    pub(crate) fn as_chat(&self) -> Option<ConversationId> {
        let parts = split("CHAT", &self.pk).filter(|_| self.sk == "CHAT")?;
        let [conversation] = parts.as_slice() else { return None };
        conversation.parse().ok()
    }

    /// The gateway the head of whose stream stands here.
    pub(crate) fn as_gateway_stream(&self) -> Option<AccountId> {
        let parts = split("STREAM", &self.pk).filter(|_| self.sk == STREAM_HEAD)?;
        let [gateway] = parts.as_slice() else { return None };
        gateway.parse().ok()
    }
}

/// Keys of catalogues. What belongs to an edition stands under its name, each item in a partition of its own: a load writes tens of
/// thousands of them, and a partition takes a thousand units a second.
pub(crate) mod catalogue {
    use model::AccountId;

    use super::{Key, join, number};

    /// The partition of what there is of an account's catalogue.
    pub(crate) fn partition(account: &AccountId) -> String {
        join("CATALOGUE", [account.to_string()])
    }

    /// Which edition readers see.
    pub(crate) fn state(account: &AccountId) -> Key {
        Key { pk: partition(account), sk: "STATE".to_owned() }
    }

    /// The load that is under way.
    pub(crate) fn load(account: &AccountId) -> Key {
        Key { pk: partition(account), sk: "LOAD".to_owned() }
    }

    /// Where stands what in an edition.
    pub(crate) fn manifest(account: &AccountId, version: &str) -> Key {
        Key { pk: partition(account), sk: join("MANIFEST", [version.to_owned()]) }
    }

    /// Neighbouring products of an edition.
    pub(crate) fn products(account: &AccountId, version: &str, index: usize) -> Key {
        part(account, version, "products", index)
    }

    /// A block of an edition's index.
    pub(crate) fn block(account: &AccountId, version: &str, index: usize) -> Key {
        part(account, version, "index", index)
    }

    /// Neighbouring categories of an edition.
    pub(crate) fn categories(account: &AccountId, version: &str, index: usize) -> Key {
        part(account, version, "categories", index)
    }

    fn part(account: &AccountId, version: &str, kind: &str, index: usize) -> Key {
        let parts = [account.to_string(), version.to_owned(), kind.to_owned(), number(index as u64)];
        Key { pk: join("CATALOGUE", parts), sk: "CATALOGUE".to_owned() }
    }
}

/// Neighbours in a partition, first and last included.
pub(crate) struct Range {
    pub(crate) pk: String,
    pub(crate) first: String,
    pub(crate) last: String,
}

impl Range {
    /// Records of one kind in a group.
    pub(crate) fn records(account: &AccountId, group: &str, kind: &'static str) -> Self {
        // `$` follows `#`, and no kind ends in it.
        Self { pk: records(account, group), first: format!("{kind}{SEPARATOR}"), last: format!("{kind}$") }
    }

    /// Messages of a conversation, and the parts of long ones.
    pub(crate) fn messages(conversation: ConversationId) -> Self {
        Self::all("MSG", partition(conversation))
    }

    /// The same at places below `before`.
    pub(crate) fn messages_before(conversation: ConversationId, before: u64) -> Self {
        let last = join("MSG", [number(before.saturating_sub(1))]);
        // `$` follows `#`, behind which the parts are.
        Self { last: format!("{last}$"), ..Self::messages(conversation) }
    }

    /// Sentences of a chat by their counters.
    pub(crate) fn sentences(chat: ChatId, first: u64, last: u64) -> Self {
        Self { pk: chat_partition(chat.conversation()), first: transcript(chat, first), last: transcript(chat, last) }
    }

    /// Entries of a stream by their numbers.
    pub(crate) fn entries(stream: &StreamKey, first: u64, last: u64) -> Self {
        Self { pk: stream_partition(stream), first: stream_entry(first), last: stream_entry(last) }
    }

    /// Entries of a stream from a number on, and at their end its head.
    pub(crate) fn stream(stream: &StreamKey, first: u64) -> Self {
        Self { pk: stream_partition(stream), first: stream_entry(first), last: STREAM_HEAD.to_owned() }
    }

    /// Chats of a gateway that are not closed.
    pub(crate) fn active(gateway: &AccountId) -> Self {
        Self::all("ACTIVE", chats_partition(gateway))
    }

    /// Chats of a gateway that were closed after this time.
    pub(crate) fn closed(gateway: &AccountId, after: EpochMillis) -> Self {
        let first = join("CLOSED", [instant(EpochMillis::new(after.millis().saturating_add(1)))]);
        Self { first, ..Self::all("CLOSED", chats_partition(gateway)) }
    }

    /// Chats that wait for an agent of a desk, the longest waiting first.
    pub(crate) fn waiting(desk: &AccountId) -> Self {
        Self::all("WAIT", desk_partition(desk))
    }

    /// Agents of a desk.
    pub(crate) fn agents(desk: &AccountId) -> Self {
        Self::all("AGENT", desk_partition(desk))
    }

    /// Places of a list of filled-in forms: from a time on, or behind a place.
    pub(crate) fn listed(list: &ResultList, since: EpochMillis, after: Option<&ResultPlace>) -> Self {
        let from = join("AT", [instant(since)]);
        // `!` comes before every character of a name: what follows the place comes after it, longer names with it.
        let first = after.map_or_else(|| from.clone(), |place| format!("{}!", listed(place)));
        Self { first: first.max(from), ..Self::all("AT", list_partition(list)) }
    }

    /// All of a kind in a partition.
    fn all(kind: &'static str, pk: String) -> Self {
        // `$` is the character after the separator, and no key is its kind followed by it.
        Self { pk, first: format!("{kind}{SEPARATOR}"), last: format!("{kind}$") }
    }
}

/// Sort key of a stream's head.
const STREAM_HEAD: &str = "HEAD";

fn chat_partition(conversation: ConversationId) -> String {
    join("CHAT", [conversation.to_string()])
}

fn chats_partition(gateway: &AccountId) -> String {
    join("CHATS", [gateway.to_string()])
}

fn desk_partition(desk: &AccountId) -> String {
    join("DESK", [desk.to_string()])
}

fn stream_partition(stream: &StreamKey) -> String {
    match stream {
        StreamKey::Gateway(gateway) => join("STREAM", [gateway.to_string()]),
        StreamKey::Workplace(desk, workplace) => join("STREAM", [desk.to_string(), workplace.to_string()]),
    }
}

fn list_partition(list: &ResultList) -> String {
    match list {
        ResultList::Gateway(gateway) => join("RESULTS", [gateway.to_string()]),
        ResultList::Callbacks(gateway, list) => join("RESULTS", [gateway.to_string(), "list".to_owned(), list.clone()]),
        ResultList::Starts(gateway, workflow) => join("RESULTS", [gateway.to_string(), "workflow".to_owned(), workflow.clone()]),
    }
}

fn listed(place: &ResultPlace) -> String {
    join("AT", [instant(place.at), place.id.to_string()])
}

fn transcript(chat: ChatId, counter: u64) -> String {
    join("SENT", [number(chat.generation()), number(counter)])
}

fn stream_entry(seq: u64) -> String {
    join("EVT", [number(seq)])
}

const fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

/// Partition key of a conversation.
pub(crate) fn partition(id: ConversationId) -> String {
    join("CONV", [id.to_string()])
}

/// Partition key of every gateway that has asked for registers.
fn records(account: &AccountId, group: &str) -> String {
    join("RECORD", [account.to_string(), group.to_owned()])
}

/// The id of a record, from its sort key.
pub(crate) fn record_id(kind: &'static str, sort_key: &str) -> Option<String> {
    split(kind, sort_key)?.pop()
}

pub(crate) fn askers() -> String {
    "ASKERS".to_owned()
}

/// Partition key of everything that is configured.
pub(crate) fn directory() -> String {
    "DIRECTORY".to_owned()
}

/// The partition of the index that a conversation's lanes stand in.
pub(crate) fn due_shard(conversation: ConversationId) -> String {
    shard_name(DUE_LANES, shard(conversation))
}

/// All partitions of the index that hold lanes.
pub(crate) fn due_shards() -> impl Iterator<Item = String> {
    (0..DUE_SHARDS).map(|shard| shard_name(DUE_LANES, shard))
}

/// The partition of the index that a conversation's chat stands in.
pub(crate) fn chat_due_shard(conversation: ConversationId) -> String {
    shard_name(DUE_CHATS, shard(conversation))
}

/// All partitions of the index that hold chats.
pub(crate) fn chat_due_shards() -> impl Iterator<Item = String> {
    (0..DUE_SHARDS).map(|shard| shard_name(DUE_CHATS, shard))
}

/// The partition of the index that a gateway's stream stands in.
pub(crate) fn push_due_shard(gateway: &AccountId) -> String {
    let sum = gateway.to_string().bytes().fold(0_u8, u8::wrapping_add);
    shard_name(DUE_PUSHES, sum % DUE_SHARDS)
}

/// All partitions of the index that hold streams.
pub(crate) fn push_due_shards() -> impl Iterator<Item = String> {
    (0..DUE_SHARDS).map(|shard| shard_name(DUE_PUSHES, shard))
}

/// Ids of conversations are hashes: their last digit is as even as any.
fn shard(conversation: ConversationId) -> u8 {
    conversation.to_string().bytes().next_back().unwrap_or_default() % DUE_SHARDS
}

/// When an item is due.
pub(crate) fn due_at(item: &Item) -> Option<EpochMillis> {
    item.get(DUE_AT)?.as_n().ok()?.parse().ok().map(EpochMillis::new)
}

/// The word for what a lane carries.
pub(crate) const fn lane_kind(kind: LaneKind) -> &'static str {
    match kind {
        LaneKind::Messages => "messages",
        LaneKind::Chat => "chat",
        LaneKind::Receipts => "receipts",
    }
}

fn shard_name(kind: &'static str, shard: u8) -> String {
    join(kind, [shard.to_string()])
}

fn instant(at: EpochMillis) -> String {
    format!("{:013}", at.millis())
}

fn number(value: u64) -> String {
    format!("{value:013}")
}

fn entry(entry: LaneEntry) -> String {
    entry.receipt.map_or_else(|| number(entry.seq), |status| format!("{}:{status}", number(entry.seq)))
}

fn join(kind: &'static str, parts: impl IntoIterator<Item = String>) -> String {
    let mut text = kind.to_owned();
    for part in parts {
        text.push(SEPARATOR);
        text.extend(utf8_percent_encode(&part, ESCAPED));
    }
    text
}

fn split(kind: &'static str, text: &str) -> Option<Vec<String>> {
    let mut parts = text.split(SEPARATOR);
    if parts.next() != Some(kind) {
        return None;
    }
    parts.map(|part| percent_decode_str(part).decode_utf8().ok().map(Cow::into_owned)).collect()
}

#[cfg(test)]
mod tests {
    use model::{DeliveryContent, ReceiptStatus};
    use proptest::prelude::*;

    use super::*;

    fn account() -> AccountId {
        "vcita/demo".parse().unwrap()
    }

    fn conversation() -> ConversationId {
        "00112233445566778899".parse().unwrap()
    }

    fn message() -> MessageId {
        MessageId::new(conversation(), 7).unwrap()
    }

    fn delivery(content: DeliveryContent) -> DeliveryKey {
        DeliveryKey { message: message(), recipient: account(), content }
    }

    fn shown(key: &Key) -> String {
        format!("{} | {}", key.pk, key.sk)
    }

    #[test]
    fn formats_are_stable() {
        let name = EventKey::new("message", ["a#b", "100%", "č"]);
        let plain = delivery(DeliveryContent::Message);
        let receipt = delivery(DeliveryContent::Receipt(ReceiptStatus::Sent));
        let at = EpochMillis::new(1_767_225_600_000);
        let lane = |kind| LaneKey { conversation: conversation(), recipient: account(), kind };
        insta::assert_snapshot!(shown(&Key::conversation(conversation())), @"CONV#00112233445566778899 | META");
        insta::assert_snapshot!(shown(&Key::message(message())), @"CONV#00112233445566778899 | MSG#0000000000007");
        insta::assert_snapshot!(shown(&Key::message_part(message(), 2)), @"CONV#00112233445566778899 | MSG#0000000000007#PART#002");
        insta::assert_snapshot!(shown(&Key::delivery(&plain)), @"CONV#00112233445566778899 | DLV#vcita/demo#0000000000007");
        insta::assert_snapshot!(shown(&Key::delivery(&receipt)), @"CONV#00112233445566778899 | DLV#vcita/demo#0000000000007:sent");
        insta::assert_snapshot!(shown(&Key::lane(&lane(LaneKind::Messages))), @"CONV#00112233445566778899 | LANE#vcita/demo#messages");
        insta::assert_snapshot!(shown(&Key::lane(&lane(LaneKind::Receipts))), @"CONV#00112233445566778899 | LANE#vcita/demo#receipts");
        insta::assert_snapshot!(shown(&Key::lane(&lane(LaneKind::Chat))), @"CONV#00112233445566778899 | LANE#vcita/demo#chat");
        insta::assert_snapshot!(shown(&Key::story(&plain, at, StoryMark::Rev(3))), @"CONV#00112233445566778899 | STORY#vcita/demo#0000000000007#1767225600000#r000003");
        insta::assert_snapshot!(shown(&Key::story(&plain, at, StoryMark::Content(b"x"))), @"CONV#00112233445566778899 | STORY#vcita/demo#0000000000007#1767225600000#z2d711642b726b044");
        insta::assert_snapshot!(shown(&Key::event(&account(), &name)), @"EVENT#vcita/demo#message#a%23b#100%25#%C4%8D | EVENT");
        insta::assert_snapshot!(shown(&Key::once(&account(), &name)), @"ONCE#vcita/demo#message#a%23b#100%25#%C4%8D | ONCE");
        insta::assert_snapshot!(shown(&Key::answer(&account(), &name)), @"ANSWER#vcita/demo#message#a%23b#100%25#%C4%8D | ANSWER");
        insta::assert_snapshot!(shown(&Key::thread(&account(), "s-1")), @"THREAD#vcita/demo#s-1 | THREAD");
        insta::assert_snapshot!(shown(&Key::installation(&account(), "ch-1")), @"INSTALL#vcita/demo#ch-1 | INSTALL");
        insta::assert_snapshot!(shown(&Key::grant("vcita:0a1b")), @"GRANT#vcita:0a1b | GRANT");
        insta::assert_snapshot!(shown(&Key::account(&account())), @"DIRECTORY | ACCOUNT#vcita/demo");
        insta::assert_snapshot!(shown(&Key::tenant(&"demo".parse().unwrap())), @"DIRECTORY | TENANT#demo");
        insta::assert_snapshot!(due_shard(conversation()), @"DUE#1");
        assert_eq!(due_shards().collect::<Vec<_>>(), ["DUE#0", "DUE#1", "DUE#2", "DUE#3"]);
    }

    fn chat() -> ChatId {
        ChatId::new(conversation(), 2).unwrap()
    }

    fn sentence(id: &str, counter: u64, text: &str) -> Sentence {
        Sentence {
            id: id.to_owned().try_into().unwrap(),
            direction: Direction::Inbound,
            counter,
            kind: chat::SentenceKind::Panel,
            text: text.to_owned(),
            party_name: None,
            sent_at: EpochMillis::new(0),
            confirmed_at: None,
        }
    }

    #[test]
    fn formats_of_chats_are_stable() {
        let (gateway, desk): (AccountId, AccountId) = ("frontstage/gw".parse().unwrap(), "frontstage/desk".parse().unwrap());
        let at = EpochMillis::new(1_767_225_600_000);
        let workplace = StreamKey::Workplace(desk.clone(), "101".parse().unwrap());
        let stream = StreamKey::Gateway(gateway.clone());
        let said = Key::said(conversation(), Direction::Outbound, &sentence("a#1", 1, "").id);
        let spread = |range: Range| format!("{} | {} .. {}", range.pk, range.first, range.last);
        insta::assert_snapshot!(shown(&Key::chat(conversation())), @"CHAT#00112233445566778899 | CHAT");
        insta::assert_snapshot!(shown(&Key::sentence(chat(), &sentence("s-1", 7, "hi"))), @"CHAT#00112233445566778899 | SENT#0000000000002#0000000000007");
        insta::assert_snapshot!(shown(&Key::sentence(chat(), &sentence("s-1", 0, "hi"))), @"CHAT#00112233445566778899 | ASIDE#0000000000002#7d6f56d146dde8f3d5fa5ead7174763d");
        insta::assert_snapshot!(shown(&said), @"CHAT#00112233445566778899 | SAID#outbound#a%231");
        insta::assert_snapshot!(shown(&Key::entry(&stream, 7)), @"STREAM#frontstage/gw | EVT#0000000000007");
        insta::assert_snapshot!(shown(&Key::entry(&stream, 7).part(2)), @"STREAM#frontstage/gw | PART#EVT#0000000000007#002");
        insta::assert_snapshot!(shown(&Key::stream_head(&workplace)), @"STREAM#frontstage/desk#101 | HEAD");
        insta::assert_snapshot!(shown(&Key::active(&gateway, conversation())), @"CHATS#frontstage/gw | ACTIVE#00112233445566778899");
        insta::assert_snapshot!(shown(&Key::closed(&gateway, at, conversation())), @"CHATS#frontstage/gw | CLOSED#1767225600000#00112233445566778899");
        insta::assert_snapshot!(shown(&Key::waiting(&desk, at, conversation())), @"DESK#frontstage/desk | WAIT#1767225600000#00112233445566778899");
        insta::assert_snapshot!(shown(&Key::agent(&desk, &"jan".parse().unwrap())), @"DESK#frontstage/desk | AGENT#jan");
        insta::assert_snapshot!(spread(Range::messages_before(conversation(), 8)), @"CONV#00112233445566778899 | MSG# .. MSG#0000000000007$");
        insta::assert_snapshot!(spread(Range::sentences(chat(), 1, 9)), @"CHAT#00112233445566778899 | SENT#0000000000002#0000000000001 .. SENT#0000000000002#0000000000009");
        insta::assert_snapshot!(spread(Range::stream(&stream, 8)), @"STREAM#frontstage/gw | EVT#0000000000008 .. HEAD");
        insta::assert_snapshot!(spread(Range::entries(&stream, 8, 9)), @"STREAM#frontstage/gw | EVT#0000000000008 .. EVT#0000000000009");
        insta::assert_snapshot!(spread(Range::active(&gateway)), @"CHATS#frontstage/gw | ACTIVE# .. ACTIVE$");
        insta::assert_snapshot!(spread(Range::closed(&gateway, at)), @"CHATS#frontstage/gw | CLOSED#1767225600001 .. CLOSED$");
        insta::assert_snapshot!(spread(Range::waiting(&desk)), @"DESK#frontstage/desk | WAIT# .. WAIT$");
        insta::assert_snapshot!(spread(Range::agents(&desk)), @"DESK#frontstage/desk | AGENT# .. AGENT$");
        insta::assert_snapshot!(chat_due_shard(conversation()), @"CHATDUE#1");
        let (all, place) = (ResultList::Gateway(gateway.clone()), ResultPlace { at, id: "r-1".parse().unwrap() });
        let callbacks = ResultList::Callbacks(gateway.clone(), "vip".to_owned());
        let starts = ResultList::Starts(gateway.clone(), "vip".to_owned());
        insta::assert_snapshot!(shown(&Key::result(&gateway, &place.id)), @"RESULT#frontstage/gw#r-1 | RESULT");
        insta::assert_snapshot!(shown(&Key::listed(&all, &place)), @"RESULTS#frontstage/gw | AT#1767225600000#r-1");
        insta::assert_snapshot!(shown(&Key::listed(&callbacks, &place)), @"RESULTS#frontstage/gw#list#vip | AT#1767225600000#r-1");
        insta::assert_snapshot!(shown(&Key::listed(&starts, &place)), @"RESULTS#frontstage/gw#workflow#vip | AT#1767225600000#r-1");
        insta::assert_snapshot!(spread(Range::listed(&all, at, None)), @"RESULTS#frontstage/gw | AT#1767225600000 .. AT$");
        insta::assert_snapshot!(spread(Range::listed(&all, EpochMillis::new(0), Some(&place))), @"RESULTS#frontstage/gw | AT#1767225600000#r-1! .. AT$");
        let record = RecordKey { account: gateway.clone(), group: "a#b".to_owned(), kind: "session", id: "7 %".to_owned() };
        insta::assert_snapshot!(shown(&Key::record(&record)), @"RECORD#frontstage/gw#a%23b | session#7 %25");
        assert_eq!(record_id("session", "session#7 %25").as_deref(), Some("7 %"));
        insta::assert_snapshot!(shown(&Key::asker(&gateway)), @"ASKERS | GATEWAY#frontstage/gw");
        assert_eq!(chat_due_shards().collect::<Vec<_>>(), ["CHATDUE#0", "CHATDUE#1", "CHATDUE#2", "CHATDUE#3"]);
        insta::assert_snapshot!(push_due_shard(&gateway), @"PUSHDUE#2");
        assert_eq!(push_due_shards().collect::<Vec<_>>(), ["PUSHDUE#0", "PUSHDUE#1", "PUSHDUE#2", "PUSHDUE#3"]);
        assert_eq!(Key::stream_head(&stream).as_gateway_stream(), Some(gateway));
        assert_eq!(Key::stream_head(&workplace).as_gateway_stream(), None);
        assert_eq!(Key::entry(&stream, 7).as_gateway_stream(), None);
    }

    #[test]
    fn formats_of_catalogues_are_stable() {
        let site: AccountId = "iadvize/shop".parse().unwrap();
        insta::assert_snapshot!(shown(&catalogue::state(&site)), @"CATALOGUE#iadvize/shop | STATE");
        insta::assert_snapshot!(shown(&catalogue::load(&site)), @"CATALOGUE#iadvize/shop | LOAD");
        insta::assert_snapshot!(shown(&catalogue::manifest(&site, "0a1b")), @"CATALOGUE#iadvize/shop | MANIFEST#0a1b");
        insta::assert_snapshot!(shown(&catalogue::products(&site, "0a1b", 7)), @"CATALOGUE#iadvize/shop#0a1b#products#0000000000007 | CATALOGUE");
        insta::assert_snapshot!(shown(&catalogue::block(&site, "0a1b", 7)), @"CATALOGUE#iadvize/shop#0a1b#index#0000000000007 | CATALOGUE");
        insta::assert_snapshot!(shown(&catalogue::categories(&site, "0a1b", 7)), @"CATALOGUE#iadvize/shop#0a1b#categories#0000000000007 | CATALOGUE");
    }

    #[test]
    fn place_leads_back_to_the_sentence_of_its_own_chat() {
        for counter in [0, 7] {
            let key = Key::sentence(chat(), &sentence("s-1", counter, "hi"));
            assert_eq!(Key::at_place(chat(), key.place()), Some(key.clone()));
            assert_eq!(Key::at_place(chat().next().unwrap(), key.place()), None);
        }
        assert_eq!(Key::at_place(chat(), "CHAT"), None);
    }

    #[test]
    fn sentence_without_a_number_stands_under_all_of_its_name() {
        let key = |id: &str, text: &str| Key::sentence(chat(), &sentence(id, 0, text));
        assert_eq!(key("s-1", "hi"), key("s-1", "hi"));
        assert_ne!(key("s-1", "hi"), key("s-2", "hi"));
        assert_ne!(key("s-1", "hi"), key("s-1", "ho"));
        assert_ne!(key("s-1", "hi"), key("s-", "1hi"));
    }

    #[test]
    fn longest_id_of_a_sentence_fits_a_sort_key() {
        let longest = Key::said(conversation(), Direction::Outbound, &sentence(&"€".repeat(64), 1, "").id);
        // DynamoDB, "Quotas": sort key length.
        assert!(longest.sk.len() <= 1024, "{}", longest.sk.len());
    }

    #[test]
    fn chat_is_read_back_from_its_key() {
        assert_eq!(Key::chat(conversation()).as_chat(), Some(conversation()));
        assert_eq!(Key::transcript(chat(), 1).as_chat(), None);
        assert_eq!(Key::conversation(conversation()).as_chat(), None);
    }

    #[test]
    fn lane_is_read_back_from_its_key() {
        for kind in [LaneKind::Messages, LaneKind::Chat, LaneKind::Receipts] {
            let lane = LaneKey { conversation: conversation(), recipient: account(), kind };
            assert_eq!(Key::lane(&lane).as_lane(), Some(lane));
        }
        assert_eq!(Key::conversation(conversation()).as_lane(), None);
        assert_eq!(Key::delivery(&delivery(DeliveryContent::Message)).as_lane(), None);
    }

    #[test]
    fn overlong_name_is_hashed() {
        let long = |last: &str| Key::event(&account(), &EventKey::new("message", [&"x".repeat(5_000), last]));
        assert!(long("a").pk.len() < LONGEST_NAME);
        assert_ne!(long("a"), long("b"));
        assert!(long("a").pk.starts_with("EVENT#vcita/demo#%sha256="));
    }

    proptest! {
        #[test]
        fn parts_round_trip(parts in prop::collection::vec(".*", 0..5)) {
            prop_assert_eq!(split("EVENT", &join("EVENT", parts.clone())), Some(parts));
        }

        #[test]
        fn different_names_never_share_a_key(
            a in prop::collection::vec("[a#%2/.]{0,3}", 0..4),
            b in prop::collection::vec("[a#%2/.]{0,3}", 0..4),
        ) {
            let key = |parts: &[String]| Key::named("EVENT", &account(), parts);
            prop_assert_eq!(a == b, key(&a) == key(&b));
        }

        #[test]
        fn order_of_messages_is_order_of_keys(a in 0..=MessageId::MAX_SEQ, b in 0..=MessageId::MAX_SEQ) {
            let key = |seq| Key::message(MessageId::new(conversation(), seq).unwrap()).sk;
            prop_assert_eq!(a.cmp(&b), key(a).cmp(&key(b)));
        }

        #[test]
        fn every_conversation_has_a_listed_shard(text in "[0-9a-f]{20}") {
            let shard = due_shard(text.parse().unwrap());
            prop_assert!(due_shards().any(|listed| listed == shard));
            let shard = chat_due_shard(text.parse().unwrap());
            prop_assert!(chat_due_shards().any(|listed| listed == shard));
        }
    }
}
