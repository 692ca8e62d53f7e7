//! Changes to lists of service keys that can be undone: each answers what was before.
//!
//! Always true: a list is one transaction, on the disk before it is answered; a deleted key has no secret left in the
//! database, so what brings it back is what the call that deleted it answered, and nothing else.

use rusqlite::{Connection, OptionalExtension};

use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::pool_state;
use crate::store::service_keys::{self, ServiceKey, read_tags, written_tags};
use crate::store::writer::Durability;

/// A service key whose switch was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switched {
    /// The key.
    pub id: i64,
    /// Whether the call has changed it.
    pub is_changed: bool,
}

/// Tags that a service key is given and loses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagChange {
    /// The key.
    pub id: i64,
    /// Tags that it has from then on.
    pub added: Vec<String>,
    /// Tags that it no longer has.
    pub removed: Vec<String>,
}

/// What became of the tags of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tagged {
    /// They are different in this; in nothing, if nothing was to do.
    Changed(TagChange),
    /// It would have more than it may.
    TooMany,
    /// There is no such key.
    Unknown,
}

/// A service key that was deleted, with what brings it back.
#[derive(Clone, PartialEq, Eq)]
pub struct DeletedServiceKey {
    /// Its row.
    pub id: i64,
    /// Its name in the API.
    pub key_identifier: String,
    fingerprint: [u8; 32],
    sealed: Vec<u8>,
}

impl std::fmt::Debug for DeletedServiceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeletedServiceKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What became of a deleted key that was to come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restored {
    /// It is there again, under its old id.
    Restored(Box<ServiceKey>),
    /// Meanwhile another one has its secret or its identifier.
    Taken,
    /// It is not deleted, or nothing is left of it.
    Unknown,
}

impl Store {
    /// Switches service keys on or off; answers those that were found.
    ///
    /// # Errors
    /// As any write; then none is changed.
    pub async fn switch_service_keys(
        &self,
        ids: Vec<i64>,
        is_enabled: bool,
    ) -> Result<Vec<Switched>, StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| {
            let mut look = transaction.prepare_cached(
                "SELECT is_enabled FROM service_keys WHERE id = ?1 AND deleted_at_ms IS NULL",
            )?;
            let mut change = transaction
                .prepare_cached("UPDATE service_keys SET is_enabled = ?2 WHERE id = ?1")?;
            let mut switched = Vec::with_capacity(ids.len());
            for id in ids {
                let before: Option<bool> = look.query_row([id], |row| row.get(0)).optional()?;
                let Some(before) = before else {
                    continue;
                };
                change.execute((id, is_enabled))?;
                switched.push(Switched { id, is_changed: before != is_enabled });
            }
            Ok(switched)
        })
        .await
    }

    /// Gives service keys tags and takes tags from them, at most `tags_max` for each; answers for each in its order.
    ///
    /// # Errors
    /// As any write; then none is changed.
    pub async fn tag_service_keys(
        &self,
        changes: Vec<TagChange>,
        tags_max: usize,
    ) -> Result<Vec<Tagged>, StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| {
            changes.iter().map(|change| tag(transaction, change, tags_max)).collect()
        })
        .await
    }

    /// Deletes service keys as [`Store::delete_service_keys`] does, and answers those that were found with what brings
    /// them back.
    ///
    /// # Errors
    /// As any write; then none is deleted.
    pub async fn take_service_keys(
        &self,
        ids: Vec<i64>,
        now_ms: i64,
    ) -> Result<Vec<DeletedServiceKey>, StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| {
            let mut look = transaction.prepare_cached(
                "SELECT key_identifier, fingerprint, sealed FROM service_keys
                 WHERE id = ?1 AND deleted_at_ms IS NULL",
            )?;
            let mut delete = transaction.prepare_cached(
                "UPDATE service_keys SET deleted_at_ms = ?2, sealed = NULL, fingerprint = NULL
                 WHERE id = ?1",
            )?;
            let mut deleted = Vec::with_capacity(ids.len());
            for id in ids {
                let key = look.query_row([id], |row| {
                    Ok(DeletedServiceKey {
                        id,
                        key_identifier: row.get(0)?,
                        fingerprint: row.get(1)?,
                        sealed: row.get(2)?,
                    })
                });
                let Some(key) = key.optional()? else {
                    continue;
                };
                pool_state::forget_key(transaction, id)?;
                delete.execute((id, now_ms))?;
                deleted.push(key);
            }
            Ok(deleted)
        })
        .await
    }

    /// Brings deleted service keys back, with what was known of them but for their buckets; answers for each in its
    /// order.
    ///
    /// # Errors
    /// As any write; then none is back.
    pub async fn restore_service_keys(
        &self,
        keys: Vec<DeletedServiceKey>,
    ) -> Result<Vec<Restored>, StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| {
            keys.iter().map(|key| restore(transaction, key)).collect()
        })
        .await
    }
}

