//! Putting everything that is sealed under another master key.
//!
//! Always true: the sealed secrets, the proof of the master key and what is kept for the user keys
//! change in one transaction, so that a database belongs to exactly one master key.

use rusqlite::Transaction;

use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::open::PROOF;
use crate::store::writer::Durability;

/// The name under which the key of the user keys' hash is kept, sealed, once the master key is not the first one.
pub const USER_KEY_HASH: &str = "user_key_hash";

/// A service key as it is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// Keyed hash of the secret: what it is sealed for.
    pub fingerprint: [u8; 32],
    /// The secret, encrypted.
    pub sealed: Vec<u8>,
}

/// What stands for the new master key in the database.
#[derive(Debug, Clone)]
pub struct NewProof {
    /// What the master key proves itself with.
    pub proof: [u8; 32],
    /// The key of the user keys' hash, sealed under it.
    pub user_key_hash: Vec<u8>,
}

/// What became of the service keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resealed {
    /// Sealed anew.
    pub keys: usize,
    /// Not readable before, and left as they are.
    pub unreadable: usize,
}

impl Store {
    /// Has `reseal` seal each service key anew, and keeps the proof of the new master key. A key for
    /// which it answers `None` could not be read and stays as it is.
    ///
    /// # Errors
    /// As any write, or what `reseal` reports; then everything is as it was.
    pub async fn reseal(
        &self,
        new: NewProof,
        reseal: impl FnMut(&SealedKey) -> Result<Option<SealedKey>, StoreError> + Send + 'static,
    ) -> Result<Resealed, StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| run(transaction, &new, reseal)).await
    }
}

fn run(
    transaction: &Transaction<'_>,
    new: &NewProof,
    mut reseal: impl FnMut(&SealedKey) -> Result<Option<SealedKey>, StoreError>,
) -> Result<Resealed, StoreError> {
    // What a leaked key opens shall not lie in the free parts of a page.
    transaction.pragma_update(None, "secure_delete", true)?;
    let mut resealed = Resealed { keys: 0, unreadable: 0 };
    for (id, key) in sealed_keys(transaction)? {
        let Some(key) = reseal(&key)? else {
            resealed.unreadable += 1;
            continue;
        };
        transaction
            .prepare_cached("UPDATE service_keys SET fingerprint = ?2, sealed = ?3 WHERE id = ?1")?
            .execute((id, key.fingerprint, key.sealed))?;
        resealed.keys += 1;
    }
    let mut keep = transaction.prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?;
    keep.execute((PROOF, new.proof))?;
    keep.execute((USER_KEY_HASH, &new.user_key_hash))?;
    Ok(resealed)
}

fn sealed_keys(transaction: &Transaction<'_>) -> Result<Vec<(i64, SealedKey)>, StoreError> {
    let sql = "SELECT id, fingerprint, sealed FROM service_keys
               WHERE sealed IS NOT NULL AND fingerprint IS NOT NULL";
    let mut statement = transaction.prepare(sql)?;
    let keys = statement.query_map([], |row| {
        Ok((row.get(0)?, SealedKey { fingerprint: row.get(1)?, sealed: row.get(2)? }))
    })?;
    Ok(keys.collect::<Result<_, _>>()?)
}
