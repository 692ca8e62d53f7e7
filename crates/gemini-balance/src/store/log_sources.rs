//! Finds rows of the request log by walking its indexes, newest first, and leaping over what cannot match.
//!
//! Each condition is a descending sequence of ids that can be asked for "the next one at or below". All conditions hold
//! where their sequences meet. Always true: a search ends after a bounded number of looks into an index, and then knows
//! where to go on; no row is read that does not match.

use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, Statement};

use crate::store::error::StoreError;

/// Ids read from an index at a time.
const LOOK_IDS: i64 = 32;
/// Looks into indexes that one search may take: some tens of ms.
const LOOKS_MAX: u32 = 4_000;

/// Where a search stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing is left to find.
    Exhausted,
    /// Going on below this id may find more.
    Before(i64),
}

/// One condition: the ids of the rows that satisfy any of its parts.
pub(super) struct Condition<'c> {
    statement: CachedStatement<'c>,
    sources: Vec<Source>,
}

impl<'c> Condition<'c> {
    /// The rows that `sql` answers for any of `values`. The statement takes the value, the highest id and a limit.
    pub(super) fn new(
        connection: &'c Connection,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Self, StoreError> {
        let statement = connection.prepare_cached(sql)?;
        Ok(Self { statement, sources: values.into_iter().map(Source::new).collect() })
    }

    fn next(&mut self, at_most: i64, looks: &mut u32) -> Result<Option<i64>, StoreError> {
        let mut next = None;
        for source in &mut self.sources {
            next = next.max(source.next(&mut self.statement, at_most, looks)?);
        }
        Ok(next)
    }
}

/// The ids at which all `conditions` hold, from just below `end` down to `start`, at most `limit` of them.
pub(super) fn search(
    conditions: &mut [Condition<'_>],
    (start, end): (i64, i64),
    limit: usize,
) -> Result<(Vec<i64>, End), StoreError> {
    let mut found = Vec::new();
    let mut looks = 0;
    let mut candidate = end - 1;
    while start <= candidate {
        if found.len() == limit || LOOKS_MAX <= looks {
            return Ok((found, End::Before(candidate + 1)));
        }
        match meet(conditions, candidate, &mut looks)? {
            Meeting::At(id) if start <= id => {
                found.push(id);
                candidate = id - 1;
            }
            Meeting::NotAbove(id) => candidate = id,
            Meeting::At(_) | Meeting::Nowhere => break,
        }
    }
    Ok((found, End::Exhausted))
}

enum Meeting {
    At(i64),
    /// Not yet, but nowhere above this id.
    NotAbove(i64),
    Nowhere,
}

/// Asks each condition once, each at or below the answer of the one before.
fn meet(
    conditions: &mut [Condition<'_>],
    candidate: i64,
    looks: &mut u32,
) -> Result<Meeting, StoreError> {
    let mut id = candidate;
    let mut first = None;
    for condition in conditions {
        let Some(next) = condition.next(id, looks)? else {
            return Ok(Meeting::Nowhere);
        };
        first.get_or_insert(next);
        id = next;
    }
    Ok(if first == Some(id) { Meeting::At(id) } else { Meeting::NotAbove(id) })
}

/// One descending sequence of ids, read ahead a little.
struct Source {
    value: Value,
    /// The ids read last, lowest first.
    ids: Vec<i64>,
    /// Nothing is below what was read last.
    is_exhausted: bool,
}

impl Source {
    fn new(value: Value) -> Self {
        Self { value, ids: Vec::new(), is_exhausted: false }
    }

    fn next(
        &mut self,
        statement: &mut Statement<'_>,
        at_most: i64,
        looks: &mut u32,
    ) -> Result<Option<i64>, StoreError> {
        while self.ids.pop_if(|id| at_most < *id).is_some() {}
        if self.ids.is_empty() && !self.is_exhausted {
            *looks += 1;
            let rows = statement.query_map((&self.value, at_most, LOOK_IDS), |row| row.get(0))?;
            self.ids = rows.collect::<Result<_, _>>()?;
            self.is_exhausted = self.ids.is_empty();
            self.ids.reverse();
        }
        Ok(self.ids.last().copied())
    }
}
