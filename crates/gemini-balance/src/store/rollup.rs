//! Sums of log rows, written in the transaction of the rows themselves.
//!
//! Always true: a row is counted once in the sums of each dimension, as a loose cell or in sheets; latencies and errors
//! are counted by quarter-hour and by day, and either adds up to the same.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;

use crate::log_row::{LogRow, Tokens};
use crate::store::calendar::{DAY_MS, QUARTER_MS, TimeRange};
use crate::store::error::StoreError;
use crate::store::histogram::Histogram;
use crate::store::meta::unsigned;
use crate::store::sheet::Row;
use crate::store::sheets::{Dimension, SUBJECTS_END};
use crate::store::user_keys::{self, Use};
use crate::store::words::Outcome;

/// Quarter-hours in a day.
const DAY_QUARTERS: i64 = DAY_MS / QUARTER_MS;

/// How long a cell of latencies or errors is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Span {
    Quarter = 0,
    Day = 1,
}

impl Span {
    pub(super) const BOTH: [Self; 2] = [Self::Quarter, Self::Day];

    pub(super) fn length_ms(self) -> i64 {
        match self {
            Self::Quarter => QUARTER_MS,
            Self::Day => DAY_MS,
        }
    }
}

/// Sums over attempts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Sums {
    /// Tries with one key each.
    pub attempts: u64,
    /// Requests: attempts that were the last of theirs.
    pub requests: u64,
    /// Attempts, and thereby requests, that succeeded.
    pub successes: u64,
    /// Tokens of the questions.
    pub prompt_tokens: u64,
    /// Tokens of the answers.
    pub completion_tokens: u64,
    /// Those tokens of the questions that the upstream knew already.
    pub cached_tokens: u64,
    /// Tokens of thinking.
    pub thinking_tokens: u64,
    /// All tokens.
    pub total_tokens: u64,
}

impl Sums {
    /// Reads the eight sums of a cell, in the order of their columns, from column `first` on.
    pub(super) fn read(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            attempts: unsigned(row, first)?,
            requests: unsigned(row, first + 1)?,
            successes: unsigned(row, first + 2)?,
            prompt_tokens: unsigned(row, first + 3)?,
            completion_tokens: unsigned(row, first + 4)?,
            cached_tokens: unsigned(row, first + 5)?,
            thinking_tokens: unsigned(row, first + 6)?,
            total_tokens: unsigned(row, first + 7)?,
        })
    }

    /// Adds other sums to these.
    pub(super) fn add(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.requests += other.requests;
        self.successes += other.successes;
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
        self.cached_tokens += other.cached_tokens;
        self.thinking_tokens += other.thinking_tokens;
        self.total_tokens += other.total_tokens;
    }

    fn of(row: &LogRow) -> Self {
        let Tokens { prompt, completion, cached, thinking, total } = row.tokens;
        let count = |tokens: Option<u32>| u64::from(tokens.unwrap_or(0));
        Self {
            attempts: 1,
            requests: u64::from(row.is_final),
            successes: u64::from(row.is_success()),
            prompt_tokens: count(prompt),
            completion_tokens: count(completion),
            cached_tokens: count(cached),
            thinking_tokens: count(thinking),
            total_tokens: count(total),
        }
    }
}

impl From<Row> for Sums {
    fn from(row: Row) -> Self {
        let [
            attempts,
            requests,
            successes,
            prompt_tokens,
            completion_tokens,
            cached_tokens,
            thinking_tokens,
            total_tokens,
        ] = row;
        Self {
            attempts,
            requests,
            successes,
            prompt_tokens,
            completion_tokens,
            cached_tokens,
            thinking_tokens,
            total_tokens,
        }
    }
}

impl From<Sums> for Row {
    fn from(sums: Sums) -> Self {
        [
            sums.attempts,
            sums.requests,
            sums.successes,
            sums.prompt_tokens,
            sums.completion_tokens,
            sums.cached_tokens,
            sums.thinking_tokens,
            sums.total_tokens,
        ]
    }
}

