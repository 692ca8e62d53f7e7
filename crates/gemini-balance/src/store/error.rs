//! What can go wrong with the database: while it is opened, and afterwards. No type of the engine leaves this room.

use std::path::PathBuf;

/// Why the database could not be opened. Nothing has been changed or overwritten.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The SQLite linked in is older than the one whose journal-reset race is mended.
    #[error("SQLite {found} is too old, at least {needed} is needed")]
    EngineTooOld {
        /// The version linked in.
        found: String,
        /// The oldest acceptable version.
        needed: &'static str,
    },
    /// Another process has this database open.
    #[error("{path} is in use by another process", path = path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The database was written by a newer version of this program.
    #[error(
        "{path} has schema version {found}, this program knows up to {known}: use a newer program",
        path = path.display()
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Schema version of the file.
        found: u32,
        /// Newest schema version known here.
        known: u32,
    },
    /// The database was made with another master key: its secrets cannot be opened.
    #[error(
        "{path} was made with another master key: put back the file `secrets` of its data \
         directory, or the former ENCRYPTION_KEY",
        path = path.display()
    )]
    OtherMasterKey {
        /// The database file.
        path: PathBuf,
    },
    /// The file is not a database of this program.
    #[error("{path} is not a database of this program ({detail})", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A log of another database lies beside this one; the engine would mix the two.
    #[error(
        "{path} was left by another database than the one beside it: move it away",
        path = path.display()
    )]
    Stray {
        /// The log.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error(
        "{path} is damaged ({detail}); {advice}",
        path = path.display(),
        advice = advice(backup.as_ref())
    )]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What was found.
        detail: String,
        /// The newest good backup beside it.
        backup: Option<PathBuf>,
    },
    /// A schema step failed; the database is as it was before the step.
    #[error("schema step {version} of {path} failed", path = path.display())]
    Migration {
        /// The database file.
        path: PathBuf,
        /// The step that failed.
        version: u32,
        /// Why.
        source: StoreError,
    },
    /// The file system refused.
    #[error("cannot use {path}", path = path.display())]
    Files {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The engine refused.
    #[error("cannot open {path}", path = path.display())]
    Engine {
        /// The database file.
        path: PathBuf,
        /// Why.
        source: StoreError,
    },
}

/// Why an operation on an open store failed. Nothing of it has been done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Locked by another process, or too much is waiting already: worth trying again.
    #[error("the database is busy")]
    Busy,
    /// No space is left on the volume.
    #[error("the database has no space left on its volume")]
    Full,
    /// The volume or the file cannot be written.
    #[error("the database cannot be written")]
    ReadOnly,
    /// The system failed to read or write: a dying disk, a share that went away, a limit on files.
    #[error("the disk of the database failed: {0}")]
    Disk(String),
    /// The file is damaged.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// The store has been closed.
    #[error("the database is closed")]
    Closed,
    /// A value that may exist only once exists already.
    #[error("{0} exists already")]
    Taken(Unique),
    /// The answer would be larger than its limit; ask for less.
    #[error("more than {0} points in time asked for")]
    TooManyPoints(usize),
    /// Anything else.
    #[error("the database failed: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What may exist only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unique {
    /// The name of a user key.
    Name,
    /// The secret of a key.
    Secret,
}

impl std::fmt::Display for Unique {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Name => "name",
            Self::Secret => "secret",
        })
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        // On a full disk a start fails at the index of the write-ahead log.
        let has_no_room = |error: &rusqlite::ffi::Error| {
            error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
        };
        if error.sqlite_error().is_some_and(has_no_room) {
            return Self::Full;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                Self::ReadOnly
            }
            Some(ErrorCode::SystemIoFailure) => Self::Disk(error.to_string()),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt(error.to_string())
            }
            _ => Self::Failed(Box::new(error)),
        }
    }
}

fn advice(backup: Option<&PathBuf>) -> String {
    match backup {
        Some(backup) => format!("the newest good backup is {}", backup.display()),
        None => "no backup lies beside it".to_owned(),
    }
}
