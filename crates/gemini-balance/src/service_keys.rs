//! Bringing service keys in: lines of text become sealed rows and members of the pool.
//!
//! A whole list is one transaction with a result per line. Nothing of a key is echoed but its
//! brief.

use std::collections::HashSet;
use std::sync::Arc;

use keypool::{KeyId, KeyRecord};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::pool::{KeyPool, ServiceKey, seal_context};
use crate::secret::Secret;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::service_keys::{Added, NewServiceKey};
use crate::vault::{Vault, VaultError};

/// Shortest key that is taken for one: what is shorter is a typing mistake.
const KEY_BYTES_MIN: usize = 8;
/// Longest key; Google's have 39 and 53 characters, other upstreams' up to 200.
const KEY_BYTES_MAX: usize = 512;
/// The only provider there is so far.
const PROVIDER: &str = "gemini";

/// What all keys of a list have in common.
#[derive(Debug, Clone, Default)]
pub struct Common {
    /// The project whose quota they share; empty if each is alone.
    pub project: String,
    /// Keys of a lower tier serve first.
    pub tier: u8,
    /// A note of the admin.
    pub note: String,
    /// Words to find them by.
    pub tags: Vec<String>,
}

/// What became of one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum LineResult {
    /// The key is stored and serves.
    Added {
        /// Its row.
        #[serde(skip)]
        id: i64,
        /// Its name in the API.
        key_identifier: String,
        /// Its first and last characters.
        brief: String,
    },
    /// The key is there already, or stands earlier in the list.
    Duplicate {
        /// The name of the key that is there.
        key_identifier: String,
        /// Its first and last characters.
        brief: String,
    },
    /// The line is no key.
    Invalid {
        /// Why.
        reason: &'static str,
    },
}

/// Why a list was not taken; nothing of it is stored then.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// The store's word.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys could not be sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Checks a line and takes it for a key.
///
/// # Errors
///
/// Why it is none.
pub(crate) fn parse(line: &str) -> Result<Secret, &'static str> {
    let key = line.trim();
    if key.is_empty() {
        return Err("empty");
    }
    if key.len() < KEY_BYTES_MIN {
        return Err("too short for a key");
    }
    if key.len() > KEY_BYTES_MAX {
        return Err("too long for a key");
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("holds a space or a character that no key has");
    }
    Ok(Secret::new(key))
}

/// Stores a list of keys and hands the new ones to the pool, if there is one.
///
/// # Errors
///
/// [`AddError`]; then none is stored.
///
/// # Cancellation
///
/// Dropped before its end, the keys may be stored but serve only after a restart: callers that
/// may vanish run it in a task.
pub async fn add(
    store: &Store,
    vault: &Arc<Vault>,
    pool: Option<&Arc<KeyPool>>,
    lines: Vec<String>,
    common: Common,
    now_ms: i64,
) -> Result<Vec<LineResult>, AddError> {
    let parsed: Vec<_> = lines.iter().map(|line| parse(line)).collect();
    let secrets: Vec<Secret> = parsed.iter().filter_map(|line| line.clone().ok()).collect();
    let sealed = seal_all(Arc::clone(vault), secrets.clone(), common.clone(), now_ms).await?;
    let added = store.add_service_keys(sealed).await?;
    if let Some(pool) = pool {
        pool.add_all(new_members(pool, &secrets, &added, &common));
    }
    let mut outcomes = secrets.iter().zip(added);
    let results = parsed.into_iter().map(|line| match line {
        Err(reason) => LineResult::Invalid { reason },
        Ok(_) => match outcomes.next() {
            Some((secret, Added::Added { id, key_identifier })) => {
                LineResult::Added { id, key_identifier, brief: secret.brief() }
            }
            Some((secret, Added::Duplicate { key_identifier, .. })) => {
                LineResult::Duplicate { key_identifier, brief: secret.brief() }
            }
            None => LineResult::Invalid { reason: "not stored" },
        },
    });
    Ok(results.collect())
}

/// What would become of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineCheck {
    /// The key would be added.
    New {
        /// Its first and last characters.
        brief: String,
    },
    /// The key is there already, or stands earlier in the list.
    Duplicate {
        /// The name of the key that is there.
        key_identifier: Option<String>,
        /// Its first and last characters.
        brief: String,
    },
    /// The line is no key.
    Invalid {
        /// Why.
        reason: &'static str,
    },
}