/// The two histograms of a cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Latencies {
    pub(super) duration: Histogram,
    pub(super) first_byte: Histogram,
}

/// What a batch of rows adds to the sums, gathered before it is written.
///
/// All of it is written in the order in which it is stored, so that each page is looked for and changed once.
#[derive(Debug, Default)]
pub(super) struct Rollup {
    sums: HashMap<Cell, Sums>,
    latencies: BTreeMap<(Span, i64, i64), Latencies>,
    errors: BTreeMap<(Span, i64, i64), (u64, u64)>,
    user_keys: BTreeMap<i64, Use>,
    service_keys: BTreeMap<i64, i64>,
}

/// Whose sums, of which quarter-hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Cell {
    dimension: Dimension,
    start: i64,
    subject_id: i64,
    model_id: i64,
}

impl Rollup {
    /// Adds one row, with the time and the outcome it was stored with.
    pub(super) fn add(&mut self, row: &LogRow, time_ms: i64, outcome: &Outcome) {
        let Outcome { model: model_id, error_kind, .. } = *outcome;
        let sums = Sums::of(row);
        let start = time_ms.div_euclid(QUARTER_MS);
        for (dimension, subject_id, model_id) in [
            (Dimension::Model, Some(model_id), 0),
            (Dimension::UserKey, row.user_key_id, model_id),
            (Dimension::ServiceKey, row.service_key_id, model_id),
        ] {
            let subject_id = subject_id.filter(|id| (1..SUBJECTS_END).contains(id)).unwrap_or(0);
            let cell = Cell { dimension, start, subject_id, model_id };
            self.sums.entry(cell).or_default().add(&sums);
        }
        for span in Span::BOTH {
            let start = time_ms.div_euclid(span.length_ms());
            if row.is_final && row.is_success() && row.is_timed() {
                let latencies = self.latencies.entry((span, start, model_id)).or_default();
                latencies.duration.add(row.duration_ms);
                row.first_byte_ms.into_iter().for_each(|length| latencies.first_byte.add(length));
            }
            if let Some(error) = error_kind {
                let (attempts, requests) = self.errors.entry((span, start, error)).or_default();
                *attempts += 1;
                *requests += u64::from(row.is_final);
            }
        }
        if let Some(id) = row.user_key_id {
            let used = self.user_keys.entry(id).or_default();
            used.calls += sums.requests;
            used.tokens += sums.total_tokens;
            used.last_at_ms = used.last_at_ms.max(time_ms);
        }
        if let Some(id) = row.service_key_id {
            let last_at_ms = self.service_keys.entry(id).or_default();
            *last_at_ms = time_ms.max(*last_at_ms);
        }
    }

    /// Adds all that was gathered to what is stored.
    pub(super) fn write(self, connection: &Connection) -> Result<(), StoreError> {
        write_sums(connection, self.sums)?;
        for (cell, latencies) in self.latencies {
            write_latencies(connection, cell, latencies)?;
        }
        write_errors(connection, self.errors)?;
        for (id, used) in self.user_keys {
            user_keys::count_use(connection, id, &used)?;
        }
        let mut statement = connection.prepare_cached(
            "INSERT INTO service_key_uses VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET last_at_ms = max(last_at_ms, excluded.last_at_ms)",
        )?;
        for used in self.service_keys {
            statement.execute(used)?;
        }
        Ok(())
    }
}

