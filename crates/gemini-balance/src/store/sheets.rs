//! Where the sums of the past are kept: in sheets, one for some subjects over one stretch of time, in eight lengths from
//! a quarter-hour to 64 days.
//!
//! Each length is a multiple of the one before and counts from the epoch, so any range is few sheets: some short ones at
//! its ends, long ones between. Always true: what is in a sheet is in those of all lengths that its dimension keeps for
//! that time, and what is a loose cell is in none.

use std::collections::{BTreeMap, HashMap};
use std::ops::{Range, RangeInclusive};

use rusqlite::Connection;

use crate::store::calendar::TimeRange;
use crate::store::error::StoreError;
use crate::store::rollup::Sums;
use crate::store::sheet::{self, COLUMNS, Row, Sheet};

/// How many quarter-hours the sheets of each length span.
pub(super) const LENGTHS: [i64; 8] = [1, 2, 4, 16, DAY_QUARTERS, 384, 1_536, 6_144];
/// Quarter-hours in a day, the shortest length that all dimensions keep for as long as there are sums.
pub(super) const DAY_QUARTERS: i64 = 96;
/// Subjects that share a sheet: those whose ids are alike but for their last ten bits.
pub(super) const CHUNK_SUBJECTS: i64 = 1_024;
/// The first id that no subject can have.
pub(super) const SUBJECTS_END: i64 = CHUNK_SUBJECTS << CHUNK_BITS;

const START_BITS: u32 = 23;
const CHUNK_BITS: u32 = 20;

/// By what sums are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Dimension {
    /// By model.
    Model = 0,
    /// By user key; 0 stands for none. As loose cells by model, too.
    UserKey = 1,
    /// By service key; 0 stands for none. As loose cells by model, too.
    ServiceKey = 2,
    /// By service key and model.
    ServiceKeyModel = 3,
    /// By user key and model.
    UserKeyModel = 4,
}

impl Dimension {
    pub(super) const ALL: [Self; 5] =
        [Self::Model, Self::UserKey, Self::ServiceKey, Self::ServiceKeyModel, Self::UserKeyModel];

    /// Those that have loose cells.
    pub(super) const LOOSE: [Self; 3] = [Self::Model, Self::UserKey, Self::ServiceKey];

    /// The dimensions of the sheets that take in the loose cells of this one.
    pub(super) fn sheets(self) -> &'static [Self] {
        match self {
            Self::Model => &[Self::Model],
            Self::UserKey => &[Self::UserKey, Self::UserKeyModel],
            Self::ServiceKey => &[Self::ServiceKey, Self::ServiceKeyModel],
            Self::ServiceKeyModel | Self::UserKeyModel => &[],
        }
    }

    /// The dimension whose loose cells its sheets take in.
    fn loose(self) -> Self {
        match self {
            Self::Model => Self::Model,
            Self::UserKey | Self::UserKeyModel => Self::UserKey,
            Self::ServiceKey | Self::ServiceKeyModel => Self::ServiceKey,
        }
    }

    /// Whether the keys of its sheets are pairs of a subject and a model.
    pub(super) fn is_paired(self) -> bool {
        matches!(self, Self::ServiceKeyModel | Self::UserKeyModel)
    }
}

/// From when on a dimension has sums, in quarter-hours since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Horizon {
    /// Sheets that begin earlier are not looked at, and go.
    pub(super) kept_from: i64,
    /// So for those that are shorter than a day.
    pub(super) fine_from: i64,
}

impl Horizon {
    pub(super) fn of(connection: &Connection, dimension: Dimension) -> Result<Self, StoreError> {
        let sql = "SELECT kept_from, fine_from FROM sum_horizons WHERE dimension = ?1";
        let mut statement = connection.prepare_cached(sql)?;
        let read =
            |row: &rusqlite::Row<'_>| Ok(Self { kept_from: row.get(0)?, fine_from: row.get(1)? });
        Ok(statement.query_row([dimension as i64], read)?)
    }

    /// Whether there is such a sheet.
    pub(super) fn keeps(self, length: i64, start: i64) -> bool {
        self.from(length) <= start
    }

    /// From when on there are sheets of a length.
    fn from(self, length: i64) -> i64 {
        match length < DAY_QUARTERS {
            true => self.fine_from.max(self.kept_from),
            false => self.kept_from,
        }
    }

