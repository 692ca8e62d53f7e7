//! The request log by page number, as the predecessor's clients read it, with an exact total.

use std::ops::Range;

use rusqlite::Connection;

use crate::store::Store;
use crate::store::calendar::TimeRange;
use crate::store::error::StoreError;
use crate::store::log_counts;
use crate::store::log_pages::{LogEntry, PAGE_ROWS_MAX, entries};
use crate::store::request_logs::{first_id, time_ms};

/// Some rows of a time range, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSlice {
    /// The rows, newest first.
    pub rows: Vec<LogEntry>,
    /// Rows of the time range.
    pub total: u64,
    /// End of the oldest and of the newest attempt of the whole log, in ms since the epoch.
    pub log_time_ms: Option<(i64, i64)>,
}

impl Store {
    /// Up to `limit` rows (at most [`PAGE_ROWS_MAX`]) of a time range, newest first, after the first `offset`.
    ///
    /// # Errors
    /// As any read.
    pub async fn log_slice(
        &self,
        range: TimeRange,
        offset: u64,
        limit: u32,
    ) -> Result<LogSlice, StoreError> {
        self.read(move |connection| {
            let range = ids(range);
            let total = log_counts::count(connection, range.clone())?;
            let rows = if offset < total && 0 < limit {
                let newer = log_counts::count(connection, range.end..i64::MAX)?;
                match log_counts::locate(connection, newer + offset)? {
                    Some(newest) => page(connection, range.start..newest + 1, limit)?,
                    None => Vec::new(),
                }
            } else {
                Vec::new()
            };
            Ok(LogSlice { rows, total, log_time_ms: time_range(connection)? })
        })
        .await
    }
}

/// How many attempts ended in `range`.
pub(super) fn count(connection: &Connection, range: TimeRange) -> Result<u64, StoreError> {
    log_counts::count(connection, ids(range))
}

/// End of the oldest and of the newest attempt, in ms since the epoch.
pub(super) fn time_range(connection: &Connection) -> Result<Option<(i64, i64)>, StoreError> {
    let end = |sql| connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    let oldest = end("SELECT min(id) FROM request_logs")?;
    let newest = end("SELECT max(id) FROM request_logs")?;
    Ok(oldest.zip(newest).map(|(oldest, newest)| (time_ms(oldest), time_ms(newest))))
}

fn ids(range: TimeRange) -> Range<i64> {
    let range = range.clamped();
    first_id(range.start_ms)..first_id(range.end_ms)
}

/// The newest rows of a range of ids.
fn page(
    connection: &Connection,
    range: Range<i64>,
    limit: u32,
) -> Result<Vec<LogEntry>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM request_logs WHERE ?1 <= id AND id < ?2 ORDER BY id DESC LIMIT ?3",
    )?;
    let parameters = (range.start, range.end, limit.min(PAGE_ROWS_MAX));
    let ids = statement.query_map(parameters, |row| row.get(0))?;
    entries(connection, &ids.collect::<Result<Vec<_>, _>>()?)
}
