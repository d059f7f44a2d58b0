//! A value as it was written: member by member, so that duplicates and deep nesting can be told. JSON and MessagePack are
//! both read into it and written from it, so that every rule about members is written once.

use std::borrow::Cow;
use std::collections::HashSet;

use model::EpochMillis;
use uuid::Uuid;

use crate::form::Decimal;
use crate::structure::{Dir, Reading, Value, Wrong};

/// Deepest nesting that is read (section 4).
pub(crate) const MAX_DEPTH: usize = 32;

/// What is said of a value that is nested deeper.
pub(crate) const TOO_DEEP: &str = "nested deeper than 32";

/// A value of JSON or MessagePack (2.2, 10.4).
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Node {
    /// Null, or a member that is not there.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// A number as it was written, in JSON's grammar: no digit is lost on the way through a binary one.
    Number(String),
    /// A decimal of ours. A number in JSON, a text in MessagePack.
    Decimal(Decimal),
    /// A text.
    Text(String),
    /// MessagePack's own form of a date; in JSON a text.
    Time(EpochMillis),
    /// MessagePack's bytes, which only a GUID may be.
    Binary(Vec<u8>),
    /// An array.
    List(Vec<Self>),
    /// A structure.
    Object(Members),
    /// Something that may not be; the rest of the document is unharmed.
    Bad(&'static str),
}

/// The members of an object; no two names are equal, not even but for case.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Members(Vec<(Cow<'static, str>, Node)>);

impl Node {
    /// An object of ours, its members in this order.
    #[must_use]
    pub fn object<const N: usize>(members: [(&'static str, Self); N]) -> Self {
        Self::Object(Members(members.into_iter().map(|(name, node)| (Cow::Borrowed(name), node)).collect()))
    }

    /// An object somebody wrote, if it may be one.
    pub(crate) fn written(members: Vec<(Cow<'static, str>, Self)>) -> Self {
        let mut names = HashSet::with_capacity(members.len());
        let is_unique = members.iter().all(|(name, _)| names.insert(name.to_ascii_lowercase()));
        if is_unique { Self::Object(Members(members)) } else { Self::Bad("two members have the same name") }
    }

    /// The text, if it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The members, if it is an object.
    pub(crate) const fn as_object(&self) -> Option<&Members> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// The first thing in it that may not be.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        match self {
            Self::Bad(why) => Some(why),
            Self::List(items) => items.iter().find_map(Self::problem),
            Self::Object(members) => members.iter().find_map(|(_, node)| node.problem()),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Decimal(_) | Self::Text(_) | Self::Time(_) | Self::Binary(_) => {
                None
            }
        }
    }

    /// The same object with this member, in its place or at the end.
    pub(crate) fn with(mut self, name: &'static str, node: Self) -> Self {
        if let Self::Object(Members(members)) = &mut self {
            match members.iter_mut().find(|(known, _)| known == name) {
                Some((_, place)) => *place = node,
                None => members.push((Cow::Borrowed(name), node)),
            }
        }
        self
    }

    /// A member to be changed, if it is there.
    pub(crate) fn member_mut(&mut self, name: &str) -> Option<&mut Self> {
        let Self::Object(Members(members)) = self else { return None };
        members.iter_mut().find(|(known, _)| known == name).map(|(_, node)| node)
    }

    /// The same object without these members.
    pub(crate) fn without(mut self, names: &[&str]) -> Self {
        if let Self::Object(Members(members)) = &mut self {
            members.retain(|(name, _)| !names.contains(&name.as_ref()));
        }
        self
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Node {
    fn from(number: i64) -> Self {
        Self::Number(number.to_string())
    }
}

impl From<u64> for Node {
    fn from(number: u64) -> Self {
        Self::Number(number.to_string())
    }
}

impl From<EpochMillis> for Node {
    fn from(at: EpochMillis) -> Self {
        Self::Time(at)
    }
}

impl From<Uuid> for Node {
    /// The nil GUID means that there is none, and is never written (2.2).
    fn from(guid: Uuid) -> Self {
        if guid.is_nil() { Self::Null } else { Self::Text(guid.hyphenated().to_string()) }
    }
}

impl<T: Into<Self>> From<Option<T>> for Node {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Node {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl FromIterator<(Cow<'static, str>, Node)> for Members {
    /// The names must differ, but for case too.
    fn from_iter<I: IntoIterator<Item = (Cow<'static, str>, Node)>>(members: I) -> Self {
        Self(members.into_iter().collect())
    }
}

impl Members {
    /// Every member, in the order it was written.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Cow<'static, str>, Node)> {
        self.0.iter()
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The value of a member, by its exact name or the same in another case; an absent one is null.
    pub(crate) fn get(&self, name: &str) -> &Node {
        // No two names are equal but for case, so there is no exact one to prefer.
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or(&Node::Null, |(_, node)| node)
    }

    /// The value of a member that travels in the directions `dirs`; in any other it is passed over, whatever it says.
    pub(crate) fn read<T: Value>(&self, name: &str, how: Reading, dirs: &[Dir]) -> Result<T, Wrong> {
        let node = if dirs.contains(&how.dir) { self.get(name) } else { &Node::Null };
        let value = match node {
            Node::Null => None,
            node => T::from_node(node, how).map_err(|wrong| wrong.under(name))?,
        };
        value.or_else(T::absent).ok_or_else(|| Wrong::new("is missing").under(name))
    }
}
