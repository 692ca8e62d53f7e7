//! The keys that let us into the upstream.
//!
//! Always true: a secret is stored only sealed; two living keys never have the same secret nor the same identifier; a
//! deleted key has no secret left and stays known by its id, so that its log rows keep their name.

use std::fmt::Write as _;

use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;

use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::pool_state;
use crate::store::writer::Durability;

const IDENTIFIER_PREFIX: &str = "key_sha256_";
/// Hex digits of an identifier: eight, and four more for as long as another key has the same.
const IDENTIFIER_DIGITS: [usize; 15] = [8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64];

/// What [`service_key`] reads, in its order.
const COLUMNS: &str = "id, key_identifier, brief, sealed, provider, project, tier, note, tags, is_enabled, standing,
    standing_since_ms, standing_reason, probe_level, probe_at_ms, created_at_ms, last_at_ms, fingerprint";
/// The keys, each with its last use.
const WITH_USES: &str = "service_keys LEFT JOIN service_key_uses ON service_key_id = id";

/// A service key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceKey {
    /// Names the key for ever, also in the log.
    pub id: i64,
    /// `key_sha256_` and the first hex digits of the secret's hash: eight unless two keys share them.
    pub key_identifier: String,
    /// Keyed hash of the secret: tells duplicates, and is what the secret is sealed for.
    #[serde(skip)]
    pub fingerprint: [u8; 32],
    /// What people see of the secret.
    pub brief: String,
    /// The secret, encrypted.
    #[serde(skip)]
    pub sealed: Vec<u8>,
    /// Whose key it is, as `gemini`.
    pub provider: String,
    /// The project whose quota it uses; empty if it is alone.
    pub project: String,
    /// Keys of a lower tier are used first.
    pub tier: i64,
    /// A note of the administrator.
    pub note: String,
    /// Words of the administrator to find it by.
    pub tags: Vec<String>,
    /// False if an administrator has taken it out of use.
    pub is_enabled: bool,
    /// What the pool knows of it.
    pub standing: Standing,
    /// When it was added, in ms since the epoch.
    pub created_at_ms: i64,
    /// When it was last used, in ms since the epoch.
    pub last_used_at_ms: Option<i64>,
}

/// What the pool knows of a service key as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// `active`, `invalid`, `suspended`, `no_credit`.
    pub name: String,
    /// Since when, in ms since the epoch.
    pub since_ms: Option<i64>,
    /// Why, in the upstream's words without secrets.
    pub reason: String,
    /// How often a probe has failed since.
    pub probe_level: u32,
    /// When the next probe is due, in ms since the epoch.
    pub probe_at_ms: Option<i64>,
}

/// A service key that is about to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewServiceKey {
    /// SHA-256 of the secret; its first digits become the identifier and the rest is not kept.
    pub sha256: [u8; 32],
    /// Keyed hash of the secret: tells duplicates.
    pub fingerprint: [u8; 32],
    /// What people see of the secret.
    pub brief: String,
    /// The secret, encrypted.
    pub sealed: Vec<u8>,
    /// Whose key it is, as `gemini`.
    pub provider: String,
    /// The project whose quota it uses; empty if it is alone.
    pub project: String,
    /// Keys of a lower tier are used first.
    pub tier: i64,
    /// A note of the administrator.
    pub note: String,
    /// Words of the administrator to find it by.
    pub tags: Vec<String>,
    /// When it is added, in ms since the epoch.
    pub created_at_ms: i64,
}

/// Which part of all service keys is meant, by their age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartByAge {
    /// Whether they are counted from the latest on, or from the oldest.
    pub is_latest_first: bool,
    /// Keys before it.
    pub offset: u32,
    /// Keys in it at most.
    pub limit: u32,
}

/// What became of one key of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It is stored.
    Added {
        /// Its id.
        id: i64,
        /// Its identifier.
        key_identifier: String,
    },
    /// It was there already, or stands earlier in the list.
    Duplicate {
        /// The id of the key that is there.
        id: i64,
        /// The identifier of the key that is there.
        key_identifier: String,
    },
}