    /// The quarter-hours that can be answered for: a part of a day that is kept only whole stands for all of it.
    fn widen(self, quarters: Range<i64>) -> Range<i64> {
        let down = |quarter: i64| match quarter < self.fine_from {
            true => quarter.div_euclid(DAY_QUARTERS) * DAY_QUARTERS,
            false => quarter,
        };
        let up = |quarter: i64| match quarter < self.fine_from {
            true => down(quarter + DAY_QUARTERS - 1),
            false => quarter,
        };
        let start = down(quarters.start).max(self.kept_from);
        start..up(quarters.end).max(start)
    }
}

/// The id of the sheet of some length that begins at `start`, in quarter-hours, for one chunk of subjects.
pub(super) fn sheet_id(dimension: Dimension, length: i64, start: i64, chunk: i64) -> i64 {
    let rank = LENGTHS.iter().position(|known| *known == length).unwrap_or(0);
    let rank = i64::try_from(rank).unwrap_or(0);
    let series = dimension as i64 * i64::try_from(LENGTHS.len()).unwrap_or(i64::MAX) + rank;
    (((series << START_BITS) + start.div_euclid(length)) << CHUNK_BITS) + chunk
}

/// The start, in lengths, and the chunk of a sheet.
fn place(id: i64) -> (i64, i64) {
    let start = (id >> CHUNK_BITS) & ((1 << START_BITS) - 1);
    (start, id & ((1 << CHUNK_BITS) - 1))
}

/// The chunk that a subject belongs to.
pub(super) fn chunk(subject_id: i64) -> i64 {
    subject_id.div_euclid(CHUNK_SUBJECTS)
}

/// The place of a subject in its chunk: its key in a sheet.
pub(super) fn slot(subject_id: i64) -> u64 {
    subject_id.rem_euclid(CHUNK_SUBJECTS).cast_unsigned()
}

/// The subjects of a chunk.
pub(super) fn subjects(chunk: i64) -> RangeInclusive<i64> {
    chunk * CHUNK_SUBJECTS..=(chunk + 1) * CHUNK_SUBJECTS - 1
}

/// Moves the horizon of a dimension on to a quarter-hour, and that of its short sheets; never back.
pub(super) fn raise_horizon(
    connection: &Connection,
    dimension: Dimension,
    (kept_from, fine_from): (i64, i64),
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "UPDATE sum_horizons
         SET kept_from = max(kept_from, ?2), fine_from = max(fine_from, ?3)
         WHERE dimension = ?1 AND (kept_from < ?2 OR fine_from < ?3)",
    )?;
    statement.execute((dimension as i64, kept_from, fine_from))?;
    Ok(())
}

/// Deletes sheets that are not looked at any more, at most so many of each length; answers how many.
pub(super) fn delete_beyond_horizon(
    connection: &Connection,
    dimension: Dimension,
    count_max: i64,
) -> Result<usize, StoreError> {
    let horizon = Horizon::of(connection, dimension)?;
    let mut statement = connection.prepare_cached(
        "DELETE FROM sheets WHERE id IN
             (SELECT id FROM sheets WHERE ?1 <= id AND id < ?2 LIMIT ?3)",
    )?;
    let mut deleted = 0;
    for length in LENGTHS {
        let id = |start| sheet_id(dimension, length, start, 0);
        let end = id(horizon.from(length) + length - 1);
        deleted += statement.execute((id(0), end, count_max))?;
    }
    Ok(deleted)
}

/// What each subject has in a range; its ends are widened to whole quarter-hours.
pub(super) fn by_subject(
    connection: &Connection,
    dimension: Dimension,
    range: TimeRange,
) -> Result<Vec<(i64, Sums)>, StoreError> {
    let horizon = Horizon::of(connection, dimension)?;
    let quarters = horizon.widen(range.quarters());
    let mut chunks: HashMap<i64, Vec<Row>> = HashMap::new();
    for run in runs(horizon, [quarters.clone()]) {
        run.read(connection, dimension, |_, chunk, sheet| {
            let rows = chunks.entry(chunk).or_insert_with(blank);
            for column in 0..COLUMNS {
                sheet.column(column, |position, number| {
                    let key = sheet.keys().get(position).and_then(|key| usize::try_from(*key).ok());
                    if let Some(row) = key.and_then(|key| rows.get_mut(key))
                        && let Some(sum) = row.get_mut(column)
                    {
                        *sum = sum.saturating_add(number);
                    }
                })?;
            }
            Ok(())
        })?;
    }
    loose(connection, dimension, quarters, |_, subject_id, _, row| {
        let rows = chunks.entry(chunk(subject_id)).or_insert_with(blank);
        if let Some(sums) =
            usize::try_from(slot(subject_id)).ok().and_then(|slot| rows.get_mut(slot))
        {
            sheet::add(sums, row);
        }
    })?;
    let subjects = chunks
        .into_iter()
        .flat_map(|(chunk, rows)| (chunk * CHUNK_SUBJECTS..).zip(rows.into_iter().map(Sums::from)));
    Ok(subjects.filter(|(_, sums)| 0 < sums.attempts).collect())
}

