//! A receipt on its way to VCS: one call (V9).

use bytes::Bytes;
use model::{DeliveryState, ReceiptStatus, RemoteStatus};
use wire::{Job, Outcome};

use super::answer::{Refusal, unanswered};
use super::{Next, calls};
use crate::{Settings, status};

/// Reports a status of a message that staff wrote.
pub(super) struct ReceiptFlow {
    settings: Settings,
    message_uid: String,
    status: ReceiptStatus,
    attempt: u32,
    is_gone: bool,
}

impl ReceiptFlow {
    pub(super) fn new(settings: Settings, job: &Job, status: ReceiptStatus) -> Self {
        let attempt = match job.delivery.state {
            DeliveryState::Sending { attempt, .. } => attempt,
            DeliveryState::Queued
            | DeliveryState::Parked { .. }
            | DeliveryState::Offered { .. }
            | DeliveryState::RetryWait { .. }
            | DeliveryState::Sent { .. }
            | DeliveryState::Failed { .. } => 1,
        };
        // Any other state of the channel does not stop a report: a blocked one is owed its `error` (section 5).
        let is_gone = job.installation == Some(RemoteStatus::Deleted);
        Self { settings, message_uid: job.message.origin_id.clone(), status, attempt, is_gone }
    }

    pub(super) fn begin(&self) -> Next {
        if self.settings.channel_uid.is_none() {
            return Next::Finish(unanswered("the channel is not set up yet"));
        }
        if self.is_gone {
            return Next::Finish(Outcome::Rejected { detail: "the channel is deleted".to_owned() });
        }
        let Some(word) = status::report(self.status, self.settings.status_vocabulary) else {
            return Next::Finish(Outcome::Acknowledged { reference: None });
        };
        match calls::report_status(&self.settings, &self.message_uid, word) {
            Some(call) => Next::Ask(call),
            None => Next::Finish(Outcome::Rejected { detail: "no path can carry this message_uid".to_owned() }),
        }
    }

    pub(super) fn answered(&self, answer: Result<Bytes, Refusal>) -> Next {
        Next::Finish(match answer {
            Ok(_) => Outcome::Acknowledged { reference: None },
            // The report may have come before VCS could find its own message, so 404 is believed the second time.
            Err(refusal) if refusal.status.as_u16() == 404 && self.attempt < 2 => unanswered("vcita answered 404"),
            // The message was removed in vcita, so nobody misses the report.
            Err(refusal) if refusal.status.as_u16() == 404 && !refusal.is_channel_gone() => {
                Outcome::Gone { detail: refusal.detail() }
            }
            Err(refusal) => Outcome::Rejected { detail: refusal.detail() },
        })
    }
}
