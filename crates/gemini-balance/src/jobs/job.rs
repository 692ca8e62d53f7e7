//! A job as people see it, and what became of each key or line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::moment::Moment;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobAction)]
pub enum Action {
    /// Asks the upstream about keys.
    Test,
    /// Forgets everything that speaks against keys.
    Reset,
    /// Switches keys on.
    Enable,
    /// Switches keys off.
    Disable,
    /// Gives keys tags and takes tags from them.
    Tag,
    /// Deletes keys.
    Delete,
    /// Brings deleted keys back.
    Restore,
    /// Adds keys.
    Import,
    /// Looks what adding keys would do, and does nothing.
    TryImport,
    /// Takes over what another gateway has left.
    MoveIn,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobStage)]
pub enum Stage {
    /// Others come first.
    Waiting,
    /// It is at work.
    Running,
    /// It has come to its end.
    Done,
    /// It was called off; what it had done by then stays done.
    Cancelled,
    /// Something is wrong with the gateway; what it had done by then stays done.
    Failed,
}

impl Stage {
    /// Whether nothing more will come.
    #[must_use]
    pub fn is_over(self) -> bool {
        match self {
            Self::Waiting | Self::Running => false,
            Self::Done | Self::Cancelled | Self::Failed => true,
        }
    }
}

/// What became of one key or line.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobOutcome)]
pub enum Outcome {
    /// It was done; a test was passed.
    Done,
    /// There was nothing to do.
    Unchanged,
    /// The test was not passed.
    Failed,
    /// There is no key of this name any more.
    NotFound,
    /// The key cannot be decrypted; it can only be deleted.
    Unreadable,
    /// The key was added, or would be.
    Added,
    /// The key is there already, or stands earlier in the list.
    Duplicate,
    /// The line is no key.
    Invalid,
    /// The key would have more tags than it may.
    TooManyTags,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Job {
    /// Names it.
    pub id: String,
    /// What it does.
    pub action: Action,
    /// How far it is.
    pub stage: Stage,
    /// Keys or lines that it is about.
    pub total: u64,
    /// Those that have a result.
    pub finished: u64,
    /// How many have which result.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub counts: BTreeMap<Outcome, u64>,
    /// When it was asked for.
    pub created_at: Moment,
    /// When it was over.
    pub ended_at: Option<Moment>,
    /// Until when it can be undone; `null` if it cannot.
    pub undo_until: Option<Moment>,
    /// The job that this one undoes.
    pub undoes: Option<String>,
    /// The job that undoes this one.
    pub undone_by: Option<String>,
    /// Whether its results are still kept.
    pub has_results: bool,
    /// Why it has failed, in words.
    pub error: Option<String>,
}

/// What became of one key or line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobResult {
    /// Which one, counted from nought in the order of the list.
    pub place: usize,
    /// What became of it.
    pub outcome: Outcome,
    /// The key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_identifier: Option<String>,
    /// First and last characters of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_brief: Option<String>,
    /// Why, in words: of ours about a line, of the upstream about a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// A stable word for what went wrong with a test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
    /// The upstream's status in a test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long a test took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

impl JobResult {
    /// What became of a key.
    #[must_use]
    pub fn of_key(place: usize, key_identifier: String, outcome: Outcome) -> Self {
        Self { key_identifier: Some(key_identifier), ..Self::of_line(place, outcome) }
    }

    /// What became of a line.
    #[must_use]
    pub fn of_line(place: usize, outcome: Outcome) -> Self {
        Self {
            place,
            outcome,
            key_identifier: None,
            key_brief: None,
            message: None,
            error: None,
            status: None,
            duration_ms: None,
        }
    }
}

/// A job that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What it does.
    pub action: Action,
    /// Keys or lines that it is about.
    pub total: usize,
    /// The job that it undoes.
    pub undoes: Option<String>,
}
