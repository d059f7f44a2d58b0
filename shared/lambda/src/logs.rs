//! One JSON object per log line.
//!
//! Written here rather than by `tracing-subscriber`: nothing of ours makes spans, and what that crate sets up to keep them
//! is a twentieth of a function's start.

use std::fmt;
use std::io::Write as _;
use std::str::FromStr as _;

use ports::Clock as _;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::{Config, SystemClock};

/// Starts logging to standard output at `level`. A second start is ignored.
pub(crate) fn start(level: &str) {
    let level = LevelFilter::from_str(level).unwrap_or(LevelFilter::INFO);
    let _already_started = tracing::subscriber::set_global_default(Lines { level });
}

/// Starts logging for a function that connects to nothing: others log from the moment they connect.
pub fn start_logs(config: &Config) {
    start(&config.log_level);
}

/// Writes events, and takes no interest in spans.
struct Lines {
    level: LevelFilter,
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The edge logs each failure once; the runtime would log it a second time.
        metadata.is_event() && *metadata.level() <= self.level && !metadata.target().starts_with("lambda_runtime")
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        let line = line(event, &SystemClock.now().to_utc_text());
        // If nobody reads any more, there is nobody to tell.
        let _lost = std::io::stdout().lock().write_all(line.as_bytes());
    }

    // Never asked for: a span that is not enabled is not made.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The line of an event: time, level, then its fields as they come, the message among them.
fn line(event: &Event<'_>, at: &str) -> String {
    let mut fields = Fields(format!(r#"{{"timestamp":"{at}","level":"{}""#, event.metadata().level()));
    event.record(&mut fields);
    fields.0.push_str("}\n");
    fields.0
}

/// A JSON object that has been begun.
struct Fields(String);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<serde_json::Value>) {
        let name = field.name();
        // `Value` writes itself as JSON, escaped.
        let (name, value) = (serde_json::Value::from(name.strip_prefix("r#").unwrap_or(name)), value.into());
        self.0.push_str(&format!(",{name}:{value}"));
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{debug, error, info, info_span, warn};

    use super::*;

    /// Keeps the lines that would be written.
    struct Kept(Lines, Arc<Mutex<Vec<String>>>);

    impl Subscriber for Kept {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            self.0.enabled(metadata)
        }

        fn event(&self, event: &Event<'_>) {
            self.1.lock().unwrap().push(line(event, "2026-01-01T00:00:00.000Z"));
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            panic!("a span is made")
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    fn lines(logging: impl FnOnce()) -> Vec<String> {
        let lines = Arc::default();
        tracing::subscriber::with_default(Kept(Lines { level: LevelFilter::INFO }, Arc::clone(&lines)), logging);
        lines.lock().unwrap().clone()
    }

    #[test]
    fn line_is_one_json_object_with_fields_beside_the_message() {
        let cause = std::io::Error::other("broken \"pipe\"\n");
        let written = lines(|| {
            let _span = info_span!("ignored").entered();
            error!(delivery.id = %"a/b", duration_ms = 7_u64, is_late = true, source = Option::<&str>::None, "delivery {} failed", 1);
            warn!(error = &cause as &(dyn std::error::Error + 'static), "said \"no\"");
            info!(r#type = ?Some(1), "typed");
        });
        assert_eq!(
            written,
            [
                concat!(
                    r#"{"timestamp":"2026-01-01T00:00:00.000Z","level":"ERROR","message":"delivery 1 failed","#,
                    r#""delivery.id":"a/b","duration_ms":7,"is_late":true}"#,
                    "\n"
                ),
                concat!(
                    r#"{"timestamp":"2026-01-01T00:00:00.000Z","level":"WARN","message":"said \"no\"","error":"broken \"pipe\"\n"}"#,
                    "\n"
                ),
                concat!(r#"{"timestamp":"2026-01-01T00:00:00.000Z","level":"INFO","message":"typed","type":"Some(1)"}"#, "\n"),
            ]
        );
    }

    #[test]
    fn what_is_below_the_level_or_the_runtimes_is_not_written() {
        let written = lines(|| {
            debug!("below");
            error!(target: "lambda_runtime::layers", "said before");
        });
        assert_eq!(written, [""; 0]);
    }
}
