//! Chats: open, closed by the agent, open again (section 3.3), and what two pages tell of one message (section 8).

use std::time::Duration;

use model::EpochMillis;
use serde::{Deserialize, Serialize};

use crate::{Channel, Side};

/// Within how long the same from two pages is suspected to be one message.
const ALIKE_WITHIN: Duration = Duration::from_secs(5);

/// How much later than a change a page may tell of what was before it. Clocks of pages differ by less; a page that was offline tells
/// of what is older.
const LATE: Duration = Duration::from_secs(60);

/// The most messages that later ones are compared with.
const MOST_RECENT: usize = 20;

/// Where a chat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatState {
    /// It goes on, as far as anybody has told.
    #[default]
    Open,
    /// The agent closed it: what either side says opens it again, until Rox.Chat closes it for good, which no event tells.
    ClosedByAgent,
}

/// A message that others may tell again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Recent {
    pages: Vec<String>,
    print: String,
    at: EpochMillis,
    heard: EpochMillis,
}

/// A chat.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Chat {
    /// The visitor by the id that the last event named: who that is now, the visitor's own record says.
    pub visitor: String,
    /// Where it is.
    pub state: ChatState,
    /// How often it was opened again.
    pub reopened: u32,
    /// When something was last heard of it.
    pub last_at: Option<EpochMillis>,
    /// When something was last said in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spoke_at: Option<EpochMillis>,
    /// When it was last closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed_at: Option<EpochMillis>,
    /// The channel it was closed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    recent: Vec<Recent>,
}

/// Who tells of a message, and when.
#[derive(Debug, Clone, Copy)]
pub struct Telling<'a> {
    /// The page.
    pub page: &'a str,
    /// The same for the same kind and text, and nothing that the text could be read from.
    pub print: &'a str,
    /// When it was said, as far as that is known.
    pub at: EpochMillis,
    /// When we heard of it.
    pub heard: EpochMillis,
}

/// What a message came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// The chat is open again.
    pub is_reopened: bool,
    /// Another page has told the same within five seconds.
    pub is_suspected: bool,
}

impl Chat {
    /// Something was said. What passes between visitor and agent opens a closed chat again; what is among agents does not.
    pub fn said(&mut self, side: Side, telling: Telling<'_>) -> Said {
        let Telling { page, print, at, heard } = telling;
        let within = |one: EpochMillis, other: EpochMillis, longest| one.since(other).max(other.since(one)) <= longest;
        // Each page tells of a message once: two pages that both tell "ok" twice tell of two messages.
        let is_same = |known: &&mut Recent| {
            // When they were heard of counts for no more than what clocks may differ by: pages that were offline tell all at once.
            let is_near =
                within(known.at, at, ALIKE_WITHIN) || within(known.heard, heard, ALIKE_WITHIN) && within(known.at, at, LATE);
            is_near && known.print == print && !known.pages.iter().any(|known| known == page)
        };
        let same = self.recent.iter_mut().find(is_same);
        let is_suspected = same.is_some();
        match same {
            Some(known) => known.pages.push(page.to_owned()),
            None => self.recent.push(Recent { pages: vec![page.to_owned()], print: print.to_owned(), at, heard }),
        }
        self.recent.drain(..self.recent.len().saturating_sub(MOST_RECENT));
        self.last_at = self.last_at.max(Some(at));
        let is_old = self.closed_at.is_some_and(|closed| at.plus(LATE) < closed);
        let is_reopened = side.is_said() && !is_suspected && self.state == ChatState::ClosedByAgent && !is_old;
        if is_reopened {
            (self.state, self.reopened) = (ChatState::Open, self.reopened.saturating_add(1));
        }
        if side.is_said() {
            self.spoke_at = self.spoke_at.max(Some(at));
        }
        Said { is_reopened, is_suspected }
    }

