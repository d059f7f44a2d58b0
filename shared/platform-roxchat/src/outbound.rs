//! Rox.Chat as a recipient: it takes nothing yet. Agents answer in the workspace, and no message is ever routed to it; whatever is
//! all the same is refused at once, so that it shows.

use std::time::Duration;

use model::{AckMode, DeliveryContent, DeliveryPolicy, EpochMillis};
use wire::{Exchange, Input, Job, Outbound, Outcome, Step, Terms};

/// Rox.Chat as a recipient.
#[derive(Debug, Clone, Copy, Default)]
pub struct Roxchat;

impl Terms for Roxchat {
    fn policy(&self, _content: DeliveryContent) -> DeliveryPolicy {
        DeliveryPolicy {
            ack: AckMode::InAnswer { lease: Duration::from_secs(60) },
            max_attempts: 1,
            retry_delays: vec![Duration::from_secs(1)],
            delay_cap: Duration::from_secs(1),
            jitter: false,
            give_up_after: Duration::from_secs(24 * 3600),
        }
    }
}

impl Outbound for Roxchat {
    fn exchange(&self, _job: Job) -> Box<dyn Exchange> {
        Box::new(Refusal)
    }
}

struct Refusal;

impl Exchange for Refusal {
    fn resume(&mut self, _input: Input, _now: EpochMillis) -> Step {
        Step::Finish(Outcome::Rejected {
            detail: "Rox.Chat takes no messages from here: agents answer in its workspace".to_owned(),
        })
    }
}
