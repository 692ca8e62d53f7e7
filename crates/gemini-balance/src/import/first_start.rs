//! The first start: what the predecessor has left is taken over before anything is served.
//!
//! It is the first start for as long as there is no key, user or log row here and nothing was taken
//! over. A start that was killed in the midst of it has left nothing, so the next one does the same.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::config::Config;
use crate::import::old_file::SCRATCH_PREFIX;
use crate::import::taking::MARK;
use crate::import::{Findings, MoveError, Progress, Report, Source, read_file, take};
use crate::store::Store;
use crate::vault::Vault;

/// How often it is said how far the log is.
const SAID_EVERY: Duration = Duration::from_secs(5);

/// Takes over the predecessor's database, if this is the first start and there is one.
///
/// # Errors
///
/// It is the predecessor's and cannot be taken over; nothing has been changed then.
pub async fn at_first_start(
    config: &Config,
    store: &Store,
    vault: &Arc<Vault>,
    now_ms: i64,
) -> anyhow::Result<Option<Report>> {
    let path = &config.storage.predecessor_database;
    if !path.is_file() || !is_blank(store).await? {
        return Ok(None);
    }
    let advice = || {
        format!(
            "{} lies where the Python version kept its database, and cannot be taken over; mend \
             it, or move it away to start without it",
            path.display()
        )
    };
    let findings = match read(path.clone(), config.storage.data_dir.clone(), now_ms).await? {
        Ok(findings) if findings.source == Source::Predecessor => findings,
        Ok(findings) => {
            tracing::warn!(
                path = %path.display(),
                "this comes from {}; to take it over: gemini-balance import FILE",
                findings.source.words()
            );
            return Ok(None);
        }
        Err(error) if error.is_of_something_else() => {
            tracing::warn!(path = %path.display(), "this is left alone: {error}");
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(advice),
    };
    let rows = findings.log_rows();
    tracing::info!(path = %path.display(), rows, "taking over what the Python version has left");
    let progress = Progress::default();
    let taking = take(findings, store, vault, now_ms, progress.clone());
    tokio::pin!(taking);
    let taken = loop {
        tokio::select! {
            taken = &mut taking => break taken.with_context(advice)?,
            () = tokio::time::sleep(SAID_EVERY) => {
                tracing::info!(done = progress.done(), rows, "taking over log rows");
            }
        }
    };
    for line in taken.report.lines() {
        tracing::info!("{line}");
    }
    Ok(Some(taken.report))
}

async fn read(
    path: PathBuf,
    scratch: PathBuf,
    now_ms: i64,
) -> anyhow::Result<Result<Findings, MoveError>> {
    let reading = tokio::task::spawn_blocking(move || read_file(&path, &scratch, now_ms));
    reading.await.context("reading it failed")
}

/// Whether there is nothing here that could be in the way.
async fn is_blank(store: &Store) -> anyhow::Result<bool> {
    if store.meta(MARK).await?.is_some() {
        return Ok(false);
    }
    let size = store.size().await?;
    Ok(size.user_keys == 0 && size.service_keys == 0 && size.log_rows == 0)
}

/// Removes copies that a process has left that was killed while it read one.
pub fn sweep(data_dir: &Path) {
    let Ok(entries) = std::fs::read_dir(data_dir) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let is_copy = entry.file_name().to_string_lossy().starts_with(SCRATCH_PREFIX);
        if is_copy && let Err(error) = std::fs::remove_dir_all(entry.path()) {
            tracing::warn!(%error, path = %entry.path().display(), "a copy of an old database is left; delete it");
        }
    }
}
