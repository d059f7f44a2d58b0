//! What one event of the workspace changes.
//!
//! Everything that becomes true with an event is one transaction with the name of the event; a message is stored after it, under the
//! same name. Should that fail, the page sends the event again: what is named is not done twice, and the message is stored then.

use std::collections::BTreeMap;
use std::time::Duration;

use app::{AppError, Ctx as Base, Name, Named, accept_heard, named_key};
use model::{Account, Author, Content, EpochMillis, MessageDetails, VisitorMessage};
use platform_roxchat::{
    Authorized, Chat, Event, Flag, Identity, Notices, Read, Rejection, Sent, Side, Telling, Text, Visitor, Visitors, event_key,
};
use ports::{InboundStore, PortError, RecordKey, Saved};
use serde::{Deserialize, Serialize};

use crate::sheet::Sheet;
use crate::{Problem, keys};

/// How often an event is tried again after somebody else changed the same.
const RACES: usize = 8;

/// How long what an unknown event says is kept, and up to what length.
const RAW_KEPT: Duration = Duration::from_secs(7 * 86_400);
const RAW_BYTES: usize = 16 * 1024;

/// How long notifications are remembered, after the last one came or went.
const NOTICES_KEPT: Duration = Duration::from_secs(7 * 86_400);

/// How long a page keeps what it could not send (section 8). What is said to be older was not received by that clock.
const BUFFERED: Duration = Duration::from_secs(24 * 3600);

/// The most conversations, and ids, that are noted under a name; of more, the newest.
const MOST_NAMED: usize = 200;

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Stored.
    Accepted(Vec<Flag>),
    /// Its name is known.
    Duplicate,
    /// Of a kind that nobody knows: kept as it came, for a while.
    Ignored,
    /// Never to be accepted.
    Rejected(Rejection),
}

/// What is kept of an event.
#[derive(Serialize, Deserialize)]
struct Kept {
    event: String,
    page: String,
    seq: u64,
    at: EpochMillis,
    /// Where its message is filed, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_suspected: bool,
    /// What an unknown one says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
}

/// How far a page has counted.
#[derive(Default, Serialize, Deserialize)]
struct Counted {
    agent: String,
    last: u64,
}

/// Takes the events of a batch, one after the other.
pub(crate) struct Hearing<'a> {
    pub(crate) account: &'a Account,
    /// Who tells.
    pub(crate) agent: &'a str,
    pub(crate) sheet: Sheet<'a>,
    pub(crate) inbound: &'a Base<dyn InboundStore>,
    pub(crate) kept: Duration,
}

/// When an event was received, as far as that can be believed: not after we have it, and not before a page would have kept it.
pub(crate) fn happened_at(received_at: EpochMillis, now: EpochMillis) -> EpochMillis {
    if received_at > now || received_at.plus(BUFFERED) < now { now } else { received_at }
}

