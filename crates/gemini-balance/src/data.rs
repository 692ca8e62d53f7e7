//! What a start finds in the data directory, opened and checked in the one order that loses
//! nothing: secrets, database, the proof that both belong together, the admin's password.
//!
//! A change of the master key or a restored backup that died half way is carried to its end first, or
//! taken back.

use std::sync::Arc;

use anyhow::Context;

use crate::clock::Clock;
use crate::config::Config;
use crate::password;
use crate::random;
use crate::secret::Secret;
use crate::store::Store;
use crate::store::open::OpenOptions;
use crate::store::reseal::USER_KEY_HASH;
use crate::store::sessions::Admin;
use crate::vault::{GivenSecrets, RootSecrets, Vault, WhenAbsent};

/// The opened data directory.
#[derive(Debug)]
pub struct Data {
    /// What seals and hashes secrets.
    pub vault: Arc<Vault>,
    /// The database.
    pub store: Store,
}

/// Opens the data directory, making what is missing at the first start.
///
/// # Errors
///
/// Anything that does not belong together or cannot be used, in words that say what to do.
/// Nothing has been overwritten then.
pub async fn open(config: &Config, clock: &Clock) -> anyhow::Result<Data> {
    let path = config.storage.database();
    settle(config).await?;
    let when_absent = if path.exists() { WhenAbsent::Refuse } else { WhenAbsent::Create };
    let given = GivenSecrets {
        master: config.admin.encryption_key.as_ref(),
        token: config.admin.secret_key.as_ref(),
    };
    let data_dir = config.storage.data_dir.clone();
    let vault = Vault::open(&data_dir, given, when_absent)?;
    let options = OpenOptions {
        backup_dir: data_dir.join("backups"),
        path,
        now_ms: clock.wall_ms(),
        proof: vault.check_value(),
    };
    let opening = tokio::task::spawn_blocking(move || Store::open(&options));
    let store = opening.await.context("opening the database failed")??;
    let vault = match store.meta(USER_KEY_HASH).await? {
        Some(sealed) => vault.with_user_key_hash(&sealed)?,
        None => vault,
    };
    Ok(Data { vault: Arc::new(vault), store })
}

/// Carries a change of both files to its end that died between them, or takes it back: the database
/// says which.
async fn settle(config: &Config) -> anyhow::Result<()> {
    let data_dir = config.storage.data_dir.clone();
    if !RootSecrets::are_waiting(&data_dir) {
        return Ok(());
    }
    let path = config.storage.database();
    let settling = tokio::task::spawn_blocking(move || {
        let proof = Store::proof(&path)?;
        RootSecrets::settle(&data_dir, proof)?;
        anyhow::Ok(())
    });
    settling.await.context("settling the secrets failed")?
}

/// Makes sure that there is an admin password, and answers the one that was made because none
/// was given. It is stored hashed and can be shown only now.
///
/// # Errors
///
/// The store's, the hasher's or the system's generator's.
pub async fn ensure_password(
    store: &Store,
    given: Option<&Secret>,
    clock: &Clock,
) -> anyhow::Result<Option<Secret>> {
    let known = store.admin().await?;
    let (secret, is_made) = match (given, &known) {
        (None, Some(_)) => return Ok(None),
        (None, None) => (random::random_password()?, true),
        (Some(given), _) => (given.clone(), false),
    };
    let shown = is_made.then(|| secret.clone());
    let hashing = tokio::task::spawn_blocking(move || match known {
        Some(admin) if password::verify(&secret, &admin.password_hash)? => Ok(None),
        Some(_) | None => password::hash(&secret).map(Some),
    });
    // A password that has not changed keeps its sessions.
    if let Some(password_hash) = hashing.await.context("hashing the password failed")?? {
        store.set_admin(Admin { password_hash, changed_at_ms: clock.wall_ms() }).await?;
    }
    Ok(shown)
}
