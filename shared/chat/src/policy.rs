//! What a gateway's configuration says about its chats: data, one value per gateway.

use std::time::Duration;

use crate::Desk;

/// When a waiting chat is first offered to agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// As soon as it waits.
    AtOnce,
    /// Not before the visitor has written something: the way of a chat on a web site (contract, section 1).
    AfterFirstText,
}

/// The rules of one gateway's chats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whether visitors may start chats here: direction I or B (4.4). Otherwise only prepared ones can be entered.
    pub accepts_inbound: bool,
    /// How long after its end the same tracking id revives a chat (4.4, `TrackingInnertia`); `None` = never.
    pub inertia: Option<Duration>,
    /// Time without a text from either side after which a chat closes itself (4.4, `InactivityTimeOut`); `None` = off.
    pub inactivity: Option<Duration>,
    /// Of sentences, only a text revives a closed chat (4.4, `ReactivateOnS...`).
    pub revive_on_text_only: bool,
    /// When distribution begins.
    pub distribution: Distribution,
    /// How long an agent is alerted (4.2, `MaxSignalDuration`).
    pub alert: Duration,
    /// How long an agent who let an alert pass, refused or returned a chat is not offered it again (5.1 rows 17, 18).
    pub bar: Duration,
    /// Pause between two looks at the rules of waiting (5.1 row 14), or at conditions that have not decided yet.
    pub cycle: Duration,
    /// Where a chat goes that no condition matches (5.1 row 11); `None` closes it.
    pub default_desk: Option<Desk>,
}

impl Default for Policy {
    /// The contract's numbers where it gives them; everything optional is off.
    fn default() -> Self {
        Self {
            accepts_inbound: true,
            inertia: None,
            inactivity: None,
            revive_on_text_only: false,
            distribution: Distribution::AtOnce,
            alert: Duration::from_secs(30),
            bar: Duration::from_secs(60),
            cycle: Duration::from_secs(10),
            default_desk: None,
        }
    }
}
