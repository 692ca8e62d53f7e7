//! Strings that repeat in every log row, and the combinations of them in which attempts are made and end, as small
//! numbers.
//!
//! Always true: the number of words of each kind and of outcomes is bounded, whatever callers send; beyond the bound a
//! word is counted as [`OTHER`]. Outcomes that no row has any more make room for others.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::store::error::StoreError;

/// Stands for every word beyond the bound of its kind.
pub(super) const OTHER: &str = "(other)";

const WORD_BYTES_MAX: usize = 128;
const OUTCOMES_MAX: usize = 4_096;

/// What a word is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Model = 1,
    Error = 2,
    Operation = 3,
    Dialect = 4,
    Client = 5,
}

/// What an attempt was and how it ended, in numbers of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Outcome {
    pub(super) model: i64,
    pub(super) dialect: i64,
    pub(super) operation: i64,
    pub(super) is_stream: bool,
    pub(super) status: Option<u16>,
    pub(super) error_kind: Option<i64>,
}

/// All words and outcomes of the database, read at the first use.
#[derive(Debug, Default)]
pub(super) struct Words {
    known: Option<Known>,
}

#[derive(Debug, Default)]
struct Known {
    words: HashMap<i64, HashMap<String, i64>>,
    outcomes: HashMap<Outcome, i64>,
}

impl Words {
    /// The number of `text`, which is entered if it is not known.
    pub(super) fn word(
        &mut self,
        connection: &Connection,
        kind: Kind,
        text: &str,
    ) -> Result<i64, StoreError> {
        let words = self.known(connection)?.words.entry(kind as i64).or_default();
        let text = cut(text);
        if let Some(id) = words.get(text) {
            return Ok(*id);
        }
        let text = if words.len() < kind.count_max() { text } else { OTHER };
        if let Some(id) = words.get(text) {
            return Ok(*id);
        }
        let id = insert_word(connection, kind, text)?;
        words.insert(text.to_owned(), id);
        Ok(id)
    }

    /// The number of `outcome`, which is entered if it is not known, and what it is counted as.
    pub(super) fn outcome(
        &mut self,
        connection: &Connection,
        outcome: Outcome,
    ) -> Result<(i64, Outcome), StoreError> {
        let count = self.known(connection)?.outcomes.len();
        let outcome = if count < OUTCOMES_MAX || self.has(&outcome) {
            outcome
        } else {
            // The caller chooses these; what is left is bounded by ourselves.
            let model = self.word(connection, Kind::Model, OTHER)?;
            let operation = self.word(connection, Kind::Operation, OTHER)?;
            Outcome { model, operation, ..outcome }
        };
        let outcomes = &mut self.known(connection)?.outcomes;
        if let Some(id) = outcomes.get(&outcome) {
            return Ok((*id, outcome));
        }
        let id = insert_outcome(connection, &outcome)?;
        outcomes.insert(outcome, id);
        Ok((id, outcome))
    }

    /// Forgets the outcomes that no row of the log has, and answers how many there were.
    pub(super) fn tidy(&mut self, connection: &Connection) -> Result<usize, StoreError> {
        self.known = None;
        let mut statement = connection.prepare_cached(
            "DELETE FROM outcomes WHERE NOT EXISTS
                 (SELECT 1 FROM request_logs WHERE outcome_id = outcomes.id)",
        )?;
        Ok(statement.execute([])?)
    }

    fn has(&self, outcome: &Outcome) -> bool {
        self.known.as_ref().is_some_and(|known| known.outcomes.contains_key(outcome))
    }

    fn known(&mut self, connection: &Connection) -> Result<&mut Known, StoreError> {
        let known = match self.known.take() {
            Some(known) => known,
            None => load(connection)?,
        };
        Ok(self.known.insert(known))
    }
}

impl Kind {
    /// One place is left for [`OTHER`] itself.
    fn count_max(self) -> usize {
        match self {
            Self::Model => 4_096,
            Self::Client => 1_024,
            Self::Error | Self::Operation => 256,
            Self::Dialect => 16,
        }
    }
}

/// `text` up to its limit, at the end of a character.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(WORD_BYTES_MAX)).unwrap_or(text)
}

fn load(connection: &Connection) -> Result<Known, StoreError> {
    let mut known = Known::default();
    let mut statement = connection.prepare("SELECT kind, text, id FROM words")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        known.words.entry(row.get(0)?).or_default().insert(row.get(1)?, row.get(2)?);
    }
    let mut statement = connection.prepare(
        "SELECT id, dialect, operation, is_stream, status, error_kind, model FROM outcomes",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let outcome = Outcome {
            dialect: row.get(1)?,
            operation: row.get(2)?,
            is_stream: row.get(3)?,
            status: row.get(4)?,
            error_kind: row.get(5)?,
            model: row.get(6)?,
        };
        known.outcomes.insert(outcome, row.get(0)?);
    }
    Ok(known)
}

fn insert_word(connection: &Connection, kind: Kind, text: &str) -> Result<i64, StoreError> {
    connection
        .prepare_cached("INSERT INTO words (kind, text) VALUES (?1, ?2)")?
        .execute((kind as i64, text))?;
    Ok(connection.last_insert_rowid())
}

fn insert_outcome(connection: &Connection, outcome: &Outcome) -> Result<i64, StoreError> {
    let Outcome { model, dialect, operation, is_stream, status, error_kind } = outcome;
    connection
        .prepare_cached(
            "INSERT INTO outcomes (model, dialect, operation, is_stream, status, error_kind)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((model, dialect, operation, is_stream, status, error_kind))?;
    Ok(connection.last_insert_rowid())
}
