//! How long what was said is kept.

use std::time::Duration;

use model::EpochMillis;

use crate::change::Change;
use crate::items;

/// What FrontStage's contract (section 12) asks for unless a deployment says otherwise.
pub(crate) const USUAL: Kept = Kept(Duration::from_secs(90 * 86_400));

/// By so much longer than the items that need it an item is kept: the table's clean-up takes expired items in any order, within
/// a few days.
const BEHIND: Duration = Duration::from_secs(7 * 86_400);

/// How long an item of a conversation or of a chat is kept after it was written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept(pub(crate) Duration);

impl Kept {
    /// The change, with the end of what it writes at `at`.
    pub(crate) fn end(self, change: Change, at: EpochMillis) -> Change {
        change.kept_until(items::clean_up_at(at.plus(self.0)))
    }

    /// The same for what others need as long as they are there: the parts of a long text, and a chat for its sentences.
    pub(crate) fn end_behind(self, change: Change, at: EpochMillis) -> Change {
        self.end(change, at.plus(BEHIND))
    }
}
