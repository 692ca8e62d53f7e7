//! Folds loose cells into sheets, a little at a time.
//!
//! Rows are counted in loose cells, since a cell is changed at the cost of a few bytes and a sheet only as a whole. Always
//! true: a step takes cells away and adds them to the sheets of all lengths in one transaction.

use rusqlite::{Connection, OptionalExtension};

use crate::store::error::StoreError;
use crate::store::meta::unsigned;
use crate::store::rollup::Sums;
use crate::store::sheet::{self, Row, Rows, Sheet};
use crate::store::sheets::{
    DAY_QUARTERS, Dimension, Horizon, LENGTHS, chunk, paired, sheet_id, slot, subjects,
};

/// A step that has this many cells takes no further quarter-hour: some ms.
const STEP_CELLS: usize = 2_048;

/// The sums of one subject and model in one quarter-hour.
struct Cell {
    start: i64,
    slot: u64,
    model_id: i64,
    sums: Row,
}

/// How many loose cells there are.
pub(super) fn loose_cells(connection: &Connection) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM loose_sums")?;
    Ok(statement.query_row([], |row| unsigned(row, 0))?)
}

/// Folds some loose cells, the oldest of a dimension first, and answers how many.
///
/// A sheet costs the same however many cells it takes in. So a step is about the subjects of one sheet, and takes what
/// they have in as many quarter-hours of a day as it may.
pub(super) fn step(connection: &Connection) -> Result<u64, StoreError> {
    for dimension in Dimension::LOOSE {
        let mut statement = connection.prepare_cached(
            "SELECT start, subject_id FROM loose_sums WHERE dimension = ?1
             ORDER BY start, subject_id LIMIT 1",
        )?;
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let first = statement.query_row([dimension as i64], read).optional()?;
        let Some((start, subject_id)) = first else {
            continue;
        };
        let chunk = chunk(subject_id);
        let cells = take(connection, dimension, (start, chunk))?;
        for sheets in dimension.sheets() {
            add(connection, *sheets, chunk, &cells)?;
        }
        return Ok(cells.len() as u64);
    }
    Ok(0)
}

/// Takes away the loose cells of a chunk of subjects, from the quarter-hour `start` on.
fn take(
    connection: &Connection,
    dimension: Dimension,
    (start, chunk): (i64, i64),
) -> Result<Vec<Cell>, StoreError> {
    let mut read = connection.prepare_cached(
        "SELECT start, subject_id, model_id, attempts, requests, successes, prompt_tokens,
                completion_tokens, cached_tokens, thinking_tokens, total_tokens
         FROM loose_sums
         WHERE dimension = ?1 AND start = ?2 AND ?3 <= subject_id AND subject_id <= ?4",
    )?;
    let mut delete = connection.prepare_cached(
        "DELETE FROM loose_sums
         WHERE dimension = ?1 AND start = ?2 AND ?3 <= subject_id AND subject_id <= ?4",
    )?;
    let subjects = subjects(chunk);
    let mut cells = Vec::new();
    for start in start..start + DAY_QUARTERS {
        let which = (dimension as i64, start, subjects.start(), subjects.end());
        let mut rows = read.query(which)?;
        let before = cells.len();
        while let Some(row) = rows.next()? {
            let (start, slot) = (row.get(0)?, slot(row.get(1)?));
            let sums = Sums::read(row, 3)?.into();
            cells.push(Cell { start, slot, model_id: row.get(2)?, sums });
        }
        drop(rows);
        if before < cells.len() {
            delete.execute(which)?;
        }
        if STEP_CELLS <= cells.len() {
            break;
        }
    }
    Ok(cells)
}

/// Adds cells, in the order of time, to the sheets of every length.
fn add(
    connection: &Connection,
    dimension: Dimension,
    chunk: i64,
    cells: &[Cell],
) -> Result<(), StoreError> {
    let horizon = Horizon::of(connection, dimension)?;
    let mut read = connection.prepare_cached("SELECT data FROM sheets WHERE id = ?1")?;
    let mut write = connection.prepare_cached("INSERT OR REPLACE INTO sheets VALUES (?1, ?2)")?;
    for length in LENGTHS {
        let block = |cell: &Cell| cell.start.div_euclid(length);
        for cells in cells.chunk_by(|one, next| block(one) == block(next)) {
            let Some(start) = cells.first().map(|cell| block(cell) * length) else {
                continue;
            };
            if !horizon.keeps(length, start) {
                continue;
            }
            let id = sheet_id(dimension, length, start, chunk);
            let stored: Option<Vec<u8>> = read.query_row([id], |row| row.get(0)).optional()?;
            let mut rows = match stored {
                Some(data) => Sheet::read(&data)?.rows()?,
                None => Rows::new(),
            };
            rows.extend(cells.iter().map(|cell| (key(dimension, cell), cell.sums)));
            sheet::add_up(&mut rows);
            write.execute((id, sheet::write(&rows)))?;
        }
    }
    Ok(())
}

fn key(dimension: Dimension, cell: &Cell) -> u64 {
    match dimension.is_paired() {
        true => paired(cell.slot, cell.model_id),
        false => cell.slot,
    }
}
