//! How a page asks for news (8.5): how soon again, whether too soon, and whether there are any.

use std::time::Duration;

use model::EpochMillis;
use uuid::Uuid;

use crate::models::ChatStatus;

/// Header that says after how many seconds to ask again; 0 is "not any more".
pub const POLL_HEADER: &str = "X-Poll-After";

/// After this long without news a page asks less often.
const QUIET: Duration = Duration::from_secs(120);
/// Least time between two polls of one browser.
const LEAST_GAP_MS: u64 = 1_000;

/// What decides how soon a page should ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// Status of the chat.
    pub status: ChatStatus,
    /// Whether somebody is typing.
    pub is_typing: bool,
    /// When the chat last changed.
    pub last_news: EpochMillis,
}

/// How long a page should wait before it asks again, in whole seconds; zero is "stop polling". `None` is no chat.
///
/// Where two rows of the table hold, the end of the chat comes first, then typing, which is news of its own, then quiet.
#[must_use]
pub fn poll_after(chat: Option<&Situation>, now: EpochMillis) -> Duration {
    let Some(chat) = chat else { return Duration::ZERO };
    let is_quiet = now.since(chat.last_news) >= QUIET;
    Duration::from_secs(match chat.status {
        ChatStatus::Closed => 0,
        _ if chat.is_typing => 2,
        _ if is_quiet => 10,
        ChatStatus::Answered | ChatStatus::Icr | ChatStatus::Alerting => 2,
        ChatStatus::Pilot | ChatStatus::Waiting => 5,
    })
}

/// Whether a poll comes too soon after the last one that was served: the answer is then 429 with `Retry-After: 1`, and
/// the time of the last one stays.
#[must_use]
pub fn is_too_soon(last_served: Option<EpochMillis>, now: EpochMillis) -> bool {
    // A distance: the two times can be of two machines.
    last_served.is_some_and(|last| last.millis().abs_diff(now.millis()) < LEAST_GAP_MS)
}

/// What a page can see of a chat, as far as it tells news from none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The chat.
    pub chat_id: Uuid,
    /// Number of sentences.
    pub counter: u64,
    /// Status.
    pub status: ChatStatus,
    /// Whether the other side is typing.
    pub is_typing: bool,
    /// When a sentence was last confirmed.
    pub last_confirm: Option<EpochMillis>,
    /// Counts the changes of the panel.
    pub panel_version: u64,
}

/// The value of the `ETag` header. Weak: the same chat is told in full or from a counter on.
#[must_use]
pub fn etag(seen: &Seen) -> String {
    let confirm = seen.last_confirm.map_or_else(|| "none".to_owned(), |at| at.millis().to_string());
    let Seen { chat_id, counter, status, is_typing, panel_version, last_confirm: _ } = seen;
    format!("W/\"{chat_id}.{counter}.{}.{}.{confirm}.{panel_version}\"", status.as_str(), u8::from(*is_typing))
}

/// Whether an `If-None-Match` header names this tag, in which case the answer is 304.
#[must_use]
pub fn is_not_modified(if_none_match: Option<&str>, etag: &str) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    let tags = if_none_match.unwrap_or_default().split(',').map(str::trim);
    // No tag of ours holds a comma.
    tags.into_iter().any(|tag| tag == "*" || opaque(tag) == opaque(etag))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: EpochMillis = EpochMillis::new(1_767_225_600_000);

    fn seconds(status: ChatStatus, is_typing: bool, quiet_ms: i64) -> u64 {
        let last_news = EpochMillis::new(NOW.millis() - quiet_ms);
        poll_after(Some(&Situation { status, is_typing, last_news }), NOW).as_secs()
    }

    #[test]
    fn answered_or_typing_is_asked_every_2_seconds() {
        assert_eq!(seconds(ChatStatus::Answered, false, 0), 2);
        for status in [ChatStatus::Pilot, ChatStatus::Icr, ChatStatus::Waiting, ChatStatus::Alerting, ChatStatus::Answered] {
            assert_eq!(seconds(status, true, 0), 2);
        }
    }

    #[test]
    fn icr_and_alerting_are_asked_every_2_seconds() {
        assert_eq!(seconds(ChatStatus::Icr, false, 0), 2);
        assert_eq!(seconds(ChatStatus::Alerting, false, 0), 2);
    }

    #[test]
    fn pilot_and_waiting_are_asked_every_5_seconds() {
        assert_eq!(seconds(ChatStatus::Pilot, false, 0), 5);
        assert_eq!(seconds(ChatStatus::Waiting, false, 0), 5);
    }

    #[test]
    fn nothing_new_for_2_minutes_is_asked_every_10_seconds() {
        for status in [ChatStatus::Pilot, ChatStatus::Icr, ChatStatus::Waiting, ChatStatus::Alerting, ChatStatus::Answered] {
            assert_eq!(seconds(status, false, 120_000), 10);
            assert_ne!(seconds(status, false, 119_999), 10);
            assert_eq!(seconds(status, true, 120_000), 2);
        }
    }

    #[test]
    fn no_chat_or_a_closed_one_is_not_asked_for() {
        assert_eq!(poll_after(None, NOW), Duration::ZERO);
        assert_eq!(seconds(ChatStatus::Closed, true, 0), 0);
        assert_eq!(seconds(ChatStatus::Closed, false, 500_000), 0);
    }

    #[test]
    fn more_than_one_poll_a_second_is_too_soon() {
        let after = |ms| is_too_soon(Some(EpochMillis::new(NOW.millis() - ms)), NOW);
        assert!(!is_too_soon(None, NOW));
        assert!(after(0) && after(1) && after(999));
        assert!(!after(1_000) && !after(60_000));
        // The clock of the other machine is a little ahead, or a lot.
        assert!(after(-300));
        assert!(!after(-5_000));
        assert!(!is_too_soon(Some(EpochMillis::new(i64::MIN)), EpochMillis::new(i64::MAX)));
    }

    fn seen() -> Seen {
        Seen {
            chat_id: "22222222-2222-4222-8222-222222222222".parse().unwrap(),
            counter: 7,
            status: ChatStatus::Answered,
            is_typing: false,
            last_confirm: Some(NOW),
            panel_version: 3,
        }
    }

    #[test]
    fn etag_is_over_the_listed_parts() {
        assert_eq!(etag(&seen()), "W/\"22222222-2222-4222-8222-222222222222.7.Answered.0.1767225600000.3\"");
        let others = [
            Seen { chat_id: Uuid::nil(), ..seen() },
            Seen { counter: 8, ..seen() },
            Seen { status: ChatStatus::Closed, ..seen() },
            Seen { is_typing: true, ..seen() },
            Seen { last_confirm: None, ..seen() },
            Seen { panel_version: 4, ..seen() },
        ];
        for other in others {
            assert_ne!(etag(&other), etag(&seen()));
        }
    }

    #[test]
    fn if_none_match_with_the_same_tag_is_not_modified() {
        let tag = etag(&seen());
        let strong = tag.strip_prefix("W/").unwrap();
        for header in [tag.as_str(), strong, "*", &format!("\"other\", {tag}")] {
            assert!(is_not_modified(Some(header), &tag), "{header}");
        }
        for header in [None, Some(""), Some("\"other\""), Some(&tag[..tag.len() - 2])] {
            assert!(!is_not_modified(header, &tag), "{header:?}");
        }
    }
}