/// What is to become different in service keys; `None` leaves a value as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceKeyChange {
    /// Another note.
    pub note: Option<String>,
    /// Other tags.
    pub tags: Option<Vec<String>>,
    /// Another project; empty for none.
    pub project: Option<String>,
    /// Another tier.
    pub tier: Option<i64>,
    /// Takes the key into use or out of it.
    pub is_enabled: Option<bool>,
}

impl Store {
    /// Up to `limit` service keys with ids above `after`, in the order of ids: all of them, page by page, from 0 on.
    ///
    /// # Errors
    /// As any read.
    pub async fn service_keys(
        &self,
        after: i64,
        limit: u32,
    ) -> Result<Vec<ServiceKey>, StoreError> {
        self.read(move |connection| list(connection, after, limit)).await
    }

    /// Some of all service keys by age, and how many there are.
    ///
    /// # Errors
    /// As any read.
    pub async fn service_keys_by_age(
        &self,
        part: PartByAge,
    ) -> Result<(Vec<ServiceKey>, usize), StoreError> {
        self.read(move |connection| {
            let sql = "SELECT count(*) FROM service_keys WHERE deleted_at_ms IS NULL";
            let total: u32 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            Ok((by_age(connection, part)?, total as usize))
        })
        .await
    }

    /// One service key, unless it is deleted or was never there.
    ///
    /// # Errors
    /// As any read.
    pub async fn service_key(&self, id: i64) -> Result<Option<ServiceKey>, StoreError> {
        self.read(move |connection| one(connection, id)).await
    }

    /// The id behind an identifier.
    ///
    /// # Errors
    /// As any read.
    pub async fn service_key_id(&self, key_identifier: String) -> Result<Option<i64>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT id FROM service_keys
                       WHERE key_identifier = ?1 AND deleted_at_ms IS NULL";
            Ok(connection.query_row(sql, [key_identifier], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// The identifier of the key that has each of these fingerprints, in their order; `None` where there is none.
    ///
    /// # Errors
    /// As any read.
    pub async fn service_keys_of(
        &self,
        fingerprints: Vec<[u8; 32]>,
    ) -> Result<Vec<Option<String>>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection
                .prepare_cached("SELECT key_identifier FROM service_keys WHERE fingerprint = ?1")?;
            let mut found = Vec::with_capacity(fingerprints.len());
            for fingerprint in fingerprints {
                found.push(statement.query_row([fingerprint], |row| row.get(0)).optional()?);
            }
            Ok(found)
        })
        .await
    }

    /// Stores a list of service keys, durably and in one transaction, and answers for each in its order.
    ///
    /// # Errors
    /// As any write; then none is stored.
    pub async fn add_service_keys(
        &self,
        keys: Vec<NewServiceKey>,
    ) -> Result<Vec<Added>, StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| {
            keys.iter().map(|key| add(transaction, key)).collect()
        })
        .await
    }

    /// Changes service keys, durably and in one transaction; answers the ids that were found.
    ///
    /// # Errors
    /// As any write; then none is changed.
    pub async fn update_service_keys(
        &self,
        ids: Vec<i64>,
        change: ServiceKeyChange,
    ) -> Result<Vec<i64>, StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| {
            let tags = change.tags.as_deref().map(written_tags);
            let mut statement = transaction.prepare_cached(
                "UPDATE service_keys SET note = coalesce(?2, note), tags = coalesce(?3, tags),
                     project = coalesce(?4, project), tier = coalesce(?5, tier),
                     is_enabled = coalesce(?6, is_enabled)
                 WHERE id = ?1 AND deleted_at_ms IS NULL",
            )?;
            let ServiceKeyChange { note, project, tier, is_enabled, .. } = &change;
            found(ids, |id| Ok(statement.execute((id, note, &tags, project, tier, is_enabled))?))
        })
        .await
    }

    /// Deletes service keys with their secrets and buckets, durably and in one transaction; answers the ids that were
    /// found. Their log rows keep their brief.
    ///
    /// # Errors
    /// As any write; then none is deleted.
    pub async fn delete_service_keys(
        &self,
        ids: Vec<i64>,
        now_ms: i64,
    ) -> Result<Vec<i64>, StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| {
            let mut statement = transaction.prepare_cached(
                "UPDATE service_keys SET deleted_at_ms = ?2, sealed = NULL, fingerprint = NULL
                 WHERE id = ?1 AND deleted_at_ms IS NULL",
            )?;
            found(ids, |id| {
                pool_state::forget_key(transaction, id)?;
                Ok(statement.execute((id, now_ms))?)
            })
        })
        .await
    }
}

