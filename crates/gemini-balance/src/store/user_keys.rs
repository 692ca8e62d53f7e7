//! The keys of our callers.
//!
//! Always true: no secret is stored, only a keyed hash of it; a name belongs to one living key; a deleted key stays
//! known by its id, so that its log rows keep their name and a new key of that name begins without history.

use rusqlite::{Connection, ErrorCode, Row};
use serde::Serialize;

use crate::store::Store;
use crate::store::error::{StoreError, Unique};
use crate::store::meta::unsigned;
use crate::store::writer::Durability;

/// A user key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserKey {
    /// Names the key for ever, also in the log.
    pub id: i64,
    /// The name people gave it.
    pub name: String,
    /// Keyed hash of the secret.
    #[serde(skip)]
    pub hash: [u8; 32],
    /// What people see of the secret.
    pub brief: String,
    /// A note of the administrator.
    pub note: String,
    /// False if an administrator has shut the key out.
    pub is_enabled: bool,
    /// When it was made, in ms since the epoch.
    pub created_at_ms: i64,
    /// From when on it no longer lets anybody in, in ms since the epoch.
    pub expires_at_ms: Option<i64>,
    /// When it was last used, in ms since the epoch.
    pub last_used_at_ms: Option<i64>,
    /// Requests made with it.
    pub calls: u64,
    /// Tokens its requests have cost.
    pub tokens: u64,
}

/// A user key that is about to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUserKey {
    /// The name people give it.
    pub name: String,
    /// Keyed hash of the secret.
    pub hash: [u8; 32],
    /// What people see of the secret.
    pub brief: String,
    /// A note of the administrator.
    pub note: String,
    /// False to keep it shut out for the time being.
    pub is_enabled: bool,
    /// When it is made, in ms since the epoch.
    pub created_at_ms: i64,
    /// From when on it no longer lets anybody in, in ms since the epoch.
    pub expires_at_ms: Option<i64>,
}

/// What is to become different in a user key; `None` leaves a value as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserKeyChange {
    /// Another name.
    pub name: Option<String>,
    /// Another note.
    pub note: Option<String>,
    /// Lets the key in or shuts it out.
    pub is_enabled: Option<bool>,
    /// Another end, or none.
    pub expires_at_ms: Option<Option<i64>>,
}

impl Store {
    /// Every user key that is not deleted, by name.
    ///
    /// # Errors
    /// As any read.
    pub async fn user_keys(&self) -> Result<Vec<UserKey>, StoreError> {
        self.read(|connection| list(connection, (i64::MIN, i64::MAX))).await
    }

    /// One user key, unless it is deleted or was never there.
    ///
    /// # Errors
    /// As any read.
    pub async fn user_key(&self, id: i64) -> Result<Option<UserKey>, StoreError> {
        self.read(move |connection| find(connection, id)).await
    }

    /// Stores a user key, durably.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if another living key has its name or its secret; else as any write.
    pub async fn create_user_key(&self, key: NewUserKey) -> Result<UserKey, StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| {
            let id = insert(transaction, &key)?;
            find(transaction, id)?.ok_or_else(|| StoreError::Failed("row not found".into()))
        })
        .await
    }

    /// Changes a user key, durably, and answers what it became; `None` if there is no such key.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if another living key has the name; else as any write.
    pub async fn update_user_key(
        &self,
        id: i64,
        change: UserKeyChange,
    ) -> Result<Option<UserKey>, StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| {
            let Some(key) = find(transaction, id)? else {
                return Ok(None);
            };
            let key = UserKey {
                name: change.name.unwrap_or(key.name),
                note: change.note.unwrap_or(key.note),
                is_enabled: change.is_enabled.unwrap_or(key.is_enabled),
                expires_at_ms: change.expires_at_ms.unwrap_or(key.expires_at_ms),
                ..key
            };
            transaction
                .execute(
                    "UPDATE user_keys SET name = ?2, note = ?3, is_enabled = ?4, expires_at_ms = ?5
                     WHERE id = ?1",
                    (id, &key.name, &key.note, key.is_enabled, key.expires_at_ms),
                )
                .map_err(taken)?;
            Ok(Some(key))
        })
        .await
    }

    /// Gives a user key another secret, durably, and answers what it became; `None` if there is no such key.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if another living key has the secret; else as any write.
    pub async fn rotate_user_key(
        &self,
        id: i64,
        hash: [u8; 32],
        brief: String,
    ) -> Result<Option<UserKey>, StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| {
            transaction
                .execute(
                    "UPDATE user_keys SET hash = ?2, brief = ?3
                     WHERE id = ?1 AND deleted_at_ms IS NULL",
                    (id, hash, brief),
                )
                .map_err(taken)?;
            find(transaction, id)
        })
        .await
    }

    /// Deletes a user key, durably; false if there is no such key. Its log rows keep its name.
    ///
    /// # Errors
    /// As any write.
    pub async fn delete_user_key(&self, id: i64, now_ms: i64) -> Result<bool, StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| {
            let changed = transaction.execute(
                "UPDATE user_keys SET deleted_at_ms = ?2, hash = NULL
                 WHERE id = ?1 AND deleted_at_ms IS NULL",
                (id, now_ms),
            )?;
            Ok(changed == 1)
        })
        .await
    }

    /// Notes when user keys were last used, for uses that leave no log row: pairs of id and ms since the epoch.
    ///
    /// # Errors
    /// As any write.
    pub async fn touch_user_keys(&self, uses: Vec<(i64, i64)>) -> Result<(), StoreError> {
        self.write(Durability::Batched, move |transaction, _| {
            uses.into_iter().try_for_each(|(id, at_ms)| count_use(transaction, id, &Use::at(at_ms)))
        })
        .await
    }
}

