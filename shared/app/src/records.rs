//! Records that belong to no conversation.

use model::EpochMillis;
use ports::{PortError, RecordChange, RecordKey, Records, Saved};

use crate::AppError;

/// How often a record is tried again that somebody else changed meanwhile.
const RACES: usize = 5;

/// Empties a record and ends it now; one that is not there, or empty, stays as it is. Whether something was erased.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be erased.
pub async fn erase_record(records: &dyn Records, key: RecordKey, now: EpochMillis) -> Result<bool, AppError> {
    for _ in 0..RACES {
        let Some(record) = records.record(&key).await?.filter(|record| !record.body.is_empty()) else { return Ok(false) };
        let gone = RecordChange { key: key.clone(), rev: record.rev, body: String::new(), ends_at: Some(now) };
        if records.keep_records(&[gone]).await? == Saved::Yes {
            return Ok(true);
        }
    }
    Err(AppError::Unavailable(PortError::Busy))
}
