//! Which sums are asked for: of everything, of one user key or of one service key; of all models or of one.
//!
//! Always true: of what one key used only the sheets that it shares with at most 1,023 others are read, so it costs the same
//! however many further keys there are.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use crate::store::calendar::TimeRange;
use crate::store::error::StoreError;
use crate::store::rollup::Sums;
use crate::store::sheets::{Dimension, by_period, of_subjects};
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

    /// All sums.
    pub(super) fn total(&self, connection: &Connection) -> Result<Sums, StoreError> {
        let mut total = Sums::default();
        self.by_period(connection, &self.bounds(), |_, sums| total.add(&sums))?;
        Ok(total)
    }

    /// Sums by model.
    pub(super) fn by_model(&self, connection: &Connection) -> Result<Vec<(i64, Sums)>, StoreError> {
        let mut models: HashMap<i64, Sums> = HashMap::new();
        self.by_period_and_model(connection, &self.bounds(), |_, model_id, sums| {
            models.entry(model_id).or_default().add(&sums);
        })?;
        Ok(models.into_iter().collect())
    }

    /// Hands over sums piece by piece: the number of the period and sums. A period lies between one of `bounds`, in
    /// quarter-hours and in ascending order, and the next.
    pub(super) fn by_period(
        &self,
        connection: &Connection,
        bounds: &[i64],
        mut take: impl FnMut(usize, Sums),
    ) -> Result<(), StoreError> {
        // How much there is of a key alone is kept more finely than how much there is of a key and a model.
        if self.model.is_some() {
            return self
                .by_period_and_model(connection, bounds, |period, _, sums| take(period, sums));
        }
        let (dimension, id) = match self.subject {
            Subject::All => {
                return by_period(connection, bounds, |period, _, sums| take(period, sums));
            }
            Subject::UserKey(id) => (Dimension::UserKey, id),
            Subject::ServiceKey(id) => (Dimension::ServiceKey, id),
        };
        of_subjects(connection, (dimension, &[id]), bounds, |period, _, _, sums| take(period, sums))
    }

    /// As [`Self::by_period`]: the number of the period, the model and sums.
    pub(super) fn by_period_and_model(
        &self,
        connection: &Connection,
        bounds: &[i64],
        mut take: impl FnMut(usize, i64, Sums),
    ) -> Result<(), StoreError> {
        let Some(wanted) = self.model_id(connection)? else {
            return Ok(());
        };
        let mut take = |period, model_id, sums| {
            if wanted.is_none_or(|wanted| wanted == model_id) {
                take(period, model_id, sums);
            }
        };
        let (dimension, id) = match self.subject {
            Subject::All => return by_period(connection, bounds, take),
            Subject::UserKey(id) => (Dimension::UserKeyModel, id),
            Subject::ServiceKey(id) => (Dimension::ServiceKeyModel, id),
        };
        of_subjects(connection, (dimension, &[id]), bounds, |period, _, model_id, sums| {
            take(period, model_id, sums);
        })
    }

    /// The bounds of the one period that is the range.
    fn bounds(&self) -> [i64; 2] {
        let quarters = self.range.quarters();
        [quarters.start, quarters.end]
    }
}
