//! The request log: one row per attempt, written in batches together with its sums.
//!
//! Always true: a row's id is its time in ms since 2020 times 128 plus a number among the rows of that ms, so the order of
//! ids is the order of time; a row and what it adds to the sums are one transaction.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use crate::log_row::LogRow;
use crate::store::Store;
use crate::store::calendar::TIME_MS_MAX;
use crate::store::error::StoreError;
use crate::store::log_counts;
use crate::store::meta::unsigned;
use crate::store::rollup::Rollup;
use crate::store::words::{Kind, Outcome, Words};
use crate::store::writer::Durability;

/// Ids per ms. Counted from 2020 on, ids take six bytes of each index entry until 2054, where SQLite's next size is eight;
/// and they stay below 2^53, so they are exact in JavaScript.
const IDS_PER_MS: i64 = 128;
/// Rows of one part of the indexes by request and by service key: few enough for its pages to stay in memory while it
/// grows. Tests see many parts.
const PART_ROWS: u64 = if cfg!(test) { 64 } else { 65_536 };
/// The start of 2020. Rows of older attempts have negative ids.
const EPOCH_MS: i64 = 1_577_836_800_000;

/// Rows written at a stretch: less than half a ms.
const STRETCH_ROWS: usize = 64;
/// And then the core belongs to the callers. Where there is only one, they would otherwise stand still until the kernel
/// takes it away from the writer, 4 ms later at 250 ticks a second.
const PAUSE: Duration = Duration::from_micros(50);

impl Store {
    /// Writes a batch of rows and their sums. For a thread that may block; all rows are written, or none.
    ///
    /// # Errors
    /// As any write; the batch may be tried again.
    pub fn insert_log_rows(&self, rows: Arc<[LogRow]>) -> Result<(), StoreError> {
        self.write_blocking(Durability::Batched, move |transaction, words| {
            insert(transaction, words, rows.iter())
        })
    }
}

/// Enters rows and adds them to the sums.
pub(super) fn insert<'a>(
    connection: &Connection,
    words: &mut Words,
    rows: impl Iterator<Item = &'a LogRow>,
) -> Result<(), StoreError> {
    // In the order of time new rows go to the end of the table, where they pack densely.
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|row| row.ended_at_ms);
    let part = part(connection)?;
    let newest = newest_id(connection)?;
    let mut rollup = Rollup::default();
    let mut ids: Vec<i64> = Vec::with_capacity(rows.len());
    for (count, row) in rows.into_iter().enumerate() {
        if count % STRETCH_ROWS == STRETCH_ROWS - 1 {
            std::thread::sleep(PAUSE);
        }
        let previous = ids.last().copied().unwrap_or(i64::MIN);
        let id = free_id(connection, (previous, newest), row.ended_at_ms)?;
        ids.push(id);
        let outcome = outcome(connection, words, row)?;
        let (outcome_id, outcome) = words.outcome(connection, outcome)?;
        let client = match row.client.as_str() {
            "" => None,
            client => Some(words.word(connection, Kind::Client, client)?),
        };
        insert_row(connection, row, Place { id, outcome_id, part, client })?;
        rollup.add(row, time_ms(id), &outcome);
    }
    count_in_part(connection, part, &ids)?;
    log_counts::add(connection, &ids)?;
    rollup.write(connection)
}

/// Whether an attempt of the same request, with the same key, has ended in the same ms.
///
/// Where more attempts end in one ms than have room there, one that flowed into the next is not found.
pub(super) fn is_there(connection: &Connection, row: &LogRow) -> Result<bool, StoreError> {
    let first = first_id(row.ended_at_ms.min(TIME_MS_MAX - 1));
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM request_logs
         WHERE ?1 <= id AND id < ?2 AND request_id = ?3 AND service_key_id IS ?4",
    )?;
    let request_id = row.request_id.0.to_be_bytes();
    Ok(statement.exists((first, first + IDS_PER_MS, request_id, row.service_key_id))?)
}

/// The first id of an attempt that ended at `time_ms`.
pub(super) fn first_id(time_ms: i64) -> i64 {
    (time_ms.clamp(0, TIME_MS_MAX) - EPOCH_MS) * IDS_PER_MS
}

/// When the attempt of this id ended.
pub(super) fn time_ms(id: i64) -> i64 {
    id.div_euclid(IDS_PER_MS) + EPOCH_MS
}

/// Where a row goes, in numbers.
#[derive(Clone, Copy)]
struct Place {
    id: i64,
    outcome_id: i64,
    part: i64,
    client: Option<i64>,
}

/// The part that grows: the newest, or one more when that is full.
fn part(connection: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT part, rows FROM log_parts ORDER BY part DESC LIMIT 1";
    let newest = connection
        .prepare_cached(sql)?
        .query_row([], |row| Ok((row.get(0)?, unsigned(row, 1)?)))
        .optional()?;
    Ok(match newest {
        Some((part, rows)) if rows < PART_ROWS => part,
        Some((part, _)) => part + 1,
        None => 0,
    })
}

/// Notes that a part has some more rows; their ids in ascending order.
fn count_in_part(connection: &Connection, part: i64, ids: &[i64]) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (ids.first(), ids.last()) else {
        return Ok(());
    };
    let mut statement = connection.prepare_cached(
        "INSERT INTO log_parts VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET
             first_id = min(first_id, excluded.first_id),
             last_id = max(last_id, excluded.last_id), rows = rows + excluded.rows",
    )?;
    statement.execute((part, first, last, ids.len() as i64))?;
    Ok(())
}

