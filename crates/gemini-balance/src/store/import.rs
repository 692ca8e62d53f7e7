//! Takes over keys and log rows from elsewhere, all of them or none.
//!
//! Always true: keys that are here already are used, not doubled and not changed; rows of keys that no longer exist keep
//! the names of those keys; the mark that says "this was imported" is set in the same transaction, and once it is set, rows
//! that came with an earlier import are left out.

use rusqlite::{Connection, OptionalExtension};

use crate::log_row::LogRow;
use crate::store::Store;
use crate::store::error::{StoreError, Unique};
use crate::store::pool_state::{self, Budget, BudgetScope, PoolChanges};
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
    pub mark: Option<(&'static str, Vec<u8>)>,
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
    Living(Box<LivingServiceKey>),
    /// Only log rows are left of it.
    Deleted {
        /// Its identifier.
        key_identifier: String,
        /// What people saw of it.
        brief: String,
    },
}

/// A service key from elsewhere, with what is known of it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivingServiceKey {
    /// The key.
    pub key: NewServiceKey,
    /// Whether it is in use.
    pub is_enabled: bool,
    /// When it was last used, in ms since the epoch.
    pub last_used_at_ms: Option<i64>,
    /// The models for which it rests.
    pub rests: Vec<ImportedRest>,
}

/// A rest that has begun elsewhere and goes on here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedRest {
    /// For which model.
    pub model: String,
    /// When it ends, in ms since the epoch.
    pub until_ms: i64,
    /// How many rests in a row this one is.
    pub level: u32,
    /// Failures in a row.
    pub failures: u32,
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
    /// What each user key is here, in their order.
    pub user_keys: Vec<TakenUserKey>,
    /// What each service key is here, in their order.
    pub service_keys: Vec<TakenServiceKey>,
    /// Log rows.
    pub log_rows: u64,
    /// Log rows that were here already.
    pub known_log_rows: u64,
}

/// What a user key from elsewhere is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenUserKey {
    /// Its id.
    pub id: i64,
    /// Its name, which may have had to be another one.
    pub name: String,
    /// False if it was here already.
    pub is_new: bool,
}

/// What a service key from elsewhere is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenServiceKey {
    /// Its id.
    pub id: i64,
    /// Its identifier.
    pub key_identifier: String,
    /// False if it was here already.
    pub is_new: bool,
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
            for key in &import.user_keys {
                imported.user_keys.push(user_key(transaction, key, now_ms)?);
            }
            for key in &import.service_keys {
                imported.service_keys.push(service_key(transaction, key, now_ms)?);
            }
            let is_again = match &import.mark {
                Some((key, _)) => is_marked(transaction, key)?,
                None => false,
            };
            rows(transaction, words, is_again, import.rows, &mut imported)?;
            if let Some(mark) = import.mark {
                transaction.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", mark)?;
            }
            Ok(imported)
        })
        .await
    }
}

fn is_marked(connection: &Connection, key: &str) -> Result<bool, StoreError> {
    Ok(connection.prepare_cached("SELECT 1 FROM meta WHERE key = ?1")?.exists([key])?)
}

fn user_key(
    connection: &Connection,
    key: &ImportedUserKey,
    now_ms: i64,
) -> Result<TakenUserKey, StoreError> {
    match key {
        ImportedUserKey::Deleted { name } => deleted_user_key(connection, name, now_ms),
        ImportedUserKey::Living(key) => {
            let known = connection
                .prepare_cached("SELECT id, name FROM user_keys WHERE hash = ?1")?
                .query_row([key.hash], |row| {
                    Ok(TakenUserKey { id: row.get(0)?, name: row.get(1)?, is_new: false })
                })
                .optional()?;
            match known {
                Some(known) => Ok(known),
                None => with_free_name(connection, key),
            }
        }
    }
}

