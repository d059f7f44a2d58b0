//! Deliveries whose recipient polls (FrontStage contract, sections 6 and 10.3, column "Poll"): they are put into its stream,
//! and the attempt begins with the answer that holds them for the first time.
//!
//! An entry knows the `rev` that its delivery has since it was put there. So the same attempt never stands in a stream twice,
//! and an entry whose delivery has gone on is recognised by whoever wants to hand it out.

use async_trait::async_trait;
use bytes::Bytes;
use model::{Delivery, DeliveryKey, DeliveryState, EpochMillis, StoryEntry};

use crate::{PortError, Saved, Transition};

/// What an entry of a stream offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The delivery. Its recipient has the stream.
    pub delivery: DeliveryKey,
    /// The `rev` of the delivery since then: while it has this one, it waits to be fetched.
    pub rev: u64,
    /// The attempt that begins when it is fetched.
    pub attempt: u32,
    /// When it was handed out first; `None` if it was not yet.
    pub handed_at: Option<EpochMillis>,
}

/// The answer to a poll is about to hold a delivery.
#[derive(Debug, Clone)]
pub struct HandOut {
    /// What the entry offers.
    pub offer: Offer,
    /// The entry's number.
    pub seq: u64,
    /// The state of the delivery from now on.
    pub state: DeliveryState,
    /// What the story says; its time is noted with the entry.
    pub story: StoryEntry,
    /// When the lane is due next.
    pub due_at: EpochMillis,
}

/// What came of a [`HandOut`].
#[derive(Debug, Clone, PartialEq)]
pub enum HandedOut {
    /// Stored.
    Yes,
    /// The delivery has gone on since it was offered: as it is, `None` if it does not exist. Nothing was stored.
    Otherwise(Option<Box<Delivery>>),
}

/// Where deliveries are put that wait to be fetched.
#[async_trait]
pub trait Offers: Send + Sync {
    /// Stores a change to [`DeliveryState::Offered`] and, under the next number of the recipient's stream, what is offered;
    /// or neither: then the number stands for nothing. Nothing leaves a lane with it, and it makes no receipt.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn offer(&self, transition: &Transition, body: &Bytes, now: EpochMillis) -> Result<Saved, PortError>;
}

/// Deliveries are fetched.
#[async_trait]
pub trait HandOuts: Send + Sync {
    /// Stores that a delivery is handed out, with it and with its entry, if the delivery waits for that, or nothing.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be stored.
    async fn hand_out(&self, hand_out: &HandOut) -> Result<HandedOut, PortError>;
}