/// Enters a key unless its secret is there.
pub(super) fn add(connection: &Connection, key: &NewServiceKey) -> Result<Added, StoreError> {
    let duplicate = connection
        .prepare_cached("SELECT id, key_identifier FROM service_keys WHERE fingerprint = ?1")?
        .query_row([key.fingerprint], |row| {
            Ok(Added::Duplicate { id: row.get(0)?, key_identifier: row.get(1)? })
        })
        .optional()?;
    if let Some(duplicate) = duplicate {
        return Ok(duplicate);
    }
    let key_identifier = free_identifier(connection, &key.sha256)?;
    connection
        .prepare_cached(
            "INSERT INTO service_keys (key_identifier, fingerprint, brief, sealed, provider,
                 project, tier, note, tags, is_enabled, created_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, TRUE, ?10)",
        )?
        .execute((
            &key_identifier,
            key.fingerprint,
            &key.brief,
            &key.sealed,
            &key.provider,
            &key.project,
            key.tier,
            &key.note,
            written_tags(&key.tags),
            key.created_at_ms,
        ))?;
    Ok(Added::Added { id: connection.last_insert_rowid(), key_identifier })
}

fn free_identifier(connection: &Connection, sha256: &[u8; 32]) -> Result<String, StoreError> {
    let mut digits = String::with_capacity(64);
    for byte in sha256 {
        write!(digits, "{byte:02x}").map_err(|error| StoreError::Failed(Box::new(error)))?;
    }
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM service_keys WHERE key_identifier = ?1 AND deleted_at_ms IS NULL",
    )?;
    for length in IDENTIFIER_DIGITS {
        let identifier = format!("{IDENTIFIER_PREFIX}{}", digits.get(..length).unwrap_or(&digits));
        if !statement.exists([&identifier])? {
            return Ok(identifier);
        }
    }
    Err(StoreError::Failed("two keys with one SHA-256".into()))
}

/// Those ids for which `change` changed a row.
fn found(
    ids: Vec<i64>,
    mut change: impl FnMut(i64) -> Result<usize, StoreError>,
) -> Result<Vec<i64>, StoreError> {
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        if change(id)? == 1 {
            found.push(id);
        }
    }
    Ok(found)
}

fn list(connection: &Connection, after: i64, limit: u32) -> Result<Vec<ServiceKey>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {WITH_USES}
         WHERE ?1 < id AND deleted_at_ms IS NULL ORDER BY id LIMIT ?2"
    ))?;
    let keys = statement.query_map((after, limit), service_key)?;
    Ok(keys.collect::<Result<_, _>>()?)
}

fn by_age(connection: &Connection, part: PartByAge) -> Result<Vec<ServiceKey>, StoreError> {
    let order = if part.is_latest_first { "DESC" } else { "ASC" };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {WITH_USES} WHERE deleted_at_ms IS NULL
         ORDER BY id {order} LIMIT ?1 OFFSET ?2"
    ))?;
    let keys = statement.query_map((part.limit, part.offset), service_key)?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// One service key, unless it is deleted or was never there.
pub(super) fn one(connection: &Connection, id: i64) -> Result<Option<ServiceKey>, StoreError> {
    let first = list(connection, id.saturating_sub(1), 1)?.pop();
    Ok(first.filter(|key| key.id == id))
}

fn service_key(row: &Row<'_>) -> rusqlite::Result<ServiceKey> {
    Ok(ServiceKey {
        id: row.get(0)?,
        key_identifier: row.get(1)?,
        brief: row.get(2)?,
        sealed: row.get(3)?,
        provider: row.get(4)?,
        project: row.get(5)?,
        tier: row.get(6)?,
        note: row.get(7)?,
        tags: read_tags(&row.get::<_, String>(8)?),
        is_enabled: row.get(9)?,
        standing: Standing {
            name: row.get(10)?,
            since_ms: row.get(11)?,
            reason: row.get(12)?,
            probe_level: row.get(13)?,
            probe_at_ms: row.get(14)?,
        },
        created_at_ms: row.get(15)?,
        last_used_at_ms: row.get(16)?,
        fingerprint: row.get(17)?,
    })
}

