//! Takes over keys and log rows from elsewhere, all of them or none.
//!
//! Always true: keys that are here already are used and not doubled; rows of keys that no longer exist keep the names of
//! those keys; the mark that says "this was imported" is set in the same transaction.

use rusqlite::{Connection, OptionalExtension};

use crate::log_row::LogRow;
use crate::store::Store;
use crate::store::error::{StoreError, Unique};
use crate::store::request_logs;
use crate::store::service_keys::{self, Added, NewServiceKey};
use crate::store::user_keys::{self, NewUserKey};
use crate::store::words::Words;
use crate::store::writer::Durability;

/// Rows whose sums are gathered before they are written.
const BATCH_ROWS: usize = 4_096;
/// Names tried for an imported key whose name is taken.
const NAMES_MAX: u32 = 1_000;

/// What is to be taken over.
#[derive(Debug)]
pub struct Import<R> {
    /// User keys; rows name them by their position here.
    pub user_keys: Vec<ImportedUserKey>,
    /// Service keys; rows name them by their position here.
    pub service_keys: Vec<ImportedServiceKey>,
    /// Log rows, in any order; the first error ends the import.
    pub rows: R,
    /// A value of `meta` to set when everything is there.
    pub mark: (&'static str, Vec<u8>),
}

/// A user key from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportedUserKey {
    /// It goes on letting its callers in.
    Living(NewUserKey),
    /// Only log rows are left of it.
    Deleted {
        /// Its name.
        name: String,
    },
}

/// A service key from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportedServiceKey {
    /// It goes on serving.
    Living(NewServiceKey),
    /// Only log rows are left of it.
    Deleted {
        /// Its identifier.
        key_identifier: String,
        /// What people saw of it.
        brief: String,
    },
}

/// A log row from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedRow {
    /// Position of its user key.
    pub user_key: Option<usize>,
    /// Position of its service key.
    pub service_key: Option<usize>,
    /// Everything else; its ids of keys are ignored.
    pub row: LogRow,
}

/// Why a row could not be read.
pub type ImportError = Box<dyn std::error::Error + Send + Sync>;

/// What was taken over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// The id each user key has here, in their order.
    pub user_key_ids: Vec<i64>,
    /// The id each service key has here, in their order.
    pub service_key_ids: Vec<i64>,
    /// User keys that had to get another name: position and name.
    pub renamed_user_keys: Vec<(usize, String)>,
    /// Log rows.
    pub log_rows: u64,
}

impl Store {
    /// Takes over keys and log rows, durably and in one transaction. `now_ms` dates the deletion of deleted keys.
    ///
    /// # Errors
    /// If a row cannot be read, or as any write; then nothing is taken over.
    pub async fn import<R>(&self, import: Import<R>, now_ms: i64) -> Result<Imported, StoreError>
    where
        R: Iterator<Item = Result<ImportedRow, ImportError>> + Send + 'static,
    {
        self.write(Durability::OnDisk, move |transaction, words| {
            let mut imported = Imported::default();
            for (position, key) in import.user_keys.iter().enumerate() {
                let (id, name) = user_key(transaction, key, now_ms)?;
                imported.user_key_ids.push(id);
                imported.renamed_user_keys.extend(name.map(|name| (position, name)));
            }
            for key in &import.service_keys {
                imported.service_key_ids.push(service_key(transaction, key, now_ms)?);
            }
            rows(transaction, words, import.rows, &mut imported)?;
            let (key, value) = import.mark;
            transaction.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", (key, value))?;
            Ok(imported)
        })
        .await
    }
}

/// The id of the key here, and the name it got if that is another.
fn user_key(
    connection: &Connection,
    key: &ImportedUserKey,
    now_ms: i64,
) -> Result<(i64, Option<String>), StoreError> {
    match key {
        ImportedUserKey::Deleted { name } => {
            connection.execute(
                "INSERT INTO user_keys
                     (name, brief, note, is_enabled, created_at_ms, deleted_at_ms)
                 VALUES (?1, '', '', FALSE, ?2, ?2)",
                (name, now_ms),
            )?;
            Ok((connection.last_insert_rowid(), None))
        }
        ImportedUserKey::Living(key) => {
            let sql = "SELECT id FROM user_keys WHERE hash = ?1";
            if let Some(id) = connection.query_row(sql, [key.hash], |row| row.get(0)).optional()? {
                return Ok((id, None));
            }
            with_free_name(connection, key)
        }
    }
}

fn with_free_name(
    connection: &Connection,
    key: &NewUserKey,
) -> Result<(i64, Option<String>), StoreError> {
    for number in 1..=NAMES_MAX {
        let name = match number {
            1 => key.name.clone(),
            _ => format!("{} ({number})", key.name),
        };
        match user_keys::insert(connection, &NewUserKey { name: name.clone(), ..key.clone() }) {
            Err(StoreError::Taken(Unique::Name)) => {}
            other => return Ok((other?, (number != 1).then_some(name))),
        }
    }
    Err(StoreError::Taken(Unique::Name))
}

