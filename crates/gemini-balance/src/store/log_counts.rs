//! How many rows the log has, and which is the so-and-so-manieth, without counting them one by one.
//!
//! Ids are counted in blocks of three sizes, each 64 of the one below; the smallest is a little more than a minute. Always
//! true: a block has the number of rows that are there, since whoever writes or deletes rows counts them in the same
//! transaction. So only the rows of two blocks at the ends of a range are counted one by one.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension};

use crate::store::error::StoreError;
use crate::store::meta::unsigned;

/// One size of blocks.
#[derive(Debug, Clone, Copy)]
struct Level {
    number: i64,
    /// The bits of an id that do not matter for its block.
    shift: u32,
}

/// From the smallest to the largest.
const LEVELS: [Level; 3] = [
    Level { number: 0, shift: 23 },
    Level { number: 1, shift: 29 },
    Level { number: 2, shift: 35 },
];

/// Counts rows that were written; their ids in ascending order.
pub(super) fn add(connection: &Connection, ids: &[i64]) -> Result<(), StoreError> {
    change(connection, ids, 1)
}

/// Counts off rows that were deleted; their ids in ascending order.
pub(super) fn subtract(connection: &Connection, ids: &[i64]) -> Result<(), StoreError> {
    change(connection, ids, -1)?;
    let mut statement = connection
        .prepare_cached("DELETE FROM log_counts WHERE level = ?1 AND block <= ?2 AND rows = 0")?;
    for Level { number, shift } in LEVELS {
        if let Some(last) = ids.last() {
            statement.execute((number, last >> shift))?;
        }
    }
    Ok(())
}

fn change(connection: &Connection, ids: &[i64], by: i64) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO log_counts VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET rows = rows + excluded.rows",
    )?;
    for Level { number, shift } in LEVELS {
        for ids in ids.chunk_by(|one, next| one >> shift == next >> shift) {
            let rows = by * i64::try_from(ids.len()).unwrap_or(i64::MAX);
            if let Some(id) = ids.first() {
                statement.execute((number, id >> shift, rows))?;
            }
        }
    }
    Ok(())
}

/// How many rows have ids in a range.
pub(super) fn count(connection: &Connection, ids: Range<i64>) -> Result<u64, StoreError> {
    count_by(connection, ids, &LEVELS)
}

/// Counts by the blocks of the last level, and what they do not cover by those before; by rows if there is no level.
fn count_by(connection: &Connection, ids: Range<i64>, levels: &[Level]) -> Result<u64, StoreError> {
    if ids.is_empty() {
        return Ok(0);
    }
    let Some((Level { number, shift }, smaller)) = levels.split_last() else {
        let sql = "SELECT count(*) FROM request_logs WHERE ?1 <= id AND id < ?2";
        let mut statement = connection.prepare_cached(sql)?;
        return Ok(statement.query_row((ids.start, ids.end), |row| unsigned(row, 0))?);
    };
    let blocks = ((ids.start - 1) >> shift) + 1..ids.end >> shift;
    if blocks.is_empty() {
        return count_by(connection, ids, smaller);
    }
    let sql = "SELECT coalesce(sum(rows), 0) FROM log_counts
               WHERE level = ?1 AND ?2 <= block AND block < ?3";
    let whole = connection
        .prepare_cached(sql)?
        .query_row((number, blocks.start, blocks.end), |row| unsigned(row, 0))?;
    Ok(count_by(connection, ids.start..blocks.start << shift, smaller)?
        + whole
        + count_by(connection, blocks.end << shift..ids.end, smaller)?)
}

/// The id of the row that has `newer` rows above it, if there are so many.
pub(super) fn locate(connection: &Connection, newer: u64) -> Result<Option<i64>, StoreError> {
    let mut newer = newer;
    let mut ids = i64::MIN..i64::MAX;
    let mut blocks = connection.prepare_cached(
        "SELECT block, rows FROM log_counts
         WHERE level = ?1 AND ?2 <= block AND block <= ?3 ORDER BY block DESC",
    )?;
    for Level { number, shift } in LEVELS.into_iter().rev() {
        let which = (number, ids.start >> shift, (ids.end - 1) >> shift);
        let mut rows = blocks.query(which)?;
        loop {
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            let (block, count) = (row.get::<_, i64>(0)?, unsigned(row, 1)?);
            if newer < count {
                ids = block << shift..(block + 1) << shift;
                break;
            }
            newer -= count;
        }
    }
    let sql = "SELECT id FROM request_logs WHERE ?1 <= id AND id < ?2
               ORDER BY id DESC LIMIT 1 OFFSET ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let which = (ids.start, ids.end, newer.cast_signed());
    Ok(statement.query_row(which, |row| row.get(0)).optional()?)
}