/// Tags as one column: a line each. A line break within a tag becomes a space.
pub(super) fn written_tags(tags: &[String]) -> String {
    let lines: Vec<_> = tags.iter().map(|tag| tag.replace(['\r', '\n'], " ")).collect();
    lines.join("\n")
}

pub(super) fn read_tags(written: &str) -> Vec<String> {
    written.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::TestStore;

    #[tokio::test]
    async fn each_key_of_a_list_is_answered_for() {
        let store = TestStore::new();
        store.add_service_keys(vec![key(1)]).await.unwrap();

        let answers = store.add_service_keys(vec![key(2), key(1), key(2), key(3)]).await.unwrap();

        let duplicate = |id: i64, digits: &str| Added::Duplicate {
            id,
            key_identifier: format!("key_sha256_{digits}"),
        };
        let added = |id: i64, digits: &str| Added::Added {
            id,
            key_identifier: format!("key_sha256_{digits}"),
        };
        assert_eq!(
            answers,
            [
                added(2, "02020202"),
                duplicate(1, "01010101"),
                duplicate(2, "02020202"),
                added(3, "03030303"),
            ]
        );
    }

    #[tokio::test]
    async fn keys_whose_hashes_begin_alike_get_longer_identifiers() {
        let store = TestStore::new();
        let mut alike = key(1);
        alike.sha256[5] = 0xff;
        alike.fingerprint = [9; 32];

        let answers = store.add_service_keys(vec![key(1), alike]).await.unwrap();

        let longer = "key_sha256_0101010101ff".to_owned();
        assert_eq!(answers[1], Added::Added { id: 2, key_identifier: longer.clone() });
        assert_eq!(store.service_key_id(longer).await.unwrap(), Some(2));
    }

    #[tokio::test]
    async fn a_change_touches_only_what_it_names_and_answers_what_it_found() {
        let store = TestStore::new();
        store.add_service_keys(vec![key(1), key(2)]).await.unwrap();
        let before = store.service_key(1).await.unwrap().unwrap();
        let change = ServiceKeyChange {
            note: Some("'; DROP TABLE service_keys; --".to_owned()),
            tags: Some(vec!["paid".to_owned(), "eu".to_owned()]),
            is_enabled: Some(false),
            ..Default::default()
        };

        let found = store.update_service_keys(vec![1, 77], change.clone()).await.unwrap();

        assert_eq!(found, [1]);
        assert_eq!(
            store.service_key(1).await.unwrap().unwrap(),
            ServiceKey {
                note: change.note.unwrap(),
                tags: change.tags.unwrap(),
                is_enabled: false,
                ..before
            }
        );
        assert!(store.service_key(2).await.unwrap().unwrap().is_enabled);
    }

    #[tokio::test]
    async fn a_deleted_key_leaves_no_secret_and_can_be_added_again() {
        let store = TestStore::new();
        store.add_service_keys(vec![key(1), key(2)]).await.unwrap();

        let found = store.delete_service_keys(vec![1, 1, 5], 9).await.unwrap();
        let again = store.add_service_keys(vec![key(1)]).await.unwrap();

        assert_eq!(found, [1]);
        assert!(matches!(again[0], Added::Added { id: 3, .. }));
        assert_eq!(store.service_key(1).await.unwrap(), None);
        let ids: Vec<_> =
            store.service_keys(0, 10).await.unwrap().iter().map(|key| key.id).collect();
        assert_eq!(ids, [2, 3]);
        let ids: Vec<_> =
            store.service_keys(2, 10).await.unwrap().iter().map(|key| key.id).collect();
        assert_eq!(ids, [3]);
    }

    fn key(number: u8) -> NewServiceKey {
        NewServiceKey {
            sha256: [number; 32],
            fingerprint: [number; 32],
            brief: "AIza...ok01".to_owned(),
            sealed: vec![number; 60],
            provider: "gemini".to_owned(),
            project: String::new(),
            tier: 0,
            note: String::new(),
            tags: Vec::new(),
            created_at_ms: 1,
        }
    }
}
