//! Copies of the whole database, taken while it is in use.
//!
//! Always true: a file with a backup's final name is complete, sound and on the disk.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::open::{self, APPLICATION_ID, OpenOptions};

const EXTENSION: &str = "backup";

impl Store {
    /// Copies the database to `destination`, which must be on a local disk; an existing file is replaced.
    ///
    /// The copy holds everything that was written before the call. Writers go on meanwhile.
    ///
    /// # Errors
    /// If the destination cannot be written, or as any read.
    pub async fn backup(&self, destination: PathBuf) -> Result<(), StoreError> {
        self.read_connection(move |connection| copy(connection, &destination)).await
    }

    /// Copies the database at `source`, which may be in use by another process, to `destination`.
    ///
    /// # Errors
    /// If either file cannot be used.
    pub fn backup_file(source: &Path, destination: &Path) -> Result<(), StoreError> {
        copy(&open::connect_to_read(source)?, destination)
    }
}

/// Keeps what was there before the schema changes: `<database>.v<version>-<ms>.backup`.
pub(super) fn before_migration(
    connection: &Connection,
    options: &OpenOptions,
    version: u32,
) -> Result<(), StoreError> {
    open::create_private_directory(&options.backup_dir).map_err(failed)?;
    let name = format!("{}.v{version}-{}.{EXTENSION}", stem(&options.path), options.now_ms);
    copy(connection, &options.backup_dir.join(name))
}

/// The newest backup of this database that still is one.
pub(super) fn newest_good(options: &OpenOptions) -> Option<PathBuf> {
    let prefix = format!("{}.", stem(&options.path));
    let mut backups: Vec<_> = fs::read_dir(&options.backup_dir)
        .ok()?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION))
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .collect();
    backups.sort_unstable();
    backups.into_iter().rev().map(|(_, path)| path).find(|path| is_good(path))
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

fn is_good(path: &Path) -> bool {
    let check = |connection: &Connection| -> Result<bool, StoreError> {
        let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let finding: String =
            connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
        Ok(id == APPLICATION_ID && finding == "ok")
    };
    open::connect_to_read(path).and_then(|connection| check(&connection)).unwrap_or(false)
}

fn copy(source: &Connection, destination: &Path) -> Result<(), StoreError> {
    let unfinished = open::beside(destination, ".part");
    open::create_private_file(&unfinished).map_err(failed)?;
    let mut target = Connection::open(&unfinished)?;
    // One step under one read transaction: in WAL mode nobody waits for it, and no write starts it over.
    if Backup::new(source, &mut target)?.step(-1)? != StepResult::Done {
        return Err(StoreError::Busy);
    }
    let finding: String = target.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if finding != "ok" {
        return Err(StoreError::Corrupt(finding));
    }
    // A copy is one file: without this it would ask for a write-ahead log beside it.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    target.close().map_err(|(_, error)| error)?;
    File::open(&unfinished).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(&unfinished, destination).map_err(failed)
}

fn failed(error: io::Error) -> StoreError {
    let kind = error.kind();
    if kind == ErrorKind::StorageFull {
        StoreError::Full
    } else if [ErrorKind::ReadOnlyFilesystem, ErrorKind::PermissionDenied].contains(&kind) {
        StoreError::ReadOnly
    } else {
        StoreError::Failed(Box::new(error))
    }
}
