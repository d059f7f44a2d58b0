//! The words of Deskbridge: who talks, what was said, and how far each delivery has come.
//!
//! This crate holds values and pure functions only. It must not know AWS, HTTP, a clock or a vendor: whatever needs
//! one of those gets it as an argument. To add a platform, add its variant to [`Platform`]; the compiler then names
//! every place that has to decide something about it.

mod conversation;
mod delivery;
mod directory;
mod grant;
mod ids;
mod inbound;
mod message;
mod pace;
mod policy;
mod task;
mod time;

pub use conversation::{
    CHAT_ENDED, CHAT_NEWS, Conversation, Lane, LaneEntry, LaneKey, LaneKind, Memo, RemoteStatus, RemoteThread, Visitor,
};
pub use delivery::{
    Delivery, DeliveryContent, DeliveryEvent, DeliveryKey, DeliveryState, FailureReason, ReceiptStatus, Step, StepIgnored,
    StoryEntry, StoryEvent, Verdict, settle, step,
};
pub use directory::{Account, Directory, DirectoryProblem, InstallPhase, Installed, Route, RouteWhen, Tenant};
pub use grant::{Grant, StoredGrant};
pub use ids::{AccountId, ConversationId, IdError, MessageId, Platform, Slug, TenantId};
pub use inbound::{Acknowledgement, DeskMessage, VisitorMessage};
pub use message::{Author, Content, EventKey, Message, MessageDetails};
pub use pace::{PaceState, PaceTurn};
pub use policy::{AckMode, DeliveryPolicy};
pub use task::{AckTask, ChatTask, DeadTask, DeliverTask, PushTask, StaffTask, TypingTask};
pub use time::EpochMillis;
