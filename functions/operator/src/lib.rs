//! What the operator invokes directly: configure, timeline, replay. No HTTP route leads here; the right to invoke the
//! function is the authentication.

pub mod configure;
pub mod replay;
pub mod timeline;

use lambda::{Config, Services};

/// Connects what the operator's functions need. Secrets are none of it.
#[must_use]
pub fn connect(config: &Config) -> app::Ctx {
    Services::connect(config).ctx
}

/// The answer to an input that cannot be used.
fn refused(code: &str, message: impl std::fmt::Display) -> serde_json::Value {
    serde_json::json!({ "error": { "code": code, "message": message.to_string() } })
}
