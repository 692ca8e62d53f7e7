//! Finds rows of the request log by walking its indexes, newest first, and leaping over what cannot match.
//!
//! Each condition is a descending sequence of ids that can be asked for "the next one at or below". All conditions hold
//! where their sequences meet. Always true: a search ends after a bounded number of looks into an index, and then knows
//! where to go on; no row is read that does not match.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::rc::Rc;

use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, Params, Statement};

use crate::store::error::StoreError;

/// Ids read from an index at a time.
const LOOK_IDS: usize = 32;
/// Looks into indexes that one search may take, besides one for each of its sources: some tens of ms.
const LOOKS_MAX: usize = 4_000;

/// Where a search stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing is left to find.
    Exhausted,
    /// Going on below this id may find more.
    Before(i64),
}

/// A part of the rows that has a piece of each partitioned index to itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    number: i64,
    first_id: i64,
    last_id: i64,
}

impl Part {
    /// All parts that may hold ids from `start` on, that with the newest rows first.
    pub(super) fn all(connection: &Connection, start: i64) -> Result<Rc<[Self]>, StoreError> {
        let mut statement = connection.prepare_cached(
            "SELECT part, first_id, last_id FROM log_parts WHERE ?1 <= last_id
             ORDER BY last_id DESC",
        )?;
        let parts = statement.query_map([start], |row| {
            Ok(Self { number: row.get(0)?, first_id: row.get(1)?, last_id: row.get(2)? })
        })?;
        Ok(parts.collect::<Result<_, _>>()?)
    }
}

/// One condition: the ids of the rows that satisfy it from any of its sources.
pub(super) struct Condition<'c> {
    statement: CachedStatement<'c>,
    sources: Vec<Source>,
    /// Which source may have which id next; those that have none are not there.
    order: BinaryHeap<(i64, usize)>,
}

impl<'c> Condition<'c> {
    /// The rows that `sql` answers for any of `values`. The statement takes the value, the highest id and a limit.
    pub(super) fn new(
        connection: &'c Connection,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Self, StoreError> {
        Self::of(connection, sql, values.into_iter().map(|value| Source::new(value, None)))
    }

    /// As [`Self::new`], where an index begins with the number of a part; the statement takes it last.
    pub(super) fn in_parts(
        connection: &'c Connection,
        sql: &str,
        value: Value,
        parts: &Rc<[Part]>,
    ) -> Result<Self, StoreError> {
        Self::of(connection, sql, [Source::new(value, Some(Rc::clone(parts)))])
    }

    fn of(
        connection: &'c Connection,
        sql: &str,
        sources: impl IntoIterator<Item = Source>,
    ) -> Result<Self, StoreError> {
        let statement = connection.prepare_cached(sql)?;
        let sources: Vec<_> = sources.into_iter().collect();
        let order = (0..sources.len()).map(|source| (i64::MAX, source)).collect();
        Ok(Self { statement, sources, order })
    }

    fn next(&mut self, at_most: i64, looks: &mut usize) -> Result<Option<i64>, StoreError> {
        while let Some(mut first) = self.order.peek_mut() {
            let (id, number) = *first;
            if id <= at_most {
                return Ok(Some(id));
            }
            let next = match self.sources.get_mut(number) {
                Some(source) => source.next(&mut self.statement, at_most, looks)?,
                None => None,
            };
            match next {
                Some(id) => *first = (id, number),
                None => {
                    PeekMut::pop(first);
                }
            }
        }
        Ok(None)
    }
}

/// The ids at which all `conditions` hold, from just below `end` down to `start`, at most `limit` of them.
pub(super) fn search(
    conditions: &mut [Condition<'_>],
    (start, end): (i64, i64),
    limit: usize,
) -> Result<(Vec<i64>, End), StoreError> {
    let sources: usize = conditions.iter().map(|condition| condition.sources.len()).sum();
    let mut found = Vec::new();
    let mut looks = 0;
    let mut candidate = end - 1;
    while start <= candidate {
        if found.len() == limit || LOOKS_MAX + sources <= looks {
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
    looks: &mut usize,
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
    /// Where to look, if not in one index over all rows.
    parts: Option<Rc<[Part]>>,
    /// The ids read last, lowest first.
    ids: Vec<i64>,
}

impl Source {
    fn new(value: Value, parts: Option<Rc<[Part]>>) -> Self {
        Self { value, parts, ids: Vec::new() }
    }

    fn next(
        &mut self,
        statement: &mut Statement<'_>,
        at_most: i64,
        looks: &mut usize,
    ) -> Result<Option<i64>, StoreError> {
        while self.ids.pop_if(|id| at_most < *id).is_some() {}
        if self.ids.is_empty() {
            self.ids = match self.parts.clone() {
                None => {
                    *looks += 1;
                    read(statement, (&self.value, at_most, LOOK_IDS as i64))?
                }
                Some(parts) => self.look_in_parts(statement, &parts, at_most, looks)?,
            };
            self.ids.reverse();
        }
        Ok(self.ids.last().copied())
    }

    /// The highest ids of all parts at or below `at_most`, without a gap, highest first.
    fn look_in_parts(
        &self,
        statement: &mut Statement<'_>,
        parts: &[Part],
        at_most: i64,
        looks: &mut usize,
    ) -> Result<Vec<i64>, StoreError> {
        let mut ids: Vec<i64> = Vec::new();
        // Below this id a part may have more than was read of it.
        let mut known_from = i64::MIN;
        for part in parts {
            if at_most < part.first_id {
                continue;
            }
            // Parts are in the order of their last ids: no further one has a higher id than was found.
            if ids.iter().min().is_some_and(|lowest| part.last_id < *lowest) {
                break;
            }
            *looks += 1;
            let found = read(statement, (&self.value, at_most, LOOK_IDS as i64, part.number))?;
            if found.len() == LOOK_IDS {
                known_from = found.last().copied().map_or(known_from, |last| last.max(known_from));
            }
            ids.extend(found);
        }
        ids.retain(|id| known_from <= *id);
        ids.sort_unstable_by_key(|id| Reverse(*id));
        Ok(ids)
    }
}

fn read(statement: &mut Statement<'_>, which: impl Params) -> Result<Vec<i64>, StoreError> {
    Ok(statement.query_map(which, |row| row.get(0))?.collect::<Result<_, _>>()?)
}
