//! Everything a test needs instead of the outside world: ports in memory, a clock that is set by hand, sample values
//! with invented people, and the suite that every store must pass.
//!
//! A development dependency only. It must not know a platform, an adapter or a function. To add a fake for one more
//! port, name it `InMemory...` or `Scripted...`, give it [`Faults`], and state where it differs from the real thing.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a broken invariant in a test must stop the test")]

pub mod askers_contract;
mod catalogue;
pub mod catalogue_contract;
mod chats;
pub mod chats_contract;
mod clock;
pub mod conformance;
mod emulator;
pub mod erasure_contract;
pub mod events;
mod faults;
pub mod fixtures;
mod grants;
pub mod grants_contract;
mod guards;
pub mod installs_contract;
pub mod offers_contract;
mod paces;
pub mod paces_contract;
pub mod people_contract;
pub mod pushes_contract;
mod queue;
mod records;
pub mod records_contract;
pub mod results_contract;
mod secrets;
mod sender;
mod store;
pub mod store_contract;
mod stub;

pub use crate::catalogue::InMemoryCatalogue;
pub use chats::{InMemoryChats, InMemoryPushQueue, ManualTimers};
pub use clock::{FixedDice, ManualClock};
pub use emulator::Emulator;
pub use faults::{Fault, Faults};
pub use grants::InMemoryGrants;
pub use paces::{InMemoryPaces, ManualSleeper};
pub use queue::{InMemoryQueue, QueuedTask};
pub use records::InMemoryRecords;
pub use secrets::InMemorySecrets;
pub use sender::ScriptedSender;
pub use store::{InMemoryStore, OperationCounts};
pub use stub::{HttpStub, StubAnswer, StubRequest};