fn tag(connection: &Connection, change: &TagChange, tags_max: usize) -> Result<Tagged, StoreError> {
    let TagChange { id, added, removed } = change;
    let before: Option<String> = connection
        .prepare_cached("SELECT tags FROM service_keys WHERE id = ?1 AND deleted_at_ms IS NULL")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    let Some(before) = before else {
        return Ok(Tagged::Unknown);
    };
    let mut tags = read_tags(&before);
    let taken: Vec<String> = tags.extract_if(.., |tag| removed.contains(tag)).collect();
    let mut given = Vec::new();
    for tag in added {
        if !tags.contains(tag) {
            tags.push(tag.clone());
            given.push(tag.clone());
        }
    }
    if tags_max < tags.len() && !given.is_empty() {
        return Ok(Tagged::TooMany);
    }
    connection
        .prepare_cached("UPDATE service_keys SET tags = ?2 WHERE id = ?1")?
        .execute((id, written_tags(&tags)))?;
    Ok(Tagged::Changed(TagChange { id: *id, added: given, removed: taken }))
}

fn restore(connection: &Connection, key: &DeletedServiceKey) -> Result<Restored, StoreError> {
    let DeletedServiceKey { id, key_identifier, fingerprint, sealed } = key;
    let is_taken = connection
        .prepare_cached(
            "SELECT 1 FROM service_keys
             WHERE fingerprint = ?1 OR (key_identifier = ?2 AND deleted_at_ms IS NULL)",
        )?
        .exists((fingerprint, key_identifier))?;
    if is_taken {
        return Ok(Restored::Taken);
    }
    let restored = connection
        .prepare_cached(
            "UPDATE service_keys SET deleted_at_ms = NULL, fingerprint = ?2, sealed = ?3
             WHERE id = ?1 AND deleted_at_ms IS NOT NULL",
        )?
        .execute((id, fingerprint, sealed))?;
    if restored == 0 {
        return Ok(Restored::Unknown);
    }
    let key = service_keys::one(connection, *id)?;
    Ok(key.map_or(Restored::Unknown, |key| Restored::Restored(Box::new(key))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::service_keys::{Added, NewServiceKey};
    use crate::store::tests::TestStore;

    #[tokio::test]
    async fn a_switch_tells_whether_it_has_changed_anything() {
        let store = store_with(2).await;
        store.switch_service_keys(vec![1], false).await.unwrap();

        let switched = store.switch_service_keys(vec![1, 2, 3], false).await.unwrap();

        assert_eq!(
            switched,
            [Switched { id: 1, is_changed: false }, Switched { id: 2, is_changed: true }]
        );
    }

    #[tokio::test]
    async fn tags_are_given_and_taken_and_what_has_changed_undoes_it() {
        let store = store_with(1).await;
        let change = |added: &[&str], removed: &[&str]| TagChange {
            id: 1,
            added: added.iter().map(ToString::to_string).collect(),
            removed: removed.iter().map(ToString::to_string).collect(),
        };
        let tag =
            async |change| store.tag_service_keys(vec![change], 3).await.unwrap().pop().unwrap();
        let tags = async || store.service_key(1).await.unwrap().unwrap().tags;

        assert_eq!(
            tag(change(&["a", "b"], &["x"])).await,
            Tagged::Changed(change(&["a", "b"], &[]))
        );
        let swapped = tag(change(&["b", "c"], &["a"])).await;
        assert_eq!(swapped, Tagged::Changed(change(&["c"], &["a"])));
        assert_eq!(tags().await, ["b", "c"]);
        assert_eq!(tag(change(&["d", "e"], &[])).await, Tagged::TooMany);
        assert_eq!(tag(change(&["a"], &["c"])).await, Tagged::Changed(change(&["a"], &["c"])));
        assert_eq!(tags().await, ["b", "a"]);
        assert_eq!(tag(TagChange { id: 9, ..change(&[], &[]) }).await, Tagged::Unknown);
    }

    #[tokio::test]
    async fn a_deleted_key_comes_back_as_it_was_unless_another_has_its_place() {
        let store = store_with(3).await;
        let before = store.service_keys(0, 10).await.unwrap();

        let deleted = store.take_service_keys(vec![1, 2, 7], 5).await.unwrap();
        assert_eq!(deleted.iter().map(|key| key.id).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(store.service_keys(0, 10).await.unwrap(), before[2..]);
        let again = store.add_service_keys(vec![key(2)]).await.unwrap();
        assert!(matches!(again[..], [Added::Added { id: 4, .. }]));
        let restored = store.restore_service_keys(deleted.clone()).await.unwrap();
        assert_eq!(restored, [Restored::Restored(Box::new(before[0].clone())), Restored::Taken]);
        let twice = store.restore_service_keys(vec![deleted[0].clone()]).await.unwrap();
        assert_eq!(twice, [Restored::Taken]);

        let after = store.service_keys(0, 10).await.unwrap();
        assert_eq!((&after[0], &after[1]), (&before[0], &before[2]));
    }

    async fn store_with(count: u8) -> TestStore {
        let store = TestStore::new();
        store.add_service_keys((1..=count).map(key).collect()).await.unwrap();
        store
    }

    fn key(number: u8) -> NewServiceKey {
        NewServiceKey {
            sha256: [number; 32],
            fingerprint: [number; 32],
            brief: format!("AIza...{number}"),
            sealed: vec![number],
            provider: "gemini".to_owned(),
            project: String::new(),
            tier: 0,
            note: String::new(),
            tags: Vec::new(),
            created_at_ms: 1,
        }
    }
}
