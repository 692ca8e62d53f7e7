//! Keeps the database in order and within its bounds of age and size, a little at a time.
//!
//! Always true: a step is a short transaction and others write between two steps; rows go oldest first; sums outlive
//! their rows.

use rusqlite::Connection;

use crate::store::Store;
use crate::store::calendar::DAY_MS;
use crate::store::error::StoreError;
use crate::store::fold;
use crate::store::log_counts;
use crate::store::meta::file_bytes;
use crate::store::request_logs::first_id;
use crate::store::rollup::Span;
use crate::store::sheets::{self, DAY_QUARTERS, Dimension};
use crate::store::words::Words;
use crate::store::writer::Durability;

/// Rows deleted in one transaction: about ten ms.
const STEP_ROWS: i64 = 500;
/// Pages given back to the file system in one transaction.
const STEP_PAGES: u32 = 256;
/// Steps of one call: the next call goes on.
const STEPS_MAX: u32 = 4_000;
/// Free space below this, or below an eighth of the file, is kept for use.
const FREE_BYTES_KEPT: u64 = 4 << 20;
/// Sheets deleted in one transaction of each dimension and length.
const STEP_SHEETS: i64 = 16;
/// How long sums by service key are kept by less than a day; of tens of thousands of keys they would be most of the file.
const FINE_SUMS_KEPT_MS: i64 = 35 * DAY_MS;
/// So for those by service key and model, of which there are several times as many.
const PAIRS_KEPT_MS: i64 = 3 * DAY_MS;

/// How much of the past is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Age at which log rows go.
    pub log_age_max_ms: Option<i64>,
    /// Size of everything in the database above which log rows go, whatever their age.
    pub bytes_max: Option<u64>,
    /// Age at which sums and the last traces of deleted keys go.
    pub sums_age_max_ms: i64,
}

/// What one call did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Log rows deleted.
    pub log_rows: u64,
    /// Whether everything is within its bounds; if not, another call goes on.
    pub is_done: bool,
}

impl Store {
    /// Folds new sums into sheets, deletes what is older or more than may be kept, and makes the file smaller if much of it
    /// is free.
    ///
    /// Works in steps of some ms, others write in between. Dropped, it stops after the present step.
    ///
    /// # Errors
    /// As any write; what was deleted before stays deleted.
    pub async fn prune(&self, retention: Retention, now_ms: i64) -> Result<Pruned, StoreError> {
        // First, so that nothing is folded into sheets that are too old to be kept.
        self.write(Durability::Batched, move |transaction, _| {
            raise_horizons(transaction, retention, now_ms)
        })
        .await?;
        self.fold().await?;
        let mut pruned = Pruned::default();
        for _ in 0..STEPS_MAX {
            let step = self
                .write(Durability::Batched, move |transaction, words| {
                    step(transaction, words, retention, now_ms)
                })
                .await?;
            match step {
                Step::LogRows(rows) => pruned.log_rows += rows as u64,
                Step::Other => {}
                Step::Nothing => {
                    return Ok(Pruned { is_done: true, ..pruned });
                }
            }
        }
        Ok(pruned)
    }

    /// Folds as many loose cells as there are now; those that come meanwhile have time.
    pub(super) async fn fold(&self) -> Result<(), StoreError> {
        let mut left = self.read(fold::loose_cells).await?;
        while 0 < left {
            let folded = self.write(Durability::Batched, |transaction, _| fold::step(transaction));
            let folded = folded.await?;
            if folded == 0 {
                break;
            }
            left = left.saturating_sub(folded);
        }
        Ok(())
    }
}

enum Step {
    LogRows(usize),
    Other,
    Nothing,
}

