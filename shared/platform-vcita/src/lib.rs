//! vcita: Deskbridge as the Main App of a communication app.
//!
//! Everything that is specific to vcita and its communication service (VCS) is here: who may call us, what a webhook
//! says, and how a message or a receipt is brought to VCS. The crate makes no call and reads no clock: the outbound
//! side is a machine that says what to ask next ([`wire::Exchange`]). It must not know AWS, other platforms or how
//! anything is stored.
//!
//! To serve one more webhook, add its route to [`Route`], a type with a `parse` like [`ChannelUpdate`], and its
//! function. Section numbers in comments are those of the vcita contract.

mod auth;
mod connect;
mod error;
mod events;
mod grant;
mod ids;
mod outbound;
mod register;
mod settings;
mod status;
mod webhook;

pub use auth::{AuthFailure, Route, app_key, is_from, route, verify};
pub use connect::{
    Told, Visit, activate_channel, authorization_url, business_of, create_channel, created_channel, delete_channel,
    exchange_code, granted, granted_business, revoke, who_is_it,
};
pub use error::{ErrorCode, WireError};
pub use events::{EventKind, PlatformEvent, is_signed_by};
pub use grant::{Seals, Tokens, grant_name};
pub use ids::{
    ChannelUid, ExternalUid, MAX_UID, MessageUid, SessionUid, UidProblem, conversation_of, event_keys, external_uid, message_uid,
    our_message, part_name,
};
pub use outbound::{SentParts, Vcita};
pub use register::{AppForm, Assignment, app_token, assign_app, install_app, register_app, subscribe, token_of, unsubscribe};
pub use settings::{ConfigProblem, Credentials, Html, Secrets, Settings, StatusVocabulary, TokenSource};
pub use status::{MessageNews, Reported};
pub use webhook::{ChannelUpdate, MAX_BODY, MessageUpdate, SessionUpdate, StaffMessage, StaffTyping};