/// The row that stands for a deleted key: one that an earlier import has made, or another.
fn deleted_user_key(
    connection: &Connection,
    name: &str,
    now_ms: i64,
) -> Result<TakenUserKey, StoreError> {
    let taken = |id, is_new| TakenUserKey { id, name: name.to_owned(), is_new };
    let known = connection
        .prepare_cached(
            "SELECT id FROM user_keys
             WHERE name = ?1 AND brief = '' AND created_at_ms = deleted_at_ms ORDER BY id LIMIT 1",
        )?
        .query_row([name], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(taken(id, false));
    }
    connection
        .prepare_cached(
            "INSERT INTO user_keys (name, brief, note, is_enabled, created_at_ms, deleted_at_ms)
             VALUES (?1, '', '', FALSE, ?2, ?2)",
        )?
        .execute((name, now_ms))?;
    Ok(taken(connection.last_insert_rowid(), true))
}

fn with_free_name(connection: &Connection, key: &NewUserKey) -> Result<TakenUserKey, StoreError> {
    for number in 1..=NAMES_MAX {
        let name = match number {
            1 => key.name.clone(),
            _ => format!("{} ({number})", key.name),
        };
        match user_keys::insert(connection, &NewUserKey { name: name.clone(), ..key.clone() }) {
            Err(StoreError::Taken(Unique::Name)) => {}
            other => return Ok(TakenUserKey { id: other?, name, is_new: true }),
        }
    }
    Err(StoreError::Taken(Unique::Name))
}

fn service_key(
    connection: &Connection,
    key: &ImportedServiceKey,
    now_ms: i64,
) -> Result<TakenServiceKey, StoreError> {
    match key {
        ImportedServiceKey::Living(key) => match service_keys::add(connection, &key.key)? {
            Added::Duplicate { id, key_identifier } => {
                Ok(TakenServiceKey { id, key_identifier, is_new: false })
            }
            Added::Added { id, key_identifier } => {
                remember(connection, id, key, now_ms)?;
                Ok(TakenServiceKey { id, key_identifier, is_new: true })
            }
        },
        ImportedServiceKey::Deleted { key_identifier, brief } => {
            deleted_service_key(connection, (key_identifier, brief), now_ms)
        }
    }
}

/// Writes down what was known of a key where it comes from.
fn remember(
    connection: &Connection,
    id: i64,
    key: &LivingServiceKey,
    now_ms: i64,
) -> Result<(), StoreError> {
    if !key.is_enabled {
        connection
            .prepare_cached("UPDATE service_keys SET is_enabled = FALSE WHERE id = ?1")?
            .execute([id])?;
    }
    if let Some(last_at_ms) = key.last_used_at_ms {
        connection
            .prepare_cached(
                "INSERT INTO service_key_uses VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET last_at_ms = max(last_at_ms, excluded.last_at_ms)",
            )?
            .execute((id, last_at_ms))?;
    }
    let budgets = key.rests.iter().map(|rest| Budget {
        scope: BudgetScope::Key(id),
        model: rest.model.clone(),
        state: "cooling".to_owned(),
        until_ms: Some(rest.until_ms),
        level: rest.level,
        failures: rest.failures,
        reason: String::new(),
        updated_at_ms: now_ms,
    });
    let changes = PoolChanges { budgets: budgets.collect(), ..PoolChanges::default() };
    pool_state::save(connection, &changes)
}

/// The row that stands for a deleted key: one of the same name, or another.
fn deleted_service_key(
    connection: &Connection,
    (key_identifier, brief): (&str, &str),
    now_ms: i64,
) -> Result<TakenServiceKey, StoreError> {
    let taken =
        |id, is_new| TakenServiceKey { id, key_identifier: key_identifier.to_owned(), is_new };
    let known = connection
        .prepare_cached(
            "SELECT id FROM service_keys WHERE key_identifier = ?1
             ORDER BY deleted_at_ms IS NOT NULL, id LIMIT 1",
        )?
        .query_row([key_identifier], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(taken(id, false));
    }
    connection
        .prepare_cached(
            "INSERT INTO service_keys (key_identifier, brief, provider, project, tier, note,
                 tags, is_enabled, created_at_ms, deleted_at_ms)
             VALUES (?1, ?2, '', '', 0, '', '', FALSE, ?3, ?3)",
        )?
        .execute((key_identifier, brief, now_ms))?;
    Ok(taken(connection.last_insert_rowid(), true))
}

