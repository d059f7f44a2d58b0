//! The client's typing on its way to VCS: one call (V10), worth no second one.

use bytes::Bytes;
use wire::{HttpCall, Outcome, TypingJob};

use super::answer::Refusal;
use super::{Next, calls};
use crate::Settings;

/// Says that the client types, or has stopped.
pub(super) struct TypingFlow {
    call: HttpCall,
}

impl TypingFlow {
    pub(super) fn new(settings: &Settings, job: &TypingJob) -> Self {
        Self { call: calls::tell_typing(settings, &job.thread.id, job.is_typing) }
    }

    pub(super) fn begin(&self) -> Next {
        Next::Ask(self.call.clone())
    }

    pub(super) fn answered(answer: Result<Bytes, Refusal>) -> Next {
        Next::Finish(match answer {
            Ok(_) => Outcome::Acknowledged { reference: None },
            Err(refusal) => refusal.rejected(),
        })
    }
}
