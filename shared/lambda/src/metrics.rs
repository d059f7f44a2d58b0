//! Metrics in CloudWatch's embedded metric format: a log line that CloudWatch turns into metrics, without a call.

use std::collections::BTreeMap;
use std::io::Write;

use model::{EpochMillis, Platform};
use serde_json::{Map, Value, json};

/// Something that is counted or measured. Names and meanings are those of `docs/operations.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Messages stored.
    Accepted,
    /// Deliveries the recipient has.
    Delivered,
    /// Attempts after the first.
    Retried,
    /// Deliveries given up.
    Failed,
    /// Times that an account's platform is called no more for a while, because it failed too often.
    BusinessPaused,
    /// Installations found to be gone for good.
    InstallationsGone,
    /// Age of a queue message when it was received, milliseconds.
    QueueAgeMs,
    /// Records of a batch handed back to the queue.
    BatchItemFailures,
    /// Queue messages nobody can work on.
    Poison,
    /// Senders that could not prove who they are.
    AuthFailures,
    /// Streams that are pushed no longer, because their connector does not take pushes.
    PushesGivenUp,
    /// Events of a stream that a connector refused when it was pushed them.
    PushesParked,
    /// Attempts that ended because the platform does not let us in for the account.
    Unauthorised,
    /// Recipients who were not told that somebody types.
    TypingLost,
    /// Channels that did not become active although they were asked to.
    NotActivated,
    /// One-time tokens that may have been spent by a call of ours whose answer did not come.
    PossiblySpent,
    /// Times that a platform took no more calls about who somebody is.
    IdentityBusy,
    /// Times that a platform did not tell who somebody is.
    IdentityUnavailable,
    /// Times that a platform took too long to tell.
    IdentityTimeout,
    /// Products that are left out of a catalogue because they cannot be shown.
    ProductsDropped,
}

impl Metric {
    const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Delivered => "Delivered",
            Self::Retried => "Retried",
            Self::Failed => "Failed",
            Self::BusinessPaused => "BusinessPaused",
            Self::InstallationsGone => "InstallationsGone",
            Self::QueueAgeMs => "QueueAgeMs",
            Self::BatchItemFailures => "BatchItemFailures",
            Self::Poison => "Poison",
            Self::AuthFailures => "AuthFailures",
            Self::PushesGivenUp => "PushesGivenUp",
            Self::PushesParked => "PushesParked",
            Self::Unauthorised => "Unauthorised",
            Self::TypingLost => "TypingLost",
            Self::NotActivated => "NotActivated",
            Self::PossiblySpent => "PossiblySpent",
            Self::IdentityBusy => "IdentityBusy",
            Self::IdentityUnavailable => "IdentityUnavailable",
            Self::IdentityTimeout => "IdentityTimeout",
            Self::ProductsDropped => "ProductsDropped",
        }
    }

    const fn unit(self) -> &'static str {
        match self {
            Self::QueueAgeMs => "Milliseconds",
            Self::Accepted
            | Self::Delivered
            | Self::Retried
            | Self::Failed
            | Self::BusinessPaused
            | Self::InstallationsGone
            | Self::BatchItemFailures
            | Self::Poison
            | Self::AuthFailures
            | Self::PushesGivenUp
            | Self::PushesParked
            | Self::Unauthorised
            | Self::TypingLost
            | Self::NotActivated
            | Self::PossiblySpent
            | Self::IdentityBusy
            | Self::IdentityUnavailable
            | Self::IdentityTimeout
            | Self::ProductsDropped => "Count",
        }
    }
}

/// The metrics of one invocation.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    values: BTreeMap<(Option<Platform>, Metric), f64>,
}

impl Metrics {
    /// Counts `by` more. Nothing is written for a count of zero.
    pub fn count(&mut self, platform: Option<Platform>, metric: Metric, by: u32) {
        if by > 0 {
            *self.values.entry((platform, metric)).or_default() += f64::from(by);
        }
    }

    /// Keeps the highest of the values given in this invocation.
    pub fn highest(&mut self, platform: Option<Platform>, metric: Metric, value: f64) {
        let kept = self.values.entry((platform, metric)).or_insert(value);
        *kept = kept.max(value);
    }

    /// The lines to write: one for each set of dimensions.
    pub(crate) fn lines(&self, function: &str, now: EpochMillis) -> Vec<String> {
        let mut groups: BTreeMap<Option<Platform>, Vec<(Metric, f64)>> = BTreeMap::new();
        for ((platform, metric), value) in &self.values {
            groups.entry(*platform).or_default().push((*metric, *value));
        }
        groups
            .into_iter()
            .map(|(platform, metrics)| {
                let mut dimensions = vec!["FunctionName"];
                let mut line = Map::new();
                line.insert("FunctionName".into(), function.into());
                if let Some(platform) = platform {
                    dimensions.push("Platform");
                    line.insert("Platform".into(), platform.as_str().into());
                }
                let described: Vec<Value> =
                    metrics.iter().map(|(metric, _)| json!({"Name": metric.name(), "Unit": metric.unit()})).collect();
                for (metric, value) in metrics {
                    line.insert(metric.name().into(), value.into());
                }
                line.insert(
                    "_aws".into(),
                    json!({
                        "Timestamp": now.millis(),
                        "CloudWatchMetrics": [{"Namespace": "Deskbridge", "Dimensions": [dimensions], "Metrics": described}]
                    }),
                );
                Value::Object(line).to_string()
            })
            .collect()
    }

    /// Writes the metrics to standard output, where the Lambda service picks them up.
    pub fn emit(&self, function: &str, now: EpochMillis) {
        let mut out = std::io::stdout().lock();
        for line in self.lines(function, now) {
            // A metric that cannot be written must not fail the request it counts.
            let _lost = writeln!(out, "{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_in_the_embedded_metric_format() {
        let mut metrics = Metrics::default();
        metrics.count(Some(Platform::Vcita), Metric::Delivered, 2);
        metrics.count(Some(Platform::Vcita), Metric::Failed, 0);
        metrics.highest(None, Metric::QueueAgeMs, 12.0);
        metrics.highest(None, Metric::QueueAgeMs, 7.0);
        let lines: Vec<Value> = metrics
            .lines("f", EpochMillis::new(1_767_225_600_000))
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(
            lines,
            [
                json!({"FunctionName": "f", "QueueAgeMs": 12.0, "_aws": {"Timestamp": 1_767_225_600_000_i64, "CloudWatchMetrics": [
                    {"Namespace": "Deskbridge", "Dimensions": [["FunctionName"]], "Metrics": [{"Name": "QueueAgeMs", "Unit": "Milliseconds"}]}]}}),
                json!({"FunctionName": "f", "Platform": "vcita", "Delivered": 2.0, "_aws": {"Timestamp": 1_767_225_600_000_i64, "CloudWatchMetrics": [
                    {"Namespace": "Deskbridge", "Dimensions": [["FunctionName", "Platform"]], "Metrics": [{"Name": "Delivered", "Unit": "Count"}]}]}}),
            ]
        );
    }
}
