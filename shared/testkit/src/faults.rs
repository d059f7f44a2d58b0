//! What goes wrong on purpose.

use std::collections::VecDeque;
use std::sync::Mutex;

use ports::PortError;

/// How one operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does not take effect.
    Refused,
    /// It takes effect, and its caller is told that it failed.
    AnswerLost,
}

/// The faults of the operations to come, first in first out; without an entry an operation succeeds.
#[derive(Debug, Default)]
pub struct Faults(Mutex<VecDeque<Option<Fault>>>);

impl Faults {
    /// Adds to the plan: one entry per operation, `None` for one that succeeds.
    pub fn plan(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.0.lock().unwrap().extend(faults);
    }

    /// Adds `n` operations that fail in this way.
    pub fn next(&self, n: usize, fault: Fault) {
        self.plan(std::iter::repeat_n(Some(fault), n));
    }

    /// Forgets what was planned.
    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    /// Does `operation` as the plan says.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] if the plan says so.
    pub fn apply<T>(&self, service: &str, operation: impl FnOnce() -> T) -> Result<T, PortError> {
        // Taken in a statement of its own: the lock must be free again while the operation runs.
        let planned = self.0.lock().unwrap().pop_front().flatten();
        match planned {
            None => Ok(operation()),
            Some(Fault::Refused) => Err(PortError::Unavailable(format!("{service}: refused on purpose"))),
            Some(Fault::AnswerLost) => {
                operation();
                Err(PortError::Unavailable(format!("{service}: answer lost on purpose")))
            }
        }
    }
}
