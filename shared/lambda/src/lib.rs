//! The edge: everything a deployed function needs around its handler.
//!
//! Environment, logs, metrics, gateway and queue events, deadlines and the connection to AWS are met here and nowhere
//! else. A handler gets plain values and returns plain values. Whatever is generic here only erases its type parameter
//! and calls a boxed, non-generic function, so that the runtime's code is generated once and not in every binary.

mod batch;
mod config;
mod edge;
mod gateway;
mod logs;
mod metrics;
mod roster;
mod services;
mod system;

pub use batch::{BatchCtx, BatchHandler, RecordFailure, run_batch, serve_batch, task};
pub use config::{Config, ConfigError};
pub use edge::{Error, HttpHandler, InvokeHandler, answer, block_on, serve_http, serve_invoke};
pub use logs::start_logs;
pub use metrics::{Metric, Metrics};
pub use roster::{ReadPlan, Roster, RosterPlans, Snapshot};
pub use services::Services;
pub use system::{SystemClock, SystemDice, SystemSleeper, pause};