/// Hands over what models have in each period, piece by piece: the number of the period, the model and sums.
///
/// A period lies between one of `bounds`, in quarter-hours and in ascending order, and the next.
pub(super) fn by_period(
    connection: &Connection,
    bounds: &[i64],
    take: impl FnMut(usize, i64, Sums),
) -> Result<(), StoreError> {
    by_period_as(connection, Dimension::Model, bounds, take)
}

/// As [`by_period`], but no finer than the sums of another dimension, so that those can be taken off.
pub(super) fn by_period_as(
    connection: &Connection,
    other: Dimension,
    bounds: &[i64],
    mut take: impl FnMut(usize, i64, Sums),
) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (bounds.first(), bounds.last()) else {
        return Ok(());
    };
    let dimension = Dimension::Model;
    let horizon = Horizon::of(connection, other)?;
    for run in runs(horizon, stretches(horizon, bounds)) {
        run.read(connection, dimension, |start, chunk, sheet| {
            let period = period(bounds, start);
            for (slot, row) in sheet.rows()? {
                take(period, chunk * CHUNK_SUBJECTS + slot.cast_signed(), row.into());
            }
            Ok(())
        })?;
    }
    loose(connection, dimension, horizon.widen(*first..*last), |start, model_id, _, row| {
        take(period(bounds, start), model_id, Sums::from(*row));
    })
}

/// Hands over what some subjects have in each period, piece by piece: the number of the period, the subject, the model,
/// which is 0 in a dimension without, and sums. The periods are as in [`by_period`].
///
/// A day that is kept only whole is in the period that it begins in, or in the first.
pub(super) fn of_subjects(
    connection: &Connection,
    (dimension, subjects): (Dimension, &[i64]),
    bounds: &[i64],
    mut take: impl FnMut(usize, i64, i64, Sums),
) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (bounds.first(), bounds.last()) else {
        return Ok(());
    };
    let horizon = Horizon::of(connection, dimension)?;
    let runs = runs(horizon, stretches(horizon, bounds));
    let mut chunks: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
    for subject in subjects.iter().filter(|id| (0..SUBJECTS_END).contains(*id)) {
        chunks.entry(chunk(*subject)).or_default().push(slot(*subject));
    }
    let parts = |key| match dimension.is_paired() {
        true => unpaired(key),
        false => (key.cast_signed(), 0),
    };
    for (chunk, slots) in &chunks {
        let is_wanted = |key| slots.contains(&parts(key).0.cast_unsigned());
        for run in &runs {
            run.read_chunk(connection, (dimension, *chunk), |start, sheet| {
                for (key, row) in sheet.rows_of(is_wanted)? {
                    let (slot, model_id) = parts(key);
                    let subject = chunk * CHUNK_SUBJECTS + slot;
                    take(period(bounds, start), subject, model_id, row.into());
                }
                Ok(())
            })?;
        }
    }
    let quarters = horizon.widen(*first..*last);
    loose(connection, dimension.loose(), quarters, |start, subject, model_id, row| {
        if subjects.contains(&subject) {
            let model_id = if dimension.is_paired() { model_id } else { 0 };
            take(period(bounds, start), subject, model_id, Sums::from(*row));
        }
    })
}

/// The period that a quarter-hour is in; of one before all periods, the first.
fn period(bounds: &[i64], quarter: i64) -> usize {
    bounds.partition_point(|bound| *bound <= quarter).saturating_sub(1)
}

/// The periods between bounds as they can be answered for, none twice.
fn stretches(horizon: Horizon, bounds: &[i64]) -> impl Iterator<Item = Range<i64>> {
    let mut covered = i64::MIN;
    bounds.array_windows().map(move |[start, end]| {
        let Range { start, end } = horizon.widen(*start..*end);
        let start = start.max(covered);
        covered = covered.max(end);
        start..end
    })
}