/// The parts a range of latencies or errors is read in: days of UTC in the middle, quarter-hours at the ends.
///
/// The ends of the range are widened to whole quarter-hours.
pub(super) fn cover(range: TimeRange) -> Vec<(Span, Range<i64>)> {
    let quarters = range.quarters();
    let first_day = quarters.start.div_euclid(DAY_QUARTERS)
        + i64::from(quarters.start.rem_euclid(DAY_QUARTERS) != 0);
    let days = first_day..quarters.end.div_euclid(DAY_QUARTERS);
    let parts = if days.is_empty() {
        vec![(Span::Quarter, quarters)]
    } else {
        vec![
            (Span::Quarter, quarters.start..days.start * DAY_QUARTERS),
            (Span::Quarter, days.end * DAY_QUARTERS..quarters.end),
            (Span::Day, days),
        ]
    };
    parts.into_iter().filter(|(_, cells)| !cells.is_empty()).collect()
}

fn write_sums(connection: &Connection, sums: HashMap<Cell, Sums>) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO loose_sums VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT DO UPDATE SET
             attempts = attempts + excluded.attempts,
             requests = requests + excluded.requests,
             successes = successes + excluded.successes,
             prompt_tokens = prompt_tokens + excluded.prompt_tokens,
             completion_tokens = completion_tokens + excluded.completion_tokens,
             cached_tokens = cached_tokens + excluded.cached_tokens,
             thinking_tokens = thinking_tokens + excluded.thinking_tokens,
             total_tokens = total_tokens + excluded.total_tokens",
    )?;
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_unstable_by_key(|(cell, _)| *cell);
    for (cell, sums) in sums {
        statement.execute((
            cell.dimension as i64,
            cell.start,
            cell.subject_id,
            cell.model_id,
            sums.attempts.cast_signed(),
            sums.requests.cast_signed(),
            sums.successes.cast_signed(),
            sums.prompt_tokens.cast_signed(),
            sums.completion_tokens.cast_signed(),
            sums.cached_tokens.cast_signed(),
            sums.thinking_tokens.cast_signed(),
            sums.total_tokens.cast_signed(),
        ))?;
    }
    Ok(())
}

fn write_latencies(
    connection: &Connection,
    (span, start, model_id): (Span, i64, i64),
    mut latencies: Latencies,
) -> Result<(), StoreError> {
    let stored = connection
        .prepare_cached(
            "SELECT duration, first_byte FROM rollup_latencies
             WHERE span = ?1 AND start = ?2 AND model_id = ?3",
        )?
        .query_row((span as i64, start, model_id), |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
        })
        .optional()?;
    if let Some((duration, first_byte)) = stored {
        latencies.duration.merge(&duration)?;
        latencies.first_byte.merge(&first_byte)?;
    }
    connection
        .prepare_cached("INSERT OR REPLACE INTO rollup_latencies VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute((
            span as i64,
            start,
            model_id,
            latencies.duration.encode(),
            latencies.first_byte.encode(),
        ))?;
    Ok(())
}

fn write_errors(
    connection: &Connection,
    errors: BTreeMap<(Span, i64, i64), (u64, u64)>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO rollup_errors VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET
             attempts = attempts + excluded.attempts, requests = requests + excluded.requests",
    )?;
    for ((span, start, error), (attempts, requests)) in errors {
        statement.execute((
            span as i64,
            start,
            error,
            attempts.cast_signed(),
            requests.cast_signed(),
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cover_holds_each_quarter_hour_of_its_range_once(start in 0_i64..2_000, length in 0_i64..2_000) {
            let range = TimeRange {
                start_ms: start * QUARTER_MS + 5,
                end_ms: (start + length) * QUARTER_MS + 6,
            };

            let mut covered: Vec<i64> = cover(range)
                .into_iter()
                .flat_map(|(span, cells)| {
                    let quarters = span.length_ms() / QUARTER_MS;
                    cells.start * quarters..cells.end * quarters
                })
                .collect();

            covered.sort_unstable();
            prop_assert_eq!(covered, (start..start + length + 1).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_cover_of_a_year_reads_few_cells() {
        let year = TimeRange { start_ms: QUARTER_MS, end_ms: 366 * DAY_MS };

        let cells: i64 = cover(year).into_iter().map(|(_, cells)| cells.end - cells.start).sum();

        assert_eq!(cells, 365 + 95);
    }
}