fn service_key(
    connection: &Connection,
    key: &ImportedServiceKey,
    now_ms: i64,
) -> Result<i64, StoreError> {
    match key {
        ImportedServiceKey::Living(key) => match service_keys::add(connection, key)? {
            Added::Added { id, .. } | Added::Duplicate { id, .. } => Ok(id),
        },
        ImportedServiceKey::Deleted { key_identifier, brief } => {
            connection.execute(
                "INSERT INTO service_keys (key_identifier, brief, provider, project, tier, note,
                     tags, is_enabled, created_at_ms, deleted_at_ms)
                 VALUES (?1, ?2, '', '', 0, '', '', FALSE, ?3, ?3)",
                (key_identifier, brief, now_ms),
            )?;
            Ok(connection.last_insert_rowid())
        }
    }
}

fn rows(
    connection: &Connection,
    words: &mut Words,
    rows: impl Iterator<Item = Result<ImportedRow, ImportError>>,
    imported: &mut Imported,
) -> Result<(), StoreError> {
    let mut batch = Vec::with_capacity(BATCH_ROWS);
    for row in rows {
        let ImportedRow { user_key, service_key, row } = row.map_err(StoreError::Failed)?;
        let id = |ids: &[i64], position: Option<usize>| ids.get(position?).copied();
        batch.push(LogRow {
            user_key_id: id(&imported.user_key_ids, user_key),
            service_key_id: id(&imported.service_key_ids, service_key),
            ..row
        });
        imported.log_rows += 1;
        if batch.len() == BATCH_ROWS {
            request_logs::insert(connection, words, batch.iter())?;
            batch.clear();
        }
    }
    request_logs::insert(connection, words, batch.iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::log_pages::LogFilter;
    use crate::store::tests::{TestStore, row};

    #[tokio::test]
    async fn rows_of_deleted_keys_keep_their_names() {
        let store = TestStore::new();

        let imported = store.import(import(vec![Ok(imported_row())]), 9).await.unwrap();

        assert_eq!(imported.log_rows, 1);
        let page = store.log_page(LogFilter::ALL, None, 10).await.unwrap();
        assert_eq!(page.rows[0].user_key_name.as_deref(), Some("former-user"));
        assert_eq!(page.rows[0].key_identifier.as_deref(), Some("key_sha256_deadbeef"));
        let names: Vec<_> =
            store.user_keys().await.unwrap().into_iter().map(|key| key.name).collect();
        assert_eq!(names, ["alice"]);
        assert_eq!(store.meta("imported").await.unwrap(), Some(b"v10".to_vec()));
    }

    #[tokio::test]
    async fn an_import_that_fails_leaves_nothing() {
        let store = TestStore::new();
        let rows = vec![Ok(imported_row()), Err("row 2 cannot be read".into())];

        let failed = store.import(import(rows), 9).await;

        assert!(matches!(failed, Err(StoreError::Failed(_))));
        assert_eq!(store.user_keys().await.unwrap(), []);
        assert_eq!(store.size().await.unwrap().log_rows, 0);
        assert_eq!(store.meta("imported").await.unwrap(), None);
    }

    #[tokio::test]
    async fn keys_that_are_here_already_are_not_doubled() {
        let store = TestStore::new();
        let first = store.import(import(Vec::new()), 9).await.unwrap();
        let mut other = import(Vec::new());
        other.user_keys.push(ImportedUserKey::Living(NewUserKey { hash: [2; 32], ..alice() }));

        let second = store.import(other, 9).await.unwrap();

        assert_eq!(second.user_key_ids[0], first.user_key_ids[0]);
        assert_eq!(second.renamed_user_keys, [(2, "alice (2)".to_owned())]);
        assert_eq!(store.user_keys().await.unwrap().len(), 2);
    }

    fn import(
        rows: Vec<Result<ImportedRow, ImportError>>,
    ) -> Import<std::vec::IntoIter<Result<ImportedRow, ImportError>>> {
        let key_identifier = "key_sha256_deadbeef".to_owned();
        Import {
            user_keys: vec![
                ImportedUserKey::Living(alice()),
                ImportedUserKey::Deleted { name: "former-user".to_owned() },
            ],
            service_keys: vec![ImportedServiceKey::Deleted {
                key_identifier,
                brief: String::new(),
            }],
            rows: rows.into_iter(),
            mark: ("imported", b"v10".to_vec()),
        }
    }

    fn imported_row() -> ImportedRow {
        ImportedRow { user_key: Some(1), service_key: Some(0), row: row(5) }
    }

    fn alice() -> NewUserKey {
        NewUserKey {
            name: "alice".to_owned(),
            hash: [1; 32],
            brief: "8aY6...NWN".to_owned(),
            note: String::new(),
            is_enabled: true,
            created_at_ms: 1,
            expires_at_ms: None,
        }
    }
}
