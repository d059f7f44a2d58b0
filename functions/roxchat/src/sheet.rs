//! Records as an event finds and leaves them: read once, changed in memory, written together or not at all.

use std::collections::BTreeMap;

use app::AppError;
use futures_util::future::try_join_all;
use model::EpochMillis;
use ports::{RecordChange, RecordKey, Records, Saved};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Problem;

/// A record, and what is to become of it.
struct Line {
    rev: u64,
    body: Option<String>,
    change: Option<(String, EpochMillis)>,
}

/// Records that were read, and their changes. Those of an earlier event of a batch need not be read again.
pub(crate) struct Sheet<'a> {
    records: &'a dyn Records,
    lines: BTreeMap<RecordKey, Line>,
}

impl<'a> Sheet<'a> {
    pub(crate) const fn new(records: &'a dyn Records) -> Self {
        Self { records, lines: BTreeMap::new() }
    }

    /// Reads what has not been read yet, all at a time.
    pub(crate) async fn read(&mut self, keys: impl IntoIterator<Item = RecordKey>, now: EpochMillis) -> Result<(), Problem> {
        let keys: Vec<_> = keys.into_iter().filter(|key| !self.lines.contains_key(key)).collect();
        let found = try_join_all(keys.iter().map(|key| self.records.record(key))).await?;
        for (key, record) in keys.into_iter().zip(found) {
            let rev = record.as_ref().map_or(0, |record| record.rev);
            let body = record.filter(|record| record.ends_at.is_none_or(|end| now < end)).map(|record| record.body);
            self.lines.insert(key, Line { rev, body: body.filter(|body| !body.is_empty()), change: None });
        }
        Ok(())
    }

    /// What a record says that was read before; `None` if it is not there or has ended.
    pub(crate) fn get<T: DeserializeOwned>(&self, key: &RecordKey) -> Result<Option<T>, Problem> {
        let line = self.lines.get(key).ok_or(AppError::Internal("a record that was not read"))?;
        let body = line.change.as_ref().map(|(body, _)| body).or(line.body.as_ref());
        let read = |body: &String| serde_json::from_str(body).map_err(|_| AppError::Internal("a stored record cannot be read"));
        Ok(body.map(read).transpose()?)
    }

    /// Both of it.
    pub(crate) async fn look<T: DeserializeOwned>(&mut self, key: &RecordKey, now: EpochMillis) -> Result<Option<T>, Problem> {
        self.read([key.clone()], now).await?;
        self.get(key)
    }

    /// What a record that was read says from now on.
    pub(crate) fn put(&mut self, key: &RecordKey, value: &impl Serialize, ends_at: EpochMillis) -> Result<(), Problem> {
        let body = serde_json::to_string(value).map_err(|_| AppError::Internal("a record that cannot be written"))?;
        let line = self.lines.get_mut(key).ok_or(AppError::Internal("a record that was not read"))?;
        line.change = Some((body, ends_at));
        Ok(())
    }

    /// The same, unless it says that already.
    pub(crate) fn put_news(&mut self, key: &RecordKey, value: &impl Serialize, ends_at: EpochMillis) -> Result<(), Problem> {
        let body = serde_json::to_string(value).map_err(|_| AppError::Internal("a record that cannot be written"))?;
        let line = self.lines.get_mut(key).ok_or(AppError::Internal("a record that was not read"))?;
        if line.change.is_some() || line.body.as_ref() != Some(&body) {
            line.change = Some((body, ends_at));
        }
        Ok(())
    }

    /// Writes all changes, or none: then nothing that was read counts any more.
    pub(crate) async fn save(&mut self) -> Result<Saved, Problem> {
        let of = |(key, line): (&RecordKey, &Line)| {
            let (body, ends_at) = line.change.clone()?;
            Some(RecordChange { key: key.clone(), rev: line.rev, body, ends_at: Some(ends_at) })
        };
        let changes: Vec<_> = self.lines.iter().filter_map(of).collect();
        let saved = if changes.is_empty() { Ok(Saved::Yes) } else { self.records.keep_records(&changes).await };
        match saved {
            Ok(Saved::Yes) => {
                for line in self.lines.values_mut() {
                    if let Some((body, _)) = line.change.take() {
                        (line.rev, line.body) = (line.rev + 1, Some(body));
                    }
                }
            }
            Ok(Saved::Conflict) | Err(_) => self.lines.clear(),
        }
        Ok(saved?)
    }

    /// Forgets changes that are not to be made.
    pub(crate) fn clear(&mut self) {
        self.lines.clear();
    }
}
