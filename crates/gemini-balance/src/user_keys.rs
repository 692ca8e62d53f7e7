//! The keys of our callers: in memory for the data plane, written through to the store.
//!
//! A key is known by its keyed hash alone; looking it up takes one hash of the credential and
//! one table access, whatever the credential is, and never waits. Commands are durable before
//! they are answered, and take effect at once.
//!
//! A key lets in with `sk-` before it as well: some clients accept no other keys, and one-api and
//! new-api, whose tokens may have been taken over, hand them out like that and store them without.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use crate::random::{RandomError, random_user_key};
use crate::secret::Secret;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::user_keys::{NewUserKey, UserKey as Row, UserKeyChange};
use crate::vault::Vault;

/// What some clients want before every key.
const CLIENTS_PREFIX: &str = "sk-";

/// A caller, as the data plane knows it.
#[derive(Debug)]
pub struct UserKey {
    /// Its row in the store.
    pub id: i64,
    /// The name an admin gave it.
    pub name: Arc<str>,
    is_enabled: bool,
    /// In ms since the epoch.
    expires_at_ms: Option<i64>,
    hash: [u8; 32],
    ended: CancellationToken,
}

impl UserKey {
    /// The signal that it lets in no more, since it was deleted, disabled or given another secret. Its
    /// expiry is not told so.
    pub fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Whether another reading of the same row still lets in whoever this one did.
    fn is(&self, other: &Self) -> bool {
        self.id == other.id && self.is_enabled == other.is_enabled
    }
}

/// The user keys.
#[derive(Debug)]
pub struct UserKeys {
    by_hash: ArcSwap<HashMap<[u8; 32], Arc<UserKey>>>,
    /// Held by a command from its write to the swap, so that two cannot undo each other.
    command: tokio::sync::Mutex<()>,
    store: Store,
    vault: Arc<Vault>,
}

/// Why a user key was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The store's word, above all that the name is taken.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No random bytes for the key.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl UserKeys {
    /// Reads all keys.
    ///
    /// # Errors
    ///
    /// As any read of the store.
    pub async fn load(store: Store, vault: Arc<Vault>) -> Result<Self, StoreError> {
        let keys = Self {
            by_hash: ArcSwap::default(),
            command: tokio::sync::Mutex::default(),
            store,
            vault,
        };
        keys.reload().await?;
        Ok(keys)
    }

    /// The caller behind a credential, if it may come in at `wall_ms`.
    ///
    /// What is compared is a keyed hash, so the time it takes says nothing about any key.
    pub fn authenticate(&self, credential: &str, wall_ms: i64) -> Option<Arc<UserKey>> {
        let key = self.find(credential)?;
        let is_live = key.expires_at_ms.is_none_or(|end| wall_ms < end);
        (key.is_enabled && is_live).then_some(key)
    }

    fn find(&self, credential: &str) -> Option<Arc<UserKey>> {
        let keys = self.by_hash.load();
        let find = |spelling: &str| keys.get(&self.vault.hash_user_key(spelling)).map(Arc::clone);
        find(credential).or_else(|| credential.strip_prefix(CLIENTS_PREFIX).and_then(find))
    }

    /// The key of this row, if it may come in at `wall_ms`.
    pub fn live(&self, id: i64, wall_ms: i64) -> Option<Arc<UserKey>> {
        let keys = self.by_hash.load();
        let key = keys.values().find(|key| key.id == id)?;
        let is_live = key.expires_at_ms.is_none_or(|end| wall_ms < end);
        (key.is_enabled && is_live).then(|| Arc::clone(key))
    }

    /// Whether a key that has let in may still do so at `wall_ms`.
    pub fn is_live(&self, key: &UserKey, wall_ms: i64) -> bool {
        let keys = self.by_hash.load();
        let now = keys.get(&key.hash).filter(|now| now.id == key.id);
        now.is_some_and(|now| now.is_enabled && now.expires_at_ms.is_none_or(|end| wall_ms < end))
    }

    /// The row behind a full key, as the predecessor's scripts name keys.
    pub fn id_of(&self, credential: &str) -> Option<i64> {
        self.find(credential).map(|key| key.id)
    }

    /// Looks what has been taken over from elsewhere.
    ///
    /// # Errors
    ///
    /// As any read of the store.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let _command = self.command.lock().await;
        self.reload().await
    }

    /// Makes a key. The secret is answered here and never again.
    ///
    /// # Errors
    ///
    /// [`CreateError`], above all a name that is taken.
    pub async fn create(
        &self,
        name: String,
        note: String,
        expires_at_ms: Option<i64>,
        wall_ms: i64,
    ) -> Result<(Row, Secret), CreateError> {
        let secret = random_user_key()?;
        let new = NewUserKey {
            name,
            hash: self.vault.hash_user_key(secret.expose()),
            brief: secret.brief(),
            note,
            is_enabled: true,
            created_at_ms: wall_ms,
            expires_at_ms,
        };
        let _command = self.command.lock().await;
        let row = self.store.create_user_key(new).await?;
        self.reload().await?;
        Ok((row, secret))
    }

    /// Changes a key; `None` if there is none with this id.
    ///
    /// # Errors
    ///
    /// As any write of the store, above all a name that is taken.
    pub async fn update(&self, id: i64, change: UserKeyChange) -> Result<Option<Row>, StoreError> {
        let _command = self.command.lock().await;
        let row = self.store.update_user_key(id, change).await?;
        self.reload().await?;
        Ok(row)
    }

    /// Gives a key another secret, which is answered here and never again; `None` if there is none
    /// with this id.
    ///
    /// # Errors
    ///
    /// [`CreateError`]; then the secret is the same as before.
    pub async fn rotate(&self, id: i64) -> Result<Option<(Row, Secret)>, CreateError> {
        let secret = random_user_key()?;
        let hash = self.vault.hash_user_key(secret.expose());
        let _command = self.command.lock().await;
        let row = self.store.rotate_user_key(id, hash, secret.brief()).await?;
        self.reload().await?;
        Ok(row.map(|row| (row, secret)))
    }

    /// Deletes a key; false if there is none with this id.
    ///
    /// # Errors
    ///
    /// As any write of the store.
    pub async fn delete(&self, id: i64, wall_ms: i64) -> Result<bool, StoreError> {
        let _command = self.command.lock().await;
        let is_deleted = self.store.delete_user_key(id, wall_ms).await?;
        self.reload().await?;
        Ok(is_deleted)
    }

    /// Replaces the table with what the store has, and ends what let in before and does not any more.
    /// There are thousands of users at most and commands are rare, so the simplest way is fast enough.
    async fn reload(&self) -> Result<(), StoreError> {
        let rows = self.store.user_keys().await?;
        let before = self.by_hash.load_full();
        let table = rows.into_iter().map(|row| {
            let mut key = UserKey {
                ended: CancellationToken::new(),
                hash: row.hash,
                id: row.id,
                name: row.name.into(),
                is_enabled: row.is_enabled,
                expires_at_ms: row.expires_at_ms,
            };
            if let Some(same) = before.get(&row.hash).filter(|same| same.is(&key)) {
                key.ended = same.ended.clone();
            }
            (row.hash, Arc::new(key))
        });
        let table: HashMap<_, _> = table.collect();
        self.by_hash.store(Arc::new(table));
        let now = self.by_hash.load();
        let ended = before.values().filter(|key| now.get(&key.hash).is_none_or(|it| !key.is(it)));
        ended.for_each(|key| key.ended.cancel());
        Ok(())
    }
}