/// What some requests add to the counters of a user key.
#[derive(Debug, Default)]
pub(super) struct Use {
    pub(super) calls: u64,
    pub(super) tokens: u64,
    pub(super) last_at_ms: i64,
}

impl Use {
    fn at(last_at_ms: i64) -> Self {
        Self { last_at_ms, ..Self::default() }
    }
}

/// Adds to the counters of a user key, living or deleted.
pub(super) fn count_use(connection: &Connection, id: i64, used: &Use) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE user_keys SET calls = calls + ?2, tokens = tokens + ?3,
                 last_used_at_ms = max(coalesce(last_used_at_ms, ?4), ?4)
             WHERE id = ?1",
        )?
        .execute((id, used.calls.cast_signed(), used.tokens.cast_signed(), used.last_at_ms))?;
    Ok(())
}

/// Enters a living key and answers its id.
pub(super) fn insert(connection: &Connection, key: &NewUserKey) -> Result<i64, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO user_keys
                 (name, hash, brief, note, is_enabled, created_at_ms, expires_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            &key.name,
            key.hash,
            &key.brief,
            &key.note,
            key.is_enabled,
            key.created_at_ms,
            key.expires_at_ms,
        ))
        .map_err(taken)?;
    Ok(connection.last_insert_rowid())
}

fn find(connection: &Connection, id: i64) -> Result<Option<UserKey>, StoreError> {
    Ok(list(connection, (id, id))?.pop())
}

/// The living keys from one id to another, by name.
fn list(connection: &Connection, ids: (i64, i64)) -> Result<Vec<UserKey>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, hash, brief, note, is_enabled, created_at_ms, expires_at_ms,
                last_used_at_ms, calls, tokens
         FROM user_keys WHERE id BETWEEN ?1 AND ?2 AND deleted_at_ms IS NULL ORDER BY name",
    )?;
    let keys = statement.query_map(ids, user_key)?;
    Ok(keys.collect::<Result<_, _>>()?)
}

fn user_key(row: &Row<'_>) -> rusqlite::Result<UserKey> {
    Ok(UserKey {
        id: row.get(0)?,
        name: row.get(1)?,
        hash: row.get(2)?,
        brief: row.get(3)?,
        note: row.get(4)?,
        is_enabled: row.get(5)?,
        created_at_ms: row.get(6)?,
        expires_at_ms: row.get(7)?,
        last_used_at_ms: row.get(8)?,
        calls: unsigned(row, 9)?,
        tokens: unsigned(row, 10)?,
    })
}

fn taken(error: rusqlite::Error) -> StoreError {
    if error.sqlite_error_code() != Some(ErrorCode::ConstraintViolation) {
        return error.into();
    }
    let is_name = error.to_string().contains("user_keys.name");
    StoreError::Taken(if is_name { Unique::Name } else { Unique::Secret })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::TestStore;

    #[tokio::test]
    async fn a_name_and_a_secret_belong_to_one_living_key() {
        let store = TestStore::new();
        store.create_user_key(key("alice", 1)).await.unwrap();

        let same_name = store.create_user_key(key("alice", 2)).await;
        let same_secret = store.create_user_key(key("bob", 1)).await;

        assert!(matches!(same_name, Err(StoreError::Taken(Unique::Name))));
        assert!(matches!(same_secret, Err(StoreError::Taken(Unique::Secret))));
        assert_eq!(store.user_keys().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_deleted_key_gives_its_name_and_secret_free_but_not_its_id() {
        let store = TestStore::new();
        let old = store.create_user_key(key("alice", 1)).await.unwrap();

        assert!(store.delete_user_key(old.id, 5).await.unwrap());
        assert!(!store.delete_user_key(old.id, 6).await.unwrap());
        let new = store.create_user_key(key("alice", 1)).await.unwrap();

        assert_ne!(new.id, old.id);
        assert_eq!(store.user_keys().await.unwrap(), [new]);
        assert_eq!(store.user_key(old.id).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_change_touches_only_what_it_names() {
        let store = TestStore::new();
        let before = store.create_user_key(key("alice", 1)).await.unwrap();
        store.create_user_key(key("bob", 2)).await.unwrap();
        let rename =
            |name: &str| UserKeyChange { name: Some(name.to_owned()), ..Default::default() };

        let to_itself = store.update_user_key(before.id, rename("alice")).await.unwrap();
        let to_other = store.update_user_key(before.id, rename("bob")).await;
        let end = UserKeyChange { expires_at_ms: Some(Some(99)), ..Default::default() };
        let ending = store.update_user_key(before.id, end).await.unwrap();
        let unknown = store.update_user_key(999, rename("carol")).await.unwrap();

        assert_eq!(to_itself, Some(before.clone()));
        assert!(matches!(to_other, Err(StoreError::Taken(Unique::Name))));
        assert_eq!(ending, Some(UserKey { expires_at_ms: Some(99), ..before }));
        assert_eq!(unknown, None);
    }

    #[tokio::test]
    async fn a_use_never_moves_the_last_use_back() {
        let store = TestStore::new();
        let id = store.create_user_key(key("alice", 1)).await.unwrap().id;

        store.touch_user_keys(vec![(id, 50), (id, 20), (12_345, 7)]).await.unwrap();

        assert_eq!(store.user_key(id).await.unwrap().unwrap().last_used_at_ms, Some(50));
    }

    fn key(name: &str, secret: u8) -> NewUserKey {
        NewUserKey {
            name: name.to_owned(),
            hash: [secret; 32],
            brief: "gb-1...9xyz".to_owned(),
            note: String::new(),
            is_enabled: true,
            created_at_ms: 1,
            expires_at_ms: None,
        }
    }
}
