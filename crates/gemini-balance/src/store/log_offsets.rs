//! The request log by page number, as the predecessor's clients read it, with an exact total.
//!
//! Neither counts rows one by one: whole days and quarter-hours are counted by their sums, and only the two quarter-hours
//! at the ends of the range, and the one that is being pruned, by their rows.

use std::ops::Range;

use rusqlite::Connection;

use crate::store::Store;
use crate::store::calendar::{QUARTER_MS, TimeRange};
use crate::store::error::StoreError;
use crate::store::log_pages::{LogEntry, PAGE_ROWS_MAX, entries};
use crate::store::meta::unsigned;
use crate::store::request_logs::{first_id, time_ms};
use crate::store::rollup::{Dimension, Span, cover};

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
            let segments = segments(connection, range)?;
            let total = segments.iter().map(|segment| segment.rows).sum();
            let rows = match locate(connection, segments, offset)? {
                Some(newest) => {
                    let oldest = first_id(range.clamped().start_ms);
                    entries(connection, &ids(connection, oldest..newest + 1, (0, limit))?)?
                }
                None => Vec::new(),
            };
            Ok(LogSlice { rows, total, log_time_ms: time_range(connection)? })
        })
        .await
    }
}

/// How many attempts ended in `range`.
pub(super) fn count(connection: &Connection, range: TimeRange) -> Result<u64, StoreError> {
    Ok(segments(connection, range)?.iter().map(|segment| segment.rows).sum())
}

/// End of the oldest and of the newest attempt, in ms since the epoch.
pub(super) fn time_range(connection: &Connection) -> Result<Option<(i64, i64)>, StoreError> {
    let end = |sql| connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    let oldest = end("SELECT min(id) FROM request_logs")?;
    let newest = end("SELECT max(id) FROM request_logs")?;
    Ok(oldest.zip(newest).map(|(oldest, newest)| (time_ms(oldest), time_ms(newest))))
}

/// A stretch of time and the number of rows in it.
#[derive(Debug, Clone)]
struct Segment {
    time_ms: Range<i64>,
    rows: u64,
}

/// Stretches that together are `range`, as far as there are rows, newest first.
fn segments(connection: &Connection, range: TimeRange) -> Result<Vec<Segment>, StoreError> {
    let Some((oldest_ms, newest_ms)) = time_range(connection)? else {
        return Ok(Vec::new());
    };
    let range = range.clamped();
    let start = range.start_ms.max(oldest_ms);
    let end = range.end_ms.min(newest_ms + 1);
    if end <= start {
        return Ok(Vec::new());
    }
    // The oldest quarter-hour with rows may have lost some of them, so it is counted like a part of one.
    let middle_start = (start.div_euclid(QUARTER_MS) + 1) * QUARTER_MS;
    let middle_end = end.div_euclid(QUARTER_MS) * QUARTER_MS;
    if middle_end <= middle_start {
        return Ok(vec![counted(connection, start..end)?]);
    }
    let mut segments =
        vec![counted(connection, start..middle_start)?, counted(connection, middle_end..end)?];
    for (span, cells) in cover(TimeRange { start_ms: middle_start, end_ms: middle_end }) {
        segments.extend(summed(connection, span, cells)?);
    }
    segments.sort_by_key(|segment| std::cmp::Reverse(segment.time_ms.start));
    Ok(segments)
}

fn counted(connection: &Connection, time_ms: Range<i64>) -> Result<Segment, StoreError> {
    let rows = connection
        .prepare_cached("SELECT count(*) FROM request_logs WHERE ?1 <= id AND id < ?2")?
        .query_row((first_id(time_ms.start), first_id(time_ms.end)), |row| unsigned(row, 0))?;
    Ok(Segment { time_ms, rows })
}

fn summed(
    connection: &Connection,
    span: Span,
    cells: Range<i64>,
) -> Result<Vec<Segment>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT start, sum(attempts) FROM rollups
         WHERE dimension = ?1 AND span = ?2 AND ?3 <= start AND start < ?4 GROUP BY start",
    )?;
    let parameters = (Dimension::All as i64, span as i64, cells.start, cells.end);
    let segments = statement.query_map(parameters, |row| {
        let start = row.get::<_, i64>(0)?;
        let time_ms = start * span.length_ms()..(start + 1) * span.length_ms();
        Ok(Segment { time_ms, rows: unsigned(row, 1)? })
    })?;
    Ok(segments.collect::<Result<_, _>>()?)
}

/// The id of the row that has `offset` newer rows in `segments`.
fn locate(
    connection: &Connection,
    segments: Vec<Segment>,
    mut offset: u64,
) -> Result<Option<i64>, StoreError> {
    for segment in segments {
        if segment.rows <= offset {
            offset -= segment.rows;
            continue;
        }
        let Segment { time_ms, .. } = segment;
        if QUARTER_MS < time_ms.end - time_ms.start {
            let quarters = time_ms.start / QUARTER_MS..time_ms.end / QUARTER_MS;
            let mut segments = summed(connection, Span::Quarter, quarters)?;
            segments.reverse();
            return locate(connection, segments, offset);
        }
        let range = first_id(time_ms.start)..first_id(time_ms.end);
        return Ok(ids(connection, range, (offset, 1))?.first().copied());
    }
    Ok(None)
}

/// Ids of `range`, newest first, after the first `offset` and at most `limit` of them.
fn ids(
    connection: &Connection,
    range: Range<i64>,
    (offset, limit): (u64, u32),
) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM request_logs WHERE ?1 <= id AND id < ?2
         ORDER BY id DESC LIMIT ?4 OFFSET ?3",
    )?;
    let parameters = (range.start, range.end, offset.cast_signed(), limit.min(PAGE_ROWS_MAX));
    let ids = statement.query_map(parameters, |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}