fn rows(
    connection: &Connection,
    words: &mut Words,
    is_again: bool,
    rows: impl Iterator<Item = Result<ImportedRow, ImportError>>,
    imported: &mut Imported,
) -> Result<(), StoreError> {
    let user_key_ids: Vec<i64> = imported.user_keys.iter().map(|key| key.id).collect();
    let service_key_ids: Vec<i64> = imported.service_keys.iter().map(|key| key.id).collect();
    let id = |ids: &[i64], position: Option<usize>| ids.get(position?).copied();
    let mut batch = Vec::with_capacity(BATCH_ROWS);
    for row in rows {
        let ImportedRow { user_key, service_key, row } = row.map_err(StoreError::Failed)?;
        let row = LogRow {
            user_key_id: id(&user_key_ids, user_key),
            service_key_id: id(&service_key_ids, service_key),
            ..row
        };
        if is_again && request_logs::is_there(connection, &row)? {
            imported.known_log_rows += 1;
            continue;
        }
        batch.push(row);
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

        let ids = |imported: &Imported| -> Vec<i64> {
            imported.user_keys.iter().map(|key| key.id).collect()
        };
        assert_eq!(ids(&second)[..2], ids(&first)[..2], "the deleted one neither");
        assert_eq!(second.service_keys[0].id, first.service_keys[0].id);
        let other = &second.user_keys[2];
        assert_eq!((other.name.as_str(), other.is_new), ("alice (2)", true));
        assert_eq!(store.user_keys().await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn rows_that_came_with_an_earlier_import_are_left_out() {
        let store = TestStore::new();
        store.import(import(vec![Ok(imported_row())]), 9).await.unwrap();
        let later = ImportedRow { row: row(6), ..imported_row() };

        let again = store.import(import(vec![Ok(imported_row()), Ok(later)]), 9).await.unwrap();

        assert_eq!((again.log_rows, again.known_log_rows), (1, 1));
        assert_eq!(store.size().await.unwrap().log_rows, 2);
    }

    #[tokio::test]
    async fn a_key_keeps_what_was_known_of_it() {
        let store = TestStore::new();
        let key = NewServiceKey {
            sha256: [1; 32],
            fingerprint: [1; 32],
            brief: "AIza...ok01".to_owned(),
            sealed: vec![1; 60],
            provider: "gemini".to_owned(),
            project: String::new(),
            tier: 0,
            note: String::new(),
            tags: Vec::new(),
            created_at_ms: 1,
        };
        let rest = ImportedRest { model: "m".to_owned(), until_ms: 70, level: 2, failures: 3 };
        let living = LivingServiceKey {
            key,
            is_enabled: false,
            last_used_at_ms: Some(8),
            rests: vec![rest],
        };
        let mut import = import(Vec::new());
        import.service_keys.push(ImportedServiceKey::Living(Box::new(living)));

        let id = store.import(import, 9).await.unwrap().service_keys[1].id;

        let stored = store.service_key(id).await.unwrap().unwrap();
        assert_eq!((stored.is_enabled, stored.last_used_at_ms), (false, Some(8)));
        let budgets = store.budgets().await.unwrap();
        let budget = &budgets[0];
        assert_eq!(budget.scope, BudgetScope::Key(id));
        assert_eq!((budget.until_ms, budget.level, budget.failures), (Some(70), 2, 3));
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
            mark: Some(("imported", b"v10".to_vec())),
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
