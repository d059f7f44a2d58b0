//! The environment, read once.

use std::time::Duration;

/// What the template and the Lambda service put into a function's environment. Nothing in it is secret but the
/// credentials, which the service itself puts there.
#[derive(Clone)]
pub struct Config {
    /// Name of this function.
    pub function: String,
    /// AWS region.
    pub region: String,
    /// Credentials of the function's role; they hold for the sandbox's life.
    pub access_key: String,
    /// Second part of the credentials.
    pub secret_key: String,
    /// Third part of the credentials.
    pub session_token: Option<String>,
    /// Where AWS is, if not at its own place.
    pub endpoint: Option<String>,
    /// The table.
    pub table: String,
    /// Deliver queue.
    pub deliver_queue: String,
    /// Queue of acknowledgement timers.
    pub ack_queue: String,
    /// Queue of chats' timers.
    pub chat_timer_queue: String,
    /// Queue of what is to be pushed.
    pub push_queue: String,
    /// Dead-letter queue.
    pub dead_queue: String,
    /// Bucket of the files that users hand in; empty where they are none of the function's business.
    pub upload_bucket: String,
    /// Path under which the accounts' secrets are, without a trailing slash.
    pub secrets_prefix: String,
    /// Time a recipient has to acknowledge.
    pub ack_timeout: Duration,
    /// Delays before attempt 2, 3, ...
    pub retry_delays: Vec<Duration>,
    /// Attempts in all.
    pub max_attempts: u32,
    /// How long what was said is kept after it was said.
    pub retention: Duration,
    /// Whether loopback addresses and plain http may be called: local stacks only.
    pub allow_loopback_targets: bool,
    /// `error`, `warn`, `info` or `debug`.
    pub log_level: String,
}

/// A variable is missing or says something impossible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("environment variable {name}: {why}")]
pub struct ConfigError {
    /// Its name.
    pub name: &'static str,
    /// What is wrong; never its value.
    pub why: &'static str,
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first variable that is wrong.
    pub fn from_process_env() -> Result<Self, ConfigError> {
        Self::from_vars(&|name| std::env::var(name).ok())
    }

    /// Reads variables from anywhere.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first variable that is wrong.
    pub fn from_vars(var: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let text = |name: &'static str| var(name).filter(|v| !v.is_empty()).ok_or(ConfigError { name, why: "is missing" });
        let or = |name: &'static str, default: &str| var(name).filter(|v| !v.is_empty()).unwrap_or_else(|| default.to_owned());
        let number = |name: &'static str, default: &str, range: std::ops::RangeInclusive<u32>| {
            let value =
                or(name, default).trim().parse::<u32>().map_err(|_| ConfigError { name, why: "is not a whole number" })?;
            if range.contains(&value) { Ok(value) } else { Err(ConfigError { name, why: "is out of range" }) }
        };
        let retry_delays = or(RETRY_DELAYS, "30,120")
            .split(',')
            .map(|part| part.trim().parse::<u64>().map(Duration::from_secs))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| ConfigError { name: RETRY_DELAYS, why: "is not a list of seconds" })?;
        Ok(Self {
            function: or("AWS_LAMBDA_FUNCTION_NAME", "local"),
            region: or("AWS_REGION", "us-east-1"),
            access_key: text("AWS_ACCESS_KEY_ID")?,
            secret_key: text("AWS_SECRET_ACCESS_KEY")?,
            session_token: var("AWS_SESSION_TOKEN").filter(|v| !v.is_empty()),
            endpoint: var("AWS_ENDPOINT_URL").filter(|v| !v.is_empty()),
            table: text("DESKBRIDGE_TABLE")?,
            deliver_queue: or("DESKBRIDGE_DELIVER_QUEUE_URL", ""),
            ack_queue: or("DESKBRIDGE_ACK_QUEUE_URL", ""),
            chat_timer_queue: or("DESKBRIDGE_CHAT_TIMER_QUEUE_URL", ""),
            push_queue: or("DESKBRIDGE_PUSH_QUEUE_URL", ""),
            dead_queue: or("DESKBRIDGE_DEAD_QUEUE_URL", ""),
            upload_bucket: or("DESKBRIDGE_UPLOAD_BUCKET", ""),
            secrets_prefix: or("DESKBRIDGE_SECRETS_PREFIX", "/deskbridge").trim_end_matches('/').to_owned(),
            ack_timeout: Duration::from_secs(u64::from(number("DESKBRIDGE_ACK_TIMEOUT_SECONDS", "90", 1..=900)?)),
            retry_delays,
            max_attempts: number("DESKBRIDGE_MAX_ATTEMPTS", "3", 1..=10)?,
            retention: Duration::from_secs(u64::from(number("DESKBRIDGE_RETENTION_DAYS", "90", 7..=3650)?) * 86_400),
            allow_loopback_targets: or("DESKBRIDGE_ALLOW_LOOPBACK_TARGETS", "false") == "true",
            log_level: or("DESKBRIDGE_LOG_LEVEL", "info"),
        })
    }
}

const RETRY_DELAYS: &str = "DESKBRIDGE_RETRY_DELAYS_SECONDS";

#[cfg(test)]
mod tests {
    use super::*;

    fn with<'a>(extra: &'a [(&'a str, &'a str)]) -> Result<Config, ConfigError> {
        let base = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"), ("DESKBRIDGE_TABLE", "t")];
        Config::from_vars(&|name| extra.iter().chain(&base).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn defaults_are_the_contracts() {
        let config = with(&[]).unwrap();
        assert_eq!(config.ack_timeout, Duration::from_secs(90));
        assert_eq!(config.retry_delays, [Duration::from_secs(30), Duration::from_secs(120)]);
        assert_eq!((config.max_attempts, config.allow_loopback_targets), (3, false));
        assert_eq!(config.retention, Duration::from_secs(7_776_000), "90 days");
    }

    #[test]
    fn each_wrong_value_is_named() {
        for (name, value) in [
            ("DESKBRIDGE_ACK_TIMEOUT_SECONDS", "soon"),
            ("DESKBRIDGE_ACK_TIMEOUT_SECONDS", "901"),
            ("DESKBRIDGE_MAX_ATTEMPTS", "0"),
            ("DESKBRIDGE_RETENTION_DAYS", "6"),
            ("DESKBRIDGE_RETENTION_DAYS", "3651"),
            ("DESKBRIDGE_RETRY_DELAYS_SECONDS", "30;120"),
            ("DESKBRIDGE_TABLE", ""),
        ] {
            assert_eq!(with(&[(name, value)]).err().map(|e| e.name), Some(name), "{value}");
        }
    }
}