/// What each service key has of each model in a range.
pub(super) fn by_service_key_and_model(
    connection: &Connection,
    range: TimeRange,
) -> Result<HashMap<(i64, i64), Sums>, StoreError> {
    let dimension = Dimension::ServiceKeyModel;
    let horizon = Horizon::of(connection, dimension)?;
    let quarters = horizon.widen(range.quarters());
    let mut pairs: HashMap<(i64, i64), Sums> = HashMap::new();
    for run in runs(horizon, [quarters.clone()]) {
        run.read(connection, dimension, |_, chunk, sheet| {
            for (key, row) in sheet.rows()? {
                let (slot, model_id) = unpaired(key);
                let pair = (chunk * CHUNK_SUBJECTS + slot, model_id);
                pairs.entry(pair).or_default().add(&row.into());
            }
            Ok(())
        })?;
    }
    loose(connection, Dimension::ServiceKey, quarters, |_, service_key_id, model_id, row| {
        pairs.entry((service_key_id, model_id)).or_default().add(&Sums::from(*row));
    })?;
    Ok(pairs)
}

/// The key of a service key, by its place in its chunk, and a model.
pub(super) fn paired(slot: u64, model_id: i64) -> u64 {
    slot << 32 | model_id.cast_unsigned() & u64::from(u32::MAX)
}

fn unpaired(key: u64) -> (i64, i64) {
    ((key >> 32).cast_signed(), (key & u64::from(u32::MAX)).cast_signed())
}

fn blank() -> Vec<Row> {
    vec![[0; COLUMNS]; usize::try_from(CHUNK_SUBJECTS).unwrap_or_default()]
}

/// Sheets of one length that follow one another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    length: i64,
    /// In quarter-hours.
    quarters: Range<i64>,
}

impl Run {
    /// Reads all sheets that there are: the quarter-hour each begins with, its chunk and itself.
    fn read(
        &self,
        connection: &Connection,
        dimension: Dimension,
        mut take: impl FnMut(i64, i64, &Sheet<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Self { length, quarters } = self;
        let id = |start| sheet_id(dimension, *length, start, 0);
        let sql = "SELECT id, data FROM sheets WHERE ?1 <= id AND id < ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query((id(quarters.start), id(quarters.end)))?;
        while let Some(row) = rows.next()? {
            let (start, chunk) = place(row.get(0)?);
            let data = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            take(start * length, chunk, &Sheet::read(data)?)?;
        }
        Ok(())
    }

    /// Reads the sheets of one chunk: the quarter-hour each begins with and itself. Those of others are leapt over, and so
    /// is time without sheets.
    fn read_chunk(
        &self,
        connection: &Connection,
        (dimension, wanted): (Dimension, i64),
        mut take: impl FnMut(i64, &Sheet<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Self { length, quarters } = self;
        let id = |start| sheet_id(dimension, *length, start, wanted);
        let sql = "SELECT id, data FROM sheets WHERE ?1 <= id AND id < ?2 ORDER BY id LIMIT 1";
        let mut statement = connection.prepare_cached(sql)?;
        let mut start = quarters.start;
        while start < quarters.end {
            let mut rows = statement.query((id(start), id(quarters.end)))?;
            let Some(row) = rows.next()? else {
                break;
            };
            let (found, chunk) = place(row.get(0)?);
            start = found * length;
            if chunk == wanted {
                let data = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
                take(start, &Sheet::read(data)?)?;
            }
            if wanted <= chunk {
                start += length;
            }
        }
        Ok(())
    }
}

/// The fewest sheets that together are the given stretches of quarter-hours, in ascending order.
fn runs(horizon: Horizon, stretches: impl IntoIterator<Item = Range<i64>>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for stretch in stretches {
        let mut start = stretch.start;
        while start < stretch.end {
            let fits = |length: &&i64| {
                start % **length == 0
                    && start + **length <= stretch.end
                    && horizon.keeps(**length, start)
            };
            let Some(length) = LENGTHS.iter().rev().find(fits).copied() else {
                // Older than what is kept so finely.
                start += 1;
                continue;
            };
            match runs.last_mut() {
                Some(run) if run.length == length && run.quarters.end == start => {
                    run.quarters.end += length;
                }
                _ => runs.push(Run { length, quarters: start..start + length }),
            }
            start += length;
        }
    }
    runs
}

/// Hands over the loose cells of some quarter-hours: when, subject, model and sums.
fn loose(
    connection: &Connection,
    dimension: Dimension,
    quarters: Range<i64>,
    mut take: impl FnMut(i64, i64, i64, &Row),
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT start, subject_id, model_id, attempts, requests, successes, prompt_tokens,
                completion_tokens, cached_tokens, thinking_tokens, total_tokens
         FROM loose_sums WHERE dimension = ?1 AND ?2 <= start AND start < ?3",
    )?;
    let parameters = (dimension as i64, quarters.start, quarters.end);
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        take(row.get(0)?, row.get(1)?, row.get(2)?, &Sums::read(row, 3)?.into());
    }
    Ok(())
}
