//! Which sums are asked for: of everything, of one user key or of one service key; of all models or of one.
//!
//! Always true: what one key used is found by looking up its cells one by one, so it costs the same however many other
//! keys there are.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use crate::store::calendar::TimeRange;
use crate::store::error::StoreError;
use crate::store::rollup::{Dimension, Span, Sums, cover};
use crate::store::words::Kind;

/// Whose sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Subject {
    /// Everybody's.
    #[default]
    All,
    /// Those of one user key.
    UserKey(i64),
    /// Those of one service key.
    ServiceKey(i64),
}

/// Which sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// From when to when.
    pub range: TimeRange,
    /// Whose.
    pub subject: Subject,
    /// Of which model; of all if `None`.
    pub model: Option<String>,
}

impl From<TimeRange> for Scope {
    fn from(range: TimeRange) -> Self {
        Self { range, subject: Subject::All, model: None }
    }
}

/// Sums of some cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct CellSums {
    /// The cell's quarter-hour or day, numbered since the epoch.
    pub(super) start: i64,
    pub(super) model_id: i64,
    pub(super) sums: Sums,
}

impl Scope {
    /// Whether there are histograms for it: they are kept by model alone.
    pub(super) fn has_latencies(&self) -> bool {
        self.subject == Subject::All
    }

    /// The model's number: `Some(None)` for all of them, `None` for one that nobody has asked for.
    pub(super) fn model_id(
        &self,
        connection: &Connection,
    ) -> Result<Option<Option<i64>>, StoreError> {
        let Some(model) = &self.model else {
            return Ok(Some(None));
        };
        let id = connection
            .prepare_cached("SELECT id FROM words WHERE kind = ?1 AND text = ?2")?
            .query_row((Kind::Model as i64, model), |row| row.get(0))
            .optional()?;
        Ok(id.map(Some))
    }

    /// Sums by quarter-hour and model, oldest first.
    pub(super) fn quarters(&self, connection: &Connection) -> Result<Vec<CellSums>, StoreError> {
        let Some(model_id) = self.model_id(connection)? else {
            return Ok(Vec::new());
        };
        let mut cells = self.cells(connection, Span::Quarter, self.range.quarters())?;
        cells.retain(|cell| model_id.is_none_or(|id| id == cell.model_id));
        Ok(cells)
    }

    /// Sums by model.
    pub(super) fn by_model(
        &self,
        connection: &Connection,
    ) -> Result<HashMap<i64, Sums>, StoreError> {
        let mut models: HashMap<i64, Sums> = HashMap::new();
        let Some(model_id) = self.model_id(connection)? else {
            return Ok(models);
        };
        for (span, starts) in cover(self.range) {
            for cell in self.cells(connection, span, starts)? {
                if model_id.is_none_or(|id| id == cell.model_id) {
                    models.entry(cell.model_id).or_default().add(&cell.sums);
                }
            }
        }
        Ok(models)
    }

    fn cells(
        &self,
        connection: &Connection,
        span: Span,
        starts: std::ops::Range<i64>,
    ) -> Result<Vec<CellSums>, StoreError> {
        let (dimension, subject_id) = match self.subject {
            Subject::All => (Dimension::All, 0),
            Subject::UserKey(id) => (Dimension::UserKey, id),
            Subject::ServiceKey(id) => (Dimension::ServiceKey, id),
        };
        // The subject stands behind the start in the primary key, so a range of starts would read the cells of every
        // subject: each start is looked up by itself, unless there is but one subject.
        let sql = match self.subject {
            Subject::All => {
                "SELECT start, model_id, attempts, requests, successes, prompt_tokens, completion_tokens,
                        cached_tokens, thinking_tokens, total_tokens
                 FROM rollups
                 WHERE dimension = ?1 AND span = ?2 AND ?3 <= start AND start < ?4 AND subject_id = ?5
                 ORDER BY start"
            }
            Subject::UserKey(_) | Subject::ServiceKey(_) => {
                "WITH RECURSIVE starts (start) AS
                     (SELECT ?3 WHERE ?3 < ?4 UNION ALL SELECT start + 1 FROM starts WHERE start + 1 < ?4)
                 SELECT starts.start, model_id, attempts, requests, successes, prompt_tokens, completion_tokens,
                        cached_tokens, thinking_tokens, total_tokens
                 FROM starts CROSS JOIN rollups r
                     ON r.dimension = ?1 AND r.span = ?2 AND r.start = starts.start AND r.subject_id = ?5"
            }
        };
        let mut statement = connection.prepare_cached(sql)?;
        let parameters = (dimension as i64, span as i64, starts.start, starts.end, subject_id);
        let cells = statement.query_map(parameters, |row| {
            Ok(CellSums { start: row.get(0)?, model_id: row.get(1)?, sums: Sums::read(row, 2)? })
        })?;
        Ok(cells.collect::<Result<_, _>>()?)
    }
}