/// Looks what [`add`] would make of some lines, and changes nothing. `seen` holds what stands
/// earlier in the same list.
///
/// # Errors
///
/// As any read of the store.
pub async fn examine(
    store: &Store,
    vault: &Vault,
    lines: &[String],
    seen: &mut HashSet<[u8; 32]>,
) -> Result<Vec<LineCheck>, StoreError> {
    let parsed: Vec<_> = lines.iter().map(|line| parse(line)).collect();
    let keys = parsed.iter().flatten();
    let fingerprints: Vec<_> = keys.map(|key| vault.fingerprint_service_key(key)).collect();
    let known = store.service_keys_of(fingerprints.clone()).await?;
    let mut known = fingerprints.into_iter().zip(known);
    let checks = parsed.into_iter().map(|line| {
        let (secret, (fingerprint, key_identifier)) = match (line, &mut known) {
            (Err(reason), _) => return LineCheck::Invalid { reason },
            (Ok(secret), known) => match known.next() {
                Some(known) => (secret, known),
                None => return LineCheck::Invalid { reason: "not looked up" },
            },
        };
        let brief = secret.brief();
        let is_first = seen.insert(fingerprint);
        match key_identifier {
            None if is_first => LineCheck::New { brief },
            key_identifier => LineCheck::Duplicate { key_identifier, brief },
        }
    });
    Ok(checks.collect())
}

/// Encrypts on a thread that may be busy for a while.
async fn seal_all(
    vault: Arc<Vault>,
    secrets: Vec<Secret>,
    common: Common,
    now_ms: i64,
) -> Result<Vec<NewServiceKey>, VaultError> {
    let sealing = tokio::task::spawn_blocking(move || {
        secrets.iter().map(|secret| seal(&vault, secret, &common, now_ms)).collect()
    });
    sealing.await.unwrap_or(Err(VaultError::Sealed))
}

/// A key as it is stored.
///
/// # Errors
///
/// When there are no random bytes for it.
pub(crate) fn seal(
    vault: &Vault,
    secret: &Secret,
    common: &Common,
    now_ms: i64,
) -> Result<NewServiceKey, VaultError> {
    let fingerprint = vault.fingerprint_service_key(secret);
    Ok(NewServiceKey {
        sha256: Sha256::digest(secret.expose()).into(),
        brief: secret.brief(),
        sealed: vault.seal(&seal_context(&fingerprint), secret)?,
        fingerprint,
        provider: PROVIDER.to_owned(),
        project: common.project.clone(),
        tier: i64::from(common.tier),
        note: common.note.clone(),
        tags: common.tags.clone(),
        created_at_ms: now_ms,
    })
}

fn new_members(
    pool: &KeyPool,
    secrets: &[Secret],
    added: &[Added],
    common: &Common,
) -> Vec<(ServiceKey, KeyRecord)> {
    let members = secrets.iter().zip(added).filter_map(|(secret, added)| {
        let Added::Added { id, key_identifier } = added else {
            return None;
        };
        let id = KeyId(id.cast_unsigned());
        let key = ServiceKey {
            id,
            brief: secret.brief(),
            identifier: key_identifier.clone(),
            secret: secret.clone(),
        };
        let record = KeyRecord {
            project: Some(common.project.clone()).filter(|label| !label.is_empty()),
            tier: common.tier,
            ..KeyRecord::new(id, pool.now())
        };
        Some((key, record))
    });
    members.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_trimmed_and_anything_that_no_key_holds_is_refused() {
        let accepted = parse(" AIzaSyExample-0123456789_abcdefghijklmn \r\n").unwrap();

        assert_eq!(accepted.expose(), "AIzaSyExample-0123456789_abcdefghijklmn");
        for (line, reason) in [
            ("", "empty"),
            (" \t", "empty"),
            ("short", "too short for a key"),
            ("AIza Sy with a space", "holds a space or a character that no key has"),
            ("AIzaSyÜmlautKeyÜmlaut", "holds a space or a character that no key has"),
            ("AIzaSy\r\nx-evil: 1234", "holds a space or a character that no key has"),
        ] {
            assert_eq!(parse(line).unwrap_err(), reason, "{line:?}");
        }
        assert_eq!(parse(&"k".repeat(4096)).unwrap_err(), "too long for a key");
    }
}
