//! One JSON object per log line.

use std::str::FromStr;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging to standard output at `level`. A second start is ignored.
pub(crate) fn start(level: &str) {
    let level = LevelFilter::from_str(level).unwrap_or(LevelFilter::INFO);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false);
    // The edge logs each failure once; the runtime would log it a second time.
    let wanted = Targets::new().with_default(level).with_target("lambda_runtime", LevelFilter::OFF);
    let _already_started = tracing_subscriber::registry().with(wanted).with(lines).try_init();
}
