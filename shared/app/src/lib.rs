//! The use cases: what happens when a message comes in, leaves, is acknowledged, or is late.
//!
//! Written against [`ports`] only. Nothing here knows a vendor, AWS or HTTP; a function's handler verifies, parses and
//! calls exactly one of these. To add a use case, add a module; to add a platform, nothing here changes.

mod accept;
mod acknowledge;
pub mod chats;
mod configure;
mod deliver;
mod erase;
mod error;
mod hand_out;
mod pace;
mod people;
mod records;
mod replay;
mod settle;
mod status;
mod sweep;
mod timeline;

use std::sync::Arc;
use std::time::Duration;

use model::{Account, AccountId, Platform};
use ports::{AckStore, Clock, DeliveryStore, Dice, Grants, Offers, OutboundStore, Paces, PushQueue, Queue, Sender, Sleeper};
use serde_json::Value;
use wire::{Outbound, Terms};

pub use accept::{Accepted, accept_desk, accept_heard, accept_own, accept_visitor};
pub use acknowledge::{Acknowledged, acknowledge};
pub use configure::{AccountDocument, AccountRules, ConfigureError, Document, configure};
pub use deliver::{Progress, check_ack, deliver, tell_typing};
pub use erase::{EraseCtx, EraseProgress, ErasedSoFar, Whom, erase};
pub use error::AppError;
pub use hand_out::{HandOutCtx, hand_out};
pub use people::{Name, Named, conversations_of, named_key, thread_of_user};
pub use records::erase_record;
pub use replay::{Replayed, replay};
pub use status::{PARK_STATUS, find_delivery, has_delivery, has_event, note_installation, note_part, note_receipt, note_thread};
pub use sweep::sweep;
pub use timeline::{DeliveryLine, Timeline, TimelineEntry, TimelineKey, What, timeline};

/// How long after its due time the sweep waits before it takes a queue message for lost.
pub const SWEEP_GRACE: Duration = Duration::from_secs(15);

/// What every use case needs. `S` is the part of the store that it uses: a function links the calls of that part only.
pub struct Ctx<S: ?Sized> {
    /// What is kept.
    pub store: Arc<S>,
    /// The queues.
    pub queue: Arc<dyn Queue>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub dice: Arc<dyn Dice>,
}

impl<S: ?Sized> Ctx<S> {
    /// The same with another store, or another part of it.
    pub fn with<T: ?Sized>(&self, store: Arc<T>) -> Ctx<T> {
        Ctx { store, queue: self.queue.clone(), clock: self.clock.clone(), dice: self.dice.clone() }
    }
}

impl<S: ?Sized> Clone for Ctx<S> {
    fn clone(&self) -> Self {
        self.with(self.store.clone())
    }
}

/// On what terms each platform takes deliveries: one exhaustive match.
pub trait TermsRegistry: Send + Sync {
    /// The platform's terms.
    fn terms(&self, platform: Platform) -> &dyn Terms;
}

/// The platforms as recipients: one exhaustive match. Whoever makes an object of it links them all.
pub trait Registry: Send + Sync {
    /// The platform's way to deliver.
    fn outbound(&self, platform: Platform) -> &dyn Outbound;
}

/// Finds a recipient's account and its secrets as they are now.
#[async_trait::async_trait]
pub trait Recipients: Send + Sync {
    /// The account and its secrets; `None` if nobody configured it.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] when they cannot be read.
    async fn find(&self, account: &AccountId) -> Result<Option<(Account, Value)>, AppError>;
}

/// What settling a delivery needs beyond [`Ctx`].
#[derive(Clone)]
pub struct SettleCtx {
    /// The common part.
    pub base: Ctx<dyn DeliveryStore>,
    /// The platforms' terms.
    pub terms: Arc<dyn TermsRegistry>,
}

/// What making a delivery needs beyond [`SettleCtx`].
#[derive(Clone)]
pub struct OutboundCtx {
    /// What settling needs.
    pub settle: SettleCtx,
    /// What acknowledgements in a push's answer need.
    pub acks: Ctx<dyn AckStore>,
    /// Where deliveries wait whose recipient polls.
    pub offers: Arc<dyn Offers>,
    /// Where whatever else stands in a push's answer is heard.
    pub heard: Arc<dyn PushQueue>,
    /// The platforms.
    pub registry: Arc<dyn Registry>,
    /// Calls to platforms.
    pub sender: Arc<dyn Sender>,
    /// What platforms granted us.
    pub grants: Arc<dyn Grants>,
    /// When they may be called.
    pub paces: Arc<dyn Paces>,
    /// How that is waited for.
    pub sleeper: Arc<dyn Sleeper>,
    /// What is changed beside deliveries.
    pub side: Arc<dyn OutboundStore>,
    /// The accounts.
    pub recipients: Arc<dyn Recipients>,
}
