//! `gemini-balance rotate-key`: everything sealed under another master key.
//!
//! Two files belong together, the database and `secrets`. The new secrets are written first and wait;
//! then the database changes, in one transaction; then they take their place. Whoever finds both sets
//! goes by what the database says, so that a death at any point leaves one key in force.

use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};

use crate::cli::say;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::forbidden;
use crate::data::{self, Data};
use crate::pool::seal_context;
use crate::secret::Secret;
use crate::store::error::StoreError;
use crate::store::open::PROOF;
use crate::store::reseal::{NewProof, Resealed, SealedKey};
use crate::vault::{MasterKey, RootSecrets, Successor, Vault, VaultError};

pub(super) async fn rotate(config: &Config, clock: &Clock) -> anyhow::Result<ExitCode> {
    if !config.storage.database().exists() {
        bail!("there is no database yet, and so nothing to seal anew");
    }
    let configured = match &config.admin.encryption_key {
        Some(former) => Some(read_next(former)?),
        None => None,
    };
    let data = data::open(config, clock).await?;
    let changed = change(&data, &config.storage.data_dir, configured.as_ref()).await;
    data.store.close().await;
    let Resealed { keys, unreadable } = changed?;
    say(&format!("{keys} service keys are sealed under a new master key; user keys go on working"));
    if configured.is_some() {
        say("set ENCRYPTION_KEY to the new one before the next start");
    }
    say("copies and backups made before open only with the former key");
    if 0 < unreadable {
        say(&format!(
            "{unreadable} service keys could not be read before and stay so: add them again"
        ));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// The next `ENCRYPTION_KEY`, from standard input: arguments end up in the shell's history.
fn read_next(former: &Secret) -> anyhow::Result<Secret> {
    if std::io::stdin().is_terminal() {
        say("New ENCRYPTION_KEY, at least 32 bytes, such as `openssl rand -hex 32` makes:");
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("cannot read standard input")?;
    let next = Secret::new(line.trim_end_matches(['\r', '\n']));
    if let Some(problem) = forbidden::signing_secret_problem(next.expose()) {
        bail!("the new ENCRYPTION_KEY {problem}");
    }
    if next == *former {
        bail!("the new ENCRYPTION_KEY is the one that is in force");
    }
    Ok(next)
}

/// Seals everything under another master key: the configured one, or a random one that is kept in the
/// file `secrets`.
async fn change(
    data: &Data,
    data_dir: &Path,
    configured: Option<&Secret>,
) -> anyhow::Result<Resealed> {
    let master = configured.map_or_else(MasterKey::random, |secret| Ok(MasterKey::of(secret)))?;
    if configured.is_none() {
        let secrets = RootSecrets::of(data_dir)?.context("there is no file `secrets`")?;
        secrets.with_master(&master).await_turn(data_dir)?;
    }
    let Successor { vault: next, user_key_hash } = data.vault.successor(&master)?;
    let new = NewProof { proof: next.check_value(), user_key_hash };
    let former = Arc::clone(&data.vault);
    let resealed = data.store.reseal(new, move |key| resealed(&former, &next, key)).await;
    if configured.is_none() {
        // By what the database says: an error may have come behind its commit.
        let kept = data.store.meta(PROOF).await?.and_then(|kept| kept.try_into().ok());
        RootSecrets::settle(data_dir, kept)?;
    }
    Ok(resealed?)
}

/// A service key under the next master key; `None` if it does not open under the former.
fn resealed(
    former: &Vault,
    next: &Vault,
    key: &SealedKey,
) -> Result<Option<SealedKey>, StoreError> {
    let Ok(secret) = former.unseal(&seal_context(&key.fingerprint), &key.sealed) else {
        return Ok(None);
    };
    let fingerprint = next.fingerprint_service_key(&secret);
    let failed = |error: VaultError| StoreError::Failed(Box::new(error));
    let sealed = next.seal(&seal_context(&fingerprint), &secret).map_err(failed)?;
    Ok(Some(SealedKey { fingerprint, sealed }))
}
