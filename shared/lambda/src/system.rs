//! The real time and real randomness.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use model::EpochMillis;
use ports::{Clock, Dice, Sleeper};
use uuid::Uuid;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> EpochMillis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        EpochMillis::new(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Waits in real time.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemSleeper;

#[async_trait]
impl Sleeper for SystemSleeper {
    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// Lets time pass.
pub async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDice;

impl Dice for SystemDice {
    fn roll(&self) -> u16 {
        let bytes = Uuid::new_v4().into_bytes();
        u16::from_be_bytes([bytes[0], bytes[1]])
    }

    fn token(&self) -> String {
        // 122 random bits; version and variant are fixed digits of no harm.
        Uuid::new_v4().simple().to_string()
    }
}