    /// The agent closed it. Told again without anything said in between, it changes nothing.
    pub fn closed(&mut self, channel: Option<Channel>, at: EpochMillis) {
        self.channel = channel.or(self.channel.take());
        self.last_at = self.last_at.max(Some(at));
        if self.spoke_at.is_none_or(|spoke| at.plus(LATE) >= spoke) {
            self.state = ChatState::ClosedByAgent;
            self.closed_at = self.closed_at.max(Some(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_767_225_600_000;

    fn at(seconds: i64) -> EpochMillis {
        EpochMillis::new(T + seconds * 1000)
    }

    fn say(chat: &mut Chat, side: Side, page: &str, print: &str, seconds: i64) -> (bool, bool) {
        let said = chat.said(side, Telling { page, print, at: at(seconds), heard: at(seconds) });
        (said.is_reopened, said.is_suspected)
    }

    #[test]
    fn message_after_closing_opens_the_chat_again_and_counts() {
        let mut chat = Chat::default();
        assert_eq!(say(&mut chat, Side::Inbound, "p", "a", 0), (false, false));
        chat.closed(None, at(10));
        chat.closed(None, at(11));
        assert_eq!((chat.state, chat.reopened), (ChatState::ClosedByAgent, 0));
        assert_eq!(say(&mut chat, Side::Internal, "p", "b", 12), (false, false), "a note opens nothing");
        assert_eq!(say(&mut chat, Side::Unknown, "p", "c", 13), (false, false));
        assert_eq!(say(&mut chat, Side::Outbound, "p", "d", 14), (true, false));
        assert_eq!(say(&mut chat, Side::Inbound, "p", "e", 15), (false, false));
        assert_eq!((chat.state, chat.reopened, chat.last_at), (ChatState::Open, 1, Some(at(15))));
        chat.closed(None, at(20));
        assert_eq!(say(&mut chat, Side::Inbound, "p", "f", 21), (true, false));
        assert_eq!((chat.state, chat.reopened), (ChatState::Open, 2));
    }

    #[test]
    fn what_was_said_minutes_apart_is_no_duplicate_because_it_is_heard_of_at_once() {
        let mut chat = Chat::default();
        let mut say = |page, seconds, heard| {
            chat.said(Side::Inbound, Telling { page, print: "ok", at: at(seconds), heard: at(heard) }).is_suspected
        };
        assert!(!say("p", 0, 660));
        assert!(!say("q", 600, 661), "ten minutes later by the clock of its page");
        assert!(say("r", 630, 662), "half a minute is what clocks may differ by");
    }

    #[test]
    fn what_a_page_kept_for_minutes_neither_closes_nor_opens_what_changed_since() {
        let mut chat = Chat::default();
        chat.closed(None, at(0));
        say(&mut chat, Side::Inbound, "p", "a", 300);
        chat.closed(None, at(100));
        assert_eq!(chat.state, ChatState::Open, "closed before it was opened again");
        chat.closed(None, at(500));
        assert_eq!(say(&mut chat, Side::Inbound, "q", "b", 400), (false, false), "said before it was closed");
        assert_eq!((chat.state, chat.reopened), (ChatState::ClosedByAgent, 1));
        assert_eq!(say(&mut chat, Side::Inbound, "q", "c", 470), (true, false), "clocks of pages differ by so much");
    }

    #[test]
    fn same_from_another_page_within_five_seconds_is_suspected_and_from_one_page_never() {
        let mut chat = Chat::default();
        assert_eq!(say(&mut chat, Side::Inbound, "p", "ok", 0), (false, false));
        assert_eq!(say(&mut chat, Side::Inbound, "p", "ok", 1), (false, false), "said twice");
        assert_eq!(say(&mut chat, Side::Inbound, "q", "ok", 2), (false, true));
        assert_eq!(say(&mut chat, Side::Inbound, "q", "ok", 3), (false, true));
        assert_eq!(say(&mut chat, Side::Inbound, "q", "ok", 4), (false, false), "a third one");
        assert_eq!(say(&mut chat, Side::Inbound, "q", "other", 4), (false, false));
        assert_eq!(say(&mut chat, Side::Inbound, "p", "other", 9), (false, true));
        assert_eq!(say(&mut chat, Side::Inbound, "r", "other", 9), (false, true), "a third page");
        assert_eq!(say(&mut chat, Side::Inbound, "r", "once", 20), (false, false));
        assert_eq!(say(&mut chat, Side::Inbound, "s", "once", 26), (false, false), "six seconds");
    }

    #[test]
    fn copy_of_the_message_before_the_closing_does_not_open_the_chat() {
        let mut chat = Chat::default();
        say(&mut chat, Side::Outbound, "p", "bye", 0);
        chat.closed(None, at(1));
        assert_eq!(say(&mut chat, Side::Outbound, "q", "bye", 2), (false, true));
        assert_eq!((chat.state, chat.reopened), (ChatState::ClosedByAgent, 0));
    }

    #[test]
    fn channel_that_is_not_told_again_stays() {
        let mut chat = Chat::default();
        let telegram = Channel { kind: Some("telegram".into()), ..Channel::default() };
        chat.closed(Some(telegram.clone()), at(0));
        chat.closed(None, at(1));
        assert_eq!(chat.channel, Some(telegram));
    }
}
