//! A brand as a recipient of deliveries.

use std::time::Duration;

use model::{AckMode, DeliveryContent, DeliveryPolicy, EpochMillis};
use wire::{Exchange, Input, Job, Outbound, Outcome, Step, Terms};

/// cTrader as a recipient. Nobody of it answers visitors, so a message for a brand is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ctrader;

impl Terms for Ctrader {
    fn policy(&self, _content: DeliveryContent) -> DeliveryPolicy {
        DeliveryPolicy {
            ack: AckMode::InAnswer { lease: Duration::from_secs(60) },
            max_attempts: u32::MAX,
            retry_delays: [1, 2, 4, 8, 15, 30, 60].map(Duration::from_secs).to_vec(),
            delay_cap: Duration::from_secs(900),
            jitter: true,
            give_up_after: Duration::from_secs(86_400),
        }
    }
}

impl Outbound for Ctrader {
    fn exchange(&self, _job: Job) -> Box<dyn Exchange> {
        Box::new(NoDesk)
    }
}

struct NoDesk;

impl Exchange for NoDesk {
    fn resume(&mut self, _input: Input, _now: EpochMillis) -> Step {
        Step::Finish(Outcome::Rejected { detail: "a brand of cTrader is no desk".to_owned() })
    }
}
