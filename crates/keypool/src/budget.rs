//! What several requests may draw on together: the budget of a project, or of a key that has no project.
//!
//! A budget has one bucket per model, and its credit. Buckets that have nothing to remember do not exist.

use std::sync::Arc;

use crate::key::KeyId;
use crate::time::Time;

/// The owner of a budget.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// A key without a project. For a key with one this scope holds only the models it was denied.
    Key(KeyId),
    /// All keys that carry this label.
    Project(String),
}

/// The credit of a budget is gone, or was lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoCredit {
    /// No key of the budget serves before this time. In the past: the credit is trusted again.
    pub until: Time,
    /// How many rests for lack of credit came in a row.
    pub level: u32,
}

/// Whether the keys of a budget serve one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketState {
    /// They do.
    Ready,
    /// They rest after failures.
    Cooling {
        /// When the wait is over.
        until: Time,
        /// How many rests the pool has decided in a row.
        level: u32,
    },
    /// The day's quota is gone.
    ExhaustedUntil {
        /// When there is quota again.
        until: Time,
    },
    /// The project has no quota for the model at all; an admin may reset it.
    NotEntitled,
    /// The key may not use the model; an admin may reset it.
    ModelDenied,
    /// The wait is over, and a health check must be passed before they serve.
    Proving,
}

impl BucketState {
    /// The word for this state in the API and in the log.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Cooling { .. } => "cooling",
            Self::ExhaustedUntil { .. } => "exhausted_today",
            Self::NotEntitled => "not_entitled",
            Self::ModelDenied => "model_denied",
            Self::Proving => "proving",
        }
    }

    /// When the state ends by itself, as far as that is known.
    pub const fn until(self) -> Option<Time> {
        match self {
            Self::Cooling { until, .. } | Self::ExhaustedUntil { until } => Some(until),
            Self::Ready | Self::NotEntitled | Self::ModelDenied | Self::Proving => None,
        }
    }
}

/// One bucket, complete. `Ready` with nothing to count means that there is nothing to remember.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketRecord {
    /// The model.
    pub model: String,
    /// Whether it is served.
    pub state: BucketState,
    /// How many rests the pool has decided in a row; the next one is twice as long.
    pub level: u32,
    /// Upstream faults in a row.
    pub failures: u32,
}

/// What the store remembers of a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetRecord {
    /// Whose budget it is.
    pub scope: Scope,
    /// What is known about its credit; nothing means that it is trusted.
    pub no_credit: Option<NoCredit>,
    /// Its buckets, by the model's name.
    pub buckets: Vec<BucketRecord>,
}

/// A [`Scope`] as the pool itself uses it: cheap to copy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    Key(KeyId),
    Project(Arc<str>),
}

impl Owner {
    pub(crate) fn scope(&self) -> Scope {
        match self {
            Self::Key(id) => Scope::Key(*id),
            Self::Project(label) => Scope::Project(label.to_string()),
        }
    }
}
