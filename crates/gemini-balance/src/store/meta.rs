//! Small facts about the database: named values, its size, what it holds.

use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::Store;
use crate::store::calendar::TimeRange;
use crate::store::error::StoreError;
use crate::store::log_offsets;
use crate::store::writer::Durability;

/// How large the database is and how much is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Size {
    /// The database file, without its write-ahead log.
    pub file_bytes: u64,
    /// The part of the file that is free for use.
    pub free_bytes: u64,
    /// User keys that are not deleted.
    pub user_keys: u64,
    /// Service keys that are not deleted.
    pub service_keys: u64,
    /// Rows of the request log.
    pub log_rows: u64,
    /// End of the oldest and of the newest attempt in the request log, in ms since the epoch.
    pub log_time_ms: Option<(i64, i64)>,
}

impl Store {
    /// The value kept under `key`.
    ///
    /// # Errors
    /// As any read.
    pub async fn meta(&self, key: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT value FROM meta WHERE key = ?1";
            Ok(connection.query_row(sql, [key], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Keeps `value` under `key`, durably.
    ///
    /// # Errors
    /// As any write.
    pub async fn set_meta(&self, key: &'static str, value: Vec<u8>) -> Result<(), StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| {
            transaction.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", (key, value))?;
            Ok(())
        })
        .await
    }

    /// How large the database is and how much is in it. Cheap for any number of rows.
    ///
    /// # Errors
    /// As any read.
    pub async fn size(&self) -> Result<Size, StoreError> {
        self.read(size).await
    }
}

/// Pages of the file, and those of them that hold nothing, each in bytes.
pub(super) fn file_bytes(connection: &Connection) -> Result<(u64, u64), StoreError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| unsigned(row, 0));
    let page_bytes = pragma("page_size")?;
    Ok((pragma("page_count")? * page_bytes, pragma("freelist_count")? * page_bytes))
}

/// A column that never holds a negative number.
pub(super) fn unsigned(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.max(0).cast_unsigned())
}

fn size(connection: &Connection) -> Result<Size, StoreError> {
    let count = |sql| connection.query_row(sql, [], |row| unsigned(row, 0));
    let (file_bytes, free_bytes) = file_bytes(connection)?;
    Ok(Size {
        file_bytes,
        free_bytes,
        user_keys: count("SELECT count(*) FROM user_keys WHERE deleted_at_ms IS NULL")?,
        service_keys: count("SELECT count(*) FROM service_keys WHERE deleted_at_ms IS NULL")?,
        log_rows: log_offsets::count(connection, TimeRange::ALL)?,
        log_time_ms: log_offsets::time_range(connection)?,
    })
}