/// Does the first of all things that are to do.
fn step(
    connection: &Connection,
    words: &mut Words,
    retention: Retention,
    now_ms: i64,
) -> Result<Step, StoreError> {
    let (file_bytes, free_bytes) = file_bytes(connection)?;
    let is_too_large = retention.bytes_max.is_some_and(|max| max < file_bytes - free_bytes);
    let log_end = match retention.log_age_max_ms {
        _ if is_too_large => Some(i64::MAX),
        Some(age_max_ms) => Some(first_id(now_ms.saturating_sub(age_max_ms))),
        None => None,
    };
    if let Some(end) = log_end {
        let rows = log_rows(connection, end)?;
        if 0 < rows {
            return Ok(Step::LogRows(rows));
        }
    }
    if 0 < old_sums(connection, retention, now_ms)? || 0 < words.tidy(connection)? {
        return Ok(Step::Other);
    }
    if FREE_BYTES_KEPT.max(file_bytes / 8) < free_bytes {
        connection.execute_batch(&format!("PRAGMA incremental_vacuum({STEP_PAGES})"))?;
        return Ok(Step::Other);
    }
    Ok(Step::Nothing)
}

fn log_rows(connection: &Connection, end: i64) -> Result<usize, StoreError> {
    let sql = "SELECT id FROM request_logs WHERE id < ?1 ORDER BY id LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let ids = statement.query_map((end, STEP_ROWS), |row| row.get(0))?;
    let ids: Vec<i64> = ids.collect::<Result<_, _>>()?;
    let Some(last) = ids.last() else {
        return Ok(0);
    };
    connection.prepare_cached("DELETE FROM request_logs WHERE id <= ?1")?.execute([last])?;
    connection.prepare_cached("DELETE FROM log_parts WHERE last_id <= ?1")?.execute([last])?;
    log_counts::subtract(connection, &ids)?;
    Ok(ids.len())
}

/// Moves the horizons of the sums on.
fn raise_horizons(
    connection: &Connection,
    retention: Retention,
    now_ms: i64,
) -> Result<(), StoreError> {
    let day = |age_ms: i64| now_ms.saturating_sub(age_ms).div_euclid(DAY_MS) * DAY_QUARTERS;
    let kept_from = day(retention.sums_age_max_ms);
    for dimension in Dimension::ALL {
        let fine_from = match dimension {
            Dimension::Model | Dimension::UserKey | Dimension::UserKeyModel => kept_from,
            Dimension::ServiceKey => day(FINE_SUMS_KEPT_MS),
            Dimension::ServiceKeyModel => day(PAIRS_KEPT_MS),
        };
        sheets::raise_horizon(connection, dimension, (kept_from, fine_from))?;
    }
    Ok(())
}

/// One step through everything that follows the age of the sums.
fn old_sums(
    connection: &Connection,
    retention: Retention,
    now_ms: i64,
) -> Result<usize, StoreError> {
    let before_ms = now_ms.saturating_sub(retention.sums_age_max_ms);
    let mut deleted = 0;
    for dimension in Dimension::ALL {
        deleted += sheets::delete_beyond_horizon(connection, dimension, STEP_SHEETS)?;
    }
    for span in Span::BOTH {
        let before = before_ms.div_euclid(span.length_ms());
        for sql in [
            "DELETE FROM rollup_latencies WHERE (span, start, model_id) IN
                 (SELECT span, start, model_id FROM rollup_latencies
                  WHERE span = ?1 AND start < ?2 LIMIT ?3)",
            "DELETE FROM rollup_errors WHERE (span, start, error_kind) IN
                 (SELECT span, start, error_kind FROM rollup_errors
                  WHERE span = ?1 AND start < ?2 LIMIT ?3)",
        ] {
            deleted += connection.prepare_cached(sql)?.execute((span as i64, before, STEP_ROWS))?;
        }
    }
    for sql in [
        "DELETE FROM user_keys WHERE id IN
             (SELECT id FROM user_keys WHERE deleted_at_ms < ?1 AND NOT EXISTS
                  (SELECT 1 FROM request_logs WHERE user_key_id = user_keys.id) LIMIT ?2)",
        "DELETE FROM service_keys WHERE id IN
             (SELECT id FROM service_keys WHERE deleted_at_ms < ?1 AND NOT EXISTS
                  (SELECT 1 FROM log_parts p CROSS JOIN request_logs l
                   ON l.part = p.part AND l.service_key_id = service_keys.id) LIMIT ?2)",
    ] {
        deleted += connection.prepare_cached(sql)?.execute((before_ms, STEP_ROWS))?;
    }
    Ok(deleted)
}
