//! How often each value that a filter of the request log can take occurs in a time range.
//!
//! Always true: only sums are read, never log rows, so the answer takes as long for ten million rows as for ten; the ends
//! of a range are widened to whole quarter-hours.

use rusqlite::Connection;
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::Store;
use crate::store::calendar::TimeRange;
use crate::store::error::StoreError;
use crate::store::rollup::Sums;
use crate::store::sheets::{Dimension, by_subject};
use crate::store::stats::{ErrorCount, errors, most_used, service_key_names, user_key_name, word};

/// How often something occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Occurrences {
    /// Tries with one key each.
    pub attempts: u64,
    /// Requests: attempts that were the last of theirs.
    pub requests: u64,
    /// Attempts that succeeded.
    pub successes: u64,
}

impl From<Sums> for Occurrences {
    fn from(Sums { attempts, requests, successes, .. }: Sums) -> Self {
        Self { attempts, requests, successes }
    }
}

/// How often a model was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModelCount {
    /// The model.
    pub model: String,
    /// How often.
    #[serde(flatten)]
    pub count: Occurrences,
}

/// How often a user key asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UserKeyCount {
    /// The user key.
    pub user_key_id: i64,
    /// Its name, also when it is deleted.
    pub name: Option<String>,
    /// How often.
    #[serde(flatten)]
    pub count: Occurrences,
}

/// How often a service key was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServiceKeyCount {
    /// The service key.
    pub service_key_id: i64,
    /// Its identifier, also when it is deleted.
    pub key_identifier: Option<String>,
    /// What people see of it, also when it is deleted.
    pub key_brief: Option<String>,
    /// How often.
    #[serde(flatten)]
    pub count: Occurrences,
}

/// The values of the request log in a time range, each list most frequent first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct LogValueCounts {
    /// Models that were asked for.
    pub models: Vec<ModelCount>,
    /// User keys that asked.
    pub user_keys: Vec<UserKeyCount>,
    /// Service keys that were tried.
    pub service_keys: Vec<ServiceKeyCount>,
    /// Kinds of errors that occurred.
    pub error_kinds: Vec<ErrorCount>,
}

impl Store {
    /// The values in a time range, at most `limit` of each kind.
    ///
    /// # Errors
    /// As any read.
    pub async fn log_value_counts(
        &self,
        range: TimeRange,
        limit: usize,
    ) -> Result<LogValueCounts, StoreError> {
        self.read(move |connection| counts(connection, range, limit)).await
    }
}

fn counts(
    connection: &Connection,
    range: TimeRange,
    limit: usize,
) -> Result<LogValueCounts, StoreError> {
    let mut counts = LogValueCounts::default();
    for (id, sums) in most_used(by_subject(connection, Dimension::Model, range)?, limit) {
        counts.models.push(ModelCount { model: word(connection, id)?, count: sums.into() });
    }
    // Subject nought stands for attempts without a key, for which no filter asks.
    let mut users = by_subject(connection, Dimension::UserKey, range)?;
    users.retain(|(id, _)| *id != 0);
    for (user_key_id, sums) in most_used(users, limit) {
        let name = user_key_name(connection, user_key_id)?;
        counts.user_keys.push(UserKeyCount { user_key_id, name, count: sums.into() });
    }
    let mut keys = by_subject(connection, Dimension::ServiceKey, range)?;
    keys.retain(|(id, _)| *id != 0);
    for (service_key_id, sums) in most_used(keys, limit) {
        let (key_identifier, key_brief) = service_key_names(connection, service_key_id)?.unzip();
        let count = sums.into();
        counts.service_keys.push(ServiceKeyCount {
            service_key_id,
            key_identifier,
            key_brief,
            count,
        });
    }
    counts.error_kinds = errors(connection, range)?;
    counts.error_kinds.truncate(limit);
    Ok(counts)
}