impl Hearing<'_> {
    /// Takes an event: however often it comes, once.
    pub(crate) async fn take(&mut self, sent: &Sent, read: Read) -> Result<Outcome, Problem> {
        for _ in 0..RACES {
            match self.attempt(sent, &read).await {
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => {}
                Err(Problem::Ours(AppError::TooLarge { .. })) => {
                    self.sheet.clear();
                    return Ok(Outcome::Rejected(Rejection::TooLarge));
                }
                Err(problem) => {
                    self.sheet.clear();
                    return Err(problem);
                }
            }
        }
        Err(AppError::Unavailable(PortError::Busy).into())
    }

    /// Counts an event that is rejected, so that the next one of its page follows on it. Stored with the next change.
    pub(crate) async fn pass_over(&mut self, sent: &Sent) -> Result<(), Problem> {
        let now = self.inbound.clock.now();
        let page = keys::page(self.account, &sent.page);
        let counted = self.sheet.look::<Counted>(&page, now).await?.unwrap_or_default();
        // One that left a gap leaves it to be seen.
        if sent.seq != counted.last + 1 || !counted.agent.is_empty() && counted.agent != self.agent {
            return Ok(());
        }
        let counted = Counted { agent: self.agent.to_owned(), last: sent.seq };
        self.sheet.put(&page, &counted, now.plus(BUFFERED * 2))
    }

    /// Stores what is left at the end of a batch. If somebody else was first, a gap is seen where there is none: that is all.
    pub(crate) async fn finish(&mut self) -> Result<(), Problem> {
        self.sheet.save().await.map(drop)
    }

    /// `None` if somebody else was first to change the same.
    async fn attempt(&mut self, sent: &Sent, read: &Read) -> Result<Option<Outcome>, Problem> {
        let (account, now) = (self.account, self.inbound.clock.now());
        let (name, page) = (keys::event(account, &sent.id), keys::page(account, &sent.page));
        let mut wanted = vec![name.clone(), page.clone()];
        wanted.extend(self.concerned(&read.event));
        self.sheet.read(wanted, now).await?;
        if let Some(kept) = self.sheet.get::<Kept>(&name)? {
            // It may be that its message could not be stored the first time.
            if let Event::Message { kind, side, text, .. } = &read.event
                && let Some(address) = kept.address
            {
                let filed = Filed { address, kind, side: *side, text, at: kept.at, is_suspected: kept.is_suspected };
                self.file(sent, &filed).await?;
            }
            return Ok(Some(Outcome::Duplicate));
        }
        let counted = self.sheet.get::<Counted>(&page)?.unwrap_or_default();
        // What one agent's page has kept, another one's must not send.
        if !counted.agent.is_empty() && counted.agent != self.agent {
            return Ok(Some(Outcome::Rejected(Rejection::InvalidParams)));
        }
        let at = happened_at(sent.received_at, now);
        let mut flags = Vec::new();
        if read.siebel_differs {
            flags.push(Flag::SiebelIdDiffers);
        }
        if sent.seq > counted.last + 1 {
            flags.push(Flag::SeqGap);
        } else if sent.seq <= counted.last {
            flags.push(Flag::SeqRepeat);
        }
        let until = now.plus(self.kept);
        let counted = Counted { agent: self.agent.to_owned(), last: counted.last.max(sent.seq) };
        self.sheet.put(&page, &counted, now.plus(BUFFERED * 2))?;
        let mut kept = Kept {
            event: read.event.name().to_owned(),
            page: sent.page.clone(),
            seq: sent.seq,
            at,
            address: None,
            is_suspected: false,
            raw: None,
        };
        let mut filed = None;
        match &read.event {
            Event::Message { visitor, chat, session, kind, side, text } => {
                let known = self.spoke(visitor, *chat, session.as_deref(), at).await?;
                let mut is_suspected = false;
                if let Some(id) = chat {
                    let key = keys::chat(account, *id);
                    let mut chat = self.sheet.get::<Chat>(&key)?.unwrap_or_default();
                    chat.visitor.clone_from(&known);
                    let print = keys::print(account, kind, &text.kept);
                    is_suspected = chat.said(*side, Telling { page: &sent.page, print: &print, at, heard: now }).is_suspected;
                    self.sheet.put(&key, &chat, until)?;
                }
                if is_suspected {
                    flags.push(Flag::SuspectedDuplicate);
                }
                // By the id that the event gives, whoever that has become: that is the one which is noted with the visitor.
                let address = keys::address(*chat, &visitor.id, side.is_said() && !is_suspected);
                (kept.address, kept.is_suspected) = (Some(address.clone()), is_suspected);
                filed = Some(Filed { address, kind, side: *side, text, at, is_suspected });
            }
            Event::Closed { visitor, chat, channel } => {
                let channel = channel.clone();
                let known = self
                    .with_visitor(visitor, |visitor| {
                        visitor.channel = channel.clone().or(visitor.channel.take());
                        chat.iter().for_each(|chat| visitor.has_chat(*chat));
                    })
                    .await?;
                if let Some(id) = chat {
                    let key = keys::chat(account, *id);
                    let mut chat = self.sheet.get::<Chat>(&key)?.unwrap_or_default();
                    chat.visitor = known;
                    chat.closed(channel, at);
                    self.sheet.put(&key, &chat, until)?;
                }
            }
            Event::Authorized { old, new } => self.authorized(old, new, at).await?,
            Event::Selected { visitor, session, task } => {
                self.with_visitor(visitor, |visitor| {
                    visitor.visited(session.as_deref(), at);
                    visitor.task = task.clone().or(visitor.task.take());
                })
                .await?;
            }
            Event::NotificationAdded(notification) => self.notified(now, |notices| notices.added(notification, at))?,
            Event::NotificationRemoved { id } => self.notified(now, |notices| notices.removed(id))?,
            Event::Unknown => {
                let mut raw = serde_json::Value::Object(sent.message.clone()).to_string();
                raw.truncate(raw.floor_char_boundary(RAW_BYTES));
                kept.raw = Some(raw);
            }
        }
        let is_unknown = read.event == Event::Unknown;
        self.sheet.put(&name, &kept, if is_unknown { now.plus(RAW_KEPT) } else { until })?;
        if self.sheet.save().await? == Saved::Conflict {
            return Ok(None);
        }
        if let Some(filed) = filed {
            self.file(sent, &filed).await?;
        }
        Ok(Some(if is_unknown { Outcome::Ignored } else { Outcome::Accepted(flags) }))
    }

    /// The records that an event concerns at first sight.
    fn concerned(&self, event: &Event) -> Vec<RecordKey> {
        let account = self.account;
        match event {
            Event::Message { visitor, chat, .. } | Event::Closed { visitor, chat, .. } => {
                let chat = chat.map(|chat| keys::chat(account, chat));
                chat.into_iter().chain([keys::visitor(account, &visitor.id)]).collect()
            }
            Event::Authorized { old, new } => vec![keys::visitor(account, &old.id), keys::visitor(account, &new.id)],
            Event::Selected { visitor, .. } => vec![keys::visitor(account, &visitor.id)],
            Event::NotificationAdded(_) | Event::NotificationRemoved { .. } => vec![keys::notices(account, self.agent)],
            Event::Unknown => Vec::new(),
        }
    }

    /// A visitor under any of their ids, and all records on the way there.
    async fn loaded(&mut self, visitors: &mut Visitors, id: &str) -> Result<String, Problem> {
        let now = self.inbound.clock.now();
        let mut id = id.to_owned();
        // Who becomes an alias takes its own aliases along: it is one step, or two while somebody else writes.
        for _ in 0..4 {
            let visitor = self.sheet.look::<Visitor>(&keys::visitor(self.account, &id), now).await?;
            let next = visitor.as_ref().and_then(|visitor| visitor.alias_of.clone());
            if let Some(visitor) = visitor {
                visitors.0.insert(id.clone(), visitor);
            }
            match next {
                Some(next) => id = next,
                None => return Ok(id),
            }
        }
        Err(AppError::Internal("aliases of a visitor lead nowhere").into())
    }

    /// Notes visitors that have changed, and the names that lead to them.
    async fn keep_visitors(&mut self, before: &Visitors, after: &Visitors) -> Result<(), Problem> {
        let (account, now) = (self.account, self.inbound.clock.now());
        let until = now.plus(self.kept);
        for (id, visitor) in &after.0 {
            if before.0.get(id) == Some(visitor) {
                continue;
            }
            let key = keys::visitor(account, id);
            self.sheet.read([key.clone()], now).await?;
            self.sheet.put(&key, visitor, until)?;
        }
        for (name, change) in names(account, before, after) {
            let key = named_key(account, &name);
            let mut named = self.sheet.look::<Named>(&key, now).await?.unwrap_or_default();
            for conversation in change.conversations {
                if !named.conversations.contains(&conversation) {
                    named.conversations.push(conversation);
                }
            }
            for id in change.ids {
                if !named.ids.contains(&id) {
                    named.ids.push(id);
                }
            }
            named.conversations.drain(..named.conversations.len().saturating_sub(MOST_NAMED));
            named.ids.drain(..named.ids.len().saturating_sub(MOST_NAMED));
            self.sheet.put_news(&key, &named, until)?;
        }
        Ok(())
    }

    /// Notes what an event says of a visitor, and returns the id as which they are known.
    async fn with_visitor(&mut self, identity: &Identity, change: impl FnOnce(&mut Visitor)) -> Result<String, Problem> {
        let mut before = Visitors::default();
        self.loaded(&mut before, &identity.id).await?;
        let mut after = before.clone();
        let (id, visitor) = after.known(&identity.id);
        visitor.learn(identity);
        change(visitor);
        self.keep_visitors(&before, &after).await?;
        Ok(id)
    }

    async fn spoke(
        &mut self,
        identity: &Identity,
        chat: Option<i64>,
        session: Option<&str>,
        at: EpochMillis,
    ) -> Result<String, Problem> {
        self.with_visitor(identity, |visitor| {
            visitor.visited(session, at);
            match chat {
                Some(chat) => visitor.has_chat(chat),
                None => drop(visitor.without_chat.insert(identity.id.clone())),
            }
        })
        .await
    }

    async fn authorized(&mut self, old: &Identity, new: &Identity, at: EpochMillis) -> Result<(), Problem> {
        let mut before = Visitors::default();
        let was = self.loaded(&mut before, &old.id).await?;
        self.loaded(&mut before, &new.id).await?;
        // They are to lead to the new one too, if the two turn out to be one.
        let aliases = before.0.get(&was).map(|visitor| visitor.aliases.clone()).unwrap_or_default();
        let now = self.inbound.clock.now();
        self.sheet.read(aliases.iter().map(|id| keys::visitor(self.account, id)), now).await?;
        for id in aliases {
            if let Some(visitor) = self.sheet.get(&keys::visitor(self.account, &id))? {
                before.0.insert(id, visitor);
            }
        }
        let mut after = before.clone();
        match after.authorized(old, new, at) {
            Authorized::Known | Authorized::Merged | Authorized::Switched => self.keep_visitors(&before, &after).await,
        }
    }

    fn notified(&mut self, now: EpochMillis, change: impl FnOnce(&mut Notices)) -> Result<(), Problem> {
        let key = keys::notices(self.account, self.agent);
        let mut notices = self.sheet.get::<Notices>(&key)?.unwrap_or_default();
        change(&mut notices);
        self.sheet.put_news(&key, &notices, now.plus(NOTICES_KEPT))
    }

    /// Stores a message, once under the name of its event.
    async fn file(&self, sent: &Sent, filed: &Filed<'_>) -> Result<(), Problem> {
        let Filed { address, kind, side, text, at, is_suspected } = filed;
        let mut plain: BTreeMap<String, String> = [
            ("kind", (*kind).to_owned()),
            ("side", side.as_str().to_owned()),
            ("page", sent.page.clone()),
            ("seq", sent.seq.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if let Some(bytes) = text.original_bytes {
            plain.insert("original_bytes".to_owned(), bytes.to_string());
        }
        if *is_suspected {
            plain.insert("suspected_duplicate".to_owned(), "true".to_owned());
        }
        let message = VisitorMessage {
            address: address.clone(),
            name: None,
            memo: BTreeMap::new(),
            event_keys: vec![(event_key(&sent.id), None)],
            answers: None,
            continues: Vec::new(),
            origin_id: sent.id.clone(),
            sent_at: *at,
            content: Content { text: text.kept.clone(), ..Content::default() },
            details: MessageDetails { plain, ..MessageDetails::default() },
        };
        let author = match side {
            Side::Inbound => Author::Visitor,
            Side::Outbound | Side::Internal | Side::Unknown => Author::Desk,
        };
        accept_heard(self.inbound, self.account, author, message).await?;
        Ok(())
    }
}

/// A message and where it goes.
struct Filed<'a> {
    address: String,
    kind: &'a str,
    side: Side,
    text: &'a Text,
    at: EpochMillis,
    is_suspected: bool,
}

