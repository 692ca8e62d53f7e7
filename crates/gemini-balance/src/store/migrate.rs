//! The steps from any older schema to the current one.
//!
//! Always true: a step and its version number are one transaction, so a crash leaves either the old schema or the new
//! one; an existing database has a backup before its first step.

use rusqlite::{Connection, TransactionBehavior};

use crate::store::backup;
use crate::store::error::{OpenError, StoreError};
use crate::store::open::OpenOptions;

/// Step `n` leads to schema version `n + 1`. Steps that were released are never edited.
pub(super) const MIGRATIONS: [&str; 5] = [
    include_str!("../../migrations/0001_first.sql"),
    include_str!("../../migrations/0002_sheets.sql"),
    include_str!("../../migrations/0003_resources.sql"),
    include_str!("../../migrations/0004_clients.sql"),
    include_str!("../../migrations/0005_frames.sql"),
];

/// The schema version this program writes.
pub(super) fn newest() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// Brings the database behind `connection` to the last of `migrations`.
pub(super) fn migrate(
    connection: &mut Connection,
    options: &OpenOptions,
    migrations: &[&str],
) -> Result<(), OpenError> {
    let path = &options.path;
    let found =
        version(connection).map_err(|source| OpenError::Engine { path: path.clone(), source })?;
    let steps = (1_u32..).zip(migrations.iter().copied()).skip_while(|(step, _)| *step <= found);
    for (index, (step, sql)) in steps.enumerate() {
        let failed = |source| OpenError::Migration { path: path.clone(), version: step, source };
        if index == 0 && 0 < found {
            backup::before_migration(connection, options, found).map_err(failed)?;
        }
        apply(connection, step, sql).map_err(failed)?;
        tracing::debug!(version = step, "schema step applied");
    }
    Ok(())
}

fn version(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn apply(connection: &mut Connection, step: u32, sql: &str) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(sql)?;
    transaction.pragma_update(None, "user_version", step)?;
    Ok(transaction.commit()?)
}
