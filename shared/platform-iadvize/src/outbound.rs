//! What is sent to iAdvize (section 12).

use std::time::Duration;

use model::{AckMode, DeliveryContent, DeliveryPolicy, EpochMillis};
use wire::{Exchange, Input, Job, Outbound, Outcome, Step, Terms};

/// iAdvize as a recipient.
#[derive(Debug, Clone, Copy, Default)]
pub struct Iadvize;

impl Terms for Iadvize {
    fn policy(&self, _content: DeliveryContent) -> DeliveryPolicy {
        DeliveryPolicy {
            ack: AckMode::InAnswer { lease: Duration::from_secs(60) },
            max_attempts: u32::MAX,
            retry_delays: [1, 2, 4, 8, 15, 30, 60].map(Duration::from_secs).to_vec(),
            delay_cap: Duration::from_secs(300),
            jitter: true,
            // A conversation closes by itself after five minutes without a message (section 10.2).
            give_up_after: Duration::from_secs(300),
        }
    }
}

impl Outbound for Iadvize {
    fn exchange(&self, _job: Job) -> Box<dyn Exchange> {
        Box::new(Refused)
    }
}

/// A site without a bot takes no messages.
struct Refused;

impl Exchange for Refused {
    fn resume(&mut self, _input: Input, _now: EpochMillis) -> Step {
        Step::Finish(Outcome::Rejected { detail: "the site has no bot".to_owned() })
    }
}