/// What is to be noted under the names of visitors that have changed. Whoever gets a first name gets all that was said before; where a
/// name is replaced by another one, only what is said from then on is the other's.
fn names(account: &Account, before: &Visitors, after: &Visitors) -> Vec<(Name, Named)> {
    let mut changes: BTreeMap<Name, Named> = BTreeMap::new();
    for (id, visitor) in &after.0 {
        let nobody = Visitor::default();
        let known = before.0.get(id).unwrap_or(&nobody);
        let is_merged = known.aliases != visitor.aliases;
        for (name, earlier) in [(&visitor.provided, &known.provided), (&visitor.siebel, &known.siebel)] {
            let Some(name) = name.as_deref().and_then(Name::new) else { continue };
            let gets_all = earlier.is_none() || is_merged;
            let chats = visitor.chats.iter().filter(|chat| gets_all || !known.chats.contains(chat));
            let chats = chats.map(|chat| keys::address(Some(*chat), "", true));
            let others = visitor.without_chat.iter().filter(|id| gets_all || !known.without_chat.contains(*id));
            let addresses = chats.chain(others.map(|id| keys::address(None, id, true)));
            let conversations: Vec<_> = addresses.map(|address| keys::conversation(account, &address)).collect();
            let is_new = earlier.as_deref().and_then(Name::new).as_ref() != Some(&name);
            if !conversations.is_empty() || is_new || is_merged {
                let named = changes.entry(name).or_default();
                named.conversations.extend(conversations);
                named.ids.push(id.clone());
            }
        }
    }
    changes.into_iter().collect()
}
