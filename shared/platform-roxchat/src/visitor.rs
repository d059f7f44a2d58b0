//! Visitors, and what becomes of them when somebody signs in (section 3.4).

use std::collections::{BTreeMap, BTreeSet};

use model::EpochMillis;
use serde::{Deserialize, Serialize};

use crate::{Channel, Identity};

/// The most chats that are remembered of a visitor; of more, the newest.
const MOST_CHATS: usize = 200;

/// The most switches that are remembered of a visitor; of more, the newest.
const MOST_SWITCHES: usize = 50;

/// The most ids of one visitor. All of them are changed in one transaction when the visitor gets one more.
const MOST_ALIASES: usize = 80;

/// A visit, and when it was last heard of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Rox.Chat's id of the session.
    pub id: String,
    /// When.
    pub at: EpochMillis,
}

/// A browser whose user changed: two people, whose histories stay apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// Who was there before, by Rox.Chat's id.
    pub from: String,
    /// Who came.
    pub to: String,
    /// When it was first heard of.
    pub at: EpochMillis,
}

/// A visitor under one of their ids. Personal data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Visitor {
    /// The visitor as whom this one is known now; then nothing else stands here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias_of: Option<String>,
    /// The customer's system's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provided: Option<String>,
    /// Siebel's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub siebel: Option<String>,
    /// Ids under which the visitor was known before.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub aliases: BTreeSet<String>,
    /// Changes of the browser's user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub switches: Vec<Switch>,
    /// The latest visit: what a command needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Seen>,
    /// The channel they came through last; `None` for the web site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The task in the CRM that was named last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Their chats, in the order in which they were heard of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chats: Vec<i64>,
    /// Ids under which something was said before there was a chat.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub without_chat: BTreeSet<String>,
}

impl Visitor {
    /// Notes what an event says of who they are. `null` is unknown and takes nothing away.
    pub fn learn(&mut self, identity: &Identity) {
        self.provided = identity.provided.clone().or(self.provided.take());
        self.siebel = identity.siebel.clone().or(self.siebel.take());
    }

    /// Notes a visit, if it is the latest.
    pub fn visited(&mut self, session: Option<&str>, at: EpochMillis) {
        if let Some(id) = session
            && self.session.as_ref().is_none_or(|known| known.at <= at)
        {
            self.session = Some(Seen { id: id.to_owned(), at });
        }
    }

    /// Notes a chat.
    pub fn has_chat(&mut self, chat: i64) {
        if !self.chats.contains(&chat) {
            self.chats.push(chat);
        }
        self.chats.drain(..self.chats.len().saturating_sub(MOST_CHATS));
    }

    fn switched(&mut self, from: &str, to: &str, at: EpochMillis) {
        if !self.switches.iter().any(|switch| switch.from == from && switch.to == to) {
            self.switches.push(Switch { from: from.to_owned(), to: to.to_owned(), at });
        }
        self.switches.drain(..self.switches.len().saturating_sub(MOST_SWITCHES));
    }

    /// Takes over what is known of somebody who turned out to be the same. What is known here goes first.
    fn absorb(&mut self, id: &str, other: Self) {
        let Self { alias_of: _, provided, siebel, aliases, switches, session, channel, task, chats, without_chat } = other;
        self.provided = self.provided.take().or(provided);
        self.siebel = self.siebel.take().or(siebel);
        self.aliases.extend(aliases);
        self.aliases.insert(id.to_owned());
        for Switch { from, to, at } in switches {
            self.switched(&from, &to, at);
        }
        self.session = match (self.session.take(), session) {
            (Some(own), Some(theirs)) => Some(if theirs.at > own.at { theirs } else { own }),
            (own, theirs) => own.or(theirs),
        };
        self.channel = self.channel.take().or(channel);
        self.task = self.task.take().or(task);
        // Which of two chats came first is told by their own records; ids count upwards as a rule.
        for chat in chats {
            self.has_chat(chat);
        }
        self.without_chat.extend(without_chat);
    }
}

/// What somebody's signing in came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorized {
    /// The same visitor, of whom more may be known now.
    Known,
    /// Two ids are one visitor from now on.
    Merged,
    /// Two people, whose histories stay apart.
    Switched,
}

/// Visitors by their ids, as far as an event concerns them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Visitors(pub BTreeMap<String, Visitor>);

impl Visitors {
    /// The id as which a visitor is known now. One that nobody has heard of is its own.
    ///
    /// Whoever becomes an alias takes its own aliases along, so this is one step; what is stored wrongly must not be followed for
    /// ever all the same.
    #[must_use]
    pub fn canonical<'a>(&'a self, id: &'a str) -> &'a str {
        let mut at = id;
        for _ in 0..=self.0.len() {
            match self.0.get(at).and_then(|visitor| visitor.alias_of.as_deref()) {
                Some(next) => at = next,
                None => return at,
            }
        }
        at
    }

    /// A visitor under the id as which they are known now.
    pub fn known(&mut self, id: &str) -> (String, &mut Visitor) {
        let id = self.canonical(id).to_owned();
        let visitor = self.0.entry(id.clone()).or_default();
        (id, visitor)
    }

    /// Somebody signs in. Once more, it changes nothing.
    ///
    /// - Of the same id, more becomes known.
    /// - Two ids are one visitor if the old one had no id of the customer's system, or has the new one's.
    /// - If both have one and they differ, the browser changed users: nothing is merged, and both remember it. So it is where the old
    ///   one had one and nobody knows the new one's: what is not known to be the same is not joined.
    pub fn authorized(&mut self, old: &Identity, new: &Identity, at: EpochMillis) -> Authorized {
        let (was, is) = (self.canonical(&old.id).to_owned(), self.canonical(&new.id).to_owned());
        if old.id == new.id {
            self.known(&is).1.learn(new);
            return Authorized::Known;
        }
        let stored = |id: &str| self.0.get(id).and_then(|visitor| visitor.provided.clone());
        // Null is unknown: what was learnt before still holds.
        let before = old.provided.clone().or_else(|| stored(&was));
        let after = new.provided.clone().or_else(|| stored(&is));
        // Both: those of the one are changed with it, and those of the other are one more each time.
        let has_room = |id: &str| self.0.get(id).is_none_or(|visitor| visitor.aliases.len() < MOST_ALIASES);
        let has_room = has_room(&was) && has_room(&is);
        if before.is_some() && before != after || was != is && !has_room {
            if was != is {
                self.known(&was).1.learn(old);
                self.known(&is).1.learn(new);
            }
            self.known(&was).1.switched(&old.id, &new.id, at);
            self.known(&is).1.switched(&old.id, &new.id, at);
            return Authorized::Switched;
        }
        if was == is {
            self.known(&is).1.learn(new);
            return Authorized::Known;
        }
        let mut merged = self.0.remove(&was).unwrap_or_default();
        // What the event says of the old one is older than what it says of the new one, and newer than what was stored.
        merged.learn(old);
        for alias in &merged.aliases {
            self.0.entry(alias.clone()).or_default().alias_of = Some(is.clone());
        }
        let visitor = self.0.entry(is.clone()).or_default();
        visitor.learn(new);
        visitor.absorb(&was, merged);
        self.0.insert(was, Visitor { alias_of: Some(is), ..Visitor::default() });
        Authorized::Merged
    }
}

#[cfg(test)]
mod tests;