/// The highest id before a batch.
fn newest_id(connection: &Connection) -> Result<i64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT max(id) FROM request_logs")?;
    let newest: Option<i64> = statement.query_row([], |row| row.get(0))?;
    Ok(newest.unwrap_or(i64::MIN))
}

/// An id for an attempt that ended at `time_ms`, behind all others of that ms. When a ms is full the next one is used.
///
/// `previous` is the id of the row before in this batch, `newest` the highest before the batch.
fn free_id(
    connection: &Connection,
    (previous, newest): (i64, i64),
    time_ms: i64,
) -> Result<i64, StoreError> {
    // The row before may have had the same time, then its successor is free or in the next ms.
    let mut first = first_id(time_ms.min(TIME_MS_MAX - 1)).max(previous.saturating_add(1));
    if newest < first {
        return Ok(first);
    }
    let mut statement =
        connection.prepare_cached("SELECT max(id) FROM request_logs WHERE ?1 <= id AND id < ?2")?;
    loop {
        let end = (first.div_euclid(IDS_PER_MS) + 1) * IDS_PER_MS;
        let last: Option<i64> = statement.query_row((first, end), |row| row.get(0))?;
        let free = last.map_or(first, |last| last + 1);
        if free < end {
            return Ok(free);
        }
        first = end;
    }
}

fn outcome(
    connection: &Connection,
    words: &mut Words,
    row: &LogRow,
) -> Result<Outcome, StoreError> {
    let error_kind = match &row.error_kind {
        Some(kind) => Some(words.word(connection, Kind::Error, kind)?),
        None => None,
    };
    Ok(Outcome {
        model: words.word(connection, Kind::Model, &row.model)?,
        dialect: words.word(connection, Kind::Dialect, &row.dialect)?,
        operation: words.word(connection, Kind::Operation, &row.operation)?,
        is_stream: row.is_stream,
        status: row.status,
        error_kind,
    })
}

fn insert_row(connection: &Connection, row: &LogRow, place: Place) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO request_logs VALUES
             (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
    )?;
    statement.execute(rusqlite::params![
        place.id,
        row.request_id.0.to_be_bytes(),
        row.user_key_id,
        row.service_key_id,
        place.outcome_id,
        row.attempt,
        row.is_final,
        row.tokens.prompt,
        row.tokens.completion,
        row.tokens.cached,
        row.tokens.thinking,
        row.tokens.total,
        row.first_byte_ms,
        row.duration_ms,
        row.bytes_in.cast_signed(),
        row.bytes_out.cast_signed(),
        place.part,
        place.client,
        row.frames.map(u64::cast_signed),
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::random::RequestId;

    use super::*;
    use crate::store::calendar::TimeRange;
    use crate::store::log_pages::LogFilter;
    use crate::store::tests::{TestStore, row};
    use crate::store::words::OTHER;

    #[test]
    fn request_ids_are_read_and_shown_as_hex() {
        let id = RequestId::parse("ab12cd34").unwrap();

        assert_eq!(id.to_string(), "000000000000000000000000ab12cd34");
        assert_eq!(RequestId::parse(&id.to_string()), Some(id));
        for bad in ["", "+1", "xyz", "'; DROP TABLE", "0123456789abcdef0123456789abcdef0"] {
            assert_eq!(RequestId::parse(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn more_rows_than_fit_into_a_millisecond_flow_into_the_next() {
        let store = TestStore::new();
        let rows: Vec<_> =
            (0..3_000).map(|number| LogRow { request_id: RequestId(number), ..row(7) }).collect();

        store.insert(&rows[..1_000]).await;
        store.insert(&rows[1_000..]).await;

        let filter = LogFilter { range: TimeRange { start_ms: 8, end_ms: 9 }, ..LogFilter::ALL };
        let page = store.log_page(filter, None, 1_000).await.unwrap();
        assert_eq!(page.rows.len(), 128);
        assert_eq!(page.rows[0].request_id, RequestId(255));
        assert_eq!(store.size().await.unwrap().log_rows, 3_000);
    }

    #[tokio::test]
    async fn absurd_times_are_kept_within_what_can_be_stored() {
        let store = TestStore::new();

        store.insert(&[row(i64::MIN), row(i64::MAX)]).await;

        let size = store.size().await.unwrap();
        assert_eq!(size.log_time_ms, Some((0, TIME_MS_MAX - 1)));
        assert_eq!(size.log_rows, 2);
    }

    #[tokio::test]
    async fn a_caller_cannot_make_endless_words() {
        let store = TestStore::new();
        let rows: Vec<_> = (0..10_100)
            .map(|number| LogRow {
                model: format!("model-{number}-{}", "é".repeat(200)),
                client: format!("client-{number}"),
                ..row(number)
            })
            .collect();

        store.insert(&rows).await;

        let models = store.known_values().await.unwrap().models;
        assert_eq!(models.len(), 4_097);
        assert!(models.iter().all(|model| model.len() <= 128));
        let page = store.log_page(LogFilter::ALL, None, 1_000).await.unwrap();
        assert!(page.rows.iter().all(|row| row.client.as_deref() == Some(OTHER)));
    }
}
